"""What one turn of the loop brings: docs/loop.md, "One kind of work after the other"."""
from support.bounds import Cue
from support.message import ok, request

MANY = 8


def test_what_a_turn_brings_is_received_before_any_of_it_is_sent(stage):
    """Requests that come together are all read before the first is thought over, and so are their answers before the
    first goes on."""
    cue, answered = Cue(), Cue()

    def script(conn):
        for body in b"first", b"second":
            conn.read_request()
            cue.wait()
            conn.send(ok(body))
            answered.give()
        conn.hold()

    origin = stage.origin(script)
    proxy = stage.proxy("--workers", "1")
    clients = [proxy.connect() for _ in range(MANY)]
    for number, client in enumerate(clients):
        client.send(request("GET", origin.url + "/"))
        origin.wait_requests(number + 1)
    for _ in clients:
        cue.give()
    for client in clients:
        answered.wait()
        assert client.read_response().body == b"first"
    proxy.records(MANY)

    proxy.freeze()
    for client in clients:
        client.send(request("GET", origin.url + "/"))
    proxy.thaw()
    origin.wait_requests(2 * MANY)
    proxy.freeze()
    for _ in clients:
        cue.give()
    for _ in clients:
        answered.wait()
    proxy.thaw()
    for client in clients:
        assert client.read_response().body == b"second"

    records = [record for record in proxy.records(2 * MANY) if record.upstream_conn["use"] == 2]
    assert len(records) == MANY
    for received, sent in ("c_head", "u_tx0"), ("u_rxh", "d_tx1"):
        assert max(record.mark(received) for record in records) <= min(record.mark(sent) for record in records)
