"""What the origin sees of a request head."""
import re

import pytest

from support.bounds import wait_until
from support.message import ok, request
from support.origin import replies
from support.shows import shows

GET = ok(b"fine")


def seen(proxy, stage, *fields, method="GET", path="/", body=b"", **more):
    """Send one request through the proxy and return it as the origin saw it."""
    origin = stage.origin(replies(GET))
    with proxy.connect() as client:
        response = client.ask(request(method, origin.url + path, *fields, body=body, **more))
    assert response.status == 200, response
    return origin.requests[0], origin


def test_the_target_becomes_origin_form(proxy, stage):
    """An absolute-form target is sent on in origin-form: RFC 9112 §3.2.1."""
    got, _ = seen(proxy, stage, path="/a/b?c=d")
    assert got.start_line == "GET /a/b?c=d HTTP/1.1"


def test_an_empty_path_becomes_a_slash(proxy, stage):
    """RFC 9112 §3.2.1: an empty path is sent as "/"."""
    got, _ = seen(proxy, stage, path="")
    assert got.target == "/"


def test_an_empty_path_with_a_query_gets_a_slash(proxy, stage):
    """RFC 9112 §3.2.1: "/" goes in front of the query."""
    got, _ = seen(proxy, stage, path="?q=1")
    assert got.target == "/?q=1"


@pytest.mark.parametrize("path", ["/%7Euser/%41", "/a//b/../c/.", "/x;y=1,2?a=%2f&&b", "/?"])
def test_target_bytes_are_not_normalised(proxy, stage, path):
    """No decoding, no normalisation: RFC 9110 §7.7 (a proxy must not modify path and query)."""
    got, _ = seen(proxy, stage, path=path)
    assert got.target == path


def test_host_is_regenerated_from_the_target(proxy, stage):
    """The authority of the target replaces whatever Host said: RFC 9112 §3.2.2."""
    got, origin = seen(proxy, stage, host="evil.test")
    assert got.values("Host") == [origin.authority]


@shows("9112-3.2-3")
def test_host_is_made_for_a_1_0_client(proxy, stage):
    """A request of HTTP/1.0 without Host is sent on as 1.1 with one: RFC 9112 §3.2, §2.3."""
    got, origin = seen(proxy, stage, version="HTTP/1.0", host="")
    assert got.version == "HTTP/1.1" and got.values("Host") == [origin.authority]


def test_the_default_port_is_left_out_of_host(stage, dns):
    """Host names a port only where it is not the scheme's own (RFC 9110 §7.2). Here: port as written."""
    origin = stage.origin(replies(GET))
    dns.add("Name.Test", a=["127.0.0.1"])
    proxy = stage.proxy()
    with proxy.connect() as client:
        assert client.ask(request("GET", f"http://Name.Test:{origin.port}/")).status == 200
    assert origin.requests[0].values("Host") == [f"Name.Test:{origin.port}"]


@pytest.mark.parametrize("field", [
    "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "Proxy-Authorization: Basic dTpw",
    "TE: gzip", "Upgrade: h2c"])
def test_connection_level_fields_are_not_forwarded(proxy, stage, field):
    """Hop-by-hop fields end here: RFC 9110 §7.6.1, §11.7.2; Proxy-Connection: RFC 9112 C.2.2."""
    got, _ = seen(proxy, stage, field, "X-Stays: 1")
    name = field.split(":")[0]
    assert not got.has(name) and got.get("X-Stays") == "1"


@shows("9112-7.4-2", "9110-10.1.4-1")
def test_te_is_of_one_hop(proxy, stage):
    """TE of the client ends here; what we say for ourselves is named in Connection: RFC 9110 §10.1.4."""
    got, _ = seen(proxy, stage, "TE: trailers, deflate;q=0.5", "Connection: TE")
    assert got.tokens("TE") in ([], ["trailers"])
    assert not got.has("TE") or "te" in got.tokens("Connection")


def test_what_connection_names_is_not_forwarded(proxy, stage):
    """Fields that Connection names are removed, whatever their case: RFC 9110 §7.6.1."""
    got, _ = seen(proxy, stage, "Connection: X-One, close", "x-one: 1", "X-Two: 2",
                  "Connection: x-THREE", "X-Three: 3", "X-ONE: again")
    assert not got.has("X-One") and not got.has("X-Three") and got.get("X-Two") == "2"


@pytest.mark.parametrize("mode, goes", [
    ("off", {}),
    ("x-forwarded", {"X-Forwarded-For": ["127.0.0.1"]}),
    ("forwarded", {"Forwarded": ["for=127.0.0.1"]}),
])
@shows("9110-7.6.1-2")
def test_connection_may_name_what_tells_who_asked(stage, folder, mode, goes):
    """Forwarded and X-Forwarded-For of the client end here where Connection names them: RFC 9110 §7.6.1. What we say is
    ours alone."""
    (folder / "told.yaml").write_text(f"forwarded: {mode}\n")
    proxy = stage.proxy("--config", folder / "told.yaml")
    got, _ = seen(proxy, stage, "Connection: x-forwarded-for, Forwarded", "X-Forwarded-For: 9.9.9.9",
                  "Forwarded: for=9.9.9.9", "forwarded: for=8.8.8.8")
    for name in ("X-Forwarded-For", "Forwarded"):
        assert got.values(name) == goes.get(name, [])


@pytest.mark.parametrize("name,value", [("Host", None), ("Content-Length", "4")])
def test_connection_cannot_remove_what_the_message_needs(proxy, stage, name, value):
    """Naming Host or Content-Length in Connection does not make the proxy lose them: RFC 9110 §7.6.1."""
    got, origin = seen(proxy, stage, f"Connection: {name}", method="POST", body=b"body")
    assert got.values(name) == [value or origin.authority]
    assert got.body == b"body"


def test_via_is_appended(proxy, stage):
    """Via gets our element last, with the version received: RFC 9110 §7.6.3."""
    got, _ = seen(proxy, stage, "Via: 1.0 before, 1.1 two")
    elements = [e.strip() for e in got.get("Via").split(",")]
    assert elements[:2] == ["1.0 before", "1.1 two"] and len(elements) == 3
    assert elements[2].startswith("1.1 ")


def test_via_tells_the_version_of_the_client(proxy, stage):
    """A request of HTTP/1.0 is marked so: RFC 9110 §7.6.3."""
    got, _ = seen(proxy, stage, version="HTTP/1.0")
    assert got.get("Via").startswith("1.0 ")


def test_the_pseudonym_may_be_chosen(stage):
    """--via names us in Via."""
    got, _ = seen(stage.proxy("--via", "gate-7"), stage)
    assert got.get("Via") == "1.1 gate-7"


@shows("9110-7.6-2", "9110-7.6.3-3")
def test_pseudonyms_differ_between_instances(stage):
    """Without --via each instance is unique, so that loops are found and only loops."""
    first, _ = seen(stage.proxy(), stage)
    second, _ = seen(stage.proxy(), stage)
    assert first.get("Via") != second.get("Via")


@shows("9110-5.3-1")
def test_order_spelling_and_values_are_kept(proxy, stage):
    """Field order, spelling and values are the client's: RFC 9110 §5.3, §7.7."""
    fields = ["X-b: 2", "x-A: 1", "ACCEPT: */*", "X-b: 3", "cookie: a=b; c=d", "X-Empty:",
              "X-Latin: caf\xe9", "User-Agent: raw/1 (x; y)"]
    got, _ = seen(proxy, stage, *fields)
    wanted = [(f.split(":")[0], f.split(":", 1)[1].strip()) for f in fields]
    assert [pair for pair in got.fields if pair in wanted] == wanted


def test_nothing_is_told_about_the_client(proxy, stage):
    """No X-Forwarded-* or Forwarded by default."""
    got, _ = seen(proxy, stage)
    assert sorted(name.lower() for name in got.names()) == ["host", "via"]


def test_x_forwarded_for_of_the_client_is_left_alone(proxy, stage):
    """An end-to-end field of the client passes as it is."""
    got, _ = seen(proxy, stage, "X-Forwarded-For: 9.9.9.9")
    assert got.values("X-Forwarded-For") == ["9.9.9.9"]


@pytest.mark.parametrize("mode, name, came, goes", [
    ("x-forwarded", "X-Forwarded-For", [], "127.0.0.1"),
    ("x-forwarded", "X-Forwarded-For", ["9.9.9.9", "8.8.8.8, 7.7.7.7"], "9.9.9.9, 8.8.8.8, 7.7.7.7, 127.0.0.1"),
    ("forwarded", "Forwarded", [], "for=127.0.0.1"),
    ("forwarded", "Forwarded", ["for=9.9.9.9;proto=http"], "for=9.9.9.9;proto=http, for=127.0.0.1"),
    ("forwarded", "Forwarded", ['for="', 'for="[2001:db8::1]"', 'by="a\\"', "", "for=9.9.9.9"],
     'for="[2001:db8::1]", for=9.9.9.9, for=127.0.0.1'),
    ("x-forwarded", "X-Forwarded-For", ['"9.9.9.9'], "127.0.0.1"),
])
@shows("9110-7.7-4", "9110-5.6.3-1")
def test_the_origin_is_told_who_asked_where_that_is_wanted(stage, folder, mode, name, came, goes):
    """forwarded: x-forwarded appends to X-Forwarded-For, forwarded to Forwarded (RFC 7239 §4), in one line. A line
    whose quotes are open would swallow what is ours, and is left out."""
    (folder / "told.yaml").write_text(f"forwarded: {mode}\n")
    proxy = stage.proxy("--config", folder / "told.yaml")
    got, _ = seen(proxy, stage, *[f"{name}: {value}" for value in came])
    assert got.values(name) == [goes]


def test_forwarded_writes_ipv6_clients_in_brackets(stage, folder):
    """RFC 7239 §6: an IPv6 address is quoted and in brackets."""
    (folder / "told.yaml").write_text("forwarded: forwarded\n")
    proxy = stage.proxy("--config", folder / "told.yaml", listen="[::1]:0")
    got, _ = seen(proxy, stage)
    assert got.values("Forwarded") == ['for="[::1]"']


def test_an_expect_of_a_1_0_client_is_ignored(proxy, stage):
    """RFC 9110 §10.1.1: a 100-continue expectation in a request of HTTP/1.0 is ignored."""
    origin = stage.origin(replies(GET))
    with proxy.connect() as client:
        client.send(request("POST", origin.url, "Expect: 100-continue", "Content-Length: 2",
                            version="HTTP/1.0") + b"hi")
        response = client.read_response()
    assert response.status == 200 and response.interim == []


def test_an_unknown_method_is_forwarded(proxy, stage):
    """Methods are not a closed list: RFC 9110 §9.1; they are case-sensitive."""
    got, _ = seen(proxy, stage, method="PURGE-it")
    assert got.method == "PURGE-it"


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST"])
def test_an_upper_case_scheme_and_name_work(proxy, stage, name):
    """Scheme and host are case-insensitive: RFC 9110 §4.2.3."""
    origin = stage.origin(replies(GET))
    with proxy.connect() as client:
        assert client.ask(request("GET", f"HTTP://{name}:{origin.port}/x")).status == 200
    assert origin.requests[0].target == "/x"


def test_an_ipv6_origin_is_reached(stage, proxy):
    """An IPv6 literal keeps its brackets in Host: RFC 3986 §3.2.2."""
    origin = stage.origin(replies(GET), host="::1")
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).status == 200
    assert origin.requests[0].get("Host") == f"[::1]:{origin.port}"


@shows("9110-4.2.4-2")
@pytest.mark.parametrize("form", ["json", "line", "combined", "squid"])
def test_credentials_are_in_no_log(stage, form):
    """Neither fields with credentials nor a user name in the target reach a record, in any format."""
    proxy = stage.proxy("--log-format", form)
    origin = stage.origin(replies(GET))
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/", "Authorization: Basic c2VjcmV0MQ==",
                                 "Proxy-Authorization: Basic c2VjcmV0Mg==", "Cookie: id=secret3",
                                 "Referer: http://user:secret5@a.test/"))
        assert got.status == 200
        client.send(request("GET", f"http://user:secret4@{origin.authority}/", host="x"))
        assert client.read_response().status == 400
    lines = wait_until(lambda: len(proxy.log_lines()) >= 2 and proxy.log_lines(), "two lines")
    assert not re.search("secret|c2VjcmV0", "\n".join(lines)), lines
    assert not origin.requests[0].has("Proxy-Authorization") and origin.requests[0].has("Authorization")
