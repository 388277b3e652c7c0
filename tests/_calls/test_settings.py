"""A client's settings: what is wrong is refused by name, without being shown, and what is right is sent."""

import math
import time
from typing import Any

import httpx
import pytest

from cybersource_tms import MessageEncryption, Retries, SharedSecretAuth
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_sandbox import MERCHANT_ID, PAGE_CUSTOMER_ID, PROFILE_ID, SECRET
from support.clients import NEW_EMAIL, Clients
from support.fixed_response import FixedResponse
from support.keys import key_pem, pem, rsa_key, service_certificate


def sent(clients: Clients, **settings: Any) -> httpx.Request:
    """Return the request that an update sends."""
    transport = FixedResponse()
    clients.open(transport=transport, **settings).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    [request] = transport.requests
    return request


def refusal_of(clients: Clients, **settings: Any) -> str:
    """Return the message with which a setting is refused."""
    with pytest.raises(InvalidRequest) as caught:
        clients.open(**settings)
    assert caught.value.argument in settings
    return str(caught.value)


NO_TIMEOUTS: list[Any] = [None, 0, 0.0, -1, math.nan, math.inf, -math.inf, "5", True, (1.0, 1.0), 1j, 86_400.1, 10**400]
NO_STEPS: list[dict[str, Any]] = [{"read": None}, {"connect": 0}, {"write": math.inf}, {"pool": math.nan}]
NO_TIMEOUTS += [httpx.Timeout(None), *(httpx.Timeout(5, **step) for step in NO_STEPS)]
NO_PROFILES: list[Any] = [PROFILE_ID[:-1] + end for end in ("", "xx", *"\n \t\0\x7f\u00e9\u0663")]
NO_PROFILES += ["", " " + PROFILE_ID[1:], PROFILE_ID.encode(), 42, True]
NO_AUTH: list[Any] = [(MERCHANT_ID, SECRET), SECRET, SharedSecretAuth, lambda request: request, 1]
# A setting, values that it cannot have, and the message for all of them.
WRONG: dict[str, tuple[list[Any], str]] = {
    "timeout": (NO_TIMEOUTS, "connect, read, write and pool each need seconds, above 0 and at most a day"),
    "retries": ([3, True, {"attempts": 3}, Retries, ()], "expected a Retries, or None"),
    "profile_id": (NO_PROFILES, "expected 36 characters of visible ASCII, without a line break"),
    "auth": (NO_AUTH, "expected credentials such as SharedSecretAuth, or another httpx.Auth"),
    "encryption": ([SECRET, True, MessageEncryption], "expected a MessageEncryption"),
    "max_connections": ([0, -1, 1.0, True, "1", None, math.inf], "expected a whole number of 1 or more"),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name][0]])
def test_wrong_settings(clients: Clients, name: str, value: Any) -> None:
    """A wrong setting is refused by its name, and not shown: it may be a secret. No time-out is endless."""
    assert refusal_of(clients, **{name: value}) == f"{name}: {WRONG[name][1]}"


STEPS = {"connect": 1.0, "read": 2.0, "write": 3.0, "pool": 4.0}
TIMEOUTS: dict[str, tuple[dict[str, Any], Any]] = {
    "the default": ({}, {"connect": 5, "write": 10, "read": 30, "pool": 10}),
    "seconds": ({"timeout": 0.5}, dict.fromkeys(STEPS, 0.5)),
    "a day": ({"timeout": 86_400}, dict.fromkeys(STEPS, 86_400)),
    "each step": ({"timeout": httpx.Timeout(**STEPS)}, STEPS),
    "no longer than the call": ({"timeout": 9, "retries": Retries(total_timeout=2)}, dict.fromkeys(STEPS, 2)),
    "one of its own": ({"timeout": httpx.Timeout(9, connect=1)}, dict.fromkeys(STEPS, 9) | {"connect": 1}),
}


@pytest.mark.parametrize(("settings", "steps"), TIMEOUTS.values(), ids=TIMEOUTS)
def test_timeouts(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], steps: dict[str, float]
) -> None:
    """Seconds are good for all four steps, an `httpx.Timeout` has its own, and the default is finite."""
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    assert sent(clients, **settings).extensions["timeout"] == steps


def test_auth_and_encryption(clients: Clients) -> None:
    """Credentials may be of the caller's making, but encryption needs those that sign tokens."""
    assert sent(clients, auth=httpx.BasicAuth("a", "b")).headers["Authorization"].startswith("Basic ")
    both = MessageEncryption(pem(service_certificate()), key_pem(rsa_key("response")), "id")
    clients.open(encryption=both)
    assert refusal_of(clients, encryption=both, auth=httpx.BasicAuth("a", "b")) == (
        "encryption: it needs an auth that signs tokens, such as SharedSecretAuth"
    )


RESERVED = "Accept ACCEPT-ENCODING content-type User-Agent Authorization If-Match profile-id Host Cookie Connection "
RESERVED += "Content-Length Content-Encoding Transfer-Encoding Upgrade TE Trailer Range If-None-Match Expect"
NAME, VALUE = "a name is not the name of a header (RFC 9110 section 5.1)", "each value has to be visible ASCII, "
NO_HEADERS: list[tuple[Any, str]] = [
    *((each, "expected a mapping of names and values, both text") for each in (SECRET, [("X", "a")], 0, {"X"})),
    *(({name: "a"}, f"{name} is set by the client itself") for name in RESERVED.split()),
    *(({name: "a"}, NAME) for name in ("", "X Y", "X:", "X\n", "\u00e9", b"X", None)),
    *(({"X": value}, VALUE) for value in ("", " a", "a ", "a\nb", "a\tb", "\0", "\u00e9", SECRET.encode(), None, 1)),
]


@pytest.mark.parametrize(("headers", "problem"), NO_HEADERS, ids=lambda each: ascii(each)[:30])
def test_headers_that_are_refused(clients: Clients, headers: Any, problem: str) -> None:
    """What the client sets itself, and what no header can be, is refused without its value."""
    assert refusal_of(clients, headers=headers).startswith(f"headers: {problem}")
