"""GNU wget. It has no TLS to a proxy ("Must be HTTP", retr.c), so it comes through the clear listener alone."""
from support.programs import need
from support.site import sha256


def wget(way, *arguments):
    return way.run(need("wget", "wget"), "--no-verbose", "--tries=1", "--timeout=20", "--no-config",
                   f"--ca-certificate={way.ca}", *arguments, http_proxy=way.proxy_url,
                   https_proxy=way.proxy_url)


def test_wget_fetches_two_pages(clear_way, page_hash):
    """Two URLs in one run arrive byte for byte. wget keeps plain connections and tunnels open between them."""
    wget(clear_way, clear_way.url(), clear_way.url("/chunked/100000"))
    assert sha256((clear_way.home / "page").read_bytes()) == page_hash
    assert (clear_way.home / "100000").read_bytes() == clear_way.site.pages["/page"][:100_000]
    clear_way.expect(2)


def test_wget_resumes_a_download(clear_way, page_hash):
    """What is there of a file is kept and the rest fetched by range; 206 passes: RFC 9110 §15.3.7."""
    page = clear_way.site.pages["/page"]
    clear_way.home.mkdir()
    (clear_way.home / "page").write_bytes(page[:123_456])
    wget(clear_way, "--continue", clear_way.url())
    assert sha256((clear_way.home / "page").read_bytes()) == page_hash
    record = clear_way.proxy.record()
    assert record.status == (200 if clear_way.is_tunnel else 206)
    assert record.bytes["client_out"] < len(page) - 100_000
