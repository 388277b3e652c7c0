"""A call never meets what another one left behind, whatever happens to connections, processes, loops and tasks."""

import asyncio
import gc
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import anyio
import httpx
import pytest

from cybersource_tms import AsyncCustomersClient, CustomerRecord, CustomersClient, Retries, SharedSecretAuth, errors
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Fault, Sandbox
from support.clients import NEW_EMAIL, Clients
from support.fixed_response import FixedResponse
from support.scripted_server import Connection, response, serving
from support.waiting import LIMIT, eventually
from support.watched_transport import WatchedTransport

OTHER = "00000000000000000000000000000001"
GET = f"GET /tms/v2/customers/{PAGE_CUSTOMER_ID}"


def customer_in(path: str) -> dict[str, str]:
    """Return the least customer, the one that a path names."""
    return {"id": path.rpartition("/")[2]}


def respond_for_ever(connection: Connection) -> None:
    """Respond to each request with the customer that it asks for."""
    while request := connection.read_request():
        connection.send(response(customer_in(request[1])))


# A response about another customer

ANOTHER = {"another": OTHER, "empty": "", "one more character": PAGE_CUSTOMER_ID + "0", "blank": f" {PAGE_CUSTOMER_ID}"}


@pytest.mark.parametrize("customer_id", ANOTHER.values(), ids=ANOTHER)
def test_another_customer(clients: Clients, customer_id: str) -> None:
    """A response about another customer than the one asked for is never handed out, and its id not shown."""
    body = f'{{"id": "{customer_id}"}}'.encode()
    client = clients.open(transport=FixedResponse(body=body))
    with pytest.raises(errors.UnreadableResponse, match="another customer") as read:
        client.retrieve(PAGE_CUSTOMER_ID)
    with pytest.raises(errors.UnreadableResponse, match="another customer") as updated:
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert (read.value.may_have_been_applied, updated.value.may_have_been_applied) == (False, True)
    assert OTHER not in str(read.value)


@pytest.mark.parametrize("form", [str.lower, str.upper], ids=["lower", "upper"])
def test_ids_are_without_case(clients: Clients, form: Callable[[str], str]) -> None:
    """Token ids are not case sensitive (the service's guide), so this is the same customer."""
    client = clients.open(transport=FixedResponse(body=f'{{"id": "{form(PAGE_CUSTOMER_ID)}"}}'.encode()))
    assert client.retrieve(PAGE_CUSTOMER_ID).customer.id == form(PAGE_CUSTOMER_ID)


def test_two_responses_to_one_request(clients: Clients) -> None:
    """What follows a whole response on a connection is not the next call's; then that connection is not used again."""
    connections: list[Connection] = []

    def respond_twice_once(connection: Connection) -> None:
        connections.append(connection)
        if len(connections) == 1 and (request := connection.read_request()):
            connection.send(response(customer_in(request[1])), response({"id": OTHER}))
            while connection.read_request():
                pass  # whoever uses this connection again waits in vain
        respond_for_ever(connection)

    with serving(respond_twice_once) as url:
        client = clients.open(base_url=url, timeout=LIMIT / 6)
        assert client.retrieve(PAGE_CUSTOMER_ID).customer.id == PAGE_CUSTOMER_ID
        with pytest.raises(errors.UnreadableResponse, match="another customer"):
            client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        assert client.retrieve(PAGE_CUSTOMER_ID).customer.id == PAGE_CUSTOMER_ID
        assert client.retrieve(OTHER).customer.id == OTHER
    assert len(connections) == 2


# Processes and event loops

FORKED = """
import os, sys
from cybersource_tms import CustomersClient, SharedSecretAuth

customers = CustomersClient("test", SharedSecretAuth("m", "k", sys.argv[2]), base_url=sys.argv[1], retries=None)
customers.retrieve("BEFORE")
child = os.fork()
name = "PARENT" if child else "CHILD"
ids = [f"{name}{number}" for number in range(60)]
assert [customers.retrieve(each).customer.id for each in ids] == ids
customers.close()
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork() -> None:
    """After a fork, parent and child each get what they ask for, on connections of their own."""
    with serving(respond_for_ever) as url:
        subprocess.run([sys.executable, "-W", "error", "-c", FORKED, url, SECRET], check=True, timeout=LIMIT)


FORKED_TRANSPORT = """
import os, sys, httpx
from cybersource_tms import CustomersClient, SharedSecretAuth, errors

customers = CustomersClient("test", SharedSecretAuth("m", "k", sys.argv[2]), base_url=sys.argv[1],
                            transport=httpx.HTTPTransport())
customers.retrieve("BEFORE")
if child := os.fork():
    sys.exit(os.waitpid(child, 0)[1])
try:
    customers.retrieve("CHILD")
except errors.InvalidRequest as error:
    assert str(error).startswith("transport: "), error
else:
    sys.exit("used the parent's transport")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_with_a_custom_transport() -> None:
    """A transport that was made before the fork is refused before anything is sent."""
    with serving(respond_for_ever) as url:
        command = [sys.executable, "-c", FORKED_TRANSPORT, url, SECRET]
        subprocess.run(command, check=True, timeout=LIMIT)


def async_client(**settings: Any) -> AsyncCustomersClient:
    """Return an async client that makes one attempt."""
    auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
    return AsyncCustomersClient("test", auth, **{"retries": None, **settings})


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the connections of a loop that has ended were not closed
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_another_event_loop() -> None:
    """In another event loop a client makes new connections: each update that arrives returns its record."""
    seen: list[tuple[str, str]] = []

    def count(connection: Connection) -> None:
        while request := connection.read_request():
            seen.append(request)
            connection.send(response(customer_in(request[1])))

    with serving(count) as url:
        customers = async_client(base_url=url)
        for _ in range(6):
            record = asyncio.run(customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL))
            assert record.customer.id == PAGE_CUSTOMER_ID
    assert len(seen) == 6
    del customers
    gc.collect()  # here, where the warnings about those connections are expected


def test_another_event_loop_with_a_custom_transport() -> None:
    """A transport of another event loop is refused before anything is sent."""
    transport = FixedResponse()
    customers = async_client(transport=transport)
    asyncio.run(customers.retrieve(PAGE_CUSTOMER_ID))
    with pytest.raises(errors.InvalidRequest, match=r"^transport: "):
        asyncio.run(customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL))
    assert len(transport.requests) == 1


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # as above
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_event_loop_after_another() -> None:
    """Connections of loops that were closed do not add up: a framework may use a new loop for each call."""
    ended: list[Connection] = []

    def note_end(connection: Connection) -> None:
        respond_for_ever(connection)
        ended.append(connection)

    with serving(note_end) as url:
        customers = async_client(base_url=url)
        for _ in range(6):
            asyncio.run(customers.retrieve(PAGE_CUSTOMER_ID))
        gc.collect()
        assert eventually(lambda: len(ended) == 5)
        del customers
        gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # as above
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_event_loops_that_run_at_the_same_time() -> None:
    """Each has connections of its own, which it uses again: calls in turns do not open more and more."""
    connections: list[Connection] = []

    def respond(connection: Connection) -> None:
        connections.append(connection)
        respond_for_ever(connection)

    with serving(respond) as url, asyncio.Runner() as one, asyncio.Runner() as other:
        customers = async_client(base_url=url)
        for runner in (one, other) * 5:
            assert runner.run(customers.retrieve(PAGE_CUSTOMER_ID)).customer.id == PAGE_CUSTOMER_ID
        assert len(connections) == 2
        del customers
    gc.collect()


def retrieve_together(customers: CustomersClient, together: threading.Barrier) -> CustomerRecord:
    """Read the customer of the page, as soon as all threads are about to."""
    together.wait(LIMIT)
    return customers.retrieve(PAGE_CUSTOMER_ID)


def test_threads_that_begin_at_the_same_time(sandbox: Sandbox) -> None:
    """The first calls of a client, too, have at most `max_connections` at a time, and none of them is refused."""
    auth, interval = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # the chance that one thread interrupts another one in the middle
    try:
        with ThreadPoolExecutor(8) as threads:
            for _ in range(50):
                transport, together = WatchedTransport(sandbox), threading.Barrier(8)
                customers = CustomersClient("test", auth, transport=transport, max_connections=1)
                calls = [threads.submit(retrieve_together, customers, together) for _ in range(8)]
                assert {call.result(LIMIT).customer.id for call in calls} == {PAGE_CUSTOMER_ID}
                assert transport.most == 1
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_asyncio_and_trio(backend: str) -> None:
    """The async client works under both, and so do its retries and its deadline."""
    numbers = iter(range(9))

    def fail_first(connection: Connection) -> None:
        while request := connection.read_request():
            status = "200 OK" if next(numbers) else "503 Service Unavailable"
            connection.send(response(customer_in(request[1]), status))

    async def use(url: str, silent: str) -> None:
        async with async_client(base_url=url, retries=Retries(initial_delay=0.001)) as customers:
            await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
            async with customers.edit(PAGE_CUSTOMER_ID):
                pass
        async with async_client(base_url=silent, retries=Retries(total_timeout=0.2)) as customers:
            with pytest.raises(errors.TimedOut):
                await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)

    with serving(fail_first) as url, serving(never_respond) as silent:
        anyio.run(use, url, silent, backend=backend)


# Cancelling


@pytest.mark.parametrize("custom", [False, True], ids=["our connections", "ten of a transport"])
def test_cancelling_harms_nobody_else(sandbox: Sandbox, url: str, *, custom: bool) -> None:
    """However many calls are cancelled, and at whatever step, no connection is lost: the next call has one."""
    chance = random.Random(7)
    transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=10)) if custom else None

    async def cancel_one(customers: AsyncCustomersClient) -> None:
        call = asyncio.create_task(customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL))
        for _ in range(chance.randrange(60)):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    async def cancel_many() -> None:
        async with async_client(base_url=url, transport=transport, timeout=LIMIT) as customers:
            for _ in range(100):
                await asyncio.gather(*[cancel_one(customers) for _ in range(10)])
            for _ in range(3):
                calls = [customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL) for _ in range(20)]
                assert len(await asyncio.gather(*calls)) == 20

    asyncio.run(cancel_many())


def test_waiting_behind_other_calls(sandbox: Sandbox, url: str) -> None:
    """More calls than there are connections wait for each other, which is no time-out of the network."""
    sandbox.fail(*[Fault(delay=0.05)] * 250)

    async def gather() -> None:
        async with async_client(base_url=url, timeout=httpx.Timeout(LIMIT, pool=0.01)) as customers:
            await asyncio.gather(*[customers.retrieve(PAGE_CUSTOMER_ID) for _ in range(250)])

    asyncio.run(gather())
    assert len(sandbox.received) == 250


# What a custom transport says

RAISED = ["ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol", "ReadError"]


@pytest.mark.parametrize("name", RAISED)
def test_a_custom_transport_proves_nothing(clients: Clients, name: str) -> None:
    """A custom transport's name for an error does not say that nothing was sent, and its message is not quoted."""
    transport = FixedResponse(error=getattr(httpx, name)("jane.roe@example.com"))
    with pytest.raises(errors.ConnectionFailed) as caught:
        clients.open(transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value.may_have_been_applied
    assert "jane.roe" not in str(caught.value)


@pytest.mark.parametrize("own", [False, True], ids=["ours", "httpx's own"])
def test_a_refused_connection(clients: Clients, *, own: bool) -> None:
    """Where httpx's own transport was refused, nothing was sent, and the message says why."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    transport = clients.transport_class() if own else None
    with pytest.raises(errors.ConnectionFailed, match="nothing was sent") as caught:
        clients.open(base_url=url, transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert not caught.value.may_have_been_applied


# The deadline


@pytest.mark.parametrize("attempts", [1, 3])
def test_nothing_is_sent_after_the_deadline(clients: Clients, monkeypatch: pytest.MonkeyPatch, attempts: int) -> None:
    """Where looking up the name took longer than the call may take, nothing is sent."""
    look_up = socket.getaddrinfo

    def slowly(*args: Any, **options: Any) -> Any:
        time.sleep(0.2)
        return look_up(*args, **options)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://localhost:{listener.getsockname()[1]}"
        monkeypatch.setattr(socket, "getaddrinfo", slowly)
        client = clients.open(base_url=url, retries=Retries(attempts=attempts, initial_delay=0, total_timeout=0.1))
        with pytest.raises(errors.TimedOut, match="nothing was sent") as caught:
            client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        listener.settimeout(0)
        with suppress(BlockingIOError), listener.accept()[0] as connection:
            connection.settimeout(LIMIT)
            assert connection.recv(1) == b""
    assert not caught.value.may_have_been_applied


def never_respond(connection: Connection) -> None:
    """Take a request and let its client wait."""
    connection.read_request()
    threading.Event().wait(LIMIT)


def trickle(part: bytes, received: list[object]) -> Callable[[Connection], None]:
    """Return a server that never ends its response, and sends a part of it a hundred times a second."""

    def handle(connection: Connection) -> None:
        received.extend(filter(None, [connection.read_request()]))
        connection.send(b"HTTP/1.1 200 OK\r\n" if part.endswith(b"x") else b"")
        while True:
            connection.send(part)
            time.sleep(0.01)

    return handle


SLOW = {"a header byte by byte": b"x", "103 for ever": b"HTTP/1.1 103 Early Hints\r\n\r\n"}


@pytest.mark.parametrize("part", SLOW.values(), ids=SLOW)
def test_the_deadline_bounds_an_async_call(part: bytes) -> None:
    """However slowly a server responds, an async call ends at its deadline."""

    async def update(url: str) -> None:
        async with async_client(base_url=url, retries=Retries(total_timeout=0.2)) as customers:
            with anyio.fail_after(LIMIT), pytest.raises(errors.TimedOut) as caught:
                await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
            assert caught.value.may_have_been_applied or not received  # a busy machine may not get as far

    received: list[object] = []
    with serving(trickle(part, received)) as url:
        anyio.run(update, url)


def test_the_deadline_bounds_reading(clients: Clients) -> None:
    """A body that comes byte by byte ends at the deadline, in both clients."""
    received: list[object] = []

    def drip(connection: Connection) -> None:
        received.extend(filter(None, [connection.read_request()]))
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            connection.send(b" ")
            time.sleep(0.01)

    with serving(drip) as url:
        client = clients.open(base_url=url, retries=Retries(total_timeout=0.2))
        with pytest.raises(errors.TimedOut) as caught:
            client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value.may_have_been_applied or not received


def test_the_deadline_bounds_a_retrieve(clients: Clients) -> None:
    """It bounds reading a customer as well as an update."""
    with serving(never_respond) as url:
        client = clients.open(base_url=url, timeout=LIMIT, retries=Retries(total_timeout=0.1))
        with pytest.raises(errors.TimedOut) as caught:
            client.retrieve(PAGE_CUSTOMER_ID)
    assert not caught.value.may_have_been_applied


# The machine's settings

UNUSABLE = {
    "an address range of IPv6": ("NO_PROXY", "fe80::/10"),
    "SOCKS": ("ALL_PROXY", "socks5://127.0.0.1:1"),
    "no such scheme": ("HTTPS_PROXY", "ftp://127.0.0.1:1"),
    "a password with a slash": ("HTTPS_PROXY", "http://user:s3/cret@host"),
    "in small letters": ("https_proxy", "http://user:s3/cret@host"),
    "no such certificates": ("SSL_CERT_FILE", "/nowhere/s3"),
    "no certificate in it": ("SSL_CERT_FILE", __file__),
    "no place for keys": ("SSLKEYLOGFILE", "/nowhere/s3"),
}


@pytest.mark.parametrize(("name", "value"), UNUSABLE.values(), ids=UNUSABLE)
def test_settings_that_cannot_be_used(clients: Clients, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A proxy or certificate variable that cannot be used is refused by its name, without any of its value."""
    monkeypatch.setenv(name, value)
    with pytest.raises(errors.InvalidRequest, match=name) as caught:
        clients.open()
    error: BaseException | None = caught.value
    while error:
        assert "s3" not in str(error)
        error = error.__cause__ or error.__context__


def test_only_the_variables_that_are_set_are_named(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is empty, or about something else, is not named."""
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("NO_PROXY_AT_ALL", "1")
    monkeypatch.setenv("HTTPS_PROXY", "ftp://127.0.0.1:1")
    with pytest.raises(errors.InvalidRequest, match=r"^HTTPS_PROXY: "):
        clients.open()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY", "http_proxy", "HTTPS_PROXY"])
def test_plain_http_never_uses_a_proxy(
    clients: Clients, sandbox: Sandbox, url: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Plain http goes to this machine only, so not to a proxy."""
    seen: list[object] = []
    with serving(lambda connection: seen.append(connection.read_request())) as proxy:
        monkeypatch.setenv(name, proxy)
        clients.open(base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert len(sandbox.received) == 1
    assert seen == []


# Redirects

LOCATIONS = [
    "https://xn--/",
    "mailto:x",
    "http://[::1",
    "https://apitest.cybersource.com/elsewhere",
    "http://a b/",
    None,
]


@pytest.mark.parametrize("location", LOCATIONS, ids=map(repr, LOCATIONS))
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(clients: Clients, status: int, location: str | None) -> None:
    """A redirect is a StatusError, wherever it leads, and nothing is sent there."""
    transport = FixedResponse(status, b"", {"Location": location} if location else {})
    with pytest.raises(errors.StatusError, match=f"^{status} ") as caught:
        clients.open(transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert type(caught.value) is errors.StatusError
    assert not caught.value.may_have_been_applied
    assert len(transport.requests) == 1


def test_a_closed_client_is_refused(clients: Clients) -> None:
    """Also if it is closed while a call is made: that call ends as it would have, and its connection is closed."""
    transport = FixedResponse()
    client = clients.open(transport=transport)
    client.close()
    with pytest.raises(errors.InvalidRequest, match="closed"):
        client.retrieve(PAGE_CUSTOMER_ID)
    assert transport.requests == []


def test_closing_during_a_call() -> None:
    """A call that is made while the client is closed ends as it would have."""
    received, closed = threading.Event(), threading.Event()

    def wait(connection: Connection) -> None:
        request = connection.read_request()
        received.set()
        closed.wait(LIMIT)
        connection.send(response(customer_in(request[1] if request else "")))
        respond_for_ever(connection)

    with serving(wait) as url:
        customers = CustomersClient("test", SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET), base_url=url)
        records: list[Any] = []
        thread = threading.Thread(target=lambda: records.append(customers.retrieve(PAGE_CUSTOMER_ID)))
        thread.start()
        assert received.wait(LIMIT)
        customers.close()
        closed.set()
        thread.join(LIMIT)
    assert records[0].customer.id == PAGE_CUSTOMER_ID
