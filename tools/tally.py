#!/usr/bin/env python3
"""Print "passed failed skipped" of a test run, from the file its runner left behind.

Usage: tally.py meson testlog.json | tally.py pytest junit.xml. No file, or a run of no test at all, is
one failure: something broke down. A cmocka program counts as many tests as it says it ran."""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree

CMOCKA = {word: re.compile(rf"\[  {word.upper()} +\] (\d+) test") for word in ("passed", "failed", "skipped")}


def tally_program(entry):
    """One program of meson's: what cmocka printed, corrected by how the program ended."""
    output = entry.get("stdout", "") + entry.get("stderr", "")
    count = {word: sum(map(int, pattern.findall(output))) for word, pattern in CMOCKA.items()}
    if entry["result"] == "SKIP":
        return 0, 0, 1
    if entry["result"] in ("OK", "EXPECTEDFAIL"):
        return max(count["passed"], 1), 0, count["skipped"]
    return count["passed"], max(count["failed"], 1), count["skipped"]


def tally_meson(text):
    rows = [tally_program(json.loads(line)) for line in text.splitlines() if line]
    return [sum(column) for column in zip(*rows)] or [0, 0, 0]


def tally_pytest(text):
    suites = list(xml.etree.ElementTree.fromstring(text).iter("testsuite"))
    total, bad, skipped = (sum(int(s.get(key, 0)) for s in suites for key in keys)
                           for keys in (["tests"], ["failures", "errors"], ["skipped"]))
    return [total - bad - skipped, bad, skipped]


def main():
    path = pathlib.Path(sys.argv[2])
    if not path.exists():
        print(0, 1, 0)
        return
    counts = {"meson": tally_meson, "pytest": tally_pytest}[sys.argv[1]](path.read_text(errors="replace"))
    print(*(counts if sum(counts) else (0, 1, 0)))


if __name__ == "__main__":
    main()
