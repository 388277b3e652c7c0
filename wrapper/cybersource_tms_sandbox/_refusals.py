"""What the service refuses, and in which words: those of the spec's examples."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from ._spec import response_example

METHOD_NOT_ALLOWED = {"type": "methodNotAllowed", "message": "Method not allowed"}  # no operation documents it


class Refused(Exception):
    """A response with an error in the service's shape. Its text is the reason, which may say more than the response."""

    def __init__(self, status: HTTPStatus, reason: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        example = response_example(status)
        words = example["errors"][0] if example else METHOD_NOT_ALLOWED
        super().__init__(reason or words["message"])
        self.status = status
        self.headers = headers or {}
        self.error: dict[str, Any] = {name: words[name] for name in ("type", "message")}


class Invalid(Refused):
    """A 400 that is about something else than the body as a whole: `details` are the headers or fields."""

    def __init__(self, kind: str, message: str, reason: str = "", details: Iterable[Mapping[str, str]] = ()) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, f"{message}: {reason}" if reason else message)
        self.error = {"type": kind, "message": message} | ({"details": [*details]} if details else {})
