"""What `python -m cybersource_tms` runs: a module for each command, with its `add_parser`."""


class UsageError(Exception):
    """The command was called in a way in which it cannot work; the message is one line."""
