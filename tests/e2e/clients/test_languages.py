"""The HTTP libraries that programs use: Python's, Node's, Go's and Java's. Each fetches a page twice and uploads
what it got, as a program of the folder `programs`, which prints a status and a hash for each URL."""
import sys
from pathlib import Path

import pytest

from support import programs

PROGRAMS = Path(__file__).resolve().parent / "programs"


def play(way, page_hash, *command, keeps=True, **more):
    """Two fetches and an upload; `keeps`: the client does all three on one connection."""
    got = way.run(*command, way.proxy_url, way.ca, way.url(), way.url(), way.url("/sum"), **more).stdout
    assert got.decode().split() == ["200", page_hash] * 3
    if keeps:
        way.expect(3)
    else:
        way.records(3)


def test_python_http_client(way, page_hash):
    """http.client forwards in absolute-form and through set_tunnel, on one connection, with a chunked upload; over
    the TLS listener through HTTPSConnection, and in a tunnel with TLS in TLS."""
    play(way, page_hash, sys.executable, PROGRAMS / "fetch_http_client.py")


def test_python_urllib(clear_way, page_hash):
    """urllib.request with a ProxyHandler. It closes after each request, and knows proxies in clear only: its
    "https://" proxies are spoken to in clear."""
    play(clear_way, page_hash, sys.executable, PROGRAMS / "fetch_urllib.py", keeps=False)


def test_node(way, page_hash):
    """Node's http and https with a kept connection, CONNECT with tls.connect over the socket."""
    play(way, page_hash, programs.need("node", "nodejs"), PROGRAMS / "fetch.js")


def test_go(way, page_hash, go_program):
    """Go's net/http with Transport.Proxy, http:// and https:// proxies, chunked upload."""
    play(way, page_hash, go_program)


@pytest.fixture(scope="session")
def java(session_folder):
    """The command that runs the Java client, compiled once."""
    javac, java = programs.need("javac", "default-jdk-headless"), programs.need("java", "default-jdk-headless")
    folder = session_folder / "java"
    folder.mkdir()
    programs.run([javac, "-d", folder, PROGRAMS / "Fetch.java"], folder)
    return [java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", folder, "Fetch"]


def test_java_http_client(clear_way, page_hash, java):
    """java.net.http.HttpClient with a ProxySelector. It has no TLS to a proxy."""
    play(clear_way, page_hash, *java, "client")


def test_java_url_connection(clear_way, page_hash, java):
    """HttpURLConnection with a Proxy, chunked upload. It has no TLS to a proxy."""
    play(clear_way, page_hash, *java, "connection")


@pytest.mark.parametrize("way", ["tls-plain", "tls-tunnel"], indirect=True)
def test_java_over_tls(way, page_hash, java):
    """Java's own TLS at the TLS listener, by hand since its HTTP classes cannot: absolute-form, and TLS in TLS."""
    play(way, page_hash, *java, "sockets")
