"""How the service responds to a request: authenticate, decrypt, apply, encrypt. No input or output."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from ._customers import Stored, merge, new_etag
from ._json import dump_json, is_object, parse_json
from ._json_web_token import Unauthenticated, check_token, require, signed_path
from ._keyring import Keyring
from ._keys import KEY_ID, MERCHANT_ID, SECRET
from ._limits import wrong_fields, wrong_headers
from ._message_encryption import RESPONSE_KEY_CLAIM, ResponseKeys, decrypt_request
from ._messages import Received, Reply, build_json_reply, build_reply
from ._refusals import Invalid, Refused
from ._spec import response_example

PROFILE_ID = "93b32398-ad51-4cc2-a682-ea3e93614eb1"
METHODS = ("GET", "PATCH")
CUSTOMER = re.compile("/tms/v2/customers/([^/]+)")


class Service:
    """The service's state, and how it responds."""

    profiles: set[str]
    forbidden_profiles: set[str]
    requires_encryption: bool

    def __init__(self, etag_format: str) -> None:
        self._etag_format = etag_format
        self._keyring = Keyring()
        self._response_keys = ResponseKeys()
        self._customers: dict[str, Stored] = {}
        self._initial = self._customers

    def reset(self) -> None:
        """Go back to the initial state, but for the keys: these stay trusted."""
        self._customers = {each: replace(stored, etag=self._new_etag()) for each, stored in self._initial.items()}
        self._keyring.trust_secret(MERCHANT_ID, KEY_ID, SECRET, ())
        self._token_ids: set[str] = set()
        self.profiles = {PROFILE_ID}
        self.forbidden_profiles = set()
        self.requires_encryption = False

    def authenticate(self, request: Received) -> None:
        """Note whether a request is authentic, what its token claims, and what is encrypted in it."""
        try:
            claims = check_token(request, self._keyring)
            self._use_up(claims["jti"].lower())
            request.claims, request.authenticated = claims, True
            if (plain := decrypt_request(request.body)) is not None:
                request.plain, request.encrypted = plain, True
        except (Unauthenticated, ValueError) as error:
            request.reason = str(error)

    def _use_up(self, token_id: str) -> None:
        require(token_id not in self._token_ids, "jti was seen before")
        self._token_ids.add(token_id)

    def respond(self, request: Received) -> Reply:
        """Apply a request that `authenticate` has seen, and return the reply."""
        if not request.authenticated:
            return self.respond_with(request, HTTPStatus.UNAUTHORIZED, {})
        try:
            stored = self._serve(request)
        except Refused as refused:
            request.reason = str(refused)
            return self._reply(request, refused.status, dump_json({"errors": [refused.error]}), refused.headers)
        return self._reply(request, HTTPStatus.OK, stored.text, {"ETag": stored.etag})

    def respond_with(self, request: Received, status: int, headers: Mapping[str, str]) -> Reply:
        """Return the spec's example of an error status, or a reply without a body.

        It is encrypted as any reply. A 401 is not: the layer that authenticates responds before the service.
        """
        example = response_example(status) if status >= HTTPStatus.BAD_REQUEST else None
        if example is None:
            return build_reply(status, b"", headers)
        if status == HTTPStatus.UNAUTHORIZED:
            return build_json_reply(status, dump_json(example), headers)
        return self._reply(request, status, dump_json(example), headers)

    def _reply(self, request: Received, status: int, body: bytes, headers: Mapping[str, str]) -> Reply:
        return build_json_reply(status, self._response_keys.encrypt(body, request.claims), headers)

    def _serve(self, request: Received) -> Stored:
        customer_id = find_customer_id(request).upper()
        check_headers(request)
        self._check_encryption(request)
        self._check_profile(request.headers.get("profile-id"))
        stored = self._customers.get(customer_id)
        if stored is None:
            raise Refused(HTTPStatus.NOT_FOUND)
        if stored.deleted:
            raise Refused(HTTPStatus.GONE)
        if request.method == "GET":
            return stored
        patch = read_patch(request)
        if request.headers.get("if-match", stored.etag) != stored.etag:
            raise Refused(HTTPStatus.PRECONDITION_FAILED)
        return self._update(customer_id, patch)

    def _update(self, key: str, patch: Mapping[str, Any]) -> Stored:
        """Merge a patch into a customer. The ETag moves if that changes anything."""
        stored = self._customers[key]
        before = json.loads(stored.text)
        after = merge(before, patch)
        if dump_json(after, sort_keys=True) != dump_json(before, sort_keys=True):  # by == a true is a 1
            stored = self._customers[key] = replace(stored, text=dump_json(after), etag=self._new_etag())
        return stored

    def _new_etag(self) -> str:
        return new_etag(self._etag_format)

    def _check_encryption(self, request: Received) -> None:
        if request.reason:
            raise Refused(HTTPStatus.BAD_REQUEST, request.reason)
        if RESPONSE_KEY_CLAIM in request.claims and not self._response_keys.find(request.claims):
            raise Refused(HTTPStatus.BAD_REQUEST, f"{RESPONSE_KEY_CLAIM} is unknown")
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


def check_headers(request: Received) -> None:
    """Refuse headers that the spec does not admit. Where a header stands, the service does not say."""
    names = wrong_headers(request.method, request.headers)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "PATCH" and media_type != "application/json":
        names.append("Content-Type")
    if names:
        details = [{"name": name} for name in names]
        raise Invalid("invalidHeaders", "Invalid header values", ", ".join(names), details)


def read_patch(request: Received) -> dict[str, Any]:
    """Return a request's body, once it is one that the service would apply."""
    try:
        patch = parse_json(request.plain)
    except ValueError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is not JSON") from error
    if not is_object(patch):
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is not a JSON object")
    if wrong := wrong_fields(patch):
        reason = ", ".join(f"{each.location} ({each.rule})" for each in wrong)
        details = [{"name": each.name, "location": each.location} for each in wrong]
        raise Invalid("invalidFields", "Invalid fields in the request", reason, details)
    return patch
