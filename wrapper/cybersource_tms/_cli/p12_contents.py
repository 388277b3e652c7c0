"""What a P12 file holds, and what each key and certificate in it can serve as."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from cybersource_tms._calls.responses import printable
from cybersource_tms._credentials import certificates, variables
from cybersource_tms._credentials.p12 import P12, read_p12
from cybersource_tms.errors import InvalidRequest

from .report import Report

SIGNING, RESPONSE, REQUEST = "signing", "response", "request encryption"
WHICH_KEY = (
    "the file does not say whether a key signs or is for responses; what is likely follows from how long it is valid. "
    'The Business Center lists the key ids of the one kind as "REST - Certificate", of the other as '
    '"REST - API Response MLE"'
)
_TWO_YEARS = 730  # days: signing keys are valid for about three years, response keys for about one
_FACTS = ("common_name", "key_id", "valid_from", "expires", "likely", "can_serve_as", "used_by", "problem")


def list_contents(p12: P12, given: Mapping[str, str]) -> list[Report]:
    """Return an entry for each certificate, with its key if that is there, and for each key without a certificate."""
    keys = [key.public_key() for key in p12[0]]
    publics = [certificates.public_key(each) for each in p12[1]]
    kinds = ["key and certificate" if public in keys else "certificate" for public in publics]
    entries = [*map(_entry, kinds, p12[1]), *(_entry("key", key) for key in keys if key not in publics)]
    for entry, public in zip(entries, [*publics, *(key for key in keys if key not in publics)], strict=True):
        entry["can_serve_as"] = [] if entry["problem"] else _uses(entry, is_only_key=len(keys) == 1)
        entry["likely"] = entry["likely"] if SIGNING in entry["can_serve_as"] else None
        entry["used_by"] = ", ".join(_users(entry["key_id"], public, given)) or None
    return entries


def find_problems(entries: Iterable[Report]) -> list[str]:
    """Say so if no key is of any use, or no certificate of the service's where there are some."""
    keys = [entry["can_serve_as"] for entry in entries if entry["holds"] != "certificate"]
    services = [entry["can_serve_as"] for entry in entries if _is_service(entry)]
    problems = [] if any(keys) else ["no key in it can sign or decrypt"]
    if services and not any(services):
        problems.append(f"no certificate of {certificates.SERVICE} in it can encrypt requests")
    return problems


def describe_validity(certificate: x509.Certificate) -> Report:
    """Return the first and the last day of a certificate, and which kind of key is valid for so long."""
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    likely = RESPONSE if (ends - starts).days < _TWO_YEARS else SIGNING
    return {"valid_from": f"{starts:%Y-%m-%d}", "expires": f"{ends:%Y-%m-%d}", "likely": likely}


def _entry(holds: str, thing: x509.Certificate | RSAPublicKey) -> Report:
    entry: Report = {"holds": holds, **dict.fromkeys(_FACTS)}
    try:
        if isinstance(thing, RSAPublicKey):
            certificates.check_size("key", thing)
        else:
            entry |= {"common_name": certificates.name_of(thing) or "none", **describe_validity(thing)}
            with suppress(InvalidRequest):
                entry["key_id"] = printable(certificates.key_id_of("certificate", thing))
            certificates.rsa_key_of("certificate", thing)
            certificates.check_validity("certificate", thing, warns=True)
    except InvalidRequest as error:
        entry["problem"] = str(error).partition(": ")[2]
    return entry


def _uses(entry: Report, *, is_only_key: bool) -> list[str]:
    if entry["holds"] == "certificate":
        return [REQUEST] if _is_service(entry) and entry["key_id"] else []
    if entry["holds"] == "key":
        return [RESPONSE] * is_only_key
    return [SIGNING, RESPONSE] if entry["key_id"] else [RESPONSE]  # whose id can be given


def _users(key_id: str | None, public: object, given: Mapping[str, str]) -> Iterable[str]:
    """Yield the variables that name this key: by a P12 that has it, too, or by its id."""
    for path, password in (variables.SIGNING_P12, variables.RESPONSE_P12):
        with suppress(InvalidRequest, KeyError):
            if public in [key.public_key() for key in read_p12(given[path], given.get(password))[0]]:
                yield path
    if key_id and key_id == given.get(variables.RESPONSE_KEY_ID):
        yield variables.RESPONSE_KEY_ID


def _is_service(entry: Report) -> bool:
    return entry["holds"] == "certificate" and str(entry["common_name"]).casefold() == certificates.SERVICE.casefold()
