"""Many customers: at most so many at a time, at most so fast, and an outcome for each."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import anyio
from attrs import frozen

from ._calls.records import CustomerRecord
from .errors import CybersourceError, InvalidRequest

_LONGEST_PAUSE = 60.0  # seconds that a job waits because the service asks for it
_LEAST = 1 / threading.TIMEOUT_MAX  # requests in a second, or a thread could not sleep as long
_SHORTEST_PAUSE = 1.0  # seconds after a 429 that does not say how long to wait


@frozen
class UpdateOutcome:
    """What became of one customer of a job.

    Attributes:
        customer_id: As it was given.
        record: The customer afterwards, with the paths of the fields that were sent; None if there is an error.
        error: Why it failed: a `CybersourceError`, or what the caller's function raised; None if it did not.
    """

    customer_id: str
    record: CustomerRecord | None = None
    error: BaseException | None = None


class JobEnded(CybersourceError):
    """A job has ended before this request was sent. No caller sees it."""

    may_have_been_applied = False


class Turns:
    """The turns of a job's requests: evenly spaced, and none while the service asks to wait.

    Raises:
        InvalidRequest: `per_second` is not a number above 0.
    """

    def __init__(self, per_second: float | None) -> None:
        if per_second is not None and not (type(per_second) in {int, float} and _LEAST <= per_second < math.inf):
            raise InvalidRequest("per_second: expected a number above 0; leave it out for no limit")

    def wait_for_turn(self) -> float:
        """Wait for a turn, and return the seconds that it took."""
        return 0.0

    def slow_down(self, error: CybersourceError) -> None:
        """Pause if the service asks for it: by a 429, or by `Retry-After` with any status."""

    def sleep(self, seconds: float) -> bool:
        """Wait between two attempts, and return whether the job still goes on."""
        time.sleep(seconds)
        return True


class AsyncTurns:
    """Does for tasks what `Turns` does for threads."""

    def __init__(self, per_second: float | None) -> None: ...

    async def wait_for_turn(self) -> float:
        return 0.0

    def slow_down(self, error: CybersourceError) -> None: ...

    async def sleep(self, seconds: float) -> bool:
        await anyio.sleep(seconds)
        return True


def run_job(
    function: Callable[[str, Any, Turns], CustomerRecord],
    pairs: Iterable[tuple[str, Any]],
    concurrency: int,
    per_second: float | None,
    max_failures: int | None,
) -> AbstractContextManager[Iterator[UpdateOutcome]]:
    """Return a job that is run when it is entered."""
    raise NotImplementedError


def run_async_job(*arguments: Any) -> Any:
    """Return a job that is run when it is entered."""
    raise NotImplementedError
