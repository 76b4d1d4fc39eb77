"""What a unit costs in instructions and system calls: figures that a busy machine does not change.

Each case is one connection in lockstep under valgrind, run with N units and with 2 N; the difference leaves out
start, end and what is done once. All players share one CPU, and generator and origin are batch jobs, which do not
take it from a proxy that runs: so an answer is never there before the proxy waits for it, and calls repeat. What
shall be 64 KiB is 60: that fits into one segment on loopback, and is not seen in part.

Instructions are those of user space. They depend on the compiler, and over TLS on the library, so they are judged
only where these are those of the baseline. Readings of the clock are no system calls outside of valgrind, and are
counted apart."""
import collections
import dataclasses
import json
import os
import pathlib
import platform
import re
import signal

import cases
import proxies
import report
import surroundings
from stage import PATIENCE_S, Failure, Stage

BASELINE = pathlib.Path(__file__).resolve().parent / "baseline.json"
NAMES = ("get-1k", "get-64k", "get-new", "tunnel-open", "tls-get-1k")
KINDS = {"instructions": "user instructions", "calls": "system calls", "clocks": "readings of the clock"}
UNITS, ALLOWED, TRIES = 500, 0.03, 3
SEGMENT_BYTES = 60 * 1024
CALL = re.compile(r"^SYSCALL\[\d+,\d+\]\( *\d+\) (?:sys_)?(\w+)", re.M)
CLOCKS = ("clock_gettime", "gettimeofday", "time")


class LockstepStage(Stage):
    """Everybody on one CPU, and nobody before the proxy."""

    def __init__(self, programs):
        super().__init__(programs)
        self.load_cpus = self.origin_cpus = self.proxy_cpus

    def policy(self, cpus):
        return os.SCHED_BATCH if cpus else os.SCHED_OTHER  # generator and origin name theirs


def _counted(folder):
    """What the files of valgrind say, over all processes."""
    found = collections.Counter()
    for path in folder.glob("callgrind.*"):
        total = re.search(r"^(?:summary|totals): (\d+)", path.read_text(), re.M)
        found["instructions"] += int(total.group(1)) if total else 0
    for path in folder.glob("calls.*"):
        for name in CALL.findall(path.read_text(errors="replace")):
            found["clocks" if name in CLOCKS else "calls"] += 1
    if not all(found[kind] for kind in KINDS):
        raise Failure("valgrind left no figures")
    return found


def _total(options, proxy, case, units):
    with LockstepStage(options.programs) as stage:
        stage.start_origin()
        wrapper = ["valgrind", "--tool=callgrind", "--vgdb=no", "--trace-syscalls=yes",
                   f"--log-file={stage.folder}/calls.%p", f"--callgrind-out-file={stage.folder}/callgrind.%p"]
        endpoint = proxy.start(stage, case, wrapper=wrapper)
        stage.run_load(case, endpoint, count=units)
        os.kill(endpoint.process.pid, signal.SIGTERM)
        endpoint.process.wait(PATIENCE_S)
        return _counted(stage.folder)


def count(options, proxy, case, say):
    """Figures for each unit, by kind."""
    totals = []
    for units in (UNITS, 2 * UNITS):
        say(f"{case.name}: {units} units")
        totals.append(_total(options, proxy, case, units))
    say("")
    return {kind: round((totals[1][kind] - totals[0][kind]) / UNITS, 2) for kind in KINDS}


def is_above(found, before):
    return any(found[kind] > before.get(kind, found[kind]) * (1 + ALLOWED) for kind in KINDS)


def count_again(options, proxy, case, before, say):
    """As `count`; what is above the baseline is counted again, and the least taken, since a machine that is full of
    other work may wake players out of order. A baseline is the most of as many."""
    runs = [count(options, proxy, case, say)]
    while len(runs) < TRIES and (options.write or is_above(runs[-1], before)):
        runs.append(count(options, proxy, case, say))
    choose = max if options.write else min
    return {kind: choose(run[kind] for run in runs) for kind in KINDS}


def tools(options):
    return {"compiler": surroundings.compiler(options.binary), "tls": surroundings.tls_library(),
            "valgrind": proxies.version(r"valgrind-(\S+)", "valgrind", "--version"), "machine": platform.machine()}


def judge(found, before, is_judged):
    """(words, whether it is worse)."""
    if not before:
        return "no baseline", False
    change = found / before - 1
    if not is_judged:
        return f"{change:+.1%}, not judged", False
    if change > ALLOWED:
        return f"{change:+.1%}: MORE", True
    return f"{change:+.1%}" + (": less, renew the baseline" if change < -ALLOWED else ", kept"), False


def run(options, proxy, say):
    """The exit code."""
    if not proxies.find("valgrind"):
        raise Failure("valgrind is not installed")
    known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {"tools": {}, "cases": {}}
    here, found, worse = tools(options), {}, []
    is_same = here == known["tools"]
    print(", ".join(f"{name} {what}" for name, what in here.items()) + f"; {UNITS} units")
    if not is_same and not options.write:
        print("The baseline is of " + ", ".join(f"{name} {what}" for name, what in known["tools"].items()))
    for case in cases.CASES:
        if case.name not in NAMES or case.name not in options.case:
            continue
        known_case = known["cases"].get(case.name, {})
        lockstep = dataclasses.replace(case, connections=1, body=min(case.body, SEGMENT_BYTES))
        found[case.name] = count_again(options, proxy, lockstep, known_case, say)
        for kind, value in found[case.name].items():
            before = known_case.get(kind)
            words, is_worse = judge(value, before, is_same or kind != "instructions")
            worse += [f"{case.name} {kind}"] if is_worse else []
            print(f"  {case.name:<12} {KINDS[kind]:<22} {value:>10,.1f}  "
                  f"{'' if before is None else f'baseline {before:,.1f}':<18} " +
                  report.paint(words, "31" if is_worse else "0"), flush=True)
    if options.write:
        kept = known["cases"] if is_same else {}
        BASELINE.write_text(json.dumps({"tools": here, "cases": {**kept, **found}}, indent=1) + "\n")
        print(f"written: {BASELINE}")
        return 0
    if worse:
        print(f"more than {ALLOWED:.0%} above the baseline: {', '.join(worse)}")
    return bool(worse)
