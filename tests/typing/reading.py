"""Reading a customer as users write it, for the type checkers; nobody runs this file."""

from datetime import date
from typing import assert_type

from cybersource_tms import BuyerInformation, Customer, CustomerRecord, CustomersClient, MerchantData


def one_field(record: CustomerRecord) -> str:
    assert_type(record.get("buyerInformation.email"), str | None)
    email: str | None = record.get("buyerInformation.email")
    if email:
        return email.lower()
    if code := record.get("clientReferenceInformation.code"):
        return code
    return f"Dear {record.get('buyerInformation.email') or 'customer'}"


def another_type(record: CustomerRecord) -> None:
    assert_type(record.get("buyerInformation.since", kind=date), date | None)
    assert_type(record.get("buyerInformation.visits", kind=int), int | None)


def attributes(record: CustomerRecord) -> str | None:
    if buyer := record.customer.buyer_information:
        assert_type(buyer, BuyerInformation)
        return buyer.email or None
    return (record.customer.buyer_information or BuyerInformation()).email or None


def one_entry(record: CustomerRecord) -> str:
    assert_type(MerchantData(record.customer).get("data1"), str | None)
    return MerchantData(record.customer).get("data1", "none")


def all_entries(customer: Customer) -> dict[str, str]:
    return dict(MerchantData(customer))


def change_entries(customers: CustomersClient) -> None:
    with customers.edit("id") as customer:
        MerchantData(customer)["data2"] = "Gold"
        MerchantData(customer).pop("data1", None)
        del MerchantData(customer)["data3"]
        MerchantData(customer).update(data1="Silver", data4="Bronze")


async def read_in_an_edit(customers: CustomersClient) -> str | None:
    editing = customers.edit("id")
    with editing as customer:
        customer.buyer_information = BuyerInformation(email="new@example.com")
    return editing.record.get("buyerInformation.email") if editing.record else None
