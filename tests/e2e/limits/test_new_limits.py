"""A reload's limits hold for what is open: counts at once, rates from the next byte on."""
import threading
import time

import pytest

from support.message import ok, request
from support.ops import reload
from support.origin import replies_forever

BODY = bytes(range(251)) * 6000  # about 1.4 MiB
RATE = 1 << 20
LEAST_S = (len(BODY) - RATE // 8) / RATE * 0.9


@pytest.fixture
def origin(stage):
    return stage.origin(replies_forever(ok(BODY)))


def change(proxy, before, after):
    text = proxy.path.read_text()
    assert before in text
    proxy.path.write_text(text.replace(before, after))
    reload(proxy.proxy)


@pytest.mark.parametrize("before, after, key", [
    ("per_client: { tunnels: 9 }", "per_client: { tunnels: 2 }", "limits.per_client.tunnels"),
    ("tunnels: 9", "tunnels: 2", "limits.tunnels"),
    ("head_rate: 64B/s", "ranges: [{ name: lab, from: [192.0.2.0/24], tunnels: 2 }]", "limits.ranges(lab).tunnels"),
    ("ranges: [{ name: hall, from: [192.0.2.0/24], tunnels: 2 }]",
     "ranges: [{ name: lab, from: [192.0.2.0/24], tunnels: 2 }]", "limits.ranges(lab).tunnels"),
], ids=["client", "all", "a range that is new", "a range of another name"])
def test_a_lower_limit_refuses_also_on_connections_that_were_open(limited, stage, echo, before, after, key):
    """What is open goes on and counts; a connection from before the reload gets no more than a new one."""
    served = stage.origin(replies_forever(ok(b"")))
    proxy = limited(before)
    old = [proxy.ask(served.url + "/")[0] for _ in range(4)]
    first = old.pop()
    first.send(request("CONNECT", echo.authority))
    assert first.read_head().status == 200
    change(proxy, before, after)
    statuses = []
    for client in old:
        client.send(request("CONNECT", echo.authority))
        statuses.append(client.read_head().status)
    # A tunnel from before is in no range that came later: docs/limits.md.
    allowed = 2 if "ranges" in after else 1
    assert statuses == [200] * allowed + [503 if key == "limits.tunnels" else 429] * (3 - allowed)
    first.send(b"goes on")
    assert first.read(7) == b"goes on"
    assert {record.rule for record in proxy.proxy.records(3 - allowed, lambda record: record.rule)} == {key}


def test_a_higher_limit_lets_in_also_who_was_there(limited, stage, echo):
    """A connection from before the reload opens what it could not have opened."""
    served = stage.origin(replies_forever(ok(b"")))
    proxy = limited("per_client: { tunnels: 1 }")
    assert proxy.ask(echo.authority, method="CONNECT")[1].status == 200
    client, _ = proxy.ask(served.url + "/")
    assert proxy.ask(echo.authority, method="CONNECT")[1].status == 429
    change(proxy, "tunnels: 1", "tunnels: 2")
    client.send(request("CONNECT", echo.authority))
    assert client.read_head().status == 200


@pytest.mark.parametrize("kind", ["tunnel", "request"])
def test_a_bandwidth_that_is_new_holds_for_what_is_open(limited, stage, origin, kind):
    """Bytes after the reload go at its rate."""
    proxy = limited("head_rate: 64B/s")
    client = proxy.connect()
    if kind == "tunnel":
        client.send(request("CONNECT", origin.authority))
        assert client.read_head().status == 200
    else:
        client.send(request("GET", origin.url + "/"))
        assert client.read_response().body == BODY
    change(proxy, "head_rate: 64B/s", "per_client: { bandwidth: 1MiB/s }")
    begun = time.monotonic()
    client.send(request("GET", "/" if kind == "tunnel" else origin.url + "/"))
    assert client.read_response(bound=30).body == BODY
    assert time.monotonic() - begun >= LEAST_S


@pytest.mark.parametrize("after", ["head_rate: 64B/s", "per_client: { bandwidth: 1GiB/s }"], ids=["none", "faster"])
@pytest.mark.parametrize("kind", ["tunnel", "response", "body"])
def test_what_a_bandwidth_held_goes_on_at_the_new_rate(limited, stage, origin, kind, after):
    """At a KiB a second it would take a quarter of an hour; a reload is noticed while it is held."""
    proxy = limited("per_client: { bandwidth: 1KiB/s }")
    client = proxy.connect()
    if kind == "body":
        taking = stage.origin(replies_forever(ok(b"taken")))
        data = request("POST", taking.url + "/", f"Content-Length: {len(BODY)}") + BODY
        thread = threading.Thread(target=client.send, args=(data,), kwargs={"bound": 30})
        thread.start()
        taking.wait_connections(1)
    else:
        thread = None
        if kind == "tunnel":
            client.send(request("CONNECT", origin.authority))
            assert client.read_head().status == 200
        client.send(request("GET", "/" if kind == "tunnel" else origin.url + "/"))
        origin.wait_connections(1)
    change(proxy, "per_client: { bandwidth: 1KiB/s }", after)
    assert client.read_response(bound=30).body == (b"taken" if kind == "body" else BODY)
    if thread is not None:
        thread.join()
