"""When a call is made again, how long it waits, and when it gives up: the policy, then the clients that follow it."""

import asyncio
import json
import logging
import math
import pickle
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from itertools import pairwise

import attrs
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cybersource_tms import AsyncCustomersClient, CustomersClient, Retries, SharedSecretAuth, errors
from cybersource_tms._calls.requests import DEFAULT_TIMEOUT, retrieve_call, update_call
from cybersource_tms._calls.responses import Response, status_error, unreadable
from cybersource_tms._calls.retries import Attempts, is_transient
from cybersource_tms._http.attempt import DeadlinePassed, TimeLimits
from cybersource_tms.errors import CybersourceError
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Fault, Sandbox, page_customer
from support.clients import EMAIL, NEW_EMAIL, Clients
from support.fixed_response import FixedResponse
from support.recording import RecordingTransport, refuse
from support.waiting import HANGS, LIMIT

PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
CALL = retrieve_call(PAGE_CUSTOMER_ID, None)
UPDATE = update_call(PAGE_CUSTOMER_ID, NEW_EMAIL, None, None)
QUICK = Retries(attempts=3, first_wait=0.001, longest_wait=0.005)


# Retries

NO_SECONDS: list[object] = [-0.001, -1, math.inf, -math.inf, math.nan, None, "1", True, [], 1j]
BAD: list[tuple[str, object]] = [
    *(("attempts", value) for value in (0, -1, 1.0, "3", None, True, math.inf)),
    *((name, value) for name in ("first_wait", "longest_wait", "total_time") for value in NO_SECONDS),
    ("total_time", 0),
    ("total_time", 0.0),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=[f"{name}={value}" for name, value in BAD])
def test_bad_retries(name: str, value: object) -> None:
    """A wrong number of attempts or seconds is refused by name."""
    with pytest.raises(errors.InvalidRequest, match=f"^{name}: "):
        Retries(**{name: value})  # type: ignore[arg-type]


GOOD: list[tuple[str, float]] = [("attempts", 1), ("first_wait", 0), ("longest_wait", 0.0), ("total_time", 0.001)]


@pytest.mark.parametrize(("name", "value"), GOOD, ids=[name for name, _ in GOOD])
def test_least_retries(name: str, value: float) -> None:
    """The least that makes sense is allowed."""
    assert getattr(Retries(**{name: value}), name) == value  # type: ignore[arg-type]


def test_retries_are_values() -> None:
    """They cannot be changed after they were checked, are set by name, and are equal if their numbers are."""
    assert Retries() == Retries()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Retries().attempts = 0  # type: ignore[misc]
    with pytest.raises(TypeError):
        Retries(3)  # type: ignore[call-arg]


@pytest.mark.parametrize("retries", [3, True, {"attempts": 3}, Retries, ()], ids=str)
def test_no_retries(clients: Clients, retries: object) -> None:
    """A client takes a Retries or None, nothing else."""
    with pytest.raises(errors.InvalidRequest, match=r"^retries: "):
        clients.open(retries=retries)


def test_the_defaults() -> None:
    """The defaults are the README's, and both clients retry without being asked to."""
    assert Retries() == Retries(attempts=4, first_wait=0.25, longest_wait=8.0, total_time=60.0)
    auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
    for client in (CustomersClient("test", auth), AsyncCustomersClient("test", auth)):
        assert client._settings.retries == Retries()


# Which failures are transient


def error_for(status: int, **headers: str) -> errors.StatusError:
    """Return the error for a response."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status_error(CALL, Response(status, httpx.Headers(named), b""))


def unreadable_because_of(cause: Exception | None) -> errors.UnreadableResponse:
    """Return the error for a response that cannot be read, because of something."""
    error = unreadable(CALL, Response(200, httpx.Headers(), b""), "is not a customer")
    error.__cause__ = cause
    return error


RETRIED = {429, 500, 502, 503, 504}


@pytest.mark.parametrize("status", [*range(201, 600)])
def test_statuses_that_are_retried(status: int) -> None:
    """Five statuses are, all others never."""
    assert is_transient(error_for(status)) is (status in RETRIED)


RAISED: dict[str, tuple[CybersourceError, bool]] = {
    "no connection": (errors.ConnectionFailed("m", may_have_been_applied=False), True),
    "cut": (errors.ConnectionFailed("m", may_have_been_applied=True), True),
    "timed out": (errors.TimedOut("m", may_have_been_applied=True), True),
    "cut within the response": (unreadable_because_of(httpx.RemoteProtocolError("m")), True),
    "reset within the response": (unreadable_because_of(httpx.ReadError("m")), True),
    "unreadable": (unreadable_because_of(None), False),
    "wrongly compressed": (unreadable_because_of(httpx.DecodingError("m")), False),
    "no customer": (unreadable_because_of(ValueError("m")), False),
    "invalid request": (errors.InvalidRequest("m"), False),
    "the base": (CybersourceError("m"), False),
}


@pytest.mark.parametrize(("error", "retried"), RAISED.values(), ids=RAISED)
def test_errors_that_are_retried(error: CybersourceError, *, retried: bool) -> None:
    """A transient failure is retried, what would fail again is not."""
    assert is_transient(error) is retried


@pytest.mark.parametrize(
    "kind", [httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL], ids=lambda kind: kind.__name__
)
def test_mistakes_in_settings(clients: Clients, kind: type[Exception]) -> None:
    """What a custom transport, a proxy or an auth makes impossible is not a transient failure."""

    def fail(number: int, request: httpx.Request) -> None:
        raise kind("m")

    transport = RecordingTransport(fail)
    with pytest.raises(errors.ConnectionFailed):
        clients.open(transport=transport, retries=QUICK).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert len(transport.requests) == 1


# How long to wait


def failures(attempts: Attempts, error: CybersourceError, times: int = 1) -> float | None:
    """Let attempts fail, and return how long to wait after the last one."""
    for _ in range(times):
        wait = attempts.wait_after(error)
    return wait


def wait_after_503(attempts: Attempts) -> float:
    """Let an attempt fail, and return how long to wait."""
    wait = attempts.wait_after(error_for(503))
    assert wait is not None
    return wait


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    ("first", "longest", "whole"),
    [
        (0.25, 8.0, [0.25, 0.5, 1, 2, 4, 8, 8, 8]),
        (1, 3, [1, 2, 3, 3, 3]),
        (5, 2, [2, 2, 2]),
        (0, 8, [0, 0, 0]),
        (1, 0, [0, 0]),
    ],
)
def test_waits(first: float, longest: float, whole: list[float], seed: int) -> None:
    """A wait is twice as long each time up to the longest, with up to half of it taken off at random."""
    random.seed(seed)
    attempts = Attempts(Retries(attempts=99, first_wait=first, longest_wait=longest, total_time=1000), UPDATE)
    for most in whole:
        assert most / 2 <= wait_after_503(attempts) <= most


def test_waits_differ() -> None:
    """Two clients that failed at the same time do not come back at the same time."""
    waits = {wait_after_503(Attempts(Retries(), UPDATE)) for _ in range(20)}
    assert len(waits) > 10
    assert max(waits) - min(waits) > 0.02


def test_many_attempts() -> None:
    """The wait of the thousandth attempt can be computed."""
    attempts = Attempts(Retries(attempts=2000, first_wait=1e-6, longest_wait=0.5), UPDATE)
    failures(attempts, error_for(503), 1500)
    assert 0.25 <= wait_after_503(attempts) <= 0.5


DATES = {
    "IMF-fixdate": lambda when: formatdate(when, usegmt=True),
    "RFC 850": lambda when: time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(when)),
    "asctime": lambda when: time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(when)),
}


@pytest.fixture(params=["UTC", "UTC-5"])
def _time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the machine in another time zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_time_zone")
@pytest.mark.parametrize("form", DATES)
def test_retry_after_as_a_date(form: str) -> None:
    """A date in each of HTTP's three forms is so far ahead, whatever the zone of this machine is."""
    error = error_for(503, Retry_After=DATES[form](time.time() + 3600))
    assert error.retry_after is not None
    assert 3000 < error.retry_after <= 3600
    assert failures(Attempts(Retries(longest_wait=3600, total_time=9000), UPDATE), error) == error.retry_after


ASKED: dict[str, float | None] = {
    "0": 0,
    "1": 1,
    "007": 7,
    "8": 8,
    formatdate(0, usegmt=True): 0,
    "": None,
    "-1": None,
    "1.5": None,
    "soon": None,
    "\u0665": None,
    "Wed, 99 Oct 2015 07:28:00 GMT": None,
}


@pytest.mark.parametrize("status", sorted(RETRIED))
@pytest.mark.parametrize(("value", "seconds"), ASKED.items(), ids=map(repr, ASKED))
def test_retry_after(value: str, seconds: float | None, status: int) -> None:
    """What the service asks for is waited for, to the second; what is neither seconds nor a date is ignored."""
    response = Response(status, httpx.Headers([(b"Retry-After", value.encode())]), b"")
    error = status_error(CALL, response)
    assert error.retry_after == seconds
    wait = failures(Attempts(Retries(), UPDATE), error)
    assert wait is not None
    assert wait == seconds if seconds is not None else 0.125 <= wait <= 0.25


@given(st.one_of(st.text(), st.from_regex(r"\w{3}, ?\d{1,6}.\w{3}.\d{0,8} \d+:\d+:\d+ [+-]?\w{1,9}")))
def test_any_retry_after(value: str) -> None:
    """Nothing that a server can write there breaks the reading of a response."""
    error = status_error(CALL, Response(503, httpx.Headers([(b"Retry-After", value.encode())]), b""))
    assert error.retry_after is None or error.retry_after >= 0


TOO_LONG = {
    "seconds": "9",
    "an hour": "3600",
    "for ever": "9" * 400,
    "a date": formatdate(time.time() + 86_400, usegmt=True),
}


@pytest.mark.parametrize("value", TOO_LONG.values(), ids=TOO_LONG)
def test_retry_after_beyond_the_longest_wait(clients: Clients, value: str) -> None:
    """Then the error is raised at once, and it says how long the service asked for."""
    transport = FixedResponse(429, headers={"Retry-After": value})
    with pytest.raises(errors.TooManyRequests) as caught:
        clients.open(transport=transport, retries=Retries()).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert len(transport.requests) == 1
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 8
    assert f"the service asks to wait {caught.value.retry_after:.0f} s" in str(caught.value)


def test_retry_after_is_waited_for(clients: Clients, sandbox: Sandbox) -> None:
    """It is really so long until the next attempt."""
    sandbox.fail(Fault(status=503, headers={"Retry-After": "1"}))
    started = time.monotonic()
    clients.open(transport=sandbox.transport, retries=Retries(first_wait=0.001, longest_wait=1)).update(
        PAGE_CUSTOMER_ID, NEW_EMAIL
    )
    assert time.monotonic() - started > 0.95
    assert len(sandbox.received) == 2


# When it gives up


def test_the_last_attempt() -> None:
    """After the last attempt there is no wait."""
    attempts = Attempts(Retries(attempts=3), UPDATE)
    assert wait_after_503(attempts) > 0
    assert wait_after_503(attempts) > 0
    assert attempts.wait_after(error_for(503)) is None


def test_no_wait_beyond_the_total_time() -> None:
    """If the next attempt would begin too late, the error is raised at once."""
    retries = Retries(first_wait=8, longest_wait=8, total_time=3)
    assert Attempts(retries, UPDATE).wait_after(error_for(503)) is None
    assert Attempts(retries, UPDATE).wait_after(error_for(503, Retry_After="4")) is None
    assert Attempts(retries, UPDATE).wait_after(error_for(503, Retry_After="2")) == 2


def test_time_limits() -> None:
    """No time-out of an attempt goes beyond the deadline, and they get shorter; without one, they stay as they are."""
    steps = {"connect": 5.0, "read": 30.0, "write": 10.0, "pool": 10.0}
    endless = TimeLimits(DEFAULT_TIMEOUT, math.inf)
    assert {step: endless.get(step) for step in steps} == steps
    limits = TimeLimits(DEFAULT_TIMEOUT, time.monotonic() + 4)
    first = limits.get("connect")
    time.sleep(0.01)
    assert limits.get("read") < first <= 4
    assert limits.get("another") is None
    assert limits.get("another", 0.1) == 0.1


@pytest.mark.parametrize("step", ["connect", "write", "read"])
def test_no_step_begins_after_the_deadline(step: str) -> None:
    """Nothing is connected, sent or read any more."""
    with pytest.raises(DeadlinePassed):
        TimeLimits(DEFAULT_TIMEOUT, time.monotonic() - 0.001).get(step)


TOTAL = 0.15  # seconds; what would go beyond it takes 600


@contextmanager
def ends_in_time() -> Iterator[pytest.ExceptionInfo[CybersourceError]]:
    """Check that something fails at the total time: not earlier, and long before what it waits for."""
    started = time.monotonic()
    with pytest.raises(CybersourceError) as caught:
        yield caught
    assert TOTAL - 0.01 <= time.monotonic() - started < LIMIT


@pytest.mark.parametrize("attempts", [1, 4])
def test_a_server_that_hangs(clients: Clients, sandbox: Sandbox, url: str, attempts: int) -> None:
    """A call ends at its total time, although one attempt alone would be let run longer."""
    sandbox.fail(*[HANGS] * attempts)
    client = clients.open(base_url=url, timeout=600, retries=Retries(attempts=attempts, total_time=TOTAL))
    with ends_in_time() as caught:
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert type(caught.value) is errors.TimedOut
    assert caught.value.attempts == 1
    assert len(sandbox.received) <= 1  # a busy machine may not get as far as sending


def test_several_attempts_that_hang(clients: Clients, sandbox: Sandbox, url: str) -> None:
    """The last attempt has only what the others left."""
    sandbox.fail(*[HANGS] * 9)
    client = clients.open(base_url=url, timeout=0.06, retries=Retries(attempts=9, first_wait=0, total_time=TOTAL))
    with ends_in_time() as caught:
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value.attempts <= 3
    assert len(sandbox.received) <= caught.value.attempts


def test_the_time_outs_of_each_phase(clients: Clients, sandbox: Sandbox) -> None:
    """Connecting, writing, reading and waiting for a connection are each bounded by what is left."""
    seen: list[list[float]] = []

    def note(number: int, request: httpx.Request) -> None:
        limits = request.extensions["timeout"]
        seen.append([limits.get(phase) for phase in ("connect", "write", "read", "pool")])

    sandbox.fail(Fault(status=503, delay=0.05), Fault(status=503, delay=0.05))
    retries = Retries(attempts=3, first_wait=0.001, total_time=60)
    client = clients.open(transport=RecordingTransport(note, through=sandbox.transport), timeout=100, retries=retries)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert len(seen) == 3
    assert all(0 < limit <= 60 for limits in seen for limit in limits)
    assert all(max(later) < min(sooner) - 0.04 for sooner, later in pairwise(seen))


def test_a_call_does_not_shorten_the_next(clients: Clients) -> None:
    """Each call has a total time of its own, also after another one."""
    total, ends = 60.0, []

    class Noting(FixedResponse):
        def _handle(self, request: httpx.Request) -> httpx.Response:
            left = request.extensions["timeout"].get("read")
            ends.append(time.monotonic() + left)
            return super()._handle(request)

    client = clients.open(transport=Noting(), timeout=100, retries=Retries(total_time=total))
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    started = time.monotonic()
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert ends[0] < ends[1]
    assert ends[1] >= started + total


# What the error says

NOTHING_SENT = errors.ConnectionFailed("refused", may_have_been_applied=False)
LOST = errors.ConnectionFailed("cut", may_have_been_applied=True)
SUMS: dict[str, tuple[list[CybersourceError], bool]] = {
    "never": ([error_for(429), NOTHING_SENT, error_for(412)], False),
    "first": ([LOST, error_for(429), error_for(404)], True),
    "in the middle": ([NOTHING_SENT, error_for(500), NOTHING_SENT], True),
    "last": ([error_for(429), LOST], True),
    "alone": ([error_for(404)], False),
}


@pytest.mark.parametrize(("raised", "applied"), SUMS.values(), ids=SUMS)
def test_what_the_attempts_add_up_to(raised: list[CybersourceError], *, applied: bool) -> None:
    """If one attempt may have been applied, the call may have been, whatever the last attempt was."""
    attempts = Attempts(Retries(attempts=9), UPDATE)
    for number, one in enumerate(raised, 1):
        error = pickle.loads(pickle.dumps(one))
        attempts.wait_after(error)
        assert error.attempts == number
    assert error.may_have_been_applied is applied


def test_a_read_applies_nothing() -> None:
    """Of the attempts of a GET, none may have been applied, whatever happened to them."""
    attempts = Attempts(Retries(attempts=9), CALL)
    for one in (LOST, error_for(500), unreadable_because_of(None)):
        error = pickle.loads(pickle.dumps(one))
        attempts.wait_after(error)
        assert error.may_have_been_applied is False


def test_the_message_knows_of_earlier_attempts(clients: Clients, sandbox: Sandbox) -> None:
    """If the first attempt may have been applied, the message of the last one does not say that nothing was sent."""

    def refuse_repeats(number: int, request: httpx.Request) -> None:
        if number:
            raise httpx.ConnectError("[Errno 111] Connection refused", request=request)

    sandbox.fail(Fault(cut="after"))
    client = clients.open(transport=RecordingTransport(refuse_repeats, through=sandbox.transport), retries=QUICK)
    with pytest.raises(errors.ConnectionFailed) as caught:
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value.may_have_been_applied
    assert "nothing was sent" not in str(caught.value)
    assert "may have been applied" in str(caught.value)


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_attempts_in_the_error(clients: Clients, attempts: int) -> None:
    """The error counts the attempts, also in its message if there was more than one, and also from a pickle."""
    transport = FixedResponse(503)
    client = clients.open(transport=transport, retries=attrs.evolve(QUICK, attempts=attempts))
    with pytest.raises(errors.ServiceError) as caught:
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert error.attempts == len(transport.requests) == attempts
        assert str(error).endswith(f" (after {attempts} attempts)") is (attempts > 1)
        assert str(error).count("attempts)") == (attempts > 1)


def test_without_retries(clients: Clients, sandbox: Sandbox) -> None:
    """With None there is one attempt, without a word about attempts."""
    sandbox.fail(Fault(status=503))
    with pytest.raises(errors.ServiceError) as caught:
        clients.open(transport=sandbox.transport, retries=None).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert (caught.value.attempts, len(sandbox.received)) == (1, 1)
    assert "attempt" not in str(caught.value)


def log_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what our logger said of retries."""
    ours = [record for record in caplog.records if record.name == "cybersource_tms"]
    return [record.getMessage() for record in ours if record.levelno == logging.INFO]


def test_each_retry_is_logged(clients: Clients, sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """A line for each, with its number, the wait and the reason; no line of anybody has a value."""
    caplog.set_level(logging.DEBUG)
    body = json.dumps({"errors": [{"type": "serverError", "message": f"{EMAIL} failed"}]}).encode()
    sandbox.fail(Fault(status=503, body=body), Fault(cut="before"), Fault(status=500))
    with pytest.raises(errors.ServiceError):
        clients.open(transport=sandbox.transport, retries=QUICK).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    first, second = log_lines(caplog)
    assert first.startswith("attempt 1 failed, the next one is in 0.00 s: 503 serverError (PATCH ")
    assert second.startswith("attempt 2 failed, ")
    assert "Error" in second
    told = (EMAIL, "test@cybs.com", SECRET)
    for record in caplog.records:
        assert not [value for value in told if value in f"{record.getMessage()} {vars(record)}"]


@pytest.mark.parametrize("fault", [Fault(), Fault(status=404)], ids=["success", "refusal"])
def test_nothing_to_log(clients: Clients, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, fault: Fault) -> None:
    """Without a retry there is no such line."""
    caplog.set_level(logging.INFO)
    sandbox.fail(fault)
    try:
        clients.open(transport=sandbox.transport, retries=QUICK).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    except errors.NotFound:
        assert fault.status == 404
    assert log_lines(caplog) == []


def test_mistakes_of_the_caller_are_not_repeated(clients: Clients) -> None:
    """What is refused before anything is sent is refused once, at once."""
    transport = FixedResponse()
    client = clients.open(transport=transport, retries=Retries(first_wait=600, longest_wait=600, total_time=6000))
    started = time.monotonic()
    with pytest.raises(errors.InvalidRequest) as caught:
        client.update("..", NEW_EMAIL)
    client.close()
    with pytest.raises(errors.InvalidRequest, match="closed") as closed:
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value.attempts == closed.value.attempts == 1
    assert time.monotonic() - started < LIMIT
    assert transport.requests == []


def test_each_body_is_the_same(clients: Clients, sandbox: Sandbox) -> None:
    """A repeat sends the same bytes to the same place with a new token."""
    sandbox.fail(Fault(status=503), Fault(cut="before"))
    clients.open(transport=sandbox.transport, retries=QUICK).update(
        PAGE_CUSTOMER_ID, NEW_EMAIL, if_match=sandbox.etag()
    )
    sent = {(each.method, each.path, each.body, each.headers["if-match"]) for each in sandbox.received}
    assert len(sent) == 1
    assert len({each.headers["authorization"] for each in sandbox.received}) == 3


# What stops a call


class Foreign(BaseException):
    """Something that is none of ours, such as what a framework raises to stop a worker."""


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, Foreign], ids=lambda stop: str(stop.__name__))
@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_what_stops_a_call(stop: type[BaseException], earlier: int) -> None:
    """What is raised in any attempt to stop the program comes out as the same object, and nothing is repeated."""
    raised = stop()

    def fail(number: int, request: httpx.Request) -> None:
        raise raised if number == earlier else httpx.ConnectError("m")

    transport = RecordingTransport(fail)
    auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
    client = CustomersClient("test", auth, transport=transport, retries=attrs.evolve(QUICK, attempts=9))
    with pytest.raises(stop) as caught:
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value is raised
    assert len(transport.requests) == earlier + 1


def test_a_foreign_exception_is_a_transient_failure(clients: Clients) -> None:
    """Any other exception of a transport is a ConnectionFailed with it as the cause, and is retried."""
    cause = RuntimeError("m")

    def fail(number: int, request: httpx.Request) -> None:
        raise cause

    transport = RecordingTransport(fail)
    with pytest.raises(errors.ConnectionFailed, match=r"^RuntimeError \(PATCH ") as caught:
        clients.open(transport=transport, retries=QUICK).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value.__cause__ is cause
    assert caught.value.may_have_been_applied
    assert len(transport.requests) == 3


@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_cancelling_an_awaited_call(earlier: int) -> None:
    """A call that is cancelled in any attempt ends there, and nothing is repeated."""
    begun = asyncio.Event()

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            requests.append(request)
            if len(requests) <= earlier:
                raise httpx.ConnectError("m")
            begun.set()
            await asyncio.sleep(3600)
            raise AssertionError

    async def cancel() -> None:
        auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
        client = AsyncCustomersClient("test", auth, transport=Silent(), retries=attrs.evolve(QUICK, attempts=9))
        call = asyncio.create_task(client.update(PAGE_CUSTOMER_ID, NEW_EMAIL))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    requests: list[httpx.Request] = []
    asyncio.run(cancel())
    assert len(requests) == earlier + 1


def test_refused_first(clients: Clients, sandbox: Sandbox, url: str) -> None:
    """A server that is not there yet is waited for."""
    transport = RecordingTransport(refuse(2))
    record = clients.open(base_url=url, transport=transport, retries=QUICK).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert record.customer.to_dict() == sandbox.customer() != page_customer()
    assert (len(transport.requests), len(sandbox.received)) == (3, 1)


CLOCKS = {"behind": (3600, "3600 s behind the service's"), "ahead": (-3600, "3600 s ahead of the service's")}


@pytest.mark.parametrize(("seconds", "said"), CLOCKS.values(), ids=CLOCKS)
def test_a_wrong_clock(seconds: float, said: str) -> None:
    """A token that was refused because of this machine's clock is refused with a word about the clock."""
    date = formatdate(time.time() + seconds + 0.5, usegmt=True)
    message = str(error_for(401, Date=date))
    assert "clock is likely wrong" in message
    assert said[5:] in message
    assert "likely wrong" not in str(error_for(403, Date=date))
