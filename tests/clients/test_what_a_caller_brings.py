"""What a caller brings of his own: transports, credentials, mocks, and handlers of signals."""

import gc
import gzip
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from types import FrameType
from typing import Any

import anyio
import httpx
import pytest
from pytest_httpx import HTTPXMock

from cybersource_tms import AsyncCustomersClient, CustomersClient, Retries
from cybersource_tms.errors import InvalidRequest, TimedOut
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Sandbox, page_customer
from support.clients import AUTH, NEW_EMAIL, Clients
from support.fixed_response import PAGE, FixedResponse

SIGNATURE = "of the caller"


class Recorder(FixedResponse):
    """A transport with a length, so it is false before the first request."""

    closed = 0

    def __len__(self) -> int:
        return len(self.requests)

    def close(self) -> None:
        """Count how often it is closed."""
        self.closed += 1

    async def aclose(self) -> None:
        """Count how often it is closed."""
        self.closed += 1


def test_an_empty_transport(clients: Clients) -> None:
    """What a caller gives sends, even if Python takes it for false, and is closed once."""
    transport = Recorder()
    client = clients.open(transport=transport)
    client.retrieve(PAGE_CUSTOMER_ID)
    client.close()
    client.close()
    assert (len(transport.requests), transport.closed) == (1, 1)


class TwoFlows(httpx.Auth):
    """Signs in a flow of its own for each kind of client."""

    def sync_auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        """Set the header."""
        request.headers["Authorization"] = SIGNATURE
        yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncIterator[httpx.Request]:  # type: ignore[override]
        """Set the header."""
        yield next(self.sync_auth_flow(request))


class Another(httpx.Auth):
    """Makes another request: it fetches a token first."""

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        """Ask for a token."""
        yield httpx.Request("POST", "https://tokens.example/")


def test_credentials_of_ones_own(clients: Clients) -> None:
    """They sign the request in the first step of their flow."""
    transport = FixedResponse()
    clients.open(auth=TwoFlows(), transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert transport.requests[0].headers["Authorization"] == SIGNATURE


def test_credentials_that_make_another_request(clients: Clients) -> None:
    """That is refused: it would go out in place of the update, or the update without a signature."""
    transport = FixedResponse()
    with pytest.raises(InvalidRequest, match=r"^auth: it has to sign the request that it is given") as caught:
        clients.open(auth=Another(), transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert (caught.value.argument, transport.requests) == ("auth", [])


class Slow(httpx.Auth):
    """Waits for an HSM that never responds."""

    async def async_auth_flow(self, request: httpx.Request) -> AsyncIterator[httpx.Request]:  # type: ignore[override]
        """Wait."""
        await anyio.sleep_forever()
        yield request


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_deadline_bounds_signing(backend: str) -> None:
    """An async call ends within its time, whatever it waits for, and nothing was sent."""
    transport = FixedResponse()

    async def update() -> None:
        retries = Retries(total_timeout=0.1)
        async with AsyncCustomersClient("test", Slow(), transport=transport, retries=retries) as customers:
            with pytest.raises(TimedOut) as caught:
                await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
            assert (caught.value.may_have_been_applied, transport.requests) == (False, [])

    anyio.run(update, backend=backend)


def test_a_mock_that_compresses(httpx_mock: HTTPXMock) -> None:
    """A response of pytest-httpx can be compressed, as the service's are."""
    httpx_mock.add_response(content=gzip.compress(PAGE), headers={"Content-Encoding": "gzip"})
    with CustomersClient("test", AUTH) as customers:
        assert customers.retrieve(PAGE_CUSTOMER_ID).customer.to_dict() == page_customer()


class Alarm(Exception):
    """What a handler of a signal raises."""


def raise_at(number: int) -> Callable[[FrameType, str, Any], None]:
    """Return what raises where the call of that number into this package begins, as a signal's handler may."""
    calls = count(1)

    def look(frame: FrameType, event: str, _: object) -> None:
        ours = event == "call" and str(frame.f_globals.get("__name__")).startswith("cybersource_tms.")
        if ours and next(calls) == number:
            raise Alarm

    return look


def interrupt(customers: CustomersClient, number: int) -> BaseException | None:
    """Update a customer, interrupted at a call of ours, and return what comes out; None at the end of the update."""
    sys.setprofile(raise_at(number))
    try:
        customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    except Alarm as alarm:
        return alarm
    finally:
        sys.setprofile(None)
    return None


def test_the_fate_wherever_a_handler_raises(sandbox: Sandbox, url: str) -> None:
    """If the service got the update, a note says so: until the connection is given back, too."""
    number = 1
    # A connection that is interrupted while it is made is closed by the garbage collector.
    with CustomersClient("test", AUTH, base_url=url) as customers, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        while error := interrupt(customers, number):
            notes = "".join(getattr(error, "__notes__", []))
            assert not sandbox.received or "may have been applied" in notes
            sandbox.received.clear()
            number += 1
        gc.collect()
    assert number > 50
