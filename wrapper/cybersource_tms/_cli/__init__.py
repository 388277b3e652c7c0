"""What `cybersource-tms` runs: a module for each command, whose docstring is its help."""


class UsageError(Exception):
    """The command was called in a way in which it cannot work; the message is one line."""

    exit_code = 2


class RunAgain(Exception):
    """The command ends before it is done, and the same command goes on; the message is one line."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h
