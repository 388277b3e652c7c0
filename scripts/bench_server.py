"""The least server that answers a PATCH: raw asyncio, so that the server is not what `bench.py` measures."""

import asyncio
import json
import re
from multiprocessing.connection import Connection
from typing import Any


class Answering(asyncio.Protocol):
    """Answers each request on a connection with the same customer."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            length = re.search(rb"(?i)content-length: *(\d+)", self.received[:end])
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.received) < whole:
                return
            self.received = self.received[whole:]
            self.transport.write(self.answer)


def serve(port: Connection, customer: dict[str, Any]) -> None:
    """Serve on a free port until the process is ended; the port's number goes through the pipe."""
    asyncio.run(_serve(port, customer))


async def _serve(port: Connection, customer: dict[str, Any]) -> None:
    body = json.dumps(customer).encode()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=utf-8\r\nETag: 1\r\n"
        f"v-c-correlation-id: bench\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    server = await asyncio.get_running_loop().create_server(lambda: Answering(head.encode() + body), "127.0.0.1")
    port.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()
