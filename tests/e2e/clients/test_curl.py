"""curl: the client that people try first."""
import pytest

from support.programs import need
from support.site import sha256


def curl(way, *arguments, **more):
    return way.run(need("curl", "curl"), "--silent", "--show-error", "--fail", "--proxy", way.proxy_url,
                   "--proxy-cacert", way.ca, "--cacert", way.ca, *arguments, **more).stdout


def test_curl_fetches_a_page(way, page_hash):
    """curl gets the page byte for byte, and the record tells the way it took."""
    assert sha256(curl(way, way.url())) == page_hash
    way.expect(1)


def test_curl_keeps_its_connection(way, page_hash):
    """Three URLs in one run use one connection on both sides; the later records paid for no name and no connect."""
    got = curl(way, way.url(), way.url("/chunked/100000"), way.url())
    assert sha256(got[:300_000]) == sha256(got[400_000:]) == page_hash
    way.expect(3)


def test_curl_uploads(way, page_hash, tmp_path):
    """A file goes up by length (PUT) and chunked (POST, after the origin's 100), and arrives whole."""
    file = tmp_path / "upload"
    file.write_bytes(way.site.pages["/page"])
    put = curl(way, "--upload-file", file, way.url("/sum"))
    post = curl(way, "--header", "Transfer-Encoding: chunked", "--data-binary", f"@{file}", way.url("/sum"))
    assert put.decode() == post.decode() == page_hash
    for record in way.records(2):
        assert record.bytes["client_in"] > 300_000 and "send" in record.phases or way.is_tunnel


@pytest.mark.parametrize("way", ["tls-plain", "tls-tunnel"], indirect=True)
def test_curl_uses_both_listeners_in_one_run(way, page_hash):
    """One curl may use the TLS and then the clear listener; each record says which."""
    other = f"http://127.0.0.1:{way.proxy.address[1]}"
    got = curl(way, way.url(), "--next", "--silent", "--proxy", other, "--cacert", way.ca, way.url())
    assert sha256(got[:300_000]) == sha256(got[300_000:]) == page_hash
    assert sorted(bool(record.client_tls) for record in way.proxy.records(2)) == [False, True]


@pytest.mark.parametrize("way", ["clear-plain", "tls-plain"], indirect=True)
def test_curl_head_and_missing(way):
    """HEAD has no body, and the origin's 404 is passed on as the origin's."""
    out = curl(way, "--head", way.url()).decode()
    assert "200 OK" in out and "Content-Length: 300000" in out
    missing = way.run(need("curl", "curl"), "-s", "-o", "/dev/null", "-w", "%{http_code}", "-x",
                      way.proxy_url, "--proxy-cacert", way.ca, way.url("/none")).stdout
    assert missing == b"404"
    assert sorted(r.upstream_status for r in way.proxy.records(2)) == [200, 404]
