"""apt with a repository made here, in a root of its own: the machine's apt is neither read nor changed."""
import subprocess

import pytest

from support.programs import need
from support.site import pattern, sha256

CONTROL = """Package: fairlead-test
Version: 1.0
Architecture: all
Maintainer: Nobody <nobody@example.test>
Description: a package that only a test installs
"""


@pytest.fixture(scope="session")
def repository(session_folder):
    """A flat repository with one package."""
    archive, builder = need("apt-ftparchive", "apt-utils"), need("dpkg-deb", "dpkg")
    tree, folder = session_folder / "apt-package", session_folder / "apt-repository"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(CONTROL)
    (tree / "DEBIAN").chmod(0o755)
    (tree / "usr").mkdir()
    (tree / "usr" / "data").write_bytes(pattern(500_000))
    folder.mkdir()
    subprocess.run([builder, "--root-owner-group", "-Znone", "--build", tree, folder / "fairlead-test.deb"],
                   check=True, capture_output=True)
    for command, name in (("packages", "Packages"), ("release", "Release")):
        text = subprocess.run([archive, command, "."], cwd=folder, check=True, capture_output=True).stdout
        (folder / name).write_bytes(text)
    return folder


def apt_root(way):
    """Options that keep all of apt's state below the play's folder."""
    root = way.home / "apt"
    for name in ("etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d", "state/lists/partial",
                 "cache/archives/partial", "log"):
        (root / name).mkdir(parents=True)
    (root / "state" / "status").touch()
    (root / "etc" / "sources.list").write_text(f"deb [trusted=yes] {way.url('')} ./\n")
    options = {"Dir::Etc": root / "etc", "Dir::Etc::sourceparts": "/dev/null", "Dir::State": root / "state",
               "Dir::State::status": root / "state" / "status", "Dir::Cache": root / "cache",
               "Dir::Log": root / "log", "APT::Sandbox::User": "root", "APT::Get::List-Cleanup": "false",
               "Acquire::http::Proxy": way.proxy_url, "Acquire::https::Proxy": way.proxy_url,
               "Acquire::https::CaInfo": way.ca, "Acquire::http::CaInfo": way.ca,
               "Acquire::Languages": "none", "APT::Architecture": "amd64", "Acquire::http::Timeout": "10",
               # Its GnuTLS in GnuTLS may wait for what it has already (spare_gnutls): now and then also within a body.
               "Acquire::Retries": "2" if way.is_tunnel and way.door == "tls" else "0"}
    return root, [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def test_apt_updates_and_downloads(way, repository):
    """`apt-get update` and `apt-get download` get index and package whole; apt pipelines on kept connections."""
    way.site.folder = repository
    way.spare_gnutls()
    root, options = apt_root(way)
    empty = root / "etc" / "empty.conf"
    empty.touch()
    apt = need("apt-get", "apt")
    way.run(apt, *options, "-o", "Debug::NoLocking=1", "update", APT_CONFIG=str(empty))
    way.run(apt, *options, "-o", "Debug::NoLocking=1", "download", "fairlead-test", APT_CONFIG=str(empty))
    package = next(way.home.glob("fairlead-test_*.deb"))
    assert sha256(package.read_bytes()) == sha256((repository / "fairlead-test.deb").read_bytes())
    found = way.proxy.records(way.site.connections if way.is_tunnel else len(way.site.seen))
    assert all(record.cause is None and record.get("host") == "origin.test" for record in found), found
    assert all(bool(record.client_tls) == (way.door == "tls") for record in found)
    if not way.is_tunnel:
        assert any(record.client_conn["use"] > 1 for record in found)
