"""What a line of CSV (RFC 4180) or of JSON Lines asks for. A line that is wrong does not affect the others."""

import json
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, cast
from unicodedata import normalize

from cybersource_tms._diff.spec import ANYTHING, Mismatch, Schema, field_schema

ID = "id"
DELIMITERS = ",;|\t"
REMOVED = "<null>"  # the cell that removes a field; JSON has null
# What tools write where there is nothing: \N is MySQL's, #NV and #REF! are Excel's.
_LOOKS_REMOVED = re.compile(
    r"(\W|_|lt;)*(null|nil|none|nan|n/a|undefined|leer)(\W|_|gt;)*|\\N\W*|-+|\s+|#(n/a|nv|[^\W\d]\w*(/0)?[!?])",
    re.IGNORECASE,
)
_LIKE_ID = re.compile("((customer)?[ _-]?token)?[ _-]?id|(customer[ _-]?)?token", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+([.,]\d+)+(E[+-]?\d+)?|-?\d+E\+\d+", re.IGNORECASE)  # as Excel and pandas write long ones
_LIKE_VALUE = re.compile("@|[0-9A-F]{16}|[0-9]{8}", re.IGNORECASE)  # an address, a token
_NOT_JSON = (ValueError, RecursionError)
_MOST_LINES = 1000  # of one record; a quote that is not closed until then is a stray one

Values = Iterable[tuple[str, Any]]  # by paths such as `buyerInformation.email`
Parse = Callable[[str], tuple[object, Values]]  # returns the id and the values, or raises `Mismatch`


def csv_records(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Yield what follows the first line: the number of a line, and all lines up to where its quotes are closed."""
    number, ahead = 2, deque[str]()
    while line := ahead.popleft() if ahead else next(lines, ""):
        taken = [line]
        if line.count('"') % 2:
            ahead.extend(islice(lines, _MOST_LINES - len(ahead)))
            closing = next((index for index, line in enumerate(ahead, 1) if line.count('"') % 2), 0)
            taken += [ahead.popleft() for _ in range(closing)]
        yield number, "".join(taken)
        number += len(taken)


def csv_parser(first: str, delimiter: str, ignored: Collection[str]) -> Parse:
    """Return what parses a record, or raise `Mismatch`: the first line has no good names of columns."""
    header, schemas = _read_header(first, delimiter, ignored)

    def parse(text: str) -> tuple[object, Values]:
        cells = _cells(text, delimiter)
        if len(cells) != len(header):
            raise Mismatch(f"it has {len(cells)} cells, and the first line {len(header)}")
        if cells == header:
            raise Mismatch("it repeats the names of the columns")
        named = dict(zip(header, cells, strict=True))
        if _NUMBER.fullmatch(named[ID]):
            raise Mismatch("a spreadsheet has made a number of it; export the ids as text", ID)
        if named[ID] != named[ID].strip():
            raise Mismatch("there is a blank around it", ID)
        given = (name for name in schemas if named[name])
        return named[ID], ((name, _parse_cell(name, named[name], schemas[name], delimiter)) for name in given)

    return parse


def parse_json(text: str, ignored: Collection[str]) -> tuple[object, Values]:
    """Parse a line of JSON, or raise `Mismatch`."""
    try:
        given = dict(_load_json(text).items())
    except _NOT_JSON:
        raise Mismatch("not JSON, or a name is there twice") from None
    except AttributeError:
        raise Mismatch("expected a JSON object") from None
    customer_id = given.pop(ID, None)
    if type(customer_id) in {int, float}:
        raise Mismatch("expected text: write the number in quotes", ID)
    return customer_id, ((name, value) for name, value in given.items() if name not in ignored)


def nest(values: Values) -> dict[str, Any]:
    """Return values as objects in objects, or raise `Mismatch`: one is given twice."""
    whole: dict[str, Any] = {}
    for path, value in values:
        *groups, name = path.split(".")
        group: dict[str, Any] = whole
        for each in groups:
            inner: Any = group.setdefault(each, {})
            group = cast("dict[str, Any]", inner) if isinstance(inner, dict) else {name: inner}
        if name in group:
            raise Mismatch("is given twice", path)
        group[name] = value
    return whole


def _cells(text: str, delimiter: str) -> list[str]:
    cell, text = f'"[^"]*(?:""[^"]*)*"|[^"\r\n{delimiter}]*', text.removesuffix("\n").removesuffix("\r")
    if not re.fullmatch(f"(?:{cell})(?:[{delimiter}](?:{cell}))*", text):
        raise Mismatch("not CSV: check the quotes and the line ends")
    cells: list[str] = re.findall(f"(?:^|[{delimiter}])({cell})", text)
    return [each[1:-1].replace('""', '"') if each.startswith('"') else each for each in cells]


def _read_header(first: str, delimiter: str, ignored: Collection[str]) -> tuple[list[str], dict[str, Schema]]:
    """Return the columns, and what those other than `id` hold, or raise `Mismatch` with all that is wrong."""
    for separator in (delimiter, *DELIMITERS):
        columns = [name.strip() for name in first.replace('"', "").split(separator)]
        if ids := sorted(filter(_LIKE_ID.fullmatch, columns), key=ID.__ne__):
            break
    else:  # then the line may be a customer's, so it is not shown
        raise Mismatch("no column id; the first line has to have the names of the columns", "line 1")
    if len(first.splitlines()) > 1:
        raise Mismatch("lines do not end in LF or CRLF; save the file with one of them", "line 1")
    if _LIKE_VALUE.search(first):  # ID is Idaho, too
        raise Mismatch("a cell looks like a value; the first line has to have the names of the columns", "line 1")
    problems = [f"is it --delimiter {separator!r}?"] * (separator != delimiter)
    problems += [f"no column id; rename {ids[0]}, if it has the token ids"] * (ids[0] != ID)
    header, schemas, unknown = [name.strip() for name in _cells(first, separator)], dict[str, Schema](), list[str]()
    for name in header:
        try:
            schemas |= {} if name in {ids[0], *ignored} else {name: field_schema(name, sent=True)}
        except Mismatch as mismatch:
            unknown.append(f"{name}: {mismatch.problem}" if name else "a column without a name (--ignore '')")
    if unknown:
        unknown += [f"--ignore {name}: no such column" for name in ignored if name not in header]
        unknown.append("leave out what is no field: --ignore NAME, once for each column")
    if problems or unknown:
        raise Mismatch("; ".join(problems + unknown), "line 1")
    nest((name, name) for name in header if name not in ignored)
    if not schemas:
        raise Mismatch("no column but id, so there is nothing to update", "line 1")
    return header, schemas


def _parse_cell(column: str, cell: str, schema: Schema, delimiter: str) -> Any:
    """Return a cell as text where the field can hold text, and otherwise as JSON."""
    if cell == REMOVED:
        return None
    if _LOOKS_REMOVED.fullmatch(normalize("NFKC", cell)):
        how = f"to leave the field alone, leave the cell empty; to remove it, write {REMOVED}"
        raise Mismatch(f"{how}; to send such a text, use JSON Lines", column)
    if schema is ANYTHING or str not in schema.types:
        with suppress(*_NOT_JSON):  # the check says that it is text
            return _load_json(cell.lower() if bool in schema.types else cell)  # Excel writes TRUE
    if any(delimiter in line for line in re.split("\r\n?|\n", cell)[1:]):
        raise Mismatch("it seems to hold lines of the file; check the quotes, or use JSON Lines", column)
    return cell


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError
    return values


_load_json = partial(json.loads, object_pairs_hook=_refuse_twice)
