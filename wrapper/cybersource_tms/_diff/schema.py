"""One walk over the spec's schema that checks a value and copies it as JSON."""
# JSON is Any; what is in it stays unknown when it is found to be a dict or a list:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

import json
import re
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from typing import Any

import attrs

from cybersource_tms._diff.spec import (
    ANYTHING,
    FORMATS,
    JSON_TYPES,
    MODELS,
    ONLY_THE_SERVICE,
    Mismatch,
    Schema,
    unknown_field,
)
from cybersource_tms_api.types import Unset

Known = AbstractSet[tuple[Schema, str, Any]]

_MOST_LEVELS = 100  # the service's customers have five
_MOST_VALUES = 100_000
_TOO_MUCH = f"is nested more than {_MOST_LEVELS} deep, or holds more than {_MOST_VALUES} values"

_WORDS = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def to_json(
    value: object,
    schema: Schema,
    *,
    sent: bool,
    complete: bool = False,
    limits: bool = True,
    known: Known | None = None,
    only: Collection[str] | None = None,
) -> Any:
    """Return a value as JSON, which shares nothing with it. Models and mappings may be in one another.

    Args:
        value: A model, a mapping with the API's names, or any other value.
        schema: What it has to be.
        sent: Whether it is to be sent: only fields that can be written, only values of the spec, only JSON. Otherwise
            a null, a new enum value and an unknown field are welcome, and what only the service writes may have any
            shape.
        complete: Whether what is required has to be there, as in a response. In a list that is sent it always has to.
        limits: Whether what is sent is held to the spec's limits.
        known: The customer's `known_values`, which are not held to the limits. None if it is not known what is there;
            then nothing within a list is.
        only: The fields to copy of those that only the service writes. None: all of them.

    Raises:
        Mismatch: It does not fit.
    """
    return _Walk(sent, complete, limits, known, only).visit(value, schema)


def known_values(value: Any, schema: Schema) -> Iterator[tuple[Schema, str, Any]]:
    """Yield each value in the JSON of a customer, and the length of each list, with its place."""
    if type(value) is dict:
        for name, inner in value.items():
            yield from known_values(inner, schema.properties.get(name) or schema.others or ANYTHING)
    elif type(value) is list:
        yield schema, "array", len(value)
        for item in value:
            yield from known_values(item, schema.items or ANYTHING)
    else:
        yield schema, JSON_TYPES[type(value)], value


@attrs.define
class _Walk:
    """The walk of `to_json`. It has so many steps and no more, so it ends even in a list that contains itself."""

    sent: bool
    complete: bool
    limits: bool
    known: Known | None
    only: Collection[str] | None
    in_service: bool = False
    in_lists: int = 0
    levels: int = _MOST_LEVELS
    values: int = _MOST_VALUES

    def visit(self, value: Any, schema: Schema) -> Any:
        kind = JSON_TYPES.get(type(value))
        if type(value) is schema.model:
            kind, value = "object", _given(value, MODELS[type(value)])
        elif kind is None:
            kind, value = self._json_of(value, schema)
        if kind not in schema.types:
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
        if self.sent:
            self._check(value, kind, schema)
        return value

    def _object(self, value: Mapping[Any, Any], schema: Schema) -> dict[str, Any]:
        self.levels -= 1
        self.values -= len(value)
        if self.levels < 0 or self.values < 0:
            raise Mismatch(_TOO_MUCH)
        fields, received = schema.properties, not self.sent
        copy: dict[str, Any] = {}
        name = None
        try:
            for name, given in value.items():
                inner = fields.get(name) or self._other(name, schema)
                if inner.read_only:
                    if self.only is None or name in self.only:
                        copy[name] = self._read_only(name, given, inner)
                elif received and type(given) in inner.plain:
                    copy[name] = given
                else:
                    copy[name] = self.visit(given, inner)
        except Mismatch as mismatch:
            raise mismatch.inside(str(name)) from None
        if schema.required and (self.in_lists if self.sent else self.complete and not self.in_service):
            _check_required(copy, schema)
        self.levels += 1
        return copy

    def _array(self, value: list[Any], schema: Schema) -> list[Any]:
        self.levels -= 1
        self.values -= len(value)
        if self.levels < 0 or self.values < 0:
            raise Mismatch(_TOO_MUCH)
        self.in_lists += 1
        copy: list[Any] = []
        try:
            for item in value:
                copy.append(self.visit(item, schema.items or ANYTHING))  # noqa: PERF401 - it says where a mismatch is
        except Mismatch as mismatch:
            raise mismatch.inside(len(copy)) from None
        if self.sent:
            self._check(copy, "array", schema)
        self.in_lists -= 1
        self.levels += 1
        return copy

    def _other(self, name: object, schema: Schema) -> Schema:
        """Return what a field that is none of the schema's may hold."""
        if type(name) is not str or (self.sent and schema.others is None):
            raise Mismatch(unknown_field(name, schema))
        if self.sent:
            _check_text(name)
        return schema.others or ANYTHING

    def _read_only(self, name: str, value: Any, schema: Schema) -> Any:
        if self.sent:
            raise Mismatch(ONLY_THE_SERVICE)
        if name == "id":  # without it, nobody can say whose record it is
            return self.visit(value, schema)
        outer, self.in_service = self.in_service, True
        copy = self.visit(value, schema)
        self.in_service = outer
        return copy

    def _misfit(self, value: Any, kind: str, schema: Schema) -> Any:
        if self.in_service:
            return self.visit(value, ANYTHING)
        if kind == "null" and self.known and (schema, kind, value) in self.known:
            return value
        raise Mismatch(f"expected {_expected(schema)}, not {_WORDS[kind]}")

    def _check(self, value: Any, kind: str, schema: Schema) -> None:
        """Hold what is sent to the spec's values and limits, unless the customer has it already."""
        if kind != "array" and not (type(value) is str and value.isascii()):
            _check_text(value)
        if self.known and (schema, kind, len(value) if kind == "array" else value) in self.known:
            return
        if schema.format == "date-time" and kind == "string" and not re.search("[+-]", value[10:]):
            raise Mismatch("has no time zone")  # RFC 3339 section 5.6, which OpenAPI goes by
        if not self.limits or (self.in_lists and self.known is None):
            return
        if schema.enum and not any(type(value) is type(each) and value == each for each in schema.enum):
            raise Mismatch(f"expected {_expected(schema)}, not {_WORDS[kind]}")
        for types, holds, bound, problem in schema.limits:
            if kind in types and not holds(value, bound):
                raise Mismatch(problem.format(bound, len(value) if isinstance(value, str | list) else ""))

    def _json_of(self, value: Any, schema: Schema) -> tuple[str, Any]:
        """Return the JSON type of what is no plain JSON, and what to go on with."""
        fields = MODELS.get(type(value)) or next((MODELS[each] for each in type(value).__mro__ if each in MODELS), None)
        if fields is not None:
            if schema.model and not isinstance(value, schema.model):
                raise Mismatch(f"expected a {schema.model.__name__}, not a {type(value).__name__}")
            return "object", _given(value, fields)
        if isinstance(value, Mapping):
            return "object", value
        if isinstance(value, list):
            return "array", value
        is_time_for_date = schema.format == "date" and isinstance(value, datetime)
        if schema.format and isinstance(value, FORMATS[schema.format][0]) and not is_time_for_date:
            return "string", value
        raise Mismatch(f"expected {_expected(schema)}, not a value of the type {type(value).__name__}")


def _given(model: Any, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return what a model has, by the names in the API."""
    given: dict[str, Any] = {}
    for name, attribute in fields.items():
        value = getattr(model, attribute)
        if type(value) is not Unset:
            given[name] = value
    if extras := model.additional_properties:
        for name in fields.keys() & extras.keys():
            raise Mismatch(f"set it as the attribute {fields[name]}, not in brackets", name)
        given |= extras
    return given


def _one_form(value: Any, form: str) -> str | None:
    """Return the one text for a date, a date and time (in UTC) or a UUID; None if it is none."""
    try:
        value = FORMATS[form][1](value) if isinstance(value, str) else value
        if isinstance(value, datetime) and value.tzinfo:
            value = value.astimezone(UTC)
    except ValueError:
        return None
    except OverflowError:
        pass  # it is within the first or the last hours that there are
    return value.isoformat() if isinstance(value, date) else str(value)


def _check_required(copy: Mapping[str, Any], schema: Schema) -> None:
    for name in schema.required:
        if name not in copy:
            raise Mismatch("is missing", name)


def _check_text(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise Mismatch("cannot be written as JSON") from None


def _expected(schema: Schema) -> str:
    if schema is ANYTHING:
        return "JSON"
    if schema.enum:
        return " or ".join(json.dumps(each) for each in sorted(schema.enum, key=lambda each: each is None))
    words = _WORDS | {"string": FORMATS[schema.format][2]} if schema.format else _WORDS
    types = schema.types - {"integer"} if "number" in schema.types else schema.types
    return " or ".join(words[name] for name in words if name in types)
