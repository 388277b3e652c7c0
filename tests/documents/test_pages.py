"""The code of the README and of the guides runs as it stands, page by page, against the sandbox."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

import cybersource_tms
import cybersource_tms_sandbox
from cybersource_tms import CustomersClient, SharedSecretAuth
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Sandbox
from documents.pages import PAGES, Variables, blocks, run_page
from support.keys import PASSWORD, certificate, p12, rsa_key, service_certificate, written

# What a page prints.
PRINTED = {
    "README.md": ["('buyerInformation.email',) ", "NOBODY 404 notFound"],
    "docs/failures.md": ["invalidRequest [('id', '/defaultPaymentInstrument/id')]"],
    "docs/many.md": ["('buyerInformation.email',)", "NOBODY 404 notFound"],
    "docs/read.md": ["Dear test@cybs.com\n", "'email': 'set'"],
    "docs/update.md": ["('buyerInformation.email',)\n"],
}

# What goes wrong, to begin with.
FAULTS = {"docs/failures.md": [400]}


@pytest.fixture(autouse=True)
def _variables(sandbox: Sandbox, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables that the sandbox's command prints."""
    for name, value in {**sandbox.variables, "CYBERSOURCE_BASE_URL": url}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def given(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the pages take for granted, in a folder that has the files of their merchant."""
    monkeypatch.chdir(tmp_path)
    for name, key in {"signing": rsa_key(), "response": rsa_key("response")}.items():
        written(tmp_path, p12(certificate("acme", key), service_certificate(), key=key), f"{name}.p12")
    auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
    return {**vars(cybersource_tms), **vars(cybersource_tms_sandbox)} | {
        "certificate_pem": certificate("acme").public_bytes(Encoding.PEM),
        "customer_id": PAGE_CUSTOMER_ID,
        "customers": CustomersClient("test", auth, transport=sandbox.transport),
        "key_id": KEY_ID,
        "password": PASSWORD,
        "pytest": pytest,
        "response_password": PASSWORD,
        "rows": [{"id": PAGE_CUSTOMER_ID, "email": "a@example.com"}, {"id": "NOBODY", "email": "b@example.com"}],
        "sandbox": sandbox,
        "secret": SECRET,
        "sign_in_hsm": lambda content: content,
    }


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=str)
def test_code_runs(
    page: Path,
    given: dict[str, Any],
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each block runs, after those before it on its page, and prints what the text says."""
    sandbox.fail(*FAULTS.get(str(page), []))
    run_page(page, given, {"cybersource_sandbox": sandbox, "monkeypatch": Variables(monkeypatch)})
    printed = capsys.readouterr().out
    assert [text for text in PRINTED.get(str(page), []) if text not in printed] == []
