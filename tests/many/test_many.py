"""`update_many`: an outcome for each customer, and never more in flight or in a second than was asked for."""

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from contextvars import ContextVar
from functools import partial
from typing import Any

import anyio
import pytest

from cybersource_tms import (
    AsyncCustomersClient,
    BuyerInformation,
    Customer,
    CustomersClient,
    CustomerUpdate,
    Retries,
    SharedSecretAuth,
    UpdateOutcome,
    changed_fields,
    errors,
)
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, SECRET, Fault, Sandbox, page_customer
from support.clients import EMAIL, NEW_CODE, NEW_EMAIL, Clients
from support.waiting import LIMIT
from support.watched_transport import WatchedTransport

AUTH = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
IDS = [f"{number:032d}" for number in range(12)]
IN_LINE = partial(changed_fields, after={"buyerInformation": {"email": EMAIL}})


@pytest.fixture
def fleet(sandbox: Sandbox) -> Sandbox:
    """Return the stand-in with many customers."""
    for customer_id in IDS:
        sandbox.add({**page_customer(), "id": customer_id})
    return sandbox


def email(text: str) -> CustomerUpdate:
    """Return an update of the e-mail address."""
    return CustomerUpdate(buyer_information=BuyerInformation(email=text))


def nothing(customer: Customer) -> None:
    """Return that there is nothing to send."""


# Outcomes


@pytest.mark.parametrize("concurrency", [1, 5, 50])
def test_each_customer_has_an_outcome(clients: Clients, fleet: Sandbox, concurrency: int) -> None:
    """Whatever kind its changes are of; the record is the customer afterwards, `changed` what was sent."""
    kinds: list[tuple[Any, tuple[str, ...]]] = [
        (NEW_EMAIL, ("buyerInformation.email",)),
        (NEW_CODE, ("clientReferenceInformation.code",)),
        (IN_LINE, ("buyerInformation.email",)),
        (nothing, ()),
    ]
    jobs = {customer_id: kinds[number % 4] for number, customer_id in enumerate(IDS)}
    customers = clients.open(transport=fleet.transport)
    updates = ((customer_id, change) for customer_id, (change, _) in jobs.items())
    outcomes = list(customers.update_many(updates, concurrency=concurrency))
    assert sorted(outcome.customer_id for outcome in outcomes) == IDS
    for outcome in outcomes:
        assert outcome.error is None
        assert outcome.changed == jobs[outcome.customer_id][1]
        whole = outcome.record.customer.to_dict() if outcome.record else None
        assert whole == (fleet[outcome.customer_id] if outcome.changed else None)


def test_what_is_in_line_is_not_sent(clients: Clients, fleet: Sandbox) -> None:
    """The same job again reads each customer and sends nothing."""
    customers = clients.open(transport=fleet.transport)
    for _ in range(2):
        fleet.received.clear()
        outcomes = list(customers.update_many((customer_id, IN_LINE) for customer_id in IDS))
    assert [request.method for request in fleet.received] == ["GET"] * len(IDS)
    assert {(outcome.record, outcome.changed, outcome.error) for outcome in outcomes} == {(None, (), None)}


def raises(customer: Customer) -> CustomerUpdate | None:
    """Raise what only the caller knows."""
    raise LookupError("no such row")


async def change_async(customer: Customer) -> CustomerUpdate | None:
    """Return what to send, as no function may."""
    return NEW_EMAIL


class Proxy:
    """Stands for an object that is not there, as the proxies of web frameworks do."""

    def __getattribute__(self, name: str) -> Any:
        """Raise what such a proxy raises."""
        raise LookupError("outside of a request")


class Unprintable:
    """Cannot be written as text."""

    def __str__(self) -> str:
        raise LookupError("no text")


UNPRINTABLE = Unprintable()

FAILING: dict[str, tuple[tuple[Any, Any], type[Exception], tuple[str, ...]]] = {
    "unknown": (("0" * 31 + "Z", NEW_EMAIL), errors.NotFound, ("buyerInformation.email",)),
    "unknown, a function": (("0" * 31 + "Z", IN_LINE), errors.NotFound, ()),
    "deleted": ((IDS[3], NEW_EMAIL), errors.TokenDeleted, ("buyerInformation.email",)),
    "not an id": (("../x", NEW_EMAIL), errors.InvalidRequest, ()),
    "no text": ((None, NEW_EMAIL), errors.InvalidRequest, ()),
    "not an update": ((IDS[4], {"buyerInformation": {}}), errors.InvalidRequest, ()),
    "a wrong value": ((IDS[4], email(5)), errors.InvalidRequest, ()),  # type: ignore[arg-type]
    "a wrong group": ((IDS[4], CustomerUpdate(buyer_information="x")), errors.InvalidRequest, ()),  # type: ignore[arg-type]
    "a function that raises": ((IDS[4], raises), LookupError, ()),
    "an async function": ((IDS[4], change_async), errors.InvalidRequest, ()),
    "a proxy": ((IDS[4], Proxy()), LookupError, ()),
    "an id that cannot be written": ((UNPRINTABLE, NEW_EMAIL), errors.InvalidRequest, ()),
    "a function that returns a mapping": ((IDS[4], lambda customer: {}), errors.InvalidRequest, ()),
}


@pytest.mark.parametrize(("job", "kind", "changed"), FAILING.values(), ids=FAILING)
def test_an_error_is_the_customers(
    clients: Clients, fleet: Sandbox, job: tuple[Any, Any], kind: type[Exception], changed: tuple[str, ...]
) -> None:
    """What goes wrong with one customer is in its outcome, and all others are updated."""
    fleet.delete(IDS[3])
    jobs = [(IDS[0], NEW_EMAIL), job, (IDS[1], NEW_EMAIL)]
    outcomes = list(clients.open(transport=fleet.transport).update_many(jobs))
    wrong, *right = sorted(outcomes, key=lambda outcome: outcome.error is None)
    assert (wrong.customer_id, type(wrong.error), wrong.changed, wrong.record) == (job[0], kind, changed, None)
    assert {outcome.customer_id for outcome in right} == {IDS[0], IDS[1]}
    assert all(outcome.record for outcome in right)


def test_a_conflict_is_asked_about_again(clients: Clients, fleet: Sandbox) -> None:
    """If somebody else changes the customer after it was read, it is read again, and the change is not lost."""
    asked = []

    def change(customer: Customer) -> CustomerUpdate | None:
        asked.append(customer)
        if len(asked) == 1:
            fleet.change({"objectInformation": {"title": "somebody else's"}}, IDS[0])
        return IN_LINE(customer)

    (outcome,) = clients.open(transport=fleet.transport, retries=Retries()).update_many([(IDS[0], change)])
    assert (outcome.error, len(asked)) == (None, 2)
    assert fleet[IDS[0]]["objectInformation"]["title"] == "somebody else's"
    assert fleet[IDS[0]]["buyerInformation"]["email"] == EMAIL


def test_no_updates(clients: Clients) -> None:
    """Where there is nothing to update there is no outcome."""
    assert not list(clients.open().update_many([]))


# What befalls all


def collect(steps: Iterable[UpdateOutcome]) -> tuple[list[UpdateOutcome], BaseException | None]:
    """Return the outcomes, and what was raised after them."""
    outcomes = []
    try:
        for outcome in steps:
            outcomes.append(outcome)  # noqa: PERF402 - those before an error count
    except BaseException as error:  # noqa: BLE001 - the test looks at it
        return outcomes, error
    return outcomes, None


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_what_befalls_all_stops_the_job(clients: Clients, fleet: Sandbox, status: int, concurrency: int) -> None:
    """It is raised after what is in flight has ended and its outcomes were yielded; nothing new is begun."""
    fleet.fail(Fault(), Fault(), *[status] * 99)
    transport = WatchedTransport(fleet)
    jobs = ((customer_id, NEW_EMAIL) for customer_id in IDS)
    outcomes, raised = collect(clients.open(transport=transport).update_many(jobs, concurrency=concurrency))
    assert isinstance(raised, errors.StatusError)
    assert raised.status_code == status
    assert raised in [outcome.error for outcome in outcomes]
    assert len(outcomes) == len(fleet.received) <= 2 + concurrency
    assert len([outcome for outcome in outcomes if outcome.error is None]) == 2


def test_a_client_that_is_closed(clients: Clients, fleet: Sandbox) -> None:
    """The job stops, and raises that the client is closed."""
    customers = clients.open(transport=fleet.transport)
    steps = customers.update_many(((customer_id, NEW_EMAIL) for customer_id in IDS), concurrency=2)
    assert next(steps).error is None
    customers.close()
    outcomes, raised = collect(steps)
    assert isinstance(raised, errors.InvalidRequest)
    assert "closed" in str(raised)
    assert len(outcomes) <= 3
    assert customers.wrapped.is_closed


def test_updates_that_raise(clients: Clients, fleet: Sandbox) -> None:
    """What is in flight ends, its outcomes are yielded, and then what the iterable raised comes out as it is."""
    problem = LookupError("the database went away")

    def jobs() -> Iterator[tuple[str, CustomerUpdate]]:
        yield from ((customer_id, NEW_EMAIL) for customer_id in IDS[:5])
        raise problem

    outcomes, raised = collect(clients.open(transport=fleet.transport).update_many(jobs()))
    assert raised is problem
    assert sorted(outcome.customer_id for outcome in outcomes) == IDS[:5]


def test_updates_that_end_early(clients: Clients, fleet: Sandbox) -> None:
    """Nothing begins once they have ended: what was read before had begun."""
    is_over, read = False, []

    def jobs() -> Iterator[tuple[str, CustomerUpdate]]:
        for customer_id in IDS:
            if is_over:
                return
            read.append(customer_id)
            yield customer_id, NEW_EMAIL

    for outcome in clients.open(transport=fleet.transport).update_many(jobs(), concurrency=2):
        assert outcome.error is None
        is_over = True
    assert len(fleet.received) == len(read) <= 2


def test_an_update_that_waits_for_its_customer(clients: Clients, fleet: Sandbox) -> None:
    """It does not begin if the one before it stops the job."""
    fleet.fail(401)
    jobs = [(IDS[0], NEW_EMAIL), (IDS[0], NEW_CODE)]
    outcomes, raised = collect(clients.open(transport=fleet.transport).update_many(jobs))
    assert isinstance(raised, errors.Unauthorized)
    assert len(outcomes) == len(fleet.received) == 1


NOT_PAIRS: dict[str, Any] = {
    "an id": IDS[0],
    "two characters": "ab",
    "one": (IDS[0],),
    "three": (IDS[0], NEW_EMAIL, None),
    "nothing": None,
    "an update": NEW_EMAIL,
    "a mapping": {IDS[0]: NEW_EMAIL, IDS[1]: NEW_EMAIL},
}


@pytest.mark.parametrize("item", NOT_PAIRS.values(), ids=NOT_PAIRS)
def test_what_is_not_a_pair(clients: Clients, fleet: Sandbox, item: Any) -> None:
    """It stops the job, and the message says which item it is and shows nothing of it."""
    outcomes, raised = collect(clients.open(transport=fleet.transport).update_many([(IDS[5], NEW_EMAIL), item]))
    assert isinstance(raised, errors.InvalidRequest)
    assert str(raised) == "updates: item 1 is not a pair of a customer id and a change"
    assert [outcome.customer_id for outcome in outcomes] == [IDS[5]]


WRONG: dict[str, dict[str, Any]] = {
    **{f"concurrency {value!r}": {"concurrency": value} for value in (0, -1, True, 1.5, "3", None)},
    **{
        f"per_second {value!r}": {"per_second": value}
        for value in (0, -1, True, "x", float("nan"), float("inf"), 1e-320)
    },
    **{f"updates {value!r}": {"updates": value} for value in (None, 5)},
}


@pytest.mark.parametrize("options", WRONG.values(), ids=WRONG)
def test_wrong_arguments(clients: Clients, options: dict[str, Any]) -> None:
    """They are refused when the job is made, by name."""
    (name,) = options
    with pytest.raises(errors.InvalidRequest, match=rf"^{name}: "):
        clients.open().wrapped.update_many(**{"updates": [], **options})


# How much at a time


def test_so_many_are_in_flight_and_no_more(clients: Clients, fleet: Sandbox) -> None:
    """As many as `concurrency` says, at a time."""
    transport = WatchedTransport(fleet, together=4)
    jobs = ((customer_id, IN_LINE) for customer_id in IDS)
    outcomes = list(clients.open(transport=transport).update_many(jobs, concurrency=4))
    assert transport.most == 4
    assert not [outcome.error for outcome in outcomes if outcome.error]


def test_updates_are_read_as_they_are_needed(clients: Clients, fleet: Sandbox) -> None:
    """No more than those in flight, those whose outcomes were taken, and one that waits for its turn."""
    taken = 0

    def jobs() -> Iterator[tuple[str, CustomerUpdate]]:
        for number, customer_id in enumerate(IDS):
            assert number <= taken + 3
            yield customer_id, NEW_EMAIL

    for outcome in clients.open(transport=fleet.transport).update_many(jobs(), concurrency=3):
        assert outcome.error is None
        taken += 1
    assert taken == len(IDS)


def test_updates_of_one_customer(clients: Clients, fleet: Sandbox) -> None:
    """They are made one after another, in their order, however the id is written."""
    transport = WatchedTransport(fleet)
    customer_id = "ab" * 16
    fleet.add({**page_customer(), "id": customer_id})
    jobs = [((customer_id.upper(), customer_id)[number % 2], email(f"{number}@example.com")) for number in range(20)]
    list(clients.open(transport=transport).update_many(jobs, concurrency=8))
    assert transport.most_of_one == 1
    sent = [request.body.decode() for request in fleet.received]
    assert sent == [f'{{"buyerInformation":{{"email":"{number}@example.com"}}}}' for number in range(20)]


@pytest.mark.parametrize("change", [NEW_EMAIL, IN_LINE], ids=["an update", "a function"])
def test_so_many_in_a_second_and_no_more(clients: Clients, fleet: Sandbox, change: Any) -> None:
    """Reads and retries count: however many requests follow each other, they take the time that they have to."""
    fleet.fail(503, 503)
    transport = WatchedTransport(fleet)
    customers = clients.open(transport=transport, retries=Retries(first_wait=0))
    jobs = ((customer_id, change) for customer_id in IDS)
    started = time.monotonic()
    outcomes = list(customers.update_many(jobs, per_second=100))
    assert not [outcome.error for outcome in outcomes if outcome.error]
    times = transport.times
    assert len(times) == 2 + len(IDS) * (1 if change is NEW_EMAIL else 2)
    # However late each may be, none comes before its turn; one interval of delay is made up for.
    assert not [number for number, came in enumerate(times) if came < started + (number - 1) / 100]


@pytest.mark.parametrize("fault", [Fault(status=429, headers={"Retry-After": "1"}), Fault(status=429)], ids=["1 s", ""])
def test_the_service_asks_to_wait(clients: Clients, fleet: Sandbox, fault: Fault) -> None:
    """A 429 makes the whole job wait, not one call."""
    fleet.fail(Fault(), fault)
    transport = WatchedTransport(fleet)
    customers = clients.open(transport=transport, retries=Retries(first_wait=0))
    outcomes = list(customers.update_many(((customer_id, NEW_EMAIL) for customer_id in IDS), concurrency=3))
    assert not [outcome.error for outcome in outcomes if outcome.error]
    assert len(transport.times) == len(IDS) + 1
    # What was in flight at the time has been sent; nothing else has.
    assert len([each for each in transport.times if each < transport.times[1] + 0.9]) <= 2 + 3


def test_waiting_for_a_turn_is_no_time_out(clients: Clients, fleet: Sandbox) -> None:
    """The time that a call waits for its turn is no part of its `total_time`."""
    customers = clients.open(transport=fleet.transport, retries=Retries(total_time=0.5))
    jobs = ((customer_id, NEW_EMAIL) for customer_id in IDS[:5])
    outcomes = list(customers.update_many(jobs, concurrency=5, per_second=3))
    assert not [outcome.error for outcome in outcomes if outcome.error]


def test_waiting_for_a_connection_is_no_time_out(fleet: Sandbox) -> None:
    """Gathered calls use so many connections at a time; waiting for one is no part of a call's `total_time`."""
    transport = WatchedTransport(fleet)

    async def update_all() -> None:
        retries = Retries(attempts=1, total_time=2)
        customers = AsyncCustomersClient("test", AUTH, transport=transport, retries=retries, max_connections=1)
        fleet.fail(Fault(delay=20))
        outcomes = await asyncio.gather(*(customers.update(each, IN_LINE) for each in IDS), return_exceptions=True)
        assert [type(each) for each in outcomes if isinstance(each, Exception)] == [errors.TimedOut]  # the first one

    asyncio.run(update_all())
    assert transport.most == 1


def test_thousands_of_gathered_updates(fleet: Sandbox) -> None:
    """All of them succeed, at a bounded number of connections."""
    transport = WatchedTransport(fleet)

    async def update_all() -> None:
        async with AsyncCustomersClient("test", AUTH, transport=transport, max_connections=20) as customers:
            updates = (customers.update(IDS[number % 12], email(f"{number}@example.com")) for number in range(3000))
            await asyncio.gather(*updates)

    asyncio.run(update_all())
    assert transport.most == 20
    assert len(transport.times) == 3000


def test_threads_share_connections(fleet: Sandbox) -> None:
    """The calls of threads, too, have so many connections at a time."""
    transport = WatchedTransport(fleet, together=2)
    customers = CustomersClient("test", AUTH, transport=transport, max_connections=2)
    with ThreadPoolExecutor(8) as pool:
        records = list(pool.map(lambda each: customers.update(each, IN_LINE), IDS))
    assert [record.customer.id for record in records] == IDS
    assert transport.most == 2


# Stopping early


def threads() -> list[str]:
    """Return the names of the threads of a job."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("update_many")]


def test_a_loop_that_stops_early(clients: Clients, fleet: Sandbox) -> None:
    """Nothing new is begun, what is in flight ends, no thread or task is left, and the client goes on to work."""
    customers = clients.open(transport=fleet.transport)
    steps: Any = customers.update_many(((customer_id, NEW_EMAIL) for customer_id in IDS), concurrency=2)
    next(steps)
    steps.close()
    received = len(fleet.received)
    assert received <= 3
    assert not threads()
    assert customers.retrieve(IDS[0]).customer.id == IDS[0]
    assert len(fleet.received) == received + 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_stopping_tasks(fleet: Sandbox, backend: str) -> None:
    """Under both, what is in flight is cancelled, and its tasks have ended when the generator is closed."""
    transport = WatchedTransport(fleet)

    async def stop() -> None:
        customers = AsyncCustomersClient("test", AUTH, transport=transport)
        fleet.fail(Fault(), *[Fault(delay=20)] * 9)
        with anyio.fail_after(LIMIT):
            async with aclosing(customers.update_many(((each, NEW_EMAIL) for each in IDS), concurrency=3)) as steps:
                async for outcome in steps:
                    assert outcome.error is None
                    break
        assert not transport.in_flight
        fleet.faults.clear()
        assert (await customers.retrieve(IDS[0])).customer.id == IDS[0]

    anyio.run(stop, backend=backend)


def test_leaving_an_async_loop(fleet: Sandbox) -> None:
    """Under asyncio a plain `break` is enough: the tasks end soon after."""

    async def leave() -> None:
        customers = AsyncCustomersClient("test", AUTH, transport=fleet.transport)
        async for _ in customers.update_many(((each, NEW_EMAIL) for each in IDS), concurrency=3):
            break
        with anyio.fail_after(LIMIT):
            while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - tasks are counted
                await asyncio.sleep(0.001)

    asyncio.run(leave())


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_cancelling_a_job(fleet: Sandbox, backend: str) -> None:
    """Cancelling the task of the loop cancels what is in flight."""
    transport = WatchedTransport(fleet)

    async def cancel() -> None:
        customers = AsyncCustomersClient("test", AUTH, transport=transport)
        fleet.fail(*[Fault(delay=20)] * 9)
        with anyio.move_on_after(0.05) as scope:
            async with aclosing(customers.update_many(((each, NEW_EMAIL) for each in IDS), concurrency=3)) as steps:
                async for _ in steps:
                    raise AssertionError("nothing has ended yet")
        assert scope.cancelled_caught
        assert not transport.in_flight

    anyio.run(cancel, backend=backend)


def test_cancelling_a_job_twice(fleet: Sandbox) -> None:
    """The loop does not wait any more; what is in flight ends soon after, and nothing is reported about it."""
    transport, reported = WatchedTransport(fleet), []

    async def update(customers: AsyncCustomersClient) -> None:
        async for _ in customers.update_many(((each, NEW_EMAIL) for each in IDS), concurrency=3):
            raise AssertionError("nothing has ended yet")

    async def cancel() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        fleet.fail(*[Fault(delay=20)] * 3)
        task = asyncio.create_task(update(AsyncCustomersClient("test", AUTH, transport=transport)))
        with anyio.fail_after(LIMIT):
            while transport.in_flight < 3:  # noqa: ASYNC110 - requests are counted
                await asyncio.sleep(0.001)
            for _ in range(3):
                task.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await task
            while transport.in_flight or len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)
        gc.collect()

    asyncio.run(cancel())
    assert reported == []


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("problem", [None, LookupError("the queue went away")], ids=["ends", "raises"])
def test_an_async_iterable(fleet: Sandbox, backend: str, problem: Exception | None) -> None:
    """The async client reads one as well, and raises what it raises."""

    async def jobs() -> AsyncIterator[tuple[str, CustomerUpdate]]:
        for customer_id in IDS:
            yield customer_id, NEW_EMAIL
        if problem:
            raise problem

    async def update() -> None:
        customers = AsyncCustomersClient("test", AUTH, transport=fleet.transport)
        updated = []
        try:
            async for outcome in customers.update_many(jobs(), concurrency=4):
                updated.append(outcome.customer_id)  # noqa: PERF401 - those before an error count
        except LookupError as error:
            assert error is problem  # noqa: PT017 - what came before it counts
        else:
            assert problem is None
        assert sorted(updated) == IDS

    anyio.run(update, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_async_iterable_that_waits(fleet: Sandbox, backend: str) -> None:
    """Outcomes come meanwhile, so it can wait for them; and what befalls all ends the waiting."""

    async def jobs(seen: anyio.Event) -> AsyncIterator[tuple[str, CustomerUpdate]]:
        yield IDS[0], NEW_EMAIL
        await seen.wait()
        yield IDS[1], NEW_EMAIL
        await anyio.sleep_forever()

    async def update() -> None:
        customers = AsyncCustomersClient("test", AUTH, transport=fleet.transport)
        fleet.fail(Fault(), 401)
        seen = anyio.Event()
        with anyio.fail_after(LIMIT):
            steps = customers.update_many(jobs(seen))
            assert (await anext(steps)).customer_id == IDS[0]
            seen.set()
            assert (await anext(steps)).customer_id == IDS[1]
            with pytest.raises(errors.Unauthorized):
                await anext(steps)

    anyio.run(update, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_context_variables(fleet: Sandbox, backend: str) -> None:
    """What the async client calls sees those of the loop."""
    text = ContextVar("text", default="")

    async def jobs() -> AsyncIterator[tuple[str, Any]]:
        yield IDS[0], email(text.get())
        yield IDS[1], lambda customer: email(text.get())

    async def update() -> None:
        customers = AsyncCustomersClient("test", AUTH, transport=fleet.transport)
        text.set(EMAIL)
        assert [outcome.error async for outcome in customers.update_many(jobs())] == [None, None]

    anyio.run(update, backend=backend)
    assert {fleet[each]["buyerInformation"]["email"] for each in IDS[:2]} == {EMAIL}


def test_what_befalls_all_stops_reading_an_async_iterable(fleet: Sandbox) -> None:
    """The async client reads no further; the next job reads all of it."""
    read: list[str] = []

    async def jobs() -> AsyncIterator[tuple[str, CustomerUpdate]]:
        for customer_id in IDS:
            read.append(customer_id)
            yield customer_id, NEW_EMAIL

    async def update() -> None:
        customers = AsyncCustomersClient("test", AUTH, transport=fleet.transport)
        fleet.fail(401)
        with pytest.raises(errors.Unauthorized):
            _ = [outcome async for outcome in customers.update_many(jobs(), concurrency=1)]
        assert read == IDS[:1]
        outcomes = [outcome async for outcome in customers.update_many(jobs())]
        assert sorted(outcome.customer_id for outcome in outcomes) == IDS

    asyncio.run(update())


class Stop(BaseException):
    """What a framework raises to stop a worker."""


def test_what_stops_a_worker(clients: Clients, fleet: Sandbox) -> None:
    """What is no `Exception` comes out after what is in flight has ended, as the same object."""
    stop = Stop()

    def change(customer: Customer) -> CustomerUpdate:
        raise stop

    steps = clients.open(transport=fleet.transport).update_many([(IDS[0], NEW_EMAIL), (IDS[1], change)])
    outcomes, raised = collect(steps)
    assert raised is stop
    assert {outcome.customer_id for outcome in outcomes} == {IDS[0], IDS[1]}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("stop", [Stop(), asyncio.CancelledError()], ids=["stopped", "cancelled"])
@pytest.mark.parametrize("place", ["updates", "async updates", "change"])
def test_what_stops_a_task(fleet: Sandbox, backend: str, stop: BaseException, place: str) -> None:
    """Whoever raises it, it comes out of the async client as the same object, and nobody waits for ever."""

    def change(customer: Customer) -> CustomerUpdate:
        raise stop

    def jobs() -> Iterator[tuple[str, Any]]:
        yield IDS[0], NEW_EMAIL
        if place != "change":
            raise stop
        yield IDS[1], change

    async def async_jobs() -> AsyncIterator[tuple[str, Any]]:
        for each in jobs():
            yield each

    async def update() -> None:
        customers = AsyncCustomersClient("test", AUTH, transport=fleet.transport)
        updated, updates = [], async_jobs() if place == "async updates" else jobs()
        with anyio.fail_after(LIMIT):
            try:
                async for outcome in customers.update_many(updates):
                    updated.append(outcome.customer_id)  # noqa: PERF401 - those before an error count
            except BaseException as raised:  # noqa: BLE001 - the test looks at it
                assert raised is stop  # noqa: PT017 - what came before it counts
        assert sorted(updated) == IDS[: 2 if place == "change" else 1]

    anyio.run(update, backend=backend)


@pytest.mark.parametrize("count", [2, 12], ids=["all were read", "some were not"])
@pytest.mark.parametrize("delay", [0, 20])
def test_somebody_cancels_all_tasks(fleet: Sandbox, count: int, delay: int) -> None:
    """Whoever ends all other tasks, at whatever step, ends the job: it does not wait for what will not come."""

    async def cancel_others(main: object) -> None:
        for _ in range(delay):
            await asyncio.sleep(0)
        for each in asyncio.all_tasks() - {main, asyncio.current_task()}:
            each.cancel()

    async def update() -> None:
        customers = AsyncCustomersClient("test", AUTH, transport=fleet.transport)
        fleet.fail(*[Fault(delay=20)] * 2)
        cancelling = asyncio.create_task(cancel_others(asyncio.current_task()))
        updates = ((each, NEW_EMAIL) for each in IDS[:count])
        with pytest.raises(asyncio.CancelledError), anyio.fail_after(LIMIT):
            _ = [outcome async for outcome in customers.update_many(updates, concurrency=2)]
        await cancelling

    asyncio.run(update())
