"""The tests of fastapi_service.py, with the credentials of production: a P12, and encryption both ways."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Fault, Sandbox
from fastapi_service import create_app

URL = f"/customers/{PAGE_CUSTOMER_ID}"
NEW = {"email": "new@example.com"}


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Return a sandbox, whose variables are set."""
    sandbox = Sandbox(credential="p12", encryption="both")
    for name, value in sandbox.variables.items():
        monkeypatch.setenv(name, value)
    return sandbox


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[TestClient]:
    """Return a client of the application. Without `with`, each request would run in an event loop of its own."""
    with TestClient(create_app(sandbox.transport)) as api:
        yield api


def test_a_state_that_was_seen(api: TestClient, sandbox: Sandbox) -> None:
    """An ETag that was read guards one update, and no second one."""
    seen = {"If-Match": api.get(URL).headers["ETag"]}
    assert api.patch(URL, json=NEW, headers=seen).json() == NEW
    assert api.patch(URL, json={"email": "other@example.com"}, headers=seen).status_code == 412
    assert sandbox[PAGE_CUSTOMER_ID]["buyerInformation"]["email"] == "new@example.com"


def test_only_what_differs_is_sent(api: TestClient, sandbox: Sandbox) -> None:
    """The same update twice sends one PATCH."""
    assert [api.patch(URL, json=NEW).status_code for _ in range(2)] == [200, 200]
    assert [request.method for request in sandbox.received] == ["GET", "PATCH", "GET"]


@pytest.mark.parametrize(
    ("fault", "status"),
    [(400, 422), (404, 404), (410, 404), (401, 502), (Fault(status=429, headers={"Retry-After": "9"}), 503)],
)
def test_failures(api: TestClient, sandbox: Sandbox, fault: int | Fault, status: int) -> None:
    """Each failure of the service has a status here, and says when to come back."""
    sandbox.fail(fault)
    response = api.get(URL)
    assert response.status_code == status
    assert response.headers.get("Retry-After") == ("9" if status == 503 else None)


@pytest.mark.parametrize("email", ["x" * 300, "x" * 256])
def test_values_that_are_too_long(api: TestClient, sandbox: Sandbox, email: str) -> None:
    """A value beyond the service's limits is refused, and never sent."""
    assert api.patch(URL, json={"email": email}).status_code == 422
    assert "PATCH" not in [request.method for request in sandbox.received]
