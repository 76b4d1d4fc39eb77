"""The TLS inside a tunnel, timed and told from outside: docs/timing.md, "Inside a tunnel".

Both ends are scripts that hold their TLS in memory, so that each flight leaves when a play says so. Moments are
compared with the players' own stamps: order and containment, never milliseconds."""
import contextlib
import re
import ssl
import time

import pytest

from support.admin import metric
from support.bounds import wait_until
from support.inner import (CUT, GET, HELLO_RETRY_GROUP, PAGE, PAUSE, V12, V13, Inner, Program, assert_between, refusing,
                           s_server)
from support.message import request
from support.origin import echoes
from support.site import pattern
from support.sni import hello, in_records


def serve(context, into, rounds=1):
    """A script that answers a request as often as that; its players go to `into`."""
    def script(conn):
        server = Inner(conn, context, server_side=True)
        into.append(server)
        server.shake("answers")
        for _ in range(rounds):
            server.hear(len(GET))
            server.say("responds", PAGE)
        conn.read_to_end()
    return script


def enter(proxy, authority):
    wire = proxy.connect()
    wire.send(request("CONNECT", authority))
    assert wire.read_head().status == 200
    return wire


def fetch(proxy, origin, context, session=None, rounds=1):
    """An exchange through a tunnel, all in steps: the client's player, and its session."""
    with enter(proxy, f"localhost:{origin.port}") as wire:
        client = Inner(wire, context, server_hostname="localhost", session=session)
        client.stamp("begins")
        client.shake("hellos", "finishes")
        for _ in range(rounds):
            client.say("requests", GET)
            assert client.hear(len(PAGE)) == PAGE
        client.stamp("has")
        client.session = client.tls.session
    return client


def inside(proxy, count=1):
    """The records of so many tunnels, in the order of their opening."""
    return sorted(proxy.records(count, lambda record: record.kind == "tunnel"), key=lambda r: r.mark("t_open"))


@pytest.fixture(name="site")
def _site(stage, certs):
    """Starts an origin for these settings: (origin, its players)."""
    def start(versions=V13, rounds=1, **more):
        players = []
        context = certs.server_context(versions=versions, **more)
        return stage.origin(serve(context, players, rounds)), players, context
    return start


@pytest.fixture(autouse=True)
def _names(dns):
    dns.add("localhost", a=["127.0.0.1"])


# ---- moments
@pytest.mark.parametrize("versions", [V12, V13], ids=["tls12", "tls13"])
def test_each_moment_lies_between_the_players_stamps(proxy, site, certs, versions):
    """ClientHello, ServerHello, Finished, request and response, each held back for a while; the tickets that TLS 1.3
    brings before the request are not the response."""
    origin, players, _ = site(versions)
    client = fetch(proxy, origin, certs.client_context(versions=versions)).stamps
    (server,), (record,) = players, inside(proxy)
    server = server.stamps
    assert_between(client["hellos"], record.mark("t_ch"), server["answers"])
    assert_between(server["answers"], record.mark("t_sh"), client["finishes"])
    assert_between(client["finishes"], record.mark("t_hs"), client["requests"])
    assert_between(client["requests"], record.mark("t_req"), server["responds"])
    assert_between(server["responds"], record.mark("t_rsp"), client["has"])
    least = int(PAUSE * 1e6) - 2
    assert record.phases["inside_hello"] >= least and record.phases["inside_wait"] >= least
    assert record.phases["inside_tls"] >= record.phases["inside_hello"] + (least if versions is V13 else 0)
    is_13 = versions is V13
    got = dict(record["inside"])
    assert got.pop("idle_us") >= least
    assert got.pop("cipher").startswith("0x13" if is_13 else "0xc0")
    assert got == {
        "version": "1.3" if is_13 else "1.2", "offered": "1.3" if is_13 else "1.2", "alpn": ["http/1.1"], "turns": 1,
        "confidence": {"client_hello": "passive", "answer": "passive", "handshake": "passive", "request": "passive",
                       "response": "estimated" if is_13 else "passive", "turns": "estimated", "idle": "exact"}}
    assert record["sni"] == "localhost"


@pytest.mark.parametrize("versions", [V12, V13], ids=["tls12", "tls13"])
def test_a_resumed_session_is_told(proxy, site, certs, versions):
    """The second of two tunnels with the same session: abbreviated in TLS 1.2, a taken key in TLS 1.3."""
    origin, _, _ = site(versions)
    context = certs.client_context(versions=versions)
    session = fetch(proxy, origin, context).session
    fetch(proxy, origin, context, session=session)
    first, second = inside(proxy, 2)
    assert "resumed" not in first["inside"]
    assert second["inside"]["resumed"] is True and second["inside"]["confidence"]["resumed"] == "passive"
    for record in first, second:
        marks = [record.marks[name] for name in ("t_ch", "t_sh", "t_hs", "t_req", "t_rsp")]
        assert marks == sorted(marks)


def test_a_hello_retry_request_is_told(proxy, site, certs):
    """An origin that takes a group alone of which the client has sent no key: a round trip more, one handshake."""
    origin, players, context = site()
    context.set_ecdh_curve(HELLO_RETRY_GROUP)
    client = fetch(proxy, origin, certs.client_context(versions=V13))
    (record,) = inside(proxy)
    assert record["inside"]["hello_retry"] is True and record["inside"]["version"] == "1.3"
    assert_between(players[0].stamps["answers"], record.mark("t_sh"), record.mark("t_hs"))
    assert_between(record.mark("t_hs"), record.mark("t_req"), players[0].stamps["responds"])
    assert_between(players[0].stamps["responds"], record.mark("t_rsp"), client.stamps["has"])


@pytest.mark.parametrize("versions", [V12, V13], ids=["tls12", "tls13"])
def test_a_client_certificate_is_told(proxy, site, certs, versions):
    """It is in clear in TLS 1.2, and the client's longer flight in TLS 1.3, of which the end is then an estimate."""
    origin, players, _ = site(versions, client_ca=True)
    client = fetch(proxy, origin, certs.client_context(with_certificate=True, versions=versions))
    (record,) = inside(proxy)
    got = record["inside"]
    assert got["certificate_asked"] is True and got["client_certificate"] is True
    told = got["confidence"]
    assert {told[what] for what in ("handshake", "certificate_asked", "client_certificate")} == {"estimated" if versions is V13 else "passive"}
    assert_between(client.stamps["finishes"], record.mark("t_hs"), client.stamps["requests"])
    assert_between(client.stamps["requests"], record.mark("t_req"), players[0].stamps["responds"])
    assert_between(players[0].stamps["responds"], record.mark("t_rsp"), client.stamps["has"])


def test_turns_are_counted_and_the_longest_silence(proxy, site, certs):
    """Three exchanges one after the other are three turns."""
    origin, _, _ = site(rounds=3)
    fetch(proxy, origin, certs.client_context(versions=V13), rounds=3)
    (record,) = inside(proxy)
    assert record["inside"]["turns"] == 3


# ---- refusals
def refuse(proxy, origin, context):
    with enter(proxy, f"localhost:{origin.port}") as wire:
        client = Inner(wire, context, server_hostname="localhost")
        with pytest.raises(ssl.SSLError):
            client.shake()
        client.flush()
    return inside(proxy)[0]["inside"]


def test_an_alert_of_the_origin_has_its_code(proxy, stage, certs):
    """An origin that speaks TLS 1.3 alone, and a client that does not: protocol_version, in clear."""
    origin = stage.origin(refusing(certs.server_context(versions=V13)))
    got = refuse(proxy, origin, certs.client_context(versions=V12))
    assert got["alert"] == {"by": "upstream", "code": 70, "name": "protocol_version"}
    assert got["confidence"] == {"client_hello": "passive", "alert": "passive", "idle": "exact"}
    assert got["offered"] == "1.2" and "version" not in got and "turns" not in got


@pytest.mark.parametrize("versions", [V12, V13], ids=["tls12", "tls13"])
def test_an_alert_of_the_client_has_its_code(proxy, stage, certs, versions):
    """A client that does not trust the certificate: unknown_ca. OpenSSL says it in clear in TLS 1.3, too, since it has
    no keys of its own before its Finished."""
    origin = stage.origin(refusing(certs.server_context(versions=versions)))
    assert refuse(proxy, origin, ssl.create_default_context())["alert"] == {
        "by": "client", "code": 48, "name": "unknown_ca"}


def test_a_client_without_a_certificate_is_refused(proxy, stage, certs):
    """It was asked for one, sent none, and heard an alert after its own handshake was over: an encrypted one, of which
    no more shows."""
    origin = stage.origin(refusing(certs.server_context(versions=V13, client_ca=True)))
    with enter(proxy, f"localhost:{origin.port}") as wire:
        client = Inner(wire, certs.client_context(versions=V13), server_hostname="localhost")
        client.shake()
        with pytest.raises(ssl.SSLError):
            client.hear(1)
    (record,) = inside(proxy)
    got = record["inside"]
    assert got["certificate_asked"] is True and "client_certificate" not in got
    assert got["alert"] == {"by": "upstream", "encrypted": True} and got["confidence"]["alert"] == "estimated"
    assert "t_hs" in record.marks and "t_req" not in record.marks


# ---- 0-RTT, by OpenSSL's own programs
def s_client(held, proxy, port, *words):
    return Program(held, "openssl", "s_client", "-proxy", "%s:%d" % proxy.address, "-connect", f"localhost:{port}",
                   "-servername", "localhost", "-tls1_3", *words)


def early(held, proxy, certs, folder, forgets):
    """A tunnel with 0-RTT by the session of another, to an origin that `forgets` it: its player, and the client's."""
    session, request_file = folder / "session", folder / "request"
    request_file.write_bytes(GET)
    server, port = s_server(held, certs)
    first = s_client(held, proxy, port, "-sess_out", session)
    wait_until(lambda: session.exists() and b"END SSL" in session.read_bytes(), "a session")
    first.end()
    inside(proxy, 1)
    if forgets:
        server, port = s_server(held, certs)
    return server, s_client(held, proxy, port, "-sess_in", session, "-early_data", request_file)


def test_early_data_is_the_request(proxy, stage, certs):
    """0-RTT: data before the ServerHello, which the origin answers before the handshake is over or after it."""
    with contextlib.ExitStack() as held:
        server, client = early(held, proxy, certs, stage.folder, forgets=False)
        server.wait(rb"GET / HTTP")
        asked = time.monotonic_ns()
        time.sleep(PAUSE)
        server.say(PAGE)
        client.wait(rb"x{500}")
    record = inside(proxy, 2)[1]
    got = record["inside"]
    assert got["early_data"] is True and got["resumed"] is True and "early_data_refused" not in got
    assert got["confidence"]["request"] == "estimated"
    assert record.marks["t_ch"] <= record.marks["t_req"] <= record.marks["t_sh"]
    assert record.mark("t_req") <= asked <= record.mark("t_rsp")


def test_early_data_may_be_refused(proxy, stage, certs):
    """An origin that does not know the session any more takes none: the request is what is sent again."""
    with contextlib.ExitStack() as held:
        server, client = early(held, proxy, certs, stage.folder, forgets=True)
        client.wait(rb"Early data was rejected")
        asks = time.monotonic_ns()
        client.say(GET)
        server.wait(rb"GET / HTTP")
        server.say(PAGE)
        client.wait(rb"x{500}")
    record = inside(proxy, 2)[1]
    got = record["inside"]
    assert got["early_data"] is True and got["early_data_refused"] is True and "resumed" not in got
    assert record.marks["t_sh"] <= record.marks["t_hs"] <= record.marks["t_req"]
    assert asks - CUT <= record.mark("t_req") <= record.mark("t_rsp")


# ---- what is not TLS, and settings
def test_what_is_no_tls_has_its_first_bytes_and_turns(proxy, stage):
    """A protocol whose origin speaks first; bytes pass as they are."""
    def greets(conn):
        conn.send(b"220 ready\r\n")
        for _ in range(2):
            assert conn.read(5) == b"EHLO\n"
            conn.send(b"250\r\n")
        conn.read_to_end()
    origin = stage.origin(greets)
    with enter(proxy, f"localhost:{origin.port}") as wire:
        assert wire.read(11) == b"220 ready\r\n"
        for _ in range(2):
            wire.pause(PAUSE)
            wire.send(b"EHLO\n")
            assert wire.read(5) == b"250\r\n"
    (record,) = inside(proxy)
    assert record["inside"]["turns"] == 2
    assert record["inside"]["idle_us"] >= int(PAUSE * 1e6) - 2
    assert set(record["inside"]) == {"turns", "idle_us", "confidence"}
    assert record.mark("t_down") <= record.mark("t_up") <= record.mark("t_last")


def with_settings(stage, text):
    file = stage.folder / "inside.yaml"
    file.write_text(text)
    return stage.proxy("-c", file)


def test_it_can_be_turned_off(stage, site, certs):
    """log.inside: off. Nothing is looked at, and nothing is told."""
    proxy = with_settings(stage, "log: { inside: off }")
    origin, _, _ = site()
    fetch(proxy, origin, certs.client_context())
    (record,) = inside(proxy)
    assert "inside" not in record.json and "sni" not in record.json
    assert "t_up" in record.marks and "t_ch" not in record.marks


def test_the_fingerprint_of_a_client(stage, site, certs):
    """log.inside: ja4. It is that of the client's library and settings, whatever it says in them."""
    proxy = with_settings(stage, "log: { inside: ja4 }")
    origin, _, _ = site()
    for alpn in ("http/1.1",), ("http/1.1",), ("h2", "http/1.1"):
        fetch(proxy, origin, certs.client_context(alpn=alpn))
    first, second, third = (record["inside"]["ja4"] for record in inside(proxy, 3))
    assert re.fullmatch(r"t13d\d{4}h1_[0-9a-f]{12}_[0-9a-f]{12}", first)
    assert first == second
    assert third == first[:8] + "h2" + first[10:]


def test_a_guarded_tunnel_is_seen_as_well(stage, site, certs):
    """egress.sni holds the ClientHello until it is judged; it is told all the same."""
    proxy = with_settings(stage, "egress: { sni: enforce }")
    origin, players, _ = site()
    client = fetch(proxy, origin, certs.client_context(versions=V13))
    (record,) = inside(proxy)
    assert record["inside"]["version"] == "1.3" and record["sni"] == "localhost"
    assert_between(client.stamps["hellos"], record.mark("t_ch"), players[0].stamps["answers"])
    assert_between(players[0].stamps["responds"], record.mark("t_rsp"), client.stamps["has"])


def test_a_hello_in_pieces_is_put_together(proxy, stage, certs):
    """A ClientHello that comes in two segments and two records: t_ch is when it was whole."""
    whole = hello("localhost")
    pieces = in_records(whole, 100)
    origin = stage.origin(lambda conn: conn.read_to_end())
    with enter(proxy, f"localhost:{origin.port}") as wire:
        wire.send(pieces[:150])
        wire.pause(PAUSE)
        last = time.monotonic_ns()
        wire.send(pieces[150:])
        origin.wait_connections(1)[0].take(0)
        wait_until(lambda: origin.connections[0].received == len(pieces), "all of it")
    (record,) = inside(proxy)
    assert record.mark("t_up") <= last <= record.mark("t_ch")
    assert record["sni"] == "localhost"


@pytest.mark.parametrize("versions", [V12, V13], ids=["tls12", "tls13"])
def test_behind_its_first_response_the_tunnel_is_spliced(proxy, stage, certs, versions):
    """Nobody looks any more, and bulk goes by the kernel as in any other tunnel."""
    def script(conn):
        server = Inner(conn, certs.server_context(versions=versions), server_side=True)
        server.shake("answers")
        server.hear(len(GET))
        server.say("responds", PAGE)
        echoes(conn)
    part = (b"\x17\x03\x03\x40\x00" + pattern(0x4000)) * 6  # records of data, as who still looks expects them
    with enter(proxy, f"localhost:{stage.origin(script).port}") as wire:
        client = Inner(wire, certs.client_context(versions=versions), server_hostname="localhost")
        client.shake("hellos", "finishes")
        client.say("requests", GET)
        client.hear(len(PAGE))
        for _ in range(60):
            wire.send(part)
            assert wire.read(len(part)) == part
        assert metric(proxy, "splice_pipes") > 0
    (record,) = inside(proxy)
    assert "t_rsp" in record.marks and record["inside"]["version"] == ("1.2" if versions is V12 else "1.3")


def test_counters_tell_of_handshakes_and_alerts(proxy, stage, site, certs):
    """/metrics: one handshake that was over, one that ended in an alert."""
    origin, _, _ = site()
    fetch(proxy, origin, certs.client_context(versions=V13))
    inside(proxy)
    refusal = stage.origin(refusing(certs.server_context(versions=V13)))
    with enter(proxy, f"localhost:{refusal.port}") as wire:
        client = Inner(wire, certs.client_context(versions=V12), server_hostname="localhost")
        with pytest.raises(ssl.SSLError):
            client.shake()
    inside(proxy, 2)
    text = proxy.ask_admin("/metrics").body.decode()
    assert "\nfairlead_tunnel_tls_handshakes_total 1\n" in text
    assert "\nfairlead_tunnel_tls_alerts_total 1\n" in text
