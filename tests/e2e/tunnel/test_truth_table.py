"""The table of docs/tunnels.md as plays: event × state → what the other side sees, and what becomes of the reverse
direction. A test's name reads like its cell: fin-client-bulk-tls12 is an end of file of the client, in the middle
of bulk both ways, over TLS 1.2.

The side that acts is called `near` here, the other one `far`. What every cell asks: all bytes said before an end in
order arrive, in order, and then that end; what arrives before a reset is a prefix of what was said."""
import os
import signal

import pytest

from support.admin import metric
from support.bounds import SLOW, Late
from support.ends import Hall, move
from support.stage import Stage

WAYS = ("clear", "tls13", "tls12")
SIDES = ("client", "origin")
SMALL, PIECE, BURST, BULK = 1000, 8000, 98_304, 3_000_000  # PIECE goes the way of what came before
HELD = ("held", "heldcopy", "heldboth")
LEG = {"client": "client", "origin": "upstream"}


def other(side):
    return SIDES[side == "client"]


@pytest.fixture(scope="module")
def start(session_folder, certs, program):
    """Start a proxy for all plays of this file that want it so."""
    folder = session_folder / "truth-table"
    folder.mkdir()
    folder.chmod(0o755)
    stage, halls = Stage(folder, certs, program), []

    def begin(*flags):
        halls.append(Hall(stage, *flags))
        return halls[-1]
    yield begin
    for hall in halls:
        hall.close()
    stage.end()


@pytest.fixture(scope="module")
def hall(start):
    return start()


# ---- states
def fresh(tunnel, near, far):
    """Nothing was said yet."""


def small(tunnel, near, far):
    """Both sides speak a little, and wait: the tunnel copies."""
    for end in (near, far):
        end.say(SMALL)
    tunnel.move(lambda: tunnel.has_all(near) and tunnel.has_all(far), "the small parts")


def bulk(tunnel, near, far):
    """Both sides pour, and both have heard a part: in clear, the tunnel splices."""
    for end in (near, far):
        end.say(BULK)
    tunnel.move(lambda: min(len(near.heard), len(far.heard)) > BULK // 4, "the first quarter")


def held(tunnel, near, far):
    """The far side does not read; the near one has said more than it can: in clear, a kernel pipe is full."""
    tunnel.stall(far)
    near.unsay()


def heldcopy(tunnel, near, far):
    """The same, said in pieces too small for splice, each after the last one was taken: a block is full."""
    far.is_deaf = True

    def is_held():
        if tunnel.passed(near) < near.said:
            return True
        near.say(BURST // 3)
        return False
    tunnel.hall.settle_until(is_held)


def heldboth(tunnel, near, far):
    """Neither side reads, and both have said more than the other one can take."""
    for end in (far, near):
        tunnel.stall(end)
    for end in (far, near):
        end.unsay()


def halffar(tunnel, near, far):
    """The far side has ended its direction before."""
    small(tunnel, near, far)
    far.fin()
    tunnel.move(lambda: near.end, "the far side's end")
    assert near.end == "fin"


def halfnear(tunnel, near, far):
    """The near side has ended its direction before."""
    small(tunnel, near, far)
    near.fin()
    tunnel.move(lambda: far.end, "the near side's end")
    assert far.end == "fin"


def spliced(tunnel, near, far):
    """Both sides have poured, and wait: in clear, what comes next is spliced."""
    bulk(tunnel, near, far)
    tunnel.move(lambda: tunnel.has_all(near) and tunnel.has_all(far), "the bulk")


def burst(tunnel, near, far):
    """At the turn from copy to splice: a receive of 64 KiB or more, with the event right behind it."""
    spliced(tunnel, near, far)
    small(tunnel, near, far)  # back to copy
    small(tunnel, near, far)
    tunnel.hall.proxy.freeze()
    near.say(BURST)


def trickle(tunnel, near, far):
    """At the turn from splice to copy: a splice of less than 4 KiB, with the event right behind it."""
    spliced(tunnel, near, far)
    tunnel.hall.proxy.freeze()
    near.say(SMALL)


def lingers(tunnel, near, far):
    """A TLS 1.2 client has ended both directions, and the origin does not end."""
    small(tunnel, near, far)
    near.fin()
    tunnel.move(lambda: near.end and far.end, "both ends")
    assert (near.end, far.end) == ("fin", "fin")


STATES = {state.__name__: state for state in (fresh, small, bulk, spliced, held, heldcopy, heldboth, halffar, halfnear,
                                              burst, trickle, lingers)}
FROZEN = ("burst", "trickle")


def enter(hall, state, side, way, is_narrow):
    """A tunnel in this state: the tunnel, its near and its far end."""
    tunnel = hall.tunnel(way, is_narrow)
    near, far = tunnel.pair(side)
    try:
        STATES[state](tunnel, near, far)
    except BaseException:
        hall.proxy.thaw()
        raise
    return tunnel, near, far


def acts(hall, state, action):
    """The event; where the proxy stands still it comes together with the bytes before it."""
    try:
        action()
    finally:
        if state in FROZEN:
            hall.proxy.thaw()


def listen(tunnel):
    for end in tunnel.ends:
        end.is_deaf = False


def expect_record(hall, tunnel, end, by):
    """`by` None: either side."""
    record = hall.record(tunnel)
    assert (record.end, record.cause) == (end, None) and by in (None, record.ended_by), record


def ends_both(side, way):
    """Does an end in order of this side end the reverse direction, too? RFC 5246 §7.2.1."""
    return side == "client" and way == "tls12"


# ---- what one side does
def plays_data(hall, tunnel, near, far, side, state, way):
    """Data passes on whatever came before, and ends nothing."""
    if state == "halfnear":
        near, far = far, near
    acts(hall, state, lambda: near.plain or near.say(SMALL))
    if state in HELD:
        hall.settle()
        assert not far.end and not near.end
    listen(tunnel)
    tunnel.move(lambda: tunnel.has_all(far), "the data")
    assert not far.end and (near.end is None) == (not state.startswith("half"))
    if not near.end and not ends_both(other(side), way):
        tunnel.move(lambda: not far.plain, "the rest of what was said before")
        far.say(SMALL)
        tunnel.move(lambda: tunnel.has_all(near), "the answer")
    near.fin()
    far.fin()
    tunnel.move(lambda: near.end and far.end, "both ends")
    assert (near.end, far.end) == ("fin", "fin")
    tunnel.expect_all(far)


def plays_fin(hall, tunnel, near, far, side, state, way):
    """All bytes arrive, then the end. The reverse direction goes on, but for TLS 1.2."""
    was_half = state == "halffar"
    acts(hall, state, near.fin)
    if state in HELD:
        hall.settle()
    listen(tunnel)
    tunnel.move(lambda: far.end, "the end")
    assert far.end == "fin"
    tunnel.expect_all(far)
    if not was_half:
        if ends_both(side, way):
            tunnel.move(lambda: near.end, "the answer to close_notify")
        else:
            assert near.end is None
        tunnel.move(lambda: not far.plain, "the rest of the far side")
        far.say(BULK if ends_both(side, way) else SMALL)  # thrown away, or heard
        far.fin()
    tunnel.move(lambda: near.end and not far.has_more, "the far side's end")
    assert near.end == "fin"
    (tunnel.expect_prefix if ends_both(side, way) else tunnel.expect_all)(near)
    expect_record(hall, tunnel, "done", LEG[other(side) if was_half else side])


def plays_reset(hall, tunnel, near, far, side, state, way):
    """A prefix arrives, then a reset."""
    acts(hall, state, near.reset)
    if state in HELD:
        hall.settle()
    listen(tunnel)
    if far.end == "fin":  # it has heard the near side's end before, and hears no second one
        expect_record(hall, tunnel, "rst", LEG[side])
        far.say(SMALL)
        assert far.was_refused
        return
    tunnel.move(lambda: far.end, "the reset")
    assert far.end == "rst"
    tunnel.expect_prefix(far)
    expect_record(hall, tunnel, "rst", LEG[side])


def plays_cut(hall, tunnel, near, far, side, state, way):
    """A TLS end without close_notify is a cut, and becomes a reset: RFC 8446 §6.1."""
    acts(hall, state, near.cut)
    expect_cut(hall, tunnel, near, far, side, state)


def plays_broken(hall, tunnel, near, far, side, state, way):
    """A record that cannot be decrypted ends both directions: RFC 8446 §5.2, §6.2."""
    acts(hall, state, near.break_record)
    expect_cut(hall, tunnel, near, far, side, state)


def expect_cut(hall, tunnel, near, far, side, state):
    if state in HELD:
        hall.settle()
    listen(tunnel)
    tunnel.move(lambda: far.end and near.end, "the resets")
    assert far.end == "rst" and near.end in (("fin",) if state == "halffar" else ("rst", "broken"))
    tunnel.expect_prefix(far)
    tunnel.expect_prefix(near)
    expect_record(hall, tunnel, "rst", LEG[side])


def plays_stall(hall, tunnel, near, far, side, state, way):
    """A side that does not read stops the other one. Its own bytes and its end pass, and nothing is lost."""
    far.unsay()
    tunnel.stall(near)
    if state != "halfnear":
        far.is_deaf = False
        near.plain or near.say(SMALL)
        tunnel.move(lambda: tunnel.has_all(far) and not near.has_more, "bytes of the side that does not read")
    if state != "halfnear" and not ends_both(side, way):
        near.fin()
        tunnel.move(lambda: far.end, "and its end")
        assert far.end == "fin"
    hall.settle_until(lambda: not far.push())  # a little more than before, as buffers grow
    far.unsay()
    far.fin()
    listen(tunnel)
    tunnel.move(lambda: near.end, "the end of the side that was stopped")
    assert near.end == "fin"
    tunnel.expect_all(near)
    if not far.end:
        near.fin()
        tunnel.move(lambda: far.end, "the last end")
    tunnel.expect_all(far)


EVENTS = {"data": plays_data, "fin": plays_fin, "reset": plays_reset, "cut": plays_cut, "broken": plays_broken,
          "stall": plays_stall}


def cells():
    for event in EVENTS:
        for side in SIDES:
            for state in STATES:
                for way in WAYS:
                    if is_a_cell(event, side, state, way):
                        yield pytest.param(event, side, state, way, id=f"{event}-{side}-{state}-{way}")


def is_a_cell(event, side, state, way):
    if event in ("cut", "broken") and (side == "origin" or way == "clear"):
        return False  # of TLS legs
    if state == "lingers":
        return False  # all has ended, but for the origin
    if state == "spliced" and way != "clear":
        return False
    if state == "halfnear" and event in ("fin", "broken", "cut"):
        return False  # it has ended already
    if event == "stall" and (state in ("halffar", "heldboth") or state in FROZEN):
        return False  # nothing to read any more, or the state itself
    if ends_both({"halfnear": side, "halffar": other(side)}.get(state), way):
        return False  # both directions have ended already
    return state != "heldcopy" or way == "clear"  # over TLS, held is held by copy


@pytest.mark.parametrize("event, side, state, way", cells())
def test_one_side(hall, event, side, state, way):
    """What the other side sees, and what becomes of the reverse direction."""
    tunnel, near, far = enter(hall, state, side, way, event == "stall" or state in HELD)
    try:
        EVENTS[event](hall, tunnel, near, far, side, state, way)
    finally:
        tunnel.close()


# ---- what both sides do
ORDERS = ("then", "after", "with")  # of the client's event and the origin's


def meetings():
    for of_client in ("data", "fin", "reset", "cut"):
        for of_origin in ("data", "fin", "reset"):
            for order in ORDERS:
                for state in ("small", "spliced", "heldboth"):
                    for way in WAYS:
                        if is_a_meeting(of_client, of_origin, order, state, way):
                            name = f"{of_client}-client-{order}-{of_origin}-origin-{state}-{way}"
                            yield pytest.param(of_client, of_origin, order, state, way, id=name)


def is_a_meeting(of_client, of_origin, order, state, way):
    if "data" in (of_client, of_origin) and (order != "with" or state == "heldboth" or
                                             "reset" not in (of_client, of_origin)):
        return False  # a matter of one side
    if state == "spliced" and (order, way) != ("with", "clear"):
        return False
    return of_client != "cut" or way != "clear"


def act_of(end, event):
    """What this end does; where it goes on speaking, it has spoken already."""
    return (lambda: None) if event == "data" else getattr(end, event)


def meet(hall, acts, order):
    for act in reversed(acts) if order == "after" else acts:
        act()
        if order != "with":
            hall.settle()


@pytest.mark.parametrize("of_client, of_origin, order, state, way", meetings())
def test_both_sides(hall, of_client, of_origin, order, state, way):
    """Two ends that meet: the client's comes first (then), second (after), or in the same turn (with)."""
    tunnel, client, origin = enter(hall, state, "client", way, state == "heldboth")
    try:
        if order == "with":
            hall.proxy.freeze()
        if state != "heldboth":
            client.say(PIECE)
            origin.say(PIECE)
        meet(hall, [act_of(client, of_client), act_of(origin, of_origin)], order)
        hall.proxy.thaw()
        listen(tunnel)
        tunnel.move(lambda: all(end.end or end.is_gone for end in tunnel.ends), "the ends")
        for end, own, theirs in ((client, of_client, of_origin), (origin, of_origin, of_client)):
            tunnel.expect_prefix(end)
            if own != "reset":
                assert end.end in ends_of(own, theirs, end is client and way == "tls12"), (end.name, end.end)
        if (of_client, of_origin) != ("fin", "fin"):
            by = {"reset": "client", "cut": "client"}.get(of_client, "upstream")
            expect_record(hall, tunnel, "rst", None if "fin" not in (of_client, of_origin) else by)
            return
        tunnel.expect_all(origin)
        if way != "tls12" or (order, state) == ("after", "small"):
            tunnel.expect_all(client)
        expect_record(hall, tunnel, "done", {"then": "client", "after": "upstream"}.get(order) if state == "small"
                      else None)
    finally:
        hall.proxy.thaw()
        tunnel.close()


def ends_of(own, theirs, is_client_12):
    """How a side may see the other one end, by what both did."""
    if theirs != "fin":
        return ("rst", "fin") if is_client_12 and own == "fin" else ("rst",)
    return ("fin",) if own == "fin" else ("fin", "rst")  # the end in order was there before, or not


# ---- what the proxy does
LIMIT = f"{int(2500 * SLOW)}ms"  # longer than to open all tunnels takes a busy machine
LIMITS = {
    "idle": (["--timeout", f"tunnel_idle={LIMIT}"], ("fresh", "small", "held", "heldcopy", "heldboth"), "tunnel_idle"),
    "halfclosed": (["--timeout", f"tunnel_half_closed={LIMIT}"], ("halfnear", "lingers"), "tunnel_half_closed"),
    "lifetime": (["--timeout", f"tunnel_lifetime={LIMIT}"],
                 ("fresh", "small", "bulk", "held", "heldcopy", "heldboth", "halfnear"), "tunnel_lifetime"),
    "drain": (["--timeout", f"drain={LIMIT}"],
              ("fresh", "small", "bulk", "held", "heldcopy", "heldboth", "halfnear"), "drained"),
}


def crowd_cells(limit):
    for state in LIMITS[limit][1]:
        for side in SIDES:
            for way in WAYS:
                if state == "lingers" and not ends_both(side, way):
                    continue
                if state == "halfnear" and ends_both(side, way) or state == "heldcopy" and way != "clear":
                    continue
                if (state, side) not in (("fresh", "origin"), ("small", "origin"), ("bulk", "origin"),
                                         ("heldboth", "origin")):  # the sides do the same
                    yield side, state, way


class Crowd:
    """A tunnel in each state, which all meet the same limit of one proxy."""

    def __init__(self, start, limit):
        flags, _, self.cause = LIMITS[limit]
        self.hall = start(*flags)
        self.cells = {cell: enter(self.hall, cell[1], cell[0], cell[2], cell[1] in HELD)
                      for cell in crowd_cells(limit)}
        self.ends = [end for tunnel, _, _ in self.cells.values() for end in tunnel.ends]
        if limit == "drain":
            self.begin_to_drain()

    def is_over(self):
        """Have all tunnels ended? Those in bulk are kept busy."""
        over = True
        for (_, state, _), (tunnel, near, far) in self.cells.items():
            if self.hall.find_record(tunnel):
                listen(tunnel)
                over = over and all(end.end for end in tunnel.ends)
                continue
            over = False
            for end in (near, far) if state == "bulk" else ():
                if not end.has_more and end.said < BULK * 10:
                    end.say(SMALL)
        return over

    def begin_to_drain(self):
        """The drain begins; what is open goes on."""
        self.hall.proxy.signal(signal.SIGTERM)
        self.hall.proxy.wait_line("draining")
        for (_, state, _), (tunnel, near, far) in self.cells.items():
            if state in ("fresh", "small"):
                small(tunnel, near, far)


@pytest.fixture(scope="module")
def crowds(start):
    """All limits run at the same time."""
    crowds = {limit: Crowd(start, limit) for limit in LIMITS}
    try:
        move(lambda: all([crowd.is_over() for crowd in crowds.values()]), "all tunnels to end",
             *(end for crowd in crowds.values() for end in crowd.ends))
    except Late:
        pass  # each cell tells of itself
    return crowds


@pytest.mark.parametrize("limit, side, state, way", [
    pytest.param(limit, *cell, id="-".join((limit, *cell))) for limit in LIMITS for cell in crowd_cells(limit)])
def test_limits(crowds, limit, side, state, way):
    """The proxy ends the tunnel with a reset of both sides, and says why."""
    crowd = crowds[limit]
    tunnel, near, far = crowd.cells[side, state, way]
    record = crowd.hall.find_record(tunnel)
    assert record, "the tunnel is open"
    assert (record.ended_by, record.cause) == ("proxy", crowd.cause)
    expected = {"halfnear": ("rst", "fin"), "lingers": ("fin", "fin")}.get(state, ("rst", "rst"))
    assert (near.end, far.end) == expected
    tunnel.expect_prefix(near)
    tunnel.expect_prefix(far)


@pytest.mark.parametrize("way", WAYS)
def test_drain_lets_tunnels_end(start, way):
    """A tunnel that ends by itself while the proxy drains ends in order."""
    hall = start()
    tunnel, near, far = enter(hall, "bulk", "client", way, False)
    hall.proxy.signal(signal.SIGTERM)
    hall.proxy.wait_line("draining")
    far.fin()
    tunnel.move(lambda: near.end, "the origin's end")
    near.fin()
    tunnel.move(lambda: far.end, "the client's end")
    assert (near.end, far.end) == ("fin", "fin")
    tunnel.expect_all(near)
    tunnel.expect_all(far)
    expect_record(hall, tunnel, "done", "upstream")


@pytest.mark.parametrize("state, way", [
    pytest.param("held", "clear", marks=pytest.mark.skipif(
        "FAIRLEAD_FAULTS" in os.environ, reason="a splice that a fault puts off leaves what is held in a block")),
    ("heldcopy", "clear"), ("held", "tls13")])
def test_where_bytes_are_held(start, state, way):
    """The states are what they say: bulk in clear waits in a kernel pipe, all else in a block."""
    hall = start()
    enter(hall, state, "client", way, True)
    is_splice = (state, way) == ("held", "clear")
    assert (metric(hall.proxy, "splice_pipes") > 0, metric(hall.proxy, "buffer_bytes") == 0) == (is_splice, is_splice)
