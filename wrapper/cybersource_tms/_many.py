"""Updating many customers: at most so many at a time, and an outcome for each."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from functools import partial
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar, cast

import anyio
from anyio.abc import TaskGroup
from attrs import frozen

from cybersource_tms_api.models import Customer, CustomerUpdate

from ._call import CustomerRecord
from ._changed_fields import field_paths
from ._requests import Change, ChangeFunction, is_function
from ._tracebacks import drop_frames
from .errors import Forbidden, InvalidRequest, Unauthorized

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
        """Take note of an outcome. What befalls all customers stops the job."""
        self.in_flight.discard(_key(outcome.customer_id))
        error = outcome.error
        befalls_all = isinstance(error, Unauthorized | Forbidden) or (
            isinstance(error, InvalidRequest) and self.customers.is_closed
        )
        if befalls_all or not isinstance(error, Exception | None):
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

    async def read_async(self, updates: Iterable[Pair] | AsyncIterable[Pair]) -> AsyncGenerator[Pair]:
        """Yield one update after another, as `read` does."""
        if not isinstance(updates, AsyncIterable):
            for pair in self.read(updates):
                yield pair
            return
        number = 0
        try:
            async for item in updates:
                yield _check_pair(number, item)
                number += 1
                if self.stopped_by:
                    return
        except Exception as error:  # noqa: BLE001 - raised when what is in flight has ended
            self.stopped_by = error


def _check_pair(number: int, item: object) -> Pair:
    if isinstance(item, tuple | list) and len(cast("Sized", item)) == 2:  # noqa: PLR2004
        customer_id, change = cast("Pair", item)
        return customer_id, change
    raise InvalidRequest(f"updates: item {number} is not a pair of a customer id and a change")


def _key(customer_id: object) -> str:
    return str(customer_id).casefold()  # the service's ids are without case


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
    """Update customers in tasks, and yield an outcome for each as it finishes."""
    job = _Job(customers, concurrency)
    put, finished = anyio.create_memory_object_stream[UpdateOutcome](math.inf)
    with put, finished:
        async with _background_tasks() as tasks, aclosing(job.read_async(updates)) as pairs:
            async for customer_id, change in pairs:
                while job.must_wait(customer_id):
                    yield job.end(await finished.receive())
                if not job.stopped_by:
                    job.start(customer_id)
                    tasks.start_soon(_async_update, customers, customer_id, change, put.send_nowait)
                while finished.statistics().current_buffer_used or job.is_full:
                    yield job.end(await finished.receive())
            while job.in_flight:
                yield job.end(await finished.receive())
    if job.stopped_by:
        raise job.stopped_by


def _update(
    customers: Customers[CustomerRecord], customer_id: str, change: Change, put: Callable[[UpdateOutcome], None]
) -> None:
    asked = _Asked(change)
    try:
        put(asked.outcome(customer_id, customers.update(customer_id, asked.change)))
    except BaseException as error:  # noqa: BLE001 - it is the customer's outcome
        put(asked.failed(customer_id, error))


async def _async_update(
    customers: Customers[Awaitable[CustomerRecord]],
    customer_id: str,
    change: Change,
    put: Callable[[UpdateOutcome], None],
) -> None:
    asked = _Asked(change)
    try:
        put(asked.outcome(customer_id, await customers.update(customer_id, asked.change)))
    except anyio.get_cancelled_exc_class():
        raise
    except BaseException as error:  # noqa: BLE001 - it is the customer's outcome
        put(asked.failed(customer_id, error))


class _Asked:
    """The changes of a customer, which are known once a function was called.

    Attributes:
        change: What to call `update` with.
    """

    def __init__(self, change: Change) -> None:
        self.change: Change = change
        self._changes: object = change
        if is_function(change):
            self.change, self._changes = partial(self._ask, change), None

    def _ask(self, function: ChangeFunction, customer: Customer) -> CustomerUpdate | None:
        self._changes = None
        self._changes = changes = function(customer)
        return changes

    def outcome(self, customer_id: str, record: CustomerRecord) -> UpdateOutcome:
        if self._changes is None:
            return UpdateOutcome(customer_id)
        return UpdateOutcome(customer_id, record, self._paths())

    def failed(self, customer_id: str, error: BaseException) -> UpdateOutcome:
        # What is refused as invalid was not sent, and need not be a CustomerUpdate.
        changed = () if isinstance(error, InvalidRequest) else self._paths()
        return UpdateOutcome(customer_id, changed=changed, error=drop_frames(error))

    def _paths(self) -> tuple[str, ...]:
        return tuple(field_paths(self._changes.to_dict())) if isinstance(self._changes, CustomerUpdate) else ()


@asynccontextmanager
async def _background_tasks() -> AsyncGenerator[TaskGroup]:
    """Open a task group in a task of its own, since an async generator must not keep one open while it waits."""
    tasks, ready, ended = anyio.create_task_group(), anyio.Event(), anyio.Event()

    async def hold() -> None:
        try:
            async with tasks:
                ready.set()
                await anyio.sleep_forever()
        finally:
            ended.set()

    try:
        holder = asyncio.get_running_loop().create_task(hold())
    except RuntimeError:  # under trio
        import trio  # noqa: PLC0415 - not needed under asyncio

        trio.lowlevel.spawn_system_task(hold)
    else:
        holder.add_done_callback(lambda _: ended.set())  # cancelled before it began
    try:
        await ready.wait()
        yield tasks
    finally:
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await ended.wait()
