"""Message-level encryption, over HTTP against the sandbox: what is on the wire, and that everything odd is refused."""

import base64
import gzip
import hashlib
import json
import time
import warnings
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from joserfc import jwe
from joserfc.errors import UnsupportedAlgorithmError
from joserfc.jwk import ECKey, OctKey, RSAKey

from cybersource_tms import (
    CertificateAuth,
    MessageEncryption,
    errors,
)
from cybersource_tms._credentials import message_encryption
from cybersource_tms_sandbox import MERCHANT_ID, PAGE_CUSTOMER_ID, Sandbox, page_customer
from cybersource_tms_sandbox._jose import decrypt as decrypted
from cybersource_tms_sandbox._jose import encrypt as encrypted
from support import rfc
from support.clients import EMAIL, NEW_EMAIL, Clients
from support.fixed_response import CORRELATION_ID, PAGE, FixedResponse
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
from support.p12_writer import write_p12

PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
PLAIN = b'{"buyerInformation":{"email":"jane.roe@example.com"}}'
RESPONSE_ID = "responses-2026"
HEADER = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": RESPONSE_ID, "iat": 1_700_000_000}


def encoded(raw: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> bytes:
    """Decode base64url without its padding."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


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
        assert not [raw for raw in (body, *map(decoded, parts)) if secret.encode() in raw]


def test_header_of_the_jwe(clients: Clients) -> None:
    """The JOSE header has these four members and no other, and each request a content key of its own."""
    transport = FixedResponse()
    before = int(time.time())
    client = clients.open(encryption=encrypt_requests(), transport=transport)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    tokens = [json.loads(request.content)["encryptedRequest"] for request in transport.requests]
    header = json.loads(decoded(tokens[0].partition(".")[0]))
    iat = header.pop("iat")
    assert header == {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "service-key"}
    assert type(iat) is int
    assert before <= iat <= time.time()
    assert not set(tokens[0].split(".")[1:]) & set(tokens[1].split(".")[1:])


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
    return encrypted(plain, rsa_key(owner).public_key(), {**HEADER, **header, **more})


def encrypted_response(value: object) -> bytes:
    """Return a response with this as its `encryptedResponse`."""
    return json.dumps({"encryptedResponse": value}).encode()


def spoiled(number: int) -> bytes:
    """Return a response of whose token one part has one bit that is wrong."""
    parts = token().split(".")
    raw = bytearray(decoded(parts[number]))
    raw[-2] ^= 1
    parts[number] = encoded(bytes(raw))
    return encrypted_response(".".join(parts))


def with_header(**header: object) -> bytes:
    """Return a response whose token has another header than the one that it was encrypted with."""
    rest = token().partition(".")[2]
    return encrypted_response(f"{encoded(json.dumps({**HEADER, **header}).encode())}.{rest}")


def direct() -> bytes:
    """Return a response whose content key is the merchant's public key."""
    protected = encoded(json.dumps({**HEADER, "alg": "dir"}).encode())
    cipher = AESGCM(hashlib.sha256(public_pem(rsa_key())).digest()).encrypt(bytes(12), PAGE, protected.encode())
    return encrypted_response(
        ".".join([protected, "", encoded(bytes(12)), encoded(cipher[:-16]), encoded(cipher[-16:])])
    )


UNDECRYPTABLE: dict[str, Callable[[], bytes]] = {
    "for another key": lambda: encrypted_response(token(owner="other")),
    "header spoiled": lambda: with_header(iat=1),
    "header without alg": lambda: with_header(alg=None),
    "header that is no object": lambda: encrypted_response(f"{encoded(b'[]')}.{token().partition('.')[2]}"),
    "header that is no JSON": lambda: encrypted_response(f"{encoded(b'{')}.{token().partition('.')[2]}"),
    "encrypted key spoiled": lambda: spoiled(1),
    "iv spoiled": lambda: spoiled(2),
    "ciphertext spoiled": lambda: spoiled(3),
    "tag spoiled": lambda: spoiled(4),
    "tag cut": lambda: encrypted_response(token()[:-8]),
    "no tag": lambda: encrypted_response(token().rpartition(".")[0] + "."),
    "four parts": lambda: encrypted_response(token().rpartition(".")[0]),
    "six parts": lambda: encrypted_response(token() + ".AAAA"),
    "ciphertext cut": lambda: encrypted_response(token()[: len(token()) // 2]),
    "empty": lambda: encrypted_response(""),
    "words": lambda: encrypted_response("not a token"),
    "not ASCII": lambda: encrypted_response("é.é.é.é.é"),
    "a lone surrogate": lambda: encrypted_response("\ud800"),
    "a JWS": lambda: encrypted_response(rfc.RS256_TOKEN),
    "RSA1_5": lambda: with_header(alg="RSA1_5"),
    "A128GCM": lambda: encrypted_response(token(enc="A128GCM")),
    "compressed": lambda: encrypted_response(token(zip="DEF")),
    "critical": lambda: encrypted_response(token(header={"crit": ["x-new"], "x-new": 1})),
    "critical b64": lambda: encrypted_response(token(crit=["b64"], b64=True)),
    "alg none": lambda: with_header(alg="none"),
    "enc none": lambda: with_header(enc="none"),
    "alg in a list": lambda: with_header(alg=["RSA-OAEP-256"]),
    "dir": direct,
}
NOT_ENCRYPTED: dict[str, Callable[[], bytes]] = {
    "plain customer": lambda: PAGE,
    "nothing": lambda: b"",
    "HTML": lambda: b"<html></html>",
    "not UTF-8": lambda: b"\xff\xfe\xfd",
    "nested without end": lambda: b"[" * 100_000,
    "beside another key": lambda: json.dumps({"encryptedResponse": token(), "id": "x"}).encode(),
    "beside a whole customer": lambda: json.dumps({"encryptedResponse": token()} | page_customer()).encode(),
    "in a list": lambda: json.dumps([{"encryptedResponse": token()}]).encode(),
    "only the token": lambda: json.dumps(token()).encode(),
    "other spelling": lambda: json.dumps({"encryptedresponse": token()}).encode(),
} | {
    f"{value!r:.20}": lambda value=value: encrypted_response(value)
    for value in (None, 5, True, ["a.b.c.d.e"], page_customer())
}
TOO_LARGE: dict[str, Callable[[], bytes]] = {"32 MiB": lambda: encrypted_response(f"{token()}{'A' * 2**25}")}


def unreadable(clients: Clients, body: bytes, status: int = 200) -> errors.UnreadableResponse:
    """Return the error of a response, once it is found to say what it should."""
    client = clients.open(encryption=decrypt_responses(), transport=FixedResponse(status, body))
    with pytest.raises(errors.UnreadableResponse) as caught:
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert (caught.value.status_code, caught.value.correlation_id) == (status, CORRELATION_ID)
    assert caught.value.may_have_been_applied is True
    assert CORRELATION_ID in str(caught.value)
    assert "test@cybs.com" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("body", (UNDECRYPTABLE | TOO_LARGE).values(), ids=UNDECRYPTABLE | TOO_LARGE)
def test_a_body_that_cannot_be_decrypted(body: Callable[[], bytes]) -> None:
    """Only what is encrypted as documented, for our key, and whole, is decrypted; a failure names only its kind."""
    with pytest.raises(message_encryption.DecryptionFailed, match=r"^[A-Za-z]+$") as caught:
        decrypt_responses().decrypt_response(body())
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize("body", NOT_ENCRYPTED.values(), ids=NOT_ENCRYPTED)
def test_a_body_that_is_not_encrypted(body: Callable[[], bytes]) -> None:
    """Only a JSON object with nothing but the text `encryptedResponse` is encrypted."""
    assert decrypt_responses().decrypt_response(body()) is None


def test_a_success_is_decrypted_or_refused(clients: Clients) -> None:
    """Of a response that was to be encrypted, neither what cannot be decrypted nor plain text is taken."""
    assert "decrypted" in str(unreadable(clients, spoiled(3)))
    assert "plain text" in str(unreadable(clients, PAGE))


def test_an_error_that_cannot_be_decrypted(clients: Clients) -> None:
    """An error that is encrypted and cannot be decrypted is still the error of its status, without reasons."""
    client = clients.open(encryption=decrypt_responses(), transport=FixedResponse(404, spoiled(3)))
    with pytest.raises(errors.NotFound) as caught:
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value.errors == ()


def test_the_tables_can_fail(clients: Clients) -> None:
    """The same response with nothing wrong is a record."""
    client = clients.open(encryption=decrypt_responses(), transport=FixedResponse(200, encrypted_response(token())))
    record = client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert record.customer.to_dict() == page_customer()
    assert (record.etag, record.correlation_id) == ("etag", CORRELATION_ID)


ISSUED: list[object] = ["1702493653", 1702493653.0, 1702493653, "now", None, [], True]


@pytest.mark.parametrize(
    "header",
    [
        *[{"typ": "JOSE"}, {"cty": "json"}, {"x-new": 1}, {"kid": "another"}, {"alg": "RSA-OAEP"}],
        *[{"iat": iat} for iat in ISSUED],
    ],
    ids=str,
)
def test_members_that_do_not_matter(clients: Clients, header: dict[str, object]) -> None:
    """Other members of a response's header are ignored (RFC 7516 section 4), and RSA-OAEP is as good as the default."""
    body = encrypted_response(token(header=header))
    client = clients.open(encryption=decrypt_responses(), transport=FixedResponse(200, body))
    assert client.update(PAGE_CUSTOMER_ID, NEW_EMAIL).customer.to_dict() == page_customer()


@pytest.mark.parametrize("status", [302, 400, 401, 404, 412, 418, 429, 500, 502])
def test_an_error_in_plain_text(clients: Clients, status: int) -> None:
    """An error that is not encrypted is the error of its status, with its reasons if it has any."""
    body = json.dumps({"errors": [{"type": "reason", "message": "m"}]}).encode()
    entangled = json.dumps({"encryptedResponse": token(), "id": "x"}).encode()
    for content, reasons in ((body, ["reason"]), (b"<html>", []), (entangled, []), (encrypted_response(None), [])):
        client = clients.open(encryption=decrypt_responses(), transport=FixedResponse(status, content))
        with pytest.raises(errors.StatusError) as caught:
            client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        assert [entry.type for entry in caught.value.errors] == reasons
        assert (caught.value.status_code, caught.value.correlation_id) == (status, CORRELATION_ID)


@pytest.mark.parametrize("size", [65_000, 66_000, 2**20])
def test_a_large_response(clients: Clients, sandbox: Sandbox, url: str, size: int) -> None:
    """A customer with much in `_embedded` decrypts, beyond the 64 KiB that joserfc takes by itself."""
    customer = page_customer() | {"_embedded": {"paymentInstruments": "é" * (size // 2)}}
    sandbox.put(customer)
    sandbox.trust_response_key(RESPONSE_ID, public_pem(rsa_key()))
    record = clients.open(encryption=decrypt_responses(), base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert record.customer.to_dict()["_embedded"] == customer["_embedded"]


def test_a_compressed_response(clients: Clients) -> None:
    """HTTP's compression is around the encryption, and undone first."""
    headers = {"Content-Encoding": "gzip", "ETag": "etag"}
    client = clients.open(
        encryption=decrypt_responses(),
        transport=FixedResponse(200, gzip.compress(encrypted_response(token())), headers),
    )
    record = client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert (record.customer.to_dict(), record.etag) == (page_customer(), "etag")


# What cannot be encrypted

BROKEN: dict[str, Callable[[], Any]] = {
    "symmetric key": lambda: OctKey.import_key(bytes(range(32))),
    "elliptic key": lambda: ECKey.generate_key("P-256"),
    "no key at all": object,
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_an_encryption_that_fails(clients: Clients, broken: Callable[[], Any]) -> None:
    """Nothing is sent as plain text instead."""
    transport, encryption = FixedResponse(), encrypt_requests()
    encryption._recipient = broken(), service_certificate()
    with pytest.raises(errors.InvalidRequest, match="nothing was sent") as caught:
        clients.open(encryption=encryption, transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert transport.requests == []
    assert EMAIL not in str(caught.value)


@pytest.mark.parametrize("after", [timedelta(hours=1), 3650 * DAY], ids=["an hour", "years"])
def test_the_certificate_expires_in_use(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, after: timedelta
) -> None:
    """From then on nothing is encrypted with it, nor sent; the message says when it expired. Reading goes on."""
    encryption = MessageEncryption(pem(service_certificate(ends=60 * DAY)), key_pem(rsa_key()), RESPONSE_ID)
    sandbox.trust_response_key(RESPONSE_ID, public_pem(rsa_key()))
    client = clients.open(encryption=encryption, transport=sandbox.transport)
    assert encryption.request_expires
    at = (encryption.request_expires + after).timestamp()
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
    "id alone": ("request_certificate, response_key", lambda: (None, None, "id")),
    "certificate garbage": ("request_certificate", lambda: (b"garbage",)),
    "certificate expired": ("request_certificate: .*expired", lambda: (pem(service_certificate(ends=-DAY / 2)),)),
    "certificate to come": ("request_certificate: .*before", lambda: (pem(service_certificate(starts=DAY)),)),
    "certificate expired among several": (
        "request_certificate: .*expired",
        lambda: (pem(certificate("other"), service_certificate(ends=-DAY / 2)),),
    ),
    "certificate of nobody we know": (
        "request_certificate: .*CyberSource_SJC_US",
        lambda: (pem(certificate("a"), certificate("b")),),
    ),
    "certificate of an elliptic key": (
        "request_certificate: .*RSA",
        lambda: (pem(certificate("CyberSource_SJC_US", ec_key())),),
    ),
    "certificate of a short key": (
        "request_certificate: .*2048",
        lambda: (pem(certificate("CyberSource_SJC_US", rsa_key(bits=1024))),),
    ),
    "key elliptic": ("response_key: .*RSA", lambda: (None, key_pem(ec_key()), "id")),
    "key short": ("response_key: .*2048", lambda: (None, key_pem(rsa_key(bits=1024)), "id")),
    "id a number": ("response_key_id", lambda: (None, key_pem(rsa_key()), 5)),
}


@pytest.mark.parametrize(("match", "arguments"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(match: str, arguments: Callable[[], tuple[Any, ...]]) -> None:
    """What is wrong is refused by name when the encryption is made."""
    with pytest.raises(errors.InvalidRequest, match=f"(?m)^{match}"):
        MessageEncryption(*arguments())


MISTAKES_IN_P12: dict[str, tuple[str, Callable[[], bytes]]] = {
    "no certificate of the service": ("path: .*CyberSource_SJC_US", lambda: p12(certificate(MERCHANT_ID))),
    "no certificate of the merchant": (
        "path: no certificate has the common name of .*; those that are there: other, CyberSource_SJC_US$",
        lambda: p12(certificate("other"), service_certificate()),
    ),
    "expired": (
        "path: .*CyberSource_SJC_US expired",
        lambda: p12(certificate(MERCHANT_ID), service_certificate(ends=-DAY / 2)),
    ),
    "merchant's expired": (
        f"path: .*{MERCHANT_ID} expired",
        lambda: p12(certificate(MERCHANT_ID, ends=-DAY / 2), service_certificate()),
    ),
    "another password": ("password", lambda: p12(certificate(MERCHANT_ID), encryption=protection("another"))),
    "not a P12": ("path", lambda: b"text"),
    "another's key": (
        "path: the private key does not belong",
        lambda: p12(
            certificate("other", rsa_key("other")),
            certificate(MERCHANT_ID),
            service_certificate(),
            key=rsa_key("other"),
        ),
    ),
}


@pytest.mark.parametrize(("match", "content"), MISTAKES_IN_P12.values(), ids=MISTAKES_IN_P12)
def test_mistakes_in_a_p12(tmp_path: Path, match: str, content: Callable[[], bytes]) -> None:
    """A P12 that lacks something for encryption is refused when the encryption is made."""
    path = written(tmp_path, content())
    with pytest.raises(errors.InvalidRequest, match=f"(?m)^{match}") as caught:
        MessageEncryption.from_p12(path, PASSWORD, merchant_id=MERCHANT_ID)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "encryption", [True, "both", {}, httpx.Auth(), MessageEncryption], ids=["true", "text", "dict", "auth", "class"]
)
def test_what_is_no_encryption(clients: Clients, encryption: Any) -> None:
    """A client takes a MessageEncryption and nothing that looks like one."""
    with pytest.raises(errors.InvalidRequest, match=r"^encryption: "):
        clients.open(encryption=encryption)


def test_a_certificate_that_ends_soon(tmp_path: Path) -> None:
    """One UserWarning for each certificate says when it ends."""
    service = service_certificate(ends=DAY * 10)
    path = written(tmp_path, p12(certificate(MERCHANT_ID), service))
    makers: list[Callable[[], object]] = [
        lambda: MessageEncryption(pem(service)),
        lambda: MessageEncryption(pem(service, certificate("other"))),
        lambda: MessageEncryption.from_p12(path, PASSWORD, merchant_id=MERCHANT_ID),
    ]
    for make in makers:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            make()
        assert [warning.category for warning in caught] == [UserWarning]
        assert f"{service.not_valid_after_utc:%Y-%m-%d}" in str(caught[0].message)


# The sandbox's own encryption, and the example of RFC 7516


@pytest.mark.parametrize("plain", [b"", b"{}", PLAIN, "é😀".encode(), bytes(range(256)), b"a" * 200_000], ids=len)
def test_what_we_seal_another_opens(plain: bytes) -> None:
    """What is encrypted here is decrypted by code that shares nothing with joserfc."""
    request = json.loads(encrypt_requests().encrypt_request(plain))["encryptedRequest"]
    header, content = decrypted(request, rsa_key("service"))
    assert content == plain
    assert header == HEADER | {"kid": "service-key", "iat": header["iat"]}


def test_rfc_7516_a1() -> None:
    """The RFC's token is RSA-OAEP: it can be read as a response, and is never made for a request."""
    key = RSAKey.import_key(rfc.JWE_KEY)
    pem = key.as_pem(private=True)
    encryption = MessageEncryption(response_key=pem, response_key_id="id")
    assert encryption.decrypt_response(encrypted_response(rfc.JWE_TOKEN)) == rfc.JWE_PLAIN
    with pytest.raises(UnsupportedAlgorithmError):
        jwe.decrypt_compact(rfc.JWE_TOKEN, key, registry=message_encryption._REQUESTS)


# The keys of a merchant: two P12 files, of which the response key's is one

RESPONSE_SERIAL = "1764104507829324018353"


def response_p12(service: x509.Certificate | None = None, **options: Any) -> bytes:
    """Return the response key's P12, with the service's certificate."""
    key = rsa_key("response")
    own = certificate(MERCHANT_ID, key, RESPONSE_SERIAL, **options)
    return p12(own, service or service_certificate(), key=key)


def ids(encryption: MessageEncryption) -> tuple[str | None, str | None]:
    """Return the ids of the two keys."""
    return encryption.request_key_id, encryption.response_key_id


def from_p12(content: bytes, **options: Any) -> MessageEncryption:
    """Return the encryption of both directions that a P12 makes."""
    return MessageEncryption.from_p12(content, PASSWORD, **{"merchant_id": MERCHANT_ID, **options})


def test_the_response_keys_p12() -> None:
    """One file encrypts both directions, the responses under the id in the file."""
    assert ids(from_p12(response_p12())) == ("service-key", RESPONSE_SERIAL)


def test_a_given_response_key_id_wins() -> None:
    """The id that the Business Center shows comes before the one in the file."""
    assert from_p12(response_p12(), response_key_id="shown").response_key_id == "shown"


def test_a_response_key_without_a_certificate_of_the_merchant() -> None:
    """A key of the merchant's own making needs no certificate, if its id is given."""
    content = p12(certificate("somebody", serial=None), service_certificate())
    assert from_p12(content, response_key_id="shown").response_key_id == "shown"
    with pytest.raises(errors.InvalidRequest, match=r"^path: no certificate has the common name of the merchant"):
        from_p12(content)


def test_several_keys_of_which_none_is_the_merchants() -> None:
    """An id does not say which of several keys it is for."""
    content = write_p12([rsa_key(), rsa_key("other")], [certificate("somebody"), service_certificate()])
    with pytest.raises(errors.InvalidRequest, match=r"^path: no certificate has"):
        from_p12(content, response_key_id="shown")


@pytest.mark.parametrize(
    "content", [p12(certificate("a"), service_certificate()), response_p12()], ids=["one", "other"]
)
def test_requests_only(content: bytes) -> None:
    """Either file of a merchant's encrypts requests, and asks nothing of its own certificate."""
    encryption = MessageEncryption.requests_from_p12(content, PASSWORD)
    assert ids(encryption) == ("service-key", None)


EXPIRED, NEXT = {"starts": -900 * DAY, "ends": -DAY}, {"starts": DAY, "ends": 900 * DAY}


@pytest.mark.parametrize(
    "make", [from_p12, lambda content: MessageEncryption.requests_from_p12(content, PASSWORD)], ids=["both", "requests"]
)
def test_the_services_certificate_has_expired(make: Callable[[bytes], object]) -> None:
    """An expired certificate of the service is refused, and the message says where a new one is to be had."""
    expired = response_p12(service_certificate(**EXPIRED))
    with pytest.raises(errors.InvalidRequest, match=r"^path: .*CyberSource_SJC_US expired on .*Business Center"):
        make(expired)


@pytest.mark.parametrize("order", [1, -1])
def test_which_certificate_of_the_service(order: int) -> None:
    """Of several it is one that is valid now, and of those the last to expire."""
    several = [
        service_certificate(**EXPIRED),
        service_certificate(**NEXT),
        certificate("CyberSource_SJC_US", rsa_key("other"), "right", ends=400 * DAY),
        service_certificate(ends=50 * DAY),
    ][::order]
    assert "right" in ids(MessageEncryption(pem(*several)))
    content = write_p12([rsa_key()], [certificate(MERCHANT_ID), *several])
    assert "right" in ids(from_p12(content))


def test_one_certificate_in_pem_may_have_any_name() -> None:
    """Whoever gives one certificate has chosen it."""
    assert "1" in ids(MessageEncryption(pem(certificate("renamed", serial="1"))))


@pytest.mark.parametrize("password", ["of-the-key", b"of-the-key"])
def test_a_response_key_with_a_password(password: str | bytes) -> None:
    """The key may have a password; a wrong one, or none, is refused by name."""
    key = key_pem(rsa_key(), BestAvailableEncryption(b"of-the-key"))
    MessageEncryption(response_key=key, response_key_id="id", response_key_password=password)
    with pytest.raises(errors.InvalidRequest, match=r"^response_key_password: it does not open the key"):
        MessageEncryption(response_key=key, response_key_id="id", response_key_password="another")
    with pytest.raises(errors.InvalidRequest, match=r"^response_key: the key has a password"):
        MessageEncryption(response_key=key, response_key_id="id")


def sign(key: Any) -> CertificateAuth:
    """Return credentials that sign with a key."""
    own = pem(certificate(MERCHANT_ID, key))
    return CertificateAuth(private_key=key_pem(key), certificate=own, merchant_id=MERCHANT_ID)


def test_the_signing_key_is_not_the_response_key(clients: Clients) -> None:
    """A client refuses it, and says what to look for in the Business Center."""
    encryption = from_p12(response_p12())
    with pytest.raises(errors.InvalidRequest, match=r'^encryption: .*"REST - API Response MLE".*Business Center'):
        clients.open(auth=sign(rsa_key("response")), encryption=encryption)
    clients.open(auth=sign(rsa_key()), encryption=encryption)
    clients.open(auth=sign(rsa_key("response")), encryption=encrypt_requests())


# What a client builds on


def test_an_encrypted_body_without_a_response_key() -> None:
    """Who has no response key cannot read an encrypted body, and it is not taken for plain text."""
    with pytest.raises(message_encryption.DecryptionFailed, match="no response key"):
        encrypt_requests().decrypt_response(encrypted_response(token()))


def test_what_is_not_encrypted_is_unchanged() -> None:
    """Without a certificate of the service, the body of a request is as it was."""
    assert decrypt_responses().encrypt_request(PLAIN) is PLAIN
