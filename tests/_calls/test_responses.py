"""What a response means: a record, or an error that says what happened and what to do."""

import json
import logging
import math
import re
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from joserfc import jwe
from joserfc.jwk import RSAKey

from cybersource_tms import Customer, CustomerRecord, MessageEncryption, SharedSecretAuth, errors
from cybersource_tms._calls import responses
from cybersource_tms._calls.requests import Operation, retrieve_request, update_request
from cybersource_tms.errors import ErrorDetail, ErrorEntry, NotFound, StatusError, UnreadableResponse
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, page_customer
from support.clients import EMAIL, NEW_EMAIL, Clients
from support.fixed_response import CORRELATION_ID, HEADERS, PAGE, TRANSACTION_ID, FixedResponse
from support.keys import key_pem, rsa_key

UPDATE = update_request(PAGE_CUSTOMER_ID, {"buyerInformation": {"email": EMAIL}}, None, None)
READ = retrieve_request(PAGE_CUSTOMER_ID, None)
CREATE: Operation[Any] = Operation({"method": "post", "url": "/"}, {201: Customer})
DELETE: Operation[Any] = Operation({"method": "delete", "url": "/"}, {204: None})
EXCHANGE = f"(PATCH /tms/v2/customers/{PAGE_CUSTOMER_ID}, correlation id {CORRELATION_ID})"
HTML = b"<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>"


def encoded(body: object) -> bytes:
    """Return a body as bytes."""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def refusal(status: int, body: object = b"", key_expires: datetime | None = None, **headers: str) -> StatusError:
    """Return the error for an update that was refused."""
    named = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(StatusError) as caught:
        responses.parse_response(UPDATE, httpx.Response(status, headers=named), encoded(body), key_expires)
    return caught.value


def parse(body: object, operation: Operation[Any] = UPDATE, status: int = 200) -> CustomerRecord:
    """Return what a successful response means."""
    record: CustomerRecord = responses.parse_response(operation, httpx.Response(status, headers=HEADERS), encoded(body))
    return record


STATUSES: dict[int, type[StatusError]] = {
    400: errors.BadRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    410: errors.TokenDeleted,
    412: errors.PreconditionFailed,
    424: errors.ProfileNotFound,
    429: errors.TooManyRequests,
    **dict.fromkeys(range(500, 600), errors.ServiceError),
}


def test_every_status() -> None:
    """Each status has its class, whatever the body is; five are transient; a refusal applied nothing."""
    for status in range(201, 600):
        error = refusal(status, HTML)
        assert type(error) is STATUSES.get(status, StatusError)
        assert (error.status_code, error.errors) == (status, ())
        assert (error.correlation_id, error.unique_transaction_id) == (CORRELATION_ID, TRANSACTION_ID)
        assert error.is_transient == (status in {429, 500, 502, 503, 504})
        assert error.may_have_been_applied == (status < 300 or status >= 500)
        end = "; the update may have been applied: read the customer before deciding" * error.may_have_been_applied
        assert str(error) == f"{status} {EXCHANGE}: {error.advice}{end}"
    gateways = responses.status_error(UPDATE, httpx.Response(502), HTML)
    assert (gateways.correlation_id, gateways.unique_transaction_id) == (None, None)
    assert "correlation id none" in str(gateways)


def test_what_is_success_is_the_operations() -> None:
    """A status is success if the spec has it for this operation; one without an id may get any customer."""
    assert parse({"id": "another"}, CREATE, 201).customer.id == "another"
    assert parse(b"", DELETE, 204) is None
    for operation, status in ((CREATE, 200), (DELETE, 200), (UPDATE, 204), (READ, 201)):
        with pytest.raises(StatusError, match=f"^{status} "):
            parse(PAGE, operation, status)


ENTRY = {"type": "invalidFields", "message": "m"}
NOTHING: dict[str, object] = {
    "empty": b"",
    "cut": b'{"errors": [{"type": "notFou',
    "not UTF-8": b'{"errors": [{"type": "\xff\xfe"}]}',
    "array": [ENTRY],
    "no errors": {},
    "errors is null": {"errors": None},
    "errors is an object": {"errors": ENTRY},
    "entries that are none": {"errors": ["notFound", None, {}, {"type": 5, "message": []}]},
    "nested beyond reason": b'{"errors": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "a number beyond reason": b'{"errors": ' + b"1" * 10_000 + b"}",
}
BODIES: dict[str, tuple[object, tuple[ErrorEntry, ...]]] = {
    **{name: (body, ()) for name, body in NOTHING.items()},
    "unknown fields": ({"errors": [ENTRY | {"x": [1]}], "z": None}, (ErrorEntry("invalidFields", "m"),)),
    "two": ({"errors": [{"type": "a"}, {}, {"message": "b"}]}, (ErrorEntry("a", ""), ErrorEntry("", "b"))),
    "details": (
        {"errors": [{"details": [{"name": "id", "location": "/a/id"}, {"name": 5, "location": "c"}, 5, {}]}]},
        (ErrorEntry("", "", (ErrorDetail("id", "/a/id"), ErrorDetail("", "c"), ErrorDetail(""))),),
    ),
    "details of another type": ({"errors": [{"type": "a", "details": "email"}]}, (ErrorEntry("a", ""),)),
    # Other forms that were seen (case I2).
    "a message alone": ({"id": "1", "message": "m"}, (ErrorEntry("", "m"),)),
    "of the layer in front": ({"response": {"rmsg": "m"}}, (ErrorEntry("", "m"),)),
    "an error alone": ({"error": {"type": "a", "message": "m"}}, (ErrorEntry("a", "m"),)),
    "of other operations": (
        {"reason": "INVALID_DATA", "details": [{"field": "a.b"}]},
        (ErrorEntry("INVALID_DATA", "", (ErrorDetail("a.b"),)),),
    ),
}


@pytest.mark.parametrize(("body", "entries"), BODIES.values(), ids=BODIES)
def test_bodies_of_errors(body: object, entries: tuple[ErrorEntry, ...]) -> None:
    """What can be read is read, and nothing else does harm; where nothing was read, nothing is said to be there."""
    error = refusal(400, body)
    assert error.errors == entries
    assert ("fields" in str(error), ".errors" in str(error)) == (False, False)


def test_large_bodies_of_errors() -> None:
    """Of many reasons and fields the first 100 are read; a body of more than 500,000 parts is not parsed."""
    many = {"errors": [{"type": "a", "details": [{"name": "b"}] * 200}] * 200}
    assert [len(refusal(400, many).errors), len(refusal(400, many).errors[0].details)] == [100, 100]
    parts = b'{"errors":[{"type":"a"}' + b",{}" * 249_998
    assert refusal(400, parts + b"]}").errors == (ErrorEntry("a", ""),)
    assert refusal(400, parts + b",{}]}").errors == ()
    with pytest.raises(UnreadableResponse, match="is not JSON that can be read"):
        parse(b'{"id": "%b", "x": [%b0]}' % (PAGE_CUSTOMER_ID.encode(), b"0," * 500_000))


def test_the_largest_error(clients: Clients) -> None:
    """The body of an error is read up to 1 MiB; of a larger one the status stands."""
    for size, entries in ((2**20, (ErrorEntry("notFound", ""),)), (2**20 + 1, ())):
        body = encoded({"errors": [{"type": "notFound"}]}).ljust(size)
        with pytest.raises(NotFound) as caught:
            clients.open(transport=FixedResponse(404, body)).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        assert caught.value.errors == entries


FIELDS: dict[str, tuple[list[tuple[str, str | None]], str]] = {
    "two of one name": (
        [("id", "/defaultPaymentInstrument/id"), ("id", "/defaultShippingAddress/id")],
        "defaultPaymentInstrument.id, defaultShippingAddress.id",
    ),
    "a group": ([("email", "buyerInformation")], "buyerInformation.email"),
    "no location": ([("email", None)], "email"),
    "no name": ([("", "/buyerInformation/email")], "buyerInformation.email"),
    "an index": ([("name", "/merchantDefinedInformation/0")], "merchantDefinedInformation.0.name"),
    "an index in brackets": ([("merchantDefinedInformation[12].name", None)], "merchantDefinedInformation.12.name"),
    "a whole path twice": ([("buyerInformation.email", "/buyerInformation/email")], "buyerInformation.email"),
    "twice the same": ([("email", "buyerInformation")] * 2, "buyerInformation.email"),
    "what the spec does not have": ([("profile-id", "header"), (EMAIL, None), ("email", EMAIL), ("", None)], ""),
    "what could be a value": ([("email", "/4111111111111111"), ("4111111111111111", None)], ""),
    "very many": ([("name", f"/merchantDefinedInformation/{n}") for n in range(20)], "9.name"),
}


@pytest.mark.parametrize(("details", "named"), FIELDS.values(), ids=FIELDS)
def test_fields_in_a_message(details: list[tuple[str, str | None]], named: str) -> None:
    """A 400 names the refused fields where they are, up to ten, and only if all of the names are the spec's."""
    entries = [{"name": name, "location": location} for name, location in details]
    error = refusal(400, {"errors": [{"type": "invalidFields", "message": EMAIL, "details": entries}]})
    assert error.errors[0].details == tuple(ErrorDetail(*detail) for detail in details)
    fields = f"; fields: {named}" if named else ": the service refused what was sent"
    assert str(error).endswith(named if "9" in named else fields)
    assert EMAIL not in str(error)


NO_REASONS = ["notFound\nERROR", "\x1b[31mred", "<script>", "no such customer", EMAIL, "\u202ea", "a" * 41]


@pytest.mark.parametrize("kind", NO_REASONS, ids=ascii)
def test_what_is_no_short_name_is_in_no_message(kind: str) -> None:
    """A message has the service's reason if that looks like one of its short names; else only `.errors` has it."""
    message = f"404 notFound {EXCHANGE}: no customer has this token id"
    assert str(refusal(404, {"errors": [{"type": "notFound", "message": EMAIL}]})) == message
    error = refusal(404, {"errors": [{"type": kind}]})
    assert str(error) == f"404 {EXCHANGE}: {NotFound.advice}"
    assert error.errors == (ErrorEntry(kind, ""),)


NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT
EXPIRED, VALID = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
# The status, how far the service's clock is from ours, when the certificate expires, and what the message ends with.
MORE: dict[str, tuple[int, float | None, datetime | None, str]] = {
    "clock behind": (401, 3600, None, "; this machine's clock is likely wrong: it is 3600 s behind the service's"),
    "clock ahead": (401, -6, None, "; this machine's clock is likely wrong: it is 6 s ahead of the service's"),
    "clock right": (401, 5, None, errors.Unauthorized.advice),
    "no date": (401, None, None, errors.Unauthorized.advice),
    "clock behind, another status": (403, 3600, None, errors.Forbidden.advice),
    "expired": (401, 0, EXPIRED, f"; the certificate of the signing key expired on {EXPIRED:%Y-%m-%d}"),
    "not expired": (401, 0, VALID, errors.Unauthorized.advice),
    "expired, another status": (403, 0, EXPIRED, errors.Forbidden.advice),
}


@pytest.mark.parametrize(("status", "date", "expires", "said"), MORE.values(), ids=MORE)
def test_the_cause_of_a_401(
    status: int, date: float | None, expires: datetime | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 401 says what is likely to be its cause: this machine's clock, or an expired certificate."""
    monkeypatch.setattr(time, "time", lambda: NOW)
    headers = {} if date is None else {"Date": formatdate(NOW + date, usegmt=True)}
    assert str(refusal(status, b"", expires, **headers)).endswith(said)


def test_a_certificate_that_has_expired_since(clients: Clients) -> None:
    """A 401 tells it of the client's own credentials (case H4)."""
    auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
    auth.expires = EXPIRED
    with pytest.raises(errors.Unauthorized, match="the certificate of the signing key expired on"):
        clients.open(auth=auth, transport=FixedResponse(401)).retrieve(PAGE_CUSTOMER_ID)


def test_an_etag_with_quotes() -> None:
    """After a 412, an ETag that was sent with quotes is told: the service's have none."""
    for etag, end in (('"E1"', "has quotes: send it as record.etag has it"), ("E1", errors.PreconditionFailed.advice)):
        operation = update_request(PAGE_CUSTOMER_ID, {"buyerInformation": None}, etag, None)
        assert str(responses.status_error(operation, httpx.Response(412), b"")).endswith(end)


ASKED: dict[str, float | None] = {
    "0": 0,
    "007": 7,
    "9" * 400: math.inf,
    "Fri, 15 Jan 2027 09:00:00 GMT": 3600,
    "Friday, 15-Jan-27 09:00:00 GMT": 3600,  # the older forms of RFC 9110 section 5.6.7
    "Fri Jan 15 09:00:00 2027": 3600,
    "Mon, 01 Jan 0001 00:00:00 +0000": 0,
    **dict.fromkeys(["", "-1", "1.5", "soon", "\u0665", "Wed, 99 Oct 2015 07:28:00 GMT"]),
    **dict.fromkeys(["Mon, 01 Jan 10000 00:00:00 GMT", "Mon, 01 Jan 2024 00:00:00 +99999999999"]),
}


@pytest.mark.parametrize(("value", "seconds"), ASKED.items(), ids=lambda value: ascii(value)[:30])
def test_retry_after(value: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds and dates are read and said, in any time zone; anything else is as if nothing was asked for."""
    monkeypatch.setattr(time, "time", lambda: NOW)
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC-5")
        time.tzset()
        error = responses.status_error(UPDATE, httpx.Response(429, headers=[(b"Retry-After", value.encode())]), b"")
    time.tzset()
    assert error.retry_after == seconds
    assert str(error).endswith(error.advice if seconds is None else f"; the service asks to wait {seconds:.0f} s")


def test_a_record() -> None:
    """A record has the whole customer, the ids and what was sent; it cannot be changed, and hides the customer."""
    odd = {"new": {"deep": [None, 1.25]}, "_links": {"self": "x", "paymentInstruments": {"href": "/p"}}}
    record = parse(page_customer() | odd)
    assert record.customer.to_dict() == page_customer() | odd
    assert (record.sent, record.requests, record.get("_links.paymentInstruments.href")) == (UPDATE.fields, 1, "/p")
    assert repr(record) == (
        f"CustomerRecord(etag='etag', correlation_id='{CORRELATION_ID}', unique_transaction_id='{TRANSACTION_ID}', "
        "sent=('buyerInformation.email',), requests=1)"
    )
    with pytest.raises(AttributeError):
        record.etag = "x"  # type: ignore[misc]
    bare = responses.parse_response(READ, httpx.Response(200), PAGE)
    assert (bare.etag, bare.correlation_id, bare.unique_transaction_id, bare.sent) == (None, None, None, ())


UNREADABLE: dict[str, tuple[object, str]] = {
    "empty": (b"", "is not JSON that can be read"),
    "cut": (PAGE[:-1], "is not JSON that can be read"),
    "nested beyond reason": (b'{"x":' * 200_000 + b"1" + b"}" * 200_000, "is not JSON that can be read"),
    "text": (f'"{EMAIL}"'.encode(), "does not fit the spec: expected an object, not text"),
    "no id": ({}, "does not fit the spec: id: is missing"),
    "a number for the id": ({"id": 424242}, "does not fit the spec: id: expected text, not a whole number"),
    "a list for a group": ({"buyerInformation": [EMAIL]}, "does not fit the spec: buyerInformation: expected "),
    "101 levels": (b'{"id": "x", "x": ' + b"[" * 101 + b"]" * 101 + b"}", "does not fit the spec: x[0]"),
    "encrypted": ({"encryptedResponse": EMAIL}, "is encrypted, and this client has no response key"),
    "another customer": ({"id": PAGE_CUSTOMER_ID[:-1]}, "is about another customer"),
}


@pytest.mark.parametrize(("body", "problem"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_success_that_cannot_be_understood(body: object, problem: str) -> None:
    """It is an UnreadableResponse that says which call and why, with the field and without a value."""
    with pytest.raises(UnreadableResponse) as caught:
        parse(body)
    error = caught.value
    assert str(error).startswith(f"200 {EXCHANGE}: the response {problem}")
    assert (error.status_code, error.correlation_id) == (200, CORRELATION_ID)
    assert (error.may_have_been_applied, error.is_transient) == (True, False)
    assert not [value for value in (EMAIL, "424242") if value in str(error)]


KEY = rsa_key("response")
RESPONSES = MessageEncryption(response_key=key_pem(KEY), response_key_id="id")
HEADER = {"alg": "RSA-OAEP-256", "enc": "A256GCM"}
TOKEN = jwe.encrypt_compact(HEADER, PAGE, RSAKey.import_key(key_pem(KEY)), algorithms=[*HEADER.values()])
ENCRYPTED, BROKEN = encoded({"encryptedResponse": TOKEN}), encoded({"encryptedResponse": TOKEN[:-9]})
DECRYPTED: dict[str, tuple[Operation[Any], int, bytes, bytes | str]] = {
    "a success": (UPDATE, 200, ENCRYPTED, PAGE),
    "a success in plain text": (UPDATE, 200, PAGE, "is in plain text, but an encrypted response was requested"),
    "a success that cannot be decrypted": (UPDATE, 200, BROKEN, "the response cannot be decrypted ("),
    "a success without a body": (DELETE, 204, b"", b""),
    "another success": (DELETE, 200, b"{}", b"{}"),
    "an error": (UPDATE, 404, ENCRYPTED, PAGE),
    "an error in plain text": (UPDATE, 404, HTML, HTML),
    "an error that cannot be decrypted": (UPDATE, 404, BROKEN, b""),
}


@pytest.mark.parametrize(("operation", "status", "content", "plain"), DECRYPTED.values(), ids=DECRYPTED)
def test_decryption(operation: Operation[Any], status: int, content: bytes, plain: bytes | str) -> None:
    """A success has to be encrypted if that was requested; an error stands, whatever its body is."""
    response = httpx.Response(status, headers=HEADERS)
    assert responses.decrypt_response(operation, response, content, None) == content
    with nullcontext() if type(plain) is bytes else pytest.raises(UnreadableResponse, match=re.escape(str(plain))):
        assert responses.decrypt_response(operation, response, content, RESPONSES) == plain


NOT_APPLIED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "applied": ({"buyerInformation": {"email": EMAIL}, "clientReferenceInformation": None}, []),
    "another value": ({"buyerInformation": {"email": "x", "merchantCustomerID": "m"}}, ["buyerInformation.email"]),
    "not removed": ({"buyerInformation": {"merchantCustomerID": None}}, ["buyerInformation.merchantCustomerID"]),
    "a group that is gone": ({"clientReferenceInformation": {"code": "c"}}, ["clientReferenceInformation.code"]),
    "beyond the limits": ({"merchantDefinedInformation": [{"name": "data9"}]}, ["merchantDefinedInformation"]),
}


@pytest.mark.parametrize(("body", "paths"), NOT_APPLIED.values(), ids=NOT_APPLIED)
def test_what_was_not_applied(body: dict[str, Any], paths: list[str]) -> None:
    """The fields that are not as the update requested them are named, even those that were sent beyond the limits."""
    current = parse({"id": PAGE_CUSTOMER_ID, "buyerInformation": {"email": EMAIL, "merchantCustomerID": "m"}}, READ)
    assert [*responses.not_applied(current, update_request(PAGE_CUSTOMER_ID, body, "etag", None))] == paths


def test_errors_after_a_412() -> None:
    """A lost update names the fields, a conflict the rounds; each is a new error, with what the first one knew."""
    refused = refusal(412)
    assert isinstance(refused, errors.PreconditionFailed)
    refused.attempts, refused.may_have_been_applied = 2, True
    lost, changed = responses.unconfirmed_error(refused, ("a.b", "c")), responses.conflict_error(refused, 4)
    assert "; read back, these fields do not have the requested values: a.b, c; the update may" in str(lost)
    assert "; others changed it in every round of this call, of which there were 4; the" in str(changed)
    assert vars(lost) == vars(refused) | {"not_applied": ("a.b", "c")}
    assert vars(changed) == vars(refused)


def test_what_is_logged_of_a_response(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A response has one DEBUG line with the facts, also as fields, with the names of what was sent and no value."""
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(time, "monotonic", lambda: 11.0)
    headers = HEADERS | {"Date": formatdate(NOW - 7, usegmt=True), "v-c-correlation-id": "id\nx"}
    for level in (logging.INFO, logging.DEBUG):
        caplog.set_level(level, "cybersource_tms")
        responses.log_response(UPDATE, httpx.Response(200, headers=headers), 10.0, 2)
        responses.log_response(READ, httpx.Response(404), 10.999, 1)
    first, second = caplog.records
    facts: dict[str, Any] = {"customer_id": PAGE_CUSTOMER_ID, "method": "PATCH", "fields": ["buyerInformation.email"]}
    facts |= {"status": 200, "attempt": 2, "correlation_id": "id?x", "milliseconds": 1000, "clock_seconds_ahead": 7}
    assert vars(first) == vars(first) | facts
    assert vars(second) == vars(second) | {"status": 404, "fields": [], "clock_seconds_ahead": None}
    path = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
    assert [record.getMessage() for record in caplog.records] == [
        f"PATCH {path} -> 200 in 1000 ms, correlation id id?x, fields buyerInformation.email",
        f"GET {path} -> 404 in 1 ms, correlation id none, fields none",
    ]
    assert responses.printable("a\nb\x1b\x7fé" + "c" * 100) == "a?b???" + "c" * 58
    assert [responses.describe_seconds_ahead(ahead) for ahead in (7, -7)] == ["7 s ahead of", "7 s behind"]
