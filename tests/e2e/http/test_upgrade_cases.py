"""Upgrades in less usual order: early bytes, reused connections, TLS origins, old versions, ends."""
import pytest

from support.bounds import Cue
from support.message import ok, request
from support.origin import replies
from support.shows import shows

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n"


def switches(protocol=b"echo"):
    """Answer one request with 101, then echo."""
    def script(conn):
        conn.read_request()
        conn.send(SWITCH % protocol)
        while conn.buffer or conn.fill(3600):
            conn.send(conn.take(len(conn.buffer)))
        conn.half_close()
    return script


def ask_upgrade(url, *fields, method="GET", body=b"", version="HTTP/1.1"):
    return request(method, url + "/", "Connection: Upgrade", "Upgrade: echo", *fields, body=body, version=version)


def echo(client, data):
    client.send(data)
    assert client.read(len(data)) == data


def test_early_bytes_follow_the_101(door, stage):
    """What a client sends behind its request, before the 101, is of the new protocol once that has come."""
    origin = stage.origin(switches())
    with door.connect() as client:
        client.send(ask_upgrade(origin.url) + b"early bird")
        assert client.read_head().status == 101
        assert client.read(10) == b"early bird"
        echo(client, b"ping")


@shows("9110-7.8-5")
def test_early_bytes_are_a_request_when_the_origin_declines(proxy, stage):
    """Without a 101 the next bytes are the next request: RFC 9110 §7.8."""
    origin = stage.origin(replies(ok(b"no"), ok(b"second")))
    with proxy.connect() as client:
        client.send(ask_upgrade(origin.url) + request("GET", origin.url + "/second"))
        assert client.read_response().body == b"no"
        assert client.read_response().body == b"second"
    assert [r.target for r in origin.requests] == ["/", "/second"]


def test_an_upgrade_after_an_exchange(door, stage):
    """On a client's used connection; towards the origin it takes a new one, and leaves the pooled one to others."""
    origin = stage.origin([replies(ok(b"first"), ok(b"third")), switches()])
    with door.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"first"
        client.send(ask_upgrade(origin.url))
        assert client.read_head().status == 101
        echo(client, b"ping")
        client.half_close()
        client.expect_end("fin")
    first, second = sorted(door.proxy.records(2), key=lambda record: record.client_conn["use"])
    assert (first.kind, second.kind) == ("exchange", "upgrade")
    assert second.upstream_conn["use"] == 1 and "connect" in second.phases


def test_an_upgrade_to_a_tls_origin(stage, certs):
    """https:// in absolute-form and 101: the tunnel's far leg is TLS."""
    origin = stage.origin(switches(), tls=True)
    proxy = stage.proxy("--upstream-ca", certs.ca)
    with proxy.connect() as client:
        client.send(ask_upgrade(origin.url))
        assert client.read_head().status == 101
        echo(client, b"ping" * 10_000)
        client.half_close()
        client.expect_end("fin")
    record = proxy.record()
    assert record.kind == "upgrade" and record.upstream_tls["version"] == "1.3"
    assert record.bytes["response_body"] >= 40_000


@shows("9110-7.8-5")
def test_an_upgrade_with_a_body_is_a_plain_request(proxy, stage):
    """Upgrade may be ignored (RFC 9110 §7.8), and is where a body stands between the request and the new protocol."""
    origin = stage.origin(replies(ok(b"plain")))
    with proxy.connect() as client:
        client.send(ask_upgrade(origin.url, method="POST", body=b"x" * 1000))
        assert client.read_response("POST").body == b"plain"
    assert origin.requests[0].body == b"x" * 1000
    assert not origin.requests[0].has("Upgrade") and "upgrade" not in origin.requests[0].tokens("Connection")


def test_an_upgrade_with_an_empty_body_is_an_upgrade(proxy, stage):
    """Content-Length: 0, as some clients say of any request: nothing stands between it and the new protocol."""
    origin = stage.origin(switches())
    with proxy.connect() as client:
        client.send(ask_upgrade(origin.url, "Content-Length: 0", method="POST") + b"early")
        assert client.read_head().status == 101
        assert client.read(5) == b"early"
        echo(client, b"ping")
    assert origin.requests[0].values("Content-Length") == ["0"]


@shows("9110-7.8-3", "9110-7.8-4")
@pytest.mark.parametrize("status", [101, 426])
def test_upgrade_in_several_lines_is_one_list(proxy, stage, status):
    """In a request and in a response: RFC 9110 §5.3, §7.8. A protocol of any line was asked for, and is passed on."""
    lines = ("Upgrade: other/1, echo", "Upgrade:", "Upgrade: last")

    def answers(conn):
        conn.read_request()
        conn.send(b"HTTP/1.1 %d Whatever\r\nConnection: Upgrade\r\nUpgrade: last\r\nUpgrade: echo\r\n"
                  b"Content-Length: 0\r\n\r\n" % status)
        conn.hold()

    origin = stage.origin(answers)
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/", "Connection: Upgrade", *lines))
        head = client.read_head()
    assert head.status == status and head.values("Upgrade") == ["last, echo"]
    assert origin.requests[0].values("Upgrade") == ["other/1, echo, last"]


@shows("9110-7.8-7")
def test_a_1_0_client_is_not_upgraded(proxy, stage):
    """Upgrade in an HTTP/1.0 request is ignored: RFC 9110 §7.8."""
    origin = stage.origin(replies(ok(b"plain")))
    with proxy.connect() as client:
        assert client.ask(ask_upgrade(origin.url, version="HTTP/1.0")).body == b"plain"
    assert not origin.requests[0].has("Upgrade")


def test_upgrade_without_connection_is_not_forwarded(proxy, stage):
    """A sender of Upgrade must name it in Connection: RFC 9110 §7.8. Without, it was not meant for the next hop."""
    origin = stage.origin(replies(ok(b"plain")))
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/", "Upgrade: echo")).body == b"plain"
    assert not origin.requests[0].has("Upgrade")


@shows("9110-15.2-3")
def test_interim_responses_before_the_switch(proxy, stage):
    """103 and then 101: both pass, and the 103 does not end the wait for the other."""
    def script(conn):
        conn.read_request()
        conn.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" + SWITCH % b"echo")
        conn.hold()

    origin = stage.origin(script)
    with proxy.connect() as client:
        client.send(ask_upgrade(origin.url))
        assert client.read_head().status == 103
        assert client.read_head().status == 101


@pytest.mark.parametrize("who", ["client", "upstream"])
def test_a_reset_passes_and_is_recorded(door, stage, who):
    """A reset of either side reaches the other as an end, and the record names who did it."""
    up, seen = Cue(), []

    def script(conn):
        conn.read_request()
        conn.send(SWITCH % b"echo")
        up.wait()
        if who == "upstream":
            conn.reset()
        else:
            conn.read_to_end()
            seen.append(conn.end)

    origin = stage.origin(script)
    client = stage.client(door.connect())
    client.send(ask_upgrade(origin.url))
    assert client.read_head().status == 101
    up.give()
    if who == "client":
        client.reset()
    else:
        client.expect_end("rst", "cut")
    record = door.proxy.record()
    assert (record.kind, record.end, record.ended_by) == ("upgrade", "rst", who)
