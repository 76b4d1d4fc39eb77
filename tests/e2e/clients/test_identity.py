"""Real clients through 407: with credentials from the start, and asked for them on the way."""
import sys
from pathlib import Path

import pytest

from support.git import HERMETIC, IDENTITY
from support.programs import need
from support.site import pattern, sha256

PROGRAMS = Path(__file__).resolve().parent / "programs"


def curl(way, *arguments, **more):
    return way.run(need("curl", "curl"), "--silent", "--show-error", "--fail", "--proxy", way.plain_url, "--proxy-cacert",
                   way.ca, "--cacert", way.ca, *arguments, **more)


@pytest.mark.parametrize("how", ["--proxy-basic", "--proxy-anyauth"])
def test_curl_logs_in(guarded, page_hash, how):
    """curl with credentials from the start, and with those that it keeps until it is asked."""
    got = curl(guarded, how, "--proxy-user", "alice:secret", guarded.url(), guarded.url()).stdout
    assert sha256(got[:300_000]) == sha256(got[300_000:]) == page_hash
    guarded.served(1 if guarded.is_tunnel else 2)


def test_curl_keeps_its_connection_through_407(guarded):
    """Asked for credentials, curl answers on the same connection."""
    curl(guarded, "--proxy-anyauth", "--proxy-user", "alice:secret", guarded.url())
    records = guarded.proxy.records(2)
    assert [r.status for r in records] == [407, 200]
    assert len({r.client_conn["id"] for r in records}) == 1


def test_curl_uploads_through_407(guarded, page_hash, tmp_path):
    """A body of 300 KB that meets 407 is sent again and arrives whole."""
    file = tmp_path / "upload"
    file.write_bytes(pattern(300_000))
    out = curl(guarded, "--proxy-anyauth", "--proxy-user", "alice:secret", "--upload-file", file,
               guarded.url("/sum")).stdout
    assert out.decode() == page_hash


def test_curl_tells_of_a_wrong_password(guarded):
    """curl fails with 407, and does not try for ever."""
    got = curl(guarded, "--proxy-user", "alice:wrong", "--write-out", "%{http_code} %{http_connect}", guarded.url(),
               may_fail=True)
    assert got.returncode != 0 and b"407" in got.stdout
    assert guarded.proxy.record().cause == "auth_failed"


def test_python_urllib_logs_in(clear_guarded, page_hash):
    """urllib with user and password in the proxy's URL."""
    way = clear_guarded
    got = way.run(sys.executable, PROGRAMS / "fetch_urllib.py", way.proxy_url, way.ca, way.url()).stdout
    assert got.decode().split() == ["200", page_hash]
    way.served(1)


@pytest.mark.parametrize("clear_guarded", ["clear-plain"], indirect=True)
def test_node_answers_407(clear_guarded):
    """Node's http with a kept connection: 407, then the credentials on the same socket, twice."""
    way = clear_guarded
    got = way.run(need("node", "nodejs"), PROGRAMS / "fetch_407.js", way.plain_url, "alice:secret", way.url(),
                  way.url()).stdout
    assert got.decode().split() == ["407", "200", "1"] * 2
    way.served(2)


def test_go_logs_in(guarded, page_hash, go_program):
    """Go's Transport with user and password in the proxy's URL."""
    got = guarded.run(go_program, guarded.proxy_url, guarded.ca, guarded.url(), guarded.url()).stdout
    assert got.decode().split() == ["200", page_hash] * 2
    guarded.served(1 if guarded.is_tunnel else 2)


def test_git_clones_through_407(guarded, repository):
    """git, which shows its credentials only when it is asked (http.proxyAuthMethod anyauth)."""
    guarded.spare_gnutls()
    guarded.site.folder = repository.parent
    guarded.run(need("git", "git"), *IDENTITY, "-c", f"http.proxy={guarded.proxy_url}", "-c",
                f"http.proxySSLCAInfo={guarded.ca}", "-c", f"http.sslCAInfo={guarded.ca}", "clone", "--quiet",
                guarded.url("/project.git"), "copy", **HERMETIC)
    assert (guarded.home / "copy" / "README").read_text() == "hello\n"
