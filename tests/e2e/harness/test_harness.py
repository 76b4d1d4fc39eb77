"""The harness itself: origin, client, name server and certificates without a proxy between them."""
import hashlib
import os
import socket
import struct

import pytest

from support.bounds import Late
from support.dns import encode_name
from support.message import chunked, ok, request
from support.origin import echoes, replies
from support.wire import connect


def reach(origin, certs):
    context = certs.client_context() if origin.tls else None
    return connect((origin.host, origin.port), tls=context)


@pytest.fixture(params=[False, True], ids=["clear", "tls"])
def is_tls(request):
    return request.param


def test_an_origin_answers_and_keeps_what_it_saw(stage, certs, is_tls):
    """A script reads requests by framing and answers in order."""
    origin = stage.origin(replies(ok(b"one"), ok(chunked(b"t", b"wo", trailers=["X-End: 1"]),
                                                 "Transfer-Encoding: chunked", length=False)), is_tls)
    with reach(origin, certs) as client:
        first = client.ask(request("POST", "/a", "X-Odd:  v ", body=b"body", host="h"))
        second = client.ask(request("GET", "/b", host="h"))
    assert (first.status, first.body, first.framing) == (200, b"one", "length")
    assert (second.body, second.chunks, second.trailers) == (b"two", [b"t", b"wo"], [("X-End", "1")])
    seen = origin.wait_requests(2)
    assert [r.target for r in seen] == ["/a", "/b"] and seen[0].body == b"body"
    assert seen[0].names() == ["Host", "X-Odd", "Content-Length"]


def test_half_close_passes_each_way(stage, certs, is_tls):
    """A half-closed end can still read."""
    origin = stage.origin(echoes, is_tls)
    blob = os.urandom(300_000)
    with reach(origin, certs) as client:
        client.send(blob)
        client.half_close()
        assert hashlib.sha256(client.read_to_end()).digest() == hashlib.sha256(blob).digest()
        assert client.end == "fin"


def test_a_reset_is_told_from_an_end(stage):
    """RST and FIN are different ends."""
    def resets(conn):
        conn.read_request()
        conn.reset()
    origin = stage.origin(resets)
    with connect((origin.host, origin.port)) as client:
        client.send(request("GET", "/", host="h"))
        client.expect_end("rst")


def test_a_wait_is_bounded(stage):
    """Nothing hangs: a read without bytes raises Late."""
    origin = stage.origin(lambda conn: conn.hold())
    with connect((origin.host, origin.port)) as client, pytest.raises(Late):
        client.fill(0.01)


def test_what_a_script_raises_is_kept(stage):
    """An assertion in an origin's thread fails the play."""
    def refuses(conn):
        conn.read_request()
        assert False, "not this one"
    origin = stage.origin(refuses)
    with connect((origin.host, origin.port)) as client:
        client.send(request("GET", "/", host="h"))
        client.expect_end()
    assert "not this one" in str(origin.wait_failure())


def query(port, name, kind=1, stream=False):
    data = b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0" + encode_name(name) + struct.pack(">HH", kind, 1)
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
    with sock:
        sock.settimeout(5)
        sock.connect(("127.0.0.1", port))
        sock.sendall(struct.pack(">H", len(data)) + data if stream else data)
        return sock.recv(4096)[2 if stream else 0:]


def test_the_name_server_answers_as_it_was_told(dns):
    """A, NXDOMAIN with SOA, truncation and TCP."""
    dns.add("a.test", a=["127.0.0.1", "127.0.0.2"])
    dns.add("cut.test", a=["127.0.0.1"], truncate=True)
    two = query(dns.port, "a.test")
    assert two[6:8] == b"\0\2" and two.endswith(b"\x7f\0\0\2")
    missing = query(dns.port, "no.test")
    assert missing[3] & 15 == 3 and missing[8:10] == b"\0\1"
    assert query(dns.port, "cut.test")[2] & 2
    assert query(dns.port, "cut.test", stream=True)[6:8] == b"\0\1"
    assert [(q[1], q[2]) for q in dns.questions] == [
        ("udp", "a.test"), ("udp", "no.test"), ("udp", "cut.test"), ("tcp", "cut.test")]
