"""A page on this machine alone: a server that only its own page may ask, and that only reads.

It listens on the loopback address, so no other machine reaches it. A page from elsewhere, open in the same browser,
could still ask it for data: a request must name this server in ``Host`` (against names that are made to resolve to this
machine), and what another page begins is refused by ``Origin`` and ``Sec-Fetch-Site``.
"""

import mimetypes
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from anyview.errors import InputError
from anyview.report.atlas import Page

ADDRESS = "127.0.0.1"
#: nothing is loaded from elsewhere; WebAssembly and workers are the page's own
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:; "
    "connect-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "media-src data: blob:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {".js": "text/javascript", ".wasm": "application/wasm", ".parquet": "application/octet-stream"}


class Server(ThreadingHTTPServer):
    """Serves a page on ``ADDRESS`` until it is told to stop.

    Args:
        port: 0 takes any that is free.

    Raises:
        InputError: when the port is taken.
    """

    daemon_threads = True

    def __init__(self, page: Page, port: int = 0) -> None:
        self.page = page
        try:
            super().__init__((ADDRESS, port), _Handler)
        except (OSError, OverflowError) as error:
            raise InputError(f"cannot listen on port {port} ({error}); name another --port") from error
        self.hosts = {f"{name}:{self.server_port}" for name in (ADDRESS, "localhost")}

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/"

    def content(self, path: str) -> bytes | None:
        """The bytes that lie at the path of a request; None where the page has nothing."""
        name = unquote(urlsplit(path).path).lstrip("/") or "index.html"
        if name in self.page.files:
            return self.page.files[name]
        root = self.page.static.resolve()
        try:
            file = (root / name).resolve()
            return file.read_bytes() if file.is_file() and file.is_relative_to(root) else None
        except (OSError, ValueError):
            return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no news; all else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version, sys_version = "anyview", ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool = True) -> None:
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            return self._send(421, b"this server is asked by another name", "text/plain", body)
        origin, site = self.headers.get("Origin"), self.headers.get("Sec-Fetch-Site", "none")
        if (origin is not None and origin.removeprefix("http://").lower() not in self.server.hosts) or (
            site not in ("none", "same-origin")
        ):
            return self._send(403, b"another page asks for this", "text/plain", body)
        content = self.server.content(self.path)
        if content is None:
            return self._send(404, b"nothing lies here", "text/plain", body)
        ending = Path(urlsplit(self.path).path or "index.html").suffix or ".html"
        kind = TYPES.get(ending) or mimetypes.types_map.get(ending, "application/octet-stream")
        return self._send(200, content, kind, body)

    def _send(self, status: int, content: bytes, kind: str, body: bool) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Content-Security-Policy": POLICY,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Says nothing: the terminal is the person's."""
