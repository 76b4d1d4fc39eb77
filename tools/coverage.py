#!/usr/bin/env python3
"""Say how much of src/ the tests run, from the counters that a build with gcc's --coverage left behind.

Usage: coverage.py BUILD [FOLDER…]

Prints lines and branches by folder. Fails where a folder in HELD, or both together, is below LEAST, and where a line
or branch of theirs that no test takes has no reason in tests/coverage.txt; with FOLDERs (src/net …) those of these
are listed too.

What is a branch: each way out of a condition, of each operand of && and ||, and of a switch, as gcc sees them without
optimisation. Two kinds are left out, since nobody can take them: the failure of a CHECK, and the way out of a switch
that has a case for each value of its enum and no default (the compilers insist on the cases).

tests/coverage.txt, one block a function, which says why what is not taken cannot be, or need not:

    src/proxy/exchange.c exchange_begin
      | if (x == NULL)
      | return false;
      Reason, in words.

The rows hold the text of the lines, so that the file does not mind when they move. A row that fits no line of the
function, or only lines that are taken, is out of date and fails too; `|?` in place of `|` is a line that only chance
takes. Rows of equal text are as many as there are such lines that are not taken."""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
from collections import Counter, defaultdict

import csource

HELD = ("src/http", "src/proxy")
LEAST = {"lines": 95.0, "branches": 85.0}
REASONS = "tests/coverage.txt"
PROMISE = re.compile(r"\bD?CHECK(_TAG)?\(")
SWITCH = re.compile(r"^\s*switch \(")


class Line:
    def __init__(self):
        self.count = 0
        self.ways = []  # how often each branch was taken

    def add(self, row):
        self.count += row["count"]
        ways = [way["count"] for way in row["branches"]]
        # The same inline function in another object.
        self.ways = [a + b for a, b in zip(self.ways, ways)] if self.ways else ways

    @property
    def is_taken(self):
        return self.count > 0 and all(self.ways)


# ---- reading the counters
def read_object(path):
    """(file, function, line, row) of each line of ours in this object."""
    text = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", path.name],
                          cwd=path.parent, capture_output=True, text=True, check=True).stdout
    found = []
    for entry in filter(None, text.splitlines()):
        report = json.loads(entry)
        for source in report["files"]:
            name = os.path.join(report["current_working_directory"], source["file"])
            name = os.path.relpath(os.path.realpath(name), csource.ROOT)
            if name.startswith("src/"):
                found += [(name, row["function_name"], row["line_number"], row)
                          for row in source["lines"] if "function_name" in row]
    return found


def read_counters(build):
    """{file: {(function, number): Line}}; inline functions as all objects ran them, also those of tests."""
    objects = sorted(build.rglob("*.gcda"))
    if not objects:
        sys.exit(f"coverage: no counters in {build}: ./dev coverage makes them")
    files = defaultdict(lambda: defaultdict(Line))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(read_object, objects):
            for name, function, number, row in found:
                files[name][function, number].add(row)
    return files


def has_default(text, number):
    """Has the switch that begins in this line a default?"""
    depth = 0
    for line in text[number - 1:]:
        if depth == 1 and re.match(r"\s*default:", line):
            return True
        depth += line.count("{") - line.count("}")
        if depth == 0:
            return False
    return False


def drop_impossible(name, lines):
    """Take away the branches that nobody can take."""
    text = csource.blank(csource.read(name)).split("\n")
    for (_, number), line in lines.items():
        source = text[number - 1]
        if PROMISE.search(source):
            line.ways = []
        elif SWITCH.match(source) and line.ways and line.ways[-1] == 0 and not has_default(text, number):
            line.ways.pop()  # behind the ways of the cases


# ---- figures
class Figures:
    def __init__(self):
        self.lines, self.lines_taken, self.branches, self.branches_taken = 0, 0, 0, 0

    def add(self, lines):
        for line in lines:
            self.lines += 1
            self.lines_taken += line.count > 0
            self.branches += len(line.ways)
            self.branches_taken += sum(1 for way in line.ways if way)

    def percent(self):
        def of(part, whole):
            return 100.0 * part / whole if whole else 100.0
        return {"lines": of(self.lines_taken, self.lines), "branches": of(self.branches_taken, self.branches)}

    def row(self, name):
        percent = self.percent()
        return (f"  {name:<22} {self.lines_taken:6} of {self.lines:5} {percent['lines']:6.1f} %"
                f" {self.branches_taken:6} of {self.branches:5} {percent['branches']:6.1f} %")


def sum_up(files):
    """{folder: Figures}, with the sum of those that are held and of all."""
    folders = defaultdict(Figures)
    for name, lines in files.items():
        folder = str(pathlib.Path(name).parent)
        for key in (folder, " + ".join(HELD) if folder in HELD else None, "all"):
            if key:
                folders[key].add(lines.values())
    return folders


def print_table(folders):
    last = [name for name in (" + ".join(HELD), "all") if name in folders]
    print(f"  {'folder':<22} {'lines':>23} {'branches':>24}")
    for name in [*sorted(set(folders) - set(last)), *last]:
        print(folders[name].row(name))


def too_low(folders):
    for name in (*HELD, " + ".join(HELD)):
        for what, percent in folders[name].percent().items():
            if percent < LEAST[what]:
                yield f"{name}: {percent:.1f} % of the {what}, at least {LEAST[what]:g} %"


# ---- reasons
class Block:
    def __init__(self, number, name, function):
        self.number, self.name, self.function = number, name, function
        self.rows, self.chances, self.reason = Counter(), set(), []


def read_reasons():
    blocks = []
    for number, line in enumerate(csource.read(REASONS).splitlines(), 1):
        row = re.match(r"  \|(\??) (.*)", line)
        if not line.strip() or line.startswith("#"):
            continue
        if row:
            blocks[-1].rows[row.group(2).strip()] += 1
            if row.group(1):
                blocks[-1].chances.add(row.group(2).strip())
        elif line.startswith("  "):
            blocks[-1].reason.append(line.strip())
        else:
            blocks.append(Block(number, *line.split()))
    return blocks


def not_taken(files):
    """{(file, function): {text of a line: [numbers]}} of what no test takes, and the same of all lines."""
    missed, every = defaultdict(lambda: defaultdict(list)), defaultdict(set)
    for name, lines in files.items():
        text = csource.read(name).split("\n")
        for (function, number), line in sorted(lines.items()):
            source = text[number - 1].strip()
            every[name, function].add(source)
            if not line.is_taken and source not in ("{", "}"):
                missed[name, function][source].append(number)
    return missed, every


def unexplained(files, under, blocks):
    """What no test takes and no block explains; `under` are folders."""
    missed, _ = not_taken(files)
    known = defaultdict(Counter)
    for block in blocks:
        known[block.name, block.function].update(block.rows)
    for (name, function), rows in sorted(missed.items()):
        if str(pathlib.Path(name).parent) not in under:
            continue
        for source, numbers in rows.items():
            if len(numbers) > known[name, function][source]:
                line = files[name][function, numbers[-1]]
                ways = f"branches taken {sum(1 for w in line.ways if w)} of {len(line.ways)}: " if line.count else ""
                where = ", ".join(map(str, numbers))
                yield f"{name}:{where}: {function}: not taken, no reason given: {ways}{source}"


def out_of_date(files, blocks):
    missed, every = not_taken(files)
    for block in blocks:
        where, key = f"{REASONS}:{block.number}: {block.function}", (block.name, block.function)
        if not block.reason:
            yield f"{where}: no reason"
        for source, count in block.rows.items():
            if source not in every[key]:
                yield f"{where}: no such line: {source}"
            elif source not in block.chances and count > len(missed[key][source]):
                yield f"{where}: a test takes it: {source}"


def main():
    build, folders = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    files = read_counters(build)
    for name, lines in files.items():
        drop_impossible(name, lines)
    blocks = read_reasons()
    bad = [*too_low(sums := sum_up(files)), *unexplained(files, HELD, blocks), *out_of_date(files, blocks)]
    for line in [*unexplained(files, folders, blocks), *bad]:
        print(line)
    print_table(sums)
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
