"""The files of the dashboard: who gets them, with which fields, and that they hang together. tests/e2e/clients/test_dashboard.py
looks at them in a browser."""
import re
from pathlib import Path

import pytest

from support.admin import BEARER, in_own_network, with_token
from support.message import request

HTML = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
SOURCE = Path(__file__).resolve().parents[3] / "src"
NAMES = sorted(path.name for path in (SOURCE / "dashboard").iterdir() if path.name != "meson.build")
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def policy_of(got):
    return {words[0]: words[1:] for words in (part.split() for part in got.get("Content-Security-Policy").split(";"))}


def test_a_browser_gets_the_page_and_others_the_list(proxy):
    """/ is the page where Accept names text/html, and text for curl, whose Accept is */*; caches are told."""
    page = proxy.ask_admin("/", HTML)
    assert page.status == 200 and page.get("Content-Type") == "text/html; charset=utf-8"
    assert page.body == (SOURCE / "dashboard/index.html").read_bytes() and page.get("Vary") == "Accept"
    for accept in ("Accept: */*", "Accept: application/json", "X-Nothing: 1"):
        got = proxy.ask_admin("/", accept)
        assert got.get("Content-Type") == "text/plain; charset=utf-8" and b"/healthz" in got.body
    assert proxy.ask_admin("/dashboard/").body == page.body


@pytest.mark.parametrize("name", NAMES)
def test_each_file_is_served_as_it_is(proxy, name):
    """Every file of src/dashboard is there, with its type, a strict policy, and nothing that lets another site use it."""
    got = proxy.ask_admin(f"/dashboard/{name}")
    assert got.status == 200 and got.body == (SOURCE / "dashboard" / name).read_bytes()
    assert got.get("Content-Type") == f"{TYPES[Path(name).suffix]}; charset=utf-8"
    assert got.get("X-Content-Type-Options") == "nosniff" and got.get("Referrer-Policy") == "no-referrer"
    assert got.get("Cross-Origin-Resource-Policy") == "same-origin" and got.get("Cache-Control") == "no-cache"
    policy = policy_of(got)
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["img-src"] == ["'self'"]
    assert policy["require-trusted-types-for"] == ["'script'"] and policy["trusted-types"] == ["'none'"]
    assert "unsafe" not in got.get("Content-Security-Policy")
    head = proxy.ask_admin(f"/dashboard/{name}", method="HEAD")
    assert head.body == b"" and int(head.get("Content-Length")) == len(got.body)


def test_nothing_is_named_that_is_not_there():
    """Each file that another one names is one of them, and no file names another origin, an inline script or an inline style."""
    for name in NAMES:
        text = (SOURCE / "dashboard" / name).read_text()
        named = re.findall(r'(?:src|href)="([^"]*)"', text) if name.endswith(".html") else re.findall(r'from "\./([^"]*)"', text)
        for each in named:
            assert each.removeprefix("/dashboard/") in NAMES or each in ("/metrics", "/api/v1/tunnels"), (name, each)
        outside = set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}
        assert not outside, (name, outside)
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|@import|url\(", text), name
        if name.endswith(".html"):
            assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)


def test_a_browser_asks_whether_its_copy_is_good(proxy):
    """The ETag that was given makes 304 without content: RFC 9110 §13.1.2; another one, or none, the file."""
    first = proxy.ask_admin("/dashboard/main.js")
    etag = first.get("ETag")
    assert re.fullmatch(r'"[0-9a-f]{16}"', etag)
    for given in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        got = proxy.ask_admin("/dashboard/main.js", f"If-None-Match: {given}")
        assert got.status == 304 and got.body == b"" and got.get("ETag") == etag, given
    for given in ('"other"', etag.strip('"')):
        assert proxy.ask_admin("/dashboard/main.js", f"If-None-Match: {given}").body == first.body
    assert proxy.ask_admin("/dashboard/base.css").get("ETag") != etag


def test_a_connection_goes_on_after_304(proxy):
    """An answer without content leaves the connection in order: RFC 9112 §6.3."""
    with proxy.connect_admin() as wire:
        for _ in range(2):
            assert wire.ask(request("GET", "/dashboard/main.js", "If-None-Match: *", host="localhost")).status == 304
            assert wire.ask(request("GET", "/healthz", host="localhost")).body == b"ok\n"


@pytest.mark.parametrize("path", ["/dashboard/nothing.js", "/dashboard/../metrics", "/dashboard/main.js/", "/dashboard", "/dashboard/%6dain.js"])
def test_no_other_file_is_there(proxy, path):
    """Only the names of the files lead to them, byte by byte."""
    assert proxy.ask_admin(path).status == 404


def test_the_page_is_shut_to_rebound_names(proxy):
    """A foreign Host is 421 for the page as for everything."""
    for path in ("/", "/dashboard/", "/dashboard/main.js"):
        assert proxy.ask_admin(path, HTML, host="evil.test").status == 421


def test_from_elsewhere_the_page_is_free_and_its_figures_are_not(stage):
    """A browser cannot send the token with its first request: the files, which are the same everywhere, come without it, and all
    that tells of this process does not."""
    def play():
        proxy = stage.proxy("-c", with_token(stage), "--admin", "198.51.100.1:0")
        for path in ("/", "/dashboard/", "/dashboard/main.js"):
            assert proxy.ask_admin(path, HTML).status == 200
            assert proxy.ask_admin(path, HTML, host="evil.test").status == 421
        for path in ("/metrics", "/healthz", "/api/v1/tunnels", "/api/v1/events", "/api/v1/transactions", "/nothing"):
            assert proxy.ask_admin(path, HTML).status == 401
        assert proxy.ask_admin("/").status == 401  # the list
        assert proxy.ask_admin("/metrics", BEARER).status == 200
        proxy.stop()
    in_own_network(play)


def test_the_page_knows_every_mark_and_phase():
    """Its tables of marks and phases have all of record/timeline.h."""
    header = (SOURCE / "record/timeline.h").read_text()
    page = (SOURCE / "dashboard/phases.js").read_text()
    marks, phases = header.split("#define TIMELINE_MARKS")[1].split("#define TIMELINE_PHASES")
    assert set(re.findall(r'X\(\w+, "(\w+)", "([^"]*)"\)', marks)) <= set(re.findall(r'\["(\w+)", "([^"]*)"\]', page))
    words = set(re.findall(r'X\(\w+, "(\w+)"\)', phases)) - {"total"}
    assert words <= set(re.findall(r'\{word: "(\w+)"', page))
    assert words <= set(re.findall(r'"(\w+)"', page.split("WORDS = [")[1].split("]")[0]))


def test_the_page_knows_who_may_be_slow():
    """Its sides are those of record/verdict.h, in their words."""
    table = (SOURCE / "record/verdict.h").read_text().split("#define SLOW_GUILTY(X)")[1].split("#define")[0]
    page = (SOURCE / "dashboard/slow.js").read_text()
    sides = re.findall(r'X\(\w+, "(\w+)", +"([^"]*)"\)', table)
    assert len(sides) == 6 and sides == re.findall(r'\["(\w+)", "([^"]*)"\]', page)
    styles = (SOURCE / "dashboard/overview.css").read_text()
    assert all(f".by-{word} " in styles for word, _ in sides)
