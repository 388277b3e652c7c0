"""What `modify` makes of a function's result, and what `apply` and `modify` have to send."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from cybersource_tms import BuyerInformation, Customer, CustomerRecord, CustomerUpdate
from cybersource_tms._calls.requests import desired_changes, modified_changes, parse_function
from cybersource_tms._calls.responses import guarding_etag
from cybersource_tms.errors import InvalidRequest, UnreadableResponse
from cybersource_tms_sandbox import page_customer
from support.clients import EMAIL

SENT = {"buyerInformation": {"email": EMAIL}}


def read(etag: str | None = "etag") -> CustomerRecord:
    """Return the record of a read."""
    return CustomerRecord(Customer.from_dict(page_customer()), etag, "id")


def change(customer: Customer, email: Any = EMAIL) -> Customer:
    """Change the e-mail, and return the same object."""
    assert isinstance(customer.buyer_information, BuyerInformation)
    customer.buyer_information.email = email
    return customer


async def coroutine(customer: Customer) -> Customer:
    """Return a customer, after it was awaited."""
    return customer


RESULT = "function: the result"
CHANGED = "function: it changed its argument, so it has to return that argument"
ANOTHER = f"{RESULT} is another Customer than its argument, and may be older: "
ASYNC = "function: expected a function that is not async, for either client"
# What the function does, and what is sent or why it is refused (case F22).
RESULTS: dict[str, tuple[Callable[[Customer], object], dict[str, Any] | str]] = {
    "its argument, changed": (change, SENT),
    "its argument, unchanged": (lambda customer: customer, {}),
    "None": (lambda customer: None, {}),
    "a mapping": (lambda customer: SENT, SENT),
    "a mapping of what is there": (lambda customer: {"buyerInformation": {"email": "test@cybs.com"}}, {}),
    "an empty mapping": (lambda customer: {}, {}),
    "an update": (lambda customer: CustomerUpdate(BuyerInformation(email=EMAIL)), SENT),
    "None, after a change": (lambda customer: [change(customer), None][1], CHANGED),
    "a mapping, after a change": (lambda customer: [change(customer), {}][1], CHANGED),
    "a copy, after a change": (lambda customer: copy.deepcopy(change(customer)), CHANGED),
    "a copy": (copy.copy, ANOTHER),
    "a deep copy, changed": (lambda customer: change(copy.deepcopy(customer)), ANOTHER),
    "another customer": (lambda customer: Customer(id="A"), ANOTHER),
    "text": (
        lambda customer: EMAIL,
        f"{RESULT} has to be the Customer, a CustomerUpdate, a mapping or None, ",
    ),
    "a coroutine": (coroutine, ASYNC),
    "a lambda's coroutine": (lambda customer: coroutine(customer), ASYNC),  # noqa: PLW0108 - the row is about it
    "an awaitable": (lambda customer: type("Later", (), {"__await__": iter})(), ASYNC),
    "a wrong argument": (
        lambda customer: change(customer, 5),
        f"{RESULT}: buyerInformation.email: expected ",
    ),
    "a wrong mapping": (
        lambda customer: {"buyerInformation": {"emial": EMAIL}},
        f"{RESULT}: buyerInformation.emial: no such field, did you mean email?",
    ),
    "the id": (lambda customer: {"id": "A"}, f"{RESULT}: id: only the service writes this"),
}


@pytest.mark.parametrize(("function", "sent"), RESULTS.values(), ids=RESULTS)
def test_results_of_a_function(function: Any, sent: dict[str, Any] | str) -> None:
    """A function changes its argument and returns that, or returns only the changes; anything else is refused."""
    if isinstance(sent, dict):
        assert modified_changes(function, read()) == sent
    else:
        with pytest.raises(InvalidRequest, match=f"^{re.escape(sent)}") as caught:
            modified_changes(function, read())
        assert caught.value.argument == "function"
        assert EMAIL not in str(caught.value)


def test_what_is_no_function() -> None:
    """`modify` takes a function; a class or the changes themselves are refused."""
    assert parse_function(change) is change
    for other in (SENT, CustomerUpdate(), None, "f", Customer):
        with pytest.raises(InvalidRequest, match=r"^function: expected a function that takes the Customer"):
            parse_function(other)


def test_what_apply_has_to_send() -> None:
    """Only what differs is sent; what is wrong is called by the name of the argument."""
    assert desired_changes({"buyerInformation": {"email": EMAIL}, "id": page_customer()["id"]}, read()) == SENT
    assert desired_changes({"buyerInformation": {"email": "test@cybs.com"}}, read()) == {}
    with pytest.raises(InvalidRequest, match=r"^desired: buyerInformation\.email: at most 255 characters, it has 300$"):
        desired_changes({"buyerInformation": {"email": "x" * 300}}, read())


def test_a_read_that_cannot_guard() -> None:
    """Without an ETag that can be sent, nothing is written unguarded."""
    assert guarding_etag(read('W/"E1"')) == 'W/"E1"'
    for etag in (None, "*", "a, b"):
        with pytest.raises(
            UnreadableResponse, match=r"correlation id id\): the response has no ETag that can"
        ) as caught:
            guarding_etag(read(etag))
        assert (caught.value.correlation_id, caught.value.may_have_been_applied) == ("id", False)
