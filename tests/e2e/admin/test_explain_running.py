"""fairlead explain --running: the decision of the process that runs, with its own rules, users and name servers."""
import json
import re

import pytest

from support import users
from support.admin import BEARER, TOKEN
from support.bounds import wait_until
from support.ops import reload, told

BASE = """
admin: {{ address: "{admin}", token_file: "{token}" }}
workers: 1
resolver: {{ servers: ["{dns}"] }}
{more}
"""
RULES = """policy:
  default: deny
  rules:
    - { name: mirrors, user: [ci], to: ["*.mirror.example"], ports: [80, 8443] }
    - { name: dev, group: [dev], to_address: [127.0.0.0/8] }
"""


@pytest.fixture
def life(stage):
    """Start a process with these rules; ask it about words."""
    token = users.write(stage.folder, TOKEN + "\n", "token")

    def write(more, admin="127.0.0.1:0", name="old.yaml"):
        return users.write(stage.folder, BASE.format(admin=admin, token=token, dns=stage.dns.address, more=more), name)

    def start(more, **which):
        proxy = stage.proxy("-c", write(more, **which), defaults=False)

        def ask(*words, rules=""):
            file = write(rules, admin="%s:%d" % proxy.admin, name="ask.yaml")
            return told(stage, "explain", "-c", file, "--running", *words)
        proxy.explain = ask
        proxy.rewrite = lambda text: write(text)
        return proxy
    return start


def test_the_process_decides_by_what_it_has(life, stage):
    """Its rules and addresses are told, whatever the file of the command says; a reload changes the answer."""
    stage.dns.add("a.mirror.example", a=["93.184.216.34"])
    proxy = life(RULES)
    code, out, errors = proxy.explain("--user", "ci", "a.mirror.example:8443", rules="policy: { default: deny }\n")
    assert (code, errors) == (0, "")
    assert re.search(r"rule 0 +mirrors +allow +matches\n", out) and re.search(r"93\.184\.216\.34 +public\n +=> passes", out)
    assert out.endswith("\npasses\n")
    code, out, _ = proxy.explain("a.mirror.example:8443")
    assert code == 1 and "no: user" in out and out.endswith("\nrefused\n")
    proxy.rewrite("policy: { default: allow }\n")
    reload(proxy)
    proxy.learn_addresses()
    assert proxy.explain("http://a.mirror.example/")[0] == 0


def test_every_option_arrives(life):
    """User, group, client, listener, certificate, method and time, with all bytes that a query must escape."""
    proxy = life("""policy:
  default: deny
  rules:
    - { name: u, user: ["a b&c=d%é"], to: [a.example], to_address: [127.0.0.0/8] }
    - { name: g, group: [dev, "x+y"], to: [127.0.0.1], to_address: [127.0.0.0/8] }
    - { name: f, from: ["2001:db8::/32"], method: [PURGE], to_address: [127.0.0.0/8] }
    - { name: c, certificate: ["CN=ci,O=x", "uri:spiffe://x/ci"], to_address: [127.0.0.0/8] }
    - { name: w, when: ["22:00-06:00"], to_address: [127.0.0.0/8], ports: [81] }
""")
    local = "http://127.0.0.1/"
    for rule, words in (("u", ["--user", "a b&c=d%é", "http://a.example/"]), ("g", ["--group", "x+y", local]),
                        ("f", ["--from", "2001:db8::7", "--method", "PURGE", local]),
                        ("c", ["--certificate", "CN=ci,O=x", local]), ("c", ["--certificate", "uri:spiffe://x/ci", local])):
        _, out, _ = proxy.explain(*words)
        assert f"=> passes by rule {rule}" in out, out
    day, night = 1735905600, 1735946400  # noon and 23:20 UTC; whatever the zone, twelve hours apart
    codes = [proxy.explain("--at", str(at), "http://127.0.0.1:81/")[0] for at in (day, night)]
    assert sorted(codes) in ([0, 1], [1, 1])
    assert proxy.explain("--all", local)[0] == 1


def test_groups_are_those_of_the_users_file(life, stage):
    """Of a user alone the process knows the groups."""
    file = users.write(stage.folder, f"alice:{users.SHA256}:dev\n")
    proxy = life(RULES + f"identity: {{ basic: {{ users: '{file}' }} }}\n")
    assert "=> passes by rule dev" in proxy.explain("--user", "alice", "127.0.0.1:443")[1]
    assert proxy.explain("--user", "alice", "--group", "ops", "127.0.0.1:443")[0] == 1
    assert proxy.explain("--user", "bob", "127.0.0.1:443")[0] == 1


def test_names_that_do_not_resolve_and_mixed_answers(life, stage):
    """The verdict says why."""
    stage.dns.add("mixed.example", a=["93.184.216.34", "10.0.0.1"])
    proxy = life("policy: { default: allow }\n")
    code, out, _ = proxy.explain("http://none.example/")
    assert code == 1 and out.endswith("refused: no address is known\n")
    code, out, _ = proxy.explain("http://mixed.example/")
    assert code == 1 and out.endswith("refused: of 2 addresses 1 are refused, and egress.mixed is refuse\n")


@pytest.mark.parametrize("words", [
    ["--user", "ci", "mixed.mirror.example:8443"], ["--user", "ci", "http://none.mirror.example/"], ["http://other.example/é\x1b"],
    ["--user", "ci", "a.mirror.example:80"], ["--from", "192.0.2.7", "--all", "http://127.0.0.1/x"], ["http://a..example/"],
], ids=lambda words: words[-1].strip("é\x1b"))
def test_as_json_it_says_what_the_command_would(life, stage, words):
    """With --json the answer is that of `explain --json` from the same file, byte for byte, and so is the exit status."""
    stage.dns.add("a.mirror.example", a=["93.184.216.34"])
    stage.dns.add("mixed.mirror.example", a=["93.184.216.34", "10.0.0.1"])
    proxy = life(RULES)
    alone = told(stage, "explain", "-c", stage.folder / "old.yaml", "--json", *words)
    asked = proxy.explain("--json", *words)
    assert asked == alone
    assert json.loads(asked[1])["passes"] == (asked[0] == 0)


def test_it_needs_the_token_and_one_asks_at_a_time(life, stage):
    """401 without it; 503 while another question waits for a name server, 400 for what is none; who leaves makes room."""
    stage.dns.add("slow.example", drop=True)
    proxy = life("policy: { default: allow }\n")
    assert proxy.ask_admin("/api/v1/explain?target=a.example:443").status == 401
    first = stage.client(proxy.connect_admin())
    lines = ["GET /api/v1/explain?target=slow.example:443 HTTP/1.1", "Host: localhost", BEARER, "", ""]
    first.send("\r\n".join(lines).encode())
    wait_until(lambda: [each for each in stage.dns.questions if "slow.example" in each], "the name to be asked for")
    got = proxy.ask_admin("/api/v1/explain?target=127.0.0.1:443", BEARER)
    assert got.status == 503 and b"one such question at a time" in got.body
    got = proxy.ask_admin("/api/v1/explain?target=", BEARER)
    assert got.status == 400, "what is no question waits for no place"
    first.reset()
    wait_until(lambda: proxy.ask_admin("/api/v1/explain?target=127.0.0.1:443", BEARER).status == 200, "room for another")


def test_who_does_not_read_keeps_nobody_from_asking(life, stage):
    """The place of a question is free once it is answered, read or not. Of answers that are not read four are kept; for one
    more the oldest is cut, once it was there for two seconds."""
    rules = "".join(f"    - {{ name: a rule of many - number {n}, to: [h{n}.example] }}\n" for n in range(9000))
    proxy = life("policy:\n  rules:\n" + rules, admin=str(stage.folder / "proxy0" / "admin.sock"))
    lines = ["GET /api/v1/explain?target=127.0.0.1:443&all=1 HTTP/1.1", "Host: localhost", BEARER, "", ""]

    def ask_and_not_read():
        client = stage.client(proxy.connect_admin())
        client.send("\r\n".join(lines).encode())
        return client, client.read_head()

    def ask():
        return proxy.ask_admin("/api/v1/explain?target=127.0.0.1:443", BEARER)
    oldest, head = ask_and_not_read()
    length = int(head.get("Content-Length"))
    assert length > 500_000  # more than a Unix socket holds
    assert ask().body.endswith(b"\nrefused\n")
    others = [ask_and_not_read()[0] for _ in range(3)]
    wait_until(lambda: ask().status == 200, "a place")
    assert len(oldest.read_to_end()) < length
    assert [len(other.read(length)) for other in others] == [length] * 3


@pytest.mark.parametrize("words, code, why", [
    (["ftp://a.example/"], 2, "only http and https are forwarded"),
    (["--method", "GET", "a.example:443"], 2, "a method other than CONNECT needs a URL"),
    (["http://a..example/"], 2, "empty label"), (["x" * 7000], 2, "the question is too long"),
    (["--method", "GE T", "http://a.example/"], 2, "the method holds a byte that is not allowed"),
    (["--admin", "off", "a.example:443"], 2, "names no admin listener"),
    (["--group=x", "a.example:443"], 2, "unknown"),
    (["--json", "--method", "CONNECT", "http://a.example/"], 2, "CONNECT goes to HOST:PORT, not to a URL"),
], ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "")
def test_what_is_no_question_is_said(life, words, code, why):
    """Wrong targets, and nobody to ask."""
    got, out, errors = life("").explain(*words)
    assert (got, out) == (code, "") and why in errors


@pytest.mark.parametrize("query", ["", "?", "?target=", "?target=%", "?target=%4", "?target=%zz", "?x=1&target=a:1", "?target",
                                   "?target=a.example:443&from=x", "?target=a.example:443&at=0",
                                   "?target=a.example:443" + "&group=a" * 33, "?target=" + "a" * 9000])
def test_a_bad_query_is_400(life, query):
    """And leaves nothing behind: the next question is answered."""
    proxy = life("")
    for _ in range(2):
        assert proxy.ask_admin("/api/v1/explain" + query, BEARER).status in (400, 414)
    got = proxy.ask_admin("/api/v1/explain?target=127.0.0.1:443", BEARER)
    assert got.status == 200 and got.body.endswith(b"\nrefused\n")


@pytest.mark.parametrize("command", [["explain", "--running", "a.example:443"], ["check", "--diff"]], ids=lambda words: words[0])
def test_what_is_wrong_with_the_token_is_said(life, stage, command):
    """In words of the command line: none, or another one."""
    admin = "%s:%d" % life("").admin
    _, _, errors = told(stage, *command, "--admin", admin)
    assert "it needs the admin token: -c FILE whose admin.token_file names it" in errors
    other = users.write(stage.folder, "another" * 5 + "\n", "other")
    config = users.write(stage.folder, f"admin: {{ token_file: {other}, address: '{admin}' }}\n", "other.yaml")
    _, _, errors = told(stage, *command[:1], "-c", config, *command[1:])
    assert "the admin token is wrong" in errors and "Authorization" not in errors
