"""/metrics: the text format of Prometheus, and that the figures are true."""
import os
import re

import pytest
from support.admin import open_tunnels
from support.bounds import Cue, wait_until
from support.message import ok, request
from support.origin import echoes, replies, replies_forever

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\}})? '
                    r"([0-9]+(?:\.[0-9]+)?)")


def parse_metrics(text):
    """Strictly: {sample: number} with the type of each family; HELP, TYPE and samples once and together."""
    assert text.endswith("\n")
    types, values, family, helped = {}, {}, None, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            helped, words = line[7:].split(" ", 1)
            assert words and helped not in types, line
        elif line.startswith("# TYPE "):
            family, kind = line[7:].split(" ")
            assert family == helped and family not in types and kind in ("counter", "gauge"), line
            assert re.fullmatch(NAME, family) and family.startswith("fairlead_")
            assert (kind == "counter") == family.endswith("_total"), line
            types[family] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match and match.group(1) == family, line
            sample = line.rsplit(" ", 1)[0]
            assert sample not in values, line
            values[sample] = float(match.group(3))
    assert {sample.split("{")[0] for sample in values} == set(types)
    return values


def metrics(proxy):
    got = proxy.ask_admin("/metrics")
    assert got.get("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    return parse_metrics(got.body.decode("ascii"))


def test_the_text_is_what_prometheus_reads(proxy):
    """Each family has HELP and TYPE once, counters end in _total, every line is well-formed."""
    values = metrics(proxy)
    assert len(values) > 30
    assert any(sample.startswith("fairlead_build_info{version=") for sample in values)


def test_counters_never_fall(stage, proxy):
    """A counter read twice has not become less, and traffic raises it."""
    origin = stage.origin(replies(ok(b"fine")))
    before = metrics(proxy)
    with proxy.connect() as client:
        client.ask(request("GET", origin.url + "/"))
    proxy.record()
    after = wait_until(lambda: (m := metrics(proxy))["fairlead_requests_total"] > before[
        "fairlead_requests_total"] and m, "the request to be counted")
    assert all(after[sample] >= before[sample] for sample in before if sample.endswith("_total"))
    assert after["fairlead_responses_2xx_total"] == 1


def test_bytes_of_exchanges_are_those_of_the_record(stage, proxy):
    """The four byte counters count exchanges exactly as their record does."""
    origin = stage.origin(replies(ok(b"x" * 5000)))
    with proxy.connect() as client:
        client.ask(request("POST", origin.url + "/", body=b"y" * 3000))
    record = proxy.record()
    values = metrics(proxy)
    assert values["fairlead_client_received_bytes_total"] == record.bytes["client_in"] > 3000
    assert values["fairlead_client_sent_bytes_total"] == record.bytes["client_out"] > 5000
    assert values["fairlead_upstream_sent_bytes_total"] == record.bytes["upstream_out"] > 3000
    assert values["fairlead_upstream_received_bytes_total"] == record.bytes["upstream_in"] > 5000


def test_bytes_of_tunnels_are_those_of_the_record(stage, proxy):
    """The four byte counters count a tunnel, its CONNECT included, as its record does."""
    origin = stage.origin(echoes)
    client, = open_tunnels(stage, proxy, origin, 1)
    client.send(b"x" * 5000)
    client.read(5000)
    client.half_close()
    client.expect_end("fin")
    record = proxy.record()
    values = metrics(proxy)
    for name, member in (("client_received", "client_in"), ("client_sent", "client_out"),
                         ("upstream_sent", "upstream_out"), ("upstream_received", "upstream_in")):
        assert values[f"fairlead_{name}_bytes_total"] == record.bytes[member] >= 5000


BYTES = ("client_received", "upstream_sent", "upstream_received", "client_sent")


def bytes_of(proxy):
    values = metrics(proxy)
    return {name: values[f"fairlead_{name}_bytes_total"] for name in BYTES}


def test_bytes_of_an_open_tunnel_are_counted(stage, proxy):
    """The byte counters move while a tunnel is open, and not at once when it closes."""
    origin = stage.origin(echoes)
    client, = open_tunnels(stage, proxy, origin, 1)
    wait_until(lambda: bytes_of(proxy)["client_received"], "the CONNECT to be counted")
    before = bytes_of(proxy)
    client.send(b"x" * 5000)
    client.read(5000)
    wait_until(lambda: all(value - before[name] == 5000 for name, value in bytes_of(proxy).items()),
               "all bytes to be counted")


def test_bytes_of_an_open_exchange_are_counted(stage, proxy):
    """The byte counters move while a message is on its way, and are exact at its end."""
    cue = Cue()

    def script(conn):
        conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"x" * 5000)
        cue.wait(30)
        conn.send(b"x" * 5000)
    origin = stage.origin(script)
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        head = client.read_until(b"\r\n\r\n")
        client.read(5000)
        wait_until(lambda: bytes_of(proxy)["client_sent"] == len(head) + 5000, "the first half to be counted")
        half = bytes_of(proxy)
        assert all(value > 50 for value in half.values()), half
        cue.give()
        client.read(5000)
    record = proxy.record()
    whole = bytes_of(proxy)
    assert whole["client_sent"] - half["client_sent"] == 5000 == whole["upstream_received"] - half["upstream_received"]
    assert whole["client_sent"] == record.bytes["client_out"]
    assert whole["client_received"] == record.bytes["client_in"] == half["client_received"]
    assert whole["upstream_sent"] == record.bytes["upstream_out"] == half["upstream_sent"]
    assert whole["upstream_received"] == record.bytes["upstream_in"]


@pytest.mark.parametrize("head", [b"GET nonsense\r\n\r\n", b"GET http://h/ HTTP/1.1\r\nno colon\r\n\r\nmore"])
def test_bytes_of_a_head_that_is_refused_are_those_of_the_record(proxy, head):
    """What came is counted as the record tells it, also where no head could be read of it."""
    with proxy.connect() as client:
        client.send(head)
        assert client.read_response().status == 400
    record = proxy.record()
    assert bytes_of(proxy)["client_received"] == record.bytes["client_in"] == len(head)


def test_gauges_tell_what_is_open(stage):
    """Tunnels of all workers are summed, and the gauge falls to nothing when they end."""
    origin = stage.origin(echoes)
    proxy = stage.proxy("--workers", "3")
    clients = open_tunnels(stage, proxy, origin, 12)
    wait_until(lambda: metrics(proxy)["fairlead_tunnels"] == 12, "12 tunnels to be counted")
    for client in clients:
        client.half_close()
        client.expect_end("fin")
    wait_until(lambda: metrics(proxy)["fairlead_tunnels"] == 0, "no tunnel to be open")


def test_upstream_connections_are_counted_once(stage):
    """A connection made, one reused, an attempt that failed and a name that does not exist: each by its own
    counter, and by no other."""
    origin, closed = stage.origin(replies_forever(ok(b"fine"))), stage.origin([])
    closed.stop_listening()
    proxy = stage.proxy("--workers", "1")
    with proxy.connect() as client:
        for _ in range(2):
            assert client.ask(request("GET", origin.url + "/")).status == 200
        assert client.ask(request("GET", closed.url + "/")).status == 502
        assert client.ask(request("GET", "http://missing.test/")).status == 502
    proxy.records(4)
    values = metrics(proxy)
    assert values["fairlead_upstream_connects_total"] == 1
    assert values["fairlead_upstream_reuses_total"] == 1
    assert values["fairlead_upstream_connect_failures_total"] == 1
    assert values["fairlead_dns_failures_total"] == 2  # A and AAAA


def test_buffers_and_pipes_are_gauged(stage):
    """A head that is not whole holds a buffer, bulk through a tunnel takes kernel pipes, and buffers are given
    back."""
    origin = stage.origin(echoes)
    proxy = stage.proxy("--workers", "1")
    with proxy.connect() as client:
        client.send(b"GET http://127.0.0.1/ HTTP/1.1\r\n")
        wait_until(lambda: metrics(proxy)["fairlead_buffer_bytes"] > 0, "the head to be held")
    wait_until(lambda: metrics(proxy)["fairlead_buffer_bytes"] == 0, "the buffer to be given back")
    client, = open_tunnels(stage, proxy, origin, 1)
    for _ in range(200):
        client.send(b"x" * 100_000)
        client.read(100_000)
    assert metrics(proxy)["fairlead_splice_pipes"] > 0


def test_records_that_are_lost_are_counted(stage):
    """A log pipe that nobody reads fills, and then the rings do: no request waits, and records_lost_total and stderr
    tell how many records are in no log."""
    pipe = stage.folder / "log.pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    proxy = stage.proxy("--log-file", pipe, "--workers", "1")
    assert metrics(proxy)["fairlead_records_lost_total"] == 0
    refused = request("GET", "http://127.0.0.1:22/" + "x" * 2000, "User-Agent: " + "y" * 250, "Referer: " + "z" * 250)
    asked = 0
    with proxy.connect() as client:
        def loses():
            nonlocal asked
            client.send(refused * 100)
            for _ in range(100):
                assert client.read_response().status == 403
            asked += 100
            return metrics(proxy)["fairlead_records_lost_total"] > 0
        wait_until(loses, "the rings to fill")
    proxy.wait_line("records dropped since it is written too slowly")
    os.close(reader)
    lost = metrics(proxy)["fairlead_records_lost_total"]
    assert 0 < lost <= asked == metrics(proxy)["fairlead_requests_total"]
