#!/usr/bin/env python3
"""Mixed load for as long as one likes: good clients, rude clients, origins that break off, and faults inside.

soak.py BINARY [--minutes M] [--seed N] [--tasks N] [--faults SCHEDULE]

Every good transaction must come to its end: whole and right, or with an error that its peer can see. An answer
that is not whole but looks so, one of another exchange, a POST that reached an origin twice, and a transaction
that hangs are violations. Without faults a good transaction must succeed. Meanwhile the proxy reloads, and its log
is moved away and reopened.

The load comes twice. After each round nothing may be left: connections, exchanges, tunnels, blocks, idle
connections, pipes, by the process's own counts; sockets, pipes and other descriptors by the kernel's; and after the
second one not more memory than after the first. Each line of the logs is a whole record, and there are as many as
requests; but for what the proxy says it lost. Then the proxy is told to end while a third round runs: it must end in
order, which is when a sanitizer says what leaked. With faults each call must have had some, but for two. Exit
code 0: no violation.
"""
import argparse
import asyncio
import collections
import json
import logging
import os
import random
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from support.certs import Certs  # noqa: E402
from support.dns import Dns  # noqa: E402

HANG = 45  # seconds that one transaction may take
QUIET = 20  # seconds until nothing may be left
HOSTILE = ("cut", "cutchunk", "reset", "garbage")  # kinds of answers that never come whole
SPARE_PIPES = 32  # that the workers keep for the next bulk, two descriptors each
GROWN_MIB = 24  # resident memory that the second round may add: what a sanitizer keeps of what was freed, and fragments
NAMES = 40  # of origins; some live too short to be cached
STARTS = 5  # tries with faults
SPARED = 2  # calls that no fault need befall
DRAINED = 3  # seconds of load before the proxy is told to end
FAULT_H = Path(__file__).resolve().parents[2] / "src/base/fault.h"
PIECE = b"0123456789abcdef"


def body_of(key, size):
    """`size` bytes that say whose they are."""
    unit = f"<{key}>".encode() + PIECE
    return (unit * (size // len(unit) + 1))[:size]


# ---- the origin
class Origin:
    """Answers what the target asks for: /KIND/KEY/SIZE. Bytes behind CONNECT or Upgrade are echoed."""

    def __init__(self):
        self.posts = collections.Counter()

    async def start(self, context):
        self.plain = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024, limit=1 << 20)
        self.tls = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024, ssl=context)
        self.echo = await asyncio.start_server(self.echo_all, "127.0.0.1", 0, backlog=1024)
        return [s.sockets[0].getsockname()[1] for s in (self.plain, self.tls, self.echo)]

    async def echo_all(self, reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
                await reader.read()
        except (ConnectionError, OSError):
            pass
        finally:
            writer.close()

    async def serve(self, reader, writer):
        try:
            while await self.serve_one(reader, writer):
                pass
        except (ConnectionError, OSError, EOFError, asyncio.LimitOverrunError, ValueError):
            writer.transport.abort()
        finally:
            writer.close()

    async def read_body(self, reader, head):
        if match := re.search(rb"\r\ncontent-length: (\d+)", head, re.I):
            return await reader.readexactly(int(match.group(1)))
        if b"\r\ntransfer-encoding: chunked" not in head.lower():
            return b""
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
        return body

    async def serve_one(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        kind, key, size = target.strip("/").split("/")
        if kind == "early":
            writer.write(b"HTTP/1.1 413 Too Large\r\nX-Key: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                         % key.encode())
            await writer.drain()
            return False
        sent = await self.read_body(reader, head)
        if method == "POST":
            self.posts[key] += 1
        body = sent if kind == "echo" else body_of(key, int(size))
        said = b"" if method == "HEAD" else body
        start = f"HTTP/1.1 200 OK\r\nX-Key: {key}\r\n".encode()
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        if kind == "upgrade":
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n"
                         b"X-Key: %s\r\n\r\n" % key.encode())
            await self.echo_all(reader, writer)
            return False
        if kind in ("length", "echo"):
            writer.write(start + length + said)
        elif kind == "interim":
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + start + length + said)
        elif kind == "chunked":
            writer.write(start + b"Transfer-Encoding: chunked\r\n\r\n")
            step = random.choice([300, 4000, 7000, 60000])
            for at in range(0, len(said), step):
                piece = said[at:at + step]
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
            if method != "HEAD":
                writer.write(b"0\r\nX-Trailer: 1\r\n\r\n")
        elif kind == "close":
            writer.write(start + b"Connection: close\r\n\r\n" + said)
            await writer.drain()
            return False
        elif kind == "cut":  # announces more than it sends
            writer.write(start + b"Content-Length: %d\r\n\r\n" % (len(body) + 1) + said)
            await writer.drain()
            return False
        elif kind == "cutchunk":
            writer.write(start + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (len(body) + 1) + said)
            await writer.drain()
            return False
        elif kind == "reset":
            writer.write(start + length + said[:len(said) // 2])
            await writer.drain()
            raise ConnectionError
        elif kind == "garbage":
            writer.write(random.randbytes(200))
            await writer.drain()
            return False
        elif kind == "unasked":  # speaks again behind its answer
            writer.write(start + length + said + b"HTTP/1.1 200 OK\r\nX-Key: evil\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        return random.random() > 0.1  # often persistent, and sometimes closed without a word


# ---- clients
class Cut(Exception):
    """The answer is visibly not whole."""


async def read_answer(reader, method):
    """(status, fields, body) of a final answer that is whole. Raises Cut."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            status = int(lines[0].split(" ")[1])
            fields = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:-2])}
            if status >= 200 or status == 101:
                break
        if method == "HEAD" or status in (204, 304, 101):
            return status, fields, b""
        if "content-length" in fields:
            return status, fields, await reader.readexactly(int(fields["content-length"]))
        if fields.get("transfer-encoding") != "chunked":
            return status, fields, await reader.read()  # a reset raises
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return status, fields, body
    except (EOFError, ConnectionError, OSError, ssl.SSLError) as error:
        raise Cut(repr(error)) from None


class Soak:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.has_faults = options.faults != ""
        self.results = collections.Counter()
        self.violations = []
        self.next_key = 0
        self.is_over = False
        self.is_draining = False
        self.edits = 0
        self.lasting = 2 * 2  # sockets of each worker that choose sources, for IPv4 and IPv6

    @property
    def may_fail(self):
        return self.has_faults or self.is_draining

    def violate(self, text):
        self.violations.append(text)
        print(f"soak: VIOLATION: {text}", flush=True)

    # ---- one transaction each; returns a word for the tally
    async def open(self):
        over_tls = self.random.random() < 0.4
        port = self.tls_port if over_tls else self.port
        more = {"ssl": self.context, "server_hostname": "localhost"} if over_tls else {}
        try:
            return await asyncio.open_connection("127.0.0.1", port, limit=1 << 22, **more)
        except (ConnectionError, OSError, ssl.SSLError) as error:
            raise Cut(repr(error)) from None

    def request(self, kind, key, size, method, version, sent):
        scheme, port = self.random.choice([("http", self.origins[0]), ("http", self.origins[0]),
                                           ("https", self.origins[1])])
        if kind == "upgrade":  # it half-closes, which the origin's TLS does not know
            scheme, port = "http", self.origins[0]
        name = self.random.choice(["127.0.0.1", f"{self.random.choice('nh')}{self.random.randrange(NAMES)}.soak.test"])
        host = f"localhost:{port}" if scheme == "https" else f"{name}:{port}"
        head = f"{method} {scheme}://{host}/{kind}/{key}/{size} HTTP/1.{version}\r\nHost: {host}\r\n"
        if kind == "upgrade":
            head += "Connection: Upgrade\r\nUpgrade: echo\r\n"
        if sent is None:
            return head.encode() + b"\r\n"
        if self.random.random() < 0.5 and version == 1:
            step = self.random.choice([300, 4000, 5000, 60000])
            pieces = [sent[at:at + step] for at in range(0, len(sent), step)]
            return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(
                b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
        return head.encode() + b"Content-Length: %d\r\n\r\n" % len(sent) + sent

    def judge(self, kind, key, size, sent, method, answer):
        status, fields, body = answer
        hostile = kind in HOSTILE and (method != "HEAD" or kind == "garbage") and (size > 0 or kind != "reset")
        # an early answer may be lost with the connection, and a POST to one that just ended is not repeated
        may_fail = hostile or kind in ("early", "echo") or self.may_fail
        if "proxy-status" in fields and "x-key" not in fields:
            if not may_fail:
                self.violate(f"{kind} {key}: {status} {fields['proxy-status']}")
            return f"answered {status}"
        if hostile:
            self.violate(f"{kind} {key}: {status}, and it looks whole")
        expected = b"" if method == "HEAD" or kind == "early" else sent if kind == "echo" else body_of(key, size)
        if fields.get("x-key") != key:
            self.violate(f"{kind} {key}: the answer of {fields.get('x-key')}")
        elif body != expected:
            self.violate(f"{kind} {key}: {len(body)} bytes of {len(expected)}, or others")
        return "whole"

    async def exchange(self):
        """Some requests on one connection, one after the other or all at once."""
        reader, writer = await self.open()
        version = 1 if self.random.random() < 0.9 else 0
        asks = []
        for _ in range(self.random.choice([1, 1, 3, 8]) if version else 1):
            self.next_key += 1
            kind = self.random.choice(["length", "length", "chunked", "close", "echo", "interim", "early",
                                       "cut", "cutchunk", "reset", "garbage", "unasked"])
            size = self.random.choice([0, 1, 100, 5000, 70000, 400000])
            method = self.random.choice(["GET", "GET", "HEAD"])
            sent = None
            if kind in ("echo", "early"):
                method = self.random.choice(["POST", "PUT"])
                sent = body_of(self.next_key, size)
            asks.append((kind, str(self.next_key), size, method, sent,
                         self.request(kind, self.next_key, size, method, version, sent)))
        is_pipelined = self.random.random() < 0.3
        may_end = False  # an early answer may end the connection, which its head could not say yet
        try:
            if is_pipelined:
                writer.write(b"".join(ask[5] for ask in asks))
            for kind, key, size, method, sent, request in asks:
                if not is_pipelined:
                    writer.write(request)
                answer = await read_answer(reader, method)
                self.results[self.judge(kind, key, size, sent, method, answer)] += 1
                may_end = may_end or kind == "early"
                if answer[1].get("connection") == "close" or version == 0:
                    return "connection done"
            return "connection done"
        except Cut as error:
            if not (self.may_fail or may_end or kind in (*HOSTILE, "early")):
                self.violate(f"{kind} {key}, of {[ask[0] for ask in asks]}: {error}")
            return "cut"
        finally:
            writer.close()

    async def tunnel(self):
        """Echoes through CONNECT or an upgrade, and half-closes."""
        reader, writer = await self.open()
        over_tls = writer.get_extra_info("ssl_object") is not None
        self.next_key += 1
        key = str(self.next_key)
        try:
            if self.random.random() < 0.7:
                host = f"127.0.0.1:{self.origins[2]}"
                writer.write(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            else:
                writer.write(self.request("upgrade", key, 0, "GET", 1, None))
            status, fields, _ = await read_answer(reader, "HEAD")
            if status not in (200, 101):
                if not self.may_fail:
                    self.violate(f"tunnel {key}: {status} {fields.get('proxy-status')}")
                return f"answered {status}"
            data = body_of(key, self.random.choice([1, 1000, 200000, 3000000]))

            async def send():
                for at in range(0, len(data), 100000):
                    writer.write(data[at:at + 100000])
                    await writer.drain()
                if not over_tls:
                    writer.write_eof()

            sending = asyncio.ensure_future(send())
            got = b""
            try:
                while len(got) < len(data) and (piece := await reader.read(1 << 20)):
                    got += piece
                await sending
                rest = b"" if over_tls else await reader.read()
            except (ConnectionError, OSError, ssl.SSLError) as error:
                raise Cut(repr(error)) from None
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            if not data.startswith(got) or rest:
                self.violate(f"tunnel {key}: other bytes")
            elif len(got) < len(data) and not over_tls:
                self.violate(f"tunnel {key}: an orderly end after {len(got)} of {len(data)} bytes")
            elif len(got) < len(data):
                raise Cut("ended")
            return "tunnel whole"
        except Cut as error:
            if not self.may_fail:
                self.violate(f"tunnel {key}: {error}")
            return "tunnel cut"
        finally:
            writer.close()

    async def rude(self):
        """A client that goes away, or says nonsense, at any byte."""
        reader, writer = await self.open()
        try:
            request = self.request("chunked", 0, 300000, "GET", 1, None) if self.random.random() < 0.5 else \
                self.request("echo", 0, 0, "PUT", 1, body_of(0, 30000))
            cut = self.random.randrange(1, len(request))
            how = self.random.choice(["leave", "reset", "nonsense", "deaf"])
            if how == "nonsense":
                mutant = bytearray(request)
                for _ in range(self.random.randrange(1, 6)):
                    mutant[self.random.randrange(len(mutant))] = self.random.randrange(256)
                writer.write(bytes(mutant))
                writer.write_eof() if writer.can_write_eof() else None
                await asyncio.wait_for(reader.read(), 5)
            elif how == "deaf":
                writer.write(request)
                await asyncio.sleep(self.random.random() / 5)
            else:
                writer.write(request[:cut])
                await writer.drain()
            if how in ("reset", "deaf"):
                writer.transport.abort()
        except (ConnectionError, OSError, ssl.SSLError, asyncio.TimeoutError):
            pass
        finally:
            writer.close()
        return "rude"

    async def client(self):
        while not self.is_over:
            kind = self.random.choice([self.exchange, self.exchange, self.exchange, self.tunnel, self.rude])
            try:
                self.results[await asyncio.wait_for(kind(), HANG)] += 1
            except Cut:
                self.results["not connected"] += 1
                if not self.may_fail:
                    self.violate("a connection was not accepted")
            except asyncio.TimeoutError:
                self.violate(f"{kind.__name__} hangs")

    def write_hosts(self):
        """Some names, with a comment of another length each time."""
        self.edits += 1
        whole = self.hosts.with_suffix(".new")
        whole.write_text("127.0.0.1 localhost\n" + "".join(f"127.0.0.1 h{n}.soak.test\n" for n in range(NAMES)) + "#" * self.edits + "\n")
        whole.chmod(0o644)
        whole.rename(self.hosts)

    async def operator(self):
        """Reloads, moves the log away and has it opened anew, writes the hosts file, while all goes on."""
        while not self.is_over:
            await asyncio.sleep(self.random.uniform(0.3, 2))
            self.write_hosts()
            number = self.random.choice([signal.SIGHUP, signal.SIGUSR1])
            if number == signal.SIGUSR1 and self.log_path.exists():
                self.moved += 1
                self.log_path.rename(f"{self.log_path}.{self.moved}")
            self.process.send_signal(number)

    # ---- the process
    def start(self, folder, certs):
        config = folder / "soak.yaml"
        self.hosts = folder / "hosts"
        self.write_hosts()
        config.write_text(f"""
listen:
  - address: 127.0.0.1:0
  - address: 127.0.0.1:0
    tls: {{certificate: {certs.server}, key: {certs.server_key}}}
timeouts: {{upstream_keepalive: 2s, keepalive: 5s, body_stall: 10s, response_head: 10s}}
resolver: {{hosts_file: {self.hosts}}}
""")
        environment = {n: v for n, v in os.environ.items() if "proxy" not in n.lower()}
        self.log_path, self.moved = folder / "access.log", 0
        self.report = folder / "faults"
        self.report.touch()
        self.report.chmod(0o666)  # who serves is another user where root runs this
        folder.chmod(0o755)
        if self.has_faults:
            environment["FAIRLEAD_FAULTS"] = f"seed={self.options.seed} {self.options.faults}"
            environment["FAIRLEAD_FAULTS_REPORT"] = str(self.report)
        self.log = open(folder / "stderr", "w+b")
        self.process = subprocess.Popen(
            [self.options.binary, "-c", config, "--allow", "127.0.0.0/8", "--connect-port", "any",
             "--upstream-ca", certs.ca, "--workers", "2", "--admin", "127.0.0.1:0", "--resolver", self.dns.address,
             "--source", "127.0.0.1", "--log-file", self.log_path, "--core-dumps", "on"],
            env={**environment, "NO_COLOR": "1"},
            stdout=subprocess.DEVNULL, stderr=self.log)

    def said(self):
        return Path(self.log.name).read_text(errors="replace")

    def wait_listening(self):
        for _ in range(200):
            listening = re.findall(r"listening on https?://[^\s:]+:(\d+)", self.said())
            admin = re.findall(r"admin on http://[^\s:]+:(\d+)", self.said())
            if len(listening) >= 2 and admin:
                self.port, self.tls_port = map(int, listening[:2])
                self.admin = int(admin[0])
                return True
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        return False

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return sum(float(v) for v in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M))

    def serving(self):
        """The process that serves: the child of a privileged parent, or the only one."""
        pid = self.process.pid
        return int((Path(f"/proc/{pid}/task/{pid}/children").read_text().split() or [pid])[0])

    def descriptors(self):
        """What the kernel has open for the process, by kind."""
        kinds = collections.Counter()
        for path in Path(f"/proc/{self.serving()}/fd").iterdir():
            try:
                kinds[re.match(r"(socket|pipe|anon_inode)?", os.readlink(path)).group() or "file"] += 1
            except FileNotFoundError:
                pass  # closed meanwhile
        return kinds

    def resident_mib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.serving()}/status").read_text()).group(1)) // 1024

    def left_over(self, before):
        left = collections.Counter({name: self.metric(f"fairlead_{name}") for name in
                                    ("client_connections", "requests", "tunnels", "upstream_idle_connections",
                                     "splice_pipes", "buffer_bytes")})
        now = self.descriptors()
        left.update({kind: now[kind] - before[kind] for kind in now})
        left["pipe"] -= 2 * int(left["splice_pipes"])  # the two views agree on these
        left["splice_pipes"] -= min(left["splice_pipes"], SPARE_PIPES)
        left["socket"] -= 2 + self.lasting  # who asks just now; what each worker opens once and keeps
        return {name: count for name, count in left.items() if count > 0}

    def check_empty(self, before):
        """Nothing is left, by the process's own counts and by the kernel's."""
        until = time.monotonic() + QUIET
        while left := self.left_over(before):
            if time.monotonic() > until:
                self.violate(f"left over: {left}")
                return
            time.sleep(0.2)

    def check_records(self):
        """Each request has its record, whole, in one of the logs, but for what is said to be lost."""
        until = time.monotonic() + QUIET
        while True:
            lines = [line for path in self.log_path.parent.glob("access.log*") for line in
                     path.read_bytes().split(b"\n")]
            asked, lost = self.metric("fairlead_requests_total"), self.metric("fairlead_records_lost_total")
            broken = [line for line in lines if line and not (line.startswith(b"{") and line.endswith(b"}"))]
            records = len(lines) - lines.count(b"") - len(broken)
            if records + lost == asked and len(broken) <= lost:
                return
            if time.monotonic() > until:
                self.violate(f"{records} records and {lost:g} lost of {asked:g} requests, {len(broken)} broken lines: "
                             f"{broken[:3]}")
                return
            time.sleep(0.2)

    def check_faults(self):
        """A schedule for all calls reached each; but a few are so seldom made that a slow machine may spare one."""
        report = self.report.read_text()
        calls = re.search(r"FAULT_CALLS_EACH\(X\)(.*?)\n\n", FAULT_H.read_text(), re.S).group(1)
        missing = [name for name in re.findall(r"X\((\w+),", calls) if f"{name}." not in report]
        print("soak: faults: " + ", ".join(report.split("\n")[:-1]))
        print("soak: no fault befell: " + (", ".join(missing) or "none"))
        if "all=" in self.options.faults and len(missing) > SPARED:
            self.violate(f"no fault befell {', '.join(missing)}")

    def finish(self):
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "none: it does not end"
        text = self.said()
        if code != 0:
            self.violate(f"exit code {code}")
        if sick := re.search(r"Sanitizer|runtime error:|CHECK failed|ended by signal", text):
            self.violate("see stderr:\n" + text[max(0, sick.start() - 500):sick.start() + 6000])

    async def load(self, seconds, end=lambda: None):
        """A round: all clients and the operator, for so long, and until they are through; end() comes before that."""
        self.is_over = False
        until = time.monotonic() + seconds
        tasks = [asyncio.ensure_future(self.client()) for _ in range(self.options.tasks)]
        tasks.append(asyncio.ensure_future(self.operator()))
        while time.monotonic() < until and self.process.poll() is None and len(self.violations) < 20:
            await asyncio.sleep(0.5)
        if self.process.poll() is not None:
            self.violate(f"the proxy ended by itself: {self.process.poll()}")
        elif self.serving() != self.served_by:
            self.violate("the serving process died")
        end()
        self.is_over = True
        await asyncio.gather(*tasks, return_exceptions=False)

    async def check(self, before):
        def run():
            self.check_empty(before)
            self.check_records()
        if self.process.poll() is None:
            await asyncio.get_running_loop().run_in_executor(None, run)

    def drain(self):
        self.is_draining = True
        self.process.send_signal(signal.SIGTERM)

    async def run(self, folder):
        certs = Certs(folder)
        origin = Origin()
        self.dns = Dns()
        for number in range(NAMES):
            self.dns.add(f"n{number}.soak.test", a=["127.0.0.1"], ttl=number % 4)
        self.origins = await origin.start(certs.server_context())
        self.context = certs.client_context()
        for _ in range(STARTS if self.has_faults else 1):  # a fault may befall a start, which then says so and ends
            self.start(folder, certs)
            listens = self.wait_listening()
            if listens or self.process.poll() != 1:
                break
            self.options.seed += 1
        if not listens:
            sys.exit(f"soak: the proxy does not listen:\n{self.said()}")
        self.served_by = self.serving()
        before = self.descriptors()
        await self.load(self.options.minutes * 30)
        await self.check(before)
        resident = self.resident_mib()
        await self.load(self.options.minutes * 30)
        await self.check(before)
        if self.resident_mib() > resident + GROWN_MIB:
            self.violate(f"{self.resident_mib()} MiB resident after the second round, {resident} after the first")
        print(f"soak: {resident} MiB resident after a round, {self.resident_mib()} after two; {dict(before)} descriptors")
        await self.load(DRAINED, self.drain)
        self.finish()
        for key, count in origin.posts.items():
            if count > 1:
                self.violate(f"POST {key} reached the origin {count} times")
        self.dns.close()
        if self.has_faults:
            self.check_faults()
        print(f"soak: seed {self.options.seed}: " + json.dumps(dict(sorted(self.results.items()))))
        print(f"soak: {len(self.violations)} violations")
        return not self.violations


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary")
    parser.add_argument("--minutes", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--tasks", type=int, default=24)
    parser.add_argument("--faults", default="", metavar="SCHEDULE",
                        help="all=0.002, or as base/fault.h says; the build must have them")
    options = parser.parse_args()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it warns of sends to who has gone
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        return 0 if asyncio.run(Soak(options).run(Path(folder))) else 1


if __name__ == "__main__":
    sys.exit(main())
