"""`python -m cybersource_tms check`: what keys, P12 files and variables amount to, for a person and for a machine."""

import getpass
import json
import logging
import os
import re
import runpy
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
from cryptography.hazmat.primitives.serialization import NoEncryption
from pytest_httpx import HTTPXMock

from cybersource_tms.__main__ import main
from cybersource_tms.errors import Unauthorized
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Fault, Sandbox
from support.keys import (
    DAY,
    PASSWORD,
    SERIAL,
    certificate,
    ec_key,
    key_pem,
    p12,
    pem,
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
RESPONSE_SERIAL = "1716240386523033000"
YEAR = 365 * DAY
PLAIN = "from March 2027 the service sends no response that is not encrypted: set CYBERSOURCE_MLE to both or response"

Run = Callable[..., tuple[int, str, str]]
Report = Callable[..., dict[str, Any]]


def day(time: timedelta) -> str:
    """Return the date of a time that is counted from now."""
    return f"{datetime.now(UTC) + time:%Y-%m-%d}"


FROM, UNTIL = day(-DAY), day(YEAR)


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
def report(run: Run) -> Report:
    """Return a function that runs the command twice, as text and as JSON, and returns the JSON."""

    def report(*arguments: str, **variables: str) -> dict[str, Any]:
        code, text, err = run(*arguments, **variables)
        json_code, out, json_err = run(*arguments, "--json", **variables)
        found: dict[str, Any] = json.loads(out)
        assert [secret for secret in SECRETS if secret in out] == []
        assert (code, err) == (json_code, json_err) == (0 if found["ok"] else 1, "")
        assert found["ok"] is not bool(found["problems"])
        log = logging.getLogger("cybersource_tms")
        assert (log.level, log.handlers) == (logging.NOTSET, [])
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


# What the variables amount to


def test_a_shared_secret(run: Run, report: Report) -> None:
    """A person gets a label and a value on each line, a machine the same; of the merchant only how long it is."""
    code, out, err = run(**SHARED, CYBERSOURCE_PORTFOLIO_ID="portfolio")
    assert (code, err) == (0, "")
    assert out == (
        "environment           test\n"
        "host                  apitest.cybersource.com\n"
        "merchant              set, 8 characters\n"
        "portfolio             set, 9 characters\n"
        "credential            shared secret\n"
        f"key id                {KEY_ID}\n"
        "algorithm             HS256\n"
        "encryption            off\n"
        "note                  the service was not asked; --customer ID reads a customer\n"
        "warnings              from March 2027 the service sends no response that is not\n"
        "                      encrypted: set CYBERSOURCE_MLE to both or response\n"
        "problems              none\n"
        "ok                    yes\n"
    )
    empty = ["ENVIRONMENT", "PORTFOLIO_ID", "P12_PASSWORD", "MLE", "BASE_URL"]
    found = report(**SHARED, **{f"CYBERSOURCE_{name}": "" for name in empty})  # empty means unset
    names = "environment host merchant credential key_id algorithm encryption note warnings problems ok"
    assert [name for name, value in found.items() if value is not None] == names.split()
    assert (found["key_id"], found["warnings"], found["problems"], found["ok"]) == (KEY_ID, [PLAIN], [], True)


def p12_variables(
    folder: Path, own: x509.Certificate | None = None, mode: str = "both", response: x509.Certificate | None = None
) -> dict[str, str]:
    """Return variables with a P12 to sign with, and one for responses."""
    key = rsa_key("response")
    response = response or certificate(MERCHANT_ID, key, RESPONSE_SERIAL)
    response_file = written(folder, p12(response, service_certificate(), key=key), "response.p12")
    return {
        "CYBERSOURCE_ENVIRONMENT": "production",
        "CYBERSOURCE_MERCHANT_ID": MERCHANT_ID,
        "CYBERSOURCE_P12_PATH": str(written(folder, p12(own or certificate(MERCHANT_ID), service_certificate()))),
        "CYBERSOURCE_P12_PASSWORD": PASSWORD,
        "CYBERSOURCE_MLE": mode,
        "CYBERSOURCE_MLE_RESPONSE_P12_PATH": str(response_file),
        "CYBERSOURCE_MLE_RESPONSE_P12_PASSWORD": PASSWORD,
    }


@pytest.mark.parametrize(("signs", "responds"), [(3, 1), (1, 3)], ids=["right", "swapped"])
def test_p12_files_and_encryption(report: Report, tmp_path: Path, signs: int, responds: int) -> None:
    """Certificates confirm the ids, tell the first and the last day, and for how long shows a swap."""
    kinds = {1: "response", 3: "signing"}
    own = certificate(MERCHANT_ID, ends=signs * YEAR)
    response = certificate(MERCHANT_ID, rsa_key("response"), RESPONSE_SERIAL, ends=responds * YEAR)
    found = report(**p12_variables(tmp_path, own, response=response))
    assert (found["environment"], found["host"]) == ("production", "api.cybersource.com")
    assert (found["credential"], found["key_id"], found["algorithm"]) == ("P12 certificate", SERIAL, "RS256")
    assert (found["encryption"], found["request_key_id"]) == ("both", "service-key")
    assert (found["merchant"], found["response_key_id"]) == (MERCHANT_ID, RESPONSE_SERIAL)
    for name, years in (("key", signs), ("response_key", responds)):
        dates = [found[f"{name}_{each}"] for each in ("valid_from", "expires", "likely")]
        assert dates == [FROM, day(years * YEAR), kinds[years]]
    assert (found["request_key_expires"], found["warnings"], found["ok"]) == (UNTIL, [], True)


def test_a_meta_key(report: Report, tmp_path: Path) -> None:
    """With a meta key, the certificates are the portfolio's, and confirm its id."""
    response = certificate("portfolio", rsa_key("response"), RESPONSE_SERIAL)
    variables = p12_variables(tmp_path, certificate("portfolio"), "response", response)
    found = report(**variables, CYBERSOURCE_PORTFOLIO_ID="portfolio")
    assert (found["merchant"], found["portfolio"], found["ok"]) == ("set, 8 characters", "portfolio", True)
    assert (found["key_expires"], found["response_key_expires"]) == (UNTIL, UNTIL)


@pytest.mark.parametrize("mode", ["off", "request", "response"])
def test_what_is_not_encrypted(report: Report, tmp_path: Path, mode: str) -> None:
    """Of the direction that is not encrypted there is no key; that responses have to be is a warning."""
    given = p12_variables(tmp_path, mode=mode)
    if mode != "response":
        given = {name: value for name, value in given.items() if "RESPONSE" not in name}
    found = report(**given)
    assert found["encryption"] == mode
    assert (found["request_key_id"] is None) is (mode != "request")
    assert (found["response_key_id"] is None) is (mode != "response")
    assert found["warnings"] == ([] if mode == "response" else [PLAIN])


@pytest.mark.parametrize("form", ["P12", "PEM"])
def test_a_response_key_without_certificate(report: Report, tmp_path: Path, form: str) -> None:
    """A response key of the merchant's own making has the id that is given, which nothing confirms."""
    own_key = {"CYBERSOURCE_MLE": "response", "CYBERSOURCE_MLE_RESPONSE_KEY_ID": "own-key"}
    if form == "P12":
        given = p12_variables(tmp_path, response=certificate("somebody", rsa_key("response"))) | own_key
    else:
        path = written(tmp_path, key_pem(rsa_key("response")), "response.pem")
        given = {**SHARED, **own_key, "CYBERSOURCE_MLE_RESPONSE_KEY_PATH": str(path)}
    found = report(**given)
    assert (found["ok"], found["response_key_id"], found["response_key_expires"]) == (True, "set, 7 characters", None)


def test_a_certificate_that_expires_soon(report: Report, tmp_path: Path) -> None:
    """That is a warning, which is not wrong yet, of the variables and of a file."""
    variables = p12_variables(tmp_path, certificate(MERCHANT_ID, ends=10 * DAY))
    for arguments in ((), ("--p12", variables["CYBERSOURCE_P12_PATH"])):
        found = report(*arguments, **variables)
        assert found["ok"]
        assert found["warnings"][0].startswith(f"the certificate of {MERCHANT_ID} expires on {day(10 * DAY)}")


def test_unknown_variables(report: Report) -> None:
    """A variable that begins as ours and is none is a warning; near to one that is not set, it is a problem, too."""
    given = {**SHARED, "CYBERSOURCE_WEBHOOK_SECRET": PASSWORD}
    assert (report(**given)["warnings"], report(**given)["ok"]) == (
        ["CYBERSOURCE_WEBHOOK_SECRET is not known", PLAIN],
        True,
    )
    found = report(**given, CYBERSOURCE_ENVIROMENT="production")
    assert found["warnings"][1] == "CYBERSOURCE_ENVIROMENT is not known; is it CYBERSOURCE_ENVIRONMENT?"
    assert found["problems"][0].endswith("CYBERSOURCE_ENVIROMENT (is it CYBERSOURCE_ENVIRONMENT?)")


def test_an_address_with_a_path(report: Report) -> None:
    """Of a proxy's address the host is shown, and not the path, which can be a secret."""
    found = report(**SHARED, CYBERSOURCE_BASE_URL=f"https://proxy.example:8443/{PASSWORD}/x")
    assert found["base_url"] == "https://proxy.example:8443"


# Variables, and what the problem has to say.
BAD_VARIABLES: dict[str, tuple[dict[str, str], list[str]]] = {
    "nothing set": ({}, ["missing", "CYBERSOURCE_MERCHANT_ID", "CYBERSOURCE_KEY_ID", "CYBERSOURCE_SECRET_KEY"]),
    "contradicting": (
        {**SHARED, "CYBERSOURCE_P12_PASSWORD": PASSWORD},
        ["contradict", "CYBERSOURCE_KEY_ID", "CYBERSOURCE_P12_PASSWORD"],
    ),
    "environment": ({**SHARED, "CYBERSOURCE_ENVIRONMENT": "prod"}, ["CYBERSOURCE_ENVIRONMENT", "mean production?"]),
    "secret as key id": ({**SHARED, "CYBERSOURCE_KEY_ID": SECRET}, ["CYBERSOURCE_KEY_ID: it holds the secret"]),
}


@pytest.mark.parametrize(("variables", "said"), BAD_VARIABLES.values(), ids=BAD_VARIABLES)
def test_bad_variables(report: Report, variables: dict[str, str], said: list[str]) -> None:
    """Variables that are missing, wrong or contradict each other are named, and what is known is still reported."""
    found = report(**variables)
    [problem] = found["problems"]
    assert [words for words in said if words not in problem] == []
    assert found["environment"] == (None if "CYBERSOURCE_ENVIRONMENT" in variables else "test")
    assert found["merchant"] == ("set, 8 characters" if variables.get("CYBERSOURCE_MERCHANT_ID") else None)
    assert found["key_id"] is None


# What is in a P12


def entry(**differences: Any) -> dict[str, Any]:
    """Return what is reported of a merchant's key with its certificate, with some differences."""
    return {
        "holds": "key and certificate",
        "common_name": MERCHANT_ID,
        "key_id": SERIAL,
        "valid_from": FROM,
        "expires": UNTIL,
        "likely": None if "can_serve_as" in differences else "response",
        "can_serve_as": ["signing", "response"],
        "problem": None,
        **differences,
    }


def key_alone(*uses: str) -> dict[str, Any]:
    """Return what is reported of a key without a certificate."""
    unknown = dict.fromkeys(("common_name", "key_id", "valid_from", "expires"))
    return entry(holds="key", can_serve_as=[*uses], **unknown)


SERVICE_ENTRY = entry(
    holds="certificate", common_name="CyberSource_SJC_US", key_id="service-key", can_serve_as=["request encryption"]
)
UNRELATED = {"holds": "certificate", "can_serve_as": []}

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
    "a certificate without RSA": (
        lambda: p12(certificate(MERCHANT_ID), certificate("authority", ec_key(), "ca")),
        [
            entry(),
            entry(common_name="authority", key_id="ca", problem="the certificate's key is not an RSA key", **UNRELATED),
        ],
    ),
    "two keys, one certificate": (
        lambda: write_p12([rsa_key(), rsa_key("other")], [certificate(MERCHANT_ID)]),
        [entry(), key_alone()],
    ),
    "a key without certificate": (lambda: p12(None), [key_alone("response")]),
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
    """Each key and certificate has its name, key id and dates, and what it can serve as."""
    found = report("--p12", str(written(tmp_path, content())), CYBERSOURCE_P12_PASSWORD=PASSWORD)
    assert sorted(found["entries"], key=str) == sorted(expected, key=str)
    assert (found["ok"], found["warnings"]) == (True, [])
    assert bool(found["note"]) is any("signing" in each["can_serve_as"] for each in expected)


NO_KEY, NO_SERVICE = (
    "no key in it can sign or decrypt",
    "no certificate of CyberSource_SJC_US in it can encrypt requests",
)
USELESS: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "expired": (
        lambda: p12(certificate(MERCHANT_ID, ends=-DAY / 2)),
        f"{MERCHANT_ID} expired on {day(-DAY / 2)}",
        NO_KEY,
    ),
    "short, without certificate": (lambda: p12(None, key=rsa_key("short", 1024)), "shorter than 2048 bits", NO_KEY),
    "the service's without key id": (
        lambda: p12(
            certificate(MERCHANT_ID),
            certificate("CyberSource_SJC_US", rsa_key("service"), serial=None, x509_serial=0x1234),
        ),
        "",
        NO_SERVICE,
    ),
    "the service's expired": (
        lambda: p12(certificate(MERCHANT_ID), service_certificate(ends=-DAY / 2)),
        f"the certificate of CyberSource_SJC_US expired on {day(-DAY / 2)}",
        NO_SERVICE,
    ),
}


@pytest.mark.parametrize(("content", "said", "problem"), USELESS.values(), ids=USELESS)
def test_useless_contents(
    report: Report, tmp_path: Path, content: Callable[[], bytes], said: str, problem: str
) -> None:
    """A file is wrong if none of its keys can be used, or none of the service's certificates where it has some."""
    found = report("--p12", str(written(tmp_path, content())), CYBERSOURCE_P12_PASSWORD=PASSWORD)
    assert found["problems"] == [problem]
    assert said in str(found["entries"])


FIRST, SECOND = "CYBERSOURCE_P12_PASSWORD", "CYBERSOURCE_MLE_RESPONSE_P12_PASSWORD"
PASSWORDS: dict[str, tuple[dict[str, str], str]] = {
    "wrong": ({FIRST: ANOTHER_PASSWORD}, f"{FIRST}: it does not open the P12"),
    "both wrong": ({FIRST: ANOTHER_PASSWORD, SECOND: "x"}, f"{FIRST}, {SECOND}: it does not open the P12"),
    "the second": ({FIRST: "x", SECOND: PASSWORD}, ""),
}


@pytest.mark.parametrize(("variables", "problem"), PASSWORDS.values(), ids=PASSWORDS)
def test_passwords(report: Report, tmp_path: Path, variables: dict[str, str], problem: str) -> None:
    """The password of either P12 opens a file; if none does, the variables are named."""
    found = report("--p12", str(written(tmp_path, p12(certificate(MERCHANT_ID)))), **variables)
    assert found["ok"] is not bool(problem)
    assert "".join(found["problems"]).startswith(problem)


@pytest.mark.parametrize("variables", [{}, {FIRST: "x"}], ids=["none", "another"])
def test_a_file_without_a_password(report: Report, tmp_path: Path, variables: dict[str, str]) -> None:
    """It is listed, without a terminal and whatever the variables say."""
    path = written(tmp_path, p12(certificate(MERCHANT_ID), encryption=NoEncryption()))
    assert report("--p12", str(path), **variables)["entries"] == [entry()]


def test_files_that_cannot_be_read(report: Report, tmp_path: Path) -> None:
    """What is wrong with the file is said, at once, and no password is asked for."""
    pem_file, damaged = key_pem(rsa_key()), p12(certificate(MERCHANT_ID))[:-1]
    for path, problem in (
        (tmp_path / "none", "the file cannot be read: there is none"),
        (written(tmp_path, pem_file, "key.pem"), "the file is not a P12; it is PEM"),
        (written(tmp_path, damaged, "damaged.p12"), "the P12 file is damaged"),
    ):
        found = report("--p12", str(path))
        assert found["entries"] == []
        assert found["problems"][0].startswith(f"--p12: {problem}")


class Terminal(StringIO):
    """A standard input that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the path of a P12 with a password."""
    return str(written(tmp_path, p12(certificate(MERCHANT_ID))))


def test_asking_for_the_password(report: Report, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a variable, the password is asked for."""
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda: PASSWORD)
    assert report("--p12", path)["ok"]


@pytest.mark.parametrize("end", [None, EOFError, KeyboardInterrupt], ids=["nobody", "Ctrl-D", "Ctrl-C"])
def test_no_password(run: Run, path: str, monkeypatch: pytest.MonkeyPatch, end: type[BaseException] | None) -> None:
    """Without a terminal, or with Ctrl-D or Ctrl-C instead of a password, one line says what is needed."""

    def refuse() -> str:
        raise end or AssertionError

    monkeypatch.setattr(sys, "stdin", Terminal() if end else StringIO(f"{PASSWORD}\n"))
    monkeypatch.setattr(getpass, "getpass", refuse)
    code, out, err = run("--p12", path, CYBERSOURCE_P12_PASSWORD="")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "CYBERSOURCE_P12_PASSWORD" in err


# One real request


@pytest.fixture
def served(sandbox: Sandbox, url: str, clock: Callable[[float], None]) -> dict[str, str]:
    """Return the variables of the sandbox, which is running; the clock stands still."""
    return {**sandbox.variables, "CYBERSOURCE_BASE_URL": url}


def test_a_customer(report: Report, sandbox: Sandbox, served: dict[str, str]) -> None:
    """One GET is made; its status, correlation id and the clock's difference are reported."""
    found = report("--customer", PAGE_CUSTOMER_ID, **served)
    assert [(received.method, received.status) for received in sandbox.received] == [("GET", 200)] * 2  # text and JSON
    reply = sandbox.received[1].reply
    assert reply
    assert (found["status"], found["correlation_id"]) == (200, reply.headers["v-c-correlation-id"])
    assert (found["base_url"], found["ok"], found["clock_seconds_ahead"]) == (served["CYBERSOURCE_BASE_URL"], True, 0)
    assert (found["response_encrypted"], found["causes"]) == (False, None)


def test_an_encrypted_response(report: Report, sandbox: Sandbox, url: str, tmp_path: Path) -> None:
    """It is reported that the response was encrypted."""
    sandbox.trust_certificate(MERCHANT_ID, pem(certificate(MERCHANT_ID)))
    sandbox.trust_response_key(RESPONSE_SERIAL, public_pem(rsa_key("response")))
    found = report("--customer", PAGE_CUSTOMER_ID, **p12_variables(tmp_path), CYBERSOURCE_BASE_URL=url)
    assert (found["status"], found["response_encrypted"], found["ok"]) == (200, True, True)
    assert sandbox.received[0].claims["v-c-response-mle-kid"] == RESPONSE_SERIAL


# How far the clock is ahead, the secret, and what is said of the clock where the service refuses.
CLOCKS: dict[str, tuple[int, str, str | None]] = {
    "right": (0, ANOTHER_SECRET, "ruled out: "),
    "a bit behind": (-60, ANOTHER_SECRET, "possible: it is 60 s behind the service's"),
    "a bit behind, with success": (-60, SECRET, None),
    "ahead": (60, SECRET, "likely: it is 60 s ahead of the service's"),
    "behind": (-130, SECRET, "likely: it is 130 s behind the service's"),
}


@pytest.mark.parametrize(("ahead", "secret", "said"), CLOCKS.values(), ids=CLOCKS)
def test_causes_of_a_401(  # noqa: PLR0917 - pytest gives them by name
    report: Report,
    served: dict[str, str],
    clock: Callable[[float], None],
    ahead: int,
    secret: str,
    said: str | None,
) -> None:
    """A 401 lists the usual causes in their order, but a clock by which no token is good comes first."""
    clock(ahead)
    found = report("--customer", PAGE_CUSTOMER_ID, **{**served, "CYBERSOURCE_SECRET_KEY": secret})
    assert (found["status"], found["clock_seconds_ahead"]) == (401 if said else 200, ahead)
    if said:
        causes = found["causes"]
        names = list(Unauthorized.causes)
        assert names == ["environment", "clock", "key", "proxy"]
        assert list(causes) == (sorted(names, key=lambda name: name != "clock") if "likely" in said else names)
        assert causes.pop("clock").startswith(said)
        assert causes == {name: f"possible: {Unauthorized.causes[name]}" for name in causes}
        assert found["response_encrypted"] is None


@pytest.mark.parametrize(("years", "said"), [(1, "for about one year, as response keys are"), (3, "")])
def test_the_response_key_as_signing_key(  # noqa: PLR0917 - pytest gives them by name
    report: Report, sandbox: Sandbox, url: str, tmp_path: Path, years: int, said: str
) -> None:
    """The service does not know it as a signing key: the name on the certificate is right, the key is not."""
    own = certificate(MERCHANT_ID, serial=RESPONSE_SERIAL, ends=years * YEAR)
    variables = {name: value for name, value in p12_variables(tmp_path, own).items() if "MLE" not in name}
    found = report("--customer", PAGE_CUSTOMER_ID, **variables, CYBERSOURCE_BASE_URL=url)
    assert found["status"] == 401
    for words in ("is the response key", "its certificate has the right name and is valid", said):
        assert words in found["causes"]["key"]
    assert ("about one year" in found["causes"]["key"]) is bool(said)


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
    """Any other failure is a problem in the words of the error; nothing is retried, and no cause is listed."""
    sandbox.fail(*faults)
    found = report("--customer", customer_id, **served)
    assert (found["status"], found["causes"], found["response_encrypted"]) == (status, None, None)
    assert problem in found["problems"][0]
    assert len(sandbox.received) == 2  # text and JSON


def test_what_the_system_says(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own words can be in any language; what a terminal could take for a command is not printed."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(111, "Verbindungsaufbau abgelehnt \xfc\x1b[2J")

    monkeypatch.setattr(socket, "create_connection", fail)
    found = report("--customer", PAGE_CUSTOMER_ID, **SHARED)
    assert "Verbindungsaufbau abgelehnt ??[2J; nothing was sent" in found["problems"][0]
    assert (found["status"], found["correlation_id"], found["clock_seconds_ahead"]) == (None, None, None)


def test_a_proxy_that_cannot_be_used(report: Report) -> None:
    """What the machine's settings have wrong is a problem, too."""
    found = report("--customer", PAGE_CUSTOMER_ID, **SHARED, HTTPS_PROXY="socks5://127.0.0.1:1")
    assert "HTTPS_PROXY" in found["problems"][0]


# How it is called


def test_a_customer_that_is_none(run: Run, sandbox: Sandbox, served: dict[str, str]) -> None:
    """An id that no customer can have is a usage error of one line, and nothing is sent."""
    code, out, err = run("--customer", "x" * 33, **served)
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
    assert "usage: " in capsys.readouterr().err


def test_it_is_a_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Run as `python -m cybersource_tms` does, it ends with the exit code."""
    monkeypatch.setattr(sys, "argv", ["cybersource_tms", "check"])
    monkeypatch.delitem(sys.modules, "cybersource_tms.__main__")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("cybersource_tms", run_name="__main__")
    assert caught.value.code == 1
    assert "CYBERSOURCE_MERCHANT_ID" in capsys.readouterr().out


# As a process


def test_a_process(served: dict[str, str]) -> None:
    """It reads a customer of the sandbox, without a terminal, and its exit code says whether all is well."""
    for secret, status, code in ((SECRET, 200, 0), (ANOTHER_SECRET, 401, 1)):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "cybersource_tms", "check", "--customer", PAGE_CUSTOMER_ID],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=os.environ | served | {"CYBERSOURCE_SECRET_KEY": secret},
            check=False,
        )
        assert_readable(done.stdout, done.stderr)
        assert (done.returncode, done.stderr) == (code, "")
        assert re.search(f"^status +{status}$", done.stdout, re.MULTILINE)
