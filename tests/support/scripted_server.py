"""A server whose connections are handled by a function of the test's, byte by byte."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any


class Connection:
    """One connection, as the server sees it."""

    def __init__(self, accepted: socket.socket) -> None:
        self.socket = accepted
        self._lines = accepted.makefile("rb")

    def close(self) -> None:
        """Close it. A socket is open as long as a file that was made of it."""
        self._lines.close()
        self.socket.close()

    def read_request(self) -> tuple[str, str] | None:
        """Read a whole request and return its method and path; None at the end of the connection."""
        head = b"".join(iter(self._lines.readline, b"\r\n") if self._lines.peek(1) else ())
        if not head:
            return None
        length = head.lower().partition(b"content-length:")[2].split()
        self._lines.read(int(length[0]) if length else 0)
        method, path, _ = head.decode().split(" ", 2)
        return method, path

    def send(self, *parts: bytes) -> None:
        """Send bytes at once."""
        self.socket.sendall(b"".join(parts))


def response(body: Any, status: str = "200 OK", headers: str = "") -> bytes:
    """Return a whole response: a customer's JSON, or any other."""
    content = json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nETag: e\r\n{headers}Content-Length: {len(content)}\r\n\r\n".encode() + content


@contextmanager
def serving(handle: Callable[[Connection], object]) -> Iterator[str]:
    """Serve on loopback and yield the address; each connection has a thread, and is closed when `handle` returns."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    def serve(accepted: socket.socket) -> None:
        with closing(Connection(accepted)) as connection, suppress(OSError):
            handle(connection)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()
