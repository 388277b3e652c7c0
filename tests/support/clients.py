"""Either client behind one blocking face, so that each rule is written once and holds for both."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import httpx

from cybersource_tms import (
    AsyncCustomersClient,
    BuyerInformation,
    ClientReferenceInformation,
    CustomerRecord,
    CustomersClient,
    CustomerUpdate,
    SharedSecretAuth,
    UpdateOutcome,
)
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, SECRET

EMAIL = "jane.roe@example.com"
NEW_EMAIL = CustomerUpdate(buyer_information=BuyerInformation(email=EMAIL))
NEW_CODE = CustomerUpdate(client_reference_information=ClientReferenceInformation(code="order-4711"))


class Clients:
    """Makes clients of one kind, sync or async. `run` waits for what a method returns."""

    def __init__(self, name: str, run: Callable[[Any], Any]) -> None:
        self.name = name
        self.run = run
        self.client_class: Any = CustomersClient if name == "sync" else AsyncCustomersClient
        self.transport_class: Any = httpx.HTTPTransport if name == "sync" else httpx.AsyncHTTPTransport
        self._made: list[BlockingClient] = []

    def open(self, environment: Any = "test", auth: Any = None, **settings: Any) -> "BlockingClient":
        """Make a client with the stand-in's shared secret and without retries, unless the test says otherwise."""
        auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET) if auth is None else auth
        return self.wrap(self.client_class(environment, auth, **{"retries": None, **settings}))

    def wrap(self, client: Any) -> "BlockingClient":
        """Wrap a client that the test made itself. It is closed when the test ends."""
        self._made.append(BlockingClient(client, self.run))
        return self._made[-1]

    def close(self) -> None:
        """Close every client that was made."""
        for client in self._made:
            client.close()


class BlockingClient:
    """A client whose methods block until they return, whichever client it is; `wrapped` is that client."""

    def __init__(self, client: Any, run: Callable[[Any], Any]) -> None:
        self.wrapped = client
        self._run = run

    def update(self, customer_id: Any, changes: Any, **options: Any) -> CustomerRecord:
        """Update a customer."""
        record: CustomerRecord = self._run(self.wrapped.update(customer_id, changes, **options))
        return record

    def retrieve(self, customer_id: Any) -> CustomerRecord:
        """Read a customer."""
        record: CustomerRecord = self._run(self.wrapped.retrieve(customer_id))
        return record

    def update_many(self, updates: Any, **options: Any) -> Iterator[UpdateOutcome]:
        """Update many customers; each step of the loop blocks until there is an outcome."""
        steps = self.wrapped.update_many(updates, **options)
        if isinstance(self.wrapped, CustomersClient):
            return cast("Iterator[UpdateOutcome]", steps)
        return self._steps(steps)

    def _steps(self, steps: Any) -> Iterator[UpdateOutcome]:
        try:
            while True:
                try:
                    outcome = self._run(anext(steps))
                except StopAsyncIteration:
                    return
                yield outcome
        finally:
            self._run(steps.aclose())

    def edit(self, customer_id: Any, change: Callable[[Any], object]) -> Any:
        """Call `change` with the customer inside `with` or `async with`; return the edit, also kept as `last_edit`."""
        self.last_edit = self.wrapped.edit(customer_id)
        return self.enter(self.last_edit, change)

    def enter(self, edit: Any, change: Callable[[Any], object]) -> Any:
        """Call `change` with the customer inside an edit that the test has made, and return that edit."""

        async def edit_async() -> None:
            async with edit as customer:
                change(customer)

        if isinstance(self.wrapped, AsyncCustomersClient):
            self._run(edit_async())
        else:
            with edit as customer:
                change(customer)
        return edit

    def close(self) -> None:
        """Call `close` or `aclose`."""
        asynchronous = isinstance(self.wrapped, AsyncCustomersClient)
        self._run(self.wrapped.aclose() if asynchronous else self.wrapped.close())
