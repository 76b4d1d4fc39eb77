"""An ordinary web server for real clients: the standard library's, in threads, HTTP/1.1 with keep-alive.

What it serves: `pages` (bytes by path), the files below `folder`, and with `git_root` the repositories in it
through `git http-backend` below /git/. A POST or PUT anywhere is answered with the SHA-256 of its body in
hex, so that the sender can tell what arrived. GET /chunked/N sends N bytes of `pattern` in chunks."""
import errno
import hashlib
import http.server
import mimetypes
import os
import socketserver
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

from support.bounds import BOUND

STEP = 1 << 16


def pattern(count):
    """`count` bytes that do not repeat in any short period, the same on each call."""
    blocks = -(-count // 32)
    return b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(blocks))[:count]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Site(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, context=None, host="127.0.0.1", folder=None, git_root=None):
        self.address_family = 10 if ":" in host else 2  # AF_INET6, AF_INET
        self.context = context
        self.folder = folder
        self.git_root = git_root
        self.pages = {}
        self.seen = []  # (number of the connection, method, path), in order
        self.connections = 0
        self.resumed = []  # of each TLS connection: was its session resumed?
        self.failures = []
        super().__init__((host, 0), Handler)
        self.port = self.server_address[1]
        self.host, self.scheme = host, "https" if context else "http"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # the parent's asks the resolver for our name
        self.server_name, self.server_port = "origin.test", self.server_address[1]

    def finish_request(self, request, client_address):
        self.connections += 1
        number = self.connections
        if self.context:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return  # browsers open connections that they then do not need
            except OSError as error:
                if error.errno != errno.ENOTCONN:  # it has left, and what it had sent was there
                    self.failures.append(error)
                return
            self.resumed.append(request.session_reused)
        self.RequestHandlerClass(request, client_address, self, number)
        self.shutdown_request(request)

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            self.failures.append(error)

    def url(self, path="/", name="origin.test"):
        return f"{self.scheme}://{name}:{self.port}{path}"

    def close(self):
        self.shutdown()
        self.server_close()
        self.thread.join(BOUND)

    def check(self):
        """Raise what a handler raised."""
        if self.failures:
            raise self.failures[0]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = STEP

    def __init__(self, request, client_address, server, number):
        self.number = number
        super().__init__(request, client_address, server)

    def log_message(self, *_):
        pass

    def parse_request(self):
        is_whole = super().parse_request()
        if is_whole:
            self.server.seen.append((self.number, self.command, self.path))
        return is_whole

    def handle_expect_100(self):
        self.send_response_only(100)
        self.end_headers()
        self.wfile.flush()
        return True

    # ---- what comes in
    def body_parts(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                assert self.rfile.readline() == b"\r\n"
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            return
        left = int(self.headers.get("Content-Length", 0))
        while left > 0:
            part = self.rfile.read(min(left, STEP))
            if not part:
                return
            left -= len(part)
            yield part

    # ---- what goes out
    def answer(self, status, body, kind="application/octet-stream", *fields):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_page(self, path, page):
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        asked = self.headers.get("Range", "")
        if not asked.startswith("bytes="):
            self.answer(200, page, kind)
            return
        first, _, last = asked[len("bytes="):].partition("-")
        part = page[int(first):int(last) + 1 if last else None]
        self.answer(206, part, kind, ("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(page)}"))

    def answer_chunked(self, body):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(body), STEP):
            part = body[at:at + STEP]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def file(self):
        if self.server.folder is None:
            return None
        path = Path(self.server.folder, unquote(urlsplit(self.path).path).lstrip("/"))
        return path if path.is_file() else None

    def do_GET(self):
        path = urlsplit(self.path).path
        if path.startswith("/git/") and self.server.git_root:
            self.run_git()
        elif path.startswith("/chunked/"):
            self.answer_chunked(pattern(int(path.split("/")[2])))
        elif path in self.server.pages:
            self.answer_page(path, self.server.pages[path])
        elif file := self.file():
            self.answer(200, file.read_bytes())
        else:
            self.answer(404, b"")

    do_HEAD = do_GET

    def do_POST(self):
        if self.path.startswith("/git/") and self.server.git_root:
            self.run_git()
            return
        total = hashlib.sha256()
        for part in self.body_parts():
            total.update(part)
        self.answer(200, total.hexdigest().encode(), "text/plain")

    do_PUT = do_POST

    def run_git(self):
        """One call of git's own server program, by the rules of RFC 3875."""
        where = urlsplit(self.path)
        body = b"".join(self.body_parts())
        variables = {"GIT_PROJECT_ROOT": str(self.server.git_root), "GIT_HTTP_EXPORT_ALL": "1",
                     "REQUEST_METHOD": self.command, "QUERY_STRING": where.query,
                     "PATH_INFO": where.path[len("/git"):], "REMOTE_USER": "", "REMOTE_ADDR": "127.0.0.1",
                     "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                     "CONTENT_LENGTH": str(len(body)), "GATEWAY_INTERFACE": "CGI/1.1",
                     "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
                     "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
                     "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                     "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "PATH": os.environ["PATH"]}
        done = subprocess.run(["git", "http-backend"], input=body, env=variables, capture_output=True,
                              timeout=60)
        assert done.returncode == 0, done.stderr
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
