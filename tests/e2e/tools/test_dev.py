"""./dev on a machine that is not as it wants it."""
import os
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
