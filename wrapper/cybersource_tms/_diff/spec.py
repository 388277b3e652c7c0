"""The spec's schemas, made ready for the walk: references are followed, and parts are put together."""

import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
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

Raw = Mapping[str, Any]  # a schema as it stands in the spec

JSON_TYPES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    NoneType: "null",
}
# What a model holds as an object and JSON as text; what makes one of the other; and in words.
FORMATS: dict[str, tuple[type, Callable[[str], Any], str]] = {
    "date": (date, date.fromisoformat, "a date such as 2026-11-30"),
    "date-time": (datetime, datetime.fromisoformat, "a date and time such as 2026-11-30T12:00:00+00:00"),
    "uuid": (UUID, UUID, "a UUID"),
}


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    # As in JavaScript, $ is the end and not also before a last line break, and a digit is one of ASCII's.
    python = re.sub(r"(\\.|\[(?:\\.|[^\]\\])*\])|\$", lambda found: found[1] or r"\Z", pattern)
    return re.compile(python, re.ASCII)


# For values of which types a keyword is, what holds, and what is wrong if it does not.
_LIMITS: dict[str, tuple[tuple[str, ...], Callable[[Any, Any], object], str]] = {
    "minLength": (("string",), lambda text, least: len(text) >= least, "at least {} characters, it has {}"),
    "maxLength": (("string",), lambda text, most: len(text) <= most, "at most {} characters, it has {}"),
    "pattern": (("string",), lambda text, pattern: _compile(pattern).search(text), "does not match {}"),
    "minItems": (("array",), lambda items, least: len(items) >= least, "at least {} entries, it has {}"),
    "maxItems": (("array",), lambda items, most: len(items) <= most, "at most {} entries, it has {}"),
    "minimum": (("integer", "number"), operator.ge, "at least {}"),
    "maximum": (("integer", "number"), operator.le, "at most {}"),
    "exclusiveMinimum": (("integer", "number"), operator.gt, "more than {}"),
    "exclusiveMaximum": (("integer", "number"), operator.lt, "less than {}"),
}
ONLY_THE_SERVICE = "only the service writes this"
_LONGEST_PATH = 200


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
        types: The JSON types that fit. A whole number is a number.
        properties: The fields of an object.
        others: What an object's other fields may hold; None if it has no others.
        items: What the entries of an array may be.
        model: The generated class for an object, if there is one.
        plain: The types of Python of which every value that is received fits.
    """

    types: AbstractSet[str] = frozenset(JSON_TYPES.values())
    properties: dict[str, "Schema"] = attrs.field(factory=dict[str, "Schema"], repr=False)
    others: "Schema | None" = attrs.field(default=None, repr=False)
    items: "Schema | None" = attrs.field(default=None, repr=False)
    required: tuple[str, ...] = ()
    enum: tuple[Any, ...] = ()
    format: str | None = None
    limits: tuple[tuple[tuple[str, ...], Callable[[Any, Any], object], Any, str], ...] = ()
    model: type | None = None
    read_only: bool = False
    plain: AbstractSet[type] = frozenset(JSON_TYPES) - {dict, list}


ANYTHING = Schema()
ANYTHING.others = ANYTHING.items = ANYTHING


def _read(name: str) -> Any:
    return json.loads(files("cybersource_tms_api").joinpath(name).read_text(encoding="utf-8"))


# The attributes of each generated model, by the names in the API.
MODELS: Mapping[type, Mapping[str, str]] = {
    getattr(models, model): {name: attribute for attribute, name in names.items()}
    for model, names in _read("attributes.json").items()
}


@cache
def customer_schema() -> Schema:
    """Return the schema of a customer, and of an update, where what is read-only is refused."""
    spec = _read("openapi.json")
    return Loader(spec, MODELS).load(spec["components"]["schemas"]["Customer"], "CustomerUpdate")


@cache
def api_names() -> AbstractSet[str]:
    """Return the names of all fields of a customer, and of the entries of its lists."""
    return set(_names(customer_schema()))


def field_schema(path: str, *, sent: bool = False) -> Schema:
    """Return what a field of a customer, such as `buyerInformation.email`, may hold.

    Raises:
        Mismatch: There is no such field, or it is to be sent and only the service writes it.
    """
    schema, place = customer_schema(), ""
    for name in path.split("."):
        if "object" not in schema.types:
            raise Mismatch("it has no fields of its own", place)
        inner = schema.properties.get(name) or schema.others
        place = f"{place}.{name}".lstrip(".")
        if inner is None or (sent and inner.read_only):
            raise Mismatch(unknown_field(name, schema), place)
        schema = inner
    return schema


def unknown_field(name: object, schema: Schema, *, is_known: bool = False) -> str:
    """Say why no field of this name can be written in an object, and name the nearest that there is."""
    if name in schema.properties or is_known:
        return ONLY_THE_SERVICE
    known = {_squash(path.rpartition(".")[2]): path for path in _paths(schema)}
    nearest = get_close_matches(_squash(str(name)[:64]), known, n=1)
    return "no such field" + "".join(f", did you mean {known[each]}?" for each in nearest)


def _names(schema: Schema, levels: int = 5) -> Iterator[str]:
    for name, inner in schema.properties.items() if levels else ():
        yield name
        yield from _names(inner, levels - 1)
        yield from _names(inner.items or ANYTHING, levels - 1)


def _paths(schema: Schema, levels: int = 5) -> Iterator[str]:
    """Yield the paths of the fields in an object; last its own, which are nearest."""
    for name, inner in schema.properties.items() if levels else ():
        yield from (f"{name}.{path}" for path in _paths(inner, levels - 1))
    yield from schema.properties


class Loader:
    """Makes the schemas of a document, each once, since one can be part of itself."""

    def __init__(self, document: Raw, attributes: Mapping[type, Mapping[str, str]]) -> None:
        self._document = document
        self._attributes = attributes
        self._made: dict[int, Schema] = {}

    def load(self, raw: Raw, place: str) -> Schema:
        """Return what a schema of the document says; the generator's name for its class would begin with `place`."""
        if id(raw) not in self._made:
            self._made[id(raw)] = schema = Schema()
            self._fill(schema, *_merged(self._parts(raw, place)))
        return self._made[id(raw)]

    def _parts(self, raw: Raw, place: str) -> Iterator[tuple[Raw, str]]:
        """Yield the schemas that one is made of, from the inside out, and what they are named after."""
        if "$ref" in raw:
            target: Any = self._document
            for step in raw["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            yield from self._parts(target, raw["$ref"].rpartition("/")[2])
        for part in (*raw.get("allOf", ()), *raw.get("anyOf", ()), *raw.get("oneOf", ())):
            yield from self._parts(part, place)
        yield raw, place

    def _fill(self, schema: Schema, merged: Raw, place: str) -> None:
        types = merged["type"]
        schema.types = {*types, "integer"} if "number" in types else set(types)
        schema.enum = tuple(merged.get("enum", ()))
        schema.format = merged.get("format")
        schema.limits = tuple((*rule[:2], merged[name], rule[2]) for name, rule in _LIMITS.items() if name in merged)
        parsed = {"object", "array", "string" if schema.format else ""}
        schema.plain = {kind for kind, name in JSON_TYPES.items() if name in (schema.types | {"null"}) - parsed}
        schema.items = self.load(merged["items"], place) if "array" in types else None
        if "object" in types:
            schema.required = tuple(merged["required"])
            schema.model = self._model(merged["properties"].keys(), place)
            self._fill_object(schema, merged, schema.model.__name__ if schema.model else place)

    def _fill_object(self, schema: Schema, merged: Raw, place: str) -> None:
        for name, raw in merged["properties"].items():
            schema.properties[name] = inner = self.load(raw, place + name)
            inner.read_only = any(part.get("readOnly") for part, _ in self._parts(raw, ""))
        others = merged.get("additionalProperties", not schema.properties)
        if others is not False:
            schema.others = ANYTHING if others in (True, {}) else self.load(others, place)

    def _model(self, fields: AbstractSet[str], place: str) -> type | None:
        fitting = (model for model, names in self._attributes.items() if names.keys() == fields)
        named = (model for model in fitting if _squash(model.__name__).startswith(_squash(place)))
        return min(named, key=lambda model: len(model.__name__), default=None)


def _merged(parts: Iterable[tuple[Raw, str]]) -> tuple[Raw, str]:
    """Return the parts of a schema as one, with null among its types, and what it is named after."""
    merged: dict[str, Any] = {"type": [], "properties": {}, "required": []}
    null, place = False, ""
    for part, at in parts:
        if part.get("type") == "null":
            null = True
            continue
        joined = {"properties": merged["properties"] | part.get("properties", {})}
        joined["required"] = [*merged["required"], *part.get("required", ())]
        merged |= {**part, **joined}
        place = at if "type" in part else place
    types = [merged["type"]] if isinstance(merged["type"], str) else merged["type"]
    enum = {"enum": [*merged["enum"], None]} if null and "enum" in merged else {}
    return merged | {"type": [*types, "null"] if null else types} | enum, place


def _squash(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
