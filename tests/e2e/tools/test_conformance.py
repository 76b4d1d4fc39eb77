"""tools/conformance.py: what it says of entries and tests that do not fit together."""
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))
import conformance  # noqa: E402

ENTRY = ["2-1 MUST", "demand: A member is a token.", "here: It is."]
OTHER = ["2-2 not ours: cache. Members that are stored."]


def faults(tests, *blocks, counts=(("2", 2),)):
    """Of these entries of RFC 9209 and these (name, ids), given the counts of its sections."""
    entries = [conformance.read_entry("9209", list(block)) for block in blocks or (ENTRY, OTHER)]
    named = [conformance.Test(ROOT / "tests/e2e/conformance/test_x.py", name, ids) for name, ids in tests]
    count = {("9209", section): number for section, number in counts}
    return list(conformance.count_faults(entries, count)) + list(conformance.test_faults(named, {e.id: e for e in entries}))


def test_what_fits_has_no_fault():
    """An entry that is shown by a test of its section."""
    assert faults([("test_rfc9209_2_a_token", ["9209-2-1"])]) == []


@pytest.mark.parametrize("tests, words", [
    ([("test_rfc9209_2_a", ["9209-2-3"])], "there is no 9209-2-3"), ([("test_rfc9209_2_a", ["9209-2-2"])], "9209-2-2 is not ours"),
    ([("test_a", ["9209-2-1"])], "has no section"), ([("test_rfc9112_2_a", ["9209-2-1"])], "shows nothing of RFC 9112")])
def test_a_test_that_does_not_fit_is_named(tests, words):
    """An id that does not exist or does not bind, a name without a section, a section that is not shown."""
    [fault] = faults(tests)
    assert words in fault


@pytest.mark.parametrize("counts", [[("2", 3)], [("2", 1)], [("2", 2), ("2.1", 1)]])
def test_a_missing_sentence_is_named(counts):
    """A section whose entries are fewer or more than its sentences."""
    [fault] = faults([], counts=counts)
    assert "sentences" in fault


@pytest.mark.parametrize("block", [
    ["2-1 MAY", "demand: x", "here: y"], ["2-1 MUST", "demand: x"], ["2-1 MUST", "demand: x", "here: y", "because: z"],
    ["2-1 not ours: dull. x"], ["2-1 not ours: cache. x", "here: y"], ["2 MUST", "demand: x", "here: y"]])
def test_an_entry_that_cannot_be_read_is_a_fault(block):
    """A level, a part or a reason that there is not."""
    with pytest.raises(conformance.Fault):
        conformance.read_entry("9209", block)


def test_sentences_are_counted_by_section():
    """One for each sentence with a key word, wherever lines and list items end."""
    text = ("1. One\n\nA MUST b, e.g. SHOULD c. It may\nd. It\nMUST NOT e.\n\n1.1. Two\n\nNothing here.\n\n"
            "  • it SHALL f\n  • it is REQUIRED\n\nAppendix A. Three\n\nThey SHOULD g.\n")
    assert list(conformance.count("1", text)) == ["1 1 2", "1 1.1 2", "1 A 1"]


def test_every_demand_of_the_tree_is_shown():
    """The entries of tests/conformance, the tests of this tree and the page fit together."""
    entries = [entry for rfc in conformance.RFCS for entry in conformance.read_entries(rfc)]
    assert conformance.check(entries, conformance.read_tests(), is_written=False) == []
