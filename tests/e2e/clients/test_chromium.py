"""Headless Chromium: a page with scripts, style and an image, fetched through the proxy, in a profile of its own.

The profile's store of certificates (NSS, made with certutil) holds the test's authority, so that proxy and origin
are verified as they are for a user."""
import pytest

from support import programs
from support.page import FILES, HTML
from support.site import sha256

NAME = "origin.test"


@pytest.fixture
def browse(way):
    """Run Chromium on a URL: the document as it is when all is loaded."""
    chromium = programs.need("chromium", "chromium")
    certutil = programs.need("certutil", "libnss3-tools")
    store = way.home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    programs.run([certutil, "-N", "-d", f"sql:{store}", "--empty-password"], way.home)
    programs.run([certutil, "-A", "-d", f"sql:{store}", "-n", "play", "-t", "C,,", "-i", way.ca], way.home)

    def run(url):
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--disable-default-apps", "--disable-extensions", f"--user-data-dir={way.home / 'profile'}",
                 "--disable-features=OptimizationHints,MediaRouter,HttpsUpgrades,HttpsFirstBalancedMode",
                 f"--proxy-server={way.proxy_url}", "--proxy-bypass-list=<-loopback>",
                 "--virtual-time-budget=20000", "--dump-dom"]
        return way.run(chromium, *flags, url).stdout.decode()
    return run


def test_chromium_shows_a_page(way, browse):
    """The page's style, script, image and an upload by fetch() all arrive; the records tell of each."""
    way.site.pages.update({"/index.html": HTML, **FILES})
    dom = browse(way.url("/index.html"))
    assert f">image, rgb(1, 2, 3), script, sum {sha256(b'x' * 100_000)}<" in dom, dom
    assert {path for _, _, path in way.site.seen} >= {"/index.html", *FILES, "/sum"}
    # Chromium also asks for its maker's hosts, which do not exist here.
    count = way.site.connections if way.is_tunnel else len(way.site.seen)
    for record in way.proxy.records(count, lambda record: record.get("host") == NAME):
        is_spare = way.is_tunnel and "t_req" not in record.marks  # opened in advance, and not needed
        if record.status != 404 and not is_spare:  # 404: /favicon.ico
            way.check(record)

