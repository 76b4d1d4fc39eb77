"""Settings that no other area is about: each does what the manual says, from the file to the wire."""
import re
import shutil
import subprocess

import pytest

from support.bounds import SLOW, wait_until
from support.message import chunked, ok, request
from support.ops import free_port
from support.origin import Silence, echoes, replies, replies_forever
from support.shows import shows

FINE = ok(b"fine")


@pytest.fixture
def configured(stage, folder):
    """A proxy under this YAML besides the usual flags."""
    def start(text, *flags, **more):
        path = folder / "settings.yaml"
        path.write_text(text + "\n")
        return stage.proxy("--config", path, *flags, **more)
    return start


def status_of(proxy, data):
    with proxy.connect() as client:
        client.send(data)
        return client.read_response()


def test_source_is_the_address_of_outgoing_connections(stage):
    """--source: the origin sees that address, for requests and for tunnels; the record has it."""
    proxy = stage.proxy("--source", "127.0.0.7")
    origin, mirror = stage.origin(replies(FINE)), stage.origin(echoes)
    with proxy.connect() as client:
        client.ask(request("GET", origin.url))
    with proxy.connect() as client:
        client.send(request("CONNECT", mirror.authority))
        assert client.read_head().status == 200
        mirror.wait_connections(1)
        seen = [o.connections[0].sock.getpeername()[0] for o in (origin, mirror)]  # while they last
    assert seen == ["127.0.0.7"] * 2
    assert [r["upstream_conn"].get("source", "127.0.0.7:0").rpartition(":")[0]
            for r in proxy.records(2)] == ["127.0.0.7"] * 2


def test_a_source_that_is_not_ours_fails_with_words(stage):
    """An address that no interface has is an error of the connection, not of the process."""
    proxy = stage.proxy("--source", "192.0.2.1")
    origin = stage.origin(replies(FINE))
    got = status_of(proxy, request("GET", origin.url))
    assert got.status in (502, 503) and "connection" in got.get("Proxy-Status")


@pytest.mark.parametrize("is_open", [False, True], ids=["shut", "open"])
def test_a_floor_exception_opens_exactly_what_it_names(configured, is_open):
    """egress.floor_exceptions: the proxy's own admin listener is shut even where loopback is allowed, unless it
    is named; that is said at each start."""
    port = free_port()
    named = f"127.0.0.1:{port if is_open else port + 1}"
    proxy = configured(f'egress: {{ floor_exceptions: ["{named}"] }}', "--admin", f"127.0.0.1:{port}")
    proxy.wait_line(f"warning: egress.floor_exceptions opens {named}$")
    got = status_of(proxy, request("GET", f"http://127.0.0.1:{port}/healthz"))
    assert got.status == (200 if is_open else 403)
    assert status_of(proxy, request("GET", proxy.url + "/")).status == 403


def test_refused_addresses_of_a_mixed_answer_can_be_skipped(configured, stage):
    """egress.mixed: skip uses the permitted ones and dials no other."""
    origin = stage.origin(replies(FINE))
    stage.dns.add("mixed.test", a=["10.0.0.1", "127.0.0.1"])
    proxy = configured("egress: { mixed: skip }")
    assert status_of(proxy, request("GET", f"http://mixed.test:{origin.port}/")).status == 200
    tried = [a["peer"] for a in proxy.record().attempts if a["result"] != "refused"]
    assert tried == [f"127.0.0.1:{origin.port}"]


def test_a_skipped_address_is_not_why_the_others_failed(configured, stage):
    """With egress.mixed: skip, a failure of the permitted address names no rule and no remedy."""
    closed = stage.origin([])
    closed.stop_listening()
    stage.dns.add("mixed.test", a=["10.0.0.1", "127.0.0.1"])
    proxy = configured("egress: { mixed: skip }")
    got = status_of(proxy, request("GET", f"http://mixed.test:{closed.port}/"))
    assert (got.status, got.reason) == (502, "Bad Gateway")
    assert "connection_refused" in got.get("Proxy-Status") and proxy.record().rule is None


@pytest.fixture
def silent_address():
    """The port of an endpoint of ::1 that answers no connect."""
    with Silence("::1") as silence:
        yield silence.port


@pytest.mark.parametrize("delay_ms", [20, 400])
def test_the_next_address_is_tried_after_the_delay(configured, stage, silent_address, delay_ms):
    """timeouts.connect_attempt_delay (RFC 8305 §5): a silent address holds up the race for so long, and no longer."""
    stage.origin(replies(FINE), port=silent_address)
    stage.dns.add("race.test", aaaa=["::1"], a=["127.0.0.1"])
    proxy = configured(f"timeouts: {{ connect_attempt_delay: {delay_ms}ms }}")
    assert status_of(proxy, request("GET", f"http://race.test:{silent_address}/")).status == 200
    silent, winner = proxy.record().attempts
    assert silent["peer"].startswith("[::1]") and winner["result"] == "connected"
    waited_us = winner["begin_us"] - silent["begin_us"]
    assert delay_ms * 1000 <= waited_us <= delay_ms * 1000 + 300_000 * SLOW


@pytest.mark.parametrize("setting, data, status", [
    ("head_bytes: 1KiB, target_bytes: 256B", request("GET", "http://127.0.0.1:9/", "X: " + "x" * 1100), 431),
    ("head_fields: 10", request("GET", "http://127.0.0.1:9/", *[f"X-{n}: 1" for n in range(10)]), 431),
    ("target_bytes: 256B", request("GET", "http://127.0.0.1:9/" + "x" * 256), 414),
], ids=["bytes", "fields", "target"])
@shows("9112-3-2", "9110-5.4-1")
def test_heads_and_targets_have_the_limits_that_were_set(configured, setting, data, status):
    """limits: beyond them 431 (RFC 6585 §5) and 414 (RFC 9110 §15.5.15); up to them all is well."""
    proxy = configured(f"limits: {{ {setting} }}", "--timeout", "connect=1s")
    assert status_of(proxy, data).status == status
    assert status_of(proxy, request("GET", "http://127.0.0.1:9/")).status in (403, 502)


@shows("9110-5.4-1")
def test_as_many_fields_as_can_be_set_do_work(configured, stage):
    """limits.head_fields: 2000, the most that can be set, hold for heads and trailers both ways; one more is 431."""
    most = [f"a{n}: b" for n in range(1997)]
    trailers = [f"t{n}: b" for n in range(1000)] + ["t:"] * 1000
    response = ok(chunked(b"fine", trailers=trailers), "Transfer-Encoding: chunked", *most, "a: b", length=False)
    proxy = configured("limits: { head_fields: 2000 }")
    origin = stage.origin(replies(response))
    data = request("POST", origin.url + "/", "Transfer-Encoding: chunked", "TE: trailers", *most)
    assert data.count(b"\r\n") == 1 + 2000 + 1
    with proxy.connect() as client:
        answer = client.ask(data + chunked(b"body", trailers=trailers))
        assert answer.status == 200 and len(answer.trailers) == 2000 and answer.has("a1996")
        got = origin.requests[0]
        assert got.body == b"body" and len(got.trailers) == 2000 and got.has("a1996")
        assert client.ask(request("GET", origin.url + "/", *most, *["a: b"] * 3)).status == 431


@pytest.mark.parametrize("setting, idle", [("pool_per_origin: 2", 2), ("pool_total: 1", 1), ("pool_total: 0", 0)])
def test_the_pool_keeps_as_many_as_it_may(configured, stage, setting, idle):
    """limits.pool_…: idle connections beyond them are closed."""
    proxy = configured(f"limits: {{ {setting} }}", "--workers", "1")
    origin = stage.origin(replies_forever(FINE))
    clients = [proxy.connect() for _ in range(4)]
    for client in clients:  # all under way at the same time, so that each needs a connection of its own
        client.send(request("POST", origin.url, "Content-Length: 1"))
    origin.wait_connections(4)
    for client in clients:
        client.send(b"x")
        assert client.read_response("POST").status == 200
        client.close()
    wait_until(lambda: sum(bool(c.end) for c in origin.connections) == 4 - idle or None, "the others to be closed")


def test_the_pseudonym_is_the_one_that_was_set(configured, stage):
    """via.pseudonym: in Via both ways (RFC 9110 §7.6.3) and in Proxy-Status."""
    proxy = configured("via: { pseudonym: gate-7 }")
    origin = stage.origin(replies(FINE))
    assert status_of(proxy, request("GET", origin.url)).get("Via") == "1.1 gate-7"
    assert origin.requests[0].get("Via") == "1.1 gate-7"
    assert status_of(proxy, request("GET", "ftp://a.test/")).get("Proxy-Status").startswith("gate-7;")


def socket_of(peer):
    """What ss tells of the TCP connections with that peer's port."""
    done = subprocess.run(["ss", "-tinoH", "state", "established", "dport", f"= :{peer}"], capture_output=True,
                          text=True, check=True)
    return done.stdout


def test_tcp_settings_reach_both_sides(configured, stage):
    """tcp: congestion control on either side, and probes for clients that are silent."""
    if shutil.which("ss") is None:
        pytest.skip("ss is not installed (apt install iproute2)")
    proxy = configured("tcp: { keepalive: 20s, congestion_client: reno, congestion_upstream: reno }")
    mirror = stage.origin(echoes)
    with proxy.connect() as client:
        client.send(request("CONNECT", mirror.authority))
        assert client.read_head().status == 200
        to_client = socket_of(client.sock.getsockname()[1])
        to_origin = socket_of(mirror.port)
    probes_in_s = float(re.search(r"timer:\(keepalive,([\d.]+)sec", to_client)[1])
    assert "reno" in to_client and 0 < probes_in_s <= 20
    assert "reno" in to_origin


def test_hosts_come_from_the_file_that_was_set(configured, stage, folder):
    """resolver.hosts_file replaces /etc/hosts."""
    (folder / "hosts").write_text("127.0.0.1 made-up.test\n")
    (folder / "hosts").chmod(0o644)
    proxy = configured(f"resolver: {{ hosts_file: {folder / 'hosts'} }}")
    origin = stage.origin(replies(FINE))
    assert status_of(proxy, request("GET", f"http://made-up.test:{origin.port}/")).status == 200
    assert proxy.record().dns["source"] == "hosts" and not stage.dns.asked("made-up.test")


@pytest.mark.parametrize("query, url", [("keep", "/a?secret=1"), ("strip", "/a?-")])
def test_query_strings_are_kept_or_stripped(configured, stage, query, url):
    """log.access.query: what stands behind the question mark is not for every log."""
    proxy = configured(f"log: {{ access: {{ query: {query} }} }}")
    origin = stage.origin(replies(FINE))
    status_of(proxy, request("GET", origin.url + "/a?secret=1", f"Referer: {origin.url}/a?secret=1"))
    record = proxy.record()
    assert record.url == origin.url + url and record["referer"] == origin.url + url
    assert origin.requests[0].target == "/a?secret=1"


def test_diagnostics_below_their_level_are_silent(configured, certs):
    """log.diagnostics: error leaves notices out."""
    proxy = configured("log: { diagnostics: error }", tls=True)
    with proxy.connect() as client:
        client.send(b"\x16\x03\x01")
        assert client.read_response().status == 400
    proxy.records(1)
    assert "spoke TLS" not in proxy.stderr
