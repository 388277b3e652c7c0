"""scripts/try_service changes a customer and puts it back, whatever goes wrong, and prints nothing that is secret."""

import logging
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import try_service
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Fault, Sandbox, page_customer
from support.clients import EMAIL
from support.waiting import HANGS, eventually

CODE = "order-4711"
CUSTOMER = page_customer() | {
    "buyerInformation": {"email": EMAIL, "merchantCustomerID": "4711"},
    "clientReferenceInformation": {"code": CODE},
}
SECRETS = (PAGE_CUSTOMER_ID, MERCHANT_ID, KEY_ID, SECRET, EMAIL, CODE, "Your customer data")
NO_FAULT = Fault(delay=0)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _variables(sandbox: Sandbox, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables of the sandbox, whose customer has values."""
    sandbox.put(CUSTOMER)
    for name, value in {**sandbox.variables, "CYBERSOURCE_BASE_URL": url}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Return a function that runs the script within this process, and returns the exit code and what it printed."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["try_service", *(arguments or ("--customer", PAGE_CUSTOMER_ID))])
        with pytest.raises(SystemExit) as caught:
            sys.exit(try_service.main())
        code: Any = caught.value.code
        out, err = capsys.readouterr()
        assert [secret for secret in SECRETS if secret.lower() in f"{out}{err}{code}".lower()] == []
        return (1, out, err + code) if isinstance(code, str) else (code, out, err)

    yield run
    log = logging.getLogger("cybersource_tms")
    log.handlers.clear()
    log.setLevel(logging.NOTSET)


def interrupted(sandbox: Sandbox, change: dict[str, Any]) -> tuple[int, str, str]:
    """Run the script, press Ctrl-C when the customer was changed, by somebody else too, and return as `run` does."""
    sandbox.fail(NO_FAULT, NO_FAULT, HANGS)
    command = [sys.executable, "-W", "error", "scripts/try_service.py", "--customer", PAGE_CUSTOMER_ID]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert eventually(lambda: len(sandbox.received) == 3)
        sandbox.change(change)
        process.send_signal(signal.SIGINT)
        return process.wait(), *process.communicate()


def methods(sandbox: Sandbox) -> list[str]:
    """Return the methods of the requests."""
    return [received.method for received in sandbox.received]


@pytest.mark.parametrize("group", [{"code": CODE}, {}, None], ids=["value", "empty", "null"])
def test_it_reads_changes_reads_and_puts_back(sandbox: Sandbox, run: Run, group: Any) -> None:
    """The customer is as before, and the report says what support would ask for."""
    sandbox.put(CUSTOMER | {"clientReferenceInformation": group})
    code, out, err = run()
    assert (code, err) == (0, "")
    assert methods(sandbox) == ["GET", "PATCH", "GET", "GET", "PATCH", "GET"]
    assert sandbox.received[1].body == b'{"clientReferenceInformation":{"code":"%s (try)"}}' % (
        CODE.encode() if group else b""
    )
    assert sandbox.customer() == CUSTOMER | {"clientReferenceInformation": group or {}}
    assert re.search(r"cybersource-tms \S+, httpx \S+, joserfc \S+, cryptography \S+, Python 3\S+, OpenSSL", out)
    assert re.search(r"environment: test; encryption: off\n", out)
    assert f"variables: {', '.join(sorted(['CYBERSOURCE_BASE_URL', *sandbox.variables]))}\n" in out
    assert re.search(r"PATCH /tms/v2/customers/CUSTOMER -> 200 in \d+ ms, correlation id \S+, fields client", out)
    assert re.search(r"form of the ETag: x+\n", out)
    assert out.endswith("everything was as expected\n")


FAULTS: dict[str, tuple[list[Fault], str]] = {
    "refused": ([NO_FAULT, Fault(400, b'{"errors":[{"type":"invalidFields"}]}')], "reasons: invalidFields []"),
    "not applied": ([NO_FAULT, Fault(cut="before"), Fault(status=403)], "Forbidden: 403"),
    "applied and lost": ([NO_FAULT, Fault(cut="after"), Fault(status=404)], "NotFound: 404"),
    "read fails": ([NO_FAULT, NO_FAULT, Fault(status=410)], "TokenDeleted: 410"),
}


@pytest.mark.parametrize(("faults", "line"), FAULTS.values(), ids=list(FAULTS))
def test_what_fails_is_put_back(sandbox: Sandbox, run: Run, faults: list[Fault], line: str) -> None:
    """Wherever it failed, the customer is as before, and the exit code is 1."""
    sandbox.fail(*faults)
    code, out, err = run()
    assert (code, err) == (1, "")
    assert line in out
    assert out.endswith("NOT everything was as expected, see above\n")
    assert sandbox.customer() == CUSTOMER


def test_it_is_put_back_after_an_interrupt(sandbox: Sandbox) -> None:
    """Ctrl-C while the customer is changed ends with the customer as it was."""
    code, _, err = interrupted(sandbox, {})
    assert (code, err) == (1, "interrupted\n")
    assert sandbox.customer() == CUSTOMER


def test_what_cannot_be_put_back_is_said(sandbox: Sandbox, run: Run) -> None:
    """The field is named, and what to do by hand; nothing of its value is lost, since the mark stands behind it."""
    sandbox.fail(NO_FAULT, NO_FAULT, NO_FAULT, Fault(status=403))
    code, out, _ = run()
    assert code == 1
    assert "clientReferenceInformation.code may still have the mark (try) at its end: remove that by hand\n" in out
    assert sandbox.customer()["clientReferenceInformation"] == {"code": f"{CODE} (try)"}


def test_somebody_elses_change_is_not_undone(sandbox: Sandbox) -> None:
    """Where the field has neither the mark nor the old value, it is left as it is."""
    code, out, _ = interrupted(sandbox, {"clientReferenceInformation": {"code": "another"}})
    assert code == 1
    assert "fields that differ from before: clientReferenceInformation.code; expected: none\n" in out
    assert methods(sandbox).count("PATCH") == 1


@pytest.mark.parametrize("code", ["x" * 45, "order (try)"], ids=["too long", "has the mark"])
def test_a_customer_that_will_not_do(sandbox: Sandbox, run: Run, code: str) -> None:
    """Nothing is changed where the mark would not fit, or is there from a run before."""
    sandbox.put(CUSTOMER | {"clientReferenceInformation": {"code": code}})
    exit_code, out, _ = run()
    assert exit_code == 1
    assert "clientReferenceInformation.code is too long, or still has the mark (try): correct it, or take" in out
    assert methods(sandbox) == ["GET"]


def test_the_first_read_fails(sandbox: Sandbox, run: Run) -> None:
    """Its status and ids are in the report, and nothing else is tried."""
    code, out, _ = run("--customer", "F2F3ADA770102B51E053A2598D0A9079")
    assert code == 1
    assert "NotFound: 404" in out
    assert methods(sandbox) == ["GET"]


REFUSED: dict[str, tuple[str, str, str]] = {
    "production": ("ENVIRONMENT", "production", "--production allows it"),
    "production in India": ("ENVIRONMENT", "production-india", "--production allows it"),
    "secret as environment": ("ENVIRONMENT", SECRET, "not one of"),
    "secret as mode": ("MLE", SECRET, "expected off, request, response or both"),
    "secret as key id": ("KEY_ID", SECRET, "it holds the secret"),
    "no secret": ("SECRET_KEY", "", "are missing: CYBERSOURCE_SECRET_KEY"),
}


@pytest.mark.parametrize(("name", "value", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(  # noqa: PLR0917 - three of them are fixtures
    sandbox: Sandbox, run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    """It says what is wrong, and sends nothing."""
    monkeypatch.setenv(f"CYBERSOURCE_{name}", value)
    code, out, err = run()
    assert code > 0
    assert out == ""
    assert problem in err.splitlines()[-1]
    assert sandbox.received == []


def test_production_that_is_allowed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --production it runs there, too; a customer has to be named."""
    monkeypatch.setenv("CYBERSOURCE_ENVIRONMENT", "production")
    assert "the following arguments are required: --customer" in run("--production")[2]
    code, out, _ = run("--customer", PAGE_CUSTOMER_ID, "--production")
    assert (code, "environment: production;" in out) == (0, True)
