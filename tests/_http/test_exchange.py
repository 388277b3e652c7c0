"""One exchange over real sockets: what goes wrong on its way, what is said of it, and when it ends."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import anyio
import httpx
import pytest

from cybersource_tms import AsyncCustomersClient, Retries, errors
from cybersource_tms.errors import ConnectionFailed, NotFound, ServiceError, TimedOut, UnreadableResponse
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Fault, Sandbox, page_customer
from support.clients import AUTH, NEW_EMAIL, BlockingClient, Clients
from support.fixed_response import FixedResponse
from support.recording import NO_CERTIFICATES
from support.scripted_server import Connection, send_once, serving
from support.waiting import HANGS, LIMIT, eventually

BODY = json.dumps(page_customer()).encode()
SHORT = httpx.Timeout(LIMIT, read=0.05)  # where it makes no difference whether the response has begun


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Return a socket that takes connections and never reads or sends anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def address(listening: socket.socket) -> str:
    """Return host and port of a socket."""
    return f"127.0.0.1:{listening.getsockname()[1]}"


def fail(client: BlockingClient, kind: type[ConnectionFailed], changes: Any = NEW_EMAIL) -> ConnectionFailed:
    """Return the error of an update that gets no response."""
    with pytest.raises(ConnectionFailed) as caught:
        client.update(PAGE_CUSTOMER_ID, changes)
    assert type(caught.value) is kind
    assert isinstance(caught.value, TimeoutError) is (kind is TimedOut)
    return caught.value


# Nothing was sent


def assert_never_sent(client: BlockingClient, kind: type[ConnectionFailed], cause: type[Exception]) -> str:
    """Return the message of an update of which certainly nothing was sent."""
    error = fail(client, kind)
    assert type(error.__cause__) is cause
    assert not error.may_have_been_applied
    assert "nothing was sent" in str(error)
    return str(error)


@pytest.mark.parametrize("own", [False, True], ids=["ours", "httpx's own"])
def test_connection_refused(clients: Clients, listener: socket.socket, *, own: bool) -> None:
    """If nobody listens, nothing was sent, also where the caller brings httpx's own transport; the message says why."""
    url = f"http://{address(listener)}"
    listener.close()
    client = clients.open(base_url=url, transport=clients.transport_class() if own else None)
    message = assert_never_sent(client, ConnectionFailed, httpx.ConnectError)
    assert f"PATCH /tms/v2/customers/{PAGE_CUSTOMER_ID}" in message


def test_name_not_found(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the host's name is not known, nothing was sent, and the message has the system's reason."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    client = clients.open(base_url="https://customers.invalid")
    assert "Name or service not known" in assert_never_sent(client, ConnectionFailed, httpx.ConnectError)


def test_connecting_takes_too_long(clients: Clients, listener: socket.socket) -> None:
    """If connecting, here its TLS handshake, times out, nothing was sent."""
    client = clients.open(base_url=f"https://{address(listener)}", timeout=httpx.Timeout(LIMIT, connect=0.05))
    assert_never_sent(client, TimedOut, httpx.ConnectTimeout)


def test_no_free_connection(clients: Clients, url: str, sandbox: Sandbox) -> None:
    """If no connection of a caller's transport becomes free in time, nothing was sent."""
    transport = clients.transport_class(verify=NO_CERTIFICATES, limits=httpx.Limits(max_connections=1))
    handle = transport.handle_request if clients.name == "sync" else transport.handle_async_request
    held = clients.run(handle(httpx.Request("GET", url)))
    timeout = httpx.Timeout(LIMIT, pool=0.05)
    client = clients.open(base_url=url, transport=transport, timeout=timeout)
    assert_never_sent(client, TimedOut, httpx.PoolTimeout)
    assert "PATCH" not in {received.method for received in sandbox.received}
    clients.run(held.close() if clients.name == "sync" else held.aclose())


# Something may have been sent


def assert_unknown(client: BlockingClient, kind: type[ConnectionFailed]) -> None:
    """Check that an update got no response, so that it may have been applied."""
    error = fail(client, kind)
    assert isinstance(error.__cause__, httpx.TransportError)
    assert error.may_have_been_applied
    assert error.is_transient


def test_a_write_that_stalls(clients: Clients, listener: socket.socket) -> None:
    """If the server stops to read, a part was sent, and the update may have been applied."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    entries = [{"name": "data1", "value": "x" * 2**20}] * 12  # more than any buffer takes
    client = clients.open(base_url=f"http://{address(listener)}", timeout=httpx.Timeout(LIMIT, write=0.05))
    error = fail(client, TimedOut, {"merchantDefinedInformation": entries})
    assert isinstance(error.__cause__, httpx.WriteTimeout)
    assert error.may_have_been_applied


NO_RESPONSE = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nv-c-corr",
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a head that never ends": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
}


@pytest.mark.parametrize("sent", NO_RESPONSE.values(), ids=NO_RESPONSE)
def test_what_is_no_response(clients: Clients, sent: bytes) -> None:
    """What is not HTTP, or not the whole head of a response, is a failed connection."""
    with serving(send_once(sent)) as url:
        assert_unknown(clients.open(base_url=url), ConnectionFailed)


def head(status: str, length: int) -> bytes:
    """Return the head of a response."""
    return f"HTTP/1.1 {status}\r\nv-c-correlation-id: c0ffee\r\nContent-Length: {length}\r\n\r\n".encode()


CHUNKED = b"HTTP/1.1 200 OK\r\nv-c-correlation-id: c0ffee\r\nTransfer-Encoding: chunked\r\n\r\n"
CUT = {
    "half a body": head("200 OK", len(BODY)) + BODY[:100],
    "one byte short": head("200 OK", len(BODY) + 1) + BODY,
    "no last chunk": CHUNKED + b"%x\r\n%b\r\n" % (len(BODY), BODY),
    "no chunk": CHUNKED + b"customer",
}


@pytest.mark.parametrize("sent", CUT.values(), ids=CUT)
def test_a_200_that_is_cut(clients: Clients, sent: bytes) -> None:
    """A 200 whose body breaks off is unreadable, even if the whole customer had arrived."""
    with serving(send_once(sent)) as url, pytest.raises(UnreadableResponse, match="broke off") as caught:
        clients.open(base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert (caught.value.status_code, caught.value.correlation_id) == (200, "c0ffee")
    assert caught.value.may_have_been_applied


@pytest.mark.parametrize("sent", [b"", NO_RESPONSE["half a head"], CUT["half a body"]], ids=["nothing", "head", "body"])
def test_silence(clients: Clients, sent: bytes) -> None:
    """If the connection stays open and no more comes in time, it is a time-out: the update may have been applied."""
    with serving(send_once(sent, hang=True)) as url:
        assert_unknown(clients.open(base_url=url, timeout=SHORT), TimedOut)


STOPS = {"cut": httpx.ReadError("cut"), "too late": httpx.ReadTimeout("late"), "gzip": httpx.DecodingError("no gzip")}


@pytest.mark.parametrize("error", STOPS.values(), ids=STOPS)
@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (502, ServiceError)])
def test_a_refusal_that_is_cut(
    clients: Clients, status: int, kind: type[NotFound | ServiceError], error: Exception
) -> None:
    """The status stands, whether the body breaks off, does not come in time, or is not what it should be."""
    with pytest.raises(kind) as caught:
        clients.open(transport=FixedResponse(status, b"{", body_error=error)).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value.errors == ()
    assert caught.value.correlation_id


def test_the_next_update_after_a_failure(clients: Clients, sandbox: Sandbox, url: str) -> None:
    """A client can still be used after a connection has failed, and keeps no cookie of any response."""
    client = clients.open(base_url=url)
    cookie = {"Set-Cookie": "session=secret; Path=/"}
    sandbox.fail(Fault(cut="before"), Fault(cut="middle"), Fault(status=503, headers=cookie), Fault(200, BODY, cookie))
    for kind in (ConnectionFailed, UnreadableResponse, ServiceError):
        with pytest.raises(kind):
            client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    sandbox.fail(HANGS)
    with pytest.raises(TimedOut):
        client.with_options(timeout=SHORT).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert eventually(lambda: len(sandbox.received) == 5)  # or the fault would be the next request's
    assert client.update(PAGE_CUSTOMER_ID, NEW_EMAIL).customer.id == PAGE_CUSTOMER_ID
    assert len(sandbox.received) == 6
    assert {received.headers.get("cookie") for received in sandbox.received} == {None}


# What a caller's transport does


def test_what_a_custom_transport_raises(clients: Clients) -> None:
    """It is a failed connection whatever its name says, proves nothing, and its message is not quoted."""
    lasting = {httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL}
    passing = {httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ReadError, httpx.StreamError, OSError}
    for kind in lasting | passing:
        error = kind("jane.roe@example.com")
        with pytest.raises(ConnectionFailed) as caught:
            clients.open(transport=FixedResponse(error=error)).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        assert caught.value.may_have_been_applied
        assert caught.value.__cause__ is error
        assert isinstance(caught.value, TimedOut) is issubclass(kind, httpx.TimeoutException)
        assert caught.value.is_transient is (kind in passing)
        assert "jane.roe" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 308])
def test_redirects(clients: Clients, status: int) -> None:
    """A redirect is a StatusError, wherever it leads, and nothing is sent there."""
    for location in ("mailto:x", "http://[::1", "https://apitest.cybersource.com/x", ""):
        transport = FixedResponse(status, b"", {"Location": location} if location else {})
        with pytest.raises(errors.StatusError, match=f"^{status} ") as caught:
            clients.open(transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        assert type(caught.value) is errors.StatusError
        assert not caught.value.may_have_been_applied
        assert len(transport.requests) == 1


# What is not the network's


def test_a_fault_of_ours(clients: Clients, sandbox: Sandbox, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes out as itself, with notes on the update's fate and on the place; it is not retried."""

    def broken(*_: object) -> None:
        raise AttributeError("no such attribute")

    monkeypatch.setattr("cybersource_tms._http.attempt.parse_response", broken)
    with pytest.raises(AttributeError, match="no such attribute") as caught:
        clients.open(base_url=url, retries=Retries()).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    fate, place = caught.value.__notes__
    assert "may have been applied: read the customer" in fate
    assert "attempt" in place
    assert len(sandbox.received) == 1


# The deadline


@pytest.mark.parametrize("attempts", [1, 3])
def test_nothing_is_sent_after_the_deadline(
    clients: Clients, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    """Where looking up the name took longer than the call may take, nothing is sent."""
    clock, look_up, ahead = time.monotonic, socket.getaddrinfo, [0]
    monkeypatch.setattr(time, "monotonic", lambda: clock() + ahead[0])

    def slowly(*args: Any, **options: Any) -> Any:
        ahead[0] = 2 * LIMIT
        return look_up(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    retries = Retries(attempts=attempts, initial_delay=0, total_timeout=LIMIT)
    client = clients.open(base_url=f"http://{address(listener).replace('127.0.0.1', 'localhost')}", retries=retries)
    error = fail(client, TimedOut)
    assert "nothing was sent" in str(error)
    assert not error.may_have_been_applied
    listener.settimeout(0)
    with suppress(BlockingIOError), listener.accept()[0] as connection:
        connection.settimeout(LIMIT)
        assert connection.recv(1) == b""


def trickle(first: bytes, then: bytes, received: list[object]) -> Callable[[Connection], None]:
    """Return a server that never ends its response, and sends a part of it a hundred times a second."""

    def handle(connection: Connection) -> None:
        received.append(connection.read_request())
        connection.send(first)
        while not threading.Event().wait(0.01):
            connection.send(then)

    return handle


SLOW: dict[str, tuple[bytes, bytes]] = {
    "a header byte by byte": (b"HTTP/1.1 200 OK\r\n", b"x"),
    "103 for ever": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "a body byte by byte": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("parts", SLOW.values(), ids=SLOW)
def test_the_deadline_bounds_an_async_call(parts: tuple[bytes, bytes], backend: str) -> None:
    """However slowly a server responds, an async call ends at its deadline."""

    async def update(url: str) -> None:
        async with AsyncCustomersClient("test", AUTH, base_url=url, retries=Retries(total_timeout=0.2)) as customers:
            with anyio.fail_after(LIMIT), pytest.raises(TimedOut) as caught:
                await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
            assert caught.value.may_have_been_applied or not received  # a busy machine may not get as far

    received: list[object] = []
    with serving(trickle(*parts, received)) as url:
        anyio.run(update, url, backend=backend)


def test_the_deadline_bounds_reading(clients: Clients) -> None:
    """A body that comes byte by byte ends at the deadline, in the sync client too; so does waiting for a response."""
    received: list[object] = []
    for handle in (trickle(*SLOW["a body byte by byte"], received), send_once(b"", hang=True)):
        with serving(handle) as url:
            client = clients.open(base_url=url, timeout=LIMIT, retries=Retries(total_timeout=0.2))
            with pytest.raises(TimedOut) as caught:
                client.retrieve(PAGE_CUSTOMER_ID)
        assert not caught.value.may_have_been_applied
