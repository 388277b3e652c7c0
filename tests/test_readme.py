"""The README's code runs, and its tables are true."""

import re
from pathlib import Path

import pytest
from pytest_httpx import HTTPXMock

from cybersource_tms import Environment, errors
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, page_customer

README = Path("README.md").read_text(encoding="utf-8")


def test_the_first_example_runs(
    httpx_mock: HTTPXMock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stands within the first 30 lines, sends the changed field to the test environment and prints the record."""
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    assert README[: README.index(code) + len(code)].count("\n") <= 30
    monkeypatch.setenv("CYBERSOURCE_MERCHANT_ID", MERCHANT_ID)
    monkeypatch.setenv("CYBERSOURCE_KEY_ID", KEY_ID)
    monkeypatch.setenv("CYBERSOURCE_SECRET_KEY", SECRET)
    monkeypatch.delenv("CYBERSOURCE_ENVIRONMENT", raising=False)
    httpx_mock.add_response(
        method="PATCH",
        url=f"https://apitest.cybersource.com/tms/v2/customers/{PAGE_CUSTOMER_ID}",
        match_json={"buyerInformation": {"email": "new@example.com"}},
        json=page_customer(),
        headers={"ETag": "etag", "v-c-correlation-id": "correlation"},
    )
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out == f"{PAGE_CUSTOMER_ID} etag correlation\n"


def test_the_example_of_the_stand_in_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """A test of somebody's own needs no more than this: three attempts without a wait, and the customer."""
    [code] = [code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "Sandbox()" in code]
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out == f"{PAGE_CUSTOMER_ID} 3\n"


def test_the_environments_are_all_there() -> None:
    """The table of environments has each of them, with its text and its host."""
    for environment in Environment:
        assert f"| `{environment.name}` | `{environment.value}` | `{environment.host}` |" in README


def test_the_errors_are_all_there() -> None:
    """The table of errors names each class of the tree."""
    for name, thing in vars(errors).items():
        if isinstance(thing, type) and issubclass(thing, errors.StatusError | errors.ConnectionFailed):
            assert f"`{name}`" in README, name


@pytest.mark.parametrize(
    "script", sorted(path.name for path in Path("scripts").iterdir() if path.is_file() and not path.suffix)
)
def test_the_scripts_say_what_they_are_for(script: str) -> None:
    """Each says so in its first lines, and the README names each that is run by hand."""
    lines = Path("scripts", script).read_text(encoding="utf-8").splitlines()
    assert lines[1].startswith("# ")
    assert script == "setup" or f"`scripts/{script}" in README
