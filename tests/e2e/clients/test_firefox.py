"""Headless Firefox: the page of the Chromium play, in a profile of its own.

Firefox knows an HTTPS proxy by a PAC script alone, and verifies it against the profile's store like an origin."""
import json

import pytest

from support import programs
from support.page import FILES, HTML

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
    """Style, script, image and an upload by fetch() arrive; the records tell of each."""
    way.site.pages.update({"/index.html": HTML, **FILES})
    picture = look(way.url("/index.html"))
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert {path for _, _, path in way.site.seen} >= {"/index.html", *FILES, "/sum"}
    count = way.site.connections if way.is_tunnel else len(way.site.seen)
    for record in way.proxy.records(count, lambda record: record.get("host") == NAME):
        is_spare = way.is_tunnel and record.bytes["response_body"] == 0  # opened in advance, and not needed
        if record.status != 404 and not is_spare:  # 404: /favicon.ico
            way.check(record)
