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
from typing import Any

import anyio
import pytest

from cybersource_tms import AsyncCustomersClient, CustomersClient, Retries, errors
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, SECRET, Sandbox
from support.clients import AUTH, NEW_EMAIL, Clients
from support.fixed_response import FixedResponse
from support.scripted_server import Connection, customer_in, respond_for_ever, response, serving
from support.waiting import LIMIT, eventually

OTHER = "0" * 31 + "1"
# The connections of an event loop that has ended were not closed; `gc.collect` is called where that is expected.
left_open = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def async_client(**settings: Any) -> AsyncCustomersClient:
    """Return an async client that makes one attempt."""
    return AsyncCustomersClient("test", AUTH, **{"retries": None, **settings})


class Server:
    """Responds for ever, and keeps its connections, open and ended ones."""

    def __init__(self, handle: Callable[[Connection], None] = respond_for_ever) -> None:
        self.handle = handle
        self.connections: list[Connection] = []
        self.ended = 0

    def __call__(self, connection: Connection) -> None:
        """Handle a connection."""
        self.connections.append(connection)
        try:
            self.handle(connection)
        finally:
            self.ended += 1


# What is left over on a connection

ORIGINS = {"our connections": False, "httpx's transport": True}


@pytest.mark.parametrize("own", ORIGINS.values(), ids=ORIGINS)
@pytest.mark.parametrize("second", [PAGE_CUSTOMER_ID, OTHER], ids=["same", "other"])
def test_two_responses_to_one_request(clients: Clients, second: str, *, own: bool) -> None:
    """The second one is not the next call's: a guarded update that is refused is never success."""
    requests: list[object] = []

    def respond_twice_once(connection: Connection) -> None:
        while request := connection.read_request():
            requests.append(request)
            if len(requests) == 1:
                connection.send(response(customer_in(request)), response({"id": second}))
            else:
                connection.send(response({}, "412 Precondition Failed"))

    server = Server(respond_twice_once)
    with serving(server) as url:
        client = clients.open(base_url=url, transport=clients.transport_class() if own else None)
        assert client.retrieve(PAGE_CUSTOMER_ID).customer.id == PAGE_CUSTOMER_ID
        with pytest.raises(errors.PreconditionFailed) as caught:
            client.update(PAGE_CUSTOMER_ID, NEW_EMAIL, if_match="e")
    assert not caught.value.may_have_been_applied
    assert (len(requests), len(server.connections)) == (2, 2)


def test_a_response_that_comes_later(clients: Clients) -> None:
    """What comes on an idle connection that nobody asked for is not the next call's either."""
    sent = threading.Event()

    def respond_again(connection: Connection) -> None:
        if request := connection.read_request():
            connection.send(response(customer_in(request)))
            connection.send(response({"id": OTHER}))
            sent.set()
        respond_for_ever(connection)

    with serving(respond_again) as url:
        client = clients.open(base_url=url)
        client.retrieve(PAGE_CUSTOMER_ID)
        assert sent.wait(LIMIT)
        assert client.retrieve(OTHER.replace("1", "2")).customer.id == OTHER.replace("1", "2")


def test_a_server_that_closes(clients: Clients) -> None:
    """After `Connection: close` the next call has a new connection."""

    def respond_and_close(connection: Connection) -> None:
        if request := connection.read_request():
            connection.send(response(customer_in(request), headers="Connection: close\r\n"))

    server = Server(respond_and_close)
    with serving(server) as url:
        client = clients.open(base_url=url)
        for _ in range(3):
            assert client.retrieve(PAGE_CUSTOMER_ID).customer.id == PAGE_CUSTOMER_ID
    assert len(server.connections) == 3


# Processes

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
FORKED_TRANSPORT = """
import os, sys, httpx
from cybersource_tms import CustomersClient, SharedSecretAuth, errors

auth, transport = SharedSecretAuth("m", "k", sys.argv[2]), httpx.HTTPTransport()
customers = CustomersClient("test", auth, base_url=sys.argv[1], transport=transport)
customers.retrieve("BEFORE")
if child := os.fork():
    customers.close()
    sys.exit(os.waitpid(child, 0)[1])
try:
    customers.retrieve("CHILD")
except errors.InvalidRequest as error:
    assert str(error).startswith("transport: "), error
else:
    sys.exit("used the parent's transport")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("script", [FORKED, FORKED_TRANSPORT], ids=["our connections", "a transport"])
def test_fork(script: str) -> None:
    """Parent and child each get what they ask for, on connections of their own; a transport stays the parent's."""
    with serving(respond_for_ever) as url:
        subprocess.run([sys.executable, "-W", "error", "-c", script, url, SECRET], check=True, timeout=10 * LIMIT)


# Event loops


@left_open
def test_one_event_loop_after_another() -> None:
    """Each has connections of its own; those of closed loops are closed, at the latest when the client is."""
    server = Server()
    with serving(server) as url:
        customers = async_client(base_url=url)
        for number in range(6):
            record = asyncio.run(customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL))
            assert record.customer.id == PAGE_CUSTOMER_ID
            assert eventually(lambda ended=number: server.ended == ended)  # type: ignore[misc]
        asyncio.run(customers.aclose())
        assert eventually(lambda: server.ended == len(server.connections) == 6)
    gc.collect()


@left_open
def test_event_loops_that_run_at_the_same_time() -> None:
    """Each has connections of its own, which it uses again: calls in turns do not open more and more."""
    server = Server()
    with serving(server) as url, asyncio.Runner() as one, asyncio.Runner() as other:
        customers = async_client(base_url=url)
        for runner in (one, other) * 5:
            assert runner.run(customers.retrieve(PAGE_CUSTOMER_ID)).customer.id == PAGE_CUSTOMER_ID
        assert len(server.connections) == 2
        del customers
    gc.collect()


def test_another_event_loop_with_a_custom_transport() -> None:
    """A transport of another event loop is refused before anything is sent."""
    transport = FixedResponse()
    customers = async_client(transport=transport)
    asyncio.run(customers.retrieve(PAGE_CUSTOMER_ID))
    with pytest.raises(errors.InvalidRequest, match=r"^transport: "):
        asyncio.run(customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL))
    assert len(transport.requests) == 1


@left_open
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_asyncio_and_trio(backend: str) -> None:
    """The async client works under both, with its retries, also in a second run."""
    statuses = iter(["503 Service Unavailable", *["200 OK"] * 9])

    def fail_first(connection: Connection) -> None:
        while request := connection.read_request():
            connection.send(response(customer_in(request), next(statuses)))

    async def use(*, close: bool) -> None:
        await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        await customers.apply(PAGE_CUSTOMER_ID, NEW_EMAIL)
        if close:
            await customers.aclose()

    with serving(fail_first) as url:
        customers = async_client(base_url=url, retries=Retries(initial_delay=0.001))
        for close in (False, True):
            anyio.run(lambda close=close: use(close=close), backend=backend)  # type: ignore[misc]
    gc.collect()


def test_idle_connections_that_the_server_closes() -> None:
    """After many calls at once, those that their server has closed are closed here as others are put back."""
    together, quiet = threading.Barrier(60), threading.Event()

    def respond_and_leave(connection: Connection) -> None:
        while request := connection.read_request():
            if "TOGETHER" in request[1]:
                together.wait(LIMIT)
            connection.send(response(customer_in(request)))
            if "TOGETHER" in request[1]:
                quiet.wait(LIMIT)
                connection.socket.shutdown(socket.SHUT_WR)

    async def use(url: str) -> None:
        async with async_client(base_url=url, timeout=LIMIT) as customers:
            await asyncio.gather(*[customers.retrieve(f"TOGETHER{number}") for number in range(60)])
            assert server.ended == 0
            quiet.set()
            assert await asyncio.to_thread(eventually, lambda: all(map(half_closed, server.connections)))
            await customers.retrieve(PAGE_CUSTOMER_ID)
            await customers.retrieve(PAGE_CUSTOMER_ID)
            assert await asyncio.to_thread(eventually, lambda: server.ended >= 60)

    server = Server(respond_and_leave)
    with serving(server) as url:
        asyncio.run(use(url))


def half_closed(connection: Connection) -> bool:
    """Return whether the server has closed its side of a connection, or all of it."""
    try:
        connection.socket.send(b"")
    except OSError:
        return True
    return False


# Calls in flight


INTERRUPTED = """
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from cybersource_tms import CustomersClient, SharedSecretAuth, errors

class Alarm(Exception):
    pass

def raise_at(number):
    calls = count(1)

    # Not where one ends: CPython 3.11 crashes if that is a generator which is thrown away.
    def look(frame, event, _):
        if event == "call" and frame.f_globals.get("__name__", "").startswith(("cybersource", "httpx", "httpcore")):
            if next(calls) == number:
                raise Alarm
    return look

customers = CustomersClient("test", SharedSecretAuth("m", "k", sys.argv[2]), base_url=sys.argv[1], retries=None,
                            max_connections=1)
customers.retrieve("FIRST")
interrupted = True
for number in count(1, 2):
    try:
        sys.setprofile(raise_at(number))
        customers.retrieve(f"N{number}")
        break
    except Alarm:
        pass
    finally:
        sys.setprofile(None)
    assert customers.retrieve(f"M{number}").customer.id == f"M{number}"
assert number > 100
ids = [f"TOGETHER{number}" for number in range(100)]
with ThreadPoolExecutor(100) as threads:
    assert [record.customer.id for record in threads.map(customers.retrieve, ids)] == ids
print(number)
"""


def test_handlers_of_signals_that_raise() -> None:
    """Wherever in a call they do: the client works, and 100 calls can be in flight at once."""
    together = threading.Barrier(100)

    def respond_together(connection: Connection) -> None:
        while request := connection.read_request():
            if "TOGETHER" in request[1]:
                together.wait(LIMIT)
            connection.send(response(customer_in(request)))

    with serving(respond_together) as url:
        subprocess.run([sys.executable, "-c", INTERRUPTED, url, SECRET], check=True, timeout=10 * LIMIT)


def test_cancelling_harms_nobody_else(sandbox: Sandbox, url: str) -> None:
    """However many calls are cancelled, and at whatever step, no connection is lost: the next call has one."""
    chance = random.Random(7)

    async def cancel_one(customers: AsyncCustomersClient) -> None:
        call = asyncio.create_task(customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL))
        for _ in range(chance.randrange(60)):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    async def cancel_many() -> None:
        async with async_client(base_url=url, max_connections=10, timeout=LIMIT) as customers:
            for _ in range(40):
                await asyncio.gather(*[cancel_one(customers) for _ in range(10)])
            calls = [customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL) for _ in range(20)]
            assert len(await asyncio.gather(*calls)) == 20

    asyncio.run(cancel_many())


def test_waiting_for_a_connection_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of the async client wait for each other without a limit, which is no time-out and no part of the call's."""
    clock, ahead = time.monotonic, [0]
    monkeypatch.setattr(time, "monotonic", lambda: clock() + ahead[0])
    received, go_on = threading.Event(), threading.Event()

    def hold_the_first(connection: Connection) -> None:
        while request := connection.read_request():
            received.set()
            go_on.wait(LIMIT)
            connection.send(response(customer_in(request)))

    async def use(url: str) -> None:
        async with async_client(base_url=url, timeout=10 * LIMIT, max_connections=1) as customers:
            first = asyncio.ensure_future(customers.retrieve(PAGE_CUSTOMER_ID))
            await asyncio.to_thread(received.wait, LIMIT)
            hasty = customers.with_options(retries=Retries(attempts=1, total_timeout=LIMIT))
            others = [asyncio.ensure_future(hasty.retrieve(OTHER)) for _ in range(3)]
            await asyncio.sleep(0)
            ahead[0] = 2 * LIMIT
            go_on.set()
            assert (await first).customer.id == PAGE_CUSTOMER_ID
            assert {(await other).customer.id for other in others} == {OTHER}

    with serving(hold_the_first) as url:
        asyncio.run(use(url))


# Closing


def test_closing_during_a_call() -> None:
    """A call that is made while the client is closed ends as it would have; then its connection is closed."""
    received, closed = threading.Event(), threading.Event()

    def wait(connection: Connection) -> None:
        request = connection.read_request() or ("", "")
        received.set()
        closed.wait(LIMIT)
        connection.send(response(customer_in(request)))
        respond_for_ever(connection)

    server = Server(wait)
    with serving(server) as url:
        customers = CustomersClient("test", AUTH, base_url=url)
        records: list[Any] = []
        thread = threading.Thread(target=lambda: records.append(customers.retrieve(PAGE_CUSTOMER_ID)))
        thread.start()
        assert received.wait(LIMIT)
        customers.close()
        closed.set()
        thread.join(LIMIT)
        assert eventually(lambda: server.ended == 1)
    assert records[0].customer.id == PAGE_CUSTOMER_ID
    assert customers.is_closed


def test_a_closed_client_is_refused(clients: Clients) -> None:
    """Whether it was used before or not, and also through `with_options`; closing twice does no harm."""
    transport = FixedResponse()
    client = clients.open(transport=transport)
    other = client.with_options(timeout=LIMIT)
    client.close()
    client.close()
    for each in (client, other):
        with pytest.raises(errors.InvalidRequest, match="closed"):
            each.retrieve(PAGE_CUSTOMER_ID)
    assert transport.requests == []
