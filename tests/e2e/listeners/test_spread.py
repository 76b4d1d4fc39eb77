"""How connections come to workers: over TCP each worker has a socket of its own, others share one."""
from collections import Counter
from pathlib import Path

from support.message import request

COUNT = 200


def wakes(thread):
    """How often it went to sleep by itself, which it does once for each time it is woken."""
    fields = dict(line.split(":\t") for line in (thread / "status").read_text().splitlines() if ":\t" in line)
    return int(fields["voluntary_ctxt_switches"])


def all_wakes(proxy):
    """Of the threads of the serving process but its first one and the recorder."""
    tasks = Path(f"/proc/{proxy.serving_pid()}/task")
    return {task.name: wakes(task) for task in tasks.iterdir()
            if int(task.name) != proxy.serving_pid() and (task / "comm").read_text() != "recorder\n"}


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
