"""Nothing that is shown has a secret or a customer's value, wherever it could show."""

import base64
import json
import logging
import traceback
from collections.abc import Callable
from functools import cache
from typing import Any

import httpx
import pytest

from cybersource_tms import CertificateAuth, CustomerUpdate, MessageEncryption, SharedSecretAuth, changed_fields
from cybersource_tms.errors import CybersourceError, InvalidRequest
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, Fault, Sandbox
from support import keys
from support.clients import Clients
from support.fixed_response import FixedResponse
from support.raised import chain
from support.scripted_server import send_once, serving

RAW = b"never show this key to anybody!!"
SECRET = base64.b64encode(RAW).decode()
EMAIL, NAME, VALUE, CODE = "jane.roe@example.com", "customer-4711", "data of Jane Roe", "order-of-Jane"
STORED = {
    "id": PAGE_CUSTOMER_ID,
    "buyerInformation": {"merchantCustomerID": NAME, "email": EMAIL},
    "clientReferenceInformation": {"code": CODE},
    "merchantDefinedInformation": [{"name": "data1", "value": VALUE}],
}
CHANGE = CustomerUpdate.from_dict({name: value for name, value in STORED.items() if name != "id"})


@cache
def unspeakable() -> list[str]:
    """Return every form in which a secret or a value could show itself."""
    forms = [RAW[:24].decode(), RAW[:24].hex(), repr(list(RAW[:24]))[1:-1], SECRET[:30], keys.PASSWORD]
    for owner in ("merchant", "response"):
        forms += keys.key_pem(keys.rsa_key(owner)).decode().split("\n")[1:-2]
        numbers = keys.rsa_key(owner).private_numbers()
        forms += map(str, (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp))
    return [*forms, EMAIL, NAME, VALUE, CODE]


def places(error: BaseException, caplog: pytest.LogCaptureFixture) -> dict[str, str]:
    """Return each place where something could show, with what it shows."""
    found = {"log": "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)}
    for number, each in enumerate(chain(error)):
        where = f"{number} {type(each).__name__} "
        found[f"{where}text"] = f"{each} {each!r} {each.args}"
        found[f"{where}notes"] = str(getattr(each, "__notes__", ""))
        held = [*vars(each).items(), *((name, getattr(each, name, "")) for name in ("doc", "object", "filename"))]
        found |= {f"{where}.{name}": _deep(value) for name, value in held}
        for frame, _ in traceback.walk_tb(each.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                found[f"{where}locals of {frame.f_code.co_name}"] = str([*map(_deep, frame.f_locals.values())])
    return found


def _deep(value: object) -> str:
    """Return what a value holds, that of a request too."""
    return f"{value.headers.raw} {value.content!r}" if isinstance(value, httpx.Request) else repr(value)


def leaks(text: str, *more: str) -> list[str]:
    """Return what a text should not say."""
    return [told for told in [*unspeakable(), *more] if told in text]


def assert_silent(error: BaseException, caplog: pytest.LogCaptureFixture, *more: str) -> None:
    """Check that no place shows a secret or a value."""
    found = {where: leaks(text, *more) for where, text in places(error, caplog).items()}
    assert {where: told for where, told in found.items() if told} == {}


def test_every_place_is_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    """The tests below can fail: each place where a careless error could show something is seen."""
    request = httpx.Request("GET", "https://a.example", headers={"X": SECRET})
    error = InvalidRequest(SECRET, path=SECRET)
    error.add_note(SECRET)
    error.__cause__ = UnicodeDecodeError("utf-8", RAW, 0, 1, "m")
    error.__cause__.__cause__, error.__context__ = (
        json.JSONDecodeError("m", SECRET, 0),
        httpx.ReadError("", request=request),
    )
    caplog.set_level(logging.DEBUG)
    logging.getLogger("x").info("harmless", extra={"fields": SECRET})
    with pytest.raises(InvalidRequest) as caught:
        exec(compile("raise error", "elsewhere.py", "exec"), {}, {"error": error, "secret": SECRET})
    seen = [where for where, text in places(caught.value, caplog).items() if leaks(text)]
    kinds = ["log", "text", "notes", ".path", ".object", ".doc", "._request", "locals of <module>"]
    assert [kind for kind in kinds if not any(where.endswith(kind) for where in seen)] == []


def of_pem(**options: Any) -> CertificateAuth:
    """Make credentials of PEM."""
    own = {"private_key": key(), "certificate": keys.pem(keys.certificate(MERCHANT_ID)), "merchant_id": MERCHANT_ID}
    return CertificateAuth(**(own | options))


def key(owner: str = "merchant") -> bytes:
    """Return a private key in PEM."""
    return keys.key_pem(keys.rsa_key(owner))


SETTINGS: dict[str, dict[str, Any]] = {
    "auth": {"auth": SECRET},
    "environment": {"environment": keys.PASSWORD},
    "user": {"base_url": f"https://x:{keys.PASSWORD}@a.example"},
    "port": {"base_url": f"https://a.example:{keys.PASSWORD}"},
    "header": {"headers": {"X": f"{keys.PASSWORD}\n"}},
    "proxy": {"proxy": f"ftp://x:{keys.PASSWORD}@a.example"},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_what_cannot_be_made(clients: Clients, settings: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """An error of making a client shows nothing of what was given."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(InvalidRequest) as caught:
        clients.open(**settings)
    assert_silent(caught.value, caplog)


def both() -> MessageEncryption:
    """Return an encryption of everything."""
    return MessageEncryption(keys.pem(keys.service_certificate()), key("response"), keys.SERIAL)


def test_reprs(clients: Clients, sandbox: Sandbox) -> None:
    """No credentials, encryption, client or record shows more of itself than ids, nor does what holds them."""
    auths = [SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET, portfolio_id="portfolio"), of_pem()]
    record = clients.open(transport=sandbox.transport).update(PAGE_CUSTOMER_ID, CHANGE)
    for thing in [*auths, both(), record, *(clients.open(auth=auth, encryption=both()).wrapped for auth in auths)]:
        assert not leaks(f"{thing!r} {thing} {[thing]} { ({'x': thing}) }")


Act = Callable[[Any], Any]
UPDATE: Act = lambda client: client.update(PAGE_CUSTOMER_ID, CHANGE)  # noqa: E731 - the default of the table
TOLD = {"type": f"{EMAIL} {VALUE}", "message": f"{EMAIL} {NAME}", "details": [{"name": CODE, "location": VALUE}]}
QUOTING = json.dumps({"errors": [TOLD], "message": NAME, "response": {"rmsg": EMAIL}})


Row = tuple[dict[str, Any], bool, Act]


def gets(body: str | bytes, status: int = 200, *, encrypted: bool = False) -> Row:
    """Return an update that gets a response."""
    return {"status": status, "body": body if isinstance(body, bytes) else body.encode()}, encrypted, UPDATE


def sends(**changes: Any) -> Row:
    """Return an update with changes that cannot be sent."""
    return {}, True, lambda client: client.update(PAGE_CUSTOMER_ID, changes)


def modifies(value: Any) -> Row:
    """Return a change of the current customer to something that cannot be sent."""
    changes = {"buyerInformation": {"email": value}}
    return {}, False, lambda client: client.modify(PAGE_CUSTOMER_ID, lambda customer: changes)


# What the transport does, whether there is encryption, and the call that fails.
FAILURES: dict[str, Row] = {
    **{f"{status} that quotes": gets(QUOTING, status) for status in (200, 400, 401, 412, 503)},
    "wrong type": gets(json.dumps(STORED | {"buyerInformation": [EMAIL]})),
    "another customer": gets(json.dumps(STORED | {"id": NAME})),
    "half a customer": gets(json.dumps(STORED)[:-9]),
    "not UTF-8": gets(json.dumps(STORED).encode()[:-9] + b"\xff"),
    "plain text": gets(json.dumps(STORED), encrypted=True),
    "a token that is none": gets(json.dumps({"encryptedResponse": EMAIL}), encrypted=True),
    "no key for it": gets(json.dumps({"encryptedResponse": EMAIL})),
    "no connection": ({"error": httpx.ConnectError("nobody there")}, False, UPDATE),
    "time-out": ({"error": httpx.ReadTimeout("too long")}, True, UPDATE),
    "broken off": ({"body_error": httpx.ReadError("broken")}, False, UPDATE),
    "no header": ({"error": httpx.LocalProtocolError(f"Illegal header value {SECRET.encode()!r}")}, False, UPDATE),
    "a bug": ({"error": RuntimeError("m")}, False, UPDATE),
    "sends a type": sends(buyerInformation={"email": [EMAIL]}),
    "sends too much": sends(buyerInformation={"email": EMAIL * 20}),
    "sends a surrogate": sends(buyerInformation={"email": EMAIL + "\ud800"}),
    "modifies a type": modifies({EMAIL: VALUE}),
    "modifies a surrogate": modifies(EMAIL + "\ud800"),
    "difference": ({}, False, lambda _: changed_fields(STORED, STORED | {"_links": EMAIL, "id": VALUE})),
    "guards": ({}, False, lambda client: client.update(PAGE_CUSTOMER_ID, CHANGE, if_match=f"{EMAIL}, {VALUE}")),
    "gets a field of another type": (
        {"body": json.dumps(STORED).encode()},
        False,
        lambda client: client.retrieve(PAGE_CUSTOMER_ID).get("buyerInformation.email", kind=int),
    ),
    "gets a field": ({}, False, lambda client: client.retrieve(PAGE_CUSTOMER_ID).get(EMAIL[:4] + ".x")),
}


@pytest.mark.parametrize(("case", "encrypted", "act"), FAILURES.values(), ids=FAILURES)
def test_failed_calls(
    clients: Clients, caplog: pytest.LogCaptureFixture, case: dict[str, Any], act: Act, *, encrypted: bool
) -> None:
    """No place of a failed call shows a value, a secret or the token, be they ours or what the service says."""
    caplog.set_level(logging.DEBUG)
    transport, auth = FixedResponse(**case), SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
    with pytest.raises((CybersourceError, RuntimeError)) as caught:
        act(clients.open(auth=auth, encryption=both() if encrypted else None, transport=transport))
    assert_silent(caught.value, caplog, *(request.headers["authorization"][-40:] for request in transport.requests))


def test_what_is_no_http(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    """What h11 quotes of a response that it cannot read is in no cause."""
    caplog.set_level(logging.DEBUG, "cybersource_tms")
    for response in (f"{json.dumps(STORED)}\r\n\r\n", f"HTTP/1.1 200 OK\r\n{EMAIL} {VALUE}\r\n\r\n"):
        with serving(send_once(response.encode())) as url, pytest.raises(CybersourceError) as caught:
            UPDATE(clients.open(base_url=url))
        assert_silent(caught.value, caplog)


def test_calls_are_silent(
    clients: Clients, sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """With every logger at DEBUG, no call says a secret, token or value, whatever signs or encrypts it or cuts it."""
    caplog.set_level(logging.DEBUG)
    sandbox.trust_secret(MERCHANT_ID, "the-key", SECRET)
    sandbox.trust_certificate(MERCHANT_ID, keys.pem(keys.certificate(MERCHANT_ID)))
    sandbox.trust_response_key(keys.SERIAL, keys.public_pem(keys.rsa_key("response")))
    encryption = MessageEncryption(sandbox.request_certificate, key("response"), keys.SERIAL)
    secret = SharedSecretAuth(MERCHANT_ID, "the-key", SECRET)
    for auth, mle in ((secret, None), (secret, encryption), (of_pem(), encryption)):
        UPDATE(clients.open(auth=auth, encryption=mle, base_url=url))
    for cut in ("before", "after", "middle"):
        sandbox.fail(Fault(cut=cut))
        with pytest.raises(CybersourceError):
            UPDATE(clients.open(auth=secret, base_url=url))
    assert [received.status for received in sandbox.received][:3] == [200] * 3
    loggers = {record.name for record in caplog.records}
    assert loggers >= {"cybersource_tms", "httpcore.http11"}
    assert "httpx" not in loggers  # it would write the customer's id at INFO
    tokens = [received.headers["authorization"].split(".")[-1] for received in sandbox.received]
    bodies = [json.loads(received.body)["encryptedRequest"] for received in sandbox.received[1:3]]
    assert_silent(RuntimeError(), caplog, *tokens, *bodies)
    assert "buyerInformation.email" in caplog.text
    assert not recwarn.list
