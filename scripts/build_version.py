"""Gives a build its version: a release's own at its tag, and one that names the commit everywhere else."""

import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VERSION_FILE = "cybersource_tms/_version.py"


def build_version() -> str:
    """Return `0.1.0` at the tag v0.1.0, otherwise `0.1.0.dev171+g83c4819a15`, with `.dirty` for uncommitted changes.

    Without git, as in an archive, it ends with `+unknown`. What is built from an sdist has the version of the sdist.
    """
    release = next_release()
    commit = git("describe", "--always", "--abbrev=10", "--dirty=.dirty", "--exclude=*")
    if f"v{release}" in git("tag", "--points-at", "HEAD").split() and not commit.endswith(".dirty"):
        return release
    return f"{release}.dev{git('rev-list', '--count', 'HEAD') or 0}+{f'g{commit}' if commit else 'unknown'}"


def next_release() -> str:
    """Return the version that the source says, which is the next release's with `.dev0` behind it."""
    [version] = re.findall(
        r'^__version__ = "(.+)[.]dev0"$', Path("wrapper", VERSION_FILE).read_text("utf-8"), re.MULTILINE
    )
    return str(version)


def version_module(version: str) -> str:
    """Return what the wheel has in place of the source's version."""
    return f'"""The version of this build."""\n\n__version__ = "{version}"\n'


def git(*arguments: str) -> str:
    """Return what a git command prints, or nothing if it fails or there is no git."""
    try:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


class VersionHook(BuildHookInterface[BuilderConfig]):
    """Puts the version into the wheel; an editable install has the source's."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Replace the source's version in the wheel."""
        if version == "editable":
            return
        self.folder = TemporaryDirectory()
        file = Path(self.folder.name, "_version.py")
        file.write_text(version_module(self.metadata.version), "utf-8")
        build_data["force_include"][str(file)] = VERSION_FILE

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """Remove what the build has copied."""
        if version != "editable":
            self.folder.cleanup()
