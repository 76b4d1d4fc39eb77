"""The parser of http.server: one line for each request that came whole, as JSON [method, target, body in hex]. It
knows no chunked; `"chunked"` stands for a body in it, and the connection ends there."""
import http.server
import json


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def answer(self):
        if self.headers.get("Transfer-Encoding"):
            body, self.close_connection = "chunked", True
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).hex()
        print(json.dumps([self.command, self.path, body]), flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
