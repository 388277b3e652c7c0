"""What goes wrong with a request, when a test says so."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ._messages import NO_BODY

STATUSES = range(200, 600)
CUTS = ("before", "after", "middle")
LONGEST_DELAY = 3600  # seconds
FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
FIELD_VALUE = re.compile(r"([!-~\x80-\xff]+([ \t]+[!-~\x80-\xff]+)*)?")  # RFC 9110 section 5.5
FRAMING = ("content-length", "transfer-encoding")


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request. One with only a delay serves the request after it.

    Args:
        status: Respond with this status, 200 to 599, instead of applying the request.
        body: The body of that response, byte for byte. None: the spec's example of an error status, encrypted if the
            request asks for that; nothing for other statuses.
        headers: Its headers, without those that say how long the body is. The service's two ids are added, unless they
            are among them.
        delay: Seconds to wait before anything else happens, an hour at most.
        cut: Cut the connection: `"before"` or `"after"` the request is applied, with no response, or in the
            `"middle"` of the response's body.
        applied: Apply the request although the response has `status`.

    Raises:
        ValueError: No fault can be like this, and the message says why.
    """

    status: int | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    delay: float = 0.0
    cut: Literal["before", "after", "middle"] | None = None
    applied: bool = False

    def __post_init__(self) -> None:
        if problem := next(_problems(self), None):
            raise ValueError(f"impossible fault: {problem}")
        object.__setattr__(self, "headers", dict(self.headers))  # the caller may change theirs later

    @property
    def serves(self) -> bool:
        """Whether the request is applied, whatever the client sees of it."""
        return self.applied or (self.status is None and self.cut != "before")


def _problems(fault: Any) -> Iterator[str]:
    """Yield what is wrong. The types are checked too: a fault can come as JSON."""
    if fault.status is not None and not (_is_number(fault.status, int) and fault.status in STATUSES):
        yield f"status is {fault.status!r}, not a number from {STATUSES[0]} to {STATUSES[-1]}"
    if fault.cut not in (None, *CUTS):
        yield f"cut is {fault.cut!r}, not one of {', '.join(CUTS)}"
    if not _is_number(fault.delay, int | float) or not 0 <= fault.delay <= LONGEST_DELAY:
        yield f"delay is {fault.delay!r}, not a number of seconds from 0 to {LONGEST_DELAY}"
    if type(fault.applied) is not bool or not isinstance(fault.body, bytes | None):
        yield "applied is a bool and body is bytes"
    if not hasattr(fault.headers, "items") or not all(_is_header(*item) for item in fault.headers.items()):
        yield "headers is a mapping of names to values, both text, without control characters, and without the framing"
    if fault.status is None and (fault.body is not None or fault.headers):
        yield "body and headers need a status"
    if fault.status in NO_BODY and fault.body:
        yield f"a response with status {fault.status} has no body"
    if fault.cut in ("before", "after") and fault.status is not None:
        yield f"there is no response to have a status when the connection is cut {fault.cut} the request is applied"
    if fault.cut == "before" and fault.applied:
        yield "the connection cannot be cut before the request is applied if it is applied"


def _is_header(name: Any, value: Any) -> bool:
    if not (isinstance(name, str) and isinstance(value, str)) or name.lower() in FRAMING:
        return False
    return bool(FIELD_NAME.fullmatch(name) and FIELD_VALUE.fullmatch(value))


def _is_number(value: object, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
