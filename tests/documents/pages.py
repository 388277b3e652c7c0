"""What the documents show: their blocks of code, and how these are run."""

import ast
import asyncio
import inspect
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
README = Path("README.md")
GUIDES = sorted(each.relative_to(ROOT) for each in (ROOT / "docs").glob("*.md"))
PAGES = [README, *GUIDES]

Block = tuple[int, str]  # the line before its code, and the code


def blocks(page: Path, language: str) -> list[Block]:
    """Return the blocks of a page that are in a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.finditer(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [(text.count("\n", 0, each.start(1)), each[1]) for each in found]


def run(place: str, line: int, code: str, names: dict[str, Any]) -> None:
    """Run a block, which may await, so that a traceback has the line of the page."""
    compiled = compile("\n" * line + code, place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if inspect.iscoroutine(running := eval(compiled, names)):
        asyncio.run(running)


def run_page(page: Path, given: Mapping[str, Any], fixtures: Mapping[str, Any]) -> dict[str, Any]:
    """Run the blocks of a page in order, in one namespace, and the tests in them with their fixtures. Return the names.

    What is given is there in each block, whatever an earlier one has made of it.
    """
    names: dict[str, Any] = {}
    for line, code in blocks(page, "python"):
        names |= given
        run(str(page), line, code, names)
        for test in re.findall(r"^def (test_\w+)", code, re.MULTILINE):
            arguments = {name: fixtures[name] for name in inspect.signature(names[test]).parameters}
            names[test](**arguments)
    return names


class Variables:
    """Sets environment variables as `monkeypatch` does, in place of the ones that are there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._is_clean = False

    def setenv(self, name: str, value: str) -> None:
        """Set a variable; before the first one, delete all of ours."""
        if not self._is_clean:
            for each in [each for each in os.environ if each.startswith("CYBERSOURCE_")]:
                self._monkeypatch.delenv(each)
        self._is_clean = True
        self._monkeypatch.setenv(name, value)
