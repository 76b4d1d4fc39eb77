#!/usr/bin/env python3
"""Requests a second through Fairlead and through HAProxy, side by side on this machine.

An origin (HAProxy again, answering by itself), the proxy and wrk share the cores of one machine, so the
figures compare the proxies and say nothing about what either reaches alone. Each proxy gets the same number
of threads, the same absolute-form requests and the same origin; runs alternate, and the median of each is
told with its spread. HAProxy is no forward proxy: here it sends everything to the one origin, without a
name to look up and with fewer rules to keep, which is to its advantage.

Usage: compare.py build/fairlead [--seconds N] [--rounds N] [--threads N] [--connections N]"""
import argparse
import contextlib
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HAPROXY_COMMON = """
global
    nbthread {threads}
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
"""
ORIGIN = HAPROXY_COMMON + """
global
    tune.bufsize 131072
frontend origin
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain file {body}
"""
PEER = HAPROXY_COMMON + """
frontend peer
    bind 127.0.0.1:{port}
    default_backend origin
backend origin
    http-reuse always
    server one 127.0.0.1:{origin}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process):
    for _ in range(200):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    sys.exit(f"bench: {process.args[0]} did not start on port {port}")


class Bench:
    def __init__(self, options, folder, players):
        self.options, self.folder, self.players = options, folder, players
        self.haproxy = next((p for p in ("/usr/sbin/haproxy", "/usr/local/sbin/haproxy")
                             if pathlib.Path(p).exists()), "haproxy")

    def start(self, port, *command):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.players.callback(process.wait)
        self.players.callback(process.terminate)
        wait_for(port, process)
        return port

    def start_haproxy(self, name, template, **values):
        port, path = free_port(), self.folder / f"{name}.cfg"
        path.write_text(template.format(port=port, threads=self.options.threads, **values))
        return self.start(port, self.haproxy, "-db", "-q", "-f", str(path))

    def start_origin(self, size):
        body = self.folder / f"body-{size}"
        body.write_bytes(b"x" * size)
        return self.start_haproxy(f"origin-{size}", ORIGIN, body=body)

    def start_fairlead(self):
        port = free_port()
        return self.start(port, self.options.fairlead, "--listen", f"127.0.0.1:{port}", "--admin", "off",
                          "--allow", "127.0.0.0/8", "--workers", str(self.options.threads),
                          "--log-file", "off")

    def run_wrk(self, port, origin):
        """Requests a second, and how many were lost."""
        script = self.folder / "absolute.lua"
        host = f"127.0.0.1:{origin}"
        script.write_text(f'wrk.headers["Host"] = "{host}"\n'
                          f'request = function() return wrk.format("GET", "http://{host}/") end\n')
        output = subprocess.run(
            ["wrk", "-t", "1", "-c", str(self.options.connections), "-d", f"{self.options.seconds}s",
             "-s", str(script), f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True).stdout
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))
        lost = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", output)))
        other = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
        return rate, lost + (int(other.group(1)) if other else 0)

    def compare(self, size):
        origin = self.start_origin(size)
        ports = {"origin alone": origin, "fairlead": self.start_fairlead(),
                 "haproxy": self.start_haproxy(f"peer-{size}", PEER, origin=origin)}
        rates, losses = {name: [] for name in ports}, dict.fromkeys(ports, 0)
        for _ in range(self.options.rounds):
            for name, port in ports.items():
                rate, lost = self.run_wrk(port, origin)
                rates[name].append(rate)
                losses[name] += lost
        print(f"\n{size} bytes a response, {self.options.connections} connections, "
              f"{self.options.threads} thread(s) each, {self.options.rounds} runs of {self.options.seconds} s")
        for name, found in rates.items():
            print(f"  {name:14} {statistics.median(found):9,.0f} requests/s   "
                  f"({min(found):,.0f} to {max(found):,.0f}), failed: {losses[name]}", flush=True)
        ratio = statistics.median(rates["fairlead"]) / statistics.median(rates["haproxy"])
        print(f"  fairlead / haproxy: {ratio:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("fairlead")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    if (load := os.getloadavg()[0]) > 0.5:
        print(f"This machine is busy with other things (load {load:.1f}): the figures will scatter.")
    for size in (200, 64 * 1024):
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as players:
            Bench(options, pathlib.Path(folder), players).compare(size)


if __name__ == "__main__":
    main()
