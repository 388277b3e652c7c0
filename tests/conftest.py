"""What the tests share: the stand-in service, canned answers, and one way to call either client."""

import asyncio
import json
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
import trustme

from cybersource_tms import (
    AsyncCustomersClient,
    BuyerInformation,
    CustomerRecord,
    CustomersClient,
    CustomerUpdate,
    SharedSecretAuth,
)
from sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Sandbox, page_customer

CORRELATION_ID = "c0ffee00-0000-4000-8000-000000000001"
TRANSACTION_ID = "c0ffee00-0000-4000-8000-000000000002"
PAGE = json.dumps(page_customer()).encode()
ENVIRONMENT = ("CYBERSOURCE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_", "SSLKEYLOGFILE")


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:
    """Hide the variables of the machine that httpx and the clients read."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith(ENVIRONMENT):
                patch.delenv(name)
        yield


class Canned(httpx.MockTransport):
    """Answers every request alike, as the network would, and keeps the requests; `fails` is raised instead."""

    def __init__(
        self,
        status: int = 200,
        body: bytes = PAGE,
        headers: Mapping[str, str] | None = None,
        *,
        fails: Exception | None = None,
        breaks: Exception | None = None,
    ) -> None:
        ids = {"v-c-correlation-id": CORRELATION_ID, "uniqueTransactionID": TRANSACTION_ID, "ETag": "etag"}
        self.requests: list[httpx.Request] = []
        self._answer = status, ids if headers is None else headers, body
        self._fails, self._breaks = fails, breaks
        super().__init__(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self._fails:
            raise self._fails
        status, headers, body = self._answer
        return httpx.Response(status, headers=headers, stream=Body(body, self._breaks))


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that is read when it is asked for, and after which something may break."""

    def __init__(self, body: bytes, breaks: Exception | None) -> None:
        self._body, self._breaks = body, breaks

    def __iter__(self) -> Iterator[bytes]:
        yield self._body
        if self._breaks:
            raise self._breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part


class Twin:
    """One of the two clients. `run` waits for whatever it returns, so that a test can call either in one way."""

    def __init__(self, name: str, run: Callable[[Any], Any]) -> None:
        self.name = name
        self.run = run
        self.kind: Any = CustomersClient if name == "sync" else AsyncCustomersClient
        self.transport: Any = httpx.HTTPTransport if name == "sync" else httpx.AsyncHTTPTransport
        self._opened: list[Opened] = []

    def open(self, environment: Any = "test", auth: Any = None, **settings: Any) -> "Opened":
        """Make a client that ends with the test; it repeats nothing, unless the test asks for it."""
        auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET) if auth is None else auth
        return self.adopt(self.kind(environment, auth, **{"retries": None, **settings}))

    def adopt(self, client: Any) -> "Opened":
        """Take a client that was made in another way; it ends with the test too."""
        self._opened.append(Opened(self, client))
        return self._opened[-1]

    def close(self) -> None:
        """Close what was opened."""
        for opened in self._opened:
            opened.close()


class Opened:
    """A client, and how to call it; the arguments that a test does not care about have defaults."""

    def __init__(self, twin: Twin, client: Any) -> None:
        self.client = client
        self._run = twin.run
        self._close = client.close if twin.name == "sync" else client.aclose

    def update(self, customer_id: Any = PAGE_CUSTOMER_ID, changes: Any = ..., **options: Any) -> CustomerRecord:
        """Update a customer and wait for the record."""
        changes = (
            CustomerUpdate(buyer_information=BuyerInformation(email="new@example.com")) if changes is ... else changes
        )
        record: CustomerRecord = self._run(self.client.update(customer_id, changes, **options))
        return record

    def retrieve(self, customer_id: Any = PAGE_CUSTOMER_ID) -> CustomerRecord:
        """Read a customer and wait for the record."""
        record: CustomerRecord = self._run(self.client.retrieve(customer_id))
        return record

    def edit(self, change: Callable[[Any], object], customer_id: Any = PAGE_CUSTOMER_ID) -> Any:
        """Edit a customer with a function, within `with` or `async with`; return the edit, also as `.edited`."""
        self.edited = self.client.edit(customer_id)

        async def awaited() -> None:
            async with self.edited as customer:
                change(customer)

        if isinstance(self.client, AsyncCustomersClient):
            self._run(awaited())
        else:
            with self.edited as customer:
                change(customer)
        return self.edited

    def close(self) -> None:
        """Call `close` or `aclose`."""
        self._run(self._close())


@pytest.fixture(params=["sync", "async"])
def twin(request: pytest.FixtureRequest) -> Iterator[Twin]:
    """Return each of the two clients in turn, the asynchronous one with a loop of its own."""
    with nullcontext() if request.param == "sync" else asyncio.Runner() as runner:
        twin = Twin(request.param, runner.run if runner else lambda value: value)
        yield twin
        twin.close()


@pytest.fixture(scope="session")
def canned() -> type[Canned]:
    """Return the transport with canned answers."""
    return Canned


@pytest.fixture(scope="session")
def running() -> Iterator[tuple[Sandbox, str]]:
    """Return the one stand-in service of the whole run, and where it listens."""
    sandbox = Sandbox()
    with sandbox.running() as url:
        yield sandbox, url


@pytest.fixture
def sandbox(running: tuple[Sandbox, str]) -> Sandbox:
    """Return the running stand-in service, in its first state."""
    running[0].reset()
    return running[0]


@pytest.fixture
def url(sandbox: Sandbox, running: tuple[Sandbox, str]) -> str:
    """Return the address of the running stand-in service, which is in its first state."""
    return running[1]


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ssl.SSLContext]]:
    """Return the address of another stand-in service, over TLS, and a context that trusts its private authority."""
    authority, trust = trustme.CA(), ssl.create_default_context()
    certificate = tmp_path_factory.mktemp("tls") / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    authority.configure_trust(trust)
    with Sandbox().running(certificate=certificate) as url:
        yield url, trust


class Raw:
    """Answers one connection with these very bytes; then closes it, or keeps it open until the test ends."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def serve(self, answer: bytes, *, hang: bool = False) -> str:
        """Start to listen and return the address."""
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(5)
        thread = threading.Thread(target=self._answer, args=(listener, answer, hang))
        self._threads.append(thread)
        thread.start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def _answer(self, listener: socket.socket, answer: bytes, hang: bool) -> None:  # noqa: FBT001 - of a thread
        with listener, listener.accept()[0] as connection, connection.makefile("rb") as request:
            head = b"".join(iter(request.readline, b"\r\n"))
            request.read(int(head.lower().partition(b"content-length:")[2].split()[0]))
            connection.sendall(answer)
            if hang:
                self._ended.wait(5)

    def end(self) -> None:
        """Let go of every connection."""
        self._ended.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def raw() -> Iterator[Raw]:
    """Return a server that says what a test wants, byte for byte."""
    server = Raw()
    yield server
    server.end()
