"""What goes wrong with a connection, over real sockets; and no cookie is kept."""

import json
import socket
import ssl
from collections.abc import Iterator

import httpx
import pytest

from cybersource_tms.errors import ConnectionFailed, NotFound, ServiceError, TimedOut, UnreadableResponse
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Fault, Sandbox, page_customer
from support.clients import NEW_EMAIL, Clients
from support.raw_server import RawServer
from support.recording import NO_CERTIFICATES, RecordingTransport
from support.waiting import HANGS, LIMIT, eventually, shorten_read_timeout

BODY = json.dumps(page_customer()).encode()
SHORT = httpx.Timeout(LIMIT, read=0.05)  # where it makes no difference whether the response has begun


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Return a socket that takes connections and never sends anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def port_of(listener: socket.socket) -> int:
    """Return the port that a socket is bound to."""
    port: int = listener.getsockname()[1]
    return port


# Nothing was sent


def assert_never_sent(
    clients: Clients, kind: type[ConnectionFailed], cause: type[Exception], **settings: object
) -> str:
    """Return the message of an update of which certainly nothing was sent."""
    with pytest.raises(ConnectionFailed) as caught:
        clients.open(**settings).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert type(caught.value) is kind
    assert type(caught.value.__cause__) is cause
    assert caught.value.may_have_been_applied is False
    return str(caught.value)


def test_connection_refused(clients: Clients) -> None:
    """If nobody listens, nothing was sent."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        message = assert_never_sent(
            clients, ConnectionFailed, httpx.ConnectError, base_url=f"http://127.0.0.1:{port_of(bound)}"
        )
    assert f"PATCH /tms/v2/customers/{PAGE_CUSTOMER_ID}" in message


def test_name_not_found(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the host's name is not known, nothing was sent, and the message has the system's reason."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    message = assert_never_sent(clients, ConnectionFailed, httpx.ConnectError, base_url="https://customers.invalid")
    assert "Name or service not known" in message


def test_tls_is_verified(clients: Clients, tls: tuple[str, ssl.SSLContext]) -> None:
    """A server with a certificate of an unknown authority gets nothing, and the message says why."""
    message = assert_never_sent(clients, ConnectionFailed, httpx.ConnectError, base_url=tls[0])
    assert "certificate" in message.lower()


def test_tls_of_another_host(clients: Clients, tls: tuple[str, ssl.SSLContext]) -> None:
    """A trusted certificate for another host is refused."""
    url, trust = tls
    settings = {"base_url": url.replace("127.0.0.1", "localhost"), "transport": clients.transport_class(verify=trust)}
    assert "mismatch" in assert_never_sent(clients, ConnectionFailed, httpx.ConnectError, **settings).lower()


def test_a_server_that_does_not_speak_tls(clients: Clients, url: str, sandbox: Sandbox) -> None:
    """With https, nothing is ever sent in plain text."""
    assert_never_sent(clients, ConnectionFailed, httpx.ConnectError, base_url=url.replace("http:", "https:"))
    assert sandbox.received == []


def test_connecting_takes_too_long(clients: Clients, silent: socket.socket) -> None:
    """If connecting, here its TLS handshake, times out, nothing was sent."""
    settings = {"base_url": f"https://127.0.0.1:{port_of(silent)}", "timeout": httpx.Timeout(LIMIT, connect=0.05)}
    assert_never_sent(clients, TimedOut, httpx.ConnectTimeout, **settings)


def test_no_free_connection(clients: Clients, url: str, sandbox: Sandbox) -> None:
    """If no connection becomes free in time, nothing was sent."""
    transport = clients.transport_class(verify=NO_CERTIFICATES, limits=httpx.Limits(max_connections=1))
    handle = transport.handle_request if clients.name == "sync" else transport.handle_async_request
    held = clients.run(handle(httpx.Request("GET", url)))
    timeout = httpx.Timeout(LIMIT, pool=0.05)
    assert_never_sent(clients, TimedOut, httpx.PoolTimeout, base_url=url, transport=transport, timeout=timeout)
    assert "PATCH" not in {received.method for received in sandbox.received}
    clients.run(held.close() if clients.name == "sync" else held.aclose())


# Something may have been sent


def assert_unknown(clients: Clients, url: str, kind: type[ConnectionFailed], timeout: object = LIMIT) -> None:
    """Check that an update got no response, so that it may have been applied."""
    with pytest.raises(ConnectionFailed) as caught:
        clients.open(base_url=url, timeout=timeout).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert type(caught.value) is kind
    assert isinstance(caught.value, TimeoutError) is (kind is TimedOut)
    assert isinstance(caught.value.__cause__, httpx.TransportError)
    assert caught.value.may_have_been_applied is True


@pytest.mark.parametrize(("cut", "applied"), [("before", False), ("after", True)])
def test_no_response(clients: Clients, sandbox: Sandbox, url: str, cut: str, *, applied: bool) -> None:
    """A connection that ends without a response looks the same whether the update was applied or not."""
    sandbox.fail(Fault(cut=cut))  # type: ignore[arg-type]
    assert_unknown(clients, url, ConnectionFailed)
    assert (sandbox.customer() != page_customer()) is applied


def test_a_response_that_takes_too_long(clients: Clients, sandbox: Sandbox, url: str) -> None:
    """If the response does not come in time, the update was sent and may have been applied."""
    sandbox.fail(HANGS)
    assert_unknown(clients, url, TimedOut, SHORT)
    assert eventually(lambda: len(sandbox.received) == 1)


HALVES = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 20",
    "half a head": b"HTTP/1.1 200 OK\r\nv-c-corr",
}


@pytest.mark.parametrize("response", HALVES.values(), ids=HALVES)
def test_half_a_head(clients: Clients, raw: RawServer, response: bytes) -> None:
    """A response without its whole head is a failed connection."""
    assert_unknown(clients, raw.serve(response), ConnectionFailed)


@pytest.mark.parametrize("response", HALVES.values(), ids=HALVES)
def test_half_a_head_and_then_silence(clients: Clients, raw: RawServer, response: bytes) -> None:
    """The same, and the connection stays open: a time-out."""
    assert_unknown(clients, raw.serve(response, hang=True), TimedOut, SHORT)


NO_HTTP = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "no status": b"HTTP/1.1 xyz OK\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
    "a head that never ends": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
}


@pytest.mark.parametrize("response", NO_HTTP.values(), ids=NO_HTTP)
def test_what_is_no_http(clients: Clients, raw: RawServer, response: bytes) -> None:
    """What is not HTTP is a failed connection."""
    assert_unknown(clients, raw.serve(response), ConnectionFailed)


def head(status: str, length: int, *more: str) -> bytes:
    """Return the head of a response."""
    lines = [f"HTTP/1.1 {status}", "v-c-correlation-id: c0ffee", f"Content-Length: {length}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


CHUNKED = b"HTTP/1.1 200 OK\r\nv-c-correlation-id: c0ffee\r\nTransfer-Encoding: chunked\r\n\r\n"
CUT = {
    "no body": head("200 OK", len(BODY)),
    "half a body": head("200 OK", len(BODY)) + BODY[:100],
    "one byte short": head("200 OK", len(BODY) + 1) + BODY,
    "no last chunk": CHUNKED + b"%x\r\n%b\r\n" % (len(BODY), BODY),
    "half a chunk": CHUNKED + b"%x\r\n%b" % (len(BODY), BODY[:100]),
    "no chunk": CHUNKED + b"customer",
}


@pytest.mark.parametrize("response", CUT.values(), ids=CUT)
def test_a_200_that_is_cut(clients: Clients, raw: RawServer, response: bytes) -> None:
    """A 200 whose body breaks off is unreadable, even if the whole customer had arrived."""
    with pytest.raises(UnreadableResponse) as caught:
        clients.open(base_url=raw.serve(response)).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert (caught.value.status_code, caught.value.correlation_id) == (200, "c0ffee")
    assert caught.value.may_have_been_applied


def test_a_200_whose_connection_is_cut(clients: Clients, sandbox: Sandbox, url: str) -> None:
    """The same if the connection is reset in the middle of the body; the update was applied."""
    sandbox.fail(Fault(cut="middle"))
    with pytest.raises(UnreadableResponse) as caught:
        clients.open(base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value.status_code == 200
    assert caught.value.correlation_id
    assert caught.value.may_have_been_applied
    assert sandbox.customer() != page_customer()


def test_a_200_that_takes_too_long(clients: Clients, raw: RawServer) -> None:
    """A body that does not end in time is a time-out, and the update may have been applied."""
    assert_unknown(clients, raw.serve(CUT["half a body"], hang=True), TimedOut, SHORT)


@pytest.mark.parametrize("hang", [False, True])
@pytest.mark.parametrize(("status", "kind"), [("404 Not Found", NotFound), ("502 Bad Gateway", ServiceError)])
def test_a_refusal_that_is_cut(
    clients: Clients, raw: RawServer, status: str, kind: type[NotFound | ServiceError], *, hang: bool
) -> None:
    """The status stands, whether the body breaks off or does not come in time."""
    url = raw.serve(head(status, 100) + b"{", hang=hang)
    transport = RecordingTransport(after=shorten_read_timeout)
    with pytest.raises(kind) as caught:
        clients.open(base_url=url, transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert (caught.value.errors, caught.value.correlation_id) == ((), "c0ffee")


def test_the_raw_server_can_respond(clients: Clients, raw: RawServer) -> None:
    """The tests above can fail: with a whole body there is a record."""
    record = clients.open(base_url=raw.serve(head("200 OK", len(BODY)) + BODY)).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert record.customer.to_dict() == page_customer()
    assert record.correlation_id == "c0ffee"


def test_the_next_update_after_a_failure(clients: Clients, sandbox: Sandbox, url: str) -> None:
    """A client can still be used after a connection has failed."""

    def shorten_the_last(number: int, request: httpx.Request) -> None:
        if number == 3:
            shorten_read_timeout(number, request)

    client = clients.open(base_url=url, transport=RecordingTransport(shorten_the_last))
    sandbox.fail(Fault(cut="before"), Fault(cut="middle"), Fault(status=503), HANGS)
    for kind in (ConnectionFailed, UnreadableResponse, ServiceError, TimedOut):
        with pytest.raises(kind):
            client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert client.update(PAGE_CUSTOMER_ID, NEW_EMAIL).customer.id == PAGE_CUSTOMER_ID


# Cookies


@pytest.mark.parametrize("status", [200, 404])
def test_cookies_are_not_kept(clients: Clients, sandbox: Sandbox, url: str, status: int) -> None:
    """A client is shared: a cookie that came with one response is not sent with the next request."""
    client = clients.open(base_url=url)
    sandbox.fail(Fault(status=status, body=BODY, headers={"Set-Cookie": "session=secret; Path=/"}))
    if status == 200:
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    else:
        with pytest.raises(NotFound):
            client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert [received.headers.get("cookie") for received in sandbox.received] == [None, None]
