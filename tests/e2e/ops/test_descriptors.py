"""Out of descriptors: accepting pauses, nothing spins, nothing dies, and it goes on afterwards."""
import time

from support.bounds import SLOW, wait_until
from support.message import ok, request
from support.ops import Config, answers, both, cpu_ticks
from support.origin import echoes, replies_forever
from support.wire import connect

LIMIT = 90


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
