"""The commands of docs/admin.md do what it says, as they stand there but for port, token file and id."""
import json
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from support import users
from support.admin import TOKEN, open_tunnels
from support.bounds import BOUND, wait_until
from support.events import Events
from support.message import ok, request
from support.origin import echoes
from support.programs import need
from support.terminal import Terminal

ROOT = Path(__file__).resolve().parents[3]


def whole_commands(section):
    """The lines with curl of a section, each whole."""
    text = (ROOT / "docs" / "admin.md").read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    blocks = "".join(re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    lines = blocks.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("curl ")]


def commands(section):
    """The same without what reads their output."""
    return [re.sub(r" \| jq .*", "", line) for line in whole_commands(section)]


@pytest.fixture
def run(stage):
    token = users.write(stage.folder, TOKEN + "\n", "token")
    path = stage.folder / "admin.yaml"
    path.write_text(f'admin: {{ token_file: "{token}" }}\n')
    path.chmod(0o644)
    proxy = stage.proxy("-c", path)

    def here(command, **replaced):
        for old, new in {"localhost:3129": "localhost:%d" % proxy.admin[1], "/etc/fairlead/admin.token": str(token),
                         **replaced}.items():
            command = command.replace(old, new)
        return command

    def run(command, **replaced):
        return subprocess.run(["bash", "-c", here(command, **replaced)], capture_output=True, text=True, timeout=BOUND,
                              check=True).stdout
    run.proxy, run.here = proxy, here
    return run


def test_every_path_is_described(run):
    """What `/` lists is what the table of docs/admin.md and ADMIN LISTENER of fairlead(1) list."""
    listed = re.findall(r"^(/\S*?)(?:ID)?  ", run("curl -s localhost:3129/"), re.MULTILINE)
    assert len(listed) > 10
    table = re.findall(r"^\| `(/\S*?)(?:ID)?` \|", (ROOT / "docs" / "admin.md").read_text(), re.MULTILINE)
    chapter = (ROOT / "docs" / "fairlead.1").read_text().split(".Sh ADMIN LISTENER\n")[1].split("\n.Sh ")[0]
    assert sorted(table) == sorted(re.findall(r"^\.It Pa (/\S*)", chapter, re.MULTILINE)) == sorted(listed)


def test_tunnels_are_listed_and_ended(run, stage):
    """The list, and the end of one of it."""
    listing, ending = [line for line in commands("Tunnels") if "unix-socket" not in line]
    client, = open_tunnels(stage, run.proxy, stage.origin(echoes), 1)
    tunnel = json.loads(run(listing))["tunnels"][0]["id"]
    shown = next(word for word in shlex.split(ending) if "/tunnels/" in word).rsplit("/", 1)[1]
    assert json.loads(run(ending, **{shown: tunnel}))["killed"] == tunnel
    client.expect_end()


def test_transactions_are_followed(run, stage):
    """On a terminal each stands in a line when it has ended, also one without a status, and nothing else does."""
    need("jq", "jq")
    origin = stage.origin(lambda conn: conn.hold() if conn.read_request().target == "/left" else conn.send(ok(b"hi")))
    events, terminal = Events(stage, run.proxy), Terminal()
    command, = whole_commands("Transactions and events")
    reader = subprocess.Popen(["bash", "-c", run.here(command)], stdin=subprocess.DEVNULL, stdout=terminal.its,
                              start_new_session=True)
    try:
        def ask(path):
            return stage.client(run.proxy.connect()).ask(request("GET", origin.url + path)).status

        wait_until(lambda: ask("/a") == 200 and terminal.is_readable(), "the first line", step=0.1)
        for _ in range(2):
            events.until("overview")
            ask("/a")
        leaving = stage.client(run.proxy.connect())
        leaving.send(request("GET", origin.url + "/left"))
        wait_until(lambda: "/left" in run("curl -s localhost:3129/api/v1/requests"), "it to be in flight")
        leaving.reset()
        lines = [terminal.line()]
        while "/left" not in lines[-1]:
            lines.append(terminal.line())
    finally:
        os.killpg(reader.pid, signal.SIGTERM)
        reader.wait()
        terminal.close()
    assert len(lines) >= 4 and lines[-1].startswith(f"\t{origin.url}/left\t")
    assert all(re.fullmatch(rf"200\t{origin.url}/a\t\d+", line) for line in lines[:-1]), lines


def test_a_request_is_explained(run):
    """As an object, by the process itself."""
    told = json.loads(run(*commands("Explain")))
    assert told["asked"]["user"] == "ci" and not told["passes"]
    assert told["lookup"]["addresses"][0]["address"] == "169.254.169.254"
