"""What the plays of limits share: a proxy with limits, whose clients may say who they are (PROXY header)."""
import pytest

from support.message import request
from support.origin import echoes


class Limited:
    """A proxy with these lines under `limits`, and its clients."""

    def __init__(self, stage, lines, *flags, tls=False, workers=2, more="", **options):
        self.stage = stage
        path = stage.folder / f"limits{len(stage.proxies)}.yaml"
        body = "".join(f"  {line}\n" for line in lines.strip().splitlines())
        secure = f", tls: {{ certificate: '{stage.certs.server}', key: '{stage.certs.server_key}' }}" if tls else ""
        path.write_text(f"listen:\n  - {{ address: '127.0.0.1:0', proxy_protocol: {{ from: [127.0.0.1] }}{secure} }}\n"
                        f"clients: {{ allow: ['0.0.0.0/0', '::/0'] }}\nlimits:\n{body}{more}")
        path.chmod(0o644)
        self.path = path
        self.proxy = stage.proxy("-c", path, "--workers", workers, *flags, listen=None, listeners=1, **options)

    def connect(self, source="192.0.2.1"):
        """A client from this address."""
        client = self.stage.client(self.proxy.connect())
        family, to = ("TCP6", "2001:db8::1") if ":" in source else ("TCP4", "192.0.2.100")
        client.send(f"PROXY {family} {source} {to} 40000 3128\r\n".encode())
        return client

    def ask(self, target, *fields, source="192.0.2.1", method="GET"):
        """One answer on a connection that stays open: the client and the answer."""
        client = self.connect(source)
        client.send(request(method, target, *fields))
        return client, client.read_head() if method == "CONNECT" else client.read_response(method)


@pytest.fixture
def limited(stage):
    def make(lines, *flags, **more):
        return Limited(stage, lines, *flags, **more)
    return make


@pytest.fixture
def echo(stage):
    return stage.origin(echoes)
