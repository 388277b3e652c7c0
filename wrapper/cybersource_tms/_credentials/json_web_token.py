"""Credentials that sign each request with a JSON Web Token. Each is an `httpx.Auth`, so it works with any client."""

import base64
import hmac
import json
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Self

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding

from cybersource_tms._tracebacks import raise_without_frames
from cybersource_tms.errors import InvalidRequest

from .arguments import check_id, check_owner, naming, show
from .certificates import certificates_of, identify, key_and_certificate, read_certificates, read_key
from .p12 import read_p12

Sign = Callable[[bytes], bytes]

_LIFETIME = 120  # seconds; the service accepts no longer time between `iat` and `exp`
_MINIMUM_KEY = 32  # bytes; RFC 7518 section 3.2: an HS256 key is at least as long as the hash
_BACKDATED = 5  # seconds; the service refuses tokens from the future, and clocks differ
_HASHES = (SHA256(), SHA384(), SHA512())
# RFC 7518 sections 3.3 and 3.5
_SCHEMES: dict[str, tuple[PKCS1v15 | PSS, SHA256 | SHA384 | SHA512]] = {
    **{f"RS{each.digest_size * 8}": (PKCS1v15(), each) for each in _HASHES},
    **{f"PS{each.digest_size * 8}": (PSS(MGF1(each), each.digest_size), each) for each in _HASHES},
}


class JsonWebTokenAuth(httpx.Auth):
    """Signs each request with a JSON Web Token of its own, which covers a digest of the body as it is sent.

    Attributes:
        key_id: The service's id of the signing key.
        algorithm: The signature's algorithm, such as HS256 (RFC 7518 section 3.1).
        expires: When the signing key's certificate expires; None where the key is a shared secret.
        public_key: The public half of the signing key; None where that is a shared secret.
    """

    requires_request_body = True
    expires: datetime | None = None
    public_key: RSAPublicKey | None = None

    def __init__(self, sign: Sign, algorithm: str, key_id: str, merchant_id: str, issuer: str) -> None:
        self.algorithm = algorithm
        self.key_id = key_id
        self._header = _base64url(json.dumps({"alg": algorithm, "kid": key_id, "typ": "JWT"}).encode())
        self._sign = sign
        self._merchant_id = merchant_id
        self._issuer = issuer

    def __repr__(self) -> str:
        return f"{type(self).__name__}(key_id={show(self.key_id, confirmed=self.public_key is not None)!r})"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request for the host and path of its URL; any `httpx` client calls this."""
        self.sign(request, request.url.raw_host.decode(), request.url.raw_path.decode())
        yield request

    def sign(self, request: httpx.Request, host: str, path: str, response_key_id: str | None = None) -> None:
        """Set the `Authorization` header of a request with its body, for a host and a path at the service.

        With a `response_key_id` the token asks for a response that is encrypted for that key.
        """
        issued = int(time.time()) - _BACKDATED
        claims: dict[str, object] = {
            "iat": issued,
            "exp": issued + _LIFETIME,
            "request-method": request.method.lower(),
            "request-host": host,
            "request-resource-path": path,
            "iss": self._issuer,
            "jti": str(uuid.uuid4()),
            "v-c-jwt-version": "2",
            "v-c-merchant-id": self._merchant_id,
        }
        if request.content:
            digest = base64.b64encode(sha256(request.content).digest()).decode()
            claims |= {"digest": digest, "digestAlgorithm": "SHA-256"}
        if response_key_id is not None:
            claims["v-c-response-mle-kid"] = response_key_id
        signed = b".".join((self._header, _base64url(json.dumps(claims).encode())))
        token = b".".join((signed, _base64url(self._sign(signed))))
        request.headers["Authorization"] = f"Bearer {token.decode()}"


class SharedSecretAuth(JsonWebTokenAuth):
    """Signs with the merchant's shared secret (HS256). A token is good for one request, and for 120 seconds at most.

    Source: the service's guide, "JSON Web Token with a shared secret".

    Args:
        merchant_id: The merchant that the requests are for.
        key_id: The id of the shared secret, from the Business Center.
        secret: The shared secret as the Business Center shows it: base64 text of 32 bytes or more.
        portfolio_id: With a meta key, the portfolio that owns the key and signs for the merchant.

    Raises:
        InvalidRequest: An id is empty, is not printable ASCII, holds a quote, or starts or ends with a blank or a line
            break; or the secret is not base64 or too short.
    """

    @raise_without_frames
    def __init__(self, merchant_id: str, key_id: str, secret: str, *, portfolio_id: str | None = None) -> None:
        issuer = check_owner(merchant_id, portfolio_id)
        text, key = check_id("secret", secret), b""
        with suppress(ValueError):
            key = base64.b64decode(text, validate=True)
        if len(key) < _MINIMUM_KEY:
            expected = f"expected base64 of {_MINIMUM_KEY} bytes or more"
            raise InvalidRequest(f"secret: {expected}; copy it from the Business Center")
        ids = {"merchant_id": merchant_id, "key_id": check_id("key_id", key_id), "portfolio_id": portfolio_id}
        if pasted := [name for name, value in ids.items() if value == secret]:
            raise InvalidRequest(f"{', '.join(pasted)}: it holds the secret; give the id")
        super().__init__(lambda content: hmac.digest(key, content, "sha256"), "HS256", key_id, merchant_id, issuer)


class CertificateAuth(JsonWebTokenAuth):
    """Signs with the merchant's private RSA key. A token is good for one request, and for 120 seconds at most.

    Source: the service's guide, "JSON Web Token with a P12 certificate". See `from_p12` for a P12 file.

    Args:
        certificate: The key's certificate as PEM. Of several, it is one whose common name is the signer's and whose key
            is the private key's: one that is valid now, and of those the last to expire.
        merchant_id: The merchant that the requests are for.
        private_key: The RSA key of 2048 bits or more, as PEM.
        private_key_password: Its password, if it has one.
        sign: In place of `private_key`, a function that signs bytes by `algorithm`, for a key in an HSM or a cloud. It
            is called once for each request, in the thread or the event loop that sends it. What it returns is verified
            with the certificate, and what it raises reaches the client's caller.
        portfolio_id: With a meta key, the portfolio that owns the key and signs for the merchant.
        algorithm: RS256, RS384, RS512, PS256, PS384 or PS512.

    Raises:
        InvalidRequest: One of them is wrong, they do not belong together, or the certificate is not valid now.

    Warns:
        UserWarning: The certificate expires within 30 days.
    """

    @raise_without_frames
    def __init__(
        self,
        *,
        certificate: bytes,
        merchant_id: str,
        private_key: bytes | None = None,
        private_key_password: str | bytes | None = None,
        sign: Sign | None = None,
        portfolio_id: str | None = None,
        algorithm: str = "RS256",
    ) -> None:
        owner = check_owner(merchant_id, portfolio_id)
        if algorithm not in tuple(_SCHEMES):
            raise InvalidRequest(f"algorithm: expected one of {', '.join(_SCHEMES)}")
        if (private_key is None) == (sign is None):
            raise InvalidRequest("private_key, sign: give one of them")
        certificates = read_certificates("certificate", certificate)
        if sign is None:
            keys = [read_key("private_key", private_key, private_key_password)]
            key, own = key_and_certificate(owner, keys, certificates)
            sign = _signing_with(key, algorithm)
        else:
            own = certificates_of("certificate", owner, certificates)[0]
        self.public_key, key_id = identify("certificate", own)
        self.expires = own.not_valid_after_utc
        super().__init__(_verified(sign, self.public_key, algorithm), algorithm, key_id, merchant_id, owner)

    @classmethod
    @raise_without_frames
    def from_p12(
        cls,
        path: str | Path | bytes,
        password: str | bytes | None = None,
        *,
        merchant_id: str,
        portfolio_id: str | None = None,
        algorithm: str = "RS256",
    ) -> Self:
        """Take the key and its certificate from a P12 file, as the Business Center makes it. It is read once.

        Args:
            path: The file, or its content as bytes.
            password: Its password; None or empty if it has none.
            merchant_id: As for the class.
            portfolio_id: As for the class.
            algorithm: As for the class.

        Raises:
            InvalidRequest: As for the class; also: the file cannot be read, is not a P12, or has another password.
        """
        with naming(private_key="path", certificate="path"):
            key, own = key_and_certificate(check_owner(merchant_id, portfolio_id), *read_p12(path, password))
            return cls(
                certificate=own.public_bytes(Encoding.PEM),
                merchant_id=merchant_id,
                sign=_signing_with(key, algorithm),
                portfolio_id=portfolio_id,
                algorithm=algorithm,
            )


def _signing_with(key: RSAPrivateKey, algorithm: str) -> Sign:
    return lambda content: key.sign(content, *_SCHEMES[algorithm])


def _verified(sign: object, key: RSAPublicKey, algorithm: str) -> Sign:
    """Return a function that signs and verifies: the service would not say what is wrong with a signature."""
    if not callable(sign) or iscoroutinefunction(sign):
        raise InvalidRequest("sign: expected a function that takes bytes and returns their signature, and is not async")

    def sign_and_verify(content: bytes) -> bytes:
        signature: object = sign(content)
        if isinstance(signature, bytes):
            with suppress(InvalidSignature):
                key.verify(signature, content, *_SCHEMES[algorithm])
                return signature
        found = f"{len(signature)} bytes" if isinstance(signature, bytes) else type(signature).__name__
        raise InvalidRequest(f"sign: it returned {found}, and no {algorithm} signature by the certificate's key")

    return sign_and_verify


def _base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
