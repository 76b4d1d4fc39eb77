"""Three machines in a row, each a network namespace: client, proxy and origin, with a link between two that can be slow.

The kernel need not know netem: each link is a pair of TUN devices and a program between them (emulate). What is to be
lost at random the kernel's own filter drops where it arrives (nftables)."""
import ctypes
import fcntl
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.bounds import BOUND

CLIENT, PROXY_HERE, PROXY_THERE, ORIGIN = "10.91.0.2", "10.91.0.1", "10.92.0.1", "10.92.0.2"
CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x0001, 0x1000
TUN = Path("/dev/net/tun")
NFT = shutil.which("nft", path=os.environ["PATH"] + ":/usr/sbin")
LIBC = ctypes.CDLL(None, use_errno=True)


def _call(name, *arguments):
    if getattr(LIBC, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


def _in_thread(run):
    """What run() gives or raises, from a thread of its own."""
    results = []

    def whole():
        try:
            results.append((run(), None))
        except BaseException as failure:  # shown by the thread that waits
            results.append((None, failure))

    thread = threading.Thread(target=whole)
    thread.start()
    thread.join()
    value, failure = results[0]
    if failure:
        raise failure
    return value


class Machine:
    """A network namespace. Sockets, processes and threads that run() makes belong there."""

    def __init__(self):
        def make():
            _call("unshare", CLONE_NEWNET)
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.space = _in_thread(make)

    def run(self, play):
        def enter():
            _call("setns", self.space, CLONE_NEWNET)
            return play()
        return _in_thread(enter)

    def device(self, name, mine, peer):
        """A TUN device with these addresses; gives its descriptor."""
        def make():
            fd = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
            for words in (["addr", "add", mine, "peer", peer, "dev", name],
                          ["link", "set", name, "up", "txqueuelen", "1000"]):
                subprocess.run(["ip", *words], check=True)
            return fd
        return self.run(make)

    def drop(self, device, percent):
        """Of the packets that arrive there so many are lost, whichever chance takes."""
        rules = ("add table inet loss\n"
                 "add chain inet loss arriving { type filter hook input priority 0; }\n"
                 f"add rule inet loss arriving iifname {device} numgen random mod 100 < {percent} drop\n")
        self.run(lambda: subprocess.run([NFT, "-f", "-"], input=rules.encode(), check=True))

    def close(self):
        os.close(self.space)


def _narrow_send_buffers():
    """What a buffer holds is delivered, as far as the proxy knows. It is to hold less than a play sends."""
    Path("/proc/sys/net/ipv4/tcp_wmem").write_text("4096 16384 262144")


def narrow_receive_buffers():
    """The same for who does not read."""
    Path("/proc/sys/net/ipv4/tcp_rmem").write_text("4096 65536 131072")


class Row:
    """The three machines. `client_link` and `upstream_link` are what emulate makes of each way of a link, or of both;
    "drop" in them is the percentage that is lost at random of what arrives at either end."""

    def __init__(self, client_link=None, upstream_link=None):
        if os.geteuid() != 0:
            pytest.skip("network namespaces need root")
        if not TUN.exists():
            pytest.skip("there is no /dev/net/tun here")
        if NFT is None and any("drop" in (link or {}) for link in (client_link, upstream_link)):
            pytest.skip("nft is not installed (apt install nftables)")
        self.client, self.proxy, self.origin = self.machines = [Machine() for _ in range(3)]
        self.links = []
        self.proxy.run(_narrow_send_buffers)
        self._link((self.client, "near", CLIENT), (self.proxy, "near", PROXY_HERE), client_link)
        self._link((self.proxy, "far", PROXY_THERE), (self.origin, "far", ORIGIN), upstream_link)

    def _link(self, here, there, how):
        (machine, name, address), (other, its_name, its_address) = here, there
        how = dict(how or {})
        percent = how.pop("drop", 0)
        ends = [machine.device(name, address, its_address), other.device(its_name, its_address, address)]
        command = [sys.executable, Path(__file__).with_name("emulate.py"), *map(str, ends), json.dumps([how] * 2)]
        link = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=ends)
        self.links.append(link)
        assert link.stdout.readline() == b"carries\n", "the link ended"
        for fd in ends:
            os.close(fd)
        if percent:
            machine.drop(name, percent)
            other.drop(its_name, percent)

    def close(self):
        for link in self.links:
            link.communicate(timeout=BOUND)
        for machine in self.machines:
            machine.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
