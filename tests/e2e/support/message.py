"""HTTP/1 messages as a test sees them: field order, spelling and raw bytes are kept."""
import re


class Message:
    """A request or response. `interim` holds the 1xx responses that came before a final one."""

    def __init__(self, raw_head):
        assert raw_head.endswith(b"\r\n\r\n"), raw_head
        self.raw_head = raw_head
        lines = raw_head[:-4].split(b"\r\n")
        self.start_line = lines[0].decode("latin-1")
        self.fields = parse_fields(lines[1:])
        self.body = b""
        self.raw_body = b""  # as on the wire, with chunk framing
        self.chunks = []
        self.trailers = []
        self.interim = []
        self.framing = None  # "none", "length", "chunked", "close"

    def values(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def get(self, name):
        """The field's value, lines joined; None without one."""
        values = self.values(name)
        return ", ".join(values) if values else None

    def names(self):
        return [name for name, _ in self.fields]

    def has(self, name):
        return bool(self.values(name))

    def tokens(self, name):
        return [token.strip().lower() for token in (self.get(name) or "").split(",") if token.strip()]

    @property
    def method(self):
        return self.start_line.split(" ")[0]

    @property
    def target(self):
        return self.start_line.split(" ")[1]

    @property
    def version(self):
        first, *_, last = self.start_line.split(" ")
        return first if first.startswith("HTTP/") else last

    @property
    def status(self):
        return int(self.start_line.split(" ")[1])

    @property
    def reason(self):
        return self.start_line.split(" ", 2)[2]

    def __repr__(self):
        return f"<{self.raw_head!r} {self.framing} {len(self.body)} bytes {self.body[:200]!r}>"


def parse_fields(lines):
    fields = []
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        assert colon, f"a field line without colon: {line!r}"
        fields.append((name, value.strip(" \t")))
    return fields


def request_framing(head):
    if "chunked" in head.tokens("Transfer-Encoding"):
        return "chunked", 0
    length = int(head.get("Content-Length") or 0)
    return ("length", length) if head.has("Content-Length") else ("none", 0)


def response_framing(head, method):
    if method == "HEAD" or head.status in (204, 304) or head.status < 200:
        return "none", 0
    if method == "CONNECT" and head.status // 100 == 2:
        return "none", 0
    if head.has("Transfer-Encoding"):
        return ("chunked", 0) if head.tokens("Transfer-Encoding")[-1] == "chunked" else ("close", 0)
    if head.has("Content-Length"):
        return "length", int(head.values("Content-Length")[0])
    return "close", 0


def request(method, target, *fields, body=b"", version="HTTP/1.1", host=None):
    """Bytes of a request. Host is made from an absolute target unless given; "" leaves it out."""
    if host is None:
        host = re.split("[/?#]", target)[2] if "://" in target else target
    lines = [f"{method} {target} {version}"] + ([f"Host: {host}"] if host else []) + list(fields)
    if body and not any(line.lower().startswith(("content-length:", "transfer-encoding:"))
                        for line in fields):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines + ["", ""]).encode("latin-1") + body


def ok(body=b"", *fields, status="200 OK", version="HTTP/1.1", length=True, date=True):
    """Bytes of a response."""
    lines = [f"{version} {status}"] + list(fields)
    if date:
        lines.append("Date: Tue, 15 Nov 1994 08:12:31 GMT")
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines + ["", ""]).encode("latin-1") + body


def chunked(*chunks, trailers=()):
    """Bytes of a chunked body."""
    parts = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    tail = "".join(f"{line}\r\n" for line in trailers).encode("latin-1")
    return b"".join(parts) + b"0\r\n" + tail + b"\r\n"
