"""The README is short, and shows first what readers look for. `test_pages` runs its code."""

import re

from cybersource_tms import Environment
from documents.pages import README, ROOT

TEXT = (ROOT / README).read_text(encoding="utf-8")
LINES = TEXT.splitlines()
SHORTEST = 20  # lines before which a reader has seen how a customer is updated


def test_it_is_short() -> None:
    """It has at most 150 lines, of at most 100 characters, and two tables."""
    assert len(LINES) <= 150
    assert [line for line in LINES if len(line) > 100] == []
    assert len(re.findall(r"^\|[-|]+\|$", TEXT, re.MULTILINE)) <= 2


def test_apply_comes_early() -> None:
    """`apply` is called within the first lines that hold something."""
    assert ".apply(" in "\n".join([line for line in LINES if line][:SHORTEST])


def test_the_environments_are_all_there() -> None:
    """The table has each environment, with its text and its host."""
    found = re.findall(r"^\| .* \| `([\w-]+)` \| `([\w.]+)` \|$", TEXT, re.MULTILINE)
    assert found == [(environment.value, environment.host) for environment in Environment]
