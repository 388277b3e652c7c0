"""What the documents say of commands, variables, errors and files is true."""

import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from cybersource_tms import CustomersClient, errors
from documents.pages import PAGES, ROOT, blocks

PROJECT = [Path(name) for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "scripts/README.md")]
TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in [*PAGES, *PROJECT]}
OURS = {"cybersource-tms": "cybersource_tms", "cybersource_tms_sandbox": "cybersource_tms_sandbox"}
OTHERS = {"git", "cd", "pip", "uvicorn", "export", "curl", ".", "scripts/", "scripts/X"}


def commands() -> Iterator[tuple[Path, list[str]]]:
    """Yield the commands in blocks of shell, and in the text."""
    for page, text in TEXTS.items():
        lines = [line for _, block in blocks(page, "sh") for line in block.splitlines()]
        lines += re.findall(r"`((?:cybersource-tms|python -m|scripts/)[^`]*)`", text)
        for line in lines:
            for command in " ".join(shlex.split(line, comments=True)).split(" && "):
                if command:
                    yield page, command.split()


def helped(words: list[str]) -> str:
    """Return the help of a command, without which it would have no such options."""
    if words[0].startswith("scripts/"):
        name = words[0].replace("bench", "bench_many") if words[1:2] == ["many"] else words[0]
        files = [ROOT / words[0], (ROOT / name).with_suffix(".py")]
        return "".join(file.read_text(encoding="utf-8") for file in files if file.exists())
    command = [word for word in words[1:2] if words[0] == "cybersource-tms" and word.isalpha()]
    return printed(OURS[words[2] if words[:2] == ["python", "-m"] else words[0]], *command, "--help")


@cache
def printed(*command: str) -> str:
    """Return what a command of Python's prints."""
    return subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=True).stdout


def test_the_commands_exist() -> None:
    """Each command is there, and has the options that are shown."""
    for page, words in commands():
        if words[0] in OTHERS or words[1:3] in (["-m", "build"], ["-m", "venv"]):
            continue
        text, options = helped(words), [word.partition("=")[0] for word in words if word.startswith("--")]
        assert [option for option in options if option not in text] == [], (page, words)


@pytest.mark.parametrize("page", TEXTS, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    """Each link that is none to the web leads to a file, and to a heading of it; so does each path in the text."""
    text = re.sub(r"^```(?:python|sh).*?^```", "", TEXTS[page], flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)]+)\)|^```\{image\} (.+)$", text, re.MULTILINE):
        target, _, heading = "".join(link).partition("#")
        file = (ROOT / page).parent / target if target else ROOT / page
        assert target.startswith("https://") or file.exists(), "".join(link)
        assert not heading or heading in anchors(file), "".join(link)
    for path in re.findall(r"`((?:docs|scripts|spec|tests|wrapper|generated)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


def anchors(file: Path) -> set[str]:
    """Return the names of a page's headings, as links to them are written."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_variables_are_all_there() -> None:
    """The table of the credentials has the variables that `from_env` reads, and no other."""
    pattern = r"CYBERSOURCE_\w+\b"
    page = ROOT / "docs" / "credentials.md"
    assert set(re.findall(pattern, page.read_text(encoding="utf-8"))) == set(
        re.findall(pattern, inspect.getdoc(CustomersClient.from_env) or "")
    )


def test_the_errors_are_all_there() -> None:
    """The guide names each error."""
    text = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
    classes = {
        name: thing
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, errors.CybersourceError)
    }
    assert [name for name in classes if f"`{name}`" not in text] == []


def test_the_exit_codes_are_those_of_the_command() -> None:
    """The table of exit codes has those of the help."""
    page = (ROOT / "docs" / "many.md").read_text(encoding="utf-8")
    shown = {code for row in re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE) for code in row.split(", ")}
    text = helped(["cybersource-tms", "update"])
    assert [code for code in shown if not re.search(rf"\b{code}\b", text)] == []
