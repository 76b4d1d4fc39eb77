"""One record of the JSON access log. All access to its members goes through here; docs/log.md describes them."""
import datetime
import json


class Record:
    def __init__(self, line):
        self.json = json.loads(line)

    def __getitem__(self, member):
        return self.json[member]

    def get(self, member, default=None):
        return self.json.get(member, default)

    kind = property(lambda self: self.json["kind"])  # exchange, tunnel, upgrade, local
    method = property(lambda self: self.json.get("method"))
    url = property(lambda self: self.json.get("url"))
    status = property(lambda self: self.json.get("status"))
    upstream_status = property(lambda self: self.json.get("upstream_status"))
    end = property(lambda self: self.json.get("end"))  # done, fin, rst, timeout, refused, error, …
    ended_by = property(lambda self: self.json.get("ended_by"))  # client, upstream, proxy
    rule = property(lambda self: self.json.get("rule"))
    cause = property(lambda self: self.json.get("cause"))
    error = property(lambda self: self.json.get("error"))  # RFC 9209 token
    detail = property(lambda self: self.json.get("detail"))
    retries = property(lambda self: self.json.get("retries", 0))
    retry_reason = property(lambda self: self.json.get("retry_reason"))
    attempts = property(lambda self: self.json.get("attempts", []))
    dns = property(lambda self: self.json.get("dns", {}))
    phases = property(lambda self: self.json.get("phases_us", {}))
    bytes = property(lambda self: self.json["bytes"])
    stalled = property(lambda self: self.json.get("stalled_us", {}))
    client_conn = property(lambda self: self.json.get("client_conn", {}))
    upstream_conn = property(lambda self: self.json.get("upstream_conn", {}))
    upstream_tls = property(lambda self: self.json.get("upstream_tls"))
    client_tls = property(lambda self: self.json.get("client_tls"))
    parent_tls = property(lambda self: self.json.get("parent_tls"))
    slow = property(lambda self: self.json.get("verdict", {}).get("slow"))  # the one word; None: it was fast
    shares = property(lambda self: self.json["verdict"]["shares_us"])
    id = property(lambda self: self.json["id"])

    @property
    def wall_ns(self):
        text = self.json["time"]
        seconds = datetime.datetime.fromisoformat(text[:19] + "+00:00").timestamp()
        return int(seconds) * 10**9 + int(text[20:26]) * 1000

    def mark(self, name):
        """A mark on the monotonic clock, which all processes share, in ns; None where it never happened."""
        offset = self.json["marks_us"].get(name)
        return None if offset is None else self.json["base_ns"] + offset * 1000

    @property
    def marks(self):
        """All marks as offsets in µs."""
        return self.json["marks_us"]

    def __repr__(self):
        return f"<record {json.dumps(self.json)}>"
