"""Who may ask the admin listener: Host, token, and the form of what changes something."""
import signal
import stat

import pytest

from support.admin import BEARER, CUSTOM, TOKEN, in_own_network, kill, list_tunnels, open_tunnels, with_token
from support.message import request
from support.origin import echoes

NOBODYS = "0001000000000001"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:{port}", "127.0.0.1", "127.0.0.1:{port}", "[::1]",
                                  "127.3.2.1:{port}"])
def test_loopback_hosts_are_known(proxy, host):
    """Loopback names and addresses with our port or none may ask."""
    assert proxy.ask_admin("/metrics", host=host.format(port=proxy.admin[1])).status == 200


@pytest.mark.parametrize("host", ["evil.test", "evil.test:{port}", "localhost.evil.test", "192.0.2.1:{port}",
                                  "localhost:1", "127.0.0.1:80", "0.0.0.0:{port}"])
def test_other_hosts_are_421(proxy, host):
    """A name that somebody made point here (DNS rebinding) or another port is misdirected: RFC 9110 §7.4."""
    for path in ("/", "/healthz", "/metrics", "/api/v1/tunnels", "/proxy.pac", "/nothing"):
        got = proxy.ask_admin(path, host=host.format(port=proxy.admin[1]))
        assert got.status == 421 and b"Host is not known" in got.body


def test_a_unix_socket_is_for_its_owner(stage):
    """On a Unix socket everything is there, its mode keeps others out, and Host does not matter."""
    origin = stage.origin(echoes)
    path = stage.folder / "proxy0" / "admin.sock"
    proxy = stage.proxy("--admin", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    open_tunnels(stage, proxy, origin, 2)
    assert proxy.ask_admin("/healthz", host="what.ever:5").body == b"ok\n"
    assert len(list_tunnels(proxy)["tunnels"]) == 2
    assert proxy.ask_admin("/proxy.pac").status == 200
    got = kill(proxy, NOBODYS, CUSTOM)
    assert got.status == 403 and b"admin.token_file" in got.body


def test_without_a_token_nothing_can_be_changed(proxy):
    """What changes something is refused where no token is configured, with the way to set one."""
    got = kill(proxy, NOBODYS, CUSTOM, BEARER)
    assert got.status == 403
    assert b"admin.token_file" in got.body and b"openssl rand -hex 24" in got.body


@pytest.mark.parametrize("fields, status", [
    ([CUSTOM], 401),
    ([CUSTOM, "Authorization: Bearer " + TOKEN[:-1] + "x"], 401),
    ([CUSTOM, "Authorization: Bearer " + TOKEN + TOKEN], 401),
    ([CUSTOM, "Authorization: Basic " + TOKEN], 401),
    ([CUSTOM, BEARER, BEARER], 401),
    ([BEARER], 403),
    ([BEARER, "Content-Type: text/plain"], 403),
    ([BEARER, "Content-Type: application/json"], 404),
    ([BEARER, CUSTOM], 404),
])
def test_a_change_needs_the_token_and_no_simple_request(stage, fields, status):
    """Also on loopback: Bearer with the whole token (RFC 6750 §2.1), and what no foreign page can send (CSRF)."""
    proxy = stage.proxy("-c", with_token(stage))
    got = kill(proxy, NOBODYS, *fields)
    assert got.status == status
    assert (got.get("WWW-Authenticate") == 'Bearer realm="fairlead"') == (status == 401)


def test_reading_on_loopback_needs_no_token(stage):
    """A configured token does not shut out local readers."""
    proxy = stage.proxy("-c", with_token(stage))
    assert proxy.ask_admin("/metrics").status == 200
    assert list_tunnels(proxy) == {"v": 1, "tunnels": [], "truncated": False}


def test_from_elsewhere_every_request_needs_the_token(stage):
    """Beyond loopback the address itself is a known Host, and everything is 401 without the token."""
    def play():
        proxy = stage.proxy("-c", with_token(stage), "--admin", "198.51.100.1:0")
        assert proxy.admin[0] == "198.51.100.1"
        for path in ("/", "/healthz", "/readyz", "/metrics", "/proxy.pac", "/api/v1/tunnels", "/nothing"):
            got = proxy.ask_admin(path)
            assert got.status == 401 and got.get("WWW-Authenticate") == 'Bearer realm="fairlead"'
            assert proxy.ask_admin(path, BEARER).status == (404 if path in ("/nothing", "/proxy.pac") else 200)
        assert proxy.ask_admin("/metrics", BEARER, host="198.51.100.2").status == 421
        assert proxy.ask_admin("/metrics", BEARER, host="localhost").status == 200
        proxy.stop()
    in_own_network(play)


def test_a_wildcard_knows_the_address_that_was_reached(stage):
    """On a wildcard address Host may be the address of each interface, and loopback readers need no token."""
    def play():
        proxy = stage.proxy("-c", with_token(stage), "--admin", "0.0.0.0:0")
        port = proxy.admin[1]
        proxy.admin = ("198.51.100.1", port)
        assert proxy.ask_admin("/metrics").status == 401
        assert proxy.ask_admin("/metrics", BEARER).status == 200
        proxy.admin = ("127.0.0.1", port)
        assert proxy.ask_admin("/metrics").status == 200
        assert proxy.ask_admin("/metrics", host=f"198.51.100.1:{port}").status == 421
        proxy.stop()
    in_own_network(play)


def test_beyond_loopback_it_does_not_start_without_a_token(stage):
    """An admin address that others reach is an error of the configuration without admin.token_file."""
    proxy = stage.run("--admin", "0.0.0.0:0", "--listen", "127.0.0.1:0")
    assert proxy.wait_exit() == 2
    assert "--admin: is beyond loopback" in proxy.stderr and "admin.token_file" in proxy.stderr


@pytest.mark.parametrize("token", ["", "short", "has a blank in its middle", "x" * 600, "nön-äscii-is-no-token"])
def test_a_bad_token_file_is_told(stage, token):
    """A file whose first line is no token stops the start, and the words say which file and what is wanted."""
    proxy = stage.run("-c", with_token(stage, token=token), "--admin", "127.0.0.1:0", "--listen", "127.0.0.1:0")
    assert proxy.wait_exit() == 1
    assert f"admin.token_file: {stage.folder / 'token'}" in proxy.stderr and "16 to 512" in proxy.stderr
    assert not token or token not in proxy.stderr


def test_a_missing_token_file_is_told(stage):
    """A token file that cannot be read stops the start."""
    file = with_token(stage)
    (stage.folder / "token").unlink()
    proxy = stage.run("-c", file, "--admin", "127.0.0.1:0", "--listen", "127.0.0.1:0")
    assert proxy.wait_exit() == 1
    assert "token: No such file" in proxy.stderr


def test_a_reload_reads_the_token_again(stage):
    """SIGHUP takes the new token, also for connections that are open."""
    proxy = stage.proxy("-c", with_token(stage))

    def ask(wire, token):
        return wire.ask(request("DELETE", f"/api/v1/tunnels/{NOBODYS}", CUSTOM, f"Authorization: Bearer {token}",
                                host="localhost")).status

    with proxy.connect_admin() as wire:
        assert ask(wire, TOKEN) == 404
        (stage.folder / "token").write_text("another-token-of-some-length\n")
        proxy.signal(signal.SIGHUP)
        proxy.wait_line("reloaded")
        assert ask(wire, TOKEN) == 401
        assert ask(wire, "another-token-of-some-length") == 404


@pytest.mark.parametrize("site, status", [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200),
                                          ("none\r\nSec-Fetch-Site: cross-site", 403), ("cross-site\r\nSec-Fetch-Site: none", 403),
                                          ("none\r\nsec-fetch-site: none", 403)])
def test_pages_of_other_sites_may_not_ask(proxy, site, status):
    """They could not read an answer, but its time would tell what a filter found (Fetch Metadata). No browser says it twice."""
    for path in ("/api/v1/transactions?filter=url~secret", "/api/v1/events", "/api/v1/tunnels", "/metrics"):
        got = proxy.ask_admin(path, f"Sec-Fetch-Site: {site}", method="HEAD")
        assert got.status == status, (path, got)
