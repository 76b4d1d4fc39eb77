"""The users file: what is refused at load, and that a change is taken up by itself."""
import signal

import pytest

from support import users
from support.message import ok, request
from support.ops import Config, both
from support.origin import replies_forever
from support.users import basic, counted

REMEDY = "make a new one with fairlead hash-password"


@pytest.mark.parametrize("line, reason", [
    ("bob:$1$abcdefgh$G//4keteveJp0qb8z2DxG/", "MD5"), ("bob:$apr1$abcdefgh$aOTlsIbGWVPYnVMgGZLE./", "Apache's MD5"),
    ("bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "SHA-1 without salt"), ("bob:abJnggxhB/yWI", "DES"),
    ("bob:open sesame", "passwords in clear are not taken"), ("bob:", "there is no password hash"),
    ("bob:" + users.SHA512[:-1], "the hash is not whole"),
    ("bob:$2b$19$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "would cost seconds"),
    ("bob:$6$rounds=900000000$saltsalt$" + users.SHA512[-86:], "would cost seconds"),
    ("bob:$y$jFT$saltsaltsalt$" + users.YESCRYPT[-43:], "more than 64 MiB")])
def test_bad_hashes_are_refused_at_the_start(stage, line, reason):
    """File, line, reason and remedy are said, the hash is not, and nothing starts."""
    path = users.write(stage.folder, f"alice:{users.SHA256}\n{line}\n")
    proxy = stage.run("--listen", "127.0.0.1:0", "--admin", "off", "--users", path)
    assert proxy.wait_exit() == 1
    assert f"{path}:2: \"bob\": " in proxy.stderr and reason in proxy.stderr and REMEDY in proxy.stderr
    assert line.partition(":")[2][-10:] not in proxy.stderr or not line.partition(":")[2]


def test_twins_are_refused(stage):
    """A user who stands there twice is a mistake."""
    path = users.write(stage.folder, f"alice:{users.SHA256}\nbob:{users.SHA256}\nalice:{users.SHA512}\n")
    proxy = stage.run("--listen", "127.0.0.1:0", "--admin", "off", "--users", path)
    assert proxy.wait_exit() == 1 and f'{path}:3: "alice": stands in line 1 already' in proxy.stderr


def status(proxy, origin, *fields):
    with proxy.connect() as client:
        return client.ask(request("GET", origin.url + "/", *fields)).status


@both
def test_a_change_is_taken_up_by_itself(stage, as_root):
    """A new user may come, an old one may not, without a signal, with a parent and without; a bad file changes nothing
    and is said with its line."""
    origin = stage.origin(replies_forever(ok(b"hello")))
    path = users.write(stage.folder, f"alice:{users.SHA256}\n")
    proxy = stage.proxy("--users", path, as_root=as_root)
    assert status(proxy, origin, basic()) == 200 and status(proxy, origin, basic(user="bob")) == 407
    users.write(stage.folder, f"bob:{users.SHA512}\n")
    proxy.wait_line("reloaded")
    assert status(proxy, origin, basic()) == 407 and status(proxy, origin, basic(user="bob")) == 200
    before = len(proxy.lines)
    users.write(stage.folder, "bob:secret\n")
    proxy.wait_line("the old configuration stays", after=before)
    proxy.wait_line(rf'{path}:1: "bob": .*hash-password', after=before)
    assert status(proxy, origin, basic(user="bob")) == 200
    before = len(proxy.lines)
    users.write(stage.folder, f"alice:{users.SHA256}\n")
    proxy.wait_line("reloaded", after=before)
    assert status(proxy, origin, basic()) == 200 and status(proxy, origin, basic(user="bob")) == 407


def test_hash_password_makes_a_line_that_works(stage, program):
    """fairlead hash-password reads a password from a pipe and prints a line for the file, by every method."""
    import subprocess
    origin = stage.origin(replies_forever(ok(b"hello")))
    lines = ""
    for method in ("yescrypt", "bcrypt", "sha512", "sha256"):
        lines += subprocess.run([program, "hash-password", "--user", method, "--method", method], input="pässword\n",
                                check=True, capture_output=True, text=True, timeout=60).stdout
    proxy = stage.proxy("--users", users.write(stage.folder, lines))
    for method in ("yescrypt", "bcrypt", "sha512", "sha256"):
        assert status(proxy, origin, basic(user=method, password="pässword")) == 200


@pytest.mark.parametrize("arguments, given, words", [
    (["--method", "md5"], "x\n", "--method: expected"), (["--user", "a:b"], "x\n", "--user: a name"), ([], "", "no password"),
    ([], "\n", "no password"), ([], "x" * 600, "511 bytes"), (["--method", "bcrypt"], "x" * 80, "72 bytes"),
    ([], "a\x07b", "control characters"), (["--what"], "x", "usage")])
def test_hash_password_refuses(program, arguments, given, words):
    """What cannot be a password or a name is refused with exit code 2 and a reason."""
    import subprocess
    got = subprocess.run([program, "hash-password", *arguments], input=given, capture_output=True, text=True, timeout=60)
    assert got.returncode == 2 and words in got.stderr and not got.stdout


def test_hash_password_asks_on_a_terminal(program):
    """Twice, without echo; two that differ are no password."""
    import os
    import pty
    for second, code in ((b"open sesame\n", 0), (b"other\n", 2)):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(program, [str(program), "hash-password", "--method", "sha256"])
        seen = b""
        for prompt, answer in ((b"Password: ", b"open sesame\n"), (b"The same again: ", second)):
            while prompt not in seen:
                seen += os.read(terminal, 1000)
            os.write(terminal, answer)
        try:
            while chunk := os.read(terminal, 1000):
                seen += chunk
        except OSError:  # the terminal's other end is gone
            pass
        _, status_word = os.waitpid(pid, 0)
        os.close(terminal)
        assert os.waitstatus_to_exitcode(status_word) == code and b"sesame" not in seen, seen
        assert (b"$5$" in seen) == (code == 0)


@both
def test_a_user_that_was_taken_out_does_not_stay_for_another_file(stage, as_root):
    """The users file changes while a list of rules is missing: the reload fails, and is tried again until it does not."""
    names, path = stage.folder / "names.list", users.write(stage.folder, f"alice:{users.SHA256}\nbob:{users.SHA256}\n")
    names.write_text("a.example\n")
    names.chmod(0o644)
    config = Config(stage)
    config.write("127.0.0.1:0", identity={"basic": {"users": str(path)}},
                 policy={"rules": [{"name": "none", "action": "deny", "to_list": [str(names)]}]})
    proxy = config.start(as_root=as_root)
    origin = stage.origin(replies_forever(ok(b"")))
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/", basic(user="bob"))).status == 200
        names.unlink()
        users.write(stage.folder, f"alice:{users.SHA256}\n")
        proxy.wait_line("reload failed: the old configuration stays")
        names.write_text("a.example\n")
        names.chmod(0o644)
        proxy.wait_line("reloaded", bound=40)
        assert client.ask(request("GET", origin.url + "/", basic(user="bob"))).status == 407
        assert client.ask(request("GET", origin.url + "/", basic(user="alice"))).status == 200


@both
def test_a_changed_line_forgets_its_user_alone(stage, as_root):
    """Lines before and behind change and move; alice's groups change. Her password is not hashed again, her new groups
    count at once, and bob's new password is another one. Idle connections to origins stay."""
    path = users.write(stage.folder, f"bob:{users.SHA256}\nalice:{users.SHA256}:night\n")
    config = Config(stage)
    config.write("127.0.0.1:0", identity={"basic": {"users": str(path)}}, workers=1,
                 policy={"rules": [{"name": "day", "action": "deny", "group": ["day"], "method": ["PUT"]}]})
    proxy = config.start(as_root=as_root)
    origin = stage.origin(replies_forever(ok(b"")))
    with proxy.connect() as client:
        def status(user, method="GET"):
            return client.ask(request(method, origin.url + "/", basic(user=user))).status
        assert (status("alice"), status("bob"), status("alice", "PUT")) == (200, 200, 200)
        assert counted(proxy, "hashes_total") == 2
        users.write(stage.folder, f"carol:{users.SHA256}\nalice:{users.SHA256}:day\nbob:{users.SHA512}\n")
        proxy.wait_line("reloaded")
        assert (status("alice"), status("alice", "PUT")) == (200, 403)
        assert counted(proxy, "hashes_total") == 2
        assert status("bob") == 200 and counted(proxy, "hashes_total") == 3
        assert len(origin.connections) == 1
        before = len(proxy.lines)
        users.write(stage.folder, f"bob:{users.SHA512}\n")
        proxy.wait_line("reloaded", after=before)
        assert (status("alice"), status("bob")) == (407, 200)
        assert len(origin.connections) == 1
        before = len(proxy.lines)
        proxy.signal(signal.SIGHUP)  # asked for: everything is made anew
        proxy.wait_line("reloaded", after=before)
        assert status("bob") == 200 and len(origin.connections) == 2


def test_a_list_that_changes_with_the_users_is_no_small_change(stage):
    """Where another file has changed as well, idle connections are closed as at any reload."""
    names, path = stage.folder / "names.list", users.write(stage.folder, f"alice:{users.SHA256}\n")
    names.write_text("a.example\n")
    names.chmod(0o644)
    config = Config(stage)
    config.write("127.0.0.1:0", identity={"basic": {"users": str(path)}}, workers=1,
                 policy={"rules": [{"name": "none", "action": "deny", "to_list": [str(names)]}]})
    proxy = config.start()
    origin = stage.origin(replies_forever(ok(b"")))
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/", basic())).status == 200
        names.write_text("b.example\n")
        users.write(stage.folder, f"alice:{users.SHA256}\nbob:*\n")
        proxy.wait_line("reloaded")
        assert client.ask(request("GET", origin.url + "/", basic())).status == 200
    assert len(origin.connections) == 2
