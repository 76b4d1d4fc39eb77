"""Each refusal names its rule, the reason and what would change it: in the reason phrase, in Proxy-Status with the
registered error and details, in the body as text, JSON and HTML, in the record, and in the asker's own list."""
import html
import json
import re

import pytest

from support import users
from support.bounds import BOUND
from support.failures import ACCEPT, Told, rows
from support.origin import echoes
from support.message import request
from support.ops import Config
from support.users import basic

DENIALS = "/.well-known/fairlead/denials"
NOTHING = None  # no way opens it
CHALLENGE = "show user and password: http://USER:PASSWORD@PROXY in the address of the proxy"


class Case:
    """How a refusal is provoked, and its cause, rule and remedy as patterns. `listed`: its asker may look it up."""

    def __init__(self, cause, rule, remedy, target, method="GET", listed=True, fields=(), prepare=None, crowd=1,
                 **config):
        self.cause, self.rule, self.remedy, self.target, self.method = cause, rule, remedy, target, method
        self.listed, self.fields, self.prepare, self.config = listed, fields, prepare, config
        self.crowd = crowd  # ask so often at once, each with another password: some are refused


def fails_once(stage, proxy):
    with proxy.connect() as client:
        assert client.ask(request("GET", "http://a.test/", basic(password="wrong"))).status == 407


def has_a_tunnel(stage, proxy):
    client = stage.client(proxy.connect())
    client.send(request("CONNECT", stage.origin(echoes).authority))
    assert client.read_head().status == 200


CROWD = 100
HASHES_BOUND = 6 * BOUND  # some hashes are computed one behind the other


EGRESS = {"allow": ["127.0.0.0/8"], "connect_ports": [443]}
DENY = {"egress": {**EGRESS, "deny": ["bad.test", "*.bad.test", "9.9.9.0/24", "127.0.0.5"]}}
CASES = {
    "a denied name": Case("refused", "deny bad.test", r"take bad\.test out of egress\.deny", "http://bad.test/", **DENY),
    "a name below": Case("refused", r"deny \*\.bad\.test", r"take \*\.bad\.test out of egress\.deny", "a.bad.test:443",
                         "CONNECT", **DENY),
    "a name of the floor": Case("refused", r"floor metadata\.google\.internal \(.+\)",
                                r"egress\.floor_exceptions: \[metadata\.google\.internal\]", "http://metadata.google.internal/"),
    "a rule": Case("refused", "rule no social", r"change policy\.rules\[0\]", "http://social.test/",
                   policy={"rules": [{"name": "no social", "action": "deny", "to": ["social.test"]}]}),
    "no rule": Case("refused", "policy.default: no rule allows it",
                    r'policy\.rules: \[\{ action: allow, to: \["other\.test"\] \}\]', "http://other.test/",
                    policy={"default": "deny", "rules": [{"name": "one", "to": ["one.test"]}]}),
    "no allowed name": Case("refused", "name is not among the allowed ones", "--allow other.test", "other.test:443", "CONNECT",
                            egress={**EGRESS, "allow": ["one.test"]}),
    "no allowed range": Case("refused", "only allowed names are forwarded, and allowed ranges", r"--allow 1\.1\.1\.1",
                             "http://1.1.1.1/", egress={**EGRESS, "allow": ["one.test"]}),
    "a port of a tunnel": Case("refused", "connect-ports: 8443 is not among them", "--connect-port 8443", "a.test:8443", "CONNECT",
                               egress=EGRESS),
    "a bad port of a tunnel": Case("refused", r"bad-port 25 \(.+\)", "--connect-port 25", "a.test:25", "CONNECT", egress=EGRESS),
    "a bad port": Case("refused", r"bad-port 6379 \(.+\)", r"egress\.plain_ports: \[6379\]", "http://a.test:6379/"),
    "an address": Case("refused_address", r"default-deny 10\.0\.0\.0/8 \(private, RFC 1918\)", r"--allow 10\.0\.0\.1",
                       "http://10.0.0.1/"),
    "an address that carries another": Case(
        "refused_address", r"default-deny 10\.0\.0\.0/8 \(private, RFC 1918\)",
        r"--allow 10\.0\.0\.1 --allow 64:ff9b::a00:1", "http://[64:ff9b::a00:1]/"),
    "the floor": Case("refused_address", r"floor 169\.254\.169\.254:80 \(instance metadata\)",
                      r'egress\.floor_exceptions: \["169\.254\.169\.254:80"\] and --allow 169\.254\.169\.254|'
                      r'egress\.floor_exceptions: \["169\.254\.169\.254:80"\]', "http://169.254.169.254/"),
    "the proxy itself": Case("refused_address", r"floor 127\.0\.0\.1:\d+ \(the proxy itself\)", NOTHING, "{proxy}/page"),
    "a denied range": Case("refused_address", r"deny 9\.9\.9\.0/24", r"take 9\.9\.9\.0/24 out of egress\.deny", "9.9.9.9:443",
                           "CONNECT", **DENY),
    "a rule for addresses": Case("refused_address", "rule no lab", r"change policy\.rules\[0\]", "http://127.0.0.9/",
                                 policy={"rules": [{"name": "no lab", "action": "deny", "to_address": ["127.0.0.9"]}]}),
    "no credentials": Case("auth_needed", r"identity\.basic", CHALLENGE, "http://a.test/", listed=False, has_users=True),
    "no token": Case("auth_needed", r"identity\.bearer", "show a token: Proxy-Authorization: Bearer TOKEN", "a.test:443",
                     "CONNECT", listed=False, has_tokens=True),
    "wrong credentials": Case("auth_failed", r"identity\.basic", CHALLENGE, "http://a.test/", listed=False, has_users=True,
                              fields=[basic(password="wrong")]),
    "no way to tell": Case("auth_impossible", r"identity\.required",
                           "connect with a client certificate, or to a Unix socket", "http://a.test/", listed=False,
                           has_socket=True, identity={"peer": "on"}),
    "too many failures": Case("auth_throttled", r"identity\.throttle", r"ask again in \d+ s", "http://a.test/",
                              has_users=True, fields=[basic(password="other")], prepare=fails_once,
                              identity={"throttle": {"failures": 1, "period": "1h"}, "required": False}),
    "one tunnel too many": Case("over_budget", r"limits\.per_client\.tunnels", r"raise limits\.per_client\.tunnels",
                                "a.test:443", "CONNECT", egress={**EGRESS, "connect_ports": ["any"]}, prepare=has_a_tunnel,
                                limits={"per_client": {"tunnels": 1}}),
    "too much at once": Case("auth_busy", r"identity\.busy", "ask again in 1 s", "a.test:443", "CONNECT", has_users=True,
                             crowd=CROWD, identity={"required": False}),
}
# Behind the head: tests/e2e/egress/test_sni.py. Certificates: tests/e2e/identity/test_certificates.py.
ELSEWHERE = {"sni_refused", "auth_expired"}


def start(stage, case):
    config, sections = Config(stage), dict(case.config)
    identity = dict(sections.pop("identity", {}))
    if sections.pop("has_users", False):
        slow = users.SLOW_HASH.replace("$13$", "$11$")  # nobody's password, and some tenths of a second
        text = f"alice:{users.SHA256}\nslow:{slow}\n"
        identity["basic"] = {"users": str(users.write(stage.folder, text))}
    if sections.pop("has_tokens", False):
        identity["bearer"] = {"tokens": str(users.write(stage.folder, f"robot:{'ab' * 32}\n", "tokens"))}
    if identity:
        sections["identity"] = identity
    doors = ["127.0.0.1:0"]
    if sections.pop("has_socket", False):
        doors.append(f"unix:{stage.folder}/proxy.sock")
    proxy = config.write(*doors, **sections).start(listeners=len(doors))
    if case.prepare:
        case.prepare(stage, proxy)
    return proxy


def refused(stage, proxy, case, kind):
    """Ask as the case says; the answer that is a refusal of its kind."""
    clients = [stage.client(proxy.connect()) for _ in range(case.crowd)]
    for number, client in enumerate(clients):
        fields = case.fields if case.crowd == 1 else [basic("slow", f"guess {number}")]
        client.send(request(case.method, case.target.format(proxy=proxy.url), f"Accept: {ACCEPT[kind]}", *fields, host="x"))
    answers = [client.read_response(bound=HASHES_BOUND) for client in clients]
    return next(got for got in answers if got.status == rows()[case.cause].status)


def parameter(field, name):
    """A string parameter of Proxy-Status, unquoted (RFC 8941 §3.3.3)."""
    found = re.search(rf'; {name}="((?:[^"\\]|\\.)*)"', field)
    return found and re.sub(r"\\(.)", r"\1", found[1])


@pytest.mark.parametrize("kind", ACCEPT)
@pytest.mark.parametrize("name", CASES)
def test_a_refusal_names_rule_reason_and_remedy(stage, name, kind):
    """Reason phrase, Proxy-Status, body and record agree, and what cannot be changed says so."""
    case = CASES[name]
    proxy = start(stage, case)
    row = rows()[case.cause]
    got = refused(stage, proxy, case, kind)
    told = Told(got)
    record = proxy.record(lambda r: r.id == told.id)
    rule, remedy = record.rule, record.get("remedy")
    assert record.cause == case.cause, got
    assert re.fullmatch(case.rule, rule), rule
    assert remedy is None if case.remedy is NOTHING else re.fullmatch(case.remedy, remedy), remedy
    behind = f"; to allow it: {remedy}" if remedy else "; nothing allows it"
    reason = record.detail  # what is known beyond the sentence and the rule is in it
    assert reason.startswith(row.sentence) and record.error == row.token
    # the reason phrase
    assert got.reason.endswith(f": {reason} ({rule}{behind})"), got.reason
    # Proxy-Status
    status = got.get("Proxy-Status")
    assert f"; error={row.token};" in status and parameter(status, "rule") == rule
    assert parameter(status, "details") == reason + behind
    # the body
    assert told.kind == kind
    if kind == "json":
        assert (told.json["rule"], told.json["reason"], told.json["remedy"]) == (rule, row.sentence, remedy)
        assert reason == row.sentence + (f": {told.json['detail']}" if "detail" in told.json else "")
    else:
        text = html.unescape(got.body.decode())
        assert all(part in text for part in (rule, row.sentence, remedy or "Nothing allows it."))
    assert ("Nothing allows it" in got.body.decode()) == (kind != "json" and remedy is None)


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_can_be_looked_up_or_is_a_question(stage, name):
    """The asker's list has the same rule, reason and remedy; a challenge is no refusal, and is not in it."""
    case = CASES[name]
    proxy = start(stage, case)
    told = json.loads(refused(stage, proxy, case, "json").body)
    with proxy.connect() as client:
        page = client.ask(request("GET", DENIALS, "Accept: application/json", host="127.0.0.1"))
    if not case.listed:
        assert page.status in (403, 407)  # the same way in as to everything else
        return
    (one,) = [one for one in json.loads(page.body)["denials"] if one["cause"] == case.cause]
    for member in ("status", "cause", "error", "rule", "reason", "remedy"):
        assert one[member] == told[member], member
    assert one["method"] == case.method and one["host"] in case.target.format(proxy=proxy.url)


def test_every_refusal_of_the_table_is_provoked_here():
    """Whatever the table of failures says is denied, or the source counts as a denial."""
    denied = {row.word for row in rows().values() if row.token in ("http_request_denied", "destination_ip_prohibited")}
    assert (denied | {"auth_busy"}) - ELSEWHERE == {case.cause for case in CASES.values()}
    assert ELSEWHERE <= set(rows())


def test_what_is_no_refusal_names_no_rule(stage):
    """A failure of somebody else has neither rule nor remedy in its reason phrase or body."""
    proxy = stage.proxy()
    closed = stage.origin([])
    closed.stop_listening()
    with proxy.connect() as client:
        got = client.ask(request("GET", closed.url + "/", "Accept: application/json"))
    assert (got.status, got.reason) == (502, "Bad Gateway")
    assert not {"rule", "remedy"} & set(json.loads(got.body)) and "allow" not in got.get("Proxy-Status")
