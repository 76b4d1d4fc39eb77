"""fetch_http_client.py PROXY CA URL... through http.client, on one connection; one line a URL: status and SHA-256.
/sum gets a chunked POST. The proxy may be https: absolute-form goes through HTTPSConnection; set_tunnel cannot
layer TLS in TLS, so asyncio's start_tls does that by hand."""
import asyncio
import hashlib
import http.client
import ssl
import sys
from urllib.parse import urlsplit

proxy, ca, *urls = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
door, first = urlsplit(proxy), urlsplit(urls[0])


def over_http_client():
    if door.scheme == "https":
        connection = http.client.HTTPSConnection(door.hostname, door.port, context=context, timeout=20)
    elif first.scheme == "https":
        connection = http.client.HTTPSConnection(door.hostname, door.port, context=context, timeout=20)
        connection.set_tunnel(first.hostname, first.port)
    else:
        connection = http.client.HTTPConnection(door.hostname, door.port, timeout=20)
    body = b""
    for url in urls:
        target = urlsplit(url).path if first.scheme == "https" else url
        if url.endswith("/sum"):
            connection.request("POST", target, iter([body[:1000], body[1000:]]), encode_chunked=True,
                               headers={"Transfer-Encoding": "chunked"})
        else:
            connection.request("GET", target)
        answer = connection.getresponse()
        body = answer.read()
        print(answer.status, body.decode() if url.endswith("/sum") else hashlib.sha256(body).hexdigest())
    connection.close()


async def read_answer(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    status = int(head[0].split()[1])
    if "content-length" in fields:
        return status, await reader.readexactly(int(fields["content-length"]))
    parts = []
    while fields.get("transfer-encoding") == "chunked":
        size = int(await reader.readline(), 16)
        part = await reader.readexactly(size + 2)
        if size == 0:
            break
        parts.append(part[:-2])
    return status, b"".join(parts)


async def tls_in_tls():
    reader, writer = await asyncio.open_connection(door.hostname, door.port, ssl=context)
    name = f"{first.hostname}:{first.port}"
    writer.write(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
    status, _ = await read_answer(reader)
    assert status == 200, status
    await writer.start_tls(context, server_hostname=first.hostname)
    body = b""
    for url in urls:
        is_post = url.endswith("/sum")
        length = f"Content-Length: {len(body)}\r\n" if is_post else ""
        writer.write(f"{'POST' if is_post else 'GET'} {urlsplit(url).path} HTTP/1.1\r\nHost: {name}\r\n"
                     f"{length}\r\n".encode() + (body if is_post else b""))
        status, body = await read_answer(reader)
        print(status, body.decode() if is_post else hashlib.sha256(body).hexdigest())
    writer.close()


if door.scheme == first.scheme == "https":
    asyncio.run(asyncio.wait_for(tls_in_tls(), 40))
else:
    over_http_client()
