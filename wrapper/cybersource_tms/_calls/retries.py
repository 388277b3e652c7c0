"""Retries: after which errors, after how long, and until when."""

import logging
import random
import time
from typing import Any, Generic

from attrs import define, frozen

from cybersource_tms._tracebacks import add_note
from cybersource_tms.errors import CybersourceError, InvalidRequest, StatusError

from .requests import Operation, Result

_log = logging.getLogger("cybersource_tms")

_MOST_ATTEMPTS = 1000
A_DAY = 86_400  # seconds
_SHORTEST = 0.001  # seconds
_FATES = ("was not applied", "may have been applied: read the customer before deciding")


@frozen(kw_only=True)
class Retries:
    """When a client retries after a transient failure.

    Retried: calls that could not connect, timed out or were cut, and the statuses 429, 500, 502, 503 and 504. Reads and
    updates are idempotent here, since a merge patch gives the same customer twice (RFC 7396). So they are retried even
    if an attempt may have been applied.
    The first delay is `initial_delay`. Each further one is twice as long, up to `max_delay`, less up to 50 % random
    jitter. If the service says how long to wait (`Retry-After`, RFC 9110 section 10.2.3), that is the delay; if it
    is longer than `max_delay`, the error is raised at once.

    Attributes:
        attempts: Maximum number of attempts, including the first; 1 to 1000.
        initial_delay: Seconds before the second attempt, 0 to a day.
        max_delay: Maximum number of seconds between two attempts, 0 to a day.
        total_timeout: Seconds for the whole call, 0.001 to a day: all reads and updates of an `apply` or `modify`, and
            the caller's function. Nothing is sent after it.

    Raises:
        InvalidRequest: An argument is out of range.
    """

    attempts: int = 4
    initial_delay: float = 0.25
    max_delay: float = 8.0
    total_timeout: float = 60.0

    def __attrs_post_init__(self) -> None:
        if type(self.attempts) is not int or not 1 <= self.attempts <= _MOST_ATTEMPTS:
            raise InvalidRequest(f"attempts: expected a whole number from 1 to {_MOST_ATTEMPTS}")
        for name, least in {"initial_delay": 0, "max_delay": 0, "total_timeout": _SHORTEST}.items():
            seconds = getattr(self, name)
            if type(seconds) not in {int, float} or not least <= seconds <= A_DAY:
                raise InvalidRequest(f"{name}: expected a number of seconds from {least:g} to {A_DAY}")


class Call:
    """One call of a public method: its deadline, and how many requests it has taken."""

    def __init__(self, retries: Retries) -> None:
        self._deadline = time.monotonic() + retries.total_timeout
        self.requests = 0

    def seconds_left(self) -> float:
        """Return how many seconds are left before the deadline; below 0 once it has passed."""
        return self._deadline - time.monotonic()

    def postpone(self, seconds: float) -> None:
        """Postpone the deadline by time that does not count: waiting for a connection or a turn."""
        self._deadline += seconds


@define
class Attempts(Generic[Result]):
    """The attempts of one operation in a call, and what is known of its fate."""

    operation: Operation[Result]
    _retries: Retries
    call: Call
    failed: int = 0
    in_doubt: bool = False  # a failed attempt may have been applied
    request_sent: bool = False  # the current attempt has begun to send; `Connection.trace` sets it
    last_error: CybersourceError | None = None

    def record(self, error: CybersourceError) -> None:
        """Count a failed attempt, and set its error's flag from all attempts so far. A read applies nothing."""
        self.failed += 1
        self.in_doubt |= error.may_have_been_applied and not self.operation.is_safe
        self.request_sent = False  # it is in `in_doubt` now
        error.attempts = self.failed
        error.may_have_been_applied = self.in_doubt
        self.last_error = error

    def next_delay(self, error: CybersourceError) -> float | None:
        """Return how many seconds to wait before the next attempt, or None if there is none."""
        if self.failed >= self._retries.attempts or not error.is_transient:
            return None
        if self.in_doubt and not self.operation.is_idempotent:
            return None
        delay = self._delay(error)
        if delay > self._retries.max_delay or delay >= self.call.seconds_left():
            return None
        facts = {**self.operation.log_fields, "attempt": self.failed, "delay": delay}
        _log.info("attempt %d failed, the next one is in %.2f s: %s", self.failed, delay, error, extra=facts)
        return delay

    def _delay(self, error: CybersourceError) -> float:
        if isinstance(error, StatusError) and error.retry_after is not None:
            return error.retry_after
        longest = min(self._retries.max_delay, self._retries.initial_delay * 2.0 ** min(self.failed - 1, 64))
        return longest * random.uniform(0.5, 1)  # noqa: S311 - so that many clients do not come back at once


def note_fate(error: BaseException, operation: Operation[Any], *, may_have_been_applied: bool) -> None:
    """Add a note to an exception that is not ours: whether the update may have been applied."""
    if not isinstance(error, CybersourceError) and not operation.is_safe:
        fate = _FATES[may_have_been_applied]
        add_note(error, f"cybersource_tms: the update of customer {operation.customer_id} {fate}")
