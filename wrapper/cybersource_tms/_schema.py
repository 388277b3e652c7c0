"""The one structural check, for what a caller gives and for what the service answers.

The generated models take any value for any type, and their `from_dict` lets a wrong shape through or raises something
of its own. What is right is read from their annotations, so it holds for every field that the spec will ever have.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeGuard, Union, get_args, get_origin, get_type_hints

import attrs

from cybersource_tms_api import models
from cybersource_tms_api.types import UNSET, Unset

_JSON_NAMES: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    NoneType: "null",
    dict: "an object",
    list: "a list",
}


Wire = Mapping[str, Any]
Check = Callable[[Any], Any]


class Mismatch(Exception):
    """A value does not fit. `path` names the field as on the wire; neither it nor `problem` holds a value."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem, path)
        self.problem = problem
        self.path = path

    def inside(self, place: str | int) -> "Mismatch":
        """Return the same, seen from outside `place`: a field's name or an index."""
        outer = place if isinstance(place, str) else f"[{place}]"
        joint = "." if self.path and not self.path.startswith("[") else ""
        return Mismatch(self.problem, f"{outer}{joint}{self.path}")

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


class Use(Enum):
    """What a value is for, which says what is right beside the types."""

    INPUT = "from a caller, to be compared: part of a customer will do, and unknown fields may be the service's"
    PATCH = "to be sent: only fields of the spec, only values of JSON"
    RESPONSE = "from the service: what is required is there, and unknown fields are welcome"


def check(value: object, model: type, use: Use) -> Wire:
    """Check an instance of a generated model, or a mapping in wire form that stands for one, with all that is in it.

    Returns:
        The wire form, to be read only: made of the instance, or the mapping itself. The generated `to_dict` would make
        the same, but takes several times as long.

    Raises:
        Mismatch: Something does not fit.
    """
    wire: Wire = (instance_check if isinstance(value, model) else mapping_check)(model, use)(value)
    return wire


@cache
def mapping_check(model: type, use: Use) -> Check:
    """Return the check of mappings in wire form that stand for a model."""
    fields = {
        name: (field.kind.needs_no_look(use), field.kind.check(use, mapping_check))
        for name, field in fields_of(model).items()
    }
    required = [name for name, field in fields_of(model).items() if field.required and use is Use.RESPONSE]

    def check_mapping(value: Any) -> Any:
        if not is_json_object(value):
            raise Mismatch(f"expected a {model.__name__} or a mapping, not {_json_name(value)}")
        for name, given in value.items():
            known = fields.get(name)
            if known is None:
                if use is Use.PATCH or type(name) is not str:
                    raise unknown(str(name), fields)
            elif type(given) not in known[0]:
                inside(name, known[1], given)
        for name in required:
            if name not in value:
                raise Mismatch("is missing", name)
        return value

    return check_mapping


@cache
def instance_check(model: type, use: Use) -> Check:
    """Return the check of a model's instances, in which there are instances of models too, and not mappings."""
    fields = [
        (name, field.attribute, field.kind.needs_no_look(use), field.kind.check(use, instance_check))
        for name, field in fields_of(model).items()
    ]

    def check_instance(value: Any) -> Any:
        extras = getattr(value, "additional_properties", None)
        wire: dict[str, Any] = {**mapping_check(model, use)(extras)} if extras else {}
        for name, attribute, needs_no_look, look in fields:
            given = getattr(value, attribute)
            if type(given) in needs_no_look:
                wire[name] = given
            elif given is not UNSET:
                wire[name] = inside(name, look, given)
        return wire

    return check_instance


def inside(place: str | int, look: Check, value: object) -> Any:
    """Check what stands in a field or at an index, and say where a mismatch is."""
    try:
        return look(value)
    except Mismatch as mismatch:
        raise mismatch.inside(place) from None


def build_model(model: type, wire: Wire) -> Any:
    """Return an instance of a generated model for a wire form that was checked, and share nothing with it."""
    shape = fields_of(model)
    return model(**{shape[name].attribute: copy_json(value, shape[name].kind) for name, value in wire.items()})


def copy_json(value: Any, kind: "Kind | None" = None) -> Any:
    """Return a copy of a wire form: with models in it where `kind` says so, otherwise of plain dicts and lists."""
    if is_json_object(value):
        if kind and kind.model:
            return build_model(kind.model, value)
        return {name: copy_json(inner) for name, inner in value.items()}
    return [copy_json(item, kind and kind.items) for item in value] if is_json_array(value) else value


def is_json_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Say whether JSON would call it an object."""
    return type(value) is dict or isinstance(value, Mapping)


def is_deeper_than(levels: int, content: bytes, value: object) -> bool:
    """Say whether a JSON text, which was parsed to `value`, is nested deeper; without recursion."""
    if content.count(b"{") + content.count(b"[") <= levels:
        return False
    level = [value]
    while level and levels >= 0:
        levels -= 1
        level = [inner for each in level for inner in _members(each)]
    return bool(level)


def _members(value: object) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def is_json_array(value: object) -> TypeGuard[list[Any]]:
    """Say whether JSON would call it an array."""
    return isinstance(value, list)


def unknown(key: str, shape: Iterable[str]) -> Mismatch:
    """Return what to raise for a field that the spec does not have, with the nearest that it has."""
    nearest = get_close_matches(key.lower(), names := {known.lower(): known for known in shape}, n=1)
    printable = key if key.isprintable() else key.encode("unicode_escape").decode()
    return Mismatch("no such field" + "".join(f", did you mean {names[name]}?" for name in nearest), printable)


@attrs.frozen
class Kind:
    """What an annotation admits: all the members of a union together."""

    scalars: tuple[type, ...] = ()
    choices: tuple[object, ...] = ()
    model: type | None = None
    items: "Kind | None" = None
    anything: bool = False

    def needs_no_look(self, use: Use) -> tuple[type, ...]:
        """Return the types of most values, for a short cut."""
        return () if use is Use.PATCH else self.scalars

    def check(self, use: Use, nested: Callable[[type, Use], Check]) -> Check:
        """Return the check of values of this kind; `nested` makes the one of the models in it."""
        items = self.items and self.items.check(use, nested)
        typed = nested is instance_check

        def check_value(value: Any) -> Any:
            if type(value) in self.scalars or self.anything:
                return _json_only(value) if use is Use.PATCH else value
            if self.model and (isinstance(value, self.model) if typed else is_json_object(value)):
                return nested(self.model, use)(value)
            if items and is_json_array(value):
                return [inside(index, items, item) for index, item in enumerate(value)]
            if any(value == choice and type(value) is type(choice) for choice in self.choices):
                return value
            raise Mismatch(f"expected {self._names(typed=typed)}, not {_json_name(value)}")

        return check_value

    def _names(self, *, typed: bool) -> str:
        names = [_JSON_NAMES[scalar] for scalar in self.scalars if scalar is not int or float not in self.scalars]
        names += [f'"{choice}"' for choice in self.choices]
        names += ["a list"] if self.items else []
        names += [f"a {self.model.__name__}" if typed else "an object"] if self.model else []
        return " or ".join(sorted(names, key="null".__eq__))


@attrs.frozen
class Field:
    """One attribute of a generated model."""

    attribute: str
    kind: Kind
    required: bool


@cache
def fields_of(model: type) -> Mapping[str, Field]:
    """Return the fields of a generated model by their names on the wire."""
    hints = get_type_hints(model, localns=vars(models))
    kinds = {field: _kind(hints[field.name]) for field in attrs.fields(model) if field.init}
    return {
        name: Field(field.name, kinds[field], field.default is attrs.NOTHING)
        for name, field in _wire_names(model, kinds).items()
    }


def _kind(annotation: Any) -> Kind:
    union = get_origin(annotation) in {Union, UnionType}
    kind = Kind()
    for member in get_args(annotation) if union else (annotation,):
        if member is Any:
            kind = attrs.evolve(kind, anything=True)
        elif attrs.has(member) and not kind.model:
            kind = attrs.evolve(kind, model=member)
        elif get_origin(member) is list and not kind.items:
            kind = attrs.evolve(kind, items=_kind(get_args(member)[0]))
        elif get_origin(member) is Literal:
            kind = attrs.evolve(kind, choices=(*kind.choices, *get_args(member)))
        elif member in _JSON_NAMES:
            also = (int,) if member is float else ()  # JSON has one kind of number
            kind = attrs.evolve(kind, scalars=(*kind.scalars, member, *also))
        elif member is not Unset:
            raise TypeError(f"spec/ now has fields of the type {annotation}, which _schema.py does not know yet")
    return kind


class _Probe:
    """Passes through a generated `to_dict()` and tells afterwards which attribute it was."""

    def __init__(self, field: "attrs.Attribute[Any]") -> None:
        self.field = field

    def to_dict(self) -> "_Probe":
        return self

    def __iter__(self) -> Iterator["_Probe"]:
        yield self


def _wire_names(model: type, fields: Iterable["attrs.Attribute[Any]"]) -> dict[str, "attrs.Attribute[Any]"]:
    came_out: dict[str, Any] = model(**{str(field.alias): _Probe(field) for field in fields}).to_dict()
    return {name: _probe_in(value).field for name, value in came_out.items()}


def _probe_in(value: Any) -> _Probe:
    return value if isinstance(value, _Probe) else _probe_in(value[0])


def _json_name(value: object) -> str:
    return _JSON_NAMES.get(type(value), f"a value of the type {type(value).__name__}")


def _json_only(value: object) -> object:
    if value is None or (type(value) is str and value.isascii()):
        return value
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise Mismatch("cannot be written as JSON") from None
    return value
