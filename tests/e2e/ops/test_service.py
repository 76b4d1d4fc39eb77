"""The units for systemd: it understands them, and the program understands what they make of it."""
import configparser
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from support.message import request
from support.ops import Config, answers, reload

PACKAGING = Path(__file__).resolve().parents[3] / "packaging"
CONFIGURATION = "/etc/fairlead/fairlead.yaml"


def read_unit(name):
    parser = configparser.ConfigParser(strict=False, delimiters="=", comment_prefixes="#", interpolation=None)
    parser.optionxform = str
    parser.read(PACKAGING / name)
    return parser


def command_of(key, configuration):
    """The arguments of a command of the service, for another configuration."""
    program, *arguments = shlex.split(read_unit("fairlead.service")["Service"][key])
    assert program == "/usr/bin/fairlead" and CONFIGURATION in arguments
    return [str(configuration) if word == CONFIGURATION else word for word in arguments]


def test_systemd_understands_the_units(stage):
    """systemd-analyze verify has nothing to say of service and socket, together."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (apt install systemd)")
    units = []
    for name in ("fairlead.service", "fairlead.socket"):
        units.append(stage.folder / name)
        units[-1].write_text((PACKAGING / name).read_text().replace("/usr/bin/fairlead", str(stage.program)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True,
                          timeout=60)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "fairlead" in line]
    assert done.returncode == 0 and said == []


def test_the_service_starts_as_its_unit_says(stage):
    """ExecStartPre finds the configuration sound, ExecStart serves with it, and ExecReload's signal reloads it."""
    config = Config(stage).write("127.0.0.1:0")
    check = stage.run(*command_of("ExecStartPre", config.path))
    assert check.wait_exit() == 0, check.stderr
    proxy = stage.proxy(*command_of("ExecStart", config.path), defaults=False, listen=None, listeners=1)
    origin = stage.origin(answers(b"served"))
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"served"
    kill = shlex.split(read_unit("fairlead.service")["Service"]["ExecReload"])
    assert kill == ["/bin/kill", "-HUP", "$MAINPID"]
    reload(proxy, signal.SIGHUP)


def test_a_wrong_configuration_does_not_start_the_service(stage):
    """ExecStartPre fails, so that systemd says why before it stops what runs."""
    config = Config(stage).write("127.0.0.1:0", nonsense=1)
    check = stage.run(*command_of("ExecStartPre", config.path))
    assert check.wait_exit() != 0 and "nonsense" in check.stderr
