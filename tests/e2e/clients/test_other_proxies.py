"""fairlead trace through proxies of others: a plain request, and https the whole way."""
import os
import subprocess
from contextlib import contextmanager, suppress

import pytest

from support.bounds import wait_until
from support.message import ok
from support.ops import closed_port, told
from support.origin import replies_forever
from support.programs import environment, need
from support.wire import connect

TINYPROXY = "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 10\n"
SQUID = """http_port 127.0.0.1:{port}
http_access allow all
access_log none
cache_log {folder}/cache.log
pid_filename none
coredump_dir {folder}
cache_mem 8 MB
max_filedescriptors 256
shutdown_lifetime 0 seconds
"""


@contextmanager
def other_proxy(command, folder, settings):
    """Its port, once it listens there."""
    port = closed_port()
    folder.chmod(0o777)  # it may become another user
    file = folder / "other.conf"
    file.write_text(settings.format(port=port, folder=folder))
    with open(folder / "other.log", "wb") as log:
        process = subprocess.Popen([str(word).format(file=file) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   cwd=folder, env=environment(folder / "home"), start_new_session=True)

    def listens():
        assert process.poll() is None, (folder / "other.log").read_text()
        with suppress(OSError):
            connect(("127.0.0.1", port)).close()
            return True
        return False
    try:
        wait_until(listens, f"{command[0]} to listen", 30)
        yield port
    finally:
        os.killpg(process.pid, 9)
        process.wait(10)


@pytest.mark.parametrize("name, command, settings", [
    ("tinyproxy", ["-d", "-c", "{file}"], TINYPROXY), ("squid", ["-N", "-f", "{file}"], SQUID)], ids=["tinyproxy", "squid"])
def test_other_programs_are_asked(stage, folder, name, command, settings):
    path = need(name, name)
    origin = stage.origin(replies_forever(ok(b"fine")), tls=True)
    clear = stage.origin(replies_forever(ok(b"fine")))
    with other_proxy([path, *command], folder, settings) as port:
        code, out, said = told(stage, "trace", "--upstream-ca", stage.certs.ca, "--proxy", f"http://127.0.0.1:{port}",
                               "--serial", "--connect-port", "any", f"https://127.0.0.1:{origin.port}/", clear.url + "/")
    assert (code, said) == (0, ""), out
    rows = [line.split()[0] for line in out.splitlines() if line.startswith("  ") and "  slow: " not in line]
    assert rows == ["blocked", "connect", "parent", "tls", "send", "wait", "load", "blocked", "connect", "send", "wait", "load"]
