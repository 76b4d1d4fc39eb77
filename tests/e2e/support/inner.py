"""Both ends of the TLS inside a tunnel: scripts that hold it in memory, so that each flight leaves when a play says so,
and OpenSSL's own programs. Moments are compared with stamps of the players: order and containment."""
import re
import ssl
import subprocess
import threading
import time

from support.bounds import BOUND, wait_until
from support.message import ok
from support.programs import PATIENCE
from support.proxy import clean_environment

PAUSE = 0.03
CUT = 2_000  # ns by which a cut mark may seem too early
V12, V13 = (ssl.TLSVersion.TLSv1_2,) * 2, (ssl.TLSVersion.TLSv1_3,) * 2
GET, PAGE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", ok(b"x" * 1000)
HELLO_RETRY_GROUP = "secp384r1"  # of which no known client sends a key at once


class Inner:
    """TLS over a wire in clear, whose bytes leave in `flush`."""

    def __init__(self, wire, context, **more):
        self.wire, self.stamps = wire, {}
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, **more)

    def stamp(self, word):
        self.stamps.setdefault(word, time.monotonic_ns())

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.wire.send(data)

    def feed(self):
        if not self.wire.buffer:
            assert self.wire.fill(), "its end came first"
        self.incoming.write(self.wire.take(len(self.wire.buffer)))

    def try_step(self, step, *arguments):
        """What it gives, or None where more must come first. Nothing leaves."""
        try:
            return step(*arguments) or True
        except ssl.SSLWantReadError:
            return None

    def shake(self, *words):
        """The handshake. Before each flight of its own a pause: a stamp with the next word and "_due" before it, and one
        with the word behind it. At the end one with "shaken"."""
        words = list(words)
        while True:
            is_done = self.try_step(self.tls.do_handshake)
            if is_done:
                self.stamp("shaken")
            if self.outgoing.pending and words:
                self.stamp(f"{words[0]}_due")
                time.sleep(PAUSE)
                self.stamp(words.pop(0))
            self.flush()
            if is_done:
                return
            self.feed()

    def say(self, word, data):
        time.sleep(PAUSE)
        self.tls.write(data)
        self.stamp(word)
        self.flush()

    def _more(self, count):
        """Up to so many bytes of data, at least one."""
        while (got := self.try_step(self.tls.read, count)) is None:
            self.feed()
        assert got is not True, "a good-bye came first"
        return got

    def hear(self, count):
        """So many bytes of data."""
        data = b""
        while len(data) < count:
            data += self._more(count - len(data))
        return data

    def hear_head(self):
        """Data up to an empty line."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more(4096)
        return data

    def say_good_bye(self):
        self.try_step(self.tls.unwrap)
        self.flush()
        self.wire.half_close()


def assert_between(before, mark, after):
    assert before - CUT <= mark <= after, f"{mark - before} ns after, {after - mark} ns before"


def refusing(context):
    """A script for an origin that refuses, or is refused."""
    def script(conn):
        server = Inner(conn, context, server_side=True)
        try:
            server.shake()
            server.hear(1)
        except (ssl.SSLError, AssertionError):
            server.flush()
            conn.read_to_end()
            return
        raise AssertionError("nobody refused")
    return script


# ---- programs
class Program:
    """One that is talked to by its standard input and output."""

    def __init__(self, held, *command):
        self.process = subprocess.Popen([*map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=clean_environment())
        self.seen = b""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        held.callback(self.end)

    def _read(self):
        while data := self.process.stdout.read1(4096):
            self.seen += data

    def say(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def wait_end(self):
        self.process.wait(PATIENCE)

    def wait(self, pattern):
        return wait_until(lambda: re.search(pattern, self.seen), f"{pattern} of a program")

    def end(self):
        self.process.terminate()
        self.process.wait(BOUND)
        self.reader.join(BOUND)
        self.process.stdin.close()
        self.process.stdout.close()


def s_server(held, certs):
    """One that takes early data: the program, and its port."""
    server = Program(held, "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certs.server, "-key",
                     certs.server_key, "-tls1_3", "-early_data", "-no_anti_replay")
    return server, int(server.wait(rb"ACCEPT \S+:(\d+)")[1])
