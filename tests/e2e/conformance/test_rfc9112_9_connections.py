"""RFC 9112 §9: which connections go on, and how they end."""
import socket

import pytest

from support.bounds import Cue, wait_until
from support.conform import FINE, heard, passed, raw, refused
from support.message import chunked, ok, request
from support.origin import replies, replies_forever
from support.shows import shows


@shows("9112-9.6-3", "9112-9.6-4", "9112-9.6-5", "9112-9.6-1")
@pytest.mark.parametrize("option", ["close", "Close", "keep-alive, CLOSE", "x,close ,y"])
def test_rfc9112_9_6_nothing_is_processed_behind_a_close(proxy, stage, option):
    """The answer says close, the connection ends, and a request that was sent behind it reaches nobody."""
    origin = stage.origin(replies_forever(FINE))
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/1", f"Connection: {option}") + request("GET", origin.url + "/2"))
        answer = client.read_response()
        client.expect_end("fin")
    assert answer.body == b"fine" and answer.tokens("Connection") == ["close"]
    assert [r.target for r in origin.requests] == ["/1"]


@shows("9112-9.6-6", "9112-9.6-7", "9112-9.6-1", "9112-9.3-4")
@pytest.mark.parametrize("start", ["POST {url}/ HTTP/1.1", "POST /here HTTP/1.1", "POST ftp://a/ HTTP/1.1",
                                   "POST http://10.0.0.1/ HTTP/1.1"])
@pytest.mark.parametrize("length", ["Content-Length: 99999", "Content-Length: 1x"])
def test_rfc9112_9_3_content_that_is_not_read_is_no_request(proxy, stage, start, length):
    """An answer of our own before the content has come says close, and what follows is not taken for a request."""
    origin = stage.origin([])
    line = "Expect: miracles"
    with proxy.connect() as client:
        client.send(raw(length, line, start=start)(origin) + request("GET", origin.url + "/smuggled"))
        answer = client.read_response()
        client.expect_end("fin")
    assert answer.status in (400, 403, 404, 417, 501) and answer.tokens("Connection") == ["close"]
    assert origin.connections == []


@shows("9112-9.3-1", "9112-9.5-3")
def test_rfc9112_9_3_answers_of_our_own_keep_the_connection(proxy, stage):
    """A refusal of policy or of an expectation is no reason to close."""
    with proxy.connect() as client:
        assert client.ask(request("GET", "http://10.0.0.1/")).status == 403
        assert client.ask(request("GET", "/nothing", host="x")).status == 404
        assert client.ask(request("GET", stage.origin([]).url + "/", "Expect: miracles")).status == 417
        assert client.ask(request("GET", stage.origin(replies(FINE)).url + "/")).body == b"fine"


@shows("9110-7.6.1-2", "9112-9.6-3")
@pytest.mark.parametrize("option", ["close, Host", "Host, Via, Content-Length, Date, close"])
def test_rfc9110_7_6_1_connection_cannot_take_the_host(proxy, stage, option):
    """Fields that route, frame or find loops stay although they are named; the rest of Connection holds."""
    origin = stage.origin(replies(FINE))
    with proxy.connect() as client:
        client.send(request("POST", origin.url + "/", f"Connection: {option}", "Via: 1.1 before", body=b"hello"))
        assert client.read_response("POST").body == b"fine"
        client.expect_end("fin")
    got = origin.requests[0]
    assert got.get("Host") == origin.authority and got.body == b"hello" and got.get("Via").startswith("1.1 before, ")


@shows("9110-7.6.1-2", "9110-7.6.1-3", "9110-7.6-1", "9110-5.1-1")
def test_rfc9110_7_6_1_what_connection_names_ends_here(proxy, stage):
    """In requests, responses and trailers; and fields of one connection also where nobody names them."""
    lines = ["Connection: X-Mine, keep-alive", "x-MINE: 1", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive",
             "X-Mine: 2", "HTTP2-Settings: AAMAAABkAAQAAP__", "Upgrade: h2c", "X-Stays: 3", "CONNECTION: x-also", "X-Also: 4"]
    body = chunked(b"a", trailers=["X-Mine: 5", "X-Stays: 6", "Keep-Alive: 7"])
    got = passed(proxy, stage, *lines, "Transfer-Encoding: chunked", method="POST", body=body)
    answer = heard(proxy, stage, ok(body, *lines, "Transfer-Encoding: chunked", length=False))
    for message in (got, answer):
        names = {name.lower() for name in message.names()}
        assert not names & {"x-mine", "keep-alive", "proxy-connection", "http2-settings", "upgrade", "x-also", "connection"}
        assert message.get("X-Stays") == "3" and message.trailers == [("X-Stays", "6")]


@shows("9110-7.6.1-2")
def test_rfc9110_7_6_1_the_number_of_names_is_bounded(proxy, stage):
    """32 unknown names are removed, 33 are refused: the work for each field stays small."""
    names = [f"X-{n}" for n in range(33)]
    got = passed(proxy, stage, "Connection: " + ", ".join(names[:32]), *[f"{name}: 1" for name in names])
    assert [name for name in got.names() if name.startswith("X-")] == ["X-32"]
    refused(proxy, stage, raw("Connection: " + ",".join(names)))


@shows("9112-9.3-6")
@pytest.mark.parametrize("line", ["X: y", "Connection: keep-alive", "Proxy-Connection: keep-alive", "Keep-Alive: timeout=60"])
def test_rfc9112_9_3_no_connection_is_kept_with_a_1_0_client(proxy, stage, line):
    """Whatever it asks for; the answer says close."""
    origin = stage.origin(replies(FINE))
    with proxy.connect() as client:
        answer = client.ask(request("GET", origin.url + "/", line, version="HTTP/1.0"))
        client.expect_end("fin")
    assert answer.body == b"fine" and answer.tokens("Connection") == ["close"]


@shows("9112-9.2-1", "9112-9.3.2-1", "9112-9.3-5")
def test_rfc9112_9_2_one_request_at_a_time_is_on_a_connection(proxy, stage):
    """Of two requests that came together the second goes out when the response to the first is whole."""
    cue, seen = Cue(), []

    def slow(conn):
        conn.read_request()
        conn.send(ok(b"", "Content-Length: 5", length=False) + b"he")
        cue.wait()
        seen.append(conn.buffer)
        conn.send(b"llo")
        conn.read_request()
        conn.send(FINE)
        conn.hold()

    origin = stage.origin([slow])
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/1") + request("GET", origin.url + "/2"))
        client.read_until(b"he")
        cue.give()
        client.read_until(b"llo")
        assert client.read_response().body == b"fine"
    assert seen == [b""] and len(origin.connections) == 1


@shows("9112-9.2-2", "9112-6.3-13")
@pytest.mark.parametrize("extra", [ok(b"poison"), b"\r\n", b"x"], ids=["response", "CRLF", "byte"])
def test_rfc9112_9_2_bytes_that_nobody_asked_for_end_a_connection(proxy, stage, extra):
    """Behind a response, at once: nobody gets them."""
    origin = stage.origin([replies(ok(b"first") + extra), replies(ok(b"second"))])
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"first"
        assert client.ask(request("GET", origin.url + "/")).body == b"second"


@shows("9112-9.6-8", "9112-9.3-5")
@pytest.mark.parametrize("option", ["close", "Close, x", "x, CLOSE"])
def test_rfc9112_9_6_a_close_of_the_origin_is_honoured(proxy, stage, option):
    """Its connection is closed by us, also where the origin leaves that to us; the client's goes on."""
    ended = []

    def script(conn):
        conn.read_request()
        conn.send(ok(b"fine", f"Connection: {option}"))
        ended.append(conn.read_to_end())

    origin = stage.origin([script, replies(FINE)])
    with proxy.connect() as client:
        for _ in range(2):
            answer = client.ask(request("GET", origin.url + "/"))
            assert answer.body == b"fine" and not answer.has("Connection")
    assert wait_until(lambda: ended, "the proxy to close the connection") == [b""]


@pytest.mark.without_faults  # close_notify
@shows("9112-9.7-1", "9112-9.8-3", "9112-9.8-5", "9112-9.6-1", "9112-9.6-6")
def test_rfc9112_9_8_tls_ends_with_a_closure_alert(stage, certs):
    """close_notify to the client, and to the origin, when a connection ends in order."""
    proxy = stage.proxy("--upstream-ca", certs.ca, tls=True)
    ends = []

    def script(conn):
        conn.read_request()
        conn.send(ok(b"fine", "Connection: close"))
        assert conn.read_to_end() == b""
        ends.append(conn.end)

    origin = stage.origin(script, tls=True)
    with proxy.connect(tls=certs.client_context()) as client:
        assert client.ask(request("GET", origin.url + "/", "Connection: close")).body == b"fine"
        client.expect_end("fin")
    assert wait_until(lambda: ends, "the proxy to close the connection") == ["fin"]


@pytest.mark.without_faults  # close_notify
@shows("9112-9.8-3", "9112-9.8-5", "9112-9.5-1")
def test_rfc9112_9_8_idle_connections_end_with_a_closure_alert(stage, certs):
    """Of clients that ask for nothing more, and of the pool."""
    proxy = stage.proxy("--upstream-ca", certs.ca, "--timeout", "keepalive=200ms", "--timeout", "upstream_keepalive=200ms", tls=True)
    ends = []

    def script(conn):
        conn.read_request()
        conn.send(FINE)
        assert conn.read_to_end() == b""
        ends.append(conn.end)

    origin = stage.origin(script, tls=True)
    with proxy.connect(tls=certs.client_context()) as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
        client.expect_end("fin")
    assert wait_until(lambda: ends, "the proxy to close the idle connection") == ["fin"]


@shows("9112-9.8-1", "9112-9.8-2")
@pytest.mark.parametrize("response", [ok(b"fine"), ok(chunked(b"fine"), "Transfer-Encoding: chunked", length=False)],
                         ids=["length", "chunked"])
def test_rfc9112_9_8_a_framed_response_is_complete_without_an_alert(stage, certs, response):
    """An origin that ends its TLS leg without close_notify behind a whole response: it counts, and the client goes on."""
    proxy = stage.proxy("--upstream-ca", certs.ca, "--workers", "1")

    def script(conn):
        conn.read_request()
        conn.send(response)
        conn.sock.shutdown(socket.SHUT_WR)
        conn.hold()

    origin = stage.origin(script, tls=True)
    with proxy.connect() as client:
        for _ in range(2):
            assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    assert [record.cause for record in proxy.records(2)] == [None, None]


@shows("9112-9.8-4")
def test_rfc9112_9_8_a_client_may_end_without_an_alert(stage, certs):
    """What it asked for before it ended its TLS leg without close_notify is answered."""
    proxy = stage.proxy(tls=True)
    origin = stage.origin(replies(FINE))
    with proxy.connect(tls=certs.client_context()) as client:
        client.send(request("GET", origin.url + "/"))
        client.sock.shutdown(socket.SHUT_WR)
        assert client.read_response().body == b"fine"
