"""The players of a benchmark: processes that are pinned, awaited and ended, and the runs of the load generator.

The proxy has one CPU for itself. The generator and the origin have the others, or share one."""
import ctypes
import dataclasses
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

ADDRESSES = 16  # of the origin and of the generator, where rates of connections matter
ORIGIN, SOURCE = "127.1.0.1", "127.2.0.1"
PATIENCE_S = 20
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """Something could not be started, or did not do its work."""


@dataclasses.dataclass
class Endpoint:
    """A proxy that is up."""
    port: int
    process: subprocess.Popen
    is_raw: bool = False  # a bare relay: clients send no CONNECT
    address: str = "127.0.0.1"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _accepts(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def tree(pid):
    """The process and all its descendants."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += tree(int(child))
    return found


def softirq_thread(cpu):
    """The kernel's thread that works for this CPU when interrupts get too much, or None. Its work is the proxy's."""
    for comm in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text() == f"ksoftirqd/{cpu}\n":
                return int(comm.parent.name)
        except OSError:
            continue
    return None


# A handshake and an exchange as they were recorded.
TALK = pathlib.Path(__file__).resolve().parents[1] / "tests/fuzz/corpus/tls_watch/tls13"


class Stage:
    """Everything that runs for one case; ends with it."""

    def __init__(self, programs):
        self.programs = pathlib.Path(programs)
        cpus = sorted(os.sched_getaffinity(0))
        self.proxy_cpus = cpus[-1:]
        self.wide_cpus = cpus[-2:] if len(cpus) >= 4 else self.proxy_cpus  # of a proxy with two workers
        self.load_cpus, self.origin_cpus = cpus[:1], cpus[1:2] if len(cpus) > 2 else cpus[:1]
        shm = pathlib.Path("/dev/shm")
        folder = tempfile.mkdtemp(prefix="fairlead-bench-", dir=shm if shm.is_dir() else None)
        self.folder = pathlib.Path(folder)
        self.folder.chmod(0o777)  # proxies give up root
        self.processes, self.ports = [], {}
        self.softirq = softirq_thread(self.proxy_cpus[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self.end(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *command, cpus=None, **options):
        """Start a process on these CPUs (the proxy's); it dies with us."""
        wanted = cpus or self.proxy_cpus

        def prepare():
            os.sched_setaffinity(0, wanted)
            os.sched_setscheduler(0, self.policy(cpus), os.sched_param(0))
            _libc.prctl(PR_SET_PDEATHSIG, 15)
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
                   "text": True, **options}
        process = subprocess.Popen([str(word) for word in command], preexec_fn=prepare, **options)
        self.processes.append(process)
        return process

    def policy(self, _cpus):
        """The scheduling policy of a process that was given these CPUs."""
        return os.SCHED_OTHER

    def end(self, process):
        """TERM, and KILL for those who do not listen."""
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process in self.processes:
            self.processes.remove(process)

    def wait_for(self, process, is_up, what):
        """Until `is_up()`, in a bounded time."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if process.poll() is not None:
                raise Failure(f"{what} ended with {process.returncode}")
            if is_up():
                return
            time.sleep(0.01)
        raise Failure(f"{what} did not come up")

    def start_peer(self, port, *command, **options):
        """A proxy that listens on this port."""
        process = self.start(*command, **options)
        self.wait_for(process, lambda: _accepts(port), command[0])
        return Endpoint(port, process)

    def start_floor(self, name, *arguments):
        """One of our programs, which says its port."""
        process = self.start(self.programs / name, *arguments, stdout=subprocess.PIPE)
        line = process.stdout.readline()
        if not line:
            raise Failure(f"{name} did not come up")
        return Endpoint(int(line), process)

    def start_origin(self):
        process = self.start(self.programs / "origin", "--at", f"{ORIGIN}:0,{ADDRESSES}", "--talk", TALK, cpus=self.origin_cpus,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = process.stdout.readline()
        if not line:
            raise Failure("the origin did not come up")
        self.ports = json.loads(line)

    def make_certificate(self):
        """A PEM file with an ECDSA key and its certificate."""
        path = self.folder / "proxy.pem"
        if not path.exists():
            parts = [self.folder / "key.pem", self.folder / "cert.pem"]
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                            "-nodes", "-days", "30", "-subj", "/CN=localhost", "-keyout", parts[0], "-out", parts[1]],
                           check=True, capture_output=True)
            path.write_text("".join(part.read_text() for part in parts))
        return path

    def load_command(self, case, endpoint, **changes):
        """The generator's command line for a case; `changes` are options that differ (None leaves one out)."""
        count = ADDRESSES if case.is_spread else 1
        options = {"kind": case.kind, "proxy": f"{endpoint.address}:{endpoint.port}", "body": case.body,
                   "targets": f"{ORIGIN}:{self.ports[case.service]},{count}", "connections": case.connections,
                   "sources": f"{SOURCE}:0,{ADDRESSES}" if case.is_spread else None, **changes}
        command = [self.programs / "load"]
        for name, value in options.items():
            command += [f"--{name}", value] if value is not None else []
        command += ["--field", case.field] if case.field else []
        command += ["--talk", TALK] if case.kind == "talk" else []
        command += ["--raw"] if endpoint.is_raw else []
        command += ["--fresh"] if case.is_fresh else []
        command += ["--tls"] if case.is_tls else []
        for pid in tree(endpoint.process.pid) + ([self.softirq] if self.softirq else []):
            command += ["--clock", pid]
        return [str(word) for word in command]

    def run_load(self, case, endpoint, **changes):
        """One run; what the generator says, with `cpu_s` the sum of the proxy's clocks."""
        process = self.start(*self.load_command(case, endpoint, **changes), cpus=self.load_cpus,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        bound = float(changes.get("seconds", 0)) + float(changes.get("warmup", 0)) + PATIENCE_S
        try:
            output, errors = process.communicate(timeout=bound)
        except subprocess.TimeoutExpired:
            raise Failure("the generator did not end") from None
        finally:
            self.end(process)
        if process.returncode != 0:
            raise Failure(f"the generator failed: {errors.strip()}")
        result = json.loads(output)
        if result["failures"]:
            status = f" (status {result['first_status']})" if result["first_status"] else ""
            raise Failure(f"{result['failures']} failed: {result['first_failure']}{status}")
        result["cpu_s"] = sum(result["cpu"])
        return result
