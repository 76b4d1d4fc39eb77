"""One end of a connection, in clear or TLS, that keeps every byte and stamps every event.

Both players use it: the raw client towards the proxy, and each connection of the scripted origin. All reads
are bounded. A TLS end runs over memory BIOs, so that it can half-close, cut and reset like a plain one."""
import select
import socket
import ssl
import struct
import time

from support.bounds import BOUND, QUIET, Late
from support.message import Message, parse_fields, request_framing, response_framing

STEP = 1 << 16


class Ended(AssertionError):
    """The other side ended the connection although more was expected."""


class Wire:
    """`events` is a list of (monotonic ns, word, bytes) with the words "open", "received", "sending" before and
    "sent" after the call, "eof", "reset", "shutting" and "shut", and "closed"."""

    def __init__(self, sock, name="wire"):
        self.sock = sock
        self.name = name
        self.buffer = b""
        self.received = 0
        self.end = None  # "fin", "rst"; "cut": a TLS leg that ended without close_notify
        self.events = []
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) \
            if sock.family != socket.AF_UNIX else None
        self.stamp("open")

    # ---- stamps
    def stamp(self, word, count=0):
        self.events.append((time.monotonic_ns(), word, count))

    def first(self, word):
        return next((at for at, what, _ in self.events if what == word), None)

    def last(self, word):
        return next((at for at, what, _ in reversed(self.events) if what == word), None)

    # ---- what TLS overrides
    def _pull(self):
        """Some bytes, or b"" at the end with self.end set."""
        try:
            data = self.sock.recv(STEP)
        except (ConnectionResetError, BrokenPipeError):
            self.end = "rst"
            return b""
        if not data:
            self.end = "fin"
        return data

    def _push(self, data):
        self.sock.sendall(data)

    def _shut(self):
        self.sock.shutdown(socket.SHUT_WR)

    # ---- writing
    def send(self, data, bound=BOUND):
        self.sock.settimeout(bound)
        self.stamp("sending")
        try:
            self._push(data)
        except TimeoutError:
            raise Late(f"{self.name}: {len(data)} bytes not taken within {bound:g} s") from None
        self.stamp("sent", len(data))

    def half_close(self):
        """End our direction only: FIN, under TLS close_notify and FIN. Nothing where the peer was faster."""
        self.stamp("shutting")
        try:
            self._shut()
        except OSError:
            pass
        self.stamp("shut")

    def reset(self):
        """End with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        if self.sock.fileno() >= 0:
            self.stamp("closed")
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- reading
    def fill(self, bound=BOUND):
        """Read what comes next into the buffer; False at the end of the connection."""
        if self.end:
            return False
        self.sock.settimeout(bound)
        try:
            data = self._pull()
        except TimeoutError:
            raise Late(f"{self.name}: nothing came within {bound:g} s; unread: "
                       f"{self.buffer[:300]!r}") from None
        self.stamp({"rst": "reset", None: "received"}.get(self.end, "eof"), len(data))
        self.buffer += data
        self.received += len(data)
        return self.end is None

    def _need(self, what, bound=BOUND):
        if not self.fill(bound):
            raise Ended(f"{self.name}: ended with {self.end} before {what}; unread: "
                        f"{self.buffer[:300]!r}")

    def take(self, count):
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read(self, count, bound=BOUND):
        """Exactly `count` bytes."""
        end = time.monotonic() + bound
        parts = [self.buffer]
        have = len(self.buffer)
        self.buffer = b""
        while have < count:
            self._need(f"{count} bytes (have {have})", max(0.001, end - time.monotonic()))
            parts.append(self.buffer)
            have += len(self.buffer)
            self.buffer = b""
        self.buffer = b"".join(parts)
        return self.take(count)

    def read_until(self, mark, bound=BOUND):
        while mark not in self.buffer:
            self._need(repr(mark), bound)
        return self.take(self.buffer.index(mark) + len(mark))

    def read_to_end(self, bound=BOUND):
        """All bytes to the end of the connection, however it ends: `end` tells."""
        end = time.monotonic() + bound
        parts = [self.buffer]
        self.buffer = b""
        while self.fill(max(0.001, end - time.monotonic())):
            parts.append(self.buffer)
            self.buffer = b""
        parts.append(self.buffer)
        self.buffer = b""
        return b"".join(parts)

    def expect_end(self, *ends):
        """Nothing more comes, and the connection ends in one of these ways (any, if none)."""
        rest = self.read_to_end()
        assert rest == b"", f"{self.name}: more bytes before the end: {rest[:300]!r}"
        assert not ends or self.end in ends, f"{self.name}: ended with {self.end}, not {ends}"
        return self.end

    def expect_quiet(self, seconds=QUIET):
        """Nothing comes for a while, and the connection stays open."""
        assert self.buffer == b"", f"{self.name}: unread {self.buffer[:300]!r}"
        try:
            self.fill(seconds)
        except Late:
            return
        raise AssertionError(f"{self.name}: expected quiet, got {self.end or self.buffer[:300]!r}")

    def pause(self, seconds=QUIET):
        """Do not read for a while, so that what the other side sends piles up."""
        time.sleep(seconds)

    # ---- HTTP
    def read_head(self, bound=BOUND):
        return Message(self.read_until(b"\r\n\r\n", bound))

    def _read_chunked(self, message, bound):
        raw = b""
        while True:
            line = self.read_until(b"\r\n", bound)
            size = int(line.split(b";")[0].strip(), 16)
            raw += line
            if size == 0:
                break
            chunk = self.read(size, bound)
            assert self.read(2, bound) == b"\r\n", "a chunk does not end where its size says"
            raw += chunk + b"\r\n"
            message.chunks.append(chunk)
        lines = []
        while (line := self.read_until(b"\r\n", bound)) != b"\r\n":
            lines.append(line[:-2])
            raw += line
        message.trailers = parse_fields(lines)
        message.body = b"".join(message.chunks)
        message.raw_body = raw + b"\r\n"

    def read_body(self, message, framing, bound=BOUND):
        message.framing, length = framing
        if message.framing == "length":
            message.body = message.raw_body = self.read(length, bound)
        elif message.framing == "chunked":
            self._read_chunked(message, bound)
        elif message.framing == "close":
            message.body = message.raw_body = self.read_to_end(bound)
        return message

    def read_request(self, bound=BOUND):
        head = self.read_head(bound)
        return self.read_body(head, request_framing(head), bound)

    def read_response(self, method="GET", bound=BOUND):
        """The final response, whole; 101 counts as final."""
        interim = []
        head = self.read_head(bound)
        while 100 <= head.status < 200 and head.status != 101:
            interim.append(head)
            head = self.read_head(bound)
        head.interim = interim
        return self.read_body(head, response_framing(head, method), bound)

    def ask(self, data, bound=BOUND):
        """Send one request and read its response."""
        self.send(data, bound)
        return self.read_response(data.split(b" ", 1)[0].decode(), bound)


class TlsWire(Wire):
    """TLS on top of a connected socket, as client (server_hostname given) or server."""

    def __init__(self, sock, context, server_hostname=None, name="tls", is_server=False, early=b"",
                 session=None):
        # An end without close_notify is to be seen as one; Python would hide it.
        context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=is_server,
                                    server_hostname=server_hostname, session=session)
        super().__init__(sock, name)
        self.incoming.write(early)
        sock.settimeout(BOUND)
        self._run(self.tls.do_handshake)
        self.stamp("handshake")

    def _flush(self):
        if self.outgoing.pending:
            self.sock.sendall(self.outgoing.read())

    def _run(self, step):
        """Run a TLS step to its end, feeding it from the socket."""
        while True:
            try:
                value = step()
                self._flush()
                return value
            except ssl.SSLWantReadError:
                self._flush()
                data = self.sock.recv(STEP)
                self.incoming.write(data) if data else self.incoming.write_eof()
            except ssl.SSLError:
                self._flush_quietly()
                raise

    def _flush_quietly(self):
        try:
            self._flush()
        except OSError:
            pass

    def _pull(self):
        try:
            data = self._run(lambda: self.tls.read(STEP))
        except ssl.SSLZeroReturnError:
            data = b""
        except ssl.SSLError as error:
            if not isinstance(error, (ssl.SSLEOFError, ssl.SSLSyscallError)) and \
                    error.reason != "UNEXPECTED_EOF_WHILE_READING":
                raise
            self.end = "cut"
            return b""
        except (ConnectionResetError, BrokenPipeError):
            self.end = "rst"
            return b""
        if not data:
            self.end = "fin"
        return data

    def _push(self, data):
        view = memoryview(data)
        for at in range(0, len(view), STEP):
            self.tls.write(view[at:at + STEP])
            self._flush()

    def send_while_reading(self, data, bound=BOUND):
        """Write all of it, and take into the buffer what comes meanwhile: one thread, both ways."""
        end = time.monotonic() + bound
        parts, view, at = [self.buffer], memoryview(data), 0
        self.sock.setblocking(False)
        while at < len(view) or self.outgoing.pending or self.unsent:
            if time.monotonic() > end:
                raise Late(f"{self.name}: {at} of {len(view)} bytes sent in {bound:g} s")
            if not self.unsent and at < len(view):
                self.tls.write(view[at:at + STEP])
                at += STEP
                self.unsent = self.outgoing.read()
            readable, writable, _ = select.select([self.sock], [self.sock] if self.unsent else [], [], 1)
            if writable:
                self.unsent = self.unsent[self.sock.send(self.unsent):]
            if readable:
                self.incoming.write(self.sock.recv(STEP))
                parts.append(self._take_decrypted())
        self.buffer = b"".join(parts)
        self.received += len(self.buffer)
        self.sock.setblocking(True)
        self.stamp("sent", len(data))

    unsent = b""

    def _take_decrypted(self):
        parts = []
        try:
            while data := self.tls.read(STEP):
                parts.append(data)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return b"".join(parts)

    def _shut(self):
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass  # it sent close_notify and would now wait for the peer's
        self._flush()
        self.sock.shutdown(socket.SHUT_WR)


def connect(address, tls=None, server_hostname="localhost", source=None, name="client",
            first=b"", receive_buffer=None, session=None):
    """A raw client. `address` is (host, port) or a path; `first` goes out before a TLS handshake; `session` is an
    earlier wire's `tls.session`."""
    family = socket.AF_UNIX if isinstance(address, str) else \
        socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(BOUND)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if source:
        sock.bind((source, 0))
    try:
        sock.connect(address)
        sock.sendall(first)
    except ConnectionError as error:
        if isinstance(error, ConnectionRefusedError):
            raise
        wire = Wire(sock, name)  # accepted and reset at once: an end like any other
        wire.end = "rst"
        return wire
    if tls:
        return TlsWire(sock, tls, server_hostname, name, session=session)
    return Wire(sock, name)
