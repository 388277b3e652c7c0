"""Whatever leaves the package leaves without the frames within, whose locals hold secrets and customers' values."""

import json
import re
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from cybersource_tms import CertificateAuth, MessageEncryption, Retries, SharedSecretAuth, changed_fields
from cybersource_tms.errors import ConnectionFailed, CybersourceError, InvalidRequest, NotFound, Unauthorized
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Sandbox, page_customer
from support.clients import EMAIL, NEW_EMAIL, Clients
from support.fixed_response import FixedResponse
from support.keys import PASSWORD, certificate, p12
from support.raised import chain
from support.waiting import HANGS, eventually

TESTS = str(Path(__file__).parents[1])


def functions(error: BaseException) -> list[str]:
    """Return the names of the functions in an error's traceback."""
    return [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]


def check(error: BaseException, *, noted: bool = True) -> None:
    """Check that an error has only the frame of ours that it leaves from, without a value, and its place once."""
    for each in chain(error):
        for frame, _ in traceback.walk_tb(each.__traceback__):
            file = frame.f_code.co_filename
            if not file.startswith(TESTS) and "/asyncio/" not in file:
                assert file.endswith("cybersource_tms/_tracebacks.py") or frame.f_code.co_name == "_outcomes"
                assert not [told for told in (EMAIL, SECRET, PASSWORD) if told in repr(frame.f_locals)]
    notes = "\n".join(getattr(error, "__notes__", []))
    place = r"cybersource_tms: (raised in|passed through) \w+/\w+\.py:\d+ \w+( > \w+/\w+\.py:\d+ \w+)*"
    assert len(re.findall(place, notes)) == noted


def test_the_check_can_fail() -> None:
    """The tests below can fail: frames of ours are seen."""
    with pytest.raises(InvalidRequest) as caught:
        changed_fields.__wrapped__({"id": EMAIL}, {"id": ""})  # type: ignore[attr-defined]
    with pytest.raises(AssertionError):
        check(caught.value)


def refuse(customer: object) -> object:
    """Return what cannot be sent."""
    return {"buyerInformation": {"email": {EMAIL: 5}}}


CALLS: dict[str, Callable[[Any], object]] = {
    "retrieve": lambda client: client.retrieve(PAGE_CUSTOMER_ID),
    "update": lambda client: client.update(PAGE_CUSTOMER_ID, NEW_EMAIL),
    "apply": lambda client: client.apply(PAGE_CUSTOMER_ID, NEW_EMAIL),
    "modify": lambda client: client.modify(PAGE_CUSTOMER_ID, refuse),
}
TRANSPORTS: dict[str, Callable[[], FixedResponse]] = {
    "refused": lambda: FixedResponse(404),
    "not JSON": lambda: FixedResponse(200, EMAIL.encode()),
    "the same error each time": lambda: FixedResponse(error=httpx.ConnectError(EMAIL)),
    "broken off": lambda: FixedResponse(body_error=httpx.ReadError(EMAIL)),
    "success without an ETag": lambda: FixedResponse(headers={}),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
def test_calls(clients: Clients, call: str, transport: Callable[[], FixedResponse]) -> None:
    """An error of a call has no frame within, nor has any of its causes and contexts, and a note says where it was."""
    client = clients.open(transport=transport(), retries=Retries(attempts=2, initial_delay=0))
    try:
        CALLS[call](client)
    except CybersourceError as error:
        check(error)
    else:
        assert call in {"retrieve", "update"}


REFUSED: dict[str, Callable[[Clients], object]] = {
    "SharedSecretAuth": lambda _: SharedSecretAuth(MERCHANT_ID, KEY_ID, f"{SECRET}!"),
    "CertificateAuth": lambda _: CertificateAuth(private_key=b"x", certificate=b"x", merchant_id=MERCHANT_ID),
    "CertificateAuth.from_p12": lambda _: CertificateAuth.from_p12("/", PASSWORD, merchant_id=MERCHANT_ID),
    "MessageEncryption": lambda _: MessageEncryption(request_certificate=b"x"),
    "changed_fields": lambda _: changed_fields({}, {"buyerInformation": {"email": [EMAIL]}}),
    "a client": lambda clients: clients.open("moon"),
    "from_env": lambda clients: clients.client_class.from_env(),
    "with_options": lambda clients: clients.open().wrapped.with_options(timeout=0),
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_refusals(clients: Clients, make: Callable[[Clients], object]) -> None:
    """What is refused is refused without frames, and what it hides (`from None`) has none either."""
    with pytest.raises(InvalidRequest) as caught:
        make(clients)
    check(caught.value)


def test_warnings() -> None:
    """A warning names the caller's line; as an error it has no frame with a password, key or secret."""
    store = p12(certificate(MERCHANT_ID, ends=timedelta(days=10)))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        CertificateAuth.from_p12(store, PASSWORD, merchant_id=MERCHANT_ID)
    assert {warning.filename for warning in warned} == {__file__}
    with pytest.raises(Warning) as caught:  # pytest makes them errors
        CertificateAuth.from_p12(store, PASSWORD, merchant_id=MERCHANT_ID)
    check(caught.value)


class Foreign(BaseException):
    """Something that is none of ours, such as what a framework raises to stop a worker."""


def raise_it(*_: object) -> Any:
    """Raise something that is none of ours."""
    raise Foreign


NOTED = "the update of customer F2F3ADA770102B51E053A2598D0A9078 "
SIGNER = type("Signer", (httpx.Auth,), {"auth_flow": raise_it})()
MAPPING = type("Broken", (dict,), {"items": raise_it})()
# Whose code raises in a call, and what a note says of the update's fate.
THEIRS: dict[str, tuple[dict[str, Any], Callable[[Any], object], str]] = {
    "a function": ({}, lambda client: client.modify(PAGE_CUSTOMER_ID, raise_it), ""),
    "a mapping": ({}, lambda client: client.update(PAGE_CUSTOMER_ID, MAPPING), ""),
    "a signer": ({"auth": SIGNER}, CALLS["update"], f"{NOTED}was not applied"),
    "a transport": ({"transport": httpx.MockTransport(raise_it)}, CALLS["update"], f"{NOTED}may have been applied"),
}


@pytest.mark.parametrize(("settings", "call", "fate"), THEIRS.values(), ids=THEIRS)
def test_what_the_callers_code_raises(
    clients: Clients, settings: dict[str, Any], call: Callable[[Any], object], fate: str
) -> None:
    """It comes out as itself after one attempt, with the frames of that code and none of ours, and its fate."""
    client = clients.open(**{"transport": FixedResponse(), "retries": Retries(initial_delay=0), **settings})
    with pytest.raises(Foreign) as caught:
        call(client)
    check(caught.value)
    assert functions(caught.value)[-1] == "raise_it"
    notes = "\n".join(caught.value.__notes__)
    assert (fate in notes, NOTED in notes) == (True, bool(fate))


def test_what_an_error_of_the_callers_code_holds(clients: Clients) -> None:
    """It stays, in what that code raises and in the causes that it brings."""
    text = '{"mine": bad}'
    brought = ThreadPoolExecutor(1).submit(json.loads, text).exception()
    client = clients.open(transport=FixedResponse(200, json.dumps(page_customer()).encode(), {"ETag": "1"}))

    def bring(_: object) -> None:
        raise LookupError from brought

    with pytest.raises(json.JSONDecodeError) as own:
        client.modify(PAGE_CUSTOMER_ID, lambda _: json.loads(text))
    with pytest.raises(LookupError) as caught:
        client.modify(PAGE_CUSTOMER_ID, bring)
    assert own.value.doc == brought.doc == text  # type: ignore[union-attr]
    assert caught.value.__cause__ is brought
    assert (brought.__traceback__ is None, hasattr(brought, "__notes__")) == (False, False)  # type: ignore[union-attr]


def test_what_is_raised_in_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a signal's handler: it comes out as itself, with the handler's frame; one request was sent (case F3)."""
    monkeypatch.setattr(time, "sleep", raise_it)
    transport = FixedResponse(503)
    with pytest.raises(Foreign) as caught:
        Clients("sync", lambda _: _).open(transport=transport, retries=Retries()).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    check(caught.value)
    assert functions(caught.value)[-1] == "raise_it"
    assert f"{NOTED}may have been applied" in "\n".join(caught.value.__notes__)
    assert len(transport.requests) == 1


def test_causes_that_go_round(clients: Clients) -> None:
    """An error whose causes go round in a circle, or are groups, leaves too, and they stay the same objects."""
    one, other = httpx.ReadError(EMAIL), RuntimeError(EMAIL)
    one.__cause__, other.__cause__ = ExceptionGroup(EMAIL, [other]), one
    with pytest.raises(ConnectionFailed) as caught:
        clients.open(transport=FixedResponse(error=one)).retrieve(PAGE_CUSTOMER_ID)
    assert caught.value.__cause__ is one
    check(caught.value)


def test_what_the_caller_was_handling(clients: Clients) -> None:
    """An exception from before the call stays as it was, although the call's error has it as its context."""
    client = clients.open(transport=FixedResponse(404))
    try:
        json.loads(EMAIL)
    except json.JSONDecodeError as error:
        before = functions(error)
        for call in (lambda: client.retrieve(PAGE_CUSTOMER_ID), lambda: changed_fields({"a": {}}, {"b": {}})):
            with pytest.raises(CybersourceError):
                call()
        after = functions(error), error.doc, getattr(error, "__notes__", [])
        assert after == (before, EMAIL, [])


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_call(backend: str, sandbox: Sandbox, url: str) -> None:
    """A call that is cancelled leaves no frame with the customer's values or the token, under either backend."""
    clients = Clients("async", lambda value: value)

    async def cancel(scope: anyio.CancelScope) -> None:
        await anyio.to_thread.run_sync(eventually, lambda: bool(sandbox.received))
        scope.cancel()

    async def update() -> None:
        sandbox.fail(HANGS)
        client = clients.open(base_url=url).wrapped
        async with anyio.create_task_group() as tasks:
            scope = anyio.CancelScope()
            tasks.start_soon(cancel, scope)
            with scope, pytest.raises(anyio.get_cancelled_exc_class()) as caught:
                await client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        check(caught.value)
        await client.aclose()

    anyio.run(update, backend=backend)


def test_outcomes_of_many(clients: Clients) -> None:
    """An outcome's error holds no frames of ours; what ends the job leaves without those within."""
    pairs = [(PAGE_CUSTOMER_ID, NEW_EMAIL)] * 2
    for outcome in clients.open(transport=FixedResponse(404)).update_many(pairs):
        assert isinstance(outcome.error, NotFound)
        assert outcome.error.__traceback__ is None
        check(outcome.error)
    with pytest.raises(Unauthorized) as caught:
        [*clients.open(transport=FixedResponse(401)).update_many(pairs)]
    check(caught.value)


def test_what_pairs_raise(clients: Clients) -> None:
    """It comes out of a job with the frames of the caller's iterable, and none of ours that hold a pair."""

    def pairs() -> Iterator[tuple[str, Any]]:
        yield PAGE_CUSTOMER_ID, NEW_EMAIL
        raise_it()

    with pytest.raises(Foreign) as caught:
        [*clients.open(transport=FixedResponse()).update_many(pairs())]
    assert functions(caught.value)[-2:] == ["pairs", "raise_it"]
    assert {"_begin_all", "_read"}.isdisjoint(functions(caught.value))
