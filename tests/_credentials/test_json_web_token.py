"""The credentials, cranked by hand: what is signed is checked with the standard library, not with what signed it."""

import asyncio
import base64
import hashlib
import time
import traceback
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from cybersource_tms import SharedSecretAuth
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Sandbox
from support.tokens import signed, verify

KEY = b"never show this key to anybody!!"
SECRET_KEY = base64.b64encode(KEY).decode()
AUTH = SharedSecretAuth("merchant", "key", SECRET_KEY)
PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
BODY = b'{"buyerInformation":{"email":"new@example.com"}}'
SERVICE = ("api.cybersource.com", PATH)
IDS = ["merchant_id", "key_id", "portfolio_id"]
JSON = {"Content-Type": "application/json;charset=utf-8"}


def claims_of(request: httpx.Request) -> dict[str, Any]:
    """Sign a request and return the claims."""
    return verify(signed(AUTH, request), KEY)[1]


def test_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """Header and claims are those of the guide and no others; a token is dated 5 seconds back, and good for 120."""
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.999)
    request = signed(AUTH, httpx.Request("PATCH", f"https://apitest.cybersource.com{PATH}", content=BODY))
    header, claims = verify(request, KEY)
    assert header == {"alg": "HS256", "kid": "key", "typ": "JWT"}
    jti = claims.pop("jti")
    assert claims == {
        "digest": base64.b64encode(hashlib.sha256(BODY).digest()).decode(),
        "digestAlgorithm": "SHA-256",
        "request-method": "patch",
        "request-host": "apitest.cybersource.com",
        "request-resource-path": PATH,
        "iss": "merchant",
        "v-c-jwt-version": "2",
        "v-c-merchant-id": "merchant",
        "iat": 1_799_999_995,
        "exp": 1_800_000_115,
    }
    assert {type(claims[name]) for name in ("iat", "exp")} == {int}
    assert (str(uuid.UUID(jti)), uuid.UUID(jti).version) == (jti, 4)
    assert request.content == BODY


def test_claims_that_differ() -> None:
    """There is no digest without a body; a portfolio issues, and the response key has an id, where they are given."""
    request = httpx.Request("GET", "https://a.example/")
    claims = claims_of(request)
    assert not {"digest", "digestAlgorithm", "v-c-response-mle-kid"} & set(claims)
    assert claims["request-method"] == "get"
    SharedSecretAuth("merchant", "key", SECRET_KEY, portfolio_id="portfolio").sign(request, *SERVICE, "response-key")
    claims = verify(request, KEY)[1]
    assert (claims["iss"], claims["v-c-merchant-id"]) == ("portfolio", "merchant")
    assert claims["v-c-response-mle-kid"] == "response-key"


def test_only_authorization_is_added() -> None:
    """Headers of the older scheme are not sent, and an Authorization of before is replaced."""
    request = httpx.Request("PATCH", "https://a.example/", headers={"Authorization": "Basic x"}, content=BODY)
    names = sorted(request.headers)
    assert sorted(signed(AUTH, request).headers) == names
    verify(request, KEY)


@pytest.mark.parametrize("body", [b"\x00\xff\xfe", b" "], ids=["no text", "blank"])
def test_digest_is_of_the_exact_bytes(body: bytes) -> None:
    """The digest is of the bytes and not of what they mean, in the standard alphabet."""
    claims = claims_of(httpx.Request("PATCH", "https://a.example/", content=body))
    assert base64.b64decode(claims["digest"], validate=True) == hashlib.sha256(body).digest()


@pytest.mark.parametrize(
    ("address", "host", "path"),
    [
        ("https://a.example", "a.example", "/"),
        ("https://a.example:8443/x", "a.example", "/x"),
        ("http://[::1]:8080/x", "::1", "/x"),
        ("https://BÜCHER.example/X", "xn--bcher-kva.example", "/X"),
        ("https://a.example/x%20y%2Fz/?q=%2f&r=1", "a.example", "/x%20y%2Fz/?q=%2f&r=1"),
        ("https://user:password@a.example/x#fragment", "a.example", "/x"),
    ],
)
def test_host_and_path(address: str, host: str, path: str) -> None:
    """The host is bare; the path is the one that goes out, with its escapes and its query."""
    request = httpx.Request("PATCH", address, content=BODY)
    claims = claims_of(request)
    assert (claims["request-host"], claims["request-resource-path"]) == (host, path)
    assert request.url.raw_path.decode() == path


def test_each_request_has_a_jti_of_its_own() -> None:
    """Nobody can use a token twice: the same request signed again is another one."""
    request = httpx.Request("PATCH", "https://a.example/")
    assert len({claims_of(request)["jti"] for _ in range(100)}) == 100


def test_with_a_users_own_client(sandbox: Sandbox, url: str) -> None:
    """The credentials work with any `httpx.Client`, and a body that is made on the way is signed too."""
    with httpx.Client(base_url=url, auth=SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)) as http:
        for body in (BODY, iter([BODY[:9], BODY[9:]])):
            assert http.patch(PATH, content=body, headers=JSON).status_code == 200
        assert http.get(PATH).status_code == 200
    assert [received.body for received in sandbox.received] == [BODY, BODY, b""]


def test_with_a_users_own_async_client(sandbox: Sandbox, url: str) -> None:
    """The same with any `httpx.AsyncClient`."""

    async def parts() -> AsyncIterator[bytes]:
        yield BODY[:9]
        yield BODY[9:]

    async def call() -> None:
        async with httpx.AsyncClient(base_url=url, auth=SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)) as http:
            assert (await http.patch(PATH, content=parts(), headers=JSON)).status_code == 200

    asyncio.run(call())
    assert sandbox.received[0].body == BODY


AROUND = "it starts or ends with a blank or a line break"
BAD: dict[str, tuple[str, str, Any]] = {
    "secret that is not base64": ("secret", "", "sekret!!" * 6),
    "secret that is base64url": ("secret", "", "_-_-" * 11),
    "secret with a blank inside": ("secret", "", SECRET_KEY[:8] + " " + SECRET_KEY[8:]),
    "secret cut short": ("secret", "", SECRET_KEY[:-1]),
    "secret with a lone surrogate": ("secret", "", "\ud800" * 44),
    "empty secret": ("secret", "", ""),
    "secret of 31 bytes": ("secret", "", base64.b64encode(KEY[:31]).decode()),
    "secret in bytes": ("secret", "", SECRET_KEY.encode()),
    "secret and a line break": ("secret", AROUND, SECRET_KEY + "\n"),
    "key that is a number": ("key_id", "", 424242),
    **{f"{name}, empty": (name, "", "") for name in ("key_id", "portfolio_id")},
    **{f"{name}, None": (name, "", None) for name in ("merchant_id", "key_id")},
    **{f"{name}, the secret": (name, "it holds the secret", SECRET_KEY) for name in IDS},
    **{f"{name}, {value!r}": (name, AROUND, value) for name in IDS for value in ("4711\r\n", "\t4711", "4711\xa0")},
    **{
        f"{name}, {value!r}": (name, "expected printable ASCII without quotes", value)
        for name in IDS
        for value in ('4711" , algorithm="none', "47\n11", "ключ")
    },
}


@pytest.mark.parametrize(("culprit", "problem", "value"), BAD.values(), ids=BAD)
def test_bad_credentials(culprit: str, problem: str, value: Any) -> None:
    """They are refused when they are made, by name, and what was given is in nothing that is printed."""
    right: dict[str, Any] = {"merchant_id": "merchant", "key_id": "key", "secret": SECRET_KEY}
    with pytest.raises(InvalidRequest, match=rf"^{culprit}\b.*{problem}") as caught:
        SharedSecretAuth(**(right | {culprit: value}))
    printed = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    for secret in (SECRET_KEY[:16], "4711", "424242", value if isinstance(value, str) and value else SECRET_KEY):
        assert secret not in printed


@pytest.mark.parametrize(
    ("key_id", "shown"),
    [
        (KEY_ID, KEY_ID),
        (f"{KEY_ID}+{KEY_ID}", "set, 73 characters"),
        ("key", "set, 3 characters"),
        (SECRET, "set, 44 characters"),
    ],
)
def test_repr(key_id: str, shown: str) -> None:
    """The `repr` shows a key id that has the form of one, and nothing more; `vars` does not show the secret either."""
    auth = SharedSecretAuth("merchant", key_id, SECRET_KEY, portfolio_id="portfolio")
    assert repr(auth) == str(auth) == f"{auth}" == f"SharedSecretAuth(key_id={shown!r})"
    for form in (SECRET_KEY.rstrip("="), KEY.decode(), KEY.hex(), repr(list(KEY))[1:-1]):
        assert form not in repr(vars(auth))


@pytest.mark.parametrize("address", ["https://proxy.example/cybs" + PATH, "http://127.0.0.1:8080/x?y=1"])
def test_signed_for(address: str) -> None:
    """The token is for the host and the path that are given; the request still goes to its own URL."""
    request = httpx.Request("PATCH", address, content=BODY)
    AUTH.sign(request, *SERVICE)
    claims = verify(request, KEY)[1]
    assert (claims["request-host"], claims["request-resource-path"]) == SERVICE
    assert str(request.url) == address
    assert request.headers["Host"] == request.url.netloc.decode()
