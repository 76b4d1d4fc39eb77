"""What the program says of itself: it fits a terminal, and agrees with the man page and the completion."""
import re
import subprocess
from pathlib import Path

import pytest

from support.bounds import BOUND
from support.proxy import clean_environment

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = [[], ["run"], ["check"], ["explain"], ["learn"], ["trace"], ["tail"], ["tunnels"], ["requests"], ["har"], ["self-test"], ["hash-password"]]


def told(program, *words):
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=BOUND, env=clean_environment())
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "".join(command) or "alone")
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_fits_a_terminal(program, command, flag):
    """No line is wider than 80 columns or ends in blanks, and what is broken goes on below its own column."""
    lines = told(program, *command, flag).splitlines()
    assert lines[0].startswith("usage: fairlead")
    assert [line for line in lines if len(line) > 80 or line != line.rstrip()] == []
    assert all(re.match(r" {30}\S", line) for line in lines[lines.index("") + 3:] if not line.startswith("  -"))


@pytest.mark.parametrize("words", ["--help", "--version", "--reference", "check", "check --print",
                                   "self-test", "self-test --json"])
def test_words_that_cannot_be_written_are_a_failure(program, words):
    """A full disk under standard output: it is said, and the exit status is 1, so that no script takes the rest."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run([program, *words.split()], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=BOUND, env=clean_environment())
    assert (done.returncode, done.stderr) == (1, "fairlead: standard output: No space left on device\n")


def test_every_command_is_in_the_usage(program):
    """The list of commands that these plays know is the whole one."""
    usage = told(program, "--help").split("\n\n")[0]
    assert set(re.findall(r"fairlead \[?([a-z-]+)\]?", usage)) == {c[0] for c in COMMANDS if c}


def test_man_page_and_completion_know_every_flag(program):
    """A flag of --help is explained in fairlead(1) and completed, and no other is."""
    flags = set(re.findall(r"^  (--[a-z-]+)|, (--[a-z-]+)", told(program, "--help"), re.MULTILINE))
    flags = {flag for pair in flags for flag in pair if flag}
    page = (ROOT / "docs" / "fairlead.1").read_text()
    items = re.findall(r"^\.It .*", page, re.MULTILINE)
    explained = {f"--{flag}" for item in items for flag in re.findall(r"Fl Fl ([a-z-]+)", item)}
    completed = set(re.findall(r"--[a-z-]+", (ROOT / "packaging" / "fairlead.bash").read_text()
                               .split("local flags='")[1].split("'")[0]))
    assert explained == flags and completed == flags


def test_the_reference_names_every_key(program):
    """--reference is a Markdown table of all that check --print prints."""
    table = told(program, "--reference").splitlines()
    keys = [re.match(r"\| `([^`]+)` \|", line).group(1) for line in table[2:]]
    printed = told(program, "check", "--print")
    path, wanted = [], []
    for line in printed.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.strip().removeprefix("- ").partition(":")[0]
        path = path[:depth] + [name]
        if line.rstrip()[-1] != ":" and not line.lstrip().startswith("-"):
            wanted.append(".".join(path))
    assert wanted and set(wanted) <= set(keys) and len(keys) == len(set(keys))
