"""CONTRIBUTING's "Adding an operation", done in a copy of the repository."""

import re
import sys
from pathlib import Path
from textwrap import indent

import pytest
import yaml

from support.copies import copy_of_the_repository, edit, run

OPERATIONS = "tests/support/new_operations"
SPEC = Path("spec/customers.yaml")
WRAPPER = Path("wrapper/cybersource_tms")
SECTION = Path("CONTRIBUTING.md").read_text(encoding="utf-8").split("## Adding an operation\n")[1].split("\n## ")[0]
[CODE] = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
_, REQUESTS, METHODS = re.split(r"^# .*\n", CODE, flags=re.MULTILINE)
ASYNC_METHODS = METHODS.replace("def ", "async def ").replace(" self._retry", " await self._retry")
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy in which both operations are in the spec, and the code is generated."""
    root = copy_of_the_repository(tmp_path_factory.mktemp("copy"), "spec", "scripts", "generated", "wrapper", "tests")
    spec = yaml.safe_load((root / SPEC).read_text(encoding="utf-8"))
    for path, item in yaml.safe_load((root / f"{OPERATIONS}.yaml").read_text(encoding="utf-8")).items():
        spec["paths"].setdefault(path, {}).update(item)
    (root / SPEC).write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    done = run(root, "scripts/regenerate")
    assert (done.returncode, done.stderr) == (0, "")
    return root


def test_the_code_is_short() -> None:
    """The code of both operations for both clients has at most 40 lines."""
    assert sum(map(bool, (REQUESTS + METHODS + ASYNC_METHODS).splitlines())) <= 40


def test_a_forgotten_operation(described: Path) -> None:
    """An operation that is in the spec alone is named, for each client that does not have it."""
    done = run(described, *PYTEST, "tests/scripts/test_spec.py", "-k", "operation")
    assert done.returncode == 1
    for client in ("CustomersClient", "AsyncCustomersClient"):
        for operation in ("create", "delete"):
            assert f"{operation}Customer: {client} has no method {operation}" in done.stdout


def test_an_added_operation(described: Path) -> None:
    """With the section's lines alone both operations work, and types and the tests of spec and clients are content."""
    with (described / WRAPPER / "_calls/requests.py").open("a", encoding="utf-8") as requests:
        requests.write(f"\n\n{REQUESTS}")
    for file, start, methods in (("_clients", "def", METHODS), ("_async_clients", "async def", ASYNC_METHODS)):
        path, before = described / WRAPPER / f"{file}.py", f"    @raise_without_frames\n    {start} retrieve("
        edit(path, before, f"{indent(methods, ' ' * 4)}\n{before}")
    rules = (f"{OPERATIONS}.py", "tests/scripts/test_spec.py", "tests/clients/test_mirror.py")
    done = run(described, *PYTEST, *rules)
    assert done.returncode == 0, done.stdout
    done = run(
        described, sys.executable, "-m", "mypy", *(f"{WRAPPER}/{each}.py" for each in ("_clients", "_async_clients"))
    )
    assert done.returncode == 0, done.stdout
