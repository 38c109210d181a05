"""A web server on this machine that gives files of a folder, whole or in parts, and fails as it is told."""

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Server(http.server.ThreadingHTTPServer):
    """Attributes: ``asked`` is what was asked for, as (path, first byte or None); ``failing`` so many answers are
    errors of the server; without ``ranges`` all files come whole."""

    daemon_threads = True
    request_queue_size = 128  # or connections at once wait for a second

    def __init__(self, root: Path) -> None:
        self.root, self.asked, self.failing, self.ranges, self.status = root, [], 0, True, 503
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def whole(self) -> list[str]:
        """Paths that were fetched whole."""
        return [path for path, start in self.asked if start is None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""

    def failed(self) -> bool:
        """Whether it answers as it was told to fail."""
        if failing := self.server.failing > 0:
            self.server.failing -= 1
            self.send_error(self.server.status)
        return failing

    def do_HEAD(self) -> None:
        if self.failed():
            return
        path = self.server.root / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.send_header("ETag", str(path.stat().st_mtime_ns))
        self.end_headers()

    def do_GET(self) -> None:
        path = self.server.root / self.path.lstrip("/")
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        self.server.asked.append((self.path, int(span[1]) if span else None))
        if self.failed():
            return
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        part = span is not None and self.server.ranges
        if part:
            data = data[int(span[1]) : int(span[2]) + 1]
        self.send_response(206 if part else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    server = Server(root)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
