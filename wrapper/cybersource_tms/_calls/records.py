"""What a call returns."""

from typing import Any, TypeVar, overload

from attrs import field, frozen

from cybersource_tms._diff.reading import read_field
from cybersource_tms._tracebacks import raise_without_frames
from cybersource_tms_api.models import Customer

_Value = TypeVar("_Value")


@frozen
class CustomerRecord:
    """A customer, as the service returned it.

    Attributes:
        customer: The whole customer. It holds personal data, so it is not in the `repr`.
        etag: Identifies this state of the customer; None if the response had none. `if_match=record` guards an update
            with it. It has no quotes: an `ETag` header of your own needs them, `f'"{record.etag}"'`.
        correlation_id: Identifies the exchange for the service's support; None if the response had none.
        unique_transaction_id: The service's own id of the transaction, also for support.
        sent: The paths of the fields that were sent, such as `buyerInformation.email`; empty if nothing had to be sent.
        requests: How many HTTP requests the call took, including retries and reads.
    """

    customer: Customer = field(repr=False)
    etag: str | None = None
    correlation_id: str | None = None
    unique_transaction_id: str | None = None
    sent: tuple[str, ...] = ()
    requests: int = 1

    @overload
    def get(self, path: str) -> str | None: ...
    @overload
    def get(self, path: str, *, kind: type[_Value]) -> _Value | None: ...
    @raise_without_frames
    def get(self, path: str, *, kind: type[Any] = str) -> Any:
        """Read one field: `record.get("buyerInformation.email")`.

        Args:
            path: The field's name in the API, after the names of the groups around it.
            kind: The type of the value: `str`, `bool`, `int`, `float`, `date`, `datetime` or `UUID`.

        Returns:
            The value, or None if the field or a group around it is missing or null. To tell the two apart, look at the
            attribute of `customer`, which is `UNSET` or None.

        Raises:
            InvalidRequest: There is no such field, or it has another type.
        """
        return read_field(self.customer, path, kind)


@frozen
class UpdateOutcome:
    """What became of one customer of a job.

    Attributes:
        customer_id: As it was given.
        record: The customer afterwards, with the paths of the fields that were sent; None if there is an error.
        error: Why it failed: a `CybersourceError`, or what the caller's function raised; None if it did not.
    """

    customer_id: str
    record: CustomerRecord | None = None
    error: BaseException | None = None
