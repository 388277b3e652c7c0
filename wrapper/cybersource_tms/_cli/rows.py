"""The file of customers, CSV or JSON Lines: an id and the wanted values of each, checked against the spec."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import Any

from attrs import define, field

from cybersource_tms._calls.requests import JSON, parse_customer_id
from cybersource_tms._credentials.arguments import naming
from cybersource_tms._diff.schema import to_json
from cybersource_tms._diff.spec import Mismatch, customer_schema
from cybersource_tms.errors import InvalidRequest

from . import RunAgain, UsageError
from .lines import ID, Parse, csv_parser, csv_records, nest, parse_json

_LONGEST_LINE = 2**20  # bytes
_BOM = "\ufeff"


@define
class Row:
    """What a record asks for, a line or several within quotes: part of a customer. `key` stands for the customer."""

    line: int
    text: str = field(repr=False)
    key: str
    customer_id: str | None = None
    wanted: JSON = field(factory=dict[str, Any], repr=False)
    problem: InvalidRequest | None = None
    differences: list[str] = field(factory=list[str])  # from the customer, found by a dry run


class RowsFile:
    """The file, which is JSON Lines without a delimiter.

    It raises `UsageError` if it is wrong as a whole, and `RunAgain` instead of a row if it has changed.
    """

    def __init__(self, path: Path, delimiter: str | None, ignored: Iterable[str]) -> None:
        self.path, self.version = path, _version(path)
        self._delimiter, self._ignored = delimiter, frozenset(ignored) - {ID}
        if not path.is_file():
            raise UsageError(f"{path}: it is not a regular file, and has to be read more than once")

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        try:
            self.check_unchanged()  # a pipe in its place would wait when it is opened
            with self.path.open("rb") as file:
                for row in self._parse(_decode(file)):
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
        """Write some lines, by their numbers, to another file, in the form of this one, which was read before."""
        copy = target.open("x", encoding="utf-8", newline="")
        try:
            with copy:
                copy.write(self._first if self._delimiter else "")
                copy.writelines(row.text for row in self if is_wanted(row.line))
        except BaseException:
            target.unlink()  # a part would look whole
            raise

    def _parse(self, lines: Iterator[str]) -> Iterator[Row]:
        self._first = next(lines, "")
        first = self._first.removeprefix(_BOM)
        if self._delimiter:
            parse, records = csv_parser(first, self._delimiter, self._ignored), csv_records(lines)
        else:
            parse, records = partial(parse_json, ignored=self._ignored), enumerate(chain([first], lines), 1)
        for number, text in records:
            if not self._delimiter and (found := re.match(r"\s*(\[)\s*({|$)|\s*{\s*$", text)):
                what, query = ("a JSON array", "'.[]'") if found[1] else ("an object in several lines", ".")
                problem = f"{what}; expected an object in each line, as `jq -c {query}` writes it"
                raise Mismatch(problem, f"line {number}")
            if text.strip(f"{self._delimiter or ''}\r\n "):
                yield _row(number, text, parse)


def _version(path: Path) -> tuple[int, ...]:
    found = path.stat()  # not only the time of its content: `cp -p` and `unzip` set that
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev


def _decode(file: BufferedReader) -> Iterator[str]:
    """Yield the lines as text, with a limit on their length."""
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


def _row(line: int, text: str, parse: Parse) -> Row:
    checked, key = None, f"line {line}"  # which is no id
    try:
        customer_id, values = parse(text)
        with naming(customer_id=ID):
            checked = parse_customer_id(customer_id)
            key = checked.lower()  # ids are case-insensitive
        return Row(line, text, key, checked, to_json(nest(values), customer_schema(), sent=True, limits=False))
    except (InvalidRequest, Mismatch) as error:
        more = text.rstrip("\r\n").count("\n")
        place = f" (lines {line} to {line + more})" if more else ""
        return Row(line, text, key, checked, problem=InvalidRequest(f"{error}{place}"))
