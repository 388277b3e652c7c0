"""Signed requests for the sandbox, made by hand with plain httpx: nothing here knows the library.

What is sent is made from the spec, so that its fields may be added to and renamed.
"""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET
from support.waiting import LIMIT

SPEC = json.loads(
    Path(__file__).parents[2].joinpath("generated/cybersource_tms_api/openapi.json").read_text(encoding="utf-8")
)
Steps = tuple[Any, ...]


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a part of the spec stands for."""
    found: Any = SPEC
    for name in schema["$ref"].split("/")[1:] if "$ref" in schema else ():
        found = found[name]
    return resolve(found) if "$ref" in schema else schema


def fields(schema: dict[str, Any], steps: Steps = ()) -> Iterator[tuple[Steps, dict[str, Any]]]:
    """Yield the fields in a schema that hold no others, each with its steps: 0 is an entry of an array."""
    schema = resolve(schema)
    inner = [(steps, part) for keyword in ("allOf", "oneOf") for part in schema.get(keyword, ())]
    inner += [((*steps, 0), schema["items"])] if "items" in schema else []
    inner += [((*steps, name), part) for name, part in schema.get("properties", {}).items()]
    if not inner:
        yield steps, schema
    for each, part in inner:
        yield from fields(part, each)


def nested(steps: Steps, value: object) -> Any:
    """Return a patch that sets one field."""
    for step in reversed(steps):
        value = [value] if step == 0 else {step: value}
    return value


OPERATIONS = SPEC["paths"]["/tms/v2/customers/{customerTokenId}"]
[_UPDATE] = OPERATIONS["patch"]["requestBody"]["content"].values()
DOCUMENTED = {  # the media type and content of each documented failure
    int(status): next(iter(resolve(response)["content"].items()))
    for operation in ("get", "patch")
    for status, response in OPERATIONS[operation]["responses"].items()
    if status != "200"
}
[_PAGE] = resolve(OPERATIONS["get"]["responses"]["200"])["content"].values()
PAGE: dict[str, Any] = _PAGE["examples"]["page"]["value"]
FIELDS = dict(fields(_UPDATE["schema"]))
TEXTS = {
    steps: schema
    for steps, schema in FIELDS.items()
    if "string" in schema.get("type", ()) and not {"enum", "pattern", "format"} & {*schema}
}
# A text field in a group of which the page's customer has another field, too.
GROUP, FIELD = next((a, b) for a, *rest in TEXTS for b in rest if b in PAGE.get(a, ()) and len(PAGE[a]) > 1)
ARRAY = next(steps[0] for steps in TEXTS if steps[1:2] == (0,))
CHANGE = {GROUP: {FIELD: "new"}}
CHANGED = PAGE | {GROUP: PAGE[GROUP] | CHANGE[GROUP]}

PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()  # the value of what is left out; its name is a part of tests' names
HOST = "127.0.0.1"


def present(items: Mapping[str, object]) -> dict[str, Any]:
    """Leave out what is ABSENT."""
    return {name: value for name, value in items.items() if value is not ABSENT}


def encode_part(data: object) -> str:
    """Encode bytes, or the JSON of anything else, as a part of a token."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def digest(body: bytes) -> str:
    """Return the digest of a body in base64."""
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def with_secret(message: bytes, secret: str = SECRET) -> bytes:
    """Sign as HS256."""
    return hmac.digest(base64.b64decode(secret), message, "sha256")


@dataclass(frozen=True)
class Signer:
    """Makes tokens in one way: with the sandbox's shared secret, unless a test says otherwise."""

    key_id: str = KEY_ID
    algorithm: str = "HS256"
    sign: Callable[[bytes], bytes] = with_secret
    issuer: str = MERCHANT_ID
    merchant: str = MERCHANT_ID

    def claims(self, method: str, path: str, body: bytes = b"", host: str = HOST) -> dict[str, Any]:
        """Return the claims that make a token right."""
        now = int(time.time())
        claims: dict[str, Any] = {"digest": digest(body), "digestAlgorithm": "SHA-256"} if body else {}
        return claims | {
            "iat": now,
            "exp": now + 120,
            "request-method": method.lower(),
            "request-host": host,
            "request-resource-path": path,
            "iss": self.issuer,
            "jti": str(uuid.uuid4()),
            "v-c-jwt-version": "2",
            "v-c-merchant-id": self.merchant,
        }

    def token(self, claims: object, header: Mapping[str, object] = {}) -> str:
        """Sign claims; `header` is put over the right one."""
        jose = present({"alg": self.algorithm, "kid": self.key_id, "typ": "JWT", **header})
        signed = f"{encode_part(jose)}.{encode_part(claims)}"
        return f"{signed}.{encode_part(self.sign(signed.encode()))}"


SHARED_SECRET = Signer()


def signed_patch(body: object = CHANGE) -> dict[str, Any]:
    """Return the content and headers of a good PATCH of the page's customer."""
    content = json.dumps(body).encode()
    token = SHARED_SECRET.token(SHARED_SECRET.claims("PATCH", PATH, content))
    return {"content": content, "headers": {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}}


def over_http(url: str) -> httpx.Client:
    """Return plain httpx that waits for a server on a busy machine, too."""
    return httpx.Client(base_url=url, trust_env=False, timeout=LIMIT)


@dataclass(frozen=True)
class Caller:
    """Makes signed requests; `claims` and `header` are put over what is right in the token, `headers` beside it."""

    http: httpx.Client

    def send(  # noqa: PLR0917 - method, path and body are the first in every call of httpx, too
        self,
        method: str = "PATCH",
        path: str = PATH,
        body: object = CHANGE,
        headers: Mapping[str, str] = {},
        claims: Mapping[str, object] = {},
        header: Mapping[str, object] = {},
        signer: Signer = SHARED_SECRET,
    ) -> httpx.Response:
        """Send a request with a good token, but for what the arguments spoil."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = signer.claims(method, path, content, self.http.base_url.host) | dict(claims)
        right = {"Authorization": f"Bearer {signer.token(present(given), header)}", "Content-Type": "application/json"}
        return self.http.request(method, path, content=content, headers=right | dict(headers))

    def get(self, path: str = PATH, **spoilt: Any) -> httpx.Response:
        """Read a customer as `send` would."""
        return self.send("GET", path, b"", **spoilt)
