"""A client's settings, checked."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import httpx
from attrs import frozen

from cybersource_tms._credentials.json_web_token import JsonWebTokenAuth
from cybersource_tms._credentials.message_encryption import MessageEncryption, refuse_signing_key
from cybersource_tms._version import __version__
from cybersource_tms.errors import InvalidRequest

from .environment import Environment, resolve_base_url, resolve_environment
from .retries import A_DAY, Retries

DEFAULT_TIMEOUT = httpx.Timeout(connect=5.0, read=30.0, write=10.0, pool=10.0)
DEFAULT_RETRIES = Retries()
DEFAULT_CONNECTIONS = 100

_MEDIA_TYPE = "application/json;charset=utf-8"
_HEADERS = {
    "Accept": _MEDIA_TYPE,
    "Accept-Encoding": "gzip",
    "Content-Type": _MEDIA_TYPE,  # on GET too: the service's guide, "JSON Web Token with a shared secret"
    "User-Agent": f"cybersource-tms/{__version__}",
}
# What a call sets by itself, or what would change how the request is read.
_RESERVED = {
    *("accept", "accept-encoding", "content-type", "user-agent", "authorization", "if-match", "profile-id", "host"),
    *("cookie", "connection", "content-length", "content-encoding", "transfer-encoding", "upgrade", "te", "trailer"),
}

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
# RFC 9110 section 5.5: a header's value is visible ASCII, with spaces only inside.
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_PROFILE_LENGTH = 36


@frozen
class Settings:
    """How a client calls the service: whom a request is for (`environment`), and where it is sent (`base_url`)."""

    environment: Environment
    base_url: str
    auth: httpx.Auth
    timeout: httpx.Timeout
    retries: Retries | None
    encryption: MessageEncryption | None
    profile_id: str | None
    headers: Mapping[str, str]


def parse_settings(
    environment: Environment | str,
    auth: object,
    *,
    timeout: float | httpx.Timeout,
    retries: object,
    profile_id: object,
    encryption: object,
    base_url: str | None,
    headers: object,
) -> Settings:
    """Return the checked arguments of a client, or raise `InvalidRequest`, which names the one that is wrong."""
    if not isinstance(auth, httpx.Auth):
        raise InvalidRequest("auth: expected credentials such as SharedSecretAuth, or another httpx.Auth")
    if not isinstance(encryption, MessageEncryption | None):
        raise InvalidRequest("encryption: expected a MessageEncryption")
    if encryption and not isinstance(auth, JsonWebTokenAuth):
        raise InvalidRequest("encryption: it needs an auth that signs with a JSON Web Token, such as SharedSecretAuth")
    if encryption:
        refuse_signing_key(auth, encryption)
    chosen = resolve_environment(environment)
    return Settings(
        environment=chosen,
        base_url=resolve_base_url(chosen, base_url),
        auth=auth,
        timeout=parse_timeout(timeout),
        retries=parse_retries(retries),
        encryption=encryption,
        profile_id=None if profile_id is None else _parse_profile(profile_id),
        headers=_parse_headers({} if headers is None else headers),
    )


def parse_timeout(timeout: float | httpx.Timeout) -> httpx.Timeout:
    """Return the time-outs of an argument, or raise `InvalidRequest` if one is out of range."""
    steps: list[Any] = list(timeout.as_dict().values()) if isinstance(timeout, httpx.Timeout) else [timeout]
    if all(type(seconds) in {int, float} and 0 < seconds <= A_DAY for seconds in steps):
        return httpx.Timeout(timeout)
    raise InvalidRequest("timeout: connect, read, write and pool each need seconds, above 0 and at most a day")


def parse_retries(retries: object) -> Retries | None:
    """Return a `Retries` or None, or raise `InvalidRequest` if it is something else."""
    if isinstance(retries, Retries | None):
        return retries
    raise InvalidRequest("retries: expected a Retries, or None")


def parse_count(argument: str, value: object, least: int = 1) -> int:
    """Return a whole number, or raise `InvalidRequest` if it is none or less than `least`."""
    if type(value) is int and value >= least:
        return value
    raise InvalidRequest(f"{argument}: expected a whole number of {least} or more")


def _parse_profile(profile_id: object) -> str:
    if isinstance(profile_id, str) and len(profile_id) == _PROFILE_LENGTH and _HEADER_VALUE.fullmatch(profile_id):
        return profile_id
    raise InvalidRequest(f"profile_id: expected {_PROFILE_LENGTH} characters of visible ASCII, without a line break")


def _parse_headers(headers: object) -> Mapping[str, str]:
    if not isinstance(headers, Mapping):
        raise InvalidRequest("headers: expected a mapping of names and values, both text")
    given = cast("Mapping[object, object]", headers)
    for name, value in given.items():
        if not (isinstance(name, str) and _HEADER_NAME.fullmatch(name)):
            raise InvalidRequest("headers: a name is not the name of a header (RFC 9110 section 5.1)")
        if name.lower() in _RESERVED:
            raise InvalidRequest(f"headers: {name} is set by the client itself")
        if not (isinstance(value, str) and _HEADER_VALUE.fullmatch(value)):
            raise InvalidRequest("headers: each value has to be visible ASCII, without a line break")
    return MappingProxyType(_HEADERS | cast("dict[str, str]", dict(given)))
