"""When a call is made again: after which errors, how long to wait, and until when."""

import logging
import math
import random
import time
from typing import Any

import httpx
from attrs import field, frozen

from cybersource_tms._calls.records import Call
from cybersource_tms.errors import ConnectionFailed, CybersourceError, InvalidRequest, StatusError, UnreadableResponse

_log = logging.getLogger("cybersource_tms")

_TRANSIENT_STATUSES = {429, 500, 502, 503, 504}
# What httpx raises for wrong settings or requests: it will be as wrong the next time.
_PERMANENT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)
_SHORTEST = 0.001  # seconds


@frozen(kw_only=True)
class Retries:
    """How often and how long a client repeats a call after a transient failure.

    Repeated are calls that found no connection, timed out or were cut, and the statuses 429, 500, 502, 503 and 504. A
    call that must not be applied twice (RFC 9110 section 9.2.2) is repeated only if it was certainly not applied.
    The first wait is `first_wait`, each further one twice as long, up to `longest_wait`, and up to 50 % random jitter
    is taken off. If the service says how long to wait (`Retry-After`, RFC 9110 section 10.2.3), that is the wait; if it
    is longer than `longest_wait`, the error is raised at once.

    Attributes:
        attempts: How many at most, the first one included; 1 or more.
        first_wait: Seconds before the second attempt, 0 or more.
        longest_wait: Seconds between two attempts at most, 0 or more.
        total_time: Seconds for the whole call, above 0. Nothing is sent after it.

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


class Attempts:
    """The attempts of one call.

    Attributes:
        deadline: The `time.monotonic()` after which nothing is sent.
    """

    def __init__(self, retries: Retries | None, call: Call[Any], deadline: float | None = None) -> None:
        self._retries = retries
        self._call = call
        self._made = 0
        self._may_have_been_applied = False
        if deadline is None:
            deadline = time.monotonic() + retries.total_time if retries else math.inf
        self.deadline = deadline

    def wait_after(self, error: CybersourceError) -> float | None:
        """Return how many seconds to wait before the next attempt, or None if there is none.

        The error is told how many attempts there were, and whether any of them may have been applied.
        """
        self._made += 1
        self._may_have_been_applied |= error.may_have_been_applied and not self._call.is_safe
        error.attempts = self._made
        error.may_have_been_applied = self._may_have_been_applied
        if self._retries is None or self._made >= self._retries.attempts or not is_transient(error):
            return None
        if self._may_have_been_applied and not self._call.may_be_applied_twice:
            return None
        seconds = self._seconds(error, self._retries)
        if seconds > self._retries.longest_wait or time.monotonic() + seconds >= self.deadline:
            return None
        _log.info("attempt %d failed, the next one is in %.2f s: %s", self._made, seconds, error)
        return seconds

    def _seconds(self, error: CybersourceError, retries: Retries) -> float:
        if isinstance(error, StatusError) and error.retry_after is not None:
            return error.retry_after
        longest = min(retries.longest_wait, retries.first_wait * 2.0 ** min(self._made - 1, 64))
        return longest * random.uniform(0.5, 1)  # noqa: S311 - so that many clients do not come back at once


def is_transient(error: CybersourceError) -> bool:
    """Say whether the same call can end in another way the next time."""
    if isinstance(error, StatusError):
        return error.status_code in _TRANSIENT_STATUSES
    if isinstance(error, UnreadableResponse):
        return isinstance(error.__cause__, httpx.TransportError)  # cut in the middle of the response
    return isinstance(error, ConnectionFailed) and not isinstance(error.__cause__, _PERMANENT)
