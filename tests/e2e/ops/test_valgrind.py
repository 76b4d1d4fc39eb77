"""Memory at exit: what was taken was given back."""
import shutil
import signal
from pathlib import Path

import pytest

from support.bounds import SLOW
from support.message import ok, request
from support.origin import echoes, replies_forever
from support.proxy import NO_SANDBOX, default_flags

PATIENCE = 60.0 * SLOW  # an emulated processor is some thirty times slower
VALGRIND = ["valgrind", "--quiet", "--vgdb=no", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
            "--errors-for-leak-kinds=definite,indirect,possible", "--error-exitcode=99"]


def is_sanitized(program):
    content = Path(program).read_bytes()
    return any(mark in content for mark in (b"__asan_init", b"__tsan_init", b"__ubsan_handle"))


@pytest.fixture
def proxy(stage, certs, program):
    """The binary under valgrind, with a listener in clear and one over TLS; patient at its start and end."""
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    if is_sanitized(program):
        pytest.skip("a sanitizer watches the memory of this build itself")
    (stage.folder / "log").mkdir(mode=0o777)
    (stage.folder / "log").chmod(0o777)
    flags = [*default_flags(stage.folder / "log", stage.dns.address), "--listen", "127.0.0.1:0",
             "--listen-tls", "127.0.0.1:0", "--tls-cert", certs.server, "--tls-key", certs.server_key,
             "--upstream-ca", certs.ca]
    proxy = stage.run(*flags, command=VALGRIND, sandbox=NO_SANDBOX)
    proxy.wait_line(r"admin on ", bound=PATIENCE)
    proxy.changed.wait(lambda: len([line for line in proxy.lines if "listening on " in line]) >= 2,
                       "both listeners", PATIENCE)
    proxy.learn_addresses()
    return proxy


def test_no_memory_is_lost_at_the_end(proxy, stage, dns, certs):
    """After requests, a tunnel, TLS on both sides and a failure, SIGTERM leaves nothing lost and no bad access."""
    dns.add("origin.test", a=["127.0.0.1"])
    origin = stage.origin(replies_forever(ok(b"plain")))
    secure = stage.origin(replies_forever(ok(b"secure")), tls=True)
    mirror = stage.origin(echoes)
    with proxy.connect() as client:
        for _ in range(3):
            assert client.ask(request("GET", f"http://origin.test:{origin.port}/")).body == b"plain"
        assert client.ask(request("GET", f"https://origin.test:{secure.port}/")).body == b"secure"
        assert client.ask(request("GET", "http://absent.test/")).status == 502
    with proxy.connect() as client:
        client.send(request("CONNECT", mirror.authority))
        assert client.read_head().status == 200
        client.send(b"ping")
        assert client.read(4) == b"ping"
        client.half_close()
        client.expect_end("fin")
    with proxy.connect(tls=certs.client_context()) as client:
        assert client.ask(request("GET", origin.url + "/")).body == b"plain"
    with proxy.connect() as client:  # one that is still there at the end
        assert client.ask(request("GET", origin.url + "/")).body == b"plain"
        proxy.signal(signal.SIGTERM)
        code = proxy.wait_exit(bound=PATIENCE)
    assert code == 0, f"exit code {code}:\n{proxy.stderr}"
    assert not [line for line in proxy.lines if line.startswith("==")], proxy.stderr
