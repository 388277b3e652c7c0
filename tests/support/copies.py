"""Copies of the repository, in which a test can change the spec."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def copy_of_the_repository(root: Path, *parts: str) -> Path:
    """Copy some folders of the repository into another one, with what saves mypy time if there is any."""
    for part in filter(Path.exists, map(Path, (*parts, "pyproject.toml", ".mypy_cache"))):
        if part.is_dir():
            shutil.copytree(part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(part, root / part)
    return root


def edit(path: Path, old: str, new: str) -> None:
    """Replace some text, which must be there, in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text, old
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a copy, with the copy's code and the tools of this environment."""
    roots = os.pathsep.join([str(root / "generated"), str(root / "wrapper")])
    variables = os.environ | {"VENV": sys.prefix, "PYTHONPATH": roots}
    return subprocess.run(command, capture_output=True, text=True, cwd=root, env=variables, check=False)
