"""Marks and phases against the players' own monotonic stamps: order and containment, not milliseconds.

The record's base is CLOCK_MONOTONIC, as is every stamp here; marks are cut to whole microseconds."""
from support.bounds import Cue, wait_until
from support.message import chunked, ok, request
from support.origin import echoes, replies, replies_forever

CUT = 2_000  # ns by which a cut mark may seem too early


def assert_order(record, *names):
    """These marks all exist and follow each other."""
    marks = [(name, record.marks.get(name)) for name in names]
    assert all(at is not None for _, at in marks), marks
    assert [at for _, at in marks] == sorted(at for _, at in marks), marks


def assert_between(before, mark, after):
    assert before - CUT <= mark <= after, f"{mark - before} ns after, {after - mark} ns before"


def test_every_mark_of_an_exchange_is_in_order(proxy, stage, dns):
    """From accept to end, for a first exchange by name."""
    dns.add("origin.test", a=["127.0.0.1"])
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        client.ask(request("POST", f"http://origin.test:{origin.port}/", body=b"body"))
    record = proxy.record()
    assert_order(record, "c_accept", "c_first", "c_head", "p_policy", "u_dns0", "u_dns1", "u_syn0", "u_syn1",
                 "u_tx0", "u_txh", "u_rx0", "u_rxh", "u_rx1", "d_tx1", "x_end")
    assert_order(record, "c_head", "c_body", "u_tx1", "u_rx1")
    assert_order(record, "u_rxh", "d_tx0", "d_tx1")


def test_the_client_leg_is_bracketed_by_the_clients_stamps(proxy, stage):
    """Accept, first byte and head lie between what the client did and saw."""
    origin = stage.origin(replies(ok(b"fine")))
    import time
    begun = time.monotonic_ns()
    with proxy.connect() as client:
        opened = time.monotonic_ns()
        data = request("GET", origin.url + "/")
        client.send(data[:10])
        client.pause(0.05)
        half = time.monotonic_ns()
        client.send(data[10:])
        client.read_response()
        answered = client.last("received")
    record = proxy.record()
    assert_between(begun, record.mark("c_accept"), half)
    assert_between(opened, record.mark("c_first"), half)
    assert_between(half, record.mark("c_head"), answered)
    assert record.phases["receive"] >= 40_000


def test_the_upstream_leg_is_bracketed_by_the_origins_stamps(proxy, stage):
    """Connect, send, wait and load against accept, arrival and departure at the origin."""
    stamps = {}

    def slow(conn):
        import time
        conn.read_request()
        stamps["asked"] = time.monotonic_ns()
        conn.pause(0.05)
        stamps["answers"] = time.monotonic_ns()
        conn.send(ok(b"", "Content-Length: 8", length=False))
        conn.pause(0.05)
        stamps["finishes"] = time.monotonic_ns()
        conn.send(b"8 bytes!")
        conn.hold()

    origin = stage.origin(slow)
    with proxy.connect() as client:
        sent = client.first("open")
        client.ask(request("GET", origin.url + "/"))
        done = client.last("received")
    record = proxy.record()
    accepted = origin.connections[0].first("open")
    assert_between(sent, record.mark("u_syn0"), accepted)
    assert_between(record.mark("u_syn0"), record.mark("u_syn1"), stamps["answers"])
    assert_between(record.mark("u_syn1"), record.mark("u_tx0"), stamps["asked"])
    assert_between(stamps["answers"], record.mark("u_rx0"), stamps["finishes"])
    assert_between(stamps["finishes"], record.mark("u_rx1"), done)
    assert record.phases["wait"] >= 40_000 and record.phases["load"] >= 40_000


def test_dns_is_bracketed_by_the_name_servers_stamps(proxy, stage, dns):
    """The DNS phase holds the moment of the question and the delay of the answer."""
    dns.add("slow.test", a=["127.0.0.1"], delay=0.1)
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        client.ask(request("GET", f"http://slow.test:{origin.port}/"))
    record = proxy.record()
    asked = min(q[0] for q in dns.asked("slow.test"))
    assert record.mark("u_dns0") <= asked + CUT
    assert record.mark("u_dns1") >= asked + 90_000_000
    assert record.phases["dns"] >= 90_000
    assert record.mark("u_dns1") <= record.mark("u_syn0")


def test_phases_are_differences_of_marks(proxy, stage):
    """phases_us.wait is exactly u_rx0 - u_tx1, load is u_rx1 - u_rx0, and their kin."""
    origin = stage.origin(replies(ok(b"fine")))
    with proxy.connect() as client:
        client.ask(request("GET", origin.url + "/"))
    record = proxy.record()
    marks, phases = record.marks, record.phases
    assert phases["receive"] == marks["c_head"] - marks["c_first"]
    assert phases["connect"] == marks["u_syn1"] - marks["u_syn0"]
    assert phases["send"] == marks["u_tx1"] - marks["u_tx0"]
    assert phases["wait"] == marks["u_rx0"] - marks["u_tx1"]
    assert phases["load"] == marks["u_rx1"] - marks["u_rx0"]


def test_a_reused_connection_leaves_phases_out(proxy, stage):
    """Absent, never zero; what its first user paid stands beside."""
    proxy = stage.proxy("--workers", "1")
    origin = stage.origin(replies_forever(ok(b"fine")))
    with proxy.connect() as client:
        for _ in range(2):
            client.ask(request("GET", origin.url + "/"))
    first, second = proxy.records(2)
    for name in ("u_syn0", "u_syn1", "u_dns0", "u_dns1"):
        assert name not in second.marks
    for name in ("dns", "connect", "tls"):
        assert name not in second.phases
    assert second.upstream_conn["id"] == first.upstream_conn["id"]
    assert abs(second.upstream_conn["paid_connect_us"] - first.phases["connect"]) <= 1  # cut twice
    assert "c_accept" not in second.marks or second.client_conn["use"] == 2


def test_interim_responses_do_not_end_the_wait(proxy, stage):
    """Wait ends with the first byte of the final response; the first 1xx has its own mark."""
    def hints(conn):
        conn.read_request()
        conn.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        conn.pause(0.05)
        conn.send(ok(b"page"))
        conn.hold()

    origin = stage.origin(hints)
    with proxy.connect() as client:
        client.ask(request("GET", origin.url + "/"))
    record = proxy.record()
    assert record.mark("u_rx0") - record.mark("u_1xx") >= 40_000_000
    assert record.phases["wait"] >= 40_000


def test_an_early_response_never_gives_negative_phases(proxy, stage):
    """Send is cut at the first byte of the response, wait is 0."""
    def early(conn):
        conn.read_request_head()
        conn.send(ok(b"early", "Connection: close"))
        conn.half_close()
        conn.hold()

    origin = stage.origin(early)
    with proxy.connect() as client:
        client.send(request("POST", origin.url + "/", "Content-Length: 1000000") + b"x" * 1000)
        client.read_response("POST")
    record = proxy.record()
    assert all(value >= 0 for value in record.phases.values()), record.phases


def test_a_slow_client_is_told_from_a_slow_origin(stage):
    """Time in which the client did not read is counted as stalled by the client."""
    proxy = stage.proxy()
    size = 30_000_000
    origin = stage.origin(replies(ok(b"x" * size)))
    with proxy.connect(receive_buffer=4096) as client:
        client.send(request("GET", origin.url + "/"))
        client.read_head()
        client.pause(0.3)
        client.read(size, 60)
    assert proxy.record().stalled["by_client"] >= 100_000


def test_a_slow_origin_is_told_from_a_slow_client(stage):
    """Time in which the origin did not read is counted as stalled by upstream."""
    size = 30_000_000

    def reads_late(conn):
        conn.read_request_head()
        conn.pause(0.3)
        conn.read(size, 60)
        conn.send(ok(b"got"))
        conn.hold()

    proxy = stage.proxy()
    origin = stage.origin(reads_late)
    with proxy.connect() as client:
        client.send(request("PUT", origin.url + "/", body=b"x" * size), 60)
        client.read_response("PUT", 60)
    assert proxy.record().stalled["by_upstream"] >= 100_000


def test_the_marks_of_a_tunnel(proxy, stage):
    """Open, first byte each way, last byte, ends: in order, and between the players' stamps."""
    origin = stage.origin(echoes)
    with proxy.connect() as client:
        client.send(request("CONNECT", origin.authority))
        client.read_head()
        opened = client.last("received")
        client.pause(0.05)
        client.send(b"ping")
        client.read(4)
        pong = client.last("received")
        client.pause(0.05)
        client.half_close()
        client.expect_end("fin")
        ended = client.last("eof")
    record = proxy.record()
    conn = origin.connections[0]
    assert_order(record, "c_head", "u_syn0", "u_syn1", "t_open", "t_up", "t_down", "t_last", "x_fin_c", "x_fin_u",
                 "x_end")
    assert record.mark("t_open") <= client.last("sent")  # the kernel may deliver the 200 before the mark is set
    assert_between(opened + 40_000_000, record.mark("t_up"), conn.first("received"))
    assert_between(conn.first("sending"), record.mark("t_down"), pong)
    assert_between(client.last("shutting"), record.mark("x_fin_c"), ended)
    assert record.phases["tunnel"] >= 90_000


def test_bytes_are_counted_as_on_the_wire(proxy, stage):
    """Heads and bodies with framing on both legs; content alone beside."""
    answer = ok(chunked(b"abc", b"defg"), "Transfer-Encoding: chunked", length=False)
    origin = stage.origin(replies(answer))
    data = request("POST", origin.url + "/", "Transfer-Encoding: chunked") + chunked(b"hello", b"!")
    with proxy.connect() as client:
        got = client.ask(data)
        received = client.received
    record = proxy.record()
    assert record.bytes["client_in"] == len(data)
    assert record.bytes["client_out"] == received
    assert record.bytes["upstream_out"] == origin.connections[0].received
    assert record.bytes["upstream_in"] == len(answer)
    assert (record.bytes["request_body"], record.bytes["response_body"]) == (6, len(got.body))


def test_a_tls_client_pays_its_handshake_once(stage, certs):
    """client_tls belongs to the first exchange of a connection."""
    proxy = stage.proxy(tls=True)
    origin = stage.origin(replies_forever(ok(b"fine")))
    with proxy.connect(tls=certs.client_context()) as client:
        for _ in range(2):
            client.ask(request("GET", origin.url + "/"))
    first, second = proxy.records(2)
    assert first.client_tls["version"] == "1.3" and "client_tls" in first.phases
    assert "client_tls" not in second.phases
    assert_order(first, "c_accept", "c_tls_done", "c_first", "c_head")


def test_a_refusal_has_no_upstream_marks(stage):
    """A refused request never reaches DNS or connect."""
    proxy = stage.proxy("--deny", "bad.test")
    with proxy.connect() as client:
        assert client.ask(request("GET", "http://bad.test/")).status == 403
    record = proxy.record()
    assert not [name for name in record.marks if name.startswith("u_")]
    assert set(record.phases) <= {"receive", "blocked", "deliver", "total", "close"}


def test_the_wait_belongs_to_whom_it_should(proxy, stage):
    """While the origin thinks, the record is not written; when it answers, the wait is the origin's."""
    think = Cue()

    def thinks(conn):
        conn.read_request()
        think.wait()
        conn.send(ok(b"thought"))
        conn.hold()

    origin = stage.origin(thinks)
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        origin.wait_requests(1)
        client.expect_quiet()
        assert proxy.log_lines() == []
        think.give()
        assert client.read_response().body == b"thought"
    phases = proxy.record().phases
    assert phases["wait"] == max(phases[name] for name in phases if name != "total")


def test_a_failed_exchange_names_its_connection(proxy, stage):
    """A response that is cut, or never comes, leaves a record with the connection it was waited for on, how old
    that was when it was taken, and the bytes that moved."""
    def cuts(conn):
        for _ in range(2):
            conn.read_request()
            conn.send(ok(b"whole"))
        conn.read_request()
        conn.send(ok(b"cut", "Content-Length: 1000", length=False))
        conn.close()

    origin = stage.origin(cuts)
    with proxy.connect() as client:
        for _ in range(2):
            assert client.ask(request("GET", origin.url + "/")).status == 200
        client.send(request("GET", origin.url + "/"))
        assert client.read_to_end().endswith(b"cut")
    first, second, cut = proxy.records(3)
    assert cut.cause == "response_cut"
    assert cut.upstream_conn["id"] == first.upstream_conn["id"] and cut.upstream_conn["use"] == 3
    assert cut["upstream"] == first["upstream"]
    assert cut.bytes["upstream_in"] == first.bytes["upstream_in"] + len("Content-Length: 1000") - \
        len("Content-Length: 5") + len("cut") - len("whole")
    assert cut.bytes["upstream_out"] == first.bytes["upstream_out"] > 0
    for record in (second, cut):
        lived_us = (record.mark("p_slot") - first.mark("u_syn1")) / 1000
        assert abs(lived_us - record.upstream_conn["age_us"]) <= 2  # marks and ages are rounded, each by itself


def test_the_phase_that_was_not_over_is_told(stage):
    """An answer that never comes: the wait for it is no phase that happened, but is where the time went."""
    origin = stage.origin(lambda conn: conn.read_to_end())
    proxy = stage.proxy("--timeout", "response_head=300ms")
    client = stage.client(proxy.connect())
    assert client.ask(request("GET", origin.url + "/")).status == 504
    record = proxy.record()
    assert record.json["unfinished"]["phase"] == "wait" and "wait" not in record.phases
    assert 300_000 <= record.json["unfinished"]["us"] <= record.phases["total"]
    assert client.ask(request("GET", "http://nowhere.test/")).status == 502
    assert "unfinished" not in proxy.records(2)[1].json  # what was refused at once had nothing to wait for


def test_a_client_that_closes_its_side_while_it_waits_is_marked(stage):
    """It may still read, so the answer comes; and when it closed stands in the record."""
    asked, go = Cue(), Cue()

    def answers_late(conn):
        conn.read_request()
        asked.give()
        go.wait()
        conn.send(ok(b"late"))
        conn.hold()
    proxy, origin = stage.proxy(), stage.origin(answers_late)
    client = stage.client(proxy.connect())
    client.send(request("GET", origin.url + "/"))
    asked.wait()
    client.half_close()
    wait_until(lambda: b"x_fin_c" in proxy.ask_admin("/api/v1/requests").body, "the end to be seen")
    go.give()
    assert client.read_response().body == b"late"
    record = proxy.record()
    assert_order(record, "u_txh", "x_fin_c", "u_rx0", "x_end")
    assert record.json["end"] == "done"
