"""What a command found, as human-readable lines of at most 80 characters, or as JSON."""

import json
import re
import textwrap
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from cybersource_tms.errors import CybersourceError

Report = dict[str, Any]

_WIDTH = 80
_LABEL = 22  # the width of the left column


def print_report(report: Report, *, as_json: bool) -> int:
    """Add whether all is well, print the report, and return the exit code."""
    report["ok"] = not report["problems"]
    print(json.dumps(report, indent=1) if as_json else "\n".join(_lines(report)))
    return 0 if report["ok"] else 1


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


def _lines(report: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield a line for each thing that is known, and more where it is long. A list has one thing per line."""
    for name, value in report.items():
        label = indent + name.replace("_", " ")
        for part in _parts(value):
            if isinstance(part, dict):
                yield label
                yield from _lines(cast("Report", part), indent + "  ")
            elif part is not None:
                yield from _wrap(label, {True: "yes", False: "no"}[part] if isinstance(part, bool) else str(part))
                label = ""


def _parts(value: Any) -> list[Any]:
    return value or ["none"] if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]


def _wrap(label: str, text: str) -> list[str]:
    return textwrap.TextWrapper(_WIDTH, f"{label} ".ljust(_LABEL), " " * _LABEL, break_on_hyphens=False).wrap(text)
