"""CSV (RFC 4180): columns as paths of fields, cells as their fields can hold them. A wrong line spoils no other one."""

import csv
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import Any

from cybersource_tms._diff.spec import ANYTHING, Mismatch, Schema, field_schema

ID = "id"
REMOVED = "<null>"  # the cell that removes a field; JSON has null
_LOOKS_REMOVED = re.compile(r"\W*null\W*|\\N", re.IGNORECASE)  # \N is MySQL's
_MOST_LINES = 1000  # of one record; a quote that is not closed until then is a stray one

Values = Iterable[tuple[str, Any]]  # by paths such as `buyerInformation.email`
Line = tuple[int, str, object, Values | Mismatch]  # its number, its text, the id, and the values or what is wrong


def read_csv(lines: Iterator[str], delimiter: str, ignored: Collection[str]) -> Iterator[Line]:
    """Yield the records, each under the number of its first line."""
    records = _read_records(lines, delimiter)
    _, first, names = next(records)
    header = [] if isinstance(names, Mismatch) else names
    schemas = _column_schemas(header, first, ignored)
    for line, text, cells in records:
        if isinstance(cells, Mismatch):
            yield line, text, None, cells
        elif len(cells) != len(header) and cells:
            yield line, text, None, Mismatch(f"it has {len(cells)} cells, and the first line {len(header)}")
        elif any(cells):
            named = dict(zip(header, cells, strict=True))
            given = ((name, named[name], schema) for name, schema in schemas.items() if named[name])
            yield line, text, named[ID], ((name, _parse(name, cell, schema, delimiter)) for name, cell, schema in given)


def load_json(text: str) -> Any:
    """Return a JSON value, or raise `ValueError`: it is not JSON, too deep, or an object has a name twice."""
    try:
        return json.loads(text, object_pairs_hook=_refuse_twice)
    except RecursionError as error:
        raise ValueError from error


def nest(values: Values) -> dict[str, Any]:
    """Return values as objects in objects; none is given twice."""
    whole: dict[str, Any] = {}
    for path, value in values:
        *groups, name = path.split(".")
        group: Any = whole
        for each in groups:
            group = group.setdefault(each, {}) if isinstance(group, dict) else None
        if not isinstance(group, dict) or name in group:
            raise Mismatch("is given twice", path)
        group[name] = value
    return whole


def _read_records(lines: Iterator[str], delimiter: str) -> Iterator[tuple[int, str, list[str] | Mismatch]]:
    first = 1
    for taken in _group(lines):
        last = first + len(taken) - 1
        place = f"lines {first} to {last} are one record, which is " if last > first else ""
        yield first, "".join(taken), _parse_record(taken, delimiter, place)
        first = last + 1


def _parse_record(lines: list[str], delimiter: str, place: str) -> list[str] | Mismatch:
    problem = "a quote is not closed"
    try:
        [cells] = csv.reader(lines, delimiter=delimiter, strict=True)
        if not _is_odd("".join(lines)):
            return cells
    except csv.Error as error:
        problem = str(error).partition(" - ")[0]
    except ValueError:
        problem = "there are quotes within cells"
    return Mismatch(f"{place}not CSV: {problem}")


def _group(lines: Iterator[str]) -> Iterator[list[str]]:
    """Yield the lines of each record: more than one while a quote is open, that is, their number is odd."""
    while taken := list(islice(lines, 1)):
        if _is_odd(taken[0]):
            for line in islice(lines, _MOST_LINES):
                taken.append(line)
                if _is_odd(line):
                    break
            else:  # it would take all lines after it
                lines, taken = chain(taken[1:], lines), taken[:1]
        yield taken


def _is_odd(text: str) -> bool:
    return text.count('"') % 2 == 1


def _column_schemas(header: Sequence[str], line: str, ignored: Collection[str]) -> dict[str, Schema]:
    """Return what the columns other than `id` hold. No message shows a first line that may be a customer's."""
    if ID not in header:
        others = [each for each in ";\t|," if ID in line.replace('"', "").rstrip().split(each)]
        hint = f"is it --delimiter {others[0]!r}?" if others else "it should have the names of the columns"
        raise Mismatch(f"no column id; {hint}", "line 1")
    schemas: dict[str, Schema] = {}
    problems: list[str] = []
    names = [name for name in header if name not in ignored]
    for name in names:
        try:
            schemas |= {} if name == ID else {name: field_schema(name, sent=True)}
        except Mismatch as mismatch:
            problems.append(str(mismatch) if name else "a column without a name")
    if problems:
        raise Mismatch(f"{'; '.join(problems)}. Leave out what is no field: --ignore NAME, once for each column")
    nest(zip(names, names, strict=True))
    if not schemas:
        raise Mismatch("no column but id, so there is nothing to update", "line 1")
    return schemas


def _parse(column: str, cell: str, schema: Schema, delimiter: str) -> Any:
    """Return a cell as text where the field can hold text, and otherwise as JSON."""
    if cell == REMOVED:
        return None
    if _LOOKS_REMOVED.fullmatch(cell):
        raise Mismatch(f"to remove the field, write {REMOVED}; to send such a text, use JSON Lines", column)
    if schema is ANYTHING or "string" not in schema.types:
        with suppress(ValueError):  # the check says that it is text
            return load_json(cell.lower() if "boolean" in schema.types else cell)  # Excel writes TRUE
    if any(delimiter in line for line in re.split("\r\n?|\n", cell)[1:]):
        raise Mismatch("it seems to hold lines of the file; check the quotes, or use JSON Lines", column)
    return cell


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError
    return values
