"""One connection of the sandbox's server: HTTP/1.1, by h11."""

import asyncio

import h11
import httpx

from ._messages import NO_BODY, Received, Reply

LONGEST_HEAD = 65_536  # bytes of a request's first line and headers
READ_SIZE = 65_536


class Connection:
    """Reads requests and sends replies, in turn."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD)

    async def read_request(self) -> Received | None:
        """Return the next request, or None at the end of the connection."""
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        head = await self._next_event()
        if not isinstance(head, h11.Request):
            return None
        body = bytearray()  # to append to bytes would take quadratic time
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
        return Received(head.method.decode(), head.target.decode(), httpx.Headers(list(head.headers)), bytes(body))

    async def _next_event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._reader.read(READ_SIZE))
        return event

    async def send(self, request: Received | None, reply: Reply, *, whole: bool) -> bool:
        """Send a reply, or its head and half of its body, and return whether another request may follow."""
        events: list[h11.Event] = [h11.Response(status_code=reply.status, headers=reply.raw_headers)]
        if reply.status not in NO_BODY and not (request and request.method == "HEAD"):
            events.append(h11.Data(data=reply.body if whole else reply.body[: len(reply.body) // 2]))
        if whole:
            events.append(h11.EndOfMessage())
        await self._send(*events)
        return self._http.our_state is h11.DONE

    async def _send(self, *events: h11.Event) -> None:
        # In one write: after a first one, Nagle's algorithm holds the second back for 40 ms.
        self._writer.write(b"".join(self._http.send(event) or b"" for event in events))
        await self._writer.drain()
