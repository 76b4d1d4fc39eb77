"""A serving process that dies is started again behind the listeners, which never close."""
import os
import re
import signal
import time

import pytest

from support.bounds import wait_until
from support.message import request
from support.ops import Config, answers, fails, needs_root, reload, with_shim, works
from support.wire import connect

pytestmark = needs_root


def kill_child(proxy, word="serves again"):
    """Kill it, and wait for what the parent says about it."""
    before = len(proxy.lines)
    os.kill(proxy.serving_pid(), signal.SIGKILL)
    proxy.wait_line(word, after=before)
    return proxy.lines[before:]


def start(config, **more):
    proxy = config.start(as_root=True, **more)
    proxy.may_restart = True
    return proxy


def test_it_is_started_again(stage):
    """Killed, it is back at once under another number, on the same address, and the parent says so."""
    proxy = start(Config(stage).write("127.0.0.1:0"))
    child = proxy.serving_pid()
    lines = kill_child(proxy)
    assert any("was killed by signal 9 (Killed); it is started again now" in line for line in lines)
    assert proxy.serving_pid() != child
    works(proxy.address, stage.origin(answers()))


def test_it_is_started_again_where_sigchld_was_ignored(stage):
    """A starter that ignores SIGCHLD hands that down; the parent learns of the death all the same."""
    proxy = start(Config(stage).write("127.0.0.1:0"), command=["env", "--ignore-signal=CHLD"])
    kill_child(proxy)
    works(proxy.address, stage.origin(answers()))


def test_connections_made_meanwhile_are_served(stage):
    """A client that connects while nobody serves waits in the listener, and is answered afterwards."""
    origin = stage.origin(answers())
    proxy = start(Config(stage).write("127.0.0.1:0"))
    before = len(proxy.lines)
    child = proxy.serving_pid()
    proxy.signal(signal.SIGSTOP)
    os.kill(child, signal.SIGKILL)
    clients = [connect(proxy.address) for _ in range(6)]
    for client in clients:
        client.send(request("GET", origin.url + "/"))
    proxy.signal(signal.SIGCONT)
    for client in clients:
        with client:
            assert client.read_response().status == 200
    proxy.wait_line("serves again", after=before)


def test_it_serves_the_last_good_configuration(stage, certs):
    """The new process has the configuration and keys of the last good reload, whatever the files say now."""
    config = Config(stage)
    proxy = start(config.write("127.0.0.1:0"))
    config.write("127.0.0.1:0", config.tls(certs.server, certs.server_key))
    reload(proxy, listeners=2)
    config.path.write_text("nonsense: 1\n")
    fails(proxy, "nonsense")
    kill_child(proxy)
    host, port = proxy.addresses[1].split("//")[1].split(":")
    works((host, int(port)), stage.origin(answers()), tls=certs.client_context())


HAS_EXPIRED = r"{}: the certificate has expired on \w+, .* GMT"


def test_a_certificate_that_expired_meanwhile_is_served_on(stage, certs, shim):
    """What was served when it was good does not keep a new process from starting: that is only a warning. Nor does
    it in a pause that a reload ends."""
    config, later = Config(stage), stage.folder / "later"
    proxy = start(config.write(config.tls(certs.server, certs.server_key)),
                  environment=with_shim(shim, FAIRLEAD_TEST_CLOCK=str(later)))
    later.write_text(str(60 * 24 * 3600))
    for _ in range(4):
        lines = kill_child(proxy)
        words = "warning: .*tls.certificate: " + HAS_EXPIRED.format(certs.server) + "; it is served on"
        assert any(re.search(words, line) for line in lines), lines
    kill_child(proxy, "started again in 800ms")
    reload(proxy)
    origin = stage.origin(answers())
    works(proxy.tls_address, origin, tls=certs.client_context())


def test_a_crash_loop_backs_off(stage):
    """Deaths in a row make the pause longer, and the pause is said; the parent does not spin."""
    proxy = start(Config(stage).write("127.0.0.1:0"))
    begun = time.monotonic()
    pauses = []
    for _ in range(5):
        lines = kill_child(proxy)
        pauses += [re.search(r"it is started again (.*)$", line).group(1) for line in lines
                   if "it is started again" in line]
    assert pauses == ["now", "in 100ms", "in 200ms", "in 400ms", "in 800ms"]
    assert time.monotonic() - begun >= 1.5
    works(proxy.address, stage.origin(answers()))


def test_a_reload_ends_a_pause(stage):
    """SIGHUP while the parent pauses starts the serving process under the new configuration at once."""
    config = Config(stage)
    proxy = start(config.write("127.0.0.1:0"))
    for _ in range(6):
        kill_child(proxy)
    kill_child(proxy, "started again in 3.2")
    config.path.write_text("nonsense: 1\n")
    fails(proxy, "nonsense")
    config.write("127.0.0.1:0", "127.0.0.1:0")
    reload(proxy, listeners=2)
    host, port = proxy.addresses[1].split("//")[1].split(":")
    works((host, int(port)), stage.origin(answers()))


def test_a_bad_reload_in_a_pause(stage, certs):
    """A configuration that does not compile is dropped in a pause too, and the old one comes back."""
    config = Config(stage)
    proxy = start(config.write("127.0.0.1:0"))
    for _ in range(4):
        kill_child(proxy)
    kill_child(proxy, "started again in 800ms")
    config.write("127.0.0.1:0", config.tls(certs.server, certs.other_key))
    before = len(proxy.lines)
    fails(proxy, "other.key: the private key does not match")
    proxy.wait_line("serves again", after=before)
    works(proxy.address, stage.origin(answers()))


def test_an_end_in_a_pause(stage):
    """SIGTERM while nobody serves ends the parent at once, with code 0; socket files are removed."""
    config = Config(stage)
    path = config.folder / "proxy.sock"
    proxy = start(config.write("127.0.0.1:0", f"unix:{path}"), listeners=2)
    for _ in range(6):
        kill_child(proxy)
    kill_child(proxy, "started again in 3.2")
    proxy.signal(signal.SIGTERM)
    assert proxy.wait_exit() == 0
    assert not path.exists()


def test_a_death_over_a_reload(stage):
    """A serving process that dies before it has answered a reload comes back with the old configuration."""
    config = Config(stage)
    proxy = start(config.write("127.0.0.1:0"))
    child = proxy.serving_pid()
    os.kill(child, signal.SIGSTOP)
    config.write("127.0.0.1:0", "127.0.0.1:0")
    before, have = len(proxy.lines), len(os.listdir(f"/proc/{proxy.pid}/fd"))
    proxy.signal(signal.SIGHUP)
    wait_until(lambda: len(os.listdir(f"/proc/{proxy.pid}/fd")) > have, "the parent to open what is new")
    os.kill(child, signal.SIGKILL)
    proxy.wait_line("reload failed: the old configuration stays", after=before)
    proxy.wait_line("serves again", after=before)
    assert not any("reloaded" in line for line in proxy.lines)
    works(proxy.address, stage.origin(answers()))
    reload(proxy, listeners=2)


def give_up_a_reload(stage):
    """A reload that adds a listener and is given up, since the serving process is stopped; the parts of the play."""
    config = Config(stage)
    path = config.folder / "added.sock"
    added = {"address": f"unix:{path}", "mode": "0666"}
    proxy = config.write("127.0.0.1:0").start(as_root=True)
    child = proxy.serving_pid()
    os.kill(child, signal.SIGSTOP)
    config.write("127.0.0.1:0", added)
    proxy.signal(signal.SIGHUP)
    proxy.wait_line("has not answered the reload yet", bound=60)
    proxy.wait_line("does not answer the reload: it is given up", bound=60)
    proxy.wait_line("reload failed: the old configuration stays")
    assert not path.exists()
    return config, proxy, child, added, path


@pytest.mark.long_wait
def test_a_reload_without_an_answer_is_given_up(stage):
    """A serving process that hangs does not stop reloads for good; its late answer leads to one more."""
    _, proxy, child, _, path = give_up_a_reload(stage)
    before = len(proxy.lines)
    os.kill(child, signal.SIGCONT)
    proxy.wait_line("taken up a reload that was given up: reloading once more", after=before)
    proxy.wait_line("admin on", after=before)  # the last line of the one more
    works(str(path), stage.origin(answers()))
    assert proxy.serving_pid() == child
    reload(proxy, listeners=2)


@pytest.mark.long_wait
def test_a_late_answer_counts_also_where_the_next_reload_is_refused(stage, certs):
    """It comes while the next one waits, whose refusal leaves what was given up: there is one more all the same."""
    config, proxy, child, added, path = give_up_a_reload(stage)
    made = config.folder / "refused.sock"
    config.write("127.0.0.1:0", config.tls(certs.server, certs.other_key), f"unix:{made}")
    before = len(proxy.lines)
    proxy.signal(signal.SIGHUP)
    wait_until(made.exists, "the parent to have read the file, and to make what it asks for")
    config.write("127.0.0.1:0", added)
    os.kill(child, signal.SIGCONT)
    proxy.wait_line("reload failed: the old configuration stays", after=before)
    proxy.wait_line("admin on", after=before)  # the last line of the one more
    works(str(path), stage.origin(answers()))
    assert not made.exists() and proxy.serving_pid() == child
    assert any("taken up a reload that was given up: reloading once more" in line for line in proxy.lines[before:])
    reload(proxy, listeners=2)
