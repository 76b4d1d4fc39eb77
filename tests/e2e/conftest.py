"""Fixtures of the end-to-end tests. A test is a play: given an origin, the real proxy and a client; when they
talk; then bytes, record and phases are as claimed. The first line of each states the claim.

Markers: `raw` for plays with scripted players alone, `clients` for real clients, `ops` for operation.
Environment: FAIRLEAD_BINARY (default build/fairlead), FAIRLEAD_TEST_SLOW (factor on every wait)."""
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from support.certs import Certs  # noqa: E402
from support.proxy import binary  # noqa: E402
from support.stage import Stage  # noqa: E402


def pytest_configure(config):
    # A shell that plays in the background ignores SIGINT, and programs inherit that; none inherits a handler.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in ("raw: scripted players alone; also run on sanitizer builds", "clients: real clients",
                 "ops: start, stop, reload, logs", "threads: where threads talk; also run under TSan",
                 "without_faults: claims that harmless faults inside may break, as that a word arrives which is said "
                 "just before a close; not run with them",
                 "long_wait: waits half a minute for a limit; run on the release build alone"):
        config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(items):
    for item in items:
        area = Path(item.fspath).parent.name
        item.add_marker("clients" if area == "clients" else "raw")
        if area == "ops":
            item.add_marker("ops")
        if area in ("ops", "admin", "load"):
            item.add_marker("threads")


@pytest.fixture(scope="session")
def session_folder():
    """A folder that everybody may enter: the proxy serves as another user when root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="fairlead-e2e-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def certs(session_folder):
    folder = session_folder / "certs"
    folder.mkdir()
    certs = Certs(folder)
    for path in folder.iterdir():
        path.chmod(0o644)
    return certs


@pytest.fixture(scope="session")
def program(session_folder):
    """A copy of the binary, where every user may run it."""
    return shutil.copy2(binary(), session_folder / "fairlead")


@pytest.fixture
def folder(session_folder):
    """A folder of this play alone."""
    return Path(tempfile.mkdtemp(prefix="play-", dir=session_folder))


@pytest.fixture
def stage(folder, certs, program):
    """Starts the players, and ends them in the right order."""
    folder.chmod(0o755)
    stage = Stage(folder, certs, program)
    yield stage
    stage.end()


@pytest.fixture
def dns(stage):
    return stage.dns


@pytest.fixture
def proxy(stage):
    """The proxy as most plays want it: loopback allowed, CONNECT to any port, two workers."""
    return stage.proxy()


class Door:
    """One way in: the clear or the TLS listener of one proxy."""

    def __init__(self, name, proxy, context):
        self.name, self.proxy, self.context = name, proxy, context

    def connect(self, **more):
        return self.proxy.connect(tls=self.context, **more)


@pytest.fixture(params=["clear", "tls"])
def door(request, stage, certs):
    """A proxy entered through its clear and then through its TLS listener."""
    proxy = stage.proxy(tls=True)
    return Door(request.param, proxy, certs.client_context() if request.param == "tls" else None)
