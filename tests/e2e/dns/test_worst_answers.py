"""Name servers at their worst: wrong, twice, endless, cut, mixed, and nothing at all."""
import json
import os
import socket
import struct

import pytest

from support import cares
from support.admin import metric
from support.asker import LIMIT_US, Asker
from support.dns import address_record, alias_record, encode_name, holds, record
from support.message import request
from support.proxy import clean_environment

HERE, ELSEWHERE = "127.0.0.1", "127.0.0.9"
ALMOST_US = LIMIT_US * 0.8  # timers count from the begin of the turn
TIMED_OUT = (504, "dns_timeout", "dns_timeout")
FAILED = (502, "dns_error", "dns_error")


def here(ask):
    ask.send(ask.answer([HERE]))


def elsewhere(ask, **more):
    return ask.answer([ELSEWHERE, "2001:db8::9"], **more)


# ---- wrongly
def other_id(ask):
    ask.send(elsewhere(ask, id=bytes([ask.id[0] ^ 1, ask.id[1]])))


def other_name(ask):
    ask.send(elsewhere(ask, question=encode_name("other.test") + ask.question[-4:]))


def other_type(ask):
    ask.send(elsewhere(ask, question=ask.question[:-4] + struct.pack(">HH", 16, 1)))


def other_class(ask):
    ask.send(elsewhere(ask, question=ask.question[:-2] + struct.pack(">H", 3)))


def no_question(ask):
    ask.send(ask.id + struct.pack(">HHHHH", 0x8580, 0, 0, 0, 0))


def half_a_header(ask):
    ask.send(ask.id + b"\x85\x80\0\1")


def nothing(ask):
    ask.send(b"")


def from_elsewhere(address, is_same_port=True):
    def script(ask):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((address, ask.sock.getsockname()[1] if is_same_port else 0))
            sock.sendto(elsewhere(ask), ask.peer)
    return script


other_port = from_elsewhere(HERE, is_same_port=False)
other_address = from_elsewhere("127.0.0.2")
STRAYS = [other_id, other_name, other_type, other_class, no_question, half_a_header, nothing, other_port, other_address]
HEARD = (no_question, half_a_header) if cares.IS_NEW else ()  # of our id, address and port: an answer that failed


@pytest.mark.parametrize("stray", STRAYS)
def test_what_answers_no_question_of_ours_is_no_answer(asker, dns, stray):
    """RFC 5452 §9.1: id, question, address and port must be those of the query. What is not is not heard."""
    dns.add("stray.test", script=stray)
    if stray in HEARD:
        asker.fails("stray.test", *FAILED)
        return
    record = asker.fails("stray.test", *TIMED_OUT)
    assert record.phases["dns"] >= ALMOST_US and "answers" not in record.dns


@pytest.mark.parametrize("stray", STRAYS)
def test_a_wrong_answer_does_not_keep_out_the_right_one(asker, dns, stray):
    """...and the answer to our query still counts."""
    dns.add("stray.test", script=lambda ask: (stray(ask), here(ask)))
    if stray in HEARD:
        asker.fails("stray.test", *FAILED)
        return
    asker.is_fine("stray.test")
    assert asker.proxy.record().dns == {"source": "query", "answers": 1}


def broken(flags=0x8580, counts=(1, 0, 0), tail=b""):
    def script(ask):
        ask.send(ask.id + struct.pack(">HHHHH", flags, counts[0], counts[1], counts[2], 0) + ask.question + tail)
    return script


A_RECORD = address_record("broken.test", HERE)
BROKEN = {
    "records that are not there": broken(counts=(1, 2, 0)),
    "a record cut in the middle": broken(counts=(1, 1, 0), tail=A_RECORD[:-1]),
    "an address of three bytes": broken(counts=(1, 1, 0), tail=record("broken.test", "A", 60, b"\x7f\0\0")),
    "an AAAA of four bytes": broken(counts=(1, 1, 0), tail=record("broken.test", "AAAA", 60, b"\x7f\0\0\1")),
    "a name that points at itself": broken(counts=(1, 1, 0), tail=b"\xc0\x1d" + A_RECORD[13:]),
    "a name without end": broken(counts=(1, 1, 0), tail=b"\x3f" + b"a" * 20),
    "a question instead": broken(flags=0x0100, counts=(1, 1, 0), tail=A_RECORD),
    "another operation": broken(flags=0x8580 | 5 << 11, counts=(1, 1, 0), tail=A_RECORD),
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_answer_that_cannot_be_read_is_dns_error(asker, dns, what):
    """An answer to our query that is none: no half of it is used."""
    dns.add("broken.test", script=BROKEN[what])
    got = asker.ask("broken.test")
    found = asker.proxy.record()
    assert (got.status, found.error, found.cause) == FAILED, found.json
    assert "connect" not in found.phases


def test_records_of_other_names_are_not_used(asker, dns):
    """RFC 2181 §5.4.1: only what the chain from the name leads to is the answer; and nothing else is remembered."""
    dns.add("poor.test", script=lambda ask: ask.send(ask.reply([
        address_record("rich.test", HERE), alias_record("rich.test", "poor.test")])))
    asker.fails("poor.test", 502, "dns_error", "dns_no_address")
    assert asker.ask("rich.test").status == 502 and len(dns.asked("rich.test", "A")) == 1


@pytest.mark.parametrize("rcode,cause,detail", [
    (1, "dns_error", ""), (2, "dns_error", "failed to look the name up"), (3, "dns_not_found", ""),
    (4, "dns_error", ""), (5, "dns_error", "refuse to answer"), (6, "dns_error", ""), (15, "dns_error", "")])
def test_a_code_of_failure_is_502(asker, dns, rcode, cause, detail):
    """FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, YXDOMAIN, an unassigned one: RFC 1035 §4.1.1."""
    dns.add("failing.test", rcode=rcode)
    record = asker.fails("failing.test", 502, "dns_error", cause)
    assert detail in record.detail and record.phases["dns"] < LIMIT_US


@pytest.mark.parametrize("rcode", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["A", "AAAA"])
def test_one_failed_family_does_not_spoil_the_other(stage, asker, dns, kind, rcode):
    """A server that fails for AAAA, as some do, still names an IPv4 address; and the other way round."""
    good = "::1" if kind == "A" else HERE
    asker.origin = stage.origin(asker.origin.script, host=good)
    dns.add("half.test", script=lambda ask: ask.send(
        ask.reply(rcode=rcode) if ask.kind == kind else ask.answer([good])))
    asker.is_fine("half.test")


# ---- twice
def test_a_second_answer_changes_nothing(asker, dns):
    """Two answers to one query: the first counts, for this request and for those after it."""
    dns.add("twice.test", script=holds)
    client = asker.send("twice.test")
    four, six = dns.wait_ask("twice.test", "A"), dns.wait_ask("twice.test", "AAAA")
    four.send(four.answer([HERE]))
    four.send(elsewhere(four))
    six.send(six.answer())  # until now the socket was open for both
    six.send(elsewhere(six))
    assert client.read_response().body == b"fine"
    asker.is_fine("twice.test")
    first, second = asker.proxy.records(2)
    assert [r.dns["source"] for r in (first, second)] == ["query", "cache"]
    assert {a["peer"] for r in (first, second) for a in r.attempts} == {f"{HERE}:{asker.origin.port}"}


# ---- too much
def many(count, last=None):
    return [f"127.1.{n // 200}.{n % 200 + 1}" for n in range(count - bool(last))] + ([last] if last else [])


def test_of_200_addresses_64_are_tried(asker, dns):
    """The record counts what came; the attempts are bounded, and so are the rows of the record."""
    dns.add("many.test", a=many(200), truncate=True)
    before = metric(asker.proxy, "upstream_connect_failures_total")
    got = asker.ask("many.test")
    assert got.status == 502 and "error=connection_refused" in got.get("Proxy-Status")
    record = asker.proxy.record()
    assert record.dns["answers"] == 200 and record.cause == "connect_refused" and len(record.attempts) == 8
    assert metric(asker.proxy, "upstream_connect_failures_total") - before == 64


@pytest.mark.parametrize("count", [2, 64, 65, 200, 512])
def test_one_refused_address_among_many_refuses_all(asker, dns, count):
    """egress.mixed: each address is judged, wherever it stands and however many there are."""
    dns.add("mixed.test", a=many(count, last="192.0.2.1"), truncate=True)
    asker.fails("mixed.test", 403, "destination_ip_prohibited", "refused_address")
    assert metric(asker.proxy, "upstream_connect_failures_total") == 0


@pytest.mark.parametrize("count", [64, 200])
def test_refused_addresses_take_no_room_from_others(stage, dns, count):
    """egress.mixed: skip. The one good address stands behind so many that are refused."""
    path = stage.folder / "skip.yaml"
    path.write_text(json.dumps({"egress": {"mixed": "skip"}}))
    path.chmod(0o644)
    asker = Asker(stage, "-c", path)
    dns.add("skip.test", a=[f"10.0.{n // 200}.{n % 200}" for n in range(count)] + [HERE], truncate=True)
    asker.is_fine("skip.test")
    asker.check()


def test_an_answer_of_too_many_records_is_refused(asker, dns):
    """More than 512 records are read by nobody."""
    dns.add("flood.test", a=many(513), truncate=True)
    asker.fails("flood.test", *FAILED)


def test_an_answer_of_very_many_addresses_is_not_cached(asker, dns):
    """What takes much memory is used and forgotten."""
    dns.add("wide.test", a=[HERE] + many(64), truncate=True)
    for count in (1, 2):
        asker.is_fine("wide.test")
        assert len([q for q in dns.asked("wide.test", "A") if q[1] == "tcp"]) == count


# ---- aliases
def chain(length, name="a.test", target=HERE, turned=False):
    """`length` aliases from name to an address. `turned`: the last comes first."""
    names = [name] + [f"n{n}.test" for n in range(length)]
    records = [alias_record(a, b) for a, b in zip(names, names[1:])]
    records += [address_record(names[-1], target)] if target else []
    return records[::-1] if turned else records


def sends_chain(*of, **more):
    def script(ask):
        if ask.transport == "udp":
            ask.send(ask.reply(flags=0x8780))  # truncated: any length comes over TCP
        else:
            ask.send(ask.reply(chain(*of, **more) if ask.kind == "A" else ()))
    return script


@pytest.mark.parametrize("length,turned", [(1, False), (1, True), (16, False), (16, True)])
def test_a_chain_is_followed_in_any_order(asker, dns, length, turned):
    """RFC 1034 §4.3.2: sixteen aliases, told from the first or from the last."""
    dns.add("a.test", script=sends_chain(length, turned=turned))
    asker.is_fine("a.test")


@pytest.mark.parametrize("length", [17, 500, 1500])
def test_a_longer_chain_is_dns_error(asker, dns, length):
    """...and no more."""
    dns.add("a.test", script=sends_chain(length))
    asker.fails("a.test", *FAILED)


@pytest.mark.parametrize("aliases", [
    [("a.test", "a.test")], [("a.test", "b.test"), ("b.test", "a.test")],
    [("a.test", "b.test"), ("b.test", "c.test"), ("c.test", "b.test")]])
def test_a_loop_of_aliases_is_dns_error(asker, dns, aliases):
    """RFC 1034 §3.6.2: it ends, also where an address stands beside it."""
    dns.add("a.test", script=lambda ask: ask.send(ask.reply(
        [alias_record(*each) for each in aliases] + [address_record("a.test", HERE)])))
    asker.fails("a.test", *FAILED)


def test_a_chain_into_the_void_has_no_address(asker, dns):
    """An alias of a name of which nothing is said."""
    dns.add("a.test", script=lambda ask: ask.send(ask.reply(chain(3, target=None))))
    asker.fails("a.test", 502, "dns_error", "dns_no_address")


def test_a_chain_to_a_refused_address_is_refused(asker, dns):
    """A name is no way around the gate."""
    dns.add("a.test", script=lambda ask: ask.send(ask.reply(chain(3, target="169.254.169.254"))))
    asker.fails("a.test", 403, "destination_ip_prohibited", "refused_address")


# ---- truncated, and what then comes over TCP
def over_tcp(play):
    def script(ask):
        if ask.transport == "udp":
            ask.send(ask.reply(flags=0x8780))
        else:
            play(ask, struct.pack(">H", len(ask.answer([HERE]))) + ask.answer([HERE]))
    return script


def one_by_one(ask, reply):
    ask.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(len(reply)):
        ask.sock.sendall(reply[at:at + 1])


def closes_after(count):
    def play(ask, reply):
        ask.sock.sendall(reply[:count])
        ask.sock.shutdown(socket.SHUT_RDWR)
    return play


def still_truncated(ask, _):
    ask.send(ask.reply(flags=0x8780))


def empty_message(ask, _):
    ask.send(b"")


def other_id_over_tcp(ask, _):
    other_id(ask)


def says_nothing(ask, _):
    pass


def says_half(ask, reply):
    ask.sock.sendall(reply[:len(reply) // 2])


def test_a_late_answer_over_tcp_is_in_time(stage, dns):
    """All of timeouts.dns is there for it, also where the library under us tries but once: it is asked again."""
    asker = Asker(stage, "--timeout", "dns=3s")
    asks = []

    def play(ask, reply):
        asks.append(ask)
        if len(asks) > 2:  # A and AAAA once
            ask.sock.sendall(reply)
    dns.add("big.test", script=over_tcp(play))
    asker.is_fine("big.test")
    asker.check()


def test_single_bytes_over_tcp_are_an_answer(asker, dns):
    """RFC 7766 §8: the length and the message may be cut anywhere."""
    dns.add("big.test", script=over_tcp(one_by_one))
    asker.is_fine("big.test")


@pytest.mark.parametrize("play", [says_nothing, says_half, other_id_over_tcp])
def test_no_answer_over_tcp_is_504(asker, dns, play):
    """A connection that stays, and brings none or half of one."""
    dns.add("big.test", script=over_tcp(play))
    if cares.IS_NEW and play is says_half:
        asker.fails("big.test", *FAILED)
        return
    record = asker.fails("big.test", *TIMED_OUT)
    assert record.phases["dns"] >= ALMOST_US


# A new c-ares asks on where what came is no whole answer.
@pytest.mark.parametrize("play, told", [
    (closes_after(0), FAILED), *[(closes_after(count), TIMED_OUT if cares.IS_NEW else FAILED) for count in (1, 2, 20)],
    pytest.param(empty_message, TIMED_OUT if cares.IS_NEW else FAILED, marks=pytest.mark.skipif(
        "FAIRLEAD_FAULTS" in os.environ, reason="c-ares receives no bytes then, which a fault may put off for ever")),
    (still_truncated, FAILED)],
    ids=["at once", "in the length", "after it", "in the answer", "empty", "truncated again"])
def test_a_broken_answer_over_tcp_is_dns_error(asker, dns, play, told):
    """The connection ends before the answer does, or brings what is cut once more: no half of it is used."""
    dns.add("big.test", script=over_tcp(play))
    asker.fails("big.test", *told)


def test_no_tcp_where_it_is_needed_is_dns_error(asker, dns):
    """The server truncates and refuses TCP."""
    dns.add("big.test", a=[HERE], truncate=True)
    dns.tcp.shutdown(socket.SHUT_RDWR)
    dns.tcp.close()
    asker.fails("big.test", *FAILED)


def test_nobody_there_is_dns_error(stage):
    """The port of the name server is closed: told at once, by ICMP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HERE, 0))
        port = sock.getsockname()[1]
    stage.dns.address = f"{HERE}:{port}"
    asker = Asker(stage)
    asker.fails("dead.test", *FAILED)
    asker.check()


# ---- not at all
@pytest.mark.parametrize("method", ["GET", "CONNECT"])
def test_silence_is_504_and_all_of_it_dns(asker, dns, method):
    """RFC 9209 §2.3.1: dns_timeout. The phase is the wait, and there is no other."""
    dns.add("silent.test", script=holds)
    client = asker.send("silent.test", method)
    got = client.read_response(method)
    assert got.status == 504 and "error=dns_timeout" in got.get("Proxy-Status")
    record = asker.proxy.record()
    assert (record.cause, record.end, record.method) == ("dns_timeout", "timeout", method)
    assert record.phases["dns"] >= ALMOST_US and not {"connect", "send", "wait", "load"} & set(record.phases)
    assert "answers" not in record.dns and record.attempts == []
    client.close()


# ---- times to live
@pytest.mark.parametrize("ttl,is_kept", [(0, False), (1 << 31, False), (0xffffffff, False), (0x7fffffff, True)])
def test_a_time_to_live_of_either_end(asker, dns, ttl, is_kept):
    """RFC 2181 §8: with the top bit set it is 0. The longest one is kept, for a day at most."""
    dns.add("ttl.test", a=[HERE], ttl=ttl)
    asker.is_fine("ttl.test")
    asker.is_fine("ttl.test")
    assert len(dns.asked("ttl.test", "A")) == (1 if is_kept else 2)


@pytest.mark.parametrize("soa_ttl,is_kept", [(0, False), (1 << 31, False), (0x7fffffff, True)])
def test_a_negative_time_to_live_of_either_end(asker, dns, soa_ttl, is_kept):
    """The same for the SOA of a name that does not exist: RFC 2308 §5."""
    dns.add("no.test", rcode=3, soa_ttl=soa_ttl)
    assert [asker.ask("no.test").status for _ in range(2)] == [502, 502]
    assert len(dns.asked("no.test", "A")) == (1 if is_kept else 2)


def test_the_least_time_to_live_of_a_chain_counts(asker, dns):
    """An alias that must not be kept, to an address that may."""
    dns.add("a.test", script=lambda ask: ask.send(ask.reply(
        [alias_record("a.test", "b.test", 0), address_record("b.test", HERE, 3600)] if ask.kind == "A" else ())))
    asker.is_fine("a.test")
    asker.is_fine("a.test")
    assert len(dns.asked("a.test", "A")) == 2


# ---- names
LABEL = "x" * 63
LONGEST = ".".join([LABEL, LABEL, LABEL, "y" * 61])


def test_the_longest_name_is_looked_up(asker, dns):
    """RFC 1035 §2.3.4: labels of 63 octets, a name of 255 on the wire."""
    assert len(encode_name(LONGEST)) == 255
    dns.add(LONGEST, a=[HERE])
    asker.is_fine(LONGEST)
    asker.is_fine(LONGEST + ".")
    assert len(dns.asked(LONGEST, "A")) == 1


@pytest.mark.parametrize("name", [LONGEST + "z", "x" * 64 + ".test", "a..test", ".test"])
def test_a_name_that_cannot_be_is_not_looked_up(asker, dns, name):
    """An octet more, in the name or in a label, or an empty label: 400, and no question."""
    assert asker.ask(name).status == 400 and dns.questions == []


def test_an_alias_of_the_longest_name(asker, dns):
    """Names of 255 octets also where compression makes them; one more octet is no name."""
    dns.add("a.test", script=lambda ask: ask.send(ask.reply(
        [alias_record("a.test", LONGEST), address_record(LONGEST, HERE)] if ask.kind == "A" else ())))
    asker.is_fine("a.test")
    dns.add("b.test", script=lambda ask: ask.send(ask.reply(
        [alias_record("b.test", LONGEST + "z"), address_record(LONGEST + "z", HERE)])))
    assert asker.ask("b.test").status == 502


# ---- one family
@pytest.mark.parametrize("address", [HERE, "::1"])
def test_an_empty_answer_of_one_family(stage, asker, dns, address):
    """A without AAAA, and AAAA without A."""
    asker.origin = stage.origin(asker.origin.script, host=address)
    dns.add("one.test", a=[] if ":" in address else [address], aaaa=[address] if ":" in address else [])
    asker.is_fine("one.test")
    assert asker.proxy.record().dns["answers"] == 1


# ---- words without a dot
def test_a_search_list_of_failures_ends(stage, dns):
    """Each name of the search list fails in another way: the last word is dns_error, and it comes."""
    dns.add("word.one.test", rcode=2)
    dns.add("word.two.test", rcode=5)
    proxy = stage.proxy("--timeout", "dns=2s", environment=clean_environment(LOCALDOMAIN="one.test two.test"))
    with proxy.connect() as client:
        assert client.ask(request("GET", "http://word/")).status == 502
    assert proxy.record().error == "dns_error"
