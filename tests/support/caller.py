"""Signed requests for the sandbox, made by hand with plain httpx: nothing here knows the library."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET

PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
CHANGE = {"buyerInformation": {"email": "new@example.com"}}
ABSENT = object()  # the value of what is left out
HOST = "127.0.0.1"
PAGE = json.loads("""{
  "_links": {
    "self": {"href": "/tms/v2/customers/F2F3ADA770102B51E053A2598D0A9078"},
    "paymentInstruments": {"href": "/tms/v2/customers/F2F3ADA770102B51E053A2598D0A9078/payment-instruments"},
    "shippingAddresses": {"href": "/tms/v2/customers/F2F3ADA770102B51E053A2598D0A9078/shipping-addresses"}
  },
  "id": "F2F3ADA770102B51E053A2598D0A9078",
  "buyerInformation": {"merchantCustomerID": "Your customer identifier", "email": "test@cybs.com"},
  "clientReferenceInformation": {"code": "TC50171_3"},
  "merchantDefinedInformation": [{"name": "data1", "value": "Your customer data"}],
  "metadata": {"creator": "testrest"}
}""")


def encode_part(data: object) -> str:
    """Encode bytes, or the JSON of anything else, as a part of a compact JWS."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign_token(claims: object, header: Mapping[str, object] = {}, secret: str = SECRET) -> str:
    """Sign claims; `header` is put over the right one, and what is ABSENT is left out."""
    jose = {"alg": "HS256", "kid": KEY_ID, "typ": "JWT"} | dict(header)
    kept = {name: value for name, value in jose.items() if value is not ABSENT}
    signed = f"{encode_part(kept)}.{encode_part(claims)}"
    return f"{signed}.{encode_part(hmac.new(base64.b64decode(secret), signed.encode(), 'sha256').digest())}"


def right_claims(method: str, path: str, host: str, body: bytes) -> dict[str, Any]:
    """Return the claims that make a token right."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iat": now,
        "exp": now + 120,
        "request-method": method.lower(),
        "request-host": host,
        "request-resource-path": path,
        "iss": MERCHANT_ID,
        "jti": str(uuid.uuid4()),
        "v-c-jwt-version": "2",
        "v-c-merchant-id": MERCHANT_ID,
    }
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return claims | ({"digest": digest, "digestAlgorithm": "SHA-256"} if body else {})


def signed_patch(body: object = CHANGE) -> dict[str, Any]:
    """Return the content and headers of a good PATCH of the page's customer."""
    content = json.dumps(body).encode()
    token = sign_token(right_claims("PATCH", PATH, HOST, content))
    return {"content": content, "headers": {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}}


class Caller:
    """Makes signed requests; `claims` are put over the right ones, and those that are ABSENT are left out."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def send(
        self,
        method: str = "PATCH",
        path: str = PATH,
        body: object = CHANGE,
        headers: Mapping[str, str] | None = None,
        claims: Mapping[str, object] | None = None,
    ) -> httpx.Response:
        """Send a request with a good token, but for what the arguments spoil."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = right_claims(method, path, self.http.base_url.host, content) | dict(claims or {})
        token = sign_token({name: value for name, value in given.items() if value is not ABSENT})
        right = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return self.http.request(method, path, content=content, headers=right | dict(headers or {}))

    def get(
        self, path: str = PATH, headers: Mapping[str, str] | None = None, claims: Mapping[str, object] | None = None
    ) -> httpx.Response:
        """Read a customer as `send` would."""
        return self.send("GET", path, b"", headers, claims)
