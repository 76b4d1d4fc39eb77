"""Memory at rest: an idle tunnel costs little, and what many needed together is given back when they are gone."""
import contextlib
import re
import resource
import socket
import ssl
from pathlib import Path

import pytest

from support.bounds import SLOW, wait_until
from support.message import ok, request
from support.proxy import has_sanitizer

TUNNELS, TOGETHER = 2000, 50
EACH = 1024  # bytes that an idle tunnel may cost, its record and all included
REST = 512 * 1024  # what may differ from one moment to another
WATCH = 128  # and more, while somebody waits for what it says
ROUNDS, CLIENTS = 300, 8
PATIENT = 30 * SLOW


@pytest.fixture(autouse=True)
def own_memory(program):
    if has_sanitizer(program):
        pytest.skip("a sanitizer has the heap of this build")


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def own_bytes(proxy):
    """Memory of the serving process that belongs to no file."""
    text = Path(f"/proc/{proxy.serving_pid()}/smaps_rollup").read_text()
    return int(re.search(r"^Anonymous: +(\d+) kB", text, re.M)[1]) * 1024


def without_history(stage):
    """One worker; no admin listener, whose history takes memory as it is used."""
    return stage.proxy("--workers", "1", "--admin", "off", has_admin=False)


def wait_below(proxy, limit, what):
    seen = []

    def is_below():
        seen.append(own_bytes(proxy))
        return seen[-1] <= limit
    try:
        wait_until(is_below, what, PATIENT, step=0.05)
    except AssertionError as error:
        raise AssertionError(f"{error}: {seen[0]} went to {seen[-1]}, allowed are {limit}") from None


def open_tunnels(proxy, listener, count, held):
    """So many at once; both ends of each go to `held`."""
    authority = "127.0.0.1:%d" % listener.getsockname()[1]
    clients = [held.enter_context(proxy.connect()) for _ in range(count)]
    for client in clients:
        client.send(request("CONNECT", authority))
    for client in clients:
        assert client.read_head().status == 200
        held.enter_context(listener.accept()[0])


@pytest.mark.usefixtures("many_descriptors")
def test_an_idle_tunnel_costs_less_than_a_kibibyte(stage):
    """Of two thousand idle tunnels each costs at most 1 KiB; when they are closed the memory is back."""
    proxy = without_history(stage)
    with socket.create_server(("127.0.0.1", 0), backlog=TOGETHER) as listener:
        listener.settimeout(PATIENT)
        with contextlib.ExitStack() as held:
            open_tunnels(proxy, listener, 1, held)
        before = own_bytes(proxy)
        with contextlib.ExitStack() as held:
            for _ in range(TUNNELS // TOGETHER):
                open_tunnels(proxy, listener, TOGETHER, held)
            wait_below(proxy, before + TUNNELS * EACH, "the tunnels to be cheap")
        wait_below(proxy, before + REST, "the memory to be back")


def handshake(certs):
    """What the two sides of one say, in its order: (whether it is the client, bytes)."""
    context, said = certs.client_context(), []
    context.check_hostname = False
    into = ssl.MemoryBIO(), ssl.MemoryBIO()
    out = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = context.wrap_bio(into[0], out[0]), certs.server_context().wrap_bio(into[1], out[1], server_side=True)
    done = set()
    while len(done) < 2:
        for side, end in enumerate(ends):
            with contextlib.suppress(ssl.SSLWantReadError):
                if side not in done:
                    end.do_handshake()
                    done.add(side)
            if data := out[side].read():
                said.append((side == 0, data))
                into[1 - side].write(data)
    return said


@pytest.mark.usefixtures("many_descriptors")
def test_so_does_one_whose_client_has_only_shaken_hands(stage, certs):
    """Browsers open tunnels in advance: TLS, and then nothing. What looks at them waits, and is small. All say the same,
    since the proxy takes no part in it."""
    proxy = without_history(stage)
    said = handshake(certs)
    with socket.create_server(("127.0.0.1", 0), backlog=TOGETHER) as listener:
        listener.settimeout(PATIENT)
        authority = "127.0.0.1:%d" % listener.getsockname()[1]

        def open_one(held):
            client = held.enter_context(proxy.connect())
            client.ask(request("CONNECT", authority))
            origin = held.enter_context(listener.accept()[0])
            origin.settimeout(PATIENT)
            for is_client, data in said:
                if is_client:
                    client.send(data)
                    assert origin.recv(len(data), socket.MSG_WAITALL) == data
                else:
                    origin.sendall(data)
                    assert client.read(len(data)) == data
        with contextlib.ExitStack() as held:
            open_one(held)
        assert "t_hs" in proxy.record(lambda record: record.kind == "tunnel").marks
        before = own_bytes(proxy)
        with contextlib.ExitStack() as held:
            for _ in range(TUNNELS):
                open_one(held)
            wait_below(proxy, before + TUNNELS * (EACH + WATCH), "the tunnels to be cheap")


def asks_all(client, origin):
    """One of each kind, the last of which ends the connection; gives the statuses."""
    client.send(request("GET", origin.url + "/") + request("POST", origin.url + "/", body=b"x" * 5000) +
                request("GET", "http://10.255.255.1/") + request("GET", "/no-proxy-request"))
    return [client.read_response().status for _ in range(4)]


def test_requests_leave_no_memory_behind(stage):
    """Thousands of requests of all kinds, answered and refused, leave the memory where it was after the first."""
    proxy = without_history(stage)

    def answers(conn):
        while conn.read_request():
            conn.send(ok(b"y" * 5000))
    origin = stage.origin(answers)

    def play():
        clients = [proxy.connect() for _ in range(CLIENTS)]
        seen = [asks_all(client, origin) for client in clients]
        for client in clients:
            client.close()
        return seen
    first = play()
    before = own_bytes(proxy)
    for _ in range(ROUNDS):
        assert play() == first
    wait_below(proxy, before + REST, "the memory to be back")
