"""egress.sni behind 101 (Switching Protocols): what a client sends in clear passes, and TLS that begins there is held
against the host of the request, as in a tunnel. So an upgrade is no way around the check."""
import pytest

from support.bounds import wait_until
from support.message import request
from support.origin import echoes
from support.sni import ALERT, hello, in_records

pytestmark = pytest.mark.without_faults  # a refusal ends with an alert

PROTOCOLS = ["websocket", "TLS/1.0", "h2c"]


def switches(then):
    """An accomplice: it switches to whatever it is asked for, then plays on."""
    def script(conn):
        head = conn.read_request()
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n"
                  % head.get("Upgrade").encode())
        conn.received_head = conn.received
        then(conn)
    return script


def upgraded(stage, proxy, origin, host="a.example", protocol="websocket", early=b""):
    client = stage.client(proxy.connect())
    client.send(request("GET", f"http://{host}:{origin.port}/deep?q", "Connection: Upgrade", f"Upgrade: {protocol}") + early)
    assert client.read_head().status == 101
    return client


def refused(stage, guarded, said, host="a.example", protocol="websocket", early=b"", hears=ALERT, **settings):
    origin = stage.origin(switches(lambda conn: conn.read_to_end()))
    proxy = guarded("enforce", **settings)
    client = upgraded(stage, proxy, origin, host, protocol, early)
    client.send(said)
    assert client.read_to_end() == hears
    record = proxy.record()
    assert (record.kind, record.end, record["cause"], record.rule) == ("upgrade", "refused", "sni_refused", "egress.sni")
    conn = origin.connections[0]
    wait_until(lambda: conn.end, "the end of the origin's connection")
    assert conn.received == conn.received_head, "no byte behind the request"
    return record["detail"]


def passes(stage, guarded, said, host="a.example", protocol="websocket", early=b"", mode="enforce", **settings):
    origin = stage.origin(switches(echoes))
    proxy = guarded(mode, **settings)
    client = upgraded(stage, proxy, origin, host, protocol, early)
    client.send(said)
    assert client.read(len(early + said)) == early + said
    client.half_close()
    client.read_to_end()
    return proxy.record()


@pytest.mark.parametrize("said", [b"\x81\x85\x01\x02\x03\x04hello", b"\x89\x80\0\0\0\0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                  b"\0", b"GET / HTTP/1.1\r\n\r\n"], ids=["frame", "ping", "h2c", "nul", "http"])
def test_what_is_no_tls_passes(stage, guarded, said):
    """WebSocket, h2c and others speak no TLS inside: there is no name to judge, and nothing is held."""
    record = passes(stage, guarded, said)
    assert (record.kind, record.end, record.get("sni"), record.get("would_deny")) == ("upgrade", "done", None, None)


def test_a_hello_of_ssl2_is_refused(stage, guarded):
    """Servers begin TLS with it, too, and it names nobody."""
    ssl2 = b"\x80\x1c\x01\x03\x01\0\x03\0\0\0\x10\0\0\x2f" + bytes(16)
    assert "malformed" in refused(stage, guarded, ssl2, hears=b"")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tls_with_another_name_is_refused(stage, guarded, protocol):
    """Whatever the client asked to switch to, and whoever agreed."""
    detail = refused(stage, guarded, hello("b.example"), protocol=protocol)
    assert detail == "its SNI is b.example and not a.example"


def test_tls_in_fragments_and_early_is_refused(stage, guarded):
    """Sent with the request, before anybody agreed, and in small records."""
    said = in_records(hello("b.example"), 11)
    assert "b.example" in refused(stage, guarded, said[40:], early=said[:40])


def test_tls_without_a_name_is_refused(stage, guarded):
    """It says nothing of the host."""
    assert "names no host" in refused(stage, guarded, hello(None), protocol="TLS/1.0")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tls_with_the_name_of_the_request_passes(stage, guarded, protocol):
    """RFC 2817 §3: TLS upgraded to within HTTP/1.1 is for the host that was asked."""
    assert passes(stage, guarded, hello("a.example"), protocol=protocol)["sni"] == "a.example"


def test_a_name_in_tls_to_an_address(stage, guarded):
    """It is judged as the same request to that name would be, by method and path too."""
    text = "policy: { rules: [{ name: deep, to: [a.example], path: [/deep], method: [GET], action: deny }] }"
    assert passes(stage, guarded, hello("a.example"), host="127.0.0.1")["sni"] == "a.example"
    assert "rule deep" in refused(stage, guarded, hello("a.example"), host="127.0.0.1", text=text)


def test_log_lets_pass_and_tells(stage, guarded):
    """would_deny has egress.sni."""
    assert passes(stage, guarded, hello("b.example"), mode="log")["would_deny"] == "egress.sni"


def test_off_looks_at_nothing(stage, guarded):
    """Without egress.sni there is no guard."""
    record = passes(stage, guarded, hello("b.example"), mode="off")
    assert (record.get("sni"), record.get("would_deny")) == (None, None)
