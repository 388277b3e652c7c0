"""Serves the sandbox on loopback until Ctrl-C.

It prints the environment variables to set, as a shell's exports, and then each request with its status and why it was
refused.
"""

import argparse
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, get_args

from ._customers import PAGE_CUSTOMER_ID, make_up, merge
from ._json import is_object, parse_json
from ._keys import Credential, Encryption
from ._sandbox import Sandbox


def read_arguments() -> argparse.Namespace:
    """Return the arguments of the command."""
    parser = argparse.ArgumentParser(prog="python -m cybersource_tms_sandbox", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=8080, help="0 takes a free one (default: %(default)s)")
    add("--customers", type=Path, metavar="FILE", help="JSON Lines with a customer each, or with rows for an update")
    add("--made-up", type=int, default=0, metavar="N", help="know so many more")
    add(
        "--credential",
        choices=get_args(Credential),
        default="secret",
        help="what the variables sign with (default: %(default)s)",
    )
    add("--encryption", choices=get_args(Encryption), default="off", help="what they encrypt (default: %(default)s)")
    return parser.parse_args()


def read_customers(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the customer of each line of a file."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                if line.strip():
                    yield read_customer(parse_json(line.removeprefix(b"\xef\xbb\xbf")))
            except ValueError:
                raise ValueError(f"{path}, line {number}: not a JSON object with an id, which is text") from None


def read_customer(row: object) -> dict[str, Any]:
    """Return the customer of a row, in which `a.b` names the field `b` of the group `a`, and `null` leaves one out."""
    if not is_object(row) or not isinstance(row.get("id"), str):
        raise ValueError(row)
    customer: dict[str, Any] = {}
    for name, value in row.items():
        patch = value
        for step in reversed(name.split(".")):
            patch = {step: patch}
        customer = merge(customer, patch)
    return customer


def announce(url: str, sandbox: Sandbox, made_up: int) -> None:
    """Print where the sandbox is, whom it knows, and the variables."""
    print(f"# {url} until Ctrl-C, with the customer {PAGE_CUSTOMER_ID}")
    if made_up:
        print(f"# and with {1:032X} to {made_up:032X}")
    for name, value in {**sandbox.variables, "CYBERSOURCE_BASE_URL": url}.items():
        print(f"export {name}={shlex.quote(value)}")
    sys.stdout.flush()


def tell(line: str) -> None:
    """Print a comment, for a shell. Who serves does not end because nobody reads any more."""
    with suppress(OSError):
        print(f"# {line}", flush=True)


def main() -> None:
    """Run the command."""
    given = read_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        customers = chain(read_customers(given.customers) if given.customers else (), make_up(given.made_up))
        sandbox = Sandbox(credential=given.credential, encryption=given.encryption, customers=customers)
    except (OSError, ValueError) as error:
        sys.exit(f"cannot read the customers: {error}")
    sandbox.tell = tell
    try:
        with sandbox.running(port=given.port) as url, suppress(KeyboardInterrupt):
            announce(url, sandbox, given.made_up)
            threading.Event().wait()
    except (OSError, ValueError) as error:
        sys.exit(f"cannot serve on port {given.port}: {error}")


if __name__ == "__main__":
    main()
