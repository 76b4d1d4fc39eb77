"""What the client sees of a response head."""
import re

import pytest

from support.message import ok, request
from support.origin import replies, replies_and_closes
from support.shows import shows


def seen(proxy, stage, response, method="GET"):
    origin = stage.origin(replies(response))
    with proxy.connect() as client:
        return client.ask(request(method, origin.url + "/"))


def test_via_is_appended_to_responses(proxy, stage):
    """The response carries our element too: RFC 9110 §7.6.3."""
    got = seen(proxy, stage, ok(b"x", "Via: 1.1 inner"))
    assert re.fullmatch(r"1\.1 inner, 1\.1 \S+", got.get("Via"))


def test_via_tells_the_version_of_the_origin(proxy, stage):
    """RFC 9110 §7.6.3, §2.5: the version received, while our own is sent."""
    got = seen(proxy, stage, ok(b"x", version="HTTP/1.0"))
    assert got.version == "HTTP/1.1" and got.get("Via").startswith("1.0 ")


@pytest.mark.parametrize("field", ["Keep-Alive: timeout=5", "Proxy-Connection: close", "Upgrade: h2c",
                                   "Proxy-Authenticate: Basic realm=x",
                                   "Proxy-Authentication-Info: x=y"])
def test_connection_level_fields_of_responses_end_here(proxy, stage, field):
    """RFC 9110 §7.6.1, §11.7."""
    got = seen(proxy, stage, ok(b"x", field, "X-Stays: 1"))
    assert not got.has(field.split(":")[0]) and got.get("X-Stays") == "1"


def test_what_connection_of_the_response_names_ends_here(proxy, stage):
    """RFC 9110 §7.6.1."""
    got = seen(proxy, stage, ok(b"x", "Connection: X-Inner", "x-inner: 1", "X-Other: 2"))
    assert not got.has("X-Inner") and got.get("X-Other") == "2"
    assert "x-inner" not in got.tokens("Connection")


def test_a_missing_date_is_added(proxy, stage):
    """RFC 9110 §6.6.1: a recipient with a clock adds Date when it forwards."""
    got = seen(proxy, stage, ok(b"x", date=False))
    assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z][a-z] \d{4} "
                        r"\d\d:\d\d:\d\d GMT", got.get("Date"))


@shows("9110-6.6.1-4")
def test_a_date_of_the_origin_stays(proxy, stage):
    """RFC 9110 §6.6.1: it is the origin's."""
    got = seen(proxy, stage, ok(b"x"))
    assert got.values("Date") == ["Tue, 15 Nov 1994 08:12:31 GMT"]


def test_order_and_spelling_of_a_response_are_kept(proxy, stage):
    """RFC 9110 §5.3: several Set-Cookie lines stay lines, in order."""
    fields = ["SET-cookie: a=1", "X-b: 2", "set-Cookie: b=2", "ETag: \"x\"", "x-a:", "Server: o/1"]
    got = seen(proxy, stage, ok(b"x", *fields))
    wanted = [(f.split(":")[0], f.split(":", 1)[1].strip()) for f in fields]
    assert [pair for pair in got.fields if pair in wanted] == wanted


@pytest.mark.parametrize("status", ["200 Fine Indeed", "299 x\xe9y", "404 Not Found",
                                    "500 Sorry", "301 Moved", "599 Odd"])
def test_status_and_reason_pass(proxy, stage, status):
    """Any final status and its reason phrase are the origin's: RFC 9112 §4."""
    got = seen(proxy, stage, ok(b"x", status=status))
    assert got.start_line == f"HTTP/1.1 {status}" and got.body == b"x"


def test_redirects_are_not_followed(proxy, stage):
    """A forward proxy hands a redirect to its client."""
    got = seen(proxy, stage, ok(b"", "Location: http://127.0.0.1:1/", status="302 Found"))
    assert got.status == 302 and got.get("Location") == "http://127.0.0.1:1/"


@shows("9110-8.6-3", "9110-9.3.2-1", "9110-6-1")
def test_head_has_a_length_and_no_body(proxy, stage):
    """The Content-Length of a response to HEAD is kept, no body follows: RFC 9110 §9.3.2."""
    origin = stage.origin(replies(ok(b"", "Content-Length: 12345", length=False), ok(b"next")))
    with proxy.connect() as client:
        first = client.ask(request("HEAD", origin.url + "/"))
        second = client.ask(request("GET", origin.url + "/"))
    assert first.get("Content-Length") == "12345" and second.body == b"next"
    assert len(origin.connections) == 1


@pytest.mark.parametrize("status,fields", [("204 No Content", []), ("204 No Content", ["Content-Length: 5"]),
                                           ("304 Not Modified", ["ETag: \"x\""]),
                                           ("304 Not Modified", ["Content-Length: 77"])])
def test_bodiless_statuses_keep_the_connection(proxy, stage, status, fields):
    """204 and 304 end with their head: RFC 9112 §6.3."""
    origin = stage.origin(replies(ok(b"", *fields, status=status, length=False), ok(b"next")))
    with proxy.connect() as client:
        first = client.ask(request("GET", origin.url + "/"))
        second = client.ask(request("GET", origin.url + "/"))
    assert f"{first.status}" == status[:3] and second.body == b"next"
    assert not first.has("Transfer-Encoding")
    assert first.status != 204 or not first.has("Content-Length")


def test_a_205_has_no_content(proxy, stage):
    """A 205 with length 0 passes and the connection goes on: RFC 9110 §15.3.6."""
    origin = stage.origin(replies(ok(b"", status="205 Reset Content"), ok(b"next")))
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).status == 205
        assert client.ask(request("GET", origin.url + "/")).body == b"next"


@shows("9112-6.1-4")
def test_rfc9112_6_3_a_coding_without_chunked_is_read_to_the_close(proxy, stage):
    """The content stays in that coding, and says so: chunked is put on top of it."""
    origin = stage.origin([replies_and_closes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: x-rot13\r\n\r\nuryyb"),
                           replies(b"HTTP/1.1 204 No Content\r\n\r\n")])
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/"))
        assert got.status == 200 and got.body == b"uryyb"
        assert [value for name, value in got.fields if name.lower() == "transfer-encoding"] == \
            ["x-rot13", "chunked"]
        assert client.ask(request("GET", origin.url + "/")).status == 204


@shows("9112-6.1-9", "9112-6.1-4")
def test_rfc9112_6_1_an_old_client_gets_no_coding(proxy, stage):
    origin = stage.origin(replies_and_closes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: x-rot13\r\n\r\nuryyb"))
    with proxy.connect() as client:
        got = client.ask(f"GET {origin.url}/ HTTP/1.0\r\n\r\n".encode())
    assert got.status == 502 and b"HTTP/1.0 client" in got.body
