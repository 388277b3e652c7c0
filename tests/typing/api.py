"""The library as users write it, for the type checkers; nobody runs this file."""

import logging
from typing import assert_type

import httpx

from cybersource_tms import (
    UNSET,
    AsyncCustomersClient,
    BuyerInformation,
    CertificateAuth,
    Customer,
    CustomerRecord,
    CustomersClient,
    CustomerUpdate,
    Environment,
    MerchantDefinedInformation,
    MessageEncryption,
    Retries,
    SharedSecretAuth,
    Unset,
    changed_fields,
    errors,
)
from cybersource_tms.errors import CybersourceError, PreconditionFailed, StatusError


def construct() -> None:
    auth = SharedSecretAuth(merchant_id="testrest", key_id="key", secret="c2VjcmV0", portfolio_id="portfolio")
    CustomersClient(Environment.TEST, auth)
    CustomersClient("production-india", auth, timeout=3, base_url="https://proxy.example")
    CustomersClient("test", auth, timeout=httpx.Timeout(3.0), profile_id="0" * 36, transport=httpx.HTTPTransport())
    CustomersClient("test", httpx.BasicAuth("user", "password"))
    AsyncCustomersClient(Environment.TEST, auth, transport=httpx.AsyncHTTPTransport())
    assert_type(CustomersClient.from_env(timeout=5.0), CustomersClient)
    assert_type(AsyncCustomersClient.from_env(), AsyncCustomersClient)
    assert_type(Environment("test").base_url, str)
    assert_type(Environment.PRODUCTION.host, str)
    httpx.Client(auth=auth)
    CustomersClient("test", auth, retries=Retries(attempts=2, total_time=10), encryption=MessageEncryption(b"PEM"))
    CustomersClient(
        "test", auth, retries=None, encryption=MessageEncryption.from_p12("p12", "password", merchant_id="m")
    )
    assert_type(CertificateAuth.from_p12("p12", b"password", merchant_id="m", algorithm="PS256"), CertificateAuth)
    CertificateAuth(private_key=b"PEM", certificate=b"PEM", merchant_id="m", portfolio_id="p")
    CertificateAuth(sign=lambda content: content, certificate=b"PEM", merchant_id="m")
    CertificateAuth.from_p12("p12", merchant_id="m")


def update(customers: CustomersClient, before: Customer) -> str | None:
    desired = CustomerUpdate(
        buyer_information=BuyerInformation(email=None),
        client_reference_information=None,
        merchant_defined_information=[MerchantDefinedInformation(name="data1", value="Gold")],
    )
    changes = changed_fields(before, desired)
    assert_type(changes, CustomerUpdate | None)
    if not changes:
        return None
    try:
        record = customers.update(before.id, changes, if_match="etag")
    except PreconditionFailed as error:
        assert_type(error.status_code, int)
        assert_type(error.errors, tuple[errors.ErrorEntry, ...])
        assert_type(error.correlation_id, str | None)
        return error.unique_transaction_id
    except StatusError as error:
        return ", ".join(name for entry in error.errors for name in entry.details)
    except CybersourceError as error:
        assert_type(error.may_have_been_applied, bool)
        logging.getLogger(__name__).warning("%s", error)
        raise
    assert_type(record, CustomerRecord)
    assert_type(record.customer, Customer)
    return record.etag


def edit(customers: CustomersClient) -> str | None:
    assert_type(customers.retrieve("id"), CustomerRecord)
    editing = customers.edit("id")
    with editing as customer:
        assert_type(customer, Customer)
        customer.buyer_information = BuyerInformation(email="new@example.com")
    assert_type(editing.read, CustomerRecord | None)
    assert_type(editing.changes, CustomerUpdate | None)
    return editing.record.etag if editing.record else None


async def edit_async(customers: AsyncCustomersClient) -> None:
    assert_type(await customers.retrieve("id"), CustomerRecord)
    async with customers.edit("id") as customer:
        assert_type(customer, Customer)


def narrow(customer: Customer) -> str | None | Unset:
    if customer.buyer_information:
        return customer.buyer_information.email
    return UNSET


def mappings() -> CustomerUpdate | None:
    return changed_fields({"id": "1"}, {"buyerInformation": {"email": "new@example.com"}})


async def update_async(changes: CustomerUpdate) -> None:
    async with AsyncCustomersClient.from_env() as customers:
        assert_type(await customers.update("id", changes), CustomerRecord)
    await customers.aclose()


def update_sync(changes: CustomerUpdate) -> None:
    with CustomersClient.from_env() as customers:
        assert_type(customers.update("id", changes), CustomerRecord)
    customers.close()
