"""Tunnels that are open are told of: docs/log.md, "Open tunnels"."""
import signal

import pytest

from support.bounds import wait_until
from support.message import request
from support.ops import reload
from support.record import Record

BLOCK = 1000


def write(stage, tunnels, more=""):
    file = stage.folder / "told.yaml"
    file.write_text(f"log: {{ tunnels: {{ {tunnels} }} }}\n{more}")
    return file


@pytest.fixture(name="start")
def _start(stage):
    """A proxy with these settings of the log."""
    def start(tunnels, more=""):
        return stage.proxy("-c", write(stage, tunnels, more))
    return start


@pytest.fixture(name="echo")
def _echo(stage):
    def script(conn):
        while conn.fill():
            conn.send(conn.take(len(conn.buffer)))
    return stage.origin(script)


def enter(proxy, origin):
    wire = proxy.connect()
    wire.send(request("CONNECT", origin.authority))
    assert wire.read_head().status == 200
    return wire


def is_open(record):
    return record.get("in_progress") is True


def test_what_passes_is_told_while_it_passes(start, echo):
    """Entries of an open tunnel come while it moves bytes; their differences and that of the last entry add up."""
    proxy = start("every: 50ms")
    with enter(proxy, echo) as wire:
        for count in range(1, 4):
            wire.send(b"x" * BLOCK)
            wire.read(BLOCK)
            proxy.records(count, is_open)
        wire.send(b"x" * BLOCK)
        wire.read(BLOCK)
    last = proxy.record()
    told = sorted((record for record in proxy.records(3, is_open)), key=lambda record: record["now_us"])
    assert {record["id"] for record in told} == {last["id"]}
    assert "since" not in told[0].json
    whole = told[0].bytes["response_body"]
    for before, record in zip(told, [*told[1:], last]):
        assert record["since"]["at_us"] == before["now_us"]
        assert record["since"]["response_body"] == record.bytes["response_body"] - before.bytes["response_body"]
        assert record["since"]["request_body"] == record["since"]["response_body"]
        whole += record["since"]["response_body"]
    assert whole == last.bytes["response_body"] == 4 * BLOCK
    assert "now_us" not in last.json and all("end" not in record.json for record in told)


def test_a_tunnel_is_told_of_when_it_opens(start, echo):
    """log.tunnels.open: an entry before a byte passed; and with `every: 0s` no other before the end."""
    proxy = start("open: on, every: 0s")
    with enter(proxy, echo) as wire:
        record = proxy.record(is_open)
        assert record.bytes["response_body"] == 0 and "t_open" in record.marks and "x_end" not in record.marks
        wire.send(b"x" * BLOCK)
        wire.read(BLOCK)
    last = proxy.record()
    assert last["id"] == record["id"]
    assert last["since"] == {"at_us": record["now_us"], "request_body": BLOCK, "response_body": BLOCK}
    assert len([line for line in proxy.log_lines() if "in_progress" in line]) == 1


@pytest.mark.parametrize("tunnels, before", [("every: 1h", 0), ("open: on, every: 0s", 1)])
def test_a_drain_tells_of_what_is_open(start, echo, tunnels, before):
    """When it begins, before anything ends; also where each is told of only when it opens."""
    proxy = start(tunnels)
    with enter(proxy, echo) as wire:
        wire.send(b"x" * BLOCK)
        wire.read(BLOCK)
        proxy.signal(signal.SIGTERM)
        assert proxy.records(before + 1, is_open)[-1].bytes["response_body"] == BLOCK
        wire.send(b"x" * BLOCK)
        wire.read(BLOCK)
    assert proxy.record()["since"]["response_body"] == BLOCK


def test_a_reload_changes_how_often_it_is_told_of(stage, start, echo):
    """For an open tunnel from the next time on that its clock runs out: the second that has begun passes, and then it is
    told of more often."""
    proxy = start("every: 1s")
    with enter(proxy, echo) as wire:
        write(stage, "every: 20ms")
        reload(proxy)
        for count in range(1, 5):
            wire.send(b"x" * BLOCK)
            wire.read(BLOCK)
            wait_until(lambda: len([line for line in proxy.log_lines() if is_open(Record(line))]) >= count, "an entry")
    last = proxy.record()
    told = sorted(record["now_us"] for record in map(Record, proxy.log_lines()) if is_open(record))
    assert told[0] - last.marks["t_open"] >= 990_000
    assert told[3] - told[0] < 2_000_000  # three times a second before


def test_a_tunnel_that_is_held_is_told_of(start, echo):
    """A limit on bandwidth stops it again and again, which is no reason not to tell of it."""
    proxy = start("every: 50ms", "limits: { per_client: { bandwidth: 20KB/s } }")
    with enter(proxy, echo) as wire:
        wire.send(b"x" * 60_000)
        proxy.records(2, is_open)
