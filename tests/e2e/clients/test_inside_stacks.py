"""The TLS of other makers inside a tunnel, timed and told from outside: docs/timing.md, "Inside a tunnel". What OpenSSL
does is in tunnel/test_inside.py.

A stack plays all its variants in one run, since some take long to start; each is a test of its own. The origin holds
back its flights and its response, and stamps what it hears and says; the marks of the record lie between."""
import contextlib
import json
import select
import shutil
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import programs
from support.bounds import BOUND, wait_until
from support.browser import browse
from support.inner import (GET, HELLO_RETRY_GROUP, PAGE, PAUSE, V12, V13, Inner, Program, assert_between, s_server)
from support.message import request
from support.stage import Stage

PROGRAMS = Path(__file__).resolve().parent / "programs"
LEAST = int(PAUSE * 1e6) - 2  # µs that a flight is held back, less what cutting takes
WHILE = 5_000  # µs behind the handshake, after which a ticket is taken for the response


@dataclass(frozen=True)
class Variant:
    version: str = "1.3"
    offered: str = ""  # the client's only version, where it is another
    connections: int = 1  # the last one counts
    has_certificate: bool = False
    is_retried: bool = False
    is_trusted: bool = True

    @property
    def client_version(self):
        return self.offered or self.version

    @property
    def is_refused(self):
        return not self.is_trusted or bool(self.offered)

    @property
    def is_full_12(self):
        return self.version == "1.2" and self.connections == 1

    @property
    def shows_certificate(self):
        return self.has_certificate and self.connections == 1

    @property
    def flights(self):
        """Those that the origin holds back. Not its tickets of TLS 1.3: late ones would be taken for the response."""
        return ("answers", "goes_on") if self.version == "1.2" or self.is_retried else ("answers",)

    def context(self, certs, stray):
        pair = (None, None) if self.is_trusted else stray
        versions = V12 if self.version == "1.2" else V13
        context = certs.server_context(*pair, client_ca=self.has_certificate, versions=versions)
        if self.is_retried:
            context.set_ecdh_curve(HELLO_RETRY_GROUP)
        return context


VARIANTS = {
    "tls12": Variant("1.2"),
    "tls13": Variant(),
    "resumed12": Variant("1.2", connections=2),
    "resumed13": Variant(connections=2),
    "certificate12": Variant("1.2", has_certificate=True),
    "certificate13": Variant(has_certificate=True),
    "certificate_resumed13": Variant(connections=2, has_certificate=True),
    "retry": Variant(is_retried=True),
    "untrusted12": Variant("1.2", is_trusted=False),
    "untrusted13": Variant(is_trusted=False),
    "version": Variant(offered="1.2"),
}


def answering(variant, context, players):
    """An origin that answers one request a connection and closes. One that asks nothing is let go."""
    def script(conn):
        player = Inner(conn, context, server_side=True)
        players.append(player)
        player.stamp("opens")
        try:
            player.shake(*variant.flights)
            player.hear_head()
            player.stamp("hears")
            player.say("responds", PAGE)
            player.say_good_bye()
        except (ssl.SSLError, AssertionError):
            player.flush()
        except OSError:
            pass  # it is gone
        conn.read_to_end()
        player.stamp("ends")
    return script


class Play:
    """A run of one stack: an origin for each variant, all behind one proxy."""
    needs = []  # command and package
    cannot = {}  # variant: why
    alert = None  # its word, and number, for a certificate that it does not trust
    starts_early = False  # TLS 1.2: it asks before the handshake is over (RFC 7918)
    offers = None  # always, whatever the variant

    def __init__(self, stage, certs, stray, programs_of):
        self.stage, self.certs, self.programs_of = stage, certs, programs_of
        self.home = stage.folder / "home"
        self.home.mkdir()
        stage.dns.add("localhost", a=["127.0.0.1"])
        stage.dns.add("origin.test", a=["127.0.0.1"])
        self.proxy = stage.proxy()
        self.players = {name: [] for name in VARIANTS if name not in self.cannot}
        self.origins = {name: stage.origin(answering(VARIANTS[name], VARIANTS[name].context(certs, stray), players),
                                           name=name) for name, players in self.players.items()}
        self.said = "nothing"

    def command(self):
        """A program of ours, and the files with the client's certificate and key."""
        raise NotImplementedError

    def run(self):
        """Keeps what the client said, for the words of a failure."""
        self.said = programs.run([*self.command(), *self.specs()], self.home).stdout.decode()

    @property
    def door(self):
        return "%s:%d" % self.proxy.address

    def specs(self):
        return [f"{self.origins[name].port}:{VARIANTS[name].client_version}:{VARIANTS[name].connections}:"
                f"{'client' if VARIANTS[name].has_certificate else '-'}" for name in self.origins]

    def records(self, name, count):
        """Of all connections to that origin, in the order in which they were opened."""
        authority = f"localhost:{self.origins[name].port}"
        found = self.proxy.records(count, lambda record: record.url == authority)
        return sorted(found, key=lambda record: record.mark("t_open"))

    def got(self, name):
        """The last record of this variant, of one that asked something if it may, and the stamps of its origin."""
        players = sorted(self.players[name], key=lambda player: player.stamps["opens"])
        both = list(zip(self.records(name, len(players)), players))
        if not VARIANTS[name].is_refused:
            both = [(record, player) for record, player in both if "hears" in player.stamps]
        assert both, f"too little came; the client said:\n{self.said}"
        record, player = both[-1]
        wait_until(lambda: "ends" in player.stamps, "the end of the connection")
        return record, player.stamps


class Go(Play):
    """crypto/tls."""
    needs = [("go", "golang-go")]
    alert = ("bad_certificate", 42)

    def command(self):
        return [*self.programs_of("go"), self.door, self.certs.ca, self.certs.client, self.certs.client_key]


class Java(Play):
    """The SSLSocket of the JDK."""
    needs = [("javac", "default-jdk-headless"), ("java", "default-jdk-headless")]
    alert = ("certificate_unknown", 46)

    def command(self):
        store = self.home / "client.p12"
        programs.run(["openssl", "pkcs12", "-export", "-in", self.certs.client, "-inkey", self.certs.client_key, "-out",
                      store, "-passout", "pass:secret"], self.home)
        return [*self.programs_of("java"), self.door, self.certs.ca, store, "secret"]


class Node(Play):
    """OpenSSL as Node drives it."""
    needs = [("node", "nodejs")]
    cannot = dict.fromkeys(["untrusted12", "untrusted13"], "Node looks at the certificate later, and sends no alert")

    def command(self):
        return ["node", PROGRAMS / "handshake.js", self.door, self.certs.ca, self.certs.client, self.certs.client_key]


class Gnutls(Play):
    """gnutls-cli, which knows no proxies: a port of the play is the near end of its tunnels. With --resume it opens two,
    and asks in the second alone."""
    needs = [("gnutls-cli", "gnutls-bin")]
    alert = ("bad_certificate", 42)

    def run(self):
        self.said = "\n".join(self.connect(name) for name in self.origins)

    def connect(self, name):
        variant = VARIANTS[name]
        words = ["--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{variant.client_version}"]
        if variant.has_certificate:
            words += ["--x509certfile", self.certs.client, "--x509keyfile", self.certs.client_key]
        if variant.connections == 2:
            words += ["--resume", *(["--waitresumption"] if variant.version == "1.3" else [])]
        with contextlib.ExitStack() as held:
            client = self.start(held, self.origins[name].port, *words)
            client.say(GET)
            client.wait_end()
            return client.seen.decode()

    def start(self, held, port, *words):
        relay = held.enter_context(Relay(self.proxy, f"localhost:{port}"))
        return Program(held, "gnutls-cli", "--x509cafile", self.certs.ca, "--sni-hostname", "localhost",
                       "--verify-hostname", "localhost", "--port", relay.port, *words, "127.0.0.1")


class Chromium(Play):
    """BoringSSL in a browser: one page fetches from each origin in turn. It offers TLS 1.3 always; the origin chooses."""
    needs = [("chromium", "chromium"), ("certutil", "libnss3-tools")]
    cannot = {**dict.fromkeys([name for name in VARIANTS if VARIANTS[name].has_certificate],
                              "without a policy no client certificate is chosen when nobody is there to choose"),
              "version": "its oldest version holds for all that it does"}
    alert = ("certificate_unknown", 46)
    starts_early = True
    offers = "1.3"

    def run(self):
        urls = [f"https://localhost:{self.origins[name].port}/{count}" for name in self.origins
                for count in range(VARIANTS[name].connections)]
        page = ("<body><script>(async () => { for (const url of " + json.dumps(urls) + ") "
                "document.body.append(await fetch(url, {mode: 'no-cors'}).then((r) => r.text()).then(() => 'ok ', String)); "
                "})()</script>").encode()
        site = self.stage.site()
        site.pages["/index.html"] = page
        self.said = browse(self.home, self.certs.ca, self.proxy.url, f"http://origin.test:{site.port}/index.html")


class Relay:
    """A port on which each connection becomes a tunnel through the proxy."""

    def __init__(self, proxy, authority):
        self.proxy, self.authority, self.threads = proxy, authority, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.spawn(self.accept)

    def spawn(self, target, *arguments):
        self.threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self.threads[-1].start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                self.spawn(self.pass_on, self.listener.accept()[0])

    def pass_on(self, near):
        with near, self.proxy.connect() as wire, contextlib.suppress(OSError):
            wire.send(request("CONNECT", self.authority))
            assert wire.read_head().status == 200
            others = {near: wire.sock, wire.sock: near}
            while others:
                for sock in select.select(list(others), [], [], BOUND)[0]:
                    data = sock.recv(1 << 16)
                    if data:
                        (wire.sock if sock is near else near).sendall(data)
                    else:
                        (wire.sock if sock is near else near).shutdown(socket.SHUT_WR)
                        del others[sock]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(BOUND)


STACKS = {"gnutls": Gnutls, "go": Go, "java": Java, "node": Node, "chromium": Chromium}


@pytest.fixture(scope="module")
def programs_of(session_folder):
    """The command of a program, compiled once."""
    def go():
        folder = session_folder / "handshake-go"
        folder.mkdir()
        shutil.copy(PROGRAMS / "handshake.go", folder)
        programs.run(["go", "build", "-o", "handshake", "handshake.go"], folder, bound=240,
                     GOCACHE=str(folder / "cache"), GOPATH=str(folder / "path"), GOPROXY="off", GOTOOLCHAIN="local",
                     GO111MODULE="off")
        return [folder / "handshake"]

    def java():
        folder = session_folder / "handshake-java"
        folder.mkdir()
        programs.run(["javac", "-d", folder, PROGRAMS / "Handshake.java"], folder)
        return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", folder, "Handshake"]
    return lambda name: {"go": go, "java": java}[name]()


@pytest.fixture(scope="module")
def stray(certs):
    """A certificate that nobody trusts."""
    return certs.self_sign("stray", "DNS:localhost")


@pytest.fixture(scope="module")
def plays(session_folder, certs, program, programs_of, stray):
    """The play of a stack, which is run when it is first asked for."""
    have = {}
    with contextlib.ExitStack() as held:
        def play_of(stack):
            for command, package in STACKS[stack].needs:
                programs.need(command, package)
            if stack not in have:
                folder = session_folder / f"stack-{stack}"
                folder.mkdir(mode=0o755)
                stage = Stage(folder, certs, program)
                held.callback(stage.end)
                have[stack] = STACKS[stack](stage, certs, stray, programs_of)
                have[stack].run()
            return have[stack]
        yield play_of


def of_those(question):
    """Each stack with each variant of which that is true."""
    return pytest.mark.parametrize("stack, name", [pytest.param(stack, name, id=f"{stack}-{name}") for stack in STACKS
                                                   for name in VARIANTS if question(VARIANTS[name])])


def play_with(plays, stack, name):
    if name in STACKS[stack].cannot:
        pytest.skip(STACKS[stack].cannot[name])
    return plays(stack)


# ---- what is told
TOLD = ("version", "offered", "resumed", "hello_retry", "early_data", "early_data_refused", "false_start",
        "certificate_asked", "client_certificate", "alert")


def told(record):
    return {name: record["inside"][name] for name in TOLD if name in record["inside"]}


@of_those(lambda variant: not variant.is_refused)
def test_what_a_handshake_was_is_told(plays, stack, name):
    """Version, resumption, HelloRetryRequest, False Start and certificate, and how sure each moment is."""
    play, variant = play_with(plays, stack, name), VARIANTS[name]
    record, _ = play.got(name)
    expected = {"version": variant.version, "offered": play.offers or variant.version}
    if variant.connections == 2:
        expected["resumed"] = True
    if variant.is_retried:
        expected["hello_retry"] = True
    if variant.shows_certificate:
        expected |= {"certificate_asked": True, "client_certificate": True}
    if play.starts_early and record.marks["t_req"] < record.marks["t_hs"]:
        expected["false_start"] = True
    assert told(record) == expected
    is_13 = variant.version == "1.3"
    end = "estimated" if is_13 and variant.shows_certificate else "passive"
    flags = {name: "passive" for name, value in expected.items() if value is True}
    flags |= {name: "estimated" for name in flags if is_13 and "certificate" in name}
    flags |= {"ech": "passive"} if record["inside"].get("ech") else {}  # Chromium's GREASE
    assert record["inside"]["confidence"] == {
        "client_hello": "passive", "answer": "passive", "handshake": end, "request": end,
        "response": "estimated" if is_13 else "passive", "turns": "estimated", "idle": "exact", **flags}
    assert record["inside"]["turns"] >= 1


@of_those(lambda variant: not variant.is_refused)
def test_each_moment_lies_between_the_stamps_of_the_origin(plays, stack, name):
    """What it holds back comes no sooner, and what it heard had passed; the marks are in their order."""
    play, variant = play_with(plays, stack, name), VARIANTS[name]
    record, origin = play.got(name)
    marks = {word: record.mark(word) for word in ("t_open", "t_ch", "t_sh", "t_hs", "t_req", "t_rsp", "x_end")}
    asks_early = play.starts_early and variant.is_full_12
    order = [marks[word] for word in marks if word != "t_hs" or not asks_early]
    assert order == sorted(order)
    assert_between(marks["t_open"], marks["t_ch"], origin["answers_due"])
    assert_between(origin["answers"], marks["t_sh"], origin.get("goes_on_due", origin["shaken"]))
    last = "goes_on" if variant.is_full_12 or variant.is_retried else "answers"
    heard = "shaken" if not variant.is_full_12 else "ends" if asks_early else "hears"
    assert_between(origin[last], marks["t_hs"], origin[heard])
    assert_between(origin["answers" if asks_early else last], marks["t_req"], origin["hears"])
    assert record.phases["inside_hello"] >= LEAST
    # On a busy machine a ticket may be late, and is what the documentation says then.
    was_late = record.marks["t_rsp"] - record.marks["t_hs"] >= WHILE and marks["t_rsp"] < origin["responds"]
    if variant.version == "1.2" or not was_late:
        assert_between(origin["responds"], marks["t_rsp"], origin["ends"])
        assert record.phases["inside_wait"] >= LEAST
    assert record.phases["inside_tls"] >= LEAST * (2 if last == "goes_on" else 1)


@of_those(lambda variant: variant.is_refused)
def test_who_refused_is_told(plays, stack, name):
    """An alert, with its code where that is in clear; no handshake ends, and nothing is asked."""
    play, variant = play_with(plays, stack, name), VARIANTS[name]
    record, origin = play.got(name)
    expected = {"offered": play.offers or variant.client_version}
    if variant.is_trusted:
        expected["alert"] = {"by": "upstream", "code": 70, "name": "protocol_version"}
    else:
        expected["version"] = variant.version
        word, code = play.alert
        expected["alert"] = {"by": "client", "encrypted": True} if variant.version == "1.3" else \
            {"by": "client", "code": code, "name": word}
        assert_between(origin["answers"], record.mark("t_sh"), origin["ends"])
    assert told(record) == expected
    assert_between(record.mark("t_open"), record.mark("t_ch"), origin.get("answers_due", origin["ends"]))
    assert not {"t_hs", "t_req", "t_rsp"} & set(record.marks)


@pytest.mark.parametrize("stack", STACKS)
def test_early_data_is_the_request(plays, certs, stack):
    """0-RTT to an origin of OpenSSL: it is told, and the response comes after what the origin had heard."""
    if stack != "gnutls":
        pytest.skip("nothing in it sends 0-RTT over TCP when told to")
    play = plays(stack)
    file = play.home / "early"
    file.write_bytes(GET)
    with contextlib.ExitStack() as held:
        server, port = s_server(held, certs)
        client = play.start(held, port, "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3", "--resume", "--waitresumption",
                            "--earlydata", file)
        server.wait(rb"GET / HTTP")
        asked = time.monotonic_ns()
        time.sleep(PAUSE)
        server.say(PAGE)
        client.wait(rb"x{500}")
    found = play.proxy.records(2, lambda record: record.url == f"localhost:{port}")
    record = max(found, key=lambda record: record.mark("t_open"))
    assert told(record) == {"version": "1.3", "offered": "1.3", "resumed": True, "early_data": True}
    assert record["inside"]["confidence"]["request"] == "estimated"
    marks = record.marks
    assert marks["t_ch"] <= min(marks["t_req"], marks["t_sh"])  # a quick origin may speak first
    assert max(marks["t_req"], marks["t_sh"]) <= marks["t_hs"]
    assert_between(record.mark("t_req"), asked, record.mark("t_rsp"))
