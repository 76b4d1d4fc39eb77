"""The table of failures, row by row: each is provoked, and its status, its Proxy-Status error (RFC 9209 §2.3), its
body as text, HTML and JSON, and its record are as the table says. A row that no play here provokes is an error."""
import contextlib
import os
import re
import select
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.admin import in_own_network
from support.bounds import BOUND, Cue, wait_until
from support.failures import ACCEPT, ROOT, Told, rows
from support.message import ok, request
from support.ops import status_of
from support.origin import Silence, replies_and_closes
from support.shows import shows
from support.wire import TlsWire

NOWHERE = "http://127.0.0.1:9/"  # refused or answered before it would be dialled
LIMIT_MS = 150  # of what a play lets run into a time limit
FAULTS = {}
# Rows that others provoke, and where: what ends tunnels, and what no play can bring about at the right moment.
ELSEWHERE = {"auth_needed": "tests/e2e/identity/test_basic.py", "auth_failed": "tests/e2e/identity/test_basic.py",
             "auth_impossible": "tests/e2e/identity/test_other_ways.py",
             "auth_expired": "tests/e2e/identity/test_certificates.py",
             "auth_throttled": "tests/e2e/identity/test_other_ways.py",
             "auth_busy": "tests/e2e/identity/test_other_ways.py",
             "sni_refused": "tests/e2e/egress/test_sni_address.py",
             "hello_timeout": "tests/e2e/egress/test_sni.py",
             "over_budget": "tests/e2e/limits/test_budgets.py", "busy": "tests/e2e/limits/test_budgets.py",
             "memory": "tests/e2e/limits/test_memory_refusals.py", "too_slow": "tests/e2e/limits/test_slow_clients.py",
             "tunnel_idle": "tests/e2e/tunnel/test_half_close.py",
             "tunnel_half_closed": "tests/e2e/tunnel/test_half_close.py",
             "tunnel_lifetime": "tests/e2e/tunnel/test_half_close.py",
             "shed": "tests/sim/test_origin_limits.c"}


class Fault:
    """How to provoke one row. The play gets a Scene; it returns the request."""

    def __init__(self, play, status, token, phase, late, formats, needs_network):
        self.play, self.status, self.token, self.phase = play, status, token, phase
        self.late, self.formats, self.needs_network = late, formats, needs_network
        self.word = play.__name__.partition("__")[0]


def fault(status, token, phase, late=False, formats=("text", "html", "json"), needs_network=False):
    def note(play):
        FAULTS[play.__name__] = Fault(play, status, token, phase, late, formats, needs_network)
        return play
    return note


class Scene:
    """A play may replace what happens between the steps: connect, send, read."""

    def __init__(self, stage):
        self.stage = stage
        self.proxy = None
        self.when_connected = self.when_sent = lambda: None
        self.then = lambda client: None  # for each client, after its request

    def start(self, *flags, **more):
        self.proxy = self.stage.proxy("--workers", "1", *flags, **more)

    def limit(self, name, **more):
        self.start("--timeout", f"{name}={LIMIT_MS}ms", **more)


def ask(client, data, then):
    client.stamp("asked")
    client.send(data)
    then(client)
    return client.read_response()


def play_fault(stage, fault):
    scene = Scene(stage)
    data = fault.play(scene)
    clients = [stage.client(scene.proxy.connect()) for _ in fault.formats]
    scene.when_connected()
    with ThreadPoolExecutor(len(clients)) as pool:
        asked = [pool.submit(ask, client, with_accept(data, kind), scene.then)
                 for client, kind in zip(clients, fault.formats)]
        scene.when_sent()
        answers = [future.result(4 * BOUND) for future in asked]
    records = {r.id: r for r in scene.proxy.records(len(answers), lambda r: r.cause == fault.word)}
    for client, answer, kind in zip(clients, answers, fault.formats):
        took_ns = client.last("received") - client.first("asked")
        check(fault, answer, kind, took_ns, records)


# The limits of the configuration that a failure names: who meets one learns which.
SETTINGS = {"head_timeout": "timeouts.client_head", "dns_timeout": "timeouts.dns",
            "connect_timeout": "timeouts.connect", "tls_timeout": "timeouts.upstream_tls",
            "response_timeout": "timeouts.response_head", "body_timeout": "timeouts.body_stall",
            "send_stalled": "timeouts.body_stall", "response_stalled": "timeouts.body_stall",
            "response_too_large": "limits.head_bytes"}


def with_accept(data, kind):
    return data.replace(b"KIND", kind.encode()).replace(b"\r\n", f"\r\nAccept: {ACCEPT[kind]}\r\n".encode(), 1)


def check(fault, answer, kind, took_ns, records):
    row = rows()[fault.word]
    told = Told(answer)
    record = records[told.id]
    assert (answer.status, record.status) == (fault.status, fault.status), answer
    assert (record.end == "timeout") == fault.late, record.json
    assert f"; error={fault.token};" in answer.get("Proxy-Status"), answer
    assert told.id in answer.get("Proxy-Status") and record.error == fault.token
    assert (told.kind, told.phase) == (kind, fault.phase), answer.body
    assert told.sentence.startswith(row.sentence)
    assert told.elapsed_ns <= took_ns, (told.elapsed_ns, took_ns)
    # The limit of a head runs from the turn that received its first bytes, and that is a little before they are marked.
    waited_ns = took_ns if fault.word == "head_timeout" else told.elapsed_ns + told.unit_ns
    assert not fault.late or waited_ns > LIMIT_MS * 1e6, answer.body
    setting = SETTINGS.get(fault.word)
    assert told.setting == setting
    if kind == "json":
        shown = [told.json[name] for name in ("status", "cause", "error")]
        assert shown == [fault.status, fault.word, fault.token]


def holds(conn):
    conn.read_request_head()
    conn.hold()


def says(data):
    """A script that hears something and answers it, HTTP or not."""
    def script(conn):
        conn.fill()
        conn.send(data)
        conn.hold()
    return script


class Stopped:
    """The proxy does not run until this is closed."""

    def __init__(self, proxy):
        self.go_on = lambda: os.kill(proxy.pid, signal.SIGCONT)
        os.kill(proxy.pid, signal.SIGSTOP)
        wait_until(lambda: status_of(proxy.pid)["State"][0] == "T", "the proxy to stop")

    def close(self):
        self.go_on()


# ---- the client's faults
@fault(400, "http_request_error", "send")
def bad_request(scene):
    scene.start()
    origin = scene.stage.origin(lambda conn: conn.hold())  # which may not even see the head
    return request("POST", origin.url + "/", "Transfer-Encoding: chunked") + b"zz\r\n"


@fault(400, "http_request_error", "receive", formats=["text"])
def bad_request__head(scene):
    scene.start()
    return request("GET", NOWHERE, "X : y")


@fault(400, "http_request_error", "decide")
def bad_target(scene):
    scene.start()
    return request("GET", "http://127.0.0.1:0/")


@fault(408, "http_request_error", "receive", late=True, formats=["text"])
def head_timeout(scene):
    scene.limit("client_head")
    return request("GET", NOWHERE)[:-2]


@fault(408, "http_request_error", "send", late=True)
def body_timeout(scene):
    scene.limit("body_stall")
    origin = scene.stage.origin(holds)
    return request("POST", origin.url + "/", "Content-Length: 10") + b"half"


@fault(400, "http_request_error", "send")
def request_cut(scene):
    scene.start()
    origin = scene.stage.origin(holds)

    def cut(client):
        origin.wait_requests(3)
        client.half_close()

    scene.then = cut
    return request("POST", origin.url + "/", "Content-Length: 10") + b"half"


@fault(404, "http_request_error", "decide")
def not_here(scene):
    scene.start()
    return request("GET", "/page", host="x")


@fault(405, "http_request_error", "decide")
def method_not_allowed(scene):
    scene.start()
    return request("POST", "/.well-known/fairlead/denials", host="127.0.0.1")


@fault(411, "http_request_error", "decide")
def length_required(scene):
    scene.start()
    origin = scene.stage.origin(replies_and_closes(ok(b"old", version="HTTP/1.0")))
    with scene.proxy.connect() as client:
        client.ask(request("GET", origin.url + "/"))
    return request("POST", origin.url + "/", "Transfer-Encoding: chunked") + b"0\r\n\r\n"


@fault(417, "http_request_error", "decide")
def expectation(scene):
    scene.start()
    return request("GET", NOWHERE, "Expect: the-unexpected")


@fault(501, "http_request_error", "decide")
def scheme(scene):
    scene.start()
    return request("GET", "ftp://127.0.0.1/")


# ---- policy
@fault(403, "http_request_denied", "decide")
def refused(scene):
    scene.start("--deny", "bad.test")
    return request("GET", "http://bad.test/")


@fault(403, "destination_ip_prohibited", "decide")
def refused_address(scene):
    scene.start()
    return request("GET", "http://10.0.0.1/")


@fault(403, "destination_ip_prohibited", "dns")
def refused_address__of_a_name(scene):
    scene.start()
    scene.stage.dns.add("inside.test", a=["10.0.0.1"])
    return request("GET", "http://inside.test/")


@fault(502, "proxy_loop_detected", "decide")
def loop(scene):
    scene.start("--via", "gate-7")
    return request("GET", NOWHERE, "Via: 1.1 gate-7")


# ---- names
def add_name(scene, **facts):
    scene.stage.dns.add("odd.test", **facts)
    return request("GET", "http://odd.test/")


@fault(502, "dns_error", "dns")
def dns_not_found(scene):
    scene.start()
    return request("GET", "http://missing.test/")


@fault(502, "dns_error", "dns")
def dns_no_address(scene):
    scene.start()
    return add_name(scene)


@fault(502, "dns_error", "dns")
def dns_error(scene):
    scene.start()
    return add_name(scene, rcode=2)


@fault(504, "dns_timeout", "dns", late=True)
def dns_timeout(scene):
    scene.limit("dns")
    for kind in ACCEPT:  # a question each: those who join one wait for less than its limit
        scene.stage.dns.add(f"{kind}.test", drop=True)
    return request("GET", "http://KIND.test/")


# ---- connections
@fault(502, "connection_refused", "connect")
def connect_refused(scene):
    scene.start()
    closed = scene.stage.origin([])
    closed.stop_listening()
    return request("GET", closed.url + "/")


@fault(502, "destination_ip_unroutable", "connect", needs_network=True)
def connect_unreachable(scene):
    scene.start("--allow", "203.0.113.0/24")
    return request("GET", "http://203.0.113.1/")


@fault(502, "connection_terminated", "connect")
def connect_reset(scene):
    """The connections stand, and are reset before the proxy looks: it is stopped meanwhile."""
    scene.start()
    silence = Silence().__enter__()
    scene.stage.others.append(silence)

    def reset():
        wait_until(lambda: silence.knocking() >= 3, "three connects under way")
        scene.stage.others.append(Stopped(scene.proxy))
        silence.reset_all(3)
        scene.stage.others.pop().close()

    scene.when_sent = reset
    return request("GET", f"http://127.0.0.1:{silence.port}/")


@fault(504, "connection_timeout", "connect", late=True)
def connect_timeout(scene):
    scene.limit("connect")
    silence = Silence().__enter__()
    scene.stage.others.append(silence)
    return request("GET", f"http://127.0.0.1:{silence.port}/")


@fault(503, "connection_limit_reached", "connect")
def connect_limit(scene):
    scene.start(command=["prlimit", "--nofile=90:90"])

    def fill():
        for _ in range(90):
            scene.stage.client(scene.proxy.connect())
        wait_until(lambda: scene.proxy.descriptors() >= 90, "the descriptors to be used up")

    scene.when_connected = fill
    return request("GET", scene.stage.origin([]).url + "/")


# ---- TLS with the origin
def over_tls(scene, script):
    return request("GET", f"https://{scene.stage.origin(script).authority}/")


@fault(502, "tls_certificate_error", "tls")
def tls_certificate(scene):
    scene.start()  # which knows nothing of the authority of these tests

    def shows_certificate(conn):
        with pytest.raises(OSError):
            TlsWire(conn.sock, scene.stage.certs.server_context(), is_server=True).fill()
    return over_tls(scene, shows_certificate)


@fault(502, "tls_protocol_error", "tls")
def tls_protocol(scene):
    scene.start()
    return over_tls(scene, says(ok(b"in clear")))


@fault(502, "tls_alert_received", "tls")
def tls_alert(scene):
    scene.start()
    handshake_failure = b"\x15\x03\x03\x00\x02\x02\x28"
    return over_tls(scene, says(handshake_failure))


@fault(504, "connection_timeout", "tls", late=True)
def tls_timeout(scene):
    scene.limit("upstream_tls")
    return over_tls(scene, lambda conn: conn.hold())


# ---- the exchange with the origin
@fault(502, "connection_terminated", "send")
def send_failed(scene):
    scene.start()
    origin = scene.stage.origin(lambda conn: conn.read_request_head())
    return request("POST", origin.url + "/", "Content-Length: 1000")


@fault(504, "connection_write_timeout", "send", late=True)
def send_stalled(scene):
    scene.limit("body_stall")
    origin = scene.stage.origin(lambda conn: conn.read_request_head() and conn.stay())
    scene.then = pours
    return request("POST", origin.url + "/", "Content-Length: 1000000000")


def pours(client):
    """Send until an answer comes, or the proxy takes no more."""
    client.sock.setblocking(False)
    with contextlib.suppress(ConnectionError):
        while not select.select([client.sock], [], [], 0)[0]:
            if select.select([client.sock], [client.sock], [], BOUND)[1]:
                client.sock.send(bytes(65536))


@fault(502, "connection_terminated", "wait")
def no_response(scene):
    scene.start()
    origin = scene.stage.origin(lambda conn: conn.read_request())
    return request("GET", origin.url + "/")


@fault(504, "http_response_timeout", "wait", late=True)
def response_timeout(scene):
    scene.limit("response_head")
    origin = scene.stage.origin(holds)
    return request("GET", origin.url + "/")


@fault(502, "http_protocol_error", "load")
def bad_response(scene):
    scene.start()
    return request("GET", scene.stage.origin(says(b"hello\r\n\r\n")).url + "/")


@fault(502, "http_response_transfer_coding", "load")
def response_coding(scene):
    scene.start()
    return request("GET", scene.stage.origin(says(ok(b"0\r\n\r\n", "Transfer-Encoding: gzip, chunked",
                                                     length=False))).url + "/")


@fault(502, "http_upgrade_failed", "load")
def upgrade_failed(scene):
    scene.start()
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"
    return request("GET", scene.stage.origin(says(switch)).url + "/", "Connection: Upgrade", "Upgrade: echo")


@fault(502, "http_response_header_section_size", "load")
def response_too_large(scene):
    scene.start()
    return request("GET", scene.stage.origin(says(ok(b"", "X: " + "y" * 70_000))).url + "/")


@shows("9209-2.1.1-1", "9209-2.1.1-2", "9110-15.5-1", "9110-15.6-1")
@pytest.mark.parametrize("name", FAULTS)
def test_a_failure_is_told_as_the_table_says(stage, name):
    """Status, Proxy-Status, cause, phase, elapsed time and id agree in the head, in each body, and in the record."""
    fault = FAULTS[name]
    if fault.needs_network:
        in_own_network(lambda: play_fault(stage, fault))
    else:
        play_fault(stage, fault)


# ---- failures that nobody is left to be told of, or that come behind the head: the record alone
def end_of_record(proxy, word):
    record = proxy.record(lambda r: r.cause == word)
    assert record.error is None  # no Proxy-Status was sent
    return record.kind, record.status, record.end, record.ended_by


def sends_half(conn):
    conn.read_request()
    conn.send(ok(b"half", "Content-Length: 10", length=False))


def test_response_cut(proxy, stage):
    """The origin ends before its content does: the client's connection ends early as well."""
    origin = stage.origin(sends_half)
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        assert client.read_head().status == 200 and client.read_to_end() == b"half"
    assert end_of_record(proxy, "response_cut") == ("exchange", 200, "error", "upstream")


def test_a_reset_is_no_end_of_a_response(stage):
    """An origin that is reset in a response that its connection's end delimits: the message is cut short, also where
    the proxy meets the reset as it sends the request's body (RFC 9112 §8)."""
    began, may_reset, was_reset = Cue(), Cue(), Cue()

    def resets(conn):
        conn.read_request_head()
        conn.send(b"HTTP/1.1 200 OK\r\n\r\nfirst")
        began.give()
        may_reset.wait()
        conn.send(b"second")
        conn.reset()
        was_reset.give()

    origin = stage.origin(resets)
    proxy = stage.proxy("--workers", "1")
    with proxy.connect() as client:
        client.send(request("POST", origin.url + "/", "Content-Length: 100000") + b"some")
        began.wait()
        assert client.read_until(b"first")
        proxy.freeze()
        client.send(b"more" * 100)
        may_reset.give()
        was_reset.wait()
        proxy.thaw()
        rest = client.read_to_end()
        assert b"0\r\n\r\n" not in rest
    record = proxy.record()
    assert record.end != "done" and record.ended_by == "upstream", record


def test_response_stalled(stage):
    """The origin stops in its content."""
    proxy = stage.proxy("--timeout", f"body_stall={LIMIT_MS}ms")
    origin = stage.origin(lambda conn: sends_half(conn) or conn.hold())
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        assert client.read_head().status == 200 and client.read_to_end() == b"half"
    assert end_of_record(proxy, "response_stalled") == ("exchange", 200, "timeout", "proxy")


def test_client_gone(proxy, stage):
    """The client leaves while it waits; the origin's connection is given up."""
    origin = stage.origin(holds)
    client = proxy.connect()
    client.send(request("GET", origin.url + "/"))
    origin.wait_requests(1)
    client.reset()
    assert end_of_record(proxy, "client_gone") == ("exchange", None, "rst", "client")
    wait_until(lambda: origin.connections[0].end, "the origin's connection to end")


def test_client_stalled(stage):
    """The client takes no more of a response that goes on."""
    proxy = stage.proxy("--timeout", f"body_stall={LIMIT_MS}ms")
    total = 100_000_000

    def pours(conn):
        conn.read_request()
        conn.send(ok(b"", f"Content-Length: {total}", length=False))
        with contextlib.suppress(OSError):
            for _ in range(total // 1_000_000):
                conn.send(bytes(1_000_000))

    origin = stage.origin(pours)
    with proxy.connect(receive_buffer=4096) as client:
        client.send(request("GET", origin.url + "/"))
        assert end_of_record(proxy, "client_stalled") == ("exchange", 200, "timeout", "proxy")


def test_drained(stage):
    """What still waits when timeouts.drain is over is ended, and its record says why."""
    proxy = stage.proxy("--timeout", f"drain={LIMIT_MS}ms")
    origin = stage.origin(holds)
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        origin.wait_requests(1)
        proxy.signal(signal.SIGTERM)
        assert proxy.wait_exit() == 0
        client.expect_end()
    assert end_of_record(proxy, "drained") == ("exchange", None, "drain", "proxy")


@shows("9209-2.1.1-1")
def test_every_row_is_provoked():
    """No row of the table is without a play, no play without a row, and both say the same."""
    table = rows()
    played = {fault.word: (fault.status, fault.token) for fault in FAULTS.values()}
    ends = {name for name in table if f"test_{name}" in globals()}
    assert set(played) | ends | set(ELSEWHERE) == set(table)
    assert played == {word: (table[word].status, table[word].token) for word in played}
    for word, path in ELSEWHERE.items():
        assert f'"{word}"' in (ROOT / path).read_text(), f"{word} is not in {path}"


@pytest.mark.parametrize("key", sorted(set(SETTINGS.values()) | {"limits.target_bytes"}))
def test_every_limit_that_is_named_can_be_set(stage, key):
    section, name = key.split(".")
    shown = subprocess.run([stage.program, "check", "--print"], capture_output=True, check=True, text=True).stdout
    assert re.search(rf"^{section}:(?:\n +.*)*?\n +{name}:", shown, re.M), shown


@pytest.mark.parametrize("status,setting,target,field", [(414, "limits.target_bytes", "x" * 40000, ""),
                                                         (431, "limits.head_bytes", "", "X: " + "y" * 70000)])
def test_a_head_over_a_limit_is_told_which(proxy, status, setting, target, field):
    with proxy.connect() as client:
        got = client.ask(request("GET", NOWHERE + target, *([field] if field else [])))
    assert got.status == status and f"The limit is {setting} of the configuration.".encode() in got.body
