"""One attempt of a call: build, encrypt, sign, send, read, decrypt, check. The two clients' are twins, line by line."""

import json
import time
import zlib
from contextlib import aclosing, closing
from typing import Any

import anyio
import httpx
from attrs import evolve

from cybersource_tms._calls.records import Call, Result
from cybersource_tms._calls.requests import Settings
from cybersource_tms._calls.responses import (
    BodyRefused,
    Response,
    broken_off,
    check_response,
    connection_failed,
    log_response,
    unreadable,
)
from cybersource_tms._credentials.json_web_token import JsonWebTokenAuth
from cybersource_tms._credentials.message_encryption import DecryptionFailed, MessageEncryption
from cybersource_tms._http.connections import AsyncConnections, SyncConnections
from cybersource_tms._version import __version__
from cybersource_tms.errors import CybersourceError

_MEDIA_TYPE = "application/json;charset=utf-8"
_HEADERS = {
    "Accept": _MEDIA_TYPE,
    "Accept-Encoding": "gzip",
    "Connection": "keep-alive",
    "Content-Type": _MEDIA_TYPE,  # on GET too: the service's guide, "JSON Web Token with a shared secret"
    "User-Agent": f"cybersource-tms/{__version__}",
}
_LARGEST = 2**24  # bytes of a body, decompressed; the service's _embedded can be large
_SUCCESS = 2  # the first digit of a status
_GZIP = 31  # zlib's name for it


def attempt(connections: SyncConnections, call: Call[Result], deadline: float) -> Result:
    """Make one attempt, which sends nothing after the deadline: a time of `time.monotonic()`.

    Raises:
        CybersourceError: Of any kind; nothing else is raised.
    """
    limits = TimeLimits(connections.settings.timeout, deadline)
    try:
        request = build_request(call, connections.settings, limits)
        with connections.borrow() as http:
            limits.start(is_custom=connections.is_custom)
            response = read(call, http.send(request, stream=True), limits)
            return check_response(call, decrypt(call, response, connections.settings.encryption))
    except CybersourceError:
        raise
    except Exception as error:
        raise connection_failed(call, error, sent=limits.sending, is_custom=connections.is_custom) from error


async def async_attempt(connections: AsyncConnections, call: Call[Result], deadline: float) -> Result:
    """Make one attempt, which ends at the deadline, in a task of its own.

    A task that is cancelled from outside can leave a connection of httpcore's pool in use for ever. One that is
    cancelled by its own scope cleans up first.
    """
    limits = TimeLimits(connections.settings.timeout, deadline)
    outcome: list[Result | BaseException] = []
    async with anyio.create_task_group() as tasks:
        tasks.cancel_scope.deadline = anyio.current_time() + deadline - time.monotonic()
        tasks.start_soon(_keep_outcome, connections, call, limits, outcome)
    if not outcome:
        raise connection_failed(call, DeadlinePassed(), sent=limits.sending)
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


async def _keep_outcome(
    connections: AsyncConnections, call: Call[Result], limits: "TimeLimits", outcome: list[Result | BaseException]
) -> None:
    try:
        result = await _attempt(connections, call, limits)
        outcome.append(result)
    except anyio.get_cancelled_exc_class():
        raise
    except BaseException as error:  # noqa: BLE001 - raised again outside of the group, which would wrap it
        outcome.append(error)


async def _attempt(connections: AsyncConnections, call: Call[Result], limits: "TimeLimits") -> Result:
    try:
        request = build_request(call, connections.settings, limits)
        async with connections.borrow() as http:
            limits.start(is_custom=connections.is_custom)
            response = await async_read(call, await http.send(request, stream=True), limits)
            return check_response(call, decrypt(call, response, connections.settings.encryption))
    except CybersourceError:
        raise
    except Exception as error:
        raise connection_failed(call, error, sent=limits.sending, is_custom=connections.is_custom) from error


class DeadlinePassed(httpx.TimeoutException):
    """The call has used up its `total_time`."""

    def __init__(self) -> None:
        super().__init__("total_time is over")


class TimeLimits(dict[str, float]):
    """The time-outs of one attempt, none of which goes beyond the call's deadline.

    httpcore asks for `connect`, `write` or `read` right before it does that, so it connects and sends nothing too late,
    and where it has not asked for `write`, nothing was sent.
    """

    def __init__(self, timeout: httpx.Timeout, deadline: float) -> None:
        super().__init__({step: seconds or 0.0 for step, seconds in timeout.as_dict().items()})
        self._deadline = deadline
        self.sending = False
        self.started = 0.0

    def get(self, step: str, default: Any = None) -> Any:
        """Return the seconds that a step may take from now on."""
        left = self.time_left()
        if step == "write":
            self.sending = True
        seconds = super().get(step, default)
        return seconds if seconds is None else min(seconds, left)

    def time_left(self) -> float:
        """Return the seconds to the deadline.

        Raises:
            DeadlinePassed: There are none.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise DeadlinePassed
        return left

    def start(self, *, is_custom: bool) -> None:
        """Begin to send. A custom transport does not say when it does, so its request counts as sent from now on."""
        self.time_left()
        self.sending = is_custom
        self.started = time.monotonic()


def build_request(call: Call[Any], settings: Settings, limits: TimeLimits) -> httpx.Request:
    """Return the generated code's request, encrypted if there is encryption, and signed with a token.

    Other credentials sign it when it is sent.

    Raises:
        InvalidRequest: It cannot be encrypted.
    """
    content: bytes | None = None
    extensions: dict[str, Any] = {"timeout": limits}
    if "json" in call.request:
        content = json.dumps(call.request["json"], ensure_ascii=False, separators=(",", ":")).encode()
    if encryption := settings.encryption:
        content = content and encryption.encrypt_request(content)
    headers = _HEADERS | call.request.get("headers", {})
    request = httpx.Request(
        call.method, settings.base_url + call.path, headers=headers, content=content, extensions=extensions
    )
    if isinstance(settings.auth, JsonWebTokenAuth):
        settings.auth.sign(request, settings.host, call.path, encryption.response_key_id if encryption else None)
    return request


def decrypt(call: Call[Any], response: Response, encryption: MessageEncryption | None) -> Response:
    """Return a response in plain text. A success that has no body, as the spec says, is not encrypted.

    An error in plain text is passed through: a gateway, or a service that rejects the token, cannot encrypt, and such a
    response holds no customer. Nor does an error that cannot be decrypted hide its status.

    Raises:
        UnreadableResponse: A success that is not encrypted, though it should be, or that cannot be decrypted.
    """
    if not encryption or not encryption.response_key_id or call.has_no_body(response.status_code):
        return response
    is_success = response.status_code // 100 == _SUCCESS
    try:
        plain = encryption.decrypt_response(response.content)
    except DecryptionFailed as error:
        if is_success:
            raise unreadable(call, response, f"cannot be decrypted ({error})") from error
        plain = b""
    if plain is None and is_success:
        raise unreadable(call, response, "is in plain text, and an encrypted one was asked for")
    return response if plain is None else evolve(response, content=plain)


def read(call: Call[Any], response: httpx.Response, limits: TimeLimits) -> Response:
    """Read a response to its end, and log it."""
    status, headers = response.status_code, response.headers
    try:
        with closing(response):
            body = Body(response)
            for chunk in response.iter_bytes():
                limits.time_left()
                body.add(chunk)
        log_response(call, Response(status, headers, b""), time.monotonic() - limits.started)
        return Response(status, headers, body.content())
    except Exception as error:
        raise broken_off(call, Response(status, headers, b""), error) from error


async def async_read(call: Call[Any], response: httpx.Response, limits: TimeLimits) -> Response:
    """Read a response to its end, and log it."""
    status, headers = response.status_code, response.headers
    try:
        async with aclosing(response):
            body = Body(response)
            async for chunk in response.aiter_bytes():
                limits.time_left()
                body.add(chunk)
        log_response(call, Response(status, headers, b""), time.monotonic() - limits.started)
        return Response(status, headers, body.content())
    except Exception as error:
        raise broken_off(call, Response(status, headers, b""), error) from error


class Body:
    """The body of a response, decompressed here and not by httpx: a few bytes of gzip can hold gigabytes.

    Raises:
        BodyRefused: It is too large, or is not compressed as was asked for.
    """

    def __init__(self, response: httpx.Response) -> None:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding != "identity":
            del response.headers["content-encoding"]
        is_loaded = response.is_stream_consumed  # a custom transport's, which httpx has decompressed already
        if not is_loaded and encoding not in {"identity", "gzip"}:
            raise BodyRefused("is compressed in a way that was not asked for")
        self._gunzip = zlib.decompressobj(_GZIP) if encoding == "gzip" and not is_loaded else None
        self._content = bytearray()

    def add(self, chunk: bytes) -> None:
        """Add what was read."""
        try:
            self._content += self._gunzip.decompress(chunk, _LARGEST + 1) if self._gunzip else chunk
        except zlib.error as error:
            raise BodyRefused("is wrongly compressed") from error
        if len(self._content) > _LARGEST:
            raise BodyRefused(f"is larger than {_LARGEST} bytes")

    def content(self) -> bytes:
        """Return the whole body."""
        if self._gunzip and not self._gunzip.eof:
            raise BodyRefused("is wrongly compressed")
        return bytes(self._content)
