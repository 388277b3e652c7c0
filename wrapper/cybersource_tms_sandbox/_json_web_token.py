"""Whether a request's JSON Web Token is right: guide, "REST API Authentication", JWT."""

import base64
import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any

from ._jose import ABSENT, CLOCK_LEEWAY, decode, is_signed, load_json, signing_algorithms
from ._json import is_object
from ._keyring import Keyring, TrustedKey
from ._messages import Received
from ._spec import service_hosts

LONGEST_TOKEN_LIFE = 120  # seconds
DIGEST_ALGORITHMS = ("digestAlgorithm", "digest-algorithm")  # the guide's name, and the Node SDK's
UUID4 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Unauthenticated(Exception):
    """Why a request was not authenticated; the client is not told."""


def require(fact: object, reason: str) -> None:
    """Refuse the request unless `fact` holds."""
    if not fact:
        raise Unauthenticated(reason)


def require_values(given: Mapping[str, Any], right: Mapping[str, tuple[object, ...]]) -> None:
    """Refuse the request unless each name has one of its right values."""
    for name, values in right.items():
        require(given.get(name, ABSENT) in values, f"{name} is wrong")


def check_token(request: Received, keys: Keyring) -> dict[str, Any]:
    """Return what the request's token claims, once that is true of the request and of now."""
    claims, key = verify(bearer_token(request), keys)
    require_values(claims, right_claims(request, key))
    require_digest_algorithm(claims, request.body)
    require_times(claims.get("iat"), claims.get("exp"))
    require(UUID4.fullmatch(str(claims.get("jti")).lower()), "jti is not a UUID v4")
    return claims


def bearer_token(request: Received) -> str:
    """Return the token of the one Authorization header."""
    values = request.headers.get_list("authorization")
    require(len(values) == 1, "Authorization is not there once")
    require(values[0].startswith("Bearer "), "Authorization is not Bearer")
    return values[0].removeprefix("Bearer ")


def verify(token: str, keys: Keyring) -> tuple[dict[str, Any], TrustedKey]:
    """Return a token's claims and the key that signed them."""
    try:
        jose, payload, signature = token.split(".")
        header, claims, signature_bytes = load_json(jose), load_json(payload), decode(signature)
    except ValueError as error:
        raise Unauthenticated("the token is not a compact JWS") from error
    if not (is_object(header) and is_object(claims)):
        raise Unauthenticated("the token is not made of JSON objects")
    algorithm, key = str(header.get("alg")), keys.find(header.get("kid"))
    if key is None:
        raise Unauthenticated("kid is wrong")
    require(algorithm in signing_algorithms(key.key), "alg is wrong")
    require_values(header, {"typ": ("JWT",), "crit": (ABSENT,)})
    require(is_signed(f"{jose}.{payload}".encode(), signature_bytes, algorithm, key.key), "the signature is wrong")
    return claims, key


def right_claims(request: Received, key: TrustedKey) -> dict[str, tuple[object, ...]]:
    """Return the right values of the claims that have them."""
    digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
    return {
        "digest": (digest,) if request.body else (ABSENT,),
        "request-method": (request.method.lower(), request.method),  # the guide's, and the Python SDK's
        "request-host": signed_hosts(request),
        "request-resource-path": (signed_path(request),),
        "iss": (key.owner,),
        "v-c-jwt-version": ("2",),
        "v-c-merchant-id": key.merchants,
    }


def signed_hosts(request: Received) -> tuple[str, ...]:
    """Return the hosts that a client may sign: the environments', and the one that it sends to, without its port.

    The library always signs the environment's. Another `httpx` client signs the host of the URL that it calls.
    """
    header = request.headers.get("host", "")
    host = header[1:].partition("]")[0] if header.startswith("[") else header.partition(":")[0]
    return (host, *service_hosts())


def signed_path(request: Received) -> str:
    """Return the path at the service, with its query: what stands before it is a proxy's."""
    before, slash, after = request.path.partition("/tms/")
    return slash + after if slash else before


def require_digest_algorithm(claims: Mapping[str, Any], body: bytes) -> None:
    """Refuse a digest without its algorithm, and the algorithm without a body."""
    given = [claims[name] for name in DIGEST_ALGORITHMS if name in claims]
    require(bool(given) is bool(body) and all(value == "SHA-256" for value in given), "digestAlgorithm is wrong")


def require_times(iat: object, exp: object) -> None:
    """Refuse a token that is not of now, or that lives too long."""
    if type(iat) is not int or type(exp) is not int:  # a bool is an int
        raise Unauthenticated("iat or exp is not an integer")
    require(1 <= exp - iat <= LONGEST_TOKEN_LIFE, "exp is too far from iat")
    require(iat <= time.time() + CLOCK_LEEWAY, "iat is in the future")
    require(time.time() < exp, "exp is in the past")
