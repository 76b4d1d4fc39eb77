"""/api/v1/requests and `fairlead requests`: what is in flight in all workers, and where it stands."""
import json
import re
import subprocess
import threading

import pytest

from support.admin import list_tunnels
from support.bounds import BOUND, Cue, wait_until
from support.dns import holds
from support.message import ok, request
from support.ops import told
from support.origin import Silence, replies, replies_forever
from support.proxy import clean_environment
from support.schema import check_log
from support.terminal import Terminal, seen

BODY = 100_000


def in_flight(proxy, query=""):
    got = proxy.ask_admin("/api/v1/requests" + query)
    assert got.status == 200 and got.get("Content-Type") == "application/json", got
    listed = json.loads(got.body)
    check_log([json.dumps(each) for each in listed["requests"]])
    assert listed["v"] == 1 and all(each["in_progress"] and "end" not in each for each in listed["requests"])
    return listed


def wait_phase(proxy, phase, query=""):
    """The only request, once it is in this phase."""
    def look():
        listed = in_flight(proxy, query)["requests"]
        return len(listed) == 1 and listed[0].get("phase") == phase and listed[0]
    return wait_until(look, lambda: f"a request in {phase}; there is {in_flight(proxy)}")


def send(stage, proxy, url, *more):
    client = stage.client(proxy.connect())
    client.send(request("GET", url, *more))
    return client


def is_kept(earlier, record):
    """What was told while it was in flight is in the record of its end."""
    assert record.id == earlier["id"] and "in_progress" not in record.json and "phase" not in record.json
    assert {**record.marks, **earlier["marks_us"]} == record.marks
    assert {**record.phases, **earlier["phases_us"]} == record.phases
    for name in ("client", "url", "host", "upstream", "upstream_conn", "client_conn", "status"):
        assert earlier.get(name) in (None, record.get(name)), name


def test_a_request_shows_where_it_waits(stage, proxy):
    """For the origin, then while its answer comes, with the bytes so far; the record of its end has the same id, and the log has
    that line alone."""
    cue = Cue()

    def script(conn):
        conn.read_request()
        cue.wait()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf.")
        cue.wait()
        conn.send(b"whole")
        conn.hold()
    origin = stage.origin(script)
    client = send(stage, proxy, origin.url + "/slow")
    first = wait_phase(proxy, "wait", "?age=200ms")
    assert first["verdict"]["slow"] == "origin" and "status" not in first and "wait" not in first["phases_us"]
    assert first["now_us"] >= 200_000 and first["upstream"] == origin.authority and first["bytes"]["client_out"] == 0
    cue.give()
    second = wait_phase(proxy, "load")
    assert second["status"] == 200 and "wait" in second["phases_us"] and second["now_us"] > first["now_us"]
    wait_until(lambda: in_flight(proxy)["requests"][0]["bytes"]["response_body"] == 5, "the bytes so far")
    assert list_tunnels(proxy)["tunnels"] == []
    cue.give()
    assert client.read_response().body == b"half.whole"
    record = proxy.record()
    is_kept(first, record)
    is_kept(second, record)
    assert in_flight(proxy)["requests"] == [] and len(proxy.log_lines()) == 1


def test_a_name_that_is_looked_up(stage, proxy):
    """The name server is waited for, and named."""
    stage.dns.add("late.test", script=holds)
    send(stage, proxy, "http://late.test/")
    listed = wait_phase(proxy, "dns", "?age=150ms")
    assert listed["verdict"]["slow"] == "dns" and listed["host"] == "late.test" and "u_dns1" not in listed["marks_us"]


def test_addresses_of_the_other_family_that_are_awaited(stage, proxy):
    """All attempts have failed, so that nothing but the name server is waited for."""
    stage.dns.add("late.test", aaaa=["::1"], drop=["A"])
    origin = stage.origin(replies(ok(b"")))
    send(stage, proxy, f"http://late.test:{origin.port}/")
    listed = wait_phase(proxy, "connect", "?age=300ms")
    assert [each["result"] for each in listed["attempts"]] == ["failed"] and "u_dns1" in listed["marks_us"]
    assert listed["verdict"]["slow"] == "dns" and listed["stalled_us"]["by_dns"] > 0


@pytest.mark.parametrize("method", ["GET", "CONNECT"])
def test_an_address_that_does_not_answer(stage, method):
    """The attempts so far are there, and the way to the origin is what is slow, also of a CONNECT, which is no tunnel yet."""
    with Silence() as silence:
        proxy = stage.proxy("--connect-port", "any")
        client = stage.client(proxy.connect())
        target = f"127.0.0.1:{silence.port}"
        client.send(request(method, target if method == "CONNECT" else f"http://{target}/"))
        listed = wait_phase(proxy, "connect", "?age=150ms")
        assert listed["attempts"] == [{"peer": target, "begin_us": listed["marks_us"]["u_syn0"], "result": "trying"}]
        assert listed["verdict"]["slow"] == "upstream_network" and listed["kind"] == "exchange"
        assert list_tunnels(proxy)["tunnels"] == []
        client.reset()
        wait_until(lambda: in_flight(proxy)["requests"] == [], "it to be gone")
        assert proxy.record().id == listed["id"]


def test_a_connect_becomes_a_tunnel_of_the_same_id(stage):
    """It is listed here until it is open, and there from then on."""
    stage.dns.add("late.test", script=holds)
    origin = stage.origin(lambda conn: conn.hold())
    proxy = stage.proxy("--connect-port", "any")
    client = stage.client(proxy.connect())
    client.send(request("CONNECT", f"late.test:{origin.authority.rsplit(':', 1)[1]}"))
    listed = wait_phase(proxy, "dns")
    for kind in ("A", "AAAA"):
        ask = stage.dns.wait_ask("late.test", kind)
        ask.send(ask.answer(["127.0.0.1"]))
    assert client.read_head().status == 200
    tunnel, = list_tunnels(proxy)["tunnels"]
    assert tunnel["id"] == listed["id"] and in_flight(proxy)["requests"] == []


def test_a_client_that_does_not_read_is_named(stage, proxy):
    """Its pause counts while it lasts."""
    origin = stage.origin(lambda conn: (conn.read_request(), conn.send(ok(b"x" * 30_000_000)), conn.hold()))
    client = send(stage, proxy, origin.url + "/")
    listed, = wait_until(lambda: in_flight(proxy, "?filter=slow=client")["requests"], "the client to be named")
    assert listed["phase"] == "load" and listed["stalled_us"]["by_client"] > 0
    assert len(client.read_response().body) == 30_000_000


def test_an_upload_shows_its_bytes(stage, proxy):
    """`send` lasts as long as the client sends."""
    origin = stage.origin(lambda conn: (conn.read_request(), conn.send(ok(b"")), conn.hold()))
    client = stage.client(proxy.connect())
    head = f"PUT {origin.url}/ HTTP/1.1\r\nHost: {origin.authority}\r\nContent-Length: {BODY}\r\n\r\n".encode()
    client.send(head + b"x" * (BODY // 2))
    wait_until(lambda: wait_phase(proxy, "send")["bytes"]["request_body"] == BODY // 2, "half of it")
    client.send(b"x" * (BODY // 2))
    assert client.read_response().status == 200


def test_clients_that_rest_are_not_listed(stage, proxy):
    """A connection that is kept, and one that has sent half a head, have no request in flight."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    idle = stage.client(proxy.connect())
    assert idle.ask(request("GET", origin.url + "/")).status == 200
    half = stage.client(proxy.connect())
    half.send(b"GET http://a.test/ HT")
    assert in_flight(proxy)["requests"] == []


def test_all_workers_are_asked(stage):
    """Oldest first, whatever worker has it; a limit, and what follows it; a filter chooses by what is known so far."""
    proxy = stage.proxy("--workers", "3")
    origins = [stage.origin(lambda conn: conn.hold()), stage.origin(lambda conn: conn.hold())]
    clients = []
    for number in range(20):
        clients.append(send(stage, proxy, f"{origins[number % 2].url}/{number}"))
        wait_until(lambda: len(in_flight(proxy)["requests"]) == number + 1, f"request {number}")
    everything = in_flight(proxy)
    assert everything["truncated"] is False and {each["worker"] for each in everything["requests"]} == {0, 1, 2}
    assert [each["url"].rsplit("/", 1)[1] for each in everything["requests"]] == [str(number) for number in range(20)]
    first = in_flight(proxy, "?limit=13")
    rest = in_flight(proxy, "?after=" + first["next"])
    assert first["truncated"] is True and rest["truncated"] is False
    assert [each["id"] for each in first["requests"] + rest["requests"]] == [each["id"] for each in everything["requests"]]
    chosen = in_flight(proxy, f"?filter=url~{origins[1].authority}")["requests"]
    assert [int(each["url"].rsplit("/", 1)[1]) for each in chosen] == list(range(1, 20, 2))
    wait_until(lambda: len(in_flight(proxy, "?filter=wait>300ms+slow=origin")["requests"]) == 20, "all to have waited")
    for query in ("?filter=wait>1h", "?filter=wait<1h", "?filter=load=*", "?filter=total<1h", "?age=1h", "?filter=end=*"):
        assert in_flight(proxy, query)["requests"] == [], query
    for client in clients:
        client.reset()
    wait_until(lambda: in_flight(proxy)["requests"] == [], "all to be gone")


def test_looking_while_requests_come_and_go(stage):
    """Lists are sound whatever comes and goes, and no request is disturbed."""
    proxy = stage.proxy("--workers", "3")
    origin = stage.origin(replies_forever(ok(b"x" * 20_000)))
    over, seen = threading.Event(), []

    def look():
        while not over.is_set():
            seen.append(in_flight(proxy, "?limit=5"))

    watchers = [threading.Thread(target=look) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    with stage.client(proxy.connect()) as client:
        for _ in range(300):
            assert len(client.ask(request("GET", origin.url + "/")).body) == 20_000
    over.set()
    for watcher in watchers:
        watcher.join()
    assert seen and all(len(each["requests"]) <= 1 for each in seen)
    proxy.records(300)


# ---- in a terminal

@pytest.mark.parametrize("words", [[], ["--json"], ["--filter", "wait>1s"]])
def test_a_list_that_is_not_whole_is_not_taken_for_one(stage, words):
    """A page may be empty and tell where to go on; where it does not, nobody is told that nothing is in flight."""
    pages = ['{"v":1,"requests":[],"truncated":true,"next":"%s"}' % ("0000000000000007-0000000000000002"),
             '{"v":1,"requests":[],"truncated":true}']
    fake = stage.origin([replies(ok(page.encode(), "Connection: close")) for page in pages])
    code, out, said = told(stage, "requests", "--admin", fake.authority, *words)
    assert (code, out) == (1, "") and "this is not all" in said
    assert "after=0000000000000007-0000000000000002" in fake.requests[1].target


def test_requests_in_a_terminal(stage, proxy):
    """A table that names who is slow so far, as wide as the terminal, and whole in a pipe; --json has the records, and a
    filter is asked of the process."""
    words = ["requests", "--admin", "%s:%d" % proxy.admin]
    assert told(stage, *words) == (0, "no request is in flight\n", "")
    assert told(stage, *words, "--filter", "wait>1s") == (0, "no request in flight passes the filter\n", "")
    origin = stage.origin(lambda conn: conn.hold())
    send(stage, proxy, origin.url + "/slow" * 20)
    listed = wait_phase(proxy, "wait")
    wait_until(lambda: in_flight(proxy, "?filter=slow=origin")["requests"], "the origin to be named")
    code, out, said = told(stage, *words)
    head, row = out.splitlines()
    assert code == 0 and said == "" and head.split() == ["ID", "AGE", "PHASE", "SLOW", "UP", "DOWN", "CLIENT", "TARGET"]
    assert row.endswith("/slow" * 20)
    terminal = Terminal(80)
    stage.others.append(terminal)
    subprocess.run([stage.program, *words], stdout=terminal.its, env=clean_environment(), timeout=BOUND, check=True)
    assert seen(terminal.line()).split() == ["ID", "AGE", "PHASE", "SLOW", "TARGET"]
    row = seen(terminal.line())
    assert re.fullmatch(rf"{listed['id']} +\S+ +wait origin +GET 127\.0\S* \(127\.0\.0\.1\)", row) and len(row) <= 80
    code, out, _ = told(stage, *words, "--json", "--filter", "host=127.0.0.1 wait>1ms")
    assert code == 0 and json.loads(out)["id"] == listed["id"]
    assert told(stage, *words, "--json", "--filter", "wait>1h") == (0, "", "")
    code, _, said = told(stage, *words, "--kill", listed["id"])
    assert code == 2 and "--kill" in said


def test_a_wide_terminal_has_bytes_and_client(stage, proxy):
    """From 100 columns on, these have columns of their own."""
    origin = stage.origin(lambda conn: conn.hold())
    send(stage, proxy, origin.url + "/slow")
    wait_until(lambda: in_flight(proxy, "?filter=slow=origin")["requests"], "the origin to be named")
    terminal = Terminal(columns=100)
    stage.others.append(terminal)
    command = [stage.program, "requests", "--admin", "%s:%d" % proxy.admin]
    subprocess.run(command, stdout=terminal.its, env=clean_environment(), timeout=BOUND, check=True)
    assert seen(terminal.line()).split() == ["ID", "AGE", "PHASE", "SLOW", "UP", "DOWN", "CLIENT", "TARGET"]
    row = seen(terminal.line())
    assert re.search(r" wait origin +\d+B +0B 127\.0\.0\.1 +GET 127\.0\S+$", row) and len(row) <= 100
