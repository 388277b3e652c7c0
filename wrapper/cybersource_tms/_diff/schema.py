"""A value as JSON, checked against the spec's schema in one walk, and JSON as models."""
# JSON is Any; what is in it stays unknown when it is found to be a dict or a list:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import attrs

from cybersource_tms_api.types import UNSET, Unset

from .spec import ANYTHING, FORMATS, MODELS, ONLY_THE_SERVICE, WORDS, Mismatch, Schema, unknown_field

_MOST_LEVELS = 100  # the service's customers have five
_MOST_VALUES = 100_000


def to_json(
    value: object,
    schema: Schema,
    *,
    sent: bool,
    complete: bool = False,
    limits: bool = True,
    before: Mapping[str, Any] | None = None,
    only: Collection[str] | None = None,
) -> Any:
    """Return a value as JSON, which shares nothing with it, or raise `Mismatch`; models and mappings may be mixed.

    What is sent has only fields that can be written, values of the spec and JSON. In what is received a null, a new
    enum value and an unknown field are welcome, and what only the service writes may be anything.

    Args:
        value: A model, a mapping with the API's names, or any other value.
        schema: What it has to be.
        sent: Whether it is to be sent, or was received.
        complete: Whether what is received has to have what is required; of what is sent, entries of lists have to.
        limits: Whether what is sent is held to the spec's limits.
        before: The customer's JSON, whose values are not held to the limits. None: nothing within a list is.
        only: The fields to copy of those that only the service writes. None: all of them.
    """
    walk = _Walk(sent, complete, limits, before, only, [])
    try:
        return walk.visit(value, schema)
    except Mismatch as mismatch:
        raise Mismatch(mismatch.problem, *walk.path, *mismatch.places) from None


def to_model(value: Any, schema: Schema, model: type | None) -> Any:
    """Return what a model holds for JSON: models, dates and UUIDs. What does not fit the schema stays as it is.

    The generated `from_dict` would demand what is required, which a patch need not have.
    """
    if type(value) is list:
        items = schema.items or ANYTHING
        return [to_model(each, items, items.model) for each in value]
    if type(value) is str and schema.format:
        with suppress(ValueError):
            return FORMATS[schema.format][1](value)
    if type(value) is not dict or model is None:
        return value
    attributes = MODELS[model]
    given: dict[str, Any] = {attributes[name]: UNSET for name in schema.required if name in attributes}
    others: dict[str, Any] = {}
    for name, each in value.items():
        inner = schema.properties.get(name) or schema.others or ANYTHING
        fields, key = (given, attributes[name]) if name in attributes else (others, name)
        fields[key] = to_model(each, inner, inner.model)
    built = model(**given)
    built.additional_properties.update(others)
    return built


@attrs.define
class _Walk:
    """The walk of `to_json`. It has so many steps and no more, so it ends even in a list that contains itself."""

    sent: bool
    complete: bool
    limits: bool
    before: Mapping[str, Any] | None
    only: Collection[str] | None
    path: list[str | int]
    left: int = _MOST_VALUES

    def visit(self, value: Any, schema: Schema) -> Any:
        if self.sent and schema.read_only:
            raise Mismatch(ONLY_THE_SERVICE)
        kind = type(value)
        if kind is schema.model:
            kind, value = dict, _given(value, MODELS[kind])
        elif kind not in WORDS:
            kind, value = _json_of(value, schema)
        copy, fits = value, kind in schema.types
        if fits and (kind is dict or kind is list):
            self.left -= len(value)
            if self.left < 0 or len(self.path) > _MOST_LEVELS:
                raise Mismatch(f"is nested more than {_MOST_LEVELS} deep, or holds more than {_MOST_VALUES} values")
            copy = self._object(value, schema) if kind is dict else self._array(value, schema)
        elif fits and kind is str and schema.format:
            copy = _one_form(value, schema.format)
            fits = copy is not None
        if not fits and schema.loose:
            return self.visit(value, ANYTHING)
        if not fits and (value is not None or not self._had(value)):
            raise Mismatch(f"expected {schema.expected}, not {WORDS[kind]}")
        if self.sent and kind is not dict and (problem := self._problem(copy, kind, schema)) and not self._had(copy):
            raise Mismatch(problem)
        return copy

    def _object(self, value: Mapping[Any, Any], schema: Schema) -> dict[str, Any]:
        fields, path, is_received = schema.properties, self.path, not self.sent
        copy: dict[str, Any] = {}
        for key, given in value.items():
            name = str.__str__(key) if isinstance(key, str) else key  # a member of an Enum could be shown by its name
            inner = fields.get(name) or self._other(name, schema)
            if is_received and type(given) in inner.plain:
                copy[name] = given
            elif not inner.read_only or self.only is None or name in self.only:
                path.append(name)
                copy[name] = self.visit(given, inner)
                path.pop()
        for name in schema.required if (self.complete if is_received else schema.in_list) else ():
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

    def _other(self, name: object, schema: Schema) -> Schema:
        """Return what a field that is none of the schema's may hold."""
        if type(name) is not str or (self.sent and schema.others is None):
            is_known = any(name in each for each in self._before() if type(each) is dict)
            raise Mismatch(ONLY_THE_SERVICE if is_known else unknown_field(name, schema), str(name))
        if self.sent:
            _check_text(name, name)
        return schema.others or ANYTHING

    def _problem(self, value: Any, kind: type, schema: Schema) -> str:
        """Return why a value cannot be sent, unless the customer has it already. What is not JSON is never sent."""
        if kind is not list and not (kind is str and value.isascii()):
            _check_text(value)
        if schema.format == "date-time" and kind is str and not re.search("[+-]", value[10:]):
            return "has no time zone"  # RFC 3339 section 5.6, which OpenAPI goes by
        if not self.limits or (self.before is None and (schema.in_list or kind is list)):
            return ""
        if schema.enum and not any(kind is type(each) and value == each for each in schema.enum):
            return f"expected {schema.expected}, not {WORDS[kind]}"
        for kinds, holds, problem, bound in schema.limits:
            if kind in kinds and not holds(value, bound):
                shown = str(bound).replace(r"\Z", "$")  # the end of a pattern, as the spec has it
                return problem.format(shown, len(value) if kind in {str, list} else "")
        return ""

    def _had(self, value: Any) -> bool:
        """Return whether the customer has a value, or a list of this length, in this place of any entry."""
        same = [each for each in self._before() if type(each) is type(value)]
        return len(value) in map(len, same) if type(value) is list else value in same

    def _before(self) -> list[Any]:
        """Return what the customer has in this place of any entry."""
        found: list[Any] = [] if self.before is None else [self.before]
        for step in self.path:
            if type(step) is int:
                found = [inner for each in found if type(each) is list for inner in each]
            else:
                found = [each[step] for each in found if type(each) is dict and step in each]
        return found


def _json_of(value: Any, schema: Schema) -> tuple[type, Any]:
    """Return the JSON type of what is no plain JSON, and what to go on with."""
    names = MODELS.get(type(value)) or next((MODELS[each] for each in type(value).__mro__ if each in MODELS), None)
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
    raise Mismatch(f"expected {schema.expected}, not a value of the type {type(value).__name__}")


def _given(model: Any, names: Mapping[str, str]) -> dict[str, Any]:
    """Return what a model has, by the names in the API."""
    given: dict[str, Any] = {}
    for name, attribute in names.items():
        value = getattr(model, attribute)
        if type(value) is not Unset:
            given[name] = value
    if others := model.additional_properties:
        for name in others.keys() & names.keys():
            raise Mismatch(f"set it as the attribute {names[name]}, not in brackets", name)
        given |= others
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


def _check_text(value: Any, *place: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise Mismatch("cannot be written as JSON", *place) from None
