"""The README is short, and its first example runs as it stands."""

import os
import re
import subprocess
import sys

from cybersource_tms import Environment
from documents.pages import README, ROOT, blocks

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


def test_the_first_example_runs() -> None:
    """It updates the sandbox's customer, with the variables that the sandbox's command prints."""
    command = [sys.executable, "-W", "error", "-m", "cybersource_tms_sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        printed = ""
        for line in server.stdout:
            printed += line
            if "BASE_URL" in line:
                break
        variables = {name: value.strip("'\"") for name, value in re.findall(r"export (\w+)=(.*)", printed)}
        code = ["-W", "error", "-c", blocks(README, "python")[0][1]]
        done = subprocess.run(
            [sys.executable, *code], capture_output=True, text=True, env=os.environ | variables, check=False
        )
        server.terminate()
    assert done.stdout.startswith("('buyerInformation.email',) "), done.stderr


def test_the_environments_are_all_there() -> None:
    """The table has each environment, with its text and its host."""
    found = re.findall(r"^\| .* \| `([\w-]+)` \| `([\w.]+)` \|$", TEXT, re.MULTILINE)
    assert found == [(environment.value, environment.host) for environment in Environment]
