"""A scripted name server on loopback, UDP and TCP on one port.

Names are added with their records; a name nobody added is NXDOMAIN with an SOA. Each question is kept in
`questions` as (monotonic ns, "udp" or "tcp", name, type)."""
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
                 drop=(), truncate=False, garbage=None):
        self.records = {"A": list(a), "AAAA": list(aaaa)}
        self.cname, self.ttl, self.soa_ttl, self.rcode = cname, ttl, soa_ttl, rcode
        self.delay = delay if isinstance(delay, dict) else {"A": delay or 0, "AAAA": delay or 0}
        self.drop = ("A", "AAAA") if drop is True else drop
        self.truncate = truncate  # over UDP: TC and no answer
        self.garbage = garbage  # bytes to answer with instead, after the question's id


class Dns:
    def __init__(self):
        self.names = {}
        self.questions = []
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

    # ---- serving
    def _serve_udp(self):
        while not self.over:
            try:
                data, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            self._answer(data, "udp", lambda reply, to=peer: self.udp.sendto(reply, to))

    def _serve_tcp(self):
        while not self.over:
            try:
                sock, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_stream, args=(sock,), daemon=True).start()

    def _serve_stream(self, sock):
        with sock, sock.makefile("rb") as stream:
            while len(prefix := stream.read(2)) == 2:
                data = stream.read(struct.unpack(">H", prefix)[0])
                self._answer(data, "tcp", lambda reply: sock.sendall(
                    struct.pack(">H", len(reply)) + reply))

    def _serve_later(self):
        with self._later:
            while not self.over:
                now = time.monotonic()
                while self._pending and self._pending[0][0] <= now:
                    _, _, send, reply = heapq.heappop(self._pending)
                    self._send(send, reply)
                self._later.wait(self._pending[0][0] - now if self._pending else None)

    @staticmethod
    def _send(send, reply):
        try:
            send(reply)
        except OSError:
            pass

    def _answer(self, data, transport, send):
        name, kind, question = parse_question(data)
        with self.changed:
            self.questions.append((time.monotonic_ns(), transport, name, kind))
        facts = self.names.get(name)
        if facts and kind in facts.drop:
            return
        reply = self._reply(data, question, name, kind, facts, transport)
        delay = facts.delay.get(kind, 0) if facts else 0
        if not delay:
            self._send(send, reply)
            return
        with self._later:
            heapq.heappush(self._pending,
                           (time.monotonic() + delay, next(self._order), send, reply))
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
        family = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}.get(kind)
        for address in facts.records.get(kind, ()) if facts else ():
            answers.append(record(name, kind, facts.ttl, socket.inet_pton(family, address)))
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
