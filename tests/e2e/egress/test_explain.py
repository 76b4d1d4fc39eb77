"""fairlead explain: the chain of rules and addresses that leads to a decision, without asking anybody but the
name server."""
import json
import re
from pathlib import Path

import pytest

from support.ops import told

ROOT = Path(__file__).resolve().parents[3]
RULES = """
policy:
  default: deny
  rules:
    - { name: mirrors, user: [ci], to: ["*.mirror.example"], ports: [80, 8443] }
    - { name: lab, group: [dev], from: [10.0.0.0/8], to_address: [127.0.0.0/8] }
    - { name: night, action: deny, to: [b.mirror.example], when: ["22:00-06:00"] }
    - { name: spiffe, certificate: ["uri:spiffe://x/ci"], listener: [inner] }
listen:
  - { address: "127.0.0.1:0", name: inner }
"""


@pytest.fixture
def explain(stage):
    """Run the command; its exit code and what it printed."""
    file = stage.folder / "rules.yaml"
    file.write_text(RULES)

    def run(*words, config=file):
        code, out, errors = told(stage, "explain", "-c", config, "--resolver", stage.dns.address, *words)
        return code, out.rstrip("\n"), errors
    return run


def test_a_request_that_passes_shows_rule_and_addresses(explain, stage):
    """The rule that decides, those that do not and why, and each address with what it is."""
    stage.dns.add("a.mirror.example", a=["93.184.216.34"], aaaa=["2606:2800:220:1::1"])
    code, words, _ = explain("--user", "ci", "a.mirror.example:8443")
    assert code == 0
    assert re.search(r"rule 0 +mirrors +allow +matches\n", words)
    assert re.search(r"rule 1 +lab +allow +no: from\n", words)
    assert re.search(r"rule 2 +night +deny +no: to\n", words)
    assert "=> passes by rule mirrors\n" in words
    assert re.search(r"93\.184\.216\.34 +public\n +=> passes", words)
    assert re.search(r"2606:2800:220:1::1 +public\n +=> passes", words)
    assert words.endswith("\npasses")


def test_a_request_that_no_rule_allows_is_refused(explain, stage):
    """The default decides, with the rule that would do; nothing is looked up."""
    code, words, _ = explain("http://a.mirror.example/x")
    assert code == 1 and "no: user" in words
    assert "refused: policy.default: no rule allows it" in words
    assert 'to allow it: policy.rules: [{ action: allow, to: ["a.mirror.example"] }]' in words
    assert stage.dns.questions == []


def test_an_address_that_a_rule_opens_is_told(explain):
    """The default deny list has it, and the rule's to_address opens it."""
    code, words, _ = explain("--group", "dev", "--from", "10.1.2.3", "127.0.0.1:443")
    assert code == 0 and "matches, for its to_address" in words
    assert "loopback (RFC 1122), opened by rule lab" in words
    code, words, _ = explain("--group", "dev", "--from", "10.1.2.3", "127.0.0.1:443", "--allow", "127.0.0.0/8")
    assert "opened by egress.allow 127.0.0.0/8" in words
    code, words, _ = explain("--group", "dev", "--from", "10.1.2.3", "10.0.0.1:443")
    assert code == 1 and "=> refused: " in words


def test_a_mixed_answer_is_refused_whole(explain, stage):
    """One good address does not help another: egress.mixed decides, and is named."""
    stage.dns.add("c.mirror.example", a=["93.184.216.34", "10.0.0.1"])
    code, words, _ = explain("--user", "ci", "http://c.mirror.example/")
    assert code == 1
    assert "refused: of 2 addresses 1 are refused, and egress.mixed is refuse" in words
    assert "default-deny 10.0.0.0/8 (private, RFC 1918)" in words


def test_time_listener_and_certificate_can_be_said(explain, stage):
    """--at, --at-listener and --certificate stand for what a live request would bring."""
    stage.dns.add("b.mirror.example", a=["93.184.216.34"])
    day, night = 1735905600, 1735946400  # noon and 23:20 UTC; whatever the zone, twelve hours apart
    codes = {at: explain("--user", "ci", "--at", str(at), "http://b.mirror.example/")[0] for at in (day, night)}
    assert sorted(codes.values()) in ([0, 0], [0, 1])
    code, words, _ = explain("--certificate", "uri:spiffe://x/ci", "--at-listener", "inner", "93.184.216.34:443")
    assert code == 0 and "passes by rule spiffe" in words
    assert explain("--certificate", "uri:spiffe://x/cd", "--at-listener", "inner", "93.184.216.34:443")[0] == 1
    assert explain("--certificate", "uri:spiffe://x/ci", "--at-listener", "outer", "93.184.216.34:443")[0] == 1


def test_a_name_without_addresses_fails(explain):
    """There is nothing to judge, and it is said."""
    code, words, _ = explain("--user", "ci", "http://nowhere.mirror.example/")
    assert code == 1 and words.endswith("no address is known: it would fail")


@pytest.fixture
def explain_json(explain):
    """The same as one object."""
    def run(*words):
        code, out, errors = explain("--json", *words)
        told = json.loads(out)
        assert told["v"] == 1 and code == (0 if told["passes"] else 1), errors
        return told
    return run


def test_both_stages_are_told_as_json(explain_json, stage):
    """All members are there where their stage is; what there is not is null."""
    stage.dns.add("a.mirror.example", a=["93.184.216.34"])
    told = explain_json("--user", "ci", "--from", "10.1.2.3", "a.mirror.example:8443")
    assert told == {
        "v": 1, "asked": {"method": "CONNECT", "target": "a.mirror.example:8443", "user": "ci", "from": "10.1.2.3"},
        "rules": [
            {"index": 0, "name": "mirrors", "action": "allow", "mode": "enforce", "matches": True, "has_to_address": False, "unmet": None},
            {"index": 1, "name": "lab", "action": "allow", "mode": "enforce", "matches": False, "has_to_address": True, "unmet": "group"},
            {"index": 2, "name": "night", "action": "deny", "mode": "enforce", "matches": False, "has_to_address": False, "unmet": "to"},
            {"index": 3, "name": "spiffe", "action": "allow", "mode": "enforce", "matches": False, "has_to_address": False,
             "unmet": told["rules"][3]["unmet"]}],
        "rules_not_listed": 0, "default": "deny", "mode": "enforce",
        "request": {"passes": True, "allowed_by": "mirrors", "would_deny": None},
        "lookup": {"source": "name server", "addresses": [
            {"address": "93.184.216.34", "class": "public", "reference": None, "opened_by": None, "passes": True,
             "allowed_by": "mirrors", "would_deny": None}]},
        "passes": True, "reason": "passes"}


def test_a_refusal_is_told_as_json(explain_json, stage):
    """By the request stage nothing is looked up; by the address stage each address has its reason."""
    told = explain_json("http://a.mirror.example/x")
    assert told["request"] == {"passes": False, "rule": "policy.default: no rule allows it",
                               "remedy": 'policy.rules: [{ action: allow, to: ["a.mirror.example"] }]'}
    assert (told["lookup"], told["passes"], told["reason"]) == (None, False, "refused") and stage.dns.questions == []
    stage.dns.add("c.mirror.example", a=["93.184.216.34", "10.0.0.1"])
    told = explain_json("--user", "ci", "http://c.mirror.example/")
    addresses = {one["address"]: one for one in told["lookup"]["addresses"]}
    assert addresses["93.184.216.34"]["passes"] and told["request"]["passes"] and not told["passes"]
    assert addresses["10.0.0.1"] == {
        "address": "10.0.0.1", "class": "private", "reference": "RFC 1918", "opened_by": None, "passes": False,
        "rule": "default-deny 10.0.0.0/8 (private, RFC 1918)", "remedy": "--allow 10.0.0.1"}
    assert told["reason"] == "refused: of 2 addresses 1 are refused, and egress.mixed is refuse"
    told = explain_json("--user", "ci", "http://nowhere.mirror.example/")
    assert told["lookup"] == {"source": "none found", "addresses": []} and "no address is known" in told["reason"]


def test_what_opens_an_address_is_told_as_json(explain_json):
    """A rule's to_address, egress.allow, an exception to the floor."""
    who = ["--group", "dev", "--from", "10.1.2.3", "127.0.0.1:443"]
    (one,) = explain_json(*who)["lookup"]["addresses"]
    assert (one["class"], one["opened_by"], one["allowed_by"]) == ("loopback", "rule lab", "lab")
    (one,) = explain_json(*who, "--allow", "127.0.0.0/8")["lookup"]["addresses"]
    assert one["opened_by"] == "egress.allow 127.0.0.0/8"


@pytest.mark.parametrize("target", ["0x7f.1:443", "http://user@a/", 'http://a"b/', "http://a/\\\x1b[2J", "http://ä/" + "ö" * 500,
                                    "http://a/" + "ö" * 500])
def test_a_target_that_is_no_target_is_told_as_json(explain_json, target):
    """400 before the rules are asked; what was written comes back as a string, whatever is in it."""
    told = explain_json(target)
    assert set(told) == {"v", "asked", "status", "passes", "reason"}
    assert (told["asked"]["target"], told["status"], told["passes"]) == (target, 400, False)


def test_json_lists_as_many_rules_as_the_text(stage):
    """Beyond twenty those that match, unless all are asked for."""
    file = stage.folder / "many.yaml"
    file.write_text("policy:\n  rules:\n" + "".join(f"    - {{ name: r{i}, action: deny, to: [h{i}] }}\n" for i in range(30)))
    few = json.loads(told(stage, "explain", "-c", file, "--json", "http://h7/")[1])
    assert ([rule["index"] for rule in few["rules"]], few["rules_not_listed"]) == ([7], 29)
    every = json.loads(told(stage, "explain", "-c", file, "--json", "--all", "http://h7/")[1])
    assert (len(every["rules"]), every["rules_not_listed"]) == (30, 0)
    none = json.loads(told(stage, "explain", "-c", file, "--json", "http://127.0.0.1/")[1])
    assert (none["rules"], none["rules_not_listed"], none["passes"]) == ([], 30, False)


@pytest.mark.parametrize("words,sentence", [
    ([], "name a URL or HOST:PORT"),
    (["a:1", "b:2"], "more than one target: b:2"),
    (["--from", "x", "a:1"], "--from expects an IP address; got: x"),
    (["--at", "noon", "a:1"], "--at expects seconds since 1970; got: noon"),
    (["a:1", "--user"], "a value is missing behind: --user"),
    (["--method", "GET", "a:1"], "a method other than CONNECT needs a URL"),
    (["--method", "CONNECT", "http://a/"], "CONNECT goes to HOST:PORT"),
    (["ftp://a/"], "only http and https are forwarded"),
    (["http://a/", "--nonsense"], "unknown option"),
    (["example.com"], "explain: name a URL or HOST:PORT\n"),
    (["--method", "GE T", "http://a/"], "the method holds a byte that is not allowed"),
    (["--nonsense", "http://a/"], "explain: --nonsense: unknown option; --help lists them\n"),
    (["-k", "http://a/"], "explain: -k: unknown option; --help lists them\n"),
    (["--allow", "127.0.0.1", "--allow"], "explain: --allow: needs a value\n"),
    (["--", "a:1", "--allow"], "more than one target: --allow"),
])
def test_a_wrong_question_is_told(explain, words, sentence):
    """Exit status 2 and one sentence."""
    code, _, stderr = explain(*words)
    assert code == 2 and sentence in stderr


def test_a_target_that_would_be_refused_with_400_is_told(explain):
    """Spellings that never reach the rules."""
    for target in ("0x7f.1:443", "http://user@a/", "http://a%20b/", "http://[fe80::1%25lo]/"):
        code, words, _ = explain(target)
        assert code == 1 and words.startswith("refused with 400: "), target


def test_many_rules_are_told_where_they_match(stage):
    """Beyond twenty only those that match are listed, unless all are asked for."""
    file = stage.folder / "many.yaml"
    file.write_text("policy:\n  rules:\n" + "".join(f"    - {{ name: r{i}, action: deny, to: [h{i}] }}\n" for i in range(30)))
    code, out, _ = told(stage, "explain", "-c", file, "http://h7/")
    assert code == 1 and "\n  29 other rules do not match; --all lists them\n" in out
    code, out, _ = told(stage, "explain", "-c", file, "--all", "http://h7/")
    assert code == 1 and out.count("no: to\n") == 29


def test_the_documentation_shows_what_is_printed(stage):
    """docs/rules.md: the example, word for word."""
    page = (ROOT / "docs" / "rules.md").read_text()
    file = stage.folder / "fairlead.yaml"
    file.write_text(re.search(r"```yaml\n(.*?)```", page, re.S).group(1))
    command, wanted = re.search(r"```\n\$ fairlead (explain .*?)\n(.*?)\n```", page, re.S).groups()
    words = command.replace("-c fairlead.yaml", f"-c {file}").split()
    code, out, _ = told(stage, *words)
    assert code == 1 and out.rstrip("\n") == wanted
    shown = json.loads(re.search(r"```json\n(.*?)```", page, re.S).group(1))
    assert json.loads(told(stage, *words, "--json")[1]) == shown
    members = set(re.findall(r"^\| `(\w+)` \|", page.partition("### As JSON")[2].partition("\n## ")[0], re.M))
    stages = [shown, shown["asked"], shown["rules"][0], shown["request"],
              *json.loads(told(stage, "explain", "--json", "10.0.0.1:443")[1])["lookup"]["addresses"],
              *json.loads(told(stage, "explain", "--json", "1.1.1.1:443")[1])["lookup"]["addresses"]]
    assert members >= {name for stage in stages for name in stage} | {"status", "source", "addresses"}
