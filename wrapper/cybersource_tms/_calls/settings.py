"""A client's settings, checked."""

import re
import ssl
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, cast

import httpx
from attrs import field, frozen

from cybersource_tms._credentials.json_web_token import JsonWebTokenAuth
from cybersource_tms._credentials.message_encryption import MessageEncryption, refuse_signing_key
from cybersource_tms._version import __version__
from cybersource_tms.errors import InvalidRequest

from .environment import Environment
from .retries import A_DAY, Retries

DEFAULT_TIMEOUT = httpx.Timeout(connect=5.0, read=30.0, write=10.0, pool=10.0)
DEFAULT_RETRIES = Retries()
DEFAULT_CONNECTIONS = 100
_NO_RETRIES = Retries(attempts=1, total_timeout=A_DAY)

_MEDIA_TYPE = "application/json;charset=utf-8"
HEADERS = {
    "Accept": _MEDIA_TYPE,
    "Accept-Encoding": "gzip",
    "Content-Type": _MEDIA_TYPE,  # on GET too: the service's guide, "JSON Web Token with a shared secret"
    "User-Agent": f"cybersource-tms/{__version__}",
}
# What a call sets by itself, or what would change how the request is read.
_RESERVED = {
    *("accept", "accept-encoding", "content-type", "user-agent", "authorization", "if-match", "profile-id", "host"),
    *("cookie", "connection", "content-length", "content-encoding", "transfer-encoding", "upgrade", "te", "trailer"),
    *("range", "if-none-match", "if-modified-since", "expect", "x-http-method-override"),
}

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
# RFC 9110 section 5.5: a header's value is visible ASCII, with spaces only inside.
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_PROFILE = re.compile(r"[!-~][ -~]{34}[!-~]")
_EXPECTED: dict[str, tuple[Any, str]] = {
    "retries": (Retries, "a Retries, or None"),
    "auth": (httpx.Auth, "credentials such as SharedSecretAuth, or another httpx.Auth"),
    "encryption": (MessageEncryption | None, "a MessageEncryption"),
    "proxy": (str | httpx.Proxy | None, "the URL of a proxy, or an httpx.Proxy"),
    "ssl_context": (ssl.SSLContext | None, "an ssl.SSLContext"),
}


def _parse_timeout(timeout: float | httpx.Timeout) -> httpx.Timeout:
    """Return the time-outs of an argument, or raise `InvalidRequest` if one is out of range."""
    steps: list[Any] = list(timeout.as_dict().values()) if isinstance(timeout, httpx.Timeout) else [timeout]
    if all(type(seconds) in {int, float} and 0 < seconds <= A_DAY for seconds in steps):
        return httpx.Timeout(timeout)
    raise InvalidRequest("timeout: connect, read, write and pool each need seconds, above 0 and at most a day")


def _parse_retries(retries: Retries | None) -> Retries:
    return _NO_RETRIES if retries is None else retries


def parse_count(argument: str, value: object) -> int:
    """Return a whole number, or raise `InvalidRequest` if it is not one, or less than 1."""
    if type(value) is int and value >= 1:
        return value
    raise InvalidRequest(f"{argument}: expected a whole number of 1 or more")


def _parse_profile(profile: object) -> str | None:
    if profile is None or (isinstance(profile, str) and _PROFILE.fullmatch(profile)):
        return profile
    raise InvalidRequest("profile_id: expected 36 characters of visible ASCII, without a line break")


def _parse_headers(headers: object) -> Mapping[str, str]:
    given: object = {} if headers is None else headers
    if not isinstance(given, Mapping):
        raise InvalidRequest("headers: expected a mapping of names and values, both text")
    for name, value in cast("Mapping[object, object]", given).items():
        if not (isinstance(name, str) and _HEADER_NAME.fullmatch(name)):
            raise InvalidRequest("headers: a name is not the name of a header (RFC 9110 section 5.1)")
        if name.lower() in _RESERVED:
            raise InvalidRequest(f"headers: {name} is set by the client itself")
        if not (isinstance(value, str) and _HEADER_VALUE.fullmatch(value)):
            raise InvalidRequest("headers: each value has to be visible ASCII, without a line break")
    return MappingProxyType(dict(cast("Mapping[str, str]", given)))


@frozen(kw_only=True)
class Settings:
    """How a client calls the service: whom a request is for (`environment`), and where it is sent (`base_url`)."""

    environment: Environment
    base_url: str
    auth: httpx.Auth
    timeout: httpx.Timeout = field(converter=_parse_timeout)
    retries: Retries = field(converter=_parse_retries)
    encryption: MessageEncryption | None
    profile_id: str | None = field(converter=_parse_profile)
    headers: Mapping[str, str] = field(converter=_parse_headers, repr=False)
    transport: Any = field(repr=False)
    max_connections: int
    ssl_context: ssl.SSLContext | None
    proxy: str | httpx.Proxy | None = field(repr=False)

    def __attrs_post_init__(self) -> None:
        for name, (kind, expected) in _EXPECTED.items():
            if not isinstance(getattr(self, name), kind):
                raise InvalidRequest(f"{name}: expected {expected}")
        parse_count("max_connections", self.max_connections)
        if self.encryption and not isinstance(self.auth, JsonWebTokenAuth):
            raise InvalidRequest("encryption: it needs an auth that signs tokens, such as SharedSecretAuth")
        if self.encryption:
            refuse_signing_key(self.auth, self.encryption)
        if self.transport is not None and (self.ssl_context is not None or self.proxy is not None):
            raise InvalidRequest("transport: it has settings of its own: give it without ssl_context and proxy")
        if self.proxy is not None and not self.uses_tls:
            raise InvalidRequest("proxy: it is not used with plain http, which is for this machine only")

    @property
    def key_expires(self) -> datetime | None:
        """When the signing key's certificate expires; None if there is none."""
        return self.auth.expires if isinstance(self.auth, JsonWebTokenAuth) else None

    @property
    def uses_tls(self) -> bool:
        """Whether requests are encrypted on the way: plain http is to this machine, so never through a proxy."""
        return self.base_url.startswith("https:")
