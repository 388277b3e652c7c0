"""Updating many customers: at most so many at a time, and an outcome for each."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, suppress
from contextvars import copy_context
from functools import partial
from itertools import count
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar, cast

import anyio
from attrs import frozen

from cybersource_tms_api.models import Customer, CustomerUpdate

from ._calls.records import CustomerRecord
from ._calls.requests import Change, ChangeFunction, is_function
from ._diff.changed_fields import field_paths
from ._tracebacks import drop_frames
from .errors import CybersourceError, Forbidden, InvalidRequest, Unauthorized

Pair = tuple[str, Change]

_Returned_co = TypeVar("_Returned_co", CustomerRecord, Awaitable[CustomerRecord], covariant=True)


@frozen
class UpdateOutcome:
    """What became of one customer in `update_many`.

    Attributes:
        customer_id: As it was given.
        record: The customer afterwards; None if nothing had to be sent, and if there is an error.
        changed: The paths of the fields that were sent, such as `buyerInformation.email`.
        error: Why it failed: a `CybersourceError`, or what the change function raised; None if it did not.
    """

    customer_id: str
    record: CustomerRecord | None = None
    changed: tuple[str, ...] = ()
    error: BaseException | None = None


class Customers(Protocol[_Returned_co]):
    """What a job needs of a client."""

    @property
    def is_closed(self) -> bool:
        """Whether the client was closed."""
        ...

    def update(self, customer_id: str, changes: Change) -> _Returned_co:
        """Update a customer."""
        ...


class _Job(Generic[_Returned_co]):
    """Which customers are in flight, and what ends the job before its end."""

    def __init__(self, customers: Customers[_Returned_co], concurrency: int) -> None:
        self.customers: Customers[_Returned_co] = customers
        self.in_flight: set[str] = set()
        self.stopped_by: BaseException | None = None
        self._concurrency = concurrency

    def must_wait(self, customer_id: str) -> bool:
        """Say whether the customer is in flight already, which does not matter once the job is stopped."""
        return _key(customer_id) in self.in_flight and not self.stopped_by

    @property
    def is_full(self) -> bool:
        """Whether there is no room for one more."""
        return len(self.in_flight) >= self._concurrency

    def start(self, customer_id: str) -> None:
        self.in_flight.add(_key(customer_id))

    def end(self, outcome: UpdateOutcome) -> UpdateOutcome:
        """Take an outcome out of flight. An error that concerns all customers stops the job."""
        self.in_flight.discard(_key(outcome.customer_id))
        error = outcome.error
        concerns_all = isinstance(error, Unauthorized | Forbidden) or (
            isinstance(error, InvalidRequest) and self.customers.is_closed
        )
        if concerns_all or not isinstance(error, Exception | None):
            self.stopped_by = self.stopped_by or error
        return outcome

    def read(self, updates: Iterable[Pair]) -> Generator[Pair]:
        """Yield one update after another, until all were read or the job is stopped."""
        try:
            for number, item in enumerate(updates):
                yield _check_pair(number, item)
                if self.stopped_by:
                    return
        except Exception as error:  # noqa: BLE001 - raised when what is in flight has ended
            self.stopped_by = error


class _AsyncJob(_Job[Awaitable[CustomerRecord]]):
    """A job whose updates begin in another task than the one that takes the outcomes."""

    def __init__(self, customers: Customers[Awaitable[CustomerRecord]], concurrency: int) -> None:
        super().__init__(customers, concurrency)
        self._was_taken = anyio.Event()

    def wake(self) -> None:
        """Say that an outcome was taken."""
        self._was_taken.set()

    async def wait_while(self, condition: Callable[[], bool]) -> None:
        """Wait for outcomes to be taken until a condition is false."""
        while condition():
            self._was_taken = anyio.Event()
            await self._was_taken.wait()


def _check_pair(number: int, item: object) -> Pair:
    if isinstance(item, tuple | list) and len(cast("Sized", item)) == 2:  # noqa: PLR2004
        customer_id, change = cast("Pair", item)
        return customer_id, change
    raise InvalidRequest(f"updates: item {number} is not a pair of a customer id and a change")


def _key(customer_id: object) -> str:
    # The service's ids are without case. What is no text is no id, which the update says.
    return customer_id.casefold() if isinstance(customer_id, str) else ""


def update_many(
    customers: Customers[CustomerRecord], updates: Iterable[Pair], concurrency: int
) -> Generator[UpdateOutcome]:
    """Update customers on threads, and yield an outcome for each as it finishes; see `CustomersClient.update_many`."""
    job = _Job(customers, concurrency)
    finished: SimpleQueue[UpdateOutcome] = SimpleQueue()
    with ThreadPoolExecutor(concurrency, "update_many") as threads:
        for customer_id, change in job.read(updates):
            while job.must_wait(customer_id):
                yield job.end(finished.get())
            if not job.stopped_by:
                job.start(customer_id)
                threads.submit(_update, customers, customer_id, change, finished.put)
            # Before the next one is read, so that one that was read begins at once.
            while not finished.empty() or job.is_full:
                yield job.end(finished.get())
        while job.in_flight:
            yield job.end(finished.get())
    if job.stopped_by:
        raise job.stopped_by


async def async_update_many(
    customers: Customers[Awaitable[CustomerRecord]], updates: Iterable[Pair] | AsyncIterable[Pair], concurrency: int
) -> AsyncGenerator[UpdateOutcome]:
    """Update customers in tasks, and yield an outcome for each as it finishes, even while the next one is awaited."""
    job = _AsyncJob(customers, concurrency)
    send, finished = anyio.create_memory_object_stream[UpdateOutcome](math.inf)

    def put(outcome: UpdateOutcome) -> None:
        with suppress(anyio.BrokenResourceError):  # a loop that was cancelled twice waits for nothing any more
            send.send_nowait(outcome)

    with finished:
        async with _in_background(partial(_start_all, job, updates, put), send.close):
            async for outcome in finished:
                yield job.end(outcome)
                job.wake()
                if job.stopped_by and not job.in_flight:
                    break  # without the next update, which may be long in coming
    if job.stopped_by:
        raise job.stopped_by


async def _start_all(
    job: _AsyncJob, updates: Iterable[Pair] | AsyncIterable[Pair], put: Callable[[UpdateOutcome], None]
) -> None:
    """Begin each update as soon as it may, and return when all have ended."""
    async with anyio.create_task_group() as tasks:
        try:
            async with aclosing(_read_async(updates)) as pairs:
                async for customer_id, change in pairs:
                    await job.wait_while(partial(job.must_wait, customer_id))
                    if not job.stopped_by:
                        job.start(customer_id)
                        tasks.start_soon(_async_update, job.customers, customer_id, change, put)
                    # Before the next one is read, so that one that was read begins at once.
                    await job.wait_while(lambda: job.is_full)
                    if job.stopped_by:
                        break
        except BaseException as error:  # noqa: BLE001 - raised when what is in flight has ended
            job.stopped_by = job.stopped_by or error


async def _read_async(updates: Iterable[Pair] | AsyncIterable[Pair]) -> AsyncGenerator[Pair]:
    numbers = count()
    if isinstance(updates, AsyncIterable):
        async for item in updates:
            yield _check_pair(next(numbers), item)
    else:
        for item in updates:
            yield _check_pair(next(numbers), item)


def _update(
    customers: Customers[CustomerRecord], customer_id: str, change: Change, put: Callable[[UpdateOutcome], None]
) -> None:
    changes = _Changes()
    try:
        put(changes.outcome(customer_id, customers.update(customer_id, changes.capture(change))))
    except BaseException as error:  # noqa: BLE001 - it is the customer's outcome
        put(changes.failure(customer_id, error))


async def _async_update(
    customers: Customers[Awaitable[CustomerRecord]],
    customer_id: str,
    change: Change,
    put: Callable[[UpdateOutcome], None],
) -> None:
    changes = _Changes()
    try:
        put(changes.outcome(customer_id, await customers.update(customer_id, changes.capture(change))))
    except BaseException as error:  # noqa: BLE001 - it is the customer's outcome
        put(changes.failure(customer_id, error))


class _Changes:
    """What is sent for one customer, which is known once its function was called, and the outcome."""

    def __init__(self) -> None:
        self._changes: object = None

    def capture(self, change: Change) -> Change:
        """Return what to call `update` with."""
        if is_function(change):
            return partial(self._call, change)
        self._changes = change
        return change

    def _call(self, function: ChangeFunction, customer: Customer) -> CustomerUpdate | None:
        self._changes = None
        self._changes = changes = function(customer)
        return changes

    def outcome(self, customer_id: str, record: CustomerRecord) -> UpdateOutcome:
        if self._changes is None:
            return UpdateOutcome(customer_id)
        return UpdateOutcome(customer_id, record, self._paths())

    def failure(self, customer_id: str, error: BaseException) -> UpdateOutcome:
        # Otherwise nothing was sent, and the changes can be anything.
        was_sent = isinstance(error, CybersourceError) and not isinstance(error, InvalidRequest)
        changed = self._paths() if was_sent else ()
        return UpdateOutcome(customer_id, changed=changed, error=drop_frames(error))

    def _paths(self) -> tuple[str, ...]:
        return tuple(field_paths(self._changes.to_dict())) if isinstance(self._changes, CustomerUpdate) else ()


@asynccontextmanager
async def _in_background(function: Callable[[], Awaitable[None]], end: Callable[[], None]) -> AsyncGenerator[None]:
    """Run a function until the block ends, and then `end`, in another task.

    An async generator must not keep a task group open while it waits.
    """
    scope, ended, task = anyio.CancelScope(), anyio.Event(), None

    async def run() -> None:
        try:
            with scope:
                await function()
        finally:
            end_all()

    def end_all(_: object = None) -> None:
        end()
        ended.set()

    try:
        task = asyncio.get_running_loop().create_task(run())
    except RuntimeError:  # under trio
        import trio  # noqa: PLC0415 - not needed under asyncio

        trio.lowlevel.spawn_system_task(run, context=copy_context())
    else:
        task.add_done_callback(end_all)  # it may have been cancelled before it began
    try:
        yield
        if task and task.done():
            await task  # which raises if somebody else has cancelled it
    finally:
        scope.cancel()
        with anyio.CancelScope(shield=True):
            await ended.wait()
