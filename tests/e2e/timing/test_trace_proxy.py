"""fairlead trace --proxy: the whole way of a client of another proxy, with what each step takes and how each may fail."""
import base64
import json
import re
import socket
import ssl
import threading
import time
from contextlib import suppress

import pytest

from support import users
from support.admin import in_own_network
from support.har import check_har
from support.message import ok
from support.ops import closed_port, told
from support.origin import replies_and_closes, replies_forever
from support.record import Record
from support.schema import check_log

CUT = 2_000  # ns by which a cut mark may seem too early
TLS12 = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
TUNNELLED = ["blocked", "connect", "parent", "tls", "send", "wait", "load"]
OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def url_of(proxy, userinfo="", is_tls=False):
    """Of one of our own; over TLS by a name that its certificate has."""
    return (f"https://{userinfo}localhost:{proxy.tls_address[1]}" if is_tls else
            f"http://{userinfo}{proxy.address[0]}:{proxy.address[1]}")


def trace(stage, url, *words):
    """Exit code, standard output, standard error; the suite's own authority is trusted."""
    code, out, said = told(stage, "trace", "--upstream-ca", stage.certs.ca, "--proxy", url, *words)
    assert all(secret not in out + said for secret in ("s3cret", "Basic", base64.b64encode(b"alice:s3cret").decode()))
    return code, out, said


def record_of(stage, url, *words):
    """Exit code, and the record of one transaction, which fits the schema."""
    code, out, said = trace(stage, url, "--json", *words)
    check_log(out.splitlines())
    assert said == "" and len(out.splitlines()) == 1, out + said
    return code, Record(out)


def rows_of(out):
    return [line.split()[0] for line in out.splitlines() if re.match(r"  [a-z_]+ ", line)]


def in_order(record, *names):
    marks = [record.marks[name] for name in names]
    assert marks == sorted(marks), list(zip(names, marks))


def within(record, begin, at, end):
    """What a player stamped lies between two marks."""
    assert record.mark(begin) - CUT <= at <= record.mark(end) + CUT, (begin, end)


def pump(source, sink):
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def relays(stamps, to):
    """A proxy that opens each tunnel to the same origin, and stamps what it does."""
    def script(conn):
        conn.read_request()
        stamps["asked"] = time.monotonic_ns()
        with socket.create_connection(("127.0.0.1", to.port), timeout=10) as up:
            conn.pause(0.05)  # so that to open it has a length
            stamps["opened"] = time.monotonic_ns()
            conn.send(OPENED)
            back = threading.Thread(target=pump, args=(up, conn.sock), daemon=True)
            back.start()
            pump(conn.sock, up)
            back.join(10)
    return script


# ---- the whole way
def test_a_plain_request_is_the_proxys_to_answer(stage, proxy):
    """The connect is that to the proxy, the answer its own."""
    origin = stage.origin(replies_forever(ok(b"x" * 1000)))
    code, out, said = trace(stage, url_of(proxy), origin.url + "/a")
    assert (code, said) == (0, "") and proxy.record().url == origin.url + "/a"
    first, title, connection, *_ = out.splitlines()
    assert first == "through the proxy %s:%d" % proxy.address and connection.endswith("%s:%d" % proxy.address)
    assert re.fullmatch(rf"GET {re.escape(origin.url)}/a  200  1\.00KB in \S+s", title)
    assert rows_of(out) == ["blocked", "connect", "send", "wait", "load"]


def test_https_goes_the_whole_way(stage, proxy, dns):
    """CONNECT, TLS with the origin that is verified and has its name and protocol, the request, the answer: each a row."""
    origin = stage.origin(replies_forever(ok(b"x" * 1000)), tls=True)
    dns.add("origin.test", a=["127.0.0.1"])
    url = f"https://origin.test:{origin.port}/a?b"
    code, out, said = trace(stage, url_of(proxy), url)
    assert (code, said) == (0, "") and out.isascii() and all(len(line) <= 80 for line in out.splitlines())
    assert re.fullmatch(rf"GET {re.escape(url)}  200  1\.00KB in \S+s", out.splitlines()[1])
    assert rows_of(out) == TUNNELLED and re.search(r"^  tls .* TLS 1\.3$", out, re.M)
    asked, = origin.requests
    assert (asked.method, asked.target, asked.get("Host")) == ("GET", "/a?b", f"origin.test:{origin.port}")
    assert origin.connections[0].tls.selected_alpn_protocol() == "http/1.1" and not asked.has("Proxy-Authorization")
    tunnel = proxy.record()
    assert (tunnel.kind, tunnel.url, tunnel["sni"]) == ("tunnel", f"origin.test:{origin.port}", "origin.test")


def test_each_mark_lies_where_it_happened(stage):
    """The players' stamps lie within the phases that are theirs, and the marks are in order."""
    stamps = {}

    def script(conn):
        stamps["shaken"] = time.monotonic_ns()
        conn.read_request()
        stamps["requested"] = time.monotonic_ns()
        conn.pause(0.05)
        stamps["answered"] = time.monotonic_ns()
        conn.send(ok(b"x" * 50)[:-10])
        conn.pause(0.05)
        stamps["last"] = time.monotonic_ns()
        conn.send(b"x" * 10)
        conn.hold()
    origin = stage.origin(script, tls=True)
    other = stage.origin(relays(stamps, origin))
    code, record = record_of(stage, other.url, f"https://127.0.0.1:{origin.port}/")
    assert code == 0 and (record.kind, record.status, record["bytes"]["response_body"]) == ("exchange", 200, 50)
    in_order(record, "c_head", "u_syn0", "u_syn1", "u_px0", "u_px1", "u_tls0", "u_tls1", "u_tx0", "u_tx1", "u_rx0", "u_rxh",
             "u_rx1", "x_end")
    within(record, "u_px0", stamps["asked"], "u_px1")
    within(record, "u_px0", stamps["opened"], "u_px1")
    within(record, "u_tls0", stamps["shaken"], "u_rx0")
    within(record, "u_tx0", stamps["requested"], "u_rx0")
    within(record, "u_tx1", stamps["answered"], "u_rx0")
    within(record, "u_rx0", stamps["last"], "u_rx1")
    assert record.phases["parent"] >= 50_000
    assert record.phases["total"] >= sum(record.phases[phase] for phase in ("connect", "parent", "tls", "send", "wait", "load"))
    assert record.upstream_tls["version"] == "1.3" and "inside" not in record.json and "pace" not in record.json


def test_a_proxy_that_speaks_tls_has_a_phase_of_its_own(stage):
    """TLS with the proxy, verified as its own name; inside of that CONNECT, and TLS with the origin."""
    proxy = stage.proxy(tls=True)
    origin = stage.origin(replies_forever(ok(b"fine")), tls=True)
    clear = stage.origin(replies_forever(ok(b"fine")))
    url = url_of(proxy, is_tls=True)
    code, out, said = trace(stage, url, f"https://127.0.0.1:{origin.port}/", "--serial", clear.url + "/")
    assert (code, said) == (0, "") and out.startswith("through the proxy localhost:%d over TLS\n" % proxy.tls_address[1])
    inside = ["parent_tls", *TUNNELLED[2:]]
    assert [row for row in rows_of(out) if row not in ("blocked", "dns", "connect")] == [
        *inside, "parent_tls", "send", "wait", "load"]
    code, record = record_of(stage, url, f"https://127.0.0.1:{origin.port}/")
    in_order(record, "u_syn1", "u_pt0", "u_pt1", "u_px0", "u_px1", "u_tls0", "u_tls1", "u_tx0", "u_rx0", "x_end")
    assert code == 0 and all(seen.client_tls["version"] == "1.3" for seen in proxy.records(3))
    assert record.parent_tls["version"] == record.upstream_tls["version"] == "1.3" and record.parent_tls["cipher_name"]
    assert re.search(r"^  parent_tls .* TLS 1\.3$", out, re.M) and re.search(r"^  tls .* TLS 1\.3$", out, re.M)


def test_later_rounds_resume_both_sessions(stage):
    """As a connection of the proxy itself would; the log and the waterfall say it."""
    proxy = stage.proxy(tls=True)
    origin = stage.origin(replies_and_closes(ok(b"fine")), tls=True)
    words = ["--serial", *[f"https://127.0.0.1:{origin.port}/{n}" for n in range(3)]]
    code, out, _ = trace(stage, url_of(proxy, is_tls=True), "--json", *words)
    records = [Record(line) for line in out.splitlines()]
    assert code == 0 and [(record.parent_tls["resumed"], record.upstream_tls["resumed"]) for record in records] == [
        (False, False), (True, True), (True, True)]
    code, out, _ = trace(stage, url_of(proxy, is_tls=True), *words)
    assert code == 0 and len(re.findall(r"TLS 1\.3, resumed$", out, re.M)) == 4
    code, out, _ = told(stage, "trace", "--allow", "127.0.0.0/8", "--upstream-ca", stage.certs.ca, "--json", *words)
    assert [Record(line).upstream_tls["resumed"] for line in out.splitlines()] == [False, True, True]


def test_archives_are_exact(stage):
    """`ssl` and what was needed to reach the origin lie within `connect`, and sums are exact; also of what failed."""
    proxy = stage.proxy(tls=True)
    origin = stage.origin(replies_forever(ok(b"fine")), tls=True)
    clear = stage.origin(replies_forever(ok(b"none", status="404 Not Found")))
    mute = stage.origin(lambda conn: conn.hold())
    url = f"https://127.0.0.1:{origin.port}/"
    code, out, said = trace(stage, url_of(proxy, is_tls=True), "--repeat", "3", "--har", url, clear.url + "/",
                            "https://10.0.0.1/", clear.authority, f"https://{mute.authority}/",
                            "--timeout", "upstream_tls=300ms")
    entries = check_har(out)
    assert (code, said, len(entries)) == (1, "", 15)
    assert {(entry["request"]["method"], entry["request"]["url"], entry["response"]["status"]) for entry in entries} == {
        ("GET", url, 200), ("GET", clear.url + "/", 404), ("GET", "https://10.0.0.1/", 403),
        ("CONNECT", f"connect://{clear.authority}", 200), ("GET", f"https://{mute.authority}/", 0)}
    for entry in entries:
        timings = entry["timings"]
        assert timings.get("_proxy_tls", 0) + timings.get("_proxy", 0) + max(timings["ssl"], 0) <= timings["connect"]
        assert (timings["ssl"] == -1) == (entry["request"]["url"] not in (url, f"https://{mute.authority}/"))


def test_percentiles_have_every_phase(stage, proxy):
    origin = stage.origin(replies_forever(ok(b"fine")), tls=True)
    code, out, _ = trace(stage, url_of(proxy), "--repeat", "20", f"https://127.0.0.1:{origin.port}/")
    assert code == 0 and len(origin.requests) == 20
    counts = {line.split()[0]: line.split()[1] for line in out.split("max\n")[1].splitlines()}
    assert {phase: counts[phase] for phase in [*TUNNELLED[1:], "total"]} == dict.fromkeys([*TUNNELLED[1:], "total"], "20")


def test_a_tunnel_is_timed_to_its_opening(stage, proxy):
    """HOST:PORT: the CONNECT is all, and nothing is sent to the origin."""
    origin = stage.origin(lambda conn: conn.expect_end("fin", "rst"))
    code, out, _ = trace(stage, url_of(proxy), origin.authority)
    assert code == 0 and out.splitlines()[1].startswith(f"CONNECT {origin.authority}  200 in ")
    assert rows_of(out) == ["blocked", "connect", "parent"]


def test_methods_and_bodies_pass(stage, proxy):
    """A method without content in its answer, one with content in its request, an answer in chunks and one to the end."""
    answers = [ok(b""), ok(b"fine"), b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"4\r\nfine\r\n0\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\nfine"]
    origin = stage.origin(lambda conn: (conn.read_request(), conn.send(answers[len(origin.requests) - 1]), conn.half_close(),
                                        conn.hold()), tls=True)
    url = f"https://127.0.0.1:{origin.port}"
    sizes = []
    for method, path in (("HEAD", ""), ("POST", "?q"), ("OPTIONS", ""), ("GET", "/")):
        code, record = record_of(stage, url_of(proxy), "--method", method, url + path)
        assert (code, record.method, record.url, record.status) == (0, method, url + path, 200)
        sizes.append((record["bytes"].get("response_body", 0), "u_1xx" in record.marks))
    assert sizes == [(0, False), (4, False), (4, True), (4, False)]
    assert [asked.target for asked in origin.requests] == ["/", "/?q", "*", "/"]
    assert origin.requests[1].get("Content-Length") == "0"


# ---- who asks
def with_users(stage, **more):
    return stage.proxy("--users", users.write(stage.folder, f"alice:{users.SHA256}\ns3c%ret:{users.SHA256}\n"), **more)


def test_credentials_are_sent_to_the_proxy_alone(stage):
    """Percent-decoded, with each request that the proxy is meant to understand, and in no output."""
    seen = []

    def script(conn):
        asked = conn.read_request()
        seen.append((asked.method, asked.get("Proxy-Authorization")))
        conn.send(ok(b"fine") if asked.method == "GET" else b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
        conn.hold()
    other = stage.origin(script)
    url = other.url.replace("//", "//al%69ce:p%40s%3As%2f%C3%A9@")
    for word in ("http://a.example/", "https://a.example/", "a.example:443"):
        trace(stage, url, word)
        trace(stage, url, "--json", word)
    field = "Basic " + base64.b64encode("alice:p@s:s/é".encode()).decode()
    assert seen == [("GET", field)] * 2 + [("CONNECT", field)] * 4


def test_a_proxy_that_says_the_credentials_back_shows_none(stage):
    """In its reason phrase or Proxy-Status, which are shown; trace() looks for them in all output."""
    token = base64.b64encode(b"alice:s3cret")
    echoes = (b"HTTP/1.1 403 no " + token + b" here, " + token + b"\r\nContent-Length: 0\r\n\r\n", refuses(TEXT, b"no " + token))
    for answer, word in ((echoes[0], "https://a.example/"), (echoes[0], "http://a.example/"), (echoes[1], "http://a.example/")):
        url = stage.origin(answers(answer)).url.replace("//", "//alice:s3cret@")
        for form in ([], ["--json"], ["--har"]):
            code, out, _ = trace(stage, url, *form, word)
            assert code == 1 and "****" in out


@pytest.mark.parametrize("padding", [260, 275, 285])
def test_a_part_of_the_credentials_is_not_shown(stage, padding):
    """What is said back may be cut in its middle, or differ in its last characters: all that is like them is covered."""
    token = base64.b64encode(b"alice:s3cret!")
    said = b"no " + token.rstrip(b"=") + b"x" * padding + token
    url = stage.origin(answers(b"HTTP/1.1 403 " + said + b"\r\nContent-Length: 0\r\n\r\n")).url.replace("//", "//alice:s3cret!@")
    for word in ("https://a.example/", "http://a.example/"):
        code, out, _ = trace(stage, url, "--json", word)
        assert code == 1 and f"403 no {'*' * len(token.rstrip(b'='))}xxx" in out
        assert not any(token[:len(token) - cut].decode() in out for cut in range(len(token) - 3))


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_proxy_that_must_know_who_asks(stage, is_tls):
    """With the right credentials in the URL, or with the password in a file; the origin never sees them."""
    proxy = with_users(stage, tls=is_tls)
    origin = stage.origin(replies_forever(ok(b"fine")), tls=True)
    clear = stage.origin(replies_forever(ok(b"fine")))
    password = users.write(stage.folder, "secret\r\nmore\n", "password")
    for who, more in (("alice:secret@", []), ("alice@", ["--proxy-password-file", password]), ("s3c%25ret:secret@", [])):
        words = [url_of(proxy, who, is_tls), *more, f"https://127.0.0.1:{origin.port}/", clear.url + "/"]
        code, out, said = told(stage, "trace", "--upstream-ca", stage.certs.ca, "--proxy", *words)
        assert (code, said) == (0, "") and "secret" not in out and "alice" not in out, out
    assert {record.json["user"] for record in proxy.records(6)} == {"alice", "s3c%ret"}
    assert not any(asked.has("Proxy-Authorization") for asked in [*origin.requests, *clear.requests])


@pytest.mark.parametrize("userinfo, cause, words", [
    ("", "auth_needed", "refused: The proxy must know who asks\nto allow it: --proxy http://USER:PASSWORD@HOST:PORT\n"),
    ("alice:s3cret@", "auth_failed", "refused: The credentials for the proxy are not right\n")])
def test_a_407_is_told(stage, userinfo, cause, words):
    """Who was asked for, or not believed; whether the request was one, or a CONNECT."""
    proxy = with_users(stage)
    for word in ("https://a.example/", "http://a.example/", "a.example:443"):
        code, record = record_of(stage, url_of(proxy, userinfo), word)
        assert (code, record.status, record.end, record.cause) == (1, 407, "refused", cause)
        assert "tls" not in record.phases and ("parent" in record.phases) == (word != "http://a.example/")
        code, out, _ = trace(stage, url_of(proxy, userinfo), word)
        assert code == 1 and f" {word}  407 " in out and words in out


def test_a_refused_tunnel_shows_the_proxys_words(stage, proxy):
    """The status, and the reason phrase, in which a proxy of ours says what would allow it."""
    code, out, _ = trace(stage, url_of(proxy), "https://10.0.0.1/")
    assert code == 1 and "GET https://10.0.0.1/  403 in" in out and rows_of(out) == ["blocked", "connect", "parent"]
    shown = " ".join(out.split())
    assert "error: The proxy does not open the tunnel: 403 " in shown and "--allow 10.0.0.1" in shown
    code, record = record_of(stage, url_of(proxy), f"https://127.0.0.1:{closed_port()}/")
    assert (code, record.status, record.end) == (1, 502, "error")
    assert re.match("The proxy does not open the tunnel: 502 Bad Gateway; .*; error=connection_refused", record.detail)


def refuses(head=b"", body=b"", reason=b"Forbidden"):
    return (b"HTTP/1.1 403 " + reason + b"\r\n" + head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


TEXT = b"Content-Type: text/plain; charset=utf-8\r\n"
HTML = b"Content-Type: text/html\r\n"
SAYS = b'Proxy-Status: p; error=http_request_denied; details="no entry"\r\n'


@pytest.mark.parametrize("answer, end, words", [
    (refuses(reason=b"no entry"), "done", "The proxy answers: 403 no entry"),
    (refuses(SAYS), "error", 'The proxy does not forward the request: 403 Forbidden; p; error=http_request_denied; details="no entry"'),
    (refuses(b"Proxy-Status: p; received-status=403\r\n"), "done", "The proxy answers: 403 Forbidden; p; received-status=403"),
    (refuses(TEXT, b"\r\nno entry\r\nmore"), "done", "The proxy answers: 403 Forbidden: no entry"),
    (refuses(HTML, b"<html><title>no entry</title>" + b"x" * 5000), "done", "The proxy answers: 403 Forbidden: no entry"),
    (refuses(TEXT, b"a\x9b31m\xff\x1b[31mb"), "done", "The proxy answers: 403 Forbidden: a"),
    (refuses(TEXT, b"x" * 5000), "done", "The proxy answers: 403 Forbidden: " + "x" * 160 + "..."),
    (refuses(TEXT + SAYS, b"other"), "error", 'The proxy does not forward the request: 403 Forbidden; p; error=http_request_denied; details="no entry"'),
    (refuses(), "done", "The proxy answers: 403 Forbidden"),
], ids=["reason", "status_error", "status", "text", "html", "control", "long", "both", "none"])
def test_a_refused_request_shows_the_proxys_words(stage, answer, end, words):
    """Reason, Proxy-Status, or a line of its page, none of which a terminal would obey; it may be the origin's answer, unless
    Proxy-Status says that a proxy failed."""
    other = stage.origin(replies_forever(answer))
    code, record = record_of(stage, other.url, "http://a.example/")
    assert (code, record.status, record.end) == (1, 403, end) and record.detail.startswith(words)
    code, out, _ = trace(stage, other.url, "http://a.example/")
    whole = "".join(out.split())  # lines are broken at words, and in long ones
    assert code == 1 and "".join((("error: " if end == "error" else "") + words).split()) in whole
    assert out.isascii() and "\x1b" not in out and all(len(line) <= 80 for line in out.splitlines())


@pytest.mark.parametrize("more, end", [(["--timeout", "body_stall=300ms"], "timeout"), (["--max-time", "300ms"], "timeout"),
                                       ([], "error")], ids=["stall", "max-time", "cut"])
@pytest.mark.parametrize("head, words", [(SAYS, 'error=http_request_denied; details="no entry"'), (TEXT, "403 Forbidden: no entry")],
                         ids=["head", "body"])
def test_a_refusal_whose_body_does_not_end_says_why(stage, head, words, more, end):
    """The reason came with the head, or with what there was of the body, and is shown all the same."""
    def script(conn):
        conn.read_request()
        conn.send(b"HTTP/1.1 403 Forbidden\r\n" + head + b"Content-Length: 100\r\n\r\nno entry\n")
        if more:
            conn.hold()
    other = stage.origin(script)
    code, record = record_of(stage, other.url, "http://a.example/", *more)
    assert (code, record.status, record.end) == (1, 403, end) and words in record.detail, record.detail
    _, out, _ = trace(stage, other.url, "http://a.example/", *more)
    assert "".join(words.split()) in "".join(out.split())


def test_our_own_refusal_of_a_request_is_shown(stage, proxy):
    """And what would allow it."""
    code, out, _ = trace(stage, url_of(proxy), "http://10.0.0.1/")
    shown = " ".join(out.split())
    assert code == 1 and "The proxy does not forward the request: 403 " in shown and "--allow 10.0.0.1" in shown, out


@pytest.mark.parametrize("url", ["http://127.0.0.1:25", "http://localhost:6000", "http://0.0.0.0:22", "http://169.254.169.254"])
def test_no_rule_of_ours_is_in_the_way_to_the_proxy(stage, url):
    """A person named it: neither bad ports nor ranges, names or the floor refuse that dial. In a network where nobody listens."""
    def play():
        for words in ([], ["--deny", "127.0.0.1/32", "--deny", "localhost"]):
            code, record = record_of(stage, url, "http://a.example/", *words)
            assert (code, record.cause, record.get("rule")) == (1, "connect_refused", None), record
    in_own_network(play, address="169.254.169.254")


@pytest.mark.parametrize("answer, status", [
    (b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nContent-Length: 0\r\n\r\n", 302),
    (b"HTTP/1.0 503 \xc2\x9b31m\xff\r\n\r\n", 503), (b"HTTP/1.1 204 Fine\r\n\r\n", 204)])
def test_what_opens_a_tunnel_is_2xx(stage, answer, status):
    """And nothing else, however well it looks; bytes that a terminal would obey are told, not obeyed."""
    other = stage.origin(lambda conn: (conn.read_request(), conn.send(answer), conn.hold()))
    code, out, _ = trace(stage, other.url, "a.example:443")
    assert code == (0 if status < 300 else 1) and f"CONNECT a.example:443  {status} in" in out and out.isascii()
    code, out, _ = trace(stage, other.url, "https://a.example/", "--timeout", "upstream_tls=200ms")
    assert code == 1 and (f"  {status} in" in out) == (status != 204) and out.isascii()


# ---- what fails
def wrong_name(stage):
    return stage.certs.server_context(stage.certs.other, stage.certs.other_key)


def self_signed(stage):
    return stage.certs.server_context(*stage.certs.self_sign("alone", "IP:127.0.0.1,DNS:localhost"))


def wants_certificate(stage):
    return stage.certs.server_context(client_ca=True, versions=TLS12)


HANDSHAKES = [(wrong_name, "tls_certificate", "it is not valid for"), (self_signed, "tls_certificate", "it is self-signed"),
              (wants_certificate, "tls_alert", "handshake failure"), (None, "tls_protocol", "not TLS")]


def refusing(stage, make):
    """An end whose handshake cannot succeed; without a context it answers in clear."""
    if make is None:
        return stage.origin(lambda conn: (conn.fill(), conn.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), conn.hold()))
    return stage.origin(replies_forever(ok(b"never")), tls=make(stage))


@pytest.mark.parametrize("make, cause, words", HANDSHAKES)
def test_a_failed_handshake_with_the_origin(stage, proxy, make, cause, words):
    """The same cause, words and exit code as without a proxy between."""
    origin = refusing(stage, make)
    url = f"https://127.0.0.1:{origin.port}/"
    code, record = record_of(stage, url_of(proxy), url)
    assert (code, record.kind, record.status, record.end, record.cause) == (1, "exchange", None, "error", cause)
    assert words in record.detail and "u_tls1" in record.marks and "u_tx0" not in record.marks
    code, out, _ = trace(stage, url_of(proxy), url)
    assert code == 1 and f"GET {url}  no answer in " in out and "error: " in out and rows_of(out)[-1] == "tls"
    direct, out, _ = told(stage, "trace", "--upstream-ca", stage.certs.ca, "--allow", "127.0.0.0/8", "--json", url)
    alike = Record(out)
    assert direct == code and alike.cause == cause
    assert alike.detail.split(": ")[0] == record.detail.split(": ")[0] and alike.detail.split(": ")[-1] == record.detail.split(": ")[-1]
    origin.failures.clear()


@pytest.mark.parametrize("make, cause, words", HANDSHAKES)
def test_a_failed_handshake_with_the_proxy(stage, make, cause, words):
    other = refusing(stage, make)
    url = f"https://alice:s3cret@127.0.0.1:{other.port}"
    for target in ("https://a.example/", "http://a.example/", "a.example:443"):
        code, record = record_of(stage, url, target)
        assert (code, record.status, record.end, record.cause) == (1, None, "error", cause)
        assert words in record.detail and "proxy" in record.detail and f"127.0.0.1:{other.port}: " in record.detail
        assert "u_pt1" in record.marks and "u_px0" not in record.marks and "u_tx0" not in record.marks
    assert not other.requests
    other.failures.clear()


def test_nothing_is_trusted_without_a_reason(stage, proxy):
    """Without --upstream-ca the system's store decides, for the proxy as for the origin."""
    origin = stage.origin(replies_forever(ok(b"never")), tls=True)
    for url, word in ((url_of(proxy), f"https://127.0.0.1:{origin.port}/"), (origin.url, "http://a.example/")):
        code, out, _ = told(stage, "trace", "--proxy", url, "--json", word)
        assert code == 1 and Record(out).cause == "tls_certificate"
    assert not origin.requests
    origin.failures.clear()


@pytest.mark.parametrize("make, hint", [(self_signed, "to trust it: --upstream-ca FILE\n"), (wrong_name, None)])
def test_a_certificate_that_is_not_trusted_names_the_flag(stage, proxy, make, hint):
    """Of the origin, with or without another proxy between, and of that proxy; not where no authority would help."""
    bad = refusing(stage, make)
    ways = [("--allow", "127.0.0.0/8"), ("--proxy", url_of(proxy))]
    words = [[*way, f"https://127.0.0.1:{bad.port}/"] for way in ways] + [["--proxy", bad.url, "http://a.example/"]]
    for each in words:
        code, out, _ = told(stage, "trace", "--upstream-ca", stage.certs.ca, *each)
        assert code == 1 and "was not accepted" in out and (hint in out if hint else "--upstream-ca" not in out), out
        record = Record(told(stage, "trace", "--upstream-ca", stage.certs.ca, "--json", *each)[1])
        assert record.get("remedy") == (hint and "--upstream-ca FILE")
    bad.failures.clear()


def test_no_other_proxy_is_told(stage):
    """Nobody there; no such name; somebody who ends without a word. None of them is an answer."""
    code, out, _ = trace(stage, f"http://127.0.0.1:{closed_port()}", "https://a.example/")
    assert code == 1 and "GET https://a.example/  no answer in" in out and "error: The proxy refused the connection: 127.0.0.1:" in out
    code, record = record_of(stage, "http://nowhere.test", "--resolver", stage.dns.address, "http://a.example/")
    assert (code, record.status, record.cause, record.url) == (1, None, "dns_not_found", "http://a.example/")
    mute = stage.origin(lambda conn: conn.read_request() and conn.close())
    for word in ("http://a.example/", "https://a.example/", "a.example:443"):
        code, record = record_of(stage, mute.url, word)
        assert (code, record.status, record.cause, record.ended_by) == (1, None, "no_response", "upstream")
        assert record.detail.startswith("The proxy ended the connection without a response: ")


def answers(*pieces):
    def script(conn):
        conn.read_request()
        with suppress(OSError):
            for piece in pieces:
                conn.send(piece)
            conn.hold()
    return script


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("pieces, cause, words", [
    ([b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], "bad_response", ""),
    ([HEAD + b"X: " + b"x" * 70000 + b"\r\n\r\n"], "response_too_large", "over a limit"),
    ([HEAD + b"X: x\r\n" * 2000 + b"\r\n"], "response_too_large", "over a limit"),
    ([b"HTTP/1.1 103 Early Hints\r\nX: x\r\n\r\n" * 5000], "bad_response", "more than 100 interim answers"),
    ([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], "upgrade_failed", ""),
    ([b"HTTP/1.1 100 Continue\r\n\r\n", HEAD[:10]], "response_timeout", "in time"),
])
@pytest.mark.parametrize("word", ["http://a.example/", "https://a.example/"])
def test_a_proxy_is_bounded(stage, pieces, cause, words, word):
    """Heads, interim answers, time: what the limits of the configuration say."""
    other = stage.origin(answers(*pieces))
    code, record = record_of(stage, other.url, word, "--timeout", "response_head=300ms")
    assert (code, record.status, record.cause) == (1, None, cause)
    assert record.end == ("timeout" if cause == "response_timeout" else "error") and words in record.detail
    assert "proxy" in record.detail and other.authority in record.detail


@pytest.mark.parametrize("scheme, begin, cause, who", [
    ("http", b"220 mail.example\r\n", "bad_response", "proxy"), ("https", b"220 mail.example\r\n", "tls_protocol", "proxy"),
    ("http", b"", "tls_protocol", "destination")])
def test_who_speaks_first_is_wrong(stage, scheme, begin, cause, who):
    """Neither proxies nor TLS do, whether it is seen with the opening of the tunnel or later."""
    def script(conn):
        if not begin:
            conn.read_request()
        conn.send(begin or OPENED + b"220 mail.example\r\n")
        conn.hold()
    other = stage.origin(script)
    code, record = record_of(stage, f"{scheme}://{other.authority}", "https://a.example/")
    assert (code, record.end, record.cause) == (1, "error", cause) and who in record.detail


@pytest.mark.parametrize("word, scheme, is_opened, cause, side", [
    ("http://a.example/", "https", False, "tls_timeout", "proxy"),
    ("http://a.example/", "http", False, "response_timeout", "proxy"),
    ("https://a.example/", "http", False, "response_timeout", "proxy"),
    ("a.example:443", "http", False, "response_timeout", "proxy"),
    ("https://a.example/", "http", True, "tls_timeout", "destination")])
def test_silence_ends(stage, word, scheme, is_opened, cause, side):
    """Whoever says nothing, at whatever step, is given up, and said to be who it is."""
    other = stage.origin(answers(OPENED) if is_opened else lambda conn: conn.hold())
    code, record = record_of(stage, f"{scheme}://127.0.0.1:{other.port}", word,
                             "--timeout", "response_head=300ms", "--timeout", "upstream_tls=300ms")
    assert (code, record.status, record.end, record.cause, record.ended_by) == (1, None, "timeout", cause, "proxy")
    assert side in record.detail and record.phases["total"] >= 290_000


@pytest.mark.parametrize("begin, limit, cause, end", [
    (b"", "response_head=300ms", "response_timeout", "timeout"),
    (HEAD + b"Content-Length: 9\r\n\r\nfour", "body_stall=300ms", "response_stalled", "timeout"),
    (HEAD + b"Content-Length: 9\r\n\r\nfour", None, "response_cut", "error"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", None, "bad_response", "error")])
def test_an_origin_behind_a_tunnel_is_bounded(stage, proxy, begin, limit, cause, end):
    """A request without an answer, a body that stalls, that breaks off, that is none."""
    def script(conn):
        conn.read_request()
        conn.send(begin)
        if limit:
            conn.hold()
    origin = stage.origin(script, tls=True)
    more = ["--timeout", limit] if limit else []
    code, record = record_of(stage, url_of(proxy), f"https://127.0.0.1:{origin.port}/", *more)
    assert (code, record.kind, record.end, record.cause) == (1, "exchange", end, cause)
    assert record.detail.lower().find("destination") >= 0 and record.status == (200 if begin else None)


# ---- wrong usage
@pytest.mark.parametrize("url, more, reason", [
    ("ftp://a.example", [], "--proxy expects http://HOST:PORT"),
    ("a.example:3128", [], "--proxy expects http://HOST:PORT"),
    ("http://a.example/path", [], "--proxy expects http://HOST:PORT"),
    ("http://alice:s3cret@", [], "--proxy expects http://HOST:PORT"),
    ("http://" + "a" * 300 + ":1", [], "--proxy expects http://HOST:PORT"),
    ("http://alice@a.example:1", [], "--proxy has a user and no password"),
    ("http://alice:s3cret@a.example:1", ["--proxy-password-file", "/dev/null"], "both have a password"),
    ("http://a.example:1", ["--proxy-password-file", "/dev/null"], "needs a user"),
    ("http://alice@a.example:1", ["--proxy-password-file", "/nonexistent"], "/nonexistent: "),
    ("http://:s3cret@a.example:1", [], "the user of --proxy is none"),
    ("http://al%3aice:s3cret@a.example:1", [], "the user of --proxy is none"),
    ("http://al%0aice:s3cret@a.example:1", [], "the user of --proxy is none"),
    ("http://alice:s3cret%@a.example:1", [], "not percent-encoded"),
    ("http://alice:s3cret%00@a.example:1", [], "has a control byte"),
    ("http://alice:" + "s3cret" * 100 + "@a.example:1", [], "more than 511 bytes"),
])
def test_a_wrong_proxy_is_told(stage, url, more, reason):
    code, out, said = trace(stage, url, *more, "http://a.example/")
    assert (code, out) == (2, "") and reason in said


def test_a_password_file_without_a_proxy(stage):
    code, out, said = told(stage, "trace", "--proxy-password-file", "/dev/null", "http://a.example/")
    assert (code, out) == (2, "") and "--proxy-password-file needs --proxy" in said
