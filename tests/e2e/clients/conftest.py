"""Real clients. Each play is run in four ways: plain or through a tunnel to a TLS origin, each through the clear
and through the TLS listener. A client that cannot speak TLS to a proxy says so in its docstring."""
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import programs, users
from support.front import Front
from support.git import HERMETIC, IDENTITY
from support.programs import environment, need
from support.record import Record
from support.screen import Screen
from support.site import Site, pattern, sha256

NAME = "origin.test"
PAGE = pattern(300_000)
WAYS = ["clear-plain", "clear-tunnel", "tls-plain", "tls-tunnel"]
CLEAR_WAYS = WAYS[:2]
PROGRAMS = Path(__file__).resolve().parent / "programs"
ORDERLY = ("done", "fin")  # ends of a tunnel


@dataclass
class Way:
    """One way from a client to an origin, and what the proxy must have recorded of it."""
    door: str  # "clear", "tls"
    is_tunnel: bool
    proxy: object
    site: Site
    ca: Path  # who vouches for the proxy and for the origin
    home: Path

    @property
    def proxy_url(self):
        scheme, address = ("https", self.proxy.tls_address) if self.door == "tls" else \
            ("http", self.proxy.address)
        return f"{scheme}://127.0.0.1:{address[1]}"

    def url(self, path="/page"):
        return self.site.url(path)

    def run(self, *command, **more):
        return programs.run(command, self.home, **more)

    def spare_gnutls(self):
        """For clients that layer GnuTLS in GnuTLS (git's curl, apt): when a session ticket of the origin and the
        answer behind it come in one outer record, they read the ticket and then wait for the socket, on which
        nothing more comes. So there are no tickets inside a tunnel."""
        if self.is_tunnel:
            self.site.context.num_tickets = 0

    # ---- records
    def check(self, record):
        """What holds for every successful record of this way."""
        assert record.status == 200 and record.get("host") == NAME, record
        assert record.cause is None and record.error is None and record.retries == 0, record
        assert bool(record.client_tls) == (self.door == "tls"), record
        if self.is_tunnel:
            assert (record.kind, record.method) == ("tunnel", "CONNECT"), record
            assert record.url == f"{NAME}:{self.site.port}" and record.ended_by in ("client", "upstream")
            assert record.mark("t_open") <= record.mark("t_up") <= record.mark("t_down"), record
            self.check_inside(record)
        else:
            assert (record.kind, record.end) == ("exchange", "done"), record
            assert record.url.startswith(f"http://{NAME}:{self.site.port}/"), record
            assert "wait" in record.phases and "load" in record.phases, record

    def check_inside(self, record):
        """The client's TLS was seen from outside, whoever wrote it, up to its first response."""
        assert record["inside"]["version"] in ("1.2", "1.3") and record["sni"] == NAME, record
        marks = [record.marks[name] for name in ("t_up", "t_ch", "t_sh", "t_hs", "t_last", "x_end")]
        assert marks == sorted(marks), record
        marks = [record.marks[name] for name in ("t_ch", "t_req", "t_rsp", "t_last")]
        assert marks == sorted(marks), record
        assert record["inside"]["turns"] >= 1, record

    def check_opening(self, record):
        """It paid for a name and a connection."""
        assert "dns" in record.phases and "connect" in record.phases, record
        assert record.upstream_conn["use"] == 1, record

    def is_deaf_to_the_last_word(self, record):
        """A client that closes its socket at once resets what still comes: the origin's good-bye inside the tunnel."""
        return self.is_tunnel and (record.end, record.ended_by) == ("rst", "client")

    def records(self, count):
        found = self.proxy.records(count)
        for record in found:
            self.check(record)
        return found

    def expect(self, exchanges):
        """So many exchanges of a client that keeps its connection: one tunnel, or as many records, of which the
        first paid for the connection to the origin and the others reused it."""
        found = sorted(self.records(1 if self.is_tunnel else exchanges), key=lambda r: r.client_conn["use"])
        self.check_opening(found[0])
        assert [r.client_conn["use"] for r in found] == list(range(1, len(found) + 1)), found
        assert len({r.client_conn["id"] for r in found}) == 1, found
        for number, record in enumerate(found[1:], 2):
            assert record.upstream_conn["use"] == number, record
            assert "dns" not in record.phases and "connect" not in record.phases, record
        assert self.site.connections == 1
        if self.is_tunnel:
            assert found[0].end in ORDERLY or self.is_deaf_to_the_last_word(found[0]), found
        return found


def make_way(name, stage, certs, dns):
    door, _, kind = name.partition("-")
    dns.add(NAME, a=["127.0.0.1"])
    site = stage.site(tls=kind == "tunnel")
    site.pages["/page"] = PAGE
    return Way(door, kind == "tunnel", stage.proxy(tls=True), site, certs.ca, stage.folder / "home")


@pytest.fixture(params=WAYS)
def way(request, stage, certs, dns):
    return make_way(request.param, stage, certs, dns)


@pytest.fixture(params=CLEAR_WAYS)
def clear_way(request, stage, certs, dns):
    """For clients that cannot speak TLS to a proxy."""
    return make_way(request.param, stage, certs, dns)


@dataclass
class GuardedWay(Way):
    """A proxy that lets alice in, whose password is "secret"."""

    @property
    def plain_url(self):
        return Way.proxy_url.fget(self)

    @property
    def proxy_url(self):
        return self.plain_url.replace("://", "://alice:secret@")

    def served(self, count):
        """So many exchanges or tunnels of alice's reached the origin; nobody else's did."""
        found = self.proxy.records(count, lambda record: record.status == 200)
        assert {record.get("user") for record in found} == {"alice"}
        others = [r for r in map(Record, self.proxy.log_lines()) if r.status != 200]
        assert {r.status for r in others} <= {407} and {r.get("user") for r in others} <= {None}


def make_guarded_way(name, stage, certs, dns):
    door, _, kind = name.partition("-")
    dns.add(NAME, a=["127.0.0.1"])
    site = stage.site(tls=kind == "tunnel")
    site.pages["/page"] = PAGE
    proxy = stage.proxy("--users", users.write(stage.folder, f"alice:{users.SHA512}\n"), tls=True)
    return GuardedWay(door, kind == "tunnel", proxy, site, certs.ca, stage.folder / "home")


@pytest.fixture(params=WAYS)
def guarded(request, stage, certs, dns):
    return make_guarded_way(request.param, stage, certs, dns)


@pytest.fixture(params=CLEAR_WAYS)
def clear_guarded(request, stage, certs, dns):
    return make_guarded_way(request.param, stage, certs, dns)


@pytest.fixture(scope="session")
def repository(session_folder):
    """A bare repository with one commit that holds a few hundred KB which do not compress."""
    git = need("git", "git")
    work, bare = session_folder / "git-work", session_folder / "project.git"
    work.mkdir()

    def run(*words):
        subprocess.run([git, *IDENTITY, *map(str, words)], cwd=work, check=True, capture_output=True,
                       env=environment(session_folder / "git-home", **HERMETIC))
    (work / "data").write_bytes(pattern(400_000))
    (work / "README").write_text("hello\n")
    run("init", "--quiet")
    run("add", ".")
    run("commit", "--quiet", "--message", "first")
    run("clone", "--quiet", "--bare", work, bare)
    run("--git-dir", bare, "update-server-info")
    return bare


@pytest.fixture(scope="session")
def go_program(session_folder):
    """The Go client, compiled once, without network, with a cache of this session."""
    go = programs.need("go", "golang-go")
    folder = session_folder / "go"
    folder.mkdir()
    shutil.copy(PROGRAMS / "fetch.go", folder)
    programs.run([go, "build", "-o", "fetch", "fetch.go"], folder, bound=240, GOCACHE=str(folder / "cache"),
                 GOPATH=str(folder / "path"), GOFLAGS="-mod=mod", GOPROXY="off", GOTOOLCHAIN="local",
                 GO111MODULE="off", CGO_ENABLED="0")
    return folder / "fetch"


@pytest.fixture(scope="session")
def page_hash():
    return sha256(PAGE)


# ---- the dashboard in a browser
@pytest.fixture(scope="module")
def chromium(session_folder):
    screen = Screen(need("chromium", "chromium"), session_folder / "screen")
    yield screen
    screen.close()


@pytest.fixture
def screen(chromium):
    chromium.fresh()
    return chromium


@pytest.fixture
def front(proxy):
    front = Front(proxy.admin)
    yield front
    front.close()


@pytest.fixture
def show(screen, front):
    """Open the page, and wait until it follows."""
    def show(path=""):
        screen.open(front.url + path)
        screen.wait("document.querySelector('#state')?.dataset.state === 'live'", "the page to be live")
        return screen
    return show
