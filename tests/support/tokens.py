"""The token that credentials put into a request, read by code that shares nothing with what signed it."""

from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from cybersource_tms import CertificateAuth
from cybersource_tms_sandbox._jose import decode, is_signed, load_json
from support.keys import certificate, key_pem, pem, rsa_key

OWNER = "merchant"


def certificate_auth(**options: Any) -> CertificateAuth:
    """Make credentials of PEM, good ones but for what is given."""
    key = {} if "sign" in options else {"private_key": key_pem(rsa_key())}
    return CertificateAuth(**(key | {"certificate": pem(certificate(OWNER)), "merchant_id": OWNER} | options))


def signed(auth: httpx.Auth, request: httpx.Request | None = None) -> httpx.Request:
    """Crank the flow once: one request comes out, and whatever the response, no other follows."""
    flow = auth.sync_auth_flow(request or httpx.Request("PATCH", "https://a.example/", content=b"{}"))
    out = next(flow)
    with pytest.raises(StopIteration):
        flow.send(httpx.Response(401, request=out))
    return out


def token_of(request: httpx.Request) -> str:
    """Return a request's token."""
    [authorization] = request.headers.get_list("Authorization")
    scheme, token = authorization.split(" ")
    assert scheme == "Bearer"
    return str(token)


def verify(request: httpx.Request, key: bytes | RSAPublicKey) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the claims of a request's token, once its signature is found to be the key's."""
    signed_part, _, signature = token_of(request).rpartition(".")
    header, claims = map(load_json, signed_part.split("."))
    assert is_signed(signed_part.encode(), decode(signature), header["alg"], key)
    return header, claims


def header_of(auth: httpx.Auth, signer: str = OWNER) -> dict[str, Any]:
    """Return the header of a token that the credentials sign with somebody's RSA key."""
    return verify(signed(auth), rsa_key(signer).public_key())[0]
