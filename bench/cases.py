"""What is measured, against whom, and which ratios are asked for.

A ratio is work for each CPU second of the proxy, the subject's by the other's. A goal is met when the lower end of
the ratio's 95 % interval reaches 0.95 of it: machines scatter, and that much is granted. The same holds for the tail of
latency, where the ratio is the other's p99 by the subject's."""
import dataclasses

KIB, MIB = 1024, 1024 * 1024
ALLOWANCE = 0.95
WHO = "Proxy-Authorization: Basic YWxpY2U6c2VjcmV0"  # alice, whose password is "secret"


@dataclasses.dataclass(frozen=True)
class Goal:
    ratio: float
    against: tuple  # of several: the best of them counts


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    title: str
    kind: str  # of the generator
    service: str  # of the origin
    others: tuple  # whom the subject meets
    goals: tuple
    body: int = 0
    connections: int = 64
    unit: str = "request"
    subject: str = "fairlead"
    is_tls: bool = False
    is_fresh: bool = False  # a connection for each request
    is_spread: bool = False  # over many loopback addresses: rates of connections matter
    field: str = None  # one more of each request
    has_rate: bool = True  # latency at a fixed rate is measured, too

    @property
    def is_bulk(self):
        return self.kind in ("down", "up")

    @property
    def tail_goal(self):
        """At a fixed rate p99 is no worse than the best peer's. The floor is none, nor a bare relay where tunnels are
        opened, which it does not do."""
        bare = ("floor", "haproxy-relay") if self.kind == "open" else ("floor",)
        return Goal(1.0, tuple(name for name in self.others if name not in bare))


def _get(name, title, body, others, goals, **more):
    return Case(name, title, "get", "http", others, goals, body=body, **more)


def _tunnel(name, title, kind, others, goals, **more):
    service = {"down": "source", "up": "sink", "talk": "talk"}.get(kind, "echo")
    return Case(name, title, kind, service, others, goals, **more)


_BULK = {"connections": 16, "unit": "GB", "has_rate": False}
_BULK_PEERS = ("haproxy-relay", "nginx", "go")

CASES = (
    _get("get-1k", "GET 1 KiB, 64 connections kept alive", KIB, ("floor", "haproxy", "nginx", "squid", "go"),
         (Goal(1.10, ("haproxy",)), Goal(0.92, ("floor",)))),
    _get("get-many", "GET 1 KiB, 1,000 connections kept alive", KIB, ("floor", "haproxy", "nginx", "go"),
         (Goal(1.0, ("haproxy", "nginx", "go")),), connections=1000),
    _get("get-64k", "GET 64 KiB, 64 connections kept alive", 64 * KIB,
         ("floor", "haproxy", "haproxy+splice", "nginx", "go"),
         (Goal(1.05, ("haproxy",)), Goal(1.05, ("haproxy+splice",)))),
    _get("get-1m", "GET 1 MiB, 64 connections kept alive, saturated", MIB,
         ("floor", "haproxy+splice", "nginx", "go"),
         (Goal(1.0, ("haproxy+splice", "nginx", "go")), Goal(0.9, ("floor",))), has_rate=False),
    _get("get-new", "GET 1 KiB, a new client connection each", KIB,
         ("floor", "haproxy", "nginx", "squid", "tinyproxy", "go"), (Goal(1.0, ("nginx",)),),
         is_fresh=True, is_spread=True),
    Case("post-64k", "POST 64 KiB, 64 connections kept alive", "post", "http", ("floor", "haproxy", "nginx", "go"), (),
         body=64 * KIB),
    _tunnel("tunnel-open", "tunnel: open, 64 B there and back, close", "open",
            ("floor", "haproxy", "haproxy-relay", "squid", "tinyproxy", "go"),
            (Goal(1.2, ("haproxy",)), Goal(0.9, ("floor",))), body=64, unit="tunnel", is_spread=True),
    _tunnel("tunnel-bulk", "tunnel: 16 saturated, to the client", "down", ("floor", *_BULK_PEERS),
            (Goal(1.05, _BULK_PEERS), Goal(0.9, ("floor",))), **_BULK),
    _tunnel("tunnel-many", "tunnel: 128 saturated, to the client", "down", ("floor", *_BULK_PEERS),
            (Goal(1.0, _BULK_PEERS), Goal(0.9, ("floor",))), **(_BULK | {"connections": 128})),
    _tunnel("tunnel-echo", "tunnel: 64 B there and back on 64 tunnels", "echo",
            ("floor", "haproxy-relay", "nginx", "squid", "go"), (Goal(1.0, ("haproxy-relay",)),),
            body=64, unit="round trip"),
    _get("tls-get-1k", "GET 1 KiB over TLS to the proxy, kept alive", KIB, ("floor", "haproxy", "nginx", "go"),
         (Goal(1.0, ("nginx",)),), is_tls=True),
    _tunnel("tls-down", "tunnel over TLS: 16 saturated, to the client", "down", ("floor", *_BULK_PEERS),
            (Goal(1.05, _BULK_PEERS), Goal(0.9, ("floor",))), is_tls=True, **_BULK),
    _tunnel("tls-up", "tunnel over TLS: 16 saturated, to the origin", "up", ("floor", *_BULK_PEERS),
            (Goal(1.05, _BULK_PEERS), Goal(0.9, ("floor",))), is_tls=True, **_BULK),
    _get("tls-new", "GET 1 KiB, a full TLS handshake each", KIB, ("floor", "haproxy", "nginx", "go"), (),
         is_tls=True, is_fresh=True, is_spread=True),
    _get("log", "GET 1 KiB with the JSON log on, beside off", KIB, ("fairlead",), (Goal(0.92, ("fairlead",)),),
         subject="fairlead+log", has_rate=False),
    _get("told", "GET 1 KiB with log, live views and metrics on, beside off", KIB, ("fairlead",),
         (Goal(1 / 1.08, ("fairlead",)),), subject="fairlead+told", has_rate=False),
    _tunnel("told-open", "tunnel: open, echo, close with log, live views and metrics on, beside off", "open",
            ("fairlead",), (Goal(1 / 1.08, ("fairlead",)),), body=64, unit="tunnel", is_spread=True,
            subject="fairlead+told", has_rate=False),
    _tunnel("inside-open", "tunnel: open, TLS 1.3 and an exchange inside, close; looked at, beside not", "talk",
            ("fairlead+blind",), (Goal(1 / 1.03, ("fairlead+blind",)),), unit="tunnel", is_spread=True, has_rate=False),
    _get("workers", "GET 1 KiB with two workers, beside one", KIB, ("fairlead",), (Goal(1 / 1.1, ("fairlead",)),),
         subject="fairlead+2", has_rate=False),
    _get("guarded", "GET 1 KiB with 10,000 rules, a password and limits, beside without", KIB, ("fairlead",),
         (Goal(1 / 1.1, ("fairlead",)),), subject="fairlead+guarded", field=WHO, has_rate=False),
)
IDLE = _tunnel("idle", "8,000 idle tunnels", "idle", ("floor", "haproxy", "squid"), (), body=64,
               connections=8000, unit="tunnel", is_spread=True, has_rate=False)
IDLE_GOAL_BYTES = 1024  # of user memory for each tunnel
REST = _tunnel("rest", "100,000 requests of mixed kinds, then memory", "open", (), (), has_rate=False)
REST_KINDS = {"get-1k": 40_000, "get-64k": 20_000, "get-1m": 1_000, "get-new": 10_000, "post-64k": 9_000,
              "tunnel-open": 10_000, "tunnel-echo": 10_000}
REST_GOAL_BYTES = 256 * KIB  # more than after a tenth of it
NAMES = tuple(case.name for case in CASES) + (IDLE.name, REST.name)
