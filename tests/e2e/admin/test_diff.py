"""fairlead check --diff: what a new configuration changes, which open tunnels it would refuse, and ending those."""
import hashlib
import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path

import pytest

from support import users
from support.admin import BEARER, CUSTOM, TOKEN, list_tunnels, open_tunnels
from support.bounds import BOUND
from support.message import ok, request
from support.ops import reload, told
from support.origin import echoes, replies
from support.users import basic

ROOT = Path(__file__).resolve().parents[3]
BASE = """
admin: {{ address: "{admin}"{token} }}
workers: 3
egress: {{ allow: [127.0.0.0/8], connect_ports: [any] }}
resolver: {{ servers: ["{dns}"] }}
log: {{ access: {{ format: json, file: "{log}" }} }}
{more}
"""


class Life:
    """A proxy with a configuration file, and new ones to check against it."""

    def __init__(self, stage):
        self.stage = stage
        self.token = users.write(stage.folder, TOKEN + "\n", "token")
        self.log = stage.folder / "access.log"
        self.proxy = None
        if os.geteuid() == 0:
            os.chown(stage.folder, 65534, 65534)

    def write(self, more, admin="127.0.0.1:0", name="old.yaml", token=True):
        text = BASE.format(admin=admin, token=f', token_file: "{self.token}"' if token else "", more=more, log=self.log,
                           dns=self.stage.dns.address)
        return users.write(self.stage.folder, text, name)

    def start(self, more, listen="127.0.0.1:0", **which):
        self.proxy = self.stage.proxy("-c", self.write(more, **which), defaults=False, listen=listen, listeners=1)
        self.proxy.log_path = self.log
        return self.proxy

    @property
    def admin(self):
        where = self.proxy.admin
        return where if isinstance(where, str) else "%s:%d" % where

    def diff(self, more, *words, **which):
        """The command with the new text, against the process that runs."""
        file = self.write(more, admin=self.admin, name="new.yaml", **which)
        return told(self.stage, "check", "-c", file, "--diff", *words)


@pytest.fixture
def life(stage):
    return Life(stage)


def tunnel(stage, proxy, target, *fields, wire=None):
    client = stage.client(wire or proxy.connect())
    client.send(request("CONNECT", target, *fields))
    assert client.read_head().status == 200
    return client


def goes_on(client):
    client.send(b"ping")
    assert client.read(4) == b"ping"


def refused(out):
    """The tunnels that are listed as such: what they ask for, and why."""
    return re.findall(r"^  [0-9a-f]{16}  .*? to (\S+) \(\S+\)\n    refused: (.*)$", out, re.MULTILINE)


# ---- rules

OLD = """policy:
  default: deny
  rules:
    - { name: kept, to: [a.example] }
    - { name: wider, to: [b.example] }
    - { name: gone, action: deny, to: ["*.c.example"] }
    - { to: [d.example] }
"""
NEW = """policy:
  default: allow
  rules:
    - { to: [first.example], ports: [80] }
    - { name: fresh, user: ["al\\"ice"], to: [e.example] }
    - { name: wider, to: [b.example, f.example] }
    - { to: [d.example] }
    - { name: kept, to: [a.example] }
"""
CHANGES = r"""policy
  ~ policy.default
    - deny
    + allow
  + rule rules[0] { action: allow, ports: [80], to: ["first.example"] }
  + rule fresh { action: allow, user: ["al\"ice"], to: ["e.example"] }
  ~ rule wider
    - { action: allow, to: ["b.example"] }
    + { action: allow, to: ["b.example", "f.example"] }
  - rule gone { action: deny, to: ["*.c.example"] }
"""


def test_two_files_are_compared(life, stage):
    """By name and by what rules say; their order and the numbers of those without a name are no change."""
    old, new = life.write(OLD, name="1.yaml"), life.write(NEW, name="2.yaml")
    assert told(stage, "check", "-c", new, "--diff", old) == (0, CHANGES, "")
    assert told(stage, "check", "--diff", old, "-c", old) == (0, "policy\n  no difference (listeners, timeouts and the like are not compared)\n", "")


def test_the_running_process_is_compared(life):
    """What it runs with, not what its file says by now."""
    life.start(OLD)
    code, out, errors = life.diff(NEW)
    assert (code, errors) == (0, "") and out == CHANGES + "open tunnels\n  0 open, 0 would be refused\n"
    assert life.diff(OLD)[1].startswith("policy\n  no difference (listeners, timeouts and the like are not compared)\n")


def test_settings_that_decide_are_compared(life, stage):
    """Clients, identity and egress beside the rules; others, such as timeouts, are not."""
    old = life.write("clients: { allow: [10.0.0.0/8] }\ntimeouts: { dns: 1s }\n", name="1.yaml")
    new = life.write("clients: { allow: [10.0.0.0/16] }\ntimeouts: { dns: 2s }\nidentity: { throttle: { failures: 9 } }\n", name="2.yaml")
    code, out, errors = told(stage, "check", "-c", new, "--diff", old)
    assert (code, errors) == (0, "")
    assert re.findall(r"^  [-+~] (\S+)$", out, re.MULTILINE) == ["clients.allow", "identity.throttle.failures"]


def test_files_that_changed_are_named(life, stage):
    """Lists, users and tokens are compared by what stands in them: the process knows digests, from its last reading."""
    names = users.write(stage.folder, "a.example\n", "names")
    people = users.write(stage.folder, f"alice:{users.SHA256}:dev\n", "people")
    bearers = users.write(stage.folder, f"ci:{hashlib.sha256(b'secret').hexdigest()}\n", "bearers")
    rules = f"""identity: {{ basic: {{ users: "{people}" }}, bearer: {{ tokens: "{bearers}" }} }}
policy: {{ rules: [{{ to_list: ["{names}"] }}, {{ to_list: ["{names}"], ports: [80] }}] }}
"""
    proxy = life.start(rules)
    assert life.diff(rules)[1].startswith("policy\n  no difference (listeners, timeouts and the like are not compared)\n")
    before, after = (sha256_words(text) for text in ("a.example\n", "b.example\nc.example\n"))
    users.write(stage.folder, "b.example\nc.example\n", "names")
    code, out, errors = life.diff(rules)
    assert (code, errors) == (0, "")
    assert out.startswith(f"policy\n  ~ file {names}\n    - {before}\n    + {after}\nopen tunnels\n")
    reload(proxy)
    assert life.diff(rules)[1].startswith("policy\n  no difference (listeners, timeouts and the like are not compared)\n")
    moved = rules.replace(str(people), str(users.write(stage.folder, f"bob:{users.SHA256}\n", "others")))
    assert re.findall(r"^  [-+~] (.+)$", life.diff(moved)[1], re.MULTILINE) == [
        "identity.basic.users", f"file {stage.folder}/others " + sha256_words(f"bob:{users.SHA256}\n"),
        f"file {people} " + sha256_words(f"alice:{users.SHA256}:dev\n")]
    answer = json.loads(proxy.ask_admin("/api/v1/policy", BEARER).body)
    assert [file["name"] for file in answer["files"]] == [str(people), str(bearers), str(names)]
    assert users.SHA256 not in json.dumps(answer)


    shown = (ROOT / "docs" / "rules.md").read_text()
    assert all(sha256_words(text) in shown for text in ("a.example\n", "a.example\nb.example\n"))


def sha256_words(text):
    return f"{len(text)} bytes, sha256 {hashlib.sha256(text.encode()).hexdigest()}"


def test_limits_that_changed_are_named(life, stage):
    """Budgets by party, memory and the bounds of heads; they refuse nothing that is open, so no warning comes of them."""
    proxy = life.start("limits: { tunnels: 9, ranges: [{ name: lab, from: [10.0.0.0/8], tunnels: 5 }] }\n")
    code, out, errors = life.diff("limits: { tunnels: 8, per_client: { bandwidth: 1MB/s }, head_bytes: 32KiB }\n", "--kill-refused")
    assert (code, errors) == (0, "")
    assert re.findall(r"^  [-+~] (.+)$", out, re.MULTILINE) == ["limits.head_bytes", "limits.tunnels", "limits.per_client.bandwidth",
                                                               'limits.ranges(lab): { from: ["10.0.0.0/8"], tunnels: 5 }']
    assert "  ~ limits.tunnels\n    - 9\n    + 8\n" in out
    assert {"name": "limits.tunnels", "text": "9"} in json.loads(proxy.ask_admin("/api/v1/policy", BEARER).body)["limits"]


# ---- tunnels

def test_tunnels_that_would_be_refused_are_listed_and_ended(life, stage):
    """Each with who, where and which rule; --kill-refused ends these, and no other."""
    origin = stage.origin(echoes)
    for name in ("a.example", "b.example"):
        stage.dns.add(name, a=["127.0.0.1"])
    proxy = life.start("policy: { default: allow }\n")
    stays = [tunnel(stage, proxy, f"a.example:{origin.port}") for _ in range(5)]
    goes = [tunnel(stage, proxy, f"b.example:{origin.port}") for _ in range(4)]
    new = "policy:\n  rules:\n    - { name: no b, action: deny, to: [b.example] }\n"
    code, out, errors = life.diff(new)
    assert (code, errors) == (0, "") and "+ rule no b" in out
    assert refused(out) == [(f"b.example:{origin.port}", "rule no b")] * 4
    assert out.endswith("  9 open, 4 would be refused\n")
    for client in stays + goes:
        goes_on(client)

    life.write(new)
    reload(proxy)
    proxy.learn_addresses()
    code, out, errors = life.diff(new, "--kill-refused")
    assert (code, errors) == (0, "") and "no difference" in out and out.count("\n    ended\n") == 4
    assert out.endswith("  9 open, 4 would be refused, 4 ended\n")
    for client in goes:
        client.expect_end("rst")
    for client in stays:
        goes_on(client)
    assert {(record.end, record["host"]) for record in proxy.records(4)} == {("killed", "b.example")}
    assert life.diff(new)[1].endswith("  5 open, 0 would be refused\n")


def test_ending_before_a_reload_is_warned_of(life, stage):
    """The process still lets them in again."""
    origin = stage.origin(echoes)
    proxy = life.start("")
    client, = open_tunnels(stage, proxy, origin, 1)
    code, out, errors = life.diff("policy: { default: deny }\n", "--kill-refused")
    assert code == 0 and "may come back until it reloads" in errors and "1 ended" in out
    client.expect_end("rst")


def test_the_address_that_is_connected_is_judged(life, stage):
    """No name is looked up: the tunnel goes to where it goes."""
    origin = stage.origin(echoes)
    stage.dns.add("a.example", a=["127.0.0.1"])
    proxy = life.start("")
    tunnel(stage, proxy, f"a.example:{origin.port}")
    stage.dns.add("a.example", a=["93.184.216.34"])
    asked = len(stage.dns.questions)
    new = "policy: { rules: [{ name: no loop, action: deny, to_address: [127.0.0.0/8] }] }\n"
    assert refused(life.diff(new)[1]) == [(f"a.example:{origin.port}", "rule no loop")]
    assert len(stage.dns.questions) == asked


def test_a_client_range_counts(life, stage):
    """clients.allow of the new configuration is asked as well."""
    origin = stage.origin(echoes)
    proxy = life.start("")
    open_tunnels(stage, proxy, origin, 1)
    (target, why), = refused(life.diff("clients: { allow: [10.0.0.0/8] }\n")[1])
    assert target == origin.authority and "is in no range of clients" in why


def test_users_and_groups_are_those_of_the_new_files(life, stage):
    """A user that is gone, and one that left the group, would be refused; others pass."""
    origin = stage.origin(echoes)
    names = ("alice", "bob", "carol")
    old = users.write(stage.folder, "".join(f"{name}:{users.SHA256}:dev\n" for name in names), "old.users")
    new = users.write(stage.folder, f"alice:{users.SHA256}:dev\nbob:{users.SHA256}\n", "new.users")
    policy = ("policy: {{ default: deny, rules: [{{ name: dev, group: [dev] }}] }}\n"
              "identity: {{ basic: {{ users: '{}' }} }}\n")
    proxy = life.start(policy.format(old))
    for name in names:
        tunnel(stage, proxy, origin.authority, basic(user=name))
    code, out, _ = life.diff(policy.format(new))
    assert code == 0 and "3 open, 2 would be refused" in out
    assert sorted(re.findall(r"^  \w{16}  (\w+) at .*\n    refused: (.*)", out, re.MULTILINE)) == [
        ("bob", "policy.default: no rule allows it"), ("carol", "identity: its user is not known any more")]


def test_who_asks_becomes_required(life, stage):
    """A tunnel of nobody would be asked for credentials."""
    origin = stage.origin(echoes)
    proxy = life.start("")
    open_tunnels(stage, proxy, origin, 1)
    file = users.write(stage.folder, f"alice:{users.SHA256}\n")
    (_, why), = refused(life.diff(f"identity: {{ basic: {{ users: '{file}' }} }}\n")[1])
    assert why == "identity.required: it did not say who asks"


def test_certificates_are_listed_and_judged(life, stage):
    """Subject and names of the client's certificate decide as they did."""
    certs = stage.certs
    origin = stage.origin(echoes)
    more = (f"listen: [{{ address: '127.0.0.1:0', tls: {{ certificate: '{certs.server}', key: '{certs.server_key}', "
            f"client_ca: '{certs.ca}' }} }}]\n")
    proxy = life.start(more, listen=None)
    tunnel(stage, proxy, origin.authority, wire=proxy.connect(tls=certs.client_context(with_certificate=True)))
    listed, = list_tunnels(proxy)["tunnels"]
    assert listed["client_certificate"] == {"subject": "CN=client", "names": ["dns:client.test"]}
    for names, count in (("[dns:client.test]", 0), ("[CN=client]", 0), ("[dns:other.test]", 1)):
        policy = f"policy: {{ default: deny, rules: [{{ name: x, certificate: {names} }}] }}\n"
        assert f"1 open, {count} would be refused" in life.diff(more + policy)[1]


def test_a_process_is_listed_with_its_groups(life, stage):
    """Behind a Unix socket the user is a number, and its groups are those that were recorded."""
    origin = stage.origin(echoes)
    more = f"listen: ['unix:{stage.folder / 'proxy.sock'}']\nidentity: {{ peer: on }}\n"
    proxy = life.start(more, listen=None)
    tunnel(stage, proxy, origin.authority)
    listed, = list_tunnels(proxy)["tunnels"]
    assert (listed["user"], listed["groups"]) == (f"uid:{os.getuid()}", [f"gid:{os.getgid()}"])
    for group, count in ((os.getgid(), 0), (12345, 1)):
        policy = f"policy: {{ default: deny, rules: [{{ name: x, group: ['gid:{group}'] }}] }}\n"
        assert f"1 open, {count} would be refused" in life.diff(more + policy)[1]


def test_the_listener_is_found_by_its_address(life, stage):
    """A listener that gets another name is still the same door; without an address its recorded name counts."""
    origin = stage.origin(echoes)
    path = stage.folder / "proxy.sock"
    more = f"listen: [{{ address: 'unix:{path}', name: inner }}]\n"
    proxy = life.start(more, listen=None)
    tunnel(stage, proxy, origin.authority)
    listed, = list_tunnels(proxy)["tunnels"]
    assert listed["listener_name"] == "inner" and "client" not in listed
    rule = "policy: { default: deny, rules: [{ name: x, listener: [inner] }] }\n"
    assert "1 open, 0 would be refused" in life.diff(more + rule)[1]
    other = more.replace("}]", "}, { address: '127.0.0.1:0', name: other }]")
    assert len(refused(life.diff(other + rule.replace("[inner]", "[other]"))[1])) == 1


# ---- what is in the way

def test_without_a_token_tunnels_are_listed_still(life, stage):
    """Rules are for who may read the file; the exit status says that half is missing."""
    origin = stage.origin(echoes)
    proxy = life.start("", token=False)
    open_tunnels(stage, proxy, origin, 1)
    code, out, errors = life.diff("policy: { default: deny }\n", token=False)
    assert code == 1 and "rules of the running process cannot be read: this needs a token" in errors
    assert len(refused(out)) == 1
    code, out, errors = life.diff("policy: { default: deny }\n", "--kill-refused", token=False)
    assert (code, out) == (1, "") and "--kill-refused needs admin.token_file" in errors
    assert len(list_tunnels(proxy)["tunnels"]) == 1


@pytest.mark.parametrize("words, code, why", [
    (["--kill-refused"], 2, "--kill-refused goes with --diff"),
    (["--diff", "OLD", "--kill-refused"], 2, "about a running process, not a file"),
    (["--diff", "/nowhere"], 2, "/nowhere: No such file"),
    (["--diff", "--admin", "off"], 1, "names no admin listener that could be asked"),
    (["--diff", "--admin", "/nowhere/admin.sock"], 1, "the admin listener at /nowhere/admin.sock: No such file"),
    (["--diff", "--admin", "127.0.0.1:CLOSED"], 1, "Connection refused"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_what_cannot_be_compared_is_said(life, stage, words, code, why):
    """Nothing to ask, nobody there, no such file."""
    closed = stage.origin(echoes)
    closed.close()
    file = life.write("", name="x.yaml")
    words = [word.replace("OLD", str(file)).replace("CLOSED", str(closed.port)) for word in words]
    got, out, errors = told(stage, "check", "-c", file, *words)
    assert got == code and why in errors, (got, out, errors)
    assert errors.count("the admin listener at") <= 1 and "open tunnels" not in out


PAGE = '{"v":1,"settings":[],"rules":[]}'
NO_TUNNELS = '{"v":1,"tunnels":[],"truncated":false}'
OPEN = ('{"v":1,"kind":"tunnel","in_progress":true,"id":"000000000000000%d","method":"CONNECT","url":"%s","client":'
        '"192.0.2.7:5","upstream":"93.184.216.34:443"}')


def admin_that(*bodies):
    """Something that answers as an admin listener does, one body a connection."""
    return [replies(ok(body if isinstance(body, bytes) else body.encode(), "Connection: close")) for body in bodies]


def test_the_example_of_the_documentation(life, stage):
    """docs/rules.md shows what these come to."""
    rule = {"name": "npm", "text": '{ action: allow, to: ["*.npmjs.org"] }'}
    policy = json.dumps({"v": 1, "settings": [], "rules": [rule]})
    listed = json.dumps({"v": 1, "kind": "tunnel", "id": "0000100000000004", "client": "192.0.2.7:50212", "user": "ci",
                         "method": "CONNECT", "url": "registry.npmjs.org:443", "upstream": "104.16.3.35:443"})
    other = listed.replace("registry.npmjs.org", "deb.debian.org").replace("04", "05")
    fake = stage.origin(admin_that(policy, '{"v":1,"tunnels":[%s,%s],"truncated":false}' % (listed, other)))
    file = stage.folder / "x.yaml"
    file.write_text(f"""
admin: {{ address: "{fake.authority}" }}
policy:
  rules:
    - {{ name: npm, to: ["*.npmjs.org"], from: [10.0.0.0/8] }}
    - {{ name: no npm, to: ["*.npmjs.org"], action: deny }}
""")
    code, out, _ = told(stage, "check", "-c", file, "--diff")
    shown = (ROOT / "docs" / "rules.md").read_text().split("--diff\n")[1].split("```")[0]
    changes = out.splitlines(keepends=True)
    assert code == 0 and "".join(line for line in changes if "policy.default" not in line and "  + egress" not in line
                                 and "  + clients" not in line and "  + identity" not in line
                                 and "  + policy" not in line and "  + limits" not in line) == shown


def test_pages_are_followed(life, stage):
    """More tunnels than one answer holds: each is asked for behind the last one."""
    first = '{"v":1,"tunnels":[%s,%s],"truncated":true,"next":"0000000000000007-0000000000000002"}' % (
        OPEN % (1, "a.example:443"), OPEN % (2, "b.example:443"))
    last = '{"v":1,"tunnels":[%s],"truncated":false}' % (OPEN % (3, "c.example:443"))
    fake = stage.origin(admin_that(PAGE, first, last))
    file = life.write("policy: { default: deny }\n", name="x.yaml", admin=fake.authority)
    code, out, errors = told(stage, "check", "-c", file, "--diff")
    assert code == 0 and [target for target, _ in refused(out)] == ["a.example:443", "b.example:443", "c.example:443"]
    asked = [each.target for each in fake.requests]
    assert asked[1:] == ["/api/v1/tunnels", "/api/v1/tunnels?after=0000000000000007-0000000000000002"]


@pytest.mark.parametrize("pages", [
    ['{"v":1,"tunnels":[%s],"truncated":true}'],
    ['{"v":1,"tunnels":[%s],"truncated":true,"next":"0000000000000007-0000000000000002"}', '{"v":1,"tunnels":[],"truncated":true}'],
], ids=["one page", "two pages"])
def test_a_list_that_is_cut_is_not_taken_for_all(life, stage, pages):
    """`truncated` without `next`: what is listed is judged, and who reads the exit status does not take it for all."""
    first = pages[0] % (OPEN % (1, "a.example:443"))
    fake = stage.origin(admin_that(PAGE, first, *pages[1:]))
    file = life.write("policy: { default: deny }\n", name="x.yaml", admin=fake.authority)
    code, out, errors = told(stage, "check", "-c", file, "--diff")
    assert (code, [target for target, _ in refused(out)]) == (1, ["a.example:443"])
    assert errors.endswith("--diff: these are not all open tunnels: the process did not look at the rest\n")


@pytest.mark.parametrize("body", [
    "", "x", "{}x", '{"tunnels":[1]}', '{"tunnels":[{}]}', '{"tunnels":[{"v":1,"kind":"x"}]}',
    '{"tunnels":[],"next":"0000000000000006-0000000000000002"}', '{"tunnels":[],"next":"/../x HTTP/1.1"}', '{"tunnels":[],"next":"' + "0" * 100 + '"}', '{"tunnels":[],"next":1}',
    b"\xff\x00\x1b[2J", "[]", "7", "{}", '{"v":1,"truncated":false}', '{"tunnels":{}}', '{"tunnels":null}',
], ids=lambda body: repr(body)[:30])
def test_what_is_no_list_is_refused(life, stage, body):
    """Somebody else may listen there: nothing of it is believed, or reaches the terminal."""
    first = '{"tunnels":[],"next":"0000000000000007-0000000000000002"}'
    fake = stage.origin(admin_that(PAGE, first, body))
    file = life.write("", name="x.yaml", admin=fake.authority)
    code, out, errors = told(stage, "check", "-c", file, "--diff")
    assert code == 1 and "the list of open tunnels cannot be read: what came is none" in errors
    assert "\x1b" not in out + errors


def test_empty_pages_come_to_an_end(life, stage):
    """Somebody else could say for ever that there is more; a few in a row may be, and then a tunnel."""
    def page(number, tunnel=""):
        return '{"tunnels":[%s],"next":"%016x-0000000000000002"}' % (tunnel, number)
    pages = [page(number) for number in range(1, 12)]
    fake = stage.origin(admin_that(PAGE, *pages, page(20, OPEN % (1, "a.example:443")), NO_TUNNELS))
    file = life.write("policy: { default: deny }\n", name="x.yaml", admin=fake.authority)
    code, out, _ = told(stage, "check", "-c", file, "--diff")
    assert code == 0 and [target for target, _ in refused(out)] == ["a.example:443"]
    fake = stage.origin(admin_that(PAGE, *[page(number) for number in range(1, 50)], NO_TUNNELS))
    file = life.write("", name="y.yaml", admin=fake.authority)
    code, out, errors = told(stage, "check", "-c", file, "--diff")
    assert code == 1 and "the list of open tunnels cannot be read" in errors and len(fake.requests) < 20


@pytest.mark.parametrize("body", ["", "[]", '{"rules":{}}', '{"settings":7}', '{"rules":[7]}', '{"rules":[{"name":""}]}'])
def test_what_is_no_policy_is_refused(life, stage, body):
    """Else all that the file says would look new."""
    fake = stage.origin(admin_that(body, NO_TUNNELS))
    file = life.write("", name="x.yaml", admin=fake.authority)
    code, out, errors = told(stage, "check", "-c", file, "--diff")
    assert code == 1 and "policy\n" not in out and "the rules of the running process cannot be read" in errors


@pytest.mark.parametrize("name, rules", [
    ("one", '{ name: one, action: deny, to: [a.example] }'),
    ("rules[1]", '{ action: deny, to: [a.example] }, { action: deny, to: [a.example] }'),
], ids=["named", "not named"])
def test_any_number_of_rules_that_look_alike(life, stage, name, rules):
    """Each is matched once, in a time that does not grow with the square of their number."""
    rule = json.dumps({"name": name, "text": '{ action: deny, to: ["a.example"] }'})
    fake = stage.origin(admin_that('{"settings":[],"rules":[%s]}' % ",".join([rule] * 100000), NO_TUNNELS))
    file = life.write(f"policy: {{ rules: [{rules}] }}", name="x.yaml", admin=fake.authority)
    code, out, errors = told(stage, "check", "-c", file, "--diff")
    assert (code, errors) == (0, "") and "+ rule" not in out and "~ rule" not in out
    assert out.count(f"  - rule {name} ") == 100000 - rules.count("deny")


def test_who_always_has_another_byte_gets_no_more_time(life, stage):
    """Ten seconds are for the whole answer, however its bytes come."""
    def drips(conn):
        conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 1_000_000)  # takes longer to read than the next byte takes to come
        with suppress(OSError):
            while True:
                conn.sock.sendall(b"a")
                time.sleep(0.001)
    fake = stage.origin([*admin_that(PAGE), drips])
    file = life.write("", name="x.yaml", admin=fake.authority)
    code, _, errors = told(stage, "check", "-c", file, "--diff", bound=10 + BOUND)
    assert code == 1 and errors.endswith("Connection timed out\n")


def test_texts_of_peers_are_escaped(life, stage):
    """Users and rules of a list are printed without control bytes."""
    evil = OPEN % (1, "a.example:443")
    evil = evil[:-1] + ',"user":"\\u001b[2J\\n  x"}'
    policy = '{"v":1,"settings":[],"rules":[{"name":"\\u001b]0;","text":"\\n+ rule"}]}'
    fake = stage.origin(admin_that(policy, '{"v":1,"tunnels":[%s],"truncated":false}' % evil))
    file = life.write("policy: { default: deny }\n", name="x.yaml", admin=fake.authority)
    code, out, _ = told(stage, "check", "-c", file, "--diff")
    assert code == 0 and "\x1b" not in out and r"\x1b[2J\x0a  x at" in out and "\n+ rule" not in out


# ---- the pages and the endpoint themselves

def test_a_list_goes_on_behind_its_limit(stage):
    """?after= with what "next" said gives each tunnel once, in order, over all workers."""
    origin = stage.origin(echoes)
    proxy = stage.proxy("--workers", "3")
    open_tunnels(stage, proxy, origin, 20)
    whole = [each["id"] for each in list_tunnels(proxy)["tunnels"]]
    seen, query = [], "?limit=7"
    while query:
        page = list_tunnels(proxy, query)
        seen += [each["id"] for each in page["tunnels"]]
        assert page["truncated"] is ("next" in page)
        query = page["truncated"] and "?limit=7&after=" + page["next"]
    assert seen == whole and len(set(seen)) == 20


@pytest.mark.parametrize("after", ["", "1", "0" * 33, "0" * 16 + "-" + "g" * 16, "0" * 17 + "-" + "0" * 16])
def test_a_bad_place_is_400(stage, after):
    """What no answer said is no place in the list."""
    proxy = stage.proxy("--workers", "1")
    got = proxy.ask_admin("/api/v1/tunnels?after=" + after)
    assert got.status == 400 and b"after is what" in got.body


def test_the_policy_needs_the_token(life):
    """Rules are for who may read the configuration: 401 without the token, also on loopback; GET alone."""
    proxy = life.start(OLD)
    assert proxy.ask_admin("/api/v1/policy").status == 401
    assert proxy.ask_admin("/api/v1/policy", BEARER + "x").status == 401
    assert proxy.ask_admin("/api/v1/policy", BEARER, CUSTOM, method="DELETE").status == 405
    got = proxy.ask_admin("/api/v1/policy", BEARER)
    assert got.status == 200 and got.get("Content-Type") == "application/json"
    policy = json.loads(got.body)
    assert policy["v"] == 1 and {"name": "policy.default", "text": "deny"} in policy["settings"]
    assert policy["rules"][2] == {"name": "gone", "text": '{ action: deny, to: ["*.c.example"] }'}
    assert [rule["name"] for rule in policy["rules"]] == ["kept", "wider", "gone", "rules[3]"]


def test_a_long_policy_is_given_whole(life, stage):
    """Ten thousand rules: more than a copied answer holds."""
    rules = "".join(f"    - {{ name: r{n}, to: [h{n}.example] }}\n" for n in range(10000))
    life.start("policy:\n  rules:\n" + rules)
    assert life.diff("policy:\n  rules:\n" + rules)[1].startswith("policy\n  no difference (listeners, timeouts and the like are not compared)\n")
    code, out, _ = life.diff("policy:\n  rules:\n" + rules.replace("h77.example", "x.example"))
    assert code == 0 and out.startswith("policy\n  ~ rule r77\n") and out.count("rule") == 1
