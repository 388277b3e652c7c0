"""The fields of the generated models: their names on the wire, and what each may hold.

All of it is read from the generated classes, so it holds for every field that the spec will ever have.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeGuard, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import attrs

from cybersource_tms_api import models
from cybersource_tms_api.types import UNSET, Unset

_SCALARS = {str, bool, int, float, NoneType}
# What a model holds as an object and JSON as text. Each function raises ValueError for text that is not of its form.
FORMATS: dict[type, Callable[[str], Any]] = {
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    UUID: UUID,
}


@attrs.frozen
class Kind:
    """What an annotation admits: all the members of a union together."""

    scalars: tuple[type, ...] = ()
    choices: tuple[object, ...] = ()
    format: type | None = None
    model: type | None = None
    items: "Kind | None" = None
    anything: bool = False


ANYTHING = Kind(anything=True)


@attrs.frozen
class Field:
    """One attribute of a generated model."""

    attribute: str
    kind: Kind
    required: bool


@cache
def fields_of(model: type) -> Mapping[str, Field]:
    """Return the fields of a generated model by their names on the wire.

    Raises:
        TypeError: The type of a field is not supported. `scripts/regenerate` refuses such a spec.
    """
    hints = _annotations(model)
    fields = {field.name: field for field in attrs.fields(model) if field.init}
    return {
        name: Field(
            attribute,
            _kind(hints[attribute], f"{model.__name__}.{name}"),
            required=fields[attribute].default is attrs.NOTHING,
        )
        for name, attribute in _wire_names(model, fields).items()
    }


@cache
def values_of(model: type) -> Kind | None:
    """Return what the entries of a map hold; None for a model that is not a map."""
    annotation = _annotations(model).get("additional_properties")
    kind = _kind(get_args(annotation)[1], f"{model.__name__}[...]") if annotation else None
    # A group has these too, for what the spec does not know.
    return None if kind == ANYTHING and fields_of(model) else kind


@cache
def kinds_of(model: type | None) -> tuple[Mapping[str, Kind], Kind | None]:
    """Return the kinds of a model's fields, and the kind of whatever else it may hold: of a map's entries.

    Without a model, they are those of an object that the spec does not describe.
    """
    if model is None:
        return {}, ANYTHING
    return {name: field.kind for name, field in fields_of(model).items()}, values_of(model)


@cache
def read_only(model: type) -> frozenset[str]:
    """Return the fields that only the service writes: `Customer` has them, and `CustomerUpdate` does not."""
    name = model.__name__.removesuffix("Update")
    record, update = (fields_of(getattr(models, each, model)) for each in (name, f"{name}Update"))
    return frozenset(record.keys() - update.keys())


def build_model(model: type, wire: Mapping[str, Any]) -> Any:
    """Return an instance of a generated model for a wire form that was checked. The two share nothing."""
    fields = fields_of(model)
    others: dict[str, Any] = {}
    attributes = _required_unset(model).copy()
    for name, value in wire.items():
        if field := fields.get(name):
            attributes[field.attribute] = copy_json(value, field.kind)
        else:
            others[name] = copy_json(value, values_of(model))
    built = model(**attributes)
    if others:
        built.additional_properties.update(others)
    return built


def copy_json(value: Any, kind: Kind | None = None) -> Any:
    """Return a copy of a wire form: with models, dates and UUIDs where `kind` says so, otherwise of dicts and lists."""
    if type(value) is str:
        form = kind.format if kind and str not in kind.scalars and value not in kind.choices else None
        return FORMATS[form](value) if form else value
    if is_json_object(value):
        if kind and kind.model:
            return build_model(kind.model, value)
        return {name: copy_json(inner) for name, inner in value.items()}
    return [copy_json(item, kind and kind.items) for item in value] if is_json_array(value) else value


def is_json_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Say whether JSON would call it an object."""
    return type(value) is dict or isinstance(value, Mapping)


def is_json_array(value: object) -> TypeGuard[list[Any]]:
    """Say whether JSON would call it an array."""
    return isinstance(value, list)


@cache
def _required_unset(model: type) -> dict[str, Any]:
    """Return UNSET for each attribute that the class requires: a patch can have part of a group."""
    return {field.attribute: UNSET for field in fields_of(model).values() if field.required}


def _annotations(model: type) -> dict[str, Any]:
    return get_type_hints(model, localns=vars(models))


def _kind(annotation: Any, place: str) -> Kind:
    kind = Kind()
    for member in get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,):
        if member is Any:
            kind = attrs.evolve(kind, anything=True)
        elif hasattr(member, "to_dict") and not kind.model:  # and not `File`, which has other methods
            kind = attrs.evolve(kind, model=member)
        elif member in FORMATS and not kind.format:
            kind = attrs.evolve(kind, format=member)
        elif get_origin(member) is list and not kind.items:
            kind = attrs.evolve(kind, items=_kind(get_args(member)[0], place))
        elif get_origin(member) is Literal:
            kind = attrs.evolve(kind, choices=(*dict.fromkeys((*kind.choices, *get_args(member))),))
        elif member in _SCALARS:
            also = (int,) if member is float else ()  # JSON has one kind of number
            kind = attrs.evolve(kind, scalars=(*kind.scalars, member, *also))
        elif member is not Unset:
            raise TypeError(f"{place}: a field of the type {annotation} is not supported")
    return kind


class _Probe(str):
    """The name of an attribute, which passes through a generated `to_dict()`."""

    __slots__ = ()

    def to_dict(self) -> "_Probe":
        return self

    def isoformat(self) -> "_Probe":
        return self

    def __str__(self) -> "_Probe":
        return self

    def __iter__(self) -> Iterator["_Probe"]:
        yield self


def _wire_names(model: type, attributes: Iterable[str]) -> dict[str, str]:
    came_out: dict[str, Any] = model(**{attribute: _Probe(attribute) for attribute in attributes}).to_dict()
    return {name: _probe_in(value) for name, value in came_out.items()}


def _probe_in(value: Any) -> str:
    return value if isinstance(value, _Probe) else _probe_in(value[0])
