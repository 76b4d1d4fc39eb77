"""fairlead tail, tunnels and har: what a process does, for people and for other tools."""
import fcntl
import json
import os
import re
import select
import signal
import socket
import subprocess
import termios
import threading

import pytest

from support.admin import open_tunnels
from support.bounds import BOUND, Signal, wait_until
from support.har import check_har
from support.message import ok, request
from support.ops import told
from support.origin import echoes, replies, replies_forever
from support.proxy import clean_environment
from support.terminal import Terminal, seen

TOKEN = "0123456789abcdef0123456789abcdef"


class Follower:
    """A `fairlead tail` that runs; its lines are read while they come."""

    def __init__(self, stage, *words, **more):
        self.changed = Signal()
        self.lines, self.said = [], []
        self.process = subprocess.Popen([stage.program, "tail", *map(str, words)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=clean_environment(**more))
        self.threads = [threading.Thread(target=self._read, args=args, daemon=True)
                        for args in ((self.process.stdout, self.lines), (self.process.stderr, self.said))]
        for thread in self.threads:
            thread.start()

    def _read(self, stream, into):
        for line in stream:
            with self.changed:
                into.append(line.decode())

    def wait(self, count):
        self.changed.wait(lambda: len(self.lines) >= count,
                          lambda: f"{count} lines; there is {self.lines} {self.said}")
        return self.lines[:count]

    def hears(self, pattern):
        return self.changed.wait(lambda: next((line for line in self.said if re.search(pattern, line)), None),
                                 f"{pattern} on stderr; there is {self.said}")

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        code = self.process.wait(BOUND)
        for thread in self.threads:
            thread.join(BOUND)
        return code


@pytest.fixture
def follow(stage):
    followers = []

    def start(*words, **more):
        followers.append(Follower(stage, *words, **more))
        return followers[-1]
    yield start
    for follower in followers:
        follower.process.kill()
        follower.process.wait(BOUND)


def admin_of(proxy):
    return proxy.admin if isinstance(proxy.admin, str) else "%s:%d" % proxy.admin


def ask(stage, proxy, url):
    with stage.client(proxy.connect()) as client:
        return client.ask(request("GET", url))


def followed(stage, proxy, follow, *words):
    """A follower that is known to be connected: it has shown a first transaction."""
    follower = follow("--admin", admin_of(proxy), *words)
    origin = stage.origin(replies_forever(ok(b"fine")))
    wait_until(lambda: ask(stage, proxy, origin.url + "/first").status == 200 and follower.lines, "a first line")
    return follower, origin


# ---- tail

def test_tail_shows_what_the_log_line_shows(stage, proxy, follow):
    """One line a transaction, as --log-format line has it; in a pipe without colours, and whole however long."""
    follower, origin = followed(stage, proxy, follow)
    path = "/" + "long" * 400 + "/last"
    ask(stage, proxy, origin.url + path)
    line = wait_until(lambda: next((line for line in follower.lines if "/last" in line), None), "the last line")
    assert re.match(r"\d\d:\d\d:\d\d 200 GET +\S+ +\S+ 127\.0\.0\.1:\d+/long", line)
    assert path + " " in line and "\x1b" not in line
    ask(stage, proxy, "http://10.0.0.1/" + "x" * 300)
    line = wait_until(lambda: next((line for line in follower.lines if "10.0.0.1/x" in line), None), "the refusal")
    assert "x" * 300 + "  refused: default-deny 10.0.0.0/8 (" in line and "; to allow it: --allow 10.0.0.1" in line
    assert follower.end() == 0 and follower.said == []


@pytest.mark.parametrize("columns", [60, 80, 120, 300])
def test_tail_is_as_wide_as_its_terminal(stage, proxy, columns):
    """What has no room in a line is cut or stands below, and what a person looks for is there."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    terminal = Terminal(columns)
    stage.others.append(terminal)
    process = subprocess.Popen([stage.program, "tail", "--admin", admin_of(proxy)], stdout=terminal.its,
                               stderr=subprocess.DEVNULL, env=clean_environment())
    try:
        wait_until(lambda: ask(stage, proxy, origin.url + "/" + "long" * 200).status == 200 and terminal.is_readable(), "a line")
        line = seen(terminal.line())
        assert columns - 30 <= len(line) <= columns and "/long" in line
        if columns == 60:
            assert re.match(r" {9}(reused )?[a-z]+ \d\S+", seen(terminal.line()))
    finally:
        process.kill()
        process.wait(BOUND)


def test_tail_json_is_the_line_of_the_log(stage, proxy, follow):
    follower, origin = followed(stage, proxy, follow, "--json", "--filter", "url~/first")
    shown = json.loads(follower.lines[0])
    del shown["seq"]
    assert shown in [json.loads(line) for line in proxy.log_lines()]


def test_tail_filters(stage, proxy, follow):
    """Only what passes: both the process and the command are asked, and say the same."""
    follower, origin = followed(stage, proxy, follow, "--filter", "status=200 url~/first,/last")
    ask(stage, proxy, origin.url + "/other")
    ask(stage, proxy, origin.url + "/last")
    wait_until(lambda: any("/last" in line for line in follower.lines), "the last line")
    assert not any("/other" in line for line in follower.lines)


def test_tail_ends_with_its_reader(stage, proxy, follow):
    """`fairlead tail | head -1`: when nobody reads it ends by itself, without a word."""
    follower, origin = followed(stage, proxy, follow)
    del follower
    reader, writer = os.pipe()
    process = subprocess.Popen([stage.program, "tail", "--admin", admin_of(proxy)], stdout=writer,
                               stderr=subprocess.PIPE, env=clean_environment())
    os.close(writer)
    os.close(reader)
    assert process.wait(BOUND) == 0 and process.stderr.read() == b""
    process.stderr.close()


def test_tail_ends_in_the_middle_of_lines(stage):
    """The same while lines come."""
    script = Script(HEAD + chunks(event(1, "x" * 2000) * 200, 65536))
    process = subprocess.Popen([stage.program, "tail", "--json", "--admin", script.address], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=clean_environment())
    assert process.stdout.read(1) == b"{"
    process.stdout.close()
    assert process.wait(BOUND) == 0
    assert b"output" not in process.stderr.read()
    process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_tail_hears_signals_while_its_reader_does_not_read(stage, number):
    """A pager that was stopped holds the pipe full."""
    script = Script(HEAD + chunks(event(1, "x" * 2000) * 200, 65536))
    process = subprocess.Popen([stage.program, "tail", "--json", "--admin", script.address], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=clean_environment())
    full = bytearray(4)
    wait_until(lambda: fcntl.ioctl(process.stdout, termios.FIONREAD, full) == 0
               and int.from_bytes(full, "little") > 60_000, "the pipe to be full")
    process.send_signal(number)
    assert process.wait(BOUND) == 0
    process.stdout.close()
    process.stderr.close()


@pytest.mark.parametrize("words, reason", [
    (["--filter", "stauts=4xx"], 'did you mean "status"'),
    (["--fliter", "x"], ": --fliter: unknown option; did you mean --filter?\n"),
    (["-k"], ": -k: unknown option; --help lists them\n"),
    (["--admin", "a.sock"], "--admin expects ADDRESS:PORT, unix:PATH, or a path with a / in it\n"),
    (["--admin", "/" + "a" * 107], "--admin: the path of a Unix socket has at most 107 bytes\n"),
    (["--admin", "http://127.0.0.1:1/x"], "--admin expects"),
    (["--json=1"], "no value is expected"),
    (["--filter"], "a value is missing"),
    (["more"], "no word is expected"),
])
def test_wrong_usage_is_told(stage, words, reason):
    code, out, said = told(stage, "tail", *words)
    assert (code, out) == (2, "") and reason in said


def test_a_unix_socket_has_one_name_for_all(stage):
    """unix:PATH is what the process and those who ask it take alike, also with a path that is relative."""
    path = f"unix:{os.path.relpath(stage.folder / 'proxy0' / 'admin.sock')}"
    if len(path) > 107:
        pytest.skip("too long for a socket")
    stage.proxy("--admin", path)
    assert told(stage, "tunnels", "--admin", path) == (0, "no tunnel is open\n", "")
    assert told(stage, "requests", "--admin", path) == (0, "no request is in flight\n", "")


def test_nobody_there_is_told(stage):
    """A process that does not run: exit status 1, and where it was looked for."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        code, out, said = told(stage, "tail", "--admin", "127.0.0.1:%d" % taken.getsockname()[1])
    assert (code, out) == (1, "") and "Connection refused" in said and "127.0.0.1" in said


class Script:
    """An admin listener that plays: for each connection the bytes behind its head; what was asked is kept."""

    def __init__(self, *answers):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.asked = []
        self.changed = Signal()
        self.thread = threading.Thread(target=self._serve, args=(answers,), daemon=True)
        self.thread.start()

    def _serve(self, answers):
        for answer in answers:
            connection, _ = self.listener.accept()
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65536)
                with self.changed:
                    self.asked.append(head.split(b" ")[1].decode())
                connection.sendall(answer)
        self.listener.close()


def event(number, path):
    line = {"v": 1, "time": "2026-11-24T02:12:23.123456Z", "base_ns": 5, "kind": "exchange", "id": "%016x" % number,
            "worker": 0, "method": "GET", "url": f"http://a.example/{path}", "status": 200, "end": "done"}
    return f"event: transaction\nid: {number}\ndata: {json.dumps(line)}\n\n".encode()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunks(data, size):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part)
                    for part in (data[i:i + size] for i in range(0, len(data), size)))


def test_tail_shows_no_token_where_none_is_needed(stage, follow):
    """Reading on loopback is free; whoever has taken the port of a process that ended would hear it."""
    asked = []

    def listens(conn):
        asked.append(conn.read_head().raw_head)
        conn.close()
    origin = stage.origin(listens)
    token, file = stage.folder / "token", stage.folder / "admin.yaml"
    token.write_text(TOKEN + "\n")
    file.write_text(f"admin: {{ address: '{origin.authority}', token_file: '{token}' }}\n")
    follow("-c", file)
    wait_until(lambda: asked, "a question")
    assert b"GET /api/v1/events" in asked[0] and b"uthorization" not in asked[0]


def test_tail_comes_back(stage, follow):
    """A connection that breaks off is said and made again, from the last number on; what was left out is shown."""
    script = Script(HEAD + chunks(b"event: hello\ndata: {}\n\n: quiet\n\n" + event(7, "one"), 3),
                    HEAD + chunks(b'event: left_out\ndata: {"count":12}\n\n' + event(20, "two"), 4000))
    follower = follow("--admin", script.address)
    first, missing, second = follower.wait(3)
    assert "a.example/one" in first and "a.example/two" in second
    assert missing == "-- 12 transactions left out, too many at once --\n"
    assert script.asked == ["/api/v1/events", "/api/v1/events?after=7"]
    assert "trying again" in follower.hears("trying") and follower.hears("connected again")
    assert follower.end(signal.SIGTERM) == 0


def test_tail_shows_nothing_raw(stage, follow):
    """Whoever answers may be hostile: no control byte reaches the terminal, and a line that is none is left out."""
    bad = b'event: transaction\nid: 2\ndata: {"v":1,"\x1b[31m":\n\n'
    script = Script(HEAD + chunks(bad + event(1, "\x1b[31m\u009b"), 100000))
    follower = follow("--admin", script.address)
    line, = follower.wait(1)
    assert "\\x1b" in line and all(c == "\n" or " " <= c <= "~" for c in line)
    assert "left out" in follower.hears("left out")
    assert all(c == "\n" or " " <= c <= "~" for c in "".join(follower.said))


@pytest.mark.parametrize("answer, reason", [
    (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 8\r\n\r\nno token",
     "answers 401: it needs the admin token: --token-file FILE, or -c FILE whose admin.token_file names it\n"),
    (b"HTTP/1.1 404 Not Found\r\n\r\n", "answers 404\n"),
    (b"HTTP/1.1 503 Busy\r\n\r\nlater\nor not", "answers 503: later\n"),
    (b"SSH-2.0-x\r\n\r\n", "no admin listener"),
    (b"", "no admin listener"),
])
def test_a_refusal_is_told(stage, answer, reason):
    script = Script(answer)
    code, out, said = told(stage, "tail", "--admin", script.address)
    assert (code, out) == (1, "") and reason in said


def test_tail_ends_where_its_token_is_not_taken(stage, follow):
    """A process that came back with a token: another try would change nothing, so it says what would."""
    script = Script(HEAD + chunks(event(7, "one"), 4000), b"HTTP/1.1 401 Unauthorized\r\n\r\n")
    follower = follow("--admin", script.address)
    assert "it needs the admin token: --token-file FILE" in follower.hears("answers 401")
    assert follower.process.wait(BOUND) == 1 and "a.example/one" in follower.wait(1)[0]


# ---- tunnels

def token_file(stage):
    path = stage.folder / "token"
    path.write_text(TOKEN + "\n")
    return path


def with_token_file(stage, *more):
    config = stage.folder / "admin.yaml"
    config.write_text(f"admin: {{ token_file: {token_file(stage)} }}\n")
    return stage.proxy("-c", config, *more)


def test_tunnels_are_listed(stage, proxy):
    """A table of what is open: in a pipe whole, on a terminal as wide as that."""
    origin = stage.origin(echoes)
    client, _ = open_tunnels(stage, proxy, origin, 2)
    client.send(b"x" * 2000)
    client.read(2000)
    head, *rows = wait_until(lambda: (lines := told(stage, "tunnels", "--admin", admin_of(proxy))[1].splitlines())
                             and any("2.0" in line for line in lines) and lines, "the bytes to be listed")
    assert head.split() == ["ID", "AGE", "IDLE", "UP", "DOWN", "CLIENT", "TARGET"] and len(rows) == 2
    assert all(re.match(r"[0-9a-f]{16} +\d", row) and origin.authority in row and len(row) <= 80 for row in rows)


@pytest.mark.parametrize("command", ["tunnels", "requests"])
def test_long_names_are_whole_in_a_pipe(stage, proxy, command):
    """On a terminal the target is cut; a program that reads the table gets all of it, whose it is, and any client."""
    open_tunnels(stage, proxy, stage.origin(echoes), 1)
    one = json.loads(told(stage, "tunnels", "--json", "--admin", admin_of(proxy))[1])
    one |= {"url": "x" * 1000 + ".example:443", "user": "user" * 30, "client": "[2001:db8:1111:2222:3333:4444:5555:6666]:1"}
    page = ok(json.dumps({"v": 1, command: [one]}).encode(), "Connection: close")
    fake = stage.origin([replies(page), replies(page)])
    _, row = told(stage, command, "--admin", fake.authority)[1].splitlines()
    assert row.endswith(f" 2001:db8:1111:2222:3333:4444:5555:6666 {'CONNECT ' * (command == 'requests')}{one['url']} ({one['user']})")
    terminal = Terminal(300)
    stage.others.append(terminal)
    subprocess.run([stage.program, command, "--admin", fake.authority], stdout=terminal.its, env=clean_environment(),
                   timeout=BOUND, check=True)
    assert "TARGET" in terminal.line()
    row = seen(terminal.line())
    assert len(row) == 300 and "xxx... (useruser" in row


@pytest.mark.parametrize("columns", [60, 70, 79, 80, 120])
def test_tunnels_are_as_wide_as_their_terminal(stage, proxy, columns):
    """No row is wider than the terminal, and each fills it: below 80 columns the target has the room of bytes and client."""
    open_tunnels(stage, proxy, stage.origin(echoes), 1)
    one = json.loads(told(stage, "tunnels", "--json", "--admin", admin_of(proxy))[1])
    one |= {"url": "x" * 200 + ".example:443", "user": "ci"}
    fake = stage.origin([replies(ok(json.dumps({"v": 1, "tunnels": [one]}).encode(), "Connection: close"))])
    terminal = Terminal(columns)
    stage.others.append(terminal)
    subprocess.run([stage.program, "tunnels", "--admin", fake.authority], stdout=terminal.its, env=clean_environment(),
                   timeout=BOUND, check=True)
    more = ["UP", "DOWN", "CLIENT"] if columns >= 80 else []
    head, row = seen(terminal.line()), seen(terminal.line())
    assert head.split() == ["ID", "AGE", "IDLE", *more, "TARGET"] and len(head) <= columns
    assert len(row) == columns and re.search(r" xxx+\.\.\. \(ci\)$", row)


def test_no_tunnel_is_told(stage, proxy):
    assert told(stage, "tunnels", "--admin", admin_of(proxy)) == (0, "no tunnel is open\n", "")
    assert told(stage, "tunnels", "--admin", f"http://{admin_of(proxy)}/") == (0, "no tunnel is open\n", "")  # as printed
    assert told(stage, "tunnels", "--json", "--admin", admin_of(proxy)) == (0, "", "")


def test_a_tunnel_is_ended(stage):
    """--kill needs the token; the tunnel is gone afterwards, and another word for one that is not there."""
    proxy = with_token_file(stage)
    client, = open_tunnels(stage, proxy, stage.origin(echoes), 1)
    code, out, _ = told(stage, "tunnels", "--json", "--admin", admin_of(proxy))
    number = json.loads(out)["id"]
    code, out, said = told(stage, "tunnels", "--kill", number, "--admin", admin_of(proxy))
    assert (code, out) == (1, "") and "is not ended: it needs the admin token: --token-file FILE, or -c FILE" in said
    wrong = stage.folder / "wrong"
    wrong.write_text("another" * 5)
    code, out, said = told(stage, "tunnels", "--kill", number, "--admin", admin_of(proxy), "--token-file", wrong)
    assert (code, out) == (1, "") and "is not ended: the admin token is wrong" in said and "Authorization" not in said
    words = ["tunnels", "--kill", number, "--admin", admin_of(proxy), "--token-file", stage.folder / "token"]
    assert told(stage, *words) == (0, f"{number} ended\n", "")
    client.expect_end("rst")
    code, out, said = told(stage, *words)
    assert (code, out) == (1, "") and "is not ended" in said


def test_tunnels_are_filtered(stage, proxy):
    open_tunnels(stage, proxy, stage.origin(echoes), 1)
    words = ["tunnels", "--admin", admin_of(proxy), "--filter"]
    assert len(told(stage, *words, "kind=tunnel")[1].splitlines()) == 2
    assert told(stage, *words, "host=b.example")[1] == "no open tunnel passes the filter\n"


# ---- har

def make_traffic(stage, proxy):
    """A new connection, a pooled one, a refusal, a failure, a tunnel."""
    origin = stage.origin(replies_forever(ok(b"fine")))
    for path in ("/a", "/b?q=1"):
        ask(stage, proxy, origin.url + path)
    ask(stage, proxy, "http://10.0.0.1/")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ask(stage, proxy, "http://127.0.0.1:%d/" % taken.getsockname()[1])
    client, = open_tunnels(stage, proxy, stage.origin(echoes), 1)
    client.send(b"x")
    client.read(1)
    client.half_close()
    client.expect_end("fin")
    proxy.records(5)


def test_a_log_becomes_an_archive(stage):
    """Every transaction, in order; sums are exact and the schema holds; the tunnel is a CONNECT."""
    proxy = stage.proxy("--workers", "1")
    make_traffic(stage, proxy)
    code, out, said = told(stage, "har", proxy.log_path)
    assert (code, said) == (0, "")
    entries = check_har(out)
    assert sorted(entry["response"]["status"] for entry in entries) == [200, 200, 200, 403, 502]
    tunnel, = [entry for entry in entries if entry["request"]["method"] == "CONNECT"]
    assert tunnel["request"]["url"].startswith("connect://127.0.0.1:") and tunnel["request"]["bodySize"] > 0
    new, pooled = [entry for entry in entries if entry["request"]["url"].endswith(("/a", "/b?q=1"))]
    assert new["timings"]["connect"] >= 0 and pooled["timings"]["connect"] == -1
    assert new["connection"] == pooled["connection"] and new["serverIPAddress"] == "127.0.0.1"
    assert pooled["_conn"]["orig_connect"] == pytest.approx(new["timings"]["connect"], abs=0.0011)


def test_a_process_gives_the_same_archive(stage):
    """What it remembers and what its log has are the same, once both are there."""
    proxy = stage.proxy("--workers", "1")
    make_traffic(stage, proxy)
    of_log = told(stage, "har", proxy.log_path)[1]
    assert told(stage, "har", "--admin", admin_of(proxy))[1] == of_log
    assert len(check_har(of_log)) == 5


def test_an_archive_is_filtered(stage, proxy):
    make_traffic(stage, proxy)
    words = ["har", proxy.log_path, "--filter", "status>=400"]
    assert sorted(entry["response"]["status"] for entry in check_har(told(stage, *words)[1])) == [403, 502]
    assert check_har(told(stage, *words, "--since", "0s")[1]) == []
    assert len(check_har(told(stage, *words, "--since", "1h")[1])) == 2
    assert len(check_har(told(stage, *words, "--since=2020-01-01T00:00:00Z")[1])) == 2
    assert told(stage, *words, "--since", "yesterday")[0] == 2


def test_lines_that_are_none_are_told(stage, proxy):
    """The rest is in the archive; the exit status is 1."""
    make_traffic(stage, proxy)
    lines = proxy.log_path.read_text().splitlines()
    lines[1:1] = ["", "nonsense", lines[0].replace('"v":1', '"v":2')]
    log = stage.folder / "mixed.log"
    log.write_text("\n".join(lines) + "\n" + lines[-1][:50])
    code, out, said = told(stage, "har", log)
    assert code == 1 and len(check_har(out)) == 5
    assert [re.sub(r"^.*mixed.log:", "", line) for line in said.splitlines()] == [
        "3: column 1: it is no JSON; left out", '4: column 6: "v": only version 1 is known; left out',
        f"{len(lines) + 1}: the last line is cut off; left out"]


def test_an_empty_log_is_an_empty_archive(stage):
    log = stage.folder / "empty.log"
    log.write_text("")
    assert check_har(told(stage, "har", log)[1]) == []
    code, out, said = told(stage, "har", stage.folder / "missing.log")
    assert (code, out) == (2, "") and "No such file" in said


@pytest.mark.parametrize("words, said", [
    (["har"], "reading a JSON log from standard input; --admin asks a process\n"),
    (["har", "--since", "10m"], "reading a JSON log from standard input; --admin asks a process\n"),
    (["learn"], "reading a JSON log from standard input\n"),
])
def test_who_waits_for_a_person_says_so(stage, words, said):
    """What reads its log from a terminal says what it waits for, before it does. From a pipe it reads without a word."""
    terminal = Terminal()
    stage.others.append(terminal)
    process = subprocess.Popen([stage.program, *words], stdin=terminal.its, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True, env=clean_environment())
    try:
        assert select.select([process.stderr], [], [], BOUND)[0], "it waits silently"
        assert process.stderr.readline() == f"fairlead: {words[0]}: {said}"
        os.write(terminal.mine, b"\x04")  # the end of what is typed
        assert process.wait(BOUND) == 0
    finally:
        process.kill()
        process.wait(BOUND)
        process.stderr.close()
    done = subprocess.run([stage.program, *words], input="", capture_output=True, text=True, timeout=BOUND,
                          env=clean_environment())
    assert done.returncode == 0 and "reading" not in done.stderr
