"""A transport that keeps what a client sends, and lets a test act around each request."""

import ssl
from collections.abc import Callable
from typing import Any

import httpx

Hook = Callable[[int, httpx.Request], None]
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # httpx's own context takes 20 ms to load them


def do_nothing(number: int, request: httpx.Request) -> None:
    """Let a request pass."""


class RecordingTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Keeps each request in `requests`, calls `before`, sends the request, and calls `after`, whatever happened.

    Both are called with the request's number, counted from 0, and the request. If `before` raises, nothing is sent.
    With `through`, such as `sandbox.transport`, that transport sends it, instead of some connections of its own.
    """

    def __init__(
        self, before: Hook = do_nothing, *, after: Hook = do_nothing, connections: int = 10, through: Any = None
    ) -> None:
        self.before, self.after = before, after
        self.requests: list[httpx.Request] = []
        self._limits = httpx.Limits(max_connections=connections)
        self._sync = self._async = through

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request of the sync client."""
        number = self._record(request)
        self._sync = self._sync or httpx.HTTPTransport(verify=NO_CERTIFICATES, limits=self._limits)
        try:
            response: httpx.Response = self._sync.handle_request(request)
        finally:
            self.after(number, request)
        return response

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request of the async client."""
        number = self._record(request)
        self._async = self._async or httpx.AsyncHTTPTransport(verify=NO_CERTIFICATES, limits=self._limits)
        try:
            response: httpx.Response = await self._async.handle_async_request(request)
        finally:
            self.after(number, request)
        return response

    def _record(self, request: httpx.Request) -> int:
        self.requests.append(request)
        number = len(self.requests) - 1
        self.before(number, request)
        return number

    def methods(self) -> list[str]:
        """Return the methods of the requests, in order."""
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


def first(times: int, hook: Hook) -> Hook:
    """Call a hook for the first requests only."""
    return lambda number, request: hook(number, request) if number < times else None


def refuse(times: int) -> Hook:
    """Make the first connections fail, as if nobody listened."""

    def refuse_connection(number: int, request: httpx.Request) -> None:
        raise httpx.ConnectError("[Errno 111] Connection refused", request=request)

    return first(times, refuse_connection)
