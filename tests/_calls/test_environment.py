"""Where a client sends its requests: the five environments, and what `base_url` may be."""

import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from cybersource_tms import Environment
from cybersource_tms.errors import CybersourceError, InvalidRequest
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID
from support.clients import NEW_EMAIL, Clients
from support.fixed_response import FixedResponse

SPEC = Path(__file__).parents[2] / "spec" / "customers.yaml"
PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"

# https://developer.cybersource.com, and nowhere else
HOSTS = {
    "test": "apitest.cybersource.com",
    "production": "api.cybersource.com",
    "production-india": "api.in.cybersource.com",
    "production-saudi-arabia": "api.sa.cybersource.com",
    "test-saudi-arabia": "apitest.sa.cybersource.com",
}


def test_environments_are_the_servers_of_the_spec() -> None:
    """The spec's servers and the environments are the same, no more and no fewer, in the same order."""
    servers = [server["url"] for server in yaml.safe_load(SPEC.read_text(encoding="utf-8"))["servers"]]
    assert servers == [environment.base_url for environment in Environment]


def test_environments_are_the_documented_ones() -> None:
    """Each name stands for the host that the service documents."""
    assert {environment.value: environment.host for environment in Environment} == HOSTS
    names = [environment.name.lower().replace("_", "-") for environment in Environment]
    assert names == [environment.value for environment in Environment]


@pytest.mark.parametrize("form", [Environment, str], ids=["member", "text"])
@pytest.mark.parametrize("name", HOSTS)
def test_requests_go_to_the_environment(clients: Clients, name: str, form: Any) -> None:
    """An environment, or its text, decides the host, and it is always https."""
    transport = FixedResponse()
    clients.open(form(name), transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert str(transport.requests[0].url) == f"https://{HOSTS[name]}{PATH}"


UNKNOWN: dict[str, Any] = {
    "another": "staging",
    "capitals": "TEST",
    "attribute name": "PRODUCTION_INDIA",
    "host": "api.cybersource.com",
    "empty": "",
    "blank": "test ",
    "none": None,
    "number": 424242,
    "list": [],
    "class": Environment,
}


@pytest.mark.parametrize("base_url", [None, "http://127.0.0.1:8080"])
@pytest.mark.parametrize("environment", UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_environment(clients: Clients, environment: Any, base_url: str | None) -> None:
    """It is refused, also where a `base_url` would replace it, and the message lists the five."""
    with pytest.raises(InvalidRequest, match=r"^environment\b") as caught:
        clients.open(environment, base_url=base_url)
    assert all(name in str(caught.value) for name in HOSTS)
    assert "staging" not in str(caught.value)
    assert "424242" not in str(caught.value)


GOOD = {
    "http://127.0.0.1": "http://127.0.0.1",
    "http://127.0.0.1:8080": "http://127.0.0.1:8080",
    "http://127.1.2.3:1": "http://127.1.2.3:1",
    "http://[::1]:8080": "http://[::1]:8080",
    "http://[::1]": "http://[::1]",
    "http://localhost:8080": "http://localhost:8080",
    "HTTP://LocalHost": "http://localhost",
    "http://localhost/prefix": "http://localhost/prefix",
    "https://proxy.example": "https://proxy.example",
    "https://proxy.example/": "https://proxy.example",
    "https://proxy.example:8443/a/b": "https://proxy.example:8443/a/b",
    "https://proxy.example/a/b/": "https://proxy.example/a/b",
    "https://proxy.example/a%2Fb": "https://proxy.example/a%2Fb",
    "https://192.0.2.1": "https://192.0.2.1",
    "https://localhost.evil.example": "https://localhost.evil.example",
}


@pytest.mark.parametrize(("base_url", "address"), GOOD.items(), ids=GOOD)
def test_good_base_url(clients: Clients, base_url: str, address: str) -> None:
    """Where https goes anywhere, plain http goes to loopback; the operation's path follows, behind one slash."""
    transport = FixedResponse()
    clients.open(base_url=base_url, transport=transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert str(transport.requests[0].url) == address + PATH


PLAIN = [
    "http://proxy.example",
    "http://localhost.evil.example",
    "http://evil.localhost.example:8080",
    "http://127.0.0.1.evil.example",
    "http://127.0.0.1.example:8080",
    "http://10.0.0.1",
    "http://0.0.0.0:8080",
    "http://126.255.255.255",
    "http://128.0.0.1",
    "http://[::2]",
    "http://[::]",
    "http://2130706434",
    "http://apitest.cybersource.com",
]


@pytest.mark.parametrize("base_url", PLAIN)
def test_plain_http_is_for_loopback(clients: Clients, base_url: str) -> None:
    """No token and no customer goes over a network in the clear, however much the host looks like loopback."""
    with pytest.raises(InvalidRequest, match=r"^base_url\b.*https"):
        clients.open(base_url=base_url)


BAD: dict[str, Any] = {
    "empty": "",
    "blank": " ",
    "text": "secretplace",
    "path": "/secretplace",
    "no scheme": "//secretplace.example",
    "host and port": "secretplace.example:8443",
    "no host": "https://",
    "no host, path": "https:///secretplace",
    "no host, port": "https://:8443",
    "opaque": "https:secretplace",
    "ftp": "ftp://127.0.0.1/secretplace",
    "file": "file:///secretplace",
    "user": "https://secretuser@proxy.example",
    "user and password": "https://user:secretword@proxy.example",
    "password": "https://:secretword@proxy.example",
    "user before loopback": "http://127.0.0.1@proxy.example",
    "user on loopback": "http://user:secretword@127.0.0.1:8080",
    "query": "https://proxy.example?q=secretword",
    "query after path": "https://proxy.example/a?secretword",
    "empty query": "https://proxy.example/?",
    "empty query after path": "https://proxy.example/a?",
    "fragment": "https://proxy.example#secretword",
    "empty fragment": "https://proxy.example/#",
    "port that is text": "https://proxy.example:secretport",
    "IPv6 that is none": "https://[::secret]",
    "line break": "https://proxy.example/\nsecret",
    "NUL": "https://proxy.example/\0secret",
    "host with a lone surrogate": "https://\ud800",
    "path with a lone surrogate": "https://proxy.example/\ud800",
    "host that is no IDN": "https://xn--a",
    "too long": "https://proxy.example/" + "a" * 70_000,
    "bytes": b"https://proxy.example",
    "number": 424242,
    "list": ["https://proxy.example"],
}


@pytest.mark.parametrize("base_url", BAD.values(), ids=BAD)
def test_bad_base_url(clients: Clients, base_url: Any) -> None:
    """Anything but the plain address of a server is refused by name, without being quoted: it may hold a password."""
    with pytest.raises(InvalidRequest, match=r"^base_url\b") as caught:
        clients.open(base_url=base_url)
    assert "secret" not in str(caught.value)
    assert "424242" not in str(caught.value)


@pytest.mark.parametrize(
    "base_url",
    ["https://a..b.invalid", f"https://{'a' * 64}.invalid", "https://127.0.0.1:65536", "https://a b.invalid"],
    ids=["empty label", "long label", "port above 65535", "blank"],
)
def test_an_impossible_host_is_our_error(clients: Clients, monkeypatch: pytest.MonkeyPatch, base_url: str) -> None:
    """An address that passes as a URL and that no system can look up fails as ours, at the latest when it is used."""
    resolve = socket.getaddrinfo

    def offline(host: Any, *args: Any, **options: Any) -> Any:
        if host in ("127.0.0.1", b"127.0.0.1"):
            return resolve(host, *args, **options)
        if isinstance(host, str):
            host.encode("idna")  # as the real one does before it asks anybody
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    with pytest.raises(CybersourceError) as caught:
        clients.open(base_url=base_url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert not caught.value.may_have_been_applied
