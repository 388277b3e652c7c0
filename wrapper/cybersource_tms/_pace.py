"""How fast the requests of one job follow each other."""

import math
import threading
import time

import anyio

from .errors import CybersourceError, InvalidRequest, StatusError, TooManyRequests

_LONGEST_PAUSE = 60.0  # seconds that a job waits because the service asks for it
_LEAST = 1 / threading.TIMEOUT_MAX  # requests in a second, or a thread could not sleep as long
_SHORTEST_PAUSE = 1.0  # seconds after a 429 that does not say how long to wait


class Pace:
    """Evenly spaced turns, `per_second` of them, and none while the service asks to wait.

    One call waits for a turn at a time, and the others for that one, so that a pause holds for all of them.

    Raises:
        InvalidRequest: `per_second` is not a number above 0.
    """

    def __init__(self, per_second: float | None) -> None:
        if per_second is not None and not (type(per_second) in {int, float} and _LEAST <= per_second < math.inf):
            raise InvalidRequest("per_second: expected a number above 0; leave it out for no limit")
        self._interval = 1 / per_second if per_second else 0.0
        self._next = 0.0
        self._paused_until = 0.0
        self._lock = threading.Lock()
        self._async_lock = anyio.Lock()

    def wait(self) -> float:
        """Wait for a turn, and return the seconds that it took."""
        started = time.monotonic()
        with self._lock:
            while (seconds := self._seconds()) > 0:
                time.sleep(seconds)
            self._take()
        return time.monotonic() - started

    async def async_wait(self) -> float:
        """Wait for a turn, as `wait` does."""
        started = time.monotonic()
        async with self._async_lock:
            while (seconds := self._seconds()) > 0:  # noqa: ASYNC110 - a pause can begin meanwhile
                await anyio.sleep(seconds)
            self._take()
        return time.monotonic() - started

    def slow_down(self, error: CybersourceError) -> None:
        """Pause if the service asks for it: by a 429, or by `Retry-After` with any status."""
        if isinstance(error, StatusError) and (error.retry_after or isinstance(error, TooManyRequests)):
            pause = min(error.retry_after or _SHORTEST_PAUSE, _LONGEST_PAUSE)
            self._paused_until = max(self._paused_until, time.monotonic() + pause)

    def _seconds(self) -> float:
        return max(self._next, self._paused_until) - time.monotonic()

    def _take(self) -> None:
        # One interval of delay is made up for: a busy machine wakes up late.
        self._next = max(self._next, time.monotonic() - self._interval) + self._interval
