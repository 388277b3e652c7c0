"""The demo shows what it promises."""

import os
import re
import subprocess
import sys

from cybersource_tms_sandbox import PAGE_CUSTOMER_ID

URL = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the demo as scripts/demo does, without variables of the caller's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CYBERSOURCE_")}
    command = [sys.executable, "-W", "error", "scripts/demo.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=kept, check=False)


def test_it_shows_the_wire() -> None:
    """Only what differs is sent, guarded by the ETag; the second time nothing is; and the customer has it."""
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    wire = re.findall(
        r"^  (GET|PATCH) (\S+)(?:  if-match: (\w+))?  ->  (\d+)\n(?:    (.*)\n)?", done.stdout, re.MULTILINE
    )
    assert [(method, path, bool(etag), status) for method, path, etag, status, _ in wire] == [
        ("GET", URL, False, "200"),
        ("GET", URL, False, "200"),
        ("PATCH", URL, True, "200"),
        ("GET", URL, False, "200"),
        ("GET", URL, False, "200"),
        ("PATCH", URL, True, "200"),
    ]
    assert wire[2][4] == '{"buyerInformation":{"email":"new@example.com"}}'
    before, _, after = done.stdout.partition("\nmodify")
    assert '"email": "test@cybs.com"' in before
    assert '"email": "new@example.com"' in after
    assert '"value": "Gold"' in after


def test_the_service_needs_credentials() -> None:
    """With --environment and without the variables it names them in one line, and exits 1."""
    done = run("--environment", "test")
    assert done.returncode == 1
    for variable in ("CYBERSOURCE_MERCHANT_ID", "CYBERSOURCE_KEY_ID", "CYBERSOURCE_SECRET_KEY"):
        assert variable in done.stderr
    assert done.stderr.count("\n") == 1
