"""A real HTTP/1.1 server with odd manners, made of the standard library's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Odd(ThreadingHTTPServer):
    """Counts connections and keeps the bodies that it was sent."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.connections = 0
        self.bodies: list[bytes] = []
        self.release = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """Each path is answered in another way."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Odd

    def setup(self) -> None:
        """One connection more."""
        super().setup()
        self.server.connections += 1

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """As for POST."""
        self.do_POST()

    def do_POST(self) -> None:
        """What the path says."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.bodies.append(body)
        name = self.path.strip("/")
        if name == "drop":  # no answer at all
            self.close_connection = True
        elif name == "half":
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf of it")
        elif name == "hang":
            self.server.release.wait(30)
            self.reply(200)
        elif name == "close":
            self.reply(200, ("Connection", "close"))
        elif name == "busy":
            self.reply(503, ("Retry-After", "1"))
        elif name == "noise":
            self.wfile.write(b"+OK this is another protocol\r\n\r\n")
        else:
            self.reply(200)

    def reply(self, status: int, *headers: tuple[str, str]) -> None:
        """An ordinary answer."""
        self.send_response(status)
        for header in (*headers, ("Content-Length", "2")):
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(b"ok")


@contextmanager
def odd_server() -> Iterator[Odd]:
    """The server, in a thread."""
    with Odd() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.release.set()
            server.shutdown()
            thread.join()
