"""What a response means: a record or an error. Pure functions of the operation and the response."""

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping
from copy import copy
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, cast

import httpx

from cybersource_tms import errors
from cybersource_tms._credentials.message_encryption import DecryptionFailed, MessageEncryption
from cybersource_tms._diff.changed_fields import customer_json, field_paths, unchecked_difference
from cybersource_tms._diff.schema import to_json, to_model
from cybersource_tms._diff.spec import Mismatch, api_names, customer_schema

from .records import CustomerRecord
from .requests import Operation, Result, is_same_customer, is_usable_etag

log = logging.getLogger("cybersource_tms")

_CLASSES = {status: each for each in errors.StatusError.__subclasses__() for status in each.statuses}

# What may stand in a message as the service's reason: a name such as notFound or INVALID_DATA.
_REASON = re.compile("[A-Za-z_]{1,40}")
_SEPARATORS = re.compile(r"[/.\[\]]")  # in the location of a field: /a/0/b, a.b or a[0].b
_INDEX = re.compile("[0-9]{1,3}")  # a longer number could be a value
_LONGEST_TEXT = 64  # characters of what a peer sent, in a message or a log line
_MOST_ENTRIES = 100  # reasons of one error, and fields of one reason
_MOST_FIELDS = 10  # in a message
_MOST_PARTS = 500_000  # of a body: megabytes of `{},` become gigabytes of objects
CLOCK_TOLERANCE = 5  # seconds; tokens are dated that far back


def decrypt_response(
    operation: Operation[Any], response: httpx.Response, content: bytes, encryption: MessageEncryption | None
) -> bytes:
    """Return the body of a response in plain text.

    An error may be in plain text: a gateway, or a service that rejects the token, cannot encrypt.
    """
    is_success = operation.is_success(response)
    has_body = not is_success or operation.success_models[response.status_code]
    if not encryption or not encryption.response_key_id or not has_body:
        return content
    try:
        plain = encryption.decrypt_response(content)
    except DecryptionFailed as error:
        if is_success:
            raise unreadable(operation, response, f"cannot be decrypted ({error})") from error
        return b""
    if plain is None and is_success:
        raise unreadable(operation, response, "is in plain text, but an encrypted response was requested")
    return content if plain is None else plain


def parse_response(
    operation: Operation[Result],
    response: httpx.Response,
    content: bytes,
    key_expires: datetime | None = None,
    requests: int = 1,
) -> Result:
    """Return what the spec has for a success: a record of the requested customer, or None without a body."""
    if not operation.is_success(response):
        raise status_error(operation, response, content, key_expires)
    model = operation.success_models[response.status_code]
    if model is None:
        return cast("Result", None)
    try:
        body = _parse_json(content)
        if isinstance(body, dict) and body.keys() == {"encryptedResponse"}:
            raise unreadable(operation, response, "is encrypted, and this client has no response key")
        customer: dict[str, Any] = to_json(cast("Any", body), customer_schema(), sent=False, complete=True)
    except Mismatch as mismatch:
        raise unreadable(operation, response, f"does not fit the spec: {mismatch}") from mismatch
    except (ValueError, RecursionError) as error:
        raise unreadable(operation, response, "is not JSON that can be read") from error
    # An error in a proxy or a connection can hand out what belongs to another request.
    if operation.customer_id is not None and not is_same_customer(customer["id"], operation.customer_id):
        raise unreadable(operation, response, "is about another customer")
    record = CustomerRecord(
        to_model(customer, customer_schema(), model),
        response.headers.get("etag"),
        response.headers.get("v-c-correlation-id"),
        response.headers.get("uniqueTransactionID"),
        operation.fields,
        requests,
    )
    return cast("Result", record)


def _parse_json(content: bytes) -> Any:
    if sum(map(content.count, (b"{", b"[", b","))) > _MOST_PARTS:
        raise ValueError("too many parts")
    return json.loads(content)


def guarding_etag(read: CustomerRecord) -> str:
    """Return the ETag that guards an update of what was read, or raise `UnreadableResponse` if none can."""
    if is_usable_etag(read.etag):
        return read.etag
    exchange = f"GET, correlation id {printable(read.correlation_id)}"
    raise errors.UnreadableResponse(
        f"200 ({exchange}): the response has no ETag that can guard an update; nothing was sent",
        status_code=200,
        correlation_id=read.correlation_id,
        may_have_been_applied=False,
    )


def not_applied(current: CustomerRecord, operation: Operation[Any]) -> tuple[str, ...]:
    """Return the paths of the fields that the current customer does not have as an update requested them."""
    found = customer_json(current.customer, "customer")
    return tuple(field_paths(unchecked_difference(found, operation.body or {}, customer_schema())))


def unconfirmed_error(refused: errors.PreconditionFailed, paths: tuple[str, ...]) -> errors.PreconditionFailed:
    """Return the error for an update that was refused after a lost response, and is not found in the customer."""
    error = _and(refused, f"read back, these fields do not have the requested values: {', '.join(paths)}")
    error.not_applied = paths
    return error


def conflict_error(refused: errors.PreconditionFailed, rounds: int) -> errors.PreconditionFailed:
    """Return the error for a customer that others changed in each round of a call."""
    return _and(refused, f"others changed it in every round of this call, of which there were {rounds}")


def _and(refused: errors.PreconditionFailed, more: str) -> errors.PreconditionFailed:
    error = copy(refused)
    error.args = (f"{refused.args[0]}; {more}",)
    return error


def status_error(
    operation: Operation[Any], response: httpx.Response, content: bytes, key_expires: datetime | None = None
) -> errors.StatusError:
    """Return the error for a status that is not success, whatever the body is."""
    status, entries = response.status_code, tuple(_error_entries(content))
    reason = entries[0].type if entries and _REASON.fullmatch(entries[0].type) else ""
    retry_after = _retry_after(response.headers.get("retry-after", ""))
    error_class = _CLASSES.get(status, errors.StatusError)
    advice = [error_class.advice]
    paths = (field_path(detail) for entry in entries for detail in entry.details)
    if fields := list(dict.fromkeys(filter(None, paths)))[:_MOST_FIELDS]:
        advice.append(f"fields: {', '.join(fields)}")
    if status == HTTPStatus.PRECONDITION_FAILED and '"' in operation.headers.get("if-match", ""):
        advice.append("the ETag that was sent has quotes: send it as record.etag has it")
    if status == HTTPStatus.UNAUTHORIZED:
        advice += _likely_causes(response, key_expires)
    if retry_after is not None:
        advice.append(f"the service asks to wait {retry_after:.0f} s")
    return error_class(
        f"{f'{status} {reason}'.rstrip()} ({_describe(operation, response)}): {'; '.join(advice)}",
        status_code=status,
        errors=entries,
        correlation_id=response.headers.get("v-c-correlation-id"),
        unique_transaction_id=response.headers.get("uniqueTransactionID"),
        retry_after=retry_after,
    )


def _likely_causes(response: httpx.Response, key_expires: datetime | None) -> Iterator[str]:
    """Yield why the service is likely to have refused the credentials."""
    ahead = seconds_ahead(response.headers)
    if key_expires and key_expires <= datetime.now(UTC):
        yield f"the certificate of the signing key expired on {key_expires:%Y-%m-%d}"
    if ahead is not None and abs(ahead) > CLOCK_TOLERANCE:
        yield f"this machine's clock is likely wrong: it is {describe_seconds_ahead(ahead)} the service's"


def field_path(detail: errors.ErrorDetail) -> str | None:
    """Return where a refused field is, such as `defaultPaymentInstrument.id`; None if the spec has no such names."""
    names, last = (_SEPARATORS.sub(" ", text or "").split() for text in (detail.location, detail.name))
    if names[-len(last) :] != last:
        names += last
    known = api_names()
    return ".".join(names) if all(name in known or _INDEX.fullmatch(name) for name in names) else None


def unreadable(
    operation: Operation[Any], response: httpx.Response, problem: str, *, is_transient: bool = False
) -> errors.UnreadableResponse:
    """Return the error for a response that cannot be understood or decrypted."""
    return errors.UnreadableResponse(
        f"{response.status_code} ({_describe(operation, response)}): the response {problem}",
        status_code=response.status_code,
        correlation_id=response.headers.get("v-c-correlation-id"),
        is_transient=is_transient,
    )


def log_response(operation: Operation[Any], response: httpx.Response, started: float, attempt: int) -> None:
    """Write the DEBUG line of a response to an exchange that started at a `time.monotonic()`."""
    if log.isEnabledFor(logging.DEBUG):
        correlation_id = printable(response.headers.get("v-c-correlation-id"))
        milliseconds = round((time.monotonic() - started) * 1000)
        facts = {
            "status": response.status_code,
            "attempt": attempt,
            "correlation_id": correlation_id,
            "milliseconds": milliseconds,
            "clock_seconds_ahead": seconds_ahead(response.headers),
            **operation.log_fields,
        }
        names = ", ".join(operation.fields) or "none"
        text = "%s -> %d in %d ms, correlation id %s, fields %s"
        log.debug(text, str(operation), response.status_code, milliseconds, correlation_id, names, extra=facts)


def printable(text: str | None) -> str:
    """Return what a peer sent as it may stand in a message or a log line: short, and in printable ASCII."""
    return "none" if text is None else re.sub("[^ -~]", "?", text[:_LONGEST_TEXT])


def seconds_ahead(headers: httpx.Headers) -> float | None:
    """Return how far our clock is ahead of the service's, negative if it is behind; None without a readable `Date`."""
    until = _seconds_until(headers.get("date", ""))
    return None if until is None else -until


def describe_seconds_ahead(seconds: float) -> str:
    """Return such a difference in words."""
    return f"{abs(seconds):.0f} s {'behind' if seconds < 0 else 'ahead of'}"


def _describe(operation: Operation[Any], response: httpx.Response) -> str:
    return f"{operation}, correlation id {printable(response.headers.get('v-c-correlation-id'))}"


def _error_entries(content: bytes) -> Iterator[errors.ErrorEntry]:
    """Yield the reasons in a body. The service writes them in several forms, which are read as far as they go."""
    try:
        body: Any = _parse_json(content)
    except (ValueError, RecursionError):
        return
    if isinstance(body, Mapping):
        whole = cast("Mapping[str, Any]", body)
        entries = whole.get("errors") or [whole.get("error") or whole.get("response") or whole]
        for entry in _objects(entries):
            reason, message = _text(entry, "type", "reason"), _text(entry, "message", "rmsg")
            details = [
                errors.ErrorDetail(_text(each, "name", "field"), _text(each, "location") or None)
                for each in _objects(entry.get("details"))
            ]
            if reason or message or details:
                yield errors.ErrorEntry(reason, message, tuple(details))


def _objects(value: object) -> list[Mapping[str, Any]]:
    values = cast("list[object]", value)[:_MOST_ENTRIES] if isinstance(value, list) else []
    return [cast("Mapping[str, Any]", each) for each in values if isinstance(each, Mapping)]


def _text(entry: Mapping[str, Any], *names: str) -> str:
    return next((entry[name] for name in names if isinstance(entry.get(name), str)), "")


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
