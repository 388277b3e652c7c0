"""Reading one field without `UNSET`, and one entry of the merchant's own data by its name."""

from datetime import date
from typing import Any

import pytest

from cybersource_tms import UNSET, Customer, CustomerRecord, CustomerUpdate, MerchantData, MerchantDefinedInformation
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Sandbox, page_customer
from support.clients import Clients
from support.customers import GROUP, LIST, NAME, VALUE, A, Wire, entries, group

BARE = {"id": PAGE_CUSTOMER_ID}


def record(customer: Any) -> CustomerRecord:
    """Return the record of a customer."""
    return CustomerRecord(Customer.from_dict(customer))


# One field

FOUND: dict[str, tuple[Wire, str, Any]] = {
    "in a group": (page_customer(), f"{GROUP}.{A}", page_customer()[GROUP][A]),
    "not in a group": (page_customer(), "id", PAGE_CUSTOMER_ID),
    "only the service writes it": (page_customer(), "metadata.creator", "testrest"),
    "two groups deep": (page_customer(), "_links.self.href", f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"),
    "an empty text": (group(a=""), f"{GROUP}.{A}", ""),
    "no group": ({}, f"{GROUP}.{A}", None),
    "group is null": ({GROUP: None}, f"{GROUP}.{A}", None),
    "group is empty": ({GROUP: {}}, f"{GROUP}.{A}", None),
    "field is null": (group(a=None), f"{GROUP}.{A}", None),
    "another field": (group(b="1"), f"{GROUP}.{A}", None),
    # What only the service writes may have any shape; the type that is promised holds.
    "no object": ({"metadata": "x"}, "metadata.creator", None),
    "another type": ({"metadata": {"creator": 7}}, "metadata.creator", None),
}  # fmt: skip


@pytest.mark.parametrize(("customer", "path", "value"), FOUND.values(), ids=list(FOUND))
def test_a_field_is_read(customer: Wire, path: str, value: Any) -> None:
    """Its value by the names that the API has, or None: nothing prints as UNSET."""
    assert record(BARE | customer).get(path) == value


def test_an_object_that_is_no_model_is_read() -> None:
    """The generated parser leaves an object as it is where it cannot make a model of it."""
    customer = Customer(id="1", metadata={"creator": "testrest"})  # type: ignore[arg-type]
    assert CustomerRecord(customer).get("metadata.creator") == "testrest"


DATA, POINTER = "merchantDefinedInformation", "; MerchantData(record.customer) has its entries"
WRONG: dict[str, tuple[Any, Any, str]] = {
    "misspelt": (f"{GROUP}.{A}x", str, f"{GROUP}.{A}x: no such field, did you mean {A}?"),
    "without its group": (A, str, f"{A}: no such field, did you mean {GROUP}.{A}?"),
    "attribute's name": ("field_links.self", str, "field_links: no such field, did you mean _links?"),
    "empty": ("", str, "no such field"),
    "group": (GROUP, str, f"{GROUP}: it is not a single value"),
    "list": (DATA, str, f"{DATA}: it is not a single value{POINTER}"),
    "in the list": (f"{DATA}.data1", str, f"{DATA}: it has no fields of its own{POINTER}"),
    "in a text": (f"{GROUP}.{A}.x", str, f"{GROUP}.{A}: it has no fields of its own"),
    "another type": (f"{GROUP}.{A}", date, f"{GROUP}.{A}: it holds str, which get() takes as kind="),
    "no type": (f"{GROUP}.{A}", "str", f"{GROUP}.{A}: it holds str, which get() takes as kind="),
    "no text": (None, str, "expected a path such as buyerInformation.email"),
}  # fmt: skip


@pytest.mark.parametrize(("path", "kind", "problem"), WRONG.values(), ids=list(WRONG))
def test_a_path_that_is_wrong(path: Any, kind: Any, problem: str) -> None:
    """It is refused, whether the customer has the field or not, and the message says where and what."""
    for customer in (BARE, page_customer()):
        with pytest.raises(InvalidRequest) as raised:
            record(customer).get(path, kind=kind)
        assert str(raised.value) == f"get: {problem}"


# The merchant's own entries

SET: dict[str, tuple[Any, Wire]] = {
    "new": (entries("data1=a"), entries("data1=a", "data2=Gold")),
    "there already": (entries("data2=Silver", "data1=a"), entries("data2=Gold", "data1=a")),
    "there twice": (entries("data2=Silver", "data2=Bronze"), entries("data2=Gold", "data2=Gold")),
    "no list": ({}, entries("data2=Gold")),
    "list is null": ({LIST: None}, entries("data2=Gold")),
    "what else an entry has": ({LIST: [{NAME: "data2", "new": 1}]}, {LIST: [{NAME: "data2", VALUE: "Gold", "new": 1}]}),
}
REMOVED_ENTRY: dict[str, tuple[Wire, Wire]] = {
    "one of two": (entries("data1=a", "data2=Gold"), entries("data2=Gold")),
    "there twice": (entries("data1=a", "data2=Gold", "data1=b"), entries("data2=Gold")),
    "the last": (entries("data1=a"), {LIST: None}),
}


@pytest.mark.parametrize(("before", "after"), SET.values(), ids=list(SET))
def test_an_entry_is_set(before: Wire, after: Wire) -> None:
    """The other entries stay, in their order."""
    customer = Customer.from_dict(BARE | before)
    MerchantData(customer)["data2"] = "Gold"
    assert customer.to_dict() == BARE | after


@pytest.mark.parametrize(("before", "after"), REMOVED_ENTRY.values(), ids=list(REMOVED_ENTRY))
def test_an_entry_is_removed(before: Wire, after: Wire) -> None:
    """The other entries stay; without any, the list is removed by null, as the guide has it."""
    customer = Customer.from_dict(BARE | before)
    del MerchantData(customer)["data1"]
    assert customer.to_dict() == BARE | after


def test_entries_are_changed_by_modify(clients: Clients) -> None:
    """The whole list is sent, and nothing is where there is no list and an entry is added and removed."""
    sandbox = Sandbox()
    customers = clients.open(transport=sandbox.transport)

    def change(customer: Customer) -> Customer:
        data = MerchantData(customer)
        data.update(data2="Gold", data3="a")
        del data["data3"]
        return customer

    def add_and_remove(customer: Customer) -> Customer:
        MerchantData(customer).clear()
        MerchantData(customer)["data1"] = "a"
        del MerchantData(customer)["data1"]
        return customer

    assert customers.modify(PAGE_CUSTOMER_ID, change).sent == ("merchantDefinedInformation",)
    assert dict(MerchantData(customers.retrieve(PAGE_CUSTOMER_ID).customer))["data2"] == "Gold"
    assert customers.modify(PAGE_CUSTOMER_ID, add_and_remove).sent == ("merchantDefinedInformation",)
    assert customers.modify(PAGE_CUSTOMER_ID, add_and_remove).sent == ()


@pytest.mark.parametrize("data", [UNSET, None, []], ids=["no list", "null", "empty"])
def test_no_entries(data: Any) -> None:
    """There is nothing to read and nothing to remove, as in an empty dict."""
    found = MerchantData(Customer(id=PAGE_CUSTOMER_ID, merchant_defined_information=data))
    assert (dict(found), len(found), found.get("data1"), found.pop("data1", None)) == ({}, 0, None, None)
    with pytest.raises(KeyError):
        del found["data1"]


def test_entries_are_read() -> None:
    """By name, or all at once, in their order; and what is changed later is seen."""
    customer = Customer.from_dict(BARE | entries("data2=Gold", "data1=a"))
    data = MerchantData(customer)
    assert (data["data1"], data.get("data3"), "data2" in data) == ("a", None, True)
    assert list(data.items()) == [("data2", "Gold"), ("data1", "a")]
    assert "Gold" not in repr(data)
    customer.merchant_defined_information = [MerchantDefinedInformation(name="data3", value="b")]
    assert dict(data) == {"data3": "b"}


def test_what_is_no_entry_is_left_alone() -> None:
    """An entry without a name or a value is not shown, and is still there afterwards."""
    odd: list[Any] = [{NAME: "data1"}, {VALUE: "a"}, {NAME: "data3", VALUE: None}]
    customer = Customer.from_dict(BARE | {LIST: odd})
    assert dict(MerchantData(customer)) == {}
    MerchantData(customer)["data2"] = "Gold"
    assert customer.to_dict()[LIST] == [*odd, {NAME: "data2", VALUE: "Gold"}]


@pytest.mark.parametrize("other", [record(BARE), CustomerUpdate(), BARE], ids=["record", "update", "mapping"])
def test_only_a_customer_has_entries(other: Any) -> None:
    """A record has a customer, and an update's list would stand for all entries: both are refused."""
    with pytest.raises(InvalidRequest, match="expected a Customer, such as record"):
        MerchantData(other)
