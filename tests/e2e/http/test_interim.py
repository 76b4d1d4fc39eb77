"""100-continue, other interim responses, early final responses."""
import pytest

from support.bounds import Cue
from support.message import chunked, ok, request
from support.origin import replies
from support.shows import shows
from support.wire import Ended


@shows("9110-10.1.1-10", "9110-15.2-3")
def test_expect_and_100_pass_both_ways(proxy, stage):
    """The expectation reaches the origin, its 100 the client, then the body goes: RFC 9110 §10.1.1."""
    def waits(conn):
        head = conn.read_request_head()
        assert head.get("Expect") == "100-continue"
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert conn.read(4) == b"body"
        conn.send(ok(b"thanks"))
        conn.hold()

    origin = stage.origin(waits)
    with proxy.connect() as client:
        client.send(request("POST", origin.url + "/", "Expect: 100-continue", "Content-Length: 4"))
        assert client.read_head().status == 100
        client.send(b"body")
        assert client.read_response("POST").body == b"thanks"


@shows("9110-10.1.1-10")
def test_a_refused_expectation_saves_the_body(proxy, stage):
    """A final status instead of 100 reaches the client before any body: RFC 9110 §10.1.1."""
    def refuses(conn):
        conn.read_request_head()
        conn.send(ok(b"no", "Connection: close", status="413 Content Too Large"))
        conn.hold()

    origin = stage.origin(refuses)
    with proxy.connect() as client:
        client.send(request("POST", origin.url + "/", "Expect: 100-continue",
                            "Content-Length: 1000000"))
        got = client.read_response("POST")
    assert got.status == 413 and got.interim == []


def test_another_expectation_fails(proxy, stage):
    """An expectation other than 100-continue may be answered 417: RFC 9110 §10.1.1."""
    with proxy.connect() as client:
        got = client.ask(request("POST", "http://127.0.0.1:1/", "Expect: miracles",
                                 "Content-Length: 0"))
    assert got.status == 417


@shows("9110-15.2-3")
def test_103_passes(proxy, stage):
    """Early hints reach the client with their fields before the final response: RFC 8297, RFC 9110 §15.2."""
    passed = Cue()

    def hints(conn):
        conn.read_request()
        conn.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Two: 2\r\n\r\n")
        passed.wait()
        conn.send(ok(b"page"))
        conn.hold()

    origin = stage.origin(hints)
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        hint = client.read_head()
        passed.give()
        assert client.read_response().body == b"page"
    assert hint.status == 103 and hint.get("Link") == "</a.css>; rel=preload"
    record = proxy.record()
    assert record.mark("u_1xx") < record.mark("u_rx0")


def test_several_interim_responses_pass_in_order(proxy, stage):
    """Every 1xx but 101 is passed on: RFC 9110 §15.2."""
    origin = stage.origin(replies(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
                                  b"Link: <x>\r\n\r\nHTTP/1.1 199 Odd\r\n\r\n" + ok(b"page")))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/"))
    assert [i.status for i in got.interim] == [102, 103, 199] and got.body == b"page"


def test_a_1_0_client_gets_no_interim_response(proxy, stage):
    """RFC 9110 §15.2: 1xx is not sent to an HTTP/1.0 client."""
    origin = stage.origin(replies(b"HTTP/1.1 103 Early Hints\r\n\r\n" + ok(b"page")))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/", version="HTTP/1.0"))
    assert got.interim == [] and got.body == b"page"


@shows("9112-9.5-4", "9112-9.5-5")
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_an_early_response_reaches_the_client(proxy, stage, framing):
    """An answer before the end of the request is delivered: RFC 9112 §9.3, §9.5."""
    def answers_early(conn):
        conn.read_request_head()
        conn.send(ok(b"too big", "Connection: close", status="413 Content Too Large"))
        conn.half_close()
        conn.hold()

    origin = stage.origin(answers_early)
    fields = ["Content-Length: 1000000"] if framing == "length" else ["Transfer-Encoding: chunked"]
    with proxy.connect() as client:
        client.send(request("POST", origin.url + "/", *fields) +
                    (b"part" if framing == "length" else b"4\r\npart\r\n"))
        got = client.read_response("POST")
    assert (got.status, got.body) == (413, b"too big")


@shows("9110-7.5-1")
def test_the_upload_goes_on_after_an_early_response(proxy, stage):
    """After an early 200 the upload goes on and the next request works, or the answer said close: RFC 9112 §9.3."""
    def answers_early(conn):
        head = conn.read_request_head()
        conn.send(ok(b"early"))
        try:
            conn.read(int(head.get("Content-Length")))
        except Ended:
            return
        conn.read_request()
        conn.send(ok(b"next"))
        conn.hold()

    origin = stage.origin([answers_early, replies(ok(b"next"))])
    with proxy.connect() as client:
        client.send(request("POST", origin.url + "/", "Content-Length: 200000") + b"x" * 1000)
        early = client.read_response("POST")
        assert early.body == b"early"
        if "close" not in early.tokens("Connection"):
            client.send(b"x" * 199000)
            client.send(request("GET", origin.url + "/"))
            assert client.read_response().body == b"next"


def test_expect_towards_a_1_0_origin(proxy, stage):
    """An origin known to be HTTP/1.0 is not waited for: RFC 9110 §10.1.1. The client gets its 100 or the answer."""
    old = ok(b"one", "Connection: keep-alive", version="HTTP/1.0")
    origin = stage.origin(lambda conn: serve_old(conn, old))
    with proxy.connect() as client:
        client.ask(request("GET", origin.url + "/"))
        client.send(request("POST", origin.url + "/", "Expect: 100-continue", "Content-Length: 4"))
        first = client.read_head()
        if first.status == 100:
            client.send(b"body")
            first = client.read_response("POST")
    assert first.status in (200, 417)


def serve_old(conn, response):
    while conn.buffer or conn.fill(3600):
        conn.read_request()
        conn.send(response)


def test_a_trailer_section_needs_no_trailer_field(proxy, stage):
    """Trailers without announcement pass: RFC 9110 §6.6.2 is a SHOULD."""
    origin = stage.origin(replies(ok(chunked(b"a", trailers=["X-Late: 1"]),
                                     "Transfer-Encoding: chunked", length=False)))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/", "TE: trailers", "Connection: TE"))
    assert got.trailers == [("X-Late", "1")]


@shows("9110-6.5.1-1", "9110-7.6.1-2")
def test_trailers_of_connection_and_framing_do_not_pass(proxy, stage):
    """What Connection names, and fields about routing, are dropped from trailers: RFC 9110 §6.5.1, §7.6.1."""
    trailers = ["X-Late: 1", "X-Mine: 2", "Via: 1.1 other", "Proxy-Authenticate: Basic", "X-Also: 3"]
    origin = stage.origin(replies(ok(chunked(b"a", trailers=trailers), "Transfer-Encoding: chunked",
                                     "Connection: x-mine", length=False)))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/", "TE: trailers", "Connection: TE"))
    assert got.trailers == [("X-Late", "1"), ("X-Also", "3")]


def test_trailers_of_a_request_pass_by_the_same_rule(proxy, stage):
    """RFC 9110 §6.5: a request may have trailers as well."""
    origin = stage.origin(replies(ok(b"")))
    body = chunked(b"body", trailers=["X-Sum: 9", "X-Mine: 2"])
    with proxy.connect() as client:
        client.ask(request("POST", origin.url + "/", "Transfer-Encoding: chunked", "Connection: x-mine",
                           body=body))
    assert origin.requests[0].trailers == [("X-Sum", "9")]
