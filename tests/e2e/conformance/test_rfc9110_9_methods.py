"""RFC 9110 §9, §10, §12 to §15: methods, expectations, conditions, statuses; as far as they bind who passes them on."""
import json

import pytest

from support.bounds import Cue
from support.conform import FINE, heard, passed, raw, refused, refused_response
from support.message import chunked, ok, request
from support.origin import replies, replies_forever
from support.shows import shows

NOWHERE = "http://10.0.0.1/"  # refused by policy, and never dialled


def own(proxy, method, target, *fields, **more):
    """An answer that the proxy makes itself."""
    with proxy.connect() as client:
        return client.ask(request(method, target, *fields, **more))


@shows("9110-9.1-1", "9110-9.3.2-1", "9110-9.3.2-2", "9110-8.6-3", "9110-8.3-1")
@pytest.mark.parametrize("target, more", [("/", {"host": "x"}), ("/nothing", {"host": "x"}), (NOWHERE, {})])
def test_rfc9110_9_3_2_head_gets_the_fields_of_get(proxy, target, more):
    """The same fields, the length of what a GET gets, and no content; for the help page and for errors."""
    get, head = own(proxy, "GET", target, **more), own(proxy, "HEAD", target, **more)
    assert get.names() == head.names() and get.status == head.status and get.body and not head.body
    assert get.get("Content-Type") == head.get("Content-Type") == "text/plain; charset=utf-8"
    assert abs(int(head.get("Content-Length")) - len(get.body)) <= 4  # the time in an error's words has its own length


@shows("9110-9.3.7-1")
@pytest.mark.parametrize("target, fields", [("*", []), ("http://127.0.0.1:9/", ["Max-Forwards: 0"])])
def test_rfc9110_9_3_7_options_to_the_proxy(proxy, target, fields):
    """Success without content, and no Allow: every method is passed on."""
    answer = own(proxy, "OPTIONS", target, *fields, host="x")
    assert answer.status == 200 and answer.get("Content-Length") == "0" and not answer.has("Allow")


@shows("9110-9.3.8-1", "9110-9.3.8-3", "9110-8.3-1")
@pytest.mark.parametrize("size", [10, 5000, 50_000])
def test_rfc9110_9_3_8_trace_shows_the_request(proxy, size):
    """All of it as it came, whatever its size, but for fields with secrets."""
    lines = ["Host: 127.0.0.1:9", "Max-Forwards: 0", "X-Long: " + "y" * size, "x-ODD: a,  b"]
    secrets = ["Authorization: Basic c2VjcmV0", "Cookie: c2VjcmV0", "Proxy-Authorization: Basic c2VjcmV0"]
    with proxy.connect() as client:
        client.send("\r\n".join(["TRACE http://127.0.0.1:9/a?b HTTP/1.1", *lines, *secrets, "", ""]).encode())
        answer = client.read_response()
    assert (answer.status, answer.get("Content-Type")) == (200, "message/http")
    assert answer.body == "\r\n".join(["TRACE http://127.0.0.1:9/a?b HTTP/1.1", *lines, "", ""]).encode()


@shows("9110-9.3.8-4")
@pytest.mark.parametrize("lines, rest", [(["Content-Length: 5"], b"hello"), (["Transfer-Encoding: chunked"], chunked(b"hello"))])
@pytest.mark.parametrize("more", [[], ["Max-Forwards: 0"]], ids=["pass", "answer"])
def test_rfc9110_9_3_8_trace_has_no_content(proxy, stage, lines, rest, more):
    """A client must not send it, nor do we: 400. A length of 0 is none."""
    refused(proxy, stage, raw(*lines, *more, start="TRACE {url}/ HTTP/1.1", rest=rest))
    assert passed(proxy, stage, "Content-Length: 0", method="TRACE").method == "TRACE"


@shows("9110-10.1.1-5")
def test_rfc9110_10_1_1_expect_in_1_0_is_ignored(proxy, stage):
    """No 100, no 417, whatever is expected; and it does not go on."""
    for expectation in ("100-continue", "miracles"):
        got = passed(proxy, stage, f"Expect: {expectation}", method="POST", body=b"hello", version="HTTP/1.0")
        assert got.body == b"hello" and not got.has("Expect")


@shows("9110-10.1.1-10")
@pytest.mark.parametrize("line", ["Expect: miracles", "Expect: 100-continue, miracles", "Expect: 100-continue;q=1", "expect: 101"])
def test_rfc9110_10_1_1_another_expectation_is_417(proxy, stage, line):
    """It cannot be met, and is not passed on."""
    refused(proxy, stage, raw(line, "Content-Length: 5", start="POST {url}/ HTTP/1.1"), 417)


@shows("9110-10.1.1-10", "9110-10.1.1-6")
def test_rfc9110_10_1_1_an_origin_of_1_0_is_not_waited_for(stage):
    """Once an origin has answered in HTTP/1.0 the client gets its 100 from us, and then the origin's answer."""
    proxy = stage.proxy("--workers", "1")
    origin = stage.origin(replies_forever(ok(b"old", "Connection: keep-alive", version="HTTP/1.0")))
    with proxy.connect() as client:
        client.ask(request("GET", origin.url + "/"))
        client.send(request("POST", origin.url + "/", "Expect: 100-continue", "Content-Length: 5"))
        assert client.read_head().status == 100
        client.send(b"hello")
        assert client.read_response("POST").body == b"old"
    assert origin.requests[1].body == b"hello" and not origin.requests[1].has("Expect")


@shows("9110-10.1.1-6", "9110-15.6-1")
def test_rfc9110_10_1_1_behind_a_100_there_is_an_answer(proxy, stage):
    """An origin that says 100, takes the content and leaves: 502."""
    def leaves(conn):
        conn.read_request_head()
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        conn.read(5)

    origin = stage.origin(leaves)
    with proxy.connect() as client:
        client.send(request("POST", origin.url + "/", "Expect: 100-continue", "Content-Length: 5"))
        assert client.read_head().status == 100
        client.send(b"hello")
        answer = client.read_response("POST")
    assert answer.status == 502 and answer.body


@shows("9110-10.1.1-7", "9110-7.5-1", "9112-9.5-4")
def test_rfc9110_7_5_an_upload_goes_on_behind_an_early_answer(proxy, stage):
    """Where neither side says close the content is sent to its end, and both connections go on."""
    def early(conn):
        conn.read_request_head()
        conn.send(ok(b"early"))
        assert conn.read(5) == b"hello"
        conn.read_request()
        conn.send(ok(b"next"))
        conn.hold()

    origin = stage.origin([early])
    with proxy.connect() as client:
        client.send(request("POST", origin.url + "/", "Content-Length: 5"))
        answer = client.read_response("POST")
        assert answer.body == b"early" and not answer.has("Connection")
        client.send(b"hello" + request("GET", origin.url + "/"))
        assert client.read_response().body == b"next"


@shows("9110-10.1.1-7", "9112-9.5-5")
def test_rfc9112_9_5_an_upload_ends_with_an_answer_that_closes(proxy, stage):
    """The answer passes, says close, and no more of the content is sent."""
    cue, rest = Cue(), []

    def closes(conn):
        conn.read_request_head()
        conn.send(ok(b"too much", "Connection: close", status="413 Content Too Large"))
        cue.wait()
        rest.append(conn.read_to_end())

    origin = stage.origin(closes)
    with proxy.connect() as client:
        client.send(request("POST", origin.url + "/", "Content-Length: 100"))
        answer = client.read_response("POST")
        client.expect_end("fin")
        cue.give()
    origin.close()
    assert answer.status == 413 and answer.tokens("Connection") == ["close"] and rest == [b""]


@shows("9110-13.2.1-2", "9110-13.2.1-4", "9110-14.2-1", "9110-5.1-2")
@pytest.mark.parametrize("line", ["If-Match: \"x\"", "If-None-Match: *", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
                                  "If-Modified-Since: Sun, 06 Nov 2094 08:49:37 GMT", "Range: bytes=0-1", "X-Unknown: 1"])
@pytest.mark.parametrize("method, target, status", [("GET", "/", 200), ("GET", NOWHERE, 403), ("OPTIONS", "*", 200),
                                                    ("GET", "/nothing", 404)])
def test_rfc9110_13_2_1_conditions_are_nothing_to_us(proxy, line, method, target, status):
    """An answer of our own is the same with and without conditions and ranges."""
    assert own(proxy, method, target, line, host="x").status == status


@shows("9110-13.2.1-4", "9110-9.3.6-5", "9110-8.6-6", "9112-6.1-6")
def test_rfc9110_9_3_6_the_200_of_a_tunnel_is_bare(proxy, stage):
    """No framing fields, whatever the request asks for in conditions; the next byte is the tunnel's."""
    origin = stage.origin(lambda conn: (conn.send(b"220 hello\r\n"), conn.hold()))
    with proxy.connect() as client:
        client.send(request("CONNECT", origin.authority, "If-None-Match: *", "Range: bytes=0-1", "TE: trailers"))
        head = client.read_head()
        assert head.status == 200 and not head.fields
        assert client.read(11) == b"220 hello\r\n"


@shows("9110-15-1", "9110-14.4-2", "9110-15.4.5-3", "9110-15.5.20-1")
@pytest.mark.parametrize("status, lines", [
    ("206 Partial Content", ["Content-Range: lines 1-2/9"]), ("206 Partial Content", ["Content-Type: multipart/byteranges; boundary=x"]),
    ("226 IM Used", []), ("299 Odd", []), ("300 Multiple Choices", []), ("305 Use Proxy", ["Location: http://10.0.0.1/"]), ("399 Odd", []),
    ("401 Unauthorized", ["WWW-Authenticate: Basic realm=x"]), ("407 Odd Of An Origin", []), ("421 Misdirected Request", []), ("499 Odd", []),
    ("503 Service Unavailable", ["Retry-After: 5"]), ("599 Odd", [])])
def test_rfc9110_15_any_final_status_passes(proxy, stage, status, lines):
    """Known or not, with its phrase, fields and content."""
    answer = heard(proxy, stage, ok(b"content", *lines, status=status), "Range: lines=1-2")
    assert answer.start_line == f"HTTP/1.1 {status}" and answer.body == b"content"
    assert [f"{name}: {value}" for name, value in answer.fields][:len(lines)] == lines


@shows("9110-15.4.5-3", "9110-13.2.1-3", "9110-8.6-4")
def test_rfc9110_15_4_5_a_304_is_the_clients(proxy, stage):
    """The condition goes to the origin, its 304 to the client."""
    origin = stage.origin(replies(ok(b"", "ETag: \"a\"", status="304 Not Modified", length=False)))
    with proxy.connect() as client:
        answer = client.ask(request("GET", origin.url + "/", "If-None-Match: \"a\""))
    assert answer.status == 304 and answer.get("ETag") == "\"a\"" and not answer.has("Content-Length")
    assert origin.requests[0].get("If-None-Match") == "\"a\""


@shows("9110-15-1", "9110-15.2-2", "9110-15.2-3")
def test_rfc9110_15_2_any_number_of_interim_responses_passes(proxy, stage):
    """Of any 1xx status but 101, in their order, each with its fields."""
    many = b"".join(b"HTTP/1.1 %d Odd\r\nX-Number: %d\r\n\r\n" % (102 + n % 98, n) for n in range(100))
    answer = heard(proxy, stage, many + FINE)
    assert [int(i.get("X-Number")) for i in answer.interim] == list(range(100)) and answer.body == b"fine"
    assert [i.status for i in answer.interim] == [102 + n % 98 for n in range(100)]


@shows("9110-15.2-1")
def test_rfc9110_15_2_none_of_them_to_a_1_0_client(proxy, stage):
    """It gets the final response alone, also where it asked for a 100."""
    answer = heard(proxy, stage, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + FINE,
                   "Expect: 100-continue", version="HTTP/1.0")
    assert answer.interim == [] and answer.body == b"fine"


@shows("9110-15-2", "9112-2.2-9")
@pytest.mark.parametrize("line", ["HTTP/1.1 099 Low", "HTTP/1.1 000 None", "HTTP/1.1 20 Short", "HTTP/1.1 2000 Long", "HTTP/1.1 -20 Odd",
                                  "HTTP/1.1 2x0 Odd", "HTTP/1.1 OK", "HTTP/1.1", "HTTP/1.1  200 OK", "ICY 200 OK", "HTTP/2 200 OK", "http/1.1 200 OK"])
def test_rfc9110_15_a_status_that_is_none_is_502(proxy, stage, line):
    """Three digits from 100 on, in a status line of HTTP/1."""
    refused_response(proxy, stage, f"{line}\r\nContent-Length: 0\r\n\r\n".encode())


@shows("9110-15.5-1", "9110-15.6-1", "9110-8.3-1")
@pytest.mark.parametrize("accept, kind", [("text/html", "text/html"), ("application/json", "application/json"), ("a/b", "text/plain")])
@pytest.mark.parametrize("status", [403, 502])
def test_rfc9110_15_5_errors_are_explained(proxy, stage, accept, kind, status):
    """In the form that the client likes."""
    nobody = stage.origin([])
    nobody.stop_listening()
    answer = own(proxy, "GET", NOWHERE if status == 403 else nobody.url, f"Accept: {accept}")
    assert answer.status == status and answer.get("Content-Type").split(";")[0] == kind
    assert b"refused" in answer.body and (kind != "application/json" or json.loads(answer.body)["status"] == status)


@shows("9110-12.5.1-2")
@pytest.mark.parametrize("accept, kind", [
    ("application/json;q=0.2, text/html;q=0.9", "text/html"), ("text/html;q=0.5,application/json", "application/json"),
    ("text/html;q=0, application/json;q=0.001", "application/json"), ("text/html;q=0", "text/plain"),
    ("text/html;level=1;q=0.4, application/json; Q=0.6", "application/json"), ("text/html, application/json", "text/html"),
    ("text/html;q=junk, application/json;q=0.1", "application/json"), ("text/html;q=1.000,text/plain", "text/html"), ("", "text/plain")])
def test_rfc9110_12_5_1_weights_choose_the_form(proxy, accept, kind):
    """The largest weight wins, wherever q stands; the first of equals; 0 is never."""
    assert own(proxy, "GET", NOWHERE, f"Accept: {accept}").get("Content-Type").split(";")[0] == kind
