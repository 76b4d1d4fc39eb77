#!/usr/bin/env python3
"""Do slow clients and slow origins by the thousand slow good ones down?

Good clients send requests at a fixed rate (open loop: a late answer does not delay the next request, and counts
from the time at which its request was due). In turn they are alone, then amid a crowd; then the crowd is alone, so
that what it costs by itself is known. Medians of several rounds, with the least and the most. The crowd, of equal
parts:

    head     sends a request head a byte at a time        tls      connects to the TLS listener, sends four bytes
    body     sends a request body a byte at a time        tunnel   has a tunnel filled and reads nothing
    reader   reads a response of 1 GB 16 bytes at a time   never    asks an origin that never answers
    deaf     asks for a response of 1 GB and reads nothing trickle  is answered a byte at a time

A good request that fails, or a slow client that is lost, fails the run. Proxy, peers and whatever else runs share
the cores of this machine: the figures compare, and say how busy others were meanwhile.

Usage: slow.py build [--count N] [--rate N] [--seconds N] [--rounds N] [--interval S] [--kinds A,B]
               [--no-memory] [--profile FILE]"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

KINDS = ("head", "body", "reader", "deaf", "tls", "tunnel", "never", "trickle")
LIMITS = ("client_head", "client_tls", "response_head", "body_stall", "tunnel_idle", "keepalive")
GAUGES = ("client_connections", "tunnels", "buffer_bytes")
QUIET_SECONDS = 0.02  # by which what the crowd takes of a core differs from second to second once it is settled
CONNECTIONS = 256  # of the good clients: so many that none waits for another one
PATIENCE = 60  # seconds
BY_KIND = 1000  # clients, where memory is measured


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(question, what):
    end = time.monotonic() + PATIENCE
    while not question():
        if time.monotonic() > end:
            sys.exit(f"bench: not within {PATIENCE} s: {what() if callable(what) else what}")
        time.sleep(0.02)


def cpu_seconds(pid):
    """Of all threads, exact to the nanosecond."""
    total = 0
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        total += int(stat.read_text().split()[0])
    return total / 1e9


def busy_seconds():
    """Of all cores of the machine."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(fields[i]) for i in (0, 1, 2, 5, 6)) / os.sysconf("SC_CLK_TCK")


class Proxy:
    def __init__(self, program, folder, players):
        self.clear, self.tls, self.admin = free_port(), free_port(), free_port()
        command = [program, "--listen", f"127.0.0.1:{self.clear}", "--listen-tls", f"127.0.0.1:{self.tls}",
                   "--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem",
                   "--admin", f"127.0.0.1:{self.admin}", "--allow", "127.0.0.0/8", "--connect-port", "any",
                   "--workers", "1", "--log-file", "off"]
        for name in LIMITS:  # the crowd is to stay
            command += ["--timeout", f"{name}=1h"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        players.callback(process.wait)
        players.callback(process.kill)

        def is_up():
            with contextlib.suppress(OSError):
                return self.gauges() is not None
            return False
        wait_until(is_up, "the proxy to listen")
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        self.pid = int(children[0]) if children else process.pid

    def gauges(self):
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                f"http://127.0.0.1:{self.admin}/metrics", timeout=PATIENCE) as answer:
            text = answer.read().decode()
        return {name: int(re.search(rf"^fairlead_{name} (\d+)$", text, re.MULTILINE)[1]) for name in GAUGES}

    def resident_bytes(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.pid}/status").read_text())[1]) * 1024


class Meter:
    """What the proxy and the rest of the machine took of the processors while it was open."""

    def __init__(self, proxy, ours):
        self.proxy, self.ours = proxy, ours

    def __enter__(self):
        self.begin = self._read()
        return self

    def __exit__(self, *_):
        proxy, ours, busy, at = (now - then for now, then in zip(self._read(), self.begin))
        self.proxy_seconds, self.seconds = proxy, at
        self.others = max(0, busy - ours) / at / os.cpu_count()

    def _read(self):
        children = resource.getrusage(resource.RUSAGE_CHILDREN)  # the good clients, who have ended
        ours = sum(cpu_seconds(pid) for pid in [self.proxy.pid, os.getpid(), *self.ours])
        return (cpu_seconds(self.proxy.pid), ours + children.ru_utime + children.ru_stime, busy_seconds(),
                time.monotonic())


class Bench:
    def __init__(self, options, folder, players):
        self.options, self.folder, self.players = options, folder, players
        self.peers = options.build / "bench" / "slow-peers"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                       check=True, stderr=subprocess.DEVNULL)
        # Two, or the good ones' answers would wait behind what is poured into the crowd.
        origins = [self.start("origin") for _ in range(2)]
        self.good_origin, self.crowd_origin = (int(origin.stdout.readline()) for origin in origins)
        self.origin_pids = [origin.pid for origin in origins]
        self.others = []

    def start(self, *words):
        process = subprocess.Popen([self.peers, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True)
        self.players.callback(process.wait)
        self.players.callback(process.kill)
        return process

    def come(self, proxy, count, kinds):
        """The crowd begins to connect."""
        return [self.start("crowd", kind, count // len(kinds), proxy.tls if kind == "tls" else proxy.clear,
                           self.crowd_origin, self.options.interval) for kind in kinds]

    def settle(self, proxy, crowd, count, kinds):
        """All of the crowd is open, the proxy knows of each, and what nobody reads has filled the buffers."""
        for each in crowd:
            if each.stdout.readline() != "open\n":
                sys.exit("bench: the crowd did not open")
        wanted = count // len(kinds) * len(kinds)
        tunnels = count // len(kinds) * ("tunnel" in kinds)

        def is_there():
            gauges = proxy.gauges()
            return gauges["client_connections"] + gauges["tunnels"] >= wanted and gauges["tunnels"] >= tunnels
        wait_until(is_there, f"{wanted} slow clients in the proxy")
        taken = [cpu_seconds(proxy.pid)]

        def is_quiet():
            time.sleep(min(1, self.options.seconds))
            taken.append(cpu_seconds(proxy.pid))
            steps = [now - then for then, now in zip(taken, taken[1:])][-3:]
            return len(steps) == 3 and max(steps) - min(steps) < QUIET_SECONDS
        wait_until(is_quiet, "the crowd to settle")

    def leave(self, proxy, crowd):
        lost = 0
        for each in crowd:
            each.stdin.write("\n")
            each.stdin.flush()
            lost += json.loads(each.stdout.readline())["lost"]
            each.wait()
        if lost > 0:
            sys.exit(f"bench: {lost} slow clients were lost")

        def is_empty():
            gauges = proxy.gauges()
            return gauges["client_connections"] + gauges["tunnels"] + gauges["buffer_bytes"] == 0
        wait_until(is_empty, lambda: f"the proxy to be as before the crowd: {proxy.gauges()}")

    def run_good(self, proxy, crowd, meanwhile=lambda: None):
        """Latencies in microseconds, and the proxy's CPU in microseconds a request."""
        with Meter(proxy, [*self.origin_pids, *(each.pid for each in crowd)]) as meter:
            good = self.start("good", self.options.rate, max(1, round(self.options.rate * self.options.seconds)),
                              CONNECTIONS, proxy.clear, self.good_origin)
            meanwhile()
            output = good.communicate()[0]
        if good.returncode != 0:
            sys.exit("bench: the good clients failed")
        found = json.loads(output)
        if found["failed"] > 0:
            sys.exit(f"bench: {found['failed']} good requests failed of {found['failed'] + found['answered']}")
        self.others.append(meter.others)
        return {**found, "cpu": meter.proxy_seconds / found["answered"] * 1e6,
                "seconds": meter.seconds}

    def run_crowd(self, proxy, crowd):
        """The share of a core that the crowd alone takes."""
        with Meter(proxy, [*self.origin_pids, *(each.pid for each in crowd)]) as meter:
            time.sleep(self.options.seconds)
        self.others.append(meter.others)
        return meter.proxy_seconds / meter.seconds

    def run(self):
        options = self.options
        proxy = Proxy(options.build / "fairlead", self.folder, self.players)
        alone, coming, amid, crowd_load = [], [], [], []
        self.run_good(proxy, [])  # warm
        for number in range(options.rounds):
            alone.append(self.run_good(proxy, []))
            crowd = []
            coming.append(self.run_good(proxy, [], lambda: crowd.extend(
                self.come(proxy, options.count, options.kinds))))
            self.settle(proxy, crowd, options.count, options.kinds)
            amid.append(self.profiled(proxy, crowd) if options.profile and number == 0 else
                        self.run_good(proxy, crowd))
            crowd_load.append(self.run_crowd(proxy, crowd))
            self.leave(proxy, crowd)
        for row in amid:  # what the crowd took anyway is not the good ones'
            row["own"] = row["cpu"] - statistics.median(crowd_load) * row["seconds"] / row["answered"] * 1e6
        self.tell(alone, coming, amid, crowd_load)

    def profiled(self, proxy, crowd):
        perf = subprocess.Popen(["perf", "record", "-e", "cpu-clock", "-F", "999", "-g", "-p", str(proxy.pid),
                                 "-o", self.options.profile], stderr=subprocess.DEVNULL)
        try:
            return self.run_good(proxy, crowd)
        finally:
            perf.send_signal(2)
            perf.wait()

    def tell(self, alone, coming, amid, crowd_load):
        options = self.options
        print(f"\n{options.count:,} slow clients ({', '.join(options.kinds)}), an act every {options.interval} ms; "
              f"{options.rate:,} good requests a second;\nrounds: {options.rounds} of {options.seconds:g} s each, one "
              "worker; medians (least to most)\n")
        print(f"  {'':20}{'alone':>28}{'while the crowd comes':>42}{'amid the crowd':>42}")
        rows = [("p50", "latency, p50", "µs"), ("p90", "p90", "µs"), ("p99", "p99", "µs"), ("p99.9", "p99.9", "µs")]
        for key, title, unit in rows:
            base = [row[key] for row in alone]
            print(f"  {title:20}{spread(base):>28}{against([row[key] for row in coming], base):>42}"
                  f"{against([row[key] for row in amid], base):>42}  {unit}")
        base = [row["cpu"] for row in alone]
        own = against([row["own"] for row in amid], base)
        print(f"  {'CPU a good request':20}{spread(base):>28}{'':42}{own:>42}  µs")
        print(f"  {'CPU of the crowd':20}{'':28}{'':42}{spread([x * 1000 for x in crowd_load]):>42}  ms a second")
        answered = sum(row["answered"] for row in alone + coming + amid)
        print(f"\n  good requests failed: 0 of {answered:,}; slow clients lost: 0")
        print(f"  other processes took {statistics.median(self.others):.0%} of this machine "
              f"(up to {max(self.others):.0%})", flush=True)

    def run_memory(self):
        """Resident memory of a fresh proxy for each kind."""
        print(f"\n  memory of the proxy a slow client, {BY_KIND:,} of a kind")
        print(f"  {'':10}{'resident':>12}{'of it blocks':>16}")
        for kind in self.options.kinds:
            with contextlib.ExitStack() as players:
                proxy = Proxy(self.options.build / "fairlead", self.folder, players)
                self.run_good(proxy, [])
                before = proxy.resident_bytes()
                crowd = self.come(proxy, BY_KIND, [kind])
                self.settle(proxy, crowd, BY_KIND, [kind])
                grown, blocks = proxy.resident_bytes() - before, proxy.gauges()["buffer_bytes"]
                self.leave(proxy, crowd)
            resident, held = max(0, grown) / BY_KIND / 1024, blocks / BY_KIND / 1024
            print(f"  {kind:10}{resident:9.1f} KiB{held:12.1f} KiB", flush=True)


def spread(values):
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def against(values, base):
    return f"{spread(values)} {statistics.median(values) / statistics.median(base) - 1:+.0%}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=pathlib.Path, help="the folder with fairlead and bench/slow-peers")
    parser.add_argument("--count", type=int, default=4000, help="slow clients in all")
    parser.add_argument("--rate", type=int, default=1000, help="good requests a second")
    parser.add_argument("--interval", type=int, default=1000, help="milliseconds between two acts of a slow client")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=list(KINDS))
    parser.add_argument("--no-memory", action="store_true", help="leave the memory of each kind out")
    parser.add_argument("--profile", metavar="FILE", help="perf record of the first round amid the crowd")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.count * 2.5 > hard:
        sys.exit(f"bench: {options.count} slow clients need some {int(options.count * 2.5)} descriptors, and {hard} "
                 "are allowed; try --count")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as players:
        bench = Bench(options, pathlib.Path(folder), players)
        bench.run()
        if not options.no_memory:
            bench.run_memory()


if __name__ == "__main__":
    main()
