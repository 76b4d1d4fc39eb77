"""What the proxy says of a failure: in each form once, with what is known beyond the cause."""
import html
import json
import re
import ssl

import pytest

from support.dns import SERVFAIL
from support.message import request
from support.origin import replies_and_closes

COMMON = {"the", "this", "that", "with", "request", "destination", "response", "destination's", "proxy", "name"}


def says_twice(sentence, detail):
    """More than one word of weight stands in both."""
    def weighty(text):
        return {word for word in re.findall(r"[a-z']{4,}", text.lower()) if word not in COMMON}
    return len(weighty(sentence) & weighty(detail)) > 1


def gone(play):
    """An origin's address where nobody listens any more."""
    origin = play.origin([])
    origin.stop_listening()
    return origin.url + "/"


def answering(data):
    return lambda play: play.origin(replies_and_closes(data)).url + "/"


def silent(play):
    return play.origin(lambda conn: conn.read_request() and conn.hold()).url + "/"


def named(**facts):
    def target(play):
        play.dns.add("origin.test", **facts)
        return "http://origin.test/"
    return target


def tls_that_fails(context):
    """An https origin; the handshake fails, which the script is not to be blamed for."""
    def target(play):
        play.dns.add("origin.test", a=["127.0.0.1"])
        play.failing = play.origin(lambda conn: conn.read_request(), tls=context(play.certs))
        return f"https://origin.test:{play.failing.port}/"
    return target


def expired(certs):
    return certs.server_context(*certs.issue("words-expired", "DNS:origin.test", "serverAuth", is_expired=True))


def misnamed(certs):
    return certs.server_context(*certs.issue("words-misnamed", "DNS:other.test", "serverAuth"))


def demanding(certs):
    return certs.server_context(client_ca=True, versions=(ssl.TLSVersion.TLSv1_2,) * 2)


def clear(play):
    return play.origin(lambda conn: conn.hold()).url.replace("http://", "https://") + "/"


def of_clear_http(play):
    port = play.origin(lambda conn: conn.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")).port
    return f"https://127.0.0.1:{port}/"


def fixed(target):
    return lambda play: target


HEAD = b"HTTP/1.1 200 OK\r\n"
CASES = {
    # cause: (where, what stands behind the sentence; "" for nothing)
    "bad_target": (fixed("http://127.0.0.1:9\\a"), r"the request target holds a backslash"),
    "not_here": (fixed("/nothing"), r"send requests in absolute-form, or CONNECT"),
    "scheme": (fixed("ftp://127.0.0.1/"), ""),
    "refused": (fixed("http://127.0.0.1:22/"), r"bad-port 22 \(ssh, Fetch\)"),
    "refused_address": (fixed("http://10.1.2.3/"), r"default-deny 10\.0\.0\.0/8 \(private, RFC 1918\)"),
    "dns_not_found": (fixed("http://nosuch.test/"), r"nosuch\.test"),
    "dns_no_address": (named(), r"origin\.test"),
    "dns_error": (named(rcode=SERVFAIL), r"origin\.test: the name servers failed to look the name up"),
    "dns_timeout": (named(drop=True), r"origin\.test"),
    "connect_refused": (gone, r"127\.0\.0\.1:\d+"),
    "tls_certificate": (tls_that_fails(expired), r"origin\.test: it has expired"),
    "tls_certificate 2": (tls_that_fails(misnamed), r"origin\.test: it is not valid for this name"),
    "tls_alert": (tls_that_fails(demanding), r'origin\.test: the peer sent the alert "handshake failure"'),
    "tls_timeout": (clear, r"127\.0\.0\.1"),
    "tls_protocol": (of_clear_http, r"127\.0\.0\.1: the server speaks clear HTTP, not TLS"),
    "no_response": (answering(b""), ""),
    "response_timeout": (silent, ""),
    "bad_response": (answering(b"hello\r\n\r\n"), r"the status line is malformed"),
    "response_too_large": (answering(HEAD + b"X: " + b"y" * 70000 + b"\r\n\r\n"), r"the message head is too large"),
}


class Play:
    def __init__(self, stage):
        self.origin, self.dns, self.certs, self.failing = stage.origin, stage.dns, stage.certs, None


@pytest.mark.parametrize("name", CASES)
def test_every_cause_reads_once(stage, name):
    """RFC 9110 §15.5: the representation explains the error. Text, HTML, JSON, Proxy-Status and record hold one
    sentence and one detail, and the detail does not say the sentence again."""
    where, expected = CASES[name]
    proxy = stage.proxy("--timeout", "dns=300ms", "--timeout", "upstream_tls=300ms", "--timeout",
                        "response_head=300ms", "--upstream-ca", stage.certs.ca)
    play = Play(stage)
    target = where(play)
    bodies = {}
    for accept in ("text/plain", "application/json", "text/html"):
        with proxy.connect() as client:
            got = client.ask(request("GET", target, f"Accept: {accept}", host="127.0.0.1"))
        bodies[accept] = got.body.decode()
        if play.failing:
            play.failing.wait_failure()
    told = json.loads(bodies["application/json"])
    assert told["cause"] == name.split()[0]
    sentence, rule = told["reason"], told.get("rule", "")
    detail = rule or told.get("detail", "")
    assert re.fullmatch(expected, detail) and not (rule and "detail" in told)
    whole = f"{sentence}: {detail}" if detail else sentence
    assert not says_twice(sentence, detail), whole
    assert bodies["text/plain"].splitlines()[0] == f"fairlead: {whole}."
    page = html.unescape(bodies["text/html"])
    assert f"<h1>{sentence}</h1>" in page and "<p></p>" not in page and (f"<p>{detail}</p>" in page or not detail)
    beside = sentence if rule else whole  # the rule has a place of its own there
    quoted = beside.replace("\\", "\\\\").replace('"', '\\"')
    remedy = (f"; to allow it: {told['remedy']}" if told["remedy"] else "; nothing allows it") if rule else ""
    assert f'details="{quoted}{remedy}"' in got.get("Proxy-Status") and (f'rule="{rule}"' in got.get("Proxy-Status") or not rule)
    assert {(record.detail, record.rule or "") for record in proxy.records(3)} == {(beside, rule)}
