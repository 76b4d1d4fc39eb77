"""What the plays of bad name servers share."""
from support.gauges import Baseline
from support.message import ok, request
from support.origin import replies_forever

LIMIT_US = 400_000  # timeouts.dns of these plays


class Asker:
    """A proxy of one worker, hence one cache, and an origin; at the end the proxy has open what it had at first."""

    def __init__(self, stage, *flags, proxy=None):
        self.stage = stage
        self.origin = stage.origin(replies_forever(ok(b"fine", "Connection: close")))
        self.proxy = proxy or stage.proxy("--workers", "1", "--timeout", f"dns={LIMIT_US // 1000}ms", *flags)
        self.baseline = Baseline(self.proxy)

    def check(self):
        """Nothing stayed."""
        for client in self.stage.clients:
            client.close()
        self.baseline.check()

    def send(self, name, method="GET", port=None):
        client = self.stage.client(self.proxy.connect())
        authority = f"{name}:{port or self.origin.port}"
        client.send(request(method, authority if method == "CONNECT" else f"http://{authority}/"))
        return client

    def ask(self, name, port=None):
        with self.send(name, port=port) as client:
            return client.read_response()

    def is_fine(self, name):
        got = self.ask(name)
        assert (got.status, got.body) == (200, b"fine")

    def fails(self, name, status, token, cause, port=None):
        """The client is told, the record says the same, and no connection was tried."""
        got = self.ask(name, port)
        assert got.status == status and f"error={token}" in got.get("Proxy-Status"), got.raw_head
        record = self.proxy.record()
        assert (record.status, record.error, record.cause, record.end) == \
            (status, token, cause, "timeout" if "timeout" in cause else "refused" if status == 403 else "error")
        assert "dns" in record.phases and "connect" not in record.phases
        return record
