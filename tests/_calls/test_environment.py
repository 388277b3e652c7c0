"""Where a client sends its requests: the five environments, and what `base_url` may be."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cybersource_tms import Environment
from cybersource_tms._calls.environment import resolve_base_url, resolve_environment
from cybersource_tms.errors import InvalidRequest
from support.clients import Clients

SPEC = Path(__file__).parents[2] / "spec" / "customers.yaml"

# https://developer.cybersource.com, and nowhere else
HOSTS = {
    "test": "apitest.cybersource.com",
    "production": "api.cybersource.com",
    "production-india": "api.in.cybersource.com",
    "production-saudi-arabia": "api.sa.cybersource.com",
    "test-saudi-arabia": "apitest.sa.cybersource.com",
}


def test_environments() -> None:
    """They are the servers of the spec, in its order, and those that the service documents; each has two forms."""
    servers = [server["url"] for server in yaml.safe_load(SPEC.read_text(encoding="utf-8"))["servers"]]
    assert servers == [environment.base_url for environment in Environment]
    assert {environment.value: environment.host for environment in Environment} == HOSTS
    assert [each.name.lower().replace("_", "-") for each in Environment] == [each.value for each in Environment]
    for each in Environment:
        assert resolve_environment(each) is resolve_environment(each.value) is each


UNKNOWN: list[Any] = ["staging", "PRODUCTION_INDIA", "api.cybersource.com", "", None, 424242, [], Environment]


@pytest.mark.parametrize("environment", UNKNOWN, ids=repr)
def test_unknown_environments(clients: Clients, environment: Any) -> None:
    """One is refused, also where a `base_url` would replace it; the message lists the five and not what was given."""
    with pytest.raises(InvalidRequest, match=r"^environment: ") as caught:
        clients.open(environment, base_url="http://127.0.0.1:8080")
    assert all(name in str(caught.value) for name in HOSTS)
    assert not [given for given in ("staging", "424242", "api.") if given in str(caught.value)]


GOOD = {
    **{url: url for url in ("http://127.0.0.1", "http://127.1.2.3:1", "http://[::1]:8080", "http://localhost:8080")},
    **{url: url for url in ("https://proxy.example:8443/a/b", "https://192.0.2.1", "https://localhost.evil.example")},
    "HTTP://LocalHost/prefix": "http://localhost/prefix",
    "https://proxy.example/": "https://proxy.example",
    "https://proxy.example/a%2Fb/": "https://proxy.example/a%2Fb",
}


@pytest.mark.parametrize(("base_url", "address"), GOOD.items(), ids=GOOD)
def test_good_base_url(base_url: str, address: str) -> None:
    """Where https goes anywhere, plain http goes to loopback; it ends without a slash."""
    for given in (base_url, httpx.URL(base_url)):
        assert resolve_base_url(Environment.TEST, given) == address  # type: ignore[arg-type]


NOT_LOOPBACK = "localhost.evil.example evil.localhost.example:8080 127.0.0.1.evil.example 10.0.0.1 0.0.0.0 2130706433 "
NOT_LOOPBACK += "126.255.255.255 128.0.0.1 [::2] [::] apitest.cybersource.com"


@pytest.mark.parametrize("host", NOT_LOOPBACK.split())
def test_plain_http_is_for_loopback(host: str) -> None:
    """No token and no customer goes over a network in the clear, however much the host looks like loopback."""
    with pytest.raises(InvalidRequest, match=r"^base_url: plain http is only for loopback addresses, use https$"):
        resolve_base_url(Environment.TEST, f"http://{host}")


NO_URLS: list[Any] = ["https://a.example:secretport", "https://[::secret]", "https://xn--a", "https://a..b.invalid"]
NO_URLS += ["https://a.example/\nsecret", "https://a.example/\0", "https://\ud800", "https://a.example/\ud800"]
NO_URLS += [f"https://{'a' * 64}.invalid", "https://a.example/" + "a" * 70_000, b"https://a.example", 42, ["https://a"]]
NOT_ABSOLUTE = ["", " ", "secret", "/secret", "//secret.example", "secret.example:8443", "https:secret", "https://"]
NOT_ABSOLUTE += ["https:///a", "https://:8443", "ftp://127.0.0.1/secret", "file:///secret", "https://1.2.3.4:65536"]
TOO_MUCH = "https://secret@a.example https://u:secret@a.example https://:secret@a.example http://127.0.0.1@a.example "
TOO_MUCH += "http://u:secret@127.0.0.1 https://a.example?q=secret https://a.example/? https://a.example#secret"
BAD: list[tuple[Any, str]] = [
    *((url, "give an absolute URL such as https://proxy.example") for url in (*NO_URLS, *NOT_ABSOLUTE)),
    *((url, "give it without user name, password, query and fragment") for url in TOO_MUCH.split()),
]


@pytest.mark.parametrize(("base_url", "problem"), BAD, ids=lambda each: ascii(each)[:40])
def test_bad_base_url(base_url: Any, problem: str) -> None:
    """Anything but the plain address of a server is refused by name, without being quoted: it may hold a password."""
    with pytest.raises(InvalidRequest) as caught:
        resolve_base_url(Environment.TEST, base_url)
    assert str(caught.value) == f"base_url: {problem}"
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
