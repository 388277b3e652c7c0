"""Editing: read a customer, change a copy of it, send what changed, guarded by the ETag."""

from collections.abc import Awaitable
from copy import copy, deepcopy
from threading import Lock
from typing import Generic, Protocol, TypeVar

from cybersource_tms_api.models import Customer, CustomerUpdate

from ._calls.records import CustomerRecord
from ._calls.responses import etag_of
from ._diff.changed_fields import changed_fields
from ._diff.changed_fields import build_update
from ._diff.schema import customer_schema
from ._diff.spec import attributes_of
from ._tracebacks import raise_without_frames
from .errors import InvalidRequest

_Outcome_co = TypeVar("_Outcome_co", CustomerRecord, Awaitable[CustomerRecord], covariant=True)


class Customers(Protocol[_Outcome_co]):
    """What an edit needs of a client."""

    def retrieve(self, customer_id: str) -> _Outcome_co:
        """Read a customer."""
        ...

    def update(self, customer_id: str, changes: CustomerUpdate, *, if_match: str | None = None) -> _Outcome_co:
        """Update a customer."""
        ...


class _Steps(Generic[_Outcome_co]):
    """What an edit reads and sends. Keep it to look at it afterwards; it can be used again after it has ended.

    Attributes:
        read: The customer before, with its ETag; None before the edit began.
        changes: What was to be sent; None if nothing has changed, or the block raised.
        record: The customer afterwards; what was read, if nothing has changed; None if the update failed.
    """

    read: CustomerRecord | None = None
    changes: CustomerUpdate | None = None
    record: CustomerRecord | None = None

    def __init__(self, customers: Customers[_Outcome_co], customer_id: str) -> None:
        self._customers: Customers[_Outcome_co] = customers
        self._customer_id = customer_id
        self._open = Lock()

    def _begin(self) -> None:
        if not self._open.acquire(blocking=False):
            raise InvalidRequest("edit: this one is in use already; call edit() again for another")

    def _hand_out(self, read: CustomerRecord) -> Customer:
        etag_of(read)
        self.read, self.changes, self.record = read, None, None
        self._copy = with_all_groups(read.customer)
        return self._copy

    def _find_changes(self, read: CustomerRecord) -> CustomerUpdate | None:
        self.changes = changed_fields(read.customer, without_empty_lists(self._copy, read.customer))
        self.record = None if self.changes else read
        return self.changes


class Edit(_Steps[CustomerRecord]):
    """An edit with a `CustomersClient`, see `CustomersClient.edit`."""

    @raise_without_frames
    def __enter__(self) -> Customer:
        self._begin()
        try:
            return self._hand_out(self._customers.retrieve(self._customer_id))
        except BaseException:
            self._open.release()
            raise

    @raise_without_frames
    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self.read and (changes := self._find_changes(self.read)):
                self.record = self._customers.update(self._customer_id, changes, if_match=self.read.etag)
        finally:
            self._open.release()


class AsyncEdit(_Steps[Awaitable[CustomerRecord]]):
    """An edit with an `AsyncCustomersClient`, see `CustomersClient.edit`."""

    @raise_without_frames
    async def __aenter__(self) -> Customer:
        self._begin()
        try:
            return self._hand_out(await self._customers.retrieve(self._customer_id))
        except BaseException:
            self._open.release()
            raise

    @raise_without_frames
    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self.read and (changes := self._find_changes(self.read)):
                self.record = await self._customers.update(self._customer_id, changes, if_match=self.read.etag)
        finally:
            self._open.release()


def with_all_groups(customer: Customer) -> Customer:
    """Return a copy in which an empty group or list stands for each one that is not there."""
    filled = deepcopy(customer)
    for attribute, name in (attributes_of(CustomerUpdate) or {}).items():
        schema = customer_schema().properties[name]
        is_group_or_list = schema.models or schema.items
        if is_group_or_list and not getattr(filled, attribute):
            setattr(filled, attribute, [] if schema.items else getattr(build_update({name: {}}), attribute))
    return filled


def without_empty_lists(edited: Customer, before: Customer) -> Customer:
    """Return a copy without the lists that `with_all_groups` made and nobody filled; empty groups change nothing."""
    emptied = copy(edited)
    for attribute in attributes_of(CustomerUpdate) or {}:
        if getattr(emptied, attribute) == [] and not getattr(before, attribute):
            setattr(emptied, attribute, getattr(before, attribute))
    return emptied
