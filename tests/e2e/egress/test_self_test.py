"""fairlead self-test: every known way around the gate, tried against a configuration, and nobody is dialled."""
import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from support.admin import in_own_network
from support.bounds import BOUND, wait_until
from support.proxy import clean_environment, is_root

ROOT = Path(__file__).resolve().parents[3]
NOBODY = 65534
# A try that waits until c-ares asks again says nothing about the gate.
pytestmark = pytest.mark.without_faults
TALLY = {"tries", "refused", "opened", "passed", "blocked", "holes"}


def self_test(program, *flags, **more):
    return subprocess.run([program, "self-test", *map(str, flags)], capture_output=True, text=True,
                          env=clean_environment(), timeout=10 * BOUND, **more)


def tried(program, *flags, **more):
    """What --json says of a run without a hole."""
    done = self_test(program, "--json", *flags, **more)
    got = json.loads(done.stdout)
    assert (done.returncode, done.stderr, got["found"]) == (0, "", [])
    return got


def by_class(got):
    return {one["class"]: one for one in got["classes"]}


def test_the_defaults_have_no_hole(program):
    """Thousands of tries, all classes but the one of configured lists, hundreds of controls; the exit status is 0."""
    got = tried(program)
    assert got["sound"] and got["complete"] and got["names_tried"] and got["openings"] == []
    assert got["tries"] > 10000 and got["passed"] > 100 and got["blocked"] == got["holes"] == 0
    empty = {name for name, one in by_class(got).items() if one["refused"] == 0}
    assert empty <= {"configured", "this-machine"}


def test_json_has_the_form_that_is_documented(program):
    """Every class adds up, and the sum is that of the classes."""
    got = tried(program, "--list")
    assert set(got) == {"version", "configuration", "all", "classes", "openings", "found", "names_tried", "complete",
                        "sound", "elapsed_ms"} | TALLY
    for one in got["classes"]:
        assert set(one) == {"class"} | TALLY
        assert one["tries"] == sum(one[name] for name in TALLY - {"tries"})
    for name in TALLY:
        assert got[name] == sum(one[name] for one in got["classes"])
    assert len(got["all"]) == got["tries"]
    assert {frozenset(one) for one in got["all"]} == {frozenset({"class", "outcome", "request", "rule", "status"})}
    assert {one["outcome"] for one in got["all"]} == {"refused", "opened", "passed"}


def test_the_table_fits_a_terminal(program):
    """For people: at most 79 columns, a line for each class, a verdict at the end."""
    done = self_test(program)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and max(map(len, lines)) <= 79
    assert re.fullmatch(r"no hole in \d+ tries, in [\d.]+m?s", lines[-1])
    assert len([line for line in lines if re.search(r"(\s+\d+){6}$", line)]) == 20


def test_every_try_can_be_listed(program):
    """--list: one line a try, with its outcome, status, request and rule; no byte of it harms a terminal."""
    lines = self_test(program, "--list").stdout.splitlines()
    assert "refused 403  CONNECT 127.0.0.0:443  (default-deny 127.0.0.0/8 (loopback, RFC 1122))" in lines
    assert "refused 400  GET http://0177.00.00.00/" in lines
    assert all(line.isascii() and line.isprintable() for line in lines)


def test_an_opening_is_no_hole(program):
    """What the operator opens passes and is named; all else is still refused."""
    got = tried(program, "--allow", "127.0.0.0/8", "--allow", "10.0.0.0/8", "--connect-port", "8443")
    assert {one["by"] for one in got["openings"]} == {"egress.allow 127.0.0.0/8", "egress.allow 10.0.0.0/8",
                                                      "egress.connect_ports 8443"}
    assert 0 < by_class(got)["ranges"]["opened"] < 50
    assert by_class(got)["ipv4-spellings"]["opened"] == 12  # the trailing dot alone is a spelling of the address


def test_openings_of_a_file_and_of_the_floor(program, tmp_path):
    """egress.floor_exceptions opens what it names, egress.plain_ports the port; mixed answers may be skipped."""
    path = tmp_path / "fairlead.yaml"
    path.write_text("egress:\n  floor_exceptions: [169.254.169.254, metadata.goog]\n"
                    "  plain_ports: [22]\n  mixed: skip\n")
    got = tried(program, "-c", path)
    assert {one["by"] for one in got["openings"]} == {
        "egress.floor_exceptions 169.254.169.254", "egress.floor_exceptions metadata.goog", "egress.plain_ports 22"}
    assert got["configuration"] == str(path)


@pytest.mark.parametrize("flags", [
    ["--allow", "*.example.org"], ["--allow", "only.example.org"], ["--deny", "bad.example.org"],
    ["--deny", "0.0.0.0/0", "--deny", "::/0"], ["--allow", "0.0.0.0/0", "--allow", "::/0"],
    ["--listen", "0.0.0.0:3128", "--allow-clients", "10.0.0.0/8", "--allow", "127.0.0.0/8"],
    ["--source", "192.0.2.1"], ["--connect-port", "any"]], ids=" ".join)
def test_other_configurations_have_no_hole(program, flags):
    """Names that are allowed or denied, whole families, wildcard listeners: no try is judged wrongly."""
    assert tried(program, *flags)["sound"]


RULES = {
    "a list of names": """
  default: deny
  rules:
    - { name: mirrors, to: ["deb.debian.org", "*.npmjs.org"], ports: [80, 443, 8443], action: allow }
    - { name: lab, to: ["lab.example"], to_address: [10.30.0.0/16], ports: [22, 80], action: allow }
    - { name: ci, user: [ci], to_address: [192.168.0.0/16], action: allow }
""",
    "a list of what is denied": """
  rules:
    - { name: no ads, to: ["*.ads.example"], action: deny }
    - { name: nobody there, to_address: [198.41.0.0/24], action: deny }
    - { name: wide, to_address: [10.0.0.0/8], action: allow }
""",
    "rules that only observe": """
  mode: observe
  default: deny
  rules:
    - { name: only, user: [ci], to: ["a.example"], action: allow }
""",
    "rules for nobody": """
  default: deny
  rules:
    - { name: only, user: [ci], to: ["a.example"], action: allow }
"""}
OPENED = {"a list of names": {"rule mirrors"}, "a list of what is denied": {"rule wide"}}


@pytest.mark.parametrize("words", RULES)
def test_rules_open_only_what_they_say(program, tmp_path, words):
    """A rule that names an address or a port opens it where it may match; names that pass are found and used."""
    path = tmp_path / "fairlead.yaml"
    path.write_text("policy:" + RULES[words])
    got = tried(program, "-c", path)
    assert {one["by"] for one in got["openings"]} == OPENED.get(words, set())
    assert got["names_tried"] == (words != "rules for nobody")
    assert by_class(got)["configured"]["tries"] > 0


def test_what_is_configured_is_tried(program):
    """Denied names and ranges in their spellings, and neighbours of allowed names."""
    got = tried(program, "--deny", "*.bad.example", "--deny", "192.0.32.0/24", "--allow", "good.example")
    assert by_class(got)["configured"]["refused"] > 30


def test_a_wrong_configuration_is_2(program, tmp_path):
    """As with check: the exit status, and where the mistake is."""
    path = tmp_path / "fairlead.yaml"
    path.write_text("egress:\n  alow: [10.0.0.0/8]\n")
    done = self_test(program, "-c", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{path}:2:3: egress.alow: unknown key" in done.stderr


def test_it_runs_beside_a_serving_process(stage, program):
    """The same configuration is served meanwhile: nothing is bound, and nothing is written."""
    proxy = stage.proxy()
    log = stage.folder / "self-test.log"
    host, port = proxy.address
    got = tried(program, "--listen", f"{host}:{port}", "--log-file", log)
    assert got["sound"] and by_class(got)["this-machine"]["refused"] > 0
    assert not log.exists()


@pytest.mark.skipif(not is_root(), reason="root alone can become somebody else")
def test_it_needs_no_privileges(program):
    """As a user who may do nothing."""
    assert tried(program, user=NOBODY, group=NOBODY, extra_groups=[])["sound"]


def test_it_needs_no_network_and_dials_nobody(program):
    """In a network that is loopback alone. Whoever listens on the very addresses that are open hears nothing."""
    def play():
        servers = []
        for port in (80, 443):
            server = socket.create_server(("127.0.0.1", port))
            server.setblocking(False)
            servers.append(server)
        got = tried(program, "--allow", "127.0.0.0/8")
        assert got["openings"][0]["tries"] > 10
        for server in servers:
            with pytest.raises(BlockingIOError):
                server.accept()
            server.close()
    in_own_network(play)


def test_a_crash_is_a_hole(program):
    """Where the private instance dies, it is said at which request, and the exit status is 1."""
    with subprocess.Popen([program, "self-test", "--list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=clean_environment()) as parent:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        wait_until(lambda: children.read_text().split(), "a child")
        parent.stdout.readline()  # it is at work, and the pipe has no room for all that it will say
        os.kill(int(children.read_text()), signal.SIGKILL)
        parent.stdout.read()
        said = parent.stderr.read()
        assert parent.wait(BOUND) == 1
    assert re.match(r"fairlead: hole: the private instance died \(Killed\)", said)


def plain(text):
    """Without what differs from one machine or run to the next: figures, and blanks between columns."""
    return [re.sub(r"\s+", " ", re.sub(r"[\d.]+m?s?", "#", line)).strip() for line in text.splitlines()]


def test_the_example_of_the_document(program):
    """docs/self-test.md shows what the command prints."""
    page = (ROOT / "docs" / "self-test.md").read_text()
    shown = re.search(r"```console\n\$ fairlead (self-test[^\n]*)\n(.*?)```", page, re.S)
    done = self_test(program, *shown.group(1).split()[1:])
    assert done.returncode == 0
    assert plain(done.stdout) == plain(shown.group(2))
