"""RFC 9110 §7: Via, Max-Forwards, loops, what is not transformed, Upgrade."""
import re

import pytest

from support.bounds import wait_until
from support.conform import FINE, heard, passed, refused_response
from support.message import ok, request
from support.origin import replies
from support.shows import shows

SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n{}\r\n"


def via(message):
    return [element.strip() for element in message.get("Via").split(",")]


@shows("9110-7.6.3-1", "9110-7.6.3-3", "9110-7.6.3-4", "9110-7.6.3-5", "9110-7.6.3-6", "9110-5.6.3-2")
def test_rfc9110_7_6_3_via_gets_one_element(proxy, stage):
    """In requests, interim and final responses: the version that came and a pseudonym, behind what was there."""
    lines = ["Via: 1.0 inner, 1.1 inner", "Via: 2 inner (a, b)"]
    got = passed(proxy, stage, *lines, version="HTTP/1.0")
    answer = heard(proxy, stage, b"HTTP/1.1 103 Early Hints\r\nVia: 1.1 hints\r\n\r\n" + ok(b"", *lines, version="HTTP/1.0"))
    assert via(answer.interim[0])[0] == "1.1 hints"
    for message in (got, answer):
        assert message.values("Via")[:2] == [line[5:] for line in lines] and len(message.values("Via")) == 3
    for message, version in ((got, "1.0"), (answer, "1.0"), (answer.interim[0], "1.1")):
        assert re.fullmatch(rf"{version} fairlead-[0-9a-f]+", via(message)[-1])


@shows("9110-7.6-2", "9110-5.6.4-1")
@pytest.mark.parametrize("line", ["Via: 1.1 other, 1.1 {}", "Via: 1.0 {} (comment)", "Via: 1.1 x (1.1, y), 2 {}", "VIA: HTTP/1.1 {}",
                                  "Via: 1.1 x (a\\), b), 1.1 {}"])
def test_rfc9110_7_6_our_own_name_in_via_is_a_loop(proxy, stage, line):
    """Wherever it stands in Via the request was here before: 502, proxy_loop_detected."""
    own = via(passed(proxy, stage))[-1].split()[1]
    origin = stage.origin([])
    with proxy.connect() as client:
        answer = client.ask(request("GET", origin.url + "/", line.format(own)))
    assert answer.status == 502 and "proxy_loop_detected" in answer.get("Proxy-Status")
    assert origin.connections == []


@shows("9110-7.6-2")
@pytest.mark.parametrize("method", ["GET", "CONNECT"])
def test_rfc9110_7_6_the_proxy_does_not_dial_itself(proxy, method):
    """A request for our own listener is refused, whatever Via says."""
    target = "%s:%d" % proxy.address if method == "CONNECT" else proxy.url + "/"
    with proxy.connect() as client:
        assert client.ask(request(method, target)).status == 403


@shows("9110-7.6.2-1", "9110-7.6.2-3", "9110-9.3.7-2", "9110-5.3-2")
@pytest.mark.parametrize("method", ["TRACE", "OPTIONS"])
@pytest.mark.parametrize("lines, wanted", [
    (["Max-Forwards: 5"], ["4"]), (["max-forwards: 1"], ["0"]), (["Max-Forwards: 007"], ["6"]),
    (["Max-Forwards: 99999999999999"], ["4294967294"]), ([], []), (["Max-Forwards: x"], []), (["Max-Forwards: -1"], []),
    (["Max-Forwards: 3", "Max-Forwards: 4"], [])])
def test_rfc9110_7_6_2_max_forwards_is_counted_down(proxy, stage, method, lines, wanted):
    """By one; none is added, and one that is no number is dropped."""
    assert passed(proxy, stage, *lines, method=method).values("Max-Forwards") == wanted


@shows("9110-7.6.2-2", "9110-9.3.8-1")
@pytest.mark.parametrize("method", ["TRACE", "OPTIONS"])
def test_rfc9110_7_6_2_at_zero_we_answer(proxy, stage, method):
    """200 from here; the origin hears nothing."""
    origin = stage.origin([])
    with proxy.connect() as client:
        assert client.ask(request(method, origin.url + "/", "Max-Forwards: 0")).status == 200
    assert origin.connections == []


REQUEST_FIELDS = [
    "Authorization: Basic dTpw", "Authorization: Bearer a.b.c==", "Referer: http://127.0.0.1/a?b#c", "From: a@b.test",
    "User-Agent: x/1 (y; z)", "Cookie: a=b; c=\"d\"", "If-Match: \"a\", W/\"b\"", "If-None-Match: *",
    "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "If-Unmodified-Since: Sunday, 06-Nov-94 08:49:37 GMT", "If-Range: \"a\"",
    "Range: bytes=0-1,-5", "Range: lines=1-2", "Accept: a/b;q=0.5, */*", "Accept-Encoding: gzip;q=0", "Cache-Control: no-transform",
    "Pragma: no-cache", "Content-Type: a/b", "Content-Encoding: x-gzip", "Content-Location: /a", "Content-Range: bytes 0-1/2",
    "Origin: null", "Max-Forwards: 0", "Trailer: X-Sum", "Proxy-Status: other; error=dns_error", "Date: yesterday", "X-Unknown: 1"]


@shows("9110-11.6.2-1", "9110-10.1.3-5", "9110-10.1.2-3", "9110-13.2.1-3", "9110-14.2-1", "9110-7.7-4", "9110-5.1-1", "9110-2.4-1")
@pytest.mark.parametrize("line", REQUEST_FIELDS)
def test_rfc9110_7_7_fields_of_requests_pass(proxy, stage, line):
    """Credentials, conditions, ranges and all others are the origin's to read."""
    name, _, value = line.partition(": ")
    assert passed(proxy, stage, line).values(name) == [value]


RESPONSE_FIELDS = [
    "WWW-Authenticate: Basic realm=\"a, b\"", "WWW-Authenticate: Negotiate abc==", "Allow: GET, X-OWN", "Allow:", "Vary: *",
    "Vary: Accept, X", "ETag: W/\"a\"", "Last-Modified: Sunday, 06-Nov-94 08:49:37 GMT", "Server: x/1", "Age: 5",
    "Location: http://other.test/#a", "Set-Cookie: a=b; Path=/", "Content-Type: a/b; c=d", "Content-Encoding: gzip",
    "Content-Range: lines 1-2/3", "Accept-Ranges: lines", "Cache-Control: no-transform", "Warning: 199 - \"x\"",
    "Proxy-Status: other; error=dns_error, \"an other\"; details=\"x\"", "Retry-After: 5", "Alt-Svc: h3=\":443\"", "X-Unknown: 1"]


@shows("9110-11.6.1-2", "9110-10.2.1-2", "9110-12.5.5-1", "9110-7.7-4", "9110-5.1-1", "9209-2-2")
@pytest.mark.parametrize("line", RESPONSE_FIELDS)
def test_rfc9110_7_7_fields_of_responses_pass(proxy, stage, line):
    """Challenges, Allow, Vary, members of Proxy-Status and all others are the client's to read."""
    name, _, value = line.partition(":")
    assert heard(proxy, stage, ok(b"fine", line)).values(name) == [value.strip()]


@shows("9110-7.7-4", "9110-2.2-3", "9110-12.5.5-1")
def test_rfc9110_7_7_only_via_date_and_host_are_added(proxy, stage):
    """To a request Host and Via, to a response Via and, where it is missing, Date."""
    assert sorted(passed(proxy, stage).names()) == ["Host", "Via"]
    assert sorted(heard(proxy, stage, ok(b"", date=False)).names()) == ["Content-Length", "Date", "Via"]


@shows("9110-7.7-3", "9110-7.7-4")
@pytest.mark.parametrize("encoding", ["gzip", "identity", "x-own"])
def test_rfc9110_7_7_content_is_not_transformed(proxy, stage, encoding):
    """Every byte is the origin's, whether it asks for that or not."""
    blob = bytes(range(256)) * 50
    lines = ["Cache-Control: no-transform", f"Content-Encoding: {encoding}", "Content-Type: image/jpeg"]
    answer = heard(proxy, stage, ok(blob, *lines), "Accept-Encoding: gzip")
    assert answer.body == blob and answer.get("Content-Encoding") == encoding


@shows("9110-7.7-1", "9112-3.2-4")
@pytest.mark.parametrize("name", ["Name.Test", "name.test.", "NAME.TEST"])
def test_rfc9110_7_7_the_host_name_is_not_changed(stage, dns, name):
    """Case and final dot stay as they were written."""
    dns.add("name.test", a=["127.0.0.1"])
    origin = stage.origin(replies(FINE))
    with stage.proxy().connect() as client:
        assert client.ask(request("GET", f"http://{name}:{origin.port}/")).body == b"fine"
    assert origin.requests[0].get("Host") == f"{name}:{origin.port}"


@shows("9110-3.3-1")
def test_rfc9110_3_3_nothing_is_kept_for_the_next_request(proxy, stage):
    """A request without credentials goes out without, whatever the one before on its connection had."""
    origin = stage.origin(replies(FINE, FINE))
    with proxy.connect() as client:
        client.ask(request("GET", origin.url + "/", "Authorization: Basic dTpw", "Cookie: a=b", "User-Agent: one"))
        client.ask(request("GET", origin.url + "/"))
    assert sorted(origin.requests[1].names()) == ["Host", "Via"]


def ask_upgrade(url, *lines, protocols="echo/2, Web-Socket"):
    return request("GET", url + "/", "Connection: Upgrade", f"Upgrade: {protocols}", *lines)


@shows("9110-7.8-1", "9110-7.8-2", "9110-7.8-6", "9110-15.2.2-1", "9110-7.6.1-1")
@pytest.mark.parametrize("protocols", ["echo/2", "WEB-SOCKET", "Echo/2,web-socket"])
def test_rfc9110_7_8_a_switch_to_what_was_asked_for(proxy, stage, protocols):
    """Whatever the case of its name; Upgrade is named in Connection, both ways."""
    origin = stage.origin(replies(SWITCH.format(f"Upgrade: {protocols}\r\n").encode()))
    with proxy.connect() as client:
        client.send(ask_upgrade(origin.url))
        answer = client.read_head()
        assert answer.status == 101 and answer.get("Upgrade") == protocols and answer.get("Connection") == "Upgrade"
    got = origin.requests[0]
    assert got.get("Upgrade") == "echo/2, Web-Socket" and got.get("Connection") == "Upgrade"


@shows("9110-7.8-2", "9110-7.8-3", "9110-15.2.2-1", "9209-2.1.1-1")
@pytest.mark.parametrize("field", ["", "Upgrade:\r\n", "Upgrade: other\r\n", "Upgrade: echo\r\n", "Upgrade: echo/2, other\r\n"])
def test_rfc9110_7_8_no_switch_to_anything_else(proxy, stage, field):
    """A 101 that names another protocol, or none, is 502, http_upgrade_failed; its connection is not used."""
    seen = []

    def script(conn):
        conn.read_request()
        conn.send(SWITCH.format(field).encode())
        seen.append(conn.read_to_end())

    origin = stage.origin([script, replies(FINE)])
    with proxy.connect() as client:
        answer = client.ask(ask_upgrade(origin.url))
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    assert answer.status == 502 and "error=http_upgrade_failed" in answer.get("Proxy-Status")
    assert wait_until(lambda: seen, "the proxy to close the connection") == [b""]


def test_rfc9110_7_8_a_switch_names_few_protocols(proxy, stage):
    """Each is looked for in what the client asked for. Both lists as long as heads may be would hold a worker up."""
    asked = ",".join(["a"] * 30000 + ["b"])
    origin = stage.origin([replies(SWITCH.format("Upgrade: " + ",".join("b" * 30000) + "\r\n").encode()),
                           replies(SWITCH.format("Upgrade: " + ",".join("b" * 16) + "\r\n").encode())])
    with proxy.connect() as client:
        answer = client.ask(ask_upgrade(origin.url, protocols=asked))
    assert answer.status == 502 and b"too many protocols" in answer.body
    with proxy.connect() as client:
        client.send(ask_upgrade(origin.url, protocols=asked))
        assert client.read_head().status == 101


@shows("9110-7.8-3")
def test_rfc9110_7_8_no_switch_that_nobody_asked_for(proxy, stage):
    """A 101 to a request without Upgrade."""
    answer = refused_response(proxy, stage, SWITCH.format("Upgrade: echo\r\n").encode())
    assert "error=http_upgrade_failed" in answer.get("Proxy-Status")


@shows("9110-7.8-7")
@pytest.mark.parametrize("lines, version", [(["Connection: Upgrade", "Upgrade: echo"], "HTTP/1.0"), (["Upgrade: echo"], "HTTP/1.1")])
def test_rfc9110_7_8_upgrade_that_does_not_count(proxy, stage, lines, version):
    """In HTTP/1.0, or without being named in Connection, it does not go on."""
    got = passed(proxy, stage, *lines, version=version)
    assert not got.has("Upgrade") and not got.has("Connection")


@shows("9110-7.8-8", "9110-7.8-5")
def test_rfc9110_7_8_a_100_comes_before_a_101(proxy, stage):
    """With Upgrade and Expect both go to the origin, and its 100 and 101 pass in their order."""
    origin = stage.origin(replies(b"HTTP/1.1 100 Continue\r\n\r\n" + SWITCH.format("Upgrade: echo/2\r\n").encode()))
    with proxy.connect() as client:
        client.send(ask_upgrade(origin.url, "Expect: 100-continue"))
        assert [client.read_head().status for _ in range(2)] == [100, 101]
    assert origin.requests[0].get("Expect") == "100-continue"


@shows("9110-7.8-4", "9110-15.5.22-1")
@pytest.mark.parametrize("version, connection", [("HTTP/1.1", ["upgrade"]), ("HTTP/1.0", ["upgrade", "close"])])
def test_rfc9110_15_5_22_a_426_keeps_its_upgrade(proxy, stage, version, connection):
    """It says which protocol is needed; Connection names it, and close where the connection ends."""
    response = ok(b"no", "Connection: Upgrade", "Upgrade: HTTP/3.0, TLS/1.3", status="426 Upgrade Required")
    answer = heard(proxy, stage, response, version=version)
    assert answer.get("Upgrade") == "HTTP/3.0, TLS/1.3" and answer.tokens("Connection") == connection
