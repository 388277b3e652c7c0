"""What the distribution promises as a whole."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import cybersource_tms
from cybersource_tms import errors
from cybersource_tms_api import models

WRAPPER = Path("wrapper/cybersource_tms")
PUBLIC_MODULES = {"__init__.py", "errors.py"}


def test_all_is_sorted_and_true() -> None:
    """`__all__` is in order, each of its names is there, and nothing public is there besides."""
    names = cybersource_tms.__all__
    own = names[: -len(models.__all__)]
    assert own == sorted(own, key=lambda name: (not name.isupper(), name[0].islower(), name))
    public = {name for name in vars(cybersource_tms) if not name.startswith("_")}
    assert public == set(names)


def test_every_generated_model_is_public() -> None:
    """What the generator makes of the spec can be imported from the package, under a name that nothing else has."""
    assert [name for name in models.__all__ if getattr(cybersource_tms, name, None) is not getattr(models, name)] == []
    assert len(cybersource_tms.__all__) == len(set(cybersource_tms.__all__))


def test_modules_are_private() -> None:
    """Only the package and its errors are public."""
    assert {path.name for path in WRAPPER.glob("*.py") if not path.name.startswith("_") or path.stem == "__init__"} == (
        PUBLIC_MODULES
    )


def test_public_things_have_docstrings() -> None:
    """Whatever users can import says what it is."""
    for name in set(cybersource_tms.__all__) - set(models.__all__):  # the spec says what a model is, or not
        if name != "UNSET":
            thing = getattr(cybersource_tms, name)
            assert thing.__doc__ or name == "Unset", name
    for name, thing in vars(errors).items():
        if isinstance(thing, type) and thing.__module__ == errors.__name__:
            assert thing.__doc__, name


@pytest.mark.parametrize("folder", ["generated", "wrapper/cybersource_tms_sandbox"])
def test_imports_go_one_way(folder: str) -> None:
    """Nothing generated knows the wrapper, and neither does the stand-in, or it would agree with its mistakes."""
    paths = list(Path(folder).rglob("*.py"))
    assert paths
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] in {"cybersource_tms", "joserfc"}], path


def test_importing_does_little() -> None:
    """The import neither warns nor configures logging."""
    code = (
        "import logging, cybersource_tms; "
        "assert not logging.getLogger('cybersource_tms').handlers + logging.getLogger().handlers"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_version_is_in_one_place() -> None:
    """The distribution takes its version from the package, and the changelog knows it."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" in project["dynamic"]
    version = cybersource_tms._version.__version__
    assert f"## {version}" in Path("CHANGELOG.md").read_text(encoding="utf-8")


def test_every_runtime_dependency_is_explained() -> None:
    """The README's list has each run-time dependency."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    readme = Path("README.md").read_text(encoding="utf-8")
    for requirement in project["dependencies"]:
        name = requirement.split(">")[0]
        assert f"| `{name}` |" in readme, name
