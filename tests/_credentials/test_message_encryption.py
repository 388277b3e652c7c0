"""Message-level encryption, over HTTP against the sandbox: what is on the wire, and that everything odd is refused."""

import base64
import gzip
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from unittest.mock import Mock

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from joserfc import jwe
from joserfc.errors import UnsupportedAlgorithmError
from joserfc.jwk import RSAKey

from cybersource_tms import CertificateAuth, MessageEncryption, errors
from cybersource_tms._credentials import message_encryption
from cybersource_tms_sandbox import MERCHANT_ID, PAGE_CUSTOMER_ID, Sandbox, page_customer
from cybersource_tms_sandbox._jose import decode, decrypt, encode, encrypt
from support import rfc
from support.clients import EMAIL, NEW_EMAIL, Clients
from support.fixed_response import CORRELATION_ID, PAGE, FixedResponse
from support.keys import DAY, PASSWORD, SERIAL, certificate, key_pem, p12, pem, public_pem, rsa_key, service_certificate
from support.p12_writer import write_p12

PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
PLAIN = b'{"buyerInformation":{"email":"jane.roe@example.com"}}'
RESPONSE_ID = "responses-2026"
HEADER = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": RESPONSE_ID, "iat": 1_700_000_000}


@cache
def decrypt_responses() -> MessageEncryption:
    """Return the one encryption of responses only: to read its key takes a while."""
    return MessageEncryption(response_key=key_pem(rsa_key()), response_key_id=RESPONSE_ID)


def encrypt_requests() -> MessageEncryption:
    """Return an encryption of requests only, for a service that nobody runs."""
    return MessageEncryption(pem(service_certificate()))


# Over HTTP

MODES = {
    "requests": (True, None),
    "responses": (False, RESPONSE_ID),
    "both": (True, RESPONSE_ID),
    "P12": (True, SERIAL),
}


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Return each way to encrypt in turn."""
    return str(request.param)


@cache
def encryption_for(mode: str, request_certificate: bytes) -> MessageEncryption:
    """Return the one encryption of a kind: to read its key takes a while."""
    if mode == "P12":
        service = x509.load_pem_x509_certificate(request_certificate)
        return MessageEncryption.from_p12(p12(certificate(MERCHANT_ID), service), PASSWORD, merchant_id=MERCHANT_ID)
    requests, key_id = MODES[mode]
    return MessageEncryption(request_certificate if requests else None, key_pem(rsa_key()) if key_id else None, key_id)


@pytest.fixture
def encryption(mode: str, sandbox: Sandbox) -> MessageEncryption:
    """Return an encryption that the sandbox knows the keys of."""
    sandbox.trust_response_key(RESPONSE_ID, public_pem(rsa_key()))
    sandbox.trust_response_key(SERIAL, public_pem(rsa_key()))
    return encryption_for(mode, sandbox.request_certificate)


def test_on_the_wire(clients: Clients, sandbox: Sandbox, url: str, mode: str, encryption: MessageEncryption) -> None:
    """What is to be encrypted is, whole, and what is returned is as without encryption."""
    record = clients.open(encryption=encryption, base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    [received] = sandbox.received
    requests, key_id = MODES[mode]
    assert (received.plain, received.encrypted) == (PLAIN, requests)
    assert received.claims.get("v-c-response-mle-kid") == key_id
    assert received.claims["digest"] == base64.b64encode(hashlib.sha256(received.body).digest()).decode()
    if requests:
        assert_encrypted(received.body, "encryptedRequest")
    else:
        assert received.body == PLAIN
    if key_id:
        assert sandbox.received[0].reply
        assert_encrypted(sandbox.received[0].reply.body, "encryptedResponse")
    assert record.customer.to_dict() == sandbox.customer()
    assert record.customer.to_dict()["buyerInformation"]["email"] == EMAIL
    assert record.etag == sandbox.etag()
    assert record.correlation_id


def assert_encrypted(body: bytes, name: str) -> None:
    """Check that a body has the one key, and nothing of what is inside, in any of its bytes."""
    assert list(json.loads(body)) == [name]
    parts = json.loads(body)[name].split(".")
    assert len(parts) == 5
    for secret in (EMAIL, "jane", "buyerInformation", "email", PAGE_CUSTOMER_ID):
        assert not [raw for raw in (body, *map(decode, parts)) if secret.encode() in raw]


def test_refusals(clients: Clients, sandbox: Sandbox, mode: str, encryption: MessageEncryption) -> None:
    """The reasons are read from an encrypted error too."""
    with pytest.raises(errors.NotFound) as caught:
        clients.open(encryption=encryption, transport=sandbox.transport).update("NOBODY", NEW_EMAIL)
    assert [entry.type for entry in caught.value.errors] == ["notFound"]
    assert caught.value.correlation_id
    assert caught.value.may_have_been_applied is False
    if MODES[mode][1]:
        assert sandbox.received[0].reply
        assert_encrypted(sandbox.received[0].reply.body, "encryptedResponse")


# Responses


def token(plain: bytes = PAGE, header: Mapping[str, object] = {}, owner: str = "merchant", **more: object) -> str:
    """Encrypt for somebody's key in the way that the header says."""
    return encrypt(plain, rsa_key(owner).public_key(), {**HEADER, **header, **more})


def encrypted_response(value: object) -> bytes:
    """Return a response with this as its `encryptedResponse`."""
    return json.dumps({"encryptedResponse": value}).encode()


def spoiled(number: int) -> bytes:
    """Return a response of whose token one part has one bit that is wrong."""
    parts = token().split(".")
    raw = bytearray(decode(parts[number]))
    raw[-2] ^= 1
    parts[number] = encode(bytes(raw))
    return encrypted_response(".".join(parts))


def with_header(**header: object) -> bytes:
    """Return a response whose token has another header than the one that it was encrypted with."""
    rest = token().partition(".")[2]
    return encrypted_response(f"{encode(json.dumps({**HEADER, **header}).encode())}.{rest}")


UNDECRYPTABLE: dict[str, Callable[[], bytes]] = {
    "for another key": lambda: encrypted_response(token(owner="other")),
    "header spoiled": lambda: with_header(iat=1),
    "header without alg": lambda: with_header(alg=None),
    "header that is no object": lambda: encrypted_response(f"{encode(b'[]')}.{token().partition('.')[2]}"),
    "encrypted key spoiled": lambda: spoiled(1),
    "tag spoiled": lambda: spoiled(4),
    "tag cut": lambda: encrypted_response(token()[:-8]),
    "four parts": lambda: encrypted_response(token().rpartition(".")[0]),
    "empty": lambda: encrypted_response(""),
    "a lone surrogate": lambda: encrypted_response("\ud800"),
    "RSA1_5": lambda: with_header(alg="RSA1_5"),
    "compressed": lambda: encrypted_response(token(zip="DEF")),
    "critical b64": lambda: encrypted_response(token(crit=["b64"], b64=True)),
    "alg none": lambda: with_header(alg="none"),
}
NOT_ENCRYPTED: dict[str, Callable[[], bytes]] = {
    "plain customer": lambda: PAGE,
    "not UTF-8": lambda: b"\xff\xfe\xfd",
    "nested without end": lambda: b"[" * 100_000,
    "beside another key": lambda: json.dumps({"encryptedResponse": token(), "id": "x"}).encode(),
    "in a list": lambda: json.dumps([{"encryptedResponse": token()}]).encode(),
} | {f"{value!r:.20}": lambda value=value: encrypted_response(value) for value in (None, ["a.b.c.d.e"])}


@pytest.mark.parametrize("body", UNDECRYPTABLE.values(), ids=UNDECRYPTABLE)
def test_a_body_that_cannot_be_decrypted(body: Callable[[], bytes]) -> None:
    """Only what is encrypted as documented, for our key, and whole, is decrypted; a failure names only its kind."""
    with pytest.raises(message_encryption.DecryptionFailed, match=r"^[A-Za-z]+$") as caught:
        decrypt_responses().decrypt_response(body())
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize("body", NOT_ENCRYPTED.values(), ids=NOT_ENCRYPTED)
def test_a_body_that_is_not_encrypted(body: Callable[[], bytes]) -> None:
    """Only a JSON object with nothing but the text `encryptedResponse` is encrypted."""
    assert decrypt_responses().decrypt_response(body()) is None


READABLE: list[dict[str, Any]] = [{}, {"cty": "json"}, {"kid": "another"}, {"alg": "RSA-OAEP"}, {"iat": "now"}]


@pytest.mark.parametrize("header", READABLE, ids=str)
def test_members_that_do_not_matter(clients: Clients, header: dict[str, object]) -> None:
    """Other members of a response's header are ignored (RFC 7516 section 4), and RSA-OAEP is as good as the default."""
    transport = FixedResponse(200, encrypted_response(token(header=header)))
    record = clients.open(encryption=decrypt_responses(), transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert record.customer.to_dict() == page_customer()
    assert (record.etag, record.correlation_id) == ("etag", CORRELATION_ID)


def test_a_large_response(clients: Clients, sandbox: Sandbox, url: str) -> None:
    """A customer with much in `_embedded` decrypts, beyond the 64 KiB that joserfc takes by itself."""
    customer = page_customer() | {"_embedded": {"paymentInstruments": "é" * 2**19}}
    sandbox.put(customer)
    sandbox.trust_response_key(RESPONSE_ID, public_pem(rsa_key()))
    record = clients.open(encryption=decrypt_responses(), base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert record.customer.to_dict()["_embedded"] == customer["_embedded"]


def test_a_compressed_response(clients: Clients) -> None:
    """HTTP's compression is around the encryption, and undone first."""
    transport = FixedResponse(200, gzip.compress(encrypted_response(token())), {"Content-Encoding": "gzip"})
    record = clients.open(encryption=decrypt_responses(), transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert record.customer.to_dict() == page_customer()


# What cannot be encrypted


def test_an_encryption_that_fails(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent as plain text instead: whatever is raised comes out."""
    transport, error = FixedResponse(), RuntimeError("no entropy")
    monkeypatch.setattr(jwe, "encrypt_compact", Mock(side_effect=error))
    with pytest.raises(RuntimeError) as caught:
        clients.open(encryption=encrypt_requests(), transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert (caught.value, transport.requests) == (error, [])


def test_the_certificate_expires_in_use(clients: Clients, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    """From then on nothing is encrypted with it, nor sent; the message says when it expired. Reading goes on."""
    encryption = MessageEncryption(pem(service_certificate(ends=60 * DAY)), key_pem(rsa_key()), RESPONSE_ID)
    sandbox.trust_response_key(RESPONSE_ID, public_pem(rsa_key()))
    client = clients.open(encryption=encryption, transport=sandbox.transport)
    assert encryption.request_expires
    at = (encryption.request_expires + DAY / 24).timestamp()
    monkeypatch.setattr(time, "time", lambda: at)
    expired = rf"^encryption: the certificate of CyberSource_SJC_US expired on {encryption.request_expires:%Y-%m-%d}"
    with pytest.raises(errors.InvalidRequest, match=expired):
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert sandbox.received == []
    assert client.retrieve(PAGE_CUSTOMER_ID).customer.to_dict() == page_customer()


# Mistakes

MISTAKES: dict[str, tuple[str, Callable[[], tuple[Any, ...]]]] = {
    "nothing": ("request_certificate, response_key", lambda: ()),
    "key without id": ("response_key, response_key_id", lambda: (None, key_pem(rsa_key()))),
    "key with an empty id": ("response_key, response_key_id", lambda: (None, key_pem(rsa_key()), "")),
    "id without key": ("response_key, response_key_id", lambda: (pem(service_certificate()), None, "id")),
    "certificate garbage": ("request_certificate", lambda: (b"garbage",)),
    "certificate expired": ("request_certificate: .*expired", lambda: (pem(service_certificate(ends=-DAY / 2)),)),
    "certificate of nobody we know": (
        "request_certificate: .*CyberSource_SJC_US",
        lambda: (pem(certificate("a"), certificate("b")),),
    ),
    "certificate of a short key": (
        "request_certificate: .*2048",
        lambda: (pem(certificate("CyberSource_SJC_US", rsa_key(bits=1024))),),
    ),
    "key short": ("response_key: .*2048", lambda: (None, key_pem(rsa_key(bits=1024)), "id")),
    "key with a password": (
        "response_key: the key has a password",
        lambda: (None, key_pem(rsa_key(), BestAvailableEncryption(b"x")), "id"),
    ),
    "id a number": ("response_key_id", lambda: (None, key_pem(rsa_key()), 5)),
}


@pytest.mark.parametrize(("match", "arguments"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(match: str, arguments: Callable[[], tuple[Any, ...]]) -> None:
    """What is wrong is refused by name when the encryption is made."""
    with pytest.raises(errors.InvalidRequest, match=f"(?m)^{match}"):
        MessageEncryption(*arguments())


EXPIRED, NEXT = {"starts": -900 * DAY, "ends": -DAY}, {"starts": DAY, "ends": 900 * DAY}
MISTAKES_IN_P12: dict[str, tuple[str, Callable[[], bytes]]] = {
    "no certificate of the service": ("no certificate .*CyberSource_SJC_US", lambda: p12(certificate(MERCHANT_ID))),
    "service's expired": (
        "the certificate of CyberSource_SJC_US expired on .*Business Center",
        lambda: p12(certificate(MERCHANT_ID), service_certificate(**EXPIRED)),
    ),
    "merchant's expired": (
        f"the certificate of {MERCHANT_ID} expired",
        lambda: p12(certificate(MERCHANT_ID, ends=-DAY), service_certificate()),
    ),
}


@pytest.mark.parametrize(("problem", "content"), MISTAKES_IN_P12.values(), ids=MISTAKES_IN_P12)
def test_mistakes_in_a_p12(problem: str, content: Callable[[], bytes]) -> None:
    """A P12 that lacks something for encryption is refused, and what is about the service also for requests alone."""
    with pytest.raises(errors.InvalidRequest, match=f"(?m)^path: {problem}"):
        from_p12(content())
    if MERCHANT_ID not in problem:
        with pytest.raises(errors.InvalidRequest, match=f"(?m)^path: {problem}"):
            MessageEncryption.requests_from_p12(content(), PASSWORD)


def test_a_certificate_that_ends_soon() -> None:
    """One UserWarning for each certificate says when it ends."""
    service = service_certificate(ends=DAY * 10)
    makers: list[Callable[[], object]] = [
        lambda: MessageEncryption(pem(service)),
        lambda: from_p12(p12(certificate(MERCHANT_ID), service)),
    ]
    for make in makers:
        with pytest.warns(UserWarning, match=f"{service.not_valid_after_utc:%Y-%m-%d}") as caught:
            make()
        assert len(caught) == 1


# The sandbox's own encryption, and the example of RFC 7516


@pytest.mark.parametrize("plain", [b"", bytes(range(256)), b"a" * 200_000], ids=len)
def test_what_we_seal_another_opens(plain: bytes) -> None:
    """Code that shares nothing with joserfc decrypts it; its header has four members, its content key is new."""
    before = int(time.time())
    tokens = [json.loads(encrypt_requests().encrypt_request(plain))["encryptedRequest"] for _ in range(2)]
    header, content = decrypt(tokens[0], rsa_key("service"))
    assert content == plain
    assert header == HEADER | {"kid": "service-key", "iat": header["iat"]}
    assert type(header["iat"]) is int
    assert before <= header["iat"] <= time.time()
    parts = [{part for part in token.split(".")[1:] if part} for token in tokens]
    assert not parts[0] & parts[1]


def test_rfc_7516_a1() -> None:
    """The RFC's token is RSA-OAEP: it can be read as a response, and is never made for a request."""
    key = RSAKey.import_key(rfc.JWE_KEY)
    encryption = MessageEncryption(response_key=key.as_pem(private=True), response_key_id="id")
    assert encryption.decrypt_response(encrypted_response(rfc.JWE_TOKEN)) == rfc.JWE_PLAIN
    with pytest.raises(UnsupportedAlgorithmError):
        jwe.decrypt_compact(rfc.JWE_TOKEN, key, registry=message_encryption._REQUESTS)


# The keys of a merchant: two P12 files, of which the response key's is one

RESPONSE_SERIAL = "1764104507829324018353"


def response_p12() -> bytes:
    """Return the response key's P12, with the service's certificate."""
    key = rsa_key("response")
    return p12(certificate(MERCHANT_ID, key, RESPONSE_SERIAL), service_certificate(), key=key)


def from_p12(content: bytes, **options: Any) -> MessageEncryption:
    """Return the encryption of both directions that a P12 makes."""
    return MessageEncryption.from_p12(content, PASSWORD, **{"merchant_id": MERCHANT_ID, **options})


def test_ids_of_a_p12() -> None:
    """One file encrypts both directions, the responses under the id that is given, or else that in the file."""
    for given, expected in ((None, RESPONSE_SERIAL), ("shown", "shown")):
        encryption = from_p12(response_p12(), response_key_id=given)
        assert (encryption.request_key_id, encryption.response_key_id) == ("service-key", expected)
    requests = MessageEncryption.requests_from_p12(response_p12(), PASSWORD)
    assert (requests.request_key_id, requests.response_key_id) == ("service-key", None)


def test_a_response_key_without_a_certificate_of_the_merchant() -> None:
    """A key of the merchant's own making needs no certificate, if its id is given, and it is the only key."""
    content = p12(certificate("somebody", serial=None), service_certificate())
    assert from_p12(content, response_key_id="shown").response_key_id == "shown"
    several = write_p12([rsa_key(), rsa_key("other")], [certificate("somebody"), service_certificate()])
    for refused, options in ((content, {}), (several, {"response_key_id": "shown"})):
        with pytest.raises(errors.InvalidRequest, match=r"^path: no certificate has the common name of the merchant"):
            from_p12(refused, **options)


@pytest.mark.parametrize("order", [1, -1])
def test_which_certificate_of_the_service(order: int) -> None:
    """Of several it is one that is valid now, and of those the last to expire."""
    several = [
        service_certificate(**EXPIRED),
        service_certificate(**NEXT),
        certificate("CyberSource_SJC_US", rsa_key("other"), "right", ends=400 * DAY),
        service_certificate(ends=50 * DAY),
    ][::order]
    assert MessageEncryption(pem(*several)).request_key_id == "right"
    content = write_p12([rsa_key()], [certificate(MERCHANT_ID), *several])
    assert from_p12(content).request_key_id == "right"


def test_one_certificate_in_pem_may_have_any_name() -> None:
    """Whoever gives one certificate has chosen it."""
    assert MessageEncryption(pem(certificate("renamed", serial="1"))).request_key_id == "1"


def test_a_response_key_with_a_password() -> None:
    """The key may have a password; a wrong one is refused by name."""
    key = key_pem(rsa_key(), BestAvailableEncryption(b"of-the-key"))
    assert MessageEncryption(None, key, "id", response_key_password="of-the-key").response_key_id == "id"
    with pytest.raises(errors.InvalidRequest, match=r"^response_key_password: it does not open the key"):
        MessageEncryption(None, key, "id", response_key_password="another")


def test_the_signing_key_is_not_the_response_key(clients: Clients) -> None:
    """A client refuses it, and says what to look for in the Business Center."""
    key, encryption = rsa_key("response"), from_p12(response_p12())
    own = pem(certificate(MERCHANT_ID, key))
    auth = CertificateAuth(private_key=key_pem(key), certificate=own, merchant_id=MERCHANT_ID)
    with pytest.raises(errors.InvalidRequest, match=r'^encryption: .*"REST - API Response MLE".*Business Center'):
        clients.open(auth=auth, encryption=encryption)
    clients.open(auth=auth, encryption=encrypt_requests())
