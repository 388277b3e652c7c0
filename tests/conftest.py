"""The fixtures. What the tests share besides them is in `support`.

clients         either client, sync or async, behind one blocking face: `Clients`
sandbox         the sandbox of the service, reset; `sandbox.transport` reaches it within the process
url             the sandbox's address, where a test is about what happens on the wire
caller          plain httpx with signed requests, to the sandbox within the process: `Caller`
clock           stops the clock, and sets this thread's ahead of that of the running sandbox

BlockingClient        a client whose methods block until they return
FixedResponse         a transport that gives every request the same response, or raises an error
RecordingTransport    a transport that keeps what is sent over HTTP, and lets a test act around each request
PAGE_CUSTOMER_ID      the customer of the service's guide, which the sandbox knows
EMAIL                 a customer's address, which no message and no log line may show
NEW_EMAIL, NEW_CODE   an update that sets this address, and one that sets a reference code
REMOVED               `None` where a table means that a field is removed
merge                 JSON Merge Patch (RFC 7396), written for the tests alone
keys, rfc, customers  keys and certificates; the examples of RFC 7515 and 7516; customers made from the spec
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import httpx
import pytest
from hypothesis import HealthCheck, settings

from cybersource_tms_sandbox import Sandbox
from support.caller import HOST, Caller
from support.clients import Clients

# How long an example takes says how busy the machine is.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

VARIABLES = ("CYBERSOURCE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_", "SSLKEYLOGFILE")


@pytest.fixture(scope="session", autouse=True)
def _heed_interrupts() -> None:
    """Let processes that tests start be interrupted, even if this one was started in a shell's background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:
    """Hide the environment variables that httpx and the clients read."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith(VARIABLES):
                patch.delenv(name)
        yield


@pytest.fixture(params=["sync", "async"])
def clients(request: pytest.FixtureRequest) -> Iterator[Clients]:
    """Return either client behind one blocking face; the async one has an event loop of its own."""
    with nullcontext() if request.param == "sync" else asyncio.Runner() as runner:
        clients = Clients(request.param, runner.run if runner else lambda value: value)
        yield clients
        clients.close()


@pytest.fixture(scope="session")
def _sandbox() -> Sandbox:
    """Return the one sandbox, whose RSA key takes a while to make."""
    return Sandbox()


@pytest.fixture
def sandbox(_sandbox: Sandbox) -> Sandbox:
    """Return the sandbox, reset."""
    _sandbox.reset()
    return _sandbox


@pytest.fixture
def url(sandbox: Sandbox) -> Iterator[str]:
    """Return the sandbox's address. Each test has a server of its own: no request arrives in the next test."""
    with sandbox.running() as url:
        yield url


@pytest.fixture
def caller(sandbox: Sandbox) -> Iterator[Caller]:
    """Return plain httpx that signs its requests, within the process."""
    with httpx.Client(transport=sandbox.transport, base_url=f"http://{HOST}") as http:
        yield Caller(http)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stop the clock. The function that is returned sets this thread's ahead of that of the sandbox's threads."""
    here, now, difference = threading.current_thread(), int(time.time()), [0.0]
    monkeypatch.setattr(time, "time", lambda: now + difference[0] * (threading.current_thread() is here))

    def set_ahead(seconds: float) -> None:
        difference[0] = seconds

    return set_ahead
