"""The end: draining, signals, and what a service manager is told."""
import contextlib
import os
import re
import signal
import socket
import time

from support.bounds import BOUND, Cue, wait_until
from support.message import request
from support.ops import (Config, answers, both, is_alive, needs_root, refuses, reload, status_of,
                         waits_for, works)
from support.origin import echoes
from support.proxy import clean_environment
from support.wire import connect


def is_draining(proxy):
    return proxy.ask_admin("/readyz").status == 503


@both
def test_a_drain_lets_an_exchange_finish(stage, as_root):
    """SIGTERM: /readyz is 503, nobody new is let in, what runs finishes, and the code is 0."""
    cue, config = Cue(), Config(stage)
    origin = stage.origin(waits_for(cue))
    proxy = config.write("127.0.0.1:0", timeouts={"drain": "30s"}).start(as_root=as_root)
    assert proxy.ask_admin("/readyz").status == 200
    with connect(proxy.address) as client:
        client.send(request("GET", origin.url + "/"))
        origin.wait_requests(1)
        proxy.signal(signal.SIGTERM)
        proxy.wait_line("draining: 1 open, for 30 s at most")
        wait_until(lambda: is_draining(proxy), "/readyz to be 503")
        refuses(proxy.address)
        assert proxy.ask_admin("/healthz").status == 200
        cue.give()
        assert client.read_response().body == b"late"
    assert proxy.wait_exit() == 0, proxy.stderr
    assert proxy.record().status == 200


@both
def test_a_drain_lets_a_tunnel_go_on(stage, as_root):
    """A tunnel passes bytes both ways while all else is closed; when it ends, so does the process, at once."""
    origin, config = stage.origin(echoes), Config(stage)
    proxy = config.write("127.0.0.1:0", timeouts={"drain": "1h"}).start(as_root=as_root)
    with connect(proxy.address) as client:
        client.send(request("CONNECT", origin.authority))
        assert client.read_head().status == 200
        proxy.signal(signal.SIGTERM)
        wait_until(lambda: is_draining(proxy), "/readyz to be 503")
        refuses(proxy.address)
        client.send(b"still here")
        assert client.read(10) == b"still here"
        client.half_close()
        client.expect_end("fin")
    assert proxy.wait_exit() == 0, proxy.stderr
    record = proxy.record()
    assert (record.kind, record.end, record.bytes["response_body"]) == ("tunnel", "done", 10)


@both
def test_a_drain_ends_in_time(stage, as_root):
    """What does not finish within timeouts.drain is ended."""
    origin, config = stage.origin(echoes), Config(stage)
    proxy = config.write("127.0.0.1:0", timeouts={"drain": "200ms"}).start(as_root=as_root)
    with connect(proxy.address) as client:
        client.send(request("CONNECT", origin.authority))
        assert client.read_head().status == 200
        begun = time.monotonic()
        proxy.signal(signal.SIGTERM)
        assert proxy.wait_exit() == 0
        assert time.monotonic() - begun >= 0.2
        client.expect_end()


@both
def test_a_second_signal_ends_at_once(stage, as_root):
    """A second SIGTERM does not wait for what is open; its record is written."""
    origin, config = stage.origin(echoes), Config(stage)
    proxy = config.write("127.0.0.1:0", timeouts={"drain": "1h"}).start(as_root=as_root)
    with connect(proxy.address) as client:
        client.send(request("CONNECT", origin.authority))
        assert client.read_head().status == 200
        proxy.signal(signal.SIGTERM)
        wait_until(lambda: is_draining(proxy), "/readyz to be 503")
        proxy.signal(signal.SIGTERM)
        assert proxy.wait_exit() == 0
        client.expect_end()
    assert proxy.record().kind == "tunnel"


@needs_root
def test_the_parents_death_drains_the_child(stage):
    """Without its parent the serving process lets what runs finish, and ends."""
    cue, config = Cue(), Config(stage)
    origin = stage.origin(waits_for(cue))
    proxy = config.write("127.0.0.1:0", timeouts={"drain": "30s"}).start(as_root=True)
    child = proxy.serving_pid()
    with connect(proxy.address) as client:
        client.send(request("GET", origin.url + "/"))
        origin.wait_requests(1)
        os.kill(proxy.pid, signal.SIGKILL)
        proxy.wait_line("the parent is gone: draining")
        refuses(proxy.address)
        assert is_alive(child)
        cue.give()
        assert client.read_response().body == b"late"
    assert proxy.wait_exit() == -signal.SIGKILL
    wait_until(lambda: not is_alive(child), "the serving process to end")


@needs_root
def test_an_orphan_can_be_ended(stage):
    """Without its parent the serving process obeys signals itself: SIGTERM ends the drain."""
    origin, config = stage.origin(echoes), Config(stage)
    proxy = config.write("127.0.0.1:0", timeouts={"drain": "1h"}).start(as_root=True)
    child = proxy.serving_pid()
    with connect(proxy.address) as client:
        client.send(request("CONNECT", origin.authority))
        assert client.read_head().status == 200
        os.kill(proxy.pid, signal.SIGKILL)
        proxy.wait_line("the parent is gone: draining")
        os.kill(child, signal.SIGTERM)
        wait_until(lambda: not is_alive(child), "the serving process to end")
    assert proxy.wait_exit() == -signal.SIGKILL


@needs_root
def test_a_child_that_hangs_is_killed(stage):
    """A serving process that does not end after a second SIGTERM is killed."""
    proxy = stage.proxy(as_root=True)
    child = proxy.serving_pid()
    os.kill(child, signal.SIGSTOP)
    wait_until(lambda: status_of(child)["State"][0] == "T", "the serving process to stop")
    proxy.signal(signal.SIGTERM)
    proxy.signal(signal.SIGINT)
    assert proxy.wait_exit(bound=2 * BOUND) == 128 + signal.SIGKILL
    assert "the serving process does not end: it is killed" in proxy.stderr


# ---- sd_notify
class Manager:
    """A service manager's notification socket."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(path))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.settimeout(BOUND)
        os.chmod(path, 0o777)

    def hear(self):
        """(the sender's process id, the message)."""
        data, control, _, _ = self.sock.recvmsg(4096, socket.CMSG_SPACE(12))
        pid = int.from_bytes(control[0][2][:4], "little")
        return pid, data.decode()


@both
def test_a_service_manager_is_told(stage, as_root):
    """READY, RELOADING with the time, READY, STOPPING: in this order, all from the main process."""
    config, path = Config(stage), stage.folder / "notify.sock"
    manager = Manager(path)
    with contextlib.closing(manager.sock):
        environment = clean_environment(NOTIFY_SOCKET=str(path))
        proxy = config.write("127.0.0.1:0").start(as_root=as_root, environment=environment)
        assert manager.hear() == (proxy.pid, "READY=1")
        asked_us = time.monotonic_ns() // 1000
        reload(proxy)
        pid, words = manager.hear()
        told = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", words)
        assert pid == proxy.pid and int(told.group(1)) >= asked_us
        assert manager.hear() == (proxy.pid, "READY=1")
        config.path.write_text("nonsense: 1\n")
        reload(proxy, word="reload failed")
        assert manager.hear()[1].startswith("RELOADING=1\n")
        assert manager.hear() == (proxy.pid, "READY=1")
        proxy.stop()
        assert manager.hear() == (proxy.pid, "STOPPING=1")


@both
def test_signals_in_one_go(stage, as_root):
    """A reload, a reopening and an end that come together are all acted on, the end last."""
    config = Config(stage)
    proxy = config.write("127.0.0.1:0").start(as_root=as_root)
    works(proxy.address, stage.origin(answers()))
    os.kill(proxy.pid, signal.SIGSTOP)
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM):
        proxy.signal(number)
    os.kill(proxy.pid, signal.SIGCONT)
    assert proxy.wait_exit() == 0
