"""Basic credentials of a users file (RFC 7617): who passes, who is asked, and what is told of it."""
import base64
import json
import re

import pytest

from support import users
from support.bounds import BOUND, wait_until
from support.message import ok, request
from support.origin import echoes, replies_forever
from support.shows import shows
from support.users import METHODS, basic, counted

CHALLENGE = 'Basic realm="fairlead", charset="UTF-8"'


@pytest.fixture
def origin(stage):
    return stage.origin(replies_forever(ok(b"hello")))


@pytest.fixture
def guarded(stage):
    """A proxy that lets alice in, whose password is "secret"."""
    path = users.write(stage.folder, f"# who may\n\nalice:{users.SHA256}:staff,admins\n")
    return stage.proxy("--users", path, tls=True)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_lets_the_right_password_in(stage, origin, method):
    """yescrypt, bcrypt, SHA-512 and SHA-256 hashes are taken; the record names the user."""
    proxy = stage.proxy("--users", users.write(stage.folder, f"alice:{METHODS[method]}\n"))
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/", basic())).status == 200
        assert client.ask(request("GET", origin.url + "/", basic(password="Secret"))).status == 407
    right, wrong = proxy.records(2)
    assert right.get("user") == "alice" and right.status == 200
    assert wrong.get("user") is None and (wrong.cause, wrong.end) == ("auth_failed", "refused")


@shows("9110-11.5-1", "9110-11.7.1-1", "9110-15.5.8-1")
def test_who_shows_nothing_is_asked(guarded, origin):
    """407 with the challenge in absolute-form and CONNECT, in clear and over TLS, HTTP/1.1 and 1.0: RFC 9110 §15.5.8."""
    for tls in (None, origin_context(guarded)):
        for method, target in (("GET", origin.url + "/"), ("CONNECT", origin.authority)):
            for version in ("HTTP/1.1", "HTTP/1.0"):
                with guarded.connect(tls=tls) as client:
                    got = client.ask(request(method, target, version=version))
                    assert got.status == 407 and got.values("Proxy-Authenticate") == [CHALLENGE], got
                    assert "error=http_request_denied" in got.get("Proxy-Status")
                    assert "USER:PASSWORD@PROXY" in got.reason
    assert counted(guarded, "challenges_total") == 8
    assert not origin.connections


def origin_context(proxy):
    return proxy.certs.client_context()


@pytest.fixture(autouse=True)
def contexts(stage, monkeypatch):
    """Proxies know the session's certificates, for origin_context."""
    from support.proxy import Proxy
    monkeypatch.setattr(Proxy, "certs", stage.certs, raising=False)


def test_the_connection_goes_on_after_407(guarded, stage, origin):
    """A client may answer the challenge on the same connection, also behind CONNECT, which then becomes a tunnel."""
    echo = stage.origin(echoes)
    with guarded.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).status == 407
        assert client.ask(request("GET", origin.url + "/", basic(password="wrong"))).status == 407
        assert client.ask(request("GET", origin.url + "/", basic())).status == 200
        assert client.ask(request("CONNECT", echo.authority)).status == 407
        client.send(request("CONNECT", echo.authority, basic()))
        assert client.read_head().status == 200
        client.send(b"ping")
        assert client.read(4) == b"ping"
        client.half_close()
        client.expect_end("fin")
    records = guarded.records(5)
    assert [r.get("user") for r in records] == [None, None, "alice", None, "alice"]
    assert [r.cause for r in records] == ["auth_needed", "auth_failed", None, "auth_needed", None]
    assert records[4].kind == "tunnel"


def test_what_follows_a_refused_connect_must_prove_itself(guarded, origin):
    """Bytes of a tunnel that never was are requests without credentials to us: whoever chose them gets nowhere."""
    with guarded.connect() as client:
        client.send(request("CONNECT", origin.authority) + request("GET", origin.url + "/"))
        assert client.read_response("GET").status == 407
        assert client.read_response("GET").status == 407
    assert not origin.connections


@pytest.mark.parametrize("field", [
    "Basic", "Basic ", "Basic !!!!", "Basic YWxpY2U6c2VjcmV", "Basic YWxpY2U=", "Basic " + "QUFB" * 2000,
    "Basic " + base64.b64encode(b"alice:sec\x07ret").decode(), "Basic " + base64.b64encode(b"a\x00b:x").decode(),
    "Basic " + base64.b64encode(b"a" * 300 + b":x").decode(), "Bearer", "Digest username=\"alice\"", "Negotiate YII=",
    "basic\tYWxpY2U6c2VjcmV0"])
def test_worst_fields_are_asked_again(guarded, origin, field):
    """What is malformed, too long or of another scheme is 407 with the challenge, and the connection goes on."""
    with guarded.connect() as client:
        got = client.ask(request("GET", origin.url + "/", "Proxy-Authorization: " + field))
        assert got.status == 407 and got.values("Proxy-Authenticate") == [CHALLENGE], got
        assert client.ask(request("GET", origin.url + "/", basic())).status == 200
    assert counted(guarded, "hashes_total") == 1


def test_two_fields_are_refused(guarded, origin):
    """Two Proxy-Authorization fields: nobody can say which one counts."""
    with guarded.connect() as client:
        assert client.ask(request("GET", origin.url + "/", basic(), basic(password="x"))).status == 407


def test_scheme_and_case(guarded, origin):
    """The scheme's case does not matter (RFC 9110 §11.1), that of the user does."""
    with guarded.connect() as client:
        assert client.ask(request("GET", origin.url + "/", basic().replace("Basic", "bAsIc"))).status == 200
        assert client.ask(request("GET", origin.url + "/", basic(user="Alice"))).status == 407


def test_credentials_go_nowhere(guarded, stage):
    """Proxy-Authorization is not passed on, nor is it in an answer or a log."""
    origin = stage.origin(replies_forever(ok(b"hello")))
    secret = basic().split()[-1]
    with guarded.connect() as client:
        assert client.ask(request("GET", origin.url + "/", basic())).status == 200
        client.ask(request("GET", origin.url + "/", basic(password="hunter2")))
        traced = client.ask(request("TRACE", origin.url + "/", basic(), "Max-Forwards: 0"))
        assert secret not in traced.body.decode()
    guarded.records(3)
    seen = "".join(guarded.log_lines()) + guarded.stderr
    assert secret not in seen and "hunter2" not in seen
    assert "Basic" not in seen.replace("Basic realm", "")
    assert not origin.requests[0].has("Proxy-Authorization")


@pytest.mark.parametrize("accept, kind", [("text/html", "text/html"), ("application/json", "application/json"),
                                          ("*/*", "text/plain")])
def test_the_answer_is_as_it_is_liked(guarded, origin, accept, kind):
    """The body of 407 is HTML, JSON or text by Accept, with rule and remedy."""
    with guarded.connect() as client:
        got = client.ask(request("GET", origin.url + "/", "Accept: " + accept))
    assert got.get("Content-Type").startswith(kind) and b"USER:PASSWORD@PROXY" in got.body
    if kind == "application/json":
        told = json.loads(got.body)
        assert (told["status"], told["cause"], told["rule"]) == (407, "auth_needed", "identity.basic")


def test_a_password_is_hashed_once(guarded, origin):
    """On one connection and on others of the worker a password that was right costs no hash again."""
    with guarded.connect() as client:
        for _ in range(20):
            assert client.ask(request("GET", origin.url + "/", basic())).status == 200
    assert counted(guarded, "hashes_total") == 1 and counted(guarded, "cache_hits_total") == 19
    for _ in range(10):
        with guarded.connect() as client:
            assert client.ask(request("GET", origin.url + "/", basic())).status == 200
    assert counted(guarded, "hashes_total") <= 2  # one a worker


def test_nothing_is_remembered_without_a_lifetime(stage, origin):
    """identity.cache: 0s hashes each time."""
    path = users.write(stage.folder, f"alice:{users.SHA256}\n")
    config = stage.folder / "fairlead.yaml"
    config.write_text("identity: { cache: 0s }\n")
    proxy = stage.proxy("-c", config, "--users", path)
    with proxy.connect() as client:
        for _ in range(3):
            assert client.ask(request("GET", origin.url + "/", basic())).status == 200
    assert counted(proxy, "hashes_total") == 3


def test_many_connections_at_once_are_one_hash(stage, origin):
    """Forty clients that show the same slow password at once wait for one hash, and all pass."""
    path = users.write(stage.folder, f"alice:{users.SLOW_HASH}\n")
    proxy = stage.proxy("--users", path, "--workers", "1")
    clients = [stage.client(proxy.connect()) for _ in range(40)]
    for client in clients:
        client.send(request("GET", origin.url + "/", basic(password="slow")))
    for client in clients:
        assert client.read_response().status == 200
    assert counted(proxy, "hashes_total") == 1


def test_a_client_that_leaves_during_a_hash(stage, origin):
    """It is recorded as gone, and the proxy goes on; the gauge of hashes comes back to zero."""
    path = users.write(stage.folder, f"alice:{users.SLOW_HASH}\nbob:{users.SHA256}\n")
    proxy = stage.proxy("--users", path, "--workers", "1")
    client = proxy.connect()
    client.send(request("GET", origin.url + "/", basic(password="slow")))
    wait_until(lambda: counted(proxy, "hashes") == 1, "the hash to begin")
    client.reset()
    assert proxy.record().cause == "client_gone"
    with proxy.connect() as other:
        assert other.ask(request("GET", origin.url + "/", basic(user="bob"))).status == 200
    wait_until(lambda: counted(proxy, "hashes") == 0, "the hash to end")


def test_a_drain_during_a_hash(stage, origin):
    """SIGTERM while a password is hashed: the request is answered, and the proxy ends in order."""
    path = users.write(stage.folder, f"alice:{users.SLOW_HASH}\n")
    proxy = stage.proxy("--users", path, "--timeout", "drain=20s")
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/", basic(password="slow")))
        wait_until(lambda: counted(proxy, "hashes") == 1, "the hash to begin")
        proxy.signal(15)
        assert client.read_response().status == 200
    proxy.stop()


def test_an_end_during_a_hash(stage, origin):
    """A second SIGTERM while a password is hashed ends at once; nothing is lost or used after its end."""
    path = users.write(stage.folder, f"alice:{users.SLOW_HASH}\n")
    proxy = stage.proxy("--users", path, "--timeout", "drain=20s")
    client = stage.client(proxy.connect())
    client.send(request("GET", origin.url + "/", basic(password="slow")))
    wait_until(lambda: counted(proxy, "hashes") == 1, "the hash to begin")
    proxy.signal(15)
    proxy.wait_line("draining")
    proxy.stop(6 * BOUND)  # the hash is finished first


def test_optional_identity(stage, origin):
    """identity.required: false lets those pass who show nothing; who shows wrong credentials is refused all the same."""
    config = stage.folder / "fairlead.yaml"
    config.write_text("identity: { required: false }\n")
    proxy = stage.proxy("-c", config, "--users", users.write(stage.folder, f"alice:{users.SHA256}\n"))
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).status == 200
        assert client.ask(request("GET", origin.url + "/", basic())).status == 200
        assert client.ask(request("GET", origin.url + "/", basic(password="x"))).status == 407
    assert [r.get("user") for r in proxy.records(3)] == [None, "alice", None]


@pytest.mark.parametrize("log_format, pattern", [("combined", r'^127\.0\.0\.1 - alice \['), ("squid", r" alice HIER_DIRECT/")])
def test_the_user_is_in_the_other_logs(stage, origin, log_format, pattern):
    """Apache's and Squid's formats have the user at its place."""
    path = users.write(stage.folder, f"alice:{users.SHA256}\n")
    proxy = stage.proxy("--users", path, "--log-format", log_format)
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/", basic())).status == 200
    wait_until(proxy.log_lines, "a line in the log")
    assert re.search(pattern, proxy.log_lines()[0])


def test_rules_know_users_and_groups(stage, origin):
    """A rule for a group lets its members pass and nobody else."""
    path = users.write(stage.folder, f"alice:{users.SHA256}:staff\nbob:{users.SHA256}:guests\n")
    config = stage.folder / "fairlead.yaml"
    config.write_text("policy:\n  rules:\n    - { name: staff only, group: [guests], action: deny }\n")
    proxy = stage.proxy("-c", config, "--users", path)
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/", basic())).status == 200
        got = client.ask(request("GET", origin.url + "/", basic(user="bob")))
    assert got.status == 403 and "staff only" in got.reason
    assert [r.get("user") for r in proxy.records(2)] == ["alice", "bob"]


def test_users_open_a_listener_beyond_loopback(stage):
    """With --users the proxy may listen on all addresses; without it that would be an open proxy."""
    path = users.write(stage.folder, f"alice:{users.SHA256}\n")
    proxy = stage.proxy("--users", path, listen="0.0.0.0:0")
    assert proxy.address
    proxy.wait_line("passwords and tokens come to 0.0.0.0:0 in clear")
    closed = stage.run("--listen", "0.0.0.0:0", "--admin", "off")
    assert closed.wait_exit() == 2 and "--users FILE" in closed.stderr
