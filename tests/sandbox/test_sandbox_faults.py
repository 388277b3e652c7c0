"""The sandbox fails as a test asks it to, within the process as over HTTP."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from cybersource_tms_sandbox import Fault, Sandbox
from support.caller import CHANGED, DOCUMENTED, GROUP, HOST, PAGE, PATH, Caller, over_http, signed_patch
from support.waiting import HANGS, LIMIT, eventually

READ_TIMEOUT = httpx.Timeout(LIMIT, read=0.05)  # only the wait for a response that does not come is short


@pytest.fixture(params=["in the process", "over HTTP"])
def caller(request: pytest.FixtureRequest, sandbox: Sandbox, url: str) -> Iterator[Caller]:
    """Return a caller of the sandbox, by its transport and by its server."""
    within = httpx.Client(transport=sandbox.transport, base_url=f"http://{HOST}")
    with over_http(url) if request.param == "over HTTP" else within as http:
        yield Caller(http)


@pytest.mark.parametrize("status", DOCUMENTED)
def test_a_number_has_the_example_of_the_spec(sandbox: Sandbox, caller: Caller, status: int) -> None:
    """A test of a failing service gets what the service says, whatever else the fault has."""
    sandbox.fail(status, HTTPStatus(status), Fault(status=status, headers={"Retry-After": "7"}, applied=True))
    media_type, content = DOCUMENTED[status]
    for _ in range(3):
        response = caller.send()
        assert (response.status_code, response.json()) == (status, content["example"])
        assert response.headers.get_list("content-type") == [media_type]
    assert response.headers["retry-after"] == "7"


def test_a_response_instead(sandbox: Sandbox, caller: Caller) -> None:
    """A fault's status, body and headers are sent as they are, once, and nothing is applied."""
    sandbox.fail(Fault(404, b"<html>", {"content-type": "text/html", "Retry-After": "7"}), Fault(status=204), 503, 200)
    response = caller.send()
    assert (response.status_code, response.content, response.headers["retry-after"]) == (404, b"<html>", "7")
    assert response.headers.get_list("content-type") == ["text/html"]
    for status in (204, 503, 200):
        response = caller.send()
        assert (response.status_code, response.content, "content-type" in response.headers) == (status, b"", False)
    assert sandbox.customer() == PAGE
    assert caller.send().status_code == 200
    assert [received.status for received in sandbox.received] == [404, 204, 503, 200, 200]


def test_every_response_has_its_ids_and_date(sandbox: Sandbox, caller: Caller) -> None:
    """Both ids, never twice the same; a fault's response has them too, unless the fault has others, in any case."""
    sandbox.fail(Fault(status=404, headers={"V-C-Correlation-ID": "mine", "date": "then"}), 503)
    theirs = caller.get()
    ours = [caller.get(), caller.get(), caller.get("/tms/v2/customers/A"), caller.get(claims={"iss": "x"})]
    assert [response.status_code for response in ours] == [503, 200, 404, 401]
    assert (
        len({response.headers[name] for response in ours for name in ("v-c-correlation-id", "uniqueTransactionID")})
        == 8
    )
    assert all(response.headers["date"].endswith(" GMT") for response in ours)
    assert theirs.headers.get_list("v-c-correlation-id") == ["mine"]
    assert theirs.headers.get_list("date") == ["then"]


def test_a_delay(sandbox: Sandbox, caller: Caller) -> None:
    """A request is served after its delay, and with a status nothing is applied, unless the fault says so."""
    sandbox.fail(Fault(delay=0.01, status=503), Fault(delay=0.01, status=502, applied=True), Fault(delay=0.01))
    assert [caller.send(body={}).status_code, sandbox.customer()] == [503, PAGE]
    assert [caller.send().status_code, sandbox.customer()] == [502, CHANGED]
    assert caller.send().status_code == 200


def test_faults_of_an_async_client_within_the_process(sandbox: Sandbox) -> None:
    """A cut is what httpx raises when the peer has gone, and a delay that is longer than the time-out costs nothing."""
    sandbox.fail(Fault(cut="after"), Fault(cut="middle"), Fault(delay=3600))

    async def call() -> None:
        async with httpx.AsyncClient(transport=sandbox.transport, base_url=f"http://{HOST}") as http:
            for error in (httpx.ReadError, httpx.ReadError, httpx.ReadTimeout):
                with pytest.raises(error):
                    await http.request("PATCH", PATH, **signed_patch(), timeout=3599)
            assert (await http.request("PATCH", PATH, **signed_patch())).status_code == 200

    asyncio.run(call())
    sandbox.fail(Fault(delay=3600))
    with httpx.Client(transport=sandbox.transport, base_url=f"http://{HOST}") as http, pytest.raises(httpx.ReadTimeout):
        http.request("PATCH", PATH, **signed_patch({GROUP: None}), timeout=3599)
    assert GROUP not in sandbox.customer()


def test_reset_drops_what_is_delayed(sandbox: Sandbox) -> None:
    """A delayed request of before a reset changes nothing after it."""
    sandbox.fail(HANGS)
    with sandbox.running() as url, over_http(url) as http:
        with pytest.raises(httpx.ReadTimeout):
            http.request("PATCH", PATH, **signed_patch(), timeout=READ_TIMEOUT)
        assert eventually(lambda: len(sandbox.received) == 1)
        [received] = sandbox.received
        sandbox.reset()
        assert Caller(http).get().json() == PAGE
    # The server has ended, and with it the delay.
    assert (sandbox.customer(), received.status) == (PAGE, None)


CUTS: list[tuple[Fault, dict[str, Any], slice]] = [
    (Fault(cut="before"), PAGE, slice(0)),
    (Fault(cut="after"), CHANGED, slice(0)),
    (Fault(cut="middle"), CHANGED, slice(len(json.dumps(CHANGED)) // 2)),
    (Fault(status=404, body=json.dumps(PAGE).encode(), cut="middle"), PAGE, slice(len(json.dumps(PAGE)) // 2)),
]


@pytest.mark.parametrize(("fault", "state", "part"), CUTS, ids=["before", "after", "middle", "middle of an error"])
def test_a_cut(sandbox: Sandbox, caller: Caller, fault: Fault, state: dict[str, Any], part: slice) -> None:
    """The connection breaks; the update is applied or not, as the fault says; the next request is served."""
    sandbox.fail(fault)
    got = read_until_cut(caller.http)
    assert (sandbox.customer(), sandbox.received[0].status) == (state, None)
    whole = caller.get()
    assert (whole.status_code, got) == (200, whole.content[part])


def read_until_cut(http: httpx.Client) -> bytes:
    """Patch over a connection that will be cut, and return what came of the response's body."""
    got = b""
    with suppress(httpx.RemoteProtocolError, httpx.ReadError):
        with http.stream("PATCH", PATH, **signed_patch()) as response:
            for data in response.iter_raw():
                got += data
        pytest.fail("the response ended well")
    return got


def test_threads_share_a_sandbox(sandbox: Sandbox, caller: Caller) -> None:
    """Each of many requests at once uses up one fault, and each is kept."""
    sandbox.fail(*[503] * 20)
    with ThreadPoolExecutor(4) as pool:
        statuses = [response.status_code for response in pool.map(lambda _: caller.send(), range(40))]
    assert sorted(statuses) == [200] * 20 + [503] * 20
    assert len(sandbox.received) == 40


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
    **{
        f"headers {headers!r}": (partial(Fault, status=500, headers=headers), "headers is a mapping")  # type: ignore[arg-type]
        for headers in [
            *([], {"a": 1}, {1: "a"}, {"": "a"}, {"a b": "c"}, {"a\n": "b"}, {"\u00e9": "a"}),
            *({"a": "b\r\nc: d"}, {"a": "b\x7fc"}, {"a": " b"}, {"a": "b\t"}, {"a": "\u03b1"}),
            *({"CONTENT-LENGTH": "0"}, {"transfer-encoding": "chunked"}),
        ]
    },
    "body without a status": (lambda: Fault(body=b""), "body and headers need a status"),
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


def test_headers_that_can_be_served(sandbox: Sandbox, caller: Caller) -> None:
    """Whatever a fault takes arrives; what becomes of the caller's mapping later is nothing to it."""
    headers = {"X-Empty": "", "x-LATIN": "\u00e9 \x85\tb", "!#$%&'*+.^_`|~09": "~", "Connection": "close"}
    sandbox.fail(*[Fault(status=500, headers=headers)] * 2)
    kept = dict(headers)
    headers["X-Empty"] = "a\nb"
    for _ in range(2):
        raw = dict(caller.get().headers.raw)
        assert {name: value.encode("latin-1") for name, value in kept.items()}.items() <= {
            name.decode(): value for name, value in raw.items()
        }.items()


def test_faults_over_http(sandbox: Sandbox, url: str) -> None:
    """Faults can be set by hand, which forgets earlier ones, and so can a reset."""
    sandbox.fail(Fault(status=500))
    faults = [{"status": 429, "body": "é", "headers": {"Retry-After": "1"}}, {"status": 404}, {"cut": "before"}]
    with over_http(url) as http:
        assert http.put("/sandbox/faults", json=faults).status_code == 204
        response = Caller(http).send()
        assert (response.status_code, response.text, response.headers["retry-after"]) == (429, "é", "1")
        assert Caller(http).send().json() == DOCUMENTED[404][1]["example"]
        assert http.post("/sandbox/reset").status_code == 204
        assert Caller(http).send().status_code == 200
    assert len(sandbox.received) == 1


WRONG = ["[1]", '[{"state": 1}]', '[{"status": 99}]', "{}x", '{"a": 1}']


@pytest.mark.parametrize("faults", [*WRONG, "[" * 100_000], ids=[*WRONG, "too deep"])
def test_wrong_faults_over_http(sandbox: Sandbox, url: str, faults: str) -> None:
    """What is not a list of faults is refused, says why, and sets none."""
    with over_http(url) as http:
        response = http.put("/sandbox/faults", content=faults)
    assert (response.status_code, response.text != "") == (400, True)
    assert not sandbox.faults
