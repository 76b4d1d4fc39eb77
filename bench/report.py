"""The figures as a table for a terminal of 80 to 100 columns."""
import dataclasses
import os
import statistics
import sys
import textwrap

import judge

COLOURS = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
VERDICTS = {"met": "32", "missed": "31", "not shown": "33"}


@dataclasses.dataclass(frozen=True)
class MemoryForm:
    """How a case that counts memory is told."""
    unit: str
    unit_bytes: int
    columns: dict  # heading: what of a row
    goal: str


MEMORY = {"idle": MemoryForm("bytes for each tunnel", 1, {"user memory": "user_bytes", "kernel memory": "kernel_bytes"},
                             "bytes of user memory"),
          "rest": MemoryForm("KiB of user memory", 1024, {"after a tenth": "before_bytes", "after all": "after_bytes"},
                             "KiB more")}


def paint(text, code):
    return f"\033[{code}m{text}\033[0m" if COLOURS else text


def short(value):
    """A figure of three digits: 4.07, 70.4, 812, 61.0 k."""
    if value is None:
        return ""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size * 9.995:
            return f"{value / size:.3g} {unit}" if value / size >= 100 else f"{value / size:.1f} {unit}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def duration(us):
    if us is None:
        return ""
    return f"{us:.0f} us" if us < 1000 else f"{us / 1000:.1f} ms" if us < 100_000 else f"{us / 1e6:.2f} s"


HEAD = (f"  {'':<14} {'per CPU s':>10} {'±':>4} {'ratio':>5} {'95 %':^13} {'a second':>9} {'busy':>4} "
        f"{'p50':>7} {'p99':>7} {'p99.9':>7} {'calls':>6}")


def row_line(name, row, ratios):
    if not row["per_cpu_s"]:
        return f"  {name:<14} {row['failure'] or 'nobody to compare with'}"
    ratio = f"{'':>5} {'':13}"
    if ratios:
        median, low, high = judge.interval(ratios)
        ratio = f"{median:>5.2f} {f'{low:.2f} … {high:.2f}':^13}"
    times = row["latency_at_rate_us"] or row["latency_saturated_us"]
    times = times if times and times["p50"] > 0 else {}  # bulk has none
    per_cpu = row["per_cpu_s"]
    return (f"  {name:<14} {short(statistics.median(per_cpu)):>10} {judge.spread(per_cpu):>4.0%} {ratio} "
            f"{short(statistics.median(row['rate'])):>9} {statistics.median(row['busy']):>4.2f} "
            f"{duration(times.get('p50')):>7} {duration(times.get('p99')):>7} {duration(times.get('p999')):>7} "
            f"{short(row['calls_per_unit']):>6}")


def goal_words(goal):
    """What is asked for, and of whom."""
    who = goal["against"] if len(goal["of"]) == 1 else f"the best peer ({goal['against']})"
    if goal["measure"] == "p99":
        return f"p99 no worse than that of {who}, which by ours is"
    return f"at least {goal['goal']:.2f} of {who}:"


def goal_line(goal):
    return (f"  goal: {goal_words(goal)} {goal['ratio']:.2f} ({goal['low']:.2f} … {goal['high']:.2f}), " +
            paint(goal["verdict"], VERDICTS[goal["verdict"]]))


def print_case(case):
    rate = "" if case["unit"] == "GB" else \
        f"; latency at {short(case['fixed_rate'])} a second" if case["fixed_rate"] else "; latency at saturation"
    print(f"\n{paint(case['title'], '1')} (unit: {case['unit']}{rate})")
    print(paint(HEAD.rstrip(), "2"))
    for name, row in case["rows"].items():
        print(row_line(name, row, case["ratios"].get(name)).rstrip())
        if row["failure"] and row["per_cpu_s"]:
            print(paint(f"  {'':<14} FAILED: {row['failure']}", "31"))
    for goal in case["goals"]:
        print(goal_line(goal))
    sys.stdout.flush()


def memory_figures(row, form):
    return [f"{row[key] / form.unit_bytes:,.0f}" for key in form.columns.values()]


def memory_goal(goal, form):
    return f"at most {goal['goal'] / form.unit_bytes:,.0f} {form.goal}: {goal['bytes'] / form.unit_bytes:,.0f},"


def print_memory(case):
    form = MEMORY[case["name"]]
    print(f"\n{paint(case['title'], '1')} ({form.unit})")
    print(paint(f"  {'':<14}" + "".join(f" {column:>14}" for column in form.columns), "2"))
    for name, row in case["rows"].items():
        figures = "".join(f" {figure:>14}" for figure in ([] if row["failure"] else memory_figures(row, form)))
        print(f"  {name:<14}{figures or ' ' + row['failure']}")
    for goal in case["goals"]:
        print(f"  goal: {memory_goal(goal, form)} " + paint(goal["verdict"], VERDICTS[goal["verdict"]]))
    sys.stdout.flush()


def wrapped(text):
    return textwrap.fill(text, 96, subsequent_indent="  ", break_on_hyphens=False)


def print_machine(machine):
    print(wrapped(f"{machine['cpu']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, {machine['system']}, "
                  f"{machine['compiler']}, {machine['tls']}"))
    where = "a network namespace of its own" if machine["has_namespace"] else "the system's network"
    print(wrapped(f"congestion control {machine['congestion']} for all, in {where}; proxy on CPU "
                  f"{','.join(map(str, machine['proxy_cpus']))}, generator and origin on "
                  f"{','.join(map(str, machine['load_cpus']))}"))
    print(wrapped(", ".join(f"{name} {version}" for name, version in machine["versions"].items())))
    if machine["load"] > 0.5:
        print(paint(f"This machine is busy with other things (load {machine['load']:.1f}): the figures will scatter.",
                    "33"))
    if machine["congestion"] == "bbr":
        print(paint("BBR paces with timers on loopback, halves bulk and hides what splice gains: do not compare these "
                    "figures with others.", "33"))
    sys.stdout.flush()
