"""RFC 9112 §2: what is a message, and whose version it carries."""
import pytest

from support.conform import FINE, heard, passed, raw, refused, refused_response
from support.message import ok, request
from support.origin import replies
from support.shows import shows

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"


@shows("9112-2.2-1", "9110-5.5-3", "9112-4-1")
def test_rfc9112_2_2_heads_and_bodies_are_bytes(proxy, stage):
    """Bytes beyond ASCII pass as they came: in values, in a reason phrase, in bodies."""
    odd = "caf\xe9 \xc3\xa9 \x80\xff"
    got = passed(proxy, stage, f"X-Odd: {odd}", method="POST", body=bytes(range(256)))
    assert got.get("X-Odd") == odd and got.body == bytes(range(256))
    answer = heard(proxy, stage, ok(bytes(range(256)), f"X-Odd: {odd}", status=f"200 {odd}"))
    assert (answer.get("X-Odd"), answer.reason, answer.body) == (odd, odd, bytes(range(256)))


@shows("9112-2.2-3", "9110-5.5-4", "9112-2.2-9")
@pytest.mark.parametrize("data", [
    raw("X: a\rb"), raw("X: a\r"), raw("X\r: a"), raw("\rX: a"),
    raw(start="GET {url}/\r HTTP/1.1"), raw(start="GET {url}/ HTTP/1.1\r"), raw(start="\rGET {url}/ HTTP/1.1")])
def test_rfc9112_2_2_a_bare_cr_is_refused(proxy, stage, data):
    """A carriage return that ends no line, wherever it stands."""
    refused(proxy, stage, data)


@shows("9112-2.2-3", "9110-5.5-4", "9112-6.3-6")
@pytest.mark.parametrize("response", [
    HEAD + b"X: a\rb\r\n\r\n", HEAD + b"X\r: a\r\n\r\n", HEAD + b"\rX: a\r\n\r\n",
    b"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200\r OK\r\n\r\n"])
def test_rfc9112_2_2_a_bare_cr_in_a_response_is_502(proxy, stage, response):
    """The same from an origin."""
    refused_response(proxy, stage, response)


@shows("9112-2.2-9")
@pytest.mark.parametrize("data", [
    raw(start="GET {url}/ HTTP/1.1\n"), raw("X: a\nY: b"), raw("X: a\n\nGET {url}/ HTTP/1.1"),
    raw(rest=b"", start="\nGET {url}/ HTTP/1.1"), b"GET http://127.0.0.1:9/ HTTP/1.1\nHost: x\n\n",
    b"GET http://127.0.0.1:9/ HTTP/1.1\r\nHost: x\r\n\n"])
def test_rfc9112_2_2_a_bare_lf_is_refused(proxy, stage, data):
    """A line feed alone may be taken for a line's end (§2.2): it is not, since others read it as part of the line."""
    refused(proxy, stage, data)


@shows("9110-5.5-4")
@pytest.mark.parametrize("response", [
    HEAD + b"X: a\nY: b\r\n\r\n", HEAD + b"X: a\r\n\n", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"])
def test_rfc9110_5_5_a_bare_lf_in_a_response_is_502(proxy, stage, response):
    """The same from an origin."""
    refused_response(proxy, stage, response)


@shows("9110-5.5-4", "9112-2.2-9")
@pytest.mark.parametrize("byte", [b"\0", b"\x01", b"\x0b", b"\x1b", b"\x7f"], ids=lambda byte: byte.hex())
def test_rfc9110_5_5_control_bytes_are_refused(proxy, stage, byte):
    """NUL and the other controls in a value, from either side."""
    refused(proxy, stage, raw(b"X: a" + byte + b"b"))
    refused_response(proxy, stage, HEAD + b"X: a" + byte + b"b\r\n\r\n")


@shows("9112-2.2-6")
@pytest.mark.parametrize("count", [1, 2])
def test_rfc9112_2_2_empty_lines_before_a_request_are_ignored(proxy, stage, count):
    """Two at most; also behind the content of a request before."""
    origin = stage.origin(replies(FINE, FINE))
    with proxy.connect() as client:
        for _ in range(2):
            client.send(b"\r\n" * count + request("POST", origin.url + "/", body=b"content"))
            assert client.read_response("POST").body == b"fine"


@shows("9112-2.2-9")
def test_rfc9112_2_2_more_empty_lines_are_refused(proxy, stage):
    """A third empty line is no robustness any more."""
    refused(proxy, stage, raw(start="\r\n\r\n\r\nGET {url}/ HTTP/1.1"))


@shows("9112-2.2-8", "9112-2.2-9")
@pytest.mark.parametrize("blank", [" ", "\t", "   "])
def test_rfc9112_2_2_white_space_before_the_first_field(proxy, stage, blank):
    """Neither skipped nor taken for a field, from either side."""
    refused(proxy, stage, raw(f"{blank}X: a", host=False, rest=b""))
    refused(proxy, stage, raw(start="GET {url}/ HTTP/1.1\r\n" + blank))
    refused_response(proxy, stage, f"HTTP/1.1 200 OK\r\n{blank}X: a\r\nContent-Length: 0\r\n\r\n".encode())


@shows("9112-2.2-9", "9112-3.2-1", "9110-2.3-1")
@pytest.mark.parametrize("data", [
    b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n", b"{\"json\": true}\r\n\r\n", b"\xff\xf4\xff\xfd\x06\r\n"],
    ids=["text", "tls", "response", "ssh", "json", "telnet"])
def test_rfc9112_2_2_what_is_no_request_is_400(proxy, stage, data):
    """Bytes that do not match the grammar are answered, and the connection ends."""
    refused(proxy, stage, data)


@shows("9112-2.3-1", "9112-2.3-2", "9110-6.2-1", "9110-6.2-2", "9110-6.2-3", "9110-6.2-4", "9110-6.2-5")
@pytest.mark.parametrize("client", ["HTTP/1.0", "HTTP/1.1", "HTTP/1.2"])
@pytest.mark.parametrize("server", ["HTTP/1.0", "HTTP/1.1", "HTTP/1.9"])
def test_rfc9112_2_3_our_own_version_is_sent(proxy, stage, client, server):
    """HTTP/1.1 on both sides, whatever the others speak; a higher minor version is taken as 1.1."""
    origin = stage.origin(replies(ok(b"fine", version=server)))
    with proxy.connect() as wire:
        answer = wire.ask(request("GET", origin.url + "/", "User-Agent: old/0.1", version=client))
    assert (answer.status, answer.version, answer.body) == (200, "HTTP/1.1", b"fine")
    assert origin.requests[0].version == "HTTP/1.1"


@shows("9112-2.2-7", "9112-2.2-2", "9112-5.2-1", "9110-2.2-2", "9110-5.6.3-1")
def test_rfc9112_2_2_heads_are_written_in_the_plain_form(proxy, stage):
    """Whatever white space came, a field is sent as name, colon, one space, value, CRLF, behind the start line."""
    got = passed(proxy, stage, "X-One:a", "X-Two: \t b \t ", "X-Three:   c  d")
    assert got.raw_head.startswith(b"GET / HTTP/1.1\r\nHost: ")
    assert b"\r\nX-One: a\r\nX-Two: b\r\nX-Three: c  d\r\n" in got.raw_head
    answer = heard(proxy, stage, ok(b"", "X-One:a", "X-Two: \t b \t "))
    assert answer.raw_head.startswith(b"HTTP/1.1 200 OK\r\nX-One: a\r\nX-Two: b\r\n")
