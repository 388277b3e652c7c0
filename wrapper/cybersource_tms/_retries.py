"""When a call is made again: what may be retried, how long to wait, and until when."""

import math
import random
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import httpx
import stamina
from attrs import field, frozen

from ._responses import log
from .errors import ConnectionFailed, CybersourceError, InvalidRequest, StatusError, UnreadableResponse

_Outcome = TypeVar("_Outcome")
_RETRIED = {429, 500, 502, 503, 504}
# What httpx raises for mistakes in the settings, and not for what happens on the network.
_MISTAKES = (
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
)
_SHORTEST = 0.001  # seconds; to a socket, 0 would mean not to wait at all

# The time.monotonic() at which the present call ends, whatever its attempts' own time-outs are.
_DEADLINE: ContextVar[float] = ContextVar("cybersource_tms.deadline", default=math.inf)


@frozen(kw_only=True)
class Retries:
    """How often and how long a client repeats a call that failed in passing.

    Repeated are: connections that could not be made, time-outs, cut connections, and the statuses 429, 500, 502, 503
    and 504. Between two attempts it waits `first_wait`, then twice as long each time, up to `longest_wait`, less a
    random part of up to a half. If the service says how long to wait (`Retry-After`), it waits so long, and if that is
    longer than `longest_wait`, the error is raised at once.

    Attributes:
        attempts: How many at the most, the first one included; 1 or more.
        first_wait: Seconds before the second attempt, 0 or more.
        longest_wait: Seconds between two attempts at the most, 0 or more.
        total_time: Seconds for the whole call, above 0. It bounds each attempt's own time-outs too.

    Raises:
        InvalidRequest: One of them is not such a number.
    """

    attempts: int = field(default=4)
    first_wait: float = field(default=0.25)
    longest_wait: float = field(default=8.0)
    total_time: float = field(default=60.0)

    def __attrs_post_init__(self) -> None:
        if type(self.attempts) is not int or self.attempts < 1:
            raise InvalidRequest("attempts: expected a whole number of 1 or more")
        for name, least in {"first_wait": 0.0, "longest_wait": 0.0, "total_time": _SHORTEST}.items():
            seconds = getattr(self, name)
            if type(seconds) not in {int, float} or not least <= seconds < math.inf:
                raise InvalidRequest(f"{name}: expected a finite number of seconds, {least:g} or more")


@contextmanager
def within(retries: Retries | None) -> Generator[None]:
    """Let what is done here, with all its calls, end in the total time."""
    token = _DEADLINE.set(min(_DEADLINE.get(), time.monotonic() + retries.total_time if retries else math.inf))
    try:
        yield
    finally:
        _DEADLINE.reset(token)


class Course:
    """One call with all of its attempts: it decides whether there is another one, and what their errors add up to."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._deadline = _DEADLINE.get()
        self._attempts = 0
        self._may_have_been_applied = False

    @contextmanager
    def attempt(self) -> Generator[None]:
        """Make one attempt, and add its error to the others."""
        self._attempts += 1
        try:
            yield
        except CybersourceError as error:
            error.attempts = self._attempts
            self._may_have_been_applied |= error.may_have_been_applied
            # An earlier attempt may have been applied, even if this one certainly was not.
            error.may_have_been_applied = self._may_have_been_applied
            raise

    def wait(self, error: Exception) -> float | bool:
        """Return the seconds to wait before the next attempt, or False if this was the last one: a hook for stamina."""
        if not may_be_retried(error) or self._attempts >= self._retries.attempts:
            return False
        seconds = self._seconds(error)
        if seconds is None or time.monotonic() + seconds >= self._deadline:
            return False
        log.info("attempt %d failed, the next one is in %.2f s: %s", self._attempts, seconds, error)
        return seconds

    def _seconds(self, error: Exception) -> float | None:
        asked = error.retry_after if isinstance(error, StatusError) else None
        if asked is not None:
            return asked if asked <= self._retries.longest_wait else None
        doubled = self._retries.first_wait * 2.0 ** min(self._attempts - 1, 64)
        longest = min(self._retries.longest_wait, doubled)
        return longest * random.uniform(0.5, 1)  # noqa: S311 - so that many clients do not come back at once


def repeated(retries: Retries | None, once: Callable[[], _Outcome]) -> _Outcome:
    """Call `once`, and again as long as `retries` allows; without them just once."""
    if retries is None:
        return once()
    course = Course(retries)
    try:
        with course.attempt():
            return once()
    except CybersourceError as error:
        first = error
    for attempt in stamina.retry_context(course.wait, attempts=None, timeout=None):  # the course knows when to end
        with attempt:
            if attempt.num == 1:
                raise first  # made outside, since this loop costs more than most calls need
            with course.attempt():
                return once()
    raise AssertionError  # pragma: no cover - the loop returns or raises


async def arepeated(retries: Retries | None, once: Callable[[], Awaitable[_Outcome]]) -> _Outcome:
    """Await `once()`, and again as long as `retries` allows; without them just once."""
    if retries is None:
        return await once()
    course = Course(retries)
    try:
        with course.attempt():
            return await once()
    except CybersourceError as error:
        first = error
    async for attempt in stamina.retry_context(course.wait, attempts=None, timeout=None):
        with attempt:
            if attempt.num == 1:
                raise first
            with course.attempt():
                return await once()
    raise AssertionError  # pragma: no cover - the loop returns or raises


def may_be_retried(error: Exception) -> bool:
    """Say whether the same call can have another outcome next time."""
    if isinstance(error, StatusError):
        return error.status_code in _RETRIED
    if isinstance(error, UnreadableResponse):
        return isinstance(error.__cause__, httpx.TransportError)  # the connection was cut within the answer
    return isinstance(error, ConnectionFailed) and not isinstance(error.__cause__, _MISTAKES)


class TimeLeft(dict[str, Any]):
    """The time-outs of a request, none of which goes beyond the call's deadline: httpcore gets them one by one."""

    def __init__(self, limits: Mapping[str, Any]) -> None:
        super().__init__(limits)
        self._deadline = _DEADLINE.get()

    def get(self, key: str, default: Any = None) -> Any:
        """Return a time-out as it is now."""
        limit = super().get(key, default)
        return limit and min(limit, max(self._deadline - time.monotonic(), _SHORTEST))
