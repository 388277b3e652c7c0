"""Checks a release for scripts/release: is it prepared, and do wheel and sdist hold what belongs there, no more?"""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from build_version import VERSION_FILE, build_version, next_release, version_module

PROJECT = "cybersource_tms"
IN_WHEEL = ("generated/cybersource_tms_api/", "wrapper/")  # without the first folder
LICENSES = ("LICENSE", "NOTICE")
NOT_IN_SDIST = (".ci/", ".gitattributes", ".github/")
MUST_HAVE = {
    *(f"{package}/py.typed" for package in ("cybersource_tms", "cybersource_tms_api", "cybersource_tms_sandbox")),
    "cybersource_tms_api/openapi.json",
    "cybersource_tms_api/schema.json",
    "pytest_cybersource_sandbox.py",
}

Files = Mapping[str, bytes]


def prepared() -> str:
    """Return the version of a release for which everything is ready.

    Raises:
        ValueError: Something is missing; one sentence.
    """
    version = next_release()
    if not tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"].get("urls"):
        raise ValueError('[project.urls] in pyproject.toml is empty: put in Repository = "https://…"')
    headings = re.findall(r"^## (\S+)(?: - (\d{4}-\d\d-\d\d))?$", Path("CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    name, day = headings[0] if headings else ("", "")
    if name != version or not day or date.fromisoformat(day) > datetime.now(UTC).date():
        raise ValueError(f'the first version in CHANGELOG.md has to be "## {version} - " and the day, today or before')
    if changes := git("status", "--porcelain"):
        raise ValueError(f"commit or remove what git status shows first, such as {changes[0][3:]}")
    if build_version() != version:
        raise ValueError(f"this commit has no tag v{version}: git tag --sign v{version} --message 'Version {version}'")
    return version


def check_contents(folder: Path) -> str:
    """Compare the wheel and the sdist in a folder with the files that git has, or would take.

    Raises:
        ValueError: They differ; one sentence.
    """
    version = build_version()
    release = f"{PROJECT}-{version}"
    wheel, sdist = f"{release}-py3-none-any.whl", f"{release}.tar.gz"
    if {path.name for path in folder.iterdir()} != {wheel, sdist}:
        raise ValueError(f"{folder} has to hold {wheel} and {sdist}, and nothing else")
    tracked = [path for path in git("ls-files", "--cached", "--others", "--exclude-standard") if Path(path).is_file()]
    in_sdist = {f"{release}/{path}": read(path) for path in tracked if not path.startswith(NOT_IN_SDIST)}
    compare(sdist, in_sdist, sdist_files(folder / sdist), {f"{release}/PKG-INFO"})
    info = f"{release}.dist-info"
    in_wheel = {path.partition("/")[2]: read(path) for path in tracked if path.startswith(IN_WHEEL)}
    in_wheel |= {f"{info}/licenses/{name}": read(name) for name in LICENSES}
    in_wheel[VERSION_FILE] = version_module(version).encode()
    made = {f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}
    compare(wheel, in_wheel, wheel_files(folder / wheel), made | MUST_HAVE)
    return f"{wheel} and {sdist} hold what the repository holds"


def compare(archive: str, expected: Files, found: Files, required: set[str]) -> None:
    """Compare what an archive should hold with what it holds; `required` may be made by the build.

    Raises:
        ValueError: They differ; one sentence.
    """
    lacking = (expected.keys() | required) - found.keys()
    foreign = found.keys() - expected.keys() - required
    other = {name for name in expected.keys() & found.keys() if expected[name] != found[name]}
    for problem, names in {"lacks": lacking, "should not hold": foreign, "holds another version of": other}.items():
        if names:
            raise ValueError(f"{archive} {problem} {', '.join(sorted(names))}")


def sdist_files(path: Path) -> Files:
    """Return the files of an sdist."""
    with tarfile.open(path) as archive:
        members = ((member.name, archive.extractfile(member)) for member in archive)
        return {name: file.read() for name, file in members if file}


def wheel_files(path: Path) -> Files:
    """Return the files of a wheel."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def read(path: str) -> bytes:
    """Return the content of a file of the repository."""
    return Path(path).read_bytes()


def git(*arguments: str) -> list[str]:
    """Return the lines that a git command prints."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.splitlines()


def main(command: str, *folder: str) -> str:
    """Run a command: `prepared`, or `contents` with a folder."""
    return prepared() if command == "prepared" else check_contents(Path(*folder))


if __name__ == "__main__":
    try:
        print(main(*sys.argv[1:]))
    except (ValueError, OSError) as error:
        sys.exit(f"no release: {error}")
