"""Reads a test customer, changes its reference, reads it again and puts it back; prints a report without values."""

import argparse
import logging
import os
import platform
import re
import ssl
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from cybersource_tms import ClientReferenceInformation, CustomerRecord, CustomersClient, CustomerUpdate
from cybersource_tms.errors import CybersourceError, StatusError

FIELD = "clientReferenceInformation.code"
LONGEST = 50  # characters of the field
MARK = " (try)"  # stands at the end of the field's value while it is changed


class Report(logging.Handler):
    """Prints lines, and those that the library logs: with the time in UTC, and without the customer's id."""

    def __init__(self, customer_id: str) -> None:
        super().__init__()
        self.customer_id = customer_id

    def emit(self, record: logging.LogRecord) -> None:
        """Print a log line."""
        self.say(record.getMessage())

    def say(self, line: str) -> None:
        """Print a line; what a peer sent may have other characters than these."""
        line = re.sub(re.escape(self.customer_id), "CUSTOMER", line, flags=re.IGNORECASE)
        line = re.sub("[^ -~]", "?", line)
        print(datetime.now(UTC).isoformat(timespec="milliseconds"), line, flush=True)

    def failed(self, error: CybersourceError) -> None:
        """Print what an error says, but not the service's messages, which may quote what was sent."""
        self.say(f"{type(error).__name__}: {error}")
        if isinstance(error, StatusError):
            reasons = [f"{entry.type} {list(entry.details)}" for entry in error.errors]
            self.say(f"reasons: {', '.join(reasons) or 'none'}; transaction id: {error.unique_transaction_id}")


def main() -> int:
    """Run it, and return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/try_service", description=__doc__)
    parser.add_argument("--customer", required=True, metavar="ID", help="the token id of a customer made for tests")
    parser.add_argument("--production", action="store_true", help="allow an environment that is not for tests")
    arguments = parser.parse_args()
    try:
        customers = CustomersClient.from_env()
    except CybersourceError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    environment = os.environ.get("CYBERSOURCE_ENVIRONMENT") or "test"  # which is one of the five now, and no secret
    if not (environment.startswith("test") or arguments.production):
        sys.exit(f"CYBERSOURCE_ENVIRONMENT is {environment}, which is not for tests: --production allows it")
    report = Report(arguments.customer)
    logging.getLogger("cybersource_tms").addHandler(report)
    logging.getLogger("cybersource_tms").setLevel(logging.DEBUG)
    packages = [f"{name} {version(name)}" for name in ("cybersource-tms", "httpx", "joserfc", "cryptography")]
    report.say(f"{', '.join(packages)}, Python {platform.python_version()}, {ssl.OPENSSL_VERSION}")
    report.say(f"environment: {environment}; encryption: {os.environ.get('CYBERSOURCE_MLE') or 'off'}")
    report.say(f"variables: {listed(name for name, value in os.environ.items() if 'CYBERSOURCE_' in name and value)}")
    try:
        with customers:
            is_good = try_service(customers, arguments.customer, report)
    except KeyboardInterrupt:
        sys.exit("interrupted")
    report.say("everything was as expected" if is_good else "NOT everything was as expected, see above")
    return 0 if is_good else 1


def try_service(customers: CustomersClient, customer_id: str, report: Report) -> bool:
    """Read, change, read, put back; return whether each step did what it should."""
    try:
        before = customers.retrieve(customer_id)
    except CybersourceError as error:
        report.failed(error)
        return False
    report.say(f"fields: {listed(values(before.customer.to_dict()))}")
    report.say(f"form of the ETag: {re.sub('[0-9A-Za-z]', 'x', before.etag or 'none')}")
    if len(marked(before)) > LONGEST or MARK in marked(before)[: -len(MARK)]:
        report.say(f"{FIELD} is too long, or still has the mark{MARK}: correct it, or take another customer")
        return False
    is_changed = is_back = False
    try:
        is_changed = change(customers, customer_id, before, report)
    finally:
        is_back = put_back(customers, customer_id, before, report)
    return is_changed and is_back


def change(customers: CustomersClient, customer_id: str, before: CustomerRecord, report: Report) -> bool:
    """Set the mark, guarded by the ETag, and read the customer; return whether that and nothing else has changed."""
    update = CustomerUpdate(client_reference_information=ClientReferenceInformation(code=marked(before)))
    try:
        updated = customers.update(customer_id, update, if_match=before.etag)
        now = customers.retrieve(customer_id)
    except CybersourceError as error:
        report.failed(error)
        return False
    report.say(f"the ETag has {'changed' if updated.etag != before.etag else 'NOT changed'}")
    return compare(before, now, {FIELD}, report) and now.get(FIELD) == marked(before)


def put_back(customers: CustomersClient, customer_id: str, before: CustomerRecord, report: Report) -> bool:
    """Set the field to what it was, if it has the mark; return whether the customer is as before."""
    old = CustomerUpdate(client_reference_information=ClientReferenceInformation(code=before.get(FIELD)))
    try:
        now = customers.retrieve(customer_id)
        if now.get(FIELD) == marked(before):
            customers.update(customer_id, old, if_match=now)
        now = customers.retrieve(customer_id)
    except CybersourceError as error:
        report.failed(error)
        report.say(f"{FIELD} may still have the mark{MARK} at its end: remove that by hand")
        return False
    return compare(before, now, set(), report)


def compare(before: CustomerRecord, now: CustomerRecord, expected: set[str], report: Report) -> bool:
    """Say which fields differ; return whether they are the expected ones."""
    old, new = values(before.customer.to_dict()), values(now.customer.to_dict())
    different = {path for path in old | new if old.get(path) != new.get(path)}
    report.say(f"fields that differ from before: {listed(different)}; expected: {listed(expected)}")
    return different == expected


def marked(before: CustomerRecord) -> str:
    """Return the field's value with the mark at its end."""
    return f"{before.get(FIELD) or ''}{MARK}"


def values(customer: Any, path: str = "") -> dict[str, Any]:
    """Return what is in each field, by its path."""
    if not isinstance(customer, dict):
        return {path: customer}
    return {
        key: value for name in customer for key, value in values(customer[name], f"{path}.{name}".lstrip(".")).items()
    }


def listed(names: Iterable[str]) -> str:
    """Return names as they stand in the report."""
    return ", ".join(sorted(names)) or "none"


if __name__ == "__main__":
    sys.exit(main())
