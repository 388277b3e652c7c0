"""What to send so that a customer becomes what is wanted: the changed-field rules."""

from collections.abc import Mapping
from typing import Any

from cybersource_tms._diff.fields import build_model, is_json_array, is_json_object, kinds_of
from cybersource_tms._diff.schema import ONLY_THE_SERVICE, Mismatch, Use, Wire, check, no_such_field
from cybersource_tms._tracebacks import raise_without_frames
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_api.models import Customer, CustomerUpdate

CustomerLike = Customer | CustomerUpdate | Mapping[str, Any]


@raise_without_frames
def changed_fields(before: CustomerLike, after: CustomerLike) -> CustomerUpdate | None:
    """Return the smallest update that does to `before` what sending the whole of `after` would do.

    The result is a JSON Merge Patch (RFC 7396). A field that `after` does not have is left alone; `None` removes it.
    Objects are compared field by field, arrays as a whole and in order, values as JSON, so that `True` is not `1`.

    Args:
        before: The customer as it is: a `Customer`, a `CustomerUpdate`, or a mapping with the names of the wire.
        after: The customer as it should be, whole or in part, in one of the same forms.

    Returns:
        An update that shares nothing with the arguments, or `None` if there is no difference.

    Raises:
        InvalidRequest: A value of a wrong type, a field that does not exist, or a difference in what only the service
            writes, such as `id`. The message has the field's path.
    """
    old, new = _wire_form("before", before), _wire_form("after", after)
    try:
        patch = difference(old, new, CustomerUpdate)
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


def _wire_form(name: str, customer: CustomerLike) -> Wire:
    model = CustomerUpdate if isinstance(customer, CustomerUpdate) else Customer
    try:
        return check(customer, model, Use.INPUT)
    except (Mismatch, RecursionError) as error:
        raise InvalidRequest(f"{name}: {error}") from error


def difference(old: Wire, new: Wire, model: type | None) -> dict[str, Any]:
    """Return the patch for an instance of a model, or for an object that the spec does not describe."""
    patch: dict[str, Any] = {}
    kinds, other = kinds_of(model)
    for key, value in new.items():
        was = old.get(key)
        kind = kinds.get(key, other)
        if kind is None:
            if key not in old or not _same(was, value):
                raise Mismatch(ONLY_THE_SERVICE, key) if key in old else no_such_field(key, model or CustomerUpdate)
        elif (kind.model or kind.anything) and is_json_object(value):
            changes = _inner_difference(key, was, value, kind.model)
            if changes or not (was is None or is_json_object(was)):
                patch[key] = changes
        elif was is not value and not _same(was, value):
            patch[key] = value
    return patch


def _inner_difference(key: str, old: object, new: Wire, model: type | None) -> dict[str, Any]:
    try:
        return difference(old if is_json_object(old) else {}, new, model)
    except Mismatch as mismatch:
        raise mismatch.inside(key) from None


def _same(first: object, second: object) -> bool:
    """Compare as JSON does: for Python `True == 1` and `[True] == [1]`, for JSON not. Nesting may be of any depth."""
    pairs = [(first, second)]
    for a, b in pairs:
        if type(a) is str or a is None:
            if a != b:
                return False
        elif is_json_object(a) and is_json_object(b):
            if a.keys() != b.keys():
                return False
            pairs += [(value, b[key]) for key, value in a.items()]
        elif is_json_array(a) and is_json_array(b):
            if len(a) != len(b):
                return False
            pairs += zip(a, b, strict=True)
        elif not _same_scalar(a, b):
            return False
    return True


def _same_scalar(a: object, b: object) -> bool:
    not_a_number = a != a and b != b  # noqa: PLR0124 - NaN is the one value that is not itself
    return a is b or not_a_number or (a == b and isinstance(a, bool) == isinstance(b, bool))
