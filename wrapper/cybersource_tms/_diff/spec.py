"""The spec's schemas, made ready for the walk: references are followed, and what is in parts is put together."""

import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import cache, lru_cache
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
    NoneType: "null",
    dict: "object",
    list: "array",
}
# What a model holds as an object and JSON as text. The functions raise ValueError for text of another form.
FORMATS: dict[str, tuple[type, Callable[[str], Any]]] = {
    "date": (date, date.fromisoformat),
    "date-time": (datetime, datetime.fromisoformat),
    "uuid": (UUID, UUID),
}


@attrs.frozen
class Limit:
    """A keyword that limits values of some JSON types."""

    types: set[str]
    holds: Callable[[Any, Any], object]
    words: str
    bound: Any = None

    def problem(self, value: Any) -> str | None:
        """Return what is wrong with a value, without the value; None if nothing is."""
        if self.holds(value, self.bound):
            return None
        return self.words.format(self.bound, len(value) if isinstance(value, str | list) else "")


@cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a pattern as JSON Schema means it, which is as JavaScript does."""
    # There $ is the end, not also before a last line break; and a digit is one of ASCII's.
    python = re.sub(r"(\\.|\[(?:\\.|[^\]\\])*\])|\$", lambda found: found[1] or r"\Z", pattern)
    return re.compile(python, re.ASCII)


_NUMBERS = {"integer", "number"}
_LIMITS = {
    "minLength": Limit({"string"}, lambda text, least: len(text) >= least, "at least {} characters, it has {}"),
    "maxLength": Limit({"string"}, lambda text, most: len(text) <= most, "at most {} characters, it has {}"),
    "pattern": Limit({"string"}, lambda text, pattern: compile_pattern(pattern).search(text), "does not match {}"),
    "minItems": Limit({"array"}, lambda items, least: len(items) >= least, "at least {} entries, it has {}"),
    "maxItems": Limit({"array"}, lambda items, most: len(items) <= most, "at most {} entries, it has {}"),
    "minimum": Limit(_NUMBERS, operator.ge, "at least {}"),
    "maximum": Limit(_NUMBERS, operator.le, "at most {}"),
    "exclusiveMinimum": Limit(_NUMBERS, operator.gt, "more than {}"),
    "exclusiveMaximum": Limit(_NUMBERS, operator.lt, "less than {}"),
}


@attrs.define(eq=False)
class Schema:
    """What the spec says of a value.

    Attributes:
        in_array: Whether it is part of an array, which an update replaces as a whole.
        any_shape: Whether it is, or is part of, what only the service writes.
        types: The JSON types that it admits; empty if any will do.
        properties: The fields of an object.
        others: What an object's other fields may hold; None if it has no others.
        items: What the entries of an array are.
        models: The generated classes that may stand for an object; the last has all of its fields.
        accepted: The JSON types that fit, with the whole numbers among the numbers.
        plain: The types of Python of which every value that is received fits.
    """

    in_array: bool = False
    any_shape: bool = False
    types: frozenset[str] = frozenset()
    properties: dict[str, "Schema"] = attrs.field(factory=dict, repr=False)
    others: "Schema | None" = attrs.field(default=None, repr=False)
    items: "Schema | None" = attrs.field(default=None, repr=False)
    required: tuple[str, ...] = ()
    enum: tuple[Any, ...] = ()
    format: str | None = None
    limits: tuple[Limit, ...] = ()
    models: tuple[type, ...] = ()
    read_only: bool = False
    accepted: frozenset[str] = frozenset(JSON_TYPES.values())
    plain: frozenset[type] = frozenset(JSON_TYPES) - {dict, list}


ANYTHING = Schema()
ANYTHING.others = ANYTHING.items = ANYTHING


@cache
def customer_schema() -> Schema:
    """Return the schema of a customer. An update's fields are those that are not read-only."""
    return _loader().load({"$ref": "#/components/schemas/Customer"})


@cache
def error_schema() -> Schema:
    """Return the schema of the service's errors."""
    return _loader().load({"$ref": "#/components/schemas/ErrorResponse"})


@lru_cache(256)
def attributes_of(model: type) -> Mapping[str, str] | None:
    """Return the names in the API of a generated model's attributes; None if it is no such model."""
    return next((_attributes()[base] for base in model.__mro__ if base in _attributes()), None)


@lru_cache(256)
def fields_of(model: type) -> Mapping[str, str]:
    """Return the attributes of a generated model, by their names in the API."""
    return {name: attribute for attribute, name in (attributes_of(model) or {}).items()}


@cache
def _loader() -> "Loader":
    return Loader(_read("openapi.json"), _attributes())


@cache
def _attributes() -> Mapping[type, Mapping[str, str]]:
    return {getattr(models, name): attributes for name, attributes in _read("attributes.json").items()}


def _read(name: str) -> Any:
    return json.loads(files("cybersource_tms_api").joinpath(name).read_text(encoding="utf-8"))


class Loader:
    """Makes the schemas of a document, each once, since one can be part of itself."""

    def __init__(self, document: Raw, attributes: Mapping[type, Mapping[str, str]]) -> None:
        self._document = document
        self._fields = {model: set(names.values()) for model, names in attributes.items()}
        self._made: dict[tuple[int, bool, bool], tuple[Schema, Raw]] = {}

    def load(self, raw: Raw, place: str = "", *, in_array: bool = False, any_shape: bool = False) -> Schema:
        """Return what a schema of the document says; `place` is where it stands, as the generator names classes."""
        key = (id(raw), in_array, any_shape)
        if key not in self._made:
            schema = Schema(in_array, any_shape)
            self._made[key] = schema, raw  # an id is unique as long as there is what has it
            self._fill(schema, list(self._parts(raw)), raw.get("title", place))
        return self._made[key][0]

    def _parts(self, raw: Raw) -> Iterator[Raw]:
        """Yield the schemas that one is made of, from the inside out."""
        if "$ref" in raw:
            yield from self._parts(self._target(raw))
        for part in (*raw.get("allOf", ()), *raw.get("anyOf", ()), *raw.get("oneOf", ())):
            yield from self._parts(part)
        yield raw

    def _target(self, raw: Raw) -> Raw:
        found: Any = self._document
        for step in raw["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        target: Raw = found
        return target

    def _fill(self, schema: Schema, parts: list[Raw], place: str) -> None:
        merged = _merge(parts)
        schema.types = frozenset(merged["type"])
        schema.enum = tuple(merged.get("enum", ()))
        schema.format = merged.get("format") if merged.get("format") in FORMATS else None
        schema.limits = tuple(
            attrs.evolve(each, bound=merged[name]) for name, each in _LIMITS.items() if name in merged
        )
        schema.accepted = _accepted(schema)
        schema.plain = _plain(schema)
        if "array" in schema.types:
            schema.items = self._part(schema, merged.get("items", {}), place, in_array=True)
        if "object" in schema.types:
            schema.required = () if schema.any_shape else tuple(merged["required"])
            schema.models = self._models(parts, set(merged["properties"]), place)
            self._fill_object(schema, merged, schema.models[-1].__name__ if schema.models else place)

    def _fill_object(self, schema: Schema, merged: Raw, place: str) -> None:
        for name, raw in merged["properties"].items():
            schema.properties[name] = self._property(schema, raw, name, place)
        others = merged.get("additionalProperties", not schema.properties)
        if others is not False:
            schema.others = self._part(schema, {} if others is True else others, place)

    def _property(self, schema: Schema, raw: Raw, name: str, place: str) -> Schema:
        read_only = any(part.get("readOnly") for part in self._parts(raw))
        is_id = read_only and name == "id"  # without it, nobody can say whose record it is
        inner = self._part(schema, raw, place + name, any_shape=schema.any_shape or (read_only and not is_id))
        inner.read_only = read_only
        inner.plain -= {NoneType} if is_id else set()
        return inner

    def _part(self, schema: Schema, raw: Raw, place: str, **flags: bool) -> Schema:
        return self.load(raw, place, **{"in_array": schema.in_array, "any_shape": schema.any_shape} | flags)

    def _models(self, parts: list[Raw], fields: set[str], place: str) -> tuple[type, ...]:
        """Return the classes of what is referred to, or else the one that is named after the place."""
        names = {part["$ref"].rpartition("/")[2]: None for part in parts if "$ref" in part}
        found = [model for name in names for model in self._fields if model.__name__ == name]
        if place and not (found and self._fields[found[-1]] == fields):
            named = (m for m in self._fields if squash(m.__name__).startswith(squash(place)))
            found += sorted((m for m in named if self._fields[m] == fields), key=lambda m: len(m.__name__))[:1]
        return tuple(found)


def _merge(parts: Iterable[Raw]) -> dict[str, Any]:
    merged: dict[str, Any] = {"type": [], "properties": {}, "required": []}
    nullable = False
    for part in parts:
        if part.get("type") == "null":
            nullable = True
            continue
        kinds = part.get("type", merged["type"])
        properties = merged["properties"] | part.get("properties", {})
        merged |= {**part, "properties": properties, "required": [*merged["required"], *part.get("required", ())]}
        merged["type"] = [kinds] if isinstance(kinds, str) else kinds
    if nullable:
        merged["type"] = [*merged["type"], "null"]
        merged |= {"enum": [*merged["enum"], None]} if "enum" in merged else {}
    return merged


def _accepted(schema: Schema) -> frozenset[str]:
    if not schema.types:
        return schema.accepted
    return schema.types | {"integer"} if "number" in schema.types else schema.types


def _plain(schema: Schema) -> frozenset[type]:
    fits = set(JSON_TYPES.values()) if schema.any_shape else schema.accepted | {"null"}
    fits -= {"object", "array", "string"} if schema.format else {"object", "array"}
    return frozenset(python for python, name in JSON_TYPES.items() if name in fits)


def squash(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
