"""What your keys, P12 files and environment variables amount to; with --customer, whether the service accepts them."""

import argparse
import getpass
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx

from cybersource_tms._calls.environment import Environment, resolve_base_url, resolve_environment
from cybersource_tms._calls.requests import parse_customer_id
from cybersource_tms._credentials import variables
from cybersource_tms._credentials.arguments import naming, read_file, show
from cybersource_tms._credentials.certificates import key_and_certificate, key_id_of
from cybersource_tms._credentials.p12 import P12, read_p12
from cybersource_tms.errors import InvalidRequest

from . import UsageError
from .one_request import FINDINGS, retrieve
from .p12_contents import SIGNING, WHICH_KEY, describe_validity, find_problems, list_contents
from .report import Report, noting, print_report

_PASSWORDS = (variables.SIGNING_P12[1], variables.RESPONSE_P12[1])
_NOT_ASKED = "the service was not asked; --customer ID reads a customer"
_PLAIN = f"from March 2027 the service sends no response that is not encrypted: set {variables.MLE} to both or response"
_NAMES = (
    *("environment", "host", "base_url", "merchant", "portfolio", "credential", "key_id", "algorithm"),
    *("key_valid_from", "key_expires", "key_likely", "encryption", "request_key_id", "request_key_expires"),
    *("response_key_id", "response_key_valid_from", "response_key_expires", "response_key_likely"),
)


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("check", help="what your keys and variables amount to", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--p12", metavar="FILE", help="list what is in this file, instead of reading the variables")
    what.add_argument("--customer", metavar="ID", help="also read this customer, once")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what was found, and return the exit code. An empty variable counts as unset."""
    if options.customer is not None:
        with naming(customer_id="--customer"):
            parse_customer_id(options.customer)
    given = {name: value for name, value in os.environ.items() if value}
    report = _check_variables(given, options.customer) if options.p12 is None else _check_p12(options.p12, given)
    return print_report(report, as_json=options.json)


def _check_p12(path: str, given: Mapping[str, str]) -> Report:
    report: Report = {"entries": [], "note": None, "warnings": [], "problems": []}
    with noting(report):
        report["entries"] = list_contents(_open_p12(path, given), given)
        report["problems"] += find_problems(report["entries"])
        if any(SIGNING in entry["can_serve_as"] for entry in report["entries"]):
            report["note"] = WHICH_KEY
    return report


def _open_p12(path: str, given: Mapping[str, str]) -> P12:
    """Open the file without a password, with the password of either variable, or with one that is asked for."""
    names = [name for name in _PASSWORDS if name in given]
    with naming(path="--p12", password=", ".join(names)):
        content = read_file("path", path)
        try:
            return read_p12(content, None)
        except InvalidRequest as error:
            if not str(error).startswith("password"):
                raise
        if not names:
            return read_p12(content, _ask_password())
        with suppress(InvalidRequest):
            return read_p12(content, given[names[0]])
        return read_p12(content, given[names[-1]])


def _ask_password() -> str:
    with suppress(EOFError, KeyboardInterrupt):
        if sys.stdin.isatty():
            return getpass.getpass()
    raise UsageError(f"--p12 needs {_PASSWORDS[0]}, or a terminal for the password")


def _check_variables(given: Mapping[str, str], customer_id: str | None) -> Report:
    report: Report = {**dict.fromkeys((*_NAMES, *FINDINGS, "note")), "warnings": [], "problems": []}
    report["note"] = _NOT_ASKED if customer_id is None else None
    report |= _describe_account(given)
    for name, meant in variables.unknown(given).items():
        report["warnings"].append(f"{name} is not known" + (f"; is it {meant}?" if meant else ""))
    with noting(report):
        settings = variables.settings(given)
        with naming(environment=variables.ENVIRONMENT, base_url=variables.BASE_URL):
            resolve_base_url(resolve_environment(settings["environment"]), settings["base_url"])
        report |= _describe_keys(given, **settings)
        if not (settings["encryption"] and settings["encryption"].response_key_id):
            report["warnings"].append(_PLAIN)
        if customer_id is not None:
            retrieve(customer_id, settings, report)
    return report


def _describe_account(given: Mapping[str, str]) -> Report:
    """Return what is known even where the variables do not fit together."""
    ids = {"merchant": given.get(variables.MERCHANT), "portfolio": given.get(variables.PORTFOLIO)}
    account: Report = {name: value and show(value) for name, value in ids.items()}
    with suppress(ValueError):
        environment = Environment(given.get(variables.ENVIRONMENT, Environment.TEST.value))
        account |= {"environment": environment.value, "host": environment.host}
    return account


def _describe_keys(given: Mapping[str, str], **settings: Any) -> Report:
    auth, encryption, base_url = settings["auth"], settings["encryption"], settings["base_url"]
    keys: Report = {
        "base_url": base_url and str(httpx.URL(base_url).join("/")).rstrip("/"),  # its path could be a secret
        "credential": "P12 certificate" if auth.expires else "shared secret",
        "key_id": show(auth.key_id),
        "algorithm": auth.algorithm,
        "encryption": given.get(variables.MLE, "off"),
    } | _describe_certificate(given, variables.SIGNING_P12, "key")
    if encryption:
        expires, key_id = encryption.request_expires, encryption.response_key_id
        keys |= {"request_key_id": encryption.request_key_id, "request_key_expires": expires and f"{expires:%Y-%m-%d}"}
        found = _describe_certificate(given, variables.RESPONSE_P12, "response_key")
        keys |= found | ({"response_key_id": show(key_id)} if key_id and key_id != found.get("response_key_id") else {})
    return keys


def _describe_certificate(given: Mapping[str, str], names: tuple[str, str], label: str) -> Report:
    """Return what the certificate of a P12's key says and confirms. A response key of one's own making has none."""
    whose = ("portfolio", variables.PORTFOLIO) if variables.PORTFOLIO in given else ("merchant", variables.MERCHANT)
    with suppress(InvalidRequest, KeyError):
        p12 = read_p12(given[names[0]], given.get(names[1]))
        certificate = key_and_certificate(given[whose[1]], *p12)[1]
        found = {f"{label}_{name}": value for name, value in describe_validity(certificate).items()}
        return found | {whose[0]: given[whose[1]], f"{label}_id": key_id_of("certificate", certificate)}
    return {}
