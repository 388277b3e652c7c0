"""`python -m cybersource_tms check`: what keys, P12 files and variables amount to, for a person and for a machine."""

import getpass
import json
import os
import re
import runpy
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from pytest_httpx import HTTPXMock

from cybersource_tms.__main__ import main
from cybersource_tms._cli.p12_contents import WHICH_KEY
from cybersource_tms.errors import Unauthorized
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Fault, Sandbox
from support.keys import (
    DAY,
    PASSWORD,
    SERIAL,
    X509_TEXT,
    certificate,
    ec_key,
    key_pem,
    p12,
    pem,
    protection,
    public_pem,
    rsa_key,
    service_certificate,
    written,
)
from support.p12_writer import write_p12

ANOTHER_SECRET = "bmV2ZXIgc2hvdyB0aGlzIGtleSB0byBhbnlib2R5ISE="
ANOTHER_PASSWORD = "another-password-than-that"
SHARED = {
    "CYBERSOURCE_MERCHANT_ID": MERCHANT_ID,
    "CYBERSOURCE_KEY_ID": KEY_ID,
    "CYBERSOURCE_SECRET_KEY": SECRET,
}
SECRETS = [SECRET, ANOTHER_SECRET, PASSWORD, ANOTHER_PASSWORD, "PRIVATE KEY"]
VALID_UNTIL = f"{datetime.now(UTC) + 365 * DAY:%Y-%m-%d}"
RESPONSE_SERIAL = "1716240386523033000"

Run = Callable[..., tuple[int, str, str]]


def assert_readable(out: str, err: str) -> None:
    """No line of the report is longer than 80 printable ASCII characters, and no secret is in it or in an error."""
    assert [line for line in out.splitlines() if not re.fullmatch("[ -~]{0,80}", line)] == []
    assert [secret for secret in SECRETS if secret in out + err] == []


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the command in this process and returns its exit code, stdout and stderr."""

    def run(*arguments: str, **variables: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            code = main(["check", *arguments])
        out, err = capsys.readouterr()
        if "--json" not in arguments:
            assert_readable(out, err)
        return code, out, err

    return run


@pytest.fixture
def report(run: Run) -> Callable[..., dict[str, Any]]:
    """Return a function that runs the command twice, as text and as JSON, and returns the JSON."""

    def report(*arguments: str, **variables: str) -> dict[str, Any]:
        code, text, err = run(*arguments, **variables)
        json_code, out, json_err = run(*arguments, "--json", **variables)
        found: dict[str, Any] = json.loads(out)
        assert [secret for secret in SECRETS if secret in out] == []
        assert (code, err) == (json_code, json_err) == (0 if found["ok"] else 1, "")
        assert found["ok"] is not bool(found["problems"])
        assert all(re.fullmatch("[ -~]*", str(part)) for part in [*values_in(found), found.get("correlation_id")])
        words = " ".join(text.split())
        assert all(" ".join(str(part).split()) in words for part in values_in(found) if "correlation" not in str(part))
        return found

    return report


def values_in(report: Mapping[str, Any]) -> Iterator[object]:
    """Yield every single value of a report that is text or a number, except for the id of each single exchange."""
    for name, value in report.items():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                yield from values_in(part)
            elif part is not None and not isinstance(part, bool) and name != "correlation_id":
                yield part


Report = Callable[..., dict[str, Any]]


# What the variables amount to


@pytest.mark.parametrize("empty", [[], ["ENVIRONMENT", "PORTFOLIO_ID", "P12_PASSWORD", "MLE", "BASE_URL"]])
def test_a_shared_secret(report: Report, empty: list[str]) -> None:
    """Environment and host, merchant, credential, key id and algorithm are reported; an empty variable is unset."""
    found = report(**SHARED, **{f"CYBERSOURCE_{name}": "" for name in empty})
    assert {name: value for name, value in found.items() if value is not None} == {
        "environment": "test",
        "host": "apitest.cybersource.com",
        "merchant": MERCHANT_ID,
        "credential": "shared secret",
        "key_id": KEY_ID,
        "algorithm": "HS256",
        "encryption": "off",
        "note": "the service was not asked; --customer ID reads a customer",
        "warnings": [],
        "problems": [],
        "ok": True,
    }


def test_the_text(run: Run) -> None:
    """A person gets a label and a value on each line, in a fixed order."""
    code, out, err = run(**SHARED, CYBERSOURCE_PORTFOLIO_ID="portfolio")
    assert (code, err) == (0, "")
    assert out == (
        "environment           test\n"
        "host                  apitest.cybersource.com\n"
        "merchant              testrest\n"
        "portfolio             portfolio\n"
        "credential            shared secret\n"
        f"key id                {KEY_ID}\n"
        "algorithm             HS256\n"
        "encryption            off\n"
        "note                  the service was not asked; --customer ID reads a customer\n"
        "warnings              none\n"
        "problems              none\n"
        "ok                    yes\n"
    )


def p12_variables(folder: Path, own: x509.Certificate | None = None, mode: str = "both") -> dict[str, str]:
    """Return variables with a P12 to sign with, and one for responses."""
    key = rsa_key("response")
    response = p12(certificate(MERCHANT_ID, key, RESPONSE_SERIAL), service_certificate(), key=key)
    return {
        "CYBERSOURCE_ENVIRONMENT": "production",
        "CYBERSOURCE_MERCHANT_ID": MERCHANT_ID,
        "CYBERSOURCE_P12_PATH": str(written(folder, p12(own or certificate(MERCHANT_ID), service_certificate()))),
        "CYBERSOURCE_P12_PASSWORD": PASSWORD,
        "CYBERSOURCE_MLE": mode,
        "CYBERSOURCE_MLE_RESPONSE_P12_PATH": str(written(folder, response, "response.p12")),
        "CYBERSOURCE_MLE_RESPONSE_P12_PASSWORD": PASSWORD,
    }


def test_p12_files_and_encryption(report: Report, tmp_path: Path) -> None:
    """With P12 files and encryption, each key's id is reported, and when its certificate expires."""
    found = report(**p12_variables(tmp_path))
    assert (found["environment"], found["host"]) == ("production", "api.cybersource.com")
    assert (found["credential"], found["key_id"], found["algorithm"]) == ("P12 certificate", SERIAL, "RS256")
    assert (found["encryption"], found["request_key_id"]) == ("both", "service-key")
    assert found["response_key_id"] == RESPONSE_SERIAL
    assert {found[f"{key}expires"] for key in ("key_", "request_key_", "response_key_")} == {VALID_UNTIL}


def test_a_meta_key(report: Report, tmp_path: Path) -> None:
    """With a meta key, the certificates are the portfolio's."""
    key = rsa_key("response")
    variables = p12_variables(tmp_path, certificate("portfolio"), mode="response")
    written(tmp_path, p12(certificate("portfolio", key, RESPONSE_SERIAL), key=key), "response.p12")
    found = report(**variables, CYBERSOURCE_PORTFOLIO_ID="portfolio")
    assert (found["merchant"], found["portfolio"], found["ok"]) == (MERCHANT_ID, "portfolio", True)
    assert (found["key_expires"], found["response_key_expires"]) == (VALID_UNTIL, VALID_UNTIL)


@pytest.mark.parametrize("mode", ["request", "response"])
def test_one_direction(report: Report, tmp_path: Path, mode: str) -> None:
    """Of the direction that is not encrypted there is no key."""
    unused = "" if mode == "request" else "x"
    given = {
        name: value for name, value in p12_variables(tmp_path, mode=mode).items() if unused or "RESPONSE" not in name
    }
    found = report(**given)
    assert found["encryption"] == mode
    assert (found["request_key_id"] is None, found["response_key_id"] is None) == (
        mode == "response",
        mode == "request",
    )


def test_a_response_key_without_certificate(report: Report, tmp_path: Path) -> None:
    """A response key of the merchant's own making has the id that is given, and no certificate that could expire."""
    given = p12_variables(tmp_path, mode="response")
    written(tmp_path, p12(certificate("somebody", rsa_key("response")), key=rsa_key("response")), "response.p12")
    found = report(**given, CYBERSOURCE_MLE_RESPONSE_KEY_ID="own-key")
    assert (found["ok"], found["response_key_id"], found["response_key_expires"]) == (True, "own-key", None)


def test_a_response_key_in_pem(report: Report, tmp_path: Path) -> None:
    """Nor has one that is given as PEM."""
    path = written(tmp_path, key_pem(rsa_key("response")), "response.pem")
    found = report(
        **SHARED,
        CYBERSOURCE_MLE="response",
        CYBERSOURCE_MLE_RESPONSE_KEY_PATH=str(path),
        CYBERSOURCE_MLE_RESPONSE_KEY_ID="own-key",
    )
    assert (found["ok"], found["response_key_id"], found["response_key_expires"]) == (True, "own-key", None)


def test_a_certificate_that_expires_soon(report: Report, tmp_path: Path) -> None:
    """That is a warning, which is not wrong yet."""
    found = report(**p12_variables(tmp_path, certificate(MERCHANT_ID, ends=10 * DAY)))
    assert found["ok"]
    [warning] = found["warnings"]
    assert f"the certificate of {MERCHANT_ID} expires on {found['key_expires']}" in warning


# Variables, and what the problem has to say.
BAD_VARIABLES: dict[str, tuple[dict[str, str], list[str]]] = {
    "nothing set": ({}, ["missing", "CYBERSOURCE_MERCHANT_ID", "CYBERSOURCE_KEY_ID", "CYBERSOURCE_SECRET_KEY"]),
    "empty": (dict.fromkeys(SHARED, ""), ["missing", "CYBERSOURCE_MERCHANT_ID", "CYBERSOURCE_SECRET_KEY"]),
    "contradicting": (
        {**SHARED, "CYBERSOURCE_P12_PASSWORD": PASSWORD},
        ["contradict", "CYBERSOURCE_KEY_ID", "CYBERSOURCE_P12_PASSWORD"],
    ),
    "response key, MLE off": (
        {**SHARED, "CYBERSOURCE_MLE_RESPONSE_KEY_ID": "x"},
        ["contradict", "CYBERSOURCE_MLE, CYBERSOURCE_MLE_RESPONSE_KEY_ID"],
    ),
    "environment": ({**SHARED, "CYBERSOURCE_ENVIRONMENT": "staging"}, ["CYBERSOURCE_ENVIRONMENT", "production-india"]),
    "base URL": ({**SHARED, "CYBERSOURCE_BASE_URL": f"https://x:{PASSWORD}@a.example"}, ["CYBERSOURCE_BASE_URL"]),
    "file missing": (
        {
            "CYBERSOURCE_MERCHANT_ID": MERCHANT_ID,
            "CYBERSOURCE_P12_PATH": "/nowhere/at.p12",
            "CYBERSOURCE_P12_PASSWORD": PASSWORD,
        },
        ["CYBERSOURCE_P12_PATH", "cannot be read"],
    ),
    "key id and secret swapped": (
        {**SHARED, "CYBERSOURCE_KEY_ID": SECRET, "CYBERSOURCE_SECRET_KEY": KEY_ID},
        ["CYBERSOURCE_SECRET_KEY", "base64"],
    ),
    "secret as key id": ({**SHARED, "CYBERSOURCE_KEY_ID": SECRET}, ["CYBERSOURCE_KEY_ID", "CYBERSOURCE_SECRET_KEY"]),
    "secret as merchant": (
        {**SHARED, "CYBERSOURCE_MERCHANT_ID": SECRET},
        ["CYBERSOURCE_MERCHANT_ID", "CYBERSOURCE_SECRET_KEY"],
    ),
    "secret as portfolio": (
        {**SHARED, "CYBERSOURCE_PORTFOLIO_ID": SECRET},
        ["CYBERSOURCE_PORTFOLIO_ID", "CYBERSOURCE_SECRET_KEY"],
    ),
    "secret as response key's id": (
        {
            **SHARED,
            "CYBERSOURCE_MLE": "response",
            "CYBERSOURCE_MLE_RESPONSE_KEY_PATH": "key.pem",
            "CYBERSOURCE_MLE_RESPONSE_KEY_ID": SECRET,
        },
        ["CYBERSOURCE_MLE_RESPONSE_KEY_ID", "CYBERSOURCE_SECRET_KEY"],
    ),
    "merchant and secret swapped": (
        {**SHARED, "CYBERSOURCE_MERCHANT_ID": SECRET, "CYBERSOURCE_SECRET_KEY": MERCHANT_ID},
        ["CYBERSOURCE_SECRET_KEY"],
    ),
    "secret with a line break as merchant": (
        {**SHARED, "CYBERSOURCE_MERCHANT_ID": f"{SECRET}\n"},
        ["CYBERSOURCE_MERCHANT_ID", "CYBERSOURCE_SECRET_KEY"],
    ),
}


@pytest.mark.parametrize(("variables", "said"), BAD_VARIABLES.values(), ids=BAD_VARIABLES)
def test_bad_variables(report: Report, variables: dict[str, str], said: list[str]) -> None:
    """Variables that are missing, wrong or contradict each other are named, and what is known is still reported."""
    found = report(**variables)
    [problem] = found["problems"]
    assert [words for words in said if words not in problem] == []
    assert found["environment"] == (None if "CYBERSOURCE_ENVIRONMENT" in variables else "test")
    merchant = variables.get("CYBERSOURCE_MERCHANT_ID") or None
    assert found["merchant"] == (None if merchant and SECRET in merchant else merchant)
    assert found["key_id"] is None


# What is wrong with the signing P12, and what the problem has to say.
BAD_P12: dict[str, tuple[Callable[[], bytes], list[str]]] = {
    "another password": (
        lambda: p12(certificate(MERCHANT_ID), encryption=protection(ANOTHER_PASSWORD)),
        ["CYBERSOURCE_P12_PASSWORD: it does not open"],
    ),
    "not a P12": (lambda: pem(certificate(MERCHANT_ID)), ["CYBERSOURCE_P12_PATH: the file is not a P12"]),
    "expired": (
        lambda: p12(certificate(MERCHANT_ID, ends=-DAY / 2)),
        ["CYBERSOURCE_P12_PATH", MERCHANT_ID, "expired on", "get a new P12"],
    ),
    "another merchant's": (lambda: p12(certificate("somebody")), ["CYBERSOURCE_P12_PATH", MERCHANT_ID]),
    "the response key's": (
        lambda: p12(certificate(MERCHANT_ID, rsa_key("response"), RESPONSE_SERIAL), key=rsa_key("response")),
        ["the response key is the signing key", "REST - API Response MLE"],
    ),
}


@pytest.mark.parametrize(("content", "said"), BAD_P12.values(), ids=BAD_P12)
def test_a_bad_signing_p12(report: Report, tmp_path: Path, content: Callable[[], bytes], said: list[str]) -> None:
    """A P12 that cannot sign is a problem that names the variable; of the key nothing is reported."""
    variables = p12_variables(tmp_path, mode="response")
    written(tmp_path, content())
    found = report(**variables)
    [problem] = found["problems"]
    assert [words for words in said if words not in problem] == []
    assert (found["merchant"], found["key_id"]) == (MERCHANT_ID, None)


# What is in a P12


def entry(**differences: Any) -> dict[str, Any]:
    """Return what is reported of a merchant's key with its certificate, with some differences."""
    return {
        "holds": "key and certificate",
        "common_name": MERCHANT_ID,
        "key_id": SERIAL,
        "expires": VALID_UNTIL,
        "can_serve_as": ["signing", "response"],
        "problem": None,
        **differences,
    }


def key_alone(**differences: Any) -> dict[str, Any]:
    """Return what is reported of a key without a certificate, with some differences."""
    return entry(
        **{"holds": "key", "common_name": None, "key_id": None, "expires": None, "can_serve_as": [], **differences}
    )


def day(time: timedelta) -> str:
    """Return the date of a time that is counted from now."""
    return f"{datetime.now(UTC) + time:%Y-%m-%d}"


SERVICE_ENTRY = entry(
    holds="certificate", common_name="CyberSource_SJC_US", key_id="service-key", can_serve_as=["request encryption"]
)
UNRELATED = {"holds": "certificate", "can_serve_as": []}

# What is in the file, and what is reported of it: ANY stands for a problem that the next table names.
CONTENTS: dict[str, tuple[Callable[[], bytes], list[dict[str, Any]]]] = {
    "a key and the service's certificate": (
        lambda: p12(certificate(MERCHANT_ID), service_certificate()),
        [entry(), SERVICE_ENTRY],
    ),
    "several keys": (
        lambda: write_p12(
            [rsa_key(), rsa_key("other")],
            [certificate("other", rsa_key("other"), "other-key"), certificate(MERCHANT_ID), service_certificate()],
        ),
        [entry(common_name="other", key_id="other-key"), entry(), SERVICE_ENTRY],
    ),
    "in BER": (
        lambda: write_p12([rsa_key()], [certificate(MERCHANT_ID)], outer=True, within=True),
        [entry()],
    ),
    "an old and a new certificate": (
        lambda: p12(certificate(MERCHANT_ID), certificate(MERCHANT_ID, serial="old", ends=-DAY / 2)),
        [
            entry(),
            entry(
                key_id="old",
                expires=day(-DAY / 2),
                can_serve_as=[],
                problem=f"the certificate of {MERCHANT_ID} expired on {day(-DAY / 2)}; get a new P12 from the Business "
                "Center, which also holds the service's current certificate",
            ),
        ],
    ),
    "a certificate without its key": (
        lambda: p12(certificate(MERCHANT_ID), certificate("authority", rsa_key("other"), "ca")),
        [entry(), entry(common_name="authority", key_id="ca", **UNRELATED)],
    ),
    "a certificate without RSA": (
        lambda: p12(certificate(MERCHANT_ID), certificate("authority", ec_key(), "ca")),
        [
            entry(),
            entry(common_name="authority", key_id="ca", problem="the certificate's key is not an RSA key", **UNRELATED),
        ],
    ),
    "a key without certificate": (lambda: p12(None), [key_alone(can_serve_as=["response"])]),
    "two keys, one certificate": (
        lambda: write_p12([rsa_key(), rsa_key("other")], [certificate(MERCHANT_ID)]),
        [entry(), key_alone()],
    ),
    "key id in the X.509 serial number": (
        lambda: p12(certificate(MERCHANT_ID, serial=None)),
        [entry(key_id=X509_TEXT)],
    ),
    "no key id": (
        lambda: p12(certificate(MERCHANT_ID, serial=None, x509_serial=0x1234)),
        [entry(key_id=None, can_serve_as=["response"])],
    ),
    "hostile names": (
        lambda: p12(certificate("J\xf6rg \x1b[2J\u202e\nok")),
        [entry(common_name="J?rg ?[2J??ok")],
    ),
}


@pytest.mark.parametrize(("content", "expected"), CONTENTS.values(), ids=CONTENTS)
def test_contents(report: Report, tmp_path: Path, content: Callable[[], bytes], expected: list[dict[str, Any]]) -> None:
    """Each key and certificate has its name, key id and date, and what it can serve as."""
    found = report("--p12", str(written(tmp_path, content())), CYBERSOURCE_P12_PASSWORD=PASSWORD)
    assert sorted(found["entries"], key=str) == sorted(expected, key=str)
    assert (found["ok"], found["warnings"]) == (True, [])
    assert found["note"] == (WHICH_KEY if any("signing" in each["can_serve_as"] for each in expected) else None)


USELESS: dict[str, tuple[Callable[[], bytes], list[str], list[str]]] = {
    "expired": (
        lambda: p12(certificate(MERCHANT_ID, ends=-DAY / 2)),
        [f"the certificate of {MERCHANT_ID} expired on {day(-DAY / 2)}"],
        ["no key in it can sign or decrypt"],
    ),
    "not valid yet": (
        lambda: p12(certificate(MERCHANT_ID, starts=DAY)),
        [f"the certificate of {MERCHANT_ID} is not valid before {day(DAY)}"],
        ["no key in it can sign or decrypt"],
    ),
    "short": (
        lambda: p12(certificate(MERCHANT_ID, rsa_key("short", 1024)), key=rsa_key("short", 1024)),
        ["shorter than 2048 bits"],
        ["no key in it can sign or decrypt"],
    ),
    "short, without certificate": (
        lambda: p12(None, key=rsa_key("short", 1024)),
        ["shorter than 2048 bits"],
        ["no key in it can sign or decrypt"],
    ),
    "the service's without key id": (
        lambda: p12(
            certificate(MERCHANT_ID),
            certificate("CyberSource_SJC_US", rsa_key("service"), serial=None, x509_serial=0x1234),
        ),
        [],
        ["no certificate of CyberSource_SJC_US in it can encrypt requests"],
    ),
    "the service's expired": (
        lambda: p12(certificate(MERCHANT_ID), service_certificate(ends=-DAY / 2)),
        [f"the certificate of CyberSource_SJC_US expired on {day(-DAY / 2)}"],
        ["no certificate of CyberSource_SJC_US in it can encrypt requests"],
    ),
}


@pytest.mark.parametrize(("content", "said", "problems"), USELESS.values(), ids=USELESS)
def test_useless_contents(
    report: Report, tmp_path: Path, content: Callable[[], bytes], said: list[str], problems: list[str]
) -> None:
    """A file is wrong if none of its keys can be used, or none of the service's certificates where it has some."""
    found = report("--p12", str(written(tmp_path, content())), CYBERSOURCE_P12_PASSWORD=PASSWORD)
    assert found["problems"] == problems
    assert [words for words in said if words not in str(found["entries"])] == []


def test_contents_that_expire_soon(report: Report, tmp_path: Path) -> None:
    """A certificate that expires within 30 days is a warning."""
    path = written(tmp_path, p12(certificate(MERCHANT_ID, ends=10 * DAY)))
    found = report("--p12", str(path), CYBERSOURCE_P12_PASSWORD=PASSWORD)
    assert found["ok"]
    assert "expires on" in found["warnings"][0]


# Password variables, and what the problem says.
PASSWORDS: dict[str, tuple[dict[str, str], str]] = {
    "wrong": (
        {"CYBERSOURCE_P12_PASSWORD": ANOTHER_PASSWORD},
        "CYBERSOURCE_P12_PASSWORD: it does not open the P12",
    ),
    "both wrong": (
        {"CYBERSOURCE_P12_PASSWORD": ANOTHER_PASSWORD, "CYBERSOURCE_MLE_RESPONSE_P12_PASSWORD": "x"},
        "CYBERSOURCE_P12_PASSWORD, CYBERSOURCE_MLE_RESPONSE_P12_PASSWORD: it does not open the P12",
    ),
    "the first": ({"CYBERSOURCE_P12_PASSWORD": PASSWORD, "CYBERSOURCE_MLE_RESPONSE_P12_PASSWORD": "x"}, ""),
    "the second": ({"CYBERSOURCE_P12_PASSWORD": "x", "CYBERSOURCE_MLE_RESPONSE_P12_PASSWORD": PASSWORD}, ""),
    "the second alone": ({"CYBERSOURCE_MLE_RESPONSE_P12_PASSWORD": PASSWORD}, ""),
}


@pytest.mark.parametrize(("variables", "problem"), PASSWORDS.values(), ids=PASSWORDS)
def test_passwords(report: Report, tmp_path: Path, variables: dict[str, str], problem: str) -> None:
    """The password of either P12 opens a file; if none does, the variables are named."""
    found = report("--p12", str(written(tmp_path, p12(certificate(MERCHANT_ID)))), **variables)
    assert found["ok"] is not bool(problem)
    assert "".join(found["problems"]).startswith(problem)


UNREADABLE: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "--p12: the file cannot be read"),
    "not a P12": (b"text", "--p12: the file is not a P12"),
    "damaged": (p12(certificate(MERCHANT_ID))[:-1], "--p12: the P12 file is damaged"),
}


@pytest.mark.parametrize(("content", "problem"), UNREADABLE.values(), ids=UNREADABLE)
def test_files_that_cannot_be_read(report: Report, tmp_path: Path, content: bytes | None, problem: str) -> None:
    """What is wrong with the file is said."""
    path = tmp_path / "none" if content is None else written(tmp_path, content)
    found = report("--p12", str(path), CYBERSOURCE_P12_PASSWORD=PASSWORD)
    assert found["entries"] == []
    assert found["problems"][0].startswith(problem)


class Terminal(StringIO):
    """A standard input that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_asking_for_the_password(report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a variable, the password is asked for."""
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda: PASSWORD)
    assert report("--p12", str(written(tmp_path, p12(certificate(MERCHANT_ID)))))["ok"]


@pytest.mark.parametrize("variables", [{}, {"CYBERSOURCE_P12_PASSWORD": ""}], ids=["none", "empty"])
def test_nobody_to_ask(run: Run, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """Without a variable and without a terminal, one line says what is needed."""
    monkeypatch.setattr(sys, "stdin", StringIO(f"{PASSWORD}\n"))
    code, out, err = run("--p12", "x", **variables)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "CYBERSOURCE_P12_PASSWORD" in err


@pytest.mark.parametrize("end", [EOFError, KeyboardInterrupt])
def test_no_password(run: Run, monkeypatch: pytest.MonkeyPatch, end: type[BaseException]) -> None:
    """Ctrl-D or Ctrl-C instead of a password ends the command with one line."""

    def refuse() -> str:
        raise end

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", refuse)
    code, out, err = run("--p12", "x")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "CYBERSOURCE_P12_PASSWORD" in err


# One real request


@pytest.fixture
def served(sandbox: Sandbox, url: str, clock: Callable[[float], None]) -> dict[str, str]:
    """Return the variables of the stand-in, which is running; the clock stands still."""
    return {**sandbox.variables, "CYBERSOURCE_BASE_URL": url}


def test_a_customer(report: Report, sandbox: Sandbox, served: dict[str, str]) -> None:
    """One GET is made; its status, correlation id and the clock's difference are reported."""
    found = report("--customer", PAGE_CUSTOMER_ID, **served)
    assert [(received.method, received.status) for received in sandbox.received] == [("GET", 200)] * 2  # text and JSON
    reply = sandbox.received[1].reply
    assert reply
    assert (found["status"], found["correlation_id"]) == (200, reply.headers["v-c-correlation-id"])
    assert (found["base_url"], found["ok"]) == (served["CYBERSOURCE_BASE_URL"], True)
    assert found["clock_seconds_ahead"] == 0
    assert (found["response_encrypted"], found["causes"]) == (False, None)


def test_an_encrypted_response(report: Report, sandbox: Sandbox, url: str, tmp_path: Path) -> None:
    """It is reported that the response was encrypted."""
    sandbox.trust_certificate(MERCHANT_ID, pem(certificate(MERCHANT_ID)))
    sandbox.trust_response_key(RESPONSE_SERIAL, public_pem(rsa_key("response")))
    found = report("--customer", PAGE_CUSTOMER_ID, **p12_variables(tmp_path), CYBERSOURCE_BASE_URL=url)
    assert (found["status"], found["response_encrypted"], found["ok"]) == (200, True, True)
    assert sandbox.received[0].claims["v-c-response-mle-kid"] == RESPONSE_SERIAL


@pytest.mark.parametrize("ahead", [60, -300])
def test_a_wrong_clock(report: Report, served: dict[str, str], clock: Callable[[float], None], ahead: int) -> None:
    """A clock that is wrong cannot be ruled out as the cause of a 401; the difference and its direction are given."""
    clock(ahead)
    found = report("--customer", PAGE_CUSTOMER_ID, **served)
    assert found["status"] == 401
    assert found["clock_seconds_ahead"] == ahead
    where = "ahead of" if ahead > 0 else "behind"
    assert found["causes"]["clock"] == f"possible: it is {abs(ahead)} s {where} the service's"


def test_a_wrong_clock_that_is_accepted(report: Report, served: dict[str, str], clock: Callable[[float], None]) -> None:
    """The difference is reported of a success, too."""
    clock(-60)
    found = report("--customer", PAGE_CUSTOMER_ID, **served)
    assert found["ok"]
    assert found["clock_seconds_ahead"] == -60


def test_a_wrong_secret(report: Report, served: dict[str, str]) -> None:
    """A 401 lists the usual causes in their order; of these only the clock can be ruled out here."""
    found = report("--customer", PAGE_CUSTOMER_ID, **{**served, "CYBERSOURCE_SECRET_KEY": ANOTHER_SECRET})
    assert (found["status"], found["ok"], found["response_encrypted"]) == (401, False, None)
    causes = found["causes"]
    assert list(causes) == list(Unauthorized.causes) == ["environment", "clock", "key", "proxy"]
    assert causes.pop("clock").startswith("ruled out: ")
    assert causes == {name: f"possible: {Unauthorized.causes[name]}" for name in causes}


def test_the_response_key_as_signing_key(report: Report, sandbox: Sandbox, url: str, tmp_path: Path) -> None:
    """The service does not know it as a signing key: the name on the certificate is right, the key is not."""
    own = certificate(MERCHANT_ID, serial=RESPONSE_SERIAL)
    variables = {name: value for name, value in p12_variables(tmp_path, own).items() if "MLE" not in name}
    found = report("--customer", PAGE_CUSTOMER_ID, **variables, CYBERSOURCE_BASE_URL=url)
    assert found["status"] == 401
    assert "is the response key" in found["causes"]["key"]
    assert "its certificate has the right name and is valid" in found["causes"]["key"]


def refuse(httpx_mock: HTTPXMock, **headers: str) -> None:
    """Let the service itself refuse the credentials, twice."""
    url = f"https://apitest.cybersource.com/tms/v2/customers/{PAGE_CUSTOMER_ID}"
    httpx_mock.add_response(url=url, status_code=401, headers=headers, is_reusable=True)


# Variables, and whether something between here and the service can have changed the request.
BETWEEN: dict[str, tuple[dict[str, str], bool]] = {
    "nothing": ({}, False),
    "a proxy": ({"HTTPS_PROXY": "http://127.0.0.1:9"}, True),
    "a proxy for all": ({"ALL_PROXY": "http://127.0.0.1:9"}, True),
    "a proxy for plain http": ({"HTTP_PROXY": "http://127.0.0.1:9"}, False),
    "an authority of one's own": ({"SSL_CERT_FILE": "AUTHORITY"}, True),
}


@pytest.mark.parametrize(("variables", "possible"), BETWEEN.values(), ids=BETWEEN)
def test_whether_a_proxy_can_be_ruled_out(
    report: Report, httpx_mock: HTTPXMock, tmp_path: Path, variables: dict[str, str], *, possible: bool
) -> None:
    """It can where the request goes to the service, with no proxy and no authority that could be a proxy's."""
    authority = str(written(tmp_path, pem(certificate("authority")), "authority.pem"))
    refuse(httpx_mock, Date=formatdate(usegmt=True))
    given = {name: value.replace("AUTHORITY", authority) for name, value in variables.items()}
    found = report("--customer", PAGE_CUSTOMER_ID, **SHARED, **given)
    assert found["causes"]["proxy"].partition(":")[0] == ("possible" if possible else "ruled out")
    assert found["causes"]["clock"].startswith("ruled out")


def test_a_refusal_without_date_and_id(report: Report, httpx_mock: HTTPXMock) -> None:
    """What a response does not have is not reported, and the clock cannot be ruled out."""
    refuse(httpx_mock)
    found = report("--customer", PAGE_CUSTOMER_ID, **SHARED)
    assert (found["status"], found["correlation_id"], found["clock_seconds_ahead"]) == (401, None, None)
    assert found["causes"]["clock"].startswith("possible")


# What goes wrong, the status, and what the problem says.
FAILURES: dict[str, tuple[str, list[Fault], int | None, str]] = {
    "unknown": ("nobody", [], 404, "no customer has this token id"),
    "the service fails": (PAGE_CUSTOMER_ID, [Fault(status=503)] * 2, 503, "failed"),
    "hostile": (
        PAGE_CUSTOMER_ID,
        [Fault(status=400, headers={"v-c-correlation-id": "\x9b2J\x85" + "x" * 999})] * 2,
        400,
        "correlation id ?2J?xxx",
    ),
    "no JSON": (PAGE_CUSTOMER_ID, [Fault(status=200, body=b"<html>")] * 2, 200, "is not JSON"),
    "cut": (PAGE_CUSTOMER_ID, [Fault(cut="before")] * 2, None, "RemoteProtocolError"),
}


@pytest.mark.parametrize(("customer_id", "faults", "status", "problem"), FAILURES.values(), ids=FAILURES)
def test_other_failures(  # noqa: PLR0917 - pytest gives them by name
    report: Report,
    sandbox: Sandbox,
    served: dict[str, str],
    customer_id: str,
    faults: list[Fault],
    status: int | None,
    problem: str,
) -> None:
    """Any other failure is a problem in the words of the error; nothing is repeated, and no cause is listed."""
    sandbox.fail(*faults)
    found = report("--customer", customer_id, **served)
    assert (found["status"], found["causes"], found["response_encrypted"]) == (status, None, None)
    assert problem in found["problems"][0]
    assert len(sandbox.received) == 2  # text and JSON


def test_a_server_that_is_down(report: Report) -> None:
    """There is no status, and it is said that nothing was sent."""
    found = report("--customer", PAGE_CUSTOMER_ID, **SHARED, CYBERSOURCE_BASE_URL="http://127.0.0.1:9")
    assert (found["status"], found["correlation_id"], found["clock_seconds_ahead"]) == (None, None, None)
    assert "ConnectError" in found["problems"][0]
    assert "nothing was sent" in found["problems"][0]


def test_what_the_system_says(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own words can be in any language; what a terminal could take for a command is not printed."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(111, "Verbindungsaufbau abgelehnt \xfc\x1b[2J")

    monkeypatch.setattr(socket, "create_connection", fail)
    found = report("--customer", PAGE_CUSTOMER_ID, **SHARED)
    assert "Verbindungsaufbau abgelehnt ??[2J; nothing was sent" in found["problems"][0]


def test_nothing_is_sent_with_bad_variables(report: Report, sandbox: Sandbox, served: dict[str, str]) -> None:
    """If the variables do not fit together, there is no request."""
    assert not report("--customer", PAGE_CUSTOMER_ID, **{**served, "CYBERSOURCE_SECRET_KEY": ""})["ok"]
    assert sandbox.received == []


def test_a_proxy_that_cannot_be_used(report: Report) -> None:
    """What the machine's settings have wrong is a problem, too."""
    found = report("--customer", PAGE_CUSTOMER_ID, **SHARED, HTTPS_PROXY="socks5://127.0.0.1:1")
    assert "HTTPS_PROXY" in found["problems"][0]


# How it is called


@pytest.mark.parametrize("customer_id", ["", "no body", "../customers", "x" * 33])
def test_a_customer_that_is_none(run: Run, sandbox: Sandbox, served: dict[str, str], customer_id: str) -> None:
    """An id that no customer can have is a usage error of one line, and nothing is sent."""
    code, out, err = run("--customer", customer_id, **served)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: --customer: expected 1 to 32 characters")
    assert sandbox.received == []


@pytest.mark.parametrize(
    "arguments", [[], ["chek"], ["check", "x"], ["check", "--p12"], ["check", "--p12", "a", "--customer", "b"]]
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A command that does not exist, or arguments that do not fit together, end with exit code 2."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m cybersource_tms" in capsys.readouterr().err


def test_it_is_a_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Run as `python -m cybersource_tms` does, it ends with the exit code."""
    monkeypatch.setattr(sys, "argv", ["cybersource_tms", "check"])
    monkeypatch.delitem(sys.modules, "cybersource_tms.__main__")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("cybersource_tms", run_name="__main__")
    assert caught.value.code == 1
    assert "CYBERSOURCE_MERCHANT_ID" in capsys.readouterr().out


# As a process

COMMAND = [sys.executable, "-W", "error", "-m", "cybersource_tms", "check"]


def start(*arguments: str, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, without a terminal and with warnings as errors."""
    environment = os.environ | dict(variables or {})
    command = [*COMMAND, *arguments]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, check=False
    )
    assert_readable(done.stdout, done.stderr)
    return done


def test_a_process_without_variables() -> None:
    """It says what is missing, and exits 1."""
    done = start()
    assert (done.returncode, done.stderr) == (1, "")
    assert "CYBERSOURCE_SECRET_KEY" in done.stdout


def test_a_process_that_reads_a_customer(served: dict[str, str]) -> None:
    """It reads a customer of the stand-in, and exits 0."""
    done = start("--customer", PAGE_CUSTOMER_ID, variables=served)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search("^status +200$", done.stdout, re.MULTILINE)


def test_a_process_that_is_refused(served: dict[str, str]) -> None:
    """With a wrong secret it lists the causes, and exits 1."""
    variables = {**served, "CYBERSOURCE_SECRET_KEY": ANOTHER_SECRET}
    done = start("--customer", PAGE_CUSTOMER_ID, variables=variables)
    assert (done.returncode, done.stderr) == (1, "")
    assert re.search("^status +401$", done.stdout, re.MULTILINE)
    assert re.search("^  clock +ruled out", done.stdout, re.MULTILINE)


def test_a_process_without_a_terminal(tmp_path: Path) -> None:
    """It cannot ask for a password, says in one line what it needs, and exits 2."""
    done = start("--p12", str(written(tmp_path, p12(certificate(MERCHANT_ID)))))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "CYBERSOURCE_P12_PASSWORD" in done.stderr
    assert len(done.stderr) <= 81


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_process_with_a_terminal(tmp_path: Path) -> None:
    """It asks for the password, which is not echoed, and lists the file."""
    ours, theirs = os.openpty()
    path = str(written(tmp_path, p12(certificate(MERCHANT_ID))))
    with subprocess.Popen(  # in a session of its own, or it would ask at the terminal of whoever runs the tests
        [*COMMAND, "--p12", path],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stderr
        assert process.stderr.read(10) == b"Password: "
        os.write(ours, f"{PASSWORD}\n".encode())
        out, err = process.communicate()
    echoed = select.select([ours], [], [], 0)[0]
    os.close(theirs)
    os.close(ours)
    assert (process.returncode, err, echoed) == (0, b"\n", [])
    assert SERIAL in out.decode()
