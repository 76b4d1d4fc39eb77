"""docs/identity.md: what it shows works as it is shown."""
import re
import subprocess
from pathlib import Path

import pytest

from support import users
from support.message import ok, request
from support.origin import replies_forever
from support.programs import need, run
from support.users import basic

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "identity.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def block(word):
    return next(text for text in BLOCKS if word in text)


@pytest.fixture
def origin(stage):
    return stage.origin(replies_forever(ok(b"hello")))


def test_the_users_file_that_is_shown(stage, origin):
    """It loads; a machine without a password gets in with none."""
    proxy = stage.proxy("--users", users.write(stage.folder, block("alice:$y$")))
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/", basic(user="build-host", password="*"))).status == 407


def test_the_commands_of_a_user(stage, origin, program):
    """hash-password, --users and curl with the password in the proxy's address."""
    make, _, fetch = block("hash-password --user alice").splitlines()
    home = stage.folder
    command = make.partition("#")[0].replace("fairlead", str(program), 1)
    subprocess.run(["sh", "-c", f"printf 'PASSWORD\\n' | {command}"], cwd=home, check=True, timeout=60)
    proxy = stage.proxy("--users", home / "users")
    fetch = fetch.replace("localhost:3128", "%s:%d" % proxy.address).replace("http://example.com/", origin.url + "/")
    assert run(["sh", "-c", fetch.replace("curl", need("curl", "curl") + " -s")], home / "home").stdout == b"hello"


def test_the_commands_of_a_token(stage, origin):
    """A token, its line, and curl that shows it."""
    make, note, fetch = block("openssl rand").splitlines()
    home = stage.folder / "home"
    config = stage.folder / "fairlead.yaml"
    config.write_text(f"identity: {{ bearer: {{ tokens: {home / 'tokens'} }} }}\n")
    token = run(["sh", "-c", f"{make}; {note}; printf %s $token"], home).stdout.decode()
    proxy = stage.proxy("-c", config)
    fetch = fetch.replace("localhost:3128", "%s:%d" % proxy.address).replace("http://example.com/", origin.url + "/")
    assert run(["sh", "-c", fetch.replace("curl", need("curl", "curl") + " -s")], home, token=token).stdout == b"hello"
