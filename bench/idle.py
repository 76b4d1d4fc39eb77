"""What an idle tunnel costs in memory, the proxy's own and the kernel's.

The kernel's part is the growth of its slabs while the tunnels stand, less what the same number of connections
straight to the origin costs: those are the sockets of the generator and of the origin."""
import re
import statistics
import subprocess
import time

from cases import IDLE_GOAL_BYTES
from stage import ORIGIN, Endpoint, Failure, Stage, tree

SETTLE_S, ROUNDS = 2.5, 3


def user_bytes(pid):
    """Memory that a process tree has written and nobody else has, in bytes. Pages of the program and its libraries are
    not: the kernel drops them when they are not used, and reads them again."""
    total = 0
    for each in tree(pid):
        with open(f"/proc/{each}/smaps_rollup", encoding="ascii") as rollup:
            total += sum(int(kib) * 1024 for kib in re.findall(r"^Private_Dirty: +(\d+) kB", rollup.read(), re.M))
    return total


def slab_bytes():
    """What is in use of the kernel's slabs; without root what they occupy, which grows and shrinks by pages."""
    try:
        with open("/proc/slabinfo", encoding="ascii") as info:
            rows = [line.split() for line in info if not line.startswith(("slabinfo", "#"))]
            return sum(int(row[1]) * int(row[3]) for row in rows)
    except OSError:
        pass
    with open("/proc/meminfo", encoding="ascii") as info:
        return int(re.search(r"^Slab: +(\d+)", info.read(), re.M).group(1)) * 1024


def hold(stage, case, endpoint):
    """(growth of the proxy's memory, growth of slabs) in bytes, while the tunnels stand."""
    before = user_bytes(endpoint.process.pid), slab_bytes()
    process = stage.start(*stage.load_command(case, endpoint), cpus=stage.load_cpus, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        if process.stdout.readline() != "ready\n":
            raise Failure("not all tunnels could be opened")
        time.sleep(SETTLE_S)  # what the kernel and, within two seconds, the proxy give back after a burst
        after = user_bytes(endpoint.process.pid), slab_bytes()
        output, _ = process.communicate("", timeout=60)
        if '"failures": 0' not in output:
            raise Failure("not all tunnels could be opened")
    finally:
        stage.end(process)
    time.sleep(SETTLE_S)
    return after[0] - before[0], after[1] - before[1]


def measure(case, proxies, others, options, say):
    """The growth is taken from a proxy that was just started, and the kernel's part as a median of rounds."""
    rows = {}
    for name in (case.subject, *others):
        say(f"{case.name}: {name}")
        rows[name] = {"version": proxies[name].version(), "failure": None}
        user, kernel = [], []
        try:
            for _ in range(1 if options.quick else ROUNDS):
                with Stage(options.programs) as stage:
                    stage.start_origin()
                    direct = Endpoint(stage.ports["echo"], stage.processes[0], is_raw=True, address=ORIGIN)
                    endpoint = proxies[name].start(stage, case)
                    _, base = hold(stage, case, direct)
                    grown, slabs = hold(stage, case, endpoint)
                    user.append(grown / case.connections)
                    kernel.append((slabs - base) / case.connections)
        except (Failure, ProcessLookupError) as failure:  # the latter: it ended under the load
            rows[name]["failure"] = str(failure)
            continue
        rows[name] |= {"user_bytes": statistics.median(user), "kernel_bytes": statistics.median(kernel)}
    mine, goals = rows[case.subject], []
    if not mine["failure"]:
        goals = [{"goal": IDLE_GOAL_BYTES, "bytes": mine["user_bytes"],
                  "verdict": "met" if mine["user_bytes"] <= IDLE_GOAL_BYTES else "missed"}]
    return {"name": case.name, "title": case.title, "unit": case.unit, "subject": case.subject, "rows": rows,
            "goals": goals, "failure": mine["failure"]}
