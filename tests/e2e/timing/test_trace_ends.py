"""fairlead trace that is given up, by Ctrl-C or for --max-time: what is known by then is drawn, and which phase was not over."""
import json
import re
import signal
import subprocess
import time
from contextlib import suppress

import pytest

from support.bounds import BOUND, Cue, wait_until
from support.dns import holds
from support.har import check_har
from support.message import ok, request
from support.ops import told
from support.origin import Silence, replies_forever
from support.proxy import clean_environment
from support.record import Record
from support.schema import check_log

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"
LONG = 0.03  # seconds that a phase lasts at least before it is given up


def interrupted(stage, is_stuck, *words, number=signal.SIGINT):
    """Run it, send the signal as soon as is_stuck() returns; exit code, standard output, standard error."""
    with subprocess.Popen([stage.program, "trace", "--allow", "127.0.0.0/8", *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=clean_environment()) as process:
        is_stuck()
        time.sleep(LONG)  # only so that the phase has a length
        process.send_signal(number)
        out, said = process.communicate(timeout=BOUND)
        return process.returncode, out, said


def stuck(stage, *sends, tls=None):
    """A peer that takes what comes, sends these and then says nothing; and what waits for that."""
    cue = Cue()

    def script(conn):
        for piece in sends or [b""]:
            conn.fill()
            conn.buffer = b""
            conn.send(piece)
        cue.give()
        conn.hold()
    origin = stage.origin(script, tls=tls)
    return origin, cue.wait


def rows_of(out):
    return {line.split()[0]: line for line in out.splitlines() if re.match(r"  [a-z_]+ ", line)}


def check_drawn(out, phase):
    assert "killed: It was interrupted" in out
    rows = rows_of(out)
    assert phase in rows and rows[phase].endswith("  not over"), out
    assert [row for row in rows.values() if row.endswith("not over")] == [rows[phase]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_answer_that_does_not_come(stage, number):
    """The waterfall shows what went before, and the wait that was not over; the exit status is that of a shell."""
    origin, wait = stuck(stage)
    code, out, said = interrupted(stage, wait, origin.url + "/a", number=number)
    assert (code, said) == (128 + number, "") and out.startswith(f"GET {origin.url}/a  no answer in ")
    assert f"new connection to {origin.authority}\n" in out and {"connect", "send"} <= set(rows_of(out))
    check_drawn(out, "wait")


def test_a_name_that_is_not_resolved(stage):
    stage.dns.add("slow.test", script=holds)
    code, out, said = interrupted(stage, lambda: stage.dns.wait_asked("slow.test"), "--resolver", stage.dns.address,
                                  "http://slow.test/")
    assert (code, said) == (130, "")
    check_drawn(out, "dns")


def test_a_connection_that_is_not_made(stage):
    with Silence() as silence:
        code, out, said = interrupted(stage, lambda: wait_until(silence.knocking, "a connect"),
                                      f"http://127.0.0.1:{silence.port}/")
    assert (code, said) == (130, "")
    check_drawn(out, "connect")


def test_a_body_that_does_not_end(stage):
    """What came is counted."""
    origin, wait = stuck(stage, HEAD + b"x" * 1000)
    code, out, _ = interrupted(stage, wait, origin.url + "/")
    assert code == 130 and out.startswith(f"GET {origin.url}/  200  1.00KB in ")
    check_drawn(out, "load")


@pytest.mark.parametrize("scheme, sends, phase", [
    ("https", [], "parent_tls"), ("http", [], "parent"), ("http", [OPENED], "tls")])
def test_a_way_through_another_proxy(stage, scheme, sends, phase):
    """Each step of it."""
    other, wait = stuck(stage, *sends)
    code, out, said = interrupted(stage, wait, "--proxy", f"{scheme}://{other.authority}", "https://a.example/")
    assert (code, said) == (130, "") and out.startswith(f"through the proxy {other.authority}")
    check_drawn(out, phase)


def test_a_proxy_that_is_not_reached(stage):
    with Silence() as silence:
        code, out, said = interrupted(stage, lambda: wait_until(silence.knocking, "a connect"), "--proxy",
                                      f"http://127.0.0.1:{silence.port}", "http://a.example/")
    assert (code, said) == (130, "") and "GET http://a.example/  no answer in" in out
    check_drawn(out, "connect")


@pytest.mark.parametrize("is_through", [False, True])
def test_machines_get_whole_output(stage, is_through):
    """A line that fits the schema, an archive that is valid."""
    origin, wait = stuck(stage)
    words = ["--proxy", origin.url, "http://a.example/"] if is_through else [origin.url + "/"]
    code, out, said = interrupted(stage, wait, "--json", *words)
    check_log(out.splitlines())
    record = Record(out)
    assert (code, said, record.end, record.ended_by, record.cause) == (130, "", "killed", "client", "client_gone")
    assert record.json["unfinished"]["phase"] == "wait" and record.json["unfinished"]["us"] >= LONG * 900_000
    code, out, said = interrupted(stage, wait, "--har", *words)
    entry, = check_har(out)
    assert (code, said, entry["response"]["status"]) == (130, "", 0)


def test_rounds_end(stage):
    """What was over stays what it was; what was not begun is counted on standard error, and is in no output."""
    cue = Cue()

    def script(conn):
        for _ in range(3):
            conn.read_request()
            conn.send(ok(b"fine"))
        conn.read_request()
        cue.give()
        conn.hold()
    origin = stage.origin(script)
    code, out, said = interrupted(stage, cue.wait, "--repeat", 10, origin.url + "/")
    assert code == 130 and said == "fairlead: trace: interrupted; 4 of 10 transactions were begun\n"
    assert "4 times: 3 succeeded, 1 failed; 3 on a reused connection" in out
    code, out, said = interrupted(stage, cue.wait, "--repeat", 10, "--json", origin.url + "/")
    assert [json.loads(line)["end"] for line in out.splitlines()] == ["done", "done", "done", "killed"]


def trickles(conn):
    conn.read_request()
    with suppress(OSError):
        conn.send(HEAD)
        while True:
            conn.send(b"x")
            time.sleep(0.02)


@pytest.mark.parametrize("is_through", [False, True])
def test_a_trickle_ends_in_time(stage, is_through):
    """--max-time: also where each byte comes in time; the exit status is that of a failure, and what came is told."""
    origin = stage.origin(trickles)
    words = ["--allow", "127.0.0.0/8", "--max-time", "0.3", *(["--proxy", origin.url] if is_through else []), origin.url + "/"]
    code, out, said = told(stage, "trace", *words)
    assert (code, said) == (1, "") and f"GET {origin.url}/  200  " in out
    assert "timeout: It was not over after --max-time 300ms\n" in out and rows_of(out)["load"].endswith("  not over")
    code, out, said = told(stage, "trace", "--json", *words)
    check_log(out.splitlines())
    record = Record(out)
    assert (code, record.status, record.end, record.ended_by, record.cause) == (1, 200, "timeout", "client", "client_gone")
    assert record["bytes"]["response_body"] > 0 and record.phases["total"] < BOUND * 1_000_000
    code, out, said = told(stage, "trace", "--har", *words)
    assert code == 1 and len(check_har(out)) == 1


def test_the_time_is_each_ones(stage):
    """Who is in time is not touched, and later rounds have time of their own."""
    good = stage.origin(replies_forever(ok(b"fine")))
    slow = stage.origin(trickles)
    code, out, _ = told(stage, "trace", "--allow", "127.0.0.0/8", "--max-time", "300ms", "--repeat", 2, "--json",
                        good.url + "/", slow.url + "/")
    ends = sorted((record["url"] == good.url + "/", record["end"]) for record in map(json.loads, out.splitlines()))
    assert code == 1 and ends == [(False, "timeout"), (False, "timeout"), (True, "done"), (True, "done")]


@pytest.mark.parametrize("value", ["0", "", "-1", "x", "1e3", "604801", "9" * 40])
def test_a_wrong_time_is_told(stage, value):
    code, out, said = told(stage, "trace", "--max-time", value, "http://a.example/")
    assert (code, out) == (2, "") and "--max-time expects seconds, more than 0 and at most a week; got" in said


def test_the_proxy_tells_the_same_of_a_client_that_goes(stage, proxy):
    """How far it came is in the log of any proxy whose client went away while a name was looked up."""
    stage.dns.add("slow.test", script=holds)
    with stage.client(proxy.connect()) as client:
        client.send(request("GET", "http://slow.test/"))
        stage.dns.wait_asked("slow.test")
        client.pause(LONG)
        client.reset()
    record = proxy.record()
    assert (record.cause, record.json["unfinished"]["phase"]) == ("client_gone", "dns")
