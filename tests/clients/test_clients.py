"""The two clients over real HTTP, against the sandbox: what they send, what they return, how they are shared."""

import base64
import inspect
import json
import logging
import re
import threading
from typing import Any

import pytest

from cybersource_tms import CustomerUpdate, Environment, Retries, SharedSecretAuth, __version__, errors
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, PROFILE_ID, SECRET, Fault, Sandbox, page_customer
from support.clients import NEW_CODE, NEW_EMAIL, Clients
from support.fixed_response import FixedResponse
from support.scripted_server import Connection, respond_for_ever, serving
from support.tokens import verify
from support.waiting import LIMIT

ABSENT = object()  # in a table: the customer does not have the field
PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"


# Updating

UPDATES: dict[str, tuple[str, dict[str, Any]]] = {
    "a field removed": (
        '{"buyerInformation":{"email":null}}',
        {"buyerInformation": {"merchantCustomerID": "Your customer identifier"}},
    ),
    "a group removed, and an array": (
        '{"clientReferenceInformation":null,"merchantDefinedInformation":[{"name":"data2","value":"v"}]}',
        {"clientReferenceInformation": ABSENT, "merchantDefinedInformation": [{"name": "data2", "value": "v"}]},
    ),
    "two groups": (
        '{"buyerInformation":{"merchantCustomerID":"7","email":"é"},"clientReferenceInformation":{"code":"c"}}',
        {"buyerInformation": {"merchantCustomerID": "7", "email": "é"}, "clientReferenceInformation": {"code": "c"}},
    ),
}


@pytest.mark.parametrize("name", UPDATES)
def test_update(clients: Clients, sandbox: Sandbox, url: str, name: str) -> None:
    """One request with exactly the changed fields goes out, the whole customer comes back, and `changes` stays."""
    body, after = UPDATES[name]
    changes = CustomerUpdate.from_dict(json.loads(body))
    record = clients.open(base_url=url).update(PAGE_CUSTOMER_ID, changes)
    [received] = sandbox.received
    assert (received.method, received.path, received.body) == ("PATCH", PATH, body.encode())
    assert changes.to_dict() == json.loads(body)
    customer = {name: value for name, value in (page_customer() | after).items() if value is not ABSENT}
    assert record.customer.to_dict() == sandbox.customer() == customer
    assert record.etag == sandbox.etag()
    assert re.fullmatch(r"[0-9a-f-]{36}", record.correlation_id or "")


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_headers_as_received(clients: Clients, sandbox: Sandbox, url: str, method: str) -> None:
    """The service sees who calls and in which format, once each, also on GET, and what else the client was given."""
    client = clients.open(base_url=url, profile_id=PROFILE_ID, headers={"X-Gateway-Key": "a b", "x": "~"})
    client.retrieve(PAGE_CUSTOMER_ID) if method == "GET" else client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    [received] = sandbox.received
    assert received.headers.get_list("user-agent") == [f"cybersource-tms/{__version__}"]
    assert received.headers.get_list("content-type") == ["application/json;charset=utf-8"]
    assert received.headers.get_list("accept") == ["application/json;charset=utf-8"]
    assert received.headers.get_list("profile-id") == [PROFILE_ID]
    assert (received.headers["x-gateway-key"], received.headers["x"]) == ("a b", "~")
    assert not {"if-match", "cookie", "date", "digest", "v-c-merchant-id"} & set(received.headers)


PROXIES = {
    "none": (None, "https://api.cybersource.com"),
    "a path": ("https://proxy.example/a/b", "https://proxy.example/a/b"),
    "a port and a path": ("https://proxy.example:8443/a%20b/", "https://proxy.example:8443/a%20b"),
    "loopback": ("http://[::1]:8080", "http://[::1]:8080"),
}


@pytest.mark.parametrize(("base_url", "address"), PROXIES.values(), ids=PROXIES)
def test_the_service_is_signed_for(clients: Clients, base_url: str | None, address: str) -> None:
    """`base_url` is only where it is sent: the token is for the environment's host and the service's path."""
    transport = FixedResponse()
    client = clients.open("production", base_url=base_url, transport=transport)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    client.retrieve(PAGE_CUSTOMER_ID)
    for request in transport.requests:
        _, claims = verify(request, base64.b64decode(SECRET))
        assert (claims["request-host"], claims["request-resource-path"]) == ("api.cybersource.com", PATH)
        assert str(request.url) == address + PATH


# Sharing and closing


def connections(caplog: pytest.LogCaptureFixture) -> int:
    """Return how many connections were made while DEBUG was logged."""
    return sum(record.getMessage().startswith("connect_tcp.started") for record in caplog.records)


def test_connections_are_reused(clients: Clients, sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture) -> None:
    """One connection is enough for updates that follow each other, also after a refusal, and each is signed anew."""
    caplog.set_level(logging.DEBUG, "httpcore.connection")
    client = clients.open(base_url=url)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    with pytest.raises(errors.NotFound, match=r"404 notFound .*PATCH /tms/v2/customers/NOBODY"):
        client.update("NOBODY", NEW_EMAIL)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert connections(caplog) == 1
    assert len({received.claims["jti"] for received in sandbox.received}) == 3
    clients.open(base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert connections(caplog) == 2


def test_with(clients: Clients) -> None:
    """`with` or `async with` gives the client itself and closes its connections at the end, also after an exception."""
    ended = threading.Event()

    def note_end(connection: Connection) -> None:
        respond_for_ever(connection)
        ended.set()

    async def async_fail() -> None:
        async with client as customers:
            assert customers is client
            await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
            raise KeyError

    def fail() -> Any:
        with client as customers:
            assert customers is client
            customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
            raise KeyError

    with serving(note_end) as url:
        client = clients.open(base_url=url).wrapped
        with pytest.raises(KeyError):
            clients.run(fail() if clients.name == "sync" else async_fail())
        assert ended.wait(LIMIT)
        assert client.is_closed


def test_with_options(clients: Clients, sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The copy has other retries or time-outs and the same connections; closing it does nothing."""
    caplog.set_level(logging.DEBUG, "httpcore.connection")
    client = clients.open(base_url=url)
    other = client.with_options(retries=Retries(attempts=3, initial_delay=0))
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    sandbox.fail(503, 503)
    assert other.update(PAGE_CUSTOMER_ID, NEW_EMAIL).requests == 3
    other.close()
    sandbox.fail(503)
    with pytest.raises(errors.ServiceError) as caught:
        other.with_options(timeout=LIMIT).with_options(retries=None).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value.attempts == 1
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert connections(caplog) == 1
    for options in ({"timeout": 0}, {"retries": 3}):
        with pytest.raises(errors.InvalidRequest, match=f"^{next(iter(options))}: "):
            client.with_options(**options)


def test_where_a_client_sends(clients: Clients) -> None:
    """`environment` says whom requests are for, `base_url` where they are sent; both can be read."""
    client = clients.open("production").wrapped
    assert (client.environment, client.base_url) == (Environment.PRODUCTION, "https://api.cybersource.com")
    elsewhere = clients.open(Environment.TEST, base_url="http://127.0.0.1:1/path/").wrapped
    assert (elsewhere.environment, elsewhere.base_url) == (Environment.TEST, "http://127.0.0.1:1/path")


# What is shown


def test_repr(clients: Clients) -> None:
    """The `repr` says which client it is and where it sends, and nothing of the credentials."""
    client = clients.open("production-india", SharedSecretAuth("merchant", "the-key", SECRET)).wrapped
    shown = repr(client) + str(client)
    assert clients.client_class.__name__ in shown
    assert "https://api.in.cybersource.com" in shown
    assert not [told for told in (SECRET, "merchant", "the-key") if told in shown]


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what our logger said."""
    return [record.getMessage() for record in caplog.records if record.name == "cybersource_tms"]


def test_log_of_no_response(clients: Clients, sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture) -> None:
    """That there was no response is logged, with what happened."""
    caplog.set_level(logging.DEBUG)
    sandbox.fail(Fault(cut="before"))
    with pytest.raises(errors.ConnectionFailed) as caught:
        clients.open(base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    [line] = lines(caplog)
    for part in ("PATCH", PATH, type(caught.value.__cause__).__name__):
        assert part in line


def test_nothing_logged_at_info(clients: Clients, sandbox: Sandbox, url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Above DEBUG the library has nothing to say, whatever happens."""
    caplog.set_level(logging.INFO)
    client = clients.open(base_url=url)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    sandbox.fail(Fault(status=503), Fault(cut="before"), Fault(cut="middle"))
    for _ in range(3):
        with pytest.raises(errors.CybersourceError):
            client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert lines(caplog) == []


def test_logging_is_left_alone(clients: Clients, url: str) -> None:
    """How to log is the application's choice: no handler, level or filter is set, not even by a call."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    clients.open(base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    logger = logging.getLogger("cybersource_tms")
    assert (logger.handlers, logger.filters, logger.level) == ([], [], logging.NOTSET)
    assert logger.propagate
    assert not logger.disabled
    assert (root.handlers, root.level) == (handlers, level)


# The environment's variables, and jobs


def test_from_env(clients: Clients, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables have the credentials; what is given by keyword goes before them."""
    for name, value in {**sandbox.variables, "CYBERSOURCE_BASE_URL": "https://b.example"}.items():
        monkeypatch.setenv(name, value)
    client = clients.client_class.from_env(transport=sandbox.transport, base_url="https://a.example")
    assert client.base_url == "https://a.example"
    assert clients.wrap(client).retrieve(PAGE_CUSTOMER_ID).customer.to_dict() == sandbox.customer()


def test_jobs_are_calls(clients: Clients, sandbox: Sandbox) -> None:
    """`update_many` makes updates, `apply_many` what `apply` and `modify` do, with the client's retries."""
    client = clients.open(transport=sandbox.transport, retries=Retries(initial_delay=0))
    sandbox.fail(503)
    [updated] = client.update_many([(PAGE_CUSTOMER_ID, NEW_EMAIL)], concurrency=1)
    assert updated.record
    assert (updated.record.requests, updated.record.sent) == (2, ("buyerInformation.email",))
    applied = client.apply_many([(PAGE_CUSTOMER_ID, NEW_EMAIL), (PAGE_CUSTOMER_ID, lambda _: NEW_CODE)], concurrency=1)
    assert [outcome.record and outcome.record.sent for outcome in applied] == [(), ("clientReferenceInformation.code",)]
    assert [received.method for received in sandbox.received] == ["PATCH", "PATCH", "GET", "GET", "PATCH"]


def test_from_env_takes_what_the_constructor_takes(clients: Clients) -> None:
    """The settings by keyword are the same, with the same defaults."""
    made, read = (inspect.signature(each).parameters for each in (clients.client_class, clients.client_class.from_env))
    by_keyword = {name: each for name, each in made.items() if each.kind is inspect.Parameter.KEYWORD_ONLY}
    del by_keyword["encryption"]  # that is in the variables
    assert dict(read) == by_keyword
    assert inspect.iscoroutinefunction(clients.client_class.update) is (clients.name == "async")
