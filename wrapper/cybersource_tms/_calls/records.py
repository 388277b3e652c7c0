"""One call: what is sent, whether it may be sent twice, and what comes back."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, overload

from attrs import field, frozen

from cybersource_tms._diff.changed_fields import field_paths
from cybersource_tms._diff.reading import read_field
from cybersource_tms._tracebacks import raise_without_frames
from cybersource_tms_api.models import Customer

Result = TypeVar("Result")
_Value = TypeVar("_Value")

_SAFE = {"GET", "HEAD", "OPTIONS"}  # RFC 9110 section 9.2.1: there is nothing to apply
_IDEMPOTENT = _SAFE | {"PUT", "DELETE"}  # RFC 9110 section 9.2.2
# The same merge patch twice gives the same document (RFC 7396). The service's own type for one is application/json.
_MERGE_PATCH = {"application/merge-patch+json", "application/json"}


@frozen
class CustomerRecord:
    """The service's response: a customer.

    Attributes:
        customer: The whole customer, as it now is. It holds personal data, so it is not in the `repr`.
        etag: Names this state of the customer: pass it as `if_match` so as not to overwrite somebody else's change.
        correlation_id: Names the exchange for the service's support.
    """

    customer: Customer = field(repr=False)
    etag: str | None
    correlation_id: str | None

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
            InvalidRequest: There is no such field, or it is not of this type.
        """
        return read_field(self.customer, path, kind)


@frozen
class Call(Generic[Result]):
    """One call, checked, the same in all of its attempts. `Result` is what it returns: a `CustomerRecord` or None.

    Attributes:
        request: The generated code's request: `method`, `url` and, where there are any, `headers` and `json`.
        success: The statuses that the spec has as success, each with the model of its body, or None for no body.
        customer_id: The customer that the response has to be about; None for one that has no id yet.
    """

    request: dict[str, Any]
    success: Mapping[int, type[Customer] | None]
    customer_id: str | None = None

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
    def body(self) -> Mapping[str, Any]:
        """The JSON object to send; empty if there is none."""
        body: Mapping[str, Any] = self.request.get("json", {})
        return body

    @property
    def fields(self) -> list[str]:
        """The paths of the fields that are sent."""
        return field_paths(self.body)

    def has_no_body(self, status: int) -> bool:
        """Whether the spec has a status as success, without a body."""
        return status in self.success and self.success[status] is None

    @property
    def is_safe(self) -> bool:
        """Whether it changes nothing."""
        return self.method in _SAFE

    @property
    def may_be_applied_twice(self) -> bool:
        """Whether it does no harm if it arrives twice: by its method, or because of a precondition."""
        headers = self.headers
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        is_merge_patch = self.method == "PATCH" and media_type in _MERGE_PATCH
        return self.method in _IDEMPOTENT or is_merge_patch or "if-match" in headers
