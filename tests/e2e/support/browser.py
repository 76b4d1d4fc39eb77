"""Headless Chromium that shows one page through a proxy, in a profile of its own.

The profile's store of certificates (NSS, made with certutil) holds the test's authority, so that proxy and origin
are verified as they are for a user."""
from support import programs


def browse(home, ca, proxy_url, url):
    """The document as it is when all is loaded."""
    chromium = programs.need("chromium", "chromium")
    certutil = programs.need("certutil", "libnss3-tools")
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    programs.run([certutil, "-N", "-d", f"sql:{store}", "--empty-password"], home)
    programs.run([certutil, "-A", "-d", f"sql:{store}", "-n", "play", "-t", "C,,", "-i", ca], home)
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-default-apps", "--disable-extensions", f"--user-data-dir={home / 'profile'}",
             "--disable-features=OptimizationHints,MediaRouter,HttpsUpgrades,HttpsFirstBalancedMode",
             f"--proxy-server={proxy_url}", "--proxy-bypass-list=<-loopback>", "--virtual-time-budget=20000",
             "--dump-dom"]
    return programs.run([chromium, *flags, url], home).stdout.decode()
