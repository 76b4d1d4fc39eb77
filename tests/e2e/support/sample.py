"""Records as the JSON access log has them, made up: transactions of a usual afternoon, told apart by their number alone, so
that every run and every picture has the same."""
import random
import time

HOSTS = [("deb.debian.org", 80, "/debian/pool/main/c/curl/curl_8.5.0-2_amd64.deb"), ("registry.npmjs.org", 80, "/left-pad/-/left-pad-1.3.0.tgz"),
         ("api.example.com", 80, "/v2/orders?state=open&page={n}"), ("mirror.internal.test", 8080, "/simple/requests/"),
         ("cdn.example.net", 80, "/assets/app.{n}.js"), ("crl.example.org", 80, "/root.crl")]
TUNNELS = ["github.com:443", "pypi.org:443", "storage.example.net:443", "telemetry.example.io:443"]
CLIENTS = ["10.20.0.14", "10.20.0.27", "10.20.3.9", "10.20.7.101"]
USERS = ["ci", "ci", "deploy", None, None]


def stamp(wall_us):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(wall_us // 1_000_000)) + f".{wall_us % 1_000_000:06d}Z"


class Walk:
    """Marks one after the other."""

    def __init__(self, chance):
        self.chance, self.marks, self.at = chance, {"c_first": 0}, 0

    def go(self, mark, us):
        self.at += max(1, int(us * (0.6 + 0.8 * self.chance.random())))
        self.marks[mark] = self.at

    def phase(self, first, last):
        return self.marks[last] - self.marks[first]


def record(seq, wall_us=None, **more):
    """The transaction of this number, which begins at wall_us."""
    chance = random.Random(seq)
    wall_us = int(time.time() * 1e6) if wall_us is None else wall_us
    kind = chance.choices(["exchange", "tunnel", "refused", "failed"], [70, 18, 8, 4])[0]
    made = {"exchange": exchange, "tunnel": tunnel, "refused": refused, "failed": failed}[kind](chance, seq)
    head = {"v": 1, "time": stamp(wall_us), "base_ns": (wall_us - 1_700_000_000_000_000) * 1000, "id": f"{0x1000000000000 + seq:016x}",
            "worker": seq // 40 % 2, "client": f"{chance.choice(CLIENTS)}:{40000 + seq % 20000}", "listener": "10.20.0.1:3128", "http": "1.1"}
    user = chance.choice(USERS)
    if user:
        head["user"] = user
    return {**head, **made, "seq": seq, **more}


def opening(walk, chance, is_slow):
    """dns and connect; and what the record says of them."""
    walk.go("u_dns0", 20)
    walk.go("u_dns1", 28_000 if is_slow else 3_000)
    walk.go("u_syn0", 15)
    begin = walk.at
    walk.go("u_syn1", 12_000)
    return {"dns": walk.phase("u_dns0", "u_dns1"), "connect": walk.phase("u_syn0", "u_syn1")}, begin


def choose_host(chance):
    chance.random()  # the first one chose the kind
    return chance.choice(HOSTS)


def pooled(seq, host):
    """Number of the connection to this host, and how many requests it has carried: a new one every 40 transactions."""
    block = seq // 40
    earlier = range(block * 40, seq)
    use = 1 + sum(choose_host(random.Random(other)) == host for other in earlier)
    return {"id": 100 + 10 * block + HOSTS.index(host), "use": use}


def exchange(chance, seq):
    host, port, path = target = choose_host(random.Random(seq))
    url = f"http://{host}{'' if port == 80 else f':{port}'}{path.format(n=seq % 40)}"
    upstream = pooled(seq, target)
    use = upstream["use"]
    walk, is_slow = Walk(chance), chance.random() < 0.15
    walk.go("c_head", 40)
    walk.go("p_policy", 12)
    walk.go("p_slot", 30)
    phases = {"receive": walk.phase("c_first", "c_head"), "blocked": walk.phase("c_head", "p_slot")}
    attempts = []
    if use == 1:
        got, begin = opening(walk, chance, is_slow)
        phases.update(got)
        attempts = [{"peer": f"198.51.100.{1 + seq % 9}:{port}", "begin_us": begin, "end_us": walk.at, "result": "connected"}]
    else:
        upstream.update(age_us=2_000_000 * use, paid_dns_us=3_100, paid_connect_us=12_400)
    for mark, us in (("u_tx0", 20), ("u_txh", 10), ("u_tx1", 60), ("u_rx0", 90_000 if is_slow else 16_000), ("u_rxh", 60), ("d_tx0", 40),
                     ("u_rx1", chance.choice([300, 2_000, 22_000])), ("d_tx1", 300), ("x_end", 40)):
        walk.go(mark, us)
    phases.update(send=walk.phase("u_tx0", "u_tx1"), wait=walk.phase("u_tx1", "u_rx0"), load=walk.phase("u_rx0", "u_rx1"),
                  deliver=walk.phase("u_rx1", "d_tx1"), close=walk.phase("d_tx1", "x_end"), total=walk.at)
    size = chance.choice([480, 2_300, 18_700, 260_000, 4_100_000])
    status = chance.choices([200, 304, 404, 503], [84, 9, 5, 2])[0]
    return {"kind": "exchange", "method": chance.choices(["GET", "POST", "HEAD"], [88, 9, 3])[0], "url": url, "host": host, "status": status,
            "upstream_status": status, "upstream_http": "1.1", "end": "done", "upstream": f"198.51.100.{1 + seq % 9}:{port}",
            "source": "10.20.0.1:51220", "client_conn": {"id": 7 + seq % 5, "use": 1 + seq % 6}, "upstream_conn": upstream,
            **({"dns": {"source": "query", "answers": 2}} if use == 1 else {}), "user_agent": "curl/8.5.0",
            **({"verdict": {"slow": "origin", "shares_us": {"client": 2_000, "proxy": 300, "upstream_network": 11_000, "origin": walk.at - 13_300}}}
               if walk.at > 100_000 else {}),
            "bytes": {"client_in": 180, "client_out": size + 250, "upstream_out": 210, "upstream_in": size + 240, "request_body": 0,
                      "response_body": size}, "phases_us": phases, "marks_us": walk.marks, "attempts": attempts}


def tunnel(chance, seq, is_open=False):
    authority = chance.choice(TUNNELS)
    walk = Walk(chance)
    walk.go("c_head", 40)
    walk.go("p_policy", 12)
    walk.go("p_slot", 10)
    phases = {"receive": walk.phase("c_first", "c_head"), "blocked": walk.phase("c_head", "p_slot")}
    got, begin = opening(walk, chance, chance.random() < 0.1)
    phases.update(got)
    end = walk.at
    for mark, us in (("d_tx0", 10), ("t_open", 40), ("t_up", 900), ("t_ch", 30), ("t_down", 13_000), ("t_sh", 20), ("t_hs", 2_000), ("t_req", 300),
                     ("t_rsp", 24_000), ("t_last", chance.choice([30_000, 80_000, 400_000]))):
        walk.go(mark, us)
    phases.update(inside_hello=walk.phase("t_ch", "t_sh"), inside_tls=walk.phase("t_ch", "t_hs"), inside_wait=walk.phase("t_req", "t_rsp"))
    if not is_open:
        walk.go("x_end", 300)
        phases.update(tunnel=walk.phase("t_open", "x_end"), close=walk.phase("t_last", "x_end"), total=walk.at)
    up, down = chance.randrange(900, 9_000), chance.randrange(4_000, 900_000)
    return {"kind": "tunnel", "method": "CONNECT", "url": authority, "host": authority.rpartition(":")[0], "status": 200,
            **({"in_progress": True} if is_open else {"end": "done"}), "upstream": "203.0.113.7:443", "source": "10.20.0.1:51777",
            "sni": authority.rpartition(":")[0], "inside": {"version": "1.3", "cipher": "0x1301", "alpn": ["h2", "http/1.1"], "turns": 3,
                                                            "confidence": {"client_hello": "passive", "answer": "passive", "handshake": "passive", "request": "estimated",
                                                                           "response": "estimated"}},
            "client_conn": {"id": 1000 + seq, "use": 1}, "upstream_conn": {"id": 5000 + seq, "use": 1}, "dns": {"source": "cache", "answers": 1},
            "bytes": {"client_in": up + 120, "client_out": down + 39, "upstream_out": up, "upstream_in": down, "request_body": up,
                      "response_body": down}, "phases_us": phases, "marks_us": walk.marks,
            "attempts": [{"peer": "203.0.113.7:443", "begin_us": begin, "end_us": end, "result": "connected"}]}


def refused(chance, seq):
    walk = Walk(chance)
    for mark, us in (("c_head", 40), ("p_policy", 20), ("d_tx0", 30), ("d_tx1", 20), ("x_end", 20)):
        walk.go(mark, us)
    host, rule, remedy = chance.choice([("169.254.169.254", "default-deny 169.254.0.0/16 link-local", ""),
                                        ("10.0.0.5", "default-deny 10.0.0.0/8 private", "--allow 10.0.0.0/8"),
                                        ("tracker.example.biz", "rule no trackers", "policy.rules")])
    return {"kind": "local", "method": "GET", "url": f"http://{host}/latest/meta-data/", "host": host, "status": 403, "end": "refused",
            "rule": rule, **({"remedy": remedy} if remedy else {}), "cause": "address_refused", "error": "destination_ip_prohibited",
            "detail": "the address may not be dialled", "client_conn": {"id": 3, "use": 1},
            "bytes": {"client_in": 150, "client_out": 480, "upstream_out": 0, "upstream_in": 0, "request_body": 0, "response_body": 210},
            "phases_us": {"receive": walk.phase("c_first", "c_head"), "close": walk.phase("d_tx1", "x_end"), "total": walk.at},
            "marks_us": walk.marks}


def failed(chance, seq):
    walk = Walk(chance)
    walk.go("c_head", 40)
    walk.go("p_policy", 12)
    walk.go("p_slot", 30)
    got, begin = opening(walk, chance, True)
    end = walk.at
    for mark, us in (("d_tx0", 30), ("d_tx1", 20), ("x_end", 20)):
        walk.go(mark, us)
    return {"kind": "local", "method": "GET", "url": "http://down.example.org/status", "host": "down.example.org", "status": 502,
            "end": "error", "cause": "connect_refused", "error": "connection_refused", "detail": "every address refused the connection",
            "client_conn": {"id": 4, "use": 2}, "dns": {"source": "query", "answers": 2},
            "bytes": {"client_in": 150, "client_out": 480, "upstream_out": 0, "upstream_in": 0, "request_body": 0, "response_body": 210},
            "phases_us": {"receive": walk.phase("c_first", "c_head"), "dns": got["dns"], "total": walk.at}, "marks_us": walk.marks,
            "attempts": [{"peer": "198.51.100.77:80", "begin_us": begin, "end_us": end, "result": "failed", "error": "ECONNREFUSED"},
                         {"peer": "[2001:db8::77]:80", "result": "refused"}]}


def open_tunnel(seq, wall_us):
    """The same, in progress."""
    made = record(seq, wall_us)
    for name in ("rule", "remedy", "cause", "error", "detail", "verdict", "end", "attempts"):
        made.pop(name, None)
    return {**made, **tunnel(random.Random(seq), seq, is_open=True)}


PHASE_NOW = {"dns": "u_dns0", "connect": "u_syn0", "send": "u_tx0", "wait": "u_tx1", "load": "u_rx0"}


def in_flight(seq, wall_us, phase, **more):
    """A request that began at wall_us, has come so far, and is in this phase until now."""
    made = record(seq, wall_us)
    made.update(exchange(random.Random(seq), seq))
    marks = made["marks_us"]
    begin = marks.setdefault(PHASE_NOW[phase], marks["p_slot"] + 20)
    marks = {mark: at for mark, at in marks.items() if at <= begin}
    now_us = max(begin, int(time.time() * 1e6) - wall_us)
    phases = {word: made["phases_us"][word] for word in list(made["phases_us"])[:list(made["phases_us"]).index(phase)]} \
        if phase in made["phases_us"] else {word: made["phases_us"][word] for word in ("receive", "blocked")}
    for name in ("end", "verdict", "seq", "attempts", "rule", "remedy", "cause", "error", "detail"):
        made.pop(name, None)
    if phase != "load":
        for name in ("status", "upstream_status", "upstream_http"):
            made.pop(name, None)
        made["bytes"].update(client_out=0, upstream_in=0, response_body=0)
    if phase in ("dns", "connect"):
        for name in ("upstream", "source", "upstream_conn"):
            made.pop(name, None)
    if phase == "connect":
        made["attempts"] = [{"peer": "198.51.100.9:8080", "begin_us": marks["u_syn0"], "result": "trying"}]
    slow = {"dns": "dns", "connect": "upstream_network", "send": "client", "wait": "origin", "load": "origin"}[phase]
    return {**made, "in_progress": True, "phase": phase, "now_us": now_us, "phases_us": phases, "marks_us": marks,
            "verdict": {"slow": slow, "shares_us": {slow: now_us}}, **more}


def overview(now_ms, seed=1):
    """Figures of a day, with a morning and an hour in which an origin was slow."""
    chance = random.Random(seed)

    def point(t_ms, step_s, number):
        wave = 0.55 + 0.45 * ((number % 480) / 480 if number % 960 < 480 else 1 - (number % 480) / 480)
        requests = int(step_s * (9 + 22 * wave + 4 * chance.random()))
        is_slow = 60 <= number % 1440 <= 130
        phases = {}
        for word, us in (("dns", 2_400), ("connect", 11_000), ("tls", 19_000), ("wait", 60_000 if is_slow else 15_000), ("load", 4_000),
                         ("total", 95_000 if is_slow else 38_000)):
            base = us * (0.85 + 0.3 * chance.random())
            phases[word] = {"count": requests, "p50_us": int(base), "p90_us": int(base * 2.2), "p99_us": int(base * 4 * (0.8 + 0.4 * chance.random()))}
        slow = {side: int(requests * part * (0.6 + 0.8 * chance.random())) for side, part in
                {"client": 0.012, "client_network": 0.008, "dns": 0.02, "upstream_network": 0.03, "origin": 0.19 if is_slow else 0.06}.items()}
        return {"t_ms": t_ms, "slow": {side: number for side, number in slow.items() if number}, "transactions": requests, "tunnels": int(step_s * (3 + 3 * wave)), "refused": int(requests * 0.04 * chance.random()),
                "failed": int(requests * (0.05 if is_slow else 0.01) * chance.random()), "client_in": requests * 900,
                "client_out": int(requests * 41_000 * (0.8 + 0.4 * chance.random())), "opened": int(requests * 0.3),
                "reused": int(requests * 0.7),
                "saved_us": requests * 9_000, "phases": phases}

    return {"v": 1, "now_ms": now_ms, "step_s": 60,
            "minutes": [point(now_ms - 60_000 * (1440 - i), 60, i) for i in range(1440)],
            "seconds": [point(now_ms - 1_000 * (120 - i), 1, i // 2 + 200) for i in range(120)],
            "causes": [{"cause": cause, "count": count} for cause, count in
                       [("connect_timeout", 412), ("connect_refused", 263), ("dns_nxdomain", 118), ("response_head_timeout", 41), ("client_gone", 17)]],
            "rules": [{"rule": rule, "count": count} for rule, count in
                      [("default-deny 169.254.0.0/16 link-local", 871), ("rule no trackers", 402), ("default-deny 10.0.0.0/8 private", 90)]],
            "destinations": [{"host": host, "transactions": requests, "failed": failed, "p50_us": p50, "p90_us": p90, "slow_phase": phase,
                              "slow_p90_us": slow, "since_ms": now_ms - 60_000 * minutes,
                              "phases": {word: {"count": requests, "p50_us": us // 3, "p90_us": us} for word, us in
                                         {"dns": 4_100, "connect": 18_000, "wait": 37_000, "load": 9_000, phase: slow}.items()}} for host, requests, failed, p50, p90, phase, slow, minutes in
                             [("api.example.com", 18_233, 371, 84_000, 412_000, "wait", 391_000, 74), ("registry.npmjs.org", 9_120, 12, 31_000, 166_000, "load", 120_000, 310),
                              ("mirror.internal.test", 4_410, 0, 22_000, 93_000, "dns", 71_000, 12), ("deb.debian.org", 31_877, 4, 19_000, 48_000, "connect", 119_000, 1300),
                              ("cdn.example.net", 22_010, 9, 12_000, 31_000, "wait", 18_000, 1300)]],
            "pool": {"reused": 61_200, "opened": 24_400, "saved_us": 1_834_000_000},
            "workers": [{"worker": 0, "connections": 212, "tunnels": 71, "busy_share": 0.31}, {"worker": 1, "connections": 198, "tunnels": 66, "busy_share": 0.27}]}
