"""The one structural check, for what a caller gives and for what the service sends.

The generated models take any value for any type, and their `from_dict` lets a wrong shape through or raises something
of its own.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any
from uuid import UUID

from cybersource_tms._diff.fields import (
    ANYTHING,
    FORMATS,
    Kind,
    fields_of,
    is_json_array,
    is_json_object,
    read_only,
    values_of,
)
from cybersource_tms_api.types import UNSET

Wire = Mapping[str, Any]
Check = Callable[[Any], Any]
Nested = Callable[[type, "Use"], Check]

_JSON_NAMES: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    NoneType: "null",
    dict: "an object",
    list: "a list",
}
_FORMAT_NAMES: dict[type, str] = {
    date: "a date such as 2026-11-30",
    datetime: "a date and time such as 2026-11-30T12:00:00+00:00",
    UUID: "a UUID",
}
ONLY_THE_SERVICE = "only the service writes this"


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
    PATCH = "to be sent: only fields of the spec, only values of the spec, only JSON"
    ENTRY = "in an array that is to be sent: as PATCH, and what is required is there"
    RESPONSE = "from the service: what is required is there; null, a new choice and an unknown field are welcome"
    READ_ONLY = "what only the service writes: any shape will do"

    __hash__ = object.__hash__  # the checks are cached by it, and Enum's own is slow


_SENT = {Use.PATCH, Use.ENTRY}
_COMPLETE = {Use.ENTRY, Use.RESPONSE}


def check(value: object, model: type, use: Use) -> Wire:
    """Check an instance of a generated model, or a mapping in wire form that stands for one, with all that is in it.

    Returns:
        The wire form, to be read only: it can share parts with the value, or be the value. The generated `to_dict`
        would make the same of an instance, but takes several times as long.

    Raises:
        Mismatch: Something does not fit.
    """
    wire: Wire = (instance_check if isinstance(value, model) else mapping_check)(model, use)(value)
    return wire


@cache
def mapping_check(model: type, use: Use) -> Check:
    """Return the check of mappings in wire form that stand for a model."""
    fields = _field_checks(model, use, mapping_check)
    required = _required(model, use)
    check_other = _other_check(model, use, mapping_check)

    def check_mapping(value: Any) -> Any:
        if not is_json_object(value):
            raise Mismatch(f"expected a {model.__name__} or a mapping, not {_json_name(value)}")
        wire = value
        for name, given in value.items():
            known = fields.get(name)
            if known is None or type(given) not in known[0]:
                form = inside(name, known[1], given) if known else check_other(name, given)
                wire = wire if form is given else {**wire, name: form}
        for name in required:
            if name not in value:
                raise Mismatch("is missing", name)
        return wire

    return check_mapping


@cache
def instance_check(model: type, use: Use) -> Check:
    """Return the check of a model's instances, in which there are instances of models too, and not mappings."""
    checks = _field_checks(model, use, instance_check)
    fields = [(name, field.attribute, *checks[name]) for name, field in fields_of(model).items()]
    required = _required(model, use)
    check_other = _other_check(model, use, instance_check)

    def check_instance(value: Any) -> Any:
        wire: dict[str, Any] = {}
        if extras := getattr(value, "additional_properties", None):
            _refuse_fields(extras, model)
            wire = {name: check_other(name, given) for name, given in extras.items()}
        name = ""
        try:
            for name, attribute, welcome, check_field in fields:
                given = getattr(value, attribute)
                if type(given) in welcome:
                    wire[name] = given
                elif given is not UNSET:
                    wire[name] = check_field(given)
        except Mismatch as mismatch:
            raise mismatch.inside(name) from None
        for name in required:
            if name not in wire:
                raise Mismatch("is missing", name)
        return wire

    return check_instance


def inside(place: str | int, look: Check, value: object) -> Any:
    """Check what stands in a field or at an index, and say where a mismatch is."""
    try:
        return look(value)
    except Mismatch as mismatch:
        raise mismatch.inside(place) from None


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
    if is_json_object(value):
        return value.values()
    return value if is_json_array(value) else ()


def no_such_field(key: str, model: type) -> Mismatch:
    """Return what to raise for a field that cannot be written, with the nearest that the spec has."""
    if key in read_only(model):
        return Mismatch(ONLY_THE_SERVICE, key)
    names = {known.lower(): known for known in (*fields_of(model), *read_only(model))}
    nearest = get_close_matches(key.lower(), names, n=1)
    printable = key if key.isprintable() else key.encode("unicode_escape").decode()
    return Mismatch("no such field" + "".join(f", did you mean {names[name]}?" for name in nearest), printable)


def _field_checks(model: type, use: Use, nested: Nested) -> dict[str, tuple[set[type], Check]]:
    """Return for each field the types of values that need no check, for a short cut, and the check of the others."""
    checks: dict[str, tuple[set[type], Check]] = {}
    for name, field in fields_of(model).items():
        its_use = _use_of(name, model, use)
        null: set[type] = set() if its_use in _SENT else {NoneType}
        checks[name] = (_welcome(field.kind, its_use) | null, _value_check(field.kind, its_use, nested))
    return checks


def _use_of(name: str, model: type, use: Use) -> Use:
    if use in _SENT or name not in read_only(model):
        return use
    # Without its id, nobody can say whose record it is. What else only the service writes may have any shape.
    return Use.PATCH if name == "id" else Use.READ_ONLY


def _required(model: type, use: Use) -> list[str]:
    return [name for name, field in fields_of(model).items() if field.required and use in _COMPLETE]


def _other_check(model: type, use: Use, nested: Nested) -> Callable[[Any, Any], Any]:
    """Return the check of what is not one of a model's fields: an entry of a map, or a field that the spec lacks."""
    kind = values_of(model)
    check_entry = _value_check(kind or ANYTHING, use, nested)

    def check_other(name: Any, value: Any) -> Any:
        if type(name) is not str or (kind is None and use in _SENT):
            raise no_such_field(str(name), model)
        return inside(name, check_entry, value)

    return check_other


def _refuse_fields(extras: Mapping[str, Any], model: type) -> None:
    """Refuse `customer["buyerInformation"] = ...`: the customer would then have two values for it."""
    for name, field in fields_of(model).items():
        if name in extras:
            raise Mismatch(f"set it as the attribute {field.attribute}, not in brackets", name)


def _welcome(kind: Kind, use: Use) -> set[type]:
    """Return the types of which any value will do. Of what is sent, each value is looked at."""
    return set() if use in _SENT else {*kind.scalars, *map(type, kind.choices)}


def _value_check(kind: Kind, use: Use, nested: Nested) -> Check:
    """Return the check of values of a kind; `nested` makes the one of the models in it."""
    check_items = kind.items and _items_check(kind.items, use, nested)
    typed, sent = nested is instance_check, use in _SENT
    welcome, model = _welcome(kind, use), kind.model

    def check_value(value: Any) -> Any:
        if model and (isinstance(value, model) if typed else is_json_object(value)):
            return nested(model, use)(value)
        if check_items and is_json_array(value):
            return check_items(value)
        if type(value) in welcome:
            return value
        if type(value) in kind.scalars or kind.anything:
            return _json_only(value) if sent else value
        if any(value == choice and type(value) is type(choice) for choice in kind.choices):
            return value
        if (text := kind.format and _text_of(value, kind.format, use, typed=typed)) or use is Use.READ_ONLY:
            return text or value
        raise Mismatch(f"expected {_names(kind, typed=typed)}, not {_json_name(value)}")

    return check_value


def _items_check(kind: Kind, use: Use, nested: Nested) -> Check:
    check_item = _value_check(kind, Use.ENTRY if use is Use.PATCH else use, nested)

    def check_items(value: list[Any]) -> list[Any]:
        checked: list[Any] = []
        try:
            for item in value:
                checked.append(check_item(item))  # noqa: PERF401 - how many there are says where a mismatch is
        except Mismatch as mismatch:
            raise mismatch.inside(len(checked)) from None
        return checked

    return check_items


def _text_of(value: Any, form: type, use: Use, *, typed: bool) -> str | None:
    """Return a date, time or UUID as it is on the wire, which is how a mapping has it; None if it is none."""
    if not typed:
        try:
            value = FORMATS[form](value)
        except (TypeError, ValueError, AttributeError):
            return None
    if not isinstance(value, form) or (form is date and isinstance(value, datetime)):
        return None
    if use in _SENT and isinstance(value, datetime) and value.tzinfo is None:
        raise Mismatch("has no time zone")  # RFC 3339 section 5.6, which OpenAPI goes by
    return value.isoformat() if isinstance(value, date) else str(value)


def _names(kind: Kind, *, typed: bool) -> str:
    names = [_JSON_NAMES[scalar] for scalar in kind.scalars if scalar is not int or float not in kind.scalars]
    names += [json.dumps(choice) for choice in kind.choices]
    names += [f"a {kind.format.__name__}" if typed else _FORMAT_NAMES[kind.format]] if kind.format else []
    names += ["a list"] if kind.items else []
    names += [f"a {kind.model.__name__}" if typed else "an object"] if kind.model else []
    return " or ".join(sorted(names, key="null".__eq__))


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
