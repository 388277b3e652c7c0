"""A client's settings from environment variables, for twelve-factor applications."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from cybersource_tms._tracebacks import raise_without_frames
from cybersource_tms.errors import InvalidRequest

from .arguments import check_owner, naming, read_file
from .json_web_token import CertificateAuth, JsonWebTokenAuth, SharedSecretAuth
from .message_encryption import OTHER_P12, MessageEncryption, refuse_signing_key, response_key, service_certificate
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
_CREDENTIALS = (ENVIRONMENT, BASE_URL, MERCHANT, PORTFOLIO, *SECRET, *SIGNING_P12)
_KNOWN = (*_CREDENTIALS, MLE, REQUEST_CERTIFICATE, *RESPONSE_P12, *RESPONSE_KEY, RESPONSE_KEY_ID)
_CLOSE = 0.8  # of a name without its prefix, from 0 to 1: ENVIROMENT is, MERCHANT_NAME is not


@raise_without_frames
def settings(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return a client's `environment`, `base_url`, `auth` and `encryption`. An empty variable counts as unset."""
    given = {name: value for name, value in variables.items() if value}
    misspelt = [f"{name} (is it {meant}?)" for name, meant in unknown(given).items() if meant and meant not in given]
    if misspelt:
        raise InvalidRequest(f"environment variables that are not known: {', '.join(misspelt)}")
    mode = given.get(MLE, "off")
    if mode not in {"off", "request", "response", "both"}:
        raise InvalidRequest(f"{MLE}: expected off, request, response or both")
    requests, responses = mode in {"request", "both"}, mode in {"response", "both"}
    _refuse_contradictions({**given, MLE: mode}, requests=requests, responses=responses)
    _refuse_missing(given, requests=requests, responses=responses)
    environment, base_url = given.get(ENVIRONMENT, "test"), given.get(BASE_URL)
    with naming(merchant_id=MERCHANT, portfolio_id=PORTFOLIO):
        auth = _auth(given)
        encryption = _encryption(given, auth, requests=requests, responses=responses) if requests or responses else None
    return {"environment": environment, "base_url": base_url, "auth": auth, "encryption": encryption}


def unknown(names: Iterable[str]) -> dict[str, str | None]:
    """Return the variables that begin as ours and are none, each with the one that is probably meant."""
    ours = {name.removeprefix(PREFIX): name for name in _KNOWN}
    strange = [name for name in names if name.startswith(PREFIX) and name not in _KNOWN]
    near = {name: get_close_matches(name.removeprefix(PREFIX), ours, 1, _CLOSE) for name in strange}
    return {name: ours[found[0]] if found else None for name, found in near.items()}


def _refuse_contradictions(given: Mapping[str, str], *, requests: bool, responses: bool) -> None:
    unused = [REQUEST_CERTIFICATE] * (not requests)
    unused += [*RESPONSE_P12, *RESPONSE_KEY, RESPONSE_KEY_ID] * (not responses)
    for one, other in ((SECRET, SIGNING_P12), (RESPONSE_P12, RESPONSE_KEY), ([MLE], unused)):
        if _any(given, one) and _any(given, other):
            found = ", ".join(name for name in (*one, *other) if name in given)
            raise InvalidRequest(f"environment variables that contradict each other: {found}")


def _refuse_missing(given: Mapping[str, str], *, requests: bool, responses: bool) -> None:
    """Of a P12 only the path can be missing: there are files without a password."""
    pem = _any(given, RESPONSE_KEY)
    needed = [MERCHANT, *(SIGNING_P12[:1] if _any(given, SIGNING_P12) else SECRET)]
    needed += [REQUEST_CERTIFICATE] * (requests and not _any(given, SIGNING_P12) and (pem or not responses))
    response = [RESPONSE_KEY[0], RESPONSE_KEY_ID] if pem else RESPONSE_P12[:1]
    missing = [name for name in (*needed, *(response if responses else ())) if name not in given]
    if missing:
        reason = f"; {OTHER_P12}" if set(missing) & set(response) else ""
        raise InvalidRequest(f"environment variables that are missing: {', '.join(missing)}{reason}")


def _auth(given: Mapping[str, str]) -> JsonWebTokenAuth:
    merchant_id, portfolio_id = given[MERCHANT], given.get(PORTFOLIO)
    with naming(key_id=SECRET[0], secret=SECRET[1], path=SIGNING_P12[0], password=SIGNING_P12[1]):
        if SIGNING_P12[0] in given:
            path, password = given[SIGNING_P12[0]], given.get(SIGNING_P12[1])
            return CertificateAuth.from_p12(path, password, merchant_id=merchant_id, portfolio_id=portfolio_id)
        key_id, secret = (given[name] for name in SECRET)
        return SharedSecretAuth(merchant_id, key_id, secret, portfolio_id=portfolio_id)


def _encryption(
    given: Mapping[str, str], auth: JsonWebTokenAuth, *, requests: bool, responses: bool
) -> MessageEncryption:
    p12s = {names[0]: _read_p12(given, *names) for names in (RESPONSE_P12, SIGNING_P12) if names[0] in given}
    key_name = RESPONSE_P12[0] if RESPONSE_P12[0] in given else RESPONSE_KEY[0]
    with naming(
        request_certificate=REQUEST_CERTIFICATE if REQUEST_CERTIFICATE in given else ", ".join(p12s),
        response_key_password=RESPONSE_KEY[1],
        response_key_id=RESPONSE_KEY_ID,
        **dict.fromkeys(("private_key", "certificate", "response_key", "encryption"), key_name),
    ):
        certificate = _request_certificate(given, p12s) if requests else None
        key, key_id = _response_key(given, p12s) if responses else (None, None)
        encryption = MessageEncryption(certificate, key, key_id, response_key_password=given.get(RESPONSE_KEY[1]))
        refuse_signing_key(auth, encryption)
    return encryption


def _request_certificate(given: Mapping[str, str], p12s: Mapping[str, P12]) -> bytes:
    if REQUEST_CERTIFICATE in given:
        return read_file(REQUEST_CERTIFICATE, given[REQUEST_CERTIFICATE])
    return service_certificate("request_certificate", [each for _, several in p12s.values() for each in several])


def _response_key(given: Mapping[str, str], p12s: Mapping[str, P12]) -> tuple[bytes, str]:
    if RESPONSE_KEY[0] in given:
        return read_file(RESPONSE_KEY[0], given[RESPONSE_KEY[0]]), given[RESPONSE_KEY_ID]
    owner = check_owner(given[MERCHANT], given.get(PORTFOLIO))
    return response_key(p12s[RESPONSE_P12[0]], owner, given.get(RESPONSE_KEY_ID))


def _read_p12(given: Mapping[str, str], path: str, password: str) -> P12:
    with naming(path=path, password=password):
        return read_p12(given[path], given.get(password))


def _any(given: Mapping[str, str], names: Iterable[str]) -> bool:
    return any(name in given for name in names)
