"""What to send so that a customer becomes what is wanted: the changed-field rules."""

from collections.abc import Mapping
from typing import Any

from cybersource_tms._diff.schema import (
    ONLY_THE_SERVICE,
    Mismatch,
    Walk,
    json_type,
    known_values,
    no_such_field,
    to_json,
)
from cybersource_tms._diff.spec import ANYTHING, FORMATS, Schema, customer_schema, fields_of
from cybersource_tms._tracebacks import raise_without_frames
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_api.models import Customer, CustomerUpdate
from cybersource_tms_api.types import UNSET

CustomerLike = Customer | CustomerUpdate | Mapping[str, Any]
Json = dict[str, Any]

_CUSTOMERS = (Customer, CustomerUpdate, Mapping)


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
        return _Patch().between(before, wanted, customer_schema())
    except Mismatch as mismatch:
        raise InvalidRequest(f"{argument}: {mismatch}", argument=argument, path=mismatch.path) from mismatch


def customer_json(customer: CustomerLike, argument: str) -> Json:
    """Return a customer, or a part of one, as JSON, but for what only the service writes.

    Raises:
        InvalidRequest: It is none; the message calls it by the name of the argument.
    """
    if not isinstance(customer, _CUSTOMERS):
        problem = f"{argument}: expected a Customer or a mapping, not {json_type(customer)}"
        raise InvalidRequest(problem, argument=argument)
    try:
        found: Json = to_json(customer, customer_schema(), sent=False)
    except Mismatch as mismatch:
        raise InvalidRequest(f"{argument}: {mismatch}", argument=argument, path=mismatch.path) from mismatch
    return found


def field_paths(patch: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the paths of the fields that a patch writes or removes."""
    paths: list[str] = []
    for name, value in patch.items():
        paths += field_paths(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [prefix + name]
    return paths


class _Patch:
    """What the spec says of a patch; `known` is what the lists of the customer have already."""

    def __init__(self) -> None:
        self._known: set[Any] = set()
        self._check = Walk(sent=True, known=self._known).visit

    def between(self, old: Json, new: Json, schema: Schema) -> Json:
        patch: Json = {}
        for name, value in new.items():
            inner = schema.properties.get(name) or schema.others
            try:
                if inner is None or inner.read_only:
                    _refuse_change(old, name, value, schema)
                elif type(value) is dict and "object" in inner.accepted:
                    was = old.get(name)
                    changes = self.between(was if type(was) is dict else {}, value, inner)
                    if changes or not (was is None or type(was) is dict):
                        patch[name] = changes
                elif not _same(was := old.get(name), value):
                    self._known.update(known_values(was, inner))
                    patch[name] = self._check(value, inner)
            except Mismatch as mismatch:
                raise mismatch.inside(name) from None
        return patch


def _refuse_change(old: Json, name: str, value: object, schema: Schema) -> None:
    """Refuse a difference in what only the service writes; it is in the form in which it was given."""
    inner = schema.properties.get(name, ANYTHING)
    if name not in old:
        raise no_such_field(name, schema)
    if not _same(*(to_json(each, inner, sent=False, complete=True) for each in (old[name], value))):
        raise Mismatch(ONLY_THE_SERVICE)


def _same(first: object, second: object) -> bool:
    """Compare as JSON does: for Python `True == 1` and `[True] == [1]`, for JSON not."""
    if type(first) is str or first is None:
        return first == second
    if type(first) is dict and type(second) is dict:
        return first.keys() == second.keys() and all(_same(value, second[name]) for name, value in first.items())
    if type(first) is list and type(second) is list:
        return len(first) == len(second) and all(map(_same, first, second))
    not_a_number = first != first and second != second  # noqa: PLR0124 - NaN is the one value that is not itself
    return not_a_number or (first == second and isinstance(first, bool) == isinstance(second, bool))


def build_update(patch: Json) -> CustomerUpdate:
    """Return a patch as a model, with models in it. The generated parser would demand what an object requires."""
    update: CustomerUpdate = _build(patch, customer_schema(), CustomerUpdate)
    return update


def _build(patch: Json, schema: Schema, model: type) -> Any:
    attributes = fields_of(model)
    given: Json = {attributes[name]: UNSET for name in schema.required if name in attributes}
    others: Json = {}
    for name, value in patch.items():
        if attribute := attributes.get(name):
            given[attribute] = _build_value(value, schema.properties[name])
        else:
            others[name] = _build_value(value, schema.others or ANYTHING)
    instance = model(**given)
    if others:
        instance.additional_properties.update(others)
    return instance


def _build_value(value: Any, schema: Schema) -> Any:
    if type(value) is dict:
        return _build(value, schema, schema.models[-1]) if schema.models else value
    if type(value) is list:
        return [_build_value(item, schema.items or ANYTHING) for item in value]
    return FORMATS[schema.format][1](value) if schema.format and type(value) is str else value
