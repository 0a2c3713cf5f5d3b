"""Headless Chromium, driven through its DevTools protocol on a pair of pipes: no driver program, no port."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
DEADLINE_S: Final = 60.0

# The browser speaks on 3 and 4. This puts the pipes there, whichever numbers they have, and becomes the browser.
_START: Final = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for number, pipe in enumerate(pipes, 3):
    os.dup2(pipe, number)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find_chromium() -> str | None:
    """The browser's program, if there is one that can be driven through inherited pipes: they are POSIX."""
    if os.name != "posix":
        return None
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """One page in a browser without a window.

    `problems` are the console's errors and warnings, exceptions, blocked and failed loads; `requests` the addresses
    that the page asked for.
    """

    def __init__(self, program: str, profile: Path) -> None:
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._events: list[str] = []
        self._number = 0
        self._left_over = b""
        from_us, self._to = os.pipe()
        self._from, to_us = os.pipe()
        options = [
            "--headless",
            "--no-sandbox",  # continuous integration runs as root
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
            "--remote-debugging-pipe",
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(from_us), str(to_us), program, *options],
            pass_fds=(from_us, to_us),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(from_us)
        os.close(to_us)
        self._session: str | None = None
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
        """Call a method of the protocol and wait for its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline_s = time.monotonic() + DEADLINE_S
        while True:
            answer = self._next(deadline_s, method)
            if answer.get("id") == self._number:
                if "error" in answer:
                    msg = f"{method}: {answer['error']}"
                    raise RuntimeError(msg)
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, url: str, width: int, height: int) -> None:
        """Load a page into a window of that size, in the pixels of style sheets."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=width < 600
        )
        self._events.clear()
        self.call("Page.navigate", url=url)
        deadline_s = time.monotonic() + DEADLINE_S
        while "Page.loadEventFired" not in self._events:
            self._next(deadline_s, url)

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401  JSON
        """Value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            msg = f"{expression}: {answer['exceptionDetails']}"
            raise RuntimeError(msg)
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """Picture of the whole page, PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]))

    def print_pdf(self, path: Path) -> None:
        """The page on A4 paper, PDF."""
        answer = self.call("Page.printToPDF", preferCSSPageSize=False, paperWidth=8.27, paperHeight=11.69)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _next(self, deadline_s: float, waiting_for: str) -> dict[str, Any]:
        while b"\0" not in self._left_over:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline_s - time.monotonic()))
            data = os.read(self._from, 1 << 20) if ready else b""
            if not data:
                state = "has ended" if ready else f"does not answer within {DEADLINE_S:g} s"
                msg = f"the browser {state}, while waiting for {waiting_for}"
                raise RuntimeError(msg)
            self._left_over += data
        text, _, self._left_over = self._left_over.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self._note(message["method"], message.get("params", {}))
        return message

    def _note(self, method: str, parameters: dict[str, Any]) -> None:
        self._events.append(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif (
            method in {"Runtime.exceptionThrown", "Network.loadingFailed"}
            or (method == "Runtime.consoleAPICalled" and parameters["type"] in {"error", "warning", "assert"})
            or (method == "Log.entryAdded" and parameters["entry"]["level"] in {"error", "warning"})
        ):
            self.problems.append(json.dumps(parameters))

    def __enter__(self) -> Self:
        """The browser."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self.close()

    def close(self) -> None:
        """End the browser."""
        self._session = None
        with contextlib.suppress(RuntimeError, OSError):
            self.call("Browser.close")
        os.close(self._to)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._from)
