"""`apply` and `modify`: read the customer, find what has to change, send that, guarded by the ETag."""

import copy
import json
import time
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from cybersource_tms import BuyerInformation, Customer, CustomerUpdate, Retries, errors
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Fault, Sandbox, page_customer
from support.clients import EMAIL, NEW_EMAIL, BlockingClient, Clients
from support.fixed_response import FixedResponse
from support.recording import RecordingTransport

ID = PAGE_CUSTOMER_ID
DESIRED = NEW_EMAIL.to_dict()
Call = Callable[[BlockingClient], Any]


def methods(sandbox: Sandbox) -> str:
    """Return the methods of what the sandbox received."""
    return " ".join(request.method for request in sandbox.received)


def set_email(customer: Customer) -> Customer:
    """Change the customer that is given, and return it."""
    customer.buyer_information = BuyerInformation(email=EMAIL)
    return customer


class Asked:
    """A function for `modify` that keeps what it was given, while somebody else changes the customer `times` times."""

    def __init__(self, sandbox: Sandbox, times: int = 0) -> None:
        self.sandbox, self.times = sandbox, times
        self.customers: list[Customer] = []

    def __call__(self, customer: Customer) -> CustomerUpdate:
        """Return the changes."""
        self.customers.append(customer)
        if len(self.customers) <= self.times:
            self.sandbox.change({"objectInformation": {"title": f"number {len(self.customers)}"}})
        return NEW_EMAIL


WAYS: dict[str, Call] = {
    "apply a mapping": lambda customers: customers.apply(ID, DESIRED),
    "apply a CustomerUpdate": lambda customers: customers.apply(ID, NEW_EMAIL),
    "modify, changes": lambda customers: customers.modify(ID, lambda customer: NEW_EMAIL),
    "modify, a mapping": lambda customers: customers.modify(ID, lambda customer: DESIRED),
    "modify, the argument": lambda customers: customers.modify(ID, set_email),
}
in_all_ways = pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))


@in_all_ways
def test_only_what_differs_is_sent(clients: Clients, sandbox: Sandbox, way: Call) -> None:
    """The customer is read, the difference is sent with the ETag of what was read, and the record says so."""
    etag = sandbox.etag()
    record = way(clients.open(transport=sandbox.transport))
    assert methods(sandbox) == "GET PATCH"
    assert json.loads(sandbox.received[1].body) == DESIRED
    assert sandbox.received[1].headers["if-match"] == etag
    assert (record.customer.to_dict(), record.etag) == (sandbox.customer(), sandbox.etag())
    assert (record.sent, record.requests) == (("buyerInformation.email",), 2)
    assert record.unique_transaction_id == sandbox.received[1].reply.headers["uniqueTransactionID"]  # type: ignore[union-attr]


@in_all_ways
def test_nothing_differs(clients: Clients, sandbox: Sandbox, way: Call) -> None:
    """Nothing is sent, and the record is of the read."""
    sandbox.change(DESIRED)
    record = way(clients.open(transport=sandbox.transport))
    assert methods(sandbox) == "GET"
    assert (record.sent, record.requests, record.etag) == ((), 1, sandbox.etag())


def test_no_etag_is_needed_to_send_nothing(clients: Clients) -> None:
    """The record of the read is returned, even if it has no ETag."""
    record = clients.open(transport=FixedResponse(headers={})).modify(ID, lambda customer: None)
    assert (record.sent, record.etag) == ((), None)


@pytest.mark.parametrize("etag", [None, "*", "a, b"])
@in_all_ways
def test_an_update_that_cannot_be_guarded(clients: Clients, way: Call, etag: str | None) -> None:
    """Without an ETag that can be sent back, nothing is written."""
    transport = FixedResponse(headers={"v-c-correlation-id": "id"} | ({} if etag is None else {"ETag": etag}))
    with pytest.raises(errors.UnreadableResponse, match="response has no ETag that can guard an update; not") as caught:
        way(clients.open(transport=transport))
    assert (caught.value.correlation_id, caught.value.may_have_been_applied) == ("id", False)
    assert [request.method for request in transport.requests] == ["GET"]


@pytest.mark.parametrize("times", [1, 3])
def test_a_conflict(clients: Clients, sandbox: Sandbox, times: int) -> None:
    """If somebody else changes the customer in between, it is read and the function called again."""
    asked = Asked(sandbox, times)
    record = clients.open(transport=sandbox.transport, retries=Retries(attempts=4)).modify(ID, asked)
    titles = [each.object_information.title for each in asked.customers[1:]]  # type: ignore[union-attr]
    assert titles == [f"number {number + 1}" for number in range(times)]
    assert methods(sandbox) == " ".join(["GET PATCH"] * (times + 1))
    assert record.requests == 2 * (times + 1)
    assert record.customer.to_dict() == sandbox.customer()


@pytest.mark.parametrize(("retries", "rounds"), [(Retries(attempts=3), 3), (Retries(attempts=1), 1), (None, 1)])
def test_conflicts_in_all_rounds(clients: Clients, sandbox: Sandbox, retries: Retries | None, rounds: int) -> None:
    """There are as many rounds as the client's retries have attempts; the error says how many, and nothing changed."""
    asked = Asked(sandbox, times=99)
    with pytest.raises(errors.PreconditionFailed, match=f"round of this call, of which there were {rounds}") as caught:
        clients.open(transport=sandbox.transport, retries=retries).modify(ID, asked)
    assert len(asked.customers) == rounds
    assert not caught.value.may_have_been_applied
    assert caught.value.correlation_id


LATE = {"the second read": 0.8, "the update": 1.2}


@in_all_ways
@pytest.mark.parametrize("seconds", LATE.values(), ids=LATE)
def test_one_deadline(
    clients: Clients, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, way: Call, seconds: float
) -> None:
    """It is for all reads and updates of a call: what would begin after it is not sent."""
    clock, ahead = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock() + ahead[0])

    def take_long(number: int, request: httpx.Request) -> None:
        ahead[0] += seconds * 100
        sandbox.change({"objectInformation": {"title": f"number {number}"}})

    transport = RecordingTransport(after=take_long, through=sandbox.transport)
    with pytest.raises(errors.TimedOut, match="DeadlinePassed") as caught:
        way(clients.open(transport=transport, retries=Retries(total_timeout=100)))
    assert methods(sandbox) == ("GET PATCH" if seconds < 1 else "GET")
    assert not caught.value.may_have_been_applied


LOST = Fault(status=503, applied=True)


@in_all_ways
def test_a_lost_response(clients: Clients, sandbox: Sandbox, way: Call) -> None:
    """The retry is refused, the customer is read, and it has the values: success, with all requests counted."""
    sandbox.fail(Fault(), LOST)
    record = way(clients.open(transport=sandbox.transport, retries=Retries(initial_delay=0)))
    assert methods(sandbox) == "GET PATCH PATCH GET"
    assert (record.sent, record.requests) == (("buyerInformation.email",), 4)


def test_a_lost_response_and_another_writer(clients: Clients, sandbox: Sandbox) -> None:
    """If the customer read back does not have the values, the error names the fields, and the function is not asked."""
    asked = Asked(sandbox)
    customers = clients.open(transport=sandbox.transport, retries=Retries(initial_delay=0))
    sandbox.fail(Fault(), Fault(cut="before"), Fault(status=412))
    with pytest.raises(errors.PreconditionFailed, match=r"buyerInformation\.email") as caught:
        customers.modify(ID, asked)
    assert caught.value.not_applied == ("buyerInformation.email",)
    assert caught.value.may_have_been_applied
    assert len(asked.customers) == 1


class Interrupted(Exception):
    """What the handler of a signal raises."""


def test_reading_back_is_interrupted(clients: Clients, sandbox: Sandbox) -> None:
    """An exception that is not ours comes out as itself, with a note that the update may have been applied."""

    def interrupt(number: int, request: httpx.Request) -> None:
        if number == 3:
            raise Interrupted

    sandbox.fail(Fault(), LOST)
    transport = RecordingTransport(interrupt, through=sandbox.transport)
    with pytest.raises(Interrupted) as caught:
        clients.open(transport=transport, retries=Retries(initial_delay=0)).apply(ID, DESIRED)
    assert transport.methods() == ["GET", "PATCH", "PATCH", "GET"]
    assert "may have been applied" in str(caught.value.__notes__)


INVALID = errors.InvalidRequest
WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "raises": (lambda customer: dict[str, Any]()["no such row"], KeyError, "no such row"),
    "is async": (lambda customer: anyio.sleep(1), INVALID, "function: expected a function that is not async"),
    "a copy": (copy.copy, INVALID, "function: the result is another Customer than its argument"),
}


@pytest.mark.parametrize(("function", "error", "message"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_function(
    clients: Clients, sandbox: Sandbox, function: Any, error: type[Exception], message: str
) -> None:
    """What the function raises comes out as itself; what it must not return is refused. Nothing is written."""
    with pytest.raises(error, match=message):
        clients.open(transport=sandbox.transport).modify(ID, function)
    assert methods(sandbox) == "GET"


REFUSED: dict[str, tuple[Call, str]] = {
    "its customer": (lambda customers: customers.apply(ID, customers.retrieve(ID).customer), "a Customer holds what"),
    "nothing": (lambda customers: customers.apply(ID, {}), "there is no field in it"),
    "no function": (lambda customers: customers.modify(ID, DESIRED), "function: expected a function"),
    "no id": (lambda customers: customers.apply("", DESIRED), "customer_id: "),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=list(REFUSED))
def test_wrong_arguments(clients: Clients, sandbox: Sandbox, call: Call, message: str) -> None:
    """What is wrong in itself is refused before anything is read, and the message says what to do."""
    with pytest.raises(errors.InvalidRequest, match=message):
        call(clients.open(transport=sandbox.transport))
    assert "PATCH" not in methods(sandbox)


def test_limits_hold_for_what_is_new(clients: Clients) -> None:
    """What the customer has from before the limits passes; what is new or different is held to them."""
    name = "merchantDefinedInformation"
    old = [{"name": "data9", "value": "x" * 120}]
    service = FixedResponse(body=json.dumps(page_customer() | {name: [*old, {"name": "data1", "value": "a"}]}).encode())
    customers = clients.open(transport=service)
    customers.apply(ID, {name: [*old, {"name": "data1", "value": "b"}]})
    assert json.loads(service.requests[1].content) == {name: [*old, {"name": "data1", "value": "b"}]}
    with pytest.raises(errors.InvalidRequest, match=rf"^desired: {name}\[1\].name: does not match"):
        customers.apply(ID, {name: [*old, {"name": "data8", "value": "b"}]})
    assert [request.method for request in service.requests] == ["GET", "PATCH", "GET"]


def test_the_function_can_use_the_client(clients: Clients, sandbox: Sandbox) -> None:
    """Nothing is held while the caller's code runs: with one connection, the function can read another customer."""
    if clients.name == "async":
        pytest.skip("the function of the async client is not async")
    other = "0" * 32
    sandbox.add({"id": other})
    with sandbox.running() as url:
        customers = clients.open(base_url=url, max_connections=1)

        def take_title(customer: Customer) -> dict[str, Any]:
            return {"objectInformation": {"title": customers.retrieve(other).customer.id}}

        assert customers.modify(ID, take_title).customer.object_information.title == other  # type: ignore[union-attr]
