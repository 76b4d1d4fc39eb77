"""The serving process is shut in: what it may still do is what serving needs."""
import contextlib
import ctypes
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
from pathlib import Path

import pytest

from support.bounds import BOUND
from support.message import ok, request
from support.ops import Config, answers, both, fails, get, needs_others, needs_root, reload, status_of, works
from support.origin import replies
from support.proxy import NOBODY, clean_environment, is_root, parse_address
from support.wire import connect

SYS_LANDLOCK_CREATE_RULESET = 444
CAP_NET_BIND_SERVICE = 10


def landlock_version():
    """What the kernel says; 0 where it has none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, libc.syscall(SYS_LANDLOCK_CREATE_RULESET, None, 0, 1))


needs_landlock = pytest.mark.skipif(landlock_version() == 0, reason="this kernel has no Landlock, or it is not switched "
                                    "on (/sys/kernel/security/lsm)")


@pytest.fixture
def whole(program):
    """Skips where the build cannot be shut in."""
    said = subprocess.run([program, "check", "--sandbox"], capture_output=True, text=True, timeout=BOUND).stdout
    if "instrumented build" in said:
        pytest.skip("an instrumented build is not shut in, and says so")


def check(program, *flags, user=None):
    who = {"user": user, "group": user, "extra_groups": []} if user is not None and is_root() else {}
    return subprocess.run([program, "check", "--sandbox", *map(str, flags)], capture_output=True, text=True,
                          timeout=BOUND, env=clean_environment(), **who)


def unmanaged():
    """An environment without a word of a service manager about folders."""
    return clean_environment(RUNTIME_DIRECTORY="", CONFIGURATION_DIRECTORY="")


def tasks(pid):
    """/proc/PID/status of each thread."""
    return [status_of(f"{pid}/task/{task.name}") for task in Path(f"/proc/{pid}/task").iterdir()]


@both
def test_every_thread_is_shut_in(stage, whole, as_root):
    """No new privileges, a filter, no capabilities, no core: in workers, recorder and main alike."""
    proxy = Config(stage).write("127.0.0.1:0").start(as_root=as_root)
    pid = proxy.serving_pid()
    rows = tasks(pid)
    assert len(rows) == 7  # main, two workers, the admin worker, the recorder, two that hash passwords
    for row in rows:
        assert row["NoNewPrivs"].strip() == "1" and row["Seccomp"].strip() == "2", row
        assert all(int(row[name], 16) == 0 for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")), row
    limits = Path(f"/proc/{pid}/limits").read_text()
    if is_root():
        assert re.search(r"Max core file size +0 +0 ", limits)
        assert os.stat(f"/proc/{pid}/maps").st_uid == 0  # not to be looked into by its own user
    assert proxy.stderr.count("sandbox") == 0


@needs_root
def test_the_parent_keeps_what_it_needs(stage, whole):
    """It reads nothing of the network: no filter, but no new privileges, and a few capabilities alone."""
    proxy = Config(stage).write("127.0.0.1:0").start(as_root=True)
    parent, child = status_of(proxy.pid), status_of(proxy.serving_pid())
    assert parent["NoNewPrivs"].strip() == "1"
    kept = {bit for bit in range(64) if int(parent["CapPrm"], 16) >> bit & 1}
    # DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE
    assert kept <= {1, 2, 3, 5, 6, 7, 8, 10}, kept
    assert int(child["CapBnd"], 16) == 0


def test_what_serving_does_not_need_is_refused(program, whole):
    """Programs, processes, traces, signals, raw sockets, memory that runs: each is tried, and fails or is killed."""
    for mode, word in (("refuse", "refused"), ("kill", "killed")):
        done = check(program, "--seccomp", mode, user=NOBODY)
        assert done.returncode == 0, done
        for what in ("run a program", "start a process", "trace a process", "signal another process",
                     "have the kernel signal another one", "have the kernel signal itself", "lock a file",
                     "open a raw socket", "make memory executable"):
            assert re.search(rf"^ +{what} +{word}$", done.stdout, re.M), done.stdout


@needs_root
def test_local_services_are_for_who_listens_there(program, whole):
    """Under a parent, who opens the sockets' files, no stream socket to others on this machine can be had; without one it
    can, since a reload may listen anew."""
    row = r"^ +open a socket to local services +(\S+)$"
    assert re.search(row, check(program, "--seccomp", "kill").stdout, re.M)[1] == "killed"
    assert not re.search(row, check(program, "--seccomp", "kill", user=NOBODY).stdout, re.M)


@needs_landlock
def test_files_that_nothing_names_are_shut(program, whole, folder):
    """A file that everybody may read is not opened; without Landlock it is."""
    def row(*flags):
        done = check(program, *flags, user=NOBODY)
        assert done.returncode == 0, done
        return re.search(r"read a file that nothing names +(.*)", done.stdout).group(1)
    assert row() == "refused"
    assert row("--landlock", "off") == "went through"


def test_what_is_off_is_said(program, whole):
    """The table tells what was asked for, and that it does not hold."""
    done = check(program, "--seccomp", "off", "--landlock", "off", "--core-dumps", "on", user=NOBODY)
    assert done.returncode == 0
    for row in ("a list of system calls +off +no", "files shut +off +no", "no core dumps +off +no"):
        assert re.search(row, done.stdout), done.stdout
    assert re.search("start a process +went through", done.stdout)


def hide_landlock():
    """In a child before it becomes another program: a kernel that has no Landlock answers so."""
    deny = 0x00050000 | 38  # SECCOMP_RET_ERRNO, ENOSYS
    rows = [(0x20, 0, 0, 0), (0x15, 0, 1, SYS_LANDLOCK_CREATE_RULESET), (0x06, 0, 0, deny), (0x06, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in rows))
    libc = ctypes.CDLL(None, use_errno=True)
    program = struct.pack("HxxxxxxP", len(rows), ctypes.addressof(code))
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, program, 0, 0) == 0, os.strerror(ctypes.get_errno())  # PR_SET_SECCOMP, a filter


def test_a_kernel_without_landlock_is_no_hindrance(program, stage, whole):
    """Files are not shut then, and both check and a start say so; all else holds. On is a demand that fails."""
    done = subprocess.run([program, "check", "--sandbox"], capture_output=True, text=True, timeout=BOUND,
                          env=clean_environment(), preexec_fn=hide_landlock)
    assert done.returncode == 0, done
    assert re.search(r"files shut +auto +no", done.stdout) and re.search(r"a list of system calls +\S+ +yes", done.stdout)
    process = subprocess.Popen([program, "--listen", "127.0.0.1:0", "--admin", "off", "--allow", "127.0.0.1"],
                               stderr=subprocess.PIPE, text=True, env=clean_environment(), preexec_fn=hide_landlock)
    try:
        found = None
        while found is None and (line := process.stderr.readline()):
            found = re.search(r"listening on http://(\S+)", line)
        origin = stage.origin(replies(ok(b"fine")))
        with stage.client(connect(parse_address(found[1]))) as client:
            assert client.ask(request("GET", origin.url + "/")).status == 200
    finally:
        process.terminate()
        assert process.wait(BOUND) == 0
        process.stderr.close()
    demanded = subprocess.run([program, "check", "--sandbox", "--landlock", "on"], capture_output=True, text=True,
                              timeout=BOUND, env=clean_environment(), preexec_fn=hide_landlock)
    assert demanded.returncode == 1


@pytest.mark.skipif(landlock_version() > 0, reason="this kernel has Landlock")
def test_landlock_that_is_demanded_and_not_there(program, stage):
    """on is a demand: neither a check nor a start is good without."""
    assert check(program, "--landlock", "on", user=NOBODY).returncode == 1
    ended = stage.run("--listen", "127.0.0.1:0", "--admin", "off", "--landlock", "on")
    assert ended.wait_exit() == 1 and "this kernel has no Landlock" in ended.stderr


@needs_others
def test_a_violation_ends_the_process(stage, whole, folder):
    """Under kill: code of somebody's in a worker that starts a program is the end of the process, by SIGSYS."""
    if shutil.which("cc") is None:
        pytest.skip("cc is not installed")
    source, library = folder / "evil.c", folder / "evil.so"
    source.write_text("#include <sys/socket.h>\n#include <unistd.h>\n"
                      "int accept4(int fd, struct sockaddr *a, socklen_t *l, int flags)\n"
                      "{ char *w[] = {\"/bin/true\", 0}; execve(w[0], w, w + 1); return -1; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, source], check=True)
    library.chmod(0o755)
    ended = stage.run("--listen", "127.0.0.1:0", "--admin", "off", environment=clean_environment(LD_PRELOAD=str(library)))
    ended.wait_line("listening on")
    ended.learn_addresses()
    with contextlib.suppress(OSError), ended.connect():  # it may be gone already
        pass
    assert ended.wait_exit() == -signal.SIGSYS


@needs_landlock
def test_a_reload_within_the_folders_of_the_start(stage, certs, whole):
    """Files are replaced, named anew beside the old, and made again: all of that works as before."""
    config, origin = Config(stage), stage.origin(answers())
    folder = config.folder / "keys"
    folder.mkdir()
    for name, source in (("a.pem", certs.server), ("a.key", certs.server_key), ("b.pem", certs.other),
                         ("b.key", certs.other_key)):
        shutil.copy(source, folder / name)
        (folder / name).chmod(0o644)
    proxy = config.write(config.tls(folder / "a.pem", folder / "a.key")).start(environment=unmanaged())
    replaced = folder / "new.pem"
    shutil.copy(certs.server, replaced)
    replaced.chmod(0o644)
    replaced.rename(folder / "a.pem")
    config.log.rename(config.folder / "old.log")
    reload(proxy)
    config.write(config.tls(folder / "b.pem", folder / "b.key"), f"unix:{config.folder}/x.sock",
                 admin={"address": "127.0.0.1:0"})
    # Sockets were made nowhere at the start, so they are shut; keys of the same folder are not.
    before = len(proxy.lines)
    proxy.signal(signal.SIGHUP)
    proxy.wait_line("reload failed", after=before)
    lines = proxy.lines[before:]
    assert any("x.sock" in line and "a restart takes it up" in line for line in lines), lines
    config.write(config.tls(folder / "b.pem", folder / "b.key"), "127.0.0.1:0")
    reload(proxy, listeners=2)
    plain = next(url for url in proxy.addresses if url.startswith("http://"))
    works(parse_address(plain), origin)


@pytest.mark.parametrize("whose", ["machine", "ours"])
def test_authorities_of_the_system_are_read_at_the_start_and_in_a_reload(stage, certs, whose):
    """Wherever they are: those of the machine, which do not know ours, or a file that SSL_CERT_FILE names. The sandbox leaves
    them open; a reload would have nobody to trust without."""
    config = Config(stage).write("127.0.0.1:0")
    trusted = stage.folder.parent / f"{stage.folder.name}-trust" / "ca.pem"  # that of the configuration is open anyway
    trusted.parent.mkdir()
    shutil.copy(certs.ca, trusted)
    environment = unmanaged() | {"SSL_CERT_FILE": str(trusted)}
    if whose == "machine":
        del environment["SSL_CERT_FILE"]
    proxy = config.start(environment=environment)
    for _ in range(2):
        origin = stage.origin(answers(), tls=certs.server_context())
        assert get(proxy.address, origin).status == (200 if whose == "ours" else 502)
        if whose == "machine":
            origin.wait_failure()
        reload(proxy)
    assert {record.cause for record in proxy.records(2)} == {None if whose == "ours" else "tls_certificate"}


@needs_landlock
def test_a_reload_that_names_another_folder_says_what_helps(stage, certs, whole):
    """A file that the start did not come near is refused by name, with the remedy; the old configuration stays."""
    config, origin = Config(stage), stage.origin(answers())
    elsewhere = stage.folder.parent / f"{stage.folder.name}-elsewhere"
    elsewhere.mkdir()
    for name, source in (("a.pem", certs.server), ("a.key", certs.server_key)):
        shutil.copy(source, elsewhere / name)
        (elsewhere / name).chmod(0o644)
    proxy = config.write("127.0.0.1:0").start(environment=unmanaged())
    config.write(config.tls(elsewhere / "a.pem", elsewhere / "a.key"))
    fails(proxy, rf"tls\.certificate: {elsewhere}/a\.pem: Permission denied; its folder was not named at the start, so "
                 "the sandbox shuts it: a restart takes it up")
    works(proxy.address, origin)


@needs_landlock
def test_folders_of_the_service_manager_are_open(stage, certs, whole):
    """What a reload newly names may lie where systemd says (RUNTIME_DIRECTORY, CONFIGURATION_DIRECTORY)."""
    config = Config(stage)
    proxy = config.write("127.0.0.1:0").start()  # which says the folder of the play and of the certificates
    config.write(config.tls(certs.server, certs.server_key), f"unix:{config.folder}/x.sock")
    reload(proxy, listeners=2)


@needs_others
def test_the_right_to_low_ports_stays_for_reloads(stage, program, whole):
    """Who was started with CAP_NET_BIND_SERVICE alone keeps it, and nothing else."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    config = Config(stage).write("127.0.0.1:0")
    proxy = config.start(as_root=True, command=[
        "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=+net_bind_service,+kill",
        "--ambient-caps=+net_bind_service,+kill"])
    assert int(status_of(proxy.pid)["CapEff"], 16) == 1 << CAP_NET_BIND_SERVICE
    assert int(status_of(proxy.pid)["CapAmb"], 16) == 0


def test_keys_are_locked_in_memory(stage, certs, whole):
    """What holds them is never written to swap, and in no dump."""
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] < 256 << 10:
        pytest.skip("ulimit -l is too low here")
    proxy = stage.proxy(tls=True)
    assert int(re.search(r"VmLck:\s+(\d+) kB", Path(f"/proc/{proxy.serving_pid()}/status").read_text())[1]) == 256


def test_a_start_says_what_it_does_without(program, stage, whole):
    """No word about the sandbox where all of it holds."""
    proxy = stage.proxy(sandbox=())
    origin = stage.origin(answers(b"fine"))
    with proxy.connect() as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"fine"
    assert status_of(proxy.serving_pid())["Seccomp"].strip() == "2"
    assert not any("Landlock" in line or "filter" in line for line in proxy.lines) or landlock_version() == 0
