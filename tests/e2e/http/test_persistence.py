"""Connections that live on, on both sides: reuse, pipelining, retries, HTTP/1.0."""
import time

import pytest

from support.bounds import Cue, wait_until
from support.message import chunked, ok, request
from support.ops import cpu_ticks
from support.origin import replies, replies_and_closes, replies_forever
from support.shows import shows


@pytest.fixture
def proxy(stage):
    """One worker, so that every exchange finds the one pool."""
    return stage.proxy("--workers", "1")


@shows("9112-9.3-1")
def test_both_connections_are_kept(proxy, stage):
    """Requests in a row use one connection on either side: RFC 9112 §9.3."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    with proxy.connect() as client:
        for _ in range(5):
            assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    assert len(origin.connections) == 1
    records = proxy.records(5)
    assert [r.client_conn["use"] for r in records] == [1, 2, 3, 4, 5]
    assert [r.upstream_conn["use"] for r in records] == [1, 2, 3, 4, 5]


@shows("9110-3.3-1")
def test_a_pooled_connection_serves_another_client(proxy, stage):
    """Upstream connections belong to the origin, not to a client."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    for _ in range(3):
        with proxy.connect() as client:
            assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    proxy.records(3)
    assert len(origin.connections) == 1


@shows("9110-3.3-1")
@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate", "negotiate"])
def test_an_authenticated_connection_serves_nobody_else(proxy, stage, scheme):
    """RFC 4559 §6: the origin would take the next client for the one that authenticated."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    for fields in ([f"Authorization: {scheme} abc="], []):
        with proxy.connect() as client:
            assert client.ask(request("GET", origin.url + "/", *fields)).body == b"fine"
    proxy.records(2)
    assert len(origin.connections) == 2


@shows("9110-3.3-1")
def test_any_line_of_authorization_may_authenticate_the_connection(proxy, stage):
    """All lines go to the origin, which may take whichever it likes: RFC 4559 §6."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    for fields in (["Authorization: Basic Zm9v", "Authorization: NTLM abc="], []):
        with proxy.connect() as client:
            assert client.ask(request("GET", origin.url + "/", *fields)).body == b"fine"
    proxy.records(2)
    assert len(origin.connections) == 2


def test_a_reused_connection_has_no_dns_and_connect_phase(proxy, stage):
    """A phase that did not happen is absent, never zero."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    with proxy.connect() as client:
        client.ask(request("GET", origin.url + "/"))
        client.ask(request("GET", origin.url + "/"))
    first, second = proxy.records(2)
    assert "connect" in first.phases
    assert "connect" not in second.phases and "dns" not in second.phases
    assert second.attempts == []


@shows("9112-9.3.2-1", "9112-9.2-1")
def test_pipelined_requests_are_answered_in_order(proxy, stage):
    """RFC 9112 §9.3.2: responses come in the order of the requests, whatever their origin."""
    late = Cue()

    def slow(conn):
        conn.read_request()
        late.wait()
        conn.send(ok(b"slow"))
        conn.hold()

    first, second = stage.origin(slow), stage.origin(replies(ok(b"fast"), ok(b"last")))
    with proxy.connect() as client:
        client.send(request("GET", first.url + "/1") +
                    request("POST", second.url + "/2", body=b"body") +
                    request("GET", second.url + "/3"))
        first.wait_requests(1)
        late.give()
        assert [client.read_response().body for _ in range(3)] == [b"slow", b"fast", b"last"]
    assert second.wait_requests(2)[0].body == b"body"


def test_connection_close_of_the_client_is_honoured(proxy, stage):
    """After "close" the answer ends with the connection: RFC 9112 §9.6."""
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/", "Connection: close"))
        client.expect_end("fin")
    assert got.body == b"fine" and "close" in got.tokens("Connection")


def test_proxy_connection_close_is_understood(proxy, stage):
    """Proxy-Connection of older clients is understood and not forwarded: RFC 9112 C.2.2."""
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/", "Proxy-Connection: close")).body == b"fine"
        client.expect_end("fin")
    assert not origin.requests[0].has("Proxy-Connection")


@shows("9110-7.6-1", "9110-7.6.1-2")
def test_the_clients_close_does_not_end_the_upstream_connection(proxy, stage):
    """Connection options are of one hop: RFC 9110 §7.6.1."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    for _ in range(2):
        with proxy.connect() as client:
            client.ask(request("GET", origin.url + "/", "Connection: close"))
            client.expect_end("fin")
    assert len(origin.connections) == 1


def test_connection_close_of_the_origin_is_honoured(proxy, stage):
    """The upstream connection is not used again, the client's is: RFC 9112 §9.6."""
    origin = stage.origin(replies_forever(ok(b"fine", "Connection: close")))
    with proxy.connect() as client:
        for _ in range(2):
            got = client.ask(request("GET", origin.url + "/"))
            assert got.body == b"fine" and "close" not in got.tokens("Connection")
    assert len(origin.connections) == 2


@pytest.mark.parametrize("keep", [(), ("Connection: keep-alive",), ("Proxy-Connection: keep-alive",)])
def test_a_1_0_client_is_answered_and_closed(proxy, stage, keep):
    """Whatever it asks: RFC 9112 §9.3 (a proxy must not keep connections with HTTP/1.0 clients)."""
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/", *keep, version="HTTP/1.0"))
        client.expect_end("fin")
    assert got.body == b"fine"


@shows("9112-6.1-9")
def test_a_chunked_response_is_reframed_for_a_1_0_client(proxy, stage):
    """No chunked coding towards HTTP/1.0: the body ends with the connection: RFC 9112 §6.1."""
    origin = stage.origin(replies(ok(chunked(b"one", b"two"), "Transfer-Encoding: chunked",
                                     length=False)))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/", version="HTTP/1.0"))
    assert got.body == b"onetwo" and got.framing == "close"
    assert not got.has("Transfer-Encoding") and client.end == "fin"


@shows("9112-6.3-8", "9112-8-1")
def test_a_cut_body_is_visible_to_a_1_0_client(proxy, stage):
    """Where the end of the connection ends the body, a cut body must not end in FIN: RFC 9112 §8."""
    origin = stage.origin(replies_and_closes(ok(b"5\r\nhello\r\n5\r\nwo", "Transfer-Encoding: chunked",
                                                length=False)))
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/", version="HTTP/1.0"))
        client.read_to_end()
    assert client.end == "rst"


def test_a_response_to_the_close_is_chunked_for_the_client(proxy, stage):
    """A body of unknown length keeps the client's connection by chunked coding: RFC 9112 §6.3, §7.1."""
    origin = stage.origin(replies_and_closes(ok(b"to the end", length=False)))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/"))
    assert got.body == b"to the end" and got.framing in ("chunked", "close")


def test_a_1_0_origin_is_closed(proxy, stage):
    """A response of HTTP/1.0 without keep-alive ends its connection: RFC 9112 §9.3."""
    origin = stage.origin(replies_forever(ok(b"old", version="HTTP/1.0")))
    with proxy.connect() as client:
        for _ in range(2):
            assert client.ask(request("GET", origin.url + "/")).body == b"old"
    assert len(origin.connections) == 2


def test_a_1_0_origin_that_keeps_alive_is_kept(proxy, stage):
    """One that announces keep-alive is reused: RFC 9112 §9.3."""
    origin = stage.origin(replies_forever(ok(b"old", "Connection: keep-alive", version="HTTP/1.0")))
    with proxy.connect() as client:
        for _ in range(2):
            assert client.ask(request("GET", origin.url + "/")).body == b"old"
    assert len(origin.connections) == 1


def closes_silently(cue):
    """Take a second request and close without a byte: what a stale connection looks like."""
    def script(conn):
        conn.read_request()
        conn.send(ok(b"first"))
        conn.read_request()
        conn.close()
        cue.give()
    return script


@shows("9110-9.2.2-2")
def test_a_get_on_a_stale_connection_is_retried_once(proxy, stage):
    """An idempotent request that met a dying pooled connection goes out again: RFC 9112 §9.3.1."""
    origin = stage.origin([closes_silently(Cue()), replies(ok(b"second"))])
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"first"
        assert client.ask(request("GET", origin.url + "/again")).body == b"second"
    record = proxy.records(2)[1]
    assert record.retries == 1 and record.retry_reason == "stale_pool"
    assert [r.target for r in origin.requests] == ["/", "/again", "/again"]


@shows("9110-9.2.2-1", "9110-9.2.2-2")
def test_a_post_is_never_retried(proxy, stage):
    """RFC 9112 §9.3.1, RFC 9110 §9.2.2: a proxy must not retry a request that is not idempotent."""
    origin = stage.origin([closes_silently(Cue())])
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"first"
        got = client.ask(request("POST", origin.url + "/", body=b"pay"))
    assert got.status == 502 and len(origin.connections) == 1
    assert proxy.records(2)[1].retries == 0


@shows("9110-9.2.2-3")
def test_a_new_connection_that_dies_is_not_retried(proxy, stage):
    """Only a reused connection may have been stale."""
    def dies(conn):
        conn.read_request()

    origin = stage.origin([dies])
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/"))
    assert got.status == 502
    assert proxy.record().retries == 0


@shows("9112-9.5-2")
def test_a_closed_pooled_connection_is_not_used(proxy, stage):
    """A connection that the loop has seen closed is gone from the pool: a POST works without a retry."""
    done = Cue()

    def closes_later(conn):
        conn.read_request()
        conn.send(ok(b"first"))
        done.wait()
        conn.half_close()
        conn.hold()

    origin = stage.origin([closes_later, replies(ok(b"second"))])
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"first"
        done.give()
        wait_until(lambda: origin.connections[0].last("eof"), "the proxy to close the idle connection")
        assert client.ask(request("POST", origin.url + "/", body=b"pay")).body == b"second"
    assert proxy.records(2)[1].retries == 0


@shows("9112-9.2-2", "9112-6.3-13")
def test_unsolicited_bytes_spoil_an_idle_connection(proxy, stage):
    """A response that nobody asked for is never given to anybody: RFC 9112 §9.2."""
    done = Cue()

    def speaks(conn):
        conn.read_request()
        conn.send(ok(b"first"))
        done.wait()
        conn.send(ok(b"poison"))
        conn.hold()

    origin = stage.origin([speaks, replies(ok(b"second"))])
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"first"
        done.give()
        wait_until(lambda: {"eof", "reset"} & {w for _, w, _ in origin.connections[0].events},
                   "the proxy to close the spoiled connection")
        assert client.ask(request("GET", origin.url + "/")).body == b"second"


def test_bytes_behind_a_response_spoil_its_connection(proxy, stage):
    """What follows a complete response at once is not the next response: RFC 9112 §9.2."""
    origin = stage.origin([replies(ok(b"first") + ok(b"poison")), replies(ok(b"second"))])
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"first"
        assert client.ask(request("GET", origin.url + "/")).body == b"second"


@shows("9112-9.3-5")
def test_an_unfinished_request_spoils_the_connection(proxy, stage):
    """A client that leaves in the middle of a response costs that connection alone."""
    def half(conn):
        conn.read_request()
        conn.send(ok(b"x" * 1000, "Content-Length: 100000", length=False))
        conn.hold()

    origin = stage.origin([half, replies(ok(b"second"))])
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        client.read_head()
        client.reset()
    assert proxy.record().ended_by == "client"
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"second"


@shows("9112-9.5-1")
def test_an_idle_client_connection_is_closed(stage):
    """timeouts.keepalive ends an idle client connection in order."""
    proxy = stage.proxy("--timeout", "keepalive=200ms")
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        client.ask(request("GET", origin.url + "/"))
        client.expect_end("fin")


def test_each_record_counts_its_own_bytes(proxy, stage):
    """Bytes of a request and a response are those of that exchange, also later on the same connections."""
    origin = stage.origin(replies(*[ok(b"x" * size) for size in (1, 100, 10_000)]))
    sent, got = [], []
    with proxy.connect() as client:
        for size in (5, 50, 500):
            sent.append(request("POST", origin.url + "/", body=b"y" * size))
            before = client.received
            client.ask(sent[-1])
            got.append(client.received - before)
    records = proxy.records(3)
    assert [r.bytes["client_in"] for r in records] == [len(data) for data in sent]
    assert [r.bytes["client_out"] for r in records] == got
    assert [r.bytes["request_body"] for r in records] == [5, 50, 500]
    assert [r.bytes["response_body"] for r in records] == [1, 100, 10_000]


def test_a_client_that_stays_after_its_last_answer_costs_no_core(door):
    """The proxy ends its direction and waits for the client's, for two seconds: at rest (RFC 9112 §9.6)."""
    with door.connect() as client:
        client.send(b"no request\r\n\r\n")
        assert client.read_response().status == 400
        open_now, ticks, begun = door.proxy.descriptors(), cpu_ticks(door.proxy.serving_pid()), time.monotonic()
        wait_until(lambda: door.proxy.descriptors() < open_now, "the wait to end")
        spent = (cpu_ticks(door.proxy.serving_pid()) - ticks) / 100
        assert spent < 0.3 * (time.monotonic() - begun), f"{spent} s of CPU in a wait"
