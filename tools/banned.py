#!/usr/bin/env python3
"""Fail on what tools/banned.txt names, on a TODO without a number, and on a state that changes elsewhere
than in its machine's own function, `…_enter`. Usage: banned.py"""
import re
import sys

import csource

NOTE = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?! #\d)")
STATE = re.compile(r"->state\s*=[^=]")


def load_rules():
    rules = []
    for line in csource.read("tools/banned.txt").splitlines():
        if line and not line.startswith("#"):
            where, pattern, reason = line.split("\t")
            rules.append((where, re.compile(pattern), reason))
    return rules


def check(path, rules):
    text = csource.read(path)
    blanked = csource.blank(text)
    functions = csource.functions(blanked)
    for number, comment in csource.comments(text):
        if NOTE.search(comment):
            yield f"{path}:{number}: a note to oneself needs a number: TODO #12"
    for number, code in enumerate(blanked.split("\n"), 1):
        for where, pattern, reason in rules:
            if (where == "*" or str(path).startswith(where)) and (hit := pattern.search(code)):
                yield f"{path}:{number}: {hit.group(0).rstrip('( ')}: {reason}"
        if path.parts[0] == "src" and STATE.search(code):
            name = next((n for n, first, last in functions if first <= number <= last), "?")
            if not name.endswith("_enter"):
                yield f"{path}:{number}: ->state is set in {name}, outside its …_enter function"


def main():
    rules, paths = load_rules(), csource.files(".c", ".h")
    bad = [line for path in paths for line in check(path, rules)]
    print("\n".join(bad) or f"banned: {len(paths)} files, nothing of {len(rules)} rules found")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
