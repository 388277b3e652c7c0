"""One run of a job: the customers that have no final outcome yet, what becomes of them, and the summary."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from typing import Any

from cybersource_tms._changed_fields import changed_fields, field_paths
from cybersource_tms._many import Pair, UpdateOutcome
from cybersource_tms._requests import ChangeFunction
from cybersource_tms.errors import Forbidden, InvalidRequest, Unauthorized
from cybersource_tms_api.models import Customer

from .outcomes import FAILED, INVALID, OutcomesFile, describe
from .progress import describe_counts, open_progress
from .rows import Row, RowsFile

_MOST_NOTES = 20  # lines about single customers; all of them are in the file of outcomes


class Job:
    """Updates the customers of a file, and appends their outcomes to another.

    Args:
        rows: The file of customers.
        outcomes: The file of outcomes, with those of earlier runs.
        signals: What ends the job early, once it is not empty.

    Raises:
        UsageError: One of the files cannot be used.
    """

    def __init__(self, rows: RowsFile, outcomes: OutcomesFile, signals: Sequence[int]) -> None:
        self._rows, self._outcomes, self._signals = rows, outcomes, signals
        self._left = rows.digests()
        total = len(self._left)
        self._known_invalid: set[str] = set()
        self._in_flight: dict[str, Row] = {}
        self._counts: Counter[str] = Counter()
        self._to_repeat = self._notes = 0
        self._is_refused = False
        for key, status, is_final in outcomes.read():
            if status == INVALID:  # the line may have been corrected
                self._known_invalid.add(key)
            elif is_final and self._left.pop(key, None) is not None:
                self._counts[status] += 1
        self._progress = open_progress(total, self._counts)

    def updates(self) -> Iterator[Pair]:
        """Yield what to do, for `update_many`."""
        for row in self._rows:
            if self._signals:
                return
            if self._left.pop(row.key, None) is None:
                continue
            if row.customer_id is None or row.problem:
                self._record(row, UpdateOutcome(row.key, error=InvalidRequest(row.problem)))
            else:
                self._in_flight[row.customer_id] = row
                yield row.customer_id, self._change(row)

    def run(self, steps: Generator[UpdateOutcome]) -> None:
        """Take the outcomes."""
        if earlier := self._counts.total():
            self._progress.note(f"{earlier} customers have a final outcome already, and are left out")
        try:
            with self._open_outcomes(), self._progress, closing(steps):
                for outcome in steps:
                    self._record(self._in_flight.pop(outcome.customer_id), outcome)
        except (Unauthorized, Forbidden) as error:
            self._is_refused = True
            self._progress.note(f"stopped: {error}")

    def finish(self) -> int:
        """Print the summary, and return the exit code."""
        print(f"{self._progress.total} customers: {describe_counts(self._counts)}")
        if self._outcomes.path.exists():  # a dry run makes none
            print(f"outcomes are in {self._outcomes.path}")
        if unfinished := self._to_repeat + len(self._left):
            print(f"{unfinished} of them without a final outcome: the same command goes on with these")
        if self._signals:
            return 128 + self._signals[0]
        return 1 if self._is_refused or self._counts[FAILED] or self._counts[INVALID] else 0

    def _open_outcomes(self) -> AbstractContextManager[object]:
        return self._outcomes

    def _change(self, row: Row) -> ChangeFunction:
        return partial(changed_fields, after=row.wanted)

    def _describe(self, row: Row, outcome: UpdateOutcome) -> dict[str, Any]:
        return describe(row, outcome)

    def _record(self, row: Row, outcome: UpdateOutcome) -> None:
        line = self._describe(row, outcome)
        self._write(row, line)  # first: nobody may be there to read the rest
        if outcome.error:
            self._note(f"line {row.line}: {line['message'] or line['error']}")
        self._to_repeat += not line["final"]
        self._progress.count(line["status"])

    def _write(self, row: Row, line: dict[str, Any]) -> None:
        if line["status"] != INVALID or row.key not in self._known_invalid:
            self._outcomes.append(line)

    def _note(self, text: str) -> None:
        self._notes += 1
        if self._notes <= _MOST_NOTES:
            self._progress.note(text)
        elif self._notes == _MOST_NOTES + 1:
            self._progress.note("... and further ones")


class DryRun(Job):
    """Reads the customers and prints the names of the fields that would change. It writes nothing."""

    def __init__(self, rows: RowsFile, outcomes: OutcomesFile, signals: Sequence[int]) -> None:
        super().__init__(rows, outcomes, signals)
        self._differences: dict[str, list[str]] = {}

    def _open_outcomes(self) -> AbstractContextManager[object]:
        return nullcontext()

    def _change(self, row: Row) -> ChangeFunction:
        return partial(self._compare, row)

    def _compare(self, row: Row, customer: Customer) -> None:
        if changes := changed_fields(customer, row.wanted):
            self._differences[row.key] = field_paths(changes.to_dict())

    def _describe(self, row: Row, outcome: UpdateOutcome) -> dict[str, Any]:
        line = describe(row, outcome)
        if changed := self._differences.pop(row.key, None):
            line |= {"status": "would change", "changed": changed}
        return line

    def _write(self, row: Row, line: dict[str, Any]) -> None:
        if line["changed"]:
            print(f"{row.customer_id}: {', '.join(line['changed'])}")
