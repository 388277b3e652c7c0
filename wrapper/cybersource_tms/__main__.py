"""Commands for a shell: `cybersource-tms check`, `cybersource-tms update FILE`."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ._cli import RunAgain, UsageError, check, update
from ._cli.progress import give_up, say

_COMMANDS = (check, update)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    parser = argparse.ArgumentParser(prog="cybersource-tms", description=__doc__)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(subparsers)
    options = parser.parse_args(arguments)
    stdout: Any = sys.stdout
    with suppress(AttributeError):  # there may be none
        stdout.reconfigure(errors="backslashreplace")
    try:
        exit_code: int = options.run(options)
        print(end="", flush=True)
    except (UsageError, RunAgain) as error:
        say(f"error: {error}", sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # nobody reads any more, as after `| head`
        give_up(stdout)
        return 1
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
