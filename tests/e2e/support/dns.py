"""A scripted name server on loopback, UDP and TCP on one port.

Names are added with their records; a name nobody added is NXDOMAIN with an SOA. Each question is kept in
`questions` as (monotonic ns, "udp" or "tcp", name, type). Where records cannot tell what is to happen, a name
has a script: a function that is called with each Ask and does what it likes."""
import contextlib
import heapq
import itertools
import socket
import struct
import threading
import time

from support.bounds import BOUND, Signal

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "AAAA": 28}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


class Name:
    """What is known about one name. `delay` and `drop` may differ by type: {"AAAA": 0.3}."""

    def __init__(self, a=(), aaaa=(), cname=None, ttl=60, soa_ttl=60, rcode=NOERROR, delay=None,
                 drop=(), truncate=False, garbage=None, script=None):
        self.records = {"A": list(a), "AAAA": list(aaaa)}
        self.cname, self.ttl, self.soa_ttl, self.rcode = cname, ttl, soa_ttl, rcode
        self.delay = delay if isinstance(delay, dict) else {"A": delay or 0, "AAAA": delay or 0}
        self.drop = ("A", "AAAA") if drop is True else drop
        self.truncate = truncate  # over UDP: TC and no answer
        self.garbage = garbage  # bytes to answer with instead, after the question's id
        self.script = script


class Ask:
    """One question as a script has it. send() frames for TCP, `sock` is what it came by, `peer` who asked."""

    def __init__(self, data, transport, sock, peer, send):
        self.data, self.transport, self.sock, self.peer, self._send = data, transport, sock, peer, send
        self.id = data[:2]
        self.name, self.kind, self.question = parse_question(data)

    def send(self, reply):
        try:
            self._send(reply)
        except OSError:
            pass  # who asked is gone

    def answer(self, addresses=(), ttl=60, **more):
        """A good answer with these addresses, of either family; those of the other one are left out."""
        mine = [each for each in addresses if (":" in each) == (self.kind == "AAAA")]
        return self.reply([address_record(self.name, each, ttl) for each in mine], **more)

    def reply(self, records=(), flags=0x8580, rcode=NOERROR, id=None, question=None, authority=()):
        return (id or self.id) + struct.pack(">HHHHH", flags | rcode, 1, len(records), len(authority), 0) + \
            (question or self.question) + b"".join([*records, *authority])



class Dns:
    def __init__(self):
        self.names = {}
        self.questions = []
        self.asks = []
        self.changed = Signal()
        self.over = False
        self._pending = []
        self._order = itertools.count()
        self._later = threading.Condition()
        self._bind()
        for loop in (self._serve_udp, self._serve_tcp, self._serve_later):
            threading.Thread(target=loop, daemon=True).start()

    def _bind(self):
        for _ in range(50):  # the same free port for both protocols
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]
            self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self.tcp.bind(("127.0.0.1", self.port))
            except OSError:
                self.udp.close()
                self.tcp.close()
                continue
            self.tcp.listen(64)
            self.address = f"127.0.0.1:{self.port}"
            return
        raise AssertionError("no port is free for UDP and TCP")

    # ---- the script
    def add(self, name, **facts):
        self.names[name.lower()] = Name(**facts)

    def asked(self, name=None, kind=None):
        return [q for q in self.questions if name in (None, q[2]) and kind in (None, q[3])]

    def wait_asked(self, name, kind=None, count=1, bound=BOUND):
        self.changed.wait(lambda: len(self.asked(name, kind)) >= count,
                          f"{count} questions for {name} {kind or ''}", bound)

    def wait_ask(self, name, kind, transport=None, bound=BOUND):
        """The first question of this kind, as a play that answers it itself needs it (see holds)."""
        return self.changed.wait(lambda: next((a for a in self.asks if (a.name, a.kind) == (name, kind) and
                                               transport in (None, a.transport)), None),
                                 f"a question for {name} {kind}", bound)

    # ---- serving
    def _serve_udp(self):
        while not self.over:
            try:
                data, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            self._answer(Ask(data, "udp", self.udp, peer,
                             lambda reply, to=peer: self.udp.sendto(reply, to)))

    def _serve_tcp(self):
        while not self.over:
            try:
                sock, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_stream, args=(sock,), daemon=True).start()

    def _serve_stream(self, sock):
        with contextlib.suppress(OSError), sock, sock.makefile("rb") as stream:
            while len(prefix := stream.read(2)) == 2:
                data = stream.read(struct.unpack(">H", prefix)[0])
                self._answer(Ask(data, "tcp", sock, None, lambda reply: sock.sendall(
                    struct.pack(">H", len(reply)) + reply)))

    def _serve_later(self):
        with self._later:
            while not self.over:
                now = time.monotonic()
                while self._pending and self._pending[0][0] <= now:
                    _, _, ask, reply = heapq.heappop(self._pending)
                    ask.send(reply)
                self._later.wait(self._pending[0][0] - now if self._pending else None)

    def _answer(self, ask):
        facts = self.names.get(ask.name)
        with self.changed:
            self.questions.append((time.monotonic_ns(), ask.transport, ask.name, ask.kind))
            self.asks.append(ask)
        if facts and facts.script:
            facts.script(ask)
        elif not (facts and ask.kind in facts.drop):
            self._answer_by_facts(ask, facts)

    def _answer_by_facts(self, ask, facts):
        reply = self._reply(ask.data, ask.question, ask.name, ask.kind, facts, ask.transport)
        delay = facts.delay.get(ask.kind, 0) if facts else 0
        if not delay:
            ask.send(reply)
            return
        with self._later:
            heapq.heappush(self._pending, (time.monotonic() + delay, next(self._order), ask, reply))
            self._later.notify()

    def _reply(self, data, question, name, kind, facts, transport):
        if facts and facts.garbage is not None:
            return data[:2] + facts.garbage
        rcode = facts.rcode if facts else NXDOMAIN
        answers, authority = [], []
        truncated = bool(facts and facts.truncate and transport == "udp")
        if rcode == NOERROR and not truncated:
            answers = self._answers(name, kind)
        if rcode == NXDOMAIN or (rcode == NOERROR and not answers and not truncated):
            ttl = facts.soa_ttl if facts else 60
            soa = encode_name("ns.test") + encode_name("admin.test") + struct.pack(
                ">IIIII", 1, 3600, 600, 86400, ttl)
            authority = [record("test", "SOA", ttl, soa)]
        flags = 0x8580 | (0x0200 if truncated else 0) | rcode
        header = data[:2] + struct.pack(">HHHHH", flags, 1, len(answers), len(authority), 0)
        return header + question + b"".join(answers + authority)

    def _answers(self, name, kind):
        answers = []
        facts = self.names.get(name)
        for _ in range(16):  # a chain of CNAMEs
            if not facts or not facts.cname:
                break
            answers.append(record(name, "CNAME", facts.ttl, encode_name(facts.cname)))
            name = facts.cname
            facts = self.names.get(name)
        for address in facts.records.get(kind, ()) if facts else ():
            answers.append(address_record(name, address, facts.ttl))
        return answers

    def close(self):
        self.over = True
        self.udp.close()
        try:
            self.tcp.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.tcp.close()
        with self._later:
            self._later.notify_all()


def holds(ask):
    """A script that leaves the answer to the play."""


def parse_question(data):
    labels, at = [], 12
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1").lower())
        at += 1 + data[at]
    kind = struct.unpack(">H", data[at + 1:at + 3])[0]
    return ".".join(labels), TYPE_NAMES.get(kind, str(kind)), data[12:at + 5]


def encode_name(name):
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record(name, kind, ttl, data):
    return encode_name(name) + struct.pack(">HHIH", TYPES[kind], 1, ttl, len(data)) + data


def address_record(name, address, ttl=60):
    kind, family = ("AAAA", socket.AF_INET6) if ":" in address else ("A", socket.AF_INET)
    return record(name, kind, ttl, socket.inet_pton(family, address))


def alias_record(name, target, ttl=60):
    return record(name, "CNAME", ttl, encode_name(target))
