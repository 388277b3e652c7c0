"""The stand-in fails as a test asks it to, within the process as over HTTP."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from cybersource_tms_sandbox import Fault, Sandbox
from support.caller import CHANGE, HOST, PAGE, Caller, signed_patch
from support.waiting import HANGS, eventually

PATH = f"/tms/v2/customers/{PAGE['id']}"
READ_TIMEOUT = httpx.Timeout(60, read=0.05)  # only the wait for a response that does not come is short


@pytest.fixture(params=["in the process", "over HTTP"])
def caller(request: pytest.FixtureRequest, sandbox: Sandbox, url: str) -> Iterator[Caller]:
    """Return a caller of the sandbox, by its transport and by its server."""
    over_http = request.param == "over HTTP"
    with httpx.Client(
        transport=None if over_http else sandbox.transport,
        base_url=url if over_http else f"http://{HOST}",
        trust_env=False,
    ) as http:
        yield Caller(http)


def test_a_response_instead(sandbox: Sandbox, caller: Caller) -> None:
    """A fault's status, body and headers are sent as they are, once, and nothing is applied."""
    sandbox.fail(Fault(520, b"<html>", {"Content-Type": "text/html", "Retry-After": "7"}), Fault(status=204), 503)
    response = caller.send()
    assert (response.status_code, response.content, response.headers["retry-after"]) == (520, b"<html>", "7")
    assert response.headers["content-type"] == "text/html"
    assert caller.send().status_code == 204
    assert caller.send().status_code == 503
    assert sandbox.customer() == PAGE
    assert caller.send().status_code == 200
    assert [received.status for received in sandbox.received] == [520, 204, 503, 200]
    assert len({received.claims["jti"] for received in sandbox.received}) == 4


def test_every_response_has_its_ids_and_date(sandbox: Sandbox, caller: Caller) -> None:
    """A fault's response has them too, unless the fault has others, in whatever case."""
    sandbox.fail(503, Fault(status=503, headers={"V-C-Correlation-ID": "mine", "date": "then"}))
    ours, theirs = caller.get(), caller.get()
    assert ours.headers["v-c-correlation-id"] != ours.headers["uniqueTransactionID"]
    assert ours.headers["date"].endswith(" GMT")
    assert theirs.headers.get_list("v-c-correlation-id") == ["mine"]
    assert theirs.headers.get_list("date") == ["then"]


def test_a_response_after_the_update(sandbox: Sandbox, caller: Caller) -> None:
    """A fault can hide an update that was applied."""
    sandbox.fail(Fault(status=502, applied=True))
    assert caller.send().status_code == 502
    assert sandbox.customer()["buyerInformation"]["email"] == "new@example.com"


def test_a_body_in_any_encoding(sandbox: Sandbox, caller: Caller) -> None:
    """The body is sent byte for byte: that it is not what its headers say is for the client to find."""
    sandbox.fail(Fault(status=500, body=b"not gzip", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(httpx.DecodingError):
        caller.send()


def test_a_delay(sandbox: Sandbox, caller: Caller) -> None:
    """A request is served after its delay, and with a status nothing is applied."""
    sandbox.fail(Fault(delay=0.01), Fault(delay=0.01, status=503))
    assert caller.send().status_code == 200
    assert caller.send().status_code == 503


def test_a_delay_is_not_waited_for_within_the_process(sandbox: Sandbox) -> None:
    """A delay of an hour costs a test nothing, with either client, if the read time-out is shorter."""
    sandbox.fail(*[Fault(delay=3600)] * 2)

    async def call() -> None:
        async with httpx.AsyncClient(transport=sandbox.transport, base_url=f"http://{HOST}") as http:
            await http.request("PATCH", PATH, **signed_patch(), timeout=3599)

    with httpx.Client(transport=sandbox.transport, base_url=f"http://{HOST}") as http, pytest.raises(httpx.ReadTimeout):
        http.request("PATCH", PATH, **signed_patch(), timeout=3599)
    with pytest.raises(httpx.ReadTimeout):
        asyncio.run(call())
    assert sandbox.customer() != PAGE


def test_reset_drops_what_is_delayed(sandbox: Sandbox) -> None:
    """A delayed request of before a reset changes nothing after it."""
    sandbox.fail(HANGS)
    with sandbox.running() as url, httpx.Client(base_url=url, trust_env=False) as http:
        with pytest.raises(httpx.ReadTimeout):
            http.request("PATCH", PATH, **signed_patch(), timeout=READ_TIMEOUT)
        assert eventually(lambda: len(sandbox.received) == 1)
        [received] = sandbox.received
        sandbox.reset()
        assert Caller(http).get().json() == PAGE
    # The server has ended, and with it the delay.
    assert (sandbox.customer(), received.status) == (PAGE, None)


CUTS = pytest.mark.parametrize(("cut", "applied"), [("before", False), ("after", True), ("middle", True)])


@CUTS
def test_a_cut(sandbox: Sandbox, caller: Caller, cut: Any, *, applied: bool) -> None:
    """The connection breaks; the update is applied or not, as the fault says; the next request is served."""
    sandbox.fail(Fault(cut=cut))
    got = read_until_cut(caller.http)
    assert (sandbox.customer() != PAGE) is applied
    assert sandbox.received[0].status is None
    whole = caller.get()
    assert whole.status_code == 200
    assert got == (whole.content[: len(whole.content) // 2] if cut == "middle" else b"")


def test_a_cut_in_the_middle_of_an_error(sandbox: Sandbox, caller: Caller) -> None:
    """The status arrives and half of the body, and nothing is applied."""
    sandbox.fail(Fault(status=404, body=b"abcdef", cut="middle"))
    assert read_until_cut(caller.http) == b"abc"
    assert sandbox.customer() == PAGE


def test_a_cut_is_a_read_error_of_either_client(sandbox: Sandbox) -> None:
    """Within the process a cut is what httpx raises when the peer has gone."""
    sandbox.fail(*[Fault(cut="after"), Fault(cut="middle")] * 2)

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=sandbox.transport) as http:
            return await http.patch(f"https://{HOST}{PATH}", **signed_patch())

    with httpx.Client(transport=sandbox.transport) as http:
        for _ in range(2):
            with pytest.raises(httpx.ReadError):
                http.patch(f"https://{HOST}{PATH}", **signed_patch())
    for _ in range(2):
        with pytest.raises(httpx.ReadError):
            asyncio.run(call())
    assert asyncio.run(call()).status_code == 200


def read_until_cut(http: httpx.Client) -> bytes:
    """Patch over a connection that will be cut, and return what came of the response's body."""
    got = b""
    with suppress(httpx.RemoteProtocolError, httpx.ReadError):
        with http.stream("PATCH", PATH, **signed_patch()) as response:
            for data in response.iter_raw():
                got += data
        pytest.fail("the response ended well")
    return got


def test_threads_share_a_sandbox(sandbox: Sandbox) -> None:
    """Each of many requests at once uses up one fault, and each is kept."""
    sandbox.fail(*[503] * 20)

    def call() -> None:
        with httpx.Client(transport=sandbox.transport, base_url=f"http://{HOST}") as http:
            for _ in range(10):
                Caller(http).send()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(received.status) for received in sandbox.received) == ["200"] * 20 + ["503"] * 20


IMPOSSIBLE: dict[str, tuple[Callable[[], Any], str]] = {
    "status 199": (lambda: Fault(status=199), "status is 199, not a number from 200 to 599"),
    "status 600": (lambda: Fault(status=600), "status is 600"),
    "status as text": (lambda: Fault(status="503"), "status is '503'"),  # type: ignore[arg-type]
    "status as a bool": (lambda: Fault(status=True), "status is True"),
    "unknown cut": (lambda: Fault(cut="now"), "cut is 'now', not one of before, after, middle"),  # type: ignore[arg-type]
    "negative delay": (lambda: Fault(delay=-1), "delay is -1"),
    "endless delay": (lambda: Fault(delay=float("inf")), "delay is inf"),
    "delay that is no number": (lambda: Fault(delay=float("nan")), "delay is nan"),
    "body as text": (lambda: Fault(status=500, body="x"), "body is bytes"),  # type: ignore[arg-type]
    "applied as a number": (lambda: Fault(status=500, applied=1), "applied is a bool"),  # type: ignore[arg-type]
    "headers as a list": (lambda: Fault(status=500, headers=[]), "headers is a mapping"),  # type: ignore[arg-type]
    "header name": (lambda: Fault(status=500, headers={"a b": "c"}), "headers is a mapping"),
    "header value": (lambda: Fault(status=500, headers={"a": "b\r\nc: d"}), "headers is a mapping"),
    "header in Greek": (lambda: Fault(status=500, headers={"a": "\u03b1"}), "headers is a mapping"),
    "body without a status": (lambda: Fault(body=b"x"), "body and headers need a status"),
    "headers without a status": (lambda: Fault(cut="middle", headers={"a": "b"}), "body and headers need a status"),
    "204 with a body": (lambda: Fault(status=204, body=b"x"), "a response with status 204 has no body"),
    "response before a cut": (lambda: Fault(status=500, cut="after"), "no response to have a status"),
    "applied after a cut before": (lambda: Fault(cut="before", applied=True), "cannot be cut before"),
    "an unknown fault": (lambda: Sandbox().fail("timeout"), "status is 'timeout'"),  # type: ignore[arg-type]
    "an impossible status": (lambda: Sandbox().fail(42), "status is 42"),
}


@pytest.mark.parametrize(("make", "problem"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_faults(make: Callable[[], Any], problem: str) -> None:
    """A fault that cannot happen is refused where it is made, and the error says why."""
    with pytest.raises(ValueError, match=problem):
        make()


def test_faults_over_http(sandbox: Sandbox, url: str) -> None:
    """Faults can be set by hand, which forgets earlier ones, and so can a reset."""
    sandbox.fail(Fault(status=500))
    faults = [{"status": 429, "body": "é", "headers": {"Retry-After": "1"}}, {"cut": "before"}]
    with httpx.Client(base_url=url, trust_env=False) as http:
        assert http.put("/sandbox/faults", json=faults).status_code == 204
        response = Caller(http).send()
        assert (response.status_code, response.text, response.headers["retry-after"]) == (429, "é", "1")
        assert http.post("/sandbox/reset").status_code == 204
        assert Caller(http).send().status_code == 200
    assert len(sandbox.received) == 1


WRONG: list[object] = [1, [1], [{"state": 1}], [{"status": 99}], [{"status": 600}], [{"cut": "x"}], [{"body": 1}]]


@pytest.mark.parametrize("faults", WRONG, ids=json.dumps)
def test_wrong_faults_over_http(sandbox: Sandbox, url: str, faults: object) -> None:
    """What is not a list of faults is refused, says why, and sets none."""
    response = httpx.put(f"{url}/sandbox/faults", json=faults, trust_env=False)
    assert (response.status_code, response.text != "") == (400, True)
    assert not sandbox.faults


def test_the_change_is_one(caller: Caller) -> None:
    """What the tests above look for is a change of the customer."""
    assert caller.send(body=CHANGE).json() != PAGE
