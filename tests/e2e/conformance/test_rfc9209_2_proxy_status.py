"""RFC 9209 §2: what Proxy-Status says, and where."""
import re

import pytest

from support.conform import heard
from support.message import chunked, ok, request
from support.origin import replies_and_closes
from support.shows import shows

STRING = r'"([^"\\\x00-\x1f\x7f-\xff]|\\["\\])*"'
MEMBER = re.compile(rf"([A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*|{STRING})(; [a-z-]+=([a-z_]+|\d+|{STRING}))*")


@shows("9209-2-1", "9110-5.6.4-2")
@pytest.mark.parametrize("target", ["http://10.0.0.1/", "http://127.0.0.1:9/", "http://127.0.0.1:9/a\"b", "ftp://a\"b/", "/a"])
def test_rfc9209_2_a_member_is_a_structured_field(proxy, target):
    """Our name, then parameters; whatever the request holds."""
    with proxy.connect() as client:
        answer = client.ask(request("GET", target, host="x"))
    assert len(answer.values("Proxy-Status")) == 1 and MEMBER.fullmatch(answer.get("Proxy-Status"))


@shows("9209-2-2", "9209-2-4", "9209-2-5")
def test_rfc9209_2_members_of_others_are_kept(proxy, stage):
    """Header and trailer fields of an origin's response pass as they came; we add none to it."""
    body = chunked(b"x", trailers=["Proxy-Status: inner; error=dns_error"])
    answer = heard(proxy, stage, ok(body, "Proxy-Status: inner; details=\"a\", second", "Transfer-Encoding: chunked", length=False))
    assert answer.values("Proxy-Status") == ["inner; details=\"a\", second"]
    assert answer.trailers == [("Proxy-Status", "inner; error=dns_error")]


@shows("9209-2-4", "9209-2-5")
def test_rfc9209_2_a_late_failure_adds_no_trailer(proxy, stage):
    """Once the head is out a failure is shown by the cut alone."""
    origin = stage.origin(replies_and_closes(ok(b"4\r\nhalf\r\n", "Transfer-Encoding: chunked", length=False)))
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        assert not client.read_head().has("Proxy-Status")
        assert client.read_to_end() == b"4\r\nhalf\r\n"


@shows("9209-2.1.1-1", "9209-2.1.1-2")
@pytest.mark.parametrize("data, status, error", [
    ("GET http://127.0.0.1:9/ HTTP/1.1\r\n\r\n", 400, "http_request_error"), ("GET /a HTTP/1.1\r\nHost: x\r\n\r\n", 404, "http_request_error"),
    ("GET http://10.0.0.1/ HTTP/1.1\r\nHost: x\r\n\r\n", 403, "destination_ip_prohibited"),
    ("CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: x\r\n\r\n", 403, "destination_ip_prohibited"),
    ("GET http://127.0.0.1:9/ HTTP/1.1\r\nHost: x\r\n\r\n", 403, "http_request_denied"),
    ("GET {url}/ HTTP/1.1\r\nHost: x\r\n\r\n", 502, "connection_refused"),
    ("GET http://none.invalid/ HTTP/1.1\r\nHost: x\r\n\r\n", 502, "dns_error"),
    ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, "proxy_internal_response")])
def test_rfc9209_2_1_1_the_error_and_its_status(proxy, stage, data, status, error):
    """The most specific type, with the status that goes with it."""
    nobody = stage.origin([])
    nobody.stop_listening()
    with proxy.connect() as client:
        client.send(data.format(url=nobody.url).encode())
        answer = client.read_response()
    assert answer.status == status and f"; error={error}" in answer.get("Proxy-Status"), answer


@shows("9209-2.1.1-1")
@pytest.mark.parametrize("response, error", [
    (b"hello\r\n\r\n", "http_protocol_error"), (b"", "connection_terminated"), (b"HTTP/1.1 200 OK\r\nX: y", "connection_terminated"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "http_response_header_section_size"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "http_response_transfer_coding"),
    (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "http_upgrade_failed")])
def test_rfc9209_2_1_1_the_error_of_a_bad_response(proxy, stage, response, error):
    """Each fault of an origin has its own type."""
    origin = stage.origin(replies_and_closes(response))
    with proxy.connect() as client:
        answer = client.ask(request("GET", origin.url + "/"))
    assert answer.status == 502 and f"; error={error};" in answer.get("Proxy-Status")
