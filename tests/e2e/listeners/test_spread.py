"""How connections come to workers: over TCP each worker has a socket of its own, others share one."""
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from support.bounds import wait_until
from support.message import request
from support.origin import echoes

COUNT = 200
SPREAD = 2  # what a worker may have more than another where there are few; CREW_LOOK of src/server/crew.c where many


def wakes(thread):
    """How often it went to sleep by itself, which it does once for each time it is woken."""
    fields = dict(line.split(":\t") for line in (thread / "status").read_text().splitlines() if ":\t" in line)
    return int(fields["voluntary_ctxt_switches"])


def all_wakes(proxy):
    """Of the threads of the serving process but its first one, the recorder and those that hash passwords."""
    tasks = Path(f"/proc/{proxy.serving_pid()}/task")
    return {task.name: wakes(task) for task in tasks.iterdir()
            if int(task.name) != proxy.serving_pid() and (task / "comm").read_text() not in ("recorder\n", "hasher\n")}


def visit(proxy):
    """A connection with one answer of the proxy's own."""
    with proxy.connect() as client:
        assert client.ask(request("GET", "/", host="proxy.test")).status == 200


def test_connections_are_spread_over_workers(stage):
    """Of connections over TCP each of two workers serves a fair part."""
    proxy = stage.proxy("--workers", "2")
    for _ in range(COUNT):
        visit(proxy)
    served = Counter(record["worker"] for record in proxy.records(COUNT))
    assert set(served) == {0, 1} and min(served.values()) >= COUNT // 5, served


def test_a_connection_wakes_one_worker(stage):
    """Workers that share a socket are not all woken for a connection that one of them takes (EPOLLEXCLUSIVE)."""
    path = stage.folder / "proxy0" / "proxy.sock"
    proxy = stage.proxy("--workers", "4", listen=f"unix:{path}", listeners=1)
    visit(proxy)
    before = all_wakes(proxy)
    for _ in range(COUNT):
        visit(proxy)
    woken = sorted(count - before[thread] for thread, count in all_wakes(proxy).items())
    assert len(woken) == 5 and sum(woken) > COUNT, woken
    admin, quietest, *_ = woken  # nobody asks the admin listener
    assert admin < COUNT // 10 and quietest < COUNT // 2, woken


def open_by_worker(proxy):
    """Clients and tunnels that each worker has open, and how many clients were handed over."""
    text = proxy.ask_admin("/metrics").body.decode()
    each = [int(number) for number in re.findall(r'^fairlead_worker_connections\{worker="\d+"\} (\d+)$', text, re.M)]
    return each, int(re.search(r"^fairlead_client_handovers_total (\d+)$", text, re.M)[1])


def wait_spread(proxy, count):
    def is_spread():
        each, _ = open_by_worker(proxy)
        return sum(each) == count and max(each) - min(each) <= SPREAD
    try:
        wait_until(is_spread, "the clients to be spread")
    except AssertionError as error:
        raise AssertionError(f"{error}: {open_by_worker(proxy)}") from None


@pytest.mark.threads
@pytest.mark.parametrize("way", ["tcp", "unix"])
def test_long_connections_are_spread_evenly(stage, way):
    """Of a few that stay each worker has as many, however the kernel chose who accepts; each goes on where it is."""
    path = stage.folder / "proxy0" / "proxy.sock"
    proxy = stage.proxy("--workers", "4", **({"listen": f"unix:{path}", "listeners": 1} if way == "unix" else {}))
    clients = [stage.client(proxy.connect()) for _ in range(16)]
    wait_spread(proxy, 16)
    for client in clients:
        assert client.ask(request("GET", "/", host="proxy.test")).status == 200
    assert len({record["worker"] for record in proxy.records(16)}) == 4
    each, handed = open_by_worker(proxy)
    assert sum(each) == 16 and (handed > 0 or way == "tcp"), (each, handed)


@pytest.mark.threads
def test_tunnels_count_as_open(stage):
    """A client that has become a tunnel is as much to do as one that has not."""
    proxy = stage.proxy("--workers", "2", tls=True)
    origin = stage.origin(echoes)
    tunnels = []
    for number in range(12):
        client = stage.client(proxy.connect(tls=stage.certs.client_context() if number % 2 else None))
        client.send(request("CONNECT", origin.authority))
        assert client.read_head().status == 200
        tunnels.append(client)
    wait_spread(proxy, 12)
    for client in tunnels:
        client.send(b"ping")
        assert client.read(4) == b"ping"


@pytest.mark.threads
def test_clients_that_come_while_the_proxy_reloads_are_served(stage):
    """One that is handed over arrives under the configuration that it was accepted under."""
    path = stage.folder / "proxy0" / "proxy.sock"
    proxy = stage.proxy("--workers", "4", "--timeout", "keepalive=10m", listen=f"unix:{path}", listeners=1)
    kept = [stage.client(proxy.connect()) for _ in range(8)]
    for _ in range(10):
        before = len(proxy.lines)
        proxy.signal(signal.SIGHUP)
        clients = [stage.client(proxy.connect()) for _ in range(20)]
        for client in clients:
            assert client.ask(request("GET", "/", host="proxy.test")).status == 200
            client.close()
        proxy.wait_line("reloaded", after=before)
    for client in kept:
        assert client.ask(request("GET", "/", host="proxy.test")).status == 200


@pytest.mark.threads
def test_clients_that_come_at_the_end_end_with_it(stage):
    """The proxy ends in order while clients come and are handed over."""
    path = stage.folder / "proxy0" / "proxy.sock"
    proxy = stage.proxy("--workers", "4", listen=f"unix:{path}", listeners=1)
    for _ in range(64):
        stage.client(proxy.connect())
    proxy.signal(signal.SIGTERM)
    assert proxy.wait_exit() == 0, proxy.stderr
