"""Addresses of this machine: below the floor as soon as the kernel tells of them, and free again when they go.

Each play has a network of its own, in which a range leads to this machine without standing on an interface: so
an origin can be reached under an address before and after it is one of ours."""
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.admin import in_own_network
from support.bounds import BOUND, Cue, wait_until
from support.message import request
from support.ops import Config, answers, both, fails, get, reload, waits_for, with_shim
from support.origin import echoes
from support.proxy import parse_address
from support.wire import connect

RANGES = ["127.0.0.0/8", "10.7.0.0/16", "fd07::/64"]
BEGUN_WITH = 1  # in_own_network gives loopback and one more
LOOK = 2.0  # seconds between two readings where nobody tells of changes
families = pytest.mark.parametrize("address", ["10.7.0.7", "fd07::7"], ids=["IPv4", "IPv6"])


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def prefix(address):
    return f"{address}/{128 if ':' in address else 32}"


def batch(verb, addresses):
    lines = "".join(f"addr {verb} {address}/32 dev lo\n" for address in addresses)
    subprocess.run(["ip", "-batch", "-"], input=lines.encode(), check=True)


def add(address):
    ip("addr", "add", prefix(address), "dev", "lo", *(["nodad"] if ":" in address else []))


def remove(address):
    ip("addr", "del", prefix(address), "dev", "lo")


def in_network(play):
    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("there is no IPv6 here")

    def whole():
        ip("route", "add", "local", "10.7.0.0/16", "dev", "lo")
        ip("-6", "route", "add", "local", "fd07::/64", "dev", "lo")
        play()
    in_own_network(whole)


def figure(proxy, name):
    text = proxy.ask_admin("/metrics").body.decode()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"fairlead_{name} "))


def wait_changes(proxy, count, bound=BOUND):
    wait_until(lambda: figure(proxy, "own_address_changes_total") >= count,
               f"{count} changes of the addresses; there is:\n{proxy.stderr}", bound)


def wait_addresses(proxy, count, bound=BOUND):
    wait_until(lambda: figure(proxy, "own_addresses") == count,
               f"{count} addresses, not {figure(proxy, 'own_addresses')}:\n{proxy.stderr}", bound)


class Place:
    """An origin on all addresses, and how it is reached under one of them."""

    def __init__(self, stage, script, address):
        self.origin = stage.origin(script, host="::" if ":" in address else "0.0.0.0")
        self.authority = f"[{address}]" if ":" in address else address
        self.authority += f":{self.origin.port}"
        self.url = f"http://{self.authority}"


def is_forwarded(proxy, place):
    assert get(proxy.address, place).status == 200


def is_refused(proxy, place):
    got = get(proxy.address, place)
    assert got.status == 403 and f"floor {place.authority} (this machine)" in got.reason, got


def start(stage, workers=2, diagnostics="info", **more):
    config = Config(stage)
    log = {"access": {"format": "json", "file": str(config.log)}, "diagnostics": diagnostics}
    config.write("127.0.0.1:0", egress={"allow": RANGES, "connect_ports": ["any"]}, workers=workers, log=log)
    return config.start(**more)


@both
@families
def test_an_address_is_shut_while_it_is_ours(stage, address, as_root):
    """What a rule allows is refused when the address appears on an interface, and allowed when it has gone."""
    def play():
        place = Place(stage, answers(), address)
        proxy = start(stage, as_root=as_root)
        is_forwarded(proxy, place)
        for changes in (1, 3):
            add(address)
            wait_changes(proxy, changes)
            is_refused(proxy, place)
            remove(address)
            wait_changes(proxy, changes + 1)
            is_forwarded(proxy, place)
        proxy.wait_line(f"addresses of this machine changed: {BEGUN_WITH + 1} are refused now")
        proxy.wait_line(f"addresses of this machine changed: {BEGUN_WITH} are refused now")
        proxy.stop()
    in_network(play)


def test_an_interface_comes_and_goes(stage):
    """The same when a whole interface with its addresses is made, put down and removed."""
    def play():
        place = Place(stage, answers(), "10.7.0.7")
        proxy = start(stage)
        is_forwarded(proxy, place)
        ip("link", "add", "there", "type", "veth", "peer", "name", "back")
        ip("addr", "add", "10.7.0.7/32", "dev", "there")
        wait_addresses(proxy, BEGUN_WITH + 1)
        is_refused(proxy, place)
        ip("link", "set", "there", "up")
        ip("link", "set", "there", "down")
        ip("link", "del", "there")
        wait_addresses(proxy, BEGUN_WITH)
        is_forwarded(proxy, place)
        proxy.stop()
    in_network(play)


def test_a_message_without_a_change_changes_nothing(stage):
    """A lifetime that is set anew is told by the kernel; the addresses are the same, and nothing is published."""
    def play():
        proxy = start(stage, diagnostics="debug")
        add("fd07::7")
        wait_changes(proxy, 1)
        ip("addr", "change", "fd07::7/128", "dev", "lo", "valid_lft", "9999", "preferred_lft", "999")
        proxy.wait_line("debug: addresses of this machine read: the same as before")
        assert figure(proxy, "own_address_changes_total") == 1
        proxy.stop()
    in_network(play)


@families
def test_idle_connections_to_it_are_closed(stage, address):
    """A pooled connection to what is now our own address is closed at once; one to elsewhere is used again."""
    def play():
        there = Place(stage, answers(), address)
        elsewhere = Place(stage, answers(), "10.7.0.99")
        proxy = start(stage, workers=1)
        is_forwarded(proxy, there)
        is_forwarded(proxy, elsewhere)
        wait_until(lambda: figure(proxy, "upstream_idle_connections") == 2, "two idle connections")
        add(address)
        wait_until(lambda: figure(proxy, "upstream_idle_connections") == 1, "one to be closed")
        wait_until(lambda: there.origin.connections[0].end == "fin", "the origin to see it")
        is_refused(proxy, there)
        is_forwarded(proxy, elsewhere)
        assert len(there.origin.connections) == len(elsewhere.origin.connections) == 1
        remove(address)
        wait_changes(proxy, 2)
        is_forwarded(proxy, there)
        is_forwarded(proxy, elsewhere)
        assert len(there.origin.connections) == 2 and len(elsewhere.origin.connections) == 1
        proxy.stop()
    in_network(play)


@families
def test_what_runs_finishes(stage, address):
    """An exchange under way ends well, its connection is not kept; a tunnel stays; the next of each is refused."""
    def play():
        cue = Cue()
        place = Place(stage, waits_for(cue), address)
        far = Place(stage, echoes, address)
        proxy = start(stage, workers=1)
        with connect(proxy.address) as client, connect(proxy.address) as tunnel:
            tunnel.send(request("CONNECT", far.authority))
            assert tunnel.read_head().status == 200
            client.send(request("GET", place.url + "/"))
            place.origin.wait_requests(1)
            add(address)
            wait_changes(proxy, 1)
            cue.give()
            assert client.read_response().body == b"late"
            wait_until(lambda: place.origin.connections[0].end, "its connection to be closed")
            got = client.ask(request("GET", place.url + "/"))
            assert got.status == 403 and "this machine" in got.reason
            tunnel.send(b"still here")
            assert tunnel.read(10) == b"still here"
            with connect(proxy.address) as late:
                assert late.ask(request("CONNECT", far.authority)).status == 403
        proxy.stop()
    in_network(play)


@both
def test_it_goes_on_after_a_reload(stage, as_root):
    """A reload reads the addresses too, and changes are told after it as before."""
    def play():
        place = Place(stage, answers(), "10.7.0.7")
        proxy = start(stage, as_root=as_root)
        add("10.7.0.8")
        wait_changes(proxy, 1)
        reload(proxy)
        proxy.learn_addresses()
        proxy.address = parse_address(proxy.addresses[0])
        wait_addresses(proxy, BEGUN_WITH + 1)
        add("10.7.0.7")
        wait_addresses(proxy, BEGUN_WITH + 2)
        is_refused(proxy, place)
        proxy.stop()
    in_network(play)


def test_a_burst_is_read_together(stage):
    """Hundreds of changes are read a few times only, and all of them count in the end."""
    def play():
        first, last = Place(stage, answers(), "10.7.1.0"), Place(stage, answers(), "10.7.3.199")
        proxy = start(stage)
        many = [f"10.7.{high}.{low}" for high in (1, 2, 3) for low in range(200)]
        begun = time.monotonic()
        batch("add", many)
        wait_addresses(proxy, BEGUN_WITH + len(many))
        is_refused(proxy, first)
        is_refused(proxy, last)
        batch("del", many)
        wait_addresses(proxy, BEGUN_WITH)
        # Two readings are a tenth of a second apart at least.
        assert figure(proxy, "own_address_changes_total") <= 10 * (time.monotonic() - begun) + 2
        is_forwarded(proxy, first)
        is_forwarded(proxy, last)
        proxy.stop()
    in_network(play)


def drops(pid):
    """Messages that did not fit into the proxy's netlink socket."""
    lines = [line.split() for line in Path(f"/proc/{pid}/net/netlink").read_text().splitlines()[1:]]
    return sum(int(line[8]) for line in lines if line[1] == "0" and int(line[3], 16) == 0x110)


def test_lost_messages_lose_no_address(stage):
    """Where more change than the kernel can tell (ENOBUFS), the addresses are right all the same."""
    def play():
        place = Place(stage, answers(), "10.7.0.7")
        proxy = start(stage)
        serving = proxy.serving_pid()
        os.kill(serving, signal.SIGSTOP)
        try:
            for _ in range(5):
                batch("add", [f"10.7.9.{low}" for low in range(250)])
                batch("del", [f"10.7.9.{low}" for low in range(250)])
            add("10.7.0.7")
            lost = drops(serving)
        finally:
            os.kill(serving, signal.SIGCONT)
        assert lost > 0, "the play lost no messages"
        wait_addresses(proxy, BEGUN_WITH + 1)
        is_refused(proxy, place)
        remove("10.7.0.7")
        wait_addresses(proxy, BEGUN_WITH)
        is_forwarded(proxy, place)
        assert "not told" not in proxy.stderr  # the socket is as good as before
        proxy.stop()
    in_network(play)


# ---- where the kernel does not tell ----

@both
def test_without_addresses_it_does_not_start(stage, shim, as_root):
    """Nothing is served while the addresses of this machine are unknown; `check` tells beforehand."""
    missing = stage.folder / "missing"
    missing.touch()
    environment = with_shim(shim, FAIRLEAD_TEST_NO_IFADDRS=str(missing))
    config = Config(stage).write("127.0.0.1:0")
    for command in ("run", "check"):
        proxy = stage.run(command, "-c", config.path, environment=environment, as_root=as_root)
        assert proxy.wait_exit() == 1
        assert "the addresses of this machine cannot be read: Permission denied" in proxy.stderr
        assert "listening" not in proxy.stderr and "good" not in "".join(proxy.output)


@both
def test_a_reading_that_fails_is_repeated(stage, shim, as_root):
    """The old addresses stay refused, a reload fails, and the new ones are known when they can be read again."""
    missing = stage.folder / "missing"

    def play():
        place, old = Place(stage, answers(), "10.7.0.7"), Place(stage, answers(), "10.7.0.8")
        add("10.7.0.8")
        proxy = start(stage, environment=with_shim(shim, FAIRLEAD_TEST_NO_IFADDRS=str(missing)),
                      as_root=as_root)
        is_refused(proxy, old)
        missing.touch()
        add("10.7.0.7")
        proxy.wait_line("error: the addresses of this machine cannot be read: Permission denied: "
                        "those known before stay refused")
        is_refused(proxy, old)
        is_forwarded(proxy, place)
        fails(proxy, "the addresses of this machine cannot be read")
        missing.unlink()
        proxy.wait_line("notice: the addresses of this machine can be read again", BOUND + LOOK)
        is_refused(proxy, old)
        is_refused(proxy, place)
        proxy.stop()
    in_network(play)


@both
@families
def test_without_netlink_a_timer_reads_them(stage, shim, as_root, address):
    """Where nobody may be told of changes, that is said once, and the addresses are read every two seconds."""
    def play():
        place = Place(stage, answers(), address)
        proxy = start(stage, environment=with_shim(shim, FAIRLEAD_TEST_NO_GROUPS="1"), as_root=as_root)
        is_forwarded(proxy, place)
        add(address)
        wait_changes(proxy, 1, BOUND + LOOK)
        is_refused(proxy, place)
        remove(address)
        wait_changes(proxy, 2, BOUND + LOOK)
        is_forwarded(proxy, place)
        said = [line for line in proxy.lines if "are not told" in line]
        assert len(said) == 1 and "warning: changes of this machine's addresses are not told: Operation not " \
            "permitted; they are read every 2 s" in said[0], proxy.stderr
        proxy.stop()
    in_network(play)
