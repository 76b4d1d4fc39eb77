"""The settings of limits: what is taken, how it is printed again, and what is said of those that are wrong."""
import pytest

from support.ops import told

GOOD = """limits:
  tunnels: 7
  requests: 3/s
  bandwidth: 1500KB/s
  per_client: { connections: 5, bandwidth: 2MiB/s }
  per_user: { requests: 1000/s }
  ranges:
    - { name: "lab", from: ["10.0.0.0/8"], tunnels: 3, bandwidth: 1MB/s }
    - { name: "1", from: ["2001:db8::/32"] }
  memory: 64MiB
  head_rate: 0
"""


def check(stage, text, *flags):
    path = stage.folder / "limits.yaml"
    path.write_text(text)
    return told(stage, "check", "-c", path, *flags)


def test_what_is_printed_loads_again_as_it_was(stage):
    code, printed, _ = check(stage, GOOD, "--print")
    assert code == 0
    for line in GOOD.replace(", bandwidth: 2MiB/s }", "").splitlines()[1:4]:
        assert line in printed
    assert '- { name: "lab", from: ["10.0.0.0/8"], tunnels: 3, bandwidth: 1MB/s }' in printed
    assert check(stage, printed, "--print")[1] == printed


@pytest.mark.parametrize("line, said", [
    ("requests: 5", "a number a second, like 100/s"), ("requests: 5/m", "a number a second"),
    ("bandwidth: 10MB", "bytes a second, like"), ("bandwidth: 100B/s", "is less than 1KiB/s"),
    ("bandwidth: 17GiB/s", "bytes a second"), ("connections: -1", "a number"), ("tunnels: many", "a number"),
    ("per_client: { tunnel: 3 }", 'did you mean "limits.per_client.tunnels"'), ("memory: 8MiB", "is less than the 24MiB"),
    ("ranges: [ { tunnels: 3 } ]", "limits.ranges[0].from: is missing"),
    ("ranges: [ { from: [10.0.0.1/8] } ]", "without host bits"), ("ranges: [ { from: [] } ]", "an empty list"),
    ("ranges: [ 10.0.0.0/8 ]", "expected a map such as"), ("ranges: 3", "a list of maps, one a range"),
    ("ranges: [ { name: a, from: ['::/0'] }, { name: a, from: [10.0.0.0/8] } ]", "another range has this name"),
    ("ranges: [ { from: ['::/0'], bandwidth: 1B/s } ]", "is less than 1KiB/s"),
    ("ranges: [ { from: ['::/0'], heads: 1 } ]", "unknown key")])
def test_errors(stage, line, said):
    code, _, errors = check(stage, f"limits:\n  {line}\n")
    assert code == 2 and said in errors and "limits.yaml:2:" in errors, errors
