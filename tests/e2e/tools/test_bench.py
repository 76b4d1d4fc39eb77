"""./dev bench: that it works, never how fast anything is."""
import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.bounds import SLOW
from support.proxy import binary, clean_environment

ROOT = Path(__file__).resolve().parents[3]
CASES = ["get-1k", "get-64k", "get-1m", "get-new", "post-64k", "tunnel-open", "tunnel-bulk", "tunnel-echo",
         "tls-get-1k", "tls-down", "tls-up", "tls-new", "log", "workers"]


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
