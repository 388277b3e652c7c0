"""A stand-in for the customers of CyberSource's Token Management Service, over HTTP on loopback.

It authenticates as strictly as the service documents, applies RFC 7396 and keeps what it was told. It can be made to
fail on purpose. It shares no code with the client library, so that the two cannot agree on a mistake.
"""

import argparse
import asyncio
import base64
import copy
import json
import re
import secrets
import socket
import threading
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from sandbox_auth import Keyring, Received, Unauthenticated
from sandbox_jose import decrypted, encrypted
from sandbox_mle import MessageEncryption

__all__ = [
    "KEY_ID",
    "MERCHANT_ID",
    "PAGE_CUSTOMER_ID",
    "PROFILE_ID",
    "SECRET",
    "Fault",
    "Received",
    "Sandbox",
    "decrypted",
    "encrypted",
    "merge",
    "page_customer",
]

PAGE_CUSTOMER_ID = "F2F3ADA770102B51E053A2598D0A9078"
MERCHANT_ID = "testrest"
KEY_ID = "08c94330-f618-42a3-b09d-e1e43be5efda"
SECRET = base64.b64encode(bytes(range(32))).decode()
PROFILE_ID = "93b32398-ad51-4cc2-a682-ea3e93614eb1"

PROFILE_ID_LENGTH = 36
LONGEST_ETAG = 32
UNAUTHENTICATED = {"response": {"rmsg": "Authentication Failed"}}
CUSTOMER_PATH = re.compile("/tms/v2/customers/([^/?]+)")


def page_customer() -> dict[str, Any]:
    """Return the customer of CyberSource's page "Update a Customer"."""
    path = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
    return {
        "_links": {
            "self": {"href": path},
            "paymentInstruments": {"href": f"{path}/payment-instruments"},
            "shippingAddresses": {"href": f"{path}/shipping-addresses"},
        },
        "id": PAGE_CUSTOMER_ID,
        "buyerInformation": {"merchantCustomerID": "Your customer identifier", "email": "test@cybs.com"},
        "clientReferenceInformation": {"code": "TC50171_3"},
        "merchantDefinedInformation": [{"name": "data1", "value": "Your customer data"}],
        "metadata": {"creator": "testrest"},
    }


def new_etag() -> str:
    """Return an ETag that was never used: going back to an earlier state does not bring its ETag back."""
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request. One with only a delay serves the request after it."""

    status: int | None = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: Literal["before", "after", "middle"] | None = None
    applied: bool = False

    def __post_init__(self) -> None:
        if self.status not in (None, *range(200, 600)) or self.cut not in (None, "before", "after", "middle"):
            raise ValueError(self)

    @property
    def serves(self) -> bool:
        """Whether the request is applied, whatever is then answered."""
        return self.applied or self.cut in ("after", "middle") or (self.status is None and self.cut is None)


@dataclass
class Stored:
    """What is kept of a customer."""

    customer: dict[str, Any]
    etag: str = field(default_factory=new_etag)
    deleted: bool = False


class Refused(Exception):
    """An answer other than 200, in the service's shape; `names` are the headers or fields at fault."""

    def __init__(self, status: int, kind: str, message: str, names: Iterable[str] = (), location: str = "body") -> None:
        super().__init__(message)
        self.status = status
        self.error: dict[str, Any] = {"type": kind, "message": message}
        if details := [{"name": name, "location": location} for name in names]:
            self.error["details"] = details


def text(longest: int | None = None) -> re.Pattern[str]:
    """Match text of at most `longest` characters."""
    return re.compile(f".{{0,{longest or ''}}}", re.DOTALL)


WRITABLE: dict[str, Any] = {
    "buyerInformation": {"merchantCustomerID": text(100), "email": text(255)},
    "clientReferenceInformation": {"code": text(50)},
    "merchantDefinedInformation": [{"name": re.compile("(data|sensitive)[1-4]"), "value": text(100)}],
    "objectInformation": {"title": text(60), "comment": text(150)},
    "defaultPaymentInstrument": {"id": text()},
    "defaultShippingAddress": {"id": text()},
}


def wrong_fields(value: object, rule: Any, path: str = "", *, removable: bool = True) -> Iterator[str]:
    """Yield the path of each field that may not be sent so: `a.b`, or `a[0].b` in an array."""
    if value is None and removable:
        return
    if isinstance(value, dict) and isinstance(rule, dict):
        for name, inner in value.items():
            where = f"{path}.{name}" if path else name
            yield from wrong_fields(inner, rule.get(name), where, removable=removable and name in rule)
    elif isinstance(value, list) and isinstance(rule, list):
        for index, inner in enumerate(value):  # null removes nothing inside an array, which is replaced whole
            yield from wrong_fields(inner, rule[0], f"{path}[{index}]", removable=False)
    elif not (isinstance(value, str) and isinstance(rule, re.Pattern) and rule.fullmatch(value)):
        yield path


def merge(target: Any, patch: Any) -> Any:
    """Apply a JSON Merge Patch, https://www.rfc-editor.org/rfc/rfc7396#section-2, without changing `target`."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def patch_in(request: Received) -> dict[str, Any]:
    """Return the request's body, once it is one that the service would apply."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refused(400, "invalidHeaders", "Invalid header values", ["Content-Type"], "header")
    try:
        patch = json.loads(request.plain.decode(), parse_constant=int)  # int refuses NaN and Infinity
    except (ValueError, RecursionError) as error:
        raise Refused(400, "invalidRequest", "Request body is not JSON") from error
    if not isinstance(patch, dict):
        raise Refused(400, "invalidRequest", "Request body is not a JSON object")
    if wrong := list(wrong_fields(patch, WRITABLE)):
        raise Refused(400, "invalidFields", "Invalid fields in the request", wrong)
    return patch


def reply(status: int, body: bytes, headers: Mapping[str, str]) -> Response:
    """Build an answer with the two ids that every answer carries."""
    ids = {"v-c-correlation-id": str(uuid.uuid4()), "uniqueTransactionID": str(uuid.uuid4())}
    return Response(body, status, ids | dict(headers))


def json_reply(status: int, value: object, **headers: str) -> Response:
    """Build the service's own kind of answer."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return reply(status, body, {"Content-Type": "application/json;charset=utf-8"} | headers)


async def cut(receive: Receive, send: Send, response: Response | None) -> None:
    """Cut the connection, in the middle of `response` if there is one."""
    if response:
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        half = bytes(response.body[: len(response.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await asyncio.sleep(0.02)  # abort() drops what is still in the transport's buffer
    # ASGI cannot cut a connection. With h11, uvicorn's receive is a method of the object that has the transport.
    receive.__self__.transport.abort()  # type: ignore[attr-defined]
    while (await receive())["type"] != "http.disconnect":  # to return earlier would be logged as a missing answer
        pass


class Server(uvicorn.Server):
    """A uvicorn server that stops without waiting for its clients; `stopping` is set when it does."""

    stopping: asyncio.Event

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut every connection: an idle one over TLS would be waited for until its client says goodbye."""
        self.stopping.set()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


class Sandbox:
    """The service's state, what it received, and what is to go wrong. A test may read and change all of it."""

    customers: dict[str, Stored]
    received: list[Received]
    profiles: set[str]
    forbidden_profiles: set[str]
    requires_encryption: bool

    def __init__(self) -> None:
        self._failures: list[Exception] = []
        self._keyring = Keyring()
        self._encryption = MessageEncryption()
        self.reset()

    def reset(self) -> None:
        """Go back to the initial state, but for the keys: these stay trusted."""
        self.customers = {PAGE_CUSTOMER_ID: Stored(page_customer())}
        self.received = []
        self.profiles = {PROFILE_ID}
        self.forbidden_profiles = set()
        self.requires_encryption = False
        self.trust_secret(MERCHANT_ID, KEY_ID, SECRET)
        self._keyring.forget_tokens()
        self._faults: deque[Fault] = deque()

    @property
    def request_certificate(self) -> bytes:
        """The certificate to encrypt requests for, in PEM; it stays the same over a reset."""
        return self._encryption.own_key.certificate

    def trust_secret(self, owner: str, key_id: str, secret: str, merchants: Iterable[str] = ()) -> None:
        """Believe a shared secret, in base64. With merchants it is a meta key, and `owner` is their portfolio."""
        self._keyring.trust_secret(owner, key_id, secret, merchants)

    def trust_certificate(self, owner: str, certificate: bytes, merchants: Iterable[str] = ()) -> None:
        """Believe a certificate, in PEM, whose subject has the owner as its CN and the `kid` as its serialNumber."""
        self._keyring.trust_certificate(owner, certificate, merchants)

    def trust_response_key(self, key_id: str, public_key: bytes) -> None:
        """Encrypt the answers to tokens that name this key, in PEM, as `v-c-response-mle-kid`."""
        self._encryption.trust(key_id, public_key)

    def customer(self, id: str = PAGE_CUSTOMER_ID) -> dict[str, Any]:  # noqa: A002 - the service's own name
        """Return a copy of a customer's JSON."""
        return copy.deepcopy(self.customers[id.upper()].customer)

    def etag(self, id: str = PAGE_CUSTOMER_ID) -> str:  # noqa: A002 - as above
        """Return a customer's current ETag."""
        return self.customers[id.upper()].etag

    def put(self, customer: Mapping[str, Any]) -> None:
        """Add or replace a customer, unchecked."""
        self.customers[customer["id"].upper()] = Stored(copy.deepcopy(dict(customer)))

    def delete(self, id: str = PAGE_CUSTOMER_ID) -> None:  # noqa: A002 - as above
        """Delete a customer's token: from now on the answer is 410."""
        self.customers[id.upper()].deleted = True

    def fail(self, *faults: Fault) -> None:
        """Let each of the next requests to /tms use up one fault."""
        self._faults.extend(faults)

    @contextmanager
    def running(
        self, *, port: int = 0, host: str = "127.0.0.1", certificate: str | Path | None = None
    ) -> Iterator[str]:
        """Serve on loopback and yield the base URL. A failure of the sandbox itself is raised at the end."""
        if host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError(host)
        server = self._server(certificate)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each answer takes 40 ms: Nagle's algorithm
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        netloc = f"{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        thread.start()
        try:
            yield f"{'https' if certificate else 'http'}://{netloc}"
        finally:
            server.should_exit = True
            thread.join()
        if failures := self._failures:
            self._failures = []
            raise ExceptionGroup("the sandbox failed while answering", failures)

    def _server(self, certificate: str | Path | None) -> Server:
        stopping = asyncio.Event()
        routes = [
            Mount("/tms", app=partial(self._tms, stopping)),
            Route("/sandbox/faults", self._put_faults, methods=["PUT"]),
            Route("/sandbox/reset", self._post_reset, methods=["POST"]),
        ]
        app = Starlette(routes=routes, exception_handlers={Exception: self._failed})
        config = uvicorn.Config(
            app, http="h11", loop="asyncio", ws="none", lifespan="off", log_config=None, log_level="warning",
            access_log=False, proxy_headers=False, timeout_keep_alive=60, ssl_certfile=certificate,
        )  # fmt: skip
        config.load()  # so that a wrong certificate is raised here, not in the thread
        server = Server(config)
        server.stopping = stopping
        return server

    async def _put_faults(self, request: Request) -> Response:
        try:
            faults = [Fault(**{**item, "body": item.get("body", "").encode()}) for item in await request.json()]
        except (AttributeError, TypeError, ValueError) as error:
            return PlainTextResponse(f"{error!r}\n", 400)
        self._faults = deque(faults)
        return Response(status_code=204)

    async def _post_reset(self, _request: Request) -> Response:
        self.reset()
        return Response(status_code=204)

    async def _failed(self, _request: Request, error: Exception) -> Response:
        self._failures.append(error)
        return PlainTextResponse(repr(error), 500)

    async def _tms(self, stopping: asyncio.Event, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            received = await self._receive(Request(scope, receive))
        except ClientDisconnect:  # before its request was whole, which is no failure of the sandbox's
            return
        log = self.received
        fault = self._faults.popleft() if self._faults else Fault()
        if fault.delay:
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), fault.delay)
        if log is not self.received:  # after a reset, what one test began must not change the next one's customers
            fault = Fault(cut="before")
        response = self._serve(received) if fault.serves else None
        if fault.status is not None:
            response = reply(fault.status, fault.body, fault.headers)
        if fault.cut:
            await cut(receive, send, response if fault.cut == "middle" else None)
        elif response:
            received.status = response.status_code
            await response(scope, receive, send)

    async def _receive(self, request: Request) -> Received:
        query = request.scope["query_string"].decode()
        path = request.scope["raw_path"].decode() + (f"?{query}" if query else "")
        body = await request.body()
        received = Received(request.method, path, request.headers, body, plain=body)
        try:
            received.claims = self._keyring.claims(received)
            received.believed = True
            self._decrypt(received)
        except Unauthenticated as error:
            received.reason = str(error)
        self.received.append(received)
        return received

    def _decrypt(self, received: Received) -> None:
        try:
            plain = self._encryption.opened(received.body)
        except ValueError as error:
            received.reason = str(error)  # it is answered with this, unless a fault says otherwise
        else:
            received.encrypted = plain is not None
            received.plain = received.body if plain is None else plain

    def _serve(self, received: Received) -> Response:
        if not received.believed:
            return json_reply(401, UNAUTHENTICATED)
        try:
            self._check_encryption(received)
            self._check_profile(received.headers.get("profile-id"))
            stored = self._stored(received)
            if received.method == "PATCH":
                self._update(stored, received)
        except Refused as refused:
            received.reason = str(refused)
            return json_reply(
                refused.status, self._encryption.encrypt_response({"errors": [refused.error]}, received.claims)
            )
        return json_reply(200, self._encryption.encrypt_response(stored.customer, received.claims), ETag=stored.etag)

    def _check_encryption(self, request: Received) -> None:
        if request.reason:
            raise Refused(400, "invalidRequest", request.reason)
        if not self._encryption.can_answer(request.claims):
            raise Refused(400, "invalidRequest", "v-c-response-mle-kid is unknown")
        if self.requires_encryption and request.method == "PATCH" and not request.encrypted:
            raise Refused(400, "invalidRequest", "Request body is not encrypted")

    def _check_profile(self, profile: str | None) -> None:
        if profile is None:
            return
        if len(profile) != PROFILE_ID_LENGTH:
            raise Refused(400, "invalidHeaders", "Invalid header values", ["profile-id"], "header")
        if profile in self.forbidden_profiles:
            raise Refused(403, "forbidden", "The profile may not perform this operation")
        if profile not in self.profiles:
            raise Refused(424, "notFound", "Profile not found")

    def _stored(self, request: Received) -> Stored:
        path, _, query = request.path.partition("?")
        match = CUSTOMER_PATH.fullmatch(path)
        stored = self.customers.get(match[1].upper()) if match else None
        if request.method not in ("GET", "PATCH"):
            raise Refused(405, "methodNotAllowed", "Method not allowed")
        if query:
            raise Refused(400, "invalidParameters", "Invalid parameters in the request")
        if stored is None:
            raise Refused(404, "notFound", "Token not found")
        if stored.deleted:
            raise Refused(410, "notAvailable", "Token not available")
        return stored

    def _update(self, stored: Stored, request: Received) -> None:
        patch = patch_in(request)
        if_match = request.headers.get("if-match", stored.etag)
        if not 1 <= len(if_match) <= LONGEST_ETAG:
            raise Refused(400, "invalidHeaders", "Invalid header values", ["if-match"], "header")
        if if_match != stored.etag:
            raise Refused(412, "conflict", "The customer has changed")
        customer = merge(stored.customer, patch)
        if customer != stored.customer:
            stored.customer, stored.etag = customer, new_etag()


def main() -> None:
    """Serve until Ctrl-C; what is printed can be pasted into a shell."""
    parser = argparse.ArgumentParser(description="Serve a stand-in for the Token Management Service on loopback.")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (default: %(default)s)")
    with Sandbox().running(port=parser.parse_args().port) as url, suppress(KeyboardInterrupt):
        print(f"# {url} until Ctrl-C, with the customer {PAGE_CUSTOMER_ID}")
        print(f"export CYBERSOURCE_MERCHANT_ID={MERCHANT_ID}")
        print(f"export CYBERSOURCE_KEY_ID={KEY_ID}")
        print(f"export CYBERSOURCE_SECRET_KEY={SECRET}")
        print(f"export CYBERSOURCE_BASE_URL={url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
