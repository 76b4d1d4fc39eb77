"""docs/limits.md: what it shows works as it is shown."""
import re
from pathlib import Path

from support.message import ok, request
from support.origin import replies_forever
from support.ops import told

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "limits.md").read_text()
EXAMPLE = re.search(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)[1]


def test_the_example_serves(stage):
    """It loads, and a client that asks beyond its rate is told so."""
    path = stage.folder / "limits.yaml"
    path.write_text(EXAMPLE)
    path.chmod(0o644)
    origin = stage.origin(replies_forever(ok(b"hello")))
    proxy = stage.proxy("-c", path)
    with proxy.connect() as client:
        statuses = [client.ask(request("GET", origin.url + "/")).status for _ in range(200)]
    assert statuses[:50] == [200] * 50 and 429 in statuses


def test_the_keys_are_there(stage):
    """check --print has each key of the tables, with the default that they tell."""
    _, printed = told(stage, "check", "--print")[:2]
    for line in ("connections: 0", "memory: 0B", "head_rate: 64B/s", "body_rate: 0", "heads: 1024", "ranges: []"):
        assert line in printed, line
