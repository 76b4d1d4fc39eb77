"""Descriptors, local ports, memory and kernel pipes run out. What is open goes on, who asks for more is told why, and
a reload, a reopened log and the end work in the middle of it. Afterwards all is as before."""
import os
import signal

import pytest

from support.admin import in_own_network, metric
from support.bounds import wait_until
from support.gauges import Baseline
from support.message import request
from support.ops import Config, answers, reload
from support.origin import echoes
from support.proxy import has_sanitizer, is_root
from support.shortage import SHORTAGES
from support.site import pattern

USER = 61_185  # whose limits are nobody else's matter
PART = pattern(100_000)


class House:
    """A proxy with an open tunnel, a client whose connection is kept, and a pooled connection to an origin."""

    def __init__(self, stage):
        self.stage = stage
        self.config = Config(stage).write("127.0.0.1:0", workers=1, timeouts={"drain": "1s"})
        self.mirror, self.known, self.fresh = stage.origin(echoes), stage.origin(answers()), stage.origin(answers())
        self.idler = stage.origin(lambda conn: conn.read_to_end())
        self.proxy = self.config.start(as_root=is_root(), preexec=self._become if is_root() else None)
        self.kept = stage.client(self.proxy.connect())
        self.works()
        wait_until(lambda: metric(self.proxy, "upstream_idle_connections") == 1, "the end of the exchange")
        self.baseline = Baseline(self.proxy)
        self.tunnel = stage.client(self.proxy.connect())
        self.tunnel.send(request("CONNECT", self.mirror.authority))
        assert self.tunnel.read_head().status == 200

    def _become(self):
        os.chown(self.config.folder, USER, USER)
        os.setgroups([])
        os.setgid(USER)
        os.setuid(USER)

    def ask(self, url):
        return self.kept.ask(request("GET", url))

    def works(self):
        assert self.ask(self.known.url + "/").status == 200

    def echo_in_bulk(self):
        for _ in range(60):
            self.tunnel.send(PART)
            assert self.tunnel.read(len(PART)) == PART

    def goes_on(self, name):
        """What was open before the shortage does not notice it; but a request needs memory for its head."""
        self.tunnel.send(b"still here")
        assert self.tunnel.read(10) == b"still here"
        if name != "memory":
            self.works()

    def operate(self):
        """A reload, which may fail but whole, and a log that was moved away."""
        reload(self.proxy, word="reloaded|reload failed: the old configuration stays")
        os.rename(self.config.log, self.config.log.with_suffix(".1"))
        reload(self.proxy, signal.SIGUSR1, "the access log is open again|the old file stays|to the old log")


def in_its_place(name, program, play):
    if name == "memory" and has_sanitizer(program):
        pytest.skip("a sanitizer has the heap of this build")
    if name == "ports":
        in_own_network(play)
    else:
        play()


@pytest.mark.parametrize("name", SHORTAGES)
def test_a_shortage_passes(stage, program, name):
    """Reload and reopening in the middle; afterwards new clients are served, and nothing is left."""
    def play():
        house = House(stage)
        with SHORTAGES[name](house):
            house.goes_on(name)
            house.operate()
            house.goes_on(name)
        house.tunnel.close()
        house.kept.close()
        house.kept = stage.client(house.proxy.connect())
        reload(house.proxy)
        house.works()
        house.baseline.check()
    in_its_place(name, program, play)


class Ended(Exception):
    """There is no process left to set limits of."""


@pytest.mark.parametrize("name", SHORTAGES)
def test_the_end_in_a_shortage(stage, program, name):
    """SIGTERM in the middle: what is open may go on until the drain's limit, and the exit code is 0."""
    def play():
        house = House(stage)
        with pytest.raises(Ended), SHORTAGES[name](house):
            house.proxy.signal(signal.SIGTERM)
            house.proxy.wait_line("draining")
            house.tunnel.send(b"until then")
            assert house.tunnel.read(10) == b"until then"
            assert house.proxy.wait_exit() == 0
            raise Ended
    in_its_place(name, program, play)
