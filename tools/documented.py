#!/usr/bin/env python3
"""Fail when a setting or flag of the schema table is missing in a man page or in the completion, or when
they name one that does not exist. Usage: documented.py"""
import re
import sys

import csource

KEY = re.compile(r'^ +(\{|TIMEOUT\(|LIMIT\()"([a-z_.]+)",(?= KIND| [a-z]+_)', re.M)
FLAG = re.compile(r'"(--[a-z-]+)"')
MAN_KEY = re.compile(r"^\.It Ic (\S+)", re.M)
MAN_FLAG = re.compile(r"^\.It .*?Fl Fl ([a-z-]+)", re.M)
SHELL_FLAG = re.compile(r"--[a-z][a-z-]+")


def known_keys(schema):
    section = {"TIMEOUT(": "timeouts.", "LIMIT(": "limits."}
    for kind, key in KEY.findall(schema):
        yield section.get(kind, "") + key


def main():
    schema = csource.read("src/config/schema.c")
    config = csource.read("src/config/config.c")
    keys, flags = set(known_keys(schema)), set(FLAG.findall(schema + config))
    man_keys = set(MAN_KEY.findall(csource.read("docs/fairlead.yaml.5")))
    man_flags = {"--" + flag for flag in MAN_FLAG.findall(csource.read("docs/fairlead.1"))}
    shell_flags = set(SHELL_FLAG.findall(csource.read("packaging/fairlead.bash")))
    own_sections = ("listen", "admin")  # maps of their own, which config.c reads without the table
    bad = [f"docs/fairlead.yaml.5: {key} is missing" for key in sorted(keys - man_keys)]
    bad += [f"docs/fairlead.yaml.5: {key} is not in the schema" for key in sorted(man_keys - keys)
            if key.split(".")[0] not in own_sections]
    bad += [f"docs/fairlead.1: {flag} is missing" for flag in sorted(flags - man_flags)]
    bad += [f"packaging/fairlead.bash: {flag} is missing" for flag in sorted(flags - shell_flags)]
    print("\n".join(bad) or f"documented: {len(keys)} settings and {len(flags)} flags")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
