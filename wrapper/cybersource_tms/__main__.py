"""Commands for a shell, in the wheel too: `python -m cybersource_tms check`, `update FILE`."""

import argparse
import sys
from collections.abc import Sequence

from ._commands import UsageError, check, update

_COMMANDS = (check, update)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code: 0, 1 if something is wrong, 2 if it was called wrongly."""
    parser = argparse.ArgumentParser(prog="python -m cybersource_tms", description=__doc__)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(subparsers)
    options = parser.parse_args(arguments)
    try:
        exit_code: int = options.run(options)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
