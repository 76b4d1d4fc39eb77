"""RFC 9112 §5 and RFC 9110 §5: field lines, names, values, order, size."""
import pytest

from support.conform import FINE, heard, passed, raw, refused, refused_response
from support.message import ok, request
from support.origin import replies
from support.shows import shows


@shows("9112-5.1-1")
@pytest.mark.parametrize("line", ["X : a", "X\t: a", "X  \t : a", "Content-Length : 0", "Transfer-Encoding : chunked",
                                  "Host : {authority}"])
def test_rfc9112_5_1_white_space_before_the_colon_is_400(proxy, stage, line):
    """In a request it hides a field from one reader and not from another."""
    refused(proxy, stage, raw(line))


@shows("9112-5.1-2", "9112-6.3-4")
@pytest.mark.parametrize("blank", [" ", "\t", " \t  "])
def test_rfc9112_5_1_white_space_before_the_colon_of_a_response_is_removed(proxy, stage, blank):
    """Before the name is looked at: it frames like any other."""
    answer = heard(proxy, stage, f"HTTP/1.1 200 OK\r\nX{blank}: y\r\nContent-Length{blank}: 2\r\n\r\nok".encode())
    assert answer.body == b"ok" and ("X", "y") in answer.fields and answer.values("Content-Length") == ["2"]


BAD_NAMES = [b": a", b"X Y: a", b"X(: a", b"X\"Y\": a", b"X/Y: a", b"X@: a", b"\xc3\xa9: a", b"X\0: a", b"X\x7f: a",
             b"nothing", b"=: a", b"{X}: a"]


@shows("9112-2.2-9")
@pytest.mark.parametrize("line", BAD_NAMES)
def test_rfc9112_2_2_names_are_tokens(proxy, stage, line):
    """An empty name, one that is no token, and a line without a colon, from either side."""
    refused(proxy, stage, raw(line))
    refused_response(proxy, stage, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + line + b"\r\n\r\n")


@shows("9112-5.2-1", "9112-5.2-2", "9112-5.2-3")
@pytest.mark.parametrize("fold", ["\r\n ", "\r\n\t", "\r\n \r\n "])
@pytest.mark.parametrize("field", ["X: a", "Transfer-Encoding:", "Content-Length:"])
def test_rfc9112_5_2_folded_lines_are_refused(proxy, stage, fold, field):
    """400 from a client, 502 from an origin, with a sentence that says so."""
    line = f"{field}{fold}0"
    assert b"folded" in refused(proxy, stage, raw(line)).body
    assert b"folded" in refused_response(proxy, stage, f"HTTP/1.1 200 OK\r\n{line}\r\n\r\n".encode()).body


@shows("9110-5.1-1", "9110-5.3-1", "9110-5.3-2", "9110-5.5-1")
def test_rfc9110_5_fields_pass_in_their_order(proxy, stage):
    """Unknown, repeated and empty fields pass, with name and order; white space around values does not belong to them."""
    lines = ["X-Many: 1", "x-other:  spaced \t out\t", "X-MANY: 2", "X-Empty:", "X-Blank:  \t ", "X-Many:", "x-many: 3, 4",
             "X-Quoted: \"a, b\" ; c", "X_under.score~: 1"]
    wanted = [(line.partition(":")[0], line.partition(":")[2].strip(" \t")) for line in lines]
    got = passed(proxy, stage, *lines)
    assert [field for field in got.fields if field in wanted] == wanted
    answer = heard(proxy, stage, ok(b"", *lines))
    assert [field for field in answer.fields if field in wanted] == wanted


@shows("9110-5.4-1")
@pytest.mark.parametrize("lines", [["X: " + "y" * 70_000], ["X" * 70_000 + ": y"], [f"X-{n}: {'y' * 900}" for n in range(80)],
                                   [f"X{n}: y" for n in range(1001)]],
                         ids=["value", "name", "all", "count"])
def test_rfc9110_5_4_a_head_that_is_too_large_is_431(proxy, stage, lines):
    """By its bytes, or by the number of its fields."""
    refused(proxy, stage, raw(*lines), 431)


@shows("9110-2.3-2", "9110-2.3-1")
def test_rfc9110_2_3_heads_up_to_the_limits_pass(proxy, stage):
    """900 fields, and 60 KiB, both ways."""
    for lines in ([f"X{n}: y" for n in range(900)], ["X: " + "y" * 60_000]):
        got, answer = passed(proxy, stage, *lines), heard(proxy, stage, ok(b"", *lines))
        for message in (got, answer):
            assert [field for field in message.fields if field[0].startswith("X")] == \
                [tuple(line.split(": ")) for line in lines]


@shows("9110-5.6.1.2-1", "9110-5.6.1.2-2", "9110-5.6.1.1-1")
def test_rfc9110_5_6_1_empty_list_elements_are_ignored(proxy, stage):
    """In each list that the proxy reads; what it writes has none."""
    got = passed(proxy, stage, "Connection: , ,x-one,, ,", "X-One: 1", "TE: ,, trailers ,", "Connection:,TE",
                 "Transfer-Encoding: ,, chunked ,", method="POST", body=b"4\r\nbody\r\n0\r\n\r\n")
    assert not got.has("X-One") and got.body == b"body" and got.framing == "chunked"
    assert got.get("Connection") == "TE" and got.get("TE") == "trailers" and got.get("Transfer-Encoding") == "chunked"


@shows("9110-5.6.1.2-1")
def test_rfc9110_5_6_1_many_empty_elements_are_no_harm(proxy, stage):
    """Their number is bounded by the head alone, and so is the work."""
    assert passed(proxy, stage, "Connection: " + "," * 60_000 + "x", "X: 1").method == "GET"


@shows("9110-5.3-3")
def test_rfc9110_5_3_nothing_is_done_before_the_head_is_whole(proxy, stage):
    """A request whose last field is still to come dials nothing."""
    origin = stage.origin(replies(FINE))
    with proxy.connect() as client:
        client.send(request("GET", origin.url + "/")[:-2])
        client.expect_quiet()
        assert origin.connections == []
        client.send(b"X: 1\r\n\r\n")
        assert client.read_response().body == b"fine"
    assert origin.requests[0].get("X") == "1"


@shows("9110-5.6.7-2", "9110-5.6.7-3", "9110-6.6.1-1", "9110-6.6.1-4")
def test_rfc9110_5_6_7_dates_are_imf_fixdate(proxy, stage):
    """Date of our own answers, and where an origin sent none: the present, in the one form that is generated."""
    from email.utils import format_datetime, parsedate_to_datetime
    from datetime import datetime, timezone
    with proxy.connect() as client:
        own = client.ask(request("GET", "/", host="x"))
    for answer in (own, heard(proxy, stage, ok(b"", date=False))):
        [date] = answer.values("Date")
        told = parsedate_to_datetime(date)
        assert date == format_datetime(told, usegmt=True)
        assert abs((datetime.now(timezone.utc) - told).total_seconds()) < 60
