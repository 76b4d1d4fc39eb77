"""docs/log.schema.json: the JSON access log for machines."""
import json
import re
from pathlib import Path

import pytest

from support.admin import open_tunnels
from support.message import ok, request
from support.origin import echoes, replies_forever
from support.schema import faults, log_schema

ROOT = Path(__file__).resolve().parents[3]


def rows(title):
    """The words of the first column of the first table in docs/log.md below that title."""
    part = (ROOT / "docs" / "log.md").read_text().split(f"\n## {title}\n")[1]
    for line in part.split("|---|---|---|\n")[1].split("\n\n")[0].splitlines():
        yield from re.findall(r"`(\w+)`", line.split("|")[1])


def test_the_schema_knows_what_the_manual_knows():
    """Each member of docs/log.md is in the schema, and no other."""
    assert set(rows("json")) == set(log_schema()["properties"])


@pytest.fixture
def lines(stage):
    """Lines of every kind."""
    proxy = stage.proxy("--workers", "1")
    origin = stage.origin(replies_forever(ok(b"fine")))
    for target in (origin.url + "/a", origin.url + "/b", "http://10.0.0.1/", "http://127.0.0.1:8/"):
        with stage.client(proxy.connect()) as client:
            client.ask(request("GET", target, "User-Agent: \"\\", "Referer: http://a.example/?x"))
    client, = open_tunnels(stage, proxy, stage.origin(echoes), 1)
    client.half_close()
    client.expect_end("fin")
    proxy.records(5)
    return [json.loads(line) for line in proxy.log_lines()]


def test_lines_follow_the_schema(lines):
    assert [list(faults(line, log_schema())) for line in lines] == [[]] * 5


@pytest.mark.parametrize("member, value", [
    ("v", 2), ("v", True), ("kind", "other"), ("id", "12"), ("worker", -1), ("worker", True), ("client", "192.0.2.1"),
    ("status", 99), ("end", "-"), ("in_progress", False), ("attempts", []), ("bytes", {}), ("phases_us", {"wait": -1}),
    ("marks_us", {"u_rx0": 1.5}), ("dns", {"source": "guess"}), ("groups", [""]), ("new", 1)])
def test_what_is_none_is_told(lines, member, value):
    assert list(faults({**lines[0], member: value}, log_schema()))


def test_others_read_the_schema_the_same_way(lines):
    """python3-jsonschema: the schema is one, our lines follow it, and what is broken does not."""
    jsonschema = pytest.importorskip("jsonschema", reason="install Debian's python3-jsonschema")
    jsonschema.Draft7Validator.check_schema(log_schema())
    validator = jsonschema.Draft7Validator(log_schema())
    for line in lines:
        validator.validate(line)
    for broken in ({"v": 2}, {"kind": "other"}, {"attempts": []}, {"bytes": {}}, {"marks_us": {"u_rx0": 1.5}}):
        assert not validator.is_valid({**lines[0], **broken})
    assert validator.is_valid({**lines[0], "new": 1}), "new members may come at any time"
