"""Handshake messages in the middle of a TLS 1.3 connection (RFC 8446 §4.6.3), which may come in parts (§5.1)."""
import ssl

import pytest

from support.origin import echoes
from support.wire import connect

aead = pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead",
                           reason="cryptography is not here: install Debian's python3-cryptography, or run "
                                  "./dev test --all")
HANDSHAKE, DATA = 22, 23


class Records:
    """A client that writes its TLS 1.3 records itself, under the keys that the library agreed on."""

    def __init__(self, wire, context, keylog):
        self.wire = wire
        context.keylog_filename = str(keylog)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.until(self.tls.do_handshake)
        self.wire.send(self.outgoing.read())
        secret = next(line.split()[2] for line in keylog.read_text().splitlines()
                      if line.startswith("CLIENT_TRAFFIC_SECRET_0"))
        self._derive(bytes.fromhex(secret), self.tls.cipher()[0])
        self.sequence = 0

    def _derive(self, secret, cipher):
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
        is_large = "AES_256" in cipher

        def expand(label, length):
            info = length.to_bytes(2, "big") + bytes([len(label) + 6]) + b"tls13 " + label + b"\0"
            return HKDFExpand(hashes.SHA384() if is_large else hashes.SHA256(), length, info).derive(secret)

        kind = aead.ChaCha20Poly1305 if "CHACHA20" in cipher else aead.AESGCM
        self.key = kind(expand(b"key", 16 if "AES_128" in cipher else 32))
        self.nonce = expand(b"iv", 12)

    def until(self, call):
        """Feed what comes until the call has enough."""
        while True:
            try:
                return call()
            except ssl.SSLWantReadError:
                self.wire.send(self.outgoing.read())
                self.wire.fill()
                self.incoming.write(self.wire.take(len(self.wire.buffer)))

    def record(self, kind, data):
        plain = data + bytes([kind])
        head = b"\x17\x03\x03" + (len(plain) + 16).to_bytes(2, "big")
        nonce = bytes(a ^ b for a, b in zip(self.nonce, self.sequence.to_bytes(12, "big")))
        self.sequence += 1
        return head + self.key.encrypt(nonce, plain, head)

    def say(self, data):
        self.wire.send(self.record(DATA, data))

    def hear(self, count):
        heard = b""
        while len(heard) < count:
            heard += self.until(lambda: self.tls.read(65536))
        return heard


def test_a_key_update_in_parts_holds_nobody_up(stage, certs, tmp_path):
    """Until the rest has come nothing can be sent to that client; the worker goes on with the others, and the client
    itself once the rest is there."""
    proxy = stage.proxy("--workers", "1", tls=True)
    origin = stage.origin(echoes)
    client = Records(stage.client(connect(proxy.tls_address)), certs.client_context(), tmp_path / "keys")
    client.say(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a:1\r\n\r\n" % origin.port)
    assert client.hear(1).startswith(b"HTTP/1.1 200")
    client.wire.send(client.record(DATA, b"hello") + client.record(HANDSHAKE, b"\x18\0\0\1"))
    with proxy.connect() as other:  # its answer comes though the first echo cannot go out
        other.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert other.read_response().status == 200
    client.wire.send(client.record(HANDSHAKE, b"\0"))
    assert client.hear(5).endswith(b"hello")
