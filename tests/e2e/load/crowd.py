"""A crowd of clients and their origin, each in a process of its own so that neither slows the other.

crowd.py SECONDS origin              says its port; answers GET with its target and close, POST never, echoes all else
crowd.py SECONDS clients N HOST PORT ORIGIN [CA]
    opens N connections to the proxy at once, over TLS with CA; the even ones hold a GET back before its last
    byte, the odd ones open a tunnel and echo once. When all are open it says "open", or how many were not, and waits
    for a line; then the GETs are finished and the tunnels echo again. It says how many succeeded and the first
    failures, as JSON.

SECONDS bound the clients, and each of their handshakes.
"""
import asyncio
import json
import resource
import ssl
import sys


def raise_descriptor_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# ---- the origin
async def serve(reader, writer):
    try:
        first = await reader.read(65536)
        if first.startswith(b"GET "):
            while b"\r\n\r\n" not in first:
                first += await reader.read(65536)
            target = first.split(b" ", 2)[1]
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" %
                         (len(target), target))
        elif first.startswith(b"POST "):
            while await reader.read(65536):  # all of it, and no answer
                pass
        else:
            while first:
                writer.write(first)
                first = await reader.read(65536)
    except ConnectionError:
        pass
    finally:
        writer.close()


async def be_origin():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


# ---- the clients
class Client:
    def __init__(self, number, door, origin, context, bound):
        self.number, self.door, self.origin, self.context, self.bound = number, door, origin, context, bound
        self.is_tunnel = number % 2 == 1

    async def open(self):
        tls = {"ssl": self.context, "server_hostname": "localhost", "ssl_handshake_timeout": self.bound} if self.context else {}
        self.reader, self.writer = await asyncio.open_connection(*self.door, **tls)
        if self.is_tunnel:
            self.writer.write(f"CONNECT {self.origin} HTTP/1.1\r\nHost: {self.origin}\r\n\r\n".encode())
            await self.expect_head(b"HTTP/1.1 200")
            await self.echo(b"before %d" % self.number)
        else:
            self.writer.write(f"GET http://{self.origin}/{self.number} HTTP/1.1\r\nHost: {self.origin}\r\n"
                              "Connection: close\r\n\r".encode())
            await self.writer.drain()

    async def finish(self):
        if self.is_tunnel:
            await self.echo(b"after %d " % self.number * 50)
            if self.context is None:
                self.writer.write_eof()
                assert await self.reader.read() == b"", "bytes after the end"
        else:
            self.writer.write(b"\n")
            await self.expect_head(b"HTTP/1.1 200")
            assert await self.reader.read() == b"/%d" % self.number, "another body"
        self.writer.close()

    async def expect_head(self, start):
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(start), head

    async def echo(self, data):
        self.writer.write(data)
        got = await self.reader.readexactly(len(data))
        assert got == data, got


async def be_clients(bound, count, host, port, origin, ca=None):
    context = None
    if ca:
        context = ssl.create_default_context(cafile=ca)
    crowd = [Client(number, (host, int(port)), origin, context, bound) for number in range(int(count))]
    opened = await asyncio.gather(*(client.open() for client in crowd), return_exceptions=True)
    failures = [repr(error) for error in opened if error]
    print(f"open, but for {len(failures)}: {failures[0]}" if failures else "open", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    left = [client for client, error in zip(crowd, opened) if not error]
    finished = await asyncio.gather(*(client.finish() for client in left), return_exceptions=True)
    failures += [repr(error) for error in finished if error]
    print(json.dumps({"succeeded": int(count) - len(failures), "failures": failures[:5]}), flush=True)


def main():
    raise_descriptor_limit()
    bound, role, *arguments = sys.argv[1:]
    if role == "origin":
        asyncio.run(be_origin())
    else:
        asyncio.run(asyncio.wait_for(be_clients(float(bound), *arguments), float(bound)))


if __name__ == "__main__":
    main()
