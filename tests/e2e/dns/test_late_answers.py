"""Answers that come late, or never: after the time limit, after the client left, after the exchange ended, in one
family only; and what a reload, a drain or the end of the client makes of a look-up that is under way."""
import signal

import pytest

from support import cares
from support.admin import metric
from support.asker import LIMIT_US, Asker
from support.bounds import wait_until
from support.dns import holds
from support.ops import Config, reload

HERE = "127.0.0.1"
SIX = "::1"
DELAY_US = 50_000  # how long A waits for AAAA


def both(dns, name):
    return dns.wait_ask(name, "A"), dns.wait_ask(name, "AAAA")


def answer(asks, *addresses):
    for ask in asks:
        ask.send(ask.answer(addresses))


# ---- after the time limit, and after the client left
def test_an_answer_after_the_limit_harms_nobody(asker, dns):
    """The client was told 504. What comes then is no answer to anybody; the next request works."""
    dns.add("late.test", script=holds)
    assert asker.ask("late.test").status == 504
    answer(both(dns, "late.test"), HERE)
    answer(both(dns, "late.test"), HERE)  # and again
    dns.add("late.test", a=[HERE])
    asker.is_fine("late.test")
    late, fine = asker.proxy.records(2)
    assert (late.cause, fine.status) == ("dns_timeout", 200)


def test_all_who_wait_are_told(stage, dns):
    """Three wait for a look-up that brings nothing: each is told 504."""
    asker = Asker(stage)
    dns.add("slow.test", script=holds)
    clients = [asker.send("slow.test")]
    dns.wait_ask("slow.test", "A")
    clients += [asker.send("slow.test", method) for method in ("GET", "CONNECT")]
    for client, method in zip(clients, ("GET", "GET", "CONNECT")):
        assert client.read_response(method).status == 504
    records = asker.proxy.records(3)
    assert {r.cause for r in records} == {"dns_timeout"}
    asker.check()


@pytest.mark.parametrize("method", ["GET", "CONNECT"])
def test_an_answer_after_the_client_left_is_kept(stage, dns, method):
    """Nobody waits any more: the look-up goes on, and the next one finds its answer (RFC 1035 §7.3)."""
    asker = Asker(stage, "--timeout", "dns=5s")
    dns.add("left.test", script=holds)
    client = asker.send("left.test", method)
    asks = both(dns, "left.test")
    client.reset()
    record = asker.proxy.record()
    assert (record.cause, record.end, record.ended_by) == ("client_gone", "rst", "client")
    assert "connect" not in record.phases and record.attempts == []
    dns.add("left.test", a=[HERE])
    answer(asks, HERE)
    asker.is_fine("left.test")
    assert len(dns.asked("left.test", "A")) == 1
    asker.check()


def test_many_leave_before_the_answer(stage, dns):
    """A hundred clients of a hundred names leave; a hundred answers come for nobody."""
    asker = Asker(stage, "--timeout", "dns=5s")
    names = [f"n{n}.left.test" for n in range(100)]
    for name in names:
        dns.add(name, script=holds)
    clients = [asker.send(name) for name in names]
    asks = [both(dns, name) for name in names]
    for client in clients:
        client.reset()
    assert {r.cause for r in asker.proxy.records(100)} == {"client_gone"}
    for each in asks:
        answer(each, HERE)
    asker.is_fine("127.0.0.1")
    asker.check()


# ---- one family late (RFC 8305 §3)
def test_ipv4_waits_a_little_for_ipv6(stage, dns):
    """A is there and AAAA does not come: the race begins all the same. What comes later counts the next time."""
    asker = Asker(stage, "--timeout", "dns=5s")
    dns.add("half.test", script=lambda ask: ask.kind == "A" and ask.send(ask.answer([HERE])))
    asker.is_fine("half.test")
    record = asker.proxy.record()
    marks = record["marks_us"]
    assert marks["u_dns1"] - marks["u_dns0"] >= DELAY_US * 0.8 and record.dns == {"source": "query", "answers": 1}
    six = dns.wait_ask("half.test", "AAAA")
    answer([six], SIX)  # after the exchange has ended
    origin = stage.origin(asker.origin.script, host=SIX, port=asker.origin.port)
    asker.is_fine("half.test")
    wait_until(lambda: len(asker.proxy.log_lines()) == 2, "two records")
    second = asker.proxy.records(2)[1]
    assert second.attempts[0]["peer"] == f"[{SIX}]:{origin.port}" and len(dns.asked("half.test", "AAAA")) == 1
    asker.check()


def test_ipv6_does_not_wait_for_ipv4(stage, dns):
    """AAAA is there, A never comes: nothing is waited for."""
    asker = Asker(stage, "--timeout", "dns=5s")
    asker.origin = stage.origin(asker.origin.script, host=SIX)
    dns.add("half.test", script=lambda ask: ask.kind == "AAAA" and ask.send(ask.answer([SIX])))
    asker.is_fine("half.test")
    record = asker.proxy.record()
    assert [a["result"] for a in record.attempts] == ["connected"] and record.dns["answers"] == 1
    answer([dns.wait_ask("half.test", "A")], HERE)
    asker.check()


def test_a_late_family_saves_a_failed_one(stage, dns):
    """IPv6 is refused while A is still to come: it is waited for, and connects."""
    asker = Asker(stage, "--timeout", "dns=5s")
    dns.add("half.test", script=lambda ask: ask.kind == "AAAA" and ask.send(ask.answer([SIX])))
    client = asker.send("half.test")
    wait_until(lambda: metric(asker.proxy, "upstream_connect_failures_total") == 1, "the attempt over IPv6")
    answer([dns.wait_ask("half.test", "A")], HERE)
    assert client.read_response().status == 200
    record = asker.proxy.record()
    assert [a["result"] for a in record.attempts] == ["failed", "connected"] and record.dns["answers"] == 2
    asker.check()


def test_a_family_that_never_comes_is_not_why_it_failed(asker, dns):
    """IPv6 is refused and A never comes: what is known is told, connection_refused, once the time is over."""
    dns.add("half.test", script=lambda ask: ask.kind == "AAAA" and ask.send(ask.answer([SIX])))
    got = asker.ask("half.test")
    assert got.status == 502 and "error=connection_refused" in got.get("Proxy-Status")
    record = asker.proxy.record()
    assert record.cause == "connect_refused" and [a["result"] for a in record.attempts] == ["failed"]
    assert record.phases["dns"] < LIMIT_US


@pytest.mark.parametrize("rcode", [0, 2, 3, 5])
@pytest.mark.parametrize("kind", ["A", "AAAA"])
def test_one_family_fails_and_the_other_is_silent(asker, dns, kind, rcode):
    """No answer in time, beside one that says no: dns_timeout is the worse of the two, and is told."""
    dns.add("half.test", script=lambda ask: ask.kind == kind and ask.send(ask.reply(rcode=rcode)))
    asker.fails("half.test", 504, "dns_timeout", "dns_timeout")


def test_a_refused_address_that_comes_late_counts_from_then_on(stage, dns):
    """The race was won before AAAA came: that exchange is done. The next one sees both, and is refused."""
    asker = Asker(stage, "--timeout", "dns=5s")
    dns.add("mixed.test", script=lambda ask: ask.kind == "A" and ask.send(ask.answer([HERE])))
    asker.is_fine("mixed.test")
    answer([dns.wait_ask("mixed.test", "AAAA")], "fe80::1")

    def is_refused():
        return asker.ask("mixed.test").status == 403
    wait_until(is_refused, "the refusal")
    assert len(dns.asked("mixed.test", "AAAA")) == 1
    asker.check()


# ---- a reload, a drain, or the end of the client meanwhile
def good(asks):
    answer(asks, HERE)


def unknown(asks):
    for ask in asks:
        ask.send(ask.reply(rcode=3))


def refused_address(asks):
    answer(asks, "10.0.0.1", SIX)


def nothing(asks):
    pass


def unreadable(asks):
    for ask in asks:
        ask.send(ask.reply([b"\xff\xff"]))


def twice(asks):
    answer(asks, HERE)
    answer(asks, "127.0.0.9")


def cut(asks):
    for ask in asks:
        ask.send(ask.reply(flags=0x8780))


# A new c-ares asks again where it cannot read an answer; nobody answers that.
ANSWERS = {good: (200, None), unknown: (502, "dns_not_found"), refused_address: (403, "refused_address"),
           nothing: (504, "dns_timeout"), twice: (200, None), cut: (504, "dns_timeout"),
           unreadable: (504, "dns_timeout") if cares.IS_NEW else (502, "dns_error")}


@pytest.mark.parametrize("method", ["GET", "CONNECT"])
@pytest.mark.parametrize("then", ANSWERS)
def test_a_reload_leaves_a_look_up_alone(stage, dns, then, method):
    """What began before the reload ends as it would have."""
    status, cause = ANSWERS[then]
    patience = "500ms" if cause == "dns_timeout" else "20s"
    config = Config(stage).write(timeouts={"drain": "2s", "dns": patience}, workers=1)
    asker = Asker(stage, proxy=config.start())
    dns.add("busy.test", script=holds)
    client = asker.send("busy.test", method)
    asks = both(dns, "busy.test")
    reload(asker.proxy)
    asker.proxy.learn_addresses()
    then(asks)
    assert client.read_head().status == status
    client.close()
    record = asker.proxy.record()
    assert (record.status, record.cause) == (status, cause) and "dns" in record.phases
    asker.check()


@pytest.mark.parametrize("method", ["GET", "CONNECT"])
@pytest.mark.parametrize("then", ANSWERS)
def test_a_drain_waits_for_a_look_up(stage, dns, then, method):
    """SIGTERM while a name is looked up: the request ends as it would have, then the proxy does."""
    status, cause = ANSWERS[then]
    patience = "1500ms" if cause == "dns_timeout" else "20s"
    asker = Asker(stage, "--timeout", f"dns={patience}", "--timeout", "drain=30s")
    dns.add("busy.test", script=holds)
    client = asker.send("busy.test", method)
    asks = both(dns, "busy.test")
    asker.proxy.signal(signal.SIGTERM)
    asker.proxy.wait_line("stopping|drain")
    then(asks)
    assert client.read_head().status == status
    client.close()
    assert asker.proxy.wait_exit() == 0
    record = asker.proxy.record()
    assert (record.status, record.cause) == (status, cause)


@pytest.mark.parametrize("method", ["GET", "CONNECT"])
def test_a_drain_does_not_wait_for_ever(stage, dns, method):
    """The time of the drain is over before that of the look-up: the client is told, and the proxy ends."""
    asker = Asker(stage, "--timeout", "dns=60s", "--timeout", "drain=200ms")
    dns.add("busy.test", script=holds)
    client = asker.send("busy.test", method)
    both(dns, "busy.test")
    asker.proxy.signal(signal.SIGTERM)
    assert asker.proxy.wait_exit() == 0
    record = asker.proxy.record()
    assert (record.end, record.cause) == ("drain", "drained")
    client.read_to_end()


@pytest.mark.parametrize("method", ["GET", "CONNECT"])
@pytest.mark.parametrize("then", ANSWERS)
def test_the_client_leaves_in_the_turn_of_the_answer(asker, dns, then, method):
    """The reset and the answer come at once: one record, and nothing stays."""
    dns.add("busy.test", script=holds)
    client = asker.send("busy.test", method)
    asks = both(dns, "busy.test")
    asker.proxy.freeze()
    then(asks)
    client.reset()
    asker.proxy.thaw()
    record = asker.proxy.record()
    _, cause = ANSWERS[then]
    assert record.cause in ("client_gone", cause) or (record.kind, record.end) == ("tunnel", "rst"), record.json


@pytest.mark.parametrize("then", ANSWERS)
def test_a_client_that_ends_its_direction_is_answered(asker, dns, then):
    """Half-closed after the request: it still reads (RFC 9112 §9.6)."""
    dns.add("busy.test", script=holds)
    client = asker.send("busy.test")
    client.half_close()
    then(both(dns, "busy.test"))
    assert client.read_response().status == ANSWERS[then][0]


def test_names_are_looked_up_after_a_reload_as_before(stage, dns):
    """The cache outlives a reload, and so does the name server's connection."""
    config = Config(stage).write(workers=1)
    asker = Asker(stage, proxy=config.start())
    dns.add("kept.test", a=[HERE])
    asker.is_fine("kept.test")
    reload(asker.proxy)
    asker.proxy.learn_addresses()
    asker.is_fine("kept.test")
    assert len(dns.asked("kept.test", "A")) == 1
    asker.check()
