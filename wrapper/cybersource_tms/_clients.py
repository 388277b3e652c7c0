"""The sync client. The async client in `_async_clients.py` mirrors it.

The path of an update:

update                  one PATCH with what it is given
apply, modify           read, find what has to change, update guarded by the ETag; again on a conflict
  update_request        check the id and `if_match`; the generated code's request                    _calls.requests
  _send_update
    _retry              until an attempt succeeds, or attempts or time run out
      acquire           a connection for this read or update alone                                   _http.connections
      _wait_for_turn    the delay before a retry; in a job also its rate limit and its pauses        _many
      attempt                                                                                        _http.attempt
        build_request   the body, encrypted if there is encryption: encrypt_request                  _credentials
        sign_request    for the environment's host                                                   _credentials
        send            by httpx's transport; never after the deadline
        read_body       the whole body, up to a size
        log_response                                                                                 _calls.responses
        decrypt_response                                                                             _calls.responses
        parse_response  status, schema, the requested customer; returns the record                   _calls.responses
      record            count the error, and set its flag from all attempts so far                   _calls.retries
      next_delay        how long to wait before the next attempt, if there is one                    _calls.retries
      note_fate         Ctrl-C, a cancellation, …: add a note whether it may have been applied       _calls.retries
    _confirm_applied    after a 412, if an earlier attempt may have been applied: read, and compare

A `Call` has the deadline and counts the requests, for all reads and updates of one call. `Attempts` keeps what is known
of one operation. `may_have_been_applied` of an error covers one attempt, until `record` widens it to all attempts so
far. A 412 changes nothing: if its flag is True, an earlier attempt was sent and got no clear answer.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Self

import httpx
from attrs import evolve

from ._base_client import BaseClient
from ._calls import requests, responses
from ._calls.records import CustomerRecord, UpdateOutcome
from ._calls.requests import JSON, Changes, Modify, Operation, Result
from ._calls.retries import Attempts, Call, note_fate
from ._http.attempt import attempt
from ._http.connections import SyncConnections
from ._many import SyncJob
from ._tracebacks import raise_without_frames
from .errors import CybersourceError, PreconditionFailed

_log = logging.getLogger("cybersource_tms")


class CustomersClient(BaseClient[httpx.BaseTransport]):
    """Reads and updates customers. Threads can share a client; it keeps connections until it is closed.

    Args:
        environment: An `Environment` or its text, such as `"production-india"`.
        auth: The credentials, such as `CertificateAuth`. Another `httpx.Auth` has to sign the request in its
            first step.
        timeout: Seconds, above 0 and at most a day, for each of connecting, writing and reading, or an
            `httpx.Timeout`. The default is 5 s to connect, 10 s to write, 30 s to read.
        retries: When to retry after a transient failure, see `Retries`; None: one attempt, and a day for the call.
        profile_id: The token profile to use, 36 characters, for merchants that have more than one.
        encryption: A `MessageEncryption`, to encrypt requests, responses or both; `auth` has to sign tokens.
        base_url: The address to send to, if it is not the environment's: a reverse proxy or the sandbox. Plain http
            only to loopback.
        transport: Your own `httpx.BaseTransport`, for tests. Its connections are not reused.
        max_connections: How many idle connections are kept at most, 1 or more. Calls in flight are not bounded.
        ssl_context: Your own TLS settings: a client certificate, a CA of your own. Not with `transport`.
        proxy: The URL of an HTTP proxy, also with user name and password, or an `httpx.Proxy`. Not with `transport` or
            plain http. By default the variables HTTPS_PROXY and NO_PROXY count.
        headers: More headers for each request, such as a gateway's; they are not signed.

    Raises:
        InvalidRequest: An argument is wrong; the message names it.
    """

    _connections_class = SyncConnections
    _connections: SyncConnections
    _job: SyncJob | None

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
        return self._read(customer_id, Call(self._settings.retries))

    @raise_without_frames
    def update(
        self, customer_id: str, changes: Changes, *, if_match: str | CustomerRecord | None = None
    ) -> CustomerRecord:
        """Merge `changes` into a customer: `PATCH /tms/v2/customers/{customerTokenId}`, without reading it first.

            customers.update(customer_id, {"buyerInformation": {"email": "new@example.com"}})

        Without `if_match`, a retry after a lost response is harmless: the same merge patch gives the same customer
        twice (RFC 7396). Only what somebody else wrote to the same fields in between would be overwritten. With
        `if_match`, the service refuses such a retry if the first attempt was applied. Then the customer is read: if it
        has the requested values, that is success.

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
            ConnectionFailed: There was no response, or it timed out.
            UnreadableResponse: The response broke off, or cannot be understood.

        Each of these errors has `may_have_been_applied`, which is about the whole call. Check it whatever the error is.
        Any other exception, such as `KeyboardInterrupt`, gets a note that says it, while the update is under way.
        """
        body = requests.parse_changes("changes", changes, limits=True)
        operation = requests.update_request(customer_id, body, if_match, self._settings.profile_id)
        return self._send_update(operation, Call(self._settings.retries))

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
        checked = requests.parse_changes("desired", desired, limits=False)
        return self._read_modify_write(customer_id, partial(requests.desired_changes, checked))

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
        return self._read_modify_write(
            customer_id, partial(requests.modified_changes, requests.parse_function(function))
        )

    @raise_without_frames
    def update_many(
        self,
        pairs: Iterable[tuple[str, Changes]],
        *,
        concurrency: int = 16,
        per_second: float | None = None,
        max_failures: int | None = None,
    ) -> AbstractContextManager[Iterator[UpdateOutcome]]:
        """Update many customers on threads, each as `update` does. The arguments are those of `apply_many`."""
        job = SyncJob(pairs, concurrency, per_second, max_failures)
        return job.run(self._borrow(self._settings, job).update)

    @raise_without_frames
    def apply_many(
        self,
        pairs: Iterable[tuple[str, Changes | Modify]],
        *,
        concurrency: int = 16,
        per_second: float | None = None,
        max_failures: int | None = None,
    ) -> AbstractContextManager[Iterator[UpdateOutcome]]:
        """Make many customers have the values that they should have, on threads. Each gets an outcome as it finishes.

            with customers.apply_many((row["id"], wanted(row)) for row in rows) as outcomes:
                for outcome in outcomes:
                    if outcome.error: ...

        An error of one customer is in its outcome. What concerns all of them is raised, after the outcomes of what was
        in flight: the service's 401 or 403, a client that was closed, what `pairs` itself raises. The updates of one
        customer are made one after another, in their order. Then and on leaving, what is in flight ends, and what only
        waits is not sent. After leaving nothing runs.

        Args:
            pairs: Pairs of a customer's token id and what it should have: what `apply` takes, or a function for
                `modify`, which is called on another thread. They are read and copied as they are needed, on the
                caller's thread.
            concurrency: Maximum number of customers in flight, 1 or more. Each has a thread; if the system gives fewer
                of them, fewer are in flight.
            per_second: Requests start at least `1 / per_second` seconds apart, reads and retries included; above 0.
                When they arrive is not bounded. A 429 or a `Retry-After` pauses all of them, for a minute at most.
            max_failures: After so many failures in a row that are not about one customer (no response, 429, 5xx, a
                refusal by something in front of the service), the job ends with the last error; None: never.

        Returns:
            A context manager with an iterator of outcomes.

        Raises:
            InvalidRequest: An argument is wrong, or an item of `pairs` is not a pair.
            Unauthorized: The credentials were not accepted.
            Forbidden: The merchant may not do this.
        """
        job = SyncJob(pairs, concurrency, per_second, max_failures)
        client = self._borrow(self._settings, job)
        return job.run(client._apply_or_modify)  # noqa: SLF001 - a copy of this

    def _apply_or_modify(self, customer_id: str, wanted: Changes | Modify) -> CustomerRecord:
        return self.modify(customer_id, wanted) if callable(wanted) else self.apply(customer_id, wanted)

    def _read_modify_write(self, customer_id: str, find_changes: Callable[[CustomerRecord], JSON]) -> CustomerRecord:
        call, rounds = Call(self._settings.retries), 0
        while True:
            rounds += 1
            read = self._read(customer_id, call)
            changes = find_changes(read)
            if not changes:
                return read
            update = requests.update_request(
                customer_id, changes, responses.guarding_etag(read), self._settings.profile_id
            )
            try:
                return self._send_update(update, call)
            except PreconditionFailed as error:
                if error.may_have_been_applied:  # by an earlier attempt, and reading back did not confirm it
                    raise
                if rounds == self._settings.retries.attempts:
                    raise responses.conflict_error(error, rounds) from error
            _log.info("customer %s was changed by somebody else: reading again", customer_id, extra=update.log_fields)

    def _read(self, customer_id: str | None, call: Call) -> CustomerRecord:
        return self._retry(requests.retrieve_request(customer_id, self._settings.profile_id), call)

    def _send_update(self, update: Operation[CustomerRecord], call: Call) -> CustomerRecord:
        try:
            return self._retry(update, call)
        except PreconditionFailed as error:
            if not error.may_have_been_applied:
                raise
            return self._confirm_applied(update, error, call)

    def _confirm_applied(
        self, update: Operation[CustomerRecord], refused: PreconditionFailed, call: Call
    ) -> CustomerRecord:
        """Read the customer: was an earlier attempt of a refused update applied?"""
        try:
            current = self._read(update.customer_id, call)
        except CybersourceError as error:
            raise refused from error
        except BaseException as error:
            note_fate(error, update, may_have_been_applied=True)
            raise
        if missing := responses.not_applied(current, update):
            raise responses.unconfirmed_error(refused, missing) from refused
        return evolve(current, sent=update.fields)

    def _retry(self, operation: Operation[Result], call: Call) -> Result:
        """Retry on one connection until an attempt succeeds, or attempts or time run out.

        An exception that is not ours gets a note that says whether the update may have been applied.
        """
        attempts, delay = Attempts(operation, self._settings.retries, call), 0.0
        try:
            with self._connections.acquire() as connection:
                call.postpone(connection.waited)
                while True:
                    self._wait_for_turn(attempts, delay)
                    call.requests += 1
                    try:
                        return attempt(connection, attempts, self._settings)
                    except CybersourceError as error:
                        attempts.record(error)
                        if (next_delay := attempts.next_delay(error)) is None:
                            raise
                        delay = next_delay
        except BaseException as error:
            note_fate(error, operation, may_have_been_applied=attempts.in_doubt or attempts.request_sent)
            raise

    def _wait_for_turn(self, attempts: Attempts[Any], delay: float) -> None:
        """Wait before an attempt: for the delay of a retry and, in a job, for a turn, which postpones the deadline."""
        if self._job:
            attempts.call.postpone(self._job.wait_for_turn(delay, attempts.last_error))
        elif delay:
            time.sleep(delay)

    def close(self) -> None:
        """Close the connections. The client cannot be used afterwards."""
        if not self._is_borrowing:
            self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
