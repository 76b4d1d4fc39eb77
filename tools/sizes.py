#!/usr/bin/env python3
"""Fail when a function has more than 80 lines, a file more than 800, or a line of C more than 120 characters (clang-format
keeps code to 100 columns, and leaves comments alone).

A table or a flat switch may be longer when `/* long: reason */` stands inside it. Usage: sizes.py"""
import re
import sys

import csource

FUNCTION_LINES, FILE_LINES, LINE_LENGTH = 80, 800, 120
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


def check_lines(path):
    for number, line in enumerate(csource.read(path).split("\n"), 1):
        if len(line) > LINE_LENGTH:
            yield f"{path}:{number}: {len(line)} characters, at most {LINE_LENGTH}"


def main():
    sources = csource.files(".c", ".h")
    others = csource.files(".py", ".js", under=None)
    bad = [line for path in sources + others for line in check_file(path)]
    bad += [line for path in sources for check in (check_functions, check_lines) for line in check(path)]
    print("\n".join(bad) or f"sizes: {len(sources) + len(others)} files, none too long")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
