"""The code of the README and of the guides runs as it stands, page by page, against the sandbox."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings  # type: ignore[import-untyped] # its types would be a package more
from django.test import RequestFactory  # type: ignore[import-untyped] # as above

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
        "__name__": tmp_path.name,  # one for each test: Celery knows its tasks by their module
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


def test_the_view_and_the_task_work(given: dict[str, Any], sandbox: Sandbox) -> None:
    """The view of Django and the task of Celery update the customer, and the view says when there is none."""
    if not settings.configured:
        settings.configure()
    names = run_page(Path("docs/applications.md"), given, {})
    post = RequestFactory().post("/", {"email": "new@example.com"})
    assert names["set_email"](post, PAGE_CUSTOMER_ID).status_code == 204
    assert names["set_email"](post, "NOBODY").status_code == 404
    assert names["set_title"](PAGE_CUSTOMER_ID, "Gold") == ["objectInformation.title"]
    assert sandbox[PAGE_CUSTOMER_ID]["buyerInformation"]["email"] == "new@example.com"
    names["customers_client"]().close()
