"""What the sync and the async client share: how a client is made, and its settings."""

import os
import ssl
from collections.abc import Mapping
from copy import copy
from typing import Any, ClassVar, Generic, Self, TypeVar

import httpx
from attrs import evolve

from cybersource_tms_api.types import UNSET, Unset

from ._calls.environment import Environment, resolve_base_url, resolve_environment
from ._calls.retries import Retries
from ._calls.settings import DEFAULT_CONNECTIONS, DEFAULT_RETRIES, DEFAULT_TIMEOUT, Settings
from ._credentials import variables
from ._credentials.arguments import naming
from ._credentials.message_encryption import MessageEncryption
from ._tracebacks import raise_without_frames

_Transport = TypeVar("_Transport", httpx.BaseTransport, httpx.AsyncBaseTransport)


class BaseClient(Generic[_Transport]):
    """The settings and the connections of a client. See the client classes for the arguments."""

    _connections_class: ClassVar[Any]

    @raise_without_frames
    def __init__(
        self,
        environment: Environment | str,
        auth: httpx.Auth,
        *,
        timeout: float | httpx.Timeout = DEFAULT_TIMEOUT,
        retries: Retries | None = DEFAULT_RETRIES,
        profile_id: str | None = None,
        encryption: MessageEncryption | None = None,
        base_url: str | None = None,
        transport: _Transport | None = None,
        max_connections: int = DEFAULT_CONNECTIONS,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | httpx.Proxy | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        chosen = resolve_environment(environment)
        self._settings = Settings(
            environment=chosen,
            base_url=resolve_base_url(chosen, base_url),
            auth=auth,
            timeout=timeout,
            retries=retries,
            profile_id=profile_id,
            encryption=encryption,
            headers=headers,
            transport=transport,
            max_connections=max_connections,
            ssl_context=ssl_context,
            proxy=proxy,
        )
        self._connections = self._connections_class(self._settings)
        self._job: Any = None
        self._is_borrowing = False

    @classmethod
    @raise_without_frames
    def from_env(
        cls,
        *,
        timeout: float | httpx.Timeout = DEFAULT_TIMEOUT,
        retries: Retries | None = DEFAULT_RETRIES,
        profile_id: str | None = None,
        base_url: str | None = None,
        transport: _Transport | None = None,
        max_connections: int = DEFAULT_CONNECTIONS,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | httpx.Proxy | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Make a client from environment variables. The arguments are those of the class.

        It reads `CYBERSOURCE_ENVIRONMENT` (default `test`), `CYBERSOURCE_MERCHANT_ID` and `CYBERSOURCE_BASE_URL`; for
        a P12 `CYBERSOURCE_P12_PATH` and `CYBERSOURCE_P12_PASSWORD`, or for a shared secret `CYBERSOURCE_KEY_ID` and
        `CYBERSOURCE_SECRET_KEY`; `CYBERSOURCE_PORTFOLIO_ID` with a meta key; `CYBERSOURCE_MLE` (`off`, `request`,
        `response` or `both`) for message-level encryption. The response key is in `CYBERSOURCE_MLE_RESPONSE_P12_PATH`
        with `CYBERSOURCE_MLE_RESPONSE_P12_PASSWORD`, or in PEM in `CYBERSOURCE_MLE_RESPONSE_KEY_PATH`, if need be with
        `CYBERSOURCE_MLE_RESPONSE_KEY_PASSWORD`; `CYBERSOURCE_MLE_RESPONSE_KEY_ID` is its id, which a P12 holds as well.
        The service's certificate is in either P12, or in PEM in `CYBERSOURCE_MLE_REQUEST_CERTIFICATE_PATH`.

        Raises:
            InvalidRequest: Variables are missing or wrong, or contradict each other; the message names all of them.
        """
        settings = variables.settings(os.environ)
        settings["base_url"] = base_url or settings["base_url"]
        with naming(environment=variables.ENVIRONMENT, base_url="base_url" if base_url else variables.BASE_URL):
            return cls(
                **settings,
                timeout=timeout,
                retries=retries,
                profile_id=profile_id,
                transport=transport,
                max_connections=max_connections,
                ssl_context=ssl_context,
                proxy=proxy,
                headers=headers,
            )

    @raise_without_frames
    def with_options(
        self, *, timeout: float | httpx.Timeout | Unset = UNSET, retries: Retries | Unset | None = UNSET
    ) -> Self:
        """Return a client with other time-outs or retries and the same connections. Closing it does nothing.

        Args:
            timeout: As for the class; unchanged if it is not given.
            retries: As for the class; unchanged if it is not given.

        Raises:
            InvalidRequest: An argument is wrong.
        """
        options: dict[str, Any] = {"timeout": timeout, "retries": retries}
        given = {name: value for name, value in options.items() if not isinstance(value, Unset)}
        return self._borrow(evolve(self._settings, **given))

    def _borrow(self, settings: Settings, job: object = None) -> Self:
        """Return a client that shares these connections; closing it leaves them open. In a job, it waits for turns."""
        other = copy(self)
        other._settings, other._job, other._is_borrowing = settings, job, True  # noqa: SLF001 - a copy of this
        return other

    @property
    def environment(self) -> Environment:
        """The environment that requests are for."""
        return self._settings.environment

    @property
    def base_url(self) -> str:
        """The address that requests are sent to."""
        return self._settings.base_url

    @property
    def is_closed(self) -> bool:
        """Whether the client was closed."""
        return bool(self._connections.is_closed)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.base_url!r})"
