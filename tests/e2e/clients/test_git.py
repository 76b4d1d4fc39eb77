"""git over HTTP: the smart protocol through git's own server program, and the dumb one over plain files."""
import subprocess

from support.git import HERMETIC, IDENTITY
from support.programs import environment, need
from support.site import pattern, sha256


def git(way, *words):
    return way.run(need("git", "git"), *IDENTITY, "-c", f"http.proxy={way.proxy_url}", "-c",
                   f"http.proxySSLCAInfo={way.ca}", "-c", f"http.sslCAInfo={way.ca}", *words, **HERMETIC)


def test_git_clones_and_pushes(way, repository):
    """A clone, a commit and a push of more than 1 MiB, which git sends chunked, through the smart protocol."""
    way.spare_gnutls()
    bare = way.site.git_root = way.proxy.folder.parent / "served"
    bare.mkdir()
    subprocess.run(["cp", "-r", repository, bare / "project.git"], check=True)
    subprocess.run(["git", "--git-dir", bare / "project.git", "config", "http.receivepack", "true"], check=True)
    url = way.url("/git/project.git")
    git(way, "clone", "--quiet", url, "copy")
    assert sha256((way.home / "copy" / "data").read_bytes()) == sha256(pattern(400_000))
    (way.home / "copy" / "more").write_bytes(pattern(1_500_000)[::-1])
    git(way, "-C", "copy", "add", "more")
    git(way, "-C", "copy", "commit", "--quiet", "--message", "second")
    git(way, "-C", "copy", "push", "--quiet", "origin", "HEAD:main")
    pushed = subprocess.run(["git", "--git-dir", bare / "project.git", "rev-parse", "main"], check=True,
                            capture_output=True, env=environment(way.home, **HERMETIC)).stdout
    assert pushed == git(way, "-C", "copy", "rev-parse", "HEAD").stdout
    found = way.proxy.records(2 if way.is_tunnel else len(way.site.seen))
    for record in found:
        way.check(record)
    assert sum(record.bytes["client_in"] for record in found) > 1_500_000


def test_git_clones_over_plain_files(way, repository):
    """The dumb protocol: many small GETs over kept connections."""
    way.spare_gnutls()
    way.site.folder = repository.parent
    git(way, "clone", "--quiet", way.url("/project.git"), "copy")
    assert sha256((way.home / "copy" / "data").read_bytes()) == sha256(pattern(400_000))
    count = way.site.connections if way.is_tunnel else len(way.site.seen)
    found = way.proxy.records(count)
    for record in found:
        way.check(record)
    assert way.site.connections < len(way.site.seen)
    if not way.is_tunnel:
        assert any(record.client_conn["use"] > 1 and record.upstream_conn["use"] > 1 and
                   "connect" not in record.phases for record in found)
