"""The names and values of a file of customers: columns as paths of fields, and cells as their fields can hold them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from cybersource_tms._diff.schema XX

ID = "id"
REMOVED = "<null>"  # the cell that removes a field; JSON has null


def column_kinds(header: Sequence[str]) -> list[Schema]:
    """Return what each column may hold.

    Raises:
        Mismatch: A column has no name, is no field that can be written, or is there twice.
    """
    if "" in header:
        raise Mismatch("has no name", f"column {header.index('') + 1}")
    nest(zip(header, header, strict=True))
    return [Schema() if column == ID else field_schema(column, sent=True) for column in header]


def parse_cells(header: Iterable[str], kinds: Iterable[Schema], cells: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of a record; an empty cell has none."""
    for column, kind, cell in zip(header, kinds, cells, strict=True):
        if cell and column != ID:
            yield column, _parse_cell(cell, kind)


def load_json(text: str) -> Any:
    """Return a JSON value.

    Raises:
        ValueError: It is not JSON, is nested too deep, or an object has a name twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_refuse_twice)
    except RecursionError as error:
        raise ValueError from error


def nest(values: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return values by paths such as `buyerInformation.email` as objects in objects.

    Raises:
        Mismatch: A field is given twice.
    """
    whole: dict[str, Any] = {}
    for path, value in values:
        *groups, name = path.split(".")
        group = whole
        for each in groups:
            inner = group.setdefault(each, {})
            if not isinstance(inner, dict):
                raise Mismatch("is given twice", path)
            group = cast("dict[str, Any]", inner)
        if name in group:
            raise Mismatch("is given twice", path)
        group[name] = value
    return whole


def _parse_cell(cell: str, kind: Schema) -> Any:
    """Return a cell as text where the field can hold text, and otherwise as JSON."""
    if cell == REMOVED:
        return None
    if "string" in kind.types:
        return cell
    try:
        return load_json(cell.lower() if "boolean" in kind.types else cell)  # Excel writes TRUE
    except ValueError:
        return cell  # which the check says is text


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError
    return values
