"""TCP keepalive probes are no traffic: they keep neither a tunnel nor an idle connection open."""
import socket
from pathlib import Path

from support.bounds import BOUND
from support.message import ok, request
from support.origin import replies

LIMIT = "1200ms"  # longer than the kernel's shortest time between two probes, which is a second


def probe(sock):
    """Have the kernel ask each second whether the other side is still there."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)


def probes_sent():
    """How many were sent from here, of any connection."""
    names, values = [line.split() for line in Path("/proc/net/netstat").read_text().splitlines()
                     if line.startswith("TcpExt:")]
    return int(values[names.index("TCPKeepAlive")])


def test_probes_are_no_traffic(stage):
    """timeouts.tunnel_idle ends a tunnel whose both ends probe each other, timeouts.keepalive an idle client that
    probes, timeouts.upstream_keepalive a pooled connection whose origin does."""
    proxy = stage.proxy("--workers", "1", *(f"--timeout={name}={LIMIT}" for name in
                                            ("tunnel_idle", "keepalive", "upstream_keepalive")))

    def probes(conn):
        probe(conn.sock)
        conn.hold()

    far = stage.origin(probes)
    web = stage.origin(lambda conn: probe(conn.sock) or replies(ok(b"fine"))(conn))
    tunnel, idle = stage.client(proxy.connect()), stage.client(proxy.connect())
    before = probes_sent()
    for client in (tunnel, idle):
        probe(client.sock)
    tunnel.send(request("CONNECT", far.authority))
    assert tunnel.read_head().status == 200
    assert idle.ask(request("GET", web.url + "/")).status == 200
    tunnel.expect_end("rst")
    idle.expect_end("fin")
    web.changed.wait(lambda: web.connections[0].end, "the pooled connection to be closed", BOUND)
    assert proxy.record(lambda r: r.kind == "tunnel").cause == "tunnel_idle"
    assert probes_sent() - before >= 4
