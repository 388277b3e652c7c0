"""Retries: after which errors, after how long, and until when; and what the attempts say of the call's fate."""

import logging
import math
import random
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import attrs
import pytest

from cybersource_tms import Retries
from cybersource_tms._calls.requests import Operation, retrieve_request, update_request
from cybersource_tms._calls.retries import Attempts, Call, note_fate
from cybersource_tms.errors import ConnectionFailed, CybersourceError, InvalidRequest, StatusError, UnreadableResponse
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Fault, Sandbox
from support.clients import EMAIL, NEW_EMAIL, Clients
from support.recording import RecordingTransport

BODY = {"buyerInformation": {"email": EMAIL}}


def operation(method: str, **headers: str) -> Operation[Any]:
    """Return an operation as the generated code describes it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Operation({"method": method, "url": "/", "headers": named}, {201: None})


READ = retrieve_request(PAGE_CUSTOMER_ID, None)
UPDATE = update_request(PAGE_CUSTOMER_ID, BODY, None, None)
POST = operation("post", Content_Type="application/json")

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
    "POST of a merge patch": operation("post", Content_Type="application/merge-patch+json"),
    "JSON Patch": operation("patch", Content_Type="application/json-patch+json"),
    "PATCH of text": operation("patch", Content_Type="text/plain"),
    "PATCH without a type": operation("patch"),
    "unknown method": operation("move"),
}


@pytest.mark.parametrize("name", IDEMPOTENT | NOT_IDEMPOTENT)
def test_what_is_idempotent(name: str) -> None:
    """An operation does no harm if it arrives twice because of its method, its media type or a precondition."""
    each = (IDEMPOTENT | NOT_IDEMPOTENT)[name]
    assert each.is_idempotent == (name in IDEMPOTENT)
    assert each.is_safe == (name in {"GET", "HEAD", "OPTIONS", "retrieve"})  # RFC 9110 section 9.2.1


NO_SECONDS: list[Any] = [-0.001, -1, math.inf, -math.inf, math.nan, None, "1", True, [], 1j, 86_400.1, 1e300, 10**400]
# A setting, values that it cannot have, values at the ends of its range, and what the message says of that.
RANGES: dict[str, tuple[list[Any], list[Any], str]] = {
    "attempts": ([0, -1, 1.0, "3", None, True, math.inf, 1001, 10**9, 10**400], [1, 1000], "from 1 to 1000"),
    "initial_delay": (NO_SECONDS, [0, 0.0, 86_400], "from 0 to 86400"),
    "max_delay": (NO_SECONDS, [0, 86_400.0], "from 0 to 86400"),
    "total_timeout": ([*NO_SECONDS, 0, 0.0, 0.0009], [0.001, 86_400], "from 0.001 to 86400"),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in RANGES for value in RANGES[name][0]])
def test_bad_retries(name: str, value: Any) -> None:
    """A number that is out of range, or none, is refused by name and with the range, whose ends are in it."""
    _, ends, said = RANGES[name]
    assert [getattr(Retries(**{name: end}), name) for end in ends] == ends
    with pytest.raises(InvalidRequest, match=f"^{name}: expected .*{said}$"):
        Retries(**{name: value})


def test_retries_are_values() -> None:
    """They have the documented defaults, cannot be changed, are set by name, and equal if their numbers are."""
    assert Retries() == Retries(attempts=4, initial_delay=0.25, max_delay=8.0, total_timeout=60.0)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Retries().attempts = 0  # type: ignore[misc]
    with pytest.raises(TypeError):
        Retries(3)  # type: ignore[call-arg]


def test_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left gets less, below 0 too; a wait that is not counted is added."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    call = Call(Retries(total_timeout=3))
    assert call.seconds_left() == 3
    now[0] += 5
    assert call.seconds_left() == -2
    call.postpone(4)
    assert call.seconds_left() == 2


MADE: dict[str, Callable[[], CybersourceError]] = {
    "lost": lambda: ConnectionFailed("m"),
    "unsent": lambda: ConnectionFailed("m", may_have_been_applied=False),
    "untrusted": lambda: ConnectionFailed("m", may_have_been_applied=False, is_transient=False),
    "cut": lambda: UnreadableResponse("m", status_code=200, correlation_id=None, is_transient=True),
    "unreadable": lambda: UnreadableResponse("m", status_code=200, correlation_id=None),
    "invalid": lambda: InvalidRequest("m"),
}
CLASSES = {status: each for each in StatusError.__subclasses__() for status in each.statuses}


def make(what: str | int, retry_after: float | None = None) -> CybersourceError:
    """Return a new error: by its name above, or that of a status."""
    if isinstance(what, str):
        return MADE[what]()
    return CLASSES[what]("m", status_code=what, retry_after=retry_after)


AGAIN, END = True, False
# The operation, and for each of its attempts: the error, the flag that it gets, and whether there is another attempt.
ATTEMPTS: dict[str, tuple[Operation[Any], list[tuple[str | int, bool, bool]]]] = {
    "never sent": (UPDATE, [("unsent", False, AGAIN), (429, False, AGAIN), (412, False, END)]),
    "lost, then not found": (UPDATE, [("lost", True, AGAIN), (429, True, AGAIN), (404, True, END)]),
    "lost in the middle": (UPDATE, [("unsent", False, AGAIN), (500, True, AGAIN), ("unsent", True, AGAIN)]),
    "lost, then not encrypted": (UPDATE, [(429, False, AGAIN), ("lost", True, AGAIN), ("invalid", True, END)]),
    "cut": (UPDATE, [("cut", True, AGAIN), ("cut", True, AGAIN)]),
    "refused": (UPDATE, [(404, False, END)]),
    "not sent, and never will be": (UPDATE, [("untrusted", False, END)]),
    "no customer": (UPDATE, [("unreadable", True, END)]),
    "wrong": (UPDATE, [("invalid", False, END)]),
    "a 5xx that is not transient": (UPDATE, [(501, True, END)]),
    "not idempotent, lost": (POST, [("lost", True, END)]),
    "not idempotent, cut": (POST, [("cut", True, END)]),
    "not idempotent, failed": (POST, [(503, True, END)]),
    "not idempotent, limited, then lost": (POST, [(429, False, AGAIN), ("lost", True, END)]),
    "not idempotent, not sent": (POST, [("unsent", False, AGAIN), (429, False, AGAIN), ("unsent", False, AGAIN)]),
    "a read applies nothing": (READ, [("lost", False, AGAIN), (500, False, AGAIN), ("unreadable", False, END)]),
}


@pytest.mark.parametrize(("operation", "rows"), ATTEMPTS.values(), ids=ATTEMPTS)
def test_after_an_attempt(operation: Operation[Any], rows: list[tuple[str | int, bool, bool]]) -> None:
    """An error says what is true of all attempts; a transient one is retried, unless that could apply it twice."""
    retries = Retries(attempts=9, initial_delay=0)
    attempts = Attempts(operation, retries, Call(retries))
    for number, (what, applied, again) in enumerate(rows, 1):
        error = make(what)
        attempts.record(error)
        assert (error.attempts, error.may_have_been_applied) == (attempts.failed, applied) == (number, applied)
        assert (attempts.next_delay(error) is not None) == again


def delays(retries: Retries, *made: CybersourceError) -> list[float | None]:
    """Return how long to wait after each of these errors."""
    attempts, found = Attempts(UPDATE, retries, Call(retries)), []
    for error in made:
        attempts.record(error)
        found.append(attempts.next_delay(error))
    return found


def test_the_last_attempt() -> None:
    """After the last attempt there is no wait."""
    assert [delay is None for delay in delays(Retries(attempts=3), *[make(503)] * 4)] == [False, False, True, True]


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
    for runs in zip(*(delays(retries, *[make(503)] * len(whole)) for _ in range(50)), whole, strict=False):
        *found, most = (delay or 0.0 for delay in runs)
        assert most / 2 <= min(found) <= max(found) <= most
        assert max(found) - min(found) >= most / 3
    thousand = Retries(attempts=1000, initial_delay=1e-6, max_delay=0.5)
    assert 0.25 <= (delays(thousand, *[make(503)] * 999)[-1] or 0) <= 0.5


ASKED: dict[str, tuple[dict[str, float], float, float | None]] = {
    "at once": ({}, 0, 0),
    "as long as is waited": ({}, 8, 8),
    "longer": ({}, 8.001, None),
    "for ever": ({"max_delay": 86_400, "total_timeout": 86_400}, math.inf, None),
    "up to the deadline": ({"max_delay": 3000, "total_timeout": 3000}, 2000, 2000),
    "beyond the deadline": ({"max_delay": 3000, "total_timeout": 3000}, 3000, None),
}


@pytest.mark.parametrize(("settings", "asked", "delay"), ASKED.values(), ids=ASKED)
def test_retry_after(settings: dict[str, Any], asked: float, delay: float | None) -> None:
    """What the service asks for is waited for, to the second; if that is too long, the error is raised at once."""
    for status in (429, 503):
        assert delays(Retries(**settings), make(status, asked)) == [delay]
    assert delays(Retries(initial_delay=8, total_timeout=3), make("lost")) == [None]


def test_what_is_logged_of_a_retry(caplog: pytest.LogCaptureFixture) -> None:
    """A retry has one line with its number, delay and reason, the facts as fields, and no value; an end has none."""
    caplog.set_level(logging.INFO, "cybersource_tms")
    delays(Retries(attempts=2, initial_delay=0), make(503), make(503))
    [record] = caplog.records
    assert record.getMessage().startswith("attempt 1 failed, the next one is in 0.00 s: m; the update may have been ")
    assert vars(record) == vars(record) | UPDATE.log_fields | {"attempt": 1, "delay": 0.0}
    assert EMAIL not in str(vars(record))


FATES: dict[str, tuple[Operation[Any], list[str | int], bool, str | None]] = {
    "nothing sent": (UPDATE, [], False, "was not applied"),
    "sent": (UPDATE, [], True, "may have been applied: read the customer before deciding"),
    "lost before": (UPDATE, ["lost"], False, "may have been applied: read the customer before deciding"),
    "refused before": (UPDATE, [429], False, "was not applied"),
    "a read": (READ, ["lost"], True, None),
}


@pytest.mark.parametrize(("operation", "before", "sent", "fate"), FATES.values(), ids=FATES)
def test_a_note_on_the_fate(operation: Operation[Any], before: list[Any], fate: str | None, *, sent: bool) -> None:
    """An exception that is not ours gets a note on the update's fate over all attempts; an error of ours says it."""
    attempts = Attempts(operation, Retries(), Call(Retries()))
    for what in before:
        attempts.request_sent = True
        attempts.record(make(what))
    attempts.request_sent |= sent
    foreign, ours = RuntimeError("m"), make("lost")
    for error in (foreign, ours):
        note_fate(error, operation, may_have_been_applied=attempts.in_doubt or attempts.request_sent)
    said = [f"cybersource_tms: the update of customer {PAGE_CUSTOMER_ID} {fate}"] if fate else []
    assert (getattr(foreign, "__notes__", []), getattr(ours, "__notes__", [])) == (said, [])


def test_each_attempt_is_the_same(clients: Clients, sandbox: Sandbox) -> None:
    """A retry sends the same bytes to the same place with a new token, half of the delay later at least."""
    times: list[float] = []
    sandbox.fail(Fault(status=503), Fault(cut="before"))
    transport = RecordingTransport(lambda *_: times.append(time.monotonic()), through=sandbox.transport)
    client = clients.open(transport=transport, retries=Retries(initial_delay=0.1, max_delay=0.1))
    record = client.update(PAGE_CUSTOMER_ID, NEW_EMAIL, if_match=sandbox.etag())
    assert (record.requests, len(sandbox.received)) == (3, 3)
    assert min(later - sooner for sooner, later in pairwise(times)) >= 0.05
    assert len({(each.method, each.path, each.body, each.headers["if-match"]) for each in sandbox.received}) == 1
    assert len({each.headers["authorization"] for each in sandbox.received}) == 3
