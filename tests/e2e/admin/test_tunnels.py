"""/api/v1/tunnels: what is open in all workers, and ending one."""
import json
import signal
import threading

import pytest

from support.admin import BEARER, CUSTOM, kill, list_rest, list_tunnels, open_tunnels, with_token
from support.bounds import Cue, wait_until
from support.message import request
from support.origin import echoes
from support.record import Record


def name(client):
    """The client's address as records have it."""
    return "%s:%d" % client.sock.getsockname()


def opened_ns(tunnel):
    return tunnel["base_ns"] + tunnel["marks_us"]["t_open"] * 1000


def test_tunnels_of_all_workers_are_listed_oldest_first(stage):
    """Every open tunnel is there, of each of three workers, in the order of opening, with its phases so far."""
    origin = stage.origin(echoes)
    proxy = stage.proxy("--workers", "3")
    clients = open_tunnels(stage, proxy, origin, 40)
    listed = list_tunnels(proxy)
    assert (listed["v"], listed["truncated"], len(listed["tunnels"])) == (1, False, 40)
    assert {tunnel["worker"] for tunnel in listed["tunnels"]} == {0, 1, 2}
    assert {tunnel["client"] for tunnel in listed["tunnels"]} == {name(client) for client in clients}
    moments = [opened_ns(tunnel) for tunnel in listed["tunnels"]]
    assert all(a < b + 1000 for a, b in zip(moments, moments[1:]))  # marks are whole microseconds
    for tunnel in listed["tunnels"]:
        assert tunnel["in_progress"] is True and tunnel["kind"] == "tunnel" and tunnel["v"] == 1
        assert tunnel["host"] == "127.0.0.1" and tunnel["upstream"] == origin.authority
        assert {"receive", "connect"} <= set(tunnel["phases_us"])
        assert "t_open" in tunnel["marks_us"] and "x_end" not in tunnel["marks_us"]
        assert "end" not in tunnel and "ended_by" not in tunnel


def test_a_listed_tunnel_becomes_its_record(stage, proxy):
    """Bytes and marks grow with the tunnel; the record at its end has the same id and keeps what was listed."""
    origin = stage.origin(echoes)
    client, = open_tunnels(stage, proxy, origin, 1)
    first, = list_tunnels(proxy)["tunnels"]
    assert first["bytes"]["request_body"] == 0 and "t_up" not in first["marks_us"]
    client.send(b"x" * 1000)
    client.read(1000)
    second, = wait_until(lambda: [tunnel for tunnel in list_tunnels(proxy)["tunnels"]
                                  if tunnel["bytes"]["response_body"] == 1000], "the bytes to be listed")
    assert second["id"] == first["id"] and {"t_up", "t_down", "t_last"} <= set(second["marks_us"])
    client.half_close()
    client.expect_end("fin")
    record = proxy.record()
    assert record.id == first["id"] and "in_progress" not in record.json
    assert {**record.marks, **first["marks_us"]} == record.marks
    assert {**record.phases, **first["phases_us"]} == record.phases
    assert list_tunnels(proxy)["tunnels"] == []


def test_a_half_closed_tunnel_has_not_ended(stage, proxy):
    """The end of one direction shows as a mark; the tunnel stays listed, without an end."""
    seen = Cue()
    origin = stage.origin(lambda conn: (conn.read_to_end(), seen.wait()))
    client, = open_tunnels(stage, proxy, origin, 1)
    client.half_close()
    tunnel, = wait_until(lambda: [tunnel for tunnel in list_tunnels(proxy)["tunnels"]
                                  if "x_fin_c" in tunnel["marks_us"]], "the mark")
    assert "end" not in tunnel and "ended_by" not in tunnel
    seen.give()
    client.expect_end("fin")


def test_a_limit_keeps_the_oldest_and_says_so(stage):
    """?limit=N lists the N oldest of all workers together, and `truncated` tells whether there were more."""
    origin = stage.origin(echoes)
    proxy = stage.proxy("--workers", "3")
    open_tunnels(stage, proxy, origin, 20)
    ids = [tunnel["id"] for tunnel in list_tunnels(proxy)["tunnels"]]
    for limit in (1, 7, 19, 20, 21, 1000):
        listed = list_tunnels(proxy, f"?limit={limit}")
        assert [tunnel["id"] for tunnel in listed["tunnels"]] == ids[:limit]
        assert listed["truncated"] is (limit < 20)


def test_a_filter_chooses_tunnels(stage, proxy):
    """?filter= lists those that fit, of all workers, and the limit counts these; what is no filter is 400 and told."""
    origins = [stage.origin(echoes), stage.origin(echoes)]
    for origin in [origins[0], origins[1], origins[0]]:
        open_tunnels(stage, proxy, origin, 1)
    urls = [tunnel["url"] for tunnel in list_tunnels(proxy, f"?filter=url%3D{origins[0].authority}")["tunnels"]]
    assert urls == [origins[0].authority] * 2
    listed = list_tunnels(proxy, f"?limit=1&filter=!url%3D{origins[0].authority}+kind=tunnel")
    assert [tunnel["url"] for tunnel in listed["tunnels"]] == [origins[1].authority] and listed["truncated"] is False
    assert list_tunnels(proxy, "?filter=total>1ms")["tunnels"] == []
    got = proxy.ask_admin("/api/v1/tunnels?filter=hist%3Da")
    assert got.status == 400 and b"host" in got.body


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "many", ""])
def test_a_bad_limit_is_400(proxy, limit):
    """A limit that is none is told, not guessed."""
    assert proxy.ask_admin(f"/api/v1/tunnels?limit={limit}").status == 400


def test_a_long_list_reaches_a_slow_reader(stage):
    """A list of 400 tunnels arrives whole where the kernel takes it only in pieces."""
    origin = stage.origin(lambda conn: conn.hold())
    proxy = stage.proxy()
    open_tunnels(stage, proxy, origin, 400)
    wire = proxy.connect_admin()
    with wire:
        wire.send(request("GET", "/api/v1/tunnels", host="localhost"))
        wire.pause()
        got = wire.read_response()
        listed = json.loads(got.body)
        assert len(got.body) > 300_000
        ids = {tunnel["id"] for tunnel in listed["tunnels"] + list_rest(proxy, listed)}
        assert len(ids) == 400
        assert wire.ask(request("GET", "/healthz", host="localhost")).body == b"ok\n"


@pytest.mark.parametrize("leave", ["reset", "close"])
def test_a_client_that_leaves_costs_nothing(stage, leave):
    """However often a client goes away before its answer, the next one is answered."""
    origin = stage.origin(lambda conn: conn.hold())
    proxy = stage.proxy("--workers", "3")
    open_tunnels(stage, proxy, origin, 30)
    for _ in range(60):
        wire = proxy.connect_admin()
        wire.send(request("GET", "/api/v1/tunnels", host="localhost"))
        getattr(wire, leave)()
    wait_until(lambda: proxy.ask_admin("/api/v1/tunnels").status == 200, "an answer")
    assert len(list_tunnels(proxy)["tunnels"]) == 30


@pytest.mark.parametrize("signals", [1, 2])
def test_stopping_amid_questions_is_orderly(stage, signals):
    """SIGTERM while lists are asked for without a pause ends the process in order, at once with a second one."""
    origin = stage.origin(lambda conn: conn.hold())
    proxy = stage.proxy("--workers", "3")
    open_tunnels(stage, proxy, origin, 20)
    asked = threading.Event()

    def asks():
        try:
            with proxy.connect_admin() as wire:
                while True:
                    wire.send(request("GET", "/api/v1/tunnels", host="localhost") * 4)
                    for _ in range(4):
                        wire.read_response()
                    asked.set()
        except (AssertionError, OSError):
            pass  # it ended

    threads = [threading.Thread(target=asks, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert asked.wait(5)
    proxy.signal(signal.SIGTERM)
    if signals == 2:
        wait_until(lambda: proxy.ask_admin("/readyz").status == 503, "draining")
        proxy.signal(signal.SIGTERM)
    assert proxy.wait_exit() == 0
    for thread in threads:
        thread.join(5)


def test_questions_while_tunnels_come_and_go(stage):
    """Lists and ends of tunnels at the same time: every answer is sound, and afterwards nothing is listed."""
    origin = stage.origin(echoes)
    proxy = stage.proxy("--workers", "3")
    over = threading.Event()
    counts = []

    def asks():
        with proxy.connect_admin() as wire:
            while not over.is_set():
                counts.append(len(json.loads(wire.ask(
                    request("GET", "/api/v1/tunnels?limit=10", host="localhost")).body)["tunnels"]))

    thread = threading.Thread(target=asks)
    thread.start()
    for _ in range(10):
        for client in open_tunnels(stage, proxy, origin, 15):
            client.reset()
    over.set()
    thread.join(5)
    assert counts and max(counts) <= 10
    wait_until(lambda: not list_tunnels(proxy)["tunnels"], "all tunnels to end")
    proxy.records(150)


def test_a_tunnel_is_ended_by_its_id(stage):
    """DELETE ends that tunnel alone: both ends are reset, its record says killed by the proxy, and a line tells."""
    ends = []

    def notes_its_end(conn):
        conn.read_to_end()
        ends.append(conn.end)

    origin = stage.origin(notes_its_end)
    proxy = stage.proxy("-c", with_token(stage), "--workers", "3")
    clients = open_tunnels(stage, proxy, origin, 12)
    victim = list_tunnels(proxy)["tunnels"][5]
    got = kill(proxy, victim["id"], BEARER, CUSTOM)
    assert got.status == 200 and json.loads(got.body) == {"v": 1, "killed": victim["id"]}
    next(client for client in clients if name(client) == victim["client"]).expect_end("rst")
    wait_until(lambda: ends, "the origin's end")
    assert ends == ["rst"]
    record = proxy.record()
    assert (record.id, record.end, record.ended_by) == (victim["id"], "killed", "proxy")
    assert {**record.phases, **Record(json.dumps(victim)).phases} == record.phases
    left = [tunnel["id"] for tunnel in list_tunnels(proxy)["tunnels"]]
    assert len(left) == 11 and victim["id"] not in left
    proxy.wait_line(f"tunnel {victim['id']} was ended")
    again = kill(proxy, victim["id"], BEARER, CUSTOM)
    assert again.status == 404 and b"no open tunnel" in again.body


@pytest.mark.parametrize("wrong", ["1", "xyz", "00010000000000011", "000100000000000g", "../metrics"])
def test_a_bad_id_is_400(stage, wrong):
    """An id is 16 hexadecimal digits."""
    proxy = stage.proxy("-c", with_token(stage))
    assert kill(proxy, wrong, BEARER, CUSTOM).status == 400
