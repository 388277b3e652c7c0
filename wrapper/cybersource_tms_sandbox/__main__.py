"""Serves the sandbox on loopback until Ctrl-C, and prints the variables to set, for a shell."""

import argparse
import shlex
import sys
import threading
from contextlib import suppress

from ._customers import PAGE_CUSTOMER_ID
from ._sandbox import Sandbox

LAST_PORT = 65_535


def port_number(text: str) -> int:
    """Read a port."""
    if not text.isdecimal() or int(text) > LAST_PORT:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {LAST_PORT}, not {text}")
    return int(text)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m cybersource_tms_sandbox", description=__doc__)
    parser.add_argument("--port", type=port_number, default=8080, help="0 takes a free one (default: %(default)s)")
    port = parser.parse_args().port
    sandbox = Sandbox()
    try:
        with sandbox.running(port=port) as url, suppress(KeyboardInterrupt):
            print(f"# {url} until Ctrl-C, with the customer {PAGE_CUSTOMER_ID}")
            for name, value in {**sandbox.variables, "CYBERSOURCE_BASE_URL": url}.items():
                print(f"export {name}={shlex.quote(value)}")
            sys.stdout.flush()
            threading.Event().wait()
    except OSError as error:
        sys.exit(f"cannot serve on port {port}: {error}")


if __name__ == "__main__":
    main()
