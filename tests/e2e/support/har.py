"""HAR 1.2 (ahmadnassri/har-spec, versions/1.2.md), as far as our archives go: each demand of the specification."""
import json
import re
from decimal import Decimal

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)$")
OPTIONAL = ("blocked", "dns", "connect", "ssl")  # -1: does not apply
MANDATORY = ("send", "wait", "receive")


def _only(thing, needed, optional=()):
    """All that must be there, and nothing else but what begins with an underscore."""
    assert set(needed) <= set(thing), (needed, thing)
    extra = {key for key in thing if not key.startswith("_")} - set(needed) - set(optional) - {"comment"}
    assert not extra, extra


def _check_timings(entry):
    timings = entry["timings"]
    _only(timings, MANDATORY, OPTIONAL)
    for name in MANDATORY:
        assert timings[name] >= 0, timings
    for name in OPTIONAL:
        assert timings[name] == -1 or timings[name] >= 0, timings
    assert all(value >= 0 for name, value in timings.items() if name.startswith("_")), timings
    parts = [timings[name] for name in (*OPTIONAL, *MANDATORY) if name != "ssl" and timings[name] != -1]
    assert entry["time"] == sum(parts), entry  # exact: they are decimals
    if timings["ssl"] != -1:
        assert timings["ssl"] <= timings["connect"]


def _check_message(message, needed, optional=()):
    _only(message, ["httpVersion", "cookies", "headers", "headersSize", "bodySize", *needed], optional)
    assert message["cookies"] == []
    for header in message["headers"]:
        _only(header, ["name", "value"])
    assert message["headersSize"] == -1 and isinstance(message["bodySize"], int) and message["bodySize"] >= -1


def _check_entry(entry):
    _only(entry, ["startedDateTime", "time", "request", "response", "cache", "timings"],
          ["serverIPAddress", "connection", "pageref"])
    assert DATE.match(entry["startedDateTime"]) and entry["cache"] == {}
    request, response = entry["request"], entry["response"]
    _check_message(request, ["method", "url", "queryString"], ["postData"])
    assert re.match(r"[a-z]+:\S*$", request["url"]) and "@" not in request["url"].split("?")[0]
    _check_message(response, ["status", "statusText", "content", "redirectURL"])
    _only(response["content"], ["size", "mimeType"], ["compression", "text", "encoding"])
    assert isinstance(response["status"], int)
    _check_timings(entry)


def check_har(text):
    """The entries of an archive that is one. Numbers are exact decimals."""
    archive = json.loads(text, parse_float=Decimal)
    _only(archive, ["log"])
    log = archive["log"]
    _only(log, ["version", "creator", "entries"], ["browser", "pages"])
    assert log["version"] == "1.2"
    _only(log["creator"], ["name", "version"])
    for entry in log["entries"]:
        _check_entry(entry)
    starts = [entry["startedDateTime"] for entry in log["entries"]]
    assert len(starts) == len(log["entries"])
    return log["entries"]
