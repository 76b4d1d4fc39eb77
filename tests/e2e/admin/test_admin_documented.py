"""The commands of docs/admin.md do what it says, as they stand there but for port, token file and id."""
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from support import users
from support.admin import TOKEN, open_tunnels
from support.bounds import BOUND
from support.origin import echoes

ROOT = Path(__file__).resolve().parents[3]


def commands(section):
    """The lines with curl of a section, each whole, and without what reads its output."""
    text = (ROOT / "docs" / "admin.md").read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    blocks = "".join(re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    lines = blocks.replace("\\\n", " ").splitlines()
    return [re.sub(r" \| jq .*", "", line) for line in lines if line.startswith("curl ")]


@pytest.fixture
def run(stage):
    token = users.write(stage.folder, TOKEN + "\n", "token")
    path = stage.folder / "admin.yaml"
    path.write_text(f'admin: {{ token_file: "{token}" }}\n')
    path.chmod(0o644)
    proxy = stage.proxy("-c", path)

    def run(command, **replaced):
        for old, new in {"localhost:3129": "localhost:%d" % proxy.admin[1], "/etc/fairlead/admin.token": str(token),
                         **replaced}.items():
            command = command.replace(old, new)
        return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=BOUND, check=True).stdout
    run.proxy = proxy
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


def test_a_request_is_explained(run):
    """As an object, by the process itself."""
    told = json.loads(run(*commands("Explain")))
    assert told["asked"]["user"] == "ci" and not told["passes"]
    assert told["lookup"]["addresses"][0]["address"] == "169.254.169.254"
