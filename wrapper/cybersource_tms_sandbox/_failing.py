"""The service as a test has it: it keeps what it receives, and fails as told."""

import threading
from collections import deque
from collections.abc import Callable

from ._faults import Fault
from ._messages import Received, Reply, build_reply, summarize
from ._service import Service


class FailingService(Service):
    """The service, to which a transport or a server gives each request: to `receive`, and then to `handle`."""

    received: list[Received]
    faults: deque[Fault]
    tell: Callable[[str], object]

    def __init__(self, etag_format: str) -> None:
        super().__init__(etag_format)
        self._lock = threading.RLock()
        self.tell = lambda _: None

    def reset(self) -> None:
        """Go back to the initial state, but for the keys: these stay trusted."""
        with self._lock:
            super().reset()
            self.received = []
            self.faults = deque()

    def fail(self, *faults: Fault | int) -> None:
        """Let each of the next requests use up one fault; a number is a status.

        Raises:
            ValueError: One of them is not a fault, or is impossible.
        """
        self.faults.extend([fault if isinstance(fault, Fault) else Fault(status=fault) for fault in faults])

    def receive(self, request: Received) -> Fault:
        """Authenticate a request, keep it, and return what is to go wrong with it."""
        with self._lock:
            self.authenticate(request)
            self.received.append(request)
            return self.faults.popleft() if self.faults else Fault()

    def handle(self, request: Received, fault: Fault) -> Reply | None:
        """Apply a request if it is to be applied, and return the reply, or None if there is to be none."""
        with self._lock:
            if fault.delay and request not in self.received:  # a reset must not be undone by what was delayed
                return None
            reply = self._reply_to(request, fault)
            request.reply = None if fault.cut else reply
        self.tell(summarize(request, "as a fault says" if fault.status or fault.cut else request.reason))
        return reply

    def _reply_to(self, request: Received, fault: Fault) -> Reply | None:
        reply = self.respond(request) if fault.serves else None
        if fault.status is None:
            return reply if fault.cut in (None, "middle") else None
        if fault.body is None:
            return self.respond_with(request, fault.status, fault.headers)
        return build_reply(fault.status, fault.body, fault.headers)
