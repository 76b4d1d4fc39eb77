"""Real clients as child processes: found or skipped with the package's name, bounded, with a home of their own."""
import os
import shutil
import subprocess

import pytest

from support.bounds import SLOW

PATIENCE = 60 * SLOW  # seconds for one run of a client; heavy ones take long to start


def need(command, package):
    """The path of a client, or a skip that says what to install."""
    path = shutil.which(command)
    if path is None:
        pytest.skip(f"{command} is not here: install Debian's {package}, or run ./dev test --all")
    return path


def environment(home, **more):
    """Nothing of the user who runs the tests: no proxies, certificate stores or settings."""
    home.mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home),
            "LC_ALL": "C.UTF-8", **more}


def run(command, home, bound=PATIENCE, may_fail=False, **more):
    """The finished process; `more` are variables of its environment. Its output is bytes."""
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, cwd=home,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                               env=environment(home, **more))
    try:
        out, err = process.communicate(timeout=bound)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)  # the client's whole session: browsers have many processes
        out, err = process.communicate()
        raise AssertionError(f"{command[0]} did not end within {bound:g} s:\n{_text(out, err)}") from None
    assert may_fail or process.returncode == 0, f"{command} ended with {process.returncode}:\n" + \
        _text(out, err)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _text(out, err):
    return (out[-3000:] + b"\n--\n" + err[-3000:]).decode(errors="replace")
