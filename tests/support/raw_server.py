"""A server that sends given bytes, whether they are HTTP or not."""

import socket
import threading
from contextlib import suppress


class RawServer:
    """Reads one request, sends the given bytes, then closes the connection, or keeps it open until the test ends."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def serve(self, response: bytes, *, hang: bool = False) -> str:
        """Start to listen and return the address."""
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(60)
        thread = threading.Thread(target=self._serve_one, args=(listener, response, hang))
        self._threads.append(thread)
        thread.start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def _serve_one(self, listener: socket.socket, response: bytes, hang: bool) -> None:  # noqa: FBT001 - of a thread
        with listener, listener.accept()[0] as connection, connection.makefile("rb") as request:
            head = b"".join(iter(request.readline, b"\r\n"))
            request.read(int(head.lower().partition(b"content-length:")[2].split()[0]))
            with suppress(OSError):  # a client may leave in the middle
                connection.sendall(response)
            if hang:
                self._ended.wait(60)

    def end(self) -> None:
        """Close every connection."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
