"""What to send so that a customer becomes what is wanted: the changed-field rules."""

from collections.abc import Mapping
from typing import Any

from cybersource_tms_api.models import Customer, CustomerUpdate

from ._schema import Field, Mismatch, Use, Wire, build_model, check, fields_of, is_json_array, is_json_object, unknown
from ._tracebacks import raise_without_frames
from .errors import InvalidRequest

CustomerLike = Customer | CustomerUpdate | Mapping[str, Any]


@raise_without_frames
def changed_fields(before: CustomerLike, after: CustomerLike) -> CustomerUpdate | None:
    """Return the smallest update that does to `before` what sending the whole of `after` would do.

    The result is a JSON Merge Patch (RFC 7396). A field that `after` does not have is left alone; `None` removes it.
    Objects are compared field by field, arrays as a whole and in order, values as JSON, so that `True` is not `1`.

    Args:
        before: The customer as it is: a `Customer`, a `CustomerUpdate`, or a mapping with the names of the wire.
        after: The customer as it shall be, whole or in part, in one of the same forms.

    Returns:
        An update that shares nothing with the arguments, or `None` where there is no difference.

    Raises:
        InvalidRequest: A value of a wrong type, a field that does not exist, or a difference in what only the service
            writes, such as `id`. The message has the field's path.
    """
    old, new = _read("before", before), _read("after", after)
    try:
        patch = _difference(old, new, fields_of(CustomerUpdate), fields_of(Customer))
        check(patch, CustomerUpdate, Use.PATCH)
    except (Mismatch, RecursionError) as error:
        raise InvalidRequest(f"after: {error}") from error
    update: CustomerUpdate | None = build_model(CustomerUpdate, patch) if patch else None
    return update


def field_paths(patch: Wire, prefix: str = "") -> list[str]:
    """Return the paths of the fields that a patch writes or removes."""
    paths: list[str] = []
    for key, value in patch.items():
        paths += field_paths(value, f"{prefix}{key}.") if is_json_object(value) else [prefix + key]
    return paths


def _read(name: str, customer: CustomerLike) -> Wire:
    model = CustomerUpdate if isinstance(customer, CustomerUpdate) else Customer
    try:
        return check(customer, model, Use.INPUT)
    except Mismatch as mismatch:
        raise InvalidRequest(f"{name}: {mismatch}") from mismatch


def _difference(old: Wire, new: Wire, writable: Mapping[str, Field], readable: Mapping[str, Field]) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for key, value in new.items():
        was = old.get(key)
        known = writable.get(key)
        if known is None:
            if key not in old or not _same(was, value):
                raise (
                    Mismatch("only the service writes this", key)
                    if key in readable or key in old
                    else unknown(key, readable)
                )
        elif known.kind.model and is_json_object(value):
            if changes := _inner_difference(key, was or {}, value, fields_of(known.kind.model)):
                patch[key] = changes
        elif not _same(was, value):
            patch[key] = value
    return patch


def _inner_difference(key: str, old: Wire, new: Wire, shape: Mapping[str, Field]) -> dict[str, Any]:
    try:
        return _difference(old, new, shape, shape)
    except Mismatch as mismatch:
        raise mismatch.inside(key) from None


def _same(a: object, b: object) -> bool:
    """Compare as JSON does: for Python `True == 1` and `[True] == [1]`, for JSON not."""
    if type(a) is str or a is None:
        return a == b
    if is_json_object(a) and is_json_object(b):
        return a.keys() == b.keys() and all(_same(value, b[key]) for key, value in a.items())
    if is_json_array(a) and is_json_array(b):
        return len(a) == len(b) and all(map(_same, a, b))
    return a is b or (a == b and isinstance(a, bool) == isinstance(b, bool))
