"""The sandbox as a test sees it: what it knows, what it received, and what is to go wrong."""

import json
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from ._customers import LONGEST_ETAG, PAGE_CUSTOMER_ID, Stored, new_etag, page_customer
from ._failing import FailingService
from ._json import dump_json
from ._keys import P12_PASSWORD, RESPONSE, SERVICE, SIGNING, Credential, Encryption, key_pair, make_variables, p12
from ._server import serve
from ._transport import SandboxTransport


class Sandbox(FailingService):
    """A sandbox of the service. It knows one merchant with its keys, and the customer of CyberSource's page.

    Args:
        credential: What a client with `variables` signs with: `"secret"` or `"p12"`.
        encryption: What it encrypts: `"off"`, `"request"`, `"response"` or `"both"`.
        customers: Customers to know from the beginning, as `add` takes them. One may replace the page's.
        etag_format: How the service writes an ETag, such as `W/"{}"`; it has at most 32 characters.

    Attributes:
        received: The requests, in order.
        faults: What is still to go wrong, in order.
        transport: An `httpx` transport for a client of either kind, within this process.
        profiles: The values of `profile-id` that are known.
        forbidden_profiles: Those that get a 403.
        tell: Called with a line for each request: its status, and why it was refused. It does nothing, until a test
            sets it to `print`, say.
        requires_encryption: Whether an update has to be encrypted.
        p12_password: The password of `signing_p12` and `response_p12`.

    Raises:
        ValueError: An argument is none of these, or a customer cannot be added.
    """

    p12_password = P12_PASSWORD

    def __init__(
        self,
        *,
        credential: Credential = "secret",
        encryption: Encryption = "off",
        customers: Iterable[Mapping[str, Any]] = (),
        etag_format: str = "{}",
    ) -> None:
        if credential not in get_args(Credential):
            raise ValueError(f"credential is {credential!r}, not one of {', '.join(get_args(Credential))}")
        if encryption not in get_args(Encryption):
            raise ValueError(f"encryption is {encryption!r}, not one of {', '.join(get_args(Encryption))}")
        if etag_format.count("{}") != 1 or len(new_etag(etag_format)) > LONGEST_ETAG:
            raise ValueError(f"etag_format has {{}} once, and an ETag at most {LONGEST_ETAG} characters")
        super().__init__(etag_format)
        self._credential, self._encryption = credential, encryption
        self.transport = SandboxTransport(self)
        for customer in customers:
            self.add(customer)
        if PAGE_CUSTOMER_ID not in self._customers:
            self.put(page_customer())
        self.reset()

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
            ValueError: `host` is not a loopback address, or there is no such port.
            OSError: The port is taken, or the certificate cannot be read.
            ExceptionGroup: At the end, what went wrong in the sandbox itself.
        """
        with serve(self, host, port, certificate) as url:
            yield url

    # Customers

    def add(self, customer: Mapping[str, Any]) -> None:
        """Add a customer in wire form. Beside its `id` nothing is checked.

        Raises:
            ValueError: It has no id, or there is a customer with that id, which is case-insensitive.
        """
        customer_id = customer.get("id")
        if not isinstance(customer_id, str) or not customer_id:
            raise ValueError("a customer needs an id, which is text")
        with self._lock:
            if customer_id.upper() in self._customers:
                raise ValueError(f"there is already a customer {customer_id}")
            self.put(customer)

    def put(self, customer: Mapping[str, Any]) -> None:
        """Add or replace a customer in wire form, unchecked."""
        self._customers[customer["id"].upper()] = Stored(dump_json(dict(customer)), self._new_etag())

    def __getitem__(self, customer_id: str) -> dict[str, Any]:
        return self.customer(customer_id)

    def customer(self, id: str = PAGE_CUSTOMER_ID) -> dict[str, Any]:  # noqa: A002 - the service's own name
        """Return a copy of a customer's JSON, also as `sandbox[id]`. A KeyError says that there is none."""
        customer: dict[str, Any] = json.loads(self._customers[id.upper()].text)
        return customer

    def etag(self, id: str = PAGE_CUSTOMER_ID) -> str:  # noqa: A002 - as above
        """Return a customer's current ETag."""
        return self._customers[id.upper()].etag

    def change(self, patch: Mapping[str, Any], id: str = PAGE_CUSTOMER_ID) -> None:  # noqa: A002 - as above
        """Apply a JSON Merge Patch as somebody else, unchecked: the ETag moves if that changes anything."""
        with self._lock:
            self._update(id.upper(), patch)

    def delete(self, id: str = PAGE_CUSTOMER_ID) -> None:  # noqa: A002 - as above
        """Delete a customer's token: from now on the status is 410."""
        with self._lock:
            self._customers[id.upper()] = replace(self._customers[id.upper()], deleted=True)

    # Keys

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables for `CustomersClient.from_env`, as `credential` and `encryption` say."""
        return make_variables(self._credential, self._encryption)

    @property
    def signing_p12(self) -> Path:
        """A P12 file with the merchant's key that signs; like all files, it is removed when this process ends."""
        return p12(SIGNING)

    @property
    def response_p12(self) -> Path:
        """A P12 file with the merchant's key for encrypted responses."""
        return p12(RESPONSE)

    @property
    def request_certificate(self) -> bytes:
        """The service's certificate to encrypt requests for, in PEM, which both P12 files hold too."""
        return key_pair(SERVICE).pem

    def trust_secret(self, owner: str, key_id: str, secret: str, merchants: Iterable[str] = ()) -> None:
        """Trust a shared secret, in base64. With merchants it is a meta key, and `owner` is their portfolio."""
        self._keyring.trust_secret(owner, key_id, secret, merchants)

    def trust_certificate(self, owner: str, certificate: bytes, merchants: Iterable[str] = ()) -> None:
        """Trust a certificate, in PEM, whose subject has the owner as its CN and the `kid` as its serialNumber."""
        self._keyring.trust_certificate(owner, certificate, merchants)

    def trust_response_key(self, key_id: str, public_key: bytes) -> None:
        """Encrypt responses to tokens that name this key, in PEM, as `v-c-response-mle-kid`."""
        self._response_keys.trust(key_id, public_key)
