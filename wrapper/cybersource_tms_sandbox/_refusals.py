"""What the service refuses, and in which words: those of the error examples in its published Swagger document."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

UNAUTHENTICATED = {"response": {"rmsg": "Authentication Failed"}}  # whatever the reason

# status: errors[0].type, errors[0].message
WORDS = {
    HTTPStatus.BAD_REQUEST: ("invalidRequest", "Invalid HTTP Body"),
    HTTPStatus.FORBIDDEN: ("forbidden", "Request not permitted"),
    HTTPStatus.NOT_FOUND: ("notFound", "Token not found"),
    HTTPStatus.METHOD_NOT_ALLOWED: ("methodNotAllowed", "Method not allowed"),
    HTTPStatus.GONE: ("notAvailable", "Token not available."),
    HTTPStatus.PRECONDITION_FAILED: (
        "conflict",
        "Action cannot be performed as the if-match header value does not match the token etag",
    ),
    HTTPStatus.FAILED_DEPENDENCY: ("notFound", "Profile not found"),
}


class Refused(Exception):
    """A response with an error in the service's shape. Its text is the reason, which may say more than the response."""

    def __init__(self, status: HTTPStatus, reason: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        kind, message = WORDS[status]
        super().__init__(reason or message)
        self.status = status
        self.headers = headers or {}
        self.error: dict[str, Any] = {"type": kind, "message": message}


class Invalid(Refused):
    """A 400 that is about something else than the body as a whole: `names` are the headers or fields."""

    def __init__(self, kind: str, message: str, location: str = "", names: list[str] | None = None) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, message)
        details = [{"name": name, "location": location} for name in names or ()]
        self.error = {"type": kind, "message": message} | ({"details": details} if details else {})
