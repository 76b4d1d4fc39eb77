#!/usr/bin/env python3
"""Make the C rows of the default deny list.  Usage: gen_egress.py egress.txt OUT.h"""
import ipaddress
import sys


def row(number, line):
    is_floor = line.startswith("floor ")
    parts = [part.strip() for part in line.removeprefix("floor ").split("|")]
    if len(parts) != 3:
        sys.exit(f"{sys.argv[1]}:{number}: expected RANGE | why | source")
    net = ipaddress.ip_network(parts[0])
    data = list(net.network_address.packed)
    data += [0] * (16 - len(data))
    text = ", ".join(str(byte) for byte in data)
    return (f"    {{{{{{{net.version}, {{{text}}}}}, {net.prefixlen}}}, "
            f"{'true' if is_floor else 'false'}, \"{parts[1]}\", \"{parts[2]}\"}},")


with open(sys.argv[1], encoding="ascii") as source:
    rows = [row(n, line.strip()) for n, line in enumerate(source, 1)
            if line.strip() and not line.startswith("#")]
with open(sys.argv[2], "w", encoding="ascii") as out:
    out.write("/* made by tools/gen_egress.py from src/policy/egress.txt */\n"
              "static const struct egress_row egress_rows[] = {\n" + "\n".join(rows) + "\n};\n")
