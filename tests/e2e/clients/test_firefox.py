"""Headless Firefox: the page of the Chromium play, in a profile of its own.

Firefox knows an HTTPS proxy by a PAC script alone, and verifies it against the profile's store like an origin."""
import json

import pytest

from support import programs
from support.bounds import wait_until
from support.page import FILES, LOADED
from support.record import Record

NAME = "origin.test"

PREFERENCES = {
    "browser.shell.checkDefaultBrowser": False, "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False, "toolkit.telemetry.enabled": False,
    "app.normandy.enabled": False, "app.update.auto": False, "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
    "browser.safebrowsing.malware.enabled": False, "browser.safebrowsing.phishing.enabled": False,
    "dom.security.https_first": False, "network.trr.mode": 5, "network.proxy.type": 2,
}


@pytest.fixture
def look(way):
    """Run Firefox on a URL: a picture of the page when it has loaded."""
    firefox = programs.need("firefox-esr", "firefox-esr")
    certutil = programs.need("certutil", "libnss3-tools")
    profile = way.home / "firefox"
    profile.mkdir(parents=True)
    programs.run([certutil, "-N", "-d", f"sql:{profile}", "--empty-password"], way.home)
    programs.run([certutil, "-A", "-d", f"sql:{profile}", "-n", "play", "-t", "C,,", "-i", way.ca], way.home)
    kind, _, address = way.proxy_url.partition("://")
    script = f"function FindProxyForURL(){{return '{'HTTPS' if kind == 'https' else 'PROXY'} {address.rstrip('/')}';}}"
    settings = {**PREFERENCES, "network.proxy.autoconfig_url": "data:application/x-ns-proxy-autoconfig," + script}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in settings.items()]
    (profile / "user.js").write_text("".join(lines))

    def run(url):
        picture = way.home / "page.png"
        way.run(firefox, "--headless", "--no-remote", "--profile", profile, "--screenshot", picture, url)
        return picture
    return run


def test_firefox_shows_a_page(way, look):
    """Style, script, image and an upload arrive before the page has loaded; the records tell of each."""
    way.site.pages.update({"/index.html": LOADED, **FILES})
    paths = {"/index.html", *FILES, "/sum"}
    picture = look(way.url("/index.html"))
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert {path for _, _, path in way.site.seen} >= paths

    def found():
        """Firefox ends as soon as it has its picture, whatever else it was about to fetch."""
        records = [r for r in map(Record, way.proxy.log_lines()) if r.get("host") == NAME]
        if way.is_tunnel:
            return [r for r in records if r.bytes["response_body"] > 0]
        wanted = {"/" + r.url.split("/", 3)[3]: r for r in records}
        return [wanted[path] for path in paths] if wanted.keys() >= paths else None
    for record in wait_until(found, "the records of what was fetched"):
        way.check(record)
