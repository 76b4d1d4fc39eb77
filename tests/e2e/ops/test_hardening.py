"""What the compiler and the linker add against faults of memory, as it stands in the program itself."""
import platform
import re
import shutil
import subprocess

import pytest

from support.proxy import has_sanitizer

COMPILED_FOR = {"x86_64": "endbr64", "aarch64": r"\b(bti|paciasp)\b"}


@pytest.fixture(scope="module")
def read(program):
    """What readelf says of the program."""
    if shutil.which("readelf") is None:
        pytest.skip("readelf is not installed (binutils)")

    def run(*words):
        done = subprocess.run(["readelf", "--wide", *words, program], capture_output=True, text=True, check=True)
        return done.stdout
    return run


def test_the_program_lies_anywhere(read):
    """Position independent: its place in memory is chosen anew at each start."""
    assert re.search(r"Type:\s+DYN", read("--file-header"))
    assert re.search(r"FLAGS_1\).*\bPIE\b", read("--dynamic"))


def test_what_the_linker_filled_in_is_read_only(read):
    """Full RELRO: all names are resolved at the start, and the table of them is shut."""
    assert "GNU_RELRO" in read("--program-headers")
    assert re.search(r"BIND_NOW|FLAGS_1\).*\bNOW\b", read("--dynamic"))


def test_nothing_is_writable_and_runs(read):
    """No segment is both, the stack least of all."""
    rows = re.findall(r"^\s+(LOAD|GNU_STACK)\s+(?:0x[0-9a-f]+\s+){5}([RWE ]{3})", read("--program-headers"), re.M)
    assert {kind for kind, _ in rows} == {"LOAD", "GNU_STACK"}
    assert not any("W" in flags and "E" in flags for _, flags in rows), rows


def test_frames_and_copies_are_guarded(read, program):
    """A canary where a frame has a buffer; the C library's functions that know how large it is."""
    if has_sanitizer(program):
        pytest.skip("a sanitizer guards copies by itself")
    names = read("--dyn-syms")
    assert "__stack_chk_fail" in names
    assert re.search(r"__(memcpy|memset|snprintf|vsnprintf|fprintf)_chk", names)


def test_jumps_land_where_they_may(program):
    """Each function that can be jumped to says so, for processors that look (CET, BTI)."""
    mark = COMPILED_FOR.get(platform.machine())
    if mark is None or shutil.which("objdump") is None:
        pytest.skip(f"not known for {platform.machine()}, or objdump is not installed")
    done = subprocess.run(["objdump", "--disassemble=main", program], capture_output=True, text=True, check=True)
    assert re.search(mark, done.stdout), done.stdout[:400]
