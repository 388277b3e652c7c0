"""What a P12 file holds, and what each key and certificate in it can serve as."""

import getpass
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from cybersource_tms._calls.responses import printable
from cybersource_tms._credentials import arguments, certificates, p12, variables
from cybersource_tms.errors import InvalidRequest

from . import UsageError
from .report import Report, noting

_SIGNING, RESPONSE, _REQUEST = "signing", "response", "request encryption"
_WHICH_KEY = (
    "the file does not say whether a key signs or is for responses; how long it is valid makes one likely. The "
    'Business Center lists ids of signing keys as "REST - Certificate", of response keys as "REST - API Response MLE"'
)
_PASSWORDS = (variables.SIGNING_P12[1], variables.RESPONSE_P12[1])
_TWO_YEARS = 730  # days: signing keys are valid for about three years, response keys for about one
_FACTS = ("common_name", "key_id", "valid_from", "expires", "likely", "can_serve_as", "problem")


def check_p12(path: str, given: Mapping[str, str]) -> Report:
    """Report each certificate in a file, with its key if that is there, and each key without a certificate."""
    report: Report = {"entries": [], "note": None, "warnings": [], "problems": []}
    with noting(report):
        private, found = _open_p12(path, given)
        keys, certified = [each.public_key() for each in private], [*map(certificates.public_key, found)]
        pairs = [*zip(found, certified, strict=True), *((None, key) for key in keys if key not in certified)]
        report["entries"] = [_entry(certificate, public, keys) for certificate, public in pairs]
        uses = {use for entry in report["entries"] for use in entry["can_serve_as"]}
        if not uses & {_SIGNING, RESPONSE}:
            report["problems"].append("no key in it can sign or decrypt")
        if _REQUEST not in uses and any(map(_is_service, report["entries"])):
            report["problems"].append(f"no certificate of {certificates.SERVICE} in it can encrypt requests")
        report["note"] = _WHICH_KEY if _SIGNING in uses else None
    return report


def _open_p12(path: str, given: Mapping[str, str]) -> p12.P12:
    """Open the file without a password, with the password of either variable, or with one that is asked for."""
    names = [name for name in _PASSWORDS if name in given]
    with arguments.naming(path="--p12", password=", ".join(names)):
        content = arguments.read_file("path", path)
        try:
            return p12.read_p12(content, None)
        except InvalidRequest as error:
            if not str(error).startswith("password"):
                raise
        passwords = [given[name] for name in names] or [_ask_password()]
        with suppress(InvalidRequest):
            return p12.read_p12(content, passwords[0])
        return p12.read_p12(content, passwords[-1])


def _ask_password() -> str:
    with suppress(EOFError, KeyboardInterrupt):
        if sys.stdin.isatty():
            return getpass.getpass()
    raise UsageError(f"--p12 needs {_PASSWORDS[0]}, or a terminal for the password")


def describe_validity(certificate: x509.Certificate) -> Report:
    """Return the first and the last day of a certificate, and which kind of key is valid for so long."""
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    likely = RESPONSE if (ends - starts).days < _TWO_YEARS else _SIGNING
    return {"valid_from": f"{starts:%Y-%m-%d}", "expires": f"{ends:%Y-%m-%d}", "likely": likely}


def _entry(certificate: x509.Certificate | None, public: Any, keys: list[RSAPublicKey]) -> Report:
    holds = "key" if certificate is None else "key and certificate" if public in keys else "certificate"
    entry: Report = {"holds": holds, **dict.fromkeys(_FACTS), "can_serve_as": []}
    try:
        if certificate is None:
            certificates.check_size("key", public)
        else:
            entry |= {"common_name": certificates.name_of(certificate) or "none", **describe_validity(certificate)}
            with suppress(InvalidRequest):
                entry["key_id"] = printable(certificates.key_id_of("certificate", certificate))
            certificates.rsa_key_of("certificate", certificate)
            certificates.check_validity("certificate", certificate, warns=True)
        entry["can_serve_as"] = {
            "key": [RESPONSE] * (len(keys) == 1),  # whose id can be given
            "certificate": [_REQUEST] * bool(_is_service(entry) and entry["key_id"]),
            "key and certificate": [*[_SIGNING] * bool(entry["key_id"]), RESPONSE],
        }[holds]
    except InvalidRequest as error:
        entry["problem"] = str(error).partition(": ")[2]
    entry["likely"] = entry["likely"] if _SIGNING in entry["can_serve_as"] else None
    return entry


def _is_service(entry: Report) -> bool:
    return entry["holds"] == "certificate" and str(entry["common_name"]).casefold() == certificates.SERVICE.casefold()
