"""The two clients, which are twins. This is the path of an update.

update          checks the arguments                                               _requests
  slot          waits until fewer than `max_connections` calls are in flight       _connections
  loop          one attempt after another, until one succeeds or none is left      _retries
    build       the generated code's request: method, path, headers, body          generated
    encrypt     the body, if there is encryption                                   _credentials
    sign, send  httpx, with the credentials as its auth; never after the deadline  _exchange
    read        the whole response, up to a size                                   _exchange
    decrypt, check   status, shape, and that it is about the customer asked for    _responses
    parse       the generated code's model                                         generated
"""

import os
import time
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable
from copy import copy
from typing import Self

import anyio
import httpx

from ._calls.environment import Environment
from ._calls.records import Call, CustomerRecord, Result
from ._calls.requests import (
    DEFAULT_TIMEOUT,
    Change,
    ChangeFunction,
    check_count,
    check_iterable,
    client_settings,
    is_function,
    retrieve_call,
    update_call,
)
from ._calls.responses import check_applied, etag_of
from ._calls.retries import Attempts, Retries
from ._credentials import variables
from ._credentials.message_encryption import MessageEncryption
from ._edit import AsyncEdit, Edit
from ._http.attempt import async_attempt, attempt
from ._http.connections import AsyncConnections, SyncConnections
from ._many import Pair, UpdateOutcome, async_update_many, update_many
from ._pace import Pace
from ._tracebacks import async_yield_without_frames, raise_without_frames, yield_without_frames
from .errors import CybersourceError, PreconditionFailed

DEFAULT_RETRIES = Retries()
DEFAULT_CONNECTIONS = 100


class CustomersClient:
    """Reads and updates customers. Threads can share a client; it keeps connections until it is closed.

    Time-outs and retries are those of a client: for other ones in one place, make another client.

    Args:
        environment: An `Environment` or its text, such as `"production-india"`.
        auth: The credentials, such as `SharedSecretAuth`.
        timeout: Seconds, above 0 and at most a day, for each of connecting, writing and reading, or an
            `httpx.Timeout`. The default is 5 s to connect, 10 s to write, 30 s to read.
        retries: When to repeat a call after a transient failure, see `Retries`; None turns retries off.
        profile_id: The token profile to use, 36 characters, for merchants that have more than one.
        encryption: A `MessageEncryption`, to encrypt requests, responses or both; `auth` has to sign tokens.
        base_url: Overrides the environment's address, for a proxy or a stand-in; plain http only to loopback.
        transport: A custom `httpx.BaseTransport`, for tests, proxies and mTLS.
        max_connections: How many calls at most have a connection at a time, 1 or more. Further calls wait, for as long
            as it takes: that is no time-out of the network.

    Raises:
        InvalidRequest: An argument is wrong; the message names it.
    """

    @raise_without_frames
    def __init__(
        self,
        environment: Environment | str,
        auth: httpx.Auth,
        *,
        timeout: float | httpx.Timeout = DEFAULT_TIMEOUT,
        retries: Retries | None = DEFAULT_RETRIES,
        profile_id: str | None = None,
        encryption: MessageEncryption | None = None,
        base_url: str | None = None,
        transport: httpx.BaseTransport | None = None,
        max_connections: int = DEFAULT_CONNECTIONS,
    ) -> None:
        self._settings = client_settings(
            environment,
            auth,
            timeout=timeout,
            retries=retries,
            profile_id=profile_id,
            encryption=encryption,
            base_url=base_url,
            max_connections=max_connections,
        )
        self._connections = SyncConnections(self._settings, transport)
        self._pace: Pace | None = None

    @classmethod
    @raise_without_frames
    def from_env(
        cls,
        *,
        timeout: float | httpx.Timeout = DEFAULT_TIMEOUT,
        retries: Retries | None = DEFAULT_RETRIES,
        profile_id: str | None = None,
        base_url: str | None = None,
        transport: httpx.BaseTransport | None = None,
        max_connections: int = DEFAULT_CONNECTIONS,
    ) -> Self:
        """Make a client from environment variables. The arguments are those of the class.

        It reads `CYBERSOURCE_ENVIRONMENT` (default `test`), `CYBERSOURCE_MERCHANT_ID` and `CYBERSOURCE_BASE_URL`; for
        a shared secret `CYBERSOURCE_KEY_ID` and `CYBERSOURCE_SECRET_KEY`, or for a P12 `CYBERSOURCE_P12_PATH` and
        `CYBERSOURCE_P12_PASSWORD`; `CYBERSOURCE_PORTFOLIO_ID` with a meta key; `CYBERSOURCE_MLE` (`off`, `request`,
        `response` or `both`) for message-level encryption. The response key is in `CYBERSOURCE_MLE_RESPONSE_P12_PATH`
        with `CYBERSOURCE_MLE_RESPONSE_P12_PASSWORD`, or in PEM in `CYBERSOURCE_MLE_RESPONSE_KEY_PATH`, if need be with
        `CYBERSOURCE_MLE_RESPONSE_KEY_PASSWORD`; `CYBERSOURCE_MLE_RESPONSE_KEY_ID` is its id, which a P12 holds as well.
        The service's certificate is in either P12, or in PEM in `CYBERSOURCE_MLE_REQUEST_CERTIFICATE_PATH`.

        Raises:
            InvalidRequest: Variables are missing or contradict each other, all of which the message names, or hold
                something wrong.
        """
        settings = variables.settings(os.environ)
        settings["base_url"] = base_url or settings["base_url"]
        return cls(
            **settings,
            timeout=timeout,
            retries=retries,
            profile_id=profile_id,
            transport=transport,
            max_connections=max_connections,
        )

    @raise_without_frames
    def retrieve(self, customer_id: str) -> CustomerRecord:
        """Read a customer: `GET /tms/v2/customers/{customerTokenId}`.

        Args:
            customer_id: The customer's token id, 1 to 32 characters of `A-Z a-z 0-9 _ -`.

        Returns:
            The whole customer, with its ETag and the correlation id.

        Raises:
            InvalidRequest: It is not such an id. Nothing was sent.
            StatusError: The service refused, by one of its subclasses: `NotFound`, `TokenDeleted`, …
            ConnectionFailed: There was no response.
            UnreadableResponse: The response cannot be understood, or is about another customer.
        """
        return self._send(retrieve_call(customer_id, self._settings.profile_id))

    @raise_without_frames
    def update(self, customer_id: str, changes: Change, *, if_match: str | None = None) -> CustomerRecord:
        """Merge `changes` into a customer: `PATCH /tms/v2/customers/{customerTokenId}` with only these fields.

        A repeat after a lost response does no harm: the same merge patch gives the same customer twice (RFC 7396). Only
        what somebody else wrote to the same fields in between would be overwritten. With `if_match`, such a repeat is
        refused, and the customer is read to find out: if it is what `changes` ask for, that is success.

        If `changes` is a function, the customer is read first, and the update is guarded by the ETag of what was read.
        If somebody else has changed the customer in between, it is read and the function called again, in all as often
        as the client's `retries` have attempts.

            customers.update(customer_id, partial(changed_fields, after=desired))

        Args:
            customer_id: The customer's token id, 1 to 32 characters of `A-Z a-z 0-9 _ -`.
            changes: What to write, as `changed_fields` returns it; a field that is `None` is removed. Or a function of
                the `Customer` as it is that returns this, or None if there is nothing to write.
            if_match: The ETag of an earlier response, unchanged. If the customer has changed since, nothing is updated.
                Not with a function.

        Returns:
            The whole customer as it now is, with its ETag and the correlation id.

        Raises:
            InvalidRequest: An argument is wrong, or `changes` is empty. Nothing was sent.
            StatusError: The service refused, by one of its subclasses: `PreconditionFailed` where `if_match` is old.
            ConnectionFailed: There was no response; `may_have_been_applied` says whether the update may have arrived.
            UnreadableResponse: The response cannot be understood; the update may have been applied.
            Exception: What the function raises, as it is. Nothing was sent.
        """
        if is_function(changes, if_match):
            return self._update_as_read(customer_id, changes)
        return self._send_update(update_call(customer_id, changes, if_match, self._settings.profile_id))

    @raise_without_frames
    def update_many(
        self, updates: Iterable[Pair], *, concurrency: int = 16, per_second: float | None = None
    ) -> Generator[UpdateOutcome]:
        """Update many customers at a time, on threads, and yield an outcome for each as it finishes.

            jobs = ((row["id"], partial(changed_fields, after=wanted(row))) for row in rows)
            for outcome in customers.update_many(jobs, concurrency=32, per_second=50):
                if outcome.error: ...

        An error of one customer is in its outcome. What concerns all of them is raised, after what is in flight has
        ended and its outcomes were yielded: a 401, a 403, a client that was closed, what `updates` itself raises.
        A customer is never in flight twice: its updates are made one after another, in their order. A loop that stops
        early begins nothing new, and waits for what is in flight.

        Args:
            updates: Pairs of a customer's token id and its changes, as `update` takes them: a `CustomerUpdate`, or a
                function of the customer as it is, which is called on another thread. They are read as they are needed,
                on the thread of the caller, which gets no outcome while it waits for one.
            concurrency: How many customers at most are in flight, 1 or more; of these, as many as the client's
                `max_connections` at a time.
            per_second: How many requests at most are sent in a second, retries and reads included; above 0. A 429 or a
                `Retry-After` pauses all of them, for a minute at most.

        Returns:
            A generator of outcomes.

        Raises:
            InvalidRequest: `concurrency` or `per_second` is wrong, or an item of `updates` is not a pair.
            Unauthorized: The credentials were not accepted.
            Forbidden: The merchant may not do this.
        """
        check_iterable(updates, Iterable)
        most = check_count("concurrency", concurrency)
        return yield_without_frames(update_many(self._paced(per_second), updates, most))

    def edit(self, customer_id: str) -> Edit:
        """Read a customer, hand out a copy to change, and on leaving send only what changed, guarded by the ETag.

        In the copy, an empty group or list stands for each that the customer does not have, so that it can be filled
        like one that is there. If nothing changed, nothing is sent; nor if the block raises.

            with customers.edit(customer_id) as customer:
                customer.buyer_information.email = "new@example.com"

        Args:
            customer_id: The customer's token id, 1 to 32 characters of `A-Z a-z 0-9 _ -`.

        Returns:
            A context manager, with `.read`, `.changes` and `.record` for afterwards.

        Raises:
            CybersourceError: On entering as `retrieve`, on leaving as `changed_fields` and `update`;
                `PreconditionFailed` if somebody else has changed the customer in between.
        """
        return Edit(self, customer_id)

    def _update_as_read(self, customer_id: str, change: ChangeFunction) -> CustomerRecord:
        tries = self._settings.retries.attempts if self._settings.retries else 1
        while True:
            tries -= 1
            read = self.retrieve(customer_id)
            changes = change(read.customer)
            if changes is None:
                return read
            try:
                return self._send_update(update_call(customer_id, changes, etag_of(read), self._settings.profile_id))
            except PreconditionFailed as error:
                if error.may_have_been_applied or not tries:
                    raise

    def _send_update(self, call: Call[CustomerRecord]) -> CustomerRecord:
        with self._connections.slots():
            attempts = Attempts(self._settings.retries, call)
            try:
                return self._repeat(call, attempts)
            except PreconditionFailed as error:
                if not error.may_have_been_applied:
                    raise
                refused = error
            return self._find_out(call, refused, attempts.deadline)

    def _send(self, call: Call[Result]) -> Result:
        with self._connections.slots():
            return self._repeat(call, Attempts(self._settings.retries, call))

    def _repeat(self, call: Call[Result], attempts: Attempts) -> Result:
        while True:
            if self._pace:
                attempts.deadline += self._pace.wait()
            try:
                return attempt(self._connections, call, attempts.deadline)
            except CybersourceError as error:
                wait = attempts.wait_after(error)
                if self._pace:
                    self._pace.slow_down(error)
                if wait is None:
                    raise
            time.sleep(wait)

    def _find_out(self, call: Call[CustomerRecord], refused: PreconditionFailed, deadline: float) -> CustomerRecord:
        """Read the customer to find out whether an attempt before the refused one was applied."""
        reading = retrieve_call(call.customer_id, self._settings.profile_id)
        try:
            now = self._repeat(reading, Attempts(self._settings.retries, reading, deadline))
        except CybersourceError as error:
            raise refused from error
        return check_applied(refused, now, call)

    def _paced(self, per_second: float | None) -> Self:
        """Return this client as one job uses it: the same connections, at a pace of its own."""
        paced = copy(self)
        paced._pace = Pace(per_second)  # noqa: SLF001 - a copy of this
        return paced

    @property
    def is_closed(self) -> bool:
        """Whether the client was closed."""
        return self._connections.closed

    def close(self) -> None:
        """Close the connections. The client cannot be used afterwards."""
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"CustomersClient({self._settings.base_url!r})"


class AsyncCustomersClient:
    """Does what `CustomersClient` does, under asyncio and trio. The tasks of one event loop can share a client.

        async with AsyncCustomersClient.from_env() as customers:
            record = await customers.update(customer_id, partial(changed_fields, after=desired))

    Args:
        environment: As for `CustomersClient`.
        auth: As for `CustomersClient`.
        timeout: As for `CustomersClient`.
        retries: As for `CustomersClient`.
        profile_id: As for `CustomersClient`.
        encryption: As for `CustomersClient`.
        base_url: As for `CustomersClient`.
        transport: A custom `httpx.AsyncBaseTransport`.
        max_connections: As for `CustomersClient`.

    Raises:
        InvalidRequest: An argument is wrong; the message names it.
    """

    @raise_without_frames
    def __init__(
        self,
        environment: Environment | str,
        auth: httpx.Auth,
        *,
        timeout: float | httpx.Timeout = DEFAULT_TIMEOUT,
        retries: Retries | None = DEFAULT_RETRIES,
        profile_id: str | None = None,
        encryption: MessageEncryption | None = None,
        base_url: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        max_connections: int = DEFAULT_CONNECTIONS,
    ) -> None:
        self._settings = client_settings(
            environment,
            auth,
            timeout=timeout,
            retries=retries,
            profile_id=profile_id,
            encryption=encryption,
            base_url=base_url,
            max_connections=max_connections,
        )
        self._connections = AsyncConnections(self._settings, transport)
        self._pace: Pace | None = None

    @classmethod
    @raise_without_frames
    def from_env(
        cls,
        *,
        timeout: float | httpx.Timeout = DEFAULT_TIMEOUT,
        retries: Retries | None = DEFAULT_RETRIES,
        profile_id: str | None = None,
        base_url: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        max_connections: int = DEFAULT_CONNECTIONS,
    ) -> Self:
        """Make a client from environment variables, as `CustomersClient.from_env` does."""
        settings = variables.settings(os.environ)
        settings["base_url"] = base_url or settings["base_url"]
        return cls(
            **settings,
            timeout=timeout,
            retries=retries,
            profile_id=profile_id,
            transport=transport,
            max_connections=max_connections,
        )

    @raise_without_frames
    async def retrieve(self, customer_id: str) -> CustomerRecord:
        """Read a customer, as `CustomersClient.retrieve` does."""
        return await self._send(retrieve_call(customer_id, self._settings.profile_id))

    @raise_without_frames
    async def update(self, customer_id: str, changes: Change, *, if_match: str | None = None) -> CustomerRecord:
        """Merge `changes` into a customer, as `CustomersClient.update` does."""
        if is_function(changes, if_match):
            return await self._update_as_read(customer_id, changes)
        return await self._send_update(update_call(customer_id, changes, if_match, self._settings.profile_id))

    @raise_without_frames
    def update_many(
        self,
        updates: Iterable[Pair] | AsyncIterable[Pair],
        *,
        concurrency: int = 16,
        per_second: float | None = None,
    ) -> AsyncGenerator[UpdateOutcome]:
        """Update many customers at a time, in tasks, as `CustomersClient.update_many` does.

        `updates` can be an async iterable as well, and outcomes come while it is waited for. A loop that stops early
        cancels what is in flight. To have that done at once, use it within `contextlib.aclosing`.
        """
        check_iterable(updates, Iterable, AsyncIterable)
        most = check_count("concurrency", concurrency)
        return async_yield_without_frames(async_update_many(self._paced(per_second), updates, most))

    def edit(self, customer_id: str) -> AsyncEdit:
        """Edit a customer within an `async with`, as `CustomersClient.edit` does."""
        return AsyncEdit(self, customer_id)

    async def _update_as_read(self, customer_id: str, change: ChangeFunction) -> CustomerRecord:
        tries = self._settings.retries.attempts if self._settings.retries else 1
        while True:
            tries -= 1
            read = await self.retrieve(customer_id)
            changes = change(read.customer)
            if changes is None:
                return read
            try:
                return await self._send_update(
                    update_call(customer_id, changes, etag_of(read), self._settings.profile_id)
                )
            except PreconditionFailed as error:
                if error.may_have_been_applied or not tries:
                    raise

    async def _send_update(self, call: Call[CustomerRecord]) -> CustomerRecord:
        async with self._connections.slots():
            attempts = Attempts(self._settings.retries, call)
            try:
                return await self._repeat(call, attempts)
            except PreconditionFailed as error:
                if not error.may_have_been_applied:
                    raise
                refused = error
            return await self._find_out(call, refused, attempts.deadline)

    async def _send(self, call: Call[Result]) -> Result:
        async with self._connections.slots():
            return await self._repeat(call, Attempts(self._settings.retries, call))

    async def _repeat(self, call: Call[Result], attempts: Attempts) -> Result:
        while True:
            if self._pace:
                attempts.deadline += await self._pace.async_wait()
            try:
                return await async_attempt(self._connections, call, attempts.deadline)
            except CybersourceError as error:
                wait = attempts.wait_after(error)
                if self._pace:
                    self._pace.slow_down(error)
                if wait is None:
                    raise
            await anyio.sleep(wait)

    async def _find_out(
        self, call: Call[CustomerRecord], refused: PreconditionFailed, deadline: float
    ) -> CustomerRecord:
        """Read the customer to find out whether an attempt before the refused one was applied."""
        reading = retrieve_call(call.customer_id, self._settings.profile_id)
        try:
            now = await self._repeat(reading, Attempts(self._settings.retries, reading, deadline))
        except CybersourceError as error:
            raise refused from error
        return check_applied(refused, now, call)

    def _paced(self, per_second: float | None) -> Self:
        """Return this client as one job uses it: the same connections, at a pace of its own."""
        paced = copy(self)
        paced._pace = Pace(per_second)  # noqa: SLF001 - a copy of this
        return paced

    @property
    def is_closed(self) -> bool:
        """Whether the client was closed."""
        return self._connections.closed

    async def aclose(self) -> None:
        """Close the connections. The client cannot be used afterwards."""
        await self._connections.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncCustomersClient({self._settings.base_url!r})"
