"""Memory: what passes, or what nobody takes, is never in the proxy as a whole."""
import contextlib
import select

import pytest

from support.admin import in_own_network, narrow_buffers
from support.bounds import SLOW, wait_until
from support.message import ok, request
from support.ops import status_of
from support.proxy import has_sanitizer

GIB = 1 << 30
MIB = 1 << 20
CROWD = 50
EACH = 400_000  # bytes that one stalled exchange or tunnel may keep resident: its blocks and its structs
REST = 8 * MIB
PATIENT = 30 * SLOW
BLOCK = bytes(MIB)


@pytest.fixture(autouse=True)
def own_memory(program):
    if has_sanitizer(program):
        pytest.skip("a sanitizer has the heap of this build")


def peak_bytes(proxy):
    """The most that was ever resident."""
    return int(status_of(proxy.serving_pid())["VmHWM"].split()[0]) * 1024


def warmed_up(stage, certs):
    """A proxy that has served on each of its listeners, and what it needed for that."""
    proxy = stage.proxy("--workers", "1", tls=True)
    origin = stage.origin(lambda conn: conn.read_request() and conn.send(ok(b"warm")))
    for context in (None, certs.client_context()):
        with proxy.connect(tls=context) as client:
            assert client.ask(request("GET", origin.url + "/")).status == 200
    return proxy, peak_bytes(proxy)


def pours(conn):
    """1 GiB, as far as it is taken, behind the head of a response or after a word in a tunnel."""
    if conn.read(2) != b"go":
        conn.read_until(b"\r\n\r\n")
        conn.send(ok(b"", f"Content-Length: {GIB}", length=False))
    with contextlib.suppress(OSError, AssertionError):
        for _ in range(GIB // MIB):
            conn.send(BLOCK, PATIENT)


def takes_no_more(wires):
    """The kernel takes nothing more of any of them."""
    return not select.select([], [wire.sock for wire in wires], [], 0)[1]


def wait_stalled(wires):
    """They are stopped, and still are when looked at again."""
    seen = []

    def is_stalled():
        seen.append(takes_no_more(wires))
        return seen[-2:] == [True, True]
    wait_until(is_stalled, "all senders to be stopped", PATIENT, step=0.1)


def asks(client, origin):
    client.send(request("GET", origin.url + "/"))


def opens_tunnel(client, origin):
    client.send(request("CONNECT", origin.authority))
    assert client.read_head().status == 200
    client.send(b"go")


@pytest.mark.parametrize("way", ["response", "response-tls", "tunnel", "tunnel-tls"])
def test_what_nobody_reads_is_not_kept(stage, certs, way):
    """Fifty clients read nothing of the gigabyte that each was to get: what is held for each is bounded."""
    def play():
        narrow_buffers()
        proxy, before = warmed_up(stage, certs)
        origin = stage.origin(pours)
        context = certs.client_context() if way.endswith("tls") else None
        for _ in range(CROWD):
            client = stage.client(proxy.connect(tls=context, receive_buffer=65536))
            (asks if way.startswith("response") else opens_tunnel)(client, origin)
        wait_stalled(origin.wait_connections(CROWD))
        grown = peak_bytes(proxy) - before
        assert grown < CROWD * EACH + REST, f"{grown / CROWD:.0f} bytes each"
    in_own_network(play)


def test_an_upload_that_nobody_reads_is_not_kept(stage, certs):
    """The same the other way round: the origins take nothing."""
    def play():
        narrow_buffers()
        proxy, before = warmed_up(stage, certs)
        origin = stage.origin(lambda conn: conn.stay())
        crowd = [stage.client(proxy.connect()) for _ in range(CROWD)]
        for client in crowd:
            client.send(request("POST", origin.url + "/", f"Content-Length: {GIB}"))
            client.sock.setblocking(False)
        seen = []

        def is_stalled():
            for client in select.select([], [client.sock for client in crowd], [], 0)[1]:
                client.send(BLOCK)
            seen.append(takes_no_more(crowd))
            return seen[-20:] == [True] * 20
        wait_until(is_stalled, "all senders to be stopped", PATIENT, step=0.01)
        grown = peak_bytes(proxy) - before
        assert grown < CROWD * EACH + REST, f"{grown / CROWD:.0f} bytes each"
    in_own_network(play)


@pytest.mark.parametrize("way", ["response", "tunnel"])
def test_bulk_needs_no_memory(stage, certs, way):
    """256 MiB to a client that reads them need no more memory than a small answer."""
    proxy, before = warmed_up(stage, certs)
    origin = stage.origin(pours)
    with proxy.connect() as client:
        (asks if way == "response" else opens_tunnel)(client, origin)
        assert way == "tunnel" or client.read_head().status == 200
        left, room = GIB // 4, bytearray(MIB)
        while left > 0 and (got := client.sock.recv_into(room)):
            left -= got
    assert left <= 0 and peak_bytes(proxy) - before < REST
