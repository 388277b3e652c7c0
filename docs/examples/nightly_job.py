"""Gives customers the e-mail addresses of an export, and reports what failed: python nightly_job.py export.csv.

The export has the columns `id` and `email`. Run it again to go on: only what differs is sent.
It exits with 0 if every customer is as wanted, 1 if some cannot be, and 75 if it should run again.
"""

import csv
import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cybersource_tms import CustomersClient, errors

log = logging.getLogger(__name__)
FINAL = (errors.BadRequest, errors.InvalidRequest, errors.NotFound, errors.TokenDeleted)  # so next time
AS_WANTED, SOME_CANNOT_BE, RUN_AGAIN = 0, 1, 75


class Report:
    """What became of the customers, by reason."""

    def __init__(self) -> None:
        self.counts = Counter[str]()
        self.failed = defaultdict[str, list[str]](list)
        self.should_run_again = False

    def add(self, customer_id: str, error: BaseException) -> None:
        """Add a failure. A reason has the names of the refused fields, and no customer's value."""
        fields = [detail.name for entry in getattr(error, "errors", ()) for detail in entry.details]
        self.failed[" ".join([type(error).__name__, *fields])].append(customer_id)
        self.should_run_again |= not isinstance(error, FINAL)

    def __str__(self) -> str:
        failures = [f"{reason}: {len(ids)}, such as {', '.join(ids[:3])}" for reason, ids in self.failed.items()]
        return "\n".join([f"{what}: {number}" for what, number in self.counts.items()] + failures)

    @property
    def exit_code(self) -> int:
        """What to tell cron."""
        if self.should_run_again:
            return RUN_AGAIN
        return SOME_CANNOT_BE if self.failed else AS_WANTED


def read_pairs(rows: Iterable[Mapping[str, str]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each customer with what it should have. A row without an address changes nothing."""
    for row in rows:
        if email := (row["email"] or "").strip():  # a short row has None
            yield row["id"].strip(), {"buyerInformation": {"email": email}}


def run(customers: CustomersClient, rows: Iterable[Mapping[str, str]]) -> Report:
    """Update the customers. What concerns all of them ends the job, after the outcomes of what was in flight."""
    report = Report()
    try:
        with customers.apply_many(read_pairs(rows), concurrency=32, per_second=50, max_failures=100) as outcomes:
            for outcome in outcomes:
                if outcome.error:
                    report.add(outcome.customer_id, outcome.error)
                elif outcome.record:
                    report.counts["updated" if outcome.record.sent else "were as wanted"] += 1
    except errors.CybersourceError:
        log.exception("the job ended early")
        report.should_run_again = True
    except (OSError, ValueError, KeyError, csv.Error) as error:  # of the export, such as one that is not UTF-8
        log.exception("the export cannot be read")
        report.failed[f"the export cannot be read ({type(error).__name__})"].append("all that comes after")
    return report


if __name__ == "__main__":
    with Path(sys.argv[1]).open(newline="", encoding="utf-8-sig") as file, CustomersClient.from_env() as client:
        finished = run(client, csv.DictReader(file))
    print(finished)
    sys.exit(finished.exit_code)
