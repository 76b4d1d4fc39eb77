"""/metrics: the text format of Prometheus, and that the figures are true."""
import json
import os
import re
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest
from support.admin import open_tunnels
from support.bounds import Cue, wait_until
from support.message import ok, request
from support.ops import free_port
from support.origin import echoes, replies, replies_forever

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\}})? '
                    r"([0-9]+(?:\.[0-9]+)?)")
PARTS = ("_bucket", "_sum", "_count")  # of a histogram


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
            assert family == helped and family not in types and kind in ("counter", "gauge", "histogram"), line
            assert re.fullmatch(NAME, family) and family.startswith("fairlead_")
            assert (kind == "counter") == family.endswith("_total"), line
            types[family] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match and match.group(1) in [family + part for part in (
                PARTS if types[family] == "histogram" else [""])], line
            sample = line.rsplit(" ", 1)[0]
            assert sample not in values, line
            values[sample] = float(match.group(3))
    names = {sample.split("{")[0] for sample in values}
    assert names == {name + part for name, kind in types.items()
                     for part in (PARTS if kind == "histogram" else [""])}
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


def test_phases_are_histograms(stage, proxy):
    """Of each phase that happened, once for each transaction in which it did: a pooled connection has no connect."""
    origin = stage.origin(replies_forever(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    assert not any("phase_seconds" in sample for sample in metrics(proxy))
    with stage.client(proxy.connect()) as client:
        for _ in range(3):
            assert client.ask(request("GET", f"http://{origin.authority}/")).status == 200
    proxy.records(3)
    wait_until(lambda: metrics(proxy).get('fairlead_phase_seconds_count{phase="wait"}') == 3, "three waits")
    values = metrics(proxy)
    assert values['fairlead_phase_seconds_count{phase="connect"}'] == 1
    assert not any('phase="tls"' in sample for sample in values)
    buckets = [number for sample, number in values.items()
               if sample.startswith('fairlead_phase_seconds_bucket{phase="wait"')]
    assert buckets == sorted(buckets) and buckets[-1] == 3 and len(buckets) == 23
    waited = sum(record.json["phases_us"]["wait"] for record in proxy.records(3)) / 1e6
    assert abs(values['fairlead_phase_seconds_sum{phase="wait"}'] - waited) < 1e-5


def test_refusals_and_failures_are_counted_by_word(stage, proxy):
    """rule_refusals_total has the rule that the answer named, cause_failures_total the log's word."""
    with stage.client(proxy.connect()) as client:
        assert client.ask(request("GET", "http://169.254.169.254/")).status == 403
    with stage.client(proxy.connect()) as client:
        assert client.ask(request("GET", f"http://127.0.0.1:{free_port()}/")).status == 502
    refused, failed = sorted(proxy.records(2), key=lambda record: record.json["status"])
    def value(name, label, word):
        return metrics(proxy).get(f'fairlead_{name}{{{label}="{word}"}}')
    wait_until(lambda: value("rule_refusals_total", "rule", refused.json["rule"]) == 1, "the refusal")
    wait_until(lambda: value("cause_failures_total", "cause", failed.json["cause"]) == 1, "the failure")


SIDES = ["client", "client_network", "proxy", "dns", "upstream_network", "origin"]


def test_who_was_slow_is_counted(stage, proxy):
    """slow_transactions_total and the overview's second and minute count what the log's verdict says, and only that."""
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    def thinks(conn):
        for pause in (0.15, 0, 0.15):
            conn.read_request()
            conn.pause(pause)
            conn.send(ok)
        conn.hold()
    origin = stage.origin(thinks)
    values = metrics(proxy)
    assert [values[f'fairlead_slow_transactions_total{{side="{side}"}}'] for side in SIDES] == [0] * 6
    with stage.client(proxy.connect()) as client:
        for _ in range(3):
            assert client.ask(request("GET", origin.url + "/")).status == 200
    verdicts = [record.json["verdict"]["slow"] for record in proxy.records(3) if "verdict" in record.json]
    assert verdicts.count("origin") >= 2
    name = 'fairlead_slow_transactions_total{side="origin"}'
    wait_until(lambda: metrics(proxy)[name] == verdicts.count("origin"), "the slow ones")
    overview = json.loads(proxy.ask_admin("/api/v1/overview").body)
    for spans in (overview["seconds"], overview["minutes"]):
        assert sum(span.get("slow", {}).get("origin", 0) for span in spans) == verdicts.count("origin")
        assert sum(span["transactions"] for span in spans) == 3


def test_what_workers_used_is_told(stage):
    """CPU time by worker: it grows with work, and the overview tells how busy they were."""
    proxy = stage.proxy("--workers", "1")
    origin = stage.origin(replies_forever(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    before = metrics(proxy)['fairlead_worker_cpu_seconds_total{worker="0"}']
    with stage.client(proxy.connect()) as client:
        for _ in range(50):
            assert client.ask(request("GET", f"http://{origin.authority}/")).status == 200
    assert metrics(proxy)['fairlead_worker_cpu_seconds_total{worker="0"}'] > before
    worker, = json.loads(proxy.ask_admin("/api/v1/overview").body)["workers"]
    assert worker["worker"] == 0 and 0 <= worker["busy_share"] <= 1


@pytest.mark.long_wait
def test_prometheus_scrapes_it(stage, proxy):
    """A real Prometheus finds the target up, and answers a question for a quantile."""
    if shutil.which("prometheus") is None:
        pytest.skip("there is no prometheus here")
    origin = stage.origin(replies_forever(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    with stage.client(proxy.connect()) as client:
        for _ in range(20):
            assert client.ask(request("GET", f"http://{origin.authority}/")).status == 200
    proxy.records(20)
    port = free_port()
    config = stage.folder / "prometheus.yml"
    config.write_text("global: { scrape_interval: 200ms, scrape_timeout: 200ms }\nscrape_configs:\n"
                      "  - job_name: fairlead\n    static_configs: [{ targets: ['%s:%d'] }]\n" % proxy.admin)
    process = subprocess.Popen(
        ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={stage.folder / 'tsdb'}",
         f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def answer(query):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query="
                                            + urllib.parse.quote(query), timeout=5) as got:
                    return json.load(got)["data"]["result"]
            except OSError:
                return []
        wait_until(lambda: [each["value"][1] for each in answer('up{job="fairlead"}')] == ["1"],
                   "the target to be up", 30)
        wait_until(lambda: [each["value"][1] for each in answer(
            'fairlead_phase_seconds_count{phase="wait"}')] == ["20"], "twenty waits", 30)
        found, = answer('histogram_quantile(0.5, fairlead_phase_seconds_bucket{phase="wait"})')
        assert 0 < float(found["value"][1]) < 1
        assert [each["metric"]["version"] for each in answer("fairlead_build_info")] != []
    finally:
        process.terminate()
        process.wait(30)


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
