"""scripts/release.py and scripts/build_version.py: what is not prepared, or in an archive by mistake, is named."""

import io
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import release as release_script
from build_version import build_version

SOURCES = {
    ".gitattributes": "",
    ".ci/run": "",
    ".gitignore": "dist/\n__pycache__/\n",
    "CHANGELOG.md": "# Changelog\n\n## 0.2.0 - 2026-11-24\n\n- New.\n\n## 0.1.0 - 2026-11-22\n",
    "LICENSE": "license",
    "NOTICE": "notice",
    "pyproject.toml": '[project.urls]\nRepository = "https://example.com"\n',
    "generated/cybersource_tms_api/openapi.json": "{}",
    "generated/cybersource_tms_api/py.typed": "",
    "generated/cybersource_tms_api/schema.json": "{}",
    "tests/test_it.py": "test",
    "wrapper/cybersource_tms/_version.py": '__version__ = "0.2.0.dev0"\n',
    "wrapper/cybersource_tms/py.typed": "",
    "wrapper/cybersource_tms_sandbox/py.typed": "",
    "wrapper/pytest_cybersource_sandbox.py": "fixture",
}
NAME = "cybersource_tms-0.2.0"
WHEEL, SDIST = f"{NAME}-py3-none-any.whl", f"{NAME}.tar.gz"
MADE = {f"{NAME}.dist-info/{name}": "made" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}
IN_SDIST = {f"{NAME}/{path}": text for path, text in SOURCES.items() if not path.startswith((".ci", ".gita"))}
IN_SDIST[f"{NAME}/PKG-INFO"] = "made"
IN_WHEEL = {path.partition("/")[2]: text for path, text in SOURCES.items() if path.startswith(("generated", "wrapper"))}
IN_WHEEL |= MADE | {f"{NAME}.dist-info/licenses/{name}": name.lower() for name in ("LICENSE", "NOTICE")}
IN_WHEEL["cybersource_tms/_version.py"] = '"""The version of this build."""\n\n__version__ = "0.2.0"\n'


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository that is ready for a release, as the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))  # it may be within another repository
    git("init", "--quiet")
    commit(SOURCES)
    return tmp_path


def git(*arguments: str) -> None:
    """Run a git command that has to succeed."""
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def write(files: Mapping[str, str]) -> None:
    """Write files into the current folder."""
    for path, text in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)


def commit(files: Mapping[str, str]) -> None:
    """Commit files, and tag that as version 0.2.0."""
    write(files)
    git("add", "--all")
    git("commit", "--quiet", "--allow-empty", "--message", "it")
    git("tag", "--force", "v0.2.0")


def release(*arguments: str) -> str:
    """Run a command of scripts/release.py, and return the one line that it prints, or what it raises."""
    try:
        return release_script.main(*arguments)
    except ValueError as error:
        return str(error)


def contents(in_sdist: Mapping[str, str], in_wheel: Mapping[str, str]) -> str:
    """Write both archives, and have them checked."""
    Path("dist").mkdir(exist_ok=True)
    with tarfile.open(Path("dist", SDIST), "w:gz") as sdist:
        for name, text in in_sdist.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            sdist.addfile(member, io.BytesIO(text.encode()))
    with zipfile.ZipFile(Path("dist", WHEEL), "w") as wheel:
        for name, text in in_wheel.items():
            wheel.writestr(name, text)
    return release("contents", "dist")


@pytest.mark.usefixtures("repository")
def test_prepared() -> None:
    """The version is printed, for scripts/release to go on with."""
    assert release("prepared") == "0.2.0"


CHANGELOG = 'the first version in CHANGELOG.md has to be "## 0.2.0 - " and the day, today or before'
UNPREPARED: dict[str, tuple[dict[str, str], str]] = {
    "no address": ({"pyproject.toml": "[project.urls]"}, "[project.urls] in pyproject.toml is empty"),
    "unreleased first": ({"CHANGELOG.md": "## Unreleased\n\n## 0.2.0 - 2026-11-24\n"}, CHANGELOG),
    "no day": ({"CHANGELOG.md": "## 0.2.0\n"}, CHANGELOG),
    "not yet": ({"CHANGELOG.md": "## 0.2.0 - not released\n"}, CHANGELOG),
    "another version": ({"CHANGELOG.md": "## 0.1.0 - 2026-11-22\n"}, CHANGELOG),
    "in the future": ({"CHANGELOG.md": "## 0.2.0 - 2999-01-01\n"}, CHANGELOG),
}


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(("files", "problem"), UNPREPARED.values(), ids=list(UNPREPARED))
def test_unprepared(files: dict[str, str], problem: str) -> None:
    """What a release lacks is said in one line."""
    commit({"pyproject.toml": "[project]\n" + SOURCES["pyproject.toml"]} | files)
    assert release("prepared").startswith(problem)


@pytest.mark.usefixtures("repository")
def test_only_a_clean_tag_is_a_release() -> None:
    """What is not committed, or not tagged, is no release, and a build says so in its version."""
    write({"LICENSE": "other"})
    assert release("prepared") == "commit or remove what git status shows first, such as LICENSE"
    assert re.fullmatch(r"0\.2\.0\.dev1\+g[0-9a-f]{10,}\.dirty", build_version())
    git("commit", "--all", "--message", "second")
    assert release("prepared").startswith("this commit has no tag v0.2.0: git tag --sign v0.2.0 ")
    assert re.fullmatch(r"0\.2\.0\.dev2\+g[0-9a-f]{10,}", build_version())
    shutil.rmtree(".git")
    assert build_version() == "0.2.0.dev0+unknown"
    assert release("prepared").startswith("git status failed: fatal: not a git repository")


@pytest.mark.usefixtures("repository")
def test_right_contents() -> None:
    """Wheel and sdist hold what git has, and what the build makes."""
    assert contents(IN_SDIST, IN_WHEEL) == (f"{WHEEL} and {SDIST} hold what the repository holds")


SURPLUS: dict[str, tuple[str, dict[str, str], str]] = {
    "tests": (WHEEL, {"tests/test_it.py": "test"}, "should not hold tests/test_it.py"),
    "cache": (WHEEL, {"cybersource_tms/a.pyc": ""}, "should not hold cybersource_tms/a.pyc"),
    "version": (WHEEL, {"cybersource_tms/_version.py": "old"}, "holds another version of cybersource_tms/_version.py"),
    "untracked": (SDIST, {f"{NAME}/notes.txt": ""}, f"should not hold {NAME}/notes.txt"),
    "CI": (SDIST, {f"{NAME}/.ci/run": ""}, f"should not hold {NAME}/.ci/run"),
    "license": (SDIST, {f"{NAME}/LICENSE": "old"}, f"holds another version of {NAME}/LICENSE"),
}


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(("archive", "added", "problem"), SURPLUS.values(), ids=list(SURPLUS))
def test_surplus_contents(archive: str, added: dict[str, str], problem: str) -> None:
    """The archive and the file are named."""
    found = contents(IN_SDIST | (added if archive == SDIST else {}), IN_WHEEL | (added if archive == WHEEL else {}))
    assert found == f"{archive} {problem}"


@pytest.mark.usefixtures("repository")
def test_lacking_contents() -> None:
    """Each file is needed, in the archive and in the repository."""
    for name in IN_WHEEL:
        assert contents(IN_SDIST, without(name, IN_WHEEL)) == f"{WHEEL} lacks {name}"
    for name in IN_SDIST:
        assert contents(without(name, IN_SDIST), IN_WHEEL) == f"{SDIST} lacks {name}"
    name = "cybersource_tms/py.typed"
    Path("wrapper", name).unlink()
    commit({})
    assert contents(without(f"{NAME}/wrapper/{name}", IN_SDIST), without(name, IN_WHEEL)) == f"{WHEEL} lacks {name}"


def without(name: str, files: Mapping[str, str]) -> dict[str, str]:
    """Return the files without one."""
    return {path: text for path, text in files.items() if path != name}


def test_another_file_beside_the_two(repository: Path) -> None:
    """An upload of all of the folder would take it along."""
    contents(IN_SDIST, IN_WHEEL)
    (repository / "dist" / "old.whl").touch()
    assert release("contents", "dist") == f"dist has to hold {WHEEL} and {SDIST}, and nothing else"
