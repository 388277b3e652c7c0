"""What must hold for the README's two new operations. `test_new_operation` runs it where they were added."""

import json
import socket
from typing import Any

import httpx
import pytest

from cybersource_tms import CustomerUpdate, Retries
from cybersource_tms.errors import (
    ConnectionFailed,
    CybersourceError,
    InvalidRequest,
    NotFound,
    StatusError,
    TooManyRequests,
    UnreadableResponse,
)
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, page_customer
from support.clients import NEW_EMAIL, Clients
from support.fixed_response import FixedResponse

QUICK = Retries(attempts=3, initial_delay=0)
ARGUMENTS: dict[str, object] = {"create": NEW_EMAIL, "delete": PAGE_CUSTOMER_ID}


def call(clients: Clients, method: str, argument: object = None, **settings: Any) -> Any:
    """Call a method of either client, and wait for what it returns."""
    client = clients.open(**{"retries": QUICK, **settings}).wrapped
    return clients.run(getattr(client, method)(argument or ARGUMENTS[method]))


def test_create(clients: Clients) -> None:
    """One POST with the fields goes out, and a 201 with a customer is a record, whatever its id is."""
    transport = FixedResponse(201)
    record = call(clients, "create", transport=transport)
    [request] = transport.requests
    assert (request.method, request.url.path) == ("POST", "/tms/v2/customers")
    assert json.loads(request.content) == NEW_EMAIL.to_dict()
    assert (record.customer.to_dict(), record.etag) == (page_customer(), "etag")


def test_delete(clients: Clients) -> None:
    """One DELETE without a body goes out, and a 204 returns None."""
    transport = FixedResponse(204, b"")
    assert call(clients, "delete", transport=transport) is None
    [request] = transport.requests
    assert (request.method, request.content) == ("DELETE", b"")
    assert request.url.path == f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"


UNDOCUMENTED = [("create", 200), ("create", 202), ("create", 204), ("delete", 200), ("delete", 201), ("delete", 202)]


@pytest.mark.parametrize(("method", "status"), UNDOCUMENTED)
def test_a_success_that_the_spec_does_not_have(clients: Clients, method: str, status: int) -> None:
    """Success is what the spec has for this operation, not what it has for another."""
    with pytest.raises(StatusError) as caught:
        call(clients, method, transport=FixedResponse(status, b"" if status == 204 else b"{}"))
    assert type(caught.value) is StatusError


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 7}'], ids=["empty", "list", "no id", "number"])
def test_a_201_without_a_customer(clients: Clients, body: bytes) -> None:
    """The body of a 201 is checked as that of a 200 is, and the customer may have been created."""
    with pytest.raises(UnreadableResponse) as caught:
        call(clients, "create", transport=FixedResponse(201, body))
    assert caught.value.may_have_been_applied


@pytest.mark.parametrize(("method", "argument"), [("create", {}), ("create", CustomerUpdate()), ("delete", "..")])
def test_wrong_arguments(clients: Clients, method: str, argument: object) -> None:
    """They are refused before anything is sent."""
    transport = FixedResponse()
    with pytest.raises(InvalidRequest):
        call(clients, method, argument or CustomerUpdate(), transport=transport)
    assert transport.requests == []


LOST: dict[str, FixedResponse] = {
    "read time-out": FixedResponse(error=httpx.ReadTimeout("m")),
    "cut": FixedResponse(error=httpx.RemoteProtocolError("m")),
    "cut within the response": FixedResponse(201, body_error=httpx.ReadError("m")),
    "503": FixedResponse(503),
    "500": FixedResponse(500),
}


@pytest.mark.parametrize("transport", LOST.values(), ids=LOST)
@pytest.mark.parametrize(("method", "times"), [("create", 1), ("delete", 3)])
def test_a_lost_response(clients: Clients, transport: FixedResponse, method: str, times: int) -> None:
    """What may have been applied is sent again only if it does no harm twice: RFC 9110 section 9.2.2."""
    transport.requests.clear()
    if method == "delete" and transport is LOST["cut within the response"]:
        pytest.skip("a 204 has no body to cut, and a 201 is no success of this operation")
    with pytest.raises(CybersourceError) as caught:
        call(clients, method, transport=transport)
    assert (len(transport.requests), caught.value.attempts) == (times, times)
    assert caught.value.may_have_been_applied


@pytest.mark.parametrize("method", ARGUMENTS)
def test_what_was_not_applied(clients: Clients, method: str) -> None:
    """What was certainly not applied is sent again, whatever the method is."""
    transport = FixedResponse(429)
    with pytest.raises(TooManyRequests) as limited:
        call(clients, method, transport=transport)
    assert len(transport.requests) == 3
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionFailed) as refused:
        call(clients, method, base_url=f"http://127.0.0.1:{port}")
    assert refused.value.attempts == 3
    assert not limited.value.may_have_been_applied
    assert not refused.value.may_have_been_applied


def test_a_documented_error(clients: Clients) -> None:
    """An error that the spec has for the operation has its class."""
    with pytest.raises(NotFound):
        call(clients, "delete", transport=FixedResponse(404))
