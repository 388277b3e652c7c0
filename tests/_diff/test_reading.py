"""Reading one field without `UNSET`, and one entry of the merchant's own data by its name."""

import traceback
from datetime import date
from typing import Any

import attrs
import pytest

from cybersource_tms import UNSET, Customer, CustomerRecord, CustomerUpdate, MerchantData, MerchantDefinedInformation
from cybersource_tms._diff.fields import Kind
from cybersource_tms._diff.reading import _inner
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Sandbox, page_customer
from support.clients import EMAIL, Clients

BARE = {"id": PAGE_CUSTOMER_ID}


def record(customer: Any) -> CustomerRecord:
    """Return the record of a customer in wire form."""
    return CustomerRecord(Customer.from_dict(customer), None, None)


# One field

PRESENT = {
    "in a group": ("buyerInformation.email", "test@cybs.com"),
    "name with capitals": ("buyerInformation.merchantCustomerID", "Your customer identifier"),
    "not in a group": ("id", PAGE_CUSTOMER_ID),
    "only the service writes it": ("metadata.creator", "testrest"),
    "two groups deep": ("_links.self.href", f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"),
}


@pytest.mark.parametrize(("path", "value"), PRESENT.values(), ids=list(PRESENT))
def test_a_field_that_is_there(path: str, value: str) -> None:
    """Its value, by the names that the API has."""
    assert record(page_customer()).get(path) == value


ABSENT: dict[str, Any] = {
    "no group": {},
    "group is null": {"buyerInformation": None},
    "group is empty": {"buyerInformation": {}},
    "field is null": {"buyerInformation": {"email": None}},
    "other field": {"buyerInformation": {"merchantCustomerID": "1"}},
}


@pytest.mark.parametrize("part", ABSENT.values(), ids=list(ABSENT))
def test_a_field_that_is_not_there(part: dict[str, Any]) -> None:
    """None, and nothing in its place prints as UNSET."""
    assert record(BARE | part).get("buyerInformation.email") is None
    assert f"Dear {record(BARE | part).get('buyerInformation.email') or 'customer'}" == "Dear customer"


def test_an_empty_text_is_a_value() -> None:
    """What is empty is there."""
    assert record(BARE | {"buyerInformation": {"email": ""}}).get("buyerInformation.email") == ""


ODD: dict[str, Any] = {
    "null": None,
    "text": "x",
    "list": [1],
    "another type": {"creator": 7},
    "null within": {"creator": None},
}


@pytest.mark.parametrize("metadata", ODD.values(), ids=list(ODD))
def test_another_shape_in_what_only_the_service_writes(metadata: Any) -> None:
    """It is no such value, so None: the type that is promised holds."""
    assert record(BARE | {"metadata": metadata}).get("metadata.creator") is None


WRONG: dict[str, tuple[Any, Any, str]] = {
    "misspelt": ("buyerInformation.emial", str, "buyerInformation.emial: no such field, did you mean email?"),
    "attribute's name": ("buyer_information.email", str, "no such field, did you mean buyerInformation?"),
    "other case": ("buyerInformation.merchantCustomerId", str, "did you mean merchantCustomerID?"),
    "empty": ("", str, "no such field"),
    "group": ("buyerInformation", str, "buyerInformation: it is not a single value"),
    "list": ("merchantDefinedInformation", str, "merchantDefinedInformation: it is not a single value"),
    "in a list": ("merchantDefinedInformation.data1", str, "only a group has fields"),
    "in a text": ("buyerInformation.email.x", str, "only a group has fields"),
    "another type": (
        "buyerInformation.email",
        date,
        "buyerInformation.email: it holds str, which get() takes as kind=",
    ),
    "no type": ("buyerInformation.email", "str", "it holds str"),
    "no text": (None, str, "expected a path such as buyerInformation.email"),
}


@pytest.mark.parametrize(("path", "kind", "problem"), WRONG.values(), ids=list(WRONG))
@pytest.mark.parametrize("customer", [BARE, page_customer()], ids=["bare", "page"])
def test_a_path_that_is_wrong(customer: dict[str, Any], path: Any, kind: Any, problem: str) -> None:
    """It is refused, whether the customer has the field or not, and the message says where and what."""
    with pytest.raises(InvalidRequest) as raised:
        record(customer).get(path, kind=kind)
    assert str(raised.value).startswith("get: ")
    assert problem in str(raised.value)


@attrs.define
class Amounts:
    """A map, as the generator makes one."""

    additional_properties: dict[str, int] = attrs.field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the wire form."""
        return dict(self.additional_properties)


@pytest.mark.parametrize("group", [Amounts(), UNSET, None, "x"], ids=["empty", "missing", "null", "another shape"])
def test_a_map(group: Any) -> None:
    """A spec that gets a map has any name in it. `support/every_type.py` reads one from end to end."""
    found, kind = _inner(group, Kind(model=Amounts), "a")
    assert (found, kind.scalars) == (None, (int,))


def test_the_error_holds_no_value() -> None:
    """Neither its message nor a frame's locals hold what the customer has."""
    read = record(BARE | {"buyerInformation": {"email": EMAIL}})
    with pytest.raises(InvalidRequest) as raised:
        read.get("buyerInformation.email", kind=date)
    own, *within = traceback.TracebackException.from_exception(raised.value, capture_locals=True).stack
    assert own.filename == __file__
    assert within
    assert EMAIL not in str(raised.value) + str([frame.locals for frame in within])


# The merchant's own entries


def entries(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    """Return entries in wire form."""
    return [{"name": name, "value": value} for name, value in pairs]


DATA1, DATA2 = ("data1", "Your customer data"), ("data2", "Gold")

SET: dict[str, tuple[Any, list[dict[str, str]]]] = {
    "new": (entries(DATA1), entries(DATA1, DATA2)),
    "there already": (entries(("data2", "Silver"), DATA1), entries(DATA2, DATA1)),
    "there twice": (entries(("data2", "Silver"), ("data2", "Bronze")), entries(DATA2, DATA2)),
    "list is null": (None, entries(DATA2)),
    "list is empty": ([], entries(DATA2)),
}


@pytest.mark.parametrize(("before", "after"), SET.values(), ids=list(SET))
def test_an_entry_is_set_in_an_edit(clients: Clients, before: Any, after: list[dict[str, str]]) -> None:
    """The other entries stay, in their order, and the whole list is sent."""
    sandbox = Sandbox()
    sandbox.put(BARE | {"merchantDefinedInformation": before})
    edit = clients.open(transport=sandbox.transport).edit(
        PAGE_CUSTOMER_ID, lambda customer: MerchantData(customer).update(data2="Gold")
    )
    assert edit.changes.to_dict() == {"merchantDefinedInformation": after}
    assert sandbox.customer()["merchantDefinedInformation"] == after


def test_an_entry_is_set_where_there_is_no_list() -> None:
    """A customer that is not from an edit gets a list."""
    customer = Customer(id=PAGE_CUSTOMER_ID)
    MerchantData(customer)["data2"] = "Gold"
    assert customer.to_dict() == BARE | {"merchantDefinedInformation": entries(DATA2)}


def test_what_else_an_entry_has_stays() -> None:
    """A field that the spec gets later is kept when the value is set."""
    entry = {"name": "data1", "value": "a", "new": 1}
    customer = Customer.from_dict(BARE | {"merchantDefinedInformation": [entry]})
    MerchantData(customer)["data1"] = "b"
    assert customer.to_dict()["merchantDefinedInformation"] == [entry | {"value": "b"}]


REMOVED_ENTRY: dict[str, tuple[list[dict[str, str]], list[dict[str, str]] | None]] = {
    "one of two": (entries(DATA1, DATA2), entries(DATA2)),
    "there twice": (entries(DATA1, DATA2, DATA1), entries(DATA2)),
    "the last": (entries(DATA1), None),
}


@pytest.mark.parametrize(("before", "after"), REMOVED_ENTRY.values(), ids=list(REMOVED_ENTRY))
def test_an_entry_is_removed_in_an_edit(clients: Clients, before: Any, after: Any) -> None:
    """The other entries stay; without any, the list is removed by null, as the guide has it."""
    sandbox = Sandbox()
    sandbox.put(BARE | {"merchantDefinedInformation": before})
    edit = clients.open(transport=sandbox.transport).edit(
        PAGE_CUSTOMER_ID, lambda customer: MerchantData(customer).pop("data1")
    )
    assert edit.changes.to_dict() == {"merchantDefinedInformation": after}
    assert sandbox.customer().get("merchantDefinedInformation") == after


def test_an_entry_that_is_added_and_removed_sends_nothing(clients: Clients) -> None:
    """The customer had no list before, and has none afterwards."""
    sandbox = Sandbox()
    sandbox.put(BARE)

    def change(customer: Customer) -> None:
        MerchantData(customer)["data1"] = "a"
        del MerchantData(customer)["data1"]

    assert clients.open(transport=sandbox.transport).edit(PAGE_CUSTOMER_ID, change).changes is None


@pytest.mark.parametrize("data", [UNSET, None, []], ids=["no list", "null", "empty"])
def test_no_entries(data: Any) -> None:
    """There is nothing to read and nothing to remove, as in an empty dict."""
    entries = MerchantData(Customer(id=PAGE_CUSTOMER_ID, merchant_defined_information=data))
    assert dict(entries) == {}
    assert (len(entries), entries.get("data1"), entries.pop("data1", None)) == (0, None, None)
    with pytest.raises(KeyError):
        del entries["data1"]


def test_entries_are_read() -> None:
    """By name, or all at once, in their order."""
    customer = Customer.from_dict(BARE | {"merchantDefinedInformation": entries(DATA2, DATA1)})
    data = MerchantData(customer)
    assert (data["data1"], data.get("data3"), "data2" in data) == ("Your customer data", None, True)
    assert list(data.items()) == [DATA2, DATA1]
    assert "Gold" not in repr(data)


def test_what_is_no_entry_is_left_alone() -> None:
    """An entry without a name or a value is not shown, and is still there afterwards."""
    odd: list[Any] = [{"name": "data1"}, {"value": "a"}, {"name": "data3", "value": None}]
    customer = Customer.from_dict(BARE | {"merchantDefinedInformation": odd})
    assert dict(MerchantData(customer)) == {}
    MerchantData(customer)["data2"] = "Gold"
    assert customer.to_dict()["merchantDefinedInformation"] == [*odd, *entries(DATA2)]


@pytest.mark.parametrize("other", [record(BARE), CustomerUpdate(), BARE], ids=["record", "update", "mapping"])
def test_only_a_customer_has_entries(other: Any) -> None:
    """A record has a customer, and an update's list would stand for all entries: both are refused."""
    with pytest.raises(InvalidRequest, match="expected a Customer, such as record"):
        MerchantData(other)


def test_what_is_read_later_is_seen() -> None:
    """The dict is the customer's list, not a copy of it."""
    customer = Customer(id=PAGE_CUSTOMER_ID)
    data = MerchantData(customer)
    customer.merchant_defined_information = [MerchantDefinedInformation(name="data2", value="Gold")]
    assert dict(data) == {"data2": "Gold"}
