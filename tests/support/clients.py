"""Either client behind one blocking face, so that each rule is written once and holds for both."""

from collections.abc import Callable, Iterator
from typing import Any

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

AUTH = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
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
        """Make a client with the sandbox's shared secret and without retries, unless the test says otherwise."""
        return self.wrap(self.client_class(environment, auth or AUTH, **{"retries": None, **settings}))

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

    def retrieve(self, customer_id: Any) -> CustomerRecord:
        """Read a customer."""
        return self._record(self.wrapped.retrieve(customer_id))

    def update(self, customer_id: Any, changes: Any, **options: Any) -> CustomerRecord:
        """Update a customer."""
        return self._record(self.wrapped.update(customer_id, changes, **options))

    def apply(self, customer_id: Any, desired: Any) -> CustomerRecord:
        """Make a customer have these values."""
        return self._record(self.wrapped.apply(customer_id, desired))

    def modify(self, customer_id: Any, function: Any) -> CustomerRecord:
        """Let a function change a customer."""
        return self._record(self.wrapped.modify(customer_id, function))

    def with_options(self, **options: Any) -> "BlockingClient":
        """Return a client with other options."""
        return BlockingClient(self.wrapped.with_options(**options), self._run)

    def update_many(self, pairs: Any, **options: Any) -> Iterator[UpdateOutcome]:
        """Update many customers; the async client's outcomes come all at once."""
        return self._outcomes(self.wrapped.update_many(pairs, **options))

    def apply_many(self, pairs: Any, **options: Any) -> Iterator[UpdateOutcome]:
        """Make many customers have values; the async client's outcomes come all at once."""
        return self._outcomes(self.wrapped.apply_many(pairs, **options))

    def _record(self, returned: Any) -> CustomerRecord:
        record: CustomerRecord = self._run(returned)
        return record

    def _outcomes(self, job: Any) -> Iterator[UpdateOutcome]:
        if isinstance(self.wrapped, CustomersClient):
            with job as outcomes:
                yield from outcomes
            return
        outcomes, error = self._run(_collect(job))
        yield from outcomes
        if error:
            raise error

    def close(self) -> None:
        """Call `close` or `aclose`."""
        asynchronous = isinstance(self.wrapped, AsyncCustomersClient)
        self._run(self.wrapped.aclose() if asynchronous else self.wrapped.close())


async def _collect(job: Any) -> tuple[list[UpdateOutcome], BaseException | None]:
    """Run a job in one task, as it has to be; return its outcomes, and what was raised after them."""
    outcomes: list[UpdateOutcome] = []
    try:
        async with job as steps:
            async for outcome in steps:
                outcomes.append(outcome)  # noqa: PERF401 - those before an error count
    except BaseException as error:  # noqa: BLE001 - raised when the outcomes were taken
        return outcomes, error
    return outcomes, None
