"""A flood, in a process of its own: flood.py HOST PORT ORIGIN ATTEMPTS SOURCES KIND…

Makes ATTEMPTS connections to the proxy from SOURCES addresses of 127.0.1.0/24, of each KIND in turn, as fast as they are
taken, and holds whatever stays open. When all were made it says so on a line, waits for a line, closes them and tells
what became of them, as JSON.

  tunnel    CONNECT ORIGIN, and silence
  member    the same with the right password of alice
  head      a part of a small head, and silence
  huge      a part of a head of 60 KiB, and silence
  body      a POST whose body never comes, and silence
  password  a wrong one, another each time
"""
import asyncio
import base64
import collections
import json
import os
import resource
import sys

AT_ONCE = 256
TIME_LIMIT = 110  # seconds; the play that starts it has a shorter one


class Flood:
    def __init__(self, door, origin, sources, kinds):
        self.door, self.origin, self.sources, self.kinds = door, origin, sources, kinds
        self.outcomes = collections.Counter()
        self.held = []

    def says(self, kind):
        host = f"Host: {self.origin}\r\n"
        right = base64.b64encode(b"alice:secret").decode()
        if kind in ("tunnel", "member"):
            proof = f"Proxy-Authorization: Basic {right}\r\n" if kind == "member" else ""
            return f"CONNECT {self.origin} HTTP/1.1\r\n{host}{proof}\r\n"
        if kind == "head":
            return f"GET http://{self.origin}/ HTTP/1.1\r\n{host}X: "
        if kind == "huge":
            return f"GET http://{self.origin}/ HTTP/1.1\r\n{host}X: {60 * 1024 * 'x'}"
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
            writer.write(self.says(kind).encode())
            line = await asyncio.wait_for(reader.readline(), 0.3 if kind in ("head", "huge", "body") else 5)
            self.outcomes[kind, line.split()[1].decode() if line else "closed"] += 1
            if line.startswith(b"HTTP/1.1 200"):
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


asyncio.run(main(*sys.argv[1:]))
