"""What a caller gives, checked: everything here refuses before anything is sent."""

import re
from typing import Any

import httpx
from attrs import frozen

from cybersource_tms_api.models import CustomerUpdate
from cybersource_tms_api.types import UNSET

from ._auth import JsonWebTokenAuth
from ._changed_fields import field_paths
from ._encryption import MessageEncryption
from ._environment import Environment, server
from ._retries import Retries
from ._schema import Mismatch, Use, Wire, check, copy_json
from ._version import __version__
from .errors import InvalidRequest

DEFAULT_TIMEOUT = httpx.Timeout(connect=5.0, read=30.0, write=10.0, pool=10.0)
DEFAULT_RETRIES = Retries()

_A_DAY = 86_400  # seconds

# `..` and `/` would reach other resources. The service's ids are 1 to 32 characters.
_CUSTOMER_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
# RFC 9110 section 5.5: a header's value is visible ASCII, with spaces only inside.
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")


@frozen(repr=False)
class _Checked:
    """What was checked is what is sent, in every attempt: the generated functions only want its wire form."""

    patch: Wire

    def to_dict(self) -> Wire:
        return self.patch


def client_settings(
    environment: Environment | str,
    auth: object,
    timeout: float | httpx.Timeout,
    base_url: str | None,
    encryption: object,
) -> dict[str, Any]:
    """Return the settings of an `httpx` client, from the arguments of ours.

    Raises:
        InvalidRequest: One of them is wrong; the message names it.
    """
    if not isinstance(auth, httpx.Auth):
        raise InvalidRequest("auth: expected credentials such as SharedSecretAuth, or another httpx.Auth")
    if not isinstance(encryption, MessageEncryption | None):
        raise InvalidRequest("encryption: expected a MessageEncryption")
    if encryption and not isinstance(auth, JsonWebTokenAuth):
        raise InvalidRequest("encryption: it needs an auth that signs with a JSON Web Token, such as SharedSecretAuth")
    return {
        "encryption": encryption,
        "base_url": server(environment, base_url),
        "auth": auth,
        "timeout": _finite(timeout),
        "follow_redirects": False,  # httpx would sign again for the new host
        "headers": {"Accept": "application/json;charset=utf-8", "User-Agent": f"cybersource-tms/{__version__}"},
    }


def update_arguments(customer_id: object, changes: object, if_match: object, profile_id: str | None) -> dict[str, Any]:
    """Return the arguments of the generated update functions.

    Raises:
        InvalidRequest: One of them is wrong; the message names it.
    """
    if not isinstance(changes, CustomerUpdate):
        raise InvalidRequest("changes: expected a CustomerUpdate, as changed_fields returns it")
    try:
        patch = check(changes, CustomerUpdate, Use.PATCH)
    except Mismatch as mismatch:
        raise InvalidRequest(f"changes: {mismatch}") from mismatch
    if not field_paths(patch):
        raise InvalidRequest("changes: there is no field in it; changed_fields returns None when nothing differs")
    return {
        **retrieve_arguments(customer_id, profile_id),
        "body": _Checked(copy_json(patch)),
        "if_match": UNSET if if_match is None else _header("if_match", if_match, 1, 32),
    }


def retrieve_arguments(customer_id: object, profile_id: str | None) -> dict[str, Any]:
    """Return the arguments of the generated retrieve functions.

    Raises:
        InvalidRequest: The customer id is wrong.
    """
    if not isinstance(customer_id, str) or not _CUSTOMER_ID.fullmatch(customer_id):
        raise InvalidRequest("customer_id: expected 1 to 32 characters of A-Z, a-z, 0-9, _ and -")
    return {"customer_token_id": customer_id, "profile_id": UNSET if profile_id is None else profile_id}


def checked_profile_id(profile_id: object) -> str | None:
    """Return a profile's id, or raise `InvalidRequest`."""
    return None if profile_id is None else _header("profile_id", profile_id, 36, 36)


def checked_retries(retries: object) -> Retries | None:
    """Return what `retries=` is, or raise `InvalidRequest`."""
    if isinstance(retries, Retries | None):
        return retries
    raise InvalidRequest("retries: expected a Retries, or None")


def _header(name: str, value: object, least: int, most: int) -> str:
    if isinstance(value, str) and least <= len(value) <= most and _HEADER_VALUE.fullmatch(value):
        return value
    length = f"{least}" if least == most else f"{least} to {most}"
    raise InvalidRequest(f"{name}: expected {length} characters of visible ASCII, without a line break")


def _finite(timeout: float | httpx.Timeout) -> httpx.Timeout:
    limits: list[Any] = list(timeout.as_dict().values()) if isinstance(timeout, httpx.Timeout) else [timeout]
    if all(type(limit) in {int, float} and 0 < limit <= _A_DAY for limit in limits):
        return httpx.Timeout(timeout)
    raise InvalidRequest("timeout: connect, read, write and pool each need seconds, above 0 and at most a day")


def refuse_closed(client: httpx.Client | httpx.AsyncClient) -> None:
    """Raise `InvalidRequest` if the client is closed."""
    if client.is_closed:
        raise InvalidRequest("this client is closed: make a new one")
