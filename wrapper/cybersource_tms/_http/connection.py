"""One connection, and the steps of the exchange that it is used for."""

import ssl
import time
from typing import Any, Generic, TypeVar, cast

import httpx
from attrs import define, field

from cybersource_tms._calls.retries import Attempts

Transport = TypeVar("Transport", httpx.BaseTransport, httpx.AsyncBaseTransport)


class DeadlinePassed(httpx.TimeoutException):
    """The call has used up its `total_timeout`."""

    def __init__(self) -> None:
        super().__init__("total_timeout is over")


@define
class Connection(Generic[Transport]):
    """A transport of `httpx` for one connection, or the caller's transport, and the exchange that it is used for.

    No step of an exchange begins after the deadline, and none may take longer than what is left.
    """

    transport: Transport
    keeps_alive: bool  # nobody else uses this transport, so the connection can be used again
    is_custom: bool  # the caller's own: its errors do not tell whether the request was sent
    waited: float = 0.0  # seconds for a free place (async only)
    stream: Any = None  # httpcore's network stream, which is the open connection
    timeouts: dict[str, float] = field(init=False)  # seconds; httpcore reads them when a step begins
    started: float = field(init=False)  # `time.monotonic()`
    attempts: Attempts[Any] = field(init=False)

    def begin(self, attempts: Attempts[Any], timeout: httpx.Timeout) -> None:
        """Begin an exchange: the next attempt."""
        self.started, self.attempts = time.monotonic(), attempts
        self.timeouts = cast("dict[str, float]", timeout.as_dict())

    def start_sending(self) -> None:
        """Start to send the request."""
        self.check_deadline()
        # A transport of the caller's making does not say when it sends, so its request counts as sent from the start.
        self.attempts.request_sent = self.is_custom

    def seconds_left(self) -> float:
        """Return how many seconds are left before the deadline."""
        left = self.attempts.call.seconds_left()
        if left <= 0:
            raise DeadlinePassed
        return left

    def check_deadline(self) -> None:
        """Shorten the time-outs of the next steps to what is left."""
        left = self.seconds_left()
        for step, seconds in self.timeouts.items():
            self.timeouts[step] = min(left, seconds)

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Note a step: httpcore calls this before and after each, https://www.encode.io/httpcore/extensions/#trace."""
        step, _, moment = event.rpartition(".")
        if moment == "started" and not step.endswith("response_closed"):
            self.check_deadline()
            # A proxy is asked to connect by a request of its own.
            if step.endswith("send_request_headers") and info["request"].method != b"CONNECT":
                self.attempts.request_sent = True
        elif moment == "complete" and step.endswith(("connect_tcp", "start_tls")):
            self.stream = info["return_value"]

    async def async_trace(self, event: str, info: dict[str, Any]) -> None:
        """Note a step, as `trace` does."""
        self.trace(event, info)

    def has_leftovers(self) -> bool:
        """Return whether something follows the response that was read; True if that cannot be told."""
        is_open = self.stream is not None  # none is where httpx's transport is mocked, as by pytest-httpx
        return is_open and self.keeps_alive and (self._http_holds_more() or self._tls_holds_more())

    def _http_holds_more(self) -> bool:
        """Httpcore keeps what it has read beyond a response for the next one, and has no public way to ask for it."""
        transport: Any = self.transport
        try:
            connection = transport._pool.connections[0]  # noqa: SLF001 - see above
            while not hasattr(connection, "_h11_state"):
                connection = connection._connection  # noqa: SLF001 - the one within a proxy's
            return bool(connection._h11_state.trailing_data[0])  # noqa: SLF001 - see above
        except (AttributeError, IndexError):
            return True

    def _tls_holds_more(self) -> bool:
        """TLS of the async client keeps what it has read from the socket beyond a record."""
        tls = self.stream.get_extra_info("ssl_object")
        if not isinstance(tls, ssl.SSLObject):
            return False
        try:
            tls.read(1)
        except ssl.SSLError as error:
            return not isinstance(error, ssl.SSLWantReadError)
        return True

    @property
    def is_closed(self) -> bool:
        """Whether it is of no further use: its peer has closed it, or has sent what nobody asked for."""
        try:
            return self.stream is None or bool(self.stream.get_extra_info("is_readable"))
        except (OSError, ValueError):  # trio's, of a socket that is closed here
            return True
