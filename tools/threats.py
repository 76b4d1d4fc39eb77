#!/usr/bin/env python3
"""Fail when docs/threat-model.md names a test that is not there, or a row of its tables names none and does not say why.

A test is named by a link: [its_name](../tests/its/file). A row without one must hold "to come" or "by design".
Usage: threats.py"""
import re
import sys

import csource

PAGE = "docs/threat-model.md"
LINK = re.compile(r"\[(\w+)\]\(\.\./(tests/[^)#]+)\)")
HEADS = re.compile(r"^\| *(:?-+:? *\| *)+$|^\| (who|class|what) ")


def faults(text):
    known = {}
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{PAGE}:{number}"
        names = LINK.findall(line)
        for name, path in names:
            if path not in known:
                there = csource.ROOT / path
                known[path] = there.read_text() if there.is_file() else ""
            if not re.search(rf"\b{name}\(", known[path]):
                yield f"{where}: {path} has no test {name}"
        if line.startswith("| ") and not HEADS.search(line) and not names and "to come" not in line \
                and "by design" not in line:
            yield f"{where}: a row without a test"


def main():
    text = csource.read(PAGE)
    bad = list(faults(text))
    print("\n".join(bad) or f"threats: {len(set(LINK.findall(text)))} tests are named")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
