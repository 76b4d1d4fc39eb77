#!/usr/bin/env python3
"""Fail when a function has more than 80 lines or a file more than 800.

A table or a flat switch may be longer when `/* long: reason */` stands inside it. Usage: sizes.py"""
import re
import sys

import csource

FUNCTION_LINES, FILE_LINES = 80, 800
EXCUSE = re.compile(r"/\* long: \S")


def check_file(path):
    count = csource.read(path).count("\n")
    if count > FILE_LINES:
        yield f"{path}: {count} lines, at most {FILE_LINES}: split it"


def check_functions(path):
    text = csource.read(path)
    lines = text.split("\n")
    for name, first, last in csource.functions(csource.blank(text)):
        length = last - first + 1
        if length > FUNCTION_LINES and not EXCUSE.search("\n".join(lines[first - 1:last])):
            yield f"{path}:{first}: {name} has {length} lines, at most {FUNCTION_LINES}"


def main():
    sources = csource.files(".c", ".h")
    others = csource.files(".py", ".js", under=None)
    bad = [line for path in sources + others for line in check_file(path)]
    bad += [line for path in sources for line in check_functions(path)]
    print("\n".join(bad) or f"sizes: {len(sources) + len(others)} files, none too long")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
