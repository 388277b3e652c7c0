"""CSV (RFC 4180) of which a wrong line does not spoil the lines after it."""

import csv
from collections.abc import Iterator

_NOT_CSV = "it is not CSV; check its quotes"


class _Lines:
    """Lines that can be read again.

    Attributes:
        taken: The lines since it was last emptied.
        number: How many lines were read.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: list[str] = []
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.taken.append(self._again.pop() if self._again else next(self._lines))
        self.number += 1
        return self.taken[-1]

    def rewind(self) -> None:
        """Go back to the line after the first of those that were taken."""
        again = self.taken[:0:-1]
        self._again += again
        self.number -= len(again)


def read_records(lines: Iterator[str]) -> Iterator[tuple[int, list[str], str | None]]:
    """Yield for each record the number of its first line, its cells, and what is wrong with it, if anything.

    A quoted cell can have line breaks. One that is not closed would take all lines after it, so these are read again.
    """
    source = _Lines(lines)
    reader = csv.reader(source, strict=True)
    while True:
        first = source.number + 1
        source.taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            source.rewind()
            yield first, [], _NOT_CSV
        else:
            if cells:
                yield first, cells, None
