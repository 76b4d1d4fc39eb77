"""20 MB in either direction, in bulk and in single bytes; hashes tell whether all of it came through."""
import hashlib
import threading

import pytest

from support.bounds import SLOW
from support.message import ok, request
from support.site import pattern, sha256

COUNT = 20_000_000
PATIENT = 60 * SLOW  # seconds for 20 MB
BLOCK = pattern(1_000_000)
HASH = sha256(BLOCK * (COUNT // len(BLOCK)))
CHUNKS = (1, 16, 1000, 65_535, 65_536, 867_912)  # sizes that a block is cut into; their sum is its length
DROPS = pattern(3_000)


def pieces(framing):
    """20 MB as they go over the wire."""
    for _ in range(COUNT // len(BLOCK)):
        if framing != "chunked":
            yield BLOCK
            continue
        at = 0
        for size in CHUNKS:
            yield b"%x\r\n%s\r\n" % (size, BLOCK[at:at + size])
            at += size
        assert at == len(BLOCK)
    if framing == "chunked":
        yield b"0\r\n\r\n"


def fields(framing, count=COUNT):
    return {"length": [f"Content-Length: {count}"], "chunked": ["Transfer-Encoding: chunked"], "close": []}[framing]


def answers_hash(conn):
    """Answer a request with the hash of its body."""
    got = conn.read_request(PATIENT)
    conn.send(ok(sha256(got.body).encode()))
    conn.hold()


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_20_mb_down(door, stage, framing):
    """A response of 20 MB arrives whole however it is framed: RFC 9112 §6."""
    def sends(conn):
        conn.read_request()
        conn.send(ok(b"", *fields(framing), length=False))
        for piece in pieces(framing):
            conn.send(piece, PATIENT)
        if framing == "close":
            conn.half_close()
        conn.hold()

    origin = stage.origin(sends)
    with door.connect() as client:
        client.send(request("GET", origin.url + "/"))
        got = client.read_response(bound=PATIENT)
    assert (got.status, len(got.body), sha256(got.body)) == (200, COUNT, HASH)
    record = door.proxy.record()
    assert (record.kind, record.end, record.bytes["response_body"]) == ("exchange", "done", COUNT)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_20_mb_up(door, stage, framing):
    """A request body of 20 MB reaches the origin whole."""
    origin = stage.origin(answers_hash)
    with door.connect() as client:
        client.send(request("POST", origin.url + "/", *fields(framing)))
        for piece in pieces(framing):
            client.send(piece, PATIENT)
        got = client.read_response(bound=PATIENT)
    assert got.body.decode() == HASH and origin.requests[0].framing == framing
    record = door.proxy.record()
    assert (record.kind, record.end, record.bytes["request_body"]) == ("exchange", "done", COUNT)


def send_and_count(client, parts, total):
    """Send all parts while the same number of bytes comes back; the hash of what came."""
    if client.name == "tls":
        client.send_while_reading(b"".join(parts), PATIENT)
        return sha256(client.read(total, PATIENT))
    sender = threading.Thread(target=lambda: [client.send(part, PATIENT) for part in parts])
    sender.start()
    got = sha256(client.read(total, PATIENT))
    sender.join()
    return got


def echoes(conn):
    """Send back what comes, while it comes."""
    while conn.fill(PATIENT):
        conn.send(conn.take(len(conn.buffer)), PATIENT)
    conn.half_close()


def test_20_mb_both_ways_through_a_tunnel(door, stage):
    """20 MB go up while they come back; not a byte of either is lost."""
    origin = stage.origin(echoes)
    with door.connect(name=door.name) as client:
        assert client.ask(request("CONNECT", origin.authority)).status == 200
        assert send_and_count(client, list(pieces("close")), COUNT) == HASH
        client.half_close()
        client.expect_end("fin")
    record = door.proxy.record()
    assert (record.kind, record.bytes["request_body"], record.bytes["response_body"]) == \
        ("tunnel", COUNT, COUNT)


def test_20_mb_both_ways_in_one_exchange(door, stage):
    """An origin may answer while the request is still coming: RFC 9112 §9.5; both bodies pass whole."""
    def mirrors(conn):
        conn.read_request_head()
        conn.send(ok(b"", f"Content-Length: {COUNT}", length=False))
        left = COUNT
        while left:
            part = conn.read(min(left, 100_000), PATIENT)
            left -= len(part)
            conn.send(part, PATIENT)
        conn.hold()

    origin = stage.origin(mirrors)
    with door.connect(name=door.name) as client:
        client.send(request("POST", origin.url + "/", *fields("length")))
        total, head = hashlib.sha256(), None
        for piece in pieces("length"):  # the origin's answer is always one block behind
            client.send(piece, PATIENT)
            if head:
                total.update(client.read(len(piece), PATIENT))
            head = head or client.read_head(PATIENT)
        total.update(client.read(len(BLOCK), PATIENT))
    assert (head.status, total.hexdigest()) == (200, HASH)
    record = door.proxy.record()
    assert (record.end, record.bytes["request_body"], record.bytes["response_body"]) == ("done", COUNT, COUNT)


# ---- one byte at a time
def drip(wire, data):
    for at in range(len(data)):
        wire.send(data[at:at + 1])


def drops(framing):
    """The body in single bytes, or in chunks of one byte."""
    if framing == "length":
        return DROPS
    return b"".join(b"1\r\n%c\r\n" % byte for byte in DROPS[:1000]) + b"0\r\nX-Last: 1\r\n\r\n"


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_one_byte_at_a_time(door, stage, framing):
    """Heads, bodies and chunk framing may be cut anywhere, in both directions: RFC 9112 §2.2."""
    expected = DROPS if framing == "length" else DROPS[:1000]

    def drips(conn):
        got = conn.read_request()
        assert got.body == expected
        drip(conn, ok(b"", *fields(framing, len(expected)), length=False) + drops(framing))
        conn.hold()

    origin = stage.origin(drips)
    with door.connect() as client:
        drip(client, request("POST", origin.url + "/", *fields(framing, len(expected))) + drops(framing))
        got = client.read_response()
    assert (got.status, got.body) == (200, expected)
    assert door.proxy.record().end == "done"


def test_one_byte_at_a_time_through_a_tunnel(door, stage):
    """Each byte goes up and comes back before the next is sent."""
    origin = stage.origin(echoes)
    with door.connect() as client:
        drip(client, request("CONNECT", origin.authority))
        assert client.read_head().status == 200
        for at in range(0, 1000):
            client.send(DROPS[at:at + 1])
            assert client.read(1) == DROPS[at:at + 1]
        client.half_close()
        client.expect_end("fin")
    assert door.proxy.record().bytes["response_body"] == 1000
