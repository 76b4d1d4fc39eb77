"""egress.sni: what TLS inside a tunnel asks for is the host of the CONNECT, and nothing leaves before that is known."""
import socket
import ssl
import struct

import pytest

from support.admin import metric
from support.bounds import wait_until
from support.origin import echoes
from support.site import pattern
from support.sni import ALERT, got_nothing, hello, in_records, refused, tunnel

SSL2 = b"\x80\x1c\x01\x03\x01\0\x03\0\0\0\x10\0\0\x2f" + bytes(16)  # its hello, for TLS 1.0

pytestmark = pytest.mark.without_faults  # a refusal ends with an alert


def test_the_host_of_the_connect_passes_unchanged(stage, guarded):
    """The ClientHello arrives byte for byte, the record has its name, and the tunnel goes on."""
    origin = stage.origin(echoes)
    proxy = guarded("enforce")
    client = tunnel(stage, proxy, origin)
    said = hello("A.example")
    client.send(said)
    assert client.read(len(said)) == said
    client.send(b"more")
    assert client.read(4) == b"more"
    client.half_close()
    assert client.read_to_end() == b""
    assert proxy.record()["sni"] == "a.example"


def test_behind_its_hello_the_tunnel_is_spliced(stage, guarded):
    """What was held has passed, and bulk goes by the kernel as in any other tunnel."""
    proxy, part = guarded("enforce"), pattern(100_000)
    client = tunnel(stage, proxy, stage.origin(echoes))
    said = hello("a.example")
    client.send(said)
    assert client.read(len(said)) == said
    for _ in range(60):
        client.send(part)
        assert client.read(len(part)) == part
    assert metric(proxy, "splice_pipes") > 0


def test_it_passes_with_the_connect_and_in_pieces(stage, guarded):
    """Sent together with the CONNECT; one byte at a time; in records of one byte."""
    origin = stage.origin(echoes)
    proxy = guarded("enforce")
    said = hello("a.example")
    client = tunnel(stage, proxy, origin, extra=said)
    assert client.read(len(said)) == said
    client = tunnel(stage, proxy, origin)
    for at in range(len(said)):
        client.send(said[at:at + 1])
    assert client.read(len(said)) == said
    short = in_records(said, 7)
    client = tunnel(stage, proxy, origin)
    client.send(short)
    assert client.read(len(short)) == short


def test_another_name_is_refused(stage, guarded):
    """Domain fronting by SNI: the client hears a TLS alert, the origin nothing."""
    assert refused(stage, guarded, hello("b.example")) == "its SNI is b.example and not a.example"


def test_the_remedy_fits_what_was_wrong(stage, guarded):
    """Another name: that CONNECT; no TLS: a rule that does not ask for it."""
    for said, remedy in ((hello("b.example"), "ask for the CONNECT to b.example, or egress.sni: log"),
                         (b"SSH-2.0-x\r\n", "tls: optional in the rule that allows it, or egress.sni: log"),
                         (hello(None), "egress.sni: log")):
        refused(stage, guarded, said, hears=b"" if said.startswith(b"SSH") else ALERT)
        assert stage.proxies[-1].record(lambda r: r.kind == "tunnel")["remedy"] == remedy


def test_another_name_in_fragments_is_refused(stage, guarded):
    """ClientHello fragmentation: the name split over records of two bytes is read all the same."""
    assert "b.example" in refused(stage, guarded, in_records(hello("b.example"), 11))


def test_no_name_is_refused_for_a_name(stage, guarded):
    """A ClientHello without SNI says nothing of the host."""
    assert "names no host" in refused(stage, guarded, hello(None))


@pytest.mark.parametrize("said", [b"SSH-2.0-x\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0"],
                         ids=["ssh", "http", "nul"])
def test_what_is_no_tls_is_refused(stage, guarded, said):
    """From its first byte."""
    assert refused(stage, guarded, said, hears=b"") == "what came is not TLS"


def test_what_is_no_tls_passes_where_the_rule_says_so(stage, guarded):
    """tls: optional in the rule that let the CONNECT pass."""
    origin = stage.origin(echoes)
    proxy = guarded("enforce", text="policy: { rules: [{ name: ssh, to: [a.example], ports: [1-65535], tls: optional }] }")
    client = tunnel(stage, proxy, origin)
    client.send(b"SSH-2.0-x\r\n")
    assert client.read(11) == b"SSH-2.0-x\r\n"


@pytest.mark.parametrize("spoil", [
    lambda b: b[:3] + b"\0\0" + b[5:],                       # an empty record
    lambda b: b[:5] + b"\x02" + b[6:],                       # a ServerHello
    lambda b: b[:3] + struct.pack(">H", len(b) - 4) + b[5:] + b"\0",  # more behind it in the record
    lambda b: b.replace(b"a.example", b"a.e\0ample"),
    lambda b: b.replace(b"\0\x09a.example", b"\0\x0aa.example"),
    lambda b: b[:43] + b"\xff" + b[44:],                     # a session id beyond its end
], ids=["empty-record", "server-hello", "two-messages", "nul-in-name", "name-length", "session-length"])
def test_what_is_malformed_is_refused(stage, guarded, spoil):
    """Fail closed: what another parser may read differently does not pass."""
    assert "malformed" in refused(stage, guarded, spoil(hello("a.example")))


def test_what_is_too_long_is_refused(stage, guarded):
    """A ClientHello that says it is longer than 16 KiB, and one in more record heads than are held."""
    assert "longer" in refused(stage, guarded, b"\x16\x03\x01\x40\x00\x01\x00\xff\xff" + bytes(5000))
    assert "longer" in refused(stage, guarded, in_records(hello("a.example")[:5] + b"\x01\x00\x30\x00" + bytes(12000), 1))


def test_half_a_hello_and_the_end_is_refused(stage, guarded):
    """An end of file does not push what is held to the origin."""
    origin = stage.origin(lambda conn: conn.read_to_end())
    proxy = guarded("enforce")
    client = tunnel(stage, proxy, origin)
    client.send(hello("a.example")[:60])
    client.half_close()
    client.read_to_end()
    assert proxy.record()["detail"] == "the ClientHello did not come whole"
    assert got_nothing(origin)


def test_a_hello_has_its_time(stage, guarded):
    """Once it has begun it must come whole within timeouts.client_tls."""
    origin = stage.origin(lambda conn: conn.read_to_end())
    proxy = guarded("enforce", text="timeouts: { client_tls: 200ms }\n")
    client = tunnel(stage, proxy, origin)
    client.send(hello("a.example")[:60])
    with pytest.raises(ConnectionResetError):
        client.read_to_end()
        raise ConnectionResetError
    record = proxy.record()
    assert (record.end, record["cause"]) == ("timeout", "hello_timeout")


VERSIONS = {"clear": None, "tls12": ssl.TLSVersion.TLSv1_2, "tls13": ssl.TLSVersion.TLSv1_3}


def context_of(stage, way):
    return VERSIONS[way] and stage.certs.client_context(versions=(VERSIONS[way],) * 2)


@pytest.mark.parametrize("mode, said", [("enforce", b""), ("log", b""), ("log", hello("a.example")[:60])],
                         ids=["enforce", "log", "log-half"])
@pytest.mark.parametrize("way", VERSIONS)
def test_an_end_is_passed_on(stage, guarded, mode, way, said):
    """A client that says nothing and ends, or half a hello where that is let pass: the tunnel passes the end on."""
    origin = stage.origin(lambda conn: conn.read_to_end())
    proxy = guarded(mode, tls=True)
    client = tunnel(stage, proxy, origin, tls=context_of(stage, way))
    if said:
        client.send(said)
    client.half_close()
    assert client.read_to_end() == b""
    assert proxy.record().end == "done"
    conn = origin.wait_connections(1)[0]
    wait_until(lambda: conn.end, "the end at the origin")
    assert (conn.end, conn.received) == ("fin", len(said))


@pytest.mark.parametrize("way", ["tls12", "tls13"])
@pytest.mark.parametrize("mode", ["enforce", "log"])
def test_an_end_of_tls_without_close_notify_is_a_cut(stage, guarded, mode, way):
    """Also before the first byte: RFC 8446 §6.1."""
    origin = stage.origin(lambda conn: conn.read_to_end())
    proxy = guarded(mode, tls=True)
    client = tunnel(stage, proxy, origin, tls=context_of(stage, way))
    client.sock.shutdown(socket.SHUT_WR)
    record = proxy.record()
    assert (record.end, record.ended_by) == ("rst", "client")
    conn = origin.wait_connections(1)[0]
    wait_until(lambda: conn.end, "the end at the origin")
    assert (conn.end, conn.received) == ("rst", 0)


def test_the_origin_may_speak_first(stage, guarded):
    """Only bytes of the client are held."""
    origin = stage.origin(lambda conn: (conn.send(b"220 hello\r\n"), conn.read_to_end()))
    proxy = guarded("enforce")
    client = tunnel(stage, proxy, origin)
    assert client.read(11) == b"220 hello\r\n"


def test_log_lets_pass_and_tells(stage, guarded):
    """would_deny has egress.sni, and detail the reason."""
    origin = stage.origin(echoes)
    proxy = guarded("log")
    client = tunnel(stage, proxy, origin)
    said = hello("b.example")
    client.send(said)
    assert client.read(len(said)) == said
    client.half_close()
    client.read_to_end()
    record = proxy.record()
    assert (record["would_deny"], record["sni"], record.end) == ("egress.sni", "b.example", "done")


def test_nothing_of_it_stays(stage, guarded):
    """Buffers of held bytes are given back when the hello passed, and when it was refused."""
    from support.admin import metric
    origin = stage.origin(echoes)
    proxy = guarded("enforce", "--workers", "1")
    clients = [tunnel(stage, proxy, origin) for _ in range(20)]
    for client in clients[:10]:
        client.send(hello("a.example"))
    for client in clients[10:]:
        client.send(hello("b.example"))
        assert client.read_to_end() == ALERT
    for client in clients[:10]:
        client.read(100)
    wait_until(lambda: metric(proxy, "buffer_bytes") == 0, "the buffers to be given back")


@pytest.mark.parametrize("said", [b"\x15\x03\x01\x00\x02\x01\x00", b"\x14\x03\x01\x00\x01\x01", SSL2], ids=["alert", "ccs", "ssl2"])
def test_other_beginnings_of_tls_are_not_something_else(stage, guarded, said):
    """tls: optional opens what is not TLS, and not a TLS that is spelt oddly."""
    text = "policy: { rules: [{ name: ssh, to: [a.example], ports: [1-65535], tls: optional }] }"
    assert "malformed" in refused(stage, guarded, said, text=text, hears=b"")


def test_another_name_under_an_odd_version_is_refused(stage, guarded):
    """Servers take any minor version in the head of a record, and so does the guard."""
    said = hello("b.example")
    text = "policy: { rules: [{ name: ssh, to: [a.example], ports: [1-65535], tls: optional }] }"
    assert "b.example" in refused(stage, guarded, said[:2] + b"\x7f" + said[3:], text=text)


def test_log_waits_no_longer_than_it_may(stage, guarded):
    """Half a hello and silence: log lets it pass when the time is over."""
    origin = stage.origin(echoes)
    proxy = guarded("log", text="timeouts: { client_tls: 200ms }\n")
    client = tunnel(stage, proxy, origin)
    client.send(b"\x16\x03")
    assert client.read(2) == b"\x16\x03"
    client.half_close()
    client.read_to_end()
    assert proxy.record()["would_deny"] == "egress.sni"


def test_much_that_comes_with_the_connect_is_whole(stage, guarded):
    """What follows the hello in one segment with the CONNECT reaches the origin byte for byte."""
    origin = stage.origin(echoes)
    proxy = guarded("enforce")
    said = hello("a.example") + bytes(range(256)) * 200
    client = tunnel(stage, proxy, origin, extra=said)
    assert client.read(len(said)) == said
