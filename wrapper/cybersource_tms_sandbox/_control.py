"""How to steer a running sandbox without Python: `PUT /sandbox/faults` and `POST /sandbox/reset`."""

import json
from typing import TYPE_CHECKING

from ._faults import Fault
from ._messages import Received, Reply

if TYPE_CHECKING:
    from ._sandbox import Sandbox


def control(sandbox: "Sandbox", request: Received) -> Reply | None:
    """Return the reply to a request that steers the sandbox, or None for any other request."""
    if (request.method, request.path) == ("POST", "/sandbox/reset"):
        sandbox.reset()
        return Reply(204, {})
    if (request.method, request.path) == ("PUT", "/sandbox/faults"):
        return replace_faults(sandbox, request.body)
    return None


def replace_faults(sandbox: "Sandbox", body: bytes) -> Reply:
    """Read a JSON array of faults, each with the fields of `Fault`, and forget earlier ones."""
    try:
        faults = [Fault(**{**item, "body": item.get("body", "").encode()}) for item in json.loads(body)]
    except (AttributeError, TypeError, ValueError) as error:
        return Reply(400, {"Content-Type": "text/plain;charset=utf-8"}, f"{error}\n".encode())
    sandbox.faults.clear()
    sandbox.fail(*faults)
    return Reply(204, {})
