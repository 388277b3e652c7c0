"""Many edits of one customer at once, and calls that are cancelled or interrupted on their way."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from cybersource_tms import AsyncCustomersClient, Customer, CustomersClient, MerchantData, Retries
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Fault, Sandbox, page_customer
from support.clients import AUTH, NEW_EMAIL
from support.recording import RecordingTransport
from support.waiting import HANGS, LIMIT, eventually

QUICK = Retries(initial_delay=0.001, max_delay=0.005)


def test_edits_at_once(sandbox: Sandbox) -> None:
    """20 tasks count in one field with `modify`: no edit overwrites another one, and none is lost."""
    sandbox.put({"id": PAGE_CUSTOMER_ID, "merchantDefinedInformation": [{"name": "data1", "value": "0"}]})

    def count(customer: Customer) -> Customer:
        data = MerchantData(customer)
        data["data1"] = str(int(data["data1"]) + 1)
        return customer

    async def count_all() -> list[Any]:
        # Each round fails because another task's has succeeded.
        retries = Retries(attempts=20, initial_delay=0, total_timeout=3600)
        async with AsyncCustomersClient("test", AUTH, transport=sandbox.transport, retries=retries) as customers:
            return await asyncio.gather(*(customers.modify(PAGE_CUSTOMER_ID, count) for _ in range(20)))

    accepted = sorted(int(MerchantData(record.customer)["data1"]) for record in asyncio.run(count_all()))
    assert accepted == [*range(1, 21)]
    assert MerchantData(Customer.from_dict(sandbox.customer()))["data1"] == "20"


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
    "retrieve": lambda customers: customers.retrieve(PAGE_CUSTOMER_ID),
    "apply": lambda customers: customers.apply(PAGE_CUSTOMER_ID, NEW_EMAIL),
}

# What makes the call wait, and where.
PATIENT = Retries(initial_delay=3600, max_delay=3600, total_timeout=36_000)
WAITS: dict[str, Fault] = {
    "the response": HANGS,
    "the back-off": Fault(status=503),
    "Retry-After": Fault(status=429, headers={"Retry-After": "3600"}),
}


def is_waiting(sandbox: Sandbox, log: pytest.LogCaptureFixture, fault: Fault) -> bool:
    """Whether a call waits for the response, or else for its next attempt, as its log says."""
    if fault is HANGS:
        return len(sandbox.received) == 1
    return any("the next one is in" in record.getMessage() for record in log.records)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("fault", WAITS.values(), ids=WAITS)
def test_cancelled(
    sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture, fault: Fault, call: Callable[[Any], Any]
) -> None:
    """It comes out at once, one attempt was made, and the only connection is free for the next call."""
    caplog.set_level(logging.INFO, "cybersource_tms")

    async def cancel() -> None:
        sandbox.fail(fault)
        async with client(url, retries=PATIENT) as customers:
            task = asyncio.ensure_future(call(customers))
            assert await asyncio.to_thread(eventually, lambda: is_waiting(sandbox, caplog, fault))
            await cancelled(task)
            assert len(sandbox.received) == 1
            record = await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
            assert record.customer.to_dict() == sandbox.customer()
            assert len(sandbox.received) == 2

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


# Ctrl-C


@pytest.mark.parametrize("earlier", [0, 2])
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


@pytest.mark.parametrize("fault", WAITS.values(), ids=WAITS)
def test_a_real_signal(sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture, fault: Fault) -> None:
    """A real SIGINT while a call waits ends it, with a note on the update's fate, and the client goes on."""
    caplog.set_level(logging.INFO, "cybersource_tms")
    sandbox.fail(fault)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def press_ctrl_c() -> None:
        eventually(lambda: is_waiting(sandbox, caplog, fault))
        os.kill(os.getpid(), signal.SIGINT)

    press = threading.Thread(target=press_ctrl_c)
    try:
        with CustomersClient("test", AUTH, base_url=url, retries=PATIENT) as customers:
            press.start()
            with pytest.raises(KeyboardInterrupt) as caught:
                customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
            fate = "was not applied" if fault.status == 429 else "may have been applied"
            assert f"the update of customer {PAGE_CUSTOMER_ID} {fate}" in caught.value.__notes__[0]
            assert len(sandbox.received) == 1
            assert customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL).customer.to_dict() == sandbox.customer()
    finally:
        press.join()
        signal.signal(signal.SIGINT, before)
