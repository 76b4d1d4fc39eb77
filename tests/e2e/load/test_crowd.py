"""Two thousand clients at the same time, and none is lost."""
import json
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from support.bounds import SLOW, wait_until

CROWD = Path(__file__).with_name("crowd.py")
Door = namedtuple("Door", "proxy context")
COUNT = 2000  # on the clear and on the TLS listener
PATIENT = 120 * SLOW


class Helper:
    """One role of crowd.py as a child process that speaks in lines."""

    def __init__(self, *words):
        self.process = subprocess.Popen([sys.executable, CROWD, str(PATIENT), *map(str, words)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def line(self):
        return self.process.stdout.readline().strip()

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def close(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def door(request, stage, certs):
    """As the usual one; those who come first wait until the last has come, however slow the machine is."""
    patient = stage.folder / "patient.yaml"
    patient.write_text("timeouts: { client_head: 10m, client_tls: 10m }\nlimits: { head_rate: 0 }\n")
    proxy = stage.proxy("-c", patient, tls=True)
    return Door(proxy, certs.client_context() if request.param == "tls" else None)


@pytest.fixture
def crowd_origin(stage):
    origin = Helper("origin")
    stage.others.append(origin)
    return f"127.0.0.1:{origin.line()}"


def play(stage, door, certs, origin, count):
    """Run a crowd of so many; what it says, and the proxy's descriptors while all were open."""
    host, port = door.proxy.tls_address if door.context else door.proxy.address
    crowd = Helper("clients", count, host, port, origin, *([certs.ca] if door.context else []))
    stage.others.append(crowd)
    assert crowd.line() == "open"
    wanted = count + count // 2  # each client, and each tunnel's connection to the origin
    open_count = 0

    def all_are_open():
        nonlocal open_count
        open_count = door.proxy.descriptors()
        return open_count >= wanted
    wait_until(all_are_open, f"{wanted} descriptors", PATIENT)
    crowd.go_on()
    return json.loads(crowd.line())


@pytest.mark.parametrize("door", ["clear", "tls"], indirect=True)
def test_two_thousand_clients_at_once(door, stage, certs, crowd_origin):
    """1,000 plain requests and 1,000 tunnels, all open at the same time: each gets its own bytes, each has its
    record, and afterwards the proxy holds no more descriptors than before."""
    warm = play(stage, door, certs, crowd_origin, 4)
    assert warm == {"succeeded": 4, "failures": []}
    door.proxy.records(4)
    before = door.proxy.descriptors()
    assert play(stage, door, certs, crowd_origin, COUNT) == {"succeeded": COUNT, "failures": []}
    found = door.proxy.records(4 + COUNT, bound=PATIENT)
    kinds = [record.kind for record in found]
    assert kinds.count("exchange") == kinds.count("tunnel") == 2 + COUNT // 2
    assert all(record.cause is None and record.status == 200 for record in found)
    wait_until(lambda: door.proxy.descriptors() <= before, "descriptors as before", PATIENT)
