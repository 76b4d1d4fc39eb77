"""What the process keeps in memory once much was served: as much as after the first of each kind.

A tenth of the work comes first, since pools, caches and the places of the ring are memory that is wanted. Then all of
it, kind by kind; whatever it left, the next kinds and the last wait give back."""
import time

from cases import CASES, REST_GOAL_BYTES, REST_KINDS
from idle import user_bytes
from stage import Failure, Stage

WARM = 10
SETTLE_S = 12  # as long as something is open, the proxy looks every five seconds, and gives back what it then saw twice


def _play(stage, endpoint, share):
    for case in CASES:
        if count := REST_KINDS.get(case.name, 0) // share:
            stage.run_load(case, endpoint, count=count)
    time.sleep(SETTLE_S)
    return user_bytes(endpoint.process.pid)


def measure(case, proxies, others, options, say):
    rows = {}
    for name in (case.subject, *others):
        say(f"{case.name}: {name}")
        rows[name] = {"version": proxies[name].version(), "failure": None}
        try:
            with Stage(options.programs) as stage:
                stage.start_origin()
                endpoint = proxies[name].start(stage, case)
                before = _play(stage, endpoint, WARM)
                rows[name] |= {"before_bytes": before, "after_bytes": _play(stage, endpoint, 1)}
        except (Failure, ProcessLookupError) as failure:  # the latter: it ended under the load
            rows[name]["failure"] = str(failure)
    mine, goals = rows[case.subject], []
    if not mine["failure"]:
        grown = mine["after_bytes"] - mine["before_bytes"]
        goals = [{"goal": REST_GOAL_BYTES, "bytes": grown, "verdict": "met" if grown <= REST_GOAL_BYTES else "missed"}]
    return {"name": case.name, "title": case.title, "unit": case.unit, "subject": case.subject, "rows": rows,
            "goals": goals, "failure": mine["failure"]}
