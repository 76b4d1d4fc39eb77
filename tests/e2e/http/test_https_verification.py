"""https:// in absolute-form: what is verified, and in which words a failure is told."""
import json
import re
import ssl
import subprocess

import pytest

from support.certs import Certs
from support.hello import EARLY_DATA, SERVER_NAME, read_hello, server_hello
from support.message import ok, request
from support.origin import echoes, replies_forever
from support.shows import shows

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture
def proxy(stage, certs):
    return stage.proxy("--upstream-ca", certs.ca, "--workers", "1", tls=True)


@pytest.fixture(scope="session")
def bad(session_folder, certs):
    """Certificates and what is wrong with them: (certificate, key), the words that say it."""
    folder = session_folder / "bad-certs"
    folder.mkdir()
    names = "DNS:localhost,DNS:origin.test,IP:127.0.0.1"
    other = Certs(folder)
    return {"expired": (certs.issue("expired", names, "serverAuth", is_expired=True), "expired"),
            "other-name": ((certs.other, certs.other_key), "not valid for this name"),
            "other-use": (certs.issue("use", names, "clientAuth"), "purpose"),
            "unknown-authority": ((other.server, other.server_key), "issuer"),
            "self-signed": (other.self_sign("self", names), "self.signed")}


def ask(client, origin, *fields):
    return client.ask(request("GET", f"https://origin.test:{origin.port}/", *fields))


@pytest.fixture(autouse=True)
def name(dns):
    dns.add("origin.test", a=["127.0.0.1"])


@shows("9110-4.2.2-3", "9110-4.3.4-1", "9110-4.3.4-2", "9110-4.3.4-6", "9110-4.3.4-7")
@pytest.mark.parametrize("kind", ["expired", "other-name", "other-use", "unknown-authority", "self-signed"])
@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
def test_a_bad_certificate_is_told_in_words(proxy, stage, certs, bad, kind, version):
    """RFC 9110 §4.3.4: no byte of the request goes to a server that did not prove who it is. Answer, Proxy-Status
    (RFC 9209 §2.3.14) and record say what is wrong, and the client's connection goes on."""
    paths, words = bad[kind]
    origin = stage.origin(lambda conn: conn.read_request(),
                          tls=certs.server_context(*paths, versions=(version, version)))
    good = stage.origin(replies_forever(ok(b"fine")), tls=True)
    with proxy.connect() as client:
        got = ask(client, origin)
        assert ask(client, good).body == b"fine"
    origin.wait_failure()
    assert got.status == 502 and "error=tls_certificate_error" in got.get("Proxy-Status")
    assert re.search(words, got.body.decode()) and re.search(words, got.get("Proxy-Status"))
    first, second = proxy.records(2)
    assert (first.kind, first.cause, first.end) == ("local", "tls_certificate", "error")
    assert re.search(words, first.detail) and "connect" in first.phases and first.mark("u_tls0")
    assert first.bytes["upstream_out"] == 0 and second.status == 200


def test_the_failure_can_be_read_by_programs(proxy, stage, certs, bad):
    """With Accept: application/json the body names cause and phase."""
    paths, _ = bad["expired"]
    origin = stage.origin(lambda conn: conn.read_request(), tls=certs.server_context(*paths))
    with proxy.connect() as client:
        told = json.loads(ask(client, origin, "Accept: application/json").body)
    origin.wait_failure()
    assert "tls_certificate" in told.values() or "tls_certificate_error" in told.values(), told
    assert "tls" in told.values(), told


@pytest.mark.parametrize("version,text", [(TLS12, "1.2"), (TLS13, "1.3")], ids=["1.2", "1.3"])
def test_both_versions_are_pooled_and_resumed(proxy, stage, certs, version, text):
    """One connection serves two requests; a new one resumes the session; the records tell each apart."""
    answers = iter([ok(b"fine"), ok(b"fine", "Connection: close"), ok(b"fine")])

    def script(conn):
        while conn.buffer or conn.fill(3600):
            conn.read_request()
            conn.send(next(answers))
    origin = stage.origin(script, tls=certs.server_context(versions=(version, version)))
    with proxy.connect() as client:
        for _ in range(3):
            assert ask(client, origin).body == b"fine"
    first, pooled, resumed = proxy.records(3)
    assert first.upstream_tls["version"] == text and first.upstream_tls["resumed"] is False
    assert first.upstream_tls["cipher"].startswith("0x") and first.upstream_tls["cipher_name"].startswith("TLS_")
    assert pooled.upstream_conn["use"] == 2
    assert abs(pooled.upstream_conn["paid_tls_us"] - first.phases["tls"]) <= 1
    assert not {"dns", "connect", "tls"} & set(pooled.phases)
    assert resumed.upstream_conn["use"] == 1 and resumed.upstream_tls["resumed"] is True
    assert "tls" in resumed.phases


def test_both_legs_may_be_tls(proxy, stage, certs):
    """TLS to the proxy and TLS to the origin: the record has both."""
    origin = stage.origin(replies_forever(ok(b"fine")), tls=True)
    with proxy.connect(tls=certs.client_context()) as client:
        assert ask(client, origin).body == b"fine"
    record = proxy.record()
    assert record.client_tls["version"] == record.upstream_tls["version"] == "1.3"
    assert {"client_tls", "tls"} <= set(record.phases)


@pytest.mark.parametrize("leaves", [False, True], ids=["stays", "leaves"])
def test_an_early_response_over_tls(proxy, stage, certs, leaves):
    """An answer that comes in the middle of an upload arrives whole with TLS on both legs, also where the origin then
    takes no more of it: RFC 9112 §9.3, §9.5."""
    answer = b"too large" * (100 if leaves else 10_000)  # an origin's reset takes back what is still in its kernel
    total = 10_000_000

    def answers_early(conn):
        conn.read_request_head()
        conn.send(ok(answer, "Connection: close", status="413 Content Too Large"))
        conn.half_close()
        conn.stay() if not leaves else None

    origin = stage.origin(answers_early, tls=True)
    client = stage.client(proxy.connect(tls=certs.client_context()))
    client.send(request("POST", f"https://origin.test:{origin.port}/", f"Content-Length: {total}") + bytes(100_000))
    got = client.read_response("POST")
    assert (got.status, got.body) == (413, answer)
    record = proxy.record()
    assert (record.status, record.cause, record.bytes["response_body"]) == (413, None, len(answer))
    assert record.client_tls and record.upstream_tls


def test_a_tunnel_and_a_fetch_do_not_share(proxy, stage):
    """A tunnel to the same host and port is a connection of its own, in clear as far as the proxy knows."""
    origin = stage.origin(replies_forever(ok(b"fine")), tls=True)
    other = stage.origin(echoes)
    with proxy.connect() as client:
        assert ask(client, origin).body == b"fine"
        client.send(request("CONNECT", other.authority))
        assert client.read_head().status == 200
        client.send(b"ping")
        assert client.read(4) == b"ping"
        client.half_close()
        client.expect_end("fin")
    fetch, tunnel = proxy.records(2)
    assert fetch.upstream_tls and not tunnel.upstream_tls


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_an_alert_is_told_as_one(proxy, stage, certs):
    """RFC 9209 §2.3.15: tls_alert_received, here from an origin that speaks old versions alone."""
    context = certs.server_context(versions=(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1))
    context.set_ciphers("ALL:@SECLEVEL=0")
    origin = stage.origin(lambda conn: conn.read_request(), tls=context)
    with proxy.connect() as client:
        got = ask(client, origin)
    origin.wait_failure()
    assert got.status == 502 and "error=tls_alert_received" in got.get("Proxy-Status")


def test_what_is_offered_to_origins(proxy, stage):
    """http/1.1 alone (RFC 7301 §3.1), TLS 1.3 and 1.2 alone (RFC 8996), no compression, no early data, the name in
    clear; forward secrecy first, and no cipher without encryption, without authentication, or older than AES."""
    heard = []
    origin = stage.origin(lambda conn: heard.append(read_hello(conn)))
    with proxy.connect() as client:
        assert ask(client, origin).status == 502
    hello, = heard
    assert (hello.alpn, hello.versions, hello.compressions) == (["http/1.1"], ["0x0304", "0x0303"], b"\0")
    assert hello.extensions[SERVER_NAME].endswith(b"\0\0\x0borigin.test") and EARLY_DATA not in hello.extensions
    known = ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    offered = [known[code] for code in hello.ciphers if code != RENEGOTIATION_INFO]
    assert all("Enc=AES" in words or "Enc=CHACHA20" in words for words in offered), offered
    assert not any("Au=None" in words or "PSK" in words or "SRP" in words for words in offered), offered
    is_forward = ["Kx=RSA " not in words for words in offered]
    assert is_forward == sorted(is_forward, reverse=True) and "Mac=AEAD" in offered[0], offered


RENEGOTIATION_INFO = "0x00ff"


def ciphers(which):
    """What openssl knows of them: code and words."""
    lines = subprocess.run(["openssl", "ciphers", "-V", which], capture_output=True, text=True, check=True).stdout
    found = (line.strip().split(" - ", 1) for line in lines.splitlines())
    return {code.strip().replace(",0x", "").lower(): words for code, words in found}


@pytest.mark.without_faults  # the alert
@pytest.mark.parametrize("version, cipher, words", [
    (0x0302, 0xC009, "no TLS version"), (0x0301, 0xC009, "no TLS version"), (0x0300, 0xC009, "no TLS version"),
    (0x0303, 0x0002, "cipher returned"), (0x0303, 0x0005, "cipher returned"), (0x0303, 0x000A, "cipher returned"),
    (0x0303, 0x0034, "cipher returned"),
], ids=["tls1.1", "tls1.0", "ssl3", "null", "rc4", "3des", "anonymous"])
def test_an_origin_cannot_choose_what_was_not_offered(proxy, stage, version, cipher, words):
    """RFC 8446 §4.1.3, RFC 8996: an old version or a weak cipher in the ServerHello ends the handshake."""
    heard = []

    def chooses(conn):
        read_hello(conn)
        conn.send(server_hello(version, cipher))
        heard.append(conn.read_to_end())
    origin = stage.origin(chooses)
    with proxy.connect() as client:
        got = ask(client, origin)
    assert got.status == 502 and "error=tls_protocol_error" in got.get("Proxy-Status"), got
    assert words in got.body.decode()
    origin.changed.wait(lambda: heard, "the alert")
    assert heard[0][:1] == b"\x15" and heard[0][5:6] == b"\x02"  # an alert, fatal


def test_an_alert_after_the_handshake_is_no_response(proxy, stage, certs):
    """In TLS 1.3 an origin that wants a client certificate says so when our handshake is done (RFC 8446 §4.4.2.4):
    that is TLS's fault, not HTTP's."""
    origin = stage.origin(lambda conn: conn.read_request(), tls=certs.server_context(client_ca=True))
    with proxy.connect() as client:
        got = ask(client, origin)
    origin.wait_failure()
    assert got.status == 502 and "error=tls_" in got.get("Proxy-Status"), got
