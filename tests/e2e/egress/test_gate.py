"""The one gate before every dial: what is refused, and how the refusal tells what to change."""
import json
import re
import socket

import pytest

from support.message import ok, request
from support.ops import told
from support.origin import replies
from support.proxy import parse_address
from support.shows import shows
from support.wire import connect


@pytest.fixture
def strict(stage):
    """The proxy with its own defaults: nothing is opened."""
    def start(*flags, dns=None):
        return stage.proxy("--admin", "127.0.0.1:0", "--log-format", "json", "--log-file",
                           stage.folder / f"proxy{len(stage.proxies)}" / "access.log", "--workers", "1",
                           "--resolver", stage.dns.address, *flags, defaults=False)
    return start


def settings(stage, **sections):
    file = stage.folder / "gate.yaml"
    file.write_text(json.dumps(sections))
    return file


def ask(proxy, method, target):
    with proxy.connect() as client:
        return client.ask(request(method, target))


def assert_refused(got, *words):
    """403; reason phrase, Proxy-Status and body all carry the words."""
    assert got.status == 403, got
    for word in words:
        assert word in got.reason and word.encode() in got.body, got
        assert word in got.get("Proxy-Status"), got


def test_loopback_is_refused_by_default(strict, stage):
    """The default deny list is on; the refusal prints the flag that opens it, wherever a client may show it."""
    origin = stage.origin([])
    proxy = strict()
    got = ask(proxy, "GET", origin.url + "/")
    assert_refused(got, "127.0.0.0/8")
    assert "to allow it: --allow 127.0.0.1)" in got.reason and b"--allow 127.0.0.1\n" in got.body
    assert "error=destination_ip_prohibited" in got.get("Proxy-Status")
    record = proxy.record()
    assert (record.kind, record.end, record.status) == ("local", "refused", 403)
    assert "127.0.0.0/8" in record.rule and record["remedy"] == "--allow 127.0.0.1" and origin.connections == []


def test_a_refused_connect_says_why_in_its_reason_phrase(strict):
    """Clients do not show the body of a refused CONNECT: the status line must do."""
    got = ask(strict(), "CONNECT", "127.0.0.1:443")
    assert got.status == 403 and "--allow 127.0.0.1)" in got.reason


def test_the_flag_of_the_refusal_opens(strict, stage):
    """What the refusal prints works as it is."""
    origin = stage.origin(replies(ok(b"open")))
    flags = ask(strict(), "GET", origin.url + "/").reason.split("to allow it: ")[1].rstrip(")")
    assert ask(strict(*flags.split()), "GET", origin.url + "/").body == b"open"


@shows("9110-9.3.6-4")
def test_connect_goes_to_443_alone(strict, stage):
    """Other ports need --connect-port, and the refusal says so."""
    origin = stage.origin([])
    got = ask(strict("--allow", "127.0.0.0/8"), "CONNECT", origin.authority)
    assert_refused(got, str(origin.port))
    assert f"--connect-port {origin.port}" in got.reason and origin.connections == []


@shows("9110-9.3.6-4")
def test_a_connect_port_is_opened_alone(strict, stage):
    """--connect-port opens that port and no other."""
    origin, other = stage.origin(lambda conn: conn.hold()), stage.origin([])
    proxy = strict("--allow", "127.0.0.0/8", "--connect-port", origin.port)
    with proxy.connect() as client:
        client.send(request("CONNECT", origin.authority))
        assert client.read_head().status == 200
    assert ask(proxy, "CONNECT", other.authority).status == 403


@shows("9110-9.3.6-4")
@pytest.mark.parametrize("target", ["http://10.1.2.3/", "http://192.168.1.1/", "http://169.254.1.1/",
                                    "http://[fc00::1]/", "http://[fe80::1]/", "http://[::ffff:10.0.0.1]/",
                                    "http://0.0.0.0/", "http://[::]/", "http://224.0.0.1/",
                                    "http://[64:ff9b::a00:1]/", "http://[2002:a00:1::]/",
                                    "http://100.64.0.1/", "http://198.18.0.1/", "http://240.0.0.1/"])
def test_special_ranges_are_refused(strict, target):
    """Private, link-local, mapped, translated and reserved addresses: IANA special-purpose registries."""
    got = ask(strict(), "GET", target)
    assert got.status == 403 and "destination_ip_prohibited" in got.get("Proxy-Status")


@pytest.mark.parametrize("address", ["169.254.169.254", "100.100.100.200", "168.63.129.16",
                                     "[fd00:ec2::254]", "[::ffff:169.254.169.254]"])
def test_the_metadata_floor_stays_shut(strict, address):
    """--allow does not open metadata addresses."""
    proxy = strict("--allow", "0.0.0.0/0", "--allow", "::/0")
    got = ask(proxy, "GET", f"http://{address}/latest/meta-data/")
    assert got.status == 403 and "floor" in got.reason


@pytest.mark.parametrize("name", ["metadata.google.internal", "METADATA.google.internal."])
def test_metadata_names_are_refused_as_names(strict, stage, name):
    """The name alone is enough, whatever it resolves to; it is not even asked for."""
    stage.dns.add("metadata.google.internal", a=["127.0.0.1"])
    got = ask(strict("--allow", "127.0.0.0/8"), "GET", f"http://{name}/")
    assert got.status == 403 and stage.dns.questions == []


def test_a_name_that_resolves_to_the_floor_is_refused(strict, stage):
    """The address that would be dialled decides, not the name."""
    stage.dns.add("innocent.test", a=["169.254.169.254"])
    got = ask(strict("--allow", "0.0.0.0/0"), "GET", "http://innocent.test/")
    assert got.status == 403


def test_a_mixed_answer_fails_closed(strict, stage):
    """One refused address among several refuses all of them."""
    origin = stage.origin([])
    stage.dns.add("mixed.test", a=["127.0.0.1", "10.0.0.1"])
    got = ask(strict("--allow", "127.0.0.0/8"), "GET", f"http://mixed.test:{origin.port}/")
    assert got.status == 403 and origin.connections == []


@pytest.mark.parametrize("method", ["GET", "CONNECT"])
@pytest.mark.parametrize("order", [["10.1.2.3", "127.0.0.1"], ["127.0.0.1", "10.1.2.3"]], ids=["first", "last"])
def test_a_mixed_answer_names_what_is_denied(strict, stage, order, method):
    """Wherever the denied address stands, its rule and remedy are named, and not the rule that lets the name pass."""
    config = settings(stage, policy={"default": "deny", "rules": [{"name": "let in", "to": ["*.test"]}]})
    stage.dns.add("mixed.test", a=order)
    proxy = strict("-c", config, "--allow", "127.0.0.0/8")
    target = "mixed.test:443" if method == "CONNECT" else "http://mixed.test/"
    got = ask(proxy, method, target)
    rule, remedy = "default-deny 10.0.0.0/8 (private, RFC 1918)", "--allow 10.1.2.3"
    assert_refused(got, rule)
    assert f"to allow it: {remedy})" in got.reason and f"To allow it: {remedy}\n".encode() in got.body
    assert f'rule="{rule}"' in got.get("Proxy-Status") and f"to allow it: {remedy}" in got.get("Proxy-Status")
    record = proxy.record()
    assert (record.cause, record.rule, record["remedy"]) == ("refused_address", rule, remedy)
    assert record.get("would_deny") is None
    with proxy.connect() as client:
        listed = client.ask(request("GET", "/.well-known/fairlead/denials", "Accept: application/json",
                                    host="localhost:%d" % proxy.address[1]))
    denial = json.loads(listed.body)["denials"][0]
    assert (denial["rule"], denial["remedy"]) == (rule, remedy)
    flags = ["-c", config, "--allow", "127.0.0.0/8", "--resolver", stage.dns.address, target]
    code, words, _ = told(stage, "explain", *flags)
    assert code == 1 and f"refused: {rule}\n  to allow it: {remedy}\n" in words
    code, words, _ = told(stage, "trace", *flags)
    assert code == 1 and f"refused: {rule}\nto allow it: {remedy}\n" in words


def remedy_of(strict, name, *flags):
    return ask(strict("--allow", "127.0.0.0/8", *flags), "GET", f"http://{name}/").reason.partition("to allow it: ")[2]


@pytest.mark.parametrize("a, aaaa, remedy", [
    (["10.1.2.3", "10.1.2.4"], [], "--allow 10.1.2.3 --allow 10.1.2.4"),
    (["10.1.2.34", "127.0.0.1", "10.1.2.3"], [], "--allow 10.1.2.34 --allow 10.1.2.3"),
    (["127.0.0.1"], ["fc00::1"], "--allow fc00::1"),
    (["169.254.169.254", "10.1.2.3"], [], 'egress.floor_exceptions: ["169.254.169.254:80"] and --allow 10.1.2.3')])
def test_of_several_denied_addresses_all_are_opened(strict, stage, a, aaaa, remedy):
    """The remedy is what opens all of them, as egress.mixed wants it."""
    stage.dns.add("several.test", a=a, aaaa=aaaa)
    assert remedy_of(strict, "several.test") == remedy + ")"


def test_both_answers_tell_what_must_be_opened(strict, stage):
    """A and AAAA both hold a denied address: whichever comes first, the other is waited for a moment."""
    held = {}

    def script(ask):
        """The first question is answered with the second."""
        held[ask.kind] = ask
        if len(held) == 2:
            held["A"].send(held["A"].answer(["10.1.2.3"]))
            held["AAAA"].send(held["AAAA"].answer(["fc00::1"]))
    stage.dns.add("several.test", script=script)
    assert set(remedy_of(strict, "several.test")[:-1].split()) == {"--allow", "10.1.2.3", "fc00::1"}


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_what_nothing_opens_counts_for_all(strict, stage, first):
    """One address of several is the proxy itself: no remedy of another is worth anything."""
    proxy = strict("--allow", "127.0.0.0/8", "--connect-port", "any")
    stage.dns.add("self.test", a=["127.0.0.1", "10.1.2.3"] if first else ["10.1.2.3", "127.0.0.1"])
    got = ask(proxy, "CONNECT", "self.test:%d" % proxy.address[1])
    assert_refused(got, "the proxy itself")
    assert got.reason.endswith("nothing allows it)") and proxy.record().get("remedy") is None


def test_one_of_many_rules_is_named_once(strict, stage):
    """A rule that denies each of the addresses has one remedy."""
    config = settings(stage, policy={"rules": [{"name": "not there", "action": "deny",
                                                        "to_address": ["127.0.0.0/8"]}]})
    stage.dns.add("several.test", a=["127.0.0.1", "127.0.0.2"])
    assert remedy_of(strict, "several.test", "-c", config) == "change policy.rules[0])"


def test_where_some_may_be_skipped_one_is_enough(strict, stage):
    """egress.mixed: skip, and all are denied: to open one would do, so that is the least."""
    config = settings(stage, egress={"mixed": "skip"})
    stage.dns.add("several.test", a=["10.1.2.3", "10.1.2.4"])
    assert remedy_of(strict, "several.test", "-c", config) == "--allow 10.1.2.3)"


def test_a_remedy_that_has_no_room_is_not_begun(strict, stage):
    """More denied addresses than a reason phrase holds: no step is cut."""
    addresses = [f"10.1.2.{i}" for i in range(1, 30)]
    stage.dns.add("several.test", a=addresses)
    said = remedy_of(strict, "several.test").rstrip(")")
    steps = [f"--allow {address}" for address in addresses]
    assert said == " ".join(steps[:len(said.split()) // 2]) and len(said) > 100


def test_a_denied_name_is_refused(strict, stage):
    """--deny NAME matches that name, in any case and with a final dot, and no other."""
    stage.dns.add("bad.test", a=["127.0.0.1"])
    stage.dns.add("notbad.test", a=["127.0.0.1"])
    origin = stage.origin(replies(ok(b"fine")))
    proxy = strict("--allow", "127.0.0.0/8", "--deny", "bad.test")
    for name in ("bad.test", "BAD.test", "bad.test."):
        assert_refused(ask(proxy, "GET", f"http://{name}:{origin.port}/"), "bad.test")
    assert ask(proxy, "GET", f"http://notbad.test:{origin.port}/").body == b"fine"


def test_names_below_are_denied_with_an_asterisk(strict, stage):
    """*.name is for what stands below it: on label boundaries."""
    for name in ("a.bad.test", "xbad.test"):
        stage.dns.add(name, a=["127.0.0.1"])
    origin = stage.origin(replies(ok(b"fine")))
    proxy = strict("--allow", "127.0.0.0/8", "--deny", "*.bad.test")
    assert ask(proxy, "GET", f"http://a.bad.test:{origin.port}/").status == 403
    assert ask(proxy, "GET", f"http://xbad.test:{origin.port}/").status == 200


def test_a_denied_range_wins_over_an_allowed_one(strict, stage):
    """Deny wins: --deny inside of --allow."""
    origin = stage.origin(replies(ok(b"fine")))
    proxy = strict("--allow", "127.0.0.0/8", "--deny", "127.0.0.2/32")
    assert ask(proxy, "GET", f"http://127.0.0.2:{origin.port}/").status == 403
    assert ask(proxy, "GET", origin.url + "/").status == 200


def test_an_allowed_name_does_not_open_its_address(strict, stage):
    """A name never opens an address, only a range does."""
    origin = stage.origin([])
    stage.dns.add("inner.test", a=["127.0.0.1"])
    got = ask(strict("--allow", "inner.test"), "GET", f"http://inner.test:{origin.port}/")
    assert got.status == 403 and origin.connections == []


def test_with_allowed_names_no_other_is_forwarded(strict, stage):
    """--allow NAME makes an allow-list, and the refusal prints how to extend it."""
    proxy = strict("--allow", "127.0.0.0/8", "--allow", "good.test")
    got = ask(proxy, "GET", "http://other.test/")
    assert got.status == 403 and "--allow other.test" in got.reason


@pytest.mark.parametrize("port", [22, 25, 53, 6379, 11211])
def test_bad_ports_are_refused(strict, port):
    """Ports of other protocols cannot be reached with plain HTTP: the Fetch standard's list and more."""
    got = ask(strict("--allow", "127.0.0.0/8"), "GET", f"http://127.0.0.1:{port}/")
    assert got.status == 403 and str(port) in got.reason


@shows("9110-7.6-2")
def test_the_proxy_never_dials_itself(strict, stage):
    """Own listeners are below the floor, under every spelling of their address."""
    proxy = strict("--allow", "127.0.0.0/8", "--connect-port", "any")
    stage.dns.add("self.test", a=["127.0.0.1"])
    port = proxy.address[1]
    for host in ("127.0.0.1", "self.test", "[::ffff:127.0.0.1]"):
        got = ask(proxy, "CONNECT", f"{host}:{port}")
        assert got.status == 403, (host, got)
    assert ask(proxy, "CONNECT", "127.0.0.1:%d" % proxy.admin[1]).status == 403


def test_addresses_of_this_machine_are_below_the_floor(strict):
    """Every address of an interface other than loopback is shut."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.99", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        address = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    got = ask(strict("--allow", "0.0.0.0/0"), "GET", f"http://{address}/")
    assert got.status == 403 and "floor" in got.reason


def test_a_client_out_of_range_is_not_served(stage):
    """--allow-clients: others are turned away."""
    proxy = stage.proxy("--allow-clients", "127.0.0.2/32")
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect(source="127.0.0.2") as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    with proxy.connect(source="127.0.0.3") as client:
        try:
            client.send(request("GET", origin.url + "/"))
        except OSError:
            pass
        answer = client.read_to_end()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 403")


def refused_at(listener, client):
    return f"notice: (\\(.*\\) )?client {client} was refused at listener {listener}: it is in no range of clients.allow; " \
           f"to let it in: --allow-clients {client}$"


def test_the_operator_is_told_of_a_client_that_is_refused(stage):
    """The client hears nothing, so stderr names it, the listener and what lets it in; a crowd of them makes no flood, and
    each listener has its own line, also for who stands behind a PROXY header."""
    front = {"address": "127.0.0.1:0", "name": "front", "proxy_protocol": {"from": ["127.0.0.1"]}}
    file = settings(stage, listen=[{"address": "127.0.0.1:0", "name": "office"}, {"address": "127.0.0.1:0", "name": "lab"},
                                   front])
    proxy = stage.proxy("-c", file, "--allow-clients", "127.0.0.2", listen=None, listeners=3)
    office, lab, front = map(parse_address, proxy.urls)
    for _ in range(20):
        with connect(office, source="127.0.0.3") as client:
            assert client.read_to_end() == b""
    with connect(lab, source="127.0.0.4") as client:
        assert client.read_to_end() == b""
    with connect(front) as client:
        client.send(b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n")
        assert client.read_to_end() == b""
    proxy.wait_line(refused_at("lab", "127.0.0.4"))
    proxy.wait_line(refused_at("front", "2001:db8::1"))
    said = [line for line in proxy.lines if re.search(refused_at("office", "127.0.0.3"), line)]
    assert len(said) in (1, 2), said  # 2: a window of ten seconds ended


def test_no_open_proxy_by_accident(stage):
    """A listener beyond loopback does not start without a client range, and says how to."""
    proxy = stage.run("--listen", "0.0.0.0:0", "--admin", "off", "--log-file", "off")
    assert proxy.wait_exit() == 2
    assert "--allow-clients" in proxy.stderr


def test_json_refusals_can_be_read_by_programs(strict):
    """The body as JSON holds rule and remedy."""
    with strict().connect() as client:
        got = client.ask(request("GET", "http://127.0.0.1:8080/", "Accept: application/json"))
    body = json.loads(got.body)
    assert body["remedy"] == "--allow 127.0.0.1" and "127.0.0.0/8" in body["rule"]
    assert body["exchange"] in got.get("Proxy-Status")
