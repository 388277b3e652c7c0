"""What the distribution promises as a whole."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import cybersource_tms
from cybersource_tms_api import models

WRAPPER = Path("wrapper/cybersource_tms")
PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
PUBLIC_MODULES = {"__init__.py", "errors.py"}


def test_all_is_sorted_and_true() -> None:
    """`__all__` is in order, each of its names is there, and nothing public is there besides."""
    names = cybersource_tms.__all__
    assert names == sorted(names)
    public = {name for name in vars(cybersource_tms) if not name.startswith("_")}
    assert {*public, "__version__"} == set(names)


def test_every_generated_model_is_public() -> None:
    """What the generator makes of the spec can be imported from the package, under a name that nothing else has."""
    assert [name for name in models.__all__ if getattr(cybersource_tms, name, None) is not getattr(models, name)] == []
    assert len(cybersource_tms.__all__) == len(set(cybersource_tms.__all__))


def test_modules_are_private() -> None:
    """Only the package and its errors are public."""
    assert {path.name for path in WRAPPER.glob("*.py") if not path.name.startswith("_") or path.stem == "__init__"} == (
        PUBLIC_MODULES
    )


def test_importing_does_little() -> None:
    """The import neither warns nor configures logging."""
    code = (
        "import logging, cybersource_tms; "
        "assert not logging.getLogger('cybersource_tms').handlers + logging.getLogger().handlers"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_version_is_in_one_place() -> None:
    """The distribution takes the next release's version from the package, and the changelog begins with it."""
    assert "version" in PROJECT["dynamic"]
    release = cybersource_tms.__version__.removesuffix(".dev0")
    changelog = Path("CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\d[\d.]*)", changelog, re.MULTILINE)[:1] == [release]


def test_every_runtime_dependency_is_explained() -> None:
    """The list in SECURITY.md has each run-time dependency."""
    table = Path("SECURITY.md").read_text(encoding="utf-8")
    for requirement in PROJECT["dependencies"]:
        name = requirement.split(">")[0]
        assert f"| `{name}` |" in table, name
