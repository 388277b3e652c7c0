"""What to send so that a customer becomes what is wanted: the changed-field rules."""

from collections.abc import Mapping
from typing import Any

from cybersource_tms._diff.schema import (
    ONLY_THE_SERVICE,
    Mismatch,
    Schema,
    customer_schema,
    known_values,
    no_such_field,
    to_json,
)
from cybersource_tms._diff.spec import ANYTHING, FORMATS, attributes_of
from cybersource_tms._tracebacks import raise_without_frames
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_api.models import Customer, CustomerUpdate
from cybersource_tms_api.types import UNSET

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
    patch = difference(customer_json(before, "before"), after)
    return build_update(patch) if patch else None


def difference(before: Json, after: CustomerLike, argument: str = "after") -> Json:
    """Return the patch from a customer, as `customer_json` returns it, to what is wanted; empty if nothing differs.

    Raises:
        InvalidRequest: What is wanted cannot be; the message calls it by the name of the argument.
    """
    wanted = customer_json(after, argument)
    try:
        return _difference(before, wanted, customer_schema())
    except Mismatch as mismatch:
        raise InvalidRequest(f"{argument}: {mismatch}") from mismatch


def customer_json(customer: CustomerLike, argument: str) -> Json:
    """Return a customer, or a part of one, as JSON.

    Raises:
        InvalidRequest: It is none; the message calls it by the name of the argument.
    """
    problem = f"expected a Customer or a mapping, not {type(customer).__name__}"
    try:
        if isinstance(customer, Customer | CustomerUpdate | Mapping):
            found: Json = to_json(customer, customer_schema(), sent=False)
            return found
    except Mismatch as mismatch:
        raise InvalidRequest(f"{argument}: {mismatch}") from mismatch
    raise InvalidRequest(f"{argument}: {problem}")


def build_update(patch: Json) -> CustomerUpdate:
    """Return a patch as a model, with models in it. The generated parser would demand what an object requires."""
    update: CustomerUpdate = _build(CustomerUpdate, patch, customer_schema())
    return update


def field_paths(patch: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the paths of the fields that a patch writes or removes."""
    paths: list[str] = []
    for name, value in patch.items():
        paths += field_paths(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [prefix + name]
    return paths


def _difference(old: Json, new: Json, schema: Schema) -> Json:
    patch: Json = {}
    for name, value in new.items():
        inner = schema.properties.get(name) or schema.others
        was = old.get(name)
        if inner is None or inner.read_only:
            if name not in old or not _same(was, value):
                problem = Mismatch(ONLY_THE_SERVICE) if name in old else no_such_field(name, schema)
                raise problem.inside(name)
            continue
        try:
            if isinstance(value, dict) and "object" in inner.accepted:
                changes = _difference(was if isinstance(was, dict) else {}, value, inner)
                if changes or not (was is None or isinstance(was, dict)):
                    patch[name] = changes
            elif not _same(was, value):
                known = frozenset(known_values(was, inner)) if isinstance(value, list) else frozenset()
                patch[name] = to_json(value, inner, sent=True, known=known)
        except Mismatch as mismatch:
            raise mismatch.inside(name) from None
    return patch


def _same(first: object, second: object) -> bool:
    """Compare as JSON does: for Python `True == 1` and `[True] == [1]`, for JSON not."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_same(value, second[name]) for name, value in first.items())
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_same, first, second))
    not_a_number = first != first and second != second  # noqa: PLR0124 - NaN is the one value that is not itself
    return not_a_number or (first == second and isinstance(first, bool) == isinstance(second, bool))


def _build(model: type, patch: Json, schema: Schema) -> Any:
    attributes = {name: attribute for attribute, name in (attributes_of(model) or {}).items()}
    given: Json = {attributes[name]: UNSET for name in schema.required if name in attributes}
    others: Json = {}
    for name, value in patch.items():
        built = _build_value(value, schema.properties.get(name) or schema.others or ANYTHING)
        if name in attributes:
            given[attributes[name]] = built
        else:
            others[name] = built
    instance = model(**given)
    if others:
        instance.additional_properties.update(others)
    return instance


def _build_value(value: Any, schema: Schema) -> Any:
    if isinstance(value, str) and schema.format:
        return FORMATS[schema.format][1](value)
    if isinstance(value, dict) and schema.models:
        return _build(schema.models[-1], value, schema)
    if isinstance(value, list):
        return [_build_value(item, schema.items or ANYTHING) for item in value]
    return value
