"""A client's settings from environment variables, for twelve-factor applications."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from cybersource_tms._tracebacks import raise_without_frames
from cybersource_tms.errors import InvalidRequest

from .arguments import naming, read_file
from .certificates import response_key, service_certificate
from .json_web_token import CertificateAuth, JsonWebTokenAuth, SharedSecretAuth
from .message_encryption import OTHER_P12, MessageEncryption, refuse_signing_key
from .p12 import P12, read_p12

PREFIX = "CYBERSOURCE_"
ENVIRONMENT, BASE_URL = "CYBERSOURCE_ENVIRONMENT", "CYBERSOURCE_BASE_URL"
MERCHANT, PORTFOLIO = "CYBERSOURCE_MERCHANT_ID", "CYBERSOURCE_PORTFOLIO_ID"
SECRET = ("CYBERSOURCE_KEY_ID", "CYBERSOURCE_SECRET_KEY")
SIGNING_P12 = ("CYBERSOURCE_P12_PATH", "CYBERSOURCE_P12_PASSWORD")
MLE = "CYBERSOURCE_MLE"
REQUEST_CERTIFICATE = "CYBERSOURCE_MLE_REQUEST_CERTIFICATE_PATH"
RESPONSE_P12 = ("CYBERSOURCE_MLE_RESPONSE_P12_PATH", "CYBERSOURCE_MLE_RESPONSE_P12_PASSWORD")
RESPONSE_KEY = ("CYBERSOURCE_MLE_RESPONSE_KEY_PATH", "CYBERSOURCE_MLE_RESPONSE_KEY_PASSWORD")
RESPONSE_KEY_ID = "CYBERSOURCE_MLE_RESPONSE_KEY_ID"
_RESPONSES = (*RESPONSE_P12, *RESPONSE_KEY, RESPONSE_KEY_ID)
_KNOWN = (ENVIRONMENT, BASE_URL, MERCHANT, PORTFOLIO, *SECRET, *SIGNING_P12, MLE, REQUEST_CERTIFICATE, *_RESPONSES)
_CLOSE = 0.8  # of a name without its prefix, from 0 to 1: ENVIROMENT is, MERCHANT_NAME is not


@raise_without_frames
def settings(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return a client's `environment`, `base_url`, `auth` and `encryption`. An empty variable counts as unset."""
    given = {name: value for name, value in variables.items() if value}
    misspelt = [f"{name} (is it {meant}?)" for name, meant in unknown(given).items() if meant and meant not in given]
    if misspelt:
        raise InvalidRequest(f"environment variables that are not known: {', '.join(misspelt)}")
    mode = given.setdefault(MLE, "off")
    if mode not in {"off", "request", "response", "both"}:
        raise InvalidRequest(f"{MLE}: expected off, request, response or both")
    _check_names(given)
    with naming(merchant_id=MERCHANT, portfolio_id=PORTFOLIO):
        auth = _auth(given)
        encryption = None if mode == "off" else _encryption(given, auth)
    environment, base_url = given.get(ENVIRONMENT, "test"), given.get(BASE_URL)
    return {"environment": environment, "base_url": base_url, "auth": auth, "encryption": encryption}


def unknown(names: Iterable[str]) -> dict[str, str | None]:
    """Return the variables that begin as ours and are none, each with the one that is probably meant."""
    ours = {name.removeprefix(PREFIX): name for name in _KNOWN}
    strange = [name for name in names if name.startswith(PREFIX) and name not in _KNOWN]
    near = {name: get_close_matches(name.removeprefix(PREFIX), ours, 1, _CLOSE) for name in strange}
    return {name: ours[found[0]] if found else None for name, found in near.items()}


def _check_names(given: Mapping[str, str]) -> None:
    """Refuse variables that contradict each other, or say which are missing: of a P12, only the path can be."""
    requests, responses = given[MLE] in {"request", "both"}, given[MLE] in {"response", "both"}
    unused = (REQUEST_CERTIFICATE,) * (not requests) + _RESPONSES * (not responses)
    for one, other in ((SECRET, SIGNING_P12), (RESPONSE_P12, RESPONSE_KEY), ((MLE,), unused)):
        if given.keys() & one and given.keys() & other:
            names = ", ".join(name for name in (*one, *other) if name in given)
            raise InvalidRequest(f"environment variables that contradict each other: {names}")
    p12, pem = given.keys() & SIGNING_P12, given.keys() & RESPONSE_KEY
    needed = [MERCHANT, *(SIGNING_P12[:1] if p12 else SECRET)]
    if requests and not p12 and (pem or not responses):
        needed.append(REQUEST_CERTIFICATE)
    if responses:
        needed += (RESPONSE_KEY[0], RESPONSE_KEY_ID) if pem else RESPONSE_P12[:1]
    if missing := [name for name in needed if name not in given]:
        hint = f"; {OTHER_P12}" if {*missing} & {*_RESPONSES} else ""
        raise InvalidRequest(f"environment variables that are missing: {', '.join(missing)}{hint}")


def _auth(given: Mapping[str, str]) -> JsonWebTokenAuth:
    merchant_id, portfolio_id = given[MERCHANT], given.get(PORTFOLIO)
    with naming(key_id=SECRET[0], secret=SECRET[1], path=SIGNING_P12[0], password=SIGNING_P12[1]):
        if SIGNING_P12[0] in given:
            path, password = given[SIGNING_P12[0]], given.get(SIGNING_P12[1])
            return CertificateAuth.from_p12(path, password, merchant_id=merchant_id, portfolio_id=portfolio_id)
        return SharedSecretAuth(merchant_id, given[SECRET[0]], given[SECRET[1]], portfolio_id=portfolio_id)


def _encryption(given: Mapping[str, str], auth: JsonWebTokenAuth) -> MessageEncryption:
    certificate = key = key_id = None
    p12s: dict[str, P12] = {}
    for path, password in (RESPONSE_P12, SIGNING_P12):
        if path in given:
            with naming(path=path, password=password):
                p12s[path] = read_p12(given[path], given.get(password))
    key_name = RESPONSE_P12[0] if RESPONSE_P12[0] in given else RESPONSE_KEY[0]
    with naming(
        request_certificate=REQUEST_CERTIFICATE if REQUEST_CERTIFICATE in given else ", ".join(p12s),
        response_key_password=RESPONSE_KEY[1],
        response_key_id=RESPONSE_KEY_ID,
        **dict.fromkeys(("private_key", "certificate", "response_key", "encryption"), key_name),
    ):
        if REQUEST_CERTIFICATE in given:
            certificate = read_file(REQUEST_CERTIFICATE, given[REQUEST_CERTIFICATE])
        elif given[MLE] != "response":
            certificate = service_certificate("request_certificate", [each for p12 in p12s.values() for each in p12[1]])
        if RESPONSE_KEY[0] in given:
            key, key_id = read_file(RESPONSE_KEY[0], given[RESPONSE_KEY[0]]), given[RESPONSE_KEY_ID]
        elif RESPONSE_P12[0] in given:
            owner = given.get(PORTFOLIO, given[MERCHANT])
            key, key_id = response_key(*p12s[RESPONSE_P12[0]], owner, given.get(RESPONSE_KEY_ID))
        encryption = MessageEncryption(certificate, key, key_id, response_key_password=given.get(RESPONSE_KEY[1]))
        refuse_signing_key(auth, encryption)
    return encryption
