"""What your keys, P12 files and environment variables amount to; with --customer, whether the service accepts them."""

import argparse
import getpass
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from cybersource_tms._calls.environment import Environment
from cybersource_tms._calls.responses import printable
from cybersource_tms._credentials import variables
from cybersource_tms._credentials.arguments import naming
from cybersource_tms._credentials.certificates import key_and_certificate
from cybersource_tms._credentials.message_encryption import MessageEncryption
from cybersource_tms._credentials.p12 import P12, read_p12
from cybersource_tms.errors import InvalidRequest

from . import UsageError
from .one_request import FINDINGS, retrieve
from .p12_contents import SIGNING, WHICH_KEY, find_problems, list_contents
from .report import Report, noting, print_report

_PASSWORDS = (variables.SIGNING_P12[1], variables.RESPONSE_P12[1])
_NOT_ASKED = "the service was not asked; --customer ID reads a customer"
_NAMES = (
    *("environment", "host", "base_url", "merchant", "portfolio", "credential", "key_id", "algorithm", "key_expires"),
    *("encryption", "request_key_id", "request_key_expires", "response_key_id", "response_key_expires"),
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
    given = {name: value for name, value in os.environ.items() if value}
    report = _check_variables(given, options.customer) if options.p12 is None else _check_p12(options.p12, given)
    return print_report(report, as_json=options.json)


def _check_p12(path: str, given: Mapping[str, str]) -> Report:
    report: Report = {"entries": [], "note": None, "warnings": [], "problems": []}
    with noting(report):
        report["entries"] = list_contents(_open_p12(path, given))
        report["problems"] += find_problems(report["entries"])
        if any(SIGNING in entry["can_serve_as"] for entry in report["entries"]):
            report["note"] = WHICH_KEY
    return report


def _open_p12(path: str, given: Mapping[str, str]) -> P12:
    """Open the file with the password of either variable, or with one that is asked for."""
    names = [name for name in _PASSWORDS if name in given]
    if not names:
        with naming(path="--p12"):
            return read_p12(path, _ask_password())
    with suppress(InvalidRequest):
        return read_p12(path, given[names[0]])
    with naming(path="--p12", password=", ".join(names)):
        return read_p12(path, given[names[-1]])


def _ask_password() -> str:
    problem = f"--p12 needs {_PASSWORDS[0]}, or a terminal for the password"
    if not sys.stdin.isatty():
        raise UsageError(problem)
    try:
        return getpass.getpass()
    except (EOFError, KeyboardInterrupt):
        raise UsageError(problem) from None


def _check_variables(given: Mapping[str, str], customer_id: str | None) -> Report:
    report: Report = {**dict.fromkeys((*_NAMES, *FINDINGS, "note")), "warnings": [], "problems": []}
    report["note"] = _NOT_ASKED if customer_id is None else None
    report |= _describe_account(given)
    with noting(report):
        settings = variables.settings(given)
        report |= _describe_keys(given, **settings)
        if customer_id is not None:
            retrieve(customer_id, settings, report)
    return report


def _describe_account(given: Mapping[str, str]) -> Report:
    """Return what is known even where the variables do not fit together."""
    ids = {"merchant": given.get(variables.MERCHANT), "portfolio": given.get(variables.PORTFOLIO)}
    secret = given.get(variables.SECRET[1])
    # The secret may have been pasted there, or be swapped with the id: it is base64, with `=` at its end.
    shown = {name: value for name, value in ids.items() if value and value.strip() != secret and "=" not in value}
    account: Report = {name: printable(value) for name, value in shown.items()}
    with suppress(ValueError):
        environment = Environment(given.get(variables.ENVIRONMENT, Environment.TEST.value))
        account |= {"environment": environment.value, "host": environment.host}
    return account


def _describe_keys(given: Mapping[str, str], **settings: Any) -> Report:
    auth, encryption = settings["auth"], settings["encryption"]
    keys: Report = {
        "base_url": settings["base_url"],
        "credential": "P12 certificate" if auth.expires else "shared secret",
        "key_id": printable(auth.key_id),
        "algorithm": auth.algorithm,
        "key_expires": _date(auth.expires),
        "encryption": given.get(variables.MLE, "off"),
    }
    return keys | (_describe_encryption(given, encryption) if encryption else {})


def _describe_encryption(given: Mapping[str, str], encryption: MessageEncryption) -> Report:
    keys: Report = {
        "request_key_id": encryption.request_key_id,
        "request_key_expires": _date(encryption.request_expires),
        "response_key_id": encryption.response_key_id,
    }
    if variables.RESPONSE_P12[0] in given:
        owner = given.get(variables.PORTFOLIO, given[variables.MERCHANT])
        with suppress(InvalidRequest):  # a key of the merchant's own making needs no certificate
            p12 = read_p12(*(given[name] for name in variables.RESPONSE_P12))
            keys["response_key_expires"] = _date(key_and_certificate(owner, *p12)[1].not_valid_after_utc)
    return keys


def _date(time: datetime | None) -> str | None:
    return f"{time:%Y-%m-%d}" if time else None
