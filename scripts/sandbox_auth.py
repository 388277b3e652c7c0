"""Whether a request is to be believed: by a JSON Web Token or by an HTTP Signature, made with a key that is trusted.

Where nothing is published, this is assumed: a certificate without a serialNumber in its subject has the bytes of its
X.509 serial as the text of its `kid`; an HTTP Signature's Date may be five minutes off, either way; the host that is
signed is the bare one, in both schemes. A certificate's dates and issuer are not looked at.
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID
from starlette.datastructures import Headers

from sandbox_jose import ABSENT, SMALLEST_RSA_KEY, decoded, is_signed, json_in, signing_algorithms
from sandbox_mle import CLOCK_LEEWAY, wrapper

# It stands for the service, so what is signed for one of the service's hosts is signed for it.
SERVICE_HOSTS = (
    "apitest.cybersource.com",
    "api.cybersource.com",
    "api.in.cybersource.com",
    "api.sa.cybersource.com",
    "apitest.sa.cybersource.com",
)
LONGEST_TOKEN_LIFE = 120  # seconds
DATE_WINDOW = 300  # seconds
HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"
UUID4 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
PARAMETERS = ("keyid", "algorithm", "headers", "signature")
SIGNATURE = re.compile(", ".join(f'{name}="(?P<{name}>[^"]*)"' for name in PARAMETERS))


@dataclass
class Received:
    """One request to /tms: `path` is the target as sent, with its query; `status` is None until answered, or if cut.

    `body` is what was on the wire. `plain` is the JSON text that was encrypted in it, or else the same.
    """

    method: str
    path: str
    headers: Headers
    body: bytes
    plain: bytes
    encrypted: bool = False
    believed: bool = False
    status: int | None = None
    reason: str = ""
    claims: dict[str, Any] = field(default_factory=dict)


class Unauthenticated(Exception):
    """Why a request was not believed; the client is not told."""


@dataclass(frozen=True)
class TrustedKey:
    """A shared secret or a certificate's key, whose it is, and the merchants that it speaks for."""

    owner: str
    key: bytes | RSAPublicKey
    merchants: tuple[str, ...]


class Keyring:
    """The keys that are trusted, by their ids, and every `jti` that was seen."""

    def __init__(self) -> None:
        self._keys: dict[str, TrustedKey] = {}
        self._seen: set[str] = set()

    def trust_secret(self, owner: str, key_id: str, secret: str, merchants: Iterable[str]) -> None:
        """Trust a shared secret, in base64."""
        key = base64.b64decode(secret, validate=True)
        self._keys[key_id] = TrustedKey(owner, key, tuple(merchants) or (owner,))

    def trust_certificate(self, owner: str, pem: bytes, merchants: Iterable[str]) -> None:
        """Trust a certificate that its owner may sign with: an RSA key of some length, with the owner's name."""
        certificate = x509.load_pem_x509_certificate(pem)
        key, name = certificate.public_key(), subject(certificate, NameOID.COMMON_NAME)
        if not isinstance(key, RSAPublicKey) or key.key_size < SMALLEST_RSA_KEY:
            raise ValueError(f"not an RSA key of {SMALLEST_RSA_KEY} bits")
        if name is None or name.casefold() != owner.casefold():
            raise ValueError(f"the certificate is for {name}, not for {owner}")
        self._keys[certificate_key_id(certificate)] = TrustedKey(owner, key, tuple(merchants) or (owner,))

    def forget_tokens(self) -> None:
        """Let every `jti` be new again."""
        self._seen.clear()

    def claims(self, request: Received) -> dict[str, Any]:
        """Return what the request's token claims, all of it true; a good HTTP Signature claims nothing."""
        if "signature" in request.headers and "authorization" not in request.headers:
            check_http_signature(request, self._keys)
            return {}
        claims = token_claims(request, self._keys)
        jti = str(claims.get("jti")).lower()
        require(UUID4.fullmatch(jti), "jti is not a UUID v4")
        require(jti not in self._seen, "jti was seen before")
        self._seen.add(jti)
        return claims


def subject(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str | None:
    """Return an attribute of the certificate's subject."""
    attributes = certificate.subject.get_attributes_for_oid(oid)
    return str(attributes[0].value) if attributes else None


def certificate_key_id(certificate: x509.Certificate) -> str:
    """Return the serialNumber in the subject (2.5.4.5), or where there is none the text of the X.509 serial's bytes."""
    serial = certificate.serial_number
    text = serial.to_bytes((serial.bit_length() + 7) // 8).decode("latin-1")
    return subject(certificate, NameOID.SERIAL_NUMBER) or text


def require(fact: object, reason: str) -> None:
    """Refuse to believe the request unless `fact` holds."""
    if not fact:
        raise Unauthenticated(reason)


def require_all(said: Mapping[str, Any], expected: Mapping[str, object]) -> None:
    """Refuse to believe the request unless `said` has all that is expected."""
    for name, value in expected.items():
        require(said.get(name, ABSENT) == value, f"{name} is wrong")


def only_header(request: Received, name: str) -> str:
    """Return a header that must be there once."""
    values = request.headers.getlist(name)
    require(len(values) == 1, f"{name} is not there once")
    return values[0]


def bare_host(request: Received) -> str:
    """Return the Host header without its port and, for IPv6, its brackets."""
    header = request.headers.get("host", "")
    return header[1:].partition("]")[0] if header.startswith("[") else header.partition(":")[0]


def digest_of(body: bytes) -> str:
    """Return the digest as both schemes write it."""
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def token_claims(request: Received, keys: Mapping[str, TrustedKey]) -> dict[str, Any]:
    """Return what the request's token claims, once that is true of the request and of now."""
    claims, key = opened(bearer_token(request), keys)
    require_all(as_documented(claims), expected_claims(request, key, claims.get("request-host")))
    require(claims.get("v-c-merchant-id") in key.merchants, "v-c-merchant-id is wrong")
    require_times(claims.get("iat"), claims.get("exp"))
    return claims


def bearer_token(request: Received) -> str:
    """Return the token of the one Authorization header."""
    header = only_header(request, "Authorization")
    require(header.startswith("Bearer "), "Authorization is not Bearer")
    for name in ("v-c-merchant-id", "date", "digest", "signature"):
        require(name not in request.headers, f"{name} is a header of HTTP Signature")
    return header.removeprefix("Bearer ")


def opened(token: str, keys: Mapping[str, TrustedKey]) -> tuple[dict[str, Any], TrustedKey]:
    """Return a token's claims and the key that has signed them."""
    try:
        jose, payload, signature = token.split(".")
        header, claims, signed = json_in(jose), json_in(payload), decoded(signature)
    except ValueError as error:
        raise Unauthenticated("the token is not a compact JWS") from error
    require(isinstance(header, dict) and isinstance(claims, dict), "the token is not made of JSON objects")
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(key_id, str) or key_id not in keys:
        raise Unauthenticated("kid is wrong")
    key = keys[key_id]
    require(algorithm in signing_algorithms(key.key), "alg is wrong")
    require_all(header, {"typ": "JWT", "crit": ABSENT})
    require(is_signed(f"{jose}.{payload}".encode(), signed, algorithm, key.key), "the signature is wrong")
    return claims, key


def as_documented(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return claims in the guide's spelling: CyberSource's own SDKs spell two of them in another way, and work."""
    spelled = dict(claims)
    if "digest-algorithm" in claims:
        spelled.setdefault("digestAlgorithm", spelled.pop("digest-algorithm"))
    if isinstance(claims.get("request-method"), str):
        spelled["request-method"] = claims["request-method"].lower()
    return spelled


def expected_claims(request: Received, key: TrustedKey, host: object) -> dict[str, object]:
    """Return the claims that have one right value, for a token that was made for a host."""
    return {
        "digest": digest_of(request.body) if request.body else ABSENT,
        "digestAlgorithm": "SHA-256" if request.body else ABSENT,
        "request-method": request.method.lower(),
        "request-host": host if host in SERVICE_HOSTS else bare_host(request),
        "request-resource-path": request.path,
        "iss": key.owner,
        "v-c-jwt-version": "2",
    }


def require_times(iat: object, exp: object) -> None:
    """Refuse a token that is not of now, or that lives too long."""
    if type(iat) is not int or type(exp) is not int:  # a bool is an int
        raise Unauthenticated("iat or exp is not an integer")
    require(1 <= exp - iat <= LONGEST_TOKEN_LIFE, "exp is too far from iat")
    require(iat <= time.time() + CLOCK_LEEWAY, "iat is in the future")
    require(time.time() < exp, "exp is in the past")


def check_http_signature(request: Received, keys: Mapping[str, TrustedKey]) -> None:
    """Refuse a request whose Signature is not a trusted secret's, over just what is to be signed."""
    said = SIGNATURE.fullmatch(only_header(request, "signature"))
    if said is None:
        raise Unauthenticated("signature is not made as documented")
    key = keys.get(said["keyid"])
    if key is None or not isinstance(key.key, bytes):
        raise Unauthenticated("keyid is wrong")
    lines = signed_lines(request, key)
    require_all(said.groupdict(), {"algorithm": "HmacSHA256", "headers": " ".join(lines)})
    hosts = (bare_host(request), *SERVICE_HOSTS)
    right = [http_signature(lines | {"host": host}, key.key) for host in hosts]
    require(said["signature"].encode() in right, "the signature is wrong")
    require(wrapper(request.body) is None, "an encrypted request needs a token")


def http_signature(lines: Mapping[str, str], key: bytes) -> bytes:
    """Return the signature over some lines."""
    message = "\n".join(f"{name}: {value}" for name, value in lines.items())
    return base64.b64encode(hmac.digest(key, message.encode(), "sha256"))


def signed_lines(request: Received, key: TrustedKey) -> dict[str, str]:
    """Return what an HTTP Signature is over. The header names the merchant, and what is signed the key's owner."""
    require(only_header(request, "v-c-merchant-id") in key.merchants, "v-c-merchant-id is wrong")
    date = only_header(request, "date")
    require_date(date)
    target = f"{request.method.lower()} {request.path}"
    return {
        "host": bare_host(request),
        "date": date,
        "request-target": target,
        **digest_line(request),
        "v-c-merchant-id": key.owner,
    }


def digest_line(request: Received) -> dict[str, str]:
    """Return what is signed of the body, which must be what the Digest header says: nothing, where there is none."""
    if not request.body:
        require("digest" not in request.headers, "digest is there without a body")
        return {}
    digest = f"SHA-256={digest_of(request.body)}"
    require(only_header(request, "digest") == digest, "digest is wrong")
    return {"digest": digest}


def require_date(date: str) -> None:
    """Refuse a Date that is not of now, or not written as in RFC 9110 5.6.7."""
    try:
        moment = datetime.strptime(date, HTTP_DATE).replace(tzinfo=UTC)
    except ValueError as error:
        raise Unauthenticated("date is not an HTTP date") from error
    require(moment.strftime(HTTP_DATE) == date, "date is not an HTTP date")  # strptime is lenient
    require(abs(moment.timestamp() - time.time()) <= DATE_WINDOW, "date is not of now")
