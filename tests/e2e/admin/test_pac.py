"""/proxy.pac: what a browser would do with it."""
import json
import shutil
import subprocess

import pytest

from support.admin import BEARER, in_own_network, with_token
from support.message import ok, request
from support.origin import replies
from support.wire import connect

BROWSER = """
const isPlainHostName = host => !host.includes(".");
const shExpMatch = (text, pattern) => new RegExp("^" + pattern.replace(/[.]/g, "\\\\.").replace(/[*]/g, ".*") +
                                                 "$").test(text);
const [file, urls] = JSON.parse(require("fs").readFileSync(0));
const find = new Function("isPlainHostName", "shExpMatch", file + "; return FindProxyForURL;")(isPlainHostName,
                                                                                             shExpMatch);
console.log(JSON.stringify(urls.map(url => find(url, new URL(url).hostname))));
"""


def browse(file, *urls):
    """What FindProxyForURL returns for each URL, by a real JavaScript engine."""
    if not shutil.which("node"):
        pytest.skip("node is not installed (apt install nodejs)")
    done = subprocess.run(["node", "-e", BROWSER], input=json.dumps([file.decode(), urls]), check=True,
                          stdout=subprocess.PIPE, text=True, timeout=30)
    return json.loads(done.stdout)


def fetch(proxy, *fields, **more):
    got = proxy.ask_admin("/proxy.pac", *fields, **more)
    assert got.status == 200 and got.get("Content-Type") == "application/x-ns-proxy-autoconfig", got
    return got.body


def test_the_file_leads_through_the_proxy(stage, proxy):
    """The address that the file names forwards; this machine's own names go directly."""
    origin = stage.origin(replies(ok(b"through")))
    found = browse(fetch(proxy), "http://example.com/", "https://example.com/x", "http://localhost/",
                   "http://127.0.0.1:5/", "http://[::1]/", "http://intranet/", "http://a.localhost/")
    assert found[:2] == ["PROXY %s:%d" % proxy.address] * 2 and found[2:] == ["DIRECT"] * 5
    host, port = found[0].split(" ")[1].rsplit(":", 1)
    with connect((host, int(port))) as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"through"


def test_a_proxy_over_tls_alone_is_https(stage):
    """Where only a TLS listener is there the file says HTTPS, by the name that the client used."""
    proxy = stage.proxy(tls=True, listen=None)
    port = proxy.tls_address[1]
    assert browse(fetch(proxy, host="localhost"), "http://example.com/") == [f"HTTPS localhost:{port}"]


def test_clear_comes_before_tls(stage):
    """With both kinds the one in clear is named, which needs no trust."""
    proxy = stage.proxy(tls=True)
    assert browse(fetch(proxy), "http://example.com/") == ["PROXY %s:%d" % proxy.address]


@pytest.mark.parametrize("host, shown", [("localhost", "localhost"), ("127.0.0.1", "127.0.0.1")])
def test_a_wildcard_is_named_as_the_client_names_it(stage, host, shown):
    """No file names 0.0.0.0: the Host of the request stands there."""
    proxy = stage.proxy("--allow-clients", "127.0.0.0/8", listen="0.0.0.0:0")
    file = fetch(proxy, host=host)
    assert b"0.0.0.0" not in file
    assert browse(file, "http://example.com/") == [f"PROXY {shown}:{proxy.address[1]}"]


def test_from_elsewhere_loopback_is_not_named(stage):
    """A client of another machine gets the listener that it can reach."""
    def play():
        proxy = stage.proxy("-c", with_token(stage), "--admin", "198.51.100.1:0", "--listen", "0.0.0.0:0",
                            "--allow-clients", "198.51.100.0/24", listeners=2)
        port = next(url for url in proxy.urls if "0.0.0.0" in url).rsplit(":", 1)[1]
        assert browse(fetch(proxy, BEARER), "http://example.com/") == [f"PROXY 198.51.100.1:{port}"]
        proxy.stop()
    in_own_network(play)


def test_unix_listeners_alone_have_no_file(stage):
    """proxy.pac cannot name a Unix socket, and says so."""
    path = stage.folder / "proxy0" / "proxy.sock"
    proxy = stage.proxy(listen=f"unix:{path}", listeners=1)
    got = proxy.ask_admin("/proxy.pac")
    assert got.status == 404 and b"Unix sockets only" in got.body


def test_nothing_of_the_request_breaks_out(stage):
    """Over a Unix socket, where any Host may ask, no word of it reaches the script."""
    path = stage.folder / "proxy0" / "admin.sock"
    proxy = stage.proxy("--admin", path, "--allow-clients", "127.0.0.0/8", listen="0.0.0.0:0")
    file = fetch(proxy, host="evil.test")
    assert b"evil" not in file
    assert browse(file, "http://example.com/") == [f"PROXY 127.0.0.1:{proxy.address[1]}"]
    assert proxy.ask_admin("/proxy.pac", host='x";alert(1);"').status == 400
