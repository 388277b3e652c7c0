"""scripts/setup and what sources it, with commands in place of Python that only pretend."""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

FAKE_PYTHON = """#!/usr/bin/env bash
case "$*" in
*print*) echo VERSION ;;
*exit*) exit TOO_OLD ;;
"-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip "*) echo "$@" >>installed; ! grep -q broken pyproject.toml ;;
"-m pytest "*) echo "$@" ;;
*) exit 99 ;;
esac
"""
SCRIPTS = sorted(path for path in Path("scripts").iterdir() if not path.suffix and path.is_file())
SETUP = ". scripts/setup && echo $VENV"
SMALL = f"EXTRA=sandbox; {SETUP}"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository that has nothing but scripts, and what development needs."""
    (tmp_path / "scripts").mkdir()
    for path in SCRIPTS:
        shutil.copy(path, tmp_path / path)
    (tmp_path / "scripts/requirements.txt").touch()
    (tmp_path / "pyproject.toml").write_text("first")
    return tmp_path


@pytest.fixture
def run(repository: Path) -> Run:
    """Return a function that runs a command in the repository, with some version of Python or with VENV."""

    def run(command: str, python: str = "3.12.1", **variables: str) -> subprocess.CompletedProcess[str]:
        fake = repository / f"python-{python}"
        fake.write_text(FAKE_PYTHON.replace("VERSION", python).replace("TOO_OLD", str(int(python < "3.11"))))
        fake.chmod(0o755)
        environment = {"PATH": os.environ["PATH"], "PYTHON": str(fake), **variables}
        return subprocess.run(
            ["bash", "-c", command], cwd=repository, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_an_old_python_is_refused(repository: Path, run: Run) -> None:
    """A Python before 3.11 is named, with the version that is needed, and no environment is made."""
    result = run(SETUP, "3.10.4")
    assert result.returncode == 1
    assert "Python 3.11 or later is needed, this is 3.10.4" in result.stderr
    assert not (repository / ".venvs").exists()


def test_an_environment_is_made_once(repository: Path, run: Run) -> None:
    """Each Python has one, which is made anew when what it is made of has changed."""
    first, other, again = run(SETUP), run(SETUP, "3.11.9"), run(SETUP)
    assert (first.stdout, first.stderr) == (f"{repository}/.venvs/3.12.1\n", "==> making .venvs/3.12.1\n")
    assert (again.stdout, again.stderr) == (first.stdout, "")
    assert other.stdout == f"{repository}/.venvs/3.11.9\n"
    for name in ("pyproject.toml", "scripts/requirements.txt"):
        (repository / name).write_text("second")
        assert (run(SETUP).stderr, run(SETUP).stderr) == (first.stderr, "")


def test_what_is_installed(repository: Path, run: Run) -> None:
    """Everything but the project has a hash; the demo installs two packages alone, or takes what is there."""
    small = run(SMALL)
    assert (repository / "installed").read_text() == "-m pip install --quiet --editable .[sandbox]\n"
    assert small.stdout == f"{repository}/.venvs/3.12.1-sandbox\n"
    (repository / "installed").unlink()
    run(SETUP)
    assert (repository / "installed").read_text().splitlines() == [
        "-m pip install --quiet --require-hashes --no-deps --requirement scripts/requirements.txt",
        "-m pip install --quiet --no-deps --no-build-isolation --editable .",
    ]
    assert run(SMALL).stdout == f"{repository}/.venvs/3.12.1\n"


def test_half_an_environment_is_made_anew(repository: Path, run: Run) -> None:
    """The script fails if something cannot be installed, and makes the environment anew when that is put right."""
    (repository / "pyproject.toml").write_text("broken")
    assert [run(SETUP).returncode, run(SETUP).returncode] == [1, 1]
    leftover = repository / ".venvs/3.12.1/leftover"
    leftover.touch()
    (repository / "pyproject.toml").write_text("first")
    assert run(SETUP).returncode == 0
    assert not leftover.exists()


def test_a_given_environment_is_used_as_it_is(repository: Path, run: Run) -> None:
    """With VENV set, nothing is made, and that environment's commands come first on PATH."""
    given = repository / "given"
    assert run(". scripts/setup && echo $PATH", VENV=str(given)).stdout.startswith(f"{given}/bin:")
    assert not (repository / ".venvs").exists()


def test_one_test_file(run: Run) -> None:
    """`scripts/test` with arguments runs pytest with them and nothing else: no checks, no coverage, no wheel."""
    result = run("scripts/test tests/test_x.py -k 'a or b'")
    assert (result.returncode, result.stdout) == (0, "-m pytest tests/test_x.py -k a or b\n")


@pytest.mark.parametrize("script", [path.name for path in SCRIPTS])
def test_help(repository: Path, run: Run, script: str) -> None:
    """`--help` prints what a script is for, from wherever it is called, and does nothing else."""
    before = sorted(repository.rglob("*"))
    result = run(f"mkdir -p elsewhere && cd elsewhere && ../scripts/{script} --help && cd .. && rmdir elsewhere")
    comment = re.findall(r"\A#!.*\n((?:# .*\n)+)", Path("scripts", script).read_text())
    assert (result.returncode, result.stderr) == (0, "")
    assert ["".join(f"# {line}\n" for line in result.stdout.splitlines())] == comment
    assert {path for path in repository.rglob("*") if not path.name.startswith("python-")} == {*before}


def test_each_script_is_described() -> None:
    """scripts/README.md has a line for each script."""
    text = Path("scripts/README.md").read_text()
    assert sorted(re.findall(r"^\| `(\w+)`", text, re.MULTILINE)) == sorted(path.name for path in SCRIPTS)


def test_the_lock_has_all_requirements() -> None:
    """scripts/requirements.txt has a version and hashes of all that pyproject.toml asks for."""
    text = Path("scripts/requirements.txt").read_text()
    locked = re.findall(r"^([\w-]+)==(\S+)(?: ;.*)? \\\n    --hash=sha256:", text, re.MULTILINE)
    pyproject = tomllib.loads(Path("pyproject.toml").read_text())
    project = pyproject["project"]
    extras = [*project["optional-dependencies"].values(), *pyproject["dependency-groups"].values()]
    for requirement in map(Requirement, chain(project["dependencies"], *extras)):
        assert [version for name, version in locked if name == requirement.name and version in requirement.specifier]
