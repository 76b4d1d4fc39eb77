"""A ceiling of memory under a flood: the process stays below it, good clients are served, and afterwards all is as before.

The good client comes from another address than the flood; its rate is compared with that of when it was alone."""
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from support import users
from support.admin import metric
from support.bounds import SLOW, wait_until
from support.dns import Name
from support.message import request
from support.proxy import has_sanitizer
from support.users import basic

HERE = Path(__file__).resolve().parent
CEILING = 64 << 20
PAGE = 4096
PATIENT = 100


@pytest.fixture
def origin():
    """The origin of everybody, in a process of its own: its authority."""
    process = subprocess.Popen([sys.executable, HERE / "flood.py", "origin"], stdout=subprocess.PIPE, text=True)
    yield f"127.0.0.1:{int(process.stdout.readline())}"
    process.terminate()
    process.wait()


class Names(dict):
    """What a name server knows of the names of a flood, beside others: known… is an origin here, unknown… is not answered."""

    def get(self, name, default=None):
        if name.startswith("known"):
            return Name(a=["127.0.0.1"])
        return Name(drop=True) if name.startswith("unknown") else super().get(name, default)


@pytest.fixture
def accounts(stage, program):
    """A users file as an operator makes it: a hash that takes 16 MiB."""
    made = subprocess.run([program, "hash-password", "--user", "alice"], input="secret\n", capture_output=True, text=True,
                          check=True)
    return users.write(stage.folder, made.stdout)


def resident(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def kernel_bytes():
    """Memory of all TCP sockets of the machine, for the report."""
    line = next(line for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    return int(line.split()[-1]) * PAGE


class Watch(threading.Thread):
    """The most that the serving process had resident."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.most, self.kernel, self.is_over = pid, 0, 0, threading.Event()

    def run(self):
        while not self.is_over.wait(0.002) and Path(f"/proc/{self.pid}").exists():
            self.most = max(self.most, resident(self.pid))
            self.kernel = max(self.kernel, kernel_bytes())


class Play:
    """A proxy with a ceiling, a good client of it, and floods."""

    def __init__(self, stage, program, origin, *flags, field=None, **more):
        if has_sanitizer(program):
            pytest.skip("a sanitizer has the heap of this build")
        path = stage.folder / "flood.yaml"
        path.write_text("limits: { memory: 64MiB }\nlog: { access: { file: 'off' } }\n")
        path.chmod(0o644)
        stage.dns.names = Names(stage.dns.names)
        self.origin = origin
        self.proxy = stage.proxy("-c", path, *flags, **more)
        self.head = request("GET", f"http://{origin}/small", "Connection: close", *([field] if field else []))
        assert self.serve_once()

    def serve_once(self):
        try:
            with self.proxy.connect() as client:
                return client.ask(self.head).status == 200
        except Exception:
            return False

    def rate(self, seconds=None, until=None):
        served = tried = 0
        end = time.monotonic() + (seconds or PATIENT)
        while time.monotonic() < end and not (until and until.is_set()):
            served += self.serve_once()
            tried += 1
        return served, tried

    def flood(self, kinds, attempts, sources, door=None):
        """How many of its requests the good client was served, of how many. Afterwards all is as before."""
        pid = self.proxy.serving_pid()
        before = resident(pid)
        watch = Watch(pid)
        watch.start()
        host, port = door or self.proxy.address
        flood = subprocess.Popen([sys.executable, HERE / "flood.py", host, str(port), self.origin, str(attempts), str(sources),
                                  *kinds.split(",")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        is_made = threading.Event()
        threading.Thread(target=lambda: (flood.stdout.readline(), is_made.set()), daemon=True).start()
        served, tried = self.rate(until=is_made)
        assert is_made.is_set(), "the flood took too long"
        assert wait_until(self.serve_once, "service while the flood holds what it has", 20 * SLOW)
        outcomes = json.loads(flood.communicate("\n", timeout=30)[0])
        assert wait_until(self.serve_once, "full service", 5 * SLOW)
        assert self.rate(seconds=0.5)[0] > 0
        watch.is_over.set()
        watch.join()
        print(f"{kinds}: resident {before >> 20} to {watch.most >> 20} MiB, sockets {watch.kernel >> 20} MiB, good "
              f"{served} of {tried}, {outcomes}")
        assert watch.most < CEILING, outcomes
        assert self.proxy.serving_pid() == pid
        wait_until(lambda: metric(self.proxy, "tunnels") == 0, "the flood to be gone", 30 * SLOW)
        return served, tried


@pytest.mark.without_faults
@pytest.mark.parametrize("kinds", ["tunnel", "head", "huge", "body", "password", "member,head,password"])
def test_a_flood_stays_below_the_ceiling(stage, program, origin, accounts, kinds):
    """20,000 attempts of 100 addresses in all, a sixth of them of each kind and half of them mixed."""
    with_users = "password" in kinds
    play = Play(stage, program, origin, *(["--users", accounts] if with_users else []), field=basic() if with_users else None)
    served, tried = play.flood(kinds, 10_000 if "," in kinds else 2_000, 100)
    assert served > tried // 2, (served, tried)


@pytest.mark.without_faults
@pytest.mark.parametrize("kind, sources", [
    ("unknown", 1), ("unknown", 100), ("known", 100), ("trailer", 100), ("reply", 100), ("reading", 1), ("reading", 100),
    ("upgrade", 100), ("deaf", 1), ("deaf", 100), ("idle", 100), ("half", 1), ("half", 100), ("hello", 100)])
def test_other_floods_do_so_too(stage, program, origin, kind, sources):
    """Of look-ups, trailers, upgrades, clients that do not read, that say nothing more, and that begin TLS and stop."""
    play = Play(stage, program, origin, tls=True)
    attempts = 500 if kind == "deaf" else 2_000  # each takes megabytes of the kernel
    served, tried = play.flood(kind, attempts, sources, door=play.proxy.tls_address if kind in ("half", "hello") else None)
    # Heads that never end have taken all there is in a moment, and are given up a moment later.
    assert served > (0 if kind in ("reply", "reading") else tried // 2), (served, tried)
