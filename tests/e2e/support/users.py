"""Users files for plays: hashes that cost little, and one that costs about half a second."""
import base64
import re

# "secret", by each method that is taken, at the least cost.
SHA256 = "$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2"
SHA512 = ("$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/"
          "otop/Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/")
BCRYPT = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
YESCRYPT = "$y$j75$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA"
METHODS = {"sha256": SHA256, "sha512": SHA512, "bcrypt": BCRYPT, "yescrypt": YESCRYPT}
# "slow": so long that a play can act while it is hashed.
SLOW_HASH = "$2b$13$abcdefghijklmnopqrstuu5JUOTyyWoQ7tkBQZzdAOCFNIXtEznci"


def write(folder, text, name="users"):
    """The path of a file with this text, which everybody may read; an old one is replaced at once."""
    path, fresh = folder / name, folder / f"{name}.new"
    fresh.write_text(text)
    fresh.chmod(0o644)
    fresh.rename(path)
    return path


def basic(user="alice", password="secret"):
    return "Proxy-Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def counted(proxy, name):
    """A counter or gauge of the identity's, over all workers."""
    text = proxy.ask_admin("/metrics").body.decode()
    return int(re.search(rf"^fairlead_identity_{name} (\d+)$", text, re.MULTILINE)[1])
