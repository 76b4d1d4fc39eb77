"""Headless Chromium: a page with scripts, style and an image, fetched through the proxy."""
from support.browser import browse
from support.page import FILES, HTML
from support.site import sha256

NAME = "origin.test"


def test_chromium_shows_a_page(way):
    """The page's style, script, image and an upload by fetch() all arrive; the records tell of each."""
    way.site.pages.update({"/index.html": HTML, **FILES})
    dom = browse(way.home, way.ca, way.proxy_url, way.url("/index.html"))
    assert f">image, rgb(1, 2, 3), script, sum {sha256(b'x' * 100_000)}<" in dom, dom
    assert {path for _, _, path in way.site.seen} >= {"/index.html", *FILES, "/sum"}
    # Chromium also asks for its maker's hosts, which do not exist here.
    count = way.site.connections if way.is_tunnel else len(way.site.seen)
    for record in way.proxy.records(count, lambda record: record.get("host") == NAME):
        is_spare = way.is_tunnel and "t_req" not in record.marks  # opened in advance, and not needed
        if record.status != 404 and not is_spare:  # 404: /favicon.ico
            way.check(record)
