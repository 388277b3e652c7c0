"""What a caller gives, checked: everything here refuses before anything is sent."""
# What is private to the generated code is part of this distribution, and pinned to one version of the generator:
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

import re
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any, TypeGuard, cast

import httpx
from attrs import frozen

from cybersource_tms._calls.environment import Environment, server
from cybersource_tms._calls.records import Call, CustomerRecord
from cybersource_tms._calls.retries import Retries
from cybersource_tms._credentials.json_web_token import JsonWebTokenAuth
from cybersource_tms._credentials.message_encryption import MessageEncryption, refuse_signing_key
from cybersource_tms._diff.changed_fields import field_paths
from cybersource_tms._diff.schema import Mismatch, customer_schema, to_json
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_api.api import customers
from cybersource_tms_api.models import Customer, CustomerUpdate
from cybersource_tms_api.types import UNSET

ChangeFunction = Callable[[Customer], CustomerUpdate | None]
Change = CustomerUpdate | ChangeFunction

DEFAULT_TIMEOUT = httpx.Timeout(connect=5.0, read=30.0, write=10.0, pool=10.0)

_A_DAY = 86_400  # seconds

# `..` and `/` would reach other resources. The service's ids are 1 to 32 characters.
_CUSTOMER_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
# RFC 9110 section 5.5: a header's value is visible ASCII, with spaces only inside.
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_LONGEST_ETAG = 256  # the service's are 32 characters; a proxy may make them weak or quote them


@frozen
class Settings:
    """A client's settings, checked: `host` is the environment's, `base_url` is where requests are sent."""

    base_url: str
    host: str
    auth: httpx.Auth
    timeout: httpx.Timeout
    encryption: MessageEncryption | None
    profile_id: str | None
    retries: Retries | None
    max_connections: int


@frozen(repr=False)
class _CheckedBody:
    """The body for the generated code, which only asks for its wire form: what was checked is what is sent."""

    wire: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return self.wire


def client_settings(
    environment: Environment | str,
    auth: object,
    *,
    timeout: float | httpx.Timeout,
    retries: object,
    profile_id: object,
    encryption: object,
    base_url: str | None,
    max_connections: object,
) -> Settings:
    """Check the arguments of a client.

    Raises:
        InvalidRequest: One of them is wrong; the message names it.
    """
    if not isinstance(auth, httpx.Auth):
        raise InvalidRequest("auth: expected credentials such as SharedSecretAuth, or another httpx.Auth")
    if not isinstance(encryption, MessageEncryption | None):
        raise InvalidRequest("encryption: expected a MessageEncryption")
    if encryption and not isinstance(auth, JsonWebTokenAuth):
        raise InvalidRequest("encryption: it needs an auth that signs with a JSON Web Token, such as SharedSecretAuth")
    if encryption:
        refuse_signing_key(auth, encryption)
    if not isinstance(retries, Retries | None):
        raise InvalidRequest("retries: expected a Retries, or None")
    address, host = server(environment, base_url)
    profile = None if profile_id is None else _check_header("profile_id", profile_id, 36, 36)
    most = check_count("max_connections", max_connections)
    return Settings(address, host, auth, _check_timeout(timeout), encryption, profile, retries, most)


def retrieve_call(customer_id: object, profile_id: str | None) -> Call[CustomerRecord]:
    """Check the arguments of `retrieve`.

    Raises:
        InvalidRequest: The customer id is wrong.
    """
    checked = check_customer_id(customer_id)
    request = customers.retrieve_customer._get_kwargs(checked, profile_id=profile_id or UNSET)
    return Call(request, customers.RETRIEVE_CUSTOMER_SUCCESS, checked)


def update_call(customer_id: object, changes: object, if_match: object, profile_id: str | None) -> Call[CustomerRecord]:
    """Check the arguments of `update`.

    Raises:
        InvalidRequest: One of them is wrong; the message names it.
    """
    body = _check_body("changes", changes)
    checked = check_customer_id(customer_id)
    etag = UNSET if if_match is None else _check_header("if_match", if_match, 1, _LONGEST_ETAG)
    request = customers.update_customer._get_kwargs(checked, body=body, if_match=etag, profile_id=profile_id or UNSET)
    return Call(request, customers.UPDATE_CUSTOMER_SUCCESS, checked)


def is_function(changes: object, if_match: object = None) -> TypeGuard[ChangeFunction]:
    """Say whether changes are a function of the customer. The class `CustomerUpdate` itself is a mistake.

    Raises:
        InvalidRequest: They are an async one, or there is an `if_match`.
    """
    if not callable(changes) or isinstance(changes, type):
        return False
    if iscoroutinefunction(changes):
        raise InvalidRequest("changes: expected a function that is not async, for either client")
    if if_match is not None:
        raise InvalidRequest("if_match: not with a function as changes; the ETag of what it gets is used")
    return True


def check_customer_id(customer_id: object) -> str:
    """Return a customer's token id.

    Raises:
        InvalidRequest: It cannot be one.
    """
    if not isinstance(customer_id, str) or not _CUSTOMER_ID.fullmatch(customer_id):
        raise InvalidRequest("customer_id: expected 1 to 32 characters of A-Z, a-z, 0-9, _ and -")
    return customer_id


def check_count(name: str, value: object) -> int:
    """Return a whole number of 1 or more.

    Raises:
        InvalidRequest: It is not such a number.
    """
    if type(value) is int and value >= 1:
        return value
    raise InvalidRequest(f"{name}: expected a whole number of 1 or more")


def check_iterable(updates: object, *kinds: type) -> None:
    """Refuse what holds no updates.

    Raises:
        InvalidRequest: It is of none of these kinds of iterable.
    """
    if not isinstance(updates, kinds):
        raise InvalidRequest("updates: expected an iterable of pairs of a customer id and its changes")


def can_be_sent_back(etag: str) -> bool:
    """Say whether an ETag of a response guards an update when it is sent as `if-match`.

    RFC 9110 section 8.8.3 has quoted and weak tags, the service's are bare. `*` would match any state of the customer,
    and a comma outside of quotes is what two ETag headers look like.
    """
    bare = r"[!#-+\--~]+"
    quoted = r'(W/)?"[!#-~]*"'
    return len(etag) <= _LONGEST_ETAG and etag != "*" and re.fullmatch(f"{bare}|{quoted}", etag) is not None


def _check_body(name: str, body: object) -> CustomerUpdate:
    """Return what stands for the body in the generated code."""
    if not isinstance(body, CustomerUpdate):
        raise InvalidRequest(
            f"{name}: expected a CustomerUpdate, as changed_fields returns it, and not {type(body).__name__}"
        )
    try:
        wire: dict[str, Any] = to_json(body, customer_schema(), sent=True)
    except Mismatch as mismatch:
        raise InvalidRequest(f"{name}: {mismatch}") from mismatch
    if not field_paths(wire):
        raise InvalidRequest(f"{name}: it has no field; changed_fields returns None when nothing differs")
    return cast("CustomerUpdate", _CheckedBody(wire))


def _check_header(name: str, value: object, least: int, most: int) -> str:
    if isinstance(value, str) and least <= len(value) <= most and _HEADER_VALUE.fullmatch(value):
        return value
    length = f"{least}" if least == most else f"{least} to {most}"
    raise InvalidRequest(f"{name}: expected {length} characters of visible ASCII, without a line break")


def _check_timeout(timeout: float | httpx.Timeout) -> httpx.Timeout:
    limits: list[Any] = list(timeout.as_dict().values()) if isinstance(timeout, httpx.Timeout) else [timeout]
    if all(type(limit) in {int, float} and 0 < limit <= _A_DAY for limit in limits):
        return httpx.Timeout(timeout)
    raise InvalidRequest("timeout: connect, read, write and pool each need seconds, above 0 and at most a day")
