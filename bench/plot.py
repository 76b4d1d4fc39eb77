"""The figures as a picture: a panel a case, a bar a proxy, its length the work for each CPU second as a share of what
Fairlead does, taken in pairs, with the interval as a line. The machine stands below."""
import statistics

from judge import interval

MINE, FLOOR, PEER, INK, FAINT = "#1f5fa8", "#8a8f98", "#d9a441", "#22262b", "#d5d8dc"
COLUMNS, PANEL_WIDTH, PANEL_HEIGHT = 3, 4.6, 2.5


def colour(name):
    return MINE if name.startswith("fairlead") else FLOOR if name == "floor" else PEER


def label(value, unit):
    for letter, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.2f}" if unit == "GB" else f"{value:.3g}"


def _panel(axes, case):
    """One case: the subject first, then who met it, best first."""
    rows = {name: row for name, row in case["rows"].items() if row["per_cpu_s"]}
    middle = {name: statistics.median(row["per_cpu_s"]) for name, row in rows.items()}
    base = middle.get(case["subject"])
    if not base:
        axes.axis("off")
        return
    ratios = {name: interval(pairs) for name, pairs in case["ratios"].items()}  # of mine by theirs
    others = [name for name in rows if name != case["subject"] and name in ratios]
    names = [case["subject"], *sorted(others, key=lambda name: ratios[name][0])]
    lengths = [1 / ratios[name][0] if name in ratios else 1 for name in names]
    bars = axes.barh(range(len(names)), lengths, color=[colour(name) for name in names], height=0.72)
    for place, (name, bar) in enumerate(zip(names, bars)):
        _, low, high = ratios.get(name, (1, 1, 1))
        axes.plot([1 / high, 1 / low], [place, place], color=INK, linewidth=1.2)
        axes.annotate(label(middle[name], case["unit"]), (max(bar.get_width(), 1 / low), place), xytext=(5, 0),
                      textcoords="offset points", va="center", fontsize=7.5, color=INK, zorder=3,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})
    axes.axvline(1, color=MINE, linewidth=0.6, linestyle=":", zorder=0.5)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    ends = [min(1 / ratios[name][1], 2 * length) for name, length in zip(names, lengths) if name in ratios]
    axes.set_xlim(0, max(lengths + ends) * 1.22)
    axes.set_title(case["title"], fontsize=8.5, loc="left", color=INK, fontweight="bold")
    axes.tick_params(axis="x", labelsize=7, colors=FLOOR)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    plural = "" if case["unit"] == "GB" else "s"
    axes.set_xlabel(f"{case['unit']}{plural} for each CPU second; {case['subject']} = 1", fontsize=7, color=FLOOR)


def draw(found, path):
    """Write the picture. Returns its path, or None without matplotlib or without figures."""
    cases = [case for case in found["cases"] if "ratios" in case]
    try:
        import matplotlib
    except ImportError:
        return None
    if not cases:
        return None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = min(COLUMNS, len(cases))
    lines = -(-len(cases) // columns)
    size = (PANEL_WIDTH * columns, PANEL_HEIGHT * lines)
    figure, grid = pyplot.subplots(lines, columns, squeeze=False, figsize=size)
    for axes in grid.flat[len(cases):]:
        axes.axis("off")
    for axes, case in zip(grid.flat, cases):
        _panel(axes, case)
    machine = found["machine"]
    figure.suptitle("Work for each CPU second of the proxy", fontsize=12, fontweight="bold", color=INK)
    figure.text(0.5, 0.004, f"{machine['cpu']}, Linux {machine['kernel']}, loopback, {machine['congestion']}; "
                f"{found['pairs']} pairs of {found['seconds']:g} s; lines: 95 % intervals of the ratio",
                ha="center", fontsize=7.5, color=FLOOR)
    figure.tight_layout(rect=(0, 0.015, 1, 0.985))
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path
