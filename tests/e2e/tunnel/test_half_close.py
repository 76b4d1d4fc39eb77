"""How tunnels end: half-close, reset, limits. Nothing in flight is lost, in any order of events."""
import hashlib
import os
import threading

import pytest

from support.bounds import SLOW, Cue
from support.message import request
from support.origin import echoes
from support.shows import shows

SIZE = 20_000_000


def connected(client, origin):
    client.send(request("CONNECT", origin.authority))
    head = client.read_head()
    assert head.status == 200, head
    return client


@shows("9110-9.3.6-3")
def test_the_clients_end_passes_and_the_answer_comes(door, stage):
    """An end of file of the client reaches the origin behind the last byte; the reverse direction goes on."""
    seen, more = Cue(), Cue()

    def answers_after_the_end(conn):
        assert conn.read_to_end() == b"question" and conn.end == "fin"
        seen.give()
        for _ in range(3):
            more.wait()
            conn.send(b"answer")
        conn.half_close()

    origin = stage.origin(answers_after_the_end)
    with door.connect() as client:
        connected(client, origin).send(b"question")
        client.half_close()
        seen.wait()
        for _ in range(3):
            more.give()
            assert client.read(6) == b"answer"
        client.expect_end("fin")
    record = door.proxy.record()
    assert record.end == "done" or record.end == "fin"
    assert record.mark("x_fin_c") < record.mark("x_fin_u")


@shows("9110-9.3.6-3")
def test_the_origins_end_passes_and_the_client_goes_on(door, stage):
    """An end of file of the origin reaches the client; the client's bytes still pass."""
    got = []
    done = Cue()

    def speaks_then_listens(conn):
        conn.send(b"bye")
        conn.half_close()
        got.append((conn.read_to_end(), conn.end))
        done.give()

    origin = stage.origin(speaks_then_listens)
    with door.connect() as client:
        connected(client, origin)
        assert client.read_to_end() == b"bye" and client.end == "fin"
        for _ in range(3):
            client.send(b"still")
        client.half_close()
        done.wait()
    assert got == [(b"still" * 3, "fin")]
    record = door.proxy.record()
    assert record.mark("x_fin_u") < record.mark("x_fin_c")


def test_a_tunnel_stays_open_until_both_ends_closed(proxy, stage):
    """One end of file alone ends nothing: the origin's connection stays, the record is not written."""
    origin = stage.origin(lambda conn: conn.stay())
    with proxy.connect() as client:
        connected(client, origin).half_close()
        client.expect_quiet()
        assert proxy.log_lines() == []


@shows("9110-9.3.6-3")
def test_a_reset_of_the_client_reaches_the_origin(proxy, stage):
    """Resets become resets."""
    ended = []
    done = Cue()

    def sees(conn):
        conn.read_to_end()
        ended.append(conn.end)
        done.give()

    origin = stage.origin(sees)
    client = connected(proxy.connect(), origin)
    origin.wait_connections(1)
    client.reset()
    done.wait()
    assert ended == ["rst"]
    record = proxy.record()
    assert (record.end, record.ended_by) == ("rst", "client")


@shows("9110-9.3.6-3")
def test_a_reset_of_the_origin_reaches_the_client(door, stage):
    """Resets become resets; through TLS at least no orderly end."""
    cue = Cue()

    def resets(conn):
        cue.wait()
        conn.reset()

    origin = stage.origin(resets)
    with door.connect() as client:
        connected(client, origin)
        cue.give()
        client.read_to_end()
        assert client.end in (("rst",) if door.name == "clear" else ("rst", "cut"))
    record = door.proxy.record()
    assert (record.end, record.ended_by) == ("rst", "upstream")


def test_a_cut_tls_leg_is_no_orderly_end(stage, certs):
    """A client's TLS leg that ends without close_notify reaches the origin as a reset: RFC 8446 §6.1."""
    ended = []
    done = Cue()

    def sees(conn):
        conn.read_to_end()
        ended.append(conn.end)
        done.give()

    origin = stage.origin(sees)
    proxy = stage.proxy(tls=True)
    client = connected(proxy.connect(tls=certs.client_context()), origin)
    origin.wait_connections(1)
    client.sock.close()
    done.wait()
    assert ended == ["rst"]


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def test_20_mb_both_ways_at_once(door, stage):
    """Both directions at full speed, both hashes right, both ends exact."""
    up, down = os.urandom(SIZE), os.urandom(SIZE)
    got = []
    done = Cue()

    def both(conn):
        sender = threading.Thread(target=lambda: (conn.send(down, 60 * SLOW), conn.half_close()))
        sender.start()
        got.append(digest_of(conn.read_to_end(60 * SLOW)))
        sender.join()
        done.give()

    origin = stage.origin(both)
    with door.connect() as client:
        connected(client, origin)
        if door.name == "clear":
            sender = threading.Thread(target=lambda: (client.send(up, 60 * SLOW), client.half_close()))
            sender.start()
            answer = client.read_to_end(60 * SLOW)
            sender.join()
        else:
            client.send_while_reading(up, 60 * SLOW)
            client.half_close()
            answer = client.read_to_end(60 * SLOW)
        assert digest_of(answer) == digest_of(down) and client.end == "fin"
        done.wait()
    assert got == [digest_of(up)]
    record = door.proxy.record()
    assert record.bytes["upstream_out"] == SIZE and record.bytes["upstream_in"] == SIZE


@shows("9110-9.3.6-3")
def test_20_mb_down_and_the_end_at_once(door, stage):
    """The origin sends and closes at once; a client that starts to read late misses nothing."""
    down = os.urandom(SIZE)

    def sends(conn):
        conn.send(down, 60 * SLOW)
        conn.half_close()
        conn.hold()

    origin = stage.origin(sends)
    with door.connect(receive_buffer=4096) as client:
        connected(client, origin)
        client.pause()
        assert digest_of(client.read_to_end(60 * SLOW)) == digest_of(down)
        assert client.end == "fin"


def test_one_byte_at_a_time(door, stage):
    """Small writes are never lost or reordered."""
    origin = stage.origin(echoes)
    with door.connect() as client:
        connected(client, origin)
        for value in range(256):
            client.send(bytes([value]))
        assert client.read(256) == bytes(range(256))
        client.half_close()
        client.expect_end("fin")


def test_a_slow_reader_slows_the_sender(proxy, stage):
    """Back-pressure: a client that does not read stops the origin, memory stays bounded."""
    sent = []

    def pours(conn):
        conn.sock.settimeout(0.5 * SLOW)
        try:
            while sum(sent) < 200_000_000:
                sent.append(conn.sock.send(b"x" * 65536))
        except OSError:
            pass
        conn.hold()

    origin = stage.origin(pours)
    with proxy.connect(receive_buffer=4096) as client:
        connected(client, origin)
        origin.wait_connections(1)
        from support.bounds import wait_until
        count = [0]

        def settled():
            before, count[0] = count[0], len(sent)
            return sent and before == count[0]
        wait_until(settled, "the sender to be stopped", step=0.3)
    assert sum(sent) < 32_000_000


def test_an_idle_tunnel_ends(stage):
    """timeouts.tunnel_idle; a byte now and then keeps it."""
    proxy = stage.proxy("--timeout", "tunnel_idle=300ms")
    origin = stage.origin(echoes)
    with proxy.connect() as client:
        connected(client, origin)
        for _ in range(4):
            client.expect_quiet(0.15)
            client.send(b"x")
            assert client.read(1) == b"x"
        client.expect_end()
    record = proxy.record()
    assert record.end == "timeout" and record.ended_by == "proxy" and record.cause == "tunnel_idle"


@shows("9110-9.3.6-3")
def test_a_half_closed_tunnel_without_progress_ends(stage):
    """timeouts.tunnel_half_closed: only the open direction's progress counts."""
    proxy = stage.proxy("--timeout", "tunnel_half_closed=300ms")
    origin = stage.origin(lambda conn: conn.fill() or conn.stay())
    with proxy.connect() as client:
        connected(client, origin).half_close()
        client.expect_end()
    record = proxy.record()
    assert record.end == "timeout" and record.cause == "tunnel_half_closed"


def test_a_tunnel_has_a_lifetime(stage):
    """timeouts.tunnel_lifetime ends a busy tunnel as well."""
    proxy = stage.proxy("--timeout", "tunnel_lifetime=400ms")

    def babbles(conn):
        import time
        try:
            while True:
                conn.send(b"x")
                time.sleep(0.02)
        except OSError:
            pass

    origin = stage.origin(babbles)
    with proxy.connect() as client:
        connected(client, origin)
        client.read_to_end()
    record = proxy.record()
    assert record.end == "timeout" and record.cause == "tunnel_lifetime"


@pytest.mark.parametrize("size", [1, 65_536, 1_000_000])
def test_bytes_before_a_reset_of_the_origin_are_not_invented(proxy, stage, size):
    """What arrives before a reset is a true prefix of what was sent."""
    data = os.urandom(size)

    def sends(conn):
        conn.fill()
        conn.send(data)
        conn.reset()

    origin = stage.origin(sends)
    with proxy.connect() as client:
        connected(client, origin).send(b"go")  # a reset before the 200 would be answered with 502
        assert data.startswith(client.read_to_end())


def test_no_descriptor_is_left(proxy, stage):
    """Ends of every kind give back all descriptors."""
    from support.bounds import wait_until

    def ends(number):
        def script(conn):
            conn.fill()
            (conn.close, conn.reset, conn.half_close)[number]()
        return script

    origin = stage.origin([ends(n % 3) for n in range(30)])
    before = proxy.descriptors()
    for _ in range(30):
        with proxy.connect() as client:
            connected(client, origin).send(b"go")
            client.read_to_end()
    proxy.records(30)
    wait_until(lambda: proxy.descriptors() <= before + 8, "descriptors to be closed (pipes may stay)")
