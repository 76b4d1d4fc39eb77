"""The heap on the way of a request: our own code asks it for nothing in the steady state.

valgrind counts what a process asked for in all. Two runs that differ in the number of requests alone tell what
one request costs; libraries are counted with it."""
import re
import shutil
import signal

import pytest

from support.bounds import SLOW
from support.message import ok, request
from support.origin import echoes, replies_forever
from support.proxy import LOOPBACK, NO_SANDBOX, has_sanitizer

PATIENCE = 60.0 * SLOW  # an emulated processor is some thirty times slower
FEW, MANY = 20, 520  # both beyond what fills the free lists
NOISE = 0.1  # of the start, spread over all requests


@pytest.fixture
def count(stage, certs, program):
    """How often a run asks the heap that plays `play(proxy)` a number of times."""
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed (apt install valgrind)")
    if has_sanitizer(program):
        pytest.skip("a sanitizer has the heap of this build")

    def run(play, times, tls):
        report = stage.folder / f"heap{len(stage.proxies)}"
        report.mkdir(mode=0o777)
        report.chmod(0o777)
        door = ["--listen-tls", "127.0.0.1:0", "--tls-cert", certs.server, "--tls-key", certs.server_key]
        proxy = stage.run(*(door if tls else ["--listen", "127.0.0.1:0"]), "--admin", "off", "--workers", "1",
                          "--log-file", "off", *LOOPBACK,
                          command=["valgrind", "--vgdb=no", f"--log-file={report}/valgrind"], sandbox=NO_SANDBOX)
        proxy.wait_line("listening on ", bound=PATIENCE)
        proxy.learn_addresses()
        play(proxy, times)
        proxy.signal(signal.SIGTERM)
        assert proxy.wait_exit(bound=PATIENCE) == 0, proxy.stderr
        text = "".join(path.read_text() for path in report.iterdir())
        return int(re.search(r"total heap usage: ([\d,]+) allocs", text).group(1).replace(",", ""))

    return lambda play, tls=False: (run(play, MANY, tls) - run(play, FEW, tls)) / (MANY - FEW)


def test_a_request_on_kept_connections_asks_the_heap_for_nothing(stage, count):
    """Head, body and record of a plain exchange come from arenas, slabs and blocks."""
    origin = stage.origin(replies_forever(ok(b"fine")))

    def play(proxy, times):
        with proxy.connect() as client:
            for _ in range(times):
                assert client.ask(request("GET", origin.url + "/"), bound=PATIENCE).status == 200
    assert abs(count(play)) < NOISE


def test_a_connection_of_its_own_for_each_request_asks_for_nothing(stage, count):
    """Transports, clients and upstream connections come from slabs."""
    origin = stage.origin(replies_forever(ok(b"fine", "Connection: close")))

    def play(proxy, times):
        for _ in range(times):
            with proxy.connect() as client:
                assert client.ask(request("GET", origin.url + "/", "Connection: close"),
                                  bound=PATIENCE).status == 200
    assert abs(count(play)) < NOISE


def test_a_tunnel_asks_the_heap_for_nothing(stage, count):
    """So do tunnels and their records."""
    mirror = stage.origin(echoes)

    def play(proxy, times):
        for _ in range(times):
            with proxy.connect() as client:
                client.send(request("CONNECT", mirror.authority))
                assert client.read_head(bound=PATIENCE).status == 200
                client.send(b"ping")
                assert client.read(4, bound=PATIENCE) == b"ping"
    assert abs(count(play)) < NOISE


def test_a_request_over_tls_asks_for_what_the_library_takes(stage, certs, count):
    """Over a kept TLS connection the library takes its record buffers anew, since an idle one holds none."""
    origin = stage.origin(replies_forever(ok(b"fine")))

    def play(proxy, times):
        with proxy.connect(tls=certs.client_context()) as client:
            for _ in range(times):
                assert client.ask(request("GET", origin.url + "/"), bound=PATIENCE).status == 200
    assert count(play, tls=True) < 9
