"""Certificates, meta keys and HTTP Signature before the stand-in, and what a refusal of credentials says."""

import asyncio
import base64
import hashlib
import hmac
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import OctKey, RSAKey

from cybersource_tms import (
    CertificateAuth,
    HttpSignatureAuth,
    MessageEncryption,
    SharedSecretAuth,
    errors,
)
from cybersource_tms._credentials import json_web_token
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Sandbox, page_customer
from support import rfc
from support.clients import NEW_EMAIL, Clients
from support.fixed_response import FixedResponse
from support.keys import PASSWORD, SERIAL, certificate, key_pem, p12, pem, rsa_key, service_certificate, written

PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
PORTFOLIO, META_ID, META_SERIAL = "portfolio", "meta-key", "1716240386523032999"
JSON = {"Content-Type": "application/json"}
IDS = {"v-c-correlation-id": "c0ffee", "uniqueTransactionID": "c0ffee"}


def own(**options: Any) -> CertificateAuth:
    """Return the credentials of a merchant whom the stand-in knows, from PEM."""
    given = {"certificate": pem(certificate(MERCHANT_ID)), "private_key": key_pem(rsa_key())}
    return CertificateAuth(**{**given, "merchant_id": MERCHANT_ID, **options})


def legacy(*arguments: str, **options: Any) -> HttpSignatureAuth:
    """Return credentials of the older scheme, which warn."""
    with pytest.warns(DeprecationWarning, match="HTTP Signature"):
        return HttpSignatureAuth(*(arguments or (MERCHANT_ID, KEY_ID, SECRET)), **options)


@pytest.fixture
def sandbox(sandbox: Sandbox) -> Sandbox:
    """Return the stand-in, which trusts the merchant's certificate and the portfolio's keys."""
    sandbox.trust_certificate(MERCHANT_ID, pem(certificate(MERCHANT_ID)))
    sandbox.trust_certificate(MERCHANT_ID, pem(certificate(MERCHANT_ID, serial=None)))
    sandbox.trust_secret(PORTFOLIO, META_ID, SECRET, [MERCHANT_ID])
    sandbox.trust_certificate(PORTFOLIO, pem(certificate(PORTFOLIO, serial=META_SERIAL)), [MERCHANT_ID])
    return sandbox


# Certificates


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_algorithms(clients: Clients, sandbox: Sandbox, algorithm: str) -> None:
    """Each algorithm signs what the service believes."""
    auth = own(algorithm=algorithm)
    assert jws_header(auth) == {"alg": algorithm, "kid": SERIAL, "typ": "JWT"}
    clients.open(auth=auth, transport=sandbox.transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    [received] = sandbox.received
    assert (received.authenticated, received.status, received.reason) == (True, 200, "")


def jws_header(auth: httpx.Auth) -> dict[str, object]:
    """Return the header of a token that the credentials sign."""
    request = next(auth.sync_auth_flow(httpx.Request("GET", "https://a.example/")))
    return dict(jws.extract_compact(request.headers["Authorization"].removeprefix("Bearer ").encode()).protected)


@pytest.mark.parametrize("algorithm", ["RS256", "PS512"])
def test_from_p12(clients: Clients, sandbox: Sandbox, tmp_path: Path, algorithm: str) -> None:
    """A P12 does what PEM does, also once its file is gone."""
    path = written(tmp_path, p12(certificate(MERCHANT_ID.upper()), service_certificate()))
    auth = CertificateAuth.from_p12(path, PASSWORD, merchant_id=MERCHANT_ID, algorithm=algorithm)
    path.unlink()
    client = clients.open(auth=auth, transport=sandbox.transport)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert [received.status for received in sandbox.received] == [200, 200]
    assert jws_header(auth)["alg"] == algorithm


def test_key_id_without_a_serial_number(clients: Clients, sandbox: Sandbox) -> None:
    """The text that a certificate's own serial is made of is a key id that the service believes."""
    client = clients.open(auth=own(certificate=pem(certificate(MERCHANT_ID, serial=None))), transport=sandbox.transport)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert sandbox.received[0].authenticated


def test_another_key_is_not_believed(clients: Clients, sandbox: Sandbox) -> None:
    """The tests above can fail: a key that the service has not under this id is refused."""
    other = rsa_key("other")
    auth = own(private_key=key_pem(other), certificate=pem(certificate(MERCHANT_ID, other)))
    with pytest.raises(errors.Unauthorized):
        clients.open(auth=auth, transport=sandbox.transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert sandbox.received[0].reason == "the signature is wrong"


def test_repr() -> None:
    """The `repr` says whose credentials they are."""
    assert repr(own()) == f"CertificateAuth(merchant_id='{MERCHANT_ID}', key_id='{SERIAL}')"
    assert repr(legacy("m", "k", SECRET)) == "HttpSignatureAuth(merchant_id='m', key_id='k')"


# Meta keys


def test_meta_key_of_a_certificate(clients: Clients, sandbox: Sandbox, tmp_path: Path) -> None:
    """The portfolio's certificate signs as the issuer, and the request is the merchant's."""
    path = written(tmp_path, p12(certificate(PORTFOLIO, serial=META_SERIAL), certificate(MERCHANT_ID)))
    auth = CertificateAuth.from_p12(path, PASSWORD, merchant_id=MERCHANT_ID, portfolio_id=PORTFOLIO)
    assert jws_header(auth)["kid"] == META_SERIAL
    clients.open(auth=auth, transport=sandbox.transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert_meta(sandbox)


def test_meta_key_of_a_shared_secret(clients: Clients, sandbox: Sandbox) -> None:
    """The same with the portfolio's shared secret."""
    auth = SharedSecretAuth(MERCHANT_ID, META_ID, SECRET, portfolio_id=PORTFOLIO)
    clients.open(auth=auth, transport=sandbox.transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert_meta(sandbox)


def assert_meta(sandbox: Sandbox) -> None:
    """Check that a request was believed as the portfolio's for the merchant."""
    [received] = sandbox.received
    assert (received.status, received.claims["iss"], received.claims["v-c-merchant-id"]) == (
        200,
        PORTFOLIO,
        MERCHANT_ID,
    )


def test_meta_key_of_http_signature(clients: Clients, sandbox: Sandbox) -> None:
    """In the older scheme the portfolio is what is signed, and the header is the merchant's."""
    client = clients.open(
        auth=legacy(MERCHANT_ID, META_ID, SECRET, portfolio_id=PORTFOLIO), transport=sandbox.transport
    )
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    [received] = sandbox.received
    assert (received.status, received.headers["v-c-merchant-id"]) == (200, MERCHANT_ID)


@pytest.mark.parametrize("merchant", ["another", PORTFOLIO])
def test_meta_key_for_another_merchant(clients: Clients, sandbox: Sandbox, merchant: str) -> None:
    """The tests above can fail: a portfolio does not speak for everybody."""
    client = clients.open(
        auth=SharedSecretAuth(merchant, META_ID, SECRET, portfolio_id=PORTFOLIO), transport=sandbox.transport
    )
    with pytest.raises(errors.Unauthorized):
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert sandbox.customer() == page_customer()


# HTTP Signature


@pytest.mark.parametrize("portfolio", [None, PORTFOLIO])
@pytest.mark.parametrize(
    ("method", "address", "body", "target"),
    [
        ("PATCH", f"https://apitest.cybersource.com{PATH}", b'{"a":1}', f"patch {PATH}"),
        ("PATCH", "http://[::1]:8080/x%20y?q=1", "é".encode(), "patch /x%20y?q=1"),
        ("GET", f"https://apitest.cybersource.com{PATH}", b"", f"get {PATH}"),
    ],
    ids=["update", "escapes", "no body"],
)
def test_signing_string(method: str, address: str, body: bytes, target: str, portfolio: str | None) -> None:
    """The lines that are signed, their order and the headers are those of the guide, no more and no fewer."""
    request = httpx.Request(method, address, content=body)
    before = set(request.headers)
    flow = legacy("merchant", "the-key", SECRET, portfolio_id=portfolio).sync_auth_flow(request)
    sent = next(flow).headers
    digest = f"SHA-256={base64.b64encode(hashlib.sha256(body).digest()).decode()}"
    lines = [
        f"host: {'::1' if '[' in address else 'apitest.cybersource.com'}",
        f"date: {sent['Date']}",
        f"request-target: {target}",
        *([f"digest: {digest}"] if body else []),
        f"v-c-merchant-id: {portfolio or 'merchant'}",
    ]
    mac = hmac.digest(base64.b64decode(SECRET), "\n".join(lines).encode(), "sha256")
    names = f"host date request-target {'digest ' if body else ''}v-c-merchant-id"
    assert sent["Signature"] == (
        f'keyid="the-key", algorithm="HmacSHA256", headers="{names}", signature="{base64.b64encode(mac).decode()}"'
    )
    assert sent["v-c-merchant-id"] == "merchant"
    assert sent.get("Digest") == (digest if body else None)
    assert set(sent) - before == {"date", "signature", "v-c-merchant-id", *(["digest"] if body else [])}
    with pytest.raises(StopIteration):
        flow.send(httpx.Response(401, request=request))


def test_date_of_http_signature() -> None:
    """The Date is of now, in the one form of RFC 9110."""
    before = int(time.time())
    request = next(legacy().sync_auth_flow(httpx.Request("GET", "https://a.example/")))
    assert re.fullmatch(
        r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", request.headers["Date"]
    )
    assert before <= parsedate_to_datetime(request.headers["Date"]).timestamp() <= time.time()


def test_http_signature(clients: Clients, sandbox: Sandbox, url: str) -> None:
    """The service believes what is so signed, and no token goes with it."""
    record = clients.open(auth=legacy(), base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    [received] = sandbox.received
    assert (received.status, received.authenticated, received.claims) == (200, True, {})
    assert "authorization" not in received.headers
    assert record.etag == sandbox.etag()


def test_http_signature_of_another_secret(clients: Clients, sandbox: Sandbox) -> None:
    """The test above can fail: another secret is refused."""
    auth = legacy(MERCHANT_ID, KEY_ID, base64.b64encode(bytes(32)).decode())
    with pytest.raises(errors.Unauthorized):
        clients.open(auth=auth, transport=sandbox.transport).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert sandbox.received[0].reason == "the signature is wrong"


def test_http_signature_is_deprecated() -> None:
    """Whoever makes such credentials is warned once, at the line that does, with what to use instead."""
    with pytest.warns(DeprecationWarning, match="SharedSecretAuth") as caught:
        HttpSignatureAuth(MERCHANT_ID, KEY_ID, SECRET)
    assert [warning.filename for warning in caught] == [__file__]


BAD: dict[str, dict[str, Any]] = {
    "secret that is not base64": {"secret": "sekret!!" * 6},
    "secret of 31 bytes": {"secret": base64.b64encode(bytes(31)).decode()},
    "secret in bytes": {"secret": SECRET.encode()},
    "no merchant": {"merchant_id": None},
    "line break in the merchant": {"merchant_id": "a\r\nb"},
    "empty key": {"key_id": ""},
    "key that is no ASCII": {"key_id": "é"},
    "empty portfolio": {"portfolio_id": ""},
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD)
def test_bad_http_signature(arguments: dict[str, Any]) -> None:
    """What is wrong is refused by name when the credentials are made, and nothing warns before."""
    right = {"merchant_id": MERCHANT_ID, "key_id": KEY_ID, "secret": SECRET}
    with pytest.raises(errors.InvalidRequest, match=f"^{next(iter(arguments))}: "):
        HttpSignatureAuth(**(right | arguments))


@pytest.mark.parametrize("kind", ["HTTP Signature", "basic", "function", "no-op"])
def test_encryption_needs_tokens(clients: Clients, kind: str) -> None:
    """Encryption with credentials that sign no token is refused when the client is made."""
    auth = {
        "HTTP Signature": legacy(),
        "basic": httpx.BasicAuth("a", "b"),
        "function": httpx.NetRCAuth.__new__(httpx.NetRCAuth),
        "no-op": httpx.Auth(),
    }[kind]
    encryption = MessageEncryption(pem(service_certificate()))
    with pytest.raises(errors.InvalidRequest, match=r"^encryption: .*SharedSecretAuth"):
        clients.open(auth=auth, encryption=encryption, transport=FixedResponse())


# Refusals


def test_a_token_that_was_seen_before(clients: Clients, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second request with the same `jti` is refused."""
    same = uuid.uuid4()
    monkeypatch.setattr(uuid, "uuid4", lambda: same)
    client = clients.open(transport=sandbox.transport)
    client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    with pytest.raises(errors.Unauthorized) as caught:
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert sandbox.received[-1].reason == "jti was seen before"
    assert caught.value.may_have_been_applied is False


def refusal(clients: Clients, status: int, headers: dict[str, str]) -> errors.StatusError:
    """Return the error of a response with these headers."""
    with pytest.raises(errors.StatusError) as caught:
        clients.open(transport=FixedResponse(status, b"", IDS | headers)).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    return caught.value


def seconds_in(message: str) -> list[int]:
    """Return every number of seconds that a message mentions."""
    return [int(number) for number in re.findall(r"(\d+) ?s(?:econds?)?\b", message)]


@pytest.mark.parametrize("ahead", [-86_400, -3600, -60, -6, 6, 60, 3600, 86_400])
@pytest.mark.usefixtures("clock")
def test_a_clock_that_is_wrong(clients: Clients, ahead: int) -> None:
    """A 401 whose Date is more than 5 s from ours says that the clock is likely wrong, and by how many seconds."""
    error = refusal(clients, 401, {"Date": formatdate(time.time() + ahead, usegmt=True)})
    assert type(error) is errors.Unauthorized
    assert "this machine's clock is likely wrong" in str(error)
    assert seconds_in(str(error)) == [abs(ahead)]


@pytest.mark.parametrize("ahead", [-5, -1, 0, 5])
@pytest.mark.usefixtures("clock")
def test_a_clock_that_is_right(clients: Clients, ahead: int) -> None:
    """A 401 whose Date is within 5 s of ours mentions no difference."""
    error = refusal(clients, 401, {"Date": formatdate(time.time() + ahead, usegmt=True)})
    assert type(error) is errors.Unauthorized
    assert seconds_in(str(error)) == []


# Cases of a service that refuses tokens from the future, by how far our clock is ahead of it.
@pytest.mark.parametrize(("ahead", "accepted"), [(0, True), (10, True), (60, False), (-110, True), (-120, False)])
def test_a_clock_that_the_service_minds(
    clients: Clients, sandbox: Sandbox, url: str, clock: Callable[[float], None], ahead: int, *, accepted: bool
) -> None:
    """Ten seconds ahead do no harm. With a minute, the token is refused and the message names the clock."""
    clock(ahead)
    client = clients.open(base_url=url)
    if accepted:
        assert client.retrieve(PAGE_CUSTOMER_ID).customer.id == PAGE_CUSTOMER_ID
        return
    with pytest.raises(errors.Unauthorized) as caught:
        client.retrieve(PAGE_CUSTOMER_ID)
    where = "ahead of" if ahead > 0 else "behind"
    assert f"this machine's clock is likely wrong: it is {abs(ahead)} s {where} the service's" in str(caught.value)
    assert not sandbox.received[0].authenticated


def test_causes_of_a_refusal(clients: Clients) -> None:
    """The message lists the usual causes in the order in which to look: the reason itself is never told."""
    assert list(errors.Unauthorized.causes) == ["environment", "clock", "key", "proxy"]
    message = str(refusal(clients, 401, {}))
    places = [message.index(cause) for cause in errors.Unauthorized.causes.values()]
    assert places == sorted(places)


BAD_DATES = {
    "missing": {},
    "empty": {"Date": ""},
    "words": {"Date": "yesterday"},
    "seconds": {"Date": "0"},
    "no such day": {"Date": "Sun, 99 Foo 2026 25:61:61 GMT"},
    "half": {"Date": "Sun, 22 Nov"},
    "huge year": {"Date": "Sun, 22 Nov 99999999999 00:00:00 GMT"},
    "huge zone": {"Date": "Sun, 22 Nov 2026 00:00:00 +99999999999"},
}


@pytest.mark.parametrize("headers", BAD_DATES.values(), ids=BAD_DATES)
def test_a_date_that_says_nothing(clients: Clients, headers: dict[str, str]) -> None:
    """A 401 without a Date that can be read is what it is without one."""
    error = refusal(clients, 401, headers)
    assert type(error) is errors.Unauthorized
    assert seconds_in(str(error)) == []


ODD_DATES = [
    "Mon, 01 Jan 0001 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Sun, 22 Nov 2020 00:00:00 -0000",
    "Sunday, 22-Nov-20 00:00:00 GMT",
    "Sun Nov 22 00:00:00 2020",
]


@pytest.mark.parametrize("date", ODD_DATES)
def test_a_date_that_is_odd(clients: Clients, date: str) -> None:
    """Dates at the ends of time, without a zone and in the older forms are an Unauthorized like any other."""
    assert type(refusal(clients, 401, {"Date": date})) is errors.Unauthorized


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_other_refusals_do_not_mention_the_clock(clients: Clients, status: int) -> None:
    """The clock matters to a 401 only."""
    error = refusal(clients, status, {"Date": formatdate(time.time() - 3600, usegmt=True)})
    assert "clock" not in str(error)


# The examples of RFC 7515, through the calls that sign


@pytest.mark.parametrize(
    ("token", "key"),
    [(rfc.HS256_TOKEN, OctKey.import_key(rfc.HS256_KEY)), (rfc.RS256_TOKEN, RSAKey.import_key(rfc.RS256_KEY))],
    ids=["A.1", "A.2"],
)
def test_rfc_7515(token: str, key: Any) -> None:
    """The RFC's tokens verify with its keys, and no other message does."""
    assert jws.deserialize_compact(token, key, registry=json_web_token._REGISTRY).payload == rfc.JWS_PAYLOAD
    header, payload, signature = token.split(".")
    with pytest.raises(BadSignatureError):
        jws.deserialize_compact(f"{header}.{payload[:-2]}AA.{signature}", key, registry=json_web_token._REGISTRY)


def test_rfc_7515_a2_is_reproduced() -> None:
    """RS256 has one right signature, so that ours of the RFC's message is the RFC's."""
    key = RSAKey.import_key(rfc.RS256_KEY)
    token = jws.serialize_compact({"alg": "RS256"}, rfc.JWS_PAYLOAD, key, registry=json_web_token._REGISTRY)
    assert token == rfc.RS256_TOKEN


# What is signed, where a request is sent to a proxy


def test_signed_for() -> None:
    """The signature is for the host and the path that the extensions name; the Host header stays the URL's."""
    address = "https://proxy.example/cybs" + PATH
    extensions = {json_web_token.SIGNED_FOR: ("api.cybersource.com", PATH)}
    request = httpx.Request("PATCH", address, content=b"{}", extensions=extensions)
    sent = next(legacy("merchant", "the-key", SECRET).sync_auth_flow(request)).headers
    lines = [
        "host: api.cybersource.com",
        f"date: {sent['Date']}",
        f"request-target: patch {PATH}",
        f"digest: {sent['Digest']}",
        "v-c-merchant-id: merchant",
    ]
    mac = hmac.digest(base64.b64decode(SECRET), "\n".join(lines).encode(), "sha256")
    assert f'signature="{base64.b64encode(mac).decode()}"' in sent["Signature"]
    assert (str(request.url), sent["Host"]) == (address, "proxy.example")


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_streamed_body(sandbox: Sandbox, url: str, *, asynchronous: bool) -> None:
    """With your own `httpx` client, a body that is made piece by piece is signed as it is sent."""
    body = b'{"buyerInformation":{"email":"new@example.com"}}'

    async def pieces() -> AsyncIterator[bytes]:
        yield body[:9]
        yield body[9:]

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(base_url=url, auth=legacy()) as http:
            return await http.patch(PATH, content=pieces(), headers=JSON)

    if asynchronous:
        response = asyncio.run(send())
    else:
        with httpx.Client(base_url=url, auth=legacy()) as http:
            response = http.patch(
                PATH, content=iter([body[:9], body[9:]]), headers={"Content-Type": "application/json"}
            )
    [received] = sandbox.received
    assert (response.status_code, received.authenticated, received.body) == (200, True, body)
    assert received.headers["digest"] == f"SHA-256={base64.b64encode(hashlib.sha256(body).digest()).decode()}"


@pytest.mark.parametrize("value", ['a" , algorithm="none"', "a\n", " a", "a\\", "a\r\nb"], ids=ascii)
@pytest.mark.parametrize("name", ["merchant_id", "key_id", "portfolio_id"])
def test_ids_that_would_change_the_header(name: str, value: str) -> None:
    """An id cannot end the quoted text, or the header, that it stands in."""
    right = {"merchant_id": MERCHANT_ID, "key_id": KEY_ID, "secret": SECRET}
    with pytest.raises(errors.InvalidRequest, match=f"^{name}: "):
        HttpSignatureAuth(**(right | {name: value}))
