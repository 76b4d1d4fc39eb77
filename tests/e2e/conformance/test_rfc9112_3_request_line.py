"""RFC 9112 §3 and §4: methods, targets, Host; and the status line."""
import pytest

from support.conform import FINE, heard, passed, raw, refused
from support.message import ok
from support.origin import replies
from support.shows import shows


@shows("9112-3-1")
@pytest.mark.parametrize("method", ["get", "Get", "PURGE", "M-SEARCH", "x", "!#$%&'*+-.^_`|~09", "M" * 2000],
                         ids=lambda method: method[:12])
def test_rfc9112_3_any_token_is_a_method(proxy, stage, method):
    """Methods in odd case, unknown ones and long ones pass as they are; case matters (RFC 9110 §9.1)."""
    assert passed(proxy, stage, method=method).method == method


@shows("9112-3-1", "9110-5.4-1")
def test_rfc9112_3_a_method_beyond_the_head_is_431(proxy, stage):
    """A method is bounded by the head alone."""
    refused(proxy, stage, raw(start="M" * 70_000 + " {url}/ HTTP/1.1"), 431)


@shows("9112-3-3", "9110-4.1-1", "9110-2.3-2", "9110-7.7-2")
@pytest.mark.parametrize("length", [8000, 32_000])
def test_rfc9112_3_long_targets_pass(proxy, stage, length):
    """At least 8,000 bytes, and four times as many, arrive as they were."""
    path = "/" + "a%2f" * (length // 8) + "?" + "b" * (length // 2)
    assert passed(proxy, stage, path=path).target == path


@shows("9112-3-2")
def test_rfc9112_3_a_longer_target_is_414(proxy, stage):
    """Beyond limits.target_bytes; RFC 9110 §15.5.15."""
    refused(proxy, stage, raw(start="GET {url}/" + "a" * 33_000 + " HTTP/1.1"), 414)


@shows("9112-3.2-1", "9112-3.2-2")
@pytest.mark.parametrize("start", [
    "GET  {url}/ HTTP/1.1", "GET {url}/  HTTP/1.1", "GET\t{url}/ HTTP/1.1", " GET {url}/ HTTP/1.1",
    "GET {url}/a b HTTP/1.1", "GET {url}/ HTTP/1.1 ", "GET {url}/", "GET {url}/ HTTP/1", "GET {url}/ HTTP/1.10",
    "GET {url}/ http/1.1", "GET {url}/ HTTP/one", "GET HTTP/1.1", "G(T {url}/ HTTP/1.1", "{url}/ HTTP/1.1",
    "GET {url}/\xe9 HTTP/1.1", "GET {url}/\x7f HTTP/1.1", "GE\0T {url}/ HTTP/1.1"])
def test_rfc9112_3_a_malformed_request_line_is_400(proxy, stage, start):
    """No white space is made up for or skipped, no redirect is offered, nothing is corrected and sent."""
    assert not refused(proxy, stage, raw(start=start)).has("Location")


@shows("9110-6.2-3")
@pytest.mark.parametrize("version", ["HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9"])
def test_rfc9110_6_2_another_major_version_is_505(proxy, stage, version):
    """RFC 9110 §15.6.6."""
    refused(proxy, stage, raw(start="GET {url}/ " + version), 505)


@shows("9110-15.6.6-1", "9110-15.6-1")
def test_rfc9110_15_6_6_a_505_says_what_is_supported(proxy, stage):
    """Its content names HTTP/1."""
    assert b"HTTP/1.x" in refused(proxy, stage, raw(start="GET {url}/ HTTP/2.0"), 505).body


@shows("9112-3.2-6")
@pytest.mark.parametrize("start, lines", [
    ("GET {url}/ HTTP/1.1", []),
    ("GET {url}/ HTTP/1.1", ["Host: {authority}", "Host: {authority}"]),
    ("GET {url}/ HTTP/1.1", ["Host: {authority}", "hOST: other.test"]),
    ("GET {url}/ HTTP/1.0", ["Host: {authority}", "Host: {authority}"]),
    ("GET {url}/ HTTP/1.1", ["Host: a/b"]), ("GET {url}/ HTTP/1.1", ["Host: a b"]),
    ("GET {url}/ HTTP/1.1", ["Host: a, b"]), ("GET {url}/ HTTP/1.1", ["Host: user@a"]),
    ("GET {url}/ HTTP/1.1", ["Host: a:99999"]), ("GET {url}/ HTTP/1.1", ["Host: a:b"]),
    ("GET {url}/ HTTP/1.1", ["Host: [::1"]), ("GET {url}/ HTTP/1.1", ["Host: http://a/"]),
    ("CONNECT {authority} HTTP/1.1", []), ("CONNECT {authority} HTTP/1.1", ["Host: a/b"]),
    ("OPTIONS * HTTP/1.1", []), ("OPTIONS * HTTP/1.1", ["Host: a", "Host: a"]), ("GET / HTTP/1.1", [])])
def test_rfc9112_3_2_a_missing_repeated_or_bad_host_is_400(proxy, stage, start, lines):
    """Whatever the form of the target, and although the target names the host."""
    refused(proxy, stage, raw(*lines, start=start, host=False))


@shows("9112-3.2-6", "9112-3.2-3", "9112-3.2-4", "9112-3.2.2-3", "9112-3.2.2-4", "9112-3.2.2-6", "9110-7.2-1",
       "9110-7.2-2")
@pytest.mark.parametrize("host", ["", "other.test", "OTHER.test:1", "127.0.0.1", "[::1]:80"])
def test_rfc9112_3_2_2_host_is_that_of_the_target(proxy, stage, host):
    """An empty Host, or one that differs from the target, is replaced; it is the first field."""
    origin = stage.origin(replies(FINE))
    with proxy.connect() as client:
        client.send(f"GET {origin.url}/ HTTP/1.1\r\nX: y\r\nHost: {host}\r\n\r\n".encode())
        assert client.read_response().status == 200
    got = origin.requests[0]
    assert got.values("Host") == [origin.authority] and got.names()[0] == "Host"


MALFORMED_TARGETS = {
    "user name": "http://user@{authority}/", "password": "http://user:secret@{authority}/", "empty user": "http://@{authority}/",
    "fragment": "{url}/#part", "fragment of a host": "{url}#part", "backslash in the path": "{url}/\\a",
    "backslash for a slash": "{url}\\a", "backslashes": "http:\\\\{authority}/",
    "zone": "http://[fe80::1%25eth0]:80/", "zone unescaped": "http://[fe80::1%eth0]:80/",
    "empty host": "http:///a", "port alone": "http://:80/", "empty brackets": "http://[]:80/", "no authority": "http:/a",
    "scheme alone": "http:", "no scheme": "{authority}", "port 0": "http://127.0.0.1:0/",
    "port 65536": "http://127.0.0.1:65536/", "long port": "http://127.0.0.1:000080/", "port with a sign": "http://127.0.0.1:+80/",
    "port in hex": "http://127.0.0.1:0x50/", "two ports": "http://127.0.0.1:80:80/", "open bracket": "http://[::1/",
    "junk behind a bracket": "http://[::1]x/", "octal address": "http://0177.0.0.1/", "short address": "http://127.1/",
    "number": "http://2130706433/", "escaped host": "http://127.0.0.%31/", "empty https host": "https:///a",
    "https port alone": "https://:443/"}


@shows("9110-4.2.1-1", "9110-4.2.1-2", "9110-4.2.2-1", "9110-4.2.2-2", "9110-4.2.4-1", "9110-4.2.4-2", "9112-3.2-1")
@pytest.mark.parametrize("name", MALFORMED_TARGETS)
def test_rfc9110_4_2_a_malformed_target_is_400(proxy, stage, name):
    """What two readers could take for different hosts is refused by name."""
    got = refused(proxy, stage, raw(start=f"GET {MALFORMED_TARGETS[name]} HTTP/1.1"))
    assert b"secret" not in got.body


@shows("9110-7.1-1", "9110-9.3.6-2")
@pytest.mark.parametrize("start", [
    "GET * HTTP/1.1", "GET {authority} HTTP/1.1", "OPTIONS ** HTTP/1.1", "CONNECT * HTTP/1.1", "CONNECT / HTTP/1.1",
    "CONNECT {url} HTTP/1.1", "CONNECT {authority}/ HTTP/1.1", "CONNECT {authority}?q HTTP/1.1",
    "CONNECT user@{authority} HTTP/1.1", "CONNECT 127.0.0.1 HTTP/1.1", "CONNECT 127.0.0.1: HTTP/1.1",
    "CONNECT 127.0.0.1:0 HTTP/1.1", "CONNECT 127.0.0.1:65536 HTTP/1.1", "CONNECT 127.0.0.1:http HTTP/1.1",
    "CONNECT :443 HTTP/1.1", "CONNECT [::1 HTTP/1.1"])
def test_rfc9110_7_1_forms_belong_to_their_methods(proxy, stage, start):
    """Authority-form is for CONNECT alone, and has a port; "*" is for OPTIONS alone."""
    refused(proxy, stage, raw(start=start))


@shows("9112-3.2.1-1", "9112-3.2.1-2", "9112-3.2.4-2", "9110-7.7-2")
@pytest.mark.parametrize("method, path, target", [
    ("GET", "", "/"), ("GET", "?q", "/?q"), ("GET", "/a//b/../%7e?x=\\y&&", "/a//b/../%7e?x=\\y&&"),
    ("OPTIONS", "", "*"), ("OPTIONS", "?q", "/?q"), ("OPTIONS", "/", "/"), ("HEAD", "", "/")])
def test_rfc9112_3_2_1_origins_get_origin_form(proxy, stage, method, path, target):
    """Path and query as they were; "/" or "*" for an empty path."""
    assert passed(proxy, stage, method=method, path=path).target == target


@shows("9112-4-1", "9112-4-2")
@pytest.mark.parametrize("line, wanted", [
    ("HTTP/1.1 299 ", "HTTP/1.1 299 "), ("HTTP/1.1 299", "HTTP/1.1 299 "), ("HTTP/1.1 200 ", "HTTP/1.1 200 OK"),
    ("HTTP/1.1 200 404 Not Found", "HTTP/1.1 200 404 Not Found"), ("HTTP/1.1 404 OK", "HTTP/1.1 404 OK")])
def test_rfc9112_4_the_status_line_is_whole(proxy, stage, line, wanted):
    """The space in front of the phrase is always there; the phrase decides nothing."""
    answer = heard(proxy, stage, f"{line}\r\nContent-Length: 4\r\n\r\nfine".encode())
    assert answer.start_line == wanted and answer.body == b"fine"


@shows("9110-15-2")
@pytest.mark.parametrize("status", ["600 Odd", "999 Denied"])
def test_rfc9110_15_odd_statuses_pass(proxy, stage, status):
    """Three digits from 100 on are the origin's to choose, and the client's to judge."""
    answer = heard(proxy, stage, ok(b"odd", status=status))
    assert answer.start_line == f"HTTP/1.1 {status}" and answer.body == b"odd"
