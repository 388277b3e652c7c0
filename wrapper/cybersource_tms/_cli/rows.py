"""The file of customers, CSV or JSON Lines: an id and the wanted values of each, checked against the spec."""

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from attrs import field, frozen

from cybersource_tms._calls.requests import check_customer_id
from cybersource_tms._credentials.arguments import naming
from cybersource_tms._diff.schema import to_json
from cybersource_tms._diff.spec import Mismatch, customer_schema
from cybersource_tms.errors import InvalidRequest

from . import UsageError
from .columns import ID, column_kinds, load_json, nest, parse_cells
from .csv_lines import read_records


@frozen
class Row:
    """What a line of the file asks for.

    Attributes:
        line: The number of the line, from 1.
        customer_id: None if the line has no usable one.
        wanted: Part of a customer, on the wire.
        problem: What is wrong with the line; it holds no values. None if the line is good.
    """

    line: int
    customer_id: str | None = None
    wanted: dict[str, Any] = field(factory=dict[str, Any], repr=False)
    problem: str | None = None

    @property
    def key(self) -> str:
        """The customer; the service's ids are without case. A line without an id stands for itself."""
        return self.customer_id.casefold() if self.customer_id else f"line {self.line}"


class RowsFile:
    """The file. It is read as a whole first, so that what is wrong with all of it is said before anything is sent.

    Args:
        path: Where it is.
        form: `csv` or `jsonl`.
        account: Where and for whom its customers are updated; the same file for another account is another job.
    """

    def __init__(self, path: Path, form: str, account: str = "") -> None:
        self.path = path
        self._account = account
        self._read = _FORMATS[form]

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows.

        Raises:
            UsageError: The file cannot be read, or is wrong as a whole; the message names the place.
        """
        with self._open() as file:
            yield from self._read(_decode(file))

    def digests(self) -> dict[str, int]:
        """Return a number for the wanted values of each customer, by `Row.key`.

        Raises:
            UsageError: As above, or two lines want different values for the same customer.
        """
        digests: dict[str, int] = {}
        for row in self:
            digest = hash(json.dumps([row.wanted, row.problem], sort_keys=True))
            if digests.setdefault(row.key, digest) != digest:
                raise UsageError(f"{self.path}: line {row.line}: the id of an earlier line, with different values")
        return digests

    def content_digest(self) -> str:
        """Return a digest of the file's bytes and the account, 16 hex digits.

        Raises:
            UsageError: The file cannot be read.
        """
        with self._open() as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        # It is kept where no values may be, and a bare SHA-256 of a short file gives its values away to whoever tries
        # all that are likely. So each try is made expensive: RFC 7914.
        return hashlib.scrypt(digest, salt=self._account.encode(), n=2**14, r=8, p=1, dklen=8).hex()

    @contextmanager
    def _open(self) -> Generator[BufferedReader]:
        try:
            if self.path.exists() and not self.path.is_file():
                raise UsageError(f"{self.path}: it is not a regular file, and has to be read more than once")
            with self.path.open("rb") as file:
                yield file
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}") from None
        except Mismatch as mismatch:
            raise UsageError(f"{self.path}: {mismatch}") from None


def _decode(lines: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise Mismatch("not UTF-8; save the file as UTF-8", f"line {number}") from None


def _read_csv(lines: Iterator[str]) -> Iterator[Row]:
    records = read_records(lines)
    _, header, _ = next(records, (1, list[str](), None))
    if ID not in header:
        raise Mismatch("no column id; the first line names the columns, separated by commas", "line 1")
    kinds = column_kinds(header)
    for line, cells, problem in records:
        if problem or len(cells) != len(header):
            yield Row(line, problem=problem or f"it has {len(cells)} cells, and the first line {len(header)}")
        elif any(cells):
            yield _row(line, cells[header.index(ID)], parse_cells(header, kinds, cells))


def _read_json(lines: Iterator[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        try:
            values = load_json(line) if line.strip() else None
        except ValueError:
            yield Row(number, problem="it is not JSON, or has a name twice")
            continue
        if isinstance(values, dict):
            yield _row(number, values.get(ID), ((name, values[name]) for name in values if name != ID))
        elif line.strip():
            yield Row(number, problem="expected a JSON object")


def _row(line: int, customer_id: object, values: Iterable[tuple[str, Any]]) -> Row:
    checked = None
    try:
        with naming(customer_id=ID):
            checked = check_customer_id(customer_id)
        return Row(line, checked, to_json(nest(values), customer_schema(), sent=True))
    except (InvalidRequest, Mismatch) as error:
        return Row(line, checked, problem=str(error))


_FORMATS: dict[str, Callable[[Iterator[str]], Iterator[Row]]] = {"csv": _read_csv, "jsonl": _read_json}
