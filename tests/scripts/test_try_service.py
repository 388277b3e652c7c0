"""scripts/try_service changes a customer and puts it back, whatever goes wrong, and prints nothing that is secret."""

import os
import re
import signal
import subprocess
import sys
from typing import Any

import pytest

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


def start(url: str, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    """Start the script against the sandbox."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CYBERSOURCE_")}
    given = {
        "CYBERSOURCE_MERCHANT_ID": MERCHANT_ID,
        "CYBERSOURCE_KEY_ID": KEY_ID,
        "CYBERSOURCE_SECRET_KEY": SECRET,
        "CYBERSOURCE_BASE_URL": url,
    }
    command = [sys.executable, "-W", "error", "scripts/try_service.py", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=kept | given | variables)


def run(url: str, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Run the script to its end, and return the exit code and what it printed."""
    process = start(url, *(arguments or ("--customer", PAGE_CUSTOMER_ID)), **variables)
    out, err = process.communicate()
    assert [secret for secret in SECRETS if secret.lower() in (out + err).lower()] == []
    return process.returncode, out, err


def methods(sandbox: Sandbox) -> list[str]:
    """Return the methods of the requests."""
    return [received.method for received in sandbox.received]


@pytest.mark.parametrize("group", [{"code": CODE}, {}, None], ids=["value", "empty", "null"])
def test_it_reads_changes_reads_and_puts_back(sandbox: Sandbox, url: str, group: Any) -> None:
    """The customer is as before, and the report says what support would ask for."""
    sandbox.put(CUSTOMER | {"clientReferenceInformation": group})
    code, out, err = run(url)
    assert (code, err) == (0, "")
    assert methods(sandbox) == ["GET", "PATCH", "GET", "GET", "PATCH", "GET"]
    assert sandbox.received[1].body == b'{"clientReferenceInformation":{"code":"%s (try)"}}' % (
        CODE.encode() if group else b""
    )
    assert sandbox.customer() == CUSTOMER | {"clientReferenceInformation": group or {}}
    assert re.search(r"cybersource-tms \S+, httpx \S+, joserfc \S+, cryptography \S+, Python 3\S+, OpenSSL", out)
    assert re.search(r"environment: test; encryption: off\n", out)
    assert "variables: CYBERSOURCE_BASE_URL, CYBERSOURCE_KEY_ID, CYBERSOURCE_MERCHANT_ID, CYBERSOURCE_SECRET_KEY" in out
    assert re.search(r"PATCH /tms/v2/customers/CUSTOMER -> 200 in \d+ ms, correlation id \S+, fields client", out)
    assert re.search(r"form of the ETag: x+\n", out)
    assert out.endswith("everything was as expected\n")


FAULTS: dict[str, tuple[list[Fault], str]] = {
    "refused": (
        [NO_FAULT, Fault(status=400, body=b'{"errors":[{"type":"invalidFields"}]}')],
        "reasons: invalidFields []",
    ),
    "not applied": ([NO_FAULT, Fault(cut="before"), Fault(status=403)], "Forbidden: 403"),
    "applied and lost": ([NO_FAULT, Fault(cut="after"), Fault(status=404)], "NotFound: 404"),
    "read fails": ([NO_FAULT, NO_FAULT, Fault(status=410)], "TokenDeleted: 410"),
}


@pytest.mark.parametrize(("faults", "line"), FAULTS.values(), ids=list(FAULTS))
def test_what_fails_is_put_back(sandbox: Sandbox, url: str, faults: list[Fault], line: str) -> None:
    """Wherever it failed, the customer is as before, and the exit code is 1."""
    sandbox.put(CUSTOMER)
    sandbox.fail(*faults)
    code, out, err = run(url)
    assert (code, err) == (1, "")
    assert line in out
    assert out.endswith("NOT everything was as expected, see above\n")
    assert sandbox.customer() == CUSTOMER


def test_it_is_put_back_after_an_interrupt(sandbox: Sandbox, url: str) -> None:
    """Ctrl-C while the customer is changed ends with the customer as it was."""
    sandbox.put(CUSTOMER)
    sandbox.fail(NO_FAULT, NO_FAULT, HANGS)
    process = start(url, "--customer", PAGE_CUSTOMER_ID)
    assert eventually(lambda: len(sandbox.received) == 3)
    process.send_signal(signal.SIGINT)
    assert process.communicate()[1] == "interrupted\n"
    assert process.returncode == 1
    assert sandbox.customer() == CUSTOMER


def test_what_cannot_be_put_back_is_said(sandbox: Sandbox, url: str) -> None:
    """The field is named, and what to do by hand; nothing of its value is lost, since the mark stands behind it."""
    sandbox.put(CUSTOMER)
    sandbox.fail(NO_FAULT, NO_FAULT, NO_FAULT, Fault(status=403))
    code, out, _ = run(url)
    assert code == 1
    assert "clientReferenceInformation.code may still have the mark (try) at its end: remove that by hand\n" in out
    assert sandbox.customer()["clientReferenceInformation"] == {"code": f"{CODE} (try)"}


def test_somebody_elses_change_is_not_undone(sandbox: Sandbox, url: str) -> None:
    """Where the field has neither the mark nor the old value, it is left as it is."""
    sandbox.put(CUSTOMER)
    sandbox.fail(NO_FAULT, NO_FAULT, HANGS)
    process = start(url, "--customer", PAGE_CUSTOMER_ID)
    assert eventually(lambda: len(sandbox.received) == 3)
    sandbox.change({"clientReferenceInformation": {"code": "another"}})
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate()
    assert process.returncode == 1
    assert "fields that differ from before: clientReferenceInformation.code; expected: none\n" in out
    assert methods(sandbox).count("PATCH") == 1


@pytest.mark.parametrize("code", ["x" * 45, "order (try)"], ids=["too long", "has the mark"])
def test_a_customer_that_will_not_do(sandbox: Sandbox, url: str, code: str) -> None:
    """Nothing is changed where the mark would not fit, or is there from a run before."""
    sandbox.put(CUSTOMER | {"clientReferenceInformation": {"code": code}})
    exit_code, out, _ = run(url)
    assert exit_code == 1
    assert "clientReferenceInformation.code is too long, or still has the mark (try): correct it, or take" in out
    assert methods(sandbox) == ["GET"]


def test_the_first_read_fails(sandbox: Sandbox, url: str) -> None:
    """Its status and ids are in the report, and nothing else is tried."""
    code, out, _ = run(url, "--customer", "F2F3ADA770102B51E053A2598D0A9079")
    assert code == 1
    assert "NotFound: 404" in out
    assert methods(sandbox) == ["GET"]


REFUSED: dict[str, tuple[list[str], dict[str, str], str]] = {
    "production": (["--customer", "1"], {"CYBERSOURCE_ENVIRONMENT": "production"}, "--production allows it"),
    "production in India": (
        ["--customer", "1"],
        {"CYBERSOURCE_ENVIRONMENT": "production-india"},
        "--production allows it",
    ),
    "secret as environment": (["--customer", "1"], {"CYBERSOURCE_ENVIRONMENT": SECRET}, "not one of"),
    "secret as mode": (["--customer", "1"], {"CYBERSOURCE_MLE": SECRET}, "expected off, request, response or both"),
    "secret as key id": (["--customer", "1"], {"CYBERSOURCE_KEY_ID": SECRET}, "it holds the secret"),
    "no secret": (["--customer", "1"], {"CYBERSOURCE_SECRET_KEY": ""}, "are missing: CYBERSOURCE_SECRET_KEY"),
    "no customer": (["--production"], {}, "the following arguments are required: --customer"),
}


@pytest.mark.parametrize(("arguments", "variables", "problem"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_refused(
    sandbox: Sandbox, url: str, arguments: list[str], variables: dict[str, str], problem: str
) -> None:
    """It says what is wrong, and sends nothing."""
    code, out, err = run(url, *arguments, **variables)
    assert code > 0
    assert out == ""
    assert problem in err.splitlines()[-1]
    assert sandbox.received == []


def test_production_that_is_allowed(sandbox: Sandbox, url: str) -> None:
    """With --production it runs there, too."""
    sandbox.put(CUSTOMER)
    arguments = ("--customer", PAGE_CUSTOMER_ID, "--production")
    code, out, _ = run(url, *arguments, CYBERSOURCE_ENVIRONMENT="production")
    assert (code, "environment: production;" in out) == (0, True)
