"""fetch_urllib.py PROXY CA URL... through urllib.request; one line a URL: status and SHA-256. /sum gets a POST."""
import hashlib
import ssl
import sys
import urllib.request

proxy, ca, *urls = sys.argv[1:]
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({"http": proxy, "https": proxy}),
    urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
body = b""
for url in urls:
    data = body if url.endswith("/sum") else None
    with opener.open(url, data, timeout=20) as answer:
        body = answer.read()
        print(answer.status, body.decode() if data else hashlib.sha256(body).hexdigest())
