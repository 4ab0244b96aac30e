"""A server on this machine that sends one file, and misbehaves as it is told."""

import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Server(ThreadingHTTPServer):
    """Serves ``body``; ``cuts`` holds how many bytes each answer sends before it is cut, ``errors``
    the statuses of the next answers; ``length`` is whether an answer tells its length."""

    body: bytes = b""
    length = True
    ranges = True
    cuts: list[int]
    errors: list[int]
    requested: list[str | None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/data.zip"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requested.append(wanted)
        if self.server.errors:
            self.send_error(self.server.errors.pop(0))
            return
        start = int(wanted[6:-1]) if wanted and self.server.ranges else 0
        size = len(self.server.body)
        if start >= size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if self.server.length:
            self.send_header("Content-Length", str(size - start))
        self.end_headers()
        self.send_body(self.server.body[start:])

    def send_body(self, body: bytes) -> None:
        cut = self.server.cuts.pop(0) if self.server.cuts else None
        self.wfile.write(body[:cut])
        if cut is not None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def serve(body: bytes) -> Iterator[Server]:
    """A running server of ``body``."""
    with Server(("127.0.0.1", 0), Handler) as running:
        running.body, running.cuts, running.errors, running.requested = body, [], [], []
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join()


def zip_of(folder: Path) -> bytes:
    """A zip that holds the folder."""
    with tempfile.TemporaryDirectory() as temporary:
        made = shutil.make_archive(f"{temporary}/data", "zip", folder.parent, folder.name)
        return Path(made).read_bytes()
