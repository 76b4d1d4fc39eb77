#!/usr/bin/env python3
"""Make the C tables of the gate from src/policy/egress.txt.  Usage: gen_egress.py egress.txt OUT.h"""
import ipaddress
import re
import sys

KINDS = ("range", "floor", "name", "port")
TEXT = re.compile(r"[A-Za-z0-9 ,./()-]+")


def fail(number, message):
    sys.exit(f"{sys.argv[1]}:{number}: {message}")


def prefix(number, value):
    """The initialiser of a struct inet_prefix."""
    try:
        net = ipaddress.ip_network(value)
    except ValueError as error:
        fail(number, str(error))
    packed = list(net.network_address.packed)
    packed += [0] * (16 - len(packed))
    return f"{{{{{net.version}, {{{', '.join(map(str, packed))}}}}}, {net.prefixlen}}}"


def value_of(number, kind, value):
    if kind in ("range", "floor"):
        return prefix(number, value)
    if kind == "name" and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", value):
        return f'"{value}"'
    if kind == "port" and value.isdecimal() and 0 < int(value) < 65536:
        return value
    return fail(number, f"not a {kind}: {value}")


def read(path):
    """Rows by kind, as initialisers; ports in ascending order."""
    rows = {kind: [] for kind in KINDS}
    seen = set()
    with open(path, encoding="ascii") as source:
        for number, line in enumerate(source, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            parts = [part.strip() for part in line.split("|")]
            kind, _, value = parts[0].partition(" ")
            if len(parts) != 3 or kind not in KINDS or not all(map(TEXT.fullmatch, parts[1:])):
                fail(number, "expected KIND VALUE | why | source")
            if (kind, value) in seen:
                fail(number, f"{kind} {value} stands here twice")
            seen.add((kind, value))
            order = int(value) if kind == "port" else number
            row = f'{value_of(number, kind, value)}, "{parts[1]}", "{parts[2]}"'
            rows[kind].append((order, row))
    return rows


def main():
    rows = read(sys.argv[1])
    with open(sys.argv[2], "w", encoding="ascii") as out:
        out.write("/* Made by tools/gen_egress.py from src/policy/egress.txt. */\n")
        for kind in KINDS:
            struct = {"name": "egress_name", "port": "egress_port"}.get(kind, "egress_range")
            out.write(f"static const struct {struct} egress_{kind}s[] = {{\n")
            for _, row in sorted(rows[kind]):
                out.write(f"    {{{row}}},\n")
            out.write("};\n")


main()
