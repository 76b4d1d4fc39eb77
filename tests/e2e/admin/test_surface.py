"""The admin listener: its paths, methods and errors, and that it is told about draining."""
import json
import signal

import pytest

from support.admin import list_tunnels, open_tunnels
from support.bounds import wait_until
from support.message import ok, request
from support.origin import echoes, replies

PATHS = ["/", "/healthz", "/readyz", "/metrics", "/proxy.pac", "/api/v1/tunnels"]


@pytest.mark.parametrize("path", PATHS)
def test_each_path_answers_and_may_not_be_kept(proxy, path):
    """Every path is 200, most with any query too, and says no-store and nosniff and nothing of CORS."""
    for target in (path, path + ("?limit=1" if "/api/" in path else "?x=1")):
        got = proxy.ask_admin(target, "Origin: http://evil.test")
        assert got.status == 200 and got.body
        assert got.get("Cache-Control") == "no-store"
        assert got.get("X-Content-Type-Options") == "nosniff"
        assert not any(name.lower().startswith("access-control-") for name in got.names())


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_content(proxy, path):
    """HEAD has the fields of GET and no content: RFC 9110 §9.3.2."""
    got = proxy.ask_admin(path, method="HEAD")
    assert got.status == 200 and int(got.get("Content-Length")) > 0 and got.body == b""


def test_the_index_lists_every_path(proxy):
    """/ names what there is."""
    listed = proxy.ask_admin("/").body.decode()
    assert all(f"\n{path} " in listed for path in PATHS) and "/api/v1/tunnels/ID " in listed


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_other_methods_are_405(proxy, method, path):
    """A method that a path does not know is 405 with Allow: RFC 9110 §15.5.6."""
    got = proxy.ask_admin(path, method=method)
    assert got.status == 405 and got.get("Allow") == "GET, HEAD"


def test_an_unknown_path_is_404(proxy):
    """What is not there is 404, and the answer says what is."""
    got = proxy.ask_admin("/nothing")
    assert got.status == 404 and all(path in got.body.decode() for path in PATHS)
    assert got.get("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize("path, method, status, word", [
    ("/nothing", "GET", 404, "not_found"),
    ("/metrics", "POST", 405, "method_not_allowed"),
    ("/api/v1/tunnels?limit=0", "GET", 400, "bad_limit"),
    ("/api/v1/tunnels/0001000000000001", "DELETE", 403, "no_token_configured"),
])
def test_errors_are_json_where_accept_says_so(proxy, path, method, status, word):
    """Accept: application/json turns an error into an object with its word."""
    got = proxy.ask_admin(path, "Accept: application/json", method=method)
    error = json.loads(got.body)
    assert got.get("Content-Type") == "application/json"
    assert (got.status, error["v"], error["status"], error["error"]) == (status, 1, status, word)
    assert error["message"]


def test_a_connection_serves_several_requests(proxy):
    """The admin listener keeps its connections: RFC 9112 §9.3."""
    with proxy.connect_admin() as wire:
        for path in ("/healthz", "/api/v1/tunnels", "/metrics", "/api/v1/tunnels", "/nothing", "/readyz"):
            got = wire.ask(request("GET", path, host="localhost"))
            assert got.status == (404 if path == "/nothing" else 200)


def test_pipelined_requests_are_answered_in_order(proxy):
    """An answer that has to be waited for holds back those behind it: RFC 9112 §9.3.2."""
    with proxy.connect_admin() as wire:
        wire.send(b"".join(request("GET", path, host="localhost")
                           for path in ("/api/v1/tunnels", "/healthz", "/api/v1/tunnels", "/nothing")))
        got = [wire.read_response() for _ in range(4)]
    assert [each.status for each in got] == [200, 200, 200, 404]
    assert b'"tunnels"' in got[0].body and got[1].body == b"ok\n" and b'"tunnels"' in got[2].body


def test_a_malformed_request_is_told(proxy):
    """The admin listener is as strict as the others: RFC 9112 §3.2."""
    with proxy.connect_admin() as wire:
        got = wire.ask(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n")
    assert got.status == 400


def test_draining_is_not_ready(stage, proxy):
    """While draining /readyz is 503 and /healthz still 200; what is open stays listed."""
    origin = stage.origin(echoes)
    client, = open_tunnels(stage, proxy, origin, 1)
    assert proxy.ask_admin("/readyz").status == 200
    proxy.signal(signal.SIGTERM)
    wait_until(lambda: proxy.ask_admin("/readyz").status == 503, "not to be ready")
    assert proxy.ask_admin("/healthz").status == 200
    assert len(list_tunnels(proxy)["tunnels"]) == 1
    client.half_close()
    assert proxy.wait_exit() == 0


def test_the_data_plane_is_not_the_admin_surface(proxy, stage):
    """The proxy's own port answers none of these paths, and the admin port forwards nothing."""
    origin = stage.origin(replies(ok(b"secret")))
    with proxy.connect() as client:
        assert client.ask(request("GET", "/metrics", host="localhost")).status == 404
    with proxy.connect_admin() as wire:
        assert wire.ask(request("GET", origin.url + "/")).status == 421
    assert origin.connections == []


@pytest.mark.parametrize("path, takes", [
    ("tunnels", "limit after age filter"), ("requests", "limit after age filter"), ("transactions", "limit before filter"),
    ("events", "after filter"), ("overview", "minutes"), ("har", "limit filter ids")])
def test_a_parameter_that_is_not_known_is_refused(proxy, path, takes):
    """A slip in `filter` would else be answered with everything; the answer names it, and what there is. What is known passes."""
    for query in ("fliter=status%3D200", "Filter=a", f"{takes.split()[0]}=1&fliter", "=1"):
        got = proxy.ask_admin(f"/api/v1/{path}?{query}", "Accept: application/json")
        name = query.split("&")[-1].split("=")[0]
        assert (got.status, json.loads(got.body)["error"]) == (400, "bad_parameter")
        assert json.loads(got.body)["message"] == f'/api/v1/{path} takes no parameter "{name}"; it takes: {takes}'
    if path != "events":  # it would not end
        for query in ("", "&", "minutes=5" if path == "overview" else "limit=1&&filter=status%3D200"):
            assert proxy.ask_admin(f"/api/v1/{path}?{query}").status == 200
