"""A transport to the sandbox within the process that watches how many requests are in flight, and when they come."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import anyio.lowlevel
import httpx

from cybersource_tms_sandbox import Sandbox
from support.waiting import LIMIT, eventually


class WatchedTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Passes requests to the sandbox.

    Args:
        sandbox: The sandbox.
        together: The first requests wait until so many are in flight.

    Attributes:
        most: How many requests were in flight at a time.
        most_of_one: How many of them were for one and the same path.
        times: When the requests came, by `time.monotonic()`.
    """

    def __init__(self, sandbox: Sandbox, together: int = 1) -> None:
        self._transport = sandbox.transport
        self._together = together
        self._paths: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.most = self.most_of_one = 0
        self.times: list[float] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Handle a request of the sync client."""
        with self._counted(request):
            eventually(lambda: self.most >= self._together)
            return self._transport.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Handle a request of the async client."""
        with self._counted(request):
            with anyio.move_on_after(LIMIT):
                while self.most < self._together:  # noqa: ASYNC110 - as in the sync client's
                    await anyio.sleep(0.001)
            await anyio.lowlevel.checkpoint()
            return await self._transport.handle_async_request(request)

    @property
    def in_flight(self) -> int:
        """How many requests are in flight."""
        return self._paths.total()

    @contextmanager
    def _counted(self, request: httpx.Request) -> Iterator[None]:
        path = request.url.path.upper()
        with self._lock:
            self.times.append(time.monotonic())
            self._paths[path] += 1
            self.most = max(self.most, self.in_flight)
            self.most_of_one = max(self.most_of_one, *self._paths.values())
        try:
            yield
        finally:
            with self._lock:
                self._paths[path] -= 1
