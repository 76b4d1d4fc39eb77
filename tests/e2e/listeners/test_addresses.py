"""Listeners on IPv6 and on Unix sockets, and origins on IPv6."""
import os
import select
import stat
import subprocess

import pytest

from support.bounds import BOUND, Cue
from support.message import ok, request
from support.origin import echoes, replies_forever
from support.programs import need
from support.site import pattern
from support.wire import connect


@pytest.fixture
def origin(stage):
    return stage.origin(replies_forever(ok(b"fine")))


def play_tunnel(client, origin):
    client.send(request("CONNECT", origin.authority))
    assert client.read_head().status == 200
    client.send(b"ping")
    assert client.read(4) == b"ping"
    client.half_close()
    client.expect_end("fin")


@pytest.fixture(params=["clear", "tls"])
def six(request, stage, certs):
    """Connects over IPv6, in clear or over TLS."""
    flags = ["--listen-tls", "[::1]:0", "--tls-cert", certs.server, "--tls-key", certs.server_key]
    proxy = stage.proxy(*flags, listen="[::1]:0", listeners=2)
    context = certs.client_context() if request.param == "tls" else None

    def run():
        return proxy.connect(tls=context, server_hostname="::1")
    run.proxy = proxy
    return run


def test_a_client_and_an_origin_on_ipv6(six, stage):
    """[::1] on both sides, as listener, in the target and in the record: RFC 3986 §3.2.2."""
    origin = stage.origin(replies_forever(ok(b"fine")), host="::1")
    with six() as client:
        own = "[%s]:%d" % client.sock.getsockname()[:2]
        assert client.ask(request("GET", f"http://[::1]:{origin.port}/")).body == b"fine"
    record = six.proxy.record()
    assert record["client"] == own and record["listener"].startswith("[::1]:")
    assert record["upstream"] == origin.authority and record["source"].startswith("[::1]:")
    assert origin.requests[0].get("Host") == f"[::1]:{origin.port}"


def test_a_tunnel_over_ipv6(six, stage):
    """CONNECT to an address in brackets: RFC 9110 §9.3.6."""
    origin = stage.origin(echoes, host="::1")
    with six() as client:
        play_tunnel(client, origin)
    record = six.proxy.record()
    assert (record.kind, record.url, record["upstream"]) == ("tunnel", origin.authority, origin.authority)


def test_ipv6_client_ipv4_origin_and_back(six, stage, proxy, origin):
    """The families of both sides are independent."""
    with six() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    other = stage.origin(replies_forever(ok(b"other")), host="::1")
    with proxy.connect() as client:
        assert client.ask(request("GET", other.url + "/")).body == b"other"
    assert proxy.record()["upstream"] == other.authority


def test_a_name_with_an_ipv6_address_alone(stage, dns, proxy):
    """AAAA and no A."""
    origin = stage.origin(replies_forever(ok(b"fine")), host="::1")
    dns.add("six.test", aaaa=["::1"])
    with proxy.connect() as client:
        assert client.ask(request("GET", f"http://six.test:{origin.port}/")).body == b"fine"
    assert proxy.record()["upstream"] == origin.authority


# ---- Unix sockets
@pytest.fixture
def unix(stage, folder):
    """A proxy on a Unix socket and nowhere else."""
    place = folder / "sockets"
    place.mkdir()
    place.chmod(0o777)
    return stage.proxy(listen=f"unix:{place / 'proxy.sock'}")


def test_requests_over_a_unix_socket(unix, origin, stage):
    """Absolute-form, persistence and CONNECT work as over TCP; the record has no client address."""
    with connect(unix.address) as client:
        for _ in range(2):
            assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    with connect(unix.address) as client:
        play_tunnel(client, stage.origin(echoes))
    found = unix.records(3)
    assert all("client" not in record.json for record in found)
    assert sorted(record.kind for record in found) == ["exchange", "exchange", "tunnel"]


@pytest.mark.parametrize("kind,value", [("x-forwarded", "unknown"), ("forwarded", "for=unknown")])
def test_a_unix_client_is_forwarded_as_unknown(stage, origin, folder, kind, value):
    """RFC 7239 §6.2: a client without an address is "unknown" to the origin."""
    place = folder / "sockets"
    place.mkdir()
    place.chmod(0o777)
    file = folder / "fairlead.yaml"
    file.write_text(f"listen: ['unix:{place / 'proxy.sock'}']\nforwarded: {kind}\n")
    proxy = stage.proxy("-c", file, listen=None, listeners=1)
    with connect(proxy.address) as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    assert origin.requests[0].get("X-Forwarded-For" if kind == "x-forwarded" else "Forwarded") == value


def test_many_clients_on_a_unix_socket(unix, origin):
    """The workers share one descriptor of it; clients that come at once are all served."""
    clients = [connect(unix.address) for _ in range(64)]
    for client in clients:
        client.send(request("GET", origin.url + "/"))
    for client in clients:
        assert client.read_response().body == b"fine"
        client.close()
    unix.records(64)


@pytest.mark.parametrize("answers", [False, True], ids=["silent", "answered"])
def test_what_a_unix_client_sent_before_it_closed_arrives(unix, stage, answers):
    """A close that is no reset loses nothing of the tunnel's other direction, not even where it is answered."""
    data, closed, got = pattern(400_000), Cue(), []

    def reads_late(conn):
        closed.wait()
        if answers:
            conn.send(b"to nobody")
        got.append((conn.read_to_end(), conn.end))

    origin = stage.origin(reads_late)
    client = connect(unix.address)
    client.send(request("CONNECT", origin.authority))
    assert client.read_head().status == 200
    client.send(data)
    client.close()
    closed.give()
    record = unix.record()
    assert got == [(data, "fin")]
    assert record.end == "done" and record.bytes["request_body"] == len(data)


def test_a_reset_of_a_unix_client_is_a_reset(unix, stage):
    """A client that closes without reading what waits for it resets the origin's connection."""
    origin = stage.origin(lambda conn: (conn.read(2), conn.send(b"unread"), conn.hold()))
    client = connect(unix.address)
    client.send(request("CONNECT", origin.authority))
    assert client.read_head().status == 200
    client.send(b"go")
    assert select.select([client.sock], [], [], BOUND)[0]
    client.close()
    assert unix.record().end == "rst"


def test_a_unix_socket_is_private(unix):
    """Mode 0600 by default."""
    mode = os.stat(unix.address).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


def test_curl_over_a_unix_socket(unix, origin, folder):
    """curl --unix-socket with --request-target, since it has no other way to a proxy on a Unix socket."""
    done = subprocess.run([need("curl", "curl"), "-sS", "--max-time", "10", "--unix-socket", unix.address,
                           "--request-target", origin.url + "/x", "-H", f"Host: {origin.authority}",
                           origin.url + "/x"], capture_output=True, timeout=30)
    assert done.returncode == 0 and done.stdout == b"fine", done
    assert unix.record().url == origin.url + "/x"
