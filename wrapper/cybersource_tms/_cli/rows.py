"""The file of customers, CSV or JSON Lines: an id and the wanted values of each, checked against the spec."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import partial
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import Any

from attrs import field, frozen

from cybersource_tms._calls.requests import JSON, parse_customer_id
from cybersource_tms._credentials.arguments import naming
from cybersource_tms._diff.schema import to_json
from cybersource_tms._diff.spec import Mismatch, customer_schema
from cybersource_tms.errors import InvalidRequest

from . import RunAgain, UsageError, naming_path
from .csv_lines import ID, Line, Values, load_json, nest, read_csv

_LONGEST_LINE = 2**20  # bytes
_BOM = "\ufeff"


@frozen
class Row:
    """What a line asks for: part of a customer, as JSON; or what is wrong with it, without values.

    A quoted cell can have line breaks: then it is more than one line, and `line` is the number of the first.
    """

    line: int
    text: str = field(repr=False)
    customer_id: str | None = None
    wanted: JSON = field(factory=dict[str, Any], repr=False)
    problem: InvalidRequest | None = None

    @property
    def key(self) -> str:
        """The customer; ids are case-insensitive. A line without an id stands for itself."""
        return self.customer_id.casefold() if self.customer_id else f"line {self.line}"


class RowsFile:
    """The file. Rows are handed out only while it is the file that it was at first.

    Raises:
        UsageError: It is no regular file, cannot be read, or is wrong as a whole; the message names the place.
        RunAgain: It has changed.
    """

    def __init__(self, path: Path, form: str, delimiter: str, ignored: Iterable[str]) -> None:
        self.path = path
        self._is_csv, self._delimiter, self._ignored = form == "csv", delimiter, frozenset(ignored) - {ID}
        with naming_path(path):
            self.version = _version(path)
        if not path.is_file():
            raise UsageError(f"{path}: it is not a regular file, and has to be read more than once")

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        try:
            with naming_path(self.path), self.path.open("rb") as file:
                for line in self._parse(_decode(file)):
                    row = _row(*line)
                    self.check_unchanged()  # after it was read: half of it may be new
                    yield row
        except Mismatch as mismatch:
            self.check_unchanged()
            raise UsageError(f"{self.path}: {mismatch}") from None
        self.check_unchanged()

    def check_unchanged(self) -> None:
        """Raise `RunAgain` if it is not the file that it was at first."""
        with suppress(OSError):
            if _version(self.path) == self.version:
                return
        raise RunAgain(f"{self.path}: it has changed since this run began")

    def copy(self, target: Path, is_wanted: Callable[[int], bool]) -> None:
        """Write some lines, chosen by their numbers, to another file, in the form of this one."""
        with naming_path(target), target.open("w", encoding="utf-8", newline="") as copy:
            for number, row in enumerate(self):
                copy.write(self._first * (self._is_csv and number == 0) + row.text * is_wanted(row.line))

    def _parse(self, lines: Iterator[str]) -> Iterator[Line]:
        self._first = next(lines, "")
        lines = chain([self._first.removeprefix(_BOM)], lines)
        return read_csv(lines, self._delimiter, self._ignored) if self._is_csv else _read_json(lines, self._ignored)


def _version(path: Path) -> tuple[int, int, int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev


def _decode(file: BufferedReader) -> Iterator[str]:
    """Yield the lines as text; none takes all of the memory."""
    for number, line in enumerate(iter(partial(file.readline, _LONGEST_LINE), b""), 1):
        text, problem = line.decode(errors="replace"), None
        if number == 1 and "\r" in text.rstrip("\r\n\0"):
            problem = "lines end in CR alone; save the file with LF or CRLF"
        elif number == 1 and text.startswith(2 * _BOM):
            problem = "two byte order marks; save the file with one or none"
        elif len(line) == _LONGEST_LINE:
            problem = f"it has {_LONGEST_LINE} bytes or more"
        elif "\0" in text or ("\ufffd" in text and text.encode() != line):
            problem = "not UTF-8; save the file as UTF-8"
        if problem:
            raise Mismatch(problem, f"line {number}")
        yield text


def _read_json(lines: Iterator[str], ignored: Collection[str]) -> Iterator[Line]:
    for number, line in enumerate(lines, 1):
        if number == 1 and line.lstrip().startswith("["):
            raise Mismatch("a JSON array; expected an object in each line, as `jq -c '.[]'` writes it", "line 1")
        if line.strip():
            try:
                given = dict(load_json(line).items())
                yield number, line, given.pop(ID, None), [item for item in given.items() if item[0] not in ignored]
            except ValueError:
                yield number, line, None, Mismatch("not JSON, or a name is there twice")
            except AttributeError:
                yield number, line, None, Mismatch("expected a JSON object")


def _row(line: int, text: str, customer_id: object, values: Values | Mismatch) -> Row:
    checked = None
    try:
        if isinstance(values, Mismatch):
            raise values
        if isinstance(customer_id, int | float):
            raise Mismatch("expected text: write the number in quotes", ID)  # noqa: TRY301
        with naming(customer_id=ID):
            checked = parse_customer_id(customer_id)
        return Row(line, text, checked, to_json(nest(values), customer_schema(), sent=True, limits=False))
    except InvalidRequest as error:
        return Row(line, text, checked, problem=error)
    except Mismatch as mismatch:
        return Row(line, text, checked, problem=InvalidRequest(str(mismatch), path=mismatch.path or None))
