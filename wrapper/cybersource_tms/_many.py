"""Many customers, with limits on how many are in flight and how fast, and an outcome for each as it finishes.

SyncJob, AsyncJob   read the pairs, begin each update as soon as it may, and yield the outcomes
  _Job              which customers are in flight, when the next request may be sent, and what has ended the job
"""

import math
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable
from contextlib import aclosing, asynccontextmanager, closing, contextmanager, suppress
from contextvars import Context, copy_context
from functools import partial
from itertools import count
from operator import contains
from queue import Empty, SimpleQueue
from typing import Any, ClassVar, Literal, cast

import anyio
from anyio.abc import TaskGroup

from ._calls.records import CustomerRecord, UpdateOutcome
from ._calls.requests import copy_changes
from ._calls.settings import parse_count
from ._tracebacks import drop_frames
from .errors import ConnectionFailed, CybersourceError, InvalidRequest, StatusError, TooManyRequests, UnreadableResponse

_LONGEST_PAUSE = 60.0  # seconds that a job waits because the service asks for it
_SHORTEST_PAUSE = 1.0  # seconds after a 429 that does not say how long to wait
ARGUMENTS_OF_ALL = {None, "auth", "encryption", "transport"}  # of an `InvalidRequest`; None: the client is closed
_LEAST = 1 / threading.TIMEOUT_MAX  # requests in a second, or a thread could not wait as long


class JobEnded(CybersourceError):
    """A job has ended before anything was sent for this customer. No caller sees it."""

    may_have_been_applied = False


class _Job:
    """The state of a job: which customers are in flight, when the next request may be sent, and what has ended it.

    The client's `_retry` waits for turns: these are evenly spaced, and there is none while the service asks to wait.
    """

    _pairs_class: ClassVar[Any] = Iterable

    def __init__(self, pairs: Any, concurrency: int, per_second: float | None, max_failures: int | None) -> None:
        if per_second is not None and not (type(per_second) in {int, float} and _LEAST <= per_second < math.inf):
            raise InvalidRequest("per_second: expected a number above 0; leave it out for no limit")
        if not isinstance(pairs, self._pairs_class):
            raise InvalidRequest("pairs: expected an iterable of pairs")
        self._pairs = pairs
        self._function: Any = None  # of the client: it updates one customer
        self._concurrency = parse_count("concurrency", concurrency)
        self._max_failures = None if max_failures is None else parse_count("max_failures", max_failures)
        self._numbers = count()
        self._in_flight: set[str] = set()
        self._finished: deque[UpdateOutcome] = deque()  # and not yet yielded
        self._failures = 0  # in a row
        self._has_ended = False
        self._error: BaseException | None = None  # raised after the outcomes of what was in flight
        self._interval = 1 / per_second if per_second else 0.0
        self._next_turn = self._paused_until = self._waited_until = -math.inf

    def slow_down(self, error: BaseException | None) -> None:
        """Pause if the service asks for it: by a 429, or by `Retry-After` with any status."""
        if isinstance(error, StatusError) and (error.retry_after or isinstance(error, TooManyRequests)):
            pause = min(error.retry_after or _SHORTEST_PAUSE, _LONGEST_PAUSE)
            self._paused_until = max(self._paused_until, self._now() + pause)

    def _waits(self) -> Generator[float]:
        """Yield how many seconds to wait for a turn, and again if a pause has begun meanwhile; then take the turn."""
        while not self._has_ended and (due := max(self._next_turn, self._paused_until)) > (now := self._now()):
            yield due - now
            self._waited_until = due
        self._next_turn = self._now() + self._interval

    def _now(self) -> float:
        return max(time.monotonic(), self._waited_until)  # a test may have stopped the clock

    def _parse_pair(self, item: object) -> tuple[Any, Any]:
        number = next(self._numbers)
        if isinstance(item, tuple | list) and len(pair := cast("tuple[Any, ...]", item)) == 2:  # noqa: PLR2004
            return pair[0], copy_changes(pair[1])  # `pairs` may use one dict for all
        raise InvalidRequest(f"pairs: item {number} is not a pair of a customer id and what to update")

    def _is_full(self) -> bool:
        return len(self._in_flight) + len(self._finished) >= self._concurrency

    def _finish(self, outcome: UpdateOutcome) -> None:
        """End an update. One that was not sent, because the job has ended, has no outcome."""
        if not isinstance(outcome.error, JobEnded):
            self.slow_down(outcome.error)
            concerned = _concerned(outcome.error)
            self._failures = {"none": self._failures, "several": self._failures + 1}.get(concerned, 0)
            if concerned == "all" or self._failures == self._max_failures:
                self._end(outcome.error)
            self._finished.append(outcome)
        self._in_flight.discard(_key(outcome.customer_id))

    def _end(self, error: BaseException | None = None) -> None:
        """Stop: nothing more begins or is sent. The first error is the one that is raised."""
        self._error = self._error or error
        self._has_ended = True


def _key(customer_id: object) -> str:
    # Ids are case-insensitive. A value that is not text is no id; the update reports that.
    return customer_id.lower() if isinstance(customer_id, str) else ""


def _concerned(error: BaseException | None) -> Literal["none", "one", "several", "all"]:
    """Return how many customers an error concerns; none if it says nothing about the service."""
    if isinstance(error, ConnectionFailed):
        return "several" if error.is_transient else "all"  # the proxy refuses, or the certificate is not trusted
    if isinstance(error, StatusError | UnreadableResponse):
        is_the_services = error.correlation_id or getattr(error, "errors", None)
        if not is_the_services or error.status_code == 429 or error.status_code >= 500:  # noqa: PLR2004
            return "several"
        return "all" if error.status_code in {401, 403} else "one"
    if error is None:
        return "one"
    is_of_all = isinstance(error, InvalidRequest) and error.argument in ARGUMENTS_OF_ALL
    return "all" if is_of_all or not isinstance(error, Exception) else "none"


class SyncJob(_Job):
    """Updates customers on threads. The caller's thread reads the pairs and takes the outcomes.

    A signal's handler may raise there at any moment. So that thread takes no lock, and looks before it waits.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._queue, self._lock = threading.Lock(), threading.Lock()  # for turns, and for what has finished
        self._ended: SimpleQueue[None] = SimpleQueue()
        self._work: SimpleQueue[tuple[Context, Any, Any] | None] = SimpleQueue()
        self._news: SimpleQueue[None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._running = 0

    @contextmanager
    def run(self, function: Callable[[str, Any], CustomerRecord]) -> Generator[Generator[UpdateOutcome]]:
        """Run the job while a block does; the function updates one customer."""
        self._function = function
        try:
            self._start_threads()
            with closing(self._outcomes()) as outcomes:
                yield outcomes
        finally:
            self._end()
            self._work.put(None)
            for thread in self._threads:
                thread.join()

    def wait_for_turn(self, delay: float, error: CybersourceError | None) -> float:
        """Wait for a retry's delay and for a turn, after the error of the last attempt if there was one.

        Return how long the turn took. If the job has ended meanwhile, raise that error, or `JobEnded`.
        """
        if error:
            self.slow_down(error)
            self._sleep(delay)
        started = time.monotonic()
        with self._queue:
            for seconds in self._waits():
                self._sleep(seconds)
        if self._has_ended:
            raise error or JobEnded("the job has ended")
        return time.monotonic() - started

    def _sleep(self, seconds: float) -> None:
        """Sleep, but wake when the job ends."""
        with suppress(Empty):
            self._ended.put(self._ended.get(timeout=seconds))

    def _end(self, error: BaseException | None = None) -> None:
        super()._end(error)
        self._ended.put(None)

    def _start_threads(self) -> None:
        """Start the threads, or as many of them as the system gives."""
        for number in range(self._concurrency):
            thread = threading.Thread(target=self._run_thread, name=f"cybersource_tms-{number}", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                if not self._threads:
                    raise
                break
            self._threads.append(thread)
        self._concurrency = self._running = len(self._threads)

    def _run_thread(self) -> None:
        while work := self._work.get():
            context, customer_id, wanted = work
            try:
                outcome = UpdateOutcome(customer_id, context.run(self._function, customer_id, wanted))
            except BaseException as error:  # noqa: BLE001 - it is the customer's outcome
                outcome = UpdateOutcome(customer_id, error=drop_frames(error))
            with self._lock:
                self._finish(outcome)
                self._tell()
        self._work.put(None)  # for the next thread
        with self._lock:
            self._running -= 1
            self._tell()

    def _tell(self) -> None:
        if self._news.empty():
            self._news.put(None)

    def _outcomes(self) -> Generator[UpdateOutcome]:
        while True:
            try:
                if not self._has_ended:
                    yield from self._begin_all()
                yield from self._take_rest()
                break
            except GeneratorExit:
                raise
            except BaseException as error:  # noqa: BLE001 - raised below, after the rest, whatever else comes meanwhile
                self._end(drop_frames(error))
        if self._error:
            raise self._error

    def _begin_all(self) -> Generator[UpdateOutcome]:
        for item in self._pairs:
            customer_id, wanted = self._parse_pair(item)
            yield from self._take_while(partial(contains, self._in_flight, _key(customer_id)))
            self._in_flight.add(_key(customer_id))
            self._work.put((copy_context(), customer_id, wanted))
            yield from self._take_while(lambda: self._finished or self._is_full())
            if self._has_ended:
                return

    def _take_rest(self) -> Generator[UpdateOutcome]:
        self._work.put(None)
        # `_running` first: a thread adds its outcome before it stops counting.
        yield from self._take_while(lambda: self._running or self._finished)

    def _take_while(self, condition: Callable[[], object]) -> Generator[UpdateOutcome]:
        while condition():
            if self._finished:
                outcome = self._finished[0]
                del self._finished[0]  # after `popleft()` a signal's handler may raise, and the outcome would be lost
                yield outcome
            else:
                self._news.get()


class AsyncJob(_Job):
    """Updates customers in tasks. Another task reads the pairs, and the caller's takes the outcomes."""

    _pairs_class = (Iterable, AsyncIterable)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._queue = anyio.Lock(fast_acquire=True)  # for turns
        self._ended, self._news = anyio.Event(), anyio.Event()
        self._has_read = False

    @asynccontextmanager
    async def run(
        self, function: Callable[[str, Any], Awaitable[CustomerRecord]]
    ) -> AsyncGenerator[AsyncGenerator[UpdateOutcome]]:
        """Run the job while a block does; the function updates one customer."""
        self._function = function
        tasks = await anyio.create_task_group().__aenter__()
        try:
            tasks.start_soon(self._read, tasks)
            async with aclosing(self._outcomes()) as outcomes:
                yield outcomes
        finally:
            tasks.cancel_scope.cancel()
            await tasks.__aexit__(None, None, None)  # not the error, which would come out in a group

    async def wait_for_turn(self, delay: float, error: CybersourceError | None) -> float:
        """Wait for a retry's delay and for a turn, as `SyncJob.wait_for_turn` does."""
        if error:
            self.slow_down(error)
            await self._sleep(delay)
        started = time.monotonic()
        async with self._queue:
            for seconds in self._waits():
                await self._sleep(seconds)
        if self._has_ended:
            raise error or JobEnded("the job has ended")
        return time.monotonic() - started

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but wake when the job ends."""
        with anyio.move_on_after(seconds):
            await self._ended.wait()

    def _end(self, error: BaseException | None = None) -> None:
        super()._end(error)
        self._ended.set()
        self._reading.cancel()

    async def _read(self, tasks: TaskGroup) -> None:
        try:
            with anyio.CancelScope() as self._reading:
                if hasattr(self._pairs, "__aiter__"):
                    async for item in self._pairs:
                        await self._begin(item, tasks)
                else:
                    for item in self._pairs:
                        await self._begin(item, tasks)
        except BaseException as error:  # noqa: BLE001 - raised when what is in flight has ended
            self._end(drop_frames(error))
        self._has_read = True
        self._tell()

    async def _begin(self, item: object, tasks: TaskGroup) -> None:
        customer_id, wanted = self._parse_pair(item)
        await self._wait_while(partial(contains, self._in_flight, _key(customer_id)))
        self._in_flight.add(_key(customer_id))
        tasks.start_soon(self._update, customer_id, wanted)
        await self._wait_while(self._is_full)

    async def _update(self, customer_id: Any, wanted: Any) -> None:
        try:
            outcome = UpdateOutcome(customer_id, await self._function(customer_id, wanted))
        except BaseException as error:  # noqa: BLE001 - it is the customer's outcome
            outcome = UpdateOutcome(customer_id, error=drop_frames(error))
        self._finish(outcome)
        self._tell()

    async def _outcomes(self) -> AsyncGenerator[UpdateOutcome]:
        while self._finished or self._in_flight or not self._has_read:
            if self._finished:
                outcome = self._finished.popleft()
                self._tell()
                yield outcome
            else:
                try:
                    await self._news.wait()
                except BaseException:  # a cancellation: what has finished meanwhile comes first
                    with suppress(GeneratorExit):  # or leaving the loop would swallow it
                        while self._finished:
                            yield self._finished.popleft()
                    raise
        if self._error:
            raise self._error

    async def _wait_while(self, condition: Callable[[], bool]) -> None:
        while condition():
            await self._news.wait()

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()
