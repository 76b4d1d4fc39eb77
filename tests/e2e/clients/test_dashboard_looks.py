"""How the dashboard looks in headless Chromium: what is seen, what is cut, and the words that it has for things."""
import time

import pytest

from support import sample
from support.dashboard import NOW_US, open_row, records, rows
from support.front import POINT


# ---- a narrow window
def test_a_narrow_window_shows_why_it_failed(show, screen, front):
    """390 px, as a telephone has: the cause stands within the window, and host and path are there, too."""
    causes = ["connect_refused", "dns_not_found", "tls_certificate", "response_timeout", "client_gone"]
    for seq, cause in enumerate(causes, 1):
        record = sample.record(seq, NOW_US + seq * 10_000)
        record.update(cause=cause, end="error", status=502, host=f"some-host-{seq}.example.com", url=f"http://some-host-{seq}.example.com/path")
        front.push(record)
    screen.call("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=False)
    show()
    rows(screen, len(causes))
    seen = screen.run("""[...document.querySelectorAll('.body .row:not([hidden])')].map((row) => {
        const [text, note] = row.querySelector('.c-target').children, at = note.getBoundingClientRect();
        const [host, path] = text.children;
        return [note.textContent, at.width > 40 && at.right <= 390 && at.bottom <= row.getBoundingClientRect().bottom &&
            note.scrollWidth <= note.clientWidth + 1, host.clientWidth >= 150 && path.clientWidth >= 36 && path.scrollWidth <= path.clientWidth];
    })""")
    assert sorted(seen) == sorted([cause.replace("_", " "), True, True] for cause in causes), seen
    assert screen.run("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("state", ["stopped", "no connection, trying again"])
def test_a_narrow_window_cuts_nothing_above_the_list(show, screen, front, state):
    """390 px: the top is one line also where the state is a long one, the heads of the columns and the choices are whole."""
    front.push(sample.record(1, NOW_US))
    screen.size(390, 800)
    show()
    rows(screen, 1)
    screen.run(f"document.querySelector('#state').textContent = {state!r}")
    tops = screen.run("""[...document.querySelectorAll('.top > *')].filter((each) => each.offsetWidth > 0).map((each) =>
        [each.offsetTop + each.offsetHeight / 2, each.getBoundingClientRect().right])""")
    assert max(middle for middle, _ in tops) - min(middle for middle, _ in tops) <= 2 and max(right for _, right in tops) <= 390, tops
    assert state != "stopped" or screen.run("document.querySelector('#state').scrollWidth <= document.querySelector('#state').clientWidth")
    cut = "(name) => name.offsetWidth > 0 && name.scrollWidth > name.clientWidth"
    assert screen.run(f"[...document.querySelectorAll('.head button')].filter({cut}).length") == 0
    assert screen.run("""[...document.querySelectorAll('.tools select')].every((select) => {
        const width = select.offsetWidth; select.style.width = 'max-content';
        const isWhole = width >= select.offsetWidth; select.style.width = ''; return isWhole; })""")


@pytest.mark.parametrize("width", [320, 305])
def test_the_narrowest_window_cuts_off_nothing(show, screen, front, width):
    """320 px (WCAG 1.4.10), also less a scroll bar: all ends within the window, but for the legend and tables of figures,
    which scroll within themselves; a time on the axis and the choices of the filter are whole."""
    front.push(*records(50))
    screen.size(width, 700)
    show()
    rows(screen, 50)
    outside = """[...document.querySelectorAll('body *')].filter((each) => each.offsetParent &&
        !each.closest('#legend, .panel table') && each.getBoundingClientRect().right > innerWidth + 0.5).map((each) =>
        `${each.tagName}#${each.id}.${each.className}`)"""
    assert screen.run(outside) == []
    label = "document.querySelector('.heads .c-bar span:nth-child(3)')"
    screen.run(f"{label}.textContent = '40\\u2009ms'")
    assert screen.run(f"{label}.scrollWidth - {label}.clientWidth") == 0
    screen.click("#more")
    assert screen.run(outside) == []
    assert screen.run("""[...document.querySelectorAll('#filter select')].filter((select) => {
        const width = select.offsetWidth; select.style.width = 'max-content';
        const isCut = width < select.offsetWidth; select.style.width = '';
        return isCut; }).map((select) => select.name)""") == []
    open_row(screen, 10)
    assert screen.run(outside) == []
    screen.key("Escape")
    screen.key("2")
    screen.wait("document.querySelectorAll('svg.plot path').length > 0")
    assert screen.run(outside) == []
    assert screen.run("document.querySelector('#overview').scrollWidth") <= width


def test_the_height_of_a_row_follows_the_window(show, screen, front):
    """Two lines in a narrow window and one in a broad one: rows stand below each other in both, and the end stays in view."""
    front.push(*[sample.record(seq, NOW_US + seq * 10_000) for seq in range(1, 201)])
    show()
    rows(screen, 200)
    for width, height in ((390, 38), (1280, 24), (390, 38)):
        screen.size(width, 800)
        screen.wait(f"document.querySelector('.body').offsetHeight === {200 * height}", f"rows of {height} px")
        screen.wait(f"""[...document.querySelectorAll('.body .row:not([hidden])')].every((row) => row.offsetHeight === {height} &&
            row.style.transform === `translateY(${{(row.ariaRowIndex - 2) * {height}}}px)`)""")
        screen.wait("[...document.querySelectorAll('.body .row:not([hidden])')].some((row) => row.ariaRowIndex === '201')", "the end")


# ---- the details
def test_what_is_gone_to_is_not_below_the_title(show, screen, front):
    """The title stays at the top of the details; a button that is scrolled to, or reached with keys, stands below it."""
    front.push(sample.record(1, NOW_US, url="http://a.example/" + "long/" * 40))
    show()
    rows(screen, 1)
    open_row(screen, 0)
    for go in ("focus()", "scrollIntoView()"):
        screen.run("document.querySelector('#detail').scrollTop = 1e6")
        screen.run(f"document.querySelector('#detail .actions button').{go}")
        top, end = screen.run("""['.actions button', 'header'].map((name) => document.querySelector(`#detail ${name}`).getBoundingClientRect())
            .map((box, i) => i ? box.bottom : box.top)""")
        assert top >= end > 60, (go, top, end)


def test_the_details_have_plain_words(show, screen, front):
    """Members without a place of their own are told in words, with their units, and lists in one line."""
    leg = {"rtt_us": 12, "retransmits": 0, "busy_us": 3400}
    record = sample.record(1, NOW_US, kind="tunnel", tcp={"client": leg, "upstream": leg}, inside={"alpn": ["h2", "http/1.1"], "resumed": True})
    front.push(record)
    show()
    rows(screen, 1)
    assert screen.text("#counts") == "1 transaction"
    open_row(screen, 0)
    told = screen.run("document.querySelector('#detail .sections').innerText.replaceAll('\\u2009', ' ').replaceAll('\\n', ' ')")
    for words in ("TCP, as the kernel has it", "round trip 12 µs", "sending 3.4 ms", "offered protocols h2, http/1.1", "session resumed yes"):
        assert words in told, (words, told)
    assert "rtt" not in told and "alpn" not in told
    front.say("overview", {**POINT, "t_ms": int(time.time() * 1000) - 1000, "transactions": 1})
    screen.wait("document.querySelector('#rate').textContent === '1 transaction/s'")


# ---- the overview
def test_a_lone_point_is_seen(show, screen, front):
    """Where only one second had anything a chart has a dot of a size that an eye finds."""
    now_ms = int(time.time() * 1000)
    phases = {"wait": {"count": 1, "p50_us": 900, "p90_us": 1500, "p99_us": 2000}}
    front.overview = lambda: {**sample.overview(now_ms), "seconds": [{**POINT, "t_ms": now_ms - 10_000, "transactions": 1, "phases": phases}]}
    show("#view=overview")
    dots = "[...document.querySelectorAll('.chart:has(.p-wait) .dot')]"
    screen.wait(f"{dots}.length === 3")
    assert all(width >= 4 for width in screen.run(f"{dots}.map((dot) => dot.getBoundingClientRect().width)"))
