"""Programs that read logs and archives of others: GoAccess, calamaris, har-validator."""
import json
import re
import subprocess

import pytest

from support.admin import open_tunnels
from support.bounds import BOUND, wait_until
from support.message import ok, request
from support.ops import told
from support.origin import echoes, replies_forever
from support.programs import environment, need

# What a hostile client would like to see in a log: quotes, backslashes, control bytes, another line.
NASTY = ["User-Agent: a\" 200 1 \"x\\", "Referer: http://r.example/\" \\\" %s"]


def run(folder, *command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=4 * BOUND, check=False,
                          env={**environment(folder / "home"), "LC_ALL": "C", "NODE_PATH": "/usr/share/nodejs"})
    assert done.returncode == 0, done
    return done.stdout


def make_traffic(stage, *flags):
    """Every kind of line: answers, an error, a refusal, requests that are none, a tunnel. The log."""
    proxy = stage.proxy("--workers", "1", *flags)
    origin = stage.origin(replies_forever(ok(b"fine", status="404 Not Found")))
    for target in (origin.url + "/a?b=c&d=%22", origin.url + "/x'y", "http://10.0.0.1/", "http://a.invalid./"):
        with stage.client(proxy.connect()) as client:
            client.ask(request("GET", target, *NASTY))
    for junk in (b"GET /\x1b[31m\" HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01 garbage\r\n\r\n"):
        with stage.client(proxy.connect()) as client:
            client.ask(junk)
    client, = open_tunnels(stage, proxy, stage.origin(echoes), 1)
    client.send(b"x")
    client.read(1)
    client.half_close()
    client.expect_end("fin")
    return wait_until(lambda: (lines := proxy.log_lines()) and len(lines) == 7 and lines, "the lines"), proxy.log_path


def test_goaccess_reads_every_line_of_combined(stage):
    """As many valid requests as lines, and their statuses."""
    goaccess = need("goaccess", "goaccess")
    lines, log = make_traffic(stage, "--log-format", "combined")
    report, bad = stage.folder / "report.json", stage.folder / "bad.log"
    run(stage.folder, goaccess, log, "--log-format=COMBINED", "--no-global-config", "--no-progress", "-o", report,
        f"--invalid-requests={bad}")
    told_by_it = json.loads(report.read_text())
    counts = {name: told_by_it["general"][name] for name in ("total_requests", "valid_requests", "failed_requests")}
    assert counts == {"total_requests": len(lines), "valid_requests": len(lines), "failed_requests": 0}, \
        bad.exists() and bad.read_text()
    codes = {part["data"][:3]: part["hits"]["count"] for group in told_by_it["status_codes"]["data"]
             for part in group["items"]}
    ours = [re.search(r'" (\d{3}) ', line.replace('\\"', "")).group(1) for line in lines]
    assert codes == {code: ours.count(code) for code in set(ours)}


def test_calamaris_reads_every_line_of_squid(stage):
    calamaris = need("calamaris", "calamaris")
    lines, log = make_traffic(stage, "--log-format", "squid")
    report = run(stage.folder, calamaris, "-a", log)
    assert re.search(rf"^lines parsed: +lines +{len(lines)} *$", report, re.M), report
    assert re.search(r"^invalid lines: +lines +0 *$", report, re.M), report
    kinds = [line.split()[3].split("/")[0] for line in lines]
    for kind in set(kinds):
        assert re.search(rf"^ {kind} +{kinds.count(kind)} ", report, re.M), (kind, report)


VALIDATE = """
const har = JSON.parse(require("fs").readFileSync(0));
require("har-validator").har(har).then(
    () => console.log(har.log.entries.length),
    (error) => { console.log(JSON.stringify(error.errors)); process.exit(1); });
"""


def test_har_validator_finds_no_fault(stage):
    """The schemas that many tools use hold for an archive of every kind of line."""
    node = need("node", "nodejs")
    lines, log = make_traffic(stage)
    code, archive, _ = told(stage, "har", log)
    assert code == 0 and len(json.loads(archive)["log"]["entries"]) == len(lines)
    script, file = stage.folder / "validate.js", stage.folder / "x.har"
    script.write_text(VALIDATE)
    file.write_text(archive)
    try:
        run(stage.folder, node, "-e", 'require("har-validator")')
    except AssertionError:
        pytest.skip("har-validator is not here: install Debian's node-har-validator, or run ./dev test --all")
    assert run(stage.folder, "sh", "-c", f"{node} {script} < {file}") == f"{len(lines)}\n"
