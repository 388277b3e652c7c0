"""The sandbox decrypts requests that are encrypted as documented, and no others, and encrypts responses.

Who comes with what `Sandbox.variables` say is in `test_sandbox_keys.py`.
"""

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

from cybersource_tms_sandbox import Fault, Sandbox
from cybersource_tms_sandbox._jose import decode, decrypt
from support.caller import ABSENT, CHANGE, CHANGED, PAGE, SHARED_SECRET, Caller, digest, encode_part, present
from support.keys import public_pem, rsa_key

OTHER_KEY, RESPONSE_KEY, RESPONSE_ID = rsa_key("other"), rsa_key("response"), "responses-2026"
ASKED = {"v-c-response-mle-kid": RESPONSE_ID}
PLAIN = json.dumps(CHANGE).encode()


def own(sandbox: Sandbox) -> tuple[x509.Certificate, str]:
    """Return the certificate to encrypt for, and its id."""
    certificate = x509.load_pem_x509_certificate(sandbox.request_certificate)
    [attribute] = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    return certificate, str(attribute.value)


def jwe(
    sandbox: Sandbox,
    header: Mapping[str, object] = {},
    public_key: Any = None,
    *,
    mask: hashes.HashAlgorithm | None = None,
    key: int = 32,
    nonce: int = 12,
) -> str:
    """Encrypt for the sandbox as RSA-OAEP-256 and AES-GCM are documented; `header` is put over the right one."""
    certificate, key_id = own(sandbox)
    right = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": key_id, "iat": int(time.time())}
    protected, secret, once = encode_part(present(right | dict(header))), bytes(range(key)), bytes(nonce)
    padding = OAEP(MGF1(mask or hashes.SHA256()), hashes.SHA256(), None)
    receiver: Any = public_key or certificate.public_key()
    wrapped_key = receiver.encrypt(secret, padding)
    ciphertext = AESGCM(secret).encrypt(once, PLAIN, protected.encode())
    return ".".join([protected, *map(encode_part, (wrapped_key, once, ciphertext[:-16], ciphertext[-16:]))])


def wrapped(token: object) -> bytes:
    """Return the body around a token."""
    return json.dumps({"encryptedRequest": token}).encode()


def assert_refused(sandbox: Sandbox, response: httpx.Response, reason: str) -> None:
    """Check that the client learns it in plain JSON, that the sandbox knows why, and that nothing was applied."""
    error = {"type": "invalidRequest", "message": "Invalid HTTP Body"}
    assert (response.status_code, response.json()) == (400, {"errors": [error]})
    assert (sandbox.received[-1].reason, sandbox.received[-1].status) == (reason, 400)
    assert sandbox.customer() == PAGE


# Requests


@pytest.mark.parametrize("seconds", [-240, 0, 3])
def test_encrypted_request(sandbox: Sandbox, caller: Caller, seconds: int) -> None:
    """What was encrypted is applied; what was on the wire is what was signed; both are kept, also beside a fault.

    Some minutes may pass between encrypting and sending, and a clock may be slightly ahead.
    """
    body = wrapped(jwe(sandbox, {"iat": int(time.time()) + seconds}))
    sandbox.fail(Fault(status=503))
    assert (caller.send(body=body).status_code, sandbox.customer()) == (503, PAGE)
    assert caller.send(body=body).json() == CHANGED
    caller.send(body=PLAIN)
    plain = sandbox.received.pop()
    assert (plain.body, plain.plain, plain.encrypted) == (PLAIN, PLAIN, False)
    for received in sandbox.received:
        assert (received.body, received.plain, received.encrypted) == (body, PLAIN, True)
        assert received.claims["digest"] == digest(body)


def test_digest_is_over_the_encrypted_bytes(sandbox: Sandbox, caller: Caller) -> None:
    """The digest of the plain text is wrong, and what is not believed is not decrypted."""
    body = wrapped(jwe(sandbox))
    assert caller.send(body=body, claims={"digest": digest(PLAIN)}).status_code == 401
    [received] = sandbox.received
    assert (received.reason, received.plain, received.encrypted) == ("digest is wrong", body, False)


def with_part(token: str, index: int, change: Callable[[bytes], bytes]) -> str:
    """Change one part of a token."""
    parts = token.split(".")
    parts[index] = encode_part(change(decode(parts[index])))
    return ".".join(parts)


def with_longer_tag(token: str) -> str:
    """Move a byte from the ciphertext to the tag: put together again, they are as they were."""
    last = decode(token.split(".")[3])[-1:]
    return with_part(with_part(token, 3, lambda raw: raw[:-1]), 4, lambda raw: last + raw)


UNREADABLE, UNTIMELY = "the JWE cannot be decrypted", "iat of encryptedRequest is not of now"
NOT_JSON = "the JWE's header is not JSON"
BAD_TOKENS: dict[str, tuple[Callable[[Sandbox], object], str]] = {
    "another key": (lambda it: jwe(it, public_key=OTHER_KEY.public_key()), UNREADABLE),
    "another header": (
        lambda it: ".".join([jwe(it, {"x": 1}).partition(".")[0], jwe(it).partition(".")[2]]),
        UNREADABLE,
    ),
    **{
        f"part {index} {name}": (
            partial(lambda it, index, change: with_part(jwe(it), index, change), index=index, change=change),
            UNREADABLE,
        )
        for index in (1, 2, 3, 4)
        for name, change in {"changed": lambda raw: bytes([raw[0] ^ 1]) + raw[1:], "empty": lambda _: b""}.items()
    },
    "tag too long": (lambda it: with_longer_tag(jwe(it)), UNREADABLE),
    "mask of another hash": (lambda it: jwe(it, mask=hashes.SHA1()), UNREADABLE),
    "short key": (lambda it: jwe(it, key=16), UNREADABLE),
    "long nonce": (lambda it: jwe(it, nonce=16), UNREADABLE),
    "four parts": (lambda it: jwe(it).rpartition(".")[0], UNREADABLE),
    "six parts": (lambda it: jwe(it) + ".", UNREADABLE),
    "padded": (lambda it: jwe(it) + "==", UNREADABLE),
    **{
        f"{name} {value}": (partial(jwe, header={name: value}), f"{name} of encryptedRequest is wrong")
        for name, value in [
            *[("alg", "RSA-OAEP"), ("alg", ["RSA-OAEP-256"]), ("enc", "A128GCM"), ("zip", "DEF"), ("crit", ["iat"])],
            *[("kid", ABSENT), ("kid", RESPONSE_ID)],
        ]
    },
    "X.509 serial": (lambda it: jwe(it, {"kid": str(own(it)[0].serial_number)}), "kid of encryptedRequest is wrong"),
    **{
        f"iat {name}": (partial(jwe, header={"iat": iat}), UNTIMELY)
        for name, iat in {
            "missing": ABSENT,
            "as text": str(int(time.time())),
            "in milliseconds": int(time.time() * 1000),
            "old": int(time.time()) - 310,
            "ahead": int(time.time()) + 3600,
        }.items()
    },
    "empty": (lambda _: "", NOT_JSON),
    "no base64": (lambda it: f"*{jwe(it)}", NOT_JSON),
    "header nested too deep": (lambda _: encode_part(b"[" * 100_000), NOT_JSON),
    "header that is a list": (lambda _: encode_part([1]), "the JWE's header is not a JSON object"),
    "a JWS": (lambda _: SHARED_SECRET.token({}), "alg of encryptedRequest is wrong"),
}


@pytest.mark.parametrize(("token", "reason"), BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_bad_encryption(sandbox: Sandbox, caller: Caller, token: Callable[[Sandbox], object], reason: str) -> None:
    """Each fault in the token is enough for a 400, and leaves the body as it came."""
    body = wrapped(token(sandbox))
    assert_refused(sandbox, caller.send(body=body), reason)
    assert (sandbox.received[0].plain, sandbox.received[0].encrypted) == (body, False)


@pytest.mark.parametrize(
    "content",
    [*({"encryptedRequest": each} for each in (None, 1, {"a": "x"})), {"encryptedRequest": "x", **CHANGE}],
    ids=str,
)
def test_encryption_is_text_and_alone(sandbox: Sandbox, caller: Caller, content: dict[str, Any]) -> None:
    """Nothing may stand in plain text beside what is encrypted."""
    assert_refused(sandbox, caller.send(body=content), "encryptedRequest is not text, or not alone")


def test_encryption_that_is_required(sandbox: Sandbox, caller: Caller) -> None:
    """A plain patch is refused, a plain read is not."""
    sandbox.requires_encryption = True
    assert_refused(sandbox, caller.send(), "the body is not encrypted")
    assert caller.get().status_code == 200
    assert caller.send(body=wrapped(jwe(sandbox))).status_code == 200


# Responses


def decrypted(response: httpx.Response) -> Any:
    """Return the JSON that is encrypted in a response, once its make is as documented."""
    assert response.headers["content-type"] == "application/json;charset=utf-8"
    assert {*response.headers} >= {"v-c-correlation-id", "uniquetransactionid"}
    [(name, token)] = response.json().items()
    header, payload = decrypt(token, RESPONSE_KEY)
    iat = header.pop("iat")
    assert (name, header) == ("encryptedResponse", {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": RESPONSE_ID})
    assert (type(iat), abs(iat - time.time()) < 60) == (int, True)
    return json.loads(payload)


def test_encrypted_responses(sandbox: Sandbox, caller: Caller) -> None:
    """A token asks for that, to a read, a plain patch and an encrypted one; the ETag is plain."""
    sandbox.trust_response_key(RESPONSE_ID, public_pem(RESPONSE_KEY))
    for method, body in [("GET", b""), ("PATCH", PLAIN), ("PATCH", wrapped(jwe(sandbox)))]:
        response = caller.send(method, body=body, claims=ASKED)
        assert (response.status_code, response.headers["etag"]) == (200, sandbox.etag())
        assert decrypted(response) == sandbox.customer()


@pytest.mark.parametrize(
    ("request_", "status"),
    [({"path": "/tms/v2/customers/A"}, 404), ({"body": wrapped("x")}, 400), ({"method": "PUT"}, 405)],
    ids=["no such token", "cannot be decrypted", "no such method"],
)
def test_encrypted_errors(sandbox: Sandbox, caller: Caller, request_: dict[str, Any], status: int) -> None:
    """Errors are encrypted as any response."""
    sandbox.trust_response_key(RESPONSE_ID, public_pem(RESPONSE_KEY))
    response = caller.send(claims=ASKED, **request_)
    assert (response.status_code, [*decrypted(response)]) == (status, ["errors"])


def test_responses_to_faults(sandbox: Sandbox, caller: Caller) -> None:
    """The spec's example is encrypted as the service would do it, not so a 401; what a fault gives is sent as it is."""
    sandbox.trust_response_key(RESPONSE_ID, public_pem(RESPONSE_KEY))
    sandbox.fail(404, 401, Fault(status=404, body=b"{}"), 503)
    assert decrypted(caller.get(claims=ASKED))["errors"][0]["type"] == "notFound"
    assert caller.get(claims=ASKED).json() == {"response": {"rmsg": "Authentication Failed"}}
    assert [caller.get(claims=ASKED).content for _ in range(2)] == [b"{}", b""]
    assert caller.get(claims=ASKED | {"iss": "x"}).json() == {"response": {"rmsg": "Authentication Failed"}}


@pytest.mark.parametrize("key_id", ["x", None, 7], ids=str)
def test_unknown_key_for_responses(sandbox: Sandbox, caller: Caller, key_id: object) -> None:
    """A response that cannot be encrypted as it was asked for is a refusal in plain JSON. An id is text."""
    sandbox.trust_response_key("7", public_pem(RESPONSE_KEY))
    assert_refused(sandbox, caller.send(claims={"v-c-response-mle-kid": key_id}), "v-c-response-mle-kid is unknown")
