"""What the plays of the admin surface share: tokens, answers as JSON, tunnels, a network of one's own."""
import ctypes
import json
import os
import re
import subprocess
import threading
from pathlib import Path

import pytest

from support.message import request

TOKEN = "correct-horse-battery-staple"
BEARER = f"Authorization: Bearer {TOKEN}"
CUSTOM = "X-Fairlead: 1"


def with_token(stage, *more, token=TOKEN):
    """A configuration file that names a token file; for -c. `more` are further lines."""
    path = stage.folder / "token"
    path.write_text(token + "\n")
    file = stage.folder / "token.yaml"
    file.write_text("\n".join([f"admin: {{ token_file: '{path}' }}", *more, ""]))
    for each in (path, file):
        each.chmod(0o644)
    return file


def list_tunnels(proxy, query="", *fields):
    got = proxy.ask_admin("/api/v1/tunnels" + query, *fields)
    assert got.status == 200 and got.get("Content-Type") == "application/json", got
    return json.loads(got.body)


def list_rest(proxy, listed):
    """What stands behind a list that ended early, since looking took its time: part by part to the end."""
    tunnels = []
    while listed["truncated"]:
        listed = list_tunnels(proxy, "?after=" + listed["next"])
        tunnels += listed["tunnels"]
    return tunnels


def metric(proxy, name):
    """One value of /metrics, by its name without prefix."""
    got = proxy.ask_admin("/metrics")
    return int(re.search(rf"^fairlead_{name} (\d+)$", got.body.decode(), re.MULTILINE)[1])


def kill(proxy, tunnel_id, *fields):
    return proxy.ask_admin(f"/api/v1/tunnels/{tunnel_id}", *fields, method="DELETE")


def open_tunnels(stage, proxy, origin, count):
    """`count` clients with an open tunnel each, in the order of their opening."""
    clients = []
    for _ in range(count):
        client = stage.client(proxy.connect())
        client.send(request("CONNECT", origin.authority))
        assert client.read_head().status == 200
        clients.append(client)
    return clients


def in_own_network(play, address="198.51.100.1"):
    """Run play() in a thread with a network namespace of its own, which has loopback and `address`. Processes
    and sockets that it makes belong there."""
    if os.geteuid() != 0:
        pytest.skip("a network namespace needs root")
    failures = []

    def run():
        try:
            clone_newnet = 0x40000000
            if ctypes.CDLL(None, use_errno=True).unshare(clone_newnet) != 0:
                raise OSError(ctypes.get_errno(), "unshare")
            for command in (["addr", "add", f"{address}/32", "dev", "lo"], ["link", "set", "lo", "up"]):
                subprocess.run(["ip", *command], check=True)
            play()
        except BaseException as failure:  # shown by the thread that waits
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def narrow_buffers():
    """In a network of one's own: sockets hold less than usual, yet enough for a part in bulk."""
    for name, sizes in (("tcp_wmem", "4096 524288 524288"), ("tcp_rmem", "4096 262144 262144")):
        Path(f"/proc/sys/net/ipv4/{name}").write_text(sizes)
