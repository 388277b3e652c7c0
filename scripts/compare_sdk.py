"""Compares the requests of CyberSource's Python SDK with those of this library; scripts/compare_sdk runs it."""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509

from cybersource_tms import (
    BuyerInformation,
    CertificateAuth,
    CustomersClient,
    CustomerUpdate,
    Environment,
    MessageEncryption,
    ObjectInformation,
    SharedSecretAuth,
)
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Received, Sandbox
from support.keys import PASSWORD, certificate, p12, pem, public_pem, rsa_key, written

PORTFOLIO, META_KEY_ID = "testportfolio", "meta-secret"
UPDATE = CustomerUpdate(BuyerInformation(email="new@example.com"), object_information=ObjectInformation(title=None))
# The known differences, as "name: theirs | ours", and why we differ.
REASONS = {
    "claim iat: 0 s ago | 5 s ago": "a clock may be a few seconds ahead, and tokens from the future are refused",
    "claim request-method: GET | get": "the guide says lower case; the service takes both",
    "claim request-method: PATCH | patch": "the guide says lower case; the service takes both",
    "header accept-encoding: * | gzip": "we accept compressed responses",
    "header connection: none | keep-alive": "the default of HTTP/1.1, sent explicitly",
    "header host: * | 127.0.0.1:*": "base_url says where requests are sent; both sign the environment's host",
    "header user-agent: Swagger-Codegen/* | cybersource-tms/*": "each sends its own name",
    "header v-c-client-id: cybs-rest-sdk-python-* | none": "the SDK's name and version; the guide does not ask for it",
    "header v-c-sdk-telemetry-merchant-id: * | none": "the SDK's telemetry; the guide does not ask for it",
}


def main(python: str) -> int:
    """Print how the requests differ, and return the exit code."""
    sandbox, flagged = Sandbox(), 0
    with sandbox.running() as url, tempfile.TemporaryDirectory() as folder:
        make_keys(sandbox, Path(folder))
        for name, config in configurations(Path(folder)).items():
            theirs, ours = send_theirs(sandbox, url, python, config), send_ours(sandbox, url, config)
            for their_request, our_request in zip(theirs, ours, strict=True):
                print(f"\n{name}, {our_request.method}")
                for line in compare(their_request, our_request):
                    print(f"  {line}")
                    flagged += line.endswith("FLAGGED")
    print(f"\n{flagged} differences without a known reason")
    return 1 if flagged else 0


def make_keys(sandbox: Sandbox, folder: Path) -> None:
    """Make keys that the sandbox trusts, and write their files."""
    service = x509.load_pem_x509_certificate(sandbox.request_certificate)
    written(folder, sandbox.request_certificate, "service.pem")
    for name, owner in {"signing": MERCHANT_ID, "meta": PORTFOLIO, "response": MERCHANT_ID}.items():
        own = certificate(owner, rsa_key(name), f"{name}-key")
        written(folder, p12(own, service, key=rsa_key(name)), f"{name}.p12")
        if name == "response":
            sandbox.trust_response_key(f"{name}-key", public_pem(rsa_key(name)))
        else:
            sandbox.trust_certificate(owner, pem(own), [MERCHANT_ID])
    sandbox.trust_secret(PORTFOLIO, META_KEY_ID, SECRET, [MERCHANT_ID])


def configurations(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the SDK's settings for each kind of credential."""
    secret = {"merchant_keyid": KEY_ID, "merchant_secretkey": SECRET, "jwt_key_type": "SHARED_SECRET"}
    file = {"keys_directory": str(folder), "key_file_name": "signing", "key_password": PASSWORD}
    meta = {"use_metakey": 1, "portfolio_id": PORTFOLIO, "key_alias": PORTFOLIO}  # a bool would end in a ValueError
    requests = {"enableRequestMLEForOptionalApisGlobally": 1}
    both = {
        **requests,
        "enableResponseMleGlobally": 1,
        "responseMlePrivateKeyFilePath": str(folder / "response.p12"),
        "responseMlePrivateKeyFilePassword": PASSWORD,
    }
    service_file = {"mleForRequestPublicCertPath": str(folder / "service.pem")}
    return {
        "JWT with a shared secret": secret,
        "JWT with a shared secret and a meta key": secret | meta | {"merchant_keyid": META_KEY_ID},
        "JWT with a shared secret, both encrypted": secret | both | service_file,
        "JWT with a P12": file,
        "JWT with a P12 and a meta key": file | meta | {"key_file_name": "meta"},
        "JWT with a P12, requests encrypted": file | requests,
        "JWT with a P12, both encrypted": file | both,
    }


def send_theirs(sandbox: Sandbox, url: str, python: str, config: dict[str, Any]) -> list[Received]:
    """Read and update the customer with the SDK, and return what the sandbox received."""
    sandbox.received.clear()
    common = {"authentication_type": "jwt", "merchantid": MERCHANT_ID}
    where = {"run_environment": Environment.TEST.host, "IntermediateHost": url}
    given = {"config": common | where | config, "customer": PAGE_CUSTOMER_ID, "update": json.dumps(UPDATE.to_dict())}
    command = [python, "-W", "ignore", str(Path(__file__).with_name("call_sdk.py"))]
    result = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit("the SDK failed: " + result.stderr.strip().split("\n")[-1])
    return list(sandbox.received)


def send_ours(sandbox: Sandbox, url: str, config: dict[str, Any]) -> list[Received]:
    """Read and update the customer with this library, and return what the sandbox received."""
    sandbox.received.clear()
    settings: dict[str, Any] = {"encryption": our_encryption(config), "base_url": url, "retries": None}
    with CustomersClient(Environment.TEST, our_auth(config), **settings) as customers:
        customers.retrieve(PAGE_CUSTOMER_ID)
        customers.update(PAGE_CUSTOMER_ID, UPDATE)
    return list(sandbox.received)


def our_auth(config: dict[str, Any]) -> httpx.Auth:
    """Return our credentials for settings of the SDK's."""
    portfolio = config.get("portfolio_id")
    if "key_file_name" in config:
        path = Path(config["keys_directory"], f"{config['key_file_name']}.p12")
        return CertificateAuth.from_p12(path, config["key_password"], merchant_id=MERCHANT_ID, portfolio_id=portfolio)
    return SharedSecretAuth(MERCHANT_ID, config["merchant_keyid"], config["merchant_secretkey"], portfolio_id=portfolio)


def our_encryption(config: dict[str, Any]) -> MessageEncryption | None:
    """Return our encryption for settings of the SDK's."""
    if path := config.get("responseMlePrivateKeyFilePath"):
        return MessageEncryption.from_p12(path, PASSWORD, merchant_id=MERCHANT_ID)
    if "enableRequestMLEForOptionalApisGlobally" in config:
        return MessageEncryption.requests_from_p12(Path(config["keys_directory"], "signing.p12"), PASSWORD)
    return None


def compare(theirs: Received, ours: Received) -> Iterator[str]:
    """Yield a line for each difference, and one that says how much is the same."""
    their_parts, our_parts = parts(theirs), parts(ours)
    names = sorted({*their_parts, *our_parts})
    yield f"{sum(their_parts.get(name) == our_parts.get(name) for name in names)} of {len(names)} parts are the same"
    for name in names:
        their_value, our_value = their_parts.get(name, "none"), our_parts.get(name, "none")
        if their_value != our_value:
            difference = f"{name}: {their_value} | {our_value}"
            reason = next((why for what, why in REASONS.items() if fnmatchcase(difference, what)), "FLAGGED")
            yield f"{difference} -- {reason}"


def parts(request: Received) -> dict[str, str]:
    """Return the parts of a request by their names. Secrets, times and random values are described, not shown."""
    found: dict[str, Any] = {"request": f"{request.method} {request.path}", "JSON": request.plain.decode() or "none"}
    found |= {f"header {name}": value for name, value in request.headers.items()}
    if token := found.pop("header authorization", ""):
        scheme, _, token = token.partition(" ")
        found |= {"header authorization": scheme} | named("token header", token)
        found |= {f"claim {name}": value for name, value in request.claims.items()}
    if request.encrypted:
        found |= named("encryption header", json.loads(request.body)["encryptedRequest"])
    return {name: describe(name, value, request) for name, value in found.items()}


def named(prefix: str, token: str) -> dict[str, Any]:
    """Return the parameters in the header of a compact JWS or JWE."""
    header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    return {f"{prefix} {name}": value for name, value in header.items()}


def describe(name: str, value: Any, request: Received) -> str:
    """Return a part of a request as text that is the same in two requests that mean the same."""
    text = str(value).replace(base64.b64encode(hashlib.sha256(request.body).digest()).decode(), "the body's")
    match name:
        case "JSON" if request.plain:
            text = json.dumps(json.loads(value), sort_keys=True)
        case "claim iat" | "encryption header iat":
            text = age(value, request)
        case "claim exp":
            text = f"{value - request.claims['iat']} s after iat"
        case "claim jti":
            text = f"a UUID v{uuid.UUID(value).version}"
        case "header content-length" if value == str(len(request.body)):
            text = "the body's"
    return text


def age(moment: float, request: Received) -> str:
    """Return how old a time was, to five seconds: a busy machine takes some."""
    now = parsedate_to_datetime(request.reply.headers["Date"]).timestamp() if request.reply else 0
    return f"{5 * round((now - moment) / 5)} s ago"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
