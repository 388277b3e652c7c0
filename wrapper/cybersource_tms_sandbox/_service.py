"""How the service responds to a request: authenticate, decrypt, apply, encrypt. No input or output."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from ._checks import Unauthenticated, require, signed_path
from ._customers import PAGE_CUSTOMER_ID, Stored, merge, new_etag, page_customer
from ._http_signature import check_signature
from ._json import is_object, parse_json
from ._json_web_token import check_token
from ._keyring import Keyring
from ._limits import wrong_fields, wrong_headers
from ._message_encryption import MessageEncryption
from ._messages import Received, Reply, build_json_reply
from ._refusals import UNAUTHENTICATED, Invalid, Refused

PROFILE_ID = "93b32398-ad51-4cc2-a682-ea3e93614eb1"
METHODS = ("GET", "PATCH")
CUSTOMER = re.compile("/tms/v2/customers/([^/]+)")


class Service:
    """The service's state, and how it responds."""

    customers: dict[str, Stored]
    profiles: set[str]
    forbidden_profiles: set[str]
    requires_encryption: bool

    def __init__(self, etag_format: str = "{}") -> None:
        self._etag_format = etag_format
        self._keyring = Keyring()
        self._encryption = MessageEncryption()
        self.clear()

    def clear(self) -> None:
        """Go back to the initial state, but for the keys: these stay trusted."""
        self.customers = {PAGE_CUSTOMER_ID: Stored(page_customer(), new_etag(self._etag_format))}
        self.profiles = {PROFILE_ID}
        self.forbidden_profiles = set()
        self.requires_encryption = False
        self._token_ids: set[str] = set()

    def authenticate(self, request: Received) -> None:
        """Note whether a request is authentic, what its token claims, and what is encrypted in it."""
        try:
            request.claims = self._check_credentials(request)
            request.authenticated = True
            if (plain := self._encryption.decrypt_request(request.body)) is not None:
                request.plain, request.encrypted = plain, True
        except (Unauthenticated, ValueError) as error:
            request.reason = str(error)

    def _check_credentials(self, request: Received) -> dict[str, Any]:
        if "signature" in request.headers and "authorization" not in request.headers:
            check_signature(request, self._keyring)
            return {}
        claims = check_token(request, self._keyring)
        token_id = claims["jti"].lower()
        require(token_id not in self._token_ids, "jti was seen before")
        self._token_ids.add(token_id)
        return claims

    def respond(self, request: Received) -> Reply:
        """Apply a request that `authenticate` has seen, and return the reply."""
        if not request.authenticated:
            return build_json_reply(HTTPStatus.UNAUTHORIZED, UNAUTHENTICATED, {})
        try:
            stored = self._serve(request)
        except Refused as refused:
            request.reason = str(refused)
            return self._reply(request, refused.status, {"errors": [refused.error]}, refused.headers)
        return self._reply(request, HTTPStatus.OK, stored.customer, {"ETag": stored.etag})

    def _reply(self, request: Received, status: int, value: object, headers: Mapping[str, str]) -> Reply:
        return build_json_reply(status, self._encryption.encrypt_response(value, request.claims), headers)

    def _serve(self, request: Received) -> Stored:
        customer_id = find_customer_id(request)
        if wrong := wrong_headers(request.method, request.headers):
            raise Invalid("invalidHeaders", "Invalid header values", "header", wrong)
        self._check_encryption(request)
        self._check_profile(request.headers.get("profile-id"))
        stored = self.customers.get(customer_id.upper())
        if stored is None:
            raise Refused(HTTPStatus.NOT_FOUND)
        if stored.deleted:
            raise Refused(HTTPStatus.GONE)
        if request.method == "PATCH":
            patch = read_patch(request)
            if request.headers.get("if-match", stored.etag) != stored.etag:
                raise Refused(HTTPStatus.PRECONDITION_FAILED)
            self.update(stored, patch)
        return stored

    def update(self, stored: Stored, patch: Mapping[str, Any]) -> None:
        """Merge a patch into a customer. The ETag moves if that changes anything."""
        customer = merge(stored.customer, patch)
        if customer != stored.customer:
            stored.customer, stored.etag = customer, new_etag(self._etag_format)

    def _check_encryption(self, request: Received) -> None:
        if request.reason:
            raise Refused(HTTPStatus.BAD_REQUEST, request.reason)
        if not self._encryption.knows_response_key(request.claims):
            raise Refused(HTTPStatus.BAD_REQUEST, "v-c-response-mle-kid is unknown")
        if self.requires_encryption and request.method == "PATCH" and not request.encrypted:
            raise Refused(HTTPStatus.BAD_REQUEST, "the body is not encrypted")

    def _check_profile(self, profile: str | None) -> None:
        if profile in self.forbidden_profiles:
            raise Refused(HTTPStatus.FORBIDDEN)
        if profile is not None and profile not in self.profiles:
            raise Refused(HTTPStatus.FAILED_DEPENDENCY)


def find_customer_id(request: Received) -> str:
    """Return the id in a request's path, once the service has the path and the method."""
    path, question_mark, _ = signed_path(request).partition("?")
    match = CUSTOMER.fullmatch(path)
    if match is None:
        raise Refused(HTTPStatus.NOT_FOUND, "the service has no such path")
    if request.method not in METHODS:
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(METHODS)})
    if question_mark:
        raise Invalid("invalidParameters", "Invalid parameters in the request")
    return unquote(match[1])


def read_patch(request: Received) -> dict[str, Any]:
    """Return a request's body, once it is one that the service would apply."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Invalid("invalidHeaders", "Invalid header values", "header", ["Content-Type"])
    try:
        patch = parse_json(request.plain)
    except ValueError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is not JSON") from error
    if not is_object(patch):
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is not a JSON object")
    if wrong := wrong_fields(patch):
        raise Invalid("invalidFields", "Invalid fields in the request", "body", wrong)
    return patch
