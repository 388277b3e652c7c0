"""A transport that gives every request the same response."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping

import httpx

from cybersource_tms_sandbox import page_customer

CORRELATION_ID = "c0ffee00-0000-4000-8000-000000000001"
TRANSACTION_ID = "c0ffee00-0000-4000-8000-000000000002"
PAGE = json.dumps(page_customer()).encode()
HEADERS = {"v-c-correlation-id": CORRELATION_ID, "uniqueTransactionID": TRANSACTION_ID, "ETag": "etag"}


class FixedResponse(httpx.MockTransport):
    """Gives every request the same response, or raises `error`, and keeps the requests.

    With `body_error`, that is raised after the body's bytes, while the client reads them.
    """

    def __init__(
        self,
        status: int = 200,
        body: bytes = PAGE,
        headers: Mapping[str, str] = HEADERS,
        *,
        error: Exception | None = None,
        body_error: Exception | None = None,
    ) -> None:
        self.requests: list[httpx.Request] = []
        self._response = status, headers, body
        self._error, self._body_error = error, body_error
        super().__init__(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self._error:
            raise self._error
        status, headers, body = self._response
        return httpx.Response(status, headers=headers, stream=Body(body, self._body_error))


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that is not read before the client reads it."""

    def __init__(self, content: bytes, error: Exception | None) -> None:
        self._content, self._error = content, error

    def __iter__(self) -> Iterator[bytes]:
        yield self._content
        if self._error:
            raise self._error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part
