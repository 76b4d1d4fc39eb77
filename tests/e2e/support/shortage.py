"""What runs out: descriptors, local ports, memory, kernel pipes; each of one process or one network."""
import contextlib
import os
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from support.admin import metric
from support.bounds import BOUND, wait_until
from support.message import request
from support.ops import status_of, uid_of
from support.proxy import is_root
from support.wire import connect

PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
LISTEN = "0A"  # a state in /proc/net/tcp
CROWD = 900  # clients that ask for memory
BEGUN = b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Long: " + b"x" * 30_000  # a head that is not whole


def set_limit(pid, **limits):
    """Set soft limits of a process, as its own user, who needs no privilege for it."""
    said = Path(f"/proc/{pid}/limits").read_text()
    words = []
    for name, soft in limits.items():
        row = {"nofile": "Max open files", "data": "Max data size"}[name]
        words.append(f"--{name}={soft}:" + re.search(row + r" +\w+ +(\w+)", said).group(1))
    subprocess.run(["prlimit", f"--pid={pid}", *words], check=True, extra_groups=[],
                   user=uid_of(pid), group=int(status_of(pid)["Gid"].split()[1]))


@contextlib.contextmanager
def room(pid, count):
    """A process that has so many numbers left for descriptors, for a while."""
    taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    limit = [number for number in range(len(taken) + count + 1) if number not in taken][count]
    soft = re.search(r"Max open files +(\d+)", Path(f"/proc/{pid}/limits").read_text()).group(1)
    set_limit(pid, nofile=limit)
    try:
        yield
    finally:
        if Path(f"/proc/{pid}").exists():  # the play may be about its end
            set_limit(pid, nofile=soft)


class Hoard:
    """Another process of the same user that holds all pipe pages an unprivileged user may have."""

    def __init__(self, user):
        who = {"user": user, "group": user, "extra_groups": []} if is_root() else {}
        self.process = subprocess.Popen([sys.executable, "-c", HOARD], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, **who)
        self.is_full = self.process.stdout.readline() == "full\n"

    def close(self):
        self.process.communicate(timeout=BOUND)


HOARD = """
import fcntl, os, sys
PIPE_BYTES = 1 << 20
ends = []
for _ in range(2000):
    ends.append(os.pipe())
    try:
        fcntl.fcntl(ends[-1][1], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        pass
    if fcntl.fcntl(ends[-1][1], fcntl.F_GETPIPE_SZ) <= 8192:
        break
else:
    sys.exit("no bound")
print("full", flush=True)
sys.stdin.read()
"""


# ---- of a house: tests/e2e/ops/test_exhaustion.py
def is_over_limit(answer):
    return answer.status == 503 and "error=connection_limit_reached" in answer.get("Proxy-Status")


def admin_is_quiet(proxy):
    """No connection of the admin listener is held, whose descriptor would become free in the middle of a play; nor any
    that the kernel is done with."""
    folder, net = Path(f"/proc/{proxy.serving_pid()}/fd"), Path("/proc/thread-self/net")
    lasting, port = set(), ":%04X" % proxy.admin[1]
    for table, column in (("tcp", 9), ("tcp6", 9), ("udp", 9), ("udp6", 9), ("unix", 6), ("netlink", 9)):
        for row in map(str.split, (net / table).read_text().splitlines()[1:]):
            if not (table == "tcp" and row[1].endswith(port) and row[3] != LISTEN):
                lasting.add(f"socket:[{row[column]}]")
    try:
        held = {os.readlink(folder / name) for name in os.listdir(folder)}
    except FileNotFoundError:  # closed meanwhile
        return False
    return all(each in lasting for each in held if each.startswith("socket:"))


@contextlib.contextmanager
def no_descriptors(house):
    """Nobody new is reached, and the answer says why; a name cannot be asked for, and is not remembered as missing."""
    pid = house.proxy.serving_pid()
    wait_until(lambda: admin_is_quiet(house.proxy), "the admin connections to be closed")
    with room(pid, 0):
        got = house.ask(house.fresh.url + "/")
        assert is_over_limit(got), got
        assert house.ask(f"http://later.test:{house.fresh.port}/").status in (502, 503, 504)
        yield
    house.stage.dns.add("later.test", a=["127.0.0.1"])
    assert house.ask(f"http://later.test:{house.fresh.port}/").status == 200


def two_free_ports():
    """An even port and the next one, which no socket of this network has."""
    used = {int(line.split()[1].rpartition(":")[2], 16) for name in ("tcp", "tcp6")
            for line in Path(f"/proc/thread-self/net/{name}").read_text().splitlines()[1:]}
    return next(port for port in range(40000, 50000, 2) if not {port, port + 1} & used)


@contextlib.contextmanager
def no_ports(house):
    """Of an origin that all ports lead to. The house stands in a network of its own."""
    before = PORTS.read_text()
    crowd = [house.stage.client(house.proxy.connect()) for _ in range(4)]
    first = two_free_ports()
    PORTS.write_text(f"{first} {first + 1}")
    for client in crowd[:2]:
        client.send(request("CONNECT", house.idler.authority))
        head = client.read_head()
        assert head.status == 200, head
    for client in crowd[2:]:
        client.send(request("CONNECT", house.idler.authority))
        assert is_over_limit(client.read_response())
    try:
        yield
    finally:
        PORTS.write_text(before)
    for client in crowd:
        client.close()


@contextlib.contextmanager
def no_memory(house):
    """Clients are turned away, and the proxy lives."""
    pid = house.proxy.serving_pid()
    set_limit(pid, data=int(status_of(pid)["VmData"].split()[0]) * 1024)
    crowd = []
    try:
        while not select.select([client.sock for client in crowd], [], [], 0)[0]:
            assert len(crowd) < CROWD, f"{CROWD} clients had all the memory that they asked for"
            crowd.append(connect(house.proxy.address))
            with contextlib.suppress(OSError):
                crowd[-1].send(BEGUN)
        yield
    finally:
        if Path(f"/proc/{pid}").exists():
            set_limit(pid, data="unlimited")
        for client in crowd:
            client.close()


@contextlib.contextmanager
def no_pipes(house):
    """What would be spliced is copied."""
    if int(Path("/proc/sys/fs/pipe-user-pages-soft").read_text()) == 0:
        pytest.skip("this system does not limit the pipes of a user")
    hoard = Hoard(uid_of(house.proxy.serving_pid()))
    house.stage.others.append(hoard)
    if not hoard.is_full:
        pytest.skip("pipe pages of this user are not limited")
    house.echo_in_bulk()
    assert metric(house.proxy, "splice_pipes") == 0
    yield
    hoard.close()


SHORTAGES = {"descriptors": no_descriptors, "ports": no_ports, "memory": no_memory, "pipes": no_pipes}
