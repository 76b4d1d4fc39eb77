"""What the proxy answers by itself: faults of clients and origins, limits, Max-Forwards, loops."""
import re

import pytest

from support.message import Message, ok, request
from support.origin import replies, replies_and_closes
from support.shows import shows
from support.wire import TlsWire

NOWHERE = "http://127.0.0.1:9/"  # never dialled in these plays
GOOD = "GET http://127.0.0.1:9/ HTTP/1.1\r\nHost: 127.0.0.1:9\r\n"


def refusal(proxy, data, close=True):
    """Send bytes, read the answer and the end."""
    with proxy.connect() as client:
        client.send(data)
        got = client.read_response()
        if close:
            client.expect_end("fin")
    return got


MALFORMED = {
    "no version": b"GET http://127.0.0.1:9/\r\n\r\n",
    "two spaces": b"GET  http://127.0.0.1:9/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "space in the target": b"GET http://127.0.0.1:9/a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "method with a control byte": b"GE\x01T http://127.0.0.1:9/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "bare line feeds": b"GET http://127.0.0.1:9/ HTTP/1.1\nHost: x\n\n",
    "bare carriage return": GOOD.encode() + b"X: a\rb\r\n\r\n",
    "space before the colon": GOOD.encode() + b"X : y\r\n\r\n",
    "folded field": GOOD.encode() + b"X: a\r\n b\r\n\r\n",
    "field without colon": GOOD.encode() + b"nothing\r\n\r\n",
    "empty field name": GOOD.encode() + b": y\r\n\r\n",
    "NUL in a value": GOOD.encode() + b"X: a\0b\r\n\r\n",
    "no Host": b"GET http://127.0.0.1:9/ HTTP/1.1\r\n\r\n",
    "two Hosts": GOOD.encode() + b"Host: 127.0.0.1:9\r\n\r\n",
    "Host with a path": b"GET http://127.0.0.1:9/ HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "user name in the target": b"GET http://u:p@127.0.0.1:9/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "fragment in the target": b"GET http://127.0.0.1:9/#f HTTP/1.1\r\nHost: x\r\n\r\n",
    "backslash in the target": b"GET http://127.0.0.1:9\\a HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host in the target": b"GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n",
    "port 0": b"GET http://127.0.0.1:0/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "port 65536": b"GET http://127.0.0.1:65536/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "octal address": b"GET http://0177.0.0.1/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "short address": b"GET http://127.1/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET *": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "length and coding": GOOD.encode() + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two lengths": GOOD.encode() + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
    "length with a sign": GOOD.encode() + b"Content-Length: +3\r\n\r\n",
    "length beyond 64 bits": GOOD.encode() + b"Content-Length: 99999999999999999999\r\n\r\n",
    "empty length": GOOD.encode() + b"Content-Length:\r\n\r\n",
    "chunked twice": GOOD.encode() + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
    "chunked not last": GOOD.encode() + b"Transfer-Encoding: chunked, identity\r\n\r\n",
    "coding in 1.0": b"GET http://127.0.0.1:9/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "CONNECT with a path": b"CONNECT 127.0.0.1:9/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT without port": b"CONNECT 127.0.0.1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT with a scheme": b"CONNECT http://127.0.0.1:9 HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT with content": b"CONNECT 127.0.0.1:9 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_400_and_closed(proxy, name):
    """Ambiguous or malformed requests are refused and the connection ends: RFC 9112 §2.2, §3, §5.1, §6.3."""
    got = refusal(proxy, MALFORMED[name])
    assert got.status == 400 and "close" in got.tokens("Connection")
    assert re.search(r"error=http_request_error", got.get("Proxy-Status") or "")


@shows("9112-6.1-10", "9112-6.3-2")
def test_no_byte_of_a_refused_request_is_dialled(proxy, stage):
    """A request with two framings reaches no origin: RFC 9112 §6.1, request smuggling (§11.2)."""
    origin = stage.origin([])
    data = request("POST", origin.url + "/", "Content-Length: 4", "Transfer-Encoding: chunked")
    assert refusal(proxy, data + b"0\r\n\r\n").status == 400
    assert origin.connections == []


def test_a_bad_chunk_ends_both_sides(proxy, stage):
    """A malformed chunk in a request: the client is told 400, the origin never sees a last chunk: RFC 9112 §7.1."""
    raw = []
    origin = stage.origin(lambda conn: raw.append(conn.read_to_end()))
    data = request("POST", origin.url + "/", "Transfer-Encoding: chunked") + b"3\r\nabc\r\nzz\r\n"
    assert refusal(proxy, data).status == 400
    proxy.record()
    assert not raw or not raw[0].endswith(b"0\r\n\r\n")


def test_an_oversized_head_is_431(proxy):
    """RFC 6585 §5: heads above 64 KiB."""
    data = GOOD + "".join(f"X-{n}: {'y' * 1000}\r\n" for n in range(70)) + "\r\n"
    assert refusal(proxy, data.encode()).status == 431


def test_a_thousand_fields_are_too_many(proxy):
    """RFC 6585 §5: 1,000 fields are the cap."""
    data = GOOD + "".join(f"X{n}: y\r\n" for n in range(1001)) + "\r\n"
    assert refusal(proxy, data.encode()).status == 431


def test_a_long_target_is_414(proxy):
    """RFC 9110 §15.5.15: targets above 32 KiB."""
    assert refusal(proxy, request("GET", NOWHERE + "a" * 33000)).status == 414


def test_an_unknown_coding_is_501(proxy):
    """RFC 9112 §6.1."""
    assert refusal(proxy, request("POST", NOWHERE, "Transfer-Encoding: gzip, chunked")).status == 501


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/0.9", "HTTP/3.1"])
def test_another_major_version_is_505(proxy, version):
    """RFC 9110 §15.6.6."""
    assert refusal(proxy, request("GET", NOWHERE, version=version)).status == 505


def test_a_higher_minor_version_is_1_1(proxy, stage):
    """RFC 9110 §2.5: HTTP/1.2 is treated as the highest minor version known."""
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/", version="HTTP/1.2")).version == "HTTP/1.1"


def test_an_empty_line_before_a_request_is_skipped(proxy, stage):
    """RFC 9112 §2.2: at least one CRLF before the request line is ignored."""
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        client.send(b"\r\n" + request("GET", origin.url + "/"))
        assert client.read_response().body == b"fine"


@shows("9112-2.2-9", "9112-9.6-6")
def test_a_refusal_is_read_although_the_client_still_sends(proxy):
    """Closing in stages lets a client read the answer while it writes: RFC 9112 §9.6."""
    with proxy.connect() as client:
        client.send(request("POST", NOWHERE, "Content-Length: 10", "Content-Length: 11"))
        for _ in range(20):
            try:
                client.send(b"x" * 10000)
            except OSError:
                break
        assert client.read_response("POST").status == 400
        client.read_to_end()
        assert client.end == "fin"


BAD_RESPONSES = {
    "no HTTP": b"hello\r\n\r\n",
    "HTTP/2 frames": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "bad status": b"HTTP/1.1 20 OK\r\n\r\n",
    "status 999999": b"HTTP/1.1 999999 OK\r\n\r\n",
    "field without colon": b"HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
    "NUL in a value": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab",
    "length and coding": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"
                         b"\r\n0\r\n\r\n",
    "oversized head": b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70000 + b"\r\n\r\n",
    "Connection names 2000 fields": b"HTTP/1.1 200 OK\r\nConnection: " +
                                    b",".join(b"x%d" % i for i in range(2000)) + b"\r\n\r\n",
    "end in the head": b"HTTP/1.1 200 OK\r\nContent-",
    "nothing": b"",
    "gzip coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "codings in two lines": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: x\r\n\r\na",
    "chunked inside gzip": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked inside identity": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n"
                               b"0\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_RESPONSES)
def test_a_malformed_response_is_502(proxy, stage, name):
    """RFC 9110 §15.6.3; the upstream connection is not used again, the client's is."""
    origin = stage.origin([replies_and_closes(BAD_RESPONSES[name]), replies(ok(b"next"))])
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/"))
        assert client.ask(request("GET", origin.url + "/")).body == b"next"
    assert got.status == 502 and "error=" in got.get("Proxy-Status")
    record = proxy.records(2)[0]
    assert record.status == 502 and record.error and record.error in got.get("Proxy-Status")


def test_a_space_before_the_colon_of_a_response_is_removed(proxy, stage):
    """RFC 9112 §5.1: a proxy must remove it before it forwards."""
    origin = stage.origin(replies(b"HTTP/1.1 200 OK\r\nX : y\r\nContent-Length : 2\r\n\r\nok"))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/"))
    assert got.body == b"ok" and ("X", "y") in got.fields


def test_a_refused_connect_is_502_with_the_token(proxy, stage):
    """RFC 9209 §2.3.6: connection_refused; one id in record and Proxy-Status."""
    origin = stage.origin([])
    origin.stop_listening()
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/"))
    record = proxy.record()
    assert got.status == 502 and "error=connection_refused" in got.get("Proxy-Status")
    assert record.error == "connection_refused" and record.id in got.get("Proxy-Status")
    assert record.id.encode() in got.body


@pytest.mark.parametrize("accept,kind", [("application/json", "application/json"),
                                         ("text/html,*/*;q=0.1", "text/html"),
                                         ("text/html;q=0.9, application/json", "application/json"),
                                         ("text/html;q=0.25, application/json;q=0.3", "application/json"),
                                         ("text/html;q=, application/json;q=0.001", "application/json"),
                                         ("text/html;q=1x, application/json;q=0.001", "application/json"),
                                         ("text/html;q=x, application/json;q=0.001", "application/json"),
                                         ("text/html;q=0.1234, application/json;q=0.001", "application/json"),
                                         ("text/html;q=0.xx, application/json;q=0.001", "application/json"),
                                         ("text/html;q=1., application/json;q=0.9", "text/html"),
                                         ("*/*", "text/plain")])
def test_the_body_of_an_error_suits_the_client(proxy, stage, accept, kind):
    """Text, HTML or JSON by Accept: RFC 9110 §12.5.1."""
    origin = stage.origin([])
    origin.stop_listening()
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/", f"Accept: {accept}"))
    assert got.get("Content-Type").split(";")[0] == kind and got.body


@shows("9110-9.3.2-1")
def test_an_error_for_head_has_no_body(proxy, stage):
    """RFC 9110 §9.3.2 holds for local answers as well."""
    origin = stage.origin([])
    origin.stop_listening()
    with proxy.connect() as client:
        assert client.ask(request("HEAD", origin.url + "/")).status == 502
        assert client.ask(request("HEAD", origin.url + "/")).status == 502


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
def test_max_forwards_0_ends_here(proxy, stage, method):
    """The proxy answers as the final recipient: RFC 9110 §7.6.2."""
    origin = stage.origin([])
    with proxy.connect() as client:
        got = client.ask(request(method, origin.url + "/", "Max-Forwards: 0", "X-Mark: 7"))
    assert got.status == 200 and origin.connections == []
    if method == "TRACE":
        assert got.get("Content-Type") == "message/http" and b"X-Mark: 7" in got.body


def test_trace_does_not_show_secrets(proxy):
    """RFC 9110 §9.3.8: fields with credentials are left out of a TRACE answer."""
    with proxy.connect() as client:
        got = client.ask(request("TRACE", NOWHERE, "Max-Forwards: 0", "Authorization: Basic c2VjcmV0",
                                 "Cookie: secret=1", "Proxy-Authorization: Basic c2VjcmV0"))
    assert b"c2VjcmV0" not in got.body and b"secret" not in got.body


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
def test_max_forwards_counts_down(proxy, stage, method):
    """RFC 9110 §7.6.2: decremented before forwarding."""
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        assert client.ask(request(method, origin.url + "/", "Max-Forwards: 3")).status == 200
    assert origin.requests[0].values("Max-Forwards") == ["2"]


def test_max_forwards_of_other_methods_is_left_alone(proxy, stage):
    """RFC 9110 §7.6.2: it may be ignored for all others."""
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        client.ask(request("GET", origin.url + "/", "Max-Forwards: 0"))
    assert origin.requests[0].values("Max-Forwards") == ["0"]


def test_options_without_path_becomes_asterisk(proxy, stage):
    """The last proxy sends OPTIONS * for an authority alone: RFC 9112 §3.2.4."""
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        client.ask(request("OPTIONS", origin.url))
    assert origin.requests[0].start_line == "OPTIONS * HTTP/1.1"
    assert origin.requests[0].values("Host") == [origin.authority]


def test_options_asterisk_to_the_proxy_is_its_own(proxy):
    """OPTIONS * with our own Host asks about the proxy: RFC 9110 §9.3.7."""
    with proxy.connect() as client:
        got = client.ask(request("OPTIONS", "*", host="%s:%d" % proxy.address))
    assert got.status in (200, 204)


def test_a_loop_is_detected(proxy, stage):
    """A request that carries our own Via is refused: RFC 9110 §7.6.3, RFC 9209 §2.3.31."""
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        client.ask(request("GET", origin.url + "/"))
        via = origin.requests[0].get("Via")
        got = client.ask(request("GET", origin.url + "/", f"Via: 1.1 other, {via}"))
    assert got.status == 502 and "proxy_loop_detected" in got.get("Proxy-Status")
    assert len(origin.requests) == 1


@pytest.mark.parametrize("accept, kind, line", [
    ("*/*", "text/plain", "  curl --proxy {} http://example.com/"),
    ("text/html", "text/html", "<pre>curl --proxy {} http://example.com/</pre>"),
])
@shows("9110-9.1-1")
def test_the_proxys_own_address_shows_a_help_page(door, accept, kind, line):
    """Origin-form is for origins (RFC 9112 §3.2.1): "/" is answered with how to use the proxy."""
    address = "%s:%d" % (door.proxy.tls_address if door.name == "tls" else door.proxy.address)
    with door.connect() as client:
        got = client.ask(request("GET", "/", f"Accept: {accept}", host=address))
    assert got.status == 200 and got.get("Content-Type").startswith(kind)
    assert line.format(("https://" if door.name == "tls" else "http://") + address) in got.body.decode()
    assert "proxy_internal_response" in got.get("Proxy-Status")


@pytest.mark.parametrize("method, path", [("GET", "/nothing/here"), ("GET", "/?q"), ("POST", "/")])
def test_origin_form_elsewhere_is_404(proxy, method, path):
    """The proxy itself is no origin, and never asks itself."""
    with proxy.connect() as client:
        got = client.ask(request(method, path, host="%s:%d" % proxy.address))
    assert got.status == 404 and b"absolute-form" in got.body


@shows("9110-7.6-2")
def test_a_request_for_the_proxy_itself_is_no_loop(proxy):
    """An absolute target that is our own listener is not dialled, and no way is offered to change that."""
    with proxy.connect() as client:
        got = client.ask(request("GET", proxy.url + "/"))
    assert got.status == 403 and got.reason.endswith("(the proxy itself); nothing allows it)")
    assert b"To allow it" not in got.body and b"Nothing allows it." in got.body


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/file", "gopher://127.0.0.1/", "ws://127.0.0.1/"])
def test_other_schemes_are_refused_clearly(proxy, target):
    """A scheme that we do not speak is named in the answer."""
    with proxy.connect() as client:
        got = client.ask(request("GET", target))
    assert got.status in (400, 501) and b"http" in got.body.lower()


def test_tls_on_a_clear_listener_is_answered(proxy, certs):
    """A ClientHello on a clear listener ends at once and is named on stderr; nothing hangs."""
    import ssl
    with pytest.raises((ssl.SSLError, ConnectionError)):
        TlsWire(proxy.connect().sock, certs.client_context(), "localhost")
    proxy.wait_line(r"(?i)tls")


def test_clear_text_on_a_tls_listener_is_answered(stage):
    """A request in clear on a TLS listener gets 400 in clear, and a line on stderr."""
    proxy = stage.proxy(tls=True)
    from support.wire import connect
    with connect(proxy.tls_address) as client:
        client.send(request("GET", NOWHERE))
        answer = client.read_to_end()
    assert answer.startswith(b"HTTP/1.1 400"), answer
    assert Message(answer[:answer.index(b"\r\n\r\n") + 4]).status == 400
    proxy.wait_line(r"(?i)clear|plain|tls")


@shows("9112-9.5-1")
def test_a_slow_head_is_408(stage):
    """timeouts.client_head: RFC 9110 §15.5.9."""
    proxy = stage.proxy("--timeout", "client_head=200ms")
    with proxy.connect() as client:
        client.send(GOOD.encode())
        assert client.read_response().status == 408
        client.expect_end("fin")


URL = "http://127.0.0.1:9/x"
HEADS_AT_FAULT = {
    "a space before a colon": (400, URL, f"HEAD {URL} HTTP/1.1\r\nHost : x\r\n\r\n"),
    "two framings": (400, URL, f"HEAD {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "an unknown coding": (501, URL, f"HEAD {URL} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
    "a large head": (431, URL, f"HEAD {URL} HTTP/1.1\r\nHost: x\r\n" + f"X: {'y' * 1000}\r\n" * 70),
    "another version": (505, URL, f"HEAD {URL} HTTP/2.0\r\nHost: x\r\n\r\n"),
    "a long target": (414, None, f"HEAD {URL}{'y' * 33000} HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a malformed line": (400, None, f"HEAD {URL} y HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a late head": (408, URL, f"HEAD {URL} HTTP/1.1\r\nHost: x\r\n"),
    "a late line": (408, None, "HEAD http://127.0"),
}


@shows("9110-9.3.2-1")
@pytest.mark.parametrize("name", HEADS_AT_FAULT)
def test_what_was_understood_of_a_head_at_fault_counts(stage, name):
    """An answer to HEAD has no content, whatever else is wrong: RFC 9110 §9.3.2. The record names method and URL."""
    status, url, data = HEADS_AT_FAULT[name]
    proxy = stage.proxy(*(["--timeout", "client_head=300ms"] if status == 408 else []))
    with proxy.connect() as client:
        client.send(data.encode())
        answer = client.read_response("HEAD")
        client.expect_end("fin")
    assert answer.status == status and int(answer.get("Content-Length")) > 0
    record = proxy.record()
    assert (record.method, record.url, record.status) == ("HEAD", url, status)
    assert record.bytes["client_in"] == len(data) or name == "a large head"


def test_what_was_not_understood_is_not_told(proxy):
    """A record of bytes that begin no request has neither method nor URL nor version."""
    assert refusal(proxy, b"SSH-2.0-client\r\n\r\n").status == 400
    record = proxy.record()
    assert not {"method", "url", "http"} & set(record.json)


def test_a_silent_origin_is_504(stage):
    """timeouts.response_head: RFC 9110 §15.6.5, RFC 9209 http_response_timeout."""
    proxy = stage.proxy("--timeout", "response_head=200ms")
    origin = stage.origin(lambda conn: conn.read_request() and conn.hold())
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/"))
    assert got.status == 504 and "http_response_timeout" in got.get("Proxy-Status")
    assert proxy.record().end == "timeout"


def test_a_stalled_body_is_cut(stage):
    """timeouts.body_stall: the client sees a cut body, never a complete one."""
    proxy = stage.proxy("--timeout", "body_stall=200ms")

    def stalls(conn):
        conn.read_request()
        conn.send(ok(b"half", "Content-Length: 10", length=False))
        conn.hold()

    origin = stage.origin(stalls)
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        client.read_head()
        assert client.read_to_end() == b"half"
    assert proxy.record().end == "timeout"


def test_an_origin_that_leaves_during_the_request_is_told_apart(proxy, stage):
    """RFC 9209 connection_terminated: the words and the cause say that the request was still being sent."""
    def leaves(conn):
        conn.read_request_head()
        conn.close()

    origin = stage.origin(leaves)
    with proxy.connect() as client:
        client.send(request("POST", origin.url + "/", "Content-Length: 1000"))
        got = client.read_response()
    assert got.status == 502 and "connection_terminated" in got.get("Proxy-Status")
    record = proxy.record()
    assert (record.cause, record.ended_by) == ("send_failed", "upstream")
