"""Credentials that sign each request with a JSON Web Token. Each is an `httpx.Auth`, so it works with any client."""

import base64
import json
import time
import uuid
from collections.abc import Generator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Self

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

from cybersource_tms._tracebacks import raise_without_frames
from cybersource_tms.errors import InvalidRequest

from .arguments import check_id, check_signer, decode_secret, naming
from .certificates import check_validity, key_and_certificate, key_id_of
from .p12 import read_p12
from .pem import certificate_pem, key_pem, read_pem_certificates, read_pem_key

_LIFETIME = 120  # seconds; the service accepts no longer time between `iat` and `exp`
_BACKDATED = 5  # seconds; the service refuses tokens from the future, and clocks differ
_RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_REGISTRY = jws.JWSRegistry(algorithms=["HS256", *_RSA_ALGORITHMS])


class JsonWebTokenAuth(httpx.Auth):
    """Signs each request with a JSON Web Token of its own, which covers a digest of the body as it is sent."""

    requires_request_body = True

    def __init__(
        self,
        header: dict[str, str],
        key: OctKey | RSAKey,
        merchant_id: str,
        issuer: str,
        expires: datetime | None = None,
    ) -> None:
        self._header = {**header, "typ": "JWT"}
        self._key = key
        self._merchant_id = merchant_id
        self._issuer = issuer
        self._expires = expires

    def __repr__(self) -> str:
        return f"{type(self).__name__}(merchant_id={self._merchant_id!r}, key_id={self.key_id!r})"

    @property
    def key_id(self) -> str:
        """The service's id of the signing key."""
        return self._header["kid"]

    @property
    def algorithm(self) -> str:
        """The signature's algorithm, such as HS256 (RFC 7518 section 3.1)."""
        return self._header["alg"]

    @property
    def expires(self) -> datetime | None:
        """When the signing key's certificate expires; None where the key is a shared secret."""
        return self._expires

    @property
    def public_key(self) -> RSAPublicKey | None:
        """The public half of the signing key; None where that is a shared secret."""
        return self._key.public_key if isinstance(self._key, RSAKey) else None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request for the host and path of its URL; any `httpx` client calls this for each request."""
        self.sign(request, request.url.raw_host.decode(), request.url.raw_path.decode())
        yield request

    def sign(self, request: httpx.Request, host: str, path: str, response_key_id: str | None = None) -> None:
        """Set the request's `Authorization` header.

        Args:
            request: The request, with the body that will be sent.
            host: The service's host, which is not the URL's where a proxy forwards the request.
            path: The path at the service.
            response_key_id: The id of the key to encrypt the response for; None asks for a response in plain text.
        """
        payload = json.dumps(self._claims(request, host, path, response_key_id))
        token = jws.serialize_compact(self._header, payload, self._key, registry=_REGISTRY)
        request.headers["Authorization"] = f"Bearer {token}"

    def _claims(self, request: httpx.Request, host: str, path: str, response_key_id: str | None) -> dict[str, object]:
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
        return claims


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
        header = {"alg": "HS256", "kid": check_id("key_id", key_id)}
        signer = check_signer(merchant_id, portfolio_id)
        super().__init__(header, OctKey.import_key(decode_secret(secret)), merchant_id, signer)


class CertificateAuth(JsonWebTokenAuth):
    """Signs with the merchant's private RSA key. A token is good for one request, and for 120 seconds at most.

    Source: the service's guide, "JSON Web Token with a P12 certificate". See `from_p12` for a P12 file.

    Args:
        private_key: The RSA key of 2048 bits or more, as PEM.
        private_key_password: Its password, if it has one.
        certificate: Its certificate as PEM. Of several, it is one whose common name is the signer's and whose key is
            the private key's: one that is valid now, and of those the last to expire.
        merchant_id: The merchant that the requests are for.
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
        private_key: bytes,
        certificate: bytes,
        merchant_id: str,
        private_key_password: str | bytes | None = None,
        portfolio_id: str | None = None,
        algorithm: str = "RS256",
    ) -> None:
        signer = check_signer(merchant_id, portfolio_id)
        if algorithm not in _RSA_ALGORITHMS:
            raise InvalidRequest(f"algorithm: expected one of {', '.join(_RSA_ALGORITHMS)}")
        keys = [read_pem_key("private_key", private_key, private_key_password)]
        key, signing = key_and_certificate(signer, keys, read_pem_certificates("certificate", certificate))
        check_validity("certificate", signer, signing)
        header = {"alg": algorithm, "kid": key_id_of("certificate", signing)}
        super().__init__(header, RSAKey.import_key(key), merchant_id, signer, signing.not_valid_after_utc)

    @classmethod
    @raise_without_frames
    def from_p12(
        cls,
        path: str | Path | bytes,
        password: str | bytes,
        *,
        merchant_id: str,
        portfolio_id: str | None = None,
        algorithm: str = "RS256",
    ) -> Self:
        """Take the key and its certificate from a P12 file, as the Business Center makes it. It is read once.

        Args:
            path: The file, or its content as bytes.
            password: Its password.
            merchant_id: As for the class.
            portfolio_id: As for the class.
            algorithm: As for the class.

        Raises:
            InvalidRequest: As for the class; also: the file cannot be read, is not a P12, or has another password.
        """
        with naming(private_key="path", certificate="path"):
            signer = check_signer(merchant_id, portfolio_id)
            key, certificate = key_and_certificate(signer, *read_p12(path, password))
            return cls(
                private_key=key_pem(key),
                certificate=certificate_pem([certificate]),
                merchant_id=merchant_id,
                portfolio_id=portfolio_id,
                algorithm=algorithm,
            )
