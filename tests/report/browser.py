"""A headless Chromium that is told what to do by its own protocol of development tools."""

import base64
import contextlib
import io
import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from PIL import Image

FLAGS = [
    "--headless",
    "--no-sandbox",  # as root, which a container is
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",  # WebGL without a graphics card
    "--window-size=1400,900",
    "--remote-debugging-port=0",
]


class Tab:
    """One tab; ``asked`` are the addresses that it asked for, ``errors`` what it complained of."""

    def __init__(self, browser: str, folder: Path) -> None:
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.command = [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        self._number = 0

    def __enter__(self) -> Self:
        from websockets.sync.client import connect

        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        port = next(m[1] for line in self.process.stderr if (m := re.search(r"ws://[^:]+:(\d+)/", line)))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            page = next(target for target in json.load(answer) if target["type"] == "page")
        self.closing = contextlib.ExitStack()
        self.socket = self.closing.enter_context(connect(page["webSocketDebuggerUrl"], max_size=2**26))
        for part in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{part}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):
            self.closing.close()
        self.process.kill()
        self.process.wait()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self.socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            said = json.loads(self.socket.recv(timeout=60))
            if said.get("id") == self._number:
                return said.get("result", {})
            if said.get("method") == "Network.requestWillBeSent":
                self.asked.append(said["params"]["request"]["url"])
            if said.get("method") == "Log.entryAdded":
                self.errors.append(said["params"]["entry"]["text"])

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def text(self) -> str:
        found = self.call("Runtime.evaluate", expression="document.body?.innerText ?? ''")
        return found.get("result", {}).get("value", "")

    def picture(self) -> Image.Image | None:
        """The screen; None while the browser is too busy to take it."""
        data = self.call("Page.captureScreenshot").get("data")
        return None if data is None else Image.open(io.BytesIO(base64.b64decode(data)))

    def until(self, found: Callable[[], Any], seconds: float) -> Any:
        """What ``found`` gives, once it gives something."""
        end = time.monotonic() + seconds
        while (what := found()) is None:
            assert time.monotonic() < end, self.text()[:300]
            time.sleep(0.5)
        return what
