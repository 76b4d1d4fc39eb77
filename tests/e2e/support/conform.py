"""What the plays of tests/e2e/conformance share: a request that is refused, a response that is refused, and what
one side gets of what the other one sent."""
from support.bounds import wait_until
from support.message import ok, request
from support.origin import replies, replies_forever

FINE = ok(b"fine")


def raw(*lines, start="GET {url}/ HTTP/1.1", host=True, rest=b""):
    """A request of these lines, given an origin; `{url}` and `{authority}` are its own."""
    def fill(origin):
        first = start if isinstance(start, bytes) else start.encode("latin-1")
        parts = [first] + ([b"Host: {authority}"] if host else []) + \
            [line if isinstance(line, bytes) else line.encode("latin-1") for line in lines] + [b"", b""]
        return b"\r\n".join(parts).replace(b"{url}", origin.url.encode()).replace(
            b"{authority}", origin.authority.encode()) + rest
    return fill


def refused(proxy, stage, data, status=400):
    """The request is answered with this status and the end of the connection, and nothing of it is dialled."""
    origin = stage.origin([])
    with proxy.connect() as client:
        client.send(data(origin) if callable(data) else data)
        got = client.read_response()
        client.expect_end("fin")
    assert got.status == status and "close" in got.tokens("Connection"), got
    assert origin.connections == []
    return got


def cut_request(proxy, stage, data):
    """The request is found at fault in its body: 400 and the end, and the origin never sees a whole one."""
    seen = []
    origin = stage.origin(lambda conn: seen.append(conn.read_to_end()))
    with proxy.connect() as client:
        client.send(data(origin))
        got = client.read_response()
        client.expect_end("fin")
    assert got.status == 400 and "close" in got.tokens("Connection"), got
    origin.close()
    assert not any(bytes_.endswith(b"0\r\n\r\n") for bytes_ in seen), seen
    return got


def passed(proxy, stage, *fields, method="GET", path="/", response=FINE, **more):
    """Send a request and return it as the origin saw it."""
    origin = stage.origin(replies(response))
    with proxy.connect() as client:
        answer = client.ask(request(method, origin.url + path, *fields, **more))
    assert answer.status == 200, answer
    return origin.requests[0]


def heard(proxy, stage, response, *fields, method="GET", **more):
    """Send a response and return it as the client saw it."""
    origin = stage.origin(replies(response))
    with proxy.connect() as client:
        return client.ask(request(method, origin.url + "/", *fields, **more))


def refused_response(proxy, stage, response, method="GET"):
    """The response becomes a 502; its connection is closed and the next request goes over another one."""
    ended = []

    def bad(conn):
        conn.read_request()
        conn.send(response)
        ended.append(conn.read_to_end())

    origin = stage.origin([bad, replies_forever(FINE)])
    with proxy.connect() as client:
        got = client.ask(request(method, origin.url + "/"))
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    assert got.status == 502 and "error=" in got.get("Proxy-Status"), got
    assert wait_until(lambda: ended, "the proxy to close the connection") == [b""]
    assert len(origin.connections) == 2
    return got


def cut_response(proxy, stage, response):
    """The response is found at fault in its body: the client sees it begin, and no whole one. Returns all bytes."""
    def bad(conn):
        conn.read_request()
        conn.send(response)
        conn.hold()

    origin = stage.origin([bad, replies_forever(FINE)])
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/"))
        got = client.read_to_end()
    assert b"0\r\n\r\n" not in got, got
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    assert len(origin.connections) == 2
    return got
