"""A key that lives elsewhere: what a `sign` function is given, and what comes of what it returns or raises."""

import base64
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from cybersource_tms import CertificateAuth, MessageEncryption, Retries
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_sandbox import MERCHANT_ID, PAGE_CUSTOMER_ID, Sandbox
from support.clients import NEW_EMAIL, Clients
from support.keys import DAY, PASSWORD, SERIAL, certificate, ec_key, key_pem, p12, pem, public_pem, rsa_key
from support.tokens import OWNER, certificate_auth, header_of, signed, token_of

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
ALGORITHMS = [kind + size for kind in ("RS", "PS") for size in HASHES]
Sign = Callable[[bytes], Any]


def signing(algorithm: str = "RS256", key: RSAPrivateKey | None = None, salt: int | None = None) -> Sign:
    """Return a signer as an HSM would be one, written apart from the library."""
    used = HASHES[algorithm[2:]]
    padding = PKCS1v15() if algorithm[0] == "R" else PSS(MGF1(used), used.digest_size if salt is None else salt)
    return lambda content: (key or rsa_key()).sign(content, padding, used)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("where", ["elsewhere", "PEM", "P12"])
def test_algorithms(algorithm: str, where: str) -> None:
    """Each algorithm's signature, of a signer's or of a key's, is good in another implementation's eyes."""
    sign = {"sign": signing(algorithm)} if where == "elsewhere" else {}
    auth = certificate_auth(algorithm=algorithm, **sign)
    if where == "P12":
        content = p12(certificate(OWNER))
        auth = CertificateAuth.from_p12(content, PASSWORD, merchant_id=OWNER, algorithm=algorithm)
    assert header_of(auth) == {"alg": algorithm, "kid": SERIAL, "typ": "JWT"}


def test_what_is_signed() -> None:
    """The signer gets the header and the claims of one request, as they are sent, once for each request."""
    given: list[bytes] = []

    def sign(content: bytes) -> Any:
        given.append(content)
        return signing()(content)

    credentials = certificate_auth(sign=sign)
    assert given == []
    tokens = [token_of(signed(credentials)) for _ in range(2)]
    assert [content.decode() for content in given] == [token.rpartition(".")[0] for token in tokens]


WRONG: dict[str, tuple[Sign, str]] = {
    "another key's": (signing("PS256", rsa_key("other")), "256 bytes"),
    "another algorithm's": (signing("RS256"), "256 bytes"),
    "of another salt": (signing("PS256", salt=20), "256 bytes"),  # RFC 7518 section 3.5: as long as the hash
    "of the digest": (lambda content: signing("PS256")(sha256(content).digest()), "256 bytes"),
    "in base64": (lambda content: base64.b64encode(signing("PS256")(content)), "344 bytes"),
    "cut": (lambda content: signing("PS256")(content)[:-1], "255 bytes"),
    "nothing": (lambda _: None, "NoneType"),
}


@pytest.mark.parametrize(("sign", "found"), WRONG.values(), ids=WRONG)
def test_a_signature_that_is_none(sign: Sign, found: str) -> None:
    """What is no signature by the certificate's key and the algorithm is refused, and said to be what it is."""
    expected = rf"^sign: it returned {found}, and no PS256 signature by the certificate's key"
    with pytest.raises(InvalidRequest, match=expected) as caught:
        signed(certificate_auth(sign=sign, algorithm="PS256"))
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"sign": b"key"}, "sign: expected a function"),
    ({"sign": httpx.AsyncClient.get}, "sign: expected a function"),
    ({"certificate": pem(certificate(OWNER, ends=-DAY / 2))}, "certificate: .*expired"),
    ({"certificate": pem(certificate(OWNER, ec_key()))}, "certificate: .*not an RSA key"),
]


@pytest.mark.parametrize(("options", "problem"), MISTAKES, ids=["no function", "async", "expired", "elliptic"])
def test_mistakes(options: dict[str, Any], problem: str) -> None:
    """What can be known beforehand is refused when the credentials are made."""
    with pytest.raises(InvalidRequest, match=f"^{problem}"):
        certificate_auth(**({"sign": signing()} | options))


def test_the_best_certificate() -> None:
    """Of several of the merchant's, it is one that is valid now, and of those the last to expire."""
    several = [certificate(OWNER, serial=f"{days}", ends=days * DAY) for days in (-1, 90, 50)]
    assert certificate_auth(sign=signing(), certificate=pem(*several)).key_id == "90"


@pytest.mark.parametrize("error", [ValueError, httpx.ReadTimeout])
def test_a_signer_that_raises(clients: Clients, sandbox: Sandbox, error: type[Exception]) -> None:
    """Its exception comes out as itself, once, whatever it is, with a note that nothing was applied or sent."""
    raised: list[Exception] = []

    def fail(_: bytes) -> bytes:
        raised.append(error("the token is not plugged in"))
        raise raised[-1]

    client = clients.open(
        auth=certificate_auth(sign=fail), transport=sandbox.transport, retries=Retries(initial_delay=0)
    )
    with pytest.raises(error) as caught:
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert [caught.value] == raised
    assert f"the update of customer {PAGE_CUSTOMER_ID} was not applied" in caught.value.__notes__[0]
    assert sandbox.received == []


def test_a_client_that_signs_elsewhere(clients: Clients, sandbox: Sandbox) -> None:
    """The service believes the signature, beside encryption in both directions."""
    sandbox.trust_certificate(MERCHANT_ID, pem(certificate(MERCHANT_ID)))
    sandbox.trust_response_key("response", public_pem(rsa_key("response")))
    encryption = MessageEncryption(sandbox.request_certificate, key_pem(rsa_key("response")), "response")
    auth = certificate_auth(sign=signing(), certificate=pem(certificate(MERCHANT_ID)), merchant_id=MERCHANT_ID)
    client = clients.open(auth=auth, encryption=encryption, transport=sandbox.transport)
    assert client.update(PAGE_CUSTOMER_ID, NEW_EMAIL).etag == sandbox.etag()
    assert (sandbox.received[0].encrypted, sandbox.received[0].claims["v-c-response-mle-kid"]) == (True, "response")
