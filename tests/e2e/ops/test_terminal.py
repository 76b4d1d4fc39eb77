"""The access log on a terminal: colours, where they are wanted, and lines that fit."""
import json
import os
import re

import pytest

from support.bounds import wait_until
from support.message import ok, request
from support.ops import both
from support.origin import replies_forever
from support.proxy import LOOPBACK, clean_environment
from support.terminal import SGR, Terminal, seen

FLAGS = ["--admin", "127.0.0.1:0", "--workers", "1", *LOOPBACK]


@pytest.fixture
def terminal(stage):
    terminal = Terminal()
    stage.others.append(terminal)
    return terminal


def colourful(**more):
    """An environment that has nothing against colours."""
    base = clean_environment()
    base.pop("NO_COLOR")
    return {**base, **more}


@pytest.fixture
def start(stage, terminal):
    """A proxy whose standard output is the terminal."""
    def run(**more):
        return stage.proxy(*FLAGS, defaults=False, stdout=terminal.its, **{"environment": colourful(), **more})
    return run


@pytest.fixture
def ask(stage):
    """One request through the proxy, with a path of its own."""
    origin = stage.origin(replies_forever(ok(b"fine")))

    def run(proxy, path="/", status=200):
        with proxy.connect() as client:
            assert client.ask(request("GET", origin.url + path)).status == status
    return run


@both
def test_a_terminal_gets_lines_in_colours(start, terminal, ask, stage, as_root):
    """Nothing needs to be set: a line a person can read, its status in green, or in red where it failed."""
    proxy = start(as_root=as_root)
    ask(proxy, "/page")
    line = terminal.line()
    assert "\x1b[32m200 \x1b[0m" in line and "/page" in seen(line)
    closed = stage.origin([])
    closed.stop_listening()
    with proxy.connect() as client:
        client.ask(request("GET", closed.url + "/"))
    assert "\x1b[31m502 \x1b[0m" in terminal.line()


@pytest.mark.parametrize("value, has_color", [("1", False), ("yes", False), ("", True)], ids=["1", "yes", "empty"])
def test_no_color_is_heard(start, terminal, ask, value, has_color):
    """NO_COLOR turns colours off where it is there and not empty: no-color.org."""
    ask(start(environment=colourful(NO_COLOR=value)))
    line = terminal.line()
    assert bool(SGR.search(line)) == has_color and " 200 GET " in seen(line)


def test_a_pipe_gets_json(stage, ask):
    """Programs read what is not a terminal: the default there is JSON, without colours."""
    proxy = stage.proxy(*FLAGS, defaults=False, environment=colourful())
    ask(proxy)
    wait_until(lambda: proxy.output, "a line on standard output")
    assert json.loads(proxy.output[0])["status"] == 200


@pytest.mark.parametrize("to_file", [False, True], ids=["pipe", "file"])
def test_lines_elsewhere_have_no_colours(stage, ask, to_file):
    """The format for people may be asked for anywhere; colours stay on terminals."""
    path = stage.folder / "proxy0" / "lines.log"
    proxy = stage.proxy(*FLAGS, "--log-format", "line", *(["--log-file", path] if to_file else []), defaults=False,
                        environment=colourful())
    ask(proxy)
    line, = wait_until(lambda: path.read_text().splitlines() if to_file else proxy.output, "a line")
    assert seen(line) == line and " 200 GET " in line


def test_lines_fit_the_terminal(start, terminal, ask):
    """Whatever its width, and also when it changes: no line is longer, down to 60 columns and up to 500. Where it has no
    room for phases they stand below it."""
    proxy = start()

    def shown(path):
        ask(proxy, path)
        while (text := seen(terminal.line()))[:9].isspace():
            pass  # what is below one that was laid out just before
        return text
    for columns, most in ((80, 80), (200, 200), (900, 500), (100, 100), (72, 72), (20, 60), (1, 60), (0, 80)):
        terminal.resize(columns)
        shown("/")  # which may have been laid out just before
        for path in ("/", "/" + "long" * 200):
            text = shown(path)
            assert len(text) <= most, (columns, text)
            assert path == "/" or len(text) > most - 30, (columns, text)
            assert text[8:17] == " 200 GET "
            if most == 60:
                assert re.match(r" {9}(reused )?[a-z]+ \d\S+", seen(terminal.line()))


def test_lines_elsewhere_are_whole(stage, ask):
    """A file of lines is searched by programs: a target stands in it to its end."""
    path = stage.folder / "proxy0" / "lines.log"
    proxy = stage.proxy(*FLAGS, "--log-format", "line", "--log-file", path, defaults=False)
    ask(proxy, "/" + "long" * 200 + "/end")
    line, = wait_until(lambda: path.read_text().splitlines(), "a line")
    assert "long/end " in line


def test_a_terminal_that_goes_away_ends_nothing(start, terminal, ask):
    """When the terminal is closed, requests are served all the same."""
    proxy = start()
    ask(proxy)
    terminal.line()
    os.close(terminal.mine)
    terminal.mine = os.dup(terminal.its)  # so that both can be closed in the end
    for _ in range(3):
        ask(proxy)
