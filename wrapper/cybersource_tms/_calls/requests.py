"""What is sent: one read or update, and what a caller gives for it, checked before anything is sent."""

import re
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import cached_property
from inspect import isawaitable
from types import SimpleNamespace
from typing import Any, Generic, TypeGuard, TypeVar, cast

import httpx
from attrs import frozen

from cybersource_tms._diff.changed_fields import customer_json, difference, field_paths
from cybersource_tms._diff.schema import to_json
from cybersource_tms._diff.spec import ONLY_THE_SERVICE, Mismatch, customer_schema
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_api.api import customers
from cybersource_tms_api.models import Customer, CustomerUpdate
from cybersource_tms_api.types import UNSET

from .records import CustomerRecord

JSON = dict[str, Any]
Changes = CustomerUpdate | Mapping[str, Any]
Modify = Callable[[Customer], Changes | Customer | None]
Result = TypeVar("Result")

# `..` and `/` would reach other resources. The service's ids are 1 to 32 characters.
_CUSTOMER_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
# RFC 9110 section 8.8.3 has quoted and weak tags; the service's are bare. `*` would match any state of the customer,
# and a comma outside of quotes is what two tags look like.
_ETAG = re.compile(r'[!#-+\--~]+|(W/)?"[!#-~]*"')
_ONLY_CHANGES = "give only the fields to write, or use update(id, changed_fields(before, after), if_match=record)"
_LONGEST_ETAG = 256  # the service's are 32 characters; a proxy may make them weak or quote them
_RESULT = "function: the result"

_SAFE = {"GET", "HEAD", "OPTIONS"}  # RFC 9110 section 9.2.1: there is nothing to apply
_IDEMPOTENT = _SAFE | {"PUT", "DELETE"}  # RFC 9110 section 9.2.2
# The same merge patch twice gives the same document (RFC 7396). The service's own type for one is application/json.
_MERGE_PATCH = {"application/merge-patch+json", "application/json"}


@frozen(slots=False, repr=False)
class Operation(Generic[Result]):
    """One read or update, checked, the same in all of its attempts. `Result` is what it returns."""

    request: Mapping[str, Any]  # as the generated code makes it
    success_models: Mapping[int, type[Customer] | None]  # by the spec's statuses; None for a success without a body
    customer_id: str | None = None  # whom the response has to be about; None for one that has no id yet

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def method(self) -> str:
        """The HTTP method, in upper case."""
        return str(self.request["method"]).upper()

    @property
    def path(self) -> str:
        """The path at the service."""
        return str(self.request["url"])

    @property
    def headers(self) -> dict[str, str]:
        """The headers, with names in lower case."""
        return {name.lower(): value for name, value in self.request.get("headers", {}).items()}

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The JSON object to send; None if there is none."""
        return cast("Mapping[str, Any] | None", self.request.get("json"))

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The paths of the fields that are sent."""
        return tuple(field_paths(self.body or {}))

    @property
    def log_fields(self) -> dict[str, Any]:
        """What a log record has of it, as `extra=`."""
        return {"customer_id": self.customer_id, "method": self.method, "fields": list(self.fields)}

    def is_success(self, response: httpx.Response) -> bool:
        """Return whether the spec has the status of a response as success."""
        return response.status_code in self.success_models

    @property
    def is_safe(self) -> bool:
        """Whether it changes nothing."""
        return self.method in _SAFE

    @property
    def is_idempotent(self) -> bool:
        """Whether it does no harm if it arrives twice: by its method, or because of a precondition."""
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        is_merge_patch = self.method == "PATCH" and media_type in _MERGE_PATCH
        return self.method in _IDEMPOTENT or is_merge_patch or "if-match" in self.headers


def retrieve_request(customer_id: object, profile_id: str | None) -> Operation[CustomerRecord]:
    """Return a read of a customer, or raise `InvalidRequest` if the id is wrong."""
    checked = parse_customer_id(customer_id)
    request = customers.retrieve_customer_request(checked, profile_id=profile_id or UNSET)
    return Operation(request, customers.RETRIEVE_CUSTOMER_SUCCESS, checked)


def update_request(
    customer_id: object, changes: JSON, if_match: object, profile_id: str | None
) -> Operation[CustomerRecord]:
    """Return an update with changes that were checked, or raise `InvalidRequest`."""
    checked = parse_customer_id(customer_id)
    etag = parse_if_match(if_match, checked)
    request = customers.update_customer_request(
        checked, body=_body(changes), if_match=etag or UNSET, profile_id=profile_id or UNSET
    )
    return Operation(request, customers.UPDATE_CUSTOMER_SUCCESS, checked)


def _body(changes: JSON) -> CustomerUpdate:
    """Return the body for the generated code, which only asks for its JSON: what was checked is what is sent."""
    return cast("CustomerUpdate", SimpleNamespace(to_dict=lambda: changes))


def parse_customer_id(customer_id: object) -> str:
    """Return a customer's token id, or raise `InvalidRequest` if it cannot be one."""
    if isinstance(customer_id, str) and _CUSTOMER_ID.fullmatch(customer_id):
        return str.__str__(customer_id)  # a subclass, such as an Enum, could be shown as something else
    raise InvalidRequest("customer_id: expected 1 to 32 characters of A-Z, a-z, 0-9, _ and -")


def is_same_customer(one: str, other: str) -> bool:
    """Return whether two ids are of the same customer: ids are case-insensitive in ASCII, and nowhere else."""
    return one.encode(errors="replace").lower() == other.encode(errors="replace").lower()


def parse_changes(argument: str, changes: object, *, limits: bool) -> JSON:
    """Return the JSON of a `CustomerUpdate` or a mapping with the API's names, given as the argument of that name.

    Without `limits`, it is held to the spec's names and types only.
    """
    if not isinstance(changes, CustomerUpdate | Mapping):
        raise InvalidRequest(f"{argument}: {_advice(argument, changes)}")
    try:
        json: JSON = to_json(cast("Changes", changes), customer_schema(), sent=True, limits=limits)
    except Mismatch as mismatch:
        advice = f"; {_ONLY_CHANGES}" if mismatch.problem == ONLY_THE_SERVICE else ""
        raise InvalidRequest(f"{argument}: {mismatch}{advice}", path=mismatch.path) from mismatch
    if not field_paths(json):
        raise InvalidRequest(f"{argument}: there is no field in it, so there is nothing to send")
    return json


def copy_changes(wanted: Any) -> Any:
    """Return a copy of changes, as JSON. What cannot be sent is returned as it is, and refused later."""
    with suppress(Mismatch):
        return to_json(wanted, customer_schema(), sent=True, limits=False)
    return wanted


def _advice(argument: str, changes: object) -> str:
    if isinstance(changes, Customer | CustomerRecord):
        read = f"a {type(changes).__name__} holds what was read earlier, and would undo what others have changed since"
        return f"{read}; {_ONLY_CHANGES}"
    if changes is None and argument == "changes":
        return "it is None, which changed_fields returns if nothing differs; then there is nothing to send"
    if callable(changes) and not isinstance(changes, type):
        return "a function goes to modify(id, function)"
    return f"expected a CustomerUpdate or a mapping with the API's names, not {type(changes).__name__}"


def parse_if_match(if_match: object, customer_id: str) -> str | None:
    """Return the ETag that guards an update, or raise `InvalidRequest` if it cannot."""
    if if_match is None:
        return None
    if isinstance(if_match, CustomerRecord):
        if not is_same_customer(str(if_match.customer.id), customer_id):
            raise InvalidRequest("if_match: the record is about another customer")
        if not is_usable_etag(if_match.etag):
            raise InvalidRequest("if_match: the record has no ETag that can guard an update")
        return if_match.etag
    if is_usable_etag(if_match):
        return if_match
    raise InvalidRequest("if_match: expected the record, or its ETag unchanged: one ETag, and not * or a list")


def is_usable_etag(etag: object) -> TypeGuard[str]:
    """Return whether an ETag guards an update when it is sent as `if-match`."""
    return isinstance(etag, str) and len(etag) <= _LONGEST_ETAG and etag != "*" and _ETAG.fullmatch(etag) is not None


def desired_changes(desired: JSON, read: CustomerRecord) -> JSON:
    """Return which of the desired fields the current customer does not have."""
    return difference(customer_json(read.customer, "desired"), desired, "desired")


def parse_function(function: object) -> Modify:
    """Return a function that a caller gives to `modify`, or raise `InvalidRequest` if it is not a function."""
    if callable(function) and not isinstance(function, type):
        return cast("Modify", function)
    raise InvalidRequest("function: expected a function that takes the Customer and returns the changes")


def modified_changes(function: Modify, read: CustomerRecord) -> JSON:
    """Call a caller's function with the current customer, and return what it changes."""
    customer = read.customer
    before = customer_json(customer, "function")
    returned = function(customer)
    if isawaitable(returned):
        if isinstance(returned, Coroutine):
            returned.close()  # or Python warns that it was never awaited
        raise InvalidRequest("function: expected a function that is not async, for either client")
    after = customer_json(customer, _RESULT)
    if returned is customer:
        return difference(before, after, _RESULT)
    if before != after:
        raise InvalidRequest("function: it changed its argument, so it has to return that argument")
    if returned is None:
        return {}
    if isinstance(returned, CustomerUpdate | Mapping):
        return difference(before, returned, _RESULT)
    problem = f"has to be the Customer, a CustomerUpdate, a mapping or None, not {type(returned).__name__}"
    if isinstance(cast("object", returned), Customer):
        problem = "is another Customer than its argument, and may be older: return the argument itself or the changes"
    raise InvalidRequest(f"{_RESULT} {problem}")
