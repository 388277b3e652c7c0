"""The stand-in keeps the service's rules: customers, merge patches, ETags, refusals. Called with plain httpx."""

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, PROFILE_ID, Fault, Sandbox
from cybersource_tms_sandbox._customers import merge
from support.caller import ABSENT, CHANGE, PAGE, PATH, Caller


def error_type(response: httpx.Response) -> str:
    """Return the one error's type, once the response has the service's shape."""
    assert response.headers["content-type"] == "application/json;charset=utf-8"
    assert "etag" not in response.headers
    [error] = response.json()["errors"]
    assert isinstance(error["message"], str)
    return str(error["type"])


# Serving


def test_get_returns_the_pages_customer(sandbox: Sandbox, caller: Caller) -> None:
    """The customer is the page's, word for word, with the ETag and the two ids."""
    response = caller.get()
    assert (response.status_code, response.json()) == (200, PAGE)
    assert response.headers["content-type"] == "application/json;charset=utf-8"
    assert response.headers["etag"] == sandbox.etag()
    assert re.fullmatch("[!-~]{1,32}", response.headers["etag"])


def test_patch_returns_the_whole_changed_customer(sandbox: Sandbox, caller: Caller) -> None:
    """What was not sent stays; the response is the state that is kept."""
    response = caller.send(body=CHANGE)
    buyer = {"merchantCustomerID": "Your customer identifier", "email": "new@example.com"}
    assert (response.status_code, response.json()) == (200, PAGE | {"buyerInformation": buyer})
    assert sandbox.customer() == response.json() == caller.get().json()
    assert response.headers["etag"] == sandbox.etag()


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        (
            {"buyerInformation": {"email": None}},
            {"buyerInformation": {"merchantCustomerID": "Your customer identifier"}},
        ),
        ({"buyerInformation": None}, {"buyerInformation": ABSENT}),
        ({"objectInformation": {"title": None}}, {"objectInformation": {}}),
        ({"merchantDefinedInformation": []}, {"merchantDefinedInformation": []}),
        (
            {"merchantDefinedInformation": [{"name": "sensitive4", "value": "é"}]},
            {"merchantDefinedInformation": [{"name": "sensitive4", "value": "é"}]},
        ),
        ({"defaultPaymentInstrument": {"id": "A"}}, {"defaultPaymentInstrument": {"id": "A"}}),
        ({"defaultShippingAddress": {"id": "B"}}, {"defaultShippingAddress": {"id": "B"}}),
    ],
)
def test_patch_is_merged(caller: Caller, patch: dict[str, Any], changed: dict[str, Any]) -> None:
    """Null removes, groups are merged, arrays are replaced."""
    expected = {name: value for name, value in (PAGE | changed).items() if value is not ABSENT}
    assert caller.send(body=patch).json() == expected


def test_ids_are_found_in_any_case(caller: Caller) -> None:
    """Token ids are not case sensitive in the URL."""
    assert caller.get(PATH.replace(PAGE_CUSTOMER_ID, PAGE_CUSTOMER_ID.lower())).json()["id"] == PAGE_CUSTOMER_ID


def test_put_and_delete(sandbox: Sandbox, caller: Caller) -> None:
    """A test may add a customer and delete it; what it holds is copied in and out."""
    customer: dict[str, Any] = {"id": "abc", "_embedded": {"kept": [1]}}
    sandbox.put(customer)
    customer["_embedded"]["kept"].append(2)
    sandbox.customer("abc")["_embedded"]["kept"].append(3)
    assert caller.get("/tms/v2/customers/Abc").json() == {"id": "abc", "_embedded": {"kept": [1]}}
    sandbox.delete("abc")
    assert caller.get("/tms/v2/customers/Abc").status_code == 410


def test_several_customers(sandbox: Sandbox, caller: Caller) -> None:
    """Customers are added beside the page's, each with its own state, and read as `sandbox[id]`."""
    sandbox.add({"id": "A1", "objectInformation": {"title": "one"}})
    sandbox.add({"id": "B2"})
    caller.send(path="/tms/v2/customers/a1", body={"objectInformation": {"title": "two"}})
    assert sandbox["A1"] == sandbox["a1"] == {"id": "A1", "objectInformation": {"title": "two"}}
    assert sandbox["B2"] == {"id": "B2"}
    assert sandbox[PAGE_CUSTOMER_ID] == PAGE
    assert len({sandbox.etag("A1"), sandbox.etag("B2"), sandbox.etag()}) == 3
    with pytest.raises(KeyError):
        sandbox["C3"]


@pytest.mark.parametrize(
    ("customer", "problem"),
    [
        ({"id": PAGE_CUSTOMER_ID.lower()}, f"there is already a customer {PAGE_CUSTOMER_ID.lower()}"),
        ({}, "a customer needs an id"),
        ({"id": ""}, "a customer needs an id"),
        ({"id": 1}, "a customer needs an id"),
    ],
    ids=str,
)
def test_a_customer_that_cannot_be_added(sandbox: Sandbox, customer: dict[str, Any], problem: str) -> None:
    """An id names one customer, in whatever case."""
    with pytest.raises(ValueError, match=problem):
        sandbox.add(customer)
    assert sandbox.customer() == PAGE


def test_change_is_somebody_elses(sandbox: Sandbox, caller: Caller) -> None:
    """A test can act as another client: the patch is merged, the ETag moves, and nothing was received."""
    read = caller.get()
    sandbox.change({"clientReferenceInformation": None})
    assert "clientReferenceInformation" not in sandbox.customer()
    assert caller.send(headers={"if-match": read.headers["etag"]}).status_code == 412
    etag = sandbox.etag()
    sandbox.change({"clientReferenceInformation": None})
    assert sandbox.etag() == etag
    assert len(sandbox.received) == 2


def test_ids_are_decoded(sandbox: Sandbox, caller: Caller) -> None:
    """The id in a path may be percent-encoded; one that nobody has is not found, whatever it holds."""
    assert caller.get(PATH.replace("F2", "%46%32", 1)).json()["id"] == PAGE_CUSTOMER_ID
    for odd in ("%0A", "A%0D%0AB", "%2F", "%00", "%C3%28", "A" * 33):
        response = caller.get(f"/tms/v2/customers/{odd}")
        assert (odd, response.status_code, error_type(response)) == (odd, 404, "notFound")


def test_reset_forgets_everything(sandbox: Sandbox, caller: Caller) -> None:
    """After a reset the state is the first one, apart from the ETag, and no fault is left."""
    before = sandbox.etag()
    caller.send()
    sandbox.put({"id": "A"})
    sandbox.profiles.add("x")
    sandbox.fail(Fault(status=500))
    sandbox.reset()
    assert (sandbox.customer(), list(sandbox.customers), sandbox.received) == (PAGE, [PAGE_CUSTOMER_ID], [])
    assert sandbox.profiles == {PROFILE_ID}
    assert sandbox.etag() != before
    assert caller.get().status_code == 200


def test_received_tells_what_came(sandbox: Sandbox, caller: Caller) -> None:
    """A request is kept as it was sent, with its status and what its token claimed."""
    caller.send(headers={"X-Extra": "1"}, body=b'{ "objectInformation" : {} }')
    [received] = sandbox.received
    assert (received.method, received.path, received.status, received.reason) == ("PATCH", PATH, 200, "")
    assert received.body == b'{ "objectInformation" : {} }'
    assert received.headers["x-extra"] == "1"
    assert received.claims["request-resource-path"] == PATH


# RFC 7396


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_as_in_rfc_7396_appendix_a(target: object, patch: object, result: object) -> None:
    """The RFC's fifteen examples; the target is not changed."""
    before = json.dumps(target)
    assert merge(target, patch) == result
    assert json.dumps(target) == before


# ETag


def test_etag_moves_with_the_state(sandbox: Sandbox, caller: Caller) -> None:
    """Each change brings an ETag never seen before, even a change back; no change brings none."""
    back = {"buyerInformation": {"email": PAGE["buyerInformation"]["email"]}}
    etags = [sandbox.etag()] + [caller.send(body=body).headers["etag"] for body in (CHANGE, CHANGE, back, {})]
    assert etags[1] == etags[2]
    assert etags[3] == etags[4]
    assert len({*etags}) == 3


def test_if_match(sandbox: Sandbox, caller: Caller) -> None:
    """A patch is applied with the current ETag and refused with an older one."""
    old = sandbox.etag()
    assert caller.send(headers={"if-match": old}).status_code == 200
    changed = sandbox.customer()
    response = caller.send(body={"buyerInformation": None}, headers={"if-match": old})
    assert (response.status_code, error_type(response)) == (412, "conflict")
    assert sandbox.customer() == changed
    assert caller.get(headers={"if-match": old}).status_code == 200


@pytest.mark.parametrize("form", ['W/"{}"', '"{}"', "{}"])
def test_forms_of_etags(form: str) -> None:
    """ETags can be quoted or weak; if-match has to be the very characters."""
    sandbox = Sandbox(etag_format=form)
    with httpx.Client(transport=sandbox.transport, base_url="http://127.0.0.1") as http:
        caller = Caller(http)
        etag = caller.send().headers["etag"]
        assert (etag.removeprefix(form[:-3]) != etag) or form == "{}"
        assert len(etag) <= 32
        assert sandbox.etag() == etag
        for other in {etag.removeprefix("W/"), etag.strip('"'), f'"{etag}"', etag.upper()} - {etag}:
            assert caller.send(headers={"if-match": other[:32]}).status_code == 412
        assert caller.send(headers={"if-match": etag}).status_code == 200


@pytest.mark.parametrize("form", ["", "etag", "{}{}", 'weak W/"{}"'])
def test_impossible_forms_of_etags(form: str) -> None:
    """An ETag that would always be the same, or that if-match could not hold, is refused."""
    with pytest.raises(ValueError, match="etag_format"):
        Sandbox(etag_format=form)


# Refusals

OTHER_PROFILE = str(uuid.uuid4())
REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "no such token": ({"path": "/tms/v2/customers/A"}, 404, "notFound"),
    "no such path": ({"path": "/tms/v1/customers"}, 404, "notFound"),
    "no such method": ({"method": "DELETE", "body": b""}, 405, "methodNotAllowed"),
    "a query": ({"path": f"{PATH}?a=b"}, 400, "invalidParameters"),
    "no JSON": ({"body": b"{"}, 400, "invalidRequest"),
    "not UTF-8": ({"body": b'{"objectInformation": {"title": "\xff"}}'}, 400, "invalidRequest"),
    "JSON of Python's own": ({"body": b'{"objectInformation": NaN}'}, 400, "invalidRequest"),
    "nested too deep": ({"body": b"[" * 100_000}, 400, "invalidRequest"),
    "half a surrogate pair": ({"body": b'{"objectInformation": {"title": "\\ud800"}}'}, 400, "invalidRequest"),
    "a number that is infinite": ({"body": b'{"objectInformation": 1e999}'}, 400, "invalidRequest"),
    "no object": ({"body": []}, 400, "invalidRequest"),
    "no body": ({"body": b""}, 400, "invalidRequest"),
    "another content type": ({"headers": {"Content-Type": "application/merge-patch+json"}}, 400, "invalidHeaders"),
    "no content type": ({"headers": {"Content-Type": ""}}, 400, "invalidHeaders"),
    "profile-id of 35": ({"headers": {"profile-id": PROFILE_ID[1:]}}, 400, "invalidHeaders"),
    "profile-id of 37": ({"headers": {"profile-id": PROFILE_ID + "0"}}, 400, "invalidHeaders"),
    "unknown profile-id": ({"headers": {"profile-id": OTHER_PROFILE}}, 424, "notFound"),
    "empty if-match": ({"headers": {"if-match": ""}}, 400, "invalidHeaders"),
    "if-match of 257": ({"headers": {"if-match": "0" * 257}}, 400, "invalidHeaders"),
    "if-match of 32": ({"headers": {"if-match": "0" * 32}}, 412, "conflict"),
}


@pytest.mark.parametrize(("request_", "status", "kind"), REFUSED.values(), ids=REFUSED)
def test_refused(sandbox: Sandbox, caller: Caller, request_: dict[str, Any], status: int, kind: str) -> None:
    """A refusal has its status and type, and changes nothing."""
    response = caller.send(**request_)
    assert (response.status_code, error_type(response)) == (status, kind)
    assert sandbox.customer() == PAGE
    assert sandbox.received[0].status == status
    assert sandbox.received[0].reason


OFFICIAL: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "body": ({"body": b"{"}, 400, "invalidRequest", "Invalid HTTP Body"),
    "forbidden": ({"headers": {"profile-id": OTHER_PROFILE}}, 403, "forbidden", "Request not permitted"),
    "token": ({"path": "/tms/v2/customers/A"}, 404, "notFound", "Token not found"),
    "deleted": ({"path": "/tms/v2/customers/gone"}, 410, "notAvailable", "Token not available."),
    "if-match": (
        {"headers": {"if-match": "x"}},
        412,
        "conflict",
        "Action cannot be performed as the if-match header value does not match the token etag",
    ),
    "profile": ({"headers": {"profile-id": str(uuid.uuid4())}}, 424, "notFound", "Profile not found"),
}


@pytest.mark.parametrize(("request_", "status", "kind", "message"), OFFICIAL.values(), ids=OFFICIAL)
def test_official_words(  # noqa: PLR0917 - pytest gives them by name
    sandbox: Sandbox, caller: Caller, request_: dict[str, Any], status: int, kind: str, message: str
) -> None:
    """The errors have the words of the examples in CyberSource's Swagger document."""
    sandbox.forbidden_profiles.add(OTHER_PROFILE)
    sandbox.add({"id": "gone"})
    sandbox.delete("gone")
    response = caller.send(**request_)
    assert (response.status_code, response.json()) == (status, {"errors": [{"type": kind, "message": message}]})


def test_a_method_that_is_not_allowed(caller: Caller) -> None:
    """The response names those that are (RFC 9110 section 15.5.6)."""
    assert caller.send("PUT").headers["allow"] == "GET, PATCH"


def test_deleted_token(sandbox: Sandbox, caller: Caller) -> None:
    """A deleted token is not available, to read or to patch."""
    sandbox.delete()
    for response in (caller.get(), caller.send()):
        assert (response.status_code, error_type(response)) == (410, "notAvailable")


def test_forbidden_profile(sandbox: Sandbox, caller: Caller) -> None:
    """A profile may be known and yet not allowed; a known and allowed one is served."""
    sandbox.forbidden_profiles.add(OTHER_PROFILE)
    response = caller.send(headers={"profile-id": OTHER_PROFILE})
    assert (response.status_code, error_type(response)) == (403, "forbidden")
    assert caller.send(headers={"profile-id": PROFILE_ID}).status_code == 200


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json;charset=utf-8", "Application/JSON ; a=b"]
)
def test_content_types_that_are_json(caller: Caller, content_type: str) -> None:
    """Any parameter may follow application/json."""
    assert caller.send(headers={"Content-Type": content_type}).status_code == 200


WRONG_FIELDS: list[tuple[dict[str, Any], list[str]]] = [
    ({"id": PAGE_CUSTOMER_ID}, ["id"]),
    ({"_links": {}, "metadata": None, "_embedded": 1}, ["_embedded", "_links", "metadata"]),
    ({"BuyerInformation": {}}, ["BuyerInformation"]),
    ({"buyerInformation": {"merchantCustomerId": "x", "email": "ok"}}, ["buyerInformation.merchantCustomerId"]),
    ({"buyerInformation": {"phone": None}}, ["buyerInformation.phone"]),
    ({"buyerInformation": "x"}, ["buyerInformation"]),
    ({"buyerInformation": []}, ["buyerInformation"]),
    ({"buyerInformation": {"email": True}}, ["buyerInformation.email"]),
    ({"buyerInformation": {"email": {}}}, ["buyerInformation.email"]),
    ({"merchantDefinedInformation": {"name": "data1"}}, ["merchantDefinedInformation"]),
    ({"merchantDefinedInformation": ["x", None]}, ["merchantDefinedInformation[0]", "merchantDefinedInformation[1]"]),
    ({"merchantDefinedInformation": [{"name": "data1", "value": None}]}, ["merchantDefinedInformation[0].value"]),
    ({"merchantDefinedInformation": [{}, {"names": "data1"}]}, ["merchantDefinedInformation[1].names"]),
    *(
        ({"merchantDefinedInformation": [{"name": name}]}, ["merchantDefinedInformation[0].name"])
        for name in ("data0", "data5", "sensitive5", "Data1", "data1\n", "data11", "")
    ),
    ({"defaultPaymentInstrument": {"id": 1}}, ["defaultPaymentInstrument.id"]),
    ({"defaultShippingAddress": {"id": 1}}, ["defaultShippingAddress.id"]),
]


@pytest.mark.parametrize(("body", "names"), WRONG_FIELDS, ids=lambda value: json.dumps(value)[:80])
def test_wrong_fields(sandbox: Sandbox, caller: Caller, body: dict[str, Any], names: list[str]) -> None:
    """Each field that is unknown, not writable or of the wrong type is named, and nothing is applied."""
    response = caller.send(body=body)
    assert (response.status_code, error_type(response)) == (400, "invalidFields")
    assert response.json()["errors"][0]["details"] == [{"name": name, "location": "body"} for name in names]
    assert sandbox.customer() == PAGE


LIMITS: list[tuple[int, str, Callable[[str], dict[str, Any]]]] = [
    (100, "buyerInformation.merchantCustomerID", lambda text: {"buyerInformation": {"merchantCustomerID": text}}),
    (255, "buyerInformation.email", lambda text: {"buyerInformation": {"email": text}}),
    (50, "clientReferenceInformation.code", lambda text: {"clientReferenceInformation": {"code": text}}),
    (100, "merchantDefinedInformation[0].value", lambda text: {"merchantDefinedInformation": [{"value": text}]}),
    (60, "objectInformation.title", lambda text: {"objectInformation": {"title": text}}),
    (150, "objectInformation.comment", lambda text: {"objectInformation": {"comment": text}}),
]


@pytest.mark.parametrize(("limit", "name", "body"), LIMITS, ids=[name for _, name, _ in LIMITS])
def test_limits(caller: Caller, limit: int, name: str, body: Callable[[str], dict[str, Any]]) -> None:
    """A value of the limit's length in characters is taken, one more is not; a line break is a character."""
    assert caller.send(body=body("é" * (limit - 1) + "\n")).status_code == 200
    response = caller.send(body=body("x" * (limit + 1)))
    assert response.json()["errors"][0]["details"] == [{"name": name, "location": "body"}]


def test_details_name_the_header(caller: Caller) -> None:
    """With a wrong header the details name it, and say that it is a header."""
    response = caller.send(headers={"profile-id": "short"})
    assert response.json()["errors"][0]["details"] == [{"name": "profile-id", "location": "header"}]


def test_every_response_has_ids_of_its_own(sandbox: Sandbox, caller: Caller) -> None:
    """200, errors, 401 and faults carry both ids, never twice the same."""
    sandbox.fail(Fault(status=503))
    responses = [caller.get(), caller.get(), caller.get("/tms/v2/customers/A"), caller.get(claims={"iss": "x"})]
    assert [response.status_code for response in responses] == [503, 200, 404, 401]
    ids = [response.headers[name] for response in responses for name in ("v-c-correlation-id", "uniqueTransactionID")]
    assert len({*ids}) == 8
