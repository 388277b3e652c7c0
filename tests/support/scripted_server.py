"""A server whose connections are handled by a function of the test's, byte by byte."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any


class Connection:
    """One connection, as the server sees it; `head` is that of the request that was read last."""

    def __init__(self, accepted: socket.socket) -> None:
        self.socket = accepted
        self.head = b""
        self._lines = accepted.makefile("rb")

    def close(self) -> None:
        """Close it. A socket is open as long as a file that was made of it."""
        self._lines.close()
        self.socket.close()

    def read_request(self) -> tuple[str, str] | None:
        """Read a whole request and return its method and path; None at the end of the connection."""
        self.head = head = b"".join(iter(self._lines.readline, b"\r\n") if self._lines.peek(1) else ())
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


def customer_in(request: tuple[str, str]) -> dict[str, str]:
    """Return the least customer, the one that a request's path names."""
    return {"id": request[1].rpartition("/")[2]}


def respond_for_ever(connection: Connection) -> None:
    """Respond to each request with the customer that it asks for."""
    while request := connection.read_request():
        connection.send(response(customer_in(request)))


def send_once(content: bytes, *, hang: bool = False) -> Callable[[Connection], None]:
    """Return a handler that reads a request, sends these bytes, and closes, or else waits until the client does."""

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(content)
        if hang:
            connection.read_request()

    return handle


@contextmanager
def serving(handle: Callable[[Connection], object], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve on loopback and yield the address; each connection has a thread, and is closed when `handle` returns."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    def serve(accepted: socket.socket) -> None:
        with accepted, suppress(OSError):
            wrapped = tls.wrap_socket(accepted, server_side=True) if tls else accepted
            with closing(Connection(wrapped)) as connection:
                handle(connection)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()
