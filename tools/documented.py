#!/usr/bin/env python3
"""Fail when a setting or flag of the schema table is missing in a man page or in the completion, or when
they name one that does not exist. Usage: documented.py"""
import re
import sys

import csource

KEY = re.compile(r'(\.key = |TIMEOUT\()"([a-z_.]*[a-z])"')
FLAG = re.compile(r'"(--[a-z-]+)"')
MAN_KEY = re.compile(r"^\.It Ic (\S+)", re.M)
MAN_FLAG = re.compile(r"^\.It .*?Fl Fl ([a-z-]+)", re.M)
SHELL_FLAG = re.compile(r"--[a-z][a-z-]+")


def known_keys(schema):
    main, rest = schema.split("listen_rows[] = {")
    listen, rule = rest.split("rule_rows[] = {")
    for kind, key in KEY.findall(main):
        yield "timeouts." + key if kind == "TIMEOUT(" and "." not in key else key
    for _, key in KEY.findall(listen):
        yield "listen." + key
    for _, key in KEY.findall(rule):
        yield "policy.rules." + key


def main():
    schema = csource.read("src/config/schema.c")
    flags = set(FLAG.findall(schema + csource.read("src/config/load_flags.c")))
    keys = set(known_keys(schema)) - {"listen"}  # described by what it holds
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
