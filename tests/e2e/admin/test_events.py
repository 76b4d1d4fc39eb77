"""/api/v1/transactions and /api/v1/events: what ended, and what ends now."""
import json
import signal

import pytest

from support.admin import open_tunnels
from support.bounds import wait_until
from support.events import Events
from support.message import request
from support.origin import echoes, replies_forever

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def ask(stage, proxy, url):
    with stage.client(proxy.connect()) as client:
        return client.ask(request("GET", url))


def listed(proxy, query=""):
    got = proxy.ask_admin("/api/v1/transactions" + query)
    assert got.status == 200 and got.get("Content-Type") == "application/json", got
    return json.loads(got.body)


def follow(stage, proxy, query="", **more):
    """A reader, and the number before the first transaction, where none was yet."""
    events = Events(stage, proxy, query, **more)
    hello = events.next()
    assert hello.kind == "hello"
    return events, hello.data["seq"]


def test_a_transaction_is_told_when_it_ends(stage, proxy):
    """An event for each transaction, with what the JSON log says of it and a number."""
    origin = stage.origin(replies_forever(OK))
    events = Events(stage, proxy)
    assert (events.head.status, events.head.get("Content-Type")) == (200, "text/event-stream")
    assert events.head.get("Cache-Control") == "no-store"
    hello = events.next()
    assert hello.kind == "hello" and hello.data["v"] == 1
    ask(stage, proxy, f"http://{origin.authority}/a")
    told = events.until("transaction")
    assert told.number == told.data.pop("seq") == hello.data["seq"] + 1
    assert told.data == proxy.record().json


def test_what_was_missed_is_made_up_for(stage):
    """A reader that comes back with the number of its last event gets what came since, and no more."""
    proxy = stage.proxy("--workers", "1")  # records of several are not in order
    origin = stage.origin(replies_forever(OK))
    events, base = follow(stage, proxy)
    for path in "abc":
        ask(stage, proxy, f"http://{origin.authority}/{path}")
        last = events.until("transaction")
    assert last.number == base + 3
    events.wire.close()
    ask(stage, proxy, f"http://{origin.authority}/d")
    again = Events(stage, proxy, f"?after={base + 2}")
    assert [again.until("transaction").data["url"][-1] for _ in range(2)] == ["c", "d"]


def test_a_process_that_was_started_again_is_all_news(stage):
    """Numbers go on above those of the process before, and a reader of that one gets all that the new one has."""
    origin = stage.origin(replies_forever(OK))
    before = stage.proxy("--workers", "1")
    events, first = follow(stage, before)
    ask(stage, before, f"http://{origin.authority}/a")
    last = events.until("transaction").number
    before.stop()
    proxy = stage.proxy("--workers", "1")
    events, base = follow(stage, proxy)
    assert base > last > first
    ask(stage, proxy, f"http://{origin.authority}/b")
    events.until("transaction")
    again = Events(stage, proxy, f"?after={last}")
    assert [again.next().kind for _ in range(2)] == ["hello", "transaction"]


def test_the_last_transactions_are_listed(stage):
    """Oldest first, as many as asked for, and those before a number."""
    proxy = stage.proxy("--workers", "1")  # records of several are not in order
    origin = stage.origin(replies_forever(OK))
    events, base = follow(stage, proxy)
    for path in "abc":
        ask(stage, proxy, f"http://{origin.authority}/{path}")
        events.until("transaction")
    everything = listed(proxy)
    assert [each["url"][-1] for each in everything["transactions"]] == ["a", "b", "c"]
    assert (everything["oldest"], everything["newest"], everything["left_out"]) == (base + 1, base + 3, 0)
    assert [each["seq"] - base for each in listed(proxy, "?limit=2")["transactions"]] == [2, 3]
    assert [each["seq"] - base for each in listed(proxy, f"?before={base + 3}&limit=1")["transactions"]] == [2]


def test_a_filter_chooses(stage):
    """?filter=, percent-encoded, in the language of docs/live.md: of what is kept and of what comes."""
    proxy = stage.proxy("--workers", "1")  # records of several are not in order
    origin = stage.origin(replies_forever(OK))
    events, base = follow(stage, proxy, "?filter=url~/b+status%3D2xx")
    for path in ("a", "b1", "c", "b2"):
        ask(stage, proxy, f"http://{origin.authority}/{path}")
    assert [events.until("transaction").number - base for _ in range(2)] == [2, 4]
    assert [each["seq"] - base for each in listed(proxy, "?filter=!url~/b")["transactions"]] == [1, 3]
    assert [each["seq"] - base for each in listed(proxy, "?limit=1&filter=url~/b")["transactions"]] == [4]


def test_the_last_transactions_as_har(stage):
    """/api/v1/har: an entry for each, in their order; chosen by filter or by ids."""
    proxy = stage.proxy("--workers", "1")
    origin = stage.origin(replies_forever(OK))
    events = Events(stage, proxy)
    for path in "abc":
        ask(stage, proxy, f"http://{origin.authority}/{path}")
        events.until("transaction")

    def urls(query=""):
        got = proxy.ask_admin("/api/v1/har" + query)
        assert got.status == 200 and got.get("Content-Type") == "application/json", got
        log = json.loads(got.body)["log"]
        assert log["version"] == "1.2" and log["creator"]["name"].lower() == "fairlead"
        return [entry["request"]["url"][-1] for entry in log["entries"]]
    assert urls() == ["a", "b", "c"] and urls("?limit=1") == ["c"] and urls("?filter=url~/b") == ["b"]
    first, _, last = (record.id for record in proxy.records(3))
    assert urls(f"?ids={last},{first}") == ["a", "c"] and urls(f"?ids={'0' * 16}") == []
    assert proxy.ask_admin("/api/v1/har?ids=12").status == 400


@pytest.mark.parametrize("query, words", [
    ("events?filter=hist%3Da", b"host"), ("transactions?filter=%2", b"two digits"),
    ("transactions?limit=0", b"1 to 1000"), ("transactions?before=x", b"before is"), ("events?after=-1", b"after is")])
def test_a_bad_query_is_told(proxy, query, words):
    got = proxy.ask_admin("/api/v1/" + query)
    assert got.status == 400 and words in got.body


def test_a_reader_of_http_1_0_hears_until_the_end(stage, proxy):
    """RFC 9112 §6.3: without chunks the end of the connection is the end of the body."""
    origin = stage.origin(replies_forever(OK))
    events, base = follow(stage, proxy, version="1.0")
    assert events.head.get("Transfer-Encoding") is None
    ask(stage, proxy, f"http://{origin.authority}/a")
    assert events.until("transaction").number == base + 1


def test_a_drain_is_followed(stage):
    """SIGTERM: what ends while others are still open is told."""
    proxy = stage.proxy()
    first, _ = open_tunnels(stage, proxy, stage.origin(echoes), 2)
    events = Events(stage, proxy)
    assert events.next().kind == "hello"
    proxy.signal(signal.SIGTERM)
    wait_until(lambda: proxy.ask_admin("/readyz").status == 503, "the drain")
    first.half_close()
    assert events.until("transaction").data["kind"] == "tunnel"


@pytest.mark.parametrize("leave", ["close", "reset", "half_close"])
def test_a_reader_that_leaves_gives_its_place_at_once(stage, leave):
    """Sixteen may follow; where all of them leave, however they do it, sixteen others are served at their first try, though
    nothing was said since."""
    proxy = stage.proxy()
    for _ in range(3):
        readers = [follow(stage, proxy)[0] for _ in range(16)]
        refused = proxy.ask_admin("/api/v1/events")
        assert refused.status == 503 and b"too many" in refused.body
        for reader in readers:
            getattr(reader.wire, leave)()


def test_head_has_no_stream(proxy):
    got = proxy.ask_admin("/api/v1/events", method="HEAD")
    assert (got.status, got.get("Content-Type"), got.body) == (200, "text/event-stream", b"")


def test_a_reader_that_does_not_read_holds_nobody_up(stage, proxy):
    """Its buffers fill; requests go on, and another reader gets all."""
    origin = stage.origin(replies_forever(OK))
    deaf, base = follow(stage, proxy)
    good = Events(stage, proxy)
    with stage.client(proxy.connect()) as client:
        for _ in range(1000):
            assert client.ask(request("GET", f"http://{origin.authority}/{'x' * 1500}")).status == 200
    numbers = [good.until("transaction").number for _ in range(1000)]
    assert numbers == list(range(base + 1, base + 1001))
    assert deaf.until("transaction").number == base + 1
