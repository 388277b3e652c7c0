"""The demo shows what it promises."""

import re
import subprocess
import sys

import pytest

import demo
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID

URL = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"


def test_it_shows_the_wire() -> None:
    """Only what differs is sent, guarded by the ETag; the second time nothing is; and the customer has it."""
    command = [sys.executable, "-W", "error", "scripts/demo.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    wire = re.findall(
        r"^  (GET|PATCH) (\S+)(?:  if-match: (\w+))?  ->  (\d+)\n(?:    (.*)\n)?", done.stdout, re.MULTILINE
    )
    read, updated = ("GET", URL, False, "200"), ("PATCH", URL, True, "200")
    assert [(method, path, bool(etag), status) for method, path, etag, status, _ in wire] == [read, read, updated] * 2
    assert wire[2][4] == '{"buyerInformation":{"email":"new@example.com"}}'
    before, _, after = done.stdout.partition("\nmodify")
    assert '"email": "test@cybs.com"' in before
    assert '"email": "new@example.com"' in after
    assert '"value": "Gold"' in after


def test_the_service_needs_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """With --environment and without the variables it names them in one line, and ends."""
    monkeypatch.setenv("CYBERSOURCE_ENVIRONMENT", "")
    monkeypatch.setattr(sys, "argv", ["demo", "--environment", "test"])
    with pytest.raises(SystemExit, match=r"^[^\n]+ CYBERSOURCE_[^\n]+$"):
        demo.main()
