"""How far a job is: a bar with `rich` on a terminal, elsewhere a line now and then. All of it goes to stderr."""

import sys
import time
from collections import Counter
from datetime import timedelta
from types import TracebackType
from typing import Self

_EVERY = 10.0  # seconds between two lines


class Progress:
    """Counts outcomes by status, and prints a line now and then.

    Args:
        total: How many outcomes there will be.
        earlier: How many of them there are already.

    Attributes:
        counts: How many there are of this run, by status.
    """

    def __init__(self, total: int, earlier: int) -> None:
        self.counts: Counter[str] = Counter()
        self._total, self._earlier = total, earlier
        self._started = time.monotonic()
        self._next_line = 0.0

    def count(self, status: str) -> None:
        """Count an outcome."""
        self.counts[status] += 1
        self._show()

    def note(self, text: str) -> None:
        """Print a line that stays."""
        print(text, file=sys.stderr)

    def describe(self) -> str:
        """Return how many are done, how many in a second, the time left, and the counts."""
        done = self._done()
        rate = self.counts.total() / max(time.monotonic() - self._started, 0.001)
        left = f", {timedelta(seconds=round((self._total - done) / rate))} left" if rate else ""
        return f"{done} of {self._total}, {rate:.1f}/s{left}: {describe_counts(self.counts)}"

    def _done(self) -> int:
        return self._earlier + self.counts.total()

    def _show(self) -> None:
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _EVERY
            self.note(self.describe())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class _Bar(Progress):
    """Shows the same beside a bar."""

    def __init__(self, total: int, earlier: int) -> None:
        from rich.console import Console  # noqa: PLC0415 - of the extra `bulk`
        from rich.progress import BarColumn, TextColumn  # noqa: PLC0415
        from rich.progress import Progress as RichProgress  # noqa: PLC0415

        super().__init__(total, earlier)
        columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False))
        # What is printed to a stdout that is no terminal must go there.
        is_terminal = sys.stdout.isatty()
        self._rich = RichProgress(*columns, console=Console(stderr=True), redirect_stdout=is_terminal)
        self._task = self._rich.add_task("", total=total, completed=earlier)

    def note(self, text: str) -> None:
        self._rich.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _show(self) -> None:
        self._rich.update(self._task, completed=self._done(), description=self.describe())

    def __enter__(self) -> Self:
        self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rich.stop()


def open_progress(total: int, earlier: int) -> Progress:
    """Return a bar on a terminal, if there is `rich`, and otherwise plain lines."""
    if sys.stderr and sys.stderr.isatty():
        try:
            return _Bar(total, earlier)
        except ImportError:
            pass
    return Progress(total, earlier)


def describe_counts(counts: Counter[str]) -> str:
    """Return counts as text, such as `updated 7, failed 1`."""
    return ", ".join(f"{status} {number}" for status, number in counts.items()) or "none"
