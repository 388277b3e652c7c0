"""One attempt of an operation, step by step. The sync and the async one mirror each other."""

import json
import logging
import zlib
from contextlib import aclosing, closing
from datetime import datetime
from typing import Any

import anyio
import httpx

from cybersource_tms._calls.requests import Operation, Result
from cybersource_tms._calls.responses import decrypt_response, log_response, parse_response, status_error, unreadable
from cybersource_tms._calls.retries import Attempts, Call
from cybersource_tms._calls.settings import HEADERS, Settings
from cybersource_tms._credentials.json_web_token import JsonWebTokenAuth
from cybersource_tms.errors import ConnectionFailed, CybersourceError, InvalidRequest, TimedOut

from .connection import Connection, DeadlinePassed

log = logging.getLogger("cybersource_tms")

_LARGEST = 2**24  # bytes of a customer, decompressed; the service's _embedded can be large
_LARGEST_ERROR = 2**20
_GZIP = 31  # zlib's name for it

# What httpx raises for wrong settings or requests: it will be as wrong the next time.
_PERMANENT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"  # OpenSSL's name: not trusted, or for another host
_PROXY_REFUSES = {"407": "check the proxy's user name and password", "403": "check whether the proxy allows this host"}

# What httpx and the system raise because of the network. Anything else stays what it is.
_NETWORK_ERRORS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError)


def attempt(
    connection: Connection[httpx.BaseTransport],
    operation: Operation[Result],
    attempts: Attempts,
    settings: Settings,
    call: Call,
) -> Result:
    """Make one attempt, and return what the service returned.

    Raises:
        CybersourceError: Of any kind. An exception that is neither the network's nor ours comes out as itself.
    """
    connection.begin(attempts, settings.timeout, call)
    request = build_request(connection, operation, settings)
    sign_request(request, operation, settings)
    response = send(connection, request, operation, attempts)
    content = read_body(connection, response, operation, attempts)
    log_response(operation, response, connection.started, attempts.failed + 1)
    plain = decrypt_response(operation, response, content, settings.encryption)
    return parse_response(operation, response, plain, expiry_of(settings.auth), call.requests)


async def async_attempt(
    connection: Connection[httpx.AsyncBaseTransport],
    operation: Operation[Result],
    attempts: Attempts,
    settings: Settings,
    call: Call,
) -> Result:
    """Make one attempt, as `attempt` does."""
    connection.begin(attempts, settings.timeout, call)
    request = build_request(connection, operation, settings)
    await async_sign_request(request, operation, attempts, settings, call)
    response = await async_send(connection, request, operation, attempts)
    content = await async_read_body(connection, response, operation, attempts)
    log_response(operation, response, connection.started, attempts.failed + 1)
    plain = decrypt_response(operation, response, content, settings.encryption)
    return parse_response(operation, response, plain, expiry_of(settings.auth), call.requests)


def build_request(connection: Connection[Any], operation: Operation[Any], settings: Settings) -> httpx.Request:
    """Return the request, encrypted if there is encryption."""
    content: bytes | None = None
    if operation.body is not None:
        content = json.dumps(operation.body, ensure_ascii=False, separators=(",", ":")).encode()
        if settings.encryption:
            content = settings.encryption.encrypt_request(content)
    # What a caller's transport has left over on a connection cannot be seen, so that is not used again.
    headers = {**HEADERS, **settings.headers, "Connection": "keep-alive" if connection.keeps_alive else "close"}
    return httpx.Request(
        operation.method,
        settings.base_url + operation.path,
        headers=headers | operation.request.get("headers", {}),
        content=content,
        extensions={"timeout": connection.timeouts},
    )


def sign_request(request: httpx.Request, operation: Operation[Any], settings: Settings) -> None:
    """Sign a request for the environment's host. Credentials that are not ours have to sign it in their first step."""
    if isinstance(settings.auth, JsonWebTokenAuth):
        response_key_id = settings.encryption.response_key_id if settings.encryption else None
        settings.auth.sign(request, settings.environment.host, operation.path, response_key_id)
    else:
        with closing(settings.auth.sync_auth_flow(request)) as steps:
            check_signed(request, next(steps))


async def async_sign_request(
    request: httpx.Request, operation: Operation[Any], attempts: Attempts, settings: Settings, call: Call
) -> None:
    """Sign a request, as `sign_request` does. The deadline ends it."""
    if isinstance(settings.auth, JsonWebTokenAuth):
        sign_request(request, operation, settings)
        return
    with anyio.move_on_after(call.seconds_left()) as scope:
        async with aclosing(settings.auth.async_auth_flow(request)) as steps:
            check_signed(request, await anext(steps))
    if scope.cancelled_caught:
        raise network_error(operation, attempts, DeadlinePassed())


def check_signed(request: httpx.Request, signed: httpx.Request) -> None:
    """Refuse what credentials return if it is another request: one for a token, perhaps."""
    if signed is not request:
        raise InvalidRequest("auth: it has to sign the request that it is given, in its first step")


def expiry_of(auth: httpx.Auth) -> datetime | None:
    """Return when the signing key's certificate expires; None if there is none."""
    return auth.expires if isinstance(auth, JsonWebTokenAuth) else None


def send(
    connection: Connection[httpx.BaseTransport], request: httpx.Request, operation: Operation[Any], attempts: Attempts
) -> httpx.Response:
    """Send a request, and return the response, whose body is not read yet.

    The connection's trace sets `attempts.request_sent` as soon as the first bytes of the request are to be sent.
    """
    request.extensions["trace"] = connection.trace
    try:
        connection.start_sending()
        return connection.transport.handle_request(request)
    except _NETWORK_ERRORS as error:
        raise network_error(operation, attempts, error, is_custom=connection.is_custom) from error


async def async_send(
    connection: Connection[httpx.AsyncBaseTransport],
    request: httpx.Request,
    operation: Operation[Any],
    attempts: Attempts,
) -> httpx.Response:
    """Send a request, as `send` does. The deadline ends it."""
    request.extensions["trace"] = connection.async_trace
    try:
        connection.start_sending()
        with anyio.move_on_after(connection.seconds_left()):
            return await connection.transport.handle_async_request(request)
        raise DeadlinePassed  # which has ended the block
    except _NETWORK_ERRORS as error:
        raise network_error(operation, attempts, error, is_custom=connection.is_custom) from error


def read_body(
    connection: Connection[httpx.BaseTransport], response: httpx.Response, operation: Operation[Any], attempts: Attempts
) -> bytes:
    """Read the body of a response to its end. What comes after it on the connection is never read."""
    try:
        with closing(response):
            body = Body(response, is_success=response.status_code in operation.success_models)
            for chunk in response.iter_bytes() if response.is_stream_consumed else response.iter_raw():
                connection.check_deadline()
                body.add(chunk)
        content = body.content()
    except _NETWORK_ERRORS as error:
        raise broken_off(operation, attempts, response, error) from error
    if connection.has_leftovers():
        connection.stream.close()
    return content


async def async_read_body(
    connection: Connection[httpx.AsyncBaseTransport],
    response: httpx.Response,
    operation: Operation[Any],
    attempts: Attempts,
) -> bytes:
    """Read the body of a response, as `read_body` does. The deadline ends it."""
    try:
        async with aclosing(response):
            body = Body(response, is_success=response.status_code in operation.success_models)
            with anyio.move_on_after(connection.seconds_left()) as scope:
                async for chunk in response.aiter_bytes() if response.is_stream_consumed else response.aiter_raw():
                    body.add(chunk)
        if scope.cancelled_caught:
            raise DeadlinePassed
        content = body.content()
    except _NETWORK_ERRORS as error:
        raise broken_off(operation, attempts, response, error) from error
    if connection.has_leftovers():
        await connection.stream.aclose()
    return content


class BodyRefused(httpx.DecodingError):
    """Why a body is not read to its end, in words that may stand in a message."""


class Body:
    """The body of a response, decompressed here and not by httpx: a few bytes of gzip can hold gigabytes."""

    def __init__(self, response: httpx.Response, *, is_success: bool) -> None:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if response.is_stream_consumed:  # a caller's transport's, which httpx has decompressed already
            encoding = "identity"
        if encoding not in {"identity", "gzip"}:
            raise BodyRefused("is compressed in a way that was not requested")
        self._gunzip = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
        self._largest = _LARGEST if is_success else _LARGEST_ERROR
        self._content = bytearray()

    def add(self, chunk: bytes) -> None:
        """Add what was read."""
        try:
            self._content += self._gunzip.decompress(chunk, self._largest + 1) if self._gunzip else chunk
        except zlib.error as error:
            raise BodyRefused("is wrongly compressed") from error
        if self._gunzip and self._gunzip.unused_data:
            raise BodyRefused("goes on after its end")
        if len(self._content) > self._largest:
            raise BodyRefused(f"is larger than {self._largest} bytes")

    def content(self) -> bytes:
        """Return the whole body."""
        if self._gunzip and not self._gunzip.eof:
            raise BodyRefused("is wrongly compressed")
        return bytes(self._content)


def network_error(
    operation: Operation[Any], attempts: Attempts, error: Exception, *, is_custom: bool = True
) -> ConnectionFailed:
    """Return the error for an attempt without a whole response."""
    log.debug("%s %s failed: %s", operation.method, operation.path, type(error).__name__, extra=operation.log_fields)
    is_time_out = isinstance(error, httpx.TimeoutException | TimeoutError)
    details = [f"{type(error).__name__} ({operation.method} {operation.path})"]
    # Other messages of httpx can quote headers.
    if isinstance(error, httpx.ConnectError | httpx.UnsupportedProtocol | DeadlinePassed) and not is_custom:
        details[0] += f": {error}"
    refusal = _proxy_status(error)
    if refusal:
        details.append(f"the proxy responded with {refusal}: {_PROXY_REFUSES.get(refusal, 'it may be overloaded')}")
    if not attempts.request_sent:
        details.append("nothing was sent in this attempt")
    return (TimedOut if is_time_out else ConnectionFailed)(
        "; ".join(details),
        may_have_been_applied=attempts.request_sent,
        is_transient=not (isinstance(error, _PERMANENT) or refusal in _PROXY_REFUSES or _UNTRUSTED in str(error)),
    )


def broken_off(
    operation: Operation[Any], attempts: Attempts, response: httpx.Response, error: Exception
) -> CybersourceError:
    """Return the error for a response whose body could not be read to its end."""
    if response.status_code not in operation.success_models:
        return status_error(operation, response, b"")  # it says more than the body would have said
    if isinstance(error, BodyRefused):
        return unreadable(operation, response, str(error))
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return network_error(operation, attempts, error)
    return unreadable(operation, response, "broke off", is_transient=True)


def _proxy_status(error: Exception) -> str | None:
    """Return the status with which a proxy refused to connect; httpx only has it in the message."""
    status = str(error)[:3]
    return status if isinstance(error, httpx.ProxyError) and status.isdigit() else None
