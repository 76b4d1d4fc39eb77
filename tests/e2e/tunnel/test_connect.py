"""CONNECT: how a tunnel opens."""
import pytest

from support.bounds import Cue
from support.message import ok, request
from support.origin import echoes, replies
from support.shows import shows
from support.wire import TlsWire


def open_tunnel(client, origin, more=b""):
    """Ask for a tunnel and read the answer's head alone."""
    client.send(request("CONNECT", origin.authority) + more)
    return client.read_head()


@shows("9110-9.3.6-5", "9110-8.6-6", "9112-6.1-6")
def test_the_200_has_no_framing(door, stage):
    """A 2xx to CONNECT carries neither Content-Length nor Transfer-Encoding: RFC 9110 §9.3.6."""
    origin = stage.origin(echoes)
    with door.connect() as client:
        got = open_tunnel(client, origin)
        assert got.status == 200
        assert not got.has("Content-Length") and not got.has("Transfer-Encoding")
        client.send(b"ping")
        assert client.read(4) == b"ping"
        client.half_close()
        client.expect_end("fin")


def test_early_bytes_are_kept(door, stage):
    """What the client sends before the 200 reaches the origin first: RFC 9110 §9.3.6."""
    origin = stage.origin(echoes)
    with door.connect() as client:
        assert open_tunnel(client, origin, b"early bird").status == 200
        client.send(b" and more")
        assert client.read(19) == b"early bird and more"


def test_a_whole_exchange_before_the_200_is_kept(door, stage):
    """Request, bytes and end of file in one go: all of it is delivered in order."""
    origin = stage.origin(echoes)
    with door.connect() as client:
        client.send(request("CONNECT", origin.authority) + b"x" * 5000)
        client.half_close()
        assert client.read_head().status == 200
        assert client.read_to_end() == b"x" * 5000 and client.end == "fin"


def test_a_server_may_speak_first(door, stage):
    """Bytes of the origin that come before any of the client's are passed on behind the 200."""
    def greets(conn):
        conn.send(b"220 ready\r\n")
        conn.hold()

    origin = stage.origin(greets)
    with door.connect() as client:
        assert open_tunnel(client, origin).status == 200
        assert client.read(11) == b"220 ready\r\n"


@pytest.mark.parametrize("host", [None, "", "other.test:1"])
def test_host_of_connect_does_not_matter(proxy, stage, host):
    """The authority-form decides: RFC 9112 §3.2.3. (An empty Host field is allowed, none at all is not.)"""
    origin = stage.origin(echoes)
    value = origin.authority if host is None else host
    with proxy.connect() as client:
        client.send(f"CONNECT {origin.authority} HTTP/1.1\r\nHost: {value}\r\n\r\n".encode())
        assert client.read_head().status == 200


def test_a_1_0_client_gets_a_tunnel(proxy, stage):
    """CONNECT in HTTP/1.0 works as it always did."""
    origin = stage.origin(echoes)
    with proxy.connect() as client:
        client.send(request("CONNECT", origin.authority, version="HTTP/1.0", host=""))
        assert client.read_head().status == 200
        client.send(b"ping")
        assert client.read(4) == b"ping"


def test_nothing_of_the_request_reaches_the_origin(proxy, stage):
    """A tunnel carries the client's bytes and no others."""
    origin = stage.origin(lambda conn: conn.hold())
    with proxy.connect() as client:
        assert open_tunnel(client, origin).status == 200
        client.half_close()
        origin.wait_connections(1)
    stage.proxies[0].record()
    assert origin.connections[0].received == 0


def test_tls_passes_through_untouched(door, stage, certs):
    """A TLS connection from end to end through the tunnel; the proxy has no part in it."""
    origin = stage.origin(replies(ok(b"secret")), tls=True)
    client = stage.client(door.connect())
    assert open_tunnel(client, origin).status == 200
    if door.name == "clear":
        inner = TlsWire(client.sock, certs.client_context(), "localhost")
        assert inner.ask(request("GET", "/", host="localhost")).body == b"secret"
    else:
        client.send(b"\x16\x03\x01\x00\x05hello")  # an alert comes back through both layers
        assert client.read_to_end()[:1] == b"\x15"
        origin.wait_failure()


def test_a_tunnel_by_name(stage, dns):
    """The name is resolved, and the record says how."""
    dns.add("origin.test", a=["127.0.0.1"])
    origin = stage.origin(echoes)
    proxy = stage.proxy()
    with proxy.connect() as client:
        client.send(request("CONNECT", f"origin.test:{origin.port}"))
        assert client.read_head().status == 200
        client.half_close()
        client.expect_end("fin")
    record = proxy.record()
    assert (record.kind, record.status, record.method) == ("tunnel", 200, "CONNECT")
    assert record.dns["source"] == "query" and "dns" in record.phases


def test_a_refused_connection_is_502(proxy, stage):
    """RFC 9209 connection_refused."""
    origin = stage.origin([])
    origin.stop_listening()
    with proxy.connect() as client:
        got = client.ask(request("CONNECT", origin.authority))
        assert got.status == 502 and "connection_refused" in got.get("Proxy-Status")
    assert proxy.record().error == "connection_refused"


@pytest.mark.parametrize("target,status", [("10.0.0.1:443", 403), (None, 502)])
def test_what_follows_a_refused_connect_is_no_request(door, stage, target, status):
    """Bytes sent for the tunnel before its answer may be anybody's: the connection ends unread."""
    gone, alive = stage.origin([]), stage.origin(replies(ok(b"alive")))
    gone.stop_listening()
    with door.connect() as client:
        client.send(request("CONNECT", target or gone.authority) + request("GET", alive.url + "/"))
        got = client.read_response("CONNECT")
        assert got.status == status and got.tokens("Connection") == ["close"]
        assert client.read_to_end() == b""
    door.proxy.record()
    assert alive.requests == []


def test_a_tunnel_follows_an_exchange(proxy, stage):
    """CONNECT on a connection that was used before."""
    web, tunnel = stage.origin(replies(ok(b"fine"))), stage.origin(echoes)
    with proxy.connect() as client:
        assert client.ask(request("GET", web.url + "/")).body == b"fine"
        assert open_tunnel(client, tunnel).status == 200
        client.send(b"ping")
        assert client.read(4) == b"ping"


def test_a_request_glued_before_a_connect_is_answered_first(door, stage):
    """A request, a CONNECT and bytes of its tunnel in one piece: each goes where it belongs, in order."""
    web, tunnel = stage.origin(replies(ok(b"fine"))), stage.origin(echoes)
    with door.connect() as client:
        client.send(request("GET", web.url + "/") + request("CONNECT", tunnel.authority) + b"early")
        assert client.read_response().body == b"fine"
        assert client.read_head().status == 200
        client.send(b" and late")
        assert client.read(14) == b"early and late"
    assert len(web.requests) == 1


def test_requests_glued_behind_a_connect_are_the_tunnels(door, stage):
    """What stands behind a CONNECT belongs to its tunnel, also where it looks like requests to the proxy: neither is
    read here, and every byte arrives as it was."""
    web, tunnel = stage.origin([]), stage.origin(echoes)
    inner = request("GET", web.url + "/") + request("CONNECT", web.authority)
    with door.connect() as client:
        client.send(request("CONNECT", tunnel.authority) + inner)
        assert client.read_head().status == 200
        assert client.read(len(inner)) == inner
        client.half_close()
        client.expect_end("fin")
    assert door.proxy.record().kind == "tunnel" and web.connections == []


def test_many_tunnels_at_once(proxy, stage):
    """200 tunnels, each with its own bytes."""
    origin = stage.origin(echoes)
    clients = [stage.client(proxy.connect()) for _ in range(200)]
    for client in clients:
        client.send(request("CONNECT", origin.authority))
    for number, client in enumerate(clients):
        assert client.read_head().status == 200
        client.send(b"%06d" % number)
    for number, client in enumerate(clients):
        assert client.read(6) == b"%06d" % number
        client.half_close()
        client.expect_end("fin")
    proxy.records(200)


def test_a_client_that_leaves_during_the_dial_ends_it(stage, dns):
    """When the client goes away while its name is looked up, nothing is dialled and the record says who ended it."""
    dns.add("slow.test", a=["127.0.0.1"], delay=0.3)
    origin = stage.origin([])
    proxy = stage.proxy()
    client = proxy.connect()
    client.send(request("CONNECT", f"slow.test:{origin.port}"))
    dns.wait_asked("slow.test")
    client.reset()
    assert proxy.record().ended_by == "client"
    assert origin.connections == []


def test_both_ends_may_wait(proxy, stage):
    """A silent tunnel stays open and a late byte passes."""
    cue = Cue()

    def waits(conn):
        cue.wait()
        conn.send(b"late")
        conn.hold()

    origin = stage.origin(waits)
    with proxy.connect() as client:
        assert open_tunnel(client, origin).status == 200
        client.expect_quiet()
        cue.give()
        assert client.read(4) == b"late"
