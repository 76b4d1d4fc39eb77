#!/usr/bin/env python3
"""Show what Fairlead shows: about a dozen telling transactions, each with its anatomy, without a network.

Starts a small DNS server, an origin and a TLS origin on loopback and the proxy in front of them, then plays
the client. Everything ends with it. Usage: demo.py build/fairlead"""
import contextlib
import http.client
import http.server
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import textwrap
import threading
import time

BIG = 20_000_000
BLOCK = bytes(range(256)) * 256
COLOURS = sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def bold(text):
    return f"\033[1m{text}\033[0m" if COLOURS else text


def dim(text):
    return f"\033[2m{text}\033[0m" if COLOURS else text


class Origin(http.server.BaseHTTPRequestHandler):
    """Answers by path: what each is for stands in the list of transactions below."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        action = {"/slow": self.send_late, "/drip": self.send_in_drops, "/big": self.send_big,
                  "/missing": lambda: self.send_text(404, "no such page\n")}
        action.get(self.path, lambda: self.send_text(200, "hello from the origin\n"))()

    do_HEAD = do_GET

    def do_POST(self):
        left = int(self.headers["Content-Length"])
        while left > 0:
            left -= len(self.rfile.read(min(left, 1 << 16)))
        self.send_text(200, "all of it arrived\n")

    def send_text(self, status, text, close=False):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        if close or self.path == "/serial":
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def send_late(self):
        time.sleep(0.4)
        self.send_text(200, "sorry for the wait\n")

    def send_in_drops(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(5):
            self.wfile.write(b"5\r\ndrop\n\r\n")
            time.sleep(0.08)
        self.wfile.write(b"0\r\n\r\n")

    def send_big(self):
        self.send_response(200)
        self.send_header("Content-Length", str(BIG))
        self.end_headers()
        for begin in range(0, BIG, len(BLOCK)):
            self.wfile.write(BLOCK[:BIG - begin])

    def log_message(self, *_):
        pass


class QuietServer(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass


def start_origin(certificate=None):
    server = QuietServer(("127.0.0.1", 0), Origin)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def answer_name(question):
    """The answer to one DNS question: names that end in .demo are 127.0.0.1, others do not exist."""
    end = question.index(b"\0", 12)
    is_ours = question[12:end].endswith(b"\4demo")
    wants_ipv4 = question[end + 1:end + 3] == b"\0\1"
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1" if is_ours and wants_ipv4 else b""
    # Without an answer, the authority's record says how long that may be remembered: a minute.
    nothing = b"" if answer else b"\0\0\6\0\1\0\0\0\x3c\0\x16\0\0" + struct.pack("!5I", 1, 60, 60, 60, 60)
    flags = 0x8580 if is_ours else 0x8583
    head = question[:2] + struct.pack("!5H", flags, 1, bool(answer), bool(nothing), 0)
    return head + question[12:end + 5] + answer + nothing


def start_resolver():
    """A DNS server that takes 20 ms for each answer, so that the phase can be seen."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))

    def serve():
        while True:
            question, peer = udp.recvfrom(4096)
            threading.Timer(0.02, udp.sendto, (answer_name(question), peer)).start()

    threading.Thread(target=serve, daemon=True).start()
    return udp.getsockname()[1]


class Proxy:
    """The program under a terminal of its own, where there is one, so that it draws as it would for you."""

    def __init__(self, binary, *arguments):
        self.page = None  # address of the dashboard
        self.lines, self.changed = [], threading.Condition()
        mine, its = pty.openpty() if COLOURS else os.pipe()
        if COLOURS:  # as wide as yours
            columns, lines = shutil.get_terminal_size()
            termios.tcsetwinsize(its, (lines, columns))
        self.process = subprocess.Popen([binary, *arguments], stdin=subprocess.DEVNULL, stdout=its, stderr=its)
        os.close(its)
        threading.Thread(target=self.read_all, args=(open(mine, "rb", buffering=0),), daemon=True).start()

    def read_all(self, stream):
        rest = b""
        with contextlib.suppress(OSError):
            while piece := stream.read(65536):
                *lines, rest = (rest + piece).split(b"\n")
                with self.changed:
                    self.lines += [line.decode(errors="replace").rstrip("\r") for line in lines]
                    self.changed.notify_all()
        with self.changed:
            self.lines.append(None)
            self.changed.notify_all()

    def wait_line(self, seconds):
        """The next line it prints, or None when there is none in time or it has ended."""
        with self.changed:
            self.changed.wait_for(lambda: self.lines, seconds)
            return self.lines.pop(0) if self.lines else None

    def wait_port(self):
        told = []
        while (line := self.wait_line(5)) is not None:
            told.append(line)
            if found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", line):
                while more := self.wait_line(0.1):  # what else it says at the start
                    if page := re.search(r"admin on (http://\S+)", more):
                        self.page = page.group(1)
                return int(found.group(1))
        sys.exit("demo: the proxy did not start:\n" + "\n".join(told))

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Demo:
    def __init__(self, proxy, port, origin, tls_origin):
        self.proxy, self.port = proxy, port
        self.origin, self.tls_origin = origin, tls_origin
        self.site = f"http://origin.demo:{origin.server_port}"

    def show(self, title, *transactions):
        """Run the transactions and print the line that the proxy says about each."""
        print("\n" + bold(textwrap.fill(title, shutil.get_terminal_size().columns - 1)), flush=True)
        for transaction in transactions:
            said = transaction()
            if said:
                for line in f"the client got: {said}".split("\n"):
                    print(dim(textwrap.fill(line.strip(), shutil.get_terminal_size().columns - 1,
                                            initial_indent="  ", subsequent_indent="    ")))
        for _ in transactions:
            line = self.proxy.wait_line(3)
            print(line if line is not None else "  (the proxy said nothing)", flush=True)
        while line := self.proxy.wait_line(0.05):
            print(line, flush=True)

    def ask(self, method, url, body=None, connection=None):
        """One request on a connection of its own, or on the one that is given."""
        own = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        own.request(method, url, body=body)
        answer = own.getresponse()
        text = answer.read()
        if connection is None:
            own.close()
        if answer.status < 400 or answer.headers.get("Proxy-Status") is None:
            return None
        lines = [f"{answer.status} {answer.reason}", f"Proxy-Status: {answer.headers['Proxy-Status']}"]
        return "\n    ".join(lines + text.decode(errors="replace").strip().split("\n")[:6])

    def get(self, path):
        return lambda: self.ask("GET", self.site + path)

    def tunnel(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=10)
        client.set_tunnel("origin.demo", self.tls_origin.server_port)
        client.request("GET", "/")
        client.getresponse().read()
        client.close()

    def refused_tunnel(self):
        return self.ask("CONNECT", "169.254.169.254:80")

    def closed_port(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            return self.ask("GET", f"http://127.0.0.1:{unused.getsockname()[1]}/")

    def play(self):
        kept = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        self.show("Serial: the origin closes after each answer, so every request connects anew",
                  self.get("/serial"), self.get("/serial"))
        self.show("Persistent: the second request finds the connection open and pays for neither name nor connect",
                  lambda: self.ask("GET", self.site + "/", connection=kept),
                  lambda: self.ask("GET", self.site + "/", connection=kept))
        self.show("A slow origin: 400 ms of waiting before the first byte", self.get("/slow"))
        self.show("A slow body: the first byte comes at once, the last 400 ms later", self.get("/drip"))
        self.show("20 MB down", self.get("/big"))
        self.show("20 MB up", lambda: self.ask("POST", self.site + "/upload", body=BLOCK * (BIG // len(BLOCK))))
        self.show("HEAD: a length, and no body", lambda: self.ask("HEAD", self.site + "/"))
        self.show("404: the origin's own answer passes as it is", self.get("/missing"))
        self.show("A tunnel: TLS from the client to the origin, which the proxy cannot read", self.tunnel)
        self.show("Refused: the address that hands out a cloud machine's credentials", self.refused_tunnel)
        self.show("A name that does not exist", lambda: self.ask("GET", "http://no-such-host.invalid/"))
        self.show("A port where nobody listens", self.closed_port)
        kept.close()


def make_certificate(folder):
    path = folder / "origin.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", "/CN=origin.demo", "-keyout", path, "-out", folder / "cert"],
                   check=True, capture_output=True)
    with path.open("a") as both:
        both.write((folder / "cert").read_text())
    return path


def stay(proxy):
    """Until Enter: so that a browser can look."""
    print(f"\n{bold('The dashboard has them all:')} {proxy.page}/   {dim('(Enter ends the demo)')}", flush=True)
    with contextlib.suppress(EOFError):
        input()


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fairlead-demo-"))
    began, proxy = time.monotonic(), None
    try:
        origin, tls_origin = start_origin(), start_origin(make_certificate(folder))
        proxy = Proxy(sys.argv[1], "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1",
                      "--allow", "127.0.0.0/8", "--connect-port", "any",
                      "--resolver", f"127.0.0.1:{start_resolver()}", "--log-format", "line")
        Demo(proxy, proxy.wait_port(), origin, tls_origin).play()
        if sys.stdin.isatty() and sys.stdout.isatty():
            stay(proxy)
        print(dim(f"\nThat took {time.monotonic() - began:.1f} s. Now yours: ./dev run"))
    except KeyboardInterrupt:
        pass
    finally:
        if proxy:
            proxy.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
