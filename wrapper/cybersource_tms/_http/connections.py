"""The `httpx` clients below a client of ours: each call in flight has one, with one connection, to itself.

So no call meets what another one left behind, whether that was cancelled, cut or got two responses: a connection is
only used again after a whole exchange about the right customer. All of them belong to the process and the event loop
that made them: after a fork, or in another loop, there are new ones. The others are left alone until their loop is
closed.
"""

import asyncio
import os
import ssl
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Generic, TypeVar

import anyio
import anyio.lowlevel
import httpx
from attrs import field, frozen

from cybersource_tms._calls.requests import Settings
from cybersource_tms._credentials.json_web_token import JsonWebTokenAuth
from cybersource_tms.errors import InvalidRequest, StatusError

_Http = TypeVar("_Http", httpx.Client, httpx.AsyncClient)
_Slots = TypeVar("_Slots", threading.Semaphore, anyio.Semaphore)

_Home = tuple[int, object]  # a process, and in it an event loop or None

_TLS_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
_PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """Keep nothing: many share a client, and what the service hands to one is not for the next."""


class _SyncHttp(httpx.Client):
    cookies = _NoCookies()  # type: ignore[override]  # there is no setter


class _AsyncHttp(httpx.AsyncClient):
    cookies = _NoCookies()  # type: ignore[override]  # there is no setter


@frozen
class _Pool(Generic[_Http, _Slots]):
    """What belongs to one process and event loop: the slots of calls, and the clients that are not in use."""

    slots: _Slots
    idle: deque[_Http] = field(factory=deque[_Http])


class _Connections(Generic[_Http, _Slots]):
    """What the connections of both clients share. A custom transport is used for all calls, and closed at the end.

    Raises:
        InvalidRequest: The machine's settings for TLS or proxies cannot be used; the message names the variables.
    """

    def __init__(
        self, kind: type[_Http], slots: Callable[[int], _Slots], settings: Settings, hook: object, transport: object
    ) -> None:
        self.settings = settings
        self.closed = False
        # Of what it sends and raises, a transport of somebody else's says nothing that can be relied upon.
        self.is_custom = type(transport) not in {type(None), httpx.HTTPTransport, httpx.AsyncHTTPTransport}
        self._kind: type[_Http] = kind
        self._slots: Callable[[int], _Slots] = slots
        self._transport = transport
        uses_tls = settings.base_url.startswith("https:")  # plain http is to this machine, so never through a proxy
        self._options: dict[str, Any] = {
            "auth": None if isinstance(settings.auth, JsonWebTokenAuth) else settings.auth,
            "event_hooks": {"response": [hook]},
            "limits": httpx.Limits(max_connections=1),
            "transport": transport,
            "trust_env": uses_tls,
            # Where nothing uses it, one that trusts nobody: loading certificates takes 20 ms.
            "verify": _tls_context() if uses_tls and not transport else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        }
        # The first client is made at once, so that settings that cannot be used are refused here.
        self._unused: deque[_Http] = deque([self._open()])
        # Those of other processes are kept, or the garbage collector would close their sockets.
        self._pools: dict[_Home, _Pool[_Http, _Slots]] = {}

    def _pool_of(self, home: _Home) -> _Pool[_Http, _Slots]:
        if self.closed:
            raise InvalidRequest("this client is closed: make a new one")
        if home in self._pools:
            return self._pools[home]
        others = [each for each in list(self._pools) if each != home]
        if others and self._transport:
            raise InvalidRequest("transport: it is of another process or event loop, so make a client in this one")
        for ended in filter(_has_ended, others):
            self._pools.pop(ended, None)
        # Threads that come here at the same time get the same pool.
        return self._pools.setdefault(home, _Pool(self._slots(self.settings.max_connections)))

    def _take(self, pool: _Pool[_Http, _Slots]) -> _Http:
        for free in (pool.idle, self._unused):
            with suppress(IndexError):
                return free.pop()
        return self._open()

    def _open(self) -> _Http:
        try:
            http: _Http = self._kind(**self._options)
        except Exception as error:  # noqa: BLE001 - of many kinds, some of which quote a proxy's password
            problem = type(error).__name__
        else:
            return http
        raise _unusable(_PROXY_VARIABLES, problem)

    def _to_close(self, home: _Home) -> Iterator[_Http]:
        self.closed = True
        if self._transport:
            yield self._open()  # closing it closes the transport
        elif home in self._pools:
            idle = self._pools[home].idle
            while idle:
                yield idle.pop()


class SyncConnections(_Connections[httpx.Client, threading.Semaphore]):
    """The connections of a `CustomersClient`."""

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None) -> None:
        super().__init__(_SyncHttp, threading.Semaphore, settings, _ignore_location, transport)

    def slots(self) -> threading.Semaphore:
        """Return what each call holds from its first attempt to its last, so that only `max_connections` calls do.

        Raises:
            InvalidRequest: As from `borrow`.
        """
        return self._pool_of((os.getpid(), None)).slots

    @contextmanager
    def borrow(self) -> Generator[httpx.Client]:
        """Lend a client for one exchange. If that ends without a record or a `StatusError`, its connection is closed.

        Raises:
            InvalidRequest: The client is closed, or its custom transport is of another process.
        """
        pool = self._pool_of((os.getpid(), None))
        http, in_order = self._take(pool), False
        try:
            yield http
            in_order = True
        except StatusError:
            in_order = True
            raise
        finally:
            if in_order and not self.closed:
                pool.idle.append(http)
            elif not self._transport:
                http.close()

    def close(self) -> None:
        """Close what is not in use; what is in use is closed when its exchange ends."""
        for http in self._to_close((os.getpid(), None)):
            http.close()


class AsyncConnections(_Connections[httpx.AsyncClient, anyio.Semaphore]):
    """The connections of an `AsyncCustomersClient`."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None) -> None:
        super().__init__(_AsyncHttp, anyio.Semaphore, settings, _ignore_location_async, transport)

    def slots(self) -> anyio.Semaphore:
        """Return what each call holds, as `SyncConnections.slots` does."""
        return self._pool_of(_this_loop()).slots

    @asynccontextmanager
    async def borrow(self) -> AsyncGenerator[httpx.AsyncClient]:
        """Lend a client for one exchange, as `SyncConnections.borrow` does."""
        pool = self._pool_of(_this_loop())
        http, in_order = self._take(pool), False
        try:
            yield http
            in_order = True
        except StatusError:
            in_order = True
            raise
        finally:
            if in_order and not self.closed:
                pool.idle.append(http)
            elif not self._transport:
                with anyio.CancelScope(shield=True):
                    await http.aclose()

    async def close(self) -> None:
        """Close what is not in use; what is in use is closed when its exchange ends."""
        for http in self._to_close(_this_loop()):
            await http.aclose()


def _this_loop() -> _Home:
    return os.getpid(), anyio.lowlevel.current_token().native_token


def _has_ended(home: _Home) -> bool:
    """Say whether a home is a closed event loop of asyncio: trio does not tell."""
    return isinstance(home[1], asyncio.AbstractEventLoop) and home[1].is_closed()


def _ignore_location(response: httpx.Response) -> None:
    """Keep `httpx` from parsing where a redirect leads: none is followed, and it raises what it finds wrong there."""
    if response.has_redirect_location:
        del response.headers["Location"]


async def _ignore_location_async(response: httpx.Response) -> None:
    _ignore_location(response)


def _tls_context() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except Exception as error:  # noqa: BLE001 - of many kinds: no such file, no certificate in it, ...
        problem = type(error).__name__
    raise _unusable(_TLS_VARIABLES, problem)


def _unusable(variables: tuple[str, ...], problem: str) -> InvalidRequest:
    present = [name for name in os.environ if name.upper() in variables and os.environ[name]]
    names = ", ".join(present) or "the system's settings"
    return InvalidRequest(f"{names}: cannot be used ({problem}); correct or remove what is wrong")
