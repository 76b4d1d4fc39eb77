"""RFC 9112 §7, RFC 9110 §6.5: chunks, their extensions, trailers, TE."""
import pytest

from support.conform import FINE, cut_request, cut_response, heard, passed, raw
from support.message import chunked, ok, request
from support.origin import replies, replies_forever
from support.shows import shows

CHUNKED = "Transfer-Encoding: chunked"
BEGIN = b"5\r\nhello\r\n"

JUNK = {
    "no size": b"\r\nhello\r\n0\r\n\r\n", "sign": b"+5\r\nhello\r\n0\r\n\r\n", "minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "prefix": b"0x5\r\nhello\r\n0\r\n\r\n", "space in front": b" 5\r\nhello\r\n0\r\n\r\n", "space behind": b"5 \r\nhello\r\n0\r\n\r\n",
    "letter": b"5g\r\nhello\r\n0\r\n\r\n", "comma": b"5,\r\nhello\r\n0\r\n\r\n", "NUL": b"5\0\r\nhello\r\n0\r\n\r\n",
    "no number": b"five\r\nhello\r\n0\r\n\r\n", "bare LF": b"5\nhello\r\n0\r\n\r\n", "bare CR": b"5\rhello\r\n0\r\n\r\n",
    "bare LF behind an extension": b"5;a\nhello\r\n0\r\n\r\n", "control in an extension": b"5;a\x01\r\nhello\r\n0\r\n\r\n",
    "longer than its size": b"4\r\nhello\r\n0\r\n\r\n", "shorter than its size": b"6\r\nhello\r\n0\r\n\r\n",
    "no CRLF behind": b"5\r\nhello0\r\n\r\n", "LF behind": b"5\r\nhello\n0\r\n\r\n",
    "2^63": b"8000000000000000\r\nhello", "2^64+5": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "many digits": b"F" * 30 + b"\r\nhello", "many zeros": b"0" * 30 + b"5\r\nhello\r\n0\r\n\r\n",
    "LF for the last CRLF": b"0\r\n\n", "trailer without colon": b"0\r\nX\r\n\r\n",
    "folded trailer": b"0\r\nX: a\r\n b\r\n\r\n", "NUL in a trailer": b"0\r\nX: a\0\r\n\r\n",
}


@shows("9112-7.1-2", "9110-2.3-1")
@pytest.mark.parametrize("name", JUNK)
def test_rfc9112_7_1_a_malformed_chunk_is_400(proxy, stage, name):
    """Sizes that overflow or carry junk, ends that are none: the client is told, the origin never sees a last chunk."""
    cut_request(proxy, stage, raw(CHUNKED, start="POST {url}/ HTTP/1.1", rest=BEGIN + JUNK[name]))


@shows("9112-7.1-2", "9112-8-1", "9112-6.3-8")
@pytest.mark.parametrize("name", JUNK)
def test_rfc9112_7_1_a_malformed_chunk_of_a_response_is_cut(proxy, stage, name):
    """What came before may pass; the end never does, and the connection is not used again."""
    got = cut_response(proxy, stage, ok(BEGIN + JUNK[name], CHUNKED, length=False))
    assert got.startswith((b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 502 "))


@shows("9112-7.1-1", "9112-6.1-1", "9112-7.1.1-1", "9110-5.6.3-3", "9110-5.6.3-4")
@pytest.mark.parametrize("body", [
    b"5;a\r\nhello\r\n0\r\n\r\n", b"5;a=b;c=\"d;e\"\r\nhello\r\n0;last\r\n\r\n", b"5 \t; a = b\r\nhello\r\n0 ;x\r\n\r\n",
    b"005\r\nhello\r\n000\r\n\r\n", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"0000000000000005\r\nhello\r\n0\r\n\r\n",
    b"5;" + b"a" * 4000 + b"\r\nhello\r\n0\r\n\r\n"])
def test_rfc9112_7_1_1_extensions_and_odd_sizes_are_read(proxy, stage, body):
    """Extensions are ignored and end here, also with white space before them; zeros before a size are a size."""
    for message in (passed(proxy, stage, CHUNKED, method="POST", body=body),
                    heard(proxy, stage, ok(body, CHUNKED, length=False))):
        assert message.body == b"hello" and b";" not in message.raw_body and b" " not in message.raw_body


@shows("9112-7.1.1-1")
@pytest.mark.parametrize("body", [b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n", b"1;aaaaaaaaaa\r\nx\r\n" * 8000 + b"0\r\n\r\n"],
                         ids=["one", "all"])
def test_rfc9112_7_1_1_extensions_are_bounded(proxy, stage, body):
    """4 KiB in a chunk, and over a body not much more than there is content."""
    cut_request(proxy, stage, raw(CHUNKED, start="POST {url}/ HTTP/1.1", rest=body))
    cut_response(proxy, stage, ok(body, CHUNKED, length=False))


@shows("9112-7.1-1")
def test_rfc9112_7_1_a_body_of_no_chunks_is_empty(proxy, stage):
    """The last chunk alone: the body is empty, and the next message follows, on both connections."""
    origin = stage.origin(replies(ok(chunked(), CHUNKED, length=False), FINE))
    with proxy.connect() as client:
        client.send(request("POST", origin.url + "/", CHUNKED, body=chunked()) + request("GET", origin.url + "/"))
        first, second = client.read_response("POST"), client.read_response()
    assert (first.body, second.body) == (b"", b"fine") and len(origin.connections) == 1
    assert origin.requests[0].framing == "chunked" and origin.requests[0].body == b""


FRAMING_TRAILERS = ["Content-Length: 5", "Transfer-Encoding: chunked", "Host: other.test", "content-length: 0"]


@shows("9110-6.5.1-2", "9112-7.1.2-2")
@pytest.mark.parametrize("line", FRAMING_TRAILERS)
def test_rfc9112_7_1_2_trailers_that_frame_or_route_are_refused(proxy, stage, line):
    """A trailer that names a field of framing or routing is an error, not a field to drop."""
    body = BEGIN + f"0\r\n{line}\r\n\r\n".encode()
    cut_request(proxy, stage, raw(CHUNKED, start="POST {url}/ HTTP/1.1", rest=body))
    cut_response(proxy, stage, ok(body, CHUNKED, length=False))


@shows("9112-7.1.2-1", "9112-7.1.2-2", "9110-6.5.1-1", "9110-6.5.1-2")
def test_rfc9112_7_1_2_trailers_stay_trailers(proxy, stage):
    """They pass behind the content, apart from the header fields; what must not be there is dropped."""
    trailers = ["X-Sum: 1", "Set-Cookie: a=b", "X-Sum: 2", "Cache-Control: no-store", "Content-Type: a/b", "Authorization: x"]
    body = chunked(b"hello", trailers=trailers)
    for message in (passed(proxy, stage, CHUNKED, method="POST", body=body),
                    heard(proxy, stage, ok(body, CHUNKED, length=False), "TE: trailers", "Connection: TE")):
        assert message.trailers == [("X-Sum", "1"), ("X-Sum", "2")] and message.body == b"hello"
        assert not message.has("X-Sum") and not message.has("Set-Cookie")


@shows("9112-5.1-1", "9112-5.1-2")
def test_rfc9112_5_1_white_space_before_a_colon_of_a_trailer(proxy, stage):
    """It is removed from a response, and refused in a request, as in heads."""
    body = BEGIN + b"0\r\nX-Sum \t: 1\r\n\r\n"
    cut_request(proxy, stage, raw(CHUNKED, start="POST {url}/ HTTP/1.1", rest=body))
    answer = heard(proxy, stage, ok(body, CHUNKED, length=False), "TE: trailers", "Connection: TE")
    assert answer.trailers == [("X-Sum", "1")] and answer.body == b"hello"


@shows("9112-7.1.2-1", "9112-6.1-9")
def test_rfc9112_7_1_2_trailers_are_dropped_where_there_can_be_none(proxy, stage):
    """To a client of HTTP/1.0 the body ends with the connection, and nothing stands behind it."""
    answer = heard(proxy, stage, ok(chunked(b"hello", trailers=["X-Sum: 1"]), CHUNKED, length=False), version="HTTP/1.0")
    assert answer.body == b"hello" and answer.framing == "close" and not answer.has("X-Sum")
    assert not answer.has("Transfer-Encoding")


@shows("9112-7.4-1", "9112-7.4-2", "9110-10.1.4-1", "9110-7.6.1-1", "9110-7.6.1-4")
@pytest.mark.parametrize("te, wanted", [("trailers", ["trailers"]), ("chunked, trailers;q=0.5, gzip", ["trailers"]),
                                        ("TRAILERS", ["trailers"]), ("chunked", []), ("gzip", []), ("", [])])
def test_rfc9112_7_4_te_says_trailers_or_nothing(proxy, stage, te, wanted):
    """Never chunked, nothing that we could not undo; and what is said is named in Connection."""
    got = passed(proxy, stage, f"TE: {te}", "Connection: TE")
    assert got.tokens("TE") == wanted and got.tokens("Connection") == (["te"] if wanted else [])


@shows("9112-9.2-2", "9112-6.3-13", "9110-9.3.2-1")
def test_rfc9112_9_2_content_behind_a_response_to_head_is_not_taken(proxy, stage):
    """An origin that answers HEAD with chunks and trailers: they reach nobody, and their connection is closed."""
    spoilt = ok(chunked(b"hello", trailers=["X-Sum: 1"]), CHUNKED, "Trailer: X-Sum", length=False)
    origin = stage.origin([replies(spoilt), replies_forever(FINE)])
    with proxy.connect() as client:
        head = client.ask(request("HEAD", origin.url + "/"))
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    assert head.status == 200 and head.body == b"" and len(origin.connections) == 2
