"""The stand-in keeps the service's rules: called with plain httpx, and with tokens made here by hand."""

import base64
import hashlib
import hmac
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, PROFILE_ID, SECRET, Fault, Sandbox
from cybersource_tms_sandbox._customers import merge

SCRIPT = Path(__file__).parent.parent / "scripts" / "sandbox.py"
PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
CHANGE = {"buyerInformation": {"email": "new@example.com"}}
ABSENT = object()
PAGE = json.loads("""{
  "_links": {
    "self": {"href": "/tms/v2/customers/F2F3ADA770102B51E053A2598D0A9078"},
    "paymentInstruments": {"href": "/tms/v2/customers/F2F3ADA770102B51E053A2598D0A9078/payment-instruments"},
    "shippingAddresses": {"href": "/tms/v2/customers/F2F3ADA770102B51E053A2598D0A9078/shipping-addresses"}
  },
  "id": "F2F3ADA770102B51E053A2598D0A9078",
  "buyerInformation": {"merchantCustomerID": "Your customer identifier", "email": "test@cybs.com"},
  "clientReferenceInformation": {"code": "TC50171_3"},
  "merchantDefinedInformation": [{"name": "data1", "value": "Your customer data"}],
  "metadata": {"creator": "testrest"}
}""")


def part(data: object) -> str:
    """Encode bytes, or the JSON of anything else, as a part of a compact JWS."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def compact(claims: object, header: Mapping[str, object] = {}, secret: str = SECRET) -> str:
    """Sign claims; `header` is put over the right one, and what is ABSENT is left out."""
    jose = {"alg": "HS256", "kid": KEY_ID, "typ": "JWT"} | dict(header)
    signed = f"{part({name: value for name, value in jose.items() if value is not ABSENT})}.{part(claims)}"
    return f"{signed}.{part(hmac.new(base64.b64decode(secret), signed.encode(), 'sha256').digest())}"


def claims_for(method: str, path: str, host: str, body: bytes) -> dict[str, Any]:
    """Return the claims that make a token right."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iat": now,
        "exp": now + 120,
        "request-method": method.lower(),
        "request-host": host,
        "request-resource-path": path,
        "iss": MERCHANT_ID,
        "jti": str(uuid.uuid4()),
        "v-c-jwt-version": "2",
        "v-c-merchant-id": MERCHANT_ID,
    }
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return claims | ({"digest": digest, "digestAlgorithm": "SHA-256"} if body else {})


class Caller:
    """Makes signed requests; `claims` are put over the right ones, and those that are ABSENT are left out."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def send(
        self,
        method: str = "PATCH",
        path: str = PATH,
        body: object = CHANGE,
        headers: Mapping[str, str] | None = None,
        claims: Mapping[str, object] | None = None,
    ) -> httpx.Response:
        """Call with a good token, but for what the arguments spoil."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        said = claims_for(method, path, self.http.base_url.host, content) | dict(claims or {})
        token = compact({name: value for name, value in said.items() if value is not ABSENT})
        right = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return self.http.request(method, path, content=content, headers=right | dict(headers or {}))

    def get(
        self, path: str = PATH, headers: Mapping[str, str] | None = None, claims: Mapping[str, object] | None = None
    ) -> httpx.Response:
        """Read a customer as `send` would."""
        return self.send("GET", path, b"", headers, claims)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Sandbox, Caller]]:
    """Return a running sandbox, and who calls it, for the whole module."""
    sandbox = Sandbox()
    with sandbox.running() as url, httpx.Client(base_url=url, trust_env=False) as http:
        yield sandbox, Caller(http)


@pytest.fixture
def sandbox(served: tuple[Sandbox, Caller]) -> Sandbox:
    """Return the running sandbox in its first state."""
    served[0].reset()
    return served[0]


@pytest.fixture
def caller(sandbox: Sandbox, served: tuple[Sandbox, Caller]) -> Caller:
    """Return who calls the sandbox, which is in its first state."""
    return served[1]


def error_type(response: httpx.Response) -> str:
    """Return the one error's type, once the answer has the service's shape."""
    assert response.headers["content-type"] == "application/json;charset=utf-8"
    assert "etag" not in response.headers
    [error] = response.json()["errors"]
    assert isinstance(error["message"], str)
    return str(error["type"])


# Serving


def test_get_answers_the_pages_customer(sandbox: Sandbox, caller: Caller) -> None:
    """The customer is the page's, word for word, with the ETag and the two ids."""
    response = caller.get()
    assert (response.status_code, response.json()) == (200, PAGE)
    assert response.headers["content-type"] == "application/json;charset=utf-8"
    assert response.headers["etag"] == sandbox.etag()
    assert re.fullmatch("[!-~]{1,32}", response.headers["etag"])


def test_patch_answers_the_whole_changed_customer(sandbox: Sandbox, caller: Caller) -> None:
    """What was not sent stays; the answer is the state that is kept."""
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
    "no object": ({"body": []}, 400, "invalidRequest"),
    "no body": ({"body": b""}, 400, "invalidRequest"),
    "another content type": ({"headers": {"Content-Type": "application/merge-patch+json"}}, 400, "invalidHeaders"),
    "no content type": ({"headers": {"Content-Type": ""}}, 400, "invalidHeaders"),
    "profile-id of 35": ({"headers": {"profile-id": PROFILE_ID[1:]}}, 400, "invalidHeaders"),
    "profile-id of 37": ({"headers": {"profile-id": PROFILE_ID + "0"}}, 400, "invalidHeaders"),
    "unknown profile-id": ({"headers": {"profile-id": OTHER_PROFILE}}, 424, "notFound"),
    "empty if-match": ({"headers": {"if-match": ""}}, 400, "invalidHeaders"),
    "if-match of 33": ({"headers": {"if-match": "0" * 33}}, 400, "invalidHeaders"),
    "if-match of 32": ({"headers": {"if-match": "0" * 32}}, 412, "conflict"),
}


@pytest.mark.parametrize(("request_", "status", "kind"), REFUSED.values(), ids=REFUSED)
def test_refused(sandbox: Sandbox, caller: Caller, request_: dict[str, Any], status: int, kind: str) -> None:
    """A refusal has its status and type, and changes nothing."""
    response = caller.send(**request_)
    assert (response.status_code, error_type(response)) == (status, kind)
    assert sandbox.customer() == PAGE
    assert sandbox.received[0].status == status
    assert sandbox.received[0].reason == response.json()["errors"][0]["message"]


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
    ({"_links": {}, "metadata": None, "_embedded": 1}, ["_links", "metadata", "_embedded"]),
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


def test_every_answer_has_ids_of_its_own(sandbox: Sandbox, caller: Caller) -> None:
    """200, errors, 401 and faults carry both ids, never twice the same."""
    sandbox.fail(Fault(status=503))
    answers = [caller.get(), caller.get(), caller.get("/tms/v2/customers/A"), caller.get(claims={"iss": "x"})]
    assert [answer.status_code for answer in answers] == [503, 200, 404, 401]
    ids = [answer.headers[name] for answer in answers for name in ("v-c-correlation-id", "uniqueTransactionID")]
    assert len({*ids}) == 8


# Authentication

BAD_CLAIMS: dict[str, tuple[dict[str, object], str]] = {
    **{
        f"no {name}": ({name: ABSENT}, f"{name} is wrong")
        for name in claims_for("PATCH", PATH, "127.0.0.1", b"{}")
        if name not in ("iat", "exp", "jti")
    },
    "digest of another body": ({"digest": base64.b64encode(hashlib.sha256(b"").digest()).decode()}, "digest is wrong"),
    "digest in hex": ({"digest": hashlib.sha256(json.dumps(CHANGE).encode()).hexdigest()}, "digest is wrong"),
    "another algorithm": ({"digestAlgorithm": "SHA256"}, "digestAlgorithm is wrong"),
    "another method": ({"request-method": "get"}, "request-method is wrong"),
    "another host": ({"request-host": "proxy.example"}, "request-host is wrong"),
    "scheme in the host": ({"request-host": "http://127.0.0.1"}, "request-host is wrong"),
    "another path": ({"request-resource-path": PATH.lower()}, "request-resource-path is wrong"),
    "path without its slash": ({"request-resource-path": PATH[1:]}, "request-resource-path is wrong"),
    "another issuer": ({"iss": "other"}, "iss is wrong"),
    "another merchant": ({"v-c-merchant-id": "other"}, "v-c-merchant-id is wrong"),
    "version as a number": ({"v-c-jwt-version": 2}, "v-c-jwt-version is wrong"),
    "no iat": ({"iat": ABSENT}, "iat or exp is not an integer"),
    "no exp": ({"exp": ABSENT}, "iat or exp is not an integer"),
    "iat as text": ({"iat": "1"}, "iat or exp is not an integer"),
    "exp as a float": ({"exp": 2e9}, "iat or exp is not an integer"),
    "iat as a bool": ({"iat": True, "exp": 2}, "iat or exp is not an integer"),
    "no jti": ({"jti": ABSENT}, "jti is not a UUID v4"),
    "jti of version 1": ({"jti": str(uuid.uuid1())}, "jti is not a UUID v4"),
    "jti without hyphens": ({"jti": uuid.uuid4().hex}, "jti is not a UUID v4"),
}


def assert_unauthenticated(sandbox: Sandbox, response: httpx.Response, reason: str) -> None:
    """Check that the client learns nothing, that the sandbox knows why, and that nothing was applied."""
    assert (response.status_code, response.json()) == (401, {"response": {"rmsg": "Authentication Failed"}})
    received = sandbox.received[-1]
    assert (received.reason, received.claims, received.status) == (reason, {}, 401)
    assert sandbox.customer() == PAGE


@pytest.mark.parametrize(("claims", "reason"), BAD_CLAIMS.values(), ids=BAD_CLAIMS)
def test_bad_claims(sandbox: Sandbox, caller: Caller, claims: dict[str, object], reason: str) -> None:
    """Each claim that is wrong is enough for a 401."""
    assert_unauthenticated(sandbox, caller.send(claims=claims), reason)


TIMES = [
    (0, 120, ""),
    (0, 121, "exp is too far from iat"),
    (0, 0, "exp is too far from iat"),
    (0, -1, "exp is too far from iat"),
    (3, 60, ""),
    (30, 60, "iat is in the future"),
    (-60, 60, ""),
    (-60, -1, "exp is in the past"),
    (-86400, -86340, "exp is in the past"),
]


@pytest.mark.parametrize(("iat", "exp", "reason"), TIMES)
def test_times(sandbox: Sandbox, caller: Caller, iat: int, exp: int, reason: str) -> None:
    """A token lives for 1 to 120 seconds, now; its maker's clock may be slightly ahead."""
    now = int(time.time())
    response = caller.get(claims={"iat": now + iat, "exp": now + exp})
    assert (response.status_code, sandbox.received[0].reason) == (401 if reason else 200, reason)


GOOD_CLAIMS: dict[str, dict[str, object]] = {
    "jti in capitals": {"jti": str(uuid.uuid4()).upper()},
    "an unknown claim": {"unknown": "x"},
    "the method in capitals, as the Python SDK has it": {"request-method": "PATCH"},
    "the service's own host": {"request-host": "apitest.cybersource.com"},
}


@pytest.mark.parametrize("claims", GOOD_CLAIMS.values(), ids=GOOD_CLAIMS)
def test_good_claims(caller: Caller, claims: dict[str, object]) -> None:
    """What the service takes is taken, and claims that are not known are not looked at."""
    assert caller.send(claims=claims).status_code == 200


@pytest.mark.parametrize("claims", [{"digest": ""}, {"digest": None}, {"digestAlgorithm": "SHA-256"}], ids=str)
def test_no_body_no_digest(sandbox: Sandbox, caller: Caller, claims: dict[str, object]) -> None:
    """Without a body there is no digest claim at all, not even an empty one."""
    assert_unauthenticated(sandbox, caller.get(claims=claims), f"{next(iter(claims))} is wrong")


def test_query_is_part_of_the_path(sandbox: Sandbox, caller: Caller) -> None:
    """The resource path is the exact target that was sent."""
    response = caller.get(f"{PATH}?a=%20b", claims={"request-resource-path": PATH})
    assert_unauthenticated(sandbox, response, "request-resource-path is wrong")
    assert caller.get(f"{PATH}?a=%20b").status_code == 400
    assert sandbox.received[-1].path == f"{PATH}?a=%20b"


def test_host_is_the_host_header_without_its_port(caller: Caller) -> None:
    """The Host header counts, not the address; brackets and port are not part of it."""
    for header, host in {"[::1]:8080": "::1", "[::1]": "::1", "example.com:1": "example.com", "a.b": "a.b"}.items():
        assert caller.get(headers={"Host": header}, claims={"request-host": host}).status_code == 200


def test_jti_is_taken_once(sandbox: Sandbox, caller: Caller) -> None:
    """A token cannot be used again, not even in other letters; one that was refused did not use its jti up."""
    jti = str(uuid.uuid4())
    assert caller.get(claims={"jti": jti, "iss": "other"}).status_code == 401
    assert caller.get(claims={"jti": jti}).status_code == 200
    assert_unauthenticated(sandbox, caller.get(claims={"jti": jti}), "jti was seen before")
    assert_unauthenticated(sandbox, caller.get(claims={"jti": jti.upper()}), "jti was seen before")


def good_token() -> str:
    """Return a good token to read the page's customer."""
    return compact(claims_for("GET", PATH, "127.0.0.1", b""))


def with_header(**header: object) -> str:
    """Return a token whose header alone is wrong."""
    return compact(claims_for("GET", PATH, "127.0.0.1", b""), header)


def with_secret(secret: bytes) -> str:
    """Return a token that was signed with another key."""
    return compact(claims_for("GET", PATH, "127.0.0.1", b""), secret=base64.b64encode(secret).decode())


NO_JWS, NO_OBJECTS = "the token is not a compact JWS", "the token is not made of JSON objects"
BAD_TOKENS: dict[str, tuple[Callable[[], str], str]] = {
    "alg none": (lambda: with_header(alg="none").rpartition(".")[0] + ".", "alg is wrong"),
    "alg HS512": (lambda: with_header(alg="HS512"), "alg is wrong"),
    "alg in small letters": (lambda: with_header(alg="hs256"), "alg is wrong"),
    "no alg": (lambda: with_header(alg=ABSENT), "alg is wrong"),
    "typ JOSE": (lambda: with_header(typ="JOSE"), "typ is wrong"),
    "no typ": (lambda: with_header(typ=ABSENT), "typ is wrong"),
    "unknown kid": (lambda: with_header(kid=str(uuid.uuid4())), "kid is wrong"),
    "kid in a list": (lambda: with_header(kid=[KEY_ID]), "kid is wrong"),
    "no kid": (lambda: with_header(kid=ABSENT), "kid is wrong"),
    "another key": (lambda: with_secret(b"other"), "the signature is wrong"),
    "key not decoded": (lambda: with_secret(SECRET.encode()), "the signature is wrong"),
    "signature cut short": (lambda: good_token()[:-3], "the signature is wrong"),
    "signature of another token": (
        lambda: f"{good_token().rpartition('.')[0]}.{good_token().rpartition('.')[2]}",
        "the signature is wrong",
    ),
    "no signature": (lambda: good_token().rpartition(".")[0] + ".", "the signature is wrong"),
    "padded": (lambda: good_token() + "=", NO_JWS),
    "standard alphabet": (lambda: f"{part({})}.{part({})}.+/++", NO_JWS),
    "bits left over": (lambda: f"{part({})}.{part({})}.AB", NO_JWS),
    "not ASCII": (lambda: f"{part({})}.{part({})}.\u00e9", NO_JWS),
    "two parts": (lambda: good_token().rpartition(".")[0], NO_JWS),
    "four parts": (lambda: good_token() + ".AA", NO_JWS),
    "empty parts": (lambda: "..", NO_JWS),
    "header that is not JSON": (lambda: f"{part(b'x')}.{part({})}.AA", NO_JWS),
    "header that is a list": (lambda: f"{part([['alg', 'HS256']])}.{part({})}.AA", NO_OBJECTS),
    "claims that are a list": (lambda: compact([]), NO_OBJECTS),
}


@pytest.mark.parametrize(("token", "reason"), BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_bad_tokens(sandbox: Sandbox, caller: Caller, token: Callable[[], str], reason: str) -> None:
    """Each fault in the token's make is enough for a 401."""
    response = caller.http.get(PATH, headers=[(b"Authorization", f"Bearer {token()}".encode("latin-1"))])
    assert_unauthenticated(sandbox, response, reason)


def test_token_made_here_is_right(caller: Caller) -> None:
    """The tokens that the table above spoils are good ones."""
    assert caller.http.get(PATH, headers={"Authorization": f"Bearer {good_token()}"}).status_code == 200


@pytest.mark.parametrize(
    ("authorizations", "reason"),
    [
        ([], "Authorization is not there once"),
        (["Bearer {}", "Bearer {}"], "Authorization is not there once"),
        (["{}"], "Authorization is not Bearer"),
        (["Basic {}"], "Authorization is not Bearer"),
        (["bearer {}"], "Authorization is not Bearer"),
    ],
    ids=str,
)
def test_bad_authorization(sandbox: Sandbox, caller: Caller, authorizations: list[str], reason: str) -> None:
    """The token comes in one Authorization header, as a Bearer."""
    headers = [("Authorization", authorization.format(good_token())) for authorization in authorizations]
    assert_unauthenticated(sandbox, caller.http.get(PATH, headers=headers), reason)


@pytest.mark.parametrize("name", ["v-c-merchant-id", "Date", "Digest", "Signature"])
def test_headers_of_http_signature(sandbox: Sandbox, caller: Caller, name: str) -> None:
    """The two schemes are not mixed."""
    response = caller.get(headers={name: MERCHANT_ID})
    assert_unauthenticated(sandbox, response, f"{name.lower()} is a header of HTTP Signature")


def test_authentication_comes_first(sandbox: Sandbox, caller: Caller) -> None:
    """Who is not known learns nothing about tokens, profiles or fields."""
    response = caller.send(path="/tms/v2/customers/A", body=[], headers={"profile-id": "x"}, claims={"iss": "other"})
    assert_unauthenticated(sandbox, response, "iss is wrong")


# Faults


def test_fault_answers_instead(sandbox: Sandbox, caller: Caller) -> None:
    """A fault's status, body and headers are answered as they are, once, and nothing is applied."""
    sandbox.fail(Fault(520, b"<html>", {"Content-Type": "text/html", "Retry-After": "7"}), Fault(status=204))
    response = caller.send()
    assert (response.status_code, response.content, response.headers["retry-after"]) == (520, b"<html>", "7")
    assert response.headers["content-type"] == "text/html"
    assert caller.send().status_code == 204
    assert sandbox.customer() == PAGE
    assert caller.send().status_code == 200
    assert [received.status for received in sandbox.received] == [520, 204, 200]
    assert len({received.claims["jti"] for received in sandbox.received}) == 3


def test_fault_after_applying(sandbox: Sandbox, caller: Caller) -> None:
    """A fault can hide an update that was applied."""
    sandbox.fail(Fault(status=502, applied=True))
    assert caller.send().status_code == 502
    assert sandbox.customer()["buyerInformation"]["email"] == "new@example.com"


def test_fault_that_delays(sandbox: Sandbox, caller: Caller) -> None:
    """A request is served after its delay, and also when its client has gone."""
    sandbox.fail(Fault(delay=0.1), Fault(delay=0.15))
    start = time.monotonic()
    assert caller.send(body={}).status_code == 200
    assert time.monotonic() - start >= 0.1
    with pytest.raises(httpx.ReadTimeout):
        caller.http.request("PATCH", PATH, **signed(CHANGE), timeout=0.05)
    assert sandbox.customer() == PAGE
    wait_until(lambda: sandbox.customer() != PAGE)


def test_reset_drops_what_is_delayed(sandbox: Sandbox, caller: Caller) -> None:
    """A delayed request of before a reset changes nothing after it."""
    sandbox.fail(Fault(delay=0.1))
    with pytest.raises(httpx.ReadTimeout):
        caller.http.request("PATCH", PATH, **signed(CHANGE), timeout=0.03)
    [received] = sandbox.received
    sandbox.reset()
    time.sleep(0.15)
    assert (sandbox.customer(), received.status) == (PAGE, None)


def signed(body: object) -> dict[str, Any]:
    """Return the content and headers of a good PATCH of the page's customer."""
    content = json.dumps(body).encode()
    token = compact(claims_for("PATCH", PATH, "127.0.0.1", content))
    return {"content": content, "headers": {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}}


def wait_until(fact: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + 2
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.01)


CUTS = pytest.mark.parametrize(("cut", "applied"), [("before", False), ("after", True), ("middle", True)])


@CUTS
def test_fault_that_cuts(sandbox: Sandbox, caller: Caller, cut: Any, *, applied: bool) -> None:
    """The connection breaks; the update is applied or not, as the fault says; the next request is served."""
    sandbox.fail(Fault(cut=cut))
    got = cut_answer(caller.http)
    assert (sandbox.customer() != PAGE) is applied
    assert sandbox.received[0].status is None
    whole = caller.get()
    assert whole.status_code == 200
    assert got == (whole.content[: len(whole.content) // 2] if cut == "middle" else b"")


def cut_answer(http: httpx.Client) -> bytes:
    """Patch over a connection that will be cut, and return what came of the answer's body."""
    got = b""
    with suppress(httpx.RemoteProtocolError, httpx.ReadError), http.stream("PATCH", PATH, **signed(CHANGE)) as answer:
        for data in answer.iter_raw():
            got += data
        pytest.fail("the answer ended well")
    return got


def test_fault_over_http(sandbox: Sandbox, caller: Caller) -> None:
    """Faults can be set by hand, which forgets earlier ones, and so can a reset."""
    sandbox.fail(Fault(status=500))
    faults = [{"status": 429, "body": "é", "headers": {"Retry-After": "1"}}, {"cut": "before"}]
    assert caller.http.put("/sandbox/faults", json=faults).status_code == 204
    response = caller.send()
    assert (response.status_code, response.text, response.headers["retry-after"]) == (429, "é", "1")
    assert caller.http.post("/sandbox/reset").status_code == 204
    assert caller.send().status_code == 200
    assert len(sandbox.received) == 1


@pytest.mark.parametrize(
    "faults", [1, [1], [{"state": 1}], [{"status": 99}], [{"status": 600}], [{"cut": "x"}], [{"body": 1}]], ids=str
)
def test_wrong_fault_over_http(caller: Caller, faults: object) -> None:
    """What is not a list of faults is refused, and sets none."""
    response = caller.http.put("/sandbox/faults", json=faults)
    assert response.status_code == 400
    assert caller.get().status_code == 200


# Running


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority that nobody trusts yet."""
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> Path:
    """Return a PEM file with a key and a certificate for loopback."""
    path = tmp_path / "server.pem"
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


@CUTS
def test_tls(authority: trustme.CA, certificate: Path, cut: Any, *, applied: bool) -> None:
    """Over TLS it serves and cuts as without, and stops at once though a client keeps its connection."""
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    sandbox = Sandbox()
    with httpx.Client(verify=trust, trust_env=False) as http:
        with sandbox.running(certificate=certificate) as url:
            assert url.startswith("https://127.0.0.1:")
            http.base_url = httpx.URL(url)
            sandbox.fail(Fault(cut=cut))
            got = cut_answer(http)
            assert (bool(got), sandbox.customer() != PAGE) == (cut == "middle", applied)
            assert Caller(http).get().status_code == 200
            start = time.monotonic()
        assert time.monotonic() - start < 1


def test_tls_is_verified_by_the_client(certificate: Path) -> None:
    """The certificate is the given one: a client that does not trust its authority does not connect."""
    with Sandbox().running(certificate=certificate) as url, pytest.raises(httpx.ConnectError, match="CERTIFICATE"):
        httpx.get(url, trust_env=False)


def test_stopping_ends_delays() -> None:
    """A server stops at once, with idle connections and with requests that are delayed; these are applied."""
    sandbox = Sandbox()
    sandbox.fail(Fault(delay=60))
    with httpx.Client(trust_env=False) as http:
        with sandbox.running() as url:
            with pytest.raises(httpx.ReadTimeout):
                http.request("PATCH", url + PATH, **signed(CHANGE), timeout=0.05)
            http.get(url)
            start = time.monotonic()
        assert time.monotonic() - start < 1
    assert sandbox.customer() != PAGE


def test_ipv6() -> None:
    """It serves on the other loopback address too, where the bare host has no brackets."""
    with Sandbox().running(host="::1") as url, httpx.Client(base_url=url, trust_env=False) as http:
        assert url.startswith("http://[::1]:")
        assert Caller(http).get(claims={"request-host": "::1"}).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com"])
def test_only_loopback(host: str) -> None:
    """No other address is served on."""
    with pytest.raises(ValueError, match=re.escape(host)), Sandbox().running(host=host):
        pass


def test_own_failures_are_seen(caplog: pytest.LogCaptureFixture) -> None:
    """What breaks in the sandbox is answered, logged, and raised at the end."""
    sandbox = Sandbox()
    sandbox.customers[PAGE_CUSTOMER_ID].customer["id"] = object()
    with pytest.raises(ExceptionGroup) as caught, sandbox.running() as url:  # noqa: PT012 - its end raises
        with httpx.Client(base_url=url, trust_env=False) as http:
            response = Caller(http).get()
        assert (response.status_code, "not JSON serializable" in response.text) == (500, True)
    assert caught.group_contains(TypeError, match="not JSON serializable")
    assert "Traceback" in caplog.text


def test_script_prints_what_to_use_and_ends_at_ctrl_c() -> None:
    """Run by hand, it prints a shell's exports, serves, and ends quietly."""
    command = [sys.executable, "-W", "error", str(SCRIPT), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(4)]
        url = printed[0].split()[1]
        assert PAGE_CUSTOMER_ID in printed[0]
        assert printed[1:] == [
            f"export CYBERSOURCE_MERCHANT_ID={MERCHANT_ID}\n",
            f"export CYBERSOURCE_KEY_ID={KEY_ID}\n",
            f"export CYBERSOURCE_SECRET_KEY={SECRET}\n",
        ]
        with httpx.Client(base_url=url, trust_env=False) as http:
            assert Caller(http).get().json() == PAGE
        process.send_signal(signal.SIGINT)
        assert (process.wait(timeout=5), *process.communicate()) == (0, "", "")


def test_it_stands_apart() -> None:
    """It loads neither the client library nor the library that makes the client's tokens."""
    code = "import json, sys, sandbox; print(json.dumps([*sys.modules]))"
    environment = os.environ | {"PYTHONPATH": str(SCRIPT.parent)}
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    assert not {"cybersource_tms", "cybersource_tms_api", "joserfc"} & {*json.loads(printed)}
