"""Bodies in bulk go past the process, through a kernel pipe, wherever 64 KiB or more are still to come as they are on
the wire and both sides are plain. Whatever their framing, every byte arrives, and none that is not of the body."""
import socket
import threading

import pytest

from support.admin import in_own_network, metric, narrow_buffers
from support.bounds import SLOW, Cue, wait_until
from support.message import chunked, ok, request
from support.origin import replies_forever
from support.site import pattern, sha256

BIG = 3_000_000
PIPES_MAX = 128  # in use together, a worker: KERNEL_PIPES_MAX of src/proxy/kernel_pipe.h
SPARE_MAX = 16  # kept for the next: KERNEL_PIPES_SPARE
PATIENT = 20 * SLOW
DATA = pattern(BIG)
SHORT = ok(b"short")


def framed(framing):
    """Fields and bytes of DATA in this framing."""
    if framing == "length":
        return [f"Content-Length: {BIG}"], DATA
    size = BIG if framing == "one chunk" else 200_000
    parts = [DATA[at:at + size] for at in range(0, BIG, size)]
    return ["Transfer-Encoding: chunked"], chunked(*parts, trailers=["X-Sum: 1"])


def answer_in(framing):
    if framing == "close":
        return ok(DATA, length=False)
    fields, data = framed(framing)
    return ok(b"", *fields, length=False) + data


@pytest.fixture
def serial(stage):
    """One worker, so that its pipes can be counted."""
    return stage.proxy("--workers", "1")


@pytest.mark.parametrize("framing", ["length", "one chunk", "chunks"])
def test_a_response_passes_whole_and_the_connection_goes_on(stage, serial, framing):
    origin = stage.origin(replies_forever(answer_in(framing)))
    with serial.connect() as client:
        for _ in range(3):
            answer = client.ask(request("GET", origin.url + "/"), PATIENT)
            assert answer.framing == ("length" if framing == "length" else "chunked")
            assert sha256(answer.body) == sha256(DATA)
    assert len(origin.connections) == 1
    records = serial.records(3)
    assert {r.bytes["response_body"] for r in records} == {BIG}
    assert 0 < metric(serial, "splice_pipes") <= SPARE_MAX


def test_a_response_to_the_end_of_its_connection_passes_whole(stage, serial):
    def script(conn):
        conn.read_request()
        conn.send(answer_in("close"), PATIENT)
        conn.half_close()
        conn.hold()
    origin = stage.origin(script)
    with serial.connect() as client:
        client.send(request("GET", origin.url + "/", version="HTTP/1.0"))
        head = client.read_head()
        assert head.status == 200
        assert sha256(client.read_to_end(PATIENT)) == sha256(DATA) and client.end == "fin"
    assert metric(serial, "splice_pipes") > 0


@pytest.mark.parametrize("framing", ["length", "one chunk", "chunks"])
def test_a_request_passes_whole_and_what_is_behind_it_is_another(stage, serial, framing):
    """The body and the next request come in one piece: the splice takes nothing of the latter."""
    origin = stage.origin(replies_forever(SHORT))
    fields, data = framed(framing)
    first = request("POST", origin.url + "/big", *fields) + data
    with serial.connect() as client:
        client.send(first + request("GET", origin.url + "/behind"), PATIENT)
        assert [client.read_response(bound=PATIENT).body for _ in range(2)] == [b"short", b"short"]
    big, behind = origin.requests
    assert sha256(big.body) == sha256(DATA) and behind.target == "/behind"
    assert metric(serial, "splice_pipes") > 0


def test_an_answer_that_nobody_asked_for_ends_the_connection(stage, serial):
    """It stands behind a body that is spliced, and so in the kernel: RFC 9112 §9.2. It is met at once, not only when
    the next request looks for a connection."""
    def answers_twice(conn):
        conn.read_request()
        conn.send(answer_in("length") + ok(b"evil"), PATIENT)
        conn.hold()
    origin = stage.origin([answers_twice, replies_forever(SHORT)])
    with serial.connect() as client:
        assert sha256(client.ask(request("GET", origin.url + "/"), PATIENT).body) == sha256(DATA)
        first = origin.wait_connections(1)[0]
        wait_until(lambda: first.end, "the connection to be ended")
        assert client.ask(request("GET", origin.url + "/"), PATIENT).body == b"short"
    assert len(origin.connections) == 2


@pytest.mark.parametrize("leg", ["client", "origin"])
def test_over_tls_it_is_copied(stage, certs, leg):
    origin = stage.origin(replies_forever(answer_in("length")),
                          tls=leg == "origin")
    proxy = stage.proxy("--upstream-ca", certs.ca, "--workers", "1", tls=leg == "client")
    with proxy.connect(tls=certs.client_context() if leg == "client" else None) as client:
        answer = client.ask(request("GET", origin.url + "/"), PATIENT)
    assert answer.status == 200 and sha256(answer.body) == sha256(DATA)
    assert metric(proxy, "splice_pipes") == 0


@pytest.mark.without_faults  # pieces that a fault made small are copied for a while
def test_a_client_that_does_not_read_holds_a_pipe_and_no_buffer(stage):
    """What it has not taken stays in the kernel; afterwards every byte is there."""
    def play():
        narrow_buffers()
        origin = stage.origin(replies_forever(answer_in("length"), PATIENT))
        proxy = stage.proxy("--workers", "1")
        with proxy.connect(receive_buffer=65536) as client:
            client.send(request("GET", origin.url + "/"))
            client.read_head()
            part = client.read(BIG // 2, PATIENT)
            wait_until(lambda: metric(proxy, "splice_pipes") == 1 and metric(proxy, "buffer_bytes") < 65536,
                       "the body to wait in a pipe", PATIENT)
            assert sha256(part + client.read(BIG - len(part), PATIENT)) == sha256(DATA)
        record, = proxy.records(1)
        assert record.stalled["by_client"] > 0
    in_own_network(play)


def test_the_number_of_pipes_is_bounded(stage):
    """A hundred and sixty clients that do not read use up the pipes; those without one lose nothing either."""
    count = 160

    def play():
        narrow_buffers()
        origin = stage.origin(replies_forever(answer_in("length"), PATIENT))
        proxy = stage.proxy("--workers", "1")
        clients = [stage.client(proxy.connect(receive_buffer=65536)) for _ in range(count)]
        for client in clients:
            client.send(request("GET", origin.url + "/"))
        wait_until(lambda: metric(proxy, "splice_pipes") == PIPES_MAX, "the pipes to be used up", PATIENT)
        assert {sha256(client.read_response(bound=PATIENT).body) for client in clients} == {sha256(DATA)}
        wait_until(lambda: metric(proxy, "splice_pipes") <= SPARE_MAX, "the pipes to be given back")
    in_own_network(play)


def test_pipes_that_nobody_needs_are_closed(stage, serial):
    """The kernel's allowance for pipes is that of the user, for all workers and programs."""
    origin = stage.origin(replies_forever(answer_in("length")))
    with serial.connect() as client:
        client.ask(request("GET", origin.url + "/"), PATIENT)
        assert metric(serial, "splice_pipes") == 1
        wait_until(lambda: metric(serial, "splice_pipes") == 0, "the pipe to be closed", PATIENT)
        assert sha256(client.ask(request("GET", origin.url + "/"), PATIENT).body) == sha256(DATA)


@pytest.mark.parametrize("goes", ["fin", "reset"])
def test_a_client_that_goes_leaves_no_pipe(stage, serial, goes):
    """In the middle of a splice."""
    def pours(conn):
        conn.read_request()
        conn.send(ok(b"", f"Content-Length: {10 ** 12}", length=False))
        try:
            while True:
                conn.send(DATA, PATIENT)
        except OSError:
            pass
    origin = stage.origin(pours)
    for _ in range(3):  # a pipe that leaked could be taken for the empty one that is kept
        with serial.connect(receive_buffer=65536) as client:
            client.send(request("GET", origin.url + "/"))
            client.read(2_000_000, PATIENT)
            wait_until(lambda: metric(serial, "splice_pipes") > 0, "a pipe to be in use")
            if goes == "reset":
                client.reset()
            else:
                client.close()
    for record in serial.records(3):
        assert record.end == "rst" and 2_000_000 <= record.bytes["response_body"] < record.bytes["client_out"]
        assert record.bytes["client_out"] - record.bytes["response_body"] < 1000  # the head: what stayed does not count
    wait_until(lambda: metric(serial, "splice_pipes") <= 1, "no pipe but an empty one to be left")


def test_a_stall_that_ends_an_exchange_counts(stage):
    """The client never reads again: the time until it was given up is the client's."""
    def answers(conn):
        conn.read_request()
        try:
            conn.send(answer_in("length"), PATIENT)
        except OSError:
            pass  # it is cut off, too

    def play():
        narrow_buffers()
        origin = stage.origin(answers)
        proxy = stage.proxy("--workers", "1", "--timeout", "body_stall=1s")
        with proxy.connect(receive_buffer=65536) as client:
            client.send(request("GET", origin.url + "/"))
            client.read(BIG // 2, PATIENT)
            record, = proxy.records(1)
        assert record.cause == "client_stalled" and record.stalled["by_client"] >= 900_000
        wait_until(lambda: metric(proxy, "splice_pipes") == 0, "the pipe that holds bytes to be closed")
    in_own_network(play)


@pytest.mark.parametrize("end", ["fin", "reset"])
def test_a_response_cut_in_a_splice_is_seen_to_be_cut(stage, serial, end):
    def cuts(conn):
        conn.read_request()
        conn.send(ok(b"", f"Content-Length: {BIG}", length=False) + DATA[:BIG // 2], PATIENT)
        passed.wait(PATIENT)
        if end == "reset":
            conn.reset()
        else:
            conn.close()
    passed = Cue()
    origin = stage.origin(cuts)
    for _ in range(3):
        with serial.connect() as client:
            client.send(request("GET", origin.url + "/"))
            client.read_head()
            assert client.read(BIG // 2, PATIENT) == DATA[:BIG // 2]
            passed.give()
            assert client.read_to_end() == b""
    for record in serial.records(3):
        assert record.cause == "response_cut" and record.bytes["response_body"] == BIG // 2
    wait_until(lambda: metric(serial, "splice_pipes") <= 1, "no pipe to be left over")


def test_an_urgent_byte_of_a_body_stands_at_its_place(stage, serial):
    """A splice stops before it as if nothing were there."""
    half = BIG // 2
    origin = stage.origin(replies_forever(SHORT))
    with serial.connect() as client:
        client.send(request("POST", origin.url + "/", f"Content-Length: {BIG}") + DATA[:half], PATIENT)
        client.sock.send(DATA[half:half + 1], socket.MSG_OOB)
        client.send(DATA[half + 1:], PATIENT)
        assert client.read_response(bound=PATIENT).body == b"short"
    assert sha256(origin.requests[0].body) == sha256(DATA)


def test_both_bodies_at_once(stage, serial):
    """An origin that answers while it reads: each direction has a pipe of its own."""
    def echo(conn):
        conn.read_request_head()
        conn.send(ok(b"", f"Content-Length: {BIG}", length=False))
        left = BIG
        while left > 0:
            if not conn.buffer:
                conn.fill(PATIENT)
            data = conn.take(len(conn.buffer))
            conn.send(data, PATIENT)
            left -= len(data)
        conn.hold()
    origin = stage.origin(echo)
    with serial.connect() as client:
        head = request("POST", origin.url + "/", f"Content-Length: {BIG}")
        sender = threading.Thread(target=client.send, args=(head + DATA, PATIENT))
        sender.start()
        answer = client.read_response(bound=PATIENT)
        sender.join(PATIENT)
    assert sha256(answer.body) == sha256(DATA)
