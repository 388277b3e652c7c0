"""What to send so that a customer becomes what is wanted: the changed-field rules."""
# JSON is Any; what is in it stays unknown when it is found to be a dict or a list:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from collections.abc import Collection, Mapping
from types import NoneType
from typing import Any

from cybersource_tms._tracebacks import raise_without_frames
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_api.models import Customer, CustomerUpdate

from .schema import to_json, to_model
from .spec import Mismatch, Schema, customer_schema

CustomerLike = Customer | CustomerUpdate | Mapping[str, Any]
Json = dict[str, Any]


@raise_without_frames
def changed_fields(before: CustomerLike, after: CustomerLike) -> CustomerUpdate | None:
    """Return the smallest update that does to `before` what sending the whole of `after` would do.

    The result is a JSON Merge Patch (RFC 7396). A field that `after` does not have is left alone; `None` removes it.
    Objects are compared field by field, arrays as a whole and in order, values as JSON, so that `True` is not `1`. Two
    date-times of the same moment are the same. What `before` has already is not held to the spec's limits.

    Args:
        before: The customer as it is: a `Customer`, a `CustomerUpdate`, or a mapping with the API's names.
        after: The customer as it should be, whole or in part, in one of the same forms.

    Returns:
        An update that shares nothing with the arguments, or `None` if there is no difference.

    Raises:
        InvalidRequest: A value of a wrong type, a field that does not exist, or a difference in what only the service
            writes, such as `id`. The message has the field's path.
    """
    wanted = customer_json(after, "after")
    patch = _patch(customer_json(before, "before", only={"id", *wanted}), wanted, "after")
    update: CustomerUpdate | None = to_model(patch, customer_schema(), CustomerUpdate) if patch else None
    return update


def difference(before: Json, after: CustomerLike, argument: str) -> Json:
    """Return the patch, perhaps empty, from a customer's JSON to what is wanted in the argument of that name."""
    return _patch(before, customer_json(after, argument), argument)


def customer_json(customer: object, argument: str, *, only: Collection[str] | None = None) -> Json:
    """Return a whole or a partial customer, given as the argument of that name, as JSON; `only` is as in `to_json`."""
    if not isinstance(customer, (Customer, CustomerUpdate, Mapping)):
        problem = f"{argument}: expected a Customer or a mapping, not {type(customer).__name__}"
        raise InvalidRequest(problem, argument=argument)
    return _to_json(customer, argument, sent=False, only=only)


def field_paths(patch: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the paths of the fields that a patch writes or removes."""
    paths: list[str] = []
    for name, value in patch.items():
        paths += field_paths(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [prefix + name]
    return paths


def _patch(before: Json, wanted: Json, argument: str) -> Json:
    patch = unchecked_difference(before, wanted, customer_schema())
    return _to_json(patch, argument, sent=True, before=before) if patch else {}


def _to_json(value: object, argument: str, **how: Any) -> Json:
    try:
        found: Json = to_json(value, customer_schema(), **how)
    except Mismatch as mismatch:
        raise InvalidRequest(f"{argument}: {mismatch}", argument=argument, path=mismatch.path) from mismatch
    return found


def unchecked_difference(old: Json, new: Mapping[str, Any], schema: Schema) -> Json:
    """Return what differs, with what only the service writes, which cannot be sent."""
    patch: Json = {}
    for name, value in new.items():
        was, inner = old.get(name), schema.properties.get(name) or schema.others
        if inner is None or inner.read_only:
            if name not in old or not _same(was, value):
                patch[name] = value
        elif type(value) is dict:
            changes = unchecked_difference(was if type(was) is dict else {}, value, inner)
            if changes or type(was) not in {dict, NoneType}:
                patch[name] = changes
        elif not _same(was, value):
            patch[name] = value
    return patch


def _same(first: Any, second: Any) -> bool:
    """Compare as JSON does: for Python `True == 1` and `[True] == [1]`, for JSON not."""
    kind, other = type(first), type(second)
    if kind is dict and other is dict:
        return first.keys() == second.keys() and all(map(_same, first.values(), map(second.get, first)))
    if kind is list and other is list:
        return len(first) == len(second) and all(map(_same, first, second))
    if kind is not other and {kind, other} != {int, float}:
        return False
    return bool(first == second or (first != first and second != second))  # noqa: PLR0124 - NaN is not itself
