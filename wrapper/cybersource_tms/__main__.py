"""Commands for a shell: `cybersource-tms check`, `cybersource-tms update FILE`."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ._cli import RunAgain, UsageError, check, update
from ._cli.progress import give_up, say
from ._version import __version__
from .errors import InvalidRequest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    parser = argparse.ArgumentParser(prog="cybersource-tms", description=__doc__)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in {"check": check, "update": update}.items():
        summary = str(command.__doc__).partition("\n")[0]
        subparser = subparsers.add_parser(name, help=summary, description=command.__doc__)
        subparser.formatter_class = argparse.RawDescriptionHelpFormatter
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    stdout: Any = sys.stdout
    with suppress(AttributeError):  # there may be none
        stdout.reconfigure(errors="backslashreplace")
    try:
        exit_code: int = options.run(options)
        print(end="", flush=True)
    except (RunAgain, UsageError, InvalidRequest) as error:
        say(f"error: {error}", sys.stderr)
        return RunAgain.exit_code if isinstance(error, RunAgain) else UsageError.exit_code
    except OSError as error:  # of a file, or because stdout is full, or not read any more, as after `| head`
        if options.run is check.run and error.filename is None:
            give_up(stdout)
            error.filename = "stdout"
        say(f"error: {error.filename or 'the system'}: {error.strerror}", sys.stderr)
        return 1 if error.filename == "stdout" else UsageError.exit_code
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
