"""Ending a job early: what is in flight ends."""

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def collect_signals() -> Generator[list[int]]:
    """Yield a list to which the first SIGINT or SIGTERM is added. The next one ends the process at once."""
    received: list[int] = []

    def receive(number: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        received.append(number)
        for each in _SIGNALS:  # before it is said that the next one ends the process
            signal.signal(each, signal.SIG_DFL)
        with suppress(OSError):  # not by print, which a signal can interrupt
            os.write(2, b"stopping: what is in flight ends; once more, and the process ends at once\n")

    before = {each: signal.signal(each, receive) for each in _SIGNALS}
    try:
        yield received
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
