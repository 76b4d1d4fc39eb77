"""An admin listener whose figures are scripted: the dashboard itself comes from the real program, with the fields that it
gives it, and what the page then asks for is answered from here."""
import http.client
import http.server
import json
import queue
import threading
import time
from urllib.parse import parse_qs, urlsplit

PASSED = {"content-type", "content-security-policy", "etag", "cache-control", "x-content-type-options", "referrer-policy",
          "cross-origin-resource-policy", "vary"}
POINT = {"transactions": 0, "tunnels": 0, "refused": 0, "failed": 0, "client_in": 0, "client_out": 0, "opened": 0, "reused": 0, "saved_us": 0,
         "phases": {}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front = None

    def log_message(self, *args):
        pass

    def do_GET(self):
        front, parts = self.server.front, urlsplit(self.path)
        front.seen.append((self.command, self.path, dict(self.headers)))
        if front.token and parts.path.startswith("/api/") and self.headers.get("Authorization") != f"Bearer {front.token}":
            self.give(401, {"v": 1, "status": 401, "error": "unauthorized", "message": "send the token"})
            return
        answer = {"/api/v1/events": self.give_events, "/api/v1/transactions": self.give_transactions,
                  "/api/v1/tunnels": self.give_tunnels, "/api/v1/requests": self.give_requests, "/api/v1/overview": lambda _: self.give(200, front.overview()),
                  "/api/v1/har": self.give_har}.get(parts.path)
        if answer:
            answer({name: values[0] for name, values in parse_qs(parts.query).items()})
        elif self.command == "DELETE":
            self.give_end(parts.path.rpartition("/")[2])
        else:
            self.give_page()

    do_HEAD = do_DELETE = do_GET

    def give(self, status, value):
        self.give_bytes(status, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def give_bytes(self, status, fields, body):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def give_page(self):
        if self.path == "/" and "text/html" not in self.headers["Accept"]:
            self.give_bytes(200, {"Content-Type": "text/plain"}, b"\n/api/v1/har  HAR\n" if self.server.front.har else b"\n")
            return
        connection = http.client.HTTPConnection(*self.server.front.admin, timeout=10)
        connection.request("GET", self.path, headers={name: value for name, value in self.headers.items()
                                                      if name.lower() in ("accept", "if-none-match")})
        got = connection.getresponse()
        body = got.read()
        connection.close()
        self.give_bytes(got.status, {name: value for name, value in got.getheaders() if name.lower() in PASSED}, body)

    def give_transactions(self, asked):
        front = self.server.front
        if front.fault and front.fault in asked.get("filter", ""):
            self.give(400, {"v": 1, "status": 400, "error": "bad_filter", "message": f"no such term: {front.fault}"})
            return
        with front.lock:
            before = int(asked.get("before", 1 << 60))
            kept = [record for record in front.records if record["seq"] < before and front.fits(record, asked.get("filter", ""))]
            newest = front.records[-1]["seq"] if front.records else 0
        self.give(200, {"v": 1, "transactions": kept[-int(asked.get("limit", 1000)):], "oldest": 1, "newest": newest, "left_out": 0})

    def give_tunnels(self, asked):
        with self.server.front.lock:
            tunnels, limit = self.server.front.tunnels, int(asked.get("limit", 1000))
            self.give(200, {"v": 1, "tunnels": tunnels[:limit], "truncated": len(tunnels) > limit})

    def give_requests(self, asked):
        front = self.server.front
        with front.lock:
            listed = [each() if callable(each) else each for each in front.requests]
            self.give(200, {"v": 1, "requests": listed[:int(asked.get("limit", 1000))], "truncated": front.cuts_requests})

    def give_end(self, tunnel):
        front = self.server.front
        with front.lock:
            front.tunnels = [each for each in front.tunnels if each["id"] != tunnel]
        self.give(200, {"v": 1, "killed": tunnel})

    def give_har(self, asked):
        if self.server.front.har is None:
            self.give(404, {"v": 1, "status": 404, "error": "not_found", "message": "no such path"})
        else:
            self.give(200, self.server.front.har(asked))

    def give_events(self, asked):
        front = self.server.front
        stream = Stream(asked.get("filter", ""))
        with front.lock:
            newest = front.records[-1]["seq"] if front.records else 0
            backlog = [record for record in front.records if record["seq"] > int(asked.get("after", newest))]
            front.streams.append(stream)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self.say("hello", {"v": 1, "version": "0.1.0", "seq": newest, "wall_ms": int(time.time() * 1000)})
            for record in backlog:
                self.say("transaction", record)
            while (event := stream.queue.get()) is not None:
                self.wfile.write(event)
        except OSError:
            pass
        finally:
            with front.lock:
                front.streams.remove(stream)

    def say(self, event, data):
        self.wfile.write(message(event, data))


class Stream:
    def __init__(self, expression):
        self.expression = expression
        self.queue = queue.Queue()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # a browser that goes away


def message(event, data):
    number = f"id: {data['seq']}\n" if event == "transaction" else ""
    return f"event: {event}\n{number}data: {json.dumps(data)}\n\n".encode()


class Front:
    """`admin` is the address of the real listener. `fits(record, expression)` is the filter."""

    def __init__(self, admin):
        self.admin = admin
        self.lock = threading.Lock()
        self.records, self.tunnels, self.streams, self.seen = [], [], [], []
        self.requests = []  # in flight: records, or what makes them when they are asked for
        self.cuts_requests = False
        self.token = self.fault = self.har = None
        self.fits = lambda record, expression: True
        self.overview = lambda: {"v": 1, "now_ms": int(time.time() * 1000), "step_s": 60, "minutes": [], "seconds": [],
                                 "causes": [], "rules": [], "destinations": [], "pool": {}, "workers": []}
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.front = self
        self.url = "http://127.0.0.1:%d/" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def push(self, *records, keep=10_000):
        """These happen now."""
        with self.lock:
            self.records = [*self.records, *records][-keep:]
            for stream in self.streams:
                stream.queue.put(b"".join(message("transaction", record) for record in records if self.fits(record, stream.expression)))

    def say(self, event, data):
        with self.lock:
            for stream in self.streams:
                stream.queue.put(message(event, data))

    def cut(self):
        """Every stream ends."""
        with self.lock:
            for stream in self.streams:
                stream.queue.put(None)

    def close(self):
        self.cut()
        self.server.shutdown()
        self.server.server_close()
