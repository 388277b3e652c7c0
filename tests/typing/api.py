"""The calls as users write them, for the type checkers; nobody runs this file."""

import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import date
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
    MerchantData,
    MerchantDefinedInformation,
    MessageEncryption,
    Retries,
    SharedSecretAuth,
    Unset,
    UpdateOutcome,
    __version__,
    changed_fields,
    errors,
)
from cybersource_tms.errors import BadRequest, CybersourceError, InvalidRequest, PreconditionFailed, StatusError

DESIRED = {"buyerInformation": {"email": "new@example.com"}}


def construct() -> None:
    auth = SharedSecretAuth(merchant_id="testrest", key_id="key", secret="c2VjcmV0", portfolio_id="portfolio")
    CustomersClient(Environment.TEST, auth)
    CustomersClient("production-india", auth, timeout=3, base_url="https://proxy.example", max_connections=10)
    CustomersClient("test", auth, timeout=httpx.Timeout(3.0), profile_id="0" * 36, transport=httpx.HTTPTransport())
    CustomersClient(
        "test", auth, ssl_context=ssl.create_default_context(), proxy="http://proxy:3128", headers={"A": "b"}
    )
    CustomersClient("test", auth, retries=None, encryption=MessageEncryption(b"PEM"))
    CustomersClient("test", httpx.BasicAuth("user", "password"))
    AsyncCustomersClient(Environment.TEST, auth, transport=httpx.AsyncHTTPTransport())
    retries = Retries(attempts=2, initial_delay=0.1, max_delay=1, total_timeout=10)
    assert_type(CustomersClient.from_env(timeout=5.0, retries=retries), CustomersClient)
    assert_type(AsyncCustomersClient.from_env(), AsyncCustomersClient)
    assert_type(CertificateAuth.from_p12("p12", b"password", merchant_id="m", algorithm="PS256"), CertificateAuth)
    assert_type(MessageEncryption.from_p12("p12", "password", merchant_id="m"), MessageEncryption)
    CertificateAuth(private_key=b"PEM", certificate=b"PEM", merchant_id="m", portfolio_id="p")
    CertificateAuth(sign=lambda content: content, certificate=b"PEM", merchant_id="m")
    CertificateAuth.from_p12("p12", merchant_id="m")
    httpx.Client(auth=auth, headers={"User-Agent": f"my-application/1 cybersource-tms/{__version__}"})


def settings(customers: CustomersClient) -> None:
    assert_type(customers.environment, Environment)
    assert_type(customers.environment.host, str)
    assert_type(customers.base_url, str)
    patient = customers.with_options(timeout=60, retries=None)
    assert_type(patient, CustomersClient)
    customers.close()


def apply(customers: CustomersClient) -> str | None:
    record = customers.apply("id", DESIRED)
    assert_type(record, CustomerRecord)
    assert_type(record.customer, Customer)
    assert_type(record.sent, tuple[str, ...])
    assert_type(record.requests, int)
    assert_type(record.correlation_id, str | None)
    assert_type(record.unique_transaction_id, str | None)
    customers.apply("id", CustomerUpdate(buyer_information=BuyerInformation(email="new@example.com")))
    return record.etag if record.sent else None


def remove(customers: CustomersClient) -> None:
    customers.apply("id", {"buyerInformation": {"email": None}, "clientReferenceInformation": None})
    customers.apply("id", CustomerUpdate(buyer_information=BuyerInformation(email=None)))
    customers.update("id", CustomerUpdate(client_reference_information=None))


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


def update(customers: CustomersClient, before: CustomerRecord) -> None:
    customers.update("id", DESIRED)
    customers.update("id", CustomerUpdate(merchant_defined_information=[MerchantDefinedInformation("data1", "Gold")]))
    customers.update("id", {"merchantDefinedInformation": [{"name": "data1", "value": "Gold"}]}, if_match="etag")
    changes = changed_fields(before.customer, DESIRED)
    assert_type(changes, CustomerUpdate | None)
    if changes and changes.buyer_information:
        customers.update("id", changes, if_match=before)


def modify(customers: CustomersClient) -> None:
    def promote(customer: Customer) -> Customer:
        MerchantData(customer)["data2"] = "Gold"
        MerchantData(customer).pop("data1", None)
        return customer

    def rename(customer: Customer) -> dict[str, object] | None:
        if MerchantData(customer).get("data2") == "Gold":
            return {"objectInformation": {"title": "Gold customer"}}
        return None

    assert_type(customers.modify("id", promote).sent, tuple[str, ...])
    customers.modify("id", rename)
    customers.modify("id", lambda customer: changed_fields(customer, DESIRED))


def many(customers: CustomersClient, ids: Iterator[str]) -> list[str]:
    with customers.apply_many(((each, DESIRED) for each in ids), concurrency=32, per_second=50) as outcomes:
        failed = [outcome.customer_id for outcome in outcomes if outcome.error]
    with customers.update_many([("id", CustomerUpdate(client_reference_information=None))], max_failures=5) as outcomes:
        for outcome in outcomes:
            assert_type(outcome, UpdateOutcome)
            assert_type(outcome.record, CustomerRecord | None)
            assert_type(outcome.error, BaseException | None)
    with customers.apply_many([("id", lambda customer: changed_fields(customer, DESIRED))]) as outcomes:
        return [*failed, *(outcome.customer_id for outcome in outcomes)]


async def asynchronous() -> None:
    async with AsyncCustomersClient.from_env() as customers:
        assert_type(await customers.retrieve("id"), CustomerRecord)
        assert_type(await customers.apply("id", DESIRED), CustomerRecord)
        assert_type(await customers.update("id", DESIRED, if_match="etag"), CustomerRecord)
        assert_type(await customers.modify("id", lambda customer: customer), CustomerRecord)
        assert_type(customers.with_options(timeout=60), AsyncCustomersClient)
        async with customers.apply_many(rows()) as outcomes:
            async for outcome in outcomes:
                assert_type(outcome, UpdateOutcome)
        async with customers.update_many([("id", DESIRED)]) as outcomes:
            assert_type([outcome.customer_id async for outcome in outcomes], list[str])
    await customers.aclose()


async def rows() -> AsyncIterator[tuple[str, dict[str, dict[str, str]]]]:
    yield "id", DESIRED


def fail(customers: CustomersClient) -> str | None:
    try:
        customers.apply("id", DESIRED)
    except InvalidRequest as error:
        assert_type(error.argument, str | None)
        return error.path
    except BadRequest as error:
        assert_type(error.errors, tuple[errors.ErrorEntry, ...])
        return ", ".join(f"{detail.location}: {detail.name}" for entry in error.errors for detail in entry.details)
    except PreconditionFailed as error:
        return ", ".join(error.not_applied)
    except StatusError as error:
        assert_type(error.status_code, int)
        assert_type(error.retry_after, float | None)
        return error.correlation_id or error.unique_transaction_id
    except CybersourceError as error:
        assert_type(error.may_have_been_applied, bool)
        assert_type(error.is_transient, bool)
        assert_type(error.attempts, int)
        logging.getLogger(__name__).warning("%s", error)
    return None
