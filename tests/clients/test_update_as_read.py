"""`update` with a function: read the customer, ask the function, send what it returns, guarded by the ETag."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from cybersource_tms import BuyerInformation, Customer, CustomerUpdate, Retries, changed_fields, errors
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Fault, Sandbox
from support.clients import EMAIL, NEW_CODE, NEW_EMAIL, Clients
from support.fixed_response import FixedResponse


def methods(sandbox: Sandbox) -> list[str]:
    """Return the methods of what the sandbox received."""
    return [request.method for request in sandbox.received]


class Asked:
    """A change function that keeps what it was asked about, while somebody else changes the customer `times` times."""

    def __init__(self, sandbox: Sandbox, times: int = 0, changes: CustomerUpdate | None = NEW_EMAIL) -> None:
        self.sandbox, self.times, self.changes = sandbox, times, changes
        self.customers: list[Customer] = []

    def __call__(self, customer: Customer) -> CustomerUpdate | None:
        """Return the changes."""
        self.customers.append(customer)
        if len(self.customers) <= self.times:
            self.sandbox.change({"objectInformation": {"title": f"number {len(self.customers)}"}})
        return self.changes


def test_it_sends_what_the_function_returns(clients: Clients, sandbox: Sandbox) -> None:
    """The function gets the customer as it is; only what it returns is sent, with the ETag of what it got."""
    before, etag = sandbox.customer(), sandbox.etag()
    asked = Asked(sandbox)
    record = clients.open(transport=sandbox.transport).update(PAGE_CUSTOMER_ID, asked)
    assert [customer.to_dict() for customer in asked.customers] == [before]
    assert methods(sandbox) == ["GET", "PATCH"]
    assert json.loads(sandbox.received[1].body) == NEW_EMAIL.to_dict()
    assert sandbox.received[1].headers["if-match"] == etag
    assert (record.customer.to_dict(), record.etag) == (sandbox.customer(), sandbox.etag())


def test_changed_fields_is_such_a_function(clients: Clients, sandbox: Sandbox) -> None:
    """`partial(changed_fields, after=…)` brings a customer in line, and sends nothing the second time."""
    customers = clients.open(transport=sandbox.transport)
    in_line = partial(changed_fields, after={"buyerInformation": {"email": EMAIL}})
    customers.update(PAGE_CUSTOMER_ID, in_line)
    assert sandbox.customer()["buyerInformation"]["email"] == EMAIL
    customers.update(PAGE_CUSTOMER_ID, in_line)
    assert methods(sandbox) == ["GET", "PATCH", "GET"]


def test_nothing_to_send(clients: Clients, sandbox: Sandbox) -> None:
    """The record is the one that was read, even where that has no ETag."""
    record = clients.open(transport=sandbox.transport).update(PAGE_CUSTOMER_ID, lambda customer: None)
    assert (record.customer.to_dict(), record.etag) == (sandbox.customer(), sandbox.etag())
    transport = FixedResponse(headers={})
    assert clients.open(transport=transport).update(PAGE_CUSTOMER_ID, lambda customer: None).etag is None
    assert [request.method for request in transport.requests] == ["GET"]


@pytest.mark.parametrize("times", [1, 3])
def test_a_conflict(clients: Clients, sandbox: Sandbox, times: int) -> None:
    """If somebody else changes the customer in between, the function is asked again about the customer as it is now."""
    asked = Asked(sandbox, times)
    record = clients.open(transport=sandbox.transport, retries=Retries(attempts=4)).update(PAGE_CUSTOMER_ID, asked)
    assert [each.object_information.title for each in asked.customers[1:]] == [f"number {n + 1}" for n in range(times)]  # type: ignore[union-attr]
    assert methods(sandbox) == ["GET", "PATCH"] * (times + 1)
    assert record.customer.to_dict() == sandbox.customer()
    assert sandbox.customer()["buyerInformation"]["email"] == EMAIL


@pytest.mark.parametrize(("retries", "tries"), [(Retries(attempts=3), 3), (Retries(attempts=1), 1), (None, 1)])
def test_conflicts_for_ever(clients: Clients, sandbox: Sandbox, retries: Retries | None, tries: int) -> None:
    """The function is asked as often as the client's retries have attempts; then the conflict is raised."""
    asked = Asked(sandbox, times=99)
    with pytest.raises(errors.PreconditionFailed) as caught:
        clients.open(transport=sandbox.transport, retries=retries).update(PAGE_CUSTOMER_ID, asked)
    assert len(asked.customers) == tries
    assert not caught.value.may_have_been_applied


def test_a_conflict_with_ourselves_is_not_repeated(clients: Clients, sandbox: Sandbox) -> None:
    """If an attempt may have been applied before the conflict, a function such as "one more" is not asked again."""
    lost = Fault(status=503, applied=True)

    def one_more(customer: Customer) -> CustomerUpdate:
        sandbox.fail(lost, Fault(status=412))
        sandbox.fail(Fault(status=404))  # finding out fails as well
        return NEW_EMAIL

    with pytest.raises(errors.PreconditionFailed) as caught:
        clients.open(transport=sandbox.transport, retries=Retries(initial_delay=0)).update(PAGE_CUSTOMER_ID, one_more)
    assert caught.value.may_have_been_applied
    assert methods(sandbox) == ["GET", "PATCH", "PATCH", "GET"]


def raises(customer: Customer) -> CustomerUpdate | None:
    """Raise what only the caller knows."""
    raise LookupError("no such row")


WRONG: dict[str, tuple[Callable[[Customer], Any], type[Exception], str]] = {
    "raises": (raises, LookupError, "no such row"),
    "a mapping": (
        lambda customer: {"buyerInformation": {}},
        errors.InvalidRequest,
        "changes: expected a CustomerUpdate",
    ),
    "the customer": (lambda customer: customer, errors.InvalidRequest, "changes: expected a CustomerUpdate"),
    "no field": (lambda customer: CustomerUpdate(), errors.InvalidRequest, "changes: it has no field"),
    "a wrong type": (
        lambda customer: CustomerUpdate(buyer_information=BuyerInformation(email=5)),  # type: ignore[arg-type]
        errors.InvalidRequest,
        "changes: buyerInformation.email",
    ),
}


@pytest.mark.parametrize(("function", "kind", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_function(
    clients: Clients, sandbox: Sandbox, function: Any, kind: type[Exception], message: str
) -> None:
    """What the function raises comes out as it is; what it must not return is refused. Nothing is sent."""
    with pytest.raises(kind, match=message):
        clients.open(transport=sandbox.transport).update(PAGE_CUSTOMER_ID, function)
    assert methods(sandbox) == ["GET"]


@pytest.mark.parametrize("etag", [None, "*", "", "a, b"])
def test_an_update_that_cannot_be_guarded(clients: Clients, etag: str | None) -> None:
    """Without an ETag that can be sent back nothing is sent."""
    transport = FixedResponse(headers={} if etag is None else {"ETag": etag})
    with pytest.raises(errors.UnreadableResponse, match="ETag"):
        clients.open(transport=transport).update(PAGE_CUSTOMER_ID, lambda customer: NEW_CODE)
    assert [request.method for request in transport.requests] == ["GET"]


def test_an_etag_beside_a_function(clients: Clients) -> None:
    """`if_match` is refused, since the ETag of what is read is used; nothing is sent."""
    transport = FixedResponse()
    with pytest.raises(errors.InvalidRequest, match=r"^if_match: "):
        clients.open(transport=transport).update(PAGE_CUSTOMER_ID, lambda customer: NEW_CODE, if_match="etag")
    assert not transport.requests
