"""Starting: privileges, addresses, limits, and what check does."""
import contextlib
import fcntl
import itertools
import os
import pty
import re
import select
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from support.bounds import BOUND, wait_until
from support.message import request
from support.ops import (Config, answers, both, fails, free_port, needs_root, refuses, reload, status_of,
                         uid_of, works)
from support.proxy import NOBODY, clean_environment, is_root
from support.wire import connect

WORKERS_MAX = 64  # BUNDLE_WORKERS_MAX of src/server/bundle.h
UNPRIVILEGED_FROM = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
low_ports_are_guarded = pytest.mark.skipif(
    UNPRIVILEGED_FROM < 1024, reason="this kernel lets everybody bind ports below 1024")


@needs_root
def test_root_does_not_serve(stage):
    """Started as root, a parent of root's stays, and nobody serves: without groups, without a way back."""
    proxy = stage.proxy(as_root=True, preexec=lambda: os.setgroups([0, 4, 27]))
    works(proxy.address, stage.origin(answers()))
    child = proxy.serving_pid()
    assert child != proxy.pid and uid_of(proxy.pid) == 0
    status = status_of(child)
    assert status["Uid"].split() == status["Gid"].split() == [str(NOBODY)] * 4
    assert status["Groups"].split() == []
    assert status["NoNewPrivs"] == "1"
    for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
        assert int(status[name], 16) == 0, name


@needs_root
def test_who_serves_cannot_be_dumped(stage):
    """Root's memory was copied to it: /proc belongs to root, as the kernel does where dumps are forbidden."""
    proxy = stage.proxy(as_root=True)
    assert os.stat(f"/proc/{proxy.serving_pid()}/maps").st_uid == 0


@needs_root
def test_the_parent_has_no_connection(stage):
    """The parent accepts nothing and dials nothing: all its sockets listen, but the one to its child."""
    proxy = stage.proxy(as_root=True)
    with connect(proxy.address) as client:
        client.send(b"GET /")
        inodes = set()
        for name in os.listdir(f"/proc/{proxy.pid}/fd"):
            link = os.readlink(f"/proc/{proxy.pid}/fd/{name}")
            if link.startswith("socket:["):
                inodes.add(link[8:-1])
        rows = [line.split() for line in Path(f"/proc/{proxy.pid}/net/tcp").read_text().splitlines()[1:]]
        states = [row[3] for row in rows if row[9] in inodes]
        assert states and set(states) == {"0A"}


@needs_root
@pytest.mark.parametrize("user, reason", [("root", "root does not serve"),
                                          ("nosuchuser", "there is no such user")])
def test_run_as_is_checked(stage, user, reason):
    """--run-as names a user that exists and is not root; otherwise it does not start."""
    proxy = stage.run("--listen", "127.0.0.1:0", "--admin", "off", "--run-as", user, as_root=True)
    assert proxy.wait_exit() == 1
    assert f"--run-as: {user}: {reason}" in proxy.stderr


@needs_root
def test_run_as_is_who_serves(stage):
    """--run-as chooses the user that serves."""
    proxy = stage.proxy("--run-as", "daemon", as_root=True)
    assert uid_of(proxy.serving_pid()) == 1


def test_without_privileges_there_is_one_process(stage):
    """Started by a user, that user serves, and no parent stays."""
    proxy = stage.proxy()
    works(proxy.address, stage.origin(answers()))
    assert proxy.children() == []
    assert uid_of(proxy.pid) == (NOBODY if is_root() else os.getuid())


@needs_root
@low_ports_are_guarded
def test_a_low_port(stage):
    """A port below 1024 is bound with root's privileges and served without."""
    port = free_port(low=True)
    proxy = stage.proxy(listen=f"127.0.0.1:{port}", as_root=True)
    assert proxy.address == ("127.0.0.1", port)
    works(proxy.address, stage.origin(answers()))


@low_ports_are_guarded
def test_a_low_port_without_privileges(stage):
    """Without them the start fails, and the reason says what would be needed."""
    proxy = stage.run("--listen", "127.0.0.1:777", "--admin", "off")
    assert proxy.wait_exit() == 1
    assert "Permission denied; ports below 1024 need root, or CAP_NET_BIND_SERVICE" in proxy.stderr


@both
def test_address_in_use(stage, as_root):
    """A second instance on the same address hears so, although workers share ports with SO_REUSEPORT."""
    first = stage.proxy(as_root=as_root)
    second = stage.run("--listen", "%s:%d" % first.address, "--admin", "off", as_root=as_root)
    assert second.wait_exit() == 1
    assert "cannot listen on http://%s:%d: address in use" % first.address in second.stderr
    works(first.address, stage.origin(answers()))


def test_a_default_admin_address_in_use_says_how_to_name_another(stage):
    """Who starts a second proxy never asked for an admin address: the reason tells which flag and key name another."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # then somebody else has it, which is as good
            holder.bind(("127.0.0.1", 3129))
            holder.listen()
        proxy = stage.run("--listen", "127.0.0.1:0")
        assert proxy.wait_exit() == 1
    assert ("admin.address: cannot listen on http://127.0.0.1:3129: address in use; "
            "--admin ADDR:PORT or admin.address names another, off none") in proxy.stderr


@both
def test_the_descriptor_limit_is_raised(stage, as_root):
    """The soft limit of descriptors becomes the hard one."""
    proxy = stage.proxy(command=["prlimit", "--nofile=300:1234"], as_root=as_root)
    limits = Path(f"/proc/{proxy.serving_pid()}/limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    assert line.split()[3:5] == ["1234", "1234"]


@both
def test_a_unix_listener(stage, as_root):
    """A Unix socket has the configured mode, serves, and its file is gone at the end."""
    config = Config(stage)
    path = config.folder / "proxy.sock"
    proxy = config.write({"address": f"unix:{path}", "mode": "0666"}).start(as_root=as_root)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    works(str(path), stage.origin(answers()))
    proxy.stop()
    assert not path.exists()


@both
def test_a_unix_socket_of_another_instance(stage, as_root):
    """A socket file that somebody answers on is in use; one that nobody answers on is replaced."""
    config = Config(stage)
    path = config.folder / "proxy.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    path.chmod(0o666)
    flags = ["--listen", f"unix:{path}", "--admin", "off"]
    second = stage.run(*flags, as_root=as_root)
    assert second.wait_exit() == 1
    assert f"cannot listen on unix:{path}: address in use" in second.stderr
    listener.close()
    proxy = stage.proxy(listen=f"unix:{path}", as_root=as_root)
    works(str(path), stage.origin(answers()))
    proxy.stop()
    assert not path.exists()


@both
def test_a_file_that_is_no_socket_stays(stage, as_root):
    """A path that belongs to something else is not "in use": it is said what is wrong with it, and it stays."""
    path = Config(stage).folder / "proxy.sock"
    path.write_text("a file of somebody")
    proxy = stage.run("--listen", f"unix:{path}", "--admin", "off", as_root=as_root)
    assert proxy.wait_exit() == 1
    assert f"cannot listen on unix:{path}: what has this name is no socket" in proxy.stderr
    assert path.read_text() == "a file of somebody"


@needs_root
def test_root_makes_no_socket_where_a_stranger_points(stage):
    """The owner of a folder cannot make root bind in, or remove a socket from, somebody else's by a symbolic link;
    root can point there."""
    config = Config(stage)
    secret, link = stage.folder / "rootdir", config.folder / "sub"
    secret.mkdir(mode=0o700)
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(secret / "p.sock"))
    stale.close()
    link.symlink_to(secret)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    path = link / "p.sock"
    before = os.stat(secret / "p.sock").st_ino
    ended = stage.run("--listen", f"unix:{path}", "--admin", "off", as_root=True)
    assert ended.wait_exit() == 1
    assert f"cannot listen on unix:{path}: root does not follow another user's symbolic link" in ended.stderr
    assert os.stat(secret / "p.sock").st_ino == before
    os.chown(link, 0, 0, follow_symlinks=False)
    proxy = stage.proxy(listen=f"unix:{path}", as_root=True)
    works(str(path), stage.origin(answers()))
    proxy.stop()
    assert not path.exists()


# ---- socket activation
@both
def test_a_terminal_gets_a_line_to_try(program, as_root):
    """Where stderr is a terminal, the start ends with a command that goes through the first listener."""
    ours, theirs = pty.openpty()
    who = {} if as_root or not is_root() else {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    process = subprocess.Popen([program, "--listen", "127.0.0.1:0", "--admin", "off", "--log-file", "off"],
                               stdin=subprocess.DEVNULL, stderr=theirs, env=clean_environment(), **who)
    os.close(theirs)
    try:
        text = b""
        while b"example.com/" not in text:
            assert select.select([ours], [], [], BOUND)[0], text
            text += os.read(ours, 4096)
        first, second = text.decode().rstrip().split("\r\n")[-2:]
        url = first.removeprefix("fairlead: listening on ")
        assert second == f"fairlead: try   curl -x {url} http://example.com/"
    finally:
        process.terminate()
        assert process.wait(BOUND) == 0
        os.close(ours)


LAUNCHER = """
import os, socket, sys
kept = []
for number, where in enumerate(sys.argv[1].split(",")):
    sock = socket.socket(socket.AF_UNIX if "/" in where else socket.AF_INET)
    sock.bind(where if "/" in where else ("127.0.0.1", int(where)))
    sock.listen()
    kept.append(sock)
    os.dup2(sock.fileno(), 100 + number)
for number in range(len(kept)):
    os.dup2(100 + number, 3 + number, inheritable=True)
os.closerange(3 + len(kept), 200)
os.environ.update(LISTEN_FDS=str(len(kept)), LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def launcher(*where):
    return ["/usr/bin/python3", "-c", LAUNCHER, ",".join(where)]


@both
def test_socket_activation(stage, as_root):
    """Sockets of LISTEN_FDS serve the listeners called inherited, in their order, TCP and Unix."""
    config = Config(stage)
    path = str(config.folder / "inherited.sock")
    proxy = config.write("inherited", "inherited").start(
        listeners=2, command=launcher("0", path), as_root=as_root)
    os.chmod(path, 0o666)
    origin = stage.origin(answers())
    works(proxy.address, origin)
    works(path, origin)
    assert "inherited" in proxy.urls[1]


@both
def test_inherited_sockets_outlive_reloads(stage, as_root):
    """A reload keeps them; one that drops the listener keeps the socket, so that it may come back."""
    config = Config(stage)
    proxy = config.write("inherited").start(command=launcher("0"), as_root=as_root)
    origin, address = stage.origin(answers()), proxy.address
    reload(proxy)
    works(address, origin)
    config.write("127.0.0.1:0")
    reload(proxy)
    config.write("inherited", "127.0.0.1:0")
    reload(proxy, listeners=2)
    assert proxy.addresses[0] == "http://%s:%d" % address
    works(address, origin)


@both
def test_no_socket_was_inherited(stage, as_root):
    """A listener called inherited without a socket is an error that says so."""
    proxy = Config(stage).write("inherited")
    ended = stage.run("-c", proxy.path, as_root=as_root)
    assert ended.wait_exit() == 1
    assert "no socket was handed over (LISTEN_FDS)" in ended.stderr


@both
def test_an_inherited_socket_that_nobody_uses(stage, as_root):
    """It is named with its address, descriptor and name at the start, with the way to use it; those that a listener
    uses are not."""
    config = Config(stage).write("inherited")
    path = str(config.folder / "unused.sock")
    proxy = config.start(command=launcher("0", path, "0"), as_root=as_root,
                         environment=clean_environment(LISTEN_FDNAMES="web:spare"))
    unused = [line for line in proxy.lines if "handed over" in line]
    assert len(unused) == 2 and all("(--listen inherited)" in line for line in unused)
    assert f'warning: unix:{path} (descriptor 4, "spare") was handed over (LISTEN_FDS), and no ' \
        "listener uses it" in unused[0]
    assert re.search(r"127\.0\.0\.1:\d+ \(descriptor 5\) was", unused[1])
    assert proxy.address[1] not in (int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", unused[1]))


def test_an_inherited_socket_that_is_in_the_way(stage):
    """A listener that names the address of a socket handed over finds it in use: the reason is said before."""
    port = free_port()
    ended = stage.run("--listen", f"127.0.0.1:{port}", "--admin", "off", command=launcher(str(port)))
    assert ended.wait_exit() == 1
    warning, error = ended.lines
    assert f"127.0.0.1:{port} (descriptor 3) was handed over" in warning and "address in use" in error


def test_an_inherited_unix_socket_has_no_senders(stage):
    """proxy_protocol.from of an inherited socket that turns out to be a Unix socket: refused, with the place."""
    config = Config(stage)
    config.path.write_text("listen:\n  - address: inherited\n    proxy_protocol: { from: [127.0.0.1] }\n")
    ended = stage.run("-c", config.path, "--admin", "off", command=launcher(str(config.folder / "x.sock")))
    assert ended.wait_exit() == 1
    assert f"{config.path}:3:30: listen[0].proxy_protocol.from: the inherited socket is a Unix socket" in ended.stderr


def test_an_open_inherited_socket(stage):
    """An inherited socket beyond loopback needs to know its clients, like any other."""
    everywhere = LAUNCHER.replace('"127.0.0.1"', '"0.0.0.0"')
    config = Config(stage).write("inherited")
    proxy = stage.run("-c", config.path, command=["/usr/bin/python3", "-c", everywhere, "0"])
    assert proxy.wait_exit() == 1
    assert "this would be an open proxy" in proxy.stderr


# ---- check
def check(program, *flags, **more):
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if is_root() else {}
    return subprocess.run([program, "check", *map(str, flags)], capture_output=True, text=True,
                          env=clean_environment(), timeout=BOUND, **who, **more)


def test_the_examples_are_good(stage, program):
    """Each file of examples/ passes check as it stands."""
    files = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
    assert files
    config = Config(stage)  # a copy there, since the user that checks may not enter the source tree
    for file in files:
        config.path.write_text(file.read_text())
        got = check(program, "-c", config.path)
        assert got.returncode == 0, f"{file.name}: {got.stderr}"


def test_check_does_not_bind(stage, program):
    """check is good with an address that is in use, and leaves no log file and no socket behind."""
    config = Config(stage)
    first = stage.proxy()
    config.write("%s:%d" % first.address, f"unix:{config.folder}/x.sock")
    got = check(program, "-c", config.path)
    assert (got.returncode, got.stdout) == (0, "fairlead: the configuration is good\n")
    assert not config.log.exists() and not (config.folder / "x.sock").exists()


def test_check_reads_what_is_named(stage, program, certs):
    """Exit code 2: a file that the configuration names is missing, or its key is another certificate's."""
    config = Config(stage)
    config.write(config.tls(certs.server, config.folder / "missing.key"))
    got = check(program, "-c", config.path)
    assert got.returncode == 2 and "missing.key: No such file or directory" in got.stderr
    config.write(config.tls(certs.server, "keys/missing.key"))
    got = check(program, "-c", config.path)
    assert got.returncode == 2 and f": keys/missing.key: No such file or directory in {os.getcwd()}\n" in got.stderr
    config.write(config.tls(certs.server, certs.other_key))
    got = check(program, "-c", config.path)
    assert got.returncode == 2 and f"{certs.other_key}: the private key does not match" in got.stderr


@pytest.mark.parametrize("flag", ["--upstream-ca", "--users", "--config"])
@pytest.mark.parametrize("words", [["check"], ["check", "--diff"], ["explain"], ["explain", "--running"], ["self-test"], ["trace"]],
                         ids=" ".join)
def test_a_file_that_is_not_there_is_2(program, words, flag):
    """Of all commands that only look at a configuration: 1 is what they find, such as a refusal or a hole."""
    target = ["http://127.0.0.1:1/"] if words[0] in ("explain", "trace") else []
    got = subprocess.run([program, *words, flag, "/nope", *target], capture_output=True, text=True, timeout=BOUND,
                         env=clean_environment())
    assert (got.returncode, got.stdout) == (2, "") and f"{flag}: /nope: No such file or directory" in got.stderr


NAMED = {  # key: (what follows the address or stands alone, line and column of the value)
    "listen[0].tls.certificate": ("{{ certificate: {path}, key: {key} }}", "3:25"),
    "listen[0].tls.key": ("{{ certificate: {certificate}, key: {path} }}", None),
    "listen[0].tls.client_ca": ("{{ client_ca: {path}, certificate: {certificate}, key: {key} }}", "3:23"),
    "tls_upstream.ca_file": ("ca_file: {path}", "4:12"),
    "admin.token_file": ("token_file: {path}", "4:15"),
    "log.access.file": ("access: {{ file: {path}/x }}", "4:19"),
}


@pytest.mark.parametrize("key", NAMED)
@both
def test_who_named_a_bad_file_is_said(stage, program, certs, key, as_root):
    """Of a file that a start cannot read: file, line, column and key of the configuration, the path and why; the
    same from check, but for the log, which it does not open."""
    template, place = NAMED[key]
    config = Config(stage)
    bad = config.folder / "bad"
    value = template.format(path=bad, certificate=certs.server, key=certs.server_key)
    section = key.partition(".")[0]
    lines = ["listen:", "  - address: 127.0.0.1:0"]
    lines += [f"    tls: {value}"] if section == "listen[0]" else [f"{section}:", f"  {value}"]
    config.path.write_text("\n".join(lines) + "\n")
    place = place or f"3:{lines[2].index('key: ') + 6}"
    words = f"{config.path}:{place}: {key}: {bad}"
    ended = stage.run("-c", config.path, *([] if section == "admin" else ["--admin", "off"]), as_root=as_root)
    assert ended.wait_exit() == 1 and words in ended.stderr
    if section != "log":
        got = check(program, "-c", config.path)
        assert (got.returncode, got.stderr.splitlines()) == (
            2, [f"fairlead: {words}: No such file or directory"])


EMPTY = {"listen[0].tls.client_ca": "the client authority", "tls_upstream.ca_file": "the file of authorities"}


@pytest.mark.parametrize("key", EMPTY)
@both
def test_an_empty_file_of_authorities_is_an_error(stage, program, certs, key, as_root):
    """A file of authorities that was emptied is not taken for none: no check, no start and no reload is good."""
    origin, config = stage.origin(answers()), Config(stage)
    empty = config.folder / "empty.pem"
    value = f"tls: {NAMED[key][0]}" if "listen" in key else NAMED[key][0]
    value = value.format(path=empty, certificate=certs.server, key=certs.server_key)
    more = {"listen": f"{{ address: 127.0.0.1:0, {value} }}", "tls_upstream": f"{{ {value} }}"}
    section = key.partition("[")[0].partition(".")[0]
    config.write()
    proxy = config.start(as_root=as_root)
    text = config.path.read_text()
    listen = more["listen"] if section == "listen" else "127.0.0.1:0"
    config.path.write_text(text[:-1].replace('["127.0.0.1:0"]', f"[{listen}]", 1) +
                           ("}" if section == "listen" else f", {section}: {more[section]}}}"))
    empty.write_text("")
    words = rf"{key}: {empty}: {EMPTY[key]} is empty"
    fails(proxy, re.escape(words))
    works(proxy.address, origin)
    ended = stage.run("-c", config.path, as_root=as_root)
    assert ended.wait_exit() == 1 and words in ended.stderr
    got = check(program, "-c", config.path)
    assert got.returncode == 2 and words in got.stderr


@pytest.mark.parametrize("flag", ["--tls-cert", "--tls-key", "--client-ca", "--upstream-ca", "--config"])
def test_which_flag_named_a_bad_file_is_said(stage, program, certs, flag):
    """The same of flags: the flag stands before the path."""
    flags = {"--listen-tls": "127.0.0.1:0", "--tls-cert": certs.server, "--tls-key": certs.server_key,
             flag: "/nothing/here"}
    got = check(program, *[word for pair in flags.items() for word in pair])
    assert got.returncode and f"fairlead: {flag}: /nothing/here: No such file or directory" in got.stderr


def test_who_named_an_address_in_use_is_said(stage):
    """An address that cannot be had: the place in the file, or the flag."""
    first = stage.proxy()
    address = "%s:%d" % first.address
    config = Config(stage)
    config.path.write_text(f"admin: {{ address: off }}\nlisten:\n  - {address}\n")
    reason = f"cannot listen on http://{address}: address in use"
    second = stage.run("-c", config.path)
    assert second.wait_exit() == 1 and f"{config.path}:3:5: listen[0].address: {reason}" in second.stderr
    third = stage.run("--listen", address, "--admin", "off")
    assert third.wait_exit() == 1 and f"--listen: {reason}" in third.stderr
    fourth = stage.run("--listen", "127.0.0.1:0", "--admin", address)
    assert fourth.wait_exit() == 1 and f"--admin: {reason}" in fourth.stderr


CONTROLS = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")
LACKS = {
    "source": ("192.0.2.1", "127.0.0.7", "this machine does not have the address 192.0.2.1 now"),
    "resolver.hosts_file": ("/no/hosts", "/etc/hosts", "/no/hosts cannot be read now (No such file or directory)"),
    "tcp.congestion_client": ("no-such", "reno", "this machine does not have no-such now, so the system's is used; "
                              "it has {controls}"),
    "tcp.congestion_upstream": ("no-such", "reno", "this machine does not have no-such now, so the system's is used; "
                                "it has {controls}"),
}


@pytest.mark.parametrize("key", LACKS)
def test_what_this_machine_lacks_is_a_warning(stage, program, key):
    """An address to connect from, a hosts table or a congestion control that is not here: check and start say so, with place and key,
    and both go on, since it may come; what is here is not mentioned."""
    lacking, there, words = LACKS[key]
    config = Config(stage)
    section, _, name = key.partition(".")

    def write(value):
        config.path.write_text(f"admin: {{ address: off }}\nlisten: 127.0.0.1:0\n{section}: " +
                               (f"{{ {name}: {value} }}" if name else value) + "\n")
    write(lacking)
    column = len(f"{section}: {{ {name}: " if name else f"{section}: ") + 1
    words = words.format(controls=CONTROLS.read_text().strip())
    line = f"warning: {config.path}:3:{column}: {key}: {words}"
    got = check(program, "-c", config.path)
    assert (got.returncode, got.stdout) == (0, "fairlead: the configuration is good\n")
    assert got.stderr.startswith(f"fairlead: {line}") and got.stderr.count("\n") == 1
    assert config.start(has_admin=False).wait_line(re.escape(line))
    write(there)
    assert check(program, "-c", config.path).stderr == ""


@needs_root
def test_who_serves_must_be_able_to_read_the_hosts_table(stage):
    """It is read by the user that serves, and not by root: check and start judge as that one."""
    config = Config(stage)
    hosts = config.folder / "hosts"
    hosts.write_text("127.0.0.1 here.test\n")
    hosts.chmod(0o600)
    config.write(resolver={"servers": [stage.dns.address], "hosts_file": str(hosts)})
    words = f"resolver.hosts_file: {hosts} cannot be read now (Permission denied); while that is so, a start takes no name from it"
    checked = stage.run("check", "-c", config.path, as_root=True)
    assert checked.wait_exit() == 0 and words in checked.stderr
    config.start(as_root=True).wait_line(re.escape(words))
    os.chown(hosts, NOBODY, NOBODY)
    checked = stage.run("check", "-c", config.path, as_root=True)
    assert checked.wait_exit() == 0 and checked.stderr == ""


def test_a_hosts_table_that_is_too_long_is_said(stage, program):
    """One of more than 8 MiB is not read: check, start and reload say so, and so does who serves when it grows to it."""
    config, origin = Config(stage), stage.origin(answers())
    hosts = config.folder / "hosts"
    hosts.write_text("127.0.0.1 here.test\n")
    config.write(resolver={"servers": [stage.dns.address], "hosts_file": str(hosts)})
    proxy = config.start()

    def ask(name):
        with connect(proxy.address) as client:
            return client.ask(request("GET", f"http://{name}:{origin.port}/")).status
    assert ask("here.test") == 200
    os.truncate(hosts, 9 << 20)
    numbers = itertools.count()

    def is_said():
        assert ask(f"{next(numbers)}.test") == 502  # an unknown name, so that the table is looked at
        return any("warning: the hosts table has grown to 8 MiB or more" in line for line in proxy.lines)
    wait_until(is_said, "a line about the hosts table")
    assert ask("here.test") == 200
    words = f"resolver.hosts_file: {hosts} cannot be read now (it has 8 MiB or more); while that is so, a start takes no name from it"
    got = check(program, "-c", config.path)
    assert got.returncode == 0 and words in got.stderr
    config.start().wait_line(re.escape(words))
    assert any(words in line for line in reload(proxy))
    assert ask("here.test") == 200, "a reload is no start"


def test_a_hosts_table_that_is_none_is_a_warning(stage, program):
    """A folder in its place, a device or a FIFO is not read, nor waited for: check and start say so."""
    got = check(program, "--listen", "127.0.0.1:0", "-c", "/dev/null")
    assert got.stderr == ""
    config = Config(stage)
    fifo = config.folder / "fifo"
    os.mkfifo(fifo)
    for path in (config.folder, fifo, "/dev/zero"):
        config.write(resolver={"hosts_file": str(path)})
        got = check(program, "-c", config.path)
        words = f"{path} cannot be read now (it is no regular file); while that is so, a start takes no name from it"
        assert got.returncode == 0 and words in got.stderr
        config.start().wait_line(re.escape(words))


def test_a_folder_that_a_start_would_miss_is_a_warning_of_check(stage, program):
    """check makes neither log nor socket, and says where the folder for one is not there, with place and key."""
    config = Config(stage)
    here, there = config.folder, config.folder / "none"

    def told(folder):
        config.path.write_text(f"admin: {{ address: {folder}/admin.sock }}\n"
                               f"listen: ['unix:{folder}/proxy.sock']\n"
                               f"log: {{ access: {{ file: {folder}/access.log }} }}\n")
        got = check(program, "-c", config.path)
        assert (got.returncode, got.stdout) == (0, "fairlead: the configuration is good\n")
        return got.stderr.splitlines()
    assert told(here) == [] and sorted(path.name for path in here.iterdir()) == [config.path.name]
    why = "cannot be made now (No such file or directory); while that is so, a start fails"
    assert sorted(told(there)) == [
        f"fairlead: warning: {config.path}:1:19: admin.address: {there}/admin.sock {why}",
        f"fairlead: warning: {config.path}:2:10: listen[0].address: {there}/proxy.sock {why}",
        f"fairlead: warning: {config.path}:3:24: log.access.file: {there}/access.log {why}"]


def test_what_is_in_the_way_of_a_start_is_a_warning_of_check(stage, program):
    """A log that is a folder, a file where a socket is to be: check says so, and a start fails with the same reason."""
    config = Config(stage)
    folder, file = config.folder / "folder", config.folder / "file"
    folder.mkdir(), folder.chmod(0o777), file.write_text("")
    for listen, log, place, reason in (
            ("127.0.0.1:0", folder, f"log.access.file: {folder}", "Is a directory"),
            (f"unix:{file}", config.log, f"listen[0].address: {file}", "what has this name is no socket")):
        config.write(listen, admin={"address": "off"}, log={"access": {"file": str(log)}})
        got = check(program, "-c", config.path)
        assert got.returncode == 0
        assert f"{place} cannot be made now ({reason}); while that is so, a start fails" in got.stderr
        ended = stage.run("-c", config.path)
        assert ended.wait_exit() == 1 and reason in ended.stderr


def test_workers_are_counted_by_the_cores_that_may_be_used(stage):
    """One worker a core means those of the process's affinity, and not those of the machine."""
    core = min(os.sched_getaffinity(0))

    def threads(**more):
        config = Config(stage).write(workers=0)
        return len(os.listdir(f"/proc/{config.start(**more).serving_pid()}/task"))
    one = threads(preexec=lambda: os.sched_setaffinity(0, {core}))
    assert threads() - one == min(len(os.sched_getaffinity(0)), WORKERS_MAX) - 1


def test_check_of_a_wrong_configuration(stage, program):
    """Exit code 2: the configuration is wrong, or it cannot be read."""
    config = Config(stage).write("127.0.0.1:0", timeouts={"conect": "1s"})
    got = check(program, "-c", config.path)
    assert got.returncode == 2 and 'did you mean "timeouts.connect"?' in got.stderr
    assert check(program, "-c", config.folder / "missing.yaml").returncode == 2
    assert check(program, "--listen").returncode == 2


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_check_of_what_a_program_writes(program, name):
    """The configuration may come through a pipe, and is bounded; messages name where it came from."""
    def piped(text):
        return check(program, "-c", name, input=text)
    shown = "stdin" if name == "-" else name
    assert piped("workers: 3").returncode == 0
    wrong = piped("workers: 33x")
    assert wrong.returncode == 2 and f'{shown}:1:10: workers: expected' in wrong.stderr
    endless = piped("# x\n" * 1100000)
    assert endless.returncode == 2 and "is larger than 4 MiB" in endless.stderr


@both
def test_serving_from_a_pipe(stage, as_root):
    """A configuration through standard input serves; a reload says that it stays, and reads what it names again."""
    config = Config(stage).write("127.0.0.1:0")
    reader, writer = os.pipe()
    os.write(writer, config.path.read_bytes())
    os.close(writer)
    proxy = stage.proxy("-c", "-", defaults=False, listen=None, listeners=1, as_root=as_root,
                        pass_fds=[reader], preexec=lambda: os.dup2(reader, 0))
    os.close(reader)
    origin = stage.origin(answers())
    works(proxy.address, origin)
    lines = reload(proxy)
    assert any("stdin cannot be read again" in line for line in lines)
    works(proxy.address, origin)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@both
def test_a_silent_writer_of_the_configuration_does_not_hold_it(stage, as_root, number):
    """While it waits for a configuration through a pipe, a signal ends it at once."""
    reader, writer = os.pipe()
    os.write(writer, b"listen: ")
    proxy = stage.run("-c", "-", as_root=as_root, pass_fds=[reader], preexec=lambda: os.dup2(reader, 0))
    def has_read():
        return not select.select([reader], [], [], 0)[0]
    wait_until(has_read, "the first bytes to be read")
    proxy.signal(number)
    assert proxy.wait_exit() == -number
    os.close(reader), os.close(writer)


def test_check_prints_what_loads_again(stage, program):
    """check --print writes the effective configuration, defaults included, and that is good again."""
    config = Config(stage).write("127.0.0.1:0")
    printed = check(program, "-c", config.path, "--print").stdout
    assert "response_head:" in printed
    config.path.write_text(printed)
    assert check(program, "-c", config.path).returncode == 0


@both
def test_a_start_that_fails_leaves_nothing(stage, certs, as_root):
    """A certificate that is none ends the start with code 1 and its reason; no socket file stays."""
    config = Config(stage)
    path = config.folder / "proxy.sock"
    (config.folder / "bad.pem").write_text("nothing\n")
    config.write({**config.tls(config.folder / "bad.pem", certs.server_key), "address": f"unix:{path}"})
    proxy = stage.run("-c", config.path, as_root=as_root)
    assert proxy.wait_exit() == 1
    assert "bad.pem" in proxy.stderr and not path.exists()


@both
def test_a_wrong_configuration_is_code_2(stage, as_root):
    """Whatever command it is for: a wrong configuration ends with 2."""
    proxy = stage.run("--listen", "nowhere", as_root=as_root)
    assert proxy.wait_exit() == 2


@both
def test_the_last_signal_ends_it_all(stage, as_root):
    """SIGINT ends like SIGTERM, with code 0, and the address is free again."""
    proxy = stage.proxy(as_root=as_root)
    child = proxy.serving_pid()
    proxy.signal(signal.SIGINT)
    assert proxy.wait_exit() == 0
    wait_until(lambda: not os.path.exists(f"/proc/{child}"), "the serving process to end")
    refuses(proxy.address)


def test_closed_standard_descriptors_are_nobodys(stage, tmp_path):
    """A client that got the number of one would be sent the log."""
    process = subprocess.Popen(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", stage.program, "--listen", "127.0.0.1:0", "--admin", "off",
         "--log-file", tmp_path / "log", "--run-as", "nobody" if is_root() else ""], env=clean_environment())
    try:
        def targets():
            with contextlib.suppress(OSError):
                return [os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)]
        wait_until(lambda: targets() == ["/dev/null"] * 3, "three descriptors of /dev/null")
    finally:
        process.terminate()
        process.wait(BOUND)


@both
def test_descriptors_of_the_starter_are_closed(stage, as_root):
    """What the starter left open is kept by nobody, but the sockets that it hands over; a configuration that it
    passes as a descriptor is read first."""
    config = Config(stage).write("inherited")
    reader, writer = os.pipe()
    os.write(writer, config.path.read_bytes())
    os.close(writer)
    leak = os.open("/etc/passwd", os.O_RDONLY)
    given = [fcntl.fcntl(fd, fcntl.F_DUPFD, 300) for fd in (leak, reader, leak)]  # one on either side
    proxy = stage.proxy("-c", f"/dev/fd/{given[1]}", defaults=False, listen=None, listeners=1, as_root=as_root,
                        command=launcher("0"), pass_fds=given)
    for number in (leak, reader, *given):
        os.close(number)
    works(proxy.address, stage.origin(answers()))
    for pid in {proxy.pid, proxy.serving_pid()}:
        targets = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
        assert "/etc/passwd" not in targets and not any("pipe" in target for target in targets[3:]), targets


def test_a_listener_of_the_command_line_takes_nothing_from_the_file(stage, tmp_path):
    """What the file said of its own listener is out of force with it."""
    config = tmp_path / "c.yaml"
    config.write_text('listen: [{address: "unix:/tmp/x", mode: "0660"}]\n')
    subprocess.run([stage.program, "check", "-c", config, "--listen", "127.0.0.1:0"], check=True, capture_output=True)


def test_a_mapped_range_of_senders_is_its_ipv4_range(stage):
    """::ffff:127.0.0.0/104 is 127.0.0.0/8."""
    config = stage.folder / "given.yaml"
    config.write_text("listen: [{address: '127.0.0.1:0', proxy_protocol: {from: ['::ffff:127.0.0.0/104']}}]\n")
    proxy = stage.proxy("-c", config, listen=None, listeners=1)
    with proxy.connect() as client:
        client.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.read_response().status == 200
