"""The README's "Adding an operation", done in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest
import yaml

PARTS = ("spec", "scripts", "generated", "wrapper", "tests", "pyproject.toml", "README.md")
SPEC = Path("spec/customers.yaml")
REQUESTS = Path("wrapper/cybersource_tms/_requests.py")
CLIENTS = Path("wrapper/cybersource_tms/_clients.py")
SUPPORT = Path("tests/support")
SECTION = Path("README.md").read_text(encoding="utf-8").split("## Adding an operation\n")[1].split("\n## ")[0]
[CODE] = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
_, CALLS, METHODS = re.split(r"^# .*\n", CODE, flags=re.MULTILINE)
ASYNC_METHODS = METHODS.replace("def ", "async def ").replace(" self._send", " await self._send")
INSIDE = " " * 4
IMPORT = "from ._requests import create_call, delete_call\nfrom cybersource_tms_api.models import CustomerUpdate\n"


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a copy, with its code and the tools of this environment."""
    roots = os.pathsep.join([str(root / "generated"), str(root / "wrapper")])
    variables = os.environ | {"VENV": sys.prefix, "PYTHONPATH": roots}
    return subprocess.run(command, capture_output=True, text=True, cwd=root, env=variables, check=False)


def run_tests(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run tests of a copy."""
    return run(root, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)


def edit(root: Path, path: Path, old: str, new: str) -> None:
    """Replace some text, which must be there once, in a file."""
    text = (root / path).read_text(encoding="utf-8")
    assert text.count(old) == 1, (path, old)
    (root / path).write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy after steps 1 and 2: both operations are in the spec, and the code is generated."""
    root = tmp_path_factory.mktemp("described") / "copy"
    root.mkdir()
    for part in map(Path, PARTS):
        if part.is_dir():
            shutil.copytree(part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(part, root / part)
    spec = yaml.safe_load((root / SPEC).read_text(encoding="utf-8"))
    for path, item in yaml.safe_load((SUPPORT / "new_operations.yaml").read_text(encoding="utf-8")).items():
        spec["paths"].setdefault(path, {}).update(item)
    (root / SPEC).write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    done = run(root, "scripts/regenerate")
    assert (done.returncode, done.stderr) == (0, "")
    return root


@pytest.fixture(scope="module")
def added(described: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy after all steps."""
    root = tmp_path_factory.mktemp("added") / "copy"
    shutil.copytree(described, root)
    requests = root / REQUESTS
    requests.write_text(requests.read_text(encoding="utf-8") + CALLS, encoding="utf-8")
    edit(root, CLIENTS, "from ._responses", f"{IMPORT}from ._responses")
    for methods, kind in ((METHODS, "Edit"), (ASYNC_METHODS, "AsyncEdit")):
        before = f"    def edit(self, customer_id: str) -> {kind}:"
        edit(root, CLIENTS, before, f"{indent(methods, INSIDE)}\n{before}")
    done = run(root, "scripts/fix")
    assert done.returncode == 0, done.stdout + done.stderr
    return root


def test_the_section_is_short() -> None:
    """The README's section has at most 40 lines, and so has the code of both operations for both clients."""
    assert SECTION.count("\n") <= 40
    assert sum(map(bool, (CALLS + METHODS + ASYNC_METHODS).splitlines())) <= 40


def test_both_operations_work(added: Path) -> None:
    """With the README's lines alone, the rules of `support/new_operations.py` hold for both clients."""
    done = run_tests(added, str(SUPPORT / "new_operations.py"))
    assert done.returncode == 0, done.stdout


def test_the_checks_are_content(added: Path) -> None:
    """Generated code, lint, types and the tests of the spec have nothing to say of what was added."""
    for command in (["scripts/regenerate", "--check"], ["ruff", "check", "wrapper"], ["mypy", "generated", "wrapper"]):
        done = run(added, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    done = run_tests(added, "tests/test_spec.py", "tests/test_clients.py", "-k", "spec or signatures")
    assert done.returncode == 0, done.stdout


def test_a_forgotten_operation(described: Path) -> None:
    """An operation that is in the spec alone is named, for each client that does not have it."""
    done = run_tests(described, "tests/test_spec.py")
    assert done.returncode == 1
    for client in ("CustomersClient", "AsyncCustomersClient"):
        assert f"createCustomer: {client} has no method create" in done.stdout
        assert f"deleteCustomer: {client} has no method delete" in done.stdout


def test_a_forgotten_regeneration(added: Path) -> None:
    """Success statuses that were changed in the spec alone are named by `scripts/regenerate --check`."""
    before = (added / SPEC).read_bytes()
    edit(added, SPEC, "'204':", "'202':")
    done = run(added, "scripts/regenerate", "--check")
    (added / SPEC).write_bytes(before)
    assert done.returncode == 1
    assert "delete_customer.py" in done.stdout
