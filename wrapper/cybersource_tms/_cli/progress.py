"""What a job prints: how far it is, and a human-readable report. A stream that is full or closed does not end it."""

import os
import re
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

_EVERY = 10.0  # seconds between two lines
_MOST_LINES = 5  # whose numbers are named
_TO_MEND, _EARLIER, _NOT_FINAL = "to mend in the file:", "to mend in the file, from an earlier run:", "not final:"
_CALL = re.compile(r" \((?:[A-Z]+ /|after \d+ attempts)[^)]*\)")  # in a message, of one customer


def say(text: str, stream: Any) -> None:
    """Print a line, if the stream takes it."""
    if stream is not None:
        try:
            print(text, file=stream, flush=True)
        except (OSError, ValueError):
            give_up(stream)


def give_up(stream: Any) -> None:
    """Discard what is written to a stream, also what it still holds, which the interpreter writes at its end."""
    with suppress(OSError, ValueError):  # https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Progress:
    """Counts outcomes, and groups those that have failed by reason: by what is the same in their messages."""

    def __init__(self, total: int) -> None:
        self._total, self._started, self._next_line = total, time.monotonic(), 0.0
        self._counts, self._of_this_run = Counter[str](), 0
        # For each title the messages, with the numbers of their lines.
        self._reasons: dict[str, dict[str, tuple[str, array[int]]]] = {_TO_MEND: {}, _EARLIER: {}, _NOT_FINAL: {}}

    def add(self, outcome: dict[str, Any], numbers: list[int], *, earlier: bool = False) -> None:
        """Count an outcome, of an earlier run or of this one; print it if it is the first of its reason."""
        self._counts[outcome["status"] + " by an earlier run" * earlier] += 1
        self._of_this_run += not earlier
        if outcome["error"]:
            title = _EARLIER if earlier else _TO_MEND if outcome["final"] else _NOT_FINAL
            message = outcome["message"] or outcome["error"]
            text = _CALL.sub("", message)
            reasons, common = self._reasons[title], re.sub("[0-9]+", "N", text)
            shown, lines = reasons.get(common, (text, array("Q")))
            if not (lines or earlier):
                say(f"line {outcome['line']}: {message}", sys.stderr)
            lines.extend(numbers)
            reasons[common] = (text if text == shown else common, lines)
        if time.monotonic() >= self._next_line and not earlier:
            self._next_line = time.monotonic() + _EVERY
            rate = self._of_this_run / max(time.monotonic() - self._started, 0.001)
            left = timedelta(seconds=round((self._total - self._counts.total()) / rate))
            say(f"{self._counts.total()} of {self._total}, {rate:.1f}/s, {left} left: {self._describe()}", sys.stderr)

    def report(self) -> Iterator[str]:
        """Yield the lines of the report."""
        self._counts["not reached"] = self._total - self._counts.total()
        yield f"{self._total} customers: {self._describe()}"
        for title, reasons in self._reasons.items():
            yield from [title] * bool(reasons)
            for text, lines in sorted(reasons.values(), key=lambda reason: -len(reason[1])):
                numbers = ", ".join(map(str, sorted(lines)[:_MOST_LINES])) + ", ..." * (len(lines) > _MOST_LINES)
                yield f"  {len(lines)} x {text}\n      line{'s' * (len(lines) > 1)} {numbers}"

    def _describe(self) -> str:
        return ", ".join(f"{count} {status}" for status, count in self._counts.items() if count) or "none"
