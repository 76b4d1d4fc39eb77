"""Medians, their intervals, and whether a goal is met."""
import math
import statistics

from cases import ALLOWANCE


def interval(values):
    """(median, low, high): a 95 % interval of the median by order statistics, which asks nothing of the
    distribution. With fewer than six values it is their range, and covers less."""
    ordered = sorted(values)
    count, below, cut = len(ordered), 0.0, 0
    for k in range(count // 2):
        below += math.comb(count, k) / 2 ** count
        if below > 0.025:
            break
        cut = k
    return statistics.median(ordered), ordered[cut], ordered[-1 - cut]


def spread(values):
    """Half the range of the middle half of the values, as a share of the median."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / statistics.median(values)


def judge(goal, ratios, measure="work"):
    """The goal's row: the strongest of those it names that took part, and the verdict. None: nobody did. `measure`:
    "work" for each CPU second, or "p99"; the larger the ratio, the better the subject."""
    present = [name for name in goal.against if ratios.get(name)]
    if not present:
        return None
    against = min(present, key=lambda name: statistics.median(ratios[name]))
    median, low, high = interval(ratios[against])
    wanted = goal.ratio * ALLOWANCE
    verdict = "met" if low >= wanted else "missed" if high < wanted else "not shown"
    return {"measure": measure, "goal": goal.ratio, "against": against, "of": list(goal.against), "ratio": median,
            "low": low, "high": high, "verdict": verdict}
