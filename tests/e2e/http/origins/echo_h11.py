"""h11's parser: one line for each request that came whole, as JSON [method, target, body in hex]."""
import json
import socketserver

import h11


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        connection = h11.Connection(h11.SERVER)
        request, body = None, b""
        try:
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(self.request.recv(65536))
                elif isinstance(event, h11.Request):
                    request, body = event, b""
                    if connection.they_are_waiting_for_100_continue:
                        self.request.sendall(
                            connection.send(h11.InformationalResponse(status_code=100, headers=[])))
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    print(json.dumps([request.method.decode(), request.target.decode("latin-1"), body.hex()]),
                          flush=True)
                    self.request.sendall(
                        connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")])) +
                        connection.send(h11.EndOfMessage()))
                    if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                        return
                    connection.start_next_cycle()
                else:
                    return
        except (h11.ProtocolError, OSError):
            return


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 128


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
