"""Whatever is put into the wrong variable or argument is not shown: in no message, cause, warning, `repr` or report."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

from cybersource_tms import CertificateAuth, CustomersClient, MessageEncryption, SharedSecretAuth
from cybersource_tms.__main__ import main
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, SECRET
from support.caller import Signer
from support.keys import PASSWORD, certificate, key_pem, p12, pem, rsa_key, service_certificate, written
from support.tokens import certificate_auth

KEY_PASSWORD = "the-password-of-the-key"
SECRETS = {
    "password of a P12": PASSWORD,
    "shared secret": SECRET,
    "password of a key": KEY_PASSWORD,
    "key": key_pem(rsa_key("response")).decode(),
    "token": Signer().token({"iss": MERCHANT_ID, "jti": "x" * 200}),  # longer than a name of a file may be
    "password like a URL": "https://user:s3cret@pass/word#?",
    "password that is not ASCII": "пароль-\udcff",
}
WITH_P12 = {
    "ENVIRONMENT": "test",
    "BASE_URL": "https://proxy.example",
    "MERCHANT_ID": MERCHANT_ID,
    "P12_PATH": "signing.p12",
    "P12_PASSWORD": PASSWORD,
    "MLE": "both",
    "MLE_RESPONSE_P12_PATH": "response.p12",
    "MLE_RESPONSE_P12_PASSWORD": PASSWORD,
}
WITH_PEM = {
    "MERCHANT_ID": MERCHANT_ID,
    "PORTFOLIO_ID": "portfolio",
    "KEY_ID": KEY_ID,
    "SECRET_KEY": SECRET,
    "MLE": "both",
    "MLE_REQUEST_CERTIFICATE_PATH": "service.pem",
    "MLE_RESPONSE_KEY_PATH": "response.pem",
    "MLE_RESPONSE_KEY_PASSWORD": KEY_PASSWORD,
    "MLE_RESPONSE_KEY_ID": "responses-2026",
}
MISSPELT = {"MERCHANT_ID": MERCHANT_ID, "KEY_ID": KEY_ID, "SECRET_KEYS": SECRET, "PASSWORD_OF_THE_P12": PASSWORD}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a file of each kind."""
    folder, key = tmp_path_factory.mktemp("files"), rsa_key("response")
    written(folder, p12(certificate(MERCHANT_ID), service_certificate()), "signing.p12")
    written(folder, p12(certificate(MERCHANT_ID, key, "2"), service_certificate(), key=key), "response.p12")
    written(folder, key_pem(key, BestAvailableEncryption(KEY_PASSWORD.encode())), "response.pem")
    written(folder, pem(service_certificate()), "service.pem")
    return folder


def shown(error: BaseException) -> Iterator[str]:
    """Yield all that an error and those below it hold."""
    below = [each for each in (error.__cause__, error.__context__) if each]
    held = [getattr(error, name, None) for name in ("filename", "object", "doc")]
    yield "\n".join(map(str, (error, repr(error), error.args, vars(error), held)))
    for each in below:
        yield from shown(each)


def shown_of(make: Callable[[], object]) -> str:
    """Return what is shown when something is made: its `repr`, or all that the error holds, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            text = repr(make())
        except InvalidRequest as error:
            text = "\n".join(shown(error))
    return "\n".join([text, *(str(each.message) for each in caught)])


def assert_untold(text: str) -> None:
    """Check that no secret, nor a line of one, is in a text."""
    parts = [
        part for secret in SECRETS.values() for part in secret.split("\n") if "-----" not in part and len(part) > 5
    ]
    assert [part for part in parts if part in text or repr(part)[1:-1] in text or ascii(part)[1:-1] in text] == []


@pytest.fixture
def try_variables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> Callable[[Mapping[str, str]], None]:
    """Return a function that checks what is shown of variables by `check`, by `check --json` and by a client."""

    def try_variables(given: Mapping[str, str]) -> None:
        monkeypatch.chdir(folder)
        for name, value in given.items():
            monkeypatch.setenv(f"CYBERSOURCE_{name}", value)
        main(["check"])
        main(["check", "--json"])
        assert_untold("".join(capsys.readouterr()))
        assert_untold(shown_of(CustomersClient.from_env))

    return try_variables


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize(
    ("given", "name"),
    [(given, name) for given in (WITH_P12, WITH_PEM) for name in given],
    ids=lambda value: value if isinstance(value, str) else "P12" if value is WITH_P12 else "PEM",
)
def test_a_secret_in_each_variable(
    try_variables: Callable[[Mapping[str, str]], None], given: dict[str, str], name: str, secret: str
) -> None:
    """Each kind of secret in the place of each variable."""
    try_variables(given | {name: secret})


@pytest.mark.parametrize(
    ("given", "one", "other"),
    [(given, *pair) for given in (WITH_P12, WITH_PEM, MISSPELT) for pair in combinations(given, 2)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_swapped_variables(
    try_variables: Callable[[Mapping[str, str]], None], given: dict[str, str], one: str, other: str
) -> None:
    """The values of each two variables in each other's place."""
    try_variables(given | {one: given[other], other: given[one]})


CONTENT = p12(certificate(MERCHANT_ID), service_certificate())
ARGUMENTS: dict[str, Callable[[Any], object]] = {
    "SharedSecretAuth, merchant": lambda secret: SharedSecretAuth(secret, KEY_ID, SECRET),
    "SharedSecretAuth, key id": lambda secret: SharedSecretAuth(MERCHANT_ID, secret, SECRET),
    "SharedSecretAuth, secret": lambda secret: SharedSecretAuth(MERCHANT_ID, KEY_ID, secret),
    "SharedSecretAuth, portfolio": lambda secret: SharedSecretAuth("m", "k", SECRET, portfolio_id=secret),
    "CertificateAuth, key": lambda secret: certificate_auth(private_key=secret.encode(errors="replace")),
    "CertificateAuth, password": lambda secret: certificate_auth(private_key_password=secret),
    "CertificateAuth, certificate": lambda secret: certificate_auth(certificate=secret.encode(errors="replace")),
    "CertificateAuth, merchant": lambda secret: certificate_auth(merchant_id=secret),
    "CertificateAuth, algorithm": lambda secret: certificate_auth(algorithm=secret),
    "CertificateAuth, signer": lambda secret: certificate_auth(sign=secret),
    "P12, path": lambda secret: CertificateAuth.from_p12(secret, PASSWORD, merchant_id=MERCHANT_ID),
    "P12, content": lambda secret: CertificateAuth.from_p12(secret.encode(errors="replace"), "", merchant_id="m"),
    "P12, password": lambda secret: CertificateAuth.from_p12(CONTENT, f"{secret}!", merchant_id=MERCHANT_ID),
    "MessageEncryption, certificate": lambda secret: MessageEncryption(secret.encode(errors="replace")),
    "MessageEncryption, key": lambda secret: MessageEncryption(None, secret.encode(errors="replace"), "id"),
    "MessageEncryption, key id": lambda secret: MessageEncryption(None, key_pem(rsa_key()), secret),
    "MessageEncryption, password": lambda secret: MessageEncryption(
        None, key_pem(rsa_key(), BestAvailableEncryption(b"x")), "id", response_key_password=secret
    ),
    "client, base URL": lambda secret: CustomersClient("test", SharedSecretAuth("m", KEY_ID, SECRET), base_url=secret),
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("make", ARGUMENTS.values(), ids=ARGUMENTS)
def test_a_secret_in_each_argument(make: Callable[[str], object], secret: str) -> None:
    """Each kind of secret in the place of each argument."""
    assert_untold(shown_of(lambda: make(secret)))


def test_what_is_shown_is_seen() -> None:
    """The tests above can fail: a careless error is seen in its causes, too."""

    def careless() -> None:
        try:
            int(SECRET)
        except ValueError:
            raise InvalidRequest("x") from None

    with pytest.raises(AssertionError):
        assert_untold(shown_of(careless))
