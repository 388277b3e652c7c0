"""The names and values of a file of customers: columns as paths of fields, and cells as their fields can hold them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from cybersource_tms._diff.fields import Kind, is_json_object, kinds_of
from cybersource_tms._diff.schema import Mismatch, no_such_field
from cybersource_tms_api.models import CustomerUpdate

ID = "id"
REMOVED = "<null>"  # the cell that removes a field; JSON has null


def column_kinds(header: Sequence[str]) -> list[Kind]:
    """Return what each column may hold.

    Raises:
        Mismatch: A column has no name, is no field that can be written, or is there twice.
    """
    if "" in header:
        raise Mismatch("has no name", f"column {header.index('') + 1}")
    nest(zip(header, header, strict=True))
    return [Kind() if column == ID else _field_kind(column.split("."), CustomerUpdate) for column in header]


def parse_cells(header: Iterable[str], kinds: Iterable[Kind], cells: Iterable[str]) -> Iterator[tuple[str, Any]]:
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
            if not is_json_object(inner):
                raise Mismatch("is given twice", path)
            group = cast("dict[str, Any]", inner)
        if name in group:
            raise Mismatch("is given twice", path)
        group[name] = value
    return whole


def _field_kind(names: Sequence[str], model: type | None) -> Kind:
    """Return what a field may hold, named from a model downwards."""
    name, *inner = names
    kinds, other = kinds_of(model)
    kind = kinds.get(name, other)
    if kind is None:
        raise no_such_field(name, model or CustomerUpdate)
    if inner and not (kind.model or kind.anything):
        raise Mismatch("it has no fields of its own; a list is given whole, as JSON", name)
    try:
        return _field_kind(inner, kind.model) if inner else kind
    except Mismatch as mismatch:
        raise mismatch.inside(name) from None


def _parse_cell(cell: str, kind: Kind) -> Any:
    """Return a cell as text where the field can hold text, and otherwise as JSON."""
    if cell == REMOVED:
        return None
    if str in kind.scalars or kind.format or str in map(type, kind.choices):
        return cell
    try:
        return load_json(cell.lower() if bool in kind.scalars else cell)  # Excel writes TRUE
    except ValueError:
        return cell  # which the check says is text


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError
    return values
