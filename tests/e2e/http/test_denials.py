"""/.well-known/fairlead/denials: an asker's own last refusals, and nobody else's, since clients do not show why a CONNECT
was refused."""
import hashlib
import html
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import users
from support.bounds import wait_until
from support.message import ok, request
from support.ops import Config, needs_root, reload, status_of
from support.origin import replies_forever
from support.programs import need, run
from support.proxy import NOBODY, has_sanitizer
from support.users import basic
from support.wire import connect

PATH = "/.well-known/fairlead/denials"
ROOM = 16 << 20  # 3.4 MB of refusals, and a worker's buffers, more under load; all of them would be seven times that
ROOT = Path(__file__).resolve().parents[3]


def look(proxy, *fields, accept="application/json", host="127.0.0.1", address=None, tls=None, method="GET", target=PATH, **more):
    with connect(address or proxy.address, tls=tls, **more) as client:
        return client.ask(request(method, target, f"Accept: {accept}", *fields, host=host))


def denials(proxy, *fields, **more):
    got = look(proxy, *fields, **more)
    assert got.status == 200 and got.get("Content-Type") == "application/json", got
    told = json.loads(got.body)
    assert told["v"] == 1
    return told["denials"]


def ask(proxy, method, target, *fields, status=403, **more):
    with connect(proxy.address, **more) as client:
        got = client.ask(request(method, target, *fields))
    assert got.status == status, got
    return got


def hosts(entries):
    return [entry["host"] for entry in entries]


def guarded(stage, text=None, **identity):
    """A proxy that denies bad.test and knows alice and bob."""
    config = Config(stage)
    text = text or f"alice:{users.SHA256}\nbob:{users.SHA256}\n"
    identity["basic"] = {"users": str(users.write(stage.folder, text))}
    config.write(identity=identity, egress={"deny": ["bad.test", "*.bad.test"]})
    return config.start()


def test_a_refused_connect_is_told(stage):
    """Time, method, target, rule, reason, remedy, status and count; newest first, equal ones once."""
    proxy = stage.proxy("--deny", "bad.test")
    assert denials(proxy) == []
    ask(proxy, "CONNECT", "BAD.test.:443")
    ask(proxy, "GET", "http://bad.test/secret?query=1", "Cookie: secret", "Authorization: Basic secret")
    ask(proxy, "CONNECT", "[fd00::1]:443")
    ask(proxy, "CONNECT", "bad.test:443")
    got = denials(proxy)
    times = [entry.pop("time") for entry in got]
    assert got == [
        {"count": 2, "method": "CONNECT", "host": "bad.test", "port": 443, "status": 403, "cause": "refused",
         "error": "http_request_denied", "rule": "deny bad.test", "reason": "The request was refused by policy",
         "remedy": "take bad.test out of egress.deny"},
        {"count": 1, "method": "CONNECT", "host": "fd00::1", "port": 443, "status": 403, "cause": "refused_address",
         "error": "destination_ip_prohibited", "rule": "default-deny fc00::/7 (unique local, RFC 4193)",
         "reason": "The destination address was refused by policy", "remedy": "--allow fd00::1"},
        {"count": 1, "method": "GET", "scheme": "http", "host": "bad.test", "port": 80, "status": 403, "cause": "refused",
         "error": "http_request_denied", "rule": "deny bad.test", "reason": "The request was refused by policy",
         "remedy": "take bad.test out of egress.deny"}]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time) for time in times)
    assert times == sorted(times, reverse=True)
    assert b"secret" not in look(proxy).body


def test_text_and_html_say_the_same(stage):
    """Accept chooses, as it does for the body of a refusal."""
    proxy = stage.proxy("--deny", "bad.test")
    for _ in range(2):
        ask(proxy, "CONNECT", "bad.test:443")
    ask(proxy, "GET", "http://[fd00::1]:8000/")
    text = look(proxy, accept="text/plain")
    assert text.get("Content-Type") == "text/plain; charset=utf-8"
    assert re.fullmatch(
        r"fairlead: 2 refusals of client 127\.0\.0\.1, newest first\n\n"
        r"\S+Z 403 GET http://\[fd00::1\]:8000\n  rule: default-deny fc00::/7 \(unique local, RFC 4193\)\n"
        r"  reason: The destination address was refused by policy\n  to allow it: --allow fd00::1\n\n"
        r"\S+Z 403 CONNECT bad\.test:443 \(2 times\)\n  rule: deny bad\.test\n"
        r"  reason: The request was refused by policy\n  to allow it: take bad\.test out of egress\.deny\n", text.body.decode())
    page = look(proxy, accept="text/html")
    assert page.get("Content-Type") == "text/html; charset=utf-8"
    words = html.unescape(re.sub("<[^>]*>", " ", page.body.decode()))
    for part in ("client 127.0.0.1", "CONNECT bad.test:443", "2 times", "deny bad.test", "GET http://[fd00::1]:8000",
                 "To allow it:  --allow fd00::1", "take bad.test out of egress.deny"):
        assert part in words, part
    assert look(proxy, accept="image/png").get("Content-Type").startswith("text/plain")


def test_the_answer_is_for_nobody_else(stage):
    """It is not kept, not sniffed, and no other origin may read it."""
    got = look(stage.proxy())
    assert got.get("Cache-Control") == "no-store" and got.get("X-Content-Type-Options") == "nosniff"
    assert not [name for name in got.names() if name.lower().startswith("access-control")]
    assert "error=proxy_internal_response" in got.get("Proxy-Status")


def test_head_is_get_without_a_body(stage):
    """RFC 9110 §9.3.2."""
    proxy = stage.proxy("--deny", "bad.test")
    ask(proxy, "CONNECT", "bad.test:443")
    with proxy.connect() as client:
        client.send(request("HEAD", PATH, host="127.0.0.1"))
        head = client.read_response("HEAD")
        body = client.ask(request("GET", PATH, host="127.0.0.1")).body
    assert head.status == 200 and int(head.get("Content-Length")) == len(body) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get"])
def test_another_method_is_405(stage, method):
    """RFC 9110 §15.5.6: Allow names what works."""
    proxy = stage.proxy()
    got = look(proxy, method=method)
    assert got.status == 405 and got.get("Allow") == "GET, HEAD", got


@pytest.mark.threads
def test_every_worker_knows(stage):
    """The refusal was on another worker than the one that is asked."""
    proxy = stage.proxy("--deny", "bad.test", "--workers", "4")
    for number in range(8):
        ask(proxy, "CONNECT", f"bad.test:{1000 + number}")
    clients = [stage.client(proxy.connect()) for _ in range(16)]
    for client in clients:  # all are open, so that they are spread
        got = client.ask(request("GET", PATH, "Accept: application/json", host="127.0.0.1"))
        assert sorted(entry["port"] for entry in json.loads(got.body)["denials"]) == list(range(1000, 1008))
    assert len({record["worker"] for record in proxy.records(16, lambda r: r.url == PATH)}) > 1


@pytest.mark.threads
def test_workers_note_and_show_at_the_same_time(stage):
    """Eight clients are refused and look, over four workers: each has its own refusals, and counts all of them."""
    proxy = stage.proxy("--deny", "*.bad.test", "--workers", "4")

    def refused_and_looks(number):
        source = f"127.0.1.{1 + number}"
        for _ in range(25):
            ask(proxy, "GET", f"http://h{number}.bad.test/", source=source)
            (entry,) = denials(proxy, source=source)
        return entry["host"], entry["count"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(refused_and_looks, range(8))) == [(f"h{number}.bad.test", 25) for number in range(8)]


def test_another_client_sees_nothing(stage):
    """Without identity an asker is an address."""
    proxy = stage.proxy("--deny", "bad.test")
    ask(proxy, "CONNECT", "bad.test:443")
    ask(proxy, "CONNECT", "bad.test:444", source="127.0.0.2")
    assert [entry["port"] for entry in denials(proxy)] == [443]
    assert [entry["port"] for entry in denials(proxy, source="127.0.0.2")] == [444]
    assert denials(proxy, source="127.0.0.3") == []


def test_only_refusals_are_noted(stage):
    """What passes, what fails elsewhere, what is malformed, and the page itself are none."""
    origin = stage.origin(replies_forever(ok(b"hello")))
    closed = stage.origin([])
    closed.stop_listening()
    proxy = stage.proxy("--connect-port", str(closed.port))
    ask(proxy, "GET", origin.url + "/", status=200)
    ask(proxy, "GET", closed.url + "/", status=502)
    ask(proxy, "CONNECT", closed.authority, status=502)
    ask(proxy, "GET", "http://missing.test/", status=502)
    ask(proxy, "GET", "http://127.0.0.1:0/", status=400)
    ask(proxy, "GET", "ftp://127.0.0.1/", status=501)
    assert look(proxy, method="POST").status == 405
    assert look(proxy, host="evil.example").status == 404
    assert denials(proxy) == []


def test_what_only_observes_is_no_refusal(stage):
    """policy.mode: observe lets pass, so there is nothing to look up."""
    origin = stage.origin(replies_forever(ok(b"hello")))
    config = Config(stage).write(policy={"mode": "observe", "default": "deny"})
    proxy = config.start()
    ask(proxy, "GET", origin.url + "/", status=200)
    assert denials(proxy) == []


def test_it_is_reached_through_the_proxy_as_well(stage):
    """Absolute-form to the address that the client is connected to: what a client sends that is told of its proxy."""
    proxy = stage.proxy("--deny", "bad.test", tls=True)
    ask(proxy, "CONNECT", "bad.test:443")
    port = proxy.address[1]
    for name in ("127.0.0.1", "localhost", "LOCALHOST", "[::ffff:127.0.0.1]"):
        assert hosts(denials(proxy, target=f"http://{name}:{port}{PATH}")) == ["bad.test"], name
    for target in (f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port}{PATH}/x", f"http://proxy.test:{port}{PATH}", f"http://127.0.0.2:{port}{PATH}",
                   f"http://127.0.0.1:{proxy.tls_address[1]}{PATH}", f"https://127.0.0.1:{port}{PATH}"):
        assert look(proxy, target=target).status in (403, 502), target  # they go to the gate, as before


@pytest.mark.parametrize("target, status", [
    (PATH + "?a=b", 200), (PATH + "?", 200), (PATH + "/", 404), (PATH + "x", 404), (PATH[:-1], 404), ("/" + PATH, 404),
    ("/.well-known/fairlead/%64enials", 404), ("/.well-known/../.well-known/fairlead/denials", 404), (PATH.upper(), 404),
    (PATH + "?<script>alert(1)</script>", 200), (PATH + "?x%0d%0aSet-Cookie:%20a=1", 200), (PATH + "#x", 400)])
def test_one_spelling_of_the_path_is_taken(stage, target, status):
    """And nothing of a query comes back."""
    got = look(stage.proxy(), target=target, accept="text/html")
    assert got.status == status and b"script" not in got.body and b"Set-Cookie" not in got.raw_head + got.body


@pytest.mark.parametrize("host, status", [
    ("127.0.0.1", 200), ("127.0.0.1:3128", 200), ("192.0.2.1", 200), ("[::1]", 200), ("localhost", 200), (None, 200),
    ("evil.example", 404), ("localhost.evil.example", 404), ("proxy", 404)])
def test_a_page_of_another_site_cannot_read_it(stage, host, status):
    """DNS rebinding: in clear and without credentials the proxy is named by its address."""
    proxy = stage.proxy("--deny", "bad.test")
    ask(proxy, "CONNECT", "bad.test:443")
    version, line = ("1.1", f"Host: {host}\r\n") if host else ("1.0", "")  # a browser always says it
    with proxy.connect() as client:
        got = client.ask(f"GET {PATH} HTTP/{version}\r\n{line}\r\n".encode())
    assert got.status == status and (b"bad.test" in got.body) == (status == 200)


def test_over_tls_any_name_is_taken(stage, certs):
    """The certificate has it; the asker is the same."""
    proxy = stage.proxy("--deny", "bad.test", tls=True)
    ask(proxy, "CONNECT", "bad.test:443")
    context = certs.client_context()
    got = denials(proxy, address=proxy.tls_address, tls=context, host="proxy.example")
    assert hosts(got) == ["bad.test"]
    port = proxy.tls_address[1]
    got = denials(proxy, address=proxy.tls_address, tls=context, target=f"https://127.0.0.1:{port}{PATH}")
    assert hosts(got) == ["bad.test"]


def test_what_nothing_allows_says_so(stage):
    """Through the proxy to itself: in each form."""
    proxy = stage.proxy()
    ask(proxy, "GET", proxy.url + "/")
    assert b"\n  nothing allows it\n" in look(proxy, accept="text/plain").body
    assert b"<p>Nothing allows it.</p>" in look(proxy, accept="text/html").body
    assert denials(proxy)[0]["remedy"] is None


def test_over_ipv6_an_asker_is_a_64(stage):
    """And is called so."""
    proxy = stage.proxy("--deny", "bad.test", listen="[::1]:0")
    ask(proxy, "CONNECT", "bad.test:443")
    assert hosts(denials(proxy, host="[::1]")) == ["bad.test"]
    got = json.loads(look(proxy, target=f"http://[::1]:{proxy.address[1]}{PATH}").body)
    assert got["who"] == "client ::/64" and hosts(got["denials"]) == ["bad.test"]


# ---- identity
def test_a_token_is_taken_as_well(stage):
    """Authenticated as for everything else; with credentials any name in Host does."""
    digest = hashlib.sha256(b"token-of-a-robot").hexdigest()
    tokens = users.write(stage.folder, f"robot:{digest}\n", "tokens")
    proxy = Config(stage).write(identity={"bearer": {"tokens": str(tokens)}}, egress={"deny": ["bad.test"]}).start()
    token = "Proxy-Authorization: Bearer token-of-a-robot"
    ask(proxy, "CONNECT", "bad.test:443", token)
    assert look(proxy).status == 407
    assert hosts(denials(proxy, token, host="proxy.example")) == ["bad.test"]


def test_a_user_sees_his_own(stage):
    """407 as for everything else; then the user's refusals, whatever the address, and nobody else's."""
    proxy = guarded(stage)
    ask(proxy, "CONNECT", "alice.bad.test:443", basic())
    ask(proxy, "CONNECT", "bob.bad.test:443", basic("bob"), source="127.0.0.2")
    ask(proxy, "CONNECT", "nobody.bad.test:443", status=407)
    ask(proxy, "CONNECT", "wrong.bad.test:443", basic(password="wrong"), status=407)
    got = look(proxy)
    assert (got.status, got.values("Proxy-Authenticate")) == (407, ['Basic realm="fairlead", charset="UTF-8"'])
    assert b"bad.test" not in got.body
    assert look(proxy, basic(password="wrong")).status == 407
    assert hosts(denials(proxy, basic())) == ["alice.bad.test"]
    assert hosts(denials(proxy, basic(), source="127.0.0.2")) == ["alice.bad.test"]
    assert hosts(denials(proxy, basic("bob"))) == ["bob.bad.test"]
    assert json.loads(look(proxy, basic("bob")).body)["who"] == "user bob"
    target = "http://127.0.0.1:%d%s" % (proxy.address[1], PATH)
    assert look(proxy, target=target).status == 407
    assert hosts(denials(proxy, basic(), target=target)) == ["alice.bad.test"]
    assert look(proxy, basic(), host="proxy.example").status == 200  # no page can send these


def test_anonymous_and_users_are_apart(stage):
    """Where nobody must say who asks, an address shows what was asked without a user alone."""
    proxy = guarded(stage, required=False)
    ask(proxy, "CONNECT", "alice.bad.test:443", basic())
    ask(proxy, "CONNECT", "open.bad.test:443")
    assert hosts(denials(proxy)) == ["open.bad.test"]
    assert hosts(denials(proxy, basic())) == ["alice.bad.test"]
    assert look(proxy, basic("bob", "wrong")).status == 407


def test_what_a_limit_refuses_a_user_is_not_for_his_neighbours(stage):
    """Whose connection is refused before he is known leaves nothing under the address that he shares."""
    config = Config(stage)
    config.write(identity={"basic": {"users": str(users.write(stage.folder, f"alice:{users.SHA256}\n"))}, "required": False},
                 limits={"per_client": {"connections": 1}})
    proxy = config.start()
    with connect(proxy.address) as first:
        assert first.ask(request("GET", "/", host="x")).status == 200
        ask(proxy, "CONNECT", "alice.test:443", basic(), status=429)
        ask(proxy, "CONNECT", "open.test:443", status=429)
    page = wait_until(lambda: (lambda got: got.status == 200 and got.body.decode())(look(proxy)), "the place to be free")
    assert "alice.test" not in page and "open.test" in page


def test_it_is_no_oracle_for_credentials(stage):
    """A known and an unknown name are answered alike, are hashed alike, and both run into the throttle."""
    proxy = guarded(stage, throttle={"failures": 4, "period": "1h"})

    def told(answer):
        text = answer.raw_head + answer.body
        return re.sub(rb"[0-9a-f]{16}|Date: [^\r]*|\"elapsed_ms\":\d+|Content-Length: \d+", b"", text)

    first, *others = [look(proxy, basic(user, "wrong")) for user in ("alice", "nobody", "bob", "")]
    assert first.status == 407 and {told(other) for other in others} == {told(first)}
    assert users.counted(proxy, "hashes_total") == users.counted(proxy, "failures_total") == 4
    assert look(proxy, basic()).status == 429 and look(proxy, basic("nobody", "x")).status == 429


def unix_proxy(stage, **identity):
    path = stage.folder / "proxy.sock"
    config = Config(stage).write({"address": f"unix:{path}", "mode": "0666"}, egress={"deny": ["bad.test"]}, identity=identity)
    return config.start(), str(path)


@pytest.mark.parametrize("identity", [{}, {"peer": "on"}], ids=["anybody", "peer"])
def test_behind_a_unix_socket_an_asker_is_a_uid(stage, identity):
    """The kernel says who connected, with identity.peer and without."""
    proxy, path = unix_proxy(stage, **identity)
    with connect(path) as client:
        assert client.ask(request("CONNECT", "bad.test:443")).status == 403
    with connect(path) as client:
        got = json.loads(client.ask(request("GET", PATH, "Accept: application/json", host="any.name")).body)
    assert hosts(got["denials"]) == ["bad.test"]
    assert got["who"] == ("user uid:%d" if identity else "uid %d") % os.getuid()


@needs_root
def test_another_uid_sees_nothing(stage):
    """The same socket, another user of the machine."""
    proxy, path = unix_proxy(stage)
    with connect(path) as client:
        assert client.ask(request("CONNECT", "bad.test:443")).status == 403
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
            f"s.sendall(b'GET {PATH} HTTP/1.0\\r\\nAccept: text/plain\\r\\n\\r\\n');"
            "print(s.makefile('rb').read().decode())")
    done = subprocess.run([sys.executable, "-c", code, path], user=NOBODY, capture_output=True, text=True, timeout=60, check=True)
    assert f"0 refusals of uid {NOBODY}" in done.stdout and "bad.test" not in done.stdout


def test_who_cannot_look_drives_out_nobody(stage):
    """Where a user is required, a refusal of nobody is kept for nobody, from however many addresses it comes."""
    path = str(stage.folder / "proxy.sock")
    proxy = Config(stage).write("127.0.0.1:0", {"address": f"unix:{path}", "mode": "0666"}, egress={"deny": ["bad.test"]},
                                identity={"peer": "on"}).start(listeners=2)
    with connect(path) as client:
        assert client.ask(request("CONNECT", "bad.test:443")).status == 403
    for number in range(300):  # more than there are askers
        got = ask(proxy, "GET", "http://x.test/", source=f"127.0.{1 + number // 250}.{1 + number % 250}")
        assert "identity.required" in got.reason
    with connect(path) as client:
        got = client.ask(request("GET", PATH, "Accept: application/json", host="x"))
    assert hosts(json.loads(got.body)["denials"]) == ["bad.test"]


# ---- attacks
def test_names_with_markup_are_text(stage):
    """Rule, user and method are what others chose: escaped in HTML, whole in JSON."""
    name = "<script>alert(1)</script>"
    text = f"<i>eve</i>:{users.SHA256}\n"
    config = Config(stage).write(
        identity={"basic": {"users": str(users.write(stage.folder, text))}},
        policy={"rules": [{"name": name, "action": "deny", "to": ["bad.test"]}]})
    proxy = config.start()
    eve = basic("<i>eve</i>")
    ask(proxy, "A&B'C", "http://bad.test/", eve)
    (entry,) = denials(proxy, eve)
    assert (entry["rule"], entry["method"]) == (f"rule {name}", "A&B'C")
    page = look(proxy, eve, accept="text/html").body.decode()
    assert "<script" not in page and "<i>" not in page and "A&amp;B" in page
    assert name in html.unescape(page) and "user <i>eve</i>" in html.unescape(page)


def test_a_host_with_markup_is_never_there(stage):
    """A host is canonical before it is judged, so no byte of markup, no line and no escape gets into the list."""
    proxy = stage.proxy("--deny", "bad.test")
    for authority in ("<script>alert(1)</script>:443", "bad.test\x1b[2J:443", 'bad.test"><b>:443', "bad.test%0d%0a:443"):
        with proxy.connect() as client:
            client.send(f"CONNECT {authority} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert client.read_response().status == 400
    assert denials(proxy) == []


def test_a_flood_keeps_the_memory_and_the_others(stage, program):
    """100,000 refusals of as many names: the last sixteen are kept, the memory is what it was, and another client's
    refusal is still there."""
    proxy = stage.proxy("--deny", "*.bad.test", "--workers", "1", "--log-level", "warning")
    ask(proxy, "CONNECT", "other.bad.test:443", source="127.0.0.2")

    def flood(first, last):
        with proxy.connect() as client:
            for begin in range(first, last, 500):
                client.send(b"".join(request("GET", f"http://h{number}.bad.test/") for number in range(begin, begin + 500)))
                for _ in range(500):
                    assert client.read_response().status == 403

    def resident():
        return int(status_of(proxy.serving_pid())["VmRSS"].split()[0]) * 1024

    flood(0, 5_000)
    before = resident()
    flood(5_000, 100_000)
    assert has_sanitizer(program) or resident() - before < ROOM
    assert hosts(denials(proxy)) == [f"h{number}.bad.test" for number in range(99_999, 99_983, -1)]
    assert hosts(denials(proxy, source="127.0.0.2")) == ["other.bad.test"]


def test_many_askers_cost_what_is_documented(stage, program):
    """More addresses than there are places: the memory stays below the bound, and the last ones are known."""
    proxy = stage.proxy("--deny", "*.bad.test", "--workers", "1")
    sources = [f"127.0.{2 + number // 200}.{1 + number % 200}" for number in range(400)]

    def refuse(some):
        for source in some:
            with connect(proxy.address, source=source) as client:
                client.send(b"".join(request("GET", f"http://h{number}.bad.test/") for number in range(20)))
                for _ in range(20):
                    assert client.read_response().status == 403

    def resident():
        return int(status_of(proxy.serving_pid())["VmRSS"].split()[0]) * 1024

    before = resident()
    refuse(sources)
    assert has_sanitizer(program) or resident() - before < ROOM
    assert len(denials(proxy, source=sources[-1])) == 16
    assert len(denials(proxy, source=sources[-256])) == 16
    assert denials(proxy, source=sources[0]) == []


def test_a_reload_keeps_them(stage):
    """They are the process's; what the new configuration opens is shown as it was refused."""
    config = Config(stage).write(egress={"deny": ["bad.test"]})
    proxy = config.start()
    ask(proxy, "CONNECT", "bad.test:443")
    config.write()
    reload(proxy)
    assert hosts(denials(proxy)) == ["bad.test"]


# ---- docs/refusals.md
DOCUMENT = (ROOT / "docs" / "refusals.md").read_text()


def test_the_documentation_shows_what_is_printed(stage):
    """The example, command by command; only times and the port are others."""
    example = re.search(r"^```\n(\$ .*?)^```", DOCUMENT, re.M | re.S)[1]
    first, *commands = re.findall(r"^\$ (.*)$", example, re.M)
    wanted = example[example.index(commands[-1]) + len(commands[-1]):].strip()
    proxy = stage.proxy(*first.split()[1:])
    home = stage.folder / "home"
    for command in commands:
        command = command.replace("localhost:3128", "127.0.0.1:%d" % proxy.address[1]).replace("curl", need("curl", "curl") + " -s")
        printed = run(["sh", "-c", command + " || :"], home).stdout.decode().strip()
    time = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    assert time.sub("TIME", printed) == time.sub("TIME", wanted)


def test_the_documentation_has_every_member(stage):
    """The table of members, and the bounds."""
    proxy = stage.proxy("--deny", "bad.test")
    ask(proxy, "GET", "http://bad.test/")
    members = set(re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.M))
    assert set(denials(proxy)[0]) | {"detail"} == members
    header = (ROOT / "src" / "proxy" / "denials.h").read_text()
    for name, words in (("DENIALS_EACH", "{} refusals each of"), ("DENIALS_ASKERS", "of {} askers")):
        bound = re.search(rf"{name} = (\d+)", header)[1]
        assert words.format(bound) in DOCUMENT.replace("\n", " ")
