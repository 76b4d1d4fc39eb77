#!/usr/bin/env python3
"""Fail when a setting or flag of the schema table is missing in a man page or in the completion, or when
they name one that does not exist. Usage: documented.py"""
import re
import sys

import csource

KEY = re.compile(r'(\.key = |\b[A-Z]+\()"?([a-z_.]*[a-z])"?,')
SECTIONS = {"TIMEOUT(": "timeouts.", "COUNT(": "limits.", "RATE(": "limits.", "BANDWIDTH(": "limits.", "BUDGET(": "",
            ".key = ": ""}  # what writes a row, and what it puts before the key
TABLES = {"listen_rows": "listen.", "rule_rows": "policy.rules.", "range_rows": "limits.ranges."}
FLAG = re.compile(r'"(--[a-z-]+)"')
MAN_KEY = re.compile(r"^\.It Ic (\S+)", re.M)
MAN_FLAG = re.compile(r"^\.It .*?Fl Fl ([a-z-]+)", re.M)
SHELL_FLAG = re.compile(r"--[a-z][a-z-]+")


def known_keys(main, maps):
    """Of the rows themselves, which begin a line."""
    def rows(text):
        return [SECTIONS[kind] + key for kind, key in re.findall(KEY, "".join(
            line for line in re.sub(r"(= )?\{\s*", "", text).splitlines(True)
            if line.strip().startswith(tuple(SECTIONS)))) if kind in SECTIONS]
    yield from rows(main)
    for table in re.split(r"static const struct schema_row ", maps)[1:]:
        name, _, text = table.partition("[]")
        yield from (TABLES[name] + key for key in rows(text))


def main():
    schema, maps = csource.read("src/config/schema.c"), csource.read("src/config/schema_maps.c")
    flags = set(FLAG.findall(schema + maps + csource.read("src/config/load_flags.c")))
    keys = set(known_keys(schema, maps)) - {"listen"}  # described by what it holds
    man_keys = set(MAN_KEY.findall(csource.read("docs/fairlead.yaml.5")))
    man_flags = {"--" + flag for flag in MAN_FLAG.findall(csource.read("docs/fairlead.1"))}
    shell_flags = set(SHELL_FLAG.findall(csource.read("packaging/fairlead.bash")))
    bad = [f"docs/fairlead.yaml.5: {key} is missing" for key in sorted(keys - man_keys)]
    bad += [f"docs/fairlead.yaml.5: {key} is not in the schema" for key in sorted(man_keys - keys)]
    bad += [f"docs/fairlead.1: {flag} is missing" for flag in sorted(flags - man_flags)]
    bad += [f"packaging/fairlead.bash: {flag} is missing" for flag in sorted(flags - shell_flags)]
    print("\n".join(bad) or f"documented: {len(keys)} settings and {len(flags)} flags")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
