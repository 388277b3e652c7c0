"""What a command found, as human-readable lines of at most 80 characters."""

import re
import textwrap
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

from cybersource_tms.errors import CybersourceError

Report = dict[str, Any]

_LABEL = 22  # the width of the left column
_wrap = partial(textwrap.wrap, width=80, subsequent_indent=" " * _LABEL, break_on_hyphens=False)


@contextmanager
def noting(report: Report) -> Generator[None]:
    """Note warnings, and an error that ends the block, in the report."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except CybersourceError as error:
            report["problems"].append(re.sub("[^ -~]", "?", str(error)))  # the system may have said anything
    report["warnings"] += dict.fromkeys(str(each.message) for each in caught)


def lines_of(report: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield a line for each thing that is known, and more where it is long. A list has one thing per line."""
    for name, value in report.items():
        label = indent + name.replace("_", " ")
        parts: list[Any] = value or ["none"] if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
        for part in parts:
            if isinstance(part, dict):
                yield label
                yield from lines_of(cast("Report", part), indent + "  ")
            elif part is not None:
                text = {True: "yes", False: "no"}[part] if isinstance(part, bool) else str(part)
                yield from _wrap(text, initial_indent=f"{label} ".ljust(_LABEL))
                label = ""
