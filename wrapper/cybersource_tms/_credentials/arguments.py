"""What credentials and encryption are given, checked, and what an error calls it."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cybersource_tms.errors import InvalidRequest

_LARGEST_FILE = 2**20  # bytes
_LONGEST_SHOWN = 64  # characters
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def check_id(name: str, value: object) -> str:
    """Return an id that can stand in a header and in a token, or raise `InvalidRequest`."""
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"{name}: expected text that is not empty")
    if value != value.strip():
        raise InvalidRequest(f"{name}: it starts or ends with a blank or a line break; remove that")
    if not value.isascii() or not value.isprintable() or {'"', "\\"} & set(value):
        raise InvalidRequest(f"{name}: expected printable ASCII without quotes and backslashes")
    return value


def check_owner(merchant_id: object, portfolio_id: object) -> str:
    """Return whose key it is: with a meta key the portfolio's, otherwise the merchant's. Or raise `InvalidRequest`."""
    merchant = check_id("merchant_id", merchant_id)
    return merchant if portfolio_id is None else check_id("portfolio_id", portfolio_id)


def read_file(name: str, path: str | Path) -> bytes:
    """Return what a file holds, or raise `InvalidRequest`. It never waits, as reading a pipe or a device would."""
    try:
        problem = "there is none, or it is a folder, a pipe or a device"
        if Path(path).is_file():
            with Path(path).open("rb") as file:
                content = file.read(_LARGEST_FILE + 1)
            if len(content) <= _LARGEST_FILE:
                return content
            problem = f"it is larger than {_LARGEST_FILE} bytes"
    except (OSError, TypeError, ValueError) as error:
        problem = type(error).__name__
    # Not within `except`: the system's error has the path, where a password may have been put.
    raise InvalidRequest(f"{name}: the file cannot be read: {problem}")


def show(text: str, *, confirmed: bool = False) -> str:
    """Return an id if a certificate or the form of a UUID confirms it, else only its length: it may be a secret."""
    if confirmed or _UUID.fullmatch(text):
        return re.sub("[^ -~]", "?", text[:_LONGEST_SHOWN])
    return f"set, {len(text)} characters"


@contextmanager
def naming(**names: str) -> Generator[None]:
    """Rename the arguments at the start of an `InvalidRequest` to what its reader knows, such as variables."""
    try:
        yield
    except InvalidRequest as error:
        arguments, colon, problem = str(error).partition(": ")
        renamed = dict.fromkeys(names.get(each, each) for each in arguments.split(", "))
        error.args = (f"{', '.join(renamed)}{colon}{problem}",)
        error.argument = names.get(error.argument or "", error.argument)
        raise
