"""Runs an update with the Python that is named, in whose environment is the wheel and nothing of the source tree."""

import os
import subprocess
import sys

from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Sandbox

UPDATE = """
import sys
from importlib.metadata import version
from importlib.resources import files
from cybersource_tms import BuyerInformation, CustomersClient, CustomerUpdate

for package in ("cybersource_tms", "cybersource_tms_api"):
    assert files(package).joinpath("py.typed").is_file(), f"no py.typed in {package}"
    assert "site-packages" in str(files(package)), f"{package} comes from the source tree"
with CustomersClient.from_env(base_url=sys.argv[1]) as customers:
    changes = CustomerUpdate(buyer_information=BuyerInformation(email="new@example.com"))
    record = customers.update(sys.argv[2], changes)
print("cybersource-tms", version("cybersource-tms"), "updated", record.customer.id)
"""


def main(python: str) -> None:
    """Start the stand-in, and let the other Python update its customer."""
    sandbox = Sandbox()
    variables = {
        "PATH": os.environ["PATH"],
        "CYBERSOURCE_MERCHANT_ID": MERCHANT_ID,
        "CYBERSOURCE_KEY_ID": KEY_ID,
        "CYBERSOURCE_SECRET_KEY": SECRET,
    }
    with sandbox.running() as url:
        command = [python, "-I", "-W", "error", "-c", UPDATE, url, PAGE_CUSTOMER_ID]
        subprocess.run(command, check=True, env=variables)
    assert sandbox.received[-1].body == b'{"buyerInformation":{"email":"new@example.com"}}'


if __name__ == "__main__":
    main(sys.argv[1])
