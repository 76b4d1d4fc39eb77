"""RFC 9112 §6 and §8, RFC 9110 §8.6: how long a message is. What two readers could frame differently is refused."""
import pytest

from support.bounds import Cue
from support.conform import FINE, heard, passed, raw, refused, refused_response
from support.message import chunked, ok, request
from support.origin import replies, replies_and_closes, replies_forever
from support.shows import shows

OK = b"HTTP/1.1 200 OK\r\n"


@shows("9112-6.1-10", "9112-6.2-1", "9112-6.3-2")
@pytest.mark.parametrize("lines", [
    ["Content-Length: 5", "Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked", "Content-Length: 5"],
    ["Content-Length: 0", "Transfer-Encoding: chunked"], ["Content-Length: 5", "Transfer-Encoding: gzip"],
    ["Content-Length: 5", "transfer-ENCODING: identity"], ["Content-Length: 5", "X: y", "Transfer-Encoding: chunked"]])
def test_rfc9112_6_1_both_framings_are_400(proxy, stage, lines):
    """Content-Length and Transfer-Encoding, in either order and whatever they say."""
    refused(proxy, stage, raw(*lines, start="POST {url}/ HTTP/1.1", rest=b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n"))


BAD_LENGTHS = ["", "+5", "-5", "5 5", "0x5", "5.0", "\"5\"", "5,", ",5", "5, 6", "5;a", "a", "5a", "\xb5", "1e1",
               "9223372036854775808", "18446744073709551621", "9" * 100]


@shows("9112-6.3-4", "9112-6.3-5", "9110-8.6-8", "9110-8.6-10")
@pytest.mark.parametrize("value", BAD_LENGTHS)
def test_rfc9112_6_3_a_malformed_length_is_400(proxy, stage, value):
    """No sign, blank, fraction, unit; no list of different values; no number that does not fit."""
    refused(proxy, stage, raw(f"Content-Length: {value}", start="POST {url}/ HTTP/1.1", rest=b"hello"))


@shows("9112-6.3-4", "9112-6.3-6", "9110-8.6-8", "9110-8.6-10")
@pytest.mark.parametrize("value", BAD_LENGTHS)
def test_rfc9112_6_3_a_malformed_length_of_a_response_is_502(proxy, stage, value):
    """The same from an origin; its connection is closed, the client's goes on."""
    refused_response(proxy, stage, OK + f"Content-Length: {value}\r\n\r\nhello".encode("latin-1"))


@shows("9112-6.3-4", "9112-6.3-5", "9112-6.3-6")
@pytest.mark.parametrize("lines", [["Content-Length: 5", "Content-Length: 6"], ["Content-Length: 5, 5", "content-length: 6"],
                                   ["Content-Length: 0", "X: y", "Content-Length: 5"], ["Content-Length: 5", "Content-Length:"]])
def test_rfc9112_6_3_lengths_that_differ_are_refused(proxy, stage, lines):
    """In several lines, from either side."""
    refused(proxy, stage, raw(*lines, start="POST {url}/ HTTP/1.1", rest=b"hello"))
    refused_response(proxy, stage, OK + "\r\n".join([*lines, "", "hello"]).encode())


@shows("9112-6.3-4", "9110-8.6-9", "9110-8.6-10", "9110-5.3-2")
@pytest.mark.parametrize("lines", [["Content-Length: 5, 5"], ["Content-Length: 5", "Content-Length: 5"],
                                   ["Content-Length: 005"], ["content-LENGTH:\t5 "]])
def test_rfc9112_6_3_equal_lengths_are_one(proxy, stage, lines):
    """A value that is repeated, in one line or several, frames and goes on as one number."""
    got = passed(proxy, stage, *lines, method="POST", body=b"hello")
    assert got.values("Content-Length") == ["5"] and got.body == b"hello"
    answer = heard(proxy, stage, ok(b"hello", *lines, length=False))
    assert answer.values("Content-Length") == ["5"] and answer.body == b"hello"


@shows("9110-8.6-10", "9110-8.6-3", "9110-8.6-4", "9110-9.3.2-1", "9110-6-1")
@pytest.mark.parametrize("method, status", [("HEAD", "200 OK"), ("GET", "304 Not Modified")])
@pytest.mark.parametrize("lines", [["Content-Length: 7, 7"], ["Content-Length: 7", "content-length: 7"], ["Content-Length: 7"]])
def test_rfc9110_8_6_a_length_without_content_is_one_number(proxy, stage, method, status, lines):
    """Of HEAD and 304 it tells of another response: it passes, once."""
    origin = stage.origin(replies(ok(b"", *lines, status=status, length=False), FINE))
    with proxy.connect() as client:
        answer = client.ask(request(method, origin.url + "/"))
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    assert answer.values("Content-Length") == ["7"] and len(origin.connections) == 1


@shows("9112-6.1-5", "9110-8.6-5")
@pytest.mark.parametrize("line", ["Content-Length: 0", "Content-Length: 5", "Transfer-Encoding: chunked"])
def test_rfc9110_8_6_no_framing_in_204_and_interim(proxy, stage, line):
    """Neither field goes on, no content is waited for, and the connection is kept."""
    origin = stage.origin(replies(
        f"HTTP/1.1 103 Early Hints\r\n{line}\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n{line}\r\nX: y\r\n\r\n".encode(), FINE))
    with proxy.connect() as client:
        answer = client.ask(request("GET", origin.url + "/"))
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    assert answer.status == 204 and answer.get("X") == "y" and answer.interim[0].has("Link")
    for head in (answer, answer.interim[0]):
        assert not head.has("Content-Length") and not head.has("Transfer-Encoding")
    assert len(origin.connections) == 1


@shows("9112-6.1-2", "9112-6.3-3", "9112-7.1-3", "9112-7.2-1")
@pytest.mark.parametrize("coding", [
    "chunked, chunked", "chunked, identity", "chunked, gzip", "identity", "gzip", "gzip, identity", "xchunked",
    "chunked;a=b", "chunked;", "gzip;q=1", "\"chunked\"", "chu nked", "chunked \x80", "", ",", "chunked, x/y"])
def test_rfc9112_6_3_codings_that_do_not_end_in_chunked_are_400(proxy, stage, coding):
    """And those that are malformed, repeated or have parameters."""
    refused(proxy, stage, raw(f"Transfer-Encoding: {coding}", start="POST {url}/ HTTP/1.1", rest=b"0\r\n\r\n"))


@shows("9112-6.1-2", "9112-6.3-3")
@pytest.mark.parametrize("second", ["chunked", "identity", "gzip"])
def test_rfc9112_6_3_codings_in_two_lines_are_one_list(proxy, stage, second):
    """What the second line says stands behind the first."""
    refused(proxy, stage, raw("Transfer-Encoding: chunked", f"Transfer-Encoding: {second}", start="POST {url}/ HTTP/1.1"))


@shows("9112-6.1-7")
@pytest.mark.parametrize("coding", ["gzip, chunked", "identity, chunked", "x-own, chunked", "gzip;q=1, chunked", "deflate, gzip,chunked"])
def test_rfc9112_6_1_another_coding_in_front_of_chunked_is_501(proxy, stage, coding):
    """It could be framed, and not be undone."""
    refused(proxy, stage, raw(f"Transfer-Encoding: {coding}", start="POST {url}/ HTTP/1.1", rest=b"0\r\n\r\n"), 501)


@shows("9112-6.1-11")
@pytest.mark.parametrize("lines", [["Transfer-Encoding: chunked"], ["Transfer-Encoding: identity"],
                                   ["Content-Length: 5", "Transfer-Encoding: chunked"]])
def test_rfc9112_6_1_a_coding_in_1_0_is_faulty(proxy, stage, lines):
    """From a client and from an origin, also beside a length."""
    refused(proxy, stage, raw(*lines, start="POST {url}/ HTTP/1.0", rest=b"0\r\n\r\n"))
    refused_response(proxy, stage, "\r\n".join(["HTTP/1.0 200 OK", *lines, "", "0\r\n\r\n"]).encode())


@shows("9112-6.2-1", "9112-6.3-2", "9112-6.1-2", "9112-7.1-3", "9112-7.2-1", "9209-2.1.1-1")
@pytest.mark.parametrize("lines", [
    ["Content-Length: 5", "Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked", "Content-Length: 0"],
    ["Content-Length: 5", "Transfer-Encoding: identity"], ["Transfer-Encoding: chunked, chunked"],
    ["Transfer-Encoding: gzip, chunked"], ["Transfer-Encoding: identity, chunked"], ["Transfer-Encoding: gzip, identity"],
    ["Transfer-Encoding: chunked, gzip"], ["Transfer-Encoding: chunked;a=b"], ["Transfer-Encoding:"],
    ['Transfer-Encoding: foo;a="x, chunked'], ["Transfer-Encoding: foo;; ;"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]], ids=", ".join)
def test_rfc9112_6_3_an_ambiguous_response_is_502(proxy, stage, lines):
    """Two framings, codings that are malformed, repeated or not ours: the client gets none of it, and the connection
    is not used again."""
    refused_response(proxy, stage, OK + "\r\n".join([*lines, "", "0\r\n\r\n"]).encode())


@shows("9209-2.1.1-1")
def test_rfc9209_2_1_1_a_coding_that_is_not_ours_has_its_own_error(proxy, stage):
    """Proxy-Status says http_response_transfer_coding."""
    got = refused_response(proxy, stage, OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")
    assert "error=http_response_transfer_coding" in got.get("Proxy-Status")


@shows("9112-6.3-9", "9112-6.1-4")
@pytest.mark.parametrize("lines", [[], ["Transfer-Encoding: identity"]], ids=["no framing", "identity"])
def test_rfc9112_6_3_a_response_without_length_is_read_to_the_end(proxy, stage, lines):
    """Its end is that of the connection, for identity as well; the client of HTTP/1.1 gets it chunked and stays."""
    origin = stage.origin([replies_and_closes(ok(b"to the end", *lines, length=False)), replies_forever(FINE)])
    with proxy.connect() as client:
        answer = client.ask(request("GET", origin.url + "/"))
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    assert answer.body == b"to the end" and answer.tokens("Transfer-Encoding") == ["chunked"]


@shows("9112-6.1-4", "9112-7.2-1")
@pytest.mark.parametrize("coding", ["gzip", "x-own;a=b", "deflate, gzip"])
def test_rfc9112_6_1_other_codings_are_read_to_the_end_and_stay(proxy, stage, coding):
    """The content goes on as it is coded, and says so: chunked is put on top. A client of HTTP/1.0 gets 502."""
    script = replies_and_closes(ok(b"coded", f"Transfer-Encoding: {coding}", length=False))
    origin = stage.origin([script, replies_and_closes(FINE), script])
    with proxy.connect() as client:
        answer = client.ask(request("GET", origin.url + "/"))
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    assert answer.body == b"coded" and ", ".join(answer.values("Transfer-Encoding")) == f"{coding}, chunked"
    with proxy.connect() as client:
        answer = client.ask(request("GET", origin.url + "/", version="HTTP/1.0"))
    assert answer.status == 502 and "http_response_transfer_coding" in answer.get("Proxy-Status")


@shows("9110-9.3.6-2")
@pytest.mark.parametrize("lines, rest", [
    (["Transfer-Encoding: chunked"], b"0\r\n\r\n"), (["Content-Length: 5"], b"hello"), (["Transfer-Encoding: identity"], b""),
    (["Content-Length: 0", "Transfer-Encoding: chunked"], b"0\r\n\r\n"), (["Content-Length: x"], b""),
    (["Content-Length: 0", "Content-Length: 1"], b"a")])
def test_rfc9110_9_3_6_connect_with_content_is_400(proxy, stage, lines, rest):
    """Its bytes would be content to one reader and the tunnel's to another."""
    refused(proxy, stage, raw(*lines, start="CONNECT {authority} HTTP/1.1", rest=rest))


@shows("9112-6.1-3", "9112-6.3-10", "9112-6.1-1", "9112-7.1-1")
@pytest.mark.parametrize("fields, body, framing", [
    (["Content-Length: 5"], b"hello", "length"), (["Content-Length: 0"], b"", "length"),
    (["Transfer-Encoding: chunked"], chunked(b"hel", b"lo"), "chunked"), (["Transfer-Encoding: CHUNKED"], chunked(), "chunked"),
    ([], b"", "none")])
def test_rfc9112_6_3_requests_keep_their_framing(proxy, stage, fields, body, framing):
    """A length stays a length, chunks stay chunks, and nothing stays nothing."""
    got = passed(proxy, stage, *fields, method="PUT", body=body)
    assert got.framing == framing and got.has("Content-Length") == (framing == "length")
    assert got.values("Transfer-Encoding") == (["chunked"] if framing == "chunked" else [])
    assert got.body == (b"hello" if b"l" in body else b"")


@shows("9112-6.1-8", "9112-6.3-12")
def test_rfc9112_6_1_an_origin_of_1_0_gets_no_chunks(stage):
    """Once an origin has answered in HTTP/1.0, a chunked request to it is 411; one with a length passes."""
    proxy = stage.proxy("--workers", "1")
    origin = stage.origin(replies_forever(ok(b"old", "Connection: keep-alive", version="HTTP/1.0")))
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"old"
        assert client.ask(request("PUT", origin.url + "/", body=b"hello")).body == b"old"
        client.send(request("PUT", origin.url + "/", "Transfer-Encoding: chunked", body=chunked(b"hello")))
        assert client.read_response().status == 411
    assert len(origin.requests) == 2


@shows("9110-8.6-8", "9112-6.3-8")
def test_rfc9110_8_6_the_largest_length_is_a_length(proxy, stage):
    """2^63-1 does not overflow: the body begins, and is visibly cut."""
    origin = stage.origin(replies_and_closes(ok(b"begin", "Content-Length: 9223372036854775807", length=False)))
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        assert client.read_head().get("Content-Length") == "9223372036854775807"
        assert client.read_to_end() == b"begin"


@shows("9112-6.3-8", "9112-8-1")
@pytest.mark.parametrize("version, wanted", [("HTTP/1.1", b"4\r\nhalf\r\n"), ("HTTP/1.0", b"half")])
def test_rfc9112_8_a_reset_is_no_end_of_a_body(stage, version, wanted):
    """A body that ends with its connection, and is ended by a reset: no last chunk for one client, a reset for the other."""
    proxy = stage.proxy()
    cue = Cue()

    def resets(conn):
        conn.read_request()
        conn.send(ok(b"half", length=False))
        cue.wait()
        conn.reset()

    origin = stage.origin(resets)
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/", version=version))
        head = client.read_head()
        body = client.read(len(wanted))
        cue.give()
        assert (head.status, body + client.read_to_end()) == (200, wanted)
        assert version == "HTTP/1.1" or client.end == "rst"
    record = proxy.record()
    assert (record.end, record.ended_by, record.cause) == ("rst", "upstream", "response_cut")
