"""A scripted origin: one function plays one connection, and decides and sees every byte.

    def script(conn):
        request = conn.read_request()
        conn.send(ok(b"hello"))

Scripts run in threads of their own. What they raise fails the test when the play ends. One script is
used for every connection; a list of scripts is used in order, and the connection after the last fails."""
import re
import select
import socket
import ssl
import struct
import threading
from pathlib import Path

from support.bounds import BOUND, QUIET, Signal
from support.wire import TlsWire, Wire


class Closed(Exception):
    """The play is over; not a failure."""


class Origin:
    def __init__(self, script, tls=None, host="127.0.0.1", port=0, name="origin"):
        self.scripts = list(script) if isinstance(script, (list, tuple)) else None
        self.script = script
        self.tls = tls
        self.name = name
        self.connections = []  # Wire, in order of acceptance
        self.requests = []  # every request that read_request returned, in order
        self.failures = []
        self.changed = Signal()
        self.over = False
        self.ended = threading.Event()
        self.threads = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, port))
        self.sock.listen(1024)
        self.host, self.port = self.sock.getsockname()[:2]
        text = f"[{self.host}]" if ":" in self.host else self.host
        self.authority = f"{text}:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.authority}"
        self._spawn(self._accept)

    def _spawn(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        while not self.over:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            self._spawn(self._play, sock, len(self.threads) - 1)

    def _pick(self, index):
        if self.scripts is None:
            return self.script
        if index < len(self.scripts):
            return self.scripts[index]
        raise AssertionError(f"{self.name}: an unexpected connection, number {index + 1}")

    def _play(self, sock, index):
        conn = None
        try:
            name = f"{self.name} connection {index + 1}"
            conn = OriginTlsWire(self, sock, name) if self.tls else OriginWire(self, sock, name)
            with self.changed:
                self.connections.append(conn)
            self._pick(index)(conn)
        except (Closed, ssl.SSLError) as error:
            self._note(error, isinstance(error, ssl.SSLError))
        except BaseException as error:  # an assertion of the script: shown when the play ends
            self._note(error, True)
        finally:
            (conn or sock).close()
            with self.changed:
                pass

    def _note(self, error, counts):
        if counts and not self.over:
            with self.changed:
                self.failures.append(error)

    def wait_connections(self, count, bound=BOUND):
        self.changed.wait(lambda: len(self.connections) >= count,
                          f"{self.name}: {count} connections (have {len(self.connections)})", bound)
        return self.connections[:count]

    def wait_requests(self, count, bound=BOUND):
        self.changed.wait(lambda: len(self.requests) >= count,
                          f"{self.name}: {count} requests (have {len(self.requests)})", bound)
        return self.requests[:count]

    def wait_failure(self, bound=BOUND):
        """For a play in which the script must fail, such as a refused TLS handshake."""
        self.changed.wait(lambda: self.failures, f"{self.name}: a failure", bound)
        return self.failures.pop(0)

    def stop_listening(self):
        """New connections are refused from now on."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def close(self):
        self.over = True
        self.ended.set()
        self.stop_listening()
        for conn in list(self.connections):
            try:
                conn.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(BOUND)

    def check(self):
        """Raise what a script raised."""
        if self.failures:
            raise self.failures[0]


class Silence:
    """An endpoint whose queue is full, so that the kernel answers no connect until there is room again."""

    def __init__(self, host="127.0.0.1"):
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.door = socket.socket(self.family, socket.SOCK_STREAM)
        self.door.bind((host, 0))
        self.door.listen(0)
        self.address = self.door.getsockname()
        self.port = self.address[1]
        self.callers = []

    def __enter__(self):
        is_full = False
        while not is_full:
            caller = socket.socket(self.family, socket.SOCK_STREAM)
            self.callers.append(caller)
            caller.setblocking(False)
            caller.connect_ex(self.address)
            is_full = not select.select([], [caller], [], QUIET)[1]
        self.callers.pop().close()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for sock in [self.door, *self.callers]:
            sock.close()

    def knocking(self):
        """How many connects have not been answered."""
        table = Path("/proc/net/tcp6" if self.family == socket.AF_INET6 else "/proc/net/tcp").read_text()
        return len(re.findall(rf":{self.port:04X} 02 ", table))

    def reset_all(self, count):
        """Make room, and reset `count` connections as soon as they stand: about a second after they were asked for,
        when the kernel asks again."""
        self.door.listen(64)
        self.door.settimeout(BOUND)
        for _ in range(len(self.callers) + count):
            sock, _ = self.door.accept()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()


class OriginEnd:
    """What a script may do beyond what any end can."""
    origin = None

    def read_request(self, bound=BOUND):
        message = super().read_request(bound)
        with self.origin.changed:
            self.origin.requests.append(message)
        return message

    def read_request_head(self, bound=BOUND):
        """The head alone; the script reads the body itself."""
        message = self.read_head(bound)
        with self.origin.changed:
            self.origin.requests.append(message)
        return message

    def hold(self):
        """Keep the connection until the other side ends it or the play is over."""
        try:
            while self.fill(3600):
                self.buffer = b""
        except OSError:
            pass


    def stay(self):
        """Keep the connection although the other side ended its direction, until the play is over."""
        self.origin.ended.wait(3600)


class OriginWire(OriginEnd, Wire):
    def __init__(self, origin, sock, name):
        self.origin = origin
        super().__init__(sock, name)


class OriginTlsWire(OriginEnd, TlsWire):
    def __init__(self, origin, sock, name):
        self.origin = origin
        super().__init__(sock, origin.tls, name=name, is_server=True)


# ---- scripts that many plays share
def replies(*responses):
    """Answer one request with each of these, then keep the connection."""
    def script(conn):
        for response in responses:
            conn.read_request()
            conn.send(response)
        conn.hold()
    return script


def replies_forever(response, bound=BOUND):
    """Answer every request with the same bytes, which are taken within `bound`."""
    def script(conn):
        while conn.buffer or conn.fill(3600):
            conn.read_request()
            conn.send(response, bound)
    return script


def replies_and_closes(response):
    """Answer one request and end the connection."""
    def script(conn):
        conn.read_request()
        conn.send(response)
        conn.half_close()
        conn.hold()
    return script


def echoes(conn):
    """Send back every byte; an end of file is answered with one."""
    while True:
        data = conn.take(len(conn.buffer))
        if data:
            conn.send(data, 60)
        elif not conn.fill(3600):
            break
    conn.half_close()
