"""Many customers at a time: an outcome for each, never more in flight than was asked for, and nothing left behind."""

import asyncio
import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import anyio
import httpx
import pytest

from cybersource_tms import AsyncCustomersClient, CustomersClient, Retries, SharedSecretAuth, UpdateOutcome, errors
from cybersource_tms._cli.outcomes import describe
from cybersource_tms._cli.rows import Row
from cybersource_tms._many import AsyncJob, SyncJob
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, SECRET, Fault, Sandbox, page_customer
from support.waiting import HANGS, LIMIT, eventually
from support.watched_transport import WatchedTransport

AUTH = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
IDS = [f"{number:032d}" for number in range(12)]
UNKNOWN = "0" * 31 + "Z"
WANTED = {"buyerInformation": {"email": "jane.roe@example.com"}}
ALL = [(customer_id, WANTED) for customer_id in IDS]
LONG = 3600  # seconds that no test waits: what waits so long has to be ended
ASYNC = ["asyncio", "trio"]


class Job:
    """A job that was run until its end, or until so many outcomes, where the block was left."""

    def __init__(self, kind: str, transport: Any, pairs: Any, method: str = "apply_many", **options: Any) -> None:
        self.outcomes: list[UpdateOutcome] = []
        self.raised: BaseException | None = None  # after the outcomes
        self._most = options.pop("most", 99)
        client = CustomersClient if kind == "sync" else AsyncCustomersClient
        customers: Any = client("test", AUTH, transport=transport, retries=options.pop("retries", None))
        job = getattr(customers, method)(pairs, **options)
        try:
            self._run(job) if kind == "sync" else anyio.run(self._run_async, job, backend=kind)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.raised = error

    def _run(self, job: Any) -> None:
        with job as outcomes:
            self.outcomes += islice(outcomes, self._most)

    async def _run_async(self, job: Any) -> None:
        async with job as outcomes:
            async for outcome in outcomes:
                self.outcomes.append(outcome)
                if len(self.outcomes) == self._most:
                    break

    @property
    def errors(self) -> list[BaseException]:
        """The errors of the outcomes."""
        return [outcome.error for outcome in self.outcomes if outcome.error]

    @property
    def updated(self) -> list[str]:
        """The customers that were updated."""
        return sorted(outcome.customer_id for outcome in self.outcomes if outcome.record)


@pytest.fixture(params=["sync", *ASYNC])
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return how to run jobs: on threads, under asyncio or under trio. No thread is left of them."""
    yield request.param
    assert not threads()


def threads() -> list[str]:
    """Return the names of the threads of jobs."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("cybersource_tms")]


@pytest.fixture
def fleet(sandbox: Sandbox) -> Sandbox:
    """Return the sandbox with many customers."""
    for customer_id in IDS:
        sandbox.add({**page_customer(), "id": customer_id})
    return sandbox


def between(sandbox: Sandbox, ask: Callable[[str], httpx.Response | Exception | None]) -> httpx.MockTransport:
    """Return a transport that first asks about a customer: what to respond, what to raise, or None for the sandbox."""

    def handle(request: httpx.Request) -> httpx.Response:
        found = ask(request.url.path[-32:])
        if isinstance(found, Exception):
            raise found
        return found or sandbox.transport.handle_request(request)

    return httpx.MockTransport(handle)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return how many seconds jobs wait. The waits take no time, and nothing else moves the clock."""
    waited: list[float] = []

    async def wait(_: object, seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(SyncJob, "_sleep", lambda _, seconds: waited.append(seconds))
    monkeypatch.setattr(AsyncJob, "_sleep", wait)
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0 + sum(waited))
    return waited


def html(status: int) -> httpx.Response:
    """Return a response of something in front of the service."""
    return httpx.Response(status, html="<h1>blocked</h1>")


# Outcomes


@pytest.mark.parametrize("concurrency", [1, 5, 50])
def test_each_customer_has_an_outcome(kind: str, fleet: Sandbox, concurrency: int) -> None:
    """Its record is the customer afterwards, and `sent` has the paths that were sent, if any."""
    kinds: list[Any] = [WANTED, lambda customer: WANTED, lambda customer: None]
    job = Job(kind, fleet.transport, ((each, kinds[n % 3]) for n, each in enumerate(IDS)), concurrency=concurrency)
    assert (job.updated, job.raised) == (IDS, None)
    for outcome in job.outcomes:
        assert outcome.record
        assert outcome.record.sent == ("buyerInformation.email",) * (int(outcome.customer_id) % 3 < 2)
        assert outcome.record.customer.to_dict() == fleet[outcome.customer_id]


def test_update_many_reads_nothing(kind: str, fleet: Sandbox) -> None:
    """It sends one request for each customer, and none where there is no pair."""
    assert Job(kind, fleet.transport, [], "update_many").outcomes == []
    assert Job(kind, fleet.transport, ALL, "update_many").updated == IDS
    assert [request.method for request in fleet.received] == ["PATCH"] * len(IDS)


OF_ONE: dict[str, tuple[Any, Any, type[Exception]]] = {
    "unknown": (UNKNOWN, WANTED, errors.NotFound),
    "not an id": ("../x", WANTED, errors.InvalidRequest),
    "no text": (None, WANTED, errors.InvalidRequest),
    "an unknown field": (IDS[4], {"mail": "x"}, errors.InvalidRequest),
    "a function that raises": (IDS[4], lambda customer: IDS[99], IndexError),
}


@pytest.mark.parametrize("wrong", OF_ONE.values(), ids=OF_ONE)
def test_an_error_of_one_customer(kind: str, fleet: Sandbox, wrong: tuple[Any, Any, type[Exception]]) -> None:
    """It is in that customer's outcome, and the others are updated."""
    job = Job(kind, fleet.transport, [(IDS[0], WANTED), wrong[:2], (IDS[1], WANTED)], max_failures=1)
    assert [(each.customer_id, type(each.error)) for each in job.outcomes if each.error] == [wrong[::2]]
    assert (job.updated, job.raised) == (IDS[:2], None)


# What ends a job


OF_ALL: dict[str, tuple[Callable[[], Any], type[BaseException]]] = {
    "401": (lambda: httpx.Response(401, json={"response": {"rmsg": "Authentication Failed"}}), errors.Unauthorized),
    "401 without a body": (lambda: httpx.Response(401, headers={"v-c-correlation-id": "x"}), errors.Unauthorized),
    "403": (lambda: httpx.Response(403, json={"errors": [{"type": "forbidden"}]}), errors.Forbidden),
    "a proxy's 407": (lambda: httpx.ProxyError("407 Proxy Authentication Required"), errors.ConnectionFailed),
}


@pytest.mark.parametrize(("failure", "raised"), OF_ALL.values(), ids=OF_ALL)
def test_an_error_of_all_customers(kind: str, fleet: Sandbox, failure: Any, raised: type[Exception]) -> None:
    """It ends the job: what waits for its turn is not sent, no more pairs are read, and then it is raised."""
    pairs, asked, read = iter(ALL), list[str](), list[object]()

    def ask(customer_id: str) -> Any:
        asked.append(customer_id)
        assert kind != "sync" or eventually(lambda: len(read) == 4)
        return failure()

    def read_pairs() -> Iterator[tuple[str, Any]]:
        for pair in pairs:
            read.append(pair)
            yield pair

    job = Job(kind, between(fleet, ask), read_pairs(), concurrency=4, per_second=1 / LONG, retries=Retries())
    assert type(job.raised) is raised
    assert job.errors == [job.raised]
    assert (len(asked), len(list(pairs))) == (1, len(ALL) - 4)


def test_credentials_that_cannot_sign(fleet: Sandbox) -> None:
    """They end the job, although nothing was sent: no other customer would fare better."""
    auth = type(
        "Foreign", (httpx.Auth,), {"auth_flow": lambda *_: iter([httpx.Request("POST", "https://a.example")])}
    )()
    taken: list[UpdateOutcome] = []
    with (
        pytest.raises(errors.InvalidRequest, match=r"^auth: "),
        CustomersClient("test", auth, transport=fleet.transport).update_many(ALL, concurrency=1) as outcomes,
    ):
        taken += outcomes
    assert len(fleet.received) == 0 < len(taken) < len(ALL)
    outcome = describe(Row(2, "", "a"), taken[0])
    assert (outcome["status"], outcome["final"]) == ("failed", False)


def test_a_closed_client(fleet: Sandbox) -> None:
    """It ends the job, which says that the client is closed."""
    customers = CustomersClient("test", AUTH, transport=fleet.transport)
    with customers.apply_many(ALL, concurrency=1) as outcomes:
        assert next(outcomes).record
        customers.close()
        assert next(outcomes).error
        with pytest.raises(errors.InvalidRequest, match="closed"):
            next(outcomes)


OUTAGES: dict[str, Callable[[], Any]] = {
    "no connection": lambda: httpx.ConnectError("refused"),
    "no response": lambda: httpx.ReadTimeout("slow"),
    "503": lambda: httpx.Response(503, headers={"v-c-correlation-id": "x"}),
    "403 of a firewall": lambda: html(403),
    "404 of a gateway": lambda: html(404),
    "a login page": lambda: html(200),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_an_outage(kind: str, fleet: Sandbox, outage: Any) -> None:
    """After `max_failures` in a row the job ends with the last one. Alone it is a customer's outcome."""
    job = Job(kind, between(fleet, lambda customer_id: outage()), ALL, concurrency=1, max_failures=3)
    assert len(job.errors) == len(job.outcomes) == 3
    assert job.raised is job.errors[-1]
    job = Job(kind, between(fleet, lambda customer_id: outage() if customer_id == IDS[3] else None), ALL)
    assert (len(job.errors), len(job.outcomes), job.raised) == (1, len(IDS), None)


def test_failures_that_are_not_in_a_row(kind: str, fleet: Sandbox) -> None:
    """A success ends a row, and so does an error of one customer, but not what was never sent. A 429 counts."""
    transport = between(fleet, lambda customer_id: None if customer_id in {IDS[2], UNKNOWN} else html(403))
    pairs = [(each, WANTED) for each in (*IDS[:5], UNKNOWN, *IDS[5:7])]
    job = Job(kind, transport, pairs, concurrency=1, max_failures=3)
    assert (len(job.outcomes), job.raised) == (8, None)
    unsent = [("?", WANTED), (IDS[2], lambda customer: 1 / 0), (IDS[6], {"x": 1})]
    job = Job(kind, transport, [pair for each in unsent for pair in (each, ALL[0])], concurrency=1, max_failures=3)
    assert (len(job.outcomes), type(job.raised)) == (6, errors.Forbidden)
    fleet.fail(429)
    assert isinstance(Job(kind, fleet.transport, ALL, max_failures=1).raised, errors.TooManyRequests)


class Stop(BaseException):
    """What a framework raises to stop a worker."""


RAISED = [LookupError("the database went away"), KeyboardInterrupt(), SystemExit(143), asyncio.CancelledError(), Stop()]


@pytest.mark.parametrize("problem", RAISED, ids=lambda problem: type(problem).__name__)
@pytest.mark.parametrize("place", ["pairs", "async pairs", "function"])
def test_what_the_caller_raises(kind: str, fleet: Sandbox, problem: BaseException, place: str) -> None:
    """The outcomes of everything that was applied come first; then the same object is raised, and not in a group."""

    def stop(_: object = None) -> Any:
        raise problem

    def pairs() -> Iterator[tuple[str, Any]]:
        yield from ALL[:5]
        yield (IDS[5], stop) if place == "function" else stop()

    async def async_pairs() -> AsyncIterator[tuple[str, Any]]:
        for pair in pairs():
            yield pair

    is_outcome, is_async = place == "function", place == "async pairs" and kind != "sync"
    job = Job(kind, fleet.transport, async_pairs() if is_async else pairs(), concurrency=2)
    assert job.raised is (None if is_outcome and isinstance(problem, Exception) else problem)
    assert job.errors == [problem] * is_outcome
    assert len(job.outcomes) >= 4
    assert job.updated == sorted(request.path[-32:] for request in fleet.received if request.method == "PATCH")


@dataclass(frozen=True)
class Frozen(Exception):
    """An exception that takes no note, and whose attributes cannot be set."""


def test_an_exception_that_cannot_be_changed(kind: str, fleet: Sandbox) -> None:
    """It is its customer's outcome, and all the others have theirs."""

    def refuse(_: object) -> None:
        raise Frozen

    job = Job(kind, fleet.transport, [(IDS[0], refuse), *ALL[1:]], concurrency=2)
    assert ([type(each) for each in job.errors], job.updated) == ([Frozen], IDS[1:])


def test_one_mapping_for_all(kind: str, fleet: Sandbox) -> None:
    """What `pairs` changes after a pair was read changes no customer that is still waiting."""

    def pairs() -> Iterator[tuple[str, Any]]:
        wanted = {"buyerInformation": {"email": ""}}
        for customer_id in IDS:
            wanted["buyerInformation"]["email"] = f"{customer_id}@example.com"
            yield customer_id, wanted

    assert Job(kind, fleet.transport, pairs()).updated == IDS
    assert [fleet[each]["buyerInformation"]["email"] for each in IDS] == [f"{each}@example.com" for each in IDS]


@pytest.mark.parametrize("item", [IDS[0], "ab", (IDS[0],), (IDS[0], WANTED, None), None, {IDS[0]: 1, IDS[1]: 2}])
def test_what_is_not_a_pair(kind: str, fleet: Sandbox, item: Any) -> None:
    """It ends the job; the message says which item it is, and shows nothing of it."""
    job = Job(kind, fleet.transport, [(IDS[5], WANTED), item], concurrency=1)
    assert str(job.raised) == "pairs: item 1 is not a pair of a customer id and what to update"
    assert job.updated == [IDS[5]]


WRONG: dict[str, tuple[Any, ...]] = {
    "concurrency": (0, -1, True, 1.5, "3", None),
    "max_failures": (0, True, "3"),
    "per_second": (0, -1, True, "x", float("nan"), float("inf"), 1e-320),
    "pairs": (None, 5),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
@pytest.mark.parametrize("client", [CustomersClient("test", AUTH), AsyncCustomersClient("test", AUTH)], ids=repr)
def test_wrong_arguments(client: Any, name: str, value: Any) -> None:
    """They are refused when the job is made, by name."""
    with pytest.raises(errors.InvalidRequest, match=rf"^{name}: "):
        client.apply_many(**{"pairs": [], name: value})


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
    job = Job("sync", transport, ALL, concurrency=8)
    assert (transport.most, threads()) == (given, [])
    assert (job.updated, str(job.raised)) == ((IDS, "None") if given else ([], "can't start new thread"))


MAIN_ENDS = """
import threading
from cybersource_tms._many import SyncJob

def pairs():
    threading.main_thread().join()
    yield from ((str(number), None) for number in range(20))

def update():
    with SyncJob(pairs(), 4, None, None).run(print) as outcomes:
        assert len([outcome for outcome in outcomes if outcome.error is None]) == 20
        print("end")

threading.Thread(target=update).start()
"""


def test_the_main_thread_ends() -> None:
    """A job on another thread goes on to its end: its own threads have all been started before."""
    done = subprocess.run(
        [sys.executable, "-c", MAIN_ENDS], check=True, capture_output=True, text=True, timeout=10 * LIMIT
    )
    assert (done.stdout[-4:], done.stderr) == ("end\n", "")


@pytest.mark.parametrize("first", [None, LookupError("the database went away")], ids=["alone", "after another end"])
def test_a_signal(fleet: Sandbox, first: Exception | None) -> None:
    """What its handler raises while the loop waits, also for an end, comes after the outcomes of what was in flight."""
    handled, has_ended, asked = threading.Event(), threading.Event(), list[str]()

    def interrupt(*_: object) -> None:
        handled.set()
        raise Stop

    def ask(customer_id: str) -> None:
        asked.append(customer_id)
        if customer_id == IDS[2]:
            has_ended.wait(LIMIT)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        if has_ended.is_set():
            handled.wait(LIMIT)

    def pairs() -> Iterator[tuple[str, Any]]:
        yield from ALL[:4]
        eventually(lambda: len(asked) == 4)
        has_ended.set()
        if first:
            raise first
        yield from ALL[4:]

    before = signal.signal(signal.SIGUSR1, interrupt)
    job = Job("sync", between(fleet, ask), pairs(), "update_many", concurrency=4)
    signal.signal(signal.SIGUSR1, before)
    assert isinstance(job.raised, Stop) if first is None else job.raised is first
    assert len(asked) < len(IDS)
    assert job.updated == sorted(asked)


# Leaving

NEVER = Retries(initial_delay=LONG, max_delay=LONG, total_timeout=9 * LONG)
WAITS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "for a turn": ([], {"per_second": 1 / LONG}),
    "for the end of a pause": ([Fault(status=503, headers={"Retry-After": str(LONG)})], {}),
    "for a retry": ([503, Fault()], {"retries": NEVER}),
}


@pytest.mark.parametrize(("faults", "options"), WAITS.values(), ids=WAITS)
def test_leaving(kind: str, fleet: Sandbox, faults: list[Any], options: dict[str, Any]) -> None:
    """What waits is not sent, and nobody waits for it."""
    fleet.fail(*faults)
    job = Job(kind, fleet.transport, ALL, "update_many", most=1, concurrency=2, **options)
    assert (len(job.outcomes), job.raised) == (1, None)
    assert len(fleet.received) <= 3


@pytest.mark.parametrize("options", [{"retries": NEVER}, {"retries": Retries(initial_delay=0), "per_second": 1 / LONG}])
def test_a_job_ends_before_a_retry(fleet: Sandbox, options: dict[str, Any]) -> None:
    """The failed attempt is the outcome: it may have been applied."""
    fleet.fail(503)
    pairs = (pair if number == 0 else eventually(lambda: bool(fleet.received)) for number, pair in enumerate(ALL))
    job = Job("sync", fleet.transport, pairs, "update_many", **options)
    assert [getattr(error, "may_have_been_applied", None) for error in job.errors] == [True]
    assert "item 1" in str(job.raised)


# How much at a time, and how fast


def test_so_many_are_in_flight(kind: str, fleet: Sandbox) -> None:
    """As many as `concurrency` says, and no more."""
    transport = WatchedTransport(fleet, together=4)
    assert Job(kind, transport, ALL, concurrency=4).updated == IDS
    assert transport.most == 4


def test_the_updates_of_one_customer(kind: str, fleet: Sandbox) -> None:
    """They are made one after another, in their order, however the id is written."""
    transport, ids = WatchedTransport(fleet), ("ab" * 16, "AB" * 16)
    fleet.add({**page_customer(), "id": ids[0]})
    pairs = [(ids[n % 2], {"clientReferenceInformation": {"code": f"{n:02}"}}) for n in range(20)]
    Job(kind, transport, pairs, "update_many", concurrency=8)
    assert transport.most_of_one == 1
    assert [request.body[-5:-3] for request in fleet.received] == [b"%02d" % n for n in range(20)]


def test_when_pairs_are_read(kind: str, fleet: Sandbox) -> None:
    """As they are needed; on threads, one that was read begins at once, whatever the next one waits for."""

    def pairs() -> Iterator[tuple[str, Any]]:
        for number, pair in enumerate(ALL):
            assert number <= len(fleet.received) + 2
            assert kind != "sync" or eventually(partial(lambda number: len(fleet.received) == number, number))
            yield pair

    assert Job(kind, fleet.transport, pairs(), "update_many", concurrency=3).updated == IDS


def test_so_many_in_a_second(kind: str, fleet: Sandbox) -> None:
    """Reads and retries count: each request that starts has a turn of its own."""
    fleet.fail(503, 503)
    transport, started = WatchedTransport(fleet), time.monotonic()
    assert Job(kind, transport, ALL, per_second=100, retries=Retries(initial_delay=0)).updated == IDS
    assert len(transport.times) == 2 + 2 * len(IDS)
    assert not [number for number, came in enumerate(transport.times) if came < started + number / 100]


def test_waiting_for_a_turn_is_no_time_out(kind: str, fleet: Sandbox, waits: list[float]) -> None:
    """It is not counted in `total_timeout`."""
    options = {"concurrency": 1, "per_second": 1 / LONG, "retries": Retries(total_timeout=1)}
    assert Job(kind, fleet.transport, ALL[:4], "update_many", **options).updated == IDS[:4]
    assert waits == [LONG] * 3


# The status, `Retry-After`, and what is waited.
PAUSES: list[tuple[int, str, list[float]]] = [
    (429, "", [1]),
    (429, "5", [5]),
    (503, "7", [7]),
    (503, "", []),
    (429, "3600", [60]),
]


@pytest.mark.parametrize(("status", "asked", "seconds"), PAUSES)
def test_the_service_asks_to_wait(
    fleet: Sandbox, waits: list[float], status: int, asked: str, seconds: list[float]
) -> None:
    """All requests of the job wait: as long as it says, but a minute at most."""
    fleet.fail(Fault(status=status, headers={"Retry-After": asked}))
    assert Job("sync", fleet.transport, ALL, "update_many", concurrency=1).updated == IDS[1:]
    assert waits == seconds


def test_a_test_stops_the_clock(kind: str, fleet: Sandbox, waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """All waits are as long as they have to be, and end."""
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    fleet.fail(Fault(), 429)
    assert len(Job(kind, fleet.transport, ALL, "update_many", per_second=4, concurrency=1).updated) == 11
    assert waits == [0.25, 1, *[0.25] * 9]


def test_context_variables(kind: str, fleet: Sandbox) -> None:
    """Each update sees those of the loop."""
    variable, seen = ContextVar("variable", default=""), list[str]()
    variable.set("mine")
    transport = between(fleet, lambda customer_id: seen.append(variable.get()))
    Job(kind, transport, ((each, lambda customer: seen.append(variable.get())) for each in IDS), concurrency=3)
    assert seen == ["mine"] * 2 * len(IDS)


# Tasks


@pytest.mark.parametrize("backend", ASYNC)
def test_async_pairs_that_wait(fleet: Sandbox, backend: str) -> None:
    """Outcomes come meanwhile, so they can be waited for; and what ends the job ends the waiting."""
    taken: list[UpdateOutcome] = []

    async def pairs() -> AsyncIterator[tuple[str, Any]]:
        yield ALL[0]
        while not taken:  # noqa: ASYNC110 - outcomes are counted
            await anyio.sleep(0.001)
        yield ALL[1]
        await anyio.sleep_forever()

    async def update() -> None:
        customers = AsyncCustomersClient("test", AUTH, transport=fleet.transport)
        with anyio.fail_after(LIMIT):
            async with customers.update_many(pairs()) as outcomes:
                async for outcome in outcomes:
                    taken.append(outcome)  # noqa: PERF401 - the pairs wait for them

    fleet.fail(Fault(), 401)
    with pytest.raises(errors.Unauthorized):
        anyio.run(update, backend=backend)
    assert len(taken) == len(fleet.received) == 2


@pytest.mark.parametrize("backend", ASYNC)
def test_cancelling_a_scope(fleet: Sandbox, backend: str) -> None:
    """The outcomes that are there come first. What is in flight is cancelled."""
    transport, taken = WatchedTransport(fleet), list[UpdateOutcome]()
    fleet.fail(Fault(), Fault(), HANGS)

    async def leave() -> None:
        customers = AsyncCustomersClient("test", AUTH, transport=transport, timeout=2 * LONG, retries=None)
        with anyio.CancelScope() as scope:
            async with customers.update_many(ALL, concurrency=3) as outcomes:
                async for outcome in outcomes:
                    taken.append(outcome)
                    await anyio.wait_all_tasks_blocked()
                    assert transport.in_flight == 1
                    scope.cancel()
        assert (scope.cancelled_caught, transport.in_flight) == (True, 0)

    anyio.run(leave, backend=backend)
    assert len(taken) == 2


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")  # of tasks that anyio had no time to begin
@pytest.mark.parametrize("steps", [1, 2, 3, 20])
@pytest.mark.parametrize("times", [0, 1, 3])
def test_cancelling_tasks(fleet: Sandbox, steps: int, times: int) -> None:
    """The job's task, so many times, or if never, all within: at whatever step, the job ends, and nothing is left."""
    transport = WatchedTransport(fleet)
    fleet.fail(*[HANGS] * 3)

    async def update() -> None:
        customers = AsyncCustomersClient("test", AUTH, transport=transport, timeout=2 * LONG, retries=None)
        async with customers.update_many(ALL, concurrency=3) as outcomes:
            assert not [outcome.record async for outcome in outcomes if outcome.record]

    async def cancel() -> None:
        task = asyncio.create_task(update())
        for _ in range(steps):
            await asyncio.sleep(0)
        for each in asyncio.all_tasks() - {asyncio.current_task(), task} if times == 0 else [task] * times:
            each.cancel()
            await asyncio.sleep(0)
        with anyio.fail_after(LIMIT), pytest.raises(asyncio.CancelledError):
            await task
        assert (asyncio.all_tasks(), transport.in_flight) == ({asyncio.current_task()}, 0)

    asyncio.run(cancel())
    gc.collect()


@pytest.mark.parametrize("leaves", [False, True])
def test_cancelling_what_has_finished(fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, *, leaves: bool) -> None:
    """Whenever the job's task is cancelled, what has finished comes first. Leaving the loop does not swallow it."""
    finished, taken, cancelled = list[UpdateOutcome](), list[UpdateOutcome](), list[bool]()
    finish = AsyncJob._finish

    def note(job: AsyncJob, outcome: UpdateOutcome) -> None:
        finished.append(outcome)
        finish(job, outcome)

    monkeypatch.setattr(AsyncJob, "_finish", note)

    async def update() -> None:
        async with AsyncCustomersClient("test", AUTH, transport=fleet.transport).update_many(ALL) as outcomes:
            async for outcome in outcomes:
                taken.append(outcome)
                if leaves and cancelled[-1:] == [True]:
                    break

    async def cancel(steps: int) -> None:
        task = asyncio.create_task(update())
        for _ in range(steps):
            await asyncio.sleep(0)
        cancelled.append(task.cancel())
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled() == cancelled.pop()

    for steps in range(60):
        asyncio.run(cancel(steps))
    assert len(taken) > len(IDS)
    assert leaves or taken == [outcome for outcome in finished if outcome.record]


@pytest.mark.parametrize("kind", ASYNC)
def test_the_end_between_two_attempts(fleet: Sandbox, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    """What waits for its next attempt when the job ends makes none: its failed attempt is its outcome."""
    caplog.set_level("INFO", "cybersource_tms")

    def ask(customer_id: str) -> httpx.Response:
        status = 503 if customer_id == IDS[0] else 403
        return httpx.Response(status, headers={"v-c-correlation-id": "x"})

    async def pairs() -> AsyncIterator[Any]:
        yield ALL[0]
        while "attempt 1 failed" not in caplog.text:  # noqa: ASYNC110 - a log line is waited for
            await anyio.sleep(0.001)
        yield ALL[1]

    job = Job(kind, between(fleet, ask), pairs(), "update_many", retries=NEVER, concurrency=2)
    assert sorted(type(error).__name__ for error in job.errors) == ["Forbidden", "ServiceError"]
    assert isinstance(job.raised, errors.Forbidden)
