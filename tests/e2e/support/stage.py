"""Everything that one play starts, and the order in which it ends: clients, origins, proxies, name server.

The proxy ends last but one, so that nothing is left for it to drain."""
from support.dns import Dns
from support.origin import Origin
from support.proxy import Proxy, default_flags
from support.site import Site


class Stage:
    def __init__(self, folder, certs, program):
        self.folder = folder
        self.program = program
        self.certs = certs
        self.clients, self.origins, self.proxies, self.others = [], [], [], []
        self.sites = []
        self._dns = None

    def origin(self, script, tls=None, **more):
        """A scripted origin; tls=True uses the session's certificate."""
        context = self.certs.server_context() if tls is True else tls
        self.origins.append(Origin(script, tls=context, **more))
        return self.origins[-1]

    def site(self, tls=False, **more):
        """An ordinary web server; tls=True uses the session's certificate."""
        context = self.certs.server_context() if tls is True else tls or None
        self.sites.append(Site(context, **more))
        return self.sites[-1]

    @property
    def dns(self):
        if self._dns is None:
            self._dns = Dns()
            self.others.append(self._dns)
        return self._dns

    def proxy(self, *flags, tls=False, listen="127.0.0.1:0", listeners=None, defaults=True, **more):
        """Start the binary with the usual flags and these. tls=True adds a TLS listener."""
        folder = self.folder / f"proxy{len(self.proxies)}"
        folder.mkdir()
        given = []
        if defaults:
            given += default_flags(folder, self.dns.address)
        if listen:
            given += ["--listen", listen]
        if tls:
            given += ["--listen-tls", "127.0.0.1:0", "--tls-cert", self.certs.server,
                      "--tls-key", self.certs.server_key]
        count = listeners if listeners is not None else bool(listen) + bool(tls)
        proxy = Proxy(self.program, folder, [*given, *flags], listeners=count, **more)
        self.proxies.append(proxy)
        return proxy

    def run(self, *flags, **more):
        """Start the binary for a play that expects it to end: no wait for a listener."""
        folder = self.folder / f"proxy{len(self.proxies)}"
        folder.mkdir()
        proxy = Proxy(self.program, folder, flags, listeners=None, **more)
        self.proxies.append(proxy)
        return proxy

    def client(self, wire):
        self.clients.append(wire)
        return wire

    def end(self):
        failures = []
        for thing in [*self.clients, *self.origins]:
            thing.close()
        for proxy in self.proxies:
            try:
                proxy.stop() if proxy.has_served else proxy.kill()
            except AssertionError as failure:
                failures.append(failure)
        for thing in [*self.sites, *self.others]:
            thing.close()
        for origin in [*self.origins, *self.sites]:
            origin.check()
        if failures:
            raise failures[0]
