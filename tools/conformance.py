#!/usr/bin/env python3
"""Makes docs/conformance.md of tests/conformance and of the tests that name its entries.

tests/conformance/rfcNNNN.txt has one entry for each sentence of the RFC that holds MUST, SHOULD, REQUIRED, SHALL
or RECOMMENDED. They are numbered by section, in their order. Those that bind Fairlead:

    6.1-7 SHOULD
    demand: what is demanded, in a few words
    here: what Fairlead does
    choice: where the RFC leaves one, why this one
    departs: where the demand is not met, or not quite, and why

choice and departs may be missing. The others say why not (REASONS below), and what they are about:

    6.3-7 not ours: user agent. An invalid length in a response.

tests/conformance/counts.txt says how many such sentences each section has; --count makes it from an RFC's text.

A test names the entries that it shows: @shows("9112-6.1-7") in Python, the comment `shows 9112-6.1-7` directly
above a test in C. It may carry the section in its name: test_rfc9112_6_1_..., rfc9112_6_1_...

Usage: conformance.py             fail where the page is out of date, or an entry or a test is at fault
       conformance.py --write     write the page
       conformance.py --count 9112 rfc9112.txt     print the counts of an RFC's text"""
import ast
import re
import sys
from pathlib import Path

import csource

RFCS = {"9110": "HTTP Semantics", "9112": "HTTP/1.1", "9209": "The Proxy-Status field"}
PAGE = csource.ROOT / "docs/conformance.md"
DATA = csource.ROOT / "tests/conformance"
LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "RECOMMENDED")
PARTS = ("demand", "here", "choice", "departs")
REASONS = {
    "terms": "defines the key words",
    "user agent": "for programs that make requests of their own, and for their users",
    "origin server": "for servers that have resources",
    "gateway": "for gateways",
    "cache": "for caches; Fairlead has none",
    "registry": "for authors of specifications",
    "not used": "about something that Fairlead neither sends nor reads",
}
CHAPTERS = {
    "9110": {"2": "Conformance", "3": "Terminology", "4": "Identifiers", "5": "Fields", "6": "Messages",
             "7": "Routing", "8": "Representations", "9": "Methods", "10": "Context", "11": "Authentication",
             "12": "Content negotiation", "13": "Conditional requests", "14": "Ranges", "15": "Status codes"},
    "9112": {"2": "Messages", "3": "Request line", "4": "Status line", "5": "Field syntax", "6": "Message body",
             "7": "Transfer codings", "8": "Incomplete messages", "9": "Connections"},
    "9209": {"2": "The field"},
}


class Fault(Exception):
    """Something in the data or the tests that the check is to say."""


# ---- the data
class Entry:
    def __init__(self, rfc, section, number):
        self.rfc, self.section, self.number = rfc, section, number
        self.level = self.reason = None
        self.text = {}
        self.tests = []

    @property
    def id(self):
        return f"{self.rfc}-{self.section}-{self.number}"

    @property
    def is_ours(self):
        return self.reason is None

    @property
    def chapter(self):
        return self.section.split(".")[0]


HEAD = re.compile(r"(\d+(?:\.\d+)*)-(\d+) (?:not ours: ([a-z ]+)\. (\S.*)|([A-Z ]+))")


def read_entry(rfc, lines):
    head = HEAD.fullmatch(lines[0])
    if not head:
        raise Fault(f"rfc{rfc}.txt: cannot read {lines[0]!r}")
    section, number, reason, about, level = head.groups()
    entry = Entry(rfc, section, int(number))
    entry.level, entry.reason = level, reason
    for line in lines[1:]:
        part, colon, text = line.partition(": ")
        if not colon or part not in PARTS or part in entry.text:
            raise Fault(f"{entry.id}: cannot read {line!r}")
        entry.text[part] = text
    if reason and (reason not in REASONS or len(lines) > 1):
        raise Fault(f"{entry.id}: {reason!r} is no reason, or it has too many lines")
    if level and (level not in LEVELS or not {"demand", "here"} <= set(entry.text)):
        raise Fault(f"{entry.id}: {level!r} is no level, or demand or here is missing")
    if reason:
        entry.text["about"] = about
    return entry


def read_entries(rfc):
    lines = [line for line in (DATA / f"rfc{rfc}.txt").read_text().split("\n") if not line.startswith("#")]
    blocks = re.split(r"\n{2,}", "\n".join(lines).strip())
    return [read_entry(rfc, block.split("\n")) for block in blocks]


def read_counts():
    counts = {}
    for line in (DATA / "counts.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            rfc, section, count = line.split()
            counts[rfc, section] = int(count)
    return counts


# ---- the tests
class Test:
    def __init__(self, path, name, ids):
        self.path, self.name, self.ids = path, name, ids

    @property
    def label(self):
        """Its claim in words; the whole name is shown where the pointer rests."""
        words = re.sub(r"^(test_)?(rfc\d{4}(_\d+)+_)?", "", self.name)
        words = re.sub(r"rfc(\d{4})((?:_\d+)+)",
                       lambda found: f"RFC {found[1]} §{found[2][1:].replace('_', '.')}", words)
        return re.sub(r"(?<![0-9a-z])1_(?=[01](_|$))", "1.", words).replace("_", " ")


def is_shows(node):
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == "shows"


def python_tests(path):
    for node in ast.parse(path.read_text()).body:
        ids = [argument.value for call in getattr(node, "decorator_list", []) if is_shows(call)
               for argument in call.args]
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield Test(path, node.name, ids)
        elif ids:
            raise Fault(f"{path}: {node.name} is no test that pytest finds")


SHOWN = re.compile(r"/\* shows ([^*]*)\*/\s*(?:/\*(?:[^*]|\*(?!/))*\*/\s*)?static void (\w+)\(void \*\*state\)")


def c_tests(path):
    text = path.read_text()
    found = SHOWN.findall(text)
    if len(found) != len(re.findall(r"/\* shows ", text)):
        raise Fault(f"{path}: a `shows` that stands above no test")
    for ids, name in found:
        if not re.search(rf"\b(cmocka_unit_test\w*|PLAY)\({name}\b", text):
            raise Fault(f"{path}: {name} is not run")
        yield Test(path, name, ids.split())


def read_tests():
    tests = []
    for path in sorted((csource.ROOT / "tests").rglob("test_*.py")):
        tests += python_tests(path)
    for path in sorted((csource.ROOT / "tests").rglob("test_*.c")):
        tests += c_tests(path)
    return tests


# ---- the checks
def count_faults(entries, counts):
    numbers = {}
    for entry in entries:
        numbers.setdefault((entry.rfc, entry.section), []).append(entry.number)
    for key in sorted(set(numbers) | set(counts)):
        have, want = numbers.get(key, []), list(range(1, counts.get(key, 0) + 1))
        if have != want:
            yield f"RFC {key[0]} §{key[1]}: the entries are {have}, and the section has {len(want)} sentences"


def name_fault(test):
    named = re.match(r"(?:test_)?rfc(\d{4})_(\d+)(?:_\d+)*_[a-z]", test.name)
    if not named:
        return test.path.parent.name == "conformance" and "has no section in its name"
    chapter = re.compile(rf"{named[1]}-{named[2]}[.-]")
    if test.ids and not any(chapter.match(i) for i in test.ids):
        return f"shows nothing of RFC {named[1]}, chapter {named[2]}"
    return None


def test_faults(tests, by_id):
    for test in tests:
        where = f"{test.path.relative_to(csource.ROOT)}: {test.name}"
        for i in test.ids:
            if i not in by_id:
                yield f"{where}: there is no {i}"
            elif not by_id[i].is_ours:
                yield f"{where}: {i} is not ours"
        if fault := name_fault(test):
            yield f"{where} {fault}"


def faults(entries, tests):
    by_id = {entry.id: entry for entry in entries}
    yield from count_faults(entries, read_counts())
    yield from test_faults(tests, by_id)
    for test in tests:
        for i in test.ids:
            if i in by_id:
                by_id[i].tests.append(test)
    for entry in entries:
        if entry.is_ours and not entry.tests:
            yield f"{entry.id}: no test shows it: {entry.text['demand']}"


# ---- the page
def cell(text):
    return text.replace("|", "\\|")


def section_link(entry):
    return f"[{entry.section}](https://www.rfc-editor.org/rfc/rfc{entry.rfc}#section-{entry.section})"


def test_link(test):
    return f'&#8226; [{test.label}](../{test.path.relative_to(csource.ROOT)} "{test.name}")'


def row(entry):
    here = entry.text["here"]
    if "choice" in entry.text:
        here += f" *Why:* {entry.text['choice']}"
    if "departs" in entry.text:
        here += f" **Departs:** {entry.text['departs']}"
    first = f'<a id="{entry.id}"></a>{section_link(entry)}&#8209;{entry.number}'
    shown = "<br>".join(test_link(test) for test in entry.tests)
    return f"| {first} | {entry.level} | {cell(entry.text['demand'])} | {cell(here)} | {shown} |"


def anchor(title):
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def chapter_title(rfc, chapter):
    return f"RFC {rfc}, {chapter}: {CHAPTERS[rfc][chapter]}"


def chapters(entries, rfc):
    found = {}
    for entry in entries:
        if entry.rfc == rfc and entry.is_ours:
            found.setdefault(entry.chapter, []).append(entry)
    return found


INTRODUCTION = """\
# Conformance

What the three RFCs that Fairlead lives by demand of it, what it does, and which tests show it.

Fairlead is an intermediary: towards clients a server, towards origins a client, for everything that passes a
recipient and a sender (RFC 9110 §3.7). With CONNECT it is a tunnel. It has no cache, so nothing of RFC 9111 and
nothing that is for caches binds it.

This page is generated by `tools/conformance.py`; do not edit it. The entries stand in
[tests/conformance](../tests/conformance), and tests name those that they show. `./dev lint` fails when the page is
out of date, when a demand has no test, when a test names an entry that does not exist, and when a sentence of the
RFCs is missing here: each section's sentences with MUST, SHOULD, REQUIRED, SHALL or RECOMMENDED are counted.

An entry is called by RFC, section and number: 9112-6.1-7 is the seventh such sentence of RFC 9112 §6.1. The words
are ours; the number links to the section, whose words count. *Why* gives the reason where the RFC leaves a choice.
One reason is behind many of them: **what two readers could take differently is refused**, in requests with 400 and
the end of the connection, in responses with 502, and their connection is not used again. That is stricter than the
RFCs ask for. Two leniencies stay, since both are safe: white space before the colon of a response field is removed
([9112-5.1-2](#9112-5.1-2)), and a response whose transfer codings do not hold chunked is read to the end of its
connection (RFC 9112 §6.3, fourth case) and keeps these codings ([9112-6.1-4](#9112-6.1-4)). Where chunked is among
others, but not alone, it is not sure where the content ends: that is 502.
"""


def contents(entries):
    for rfc, title in RFCS.items():
        of_rfc = [entry for entry in entries if entry.rfc == rfc]
        ours = [entry for entry in of_rfc if entry.is_ours]
        links = ", ".join(f"[{c} {CHAPTERS[rfc][c]}](#{anchor(chapter_title(rfc, c))})"
                          for c in chapters(entries, rfc))
        yield f"| [RFC {rfc}](https://www.rfc-editor.org/rfc/rfc{rfc}) {title} | {len(of_rfc)} | {len(ours)} " \
              f"| {len({test for entry in ours for test in entry.tests})} | {links} |"


def departures(entries):
    for entry in entries:
        if "departs" in entry.text:
            yield f"- [{entry.id}](#{entry.id}) ({entry.level}): {entry.text['demand']} " \
                  f"**Here:** {entry.text['departs']}"


def not_ours(entries):
    for reason, meaning in REASONS.items():
        for rfc in RFCS:
            found = [e for e in entries if e.reason == reason and e.rfc == rfc]
            if found:
                listed = ", ".join(f"{e.section}&#8209;{e.number}" for e in found)
                yield f"| {reason}: {meaning} | {rfc} | {len(found)} | {listed} |"


def page(entries):
    lines = [INTRODUCTION, "| | sentences | bind us | tests | chapters |", "|---|---|---|---|---|",
             *contents(entries), "", "## Where Fairlead departs", "", *departures(entries), ""]
    for rfc in RFCS:
        for chapter, found in chapters(entries, rfc).items():
            lines += [f"## {chapter_title(rfc, chapter)}", "", "| § | | demand | Fairlead | shown by |",
                      "|---|---|---|---|---|", *map(row, found), ""]
    lines += ["## What does not bind", "", "| why | RFC | count | sentences |", "|---|---|---|---|",
              *not_ours(entries)]
    return "\n".join(lines) + "\n"


# ---- counting in an RFC's text
KEY = re.compile(r"\b(MUST|SHALL|REQUIRED|SHOULD|RECOMMENDED)\b")
TITLE = re.compile(r"(?:Appendix )?((?:\d+|[A-Z])(?:\.\d+)*)\.\s+\S")
ITEM = re.compile(r"\s*(•|\*|□|☆|\d+\.)\s")
SENTENCE_END = re.compile(r"""(?<!e\.g)(?<!i\.e)(?<!etc)[.?!]["')\]]*\s+(?=[A-Z"('*<])""")


def paragraphs(text):
    section, lines = None, []
    for line in text.replace("\f", "").split("\n"):
        title = TITLE.match(line)
        if title or not line.strip() or ITEM.match(line):
            if section and lines:
                yield section, " ".join(lines)
            lines = []
        if title:
            section = title[1]
        elif line.strip():
            lines.append(line.strip())
    if section and lines:
        yield section, " ".join(lines)


def count(rfc, text):
    counts = {}
    for section, paragraph in paragraphs(text):
        sentences = SENTENCE_END.split(paragraph)
        counts[section] = counts.get(section, 0) + sum(bool(KEY.search(s)) for s in sentences)
    for section, number in counts.items():
        if number:
            yield f"{rfc} {section} {number}"


# ---- running
def check(entries, tests, is_written):
    bad = list(faults(entries, tests))
    text = page(entries)
    if is_written and not bad:
        PAGE.write_text(text)
    elif not bad and (not PAGE.exists() or PAGE.read_text() != text):
        bad.append("docs/conformance.md is out of date: tools/conformance.py --write")
    return bad


def main(arguments):
    if arguments[:1] == ["--count"]:
        print("\n".join(count(arguments[1], Path(arguments[2]).read_text())))
        return False
    try:
        entries = [entry for rfc in RFCS for entry in read_entries(rfc)]
        bad = check(entries, read_tests(), arguments == ["--write"])
    except Fault as fault:
        bad = [str(fault)]
    ours = bad or [entry for entry in entries if entry.is_ours]
    print("\n".join(bad) or f"conformance: {len(ours)} of {len(entries)} demands bind, and are shown by tests")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
