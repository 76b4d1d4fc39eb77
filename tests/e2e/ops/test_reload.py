"""SIGHUP: all of the new configuration or none of it, and nobody is disturbed."""
import os
import re
import shutil
import signal
import ssl

import pytest
from support.bounds import Cue, wait_until
from support.message import request
from support.ops import (Config, answers, both, fails, free_port, get, needs_others, needs_root,
                         refuses, reload, waits_for, with_shim, works)
from support.origin import echoes
from support.proxy import NOBODY, parse_address
from support.wire import connect


def serial_of(address, certs):
    """The serial number of the certificate that a listener shows."""
    with connect(address, tls=certs.client_context()) as client:
        return client.tls.getpeercert()["serialNumber"]


@both
def test_listeners_come_and_go(stage, as_root):
    """A reload opens what is new, closes what is gone, and keeps what stays."""
    origin, config = stage.origin(answers()), Config(stage)
    first, second, third = (f"127.0.0.1:{free_port()}" for _ in range(3))
    socket_path = config.folder / "proxy.sock"
    unix = {"address": f"unix:{socket_path}", "mode": "0666"}
    proxy = config.write(first, second).start(listeners=2, as_root=as_root)
    config.write(second, third, unix)
    reload(proxy, listeners=3)
    works(parse_address(second), origin)
    works(parse_address(third), origin)
    works(str(socket_path), origin)
    refuses(parse_address(first))
    config.write(third)
    reload(proxy)
    refuses(parse_address(second))
    assert not socket_path.exists()
    works(parse_address(third), origin)


@both
def test_a_socket_file_that_was_removed_comes_back(stage, as_root):
    """A reload makes the file of a Unix listener again, a client's and the admin's, and they answer there."""
    origin, config = stage.origin(answers()), Config(stage)
    path, admin = config.folder / "proxy.sock", config.folder / "admin.sock"
    config.write({"address": f"unix:{path}", "mode": "0666"}, admin={"address": str(admin)})
    proxy = config.start(as_root=as_root)
    path.unlink(), admin.unlink()
    reload(proxy)
    works(str(path), origin)
    proxy.admin = str(admin)
    os.chmod(admin, 0o666)
    assert proxy.ask_admin("/healthz").status == 200
    proxy.stop()
    assert not path.exists() and not admin.exists()


@both
def test_a_kept_listener_loses_nobody(stage, as_root):
    """Port 0 keeps its port; connections that wait are served, before and after many reloads."""
    origin, config = stage.origin(answers()), Config(stage)
    proxy = config.write("127.0.0.1:0").start(as_root=as_root)
    for _ in range(5):
        clients = [connect(proxy.address) for _ in range(8)]
        reload(proxy)
        for client in clients:
            with client:
                assert client.ask(request("GET", origin.url + "/")).status == 200
    assert proxy.addresses == [proxy.url]


@both
def test_an_address_may_grow_and_shrink(stage, as_root):
    """Our own listener is not "in use": an address may become a wildcard on the same port, and back."""
    origin, config = stage.origin(answers()), Config(stage)
    port = free_port()
    proxy = config.write(f"127.0.0.1:{port}").start(as_root=as_root)
    config.write(f"0.0.0.0:{port}", clients={"allow": ["127.0.0.0/8"]})
    reload(proxy)
    works(("127.0.0.2", port), origin, source="127.0.0.1")
    config.write(f"127.0.0.1:{port}")
    reload(proxy)
    works(("127.0.0.1", port), origin)
    refuses(("127.0.0.2", port))


@both
def test_a_bad_file_keeps_the_old_configuration(stage, as_root):
    """A wrong file is named with its line, and the old configuration goes on, whole."""
    origin, config = stage.origin(answers()), Config(stage)
    proxy = config.write("127.0.0.1:0").start(as_root=as_root)
    config.path.write_text("listen: 127.0.0.1:0\nworker: 3\n")
    fails(proxy, r"Z error: \S+/fairlead\.yaml:2:1: worker: unknown key; did you mean \"workers\"\?")
    works(proxy.address, origin)
    config.path.unlink()
    fails(proxy, "Z error: --config: .*No such file or directory")
    works(proxy.address, origin)
    config.write("127.0.0.1:0")
    reload(proxy)
    works(proxy.address, origin)


@both
def test_an_address_in_use_keeps_the_old_configuration(stage, as_root):
    """Where one of the addresses is taken, none of the others changes."""
    origin, config = stage.origin(answers()), Config(stage)
    other = stage.proxy()
    first, added = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    socket_path = config.folder / "proxy.sock"
    proxy = config.write(first).start(as_root=as_root)
    config.write(added, f"unix:{socket_path}", "%s:%d" % other.address)
    fails(proxy, "cannot listen on http://%s:%d: address in use" % other.address)
    works(parse_address(first), origin)
    refuses(parse_address(added))
    assert not socket_path.exists()


@both
def test_certificates_are_read_again(stage, certs, as_root):
    """After a reload new connections see the new certificate; one that is open keeps its own."""
    origin, config = stage.origin(answers()), Config(stage)
    new, new_key = certs.issue("renewed", "DNS:localhost,IP:127.0.0.1", "serverAuth")
    pem, key = config.folder / "cert.pem", config.folder / "key.pem"
    shutil.copy(certs.server, pem), shutil.copy(certs.server_key, key)
    os.chmod(key, 0o644), os.chmod(pem, 0o644)
    proxy = config.write(config.tls(pem, key)).start(as_root=as_root)
    before = serial_of(proxy.tls_address, certs)
    with proxy.connect(tls=certs.client_context()) as client:
        assert client.ask(request("GET", origin.url + "/")).status == 200
        pem.write_bytes(new.read_bytes()), key.write_bytes(new_key.read_bytes())
        reload(proxy)
        assert serial_of(proxy.tls_address, certs) != before
        assert client.ask(request("GET", origin.url + "/")).status == 200
        assert client.tls.getpeercert()["serialNumber"] == before


@both
def test_a_bad_certificate_keeps_the_old_one(stage, certs, as_root):
    """A key that is another certificate's fails the reload: what was added does not listen."""
    config = Config(stage)
    pem, key = config.folder / "cert.pem", config.folder / "key.pem"
    shutil.copy(certs.server, pem), shutil.copy(certs.server_key, key)
    os.chmod(key, 0o644)
    proxy = config.write(config.tls(pem, key)).start(as_root=as_root)
    before = serial_of(proxy.tls_address, certs)
    added = f"127.0.0.1:{free_port()}"
    socket_path = config.folder / "proxy.sock"
    key.write_bytes(certs.other_key.read_bytes())
    config.write(config.tls(pem, key), added, f"unix:{socket_path}")
    fails(proxy, r"key\.pem: the private key does not match")
    assert serial_of(proxy.tls_address, certs) == before
    refuses(parse_address(added))
    assert not socket_path.exists()


@both
def test_an_expired_certificate_keeps_nothing_else_from_a_reload(stage, certs, shim, as_root):
    """One that is served now goes on with a warning, and all else changes; one that is new must be good today, as
    at a start."""
    config, later = Config(stage), stage.folder / "later"
    environment = with_shim(shim, FAIRLEAD_TEST_CLOCK=str(later))
    added = f"127.0.0.1:{free_port()}"
    proxy = config.write(config.tls(certs.server, certs.server_key)).start(as_root=as_root, environment=environment)
    later.write_text(str(60 * 24 * 3600))
    config.write(config.tls(certs.server, certs.server_key), added)
    lines = reload(proxy, listeners=2)
    words = rf"warning: .*listen\[0\]\.tls\.certificate: {certs.server}: the certificate has expired on .*; it is served on"
    assert any(re.search(words, line) for line in lines), lines
    works(parse_address(added), stage.origin(answers()))
    config.write(config.tls(certs.other, certs.other_key))
    fails(proxy, f"{certs.other}: the certificate has expired on")
    works(parse_address(added), stage.origin(answers()))
    config.write(config.tls(certs.server, certs.server_key))
    for command, code in (("run", 1), ("check", 2)):
        ended = stage.run(command, "-c", config.path, environment=environment, as_root=as_root)
        assert ended.wait_exit() == code and f"{certs.server}: the certificate has expired on" in ended.stderr


@needs_root
def test_a_key_that_only_root_can_read(stage, certs):
    """Start and reload read keys with root's privileges, and the process that serves has none."""
    config = Config(stage)
    secret = config.folder / "secret"
    secret.mkdir(mode=0o700)
    pem, key = secret / "cert.pem", secret / "key.pem"
    shutil.copy(certs.server, pem), shutil.copy(certs.server_key, key)
    os.chmod(key, 0o600)
    proxy = config.write(config.tls(pem, key)).start(as_root=True)
    before = serial_of(proxy.tls_address, certs)
    new, new_key = certs.issue("renewed-by-root", "DNS:localhost", "serverAuth")
    pem.write_bytes(new.read_bytes()), key.write_bytes(new_key.read_bytes())
    reload(proxy)
    assert serial_of(proxy.tls_address, certs) != before


@needs_root
def test_a_low_port_after_a_reload(stage):
    """A reload binds a port below 1024 although nobody serves."""
    config = Config(stage)
    proxy = config.write("127.0.0.1:0").start(as_root=True)
    low = f"127.0.0.1:{free_port(low=True)}"
    config.write("127.0.0.1:0", low)
    reload(proxy, listeners=2)
    works(parse_address(low), stage.origin(answers()))


@needs_others
def test_a_reload_beyond_our_privileges_fails_whole(stage, certs):
    """Started by a user: a key of root's fails the reload with the reason, and nothing of it happens."""
    origin, config = stage.origin(answers()), Config(stage)
    key = config.folder / "key.pem"
    shutil.copy(certs.server_key, key)
    os.chown(key, 0, 0), os.chmod(key, 0o600)
    first, added = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    proxy = config.write(first).start()
    config.write(added, config.tls(certs.server, key))
    fails(proxy, r"key\.pem: Permission denied")
    works(parse_address(first), origin)
    refuses(parse_address(added))


@needs_root
def test_root_does_not_read_through_a_strangers_link(stage, certs):
    """The owner of a directory cannot make root read somebody else's file by a symbolic link; root can."""
    config = Config(stage)
    secret, link = stage.folder / "secret.key", config.folder / "linked.key"
    shutil.copy(certs.server_key, secret)
    os.chmod(secret, 0o600)
    link.symlink_to(secret)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    proxy = config.write("127.0.0.1:0").start(as_root=True)
    config.write(config.tls(certs.server, link))
    fails(proxy, "linked.key: root does not follow another user's symbolic link")
    os.chown(link, 0, 0, follow_symlinks=False)
    reload(proxy)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    os.chown(secret, NOBODY, NOBODY)
    reload(proxy)


@both
def test_an_exchange_survives_a_reload(stage, as_root):
    """An exchange that runs finishes under the old configuration, also when its listener is gone."""
    cue, config = Cue(), Config(stage)
    origin = stage.origin(waits_for(cue))
    proxy = config.write(f"127.0.0.1:{free_port()}").start(as_root=as_root)
    with connect(proxy.address) as client:
        client.send(request("GET", origin.url + "/"))
        origin.wait_requests(1)
        config.write(f"127.0.0.1:{free_port()}")
        reload(proxy)
        cue.give()
        assert client.read_response().body == b"late"


@both
def test_a_tunnel_survives_reloads(stage, as_root):
    """A tunnel goes on, also when the new configuration would refuse it; new ones are refused."""
    origin, config = stage.origin(echoes), Config(stage)
    proxy = config.write("127.0.0.1:0").start(as_root=as_root)
    with connect(proxy.address) as client:
        client.send(request("CONNECT", origin.authority))
        assert client.read_head().status == 200
        config.write("127.0.0.1:0", egress={"allow": ["127.0.0.0/8"], "connect_ports": [443]})
        reload(proxy)
        client.send(b"still here")
        assert client.read(10) == b"still here"
        with connect(proxy.address) as other:
            assert other.ask(request("CONNECT", origin.authority)).status == 403
        client.half_close()
        client.expect_end("fin")


@both
def test_the_log_changes_on_reload(stage, as_root):
    """File and format of the log are those of the new configuration."""
    origin, config = stage.origin(answers()), Config(stage)
    proxy = config.write("127.0.0.1:0").start(as_root=as_root)
    get(proxy.address, origin, "/one")
    assert proxy.record().url.endswith("/one")
    other = config.folder / "other.log"
    config.write("127.0.0.1:0", log={"access": {"format": "combined", "file": str(other)}})
    reload(proxy)
    get(proxy.address, origin, "/two")
    proxy.stop()
    assert len(proxy.log_lines()) == 1
    assert other.read_text().startswith("127.0.0.1 - ") and "/two" in other.read_text()


@both
def test_what_a_reload_cannot_change_is_named(stage, as_root):
    """Settings that only a start takes up are named in a warning each time, and the rest is changed."""
    origin, config = stage.origin(answers()), Config(stage)
    proxy = config.write("127.0.0.1:0").start(as_root=as_root)
    config.write("127.0.0.1:0", workers=3, run_as="daemon",
                 resolver={"servers": ["127.0.0.9"], "cache_entries": 7, "hosts_file": ""},
                 limits={"buffer_bytes": "8MiB"}, timeouts={"dns": "1s", "drain": "1s"})
    for _ in range(2):
        lines = reload(proxy)
        warned = {line.split("warning: ")[1].split(":")[0] for line in lines if "warning: " in line}
        assert warned == {"workers", "run_as", "resolver.servers",
                          "resolver.cache_entries", "resolver.hosts_file", "limits.buffer_bytes",
                          "timeouts.dns"}
    assert any("workers: 3 takes effect at the next start; until then it stays 2" in line
               for line in lines)
    works(proxy.address, origin)
    config.write("127.0.0.1:0")
    assert not any("warning" in line for line in reload(proxy))


@both
def test_the_admin_listener_moves(stage, as_root):
    """A reload moves the admin listener, switches it off, and on again."""
    config = Config(stage)
    proxy = config.write("127.0.0.1:0").start(as_root=as_root)
    before = proxy.admin
    assert proxy.ask_admin("/healthz").status == 200
    path = config.folder / "admin.sock"
    config.write("127.0.0.1:0", admin={"address": str(path)})
    reload(proxy)
    refuses(before)
    proxy.admin = str(path)
    os.chmod(path, 0o666)
    assert proxy.ask_admin("/healthz").status == 200
    config.write("127.0.0.1:0", admin={"address": "off"})
    reload(proxy, has_admin=False)
    assert not path.exists()
    config.write("127.0.0.1:0", admin={"address": "%s:%d" % before})
    reload(proxy)
    proxy.admin = before
    assert proxy.ask_admin("/healthz").status == 200


@both
def test_listeners_change_places(stage, as_root):
    """The admin listener and a client's may change places over a reload."""
    origin, config = stage.origin(answers()), Config(stage)
    one, two = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    proxy = config.write(one, admin={"address": two}).start(as_root=as_root)
    config.write(two, admin={"address": one})
    reload(proxy)
    works(parse_address(two), origin)
    proxy.admin = parse_address(one)
    assert proxy.ask_admin("/healthz").status == 200


@both
def test_many_reloads_leak_nothing(stage, as_root):
    """After many good and bad reloads both processes have the descriptors that they began with."""
    config = Config(stage)
    proxy = config.write("127.0.0.1:0").start(as_root=as_root)

    def descriptors():
        return [len(os.listdir(f"/proc/{pid}/fd")) for pid in (proxy.pid, proxy.serving_pid())]
    before = descriptors()
    for _ in range(10):
        reload(proxy)
        config.path.write_text("nonsense: 1\n")
        fails(proxy, "nonsense")
        config.write("127.0.0.1:0", f"unix:{config.folder}/nowhere/x.sock")
        fails(proxy, "No such file")
        config.write("127.0.0.1:0")
    wait_until(lambda: descriptors() == before, f"{before} descriptors again")


@needs_root
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT])
def test_signals_to_the_child_are_left_to_the_parent(stage, number):
    """A signal that a service manager sends to the whole group is acted on once: by the parent."""
    origin = stage.origin(answers())
    proxy = stage.proxy(as_root=True)
    os.kill(proxy.serving_pid(), number)
    works(proxy.address, origin)
    reload(proxy)
    works(proxy.address, origin)
    assert sum("reloaded" in line for line in proxy.lines) == 1


@both
def test_tickets_outlive_a_reload(stage, certs, as_root):
    """A TLS session that was begun before a reload is resumed after it."""
    config = Config(stage)
    proxy = config.write(config.tls(certs.server, certs.server_key)).start(as_root=as_root)
    context = certs.client_context(versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2))
    with connect(proxy.tls_address, tls=context) as client:
        session = client.tls.session
    reload(proxy)
    with connect(proxy.tls_address) as client:
        sock = context.wrap_socket(client.sock, server_hostname="localhost", session=session)
        assert sock.session_reused
        sock.close()
