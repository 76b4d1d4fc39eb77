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
    process = subprocess.Popen([sys.executable, HERE.parent / "load" / "crowd.py", "origin"], stdout=subprocess.PIPE,
                               text=True)
    yield f"127.0.0.1:{int(process.stdout.readline())}"
    process.terminate()
    process.wait()


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


@pytest.mark.without_faults
@pytest.mark.parametrize("kinds", ["tunnel", "head", "huge", "body", "password", "member,head,password"])
def test_a_flood_stays_below_the_ceiling(stage, program, origin, accounts, kinds):
    """20,000 attempts of 100 addresses in all, a sixth of them of each kind and half of them mixed."""
    if has_sanitizer(program):
        pytest.skip("a sanitizer has the heap of this build")
    attempts = 10_000 if "," in kinds else 2_000
    with_users = "password" in kinds
    path = stage.folder / "flood.yaml"
    path.write_text("limits: { memory: 64MiB }\nlog: { access: { file: 'off' } }\n")
    path.chmod(0o644)
    proxy = stage.proxy("-c", path, *(["--users", accounts] if with_users else []))
    fields = [basic()] if with_users else []
    head = request("GET", f"http://{origin}/small", "Connection: close", *fields)

    def serve_once():
        try:
            with proxy.connect() as client:
                return client.ask(head).status == 200
        except Exception:
            return False

    def rate(seconds=None, until=None):
        served = tried = 0
        end = time.monotonic() + (seconds or PATIENT)
        while time.monotonic() < end and not (until and until.is_set()):
            served += serve_once()
            tried += 1
        return served, tried
    assert serve_once()
    pid = proxy.serving_pid()
    before = resident(pid)
    watch = Watch(pid)
    watch.start()
    flood = subprocess.Popen([sys.executable, HERE / "flood.py", *map(str, proxy.address), origin,
                              str(attempts), "100", *kinds.split(",")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True)
    is_made = threading.Event()
    threading.Thread(target=lambda: (flood.stdout.readline(), is_made.set()), daemon=True).start()
    served, tried = rate(until=is_made)
    assert is_made.is_set(), "the flood took too long"
    outcomes = json.loads(flood.communicate("\n", timeout=30)[0])
    # Bodies that never come are under way, and are not given up for newcomers.
    assert served > (0 if kinds == "body" else tried // 2), (served, tried, outcomes)
    assert wait_until(serve_once, "full service", 5 * SLOW)
    assert rate(seconds=0.5)[0] > 0
    watch.is_over.set()
    watch.join()
    print(f"{kinds}: resident {before >> 20} to {watch.most >> 20} MiB, sockets {watch.kernel >> 20} MiB, good "
          f"{served} of {tried}, {outcomes}")
    assert watch.most < CEILING, outcomes
    assert proxy.serving_pid() == pid
    wait_until(lambda: metric(proxy, "tunnels") == 0, "the flood to be gone", 30 * SLOW)
