"""What `cybersource-tms` runs: a module for each command, with its `add_parser`."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class UsageError(Exception):
    """The command was called in a way in which it cannot work; the message is one line."""

    exit_code = 2


class RunAgain(Exception):
    """The command ends before it is done, and the same command goes on; the message is one line."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h


@contextmanager
def naming_path(path: Path) -> Generator[None]:
    """Raise `UsageError` for what the system says of a file."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
