"""The demo shows what it promises."""

import os
import re
import subprocess
import sys

from cybersource_tms_sandbox import PAGE_CUSTOMER_ID


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the demo as scripts/demo does, without variables of the caller's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CYBERSOURCE_")}
    command = [sys.executable, "-W", "error", "scripts/demo.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=kept | variables, check=False)


def test_it_sends_only_the_changed_fields_and_then_nothing() -> None:
    """The body has the two changed fields, the customer has them afterwards, and the second time nothing is sent."""
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        'wire:    {"buyerInformation":{"email":"new@example.com"},'
        '"merchantDefinedInformation":[{"name":"data1","value":"Your customer data"},{"name":"data2","value":"Gold"}]}'
    ) in done.stdout
    assert "changed: buyerInformation.email, merchantDefinedInformation\n" in done.stdout
    assert re.search(r"status: +200\nETag: +\w+\nCorrelation id: +[\w-]+\n", done.stdout)
    before, _, after = done.stdout.partition("The customer afterwards")
    assert PAGE_CUSTOMER_ID in before
    assert '"email": "test@cybs.com"' in before
    assert '"email": "new@example.com"' in after
    assert after.endswith("The same update again\nNo field differs; requests sent: 0\n")


def test_the_real_service_needs_credentials() -> None:
    """With --environment and without the variables it names them in one line, and exits 1."""
    done = run("--environment", "test")
    assert done.returncode == 1
    for variable in ("CYBERSOURCE_MERCHANT_ID", "CYBERSOURCE_KEY_ID", "CYBERSOURCE_SECRET_KEY"):
        assert variable in done.stderr
    assert done.stderr.count("\n") == 1
