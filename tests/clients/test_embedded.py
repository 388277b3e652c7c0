"""A customer of a real one's size: `_embedded` holds payment instruments, as in CyberSource's Swagger document."""

import json
from typing import Any

import pytest

from cybersource_tms import MessageEncryption
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Sandbox, page_customer
from support.clients import NEW_CODE, NEW_EMAIL, Clients
from support.keys import key_pem, public_pem, rsa_key

ADDRESS = {"firstName": "Zoë", "lastName": "Müller-Lüdenscheidt", "company": None, "address2": "", "country": "US"}


def payment_instrument(number: int) -> dict[str, Any]:
    """Return a payment instrument as the service embeds it, with values of all types and five levels."""
    identifier = {"id": f"70100000{number:011d}", "card": {"number": "411111XXXXXX1111"}, "tokenizedCard": None}
    return {
        "_links": {"self": {"href": f"/tms/v2/customers/{PAGE_CUSTOMER_ID}/payment-instruments/{number:032X}"}},
        "id": f"{number:032X}",
        "default": number == 0,
        "card": {"expirationMonth": f"{number % 12 + 1:02}", "expirationYear": "2031", "useAs": ["credit", 1, 1.5]},
        "buyerInformation": {"personalIdentification": [{"issuedBy": {"administrativeArea": "CA"}}]},
        "billTo": ADDRESS,
        "metadata": {"creator": "x" * 900},
        "_embedded": {"instrumentIdentifier": identifier},
    }


EMBEDDED = {
    "defaultPaymentInstrument": payment_instrument(0),
    "defaultShippingAddress": {"id": "1" * 32, "default": True, "shipTo": ADDRESS},
    "paymentInstruments": [payment_instrument(number) for number in range(40)],
}


@pytest.fixture(params=["in plain text", "encrypted"])
def settings(request: pytest.FixtureRequest, sandbox: Sandbox, url: str) -> dict[str, Any]:
    """Return a client's settings: without encryption, and with both directions encrypted."""
    sandbox.put(page_customer() | {"_embedded": EMBEDDED})
    sandbox.trust_response_key("response-key", public_pem(rsa_key()))
    encryption = MessageEncryption(sandbox.request_certificate, key_pem(rsa_key()), "response-key")
    return {"base_url": url} if request.param == "in plain text" else {"base_url": url, "encryption": encryption}


def test_every_call(clients: Clients, sandbox: Sandbox, settings: dict[str, Any]) -> None:
    """Payment instruments are kept whole and can be read, and nothing of them is sent back."""
    assert 50_000 < len(json.dumps(EMBEDDED)) < 100_000
    client = clients.open(**settings)
    records = [client.retrieve(PAGE_CUSTOMER_ID), client.modify(PAGE_CUSTOMER_ID, lambda _: NEW_EMAIL)]
    records += [client.apply(PAGE_CUSTOMER_ID, NEW_CODE), client.update(PAGE_CUSTOMER_ID, {"objectInformation": None})]
    assert [record.customer["_embedded"] for record in records] == [EMBEDDED] * 4
    assert records[-1].customer.to_dict() == sandbox.customer()
    sent = [NEW_EMAIL.to_dict(), NEW_CODE.to_dict(), {"objectInformation": None}]
    assert [json.loads(request.plain) for request in sandbox.received if request.body] == sent
    encrypted = "encryption" in settings
    assert {request.encrypted for request in sandbox.received if request.body} == {encrypted}
    bodies = [request.reply.body for request in sandbox.received if request.reply]
    assert {body.startswith(b'{"encryptedResponse"') for body in bodies} == {encrypted}
