"""./dev demo: what a newcomer sees first."""
import os
import pty
import re
import select
import subprocess
import sys
import urllib.request
from pathlib import Path

from support.bounds import BOUND, SLOW
from support.proxy import clean_environment

ROOT = Path(__file__).resolve().parents[3]
TOLD = re.compile(r"\d\d:\d\d:\d\d (\d{3}) ([A-Z]+) +\S+ +\S+ \S+ ")
SHOWN = ["200 GET", "200 GET", "200 GET", "200 GET", "200 GET", "200 GET", "200 GET", "200 POST", "200 HEAD",
         "404 GET", "200 CONNECT", "403 CONNECT", "502 GET", "502 GET"]


def test_the_demo_shows_what_it_says(program):
    """Each transaction has its line, refusals their words; all is said in the end, nothing in colours to a pipe."""
    done = subprocess.run([sys.executable, ROOT / "tools" / "demo.py", program], capture_output=True, text=True,
                          timeout=30 * SLOW, env={**clean_environment(), "COLUMNS": "100"})
    assert done.returncode == 0 and done.stderr == "", done
    assert "\x1b" not in done.stdout and "said nothing" not in done.stdout
    parts = [part.split("\n") for part in done.stdout.strip().split("\n\n")]
    told = [" ".join(found.groups()) for found in map(TOLD.match, done.stdout.splitlines()) if found]
    assert told == SHOWN, done.stdout
    assert len(parts) == 13 and parts[-1][0].startswith("That took "), done.stdout
    for title, *lines in parts[:-1]:
        assert title and any(map(TOLD.match, lines)), title
    assert "error=destination_ip_prohibited" in done.stdout and "egress.floor_exceptions" in done.stdout
    for phase in ("dns", "connect", "send", "wait", "load", "reused", "up"):
        assert f" {phase}" in done.stdout, done.stdout


def test_on_a_terminal_it_stays_for_the_dashboard(program):
    """It names the dashboard's address, which answers until Enter."""
    mine, its = pty.openpty()
    with subprocess.Popen([sys.executable, ROOT / "tools" / "demo.py", program], stdin=its, stdout=its, stderr=its,
                          env={**clean_environment(), "COLUMNS": "100", "TERM": "dumb"}) as demo:
        os.close(its)
        told = b""
        while not (found := re.search(rb"The dashboard has them all:\S* (http://127\.0\.0\.1:\d+/)", told)):
            assert select.select([mine], [], [], 30 * SLOW)[0], told
            told += os.read(mine, 65536)
        asked = urllib.request.Request(found[1].decode(), headers={"Accept": "text/html"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=BOUND) as page:
            assert b"<title>Fairlead</title>" in page.read()
        os.write(mine, b"\n")
        while True:
            try:
                if not os.read(mine, 65536):
                    break
            except OSError:  # the terminal is gone with the demo
                break
        assert demo.wait(BOUND) == 0
    os.close(mine)


def test_dev_knows_the_demo():
    """The verb runs that program with the build."""
    text = (ROOT / "dev").read_text()
    assert 'exec "$PYTHON" tools/demo.py build/fairlead' in text and os.access(ROOT / "tools" / "demo.py", os.R_OK)
