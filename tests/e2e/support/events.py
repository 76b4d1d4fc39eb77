"""A reader of the admin listener's server-sent events."""
import json


class Event:
    def __init__(self, kind, number, data):
        self.kind, self.number, self.data = kind, number, data

    def __repr__(self):
        return f"Event({self.kind}, {self.number}, {self.data})"


class Events:
    """Follows /api/v1/events of a proxy; `query` is what stands behind the path."""

    def __init__(self, stage, proxy, query="", version="1.1"):
        self.wire = stage.client(proxy.connect_admin())
        host = "localhost" if isinstance(proxy.admin, str) else "%s:%d" % proxy.admin
        self.wire.send(f"GET /api/v1/events{query} HTTP/{version}\r\nHost: {host}\r\n\r\n".encode())
        self.head = self.wire.read_head()
        self.is_chunked = self.head.get("Transfer-Encoding") == "chunked"
        self.text = b""
        self.is_ended = False

    def _read_on(self):
        """A chunk, or what comes next; False at the end."""
        if not self.is_chunked:
            more = self.wire.buffer != b"" or self.wire.fill()
            self.text += self.wire.take(len(self.wire.buffer))
            return more
        size = int(self.wire.read_until(b"\r\n"), 16)
        self.text += self.wire.read(size)
        assert self.wire.read(2) == b"\r\n"
        return size > 0

    def next(self):
        """The next event; None at the end of the stream. Comments are passed over."""
        while True:
            while b"\n\n" not in self.text:
                if not self._read_on():
                    assert self.text == b"", self.text
                    return None
            raw, self.text = self.text.split(b"\n\n", 1)
            fields = dict(line.split(": ", 1) for line in raw.decode("ascii").split("\n") if line[:1] != ":")
            if fields:
                number = int(fields["id"]) if "id" in fields else None
                return Event(fields["event"], number, json.loads(fields["data"]))

    def until(self, kind):
        """The next event of this kind; others are passed over."""
        while True:
            event = self.next()
            assert event is not None, f"the stream ended before {kind}"
            if event.kind == kind:
                return event
