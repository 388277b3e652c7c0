"""One run of a job: the customers that have no final outcome yet, what becomes of them, and the summary."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

from cybersource_tms._calls.requests import ChangeFunction
from cybersource_tms._diff.changed_fields import changed_fields, field_paths
from cybersource_tms._many import Pair, UpdateOutcome
from cybersource_tms.errors import Forbidden, InvalidRequest, Unauthorized
from cybersource_tms_api.models import Customer

from .outcomes import FAILED, INVALID, OutcomesFile, describe
from .progress import Progress, describe_counts, open_progress
from .rows import Row, RowsFile

_MOST_NOTES = 20  # lines about single customers; all of them are in the file of outcomes


class Job:
    """Updates the customers of a file, and appends their outcomes to another.

    Args:
        rows: The file of customers.
        outcomes: The file of outcomes, with those of earlier runs.
        signals: What ends the job early, once it is not empty.

    Raises:
        UsageError: One of the files cannot be used; for the outcomes it is raised by `run`.
    """

    def __init__(self, rows: RowsFile, outcomes: OutcomesFile, signals: Sequence[int]) -> None:
        self._rows, self._outcomes, self._signals = rows, outcomes, signals
        self._left = rows.digests()
        self._total, self._content = len(self._left), rows.content_digest()
        self._known_invalid: set[str] = set()
        self._in_flight: dict[str, Row] = {}
        self._earlier: Counter[str] = Counter()
        self._to_repeat = self._notes = 0
        self._is_refused = False

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
        try:
            with self._open_outcomes(), self._open_progress(), closing(steps):
                for outcome in steps:
                    self._record(self._in_flight.pop(outcome.customer_id), outcome)
        except (Unauthorized, Forbidden) as error:
            self._is_refused = True
            self._progress.note(f"stopped: {error}")

    def finish(self) -> int:
        """Print the summary, and return the exit code."""
        self._print_summary(describe_counts(self._progress.counts), self._to_repeat + len(self._left))
        if self._signals:
            return 128 + self._signals[0]
        counts = self._earlier + self._progress.counts
        return 1 if self._is_refused or counts[FAILED] or counts[INVALID] else 0

    def _print_summary(self, counts: str, unfinished: int) -> None:
        if done := self._earlier.total():
            counts = f"{done} done by earlier runs ({describe_counts(self._earlier)}); now: {counts}"
        print(f"{self._total} customers: {counts}")
        print(f"outcomes are in {self._outcomes.path}")
        if unfinished:
            print(f"{unfinished} of them without a final outcome: the same command goes on with these")

    @contextmanager
    def _open_outcomes(self) -> Generator[None]:
        with self._outcomes:
            for key, status, is_final in self._outcomes.read(self._content):
                if status == INVALID:  # it is said again, and not written again
                    self._known_invalid.add(key)
                elif is_final and self._left.pop(key, None) is not None:
                    self._earlier[status] += 1
            yield

    def _open_progress(self) -> Progress:
        done = self._earlier.total()
        self._progress = open_progress(self._total, done)
        if done:
            self._progress.note(f"{done} customers were done by earlier runs with the same content, and are left out")
        return self._progress

    def _change(self, row: Row) -> ChangeFunction:
        return partial(changed_fields, after=row.wanted)

    def _describe(self, row: Row, outcome: UpdateOutcome) -> dict[str, Any]:
        return describe(row, outcome, self._content)

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
    """Reads all customers and prints the names of the fields that would change.

    It writes nothing, and the outcomes of earlier runs do not matter.
    """

    def __init__(self, rows: RowsFile, outcomes: OutcomesFile, signals: Sequence[int]) -> None:
        super().__init__(rows, outcomes, signals)
        self._differences: dict[str, list[str]] = {}

    @contextmanager
    def _open_outcomes(self) -> Generator[None]:
        yield

    def _print_summary(self, counts: str, unfinished: int) -> None:
        print(f"{self._total} customers: {counts}")
        if unfinished:
            print(f"{unfinished} of them not compared: run it again")

    def _change(self, row: Row) -> ChangeFunction:
        return partial(self._compare, row)

    def _compare(self, row: Row, customer: Customer) -> None:
        if changes := changed_fields(customer, row.wanted):
            self._differences[row.key] = field_paths(changes.to_dict())

    def _describe(self, row: Row, outcome: UpdateOutcome) -> dict[str, Any]:
        line = super()._describe(row, outcome)
        if changed := self._differences.pop(row.key, None):
            line |= {"status": "would change", "changed": changed}
        return line

    def _write(self, row: Row, line: dict[str, Any]) -> None:
        if line["changed"]:
            print(f"{row.customer_id}: {', '.join(line['changed'])}")
