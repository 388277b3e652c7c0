"""A request as the service sees it, and what the service replies."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import httpx

NO_BODY = (204, 304)  # statuses without a body and its length, RFC 9110 section 6.4.1
LONGEST_REASON = 200  # characters of a line in the log


@dataclass(frozen=True)
class Reply:
    """A response: its status, its headers without Content-Length, and the bytes of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as they go over the wire, with the body's length."""
        headers = [(name.encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        return headers if self.status in NO_BODY else [*headers, (b"Content-Length", b"%d" % len(self.body))]


@dataclass(eq=False)
class Received:
    """One request that the sandbox received, and what became of it.

    `path` is the target as sent, with its query. `body` is what was on the wire; `plain` is the JSON text that was
    encrypted in it, or else the same. `claims` are those of the token, once the request is `authenticated`. `reason`
    says why it was refused. `reply` is None as long as there is no response, and if the connection was cut.
    """

    method: str
    path: str
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)
    plain: bytes = field(init=False, repr=False)
    encrypted: bool = False
    authenticated: bool = False
    claims: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    reason: str = ""
    reply: Reply | None = None

    def __post_init__(self) -> None:
        self.plain = self.body

    @property
    def status(self) -> int | None:
        """The status of the reply."""
        return self.reply.status if self.reply else None


def summarize(request: Received, reason: str) -> str:
    """Return a request, its status and the reason for that, in one line of ASCII."""
    shown = ascii(reason)[1:-1][:LONGEST_REASON]
    return f"{request.method} {request.path} {request.status or 'no response'}{shown and f': {shown}'}"


def build_reply(status: int, body: bytes, headers: Mapping[str, str], content_type: str = "") -> Reply:
    """Return a reply with the date and the two ids that each response has, unless `headers` has others."""
    added = {"Date": formatdate(usegmt=True)} | ({"Content-Type": content_type} if content_type else {})
    added |= {name: str(uuid.uuid4()) for name in ("v-c-correlation-id", "uniqueTransactionID")}
    given = {name.lower() for name in headers}
    return Reply(status, {name: added[name] for name in added if name.lower() not in given} | {**headers}, body)


def build_json_reply(status: int, body: bytes, headers: Mapping[str, str]) -> Reply:
    """Return a reply with a JSON body."""
    return build_reply(status, body, headers, "application/json;charset=utf-8")
