"""One run: the lines that are left to do, and what becomes of each."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from cybersource_tms._calls.records import UpdateOutcome
from cybersource_tms._diff.changed_fields import changed_fields, field_paths
from cybersource_tms.errors import CybersourceError, Forbidden, InvalidRequest, Unauthorized
from cybersource_tms_api.models import Customer

from . import RunAgain
from .outcomes import Line, OutcomesFile, describe, is_from_service, move_aside
from .progress import Progress, say
from .rows import Row, RowsFile
from .signals import Signals

_NO_CUSTOMER, _TO_DO, _DONE, _FAILED, _NOT_FINAL = range(5)  # what is known of a line, in a byte
_KEYS = 2**60  # a number below takes 32 bytes

_Pairs = Iterator[tuple[str, Any]]
_Start = Callable[[_Pairs], AbstractContextManager[Iterator[UpdateOutcome]]]


class Job:
    """Updates the customers of a file. It is read as a whole at first, so that nothing is sent if the file is wrong."""

    def __init__(self, rows: RowsFile, signals: Signals) -> None:
        self._rows, self._signals = rows, signals
        self._outcomes: OutcomesFile | None = None
        self._lines = bytearray()
        self._contradicting: dict[int, list[int]] = {}  # by the first line with the same id
        self._in_flight: dict[str, Row] = {}
        self._stopped = False
        self._find_customers()
        self._progress = Progress(self._lines.count(_TO_DO))
        if _TO_DO not in self._lines:
            say(f"{rows.path}: there is no customer to update in it", sys.stderr)

    def run(self, start: _Start, outcomes: OutcomesFile | None) -> None:
        """Do what is left, or only compare without a file of outcomes. Say why, if it ends early."""
        self._outcomes = outcomes
        for line in outcomes.earlier() if outcomes else ():
            if line["final"] and _TO_DO in self._lines[line["line"] : line["line"] + 1]:
                self._settle(line, earlier=True)
        job = start(self._pairs())  # which refuses wrong options
        try:
            with job as finished:
                while outcome := self._signals.wait_for(finished):
                    self._record(outcome)
            self._rows.check_unchanged()
            if outcomes:
                outcomes.check_place()
        except KeyboardInterrupt:
            pass
        except (CybersourceError, RunAgain, OSError, RuntimeError) as error:  # RuntimeError: no thread can be started
            self._stopped = True
            say(f"stopped: {error}", sys.stderr)

    def finish(self, failed: Path | None) -> int:
        """Print the report, write the lines that have failed to another file, and return the exit code."""
        say("\n".join(self._progress.report()), sys.stdout)
        if self._outcomes:
            say(f"outcomes are in {self._outcomes.path}", sys.stdout)
        if self._signals.received:
            if failed:
                say(f"{failed} was not written", sys.stdout)
            return 128 + self._signals.received
        is_unfinished = self._stopped or _TO_DO in self._lines or _NOT_FINAL in self._lines
        if is_unfinished:
            say("run the same command again: it goes on with what is left", sys.stdout)
        if failed:
            self._write_failed(failed)
        return RunAgain.exit_code if is_unfinished else int(_FAILED in self._lines)

    def _write_failed(self, failed: Path) -> None:
        try:
            if failed.exists():  # it may hold what somebody has mended
                move_aside(failed)
            self._rows.copy(failed, lambda line: self._lines[line] in {_FAILED, _NOT_FINAL})
        except OSError as error:
            say(f"{failed} was not written: {error}", sys.stderr)

    def _find_customers(self) -> None:
        seen, repeated = set[int](), set[int]()
        for row in self._rows:
            self._lines += bytes(row.line + 1 - len(self._lines))
            if row.wanted or row.problem:
                self._lines[row.line] = _TO_DO
                key = hash(row.key) % _KEYS
                (repeated if key in seen else seen).add(key)
        del seen
        first: dict[str, tuple[int, int]] = {}
        for row in self._rows if repeated else ():
            if self._lines[row.line] == _TO_DO and hash(row.key) % _KEYS in repeated:
                values = hash(json.dumps([row.wanted, str(row.problem)], sort_keys=True))
                line, other = first.setdefault(row.key, (row.line, values))
                if line != row.line:  # one customer has one outcome
                    self._lines[row.line] = _NO_CUSTOMER
                if values != other:
                    self._contradicting.setdefault(line, []).append(row.line)

    def _pairs(self) -> _Pairs:
        for row in self._rows:
            if self._lines[row.line] == _TO_DO:
                if others := self._contradicting.get(row.line):
                    row.problem = InvalidRequest(f"the same id as line {others[0]}, with other values")
                # The client refuses what is no id and no change, so that all lines go one way.
                name = f"line {row.line}" if row.problem else str(row.customer_id)
                self._in_flight[name] = row
                yield name, row.wanted if self._outcomes or row.problem else partial(_compare, row)

    def _record(self, outcome: UpdateOutcome) -> None:
        row, error = self._in_flight.pop(outcome.customer_id), outcome.error
        if isinstance(error, Unauthorized | Forbidden) and is_from_service(error) and not error.may_have_been_applied:
            return  # it ends the job, which says it once for all that were in flight
        line = describe(row, outcome)
        if row.differences:
            line["status"] = "would change"
            say(f"{row.customer_id}: {', '.join(row.differences)}", sys.stdout)
        if self._outcomes:
            self._outcomes.append(line)
        self._settle(line)

    def _settle(self, line: Line, *, earlier: bool = False) -> None:
        numbers = [line["line"], *self._contradicting.get(line["line"], ())]
        for number in numbers:
            self._lines[number] = _DONE if not line["error"] else _FAILED if line["final"] else _NOT_FINAL
        self._progress.add(line, numbers, earlier=earlier)


def _compare(row: Row, customer: Customer) -> None:
    if changes := changed_fields(customer, row.wanted):
        row.differences.extend(field_paths(changes.to_dict()))
