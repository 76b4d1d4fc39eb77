"""Tokens, client certificates and processes behind Unix sockets as users, and how often a client may fail."""
import hashlib
import json
import os
import socket

import pytest

from support import users
from support.bounds import BOUND
from support.message import ok, request
from support.ops import Config
from support.origin import replies_forever
from support.users import basic, counted
from support.wire import connect

TOKEN = "Zm9vYmFyYmF6cXV4-token_0123456789"


@pytest.fixture
def origin(stage):
    return stage.origin(replies_forever(ok(b"hello")))


def start(stage, *listen, users_text=None, tokens_text=None, workers=None, **identity):
    """A proxy with this section of the configuration."""
    config = Config(stage)
    if users_text is not None:
        identity["basic"] = {"users": str(users.write(stage.folder, users_text))}
    if tokens_text is not None:
        identity["bearer"] = {"tokens": str(users.write(stage.folder, tokens_text, "tokens"))}
    config.write(*listen, identity=identity, **({"workers": workers} if workers else {}))
    return config.start(listeners=len(listen) or 1)


def tokens_of(name, token=TOKEN, groups=""):
    return f"{name}:{hashlib.sha256(token.encode()).hexdigest()}{groups}\n"


def test_a_token_is_a_user(stage, origin):
    """Proxy-Authorization: Bearer with a token whose digest is in the file passes, another is 407 (RFC 6750)."""
    proxy = start(stage, tokens_text="# robots\n" + tokens_of("robot", groups=":ci,nightly"))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/"))
        assert (got.status, got.values("Proxy-Authenticate")) == (407, ['Bearer realm="fairlead"'])
        assert client.ask(request("GET", origin.url + "/", "Proxy-Authorization: Bearer " + TOKEN)).status == 200
        assert client.ask(request("GET", origin.url + "/", "Proxy-Authorization: Bearer x" + TOKEN)).status == 407
        assert client.ask(request("GET", origin.url + "/", basic())).status == 407
    found = proxy.records(4)
    assert [r.get("user") for r in found] == [None, "robot", None, None]
    assert [r.cause for r in found] == ["auth_needed", None, "auth_failed", "auth_needed"]
    assert TOKEN not in "".join(proxy.log_lines()) and counted(proxy, "hashes_total") == 0


def test_a_token_is_remembered(stage, origin):
    """The second request of a worker with the same token is not looked up, so it passes no lock."""
    proxy = start(stage, tokens_text=tokens_of("robot"))
    with proxy.connect() as client:
        for _ in range(3):
            assert client.ask(request("GET", origin.url + "/", "Proxy-Authorization: Bearer " + TOKEN)).status == 200
    assert counted(proxy, "cache_hits_total") == 2
    assert [r.get("user") for r in proxy.records(3)] == ["robot"] * 3


def test_both_challenges(stage, origin):
    """With users and tokens both are asked for, each in a field of its own, and either is taken."""
    proxy = start(stage, users_text=f"alice:{users.SHA256}\n", tokens_text=tokens_of("robot"))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/"))
        assert got.values("Proxy-Authenticate") == ['Basic realm="fairlead", charset="UTF-8"',
                                                    'Bearer realm="fairlead"']
        assert client.ask(request("GET", origin.url + "/", "Proxy-Authorization: Bearer " + TOKEN)).status == 200
        assert client.ask(request("GET", origin.url + "/", basic())).status == 200


@pytest.mark.parametrize("line, reason", [("robot:" + "ab" * 31, "64 hexadecimal"), ("robot:" + TOKEN, "64 hexadecimal"),
                                          ("robot", "expected user:sha256")])
def test_bad_tokens_are_refused(stage, line, reason):
    """A file of tokens with anything but digests does not start, and what stands there is not said."""
    path = users.write(stage.folder, line + "\n", "tokens")
    config = stage.folder / "fairlead.yaml"
    config.write_text(json.dumps({"identity": {"bearer": {"tokens": str(path)}}}))
    proxy = stage.run("-c", config, "--listen", "127.0.0.1:0", "--admin", "off")
    assert proxy.wait_exit() == 1 and f"{path}:1: " in proxy.stderr and reason in proxy.stderr
    assert TOKEN not in proxy.stderr


@pytest.mark.parametrize("which, user", [("cn", "client"), ("dns", "client.test")])
def test_a_certificate_is_a_user(stage, certs, origin, which, user):
    """The common name or the first DNS name of a verified certificate; without one there is nothing to be shown: 403."""
    listen = {"address": "127.0.0.1:0", "tls": {"certificate": str(certs.server), "key": str(certs.server_key),
                                                "client_ca": str(certs.ca)}}
    proxy = start(stage, listen, certificate=which)
    proxy.learn_addresses()
    for with_certificate, status in ((True, 200), (False, 403)):
        with proxy.connect(tls=certs.client_context(with_certificate)) as client:
            assert client.ask(request("GET", origin.url + "/")).status == status
    known, unknown = sorted(proxy.records(2), key=lambda record: record.status)
    assert known.get("user") == user
    assert unknown.get("user") is None and unknown.cause == "auth_impossible"


def test_a_certificate_needs_an_authority(stage):
    """identity.certificate without a listener that verifies any is a mistake of the file."""
    config = stage.folder / "fairlead.yaml"
    config.write_text("identity: { certificate: cn }\n")
    proxy = stage.run("-c", config, "--listen", "127.0.0.1:0", "--admin", "off")
    assert proxy.wait_exit() == 2 and "no listener asks for client certificates" in proxy.stderr


def test_a_process_is_a_user(stage, origin):
    """Whoever connects to a Unix socket is uid:NUMBER; a client of TCP beside it has no way to say who it is."""
    path = stage.folder / "proxy.sock"
    proxy = start(stage, {"address": f"unix:{path}", "mode": "0666"}, "127.0.0.1:0", peer="on")
    with connect(str(path)) as client:
        assert client.ask(request("GET", origin.url + "/")).status == 200
        assert client.ask(request("GET", origin.url + "/")).status == 200
    with connect(("127.0.0.1", int(proxy.urls[-1].rpartition(":")[2].strip("/")))) as client:
        assert client.ask(request("GET", origin.url + "/")).status == 403
    assert [r.get("user") for r in proxy.records(3)] == [f"uid:{os.getuid()}"] * 2 + [None]


def test_a_client_that_fails_too_often_waits(stage, origin):
    """After so many failures 429 with Retry-After, without a hash; another client, and whoever is remembered, passes."""
    proxy = start(stage, users_text=f"alice:{users.SHA256}\nbob:{users.SHA256}\n",
                  throttle={"failures": 3, "period": "1h"})
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/", basic())).status == 200
        for _ in range(3):
            assert client.ask(request("GET", origin.url + "/", basic(password="guess"))).status == 407
        hashes = counted(proxy, "hashes_total")
        assert client.ask(request("GET", origin.url + "/", basic())).status == 200  # remembered
        got = client.ask(request("GET", origin.url + "/", basic(user="bob")))
        assert got.status == 429 and 0 < int(got.get("Retry-After")) <= 1200, got
    with connect(proxy.address, source="127.0.0.2") as other:
        assert other.ask(request("GET", origin.url + "/", basic(user="bob"))).status == 200
    assert counted(proxy, "hashes_total") == hashes + 1 and counted(proxy, "throttled_total") == 1
    assert proxy.record(lambda r: r.status == 429).cause == "auth_throttled"


@pytest.mark.parametrize("workers", [1, 3])
def test_who_was_right_before_does_not_wait_for_the_guesses_of_others(stage, origin, workers):
    """Behind one address others have filled the throttle. Credentials that were right from there are hashed again when no
    worker remembers them any more; a wrong password, another user and another address gain nothing by it."""
    proxy = start(stage, users_text=f"alice:{users.SHA256}\nbob:{users.SHA256}\n", tokens_text=tokens_of("robot"),
                  throttle={"failures": 3, "period": "1h"}, cache="0s", workers=workers)
    bearer = "Proxy-Authorization: Bearer " + TOKEN
    def status(*fields, source="127.0.0.1"):
        with connect(proxy.address, source=source) as client:
            return client.ask(request("GET", origin.url + "/", *fields)).status
    assert (status(basic()), status(bearer)) == (200, 200)
    assert [status(basic(password=f"guess{n}")) for n in range(4)] == [407, 407, 407, 429]
    hashes = counted(proxy, "hashes_total")
    assert [status(basic()) for _ in range(4)] == [200] * 4 and status(bearer) == 200
    assert counted(proxy, "hashes_total") == hashes + 4
    assert (status(basic(user="bob")), status(basic(password="guess")), status(bearer + "x")) == (429, 429, 429)
    assert status(basic(user="bob", password="guess")) == status(basic(user="nobody")) == 429
    assert [status(basic(user="bob", password=f"other{n}"), source="127.0.0.2") for n in range(3)] == [407] * 3
    assert status(basic(), source="127.0.0.2") == 429, "what was proven from one address opens no other"


def test_a_new_password_is_a_new_proof(stage, origin):
    """Who was right with the password of before is a guesser like others once it has changed."""
    proxy = start(stage, users_text=f"alice:{users.SHA256}\n", throttle={"failures": 2, "period": "1h"}, cache="0s")
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/", basic())).status == 200
        users.write(stage.folder, f"alice:{users.SLOW_HASH.replace('$13$', '$04$')}\n")
        proxy.wait_line("reloaded")
        assert [client.ask(request("GET", origin.url + "/", basic())).status for _ in range(3)] == [407, 407, 429]


def test_tokens_are_throttled_too(stage, origin):
    """Unknown tokens count as wrong passwords do; a known one is refused, too, while its client must wait."""
    proxy = start(stage, tokens_text=tokens_of("robot"), throttle={"failures": 2, "period": "1h"})
    with proxy.connect() as client:
        for n in range(2):
            assert client.ask(request("GET", origin.url + "/", f"Proxy-Authorization: Bearer guess{n}")).status == 407
        assert client.ask(request("GET", origin.url + "/", "Proxy-Authorization: Bearer " + TOKEN)).status == 429


def test_many_wrong_passwords_at_once(stage, origin):
    """The queue is bounded: of two hundred different passwords from one address at most sixteen are hashed or wait, the
    rest is 503 with Retry-After or 429; afterwards a good client passes."""
    slow = users.SLOW_HASH.replace("$13$", "$11$")  # nobody's password, and some tenths of a second
    proxy = start(stage, users_text=f"alice:{slow}\nbob:{users.SHA256}\n")
    clients = [stage.client(proxy.connect()) for _ in range(200)]
    for number, client in enumerate(clients):
        client.send(request("GET", origin.url + "/", basic(password=f"guess{number}")))
    got = [client.read_response(bound=6 * BOUND) for client in clients]
    assert {answer.status for answer in got} <= {407, 429, 503}
    assert all(int(answer.get("Retry-After")) > 0 for answer in got if answer.status != 407)
    assert sum(answer.status == 407 for answer in got) <= 10 + 16
    assert counted(proxy, "hashes_total") == sum(answer.status == 407 for answer in got)
    assert counted(proxy, "hashes") == 0
    busy = proxy.records(sum(answer.status == 503 for answer in got), lambda record: record.status == 503)
    assert busy and {record.cause for record in busy} == {"auth_busy"}
    with connect(proxy.address, source="127.0.0.2") as other:
        assert other.ask(request("GET", origin.url + "/", basic(user="bob"))).status == 200


def test_a_change_of_tokens_is_taken_up(stage, origin):
    """The file of tokens is followed as that of users is."""
    proxy = start(stage, tokens_text=tokens_of("robot"))
    users.write(stage.folder, tokens_of("robot", "another-token"), "tokens")
    proxy.wait_line("reloaded")
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/", "Proxy-Authorization: Bearer " + TOKEN)).status == 407
        assert client.ask(request("GET", origin.url + "/", "Proxy-Authorization: Bearer another-token")).status == 200


def test_a_unix_client_is_throttled_by_its_user(stage, origin):
    """Failures over a Unix socket count for the uid, and not for clients of TCP."""
    path = stage.folder / "proxy.sock"
    proxy = start(stage, {"address": f"unix:{path}", "mode": "0666"}, "127.0.0.1:0", users_text=f"alice:{users.SHA256}\n",
                  throttle={"failures": 1, "period": "1h"})
    for status in (407, 429):
        with connect(str(path)) as client:
            assert client.ask(request("GET", origin.url + "/", basic(password="x"))).status == status
    with socket.create_connection(("127.0.0.1", int(proxy.urls[-1].rpartition(":")[2].strip("/")))) as sock:
        sock.sendall(request("GET", origin.url + "/", basic()))
        assert sock.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("identity", [{"peer": "on"}, {"required": False}], ids=["process", "anybody"])
def test_what_follows_a_connect_without_credentials_is_no_request(stage, origin, identity):
    """Bytes behind a CONNECT may be the tunnel's, chosen by somebody else: where requests pass that show nothing, a 407 to
    the CONNECT ends the connection."""
    path = stage.folder / "proxy.sock"
    proxy = start(stage, {"address": f"unix:{path}", "mode": "0666"}, users_text=f"alice:{users.SHA256}\n", **identity)
    with connect(str(path)) as client:
        client.send(request("CONNECT", "a.example:443", basic(password="stale")) + request("GET", origin.url + "/"))
        assert client.read_response().status == 407
        assert client.read_to_end() == b""
    assert origin.connections == [] and len(proxy.records(1)) == 1
