"""./dev on a machine that is not as it wants it."""
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_without_apt_the_missing_packages_are_listed(tmp_path):
    """On another distribution ./dev says what is missing, in Debian's names, and stops."""
    absent = {"ninja", "meson", "apt-get"}
    for folder in ("/usr/bin", "/bin", "/usr/sbin"):
        for program in Path(folder).iterdir():
            link = tmp_path / program.name
            if program.name not in absent and not link.is_symlink():
                link.symlink_to(program)
    done = subprocess.run([tmp_path / "bash", ROOT / "dev", "run", "--version"], capture_output=True, text=True,
                          env={"PATH": str(tmp_path), "HOME": os.environ.get("HOME", "/")}, timeout=60)
    assert done.returncode == 2 and done.stdout == "", done
    assert "These packages are missing: meson ninja-build\n" in done.stderr
    assert "these are Debian's names" in done.stderr


def test_a_runner_that_breaks_is_a_failure(tmp_path):
    """A meson that breaks before the first test leaves no counts behind: that is no success."""
    tree, programs = tmp_path / "tree", tmp_path / "programs"
    programs.mkdir()
    shutil.copytree(ROOT / "tools", tree / "tools")
    shutil.copy2(ROOT / "dev", tree / "dev")
    (tree / "build").mkdir()
    for name, line in (("meson", '[ "$1" != test ]'), ("ninja", "exit 0")):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    done = subprocess.run([tree / "dev", "test", "--unit"], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "DEV_TALLY": ""})
    assert done.returncode == 1, done
    assert "unit                   0 passed    1 failed" in done.stdout, done
