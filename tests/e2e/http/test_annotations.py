"""responses.*: what a response tells of the way it came."""
import re

from support.message import request
from support.origin import echoes, replies_forever

BOTH = "responses: { server_timing: on, proxy_status: on }"


def timings(message):
    """{name: milliseconds} of what is ours in Server-Timing."""
    found = {}
    for value in message.values("Server-Timing"):
        for name, ms in re.findall(r"fairlead-([a-z_]+);dur=([0-9]+\.[0-9]{3})(?:, |$)", value):
            found[name] = float(ms)
    return found


def with_both(stage, *flags):
    file = stage.folder / "responses.yaml"
    file.write_text(BOTH + "\n")
    file.chmod(0o644)
    return stage.proxy("-c", file, *flags)


def test_phases_and_status_are_told(stage):
    """Those that are over when the head leaves, as the log has them; on a pooled connection there is no connect."""
    proxy = with_both(stage)
    origin = stage.origin(replies_forever(
        b"HTTP/1.1 203 Fine\r\nServer-Timing: db;dur=5\r\nProxy-Status: inner\r\nContent-Length: 2\r\n\r\nok"))
    with stage.client(proxy.connect()) as client:
        got = [client.ask(request("GET", f"http://{origin.authority}/")) for _ in range(2)]
    for message, record in zip(got, proxy.records(2)):
        assert message.values("Server-Timing")[0] == "db;dur=5"
        told = timings(message)
        assert {"receive", "send", "wait"} <= set(told) and "load" not in told
        assert {name: abs(ms * 1000 - record.phases[name]) <= 1 for name, ms in told.items()} == dict.fromkeys(told, True)
        inner, ours = message.values("Proxy-Status")
        assert inner == "inner"
        pattern = (rf'fairlead-[0-9a-f]{{8}}; received-status=203; next-hop="{re.escape(origin.authority)}"; '
                   rf'exchange="{record.id}"')
        assert re.fullmatch(pattern, ours), ours


def test_the_answer_to_connect_tells_too(stage):
    """The 200 of a tunnel has the phases to its opening."""
    proxy = with_both(stage)
    origin = stage.origin(echoes)
    client = stage.client(proxy.connect())
    client.send(request("CONNECT", origin.authority))
    head = client.read_head()
    assert head.status == 200 and {"receive", "connect"} <= set(timings(head))
    assert origin.authority in head.get("Proxy-Status")


def test_nothing_is_told_unless_asked_for(stage, proxy):
    origin = stage.origin(replies_forever(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    with stage.client(proxy.connect()) as client:
        got = client.ask(request("GET", f"http://{origin.authority}/"))
    assert got.get("Server-Timing") is None and got.get("Proxy-Status") is None
