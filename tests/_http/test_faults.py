"""What comes out of an update when something goes wrong on the way, over real HTTP: one table of faults."""

import traceback
from typing import Any, NamedTuple

import httpx
import pytest

from cybersource_tms import Retries, errors
from cybersource_tms.errors import CybersourceError
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Fault, Sandbox, page_customer
from cybersource_tms_sandbox._customers import merge
from support.clients import EMAIL, NEW_EMAIL, Clients
from support.recording import Hook, RecordingTransport, do_nothing, first, refuse

RETRIES = Retries(attempts=3, initial_delay=0.001, max_delay=0.005)
UPDATED = merge(page_customer(), NEW_EMAIL.to_dict())
HTML = b"<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>"
TIMED_OUT = Fault(status=503)  # a response that the transport holds back
TIMES = {"once": 1, "twice": 2, "always": 20}


class Outcomes(NamedTuple):
    """What comes out if the fault happens once, twice and always: `record`, or the error's class.

    A question mark: it may have been applied. The number: how many PATCHes the sandbox received, and after the plus
    how many GETs.
    """

    once: str
    twice: str
    always: str


class Row(NamedTuple):
    """A fault, and what comes of it without and with `if_match`; None is a fault of the transport: refused."""

    fault: Fault | None
    without: Outcomes
    guarded: Outcomes


def failed(status: int, *, applied: bool = False, body: bytes = HTML, **headers: str) -> Fault:
    """Return a response that is a failure; its body is HTML, as a gateway's is."""
    return Fault(
        status=status, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()}, applied=applied
    )


def same(once: str, twice: str, always: str) -> tuple[Outcomes, Outcomes]:
    """Return outcomes for which `if_match` makes no difference."""
    return Outcomes(once, twice, always), Outcomes(once, twice, always)


def lost(name: str) -> tuple[Outcomes, Outcomes]:
    """Return outcomes of a response that is lost after the update was applied: with `if_match` it is read again."""
    return (
        Outcomes("record 2", "record 3", f"{name}? 3"),
        Outcomes("record 2+1", "record 3+1", f"{name}? 3"),
    )


# fmt: off
MATRIX: dict[str, Row] = {
    "refused":             Row(None, *same("record 1", "record 1", "ConnectionFailed? 0")),
    "cut before":          Row(Fault(cut="before"), *same("record 2", "record 3", "ConnectionFailed? 3")),
    "cut after":           Row(Fault(cut="after"), *lost("ConnectionFailed")),
    # The status of a response that is cut is known, so a 412 stays one; and then the reading is cut as well.
    "cut in the middle":   Row(Fault(cut="middle"),
                               Outcomes("record 2", "record 3", "UnreadableResponse? 3"),
                               Outcomes("record 2+1", "record 2+1", "PreconditionFailed? 2+3")),
    "timed out":           Row(TIMED_OUT, *same("record 2", "record 3", "TimedOut? 3")),
    "429":                 Row(failed(429, Retry_After="0"), *same("record 2", "record 3", "TooManyRequests 3")),
    "429, an hour":        Row(failed(429, Retry_After="3600"), *same(*["TooManyRequests 1"] * 3)),
    "500, applied":        Row(failed(500, applied=True), *lost("ServiceError")),
    "503":                 Row(failed(503), *same("record 2", "record 3", "ServiceError? 3")),
    # These are not retried.
    "404":                 Row(failed(404), *same(*["NotFound 1"] * 3)),
    "412":                 Row(failed(412), *same(*["PreconditionFailed 1"] * 3)),
    "501":                 Row(failed(501), *same(*["ServiceError? 1"] * 3)),
    "unreadable":          Row(failed(200, body=b"[]", applied=True), *same(*["UnreadableResponse? 1"] * 3)),
}
# fmt: on

CELLS = [
    pytest.param(row.fault, TIMES[times], guarded, outcome, id=f"{name}-{times}-{'guarded' if guarded else 'plain'}")
    for name, row in MATRIX.items()
    for guarded, outcomes in ((False, row.without), (True, row.guarded))
    for times, outcome in outcomes._asdict().items()
]


def try_update(clients: Clients, url: str, transport: RecordingTransport, **options: Any) -> Any:
    """Return what an update returned, or its error."""
    client = clients.open(base_url=url, transport=transport, retries=RETRIES)
    try:
        return client.update(PAGE_CUSTOMER_ID, NEW_EMAIL, **options)
    except CybersourceError as error:
        return error


def describe(result: Any, sandbox: Sandbox) -> str:
    """Return an outcome in the words of the table."""
    methods = [received.method for received in sandbox.received]
    patches, reads = methods.count("PATCH"), methods.count("GET")
    unsure = "?" if isinstance(result, CybersourceError) and result.may_have_been_applied else ""
    name = type(result).__name__ if isinstance(result, CybersourceError) else "record"
    return f"{name}{unsure} {patches}" + (f"+{reads}" if reads else "")


def assert_each_attempt_is_signed_anew(sandbox: Sandbox) -> None:
    """Check that no request was a copy of an earlier one: the sandbox believed each."""
    assert all(received.authenticated for received in sandbox.received)
    assert len({received.claims["jti"] for received in sandbox.received}) == len(sandbox.received)


def transport_for(fault: Fault | None, times: int) -> RecordingTransport:
    """Return a transport that does what the sandbox cannot."""

    def time_out(number: int, request: httpx.Request) -> None:
        raise httpx.ReadTimeout("no response", request=request)

    if fault is TIMED_OUT:
        return RecordingTransport(after=first(times, time_out))
    return RecordingTransport(refuse(times) if fault is None else do_nothing)


@pytest.mark.parametrize(("fault", "times", "guarded", "outcome"), CELLS)
def test_faults(
    clients: Clients, sandbox: Sandbox, url: str, fault: Fault | None, times: int, *, guarded: bool, outcome: str
) -> None:
    """The outcome is the table's, each attempt is signed anew, and the customer is what the client says."""
    sandbox.fail(*[fault] * times if fault else [])
    transport = transport_for(fault, times)
    options: dict[str, Any] = {"if_match": sandbox.etag()} if guarded else {}
    result = try_update(clients, url, transport, **options)
    now = sandbox.customer()
    assert describe(result, sandbox) == outcome
    assert_each_attempt_is_signed_anew(sandbox)
    if not isinstance(result, CybersourceError):
        assert result.customer.to_dict() == now == UPDATED
        assert result.etag == sandbox.etag()
        return
    assert result.attempts == transport.methods().count("PATCH")
    assert ("attempts)" in str(result)) is (result.attempts > 1)
    if not result.may_have_been_applied:
        assert now == page_customer()
    elif fault:
        assert now == (UPDATED if fault.serves else page_customer())


# A lost response, and somebody else


def change_between(sandbox: Sandbox, patch: dict[str, Any], number: int = 1) -> Hook:
    """Change the customer between two requests."""

    def before(reached: int, request: Any) -> None:
        if reached == number:
            sandbox.change(patch)

    return before


OTHERS = "somebody.else@example.com"
THEIR_EMAIL = {"buyerInformation": {"email": OTHERS}}
THEIR_CODE = {"clientReferenceInformation": {"code": "another"}}
SAME_EMAIL = {"buyerInformation": {"email": EMAIL}}

# The fault of the first attempt, what somebody else writes before the second one, and whether that is success.
BETWEEN: dict[str, tuple[Fault, dict[str, Any], bool]] = {
    "applied, the same field": (Fault(cut="after"), THEIR_EMAIL, False),
    "applied, another field": (Fault(cut="after"), THEIR_CODE, True),
    "applied, the same value": (Fault(cut="after"), SAME_EMAIL, True),
    "applied, cut, another field": (Fault(cut="middle"), THEIR_CODE, True),
    "not applied, the same field": (Fault(cut="before"), THEIR_EMAIL, False),
    "not applied, another field": (Fault(cut="before"), THEIR_CODE, False),
    "not applied, the same value": (Fault(cut="before"), SAME_EMAIL, True),
}


@pytest.mark.parametrize(("fault", "patch", "success"), BETWEEN.values(), ids=BETWEEN)
def test_somebody_else_in_between(
    clients: Clients, sandbox: Sandbox, url: str, fault: Fault, patch: dict[str, Any], *, success: bool
) -> None:
    """What another editor wrote stands; it is success if the customer is as requested, and else the error says why."""
    sandbox.fail(fault)
    result = try_update(clients, url, RecordingTransport(change_between(sandbox, patch)), if_match=sandbox.etag())
    assert [received.method for received in sandbox.received] == ["PATCH", "PATCH", "GET"]
    now = sandbox.customer()
    assert merge(now, patch) == now
    assert_each_attempt_is_signed_anew(sandbox)
    if success:
        assert result.customer.to_dict() == now == merge(now, NEW_EMAIL.to_dict())
        assert result.etag == sandbox.etag()
        return
    assert type(result) is errors.PreconditionFailed
    assert (result.status_code, result.attempts, result.may_have_been_applied) == (412, 2, True)
    assert "these fields do not have the requested values: " in str(result)
    assert "buyerInformation.email" in str(result)
    assert not [value for value in (EMAIL, OTHERS, "another", "test@cybs.com") if value in str(result)]


@pytest.mark.parametrize("patch", [THEIR_EMAIL, THEIR_CODE], ids=["same field", "another field"])
def test_without_if_match_the_last_wins(clients: Clients, sandbox: Sandbox, url: str, patch: dict[str, Any]) -> None:
    """A retry that is not guarded writes its own fields again, as it says, and leaves all others."""
    sandbox.fail(Fault(cut="after"))
    record = try_update(clients, url, RecordingTransport(change_between(sandbox, patch)))
    assert describe(record, sandbox) == "record 2"
    assert record.customer.to_dict() == sandbox.customer() == merge(merge(page_customer(), patch), NEW_EMAIL.to_dict())


@pytest.mark.parametrize("patch", [THEIR_EMAIL, THEIR_CODE], ids=["same field", "another field"])
def test_an_old_etag_is_not_a_lost_response(
    clients: Clients, sandbox: Sandbox, url: str, patch: dict[str, Any]
) -> None:
    """A 412 on the first attempt, or after attempts that were certainly not applied, is raised without reading."""
    transport = RecordingTransport(change_between(sandbox, patch))
    sandbox.fail(failed(429))
    result = try_update(clients, url, transport, if_match=sandbox.etag())
    assert describe(result, sandbox) == "PreconditionFailed 2"
    assert sandbox.customer() == merge(page_customer(), patch)
    again = try_update(clients, url, RecordingTransport(), if_match="old")
    assert type(again) is errors.PreconditionFailed
    assert (again.attempts, again.may_have_been_applied, again.__cause__) == (1, False, None)


# What happens to the reading after a lost response, and the cause of the refusal that is raised then.
READINGS: dict[str, tuple[Fault, type[CybersourceError], int]] = {
    "cut": (Fault(cut="before"), errors.ConnectionFailed, 3),
    "404": (failed(404), errors.NotFound, 1),
}


@pytest.mark.parametrize("name", READINGS)
def test_the_reading_fails_too(clients: Clients, sandbox: Sandbox, url: str, name: str) -> None:
    """Then nobody knows: the refusal stands, may have been applied, and has the failure of the reading as its cause."""
    fault, cause, reads = READINGS[name]
    sandbox.fail(Fault(cut="after"), Fault(), *[fault] * 3)
    result = try_update(clients, url, RecordingTransport(), if_match=sandbox.etag())
    assert describe(result, sandbox) == f"PreconditionFailed? 2+{reads}"
    assert type(result.__cause__) is cause
    assert result.attempts == 2
    assert sandbox.customer() == UPDATED
    assert EMAIL not in "".join(traceback.format_exception(result))


def test_the_reading_is_retried(clients: Clients, sandbox: Sandbox, url: str) -> None:
    """The reading after a lost response has attempts of its own."""
    sandbox.fail(Fault(cut="after"), Fault(), Fault(cut="before"), failed(503))
    result = try_update(clients, url, RecordingTransport(), if_match=sandbox.etag())
    assert describe(result, sandbox) == "record 2+3"


def test_the_profile_goes_with_the_reading(clients: Clients, sandbox: Sandbox, url: str) -> None:
    """The reading after a lost response asks for the same customer of the same profile."""
    profile = next(iter(sandbox.profiles))
    sandbox.fail(Fault(cut="after"))
    client = clients.open(base_url=url, retries=RETRIES, profile_id=profile)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL, if_match=sandbox.etag())
    assert [received.headers.get("profile-id") for received in sandbox.received] == [profile] * 3


def test_one_total_time_for_all(clients: Clients, sandbox: Sandbox, url: str) -> None:
    """The read after a lost response has only what is left of the total time."""
    read_timeouts: list[float] = []

    def keep_timeout(number: int, request: httpx.Request) -> None:
        read_timeouts.append(request.extensions["timeout"].get("read"))

    sandbox.fail(Fault(cut="after", delay=0.1))
    retries = Retries(initial_delay=0.001, total_timeout=60)
    transport = RecordingTransport(keep_timeout)
    client = clients.open(base_url=url, transport=transport, retries=retries, timeout=100)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL, if_match=sandbox.etag())
    assert transport.methods() == ["PATCH", "PATCH", "GET"]
    first, second, read = read_timeouts
    assert read < second < first - 0.1 < 60


@pytest.mark.parametrize("version", ["http11", "http2"])
def test_the_versions_of_http(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """An update counts as sent once it has begun to be, by whichever of them a transport of httpx speaks."""

    def break_off(_: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        request.extensions["trace"](f"{version}.send_request_headers.started", {"request": request})
        raise httpx.ReadError("broken")

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", break_off)
    with pytest.raises(errors.ConnectionFailed) as caught:
        Clients("sync", lambda _: _).open(transport=httpx.HTTPTransport()).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert caught.value.may_have_been_applied
