"""The credentials, cranked by hand: what is signed is checked with the standard library, not with what signed it."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import time
import traceback
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from cybersource_tms import SharedSecretAuth
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Sandbox
from support import rfc

KEY = b"never show this key to anybody!!"
SECRET_KEY = base64.b64encode(KEY).decode()
PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
BODY = b'{"buyerInformation":{"email":"new@example.com"}}'
JSON = {"Content-Type": "application/json;charset=utf-8"}


def signed(request: httpx.Request, auth: SharedSecretAuth | None = None) -> httpx.Request:
    """Crank the flow once: one request comes out, and whatever the response, no other follows."""
    flow = (auth or SharedSecretAuth("merchant", "key", SECRET_KEY)).sync_auth_flow(request)
    out = next(flow)
    with pytest.raises(StopIteration):
        flow.send(httpx.Response(401, request=out))
    return out


def verify(request: httpx.Request, key: bytes = KEY) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the claims of a request's token, once its signature is found right."""
    [authorization] = request.headers.get_list("Authorization")
    scheme, token = authorization.split(" ")
    signing_input, signature = token.rsplit(".", 1)
    assert scheme == "Bearer"
    assert "=" not in token
    assert hmac.compare_digest(decoded(signature), hmac.digest(key, signing_input.encode(), "sha256"))
    header, claims = map(json.loads, map(decoded, signing_input.split(".")))
    return header, claims


def decoded(part: str) -> bytes:
    """Decode base64url without its padding."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def claims_of(request: httpx.Request) -> dict[str, Any]:
    """Sign a request and return the claims."""
    return verify(signed(request))[1]


def test_header() -> None:
    """The JOSE header has these three members and no other."""
    header, _ = verify(signed(httpx.Request("PATCH", "https://a.example/", content=BODY)))
    assert header == {"alg": "HS256", "kid": "key", "typ": "JWT"}


def test_claims() -> None:
    """The claims are those of the guide and no others; the digest is of the very bytes."""
    before = int(time.time())
    request = signed(httpx.Request("PATCH", f"https://apitest.cybersource.com{PATH}", content=BODY))
    claims = verify(request)[1]
    iat, exp, jti = (claims.pop(name) for name in ("iat", "exp", "jti"))
    assert claims == {
        "digest": base64.b64encode(hashlib.sha256(BODY).digest()).decode(),
        "digestAlgorithm": "SHA-256",
        "request-method": "patch",
        "request-host": "apitest.cybersource.com",
        "request-resource-path": PATH,
        "iss": "merchant",
        "v-c-jwt-version": "2",
        "v-c-merchant-id": "merchant",
    }
    assert type(iat) is int
    assert type(exp) is int
    assert exp - iat == 120
    assert before - 5 <= iat <= time.time() - 5
    assert str(uuid.UUID(jti)) == jti
    assert uuid.UUID(jti).version == 4
    assert request.content == BODY


def test_only_authorization_is_added() -> None:
    """Headers of the older scheme are not sent, and an Authorization of before is replaced."""
    request = httpx.Request("PATCH", "https://a.example/", headers={"Authorization": "Basic x"}, content=BODY)
    names = sorted(request.headers)
    assert sorted(signed(request).headers) == names
    verify(request)


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_no_digest_without_a_body(method: str) -> None:
    """Without a body both claims of the digest are left out."""
    claims = claims_of(httpx.Request(method, "https://a.example/"))
    assert not {"digest", "digestAlgorithm"} & set(claims)
    assert claims["request-method"] == method.lower()


@pytest.mark.parametrize(
    "body", [b"\x00\xff\xfe", "é".encode(), b" ", b"a" * 100_000], ids=["no text", "not ASCII", "blank", "long"]
)
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
        ("https://A.EXAMPLE/X", "a.example", "/X"),
        ("https://bücher.example/x", "xn--bcher-kva.example", "/x"),
        ("https://a.example/x%20y%2Fz/?q=%2f&r=1", "a.example", "/x%20y%2Fz/?q=%2f&r=1"),
        ("https://a.example/x#fragment", "a.example", "/x"),
        ("https://user:password@a.example/x", "a.example", "/x"),
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
    auth, request = SharedSecretAuth("merchant", "key", SECRET_KEY), httpx.Request("PATCH", "https://a.example/")
    assert len({verify(signed(request, auth))[1]["jti"] for _ in range(100)}) == 100


def test_portfolio() -> None:
    """With a meta key the portfolio issues and the merchant is still the one that the request is for."""
    auth = SharedSecretAuth("merchant", "key", SECRET_KEY, portfolio_id="portfolio")
    _, claims = verify(signed(httpx.Request("PATCH", "https://a.example/", content=BODY), auth))
    assert (claims["iss"], claims["v-c-merchant-id"]) == ("portfolio", "merchant")


def test_rfc_7515_example() -> None:
    """The key, once through this module, makes the signature of the RFC's own example."""
    key, (text, _, signature) = decoded(str(rfc.HS256_KEY["k"])), rfc.HS256_TOKEN.rpartition(".")
    auth = SharedSecretAuth("merchant", "key", base64.b64encode(key).decode())
    assert auth._sign(text.encode()) == decoded(signature)
    verify(signed(httpx.Request("GET", "https://a.example/"), auth), key)


@pytest.mark.parametrize("streamed", [False, True])
def test_with_a_users_own_client(sandbox: Sandbox, url: str, *, streamed: bool) -> None:
    """The credentials work with any `httpx.Client`, and a body that is made on the way is signed too."""
    auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
    with httpx.Client(base_url=url, auth=auth) as http:
        body = iter([BODY[:9], BODY[9:]]) if streamed else BODY
        assert http.patch(PATH, content=body, headers=JSON).status_code == 200
        assert http.get(PATH).status_code == 200
    assert [received.body for received in sandbox.received] == [BODY, b""]


async def parts() -> AsyncIterator[bytes]:
    """Yield the body in two pieces."""
    yield BODY[:9]
    yield BODY[9:]


def test_with_a_users_own_async_client(sandbox: Sandbox, url: str) -> None:
    """The same with any `httpx.AsyncClient`."""

    async def call() -> None:
        async with httpx.AsyncClient(base_url=url, auth=SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)) as http:
            assert (await http.patch(PATH, content=parts(), headers=JSON)).status_code == 200

    asyncio.run(call())
    assert sandbox.received[0].body == BODY


BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "secret that is not base64": ("secret", {"secret": "sekret!!" * 6}),
    "secret that is base64url": ("secret", {"secret": "_-_-" * 11}),
    "secret with a line break": ("secret", {"secret": SECRET_KEY + "\n"}),
    "secret with a blank inside": ("secret", {"secret": SECRET_KEY[:8] + " " + SECRET_KEY[8:]}),
    "secret cut short": ("secret", {"secret": SECRET_KEY[:-1]}),
    "secret that is not ASCII": ("secret", {"secret": "ü" * 44}),
    "secret with a lone surrogate": ("secret", {"secret": "\ud800" * 44}),
    "empty secret": ("secret", {"secret": ""}),
    "secret of 31 bytes": ("secret", {"secret": base64.b64encode(KEY[:31]).decode()}),
    "secret in bytes": ("secret", {"secret": SECRET_KEY.encode()}),
    "secret that is None": ("secret", {"secret": None}),
    "secret that is a number": ("secret", {"secret": 424242}),
    "no merchant": ("merchant_id", {"merchant_id": None}),
    "merchant in bytes": ("merchant_id", {"merchant_id": b"merchant"}),
    "empty key": ("key_id", {"key_id": ""}),
    "no key": ("key_id", {"key_id": None}),
    "key that is a number": ("key_id", {"key_id": 424242}),
    "empty portfolio": ("portfolio_id", {"portfolio_id": ""}),
}


@pytest.mark.parametrize(("culprit", "arguments"), BAD.values(), ids=BAD)
def test_bad_credentials(culprit: str, arguments: dict[str, Any]) -> None:
    """They are refused when they are made, by name, and what was given is in nothing that is printed."""
    right: dict[str, Any] = {"merchant_id": "merchant", "key_id": "key", "secret": SECRET_KEY}
    with pytest.raises(InvalidRequest, match=rf"^{culprit}\b") as caught:
        SharedSecretAuth(**(right | arguments))
    printed = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    given = arguments[culprit]
    for secret in (SECRET_KEY[:16], "424242", given if isinstance(given, str) and given.strip() else SECRET_KEY):
        assert secret not in printed


@pytest.mark.parametrize("key", [KEY, bytes(32), bytes(64)], ids=["32 bytes", "zeros", "64 bytes"])
def test_good_secrets(key: bytes) -> None:
    """32 bytes are enough, and more are as good."""
    auth = SharedSecretAuth("merchant", "key", base64.b64encode(key).decode())
    verify(signed(httpx.Request("GET", "https://a.example/"), auth), key)


def forms(key: bytes) -> Iterator[str]:
    """Yield every form in which a key could show itself."""
    yield from (base64.b64encode(key).decode().rstrip("="), base64.urlsafe_b64encode(key).decode().rstrip("="))
    yield from (key.decode(), key.hex(), repr(list(key))[1:-1])


@pytest.mark.parametrize(
    ("key_id", "shown"), [(KEY_ID, KEY_ID), ("key", "set, 3 characters"), (SECRET, "set, 44 characters")]
)
def test_repr(key_id: str, shown: str) -> None:
    """The `repr` shows a key id that has the form of one, and nothing more: anything may have been put there."""
    auth = SharedSecretAuth("merchant", key_id, SECRET_KEY, portfolio_id="portfolio")
    assert repr(auth) == str(auth) == f"{auth}" == f"SharedSecretAuth(key_id={shown!r})"


@pytest.mark.parametrize("name", ["merchant_id", "key_id", "portfolio_id"])
def test_the_secret_as_an_id(name: str) -> None:
    """Ids are sent, so a secret in the place of one is refused."""
    given = {"merchant_id": "merchant", "key_id": "key", "secret": SECRET_KEY, name: SECRET_KEY}
    with pytest.raises(InvalidRequest, match=rf"^{name}: it holds the secret"):
        SharedSecretAuth(**given)


def test_the_secret_is_nowhere(caplog: pytest.LogCaptureFixture, url: str) -> None:
    """Neither `repr` nor `vars`, nor a log line or an exception of a whole call, shows the secret in any form."""
    caplog.set_level(logging.DEBUG)
    auth = SharedSecretAuth("merchant", "key", SECRET_KEY)
    shown = [repr(auth), str(auth), repr(vars(auth)), repr([auth]), repr({"auth": auth})]
    with httpx.Client(base_url=url, auth=auth) as http:
        response = http.patch(PATH, content=BODY, headers=JSON)
        shown += [repr(response.request.headers), repr(http), *caplog.messages]
        with pytest.raises(httpx.HTTPStatusError) as caught:
            response.raise_for_status()
    shown += traceback.format_exception(caught.value)
    assert caplog.messages
    assert not [form for form in forms(KEY) if form in "".join(shown)]
    assert response.request.headers["Authorization"].removeprefix("Bearer ") not in "".join(shown)


# What is signed, where a request is sent to a proxy

SERVICE = ("api.cybersource.com", PATH)


@pytest.mark.parametrize("address", ["https://proxy.example/cybs" + PATH, "http://127.0.0.1:8080/x?y=1"])
def test_signed_for(address: str) -> None:
    """The token is for the host and the path that are given; the request still goes to its own URL."""
    request = httpx.Request("PATCH", address, content=BODY)
    SharedSecretAuth("merchant", "key", SECRET_KEY).sign(request, *SERVICE)
    claims = verify(request)[1]
    assert (claims["request-host"], claims["request-resource-path"]) == SERVICE
    assert str(request.url) == address
    assert request.headers["Host"] == request.url.netloc.decode()


@pytest.mark.parametrize("ahead", [0, 0.5, 0.999])
def test_times(monkeypatch: pytest.MonkeyPatch, ahead: float) -> None:
    """A token is dated 5 seconds back, for a clock that is ahead, and expires 120 seconds after that."""
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000 + ahead)
    claims = claims_of(httpx.Request("GET", "https://a.example/"))
    assert (claims["iat"], claims["exp"]) == (1_799_999_995, 1_800_000_115)


def test_the_response_key() -> None:
    """The id of the response key is a claim where one is given, and only there."""
    request = httpx.Request("GET", "https://a.example/")
    assert "v-c-response-mle-kid" not in claims_of(request)
    SharedSecretAuth("merchant", "key", SECRET_KEY).sign(request, *SERVICE, "response-key")
    assert verify(request)[1]["v-c-response-mle-kid"] == "response-key"


# Ids and secrets as they are copied

AROUND = {
    "line break after": "{}\n",
    "CRLF after": "{}\r\n",
    "blank after": "{} ",
    "tab before": "\t{}",
    "NBSP": "{}\xa0",
}
INSIDE = {
    "quote": 'a" , algorithm="none',
    "backslash": "a\\b",
    "line break": "a\nb",
    "not ASCII": "ключ",
}


@pytest.mark.parametrize("form", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("name", ["merchant_id", "key_id", "secret", "portfolio_id"])
def test_blanks_around(name: str, form: str) -> None:
    """What was copied with a blank or a line break is refused, and the message says just that."""
    right = {"merchant_id": "merchant", "key_id": "key", "secret": SECRET_KEY, "portfolio_id": "portfolio"}
    with pytest.raises(InvalidRequest, match=rf"^{name}: it starts or ends with a blank or a line break") as caught:
        SharedSecretAuth(**(right | {name: form.format(right[name])}))
    assert SECRET_KEY not in str(caught.value)


@pytest.mark.parametrize("value", INSIDE.values(), ids=INSIDE)
@pytest.mark.parametrize("name", ["merchant_id", "key_id", "portfolio_id"])
def test_characters_of_ids(name: str, value: str) -> None:
    """An id that could end a header or a quoted text is refused, and not repeated."""
    right = {"merchant_id": "merchant", "key_id": "key", "secret": SECRET_KEY}
    with pytest.raises(InvalidRequest, match=rf"^{name}: expected printable ASCII without quotes") as caught:
        SharedSecretAuth(**(right | {name: value}))
    assert value not in str(caught.value)
