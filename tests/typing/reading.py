"""Reading a customer as users write it, for the type checkers; nobody runs this file."""

from datetime import date
from typing import assert_type

from cybersource_tms import UNSET, BuyerInformation, Customer, CustomerRecord, MerchantData, Unset, changed_fields


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


def missing_or_null(customer: Customer) -> str | None | Unset:
    if customer.buyer_information:
        return customer.buyer_information.email
    return UNSET


def merchant_data(record: CustomerRecord) -> dict[str, str]:
    assert_type(MerchantData(record.customer).get("data1"), str | None)
    tier: str = MerchantData(record.customer).get("data1", "none")
    return {**MerchantData(record.customer), "tier": tier}


def differences(before: Customer) -> bool:
    changes = changed_fields(before, {"buyerInformation": {"email": "new@example.com"}})
    return changes is not None and bool(changes.buyer_information)
