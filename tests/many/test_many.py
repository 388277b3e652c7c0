"""Many customers at a time: an outcome for each, never more in flight than was asked for, and nothing left behind."""

import asyncio
import gc
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple

import anyio
import httpx
import pytest

from cybersource_tms import (
    AsyncCustomersClient,
    Customer,
    CustomersClient,
    Retries,
    SharedSecretAuth,
    UpdateOutcome,
    errors,
)
from cybersource_tms._many import SyncJob
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, SECRET, Fault, Sandbox, page_customer
from support.waiting import LIMIT, eventually
from support.watched_transport import WatchedTransport

AUTH = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
IDS = [f"{number:032d}" for number in range(12)]
UNKNOWN = "0" * 31 + "Z"
WANTED = {"buyerInformation": {"email": "jane.roe@example.com"}}
ALL = [(customer_id, WANTED) for customer_id in IDS]
LONG = 300  # seconds that no test waits: what waits so long has to be ended
ASYNC = ["asyncio", "trio"]


class Result(NamedTuple):
    """What a job gave: its outcomes, and what was raised after them."""

    outcomes: list[UpdateOutcome]
    raised: BaseException | None

    @property
    def errors(self) -> list[BaseException]:
        """The errors of the outcomes."""
        return [outcome.error for outcome in self.outcomes if outcome.error]

    @property
    def updated(self) -> list[str]:
        """The customers that were updated."""
        return sorted(outcome.customer_id for outcome in self.outcomes if outcome.record)


class Runner:
    """Runs jobs of one kind: on threads, under asyncio or under trio."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, transport: Any, pairs: Any, method: str = "apply_many", **options: Any) -> Result:
        """Run a job to its end, or to the first outcome, where `leave` is raised, or the loop left if that is None."""
        leave = options.pop("leave", "not")
        settings = {name: options.pop(name) for name in ("retries", "max_connections") if name in options}
        settings = {"transport": transport, "retries": None, **settings}
        outcomes: list[UpdateOutcome] = []

        def take(outcome: UpdateOutcome) -> bool:
            outcomes.append(outcome)
            if isinstance(leave, BaseException):
                raise leave
            return leave is None

        def collect() -> None:
            with CustomersClient("test", AUTH, **settings) as customers:
                with getattr(customers, method)(pairs, **options) as steps:
                    any(take(outcome) for outcome in steps)

        async def collect_async() -> None:
            async with AsyncCustomersClient("test", AUTH, **settings) as customers:
                async with getattr(customers, method)(pairs, **options) as steps:
                    async for outcome in steps:
                        if take(outcome):
                            break

        try:
            collect() if self.kind == "sync" else anyio.run(collect_async, backend=self.kind)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            return Result(outcomes, error)
        return Result(outcomes, None)


run_sync = Runner("sync")


@pytest.fixture(params=["sync", *ASYNC])
def run(request: pytest.FixtureRequest) -> Iterator[Runner]:
    """Return what runs jobs. No thread is left of them."""
    yield Runner(request.param)
    assert not threads()


@pytest.fixture
def fleet(sandbox: Sandbox) -> Sandbox:
    """Return the sandbox with many customers."""
    for customer_id in IDS:
        sandbox.add({**page_customer(), "id": customer_id})
    return sandbox


class Between(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport to the sandbox that first asks a function: a response, an error to raise, or None to go on.

    Attributes:
        asked: The customer ids of the requests.
    """

    def __init__(self, sandbox: Sandbox, ask: Callable[[str], httpx.Response | Exception | None]) -> None:
        self._transport, self._ask = sandbox.transport, ask
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Handle a request of the sync client."""
        return self._answer(request) or self._transport.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Handle a request of the async client."""
        return self._answer(request) or await self._transport.handle_async_request(request)

    def _answer(self, request: httpx.Request) -> httpx.Response | None:
        self.asked.append(request.url.path.rpartition("/")[2])
        found = self._ask(self.asked[-1])
        if isinstance(found, Exception):
            raise found
        return found


def html(status: int) -> httpx.Response:
    """Return a response of something in front of the service."""
    return httpx.Response(status, html="<h1>blocked</h1>")


def threads() -> list[str]:
    """Return the names of the threads of jobs."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("cybersource_tms")]


# Outcomes


@pytest.mark.parametrize("concurrency", [1, 5, 50])
def test_each_customer_has_an_outcome(run: Runner, fleet: Sandbox, concurrency: int) -> None:
    """Whatever is wanted; the record is the customer afterwards, and its `sent` the paths that were sent."""
    kinds = [(WANTED, ("buyerInformation.email",)), (lambda customer: WANTED, ("buyerInformation.email",)), (fine, ())]
    jobs = {customer_id: kinds[number % 3] for number, customer_id in enumerate(IDS)}
    pairs = ((customer_id, wanted) for customer_id, (wanted, _) in jobs.items())
    result = run(fleet.transport, pairs, concurrency=concurrency)
    assert (result.updated, result.raised) == (IDS, None)
    for outcome in result.outcomes:
        assert outcome.record
        assert outcome.record.sent == jobs[outcome.customer_id][1]
        assert outcome.record.customer.to_dict() == fleet[outcome.customer_id]


def test_update_many_reads_nothing(run: Runner, fleet: Sandbox) -> None:
    """It sends one request for each customer, and none where there is no pair."""
    assert run(fleet.transport, [], method="update_many") == ([], None)
    assert not run(fleet.transport, ALL, method="update_many").errors
    assert [request.method for request in fleet.received] == ["PATCH"] * len(IDS)


def fine(customer: Customer) -> None:
    """Return that there is nothing to change."""


def fail(customer: Customer) -> None:
    """Raise what only the caller knows."""
    raise LookupError("no such row")


class Unprintable:
    """Cannot be written as text."""

    def __str__(self) -> str:
        raise LookupError("no text")


OF_ONE: dict[str, tuple[tuple[Any, Any], type[Exception]]] = {
    "unknown": ((UNKNOWN, WANTED), errors.NotFound),
    "deleted": ((IDS[3], WANTED), errors.TokenDeleted),
    "not an id": (("../x", WANTED), errors.InvalidRequest),
    "no text": ((None, WANTED), errors.InvalidRequest),
    "an id that cannot be written": ((Unprintable(), WANTED), errors.InvalidRequest),
    "an unknown field": ((IDS[4], {"mail": "x"}), errors.InvalidRequest),
    "a function that raises": ((IDS[4], fail), LookupError),
    "a function of no use": ((IDS[4], lambda customer: 5), errors.InvalidRequest),
}


@pytest.mark.parametrize(("pair", "kind"), OF_ONE.values(), ids=OF_ONE)
def test_an_error_of_one_customer(run: Runner, fleet: Sandbox, pair: tuple[Any, Any], kind: type[Exception]) -> None:
    """It is in that customer's outcome, and the others are updated."""
    fleet.delete(IDS[3])
    result = run(fleet.transport, [(IDS[0], WANTED), pair, (IDS[1], WANTED)], max_failures=1)
    (wrong,) = [outcome for outcome in result.outcomes if outcome.error]
    assert (wrong.customer_id, type(wrong.error), wrong.record) == (pair[0], kind, None)
    assert (result.updated, result.raised) == (IDS[:2], None)


# What ends a job


def untrusted() -> httpx.ConnectError:
    """Return the error of a connection whose certificate is not trusted."""
    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = ssl.SSLCertVerificationError()
    return error


OF_ALL: dict[str, tuple[Callable[[], Any], type[BaseException]]] = {
    "401": (lambda: httpx.Response(401, json={"response": {"rmsg": "Authentication Failed"}}), errors.Unauthorized),
    "401 without a body": (lambda: httpx.Response(401, headers={"v-c-correlation-id": "x"}), errors.Unauthorized),
    "403": (lambda: httpx.Response(403, json={"errors": [{"type": "forbidden"}]}), errors.Forbidden),
    "a proxy's 407": (lambda: httpx.ProxyError("407 Proxy Authentication Required"), errors.ConnectionFailed),
    "an untrusted certificate": (untrusted, errors.ConnectionFailed),
}


@pytest.mark.parametrize(("failure", "kind"), OF_ALL.values(), ids=OF_ALL)
def test_an_error_of_all_customers(run: Runner, fleet: Sandbox, failure: Any, kind: type[Exception]) -> None:
    """It ends the job: what waits for its turn is not sent, no more pairs are read, and then it is raised."""
    pairs, transport = iter(ALL), Between(fleet, lambda customer_id: failure())
    result = run(transport, pairs, concurrency=4, per_second=1 / LONG, retries=Retries())
    assert type(result.raised) is kind
    assert result.errors == [result.raised]
    assert len(transport.asked) == 1
    assert len(list(pairs)) >= len(ALL) - 4


def test_a_closed_client(fleet: Sandbox) -> None:
    """It ends the job, which says that the client is closed."""
    customers = CustomersClient("test", AUTH, transport=fleet.transport)
    with pytest.raises(errors.InvalidRequest, match="closed"), customers.apply_many(ALL, concurrency=2) as outcomes:
        for number, _ in enumerate(outcomes):
            customers.close()
            assert number <= 3


OUTAGES: dict[str, Callable[[], Any]] = {
    "no connection": lambda: httpx.ConnectError("refused"),
    "no response": lambda: httpx.ReadTimeout("slow"),
    "503": lambda: httpx.Response(503, headers={"v-c-correlation-id": "x"}),
    "403 of a firewall": lambda: html(403),
    "404 of a gateway": lambda: html(404),
    "a login page": lambda: html(200),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_an_outage(run: Runner, fleet: Sandbox, outage: Any) -> None:
    """After `max_failures` in a row the job ends with the last one. Alone it is a customer's outcome."""
    result = run(Between(fleet, lambda customer_id: outage()), ALL, concurrency=1, max_failures=3)
    assert len(result.errors) == len(result.outcomes) == 3
    assert result.raised is result.errors[-1]
    result = run(Between(fleet, lambda customer_id: outage() if customer_id == IDS[3] else None), ALL)
    assert (len(result.errors), len(result.outcomes), result.raised) == (1, len(IDS), None)


def test_failures_that_are_not_in_a_row(run: Runner, fleet: Sandbox) -> None:
    """A success ends a row, and so does an error of one customer. A 429 counts."""
    fine = {IDS[2], UNKNOWN}
    transport = Between(fleet, lambda customer_id: None if customer_id in fine else html(403))
    pairs = [(each, WANTED) for each in (*IDS[:5], UNKNOWN, *IDS[5:7])]
    outcomes, raised = run(transport, pairs, concurrency=1, max_failures=3)
    assert (len(outcomes), raised) == (8, None)
    fleet.fail(429)
    assert isinstance(run(fleet.transport, ALL, max_failures=1).raised, errors.TooManyRequests)


class Stop(BaseException):
    """What a framework raises to stop a worker."""


RAISED = [LookupError("the database went away"), KeyboardInterrupt(), SystemExit(143), asyncio.CancelledError(), Stop()]


@pytest.mark.parametrize("problem", RAISED, ids=lambda problem: type(problem).__name__)
@pytest.mark.parametrize("place", ["pairs", "async pairs", "function"])
def test_what_the_caller_raises(run: Runner, fleet: Sandbox, problem: BaseException, place: str) -> None:
    """The outcomes of what was in flight come first; then the same object is raised, and not in a group."""

    def stop(customer: Customer) -> None:
        raise problem

    def pairs() -> Iterator[tuple[str, Any]]:
        yield from ALL[:5]
        if place != "function":
            raise problem
        yield IDS[5], stop

    async def async_pairs() -> AsyncIterator[tuple[str, Any]]:
        for pair in pairs():
            yield pair

    is_outcome, is_async = place == "function", place == "async pairs" and run.kind != "sync"
    result = run(fleet.transport, async_pairs() if is_async else pairs(), concurrency=2)
    assert result.raised is (None if is_outcome and isinstance(problem, Exception) else problem)
    assert result.errors == [problem] * is_outcome
    assert len(result.outcomes) >= 4
    assert result.updated == sorted(request.path[-32:] for request in fleet.received if request.method == "PATCH")


@pytest.mark.parametrize("item", [IDS[0], "ab", (IDS[0],), (IDS[0], WANTED, None), None, {IDS[0]: 1, IDS[1]: 2}])
def test_what_is_not_a_pair(run: Runner, fleet: Sandbox, item: Any) -> None:
    """It ends the job; the message says which item it is, and shows nothing of it."""
    result = run(fleet.transport, [(IDS[5], WANTED), item], concurrency=1)
    assert str(result.raised) == "pairs: item 1 is not a pair of a customer id and what to update"
    assert result.updated == [IDS[5]]


WRONG = [
    *({"concurrency": value} for value in (0, -1, True, 1.5, "3", None)),
    *({"max_failures": value} for value in (0, True, "3")),
    *({"per_second": value} for value in (0, -1, True, "x", float("nan"), float("inf"), 1e-320)),
    *({"pairs": value} for value in (None, 5)),
]


@pytest.mark.parametrize("options", WRONG, ids=str)
@pytest.mark.parametrize("client_class", [CustomersClient, AsyncCustomersClient])
def test_wrong_arguments(client_class: Any, options: dict[str, Any]) -> None:
    """They are refused when the job is made, by name."""
    (name,) = options
    with pytest.raises(errors.InvalidRequest, match=rf"^{name}: "):
        client_class("test", AUTH).apply_many(**{"pairs": [], **options})


def test_an_error_has_no_frames_of_the_job(run: Runner, fleet: Sandbox) -> None:
    """Their locals would hold what the customers should have."""
    fleet.fail(401)
    raised = run(fleet.transport, ALL).raised
    traceback, names = raised and raised.__traceback__, set()
    while traceback:
        names.add(traceback.tb_frame.f_globals["__name__"])
        traceback = traceback.tb_next
    assert "cybersource_tms._many" not in names


# Threads and signals


@pytest.mark.parametrize("given", [0, 1, 4])
def test_the_system_gives_few_threads(fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, given: int) -> None:
    """The job goes on with those. Without any, what the system says is raised, and nothing is sent."""
    start = threading.Thread.start

    def start_if_possible(thread: threading.Thread) -> None:
        if thread.name.startswith("cybersource_tms") and len(threads()) >= given:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_if_possible)
    transport = WatchedTransport(fleet, together=given)
    result = run_sync(transport, ALL, concurrency=8)
    assert transport.most == given
    assert (result.updated, str(result.raised)) == ((IDS, "None") if given else ([], "can't start new thread"))


MAIN_ENDS = """
import threading
from cybersource_tms import CustomersClient, SharedSecretAuth
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, SECRET, Sandbox, page_customer

def pairs():
    threading.main_thread().join()
    for number in range(20):
        sandbox.add({**page_customer(), "id": f"{number:032d}"})
        yield f"{number:032d}", {"buyerInformation": {"email": "x@example.com"}}

def update():
    customers = CustomersClient("test", SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET), transport=sandbox.transport)
    with customers.apply_many(pairs(), concurrency=4) as outcomes:
        print(sum(outcome.error is None for outcome in outcomes))

sandbox = Sandbox()
threading.Thread(target=update).start()
"""


def test_the_main_thread_ends() -> None:
    """A job on another thread goes on to its end: its own threads have all been started before."""
    done = subprocess.run([sys.executable, "-c", MAIN_ENDS], check=True, capture_output=True, text=True, timeout=LIMIT)
    assert (done.stdout, done.stderr) == ("20\n", "")


def test_a_signal(fleet: Sandbox) -> None:
    """What its handler raises while the loop waits comes after the outcomes of what was in flight."""
    handled = threading.Event()

    def interrupt(*_: object) -> None:
        handled.set()
        raise Stop

    def ask(customer_id: str) -> None:
        if len(fleet.received) == 2:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            handled.wait(LIMIT)

    before = signal.signal(signal.SIGUSR1, interrupt)
    transport = Between(fleet, ask)
    result = run_sync(transport, ALL, "update_many", concurrency=2)
    signal.signal(signal.SIGUSR1, before)
    assert type(result.raised) is Stop
    assert 3 <= len(transport.asked) <= 4
    assert result.updated == sorted(transport.asked)


# Leaving

NEVER = Retries(initial_delay=LONG, max_delay=LONG, total_timeout=9999)
WAITS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "for a turn": ([], {"per_second": 1 / LONG}),
    "for the end of a pause": ([Fault(status=503, headers={"Retry-After": str(LONG)})], {}),
    "for a retry": ([503, Fault()], {"retries": NEVER}),
}


@pytest.mark.parametrize(("faults", "options"), WAITS.values(), ids=WAITS)
@pytest.mark.parametrize("leave", [None, LookupError("enough")], ids=["break", "raise"])
def test_leaving(run: Runner, fleet: Sandbox, faults: Any, options: Any, leave: Exception | None) -> None:
    """What waits is not sent, and nobody waits for it. What the block raises comes out as it is."""
    fleet.fail(*faults)
    started = time.monotonic()
    result = run(fleet.transport, ALL, "update_many", concurrency=2, leave=leave, **options)
    assert (len(result.outcomes), result.raised) == (1, leave)
    assert len(fleet.received) <= 3
    assert time.monotonic() < started + 30


@pytest.mark.parametrize("options", [{"retries": NEVER}, {"retries": Retries(initial_delay=0), "per_second": 1 / LONG}])
def test_a_job_ends_before_a_retry(fleet: Sandbox, options: Any) -> None:
    """The failed attempt is the outcome: it may have been applied."""
    transport = Between(fleet, lambda customer_id: httpx.Response(503))

    def pairs() -> Iterator[tuple[str, Any]]:
        yield ALL[0]
        assert eventually(lambda: bool(transport.asked))
        raise LookupError

    result = run_sync(transport, pairs(), "update_many", **options)
    assert [getattr(error, "may_have_been_applied", None) for error in result.errors] == [True]
    assert isinstance(result.raised, LookupError)


# How much at a time, and how fast


def test_so_many_are_in_flight(run: Runner, fleet: Sandbox) -> None:
    """As many as `concurrency` says, and no more."""
    transport = WatchedTransport(fleet, together=4)
    assert run(transport, ALL, concurrency=4).updated == IDS
    assert transport.most == 4


def test_the_updates_of_one_customer(run: Runner, fleet: Sandbox) -> None:
    """They are made one after another, in their order, however the id is written."""
    transport, ids = WatchedTransport(fleet), ("ab" * 16, "AB" * 16)
    fleet.add({**page_customer(), "id": ids[0]})
    pairs = [(ids[n % 2], {"clientReferenceInformation": {"code": f"{n:02}"}}) for n in range(20)]
    run(transport, pairs, "update_many", concurrency=8)
    assert transport.most_of_one == 1
    assert [request.body[-5:-3] for request in fleet.received] == [b"%02d" % n for n in range(20)]


def test_pairs_are_read_as_they_are_needed(run: Runner, fleet: Sandbox) -> None:
    """No more than those whose outcomes were taken, and those in flight."""

    def pairs() -> Iterator[tuple[str, Any]]:
        for number, pair in enumerate(ALL):
            assert number <= len(fleet.received) + 2
            yield pair

    assert run(fleet.transport, pairs(), "update_many", concurrency=3).updated == IDS


def test_a_pair_that_was_read_begins_at_once(fleet: Sandbox) -> None:
    """On threads it does not wait until the next pair is read."""

    def pairs() -> Iterator[tuple[str, Any]]:
        for number, pair in enumerate(ALL):
            assert eventually(lambda number=number: len(fleet.received) == number)
            yield pair

    assert run_sync(fleet.transport, pairs(), "update_many").updated == IDS


def test_so_many_in_a_second(run: Runner, fleet: Sandbox) -> None:
    """Reads and retries count: each request that starts has a turn of its own."""
    fleet.fail(503, 503)
    transport, started = WatchedTransport(fleet), time.monotonic()
    assert run(transport, ALL, per_second=100, retries=Retries(initial_delay=0)).updated == IDS
    assert len(transport.times) == 2 + 2 * len(IDS)
    assert not [number for number, came in enumerate(transport.times) if came < started + number / 100]


def test_waiting_for_a_turn_is_no_time_out(run: Runner, fleet: Sandbox) -> None:
    """It is not counted in `total_timeout`."""
    assert (
        run(fleet.transport, ALL[:4], "update_many", per_second=4, retries=Retries(total_timeout=0.5)).updated
        == IDS[:4]
    )


PAUSES = [(429, None, 1), (429, 5, 5), (503, 7, 7), (503, None, 0), (429, 3600, 60)]


@pytest.mark.parametrize(("status", "retry_after", "seconds"), PAUSES)
def test_the_service_asks_to_wait(status: int, retry_after: float | None, seconds: float) -> None:
    """All requests of the job wait: as long as it says, but a minute at most."""
    job = SyncJob(print, [], 1, None, None)
    kind = errors.TooManyRequests if status == 429 else errors.ServiceError
    job.slow_down(kind("", status_code=status, retry_after=retry_after))
    assert next(job._waits(), 0) == pytest.approx(seconds, abs=0.5)


@pytest.mark.parametrize("kind", ["sync", "trio"])  # asyncio's own clock would stop, too
def test_a_test_stops_the_clock(fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """All waits are as long as they have to be, and end."""
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    fleet.fail(Fault(), 429)
    started = time.perf_counter()
    assert len(Runner(kind)(fleet.transport, ALL, "update_many", per_second=50, concurrency=3).updated) == 11
    assert time.perf_counter() > started + 1


def test_context_variables(run: Runner, fleet: Sandbox) -> None:
    """Each update sees those of the loop."""
    variable, seen = ContextVar("variable", default=""), list[str]()
    variable.set("mine")
    transport = Between(fleet, lambda customer_id: seen.append(variable.get()))
    run(transport, ((each, lambda customer: seen.append(variable.get())) for each in IDS), concurrency=3)
    assert seen == ["mine"] * 2 * len(IDS)


# Tasks


@pytest.mark.parametrize("backend", ASYNC)
def test_async_pairs_that_wait(fleet: Sandbox, backend: str) -> None:
    """Outcomes come meanwhile, so they can be waited for; and what ends the job ends the waiting."""

    async def pairs(seen: anyio.Event) -> AsyncIterator[tuple[str, Any]]:
        yield ALL[0]
        await seen.wait()
        yield ALL[1]
        await anyio.sleep_forever()

    async def update() -> None:
        fleet.fail(Fault(), 401)
        seen = anyio.Event()
        customers = AsyncCustomersClient("test", AUTH, transport=fleet.transport)
        with anyio.fail_after(LIMIT), pytest.raises(errors.Unauthorized):
            async with customers.update_many(pairs(seen)) as outcomes:
                async for _ in outcomes:
                    seen.set()

    anyio.run(update, backend=backend)
    assert len(fleet.received) == 2


@pytest.mark.parametrize("backend", ASYNC)
def test_cancelling(fleet: Sandbox, backend: str) -> None:
    """The outcomes that are there come first. What is in flight is cancelled."""
    transport, updated = WatchedTransport(fleet), list[str]()

    async def cancel() -> None:
        customers = AsyncCustomersClient("test", AUTH, transport=transport)
        fleet.fail(Fault(), Fault(), Fault(delay=20))
        with anyio.CancelScope() as scope:
            async with customers.update_many(ALL, concurrency=3) as outcomes:
                async for outcome in outcomes:
                    updated.append(outcome.customer_id)
                    while transport.in_flight != 1 or len(transport.times) < 3:  # noqa: ASYNC110 - requests are counted
                        await anyio.sleep(0.001)
                    await anyio.sleep(0.01)
                    scope.cancel()
        assert scope.cancelled_caught
        assert not transport.in_flight

    anyio.run(cancel, backend=backend)
    assert len(updated) == 2


@pytest.mark.parametrize("times", [1, 3])
def test_cancelling_the_task(fleet: Sandbox, times: int) -> None:
    """However often it is cancelled, nothing is left."""
    transport = WatchedTransport(fleet)

    async def update(customers: AsyncCustomersClient) -> None:
        async with customers.update_many(ALL, concurrency=3) as outcomes:
            assert [outcome async for outcome in outcomes] == []

    async def cancel() -> None:
        fleet.fail(*[Fault(delay=20)] * 3)
        task = asyncio.create_task(update(AsyncCustomersClient("test", AUTH, transport=transport)))
        while transport.in_flight < 3:  # noqa: ASYNC110 - requests are counted
            await asyncio.sleep(0.001)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not transport.in_flight
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(cancel())


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")  # of tasks that anyio had no time to begin
@pytest.mark.parametrize("steps", [0, 1, 2, 20])
def test_somebody_cancels_all_other_tasks(fleet: Sandbox, steps: int) -> None:
    """At whatever step, the job ends: it does not wait for what will not come."""

    async def cancel_others(main: object) -> None:
        for _ in range(steps):
            await asyncio.sleep(0)
        for each in asyncio.all_tasks() - {main, asyncio.current_task()}:
            each.cancel()

    async def update() -> None:
        customers = AsyncCustomersClient("test", AUTH, transport=fleet.transport)
        fleet.fail(*[Fault(delay=20)] * 2)
        cancelling = asyncio.create_task(cancel_others(asyncio.current_task()))
        with pytest.raises(asyncio.CancelledError), anyio.fail_after(LIMIT):
            async with customers.update_many(ALL, concurrency=2) as outcomes:
                assert not [outcome.record async for outcome in outcomes if outcome.record]
        await cancelling

    asyncio.run(update())
    gc.collect()
