"""A flood, in a process of its own: flood.py HOST PORT ORIGIN ATTEMPTS SOURCES KIND…
And an origin for it: flood.py origin    says its port

Makes ATTEMPTS connections to the proxy from SOURCES addresses of 127.0.1.0/24, of each KIND in turn, as fast as they are
taken, and holds whatever stays open. When all were made it says so on a line, waits for a line, closes them and tells
what became of them, as JSON.

  tunnel    CONNECT ORIGIN, and silence
  member    the same with the right password of alice
  head      a part of a small head, and silence
  huge      a part of a head of 60 KiB, and silence
  body      a POST whose body never comes, and silence
  password  a wrong one, another each time
  unknown   a GET of a name of 250 bytes, another each time, that the name server never answers for
  known     the same, answered with the origin's address
  trailer   a chunked POST with 60 KiB of an endless trailer, and silence
  reply     a GET whose response has 60 KiB of an endless trailer, and silence
  reading   the same with an endless head
  upgrade   a GET that is answered 101, and silence
  deaf      a GET of an endless response, of which nothing is read
  idle      a GET that is answered, and silence on the connection that stays
  half      (to a listener with TLS) half of a ClientHello, and silence
  hello     (the same) a whole ClientHello, and silence
"""
import asyncio
import base64
import collections
import json
import os
import resource
import ssl
import sys

AT_ONCE = 256
TIME_LIMIT = 110  # seconds; the play that starts it has a shorter one


QUICK = 0.3  # until what says nothing counts as held
HELD = ("head", "huge", "body", "unknown", "trailer", "reply", "reading", "half", "hello")
LONG = 60 * 1024 * "x"


def client_hello():
    """The first bytes of a TLS client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(into, out, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


HELLO = client_hello()


async def serve(reader, writer):
    """The origin, by what the target says."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            target = head.split(b" ", 2)[1]
            if target.endswith(b"/upgrade"):
                writer.write(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            elif target.endswith(b"/reading"):
                writer.write(b"HTTP/1.1 200 OK\r\nX: " + LONG.encode())
            elif target.endswith(b"/reply"):
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: " + LONG.encode())
            elif target.endswith(b"/deaf"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
                while True:
                    writer.write(LONG.encode())
                    await writer.drain()
            elif head.startswith(b"GET "):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            else:
                while await reader.read(65536):
                    pass
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def be_origin():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


class Flood:
    def __init__(self, door, origin, sources, kinds):
        self.door, self.origin, self.sources, self.kinds = door, origin, sources, kinds
        self.outcomes = collections.Counter()
        self.held = []

    def says(self, kind, number):
        port = self.origin.split(":")[1]
        if kind in ("unknown", "known"):
            name = ".".join([f"{kind}{number:07}", *["x" * 56] * 4, "example"])
            return f"GET http://{name}:{port}/ HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n"
        if kind == "trailer":
            return (f"POST http://{self.origin}/ HTTP/1.1\r\nHost: {self.origin}\r\nTransfer-Encoding: chunked\r\n\r\n"
                    f"1\r\nx\r\n0\r\nX: {LONG}")
        if kind in ("reply", "reading", "upgrade", "deaf", "idle"):
            more = "Connection: upgrade\r\nUpgrade: x\r\n" if kind == "upgrade" else ""
            return f"GET http://{self.origin}/{kind} HTTP/1.1\r\nHost: {self.origin}\r\n{more}\r\n"
        if kind in ("half", "hello"):
            return HELLO[:len(HELLO) // 2 if kind == "half" else None].decode("latin-1")
        host = f"Host: {self.origin}\r\n"
        right = base64.b64encode(b"alice:secret").decode()
        if kind in ("tunnel", "member"):
            proof = f"Proxy-Authorization: Basic {right}\r\n" if kind == "member" else ""
            return f"CONNECT {self.origin} HTTP/1.1\r\n{host}{proof}\r\n"
        if kind == "head":
            return f"GET http://{self.origin}/ HTTP/1.1\r\n{host}X: "
        if kind == "huge":
            return f"GET http://{self.origin}/ HTTP/1.1\r\n{host}X: {LONG}"
        if kind == "body":
            return f"POST http://{self.origin}/ HTTP/1.1\r\n{host}Content-Length: 1000000\r\n\r\nx"
        word = base64.b64encode(b"alice:" + os.urandom(6).hex().encode()).decode()
        return f"GET http://{self.origin}/ HTTP/1.1\r\n{host}Proxy-Authorization: Basic {word}\r\n\r\n"

    async def attempt(self, number):
        kind = self.kinds[number % len(self.kinds)]
        source = f"127.0.1.{1 + number % self.sources}"
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection(*self.door, local_addr=(source, 0)), 20)
        except (OSError, TimeoutError):
            self.outcomes[kind, "no connection"] += 1
            return
        try:
            writer.write(self.says(kind, number).encode("latin-1"))
            if kind == "deaf":
                writer.transport.pause_reading()
                await asyncio.sleep(QUICK)
                raise TimeoutError
            line = await asyncio.wait_for(reader.read(1) if kind == "hello" else reader.readline(), QUICK if kind in HELD else 5)
            if kind == "hello" and line:
                raise TimeoutError
            self.outcomes[kind, line.split()[1].decode() if line else "closed"] += 1
            if line.startswith((b"HTTP/1.1 200", b"HTTP/1.1 101")):
                self.held.append(writer)
                return
        except TimeoutError:
            self.outcomes[kind, "held"] += 1
            self.held.append(writer)
            return
        except (OSError, IndexError):
            self.outcomes[kind, "reset"] += 1
        writer.close()

    async def run(self, attempts):
        numbers = iter(range(attempts))

        async def one_after_another():
            for number in numbers:
                await self.attempt(number)
        await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
        print("made", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        for writer in self.held:
            writer.transport.abort()
        print(json.dumps({f"{kind} {what}": count for (kind, what), count in sorted(self.outcomes.items())}), flush=True)


async def main(host, port, origin, attempts, sources, *kinds):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    await asyncio.wait_for(Flood((host, int(port)), origin, int(sources), kinds).run(int(attempts)), TIME_LIMIT)


asyncio.run(be_origin() if sys.argv[1] == "origin" else main(*sys.argv[1:]))
