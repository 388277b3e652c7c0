"""The customers that are kept, and how one changes."""

import secrets
from dataclasses import dataclass
from typing import Any

from ._json import is_object

PAGE_CUSTOMER_ID = "F2F3ADA770102B51E053A2598D0A9078"
LONGEST_ETAG = 32  # characters, as if-match may have


@dataclass
class Stored:
    """What is kept of a customer."""

    customer: dict[str, Any]
    etag: str
    deleted: bool = False


def page_customer() -> dict[str, Any]:
    """Return the customer of CyberSource's page "Update a Customer"."""
    path = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
    return {
        "_links": {
            "self": {"href": path},
            "paymentInstruments": {"href": f"{path}/payment-instruments"},
            "shippingAddresses": {"href": f"{path}/shipping-addresses"},
        },
        "id": PAGE_CUSTOMER_ID,
        "buyerInformation": {"merchantCustomerID": "Your customer identifier", "email": "test@cybs.com"},
        "clientReferenceInformation": {"code": "TC50171_3"},
        "merchantDefinedInformation": [{"name": "data1", "value": "Your customer data"}],
        "metadata": {"creator": "testrest"},
    }


def new_etag(form: str = "{}") -> str:
    """Return an ETag that was never used: going back to an earlier state does not bring its ETag back."""
    return form.format(secrets.token_hex(14))  # with W/"" around it, LONGEST_ETAG


def merge(target: Any, patch: Any) -> Any:
    """Apply a JSON Merge Patch, https://www.rfc-editor.org/rfc/rfc7396#section-2, without changing `target`."""
    if not is_object(patch):
        return patch
    merged = {**target} if is_object(target) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged
