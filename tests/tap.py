"""A transport between a client and the stand-in: it counts what passes, and can do things before each request."""

from collections.abc import Callable
from typing import Any

import httpx

Before = Callable[[int, httpx.Request], None]


def nothing(number: int, request: httpx.Request) -> None:
    """Let a request pass."""


class Tap(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Calls `before` with each request's number, from 0, and the request; the request goes on unless that raises."""

    def __init__(self, before: Before = nothing, *, after: Before = nothing, connections: int = 10) -> None:
        self.before, self.after = before, after
        self.requests: list[httpx.Request] = []
        self._limits = httpx.Limits(max_connections=connections)
        self._sync: Any = None
        self._async: Any = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on."""
        number = self._note(request)
        self._sync = self._sync or httpx.HTTPTransport(limits=self._limits)
        try:
            response: httpx.Response = self._sync.handle_request(request)
        finally:
            self.after(number, request)
        return response

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Do the same for the other client."""
        number = self._note(request)
        self._async = self._async or httpx.AsyncHTTPTransport(limits=self._limits)
        try:
            response: httpx.Response = await self._async.handle_async_request(request)
        finally:
            self.after(number, request)
        return response

    def _note(self, request: httpx.Request) -> int:
        self.requests.append(request)
        number = len(self.requests) - 1
        self.before(number, request)
        return number

    def methods(self) -> list[str]:
        """Return the methods of what passed, in order."""
        return [request.method for request in self.requests]

    def close(self) -> None:
        """Close the connections."""
        if self._sync:
            self._sync.close()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._async:
            await self._async.aclose()
            self._async = None

    @property
    def in_use(self) -> list[Any]:
        """The connections that wait for something, and are not just kept."""
        pool = (self._async or self._sync)._pool
        return [connection for connection in pool.connections if not connection.is_idle()]


def refuse(times: int) -> Before:
    """Let the first connections fail, as if nobody listened."""

    def before(number: int, request: httpx.Request) -> None:
        if number < times:
            raise httpx.ConnectError("[Errno 111] Connection refused", request=request)

    return before
