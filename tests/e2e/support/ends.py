"""Both ends of a tunnel in the hands of one thread: what each says, and what it has heard, at any moment.

An end says at once what its socket takes, and the rest when move() is called; it hears in move() only, and not
while it is deaf. So a play decides what is under way when something happens."""
import array
import select
import socket
import ssl
import time

from support.admin import list_tunnels
from support.bounds import BOUND, Late, wait_until
from support.message import request
from support.record import Record
from support.wire import Wire

STEP = 1 << 18
MOST = 24 << 20  # more than sockets hold
HALF = 2 * MOST  # what each direction may say
PATTERN = memoryview(array.array("Q", range(2 * HALF // 8)).tobytes())  # no two places look alike
NARROW = 65536  # the receive buffer of an end that is to be filled up soon
BROKEN_RECORD = b"\x17\x03\x03\x00\x20" + b"?" * 32  # its tag is wrong: RFC 8446 §5.2, RFC 5246 §6.2.3.3


class End:
    """`heard` are its bytes so far. `end` is how the other side ended: "fin" (over TLS close_notify and FIN), "rst",
    "cut" (FIN without close_notify), "broken" (TLS failed, or an alert of the proxy said so)."""

    def __init__(self, wire, start):
        self.wire, self.sock = wire, wire.sock
        self.sock.setblocking(False)
        self.tls = getattr(wire, "tls", None)
        self.start, self.said = start, 0
        self.heard = bytearray(wire.buffer)
        self.end = None
        self.is_deaf = self.is_gone = False
        self.had_notify = self.was_refused = False
        self.plain = self.unsent = memoryview(b"")
        self.last = None  # what happens after the last byte

    @property
    def name(self):
        return self.wire.name

    # ---- saying
    def say(self, count):
        """The next bytes of this end's pattern, behind those that it has not begun to send."""
        at = self.start + self.said
        self.said += count
        assert self.said <= HALF
        self.plain = PATTERN[at - len(self.plain):at + count]
        self.push()

    def unsay(self):
        """Forget what was not begun to be sent, but for a little."""
        self.said -= len(self.plain[1:])
        self.plain = self.plain[:1]

    def fin(self):
        """End our direction in order, after the last byte."""
        self.last = self._notify if self.tls else self._shut
        self.push()

    def cut(self):
        """FIN after the last byte, without close_notify."""
        self.last = self._shut
        self.push()

    def break_record(self):
        """A record that nobody can decrypt, after the last byte."""
        def breaks():
            self.unsent = memoryview(BROKEN_RECORD)
        self.last = breaks
        self.push()

    def reset(self):
        self.is_gone = True
        self.wire.reset()

    def close(self):
        self.is_gone = True
        self.wire.close()

    def _shut(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side was faster

    def _notify(self):
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass  # it said close_notify, and would now wait for the other side's
        self.unsent = memoryview(self.wire.outgoing.read())
        self.last = self._shut

    def _next(self):
        if self.plain:
            part, self.plain = self.plain[:STEP], self.plain[STEP:]
            if self.tls:
                self.tls.write(part)
                part = memoryview(self.wire.outgoing.read())
            self.unsent = part
        elif self.last:
            act, self.last = self.last, None
            act()

    @property
    def has_more(self):
        return not self.is_gone and bool(self.unsent or self.plain or self.last)

    def push(self):
        """Say what the socket takes; True if it took anything."""
        did = False
        while self.has_more:
            if not self.unsent:
                self._next()
                continue
            try:
                sent = self.sock.send(self.unsent)
            except BlockingIOError:
                return did
            except (ConnectionResetError, BrokenPipeError):
                self.plain = self.unsent = memoryview(b"")
                self.last = None
                self.was_refused = True  # the kernel tells of a reset once, and after that of an end of file
                return True
            self.unsent = self.unsent[sent:]
            did = True
        return did

    # ---- hearing
    def _decrypt(self):
        try:
            while data := self.tls.read(STEP):
                self.heard += data
            self.had_notify = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.had_notify = True
        except ssl.SSLEOFError:
            self.end = "cut"
        except ssl.SSLError:
            self.end = "broken"

    def _take(self, data):
        if self.was_refused and not data:
            self.end = "rst"
        elif not self.tls:
            self.heard += data
            self.end = None if data else "fin"
        elif data and not self.had_notify:
            self.wire.incoming.write(data)
            self._decrypt()
        elif not data:
            self.end = "fin" if self.had_notify else "cut"

    def pull(self):
        """Hear what is there; True if there was anything."""
        did = False
        while not (self.is_deaf or self.is_gone or self.end):
            try:
                self._take(self.sock.recv(STEP))
            except BlockingIOError:
                return did
            except ConnectionResetError:
                self.end = "rst"
            did = True
        return did


def move(question, what, *ends, bound=BOUND):
    """Let these ends say and hear until question() is true."""
    until = time.monotonic() + bound
    while not question():
        if any([end.push() | end.pull() for end in ends]):
            continue
        reads = [end.sock for end in ends if not (end.is_deaf or end.is_gone or end.end)]
        writes = [end.sock for end in ends if end.has_more]
        select.select(reads, writes, [], 0.005)  # not longer: what is asked may be a record
        if time.monotonic() > until:
            raise Late(f"not within {bound:g} s: {what}; " + ", ".join(
                f"{end.name} said {end.said}, heard {len(end.heard)}, end {end.end}" for end in ends))


class Tunnel:
    def __init__(self, hall, client, origin, began_ns):
        self.hall, self.began_ns = hall, began_ns
        self.client, self.origin = End(client, 0), End(origin, HALF)
        self.ends = (self.client, self.origin)
        self.client_name = "%s:%d" % client.sock.getsockname()[:2]

    def pair(self, side):
        """This side's end, and the other one."""
        return self.ends if side == "client" else self.ends[::-1]

    def move(self, question, what):
        move(question, what, *self.ends)

    def has_all(self, end):
        """Has it heard all that the other one said?"""
        return len(end.heard) == self.pair(self._side(end))[1].said

    def _side(self, end):
        return "client" if end is self.client else "origin"

    def expect_prefix(self, end):
        """What it heard is how the other one's bytes begin."""
        other = self.pair(self._side(end))[1]
        assert len(end.heard) <= other.said, f"{end.name} heard {len(end.heard)} bytes of {other.said}"
        assert end.heard == PATTERN[other.start:other.start + len(end.heard)], f"{end.name}: bytes are not in order"

    def expect_all(self, end):
        """It heard all that the other one said."""
        self.expect_prefix(end)
        other = self.pair(self._side(end))[1]
        assert len(end.heard) == other.said, f"{end.name} heard {len(end.heard)} bytes of {other.said}"

    def passed(self, end):
        """How much of what it said has the other side's socket taken, by what the proxy says? 0 once it is over."""
        name = "request_body" if end is self.client else "response_body"
        return sum(each["bytes"][name] for each in list_tunnels(self.hall.proxy)["tunnels"]
                   if each["client"] == self.client_name)

    def stall(self, end):
        """The other one talks to this deaf end until nothing more is taken."""
        end.is_deaf = True
        other = self.pair(self._side(end))[1]
        other.say(MOST)
        self.hall.settle_until(lambda: not other.push())
        assert other.plain, f"{other.name}: {MOST} bytes were taken"

    def close(self):
        for end in self.ends:
            end.close()


class Hall:
    """One proxy of one worker, and where its tunnels lead."""

    def __init__(self, stage, *flags):
        self.proxy = stage.proxy("--workers", "1", *flags, tls=True)
        self.contexts = {"clear": None}
        for way, version in (("tls13", ssl.TLSVersion.TLSv1_3), ("tls12", ssl.TLSVersion.TLSv1_2)):
            self.contexts[way] = stage.certs.client_context(versions=(version, version))
        self.doors = {is_narrow: self._listen(is_narrow) for is_narrow in (False, True)}
        self.tunnels = []
        self._log_at, self._records = 0, {}
        self.witness = self.tunnel("clear")

    @staticmethod
    def _listen(is_narrow):
        sock = socket.socket()
        if is_narrow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW)
        sock.bind(("127.0.0.1", 0))
        sock.listen(1024)
        sock.settimeout(BOUND)
        return sock

    def tunnel(self, way, is_narrow=False):
        """A new tunnel. A narrow one has ends that hold little."""
        door, began_ns = self.doors[is_narrow], time.monotonic_ns()
        client = self.proxy.connect(tls=self.contexts[way], receive_buffer=NARROW if is_narrow else None)
        client.send(request("CONNECT", "%s:%d" % door.getsockname()))
        origin = Wire(door.accept()[0], "origin")
        assert client.read_head().status == 200
        self.tunnels.append(Tunnel(self, client, origin, began_ns))
        return self.tunnels[-1]

    def settle(self):
        """Whatever was said before this is known to the worker: a byte goes through it. A second one needs another
        turn, and by then who has much to move had a run behind the first."""
        for _ in range(2):
            self.witness.client.say(1)
            move(lambda: self.witness.has_all(self.witness.origin), "the witness", *self.witness.ends)

    def settle_until(self, question):
        """...until the answer is yes twice, before and after the worker had a turn."""
        def twice():
            self.settle()
            if not question():
                return False
            self.settle()
            return question()
        wait_until(twice, "nothing more to happen", step=0)

    def find_record(self, tunnel):
        """The record of this tunnel, or None as long as it is open."""
        if self.proxy.log_path.exists():
            with open(self.proxy.log_path, "rb") as log:
                log.seek(self._log_at)
                text = log.read()
            whole = text[:text.rfind(b"\n") + 1]
            self._log_at += len(whole)
            for record in map(Record, whole.splitlines()):
                if not record.get("in_progress"):
                    self._records[record["client"]] = record
        record = self._records.get(tunnel.client_name)
        return record if record and record["base_ns"] >= tunnel.began_ns else None  # ports are used again

    def record(self, tunnel):
        return wait_until(lambda: self.find_record(tunnel), f"the record of {tunnel.client_name}", step=0.001)

    def close(self):
        for tunnel in self.tunnels:
            tunnel.close()
        for door in self.doors.values():
            door.close()
