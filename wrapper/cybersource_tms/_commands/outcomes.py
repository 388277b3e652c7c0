"""The file of outcomes, in JSON Lines: an outcome of each customer, so that a job that was killed can go on."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cybersource_tms._many import UpdateOutcome
from cybersource_tms._responses import printable
from cybersource_tms.errors import BadRequest, CybersourceError, InvalidRequest, NotFound, TokenDeleted

from . import UsageError
from .rows import Row

UPDATED, UNCHANGED, INVALID, FAILED = _STATUSES = ("updated", "unchanged", "invalid", "failed")

_FINAL_ERRORS = (InvalidRequest, BadRequest, NotFound, TokenDeleted)  # others may not happen the next time
_START = b'{"id": '


def describe(row: Row, outcome: UpdateOutcome) -> dict[str, Any]:
    """Return the line of an outcome: names of fields, and no values of theirs."""
    error = outcome.error
    ours = error if isinstance(error, CybersourceError) else None  # what others say may quote a value
    correlation_id = getattr(outcome.record or error, "correlation_id", None)
    return {
        "id": row.customer_id,
        "status": _status(outcome),
        "final": error is None or isinstance(error, _FINAL_ERRORS),
        "changed": outcome.changed,
        "error": type(error).__name__ if error else None,
        "message": str(ours) if ours else None,
        "correlation_id": correlation_id and printable(correlation_id),
        "may_have_been_applied": ours.may_have_been_applied if ours else None,
        "line": row.line,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def _status(outcome: UpdateOutcome) -> str:
    if outcome.error:
        return INVALID if isinstance(outcome.error, InvalidRequest) else FAILED
    return UPDATED if outcome.record else UNCHANGED


class OutcomesFile:
    """Reads the outcomes of earlier runs, then appends those of this run.

    A line is written at once and whole, so that it outlives the process. It may not outlive the machine: nothing waits
    for the disk.

    Raises:
        UsageError: The file cannot be read or written, or is another kind of file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size = 0  # of the whole lines

    def read(self) -> Iterator[tuple[str, str, bool]]:
        """Yield the `Row.key`, the status and whether it is final, of each line but one that was torn at the end."""
        try:
            if self.path.exists() and not self.path.is_file():
                raise UsageError(f"{self.path}: it is not a regular file")
            with self.path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    if line.endswith(b"\n"):
                        yield self._parse(number, line)
                        self._size += len(line)
                    elif line[: len(_START)] != _START[: len(line)]:
                        raise self._refusal(number)
        except FileNotFoundError:
            return
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}") from None

    def _parse(self, number: int, line: bytes) -> tuple[str, str, bool]:
        try:
            outcome = json.loads(line)
            key = outcome["id"].casefold() if outcome["id"] else f"line {outcome['line']}"
            status, is_final = outcome["status"], outcome["final"] is True
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise self._refusal(number) from None
        if status not in _STATUSES:
            raise self._refusal(number)
        return key, status, is_final

    def _refusal(self, number: int) -> UsageError:
        return UsageError(f"{self.path}: line {number} is no outcome of this command; name another file by --outcomes")

    def __enter__(self) -> Self:
        try:
            self._file = self.path.open("ab", buffering=0)
            self._file.truncate(self._size)
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}") from None
        return self

    def append(self, outcome: dict[str, Any]) -> None:
        """Write a line."""
        line = json.dumps(outcome).encode() + b"\n"
        try:
            written = self._file.write(line)
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}") from None
        if written < len(line):
            raise UsageError(f"{self.path}: there is no space left")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
