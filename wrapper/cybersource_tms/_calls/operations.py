"""One operation of the service: what is sent, whether it may be sent twice, and what comes back."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar

from attrs import frozen

from cybersource_tms._diff.changed_fields import field_paths
from cybersource_tms_api.models import Customer

Result = TypeVar("Result")

_SAFE = {"GET", "HEAD", "OPTIONS"}  # RFC 9110 section 9.2.1: there is nothing to apply
_IDEMPOTENT = _SAFE | {"PUT", "DELETE"}  # RFC 9110 section 9.2.2
# The same merge patch twice gives the same document (RFC 7396). The service's own type for one is application/json.
_MERGE_PATCH = {"application/merge-patch+json", "application/json"}


@frozen(slots=False)
class Operation(Generic[Result]):
    """One read or update, checked, the same in all of its attempts. `Result` is what it returns.

    Attributes:
        request: The generated code's request: `method`, `url` and, where there are any, `headers` and `json`.
        success_models: The statuses that the spec has as success, each with the model of its body; None for no body.
        customer_id: The customer that the response has to be about; None for one that has no id yet.
    """

    request: Mapping[str, Any]
    success_models: Mapping[int, type[Customer] | None]
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
    def body(self) -> Mapping[str, Any] | None:
        """The JSON object to send; None if there is none."""
        body: Mapping[str, Any] | None = self.request.get("json")
        return body

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The paths of the fields that are sent."""
        return tuple(field_paths(self.body or {}))

    @property
    def log_fields(self) -> dict[str, Any]:
        """What a log record has of it, as `extra=`."""
        return {"customer_id": self.customer_id, "method": self.method, "fields": list(self.fields)}

    def has_no_body(self, status: int) -> bool:
        """Return whether the spec has a status as success, without a body."""
        return status in self.success_models and self.success_models[status] is None

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
