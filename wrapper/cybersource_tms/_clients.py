"""The two clients, which are twins. This is the path of an update.

update          checks the arguments                                               _requests
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
from typing import Self

import anyio
import httpx

from cybersource_tms_api.models import CustomerUpdate

from ._call import Call, CustomerRecord, Result
from ._connections import AsyncConnections, SyncConnections
from ._credentials import variables
from ._credentials.message_encryption import MessageEncryption
from ._edit import AsyncEdit, Edit
from ._environment import Environment
from ._exchange import async_attempt, attempt
from ._requests import DEFAULT_TIMEOUT, client_settings, retrieve_call, update_call
from ._responses import check_applied
from ._retries import Attempts, Retries
from ._tracebacks import raise_without_frames
from .errors import CybersourceError, PreconditionFailed

DEFAULT_RETRIES = Retries()


class CustomersClient:
    """Reads and updates customers. Threads can share a client; it keeps connections until it is closed.

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
    ) -> None:
        self._settings = client_settings(
            environment,
            auth,
            timeout=timeout,
            retries=retries,
            profile_id=profile_id,
            encryption=encryption,
            base_url=base_url,
        )
        self._connections = SyncConnections(self._settings, transport)

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
    def update(self, customer_id: str, changes: CustomerUpdate, *, if_match: str | None = None) -> CustomerRecord:
        """Merge `changes` into a customer: `PATCH /tms/v2/customers/{customerTokenId}` with only these fields.

        A repeat after a lost response does no harm: the same merge patch gives the same customer twice (RFC 7396). Only
        what somebody else wrote to the same fields in between would be overwritten. With `if_match`, such a repeat is
        refused, and the customer is read to find out: if it is what `changes` ask for, that is success.

        Args:
            customer_id: The customer's token id, 1 to 32 characters of `A-Z a-z 0-9 _ -`.
            changes: What to write, as `changed_fields` returns it; a field that is `None` is removed.
            if_match: The ETag of an earlier response, unchanged. If the customer has changed since, nothing is updated.

        Returns:
            The whole customer as it now is, with its ETag and the correlation id.

        Raises:
            InvalidRequest: An argument is wrong, or `changes` is empty. Nothing was sent.
            StatusError: The service refused, by one of its subclasses: `PreconditionFailed` where `if_match` is old.
            ConnectionFailed: There was no response; `may_have_been_applied` says whether the update may have arrived.
            UnreadableResponse: The response cannot be understood; the update may have been applied.
        """
        call = update_call(customer_id, changes, if_match, self._settings.profile_id)
        attempts = Attempts(self._settings.retries, call)
        try:
            return self._repeat(call, attempts)
        except PreconditionFailed as error:
            if not error.may_have_been_applied:
                raise
            refused = error
        return self._find_out(call, refused, attempts.deadline)

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

    def _send(self, call: Call[Result]) -> Result:
        return self._repeat(call, Attempts(self._settings.retries, call))

    def _repeat(self, call: Call[Result], attempts: Attempts) -> Result:
        while True:
            try:
                return attempt(self._connections, call, attempts.deadline)
            except CybersourceError as error:
                wait = attempts.wait_after(error)
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

    Args:
        environment: As for `CustomersClient`.
        auth: As for `CustomersClient`.
        timeout: As for `CustomersClient`.
        retries: As for `CustomersClient`.
        profile_id: As for `CustomersClient`.
        encryption: As for `CustomersClient`.
        base_url: As for `CustomersClient`.
        transport: A custom `httpx.AsyncBaseTransport`.

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
    ) -> None:
        self._settings = client_settings(
            environment,
            auth,
            timeout=timeout,
            retries=retries,
            profile_id=profile_id,
            encryption=encryption,
            base_url=base_url,
        )
        self._connections = AsyncConnections(self._settings, transport)

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
        )

    @raise_without_frames
    async def retrieve(self, customer_id: str) -> CustomerRecord:
        """Read a customer, as `CustomersClient.retrieve` does."""
        return await self._send(retrieve_call(customer_id, self._settings.profile_id))

    @raise_without_frames
    async def update(self, customer_id: str, changes: CustomerUpdate, *, if_match: str | None = None) -> CustomerRecord:
        """Merge `changes` into a customer, as `CustomersClient.update` does."""
        call = update_call(customer_id, changes, if_match, self._settings.profile_id)
        attempts = Attempts(self._settings.retries, call)
        try:
            return await self._repeat(call, attempts)
        except PreconditionFailed as error:
            if not error.may_have_been_applied:
                raise
            refused = error
        return await self._find_out(call, refused, attempts.deadline)

    def edit(self, customer_id: str) -> AsyncEdit:
        """Edit a customer within an `async with`, as `CustomersClient.edit` does."""
        return AsyncEdit(self, customer_id)

    async def _send(self, call: Call[Result]) -> Result:
        return await self._repeat(call, Attempts(self._settings.retries, call))

    async def _repeat(self, call: Call[Result], attempts: Attempts) -> Result:
        while True:
            try:
                return await async_attempt(self._connections, call, attempts.deadline)
            except CybersourceError as error:
                wait = attempts.wait_after(error)
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

    async def aclose(self) -> None:
        """Close the connections. The client cannot be used afterwards."""
        await self._connections.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncCustomersClient({self._settings.base_url!r})"
