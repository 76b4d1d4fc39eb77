"""SIGUSR1: the access log is opened again, with and without a parent."""
import os
import signal

import pytest
from support.bounds import QUIET, Cue, Late, wait_until
from support.message import request
from support.ops import Config, answers, both, get, needs_root, reload, waits_for
from support.proxy import NOBODY
from support.wire import connect


def rotate(proxy, log, word="the access log is open again"):
    aside = log.with_suffix(".1")
    os.rename(log, aside)
    reload(proxy, signal.SIGUSR1, word)
    return aside


def wait_text(path, words):
    wait_until(lambda: path.exists() and words in path.read_text(), f"{words} in {path}")


def holds(pid, path):
    """Has it this file open?"""
    links = (os.path.join(f"/proc/{pid}/fd", name) for name in os.listdir(f"/proc/{pid}/fd"))
    return str(path) in [os.readlink(link) for link in links if os.path.islink(link)]


@both
def test_a_renamed_log_is_opened_again(stage, as_root):
    """After a rename and SIGUSR1 lines go to a new file, and none is lost."""
    origin, config = stage.origin(answers()), Config(stage)
    proxy = config.write("127.0.0.1:0").start(as_root=as_root)
    get(proxy.address, origin, "/one")
    wait_text(config.log, "/one")
    aside = rotate(proxy, config.log)
    get(proxy.address, origin, "/two")
    wait_text(config.log, "/two")
    assert "/one" in aside.read_text() and "/two" not in aside.read_text()


@needs_root
@pytest.mark.parametrize("kind", ["not made", "refused"])
def test_a_reload_that_fails_does_not_swallow_a_rotation(stage, certs, kind):
    """SIGUSR1 that comes with SIGHUP opens the log again also where that reload fails, whoever refuses it."""
    origin, config = stage.origin(answers()), Config(stage)
    proxy = config.write("127.0.0.1:0").start(as_root=True)
    aside = config.log.with_suffix(".1")
    os.rename(config.log, aside)
    if kind == "refused":
        config.write("127.0.0.1:0", config.tls(certs.server, certs.other_key))
    else:
        config.path.write_text("nonsense: 1\n")
    proxy.signal(signal.SIGSTOP)  # so that it finds both at once
    proxy.signal(signal.SIGUSR1)
    proxy.signal(signal.SIGHUP)
    proxy.signal(signal.SIGCONT)
    proxy.wait_line("reload failed: the old configuration stays")
    proxy.wait_line("the access log is open again")
    get(proxy.address, origin, "/two")
    wait_text(config.log, "/two")
    assert aside.read_text() == ""


@needs_root
def test_a_log_is_said_to_be_open_once_it_is_written_to(stage):
    """The parent has opened it, but whoever serves does not know yet: nobody says that it is open."""
    origin, config = stage.origin(answers()), Config(stage)
    proxy = config.write("127.0.0.1:0").start(as_root=True)
    proxy.freeze()
    aside = config.log.with_suffix(".1")
    os.rename(config.log, aside)
    proxy.signal(signal.SIGUSR1)
    wait_until(config.log.exists, "the new file")
    with pytest.raises(Late):
        proxy.wait_line("the access log is open again", QUIET)
    proxy.thaw()
    proxy.wait_line("the access log is open again")
    get(proxy.address, origin, "/two")
    wait_text(config.log, "/two")
    assert aside.read_text() == ""


@both
def test_a_log_is_opened_again_in_a_drain(stage, as_root):
    """While open exchanges finish after SIGTERM, SIGUSR1 does what it did before."""
    cue, config = Cue(), Config(stage)
    origin = stage.origin(waits_for(cue))
    proxy = config.write("127.0.0.1:0", timeouts={"drain": "60s"}).start(as_root=as_root)
    with connect(proxy.address) as client:
        client.send(request("GET", origin.url + "/late"))
        origin.wait_requests(1)
        proxy.signal(signal.SIGTERM)
        proxy.wait_line("draining: 1 open")
        aside = rotate(proxy, config.log)
        wait_until(lambda: not holds(proxy.serving_pid(), aside), "the old file to be closed")
        cue.give()
        assert client.read_response().body == b"late"
    assert proxy.wait_exit() == 0
    assert "/late" in config.log.read_text() and aside.read_text() == ""


@needs_root
def test_a_log_where_only_root_may_write(stage):
    """The log may lie in a directory of root's; its file belongs to root and is nobody's to read."""
    origin, config = stage.origin(answers()), Config(stage)
    folder = config.folder / "logs"
    folder.mkdir(mode=0o700)
    config.log = folder / "access.log"
    proxy = config.write("127.0.0.1:0").start(as_root=True)
    aside = rotate(proxy, config.log)
    get(proxy.address, origin, "/two")
    wait_text(config.log, "/two")
    facts = config.log.stat()
    assert (facts.st_uid, facts.st_mode & 0o777) == (0, 0o640)
    assert aside.read_text() == ""


@both
def test_a_log_that_cannot_be_opened_keeps_the_old_file(stage, as_root):
    """Where the new file cannot be opened, the reason is said and the old one stays in use."""
    origin, config = stage.origin(answers()), Config(stage)
    proxy = config.write("127.0.0.1:0").start(as_root=as_root)
    os.rename(config.log, config.log.with_suffix(".1"))
    config.log.mkdir()
    reload(proxy, signal.SIGUSR1, "the access log cannot be opened again, the old file stays: .*"
           "access.log: Is a directory")
    get(proxy.address, origin, "/two")
    wait_text(config.log.with_suffix(".1"), "/two")


@needs_root
@pytest.mark.parametrize("kind, reason", [
    ("symbolic", "root does not follow another user's symbolic link"),
    ("dangling", "root does not follow another user's symbolic link"),
    ("directory", "root does not follow another user's symbolic link"),
    ("hard", "root does not write to a file of several names")])
def test_root_does_not_write_where_the_serving_user_points(stage, kind, reason):
    """The serving user owns the directory of the log; links that it puts there lead root nowhere."""
    origin, config = stage.origin(answers()), Config(stage)
    folder = config.folder / "logs"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    config.log = folder / "access.log"
    proxy = config.write("127.0.0.1:0").start(as_root=True)
    target = stage.folder / "precious"
    target.mkdir()
    (target / "access.log").write_text("precious\n")
    os.rename(folder, config.folder / "aside") if kind == "directory" else os.unlink(config.log)
    if kind == "hard":
        os.link(target / "access.log", config.log)
    else:
        link = folder if kind == "directory" else config.log
        link.symlink_to({"directory": target, "symbolic": target / "access.log",
                         "dangling": target / "new.log"}[kind])
        os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    reload(proxy, signal.SIGUSR1, reason)
    get(proxy.address, origin, "/two")
    proxy.stop()
    assert (target / "access.log").read_text() == "precious\n"
    assert os.listdir(target) == ["access.log"]


@needs_root
def test_root_may_point_elsewhere(stage):
    """A symbolic link of root's is followed: /var/log may be one."""
    origin, config = stage.origin(answers()), Config(stage)
    real = stage.folder / "real"
    real.mkdir()
    (config.folder / "logs").symlink_to("real")
    config.log = config.folder / "logs" / "access.log"
    proxy = config.write("127.0.0.1:0").start(as_root=True)
    rotate(proxy, real / "access.log")
    get(proxy.address, origin, "/two")
    wait_text(real / "access.log", "/two")


@both
def test_standard_output_needs_no_opening(stage, as_root):
    """With the log on standard output SIGUSR1 changes nothing."""
    origin, config = stage.origin(answers()), Config(stage)
    proxy = config.write("127.0.0.1:0", log={"access": {"format": "json", "file": "-"}}).start(
        as_root=as_root)
    proxy.signal(signal.SIGUSR1)
    reload(proxy)
    get(proxy.address, origin, "/one")
    wait_until(lambda: any("/one" in line for line in proxy.output), "a line on standard output")


@needs_root
def test_the_name_of_standard_output(stage):
    """/dev/stdout is a way to write to standard output, as containers do, also over a reopening."""
    origin, config = stage.origin(answers()), Config(stage)
    settings = {"access": {"format": "json", "file": "/dev/stdout"}}
    proxy = config.write("127.0.0.1:0", log=settings).start(as_root=True)
    get(proxy.address, origin, "/one")
    wait_until(lambda: any("/one" in line for line in proxy.output), "a line on standard output")
    reload(proxy, signal.SIGUSR1, "the access log is open again")
    get(proxy.address, origin, "/two")
    wait_until(lambda: any("/two" in line for line in proxy.output), "a line on standard output")


@needs_root
def test_a_restarted_child_writes_to_the_reopened_log(stage):
    """A serving process that is started again writes to the file that was opened last."""
    origin, config = stage.origin(answers()), Config(stage)
    proxy = config.write("127.0.0.1:0").start(as_root=True)
    proxy.may_restart = True
    rotate(proxy, config.log)
    before = len(proxy.lines)
    os.kill(proxy.serving_pid(), signal.SIGKILL)
    proxy.wait_line("serves again", after=before)
    get(proxy.address, origin, "/two")
    wait_text(config.log, "/two")
