"""Names: answers, failures, cache, and the race for a connection (RFC 8305)."""
import pytest

from support.bounds import wait_until
from support.message import ok, request
from support.origin import replies, replies_forever
from support.proxy import clean_environment

FINE = ok(b"fine")


@pytest.fixture
def proxy(stage):
    """One worker: one cache."""
    return stage.proxy("--workers", "1")


def ask(proxy, name, port, path="/"):
    with proxy.connect() as client:
        return client.ask(request("GET", f"http://{name}:{port}{path}"))


def test_a_name_is_resolved_once(proxy, stage, dns):
    """A and AAAA are asked, then the cache answers for the TTL; the record says which."""
    dns.add("cached.test", a=["127.0.0.1"], ttl=60)
    origin = stage.origin(replies_forever(ok(b"fine", "Connection: close")))
    for _ in range(3):
        assert ask(proxy, "cached.test", origin.port).body == b"fine"
    assert len(dns.asked("cached.test", "A")) == 1 and len(dns.asked("cached.test", "AAAA")) == 1
    assert [r.dns["source"] for r in proxy.records(3)] == ["query", "cache", "cache"]


def test_a_ttl_of_0_is_not_cached(proxy, stage, dns):
    """RFC 1035 §3.2.1: zero TTL is for the transaction in progress."""
    dns.add("zero.test", a=["127.0.0.1"], ttl=0)
    origin = stage.origin(replies_forever(ok(b"fine", "Connection: close")))
    for _ in range(2):
        assert ask(proxy, "zero.test", origin.port).body == b"fine"
    assert len(dns.asked("zero.test", "A")) == 2


def test_questions_for_one_name_are_joined(proxy, stage, dns):
    """Ten clients that ask at once cost one question."""
    dns.add("slow.test", a=["127.0.0.1"], delay=0.2)
    origin = stage.origin(replies_forever(FINE))
    clients = [stage.client(proxy.connect()) for _ in range(10)]
    for client in clients:
        client.send(request("GET", f"http://slow.test:{origin.port}/"))
    assert [client.read_response().body for client in clients] == [b"fine"] * 10
    assert len(dns.asked("slow.test", "A")) == 1
    sources = [r.dns["source"] for r in proxy.records(10)]
    assert sources.count("query") == 1 and sources.count("coalesced") == 9


def test_an_unknown_name_is_502_and_remembered(proxy, dns):
    """NXDOMAIN is kept as its SOA says (RFC 2308 §5): dns_error, with the rcode."""
    for _ in range(2):
        got = ask(proxy, "missing.test", 80)
        assert got.status == 502 and "error=dns_error" in got.get("Proxy-Status")
    assert len(dns.asked("missing.test", "A")) == 1
    record = proxy.records(2)[0]
    assert record.error == "dns_error" and "connect" not in record.phases


def test_a_name_without_address_is_502(proxy, dns):
    """NODATA for both families."""
    dns.add("empty.test")
    got = ask(proxy, "empty.test", 80)
    assert got.status == 502 and "error=dns_error" in got.get("Proxy-Status")


def test_servfail_is_502(proxy, dns):
    """RFC 9209 §2.3.2: dns_error; a failure of the server is not the client's fault."""
    dns.add("broken.test", rcode=2)
    got = ask(proxy, "broken.test", 80)
    assert got.status == 502 and "error=dns_error" in got.get("Proxy-Status")


def test_a_silent_server_is_504(stage, dns):
    """timeouts.dns: RFC 9209 §2.3.1 dns_timeout."""
    dns.add("silent.test", a=["127.0.0.1"], drop=True)
    proxy = stage.proxy("--timeout", "dns=300ms")
    got = ask(proxy, "silent.test", 80)
    assert got.status == 504 and "error=dns_timeout" in got.get("Proxy-Status")
    record = proxy.record()
    assert record.end == "timeout" and record.phases["dns"] >= 290_000


def test_one_silent_family_does_not_hold_up_the_other(stage, dns):
    """RFC 8305 §3: without an AAAA answer the A answer is used after a short delay."""
    dns.add("half.test", a=["127.0.0.1"], drop=["AAAA"])
    origin = stage.origin(replies(FINE))
    proxy = stage.proxy("--timeout", "dns=4s")
    assert ask(proxy, "half.test", origin.port).body == b"fine"
    assert proxy.record().phases["dns"] < 2_000_000


def test_a_truncated_answer_is_asked_for_again_over_tcp(proxy, stage, dns):
    """RFC 7766 §5."""
    dns.add("big.test", a=["127.0.0.1"], truncate=True)
    origin = stage.origin(replies(FINE))
    assert ask(proxy, "big.test", origin.port).body == b"fine"
    assert "tcp" in {q[1] for q in dns.asked("big.test", "A")}


def test_a_chain_of_cnames_is_followed(proxy, stage, dns):
    """RFC 1034 §3.6.2: aliases in the answer."""
    dns.add("a.test", cname="b.test")
    dns.add("b.test", cname="c.test")
    dns.add("c.test", a=["127.0.0.1"])
    origin = stage.origin(replies(FINE))
    assert ask(proxy, "a.test", origin.port).body == b"fine"
    assert origin.requests[0].get("Host") == f"a.test:{origin.port}"


@pytest.mark.parametrize("garbage", [b"", b"\x81\x80" + b"\xff" * 40, b"\x81\x80\0\1\xff\xff\0\0\0\0\xc0\x0c"])
def test_garbage_is_survived(stage, dns, garbage):
    """An answer that is none ends in dns_error or dns_timeout, never in a crash."""
    dns.add("junk.test", a=["127.0.0.1"], garbage=garbage)
    proxy = stage.proxy("--timeout", "dns=500ms")
    assert ask(proxy, "junk.test", 80).status in (502, 504)


def test_many_addresses_are_bounded(proxy, stage, dns):
    """200 addresses in an answer: the record counts them, the dial goes on."""
    dns.add("many.test", a=[f"127.0.1.{n}" for n in range(1, 101)] + ["127.0.0.1"], truncate=True)
    origin = stage.origin(replies(FINE), host="0.0.0.0")
    assert ask(proxy, "many.test", origin.port).body == b"fine"
    assert proxy.record().dns["answers"] >= 16


def test_a_dead_address_is_passed_over(proxy, stage, dns):
    """RFC 8305 §5: a refused attempt starts the next at once; every attempt is in the record."""
    origin = stage.origin(replies(FINE), host="127.0.0.7")
    dns.add("two.test", a=["127.0.0.6", "127.0.0.7"])
    assert ask(proxy, "two.test", origin.port).body == b"fine"
    record = proxy.record()
    results = [a["result"] for a in record.attempts]
    assert results[-1] == "connected" and set(results[:-1]) <= {"failed", "cancelled"}


def test_ipv6_comes_first_where_both_answer(proxy, stage, dns):
    """RFC 8305 §4, RFC 6724: ::1 before 127.0.0.1."""
    six = stage.origin(replies(FINE), host="::1")
    dns.add("dual.test", a=["127.0.0.1"], aaaa=["::1"])
    assert ask(proxy, "dual.test", six.port).body == b"fine"
    assert proxy.record().attempts[0]["peer"].startswith("[::1]")


def test_ipv4_is_used_where_ipv6_refuses(proxy, stage, dns):
    """Dual stack with a dead IPv6: one failed attempt, then IPv4."""
    four = stage.origin(replies(FINE))
    dns.add("dual.test", a=["127.0.0.1"], aaaa=["::1"])
    assert ask(proxy, "dual.test", four.port).body == b"fine"
    assert [a["result"] for a in proxy.record().attempts] == ["failed", "connected"]


def test_all_addresses_refused_is_502(proxy, stage, dns):
    """connection_refused when nobody listens, with all attempts in the record."""
    origin = stage.origin([])
    origin.stop_listening()
    dns.add("down.test", a=["127.0.0.1", "127.0.0.2"])
    got = ask(proxy, "down.test", origin.port)
    assert got.status == 502 and "connection_refused" in got.get("Proxy-Status")
    assert [a["result"] for a in proxy.record().attempts] == ["failed", "failed"]


def test_localhost_comes_from_the_hosts_file(proxy, stage, dns):
    """The hosts table wins over the name server; RFC 6761 §6.3: localhost never leaves the machine."""
    origin = stage.origin(replies(FINE))
    assert ask(proxy, "localhost", origin.port).body == b"fine"
    assert proxy.record().dns["source"] == "hosts" and dns.asked("localhost") == []


def test_an_address_is_not_asked_for(proxy, stage, dns):
    """A literal has no DNS phase."""
    origin = stage.origin(replies(FINE))
    assert ask(proxy, "127.0.0.1", origin.port).body == b"fine"
    record = proxy.record()
    assert record.dns["source"] == "literal" and "dns" not in record.phases
    assert dns.questions == []


def test_search_lists_do_not_apply(proxy, dns):
    """A name with a dot is asked for as it is, and as nothing else."""
    ask(proxy, "www.missing.test", 80)
    assert {q[2] for q in dns.questions} == {"www.missing.test"}


@pytest.mark.parametrize("flags,status", [((), 200), (("--deny", "secret.corp.test"), 502)])
def test_a_search_list_is_no_way_around_a_refused_name(stage, dns, flags, status):
    """Where names are refused, a name without a dot is asked for as it is: rules see no other."""
    dns.add("secret.corp.test", a=["127.0.0.1"])
    origin = stage.origin(replies(FINE))
    proxy = stage.proxy(*flags, environment=clean_environment(LOCALDOMAIN="corp.test"))
    assert ask(proxy, "secret", origin.port).status == status
    assert bool(dns.asked("secret.corp.test")) == (status == 200)


def test_spelling_does_not_matter_to_the_cache(proxy, stage, dns):
    """Names are compared without case and final dot: RFC 4343."""
    dns.add("case.test", a=["127.0.0.1"])
    origin = stage.origin(replies_forever(ok(b"fine", "Connection: close")))
    for name in ("case.test", "CASE.Test", "case.test."):
        assert ask(proxy, name, origin.port).body == b"fine"
    assert len(dns.asked("case.test", "A")) == 1


def test_a_reset_client_does_not_break_a_shared_question(proxy, stage, dns):
    """One of two waiting clients leaves: the other gets its answer."""
    dns.add("slow.test", a=["127.0.0.1"], delay=0.3)
    origin = stage.origin(replies(FINE))
    first, second = proxy.connect(), stage.client(proxy.connect())
    for client in (first, second):
        client.send(request("GET", f"http://slow.test:{origin.port}/"))
    dns.wait_asked("slow.test", "A")
    first.reset()
    assert second.read_response().body == b"fine"
    wait_until(lambda: len(proxy.log_lines()) >= 1, "a record")
