"""What the proxy has open, by its own count and by the kernel's: the same after a play as before."""
import re

from support.bounds import BOUND, wait_until

NAMES = ("client_connections", "requests", "tunnels", "dns_queries", "upstream_idle_connections", "splice_pipes",
         "buffer_bytes")
SOURCE_SOCKETS = 2  # of a worker, which asks the kernel for source addresses: kept once it asked


def gauges(proxy):
    text = proxy.ask_admin("/metrics").body.decode()
    found = {name: int(re.search(rf"^fairlead_{name} (\d+)$", text, re.MULTILINE)[1]) for name in NAMES}
    return {**found, "descriptors": proxy.descriptors()}


class Baseline:
    def __init__(self, proxy):
        self.proxy = proxy
        self.before = self._settled()

    def _settled(self):
        """What two questions in turn agree on: the connection of the one before is closed by then."""
        seen = [gauges(self.proxy)]

        def is_same():
            seen.append(gauges(self.proxy))
            return seen[-1] == seen[-2]
        wait_until(is_same, "the gauges to settle", BOUND)
        return seen[-1]

    def check(self):
        """Nothing stayed: not a question, not a buffer, not a socket."""
        now = {}

        def is_as_before():
            now.update(gauges(self.proxy))
            more = now["descriptors"] - self.before["descriptors"]
            return more <= SOURCE_SOCKETS and {**now, "descriptors": 0} == {**self.before, "descriptors": 0}
        try:
            wait_until(is_as_before, "the gauges to be as before", BOUND)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.before} became {now}") from None
