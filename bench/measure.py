"""One case: its contestants side by side, in pairs; then latency at a fixed rate, then system calls."""
import re
import signal
import statistics
import subprocess

import judge
from proxies import find
from stage import Failure, Stage, tree

CALLS_UNITS = (128, 640)  # the difference of two runs leaves out what connections cost once
CALLS_BULK_S = 1.0
RATE_SHARE = 0.5
TAIL_S = 1.5  # at least, of a round of latency: in less, one pause of the machine is a hundredth of it
LONGEST_S = 30


class Row:
    """What is known of one contestant in one case."""

    def __init__(self, version):
        self.version, self.failure = version, None
        self.per_cpu, self.rate, self.busy, self.saturated = [], [], [], []
        self.latency, self.calls = None, None

    def add(self, case, run):
        done = run["bytes"] / 1e9 if case.is_bulk else run["units"]
        self.per_cpu.append(done / max(run["cpu_s"], 1e-9))
        self.rate.append(done / run["seconds"])
        self.busy.append(run["cpu_s"] / run["seconds"])
        self.saturated.append(run["latency_us"])

    def as_dict(self):
        middle = {key: statistics.median(run[key] for run in self.saturated) for key in ("p50", "p99", "p999")} \
            if self.saturated else None
        return {"version": self.version, "failure": self.failure, "per_cpu_s": self.per_cpu, "rate": self.rate,
                "busy": self.busy, "latency_saturated_us": middle, "latency_at_rate_us": self.latency,
                "calls_per_unit": self.calls}


class Bench:
    """The measuring of one case."""

    def __init__(self, case, proxies, options, stage, say):
        self.case, self.proxies, self.options, self.stage, self.say = case, proxies, options, stage, say
        self.rows, self.endpoints, self.ratios, self.tails = {}, {}, {}, {}

    def start(self, name):
        proxy = self.proxies[name]
        self.rows[name] = Row(proxy.version())
        try:
            self.endpoints[name] = proxy.start(self.stage, self.case)
        except Failure as failure:
            self.rows[name].failure = str(failure)

    def run(self, name, seconds=None, **changes):
        seconds = seconds or self.options.seconds
        try:
            while True:
                run = self.stage.run_load(self.case, self.endpoints[name], seconds=seconds,
                                          warmup=self.options.warmup, **changes)
                if run["bytes" if self.case.is_bulk else "units"] > 0:
                    return run
                seconds *= 2  # a machine so full that nothing happened in the window
                if seconds > LONGEST_S:
                    raise Failure("nothing was done")
        except Failure as failure:
            self.rows[name].failure = str(failure)
            self.endpoints.pop(name)
            return None

    def run_pair(self, other):
        """The subject, then the other; both count only when both did their work."""
        subject = self.case.subject
        runs = {name: self.run(name) for name in (subject, other) if name in self.endpoints}
        if all(runs.get(name) for name in (subject, other)):
            for name, run in runs.items():
                self.rows[name].add(self.case, run)
            mine, theirs = self.rows[subject].per_cpu[-1], self.rows[other].per_cpu[-1]
            self.ratios.setdefault(other, []).append(mine / theirs)

    def run_pairs(self, others):
        for number in range(self.options.pairs):
            self.say(f"{self.case.name}: pair {number + 1} of {self.options.pairs}")
            for other in others:
                if other in self.endpoints:
                    self.run_pair(other)
            alone = self.case.subject in self.endpoints and not any(other in self.endpoints for other in others)
            if alone and (run := self.run(self.case.subject)):
                self.rows[self.case.subject].add(self.case, run)

    def run_rate(self):
        """Latency at half of what the slowest can do, the same for all, from the intended times; in rounds, so that the
        tails of one round lie close together in time."""
        able = [name for name in self.endpoints if self.rows[name].rate]
        if not able:
            return None
        rate = RATE_SHARE * min(statistics.median(self.rows[name].rate) for name in able)
        tail_s = max(self.options.seconds, TAIL_S)
        found = {name: [] for name in able}
        for number in range(self.options.pairs):
            self.say(f"{self.case.name}: latency at {rate:,.0f} a second, round {number + 1} of {self.options.pairs}")
            for name in able[::-1] if number % 2 else able:
                if name in self.endpoints and (run := self.run(name, tail_s, rate=f"{rate:.1f}")):
                    found[name].append(run["latency_us"])
        for name, runs in found.items():
            if runs:
                self.rows[name].latency = {key: statistics.median(run[key] for run in runs)
                                           for key in ("p50", "p99", "p999")}
        mine = found.pop(self.case.subject, [])
        self.tails = {name: [theirs["p99"] / max(ours["p99"], 1) for ours, theirs in zip(mine, runs)]
                      for name, runs in found.items()}
        return rate

    def run_calls(self):
        if not find("strace"):
            return
        for name in list(self.endpoints):
            self.say(f"{self.case.name}: system calls of {name}")
            self.rows[name].calls = calls_per_unit(self.stage, self.case, self.endpoints[name])


def _traced(stage, case, endpoint, **changes):
    """(system calls, what the generator says) of one run."""
    path, pids = stage.folder / "calls", tree(endpoint.process.pid)
    command = ["strace", "-f", "-c", "-o", path]
    for pid in pids:
        command += ["-p", pid]
    tracer = stage.start(*command, cpus=stage.load_cpus, stderr=subprocess.PIPE)
    for _ in pids:
        if "attached" not in tracer.stderr.readline():
            stage.end(tracer)
            return None
    try:
        run = stage.run_load(case, endpoint, **changes)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=30)
        stage.end(tracer)
    return count_calls(path.read_text()), run


def count_calls(summary):
    """The sum of a summary of strace -c."""
    rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", summary, re.M)
    return sum(int(count) for count, name in rows if name != "total")


def calls_per_unit(stage, case, endpoint):
    """System calls for each unit (for bulk: each GB), or None where they cannot be counted."""
    try:
        if case.is_bulk:
            traced = _traced(stage, case, endpoint, seconds=CALLS_BULK_S, warmup=0)
            return traced and traced[0] / (traced[1]["bytes"] / 1e9)
        few, many = (_traced(stage, case, endpoint, count=units) for units in CALLS_UNITS)
        return few and many and (many[0] - few[0]) / (CALLS_UNITS[1] - CALLS_UNITS[0])
    except (Failure, subprocess.TimeoutExpired):
        return None


def measure(case, proxies, others, options, say):
    """All of one case, as it goes into the JSON file."""
    with Stage(options.programs) as stage:
        stage.start_origin()
        bench = Bench(case, proxies, options, stage, say)
        for name in (case.subject, *others):
            bench.start(name)
        bench.run_pairs([name for name in others if name in bench.endpoints])
        rate = bench.run_rate() if case.has_rate and not options.quick else None
        if not options.no_calls:
            bench.run_calls()
    def sound(ratios):
        return {name: found for name, found in ratios.items()
                if not bench.rows[name].failure and not bench.rows[case.subject].failure}
    goals = [judge.judge(goal, sound(bench.ratios)) for goal in case.goals]
    goals.append(judge.judge(case.tail_goal, sound(bench.tails), "p99"))
    return {"name": case.name, "title": case.title, "unit": case.unit, "subject": case.subject, "fixed_rate": rate,
            "rows": {name: row.as_dict() for name, row in bench.rows.items()}, "ratios": bench.ratios,
            "tails": bench.tails, "goals": [goal for goal in goals if goal],
            "failure": bench.rows[case.subject].failure}
