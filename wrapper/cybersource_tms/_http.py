"""The `httpx` clients underneath: every answer is judged before the generated parser sees it, and no cookie is kept."""

from typing import Any

import httpx

from ._answers import judge, reading


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """Keep nothing: many share a client, and what the service hands to one is not for the next."""


_NO_COOKIES = _NoCookies()


class SyncHttp(httpx.Client):
    """An `httpx.Client` that judges answers and keeps no cookies."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, event_hooks={"response": [_judge]})

    @property  # type: ignore[misc]  # httpx has a setter too, for which there is no use
    def cookies(self) -> httpx.Cookies:  # pyright: ignore[reportIncompatibleMethodOverride]
        """There are none."""
        return _NO_COOKIES


class AsyncHttp(httpx.AsyncClient):
    """An `httpx.AsyncClient` that judges answers and keeps no cookies."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, event_hooks={"response": [_ajudge]})

    @property  # type: ignore[misc]  # httpx has a setter too, for which there is no use
    def cookies(self) -> httpx.Cookies:  # pyright: ignore[reportIncompatibleMethodOverride]
        """There are none."""
        return _NO_COOKIES


def _judge(response: httpx.Response) -> None:
    with reading(response):
        response.read()
    judge(response)


async def _ajudge(response: httpx.Response) -> None:
    with reading(response):
        await response.aread()
    judge(response)
