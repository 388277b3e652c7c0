"""A call that may have been applied is repeated only if it does no harm twice; what is success is the operation's."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cybersource_tms import Customer, MessageEncryption, Retries, errors
from cybersource_tms._calls.records import Call
from cybersource_tms._calls.requests import retrieve_call, update_call
from cybersource_tms._calls.responses import Response, broken_off, check_response
from cybersource_tms._calls.retries import Attempts
from cybersource_tms._http.attempt import decrypt
from cybersource_tms.errors import CybersourceError
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, PROFILE_ID, page_customer
from support.clients import NEW_EMAIL
from support.fixed_response import PAGE
from support.keys import key_pem, rsa_key

PATH = "/tms/v2/customers"
CREATED: Any = {201: Customer}
DELETED: Any = {204: None}


def call(method: str, success: Any = CREATED, **headers: str) -> Call[Any]:
    """Return a call as the generated code describes it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call({"method": method, "url": PATH, "headers": named}, success)


# Repeating

QUICK = Retries(attempts=9, first_wait=0)

# RFC 9110 section 9.2.2 and RFC 7396; a precondition makes the service refuse the second one.
HARMLESS: dict[str, Call[Any]] = {
    "GET": call("get"),
    "HEAD": call("head"),
    "OPTIONS": call("options"),
    "PUT": call("put"),
    "DELETE": call("delete"),
    "merge patch": call("patch", Content_Type="application/merge-patch+json"),
    "merge patch in the service's type": call("patch", Content_Type="application/json;charset=utf-8"),
    "type in upper case": call("patch", CONTENT_TYPE="Application/JSON ; charset=utf-8"),
    "POST with a precondition": call("post", if_match="etag"),
    "precondition in upper case": call("post", If_Match="etag"),
    "JSON Patch with a precondition": call("patch", Content_Type="application/json-patch+json", if_match="etag"),
    "retrieve": retrieve_call(PAGE_CUSTOMER_ID, PROFILE_ID),
    "update": update_call(PAGE_CUSTOMER_ID, NEW_EMAIL, None, None),
    "update with a precondition": update_call(PAGE_CUSTOMER_ID, NEW_EMAIL, "etag", PROFILE_ID),
}
HARMFUL: dict[str, Call[Any]] = {
    "POST": call("post"),
    "POST of JSON": call("post", Content_Type="application/json"),
    "POST of a merge patch": call("post", Content_Type="application/merge-patch+json"),
    "JSON Patch": call("patch", Content_Type="application/json-patch+json"),
    "PATCH of text": call("patch", Content_Type="text/plain"),
    "PATCH without a type": call("patch"),
    "unknown method": call("move"),
    "no headers": Call({"method": "post", "url": PATH}, CREATED),
}


CALLS = [pytest.param(call, True, id=name) for name, call in HARMLESS.items()]
CALLS += [pytest.param(call, False, id=name) for name, call in HARMFUL.items()]


def lost() -> CybersourceError:
    """Return the error of an attempt that may have been applied."""
    return errors.TimedOut("m")


def failed() -> CybersourceError:
    """Return the error of an attempt that the service failed at, before or after it was applied."""
    return errors.ServiceError("m", status_code=503)


def cut() -> CybersourceError:
    """Return the error of an attempt whose response was cut."""
    response = Response(201, httpx.Headers(), b"")
    error = broken_off(call("post"), response, httpx.ReadError("m"))
    error.__cause__ = httpx.ReadError("m")
    return error


def not_sent() -> CybersourceError:
    """Return the error of an attempt that sent nothing."""
    return errors.ConnectionFailed("m", may_have_been_applied=False)


def limited() -> CybersourceError:
    """Return the error of an attempt that the service refused for now."""
    return errors.TooManyRequests("m", status_code=429)


@pytest.mark.parametrize("error", [lost, failed, cut], ids=lambda make: make.__name__)
@pytest.mark.parametrize(("call", "repeated"), CALLS)
def test_what_may_have_been_applied(call: Call[Any], error: Callable[[], CybersourceError], *, repeated: bool) -> None:
    """It is sent again only if it does no harm twice, also if an earlier attempt was certainly not applied."""
    assert (Attempts(QUICK, call).wait_after(error()) is not None) is repeated
    attempts = Attempts(QUICK, call)
    assert attempts.wait_after(limited()) is not None
    assert (attempts.wait_after(error()) is not None) is repeated


@pytest.mark.parametrize("error", [not_sent, limited], ids=lambda make: make.__name__)
@pytest.mark.parametrize(("call", "repeated"), CALLS)
def test_what_was_not_applied(call: Call[Any], error: Callable[[], CybersourceError], *, repeated: bool) -> None:
    """What was certainly not applied is sent again, whatever it is."""
    attempts = Attempts(QUICK, call)
    assert [attempts.wait_after(error()) is not None for _ in range(3)] == [True] * 3


@pytest.mark.parametrize(("method", "changes"), [("get", False), ("head", False), ("options", False), ("delete", True)])
def test_what_a_safe_method_applies(method: str, *, changes: bool) -> None:
    """A safe method (RFC 9110 section 9.2.1) changes nothing, whatever happened to it."""
    error = lost()
    Attempts(None, call(method)).wait_after(error)
    assert error.may_have_been_applied is changes


# Success


def respond(status: int, body: bytes = b"") -> Response:
    """Return a response."""
    return Response(status, httpx.Headers({"ETag": "etag"}), body)


def test_success_with_a_customer() -> None:
    """The statuses that the spec has as success with a customer give a record; one without an id may get any."""
    record = check_response(call("post"), respond(201, PAGE))
    assert (record.customer.to_dict(), record.etag) == (page_customer(), "etag")


def test_success_without_a_body() -> None:
    """A status that the spec has as success without a body gives None."""
    assert check_response(call("delete", DELETED), respond(204)) is None


@pytest.mark.parametrize("status", [200, 202, 204, 206, 304])
def test_another_success(status: int) -> None:
    """What is success of another operation only, or of none, is an error of the status, broken off or not."""
    response = respond(status, PAGE)
    with pytest.raises(errors.StatusError, match=f"^{status} ") as caught:
        check_response(call("post"), response)
    assert type(caught.value) is errors.StatusError
    assert type(broken_off(call("post"), response, httpx.ReadError("m"))) is errors.StatusError


def test_a_success_that_broke_off() -> None:
    """A documented success whose body was cut is unreadable, and may have been applied."""
    error = broken_off(call("post"), respond(201), httpx.ReadError("m"))
    assert isinstance(error, errors.UnreadableResponse)
    assert error.may_have_been_applied


def test_a_success_without_a_body_is_not_encrypted() -> None:
    """Where responses are to be encrypted, a 204 of the spec still has no body; another success has to be encrypted."""
    encryption = MessageEncryption(response_key=key_pem(rsa_key()), response_key_id="id")
    assert decrypt(call("delete", DELETED), respond(204), encryption) == respond(204)
    for status in (200, 201):
        with pytest.raises(errors.UnreadableResponse, match="plain text"):
            decrypt(call("delete", DELETED), respond(status, PAGE), encryption)
