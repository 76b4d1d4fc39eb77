"""What goes on is framed alike by every parser behind us, or it does not go on.

The same byte streams are sent through the proxy to origins that read them with Node's parser, Go's, h11, http.server,
nginx and Apache (these two in front of h11). Each says which requests it saw. An origin may refuse what
another takes, and then sees fewer; none may see other requests, or other bodies."""
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support import programs
from support.bounds import BOUND, wait_until

ORIGINS = Path(__file__).resolve().parent / "origins"


class Parser:
    """An origin as a child process, and the requests that it saw."""

    def __init__(self, *command, port=None, sees=None):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        self.lines = []
        self.port = port or int(self.process.stdout.readline())
        self.sees = sees or self  # whose lines tell
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)  # with its workers
        self.process.wait(BOUND)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_answering(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def nginx(folder, behind):
    port, config = free_port(), folder / "nginx.conf"
    config.write_text(f"""
daemon off; pid {folder}/nginx.pid; error_log /dev/null; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{behind.port}; proxy_http_version 1.1; }} }}
}}
""")
    server = Parser(programs.need("nginx", "nginx-light"), "-c", config, port=port, sees=behind)
    wait_until(lambda: is_answering(port), "nginx to listen")
    return server


def apache(folder, behind):
    port, config = free_port(), folder / "apache.conf"
    modules = "/usr/lib/apache2/modules"
    config.write_text(f"""
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog /dev/null
ServerRoot {folder}
DefaultRuntimeDir {folder}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
ProxyPass "/" "http://127.0.0.1:{behind.port}/"
""")
    server = Parser(programs.need("apache2", "apache2-bin"), "-f", config, "-DFOREGROUND", port=port, sees=behind)
    wait_until(lambda: is_answering(port), "Apache to listen")
    return server


def h11():
    pytest.importorskip("h11", reason="h11 is not here: install Debian's python3-h11, or run ./dev test --all")
    return Parser(sys.executable, ORIGINS / "echo_h11.py")


@pytest.fixture(scope="module")
def parsers(tmp_path_factory):
    """All of them; a parser that is not installed skips the plays, since they compare."""
    folder = tmp_path_factory.mktemp("parsers")
    made = []
    try:
        made.append(("h11", h11()))
        made.append(("http.server", Parser(sys.executable, ORIGINS / "echo_http_server.py")))
        made.append(("node", Parser(programs.need("node", "nodejs"), ORIGINS / "echo.js")))
        binary = folder / "echo"
        programs.run([programs.need("go", "golang-go"), "build", "-o", binary, ORIGINS / "echo.go"], folder / "home",
                     bound=300)
        made.append(("go", Parser(binary)))
        for name, start in (("nginx", nginx), ("apache", apache)):
            behind = h11()
            made.append((name + "'s origin", behind))
            own = folder / name
            own.mkdir()
            made.append((name, start(own, behind)))
        yield {name: parser for name, parser in made if not name.endswith("'s origin")}
    finally:
        for _, parser in reversed(made):
            parser.close()


def send(proxy, parser, stream):
    """What the origin saw of a stream, and the statuses that came back."""
    host = b"127.0.0.1:%d" % parser.port
    before = len(parser.sees.lines)
    with proxy.connect() as client:
        client.send(stream.replace(b"{host}", host))
        client.half_close()
        answer = client.read_to_end()
    statuses = [int(line.split(b" ")[1]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    # whoever answered 200 has written its line before
    wait_until(lambda: len(parser.sees.lines) - before >= statuses.count(200), "the origin's lines")
    return parser.sees.lines[before:], statuses


def compare(proxy, parsers, stream):
    seen = {name: send(proxy, parser, stream) for name, parser in parsers.items()}
    longest = max((lines for lines, _ in seen.values()), key=len)
    for name, (lines, statuses) in seen.items():
        for mine, most in zip(lines, longest):
            is_chunked = mine[2] == "chunked" or most[2] == "chunked"
            assert mine[:2] == most[:2] and (is_chunked or mine[2] == most[2]), \
                f"{name} saw {mine}, another {most}, of {stream!r}: {seen}"
    return longest


GET = b"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n"
POST = b"POST http://{host}/a HTTP/1.1\r\nHost: {host}\r\n"
SECOND = b"GET http://{host}/second HTTP/1.1\r\nHost: {host}\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
CASES = {
    "two lengths that agree": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" + SECOND,
    "a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc" + SECOND,
    "leading zeros": POST + b"Content-Length: 003\r\n\r\nabc" + SECOND,
    "a sign": POST + b"Content-Length: +3\r\n\r\nabc" + SECOND,
    "length and coding": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "coding and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "identity": POST + b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc" + SECOND,
    "odd case": POST + b"tRANSFER-eNCODING: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + SECOND,
    "a tab before chunked": POST + b"Transfer-Encoding:\tchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + SECOND,
    "vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a coding by continuation": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a coding behind a bare CR": POST + b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a coding behind a bare LF": POST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a coding behind a NUL": POST + b"X: y\0Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a body of GET": GET + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED + SECOND,
    "chunk extensions": POST + b"Transfer-Encoding: chunked\r\n\r\n3;a=b;c=\"d\r\"\r\nabc\r\n0\r\n\r\n" + SECOND,
    "sound extensions": POST + b"Transfer-Encoding: chunked\r\n\r\n3;a=b;c=\"d\"\r\nabc\r\n0\r\n\r\n" + SECOND,
    "large hex": POST + b"Transfer-Encoding: chunked\r\n\r\n0000000003\r\nabc\r\n000\r\n\r\n" + SECOND,
    "overflowing size": POST + b"Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "0x": POST + b"Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "a bare LF behind the size": POST + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "trailers": POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n" + SECOND,
    "trailers that frame": POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n" + SECOND,
    "a method of its own": GET.replace(b"GET", b"PROPFIND") + b"\r\n" + SECOND,
    "obs-text": GET + b"X: \xe4\xf6\xfc\r\n\r\n" + SECOND,
    "empty values": GET + b"X:\r\nY: \r\n\r\n" + SECOND,
    "Connection names Content-Length": POST + b"Connection: Content-Length\r\nContent-Length: 3\r\n\r\nabc" + SECOND,
    "Connection names Host": GET + b"Connection: Host\r\n\r\n" + SECOND,
    "expect": POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc" + SECOND,
    "old with coding": POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a space in the target": b"GET http://{host}/a b HTTP/1.1\r\nHost: {host}\r\n\r\n" + SECOND,
    "empty lines between": GET + b"\r\n\r\n\r\n" + SECOND,
}


@pytest.mark.parametrize("name", CASES)
def test_parsers_agree(proxy, parsers, name):
    seen = compare(proxy, parsers, CASES[name])
    assert not any(target == "/smuggled" for _, target, _ in seen)


def test_parsers_agree_on_what_nobody_wrote(proxy, parsers):
    """Streams with some bytes replaced, left out and doubled, the same in every run."""
    draw = random.Random(9112)
    taken = 0
    for _ in range(150):
        stream = bytearray(draw.choice(list(CASES.values())))
        for _ in range(draw.randrange(1, 4)):
            at = draw.randrange(len(stream))
            stream[at:at + draw.randrange(2)] = draw.choice(
                [b"", b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b",", b":", b"0", b"chunked", b"Content-Length: 1\r\n"])
        if stream.count(b"{host}") >= 2:
            taken += bool(compare(proxy, parsers, bytes(stream)))
    assert taken > 20
