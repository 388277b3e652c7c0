"""What a P12 file holds, and what each key and certificate in it can serve as."""

from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from cybersource_tms._calls.responses import printable
from cybersource_tms._credentials.certificates import (
    check_size,
    check_validity,
    common_names,
    key_id_of,
    public_key,
    rsa_key_of,
)
from cybersource_tms._credentials.message_encryption import SERVICE
from cybersource_tms._credentials.p12 import P12
from cybersource_tms.errors import InvalidRequest

from .report import Report

SIGNING, RESPONSE, REQUEST = "signing", "response", "request encryption"
WHICH_KEY = (
    "the file does not say whether a key signs or is for responses; the Business Center lists the one as "
    '"REST - Certificate" and the other as "REST - API Response MLE"'
)


def list_contents(p12: P12) -> list[Report]:
    """Return an entry for each certificate, with its key if that is there, and for each key without a certificate."""
    keys, certificates = p12
    publics, certified = [key.public_key() for key in keys], [public_key(each) for each in certificates]
    entries = [_entry(each, has_key=key in publics) for each, key in zip(certificates, certified, strict=True)]
    alone = [key for key, public in zip(keys, publics, strict=True) if public not in certified]
    return entries + [_entry_without_certificate(key, is_only_key=len(keys) == 1) for key in alone]


def find_problems(entries: Iterable[Report]) -> list[str]:
    """Say so if no key is of any use, or no certificate of the service's where there are some."""
    keys = [entry["can_serve_as"] for entry in entries if entry["holds"] != "certificate"]
    services = [entry["can_serve_as"] for entry in entries if _is_service(entry)]
    problems = [] if any(keys) else ["no key in it can sign or decrypt"]
    if services and not any(services):
        problems.append(f"no certificate of {SERVICE} in it can encrypt requests")
    return problems


def _entry(certificate: x509.Certificate, *, has_key: bool) -> Report:
    entry: Report = {
        "holds": "key and certificate" if has_key else "certificate",
        "common_name": printable(", ".join(common_names(certificate)) or None),
        "key_id": _key_id(certificate),
        "expires": f"{certificate.not_valid_after_utc:%Y-%m-%d}",
        "can_serve_as": [],
        "problem": None,
    }
    try:
        rsa_key_of("certificate", certificate)
        check_validity("certificate", entry["common_name"], certificate)
        entry["can_serve_as"] = _uses(entry)
    except InvalidRequest as error:
        entry["problem"] = _without_name(error)
    return entry


def _entry_without_certificate(key: RSAPrivateKey, *, is_only_key: bool) -> Report:
    entry: Report = {"holds": "key", "common_name": None, "key_id": None, "expires": None, "can_serve_as": []}
    try:
        check_size("key", key)
        entry |= {"can_serve_as": [RESPONSE] * is_only_key, "problem": None}
    except InvalidRequest as error:
        entry["problem"] = _without_name(error)
    return entry


def _uses(entry: Report) -> list[str]:
    if entry["holds"] == "certificate":
        return [REQUEST] if _is_service(entry) and entry["key_id"] else []
    return [SIGNING, RESPONSE] if entry["key_id"] else [RESPONSE]  # whose id can be given


def _is_service(entry: Report) -> bool:
    return entry["holds"] == "certificate" and str(entry["common_name"]).casefold() == SERVICE.casefold()


def _key_id(certificate: x509.Certificate) -> str | None:
    try:
        return printable(key_id_of("certificate", certificate))
    except InvalidRequest:
        return None


def _without_name(error: InvalidRequest) -> str:
    """Return what an error says after the argument's name."""
    return str(error).partition(": ")[2]
