"""What both authentication schemes check of a request.

Where nothing is published, this is assumed: the host that is signed has no port, in both schemes.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from ._jose import ABSENT
from ._messages import Received
from ._spec import service_hosts


class Unauthenticated(Exception):
    """Why a request was not authenticated; the client is not told."""


def require(fact: object, reason: str) -> None:
    """Refuse the request unless `fact` holds."""
    if not fact:
        raise Unauthenticated(reason)


def require_values(given: Mapping[str, Any], right: Mapping[str, tuple[object, ...]]) -> None:
    """Refuse the request unless each name has one of its right values."""
    for name, values in right.items():
        require(given.get(name, ABSENT) in values, f"{name} is wrong")


def only_header(request: Received, name: str) -> str:
    """Return a header that must be there once."""
    values = request.headers.get_list(name)
    require(len(values) == 1, f"{name} is not there once")
    return values[0]


def signed_hosts(request: Received) -> tuple[str, ...]:
    """Return the hosts that a client may sign: the environments', and the one that it sends to.

    The library always signs the environment's. Another `httpx` client signs the host of the URL that it calls.
    """
    header = request.headers.get("host", "")
    host = header[1:].partition("]")[0] if header.startswith("[") else header.partition(":")[0]
    return (host, *service_hosts())


def signed_path(request: Received) -> str:
    """Return the path at the service, with its query: what stands before it is a proxy's."""
    before, slash, after = request.path.partition("/tms/")
    return slash + after if slash else before


def digest_of(body: bytes) -> str:
    """Return the digest as both schemes write it."""
    return base64.b64encode(hashlib.sha256(body).digest()).decode()
