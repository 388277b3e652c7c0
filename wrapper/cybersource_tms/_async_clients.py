"""The async client, which mirrors `_clients.py` line by line: see there for what its methods do and for the map."""

import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Self

import anyio
import httpx
from attrs import evolve

from ._base_client import BaseClient
from ._calls import requests, responses
from ._calls.records import CustomerRecord, UpdateOutcome
from ._calls.requests import JSON, Changes, Modify, Operation, Result
from ._calls.retries import Attempts, Call, note_fate
from ._http.attempt import async_attempt
from ._http.connections import AsyncConnections
from ._many import AsyncJob
from ._tracebacks import raise_without_frames
from .errors import CybersourceError, PreconditionFailed

_log = logging.getLogger("cybersource_tms")


class AsyncCustomersClient(BaseClient[httpx.AsyncBaseTransport]):
    """Does what `CustomersClient` does, under asyncio and trio. The tasks of one event loop can share a client.

        async with AsyncCustomersClient.from_env() as customers:
            record = await customers.apply(customer_id, {"buyerInformation": {"email": "new@example.com"}})

    A call ends within its `total_timeout`, and can be cancelled at any time: nothing is sent afterwards. Under trio,
    close the client within the run that used it.

    Args:
        environment: As for `CustomersClient`.
        auth: As for `CustomersClient`. A signer of your own blocks the event loop while it signs.
        timeout: As for `CustomersClient`.
        retries: As for `CustomersClient`.
        profile_id: As for `CustomersClient`.
        encryption: As for `CustomersClient`.
        base_url: As for `CustomersClient`.
        transport: Your own `httpx.AsyncBaseTransport`, for tests. A call that is cancelled can leave a connection of an
            `httpx.AsyncHTTPTransport` in use for ever; the client's own connections are safe from that.
        max_connections: Maximum number of reads and updates in flight, 1 or more. Others wait without a time limit,
            which is not counted in `total_timeout`.
        ssl_context: As for `CustomersClient`.
        proxy: As for `CustomersClient`.
        headers: As for `CustomersClient`.

    Raises:
        InvalidRequest: An argument is wrong; the message names it.
    """

    _connections_class = AsyncConnections
    _connections: AsyncConnections
    _job: AsyncJob | None

    @raise_without_frames
    async def retrieve(self, customer_id: str) -> CustomerRecord:
        """Read a customer, as `CustomersClient.retrieve` does."""
        return await self._read(customer_id, Call(self._settings.retries))

    @raise_without_frames
    async def update(
        self, customer_id: str, changes: Changes, *, if_match: str | CustomerRecord | None = None
    ) -> CustomerRecord:
        """Merge `changes` into a customer, as `CustomersClient.update` does."""
        body = requests.parse_changes("changes", changes, limits=True)
        operation = requests.update_request(customer_id, body, if_match, self._settings.profile_id)
        return await self._send_update(operation, Call(self._settings.retries))

    @raise_without_frames
    async def apply(self, customer_id: str, desired: Changes) -> CustomerRecord:
        """Make a customer have these values, as `CustomersClient.apply` does."""
        checked = requests.parse_changes("desired", desired, limits=False)
        return await self._read_modify_write(customer_id, partial(requests.desired_changes, checked))

    @raise_without_frames
    async def modify(self, customer_id: str, function: Modify) -> CustomerRecord:
        """Read a customer and let a function change it, as `CustomersClient.modify` does."""
        return await self._read_modify_write(
            customer_id, partial(requests.modified_changes, requests.parse_function(function))
        )

    @raise_without_frames
    def update_many(
        self,
        pairs: Iterable[tuple[str, Changes]] | AsyncIterable[tuple[str, Changes]],
        *,
        concurrency: int = 16,
        per_second: float | None = None,
        max_failures: int | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[UpdateOutcome]]:
        """Update many customers at a time, in tasks, as `CustomersClient.update_many` does."""
        job = AsyncJob(pairs, concurrency, per_second, max_failures)
        return job.run(self._borrow(self._settings, job).update)

    @raise_without_frames
    def apply_many(
        self,
        pairs: Iterable[tuple[str, Changes | Modify]] | AsyncIterable[tuple[str, Changes | Modify]],
        *,
        concurrency: int = 16,
        per_second: float | None = None,
        max_failures: int | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[UpdateOutcome]]:
        """Make many customers have the values that they should have, in tasks, as `CustomersClient.apply_many` does.

            async with customers.apply_many(pairs) as outcomes:
                async for outcome in outcomes: ...

        `pairs` can be an async iterable as well, and outcomes come while it is waited for. Leaving the block cancels
        what is in flight.
        """
        job = AsyncJob(pairs, concurrency, per_second, max_failures)
        client = self._borrow(self._settings, job)
        return job.run(client._apply_or_modify)  # noqa: SLF001 - a copy of this

    async def _apply_or_modify(self, customer_id: str, wanted: Changes | Modify) -> CustomerRecord:
        return await self.modify(customer_id, wanted) if callable(wanted) else await self.apply(customer_id, wanted)

    async def _read_modify_write(
        self, customer_id: str, find_changes: Callable[[CustomerRecord], JSON]
    ) -> CustomerRecord:
        call, rounds = Call(self._settings.retries), 0
        while True:
            rounds += 1
            read = await self._read(customer_id, call)
            changes = find_changes(read)
            if not changes:
                return read
            update = requests.update_request(
                customer_id, changes, responses.guarding_etag(read), self._settings.profile_id
            )
            try:
                return await self._send_update(update, call)
            except PreconditionFailed as error:
                if error.may_have_been_applied:  # by an earlier attempt, and reading back did not confirm it
                    raise
                if rounds == self._settings.retries.attempts:
                    raise responses.conflict_error(error, rounds) from error
            _log.info("customer %s was changed by somebody else: reading again", customer_id, extra=update.log_fields)

    async def _read(self, customer_id: str | None, call: Call) -> CustomerRecord:
        return await self._retry(requests.retrieve_request(customer_id, self._settings.profile_id), call)

    async def _send_update(self, update: Operation[CustomerRecord], call: Call) -> CustomerRecord:
        try:
            return await self._retry(update, call)
        except PreconditionFailed as error:
            if not error.may_have_been_applied:
                raise
            return await self._confirm_applied(update, error, call)

    async def _confirm_applied(
        self, update: Operation[CustomerRecord], refused: PreconditionFailed, call: Call
    ) -> CustomerRecord:
        """Read the customer: was an earlier attempt of a refused update applied?"""
        try:
            current = await self._read(update.customer_id, call)
        except CybersourceError as error:
            raise refused from error
        except BaseException as error:
            note_fate(error, update, may_have_been_applied=True)
            raise
        if missing := responses.not_applied(current, update):
            raise responses.unconfirmed_error(refused, missing) from refused
        return evolve(current, sent=update.fields)

    async def _retry(self, operation: Operation[Result], call: Call) -> Result:
        """Retry on one connection until an attempt succeeds, or attempts or time run out.

        An exception that is not ours gets a note that says whether the update may have been applied.
        """
        attempts, delay = Attempts(operation, self._settings.retries, call), 0.0
        try:
            async with self._connections.acquire() as connection:
                call.postpone(connection.waited)
                while True:
                    await self._wait_for_turn(attempts, delay)
                    call.requests += 1
                    try:
                        return await async_attempt(connection, attempts, self._settings)
                    except CybersourceError as error:
                        attempts.record(error)
                        if (next_delay := attempts.next_delay(error)) is None:
                            raise
                        delay = next_delay
        except BaseException as error:
            note_fate(error, operation, may_have_been_applied=attempts.in_doubt or attempts.request_sent)
            raise

    async def _wait_for_turn(self, attempts: Attempts[Any], delay: float) -> None:
        """Wait before an attempt: for the delay of a retry and, in a job, for a turn, which postpones the deadline."""
        if self._job:
            attempts.call.postpone(await self._job.wait_for_turn(delay, attempts.last_error))
        elif delay:
            await anyio.sleep(delay)

    async def aclose(self) -> None:
        """Close the connections. The client cannot be used afterwards."""
        if not self._is_borrowing:
            await self._connections.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()
