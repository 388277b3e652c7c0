"""scripts/setup and scripts/test, with commands in place of Python that only pretend."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

FAKE_PYTHON = """#!/usr/bin/env bash
case "$1 ${2:-}" in
"--version ") echo "Python VERSION" ;;
"-c "*) exit IS_TOO_OLD ;;
"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip") echo "$@" >installed; grep -q broken pyproject.toml && exit 1 || exit 0 ;;
"-m pytest") echo "$@" ;;
*) exit 99 ;;
esac
"""
SETUP = ". scripts/setup && echo $VENV"
SMALL = f"EXTRA=sandbox; {SETUP}"
Run = Callable[..., subprocess.CompletedProcess[str]]


def fake_python(repository: Path, version: str, *, too_old: bool = False) -> str:
    """Write a command that reports what this version of Python does, and return its path."""
    path = repository / f"python-{version}"
    path.write_text(FAKE_PYTHON.replace("VERSION", version).replace("IS_TOO_OLD", str(int(too_old))))
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository that has nothing but scripts and a pyproject.toml."""
    (tmp_path / "scripts").mkdir()
    for name in ("setup", "test"):
        shutil.copy(Path("scripts") / name, tmp_path / "scripts")
    (tmp_path / "pyproject.toml").write_text("first")
    return tmp_path


@pytest.fixture
def run(repository: Path) -> Run:
    """Return a function that runs a command in the repository, with PYTHON or VENV set."""

    def run(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], **variables}
        return subprocess.run(
            ["bash", "-c", command], cwd=repository, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_an_old_python_is_refused(repository: Path, run: Run) -> None:
    """A Python before 3.11 is named, with the version that is needed, and no environment is made."""
    result = run(SETUP, PYTHON=fake_python(repository, "3.10.4", too_old=True))
    assert result.returncode == 1
    assert "Python 3.11 or later is needed, this is Python 3.10.4" in result.stderr
    assert not (repository / ".venvs").exists()


def test_an_environment_is_used_again(repository: Path, run: Run) -> None:
    """The first use makes the environment and says so; the next one says nothing and takes the same."""
    python = fake_python(repository, "3.12.1")
    first, second = run(SETUP, PYTHON=python), run(SETUP, PYTHON=python)
    assert re.fullmatch(r"==> making \.venvs/3\.12\.1-\d+: installs every tool, .*\n", first.stderr)
    assert first.stdout == second.stdout
    assert second.stderr == ""


def test_the_demo_needs_no_tools(repository: Path, run: Run) -> None:
    """For the library and the stand-in alone, an environment without tools is made, and used the next time."""
    python = fake_python(repository, "3.12.1")
    first, second = run(SMALL, PYTHON=python), run(SMALL, PYTHON=python)
    assert re.fullmatch(r"==> making \.venvs/3\.12\.1-\d+-sandbox: installs the library and .*\n", first.stderr)
    assert (first.stdout, second.stderr) == (second.stdout, "")
    assert (repository / "installed").read_text().endswith("--editable .[sandbox]\n")


def test_the_demo_takes_what_is_there(repository: Path, run: Run) -> None:
    """With every tool installed, nothing is installed for the demo."""
    python = fake_python(repository, "3.12.1")
    whole = run(SETUP, PYTHON=python).stdout
    assert (repository / "installed").read_text().endswith("--editable .[dev]\n")
    small = run(SMALL, PYTHON=python)
    assert (small.stdout, small.stderr) == (whole, "")


def test_half_an_environment_is_not_enough_for_the_demo(repository: Path, run: Run) -> None:
    """While the tools are being installed, the demo makes its own, and leaves the other alone."""
    python = fake_python(repository, "3.12.1")
    whole = Path(run(SETUP, PYTHON=python).stdout.strip())
    (whole / "complete").unlink()
    assert run(SMALL, PYTHON=python).stdout == f"{whole}-sandbox\n"
    assert whole.exists()


def test_other_dependencies_make_another_small_environment(repository: Path, run: Run) -> None:
    """When pyproject.toml has changed, both old ones go."""
    python = fake_python(repository, "3.12.1")
    run(SMALL, PYTHON=python)
    run(SETUP, PYTHON=python)
    (repository / "pyproject.toml").write_text("second")
    made = run(SMALL, PYTHON=python).stdout.splitlines()
    assert [str(path) for path in (repository / ".venvs").iterdir()] == made


def test_each_python_keeps_its_environment(repository: Path, run: Run) -> None:
    """Using another version in between does not make the first one's environment anew."""
    old, new = fake_python(repository, "3.11.9"), fake_python(repository, "3.12.1")
    first = run(SETUP, PYTHON=old).stdout.splitlines()[-1]
    second = run(SETUP, PYTHON=new).stdout.splitlines()[-1]
    assert first != second
    assert run(SETUP, PYTHON=old).stdout.splitlines() == [first]
    assert run(SETUP, PYTHON=new).stdout.splitlines() == [second]


def test_other_dependencies_make_another_environment(repository: Path, run: Run) -> None:
    """When pyproject.toml has changed, a new environment takes the place of the old one of this version."""
    python, other = fake_python(repository, "3.12.1"), fake_python(repository, "3.11.9")
    kept = run(SETUP, PYTHON=other).stdout.splitlines()[-1]
    first = run(SETUP, PYTHON=python).stdout.splitlines()[-1]
    (repository / "pyproject.toml").write_text("second")
    second = run(SETUP, PYTHON=python).stdout.splitlines()[-1]
    assert {str(path) for path in (repository / ".venvs").iterdir()} == {kept, second}
    assert first != second


def test_an_environment_that_cannot_be_made(repository: Path, run: Run) -> None:
    """The script fails, and the environment from before is still there and still used once that is put right."""
    python = fake_python(repository, "3.12.1")
    first = run(SETUP, PYTHON=python).stdout.splitlines()[-1]
    (repository / "pyproject.toml").write_text("broken")
    assert run(SETUP, PYTHON=python).returncode != 0
    assert run(SETUP, PYTHON=python).returncode != 0
    (repository / "pyproject.toml").write_text("first")
    assert run(SETUP, PYTHON=python).stdout.splitlines() == [first]


def test_half_an_environment_is_made_anew(repository: Path, run: Run) -> None:
    """What an interrupted setup left behind is not taken for an environment."""
    python = fake_python(repository, "3.12.1")
    made = Path(run(SETUP, PYTHON=python).stdout.splitlines()[-1])
    (made / "complete").unlink()
    (made / "leftover").touch()
    assert run(SETUP, PYTHON=python).stdout.splitlines()[-1] == str(made)
    assert not (made / "leftover").exists()


def test_a_given_environment_is_used_as_it_is(repository: Path, run: Run) -> None:
    """With VENV set, nothing is made, and that environment's commands come first on PATH."""
    given = repository / "given"
    result = run(". scripts/setup && echo $PATH", VENV=str(given), PYTHON=fake_python(repository, "3.12.1"))
    assert result.stdout.startswith(f"{given}/bin:")
    assert not (repository / ".venvs").exists()


def test_one_test_file(repository: Path, run: Run) -> None:
    """`scripts/test` with arguments runs pytest with them and nothing else: no checks, no coverage, no wheel."""
    python = fake_python(repository, "3.12.1")
    run(SETUP, PYTHON=python)
    result = run("scripts/test tests/test_x.py -k 'a or b'", PYTHON=python)
    assert (result.returncode, result.stdout) == (0, "-m pytest tests/test_x.py -k a or b\n")
