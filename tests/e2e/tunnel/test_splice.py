"""Bulk through tunnels goes by splice(2) as long as there are kernel pipes, and by copy where there are none: in
either case every byte arrives."""
import contextlib
import os
import queue
import socket
from pathlib import Path

import pytest

from support.admin import in_own_network, metric, narrow_buffers
from support.bounds import BOUND, SLOW, wait_until
from support.message import request
from support.origin import echoes
from support.proxy import is_root
from support.shortage import Hoard
from support.site import pattern, sha256

PIPES_MAX = 128  # in use together, a worker: KERNEL_PIPES_MAX of src/proxy/kernel_pipe.h
SPARE_MAX = 16  # kept for the next: KERNEL_PIPES_SPARE
PART = pattern(100_000)
PATIENT = 20 * SLOW


def open_tunnel(stage, proxy, origin, **more):
    client = stage.client(proxy.connect(**more))
    client.send(request("CONNECT", origin.authority))
    assert client.read_head().status == 200
    return client


def echo_in_bulk(client, parts=60):
    """Parts large enough for splice go to and fro, one by one."""
    for _ in range(parts):
        client.send(PART)
        assert client.read(len(PART)) == PART


def splices_again(client, proxy):
    """The kernel is not asked at once for what it just refused."""
    for _ in range(20):
        echo_in_bulk(client)
        if metric(proxy, "splice_pipes") > 0:
            return True
    return False


def test_the_number_of_pipes_is_bounded(stage):
    """A hundred and sixty readers that stop at the same time use up the pipes; those without one lose nothing either."""
    count, data = 160, pattern(2_000_000)

    def pours(conn):
        conn.fill()
        conn.send(data, PATIENT)
        conn.half_close()
        conn.hold()

    def play():
        narrow_buffers()
        origin = stage.origin(pours)
        proxy = stage.proxy("--workers", "1")
        clients = [open_tunnel(stage, proxy, origin, receive_buffer=65536) for _ in range(count)]
        for client in clients:
            client.send(b"go")
        wait_until(lambda: metric(proxy, "splice_pipes") >= PIPES_MAX and metric(proxy, "buffer_bytes") > 0,
                   "pipes to be used up, and copies to be held", PATIENT)
        assert metric(proxy, "splice_pipes") == PIPES_MAX
        hashes = {sha256(client.read_to_end(PATIENT)) for client in clients}
        assert hashes == {sha256(data)} and {client.end for client in clients} == {"fin"}
        for client in clients:
            client.half_close()
        assert {r.bytes["response_body"] for r in proxy.records(count)} == {len(data)}
        assert metric(proxy, "splice_pipes") <= SPARE_MAX
    in_own_network(play)


@pytest.mark.parametrize("ends", [False, True], ids=["open", "ended"])
def test_urgent_data_behind_bulk_loses_nothing(stage, ends):
    """A splice stops at an urgent byte as if there were no more; what stands behind it arrives all the same."""
    proxy = stage.proxy("--workers", "1")
    client = open_tunnel(stage, proxy, stage.origin(echoes))
    echo_in_bulk(client)
    bulk, rest = pattern(200_000), b"!behind the mark"
    proxy.freeze()
    client.send(bulk)
    client.sock.send(rest[:1], socket.MSG_OOB)
    client.send(rest[1:])
    if ends:
        client.half_close()
    proxy.thaw()
    assert client.read(len(bulk), PATIENT) == bulk
    assert client.read(len(rest), PATIENT) == rest
    client.half_close()
    client.expect_end("fin")


@pytest.mark.parametrize("sender", ["client", "origin"])
@pytest.mark.parametrize("ends", [False, True], ids=["open", "ended"])
def test_urgent_data_in_a_small_tunnel_stands_at_its_place(stage, sender, ends):
    """A receive stops before an urgent byte: what stands behind it goes on at once, not with the next segment."""
    both = queue.Queue()

    def waits(conn):
        assert conn.read(5) == b"hello"
        both.put(conn)
        conn.stay()

    proxy = stage.proxy("--workers", "1")
    client = open_tunnel(stage, proxy, stage.origin(waits))
    client.send(b"hello")
    origin = both.get(timeout=BOUND)
    here, there = (client, origin) if sender == "client" else (origin, client)
    proxy.freeze()
    here.send(b"before")
    here.sock.send(b"!", socket.MSG_OOB)
    here.send(b"behind")
    if ends:
        here.half_close()
    proxy.thaw()
    assert there.read(13) == b"before!behind"
    if ends:
        assert there.read_to_end() == b""
        return
    here.sock.send(b"?", socket.MSG_OOB)
    assert there.read(1) == b"?"


def test_without_descriptors_for_a_pipe_it_copies(stage):
    """pipe2(2) fails with EMFILE in the middle of a tunnel."""
    limit = 90
    proxy = stage.proxy("--workers", "1", command=["prlimit", f"--nofile={limit}:{limit}"])
    client = open_tunnel(stage, proxy, stage.origin(echoes))
    with contextlib.ExitStack() as crowd:
        for _ in range(limit):
            crowd.enter_context(proxy.connect())
        wait_until(lambda: proxy.descriptors() >= limit, "the descriptors to be used up")
        echo_in_bulk(client)
        assert proxy.descriptors() == limit
        links = [os.readlink(f"/proc/{proxy.serving_pid()}/fd/{fd}") for fd in
                 os.listdir(f"/proc/{proxy.serving_pid()}/fd")]
    wait_until(lambda: proxy.descriptors() < limit, "the crowd to be gone")
    assert metric(proxy, "splice_pipes") == 0, links
    assert splices_again(client, proxy)


# ---- the user's allowance
def test_beyond_the_users_allowance_it_copies(stage):
    """Where the user has used up fs.pipe-user-pages-soft, pipes are too small to be worth it: pipe(7)."""
    if int(Path("/proc/sys/fs/pipe-user-pages-soft").read_text()) == 0:
        pytest.skip("this system does not limit the pipes of a user")
    user = 61_184  # whose allowance is nobody else's matter

    def become():
        folder = stage.folder / f"proxy{len(stage.proxies)}"
        os.chown(folder, user, user)
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    hoard = Hoard(user)
    stage.others.append(hoard)
    if not hoard.is_full:
        pytest.skip("pipe pages of this user are not limited")
    proxy = stage.proxy("--workers", "1", as_root=is_root(), preexec=become if is_root() else None)
    client = open_tunnel(stage, proxy, stage.origin(echoes))
    echo_in_bulk(client)
    assert metric(proxy, "splice_pipes") == 0
    hoard.close()
    assert splices_again(client, proxy)
