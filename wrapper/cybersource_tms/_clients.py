"""The sync client. The async client in `_async_clients.py` mirrors it.

The path of an update:

update                  one PATCH with what it is given
apply, modify           read, find what has to change, update guarded by the ETag; again on a conflict
  update_request        check the customer id; the generated code's request                          _calls.requests
  _retry                one attempt after another, until success, or none is left, or the time is over
    acquire             a connection for this read or update alone, for all of its attempts          _http.connections
    wait_for_turn       in jobs only: the rate limit, and the pause that the service asked for       _many
    attempt                                                                                          _http.attempt
      build_request     the body, encrypted if there is encryption: encrypt_request                  _credentials
      sign_request      for the environment's host                                                   _credentials
      send              httpx; never after the deadline
      read              the whole body, up to a size
      log_response                                                                                   _calls.responses
      decrypt_response                                                                               _calls.responses
      parse_response    status, schema, the requested customer; returns the record                   _calls.responses
    record, next_delay  complete the error; how long to wait before the next attempt, if any         _calls.retries
    note_fate           an exception that is not ours gets a note: may the update have been applied? _calls.retries
  _confirm_applied      after a 412, if an earlier attempt may have been applied: read, and compare

An error's `may_have_been_applied` is about its own attempt until `record` makes it about all attempts of the operation.
So a 412 that has it comes after a lost attempt: the 412 itself has applied nothing.
"""

import logging
import os
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from copy import copy
from functools import partial
from typing import Self

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
from ._http.attempt import attempt
from ._http.connection import Connection
from ._http.connections import SyncConnections
from ._many import JobEnded, SyncJob
from ._tracebacks import raise_without_frames
from .errors import CybersourceError, PreconditionFailed

_log = logging.getLogger("cybersource_tms")


class CustomersClient:
    """Reads and updates customers. Threads can share a client; it keeps connections until it is closed.

    Args:
        environment: An `Environment` or its text, such as `"production-india"`.
        auth: The credentials, such as `CertificateAuth`.
        timeout: Seconds, above 0 and at most a day, for each of connecting, writing and reading, or an
            `httpx.Timeout`. The default is 5 s to connect, 10 s to write, 30 s to read.
        retries: When to retry after a transient failure, see `Retries`; None: one attempt, and no total time-out.
        profile_id: The token profile to use, 36 characters, for merchants that have more than one.
        encryption: A `MessageEncryption`, to encrypt requests, responses or both; `auth` has to sign tokens.
        base_url: The address to send to, if it is not the environment's: a reverse proxy or the sandbox. Plain http
            only to loopback.
        transport: Your own `httpx.BaseTransport`, for tests. Its connections are not used again.
        max_connections: How many idle connections are kept at most, 1 or more. Calls in flight are not bounded.
        ssl_context: Your own TLS settings: a client certificate, a CA of your own. Not with `transport`.
        proxy: The URL of an HTTP proxy, also with user name and password, or an `httpx.Proxy`. Not with `transport` or
            plain http. By default the variables HTTPS_PROXY and NO_PROXY count.
        headers: More headers for each request, such as a gateway's; they are not signed.

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
        self._connections = SyncConnections(
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
        transport: httpx.BaseTransport | None = None,
        max_connections: int = DEFAULT_CONNECTIONS,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | httpx.Proxy | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Make a client from environment variables. The arguments are those of the class.

        It reads `CYBERSOURCE_ENVIRONMENT` (default `test`), `CYBERSOURCE_MERCHANT_ID` and `CYBERSOURCE_BASE_URL`; for
        a P12 `CYBERSOURCE_P12_PATH` and `CYBERSOURCE_P12_PASSWORD`, or for a shared secret `CYBERSOURCE_KEY_ID` and
        `CYBERSOURCE_SECRET_KEY`; `CYBERSOURCE_PORTFOLIO_ID` with a meta key; `CYBERSOURCE_MLE` (`off`, `request`,
        `response` or `both`) for message-level encryption. The response key is in `CYBERSOURCE_MLE_RESPONSE_P12_PATH`
        with `CYBERSOURCE_MLE_RESPONSE_P12_PASSWORD`, or in PEM in `CYBERSOURCE_MLE_RESPONSE_KEY_PATH`, if need be with
        `CYBERSOURCE_MLE_RESPONSE_KEY_PASSWORD`; `CYBERSOURCE_MLE_RESPONSE_KEY_ID` is its id, which a P12 holds as well.
        The service's certificate is in either P12, or in PEM in `CYBERSOURCE_MLE_REQUEST_CERTIFICATE_PATH`.

        Raises:
            InvalidRequest: Variables are missing or wrong, or contradict each other; the message names all of them.
        """
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
        """Return a client with other time-outs or retries and the same connections. Closing it does nothing.

            customers.with_options(timeout=2, retries=None).retrieve(customer_id)

        Args:
            timeout: As for the class; unchanged if it is not given.
            retries: As for the class; unchanged if it is not given.

        Raises:
            InvalidRequest: An argument is wrong.
        """
        settings = self._settings
        if not isinstance(timeout, Unset):
            settings = evolve(settings, timeout=parse_timeout(timeout))
        if not isinstance(retries, Unset):
            settings = evolve(settings, retries=parse_retries(retries))
        other = copy(self)
        other._settings, other._is_borrowing = settings, True  # noqa: SLF001 - a copy of this
        return other

    @raise_without_frames
    def retrieve(self, customer_id: str) -> CustomerRecord:
        """Read a customer: `GET /tms/v2/customers/{customerTokenId}`.

        Args:
            customer_id: The customer's token id, 1 to 32 characters of `A-Z a-z 0-9 _ -`.

        Returns:
            The whole customer, with its ETag and the correlation id.

        Raises:
            InvalidRequest: This is not a customer's id. Nothing was sent.
            StatusError: The service returned an error status; a subclass says which: `NotFound`, `TokenDeleted`, …
            ConnectionFailed: There was no response.
            UnreadableResponse: The response cannot be understood, or is about another customer.
        """
        operation = retrieve_request(customer_id, self._settings.profile_id)
        return self._retry(operation, Deadline(self._settings.retries), None)

    @raise_without_frames
    def update(
        self, customer_id: str, changes: Changes, *, if_match: str | CustomerRecord | None = None
    ) -> CustomerRecord:
        """Merge `changes` into a customer: `PATCH /tms/v2/customers/{customerTokenId}`. One request; it reads nothing.

            customers.update(customer_id, {"buyerInformation": {"email": "new@example.com"}})

        Without `if_match`, a retry after a lost response is harmless: the same merge patch gives the same customer
        twice (RFC 7396). Only what somebody else wrote to the same fields in between would be overwritten. With
        `if_match`, such a retry is refused, and the customer is read: if it has the requested values, that is success.

        Args:
            customer_id: The customer's token id, 1 to 32 characters of `A-Z a-z 0-9 _ -`.
            changes: A `CustomerUpdate`, as `changed_fields` returns it, or a mapping with the API's names. A field that
                is `None` is removed. An array replaces the whole array; its entries are checked by type only.
            if_match: The record that the changes were made from, or its ETag. If the customer has changed since,
                nothing is updated.

        Returns:
            The whole customer after the update, with its ETag, and in `.sent` the paths of the fields that were sent.

        Raises:
            InvalidRequest: An argument is wrong, or `changes` is empty. Nothing was sent.
            StatusError: The service returned an error status; `PreconditionFailed` if `if_match` is old.
            ConnectionFailed: There was no whole response; `may_have_been_applied` says what that means.
            UnreadableResponse: The response cannot be understood; the update may have been applied.
        """
        return self._update(customer_id, changes, if_match, None)

    @raise_without_frames
    def apply(self, customer_id: str, desired: Changes) -> CustomerRecord:
        """Make a customer have these values: read it, and send only the fields that differ.

            record = customers.apply(customer_id, {"buyerInformation": {"email": "new@example.com"}})
            print(record.sent, record.etag)

        The update is guarded by the ETag of what was read. If somebody else changes the customer in between, it is
        read and compared again, up to `retries.attempts` times in total. For the fields in `desired` the last writer
        wins: to change a value that depends on the current one, use `modify`.

        Args:
            customer_id: The customer's token id, 1 to 32 characters of `A-Z a-z 0-9 _ -`.
            desired: A `CustomerUpdate` or a mapping with the API's names. A field that it does not have is left alone,
                and one that is `None` is removed.

        Returns:
            The customer afterwards. If nothing differs, nothing is sent: it is what was read, and `.sent` is empty.

        Raises:
            InvalidRequest: An argument is wrong, or `desired` is empty. Nothing was sent.
            CybersourceError: As `retrieve` and `update`.
        """
        return self._apply(customer_id, desired, None)

    @raise_without_frames
    def modify(self, customer_id: str, function: Modify) -> CustomerRecord:
        """Read a customer, let a function change it, and send only the fields that it changed: read-modify-write.

            def upgrade(customer: Customer) -> Customer:
                MerchantData(customer)["data2"] = "Gold"
                return customer

            customers.modify(customer_id, upgrade)

        The update is guarded by the ETag of what was read. If somebody else changes the customer in between, it is
        read and the function called again, up to `retries.attempts` times in total.

        Args:
            customer_id: The customer's token id, 1 to 32 characters of `A-Z a-z 0-9 _ -`.
            function: It takes the current `Customer`, and returns that object, changed; or only the changes, as
                `update` takes them; or None for no change. It is not async, and may be called several times.

        Returns:
            The customer afterwards. If nothing has changed, nothing is sent: it is what was read, and `.sent` is empty.

        Raises:
            InvalidRequest: An argument or the function's result is wrong. Nothing was changed.
            CybersourceError: As `retrieve` and `update`.
            Exception: What the function raises. Nothing was changed.
        """
        return self._modify(customer_id, function, None)

    @raise_without_frames
    def update_many(
        self,
        pairs: Iterable[tuple[str, Changes]],
        *,
        concurrency: int = 16,
        per_second: float | None = None,
        max_failures: int | None = None,
    ) -> AbstractContextManager[Iterator[UpdateOutcome]]:
        """Update many customers at a time, as `update` does, on threads. The arguments are those of `apply_many`."""
        return SyncJob(self._update_one, pairs, concurrency, per_second, max_failures).run()

    @raise_without_frames
    def apply_many(
        self,
        pairs: Iterable[tuple[str, Changes | Modify]],
        *,
        concurrency: int = 16,
        per_second: float | None = None,
        max_failures: int | None = None,
    ) -> AbstractContextManager[Iterator[UpdateOutcome]]:
        """Make many customers have the values that they should have, on threads; an outcome for each as it finishes.

            with customers.apply_many((row["id"], wanted(row)) for row in rows) as outcomes:
                for outcome in outcomes:
                    if outcome.error: ...

        An error of one customer is in its outcome. What concerns all of them is raised, after the outcomes of what was
        in flight: the service's 401 or 403, a client that was closed, what `pairs` itself raises. The updates of one
        customer are made one after another, in their order. On leaving, what is in flight ends, what only waits is not
        sent, and nothing runs any more.

        Args:
            pairs: Pairs of a customer's token id and what it should have: what `apply` takes, or a function for
                `modify`, which is called on another thread. They are read as they are needed, on the caller's thread.
            concurrency: Maximum number of customers in flight, 1 or more. Each has a thread; if the system gives fewer
                of them, fewer are in flight.
            per_second: Requests start at least `1 / per_second` seconds apart, reads and retries included; above 0.
                When they arrive is not bounded. A 429 or a `Retry-After` pauses all of them, for a minute at most.
            max_failures: After so many failures in a row that are not about one customer (no response, 5xx, a refusal
                by something in front of the service), the job ends with the last error; None: never.

        Returns:
            A context manager with an iterator of outcomes.

        Raises:
            InvalidRequest: An argument is wrong, or an item of `pairs` is not a pair.
            Unauthorized: The credentials were not accepted.
            Forbidden: The merchant may not do this.
        """
        return SyncJob(self._apply_one, pairs, concurrency, per_second, max_failures).run()

    def _update_one(self, customer_id: str, changes: Changes, job: SyncJob) -> CustomerRecord:
        return self._update(customer_id, changes, None, job)

    def _apply_one(self, customer_id: str, wanted: Changes | Modify, job: SyncJob) -> CustomerRecord:
        if callable(wanted):
            return self._modify(customer_id, wanted, job)
        return self._apply(customer_id, wanted, job)

    def _update(
        self, customer_id: str, changes: Changes, if_match: str | CustomerRecord | None, job: SyncJob | None
    ) -> CustomerRecord:
        body = parse_changes("changes", changes, limits=True)
        etag = parse_if_match(if_match, parse_customer_id(customer_id))
        operation = update_request(customer_id, body, etag, self._settings.profile_id)
        return self._send_update(operation, Deadline(self._settings.retries), job)

    def _apply(self, customer_id: str, desired: Changes, job: SyncJob | None) -> CustomerRecord:
        checked = parse_changes("desired", desired, limits=False)
        return self._read_modify_write(customer_id, partial(desired_changes, checked), job)

    def _modify(self, customer_id: str, function: Modify, job: SyncJob | None) -> CustomerRecord:
        return self._read_modify_write(customer_id, partial(modified_changes, parse_function(function)), job)

    def _read_modify_write(
        self, customer_id: str, find_changes: Callable[[CustomerRecord], JSON], job: SyncJob | None
    ) -> CustomerRecord:
        retrieve = retrieve_request(customer_id, self._settings.profile_id)
        deadline = Deadline(self._settings.retries)
        rounds = self._settings.retries.attempts if self._settings.retries else 1
        number = requests = 0
        while True:
            number += 1
            read = self._retry(retrieve, deadline, job)
            requests += read.requests
            changes = find_changes(read)
            if not changes:
                return evolve(read, requests=requests)
            update = update_request(customer_id, changes, guarding_etag(read), self._settings.profile_id)
            try:
                record = self._send_update(update, deadline, job)
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

    def _send_update(
        self, update: Operation[CustomerRecord], deadline: Deadline, job: SyncJob | None
    ) -> CustomerRecord:
        try:
            return self._retry(update, deadline, job)
        except PreconditionFailed as error:
            if not error.may_have_been_applied:
                raise
            return self._confirm_applied(update, error, deadline, job)

    def _confirm_applied(
        self,
        update: Operation[CustomerRecord],
        refused: PreconditionFailed,
        deadline: Deadline,
        job: SyncJob | None,
    ) -> CustomerRecord:
        """Read the customer: was an earlier attempt of a refused update applied?"""
        try:
            retrieve = retrieve_request(update.customer_id, self._settings.profile_id)
            current = self._retry(retrieve, deadline, job)
        except CybersourceError as error:
            raise refused from error
        except BaseException as error:
            note_fate(error, update, may_have_been_applied=True)
            raise
        if missing := not_applied(current, update):
            raise lost_update_error(refused, missing) from refused
        return evolve(current, sent=update.fields, requests=refused.attempts + current.requests)

    def _retry(self, operation: Operation[Result], deadline: Deadline, job: SyncJob | None) -> Result:
        """Make attempts until one succeeds, none is left, or the time is over."""
        attempts = Attempts(operation, self._settings.retries, deadline)
        with self._connections.acquire() as connection:
            deadline.postpone(connection.waited)
            try:
                return self._make_attempts(connection, operation, attempts, deadline, job)
            except BaseException as error:
                note_fate(error, operation, may_have_been_applied=attempts.in_doubt or connection.request_sent)
                raise

    def _make_attempts(
        self,
        connection: Connection[httpx.Client],
        operation: Operation[Result],
        attempts: Attempts,
        deadline: Deadline,
        job: SyncJob | None,
    ) -> Result:
        deadline.postpone(job.wait_for_turn() if job else 0.0)
        while True:
            try:
                return attempt(connection, operation, self._settings, deadline, attempts.failed + 1)
            except CybersourceError as error:
                attempts.record(error)
                connection.end()
                delay = attempts.next_delay(error)
                if job:
                    job.slow_down(error)
                if delay is None or not _wait(delay, job, deadline):
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

    def close(self) -> None:
        """Close the connections. The client cannot be used afterwards."""
        if not self._is_borrowing:
            self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"CustomersClient({self._settings.base_url!r})"


def _wait(seconds: float, job: SyncJob | None, deadline: Deadline) -> bool:
    """Wait between two attempts, and return whether to make the next one: a job that has ended makes none."""
    if not job:
        time.sleep(seconds)
        return True
    job.sleep(seconds)
    try:
        deadline.postpone(job.wait_for_turn())
    except JobEnded:
        return False
    return True
