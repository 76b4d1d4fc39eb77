"""Bodies in both directions, and how they are framed."""
import hashlib
import os

import pytest

from support.bounds import Cue
from support.message import chunked, ok, request
from support.origin import replies, replies_and_closes
from support.shows import shows

BIG = 3_000_000


@shows("9112-7.1-1", "9112-7.1.2-1")
def test_a_chunked_request_passes_with_trailers(proxy, stage):
    """A chunked body reaches the origin whole, trailer fields too: RFC 9112 §7.1."""
    origin = stage.origin(replies(ok(b"done")))
    body = chunked(b"one", b"two" * 1000, b"x", trailers=["X-Sum: 1", "x-Other: b"])
    with proxy.connect() as client:
        answer = client.ask(request("POST", origin.url + "/", "Transfer-Encoding: chunked",
                                    "Trailer: X-Sum") + body)
    got = origin.requests[0]
    assert answer.body == b"done" and got.framing == "chunked"
    assert got.body == b"one" + b"two" * 1000 + b"x"
    assert got.trailers == [("X-Sum", "1"), ("x-Other", "b")]
    assert not got.has("Content-Length")


@shows("9112-7.1-1", "9112-7.1.2-1")
def test_a_chunked_response_passes_with_trailers(proxy, stage):
    """RFC 9112 §7.1.2: to a client that says TE: trailers, trailer fields are kept."""
    body = chunked(b"one", b"two", trailers=["X-Sum: 1"])
    origin = stage.origin(replies(ok(body, "Transfer-Encoding: chunked", "Trailer: X-Sum",
                                     length=False)))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/", "TE: trailers", "Connection: TE"))
    assert got.body == b"onetwo" and got.trailers == [("X-Sum", "1")]
    assert got.get("Trailer") == "X-Sum"


def test_chunk_extensions_end_here(proxy, stage):
    """Chunk extensions are removed or ignored: RFC 9112 §7.1.1."""
    origin = stage.origin(replies(ok(b"5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n",
                                     "Transfer-Encoding: chunked", length=False)))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/"))
    assert got.body == b"hello" and b";" not in got.raw_body


@shows("9112-7.1-1")
def test_bodies_pass_as_they_come(proxy, stage):
    """A chunk is delivered while the rest is still to come: no buffering of whole bodies."""
    seen = Cue()

    def drips(conn):
        conn.read_request()
        conn.send(ok(b"", "Transfer-Encoding: chunked", length=False))
        for part in (b"first", b"second", b"third"):
            conn.send(b"%x\r\n%s\r\n" % (len(part), part))
            seen.wait()
        conn.send(b"0\r\n\r\n")
        conn.hold()

    origin = stage.origin(drips)
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        client.read_head()
        for part in (b"first", b"second", b"third"):
            client.read_until(part)
            seen.give()
        client.read_until(b"0\r\n\r\n")


def test_a_request_body_passes_as_it_comes(proxy, stage):
    """The origin gets the first part of a request before the client sends the second."""
    seen = Cue()

    def reads(conn):
        conn.read_request_head()
        conn.read_until(b"first")
        seen.give()
        conn.read_until(b"second")
        conn.send(ok(b"got"))
        conn.hold()

    origin = stage.origin(reads)
    with proxy.connect() as client:
        client.send(request("POST", origin.url + "/", "Content-Length: 11") + b"first")
        seen.wait()
        client.send(b"second")
        assert client.read_response("POST").body == b"got"


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_large_response_is_whole(proxy, stage, framing):
    """3 MB arrive with the same hash, whatever the framing."""
    blob = os.urandom(BIG)
    response = {"length": ok(blob),
                "chunked": ok(chunked(blob[:1_000_001], blob[1_000_001:]),
                              "Transfer-Encoding: chunked", length=False),
                "close": ok(blob, length=False)}[framing]
    script = replies_and_closes(response) if framing == "close" else replies(response)
    origin = stage.origin(script)
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/"), 30)
    assert hashlib.sha256(got.body).digest() == hashlib.sha256(blob).digest()


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_request_is_whole(proxy, stage, framing):
    """3 MB reach the origin with the same hash."""
    blob = os.urandom(BIG)
    origin = stage.origin(replies(ok(b"thanks")))
    data = request("PUT", origin.url + "/", body=blob) if framing == "length" else \
        request("PUT", origin.url + "/", "Transfer-Encoding: chunked") + chunked(blob[:7], blob[7:])
    with proxy.connect() as client:
        client.send(data, 30)
        assert client.read_response("PUT", 30).body == b"thanks"
    assert hashlib.sha256(origin.requests[0].body).digest() == hashlib.sha256(blob).digest()


@shows("9112-7.1-1", "9112-6.1-1")
def test_single_bytes_are_enough(proxy, stage):
    """Request and response one byte at a time: framing does not depend on segments."""
    response = ok(chunked(b"hello", b" world", trailers=["X-T: 1"]), "Transfer-Encoding: chunked",
                  length=False)

    def drips(conn):
        conn.read_request()
        for i in range(len(response)):
            conn.send(response[i:i + 1])
        conn.hold()

    origin = stage.origin(drips)
    data = request("POST", origin.url + "/p?q", "Transfer-Encoding: chunked", "TE: trailers") + \
        chunked(b"abc", b"defg", trailers=["X-R: 2"])
    with proxy.connect() as client:
        for i in range(len(data)):
            client.send(data[i:i + 1])
        got = client.read_response("POST")
    assert got.body == b"hello world"
    assert origin.requests[0].body == b"abcdefg" and origin.requests[0].trailers == [("X-R", "2")]


def test_a_repeated_equal_length_is_one_length(proxy, stage):
    """Content-Length lines with one value are sent on as one: RFC 9110 §8.6."""
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        got = client.ask(request("POST", origin.url + "/", "Content-Length: 2",
                                 "Content-Length: 2") + b"hi")
    assert got.status == 200
    assert origin.requests[0].values("Content-Length") == ["2"]


def test_a_post_without_body_says_so(proxy, stage):
    """Content-Length: 0 of a POST is forwarded: RFC 9110 §8.6."""
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        client.ask(request("POST", origin.url + "/", "Content-Length: 0"))
    assert origin.requests[0].values("Content-Length") == ["0"]


@shows("9112-6.3-8", "9112-8-1")
def test_a_body_cut_short_by_length_is_visible(proxy, stage):
    """The client gets fewer bytes than Content-Length and the end: RFC 9112 §8."""
    origin = stage.origin(replies_and_closes(ok(b"half", "Content-Length: 10", length=False)))
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        head = client.read_head()
        rest = client.read_to_end()
    assert head.get("Content-Length") == "10" and rest == b"half"
    record = proxy.record()
    assert record.end != "done" and record.ended_by == "upstream"
    assert record.bytes["client_out"] == client.received


@shows("9112-6.3-8", "9112-8-1")
def test_a_chunked_body_cut_short_is_visible(proxy, stage):
    """The last chunk is never made up: RFC 9112 §8."""
    origin = stage.origin(replies_and_closes(
        ok(b"4\r\nhalf\r\n", "Transfer-Encoding: chunked", length=False)))
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        head = client.read_head()
        rest = client.read_to_end() if head.status == 200 else b"half"
    assert b"half" in rest and b"0\r\n\r\n" not in rest
    assert head.status in (200, 502)
    assert proxy.record().end != "done"


def test_a_malformed_chunk_is_the_origins_fault(proxy, stage):
    """Nobody reset the connection, and the record does not say so."""
    origin = stage.origin(replies(ok(b"3\r\nabc\r\nzz\r\n", "Transfer-Encoding: chunked", length=False)))
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        client.read_to_end()
        got = client.received
    record = proxy.record()
    assert (record.end, record.ended_by, record.cause) == ("error", "upstream", "bad_response")
    assert "chunk size" in record.detail and record.bytes["client_out"] == got


@shows("9112-6.3-8", "9112-8-1")
def test_a_body_cut_by_a_reset_is_visible(proxy, stage):
    """A reset of the origin in the middle of a body never looks like a complete response."""
    seen = Cue()

    def resets(conn):
        conn.read_request()
        conn.send(ok(b"half", "Content-Length: 10", length=False))
        seen.wait()
        conn.reset()

    origin = stage.origin(resets)
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        client.read_until(b"half")
        seen.give()
        assert client.read_to_end() == b""
    assert proxy.record().end == "rst"


@shows("9112-6.3-8")
def test_a_request_cut_short_never_looks_whole(proxy, stage):
    """When the client goes away in its body, the origin sees an end before the length: RFC 9112 §8."""
    got, ended = [], Cue()

    def reads(conn):
        conn.read_request_head()
        got.append(conn.read_to_end())
        ended.give()

    origin = stage.origin(reads)
    with proxy.connect() as client:
        client.send(request("POST", origin.url + "/", "Content-Length: 10") + b"half")
        origin.wait_requests(1)
        client.reset()
    ended.wait()
    assert got == [b"half"] or got == [b""]
    assert proxy.record().ended_by == "client"
