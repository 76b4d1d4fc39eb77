"""Exchanges that stand still while memory is short: those of who has many are given up, and others get their place."""
import pytest

from support.admin import metric
from support.bounds import wait_until
from support.message import ok, request
from support.origin import replies_forever
from support.record import Record
from support.wire import Ended

LONG = b"x" * 60000
MANY = 80


def never_ends(conn):
    try:
        conn.read_request_head()
    except Ended:  # there was no memory to ask for more
        return
    conn.send(b"HTTP/1.1 200 OK\r\nX: " + LONG)
    conn.stay()


@pytest.mark.without_faults
def test_a_newcomer_gets_the_place_of_what_stands_still(limited, stage):
    """One client's requests take all buffers, by responses whose head never ends; another client is served soon, while they
    are open. Who is given up is told why."""
    greedy = stage.origin(never_ends)
    good = stage.origin(replies_forever(ok(b"fine")))
    proxy = limited("buffer_bytes: 4MiB", workers=1)
    crowd = [proxy.connect() for _ in range(MANY)]  # before anything is short
    wait_until(lambda: metric(proxy.proxy, "client_connections") == MANY, "all to be let in")
    for client in crowd:
        client.send(request("GET", greedy.url + "/"))

    def is_served():
        try:
            with proxy.connect("192.0.2.200") as client:
                return client.ask(request("GET", good.url + "/")).status == 200
        except (AssertionError, OSError):
            return False
    def told():
        records = map(Record, proxy.proxy.log_lines())
        return [record for record in records if record.cause == "memory" and record.url == greedy.url + "/"]
    wait_until(lambda: is_served() and told(), "the newcomer's answer, in the place of another one")
    assert {(record.status, record.rule, record.end) for record in told()} == {(503, "limits.memory", "refused")}
    assert metric(proxy.proxy, "memory_relieved_total") > 0
