"""TLS or SOCKS on a listener in clear, and HTTP in clear on a TLS listener: a line on stderr, an answer, no hang."""
import ssl
import subprocess

import pytest

from support.message import ok, request
from support.origin import replies_forever
from support.programs import need
from support.proxy import parse_address
from support.wire import connect


@pytest.fixture
def proxy(stage):
    return stage.proxy(tls=True)


def client_hello(certs):
    """The bytes that a TLS client begins with."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = certs.client_context().wrap_bio(incoming, outgoing, server_hostname="proxy.test")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("count", [None, 3], ids=["whole", "begun"])
def test_a_client_hello_on_a_clear_listener(proxy, certs, count):
    """It is answered with 400 in clear, as RFC 9112 §2.2 has it for what is no request; stderr says it was TLS."""
    with connect(proxy.address) as client:
        client.send(client_hello(certs)[:count])
        got = client.read_response()
        assert got.status == 400 and got.get("Connection") == "close"
        client.expect_end("fin")
    proxy.wait_line("client 127.0.0.1:[0-9]+ spoke TLS on a listener in clear")
    assert proxy.record().status == 400


def test_curl_with_https_for_http(proxy):
    """curl --proxy https:// at the clear listener ends at once with an error of TLS."""
    done = subprocess.run([need("curl", "curl"), "-sS", "--max-time", "10", "-x",
                           "https://127.0.0.1:%d" % proxy.address[1], "http://a.test/"], capture_output=True)
    assert done.returncode == 35 and b"wrong version" in done.stderr
    proxy.wait_line("spoke TLS on a listener in clear")


SOCKS = {"5": (5, b"\5\1\0"), "5-begun": (5, b"\5"), "4": (4, b"\4\1\0\x50\x7f\0\0\1\0"),
         "4a": (4, b"\4\1\0\x50\0\0\0\1\0a.test\0")}


@pytest.mark.parametrize("name", SOCKS)
def test_socks_on_a_clear_listener(proxy, name):
    """Its first byte tells, and nothing else is waited for: answer, record and stderr say what it is and what to change."""
    version, said = SOCKS[name]
    words = f"this is SOCKS{version}, and the port speaks HTTP: use http:// in the proxy address"
    with connect(proxy.address) as client:
        client.send(said)
        got = client.read_response()
        assert got.status == 400 and got.get("Connection") == "close" and words.encode() in got.body
        client.expect_end("fin")
    proxy.wait_line(f"client 127.0.0.1:[0-9]+ spoke SOCKS{version} on a listener for HTTP")
    assert proxy.record().status == 400 and proxy.record().detail.endswith(words)


def test_only_the_first_bytes_of_a_connection_are_socks(proxy, stage):
    """Behind a request such a byte is a malformed request and no more."""
    with connect(proxy.address) as client:
        client.ask(request("OPTIONS", "*", host="a.test"))
        client.send(b"\5\1\0")
        assert b"SOCKS" not in client.read_response().body


@pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h"])
def test_curl_with_socks_for_http(proxy, scheme):
    """curl ends at once, and the record says why."""
    done = subprocess.run([need("curl", "curl"), "-sS", "--max-time", "10", "-x",
                           "%s://127.0.0.1:%d" % (scheme, proxy.address[1]), "http://localhost:8080/"], capture_output=True)
    assert done.returncode == 97 and f"SOCKS{scheme[5]}" in proxy.record().detail


REQUESTS = {"get": request("GET", "http://a.test/"), "connect": request("CONNECT", "a.test:443"),
            "post": request("POST", "http://a.test/", body=b"x" * 50_000), "begun": b"GET ",
            "byte by byte": request("GET", "http://a.test/")}


@pytest.mark.parametrize("name", REQUESTS)
def test_http_on_the_tls_listener(proxy, name):
    """The answer comes in clear, since the client would not read another, and names the remedy."""
    with connect(proxy.tls_address) as client:
        if name == "byte by byte":
            for byte in REQUESTS[name][:5]:
                client.send(bytes([byte]))
        client.send(REQUESTS[name][5 if name == "byte by byte" else 0:])
        got = client.read_response()
        assert got.status == 400 and got.get("Connection") == "close"
        assert b"https://" in got.body
        client.expect_end("fin")
    proxy.wait_line("TLS with client 127.0.0.1:[0-9]+ failed: it spoke HTTP in clear on a TLS listener")


def test_curl_with_http_for_https(proxy):
    """curl --proxy http:// at the TLS listener shows the person what to change."""
    done = subprocess.run([need("curl", "curl"), "-sS", "--max-time", "10", "-x",
                           "http://127.0.0.1:%d" % proxy.tls_address[1], "http://a.test/"], capture_output=True)
    assert done.returncode == 0 and b"Use https:// in the address of the proxy" in done.stdout


@pytest.mark.parametrize("data", [b"\0\1\2\3" * 20, b"\xff" * 5, b"SSH-2.0-x\r\n"], ids=["binary", "ff", "ssh"])
def test_other_bytes_on_the_tls_listener(proxy, data):
    """What is neither TLS nor HTTP is closed, and stderr says that TLS failed."""
    with connect(proxy.tls_address) as client:
        client.send(data)
        client.read_to_end()
    proxy.wait_line("TLS with client 127.0.0.1:[0-9]+ failed: ")


def test_the_right_clients_are_served_meanwhile(proxy, stage, certs):
    """A client on the wrong port disturbs nobody."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    with connect(proxy.address) as wrong, proxy.connect(tls=certs.client_context()) as right:
        wrong.send(client_hello(certs))
        for _ in range(2):
            assert right.ask(request("GET", origin.url + "/")).body == b"fine"
        assert wrong.read_response().status == 400


def test_notices_may_be_unwanted(stage, certs, folder):
    """With --log-level error nothing is said of what clients do wrong; they are answered all the same."""
    config = folder / "fairlead.yaml"
    config.write_text(f"""
listen:
  - address: 127.0.0.1:0
  - address: 127.0.0.1:0
    proxy_protocol: {{from: [127.0.0.1]}}
  - address: 127.0.0.1:0
    tls: {{certificate: {certs.server}, key: {certs.server_key}}}
""")
    proxy = stage.proxy("-c", config, "--log-level", "error", "--timeout", "client_tls=150ms", listen=None,
                        listeners=3)
    said = len(proxy.lines)

    def ask(listener, data):
        with connect(parse_address(proxy.urls[listener])) as client:
            client.send(data)
            return client.read_to_end()

    assert ask(0, client_hello(certs)).startswith(b"HTTP/1.1 400 ")
    assert ask(1, b"no header") == b""
    assert ask(2, request("GET", "http://a.test/")).startswith(b"HTTP/1.1 400 ")
    assert ask(2, b"\x16\x03\x01\x02") == b""
    proxy.stop()
    assert proxy.lines[said:] == []
