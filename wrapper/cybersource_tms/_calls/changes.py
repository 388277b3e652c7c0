"""What an `apply` or a `modify` has to send, once the current customer was read."""

from collections.abc import Callable, Coroutine, Mapping
from inspect import isawaitable
from typing import cast

from cybersource_tms._diff.changed_fields import customer_json, difference
from cybersource_tms.errors import InvalidRequest, UnreadableResponse
from cybersource_tms_api.models import Customer, CustomerUpdate

from .records import CustomerRecord
from .requests import JSON, Changes, is_usable_etag
from .responses import printable

Modify = Callable[[Customer], Changes | Customer | None]

_RESULT = "function: the result"


def desired_changes(desired: JSON, read: CustomerRecord) -> JSON:
    """Return which of the desired fields the current customer does not have."""
    return difference(customer_json(read.customer, "desired"), desired, "desired")


def parse_function(function: object) -> Modify:
    """Return a function that a caller gives to `modify`, or raise `InvalidRequest` if it is none."""
    if callable(function) and not isinstance(function, type):
        return cast("Modify", function)
    raise InvalidRequest("function: expected a function that takes the Customer and returns the changes")


def modified_changes(function: Modify, read: CustomerRecord) -> JSON:
    """Call a caller's function with the current customer, and return what it changes."""
    customer = read.customer
    before = customer_json(customer, "function")
    returned = function(customer)
    _refuse_awaitable(returned)
    after = customer_json(customer, _RESULT)
    if returned is customer:
        return difference(before, after, _RESULT)
    if before != after:
        raise InvalidRequest("function: it changed its argument, so it has to return that argument")
    if returned is None:
        return {}
    if isinstance(returned, CustomerUpdate | Mapping):
        return difference(before, returned, _RESULT)
    raise InvalidRequest(f"{_RESULT} {_describe(returned)}")


def guarding_etag(read: CustomerRecord) -> str:
    """Return the ETag that guards an update of what was read, or raise `UnreadableResponse` if none can."""
    if read.etag is not None and is_usable_etag(read.etag):
        return read.etag
    problem = "no ETag" if read.etag is None else "an ETag that cannot be sent as if-match"
    raise UnreadableResponse(
        f"200 (GET, correlation id {printable(read.correlation_id)}): the response has {problem}, "
        "so the update cannot be guarded; nothing was sent",
        status_code=200,
        correlation_id=read.correlation_id,
        may_have_been_applied=False,
    )


def _refuse_awaitable(returned: object) -> None:
    if isawaitable(returned):
        if isinstance(returned, Coroutine):
            returned.close()  # or Python warns that it was never awaited
        raise InvalidRequest("function: expected a function that is not async, for either client")


def _describe(returned: object) -> str:
    if isinstance(returned, Customer):
        return "is another Customer than its argument, and may be older: return the argument itself or the changes"
    return f"has to be the Customer, a CustomerUpdate, a mapping or None, not {type(returned).__name__}"
