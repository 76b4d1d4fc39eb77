"""What plays about operation share."""
import shutil
import subprocess
from pathlib import Path

import pytest

SHIM = Path(__file__).resolve().parents[1] / "support" / "kernel.c"


@pytest.fixture(scope="session")
def shim(session_folder):
    """A library that stands between the proxy and the kernel."""
    if shutil.which("cc") is None:
        pytest.skip("cc is not here")
    library = session_folder / "kernel.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SHIM, "-ldl"], check=True)
    return library
