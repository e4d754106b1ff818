"""A headless Chromium driven through its own driver, by the WebDriver protocol (W3C) over loopback;
nothing but the standard library."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-default-apps",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


def programs() -> tuple[str, str] | None:
    """Paths of Chromium and its driver; None where either is missing."""
    browser, driver = (
        next(filter(None, map(shutil.which, CHROMIUM)), None),
        shutil.which("chromedriver"),
    )
    return (browser, driver) if browser and driver else None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Browser:
    """One window. Use as a context manager."""

    def __init__(self, profile: Path, width: int = 1280, height: int = 900, dark: bool = False):
        chromium, driver = programs()
        self.port = free_port()
        self.process = subprocess.Popen(
            [driver, f"--port={self.port}", "--allowed-ips=127.0.0.1"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.session = ""
        arguments = [*QUIET, f"--user-data-dir={profile}", f"--window-size={width},{height}"] + (
            ["--blink-settings=preferredColorScheme=0"] if dark else []
        )
        wanted = {
            "capabilities": {
                "alwaysMatch": {
                    "browserName": "chrome",
                    "goog:chromeOptions": {"binary": chromium, "args": arguments},
                    "goog:loggingPrefs": {"browser": "ALL"},
                }
            }
        }
        for _ in range(100):
            try:
                self.session = self._call("POST", "/session", wanted)["sessionId"]
                break
            except (ConnectionError, urllib.error.URLError) as error:
                if isinstance(error, urllib.error.HTTPError):
                    self.process.terminate()
                    raise RuntimeError(error.read().decode()) from None
                time.sleep(0.1)
        # Windows cannot be narrower than 500 pixels; pages can.
        size = {"width": width, "height": 0, "deviceScaleFactor": 1, "mobile": False}
        self._do(
            "POST",
            "/goog/cdp/execute",
            {"cmd": "Emulation.setDeviceMetricsOverride", "params": size},
        )

    def _call(self, method: str, path: str, body: dict | None = None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())["value"]

    def _do(self, method: str, path: str, body: dict | None = None):
        try:
            return self._call(method, f"/session/{self.session}{path}", body)
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.loads(error.read())["value"]["message"]) from None

    def open(self, address: str) -> None:
        self._do("POST", "/url", {"url": address})

    def run(self, script: str, *arguments):
        """The value of JavaScript with `return`."""
        return self._do("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script: str, seconds: float = 60, what: str = ""):
        """Run a script until it returns something true."""
        end = time.monotonic() + seconds
        while not (found := self.run(script)):
            if time.monotonic() > end:
                raise TimeoutError(what or script)
            time.sleep(0.2)
        return found

    def find(self, selector: str) -> str:
        """The first element that fits a CSS selector, or an XPath that begins with `//`."""
        return self._do(
            "POST",
            "/element",
            {"using": "xpath" if selector.startswith("//") else "css selector", "value": selector},
        )[ELEMENT]

    def click(self, selector: str) -> None:
        self._do("POST", f"/element/{self.find(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Type into an element, key by key; control keys by their WebDriver code points."""
        self._do("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def keys(self, text: str) -> None:
        """Press keys, wherever the focus is."""
        actions = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self._do(
            "POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]}
        )

    def console(self) -> list[str]:
        """Errors that the page has logged."""
        return [
            entry["message"]
            for entry in self._do("POST", "/se/log", {"type": "browser"})
            if entry["level"] == "SEVERE"
        ]

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._do("GET", "/screenshot")))

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_) -> None:
        try:
            if self.session:
                self._do("DELETE", "")
        except (RuntimeError, OSError):
            pass
        self.process.terminate()
        self.process.wait(timeout=20)
