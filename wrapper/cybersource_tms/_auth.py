"""Credentials: each is an `httpx.Auth`, so it works with any `httpx` client and does no I/O."""

import base64
import hmac
import json
import time
import uuid
from collections.abc import Generator
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path
from typing import Self

import httpx
from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

from ._certificates import (
    certificate_of,
    good_now,
    key_id_of,
    read_p12,
    read_pem_certificates,
    read_pem_key,
    refuse_others_key,
)
from ._tracebacks import raise_without_frames, warn
from .errors import InvalidRequest

# In a request's extensions: the id of the key to encrypt the answer for. See _encryption.py.
RESPONSE_KEY_ID = "cybersource_tms.response_key_id"
SIGNED_FOR = "cybersource_tms.signed_for"

_RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_REGISTRY = jws.JWSRegistry(algorithms=["HS256", *_RSA_ALGORITHMS])
LIFETIME = 120  # seconds; the service accepts no longer time between `iat` and `exp`
_MINIMUM_KEY = 32  # bytes; RFC 7518 section 3.2: an HS256 key is at least as long as the hash


class JsonWebTokenAuth(httpx.Auth):
    """Signs each request with a JSON Web Token of its own. It covers a digest of the very bytes that go out."""

    requires_request_body = True

    def __init__(self, header: dict[str, str], key: OctKey | RSAKey, merchant_id: str, issuer: str) -> None:
        self._header = {**header, "typ": "JWT"}
        self._key = key
        self._merchant_id = merchant_id
        self._issuer = issuer

    def __repr__(self) -> str:
        return f"{type(self).__name__}(merchant_id={self._merchant_id!r}, key_id={self._header['kid']!r})"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request; `httpx` calls this for every request that goes out."""
        payload = json.dumps(self._claims(request))
        token = jws.serialize_compact(self._header, payload, self._key, registry=_REGISTRY)
        request.headers["Authorization"] = f"Bearer {token}"
        yield request

    def _claims(self, request: httpx.Request) -> dict[str, object]:
        now = int(time.time())
        claims: dict[str, object] = {
            "iat": now,
            "exp": now + LIFETIME,
            "request-method": request.method.lower(),
            "request-host": request.url.raw_host.decode(),
            "request-resource-path": request.url.raw_path.decode(),
            "iss": self._issuer,
            "jti": str(uuid.uuid4()),
            "v-c-jwt-version": "2",
            "v-c-merchant-id": self._merchant_id,
        }
        if request.content:
            claims |= {"digest": _digest(request.content), "digestAlgorithm": "SHA-256"}
        if RESPONSE_KEY_ID in request.extensions:
            claims["v-c-response-mle-kid"] = request.extensions[RESPONSE_KEY_ID]
        return claims


class SharedSecretAuth(JsonWebTokenAuth):
    """Signs with the merchant's shared secret (HS256). A token is good for one request and for 120 seconds.

    Source: the service's guide, "JSON Web Token with a shared secret".

    Args:
        merchant_id: The merchant that the requests are for.
        key_id: The id of the shared secret, from the Business Center.
        secret: The shared secret as the Business Center shows it: base64 text of 32 bytes or more.
        portfolio_id: With a meta key, the portfolio that owns the key and signs for the merchant.

    Raises:
        InvalidRequest: One of them is not text or empty, or the secret is not base64 or too short.
    """

    @raise_without_frames
    def __init__(self, merchant_id: str, key_id: str, secret: str, *, portfolio_id: str | None = None) -> None:
        header = {"alg": "HS256", "kid": printable("key_id", key_id)}
        issuer = _signer(merchant_id, portfolio_id)
        super().__init__(header, OctKey.import_key(_decoded(secret)), merchant_id, issuer)


class CertificateAuth(JsonWebTokenAuth):
    """Signs with the merchant's private RSA key. A token is good for one request and for 120 seconds.

    Source: the service's guide, "JSON Web Token with a P12 certificate". See `from_p12` for a P12 file.

    Args:
        private_key: The RSA key of 2048 bits or more, as PEM without a password.
        certificate: Its certificate as PEM; of several, the one whose common name is the signer's is taken.
        merchant_id: The merchant that the requests are for.
        portfolio_id: With a meta key, the portfolio that owns the key and signs for the merchant.
        algorithm: RS256, RS384, RS512, PS256, PS384 or PS512.

    Raises:
        InvalidRequest: One of them is wrong, they do not belong together, or the certificate is not valid now.

    Warns:
        UserWarning: The certificate ends within 30 days.
    """

    @raise_without_frames
    def __init__(
        self,
        *,
        private_key: bytes,
        certificate: bytes,
        merchant_id: str,
        portfolio_id: str | None = None,
        algorithm: str = "RS256",
    ) -> None:
        signer = _signer(merchant_id, portfolio_id)
        if algorithm not in _RSA_ALGORITHMS:
            raise InvalidRequest(f"algorithm: expected one of {', '.join(_RSA_ALGORITHMS)}")
        key = read_pem_key("private_key", private_key)
        found = read_pem_certificates("certificate", certificate)
        signing = good_now("certificate", certificate_of("certificate", signer, found))
        refuse_others_key("private_key", key, "certificate", signing)
        super().__init__({"alg": algorithm, "kid": key_id_of(signing)}, RSAKey.import_key(key), merchant_id, signer)

    @classmethod
    @raise_without_frames
    def from_p12(
        cls,
        path: str | Path,
        password: str | bytes,
        *,
        merchant_id: str,
        portfolio_id: str | None = None,
        algorithm: str = "RS256",
    ) -> Self:
        """Take the key and its certificate from a P12 file, as the Business Center makes it. It is read once.

        Args:
            path: The file.
            password: Its password.
            merchant_id: As for the class.
            portfolio_id: As for the class.
            algorithm: As for the class.

        Raises:
            InvalidRequest: As for the class; also: the file cannot be read, is no P12 or has another password.
        """
        key, certificates = read_p12(path, password)
        return cls(
            private_key=key,
            certificate=certificates,
            merchant_id=merchant_id,
            portfolio_id=portfolio_id,
            algorithm=algorithm,
        )


class HttpSignatureAuth(httpx.Auth):
    """Signs with HTTP Signature, which the service has deprecated; it cannot be combined with message-level encryption.

    Source: the service's guide, "HTTP Signature".

    Args:
        merchant_id: The merchant that the requests are for.
        key_id: The id of the shared secret, from the Business Center.
        secret: The shared secret as the Business Center shows it: base64 text of 32 bytes or more.
        portfolio_id: With a meta key, the portfolio that owns the key and signs for the merchant.

    Raises:
        InvalidRequest: One of them is not text or empty, or the secret is not base64 or too short.

    Warns:
        DeprecationWarning: Always; `SharedSecretAuth` takes the same arguments.
    """

    requires_request_body = True

    @raise_without_frames
    def __init__(self, merchant_id: str, key_id: str, secret: str, *, portfolio_id: str | None = None) -> None:
        self._signer = _signer(merchant_id, portfolio_id)
        self._merchant_id = merchant_id
        self._key_id = printable("key_id", key_id)
        self._key = _decoded(secret)
        warn(
            "CyberSource has deprecated HTTP Signature: use SharedSecretAuth with the same key id and secret",
            DeprecationWarning,
        )

    def __repr__(self) -> str:
        return f"HttpSignatureAuth(merchant_id={self._merchant_id!r}, key_id={self._key_id!r})"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request; `httpx` calls this for every request that goes out."""
        signed = {
            "host": request.url.raw_host.decode(),
            "date": formatdate(usegmt=True),
            "request-target": f"{request.method.lower()} {request.url.raw_path.decode()}",
        }
        request.headers["Date"] = signed["date"]
        if request.content:
            signed["digest"] = request.headers["Digest"] = f"SHA-256={_digest(request.content)}"
        signed["v-c-merchant-id"] = self._signer
        request.headers["v-c-merchant-id"] = self._merchant_id
        text = "\n".join(f"{name}: {value}" for name, value in signed.items())
        signature = base64.b64encode(hmac.digest(self._key, text.encode(), "sha256")).decode()
        request.headers["Signature"] = (
            f'keyid="{self._key_id}", algorithm="HmacSHA256", headers="{" ".join(signed)}", signature="{signature}"'
        )
        yield request


def _digest(content: bytes) -> str:
    return base64.b64encode(sha256(content).digest()).decode()


def _signer(merchant_id: str, portfolio_id: str | None) -> str:
    merchant = printable("merchant_id", merchant_id)
    return merchant if portfolio_id is None else printable("portfolio_id", portfolio_id)


def printable(name: str, value: object) -> str:
    """Return an id that can stand in a header and a token, or raise `InvalidRequest`."""
    if isinstance(value, str) and value.strip() and value.isascii() and value.isprintable():  # it may go into a header
        return value
    raise InvalidRequest(f"{name}: expected text of printable ASCII that is not empty")


def _decoded(secret: str) -> bytes:
    text = printable("secret", secret)
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        raise InvalidRequest("secret: not base64 text; copy it again from the Business Center") from None
    if len(key) < _MINIMUM_KEY:
        raise InvalidRequest(f"secret: too short for HS256, which needs {_MINIMUM_KEY} bytes (RFC 7518 section 3.2)")
    return key
