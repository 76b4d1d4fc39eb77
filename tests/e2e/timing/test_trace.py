"""fairlead trace: transactions that a command makes itself, through the same engine, and what it shows of them."""
import json
import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from support.bounds import BOUND
from support.har import check_har
from support.message import ok, request
from support.ops import closed_port, told
from support.origin import replies_forever
from support.proxy import clean_environment
from support.terminal import Terminal, seen

LOOPBACK = ("--allow", "127.0.0.0/8")
BAR = r"[ |#]+"
SLOW = "  slow: "  # may come on a machine that is busy


def trace(stage, *words):
    return told(stage, "trace", *LOOPBACK, *words)


def test_a_waterfall_is_drawn(stage):
    """What it was, the connection, a bar a phase on one axis, at most 80 columns, plain ASCII in a pipe."""
    origin = stage.origin(replies_forever(ok(b"x" * 1000)))
    code, out, said = trace(stage, origin.url + "/a")
    title, connection, *rows = [line for line in out.splitlines() if not line.startswith(SLOW)]
    assert (code, said) == (0, "") and out.isascii() and "\x1b" not in out
    assert re.fullmatch(rf"GET {re.escape(origin.url)}/a  200  1\.00KB in \S+s", title)
    assert connection == f"new connection to {origin.authority}"
    assert [row.split()[0] for row in rows] == ["blocked", "connect", "send", "wait", "load"]
    assert all(re.fullmatch(rf"  [a-z]+ {BAR} +[\d.]+[num]?s(  came in one piece)?", row) and len(row) <= 80 for row in rows)
    asked, = origin.requests
    assert (asked.method, asked.target, asked.get("User-Agent")) == ("GET", "/a", stage_version(stage))


def test_a_waterfall_names_who_was_slow(stage):
    """Its last line, where it took 100 ms or more: an origin that thinks for longer."""
    def thinks(conn):
        conn.read_request()
        conn.pause(0.15)
        conn.send(ok(b"late"))
    code, out, said = trace(stage, stage.origin(thinks).url)
    last = out.splitlines()[-1]
    assert (code, said) == (0, "") and re.fullmatch(r"  slow: origin [\d.]+m?s of [\d.]+m?s", last), out


def stage_version(stage):
    return "fairlead/" + told(stage, "--version")[1].split()[1]


def test_tls_has_its_bar(stage, certs, dns):
    """https: connect and TLS by the proxy itself, with the certificate checked; names are looked up."""
    origin = stage.origin(replies_forever(ok(b"secure")), tls=True)
    dns.add("origin.test", a=["127.0.0.1"])
    words = ["--resolver", dns.address, "--upstream-ca", certs.ca, f"https://origin.test:{origin.port}/"]
    code, out, said = trace(stage, *words)
    assert (code, said) == (0, "")
    assert re.search(r"^  dns .* query, 1 found$", out, re.M) and re.search(r"^  tls .* TLS 1\.3$", out, re.M)


def test_a_tunnel_is_timed_to_its_opening(stage):
    origin = stage.origin(lambda conn: conn.read_to_end())
    code, out, _ = trace(stage, "--connect-port", "any", origin.authority)
    assert code == 0 and out.startswith(f"CONNECT {origin.authority}  200 in ")
    assert [line.split()[0] for line in out.splitlines()[2:] if not line.startswith(SLOW)] == ["blocked", "connect"]


def test_the_gate_holds_here_too(stage):
    """The same rules as for any client, and the remedy with the refusal."""
    code, out, said = told(stage, "trace", "http://127.0.0.1:8080/")
    assert (code, said) == (1, "") and "refused: default-deny 127.0.0.0/8" in out
    assert "to allow it: --allow 127.0.0.1" in out


def test_each_attempt_is_drawn(stage, dns):
    """Several addresses: each with its family, its time and how it ended."""
    origin = stage.origin(replies_forever(ok(b"fine")), host="127.0.0.2")
    dns.add("two.test", a=["127.0.0.1", "127.0.0.2"])
    code, out, _ = trace(stage, "--resolver", dns.address, f"http://two.test:{origin.port}/")
    assert code == 0
    assert re.search(r"^   ipv4 .* 127\.0\.0\.1 refused$", out, re.M)


def test_repeated_requests_reuse_the_connection(stage):
    """Percentiles a phase: what only the first request paid is counted once."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    code, out, _ = trace(stage, "--repeat", "20", origin.url + "/")
    assert code == 0 and len(origin.connections) == 1 and len(origin.requests) == 20
    assert "20 times: 20 succeeded, 0 failed; 19 on a reused connection" in out
    rows = {line.split()[0]: line.split()[1:] for line in out.split("max\n")[1].splitlines()}
    assert rows["connect"][0] == "1" and rows["wait"][0] == rows["total"][0] == "20" and "dns" not in rows
    assert all(len(line) <= 80 for line in out.splitlines())


@pytest.mark.parametrize("columns", [60, 80, 500])
def test_no_line_is_wider_than_its_terminal(stage, columns):
    """Waterfall and percentiles, down to 60 columns."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    terminal = Terminal(columns)
    stage.others.append(terminal)
    subprocess.run([stage.program, "trace", *LOOPBACK, "--repeat", "3", origin.url + "/" + "long" * 200], stdout=terminal.its,
                   env=clean_environment(LC_ALL="C"), timeout=BOUND, check=True)
    lines = [seen(terminal.line())]
    while not lines[-1].startswith("  total "):
        lines.append(seen(terminal.line()))
    assert [line for line in lines if len(line) > columns] == [] and "..." in lines[0]
    assert len(lines[lines.index(next(line for line in lines if line.startswith("  phase ")))].split()) == 7


def test_a_fragment_is_not_sent(stage):
    """RFC 3986 §3.5: it is for whoever shows the answer. Who copies a URL out of a browser has one."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    code, out, said = trace(stage, origin.url + "/a?b#c", origin.url + "#top")
    assert (code, said) == (0, "") and f"GET {origin.url}/a?b  200" in out and "#top" not in out
    assert {asked.target for asked in origin.requests} == {"/a?b", "/"}


def test_a_long_target_is_whole_in_a_pipe(stage):
    origin = stage.origin(replies_forever(ok(b"fine")))
    _, out, _ = trace(stage, origin.url + "/" + "long" * 300)
    assert out.startswith(f"GET {origin.url}/{'long' * 300}  200 ")


def test_a_reused_connection_says_what_it_had_paid(stage):
    origin = stage.origin(replies_forever(ok(b"fine")))
    code, out, _ = trace(stage, "--serial", origin.url + "/a", origin.url + "/b")
    assert code == 0 and re.search(r"^reused connection to \S+: request 2 on it; it had paid connect \S+s$", out, re.M)


def test_who_has_it_all_stays_to_the_end(stage, certs):
    """The command reads what the worker sends in another thread: to be quicker is not to go away early."""
    origin = stage.origin(replies_forever(ok(b"x" * 2_000_000)), tls=True)
    code, out, _ = trace(stage, "--upstream-ca", certs.ca, "--repeat", "60", "--serial", f"https://127.0.0.1:{origin.port}/")
    assert code == 0 and "60 times: 60 succeeded, 0 failed" in out


def test_all_at_once_or_one_after_the_other(stage):
    """Without --serial requests do not wait for each other: each has a connection of its own."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    urls = [f"{origin.url}/{n}" for n in range(5)]
    assert trace(stage, *urls)[0] == 0
    assert {asked.target for asked in origin.requests} == {f"/{n}" for n in range(5)}
    before = len(origin.connections)
    assert trace(stage, "--serial", *urls)[0] == 0
    assert len(origin.connections) == before + 1


@pytest.mark.parametrize("more", [[], ["--serial"]])
def test_requests_are_shown_in_the_order_given(stage, more):
    """The same URL twice stands twice, each where it was named."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    code, out, _ = trace(stage, *more, *[f"{origin.url}/{name}" for name in ("big", "a", "big", "a")])
    assert code == 0 and re.findall(r"^GET \S+/(\w+) ", out, re.M) == ["big", "a", "big", "a"]


def test_lines_and_archives(stage):
    """--json: the lines of the access log; --har: an archive of the same."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    code, out, _ = trace(stage, "--json", origin.url + "/a?secret", origin.url + "/b")
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and {record["url"] for record in records} == {origin.url + "/a?secret", origin.url + "/b"}
    assert all(record["kind"] == "exchange" and record["phases_us"]["total"] > 0 for record in records)
    code, out, _ = trace(stage, "--har", "--repeat", "3", origin.url + "/a")
    assert code == 0 and [entry["response"]["status"] for entry in check_har(out)] == [200, 200, 200]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "DELETE"])
def test_the_method_may_be_chosen(stage, method):
    origin = stage.origin(replies_forever(ok(b"" if method == "HEAD" else b"fine")))
    assert trace(stage, "--method", method, origin.url + "/")[0] == 0
    assert origin.requests[0].method == method


def test_the_exit_status_tells(stage):
    """0 where all succeeded, 1 where one did not, whatever the others did."""
    good = stage.origin(replies_forever(ok(b"fine")))
    bad = stage.origin(replies_forever(ok(b"none", status="404 Not Found")))
    assert trace(stage, good.url + "/", good.url + "/")[0] == 0
    assert trace(stage, good.url + "/", bad.url + "/")[0] == 1
    code, out, _ = trace(stage, f"http://127.0.0.1:{closed_port()}/")
    assert code == 1 and re.search(r"^   ipv4 .* 127\.0\.0\.1 refused$", out, re.M) and "error: " in out


@pytest.mark.parametrize("words, reason", [
    ([], "name a URL or HOST:PORT"),
    (["example.com"], "name a URL or HOST:PORT; did you mean http://example.com/?\n"),
    (["localhost:18101/a.txt"], "did you mean http://localhost:18101/a.txt?\n"),
    (["ftp://example.com/"], "a URL begins with http:// or https://"),
    (["http://user:secret@example.com/"], "user name"),
    (["http://exa mple.com/"], "byte"),
    (["--repeat", "0", "http://a.example/"], "--repeat expects"),
    (["--repeat", "10000", "http://a.example/", "http://b.example/"], "10000 transactions"),
    (["--unknown", "x", "http://a.example/"], ": --unknown: unknown option; --help lists them\n"),
    (["--bogus", "http://a.example/"], ": --bogus: unknown option; --help lists them\n"),
    (["-k", "http://a.example/"], ": -k: unknown option; --help lists them\n"),
    (["http://a.example/", "--bogus=x"], ": --bogus: unknown option"),
    (["--alow", "127.0.0.1", "http://a.example/"], ": --alow: unknown option; did you mean --allow?"),
    (["--seriel", "http://a.example/"], ": --seriel: unknown option; did you mean --serial?"),
    (["--allow", "127.0.0.1", "--allow"], ": --allow: needs a value\n"),
    (["--", "--serial"], ": --serial: "),
    (["--json", "--har", "http://a.example/"], "--json or --har, not both"),
])
def test_wrong_usage_of_trace_is_told(stage, words, reason):
    code, out, said = told(stage, "trace", *words)
    assert (code, out) == (2, "") and reason in said and "secret" not in said.replace("user:secret", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to begin with")
def test_nothing_is_traced_as_root(stage):
    """While it waits for an answer the process is another user, and has no capability."""
    seen = []

    def script(conn):
        conn.read_request()
        for status in Path("/proc").glob("[0-9]*/status"):
            with suppress(OSError):
                text = status.read_text()
                if "/only-root" in (status.parent / "cmdline").read_text() and "Name:\tfairlead\n" in text:
                    seen.append(re.findall(r"^(?:Uid|CapEff):\t(.*)$", text, re.M))
        conn.send(ok(b"fine"))
    origin = stage.origin(script)
    assert trace(stage, origin.url + "/only-root")[0] == 0
    assert seen and all("0" not in ids.split() and int(caps, 16) == 0 for ids, caps in seen)


def test_nothing_is_left_behind(stage, folder):
    """No listener, no log: a trace beside a proxy with the same configuration disturbs nobody."""
    proxy = stage.proxy()
    origin = stage.origin(replies_forever(ok(b"fine")))
    before = sorted(os.listdir(folder))
    assert trace(stage, "--listen", "%s:%d" % proxy.address, "--log-file", folder / "other.log", origin.url + "/")[0] == 0
    assert sorted(os.listdir(folder)) == before
    with stage.client(proxy.connect()) as client:
        assert client.ask(request("GET", origin.url + "/")).status == 200
