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
    begin = lines.index("") + 3
    end = lines.index("", begin) if "" in lines[begin:] else len(lines)
    assert all(re.match(r" {30}\S", line) for line in lines[begin:end] if not line.startswith("  -"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "".join(command) or "alone")
def test_help_is_a_word_too(program, command):
    """fairlead help COMMAND is fairlead COMMAND --help; of what is no command it is an error."""
    assert told(program, "help", *command) == told(program, *command, "--help")
    done = subprocess.run([program, "help", "tails"], capture_output=True, text=True, timeout=BOUND, env=clean_environment())
    assert (done.returncode, done.stdout, done.stderr) == (2, "", 'fairlead: unknown command "tails"; fairlead --help lists them\n')


@pytest.mark.parametrize("words, command", [
    ("--filter status>=400 tail", "tail"), ("--json tail", "tail"), ("--since=10m --open har log", "har"),
    ("--config /nonexistent check --print", "check"), ("--print --log-format line check", "check")])
def test_a_command_behind_its_options_is_told_to_go_first(program, words, command):
    """Its options are none of the proxy's: to correct them would lead away."""
    done = subprocess.run([program, *words.split()], capture_output=True, text=True, timeout=BOUND, env=clean_environment())
    said = f"fairlead: {command}: a command goes first, and its options behind it: fairlead {command} ...\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_the_value_of_a_flag_is_no_command(program):
    """A file may be called as a command is."""
    done = subprocess.run([program, "--log-level", "check", "--workers", "x"], capture_output=True, text=True, timeout=BOUND,
                          env=clean_environment())
    assert done.returncode == 2 and "--log-level: expected error" in done.stderr and "goes first" not in done.stderr


@pytest.mark.parametrize("words", ["--print --sandbox", "--sandbox --print", "--print --diff", "--diff --sandbox"])
def test_check_shows_one_thing(program, words):
    """Of two that were asked for, none is dropped silently."""
    done = subprocess.run([program, "check", *words.split()], capture_output=True, text=True, timeout=BOUND,
                          env=clean_environment())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fairlead: check: --print, --sandbox or --diff: only one of them\n"


def flags_of(words):
    return set(re.findall(r"--[a-z][a-z-]+", words))


def page_of(command):
    """Of fairlead(1): flags in its synopsis, and examples."""
    page = (ROOT / "docs" / "fairlead.1").read_text()
    synopsis = page.split(".Sh SYNOPSIS\n")[1].split(".Sh DESCRIPTION")[0]
    parts = [part for part in synopsis.split(".Nm\n") if re.match(rf"\.(Op )?Cm {command}\n", part)]
    return {f"--{flag}" for part in parts for flag in re.findall(r"Fl Fl ([a-z-]+)", part)}, page


@pytest.mark.parametrize("command", [command[0] for command in COMMANDS if command])
def test_a_command_has_help_of_its_own(program, command):
    """Usage, purpose, its flags, exit statuses and an example, as fairlead(1) has them; the flags of the program only where
    they are the command's."""
    text = told(program, command, "--help")
    usage, purpose, flags, end = text.split("\n\n")
    listed = {flag for line in flags.splitlines() if line.startswith("  -") for flag in flags_of(line[:30])}
    begins = " " * len(f"usage: fairlead {command} ")
    assert all(line[7:].startswith(f"fairlead {command} ") or line.startswith(begins) for line in usage.splitlines())
    assert re.fullmatch(r"[A-Z][^\n]*\.", purpose) and "with " + command not in flags and flags_of(usage) <= listed
    assert (len(listed) > 20) == (command == "run")
    in_synopsis, page = page_of(command)
    assert in_synopsis <= listed and listed - {"--help"} <= flags_of(told(program, "--help")) | {"--help"}
    if command in ("learn", "trace", "tail", "tunnels", "requests", "har"):
        others = {"--help", "--config", "--allow"}  # -c, and "[options]"
        assert flags_of(usage) == in_synopsis == listed - others, "the usage has all of its flags"
    words, example = re.fullmatch(r"Exit status: (0 .*;\s+2\s.*)\nExample: (fairlead .*)\n", end, re.S).groups()
    assert f"{command} " in example + " " and flags_of(example) <= listed | flags_of(told(program, "--help"))
    assert f".Dl $ {example}\n" in page, "fairlead(1) has the same example"
    status = page.split(f".It Cm {command}\n")[1].split("\n.It Cm ")[0]
    assert ("exit status" not in status) or "1 " in words


@pytest.mark.parametrize("words", ["--help", "--version", "--reference", "check", "check --print",
                                   "self-test", "self-test --json"])
def test_words_that_cannot_be_written_are_a_failure(program, words):
    """A full disk under standard output: it is said, and the exit status is 1, so that no script takes the rest."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run([program, *words.split()], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=BOUND, env=clean_environment())
    assert (done.returncode, done.stderr) == (1, "fairlead: standard output: No space left on device\n")


@pytest.mark.parametrize("flag", ["--json", "--method", "--user", "--filter", "--token-file"])
def test_a_flag_of_many_commands_names_all(program, flag):
    """The help of the program says of each flag which commands have it, and the help of these says so, too."""
    have = {words[0] for words in COMMANDS if words and re.search(rf"^  {flag} ", told(program, *words, "--help"), re.M)}
    line = re.search(rf"^  {flag} .*?(?=\n  -)", told(program, "--help"), re.M | re.S)[0]
    assert {c[0] for c in COMMANDS if c and re.search(rf"\b{c[0]}\b", re.sub(r"\s+", " ", line))} == have and have


@pytest.mark.parametrize("flag, words", [("--log-level", "error, warning, notice, info, debug"),
                                         ("--log-format", "line, json, combined or squid; auto")])
def test_choices_are_listed(program, flag, words):
    line = re.search(rf"^  {flag} .*?(?=\n  -)", told(program, "--help"), re.M | re.S)[0]
    assert words in re.sub(r"\s+", " ", line)


def test_every_command_is_in_the_usage(program):
    """The list of commands that these plays know is the whole one."""
    usage = told(program, "--help").split("\n\n")[0]
    assert set(re.findall(r"fairlead \[?([a-z-]+)\]?", usage)) == {c[0] for c in COMMANDS if c}


def complete(*words):
    """What bash offers for the last word."""
    script = ('source "$1"; shift; compopt() { :; }; COMP_WORDS=(fairlead "$@"); COMP_CWORD=$#; '
              '_fairlead; printf "%s\\n" "${COMPREPLY[@]}"')
    completion = ROOT / "packaging" / "fairlead.bash"
    done = subprocess.run(["bash", "-c", script, "bash", completion, *words], capture_output=True, text=True, timeout=BOUND)
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


@pytest.mark.parametrize("command", [command[0] for command in COMMANDS if command])
def test_a_command_is_offered_its_own_flags(program, command):
    """Those of its help, and those of the proxy where it has them."""
    def listed(command):
        return flags_of(" ".join(re.findall(r"^  (--.{28})", told(program, command, "--help"), re.M)))
    has_others = "other flags of the proxy" in told(program, command, "--help")
    assert complete(command, "--") == listed(command) | (listed("run") if has_others else set())


def test_values_are_offered_as_the_flag_takes_them(program):
    """Methods of passwords and of requests; keys and phases of filters, which are all taken; what is no command but help."""
    assert complete("hash-password", "--method", "") == {"yescrypt", "bcrypt", "sha512", "sha256"}
    assert {"GET", "CONNECT"} <= complete("trace", "--method", "")
    terms = complete("tail", "--filter", "")
    assert {"slow=", "sni=", "agent=", "dns>", "inside_hello>", "total>"} <= terms
    values = {"client": "10.0.0.1", "upstream": "10.0.0.1", "end": "done", "slow": "origin", "id": "00000000000000ab",
              "status": "200", "worker": "1", "client_conn": "1", "upstream_conn": "1"}
    for term in terms:
        value = "" if term[-1] not in "=~>" else values.get(term[:-1], "1ms" if term[-1] == ">" else "x")
        value = "1" if term in ("up>", "down>", "use>", "retries>") else value
        done = subprocess.run([program, "har", "--filter", term + value, "/dev/null"], capture_output=True, text=True,
                              timeout=BOUND, env=clean_environment())
        assert done.returncode == 0, done.stderr
    commands = {words[0] for words in COMMANDS if words}
    assert complete("help", "") == commands and commands | {"help"} <= complete("")


def test_man_page_and_completion_know_every_flag(program):
    """A flag of --help is explained in fairlead(1) and completed, and no other is."""
    flags = set(re.findall(r"^  (--[a-z-]+)|, (--[a-z-]+)", told(program, "--help"), re.MULTILINE))
    flags = {flag for pair in flags for flag in pair if flag}
    page = (ROOT / "docs" / "fairlead.1").read_text()
    items = re.findall(r"^\.It .*", page, re.MULTILINE)
    explained = {f"--{flag}" for item in items for flag in re.findall(r"Fl Fl ([a-z-]+)", item)}
    completed = set().union(*(complete(*command, "--") for command in COMMANDS))
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


def test_a_name_is_no_path(program):
    """What rules and listeners are called is described as a name."""
    rows = dict(re.match(r"\| `([^`]+)` \| [^|]*\| ([^|]*)\|", line).groups() for line in told(program, "--reference").splitlines()[2:])
    assert all(rows[key].startswith("a name") for key in ("policy.rules[].name", "listen[].name")), rows
