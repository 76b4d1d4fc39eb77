"""tools/coverage.py: what counts, and what it says of lines that no test takes and of reasons that do not fit."""
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))
import coverage  # noqa: E402
import csource  # noqa: E402

NAME = "src/http/a.c"
SOURCE = """int a(int b)
{
    CHECK(b > 0);
    switch (b) {
    case 1: return 1;
    }
    if (b == 7)
        return ST_NOMEM;
    return 0;
}
"""
REASON = """# what a comment says
src/http/a.c a
  | if (b == 7)
  | return ST_NOMEM;
  Nobody says 7.
"""


def line(count, *ways):
    made = coverage.Line()
    made.add({"count": count, "branches": [{"count": way} for way in ways]})
    return made


@pytest.fixture
def judge(monkeypatch):
    """Gives what is said, with these reasons, of the file above; `seven` is how often b was 7."""
    def run(reasons, seven=0):
        monkeypatch.setattr(csource, "read", {NAME: SOURCE, coverage.REASONS: reasons}.__getitem__)
        files = {NAME: {("a", 1): line(3), ("a", 3): line(3, 0, 3), ("a", 4): line(3, 2, 0),
                        ("a", 7): line(1, seven, 1), ("a", 8): line(seven), ("a", 9): line(1)}}
        coverage.drop_impossible(NAME, files[NAME])
        blocks = coverage.read_reasons()
        return list(coverage.unexplained(files, coverage.HELD, blocks)) + list(coverage.out_of_date(files, blocks))
    return run


def test_what_has_its_reason_is_not_named(judge):
    """Neither are the failure of a CHECK and a switch without its default."""
    assert judge(REASON) == []


def test_what_has_no_reason_is_named(judge):
    """The line with its number and function, and of a branch how much of it is taken."""
    said = judge("")
    assert said == ["src/http/a.c:7: a: not taken, no reason given: branches taken 1 of 2: if (b == 7)",
                    "src/http/a.c:8: a: not taken, no reason given: return ST_NOMEM;"]


@pytest.mark.parametrize("change, seven, words", [
    (("7)", "8)"), 0, "no such line: if (b == 8)"), (("c a\n", "c z\n"), 0, "no such line"),
    (("  Nobody says 7.\n", ""), 0, "no reason"), (("", ""), 1, "a test takes it: return ST_NOMEM;"),
    (("  | if (b == 7)\n", "  | if (b == 7)\n  | if (b == 7)\n"), 0, "a test takes it: if (b == 7)")])
def test_a_reason_that_does_not_fit_is_named(judge, change, seven, words):
    """Its line or function is gone, it says nothing, or a test takes what it explains."""
    assert any(words in said for said in judge(REASON.replace(*change), seven))


def test_what_chance_takes_may_be_taken(judge):
    """A row with |? holds whether or not a test took its line."""
    reason = REASON.replace("  |", "  |?")
    assert judge(reason) == judge(reason, seven=1) == []


@pytest.mark.parametrize("percent, count", [((96, 90), 0), ((94, 90), 2), ((96, 80), 2), ((94, 80), 4)])
def test_too_little_is_named(percent, count):
    """For the folder and for both together."""
    folders = {name: coverage.Figures() for name in (*coverage.HELD, " + ".join(coverage.HELD))}
    for name in (coverage.HELD[0], " + ".join(coverage.HELD)):
        folders[name].lines, folders[name].branches = 100, 100
        folders[name].lines_taken, folders[name].branches_taken = percent
    assert len(list(coverage.too_low(folders))) == count
