"""The wall clock is set: it steps by hours, forwards or backwards, while connections are open."""
import email.utils
import signal
import time

import pytest

from support.bounds import Cue
from support.message import request
from support.ops import Config, answers, reload, waits_for, with_shim
from support.origin import echoes

HOUR = 3600
NS = 10**9
NEAR = 300  # seconds that a play may take
STEPS = {"forwards": 9 * HOUR, "backwards": -9 * HOUR, "to 1970": 100 - int(time.time())}


@pytest.fixture
def clock(stage, shim):
    """A proxy, and how far its wall clock is away."""
    class Clock:
        path = stage.folder / "clock"

        def step(self, seconds):
            new = self.path.with_suffix(".new")
            new.write_text(str(seconds))
            new.chmod(0o644)
            new.rename(self.path)
    clock = Clock()
    clock.step(0)
    clock.config = Config(stage)
    tls = clock.config.tls(stage.certs.server, stage.certs.server_key)
    clock.config.write("127.0.0.1:0", tls, timeouts={"drain": "2s"})
    clock.proxy = clock.config.start(listeners=2, environment=with_shim(shim, FAIRLEAD_TEST_CLOCK=str(clock.path)))
    return clock


@pytest.mark.parametrize("way", STEPS)
def test_a_step_of_the_wall_clock_is_no_time(stage, certs, clock, way):
    """Connections, waits and phases do not notice it; Date, records and lines tell the new time; the log goes on."""
    cue, proxy = Cue(), clock.proxy
    slow, origin, mirror = stage.origin(waits_for(cue)), stage.origin(answers()), stage.origin(echoes)
    kept, kept_tls = stage.client(proxy.connect()), stage.client(proxy.connect(tls=certs.client_context()))
    for client in (kept, kept_tls):
        assert client.ask(request("GET", origin.url + "/before")).status == 200
    tunnel = stage.client(proxy.connect())
    tunnel.send(request("CONNECT", mirror.authority))
    assert tunnel.read_head().status == 200
    waiting = stage.client(proxy.connect())
    waiting.send(request("GET", slow.url + "/slow"))
    slow.wait_requests(1)

    clock.step(STEPS[way])
    tunnel.send(b"and on")
    assert tunnel.read(6) == b"and on"
    for client in (kept, kept_tls):
        assert client.ask(request("GET", origin.url + "/after")).status == 200
    cue.give()
    assert waiting.read_response().status == 200
    refused = kept.ask(request("GET", "http://10.0.0.1/"))
    assert refused.status == 403
    said = email.utils.parsedate_to_datetime(refused.get("Date"))
    assert abs(said.timestamp() - time.time() - STEPS[way]) < NEAR
    reload(proxy, signal.SIGUSR1, "the access log is open again")
    tunnel.half_close()
    tunnel.expect_end("fin")
    kept.close()

    records = proxy.records(7)
    for record in records:
        assert all(0 <= took < 60_000_000 for took in record.phases.values()), record
    before, after = ([r for r in records if r.url and r.url.endswith(word)] for word in ("/before", "/after"))
    assert min(r["base_ns"] for r in after) > max(r["base_ns"] for r in before)
    assert abs(after[0].wall_ns - before[0].wall_ns - STEPS[way] * NS) < NEAR * NS
