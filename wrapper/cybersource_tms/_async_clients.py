"""The async client, which mirrors `_clients.py` line by line: see there for what its methods do and for the map."""

import logging
import os
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from copy import copy
from functools import partial
from typing import Self

import anyio
import httpx
from attrs import evolve

from cybersource_tms_api.types import UNSET, Unset

from ._calls.changes import Modify, desired_changes, guarding_etag, modified_changes, parse_function
from ._calls.environment import Environment
from ._calls.operations import Operation, Result
from ._calls.records import CustomerRecord, UpdateOutcome
from ._calls.requests import (
    JSON,
    Changes,
    parse_changes,
    parse_customer_id,
    parse_if_match,
    retrieve_request,
    update_request,
)
from ._calls.responses import conflict_error, lost_update_error, not_applied
from ._calls.retries import Attempts, Deadline, Retries, note_fate
from ._calls.settings import (
    DEFAULT_CONNECTIONS,
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT,
    parse_retries,
    parse_settings,
    parse_timeout,
)
from ._credentials import variables
from ._credentials.arguments import naming
from ._credentials.message_encryption import MessageEncryption
from ._http.attempt import async_attempt
from ._http.connection import Connection
from ._http.connections import AsyncConnections
from ._many import AsyncJob, JobEnded
from ._tracebacks import raise_without_frames
from .errors import CybersourceError, PreconditionFailed

_log = logging.getLogger("cybersource_tms")


class AsyncCustomersClient:
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
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | httpx.Proxy | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = parse_settings(
            environment,
            auth,
            timeout=timeout,
            retries=retries,
            profile_id=profile_id,
            encryption=encryption,
            base_url=base_url,
            headers=headers,
        )
        self._connections = AsyncConnections(
            self._settings.base_url,
            transport=transport,
            max_connections=max_connections,
            ssl_context=ssl_context,
            proxy=proxy,
        )
        self._is_borrowing = False

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
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | httpx.Proxy | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Make a client from environment variables, as `CustomersClient.from_env` does."""
        settings = variables.settings(os.environ)
        settings["base_url"] = base_url or settings["base_url"]
        with naming(environment=variables.ENVIRONMENT, base_url="base_url" if base_url else variables.BASE_URL):
            return cls(
                **settings,
                timeout=timeout,
                retries=retries,
                profile_id=profile_id,
                transport=transport,
                max_connections=max_connections,
                ssl_context=ssl_context,
                proxy=proxy,
                headers=headers,
            )

    @raise_without_frames
    def with_options(
        self, *, timeout: float | httpx.Timeout | Unset = UNSET, retries: Retries | Unset | None = UNSET
    ) -> Self:
        """Return a client with other time-outs or retries, as `CustomersClient.with_options` does."""
        settings = self._settings
        if not isinstance(timeout, Unset):
            settings = evolve(settings, timeout=parse_timeout(timeout))
        if not isinstance(retries, Unset):
            settings = evolve(settings, retries=parse_retries(retries))
        other = copy(self)
        other._settings, other._is_borrowing = settings, True  # noqa: SLF001 - a copy of this
        return other

    @raise_without_frames
    async def retrieve(self, customer_id: str) -> CustomerRecord:
        """Read a customer, as `CustomersClient.retrieve` does."""
        operation = retrieve_request(customer_id, self._settings.profile_id)
        return await self._retry(operation, Deadline(self._settings.retries), None)

    @raise_without_frames
    async def update(
        self, customer_id: str, changes: Changes, *, if_match: str | CustomerRecord | None = None
    ) -> CustomerRecord:
        """Merge `changes` into a customer, as `CustomersClient.update` does."""
        return await self._update(customer_id, changes, if_match, None)

    @raise_without_frames
    async def apply(self, customer_id: str, desired: Changes) -> CustomerRecord:
        """Make a customer have these values, as `CustomersClient.apply` does."""
        return await self._apply(customer_id, desired, None)

    @raise_without_frames
    async def modify(self, customer_id: str, function: Modify) -> CustomerRecord:
        """Read a customer and let a function change it, as `CustomersClient.modify` does."""
        return await self._modify(customer_id, function, None)

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
        return AsyncJob(self._update_one, pairs, concurrency, per_second, max_failures).run()

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
        return AsyncJob(self._apply_one, pairs, concurrency, per_second, max_failures).run()

    async def _update_one(self, customer_id: str, changes: Changes, job: AsyncJob) -> CustomerRecord:
        return await self._update(customer_id, changes, None, job)

    async def _apply_one(self, customer_id: str, wanted: Changes | Modify, job: AsyncJob) -> CustomerRecord:
        if callable(wanted):
            return await self._modify(customer_id, wanted, job)
        return await self._apply(customer_id, wanted, job)

    async def _update(
        self, customer_id: str, changes: Changes, if_match: str | CustomerRecord | None, job: AsyncJob | None
    ) -> CustomerRecord:
        body = parse_changes("changes", changes, limits=True)
        etag = parse_if_match(if_match, parse_customer_id(customer_id))
        operation = update_request(customer_id, body, etag, self._settings.profile_id)
        return await self._send_update(operation, Deadline(self._settings.retries), job)

    async def _apply(self, customer_id: str, desired: Changes, job: AsyncJob | None) -> CustomerRecord:
        checked = parse_changes("desired", desired, limits=False)
        return await self._read_modify_write(customer_id, partial(desired_changes, checked), job)

    async def _modify(self, customer_id: str, function: Modify, job: AsyncJob | None) -> CustomerRecord:
        return await self._read_modify_write(customer_id, partial(modified_changes, parse_function(function)), job)

    async def _read_modify_write(
        self, customer_id: str, find_changes: Callable[[CustomerRecord], JSON], job: AsyncJob | None
    ) -> CustomerRecord:
        retrieve = retrieve_request(customer_id, self._settings.profile_id)
        deadline = Deadline(self._settings.retries)
        rounds = self._settings.retries.attempts if self._settings.retries else 1
        number = requests = 0
        while True:
            number += 1
            read = await self._retry(retrieve, deadline, job)
            requests += read.requests
            changes = find_changes(read)
            if not changes:
                return evolve(read, requests=requests)
            update = update_request(customer_id, changes, guarding_etag(read), self._settings.profile_id)
            try:
                record = await self._send_update(update, deadline, job)
                return evolve(record, requests=requests + record.requests)
            except PreconditionFailed as error:
                if error.may_have_been_applied:  # by an attempt before the refused one: do not apply it twice
                    raise
                if number == rounds:
                    raise conflict_error(error, rounds) from error
                requests += error.attempts
            _log.info(
                "customer %s was changed by somebody else: reading it again", customer_id, extra=update.log_fields
            )

    async def _send_update(
        self, update: Operation[CustomerRecord], deadline: Deadline, job: AsyncJob | None
    ) -> CustomerRecord:
        try:
            return await self._retry(update, deadline, job)
        except PreconditionFailed as error:
            if not error.may_have_been_applied:
                raise
            return await self._confirm_applied(update, error, deadline, job)

    async def _confirm_applied(
        self,
        update: Operation[CustomerRecord],
        refused: PreconditionFailed,
        deadline: Deadline,
        job: AsyncJob | None,
    ) -> CustomerRecord:
        """Read the customer: was an earlier attempt of a refused update applied?"""
        try:
            retrieve = retrieve_request(update.customer_id, self._settings.profile_id)
            current = await self._retry(retrieve, deadline, job)
        except CybersourceError as error:
            raise refused from error
        except BaseException as error:
            note_fate(error, update, may_have_been_applied=True)
            raise
        if missing := not_applied(current, update):
            raise lost_update_error(refused, missing) from refused
        return evolve(current, sent=update.fields, requests=refused.attempts + current.requests)

    async def _retry(self, operation: Operation[Result], deadline: Deadline, job: AsyncJob | None) -> Result:
        """Make attempts until one succeeds, none is left, or the time is over."""
        attempts = Attempts(operation, self._settings.retries, deadline)
        async with self._connections.acquire() as connection:
            deadline.postpone(connection.waited)
            try:
                return await self._make_attempts(connection, operation, attempts, deadline, job)
            except BaseException as error:
                note_fate(error, operation, may_have_been_applied=attempts.in_doubt or connection.request_sent)
                raise

    async def _make_attempts(
        self,
        connection: Connection[httpx.AsyncClient],
        operation: Operation[Result],
        attempts: Attempts,
        deadline: Deadline,
        job: AsyncJob | None,
    ) -> Result:
        deadline.postpone(await job.wait_for_turn() if job else 0.0)
        while True:
            try:
                return await async_attempt(connection, operation, self._settings, deadline, attempts.failed + 1)
            except CybersourceError as error:
                attempts.record(error)
                connection.end()
                delay = attempts.next_delay(error)
                if job:
                    job.slow_down(error)
                if delay is None or not await _wait(delay, job, deadline):
                    raise

    @property
    def environment(self) -> Environment:
        """Whom requests are for."""
        return self._settings.environment

    @property
    def base_url(self) -> str:
        """The address that requests are sent to."""
        return self._settings.base_url

    @property
    def is_closed(self) -> bool:
        """Whether the client was closed."""
        return self._connections.is_closed

    async def aclose(self) -> None:
        """Close the connections. The client cannot be used afterwards."""
        if not self._is_borrowing:
            await self._connections.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncCustomersClient({self._settings.base_url!r})"


async def _wait(seconds: float, job: AsyncJob | None, deadline: Deadline) -> bool:
    """Wait between two attempts, and return whether to make the next one: a job that has ended makes none."""
    if not job:
        await anyio.sleep(seconds)
        return True
    await job.sleep(seconds)
    try:
        deadline.postpone(await job.wait_for_turn())
    except JobEnded:
        return False
    return True
