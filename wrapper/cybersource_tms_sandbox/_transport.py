"""The sandbox as an `httpx` transport: no network, no port."""

import time
from collections.abc import AsyncIterator, Iterator

import anyio
import httpx

from ._failing import FailingService
from ._faults import Fault
from ._messages import Received


class SandboxTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Passes requests to the sandbox, of both kinds of client.

    A cut connection is an `httpx.ReadError`. A delay that is longer than the client's read time-out is not waited for:
    the request is applied, as by a service that is slow, and `httpx.ReadTimeout` is raised at once.
    """

    def __init__(self, service: FailingService) -> None:
        self._service = service

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Handle a request of an `httpx.Client`."""
        request.read()
        received = received_from(request)
        fault = self._service.receive(received)
        if not times_out(request, fault):
            time.sleep(fault.delay)
        return self._respond(request, received, fault)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Handle a request of an `httpx.AsyncClient`."""
        await request.aread()
        received = received_from(request)
        fault = self._service.receive(received)
        if not times_out(request, fault):
            await anyio.sleep(fault.delay)
        return self._respond(request, received, fault)

    def _respond(self, request: httpx.Request, received: Received, fault: Fault) -> httpx.Response:
        reply = self._service.handle(received, fault)
        if times_out(request, fault):
            raise httpx.ReadTimeout(f"no response within the {fault.delay:g} s of the fault's delay", request=request)
        if reply is None:
            raise httpx.ReadError("the sandbox cut the connection, as it was told", request=request)
        return httpx.Response(reply.status, headers=reply.raw_headers, stream=Body(reply.body, cut=bool(fault.cut)))


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A response's body, or its first half and then a cut connection."""

    def __init__(self, body: bytes, *, cut: bool) -> None:
        self._body, self._cut = body, cut

    def __iter__(self) -> Iterator[bytes]:
        yield self._body[: len(self._body) // 2] if self._cut else self._body
        if self._cut:
            raise httpx.ReadError("the sandbox cut the connection, as it was told")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part


def received_from(request: httpx.Request) -> Received:
    """Return a request as the service sees it."""
    return Received(request.method, request.url.raw_path.decode(), request.headers.copy(), request.content)


def times_out(request: httpx.Request, fault: Fault) -> bool:
    """Return whether the client does not wait as long as the fault's delay."""
    read = request.extensions.get("timeout", {}).get("read")
    return read is not None and fault.delay > read
