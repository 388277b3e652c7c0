"""The README's code runs, its tables are true, and its links lead somewhere."""

import ast
import asyncio
import inspect
import re
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cybersource_tms
import cybersource_tms_sandbox
from cybersource_tms import CustomersClient, Environment, SharedSecretAuth, errors
from cybersource_tms.__main__ import main
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Sandbox

README = Path("README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
WHOLE = {"adding an operation": "def create_call", "testing your code": "def test_endpoint"}  # run elsewhere
FIRST, *OTHERS = [block for block in BLOCKS if not any(text in block for text in WHOLE.values())]


def test_it_is_short() -> None:
    """At most 350 lines, none of them longer than 100 characters; one whole call stands within the first 30."""
    lines = README.splitlines()
    assert len(lines) <= 350
    assert not [line for line in lines if len(line) > 100]
    assert README[: README.index(FIRST) + len(FIRST)].count("\n") <= 30


def test_the_first_example_runs(
    sandbox: Sandbox, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It runs as it stands against the stand-in, sends the one field that differs, and prints the record."""
    for name, value in {**sandbox.variables, "CYBERSOURCE_BASE_URL": url}.items():
        monkeypatch.setenv(name, value)
    exec(compile(FIRST, "README.md", "exec"), {})
    assert [request.method for request in sandbox.received] == ["GET", "PATCH"]
    assert sandbox.received[1].body == b'{"buyerInformation":{"email":"new@example.com"}}'
    assert capsys.readouterr().out.startswith(f"{PAGE_CUSTOMER_ID} {sandbox.etag()} ")


def given(sandbox: Sandbox) -> dict[str, Any]:
    """Return what the other examples take for granted."""
    auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
    public = {**vars(cybersource_tms), **vars(cybersource_tms_sandbox)}
    return public | {
        "partial": partial,
        "auth": auth,
        "customers": CustomersClient("test", auth, transport=sandbox.transport),
        "customer_id": PAGE_CUSTOMER_ID,
        "desired": {"buyerInformation": {"email": "new@example.com"}},
        "rows": [{"id": PAGE_CUSTOMER_ID, "email": "a@example.com"}, {"id": "NOBODY", "email": "b@example.com"}],
        "wanted": lambda row: {"buyerInformation": {"email": row["email"]}},
    }


EXPECTED: dict[str, tuple[str, str, str]] = {
    "three ways": ("if changes := ", "email': 'new@example.com'", ""),
    "reading": ("record.get", "'data2', 'value': 'Gold'", "Dear test@cybs.com\n"),
    "many": ("update_many", "email': 'a@example.com'", "NOBODY 404 notFound"),
}


@pytest.mark.parametrize(("text", "state", "output"), EXPECTED.values(), ids=EXPECTED)
def test_the_other_examples_run(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], text: str, state: str, output: str
) -> None:
    """They do with the customer what their section says."""
    [code] = [block for block in OTHERS if text in block]
    exec(compile(code, "README.md", "exec"), given(sandbox))
    assert state in repr(sandbox.customer())
    assert capsys.readouterr().out.startswith(output)


def test_no_example_is_left_out() -> None:
    """Each block of code is run, by this module or by the one of "Adding an operation"."""
    assert len(OTHERS) == len(EXPECTED)
    assert len(BLOCKS) == 1 + len(EXPECTED) + len(WHOLE)


def test_the_tests_of_an_application_run(tmp_path: Path) -> None:
    """A file that holds the example passes, with the fixture of the installed plugin."""
    [code] = [block for block in BLOCKS if WHOLE["testing your code"] in block]
    (tmp_path / "test_both.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_both.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "3 passed" in done.stdout, done.stdout


def documented() -> dict[str, str]:
    """Return the code in docstrings of what is public, by where it stands: it is indented, after an empty line."""
    modules = (cybersource_tms, errors, cybersource_tms_sandbox)
    public = {name: thing for module in modules for name, thing in vars(module).items() if is_written(thing)}
    methods = {
        f"{name}.{method}": member
        for name, thing in public.items()
        if isinstance(thing, type)
        for method, member in vars(thing).items()
        if is_written(member)
    }
    places = {**{module.__name__: module for module in modules}, **public, **methods}
    found = {place: re.findall(r"\n\n((?:    .+\n)+)", f"{inspect.getdoc(thing)}\n") for place, thing in places.items()}
    return {f"{place} {n}": textwrap.dedent(code) for place, codes in found.items() for n, code in enumerate(codes)}


def is_written(thing: object) -> bool:
    """Say whether a class or function is of the wrapper, and not generated or of attrs."""
    return str(getattr(thing, "__module__", None)).startswith(("cybersource_tms.", "cybersource_tms_sandbox."))


def test_examples_of_docstrings_run(sandbox: Sandbox, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block of code in a public docstring runs, after those before it in the same docstring."""
    for name, value in {**sandbox.variables, "CYBERSOURCE_BASE_URL": url}.items():
        monkeypatch.setenv(name, value)
    examples = documented()
    assert {place.split()[0] for place in examples} >= {
        "cybersource_tms",
        "cybersource_tms_sandbox",
        "AsyncCustomersClient",
        "CustomersClient.edit",
        "CustomersClient.update",
        "CustomersClient.update_many",
        "MerchantData",
    }
    names = given(sandbox)
    for place, code in examples.items():
        if place.endswith(" 0"):
            names = given(sandbox)
        compiled = compile(code, place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if inspect.iscoroutine(running := eval(compiled, names)):
            asyncio.run(running)


@pytest.mark.parametrize("command", re.findall(r"`python -m cybersource_tms( [a-z].*?)`", README))
def test_the_commands_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command of the README has a help text, which names the options that the README has."""
    name, *rest = command.split()
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert not [word for word in rest if word.startswith("--") and word not in shown]


def test_the_links_lead_somewhere() -> None:
    """A link to a file is to one of this repository, and pictures are there."""
    for link in re.findall(r"\]\(([^)]+)\)|(?:src|srcset)=\"([^\"]+)\"", README):
        target = "".join(link)
        assert target.startswith("https://") or Path(target).is_file(), target


def test_the_environments_are_all_there() -> None:
    """The table of environments has each of them, with its text and its host."""
    for environment in Environment:
        assert f"| `{environment.name}` | `{environment.value}` | `{environment.host}` |" in README


def test_the_errors_are_all_there() -> None:
    """The table of errors names each class of the tree."""
    for name, thing in vars(errors).items():
        if isinstance(thing, type) and issubclass(thing, errors.CybersourceError):
            assert f"`{name}`" in README or name == "CybersourceError", name


@pytest.mark.parametrize(
    "script", sorted(path.name for path in Path("scripts").iterdir() if path.is_file() and not path.suffix)
)
def test_the_scripts_say_what_they_are_for(script: str) -> None:
    """Each says so in its first lines, and the README or CONTRIBUTING names each that is run by hand."""
    lines = Path("scripts", script).read_text(encoding="utf-8").splitlines()
    assert lines[1].startswith("# ")
    manual = README + Path("CONTRIBUTING.md").read_text(encoding="utf-8")
    assert script == "setup" or f"scripts/{script}" in manual
