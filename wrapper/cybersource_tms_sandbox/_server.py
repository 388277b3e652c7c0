"""The sandbox over HTTP on loopback, from a thread of its own."""

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import h11

from ._connection import Connection
from ._control import control
from ._messages import Received, Reply, build_json_reply, build_reply

if TYPE_CHECKING:
    from ._sandbox import Sandbox

LOOPBACK = ("127.0.0.1", "::1", "localhost")
log = logging.getLogger("cybersource_tms_sandbox")


@contextmanager
def serve(sandbox: "Sandbox", host: str, port: int, certificate: str | Path | None) -> Generator[str]:
    """Serve from another thread, and yield the base URL; see `Sandbox.running`."""
    if host not in LOOPBACK:
        raise ValueError(f"the sandbox serves on loopback only, not on {host}")
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    name = f"[{host}]" if ":" in host else host
    with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        server = Server(sandbox)
        thread = threading.Thread(target=server.run_in_loop, args=(listener, tls), daemon=True)
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://{name}:{listener.getsockname()[1]}"
        finally:
            server.stop()
            thread.join()
    if server.failures:
        raise ExceptionGroup("the sandbox failed", server.failures)


class Server:
    """Accepts connections until it is stopped. What goes wrong in the sandbox itself is kept as `failures`."""

    def __init__(self, sandbox: "Sandbox") -> None:
        self.failures: list[Exception] = []
        self._sandbox = sandbox
        self._started = threading.Event()
        self._stopping = asyncio.Event()
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def run_in_loop(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Serve as `run` does, in a new event loop."""
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:  # which has `remove_reader`
            runner.run(self.run(listener, tls))

    async def run(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Serve until `stop` is called, and then cut every connection."""
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._accept, sock=listener, ssl=tls)
        self._started.set()
        await self._stopping.wait()
        self._loop.remove_reader(listener)
        for _ in range(3):  # steps from accepting a connection to `_accept`; a closed server would leave it open
            await asyncio.sleep(0)
        server.close()
        for writer in self._connections.values():  # an idle one over TLS would wait for its client's goodbye
            writer.transport.abort()
        await asyncio.gather(*self._connections)

    def stop(self) -> None:
        """End delays and connections. What is delayed is still applied."""
        self._started.wait()
        self._loop.call_soon_threadsafe(self._stopping.set)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # No coroutine: one that has not begun when the server stops would leave its connection open.
        task = self._loop.create_task(self._serve(Connection(reader, writer)))
        self._connections[task] = writer
        task.add_done_callback(self._close)

    def _close(self, task: asyncio.Task[None]) -> None:
        self._connections.pop(task).close()

    async def _serve(self, connection: Connection) -> None:
        with suppress(OSError):  # a client may leave at any time
            await self._serve_requests(connection)

    async def _serve_requests(self, connection: Connection) -> None:
        try:
            while request := await connection.read_request():
                reply, whole = await self._reply(request)
                if reply is None or not await connection.send(request, reply, whole=whole):
                    return
        except h11.RemoteProtocolError as error:
            bad = build_json_reply(400, {"errors": [{"type": "invalidRequest", "message": str(error)}]}, {})
            await connection.send(None, bad, whole=True)

    async def _reply(self, request: Received) -> tuple[Reply | None, bool]:
        try:
            if reply := control(self._sandbox, request):
                return reply, True
            fault = self._sandbox.receive(request)
            if fault.delay:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), fault.delay)
            return self._sandbox.handle(request, fault), fault.cut is None
        except Exception as error:
            log.exception("the sandbox failed")
            self.failures.append(error)
            return build_reply(500, repr(error).encode(), {"Content-Type": "text/plain"}), True
