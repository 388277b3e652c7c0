"""scripts/release.py: what is not prepared, or in an archive by mistake, is named, and there is no release."""

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

SCRIPT = Path("scripts/release.py").resolve()
SOURCES = {
    ".gitattributes": "",
    ".ci/run": "",
    ".gitignore": "dist/\n",
    "CHANGELOG.md": "# Changelog\n\n## 0.2.0 - 2026-11-24\n\n- New.\n\n## 0.1.0 - 2026-11-22\n",
    "LICENSE": "license",
    "NOTICE": "notice",
    "generated/cybersource_tms_api/openapi.json": "{}",
    "generated/cybersource_tms_api/py.typed": "",
    "tests/test_it.py": "test",
    "wrapper/cybersource_tms/_version.py": '"""The version."""\n\n__version__ = "0.2.0"\n',
    "wrapper/cybersource_tms/py.typed": "",
    "wrapper/cybersource_tms_sandbox/py.typed": "",
    "wrapper/pytest_cybersource_sandbox.py": "fixture",
}
NAME = "cybersource_tms-0.2.0"
WHEEL, SDIST = f"{NAME}-py3-none-any.whl", f"{NAME}.tar.gz"
IN_SDIST = {
    f"{NAME}/{path}": text for path, text in SOURCES.items() if not path.startswith((".ci", ".gitattributes"))
} | {f"{NAME}/PKG-INFO": "made"}
IN_WHEEL = {
    path.partition("/")[2]: text for path, text in SOURCES.items() if path.startswith(("generated/", "wrapper/"))
} | {
    f"{NAME}.dist-info/{path}": text
    for path, text in {
        "METADATA": "made",
        "RECORD": "made",
        "WHEEL": "made",
        "entry_points.txt": "made",
        "licenses/LICENSE": "license",
        "licenses/NOTICE": "notice",
    }.items()
}


def git(repository: Path, *arguments: str) -> None:
    """Run a git command that has to succeed."""
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=repository, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository that is ready for a release."""
    for path, text in SOURCES.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def release(repository: Path, *arguments: str) -> tuple[int, str]:
    """Run scripts/release.py in a repository, and return the exit code and the one line that it prints."""
    command = [sys.executable, "-W", "error", str(SCRIPT), *arguments]
    variables = os.environ | {"GIT_CEILING_DIRECTORIES": str(repository.parent)}  # it may be within another one
    done = subprocess.run(command, cwd=repository, env=variables, capture_output=True, text=True, check=False)
    [line] = (done.stdout + done.stderr).splitlines()
    return done.returncode, line


def build(repository: Path, in_sdist: Mapping[str, str], in_wheel: Mapping[str, str]) -> None:
    """Write both archives."""
    (repository / "dist").mkdir()
    with tarfile.open(repository / "dist" / SDIST, "w:gz") as sdist:
        for name, text in in_sdist.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            sdist.addfile(member, io.BytesIO(text.encode()))
    with zipfile.ZipFile(repository / "dist" / WHEEL, "w") as wheel:
        for name, text in in_wheel.items():
            wheel.writestr(name, text)


def test_what_is_prepared(repository: Path) -> None:
    """The version is printed, for scripts/release to go on with."""
    assert release(repository, "prepared") == (0, "0.2.0")


CHANGES: dict[str, tuple[str, str, str]] = {
    "untracked": (
        "wrapper/cybersource_tms/new.py",
        "",
        "commit or remove what git status shows first, such as wrapper/",
    ),
    "changed": ("LICENSE", "other", "commit or remove what git status shows first, such as LICENSE"),
}


@pytest.mark.parametrize(("path", "text", "problem"), CHANGES.values(), ids=list(CHANGES))
def test_a_tree_that_is_not_clean(repository: Path, path: str, text: str, problem: str) -> None:
    """What is not committed would be in the release and not in the tag."""
    (repository / path).write_text(text)
    code, line = release(repository, "prepared")
    assert (code, line[: len(problem) + 12]) == (1, f"no release: {problem}")


CHANGELOGS = {
    "unreleased first": "## Unreleased\n\n## 0.2.0 - 2026-11-24\n",
    "no date": "## 0.2.0\n",
    "another version": "## 0.1.0 - 2026-11-22\n",
    "in the future": "## 0.2.0 - 2999-01-01\n",
    "empty": "",
}


@pytest.mark.parametrize("changelog", CHANGELOGS.values(), ids=list(CHANGELOGS))
def test_a_changelog_without_the_version(repository: Path, changelog: str) -> None:
    """The first version in it has to be the one that is released, with its day."""
    (repository / "CHANGELOG.md").write_text(changelog)
    git(repository, "commit", "--quiet", "--all", "--message", "second")
    code, line = release(repository, "prepared")
    assert (code, line) == (
        1,
        'no release: the first version in CHANGELOG.md has to be "## 0.2.0 - " and the day, today or before',
    )


def test_a_version_that_was_released(repository: Path) -> None:
    """A tag is never given twice."""
    git(repository, "tag", "v0.2.0")
    code, line = release(repository, "prepared")
    assert code == 1
    assert line.startswith("no release: there is a tag v0.2.0 already: raise the version in wrapper/")


def test_what_is_no_repository(tmp_path: Path) -> None:
    """Git's own reason is in the sentence."""
    code, line = release(tmp_path, "prepared")
    assert code == 1
    assert line.startswith("no release: git status failed: fatal: not a git repository")


def test_contents_that_are_right(repository: Path) -> None:
    """Wheel and sdist hold what git has, and what the build makes."""
    build(repository, IN_SDIST, IN_WHEEL)
    assert release(repository, "contents", "dist") == (0, f"{WHEEL} and {SDIST} hold what the repository holds")


ADDED: dict[str, tuple[str, dict[str, str], str]] = {
    "tests": (WHEEL, {"tests/test_it.py": "test"}, "should not hold tests/test_it.py"),
    "cache": (WHEEL, {"cybersource_tms/a.pyc": ""}, "should not hold cybersource_tms/a.pyc"),
    "old version": (
        WHEEL,
        {"cybersource_tms/_version.py": "old"},
        "holds another version of cybersource_tms/_version.py",
    ),
    "untracked": (SDIST, {f"{NAME}/notes.txt": ""}, f"should not hold {NAME}/notes.txt"),
    "CI": (SDIST, {f"{NAME}/.ci/run": ""}, f"should not hold {NAME}/.ci/run"),
    "old license": (SDIST, {f"{NAME}/LICENSE": "old"}, f"holds another version of {NAME}/LICENSE"),
}


@pytest.mark.parametrize(("archive", "added", "problem"), ADDED.values(), ids=list(ADDED))
def test_an_archive_that_holds_something_else(
    repository: Path, archive: str, added: dict[str, str], problem: str
) -> None:
    """The archive and the file are named."""
    build(repository, IN_SDIST | (added if archive == SDIST else {}), IN_WHEEL | (added if archive == WHEEL else {}))
    assert release(repository, "contents", "dist") == (1, f"no release: {archive} {problem}")


@pytest.mark.parametrize("name", IN_WHEEL)
def test_a_wheel_that_lacks_something(repository: Path, name: str) -> None:
    """Each file is needed."""
    build(repository, IN_SDIST, {path: text for path, text in IN_WHEEL.items() if path != name})
    assert release(repository, "contents", "dist") == (1, f"no release: {WHEEL} lacks {name}")


@pytest.mark.parametrize("name", ["tests/test_it.py", "NOTICE", "PKG-INFO"])
def test_an_sdist_that_lacks_something(repository: Path, name: str) -> None:
    """Tests and licenses belong there."""
    build(repository, {path: text for path, text in IN_SDIST.items() if path != f"{NAME}/{name}"}, IN_WHEEL)
    assert release(repository, "contents", "dist") == (1, f"no release: {SDIST} lacks {NAME}/{name}")


@pytest.mark.parametrize("path", ["wrapper/cybersource_tms/py.typed", "generated/cybersource_tms_api/openapi.json"])
def test_what_the_repository_lacks_itself(repository: Path, path: str) -> None:
    """What users need is required even where git does not have it."""
    (repository / path).unlink()
    inner = path.partition("/")[2]
    build(
        repository,
        {name: text for name, text in IN_SDIST.items() if name != f"{NAME}/{path}"},
        {name: text for name, text in IN_WHEEL.items() if name != inner},
    )
    assert release(repository, "contents", "dist") == (1, f"no release: {WHEEL} lacks {inner}")


def test_another_file_beside_the_two(repository: Path) -> None:
    """An upload of all of the folder would take it along."""
    build(repository, IN_SDIST, IN_WHEEL)
    (repository / "dist" / "old.whl").touch()
    code, line = release(repository, "contents", "dist")
    assert (code, line) == (1, f"no release: dist has to hold {WHEEL} and {SDIST}, and nothing else")
