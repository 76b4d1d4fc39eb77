"""The table of failures (src/proxy/failure.h), and what answers, records and bodies tell of one of its rows."""
import html
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ROW = re.compile(r'X\(([A-Z_]+),\s*"([a-z_]+)",\s*(\d+),\s*"([a-z_]*)",\s*"([^"]+)"\)')
UNITS_NS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
ACCEPT = {"text": "text/plain", "html": "text/html", "json": "application/json"}
PHASE = r"phase (?P<phase>\w+), after (?P<count>[\d.]+) ?(?P<unit>ns|us|ms|s)"
TEXT = re.compile(rf"fairlead: (?P<sentence>.+)\.\n(The rule is (?P<rule>.+)\.\n)?"
                  rf"(To allow it: (?P<remedy>.+)\n|(?P<nothing>Nothing allows it\.\n))?"
                  rf"(The limit is (?P<setting>[\w.]+) of the configuration\.\n)?{PHASE}, exchange (?P<id>\w{{16}})\n")
HTML = re.compile(r"<!doctype html>.*<title>(?P<status>\d+) (?P<title>[^<]+)</title>.*<h1>(?P<sentence>[^<]+)</h1>"
                  r"(<p>(?P<detail>[^<]*)</p>)?(<p>The rule is <code>(?P<rule>[^<]+)</code>\.</p>)?"
                  r"(<p>To allow it: <code>(?P<remedy>[^<]+)</code></p>|<p>(?P<nothing>Nothing allows it\.)</p>)?"
                  r"(<p>The limit is <code>(?P<setting>[^<]+)</code> of the configuration.</p>)?"
                  rf"<p><small>fairlead &middot; {PHASE} &middot; exchange (?P<id>\w{{16}})</small></p></body></html>\n",
                  re.DOTALL)


class Row:
    def __init__(self, word, status, token, sentence):
        self.word, self.status, self.token, self.sentence = word, int(status), token, sentence


def rows():
    """The rows by their words, all but the one of no failure."""
    text = (ROOT / "src/proxy/failure.h").read_text().replace("\\\n", "")
    lines = re.search(r"#define FAILURES\(X\)(.*)", text)[1]
    names = re.findall(r"\bX\(([A-Z_]+),", lines)
    found = ROW.findall(lines)
    assert [name for name, *_ in found] == names[1:], "a row that cannot be read"
    return {word: Row(word, status, token, sentence) for _, word, status, token, sentence in found}


class Told:
    """A body: kind, sentence, phase, elapsed time and exchange id. `elapsed_ns` is exact to `unit_ns`."""

    def __init__(self, answer):
        self.kind = {"text/plain": "text", "text/html": "html", "application/json": "json"}[
            answer.get("Content-Type").split(";")[0]]
        text = answer.body.decode()
        getattr(self, f"_read_{self.kind}")(text)

    def _read_text(self, text):
        found = TEXT.fullmatch(text)
        assert found, f"not laid out as a failure: {text!r}"
        self._take(found)

    def _read_html(self, text):
        found = HTML.fullmatch(text)
        assert found and found["title"] == found["sentence"], f"not laid out as a failure: {text!r}"
        self._take(found)

    def _take(self, found):
        self.sentence = html.unescape(found["sentence"])
        self.phase, self.id, self.setting = found["phase"], found["id"], found["setting"]
        self.unit_ns = UNITS_NS[found["unit"]] * 10 ** -len(found["count"].partition(".")[2])
        self.elapsed_ns = float(found["count"]) * UNITS_NS[found["unit"]]

    def _read_json(self, text):
        told = json.loads(text)
        self.json = told
        self.setting = told.get("setting")
        self.sentence, self.phase, self.id = told["reason"], told["phase"], told["exchange"]
        self.elapsed_ns, self.unit_ns = told["elapsed_ms"] * 1e6, 1e6
