"""The service's environments, and where a client sends its requests."""

from contextlib import suppress
from difflib import get_close_matches
from enum import Enum
from ipaddress import ip_address

import httpx

from cybersource_tms.errors import InvalidRequest

_LAST_PORT = 65535
_CLOSE = 0.5  # prod is to production; no secret can be shown, only a name that is known


class Environment(Enum):
    """The service's five environments: the `servers` of `spec/customers.yaml`, from the page "Update a Customer".

    A value's text (`"production-india"`) stands for it wherever an environment is asked for.
    """

    TEST = "test"
    PRODUCTION = "production"
    PRODUCTION_INDIA = "production-india"
    PRODUCTION_SAUDI_ARABIA = "production-saudi-arabia"
    TEST_SAUDI_ARABIA = "test-saudi-arabia"

    @property
    def host(self) -> str:
        """The host name, without a scheme."""
        return _HOSTS[self]

    @property
    def base_url(self) -> str:
        """The address of the server, without a slash at its end."""
        return f"https://{self.host}"


_HOSTS = {
    Environment.TEST: "apitest.cybersource.com",
    Environment.PRODUCTION: "api.cybersource.com",
    Environment.PRODUCTION_INDIA: "api.in.cybersource.com",
    Environment.PRODUCTION_SAUDI_ARABIA: "api.sa.cybersource.com",
    Environment.TEST_SAUDI_ARABIA: "apitest.sa.cybersource.com",
}


def resolve_environment(environment: Environment | str) -> Environment:
    """Return the environment that a value or its text stands for, or raise `InvalidRequest` if there is none."""
    with suppress(ValueError):
        return Environment(environment)
    known = [each.value for each in Environment]
    near = get_close_matches(environment.lower(), known, 1, _CLOSE) if isinstance(environment, str) else []
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InvalidRequest(f"environment: not one of the service's environments, which are {', '.join(known)}{hint}")


def resolve_base_url(environment: Environment, base_url: str | None) -> str:
    """Return the address to send to: the environment's, or a safe `base_url`."""
    if base_url is None:
        return environment.base_url
    url = httpx.URL()
    # Raised below, since the error of httpx quotes the text, which may hold a password.
    with suppress(httpx.InvalidURL, TypeError, ValueError):
        parsed = httpx.URL(base_url)
        parsed.host.encode("idna")  # as the system will, to look it up
        url = parsed
    if url.scheme not in {"http", "https"} or not url.host or (url.port or 0) > _LAST_PORT:
        raise InvalidRequest("base_url: give an absolute URL such as https://proxy.example")
    if url.userinfo or {"?", "#"} & set(str(base_url)):
        raise InvalidRequest("base_url: give it without user name, password, query and fragment")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise InvalidRequest("base_url: plain http is only for loopback addresses, use https")
    return str(url).rstrip("/")


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"
