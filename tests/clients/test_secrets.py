"""Nothing that is shown has a secret or a customer's value: messages, `repr`s, log lines, warnings, tracebacks."""

import base64
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

import cybersource_tms
from cybersource_tms import (
    AsyncCustomersClient,
    BuyerInformation,
    CertificateAuth,
    ClientReferenceInformation,
    CustomersClient,
    CustomerUpdate,
    MerchantDefinedInformation,
    MessageEncryption,
    SharedSecretAuth,
    changed_fields,
    errors,
)
from cybersource_tms._credentials import variables as _variables
from cybersource_tms._credentials.arguments import check_id
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, Fault, Sandbox
from support.clients import Clients
from support.fixed_response import FixedResponse
from support.keys import (
    DAY,
    PASSWORD,
    SERIAL,
    certificate,
    ec_key,
    key_pem,
    p12,
    pem,
    protection,
    public_pem,
    rsa_key,
    service_certificate,
    written,
)

OURS = str(Path(cybersource_tms.__file__).parent)
RAW = b"never show this key to anybody!!"
SECRET = base64.b64encode(RAW).decode()
SHORT_SECRET = base64.b64encode(RAW[:24]).decode()
BAD_SECRET = "never=show-this_secret!"
GARBAGE = b"-----BEGIN PRIVATE KEY-----\nTmV2ZXJTaG93VGhpcw==\n-----END PRIVATE KEY-----\n"
EMAIL, NAME, VALUE, CODE = "jane.roe@example.com", "customer-4711", "data of Jane Roe", "order-of-Jane"
CHANGE = CustomerUpdate(
    BuyerInformation(merchant_customer_id=NAME, email=EMAIL),
    ClientReferenceInformation(CODE),
    [MerchantDefinedInformation("data1", VALUE)],
)
VALUES = [EMAIL, NAME, VALUE, CODE]
STORED = {"id": PAGE_CUSTOMER_ID, **CHANGE.to_dict()}


@cache
def secrets() -> list[str]:
    """Return every form in which a secret could show itself."""
    return [
        *of_bytes(RAW),
        SECRET[:30],
        BAD_SECRET,
        PASSWORD,
        "NeverShowThis",
        "TmV2ZXJTaG93VGhpcw",
        *of_key("merchant"),
        *of_key("response"),
    ]


def of_bytes(raw: bytes) -> Iterator[str]:
    """Yield the forms of the first 24 bytes of a secret."""
    yield from (raw[:24].decode(), raw[:24].hex(), repr(list(raw[:24]))[1:-1], base64.b64encode(raw[:24]).decode())


def of_key(owner: str) -> Iterator[str]:
    """Yield the lines of a private key in PEM, and its numbers."""
    key = rsa_key(owner)
    yield from key_pem(key).decode().split("\n")[1:-2]
    numbers = key.private_numbers()
    for number in (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp):
        yield from (
            str(number),
            f"{number:x}",
            base64.urlsafe_b64encode(number.to_bytes(256)).decode().strip("A=")[:60],
        )


def leaks(text: str, what: list[str] | None = None) -> list[str]:
    """Return what a text should not say."""
    return [secret for secret in (secrets() if what is None else what) if secret in text]


def shown(error: BaseException, caplog: pytest.LogCaptureFixture) -> str:
    """Return all that is printed of an error, and all that was logged by anybody."""
    parts = [str(error), repr(error), ascii(error.args), repr(vars(error)), *traceback.format_exception(error)]
    cause: BaseException | None = error
    while cause := cause.__cause__ if cause else None:
        parts += [str(cause), repr(cause)]
    return "\n".join([*parts, *logged(caplog)])


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return all that was logged by anybody."""
    return [f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records]


def locals_of(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield the locals of this package's frames, as a tool that shows them has them, and where they are."""
    pending: list[BaseException | None] = [error]
    while pending:
        if each := pending.pop():
            pending += [each.__cause__, None if each.__suppress_context__ else each.__context__]
            for frame, _ in traceback.walk_tb(each.__traceback__):
                path = Path(frame.f_code.co_filename)
                if str(path).startswith(OURS):
                    for name, value in frame.f_locals.items():
                        yield f"{path.name}:{frame.f_code.co_name} {name}", shown_of(value)


def shown_of(value: object) -> str:
    """Return a `repr`, also of what is only half made."""
    try:
        return repr(value)
    except AttributeError:
        return repr(vars(value))


# Failures of making something

Making = Callable[[Path], object]


def of_p12(folder: Path, content: bytes, password: str = PASSWORD, merchant: str = MERCHANT_ID) -> CertificateAuth:
    """Make credentials of a P12."""
    return CertificateAuth.from_p12(written(folder, content), password, merchant_id=merchant)


def of_pem(**options: Any) -> CertificateAuth:
    """Make credentials of PEM."""
    right = {"private_key": key_pem(rsa_key()), "certificate": pem(certificate("a")), "merchant_id": "a"}
    return CertificateAuth(**(right | options))


def of_environment(**variables: str) -> object:
    """Make settings from the environment."""
    return _variables.settings({f"CYBERSOURCE_{name}": value for name, value in variables.items()})


MAKING: dict[str, Making] = {
    "secret that is not base64": lambda _: SharedSecretAuth("a", "b", BAD_SECRET),
    "secret too short": lambda _: SharedSecretAuth("a", "b", SHORT_SECRET),
    "secret in bytes": lambda _: SharedSecretAuth("a", "b", SECRET.encode()),  # type: ignore[arg-type]
    "secret good, key not": lambda _: SharedSecretAuth("a", "", SECRET),
    "secret good, portfolio not": lambda _: SharedSecretAuth("a", "b", SECRET, portfolio_id=""),
    "P12, another password": lambda folder: of_p12(folder, p12(certificate("a"), encryption=protection("x"))),
    "P12 damaged": lambda folder: of_p12(folder, p12(certificate("a"))[:-1]),
    "P12 that is none": lambda folder: of_p12(folder, b"text"),
    "P12 missing": lambda folder: CertificateAuth.from_p12(folder / "no", PASSWORD, merchant_id="a"),
    "P12 of another merchant": lambda folder: of_p12(folder, p12(certificate("a"))),
    "P12 expired": lambda folder: of_p12(folder, p12(certificate(MERCHANT_ID, ends=-DAY / 2))),
    "P12, merchant empty": lambda folder: of_p12(folder, p12(certificate("a")), merchant=""),
    "P12 for encryption, another password": lambda folder: MessageEncryption.from_p12(
        written(folder, p12(certificate("a"))), PASSWORD + "x", merchant_id="a"
    ),
    "P12 for encryption, lacking": lambda folder: MessageEncryption.from_p12(
        written(folder, p12(certificate("a"))), PASSWORD, merchant_id="a"
    ),
    "key that is garbage": lambda _: of_pem(private_key=GARBAGE),
    "key as text": lambda _: of_pem(private_key=key_pem(rsa_key()).decode()),
    "key with a password": lambda _: of_pem(private_key=key_pem(rsa_key(), BestAvailableEncryption(b"x"))),
    "key elliptic": lambda _: of_pem(private_key=key_pem(ec_key())),
    "key of another": lambda _: of_pem(certificate=pem(certificate("a", rsa_key("other")))),
    "key good, certificate not": lambda _: of_pem(certificate=b"garbage"),
    "key for certificate": lambda _: of_pem(certificate=key_pem(rsa_key())),
    "key good, algorithm not": lambda _: of_pem(algorithm="none"),
    "key for merchant": lambda _: of_pem(merchant_id=key_pem(rsa_key())),
    "response key garbage": lambda _: MessageEncryption(None, GARBAGE, "id"),
    "response key without id": lambda _: MessageEncryption(None, key_pem(rsa_key())),
    "response key for certificate": lambda _: MessageEncryption(key_pem(rsa_key())),
    "environment, secret": lambda _: of_environment(MERCHANT_ID="a", KEY_ID="b", SECRET_KEY=BAD_SECRET),
    "environment, secret without key": lambda _: of_environment(MERCHANT_ID="a", SECRET_KEY=SECRET),
    "environment, secret and password": lambda _: of_environment(SECRET_KEY=SECRET, P12_PASSWORD=PASSWORD),
    "environment, password": lambda folder: of_environment(
        MERCHANT_ID="a", P12_PATH=str(written(folder, p12(certificate("a")))), P12_PASSWORD=PASSWORD + "x"
    ),
    "client, auth that is a secret": lambda _: CustomersClient("test", SECRET),  # type: ignore[arg-type]
    "client, environment": lambda _: CustomersClient("nowhere", SharedSecretAuth("a", "b", SECRET)),
    "client, secret in the address": lambda _: CustomersClient(
        "test", SharedSecretAuth("a", "b", SECRET), base_url=f"http://x:{PASSWORD}@a.example"
    ),
}


def failure(make: Making, folder: Path) -> errors.InvalidRequest:
    """Return the error of making something, which must not warn before."""
    with pytest.raises(errors.InvalidRequest) as caught:
        make(folder)
    return caught.value


@pytest.mark.parametrize("make", MAKING.values(), ids=MAKING)
def test_messages_of_making(make: Making, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where something cannot be made, no message, `repr`, traceback or log line has what was given."""
    caplog.set_level(logging.DEBUG)
    text = shown(failure(make, tmp_path), caplog)
    source = {line.strip() for line in Path(__file__).read_text(encoding="utf-8").splitlines()}
    assert not leaks("\n".join(line for line in text.split("\n") if line.strip() not in source))


@pytest.mark.parametrize("make", MAKING.values(), ids=MAKING)
def test_locals_of_making(make: Making, tmp_path: Path) -> None:
    """Nor do the locals of this package's frames, which some tools print with a traceback."""
    assert [where for where, value in locals_of(failure(make, tmp_path)) if leaks(value)] == []


def test_locals_are_seen() -> None:
    """The test above can fail: it sees the locals of frames, where there are any."""
    assert ("arguments.py:check_id value", "''") in locals_of(failure(lambda _: check_id("key_id", ""), Path()))


@pytest.mark.parametrize("name", ["secret too short", "key elliptic", "response key garbage", "client, environment"])
def test_tracebacks_with_locals(name: str, tmp_path: Path) -> None:
    """A traceback with locals can be made, although what was to be made is only half there."""
    error = failure(MAKING[name], tmp_path)
    assert "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


# What is there


def auths() -> list[httpx.Auth]:
    """Return credentials of each kind."""
    return [SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET, portfolio_id="portfolio"), of_pem()]


@cache
def both() -> MessageEncryption:
    """Return an encryption of everything."""
    return MessageEncryption(pem(service_certificate()), key_pem(rsa_key("response")), SERIAL)


def test_reprs() -> None:
    """No credentials, encryption or client shows more of itself than ids, nor does what holds them."""
    things: list[object] = [*auths(), both()]
    for auth in auths():
        things += [kind("test", auth, encryption=both()) for kind in (CustomersClient, AsyncCustomersClient)]
    for thing in things:
        assert not leaks(f"{thing!r} {thing} {[thing]} { ({'x': thing}) }")


def test_forms_of_a_secret_are_seen() -> None:
    """The tests above can fail: what they look for is what a careless `repr` would show."""
    careless = {"secret": SECRET, "raw": RAW, "password": PASSWORD, "key": key_pem(rsa_key("response"))}
    assert len(leaks(repr(careless))) > 20


def test_repr_of_a_record(clients: Clients, sandbox: Sandbox) -> None:
    """A record shows its ids, and nothing of the customer."""
    record = clients.open(transport=sandbox.transport).update(PAGE_CUSTOMER_ID, CHANGE)
    assert not leaks(f"{record!r} {record}", [*VALUES, "test@cybs.com"])
    assert str(record.etag) in repr(record)


# Calls


def test_calls_are_silent(
    clients: Clients, sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """With every logger at DEBUG, an update says no secret, token or value, whatever signs or encrypts it."""
    caplog.set_level(logging.DEBUG)
    sandbox.trust_secret(MERCHANT_ID, "the-key", SECRET)
    sandbox.trust_certificate(MERCHANT_ID, pem(certificate(MERCHANT_ID)))
    sandbox.trust_response_key(SERIAL, public_pem(rsa_key("response")))
    key = key_pem(rsa_key("response"))
    encryption = MessageEncryption(sandbox.request_certificate, key, SERIAL)
    secret = SharedSecretAuth(MERCHANT_ID, "the-key", SECRET)
    signed = of_pem(certificate=pem(certificate(MERCHANT_ID)), merchant_id=MERCHANT_ID)
    for auth, mle in ((secret, None), (secret, encryption), (signed, encryption)):
        clients.open(auth=auth, encryption=mle, base_url=url).update(PAGE_CUSTOMER_ID, CHANGE)
    assert [received.status for received in sandbox.received] == [200] * 3
    text = "\n".join(logged(caplog))
    assert {"cybersource_tms", "httpx", "httpcore.http11"} <= {record.name for record in caplog.records}
    assert "buyerInformation.email" in text
    tokens = [received.headers["authorization"].split(".")[-1] for received in sandbox.received]
    bodies = [json.loads(received.body)["encryptedRequest"] for received in sandbox.received[1:3]]
    assert not leaks(text, [*secrets(), *VALUES, *tokens, *bodies])
    assert not recwarn.list


def quoting(status: int) -> tuple[int, bytes]:
    """Return a response that quotes everything, in every place that an error has."""
    entry = {"type": f"{EMAIL} {VALUE}", "message": f"{EMAIL} {NAME} {VALUE} {CODE}"}
    return status, json.dumps({"errors": [entry], "message": VALUES, "response": {"rmsg": EMAIL}}).encode()


FAILURES: dict[str, tuple[dict[str, Any], bool]] = {
    **{f"a {status} that quotes": ({"response": quoting(status)}, False) for status in (400, 401, 404, 412, 418, 500)},
    "a 200 that quotes": ({"response": quoting(200)}, False),
    "a customer of a wrong type": (
        {"response": (200, json.dumps(STORED | {"buyerInformation": [EMAIL]}).encode())},
        False,
    ),
    "a customer without id": ({"response": (200, json.dumps(CHANGE.to_dict()).encode())}, False),
    "half a customer": ({"response": (200, json.dumps(STORED).encode()[:-9])}, False),
    "a plain customer": ({"response": (200, json.dumps(STORED).encode())}, True),
    "a token that is none": ({"response": (200, json.dumps({"encryptedResponse": EMAIL}).encode())}, True),
    "no connection": ({"error": httpx.ConnectError("nobody there")}, False),
    "a time-out": ({"error": httpx.ReadTimeout("too long")}, True),
    "a header that is none": ({"error": httpx.LocalProtocolError(f"Illegal header value {SECRET!r}")}, False),
}


def failed(clients: Clients, case: dict[str, Any], *, encrypted: bool, change: Any = CHANGE) -> errors.CybersourceError:
    """Return the error of an update."""
    transport = FixedResponse(*case.get("response", ()), error=case.get("error"))
    auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
    client = clients.open(auth=auth, encryption=both() if encrypted else None, transport=transport)
    with pytest.raises(errors.CybersourceError) as caught:
        client.update(PAGE_CUSTOMER_ID, change)
    return caught.value


@pytest.mark.parametrize(("case", "encrypted"), FAILURES.values(), ids=FAILURES)
def test_failures_of_an_update(
    clients: Clients, caplog: pytest.LogCaptureFixture, case: dict[str, Any], *, encrypted: bool
) -> None:
    """No message, `repr` or log line of a failed update has a value or a secret, ours or what the service says."""
    caplog.set_level(logging.DEBUG)
    error = failed(clients, case, encrypted=encrypted)
    ours = [str(error), repr(error), repr(error.args), *traceback.format_exception_only(error), *logged(caplog)]
    assert not leaks("\n".join(ours), [*VALUES, *secrets()])


BAD_CHANGES: dict[str, CustomerUpdate] = {
    "a type": CustomerUpdate(BuyerInformation(email=[EMAIL])),  # type: ignore[arg-type]
    "a container": CustomerUpdate(EMAIL),  # type: ignore[arg-type]
    "an entry": CustomerUpdate(merchant_defined_information=[VALUE]),  # type: ignore[list-item]
    "a name": CustomerUpdate(merchant_defined_information=[MerchantDefinedInformation(5, VALUE)]),  # type: ignore[arg-type]
    "a surrogate": CustomerUpdate(BuyerInformation(email=EMAIL + "\ud800")),
}


@pytest.mark.parametrize("change", BAD_CHANGES.values(), ids=BAD_CHANGES)
def test_changes_that_are_refused(clients: Clients, caplog: pytest.LogCaptureFixture, change: CustomerUpdate) -> None:
    """What cannot be sent is refused without being repeated."""
    caplog.set_level(logging.DEBUG)
    for encrypted in (False, True):
        error = failed(clients, {}, encrypted=encrypted, change=change)
        assert type(error) is errors.InvalidRequest
        assert not leaks(shown(error, caplog), VALUES)


def test_a_difference_that_is_refused() -> None:
    """The comparison names the field that it refuses, and not what is in it."""
    after = STORED | {"_links": {"self": {"href": EMAIL}}, "merchantDefinedInformation": None}
    with pytest.raises(errors.InvalidRequest) as caught:
        changed_fields(STORED, after)
    assert not leaks("".join(traceback.format_exception(caught.value)), VALUES)


def test_a_fault_of_the_sandbox(clients: Clients, sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """Over a real connection that is cut, the lines of httpcore have no value either."""
    caplog.set_level(logging.DEBUG)
    sandbox.trust_secret(MERCHANT_ID, "the-key", SECRET)
    auth = SharedSecretAuth(MERCHANT_ID, "the-key", SECRET)
    for cut in ("before", "after", "middle"):
        sandbox.fail(Fault(cut=cut))
        with pytest.raises(errors.CybersourceError) as caught:
            clients.open(auth=auth, transport=sandbox.transport).update(PAGE_CUSTOMER_ID, CHANGE)
        assert not leaks(shown(caught.value, caplog), [*VALUES, *secrets()])
