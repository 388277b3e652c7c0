"""Show what your keys, P12 files and environment variables amount to.

With --customer, it also shows whether the service accepts them.
"""

import argparse
import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from logging.handlers import BufferingHandler
from typing import Any
from urllib.request import getproxies

import httpx

from cybersource_tms._calls import environment, requests, responses
from cybersource_tms._clients import CustomersClient
from cybersource_tms._credentials import certificates, p12, variables
from cybersource_tms._credentials.arguments import naming, show
from cybersource_tms.errors import InvalidRequest, Unauthorized

from .p12_contents import RESPONSE, check_p12, describe_validity
from .report import Report, lines_of, noting

_IDS = {"merchant": variables.MERCHANT, "portfolio": variables.PORTFOLIO}
_NOT_ASKED = "the service was not asked; --customer ID reads a customer"
_PLAIN = f"from March 2027 the service sends no response that is not encrypted: set {variables.MLE} to both or response"
_NAMES = (
    *("environment", "host", "base_url", "merchant", "portfolio", "credential", "key_id", "algorithm"),
    *("key_valid_from", "key_expires", "key_likely", "encryption", "request_key_id", "request_key_expires"),
    *("response_key_id", "response_key_valid_from", "response_key_expires", "response_key_likely", "status"),
    *("correlation_id", "clock_seconds_ahead", "response_encrypted", "causes"),
)
_MOST_RECORDS = 100  # of the log of one call
_TOO_LATE = -115  # seconds; a token is dated 5 seconds back, and good for 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes to its parser."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--p12", metavar="FILE", help="list what is in this file, instead of reading the variables")
    what.add_argument("--customer", metavar="ID", help="also read this customer, once")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Print what was found, and return the exit code. An empty variable counts as unset."""
    if options.customer is not None:
        with naming(customer_id="--customer"):
            requests.parse_customer_id(options.customer)
    given = {name: value for name, value in os.environ.items() if value}
    report = _check_variables(given, options.customer) if options.p12 is None else check_p12(options.p12, given)
    report["ok"] = not report["problems"]
    print(json.dumps(report, indent=1) if options.json else "\n".join(lines_of(report)))
    return int(not report["ok"])


def _check_variables(given: Mapping[str, str], customer_id: str | None) -> Report:
    report: Report = dict.fromkeys(_NAMES)
    report |= {"note": None if customer_id else _NOT_ASKED, "warnings": [], "problems": []}
    # What is known even where the variables do not fit together.
    report |= {name: show(given[variable]) for name, variable in _IDS.items() if variable in given}
    for name, meant in variables.unknown(given).items():
        report["warnings"].append(f"{name} is not known" + (f"; is it {meant}?" if meant else ""))
    with noting(report):
        with naming(environment=variables.ENVIRONMENT, base_url=variables.BASE_URL):
            chosen = environment.resolve_environment(given.get(variables.ENVIRONMENT, "test"))
            report |= {"environment": chosen.value, "host": chosen.host}
            environment.resolve_base_url(chosen, given.get(variables.BASE_URL))
        settings = variables.settings(given)
        report |= _describe_keys(given, **settings)
        if not report["response_key_id"]:
            report["warnings"].append(_PLAIN)
        if customer_id is not None:
            _retrieve(customer_id, settings, report)
    return report


def _describe_keys(given: Mapping[str, str], *, auth: Any, encryption: Any, base_url: Any, **_: object) -> Report:
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
    whose = "portfolio" if variables.PORTFOLIO in given else "merchant"
    with suppress(InvalidRequest, KeyError):
        owner, content = given[_IDS[whose]], p12.read_p12(given[names[0]], given.get(names[1]))
        certificate = certificates.key_and_certificate(owner, *content)[1]
        found = {f"{label}_{name}": value for name, value in describe_validity(certificate).items()}
        return found | {whose: owner, f"{label}_id": certificates.key_id_of("certificate", certificate)}
    return {}


def _retrieve(customer_id: str, settings: dict[str, Any], report: Report) -> None:
    """Read a customer once, and add what came of it to the report; raise errors other than `Unauthorized`."""
    log, kept = logging.getLogger("cybersource_tms"), BufferingHandler(_MOST_RECORDS)
    level = log.level
    log.addHandler(kept)
    log.setLevel(logging.DEBUG)
    try:
        with CustomersClient(**settings, retries=None) as customers:
            customers.retrieve(customer_id)
        report["response_encrypted"] = bool(report["response_key_id"])
    except Unauthorized:
        report["problems"].append("the credentials were not accepted; look for the cause in the order above")
    finally:
        log.setLevel(level)
        log.removeHandler(kept)
        for facts in (vars(record) for record in kept.buffer if hasattr(record, "status")):
            ahead, correlation_id = facts["clock_seconds_ahead"], facts["correlation_id"]
            report |= {"status": facts["status"], "clock_seconds_ahead": None if ahead is None else int(ahead)}
            report["correlation_id"] = None if correlation_id == "none" else correlation_id
    if report["problems"]:
        report["causes"] = _describe_causes(settings, report)


def _describe_causes(settings: dict[str, Any], report: Report) -> dict[str, str]:
    """Return the usual causes of a 401, each with whether it can be ruled out; a clock that is wrong comes first."""
    causes = {name: f"possible: {cause}" for name, cause in Unauthorized.causes.items()}
    if report["key_likely"] == RESPONSE:
        causes["key"] += "; it is valid for about one year, as response keys are"
    if report["key_expires"]:
        causes["key"] += "; its certificate has the right name and is valid"
    authorities = map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR"))  # other ones, as of a proxy that looks inside
    if not any((settings["base_url"], *map(getproxies().get, ("https", "all")), *authorities)):
        causes["proxy"] = "ruled out: the request went straight to the service"
    if (ahead := report["clock_seconds_ahead"]) is not None:
        is_likely = not _TOO_LATE <= ahead <= responses.CLOCK_TOLERANCE
        how = f"it is {responses.describe_seconds_ahead(ahead)} the service's"
        clock = {"clock": f"{'likely' if is_likely else 'possible'}: {how}"}
        if abs(ahead) <= responses.CLOCK_TOLERANCE:
            clock = {"clock": f"ruled out: it is within {responses.CLOCK_TOLERANCE} s of the service's"}
        causes = (clock if is_likely else {}) | causes | clock
    return causes
