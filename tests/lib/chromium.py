# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium, spoken to over its own protocol (CDP) on a pipe; nothing is installed for it but the browser.

    with Chromium(case) as browser:
        page = browser.page("http://localhost:9001/console/")
        page.authenticator()                       # a virtual one that says yes
        page.wait("document.title")                # until the expression is true; gives its value
        page.run("await fetch('/x').then((r) => r.status)")
"""
import base64
import fcntl
import json
import os
import select
import subprocess
import time

from lib.case import program


class Refused(Exception):
    """The browser said no: the exception that the page's own script saw."""


class Chromium:
    def __init__(self, case, *flags):
        self.count, self.events, self.rest = 0, [], b""
        low = [*os.pipe(), *os.pipe()]             # kept until it runs: so nothing else is 3 or 4 where ends() puts its own
        to, self.to, self.back, back = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in low)
        # Only http://localhost and its names count as safe without TLS, as for people; all of them are this machine.
        args = [program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server", "--no-first-run", "--disable-background-networking",
                "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
                "--user-data-dir=" + case.path("chromium"), "--remote-debugging-pipe", *flags, "about:blank"]

        def ends():                                # the browser wants them as 3 and 4
            os.dup2(to, 3)
            os.dup2(back, 4)
        self.process = subprocess.Popen(args, pass_fds=(3, 4), preexec_fn=ends, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in (*low, to, back):
            os.close(fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
        except (OSError, AssertionError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.back)

    def read(self, seconds):
        """The next message; None: nothing came in time."""
        end = time.monotonic() + seconds
        while b"\0" not in self.rest:
            if not select.select([self.back], [], [], max(0, end - time.monotonic()))[0]:
                return None
            more = os.read(self.back, 1 << 20)
            assert more, "the browser is gone"
            self.rest += more
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def call(self, method, session=None, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + 60
        while time.monotonic() < end:
            m = self.read(end - time.monotonic())
            if m and m.get("id") == self.count:
                if "error" in m:
                    raise Refused(f"{method}: {m['error'].get('message')}")
                return m["result"]
            if m and "method" in m:
                self.events.append(m)
        raise AssertionError(f"no answer to {method}")

    def page(self, url):
        return Page(self, url)


class Page:
    def __init__(self, browser, url):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        self.go(url)

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def go(self, url):
        answer = self.call("Page.navigate", url=url)
        assert not answer.get("errorText"), (url, answer)
        self.wait("document.readyState == 'complete'")

    def authenticator(self, verified=True):
        """A virtual authenticator for this page; gives its id."""
        self.call("WebAuthn.enable")
        return self.call("WebAuthn.addVirtualAuthenticator", options={"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
                                                                      "isUserVerified": verified, "automaticPresenceSimulation": True})["authenticatorId"]

    def run(self, expression):
        """The value of an expression (it may await); Refused with what it threw."""
        r = self.call("Runtime.evaluate", expression=f"(async () => ({expression}))()", awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in r:
            e = r["exceptionDetails"].get("exception", {})
            raise Refused(e.get("description") or e.get("value") or r["exceptionDetails"].get("text"))
        return r["result"].get("value")

    def wait(self, expression, seconds=15):
        end = time.monotonic() + seconds
        while True:
            value = self.run(expression)
            if value not in (None, False, 0, ""):         # an element comes as {}
                return value
            assert time.monotonic() < end, f"never true within {seconds} s: {expression}; the page shows:\n{self.run('document.body.innerText')}"
            time.sleep(0.05)

    def fill(self, selector, value):
        self.run(f"document.querySelector({json.dumps(selector)}).value = {json.dumps(value)}")

    def click(self, selector):
        """As a person would: what is not there, hidden or disabled is no button."""
        self.wait(f"(e => e && !e.disabled && e.checkVisibility())(document.querySelector({json.dumps(selector)}))")
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def text(self, selector="body"):
        return self.run(f"document.querySelector({json.dumps(selector)}).innerText")

    def complaints(self):
        """What the browser held against the page so far: errors, refusals of its policy."""
        return [m["params"] for m in self.browser.events if m.get("sessionId") == self.session
                and (m["method"] == "Runtime.exceptionThrown" or (m["method"] == "Log.entryAdded" and m["params"]["entry"]["level"] == "error"))]

    def png(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]))
