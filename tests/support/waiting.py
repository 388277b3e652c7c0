"""Waiting for what another thread does, however busy the machine is."""

import time
from collections.abc import Callable

from cybersource_tms_sandbox import Fault

LIMIT = 60  # seconds until a test fails that waits for something
HANGS = Fault(delay=3600)  # the sandbox receives the request and does not respond while the test runs


def eventually(fact: Callable[[], bool]) -> bool:
    """Wait until something is true; return False if it is not in time."""
    deadline = time.monotonic() + LIMIT
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
