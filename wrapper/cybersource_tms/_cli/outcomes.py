"""The file of outcomes, in JSON Lines: what it is about, and then an outcome of each customer, without values."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cybersource_tms._calls import records, responses
from cybersource_tms._many import ARGUMENTS_OF_ALL
from cybersource_tms.errors import BadRequest, CybersourceError, InvalidRequest, NotFound, StatusError, TokenDeleted

from . import RunAgain, UsageError
from .progress import say
from .rows import Row

Line = dict[str, Any]

_ABOUT, _START = "cybersource-tms update", b'{"id": '  # the one name in the first line, and how the others start
_LONGEST = 2**20  # bytes of the first line
_TEXT: Any = str | None
_TYPES = ({_ABOUT: list}, {"line": int, "status": str, "final": bool, "error": _TEXT, "message": _TEXT})


def move_aside(path: Path) -> None:
    """Give a file a name with the date."""
    path.rename(path.with_suffix(datetime.now(UTC).strftime(f".%Y%m%dT%H%M%S.%fZ{path.suffix}")))


def describe(row: Row, outcome: records.UpdateOutcome) -> Line:
    """Return the line of an outcome."""
    record, error = outcome.record, row.problem or outcome.error
    ours = error if isinstance(error, CybersourceError) else None  # what others say may quote a value
    is_final = isinstance(error, BadRequest | NotFound | TokenDeleted) and is_from_service(error)
    is_invalid = isinstance(error, InvalidRequest) and (row.problem or error.argument not in ARGUMENTS_OF_ALL)
    status = "invalid" if is_invalid else "failed" if error else "unchanged"
    correlation_id = getattr(record or error, "correlation_id", None)
    return {
        "id": row.customer_id,
        "line": row.line,
        "status": "updated" if record and record.sent else status,
        "final": is_final or status != "failed",
        "sent": list(record.sent) if record else [],
        "error": type(error).__name__ if error else None,
        "message": str(ours).removeprefix("desired: ").removeprefix("after: ") if ours else None,
        "correlation_id": correlation_id and responses.printable(correlation_id),
        "may_have_been_applied": ours.may_have_been_applied if ours else None,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def is_from_service(error: BaseException | None) -> bool:
    """Return whether the service itself has refused, and not something in front of it."""
    return isinstance(error, StatusError) and bool(error.correlation_id or error.errors)


class OutcomesFile:
    """The file. Its first line says what it is `about`; one that is about something else is moved aside."""

    def __init__(self, path: Path, about: list[Any], files: ExitStack) -> None:
        self.path, self._about, self._files = path, about, files
        self._open()
        with self.path.open("rb") as file:
            first = file.readline(_LONGEST)
        if first and self._parse(1, first)[_ABOUT] != about:
            move_aside(self.path)
            self._open()

    def earlier(self) -> Iterator[Line]:
        """Yield the outcomes of earlier runs, and cut off a line that was torn at the end."""
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                outcome = self._parse(number, line)
                self._size += len(line) * bool(outcome)
                if not outcome:
                    self._file.truncate(self._size)
                elif number > 1:
                    yield outcome

    def append(self, outcome: Line) -> None:
        """Write an outcome at once and whole: it outlives the process, though not a power failure."""
        self.check_place()
        lines = [outcome] if self._size else [{_ABOUT: self._about}, outcome]
        content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        written = 0
        with suppress(OSError):
            written = self._file.write(content)
        if written < len(content):
            self._file.truncate(self._size)
            raise RunAgain(f"{self.path}: it cannot be written to; is there space left?")
        self._size += written

    def check_place(self) -> None:
        """Raise `RunAgain` if the file is not what and where this run has made it."""
        with suppress(OSError):
            found = self.path.stat()
            if os.path.samestat(found, os.fstat(self._file.fileno())) and found.st_size == self._size:
                return
        raise RunAgain(f"{self.path}: it was removed or changed while this run wrote to it")

    def _open(self) -> None:
        self._file, self._size = self._files.enter_context(self.path.open("ab", buffering=0)), 0
        try:
            import fcntl  # noqa: PLC0415 - Windows has none

            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released when the process ends, however it does
        except BlockingIOError:
            raise RunAgain(f"{self.path}: another run is writing to it; wait until that has ended") from None
        except (ImportError, OSError):
            say(f"{self.path}: cannot be locked here, so take care that no other run writes to it", sys.stderr)

    def _parse(self, number: int, line: bytes) -> Line:
        """Return a line, or an empty one if it was torn at the end."""
        is_whole = line.endswith(b"\n")
        if number > 1 and not is_whole and line[: len(_START)] == _START[: len(line)]:
            return {}
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            found: Line = json.loads(line)
            if is_whole and all(isinstance(found[name], kind) for name, kind in _TYPES[number > 1].items()):
                return found
        raise UsageError(f"{self.path}: line {number} is no outcome of this command; name another file by --outcomes")
