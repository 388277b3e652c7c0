"""A request as the service sees it, and what the service replies."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import httpx

from ._json import dump_json

CONTENT_TYPE = "application/json;charset=utf-8"
NO_BODY = (204, 304)  # statuses without a body and its length, RFC 9110 section 6.4.1


@dataclass(frozen=True)
class Reply:
    """A response: its status, its headers without Content-Length, and the bytes of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as they go over the wire, with the body's length if that is missing."""
        headers = httpx.Headers([(name.encode(), value.encode("latin-1")) for name, value in self.headers.items()])
        if self.status not in NO_BODY:
            headers.setdefault("Content-Length", str(len(self.body)))
        return headers.raw


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


def build_reply(status: int, body: bytes, headers: Mapping[str, str]) -> Reply:
    """Return a reply with the date and the two ids that each response has, unless `headers` has others."""
    ids = {"v-c-correlation-id": str(uuid.uuid4()), "uniqueTransactionID": str(uuid.uuid4())}
    given = {name.lower() for name in headers}
    added = {
        name: value for name, value in {"Date": formatdate(usegmt=True), **ids}.items() if name.lower() not in given
    }
    return Reply(status, {**added, **headers}, body)


def build_json_reply(status: int, value: object, headers: Mapping[str, str]) -> Reply:
    """Return a reply with a JSON body."""
    return build_reply(status, dump_json(value), {"Content-Type": CONTENT_TYPE, **headers})
