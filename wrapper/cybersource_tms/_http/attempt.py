"""One attempt of an operation, step by step. The sync and the async one mirror each other."""

import json
import logging
import re
import zlib
from contextlib import aclosing, closing
from typing import Any

import anyio
import httpx

from cybersource_tms._calls.requests import Operation, Result
from cybersource_tms._calls.responses import decrypt_response, log_response, parse_response, status_error, unreadable
from cybersource_tms._calls.retries import Attempts
from cybersource_tms._calls.settings import HEADERS, Settings
from cybersource_tms._credentials.json_web_token import JsonWebTokenAuth
from cybersource_tms.errors import ConnectionFailed, CybersourceError, InvalidRequest, TimedOut

from .connection import Connection, DeadlinePassed

log = logging.getLogger("cybersource_tms")

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_LARGEST = 2**24  # bytes of a customer, decompressed; the service's _embedded can be large
_LARGEST_ERROR = 2**20
_GZIP = 31  # the window of 32 KiB, and gzip's header: https://docs.python.org/3/library/zlib.html#zlib.decompressobj

# What httpx raises for wrong settings or requests. A retry would not help.
_PERMANENT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"  # OpenSSL's name: not trusted, or for another host
_PROXY_REFUSES = {"407": "check the proxy's user name and password", "403": "check whether the proxy allows this host"}
_PROXY_FAILS = re.compile("5..|429")

_TIME_OUTS = (httpx.TimeoutException, TimeoutError)
# What httpx and the system raise because of the network. Everything else comes out unchanged.
_NETWORK_ERRORS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError)


def attempt(connection: Connection[httpx.BaseTransport], attempts: Attempts[Result], settings: Settings) -> Result:
    """Make one attempt, and return what the service returned.

    Raises:
        CybersourceError: Of any kind. An exception that is neither the network's nor ours is raised unchanged.
    """
    connection.begin(attempts, settings.timeout)
    request = build_request(connection, settings)
    sign_request(request, attempts.operation, settings)
    response = send(connection, request)
    content = read_body(connection, response)
    log_response(attempts.operation, response, connection.started, attempts.failed + 1)
    plain = decrypt_response(attempts.operation, response, content, settings.encryption)
    return parse_response(attempts.operation, response, plain, settings.key_expires, attempts.call.requests)


async def async_attempt(
    connection: Connection[httpx.AsyncBaseTransport], attempts: Attempts[Result], settings: Settings
) -> Result:
    """Make one attempt, as `attempt` does."""
    connection.begin(attempts, settings.timeout)
    request = build_request(connection, settings)
    await async_sign_request(connection, request, settings)
    response = await async_send(connection, request)
    content = await async_read_body(connection, response)
    log_response(attempts.operation, response, connection.started, attempts.failed + 1)
    plain = decrypt_response(attempts.operation, response, content, settings.encryption)
    return parse_response(attempts.operation, response, plain, settings.key_expires, attempts.call.requests)


def build_request(connection: Connection[Any], settings: Settings) -> httpx.Request:
    """Return the request, encrypted if there is encryption."""
    operation, content = connection.attempts.operation, None
    if operation.body is not None:
        content = _JSON.encode(operation.body).encode()
        if settings.encryption:
            content = settings.encryption.encrypt_request(content)
    # Nobody can see what is left over on a connection of a caller's transport, so it is not reused.
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


async def async_sign_request(connection: Connection[Any], request: httpx.Request, settings: Settings) -> None:
    """Sign a request, as `sign_request` does. The deadline ends it."""
    if isinstance(settings.auth, JsonWebTokenAuth):
        sign_request(request, connection.attempts.operation, settings)
        return
    with anyio.move_on_after(connection.attempts.call.seconds_left()) as scope:
        async with aclosing(settings.auth.async_auth_flow(request)) as steps:
            check_signed(request, await anext(steps))
    if scope.cancelled_caught:
        raise network_error(connection, DeadlinePassed())


def check_signed(request: httpx.Request, signed: httpx.Request) -> None:
    """Refuse credentials that send another request first, such as one for a token."""
    if signed is not request:
        raise InvalidRequest("auth: it has to sign the request that it is given, in its first step")


def send(connection: Connection[httpx.BaseTransport], request: httpx.Request) -> httpx.Response:
    """Send a request, and return the response, whose body is not read yet."""
    request.extensions["trace"] = connection.trace
    try:
        connection.start_sending()
        return connection.transport.handle_request(request)
    except _NETWORK_ERRORS as error:
        raise network_error(connection, error) from error


async def async_send(connection: Connection[httpx.AsyncBaseTransport], request: httpx.Request) -> httpx.Response:
    """Send a request, as `send` does. The deadline ends it."""
    request.extensions["trace"] = connection.async_trace
    try:
        connection.start_sending()
        with anyio.move_on_after(connection.seconds_left()):
            return await connection.transport.handle_async_request(request)
        raise DeadlinePassed  # only reached if the deadline ended the block
    except _NETWORK_ERRORS as error:
        raise network_error(connection, error) from error


def read_body(connection: Connection[httpx.BaseTransport], response: httpx.Response) -> bytes:
    """Read the body of a response to its end. What follows it is never taken for a response."""
    try:
        with closing(response):
            body = Body(response, is_success=connection.attempts.operation.is_success(response))
            for chunk in response.iter_bytes() if response.is_stream_consumed else response.iter_raw():
                connection.check_deadline()
                body.add(chunk)
        content = body.content()
    except _NETWORK_ERRORS as error:
        raise broken_off(connection, response, error) from error
    if connection.has_leftovers():
        connection.stream.close()
    return content


async def async_read_body(connection: Connection[httpx.AsyncBaseTransport], response: httpx.Response) -> bytes:
    """Read the body of a response, as `read_body` does. The deadline ends it."""
    try:
        async with aclosing(response):
            body = Body(response, is_success=connection.attempts.operation.is_success(response))
            with anyio.move_on_after(connection.seconds_left()) as scope:
                async for chunk in response.aiter_bytes() if response.is_stream_consumed else response.aiter_raw():
                    body.add(chunk)
        if scope.cancelled_caught:
            raise DeadlinePassed
        content = body.content()
    except _NETWORK_ERRORS as error:
        raise broken_off(connection, response, error) from error
    if connection.has_leftovers():
        await connection.stream.aclose()
    return content


class BodyRefused(httpx.DecodingError):
    """Why a body is not read to its end. The message never quotes the body."""


class Body:
    """The body of a response, decompressed here and not by httpx: a few bytes of gzip can hold gigabytes."""

    def __init__(self, response: httpx.Response, *, is_success: bool) -> None:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        is_plain = encoding in {"identity", ""} or response.is_stream_consumed  # a custom transport's: httpx unpacks it
        if not is_plain and encoding not in {"gzip", "x-gzip"}:  # the same, RFC 9110 section 8.4.1.3
            raise BodyRefused("is compressed in a way that was not requested")
        self._gunzip = None if is_plain else zlib.decompressobj(_GZIP)
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


def network_error(connection: Connection[Any], error: Exception) -> ConnectionFailed:
    """Return the error for an attempt without a whole response."""
    operation, request_sent = connection.attempts.operation, connection.attempts.request_sent
    kind, text = type(error).__name__, str(error)
    log.debug("%s failed: %s", str(operation), kind, extra=operation.log_fields)
    details = [f"{kind} ({operation})"]
    # Other messages of httpx can quote headers.
    if isinstance(error, httpx.ConnectError | httpx.UnsupportedProtocol | DeadlinePassed) and not connection.is_custom:
        details[0] += f": {text}"
    # The message of httpx starts with the proxy's status.
    refusal = text[:3] if isinstance(error, httpx.ProxyError) and text[:3].isdigit() else None
    if refusal:
        advice = "it may be overloaded" if _PROXY_FAILS.fullmatch(refusal) else "check the proxy's address"
        details.append(f"the proxy responded with {refusal}: {_PROXY_REFUSES.get(refusal, advice)}")
    if not request_sent:
        details.append("nothing was sent in this attempt")
    return (TimedOut if isinstance(error, _TIME_OUTS) else ConnectionFailed)(
        "; ".join(details),
        may_have_been_applied=request_sent,
        is_transient=not (
            isinstance(error, _PERMANENT) or _UNTRUSTED in text or (refusal and not _PROXY_FAILS.fullmatch(refusal))
        ),
    )


def broken_off(connection: Connection[Any], response: httpx.Response, error: Exception) -> CybersourceError:
    """Return the error for a response whose body could not be read to its end."""
    operation = connection.attempts.operation
    if not operation.is_success(response):
        return status_error(operation, response, b"")  # the status says more than the body
    if isinstance(error, BodyRefused):
        return unreadable(operation, response, str(error))
    if isinstance(error, _TIME_OUTS):
        return network_error(connection, error)
    return unreadable(operation, response, "broke off", is_transient=True)
