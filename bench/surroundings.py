"""Where it runs: the machine, what was built with what, the congestion control, a network of its own."""
import fcntl
import os
import pathlib
import platform
import re
import socket
import struct
import sys

SIOCSIFFLAGS, IFF_UP = 0x8914, 1
INSIDE = "FAIRLEAD_BENCH_NAMESPACE"
CONGESTION = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")


def enter_namespace(congestion):
    """Start again in a network namespace whose only network is loopback. Does not return there; without root it
    returns, and the system's network is used."""
    if os.environ.get(INSIDE) or congestion == "system":
        return
    if os.geteuid() != 0:
        print("bench: not root, so the system's network and congestion control are used", file=sys.stderr)
        return
    os.execvpe("unshare", ["unshare", "--net", sys.executable, *sys.argv], {**os.environ, INSIDE: congestion})


def set_up_namespace():
    """The second half: loopback up, all connections under the one congestion control."""
    congestion = os.environ.get(INSIDE)
    if not congestion:
        return
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    CONGESTION.write_text(congestion)


def compiler(binary):
    """Name and version of what compiled a program, as it left them in it."""
    found = re.search(rb"GCC: \([^)]*\) [\d.]+|clang version [\w.~+-]+", pathlib.Path(binary).read_bytes())
    return found.group(0).decode() if found else "an unknown compiler"


def _first(pattern, path, otherwise="?"):
    try:
        found = re.search(pattern, pathlib.Path(path).read_text(), re.M)
    except OSError:
        found = None
    return found.group(1) if found else otherwise


def tls_library():
    import ssl  # its library is the system's, which the proxy uses, too
    return ssl.OPENSSL_VERSION.rsplit(" ", 3)[0]


def describe(binary, stage, versions):
    return {"cpu": _first(r"^model name\s*: (.*)$", "/proc/cpuinfo"), "cpus": os.cpu_count(),
            "kernel": platform.release().partition("-")[0], "system": _first(r'^PRETTY_NAME="(.*)"', "/etc/os-release"),
            "compiler": compiler(binary), "tls": tls_library(), "congestion": CONGESTION.read_text().strip(),
            "has_namespace": bool(os.environ.get(INSIDE)), "load": os.getloadavg()[0],
            "proxy_cpus": stage.proxy_cpus, "load_cpus": sorted({*stage.load_cpus, *stage.origin_cpus}),
            "versions": versions}
