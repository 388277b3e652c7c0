"""The stand-in takes a JSON Web Token that is as the service documents it, and no other."""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Callable

import httpx
import pytest

from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, SECRET, Sandbox
from support.caller import (
    ABSENT,
    CHANGE,
    PAGE,
    PATH,
    Caller,
    encode_part,
    right_claims,
    sign_token,
)

BAD_CLAIMS: dict[str, tuple[dict[str, object], str]] = {
    **{
        f"no {name}": ({name: ABSENT}, f"{name} is wrong")
        for name in right_claims("PATCH", PATH, "127.0.0.1", b"{}")
        if name not in ("iat", "exp", "jti")
    },
    "digest of another body": ({"digest": base64.b64encode(hashlib.sha256(b"").digest()).decode()}, "digest is wrong"),
    "digest in hex": ({"digest": hashlib.sha256(json.dumps(CHANGE).encode()).hexdigest()}, "digest is wrong"),
    "digest without its algorithm": ({"digestAlgorithm": ABSENT}, "digestAlgorithm is wrong"),
    "two algorithms": ({"digest-algorithm": "SHA-512"}, "digestAlgorithm is wrong"),
    "another algorithm": ({"digestAlgorithm": "SHA256"}, "digestAlgorithm is wrong"),
    "method in mixed case": ({"request-method": "Patch"}, "request-method is wrong"),
    "another method": ({"request-method": "get"}, "request-method is wrong"),
    "another host": ({"request-host": "example.com"}, "request-host is wrong"),
    "scheme in the host": ({"request-host": "http://127.0.0.1"}, "request-host is wrong"),
    "another path": ({"request-resource-path": PATH.lower()}, "request-resource-path is wrong"),
    "path without its slash": ({"request-resource-path": PATH[1:]}, "request-resource-path is wrong"),
    "another issuer": ({"iss": "other"}, "iss is wrong"),
    "another merchant": ({"v-c-merchant-id": "other"}, "v-c-merchant-id is wrong"),
    "version as a number": ({"v-c-jwt-version": 2}, "v-c-jwt-version is wrong"),
    "no iat": ({"iat": ABSENT}, "iat or exp is not an integer"),
    "no exp": ({"exp": ABSENT}, "iat or exp is not an integer"),
    "iat as text": ({"iat": "1"}, "iat or exp is not an integer"),
    "exp as a float": ({"exp": 2e9}, "iat or exp is not an integer"),
    "iat as a bool": ({"iat": True, "exp": 2}, "iat or exp is not an integer"),
    "no jti": ({"jti": ABSENT}, "jti is not a UUID v4"),
    "jti of version 1": ({"jti": str(uuid.uuid1())}, "jti is not a UUID v4"),
    "jti without hyphens": ({"jti": uuid.uuid4().hex}, "jti is not a UUID v4"),
}


def assert_unauthenticated(sandbox: Sandbox, response: httpx.Response, reason: str) -> None:
    """Check that the client learns nothing, that the sandbox knows why, and that nothing was applied."""
    assert (response.status_code, response.json()) == (401, {"response": {"rmsg": "Authentication Failed"}})
    received = sandbox.received[-1]
    assert (received.reason, received.claims, received.status) == (reason, {}, 401)
    assert sandbox.customer() == PAGE


@pytest.mark.parametrize(("claims", "reason"), BAD_CLAIMS.values(), ids=BAD_CLAIMS)
def test_bad_claims(sandbox: Sandbox, caller: Caller, claims: dict[str, object], reason: str) -> None:
    """Each claim that is wrong is enough for a 401."""
    assert_unauthenticated(sandbox, caller.send(claims=claims), reason)


TIMES = [
    (0, 120, ""),
    (0, 121, "exp is too far from iat"),
    (0, 0, "exp is too far from iat"),
    (0, -1, "exp is too far from iat"),
    (3, 60, ""),
    (30, 60, "iat is in the future"),
    (-60, 60, ""),
    (-60, -1, "exp is in the past"),
    (-86400, -86340, "exp is in the past"),
]


@pytest.mark.parametrize(("iat", "exp", "reason"), TIMES)
def test_times(sandbox: Sandbox, caller: Caller, iat: int, exp: int, reason: str) -> None:
    """A token lives for 1 to 120 seconds, now; its maker's clock may be slightly ahead."""
    now = int(time.time())
    response = caller.get(claims={"iat": now + iat, "exp": now + exp})
    assert (response.status_code, sandbox.received[0].reason) == (401 if reason else 200, reason)


GOOD_CLAIMS: dict[str, dict[str, object]] = {
    "jti in capitals": {"jti": str(uuid.uuid4()).upper()},
    "an unknown claim": {"unknown": "x"},
    "the Python SDK's method": {"request-method": "PATCH"},
    "the Node SDK's digest-algorithm": {"digestAlgorithm": ABSENT, "digest-algorithm": "SHA-256"},
}


@pytest.mark.parametrize("claims", GOOD_CLAIMS.values(), ids=GOOD_CLAIMS)
def test_good_claims(caller: Caller, claims: dict[str, object]) -> None:
    """The stand-in is as loose as the service: it takes what CyberSource's SDKs send."""
    assert caller.send(claims=claims).status_code == 200


@pytest.mark.parametrize("claims", [{"digest": ""}, {"digest": None}, {"digestAlgorithm": "SHA-256"}], ids=str)
def test_no_body_no_digest(sandbox: Sandbox, caller: Caller, claims: dict[str, object]) -> None:
    """Without a body there is no digest claim at all, not even an empty one."""
    assert_unauthenticated(sandbox, caller.get(claims=claims), f"{next(iter(claims))} is wrong")


def test_query_is_part_of_the_path(sandbox: Sandbox, caller: Caller) -> None:
    """The resource path is the exact target that was sent."""
    response = caller.get(f"{PATH}?a=%20b", claims={"request-resource-path": PATH})
    assert_unauthenticated(sandbox, response, "request-resource-path is wrong")
    assert caller.get(f"{PATH}?a=%20b").status_code == 400
    assert sandbox.received[-1].path == f"{PATH}?a=%20b"


def test_host_is_the_host_header_without_its_port(caller: Caller) -> None:
    """The Host header counts, not the address; brackets and port are not part of it."""
    for header, host in {"[::1]:8080": "::1", "[::1]": "::1", "example.com:1": "example.com", "a.b": "a.b"}.items():
        assert caller.get(headers={"Host": header}, claims={"request-host": host}).status_code == 200


HOSTS = [
    "apitest.cybersource.com",
    "api.cybersource.com",
    "api.in.cybersource.com",
    "api.sa.cybersource.com",
    "apitest.sa.cybersource.com",
]


@pytest.mark.parametrize("host", HOSTS)
def test_host_may_be_the_environments(caller: Caller, host: str) -> None:
    """A client that is sent here by its base URL signs for the service, which has five hosts."""
    assert caller.get(claims={"request-host": host}).status_code == 200


def test_path_is_the_services(sandbox: Sandbox, caller: Caller) -> None:
    """What a proxy has before the service's path is not signed."""
    assert caller.send(path=f"/proxy{PATH}", claims={"request-resource-path": PATH}).status_code == 200
    assert sandbox.received[0].path == f"/proxy{PATH}"
    response = caller.get(f"/proxy{PATH}")
    assert (response.status_code, sandbox.received[-1].reason) == (401, "request-resource-path is wrong")


def test_content_type_of_a_get(caller: Caller) -> None:
    """It may be there, as the guide asks, and it need not."""
    for content_type in ("application/json;charset=utf-8", ""):
        assert caller.get(headers={"Content-Type": content_type}).status_code == 200


def test_jti_is_taken_once(sandbox: Sandbox, caller: Caller) -> None:
    """A token cannot be used again, not even in other letters; one that was refused did not use its jti up."""
    jti = str(uuid.uuid4())
    assert caller.get(claims={"jti": jti, "iss": "other"}).status_code == 401
    assert caller.get(claims={"jti": jti}).status_code == 200
    assert_unauthenticated(sandbox, caller.get(claims={"jti": jti}), "jti was seen before")
    assert_unauthenticated(sandbox, caller.get(claims={"jti": jti.upper()}), "jti was seen before")


def good_token() -> str:
    """Return a good token to read the page's customer."""
    return sign_token(right_claims("GET", PATH, "127.0.0.1", b""))


def with_header(**header: object) -> str:
    """Return a token whose header alone is wrong."""
    return sign_token(right_claims("GET", PATH, "127.0.0.1", b""), header)


def with_secret(secret: bytes) -> str:
    """Return a token that was signed with another key."""
    return sign_token(right_claims("GET", PATH, "127.0.0.1", b""), secret=base64.b64encode(secret).decode())


NO_JWS, NO_OBJECTS = "the token is not a compact JWS", "the token is not made of JSON objects"
BAD_TOKENS: dict[str, tuple[Callable[[], str], str]] = {
    "alg none": (lambda: with_header(alg="none").rpartition(".")[0] + ".", "alg is wrong"),
    "alg HS512": (lambda: with_header(alg="HS512"), "alg is wrong"),
    "alg in small letters": (lambda: with_header(alg="hs256"), "alg is wrong"),
    "no alg": (lambda: with_header(alg=ABSENT), "alg is wrong"),
    "typ JOSE": (lambda: with_header(typ="JOSE"), "typ is wrong"),
    "no typ": (lambda: with_header(typ=ABSENT), "typ is wrong"),
    "unknown kid": (lambda: with_header(kid=str(uuid.uuid4())), "kid is wrong"),
    "kid in a list": (lambda: with_header(kid=[KEY_ID]), "kid is wrong"),
    "no kid": (lambda: with_header(kid=ABSENT), "kid is wrong"),
    "another key": (lambda: with_secret(b"other"), "the signature is wrong"),
    "key not decoded": (lambda: with_secret(SECRET.encode()), "the signature is wrong"),
    "signature cut short": (lambda: good_token()[:-3], "the signature is wrong"),
    "signature of another token": (
        lambda: f"{good_token().rpartition('.')[0]}.{good_token().rpartition('.')[2]}",
        "the signature is wrong",
    ),
    "no signature": (lambda: good_token().rpartition(".")[0] + ".", "the signature is wrong"),
    "padded": (lambda: good_token() + "=", NO_JWS),
    "standard alphabet": (lambda: f"{encode_part({})}.{encode_part({})}.+/++", NO_JWS),
    "bits left over": (lambda: f"{encode_part({})}.{encode_part({})}.AB", NO_JWS),
    "not ASCII": (lambda: f"{encode_part({})}.{encode_part({})}.\u00e9", NO_JWS),
    "two parts": (lambda: good_token().rpartition(".")[0], NO_JWS),
    "four parts": (lambda: good_token() + ".AA", NO_JWS),
    "empty parts": (lambda: "..", NO_JWS),
    "header that is not JSON": (lambda: f"{encode_part(b'x')}.{encode_part({})}.AA", NO_JWS),
    "header that is a list": (lambda: f"{encode_part([['alg', 'HS256']])}.{encode_part({})}.AA", NO_OBJECTS),
    "claims that are a list": (lambda: sign_token([]), NO_OBJECTS),
}


@pytest.mark.parametrize(("token", "reason"), BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_bad_tokens(sandbox: Sandbox, caller: Caller, token: Callable[[], str], reason: str) -> None:
    """Each fault in the token's make is enough for a 401."""
    response = caller.http.get(PATH, headers=[(b"Authorization", f"Bearer {token()}".encode("latin-1"))])
    assert_unauthenticated(sandbox, response, reason)


def test_token_made_here_is_right(caller: Caller) -> None:
    """The tokens that the table above spoils are good ones."""
    assert caller.http.get(PATH, headers={"Authorization": f"Bearer {good_token()}"}).status_code == 200


@pytest.mark.parametrize(
    ("authorizations", "reason"),
    [
        ([], "Authorization is not there once"),
        (["Bearer {}", "Bearer {}"], "Authorization is not there once"),
        (["{}"], "Authorization is not Bearer"),
        (["Basic {}"], "Authorization is not Bearer"),
        (["bearer {}"], "Authorization is not Bearer"),
    ],
    ids=str,
)
def test_bad_authorization(sandbox: Sandbox, caller: Caller, authorizations: list[str], reason: str) -> None:
    """The token comes in one Authorization header, as a Bearer."""
    headers = [("Authorization", authorization.format(good_token())) for authorization in authorizations]
    assert_unauthenticated(sandbox, caller.http.get(PATH, headers=headers), reason)


@pytest.mark.parametrize("name", ["v-c-merchant-id", "Date", "Digest", "Signature"])
def test_headers_of_http_signature(sandbox: Sandbox, caller: Caller, name: str) -> None:
    """The two schemes are not mixed."""
    response = caller.get(headers={name: MERCHANT_ID})
    assert_unauthenticated(sandbox, response, f"{name.lower()} is a header of HTTP Signature")


def test_authentication_comes_first(sandbox: Sandbox, caller: Caller) -> None:
    """Who is not known learns nothing about tokens, profiles or fields."""
    response = caller.send(path="/tms/v2/customers/A", body=[], headers={"profile-id": "x"}, claims={"iss": "other"})
    assert_unauthenticated(sandbox, response, "iss is wrong")
