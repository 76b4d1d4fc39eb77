"""Helpers for plays about the process: its configuration file, its reloads, what /proc tells about it."""
import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from support.bounds import BOUND, wait_until
from support.message import ok, request
from support.proxy import NOBODY, clean_environment, is_root

needs_root = pytest.mark.skipif(not is_root(), reason="only root can start a privileged parent")
needs_others = pytest.mark.skipif(not is_root(), reason="only root can start it as another user")
both = pytest.mark.parametrize("as_root", [
    pytest.param(False, id="alone"), pytest.param(True, id="parent", marks=needs_root)])


class Config:
    """A configuration file that a play writes again and again. JSON is YAML."""

    def __init__(self, stage, name="fairlead.yaml"):
        self.stage = stage
        self.folder = stage.folder
        self.path = self.folder / name
        self.log = self.folder / "access.log"
        if is_root():
            os.chown(self.folder, NOBODY, NOBODY)

    def write(self, *listen, **more):
        """Listeners are addresses or maps; `more` are whole sections."""
        settings = {
            "listen": list(listen) or ["127.0.0.1:0"],
            "admin": {"address": "127.0.0.1:0"},
            "workers": 2,
            "egress": {"allow": ["127.0.0.0/8"], "connect_ports": ["any"]},
            "resolver": {"servers": [self.stage.dns.address]},
            "timeouts": {"drain": "2s"},
            "log": {"access": {"format": "json", "file": str(self.log)}},
        }
        settings.update(more)
        self.path.write_text(json.dumps(settings))
        self.path.chmod(0o644)
        return self

    def tls(self, certificate, key, address="127.0.0.1:0"):
        return {"address": address, "tls": {"certificate": str(certificate), "key": str(key)}}

    def start(self, listeners=1, environment=None, **more):
        """As a service manager would: it tells of the folders in which a reload may name new files."""
        environment = {"RUNTIME_DIRECTORY": str(self.folder), "CONFIGURATION_DIRECTORY": str(self.stage.certs.folder),
                       **(environment or clean_environment())}
        proxy = self.stage.proxy("-c", self.path, defaults=False, listen=None, listeners=listeners,
                                 environment=environment, **more)
        proxy.log_path = self.log
        return proxy


def closed_port():
    """One at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def told(stage, *words, bound=BOUND):
    """Run a command that ends by itself: exit code, standard output, standard error."""
    done = subprocess.run([stage.program, *map(str, words)], capture_output=True, text=True, timeout=bound,
                          env=clean_environment(), check=False)
    return done.returncode, done.stdout, done.stderr


def reload(proxy, number=signal.SIGHUP, word="reloaded", listeners=1, has_admin=True):
    """Send the signal, wait for the line that tells how it ended, learn the addresses; the new lines."""
    before = len(proxy.lines)
    proxy.signal(number)
    proxy.wait_line(word, after=before)
    if word == "reloaded":
        def said(what):
            return [line for line in proxy.lines[before:] if what in line]
        proxy.changed.wait(lambda: len(said("listening on")) >= listeners and
                           len(said("admin on")) >= has_admin, "the addresses after a reload")
        addresses = said("listening on")
        assert len(addresses) == listeners and len(said("admin on")) == has_admin, proxy.lines[before:]
        proxy.addresses = [line.split(" on ")[1] for line in addresses]
    return proxy.lines[before:]


def fails(proxy, reason):
    """A reload that fails for this reason, and says that the old configuration stays."""
    lines = reload(proxy, word="reload failed: the old configuration stays")
    assert any(re.search(reason, line) for line in lines), lines


def get(address, origin, path="/", **more):
    """One exchange through a connection of its own."""
    from support.wire import connect
    with connect(address, **more) as client:
        return client.ask(request("GET", origin.url + path))


def works(address, origin, **more):
    assert get(address, origin, **more).status == 200


def refuses(address):
    """Nobody listens there any more."""
    def is_refused():
        with contextlib.closing(socket.socket()) as sock:
            sock.settimeout(BOUND)
            try:
                sock.connect(address)
            except (ConnectionRefusedError, ConnectionResetError):  # reset: it closed just now
                return True
            return False
    wait_until(is_refused, f"{address} to be closed")


def answers(body=b"hello"):
    """A script that answers every request of a connection."""
    def script(conn):
        while conn.buffer or conn.fill(3600):
            conn.read_request()
            conn.send(ok(body))
    return script


def waits_for(cue, body=b"late"):
    """A script that answers one request when it is told to."""
    def script(conn):
        conn.read_request()
        cue.wait(30)
        conn.send(ok(body))
        conn.hold()
    return script


def status_of(pid):
    """/proc/PID/status as a map."""
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def uid_of(pid):
    return int(status_of(pid)["Uid"].split()[1])


def is_alive(pid):
    try:
        return status_of(pid)["State"][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def cpu_ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def free_port(low=False):
    """A port that nobody has at the moment on any address, and that the kernel gives to no connection."""
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    outside = [port for port in range(10_000, 65_536) if not first <= port <= last]
    for port in range(700, 1000) if low else random.sample(outside, min(1000, len(outside))):
        with contextlib.closing(socket.socket()) as sock:
            try:
                sock.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue
    raise AssertionError("no port is free")


def with_shim(shim, **more):
    # AddressSanitizer wants to be first, which it need not be here.
    asan = os.environ.get("ASAN_OPTIONS", "")
    return clean_environment(LD_PRELOAD=str(shim), ASAN_OPTIONS=f"{asan}:verify_asan_link_order=0", **more)
