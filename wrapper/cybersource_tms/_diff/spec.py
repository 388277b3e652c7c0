"""What the spec says of a customer, as `scripts/regenerate` has resolved it: `cybersource_tms_api/schema.json`."""

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
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

# The types of JSON by their names in the spec, and in words.
_TYPES: dict[str, type] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": float,
    "array": list,
    "object": dict,
    "null": NoneType,
}
WORDS: dict[type, str] = dict(
    zip(
        _TYPES.values(),
        ["text", "true or false", "a whole number", "a number", "a list", "an object", "null"],
        strict=True,
    )
)
# What a model holds as an object and JSON as text; what makes one of the other; and in words.
FORMATS: dict[str, tuple[type, Callable[[str], Any], str]] = {
    "date": (date, date.fromisoformat, "a date such as 2026-11-30"),
    "date-time": (datetime, datetime.fromisoformat, "a date and time such as 2026-11-30T12:00:00+00:00"),
    "uuid": (UUID, UUID, "a UUID"),
}
# For values of which types a keyword is, what holds, and what is wrong if it does not.
_LIMITS: dict[str, tuple[tuple[type, ...], Callable[[Any, Any], object], str]] = {
    "minLength": ((str,), lambda text, least: len(text) >= least, "at least {} characters, it has {}"),
    "maxLength": ((str,), lambda text, most: len(text) <= most, "at most {} characters, it has {}"),
    "pattern": ((str,), lambda text, pattern: re.search(pattern, text, re.ASCII), "does not match {}"),
    "minItems": ((list,), lambda items, least: len(items) >= least, "at least {} entries, it has {}"),
    "maxItems": ((list,), lambda items, most: len(items) <= most, "at most {} entries, it has {}"),
    "minimum": ((int, float), operator.ge, "at least {}"),
    "maximum": ((int, float), operator.le, "at most {}"),
    "exclusiveMinimum": ((int, float), operator.gt, "more than {}"),
    "exclusiveMaximum": ((int, float), operator.lt, "less than {}"),
}
ONLY_THE_SERVICE = "only the service writes this"
_LONGEST_PATH = 200
_LEVELS = 5  # of the fields that are looked through: a schema may be a part of itself


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
        path = f"{outer if outer.isprintable() else ascii(outer)}{joint}{self.path}"
        return Mismatch(self.problem, path[:_LONGEST_PATH])

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


@attrs.define(eq=False)
class Schema:
    """What the spec says of a value.

    Attributes:
        types: The types that fit. A whole number is a number.
        properties: The fields of an object.
        others: What an object's other fields may hold; None if it has no others.
        items: What the entries of an array may be.
        model: The generated class for an object, if there is one.
        read_only: Whether it is a field that only the service writes.
        loose: Whether what is received may be anything else, too.
        in_list: Whether it is within an array.
        plain: The types of which every value that is received in a field fits.
    """

    types: AbstractSet[type] = frozenset(WORDS)
    properties: dict[str, "Schema"] = attrs.field(factory=dict[str, "Schema"], repr=False)
    others: "Schema | None" = attrs.field(default=None, repr=False)
    items: "Schema | None" = attrs.field(default=None, repr=False)
    required: tuple[str, ...] = ()
    enum: tuple[Any, ...] = ()
    format: str | None = None
    limits: tuple[tuple[tuple[type, ...], Callable[[Any, Any], object], str, Any], ...] = ()
    model: type | None = None
    read_only: bool = False
    loose: bool = False
    in_list: bool = False
    plain: AbstractSet[type] = frozenset(WORDS) - {dict, list}

    def field(self, name: str) -> "Schema":
        """Return what a field of an object may hold that is received."""
        return self.properties.get(name) or self.others or ANYTHING


ANYTHING = Schema()
ANYTHING.others = ANYTHING.items = ANYTHING


def load(nodes: Mapping[str, Mapping[str, Any]]) -> Schema:
    """Return the first of the schemas in `schema.json`, whose parts are named by their places."""
    schemas = {place: Schema() for place in nodes} | {"anything": ANYTHING}
    for place, node in nodes.items():
        schema = schemas[place]
        schema.types = {_TYPES[name] for name in node["type"]}
        schema.properties = {name: schemas[inner] for name, inner in node.get("properties", {}).items()}
        schema.others = schemas.get(node.get("additionalProperties", ""))
        schema.items = schemas.get(node.get("items", ""))
        schema.required, schema.enum = tuple(node.get("required", ())), tuple(node.get("enum", ()))
        schema.format = node.get("format")
        schema.limits = tuple((*rule, node[name]) for name, rule in _LIMITS.items() if name in node)
        schema.model = getattr(models, node["model"]) if "model" in node else None
        schema.in_list, schema.read_only, schema.loose = (
            node.get(name, False) for name in ("inList", "readOnly", "isLoose")
        )
        null = set() if schema.read_only and not schema.loose else {NoneType}
        schema.plain = (schema.types | null) - {dict, list, str if schema.format else dict}
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
    """Return what a field of a customer, such as `buyerInformation.email`, may hold.

    Raises:
        Mismatch: There is no such field, or it is to be sent and only the service writes it.
    """
    schema, place = customer_schema(), ""
    for name in path.split("."):
        if dict not in schema.types:
            raise Mismatch("it has no fields of its own", place)
        inner = schema.properties.get(name) or schema.others
        place = f"{place}.{name}".lstrip(".")
        if inner is None or (sent and inner.read_only):
            raise Mismatch(unknown_field(name, schema), place)
        schema = inner
    return schema


def unknown_field(name: object, schema: Schema) -> str:
    """Say why no field of this name can be written in an object, and name the nearest that there is."""
    if name in schema.properties:
        return ONLY_THE_SERVICE
    known = {_squash(path.rpartition(".")[2]): path for path in _paths(schema)}
    nearest = get_close_matches(_squash(str(name)), known, n=1)
    return "no such field" + "".join(f", did you mean {known[each]}?" for each in nearest)


def _paths(schema: Schema, levels: int = _LEVELS) -> Iterator[str]:
    """Yield the paths of the fields in an object; last its own, which are nearest."""
    for name, inner in schema.properties.items() if levels else ():
        yield from (f"{name}.{path}" for path in _paths(inner, levels - 1))
    yield from schema.properties


def _squash(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
