"""Client certificates are judged with each request of a connection, and not by its handshake alone."""
import os
import shutil
import ssl

import pytest

from support import users
from support.bounds import SLOW, wait_until
from support.message import ok, request
from support.ops import Config, both, reload
from support.origin import replies_forever
from support.users import basic

PEOPLE = [{"identity": {"certificate": "cn"}}, {}]


@pytest.fixture
def origin(stage):
    return stage.origin(replies_forever(ok(b"hello")))


def listener(certs, ca, **more):
    return {"address": "127.0.0.1:0", "tls": {"certificate": str(certs.server), "key": str(certs.server_key),
                                              "client_ca": str(ca), **more}}


def context_of(certs, certificate, key, versions=None):
    context = certs.client_context(versions=versions)
    context.load_cert_chain(certificate, key)
    return context


def status(client, origin, *fields):
    return client.ask(request("GET", origin.url + "/", *fields)).status


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls12", "tls13"])
@pytest.mark.parametrize("settings", PEOPLE, ids=["user", "rules-only"])
def test_a_certificate_that_expires_counts_no_longer(stage, certs, origin, settings, version):
    """On a connection that is kept, requests pass until its certificate is over; then 403, and the connection ends."""
    name = f"brief-{version}-{len(settings)}"
    pair = certs.issue_for(name, "DNS:brief.test", "clientAuth", 5 * SLOW)
    config = Config(stage)
    config.write(listener(certs, certs.ca), **settings)
    proxy = config.start()
    proxy.learn_addresses()
    with proxy.connect(tls=context_of(certs, *pair, versions=(version, version))) as client:
        assert status(client, origin) == 200
        wait_until(lambda: status(client, origin) == 403, "the certificate to expire", bound=30 * SLOW, step=0.05)
        assert client.read_to_end() == b""
    record = proxy.record(lambda found: found.status == 403)
    assert (record.cause, record.end, record.get("user")) == ("auth_expired", "refused", None)
    assert record.rule == "tls.client_ca: the certificate has expired"


@both
def test_other_authorities_end_what_the_old_ones_vouched_for(stage, certs, origin, as_root):
    """A reload that changes client_ca: a kept connection must show its certificate again. One that changes something else
    leaves it alone, and so it does a connection that showed none."""
    config = Config(stage)
    ca = config.folder / "clients.pem"
    shutil.copy(certs.ca, ca), os.chmod(ca, 0o644)
    other, _ = certs.self_sign(f"other-authority-{as_root}", "DNS:other.test")
    config.write(listener(certs, ca))
    proxy = config.start(as_root=as_root)
    proxy.learn_addresses()
    with proxy.connect(tls=certs.client_context(True)) as client, proxy.connect(tls=certs.client_context()) as nobody:
        assert (status(client, origin), status(nobody, origin)) == (200, 200)
        config.write(listener(certs, ca), limits={"pool_per_origin": 3})
        reload(proxy)
        assert (status(client, origin), status(nobody, origin)) == (200, 200)
        ca.write_bytes(other.read_bytes())
        reload(proxy)
        assert (status(client, origin), status(nobody, origin)) == (403, 200)
        assert client.read_to_end() == b""
    assert proxy.record(lambda found: found.status == 403).rule == "tls.client_ca: the authorities are others now"


def test_an_expired_certificate_is_not_made_up_for(stage, certs, origin):
    """Good credentials beside it do not help: the connection is somebody's whose authority has ended."""

    path = users.write(stage.folder, f"alice:{users.SHA256}\n")
    pair = certs.issue_for("brief-alice", "DNS:brief.test", "clientAuth", 5 * SLOW)
    config = Config(stage)
    config.write(listener(certs, certs.ca), identity={"basic": {"users": str(path)}})
    proxy = config.start()
    proxy.learn_addresses()
    with proxy.connect(tls=context_of(certs, *pair)) as client:
        assert status(client, origin, basic()) == 200
        wait_until(lambda: status(client, origin, basic()) == 403, "the certificate to expire", bound=30 * SLOW, step=0.05)
