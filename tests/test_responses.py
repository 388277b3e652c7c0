"""What an answer means: the table of statuses, of bodies that are wrong, and of what httpx may raise."""

import json
import logging
import sys
import traceback
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cybersource_tms import errors
from cybersource_tms._responses import boundary
from cybersource_tms.errors import CybersourceError, ErrorEntry, StatusError, UnreadableResponse
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Fault, Sandbox, page_customer
from cybersource_tms_sandbox._refusals import UNAUTHENTICATED
from support.clients import EMAIL, NEW_EMAIL, Clients
from support.fixed_response import CORRELATION_ID, TRANSACTION_ID, FixedResponse

if TYPE_CHECKING:
    from collections.abc import Iterator


PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
EXCHANGE = f"(PATCH {PATH}, correlation id {CORRELATION_ID})"
HTML = b"<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>"


def refusal(kind: str, *details: dict[str, str]) -> dict[str, Any]:
    """Return an error body as the service documents it; its message quotes the customer."""
    entry: dict[str, Any] = {"type": kind, "message": f"Not so, {EMAIL}"}
    return {"errors": [entry | ({"details": [*details]} if details else {})]}


def said(kind: str, *details: str) -> tuple[ErrorEntry, ...]:
    """Return what such a body is read as."""
    return (ErrorEntry(kind, f"Not so, {EMAIL}", details),)


# The status, its class, whether it may have been applied, the body that is documented for it, and what that says.
STATUSES: dict[int, tuple[type[StatusError], bool, object, tuple[ErrorEntry, ...]]] = {
    400: (
        errors.BadRequest,
        False,
        refusal("invalidFields", {"name": "email", "location": "buyerInformation"}, {"name": "code"}),
        said("invalidFields", "email", "code"),
    ),
    401: (errors.Unauthorized, False, UNAUTHENTICATED, ()),
    403: (errors.Forbidden, False, refusal("forbidden"), said("forbidden")),
    404: (errors.NotFound, False, refusal("notFound"), said("notFound")),
    410: (errors.TokenDeleted, False, refusal("notAvailable"), said("notAvailable")),
    412: (errors.PreconditionFailed, False, refusal("conflict"), said("conflict")),
    424: (errors.ProfileNotFound, False, refusal("notFound"), said("notFound")),
    429: (errors.TooManyRequests, False, refusal("tooManyRequests"), said("tooManyRequests")),
    500: (errors.ServiceError, True, refusal("internalError"), said("internalError")),
    502: (errors.ServiceError, True, refusal("serverError"), said("serverError")),
    503: (errors.ServiceError, True, refusal("serverError"), said("serverError")),
    504: (errors.ServiceError, True, refusal("serverError"), said("serverError")),
    # Of these nothing is documented.
    204: (StatusError, True, None, ()),
    302: (StatusError, False, refusal("moved"), said("moved")),
    418: (StatusError, False, refusal("teapot"), said("teapot")),
    520: (StatusError, True, refusal("unknown"), said("unknown")),
}

# Bodies of which nothing can be read: the class is the status's all the same, and there are no entries.
NOTHING_SAID: dict[str, bytes] = {
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

# Bodies that are a little other than documented, and what can be read of them.
SOMETHING_SAID: dict[str, tuple[object, tuple[ErrorEntry, ...]]] = {
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
    """Return the error of an update whose answer is another than 200; only one request was made."""
    with pytest.raises(StatusError) as caught:
        clients.open(transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert len(transport.requests) == 1
    return caught.value


def assert_identified(error: StatusError, status: int, entries: tuple[ErrorEntry, ...]) -> None:
    """Check all that an error says of an answer, beside its ids."""
    kind, applied, _, _ = STATUSES[status]
    assert type(error) is kind
    assert (error.status_code, error.errors, error.may_have_been_applied) == (status, entries, applied)


@pytest.mark.parametrize("status", STATUSES)
def test_documented_answers(clients: Clients, status: int) -> None:
    """Each status has its class, with the service's reasons and both ids."""
    _, _, body, entries = STATUSES[status]
    error = status_error(clients, FixedResponse(status, b"" if body is None else json.dumps(body).encode()))
    assert_identified(error, status, entries)
    assert (error.correlation_id, error.unique_transaction_id) == (CORRELATION_ID, TRANSACTION_ID)


def test_the_table_has_every_documented_status() -> None:
    """What facts and spec know of is in the table above."""
    assert {400, 401, 403, 404, 410, 412, 424, 429, 500, 502, 503, 504} <= set(STATUSES)


@pytest.mark.parametrize("body", NOTHING_SAID.values(), ids=NOTHING_SAID)
@pytest.mark.parametrize("status", STATUSES)
def test_unreadable_refusals(clients: Clients, status: int, body: bytes) -> None:
    """The status decides, whatever the body is."""
    error = status_error(clients, FixedResponse(status, body))
    assert_identified(error, status, ())
    assert (error.correlation_id, error.unique_transaction_id) == (CORRELATION_ID, TRANSACTION_ID)


@pytest.mark.parametrize(("body", "entries"), SOMETHING_SAID.values(), ids=SOMETHING_SAID)
def test_refusals_of_another_shape(clients: Clients, body: object, entries: tuple[ErrorEntry, ...]) -> None:
    """What can be read is read, and more is no fault."""
    assert_identified(status_error(clients, FixedResponse(404, json.dumps(body).encode())), 404, entries)


def test_answers_without_ids(clients: Clients) -> None:
    """A gateway's answer has no ids, and the error none either."""
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
    """The status has arrived and says it all; that the body breaks off or cannot be unpacked changes nothing."""
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
    """A redirect is an answer that nobody expected: nothing is signed and sent again."""
    sandbox.fail(Fault(status=status, headers={"Location": f"{url}{PATH}"}))
    with pytest.raises(StatusError) as caught:
        clients.open(base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert type(caught.value) is StatusError
    assert caught.value.status_code == status
    assert len(sandbox.received) == 1


# What a message says


def test_message(clients: Clients) -> None:
    """It says what happened, to which call, with the correlation id, and what to do."""
    error = status_error(clients, FixedResponse(404, json.dumps(refusal("notFound")).encode()))
    assert str(error) == f"404 notFound {EXCHANGE}: no customer has this token id"


@pytest.mark.parametrize("status", STATUSES)
def test_every_message_gives_advice(clients: Clients, status: int) -> None:
    """Without any body there is still what happened, to which call, and what to do about it."""
    kind = STATUSES[status][0]
    error = status_error(clients, FixedResponse(status, b""))
    outlook = "; the update may have been applied: read the customer before deciding"
    assert str(error) == f"{status} {EXCHANGE}: {kind.advice}{outlook if error.may_have_been_applied else ''}"
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
    assert error.errors == said(kind)


def printed(error: BaseException) -> str:
    """Return all that Python shows of an error, with what caused it."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(error)


@pytest.mark.parametrize("status", [status for status, row in STATUSES.items() if row[3]])
def test_what_the_service_says_is_not_printed(clients: Clients, caplog: pytest.LogCaptureFixture, status: int) -> None:
    """The service's message may quote the customer: it is in `.errors[0].message`, and nowhere else."""
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
    """Yield the page's customer with a value of a wrong type at each place, and the place."""
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
        "merchantDefinedInformation[0].name": (no_text, [nothing]),
        "merchantDefinedInformation[0].value": (no_text, [nothing]),
        "_links": (no_record, [nothing]),
        "_links.self": (no_record, [nothing]),
        "_links.self.href": (no_text, [nothing]),
        "_links.paymentInstruments": (no_record, [nothing]),
        "_links.paymentInstruments.href": (no_text, [nothing]),
        "_links.shippingAddresses": (no_record, [nothing]),
        "_links.shippingAddresses.href": (no_text, [nothing]),
        "_links.shippingAddress": (no_record, [nothing]),
        "metadata": (no_record, [nothing]),
        "metadata.creator": (no_text, [nothing]),
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
    """A value of another type than the spec's is found, wherever it is; the message has its path and not the value."""
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
    "not UTF-8": b'{"id": "A", "buyerInformation": {"email": "jane.roe@example.com\xff"}}',
    "array": json.dumps([page_customer()]).encode(),
    "empty array": b"[]",
    "null": b"null",
    "true": b"true",
    "number": b"200",
    "text": b'"jane.roe@example.com"',
    "nested beyond reason": b'{"id": "A", "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "objects nested beyond reason": b'{"x":' * 200_000 + b"1" + b"}" * 200_000,
    "a number beyond reason": b'{"id": "A", "x": ' + b"1" * 10_000 + b"}",
    "empty object": b"{}",
    "no id": json.dumps({name: value for name, value in page_customer().items() if name != "id"}).encode(),
    "an error": json.dumps(refusal("notFound")).encode(),
}


@pytest.mark.parametrize("body", NO_CUSTOMERS.values(), ids=NO_CUSTOMERS)
def test_a_200_that_is_no_customer(clients: Clients, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It is found out before the generated parser sees it, and nothing of the body is printed."""
    caplog.set_level(logging.DEBUG)
    error = unreadable(clients, FixedResponse(200, body))
    assert error.__cause__ is not None
    assert EMAIL not in printed(error) + caplog.text


def test_a_200_at_the_limit_of_nesting(clients: Clients) -> None:
    """However deep an answer is, there is a record or our error: where the one ends, nothing foreign comes out."""
    for depth in range(sys.getrecursionlimit() - 200, sys.getrecursionlimit() + 20, 7):
        client = clients.open(transport=FixedResponse(200, b'{"id": "A", "x": ' + b"[" * depth + b"]" * depth + b"}"))
        try:
            assert client.update(PAGE_CUSTOMER_ID, NEW_EMAIL).customer.id == "A"
        except UnreadableResponse as error:
            assert error.status_code == HTTPStatus.OK  # noqa: PT017 - both ends are right


def test_a_200_that_is_wrongly_compressed(clients: Clients) -> None:
    """What claims to be gzip and is not cannot be understood, and the update may have been applied."""
    headers = {"v-c-correlation-id": CORRELATION_ID, "Content-Encoding": "gzip"}
    assert isinstance(unreadable(clients, FixedResponse(headers=headers)).__cause__, httpx.DecodingError)


def test_a_200_without_a_correlation_id(clients: Clients) -> None:
    """Where the answer has no id, the error has none."""
    with pytest.raises(UnreadableResponse) as caught:
        clients.open(transport=FixedResponse(200, HTML, {})).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value.correlation_id is None


MORE: dict[str, dict[str, Any]] = {
    "the page's": page_customer(),
    "only an id": {"id": "A"},
    "null groups": page(buyerInformation=None, clientReferenceInformation=None, merchantDefinedInformation=None),
    "null in groups": page(buyerInformation={"email": None}, clientReferenceInformation={"code": None}),
    "empty groups": page(buyerInformation={}, merchantDefinedInformation=[], _links={}, metadata={}),
    "empty entry": page(merchantDefinedInformation=[{}]),
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
    """What the service sends is in the record key for key, whether the spec knows it or not."""
    client = clients.open(transport=FixedResponse(200, json.dumps(customer).encode()))
    record = client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    kept, sent = (json.dumps(each, sort_keys=True) for each in (record.customer.to_dict(), customer))
    assert kept == sent
    assert (record.etag, record.correlation_id) == ("etag", CORRELATION_ID)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-be"])
def test_every_encoding_of_json(clients: Clients, encoding: str) -> None:
    """JSON in another encoding, or behind a byte order mark, is the customer, or our error and nothing foreign."""
    customer = page(buyerInformation={"email": "é"})
    client = clients.open(transport=FixedResponse(200, json.dumps(customer, ensure_ascii=False).encode(encoding)))
    try:
        record = client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    except UnreadableResponse:
        assert encoding != "utf-8"
    else:
        assert record.customer.to_dict() == customer


def test_a_record_without_headers(clients: Clients) -> None:
    """An answer without an ETag and an id is a record all the same."""
    record = clients.open(transport=FixedResponse(headers={})).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert (record.etag, record.correlation_id) == (None, None)


def test_a_record_hides_the_customer(clients: Clients) -> None:
    """Its `repr` says which state it is of, and nothing about a person; it cannot be changed."""
    record = clients.open(transport=FixedResponse()).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert repr(record) == str(record) == f"CustomerRecord(etag='etag', correlation_id='{CORRELATION_ID}')"
    with pytest.raises(AttributeError):
        record.etag = "x"  # type: ignore[misc]


@pytest.mark.parametrize("status", [200, 404])
def test_an_answer_that_was_read_before(clients: Clients, caplog: pytest.LogCaptureFixture, status: int) -> None:
    """A transport may hand over an answer that has been read already; logging it is no problem."""
    caplog.set_level(logging.DEBUG, "cybersource_tms")
    client = clients.open(transport=httpx.MockTransport(lambda _: httpx.Response(status, json=page_customer())))
    if status == HTTPStatus.OK:
        assert client.update(PAGE_CUSTOMER_ID, NEW_EMAIL).customer.to_dict() == page_customer()
    else:
        with pytest.raises(errors.NotFound):
            client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)


# What httpx may raise. Whether the update may have been applied: False only where certainly nothing was sent.
HTTPX: dict[str, bool] = {
    "CloseError": True,
    "ConnectError": False,
    "ConnectTimeout": False,
    "CookieConflict": True,
    "DecodingError": True,
    "HTTPError": True,
    "HTTPStatusError": True,
    "InvalidURL": False,
    "LocalProtocolError": True,
    "NetworkError": True,
    "PoolTimeout": False,
    "ProtocolError": True,
    "ProxyError": False,
    "ReadError": True,
    "ReadTimeout": True,
    "RemoteProtocolError": True,
    "RequestError": True,
    "RequestNotRead": True,
    "ResponseNotRead": True,
    "StreamClosed": True,
    "StreamConsumed": True,
    "StreamError": True,
    "TimeoutException": True,
    "TooManyRedirects": True,
    "TransportError": True,
    "UnsupportedProtocol": False,
    "WriteError": True,
    "WriteTimeout": True,
}


SPEECHLESS = {"RequestNotRead", "ResponseNotRead", "StreamClosed", "StreamConsumed"}


def raised(name: str, message: str) -> Exception:
    """Return an instance of one of httpx's exceptions."""
    kind: Any = getattr(httpx, name)
    if name == "HTTPStatusError":
        request = httpx.Request("PATCH", "https://a.example")
        return httpx.HTTPStatusError(message, request=request, response=httpx.Response(500, request=request))
    error: Exception = kind() if name in SPEECHLESS else kind(message)
    return error


def test_every_exception_of_httpx_is_decided_on() -> None:
    """When httpx grows an exception, this fails until somebody decides what it means."""
    exported = {
        name for name, thing in vars(httpx).items() if isinstance(thing, type) and issubclass(thing, BaseException)
    }
    assert exported == set(HTTPX)


@pytest.mark.parametrize(("name", "applied"), HTTPX.items(), ids=HTTPX)
def test_every_exception_of_httpx_becomes_ours(name: str, *, applied: bool) -> None:
    """The boundary lets nothing of httpx out, keeps the cause, and says whether the update may have been applied."""
    cause = raised(name, "quoted")
    with pytest.raises(errors.ConnectionFailed) as caught, boundary("PATCH", PATH):
        raise cause
    error = caught.value
    timed_out = isinstance(cause, httpx.TimeoutException)
    assert type(error) is (errors.TimedOut if timed_out else errors.ConnectionFailed)
    assert isinstance(error, TimeoutError) is timed_out
    assert error.may_have_been_applied is applied
    assert error.__cause__ is cause
    assert f"PATCH {PATH}" in str(error)
    assert name in str(error)
    assert ("may have been applied" in str(error)) is applied
    assert ("no connection was made" in str(error)) is not applied


@pytest.mark.parametrize("name", [name for name in HTTPX if name not in {"ConnectError", "UnsupportedProtocol"}])
def test_a_message_of_httpx_is_not_quoted(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Some quote a header; only of a connection that could not be made is the system's reason of use."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(errors.ConnectionFailed) as caught, boundary("PATCH", PATH):
        raise raised(name, f"Illegal header value {EMAIL}")
    assert EMAIL not in str(caught.value) + repr(caught.value) + caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt(), errors.NotFound("m", status_code=404), KeyError("k")], ids=repr)
def test_the_boundary_is_for_httpx_only(error: BaseException) -> None:
    """What is ours already, or is nobody's error, passes as it is."""
    with pytest.raises(type(error)) as caught, boundary("PATCH", PATH):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(("name", "applied"), HTTPX.items(), ids=HTTPX)
def test_what_a_transport_raises_becomes_ours(clients: Clients, name: str, *, applied: bool) -> None:
    """It does so also when it comes through a whole client."""
    with pytest.raises(errors.ConnectionFailed) as caught:
        clients.open(transport=FixedResponse(error=raised(name, "m"))).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value.may_have_been_applied is applied


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("name", HTTPX)
def test_what_breaks_while_a_body_is_read_becomes_ours(clients: Clients, name: str, status: int) -> None:
    """A refusal stays a refusal; a 200 cannot be understood, or not in time, and may then have been applied."""
    transport = FixedResponse(status, b"{", body_error=raised(name, "m"))
    with pytest.raises(CybersourceError) as caught:
        clients.open(transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    if issubclass(getattr(httpx, name), (httpx.TransportError, httpx.DecodingError)):
        late = issubclass(getattr(httpx, name), httpx.TimeoutException)
        unusable = errors.TimedOut if late else UnreadableResponse
        assert type(caught.value) is (unusable if status == HTTPStatus.OK else errors.NotFound)
    if status == HTTPStatus.OK and issubclass(getattr(httpx, name), (httpx.ReadTimeout, httpx.ReadError)):
        assert caught.value.may_have_been_applied
