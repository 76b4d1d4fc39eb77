"""Credential oracle: nothing that the proxy does tells whether a name exists. Claims are counted, not timed."""
import re

import pytest

from support import users
from support.message import ok, request
from support.origin import replies_forever
from support.users import basic, counted


@pytest.fixture
def proxy(stage):
    lines = "".join(f"{name}:{users.METHODS[name]}\n" for name in users.METHODS) + "locked:!\nnone:*\n"
    return stage.proxy("--users", users.write(stage.folder, lines), "--workers", "1")


def told(answer):
    """What a client sees, but for what differs between any two answers."""
    text = answer.raw_head + answer.body
    return re.sub(rb'[0-9a-f]{16}|Date: [^\r]*|after [0-9.]+[mun]?s|Content-Length: \d+', b"", text)


@pytest.mark.parametrize("user", ["sha256", "yescrypt", "nobody", "", "locked", "none", "SHA256"])
def test_known_and_unknown_users_take_the_same_path(stage, proxy, user):
    """A wrong password costs one hash on the same threads, whether the name exists, does not, or has no password; the
    answer is the same byte for byte, and so is the count of failures."""
    origin = stage.origin(replies_forever(ok(b"")))
    with proxy.connect() as client:
        reference = client.ask(request("GET", origin.url + "/", basic(user="bcrypt", password="wrong")))
    before = {name: counted(proxy, name) for name in ("hashes_total", "failures_total", "cache_hits_total")}
    with proxy.connect() as client:
        got = client.ask(request("GET", origin.url + "/", basic(user=user, password="wrong")))
    assert told(got) == told(reference) and got.status == 407
    after = {name: counted(proxy, name) for name in before}
    assert after == {**before, "hashes_total": before["hashes_total"] + 1, "failures_total": before["failures_total"] + 1}
    records = proxy.records(2)
    assert {(r.cause, r.get("detail"), r.get("user")) for r in records} == {
        (records[0].cause, records[0].get("detail"), None)}


def test_a_borrowed_hash_lets_nobody_in(stage, proxy):
    """An unknown name is hashed against another user's hash; that user's password does not let it in."""
    origin = stage.origin(replies_forever(ok(b"")))
    for number in range(5):  # every one of them borrows "secret"
        with proxy.connect() as client:
            assert client.ask(request("GET", origin.url + "/", basic(user=f"nobody{number}"))).status == 407
    assert counted(proxy, "hashes_total") == 5 and counted(proxy, "cache_hits_total") == 0


def test_failures_are_not_remembered(stage, proxy):
    """The same wrong password costs a hash each time."""
    origin = stage.origin(replies_forever(ok(b"")))
    with proxy.connect() as client:
        for _ in range(3):
            assert client.ask(request("GET", origin.url + "/", basic(user="bcrypt", password="wrong"))).status == 407
    assert counted(proxy, "hashes_total") == 3


def test_a_spelling_of_the_field_is_no_new_password(stage, proxy):
    """Case of the scheme and blanks do not cost another hash: what the field says is remembered, not how."""
    origin = stage.origin(replies_forever(ok(b"")))
    word = basic(user="bcrypt").rpartition(" ")[2]
    with proxy.connect() as client:
        for spelling in ("Basic ", "bAsIc ", "BASIC  ", "Basic    "):
            assert client.ask(request("GET", origin.url + "/", f"Proxy-Authorization: {spelling}{word}")).status == 200
    assert counted(proxy, "hashes_total") == 1 and counted(proxy, "cache_hits_total") == 3
