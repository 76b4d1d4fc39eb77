"""PROXY protocol: on listeners that are configured for it, from configured senders, both versions."""
import re
import socket
import struct

import pytest

from support.bounds import wait_until
from support.message import ok, request
from support.origin import echoes, replies_forever
from support.wire import connect

SENDER, STRANGER = "127.0.0.2", "127.0.0.3"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
V1_SIX = b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n"


def v2(client, port, tlvs=b"", command=0x21):
    """A version 2 header for TCP; `command` 0x20 is LOCAL."""
    six = ":" in client
    family = socket.AF_INET6 if six else socket.AF_INET
    addresses = socket.inet_pton(family, client) + socket.inet_pton(family, "::2" if six else "198.51.100.1")
    body = addresses + struct.pack(">HH", port, 443) + tlvs
    return SIGNATURE + bytes([command, 0x21 if six else 0x11]) + struct.pack(">H", len(body)) + body


def tlv(kind, value):
    return struct.pack(">BH", kind, len(value)) + value


TLVS = tlv(0x02, b"authority.test") + tlv(0x05, b"id" * 60) + tlv(0x04, b"\0" * 200)

HEADERS = {"v1": (V1, "192.0.2.7:56324"),
           "v1-ipv6": (V1_SIX, "[2001:db8::1]:56324"),
           "v2": (v2("192.0.2.8", 4711), "192.0.2.8:4711"),
           "v2-ipv6": (v2("2001:db8::8", 4711), "[2001:db8::8]:4711"),
           "v2-tlvs": (v2("192.0.2.8", 4711, TLVS), "192.0.2.8:4711")}
KEEPING = {"v1-unknown": b"PROXY UNKNOWN\r\n",
           "v1-unknown-with-text": b"PROXY UNKNOWN ffff:f::ffff ffff:f::ffff 65535 65535\r\n",
           "v2-local": v2("192.0.2.8", 4711, command=0x20),
           "v2-unspecified": SIGNATURE + b"\x21\0\0\0",
           "v2-unix": SIGNATURE + b"\x21\x31\0\xd8" + b"/run/a.sock".ljust(108, b"\0") * 2}
WRONG = {"none": request("GET", "http://a.test/"),
         "no-such-family": b"PROXY TCP5 192.0.2.7 198.51.100.1 56324 443\r\n",
         "lower-case": b"proxy TCP4 192.0.2.7 198.51.100.1 56324 443\r\n",
         "address": b"PROXY TCP4 192.0.2.777 198.51.100.1 56324 443\r\n",
         "port": b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
         "too-few": b"PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",
         "bare-newline": b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\n" + b"x" * 100,
         "too-long": b"PROXY UNKNOWN " + b"x" * 200,
         "v2-version": SIGNATURE + b"\x31\x11\0\x0c" + b"\0" * 12,
         "v2-command": SIGNATURE + b"\x2f\x11\0\x0c" + b"\0" * 12,
         "v2-short": SIGNATURE + b"\x21\x11\0\x04" + b"\0" * 4,
         "v2-endless": SIGNATURE + b"\x21\x11\xff\xff" + b"\0" * 3000}


def counted(proxy):
    """PROXY headers read, and failed."""
    text = proxy.ask_admin("/metrics").body.decode()
    return tuple(int(re.search(rf"^fairlead_client_proxy_{name}_total (\d+)$", text, re.MULTILINE).group(1))
                 for name in ("headers", "header_failures"))


@pytest.fixture
def start(stage, certs, folder):
    """Starts a proxy with a clear and a TLS listener that expect a header from the sender."""
    def run(*flags, more=""):
        file = folder / "fairlead.yaml"
        file.write_text(f"""
listen:
  - address: 127.0.0.1:0
    proxy_protocol: {{from: [{SENDER}/32]}}
  - address: 127.0.0.1:0
    proxy_protocol: {{from: [{SENDER}]}}
    tls: {{certificate: {certs.server}, key: {certs.server_key}}}
{more}""")
        return stage.proxy("-c", file, *flags, listen=None, listeners=2)
    return run


@pytest.fixture(params=["clear", "tls"])
def enter(request, certs, start):
    """Connects through either listener: the header first, and TLS after it."""
    proxy = start()
    context = certs.client_context() if request.param == "tls" else None

    def run(header, source=SENDER):
        return proxy.connect(tls=context, source=source, first=header)
    run.proxy = proxy
    return run


@pytest.mark.parametrize("name", HEADERS)
def test_the_header_says_who_the_client_is(enter, stage, name):
    """The record's client is the header's, on the clear listener and, before TLS begins, on the other."""
    header, client_text = HEADERS[name]
    origin = stage.origin(replies_forever(ok(b"fine")))
    with enter(header) as client:
        for _ in range(2):
            assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    assert [record["client"] for record in enter.proxy.records(2)] == [client_text] * 2


@pytest.mark.parametrize("name", KEEPING)
def test_a_header_without_addresses_keeps_the_connections(enter, stage, name):
    """UNKNOWN, LOCAL (health checks), AF_UNSPEC and AF_UNIX: the client is whoever connected."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    with enter(KEEPING[name]) as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
        own = "%s:%d" % client.sock.getsockname()
    assert enter.proxy.record()["client"] == own


def test_a_tunnel_has_the_headers_client(enter, stage):
    """CONNECT behind a header."""
    origin = stage.origin(echoes)
    with enter(V1) as client:
        client.send(request("CONNECT", origin.authority))
        assert client.read_head().status == 200
        client.send(b"ping")
        assert client.read(4) == b"ping"
        client.half_close()
        client.expect_end("fin")
    assert enter.proxy.record()["client"] == "192.0.2.7:56324"


@pytest.mark.parametrize("name", ["v1", "v2-tlvs"])
def test_the_header_may_come_in_pieces(start, stage, name):
    """Header and request cut into single bytes: nothing is read too early or too far."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    header, client_text = HEADERS[name]
    proxy = start()
    with proxy.connect(source=SENDER) as client:
        for byte in header + request("GET", origin.url + "/"):
            client.send(bytes([byte]))
        assert client.read_response().body == b"fine"
    assert proxy.record()["client"] == client_text


@pytest.mark.parametrize("name", ["v1", "v2"])
def test_header_and_request_may_come_in_one_piece(start, stage, name):
    """What follows the header in the same segment is the request."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    header, client_text = HEADERS[name]
    proxy = start()
    with proxy.connect(source=SENDER) as client:
        client.send(header + request("GET", origin.url + "/"))
        assert client.read_response().body == b"fine"
    assert proxy.record()["client"] == client_text


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_header_is_closed_and_said(start, name):
    """A configured sender that sends no valid header gets no answer, only an end; it is counted, and stderr says
    why."""
    proxy = start()
    with proxy.connect(source=SENDER) as client:
        client.send(WRONG[name])
        client.expect_end("rst", "fin")
    why = "it is too long" if name == "v2-endless" else "what came is none"
    proxy.wait_line(rf"notice: PROXY header of client {SENDER}:\d+ failed: {why}")
    assert counted(proxy) == (0, 1)


@pytest.mark.parametrize("data", [b"", V1, request("GET", "http://a.test/")], ids=["none", "header", "request"])
def test_a_stranger_is_closed_and_said(enter, data):
    """Who is not configured may not say who the client is, nor speak without a header; nobody waits for it."""
    with connect(enter.proxy.address, source=STRANGER, first=data) as client:
        client.expect_end("rst", "fin")
    enter.proxy.wait_line(rf"PROXY header of client {STRANGER}:\d+ failed: its sender is not configured")
    assert counted(enter.proxy) == (0, 1)


def test_a_header_that_never_ends_is_given_up(start):
    """timeouts.client_head bounds the wait for the header as well; that is counted and said too."""
    proxy = start("--timeout", "client_head=200ms")
    for part in (V1[:20], b""):
        with proxy.connect(source=SENDER) as client:
            client.send(part)
            client.expect_end("rst", "fin")
    assert counted(proxy) == (0, 2)
    wait_until(lambda: sum("failed: it did not arrive in time" in line for line in proxy.lines) == 2, "both lines")


def test_a_look_whether_somebody_listens_is_no_failure(start, stage):
    """A balancer that connects and closes is neither counted nor said; headers that are read are counted."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    proxy = start()
    with proxy.connect(source=SENDER) as client:
        client.half_close()
        client.expect_end("rst", "fin")
    with proxy.connect(source=SENDER, first=V1) as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    assert counted(proxy) == (1, 0) and "PROXY" not in proxy.stderr


def test_the_headers_client_must_be_allowed(start, stage):
    """clients.allow is asked about the header's client, not about the sender."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    proxy = start(more="clients: {allow: [192.0.2.0/24]}\n")
    with proxy.connect(source=SENDER, first=V1) as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    with proxy.connect(source=SENDER, first=V1_SIX) as client:
        client.expect_end("rst", "fin")
    proxy.record()


def test_other_listeners_know_no_header(proxy):
    """A PROXY header on a listener that is not configured for it is no HTTP: 400."""
    with proxy.connect() as client:
        client.send(V1 + request("GET", "http://a.test/"))
        assert client.read_response().status == 400
