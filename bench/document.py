"""The figures of a run, as tables in docs/performance.md: what was measured is what stands there."""
import pathlib
import statistics

import judge
from report import MEMORY, duration, goal_words, memory_figures, memory_goal, short

DOCUMENT = pathlib.Path(__file__).resolve().parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- figures: ./dev bench --document -->\n", "<!-- end of figures -->\n"


def _row(name, row, ratios):
    if not row["per_cpu_s"]:
        return f"| {name} | {row['failure'] or 'nobody to compare with'} | | | | | |"
    ratio = ""
    if ratios:
        median, low, high = judge.interval(ratios)
        ratio = f"{median:.2f} ({low:.2f} to {high:.2f})"
    times = row["latency_at_rate_us"] or {}
    return (f"| {name} | {short(statistics.median(row['per_cpu_s']))} | {ratio} | "
            f"{short(statistics.median(row['rate']))} | {statistics.median(row['busy']):.0%} | "
            f"{duration(times.get('p50'))} / {duration(times.get('p99'))} / {duration(times.get('p999'))} | "
            f"{short(row['calls_per_unit'])} |").replace(" /  / ", "")


def _case(case):
    rate = f"; latency at {short(case['fixed_rate'])} a second" if case["fixed_rate"] else ""
    yield f"**{case['title']}** (`{case['name']}`; unit: {case['unit']}{rate})\n"
    yield "| proxy | units per CPU second | Fairlead / it | units a second | busy | p50 / p99 / p99.9 | calls |"
    yield "|---|---|---|---|---|---|---|"
    for name, row in case["rows"].items():
        yield _row(name, row, case["ratios"].get(name))
    if case["goals"]:
        yield ""
    for goal in case["goals"]:
        yield f"- {goal_words(goal)} {goal['ratio']:.2f} ({goal['low']:.2f} to {goal['high']:.2f}), {goal['verdict']}"
    yield ""


def _memory(case):
    form = MEMORY[case["name"]]
    yield f"**{case['title']}** (`{case['name']}`; {form.unit})\n"
    yield "| proxy | " + " | ".join(form.columns) + " |"
    yield "|---" * (len(form.columns) + 1) + "|"
    for name, row in case["rows"].items():
        figures = [row["failure"], ""] if row["failure"] else memory_figures(row, form)
        yield f"| {name} | " + " | ".join(figures) + " |"
    yield ""
    for goal in case["goals"]:
        yield f"- {memory_goal(goal, form)} {goal['verdict']}"
    yield ""


def _lines(found):
    machine = found["machine"]
    where = "a network namespace of its own" if machine["has_namespace"] else "the system's network"
    yield (f"{machine['cpu']}, {machine['cpus']} CPUs; Linux {machine['kernel']}; {machine['system']}; "
           f"{machine['compiler']}; {machine['tls']}. Loopback in {where}, congestion control {machine['congestion']} "
           f"for all. {found['pairs']} pairs of {found['seconds']:g} s. "
           + ", ".join(f"{name} {version}" for name, version in machine["versions"].items()) + ".\n")
    if machine["load"] > 0.5:
        yield (f"**The machine was busy with other work (load {machine['load']:.1f}), so these figures scatter and are "
               "here to show the form.**\n")
    for case in found["cases"]:
        yield from (_memory if case["name"] in MEMORY else _case)(case)


def write(found):
    """The exit code."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    DOCUMENT.write_text(before + BEGIN + "\n" + "\n".join(_lines(found)) + "\n" + END + after, encoding="utf-8")
    print(f"written: {DOCUMENT}")
    return 0
