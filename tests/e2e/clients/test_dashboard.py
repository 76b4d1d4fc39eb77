"""The dashboard in headless Chromium. The page is that of the real program, with its fields; most plays script the figures that
it asks for (support/front.py), the last ones look at the real thing. How it looks is in test_dashboard_looks.py."""
import json
import re
import time
from urllib.parse import quote

import pytest

from support import sample
from support.admin import BEARER, TOKEN, list_tunnels, open_tunnels, with_token
from support.bounds import Cue, wait_until
from support.dashboard import NOW_US, asked, choose, fill, open_row, records, rows, shown
from support.front import POINT
from support.message import ok, request
from support.origin import echoes, replies, replies_forever

LIMIT = 10_000  # rows that the page keeps
SPARE = 500
FOCUSED = "(document.activeElement.id || document.activeElement.tagName)"
CURRENT = "document.getElementById(document.querySelector('#grid').getAttribute('aria-activedescendant'))?.ariaRowIndex"


def test_it_asks_for_nothing_elsewhere(front, show):
    """All that the page loads comes from the listener; the policy is not violated, and the console is silent."""
    front.push(*records(50))
    screen = show()
    rows(screen, 50)
    screen.key("2")
    screen.wait("!document.querySelector('#overview').hidden && document.querySelectorAll('svg.plot path').length > 0")
    assert all(url.startswith(front.url) for url in screen.asked) and len(screen.asked) > 15
    assert screen.said == []


def test_transactions_appear_as_they_end(front, show):
    """What the ring has is there at once, what ends then comes behind it, and the list follows."""
    front.push(*records(100))
    screen = show()
    rows(screen, 100)
    front.push(sample.record(101, NOW_US, url="http://newest.example/path", host="newest.example", end="done"))
    rows(screen, 101)
    screen.wait("[...document.querySelectorAll('.body .row:not([hidden]) .c-target')].some((c) => c.title.startsWith('newest.example'))")
    assert shown(screen)[-1] == "newest.example/path"


def test_scrolling_to_the_top_asks_for_what_was_before(front, show):
    """Of a long history the newest thousand come first, the others when the top is reached, and what is in view stays there."""
    front.push(*records(2500))
    screen = show()
    rows(screen, "1,000")
    screen.run("document.querySelector('#grid').scrollTop = 0")
    rows(screen, "2,000")
    assert screen.wait("document.querySelector('#grid').scrollTop") >= 1000 * 24
    screen.run("document.querySelector('#grid').scrollTop = 0")
    rows(screen, "2,500")
    assert [target.split("before=")[1] for target in asked(front, "/api/v1/transactions?") if "before=" in target] == ["1501", "501"]


def test_a_tunnel_grows_and_ends(front, show):
    """An open tunnel is listed once, with its time so far, and becomes its record."""
    front.push(*records(3))
    tunnel = sample.open_tunnel(1000, int(time.time() * 1e6))
    front.tunnels = [tunnel]
    screen = show()
    rows(screen, 4)
    assert screen.wait("document.querySelector('.row.open .c-total').textContent.length > 0")
    first = screen.text(".row.open .c-total")
    screen.wait(f"document.querySelector('.row.open .c-total').textContent !== {json.dumps(first)}", "the tunnel to grow")
    front.tunnels = []
    front.push({**sample.record(4, NOW_US), "id": tunnel["id"], "kind": "tunnel", "end": "done"})
    screen.wait("!document.querySelector('.body .row.open:not([hidden])')", "the tunnel to end")
    rows(screen, 4)


def test_a_request_in_flight_grows_and_becomes_its_record(front, show):
    """A request that lasts has one row with the phase that it is in, its details grow, and the record of its end takes the same row."""
    front.push(*records(3))
    begun_us = int(time.time() * 1e6) - 2_000_000
    front.requests = [lambda: sample.in_flight(1000, begun_us, "wait")]
    screen = show()
    rows(screen, 4)
    assert "age=500ms" in asked(front, "/api/v1/requests")[-1] and screen.text("#open-count") == "1"
    screen.wait("document.querySelector('.row.open em').textContent === 'waiting for the origin'")
    assert "wait so far" in screen.run("document.querySelector('.row.open .bars').title")
    first = screen.text(".row.open .c-total")
    screen.wait(f"document.querySelector('.row.open .c-total').textContent !== {json.dumps(first)}", "it to grow")
    screen.click(".row.open")
    told = screen.wait("document.querySelector('#detail .phases').innerText.includes('so far') && document.querySelector('#detail').innerText")
    assert "waiting for the origin" in told and "in progress" in told and "End tunnel" not in told and "Export HAR" not in told
    front.requests = [lambda: sample.in_flight(1000, begun_us, "load")]
    screen.wait("document.querySelector('.row.open em').textContent === 'loading'", "the next phase")
    identity = sample.in_flight(1000, begun_us, "load")["id"]
    front.requests = []
    front.push({**sample.record(4, NOW_US), "id": identity, "kind": "exchange", "status": 200, "end": "done"})
    screen.wait("!document.querySelector('.body .row.open:not([hidden])')", "it to end")
    rows(screen, 4)
    screen.wait("document.querySelector('#open-count').textContent === '0'")
    assert screen.said == []


def test_a_request_whose_record_does_not_come_is_let_go(front, show):
    """What is listed no more has ended, though the stream left its record out; as long as a list is cut nobody can know."""
    stays = sample.in_flight(2000, int(time.time() * 1e6) - 1_000_000, "connect")
    front.requests = [stays, sample.in_flight(2001, int(time.time() * 1e6), "dns")]
    screen = show()
    rows(screen, 2)
    front.requests, front.cuts_requests = [stays], True
    for _ in range(4):
        count = len(asked(front, "/api/v1/requests"))
        wait_until(lambda: len(asked(front, "/api/v1/requests")) > count, "another look")
    assert screen.run("document.querySelectorAll('.body .row.open:not([hidden])').length") == 2
    front.cuts_requests = False
    screen.wait("document.querySelectorAll('.body .row.open:not([hidden])').length === 1", "it to be let go")
    assert "its record is not here" in screen.run("document.querySelector('.body').innerText")


def test_a_list_that_is_cut_says_so(front, show):
    """Where more is open than the page asks for its count has a plus, and a title that says that a part is shown."""
    front.tunnels = [sample.open_tunnel(5000 + number, NOW_US) for number in range(250)]
    screen = show()
    screen.wait("document.querySelector('#open-count').textContent === '200+'", "the count of a part")
    assert "a part" in screen.run("document.querySelector('#open-count').title")
    front.tunnels = front.tunnels[:3]
    screen.wait("document.querySelector('#open-count').textContent === '3'", "the count of all")
    assert screen.run("document.querySelector('#open-count').title") == ""


def test_a_few_that_hang_leave_room_for_the_others(front, show):
    """The axis fits what has ended; where only what is in flight is in view it fits that."""
    front.push(*records(30))
    front.requests = [lambda number=number: sample.in_flight(3000 + number, int(time.time() * 1e6) - 60_000_000, "wait") for number in range(8)]
    screen = show()
    rows(screen, 38)
    labels = "document.querySelector('.heads .c-bar').innerText"
    screen.wait(f"{labels}.includes('ms')")
    screen.click("#open-only")
    screen.wait(f"!{labels}.includes('ms') && {labels}.includes('s')", "an axis of seconds")


def test_a_filter_goes_to_the_server(front, show):
    """The fields make one expression; the list, the stream and the tunnels are asked for with it, and the address keeps it."""
    front.fits = lambda record, expression: "host=" not in expression or record["host"] == "deb.debian.org"
    front.push(*records(200))
    screen = show()
    rows(screen, 200)
    fill(screen, "host", "deb.debian.org")
    fill(screen, "longer", "20")
    choose(screen, "phase", "wait")
    expression = "host%3Ddeb.debian.org%20wait%3E20ms"
    for path in ("/api/v1/transactions", "/api/v1/events", "/api/v1/tunnels", "/api/v1/requests"):
        wait_until(lambda path=path: f"filter={expression}" in (asked(front, path) or [""])[-1], f"{path} to be asked with it")
    rows(screen, sum(record["host"] == "deb.debian.org" for record in front.records))
    assert all(target.startswith("deb.debian.org/") for target in shown(screen))
    assert "host=deb.debian.org" in screen.run("location.hash")


def test_a_bad_filter_is_told(front, show):
    """The server's sentence stands beside its field, and a better filter goes on."""
    front.fault = "nonsense"
    front.push(*records(5))
    screen = show()
    fill(screen, "terms", "nonsense=1")
    screen.wait("document.querySelector('#not-terms').textContent === 'no such term: nonsense'")
    screen.click("#filter [type=reset]")
    rows(screen, 5)
    screen.wait("document.querySelector('#not-terms').textContent === ''")


def test_the_detail_pane_tells_all(front, show):
    """Phases, marks, attempts, verdict, decision and remedy, and members that the page does not know."""
    record = sample.record(1, NOW_US)
    record.update(rule="default-deny 10.0.0.0/8", remedy="--allow 10.0.0.0/8", cause="address_refused", end="refused",
                  attempts=[{"peer": "192.0.2.1:80", "begin_us": 5, "end_us": 900, "result": "failed", "error": "ECONNREFUSED"}],
                  verdict={"slow": "origin", "shares_us": {"origin": 90_000, "client": 1_000}}, novelty={"deep": {"width_us": 1500}})
    front.push(record)
    screen = show()
    rows(screen, 1)
    open_row(screen, 0)
    text = screen.text("#detail")
    for words in ("default-deny 10.0.0.0/8", "--allow 10.0.0.0/8", "address_refused", "ECONNREFUSED", "192.0.2.1:80", "origin", "90\u2009ms",
                  "deep", "1.5\u2009ms", *record["marks_us"]):
        assert words in text, words
    phases = screen.run("[...document.querySelectorAll('#detail .phases')[0].rows].map((row) => row.cells[0].textContent)")
    assert set(phases) == set(record["phases_us"])


def test_a_request_is_copied_as_curl(front, show):
    """Copy as curl makes one line in which nothing that a peer chose ends the quotes."""
    record = sample.record(1, NOW_US)
    record.update(kind="exchange", method="PUT", url="http://a.example/it's?a=b;c", user_agent="x'y", end="done", http="1.1")
    record.pop("user", None)
    front.push(record)
    screen = show()
    screen.may_copy()
    rows(screen, 1)
    open_row(screen, 0)
    screen.run("document.querySelector('#detail .actions button').click()")
    screen.wait("document.querySelector('#detail .actions button').textContent === 'Copied'")
    assert screen.run("navigator.clipboard.readText()") == \
        r"curl -v --globoff --path-as-is -x 'http://10.20.0.1:3128' -X 'PUT' -A 'x'\''y' -- 'http://a.example/it'\''s?a=b;c'"


def test_the_selection_is_exported(front, show, folder):
    """Rows that were selected are asked for as HAR and saved; without that path there is no button."""
    front.har = lambda parts: {"log": {"version": "1.2", "entries": [{"_id": each} for each in parts["ids"].split(",")]}}
    sent = records(20)
    front.push(*sent)
    screen = show()
    screen.download_to(folder)
    rows(screen, 20)
    screen.wait("!document.querySelector('#export').hidden")
    screen.wait("document.querySelector('#row-5:not([hidden])')")
    screen.click("#row-2", modifiers=2)
    screen.click("#row-5", modifiers=8)
    screen.wait("document.querySelector('#export').textContent === 'Export 4 as HAR'")
    screen.click("#export")
    saved = wait_until(lambda: list(folder.glob("*.har")), "the file")[0]
    got = wait_until(lambda: saved.read_text() and json.loads(saved.read_text()), "its content")
    assert [entry["_id"] for entry in got["log"]["entries"]] == [record["id"] for record in sent[2:6]]
    front.har = None
    screen.open("about:blank")
    show()
    assert screen.run("document.querySelector('#export').hidden")


def test_light_and_dark(front, show):
    """The colours follow the system, or the person who chose, and the choice stays."""
    screen = show()
    ground = "getComputedStyle(document.body).backgroundColor"
    screen.prefer(color_scheme="light")
    light = screen.run(ground)
    screen.prefer(color_scheme="dark")
    dark = screen.run(ground)
    assert light != dark
    screen.key("t")
    assert screen.run(ground) == light
    screen.open("about:blank")
    show()
    assert screen.run(ground) == light
    screen.key("t")
    screen.prefer(color_scheme="light")
    assert screen.run(ground) == dark


def test_what_a_peer_chose_stays_text(front, show):
    """Markup, quotes and control bytes in every member are shown as they are: no element comes of them, nothing runs."""
    evil = "<img src=x onerror=\"window.hit=1\"></script><script>window.hit=2</script>'\"&lt;\u202e\u0007${1}"
    record = sample.record(1, NOW_US)
    record.update(url=f"http://{evil}/{evil}", host=evil, method=evil, user=evil, client=evil, rule=evil, remedy=evil, cause=evil, detail=evil,
                  user_agent=evil, referer=evil, end="refused", verdict={"slow": evil, "shares_us": {evil: 1}}, **{evil: {evil: evil}})
    record["marks_us"] = {**record["marks_us"], evil: 1}
    front.push(record)
    front.overview = lambda: {**sample.overview(NOW_US // 1000), "causes": [{"cause": evil, "count": 1}], "rules": [{"rule": evil, "count": 1}],
                              "destinations": [{"host": evil, "transactions": 1, "failed": 0, "p50_us": 1, "p90_us": 1, "slow_phase": evil}]}
    screen = show()
    rows(screen, 1)
    open_row(screen, 0)
    choose(screen, "group", "upstream")
    screen.key("2")
    screen.wait("document.querySelectorAll('.panel td').length > 0")
    assert evil in screen.run("document.querySelector('#detail').textContent")
    assert screen.run("document.querySelectorAll('main img, main script, main a').length") == 0
    assert screen.run("window.hit") is None
    assert not any(message.startswith(("error", "exception")) for message in screen.said), screen.said


def test_the_keyboard_is_enough(front, show):
    """On a fresh page a row is gone to, opened, selected and left with keys, and a screen reader hears of each."""
    front.push(*records(300))
    screen = show()
    rows(screen, 300)
    assert screen.run(FOCUSED) == "BODY"
    screen.key("Home")
    screen.wait(f"{CURRENT} === '2'")
    assert screen.run(FOCUSED) == "grid"
    for _ in range(3):
        screen.key("ArrowDown")
    screen.wait(f"{CURRENT} === '5'")
    screen.key(" ")
    screen.wait("document.querySelector('.row[aria-selected=true]')?.ariaRowIndex === '5'")
    screen.key("Enter")
    screen.wait("!document.querySelector('#detail').hidden")
    screen.run("document.querySelector('#detail button').focus()")
    screen.key("Escape")
    screen.wait("document.querySelector('#detail').hidden && document.activeElement.id === 'grid'")
    assert screen.run("document.querySelector('.row[aria-selected=true]')?.ariaRowIndex") == "5"
    screen.key("End")
    screen.wait(f"{CURRENT} === '301'")
    screen.key("p")
    screen.wait("document.querySelector('#state').dataset.state === 'paused'")
    screen.key("/")
    assert screen.run("document.activeElement.name") == "host"
    screen.key("Escape")
    screen.key("?")
    screen.wait("document.querySelector('#keys-dialog').open")
    screen.key("Escape")
    screen.wait("!document.querySelector('#keys-dialog').open")
    names = screen.run("""[...document.querySelectorAll('button, input, select')].filter((field) => field.offsetParent &&
        !(field.labels?.length || field.textContent.trim() || field.ariaLabel || field.title)).map((field) => field.outerHTML)""")
    assert names == []


@pytest.mark.parametrize("key", ["ArrowDown", "ArrowUp", "Home", "End", "PageDown", "PageUp"])
def test_a_key_of_the_list_works_where_nothing_has_the_focus(front, show, key):
    """As the first thing on a fresh page, and after a button that was clicked, each goes to a row that is in view."""
    front.push(*records(300))
    screen = show()
    rows(screen, 300)
    screen.key(key)
    first = screen.wait(CURRENT)
    assert (first == {"Home": "2", "End": "301"}[key]) if key in ("Home", "End") else 2 < int(first) <= 301
    screen.click("#pause")
    screen.run("document.querySelector('#grid').scrollTop = 3000")
    screen.wait(f"!({CURRENT})", "the row to be out of view")
    assert screen.run(FOCUSED) == "pause"
    screen.key(key)
    screen.wait(f"{CURRENT} && {FOCUSED} === 'grid'")
    screen.run("document.activeElement.blur()")
    screen.key(" ")
    screen.wait("document.querySelector('#counts').textContent.endsWith(', 1 selected')")
    screen.run("document.activeElement.blur()")
    screen.key("Enter")
    screen.wait("!document.querySelector('#detail').hidden")


LIST_KEYS = ["ArrowDown", "ArrowUp", "Home", "End", "PageDown", "PageUp", "Enter", " "]


@pytest.mark.parametrize("owner, keys", [
    ("[name=host]", LIST_KEYS), ("#axis", LIST_KEYS[:6]), ("#keys-dialog", LIST_KEYS[:6]),
    ("#keys-dialog button", LIST_KEYS[:6]), ("#detail", LIST_KEYS), ("#detail summary", LIST_KEYS), ("#theme", LIST_KEYS[6:]),
    ("#open-only", LIST_KEYS[6:]), ("#tab-overview", LIST_KEYS)])
def test_a_key_that_something_else_uses_is_left_to_it(front, show, owner, keys):
    """Fields, choices, dialogs, details and the other view keep all keys of the list, buttons and boxes what presses them."""
    front.push(*records(300))
    screen = show()
    rows(screen, 300)
    open_row(screen, 12)
    if owner.startswith("#detail"):
        screen.run("document.querySelector('#detail details').open = true")
    else:
        screen.key("Escape")
        screen.wait("document.querySelector('#detail').hidden")
    if owner.startswith("#keys-dialog"):
        screen.key("?")
    elif owner == "#tab-overview":
        screen.key("2")
    else:
        screen.run(f"document.querySelector('{owner}').focus()")
    if owner == "#keys-dialog":
        screen.click("#keys-title")
    screen.run("""document.querySelector('#grid').addEventListener('focus', () => { window.hit = 'focus'; });
        document.addEventListener('keydown', (event) => { if (event.defaultPrevented) window.hit = event.key; });""")
    before = screen.run("document.querySelector('#detail').hidden")
    for key in keys:
        screen.key(key)
    assert screen.run("window.hit ?? null") is None
    assert screen.run("document.querySelector('#detail').hidden") == before
    assert "selected" not in screen.text("#counts")


def test_pause_keeps_the_list_and_goes_on_without_a_gap(front, show):
    """While paused nothing changes; then what ended meanwhile is there."""
    front.push(*records(10))
    screen = show()
    rows(screen, 10)
    screen.click("#pause")
    front.push(*records(5, first=11))
    assert screen.text("#counts").startswith("10 ")
    screen.click("#pause")
    rows(screen, 15)


def test_a_broken_stream_is_taken_up_again(front, show):
    """After a cut the page goes on behind the last record that it has, and says so meanwhile."""
    front.push(*records(10))
    screen = show()
    rows(screen, 10)
    front.push(*records(2, first=11))
    rows(screen, 12)
    front.cut()
    screen.wait("document.querySelector('#state').dataset.state === 'offline'")
    front.push(*records(3, first=13))
    rows(screen, 15)
    assert "after=12" in asked(front, "/api/v1/events")[-1]


def test_a_page_out_of_sight_lets_go(front, show, screen):
    """Hidden for a minute the page keeps no connection; seen again it has all that came meanwhile."""
    screen.call("Page.addScriptToEvaluateOnNewDocument", source="""const later = window.setTimeout;
        window.setTimeout = (run, ms, ...more) => later(run, ms === 60000 ? 1 : ms, ...more);
        window.look = (isHidden) => { Object.defineProperty(document, 'hidden', {value: isHidden, configurable: true});
                                      document.dispatchEvent(new Event('visibilitychange')); };""")
    front.push(*records(10))
    show()
    rows(screen, 10)
    screen.run("look(true)")
    screen.wait("document.querySelector('#state').dataset.state === 'asleep'")
    front.push(*records(5, first=11))
    screen.run("look(false)")
    rows(screen, 15)
    assert "after=10" in asked(front, "/api/v1/events")[-1]


def test_another_process_is_begun_with_anew(front, show):
    """Where the numbers of the server have begun again, so does the list."""
    front.push(*records(50))
    screen = show()
    rows(screen, 50)
    front.records = records(2)
    front.cut()
    rows(screen, 2)


def test_what_was_left_out_is_said(front, show):
    """The page tells how many records a sampled stream did not have."""
    screen = show()
    front.say("left_out", {"count": 1200})
    front.say("left_out", {"count": 34})
    screen.wait("document.querySelector('#left-out').textContent === 'sampled: 1,234 more were left out'")


def test_rows_are_grouped_by_connection(front, show):
    """One line for each connection says what its first request paid and what the others were saved."""
    first, second = (sample.record(seq, NOW_US, kind="exchange", worker=0, end="done") for seq in (1, 2))
    first.update(upstream_conn={"id": 7, "use": 1}, phases_us={"dns": 2000, "connect": 10_000, "total": 20_000})
    second.update(upstream_conn={"id": 7, "use": 2, "paid_dns_us": 2000, "paid_connect_us": 10_000})
    front.push(first, second)
    screen = show()
    rows(screen, 2)
    choose(screen, "group", "upstream")
    line = screen.wait("document.querySelector('.row.group:not([hidden])')?.innerText").replace("\u2009", " ")
    assert "connection 0.7 · 2 transactions" in line and "first paid dns 2 ms, connect 10 ms · 12 ms saved by 1 more use" in line


def test_the_token_is_asked_for_once(front, show, screen):
    """Where reading needs the token it is asked for, again after a wrong one, and kept for this tab alone."""
    front.push(*records(3))
    front.token = TOKEN
    screen.open(front.url)
    for token in ("wrong-wrong-wrong-wrong", TOKEN):
        screen.wait("document.querySelector('#token-dialog').open && document.querySelector('#token').value === ''")
        screen.type(token)
        screen.key("Enter")
    rows(screen, 3)
    assert screen.run("JSON.stringify(localStorage)").find(TOKEN) < 0 and TOKEN not in screen.run("location.href")
    assert all(TOKEN not in target for _, target, _ in front.seen)


LOOK = """window.looked = {frames: 0, tasks: []};
    new PerformanceObserver((list) => looked.tasks.push(...list.getEntries().map((task) => Math.round(task.duration)))).observe({type: 'longtask'});
    (function frame() { looked.frames++; requestAnimationFrame(frame); })()"""


def report(record_property, what, screen):
    """How the page did: frames, and tasks that kept it from an input for 50 ms or more. A figure to read, which no machine fails."""
    looked = screen.run("looked")
    figure = f"{what}: {looked['frames']} frames, {len(looked['tasks'])} long tasks, the longest of {max(looked['tasks'], default=0)} ms"
    record_property("responsive", figure)
    print(figure)


def bounded(figures):
    """The last of (heap, elements) is no more than those before."""
    *before, (heap, nodes) = figures
    assert heap < 1.5 * max(each for each, _ in before) and heap < 60e6, figures  # without a limit it would be three times
    assert nodes < 1.1 * max(each for _, each in before) and nodes < 6000, figures


def draws(screen, number):
    """Wait until the transaction of this number is in view."""
    screen.wait(f"""[...document.querySelectorAll('.body .row:not([hidden]) .c-time')].some((cell) =>
        cell.textContent === {json.dumps(clock_of(number))})""", f"the transaction {number}")


def test_ten_thousand_rows_and_no_more(front, show, record_property):
    """However many come, the page keeps the last 10,000, and neither its memory nor its elements grow with the rest; each letter of
    a filter is on the page before the next frame but one, and what fits is listed."""
    screen = show()
    figures = []
    for turn in range(3):
        for first in range(turn * 12_000, (turn + 1) * 12_000, 1000):
            front.push(*records(1000, first=first + 1))
        number = 12_000 * (turn + 1)
        screen.wait(f"document.querySelector('#grid').ariaRowCount > {LIMIT} && performance.now()")
        wait_until(lambda: screen.run("[...document.querySelectorAll('.body .row')].length") < 100, "few rows")
        draws(screen, number)
        kept = int(re.sub(r"\D", "", screen.text("#counts")))
        assert LIMIT <= kept <= LIMIT + SPARE
        figures.append((screen.heap_bytes(), screen.node_count()))
    bounded(figures)
    front.fits = lambda record, expression: expression == "" or record["host"] == "deb.debian.org"
    screen.run(LOOK)
    screen.run("document.querySelector('#filter [name=host]').focus()")
    for count in range(1, len("deb.debian.org") + 1):
        screen.type("deb.debian.org"[count - 1])
        screen.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert screen.run("document.activeElement.value") == "deb.debian.org"[:count]
    rows(screen, "1,000")  # of those that fit, the newest that one answer has
    assert all(target.startswith("deb.debian.org/") for target in shown(screen))
    report(record_property, f"a filter typed over {LIMIT} rows", screen)


@pytest.mark.long_wait
def test_a_thousand_a_second_for_a_minute(front, show, record_property):
    """1,000 transactions a second for 60 s are followed to the last, and the page does not grow by them; its console is silent."""
    made = records(1000)
    screen = show()
    screen.run(LOOK)
    figures, begun, count = [], time.monotonic(), 0
    while count < 60_000:
        front.push(*[{**record, "seq": seq, "id": f"{seq:016x}", "time": sample.stamp(NOW_US + seq * 10_000)}
                     for seq, record in enumerate(made[count % 1000:][:100], count + 1)])
        count += 100
        if count % 15_000 == 0:
            draws(screen, count)
            figures.append((screen.heap_bytes(), screen.node_count()))
        time.sleep(max(0, begun + count / 1000 - time.monotonic()))  # what is claimed is a rate
    draws(screen, count)
    took_s = time.monotonic() - begun
    assert LIMIT <= int(re.sub(r"\D", "", screen.text("#counts"))) <= LIMIT + SPARE
    bounded(figures)
    report(record_property, f"{count} transactions in {took_s:.1f} s, (heap, elements) {figures}", screen)
    assert screen.said == []


def clock_of(seq):
    """As the page has it, in UTC."""
    at_ms = (NOW_US + seq * 10_000) // 1000
    s, ms = divmod(at_ms, 1000)
    return f"{s // 3600 % 24:02d}:{s // 60 % 60:02d}:{s % 60:02d}.{ms:03d}"


def test_the_overview_has_figures(front, show):
    """Figures, charts, causes, rules, and the destinations with the phase that made them slow; seconds are added as they come."""
    front.overview = lambda: sample.overview(int(time.time() * 1000))
    screen = show("#view=overview")
    screen.wait("document.querySelectorAll('.panel tbody tr').length >= 15")
    text = screen.text("#overview")
    for words in ("api.example.com", "wait", "connect timeout", "rule no trackers", "12\u2009min ago", "71\u2009%"):
        assert words in text, words
    assert screen.run("[...document.querySelectorAll('svg.plot .line')].filter((line) => line.getAttribute('d')?.length > 500).length") >= 20
    now_ms = int(time.time() * 1000)
    front.overview = lambda: {**sample.overview(now_ms), "seconds": []}
    screen.wait("document.querySelector('.chart').ariaLabel === 'Per second: all 0, tunnels 0, refused 0, failed 0'", "figures to go")
    front.say("overview", {**POINT, "t_ms": int(time.time() * 1000) - 2000, "transactions": 4321, "failed": 5})
    screen.wait("document.querySelector('#rate').textContent === '4,321 transactions/s · 5 failed'")


def test_the_overview_says_who_was_slow(front, show):
    """One bar and a figure for each side, of the span that is chosen; where nobody was slow it says so."""
    now_ms = int(time.time() * 1000)
    points = [{**POINT, "t_ms": now_ms - 10_000 * (i + 1), "transactions": 50, "slow": {"origin": 3, "dns": 1}} for i in range(2, 0, -1)]
    day = {**POINT, "t_ms": now_ms - 3_600_000, "transactions": 1000, "slow": {"client_network": 12}}
    figures = {"seconds": points, "minutes": [day]}
    front.overview = lambda: {**sample.overview(now_ms), **figures}
    screen = show("#view=overview")
    shown = "document.querySelector('.slow-sides').innerText.replaceAll('\\u2009', ' ')"
    screen.wait(f"{shown}.includes('8 of 100 transactions took 100 ms or more')")
    widths = """[...document.querySelectorAll('.stack i')].filter((side) => !side.hidden).map((side) =>
        [side.className, Math.round(10 * side.offsetWidth / side.parentNode.offsetWidth)])"""
    assert screen.run(widths) == [["by-dns", 2], ["by-origin", 7]] or screen.run(widths) == [["by-dns", 3], ["by-origin", 7]]
    assert "origin 75 %" in screen.run("document.querySelector('.stack').ariaLabel").replace("\u2009", " ")
    screen.run("document.querySelector('[value=day]').click()")
    screen.wait(f"{shown}.includes('12 of 1,000 transactions') && {shown}.includes('client network')")
    assert [name for name, _ in screen.run(widths)] == ["by-client_network"]
    figures["minutes"] = []
    screen.wait(f"{shown}.includes('nobody')", "the figures to go")
    assert screen.said == []


# ---- the real thing


def live(screen, proxy):
    screen.open("http://%s:%d/" % proxy.admin)
    screen.wait("document.querySelector('#state')?.dataset.state === 'live'")


def decision(screen):
    return screen.run("""[...document.querySelectorAll('#detail dt')].find((name) => name.textContent === 'decision').nextSibling.textContent""")


def test_the_decision_is_that_of_the_filter(stage, screen):
    """Where nothing was decided, as about a malformed request, the page says none, and the filter for allowed ones leaves it out."""
    origin = stage.origin(replies(ok(b"hello")))
    proxy = stage.proxy("--workers", "1")
    live(screen, proxy)
    assert stage.client(proxy.connect()).ask(request("GET", f"http://{origin.authority}/")).status == 200
    rows(screen, 1)
    assert stage.client(proxy.connect()).ask(b"GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\nHost: b.example\r\n\r\n").status == 400
    rows(screen, 2)
    for number, word in enumerate(("allowed", "none")):
        open_row(screen, number)
        assert decision(screen) == word
    choose(screen, "decision", "allowed")
    rows(screen, 1)
    assert shown(screen) == [f"{origin.authority}/"]


def test_a_wait_in_vain_is_drawn(stage, screen):
    """The phase that was not over has its bar in the list, and its row in the detail."""
    origin = stage.origin(lambda conn: conn.read_to_end())
    proxy = stage.proxy("--workers", "1", "--timeout", "response_head=300ms")
    live(screen, proxy)
    assert stage.client(proxy.connect()).ask(request("GET", f"http://{origin.authority}/")).status == 504
    rows(screen, 1)
    assert screen.run("document.querySelectorAll('.bars .p-wait:not([hidden])').length") == 1
    open_row(screen, 0)
    row = "[...document.querySelectorAll('#detail .phases')[0].rows].find((row) => row.cells[0].textContent === 'wait')"
    assert screen.run(f"{row}.cells[2].textContent").endswith("in vain")


RULES = """policy:
  rules:
    - { name: hosts, to: ["127.0.0.1"], method: [GET] }
    - { name: no uploads, method: [POST], action: deny }"""
WHYS = [("GET", "http://127.0.0.1:%d/", "rule hosts", "passes", "allowed then"),
        ("POST", "http://127.0.0.1:%d/", "rule no uploads", "refused", "refused then: rule no uploads"),
        ("HEAD", "http://127.0.0.1:%d/", "policy.default", "passes", "allowed then"),
        ("HEAD", "http://10.1.2.3/", "10.1.2.3", "refused", "refused then: default-deny 10.0.0.0/8"),
        ("HEAD", "http://127.0.0.1:22/", "bad-port 22", "refused", "refused then: bad-port 22")]


def test_why_shows_the_chain(stage, screen):
    """Why? asks for the token once, and for each row shows all rules, the one that decides marked; keys alone do it."""
    origin = stage.origin(replies_forever(ok(b"")))
    proxy = stage.proxy("-c", with_token(stage, RULES), "--workers", "1")
    live(screen, proxy)
    for number, (method, url, *_) in enumerate(WHYS):
        stage.client(proxy.connect()).send(request(method, url % origin.port if "%d" in url else url))
        rows(screen, number + 1)
    for number, (_, _, decider, reason, then) in enumerate(WHYS):
        open_row(screen, number)
        assert screen.run("document.querySelector('.why').hidden")
        screen.run("[...document.querySelectorAll('#detail .actions button')].find((button) => button.textContent === 'Why?').focus()")
        screen.key("Enter")
        if number == 0:
            screen.wait("document.querySelector('#token-dialog').open")
            screen.type(TOKEN)
            screen.key("Enter")
        screen.wait("document.activeElement.className === 'why' && document.querySelector('.why .chain')", "the chain")
        steps = screen.run("[...document.querySelectorAll('.chain li')].map((step) => [step.children[0].textContent, step.ariaCurrent])")
        names = [name for name, _ in steps]
        assert names[:3] == ["rule hosts", "rule no uploads", "policy.default"] and len(set(names)) == len(names)
        (marked,) = [name for name, current in steps if current == "step"]
        assert marked.startswith(decider) and screen.text(".why .verdict") == reason, (number, steps)
        assert then in screen.text(".why")
    screen.key("Escape")
    screen.wait("document.querySelector('#detail').hidden")
    assert screen.said == [] or all("401" in line for line in screen.said), screen.said


def test_why_there_is_no_chain_is_told(stage, screen):
    """Where no token is configured, and where none is given, it is said in words."""
    for proxy, words in ((stage.proxy(), "none is configured"), (stage.proxy("-c", with_token(stage)), "send 'Authorization")):
        live(screen, proxy)
        assert stage.client(proxy.connect()).ask(request("GET", "http://10.1.2.3/")).status == 403
        rows(screen, 1)
        open_row(screen, 0)
        screen.run("[...document.querySelectorAll('#detail .actions button')].find((button) => button.textContent === 'Why?').click()")
        if words.startswith("send"):
            screen.wait("document.querySelector('#token-dialog').open")
            screen.key("Escape")
        told = screen.wait("document.querySelector('.why [role=alert]')?.textContent")
        assert told.startswith("The decision chain was not told: ") and words in told


def test_it_shows_what_goes_through_the_proxy(stage, screen):
    """A request through the proxy is in the list of its own page, with its phases; no error, no violation."""
    origin = stage.origin(replies(ok(b"hello")))
    proxy = stage.proxy()
    url = "http://%s:%d/" % proxy.admin
    screen.open(url)
    screen.wait("document.querySelector('#state')?.dataset.state === 'live'")
    client = stage.client(proxy.connect())
    assert client.ask(request("GET", f"http://{origin.authority}/what?<b>x</b>")).status == 200
    rows(screen, 1)
    assert shown(screen) == [f"{origin.authority}/what?<b>x</b>"]
    assert "wait" in screen.wait("document.querySelector('.bars').title")
    assert all(asked.startswith(url) for asked in screen.asked)
    assert screen.said == []


def test_the_overview_is_that_of_the_proxy(stage, screen):
    """Requests, a refusal with its rule, the destination with its phases, and the workers come from the real figures."""
    origin = stage.origin(replies(*[ok(b"hello")] * 5))
    proxy = stage.proxy("--workers", "2")
    screen.open("http://%s:%d/#view=overview" % proxy.admin)
    screen.wait("document.querySelector('#state')?.dataset.state === 'live'")
    client = stage.client(proxy.connect())
    for _ in range(5):
        assert client.ask(request("GET", f"http://{origin.authority}/")).status == 200
    assert client.ask(request("GET", "http://10.1.2.3/")).status == 403
    cells = "[...document.querySelectorAll('.panel td')].map((cell) => cell.textContent)"
    screen.wait(f"{cells}.some((text) => text.startsWith('default-deny 10.0.0.0/8'))", "the refusal")
    assert origin.authority in screen.run(cells)
    assert screen.run("document.querySelectorAll('.panel:last-child tbody tr').length") == 2
    screen.wait("document.querySelector('.chart:has(.p-wait) :is(.line.k-p50:not([d=\"\"]), .dot.k-p50)') !== null", "a phase")
    assert screen.said == []


def test_a_request_that_hangs_is_seen(stage, screen):
    """A request whose origin thinks is a row that says so, and becomes the row of its record when the answer has come."""
    cue = Cue()
    origin = stage.origin(lambda conn: (conn.read_request(), cue.wait(), conn.send(ok(b"at last")), conn.hold()))
    proxy = stage.proxy()
    screen.open("http://%s:%d/" % proxy.admin)
    screen.wait("document.querySelector('#state')?.dataset.state === 'live'")
    client = stage.client(proxy.connect())
    client.send(request("GET", f"http://{origin.authority}/report"))
    screen.wait("document.querySelector('.row.open em')?.textContent === 'waiting for the origin'", "the row")
    assert shown(screen) == [f"{origin.authority}/report"]
    screen.click(".row.open")
    screen.wait("document.querySelector('#detail .verdict')?.textContent === 'origin'", "who is slow")
    cue.give()
    assert client.read_response().status == 200
    screen.wait("document.querySelector('.row:not(.open) .c-status.s2')", "its record")
    rows(screen, 1)
    assert screen.said == []


def test_a_tunnel_is_ended_with_the_token(stage, screen):
    """End tunnel asks twice, then for the token, and the proxy resets the tunnel."""
    origin = stage.origin(echoes)
    proxy = stage.proxy("-c", with_token(stage))
    client, = open_tunnels(stage, proxy, origin, 1)
    screen.open("http://%s:%d/" % proxy.admin)
    screen.wait("document.querySelector('.row.open')", "the tunnel")
    screen.click(".row.open")
    for _ in range(2):
        screen.wait("document.querySelector('#detail .danger')")
        screen.run("document.querySelector('#detail .danger').click()")
    screen.wait("document.querySelector('#token-dialog').open")
    screen.type(TOKEN)
    screen.key("Enter")
    screen.wait("document.querySelector('#detail .notice').textContent === 'The tunnel was ended.'")
    client.expect_end("rst")
    assert list_tunnels(proxy, "", BEARER)["tunnels"] == []
    screen.wait("!document.querySelector('.body .row.open:not([hidden])')", "the row to say so")


def test_a_filter_half_typed_changes_nothing(stage, screen):
    """Until it is a filter its field says why not, and list, stream and address stay those of the last good one; a page that is
    opened with one shows all."""
    origin = stage.origin(replies(ok(b"hello")))
    proxy = stage.proxy("--workers", "1")
    live(screen, proxy)
    screen.wait("document.querySelector('#export').disabled")
    assert stage.client(proxy.connect()).ask(request("GET", f"http://{origin.authority}/")).status == 200
    assert stage.client(proxy.connect()).ask(request("GET", "http://10.1.2.3/")).status == 403
    rows(screen, 2)
    assert not screen.run("document.querySelector('#export').disabled")
    field = "document.querySelector('[name=%s]')"
    for name, pieces, hits in (("terms", ["s", "tatus", ">=", "400"], 1), ("client", ["10.", "0.0.0/8"], 0)):
        fill(screen, name, "")
        for end, piece in enumerate(pieces[:-1], 1):
            screen.type(piece)
            typed = quote("".join(pieces[:end]), safe="")
            wait_until(lambda typed=typed: screen.run("1") and [url for url in screen.asked if url.endswith(typed) and "limit=1&" in url], "it to be asked about")
            screen.wait(f"{field % name}.ariaInvalid === 'true' && document.querySelector('#not-{name}').offsetWidth > 50")
            assert screen.text("#state") == "live" and screen.text("#filter-fault") == "" and name not in screen.run("location.hash")
            rows(screen, 2)
        screen.type(pieces[-1])
        screen.wait(f"{field % name}.ariaInvalid === null && location.hash.includes('{name}')", "it to be a filter")
        assert screen.text(f"#not-{name}") == ""
        screen.wait(f"document.querySelector('#counts').textContent.startsWith('{hits} transaction')")
        screen.click("#filter [type=reset]")
        rows(screen, 2)
    screen.open("about:blank")
    screen.open("http://%s:%d/#terms=nonsense" % proxy.admin)
    screen.wait(f"{field % 'terms'}?.ariaInvalid === 'true'")
    rows(screen, 2)
