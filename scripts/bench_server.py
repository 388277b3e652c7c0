"""The least server that responds to a GET or PATCH: raw asyncio, so that the server is not what is measured."""

import asyncio
import json
import multiprocessing
import re
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any


class Responding(asyncio.Protocol):
    """Responds to each request on a connection, after a delay, with a customer that has the id of the path."""

    def __init__(self, response: bytes, customer_id: bytes, delay: float) -> None:
        self.response, self.customer_id, self.delay = response, customer_id, delay
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Respond to each request that is whole."""
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            length = re.search(rb"(?i)content-length: *(\d+)", self.received[:end])
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.received) < whole:
                return
            customer_id = self.received[: self.received.index(b" HTTP/")].rpartition(b"/")[2]
            self.received = self.received[whole:]
            response = self.response.replace(self.customer_id, customer_id)
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self.transport.write, response)
            else:
                self.transport.write(response)


@contextmanager
def running(customer: dict[str, Any], delay: float = 0.0) -> Iterator[str]:
    """Run the server in another process and yield its address. Ids have as many characters as the customer's."""
    ready, port = multiprocessing.Pipe(duplex=False)
    arguments = (port, customer, delay)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=arguments, daemon=True)
    server.start()
    yield f"http://127.0.0.1:{ready.recv()}"
    server.terminate()
    server.join()


def serve(port: Connection, customer: dict[str, Any], delay: float) -> None:
    """Serve on a free port until the process is ended; the port's number goes through the pipe."""
    asyncio.run(_serve(port, customer, delay))


async def _serve(port: Connection, customer: dict[str, Any], delay: float) -> None:
    body = json.dumps(customer).encode()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=utf-8\r\nETag: 1\r\n"
        f"v-c-correlation-id: bench\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    response, customer_id = head.encode() + body, customer["id"].encode()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Responding(response, customer_id, delay), "127.0.0.1", backlog=1000)
    port.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()
