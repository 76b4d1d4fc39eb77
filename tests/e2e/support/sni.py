"""Players of egress.sni: a real ClientHello, tunnels that are guarded, and what a refusal looks like."""
import json
import ssl
import struct

import pytest

from support.bounds import wait_until
from support.message import request

ALERT = bytes([21, 3, 3, 0, 2, 2, 112])  # fatal, unrecognized_name


def hello(name, context=None):
    """A real ClientHello with this SNI, or without one."""
    context = context or ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def in_records(whole, size):
    """The same handshake message in records of `size` bytes."""
    body = whole[5:]
    return b"".join(b"\x16\x03\x01" + struct.pack(">H", len(part)) + part
                    for part in (body[at:at + size] for at in range(0, len(body), size)))


def tunnel(stage, proxy, origin, host="a.example", extra=b"", more=(), tls=None):
    client = stage.client(proxy.connect(tls=tls))
    client.send(request("CONNECT", f"{host}:{origin.port}", *more) + extra)
    assert client.read_head().status == 200
    return client


def got_nothing(origin):
    """The origin's first connection is over, and no byte came."""
    conn = origin.wait_connections(1)[0]
    wait_until(lambda: conn.end, "the end of the origin's connection")
    return conn.received == 0


def refused(stage, guarded, said, mode="enforce", host="a.example", text="", hears=ALERT, flags=(), more=()):
    """What the client says is refused: the origin got nothing, the client an alert, the record the reason."""
    origin = stage.origin(lambda conn: conn.read_to_end())
    proxy = guarded(mode, *flags, text=text)
    client = tunnel(stage, proxy, origin, host, more=more)
    client.send(said)
    assert client.read_to_end() == hears
    record = proxy.record()
    assert (record.kind, record.end, record["cause"], record.rule) == (
        "tunnel", "refused", "sni_refused", "egress.sni")
    assert got_nothing(origin)
    assert "egress.sni: log" in record["remedy"]
    if not flags:
        with proxy.connect() as other:  # which the client may look up, since it heard an alert at most
            got = other.ask(request("GET", "/.well-known/fairlead/denials", "Accept: application/json", host="127.0.0.1"))
        (entry,) = json.loads(got.body)["denials"]
        assert {name: entry.get(name) for name in ("method", "port", "status", "cause", "rule", "detail", "remedy")} == {
            "method": "CONNECT", "port": origin.port, "status": 200, "cause": "sni_refused", "rule": "egress.sni",
            "detail": record["detail"], "remedy": record["remedy"]}
    return record["detail"]
