"""What the spec says of a customer, as `scripts/regenerate` has resolved it: `cybersource_tms_api/schema.json`."""

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import NoneType
from typing import Any
from uuid import UUID

import attrs

from cybersource_tms_api import models

# The types of JSON in words, and in the words of the spec.
WORDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
    NoneType: "null",
}
_TYPES = dict(zip(("string", "boolean", "integer", "number", "array", "object", "null"), WORDS, strict=True))
# What a model holds as an object and JSON as text, and what makes one of the other.
FORMATS: dict[str, tuple[type, Callable[[str], Any]]] = {
    "date": (date, date.fromisoformat),
    "date-time": (datetime, datetime.fromisoformat),
    "uuid": (UUID, UUID),
}
# For values of which types a keyword is, what holds, and what is wrong if it does not.
_LIMITS: dict[str, tuple[tuple[type, ...], Callable[[Any, Any], object], str]] = {
    "minLength": ((str,), lambda text, least: len(text) >= least, "at least {} characters, it has {}"),
    "maxLength": ((str,), lambda text, most: len(text) <= most, "at most {} characters, it has {}"),
    "pattern": ((str,), lambda text, pattern: re.search(pattern, text, re.ASCII) is not None, "does not match {}"),
    "minItems": ((list,), lambda items, least: len(items) >= least, "at least {} entries, it has {}"),
    "maxItems": ((list,), lambda items, most: len(items) <= most, "at most {} entries, it has {}"),
    "minimum": ((int, float), operator.ge, "at least {}"),
    "maximum": ((int, float), operator.le, "at most {}"),
    "exclusiveMinimum": ((int, float), operator.gt, "more than {}"),
    "exclusiveMaximum": ((int, float), operator.lt, "less than {}"),
}
ONLY_THE_SERVICE = "only the service writes this"
_LONGEST_PATH = 200


class Mismatch(Exception):
    """A value does not fit. `path` names the field as the API does; neither it nor `problem` holds a value."""

    def __init__(self, problem: str, *places: str | int) -> None:
        super().__init__(problem, *places)
        names = (each if type(each) is int or str(each).isprintable() else ascii(each) for each in places)
        path = "".join(f"[{name}]" if type(name) is int else f".{name}" for name in names)
        self.problem, self.places = problem, places
        self.path = path.removeprefix(".")[:_LONGEST_PATH]

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


@attrs.define(eq=False)
class Schema:
    """What the spec says of a value.

    Attributes:
        expected: What fits, in a sentence.
        plain: The types of which every value that is received in a field fits.
        others: What an object's other fields may hold; None if it has no others.
        loose: Whether what is received may have any shape, since only the service writes it.
        in_list: Whether it is within an array.
    """

    expected: str = "JSON"
    types: AbstractSet[type] = frozenset(WORDS)
    plain: AbstractSet[type] = frozenset(WORDS) - {dict, list}
    properties: dict[str, "Schema"] = attrs.field(factory=dict[str, "Schema"], repr=False)
    others: "Schema | None" = attrs.field(default=None, repr=False)
    items: "Schema | None" = attrs.field(default=None, repr=False)
    required: Sequence[str] = ()
    enum: Sequence[Any] = ()
    format: str | None = None
    limits: Sequence[tuple[tuple[type, ...], Callable[[Any, Any], object], str, Any]] = ()
    model: type | None = None
    read_only: bool = False
    loose: bool = False
    in_list: bool = False


ANYTHING = Schema()
ANYTHING.others = ANYTHING.items = ANYTHING


def load(entries: Mapping[str, dict[str, Any]]) -> Schema:
    """Return the first of the schemas that `scripts/resolve_schema.py` makes."""
    schemas = {place: Schema() for place in entries} | {"anything": ANYTHING}
    for place, entry in entries.items():
        attributes = entry | {
            "types": {_TYPES[name] for name in entry["types"]},
            "plain": {_TYPES[name] for name in entry["plain"]},
            "properties": {name: schemas[inner] for name, inner in entry.get("properties", {}).items()},
            "others": schemas.get(entry.get("others", "")),
            "items": schemas.get(entry.get("items", "")),
            "limits": [(*_LIMITS[name], bound) for name, bound in entry.get("limits", {}).items()],
            "model": getattr(models, entry.get("model", ""), None),
        }
        for name, value in attributes.items():
            setattr(schemas[place], name, value)
    return next(iter(schemas.values()))


_SPEC = json.loads(files("cybersource_tms_api").joinpath("schema.json").read_text(encoding="utf-8"))
# The attributes of each generated model, by the names in the API.
MODELS: Mapping[type, Mapping[str, str]] = {getattr(models, name): names for name, names in _SPEC["models"].items()}


@cache
def customer_schema() -> Schema:
    """Return the schema of a customer, and of an update, where what is read-only is refused."""
    return load(_SPEC["customer"])


@cache
def api_names() -> AbstractSet[str]:
    """Return the names of all fields in the spec."""
    return {name for names in MODELS.values() for name in names}


def field_schema(path: str, *, sent: bool = False) -> Schema:
    """Return what a field of a customer may hold, or raise `Mismatch`: there is none that could be read or sent."""
    schema, names = customer_schema(), path.split(".")
    for index, name in enumerate(names):
        if dict not in schema.types:
            raise Mismatch("it has no fields of its own", *names[:index])
        inner = schema.properties.get(name) or schema.others
        if inner is None or (sent and inner.read_only):
            raise Mismatch(unknown_field(name, schema), *names[: index + 1])
        schema = inner
    return schema


def unknown_field(name: object, schema: Schema) -> str:
    """Say why no field of this name can be written in an object, and name the nearest that there is."""
    if name in schema.properties:
        return ONLY_THE_SERVICE
    known = {path.rpartition(".")[2].lower(): path for path in _paths(schema)}
    nearest = get_close_matches(str(name).lower(), known, n=1)
    return "no such field" + "".join(f", did you mean {known[each]}?" for each in nearest)


def _paths(schema: Schema, levels: int = 5) -> Iterator[str]:
    """Yield the paths of the fields in an object; last its own, which are nearest."""
    for name, inner in schema.properties.items() if levels else ():
        yield from (f"{name}.{path}" for path in _paths(inner, levels - 1))
    yield from schema.properties
