"""The plays of this folder are named after the sections of the RFCs whose demands they show; docs/conformance.md
lists them. One proxy serves all plays of a file, since most of them need nothing of it but its standard settings."""
import os
import tempfile
from pathlib import Path

import pytest

from support.stage import Stage


@pytest.fixture(scope="module")
def proxy(session_folder, certs, program):
    """With one worker, so that every exchange finds the one pool."""
    folder = Path(tempfile.mkdtemp(prefix="conformance-", dir=session_folder))
    os.chmod(folder, 0o755)
    stage = Stage(folder, certs, program)
    yield stage.proxy("--workers", "1")
    stage.end()
