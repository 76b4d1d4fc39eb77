"""The loads that train a release build (./dev release): what they make the program do the compiler then makes quick.

    train.py BUILD PROGRAM PROFILE

PROGRAM was compiled with b_pgo=generate; each of its processes leaves its counts below PROFILE when it ends. Generator
and origin are those of BUILD. Nothing is measured."""
import os
import pathlib
import sys

import proxies
import surroundings
from cases import CASES
from stage import Stage

# Units of each case. What is not here, the compiler optimises as in any other build.
UNITS = {"get-1k": 40_000, "get-64k": 5_000, "get-1m": 300, "get-new": 5_000, "post-64k": 5_000, "tunnel-open": 5_000,
         "tunnel-echo": 20_000, "tls-get-1k": 10_000, "tls-new": 300, "told": 5_000, "told-open": 2_000,
         "inside-open": 2_000, "guarded": 5_000}
BULK_S = {"tunnel-bulk": 0.5, "tls-down": 0.5, "tls-up": 0.5}


def main():
    build, program, profile = (pathlib.Path(word).resolve() for word in sys.argv[1:])
    os.environ["GCOV_PREFIX"] = str(profile)  # of all that is started; the compiler's word for it
    surroundings.enter_namespace("reno")
    surroundings.set_up_namespace()
    everybody = proxies.everybody(program)
    for case in CASES:
        how = {"count": UNITS[case.name]} if case.name in UNITS else {"seconds": BULK_S.get(case.name)}
        if not any(how.values()):
            continue
        with Stage(build / "bench") as stage:
            stage.start_origin()
            endpoint = everybody[case.subject].start(stage, case)
            if stage.run_load(case, endpoint, **how)["failures"]:
                sys.exit(f"train: {case.name} failed")


if __name__ == "__main__":
    main()
