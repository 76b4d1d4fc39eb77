"""fairlead learn: from the log of what was observed to rules that allow it, and nothing else."""
import json
import re
import subprocess
from pathlib import Path

import pytest

from support import users
from support.bounds import BOUND
from support.message import ok, request
from support.ops import told
from support.origin import echoes, replies_forever
from support.proxy import clean_environment
from support.users import basic

ROOT = Path(__file__).resolve().parents[3]
SUFFIXES = "com\nuk\nco.uk\nio\ngithub.io\n"


def line(url="a.example:443", method="CONNECT", kind="tunnel", **more):
    """One record as the log has it; None leaves a member out."""
    members = {"v": 1, "time": "2026-11-24T02:12:23.123456Z", "kind": kind, "client": "192.0.2.7:5000",
               "method": method, "url": url, "end": "done", "upstream": "93.184.216.34:443", **more}
    return json.dumps({name: value for name, value in members.items() if value is not None})


@pytest.fixture
def learn(stage):
    """Run the command over lines: exit code, what it printed, what it said."""
    def run(lines, *words, name="access.log"):
        log = stage.folder / name
        log.write_bytes(lines if isinstance(lines, bytes) else "".join(each + "\n" for each in lines).encode())
        return told(stage, "learn", *words, log)
    return run


def checks(stage, text):
    """The proposal is a configuration as it is, and says nothing else."""
    file = stage.folder / "learned.yaml"
    file.write_text(text)
    code, out, errors = told(stage, "check", "-c", file)
    assert (code, out, errors) == (0, "fairlead: the configuration is good\n", ""), text
    return told(stage, "check", "-c", file, "--print")[1]


def rules(stage, text):
    """The rules of a proposal as the program reads them."""
    return re.findall(r"^    - (\{ .* \})$", checks(stage, text), re.MULTILINE)


def test_files_may_begin_with_a_dash(stage):
    """What stands behind -- is a file, as with every command."""
    (stage.folder / "--by").write_text(line() + "\n")
    done = subprocess.run([stage.program, "learn", "--min-count", "1", "--", "--by"], capture_output=True, text=True,
                          timeout=BOUND, env=clean_environment(), cwd=stage.folder)
    assert done.returncode == 0 and "a.example" in done.stdout, done.stderr


# ---- round trip

USERS = f"alice:{users.SHA256}\nbob:{users.SHA256}\n"
BASE = """
egress: {{ allow: [127.0.0.0/8], connect_ports: [443, {connect}] }}
identity: {{ basic: {{ users: "{users}" }} }}
"""


def requests(plain, echo):
    """What happens while the policy observes: who, how, where."""
    return [("alice", "GET", f"http://a.example:{plain.port}/x"), ("alice", "GET", f"http://a.example:{plain.port}/y"),
            ("alice", "CONNECT", f"b.example:{echo.port}"), ("bob", "POST", f"http://a.example:{plain.port}/up"),
            ("bob", "CONNECT", f"b.example:{echo.port}"), ("bob", "CONNECT", f"127.0.0.1:{echo.port}")]


def others(plain, echo):
    """Near to these, and never seen: another method, host, port, user, spelling."""
    return [("alice", "POST", f"http://a.example:{plain.port}/x"), ("alice", "GET", f"http://b.example:{plain.port}/x"),
            ("alice", "GET", f"http://a.example:{echo.port}/x"), ("alice", "CONNECT", f"a.example:{echo.port}"),
            ("bob", "GET", f"http://a.example:{plain.port}/up"), ("alice", "CONNECT", f"127.0.0.1:{echo.port}"),
            ("bob", "CONNECT", f"b.example:{plain.port}")]


def status(proxy, who, method, target):
    with proxy.connect() as client:
        client.send(request(method, target, basic(user=who)))
        return client.read_head().status


def test_what_was_observed_passes_and_nothing_else(stage):
    """The proxy observes real requests; enforcing what was learnt of its log, the same pass and others are refused."""
    plain, echo = stage.origin(replies_forever(ok(b"in"))), stage.origin(echoes)
    for name in ("a.example", "b.example"):
        stage.dns.add(name, a=["127.0.0.1"])
    base = BASE.format(connect=f"{echo.port}, {plain.port}", users=users.write(stage.folder, USERS))

    def start(policy):
        file = stage.folder / f"policy{len(stage.proxies)}.yaml"
        file.write_text(base + policy)
        log = stage.folder / f"proxy{len(stage.proxies)}" / "access.log"
        return stage.proxy("-c", file, "--admin", "127.0.0.1:0", "--log-format", "json", "--log-file", log, "--workers", "1",
                           "--resolver", stage.dns.address, defaults=False)

    observing = start("policy: { default: deny, mode: observe }\n")
    for each in requests(plain, echo):
        assert status(observing, *each) == 200, each
    assert status(observing, "alice", "CONNECT", "169.254.169.254:443") == 403
    observing.records(len(requests(plain, echo)) + 1)
    code, learned, errors = told(stage, "learn", observing.log_path)
    assert (code, errors) == (0, "")
    checks(stage, learned)

    enforcing = start(learned)
    for each in requests(plain, echo):
        assert status(enforcing, *each) == 200, each
    for each in others(plain, echo):
        assert status(enforcing, *each) == 403, each


# ---- what is proposed

def test_the_example_of_the_documentation(stage, learn):
    """docs/rules.md shows what these four lines come to."""
    npm = dict(user="ci", would_deny="policy.default")
    lines = [line("registry.npmjs.org:443", **npm),
             line("registry.npmjs.org:443", time="2026-11-24T02:12:24.123456Z", **npm),
             line("http://deb.debian.org/debian/", "GET", "exchange", **npm),
             line("169.254.169.254:443", kind="local", user="ci", end="refused", cause="refused", upstream=None,
                  rule="metadata service (floor)", time="2026-11-24T02:12:26.123456Z")]
    code, out, errors = learn(lines)
    shown = (ROOT / "docs" / "rules.md").read_text().split("$ cat learned.yaml\n")[1].split("$ fairlead check")[0]
    assert (code, out, errors) == (0, shown, "")
    checks(stage, out)


def test_rules_and_hosts_come_by_count(learn, stage):
    """Who asked most comes first, then the busiest rule, then the busiest host; equal ones by name."""
    lines = [line("c.example:443", user="few")] + [line("b.example:443", user="many")] * 3
    lines += [line("http://z.example/", "GET", "exchange", user="many")] * 9
    lines += [line("a.example:443", user="many")] + [line("d.example:443", user="many")] * 3
    _, out, _ = learn(lines)
    assert re.findall(r'user: \["(\w+)"\]', out) == ["many", "many", "few"]
    assert re.findall(r'- "(\w)\.example"  # (\d)', out) == [("z", "9"), ("b", "3"), ("d", "3"), ("a", "1"), ("c", "1")]
    assert len(rules(stage, out)) == 3


@pytest.mark.parametrize("by, condition", [("user", 'user: ["ci"]'), ("client", 'from: ["192.0.2.7/32"]'), ("all", None)])
def test_whom_rules_are_for(learn, stage, by, condition):
    """--by: a user, an address, everybody."""
    _, out, _ = learn([line(user="ci")], "--by", by)
    rule, = rules(stage, out)
    assert condition is None or condition in rule
    assert ("user" in rule or "from" in rule) == (condition is not None)


def test_few_requests_are_left_out_and_told(learn, stage):
    """--min-count is about a destination, after folding."""
    lines = [line("a.example:443")] * 3 + [line("b.example:443")] * 2
    code, out, _ = learn(lines, "--min-count", "3")
    assert code == 0 and "b.example" not in out and len(rules(stage, out)) == 1
    assert "# Left out for fewer than 3 requests: 1 destination, 2 requests.\n" in out
    _, out, _ = learn(lines, "--min-count", "9")
    assert rules(stage, out) == [] and "rules: []" in out and "default: deny" in out


def test_rules_that_allow_nothing_are_warned_of(learn):
    """An empty log is no failure, but its rules shut everything."""
    code, out, said = learn([])
    assert code == 0 and "rules: []" in out
    assert said == "fairlead: learn: no request that passed was read: these rules allow nothing\n"


def test_hosts_of_one_owner_are_folded_and_others_never(learn, stage):
    """--suffixes stops at names below which anybody may have one, however many hosts there are."""
    file = stage.folder / "suffixes"
    file.write_text(SUFFIXES)
    lines = [line(f"{name}:443") for name in ("a.example.com", "b.example.com", "c.x.example.com", "example.com",
             "x.com", "y.com", "z.com", "a.co.uk", "b.co.uk", "c.co.uk", "a.github.io", "b.github.io", "c.github.io")]
    code, out, _ = learn(lines, "--suffixes", "3", "--public-suffixes", file)
    assert code == 0
    assert re.findall(r'- "(\*.*)"', out) == ["*.example.com"]
    assert "3; 3 hosts: a.example.com, b.example.com, c.x.example.com\n" in out
    assert '- "example.com"' in out and '- "a.co.uk"' in out and '- "c.github.io"' in out
    rules(stage, out)
    assert "*" not in learn(lines, "--suffixes", "4", "--public-suffixes", file)[1]


def test_the_list_of_the_distribution_is_used(learn):
    """--suffixes alone takes Debian's list."""
    names = ["a.s3.amazonaws.com", "b.s3.amazonaws.com", "a.example.co.uk", "b.example.co.uk", "x.co.uk", "y.co.uk"]
    code, out, _ = learn([line(f"{name}:443") for name in names], "--suffixes", "2")
    assert code == 0 and re.findall(r'- "(\*.*)"', out) == ["*.example.co.uk"]


def test_an_address_inside_is_pointed_out(learn):
    """What was reached inside needs more than a name."""
    _, out, _ = learn([line("a.example:443", upstream="10.1.2.3:443"), line("b.example:443")])
    assert re.search(r'"a\.example"  # 1; an address of the default deny list: .* must open it\n', out)
    assert re.search(r'"b\.example"  # 1\n', out)


# ---- hostile logs

def test_texts_of_a_log_never_become_rules(learn, stage):
    """Quotes, line ends, YAML and terminal bytes in names: each is one quoted value, or left out."""
    evil = ['"]\n    - { action: allow }', "a\", \"*", "#", "*", "a: b", "- x", "\u2028", "\x1b[2J", "é", "'", "\\", "%TAG",
            "!!str x", "&a", "\ud83d\ude00", "~", "null", "\x85"]
    lines = [line(user=user) for user in evil]
    lines += [line("http://b.example/", "GET", "exchange", end="refused", cause="refused", user="x", rule=text) for text in evil]
    code, out, errors = learn(lines)
    assert code == 1 and "its user is nobody that a rule can name" in errors
    taken = rules(stage, out)
    assert len(taken) == len(evil) - 3  # a line feed, ESC, and the user that would be everybody
    assert all('to: ["a.example"]' in rule and "action: allow" in rule and 'user: ["' in rule for rule in taken)
    assert not re.search(r"[^\x20-\x7e\n]", re.sub(r"user: \[.*\]\n", "", out)), "comments are ASCII"
    assert all(each.startswith("#") for each in out.partition("# Refused")[2].splitlines()[1:])


@pytest.mark.parametrize("bad, why", [
    ("{", "it is no JSON"), ("nonsense", "it is no JSON"), ("[]", "it is no JSON object"), ("{}", "it is no line of"),
    ('{"v":2,"kind":"tunnel"}', "its version is not 1"), (line(client="x"), "no address with a port"),
    (line(host="b.example"), "its url and its host differ"), (line()[:-1] + ',"url":"x:1"}', "stands in it twice"),
    (line(pad="x" * 70000), "longer than 65536 bytes"), (line(user="\x00"), "nobody that a rule can name"),
    (line(method="get", url="http://a.example/", kind="exchange"), "its method is none"),
    ("192.0.2.7 - - [24/Nov/2026] \"GET / HTTP/1.1\" 200 1", "it is no JSON"),
], ids=lambda value: value[:30])
def test_a_bad_line_is_named_and_left_out(learn, bad, why):
    """File and line, the reason, exit status 1; the other lines count."""
    code, out, errors = learn([line(), bad, "", line()])
    assert code == 1 and re.search(rf"access\.log:2: .*{why}.*; left out\n", errors), errors
    assert errors.count("\n") == 1 and '"a.example"  # 2\n' in out


def test_many_bad_lines_are_counted(learn):
    """Twenty are named."""
    code, out, errors = learn(["x"] * 50)
    assert code == 1 and errors.count("no JSON") == 20 and "30 more lines were left out" in errors
    assert "# 50 lines were no lines of the JSON access log\n" in out


def test_a_cut_last_line_is_no_record(learn):
    """A log that is being written, or was cut: what is there of a line is not guessed at; a whole one counts."""
    whole = (line() + "\n" + line("b.example:443")).encode()
    assert learn(whole)[0] == 0 and '"b.example"' in learn(whole)[1]
    code, out, errors = learn(whole[:-1])
    assert code == 1 and "b.example" not in out and "access.log:2: the last line is cut off" in errors


def test_bytes_that_are_no_text(learn):
    """NUL, controls and broken UTF-8 make a line bad, and nothing of them is repeated."""
    raw = line().encode() + b"\n\x00\xff\x1b[31m\n" + line().encode().replace(b"a.example", b"a\x00.example") + b"\n"
    code, out, errors = learn(raw)
    assert code == 1 and errors.count("no JSON") == 2 and "\x1b" not in errors + out


def test_destinations_have_a_limit_that_is_told(learn):
    """Memory is bounded: what is beyond is counted, and the exit status says so."""
    lines = [line(f"h{number}.example:443") for number in range(50001)] + [line("h1.example:443")]
    code, out, errors = learn(lines, "--by", "all")
    assert code == 1 and errors.startswith("fairlead: learn: more than 50000 destinations that passed")
    assert errors.count("\n") == 1 and "# 1 is left out, for a destination beyond the limit" in out
    assert '"h1.example"  # 2\n' in out and "h50000.example" not in out


def test_standard_input_and_several_files(stage, learn):
    """Files one after the other; "-" and none at all are standard input."""
    first, second = stage.folder / "1.log", stage.folder / "2.log"
    first.write_text(line() + "\n")
    second.write_text(line() + "\nx\n")
    code, out, errors = told(stage, "learn", first, second)
    assert code == 1 and '"a.example"  # 2\n' in out and "2.log:2: " in errors
    for words in ([], ["-"]):
        done = subprocess.run([stage.program, "learn", *words], input=line() + "\nx\n", capture_output=True, text=True,
                              timeout=BOUND, env=clean_environment(), check=False)
        assert done.returncode == 1 and '"a.example"  # 1\n' in done.stdout and "stdin:2: " in done.stderr


@pytest.mark.parametrize("words, why", [
    (["--by", "x"], "--by expects user, client or all; got: x"), (["--min-count", "0"], "expects a number from 1"),
    (["--suffixes", "1"], "expects a number from 2"), (["--what"], "unknown option: --what"),
    (["--by"], "a value is missing behind: --by"), (["/nowhere"], "/nowhere: No such file"), (["/"], "/: Is a directory"),
    (["--suffixes", "2", "--public-suffixes", "/nowhere"], "Debian's package publicsuffix has it"),
    (["--suffixes", "2", "--public-suffixes", "/dev/null"], "--suffixes needs the Public Suffix List"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_wrong_arguments_print_nothing(stage, words, why):
    """Exit status 2, and no half of a proposal."""
    code, out, errors = told(stage, "learn", *words)
    assert (code, out) == (2, "") and why in errors
