"""Credentials of the older kind: HTTP Signature."""

import base64
import hmac
from collections.abc import Generator
from email.utils import formatdate

import httpx

from cybersource_tms._tracebacks import raise_without_frames, warn

from .arguments import check_id, check_signer, decode_secret
from .json_web_token import digest, signed_for


class HttpSignatureAuth(httpx.Auth):
    """Signs with HTTP Signature, which the service has deprecated; it cannot be combined with message-level encryption.

    Source: the service's guide, "HTTP Signature".

    Args:
        merchant_id: As for `SharedSecretAuth`.
        key_id: As for `SharedSecretAuth`.
        secret: As for `SharedSecretAuth`.
        portfolio_id: As for `SharedSecretAuth`.

    Raises:
        InvalidRequest: As for `SharedSecretAuth`.

    Warns:
        DeprecationWarning: Always; `SharedSecretAuth` takes the same arguments.
    """

    requires_request_body = True

    @raise_without_frames
    def __init__(self, merchant_id: str, key_id: str, secret: str, *, portfolio_id: str | None = None) -> None:
        self._signer = check_signer(merchant_id, portfolio_id)
        self._merchant_id = merchant_id
        self._key_id = check_id("key_id", key_id)
        self._key = decode_secret(secret)
        warn(
            "CyberSource ends HTTP Signature in March 2027: use SharedSecretAuth with the same arguments",
            DeprecationWarning,
        )

    def __repr__(self) -> str:
        return f"HttpSignatureAuth(merchant_id={self._merchant_id!r}, key_id={self._key_id!r})"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request; `httpx` calls this for every request that it sends."""
        host, path = signed_for(request)
        signed = {
            "host": host,
            "date": formatdate(usegmt=True),
            "request-target": f"{request.method.lower()} {path}",
        }
        request.headers["Date"] = signed["date"]
        if request.content:
            signed["digest"] = request.headers["Digest"] = f"SHA-256={digest(request.content)}"
        signed["v-c-merchant-id"] = self._signer
        request.headers["v-c-merchant-id"] = self._merchant_id
        text = "\n".join(f"{name}: {value}" for name, value in signed.items())
        signature = base64.b64encode(hmac.digest(self._key, text.encode(), "sha256")).decode()
        request.headers["Signature"] = (
            f'keyid="{self._key_id}", algorithm="HmacSHA256", headers="{" ".join(signed)}", signature="{signature}"'
        )
        yield request
