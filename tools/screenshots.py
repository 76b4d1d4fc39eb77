#!/usr/bin/env python3
"""Pictures of the dashboard for the documents: the page of the real program, with figures that are made up.

Usage: screenshots.py build/fairlead FOLDER"""
import collections
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e"))

from support import sample  # noqa: E402
from support.bounds import wait_until  # noqa: E402
from support.front import Front  # noqa: E402
from support.screen import Screen  # noqa: E402


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def script(front):
    now_us = int(time.time() * 1e6)
    front.overview = lambda: sample.overview(int(time.time() * 1000))
    front.har = lambda asked: {"log": {"entries": []}}
    front.tunnels = [sample.open_tunnel(9000 + i, now_us - (7 - i) * 9_000_000) for i in range(3)]
    front.requests = [lambda seq=seq, age=age, phase=phase, more=more: sample.in_flight(seq, now_us - age, phase, **more) for seq, age, phase, more in (
        (9103, 7_300_000, "wait", {}), (9107, 4_100_000, "load", {}), (9111, 1_900_000, "connect", {}))]
    front.push(*[sample.record(seq, now_us - (400 - seq) * 24_000) for seq in range(1, 399)])


def settle(screen):
    """Two frames, and what has a short transition."""
    screen.run("new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 250))")


def begin(screen, front, width=1280, height=800, scheme="light"):
    screen.width, screen.height = width, height
    screen.fresh()
    screen.run("1")
    screen.call("Emulation.setTimezoneOverride", timezoneId="UTC")
    screen.prefer(color_scheme=scheme)
    screen.open(front.url)
    screen.wait("document.querySelectorAll('.row.open').length >= 6 && !document.querySelector('#export').hidden", "the page")
    front.say("overview", sample.overview(int(time.time() * 1000))["seconds"][-1])
    screen.wait("document.querySelector('#rate').textContent !== ''")
    settle(screen)


def choose(screen, field, value):
    screen.run(f"(() => {{ const f = document.querySelector('#{field}'); f.value = '{value}'; f.dispatchEvent(new Event('change')); }})()")
    settle(screen)


def open_slow_one(screen):
    screen.run("""[...document.querySelectorAll('.body .row:not([hidden])')].filter((row) => row.offsetTop >= 0 &&
        row.querySelector('em').textContent.startsWith('slow'))[0]?.querySelector('.c-target').click()""")
    screen.wait("!document.querySelector('#detail').hidden")
    settle(screen)


def chunks(png):
    """(name, content) of each part of a PNG."""
    at = 8
    while at < len(png):
        length, name = struct.unpack_from(">I4s", png, at)
        yield name, png[at + 8:at + 8 + length]
        at += 12 + length


def unfiltered(lines, width, bytes_a_pixel):
    """The rows of a PNG without the differences in which they are kept."""
    stride, above = width * bytes_a_pixel, bytearray(width * bytes_a_pixel)
    for at in range(0, len(lines), stride + 1):
        kind, row = lines[at], bytearray(lines[at + 1:at + 1 + stride])
        for i in range(stride if kind else 0):
            left = row[i - bytes_a_pixel] if i >= bytes_a_pixel else 0
            corner = above[i - bytes_a_pixel] if i >= bytes_a_pixel else 0
            guess = left + above[i] - corner
            nearest = min((abs(guess - value), order, value) for order, value in enumerate((left, above[i], corner)))[2]
            row[i] = row[i] + (0, left, above[i], (left + above[i]) // 2, nearest)[kind] & 255
        yield bytes(row)
        above = row


def chosen(often):
    """256 colours: of each region of all that there are the one that is most often seen, then those seen most often."""
    ranked = [colour for colour, _ in often.most_common()]
    regions = {}
    for colour in ranked:
        regions.setdefault(tuple(value >> 5 for value in colour), colour)
    return list(dict.fromkeys([*list(regions.values())[:160], *ranked]))[:256]


def with_palette(png):
    """The same picture in 256 colours, which is a third of the size."""
    parts = dict(chunks(png))
    data = b"".join(content for name, content in chunks(png) if name == b"IDAT")
    width, height, _, kind = struct.unpack(">IIBB", parts[b"IHDR"][:10])
    size = {2: 3, 6: 4}[kind]
    rows = [[row[i:i + 3] for i in range(0, len(row), size)] for row in unfiltered(zlib.decompress(data), width, size)]
    often = collections.Counter(pixel for row in rows for pixel in row)
    palette = chosen(often)
    near = {colour: min(range(len(palette)), key=lambda i: sum((a - b) ** 2 for a, b in zip(palette[i], colour))) for colour in often}
    pixels = b"".join(b"\0" + bytes(near[pixel] for pixel in row) for row in rows)

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return png[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)) + chunk(b"PLTE", b"".join(palette)) + \
        chunk(b"IDAT", zlib.compress(pixels, 9)) + chunk(b"IEND", b"")


def take(screen, front, folder):
    def picture(name):
        path = folder / f"{name}.png"
        screen.picture(path)
        path.write_bytes(with_palette(path.read_bytes()))
        print(f"{path}: {path.stat().st_size // 1000} kB")

    begin(screen, front)
    picture("live-light")
    open_slow_one(screen)
    picture("detail-light")
    begin(screen, front, scheme="dark")
    picture("live-dark")
    choose(screen, "group", "upstream")
    picture("connections-dark")
    begin(screen, front, height=1010)
    screen.key("2")
    screen.wait("document.querySelectorAll('.panel td').length > 0")
    screen.run("document.querySelector('[value=day]').click()")
    settle(screen)
    picture("overview-light")
    screen.prefer(color_scheme="dark")
    settle(screen)
    picture("overview-dark")
    begin(screen, front, width=420, height=760)
    picture("narrow-light")


def main():
    binary, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with tempfile.TemporaryDirectory() as profile:
        proxy = subprocess.Popen([binary, "--listen", "127.0.0.1:0", "--admin", f"127.0.0.1:{port}", "--log-file", "off"],
                                 stderr=subprocess.DEVNULL, env={**os.environ, "TZ": "UTC"})
        try:
            wait_until(lambda: is_open(port), "the admin listener")
            front = Front(("127.0.0.1", port))
            script(front)
            screen = Screen(shutil.which("chromium"), profile)
            take(screen, front, folder)
            screen.close()
            front.close()
        finally:
            proxy.terminate()
            proxy.wait()


if __name__ == "__main__":
    main()
