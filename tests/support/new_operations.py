"""What must hold for CONTRIBUTING's two new operations. `test_new_operation` runs it where they were added."""

import json
from typing import Any

import httpx
import pytest

from cybersource_tms import Retries
from cybersource_tms.errors import CybersourceError, InvalidRequest, NotFound, StatusError, UnreadableResponse
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, page_customer
from support.clients import NEW_EMAIL, Clients
from support.fixed_response import FixedResponse

ARGUMENTS: dict[str, object] = {"create": NEW_EMAIL, "delete": PAGE_CUSTOMER_ID}


def call(clients: Clients, method: str, transport: FixedResponse, argument: object = None) -> Any:
    """Call a method of either client, and wait for what it returns."""
    client = clients.open(retries=Retries(attempts=3, initial_delay=0), transport=transport).wrapped
    return clients.run(getattr(client, method)(ARGUMENTS[method] if argument is None else argument))


def test_create(clients: Clients) -> None:
    """One POST with the fields goes out, and a 201 with a customer is a record, whatever its id is."""
    transport = FixedResponse(201)
    record = call(clients, "create", transport)
    [request] = transport.requests
    assert (request.method, request.url.path) == ("POST", "/tms/v2/customers")
    assert json.loads(request.content) == NEW_EMAIL.to_dict()
    assert (record.customer.to_dict(), record.etag) == (page_customer(), "etag")


def test_delete(clients: Clients) -> None:
    """One DELETE without a body goes out, and a 204 returns None."""
    transport = FixedResponse(204, b"")
    assert call(clients, "delete", transport) is None
    [request] = transport.requests
    assert (request.method, request.content) == ("DELETE", b"")
    assert request.url.path == f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"


# The method, what the service answers with, what is raised, and how many attempts were made and what is not known.
ERRORS: dict[str, tuple[str, FixedResponse, type[CybersourceError], tuple[int, bool]]] = {
    "success of another operation": ("create", FixedResponse(200), StatusError, (1, True)),
    "success of another kind": ("delete", FixedResponse(202, b"{}"), StatusError, (1, True)),
    "no customer": ("create", FixedResponse(201, b"{}"), UnreadableResponse, (1, True)),
    "documented": ("delete", FixedResponse(404), NotFound, (1, False)),
    "lost": ("create", FixedResponse(error=httpx.ReadTimeout("m")), CybersourceError, (1, True)),
    "lost, harmless": ("delete", FixedResponse(error=httpx.ReadTimeout("m")), CybersourceError, (3, True)),
    "failed": ("create", FixedResponse(503), CybersourceError, (1, True)),
    "not applied": ("create", FixedResponse(429), CybersourceError, (3, False)),
}


@pytest.mark.parametrize(("method", "transport", "error", "expected"), ERRORS.values(), ids=list(ERRORS))
def test_errors(
    clients: Clients, method: str, transport: FixedResponse, error: type[CybersourceError], expected: tuple[int, bool]
) -> None:
    """Success is what the spec has, and what may have been applied is retried only if it does no harm twice."""
    with pytest.raises(error) as caught:
        call(clients, method, transport)
    assert (caught.value.attempts, caught.value.may_have_been_applied) == expected


@pytest.mark.parametrize(("method", "argument"), [("create", {}), ("create", {"id": "1"}), ("delete", "..")])
def test_wrong_arguments(clients: Clients, method: str, argument: object) -> None:
    """They are refused before anything is sent."""
    transport = FixedResponse()
    with pytest.raises(InvalidRequest):
        call(clients, method, transport, argument)
    assert transport.requests == []
