"""Who takes part: how each proxy is found, named with its version, and started for a case.

A role says what a case needs: `http` (requests), `connect` (CONNECT), each in clear or over TLS. A bare relay does
`connect` without the CONNECT. A proxy that cannot do what a case asks is not in its list (cases.py)."""
import functools
import os
import pathlib
import re
import shutil
import subprocess

from stage import ADDRESSES, ORIGIN, Endpoint, Failure, free_port

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE / "peers"
PIPE_BYTES = 1 << 20


def find(*names):
    """The first of these programs that is installed, or None."""
    places = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    return next(filter(None, (shutil.which(name, path=places) for name in names)), None)


@functools.lru_cache(maxsize=None)
def said(*command):
    """What a program says of itself, both streams."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout + done.stderr


def version(pattern, *command):
    found = re.search(pattern, said(*command))
    return found.group(1) if found else "?"


class Proxy:
    name = "?"

    def program(self):
        """Its path, or None where it is not installed."""
        raise NotImplementedError

    def version(self):
        raise NotImplementedError

    def start(self, stage, case):
        raise NotImplementedError

    def configure(self, stage, template, **values):
        """A configuration from bench/peers, with its placeholders filled in."""
        values |= {"FOLDER": stage.folder, "PEERS": PEERS, **{k.upper(): v for k, v in stage.ports.items()}}
        text = re.sub(r"@([A-Z_]+)@", lambda found: str(values[found.group(1)]), (PEERS / template).read_text())
        path = stage.folder / f"{self.name}-{template}"
        path.write_text(text)
        return path


class Fairlead(Proxy):
    LISTENING = re.compile(r"listening on \S+:(\d+)")

    RULES = 10_000
    SECRET = "$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2"  # "secret"

    def __init__(self, binary, name="fairlead", workers=1, has_log=False, has_admin=False,
                 is_guarded=False, is_blind=False):
        self.binary, self.name, self.workers, self.has_log = binary, name, workers, has_log
        self.has_admin, self.is_guarded, self.is_blind = has_admin, is_guarded, is_blind

    def program(self):
        return self.binary

    def version(self):
        return version(r"fairlead (\S+)", self.binary, "--version")

    def command(self, stage, case):
        log = stage.folder / f"{self.name}.log" if self.has_log else "off"
        where, pem = ["--listen", "127.0.0.1:0"], stage.make_certificate()
        if case.is_tls:
            where = ["--listen-tls", "127.0.0.1:0", "--tls-cert", pem, "--tls-key", pem]
        return [self.binary, *where, "--upstream-ca", pem, "--admin",
                "127.0.0.1:0" if self.has_admin else "off", "--allow", "127.0.0.0/8",
                "--connect-port", "any", "--workers", self.workers, "--log-format", "json", "--log-file", log,
                "--core-dumps", "on",  # or its memory is shown to root alone
                *(["-c", self.guard(stage)] if self.is_guarded else []),
                *(["-c", self.blind(stage)] if self.is_blind else [])]

    def blind(self, stage):
        """A file that says not to look into tunnels."""
        path = stage.folder / "blind.yaml"
        path.write_text("log: { inside: \"off\" }\n")
        return path

    def guard(self, stage):
        """A file that says who may what: rules for as many hosts, of which the last one matters, a user, limits."""
        users, path = stage.folder / "users", stage.folder / "guarded.yaml"
        users.write_text(f"alice:{self.SECRET}:staff\n")
        rules = [f"    - {{ action: allow, user: [alice], to: [host{i}.example.org], ports: [443] }}\n"
                 for i in range(self.RULES)]
        path.write_text("identity: { basic: { users: %s } }\npolicy:\n  default: deny\n  rules:\n%s"
                        "    - { action: allow, group: [staff], to: [127.0.0.0/8], method: [GET] }\n"
                        "limits:\n  connections: 100000\n  requests: 10000000/s\n  bandwidth: 16GiB/s\n"
                        "  per_client: { connections: 50000, requests: 10000000/s, bandwidth: 16GiB/s }\n"
                        "  per_user: { connections: 50000, requests: 10000000/s, bandwidth: 16GiB/s }\n"
                        % (users, "".join(rules)))
        return path

    def start(self, stage, case, wrapper=(), **options):
        if self.workers > 1:
            options["cpus"] = stage.wide_cpus
        free = ["--seccomp", "off", "--landlock", "off"] if wrapper else []  # valgrind lives in the process
        process = stage.start(*wrapper, *self.command(stage, case), *free, stderr=subprocess.PIPE, **options)
        for line in process.stderr:
            if found := self.LISTENING.search(line):
                return Endpoint(int(found.group(1)), process)
        raise Failure(f"{self.name} did not come up")


class Floor(Proxy):
    """The least that the kernel asks for the same bytes: our own forwarder and relay without any product."""
    name = "floor"

    def program(self):
        return "floor"

    def version(self):
        return "of this tree"

    def start(self, stage, case):
        tls = ["--tls", stage.make_certificate()] if case.is_tls else []
        if case.service == "http":
            return stage.start_floor("floor-forward", "--origin", f"{ORIGIN}:{stage.ports['http']}", *tls)
        return stage.start_floor("floor-connect", *tls)


class Haproxy(Proxy):
    SPLICE = "option splice-request\n    option splice-response"  # splice-auto does not choose it for these

    def __init__(self, name="haproxy", splice=False, is_relay=False):
        self.name, self.splice, self.is_relay = name, splice, is_relay

    def program(self):
        return find("haproxy")

    def version(self):
        return version(r"version (\S+)", self.program(), "-v")

    def start(self, stage, case):
        port = free_port()
        values = {"PORT": port, "TLS": f"ssl crt {stage.make_certificate()}" if case.is_tls else "",
                  "SPLICE": self.SPLICE if self.splice or case.is_bulk and not case.is_tls else "# no splice",
                  "PIPE_BYTES": PIPE_BYTES,
                  "SERVERS": "\n    ".join(f"server s{i} {at}" for i, at in enumerate(origins(stage, case)))}
        kind = "relay" if self.is_relay else "http" if case.service == "http" else "connect"
        path = self.configure(stage, f"haproxy-{kind}.cfg", **values)
        endpoint = stage.start_peer(port, self.program(), "-db", "-q", "-f", path)
        endpoint.is_raw = self.is_relay
        return endpoint


def origins(stage, case):
    """The addresses that a bare relay spreads its connections over."""
    prefix, first = ORIGIN.rsplit(".", 1)
    count = ADDRESSES if case.is_spread else 1
    return [f"{prefix}.{int(first) + i}:{stage.ports[case.service]}" for i in range(count)]


class Nginx(Proxy):
    name = "nginx"
    MODULES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules")

    def program(self):
        return find("nginx")

    def version(self):
        return version(r"nginx/(\S+)", self.program(), "-v")

    def start(self, stage, case):
        port, is_http = free_port(), case.service == "http"
        modules = next((m for m in self.MODULES if pathlib.Path(m, "ngx_stream_module.so").exists()), None)
        if not is_http and modules is None:
            raise Failure("its stream module is not installed")
        pem = stage.make_certificate() if case.is_tls else ""
        values = {"PORT": port, "TLS": "ssl" if case.is_tls else "", "MODULES": modules,
                  "CERTIFICATE": f"ssl_certificate {pem}; ssl_certificate_key {pem}; ssl_protocols TLSv1.3;"
                                 if case.is_tls else "",
                  "SERVERS": "\n        ".join(f"server {at};" for at in origins(stage, case))}
        path = self.configure(stage, "nginx-http.conf" if is_http else "nginx-stream.conf", **values)
        endpoint = stage.start_peer(port, self.program(), "-e", "/dev/null", "-p", stage.folder, "-c", path)
        endpoint.is_raw = not is_http
        return endpoint


class Squid(Proxy):
    name = "squid"

    def program(self):
        return find("squid")

    def version(self):
        return version(r"Version (\S+)", self.program(), "-v")

    def start(self, stage, case):
        port = free_port()
        return stage.start_peer(port, self.program(), "-N", "-f", self.configure(stage, "squid.conf", PORT=port))


class Tinyproxy(Proxy):
    name = "tinyproxy"

    def program(self):
        return find("tinyproxy")

    def version(self):
        return version(r"tinyproxy (\S+)", self.program(), "-v")

    def start(self, stage, case):
        port = free_port()
        path = self.configure(stage, "tinyproxy.conf", PORT=port)
        return stage.start_peer(port, self.program(), "-d", "-c", path)


class Go(Proxy):
    name = "go"

    def program(self):
        return find("go")

    def version(self):
        return version(r"go version go(\S+)", self.program(), "version")

    def start(self, stage, case):
        binary = stage.programs / "go-proxy"
        environment = {**os.environ, "GO111MODULE": "off", "GOMAXPROCS": "1"}
        done = subprocess.run([self.program(), "build", "-o", binary, PEERS / "proxy.go"], env=environment,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure("go build: " + done.stderr.strip())
        port = free_port()
        tls = ["-tls", stage.make_certificate()] if case.is_tls else []
        return stage.start_peer(port, binary, "-listen", f"127.0.0.1:{port}", *tls, env=environment)


def everybody(binary):
    """All that cases name, by name."""
    proxies = [Fairlead(binary), Fairlead(binary, "fairlead+log", has_log=True),
               Fairlead(binary, "fairlead+told", has_log=True, has_admin=True),
               Fairlead(binary, "fairlead+blind", is_blind=True),
               Fairlead(binary, "fairlead+2", workers=2), Fairlead(binary, "fairlead+guarded", is_guarded=True),
               Floor(), Haproxy(), Haproxy("haproxy+splice", splice=True), Haproxy("haproxy-relay", is_relay=True),
               Nginx(), Squid(), Tinyproxy(), Go()]
    return {proxy.name: proxy for proxy in proxies}
