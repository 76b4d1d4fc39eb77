import pytest


@pytest.fixture
def guarded(stage):
    """Starts proxies with the mode of egress.sni. a.example is the loopback address that origins listen at."""
    stage.dns.add("a.example", a=["127.0.0.1"])

    def start(mode, *more, text="", egress="", tls=False):
        file = stage.folder / f"sni{len(stage.proxies)}.yaml"
        file.write_text(f"egress: {{ sni: {mode}{egress} }}\n{text}")
        return stage.proxy("-c", file, *more, tls=tls)
    return start
