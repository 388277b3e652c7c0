"""The file of outcomes, in JSON Lines: an outcome of each customer, so that a job that was killed can go on."""

import json
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cybersource_tms._calls.responses import printable
from cybersource_tms._many import UpdateOutcome
from cybersource_tms.errors import BadRequest, CybersourceError, InvalidRequest, NotFound, TokenDeleted

from . import UsageError
from .rows import Row

UPDATED, UNCHANGED, INVALID, FAILED = _STATUSES = ("updated", "unchanged", "invalid", "failed")

_FINAL_ERRORS = (InvalidRequest, BadRequest, NotFound, TokenDeleted)  # others may not happen the next time
_START = b'{"id": '
_Line = tuple[str, str, bool, str | None]  # Row.key, status, whether it is final, input


def describe(row: Row, outcome: UpdateOutcome, content: str) -> dict[str, Any]:
    """Return the line of an outcome: names of fields, and no values of theirs.

    Args:
        row: What was asked for.
        outcome: What became of it.
        content: The digest of the content, `RowsFile.content_digest`.
    """
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
        "input": content,
        "line": row.line,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def _status(outcome: UpdateOutcome) -> str:
    if outcome.error:
        return INVALID if isinstance(outcome.error, InvalidRequest) else FAILED
    return UPDATED if outcome.record else UNCHANGED


class OutcomesFile:
    """Reads the outcomes of earlier runs, then appends those of this run. While it is open, other runs are refused.

    A line is written at once and whole, so that it outlives the process. It may not outlive the machine: nothing waits
    for the disk.

    Raises:
        UsageError: The file cannot be read or written, is another kind of file, or another run has it open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        with self._naming_path(), ExitStack() as stack:
            if self.path.exists() and not self.path.is_file():
                raise UsageError(f"{self.path}: it is not a regular file")
            self._file = stack.enter_context(self.path.open("ab", buffering=0))
            self._lock()
            stack.pop_all()
        return self

    def _lock(self) -> None:
        try:
            import fcntl  # noqa: PLC0415 - Windows has none, so that other runs are not noticed there
        except ImportError:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released when the process ends, however it does
        except BlockingIOError:
            raise UsageError(f"{self.path}: another run is writing to it; wait until that has ended") from None

    def read(self, content: str) -> Iterator[tuple[str, str, bool]]:
        """Yield the `Row.key`, the status and whether it is final, of each outcome for this content of FILE.

        An outcome before the last one for other content does not count: the values may have been replaced since. A line
        that was torn at the end is cut off.

        Args:
            content: The digest of the content, `RowsFile.content_digest`.
        """
        start = end = 0
        with self._naming_path():
            for end, outcome in self._parse_lines(0):
                if outcome[-1] != content:
                    start = end
            self._file.truncate(end)
            for _, (key, status, is_final, _) in self._parse_lines(start):
                yield key, status, is_final

    def _parse_lines(self, end: int) -> Iterator[tuple[int, _Line]]:
        with self.path.open("rb") as file:
            file.seek(end)
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    end += len(line)
                    yield end, self._parse(number, line)
                elif line[: len(_START)] != _START[: len(line)]:
                    raise self._refusal(number)

    def _parse(self, number: int, line: bytes) -> _Line:
        try:
            outcome = json.loads(line)
            key = outcome["id"].casefold() if outcome["id"] else f"line {outcome['line']}"
            status, is_final = outcome["status"], outcome["final"] is True
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise self._refusal(number) from None
        if status not in _STATUSES:
            raise self._refusal(number)
        return key, status, is_final, outcome.get("input")

    def _refusal(self, number: int) -> UsageError:
        return UsageError(f"{self.path}: line {number} is no outcome of this command; name another file by --outcomes")

    def append(self, outcome: dict[str, Any]) -> None:
        """Write a line."""
        line = json.dumps(outcome).encode() + b"\n"
        with self._naming_path():
            written = self._file.write(line)
        if written < len(line):
            raise UsageError(f"{self.path}: there is no space left")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @contextmanager
    def _naming_path(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}") from None
