#!/usr/bin/env python3
"""Fairlead beside the floor that the kernel sets and beside other proxies, on this machine.

Each case is a kind of work that a load generator does through one proxy at a time. What counts is the work for
each CPU second of the proxy, since loopback has no other limit; runs alternate, and ratios are taken pair by pair.
docs/performance.md explains the cases. Usage: bench.py build [option…]; ./dev bench builds first."""
import argparse
import json
import pathlib
import sys

import cases
import count
import document
import idle
import measure
import plot
import proxies
import report
import rest
import surroundings
from stage import Failure, Stage

FIGURES = "bench.json"

PEERS = ("floor", "haproxy", "haproxy+splice", "haproxy-relay", "nginx", "squid", "tinyproxy", "go")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0], prog="./dev bench")
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("--release", help=argparse.SUPPRESS)  # the folder of a release build, which is measured then
    parser.add_argument("--case", nargs="+", metavar="NAME", choices=cases.NAMES, default=cases.NAMES,
                        help="only these: " + " ".join(cases.NAMES))
    parser.add_argument("--peer", nargs="*", metavar="NAME", choices=PEERS,
                        help="only these: " + " ".join(PEERS) + "; none: the proxy alone")
    parser.add_argument("--pairs", type=int, default=9, metavar="N", help="runs of each [9]")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="length of a run [1]")
    parser.add_argument("--warmup", type=float, metavar="S", help="before each run [a third of it]")
    parser.add_argument("--quick", action="store_true", help="three runs of 0.3 s, no latency at a fixed rate")
    parser.add_argument("--no-calls", action="store_true", help="do not count system calls")
    parser.add_argument("--congestion", default="reno", metavar="NAME",
                        help="congestion control in a network of our own; system: stay outside [reno where root]")
    parser.add_argument("--output", type=pathlib.Path, metavar="FOLDER", help="for bench.json and bench.png")
    parser.add_argument("--document", action="store_true",
                        help="measure nothing: put the last figures into docs/performance.md")
    parser.add_argument("--count", action="store_true",
                        help="instructions and system calls for each unit, against bench/baseline.json")
    parser.add_argument("--write", action="store_true", help="with --count: renew the baseline")
    options = parser.parse_args()
    if options.write and not options.count:
        parser.error("--write goes with --count")
    if options.quick:
        options.pairs, options.seconds = min(options.pairs, 3), min(options.seconds, 0.3)
    if options.warmup is None:
        options.warmup = options.seconds / 3
    options.programs = pathlib.Path(options.build) / "bench"
    options.output = options.output or options.programs
    options.binary = str(pathlib.Path(options.release or options.build).resolve() / "fairlead")
    return options


def say(text):
    """Progress, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def choose(case, everybody, wanted):
    """Who of a case's contestants is asked for and installed."""
    return [name for name in case.others
            if everybody[name].program() and (wanted is None or name in wanted or name.startswith("fairlead"))]


def run_cases(options, everybody):
    apart = {cases.IDLE.name: idle.measure, cases.REST.name: rest.measure}
    chosen = [case for case in (*cases.CASES, cases.IDLE, cases.REST) if case.name in options.case]
    present = sorted({name for case in chosen for name in (case.subject, *choose(case, everybody, options.peer))})
    versions = {name: everybody[name].version() for name in present if name.isalpha() and name != "floor"}
    if options.release:
        versions["fairlead"] += " (./dev release)"
    with Stage(options.programs) as stage:
        machine = surroundings.describe(options.binary, stage, versions)
    report.print_machine(machine)
    found = {"machine": machine, "pairs": options.pairs, "seconds": options.seconds, "cases": []}
    for case in chosen:
        others = choose(case, everybody, options.peer)
        result = apart.get(case.name, measure.measure)(case, everybody, others, options, say)
        say("")
        (report.print_memory if case.name in apart else report.print_case)(result)
        found["cases"].append(result)
        save(found, options.output / FIGURES)
    return found


def save(found, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")


def tell_end(found, options):
    """Where the figures are; whether anything failed."""
    print(f"\nfigures: {options.output / FIGURES}")
    if picture := plot.draw(found, options.output / "bench.png"):
        print(f"picture: {picture}")
    broken = [f"{case['name']}: {row}" for case in found["cases"] for row, known in case["rows"].items()
              if known["failure"]]
    if broken:
        print("failed: " + ", ".join(broken))
    return bool(broken)


def main():
    options = parse()
    surroundings.enter_namespace(options.congestion)
    surroundings.set_up_namespace()
    everybody = proxies.everybody(options.binary)
    try:
        if options.count:
            return count.run(options, everybody["fairlead"], say)
        if options.document:
            return document.write(json.loads((options.output / FIGURES).read_text()))
        return tell_end(run_cases(options, everybody), options)
    except (Failure, OSError) as failure:
        sys.exit(f"bench: {failure}")


if __name__ == "__main__":
    sys.exit(main())
