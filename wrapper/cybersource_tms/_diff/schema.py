"""One walk over the spec's schema that checks a value and copies it as JSON."""
# JSON is Any; what is in it stays unknown when it is found to be a dict or a list:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sized
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from typing import Any

import attrs

from cybersource_tms_api.types import Unset

from .spec import ANYTHING, FORMATS, MODELS, ONLY_THE_SERVICE, WORDS, Mismatch, Schema, unknown_field

Known = AbstractSet[tuple[Schema, type, Any]]

_MOST_LEVELS = 100  # the service's customers have five
_MOST_VALUES = 100_000


def to_json(
    value: object,
    schema: Schema,
    *,
    sent: bool,
    complete: bool = False,
    limits: bool = True,
    known: Known | None = None,
    only: Collection[str] | None = None,
    at: tuple[str, ...] = (),
) -> Any:
    """Return a value as JSON, which shares nothing with it, or raise `Mismatch`; models and mappings may be mixed.

    Args:
        value: A model, a mapping with the API's names, or any other value.
        schema: What it has to be.
        sent: Whether it is to be sent: only fields that can be written, only values of the spec, only JSON. Otherwise
            a null, a new enum value and an unknown field are welcome, and what only the service writes is loose.
        complete: Whether what is received has to have what is required. An entry of a list that is sent always has to.
        limits: Whether what is sent is held to the spec's limits.
        known: The customer's `known_values`, which are not held to the limits. None if it is not known what is there;
            then nothing within a list is.
        only: The fields to copy of those that only the service writes. None: all of them.
        at: The names of the fields around it.
    """
    walk = _Walk(sent, complete, limits, known, only, [*at])
    try:
        return walk.visit(value, schema)
    except Mismatch as mismatch:
        raise Mismatch(mismatch.problem, *walk.path, *mismatch.places) from None


def known_values(value: Any, schema: Schema) -> Iterator[tuple[Schema, type, Any]]:
    """Yield each value in the JSON of a customer, and the length of each list, with its place."""
    if type(value) is dict:
        for name, inner in value.items():
            yield from known_values(inner, schema.properties.get(name) or schema.others or ANYTHING)
    elif type(value) is list:
        yield schema, list, len(value)
        for item in value:
            yield from known_values(item, schema.items or ANYTHING)
    else:
        yield schema, type(value), value


@attrs.define
class _Walk:
    """The walk of `to_json`. It has so many steps and no more, so it ends even in a list that contains itself."""

    sent: bool
    complete: bool
    limits: bool
    known: Known | None
    only: Collection[str] | None
    path: list[str | int]
    left: int = _MOST_VALUES

    def visit(self, value: Any, schema: Schema) -> Any:
        kind = type(value)
        if kind not in WORDS:
            kind, value = _json_of(value, schema)
        copy = _one_form(value, schema.format) if kind is str and schema.format else value
        if kind not in schema.types or (kind is str and copy is None):
            if schema.loose:
                return self.visit(value, ANYTHING)
            if value is None and self.known and (schema, kind, value) in self.known:
                return value
            raise Mismatch(f"expected {_expected(schema)}, not {WORDS[kind]}")
        if kind is dict or kind is list:
            self._count(value)
            copy = self._object(value, schema) if kind is dict else self._array(value, schema)
        if self.sent and kind is not dict:
            self._check(copy, kind, schema)
        return copy

    def _count(self, value: Sized) -> None:
        self.left -= len(value)
        if self.left < 0 or len(self.path) > _MOST_LEVELS:
            raise Mismatch(f"is nested more than {_MOST_LEVELS} deep, or holds more than {_MOST_VALUES} values")

    def _object(self, value: Mapping[Any, Any], schema: Schema) -> dict[str, Any]:
        copy: dict[str, Any] = {}
        for name, given in value.items():
            inner = schema.properties.get(name) or self._other(name, schema)
            if type(given) in inner.plain and not self.sent:
                copy[name] = given
            elif not inner.read_only or self._keeps(name):
                self.path.append(name)
                copy[name] = self.visit(given, inner)
                self.path.pop()
        for name in schema.required if (schema.in_list if self.sent else self.complete) else ():
            if name not in copy:
                raise Mismatch("is missing", name)
        return copy

    def _array(self, value: list[Any], schema: Schema) -> list[Any]:
        copy: list[Any] = []
        for index, item in enumerate(value):
            self.path.append(index)
            copy.append(self.visit(item, schema.items or ANYTHING))
            self.path.pop()
        return copy

    def _keeps(self, name: str) -> bool:
        if self.sent:
            raise Mismatch(ONLY_THE_SERVICE, name)
        return self.only is None or name in self.only

    def _other(self, name: object, schema: Schema) -> Schema:
        """Return what a field that is none of the schema's may hold."""
        if type(name) is not str or (self.sent and schema.others is None):
            raise Mismatch(unknown_field(name, schema), str(name))
        if self.sent:
            _check_text(name, name)
        return schema.others or ANYTHING

    def _check(self, value: Any, kind: type, schema: Schema) -> None:
        """Hold what is sent to the spec's values and limits, unless the customer has it already."""
        if kind is not list:
            _check_text(value)
        if self.known and (schema, kind, len(value) if kind is list else value) in self.known:
            return
        if schema.format == "date-time" and kind is str and not re.search("[+-]", value[10:]):
            raise Mismatch("has no time zone")  # RFC 3339 section 5.6, which OpenAPI goes by
        if not self.limits or (self.known is None and (schema.in_list or kind is list)):
            return
        if schema.enum and not any(kind is type(each) and value == each for each in schema.enum):
            raise Mismatch(f"expected {_expected(schema)}, not {WORDS[kind]}")
        for kinds, holds, problem, bound in schema.limits:
            if kind in kinds and not holds(value, bound):
                shown = str(bound).replace(r"\Z", "$")  # the end of a pattern, as the spec has it
                raise Mismatch(problem.format(shown, len(value) if kind in {str, list} else ""))


def _json_of(value: Any, schema: Schema) -> tuple[type, Any]:
    """Return the JSON type of what is no plain JSON, and what to go on with."""
    names = next((MODELS[each] for each in type(value).__mro__ if each in MODELS), None)
    if names is not None:
        if schema.model and not isinstance(value, schema.model):
            raise Mismatch(f"expected a {schema.model.__name__}, not a {type(value).__name__}")
        return dict, _given(value, names)
    if isinstance(value, Mapping):
        return dict, value
    if isinstance(value, list):
        return list, value
    is_time_for_date = schema.format == "date" and isinstance(value, datetime)
    if schema.format and isinstance(value, FORMATS[schema.format][0]) and not is_time_for_date:
        return str, value
    raise Mismatch(f"expected {_expected(schema)}, not a value of the type {type(value).__name__}")


def _given(model: Any, names: Mapping[str, str]) -> dict[str, Any]:
    """Return what a model has, by the names in the API."""
    others: dict[str, Any] = model.additional_properties
    for name in others:
        if name in names:
            raise Mismatch(f"set it as the attribute {names[name]}, not in brackets", name)
    return {name: value for name in names if type(value := getattr(model, names[name])) is not Unset} | others


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


def _check_text(value: Any, *place: str) -> None:
    if type(value) is str and value.isascii():
        return
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise Mismatch("cannot be written as JSON", *place) from None


def _expected(schema: Schema) -> str:
    if schema is ANYTHING:
        return "JSON"
    if schema.enum:
        return " or ".join(json.dumps(each) for each in sorted(schema.enum, key=lambda each: each is None))
    words = WORDS | {str: FORMATS[schema.format][2]} if schema.format else WORDS
    types = schema.types - {int} if float in schema.types else schema.types
    return " or ".join(words[each] for each in words if each in types)
