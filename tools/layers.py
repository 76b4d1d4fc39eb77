#!/usr/bin/env python3
"""Fail when an #include goes up, sideways or round in a ring, or leaves the fence of its library.

The rows stand from bottom to top. A file may include its own folder and lower rows; folders of one row
do not see each other. Usage: layers.py"""
import re
import sys

import csource

ROWS = ["base", "record", "io http policy", "budget net report identity", "codec config", "upstream", "proxy",
        "admin", "server", "selftest learn view", "cli"]
LEVEL = {folder: number for number, row in enumerate(ROWS) for folder in row.split()}
FENCES = {  # a header of a library or of the kernel, and the folders that may know it; the first that fits counts
    "openssl/sha.h": {"net", "identity"},
    "openssl/": {"net"},
    "crypt.h": {"identity"},
    "ares": {"net"},
    "yaml.h": {"config"},
    "seccomp.h": {"server"},
    "sys/epoll.h": {"io"},
    "sys/socket.h": {"base", "io", "net", "server", "selftest"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)', re.M)


def check_system(path, folder, target):
    prefix = next((prefix for prefix in FENCES if target.startswith(prefix)), None)
    if prefix and folder not in FENCES[prefix]:
        yield f"{path}: <{target}> belongs to {', '.join(sorted(FENCES[prefix]))}"


def check_ours(path, folder, target):
    if "/" not in target:
        return  # made by the build, for this folder alone
    there = target.split("/")[0]
    if there not in LEVEL:
        yield f"{path}: '{target}' names no layer"
    elif there != folder and LEVEL[there] >= LEVEL[folder]:
        yield f"{path}: '{target}' is not below {folder}/"
    if target.endswith("_internal.h") and there != folder:
        yield f"{path}: '{target}' is private to {there}/"


def check_form(path, targets, text):
    """A .c includes its own header first; a header is guarded by a name made from its path."""
    inside = "/".join(path.parts[1:])
    if path.suffix == ".h":
        guard = "FAIRLEAD_" + re.sub(r"\W", "_", inside).upper()
        if f"#ifndef {guard}\n#define {guard}\n" not in text:
            yield f"{path}: the include guard is not {guard}"
    own = inside[:-2] + ".h"
    if path.suffix == ".c" and own in targets and targets[0] != own:
        yield f"{path}: its own header is not the first include"


def find_ring(edges):
    """The first ring of headers, as a list of names, or None."""
    done = set()

    def walk(node, trail):
        if node in trail:
            return trail[trail.index(node):] + [node]
        if node in done:
            return None
        for following in sorted(edges.get(node, ())):
            if ring := walk(following, trail + [node]):
                return ring
        done.add(node)
        return None

    return next((ring for node in sorted(edges) if (ring := walk(node, []))), None)


def main():
    bad, edges, count = [], {}, 0
    for path in csource.files(".c", ".h", under=("src",)):
        if len(path.parts) < 3:
            continue
        count += 1
        folder, text = path.parts[1], csource.read(path)
        if folder not in LEVEL:
            bad.append(f"{path}: the folder '{folder}' has no layer")
            continue
        found = INCLUDE.findall(text)
        ours = [target for kind, target in found if kind == '"']
        for kind, target in found:
            bad += (check_system if kind == "<" else check_ours)(path, folder, target)
        bad += check_form(path, [target for _, target in found], text)
        if path.suffix == ".h":
            edges["/".join(path.parts[1:])] = set(ours)
    if ring := find_ring(edges):
        bad.append("ring of headers: " + " -> ".join(ring))
    print("\n".join(bad) or f"layers: {count} files, every include goes down")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
