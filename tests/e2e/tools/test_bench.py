"""./dev bench: that it works, never how fast anything is."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.bounds import SLOW
from support.proxy import binary, clean_environment

ROOT = Path(__file__).resolve().parents[3]
CASES = ["get-1k", "get-many", "get-64k", "get-1m", "get-new", "post-64k", "tunnel-open", "tunnel-bulk",
         "tunnel-many", "tunnel-echo", "tls-get-1k", "tls-down", "tls-up", "tls-new", "log", "workers", "guarded"]


@pytest.fixture
def build():
    """The build folder of the fairlead under test; the bench programs are there in a build with tests."""
    folder = binary().parent
    if not (folder / "bench" / "load").exists():
        pytest.skip("this build has no bench programs")
    return folder


def run_bench(build, output, *options):
    command = [sys.executable, ROOT / "bench" / "bench.py", build, "--output", output, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120 * SLOW, env=clean_environment())


def test_every_case_does_its_work_and_is_told(build, tmp_path):
    """A tiny run of each case, beside the floor alone: no unit fails, and the JSON file has what the table shows."""
    done = run_bench(build, tmp_path, "--seconds", "0.1", "--pairs", "1", "--peer", "floor", "--no-calls", "--case",
                     *CASES)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "bench.json").read_text())
    assert [case["name"] for case in found["cases"]] == CASES
    for case in found["cases"]:
        assert case["failure"] is None and case["title"] in done.stdout
        for name, row in case["rows"].items():
            assert row["failure"] is None and row["per_cpu_s"][0] > 0 and row["rate"][0] > 0, (case["name"], name)
        assert case["subject"] in case["rows"] and len(case["rows"]) == 2
    assert found["machine"]["congestion"] in done.stdout and "\x1b" not in done.stdout


def test_the_truth_table_has_every_phase(tmp_path):
    """Each phase of each kind of transaction is held back, and told of; how exactly is for people to read."""
    file = tmp_path / "truth.json"
    done = subprocess.run([sys.executable, ROOT / "bench" / "truth.py", binary().parent, "--delay", "20", "--rounds", "1",
                           "--json", file], capture_output=True, text=True, timeout=60 * SLOW, env=clean_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(file.read_text())
    upload = ["send", "wait", "load", "deliver"]
    assert [(row["kind"], row["phase"]) for row in rows] == [
        *(("new", phase) for phase in ("client_tls", "receive", "dns", "connect", "tls", *upload)),
        *(("pooled", phase) for phase in ("receive", *upload)),
        *(("tunnel", phase) for phase in ("receive", "dns", "connect", "tunnel")),
        *(("inside", phase) for phase in ("inside_hello", "inside_tls", "inside_wait"))]
    assert all(row["kind"] in done.stdout and row["phase"] in done.stdout for row in rows)


def test_a_proxy_that_fails_a_unit_fails_the_case(build, tmp_path):
    """Where requests are refused the run says so, and ends with an error."""
    refusing = tmp_path / "build"
    (refusing / "bench").mkdir(parents=True)
    for program in (build / "bench").iterdir():
        if program.is_file():
            (refusing / "bench" / program.name).symlink_to(program)
    script = refusing / "fairlead"
    script.write_text(f'#!/bin/sh\nexec "{build / "fairlead"}" "$@" --deny 127.1.0.0/16\n')
    script.chmod(0o755)
    done = run_bench(refusing, tmp_path, "--seconds", "0.1", "--pairs", "1", "--peer", "--no-calls", "--case", "get-1k")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the status is not 200 (status 403)" in done.stdout and "failed: get-1k: fairlead" in done.stdout


def test_slow_clients_of_each_kind_stay_amid_good_ones(build):
    """A tiny run with two of each kind: none is lost, no good request fails, and the proxy is empty behind them."""
    command = [sys.executable, ROOT / "bench" / "slow.py", build, "--count", "16", "--rate", "100", "--seconds", "0.2",
               "--rounds", "1", "--interval", "50", "--no-memory"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120 * SLOW, env=clean_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "good requests failed: 0 of 60; slow clients lost: 0" in done.stdout
    for row in ("latency, p50", "CPU a good request", "CPU of the crowd"):
        assert f"\n  {row} " in done.stdout


@pytest.fixture
def modules(monkeypatch):
    """The bench's own modules, without what they are called elsewhere."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    import cases
    import count
    import judge
    import measure
    yield cases, count, judge, measure
    for name in [name for name, module in sys.modules.items()
                 if str(getattr(module, "__file__", None)).startswith(str(ROOT / "bench"))]:
        del sys.modules[name]


def test_a_goal_is_judged_by_the_lower_end_of_an_interval(modules):
    """Nine pairs: from the second to the eighth; of several peers the one that did best counts."""
    cases, _, judge, _ = modules
    assert judge.interval([9, 1, 2, 8, 3, 7, 4, 6, 5]) == (5, 2, 8)
    goal = cases.Goal(1.0, ("slow", "quick", "absent"))
    found = judge.judge(goal, {"slow": [2.0] * 9, "quick": [0.8, 0.96, 0.97, 0.98, 0.99, 1.0, 1.0, 1.0, 3.0]})
    assert (found["against"], found["low"], found["verdict"]) == ("quick", 0.96, "met")
    assert judge.judge(goal, {"quick": [0.9] * 9})["verdict"] == "missed"
    assert judge.judge(goal, {"quick": [0.9] * 4 + [0.96] * 5})["verdict"] == "not shown"
    assert judge.judge(goal, {}) is None


def test_three_per_cent_more_than_the_baseline_is_worse(modules):
    """And what other tools made is shown, not judged."""
    _, count, _, _ = modules
    assert count.judge(103.1, 100, True) == ("+3.1%: MORE", True)
    assert count.judge(102.9, 100, True) == ("+2.9%, kept", False)
    assert count.judge(103.1, 100, False) == ("+3.1%, not judged", False)
    assert count.judge(1, None, True)[1] is False


def test_a_summary_of_strace_is_added_up(modules):
    """With and without a column of errors, and without its own total."""
    _, _, _, measure = modules
    summary = ("% time     seconds  usecs/call     calls    errors syscall\n"
               " 77.00    0.065198        5015        13           poll\n"
               "  2.75    0.004392           3      1207       206 recvfrom\n"
               "100.00    0.069590          57      1220       206 total\n")
    assert measure.count_calls(summary) == 1220


def test_counting_tells_three_figures_beside_the_baseline(build, tmp_path):
    """Instructions, calls and clock readings of a lockstep case; another compiler's instructions are not judged."""
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    done = run_bench(build, tmp_path, "--count", "--case", "tunnel-open")
    assert done.stdout.count("\n  tunnel-open ") == 3, done.stdout + done.stderr
    for kind in ("user instructions", "system calls", "readings of the clock"):
        assert any(kind in line and "baseline" in line for line in done.stdout.splitlines()), done.stdout
