"""A client's settings from environment variables, for twelve-factor applications."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx

from ._auth import CertificateAuth, SharedSecretAuth
from ._certificates import certificate_of, key_id_of, read_p12, read_pem_certificates
from ._encryption import MessageEncryption, service_certificate
from ._environment import Environment
from ._tracebacks import raise_without_frames
from .errors import InvalidRequest

MERCHANT = "CYBERSOURCE_MERCHANT_ID"
SECRET = ("CYBERSOURCE_KEY_ID", "CYBERSOURCE_SECRET_KEY")
P12 = ("CYBERSOURCE_P12_PATH", "CYBERSOURCE_P12_PASSWORD")
PORTFOLIO = "CYBERSOURCE_PORTFOLIO_ID"
MLE = "CYBERSOURCE_MLE"
REQUEST_CERTIFICATE = "CYBERSOURCE_MLE_REQUEST_CERTIFICATE_PATH"
RESPONSE_KEY = ("CYBERSOURCE_MLE_RESPONSE_KEY_PATH", "CYBERSOURCE_MLE_RESPONSE_KEY_ID")


@raise_without_frames
def settings(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return a client's `environment`, `auth` and `encryption`. An empty variable counts as a missing one.

    Raises:
        InvalidRequest: Variables are missing or contradict each other, all of which the message names, or hold
            something wrong.
    """
    given = {name: value for name, value in variables.items() if value}
    mode = given.get(MLE, "off")
    if mode not in {"off", "request", "response", "both"}:
        raise InvalidRequest(f"{MLE}: expected off, request, response or both")
    requests, answers = mode in {"request", "both"}, mode in {"response", "both"}
    if _any(given, SECRET) and _any(given, P12):
        raise _contradiction(given, *SECRET, *P12)
    if _any(given, idle := [REQUEST_CERTIFICATE] * (not requests) + [*RESPONSE_KEY] * (not answers)):
        raise _contradiction({MLE: mode, **given}, MLE, *idle)
    p12 = _any(given, P12)
    needed = [MERCHANT, *(P12 if p12 else SECRET)]
    needed += [REQUEST_CERTIFICATE] * (requests and not p12)
    needed += RESPONSE_KEY * (answers and (not p12 or _any(given, RESPONSE_KEY)))
    if missing := [name for name in needed if name not in given]:
        raise InvalidRequest(f"environment variables that are missing: {', '.join(missing)}")
    return {
        "environment": given.get("CYBERSOURCE_ENVIRONMENT", Environment.TEST.value),
        "auth": _auth(given),
        "encryption": _encryption(given, requests=requests, answers=answers),
    }


def _auth(given: Mapping[str, str]) -> httpx.Auth:
    merchant_id, portfolio_id = given[MERCHANT], given.get(PORTFOLIO)
    if P12[0] in given:
        path, password = (given[name] for name in P12)
        return CertificateAuth.from_p12(path, password, merchant_id=merchant_id, portfolio_id=portfolio_id)
    key_id, secret = (given[name] for name in SECRET)
    return SharedSecretAuth(merchant_id, key_id, secret, portfolio_id=portfolio_id)


def _encryption(given: Mapping[str, str], *, requests: bool, answers: bool) -> MessageEncryption | None:
    if not requests and not answers:
        return None
    key, key_id = _response_key(given) if answers else (None, None)
    return MessageEncryption(_request_certificate(given) if requests else None, key, key_id)


def _request_certificate(given: Mapping[str, str]) -> bytes:
    if REQUEST_CERTIFICATE in given:
        return _read(given, REQUEST_CERTIFICATE)
    return service_certificate(P12[0], read_p12(*(given[name] for name in P12))[1])


def _response_key(given: Mapping[str, str]) -> tuple[bytes, str]:
    if RESPONSE_KEY[0] in given:
        return _read(given, RESPONSE_KEY[0]), given[RESPONSE_KEY[1]]
    key, certificates = read_p12(*(given[name] for name in P12))
    owner = given.get(PORTFOLIO, given[MERCHANT])
    return key, key_id_of(certificate_of(P12[0], owner, read_pem_certificates(P12[0], certificates)))


def _read(given: Mapping[str, str], name: str) -> bytes:
    try:
        return Path(given[name]).read_bytes()
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{name}: the file cannot be read ({type(error).__name__})") from error


def _any(given: Mapping[str, str], names: Iterable[str]) -> bool:
    return any(name in given for name in names)


def _contradiction(given: Mapping[str, str], *names: str) -> InvalidRequest:
    found = ", ".join(name for name in names if name in given)
    return InvalidRequest(f"environment variables that contradict each other: {found}")
