"""The sandbox keeps the service's rules: customers, merge patches, ETags, refusals. Called with plain httpx."""

import copy
import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, PROFILE_ID, Sandbox
from cybersource_tms_sandbox._customers import merge
from support.caller import ARRAY, CHANGE, CHANGED, DOCUMENTED, FIELD, FIELDS, GROUP, PAGE, PATH, TEXTS, Caller, nested
from support.merge import merge as rfc_7396


def error_of(response: httpx.Response) -> dict[str, Any]:
    """Return the one error, once the response has the service's shape."""
    assert response.headers["content-type"] == "application/json;charset=utf-8"
    assert "etag" not in response.headers
    [error] = response.json()["errors"]
    assert isinstance(error["message"], str)
    return dict(error)


# Serving


def test_get_returns_the_pages_customer(sandbox: Sandbox, caller: Caller) -> None:
    """The customer is the spec's example, whose id is the public one, with its ETag."""
    response = caller.get()
    assert (response.status_code, response.json(), PAGE["id"]) == (200, PAGE, PAGE_CUSTOMER_ID)
    assert response.headers["content-type"] == "application/json;charset=utf-8"
    assert response.headers["etag"] == sandbox.etag()
    assert re.fullmatch("[!-~]{1,32}", response.headers["etag"])


def test_patch_returns_the_whole_changed_customer(sandbox: Sandbox, caller: Caller) -> None:
    """What was not sent stays; the response is the state that is kept; the request is kept as it was sent."""
    response = caller.send(headers={"X-Extra": "1"})
    assert (response.status_code, response.json()) == (200, CHANGED)
    assert response.headers["etag"] == sandbox.etag()
    [received] = sandbox.received
    assert (received.method, received.path, received.status, received.reason) == ("PATCH", PATH, 200, "")
    assert (json.loads(received.body), received.headers["x-extra"]) == (CHANGE, "1")
    assert received.claims["request-resource-path"] == PATH
    assert sandbox.customer() == response.json() == caller.get().json() != PAGE


def test_null_removes_and_arrays_are_replaced(caller: Caller) -> None:
    """A field, a group and the entries of an array go, and what the service alone writes stays."""
    rest = {name: value for name, value in PAGE[GROUP].items() if name != FIELD}
    assert caller.send(body={GROUP: {FIELD: None}}).json() == PAGE | {GROUP: rest}
    assert caller.send(body={GROUP: None, ARRAY: []}).json() == {
        name: [] if name == ARRAY else value for name, value in PAGE.items() if name != GROUP
    }


def test_ids_are_case_insensitive_and_decoded(caller: Caller) -> None:
    """The id in a path may be in any case and percent-encoded; one that nobody has is not found, whatever it holds."""
    for spelling in (PAGE_CUSTOMER_ID.lower(), PAGE_CUSTOMER_ID.replace("F2", "%46%32", 1)):
        assert caller.get(f"/tms/v2/customers/{spelling}").json()["id"] == PAGE_CUSTOMER_ID
    for odd in ("%0A", "A%0D%0AB", "%2F", "%00", "%C3%28", "A" * 33):
        response = caller.get(f"/tms/v2/customers/{odd}")
        assert (odd, response.status_code, error_of(response)["type"]) == (odd, 404, "notFound")


def test_several_customers(sandbox: Sandbox, caller: Caller) -> None:
    """Customers are added beside the page's, each with its own state, and read as `sandbox[id]`."""
    sandbox.add({"id": "A1", GROUP: {FIELD: "one"}})
    sandbox.add({"id": "B2"})
    caller.send(path="/tms/v2/customers/a1")
    assert sandbox["A1"] == sandbox["a1"] == {"id": "A1", **CHANGE}
    assert sandbox["B2"] == {"id": "B2"}
    assert sandbox[PAGE_CUSTOMER_ID] == PAGE
    assert len({sandbox.etag("A1"), sandbox.etag("B2"), sandbox.etag()}) == 3
    with pytest.raises(KeyError):
        sandbox["C3"]


def test_nothing_that_is_handed_in_or_out_is_state(sandbox: Sandbox, caller: Caller) -> None:
    """A test may change what it gave and what it got: customers, patches, requests and responses."""
    given: dict[str, Any] = {"id": "A", "_embedded": {"kept": [1]}}
    patch: dict[str, Any] = {"_embedded": {"more": [1]}}
    sandbox.put(given)
    sandbox.change(patch, "A")
    etag = sandbox.etag("A")
    got, served = sandbox["A"], caller.get("/tms/v2/customers/A")
    before = copy.deepcopy(got)
    for each in (given, patch, got, served.json(), sandbox.received[0].claims):
        each.setdefault("_embedded", {}).setdefault("kept", []).append(2)
        each["_embedded"].setdefault("more", []).append(2)
    sandbox.received[0].plain = b"{}"
    assert sandbox["A"] == caller.get("/tms/v2/customers/A").json() == before
    assert sandbox.etag("A") == etag


KNOWN = PAGE_CUSTOMER_ID.lower()
IMPOSSIBLE: dict[str, tuple[Callable[[Sandbox], object], str]] = {
    "a customer who is there": (lambda it: it.add({"id": KNOWN}), f"there is already a customer {KNOWN}"),
    "a customer without an id": (lambda it: it.add({}), "a customer needs an id"),
    "an id that is no text": (lambda it: it.add({"id": 1}), "a customer needs an id"),
    "NaN in a customer": (lambda it: it.add({"id": "A", "_embedded": float("nan")}), "JSON"),
    "an object in a customer": (lambda it: it.add({"id": "A", "_embedded": object()}), "JSON"),
    "no form of an ETag": (lambda _: Sandbox(etag_format=""), "etag_format"),
    "always the same ETag": (lambda _: Sandbox(etag_format="etag"), "etag_format"),
    "an ETag twice": (lambda _: Sandbox(etag_format="{}{}"), "etag_format"),
    "an ETag that if-match cannot hold": (lambda _: Sandbox(etag_format='weak W/"{}"'), "etag_format"),
    "a credential": (lambda _: Sandbox(credential="pem"), "credential is 'pem', not one of secret, p12$"),  # type: ignore[arg-type]
    "encryption": (
        lambda _: Sandbox(encryption="pem"),  # type: ignore[arg-type]
        "encryption is 'pem', not one of off, request, response, both$",
    ),
    "each address": (lambda it: it.running(host="0.0.0.0").__enter__(), "on loopback only, not on 0.0.0.0"),
    "another machine": (lambda it: it.running(host="example.com").__enter__(), "on loopback only, not on example.com"),
}


@pytest.mark.parametrize(("do", "problem"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_cannot_be_asked_of_it(sandbox: Sandbox, do: Callable[[Sandbox], object], problem: str) -> None:
    """It is refused where it is asked, and the error says why."""
    with pytest.raises((ValueError, TypeError), match=problem):
        do(sandbox)
    assert sandbox.customer() == PAGE


def test_change_is_somebody_elses(sandbox: Sandbox, caller: Caller) -> None:
    """A test can act as another client: the patch is merged, the ETag moves, and nothing was received."""
    read = caller.get()
    sandbox.change({GROUP: None})
    assert GROUP not in sandbox.customer()
    assert caller.send(headers={"if-match": read.headers["etag"]}).status_code == 412
    assert caller.get(headers={"if-match": read.headers["etag"]}).status_code == 200
    etag = sandbox.etag()
    sandbox.change({GROUP: None})
    assert (sandbox.etag(), len(sandbox.received)) == (etag, 3)


def test_reset_goes_back_to_the_initial_state() -> None:
    """After a reset the customers are those of the beginning, apart from their ETags, and no fault is left."""
    sandbox = Sandbox(customers=[{"id": "A"}, {"id": PAGE_CUSTOMER_ID.lower()}])
    before = sandbox.etag()
    sandbox.put({"id": "B"})
    sandbox.change({GROUP: {}}, "A")
    sandbox.delete("A")
    sandbox.profiles.add("x")
    sandbox.requires_encryption = True
    sandbox.fail(500)
    with httpx.Client(transport=sandbox.transport, base_url="http://127.0.0.1") as http:
        assert Caller(http).get().status_code == 500
        sandbox.fail(500)
        sandbox.reset()
        assert (sandbox["A"], sandbox.customer(), sandbox.received) == ({"id": "A"}, {"id": PAGE["id"].lower()}, [])
        assert (sandbox.profiles, sandbox.requires_encryption) == ({PROFILE_ID}, False)
        assert sandbox.etag() != before
        assert [Caller(http).get(f"/tms/v2/customers/{each}").status_code for each in "AB"] == [200, 404]


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner),
)


@given(JSON, JSON)
def test_merge_is_that_of_rfc_7396(target: Any, patch: Any) -> None:
    """It agrees with the tests' own merge, which the RFC's examples hold, and changes neither argument."""
    before = copy.deepcopy((target, patch))
    assert merge(target, patch) == rfc_7396(target, patch)
    assert (target, patch) == before


# ETag


def test_etag_moves_with_the_state(sandbox: Sandbox, caller: Caller) -> None:
    """Each change brings an ETag never seen before, even a change back; no change brings none."""
    back = {GROUP: {FIELD: PAGE[GROUP][FIELD]}}
    etags = [sandbox.etag()] + [caller.send(body=body).headers["etag"] for body in (CHANGE, CHANGE, back, {})]
    assert etags[1] == etags[2]
    assert etags[3] == etags[4]
    assert len({*etags}) == 3


def test_values_are_compared_as_json(sandbox: Sandbox) -> None:
    """A true is not a 1, and the order of names is nothing."""
    sandbox.put({"id": "A", "x": [{"a": 1, "b": 2}]})
    etags = [sandbox.etag("A")]
    for entry in ({"b": 2, "a": 1}, {"a": True, "b": 2}, {"a": 1, "b": 2}):
        sandbox.change({"x": [entry]}, "A")
        etags.append(sandbox.etag("A"))
    assert (etags[0] == etags[1], len({*etags})) == (True, 3)


@pytest.mark.parametrize("form", ['W/"{}"', '"{}"', "{}"])
def test_forms_of_etags(form: str) -> None:
    """ETags can be quoted or weak; if-match has to be the very characters."""
    sandbox = Sandbox(etag_format=form)
    with httpx.Client(transport=sandbox.transport, base_url="http://127.0.0.1") as http:
        caller = Caller(http)
        etag = caller.send().headers["etag"]
        assert (etag.startswith(form.partition("{")[0]), len(etag) <= 32) == (True, True)
        assert sandbox.etag() == etag
        for other in {etag.removeprefix("W/"), etag.strip('"'), f'"{etag}"', etag.upper()} - {etag}:
            assert caller.send(headers={"if-match": other[:32]}).status_code == 412
        assert caller.send(headers={"if-match": etag}).status_code == 200


# Refusals

FORBIDDEN_PROFILE = str(uuid.uuid4())
TITLE = json.dumps(nested((GROUP, FIELD), "?")).encode()
REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "no such token": ({"path": "/tms/v2/customers/A"}, 404, "notFound"),
    "no such path": ({"path": "/tms/v1/customers"}, 404, "notFound"),
    "no such method": ({"method": "DELETE", "body": b""}, 405, "methodNotAllowed"),
    "a query": ({"path": f"{PATH}?a=b"}, 400, "invalidParameters"),
    "deleted": ({"path": "/tms/v2/customers/gone"}, 410, "notAvailable"),
    "no JSON": ({"body": b"{"}, 400, "invalidRequest"),
    "not UTF-8": ({"body": TITLE.replace(b"?", b"\xff")}, 400, "invalidRequest"),
    "half a surrogate pair": ({"body": TITLE.replace(b"?", b"\\ud800")}, 400, "invalidRequest"),
    "JSON of Python's own": ({"body": TITLE.replace(b'"?"', b"NaN")}, 400, "invalidRequest"),
    "a number that is infinite": ({"body": TITLE.replace(b'"?"', b"1e999")}, 400, "invalidRequest"),
    "nested too deep": ({"body": b"[" * 100_000}, 400, "invalidRequest"),
    "no object": ({"body": []}, 400, "invalidRequest"),
    "another content type": ({"headers": {"Content-Type": "application/merge-patch+json"}}, 400, "invalidHeaders"),
    "no content type": ({"headers": {"Content-Type": ""}}, 400, "invalidHeaders"),
    "profile-id of 35": ({"headers": {"profile-id": PROFILE_ID[1:]}}, 400, "invalidHeaders"),
    "profile-id of 37": ({"headers": {"profile-id": PROFILE_ID + "0"}}, 400, "invalidHeaders"),
    "unknown profile-id": ({"headers": {"profile-id": str(uuid.uuid4())}}, 424, "notFound"),
    "forbidden profile-id": ({"headers": {"profile-id": FORBIDDEN_PROFILE}}, 403, "forbidden"),
    "empty if-match": ({"headers": {"if-match": ""}}, 400, "invalidHeaders"),
    "if-match of 257": ({"headers": {"if-match": "0" * 257}}, 400, "invalidHeaders"),
    "if-match of 32": ({"headers": {"if-match": "0" * 32}}, 412, "conflict"),
}


@pytest.mark.parametrize(("request_", "status", "kind"), REFUSED.values(), ids=REFUSED)
def test_refused(sandbox: Sandbox, caller: Caller, request_: dict[str, Any], status: int, kind: str) -> None:
    """A refusal has its status and its type, in the words of the spec's example, and changes nothing."""
    sandbox.forbidden_profiles.add(FORBIDDEN_PROFILE)
    sandbox.add({"id": "gone"})
    sandbox.delete("gone")
    response = caller.send(**request_)
    error = error_of(response)
    if kind == "invalidHeaders":  # the service names the header, and does not say where it stands
        assert error["details"] == [{"name": name} for name in request_["headers"]]
    assert (response.status_code, error["type"]) == (status, kind)
    if kind not in ("methodNotAllowed", "invalidParameters", "invalidHeaders"):  # which have no example
        [example] = DOCUMENTED[status][1]["example"]["errors"]
        assert error == {"type": example["type"], "message": example["message"]}
    assert sandbox.customer() == PAGE
    assert (sandbox.received[0].status, sandbox.received[0].reason != "") == (status, True)


def test_what_is_taken(caller: Caller) -> None:
    """A method that is not allowed names those that are; parameters may follow a media type; a profile may be known."""
    assert caller.send("PUT").headers["allow"] == "GET, PATCH"  # RFC 9110 section 15.5.6
    for content_type in ("application/json", "application/json;charset=utf-8", "Application/JSON ; a=b"):
        assert caller.send(headers={"Content-Type": content_type, "profile-id": PROFILE_ID}).status_code == 200


WRONG_FIELDS: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    *(({name: PAGE[name]}, [(name, f"/{name}")]) for name in PAGE if name not in {steps[0] for steps in FIELDS}),
    ({"~/": None, "_embedded": 1}, [("_embedded", "/_embedded"), ("~/", "/~0~1")]),
    ({GROUP.upper(): {}}, [(GROUP.upper(), f"/{GROUP.upper()}")]),
    (
        {GROUP: {FIELD: "x", FIELD.upper(): None, "1": 0}},
        [("1", f"/{GROUP}/1"), (FIELD.upper(), f"/{GROUP}/{FIELD.upper()}")],
    ),
    ({GROUP: "x"}, [(GROUP, f"/{GROUP}")]),
    ({GROUP: {FIELD: True}}, [(FIELD, f"/{GROUP}/{FIELD}")]),
    ({ARRAY: {}}, [(ARRAY, f"/{ARRAY}")]),
    ({ARRAY: ["x", {}, None]}, [(ARRAY, f"/{ARRAY}/0"), (ARRAY, f"/{ARRAY}/2")]),
    ({ARRAY: [{}, {"unknown": "x"}]}, [("unknown", f"/{ARRAY}/1/unknown")]),
]


@pytest.mark.parametrize(("body", "fields"), WRONG_FIELDS, ids=lambda value: json.dumps(value)[:80])
def test_wrong_fields(sandbox: Sandbox, caller: Caller, body: dict[str, Any], fields: list[tuple[str, str]]) -> None:
    """Each field that is unknown, not writable or of a wrong type has its bare name and its place; nothing changes."""
    response = caller.send(body=body)
    assert (response.status_code, error_of(response)["type"]) == (400, "invalidFields")
    assert error_of(response)["details"] == [{"name": name, "location": location} for name, location in fields]
    assert all(location in sandbox.received[0].reason for _, location in fields)
    assert sandbox.customer() == PAGE


@pytest.mark.parametrize("steps", [each for each in TEXTS if "maxLength" in TEXTS[each]], ids=str)
def test_limits(caller: Caller, steps: tuple[Any, ...]) -> None:
    """A value of the limit's length in characters is taken, one more is not; a line break is a character."""
    location, limit = "".join(f"/{step}" for step in steps), TEXTS[steps]["maxLength"]
    assert location not in caller.send(body=nested(steps, "é" * (limit - 1) + "\n")).text
    assert f'"location": "{location}"' in caller.send(body=nested(steps, "x" * (limit + 1))).text
