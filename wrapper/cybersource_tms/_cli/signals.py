"""SIGINT or SIGTERM: what is in flight may end within seconds. The second one ends the process at once."""

import os
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from threading import Thread
from types import FrameType
from typing import cast

from cybersource_tms._calls.records import UpdateOutcome

_GRACE = 4.0  # seconds
_NOTE = b"stopping: it takes some seconds at most; once more, and the process ends at once\n"


class Signals:
    """Receives them, and interrupts only where nothing gets lost: not between two outcomes of a job, nor after it."""

    def __init__(self) -> None:
        self.received = 0
        self._may_interrupt, self._has_interrupted = True, False
        self._news: SimpleQueue[int] = SimpleQueue()  # a lock could be held by what the handler interrupts

    @contextmanager
    def heeded(self) -> Generator[None]:
        """Receive them in a block, which the first one ends. What it ignores, as under nohup, stays ignored."""
        with suppress(RuntimeError):  # no thread can be started
            Thread(target=self._end_late, daemon=True).start()
        heeded = [each for each in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(each) != signal.SIG_IGN]
        before = {each: signal.signal(each, self._receive) for each in heeded}
        try:
            with suppress(KeyboardInterrupt):
                yield
        finally:
            self._news.put(0)
            for each, handler in before.items():
                signal.signal(each, handler)

    def wait_for(self, outcomes: Iterator[UpdateOutcome]) -> UpdateOutcome | None:
        """Return the next outcome, or None if there is none, and raise `KeyboardInterrupt` within the job once."""
        self._may_interrupt = True
        try:
            if self.received and not self._has_interrupted:  # since the last one
                self._has_interrupted = True
                return cast("Generator[UpdateOutcome]", outcomes).throw(KeyboardInterrupt)
            return next(outcomes, None)
        finally:
            self._may_interrupt = False

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        self.received = number
        self._news.put(number)
        with suppress(OSError):  # not by print, which a signal can interrupt
            os.write(2, _NOTE * bool(sys.stderr))  # without it, 2 can be any file
        if self._may_interrupt:
            self._has_interrupted = True
            raise KeyboardInterrupt

    def _end_late(self) -> None:
        if number := self._news.get():
            try:
                self._news.get(timeout=_GRACE)
            except Empty:  # pragma: no cover - tested in a process of its own
                os._exit(128 + number)
