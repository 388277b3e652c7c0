"""A customer as JSON: one walk over the spec's schema that checks a value and copies it."""

import json
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import cache
from typing import Any

from cybersource_tms._diff.spec import (
    ANYTHING,
    FORMATS,
    JSON_TYPES,
    Schema,
    attributes_of,
    customer_schema,
    error_schema,
    squash,
)
from cybersource_tms_api.types import Unset

__all__ = ["Mismatch", "Schema", "customer_schema", "error_schema", "no_such_field", "to_json", "update_schema"]

ONLY_THE_SERVICE = "only the service writes this"
NOT_JSON = "cannot be written as JSON"
MOST_LEVELS = 100  # the service's customers have five
MOST_VALUES = 100_000
_LEVELS_OF_GROUPS = 4

Known = AbstractSet[
    tuple[Schema, str, Any]
]  # what a customer has already: a value, or the length of a list, at its place

_WORDS = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_FORMAT_WORDS = {
    "date": "a date such as 2026-11-30",
    "date-time": "a date and time such as 2026-11-30T12:00:00+00:00",
    "uuid": "a UUID",
}


class Mismatch(Exception):
    """A value does not fit. `path` names the field as the API does; neither it nor `problem` holds a value."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem, path)
        self.problem = problem
        self.path = path

    def inside(self, place: object) -> "Mismatch":
        """Return the same, seen from outside `place`: a field's name or an index."""
        outer = f"[{place}]" if type(place) is int else str(place)
        joint = "." if self.path and not self.path.startswith("[") else ""
        return Mismatch(self.problem, f"{outer if outer.isprintable() else ascii(outer)}{joint}{self.path}")

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


def update_schema() -> Schema:
    """Return the schema of an update."""
    return customer_schema()


def to_json(
    value: object,
    schema: Schema,
    *,
    sent: bool,
    complete: bool = False,
    known: Known | None = None,
    limits: bool = True,
) -> Any:
    """Return a value as JSON, which shares nothing with it; models and mappings may be in one another.

    Args:
        value: A model, a mapping with the API's names, or any other value.
        schema: What it has to be.
        sent: Whether it is to be sent: only fields that can be written, only values of the spec, only JSON. Otherwise
            a null, a new enum value and an unknown field are welcome, and what only the service writes may have any
            shape.
        complete: Whether what is required has to be there, as in a response. In an array that is sent it always has.
        known: What the customer has already and is not held to the limits. None if that is not known: then limits do
            not hold within arrays.
        limits: Whether what is sent is held to the limits at all, or only to names and types.

    Raises:
        Mismatch: It does not fit.
    """
    return _Walk(sent=sent, complete=complete, known=known, limits=limits).visit(value, schema)


def known_values(value: Any, schema: Schema) -> Iterator[tuple[Schema, str, Any]]:
    """Yield what is in JSON that was checked, for `to_json`."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from known_values(inner, schema.properties.get(name) or schema.others or ANYTHING)
    elif isinstance(value, list):
        yield schema, "array", len(value)
        for item in value:
            yield from known_values(item, schema.items or ANYTHING)
    else:
        yield schema, JSON_TYPES[type(value)], value


def field_schema(path: str, *, sent: bool = False) -> Schema:
    """Return what a customer's field has to be: `buyerInformation.email`.

    Raises:
        Mismatch: There is no such field, or `sent` and only the service writes it.
    """
    schema, above = customer_schema(), ""
    for name in path.split("."):
        inner = schema.properties.get(name) or schema.others
        if schema.types and "object" not in schema.types:
            raise Mismatch("it has no fields of its own", above)
        if inner is None or (sent and inner.read_only):
            mismatch = no_such_field(name, schema).inside(name)
            raise mismatch.inside(above) if above else mismatch
        schema, above = inner, f"{above}.{name}".lstrip(".")
    return schema


@cache
def api_names() -> AbstractSet[str]:
    """Return the names of all fields of a customer, and of the entries of its lists."""
    return set(_names(customer_schema()))


def no_such_field(name: object, schema: Schema) -> Mismatch:
    """Return what to raise for a field that an object does not have, with the nearest that there is."""
    if name in schema.properties:
        return Mismatch(ONLY_THE_SERVICE)
    paths = sorted(_paths(schema), key=lambda path: -path.count("."))
    known = {squash(path.rpartition(".")[2]): path for path in paths}
    for attributes in filter(None, map(attributes_of, schema.models)):
        known |= {squash(attribute): path for attribute, path in attributes.items()}
    nearest = get_close_matches(squash(str(name)[:64]), known, n=1)
    return Mismatch("no such field" + "".join(f", did you mean {known[each]}?" for each in nearest))


class _Walk:
    """One walk. What is too deep ends it, so a loop does, and so does what is too much."""

    def __init__(self, *, sent: bool, complete: bool, known: Known | None, limits: bool) -> None:
        self._sent = sent
        self._limits = limits
        self._complete = complete
        self._known = known
        self._levels = MOST_LEVELS
        self._values = MOST_VALUES

    def visit(self, value: Any, schema: Schema) -> Any:
        kind = JSON_TYPES.get(type(value))
        if kind is None:
            kind, value = _json_of(value, schema)
        if kind not in schema.accepted:
            return self._misfit(value, kind, schema)
        if kind == "object":
            return self._object(value, schema)
        if kind == "array":
            return self._array(value, schema)
        if kind == "string" and schema.format:
            text = _one_form(value, schema.format)
            if text is None:
                return self._misfit(value, kind, schema)
            value = text
        if self._sent:
            self._check(value, kind, schema)
        return value

    def _object(self, value: Mapping[Any, Any], schema: Schema) -> dict[str, Any]:
        self._enter(value)
        copy: dict[str, Any] = {}
        properties, received = schema.properties, not self._sent
        name = None
        try:
            for name, given in value.items():
                inner = properties.get(name)
                if inner is None or (inner.read_only and self._sent):
                    inner = self._other(name, schema)
                copy[name] = given if received and type(given) in inner.plain else self.visit(given, inner)
        except Mismatch as mismatch:
            raise mismatch.inside(str(name)) from None
        if schema.required and (self._complete or (self._sent and schema.in_array)):
            _check_complete(copy, schema)
        self._levels += 1
        return copy

    def _array(self, value: list[Any], schema: Schema) -> list[Any]:
        self._enter(value)
        items = schema.items or ANYTHING
        copy: list[Any] = []
        try:
            for item in value:
                copy.append(self.visit(item, items))  # noqa: PERF401 - how many there are says where a mismatch is
        except Mismatch as mismatch:
            raise mismatch.inside(len(copy)) from None
        if self._sent:
            self._check(copy, "array", schema)
        self._levels += 1
        return copy

    def _enter(self, container: Mapping[Any, Any] | list[Any]) -> None:
        self._levels -= 1
        self._values -= len(container)
        if self._levels < 0:
            raise Mismatch(f"is nested more than {MOST_LEVELS} deep")
        if self._values < 0:
            raise Mismatch(f"has more than {MOST_VALUES} values")

    def _other(self, name: object, schema: Schema) -> Schema:
        """Return what a field that is not one of the schema's has to be."""
        if type(name) is not str or (self._sent and (schema.others is None or name in schema.properties)):
            raise no_such_field(name, schema)
        if self._sent:
            _check_text(name)
        return schema.others or ANYTHING

    def _misfit(self, value: Any, kind: str, schema: Schema) -> Any:
        if schema.any_shape and not self._sent:
            return self.visit(value, ANYTHING)
        if kind == "null" and self._known and (schema, kind, value) in self._known:
            return value
        raise _unexpected(kind, schema)

    def _check(self, value: Any, kind: str, schema: Schema) -> None:
        """Hold what is sent to the spec's values and limits, unless the customer has it already."""
        if kind != "array":
            _check_text(value)
        if self._known is not None and (schema, kind, len(value) if kind == "array" else value) in self._known:
            return
        if schema.format == "date-time" and kind == "string" and not re.search("[+-]", value[10:]):
            raise Mismatch("has no time zone")  # RFC 3339 section 5.6, which OpenAPI goes by
        if not self._limits or (self._known is None and schema.in_array):
            return
        if schema.enum and not any(type(value) is type(each) and value == each for each in schema.enum):
            raise _unexpected(kind, schema)
        for limit in schema.limits:
            if kind in limit.types and (problem := limit.problem(value)):
                raise Mismatch(problem)


def _json_of(value: object, schema: Schema) -> tuple[str, Any]:
    """Return the JSON type of what is no plain JSON, and the value to go on with."""
    attributes = attributes_of(type(value))
    if attributes is not None:
        if schema.models and not isinstance(value, schema.models):
            raise Mismatch(f"expected a {schema.models[-1].__name__}, not a {type(value).__name__}")
        return "object", _fields(value, attributes)
    if isinstance(value, Mapping):
        return "object", value
    if isinstance(value, list):
        return "array", value
    if schema.format and isinstance(value, FORMATS[schema.format][0]):
        if not (schema.format == "date" and isinstance(value, datetime)):
            return "string", value
    expected = f"expected {_expected(schema)}, not " if schema.types else "cannot be written as JSON: "
    raise Mismatch(f"{expected}a value of the type {type(value).__name__}")


def _fields(model: Any, attributes: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields that a model has, by their names in the API."""
    extras: Mapping[str, Any] = getattr(model, "additional_properties", {})
    for attribute, name in attributes.items() if extras else ():
        if name in extras:
            raise Mismatch(f"set it as the attribute {attribute}, not in brackets").inside(name)
    given = ((name, getattr(model, attribute)) for attribute, name in attributes.items())
    return {**{name: value for name, value in given if not isinstance(value, Unset)}, **extras}


def _one_form(value: Any, form: str) -> str | None:
    """Return the one text for a date, a date and time (in UTC) or a UUID; None if it is none."""
    if isinstance(value, str):
        try:
            value = FORMATS[form][1](value)
        except ValueError:
            return None
    if isinstance(value, datetime) and value.tzinfo:
        value = _utc(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # in the first or the last hours that there are
        return moment


def _check_complete(copy: Mapping[str, Any], schema: Schema) -> None:
    for name in schema.required:
        if name not in copy:
            raise Mismatch("is missing", name)


def _check_text(value: Any) -> None:
    if value is None or (type(value) is str and value.isascii()):
        return
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise Mismatch(NOT_JSON) from None


def _unexpected(kind: str, schema: Schema) -> Mismatch:
    return Mismatch(f"expected {_expected(schema)}, not {_WORDS[kind]}")


def _expected(schema: Schema) -> str:
    words = [
        _FORMAT_WORDS[schema.format] if kind == "string" and schema.format else _WORDS[kind]
        for kind in _WORDS
        if kind in schema.types
    ]
    if schema.enum:
        words = [json.dumps(each) for each in schema.enum if each is not None] + ["null"] * (None in schema.enum)
    return " or ".join(words)


def _paths(schema: Schema, level: int = 0) -> Iterator[str]:
    """Yield the paths of the fields of an object and of the groups in it."""
    for name, inner in schema.properties.items():
        yield name
        if level < _LEVELS_OF_GROUPS:
            yield from (f"{name}.{path}" for path in _paths(inner, level + 1))


def _names(schema: Schema, level: int = 0) -> Iterator[str]:
    for name, inner in schema.properties.items():
        yield name
        if level < _LEVELS_OF_GROUPS:
            yield from _names(inner.items or inner, level + 1)
