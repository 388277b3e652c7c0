"""The sandbox over HTTP on loopback, from a thread of its own."""

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import h11

from ._connection import Connection
from ._control import control
from ._failing import FailingService
from ._json import dump_json
from ._messages import Received, Reply, build_json_reply, build_reply, summarize

LOOPBACK = ("127.0.0.1", "::1", "localhost")
PORTS = range(65_536)
log = logging.getLogger("cybersource_tms_sandbox")


@contextmanager
def serve(service: FailingService, host: str, port: int, certificate: str | Path | None) -> Generator[str]:
    """Serve from another thread, and yield the base URL; see `Sandbox.running`."""
    if host not in LOOPBACK:
        raise ValueError(f"the sandbox serves on loopback only, not on {host}")
    if port not in PORTS:
        raise ValueError(f"a port is a number from 0 to {PORTS[-1]}")
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    name = f"[{host}]" if ":" in host else host
    with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        server = Server(service)
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

    def __init__(self, service: FailingService) -> None:
        self.failures: list[Exception] = []
        self._service = service
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
            try:
                await self._serve_requests(connection)
            except h11.RemoteProtocolError as error:
                self._service.tell("400: no HTTP")
                body = dump_json({"errors": [{"type": "invalidRequest", "message": str(error)}]})
                await connection.send(None, build_json_reply(400, body, {}), whole=True)

    async def _serve_requests(self, connection: Connection) -> None:
        while request := await connection.read_request():
            reply, whole = await self._reply(request)
            if reply is None or not await connection.send(request, reply, whole=whole):
                return

    async def _reply(self, request: Received) -> tuple[Reply | None, bool]:
        try:
            if reply := control(self._service, request):
                request.reply = reply
                self._service.tell(summarize(request, ""))
                return reply, True
            fault = self._service.receive(request)
            if fault.delay:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), fault.delay)
            return self._service.handle(request, fault), fault.cut is None
        except Exception as error:
            log.exception("the sandbox failed")
            self.failures.append(error)
            return build_reply(500, repr(error).encode(), {}, "text/plain"), True
