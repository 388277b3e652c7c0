"""Many edits of one customer at once, and calls that are cancelled or interrupted on their way."""

import asyncio
import logging
import os
import random
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from cybersource_tms import AsyncCustomersClient, Customer, CustomersClient, MerchantData, Retries, errors
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Fault, Sandbox, page_customer
from support.clients import AUTH, NEW_EMAIL
from support.recording import RecordingTransport
from support.waiting import HANGS, LIMIT, eventually

QUICK = Retries(initial_delay=0.001, max_delay=0.005)

TASKS, EDITS_OF_EACH = 20, 10


def test_two_hundred_edits(sandbox: Sandbox) -> None:
    """20 tasks count to 200 in one field with `modify`: no edit overwrites another one, and none is lost."""
    sandbox.put({"id": PAGE_CUSTOMER_ID, "merchantDefinedInformation": [{"name": "data1", "value": "0"}]})
    accepted: list[str] = []

    def count(customer: Customer) -> Customer:
        data = MerchantData(customer)
        data["data1"] = str(int(data["data1"]) + 1)
        return customer

    async def count_ten_times(customers: AsyncCustomersClient) -> None:
        for _ in range(EDITS_OF_EACH):
            window = 0.01
            while True:
                try:
                    record = await customers.modify(PAGE_CUSTOMER_ID, count)
                except errors.PreconditionFailed:
                    # Who comes back at once makes nine in ten edits of the others fail too.
                    await asyncio.sleep(random.uniform(0, window))
                    window = min(2 * window, 1.0)
                else:
                    accepted.append(MerchantData(record.customer)["data1"])
                    break

    async def count_all() -> None:
        async with AsyncCustomersClient("test", AUTH, transport=sandbox.transport, retries=None) as customers:
            await asyncio.gather(*(count_ten_times(customers) for _ in range(TASKS)))

    asyncio.run(count_all())
    total = TASKS * EDITS_OF_EACH
    assert sandbox.customer()["merchantDefinedInformation"] == [{"name": "data1", "value": str(total)}]
    assert sorted(accepted, key=int) == [str(number) for number in range(1, total + 1)]


# Cancelling


@asynccontextmanager
async def client(url: str, **settings: Any) -> AsyncIterator[AsyncCustomersClient]:
    """Make a client with which nothing waits as long as `WAITS` does."""
    async with (
        asyncio.timeout(LIMIT),
        AsyncCustomersClient("test", AUTH, base_url=url, max_connections=1, **settings) as customers,
    ):
        yield customers


async def arrived(sandbox: Sandbox, count: int = 1) -> None:
    """Wait until the sandbox has received requests."""
    assert await asyncio.to_thread(eventually, lambda: len(sandbox.received) >= count)


async def cancelled(task: "asyncio.Task[Any]") -> None:
    """Cancel a task and check that this, and nothing else, is what comes out."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


CALLS: dict[str, Callable[[Any], Any]] = {
    "update": lambda customers: customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL),
    "guarded": lambda customers: customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL, if_match="etag"),
    "retrieve": lambda customers: customers.retrieve(PAGE_CUSTOMER_ID),
    "apply": lambda customers: customers.apply(PAGE_CUSTOMER_ID, NEW_EMAIL),
}

# What makes the call wait, and where.
PATIENT = Retries(initial_delay=600, max_delay=600, total_timeout=6000)
WAITS: dict[str, tuple[Fault, Retries]] = {
    "the response": (HANGS, PATIENT),
    "the back-off": (Fault(status=503), PATIENT),
    "Retry-After": (Fault(status=429, headers={"Retry-After": "600"}), PATIENT),
}


def is_waiting(sandbox: Sandbox, log: pytest.LogCaptureFixture, fault: Fault) -> bool:
    """Whether a call waits for the response, or else for its next attempt, as its log says."""
    if fault is HANGS:
        return len(sandbox.received) == 1
    return any("the next one is in" in record.getMessage() for record in log.records)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(("fault", "retries"), WAITS.values(), ids=WAITS)
def test_cancelled(
    sandbox: Sandbox,
    url: str,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    retries: Retries,
    *,
    call: Callable[[Any], Any],
) -> None:
    """It comes out at once, one attempt was made, and the only connection is free for the next call."""
    caplog.set_level(logging.INFO, "cybersource_tms")

    async def cancel() -> None:
        sandbox.fail(fault)
        async with client(url, retries=retries) as customers:
            task = asyncio.ensure_future(call(customers))
            assert await asyncio.to_thread(eventually, lambda: is_waiting(sandbox, caplog, fault))
            await cancelled(task)
            assert len(sandbox.received) == 1
            record = await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
            assert record.customer.to_dict() == sandbox.customer()
            assert len(sandbox.received) == 2

    asyncio.run(cancel())


def test_cancelled_while_connecting(sandbox: Sandbox, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent afterwards, and the client is as good as new."""

    async def cancel() -> None:
        loop, connecting = asyncio.get_running_loop(), asyncio.Event()

        async def connect_slowly(*_: object, **__: object) -> Any:
            connecting.set()
            await asyncio.sleep(600)

        async with client(url) as customers:
            with monkeypatch.context() as patch:
                patch.setattr(loop, "create_connection", connect_slowly)
                task = asyncio.ensure_future(customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL))
                await connecting.wait()
                await cancelled(task)
            assert sandbox.received == []
            await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
            assert len(sandbox.received) == 1

    asyncio.run(cancel())


def test_cancelled_while_waiting_for_a_connection(sandbox: Sandbox, url: str) -> None:
    """Who waits for the only connection and is cancelled leaves no place in the queue behind."""

    async def cancel() -> None:
        sandbox.fail(HANGS)
        async with client(url) as customers:
            busy = asyncio.ensure_future(customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL))
            await arrived(sandbox)
            waiting = asyncio.ensure_future(customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL))
            await asyncio.sleep(0)
            await cancelled(waiting)
            await cancelled(busy)
            await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
            assert len(sandbox.received) == 2

    asyncio.run(cancel())


def test_cancelled_in_a_later_attempt(sandbox: Sandbox, url: str) -> None:
    """Also an attempt that is not the first one is given up at once and not retried."""

    async def cancel() -> None:
        sandbox.fail(Fault(cut="after"), HANGS)
        async with client(url, retries=QUICK) as customers:
            task = asyncio.ensure_future(customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL))
            await arrived(sandbox, 2)
            await cancelled(task)
            assert len(sandbox.received) == 2
            await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)

    asyncio.run(cancel())


def test_cancelled_while_finding_out(sandbox: Sandbox, url: str) -> None:
    """Cancelling the reading after a lost response is not taken for a reading that failed."""

    async def cancel() -> None:
        sandbox.fail(Fault(cut="after"), Fault(), HANGS)
        async with client(url, retries=QUICK) as customers:
            task = asyncio.ensure_future(customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL, if_match=sandbox.etag()))
            await arrived(sandbox, 3)
            await cancelled(task)
            assert [received.method for received in sandbox.received] == ["PATCH", "PATCH", "GET"]
            await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)

    asyncio.run(cancel())


def test_a_time_out_of_the_caller(sandbox: Sandbox, url: str) -> None:
    """`asyncio.timeout` around a call ends it as a time-out of the caller's, with retries on."""

    async def end(limit: asyncio.Timeout) -> None:
        await arrived(sandbox)
        limit.reschedule(0)

    async def call(customers: AsyncCustomersClient) -> None:
        async with asyncio.timeout(None) as limit:
            ending = asyncio.ensure_future(end(limit))
            await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        await ending

    async def wait() -> None:
        sandbox.fail(*[Fault(status=503)] * 9)
        async with client(url, retries=PATIENT) as customers:
            with pytest.raises(TimeoutError) as caught:
                await call(customers)
            assert not isinstance(caught.value, errors.CybersourceError)
            assert len(sandbox.received) == 1

    asyncio.run(wait())


# Ctrl-C


class Interrupting(httpx.Auth):
    """Credentials that take so long that somebody presses Ctrl-C."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.raised = KeyboardInterrupt("pressed")
        self.flows = 0

    def auth_flow(self, request: httpx.Request) -> Any:
        """Sign some requests, then be interrupted."""
        self.flows += 1
        if self.flows > self.after:
            raise self.raised
        yield from AUTH.auth_flow(request)


@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_interrupted_in_the_transport(sandbox: Sandbox, url: str, earlier: int) -> None:
    """Ctrl-C while sending goes through untouched, in whichever attempt."""
    raised = KeyboardInterrupt("pressed")

    def interrupt(number: int, request: httpx.Request) -> None:
        if number == earlier:
            raise raised

    sandbox.fail(*[Fault(status=503)] * earlier)
    transport = RecordingTransport(interrupt, connections=1)
    with CustomersClient("test", AUTH, base_url=url, transport=transport, retries=QUICK) as customers:
        with pytest.raises(KeyboardInterrupt) as caught:
            customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        assert caught.value is raised
        assert len(transport.requests) == earlier + 1
        assert len(sandbox.received) == earlier
        assert sandbox.customer() == page_customer()
        customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)


@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_interrupted_in_the_auth(sandbox: Sandbox, url: str, earlier: int) -> None:
    """Ctrl-C while signing does the same."""
    auth = Interrupting(earlier)
    sandbox.fail(*[Fault(status=503)] * earlier)
    with CustomersClient("test", auth, base_url=url, retries=QUICK) as customers:
        with pytest.raises(KeyboardInterrupt) as caught:
            customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        assert caught.value is auth.raised
        assert (auth.flows, len(sandbox.received)) == (earlier + 1, earlier)


def press_ctrl_c(is_time: Callable[[], bool]) -> None:
    """Send SIGINT when it is time, or after `LIMIT`."""
    eventually(is_time)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(("fault", "retries"), WAITS.values(), ids=WAITS)
def test_a_real_signal(
    sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture, fault: Fault, retries: Retries
) -> None:
    """A real SIGINT while waiting for the response or for the next attempt ends the call, and the client goes on."""
    caplog.set_level(logging.INFO, "cybersource_tms")
    sandbox.fail(fault)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    press = threading.Thread(target=press_ctrl_c, args=(lambda: is_waiting(sandbox, caplog, fault),))
    try:
        with CustomersClient("test", AUTH, base_url=url, retries=retries) as customers:
            press.start()
            with pytest.raises(KeyboardInterrupt):
                customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
            assert len(sandbox.received) == 1
            assert customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL).customer.to_dict() == sandbox.customer()
    finally:
        press.join()
        signal.signal(signal.SIGINT, before)
