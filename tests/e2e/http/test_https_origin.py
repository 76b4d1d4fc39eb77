"""https:// in absolute-form: fetched over TLS by the proxy itself."""
import ssl
from contextlib import suppress

import pytest

from support.message import ok, request
from support.origin import replies, replies_forever
from support.shows import shows


@pytest.fixture
def proxy(stage, certs):
    return stage.proxy("--upstream-ca", certs.ca, "--workers", "1")


@shows("9110-4.2.2-3", "9110-4.3.4-1", "9110-4.3.4-2", "9110-4.3.4-3", "9112-9.7-1")
def test_https_targets_are_fetched_over_tls(proxy, stage, dns):
    """Name and certificate are checked, SNI is sent, the phase is recorded: RFC 9110 §4.2.2, §4.3.4."""
    names = []
    context = stage.certs.server_context()
    context.sni_callback = lambda sock, name, ctx: names.append(name)
    origin = stage.origin(replies(ok(b"secure")), tls=context)
    dns.add("origin.test", a=["127.0.0.1"])
    with proxy.connect() as client:
        got = client.ask(request("GET", f"https://origin.test:{origin.port}/x"))
    assert (got.status, got.body) == (200, b"secure") and names == ["origin.test"]
    assert origin.requests[0].target == "/x"
    record = proxy.record()
    assert record.upstream_tls["version"] == "1.3" and "tls" in record.phases
    assert record.mark("u_syn1") <= record.mark("u_tls0") <= record.mark("u_tls1")


@shows("9110-4.3.4-3")
def test_an_ip_literal_is_checked_too(proxy, stage):
    """RFC 9110 §4.3.5: the address is matched against the certificate's."""
    origin = stage.origin(replies(ok(b"secure")), tls=True)
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"secure"


def test_connections_over_tls_are_pooled(proxy, stage):
    """The second request pays no handshake."""
    origin = stage.origin(replies_forever(ok(b"secure")), tls=True)
    with proxy.connect() as client:
        for _ in range(2):
            assert client.ask(request("GET", origin.url + "/")).body == b"secure"
    assert len(origin.connections) == 1
    assert "tls" not in proxy.records(2)[1].phases


def test_a_new_connection_resumes_the_session(proxy, stage):
    """Resumption shortens later handshakes, and the record says so: RFC 8446 §2.2."""
    context = stage.certs.server_context()
    origin = stage.origin(replies_forever(ok(b"secure", "Connection: close")), tls=context)
    with proxy.connect() as client:
        for _ in range(2):
            client.ask(request("GET", origin.url + "/"))
    first, second = proxy.records(2)
    assert first.upstream_tls["resumed"] is False and second.upstream_tls["resumed"] is True


@shows("9110-4.2.2-3", "9110-4.3.4-1", "9110-4.3.4-7")
def test_an_unknown_authority_is_502(stage):
    """Without --upstream-ca the system's store does not know the test's CA: RFC 9209 tls_certificate_error."""
    proxy = stage.proxy()
    origin = stage.origin(lambda conn: conn.read_request(), tls=True)
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/"))
    origin.wait_failure()
    assert got.status == 502 and "tls_certificate_error" in got.get("Proxy-Status")
    assert origin.requests == []


@shows("9110-4.2.2-3", "9110-4.3.4-1", "9110-4.3.4-3")
def test_a_wrong_name_is_502(proxy, stage, certs):
    """RFC 9110 §4.3.4: a certificate for another name is refused before any byte of the request."""
    origin = stage.origin(lambda conn: conn.read_request(),
                          tls=certs.server_context(certs.other, certs.other_key))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/"))
    origin.wait_failure()
    assert got.status == 502 and "tls_certificate_error" in got.get("Proxy-Status")
    assert b"certificate" in got.body and origin.requests == []


def test_an_origin_without_tls_is_502(proxy, stage):
    """RFC 9209 tls_protocol_error."""
    def speaks_clear(conn):
        conn.fill()
        conn.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    origin = stage.origin(speaks_clear)
    with proxy.connect() as client:
        got = client.ask(request("GET", f"https://{origin.authority}/"))
    assert got.status == 502 and "tls_protocol_error" in got.get("Proxy-Status")


def test_http_and_https_do_not_share_connections(proxy, stage):
    """The pool's key holds all that makes two connections interchangeable."""
    plain, secure = stage.origin(replies(ok(b"plain"))), stage.origin(replies(ok(b"secure")), tls=True)
    with proxy.connect() as client:
        assert client.ask(request("GET", plain.url + "/")).body == b"plain"
        assert client.ask(request("GET", secure.url + "/")).body == b"secure"


@shows("9112-9.8-1", "9112-8-1", "9112-6.3-8")
def test_a_truncated_tls_body_is_visible(proxy, stage):
    """An end without close_notify in a body that ends with its connection is a cut body: RFC 9112 §9.8."""
    def cuts(conn):
        conn.read_request()
        conn.send(ok(b"half", length=False))
        conn.close()

    origin = stage.origin(cuts, tls=True)
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        head = client.read_head()
        rest = client.read_to_end() if head.status == 200 else b""
    assert head.status in (200, 502) and b"0\r\n\r\n" not in rest
    assert proxy.record().end != "done"


@shows("9112-9.2-2", "9112-6.3-13")
def test_records_behind_a_response_spoil_its_connection(proxy, stage):
    """What was decrypted or buffered behind a complete response is not the next one: RFC 9112 §9.2."""
    first = ok(b"", "Content-Length: 00000", length=False)
    body = b"x" * (16384 - len(first))  # the response alone fills what a first receive has room for
    first = ok(body, f"Content-Length: {len(body):05}", length=False)
    assert len(first) == 16384
    origin = stage.origin([replies(first + ok(b"poison")), replies(ok(b"second"))], tls=True)
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == body
        assert client.ask(request("GET", origin.url + "/")).body == b"second"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("ends", [True, False])
def test_an_end_that_comes_with_the_response_is_seen(proxy, stage, version, ends):
    """Behind close_notify, or a record that is none, in one segment with a whole response nothing more can be asked:
    a POST goes over a new connection. The old one has sent no FIN."""
    context = stage.certs.server_context()
    context.maximum_version = version

    def last(conn):
        conn.read_request()
        conn.tls.write(ok(b"first"))
        if ends:
            with suppress(ssl.SSLWantReadError):
                conn.tls.unwrap()
        else:
            conn.outgoing.write(b"\x17\x03\x03\x00\x20" + b"x" * 32)
        conn.sock.sendall(conn.outgoing.read())
        conn.stay()

    origin = stage.origin([last, replies(ok(b"second"))], tls=context)
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"first"
        assert client.ask(request("POST", origin.url + "/", body=b"pay")).body == b"second"
    assert len(origin.connections) == 2
