"""What a response means: the statuses, the bodies that are wrong, and what may be raised instead of a response."""

import json
import logging
import ssl
import sys
import traceback
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cybersource_tms import errors
from cybersource_tms._calls.requests import update_call
from cybersource_tms._calls.responses import connection_failed
from cybersource_tms.errors import CybersourceError, ErrorEntry, StatusError, UnreadableResponse
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Fault, Sandbox, page_customer
from support.clients import EMAIL, NEW_EMAIL, Clients
from support.fixed_response import CORRELATION_ID, TRANSACTION_ID, FixedResponse

if TYPE_CHECKING:
    from collections.abc import Iterator


PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
EXCHANGE = f"(PATCH {PATH}, correlation id {CORRELATION_ID})"
ID = b'{"id": "%b"' % PAGE_CUSTOMER_ID.encode()  # the beginning of a customer
HTML = b"<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>"


def refusal(kind: str, *details: dict[str, str]) -> dict[str, Any]:
    """Return an error body as the service documents it; its message quotes the customer."""
    entry: dict[str, Any] = {"type": kind, "message": f"Not so, {EMAIL}"}
    return {"errors": [entry | ({"details": [*details]} if details else {})]}


def entries_for(kind: str, *details: str) -> tuple[ErrorEntry, ...]:
    """Return the entries that such a body is read as."""
    return (ErrorEntry(kind, f"Not so, {EMAIL}", details),)


# The status, its class, whether the update may have been applied, the documented body, and its entries.
STATUSES: dict[int, tuple[type[StatusError], bool, object, tuple[ErrorEntry, ...]]] = {
    400: (
        errors.BadRequest,
        False,
        refusal("invalidFields", {"name": "email", "location": "buyerInformation"}, {"name": "code"}),
        entries_for("invalidFields", "email", "code"),
    ),
    401: (errors.Unauthorized, False, {"response": {"rmsg": "Authentication Failed"}}, ()),
    403: (errors.Forbidden, False, refusal("forbidden"), entries_for("forbidden")),
    404: (errors.NotFound, False, refusal("notFound"), entries_for("notFound")),
    410: (errors.TokenDeleted, False, refusal("notAvailable"), entries_for("notAvailable")),
    412: (errors.PreconditionFailed, False, refusal("conflict"), entries_for("conflict")),
    424: (errors.ProfileNotFound, False, refusal("notFound"), entries_for("notFound")),
    429: (errors.TooManyRequests, False, refusal("tooManyRequests"), entries_for("tooManyRequests")),
    500: (errors.ServiceError, True, refusal("internalError"), entries_for("internalError")),
    502: (errors.ServiceError, True, refusal("serverError"), entries_for("serverError")),
    503: (errors.ServiceError, True, refusal("serverError"), entries_for("serverError")),
    504: (errors.ServiceError, True, refusal("serverError"), entries_for("serverError")),
    # These are not documented.
    204: (StatusError, True, None, ()),
    302: (StatusError, False, refusal("moved"), entries_for("moved")),
    418: (StatusError, False, refusal("teapot"), entries_for("teapot")),
    520: (StatusError, True, refusal("unknown"), entries_for("unknown")),
}

# Bodies from which no entry can be read.
NO_ENTRIES: dict[str, bytes] = {
    "empty": b"",
    "HTML": HTML,
    "cut JSON": b'{"errors": [{"type": "notFou',
    "not UTF-8": b'{"errors": [{"type": "\xff\xfe"}]}',
    "array": b"[]",
    "null": b"null",
    "text": b'"notFound"',
    "number": b"404",
    "no errors": b"{}",
    "another object": b'{"response": {"rmsg": "Authentication Failed"}}',
    "errors is null": b'{"errors": null}',
    "errors is an object": b'{"errors": {"type": "notFound"}}',
    "errors is empty": b'{"errors": []}',
    "an entry is text": b'{"errors": ["notFound"]}',
    "an entry is null": b'{"errors": [null]}',
    "type is a number": b'{"errors": [{"type": 5}]}',
    "type is an object": b'{"errors": [{"type": {}}]}',
    "message is a list": b'{"errors": [{"type": "notFound", "message": []}]}',
    "details is text": b'{"errors": [{"type": "notFound", "details": "email"}]}',
    "a detail is text": b'{"errors": [{"type": "notFound", "details": ["email"]}]}',
    "a detail's name is a number": b'{"errors": [{"type": "notFound", "details": [{"name": 5}]}]}',
    "nested beyond reason": b'{"errors": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "a number beyond reason": b'{"errors": ' + b"1" * 10_000 + b"}",
}

# Bodies that differ a little from what is documented, and the entries that can be read.
SOME_ENTRIES: dict[str, tuple[object, tuple[ErrorEntry, ...]]] = {
    "unknown fields": (
        {"errors": [{"type": "a", "message": "m", "x": [1], "details": [{"name": "n", "y": {}}]}], "z": None},
        (ErrorEntry("a", "m", ("n",)),),
    ),
    "no type": ({"errors": [{"message": "m"}]}, (ErrorEntry("", "m"),)),
    "no message": ({"errors": [{"type": "a"}]}, (ErrorEntry("a", ""),)),
    "nothing": ({"errors": [{}]}, (ErrorEntry("", ""),)),
    "details is null": ({"errors": [{"type": "a", "message": "m", "details": None}]}, (ErrorEntry("a", "m"),)),
    "details is empty": ({"errors": [{"type": "a", "message": "m", "details": []}]}, (ErrorEntry("a", "m"),)),
    "detail without a name": (
        {"errors": [{"type": "a", "message": "m", "details": [{"location": "l"}, {"name": "n"}]}]},
        (ErrorEntry("a", "m", ("n",)),),
    ),
    "two": (
        {"errors": [{"type": "a", "message": "m"}, {"type": "b", "message": "n"}]},
        (ErrorEntry("a", "m"), ErrorEntry("b", "n")),
    ),
}


def status_error(clients: Clients, transport: FixedResponse) -> StatusError:
    """Return the error of an update that got a status other than 200; only one request was made."""
    with pytest.raises(StatusError) as caught:
        clients.open(transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert len(transport.requests) == 1
    return caught.value


def assert_identified(error: StatusError, status: int, entries: tuple[ErrorEntry, ...]) -> None:
    """Check everything that an error says, except for its ids."""
    kind, applied, _, _ = STATUSES[status]
    assert type(error) is kind
    assert (error.status_code, error.errors, error.may_have_been_applied) == (status, entries, applied)


@pytest.mark.parametrize("status", STATUSES)
def test_documented_responses(clients: Clients, status: int) -> None:
    """Each status has its class, with the service's reasons and both ids."""
    _, _, body, entries = STATUSES[status]
    error = status_error(clients, FixedResponse(status, b"" if body is None else json.dumps(body).encode()))
    assert_identified(error, status, entries)
    assert (error.correlation_id, error.unique_transaction_id) == (CORRELATION_ID, TRANSACTION_ID)


def test_the_table_has_every_documented_status() -> None:
    """Every status that the service documents is in the table above."""
    assert {400, 401, 403, 404, 410, 412, 424, 429, 500, 502, 503, 504} <= set(STATUSES)


@pytest.mark.parametrize("body", NO_ENTRIES.values(), ids=NO_ENTRIES)
@pytest.mark.parametrize("status", STATUSES)
def test_unreadable_refusals(clients: Clients, status: int, body: bytes) -> None:
    """The status decides, whatever the body is."""
    error = status_error(clients, FixedResponse(status, body))
    assert_identified(error, status, ())
    assert (error.correlation_id, error.unique_transaction_id) == (CORRELATION_ID, TRANSACTION_ID)


@pytest.mark.parametrize(("body", "entries"), SOME_ENTRIES.values(), ids=SOME_ENTRIES)
def test_refusals_of_another_shape(clients: Clients, body: object, entries: tuple[ErrorEntry, ...]) -> None:
    """What can be read is read, and anything more does no harm."""
    assert_identified(status_error(clients, FixedResponse(404, json.dumps(body).encode())), 404, entries)


def test_responses_without_ids(clients: Clients) -> None:
    """A gateway's response has no ids, so neither has the error."""
    error = status_error(clients, FixedResponse(502, HTML, {}))
    assert_identified(error, 502, ())
    assert (error.correlation_id, error.unique_transaction_id) == (None, None)
    assert f"PATCH {PATH}" in str(error)


BROKEN: dict[str, dict[str, Any]] = {
    "wrongly compressed": {"headers": {"Content-Encoding": "gzip"}},
    "cut": {"cut": "middle"},
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("status", [status for status in STATUSES if status != HTTPStatus.NO_CONTENT])
def test_refusals_with_a_broken_body(clients: Clients, sandbox: Sandbox, url: str, status: int, how: str) -> None:
    """The status stands, even if the body breaks off or cannot be decompressed."""
    ids = {"v-c-correlation-id": CORRELATION_ID, "uniqueTransactionID": TRANSACTION_ID}
    headers = ids | BROKEN[how].get("headers", {})
    body = json.dumps(refusal("notFound")).encode()
    sandbox.fail(Fault(status=status, body=body, headers=headers, cut=BROKEN[how].get("cut")))
    with pytest.raises(StatusError) as caught:
        clients.open(base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert_identified(caught.value, status, ())
    assert (caught.value.correlation_id, caught.value.unique_transaction_id) == (CORRELATION_ID, TRANSACTION_ID)
    assert isinstance(caught.value.__cause__, httpx.HTTPError)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(clients: Clients, sandbox: Sandbox, url: str, status: int) -> None:
    """A redirect is an error like any other status: nothing is signed and sent a second time."""
    sandbox.fail(Fault(status=status, headers={"Location": f"{url}{PATH}"}))
    with pytest.raises(StatusError) as caught:
        clients.open(base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert type(caught.value) is StatusError
    assert caught.value.status_code == status
    assert len(sandbox.received) == 1


# What a message says


def test_message(clients: Clients) -> None:
    """A message says what happened, to which call, with the correlation id, and what to do."""
    error = status_error(clients, FixedResponse(404, json.dumps(refusal("notFound")).encode()))
    assert str(error) == f"404 notFound {EXCHANGE}: no customer has this token id"


@pytest.mark.parametrize("status", STATUSES)
def test_every_message_gives_advice(clients: Clients, status: int) -> None:
    """Even without a body, it says what happened, to which call, and what to do."""
    kind = STATUSES[status][0]
    error = status_error(clients, FixedResponse(status, b""))
    outcome = "; the update may have been applied: read the customer before deciding"
    assert str(error) == f"{status} {EXCHANGE}: {kind.advice}{outcome if error.may_have_been_applied else ''}"
    assert len(kind.advice) > 10


HOSTILE = {
    "line break": "notFound\n2026-11-01 ERROR root: broken in",
    "carriage return": "notFound\rok",
    "terminal": "\x1b[31mnotFound",
    "markup": "<script>alert(1)</script>",
    "sentence": "no such customer",
    "e-mail": EMAIL,
    "format": "%s{0}",
    "right to left": "\u202enotFound",
    "NUL": "not\0Found",
    "lone surrogate": "\ud800",
    "very long": "a" * 5000,
    "empty": "",
}


@pytest.mark.parametrize("kind", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_type_is_in_no_message(clients: Clients, kind: str) -> None:
    """What does not look like one of the service's short names is kept in `.errors`, and is not printed."""
    error = status_error(clients, FixedResponse(404, json.dumps(refusal(kind)).encode()))
    assert str(error) == f"404 {EXCHANGE}: {errors.NotFound.advice}"
    assert error.errors == entries_for(kind)


def printed(error: BaseException) -> str:
    """Return everything that Python prints of an error and its causes."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(error)


@pytest.mark.parametrize("status", [status for status, row in STATUSES.items() if row[3]])
def test_the_services_message_is_not_printed(clients: Clients, caplog: pytest.LogCaptureFixture, status: int) -> None:
    """The service's message may quote the customer: it is in `.errors[0].message` and nowhere else."""
    caplog.set_level(logging.DEBUG)
    error = status_error(clients, FixedResponse(status, json.dumps(STATUSES[status][2]).encode()))
    assert error.errors[0].message == f"Not so, {EMAIL}"
    assert EMAIL not in printed(error) + repr(error.errors) + str(error.errors[0]) + caplog.text
    assert str(status) in caplog.text


# 200


def page(**fields: Any) -> dict[str, Any]:
    """Return the page's customer with other fields."""
    return page_customer() | fields


def wrong_types() -> "Iterator[tuple[str, dict[str, Any]]]":
    """Yield each place that has to fit, and the page's customer with a value of a wrong type there."""
    number, words, flag, nothing, record, items = 424242, EMAIL, True, None, {"x": EMAIL}, [EMAIL]
    no_text, no_record, no_list = [number, flag, record, items], [number, words, flag, items], [number, words, record]
    places: dict[str, tuple[list[Any], ...]] = {
        "id": (no_text, [nothing]),
        "buyerInformation": (no_record,),
        "buyerInformation.merchantCustomerID": (no_text,),
        "buyerInformation.email": (no_text, [1.5]),
        "clientReferenceInformation": (no_record,),
        "clientReferenceInformation.code": (no_text,),
        "merchantDefinedInformation": (no_list, [flag]),
        "merchantDefinedInformation[0]": (no_record, [nothing]),
        "merchantDefinedInformation[0].name": (no_text,),
        "merchantDefinedInformation[0].value": (no_text,),
        "objectInformation": (no_record,),
        "defaultPaymentInstrument": (no_record,),
        "defaultShippingAddress": (no_record,),
    }
    for path, kinds in places.items():
        for value in [value for kind in kinds for value in kind]:
            customer = page_customer()
            target: Any = customer
            *steps, last = path.replace("[0]", ".0").split(".")
            for step in steps:
                target = target[int(step) if step == "0" else step]
            target[int(last) if last == "0" else last] = value
            yield path, customer


WRONG_TYPES = [*wrong_types()]


def unreadable(clients: Clients, transport: FixedResponse) -> UnreadableResponse:
    """Return the error of an update whose 200 cannot be understood."""
    with pytest.raises(UnreadableResponse) as caught:
        clients.open(transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    error = caught.value
    assert type(error) is UnreadableResponse
    assert (error.status_code, error.correlation_id, error.may_have_been_applied) == (200, CORRELATION_ID, True)
    assert EXCHANGE in str(error)
    return error


@pytest.mark.parametrize(
    ("path", "customer"), WRONG_TYPES, ids=[f"{path} {number}" for number, (path, _) in enumerate(WRONG_TYPES)]
)
def test_a_wrong_type_in_a_customer(
    clients: Clients, path: str, customer: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A value of a type that the spec does not have is found; the message has its path and not the value."""
    caplog.set_level(logging.DEBUG)
    error = unreadable(clients, FixedResponse(200, json.dumps(customer).encode()))
    assert f" {path}: " in str(error)
    shown = printed(error) + caplog.text
    assert EMAIL not in shown
    assert "424242" not in shown
    assert "Your customer" not in shown


NO_CUSTOMERS: dict[str, bytes] = {
    "empty": b"",
    "blank": b"  \r\n",
    "HTML": HTML,
    "cut JSON": json.dumps(page_customer()).encode()[:-1],
    "cut in the middle": json.dumps(page(buyerInformation={"email": EMAIL})).encode()[:500],
    "two values": b"{}{}",
    "not UTF-8": ID + b', "buyerInformation": {"email": "jane.roe@example.com\xff"}}',
    "array": json.dumps([page_customer()]).encode(),
    "empty array": b"[]",
    "null": b"null",
    "true": b"true",
    "number": b"200",
    "text": b'"jane.roe@example.com"',
    "nested beyond reason": ID + b', "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "objects nested beyond reason": b'{"x":' * 200_000 + b"1" + b"}" * 200_000,
    "a number beyond reason": ID + b', "x": ' + b"1" * 10_000 + b"}",
    "empty object": b"{}",
    "no id": json.dumps({name: value for name, value in page_customer().items() if name != "id"}).encode(),
    "an error": json.dumps(refusal("notFound")).encode(),
}


@pytest.mark.parametrize("body", NO_CUSTOMERS.values(), ids=NO_CUSTOMERS)
def test_a_200_that_is_no_customer(clients: Clients, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It is an UnreadableResponse with a cause, and nothing of the body is printed."""
    caplog.set_level(logging.DEBUG)
    error = unreadable(clients, FixedResponse(200, body))
    assert error.__cause__ is not None
    assert EMAIL not in printed(error) + caplog.text


@pytest.mark.parametrize(
    ("lists", "fits"), [(1, True), (100, True), (101, False), (900, False), (sys.getrecursionlimit() + 20, False)]
)
def test_a_deep_response(clients: Clients, lists: int, *, fits: bool) -> None:
    """A customer nested more than 100 deep is refused on reading: it could be neither copied nor compared."""
    body = ID + b', "x": ' + b"[" * lists + b"]" * lists + b"}"
    if fits:
        record = clients.open(transport=FixedResponse(200, body)).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        assert record.customer.to_dict() == json.loads(body)
    else:
        unreadable(clients, FixedResponse(200, body))


def test_a_200_that_is_wrongly_compressed(clients: Clients) -> None:
    """A body that claims to be gzip and is not is unreadable, and the update may have been applied."""
    headers = {"v-c-correlation-id": CORRELATION_ID, "Content-Encoding": "gzip"}
    assert isinstance(unreadable(clients, FixedResponse(headers=headers)).__cause__, httpx.DecodingError)


def test_a_200_without_a_correlation_id(clients: Clients) -> None:
    """A response without the id makes an error without it."""
    with pytest.raises(UnreadableResponse) as caught:
        clients.open(transport=FixedResponse(200, HTML, {})).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value.correlation_id is None


MORE: dict[str, dict[str, Any]] = {
    "the page's": page_customer(),
    "only an id": {"id": PAGE_CUSTOMER_ID},
    "null groups": page(buyerInformation=None, clientReferenceInformation=None, merchantDefinedInformation=None),
    "null in groups": page(buyerInformation={"email": None}, clientReferenceInformation={"code": None}),
    "empty groups": page(buyerInformation={}, merchantDefinedInformation=[], _links={}, metadata={}),
    "empty entry": page(merchantDefinedInformation=[{}]),
    "null in an entry": page(merchantDefinedInformation=[{"name": "data1", "value": None}, {"name": None}]),
    "null in what only the service writes": page(_links=None, metadata=None),
    "null deeper there": page(_links={"self": None, "customer": {"href": None}}, metadata={"creator": None}),
    "another shape there": page(_links=[1, "x"], metadata="testrest"),
    "another shape deeper there": page(_links={"self": 5, "shippingAddress": {"href": []}}, metadata={"creator": 7}),
    "name outside the list": page(merchantDefinedInformation=[{"name": "data99", "value": ""}]),
    "the other spelling": page(_links={"shippingAddress": {"href": "/x"}}),
    "not ASCII": page(buyerInformation={"email": "é\u0000\U0001f600\u2028"}),
    "lone surrogate": page(buyerInformation={"email": "\ud800"}),
    "fields of the Swagger document": page(
        objectInformation={"title": "t", "comment": None},
        defaultPaymentInstrument={"id": "x"},
        _embedded={
            "defaultPaymentInstrument": {"card": {"number": "X", "expirationMonth": 12}, "list": [1, 1.5, True]}
        },
    ),
    "unknown fields everywhere": page(
        buyerInformation={"email": "a", "new": {"deep": [None, {"x": 1.25}]}},
        clientReferenceInformation={"code": "c", "new": 1},
        merchantDefinedInformation=[{"name": "data1", "value": "v", "new": True}, {"new": []}],
        _links={"self": {"href": "/x", "method": "GET"}, "new": {"href": 5}},
        metadata={"creator": "c", "new": False},
        new=[{}, [], "", 0, None],
        email="a",
        buyer_information={"email": "not ours"},
        additional_properties={"x": 1},
    ),
    "awkward names": page(**{"": 1, "self": 2, "from": 3, "__class__": "x", "to_dict": None, "é": 4, "a.b": 5}),
}


@pytest.mark.parametrize("customer", MORE.values(), ids=MORE)
def test_nothing_of_a_customer_is_lost(clients: Clients, customer: dict[str, Any]) -> None:
    """Everything that the service sends is in the record, whether the spec knows it or not."""
    client = clients.open(transport=FixedResponse(200, json.dumps(customer).encode()))
    record = client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    kept, sent = (json.dumps(each, sort_keys=True) for each in (record.customer.to_dict(), customer))
    assert kept == sent
    assert (record.etag, record.correlation_id) == ("etag", CORRELATION_ID)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-be"])
def test_every_encoding_of_json(clients: Clients, encoding: str) -> None:
    """JSON in another encoding, or after a byte order mark, gives the customer or an UnreadableResponse."""
    customer = page(buyerInformation={"email": "é"})
    client = clients.open(transport=FixedResponse(200, json.dumps(customer, ensure_ascii=False).encode(encoding)))
    try:
        record = client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    except UnreadableResponse:
        assert encoding != "utf-8"
    else:
        assert record.customer.to_dict() == customer


def test_a_record_without_headers(clients: Clients) -> None:
    """A response without an ETag and without a correlation id is still a record."""
    record = clients.open(transport=FixedResponse(headers={})).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert (record.etag, record.correlation_id) == (None, None)


def test_a_record_hides_the_customer(clients: Clients) -> None:
    """The `repr` of a record has its ids and no personal data; a record cannot be changed."""
    record = clients.open(transport=FixedResponse()).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert repr(record) == str(record) == f"CustomerRecord(etag='etag', correlation_id='{CORRELATION_ID}')"
    with pytest.raises(AttributeError):
        record.etag = "x"  # type: ignore[misc]


@pytest.mark.parametrize("status", [200, 404])
def test_a_response_that_was_read_before(clients: Clients, caplog: pytest.LogCaptureFixture, status: int) -> None:
    """A custom transport may return a response that httpx has already read."""
    caplog.set_level(logging.DEBUG, "cybersource_tms")
    client = clients.open(transport=httpx.MockTransport(lambda _: httpx.Response(status, json=page_customer())))
    if status == HTTPStatus.OK:
        assert client.update(PAGE_CUSTOMER_ID, NEW_EMAIL).customer.to_dict() == page_customer()
    else:
        with pytest.raises(errors.NotFound):
            client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)


# What may be raised below a client: everything that httpx has, and samples of what others have.
HTTPX: dict[str, type[errors.ConnectionFailed]] = {
    "CloseError": errors.ConnectionFailed,
    "ConnectError": errors.ConnectionFailed,
    "ConnectTimeout": errors.TimedOut,
    "CookieConflict": errors.ConnectionFailed,
    "DecodingError": errors.ConnectionFailed,
    "HTTPError": errors.ConnectionFailed,
    "HTTPStatusError": errors.ConnectionFailed,
    "InvalidURL": errors.ConnectionFailed,
    "LocalProtocolError": errors.ConnectionFailed,
    "NetworkError": errors.ConnectionFailed,
    "PoolTimeout": errors.TimedOut,
    "ProtocolError": errors.ConnectionFailed,
    "ProxyError": errors.ConnectionFailed,
    "ReadError": errors.ConnectionFailed,
    "ReadTimeout": errors.TimedOut,
    "RemoteProtocolError": errors.ConnectionFailed,
    "RequestError": errors.ConnectionFailed,
    "RequestNotRead": errors.ConnectionFailed,
    "ResponseNotRead": errors.ConnectionFailed,
    "StreamClosed": errors.ConnectionFailed,
    "StreamConsumed": errors.ConnectionFailed,
    "StreamError": errors.ConnectionFailed,
    "TimeoutException": errors.TimedOut,
    "TooManyRedirects": errors.ConnectionFailed,
    "TransportError": errors.ConnectionFailed,
    "UnsupportedProtocol": errors.ConnectionFailed,
    "WriteError": errors.ConnectionFailed,
    "WriteTimeout": errors.TimedOut,
}
FOREIGN: dict[str, Exception] = {
    "RuntimeError": RuntimeError(EMAIL),
    "OSError": OSError(EMAIL),
    "SSLError": ssl.SSLError(1, EMAIL),
    "TimeoutError": TimeoutError(EMAIL),
    "MemoryError": MemoryError(EMAIL),
    "RecursionError": RecursionError(EMAIL),
    "KeyError": KeyError(EMAIL),
    "UnicodeDecodeError": UnicodeDecodeError("utf-8", EMAIL.encode(), 0, 1, "no text"),
    "ExceptionGroup": ExceptionGroup(EMAIL, [OSError(EMAIL)]),
}


def raised(name: str) -> Exception:
    """Return an instance of one of httpx's exceptions, or of another's, whose message quotes the customer."""
    if name in FOREIGN:
        return FOREIGN[name]
    kind: Any = getattr(httpx, name)
    if name == "HTTPStatusError":
        request = httpx.Request("PATCH", "https://a.example")
        return httpx.HTTPStatusError(EMAIL, request=request, response=httpx.Response(500, request=request))
    takes_no_message = {"RequestNotRead", "ResponseNotRead", "StreamClosed", "StreamConsumed"}
    error: Exception = kind() if name in takes_no_message else kind(EMAIL)
    return error


EVERY_NAME = [*HTTPX, *FOREIGN]
FOREIGN_KINDS = dict.fromkeys(FOREIGN, errors.ConnectionFailed) | {"TimeoutError": errors.TimedOut}
UPDATE = update_call(PAGE_CUSTOMER_ID, NEW_EMAIL, None, None)


def test_every_exception_of_httpx_is_decided_on() -> None:
    """When httpx grows an exception, this fails until somebody decides what it means."""
    exported = {
        name for name, thing in vars(httpx).items() if isinstance(thing, type) and issubclass(thing, BaseException)
    }
    assert exported == set(HTTPX)


@pytest.mark.parametrize("name", EVERY_NAME)
def test_what_a_custom_transport_raises(clients: Clients, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is a failed connection after which nobody knows, whatever its name says; no message quotes it."""
    caplog.set_level(logging.DEBUG)
    cause = raised(name)
    with pytest.raises(errors.ConnectionFailed) as caught:
        clients.open(transport=FixedResponse(error=cause)).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    error = caught.value
    assert type(error) is (HTTPX | FOREIGN_KINDS)[name]
    assert isinstance(error, TimeoutError) is (type(error) is errors.TimedOut)
    assert error.__cause__ is cause
    assert error.may_have_been_applied is True
    assert str(error).startswith(f"{name} (PATCH {PATH})")
    assert "nothing was sent" not in str(error)
    assert EMAIL not in str(error) + repr(error) + caplog.text


@pytest.mark.parametrize("name", EVERY_NAME)
def test_a_read_changes_nothing(clients: Clients, name: str) -> None:
    """Whatever goes wrong with a GET, no update can have been applied."""
    with pytest.raises(errors.ConnectionFailed) as caught:
        clients.open(transport=FixedResponse(error=raised(name))).retrieve(PAGE_CUSTOMER_ID)
    assert caught.value.may_have_been_applied is False
    assert "applied" not in str(caught.value)


@pytest.mark.parametrize("is_custom", [False, True], ids=["httpx's transport", "custom transport"])
@pytest.mark.parametrize("sent", [False, True], ids=["not sent", "sent"])
@pytest.mark.parametrize("name", EVERY_NAME)
def test_whether_something_was_sent(name: str, *, sent: bool, is_custom: bool) -> None:
    """The name proves nothing but for a proxy's refusal, which httpx raises before the request itself is sent."""
    error = connection_failed(UPDATE, raised(name), sent=sent, is_custom=is_custom)
    applied = sent and (is_custom or name != "ProxyError")
    assert error.may_have_been_applied is applied
    assert ("may have been applied" in str(error)) is applied
    assert ("nothing was sent" in str(error)) is not applied


@pytest.mark.parametrize("name", EVERY_NAME)
def test_whose_message_is_quoted(name: str) -> None:
    """Only that of a connection that httpx could not make: the others can quote headers, and a custom one anything."""
    quoted = EMAIL in str(connection_failed(UPDATE, raised(name), sent=False, is_custom=False))
    assert quoted is (name in {"ConnectError", "UnsupportedProtocol"})
    assert EMAIL not in str(connection_failed(UPDATE, raised(name), sent=False, is_custom=True))


def test_an_error_of_ours_is_raised_as_it_is(clients: Clients) -> None:
    """A custom transport or auth may raise one of this package's errors."""
    ours = errors.InvalidRequest("key: the vault is locked")
    with pytest.raises(errors.InvalidRequest) as caught:
        clients.open(transport=FixedResponse(error=ours)).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value is ours


@pytest.mark.parametrize("status", [200, 404, 503])
@pytest.mark.parametrize("name", EVERY_NAME)
def test_what_breaks_while_a_body_is_read(clients: Clients, name: str, status: int) -> None:
    """A status other than 200 stands. A 200 cannot be understood, or not in time, and may have been applied."""
    cause = raised(name)
    transport = FixedResponse(status, b"{", body_error=cause)
    with pytest.raises(CybersourceError) as caught:
        clients.open(transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    error = caught.value
    if status != HTTPStatus.OK:
        assert type(error) is {404: errors.NotFound, 503: errors.ServiceError}[status]
        return
    cut = isinstance(cause, (httpx.TransportError, httpx.DecodingError)) and not isinstance(
        cause, httpx.TimeoutException
    )
    assert type(error) is (UnreadableResponse if cut else (HTTPX | FOREIGN_KINDS)[name])
    assert error.may_have_been_applied is True
    assert EMAIL not in str(error)
