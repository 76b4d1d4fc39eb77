#!/usr/bin/env python3
"""Make a C file of the dashboard's files, for src/admin/assets.h.  Usage: embed.py OUT.c FILE…"""
import hashlib
import pathlib
import sys

TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def array(name, content):
    numbers = [str(byte - 256 if byte > 127 else byte) for byte in content]
    lines = [", ".join(numbers[at:at + 24]) for at in range(0, len(numbers), 24)]
    return f"static const char {name}[] = {{\n    " + ",\n    ".join(lines) + ",\n};\n"


def main():
    out, *names = sys.argv[1:]
    paths = sorted(map(pathlib.Path, names), key=lambda path: path.name)
    parts, rows = ['#include "admin/assets.h"\n'], []
    for number, path in enumerate(paths):
        content = path.read_bytes()
        etag = hashlib.sha256(content).hexdigest()[:16]
        parts.append(array(f"content_{number}", content))
        rows.append(f'    {{"{path.name}", "{TYPES[path.suffix]}; charset=utf-8", "\\"{etag}\\"", '
                    f"content_{number}, sizeof(content_{number})}},\n")
    parts.append("const struct asset assets[] = {\n" + "".join(rows) + "};\n")
    parts.append("const size_t assets_count = sizeof(assets) / sizeof(assets[0]);\n")
    pathlib.Path(out).write_text("\n".join(parts), encoding="ascii")


if __name__ == "__main__":
    main()
