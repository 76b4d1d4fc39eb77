"""What a ClientHello offers (RFC 8446 §4.1.2), and a ServerHello that answers as it should not."""
import struct

SERVER_NAME, GROUPS, ALPN, EARLY_DATA, VERSIONS = 0, 10, 16, 42, 43


class Hello:
    def __init__(self, record):
        kind, _, length = struct.unpack(">BHH", record[:5])
        assert kind == 22 and len(record) == 5 + length, "one record that holds the whole of it"
        body = record[5:]
        assert body[0] == 1 and int.from_bytes(body[1:4], "big") == len(body) - 4
        self.legacy_version = body[4:6].hex()
        rest = body[6 + 32:]
        _, rest = cut(rest, 1)  # session id
        ciphers, rest = cut(rest, 2)
        self.compressions, rest = cut(rest, 1)
        self.ciphers = [f"0x{code:04x}" for code in shorts(ciphers)]
        self.extensions = dict(extensions(cut(rest, 2)[0]))

    @property
    def versions(self):
        return [f"0x{code:04x}" for code in shorts(cut(self.extensions[VERSIONS], 1)[0])]

    @property
    def alpn(self):
        names, rest = [], cut(self.extensions[ALPN], 2)[0]
        while rest:
            name, rest = cut(rest, 1)
            names.append(name.decode())
        return names


def read_hello(wire):
    """The ClientHello of a connection in clear, which the script then may refuse."""
    head = wire.read(5)
    return Hello(head + wire.read(int.from_bytes(head[3:], "big")))


def server_hello(version, cipher):
    """The record of a ServerHello of TLS 1.2 or before, with this version and this cipher: RFC 5246 §7.4.1.3."""
    renegotiation_info = b"\xff\x01\0\x01\0"  # RFC 5746 §3.6: without it no client goes on
    body = struct.pack(">H32sBHBH", version, bytes(range(32)), 0, cipher, 0, len(renegotiation_info))
    body += renegotiation_info
    return struct.pack(">BHHB", 22, version, len(body) + 4, 2) + len(body).to_bytes(3, "big") + body


def cut(data, width):
    """A vector with its length in `width` bytes, and what stands behind it."""
    end = width + int.from_bytes(data[:width], "big")
    return data[width:end], data[end:]


def shorts(data):
    return struct.unpack(f">{len(data) // 2}H", data)


def extensions(data):
    while data:
        kind = int.from_bytes(data[:2], "big")
        value, data = cut(data[2:], 2)
        yield kind, value
