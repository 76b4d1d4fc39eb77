"""Clients that are slow on purpose: heads and bodies that trickle, and heads that do not end."""
import time

import pytest

from support.admin import metric
from support.bounds import Late, wait_until
from support.message import ok, request
from support.origin import replies_forever

SLOWEST = 100  # bytes of a head in a second


@pytest.fixture
def origin(stage):
    return stage.origin(replies_forever(ok(b"hello")))


def trickles(client, data, pause):
    """Send byte by byte, until the proxy says something or the end."""
    client.sock.settimeout(pause)
    for byte in data:
        try:
            client.sock.send(bytes([byte]))
            if client.sock.recv(1, 2):  # MSG_PEEK
                return
        except TimeoutError:
            continue
        except OSError:
            return


def test_a_trickled_head_is_given_up(limited, origin):
    """A head that comes slower than limits.head_rate is answered 408 some two seconds after it began."""
    proxy = limited(f"head_rate: {SLOWEST}B/s\nper_client: {{ heads: 0 }}")
    client = proxy.connect()
    trickles(client, request("GET", origin.url + "/" + 400 * "x"), 0.05)
    answer = client.read_response()
    assert answer.status == 408 and "limits.head_rate" in answer.body.decode()
    record = proxy.proxy.record()
    assert (record.cause, record.end) == ("too_slow", "timeout")


def test_a_slow_head_that_is_fast_enough_passes(limited, origin):
    """Above the rate it may take as long as it needs, within timeouts.client_head."""
    proxy = limited("head_rate: 64B/s")
    client = proxy.connect()
    head = request("GET", origin.url + "/" + 900 * "x")
    for i in range(0, len(head), 32):
        client.send(head[i:i + 32])
        time.sleep(0.1)  # what is claimed is a rate: 320 bytes a second, for three seconds
    assert client.read_response().status == 200


def test_heads_in_flight_of_a_client_are_bounded(limited, origin):
    """One too many is answered 429; others may; and who is whole leaves room."""
    proxy = limited("per_client: { heads: 2 }", workers=1)  # which meets them in this order
    begun = [proxy.connect() for _ in range(2)]
    for client in begun:
        client.send(b"GET http://")
    wait_until(lambda: asks(proxy, b"GET"), "the limit to be met")
    answer = asks(proxy, b"GET ")
    assert answer.status == 429 and "limits.per_client.heads" in answer.reason and answer.get("Retry-After")
    assert metric(proxy.proxy, r'over_budget_total\{limit="heads"\}') >= 1
    assert proxy.ask(origin.url + "/")[1].status == 200, "a head that comes whole is not in flight"
    assert proxy.ask(origin.url + "/", source="192.0.2.9")[1].status == 200
    begun[0].send(request("GET", origin.url + "/")[len(b"GET http://"):])
    assert begun[0].read_response().status == 200
    late = proxy.connect()
    late.send(b"GET http://")
    late.expect_quiet()


def asks(proxy, part):
    """The answer to a part of a head; None where nothing comes for a while."""
    client = proxy.connect()
    client.send(part)
    try:
        return client.read_response(bound=0.5)
    except Late:
        client.close()
        return None


def test_a_body_that_trickles_is_given_up(limited, stage):
    """limits.body_rate: a client that sends on, but too slowly, is answered 408 after ten seconds of waiting for it."""
    origin = stage.origin(lambda conn: (conn.read_request_head(), conn.stay()))
    proxy = limited("body_rate: 100B/s")
    client = proxy.connect()
    client.send(request("POST", origin.url + "/", "Content-Length: 100000"))
    trickles(client, 300 * b"x", 0.05)
    answer = client.read_response()
    assert answer.status == 408
    assert proxy.proxy.record().cause == "too_slow"
