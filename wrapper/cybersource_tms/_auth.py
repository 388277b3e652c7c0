"""Credentials: each is an `httpx.Auth`, so it works with any `httpx` client and does no I/O."""

import base64
import binascii
import json
import time
import uuid
from collections.abc import Generator
from hashlib import sha256

import httpx
from joserfc import jws
from joserfc.jwk import OctKey

from .errors import InvalidRequest

_REGISTRY = jws.JWSRegistry(algorithms=["HS256"])
_LIFETIME = 120  # seconds; the service accepts no longer time between `iat` and `exp`
_MINIMUM_KEY = 32  # bytes; RFC 7518 section 3.2: an HS256 key is at least as long as the hash


class SharedSecretAuth(httpx.Auth):
    """Signs each request with a JSON Web Token that is made with the merchant's shared secret (HS256).

    The token covers a digest of the very bytes that go out, the method, the host and the path, is good for 120 seconds,
    and has a `jti` of its own, so that nobody can use it twice. Guide: "Construct the JSON Web Token, shared secret".

    Args:
        merchant_id: The merchant that the requests are for.
        key_id: The id of the shared secret, from the Business Center.
        secret: The shared secret as the Business Center shows it: base64 text of 32 bytes or more.
        portfolio_id: With a meta key, the portfolio that owns the key and signs for the merchant.

    Raises:
        InvalidRequest: One of them is not text or empty, or the secret is not base64 or too short.
    """

    requires_request_body = True

    def __init__(self, merchant_id: str, key_id: str, secret: str, *, portfolio_id: str | None = None) -> None:
        self._merchant_id = _text("merchant_id", merchant_id)
        self._key_id = _text("key_id", key_id)
        self._issuer = merchant_id if portfolio_id is None else _text("portfolio_id", portfolio_id)
        self._key = OctKey.import_key(_decoded(secret))

    def __repr__(self) -> str:
        return f"SharedSecretAuth(merchant_id={self._merchant_id!r}, key_id={self._key_id!r})"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request; `httpx` calls this for every request that goes out."""
        header = {"alg": "HS256", "kid": self._key_id, "typ": "JWT"}
        payload = json.dumps(self._claims(request))
        token = jws.serialize_compact(header, payload, self._key, registry=_REGISTRY)
        request.headers["Authorization"] = f"Bearer {token}"
        yield request

    def _claims(self, request: httpx.Request) -> dict[str, object]:
        now = int(time.time())
        body = {"digest": base64.b64encode(sha256(request.content).digest()).decode(), "digestAlgorithm": "SHA-256"}
        return {
            **(body if request.content else {}),
            "iat": now,
            "exp": now + _LIFETIME,
            "request-method": request.method.lower(),
            "request-host": request.url.raw_host.decode(),
            "request-resource-path": request.url.raw_path.decode(),
            "iss": self._issuer,
            "jti": str(uuid.uuid4()),
            "v-c-jwt-version": "2",
            "v-c-merchant-id": self._merchant_id,
        }


def _text(name: str, value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise InvalidRequest(f"{name}: expected text that is not empty")


def _decoded(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidRequest("secret: not base64 text; copy it again from the Business Center") from None
    if len(key) < _MINIMUM_KEY:
        raise InvalidRequest(f"secret: too short for HS256, which needs {_MINIMUM_KEY} bytes (RFC 7518 section 3.2)")
    return key
