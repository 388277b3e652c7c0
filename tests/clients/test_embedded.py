"""A customer of a real one's size: `_embedded` holds payment instruments, as in CyberSource's Swagger document."""

import copy
import json
from typing import Any

import pytest

from cybersource_tms import CustomerRecord, MessageEncryption, changed_fields
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Sandbox, page_customer
from support.clients import EMAIL, Clients
from support.keys import key_pem, public_pem, rsa_key

PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
ADDRESS = {
    "firstName": "Zoë",
    "lastName": "Müller-Lüdenscheidt",
    "company": None,
    "address1": "1295 Charleston Road",
    "address2": "",
    "locality": "Mountain View",
    "administrativeArea": "CA",
    "postalCode": "94043",
    "country": "US",
    "email": "payer@example.com",
    "phoneNumber": "4158880000",
}


def payment_instrument(number: int) -> dict[str, Any]:
    """Return a payment instrument as the service embeds it, with all that it has within."""
    token, identifier = f"{number:032X}", f"70100000{number:011d}"
    instruments = {"href": f"/tms/v1/instrumentidentifiers/{identifier}/paymentinstruments"}
    return {
        "_links": {"self": {"href": f"{PATH}/payment-instruments/{token}"}, "customer": {"href": PATH}},
        "id": token,
        "object": "paymentInstrument",
        "default": number == 0,
        "state": "ACTIVE",
        "card": {
            "expirationMonth": f"{number % 12 + 1:02}",
            "expirationYear": "2031",
            "type": "001",
            "tokenizedInformation": {"requestorID": "12345678901", "transactionType": "1"},
        },
        "buyerInformation": {
            "currency": "USD",
            "dateOfBirth": "1960-12-30",
            "personalIdentification": [{"type": "driver license", "issuedBy": {"administrativeArea": "CA"}}],
        },
        "billTo": ADDRESS,
        "processingInformation": {"billPaymentProgramEnabled": False, "bankTransferOptions": {"SECCode": "WEB"}},
        "merchantInformation": {"merchantDescriptor": {"alternateName": "Branch"}},
        "instrumentIdentifier": {"id": identifier},
        "metadata": {"creator": "testrest"},
        "_embedded": {
            "instrumentIdentifier": {
                "_links": {
                    "self": {"href": f"/tms/v1/instrumentidentifiers/{identifier}"},
                    "paymentInstruments": instruments,
                },
                "id": identifier,
                "object": "instrumentIdentifier",
                "state": "ACTIVE",
                "card": {"number": "411111XXXXXX1111"},
                "tokenizedCard": None,
                "processingInformation": {"authorizationOptions": {"initiator": {"previousTransactionId": "1" * 15}}},
                "metadata": {"creator": "testrest"},
            }
        },
    }


EMBEDDED = {
    "defaultPaymentInstrument": payment_instrument(0),
    "defaultShippingAddress": {"id": "1" * 32, "default": True, "shipTo": ADDRESS, "metadata": {"creator": "testrest"}},
    "paymentInstruments": [payment_instrument(number) for number in range(40)],
}


@pytest.fixture(params=["in plain text", "encrypted"])
def settings(request: pytest.FixtureRequest, sandbox: Sandbox, url: str) -> dict[str, Any]:
    """Return a client's settings: without encryption, and with both directions encrypted."""
    sandbox.put(page_customer() | {"_embedded": EMBEDDED})
    if request.param == "in plain text":
        return {"base_url": url}
    sandbox.trust_response_key("response-key", public_pem(rsa_key()))
    return {
        "base_url": url,
        "encryption": MessageEncryption(sandbox.request_certificate, key_pem(rsa_key()), "response-key"),
    }


def test_retrieve_edit_and_update(clients: Clients, sandbox: Sandbox, settings: dict[str, Any]) -> None:
    """Payment instruments are kept whole and can be read, and nothing of them is sent back."""
    assert 50_000 < len(json.dumps(EMBEDDED)) < 100_000
    client = clients.open(**settings)
    read = client.retrieve(PAGE_CUSTOMER_ID)
    edit = client.edit(PAGE_CUSTOMER_ID, lambda customer: setattr(customer.buyer_information, "email", EMAIL))
    wanted = copy.deepcopy(edit.record.customer)
    wanted.client_reference_information.code = "order-4711"
    updated = client.update(PAGE_CUSTOMER_ID, changed_fields(edit.record.customer, wanted), if_match=edit.record.etag)

    records: list[CustomerRecord] = [read, edit.read, edit.record, updated]
    assert [record.customer["_embedded"] for record in records] == [EMBEDDED] * 4
    assert updated.customer["_embedded"]["paymentInstruments"][39]["card"]["expirationYear"] == "2031"
    assert updated.customer.to_dict() == sandbox.customer()
    assert [json.loads(request.plain) for request in sandbox.received if request.body] == [
        {"buyerInformation": {"email": EMAIL}},
        {"clientReferenceInformation": {"code": "order-4711"}},
    ]
    encrypted = "encryption" in settings
    assert [request.encrypted for request in sandbox.received if request.body] == [encrypted] * 2
    bodies = [request.reply.body for request in sandbox.received if request.reply]
    assert [body.startswith(b'{"encryptedResponse"') for body in bodies] == [encrypted] * 4
