"""The service's environments, and where a client sends its requests."""

from enum import Enum
from ipaddress import ip_address

import httpx

from cybersource_tms.errors import InvalidRequest

_LAST_PORT = 65535


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
    """Return the environment that a value or its text stands for.

    Raises:
        InvalidRequest: There is no such environment.
    """
    try:
        return Environment(environment)
    except ValueError as error:
        known = ", ".join(each.value for each in Environment)
        raise InvalidRequest(f"environment: not one of the service's environments, which are {known}") from error


def resolve_base_url(environment: Environment, base_url: str | None) -> str:
    """Return the address to send to: the environment's, or a safe `base_url`.

    Raises:
        InvalidRequest: A `base_url` without a host, with credentials, a query or a fragment, or with plain http to a
            host that is not a loopback address.
    """
    return environment.base_url if base_url is None else _parse_base_url(base_url)


def _parse_base_url(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
        url.host.encode("idna")  # as the system will, to look it up
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        raise InvalidRequest("base_url: not a URL") from error
    if url.scheme not in {"http", "https"} or not url.host or (url.port or 0) > _LAST_PORT:
        raise InvalidRequest("base_url: give an absolute URL such as https://proxy.example")
    if url.userinfo or {"?", "#"} & set(base_url):
        raise InvalidRequest("base_url: give it without user name, password, query and fragment")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise InvalidRequest("base_url: plain http is only for loopback addresses, use https")
    return str(url).rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
