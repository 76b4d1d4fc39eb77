"""Who is refused when memory is short: the reserve for hashes makes it so at a moment of the play's choice."""
import subprocess

import pytest

from support import users
from support.admin import metric
from support.bounds import wait_until
from support.message import ok, request
from support.ops import reload
from support.proxy import has_sanitizer
from support.users import basic


@pytest.mark.without_faults
def test_what_runs_ends_and_newcomers_are_refused(stage, program):
    """The exchange that runs is answered; a tunnel after it is 503 and says why; a new connection is closed at once."""
    if has_sanitizer(program):
        pytest.skip("a sanitizer has the heap of this build")

    def slow(conn):
        conn.read_request()
        wait_until(lambda: is_short, "memory to be short")
        conn.send(ok(b"hello"))
    is_short = []
    cheap = f"alice:{users.SHA256}\n"
    path = stage.folder / "memory.yaml"
    path.write_text("limits: { memory: 32MiB }\n")
    path.chmod(0o644)
    origin = stage.origin(slow)
    proxy = stage.proxy("-c", path, "--users", users.write(stage.folder, cheap))
    client = stage.client(proxy.connect())
    client.send(request("GET", origin.url + "/", basic()) +
                request("CONNECT", origin.authority, basic(), "Accept: application/json"))
    origin.wait_requests(1)
    dear = subprocess.run([program, "hash-password", "--user", "bob"], input="secret\n", capture_output=True, text=True,
                          check=True).stdout
    users.write(stage.folder, cheap + dear)  # two hashes at once would take 32 MiB
    reload(proxy)
    wait_until(lambda: refused(proxy), "newcomers to be refused")
    is_short.append(True)
    assert client.read_response().body == b"hello"
    answer = client.read_response()
    assert answer.status == 503 and "limits.memory" in answer.reason and answer.get("Retry-After")
    assert metric(proxy, "memory_refusals_total") >= 2
    record = proxy.record(lambda r: r.status == 503)
    assert (record.cause, record.rule) == ("memory", "limits.memory")
    users.write(stage.folder, cheap)
    reload(proxy)
    wait_until(lambda: not refused(proxy), "newcomers to be let in")


def refused(proxy):
    """Is a new connection closed at once?"""
    with proxy.connect() as client:
        try:
            return not client.ask(request("GET", "/"))
        except (AssertionError, OSError):
            return True
