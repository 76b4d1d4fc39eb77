"""Who was slow, on loopback: the kernel's figures of both legs, and the verdict. docs/log.md, docs/verdict.md.

The word is claimed, and that shares are whole; never how long something took. test_slow_networks has the networks."""
import threading

import pytest

from support.admin import list_tunnels
from support.bounds import BOUND
from support.message import ok, request
from support.origin import replies
from support.wire import TlsWire

SLOW_S = 0.15
SLOW_US = 100_000


def slow(conn):
    conn.read_request()
    conn.pause(SLOW_S)
    conn.send(ok(b"fine"))
    conn.hold()


def test_a_slow_exchange_has_figures_of_both_legs(proxy, stage):
    """One of 100 ms or more does, for its client and its origin."""
    origin = stage.origin(slow)
    with proxy.connect() as client:
        client.ask(request("GET", origin.url + "/"))
    tcp = proxy.record()["tcp"]
    assert tcp["upstream"]["data_segments_in"] >= 1
    assert tcp["upstream"]["data_bytes_in"] == len(ok(b"fine"))
    assert tcp["client"]["segments_in"] > 0 and tcp["client"]["min_rtt_us"] > 0


def test_a_slow_exchange_over_tls_has_figures_too(stage):
    """They are of the connection below."""
    proxy = stage.proxy(tls=True)
    origin = stage.origin(slow)
    with proxy.connect(tls=stage.certs.client_context()) as client:
        client.ask(request("GET", origin.url + "/"))
    assert proxy.record()["tcp"]["client"]["data_bytes_in"] > 0


def test_a_fast_exchange_has_none(proxy, stage):
    """Nobody is asked where nobody was slow: no system call."""
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        client.ask(request("GET", origin.url + "/"))
    record = proxy.record()
    assert ("tcp" in record.json) == (record.phases["total"] >= SLOW_US)


def test_a_client_of_a_unix_socket_has_none(stage):
    """The origin's leg has its figures all the same."""
    proxy = stage.proxy(listen=f"unix:{stage.folder}/proxy0/listener")
    origin = stage.origin(slow)
    with proxy.connect() as client:
        client.ask(request("GET", origin.url + "/"))
    assert set(proxy.record()["tcp"]) == {"upstream"}


def test_a_tunnel_has_figures_while_it_is_open_and_at_its_end(proxy, stage):
    """A snapshot tells how they stand; the record has the last."""
    origin = stage.origin(slow)
    with proxy.connect() as client:
        client.ask(request("CONNECT", origin.authority))
        client.ask(request("GET", "/", host="x"))
        snapshot = list_tunnels(proxy)["tunnels"][0]["tcp"]
    tcp = proxy.record()["tcp"]
    for each in (snapshot, tcp):
        assert 0 <= each["upstream"]["data_bytes_in"] - len(ok(b"fine")) <= 1  # the end counts as one
        assert each["client"]["data_segments_in"] >= 2
    assert tcp["client"]["busy_us"] >= snapshot["client"]["busy_us"]


def test_an_answer_that_the_proxy_makes_itself_has_the_clients_figures(proxy):
    """There was no other leg."""
    with proxy.connect() as client:
        client.send(b"GET ")
        client.pause(SLOW_S)
        client.ask(b"/ nonsense\r\n\r\n")
    assert set(proxy.record()["tcp"]) == {"client"}


# ---- the verdict

BULK = 30_000_000


def verdict_of(record):
    """The word of a record whose shares are whole."""
    assert record.slow, record
    assert sum(record.shares.values()) == record.phases["total"], record
    return record.slow


def get(proxy, url):
    with proxy.connect() as client:
        client.ask(request("GET", url))
    return verdict_of(proxy.record())


def test_an_origin_that_thinks_is_slow(proxy, stage):
    assert get(proxy, stage.origin(slow).url + "/") == "origin"


def test_a_name_server_that_is_late_with_the_only_address_that_answers_is_slow(proxy, stage):
    """The other family refuses at once, and nothing but its answer is waited for."""
    stage.dns.add("late.example", a=["127.0.0.1"], aaaa=["::1"], delay={"A": 0.3})
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        client.ask(request("GET", f"http://late.example:{origin.port}/"))
    record = proxy.record()
    assert verdict_of(record) == "dns"
    assert record.stalled["by_dns"] >= SLOW_US
    assert record.shares["upstream_network"] < record.shares["dns"]


def test_an_answer_without_an_address_that_is_waited_for_is_the_look_ups(proxy, stage):
    """The dial waits for it as for any other."""
    stage.dns.add("half.example", a=["127.0.0.1"], delay={"AAAA": 0.03})
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        client.ask(request("GET", f"http://half.example:{origin.port}/"))
    assert proxy.record().phases["dns"] >= 30_000


def test_an_origin_that_lets_an_upgrade_wait_is_slow(proxy, stage):
    """It is one more message until the 101."""
    def upgrades_late(conn):
        conn.read_request()
        conn.pause(SLOW_S)
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: upgrade\r\n\r\n")
        conn.hold()

    origin = stage.origin(upgrades_late)
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/", "Upgrade: chat", "Connection: upgrade"))
        assert client.read_head().status == 101
    record = proxy.record()
    assert verdict_of(record) == "origin"
    assert record.shares["origin"] >= 1_000_000 * SLOW_S * 0.9


def test_an_origin_that_writes_late_is_slow(proxy, stage):
    """In the middle of a body, in pieces that follow each other closely, or with pauses."""
    def trickles(conn):
        conn.read_request()
        conn.send(ok(b"", "Content-Length: 100", length=False))
        for _ in range(20):
            conn.pause(0.01)
            conn.send(b"x" * 4)
        conn.pause(0.1)
        conn.send(b"x" * 20)
        conn.hold()

    assert get(proxy, stage.origin(trickles).url + "/") == "origin"


def test_an_origin_that_reads_late_is_slow(proxy, stage):
    def reads_late(conn):
        conn.read_request_head()
        conn.pause(0.5)
        conn.read(BULK, 60)
        conn.send(ok(b"got"))
        conn.hold()

    origin = stage.origin(reads_late)
    with proxy.connect() as client:
        client.send(request("PUT", origin.url + "/", body=b"x" * BULK), 60)
        client.read_response("PUT", 60)
    assert verdict_of(proxy.record()) == "origin"


def test_an_origin_that_lets_its_client_wait_for_100_is_slow(proxy, stage):
    def lets_wait(conn):
        conn.read_request_head()
        conn.pause(SLOW_S)
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        conn.read(4)
        conn.send(ok(b"got"))
        conn.hold()

    origin = stage.origin(lets_wait)
    with proxy.connect() as client:
        client.send(request("PUT", origin.url + "/", "Expect: 100-continue", "Content-Length: 4"))
        assert client.read_head().status == 100
        client.send(b"body")
        client.read_response("PUT")
    record = proxy.record()
    assert verdict_of(record) == "origin"
    assert record["pace"]["held_us"] >= SLOW_US


def test_an_origin_that_never_lets_its_client_send_is_slow(stage):
    """The client waits for 100 in vain."""
    proxy = stage.proxy("--timeout", "response_head=300ms")
    origin = stage.origin(lambda conn: (conn.read_request_head(), conn.hold()))
    with proxy.connect() as client:
        client.send(request("PUT", origin.url + "/", "Expect: 100-continue", "Content-Length: 4"))
        assert client.read_head().status == 504
    assert verdict_of(proxy.record()) == "origin"


@pytest.mark.parametrize("expects", [False, True])
def test_hints_in_the_middle_of_an_upload_are_no_wait_for_the_origin(proxy, stage, expects):
    """A 103 that comes while a client sends late, also one that said it would wait and did not."""
    def hints(conn):
        conn.read_request_head()
        conn.read(2)
        conn.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        conn.read(2)
        conn.send(ok(b"got"))
        conn.hold()

    origin = stage.origin(hints)
    with proxy.connect() as client:
        client.send(request("PUT", origin.url + "/", "Content-Length: 4", *["Expect: 100-continue"] * expects))
        if not expects:
            client.pause(SLOW_S)
        client.send(b"bo")
        assert client.read_head().status == 103
        client.pause(SLOW_S)
        client.send(b"dy")
        client.read_response("PUT")
    assert verdict_of(proxy.record()) == "client"


def test_a_client_that_does_not_read_is_slow(proxy, stage):
    """In clear and over TLS to the proxy."""
    origin = stage.origin(replies(ok(b"x" * BULK)))
    with proxy.connect(receive_buffer=4096) as client:
        client.send(request("GET", origin.url + "/"))
        client.read_head()
        client.pause(0.5)
        client.read(BULK, 60)
    assert verdict_of(proxy.record()) == "client"


def test_a_tls_client_that_does_not_read_is_slow(stage):
    proxy = stage.proxy(tls=True)
    origin = stage.origin(replies(ok(b"x" * BULK)))
    with proxy.connect(tls=stage.certs.client_context(), receive_buffer=4096) as client:
        client.send(request("GET", origin.url + "/"))
        client.read_head()
        client.pause(1)
        client.read(BULK, 60)
    assert verdict_of(proxy.record()) == "client"


def test_a_client_of_a_unix_socket_that_does_not_read_is_slow(stage):
    """Nothing is known of its leg."""
    proxy = stage.proxy(listen=f"unix:{stage.folder}/proxy0/listener")
    origin = stage.origin(replies(ok(b"x" * BULK)))
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        client.read_head()
        client.pause(0.5)
        client.read(BULK, 60)
    assert verdict_of(proxy.record()) == "client"


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_client_that_sends_late_is_slow(proxy, stage, part):
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        data = request("PUT", origin.url + "/", body=b"body")
        at = 10 if part == "head" else len(data) - 2
        client.send(data[:at])
        client.pause(SLOW_S)
        client.send(data[at:])
        client.read_response("PUT")
    assert verdict_of(proxy.record()) == "client"


def test_a_client_whose_head_never_comes_is_slow(stage):
    proxy = stage.proxy("--timeout", "client_head=200ms")
    with proxy.connect() as client:
        client.send(b"GET / HT")
        client.read_head()
    assert verdict_of(proxy.record()) == "client"


def test_a_name_server_that_answers_late_is_slow(proxy, stage, dns):
    dns.add("slow.test", a=["127.0.0.1"], delay=SLOW_S)
    origin = stage.origin(replies(ok(b"fine")))
    assert get(proxy, f"http://slow.test:{origin.port}/") == "dns"


def test_a_name_server_that_never_answers_is_slow(stage, dns):
    proxy = stage.proxy("--timeout", "dns=200ms")
    dns.add("silent.test", drop=True)
    assert get(proxy, "http://silent.test/") == "dns"


def test_a_limit_on_bandwidth_is_the_proxys(stage):
    path = stage.folder / "limits.yaml"
    path.write_text("limits: { per_client: { bandwidth: 1MiB/s } }\n")
    path.chmod(0o644)
    proxy = stage.proxy("-c", path)
    assert get(proxy, stage.origin(replies(ok(b"x" * 2_000_000))).url + "/") == "proxy"


def test_what_is_fast_or_refused_has_no_verdict(proxy):
    """Nobody was slow."""
    with proxy.connect() as client:
        client.ask(request("GET", "http://127.0.0.1:1/"))
    record = proxy.record()
    assert (record.slow is None) == (record.phases["total"] < SLOW_US)


def test_a_request_that_is_sent_again_is_judged(stage):
    """The second origin connection was the slow one."""
    proxy = stage.proxy("--workers", "1")

    def once(conn):
        conn.read_request()
        conn.send(ok(b"fine"))
        conn.read_request_head()
        conn.reset()

    origin = stage.origin([once, slow])
    with proxy.connect() as client:
        for _ in range(2):
            client.ask(request("GET", origin.url + "/"))
    record = proxy.records(2)[1]
    assert record.retries == 1
    assert verdict_of(record) == "origin"


# ---- tunnels

def in_tunnel(stage, proxy, script, play):
    origin = stage.origin(script)
    with proxy.connect() as client:
        client.send(request("CONNECT", origin.authority))
        client.read_head()
        play(client)
    return verdict_of(proxy.record())


def test_an_origin_that_thinks_in_a_tunnel_is_slow(proxy, stage):
    """And the client's own pause is nobody's, although it is longer."""
    def play(client):
        client.ask(request("GET", "/", host="x"))
        client.pause(SLOW_S * 3)

    assert in_tunnel(stage, proxy, slow, play) == "origin"
    assert proxy.record().shares["idle"] >= proxy.record().shares["origin"]


class OneFlight(TlsWire):
    """Its request leaves with the end of its handshake, as those of browsers do."""
    asks = False

    def _flush(self):
        if self.asks or self.tls.cipher() is None:
            super()._flush()

    def ask(self, data, bound=BOUND):
        self.asks = True
        return super().ask(data, bound)


def test_an_origin_that_thinks_behind_tls_is_slow(proxy, stage, certs):
    """Its session tickets, which come at once, are no answer."""
    origin = stage.origin(slow, tls=True)
    with proxy.connect() as client:
        client.ask(request("CONNECT", origin.authority))
        OneFlight(client.sock, certs.client_context(), "localhost").ask(request("GET", "/", host="localhost"))
    record = proxy.record()
    assert verdict_of(record) == "origin"
    assert record.shares["origin"] >= SLOW_US


def test_an_origin_that_greets_late_is_slow(proxy, stage):
    def greets(conn):
        conn.pause(SLOW_S)
        conn.send(b"220 at last\r\n")
        conn.hold()

    assert in_tunnel(stage, proxy, greets, lambda client: client.read_until(b"\n")) == "origin"


def test_an_origin_that_says_nothing_is_slow(proxy, stage):
    def play(client):
        client.send(b"hello")
        client.pause(SLOW_S)

    assert in_tunnel(stage, proxy, lambda conn: conn.hold(), play) == "origin"


def test_nobody_is_slow_in_an_idle_tunnel(proxy, stage):
    def play(client):
        client.ask(request("GET", "/", host="x"))
        client.pause(SLOW_S)

    word = in_tunnel(stage, proxy, replies(ok(b"fine")), play)
    shares = proxy.record().shares
    assert (word == "none") == (sum(shares.values()) - shares["idle"] < SLOW_US)


def test_a_client_that_does_not_read_its_tunnel_is_slow(proxy, stage):
    def bursts(conn):
        conn.send(b"x" * BULK, 60)
        conn.hold()

    origin = stage.origin(bursts)
    with proxy.connect(receive_buffer=4096) as client:
        client.ask(request("CONNECT", origin.authority))
        client.pause(0.5)
        client.read(BULK, 60)
    record = proxy.record()
    assert record.stalled["by_client"] > 0
    assert verdict_of(record) == "client"


def test_an_origin_that_does_not_read_its_tunnel_is_slow(proxy, stage):
    def reads_late(conn):
        conn.pause(0.5)
        conn.read(BULK, 60)
        conn.hold()

    def play(client):
        sends = threading.Thread(target=client.send, args=(b"x" * BULK, 60))
        sends.start()
        sends.join()

    assert in_tunnel(stage, proxy, reads_late, play) == "origin"


def test_a_snapshot_of_a_tunnel_is_judged(proxy, stage):
    """Up to its last byte."""
    origin = stage.origin(slow)
    with proxy.connect() as client:
        client.ask(request("CONNECT", origin.authority))
        client.ask(request("GET", "/", host="x"))
        snapshot = list_tunnels(proxy)["tunnels"][0]
        assert snapshot["verdict"]["slow"] == "origin"
