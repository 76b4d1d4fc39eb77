"""egress.sni for a CONNECT to an address: the name in the ClientHello passes where the same client might have asked for
the name itself and that leads to the address. What name servers say, and whether they say anything, moves no byte."""
import os
import signal

import pytest

from support.admin import metric
from support.bounds import Cue, wait_until
from support.message import request
from support.origin import echoes
from support.sni import ALERT, got_nothing, hello, refused, tunnel

pytestmark = pytest.mark.without_faults  # a refusal ends with an alert

HERE = "127.0.0.1"


def passes(stage, guarded, said, mode="enforce", host=HERE, flags=(), origin_host=HERE, **settings):
    """What the client says arrives byte for byte; gives its record."""
    origin = stage.origin(echoes, host=origin_host)
    proxy = guarded(mode, *flags, **settings)
    client = tunnel(stage, proxy, origin, host)
    client.send(said)
    assert client.read(len(said)) == said
    client.half_close()
    client.read_to_end()
    return proxy.record()


def asked_kinds(stage, name):
    return [question[3] for question in stage.dns.asked(name)]


# ---- names ----

def test_no_name_passes(stage, guarded):
    """An address has no name to compare, and nobody is asked."""
    assert passes(stage, guarded, hello(None)).get("sni") is None
    assert not stage.dns.questions


def test_a_name_that_leads_there_passes(stage, guarded):
    """It is looked up in the address' family alone, and the record has it."""
    record = passes(stage, guarded, hello("A.example"))
    assert (record["sni"], record.end, record.get("would_deny")) == ("a.example", "done", None)
    assert asked_kinds(stage, "a.example") == ["A"]


def test_a_mapped_address_is_the_address_in_it(stage, guarded):
    """::ffff:127.0.0.1 is dialled as IPv4, and so its names are looked up."""
    assert passes(stage, guarded, hello("a.example"), host="[::ffff:127.0.0.1]")["sni"] == "a.example"


def test_a_name_of_ipv6(stage, guarded):
    """For an IPv6 address AAAA is asked."""
    stage.dns.add("six.example", aaaa=["::1"], a=["127.0.0.2"])
    assert passes(stage, guarded, hello("six.example"), host="[::1]", origin_host="::1")["sni"] == "six.example"
    assert asked_kinds(stage, "six.example") == ["AAAA"]


def test_a_name_that_leads_elsewhere_is_refused(stage, guarded):
    """Another permitted address is not this one."""
    stage.dns.add("b.example", a=["127.0.0.2", "127.0.0.3"])
    assert refused(stage, guarded, hello("b.example"), host=HERE) == "its SNI b.example does not lead to 127.0.0.1"


@pytest.mark.parametrize("name, text, flags, why", [
    ("a.example", "", ["--deny", "a.example"], "a.example"),
    ("a.example", "policy: { rules: [{ name: not there, to: ['*.example'], action: deny }] }", [], "not there"),
    ("a.example", "policy: { default: deny, rules: [{ to: [127.0.0.1], ports: [1-65535] }] }", [], "policy.default"),
    ("metadata.google.internal", "", [], "metadata.google.internal"),
], ids=["deny", "rule", "default", "metadata"])
def test_a_name_that_may_not_be_asked_for_is_refused(stage, guarded, name, text, flags, why):
    """The request stage judges it as the host of a CONNECT, although it leads to the address; no name server hears it."""
    stage.dns.add(name, a=[HERE])
    detail = refused(stage, guarded, hello(name), host=HERE, text=text, flags=flags)
    assert detail.startswith(f"its SNI {name} is refused: ") and why in detail
    assert not stage.dns.questions


def test_a_rule_for_the_name_and_the_address_counts(stage, guarded):
    """What a rule denies for this name and this address is denied here, too, although the address may be dialled."""
    text = "policy: { rules: [{ name: both, to: [a.example], to_address: [127.0.0.0/8], action: deny }] }"
    detail = refused(stage, guarded, hello("a.example"), host=HERE, text=text)
    assert detail == "its SNI a.example leads to an address that is refused: rule both"


@pytest.mark.parametrize("is_other", [False, True], ids=["its-user", "another"])
def test_who_asked_counts(stage, guarded, is_other):
    """The user of the CONNECT, who was known by the connection that the tunnel took over, is asked about."""
    origin = stage.origin(echoes)
    user = f"uid:{os.getuid() + is_other}"
    text = ("identity: { peer: on }\npolicy: { default: deny, rules: [{ to: [127.0.0.1], ports: [1-65535] }, "
            f"{{ to: [a.example], ports: [1-65535], user: ['{user}'], group: ['gid:{os.getgid()}'] }}] }}\n")
    place = stage.folder / "sockets"
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    path = place / "proxy.sock"
    file = stage.folder / "peer.yaml"
    file.write_text("egress: { sni: enforce }\n" + text)
    proxy = stage.proxy("-c", file, listen=f"unix:{path}")
    client = stage.client(proxy.connect())
    client.send(request("CONNECT", f"{HERE}:{origin.port}"))
    assert client.read_head().status == 200
    said = hello("a.example")
    client.send(said)
    if is_other:
        assert client.read_to_end() == ALERT
        assert "policy.default" in proxy.record()["detail"]
    else:
        assert client.read(len(said)) == said


def test_what_only_observes_is_noted(stage, guarded):
    """policy.mode: observe lets the name pass and names the rule."""
    text = "policy: { mode: observe, rules: [{ name: not there, to: [a.example], action: deny }] }"
    record = passes(stage, guarded, hello("a.example"), text=text)
    assert (record["would_deny"], record["sni"]) == ("not there", "a.example")


def test_log_lets_pass_and_tells(stage, guarded):
    """log: the name that leads elsewhere is noted."""
    stage.dns.add("b.example", a=["127.0.0.2"])
    record = passes(stage, guarded, hello("b.example"), mode="log")
    assert (record["would_deny"], record["sni"], record.end) == ("egress.sni", "b.example", "done")


def test_the_time_of_the_look_up_is_the_name_servers(stage, guarded):
    """It is no time of the origin: what stands inside begins when the ClientHello is let pass."""
    stage.dns.add("late.example", a=[HERE], delay=0.3)
    record = passes(stage, guarded, hello("late.example"))
    assert record.stalled["by_dns"] >= 200_000
    assert record.slow == "dns"
    assert record["pace"]["awaited_us"] < record.stalled["by_dns"]
    assert record.marks["t_ch"] - record.marks["t_up"] >= 200_000


def test_a_look_up_that_nobody_answers_is_the_name_servers(stage, guarded):
    """Until it is given up."""
    stage.dns.add("mute.example", drop=True)
    refused(stage, guarded, hello("mute.example"), host=HERE, text="timeouts: { dns: 300ms }\n")
    record = stage.proxies[-1].record(lambda r: r.kind == "tunnel")
    assert record.stalled["by_dns"] >= 200_000 and record.slow == "dns"


# ---- hostile and broken name servers ----

@pytest.mark.parametrize("facts, why", [
    ({}, "the name does not exist"),
    ({"aaaa": ["::1"]}, "it has no such address"),
    ({"rcode": 2}, "the name servers failed"),
    ({"rcode": 5}, "the name servers refuse"),
], ids=["nxdomain", "nodata", "servfail", "refused"])
def test_a_name_that_cannot_be_looked_up_is_refused(stage, guarded, facts, why):
    """Without an answer there is no address that it leads to."""
    if facts:
        stage.dns.add("b.example", **facts)
    assert why in refused(stage, guarded, hello("b.example"), host=HERE)


@pytest.mark.parametrize("spoils", [True, False], ids=["refuse", "skip"])
def test_a_mixed_answer_fails_closed(stage, guarded, spoils):
    """A refused address beside the dialled one spoils it, as in a dial, unless egress.mixed skips those."""
    stage.dns.add("b.example", a=[HERE, "127.0.0.9"])
    flags = ["--deny", "127.0.0.9"]
    if not spoils:
        assert passes(stage, guarded, hello("b.example"), flags=flags, egress=", mixed: skip")["sni"] == "b.example"
        return
    detail = refused(stage, guarded, hello("b.example"), host=HERE, flags=flags)
    assert "an address that is refused" in detail and "127.0.0.9" in detail


def test_rebinding_moves_nothing(stage, guarded):
    """The answer of one moment is the verdict of one tunnel, and what was dialled stays what it was."""
    answers = iter([[HERE], ["127.0.0.2"], [HERE]])
    stage.dns.add("b.example", script=lambda ask: ask.send(ask.answer(next(answers), ttl=0)))
    origin = stage.origin(echoes)
    proxy = guarded("enforce", "--workers", "1")
    said = hello("b.example")
    for is_there in (True, False, True):
        client = tunnel(stage, proxy, origin, HERE)
        client.send(said)
        if is_there:
            assert client.read(len(said)) == said
        else:
            assert client.read_to_end() == ALERT
        client.close()
    assert len(stage.dns.asked("b.example")) == 3


def test_silence_is_refused_in_time(stage, guarded):
    """Name servers that say nothing: timeouts.dns bounds it, the origin gets nothing, and others are served meanwhile."""
    stage.dns.add("b.example", drop=True)
    origin = stage.origin([lambda conn: conn.read_to_end(), echoes])
    proxy = guarded("enforce", "--workers", "1", text="timeouts: { dns: 300ms, client_tls: 1h }\n")
    waiting = tunnel(stage, proxy, origin, HERE)
    waiting.send(hello("b.example"))
    stage.dns.wait_asked("b.example")
    other = tunnel(stage, proxy, origin, HERE)
    said = hello("a.example")
    other.send(said)
    assert other.read(len(said)) == said
    assert waiting.read_to_end() == ALERT
    record = proxy.record()
    assert (record.end, record["cause"], record["sni"]) == ("refused", "sni_refused", "b.example")
    assert record["detail"].endswith("the name servers did not answer in time")
    assert got_nothing(origin)


def test_log_waits_no_longer_than_name_servers_may(stage, guarded):
    """log: silence lets pass, and is noted."""
    stage.dns.add("b.example", drop=True)
    record = passes(stage, guarded, hello("b.example"), mode="log", text="timeouts: { dns: 200ms }\n")
    assert record["would_deny"] == "egress.sni"


def test_nothing_leaves_before_the_answer(stage, guarded):
    """A late answer: until then the origin has got nothing, whatever else the client sends; then it gets all of it."""
    answer = Cue()

    def late(ask):
        answer.wait()
        ask.send(ask.answer([HERE]))
    stage.dns.add("b.example", script=late)
    origin = stage.origin(echoes)
    proxy = guarded("enforce", "--workers", "1")
    client = tunnel(stage, proxy, origin, HERE)
    said = hello("b.example") + bytes(range(256)) * 100
    client.send(said[:-1000])
    stage.dns.wait_asked("b.example")
    client.send(said[-1000:])
    client.half_close()
    client.expect_quiet()
    assert origin.wait_connections(1)[0].received == 0
    answer.give()
    assert client.read_to_end() == said


@pytest.mark.parametrize("leaver", ["client", "origin", "proxy"])
def test_whoever_leaves_while_it_is_asked(stage, guarded, leaver):
    """The question is given up with its tunnel, and nothing of it stays."""
    leave = Cue()
    stage.dns.add("b.example", drop=True)
    origin = stage.origin(lambda conn: (leave.wait(), conn.reset()) if leaver == "origin" else conn.read_to_end())
    proxy = guarded("enforce", "--workers", "1", text="timeouts: { dns: 1500ms }\n")
    client = tunnel(stage, proxy, origin, HERE)
    client.send(hello("b.example"))
    stage.dns.wait_asked("b.example")
    if leaver == "client":
        client.reset()
    elif leaver == "origin":
        leave.give()
    else:
        proxy.signal(signal.SIGTERM)
        return  # the stage waits for its end
    proxy.record()
    wait_until(lambda: metric(proxy, "buffer_bytes") == 0, "the buffers to be given back")
