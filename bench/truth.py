#!/usr/bin/env python3
"""Does the record say what happened? Each phase is made to last, by players whose waits are known.

A name server, an origin and a client on loopback each hold one step of a transaction back; the record of the proxy
tells how long it took that step to be. The rest of the phases should not notice. Plain requests on new and on pooled
connections, tunnels, and TLS 1.3 inside a tunnel as it is seen from outside; medians of several rounds.

    asked      the wait that a player was told to make
    waited     how long it took him by his own clock, which is the truth
    told       what the record says
    off        the difference
    elsewhere  what the other phases of the record say in all

Milliseconds of a busy machine are not to be relied upon: nothing here fails for them. A phase that is not there where it
should be, or there where it should not, does.

Usage: truth.py build [--delay MS] [--rounds N] [--json FILE]"""
import argparse
import collections
import contextlib
import json
import os
import pathlib
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE = 30  # seconds
PHASES = ("client_tls", "receive", "blocked", "dns", "connect", "tls", "send", "wait", "load", "deliver", "tunnel", "close")
HOST = "127.0.0.1"
SLOW = "127.0.0.2"  # where nobody accepts
HALF = 512
TRIES, STEP = 20, 16384  # to find a size


class Wait:
    """One round's wait, made once by whoever plays the step; it knows how long it was."""

    def __init__(self, phase, seconds):
        self.phase, self.seconds, self.waited_us, self.sent_ns = phase, seconds, None, 0

    def at(self, phase):
        if phase == self.phase:
            begun = time.monotonic_ns()
            time.sleep(self.seconds)
            self.waited_us = (time.monotonic_ns() - begun) / 1000


class Stage:
    """What all players share: the wait of the present round."""
    wait = Wait(None, 0)


def serve(target, *arguments):
    threading.Thread(target=target, args=arguments, daemon=True).start()


# ---- the name server: every name has the origin's address; that of a round for `connect` has one before it that is dead
def answer_names(sock):
    while True:
        data, peer = sock.recvfrom(4096)
        serve(answer_name, sock, data, peer)


def answer_name(sock, data, peer):
    end = data.index(b"\0", 12) + 5
    question, kind = data[12:end], data[end - 3]
    hosts = [SLOW, HOST] if question.startswith(b"\x07connect") else [HOST]
    records = [b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(host) for host in hosts if kind == 1]
    if kind == 1:
        Stage.wait.at("dns")
    reply = data[:2] + struct.pack(">HHHHH", 0x8180, 1, len(records), 0, 0) + question + b"".join(records)
    with contextlib.suppress(OSError):
        sock.sendto(reply, peer)


# ---- the origin
def accept(listener, context):
    while True:
        sock, _ = listener.accept()
        serve(play_origin, sock, context)


def play_origin(sock, context):
    with contextlib.suppress(OSError), sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            sock.recv(1, socket.MSG_PEEK)  # the ClientHello is there
            Stage.wait.at("tls")
            Stage.wait.at("inside_hello")
            sock = context.wrap_socket(sock, server_side=True)
        while head := read_head(sock):
            length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
            read_body(sock, head, length)
            Stage.wait.at("wait")
            Stage.wait.at("inside_wait")
            size = int(head.split(b"?")[1].split(b" ")[0]) if b"?" in head else 2 * HALF
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (size, bytes(HALF)))
            Stage.wait.at("load")
            sock.sendall(bytes(size - HALF))
            Stage.wait.sent_ns = time.monotonic_ns()


def read_head(sock):
    head = b""
    while b"\r\n\r\n" not in head:
        data = sock.recv(65536)
        if not data:
            return b""
        head += data
    return head


def read_body(sock, head, length):
    left = length - len(head.split(b"\r\n\r\n", 1)[1])
    while left > 0:
        left -= len(sock.recv(left))


# ---- the client
def connect(port):
    sock = socket.socket()
    sock.settimeout(PATIENCE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # little is on the way to a client that waits
    sock.connect((HOST, port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def exchange(sock, url, phase):
    """A POST and its answer, in the steps that may be held back."""
    body = bytes(2 * HALF)
    head = f"POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    sock.sendall(head[:10])
    Stage.wait.at("receive")
    if phase == "send":
        sock.sendall(head[10:] + body[:HALF])
        Stage.wait.at("send")
        sock.sendall(body[HALF:])
    else:
        sock.sendall(head[10:] + body)
    if phase == "deliver":
        Stage.wait.at("deliver")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # and it takes what comes when it does not
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(1)
    left = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
    while left > 0:
        data = sock.recv(min(left, 65536))
        if not data:
            sys.exit("bench: the answer is cut")
        left -= len(data)
    if phase == "deliver":  # what the client took so long for when the origin was through
        Stage.wait.waited_us = (time.monotonic_ns() - Stage.wait.sent_ns) / 1000


def tunnel(sock, authority):
    """A CONNECT, and both ends closed."""
    head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
    sock.sendall(head[:10])
    Stage.wait.at("receive")
    sock.sendall(head[10:])
    if not read_head(sock).startswith(b"HTTP/1.1 200"):
        sys.exit("bench: no tunnel")
    Stage.wait.at("tunnel")
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(65536):
        pass


def inside(sock, authority, name, trusted):
    """A CONNECT, a TLS 1.3 handshake in its steps, a request and its answer, and both ends closed."""
    sock.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    if not read_head(sock).startswith(b"HTTP/1.1 200"):
        sys.exit("bench: no tunnel")
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=trusted)
    context.check_hostname = False
    end = context.wrap_bio(into, out, server_hostname=name)

    def until_done(step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                sock.sendall(out.read())
                data = sock.recv(65536)
                if not data:
                    sys.exit("bench: the TLS inside ended early")
                into.write(data)
    until_done(end.do_handshake)
    Stage.wait.at("inside_tls")  # our Finished is made, and held back
    sock.sendall(out.read())
    end.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    sock.sendall(out.read())
    until_done(lambda: end.read(65536))
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(65536):
        pass


# ---- the proxy
class Proxy:
    def __init__(self, program, folder, delay, names):
        self.log = folder / "access.log"
        self.seen = 0
        config = folder / "truth.yaml"
        config.write_text(f"timeouts: {{ connect_attempt_delay: {round(delay * 1000)}ms }}\n")
        self.process = subprocess.Popen(
            [program, "-c", config, "--listen", f"{HOST}:0", "--admin", "off", "--allow", "127.0.0.0/8", "--connect-port", "any",
             "--workers", "1", "--resolver", f"{HOST}:{names}", "--log-format", "json", "--log-file", self.log,
             "--listen-tls", f"{HOST}:0", "--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem",
             "--upstream-ca", folder / "cert.pem"], stderr=subprocess.PIPE, text=True)
        self.port, self.tls_port = (self.listens_on(scheme) for scheme in ("http", "https"))
        serve(self.process.stderr.read)

    def listens_on(self, scheme):
        for line in self.process.stderr:
            if f"listening on {scheme}:" in line:
                return int(line.rstrip("/\n").rsplit(":", 1)[1])
        sys.exit("bench: the proxy did not start")

    def record(self):
        """The next one of the log."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            lines = self.log.read_text().split("\n")[:-1] if self.log.exists() else []  # whole ones
            if len(lines) > self.seen:
                self.seen += 1
                return json.loads(lines[self.seen - 1])
            time.sleep(0.005)
        sys.exit("bench: a record did not come")


# ---- the table
Row = collections.namedtuple("Row", "kind phase asked waited told elsewhere")

KINDS = {
    "new": ("client_tls", "receive", "dns", "connect", "tls", "send", "wait", "load", "deliver"),
    "pooled": ("receive", "send", "wait", "load", "deliver"),
    "tunnel": ("receive", "dns", "connect", "tunnel"),
    "inside": ("inside_hello", "inside_tls", "inside_wait"),
}
ABSENT = {"pooled": {"dns", "connect", "tls"}, "tunnel": {"tls", "send", "wait", "load", "deliver"},
          "inside": {"tls", "send", "wait", "load", "deliver"}, "new": set()}


class Play:
    def __init__(self, options):
        self.delay, self.rounds = options.delay / 1000, options.rounds
        self.folder = pathlib.Path(options.folder)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=truth.example", "-addext", "subjectAltName=DNS:plain.tls.truth.example", "-keyout",
                        self.folder / "key.pem", "-out", self.folder / "cert.pem"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")
        names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        names.bind((HOST, 0))
        serve(answer_names, names)
        self.clear, self.secure = (socket.create_server((HOST, 0)) for _ in range(2))
        serve(accept, self.clear, None)
        serve(accept, self.secure, context)
        self.dead = self.fill(self.clear.getsockname()[1])
        self.proxy = Proxy(options.program, self.folder, self.delay, names.getsockname()[1])
        self.names = 0
        self.size = 2 * HALF

    def fill(self, port):
        """A listener that takes nobody more."""
        full = socket.create_server((SLOW, port), backlog=0)
        crowd = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((SLOW, port))
            crowd.append(sock)
        return full, crowd

    def name(self, phase):
        self.names += 1
        return f"{'connect' if phase == 'connect' else 'plain'}.{self.names}.truth.example"

    def fits(self, phases):
        """0 where the last bytes of the response waited in the proxy while the client read nothing; 1 where it was so large
        that a part was still with the origin, and -1 where all lay in the kernel's buffers."""
        half_us = self.delay * 5e5
        return 0 if phases["deliver"] > half_us else 1 if phases["load"] > half_us else -1

    def calibrate(self, kind):
        """A size that fits, between two that are too small and too large."""
        least, most = 2 * HALF, 64 << 20
        while most - least > 4096:
            self.size = (least + most) // 2
            fit = self.fits(self.transact(kind, "deliver"))
            if fit == 0:
                return
            least, most = (least, self.size) if fit > 0 else (self.size, most)

    def deliver(self, kind):
        """The kernel's buffers differ from one connection to the next: go on until the size fits."""
        for _ in range(TRIES):
            phases = self.transact(kind, "deliver")
            fit = self.fits(phases)
            if fit == 0:
                break
            self.size = max(2 * HALF, self.size - fit * STEP)
        return phases

    def transact(self, kind, phase):
        """The phases of one transaction in microseconds."""
        is_secure = phase == "tls" or kind == "inside"
        port = (self.secure if is_secure else self.clear).getsockname()[1]
        name = self.name(phase)
        query = f"?{self.size}" if phase == "deliver" else ""
        url = f"{'https' if is_secure else 'http'}://{name}:{port}/{query}"
        with contextlib.closing(connect(self.proxy.tls_port if phase == "client_tls" else self.proxy.port)) as sock:
            if kind == "pooled":
                Stage.wait = Wait(None, 0)
                exchange(sock, f"http://{name}:{port}/", None)
                self.proxy.record()
            Stage.wait = Wait(phase, self.delay)
            if phase == "client_tls":
                Stage.wait.at("client_tls")
                sock = ssl.create_default_context(cafile=self.folder / "cert.pem").wrap_socket(
                    sock, server_hostname="plain.tls.truth.example")
            if kind == "tunnel":
                tunnel(sock, f"{name}:{port}")
            elif kind == "inside":
                inside(sock, f"{name}:{port}", name, self.folder / "cert.pem")
            else:
                exchange(sock, url, phase)
        phases = self.proxy.record()["phases_us"]
        if phase not in phases or phases.keys() & ABSENT[kind]:
            sys.exit(f"bench: {kind}, {phase}: the record has the phases {', '.join(phases)}")
        return phases

    def round(self, kind, phase):
        """(waited, told, elsewhere) in microseconds."""
        phases = self.deliver(kind) if phase == "deliver" else self.transact(kind, phase)
        waited = self.delay * 1e6 if phase == "connect" else Stage.wait.waited_us
        elsewhere = sum(span for other, span in phases.items() if other in PHASES and other not in (phase, "tunnel", "close"))
        return waited, phases[phase], elsewhere

    def run(self):
        for kind, phases in KINDS.items():
            for phase in phases:
                if phase == "deliver":
                    self.calibrate(kind)
                rounds = [self.round(kind, phase) for _ in range(self.rounds)]
                yield Row(kind, phase, self.delay * 1e6, *(statistics.median(column) for column in zip(*rounds)))


def show(rows):
    print(f"{'':8}{'':13}{'asked':>9}{'waited':>9}{'told':>9}{'off':>9}{'elsewhere':>11}   ms")
    for row in rows:
        waited, told, elsewhere = (value / 1000 for value in (row.waited, row.told, row.elsewhere))
        print(f"{row.kind:8}{row.phase:13}{row.asked / 1000:9.1f}{waited:9.2f}{told:9.2f}{told - waited:+9.2f}{elsewhere:11.2f}",
              flush=True)
        yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0], prog="./dev bench --truth")
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("--delay", type=float, default=50, metavar="MS", help="that each step is held back [50]")
    parser.add_argument("--rounds", type=int, default=11, metavar="N", help="of each, for a median [11]")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the medians, in microseconds, there as well")
    options = parser.parse_args()
    options.program = str(pathlib.Path(options.build).resolve() / "fairlead")
    with tempfile.TemporaryDirectory(prefix="fairlead-truth-") as folder:
        os.chmod(folder, 0o755)
        options.folder = folder
        play = Play(options)
        try:
            rows = list(show(play.run()))
        finally:
            play.proxy.process.terminate()
            play.proxy.process.wait(PATIENCE)
    if options.json:
        options.json.write_text(json.dumps([row._asdict() for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
