"""One real request: what the service says to the credentials."""

import os
from functools import partial
from typing import Any
from urllib.request import getproxies

import httpx

from cybersource_tms._calls.responses import CLOCK_TOLERANCE, describe_seconds_ahead, printable, seconds_ahead
from cybersource_tms._clients import CustomersClient
from cybersource_tms._credentials.arguments import naming
from cybersource_tms.errors import InvalidRequest, Unauthorized

from . import UsageError
from .report import Report

FINDINGS = ("status", "correlation_id", "clock_seconds_ahead", "response_encrypted", "causes")

_OWN_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def retrieve(customer_id: str, settings: dict[str, Any], report: Report) -> None:
    """Read a customer once, and add what came of it to the report.

    Raises:
        UsageError: It is no customer's id.
        CybersourceError: Of any kind but `Unauthorized`.
    """
    with CustomersClient(**settings, retries=None) as customers:
        # The connection that the next call will use.
        with customers._connections.borrow() as http:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            http.event_hooks["response"].append(partial(_note_response, report))
        try:
            with naming(customer_id="--customer"):
                customers.retrieve(customer_id)
        except InvalidRequest as error:
            raise UsageError(str(error)) from None
        except Unauthorized:
            report["causes"] = _describe_causes(settings, report["clock_seconds_ahead"])
            report["problems"].append("the credentials were not accepted; look for the cause in the order above")
        else:
            encryption = settings["encryption"]
            report["response_encrypted"] = bool(encryption and encryption.response_key_id)


def _note_response(report: Report, response: httpx.Response) -> None:
    ahead, correlation_id = seconds_ahead(response.headers), response.headers.get("v-c-correlation-id")
    report["status"] = response.status_code
    report["correlation_id"] = correlation_id and printable(correlation_id)
    report["clock_seconds_ahead"] = None if ahead is None else int(ahead)


def _describe_causes(settings: dict[str, Any], ahead: int | None) -> dict[str, str]:
    """Return the usual causes of a 401, each with whether it can be ruled out."""
    causes = {name: f"possible: {cause}" for name, cause in Unauthorized.causes.items()}
    if ahead is not None and abs(ahead) <= CLOCK_TOLERANCE:
        causes["clock"] = f"ruled out: it is within {CLOCK_TOLERANCE} s of the service's"
    elif ahead is not None:
        causes["clock"] = f"possible: it is {describe_seconds_ahead(ahead)} the service's"
    if settings["auth"].expires:
        causes["key"] = f"{causes['key']}; its certificate has the right name and is valid"
    between = [settings["base_url"], *map(getproxies().get, ("https", "all")), *map(os.environ.get, _OWN_AUTHORITIES)]
    if not any(between):
        causes["proxy"] = "ruled out: the request went straight to the service"
    return causes
