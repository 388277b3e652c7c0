"""Everything that the clients raise.

CybersourceError            .may_have_been_applied (over all attempts)  .attempts  .is_transient
├── InvalidRequest          an argument or a setting is wrong (also a ValueError)
├── ConnectionFailed        no response
│   └── TimedOut            (also a TimeoutError)
├── UnreadableResponse      a response that cannot be understood or decrypted, or is about another customer
└── StatusError             .status_code .errors .correlation_id .unique_transaction_id .retry_after
    ├── BadRequest          400
    ├── Unauthorized        401
    ├── Forbidden           403
    ├── NotFound            404
    ├── TokenDeleted        410
    ├── PreconditionFailed  412 (.not_applied)
    ├── ProfileNotFound     424
    ├── TooManyRequests     429
    └── ServiceError        500 to 599

A read changes nothing, so for a read `may_have_been_applied` is False. No message holds a secret, a token or a
customer's value, and every error can be pickled.

What is guaranteed:

- If `may_have_been_applied` is False, none of the call's attempts has changed anything.
- With `if_match`, `apply` and `modify`, an update is applied at most once, and only to the state that was read. If a
  response is lost and the retry is refused with 412, the customer is read: if it has the requested values, that is
  success; otherwise a `PreconditionFailed` names the fields that do not have them, unless that read fails.
- A record is about the requested customer. A response about another one is an `UnreadableResponse`, and its connection
  is closed. What follows a response on its connection is never taken for the next call's response.
- Nothing is sent after a call's `total_timeout`; waiting for a turn of a job or for a connection is not part of it.
- Cancelling a call, or an exception of a signal's handler, never breaks another call's connection.

What is not guaranteed:

- If `may_have_been_applied` is True, nobody knows whether the update was applied: one of the attempts may have reached
  the service. That holds for any error that comes after such an attempt, a `NotFound` too. Read the customer and
  compare: `changed_fields` tells what is still missing.
- Without `if_match`, an update overwrites what somebody else wrote to the same fields in between, and an attempt that
  timed out can still be applied later. Sending the same merge patch twice is harmless otherwise (RFC 7396).
- `apply` overwrites what somebody else wrote to the desired fields before it read them.
- With a custom `transport` the client cannot tell whether a request was sent, so every request counts as sent. What
  it sends after the deadline, and what its calls share, depends on that transport.
- An exception that is not in this tree is raised unchanged: a bug of this library, an exception of a signal's handler,
  of a signer or of a function given to `modify`. If an update was under way, a note says whether it may have been
  applied. Only an `OSError`, such as a `TimeoutError`, that is raised while a call uses the network is
  reported as a network error.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from attrs import field, frozen

_TRANSIENT = {429, 500, 502, 503, 504}
_NAME = re.compile(r"([A-Za-z_./\[\]]|(?<!\d)\d{1,3}(?!\d)){0,100}")  # notFound, /a/0/b, data1


class CybersourceError(Exception):
    """The base of every error of this package.

    Attributes:
        may_have_been_applied: Whether the update may have reached the customer, in any of the attempts. If True, read
            the customer before deciding. If False, nothing has changed.
        attempts: How many attempts were made, of the read or update that failed.
        is_transient: Whether a retry could succeed.
    """

    may_have_been_applied: bool = True
    attempts: int = 1
    is_transient: bool = False

    def __str__(self) -> str:
        outcome = "; the update may have been applied: read the customer before deciding"
        attempts = f" (after {self.attempts} attempts)"
        return super().__str__() + outcome * self.may_have_been_applied + attempts * (self.attempts > 1)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without calling `__init__`, whose arguments are not `args`."""
        return type(self).__new__, (type(self),), {"args": self.args, **self.__dict__}


class InvalidRequest(CybersourceError, ValueError):
    """An argument, a setting or a function's result is wrong, and was not sent; the message says which, and what to do.

    Attributes:
        argument: The argument that is wrong; None if no single one is.
        path: The field that is wrong, such as `buyerInformation.email`; None if it is not about a field.
    """

    may_have_been_applied = False

    def __init__(self, message: str, *, argument: str | None = None, path: str | None = None) -> None:
        super().__init__(message)
        name, colon, _ = (argument or message).partition(":")
        self.argument = name if (argument or colon) and name.isidentifier() else None
        self.path = path


class ConnectionFailed(CybersourceError):
    """There was no connection, or it broke before there was a response."""

    def __init__(self, message: str, *, may_have_been_applied: bool = True, is_transient: bool = True) -> None:
        super().__init__(message)
        self.may_have_been_applied = may_have_been_applied
        self.is_transient = is_transient


class TimedOut(ConnectionFailed, TimeoutError):
    """A step took longer than the client's `timeout`, or the call longer than `total_timeout` of its `Retries`."""


class UnreadableResponse(CybersourceError):
    """The response cannot be understood or decrypted, or is about another customer.

    Attributes:
        status_code: The HTTP status of the response.
        correlation_id: Identifies the exchange for the service's support; None if the response had none.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        correlation_id: str | None,
        may_have_been_applied: bool = True,
        is_transient: bool = False,
    ) -> None:
        super().__init__(message)
        self.may_have_been_applied = may_have_been_applied
        self.is_transient = is_transient
        self.status_code = status_code
        self.correlation_id = correlation_id


def _show(name: str | None) -> str:
    """Return the `repr` of what looks like a name; what the service sends in place of one could be a value."""
    return repr(name) if name is None or _NAME.fullmatch(name) else "..."


@frozen
class ErrorDetail:
    """A field that the service refused.

    Attributes:
        name: The field's own name, such as `id`; empty if the service gave none.
        location: Where it is, such as `/defaultPaymentInstrument/id`; None if the service did not say.
    """

    name: str = field(repr=_show)
    location: str | None = field(default=None, repr=_show)


@frozen
class ErrorEntry:
    """One reason that the service gave.

    Attributes:
        type: A short name such as `notFound`; the service's list of them is open.
        message: Human-readable. It may quote what was sent, so no `repr`, message or log line of ours has it.
        details: The refused fields, with 400 only.
    """

    type: str = field(repr=_show)
    message: str = field(repr=False)
    details: tuple[ErrorDetail, ...] = ()


class StatusError(CybersourceError):
    """The service returned an error status; a subclass says which. Other statuses raise this class.

    Attributes:
        status_code: The HTTP status of the response.
        errors: The reasons that the service gave; empty if it gave none that could be read.
        correlation_id: Identifies the exchange for the service's support; None if the response had none.
        unique_transaction_id: The service's own id of the transaction, also for support.
        retry_after: How many seconds the service asked to wait (`Retry-After`); None if it did not ask.
    """

    statuses: ClassVar[Collection[int]] = ()
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
        self.is_transient = status_code in _TRANSIENT


class BadRequest(StatusError):
    """The service refused what was sent; `.errors` has its reasons."""

    statuses = (400,)
    advice = "the service refused what was sent"


class Unauthorized(StatusError):
    """The credentials were not accepted. The service never says why.

    Attributes:
        causes: The usual causes by name, in the order in which to look for them.
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
    """The customer has changed since the ETag that was sent as `if_match`.

    Attributes:
        not_applied: After a lost response: the paths of the fields that, read back, do not have the requested values.
    """

    statuses = (412,)
    advice = "the customer has changed since the ETag was read: read it again and decide anew"

    not_applied: tuple[str, ...] = ()


class ProfileNotFound(StatusError):
    """The service does not know the `profile_id`."""

    statuses = (424,)
    advice = "the service does not know the profile id"


class TooManyRequests(StatusError):
    """The service allows no more requests for now."""

    statuses = (429,)
    advice = "too many requests: wait before the next one"


class ServiceError(StatusError):
    """The service failed, or a gateway in front of it."""

    statuses = range(500, 600)
    advice = "the service failed, or a gateway in front of it"
