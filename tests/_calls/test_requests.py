"""What a caller gives: whatever is wrong is refused by name before anything is sent, and what is right goes out."""

import itertools
import json
import math
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cybersource_tms import (
    UNSET,
    BuyerInformation,
    ClientReferenceInformation,
    Customer,
    CustomerUpdate,
    MerchantDefinedInformation,
    SharedSecretAuth,
    _version,
)
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, PROFILE_ID, SECRET, Sandbox
from support.clients import EMAIL, NEW_EMAIL, Clients
from support.fixed_response import FixedResponse
from support.merge import REMOVED

if TYPE_CHECKING:
    from collections.abc import Callable


VARIABLES = {
    "CYBERSOURCE_MERCHANT_ID": MERCHANT_ID,
    "CYBERSOURCE_KEY_ID": KEY_ID,
    "CYBERSOURCE_SECRET_KEY": SECRET,
}


def assert_refused(clients: Clients, transport: FixedResponse, culprit: str, *arguments: Any, **options: Any) -> str:
    """Return the message of an update that is refused by name, and of which nothing was sent."""
    with pytest.raises(InvalidRequest, match=rf"^{culprit}\b") as caught:
        clients.open(transport=transport).update(*arguments, **options)
    assert transport.requests == []
    assert caught.value.may_have_been_applied is False
    return str(caught.value)


# The customer's id

BAD_IDS: dict[str, Any] = {
    "empty": "",
    "33 characters": "F" * 33,
    "parent": "..",
    "here": ".",
    "slash": "a/b",
    "backslash": "a\\b",
    "dot inside": "secret.a",
    "blank inside": "a b",
    "blank before": " secret",
    "blank after": "secret ",
    "line break after": "secret\n",
    "carriage return": "secret\r",
    "NUL": "secret\0",
    "escape": "a%2Fb",
    "query": "a?b",
    "fragment": "a#b",
    "letter that is not ASCII": "sécret",
    "digit that is not ASCII": "secret\u0663",
    "full-width letter": "secret\uff21",
    "combining mark": "secrete\u0301",
    "lone surrogate": "secret\ud800",
    "bytes": b"secret",
    "number": 424242,
    "none": None,
    "true": True,
    "list": ["secret"],
    "unset": UNSET,
}


@pytest.mark.parametrize("customer_id", BAD_IDS.values(), ids=BAD_IDS)
def test_bad_customer_id(clients: Clients, customer_id: Any) -> None:
    """Nothing but 1 to 32 characters of the service's own ids gets into a path."""
    message = assert_refused(clients, FixedResponse(), "customer_id", customer_id, NEW_EMAIL)
    assert "secret" not in message
    assert "424242" not in message


@pytest.mark.parametrize("customer_id", ["a", "_", "-", "F" * 32, PAGE_CUSTOMER_ID, PAGE_CUSTOMER_ID.lower(), "a-B_9"])
def test_good_customer_id(clients: Clients, customer_id: str) -> None:
    """1 to 32 of these characters are sent as they are."""
    transport = FixedResponse(body=json.dumps({"id": customer_id}).encode())
    clients.open(transport=transport).update(customer_id, NEW_EMAIL)
    assert transport.requests[0].url.raw_path == b"/tms/v2/customers/" + customer_id.encode()


# The update


def with_extra(model: Any, name: str, value: object) -> Any:
    """Return a model with a field of which the spec knows nothing."""
    model[name] = value
    return model


def buyer(**fields: Any) -> CustomerUpdate:
    """Return an update of the buyer."""
    return CustomerUpdate(buyer_information=BuyerInformation(**fields))


def entries(value: Any) -> CustomerUpdate:
    """Return an update of the merchant's own data."""
    return CustomerUpdate(merchant_defined_information=value)


def endless() -> CustomerUpdate:
    """Return an update that holds itself."""
    loop: dict[str, Any] = {}
    loop["buyerInformation"] = loop
    return with_extra(CustomerUpdate(), "buyerInformation", loop)  # type: ignore[no-any-return]


EMPTY = {
    "no field": CustomerUpdate(),
    "an empty group": CustomerUpdate(buyer_information=BuyerInformation()),
    "all groups empty": CustomerUpdate(
        buyer_information=BuyerInformation(), client_reference_information=ClientReferenceInformation()
    ),
}

NO_UPDATES: dict[str, Any] = {
    "a customer": Customer(id="A", buyer_information=BuyerInformation(email=EMAIL)),
    "a mapping": {"buyerInformation": {"email": EMAIL}},
    "none": None,
    "unset": UNSET,
    "text": EMAIL,
    "a group": BuyerInformation(email=EMAIL),
    "the class": CustomerUpdate,
    "a list": [NEW_EMAIL],
}

WRONG: dict[str, tuple[str, Any]] = {
    "number for text": ("buyerInformation.email", lambda: buyer(email=424242)),
    "true for text": ("buyerInformation.email", lambda: buyer(email=True)),
    "bytes for text": ("buyerInformation.email", lambda: buyer(email=EMAIL.encode())),
    "list for text": ("buyerInformation.email", lambda: buyer(email=[EMAIL])),
    "NaN for text": ("buyerInformation.email", lambda: buyer(email=math.nan)),
    "object for text": ("buyerInformation.merchantCustomerID", lambda: buyer(merchant_customer_id=object())),
    "text for a group": ("buyerInformation", lambda: CustomerUpdate(buyer_information=EMAIL)),  # type: ignore[arg-type]
    "mapping for a group": (
        "buyerInformation",
        lambda: CustomerUpdate(buyer_information={"email": EMAIL}),  # type: ignore[arg-type]
    ),
    "another group": (
        "buyerInformation",
        lambda: CustomerUpdate(buyer_information=ClientReferenceInformation(code=EMAIL)),  # type: ignore[arg-type]
    ),
    "text for a list": ("merchantDefinedInformation", lambda: entries(EMAIL)),
    "entry for a list": ("merchantDefinedInformation", lambda: entries(MerchantDefinedInformation(name="data1"))),
    "tuple for a list": ("merchantDefinedInformation", lambda: entries((MerchantDefinedInformation(name="data1"),))),
    "text for an entry": ("merchantDefinedInformation[0]", lambda: entries([EMAIL])),
    "none for an entry": (
        "merchantDefinedInformation[1]",
        lambda: entries([MerchantDefinedInformation(name="data1", value=EMAIL), None]),
    ),
    "mapping for an entry": ("merchantDefinedInformation[0]", lambda: entries([{"name": "data1", "value": EMAIL}])),
    "none in an entry": (
        "merchantDefinedInformation[0].value",
        lambda: entries([MerchantDefinedInformation(name="data1", value=None)]),  # type: ignore[arg-type]
    ),
    "number in an entry": (
        "merchantDefinedInformation[1].value",
        lambda: entries([MerchantDefinedInformation(), MerchantDefinedInformation(value=424242)]),  # type: ignore[arg-type]
    ),
    "misspelt field": ("buyerInformtion", lambda: with_extra(CustomerUpdate(), "buyerInformtion", {})),
    "misspelt field beside a right one": (
        "buyerInformtion",
        lambda: with_extra(buyer(email=EMAIL), "buyerInformtion", {}),
    ),
    "misspelt field in a group": (
        "buyerInformation.merchantCustomerId",
        lambda: CustomerUpdate(buyer_information=with_extra(BuyerInformation(), "merchantCustomerId", EMAIL)),
    ),
    "misspelt field in an entry": (
        "merchantDefinedInformation[0].nme",
        lambda: entries([with_extra(MerchantDefinedInformation(name="data1"), "nme", EMAIL)]),
    ),
    "field that only the service writes": ("id", lambda: with_extra(buyer(email=EMAIL), "id", EMAIL)),
    "right name, wrong value": ("buyerInformation", lambda: with_extra(CustomerUpdate(), "buyerInformation", EMAIL)),
    "lone surrogate": ("buyerInformation.email", lambda: buyer(email=f"{EMAIL}\ud800")),
    "lone surrogate in an entry": (
        "merchantDefinedInformation[0].value",
        lambda: entries([MerchantDefinedInformation(value="\udfff")]),
    ),
    "lone surrogate in a name": ("", lambda: with_extra(buyer(email=EMAIL), "\ud800", {})),
    "name that is a number": ("", lambda: with_extra(buyer(email=EMAIL), 424242, {})),  # type: ignore[arg-type]
    "an update in itself": ("buyerInformation", endless),
}


@pytest.mark.parametrize("changes", EMPTY.values(), ids=EMPTY)
def test_an_update_that_changes_nothing(clients: Clients, changes: CustomerUpdate) -> None:
    """An update without a field is refused: somebody meant to change something."""
    assert "no field" in assert_refused(clients, FixedResponse(), "changes", PAGE_CUSTOMER_ID, changes)


@pytest.mark.parametrize("changes", NO_UPDATES.values(), ids=NO_UPDATES)
def test_what_is_no_update(clients: Clients, changes: Any) -> None:
    """A whole customer or a mapping is no update: `changed_fields` makes one of them."""
    message = assert_refused(clients, FixedResponse(), "changes", PAGE_CUSTOMER_ID, changes)
    assert "CustomerUpdate" in message
    assert EMAIL not in message


@pytest.mark.parametrize(("path", "make"), WRONG.values(), ids=WRONG)
def test_something_wrong_in_an_update(clients: Clients, path: str, make: "Callable[[], CustomerUpdate]") -> None:
    """A field of a wrong type, or that there is not, is refused by its path on the wire; its value is not quoted."""
    message = assert_refused(clients, FixedResponse(), "changes", PAGE_CUSTOMER_ID, make())
    assert message.startswith(f"changes: {path}")
    assert path == "" or not message.removeprefix(f"changes: {path}")[0].isalnum()
    assert EMAIL not in message
    assert "424242" not in message or path == ""


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        (NEW_EMAIL, b'{"buyerInformation":{"email":"jane.roe@example.com"}}'),
        (buyer(email=REMOVED), b'{"buyerInformation":{"email":null}}'),
        (CustomerUpdate(client_reference_information=REMOVED), b'{"clientReferenceInformation":null}'),
        (entries([]), b'{"merchantDefinedInformation":[]}'),
        (entries(REMOVED), b'{"merchantDefinedInformation":null}'),
        (
            entries([MerchantDefinedInformation("data1", "")]),
            b'{"merchantDefinedInformation":[{"name":"data1","value":""}]}',
        ),
        (buyer(email="", merchant_customer_id="é\U0001f600"), None),
    ],
    ids=["text", "null", "null for a group", "empty list", "null for a list", "entry", "not ASCII"],
)
def test_good_updates(clients: Clients, changes: CustomerUpdate, body: bytes | None) -> None:
    """What is set goes out and nothing else; null and an empty list are something."""
    transport = FixedResponse()
    clients.open(transport=transport).update(PAGE_CUSTOMER_ID, changes)
    sent = transport.requests[0].content
    expected = '{"buyerInformation":{"merchantCustomerID":"é\U0001f600","email":""}}'.encode()
    assert sent == (expected if body is None else body)


# Headers

BAD_HEADER_VALUES: dict[str, Any] = {
    "line break after": "{}\n",
    "carriage return after": "{}\r",
    "line break before": "\n{}",
    "blank before": " {}",
    "blank after": "{} ",
    "tab after": "{}\t",
    "NUL": "{}\0",
    "DEL": "{}\x7f",
    "not ASCII": "{}é",
    "digit that is not ASCII": "{}\u0663",
    "lone surrogate": "{}\ud800",
}


def header_values(length: int) -> dict[str, Any]:
    """Return wrong values of a header, of a length that is right."""
    values = {name: form.format("secret".ljust(length - 1, "x")) for name, form in BAD_HEADER_VALUES.items()}
    assert {len(value) for value in values.values()} == {length}
    return values | {"empty": "", "bytes": b"secret".ljust(length), "number": 424242, "true": True, "unset": UNSET}


BAD_IF_MATCH = header_values(256) | {
    "257 characters": "secret".ljust(257, "x"),
    "injected": "secret\r\nX: y",
    "blank": " ",
}
BAD_PROFILE_ID = header_values(36) | {"35 characters": PROFILE_ID[:-1], "37 characters": PROFILE_ID + "x"}


@pytest.mark.parametrize("if_match", BAD_IF_MATCH.values(), ids=BAD_IF_MATCH)
def test_bad_if_match(clients: Clients, if_match: Any) -> None:
    """An ETag is 1 to 256 characters that a header can carry."""
    message = assert_refused(clients, FixedResponse(), "if_match", PAGE_CUSTOMER_ID, NEW_EMAIL, if_match=if_match)
    assert "secret" not in message
    assert "424242" not in message


@pytest.mark.parametrize("profile_id", BAD_PROFILE_ID.values(), ids=BAD_PROFILE_ID)
def test_bad_profile_id(clients: Clients, profile_id: Any) -> None:
    """A profile's id has exactly 36 characters; a wrong one is refused when the client is made."""
    with pytest.raises(InvalidRequest, match=r"^profile_id\b") as caught:
        clients.open(profile_id=profile_id)
    assert "secret" not in str(caught.value)
    assert PROFILE_ID[:-1] not in str(caught.value)


@pytest.mark.parametrize("if_match", ["x", "x" * 256, '"quoted"', 'W/"weak"', "*", "a b"])
def test_good_headers(clients: Clients, if_match: str) -> None:
    """An ETag and a profile's id are sent unchanged."""
    transport = FixedResponse()
    clients.open(transport=transport, profile_id=PROFILE_ID).update(PAGE_CUSTOMER_ID, NEW_EMAIL, if_match=if_match)
    headers = transport.requests[0].headers
    assert (headers.get_list("if-match"), headers.get_list("profile-id")) == ([if_match], [PROFILE_ID])


def test_the_headers_of_every_request(clients: Clients) -> None:
    """It says who calls and what it sends and wants; what was not given is not there."""
    transport = FixedResponse()
    clients.open(transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    headers = transport.requests[0].headers
    assert headers["User-Agent"] == f"cybersource-tms/{_version.__version__}"
    assert headers.get_list("Content-Type") == ["application/json;charset=utf-8"]
    assert headers["Accept"].startswith("application/json")
    assert headers["Authorization"].startswith("Bearer ")
    assert not {"if-match", "profile-id", "cookie", "v-c-merchant-id", "date", "digest"} & set(headers)


# Settings

BAD_TIMEOUTS: dict[str, Any] = {
    "none": None,
    "0": 0,
    "0.0": 0.0,
    "below 0": -1,
    "NaN": math.nan,
    "infinite": math.inf,
    "infinite below 0": -math.inf,
    "text": "5",
    "true": True,
    "tuple": (1.0, 1.0, 1.0, 1.0),
    "complex": 1j,
    "no limit": httpx.Timeout(None),
    "no limit to read": httpx.Timeout(5, read=None),
    "no limit to connect": httpx.Timeout(5, connect=None),
    "no limit to write": httpx.Timeout(5, write=None),
    "no limit to the pool": httpx.Timeout(5, pool=None),
    "0 to connect": httpx.Timeout(5, connect=0),
    "infinite to write": httpx.Timeout(5, write=math.inf),
    "NaN for the pool": httpx.Timeout(5, pool=math.nan),
}


@pytest.mark.parametrize("timeout", BAD_TIMEOUTS.values(), ids=BAD_TIMEOUTS)
def test_bad_timeout(clients: Clients, timeout: Any) -> None:
    """Nothing waits for ever, and nothing is given up before it began."""
    with pytest.raises(InvalidRequest, match=r"^timeout\b"):
        clients.open(timeout=timeout)


@pytest.mark.parametrize("timeout", [1e10, 1e300, 10**400], ids=["300 years", "1e300", "10**400"])
def test_a_very_long_timeout(clients: Clients, url: str, timeout: float) -> None:
    """A number of seconds that the system cannot count is refused by name, or works; nothing foreign comes out."""
    try:
        record = clients.open(base_url=url, timeout=timeout).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    except InvalidRequest as error:
        assert str(error).startswith("timeout")  # noqa: PT017 - both ends are right
    else:
        assert record.customer.id == PAGE_CUSTOMER_ID


LIMITS = {"connect": 1.0, "read": 2.0, "write": 3.0, "pool": 4.0}


@pytest.mark.parametrize(
    ("timeout", "limits"),
    [
        (7, dict.fromkeys(LIMITS, 7)),
        (0.5, dict.fromkeys(LIMITS, 0.5)),
        (httpx.Timeout(**LIMITS), LIMITS),
        (httpx.Timeout(9, connect=1), dict.fromkeys(LIMITS, 9) | {"connect": 1}),
    ],
    ids=["seconds", "part of a second", "all four", "one of its own"],
)
def test_timeouts_reach_the_transport(clients: Clients, timeout: Any, limits: dict[str, float]) -> None:
    """Seconds are good for all four limits, an `httpx.Timeout` has its own."""
    transport = FixedResponse()
    clients.open(transport=transport, timeout=timeout).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert transport.requests[0].extensions["timeout"] == limits


def test_the_default_timeout_is_finite(clients: Clients) -> None:
    """Who says nothing does not wait for ever: connecting 5 s, writing 10 s, reading 30 s, a free connection 10 s."""
    transport = FixedResponse()
    clients.open(transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert transport.requests[0].extensions["timeout"] == {"connect": 5, "write": 10, "read": 30, "pool": 10}


@pytest.mark.parametrize(
    "auth",
    [(MERCHANT_ID, SECRET), SECRET, SharedSecretAuth, lambda request: request, 0, object()],
    ids=["tuple", "text", "class", "function", "0", "object"],
)
def test_bad_auth(clients: Clients, auth: Any) -> None:
    """Credentials are an `httpx.Auth`; what was given instead may be a secret and is not quoted."""
    with pytest.raises(InvalidRequest, match=r"^auth\b") as caught:
        clients.open(auth=auth)
    assert SECRET not in str(caught.value)


def test_no_auth(clients: Clients) -> None:
    """There is no call without credentials."""
    with pytest.raises(InvalidRequest, match=r"^auth\b"):
        clients.client_class("test", None)


def test_any_httpx_auth(clients: Clients) -> None:
    """Credentials of a user's own are as good."""
    transport = FixedResponse()
    clients.open(auth=httpx.BasicAuth("a", "b"), transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert transport.requests[0].headers["Authorization"].startswith("Basic ")


# Environment variables


def missing() -> "list[tuple[str, ...]]":
    """Return every set of variables that can be missing."""
    return [names for count in (1, 2, 3) for names in itertools.combinations(VARIABLES, count)]


@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
@pytest.mark.parametrize("names", missing(), ids="+".join)
def test_missing_variables(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], value: str | None
) -> None:
    """All that are missing are named at once, and those that are not are not."""
    for name, right in VARIABLES.items():
        given = value if name in names else right
        monkeypatch.delenv(name, raising=False) if given is None else monkeypatch.setenv(name, given)
    with pytest.raises(InvalidRequest) as caught:
        clients.client_class.from_env()
    assert [name for name in VARIABLES if name in str(caught.value)] == list(names)
    assert not [value for value in VARIABLES.values() if value in str(caught.value)]


BAD_VARIABLES = {
    "unknown environment": ("environment", {"CYBERSOURCE_ENVIRONMENT": "sekret"}),
    "environment in capitals": ("environment", {"CYBERSOURCE_ENVIRONMENT": "TEST"}),
    "secret that is not base64": ("secret", {"CYBERSOURCE_SECRET_KEY": "sekret!" * 8}),
    "secret that is too short": ("secret", {"CYBERSOURCE_SECRET_KEY": "c2VrcmV0"}),
    "secret with a line break": ("secret", {"CYBERSOURCE_SECRET_KEY": SECRET + "\n"}),
    "blank merchant": ("merchant_id", {"CYBERSOURCE_MERCHANT_ID": " "}),
    "blank key": ("key_id", {"CYBERSOURCE_KEY_ID": " "}),
}


@pytest.mark.parametrize(("culprit", "variables"), BAD_VARIABLES.values(), ids=BAD_VARIABLES)
def test_bad_variables(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, culprit: str, variables: dict[str, str]
) -> None:
    """What a variable holds is checked as an argument is, and is not quoted."""
    for name, value in (VARIABLES | variables).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidRequest, match=rf"(?i)\bCYBERSOURCE_\w*{culprit}\w*: ") as caught:
        clients.client_class.from_env()
    assert not [told for told in ("sekret", "c2Vrcm", SECRET) if told in str(caught.value)]


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        (None, "apitest.cybersource.com"),
        ("", "apitest.cybersource.com"),
        ("test", "apitest.cybersource.com"),
        ("production-india", "api.in.cybersource.com"),
    ],
)
def test_from_env(clients: Clients, monkeypatch: pytest.MonkeyPatch, environment: str | None, host: str) -> None:
    """The environment is the variable's, and never production unless somebody said so."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    if environment is not None:
        monkeypatch.setenv("CYBERSOURCE_ENVIRONMENT", environment)
    transport = FixedResponse()
    client = clients.wrap(clients.client_class.from_env(transport=transport, timeout=3, profile_id=PROFILE_ID))
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    [request] = transport.requests
    assert request.url.host == host
    assert request.extensions["timeout"]["read"] == 3
    assert request.headers["profile-id"] == PROFILE_ID


def test_from_env_signs_with_the_variables(clients: Clients, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in believes what the variables' credentials sign, and another address can be given."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    client = clients.wrap(clients.client_class.from_env(transport=sandbox.transport))
    assert client.update(PAGE_CUSTOMER_ID, NEW_EMAIL).customer.id == PAGE_CUSTOMER_ID


# Closed


def test_a_closed_client(clients: Clients) -> None:
    """A client that was closed, even one that never sent anything, refuses and says so; closing twice is no fault."""
    transport = FixedResponse()
    client = clients.open(transport=transport)
    client.close()
    client.close()
    with pytest.raises(InvalidRequest, match="client is closed"):
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert transport.requests == []


def test_a_field_in_brackets(clients: Clients, sandbox: Sandbox) -> None:
    """A field that is set in brackets, beside the attribute for it, is refused with the attribute's name."""
    changes = CustomerUpdate()
    changes["buyerInformation"] = {"email": "new@example.com"}
    with pytest.raises(InvalidRequest, match=r"^changes: buyerInformation: set it as the attribute buyer_information"):
        clients.open(transport=sandbox.transport).update(PAGE_CUSTOMER_ID, changes)
    assert sandbox.received == []
