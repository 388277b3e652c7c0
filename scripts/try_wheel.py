"""Uses the wheel as users do, with the Python that is named: its environment has the wheel and no source tree."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Sandbox

UPDATE = """
import sys
from importlib.metadata import version
from importlib.resources import files
from cybersource_tms import BuyerInformation, CustomersClient, CustomerUpdate, __version__

assert __version__ == version("cybersource-tms"), __version__
for package in ("cybersource_tms", "cybersource_tms_api"):
    assert files(package).joinpath("py.typed").is_file(), f"no py.typed in {package}"
    assert "site-packages" in str(files(package)), f"{package} comes from the source tree"
with CustomersClient.from_env(base_url=sys.argv[1]) as customers:
    changes = CustomerUpdate(buyer_information=BuyerInformation(email="new@example.com"))
    record = customers.update(sys.argv[2], changes)
print("cybersource-tms", __version__, "updated", record.customer.id)
"""
TYPES = list(Path("tests/typing").glob("*.py"))


def update(python: str) -> None:
    """Start the sandbox, and let the other Python update its customer."""
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
    subprocess.run(
        [Path(python).with_name("cybersource-tms"), "check", "--help"], check=True, stdout=subprocess.DEVNULL
    )


def check_types(python: str) -> None:
    """Let both type checkers read the files of types as users write them, strict and as they come."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        for path in TYPES:
            shutil.copy(path, folder)
        for mode in ("standard", "strict"):
            Path(folder, f"{mode}.json").write_text(json.dumps({"typeCheckingMode": mode}), "utf-8")
        mypy = ["mypy", "--config-file=", "--cache-dir=/dev/null", "--python-executable", python, "."]
        pyright = ["pyright", "--pythonpath", python, "--project"]
        commands = [mypy, [*mypy, "--strict"], [*pyright, "standard.json"], [*pyright, "strict.json"]]
        list(pool.map(partial(run, folder), commands))


def run(folder: str, command: list[str]) -> None:
    """Run a command in a folder; what it finds ends this script."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}the wheel's types: {' '.join(command)} failed")


if __name__ == "__main__":
    update(sys.argv[1])
    check_types(sys.argv[1])
