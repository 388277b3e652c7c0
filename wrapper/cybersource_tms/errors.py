"""Everything that the clients raise.

CybersourceError            `.may_have_been_applied` says whether the update can have reached the customer
├── InvalidRequest          refused before anything was sent: False (also a ValueError)
├── ConnectionFailed        no response: False when nothing was sent, True once the request may have left
│   └── TimedOut            (also a TimeoutError)
├── UnreadableResponse      a response that cannot be understood or decrypted, or is about another customer: True
└── StatusError             a status that the spec does not have as success: False for 3xx and 4xx, True for all others
    ├── BadRequest
    ├── Unauthorized
    ├── Forbidden
    ├── NotFound
    ├── TokenDeleted
    ├── PreconditionFailed
    ├── ProfileNotFound
    ├── TooManyRequests
    └── ServiceError

A read changes nothing, so for a GET it is always False. No message holds a secret, a token or a customer's value, and
every error can be pickled.

What is guaranteed:

- An error whose `may_have_been_applied` is False has changed nothing.
- With `if_match`, and so with `edit` and with a function as changes, an update never overwrites what somebody else has
  written since, and is applied at most once. If a response was lost, the repeat is refused and the customer is read: if
  it is as the update asked for, that is success, otherwise a `PreconditionFailed` that names the fields that are not.
- A record is about the customer that was asked for. A response about another one is an `UnreadableResponse`, and its
  connection is not used again.
- Cancelling a call costs no other call its connection.

What is not:

- If `may_have_been_applied` is True, it is not known whether the update took effect. Read the customer and compare:
  `changed_fields` tells what is still missing.
- Without `if_match`, the same merge patch twice does no harm (RFC 7396), but what somebody else wrote to the same
  fields in between is overwritten, and an attempt that timed out can still be applied later.
- With a custom `transport` it is never known that nothing was sent: its names for errors prove nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from attrs import field, frozen


class CybersourceError(Exception):
    """The base of every error of this package.

    Attributes:
        may_have_been_applied: Whether the update can have reached the customer, in any of the attempts. True means
            that it is not known: read the customer before deciding. False means that nothing has changed.
        attempts: How many attempts were made; the message says so if there was more than one.
    """

    may_have_been_applied: bool = True
    attempts: int = 1

    def __str__(self) -> str:
        outcome = "; the update may have been applied: read the customer before deciding"
        attempts = f" (after {self.attempts} attempts)"
        return super().__str__() + outcome * self.may_have_been_applied + attempts * (self.attempts > 1)

    def __reduce__(self) -> tuple[Callable[..., "CybersourceError"], tuple[Any, ...]]:
        """Pickle without calling `__init__`, whose arguments are not `args`."""
        return _restore, (type(self), self.args, self.__dict__)


def _restore(cls: type[CybersourceError], args: tuple[Any, ...], state: dict[str, Any]) -> CybersourceError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidRequest(CybersourceError, ValueError):
    """The call was refused before anything was sent; the message names what is wrong and what to do.

    Attributes:
        argument: The name of the argument that is wrong, if it is one.
        path: The path of the field that is wrong, if it is one: `buyerInformation.email`.
    """

    may_have_been_applied = False

    def __init__(self, message: str, *, argument: str | None = None, path: str | None = None) -> None:
        super().__init__(message)
        self.argument = argument
        self.path = path


class ConnectionFailed(CybersourceError):
    """There was no connection, or it broke before there was a response."""

    def __init__(self, message: str, *, may_have_been_applied: bool = True) -> None:
        super().__init__(message)
        self.may_have_been_applied = may_have_been_applied


class TimedOut(ConnectionFailed, TimeoutError):
    """A step took longer than the client's `timeout`, or the call longer than the `total_time` of its `Retries`."""


class UnreadableResponse(CybersourceError):
    """The response cannot be understood or decrypted, or is about another customer than the one asked for.

    Attributes:
        status_code: The HTTP status of the response.
        correlation_id: Names the exchange for the service's support; None where the response had none.
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
    """The service responded with a status that the spec does not have as success.

    A status that has no class of its own raises this one.

    Attributes:
        status_code: The HTTP status of the response.
        errors: The reasons that the service gave; empty when the body could not be read.
        correlation_id: Names the exchange for the service's support; None where the response had none.
        unique_transaction_id: The service's own id of the transaction, for support as well.
        retry_after: How many seconds the service asked to wait (`Retry-After`); None where it did not ask.
    """

    statuses: ClassVar[Iterable[int]] = ()
    advice: ClassVar[str] = "the service does not document this status"

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
    """The service refuses what was sent; `.errors` says which fields."""

    statuses = (400,)
    advice = "the service refuses what was sent; .errors names the fields"


class Unauthorized(StatusError):
    """The credentials were not accepted. The service never says why.

    Attributes:
        causes: The usual ones by name, in the order in which to look for them.
    """

    statuses = (401,)
    causes: ClassVar[Mapping[str, str]] = {
        "environment": "the key belongs to another environment",
        "clock": "this machine's clock is ahead of the service's, or minutes behind",
        "key": "the key id, secret, merchant or portfolio is wrong, or the key was deactivated or is the response key",
        "proxy": "a proxy changes the host, the path or the body after signing",
    }
    advice = f"the credentials were not accepted; look for the cause in this order: {'; '.join(causes.values())}"


class Forbidden(StatusError):
    """The merchant or the profile may not do this."""

    statuses = (403,)
    advice = "the merchant or the profile may not do this"


class NotFound(StatusError):
    """No customer has this token id."""

    statuses = (404,)
    advice = "no customer has this token id"


class TokenDeleted(StatusError):
    """The customer's token has been deleted."""

    statuses = (410,)
    advice = "the customer's token has been deleted"


class PreconditionFailed(StatusError):
    """The customer has changed since the ETag that was sent as `if_match`."""

    statuses = (412,)
    advice = "the customer has changed since the ETag was read: read it again and decide anew"


class ProfileNotFound(StatusError):
    """The `profile_id` is not known."""

    statuses = (424,)
    advice = "the profile id is not known"


class TooManyRequests(StatusError):
    """The service allows no more requests for now."""

    statuses = (429,)
    advice = "too many requests: wait before the next one"


class ServiceError(StatusError):
    """The service, or a gateway in front of it, failed."""

    statuses = range(500, 512)
    advice = "the service, or a gateway in front of it, failed"
