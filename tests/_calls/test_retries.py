"""Retries: after which errors, after how long, and until when; and what the attempts say of the call's fate."""

import logging
import math
import random
import time
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from cybersource_tms import Retries
from cybersource_tms._calls.operations import Operation
from cybersource_tms._calls.requests import retrieve_request, update_request
from cybersource_tms._calls.retries import Attempts, Deadline
from cybersource_tms.errors import ConnectionFailed, CybersourceError, InvalidRequest, StatusError, UnreadableResponse
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Fault, Sandbox
from support.clients import EMAIL, NEW_EMAIL, Clients
from support.recording import RecordingTransport

BODY = {"buyerInformation": {"email": EMAIL}}
PATH = "/tms/v2/customers"


def operation(method: str, body: object = None, **headers: str) -> Operation[Any]:
    """Return an operation as the generated code describes it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Operation({"method": method, "url": PATH, "headers": named, "json": body}, {201: None})


READ = retrieve_request(PAGE_CUSTOMER_ID, None)
UPDATE = update_request(PAGE_CUSTOMER_ID, BODY, None, None)
POST = operation("post", BODY, Content_Type="application/json")

# Operations

# RFC 9110 section 9.2.2 and RFC 7396; a precondition makes the service refuse the second one.
IDEMPOTENT: dict[str, Operation[Any]] = {
    "GET": operation("get"),
    "HEAD": operation("head"),
    "OPTIONS": operation("options"),
    "PUT": operation("put"),
    "DELETE": operation("delete"),
    "merge patch": operation("patch", Content_Type="application/merge-patch+json"),
    "merge patch in the service's type": operation("patch", Content_Type="application/json;charset=utf-8"),
    "type in upper case": operation("patch", CONTENT_TYPE="Application/JSON ; charset=utf-8"),
    "POST with a precondition": operation("post", if_match="etag"),
    "precondition in upper case": operation("post", If_Match="etag"),
    "JSON Patch with a precondition": operation("patch", Content_Type="application/json-patch+json", if_match="etag"),
    "retrieve": READ,
    "update": UPDATE,
    "update with a precondition": update_request(PAGE_CUSTOMER_ID, BODY, "etag", None),
}
NOT_IDEMPOTENT: dict[str, Operation[Any]] = {
    "POST": operation("post"),
    "POST of JSON": POST,
    "POST of a merge patch": operation("post", Content_Type="application/merge-patch+json"),
    "JSON Patch": operation("patch", Content_Type="application/json-patch+json"),
    "PATCH of text": operation("patch", Content_Type="text/plain"),
    "PATCH without a type": operation("patch"),
    "unknown method": operation("move"),
    "no headers": Operation({"method": "post", "url": PATH}, {}),
}


@pytest.mark.parametrize("name", IDEMPOTENT | NOT_IDEMPOTENT)
def test_what_is_idempotent(name: str) -> None:
    """An operation does no harm if it arrives twice because of its method, its media type or a precondition."""
    assert (IDEMPOTENT | NOT_IDEMPOTENT)[name].is_idempotent == (name in IDEMPOTENT)


def test_what_is_safe() -> None:
    """Three methods change nothing (RFC 9110 section 9.2.1)."""
    assert [name for name, each in IDEMPOTENT.items() if each.is_safe] == ["GET", "HEAD", "OPTIONS", "retrieve"]


# The settings

NO_SECONDS: list[Any] = [-0.001, -1, math.inf, -math.inf, math.nan, None, "1", True, [], 1j, 86_400.1, 1e300, 10**400]
BAD: dict[str, list[Any]] = {
    "attempts": [0, -1, 1.0, "3", None, True, math.inf, 1001, 10**9, 10**400],
    "initial_delay": NO_SECONDS,
    "max_delay": NO_SECONDS,
    "total_timeout": [*NO_SECONDS, 0, 0.0, 0.0009],
}
GOOD: dict[str, tuple[list[float], str]] = {
    "attempts": ([1, 1000], "from 1 to 1000"),
    "initial_delay": ([0, 0.0, 86_400], "from 0 to 86400"),
    "max_delay": ([0, 86_400.0], "from 0 to 86400"),
    "total_timeout": ([0.001, 86_400], "from 0.001 to 86400"),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in BAD for value in BAD[name]])
def test_bad_retries(name: str, value: Any) -> None:
    """A number that is out of range, or none, is refused by name and with the range."""
    with pytest.raises(InvalidRequest, match=f"^{name}: expected .*{GOOD[name][1]}$"):
        Retries(**{name: value})


def test_good_retries() -> None:
    """The ends of the ranges are in them."""
    for name, (values, _) in GOOD.items():
        assert [getattr(Retries(**{name: value}), name) for value in values] == values  # type: ignore[arg-type]


def test_retries_are_values() -> None:
    """They have the documented defaults, cannot be changed, are set by name, and equal if their numbers are."""
    assert Retries() == Retries(attempts=4, initial_delay=0.25, max_delay=8.0, total_timeout=60.0)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Retries().attempts = 0  # type: ignore[misc]
    with pytest.raises(TypeError):
        Retries(3)  # type: ignore[call-arg]


# The deadline


def test_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left gets less with the time, below 0 too, and a wait that is not counted is added."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    deadline = Deadline(Retries(total_timeout=3))
    assert deadline.seconds_left() == 3
    now[0] += 5
    assert deadline.seconds_left() == -2
    deadline.postpone(4)
    assert deadline.seconds_left() == 2


def test_no_deadline() -> None:
    """Without retries, there is no total time."""
    assert Deadline(None).seconds_left() == math.inf


# After an attempt

Make = Callable[[], CybersourceError]


def lost() -> CybersourceError:
    """Return the error of an attempt without a response."""
    return ConnectionFailed("lost")


def unsent() -> CybersourceError:
    """Return the error of an attempt that sent nothing."""
    return ConnectionFailed("unsent", may_have_been_applied=False)


def untrusted() -> CybersourceError:
    """Return the error of an attempt that would fail the same way again."""
    return ConnectionFailed("untrusted", may_have_been_applied=False, is_transient=False)


def cut() -> CybersourceError:
    """Return the error of a response that was cut."""
    return UnreadableResponse("cut", status_code=200, correlation_id=None, is_transient=True)


def unreadable() -> CybersourceError:
    """Return the error of a response that is no customer."""
    return UnreadableResponse("unreadable", status_code=200, correlation_id=None)


def refused() -> CybersourceError:
    """Return the error of an attempt that could not be encrypted."""
    return InvalidRequest("encryption: expired")


def status(code: int, retry_after: float | None = None) -> StatusError:
    """Return the error of a status."""
    kinds = {code: kind for kind in StatusError.__subclasses__() for code in kind.statuses}
    return kinds.get(code, StatusError)("m", status_code=code, retry_after=retry_after)


def of(code: int) -> Make:
    """Return what makes the error of a status."""
    return lambda: status(code)


AGAIN, END = True, False
# The operation, and for each of its attempts: the error, the flag that it gets, and whether there is another attempt.
ATTEMPTS: dict[str, tuple[Operation[Any], list[tuple[Make, bool, bool]]]] = {
    "never sent": (UPDATE, [(unsent, False, AGAIN), (of(429), False, AGAIN), (of(412), False, END)]),
    "lost, then not found": (UPDATE, [(lost, True, AGAIN), (of(429), True, AGAIN), (of(404), True, END)]),
    "lost in the middle": (UPDATE, [(unsent, False, AGAIN), (of(500), True, AGAIN), (unsent, True, AGAIN)]),
    "lost at the end": (UPDATE, [(of(429), False, AGAIN), (lost, True, AGAIN), (refused, True, END)]),
    "cut": (UPDATE, [(cut, True, AGAIN), (cut, True, AGAIN)]),
    "refused": (UPDATE, [(of(404), False, END)]),
    "not sent, and never will be": (UPDATE, [(untrusted, False, END)]),
    "no customer": (UPDATE, [(unreadable, True, END)]),
    "wrong": (UPDATE, [(refused, False, END)]),
    "a bug of the service": (UPDATE, [(of(501), True, END)]),
    "not idempotent, lost": (POST, [(lost, True, END)]),
    "not idempotent, cut": (POST, [(cut, True, END)]),
    "not idempotent, failed": (POST, [(of(503), True, END)]),
    "not idempotent, limited, then lost": (POST, [(of(429), False, AGAIN), (lost, True, END)]),
    "not idempotent, not sent": (POST, [(unsent, False, AGAIN), (of(429), False, AGAIN), (unsent, False, AGAIN)]),
    "a read applies nothing": (READ, [(lost, False, AGAIN), (of(500), False, AGAIN), (unreadable, False, END)]),
}


@pytest.mark.parametrize(("operation", "rows"), ATTEMPTS.values(), ids=ATTEMPTS)
def test_after_an_attempt(operation: Operation[Any], rows: list[tuple[Make, bool, bool]]) -> None:
    """An error says what is true of all attempts; a transient one is retried, unless that could apply it twice."""
    retries = Retries(attempts=9, initial_delay=0)
    attempts = Attempts(operation, retries, Deadline(retries))
    for number, (make, applied, again) in enumerate(rows, 1):
        error = make()
        attempts.record(error)
        assert (error.attempts, error.may_have_been_applied) == (attempts.made, applied) == (number, applied)
        assert (attempts.next_delay(error) is not None) == again


def delays(retries: Retries | None, *made: CybersourceError) -> list[float | None]:
    """Return how long to wait after each of these errors."""
    attempts, found = Attempts(UPDATE, retries, Deadline(retries)), []
    for error in made:
        attempts.record(error)
        found.append(attempts.next_delay(error))
    return found


def test_the_last_attempt() -> None:
    """After the last attempt there is no wait, and without retries the first one is the last."""
    assert [delay is None for delay in delays(Retries(attempts=3), *[status(503)] * 4)] == [False, False, True, True]
    assert delays(None, status(503)) == [None]


LENGTHS: dict[str, tuple[float, float, list[float]]] = {
    "the defaults": (0.25, 8.0, [0.25, 0.5, 1, 2, 4, 8, 8, 8]),
    "a bound that is no power": (1, 3, [1, 2, 3, 3, 3]),
    "a bound below the first": (5, 2, [2, 2, 2]),
    "no first delay": (0, 8, [0, 0, 0]),
    "no delay at all": (1, 0, [0, 0]),
}


@pytest.mark.parametrize(("initial", "longest", "whole"), LENGTHS.values(), ids=LENGTHS)
def test_lengths_of_delays(initial: float, longest: float, whole: list[float]) -> None:
    """Each delay is twice as long up to the longest, less up to half of it at random, so that clients spread out."""
    retries = Retries(attempts=99, initial_delay=initial, max_delay=longest, total_timeout=1000)
    random.seed(1)
    for runs in zip(*(delays(retries, *[status(503)] * len(whole)) for _ in range(50)), whole, strict=False):
        *found, most = (delay or 0.0 for delay in runs)
        assert most / 2 <= min(found) <= max(found) <= most
        assert max(found) - min(found) >= most / 3


def test_the_thousandth_delay() -> None:
    """It can be computed."""
    retries = Retries(attempts=1000, initial_delay=1e-6, max_delay=0.5)
    assert 0.25 <= (delays(retries, *[status(503)] * 999)[-1] or 0) <= 0.5


ASKED: dict[str, tuple[dict[str, float], float, float | None]] = {
    "at once": ({}, 0, 0),
    "as long as is waited": ({}, 8, 8),
    "longer": ({}, 8.001, None),
    "for ever": ({"max_delay": 86_400, "total_timeout": 86_400}, math.inf, None),
    "up to the deadline": ({"total_timeout": 3}, 2, 2),
    "beyond the deadline": ({"total_timeout": 3}, 3, None),
}


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(("settings", "asked", "delay"), ASKED.values(), ids=ASKED)
def test_retry_after(settings: dict[str, Any], asked: float, delay: float | None, code: int) -> None:
    """What the service asks for is waited for, to the second; if that is too long, the error is raised at once."""
    assert delays(Retries(**settings), status(code, asked)) == [delay]


def test_no_delay_beyond_the_deadline() -> None:
    """If the next attempt would begin too late, there is none."""
    assert delays(Retries(initial_delay=8, total_timeout=3), lost()) == [None]


def test_what_is_logged_of_a_retry(caplog: pytest.LogCaptureFixture) -> None:
    """A retry has one line with its number, delay and reason, the facts as fields, and no value; an end has none."""
    caplog.set_level(logging.INFO, "cybersource_tms")
    delays(Retries(attempts=2, initial_delay=0), status(503), status(503))
    [record] = caplog.records
    assert record.getMessage() == (
        "attempt 1 failed, the next one is in 0.00 s: m; the update may have been applied: read the customer before "
        "deciding"
    )
    facts = {"customer_id": PAGE_CUSTOMER_ID, "method": "PATCH", "fields": ["buyerInformation.email"]}
    assert vars(record) == vars(record) | facts | {"attempt": 1, "delay": 0.0}
    assert EMAIL not in str(vars(record))


# What is not ours

FATES: dict[str, tuple[Operation[Any], list[Make], bool, str | None]] = {
    "nothing sent": (UPDATE, [], False, "was not sent"),
    "sent": (UPDATE, [], True, "may have been applied: read the customer before deciding"),
    "lost before": (UPDATE, [lost], False, "may have been applied: read the customer before deciding"),
    "refused before": (UPDATE, [of(429)], False, "was not sent"),
    "a read": (READ, [lost], True, None),
}


@pytest.mark.parametrize(("operation", "before", "sent", "fate"), FATES.values(), ids=FATES)
def test_a_note_on_the_fate(operation: Operation[Any], before: list[Make], fate: str | None, *, sent: bool) -> None:
    """An exception that is not ours gets a note on the update's fate over all attempts; an error of ours says it."""
    attempts = Attempts(operation, None, Deadline(None))
    for make in before:
        attempts.record(make())
    foreign, ours = RuntimeError("m"), lost()
    for error in (foreign, ours):
        attempts.note_fate(error, request_sent=sent)
    said = [f"cybersource_tms: the update of customer {PAGE_CUSTOMER_ID} {fate}"] if fate else []
    assert (getattr(foreign, "__notes__", []), getattr(ours, "__notes__", [])) == (said, [])


# The clients

QUICK = Retries(attempts=3, initial_delay=0.001, max_delay=0.3)


def test_each_attempt_is_the_same(clients: Clients, sandbox: Sandbox) -> None:
    """A retry sends the same bytes to the same place with a new token, after as long as the service asks for."""
    sandbox.fail(Fault(status=503), Fault(cut="before"))
    client = clients.open(transport=sandbox.transport, retries=QUICK)
    record = client.update(PAGE_CUSTOMER_ID, NEW_EMAIL, if_match=sandbox.etag())
    assert (record.requests, len(sandbox.received)) == (3, 3)
    assert len({(each.method, each.path, each.body, each.headers["if-match"]) for each in sandbox.received}) == 1
    assert len({each.headers["authorization"] for each in sandbox.received}) == 3


def test_clients_wait(clients: Clients, sandbox: Sandbox) -> None:
    """The delay is really waited for: half of it at least."""
    times: list[float] = []
    sandbox.fail(Fault(status=503), Fault(status=503, headers={"Retry-After": "0"}))
    transport = RecordingTransport(lambda *_: times.append(time.monotonic()), through=sandbox.transport)
    retries = Retries(initial_delay=0.1, max_delay=0.1)
    clients.open(transport=transport, retries=retries).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert times[1] - times[0] >= 0.05
    assert len(times) == 3


@pytest.mark.parametrize("retries", [3, True, {"attempts": 3}, Retries, ()], ids=str)
def test_what_is_no_retries(clients: Clients, retries: object) -> None:
    """A client takes a Retries or None, nothing else."""
    with pytest.raises(InvalidRequest, match=r"^retries: "):
        clients.open(retries=retries)
