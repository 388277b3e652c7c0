"""How to steer a running sandbox without Python: `PUT /sandbox/faults` and `POST /sandbox/reset`."""

from typing import Any

from ._failing import FailingService
from ._faults import Fault
from ._json import parse_json
from ._messages import Received, Reply


def control(service: FailingService, request: Received) -> Reply | None:
    """Return the reply to a request that steers the sandbox, or None for any other request."""
    if (request.method, request.path) == ("POST", "/sandbox/reset"):
        service.reset()
        return Reply(204, {})
    if (request.method, request.path) == ("PUT", "/sandbox/faults"):
        return replace_faults(service, request.body)
    return None


def replace_faults(service: FailingService, body: bytes) -> Reply:
    """Read a JSON array of faults, each with the fields of `Fault`, and forget earlier ones."""
    try:
        faults = [read_fault(**item) for item in parse_json(body)]
    except (AttributeError, TypeError, ValueError) as error:
        return Reply(400, {"Content-Type": "text/plain;charset=utf-8"}, f"{error}\n".encode())
    service.faults.clear()
    service.fail(*faults)
    return Reply(204, {})


def read_fault(*, body: str | None = None, **fields: Any) -> Fault:
    """Return a fault. In JSON its body is text."""
    return Fault(**fields, body=None if body is None else body.encode())
