"""What somebody may do to get more than the limits give, or to make them hurt others."""
import time

import pytest

from support.admin import metric
from support.bounds import wait_until
from support.message import ok, request
from support.origin import replies_forever

DEPTH = 16 * 1024  # of a small bandwidth's bucket: what may come at once


@pytest.fixture
def origin(stage):
    return stage.origin(replies_forever(ok(b"hello")))


def test_a_tunnel_that_has_nothing_to_say_when_its_hold_ends_goes_on(limited, echo):
    """It sent just what its budget had, and then nothing: that is silence, and no idleness."""
    proxy = limited("per_client: { bandwidth: 64KiB/s }")
    client, _ = proxy.ask(echo.authority, method="CONNECT")
    time.sleep(0.3)  # its bucket is full again
    client.send(DEPTH * b"x")
    assert client.read(DEPTH, bound=30) == DEPTH * b"x"
    time.sleep(0.5)  # past the end of the hold, at which nothing must happen
    client.send(b"still here")
    assert client.read(10, bound=30) == b"still here"


@pytest.mark.parametrize("target", ["/", "*", "/elsewhere", "ftp://x/"])
def test_answers_of_the_proxy_itself_are_for_those_that_have_a_place(limited, origin, target):
    """Who is over a limit of connections is told so, whatever is asked for, and does not stay."""
    proxy = limited("per_client: { connections: 1 }", workers=1)
    _, answer = proxy.ask(origin.url + "/")
    assert answer.status == 200
    late = proxy.connect()
    answer = late.ask(request("OPTIONS" if target == "*" else "GET", target, host="x"))
    assert answer.status == 429 and "limits.per_client.connections" in answer.reason
    late.expect_end("fin")


@pytest.mark.parametrize("target", ["/", "/elsewhere"])
def test_answers_of_the_proxy_itself_count_as_requests(limited, target):
    """A flood of them is met by limits of requests."""
    proxy = limited("per_client: { requests: 2/s }")
    client = proxy.connect()
    assert 429 in [client.ask(request("GET", target, host="x")).status for _ in range(6)]


def test_the_places_of_those_to_be_told_are_free_soon(limited, origin):
    """Who says nothing, or a part, holds such a place for two seconds, and not for as long as a head may take."""
    proxy = limited("per_client: { connections: 1 }\nhead_rate: 0", "--timeout", "client_head=100s", workers=1)
    first, _ = proxy.ask(origin.url + "/")
    for i in range(64):
        late = proxy.connect()
        late.send(b"GET " if i % 2 else b"")
    wait_until(lambda: metric(proxy.proxy, "client_connections") == 1, "the silent ones to be gone")
    assert first.ask(request("GET", origin.url + "/")).status == 200


@pytest.mark.parametrize("guard", ["off", "log"])
def test_what_comes_with_a_connect_counts(limited, stage, guard):
    """Many tunnels, each of which brings something at once, are no way around a bandwidth."""
    origin = stage.origin(lambda conn: (conn.read(7 * 1024, bound=30), conn.send(b"whole"), conn.stay()))
    proxy = limited("per_client: { bandwidth: 64KiB/s }", more=f"egress: {{ sni: {guard} }}\n")
    began = time.monotonic()
    for _ in range(12):
        client = proxy.connect()
        client.send(request("CONNECT", origin.authority) + 7 * 1024 * b"x")
        assert client.read_head().status == 200
    last, answer = proxy.ask(origin.authority, method="CONNECT")
    assert answer.status == 200
    last.send(7 * 1024 * b"x")
    assert last.read(5, bound=30) == b"whole"
    assert time.monotonic() - began >= (13 * 7 - 16) / 64 * 0.9


def asks_often(proxy, url):
    """Twenty requests with a head of 8 KiB, on two connections in turn: how long they take."""
    clients = [proxy.connect() for _ in range(2)]
    began = time.monotonic()
    for i in range(20):
        answer = clients[i % 2].ask(request("GET", url, "X: " + 8 * 1024 * "x", host="x" if url == "/" else None))
        assert answer.status == 200
    return time.monotonic() - began


LEAST = (18 * 8 - 16) / 64 * 0.9  # seconds: without what the bucket has, and the last one of each


@pytest.mark.parametrize("where", ["proxy", "origin"])
def test_heads_of_requests_are_no_way_around_a_bandwidth(limited, origin, where):
    """They count, and the next one waits, also where the proxy answers itself."""
    proxy = limited("per_client: { bandwidth: 64KiB/s }", "--timeout", "client_head=1s", "--timeout", "keepalive=1s")
    assert asks_often(proxy, "/" if where == "proxy" else origin.url + "/") >= LEAST


def test_heads_of_responses_are_no_way_around_a_bandwidth(limited, stage):
    origin = stage.origin(replies_forever(ok(b"", "X: " + 8 * 1024 * "x")))
    proxy = limited("per_client: { bandwidth: 64KiB/s }")
    client = proxy.connect()
    began = time.monotonic()
    for _ in range(20):
        assert client.ask(request("GET", origin.url + "/")).status == 200
    assert time.monotonic() - began >= LEAST


def test_a_client_that_was_held_waits_as_before(limited, origin):
    """Once its debt is paid an idle connection stays for as long as any, and a part of a head is late in its time."""
    proxy = limited("per_client: { bandwidth: 64KiB/s }", "--timeout", "keepalive=60s", "--timeout", "client_head=3s")
    client = proxy.connect()
    for _ in range(6):
        assert client.ask(request("GET", origin.url + "/", "X: " + 16 * 1024 * "x")).status == 200
    client.send(b"GET ")
    assert client.read_response(bound=20).status == 408
