"""Pages for browsers: script, style, an image, and an upload.

HTML uploads by fetch() and says in its text what became of all; LOADED has done everything when it has loaded."""
import zlib
from struct import pack

HTML = b"""<!doctype html><title>Play</title><script>loaded = [];</script><link rel="stylesheet" href="/style.css"><body>
<p id="state">waiting</p><img src="/dot.png" onload="loaded.push('image')">
<script src="/code.js"></script>
<script>
addEventListener('load', async () => {
    const answer = await fetch('/sum', {method: 'POST', body: 'x'.repeat(100000)});
    loaded.push('sum ' + await answer.text(), getComputedStyle(document.body).color);
    document.getElementById('state').textContent = loaded.sort().join(', ');
});
</script>"""


def png():
    """One red dot."""
    def part(kind, data):
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)) + \
        part(b"IDAT", zlib.compress(b"\0\xff\0\0")) + part(b"IEND", b"")


FILES = {"/style.css": b"body { color: rgb(1, 2, 3); }", "/code.js": b"loaded.push('script');", "/dot.png": png()}

LOADED = b"""<!doctype html><title>Play</title><script>loaded = [];</script><link rel="stylesheet" href="/style.css"><body>
<img src="/dot.png"><script src="/code.js"></script>
<script>
const ask = new XMLHttpRequest();
ask.open('POST', '/sum', false);
ask.send('x'.repeat(100000));
document.body.append(ask.responseText);
</script>"""
