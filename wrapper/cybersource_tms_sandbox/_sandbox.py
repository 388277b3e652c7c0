"""The sandbox as a test sees it: what it knows, what it received, and what is to go wrong."""

import base64
import copy
import threading
from collections import deque
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ._customers import LONGEST_ETAG, PAGE_CUSTOMER_ID, Stored, new_etag
from ._faults import Fault
from ._messages import Received, Reply, build_reply
from ._server import serve
from ._service import Service
from ._transport import SandboxTransport

MERCHANT_ID = "testrest"
KEY_ID = "08c94330-f618-42a3-b09d-e1e43be5efda"
SECRET = base64.b64encode(bytes(range(32))).decode()


class Sandbox(Service):
    """A stand-in for the service. It knows one merchant, one key and the customer of CyberSource's page.

    Args:
        etag_format: How the service writes an ETag, such as `W/"{}"`; it has at most 32 characters.

    Attributes:
        received: The requests, in order.
        faults: What is still to go wrong, in order.
        transport: An `httpx` transport for a client of either kind, within this process.
        profiles: The values of `profile-id` that are known.
        forbidden_profiles: Those that get a 403.
        requires_encryption: Whether an update has to be encrypted.
    """

    received: list[Received]
    faults: deque[Fault]

    def __init__(self, *, etag_format: str = "{}") -> None:
        if etag_format.count("{}") != 1 or len(new_etag(etag_format)) > LONGEST_ETAG:
            raise ValueError(f"etag_format has {{}} once, and an ETag at most {LONGEST_ETAG} characters")
        super().__init__(etag_format)
        self._lock = threading.RLock()
        self.transport = SandboxTransport(self)
        self.reset()

    def reset(self) -> None:
        """Go back to the initial state, but for the keys: these stay trusted."""
        self.clear()
        self.received = []
        self.faults = deque()
        self.trust_secret(MERCHANT_ID, KEY_ID, SECRET)

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables with the sandbox's credentials, for `CustomersClient.from_env`."""
        return {
            "CYBERSOURCE_ENVIRONMENT": "test",
            "CYBERSOURCE_MERCHANT_ID": MERCHANT_ID,
            "CYBERSOURCE_KEY_ID": KEY_ID,
            "CYBERSOURCE_SECRET_KEY": SECRET,
        }

    @contextmanager
    def running(
        self, *, port: int = 0, host: str = "127.0.0.1", certificate: str | Path | None = None
    ) -> Generator[str]:
        """Serve HTTP on loopback, in a thread, and yield the base URL.

        Args:
            port: The port, or 0 for a free one.
            host: A loopback address.
            certificate: A PEM file with a private key and its certificate, to serve HTTPS.

        Raises:
            ValueError: `host` is not a loopback address.
            OSError: The port is taken, or the certificate cannot be read.
            ExceptionGroup: At the end, what went wrong in the sandbox itself.
        """
        with serve(self, host, port, certificate) as url:
            yield url

    # Customers

    def add(self, customer: Mapping[str, Any]) -> None:
        """Add a customer in wire form. Beside its `id` nothing is checked.

        Raises:
            ValueError: It has no id, or there is a customer with that id, which is compared without case.
        """
        customer_id = customer.get("id")
        if not isinstance(customer_id, str) or not customer_id:
            raise ValueError("a customer needs an id, which is text")
        if customer_id.upper() in self.customers:
            raise ValueError(f"there is already a customer {customer_id}")
        self.put(customer)

    def put(self, customer: Mapping[str, Any]) -> None:
        """Add or replace a customer in wire form, unchecked."""
        self.customers[customer["id"].upper()] = Stored(copy.deepcopy(dict(customer)), new_etag(self._etag_format))

    def __getitem__(self, customer_id: str) -> dict[str, Any]:
        return self.customer(customer_id)

    def customer(self, id: str = PAGE_CUSTOMER_ID) -> dict[str, Any]:  # noqa: A002 - the service's own name
        """Return a copy of a customer's JSON, also as `sandbox[id]`. A KeyError says that there is none."""
        return copy.deepcopy(self.customers[id.upper()].customer)

    def etag(self, id: str = PAGE_CUSTOMER_ID) -> str:  # noqa: A002 - as above
        """Return a customer's current ETag."""
        return self.customers[id.upper()].etag

    def change(self, patch: dict[str, Any], id: str = PAGE_CUSTOMER_ID) -> None:  # noqa: A002 - as above
        """Apply a JSON Merge Patch as somebody else, unchecked: the ETag moves if that changes anything."""
        with self._lock:
            self.update(self.customers[id.upper()], patch)

    def delete(self, id: str = PAGE_CUSTOMER_ID) -> None:  # noqa: A002 - as above
        """Delete a customer's token: from now on the status is 410."""
        self.customers[id.upper()].deleted = True

    # Keys

    @property
    def request_certificate(self) -> bytes:
        """The service's certificate to encrypt requests for, in PEM; it stays the same over a reset."""
        return self._encryption.service_key.certificate

    def trust_secret(self, owner: str, key_id: str, secret: str, merchants: Iterable[str] = ()) -> None:
        """Trust a shared secret, in base64. With merchants it is a meta key, and `owner` is their portfolio."""
        self._keyring.trust_secret(owner, key_id, secret, merchants)

    def trust_certificate(self, owner: str, certificate: bytes, merchants: Iterable[str] = ()) -> None:
        """Trust a certificate, in PEM, whose subject has the owner as its CN and the `kid` as its serialNumber."""
        self._keyring.trust_certificate(owner, certificate, merchants)

    def trust_response_key(self, key_id: str, public_key: bytes) -> None:
        """Encrypt responses to tokens that name this key, in PEM, as `v-c-response-mle-kid`."""
        self._encryption.trust(key_id, public_key)

    # Faults

    def fail(self, *faults: Fault | int) -> None:
        """Let each of the next requests use up one fault; a number is a status.

        Raises:
            ValueError: One of them is not a fault, or is impossible.
        """
        self.faults.extend([fault if isinstance(fault, Fault) else Fault(status=fault) for fault in faults])

    # What the transport and the server do with a request, one after the other

    def receive(self, request: Received) -> Fault:
        """Authenticate a request, keep it, and return what is to go wrong with it."""
        with self._lock:
            self.authenticate(request)
            self.received.append(request)
            return self.faults.popleft() if self.faults else Fault()

    def handle(self, request: Received, fault: Fault) -> Reply | None:
        """Apply a request if it is to be applied, and return the reply, or None if there is to be none."""
        with self._lock:
            if fault.delay and request not in self.received:  # a reset must not be undone by what was delayed
                return None
            reply = self.respond(request) if fault.serves else None
            if fault.status is not None:
                reply = build_reply(fault.status, fault.body, fault.headers)
            if fault.cut:
                return reply if fault.cut == "middle" else None
            request.reply = reply
            return reply
