"""Rules: who may go where. What decides, what it opens, and what the client and the log are told of it."""
import re
from pathlib import Path

import pytest

from support.admin import metric
from support.message import ok, request
from support.ops import fails, reload, told
from support.origin import replies

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def ruled(stage):
    """The proxy with a configuration file; loopback is not opened but by rules."""
    def start(text, *flags):
        file = stage.folder / f"rules{len(stage.proxies)}.yaml"
        file.write_text(text)
        proxy = stage.proxy("-c", file, "--admin", "127.0.0.1:0", "--log-format", "json", "--log-file",
                            stage.folder / f"proxy{len(stage.proxies)}" / "access.log", "--workers", "1",
                            "--resolver", stage.dns.address, *flags, defaults=False)
        proxy.file = file
        return proxy
    return start


def ask(proxy, method, target, fields=()):
    with proxy.connect() as client:
        return client.ask(request(method, target, *fields))


def test_a_rule_opens_host_port_and_address_together(ruled, stage):
    """One rule names all three; another host, and another user of the same address, stay shut."""
    origin = stage.origin(replies(ok(b"in")))
    stage.dns.add("lab.example", a=["127.0.0.1"])
    stage.dns.add("other.example", a=["127.0.0.1"])
    proxy = ruled(f"""
policy:
  default: deny
  rules:
    - {{ name: lab, to: [lab.example], to_address: [127.0.0.0/8], ports: [{origin.port}], from: [127.0.0.0/8] }}
    - {{ name: others, to: [other.example] }}
""")
    assert ask(proxy, "GET", f"http://lab.example:{origin.port}/").body == b"in"
    assert proxy.record()["rule"] == "lab"
    got = ask(proxy, "GET", f"http://other.example:{origin.port}/")
    assert got.status == 403 and "default-deny 127.0.0.0/8" in got.reason
    got = ask(proxy, "GET", "http://third.example/")
    assert got.status == 403 and "policy.default: no rule allows it" in got.reason
    assert '[{ action: allow, to: ["third.example"] }]' in got.reason
    assert len(origin.connections) == 1


def test_a_refusal_names_its_rule_everywhere(ruled):
    """Reason phrase, Proxy-Status, body and record carry the rule and what to change."""
    proxy = ruled("policy:\n  rules:\n    - { name: no social, action: deny, to: ['*.social.example'] }\n")
    got = ask(proxy, "CONNECT", "www.social.example:443")
    assert got.status == 403 and got.reason.endswith("(rule no social; to allow it: change policy.rules[0])")
    assert "rule no social" in got.get("Proxy-Status") and "error=http_request_denied" in got.get("Proxy-Status")
    assert b"rule no social" in got.body
    record = proxy.record()
    assert record["rule"] == "rule no social" and record["remedy"] == "change policy.rules[0]"


def test_a_path_cannot_be_disguised(ruled, stage):
    """Spellings that an origin reads as the denied path are denied, and so are those that it may."""
    origin = stage.origin(replies(*[ok(b"in")] * 3))
    proxy = ruled("policy:\n  rules:\n    - { name: no admin, action: deny, path: [/admin] }\n", "--allow", "127.0.0.1")
    for path in ("/admin", "/admin/", "/admin?x", "/%61dmin", "/x/../admin", "/x/%2e%2e/admin", "//admin", "/./admin/x",
                 "/x%2f..%2fadmin", "/x\\..\\admin", "/%2561dmin"):
        assert ask(proxy, "GET", origin.url + path).status in (400, 403), path
    assert origin.connections == []
    for path in ("/", "/administration", "/x?/admin"):
        assert ask(proxy, "GET", origin.url + path).status == 200, path


def test_observing_lets_pass_and_tells(ruled, stage):
    """would_deny stands in the record, the metric counts, and nothing is refused but by the gate itself."""
    origin = stage.origin(replies(*[ok(b"in")] * 2))
    stage.dns.add("a.example", a=["127.0.0.1"])
    stage.dns.add("b.example", a=["127.0.0.1"])
    proxy = ruled("policy: { default: deny, mode: observe, rules: [{ name: b, action: deny, to: [b.example] }] }",
                  "--allow", "127.0.0.1")
    assert ask(proxy, "GET", f"http://b.example:{origin.port}/").status == 200
    assert proxy.record()["would_deny"] == "b"
    assert ask(proxy, "GET", f"http://a.example:{origin.port}/").status == 200
    assert proxy.records(2)[1]["would_deny"] == "policy.default"
    assert ask(proxy, "CONNECT", "a.example:25").status == 403
    assert metric(proxy, "would_deny_total") == 2


def test_a_list_that_is_a_file_of_secrets_tells_none(stage):
    """Named by mistake: the error has file, line and what was expected, and nothing that stands there."""
    secrets = stage.folder / "shadow"
    secrets.write_text("root:$6$salt$w3FgR7hunter2:19000:0:99999:7:::\n")
    file = stage.folder / "mistake.yaml"
    file.write_text(f"policy: {{ rules: [{{ name: oops, action: deny, to_list: [{secrets}] }}] }}\n")
    for how in (["check"], []):
        proxy = stage.run(*how, "-c", file, "--listen", "127.0.0.1:0", "--admin", "off")
        assert proxy.wait_exit() != 0 and f"{secrets}:1: expected a host name" in proxy.stderr, proxy.stderr
        assert "root" not in proxy.stderr and "hunter2" not in proxy.stderr and "$6$" not in proxy.stderr


def test_a_list_is_read_again_at_a_reload_and_refused_whole(ruled, stage):
    """Names come from a file; a bad line keeps the old names and tells file and line."""
    names = stage.folder / "names.list"
    names.write_text("a.example\n")
    proxy = ruled(f"policy:\n  default: deny\n  rules:\n    - {{ name: listed, to_list: {names} }}\n")
    refused = "no rule allows it"
    assert refused in ask(proxy, "GET", "http://b.example/").reason
    assert refused not in ask(proxy, "GET", "http://a.example/").reason
    names.write_text("a.example\nhttp://b.example/\n")
    fails(proxy, re.escape(f"{names}:2: expected a host name or *.name"))
    assert refused not in ask(proxy, "GET", "http://a.example/").reason
    names.write_text("b.example\n")
    reload(proxy)
    assert refused not in ask(proxy, "GET", "http://b.example/").reason
    assert refused in ask(proxy, "GET", "http://a.example/").reason


def test_a_pooled_connection_is_judged_for_each_request(ruled, stage):
    """What another rule opened to another host is not open to this one, though the connection is there."""
    origin = stage.origin(replies(*[ok(b"in")] * 2))
    proxy = ruled(f"""
policy:
  default: deny
  rules:
    - {{ name: get only, method: GET, to: [127.0.0.1], to_address: [127.0.0.1], ports: [{origin.port}] }}
    - {{ name: rest, to: [127.0.0.1] }}
""")
    assert ask(proxy, "GET", origin.url + "/").status == 200
    got = ask(proxy, "HEAD", origin.url + "/")
    assert got.status == 403 and "default-deny" in got.reason
    assert ask(proxy, "GET", origin.url + "/").status == 200
    assert len(origin.connections) == 1


def test_the_example_of_the_documentation_does_what_it_says(ruled, stage):
    """docs/rules.md: its example is good, and decides as the text tells."""
    text = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "rules.md").read_text(), re.S).group(1)
    origin = stage.origin(replies(ok(b"in")))
    stage.dns.add("lab.example", a=["127.0.0.1"])
    proxy = ruled(text)
    assert ask(proxy, "GET", f"http://lab.example:{origin.port}/").body == b"in"
    assert "rule no uploads" in ask(proxy, "POST", "http://registry.npmjs.org/").reason
    assert "no rule allows it" in ask(proxy, "CONNECT", "example.com:443").reason


@pytest.mark.parametrize("line,words", [
    ("{ nane: x }", r"policy.rules\[0\].nane: unknown key; did you mean \"name\"\?"),
    ("{ action: permit }", r"policy.rules\[0\].action: expected allow or deny; got \"permit\""),
    ("{ ports: [0] }", r"policy.rules\[0\].ports: expected a port"),
    ("{ ports: [9-8] }", r"policy.rules\[0\].ports: expected a port"),
    ("{ when: [25:00-26:00] }", r"policy.rules\[0\].when: expected days and hours"),
    ("{ when: mon-foo }", r"policy.rules\[0\].when: expected days and hours"),
    ("{ from: [10.0.0.1/8] }", r"policy.rules\[0\].from: expected an IP address"),
    ("{ scheme: ftp }", r"policy.rules\[0\].scheme: expected http or https"),
    ("{ method: get }", r"policy.rules\[0\].method: expected a method such as GET"),
    ("{ path: a }", r"policy.rules\[0\].path: expected a path that begins with"),
    ("{ path: /a/../b }", r"policy.rules\[0\].path: expected a path that begins with"),
    ("{ method: CONNECT, path: /a }", r"policy.rules\[0\].path: a CONNECT has no path"),
    ("{ mode: observe }", r"policy.rules\[0\].mode: only a rule that denies can observe"),
    ("{ name: 'a\"b' }", r"policy.rules\[0\].name: expected printable ASCII"),
    ("{ listener: nobody }", r"policy.rules\[0\].listener: no listener is called \"nobody\"; those are: "),
    ("{ to_list: /nowhere/a.list }", r"policy.rules\[0\].to_list: /nowhere/a.list: No such file"),
    ("text", r"policy.rules\[0\]\.?: expected a map such as"),
])
def test_a_bad_rule_is_told_with_its_place(stage, line, words):
    """check names file, line, column, key and what was expected."""
    file = stage.folder / "bad.yaml"
    file.write_text(f"policy:\n  rules:\n    - {line}\n")
    proxy = stage.run("check", "-c", file)
    assert proxy.wait_exit() != 0
    assert re.search(words, proxy.stderr), proxy.stderr
    assert "bad.yaml:3:" in proxy.stderr or "listener" in line


def test_what_is_printed_of_rules_loads_again(stage):
    """check --print gives a file that prints the same."""
    text = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "rules.md").read_text(), re.S).group(1)
    file, again = stage.folder / "one.yaml", stage.folder / "two.yaml"
    file.write_text(text.replace("action: allow }", "action: allow, when: ['mon-fri 08:00-18:00', sat] }", 1))
    code, first, _ = told(stage, "check", "-c", file, "--print")
    assert code == 0 and first.count("- { name") == 3
    again.write_text(first)
    assert told(stage, "check", "-c", again, "--print")[:2] == (0, first)


@pytest.mark.parametrize("line,words", [("{ to: [], action: allow }", "an empty list would be no condition at all"),
                                        ("{}", "action: is missing"), ("{ name: x }", "action: is missing")])
def test_a_rule_about_everything_is_no_accident(stage, line, words):
    """A template whose list came out empty opens nothing."""
    file = stage.folder / "bad.yaml"
    file.write_text(f"policy:\n  default: deny\n  rules:\n    - {line}\n")
    code, _, errors = told(stage, "check", "-c", file)
    assert code == 2 and words in errors and "bad.yaml:4:" in errors


def test_what_is_observed_opens_nothing(ruled, stage):
    """A rule that would be refused lends neither its ports nor its addresses."""
    origin = stage.origin([])
    proxy = ruled(f"""
policy:
  mode: observe
  rules:
    - {{ name: lab, action: allow, to: [127.0.0.1], to_address: [127.0.0.0/8], ports: [{origin.port}] }}
    - {{ name: not here, action: deny, to: [127.0.0.1] }}
""")
    got = ask(proxy, "GET", origin.url + "/")
    assert got.status == 403 and "default-deny 127.0.0.0/8" in got.reason and origin.connections == []


TRIALS = {"all": "{ name: no, action: deny, mode: observe }",
          "address": "{ name: no, action: deny, mode: observe, to_address: [127.0.0.0/8] }"}


@pytest.mark.parametrize("place", ["before", "behind"])
@pytest.mark.parametrize("trial", TRIALS)
@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_a_rule_on_trial_changes_nothing_but_the_log(ruled, stage, mode, trial, place):
    """A rule that denies and observes is told of and passed over: others open ports and addresses as if it were not there,
    and explain and check say the same."""
    origin = stage.origin([lambda conn: conn.hold(), replies(ok(b"in"))])
    lab = f"{{ name: open, to: [127.0.0.0/8], to_address: [127.0.0.0/8], ports: [{origin.port}], action: allow }}"
    rules = [TRIALS[trial], lab] if place == "before" else [lab, TRIALS[trial]]
    proxy = ruled(f"policy: {{ default: deny, mode: {mode}, rules: [{', '.join(rules)}] }}\n")
    with proxy.connect() as client:
        client.send(request("CONNECT", origin.authority))
        assert client.read_head().status == 200
        file = stage.folder / "checked.yaml"
        file.write_text(proxy.file.read_text() + 'admin: { address: "%s:%d" }\n' % proxy.admin)
        _, diff, _ = told(stage, "check", "-c", file, "--diff")
        assert "1 open, 0 would be refused" in diff
    assert ask(proxy, "GET", origin.url + "/").body == b"in"
    for record in proxy.records(2):
        assert (record.status, record.rule, record["would_deny"]) == (200, "open", "no")
    assert metric(proxy, "would_deny_total") == 2
    for target in (origin.authority, origin.url + "/"):
        code, words, _ = told(stage, "explain", "-c", proxy.file, target)
        assert code == 0 and words.endswith("\npasses\n") and "passes by rule open; would be denied by no\n" in words
        assert "(RFC 1122), opened by rule open\n" in words


def test_a_rule_on_trial_opens_nothing(ruled, stage):
    """What is refused without it is refused with it: by default, by the floor's ranges, by another rule."""
    origin = stage.origin([])
    for more, rule in (("", "default-deny 127.0.0.0/8"), (", default: deny", "policy.default: no rule allows it")):
        proxy = ruled(f"policy: {{ rules: [{TRIALS['all']}]{more} }}\n")
        got = ask(proxy, "GET", origin.url + "/")
        assert got.status == 403 and rule in got.reason and proxy.record().get("would_deny") is None
    proxy = ruled(f"policy: {{ rules: [{TRIALS['all']}, {{ name: real, action: deny }}] }}\n", "--allow", "127.0.0.0/8")
    got = ask(proxy, "GET", origin.url + "/")
    assert got.status == 403 and "(rule real;" in got.reason and origin.connections == []


def test_of_several_rules_that_of_the_address_counts(ruled, stage):
    """A rule for other addresses than the one that is dialled neither allows nor is told."""
    origin = stage.origin(replies(ok(b"in")))
    stage.dns.add("lab.example", a=["127.0.0.1"])
    proxy = ruled("policy: { rules: [{ name: lab, to: [lab.example], to_address: [10.0.0.0/8], action: allow }] }",
                  "--allow", "127.0.0.1")
    assert ask(proxy, "GET", f"http://lab.example:{origin.port}/").status == 200
    assert proxy.record().get("rule") is None
