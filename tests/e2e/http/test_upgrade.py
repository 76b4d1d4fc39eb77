"""Upgrades (WebSocket and others) that become tunnels."""
import base64
import hashlib
import os

from support.message import ok, request
from support.origin import replies
from support.shows import shows

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
         b"Sec-WebSocket-Accept: %s\r\n\r\n"
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def websocket(conn):
    head = conn.read_request()
    assert "upgrade" in head.tokens("Connection") and head.get("Upgrade") == "websocket"
    digest = hashlib.sha1(head.get("Sec-WebSocket-Key").encode() + MAGIC).digest()
    conn.send(SWITCH % base64.b64encode(digest) + b"early")
    while conn.buffer or conn.fill(3600):
        conn.send(conn.take(len(conn.buffer)))
    conn.half_close()


def ask_upgrade(origin, more=b""):
    key = base64.b64encode(os.urandom(16)).decode()
    return request("GET", origin.url + "/chat", "Connection: keep-alive, Upgrade", "Upgrade: websocket",
                   "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}") + more


@shows("9110-7.8-2", "9110-7.8-6")
def test_a_websocket_becomes_a_tunnel(door, stage):
    """101 passes with Upgrade, then bytes flow both ways, early ones too: RFC 9110 §7.8, RFC 6455 §4."""
    origin = stage.origin(websocket)
    with door.connect() as client:
        client.send(ask_upgrade(origin))
        got = client.read_head()
        assert got.status == 101 and got.get("Upgrade") == "websocket"
        assert "upgrade" in got.tokens("Connection")
        assert client.read(5) == b"early"
        client.send(b"ping" * 1000)
        assert client.read(4000) == b"ping" * 1000
        client.half_close()
        client.expect_end("fin")
    record = door.proxy.record()
    assert record.kind == "upgrade" and record.status == 101
    assert record.mark("t_open") <= record.mark("t_up")


def test_a_declined_upgrade_is_an_exchange(proxy, stage):
    """An origin may ignore Upgrade: RFC 9110 §7.8. The connections go on."""
    origin = stage.origin(replies(ok(b"plain"), ok(b"next")))
    with proxy.connect() as client:
        assert client.ask(ask_upgrade(origin)).body == b"plain"
        assert client.ask(request("GET", origin.url + "/")).body == b"next"
    assert [r.kind for r in proxy.records(2)] == ["exchange", "exchange"]


@shows("9110-7.8-3")
def test_a_101_that_nobody_asked_for_is_502(proxy, stage):
    """RFC 9110 §15.2.2: a server must not switch without having been asked."""
    origin = stage.origin(replies(SWITCH % b"x"))
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).status == 502


def test_h2c_is_not_offered_on(proxy, stage):
    """Upgrade: h2c and HTTP2-Settings are not forwarded: RFC 9113 §3.1 (obsolete), RFC 7540 §3.2.1."""
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        client.ask(request("GET", origin.url + "/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
                           "HTTP2-Settings: AAMAAABkAAQAAP__"))
    assert not origin.requests[0].has("HTTP2-Settings")
    assert "http2-settings" not in origin.requests[0].tokens("Connection")
