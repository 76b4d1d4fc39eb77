"""The real binary, started with flags or a file, watched through its log, its stderr and its processes."""
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

from support.bounds import BOUND, Signal, wait_until
from support.record import Record
from support.schema import check_log
from support.wire import connect

ROOT = Path(__file__).resolve().parents[3]
SICK = re.compile(r"[a-z]Sanitizer|runtime error:|CHECK|assert|==\d+==ERROR|core dumped", re.IGNORECASE)
LISTENING = re.compile(r"listening on (\S+)")
ADMIN = re.compile(r"admin on (\S+)")
LOOPBACK = ["--allow", "127.0.0.0/8", "--allow", "::1", "--connect-port", "any"]


NOBODY = 65534

# A system call that the filter does not list ends the process, and so the play. A process that does not dump core shows
# itself to root alone, and plays look at theirs.
SANDBOX = ["--seccomp", "kill", *([] if os.geteuid() == 0 else ["--core-dumps", "on"])]
NO_SANDBOX = ["--seccomp", "off", "--landlock", "off"]  # for what watches the process from inside, as valgrind does


def binary():
    path = Path(os.environ.get("FAIRLEAD_BINARY") or os.environ.get("FAIRLEAD") or
                ROOT / "build" / "fairlead")
    assert path.exists(), f"{path} is missing: build it first, or name it in FAIRLEAD_BINARY"
    return path.resolve()


def has_sanitizer(program):
    """Is its memory managed by a sanitizer? Then what it takes says nothing about our code."""
    content = Path(program).read_bytes()
    return b"__asan_init" in content or b"__tsan_init" in content


def is_root():
    return os.geteuid() == 0


def clean_environment(**more):
    """For the programs that plays start. Their machine trusts no authority: to read the hundred and more of a real one is
    most of what a start of the proxy costs, and under a sanitizer a sixth of a second."""
    kept = {name: value for name, value in os.environ.items()
            if "proxy" not in name.lower() and name not in ("NOTIFY_SOCKET", "LISTEN_FDS")}
    return {**kept, "SSL_CERT_FILE": os.devnull, "NO_COLOR": "1", **more}


def parse_address(url):
    """('127.0.0.1', 3128) of http://127.0.0.1:3128, or a path of unix:/path."""
    rest = url.split("://", 1)[-1].rstrip("/.,")
    if rest.startswith("unix:") or rest.startswith("/"):
        return rest[5:] if rest.startswith("unix:") else rest
    host, _, port = rest.rpartition(":")
    return host.strip("[]"), int(port)


def is_over(record):
    """It is not of a tunnel that is still open."""
    return not record.get("in_progress")


class Proxy:
    """`program` is the binary. Plays run without privileges, also when the tests are run by root; with
    as_root=True root's are kept. `command` stands in front of the program (prlimit, ...). `sandbox`: flags behind the
    others, () for what the program does by itself."""

    def __init__(self, program, folder, flags=(), listeners=1, has_admin=True, environment=None,
                 command=(), pass_fds=(), preexec=None, as_root=False, stdout=subprocess.PIPE, sandbox=tuple(SANDBOX)):
        self.folder = folder
        self.log_path = folder / "access.log"
        self.flags = [str(flag) for flag in [*flags, *sandbox]]
        if "LD_PRELOAD" in (environment or {}):  # it reads files that no configuration names
            self.flags += ["--landlock", "off"]
        self.lines = []  # of stderr
        self.changed = Signal()
        self.is_read = False
        self.is_stopped = False
        self.has_served = False
        self.may_restart = False  # the play kills the serving process
        self.expects_exit = 0
        who = {}
        if is_root() and not as_root:
            os.chown(folder, NOBODY, NOBODY)
            who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self.process = subprocess.Popen(
            [*command, program, *self.flags], stdin=subprocess.DEVNULL, stdout=stdout,
            stderr=subprocess.PIPE, env=environment or clean_environment(), pass_fds=pass_fds,
            preexec_fn=preexec, **who)
        self.pid = self.process.pid
        self.output = []
        streams = [(self.process.stderr, self._line)]
        if self.process.stdout:
            streams.append((self.process.stdout, self.output.append))
        for stream, into in streams:
            threading.Thread(target=self._read, args=(stream, into), daemon=True).start()
        if listeners is not None:
            self._wait_listening(listeners, has_admin)

    # ---- stderr
    def _read(self, stream, into):
        for line in stream:
            into(line.decode(errors="replace").rstrip("\n"))
        stream.close()
        if into == self._line:
            with self.changed:
                self.is_read = True

    def _line(self, line):
        with self.changed:
            self.lines.append(line)

    @property
    def stderr(self):
        return "\n".join(self.lines)

    def wait_line(self, pattern, bound=BOUND, after=0):
        """The first line of stderr that matches, from line number `after` on."""
        def find():
            return next((line for line in self.lines[after:] if re.search(pattern, line)), None) or \
                (self.is_read and "\0")
        line = self.changed.wait(find, lambda: f"a line {pattern!r} on stderr; there is:\n{self.stderr}", bound)
        assert line != "\0", f"the proxy ended without a line {pattern!r}:\n{self.stderr}"
        return line

    def _matches(self, pattern):
        return [match.group(1) for line in self.lines if (match := pattern.search(line))]

    def _wait_listening(self, listeners, has_admin):
        def ready():
            return self.is_read or (len(self._matches(LISTENING)) >= listeners and
                                    len(self._matches(ADMIN)) >= has_admin)
        try:
            self.changed.wait(ready, "the proxy to listen")
            assert not self.is_read, "the proxy ended"
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}: {' '.join(self.flags)}\n{self.stderr}") from None
        self.learn_addresses()
        self.has_served = True

    def learn_addresses(self):
        urls = self._matches(LISTENING)
        self.urls = urls
        self.address = parse_address(next((u for u in urls if not u.startswith("https")), urls[0]))
        tls = [u for u in urls if u.startswith("https")]
        self.tls_address = parse_address(tls[0]) if tls else None
        admin = self._matches(ADMIN)
        self.admin = parse_address(admin[-1]) if admin else None

    @property
    def url(self):
        return "http://%s:%d" % self.address

    @property
    def tls_url(self):
        return "https://localhost:%d" % self.tls_address[1]

    # ---- processes
    def children(self):
        """Process ids below ours, as /proc tells."""
        try:
            text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        except OSError:
            return []
        return [int(pid) for pid in text.split()]

    def serving_pid(self):
        """The process that serves: the child of a privileged parent, or the only one."""
        children = self.children()
        return children[0] if children else self.pid

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.serving_pid()}/fd"))

    def signal(self, number):
        os.kill(self.pid, number)

    def freeze(self):
        """Whoever serves stands still: what comes until thaw() comes at once."""
        pid = self.serving_pid()
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in
                               Path(f"/proc/{pid}/task").glob("*/stat")), "all threads to stop", step=0)

    def thaw(self):
        os.kill(self.serving_pid(), signal.SIGCONT)

    def kill(self):
        self.is_stopped = True
        if self.process.poll() is None:
            for pid in [*self.children(), self.pid]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.process.wait(BOUND)

    def wait_exit(self, bound=BOUND):
        try:
            code = self.process.wait(bound)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the proxy did not end within {bound:g} s:\n{self.stderr}") from None
        self.is_stopped = True
        self.changed.wait(lambda: self.is_read, "the end of stderr")
        return code

    def stop(self, bound=BOUND):
        """SIGTERM; the exit code is 0, nothing was wrong on the way."""
        if self.is_stopped:
            return
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        code = self.wait_exit(bound)
        assert code == self.expects_exit, f"exit code {code}:\n{self.stderr}"
        # Whose children there are tells nothing: a play may have begun the end, and a sanitizer looks for leaks from one.
        died = "it is started again" in self.stderr
        assert self.may_restart or not died, f"the serving process died and was started again:\n{self.stderr}"
        assert not SICK.search(self.stderr), self.stderr
        check_log(self.log_lines())

    # ---- clients
    def connect(self, tls=None, **more):
        """A raw client; with a client context through the TLS listener."""
        return connect(self.tls_address if tls else self.address, tls=tls, **more)

    def connect_admin(self):
        return connect(self.admin, name="admin client")

    def ask_admin(self, path, *fields, method="GET", host=None):
        host = host or ("localhost" if isinstance(self.admin, str) else "%s:%d" % self.admin)
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *fields, "", ""]
        with self.connect_admin() as wire:
            return wire.ask("\r\n".join(lines).encode())

    # ---- records
    def log_lines(self):
        if not self.log_path.is_file():
            return []
        text = self.log_path.read_text(errors="replace")
        return text[:text.rfind("\n") + 1].splitlines()

    def records(self, count, question=is_over, bound=BOUND):
        """Exactly `count` records (that answer the question) are in the log, as soon as they are."""
        def enough():
            found = [r for r in map(Record, self.log_lines()) if question(r)]
            return found if len(found) >= count else None
        found = wait_until(enough, lambda: f"{count} records in {self.log_path}; there is "
                           f"{self.log_path.exists() and self.log_path.read_text()}", bound)
        assert len(found) == count, found
        return found

    def record(self, question=is_over, bound=BOUND):
        return self.records(1, question, bound)[0]


def default_flags(folder, resolver=None, admin="127.0.0.1:0", workers=2, log_format="json"):
    flags = ["--admin", admin, "--log-format", log_format, "--log-file", folder / "access.log",
             "--workers", workers, "--timeout", "drain=2s", *LOOPBACK]
    return flags + (["--resolver", resolver] if resolver else [])
