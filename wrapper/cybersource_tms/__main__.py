"""Commands for a shell, in the wheel too: `python -m cybersource_tms check`, `update FILE`."""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ._cli import UsageError, check, update

_COMMANDS = (check, update)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code: 0, 1 if something is wrong, 2 if it was called wrongly."""
    parser = argparse.ArgumentParser(prog="python -m cybersource_tms", description=__doc__)
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
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # nobody reads any more, as after `| head`
        # Or the interpreter fails at its end: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        return 1
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
