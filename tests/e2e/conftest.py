"""Fixtures of the end-to-end tests. A test is a play: given an origin, the real proxy and a client; when they
talk; then bytes, record and phases are as claimed. The first line of each states the claim.

Markers: `raw` for plays with scripted players alone, `clients` for real clients, `ops` for operation.
Environment: FAIRLEAD_BINARY (default build/fairlead), FAIRLEAD_TEST_SLOW (factor on every wait)."""
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from support.certs import Certs  # noqa: E402
from support.stage import Stage  # noqa: E402


def pytest_configure(config):
    for line in ("raw: scripted players alone; also run on sanitizer builds",
                 "clients: real clients", "ops: start, stop, reload, logs, admin"):
        config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(items):
    for item in items:
        area = Path(item.fspath).parent.name
        item.add_marker("clients" if area == "clients" else "raw")
        if area == "ops":
            item.add_marker("ops")


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certs")
    folder.chmod(0o755)
    return Certs(folder)


@pytest.fixture
def stage(tmp_path, certs):
    """Starts the players, and ends them in the right order."""
    tmp_path.chmod(0o755)
    stage = Stage(tmp_path, certs)
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
