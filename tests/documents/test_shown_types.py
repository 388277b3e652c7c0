"""A type checker takes the code that the guides to updating and reading show."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import cybersource_tms
from documents.pages import ROOT, blocks

PAGES = [Path("docs/update.md"), Path("docs/read.md")]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_types(page: Path, tmp_path: Path) -> None:
    """The blocks of a page, one after another in a file that declares what is given, pass strict mypy."""
    code = "\n".join(block for _, block in blocks(page, "python"))
    used = [name for name in cybersource_tms.__all__ if re.search(rf"\b{name}\b", code)]
    given = f"from cybersource_tms import CustomersClient, {', '.join(used)}\n"
    given += "customers: CustomersClient\ncustomer_id: str\n"
    (tmp_path / "shown.py").write_text(given + code, encoding="utf-8")
    config = ["--strict", "--config-file", "", "--cache-dir", str(ROOT / ".mypy_cache")]
    command = [sys.executable, "-m", "mypy", *config, str(tmp_path / "shown.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
