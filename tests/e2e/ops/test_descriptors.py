"""Out of descriptors: accepting pauses, nothing spins, nothing dies, and it goes on afterwards."""
import os
import signal
import time

import pytest

from support.bounds import SLOW, wait_until
from support.message import ok, request
from support.ops import (Config, answers, both, cpu_ticks, fails, needs_root, reload, works)
from support.origin import echoes, replies_forever
from support.shortage import room
from support.wire import connect

LIMIT = 90


def descriptors_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


@both
def test_out_of_descriptors(stage, as_root):
    """At the limit open connections go on, CPU stays idle, and service resumes when room is made."""
    config = Config(stage)
    echo, origin = stage.origin(echoes), stage.origin(answers())
    proxy = config.write("127.0.0.1:0", workers=1).start(
        command=["prlimit", f"--nofile={LIMIT}:{LIMIT}"], as_root=as_root)
    with connect(proxy.address) as tunnel:
        tunnel.send(request("CONNECT", echo.authority))
        assert tunnel.read_head().status == 200
        crowd = [connect(proxy.address) for _ in range(LIMIT)]
        wait_until(lambda: proxy.descriptors() >= LIMIT, "the descriptors to be used up")
        serving = proxy.serving_pid()
        ticks, begun = cpu_ticks(serving), time.monotonic()
        tunnel.send(b"still here")
        assert tunnel.read(10) == b"still here"
        crowd[-1].expect_quiet(0.5 * SLOW)  # it waits in the kernel's queue, and is not closed
        spent = (cpu_ticks(serving) - ticks) / 100
        assert spent < 0.2 * (time.monotonic() - begun), f"{spent} s of CPU in a pause"
        for client in crowd[:LIMIT - 1]:
            client.close()
        assert crowd[-1].ask(request("GET", origin.url + "/")).status == 200
        crowd[-1].close()
        tunnel.send(b"and on")
        assert tunnel.read(6) == b"and on"
        tunnel.half_close()
        tunnel.expect_end("fin")


def test_idle_connections_leave_descriptors_to_clients(stage, dns):
    """Whoever asks for many origins fills the pool, and does not lock others out: it takes a quarter at most."""
    proxy = Config(stage).write("127.0.0.1:0", workers=1).start(
        command=["prlimit", f"--nofile={LIMIT}:{LIMIT}"])
    origin = stage.origin(replies_forever(ok(b"fine")))
    with connect(proxy.address) as busy:
        for number in range(LIMIT):
            dns.add(f"n{number}.test", a=["127.0.0.1"])
            assert busy.ask(request("GET", f"http://n{number}.test:{origin.port}/")).status == 200
        with connect(proxy.address) as other:
            assert other.ask(request("GET", origin.url + "/")).status == 200
    idle = f"fairlead_upstream_idle_connections {LIMIT // 4}"
    wait_until(lambda: idle in proxy.ask_admin("/metrics").body.decode(), idle)


@needs_root
@pytest.mark.parametrize("left", [0, 1, 70])
def test_a_reload_while_the_serving_process_has_no_descriptors(stage, left):
    """It is refused with the reason, at whatever part of it they run out, and the next one finds nothing changed."""
    config, origin = Config(stage), stage.origin(answers())
    proxy = config.write(*["127.0.0.1:0"] * 40).start(listeners=40, as_root=True)
    child, fds = proxy.serving_pid(), proxy.descriptors()
    with room(child, left):
        for _ in range(2):
            fails(proxy, "the serving process is out of descriptors")
        assert proxy.descriptors() == fds
    reload(proxy, listeners=40)
    works(proxy.address, origin)
    assert proxy.serving_pid() == child


@needs_root
def test_a_log_that_the_serving_process_has_no_descriptor_for(stage):
    """It goes on writing to the old file, and says so."""
    config, origin = Config(stage), stage.origin(answers())
    proxy = config.write("127.0.0.1:0").start(as_root=True)
    aside = config.log.with_suffix(".1")
    os.rename(config.log, aside)
    with room(proxy.serving_pid(), 0):
        reload(proxy, signal.SIGUSR1, "out of descriptors: it goes on writing to the old log")
    works(proxy.address, origin)
    wait_until(lambda: origin.authority in aside.read_text(), "a line in the old file")


@needs_root
def test_a_reload_replaces_one_whose_process_could_not_be_started(stage):
    """In a pause a reload without room for a new process waits, and the next one takes its place, whole."""
    config, path = Config(stage), stage.folder / "added.sock"
    config.write(*["127.0.0.1:0"] * 10)
    proxy = config.start(listeners=10, as_root=True)
    proxy.may_restart = True
    for pause in ["now", "in 100ms", "in 200ms", "in 400ms", "in 800ms", "in 1.6"]:
        before = len(proxy.lines)
        os.kill(proxy.serving_pid(), signal.SIGKILL)
        proxy.wait_line("it is started again " + pause, after=before)
        proxy.wait_line("serves again", after=before)
    fds = descriptors_of(proxy.pid)
    before = len(proxy.lines)
    os.kill(proxy.serving_pid(), signal.SIGKILL)
    proxy.wait_line("it is started again in 3.2", after=before)
    config.write(*["127.0.0.1:0"] * 10, {"address": f"unix:{path}", "mode": "0666"})
    with room(proxy.pid, 24):  # all of the bundle, and one more
        reload(proxy, word="the serving process cannot be started: Too many open files")
    assert path.exists()
    config.write(*["127.0.0.1:0"] * 10)
    reload(proxy, listeners=10)
    assert not path.exists()
    assert descriptors_of(proxy.pid) == fds
    works(proxy.address, stage.origin(answers()))
