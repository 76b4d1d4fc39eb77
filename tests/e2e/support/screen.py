"""Headless Chromium with a page in it, spoken to in the DevTools protocol over a pair of pipes: what the page shows, what
it says in its console, what it asks for, its memory, and pictures of it."""
import base64
import fcntl
import json
import os
import select
import subprocess
import time

from support.bounds import BOUND

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
         "--disable-extensions", "--disable-features=OptimizationHints,MediaRouter,Translate", "--no-proxy-server",
         "--mute-audio", "--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-pipe"]


CODES = {"Enter": 13, "Escape": 27, " ": 32, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36, "ArrowUp": 38, "ArrowDown": 40}


def high(fd):
    """The same pipe under a number that is in nobody's way."""
    other = fcntl.fcntl(fd, fcntl.F_DUPFD, 10)
    os.close(fd)
    return other


class Screen:
    """One Chromium with one page. Everything that it asks for is in `asked`, what its console says in `said`."""

    def __init__(self, chromium, profile, width=1280, height=800):
        from_us, self._to = map(high, os.pipe())
        self._from, from_it = map(high, os.pipe())
        # Chromium takes these as 3 and 4; Python would close them, so a shell puts them there.
        shell = ["bash", "-c", f'exec "$0" "$@" 3<&{from_us} 4>&{from_it}']
        self._process = subprocess.Popen(
            [*shell, chromium, *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(from_us, from_it))
        os.close(from_us)
        os.close(from_it)
        self._number, self._rest, self._answers = 0, b"", {}
        self._session = self._context = None
        self.width, self.height = width, height
        self.fresh()

    def fresh(self):
        """An empty page, in a profile of its own that nothing was kept in."""
        self._session = None
        if self._context:
            self.call("Target.disposeBrowserContext", browserContextId=self._context)
        self._context = self.call("Target.createBrowserContext", disposeOnDetach=True)["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=self._context)["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.asked, self.said = [], []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.size(self.width, self.height)

    def close(self):
        os.close(self._to)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._from)

    # ---- the protocol: JSON, with a zero byte behind each message
    def call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        self._read_until(lambda: self._number in self._answers, method)
        answer = self._answers.pop(self._number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _read_until(self, is_done, what, bound=4 * BOUND):
        until = time.monotonic() + bound
        while not is_done():
            left = until - time.monotonic()
            assert left > 0 and select.select([self._from], [], [], left)[0], f"Chromium is silent: {what}"
            data = os.read(self._from, 1 << 20)
            assert data, f"Chromium has ended: {what}"
            *messages, self._rest = (self._rest + data).split(b"\0")
            for message in messages:
                self._take(json.loads(message))

    def _take(self, message):
        if "id" in message:
            self._answers[message["id"]] = message
            return
        method, given = message["method"], message.get("params", {})
        if message.get("sessionId") != self._session:
            pass  # of a page before
        elif method == "Network.requestWillBeSent":
            self.asked.append(given["request"]["url"])
        elif method == "Log.entryAdded":
            self.said.append(f"{given['entry']['level']}: {given['entry']['text']} {given['entry'].get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            self.said.append(f"exception: {given['exceptionDetails'].get('exception', {}).get('description', given)}")
        elif method == "Runtime.consoleAPICalled":
            self.said.append(f"{given['type']}: {[each.get('value') for each in given['args']]}")

    def _browser(self, method, **parameters):
        """Of the whole browser, for this profile."""
        session, self._session = self._session, None
        self.call(method, browserContextId=self._context, **parameters)
        self._session = session

    # ---- what plays do with it
    def may_copy(self):
        self._browser("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])

    def download_to(self, folder):
        self._browser("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def open(self, url):
        self.call("Page.navigate", url=url)

    def run(self, script):
        """The value of an expression in the page; a promise is waited for."""
        got = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in got, got["exceptionDetails"]
        return got["result"].get("value")

    def wait(self, script, what=None, bound=4 * BOUND):
        """The value of the expression as soon as it is true; the page may be navigating."""
        until = time.monotonic() + bound
        while True:
            got = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
            value = got["result"]
            is_thing = value["type"] == "object" and value.get("subtype") != "null"
            if "exceptionDetails" not in got and (is_thing or value.get("value")):
                return value.get("value")
            assert time.monotonic() < until, f"waited for {what or script}; the console: {self.said[-5:]}"
            select.select([], [], [], 0.02)

    def key(self, key, text=None, modifiers=0):
        """A key as a person presses it."""
        text = text if text is not None else (key if len(key) == 1 else {"Enter": "\r"}.get(key))
        down = {"type": "keyDown", "key": key, "modifiers": modifiers, "windowsVirtualKeyCode": CODES.get(key, 0)}
        if text:
            down["text"] = text
        self.call("Input.dispatchKeyEvent", **down)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=modifiers)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def click(self, selector, modifiers=0):
        at = self.run(f"""(() => {{ const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();
            return [box.x + Math.min(box.width / 2, 60), box.y + box.height / 2]; }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", clickCount=1, modifiers=modifiers)

    def text(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)}).innerText")

    def size(self, width, height, scale=1):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False)

    def prefer(self, **features):
        """As a person's system has it: prefer(color_scheme="dark")."""
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()])

    def picture(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def heap_bytes(self):
        """What is held after everything that can go has gone."""
        self.call("HeapProfiler.collectGarbage")
        return self.call("Runtime.getHeapUsage")["usedSize"]

    def node_count(self):
        self.call("HeapProfiler.collectGarbage")
        return self.call("Memory.getDOMCounters")["nodes"]
