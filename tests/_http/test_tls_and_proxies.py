"""TLS and proxies over real sockets: whom a client trusts, what it shows of itself, and by which way it goes."""

import asyncio
import base64
import gc
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trustme

from cybersource_tms import AsyncCustomersClient, CustomersClient, Retries, errors
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, SECRET, Sandbox
from support.clients import AUTH, NEW_EMAIL, Clients
from support.fixed_response import FixedResponse
from support.recording import NO_CERTIFICATES
from support.scripted_server import Connection, customer_in, respond_for_ever, response, serving
from support.waiting import LIMIT

AUTHORITY = trustme.CA()
CREDENTIALS = "Proxy-Authorization: Basic " + base64.b64encode(b"user:pass-word").decode()


def server_tls(*, client_certificate: bool = False) -> ssl.SSLContext:
    """Return the TLS settings of a server on 127.0.0.1, which may ask for a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    if client_certificate:
        AUTHORITY.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture
def trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the machine's settings trust the tests' authority alone."""
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


# TLS


def assert_refused(clients: Clients, url: str) -> str:
    """Return why an update failed for good, of which nothing was sent."""
    with pytest.raises(errors.ConnectionFailed, match="nothing was sent") as caught:
        clients.open(base_url=url, retries=Retries(), timeout=LIMIT).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert (caught.value.attempts, caught.value.may_have_been_applied, caught.value.is_transient) == (1, False, False)
    return str(caught.value)


def test_tls_is_verified(clients: Clients) -> None:
    """A server with a certificate of an unknown authority gets nothing; it will be as unknown the next time."""
    with serving(respond_for_ever, server_tls()) as url:
        assert "certificate" in assert_refused(clients, url)


@pytest.mark.usefixtures("trusting")
def test_a_certificate_for_another_host(clients: Clients) -> None:
    """It is refused, although its authority is trusted; for its own host it is good."""
    requests: list[object] = []
    with serving(lambda connection: requests.append(connection.read_request()), server_tls()) as url:
        assert "mismatch" in assert_refused(clients, url.replace("127.0.0.1", "localhost")).lower()
    assert requests == []
    with serving(respond_for_ever, server_tls()) as url:
        assert clients.open(base_url=url, timeout=LIMIT).retrieve(PAGE_CUSTOMER_ID).customer.id == PAGE_CUSTOMER_ID


def test_a_server_that_does_not_speak_tls(clients: Clients, url: str, sandbox: Sandbox) -> None:
    """With https, nothing is ever sent in plain text."""
    with pytest.raises(errors.ConnectionFailed, match="nothing was sent"):
        clients.open(base_url=url.replace("http:", "https:")).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert sandbox.received == []


def test_the_versions_of_tls(clients: Clients) -> None:
    """TLS 1.3 and 1.2 are offered, nothing older: RFC 8446, section 4.2.1, `supported_versions`."""
    offered: list[bytes] = []
    server = serving(lambda connection: offered.append(connection.socket.recv(4096)))
    with server as url, pytest.raises(errors.ConnectionFailed):
        clients.open(base_url=url.replace("http:", "https:")).retrieve(PAGE_CUSTOMER_ID)
    assert bytes.fromhex("002b 0005 04 0304 0303") in offered[0]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_second_response_in_a_record_of_its_own(backend: str) -> None:
    """TLS of the async client may have read it already; it is not the next call's."""
    requests: list[object] = []

    def respond_twice_once(connection: Connection) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = server_tls().wrap_bio(incoming, outgoing, server_side=True)

        def step(function: Callable[[], Any]) -> Any:
            while True:
                with suppress(ssl.SSLWantReadError):
                    return function()
                connection.send(outgoing.read())
                incoming.write(connection.socket.recv(2**16))

        step(tls.do_handshake)
        while step(lambda: tls.read(2**16)):
            requests.append(None)
            parts = [response({"id": PAGE_CUSTOMER_ID})] * 2
            for part in parts if len(requests) == 1 else [response({}, "412 Precondition Failed")]:
                tls.write(part)
            connection.send(outgoing.read())

    async def use(url: str) -> None:
        trust = ssl.create_default_context()
        AUTHORITY.configure_trust(trust)
        settings: Any = {"base_url": url, "ssl_context": trust, "retries": None, "timeout": LIMIT}
        async with AsyncCustomersClient("test", AUTH, **settings) as customers:
            await customers.retrieve(PAGE_CUSTOMER_ID)
            with pytest.raises(errors.PreconditionFailed):
                await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL, if_match="e")

    with serving(respond_twice_once) as url:
        anyio.run(use, url.replace("http:", "https:"), backend=backend)


# A proxy


class Proxy:
    """A proxy for CONNECT, which keeps the heads of requests; or responds with a status, and connects nobody."""

    def __init__(self, status: str = "200 OK") -> None:
        self.status = status
        self.heads: list[str] = []

    def __call__(self, connection: Connection) -> None:
        """Handle a connection."""
        _, target = connection.read_request() or ("", "")
        self.heads.append(connection.head.decode())
        connection.send(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
        if self.status == "200 OK":
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                threading.Thread(target=copy, args=(server, connection.socket), daemon=True).start()
                copy(connection.socket, server)


def copy(source: socket.socket, target: socket.socket) -> None:
    """Copy what comes, until it ends."""
    with suppress(OSError):
        while data := source.recv(2**16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def with_credentials(proxy: str) -> str:
    """Return a proxy's address with user name and password."""
    return proxy.replace("//", "//user:pass-word@")


class Guarded:
    """A server that asks for a client's certificate, and keeps what it sees: the client's name, and a header."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, bool]] = []

    def __call__(self, connection: Connection) -> None:
        """Handle a connection."""
        certificate: Any = connection.socket.getpeercert()  # type: ignore[attr-defined]
        while request := connection.read_request():
            self.seen.append((certificate["subjectAltName"][0][1], b"X-Gateway: key-5" in connection.head))
            connection.send(response(customer_in(request)))


def own_settings(proxy: str) -> dict[str, Any]:
    """Return a client's settings: a certificate, an authority of one's own, a proxy with a password, a header."""
    context = ssl.create_default_context(cadata=AUTHORITY.cert_pem.bytes().decode())
    AUTHORITY.issue_cert("client.example").configure_cert(context)
    own = {"ssl_context": context, "proxy": with_credentials(proxy), "headers": {"X-Gateway": "key-5"}}
    return own | {"timeout": LIMIT}


@pytest.fixture
def guarded() -> Iterator[tuple[Guarded, str, Proxy, str]]:
    """Return a server that asks for a certificate and a proxy, with their addresses."""
    server, proxy = Guarded(), Proxy()
    with serving(server, server_tls(client_certificate=True)) as url, serving(proxy) as way:
        yield server, url, proxy, way


def test_settings_of_ones_own(clients: Clients, guarded: tuple[Guarded, str, Proxy, str]) -> None:
    """They are used together, for each request, on one connection; only the proxy sees the proxy's password."""
    server, url, proxy, way = guarded
    client = clients.open(base_url=url, **own_settings(way))
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    client.retrieve(PAGE_CUSTOMER_ID)
    assert server.seen == [("client.example", True)] * 2
    [head] = proxy.heads
    assert CREDENTIALS in head
    assert "key-5" not in head
    assert "pass-word" not in repr(client.wrapped) + repr(vars(client.wrapped))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_settings_of_ones_own_in_another_event_loop(guarded: tuple[Guarded, str, Proxy, str]) -> None:
    """They are used there, too, on a connection of its own."""
    server, url, proxy, way = guarded
    customers = AsyncCustomersClient("test", AUTH, base_url=url, retries=None, **own_settings(way))
    for _ in range(2):
        asyncio.run(customers.retrieve(PAGE_CUSTOMER_ID))
    assert (server.seen, len(proxy.heads)) == ([("client.example", True)] * 2, 2)
    asyncio.run(customers.aclose())
    gc.collect()  # here, where the warnings about the first loop's connection are expected


FORKED = """
import os, ssl, sys
from cybersource_tms import CustomersClient, SharedSecretAuth

url, secret, proxy, authority, certificate = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
context.load_cert_chain(certificate)
customers = CustomersClient("test", SharedSecretAuth("m", "k", secret), base_url=url, ssl_context=context, proxy=proxy,
                            headers={"X-Gateway": "key-5"}, retries=None)
customers.retrieve("BEFORE")
child = os.fork()
customers.retrieve("AFTER")
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_settings_of_ones_own_after_a_fork(guarded: tuple[Guarded, str, Proxy, str], tmp_path: Path) -> None:
    """Parent and child use them, and the child makes a connection of its own."""
    server, url, proxy, way = guarded
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    AUTHORITY.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    files = [str(tmp_path / "authority.pem"), str(tmp_path / "client.pem")]
    command = [sys.executable, "-c", FORKED, url, SECRET, with_credentials(way), *files]
    subprocess.run(command, check=True, timeout=10 * LIMIT)
    assert (server.seen, len(proxy.heads)) == ([("client.example", True)] * 3, 2)


REFUSALS = {
    "407 Proxy Authentication Required": ("407: check the proxy's user name and password", 1),
    "403 Forbidden": ("403: check whether the proxy allows this host", 1),
    "503 Service Unavailable": ("503: it may be overloaded", 2),
    "429 Too Many Requests": ("429: it may be overloaded", 2),
    "302 Found": ("302: check the proxy's address", 1),
    "404 Not Found": ("404: check the proxy's address", 1),
}


@pytest.mark.parametrize(("status", "told", "attempts"), [(key, *row) for key, row in REFUSALS.items()], ids=REFUSALS)
def test_a_proxy_that_refuses(clients: Clients, status: str, told: str, attempts: int) -> None:
    """The message has the status and what to check, and never the password; only what can change is retried."""
    proxy = Proxy(status)
    with serving(proxy) as way, pytest.raises(errors.ConnectionFailed, match=told) as caught:
        clients.open(
            base_url="https://127.0.0.1:1", proxy=with_credentials(way), retries=Retries(attempts=2, initial_delay=0)
        ).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert (caught.value.attempts, len(proxy.heads)) == (attempts, attempts)
    assert not caught.value.may_have_been_applied
    assert "pass-word" not in repr([caught.value, caught.value.__cause__])


def test_a_proxy_that_is_not_there(clients: Clients) -> None:
    """Nothing was sent, and the message does not have the password."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        way = f"http://user:pass-word@127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(errors.ConnectionFailed, match="nothing was sent") as caught:
        clients.open(proxy=way).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert "pass-word" not in repr([caught.value, caught.value.__cause__])


def sync_client(url: str) -> CustomersClient:
    """Return a client that trusts nobody, and makes one attempt."""
    return CustomersClient("test", AUTH, base_url=url, ssl_context=NO_CERTIFICATES, retries=None)


# What HTTPS_PROXY is not used for, of 127.0.0.1 and localhost; PORT is the server's.
WITHOUT_PROXY = {
    "127.0.0.1": [True, False],
    "localhost": [False, True],
    "example.com, LOCALHOST": [False, True],
    "127.0.0.1:PORT": [True, False],
    "127.0.0.1:1": [False, False],
    "*": [True, True],
    "127.0.0.0/8": [False, False],
    "127.": [False, False],
    "*.0.0.1": [False, False],
}


@pytest.mark.parametrize(("form", "direct"), WITHOUT_PROXY.items(), ids=WITHOUT_PROXY)
def test_no_proxy(monkeypatch: pytest.MonkeyPatch, form: str, direct: list[bool]) -> None:
    """A host, with its port or without, and a star are honoured in NO_PROXY; ranges of addresses are not."""
    proxy, reached = Proxy("403 Forbidden"), list[bool]()
    with serving(proxy) as way, serving(lambda connection: None) as url:
        monkeypatch.setenv("HTTPS_PROXY", way)
        monkeypatch.setenv("NO_PROXY", form.replace("PORT", url.rpartition(":")[2]))
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(errors.ConnectionFailed):
                sync_client(url.replace("http://127.0.0.1", f"https://{host}")).retrieve(PAGE_CUSTOMER_ID)
            reached.append(proxy.heads == [])
            proxy.heads.clear()
    assert reached == direct


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY", "http_proxy", "HTTPS_PROXY"])
def test_plain_http_never_uses_a_proxy(clients: Clients, url: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Plain http goes to this machine only, so not to a proxy."""
    proxy = Proxy()
    with serving(proxy) as way:
        monkeypatch.setenv(name, way)
        clients.open(base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert proxy.heads == []


# Settings that cannot be used

UNUSABLE = {
    "an address range of IPv6": ("NO_PROXY", "fe80::/10"),
    "SOCKS": ("ALL_PROXY", "socks5://127.0.0.1:1"),
    "no such scheme": ("HTTPS_PROXY", "ftp://127.0.0.1:1"),
    "a password with a slash": ("HTTPS_PROXY", "http://user:s3/cret@host"),
    "in small letters": ("https_proxy", "http://user:s3/cret@host"),
    "no such certificates": ("SSL_CERT_FILE", "/nowhere/s3"),
    "no certificate in it": ("SSL_CERT_FILE", __file__),
    "no place for keys": ("SSLKEYLOGFILE", "/nowhere/s3"),
    "an argument": ("proxy", "http://user:s3/cret@host"),
}


@pytest.mark.parametrize(("name", "value"), UNUSABLE.values(), ids=UNUSABLE)
def test_settings_that_cannot_be_used(clients: Clients, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """What cannot be used is refused by its name, with no other variable's and without any of its value."""
    monkeypatch.setenv("NO_PROXY_AT_ALL", "1")
    monkeypatch.setenv("ALL_PROXY", "")
    settings = {name: value} if name == "proxy" else {}
    monkeypatch.setenv("UNUSED" if settings else name, value)
    with pytest.raises(errors.InvalidRequest, match=f"^{name}: ") as caught:
        clients.open(**settings)
    error: BaseException | None = caught.value
    while error:
        assert "s3" not in str(error)
        error = error.__cause__ or error.__context__


def test_settings_that_contradict(clients: Clients) -> None:
    """A transport of the other client, two ways to say one thing, and a proxy for plain http are refused by name."""
    other: Any = httpx.AsyncHTTPTransport() if clients.name == "sync" else httpx.HTTPTransport()
    context = ssl.create_default_context()
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("transport", {"transport": other}),
        ("transport", {"transport": FixedResponse(), "ssl_context": context}),
        ("transport", {"transport": FixedResponse(), "proxy": "http://proxy.example"}),
        ("ssl_context", {"ssl_context": True}),
        ("proxy", {"proxy": "http://proxy.example", "base_url": "http://127.0.0.1:1"}),
        ("max_connections", {"max_connections": 0}),
    ]
    for name, settings in wrong:
        with pytest.raises(errors.InvalidRequest, match=f"^{name}: "):
            clients.open(**settings)
