"""A client's settings from environment variables, for twelve-factor applications."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx

from ._auth import CertificateAuth, SharedSecretAuth
from ._certificates import certificate_of, key_id_of, read_p12, read_pem_certificates
from ._encryption import MessageEncryption
from ._environment import Environment
from .errors import InvalidRequest

MERCHANT = "CYBERSOURCE_MERCHANT_ID"
SECRET = ("CYBERSOURCE_KEY_ID", "CYBERSOURCE_SECRET_KEY")
P12 = ("CYBERSOURCE_P12_PATH", "CYBERSOURCE_P12_PASSWORD")
PORTFOLIO = "CYBERSOURCE_PORTFOLIO_ID"
MLE = "CYBERSOURCE_MLE"
REQUEST_CERTIFICATE = "CYBERSOURCE_MLE_REQUEST_CERTIFICATE_PATH"
RESPONSE_KEY = ("CYBERSOURCE_MLE_RESPONSE_KEY_PATH", "CYBERSOURCE_MLE_RESPONSE_KEY_ID")


def settings(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return a client's `environment`, `auth` and `encryption`. An empty variable counts as a missing one.

    Raises:
        InvalidRequest: Variables are missing or contradict each other, all of which the message names, or hold
            something wrong.
    """
    given = {name: value for name, value in variables.items() if value}
    if _any(given, SECRET) and _any(given, P12):
        raise _contradiction(name for name in (*SECRET, *P12) if name in given)
    return {
        "environment": given.get("CYBERSOURCE_ENVIRONMENT", Environment.TEST.value),
        "auth": _auth(given),
        "encryption": _encryption(given),
    }


def _auth(given: Mapping[str, str]) -> httpx.Auth:
    portfolio_id = given.get(PORTFOLIO)
    if _any(given, P12):
        merchant_id, path, password = _required(given, MERCHANT, *P12)
        return CertificateAuth.from_p12(path, password, merchant_id=merchant_id, portfolio_id=portfolio_id)
    merchant_id, key_id, secret = _required(given, MERCHANT, *SECRET)
    return SharedSecretAuth(merchant_id, key_id, secret, portfolio_id=portfolio_id)


def _encryption(given: Mapping[str, str]) -> MessageEncryption | None:
    mode = given.get(MLE, "off")
    if mode not in {"off", "request", "response", "both"}:
        raise InvalidRequest(f"{MLE}: expected off, request, response or both")
    requests, answers = mode in {"request", "both"}, mode in {"response", "both"}
    idle = [REQUEST_CERTIFICATE] * (not requests) + [*RESPONSE_KEY] * (not answers)
    if _any(given, idle):
        raise _contradiction([MLE, *(name for name in idle if name in given)])
    if mode == "off":
        return None
    key, key_id = _response_key(given) if answers else (None, None)
    return MessageEncryption(_request_certificate(given) if requests else None, key, key_id)


def _request_certificate(given: Mapping[str, str]) -> bytes:
    if _any(given, P12) and REQUEST_CERTIFICATE not in given:
        return read_p12(*_required(given, *P12))[1]
    return _read(REQUEST_CERTIFICATE, *_required(given, REQUEST_CERTIFICATE))


def _response_key(given: Mapping[str, str]) -> tuple[bytes, str]:
    if _any(given, P12) and not _any(given, RESPONSE_KEY):
        key, certificates = read_p12(*_required(given, *P12))
        owner = given.get(PORTFOLIO, given[MERCHANT])
        return key, key_id_of(certificate_of(P12[0], owner, read_pem_certificates(P12[0], certificates)))
    path, key_id = _required(given, *RESPONSE_KEY)
    return _read(RESPONSE_KEY[0], path), key_id


def _read(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{name}: the file cannot be read ({type(error).__name__})") from error


def _any(given: Mapping[str, str], names: Iterable[str]) -> bool:
    return any(name in given for name in names)


def _required(given: Mapping[str, str], *names: str) -> list[str]:
    if missing := [name for name in names if name not in given]:
        raise InvalidRequest(f"environment variables that are missing: {', '.join(missing)}")
    return [given[name] for name in names]


def _contradiction(names: Iterable[str]) -> InvalidRequest:
    return InvalidRequest(f"environment variables that contradict each other: {', '.join(names)}")
