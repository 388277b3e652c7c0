"""A client from environment variables: each alone, all together, and what contradicts each other."""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations, product
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption

from cybersource_tms import CertificateAuth, SharedSecretAuth, errors
from cybersource_tms._credentials import variables as _variables
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Sandbox, page_customer
from support.clients import NEW_EMAIL, Clients
from support.keys import (
    DAY,
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
from support.p12_writer import write_p12

MERCHANT, PORTFOLIO = "CYBERSOURCE_MERCHANT_ID", "CYBERSOURCE_PORTFOLIO_ID"
SECRETS = ["CYBERSOURCE_KEY_ID", "CYBERSOURCE_SECRET_KEY"]
P12 = ["CYBERSOURCE_P12_PATH", "CYBERSOURCE_P12_PASSWORD"]
MLE = "CYBERSOURCE_MLE"
REQUEST = "CYBERSOURCE_MLE_REQUEST_CERTIFICATE_PATH"
RESPONSE_P12 = ["CYBERSOURCE_MLE_RESPONSE_P12_PATH", "CYBERSOURCE_MLE_RESPONSE_P12_PASSWORD"]
RESPONSE_PEM = ["CYBERSOURCE_MLE_RESPONSE_KEY_PATH", "CYBERSOURCE_MLE_RESPONSE_KEY_ID"]
KEY_PASSWORD = "CYBERSOURCE_MLE_RESPONSE_KEY_PASSWORD"
FILES = [REQUEST, *RESPONSE_PEM]
RESPONSE_ID, RESPONSE_SERIAL = "responses-2026", "1716240386523033000"
META_ID, META_SERIAL, META_RESPONSE_SERIAL = "meta-key", "1716240386523032999", "1716240386523033001"


@pytest.fixture
def sandbox(sandbox: Sandbox) -> Sandbox:
    """Return the sandbox, which trusts the merchant, its portfolio and their keys."""
    sandbox.trust_certificate(MERCHANT_ID, pem(certificate(MERCHANT_ID)))
    sandbox.trust_certificate("portfolio", pem(certificate("portfolio", serial=META_SERIAL)), [MERCHANT_ID])
    sandbox.trust_secret("portfolio", META_ID, SECRET, [MERCHANT_ID])
    for key_id in (RESPONSE_SERIAL, META_RESPONSE_SERIAL, RESPONSE_ID):
        sandbox.trust_response_key(key_id, public_pem(rsa_key("response")))
    return sandbox


def everything(folder: Path, service: bytes) -> dict[str, str]:
    """Return every variable with a good value; not all of them may be set at once."""
    parsed, key = x509.load_pem_x509_certificate(service), rsa_key("response")
    own, meta = certificate(MERCHANT_ID, key, RESPONSE_SERIAL), certificate("portfolio", key, META_RESPONSE_SERIAL)
    signing = p12(certificate(MERCHANT_ID), certificate("portfolio", serial=META_SERIAL), parsed)
    return {
        MERCHANT: MERCHANT_ID,
        SECRETS[0]: KEY_ID,
        SECRETS[1]: SECRET,
        P12[0]: str(written(folder, signing)),
        P12[1]: PASSWORD,
        PORTFOLIO: "portfolio",
        REQUEST: str(written(folder, service, "service.pem")),
        RESPONSE_P12[0]: str(written(folder, p12(own, meta, parsed, key=key), "response.p12")),
        RESPONSE_P12[1]: PASSWORD,
        RESPONSE_PEM[0]: str(written(folder, key_pem(key), "responses.pem")),
        RESPONSE_PEM[1]: RESPONSE_ID,
        KEY_PASSWORD: "x",
    }


@pytest.fixture
def values(tmp_path: Path) -> dict[str, str]:
    """Return every variable with a good value."""
    return everything(tmp_path, pem(service_certificate()))


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
    return caught.value


# Credentials

NAMES = [MERCHANT, *SECRETS, *P12]
SUBSETS = [subset for size in range(6) for subset in combinations(NAMES, size)]


@pytest.mark.parametrize("subset", SUBSETS, ids=lambda names: "+".join(name[12:] for name in names) or "none")
def test_credentials(values: dict[str, str], subset: tuple[str, ...]) -> None:
    """Whatever is set, both kinds at once are named, or else all that is missing is, or there are credentials."""
    portfolio = len(subset) % 2 == 0
    variables = taken(values, [*subset, *([PORTFOLIO] if portfolio else [])])
    kind = P12 if set(P12) & set(subset) else SECRETS
    missing = {MERCHANT, *(P12[:1] if kind is P12 else kind)} - set(subset)
    if set(P12) & set(subset) and set(SECRETS) & set(subset):
        assert named(refused(variables)) == set(subset) - {MERCHANT}
    elif missing:
        assert named(refused(variables)) == missing
    elif kind is P12 and P12[1] not in subset:
        assert str(refused(variables)).startswith(f"{P12[1]}: the P12 has one, and none was given")
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


def test_p12_files_without_a_password(tmp_path: Path) -> None:
    """Of a P12 without a password, the path is all that is needed."""
    key = rsa_key("response")
    signing = p12(certificate(MERCHANT_ID), service_certificate(), encryption=NoEncryption())
    response = p12(certificate(MERCHANT_ID, key, "r"), service_certificate(), key=key, encryption=NoEncryption())
    paths = {P12[0]: str(written(tmp_path, signing, "a")), RESPONSE_P12[0]: str(written(tmp_path, response, "b"))}
    for empty in ({}, {P12[1]: "", RESPONSE_P12[1]: ""}):
        settings = _variables.settings({MERCHANT: MERCHANT_ID, MLE: "both", **paths, **empty})
        assert (settings["auth"].key_id, settings["encryption"].response_key_id) == (SERIAL, "r")


def test_other_variables_do_not_matter(values: dict[str, str]) -> None:
    """What is not ours, what is spelled otherwise, and what is near to a variable that is set, is not read."""
    others = {"cybersource_mle": "both", "CYBERSOURCE_WEBHOOK_SECRET": "x", "CYBERSOURCE_MERCHANT_IDS": "x"}
    settings = _variables.settings(taken(values, [MERCHANT, *SECRETS], **others, CYBERSOURCE_ENVIRONMENT="production"))
    assert (settings["environment"], settings["encryption"]) == ("production", None)


MISSPELT = {
    "ENVIROMENT": "ENVIRONMENT",
    "BASEURL": "BASE_URL",
    "MLE_REQUEST_CERT_PATH": "MLE_REQUEST_CERTIFICATE_PATH",
}


@pytest.mark.parametrize(("name", "meant"), MISSPELT.items(), ids=MISSPELT)
def test_misspelt_variables(values: dict[str, str], name: str, meant: str) -> None:
    """A variable that is near to one that is not set is refused with that name, before anything is missing."""
    variables = {f"CYBERSOURCE_{name}": PASSWORD, **taken(values, SECRETS)}
    assert str(refused(variables)) == (
        f"environment variables that are not known: CYBERSOURCE_{name} (is it CYBERSOURCE_{meant}?)"
    )
    assert named(refused(variables | {f"CYBERSOURCE_{name}": ""})) == {MERCHANT}


# Encryption


def needed(mode: str, source: str) -> list[str]:
    """Return the variables that a mode needs, with keys from a P12 or of their own."""
    requests, responses = mode in ("request", "both"), mode in ("response", "both")
    if source == "P12":
        return [*P12, *(RESPONSE_P12 if responses else [])]
    files = ([REQUEST] if requests else []) + (RESPONSE_PEM if responses else [])
    return [*(P12 if source == "P12 and files" else SECRETS), *files]


@pytest.mark.parametrize("portfolio", [False, True], ids=["merchant", "portfolio"])
@pytest.mark.parametrize(
    ("source", "mode"),
    [*product(["P12", "secret and files"], ["off", "request", "response", "both"]), ("P12 and files", "both")],
)
def test_the_service_believes_them(  # noqa: PLR0917 - pytest gives them by name
    clients: Clients,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    source: str,
    *,
    portfolio: bool,
) -> None:
    """Credentials sign, and each mode encrypts what it says, with keys of a P12 or of files of their own."""
    values = everything(tmp_path, sandbox.request_certificate) | ({SECRETS[0]: META_ID} if portfolio else {})
    names = [MERCHANT, *needed(mode, source), *([PORTFOLIO] if portfolio else [])]
    for name, value in taken(values, names, **{MLE: mode}).items():
        monkeypatch.setenv(name, value)
    client = clients.wrap(clients.client_class.from_env(transport=sandbox.transport))
    record = client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    [received] = sandbox.received
    assert received.encrypted is (mode in {"request", "both"})
    assert received.claims["iss"] == ("portfolio" if portfolio else MERCHANT_ID)
    key_id = (META_RESPONSE_SERIAL if portfolio else RESPONSE_SERIAL) if source == "P12" else RESPONSE_ID
    assert received.claims.get("v-c-response-mle-kid") == (key_id if mode in {"response", "both"} else None)
    assert record.customer.to_dict() == sandbox.customer() != page_customer()


USED: dict[str, set[str]] = {
    "": set(),
    "off": set(),
    "request": {REQUEST},
    "response": {*RESPONSE_PEM},
    "both": {*FILES},
}
SETS_OF_FILES = [{*files} for size in range(4) for files in combinations(FILES, size)]


def name_of(value: object) -> str | None:
    """Return the name of a set of files in the id of a test."""
    return "+".join(sorted(name[16:] for name in value)) or "none" if isinstance(value, set) else None


UNUSED = [
    *((mode, files) for mode in USED for files in SETS_OF_FILES if files - USED[mode]),
    *((mode, {name}) for mode in ("off", "request") for name in (RESPONSE_P12[0], KEY_PASSWORD)),
]


@pytest.mark.parametrize(("mode", "files"), UNUSED, ids=name_of)
def test_files_that_the_mode_does_not_use(values: dict[str, str], mode: str, files: set[str]) -> None:
    """What would not be used for encryption is named, with the variable that says so."""
    error = refused(taken(values, [MERCHANT, *SECRETS, *files], **{MLE: mode}))
    assert named(error) == {MLE} | files - USED[mode]


@pytest.mark.parametrize("name", [RESPONSE_PEM[0], KEY_PASSWORD])
def test_response_keys_that_contradict(values: dict[str, str], name: str) -> None:
    """A response key is either in a P12 or in PEM."""
    variables = taken(values, [MERCHANT, *P12, *RESPONSE_P12], **{MLE: "response", name: "x"})
    assert named(refused(variables)) == {*RESPONSE_P12, name}


@pytest.mark.parametrize("credentials", [SECRETS, P12], ids=["secret", "P12"])
@pytest.mark.parametrize(
    ("mode", "files"),
    [(mode, files) for mode in ("request", "response", "both") for files in SETS_OF_FILES if files < USED[mode]],
    ids=name_of,
)
def test_files_that_are_missing(values: dict[str, str], credentials: list[str], mode: str, files: set[str]) -> None:
    """All that a mode needs is named at once. A response key is in a P12 of its own, unless there is a path to PEM."""
    missing = USED[mode] - files
    if RESPONSE_PEM[0] not in files and mode != "request":
        missing = {RESPONSE_P12[0]}  # which holds the service's certificate, too
    if credentials is P12:  # which does as well
        missing -= {REQUEST}
    variables = taken(values, [MERCHANT, *credentials, *files], **{MLE: mode})
    if missing:
        assert named(refused(variables)) == missing
    else:
        assert _variables.settings(variables)["encryption"]


@pytest.mark.parametrize("mode", ["request", "response", "both"])
def test_all_that_is_missing_is_named_at_once(mode: str) -> None:
    """Who has set only the mode gets the name of every variable that it takes, of credentials and encryption."""
    encryption = {REQUEST} if mode == "request" else {RESPONSE_P12[0]}
    assert named(refused({MLE: mode})) == {MERCHANT, *SECRETS} | encryption


@pytest.mark.parametrize("mode", ["on", "BOTH", "both ", "request,response"])
def test_bad_modes(values: dict[str, str], mode: str) -> None:
    """A mode that there is not is refused by name, with those that there are."""
    error = refused(taken(values, [MERCHANT, *SECRETS], **{MLE: mode}))
    assert str(error) == f"{MLE}: expected off, request, response or both"


# Which variable is wrong

CONTENTS: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "signing P12, not one": (P12[0], "not a P12", lambda: b"text"),
    "signing P12, expired": (P12[0], "expired", lambda: p12(certificate(MERCHANT_ID, ends=-DAY))),
    "response P12, not one": (RESPONSE_P12[0], "not a P12", lambda: b"text"),
    "response P12, short key": (
        RESPONSE_P12[0],
        "2048",
        lambda: p12(certificate(MERCHANT_ID, rsa_key(bits=1024)), key=rsa_key(bits=1024)),
    ),
    "request certificate, not one": (REQUEST, "certificate as PEM", lambda: b"text"),
    "request certificate, expired": (REQUEST, "expired", lambda: pem(service_certificate(ends=-DAY))),
    "response key, not one": (RESPONSE_PEM[0], "key as PEM", lambda: b"text"),
    "response key, with a password": (
        RESPONSE_PEM[0],
        "has a password",
        lambda: key_pem(rsa_key(), BestAvailableEncryption(b"x")),
    ),
}


@pytest.mark.parametrize(("name", "reason", "content"), CONTENTS.values(), ids=CONTENTS)
def test_wrong_content(
    values: dict[str, str], tmp_path: Path, name: str, reason: str, content: Callable[[], bytes]
) -> None:
    """A file that holds something wrong is named by its variable, and by no argument."""
    source = {REQUEST: SECRETS + FILES, RESPONSE_PEM[0]: SECRETS + FILES}.get(name, P12 + RESPONSE_P12)
    variables = taken(values, [MERCHANT, *source], **{MLE: "both"}) | {name: str(written(tmp_path, content(), "wrong"))}
    error = refused(variables)
    assert named(error) == {name}
    assert (str(error).partition(": ")[0], error.argument) == (name, name)
    assert reason in str(error)


@pytest.mark.parametrize("owner", [MERCHANT, PORTFOLIO])
def test_a_p12_of_somebody_else(values: dict[str, str], tmp_path: Path, owner: str) -> None:
    """The variable of the file is told, with the names in the file, and not what was given."""
    path = written(tmp_path, p12(certificate("other"), service_certificate()), "other.p12")
    variables = taken(values, [MERCHANT, *P12], **{P12[0]: str(path)}) | {owner: "4711-somebody"}
    assert str(refused(variables)) == (
        f"{P12[0]}: no certificate has the common name of the merchant or portfolio; "
        "those that are there: other, CyberSource_SJC_US"
    )


@pytest.mark.parametrize("name", [P12[1], RESPONSE_P12[1]])
@pytest.mark.parametrize("value", ["another password", PASSWORD + "\n"], ids=["another", "line break"])
def test_wrong_password(values: dict[str, str], name: str, value: str) -> None:
    """A wrong password is named by its variable."""
    error = refused(taken(values, [MERCHANT, *P12, *RESPONSE_P12], **{MLE: "both"}) | {name: value})
    assert str(error).startswith(f"{name}: it does not open the P12")
    assert ("line break" in str(error)) == value.endswith("\n")


@pytest.mark.parametrize("name", [MERCHANT, *SECRETS, PORTFOLIO, RESPONSE_PEM[1]])
def test_a_line_break_at_the_end(values: dict[str, str], name: str) -> None:
    """An id or a secret that was set with a line break is named by its variable, and the message says why."""
    variables = taken(values, [MERCHANT, *SECRETS, PORTFOLIO, *FILES], **{MLE: "both"})
    error = refused(variables | {name: variables[name] + "\n"})
    assert str(error) == f"{name}: it starts or ends with a blank or a line break; remove that"


# The response key


@pytest.mark.parametrize("mode", ["response", "both"])
def test_only_the_signing_p12(values: dict[str, str], mode: str) -> None:
    """The P12 that signs has no response key: what is missing is named, and the signing key is refused in its place."""
    variables = taken(values, [MERCHANT, *P12], **{MLE: mode})
    assert named(refused(variables)) == {RESPONSE_P12[0]}
    error = refused(variables | {RESPONSE_P12[0]: values[P12[0]], RESPONSE_P12[1]: PASSWORD})
    assert str(error).startswith(f"{RESPONSE_P12[0]}: the response key is the signing key")
    for each in (refused(variables), error):
        assert '"REST - API Response MLE"' in str(each)


def test_a_given_id_beside_a_p12(values: dict[str, str]) -> None:
    """The id that the Business Center shows comes before the one in the file."""
    variables = taken(values, [MERCHANT, *P12, *RESPONSE_P12, RESPONSE_PEM[1]], **{MLE: "both"})
    assert _variables.settings(variables)["encryption"].response_key_id == RESPONSE_ID


def test_a_response_key_with_a_password(values: dict[str, str], tmp_path: Path) -> None:
    """The password of a key in PEM has a variable of its own; a wrong one is named."""
    path = written(tmp_path, key_pem(rsa_key("response"), BestAvailableEncryption(b"of-the-key")), "encrypted.pem")
    variables = taken(values, [MERCHANT, *SECRETS, *RESPONSE_PEM], **{MLE: "response", RESPONSE_PEM[0]: str(path)})
    assert _variables.settings(variables | {KEY_PASSWORD: "of-the-key"})["encryption"].response_key_id == RESPONSE_ID
    assert str(refused(variables | {KEY_PASSWORD: "another"})).startswith(f"{KEY_PASSWORD}: ")


# The service's certificate


def store(folder: Path, name: str, owner: str, *service: x509.Certificate) -> str:
    """Write a P12 with somebody's key and certificates of the service."""
    key = rsa_key(owner)
    return str(written(folder, write_p12([key], [certificate(MERCHANT_ID, key, f"{owner}-key"), *service]), name))


def test_the_services_certificate_in_either_file(values: dict[str, str], tmp_path: Path) -> None:
    """The service renews its certificate: of those in the two files it is the one that is valid now."""
    old, new = service_certificate(starts=-900 * DAY, ends=-DAY), service_certificate()
    for signing, response in ((old, new), (new, old)):
        variables = taken(values, [MERCHANT, *P12, *RESPONSE_P12], **{MLE: "both"}) | {
            P12[0]: store(tmp_path, "signing.p12", "merchant", signing),
            RESPONSE_P12[0]: store(tmp_path, "response.p12", "response", response),
        }
        assert _variables.settings(variables)["encryption"].request_key_id == "service-key"


@pytest.mark.parametrize("expired", [False, True], ids=["none", "expired"])
def test_no_good_certificate_of_the_service(values: dict[str, str], tmp_path: Path, *, expired: bool) -> None:
    """If no file has a valid one, both are named; one in PEM helps, and responses alone need none."""
    service = [service_certificate(starts=-900 * DAY, ends=-DAY)] if expired else []
    variables = taken(values, [MERCHANT, *P12, *RESPONSE_P12]) | {
        P12[0]: store(tmp_path, "signing.p12", "merchant", *service),
        RESPONSE_P12[0]: store(tmp_path, "response.p12", "response", *service),
    }
    assert named(refused(variables | {MLE: "both"})) == {P12[0], RESPONSE_P12[0]}
    assert _variables.settings(variables | {MLE: "both", REQUEST: values[REQUEST]})["encryption"]
    assert _variables.settings(variables | {MLE: "response"})["encryption"]
    del variables[RESPONSE_P12[0]], variables[RESPONSE_P12[1]]
    assert named(refused(variables | {MLE: "request"})) == {P12[0]}


# The address


def test_bad_addresses(clients: Clients, values: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """They are checked as the arguments are, and named by their variables."""
    for name, value in taken(values, [MERCHANT, *SECRETS]).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CYBERSOURCE_BASE_URL", f"https://u:{PASSWORD}@proxy.example")
    with pytest.raises(errors.InvalidRequest, match=r"^CYBERSOURCE_BASE_URL: .*without user name") as caught:
        clients.client_class.from_env()
    assert PASSWORD not in str(caught.value)
    monkeypatch.setenv("CYBERSOURCE_ENVIRONMENT", "prod")
    with pytest.raises(errors.InvalidRequest, match=r"^CYBERSOURCE_ENVIRONMENT: .*did you mean production"):
        clients.client_class.from_env()
