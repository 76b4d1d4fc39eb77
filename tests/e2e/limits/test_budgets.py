"""Budgets: what a client, a range, a user and everybody may have open, and ask for in a second."""
import json
import re
import threading

import pytest

from support import users
from support.admin import metric
from support.bounds import wait_until
from support.message import ok, request
from support.origin import replies_forever
from support.record import Record
from support.users import basic


@pytest.fixture
def origin(stage):
    return stage.origin(replies_forever(ok(b"hello")))


def is_told(answer, status, key, cause=None):
    """The refusal says the limit in its reason, in Proxy-Status and in its body, and when to come again."""
    assert answer.status == status, answer
    assert key in answer.reason and f"raise {key}" in answer.reason
    assert key in answer.get("Proxy-Status")
    assert int(answer.get("Retry-After")) >= 1
    if cause:
        assert json.loads(answer.body)["cause"] == cause and json.loads(answer.body)["rule"] == key


def refusals(proxy):
    """What over_budget_total says, by the kind of limit."""
    return {limit: metric(proxy.proxy, rf'over_budget_total\{{limit="{limit}"\}}') for limit in ("connections", "tunnels", "requests", "heads")}


JSON = "Accept: application/json"
PLACES = [
    ("per_client: { %s: 3 }", 429, "limits.per_client.%s", "over_budget"),
    ("%s: 3", 503, "limits.%s", "busy"),
    ("ranges: [ { name: lab, from: [192.0.2.0/24], %s: 3 } ]", 429, "limits.ranges(lab).%s", "over_budget"),
]


@pytest.mark.parametrize("lines, status, key, cause", PLACES, ids=["client", "all", "range"])
def test_connections(limited, origin, lines, status, key, cause):
    """The one too many is told so and closed; what is open goes on; a place that becomes free is given away."""
    proxy = limited(lines % "connections")
    places = [proxy.ask(origin.url + "/")[0] for _ in range(3)]
    late, answer = proxy.ask(origin.url + "/", JSON)
    is_told(answer, status, key % "connections", cause)
    late.expect_end("fin")
    assert refusals(proxy) == {"connections": 1, "tunnels": 0, "requests": 0, "heads": 0}
    for client in places:
        assert client.ask(request("GET", origin.url + "/")).status == 200
    places[0].close()
    assert wait_until(lambda: proxy.ask(origin.url + "/")[1].status == 200, "the free place to be given away")


@pytest.mark.parametrize("lines, status, key, cause", PLACES, ids=["client", "all", "range"])
def test_tunnels(limited, echo, lines, status, key, cause):
    """The one too many is answered, on a connection that is not a tunnel; the others go on, and leave their places."""
    proxy = limited(lines % "tunnels")
    tunnels = [proxy.ask(echo.authority, method="CONNECT") for _ in range(3)]
    assert [answer.status for _, answer in tunnels] == [200] * 3
    client = proxy.connect()
    client.send(request("CONNECT", echo.authority, JSON))
    answer = client.read_response()
    is_told(answer, status, key % "tunnels", cause)
    assert refusals(proxy) == {"connections": 0, "tunnels": 1, "requests": 0, "heads": 0}
    for tunnel, _ in tunnels:
        tunnel.send(b"ping")
        assert tunnel.read(4) == b"ping"
    tunnels[0][0].close()
    assert wait_until(lambda: proxy.ask(echo.authority, method="CONNECT")[1].status == 200, "a free place")
    refused = wait_until(lambda: [r for r in map(Record, proxy.proxy.log_lines()) if r.status == status], "the record")
    assert {(r.cause, r.get("rule"), r.end) for r in refused} == {(cause, key % "tunnels", "refused")}


def test_a_tunnel_is_a_connection_too(limited, origin, echo):
    """The client of a tunnel stays counted until the tunnel ends."""
    proxy = limited("per_client: { connections: 1 }")
    tunnel, answer = proxy.ask(echo.authority, method="CONNECT")
    assert answer.status == 200
    assert proxy.ask(origin.url + "/")[1].status == 429
    tunnel.close()
    assert wait_until(lambda: proxy.ask(origin.url + "/")[1].status == 200, "the tunnel's place")


def test_a_failed_tunnel_leaves_its_place(limited, echo):
    """A CONNECT that is refused by policy or finds nobody has no place."""
    proxy = limited("per_client: { tunnels: 1 }")
    for target in ("169.254.169.254:443", "127.0.0.1:1"):
        assert proxy.ask(target, method="CONNECT")[1].status in (403, 502)
    assert proxy.ask(echo.authority, method="CONNECT")[1].status == 200


def test_other_clients_have_their_own(limited, origin):
    """IPv4 clients count by address, IPv6 clients by /64; an address that is mapped into IPv6 is the same client."""
    proxy = limited("per_client: { connections: 1 }")
    for mine, same, other in (("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
                              ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", "2001:db8:1:2::1")):
        assert proxy.ask(origin.url + "/", source=mine)[1].status == 200
        assert proxy.ask(origin.url + "/", source=same)[1].status == 429
        assert proxy.ask(origin.url + "/", source=other)[1].status == 200


def test_the_first_range_counts(limited, origin):
    """A client is in the first range that holds it; who is in none has none."""
    proxy = limited("ranges:\n  - { name: a, from: ['192.0.2.0/28'], connections: 1 }\n"
                    "  - { name: b, from: ['192.0.2.0/24', '2001:db8::/32'], connections: 2 }")
    asked = [("192.0.2.1", 200), ("192.0.2.2", 429), ("192.0.2.77", 200), ("2001:db8::5", 200), ("192.0.2.78", 429),
             ("198.51.100.1", 200), ("198.51.100.1", 200)]
    for source, status in asked:
        assert proxy.ask(origin.url + "/", source=source)[1].status == status, source


@pytest.mark.parametrize("what", ["connections", "tunnels"])
def test_users(limited, stage, origin, echo, what):
    """A user has the same budget from everywhere; another one is not concerned, nor is who shows wrong credentials."""
    path = users.write(stage.folder, f"alice:{users.SHA256}\nbob:{users.SHA256}\n")
    proxy = limited(f"per_user: {{ {what}: 1 }}", "--users", path)
    method, target = ("GET", origin.url + "/") if what == "connections" else ("CONNECT", echo.authority)

    def ask(user, source, password="secret"):
        return proxy.ask(target, basic(user, password), source=source, method=method)
    first, answer = ask("alice", "192.0.2.1")
    assert answer.status == 200
    assert ask("alice", "192.0.2.2", password="wrong")[1].status == 407
    _, late = ask("alice", "192.0.2.2")
    assert late.status == 429 and f"limits.per_user.{what}" in late.reason
    assert ask("bob", "192.0.2.1")[1].status == 200
    first.close()
    assert wait_until(lambda: ask("alice", "192.0.2.2")[1].status == 200, "alice's place")


def test_a_connection_may_change_its_user(limited, stage, origin):
    """It counts for the user who spoke last."""
    path = users.write(stage.folder, f"alice:{users.SHA256}\nbob:{users.SHA256}\n")
    proxy = limited("per_user: { connections: 1 }", "--users", path)
    client, answer = proxy.ask(origin.url + "/", basic("alice"))
    assert answer.status == 200
    assert client.ask(request("GET", origin.url + "/", basic("bob"))).status == 200
    assert proxy.ask(origin.url + "/", basic("alice"))[1].status == 200
    assert proxy.ask(origin.url + "/", basic("bob"))[1].status == 429


def test_counts_are_exact_over_workers(limited, echo):
    """Of many that come at once to four workers exactly as many get a place as there are."""
    proxy = limited("per_client: { tunnels: 20 }", workers=4)
    got = []

    def rush():
        for _ in range(10):
            got.append(proxy.ask(echo.authority, method="CONNECT")[1].status)
    threads = [threading.Thread(target=rush) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [200] * 20 + [429] * 60
    assert metric(proxy.proxy, "tunnels") == 20


def test_requests_in_a_second(limited, origin):
    """A second's worth passes at once; then 429 says when the next one may come, and the connection stays."""
    proxy = limited("per_client: { requests: 5/s }")
    client, answer = proxy.ask(origin.url + "/")
    got = [answer] + [client.ask(request("GET", origin.url + "/", JSON)) for _ in range(9)]
    statuses = [one.status for one in got]
    assert statuses[:5] == [200] * 5 and 429 in statuses
    is_told(got[statuses.index(429)], 429, "limits.per_client.requests", "over_budget")
    assert wait_until(lambda: client.ask(request("GET", origin.url + "/")).status == 200, "the next request's turn")
    assert proxy.ask(origin.url + "/", source="192.0.2.2")[1].status == 200
    assert refusals(proxy)["requests"] >= 1


def test_who_comes_again_finds_the_bucket_he_left(limited, origin):
    """A new connection does not fill the bucket."""
    proxy = limited("per_client: { requests: 1/s }")
    statuses = []
    for _ in range(4):
        client, answer = proxy.ask(origin.url + "/")
        client.close()
        statuses.append(answer.status)
    assert statuses[0] == 200 and statuses.count(429) >= 2


def test_requests_of_a_user_and_of_all(limited, stage, origin):
    """Each kind of party has its rate; what one refuses the others are not charged for."""
    path = users.write(stage.folder, f"alice:{users.SHA256}\nbob:{users.SHA256}\n")
    proxy = limited("requests: 6/s\nper_user: { requests: 2/s }", "--users", path)
    client, _ = proxy.ask(origin.url + "/", basic("alice"))
    answers = [client.ask(request("GET", origin.url + "/", basic("alice"))) for _ in range(2)]
    assert [one.status for one in answers] == [200, 429] and "limits.per_user.requests" in answers[1].reason
    other = proxy.connect()
    more = [other.ask(request("GET", origin.url + "/", basic("bob"))) for _ in range(8)]
    assert 503 in [one.status for one in more]
    assert "limits.requests" in next(one for one in more if one.status == 503).reason


def test_over_tls_the_newcomer_is_told_too(stage, origin):
    """The handshake is done for it, and the answer comes inside."""
    path = stage.folder / "limits.yaml"
    path.write_text("limits: { per_client: { connections: 1 } }\n")
    path.chmod(0o644)
    proxy = stage.proxy("-c", path, listen=None, tls=True)
    tls = stage.certs.client_context()
    first = stage.client(proxy.connect(tls=tls))
    assert first.ask(request("GET", origin.url + "/")).status == 200
    late = stage.client(proxy.connect(tls=tls))
    answer = late.ask(request("GET", origin.url + "/"))
    assert answer.status == 429 and "limits.per_client.connections" in answer.reason


def test_those_to_be_told_are_bounded(limited, origin):
    """Of very many beyond a limit some are told so, and the others are closed at once: none is kept."""
    proxy = limited("per_client: { connections: 1 }", workers=1)
    first, _ = proxy.ask(origin.url + "/")
    crowd = [proxy.connect() for _ in range(100)]
    wait_until(lambda: metric(proxy.proxy, "client_connections") <= 65, "the rest to be closed")
    assert first.ask(request("GET", origin.url + "/")).status == 200
    for client in crowd:
        client.close()
    wait_until(lambda: metric(proxy.proxy, "client_connections") == 1, "those that were told to be gone")


def test_a_reload_keeps_the_counts(limited, echo):
    """Tunnels that were opened before count; the new limit holds for newcomers."""
    from support.ops import reload
    proxy = limited("per_client: { tunnels: 3 }")
    for _ in range(2):
        assert proxy.ask(echo.authority, method="CONNECT")[1].status == 200
    proxy.path.write_text(re.sub("tunnels: 3", "tunnels: 2", proxy.path.read_text()))
    reload(proxy.proxy)
    assert proxy.ask(echo.authority, method="CONNECT")[1].status == 429


def test_metered_bytes(limited, stage):
    """A body each way at a bandwidth takes as long as it must, and comes whole: over two connections together."""
    body = bytes(range(256)) * 1024  # 256 KiB
    origin = stage.origin(replies_forever(ok(body)))
    proxy = limited("per_client: { bandwidth: 512KiB/s }")
    clients = [proxy.connect() for _ in range(2)]
    for client in clients:
        client.send(request("GET", origin.url + "/"))
    for client in clients:
        assert client.read_response().body == body
    took = [record.phases["total"] for record in proxy.proxy.records(2)]
    assert max(took) > 700_000, took  # 512 KiB less what the bucket holds, at 512 KiB/s
