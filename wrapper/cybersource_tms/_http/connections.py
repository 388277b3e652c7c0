"""Connections. Each read or update has one to itself, which is kept only if that succeeds or gets an error status.

So no call can see another one's leftovers, whether that was cancelled, cut or got two responses. A connection belongs
to the process and the event loop that made it: after a fork, or in another loop, there are new ones.
"""

import asyncio
import os
import ssl
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from typing import Any, ClassVar, Generic, TypeVar, cast

import anyio
import anyio.lowlevel
import httpx
from attrs import field, frozen

from cybersource_tms._calls.settings import Settings
from cybersource_tms.errors import InvalidRequest, StatusError

from .connection import Connection, Transport

_Made = TypeVar("_Made")
_Owner = tuple[int, object]  # a process, and in it an event loop or None

_TLS_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
_PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
# What httpx raises for settings that it cannot use: no such file, no certificate in it, no such scheme, no socksio, ...
_UNUSABLE = (OSError, ValueError, TypeError, ImportError, httpx.InvalidURL)
_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@frozen
class _Pool(Generic[Transport]):
    """What belongs to one process and event loop: the idle connections, and how many more calls may be in flight."""

    free: anyio.Semaphore
    idle: deque[Connection[Transport]] = field(factory=deque)  # pyright: ignore[reportUnknownVariableType]


class _Connections(Generic[Transport]):
    """What the connections of both clients share. A caller's transport is used for all calls, and closed at the end."""

    _http_class: ClassVar[type[httpx.Client | httpx.AsyncClient]]
    _transport_class: ClassVar[type]

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._shared: Transport | None = settings.transport
        if not isinstance(self._shared, self._transport_class | None):
            raise InvalidRequest(f"transport: this client needs an httpx.{self._transport_class.__name__}")
        self.is_closed = False
        self._is_custom = type(self._shared) not in {httpx.HTTPTransport, httpx.AsyncHTTPTransport}
        if self._shared is None:
            # Plain http uses none, so one that trusts nobody will do: loading certificates takes 20 ms.
            self._tls = settings.ssl_context or (_tls_context() if settings.uses_tls else _TRUSTS_NOBODY)
            self._open()  # so that settings that cannot be used are refused here
        # Those of the parent are kept after a fork: collecting them would close its sockets.
        self._pools: dict[_Owner, _Pool[Transport]] = {}

    def _pool_of(self, owner: _Owner) -> _Pool[Transport]:
        if self.is_closed:
            raise InvalidRequest("this client is closed: make a new one")
        if owner in self._pools:
            return self._pools[owner]
        if self._shared is not None and self._pools.keys() - {owner}:
            raise InvalidRequest("transport: it belongs to another process or event loop, so make a client in this one")
        self._abandon()
        # Threads that come here at the same time get the same pool.
        return self._pools.setdefault(owner, _Pool(anyio.Semaphore(self._settings.max_connections)))

    def _take(self, pool: _Pool[Transport]) -> Connection[Transport]:
        if self._shared is not None:
            return Connection(self._shared, keeps_alive=False, is_custom=self._is_custom)
        with suppress(IndexError):
            return pool.idle.pop()
        return Connection(self._open(), keeps_alive=True, is_custom=False)

    def _release(self, pool: _Pool[Transport], connection: Connection[Transport], *, reusable: bool) -> list[Any]:
        """Keep a connection that can be used again, and return the network streams to close.

        Idle ones whose peer has closed them are among these, and the oldest ones if there are too many.
        """
        if not connection.keeps_alive:
            return []
        to_close = [connection] if self.is_closed or not reusable or connection.is_closed else []
        if not to_close:
            pool.idle.append(connection)
        with suppress(IndexError):  # other threads take idle ones, too
            while pool.idle[0].is_closed or len(pool.idle) > self._settings.max_connections:
                to_close.append(pool.idle.popleft())
            pool.idle.rotate(-1)
        return [each.stream for each in to_close if each.stream]

    def _open(self) -> Transport:
        """Return a transport for one connection. `httpx` chooses a proxy by the variables for one."""
        names = _PROXY_VARIABLES if self._settings.proxy is None else ("proxy",)
        http: Any = _make(
            names,
            self._http_class,
            verify=self._tls,
            limits=httpx.Limits(max_connections=1),
            trust_env=self._settings.uses_tls,
            proxy=self._settings.proxy,
        )
        return cast("Transport", http._transport_for_url(httpx.URL(self._settings.base_url)))  # noqa: SLF001 - see above

    def _abandon(self) -> None:
        """Close what ended loops of asyncio left open, without waiting. With trio there is no way to know."""
        for process, loop in list(self._pools):
            if process == os.getpid() and isinstance(loop, asyncio.AbstractEventLoop) and loop.is_closed():
                pool = self._pools.pop((process, loop), None)  # another thread may have been here
                for connection in pool.idle if pool else ():
                    sock: Any = connection.stream.get_extra_info("socket")
                    with suppress(OSError):
                        getattr(sock, "_sock", sock).close()

    def _end(self, owner: _Owner) -> list[Any]:
        """Take no more calls, and return what to close: the caller's transport, or the streams of what is idle."""
        to_close = [self._shared] if self._shared is not None and not self.is_closed else list[Any]()
        self.is_closed = True
        self._abandon()
        pool = self._pools.pop(owner, None)
        return to_close + [connection.stream for connection in (pool.idle if pool else ())]


class SyncConnections(_Connections[httpx.BaseTransport]):
    """The connections of a `CustomersClient`. Nothing bounds the calls in flight but the caller's threads.

    So no lock is held where the handler of a signal may raise: taking from a deque and adding to it are atomic.
    """

    _http_class, _transport_class = httpx.Client, httpx.BaseTransport

    def _open(self) -> httpx.BaseTransport:
        """Return a transport without httpcore's lock: a signal can leave it held, and no other thread uses this one."""
        transport = super()._open()
        cast("Any", transport)._pool._optional_thread_lock = nullcontext()  # noqa: SLF001 - no public way
        return transport

    @contextmanager
    def acquire(self) -> Generator[Connection[httpx.BaseTransport]]:
        """Yield a connection for one read or update. It is closed unless that succeeds or gets an error status."""
        pool = self._pool_of((os.getpid(), None))
        connection, reusable = self._take(pool), False
        try:
            yield connection
            reusable = True
        except StatusError:
            reusable = True
            raise
        finally:
            for stream in self._release(pool, connection, reusable=reusable):
                stream.close()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when its exchange ends."""
        for each in self._end((os.getpid(), None)):
            each.close()


class AsyncConnections(_Connections[httpx.AsyncBaseTransport]):
    """The connections of an `AsyncCustomersClient`, of which `max_connections` calls can be in flight."""

    _http_class, _transport_class = httpx.AsyncClient, httpx.AsyncBaseTransport

    @asynccontextmanager
    async def acquire(self) -> AsyncGenerator[Connection[httpx.AsyncBaseTransport]]:
        """Wait until a call may be in flight, and yield a connection as `SyncConnections.acquire` does."""
        pool, started = self._pool_of(_this_loop()), time.monotonic()
        async with pool.free:
            connection, reusable = self._take(pool), False
            connection.waited = time.monotonic() - started
            try:
                yield connection
                reusable = True
            except StatusError:
                reusable = True
                raise
            finally:
                with anyio.CancelScope(shield=True):
                    for stream in self._release(pool, connection, reusable=reusable):
                        await stream.aclose()

    async def close(self) -> None:
        """Close what is idle; what is in use is closed when its exchange ends."""
        for each in self._end(_this_loop()):
            await each.aclose()


def _this_loop() -> _Owner:
    return os.getpid(), anyio.lowlevel.current_token().native_token


def _tls_context() -> ssl.SSLContext:
    context = _make(_TLS_VARIABLES, httpx.create_ssl_context)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Debian's Python leaves it to OpenSSL's settings
    return context


def _make(names: tuple[str, ...], function: Callable[..., _Made], **settings: Any) -> _Made:
    """Call a function of httpx, or raise `InvalidRequest` with those of the names that are in the environment."""
    try:
        return function(**settings)
    except _UNUSABLE as error:
        problem = type(error).__name__
    # Outside of the except block, whose error can quote a proxy's password.
    present = [name for name, value in os.environ.items() if value and name.upper() in names]
    listed = ", ".join(present) or ("proxy" if "proxy" in names else "the system's settings")
    raise InvalidRequest(f"{listed}: cannot be used ({problem}); correct or remove what is wrong")
