"""The sandbox takes a JSON Web Token that is as the service documents it, and no other. Made by hand."""

import base64
import hmac
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15

from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, SECRET, Sandbox
from support.caller import ABSENT, PAGE, PATH, SHARED_SECRET, SPEC, Caller, Signer, digest, encode_part, with_secret
from support.keys import X509_SERIAL, X509_TEXT, certificate, ec_key, pem, public_pem, rsa_key

SHOP, STORE, PORTFOLIO = "shop", "store", "portfolio"
SHOP_KEY, OTHER_KEY = rsa_key(SHOP), rsa_key("other")
SHOP_SERIAL, META_SERIAL = "1716240386523032010", "1716240386523032999"
META_ID, META_SECRET = "meta-key", base64.b64encode(b"the portfolio's, of thirty-two B").decode()
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CERTIFICATE_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]


def with_key(message: bytes, algorithm: str = "RS256", key: rsa.RSAPrivateKey = SHOP_KEY) -> bytes:
    """Sign as one of the algorithms of certificates."""
    hashed = HASHES[algorithm[2:]]
    return key.sign(message, PSS(MGF1(hashed), hashed.digest_size) if algorithm[0] == "P" else PKCS1v15(), hashed)


def with_pss(message: bytes, mask: hashes.HashAlgorithm, salt: Any) -> bytes:
    """Sign with SHA-256 as PS256 does, but for its mask or salt."""
    return SHOP_KEY.sign(message, PSS(MGF1(mask), salt), hashes.SHA256())


CERTIFICATE = Signer(SHOP_SERIAL, "RS256", with_key, SHOP, SHOP)
META_SHARED_SECRET = Signer(META_ID, "HS256", partial(with_secret, secret=META_SECRET), PORTFOLIO, SHOP)
META_CERTIFICATE = Signer(META_SERIAL, "RS256", with_key, PORTFOLIO, SHOP)
WITHOUT_SERIAL = Signer(X509_TEXT, "RS256", with_key, STORE, STORE)
SIGNERS = [SHARED_SECRET, CERTIFICATE, META_SHARED_SECRET, META_CERTIFICATE, WITHOUT_SERIAL]


@pytest.fixture(autouse=True)
def _trusted(sandbox: Sandbox) -> None:
    """Let the sandbox trust everybody above."""
    sandbox.trust_certificate(SHOP, pem(certificate(SHOP, SHOP_KEY, SHOP_SERIAL)))
    sandbox.trust_certificate(STORE, pem(certificate(STORE.upper(), SHOP_KEY, None)))
    sandbox.trust_secret(PORTFOLIO, META_ID, META_SECRET, [SHOP, STORE])
    sandbox.trust_certificate(PORTFOLIO, pem(certificate(PORTFOLIO, SHOP_KEY, META_SERIAL)), iter([SHOP, STORE]))


def assert_unauthenticated(sandbox: Sandbox, response: httpx.Response, reason: str) -> None:
    """Check that the client learns nothing, that the sandbox knows why, and that nothing was applied."""
    assert (response.status_code, response.json()) == (401, {"response": {"rmsg": "Authentication Failed"}})
    received = sandbox.received[-1]
    assert (received.reason, received.authenticated, received.claims, received.status) == (reason, False, {}, 401)
    assert sandbox.customer() == PAGE


@pytest.mark.parametrize("signer", SIGNERS, ids=lambda signer: f"{signer.key_id} {signer.algorithm}")
def test_good_tokens(sandbox: Sandbox, caller: Caller, signer: Signer) -> None:
    """What the tables below spoil is believed as it is; a wrong claim is a wrong claim, whatever it is signed with."""
    assert caller.send(signer=signer, body={}).status_code == 200
    assert_unauthenticated(sandbox, caller.send(signer=signer, claims={"iss": "x"}), "iss is wrong")


# What a token claims

WRONG_CLAIMS: list[tuple[str, object]] = [
    *((name, ABSENT) for name in SHARED_SECRET.claims("PATCH", PATH, b"{}") if name not in ("iat", "exp", "jti")),
    *[("digest", digest(b"")), ("digest-algorithm", "SHA-512"), ("request-method", "Patch"), ("iss", "TESTREST")],
    *[("request-host", "example.com"), ("request-resource-path", PATH.lower()), ("request-resource-path", PATH[1:])],
    *[("v-c-merchant-id", SHOP), ("v-c-merchant-id", [MERCHANT_ID]), ("v-c-jwt-version", 2)],
    *[("iat", ABSENT), ("exp", ABSENT), ("exp", 2e9), ("iat", True)],
    *[("jti", "93b32398-ad51-1cc2-a682-ea3e93614eb1"), ("jti", "93b32398ad514cc2a682ea3e93614eb1"), ("jti", ABSENT)],
]
REASONS = {
    "digest-algorithm": "digestAlgorithm is wrong",
    "jti": "jti is not a UUID v4",
    **dict.fromkeys(["iat", "exp"], "iat or exp is not an integer"),
}


@pytest.mark.parametrize(
    ("name", "value"), WRONG_CLAIMS, ids=[f"{a} {'-' if b is ABSENT else b}" for a, b in WRONG_CLAIMS]
)
def test_wrong_claims(sandbox: Sandbox, caller: Caller, name: str, value: object) -> None:
    """Each claim that is wrong is enough for a 401."""
    assert_unauthenticated(sandbox, caller.send(claims={name: value}), REASONS.get(name, f"{name} is wrong"))


TIMES = [
    (0, 120, ""),
    (0, 121, "exp is too far from iat"),
    (0, 0, "exp is too far from iat"),
    (3, 60, ""),
    (30, 60, "iat is in the future"),
    (-60, 60, ""),
    (-60, -1, "exp is in the past"),
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
    **{server["url"]: {"request-host": server["url"].removeprefix("https://")} for server in SPEC["servers"]},
}


@pytest.mark.parametrize("claims", GOOD_CLAIMS.values(), ids=GOOD_CLAIMS)
def test_good_claims(caller: Caller, claims: dict[str, object]) -> None:
    """The sandbox is as loose as the service: it takes what CyberSource's SDKs send, and the service's own hosts."""
    assert caller.send(claims=claims).status_code == 200


@pytest.mark.parametrize("claims", [{"digest": ""}, {"digest": None}, {"digestAlgorithm": "SHA-256"}], ids=str)
def test_no_body_no_digest(sandbox: Sandbox, caller: Caller, claims: dict[str, object]) -> None:
    """Without a body there is no digest claim at all, not even an empty one."""
    assert_unauthenticated(sandbox, caller.get(claims=claims), f"{next(iter(claims))} is wrong")


def test_path_is_the_exact_target_at_the_service(sandbox: Sandbox, caller: Caller) -> None:
    """The query is a part of it, and what a proxy has before it is not."""
    for path, signed in ((f"{PATH}?a=%20b", PATH), (f"/proxy{PATH}", f"/proxy{PATH}")):
        response = caller.get(path, claims={"request-resource-path": signed})
        assert_unauthenticated(sandbox, response, "request-resource-path is wrong")
    assert caller.get(f"{PATH}?a=%20b").status_code == 400
    assert sandbox.received[-1].path == f"{PATH}?a=%20b"
    assert caller.send(path=f"/proxy{PATH}", claims={"request-resource-path": PATH}).status_code == 200


def test_host_is_the_host_header_without_its_port(caller: Caller) -> None:
    """The Host header counts, not the address; brackets and port are not part of it."""
    for header, host in {"[::1]:8080": "::1", "[::1]": "::1", "example.com:1": "example.com", "a.b": "a.b"}.items():
        assert caller.get(headers={"Host": header}, claims={"request-host": host}).status_code == 200


def test_jti_is_taken_once(sandbox: Sandbox, caller: Caller) -> None:
    """No key can use it again, not even in other letters, until a reset; a refused token did not use its jti up."""
    jti = str(uuid.uuid4())
    assert caller.get(claims={"jti": jti, "iss": "other"}).status_code == 401
    assert caller.get(claims={"jti": jti}).status_code == 200
    for spelling, signer in ((jti.upper(), SHARED_SECRET), (jti, CERTIFICATE)):
        response = caller.get(claims={"jti": spelling}, signer=signer)
        assert_unauthenticated(sandbox, response, "jti was seen before")
    sandbox.reset()
    assert caller.get(claims={"jti": jti}).status_code == 200


# How it is signed

WRONG, NO_JWS = "the signature is wrong", "the token is not a compact JWS"
NO_OBJECTS = "the token is not made of JSON objects"


def certified(algorithm: str, sign: Callable[[bytes], bytes]) -> Signer:
    """Return the shop, signing in another way."""
    return Signer(SHOP_SERIAL, algorithm, sign, SHOP, SHOP)


BAD_SIGNERS: dict[str, tuple[Signer, dict[str, object], str]] = {
    "secret not decoded": (Signer(sign=lambda message: hmac.digest(SECRET.encode(), message, "sha256")), {}, WRONG),
    "no MAC": (Signer(sign=lambda _: b""), {}, WRONG),
    "another key": (certified("RS256", partial(with_key, key=OTHER_KEY)), {}, WRONG),
    "no salt": (certified("PS256", partial(with_pss, mask=hashes.SHA256(), salt=0)), {}, WRONG),
    "mask of another hash": (certified("PS256", partial(with_pss, mask=hashes.SHA1(), salt=32)), {}, WRONG),
    "public key as a secret": (
        certified("HS256", lambda message: hmac.digest(public_pem(SHOP_KEY), message, "sha256")),
        {},
        "alg is wrong",
    ),
    "secret's algorithm": (SHARED_SECRET, {"kid": SHOP_SERIAL}, "alg is wrong"),
    **{
        f"alg {algorithm}": (CERTIFICATE, {"alg": algorithm}, "alg is wrong")
        for algorithm in ("none", "rs256", "ES256", ["RS256"], ABSENT)
    },
    **{
        f"alg {algorithm} of a secret": (SHARED_SECRET, {"alg": algorithm}, "alg is wrong")
        for algorithm in ("none", "hs256", "HS512", ABSENT)
    },
    **{f"typ {typ}": (SHARED_SECRET, {"typ": typ}, "typ is wrong") for typ in ("JOSE", "at+jwt", ABSENT)},
    "crit": (CERTIFICATE, {"crit": ["exp"]}, "crit is wrong"),
    **{
        f"kid {key_id}": (CERTIFICATE, {"kid": key_id}, "kid is wrong")
        for key_id in ("1", int(SHOP_SERIAL), X509_SERIAL, f"{X509_SERIAL:x}", [SHOP_SERIAL], ABSENT)
    },
    "another owner's certificate": (CERTIFICATE, {"kid": META_SERIAL}, "iss is wrong"),
}


@pytest.mark.parametrize(("signer", "header", "reason"), BAD_SIGNERS.values(), ids=BAD_SIGNERS)
def test_bad_signers(sandbox: Sandbox, caller: Caller, signer: Signer, header: dict[str, object], reason: str) -> None:
    """Each fault in how a token is signed is enough for a 401; a kind of key has only its own algorithms."""
    assert_unauthenticated(sandbox, caller.send(signer=signer, header=header), reason)


GOOD = SHARED_SECRET.token(SHARED_SECRET.claims("GET", PATH))
BAD_TOKENS: dict[str, tuple[str, str]] = {
    "signature of another token": (
        ".".join([GOOD.rpartition(".")[0], SHARED_SECRET.token({}).rpartition(".")[2]]),
        WRONG,
    ),
    "padded": (f"{GOOD}=", NO_JWS),
    "standard alphabet": (f"{encode_part({})}.{encode_part({})}.+/++", NO_JWS),
    "bits left over": (f"{encode_part({})}.{encode_part({})}.AB", NO_JWS),
    "not ASCII": (f"{encode_part({})}.{encode_part({})}.\u00e9", NO_JWS),
    "two parts": (GOOD.rpartition(".")[0], NO_JWS),
    "four parts": (f"{GOOD}.AA", NO_JWS),
    "header that is not JSON": (f"{encode_part(b'x')}.{encode_part({})}.AA", NO_JWS),
    "claims nested too deep": (f"{encode_part({'alg': 'RS256'})}.{encode_part(b'[' * 5000)}.AA", NO_JWS),
    "header that is a list": (f"{encode_part([['alg', 'HS256']])}.{encode_part({})}.AA", NO_OBJECTS),
    "claims that are a list": (SHARED_SECRET.token([]), NO_OBJECTS),
}


@pytest.mark.parametrize(("token", "reason"), BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_bad_tokens(sandbox: Sandbox, caller: Caller, token: str, reason: str) -> None:
    """Each fault in the token's make is enough for a 401."""
    response = caller.http.get(PATH, headers=[(b"Authorization", f"Bearer {token}".encode("latin-1"))])
    assert_unauthenticated(sandbox, response, reason)


BAD_HEADERS: dict[str, tuple[list[tuple[str, str]], str]] = {
    "none": ([], "Authorization is not there once"),
    "two": ([("Authorization", f"Bearer {GOOD}")] * 2, "Authorization is not there once"),
    "Basic": ([("Authorization", f"Basic {GOOD}")], "Authorization is not Bearer"),
    "bearer": ([("Authorization", f"bearer {GOOD}")], "Authorization is not Bearer"),
    "HTTP Signature": (
        [("Signature", f'keyid="{KEY_ID}", algorithm="HmacSHA256", headers="host", signature="AA=="')],
        "Authorization is not there once",
    ),
}


@pytest.mark.parametrize(("headers", "reason"), BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_bad_authorization(sandbox: Sandbox, caller: Caller, headers: list[tuple[str, str]], reason: str) -> None:
    """The token comes in one Authorization header, as a Bearer, and there is no other way."""
    assert_unauthenticated(sandbox, caller.http.get(PATH, headers=headers), reason)


def test_authentication_comes_first(sandbox: Sandbox, caller: Caller) -> None:
    """Who is not known learns nothing about tokens, profiles or fields."""
    response = caller.send(path="/tms/v2/customers/A", body=[], headers={"profile-id": "x"}, claims={"iss": "other"})
    assert_unauthenticated(sandbox, response, "iss is wrong")


@pytest.mark.parametrize("algorithm", CERTIFICATE_ALGORITHMS)
def test_certificate_algorithms(sandbox: Sandbox, caller: Caller, algorithm: str) -> None:
    """Each documented algorithm is believed, and no signature that was made with another."""
    signer = certified(algorithm, partial(with_key, algorithm=algorithm))
    for other in CERTIFICATE_ALGORITHMS:
        response = caller.get(signer=signer, header={"alg": other})
        assert (other, response.status_code) == (other, 200 if other == algorithm else 401)
    assert [received.reason for received in sandbox.received].count(WRONG) == 5


# Whose key it is


@pytest.mark.parametrize("signer", [META_SHARED_SECRET, META_CERTIFICATE], ids=["secret", "certificate"])
def test_meta_key(sandbox: Sandbox, caller: Caller, signer: Signer) -> None:
    """A portfolio speaks for its merchants, one at a time, and for nobody else, not even for itself."""
    assert caller.send(signer=signer, body={}, claims={"v-c-merchant-id": STORE}).status_code == 200
    for merchant in (PORTFOLIO, MERCHANT_ID, SHOP.upper(), ABSENT):
        response = caller.send(signer=signer, claims={"v-c-merchant-id": merchant})
        assert_unauthenticated(sandbox, response, "v-c-merchant-id is wrong")
    for issuer in (SHOP, MERCHANT_ID, ABSENT):
        assert_unauthenticated(sandbox, caller.send(signer=signer, claims={"iss": issuer}), "iss is wrong")


def test_the_serial_number_in_the_subject_is_the_id(caller: Caller) -> None:
    """Only where there is none, it is the text that the X.509 serial number's bytes are."""
    fresh = Sandbox()
    fresh.trust_certificate(SHOP, pem(certificate(SHOP, SHOP_KEY, SHOP_SERIAL)))
    with httpx.Client(transport=fresh.transport, base_url=caller.http.base_url) as http:
        assert [Caller(http).get(signer=each).status_code for each in (WITHOUT_SERIAL, CERTIFICATE)] == [401, 200]


def test_keys_stay_trusted_over_a_reset(sandbox: Sandbox, caller: Caller) -> None:
    """A reset forgets no key, and brings back the default one if it was replaced."""
    sandbox.trust_secret(STORE, KEY_ID, META_SECRET)
    assert caller.get().status_code == 401
    sandbox.reset()
    assert [caller.get(signer=signer).status_code for signer in SIGNERS] == [200] * len(SIGNERS)


NOT_TRUSTED: dict[str, tuple[Callable[[Sandbox], None], str]] = {
    "name of another": (lambda it: it.trust_certificate(STORE, pem(certificate(SHOP))), "is for shop, not for store"),
    "no id": (
        lambda it: it.trust_certificate(SHOP, pem(certificate(SHOP, SHOP_KEY, None, x509_serial=10**9))),
        "no serialNumber",
    ),
    "no RSA": (lambda it: it.trust_certificate(SHOP, pem(certificate(SHOP, ec_key()))), "not an RSA key of 2048"),
    "short": (lambda it: it.trust_response_key("a", public_pem(rsa_key("small", 1024))), "not an RSA key of 2048"),
    "no certificate": (lambda it: it.trust_certificate(SHOP, public_pem(SHOP_KEY)), "PEM"),
    "no base64": (lambda it: it.trust_secret(SHOP, "a", "***="), "base64"),
}


@pytest.mark.parametrize(("trust", "reason"), NOT_TRUSTED.values(), ids=NOT_TRUSTED)
def test_what_cannot_be_trusted(trust: Callable[[Sandbox], None], reason: str) -> None:
    """A key that the service would not take is an error in the test that brings it."""
    with pytest.raises(ValueError, match=reason):
        trust(Sandbox())
