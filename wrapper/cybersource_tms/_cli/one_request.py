"""One real request: what the service says to the credentials."""

import logging
import os
from functools import partial
from typing import Any
from urllib.request import getproxies

from cybersource_tms._calls.responses import CLOCK_TOLERANCE, describe_seconds_ahead
from cybersource_tms._clients import CustomersClient
from cybersource_tms.errors import Unauthorized

from .p12_contents import RESPONSE
from .report import Report

FINDINGS = ("status", "correlation_id", "clock_seconds_ahead", "response_encrypted", "causes")

_OWN_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_TOO_LATE = -115  # seconds; a token is dated 5 seconds back, and good for 120


def retrieve(customer_id: str, settings: dict[str, Any], report: Report) -> None:
    """Read a customer once, and add what came of it to the report; raise errors other than `Unauthorized`."""
    with CustomersClient(**settings, retries=None) as customers:
        log, note = logging.getLogger("cybersource_tms"), partial(_note_response, report)
        level = log.level
        log.addFilter(note)
        log.setLevel(logging.DEBUG)
        try:
            customers.retrieve(customer_id)
        except Unauthorized:
            report["causes"] = _describe_causes(settings, report)
            report["problems"].append("the credentials were not accepted; look for the cause in the order above")
        else:
            encryption = settings["encryption"]
            report["response_encrypted"] = bool(encryption and encryption.response_key_id)
        finally:
            log.setLevel(level)
            log.removeFilter(note)


def _note_response(report: Report, record: logging.LogRecord) -> bool:
    """Take what there is to know of a response from the client's log."""
    facts = vars(record)
    if "status" in facts:
        ahead, correlation_id = facts["clock_seconds_ahead"], facts["correlation_id"]
        report |= {"status": facts["status"], "correlation_id": None if correlation_id == "none" else correlation_id}
        report["clock_seconds_ahead"] = None if ahead is None else int(ahead)
    return True


def _describe_causes(settings: dict[str, Any], report: Report) -> dict[str, str]:
    """Return the usual causes of a 401, each with whether it can be ruled out; a clock that is wrong comes first."""
    causes = {name: f"possible: {cause}" for name, cause in Unauthorized.causes.items()}
    if report["key_likely"] == RESPONSE:
        causes["key"] += "; it is valid for about one year, as response keys are"
    if report["key_expires"]:
        causes["key"] += "; its certificate has the right name and is valid"
    between = [settings["base_url"], *map(getproxies().get, ("https", "all")), *map(os.environ.get, _OWN_AUTHORITIES)]
    if not any(between):
        causes["proxy"] = "ruled out: the request went straight to the service"
    if (ahead := report["clock_seconds_ahead"]) is None:
        return causes
    is_likely = ahead > CLOCK_TOLERANCE or ahead < _TOO_LATE
    clock = {"clock": f"{'likely' if is_likely else 'possible'}: it is {describe_seconds_ahead(ahead)} the service's"}
    if abs(ahead) <= CLOCK_TOLERANCE:
        clock["clock"] = f"ruled out: it is within {CLOCK_TOLERANCE} s of the service's"
    return (clock if is_likely else {}) | causes | clock
