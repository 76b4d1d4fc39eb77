"""What a client says comes back to it, to other clients' logs and to the operator's terminal as text alone."""
import json
import re

import pytest

from support.message import request

FORMATS = ["line", "json", "combined", "squid"]
ESCAPES = b"\x1b[2J\x1b]0;owned\x07"
# Each is refused, or has nowhere to go; and each would like to be a line, a field or a tag of its own.
HOSTILE = {
    "encoded line": b"GET http://no.test/%0d%0aSet-Cookie:%20owned=1%0d%0a%0d%0a<script>alert(1)</script> HTTP/1.1\r\n"
                    b"Host: no.test\r\n\r\n",
    "markup in the host": b"GET http://<script>alert(1)</script>/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "markup in the path": b'GET http://127.0.0.1:1/"><script>alert(1)</script> HTTP/1.1\r\nHost: x\r\n\r\n',
    "bare line feed": b"GET http://no.test/\nSet-Cookie: owned=1 HTTP/1.1\r\nHost: no.test\r\n\r\n",
    "bare return": b"GET http://no.test/\rSet-Cookie: owned=1 HTTP/1.1\r\nHost: no.test\r\n\r\n",
    "escapes in the method": b"GET" + ESCAPES + b" http://no.test/ HTTP/1.1\r\nHost: no.test\r\n\r\n",
    "escapes in the target": b"GET http://no.test/" + ESCAPES + b" HTTP/1.1\r\nHost: no.test\r\n\r\n",
    "escapes in a field": b"GET http://no.test/ HTTP/1.1\r\nHost: no.test\r\nUser-Agent: " + ESCAPES + b"\r\n\r\n",
    "a quote and a line": b'GET http://no.test/"%0a{"fake":"record"} HTTP/1.1\r\nHost: no.test\r\n\r\n',
    "authority of CONNECT": b"CONNECT <script>:443" + ESCAPES + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "scheme": b"GET javascript://x/%0aalert(1) HTTP/1.1\r\nHost: x\r\n\r\n",
    "name beyond ASCII": "GET http://\u202egro.test/ HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
}


def say(proxy, message, accept):
    """The answer as bytes: head and body."""
    head, _, rest = message.partition(b"\r\n")
    with proxy.connect() as client:
        client.send(head + b"\r\nAccept: " + accept + b"\r\n" + rest)
        client.half_close()
        return client.read_to_end()


@pytest.mark.parametrize("accept", [b"text/html", b"text/plain", b"application/json"])
@pytest.mark.parametrize("what", HOSTILE)
def test_an_error_page_has_no_line_field_or_tag_of_the_client(stage, what, accept):
    """Response splitting and reflected markup: an answer has one head, none of the client's fields, and no tag."""
    proxy = stage.proxy()
    answer = say(proxy, HOSTILE[what], accept)
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert re.match(rb"HTTP/1\.1 [45]\d\d ", lines[0]), answer
    assert all(re.match(rb"[A-Za-z-]+: [\x20-\x7e]*$", line) for line in lines[1:]), answer
    assert not any(line.lower().startswith(b"set-cookie") for line in lines), answer
    assert answer.count(b"HTTP/1.1 ") == 1 and b"\x1b" not in answer and b"\x07" not in answer, answer
    kind = next(line for line in lines if line.lower().startswith(b"content-type:")).lower()
    if b"html" in kind:
        assert b"<script" not in body.lower(), answer
    assert b"x-content-type-options: nosniff" in head.lower() or b"html" in kind or b"<script" not in body, answer


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_client_writes_no_line_and_no_escape_into_the_log(stage, log_format):
    """Log injection: one line a record, of visible ASCII, whatever is asked for; the same for what stderr says."""
    proxy = stage.proxy("--log-format", log_format, "--log-level", "debug")
    for message in HOSTILE.values():
        say(proxy, message, b"text/plain")
    proxy.stop()
    text = proxy.log_path.read_bytes()
    lines = text.splitlines()
    assert len(lines) == len(HOSTILE) and text.endswith(b"\n"), text
    bad = re.compile(rb"[^\x20-\x7e]")
    assert not any(bad.search(line) for line in lines), text
    assert not any(re.search(r"[\x00-\x1f\x7f]", line) for line in proxy.lines), proxy.stderr
    if log_format == "json":
        assert not any("fake" in json.loads(line) for line in lines)


def test_what_an_origin_says_reaches_the_log_as_text(stage):
    """A status line and fields of an origin with escapes: refused or escaped, never raw."""
    def script(conn):
        conn.read_request()
        conn.send(b"HTTP/1.1 200 " + ESCAPES + b"\r\nServer: " + ESCAPES + b"\r\nContent-Length: 0\r\n\r\n")
        conn.hold()
    origin, proxy = stage.origin(script), stage.proxy("--log-level", "debug")
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).status == 502
    proxy.stop()
    assert b"\x1b" not in proxy.log_path.read_bytes() and "\x1b" not in proxy.stderr
