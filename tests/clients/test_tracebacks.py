"""Whatever leaves the package leaves without the frames within, whose locals hold secrets and customers' values."""

import asyncio
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

import cybersource_tms
from cybersource_tms import (
    AsyncCustomersClient,
    CertificateAuth,
    CustomersClient,
    MessageEncryption,
    Retries,
    SharedSecretAuth,
    changed_fields,
    errors,
)
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET
from support.clients import EMAIL, NEW_EMAIL, Clients
from support.fixed_response import FixedResponse
from support.keys import PASSWORD, certificate, key_pem, p12, pem, rsa_key, service_certificate, written
from support.waiting import LIMIT

HERE = __file__
# Where errors leave: the one frame of ours that stays.
WRAPPERS = {"call", "async_call", "yield_without_frames", "async_yield_without_frames"}


def related(error: BaseException) -> Iterator[BaseException]:
    """Yield an error with its causes, its contexts, suppressed ones too, and the members of groups."""
    seen: set[int] = set()
    found: list[BaseException | None] = [error]
    while found:
        each = found.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            found += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]


def frames(error: BaseException) -> list[tuple[str, str, str]]:
    """Return the frames that are neither the test's nor the event loop's: file, function, and the locals' text."""
    own = {HERE, str(Path(HERE).with_name("support") / "clients.py")}
    return [
        (frame.f_code.co_filename, frame.f_code.co_name, repr(frame.f_locals))
        for each in related(error)
        for frame, _ in traceback.walk_tb(each.__traceback__)
        if frame.f_code.co_filename not in own and "/asyncio/" not in frame.f_code.co_filename
    ]


def assert_without_frames(error: BaseException) -> None:
    """Check that an error leaves from the wrapper of the public function, and that this holds no value."""
    left = frames(error)
    assert {name for _, name, _ in left} <= WRAPPERS
    assert all(Path(file).name == "_tracebacks.py" for file, _, _ in left)
    assert not [text for _, _, text in left if EMAIL in text or SECRET in text or PASSWORD in text]


# Errors of every public call

TRANSPORTS: dict[str, Callable[[], FixedResponse]] = {
    "refused": lambda: FixedResponse(404),
    "precondition failed": lambda: FixedResponse(412),
    "not JSON": lambda: FixedResponse(200, EMAIL.encode()),
    "does not fit": lambda: FixedResponse(200, b'{"id": 5}'),
    "another customer": lambda: FixedResponse(200, b'{"id": "A"}'),
    "no connection": lambda: FixedResponse(error=httpx.ConnectError(EMAIL)),
    "a foreign exception": lambda: FixedResponse(error=RuntimeError(EMAIL)),
    "broken off": lambda: FixedResponse(body_error=httpx.ReadError(EMAIL)),
}
CALLS: dict[str, Callable[[Any], object]] = {
    "retrieve": lambda client: client.retrieve(PAGE_CUSTOMER_ID),
    "update": lambda client: client.update(PAGE_CUSTOMER_ID, NEW_EMAIL),
    "edit": lambda client: client.edit(PAGE_CUSTOMER_ID, lambda customer: None),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
@pytest.mark.parametrize("retries", [None, Retries(attempts=2, first_wait=0)], ids=["once", "twice"])
def test_calls(
    clients: Clients, call: Callable[[Any], object], transport: Callable[[], FixedResponse], retries: Retries | None
) -> None:
    """An error of a call has no frame within, nor has any of its causes and contexts."""
    with pytest.raises(errors.CybersourceError) as caught:
        call(clients.open(transport=transport(), retries=retries))
    assert_without_frames(caught.value)


def wrong_change(customer: Any) -> None:
    """Change a customer to something that cannot be sent."""
    customer.buyer_information.email = {EMAIL: object()}


def test_leaving_an_edit(clients: Clients) -> None:
    """An edit whose changes cannot be sent raises without frames, also when it leaves."""
    with pytest.raises(errors.InvalidRequest) as caught:
        clients.open(transport=FixedResponse()).edit(PAGE_CUSTOMER_ID, wrong_change)
    assert_without_frames(caught.value)


def test_outcomes_of_many(clients: Clients) -> None:
    """An outcome's error holds no frames; what stops the job leaves without those within."""
    steps = clients.open(transport=FixedResponse(404)).update_many([(PAGE_CUSTOMER_ID, NEW_EMAIL)])
    (outcome,) = steps
    assert isinstance(outcome.error, errors.NotFound)
    assert outcome.error.__traceback__ is None
    steps = clients.open(transport=FixedResponse(401)).update_many([(PAGE_CUSTOMER_ID, NEW_EMAIL)])
    next(steps)
    with pytest.raises(errors.Unauthorized) as caught:
        next(steps)
    assert_without_frames(caught.value)


def test_entering_an_edit(clients: Clients) -> None:
    """An edit that cannot be guarded raises without frames on entering."""
    with pytest.raises(errors.UnreadableResponse) as caught:
        clients.open(transport=FixedResponse(headers={})).edit(PAGE_CUSTOMER_ID, wrong_change)
    assert_without_frames(caught.value)


REFUSED: dict[str, Callable[[], object]] = {
    "SharedSecretAuth": lambda: SharedSecretAuth(MERCHANT_ID, KEY_ID, f"{SECRET}!"),
    "CertificateAuth": lambda: CertificateAuth(private_key=b"x", certificate=b"x", merchant_id=MERCHANT_ID),
    "CertificateAuth.from_p12": lambda: CertificateAuth.from_p12("/", PASSWORD, merchant_id=MERCHANT_ID),
    "MessageEncryption": lambda: MessageEncryption(request_certificate=b"x"),
    "MessageEncryption.from_p12": lambda: MessageEncryption.from_p12("/", PASSWORD, merchant_id=MERCHANT_ID),
    "MessageEncryption.requests_from_p12": lambda: MessageEncryption.requests_from_p12("/", PASSWORD),
    "CustomersClient": lambda: CustomersClient("moon", SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)),
    "AsyncCustomersClient": lambda: AsyncCustomersClient("moon", SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)),
    "CustomersClient.from_env": CustomersClient.from_env,
    "AsyncCustomersClient.from_env": AsyncCustomersClient.from_env,
    "changed_fields": lambda: changed_fields(
        {"buyerInformation": {"email": EMAIL}}, {"buyerInformation": {"email": [EMAIL]}}
    ),
    "an update that is refused": lambda: CustomersClient(
        "test", SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET), transport=FixedResponse()
    ).update("..", NEW_EMAIL),
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_refusals(make: Callable[[], object]) -> None:
    """What is refused is refused without frames."""
    with pytest.raises(errors.InvalidRequest) as caught:
        make()
    assert_without_frames(caught.value)


# Warnings that are errors


def expiring_p12(folder: Path) -> Path:
    """Return a P12 whose certificates expire within 30 days."""
    soon = timedelta(days=10)
    return written(folder, p12(certificate(MERCHANT_ID, ends=soon), service_certificate(ends=soon)))


WARNED: dict[str, Callable[[Path], object]] = {
    "CertificateAuth": lambda folder: CertificateAuth(
        private_key=key_pem(rsa_key()),
        certificate=pem(certificate(MERCHANT_ID, ends=timedelta(days=10))),
        merchant_id=MERCHANT_ID,
    ),
    "CertificateAuth.from_p12": lambda folder: CertificateAuth.from_p12(
        expiring_p12(folder), PASSWORD, merchant_id=MERCHANT_ID
    ),
    "MessageEncryption": lambda folder: MessageEncryption(
        request_certificate=pem(service_certificate(ends=timedelta(days=10)))
    ),
    "MessageEncryption.requests_from_p12": lambda folder: MessageEncryption.requests_from_p12(
        expiring_p12(folder), PASSWORD
    ),
}


@pytest.mark.parametrize("make", WARNED.values(), ids=WARNED)
def test_warnings_as_errors(make: Callable[[Path], object], tmp_path: Path) -> None:
    """A warning that the application has made an error leaves no frame with a password, key or secret."""
    with warnings.catch_warnings(), pytest.raises(Warning) as caught:  # noqa: PT012 - in this order
        warnings.simplefilter("error")
        make(tmp_path)
    assert_without_frames(caught.value)


@pytest.mark.filterwarnings("default")
def test_a_warning_names_the_callers_line(tmp_path: Path) -> None:
    """A warning is about the line that made the credentials, through however many functions of ours."""
    for make in WARNED.values():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            exec(compile("make(folder)", "elsewhere.py", "exec"), {"make": make, "folder": tmp_path})
        assert {warning.filename for warning in caught} == {HERE}


def test_causes_that_go_round(clients: Clients) -> None:
    """An error whose causes go round in a circle leaves, too."""
    one, other = RuntimeError(EMAIL), RuntimeError(EMAIL)
    one.__cause__, other.__cause__ = other, one
    with pytest.raises(errors.ConnectionFailed) as caught:
        clients.open(transport=FixedResponse(error=one)).retrieve(PAGE_CUSTOMER_ID)
    assert caught.value.__cause__ is one
    assert_without_frames(caught.value)


# What stops a call


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, BaseException, GeneratorExit])
@pytest.mark.parametrize("call", ["retrieve", "update", "edit"])
def test_what_stops_a_call(stop: type[BaseException], call: str) -> None:
    """What stops the program from within a call leaves as it is, without the frames."""

    class Stopping(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            raise stop

    auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
    customers = CustomersClient("test", auth, transport=Stopping())
    with pytest.raises(stop) as caught:  # noqa: PT012 - one of the three raises
        if call == "update":
            customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        elif call == "retrieve":
            customers.retrieve(PAGE_CUSTOMER_ID)
        else:
            customers.edit(PAGE_CUSTOMER_ID).__enter__()
    assert_without_frames(caught.value)


class Foreign(BaseException):
    """Something that is none of ours, such as what a framework raises to stop a worker."""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_stops_an_async_call(backend: str) -> None:
    """In the async client, too, it comes out as the same object, in no group of exceptions."""
    raised = Foreign()

    class Stopping(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise raised

    async def update() -> None:
        auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
        with pytest.raises(Foreign) as caught:
            await AsyncCustomersClient("test", auth, transport=Stopping()).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        assert caught.value is raised
        assert_without_frames(caught.value)

    anyio.run(update, backend=backend)


class Silent(httpx.AsyncBaseTransport):
    """Never responds, and lets the caller's time-out end at once."""

    limit: asyncio.Timeout

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Wait until it is cancelled."""
        self.limit.reschedule(0)
        await asyncio.sleep(LIMIT)
        raise AssertionError


def test_a_time_out_of_the_callers() -> None:
    """A call that is cancelled leaves no frame with the customer's values or the token."""

    async def update() -> None:
        auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
        silent = Silent()
        async with AsyncCustomersClient("test", auth, transport=silent) as customers:
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(None) as silent.limit:
                    await customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        assert isinstance(caught.value.__cause__, asyncio.CancelledError)
        assert_without_frames(caught.value)

    asyncio.run(update())


class SoftTimeLimit(Exception):
    """What a task queue raises in a task that takes too long."""


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs SIGALRM")
def test_a_soft_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that a signal's handler raises while a call waits keeps the handler's frame, and none of ours."""

    def stop(*_: object) -> None:
        raise SoftTimeLimit

    monkeypatch.setattr(time, "sleep", lambda seconds: signal.raise_signal(signal.SIGALRM))
    auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
    customers = CustomersClient("test", auth, transport=FixedResponse(503))
    before = signal.signal(signal.SIGALRM, stop)
    try:
        with pytest.raises(SoftTimeLimit) as caught:
            customers.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert_without_frames(caught.value)
    assert names(caught.value)[-1] == "stop"


# What is the caller's stays


def names(error: BaseException) -> list[str]:
    """Return the names of the functions in an error's traceback."""
    return [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]


def test_an_exception_that_the_caller_handles(clients: Clients) -> None:
    """An exception from before the call keeps its frames, although the call's error has it as its context."""

    def look_up() -> object:
        empty: dict[str, str] = {}
        return empty["x"]

    client = clients.open(transport=FixedResponse(404))
    with pytest.raises(KeyError) as caught:  # noqa: PT012 - the last line raises
        try:
            look_up()
        except KeyError:
            for call in (
                lambda: client.retrieve("bad id!"),
                lambda: client.update(PAGE_CUSTOMER_ID, NEW_EMAIL),
                lambda: changed_fields({"a": {}}, {"b": {}}),
                lambda: SharedSecretAuth("", "", ""),
            ):
                with pytest.raises(errors.CybersourceError):
                    call()
            raise
    assert names(caught.value)[-1] == "look_up"


class Broken(Mapping[str, Any]):
    """A mapping of the caller's with a fault of its own."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("a fault of the caller's")

    def __iter__(self) -> Iterator[str]:
        yield "buyerInformation"

    def __len__(self) -> int:
        return 1


def test_a_fault_of_the_callers_code() -> None:
    """A fault in the caller's own mapping comes out as it is, with the frame of that mapping, and none of ours."""
    before = {"buyerInformation": {"email": EMAIL}}
    with pytest.raises(RuntimeError, match="a fault of the caller's") as caught:
        changed_fields(before, Broken())
    assert names(caught.value)[-1] == "__getitem__"
    ours = str(Path(cybersource_tms.__file__).parent)
    left = [
        frame for frame, _ in traceback.walk_tb(caught.value.__traceback__) if frame.f_code.co_filename.startswith(ours)
    ]
    assert {frame.f_code.co_name for frame in left} == {"call"}
    assert EMAIL not in repr([frame.f_locals for frame in left])


def test_a_block_that_raises(clients: Clients) -> None:
    """An exception of the block of an edit comes out as it is, with all of its frames."""

    def fail(customer: object) -> None:
        raise LookupError(EMAIL)

    with pytest.raises(LookupError) as caught:
        clients.open(transport=FixedResponse()).edit(PAGE_CUSTOMER_ID, fail)
    assert names(caught.value)[-1] == "fail"


# Causes


def test_the_cause_is_kept(clients: Clients) -> None:
    """What was raised below is the cause, or is hidden on purpose."""
    error = httpx.ReadError("m")
    with pytest.raises(errors.ConnectionFailed) as caught:
        clients.open(transport=FixedResponse(error=error)).retrieve(PAGE_CUSTOMER_ID)
    assert caught.value.__cause__ is error
    with pytest.raises(errors.InvalidRequest) as hidden:
        SharedSecretAuth(MERCHANT_ID, KEY_ID, "not base64!")
    assert hidden.value.__suppress_context__


def test_a_suppressed_context_has_no_frames() -> None:
    """Nor has what `raise ... from None` hides, which tools can still reach."""
    with pytest.raises(errors.InvalidRequest) as caught:
        SharedSecretAuth(MERCHANT_ID, KEY_ID, "not base64!")
    assert caught.value.__context__ is not None
    assert_without_frames(caught.value)


def test_the_frames_can_be_seen() -> None:
    """The helper can fail: it sees a frame of ours, with its locals."""

    def inner(email: str) -> None:
        raise LookupError(email)

    code = compile("def within(inner, value):\n    inner(value)\n", cybersource_tms.__file__, "exec")
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    with pytest.raises(LookupError) as caught:
        namespace["within"](inner, EMAIL)
    with pytest.raises(AssertionError):
        assert_without_frames(caught.value)
    assert sys.exception() is None
