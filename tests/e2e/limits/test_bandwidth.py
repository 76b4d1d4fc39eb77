"""Bandwidth: bytes in a second each way, of bodies and tunnels, by copy and by splice; none is lost or reordered.

Times are the proxy's own, and claimed from below alone: what a bucket does not hold cannot come sooner."""
import hashlib
import threading

import pytest

from support.message import ok, request
from support.origin import replies_forever

RATE = 1 << 20
HELD = RATE // 8  # what comes at once
BODY = bytes(range(251)) * 6000  # about 1.4 MiB
LEAST_US = (len(BODY) - HELD) * 1_000_000 // RATE * 9 // 10


@pytest.fixture
def origin(stage):
    return stage.origin(replies_forever(ok(BODY)))


def takes_in(conn):
    """An origin that reads a body and tells its digest."""
    got = conn.read_request()
    conn.send(ok(hashlib.sha256(got.body).hexdigest().encode()))


def pours(conn):
    """The other end of a tunnel: sends BODY, reads as much, and ends."""
    thread = threading.Thread(target=conn.send, args=(BODY,), kwargs={"bound": 30})
    thread.start()
    assert conn.read(len(BODY), bound=30) == BODY
    thread.join()
    conn.half_close()


def test_down(limited, origin):
    """A response."""
    proxy = limited("per_client: { bandwidth: 1MiB/s }")
    client = proxy.connect()
    client.send(request("GET", origin.url + "/"))
    assert client.read_response(bound=30).body == BODY
    assert proxy.proxy.record().phases["total"] >= LEAST_US


def test_up(limited, stage):
    """A request body."""
    origin = stage.origin(takes_in)
    proxy = limited("per_client: { bandwidth: 1MiB/s }")
    client = proxy.connect()
    client.send(request("POST", origin.url + "/", f"Content-Length: {len(BODY)}") + BODY, bound=30)
    assert client.read_response(bound=30).body.decode() == hashlib.sha256(BODY).hexdigest()
    assert proxy.proxy.record().phases["total"] >= LEAST_US


def test_a_tunnel_both_ways_at_once(limited, stage):
    """Each way has the rate for itself."""
    origin = stage.origin(pours)
    proxy = limited("per_client: { bandwidth: 1MiB/s }")
    client, answer = proxy.ask(origin.authority, method="CONNECT")
    assert answer.status == 200
    thread = threading.Thread(target=client.send, args=(BODY,), kwargs={"bound": 30})
    thread.start()
    assert client.read(len(BODY), bound=30) == BODY
    thread.join()
    client.half_close()
    client.expect_end("fin")
    record = proxy.proxy.record()
    total = record.phases["total"]
    assert total >= LEAST_US
    assert (record.end, record.bytes["client_in"] >= len(BODY), record.bytes["client_out"] >= len(BODY)) == \
        ("done", True, True)


@pytest.mark.parametrize("lines", ["bandwidth: 1MiB/s", "ranges: [ { from: [192.0.2.0/24], bandwidth: 1MiB/s } ]"],
                         ids=["all", "range"])
def test_what_is_shared_is_shared(limited, origin, lines):
    """Two clients on two workers have the rate together."""
    proxy = limited(lines)
    clients = [proxy.connect(f"192.0.2.{i}") for i in (1, 2)]
    for client in clients:
        client.send(request("GET", origin.url + "/"))
    for client in clients:
        assert client.read_response(bound=30).body == BODY
    took = [record.phases["total"] for record in proxy.proxy.records(2)]
    assert max(took) >= (2 * len(BODY) - 2 * HELD) * 1_000_000 // RATE * 9 // 10


def test_a_tunnel_that_is_held_is_not_idle(limited, stage):
    """timeouts.tunnel_idle does not end what only its budget holds up."""
    origin = stage.origin(pours)
    proxy = limited("per_client: { bandwidth: 512KiB/s }", "--timeout", "tunnel_idle=50ms")
    client, _ = proxy.ask(origin.authority, method="CONNECT")
    thread = threading.Thread(target=client.send, args=(BODY,), kwargs={"bound": 30})
    thread.start()
    assert client.read(len(BODY), bound=30) == BODY
    thread.join()
    client.half_close()
    client.expect_end("fin")


def test_over_tls(stage, origin):
    """What is inside TLS is counted."""
    path = stage.folder / "limits.yaml"
    path.write_text("limits: { per_client: { bandwidth: 1MiB/s } }\n")
    path.chmod(0o644)
    proxy = stage.proxy("-c", path, listen=None, tls=True)
    client = stage.client(proxy.connect(tls=stage.certs.client_context()))
    client.send(request("GET", origin.url + "/"))
    assert client.read_response(bound=30).body == BODY
    assert proxy.record().phases["total"] >= LEAST_US
