"""A real browser for tests of pages: headless Chromium, spoken to over its DevTools protocol.

It reaches 127.0.0.1 and nothing else, starts with an empty profile and leaves nothing behind.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from PIL import Image
from websocket import WebSocket, create_connection

PROGRAM = "chromium"
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # containers run as root, where the sandbox does not start
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-breakpad",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-allow-origins=*",
    "--remote-debugging-port=0",
    "--lang=en-US",
)
START, REPLY = 60, 60  # seconds; a machine with other work is slow

# The innermost visible element that says exactly the text: what a person would click at.
POINT_OF = """(text => {
    const shown = element => element.getClientRects().length > 0;
    const said = element => (element.innerText ?? "").trim();
    const named = element => element.getAttribute("aria-label");
    const all = [...document.querySelectorAll("body *")].filter(shown);
    const found = all.findLast(e => said(e) === text) ?? all.findLast(e => named(e) === text);
    if (!found) return null;
    found.scrollIntoView({block: "center", inline: "center"});
    const box = found.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
})(%s)"""


class BrowserError(Exception):
    """The browser did not do what it was asked for."""


class Browser:
    """One page of a headless Chromium; use it in a `with`, which always ends the process."""

    def __init__(self) -> None:
        self.console_errors: list[str] = []
        self.requests: list[str] = []
        self._count = 0
        self._session: str | None = None

    @staticmethod
    def available() -> bool:
        """Whether the machine has the program."""
        return shutil.which(PROGRAM) is not None

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="browser-"))
        # A session of its own: its children are ended with it.
        self._process = subprocess.Popen(
            [PROGRAM, *OPTIONS, f"--user-data-dir={self._folder}", "about:blank"],
            env={**os.environ, "HOME": str(self._folder)},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self._socket: WebSocket | None = None
        try:
            self._connect()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def open(self, url: str, width: int = 1400, height: int = 900) -> None:
        """Go to a page in a window of that size; returns when it is on its way."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        # A new address behind the same # would not load the page anew.
        self._call("Page.navigate", url="about:blank")
        failed = self._call("Page.navigate", url=url).get("errorText")
        if failed:
            raise BrowserError(f"{url}: {failed}")

    def text(self) -> str:
        """What the page says, as a person could copy it."""
        return str(self.evaluate("document.body?.innerText ?? ''"))

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression; of a promise, what it brings."""
        how = {"returnByValue": True, "awaitPromise": True}
        done = self._call("Runtime.evaluate", expression=script, **how)
        if "exceptionDetails" in done:
            raise BrowserError(f"{script}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def wait_for(self, what: str, timeout: float = 120) -> None:
        """Until the page says a text or, if `what` begins with `() =>`, a predicate is true."""
        script = f"({what})()" if what.startswith("() =>") else None
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with suppress(BrowserError):  # the page was changing under the question
                if self.evaluate(script) if script else what in self.text():
                    return
            time.sleep(0.2)
        said = f"console: {self.console_errors[-3:]}; the page says:\n{self.text()[:2000]}"
        raise BrowserError(f"no {what!r} within {timeout} s; {said}")

    def click(self, text: str, timeout: float = 120) -> None:
        """Click at the element that says exactly `text`, or that is labelled so for the blind."""
        script = POINT_OF % json.dumps(text)
        self.wait_for(f"() => {script}", timeout)
        x, y = self.evaluate(script)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path: Path, colours: int = 128) -> None:
        """What the window shows as a PNG; a palette makes it a third as large."""
        data = base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        picture.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)

    def prefer(self, scheme: str) -> None:
        """Have pages shown in the colour scheme `light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", features=features)

    def printed_pages(self) -> int:
        """The number of pages that the page has on paper."""
        data = self._call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"]
        return len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(data)))

    def _connect(self) -> None:
        file = self._folder / "DevToolsActivePort"
        end = time.monotonic() + START
        while not (file.exists() and len(file.read_text().splitlines()) == 2):
            if self._process.poll() is not None or time.monotonic() > end:
                raise BrowserError(f"{PROGRAM} did not start")
            time.sleep(0.05)
        port, address = file.read_text().splitlines()
        self._socket = create_connection(
            f"ws://127.0.0.1:{port}{address}", timeout=REPLY, http_no_proxy=["127.0.0.1"]
        )
        page = self._call("Target.createTarget", url="about:blank")
        page = self._call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = page["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        assert self._socket is not None
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while (answer := json.loads(self._socket.recv())).get("id") != self._count:
            self._note(answer.get("method"), answer.get("params", {}))
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return dict(answer["result"])

    def _note(self, event: str | None, params: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.console_errors.append(str(params["exceptionDetails"]))
        elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.console_errors.append(f"{params['entry']['text']} {params['entry'].get('url')}")
        elif event == "Runtime.consoleAPICalled" and params["type"] == "error":
            words = [str(a.get("value", a.get("description"))) for a in params["args"]]
            self.console_errors.append(" ".join(words))

    def _end(self) -> None:
        try:
            if self._socket is not None:
                self._socket.close(timeout=1)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            for _ in range(20):  # children may still be writing for a moment
                shutil.rmtree(self._folder, ignore_errors=True)
                if not self._folder.exists():
                    break
                time.sleep(0.1)
