"""The `httpx` clients underneath: they encrypt, judge each answer before it is parsed, and keep no cookie."""

import json
import logging
import time
from typing import Any

import httpx

from ._changed_fields import field_paths
from ._encryption import MessageEncryption
from ._responses import FIELDS, judge, log, reading
from ._retries import TimeLeft
from .errors import InvalidRequest


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """Keep nothing: many share a client, and what the service hands to one is not for the next."""


_NO_COOKIES = _NoCookies()


class SyncHttp(httpx.Client):
    """An `httpx.Client` that does all this."""

    def __init__(self, encryption: MessageEncryption | None, **settings: Any) -> None:
        super().__init__(**settings)
        self._encryption = encryption

    @property  # type: ignore[misc]  # httpx has a setter too, for which there is no use
    def cookies(self) -> httpx.Cookies:  # pyright: ignore[reportIncompatibleMethodOverride]
        """There are none."""
        return _NO_COOKIES

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Encrypt the body, if there is encryption."""
        return super().build_request(method, url, **sealed(options, self.timeout, self._encryption))

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Return only answers that were judged good."""
        options["stream"] = True
        started = time.perf_counter()
        response = super().send(request, **options)
        try:
            with reading(response):
                response.read()
        finally:
            response.close()
        return judged(response, self._encryption, time.perf_counter() - started)


class AsyncHttp(httpx.AsyncClient):
    """An `httpx.AsyncClient` that does all this."""

    def __init__(self, encryption: MessageEncryption | None, **settings: Any) -> None:
        super().__init__(**settings)
        self._encryption = encryption

    @property  # type: ignore[misc]  # httpx has a setter too, for which there is no use
    def cookies(self) -> httpx.Cookies:  # pyright: ignore[reportIncompatibleMethodOverride]
        """There are none."""
        return _NO_COOKIES

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Encrypt the body, if there is encryption."""
        return super().build_request(method, url, **sealed(options, self.timeout, self._encryption))

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Return only answers that were judged good."""
        options["stream"] = True
        started = time.perf_counter()
        response = await super().send(request, **options)
        try:
            with reading(response):
                await response.aread()
        finally:
            await response.aclose()
        return judged(response, self._encryption, time.perf_counter() - started)


def sealed(options: dict[str, Any], timeout: httpx.Timeout, encryption: MessageEncryption | None) -> dict[str, Any]:
    """Return the options of `build_request` with the body encrypted, and what is to be known of it in the extensions.

    Raises:
        InvalidRequest: The body cannot be encrypted.
    """
    body = options.get("json")
    extensions: dict[str, object] = {"timeout": TimeLeft(timeout.as_dict())}
    if log.isEnabledFor(logging.DEBUG):
        extensions[FIELDS] = field_paths(body or {})
    if encryption:
        if not options.get("content") is options.get("data") is options.get("files") is None:
            raise InvalidRequest("encryption: only bodies of JSON can be encrypted, so nothing was sent")
        extensions |= encryption.extensions
        if body is not None:
            plain = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
            options |= {"json": None, "content": encryption.seal(plain)}
    options["extensions"] = {**(options.get("extensions") or {}), **extensions}
    return options


def judged(response: httpx.Response, encryption: MessageEncryption | None, seconds: float) -> httpx.Response:
    """Return the answer in plain text, once it is one that the generated parser understands.

    Raises:
        StatusError: Another status than 200.
        UnreadableResponse: A 200 that is not a customer, or an answer that is not encrypted as it should be.
    """
    plain = encryption.open(response) if encryption else response
    judge(plain, seconds)
    return plain
