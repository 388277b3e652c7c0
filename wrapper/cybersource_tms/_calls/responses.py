"""What a response means: a record or an error. Pure functions of the call and the response."""

import json
import logging
import re
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, cast

import httpx
from attrs import field, frozen

from cybersource_tms import errors
from cybersource_tms._calls.records import Call, CustomerRecord, Result
from cybersource_tms._calls.requests import can_be_sent_back
from cybersource_tms._diff.changed_fields import changed_fields, field_paths
from cybersource_tms._diff.schema import Mismatch, customer_schema, error_schema, to_json
from cybersource_tms_api.models import Customer

log = logging.getLogger("cybersource_tms")

_BY_STATUS = {status: kind for kind in errors.StatusError.__subclasses__() for status in kind.statuses}

# What may stand in a message as the service's reason: a name such as notFound.
_REASON = re.compile("[A-Za-z]{1,40}")
_LONGEST_ID = 64  # characters of a correlation id in a message or a log line
CLOCK_TOLERANCE = 5  # seconds; tokens are dated that far back


@frozen
class Response:
    """A response that was read and decrypted."""

    status_code: int
    headers: httpx.Headers
    content: bytes = field(repr=False)

    @property
    def correlation_id(self) -> str | None:
        """The service's name for the exchange, as it came."""
        name: str | None = self.headers.get("v-c-correlation-id")
        return name


class BodyRefused(httpx.DecodingError):
    """Why a body is not read to its end, in words that may stand in a message."""


def check_response(call: Call[Result], response: Response) -> Result:
    """Return what the spec has for a success: a record of the customer that was asked for, or None without a body.

    Raises:
        StatusError: The spec does not have the status as a success.
        UnreadableResponse: The body is not a customer, or is another customer.
    """
    if response.status_code not in call.success:
        raise status_error(call, response)
    model = call.success[response.status_code]
    return cast("Result", _check_record(call, response, model) if model else None)


def _check_record(call: Call[Any], response: Response, model: type[Customer]) -> CustomerRecord:
    try:
        body = json.loads(response.content)
        to_json(body, customer_schema(), sent=False, complete=True)
    except Mismatch as mismatch:
        raise unreadable(call, response, f"does not fit the spec: {mismatch}") from mismatch
    except (ValueError, RecursionError) as error:
        raise unreadable(call, response, "is not JSON") from error
    # An error in a proxy or a connection can hand out what belongs to another request. Ids are without case.
    if call.customer_id is not None and body["id"].casefold() != call.customer_id.casefold():
        raise unreadable(call, response, "is about another customer")
    return CustomerRecord(model.from_dict(body), response.headers.get("etag"), response.correlation_id)


def check_applied(refused: errors.PreconditionFailed, now: CustomerRecord, call: Call[Any]) -> CustomerRecord:
    """Return the customer as it is now, if it is as the update asked for: an earlier attempt was applied after all.

    Raises:
        PreconditionFailed: It is not; the message names the fields.
    """
    missing = changed_fields(now.customer, call.body)
    if missing is None:
        return now
    refused.args = (f"{refused.args[0]}; these fields are not as asked: {', '.join(field_paths(missing.to_dict()))}",)
    raise refused


def etag_of(read: CustomerRecord) -> str:
    """Return the ETag that guards an update of what was read.

    Raises:
        UnreadableResponse: It has none that can be sent as `if-match`.
    """
    if read.etag is not None and can_be_sent_back(read.etag):
        return read.etag
    problem = "no ETag" if read.etag is None else "an ETag that cannot be sent as if-match"
    raise errors.UnreadableResponse(
        f"200 (GET, correlation id {printable(read.correlation_id)}): the response has {problem}, "
        "so an edit cannot be guarded",
        status_code=HTTPStatus.OK,
        correlation_id=read.correlation_id,
        may_have_been_applied=False,
    )


def status_error(call: Call[Any], response: Response) -> errors.StatusError:
    """Return the error for a status that is not success, whatever the body is."""
    kind = _BY_STATUS.get(response.status_code, errors.StatusError)
    entries = _error_entries(response.content)
    reason = entries[0].type if entries and _REASON.fullmatch(entries[0].type) else ""
    retry_after = _retry_after(response.headers.get("retry-after", ""))
    wait = "" if retry_after is None else f"; the service asks to wait {retry_after:.0f} s"
    title = f"{response.status_code} {reason}".rstrip()
    return kind(
        f"{title} ({_describe(call, response)}): {kind.advice}{wait}{_clock_difference(response)}",
        status_code=response.status_code,
        errors=entries,
        correlation_id=response.correlation_id,
        unique_transaction_id=response.headers.get("uniqueTransactionID"),
        retry_after=retry_after,
    )


def unreadable(call: Call[Any], response: Response, problem: str) -> errors.UnreadableResponse:
    """Return the error for a response that cannot be understood or decrypted."""
    return errors.UnreadableResponse(
        f"{response.status_code} ({_describe(call, response)}): the response {problem}",
        status_code=response.status_code,
        correlation_id=response.correlation_id,
    )


def broken_off(call: Call[Any], response: Response, error: Exception) -> errors.CybersourceError:
    """Return the error for a response whose body could not be read to its end."""
    if response.status_code not in call.success:
        return status_error(call, response)  # it says more than the body would have said
    if isinstance(error, BodyRefused):
        return unreadable(call, response, str(error))
    if isinstance(error, httpx.DecodingError):
        return unreadable(call, response, "is wrongly compressed")
    if isinstance(error, httpx.TransportError) and not isinstance(error, httpx.TimeoutException):
        return unreadable(call, response, "broke off")
    return connection_failed(call, error, sent=True)


def connection_failed(
    call: Call[Any], error: Exception, *, sent: bool, is_custom: bool = False
) -> errors.ConnectionFailed:
    """Return the error for an attempt without a response.

    Args:
        call: The call.
        error: What was raised below.
        sent: False only where it is known that nothing was sent.
        is_custom: Whether a custom transport raised it: what that says proves nothing, and may quote anything.
    """
    log.debug("%s %s failed: %s", call.method, call.path, type(error).__name__)
    kind = errors.TimedOut if isinstance(error, (httpx.TimeoutException, TimeoutError)) else errors.ConnectionFailed
    # Other messages of httpx can quote headers.
    quotable = isinstance(error, (httpx.ConnectError, httpx.UnsupportedProtocol)) and not is_custom
    why = f": {error}" if quotable else ""
    # A proxy refuses before the request itself is sent to it.
    sent = sent and (is_custom or not isinstance(error, httpx.ProxyError))
    outcome = "" if sent else "; nothing was sent"
    return kind(f"{type(error).__name__} ({call.method} {call.path}){why}{outcome}", may_have_been_applied=sent)


def log_response(call: Call[Any], response: Response, seconds: float) -> None:
    """Write the DEBUG line of a response."""
    if log.isEnabledFor(logging.DEBUG):
        log.debug(
            "%s %s -> %d in %.0f ms, correlation id %s, fields %s",
            call.method,
            call.path,
            response.status_code,
            seconds * 1000,
            printable(response.correlation_id),
            ", ".join(call.fields) or "none",
        )


def printable(text: str | None) -> str:
    """Return what a peer sent as it may stand in a message or a log line: short, and in printable ASCII."""
    return "none" if text is None else re.sub("[^ -~]", "?", text[:_LONGEST_ID])


def seconds_ahead(headers: httpx.Headers) -> float | None:
    """Return how far our clock is ahead of the service's, negative if it is behind; None without a readable `Date`."""
    until = _seconds_until(headers.get("date", ""))
    return None if until is None else -until


def describe_seconds_ahead(seconds: float) -> str:
    """Return such a difference in words."""
    return f"{abs(seconds):.0f} s {'behind' if seconds < 0 else 'ahead of'}"


def _describe(call: Call[Any], response: Response) -> str:
    return f"{call.method} {call.path}, correlation id {printable(response.correlation_id)}"


def _error_entries(content: bytes) -> tuple[errors.ErrorEntry, ...]:
    try:
        body = json.loads(content)
        to_json(body, error_schema(), sent=False)
    except (Mismatch, ValueError, RecursionError):
        return ()
    return tuple(_error_entry(entry) for entry in body.get("errors") or ())


def _error_entry(entry: Mapping[str, Any]) -> errors.ErrorEntry:
    details = tuple(detail["name"] for detail in entry.get("details") or () if detail.get("name"))
    return errors.ErrorEntry(entry.get("type") or "", entry.get("message") or "", details)


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


def _clock_difference(response: Response) -> str:
    """Say so if credentials were refused and our clock differs from the service's."""
    ahead = seconds_ahead(response.headers)
    if response.status_code != HTTPStatus.UNAUTHORIZED or ahead is None or abs(ahead) <= CLOCK_TOLERANCE:
        return ""
    return f"; this machine's clock is likely wrong: it is {describe_seconds_ahead(ahead)} the service's"
