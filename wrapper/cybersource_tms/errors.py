"""Everything that the clients raise.

CybersourceError            `.may_have_been_applied` says whether the update can have reached the customer
├── InvalidRequest          refused before anything was sent: False (also a ValueError)
├── ConnectionFailed        no answer: False when no connection was made, True once the request may have left
│   └── TimedOut            (also a TimeoutError)
├── UnreadableResponse      an answer that cannot be understood or decrypted: True
└── StatusError             the service said no: False for 3xx and 4xx, True for all others
    ├── BadRequest          400
    ├── Unauthorized        401
    ├── Forbidden           403
    ├── NotFound            404
    ├── TokenDeleted        410
    ├── PreconditionFailed  412
    ├── ProfileNotFound     424
    ├── TooManyRequests     429
    └── ServiceError        500 to 511

No message holds a secret, a token or a customer's value, and every error can be pickled.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from attrs import field, frozen


class CybersourceError(Exception):
    """The base of every error of this package.

    Attributes:
        may_have_been_applied: Whether the update can have reached the customer. True means unknown, so read the
            customer before deciding; False means that the customer is certainly as it was.
        attempts: How many attempts were made; the message says so if there was more than one.
    """

    may_have_been_applied: bool = True
    attempts: int = 1

    def __str__(self) -> str:
        outlook = "; the update may have been applied: read the customer before deciding"
        attempts = f" (after {self.attempts} attempts)"
        return super().__str__() + outlook * self.may_have_been_applied + attempts * (self.attempts > 1)

    def __reduce__(self) -> tuple[Callable[..., "CybersourceError"], tuple[Any, ...]]:
        """Pickle without calling `__init__`, whose arguments are not `args`."""
        return _restore, (type(self), self.args, self.__dict__)


def _restore(cls: type[CybersourceError], args: tuple[Any, ...], state: dict[str, Any]) -> CybersourceError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidRequest(CybersourceError, ValueError):
    """The call was refused before anything was sent; the message names the culprit and what to do."""

    may_have_been_applied = False


class ConnectionFailed(CybersourceError):
    """There was no connection, or it broke before the whole answer was there."""

    def __init__(self, message: str, *, may_have_been_applied: bool) -> None:
        super().__init__(message)
        self.may_have_been_applied = may_have_been_applied


class TimedOut(ConnectionFailed, TimeoutError):
    """Connecting, writing, reading or waiting for a free connection took longer than the client's `timeout`."""


class UnreadableResponse(CybersourceError):
    """The service answered, and the answer cannot be understood or decrypted.

    Attributes:
        status_code: The HTTP status of the answer.
        correlation_id: Names the exchange for the service's support; None where the answer had none.
    """

    def __init__(
        self, message: str, *, status_code: int, correlation_id: str | None, may_have_been_applied: bool = True
    ) -> None:
        super().__init__(message)
        self.may_have_been_applied = may_have_been_applied
        self.status_code = status_code
        self.correlation_id = correlation_id


@frozen
class ErrorEntry:
    """One reason that the service gave.

    Attributes:
        type: A short name such as `notFound`; the service's list of them is open.
        message: For a person. It may quote what was sent, so it is in no `repr`, no message and no log line of ours.
        details: The names of the fields that are meant, with 400 only.
    """

    type: str
    message: str = field(repr=False)
    details: tuple[str, ...] = ()


class StatusError(CybersourceError):
    """The service answered with another status than 200. A status that has no class of its own raises this one.

    Attributes:
        status_code: The HTTP status of the answer.
        errors: The reasons that the service gave; empty when the body could not be read.
        correlation_id: Names the exchange for the service's support; None where the answer had none.
        unique_transaction_id: The service's own id of the transaction, for support as well.
        retry_after: How many seconds the service asked to wait (`Retry-After`); None where it did not ask.
    """

    advice: ClassVar[str] = "the service answered with a status that its documentation does not have"

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        errors: tuple[ErrorEntry, ...] = (),
        correlation_id: str | None = None,
        unique_transaction_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.errors = errors
        self.correlation_id = correlation_id
        self.unique_transaction_id = unique_transaction_id
        self.retry_after = retry_after
        self.may_have_been_applied = status_code // 100 not in {3, 4}


class BadRequest(StatusError):
    """400: the service refuses what was sent; `.errors` says which fields."""

    advice = "the service refuses what was sent, see .errors for the fields"


class Unauthorized(StatusError):
    """401: the credentials were not accepted."""

    advice = (
        "the credentials were not accepted: check the merchant id, the key, the environment and this machine's clock"
    )


class Forbidden(StatusError):
    """403: the merchant or the profile may not do this."""

    advice = "the merchant or the profile may not do this"


class NotFound(StatusError):
    """404: no customer has this token id."""

    advice = "no customer has this token id"


class TokenDeleted(StatusError):
    """410: the customer's token has been deleted."""

    advice = "the customer's token has been deleted"


class PreconditionFailed(StatusError):
    """412: `if_match` is not the customer's present ETag."""

    advice = "the customer has changed since the ETag was read: read it again and decide anew"


class ProfileNotFound(StatusError):
    """424: the `profile_id` is not known."""

    advice = "the profile id is not known"


class TooManyRequests(StatusError):
    """429: too many requests at once."""

    advice = "too many requests: wait before the next one"


class ServiceError(StatusError):
    """500 to 511: the service or a gateway before it failed."""

    advice = "the service or a gateway before it failed"
