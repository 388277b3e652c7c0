"""A client from environment variables: each alone, all together, and what contradicts each other."""

import re
from collections.abc import Iterable, Mapping
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from cybersource_tms import CertificateAuth, SharedSecretAuth, _variables, errors
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Sandbox, page_customer
from support.clients import NEW_EMAIL, Clients
from support.fixed_response import FixedResponse
from support.keys import (
    PASSWORD,
    SERIAL,
    certificate,
    key_pem,
    p12,
    pem,
    public_pem,
    rsa_key,
    service_certificate,
    written,
)

MERCHANT, PORTFOLIO = "CYBERSOURCE_MERCHANT_ID", "CYBERSOURCE_PORTFOLIO_ID"
SECRETS = ["CYBERSOURCE_KEY_ID", "CYBERSOURCE_SECRET_KEY"]
P12 = ["CYBERSOURCE_P12_PATH", "CYBERSOURCE_P12_PASSWORD"]
MLE = "CYBERSOURCE_MLE"
REQUEST = "CYBERSOURCE_MLE_REQUEST_CERTIFICATE_PATH"
RESPONSE = ["CYBERSOURCE_MLE_RESPONSE_KEY_PATH", "CYBERSOURCE_MLE_RESPONSE_KEY_ID"]
FILES = [REQUEST, *RESPONSE]
RESPONSE_ID, META_ID, META_SERIAL = "answers-2026", "meta-key", "1716240386523032999"


@pytest.fixture
def sandbox(sandbox: Sandbox) -> Sandbox:
    """Return the stand-in, which trusts the merchant, its portfolio and their keys."""
    sandbox.trust_certificate(MERCHANT_ID, pem(certificate(MERCHANT_ID)))
    sandbox.trust_certificate("portfolio", pem(certificate("portfolio", serial=META_SERIAL)), [MERCHANT_ID])
    sandbox.trust_secret("portfolio", META_ID, SECRET, [MERCHANT_ID])
    for key_id in (SERIAL, META_SERIAL, RESPONSE_ID):
        sandbox.trust_response_key(key_id, public_pem(rsa_key()))
    return sandbox


def everything(folder: Path, service: bytes | None = None) -> dict[str, str]:
    """Return every variable with a good value; not all of them may be set at once."""
    service = service or pem(service_certificate())
    store = p12(
        certificate(MERCHANT_ID), certificate("portfolio", serial=META_SERIAL), x509.load_pem_x509_certificate(service)
    )
    return {
        MERCHANT: MERCHANT_ID,
        SECRETS[0]: KEY_ID,
        SECRETS[1]: SECRET,
        P12[0]: str(written(folder, store)),
        P12[1]: PASSWORD,
        PORTFOLIO: "portfolio",
        REQUEST: str(written(folder, service, "service.pem")),
        RESPONSE[0]: str(written(folder, key_pem(rsa_key()), "answers.pem")),
        RESPONSE[1]: RESPONSE_ID,
    }


@pytest.fixture
def values(tmp_path: Path) -> dict[str, str]:
    """Return every variable with a good value."""
    return everything(tmp_path)


def taken(values: Mapping[str, str], names: Iterable[str], **more: str) -> dict[str, str]:
    """Return some of the variables."""
    return {name: values[name] for name in names} | more


def named(error: BaseException) -> set[str]:
    """Return the variables that a message names."""
    return set(re.findall(r"CYBERSOURCE_\w+", str(error)))


def refused(variables: Mapping[str, str]) -> errors.InvalidRequest:
    """Return why these variables make no client."""
    with pytest.raises(errors.InvalidRequest) as caught:
        _variables.settings(variables)
    assert not [value for value in (SECRET, PASSWORD) if value in str(caught.value)]
    return caught.value


# Credentials

NAMES = [MERCHANT, *SECRETS, *P12]
SUBSETS = [subset for size in range(6) for subset in combinations(NAMES, size)]


@pytest.mark.parametrize("portfolio", [False, True], ids=["merchant", "portfolio"])
@pytest.mark.parametrize("subset", SUBSETS, ids=lambda names: "+".join(name[12:] for name in names) or "none")
def test_credentials(values: dict[str, str], subset: tuple[str, ...], *, portfolio: bool) -> None:
    """Whatever is set, both kinds at once are named, or else all that is missing is, or there are credentials."""
    variables = taken(values, [*subset, *([PORTFOLIO] if portfolio else [])])
    kind = P12 if set(P12) & set(subset) else SECRETS
    missing = {MERCHANT, *kind} - set(subset)
    if set(P12) & set(subset) and set(SECRETS) & set(subset):
        assert named(refused(variables)) == set(subset) - {MERCHANT}
    elif missing:
        assert named(refused(variables)) == missing
    else:
        settings = _variables.settings(variables)
        assert type(settings["auth"]) is (CertificateAuth if kind is P12 else SharedSecretAuth)
        assert settings["auth"]._issuer == ("portfolio" if portfolio else MERCHANT_ID)
        assert settings["auth"]._merchant_id == MERCHANT_ID
        assert (settings["encryption"], settings["environment"]) == (None, "test")


@pytest.mark.parametrize("name", [MERCHANT, *SECRETS])
def test_an_empty_variable_is_missing(values: dict[str, str], name: str) -> None:
    """A variable that is set to nothing counts as one that is not set."""
    assert named(refused(taken(values, [MERCHANT, *SECRETS]) | {name: ""})) == {name}
    empty = dict.fromkeys([*P12, PORTFOLIO, MLE, *FILES, "CYBERSOURCE_ENVIRONMENT"], "")
    assert _variables.settings(taken(values, [MERCHANT, *SECRETS]) | empty)["encryption"] is None


def test_other_variables_do_not_matter(values: dict[str, str]) -> None:
    """What is not ours, and what is spelled otherwise, is not read."""
    settings = _variables.settings(
        taken(values, [MERCHANT, *SECRETS], cybersource_mle="both", PATH="x", CYBERSOURCE_ENVIRONMENT="production")
    )
    assert (settings["environment"], settings["encryption"]) == ("production", None)


@pytest.mark.parametrize("kind", ["secret", "P12"])
@pytest.mark.parametrize("portfolio", [False, True], ids=["merchant", "portfolio"])
def test_the_service_believes_them(  # noqa: PLR0917 - pytest gives them by name
    clients: Clients,
    sandbox: Sandbox,
    url: str,
    values: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    *,
    portfolio: bool,
) -> None:
    """Credentials from the environment sign as those that are made by hand."""
    names = [MERCHANT, *(P12 if kind == "P12" else SECRETS), *([PORTFOLIO] if portfolio else [])]
    for name, value in taken(values, names).items():
        monkeypatch.setenv(name, META_ID if portfolio and name == SECRETS[0] else value)
    clients.wrap(clients.client_class.from_env(base_url=url)).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    [received] = sandbox.received
    assert (received.status, received.encrypted) == (200, False)
    assert received.claims["iss"] == ("portfolio" if portfolio else MERCHANT_ID)
    assert "v-c-response-mle-kid" not in received.claims


WRONG: dict[str, tuple[list[str], str, str]] = {
    "secret": (SECRETS, SECRETS[1], "sekret!!" * 6),
    "password": (P12, P12[1], "another password"),
    "path": (P12, P12[0], "/nowhere/at.p12"),
}


@pytest.mark.parametrize(("names", "name", "value"), WRONG.values(), ids=WRONG)
def test_wrong_values(values: dict[str, str], names: list[str], name: str, value: str) -> None:
    """A variable that holds something wrong is refused as the argument would be, and not repeated."""
    error = refused(taken(values, [MERCHANT, *names]) | {name: value})
    assert value not in str(error)


# Encryption


def needed(mode: str, source: str) -> list[str]:
    """Return the variables that a mode needs, with keys from a P12 or of their own."""
    files = ([REQUEST] if mode in ("request", "both") else []) + (RESPONSE if mode in ("response", "both") else [])
    credentials = SECRETS if source == "secret and files" else P12
    return [MERCHANT, *credentials, *([] if source == "P12" else files)]


@pytest.mark.parametrize(
    ("source", "mode"),
    [*product(["P12", "secret and files"], ["off", "request", "response", "both"]), ("P12 and files", "both")],
)
def test_encryption(  # noqa: PLR0917 - pytest gives them by name
    clients: Clients,
    sandbox: Sandbox,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    source: str,
) -> None:
    """Each mode encrypts what it says, with keys of the P12 or of files of their own, which come first."""
    values = everything(tmp_path, sandbox.request_certificate)
    for name, value in taken(values, needed(mode, source), **{MLE: mode}).items():
        monkeypatch.setenv(name, value)
    record = clients.wrap(clients.client_class.from_env(base_url=url)).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    [received] = sandbox.received
    assert received.encrypted is (mode in {"request", "both"})
    key_id = SERIAL if source == "P12" else RESPONSE_ID
    assert received.claims.get("v-c-response-mle-kid") == (key_id if mode in {"response", "both"} else None)
    assert record.customer.to_dict() == sandbox.customer() != page_customer()


def test_encryption_with_a_meta_key(
    clients: Clients, sandbox: Sandbox, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The portfolio's certificate names the key that answers are encrypted for."""
    values = everything(tmp_path, sandbox.request_certificate)
    for name, value in taken(values, [MERCHANT, *P12, PORTFOLIO], **{MLE: "both"}).items():
        monkeypatch.setenv(name, value)
    clients.wrap(clients.client_class.from_env(base_url=url)).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert sandbox.received[0].claims["v-c-response-mle-kid"] == META_SERIAL


def test_plain_answers_are_refused(clients: Clients, values: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: where the environment asks for encrypted answers, a plain one is not taken."""
    for name, value in taken(values, [MERCHANT, *P12], **{MLE: "response"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(errors.UnreadableResponse):
        clients.wrap(clients.client_class.from_env(transport=FixedResponse())).update(PAGE_CUSTOMER_ID, NEW_EMAIL)


USED: dict[str, set[str]] = {"": set(), "off": set(), "request": {REQUEST}, "response": {*RESPONSE}, "both": {*FILES}}
SETS_OF_FILES = [{*files} for size in range(4) for files in combinations(FILES, size)]


def name_of(value: object) -> str | None:
    """Return the name of a set of files in the id of a test."""
    return "+".join(sorted(name[16:] for name in value)) or "none" if isinstance(value, set) else None


@pytest.mark.parametrize(
    ("mode", "files"), [(mode, files) for mode in USED for files in SETS_OF_FILES if files - USED[mode]], ids=name_of
)
def test_files_that_the_mode_does_not_use(values: dict[str, str], mode: str, files: set[str]) -> None:
    """A file for encryption that would not be used is named, with the variable that says so."""
    error = refused(taken(values, [MERCHANT, *SECRETS, *files], **{MLE: mode}))
    assert named(error) == {MLE} | files - USED[mode]


def test_files_beside_a_p12(values: dict[str, str]) -> None:
    """The same with the credentials of a P12."""
    assert named(refused(taken(values, [MERCHANT, *P12, *FILES]))) == {MLE, *FILES}


@pytest.mark.parametrize("credentials", [SECRETS, P12], ids=["secret", "P12"])
@pytest.mark.parametrize(
    ("mode", "files"),
    [(mode, files) for mode in ("request", "response", "both") for files in SETS_OF_FILES if files < USED[mode]],
    ids=name_of,
)
def test_files_that_are_missing(values: dict[str, str], credentials: list[str], mode: str, files: set[str]) -> None:
    """All that a mode needs and that is neither in a file nor in a P12 is named at once."""
    missing = USED[mode] - files
    if credentials is P12:  # which has what files do not; but half of a response key is no key
        missing = {*RESPONSE} & missing if {*RESPONSE} & files else set()
    variables = taken(values, [MERCHANT, *credentials, *files], **{MLE: mode})
    if missing:
        assert named(refused(variables)) == missing
    else:
        assert _variables.settings(variables)["encryption"]


@pytest.mark.parametrize("mode", ["request", "response", "both"])
def test_all_that_is_missing_is_named_at_once(mode: str) -> None:
    """Who has set only the mode is told every variable that it takes, of credentials and encryption."""
    assert named(refused({MLE: mode})) == {MERCHANT, *SECRETS} | USED[mode]


@pytest.mark.parametrize("mode", ["on", "BOTH", "both ", "requests", "1", "true", "none", "request,response"])
def test_bad_modes(values: dict[str, str], mode: str) -> None:
    """A mode that there is not is refused by name, with those that there are."""
    error = refused(taken(values, [MERCHANT, *SECRETS], **{MLE: mode}))
    assert named(error) == {MLE}
    assert all(each in str(error) for each in ("off", "request", "response", "both"))


@pytest.mark.parametrize("path", ["/nowhere/at.pem", "/", "a\0b"], ids=["missing", "folder", "no path"])
@pytest.mark.parametrize(("mode", "name"), [("request", REQUEST), ("response", RESPONSE[0])])
def test_files_that_cannot_be_read(values: dict[str, str], mode: str, name: str, path: str) -> None:
    """A file that cannot be read is an error that names its variable."""
    variables = taken(values, needed(mode, "secret and files"), **{MLE: mode}) | {name: path}
    assert named(refused(variables)) == {name}


@pytest.mark.parametrize("mode", ["request", "response"])
def test_files_that_hold_something_else(values: dict[str, str], mode: str, tmp_path: Path) -> None:
    """A file that holds no certificate or key is refused."""
    variables: dict[str, Any] = taken(values, needed(mode, "secret and files"), **{MLE: mode})
    refused(variables | {needed(mode, "secret and files")[3]: str(written(tmp_path, b"text", "text"))})


@pytest.mark.parametrize("mode", ["request", "both"])
def test_a_p12_without_the_service(values: dict[str, str], tmp_path: Path, mode: str) -> None:
    """A P12 that lacks the service's certificate does not encrypt requests, and nothing is sent plain instead."""
    store = written(tmp_path, p12(certificate(MERCHANT_ID), certificate("other")), "lacking.p12")
    error = refused(taken(values, [MERCHANT, *P12], **{MLE: mode}) | {P12[0]: str(store)})
    assert "CyberSource_SJC_US" in str(error)


@pytest.mark.parametrize("mode", ["request", "both"])
def test_a_p12_with_only_the_merchant(values: dict[str, str], tmp_path: Path, mode: str) -> None:
    """The same where the merchant's certificate is the only one: requests are not encrypted for ourselves."""
    store = written(tmp_path, p12(certificate(MERCHANT_ID)), "lacking.p12")
    refused(taken(values, [MERCHANT, *P12], **{MLE: mode}) | {P12[0]: str(store)})
