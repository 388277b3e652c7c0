"""What an answer means: status and body to a record or an error, and the boundary where foreign errors become ours."""

import json
import logging
import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import cast

import httpx
from attrs import field, frozen

from cybersource_tms_api.models import Customer, CustomerUpdate, ErrorAnswer
from cybersource_tms_api.types import Response

from . import errors
from ._auth import LIFETIME
from ._changed_fields import changed_fields, field_paths
from ._schema import Mismatch, Use, check

log = logging.getLogger("cybersource_tms")

# In a request's extensions, for the log: the paths of the fields that it changes.
FIELDS = "cybersource_tms.fields"

_BY_STATUS: dict[int, type[errors.StatusError]] = {
    400: errors.BadRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    410: errors.TokenDeleted,
    412: errors.PreconditionFailed,
    424: errors.ProfileNotFound,
    429: errors.TooManyRequests,
    **dict.fromkeys(range(500, 512), errors.ServiceError),
}

# What may stand in a message as the service's reason: a name such as notFound.
_REASON = re.compile("[A-Za-z]{1,40}")

_SAFE = {"GET"}  # RFC 9110 section 9.2.1: there is nothing to apply

# Nothing was sent yet when httpx raises one of these. A NetworkError or time-out that is not here comes later.
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


@frozen
class CustomerRecord:
    """The service's answer: a customer.

    Attributes:
        customer: The whole customer, as it now is. It holds personal data, so it is not in the `repr`.
        etag: Names this state of the customer: pass it as `if_match` so as not to overwrite somebody else's change.
        correlation_id: Names the exchange for the service's support.
    """

    customer: Customer = field(repr=False)
    etag: str | None
    correlation_id: str | None


def record(answer: Response[Customer | ErrorAnswer]) -> CustomerRecord:
    """Return the record of an answer that has passed `judge`."""
    customer = cast("Customer", answer.parsed)
    return CustomerRecord(customer, answer.headers.get("etag"), answer.headers.get("v-c-correlation-id"))


def settled(refused: errors.PreconditionFailed, now: CustomerRecord, changes: CustomerUpdate) -> CustomerRecord:
    """Return the customer as it is now, if it is what `changes` ask for: an earlier attempt was applied after all.

    Raises:
        PreconditionFailed: It is not, so somebody else has changed it.
    """
    missing = changed_fields(now.customer, changes)
    if missing is None:
        return now
    refused.args = (f"{refused.args[0]}; somebody else changed {', '.join(field_paths(missing.to_dict()))}",)
    raise refused


@contextmanager
def unknown_outcome(refused: errors.PreconditionFailed) -> Generator[None]:
    """If the customer cannot be read to find out, let the refusal stand, with what went wrong as its cause."""
    try:
        yield
    except errors.CybersourceError as error:
        if error is refused:
            raise
        raise refused from error


@contextmanager
def boundary(method: str, path: str) -> Generator[None]:
    """Turn what `httpx` raises when there is no answer into ours.

    Raises:
        TimedOut: Something took longer than the client's time-out.
        ConnectionFailed: Anything else.
    """
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError) as error:
        log.debug("%s %s failed: %s", method, path, type(error).__name__)
        raise _failure(error, method, path) from error


def _failure(error: Exception, method: str, path: str) -> errors.ConnectionFailed:
    sent = not isinstance(error, _NEVER_SENT)
    # Only these two say what the system says; other messages of httpx can quote headers.
    why = f": {error}" if isinstance(error, (httpx.ConnectError, httpx.UnsupportedProtocol)) else ""
    kind = errors.TimedOut if isinstance(error, httpx.TimeoutException) else errors.ConnectionFailed
    outcome = "" if sent else "; no connection was made"
    return kind(
        f"{type(error).__name__} ({method} {path}){why}{outcome}",
        may_have_been_applied=sent and method not in _SAFE,
    )


@contextmanager
def reading(response: httpx.Response) -> Generator[None]:
    """Turn what `httpx` raises while the body of an answer is read into ours; a time-out is left to `boundary`.

    Raises:
        StatusError: The status is not 200: it says more than the body would have said.
        UnreadableResponse: The answer broke off, or is wrongly compressed.
    """
    try:
        yield
    except (httpx.TransportError, httpx.DecodingError) as error:
        if response.status_code != HTTPStatus.OK:
            raise status_error(response) from error
        if isinstance(error, httpx.TimeoutException):
            raise
        raise unreadable(response, "broke off or is wrongly compressed") from error


def judge(response: httpx.Response, seconds: float) -> None:
    """Let only an answer pass that the generated parser understands: a 200 with a whole customer.

    Args:
        response: The answer, with its body read.
        seconds: How long it took, for the log.

    Raises:
        StatusError: Another status than 200.
        UnreadableResponse: A 200 whose body is not a customer.
    """
    if log.isEnabledFor(logging.DEBUG):
        _log_exchange(response, seconds)
    if response.status_code != HTTPStatus.OK:
        raise status_error(response)
    try:
        check(json.loads(response.content), Customer, Use.RESPONSE)
    except Mismatch as mismatch:
        raise unreadable(response, f"does not fit the spec: {mismatch}") from mismatch
    except (ValueError, RecursionError) as error:
        raise unreadable(response, "is not JSON") from error


def status_error(response: httpx.Response) -> errors.StatusError:
    """Return the error for a status that is not 200, whatever the body is."""
    kind = _BY_STATUS.get(response.status_code, errors.StatusError)
    entries = _entries(response)
    reason = entries[0].type if entries and _REASON.fullmatch(entries[0].type) else ""
    retry_after = _retry_after(response.headers.get("retry-after", ""))
    asked = "" if retry_after is None else f"; the service asks to wait {retry_after:.0f} s"
    title = f"{response.status_code} {reason}".rstrip()
    error = kind(
        f"{title} ({_exchange(response)}): {kind.advice}{asked}{_wrong_clock(response)}",
        status_code=response.status_code,
        errors=entries,
        correlation_id=response.headers.get("v-c-correlation-id"),
        unique_transaction_id=response.headers.get("uniqueTransactionID"),
        retry_after=retry_after,
    )
    error.may_have_been_applied &= response.request.method not in _SAFE
    return error


def _retry_after(value: str) -> float | None:
    """Read a `Retry-After` header, RFC 9110 section 10.2.3: seconds, or a date."""
    if value.isascii() and value.isdigit():
        return float(value)
    ahead = _seconds_until(value)
    return None if ahead is None else max(0.0, ahead)


def _seconds_until(date: str) -> float | None:
    try:
        then = parsedate_to_datetime(date)
        return (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None


def _wrong_clock(response: httpx.Response) -> str:
    """Say so if a token was refused and our clock is further from the service's than a token is good for."""
    ahead = _seconds_until(response.headers.get("date", ""))
    if response.status_code != HTTPStatus.UNAUTHORIZED or ahead is None or abs(ahead) <= LIFETIME:
        return ""
    where = "behind" if ahead > 0 else "ahead of"
    return f"; this machine's clock is likely wrong: it is {abs(ahead):.0f} s {where} the service's"


def unreadable(response: httpx.Response, problem: str) -> errors.UnreadableResponse:
    """Return the error for an answer that cannot be understood or decrypted."""
    return errors.UnreadableResponse(
        f"{response.status_code} ({_exchange(response)}): the answer {problem}",
        may_have_been_applied=response.request.method not in _SAFE,
        status_code=response.status_code,
        correlation_id=response.headers.get("v-c-correlation-id"),
    )


def _log_exchange(response: httpx.Response, seconds: float) -> None:
    request = response.request
    log.debug(
        "%s %s -> %d in %.0f ms, correlation id %s, fields %s",
        request.method,
        request.url.path,
        response.status_code,
        seconds * 1000,
        response.headers.get("v-c-correlation-id"),
        ", ".join(request.extensions.get(FIELDS, ())),
    )


def _exchange(response: httpx.Response) -> str:
    request = response.request
    correlation_id = response.headers.get("v-c-correlation-id", "none")
    return f"{request.method} {request.url.path}, correlation id {correlation_id}"


def _entries(response: httpx.Response) -> tuple[errors.ErrorEntry, ...]:
    try:
        body = json.loads(response.content)
        check(body, ErrorAnswer, Use.RESPONSE)
    except (Mismatch, ValueError, RecursionError, httpx.ResponseNotRead):
        return ()
    return tuple(
        errors.ErrorEntry(
            entry.get("type", ""),
            entry.get("message", ""),
            tuple(detail["name"] for detail in entry.get("details") or () if "name" in detail),
        )
        for entry in body.get("errors", ())
    )
