from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.authentication_failure import AuthenticationFailure
from ...models.customer import Customer
from ...models.error_response import ErrorResponse
from ...types import UNSET, Response, Unset


def _get_kwargs(
    customer_token_id: str,
    *,
    profile_id: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(profile_id, Unset):
        headers["profile-id"] = profile_id

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/tms/v2/customers/{customer_token_id}".format(
            customer_token_id=quote(str(customer_token_id), safe=""),
        ),
    }

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> AuthenticationFailure | Customer | ErrorResponse | None:
    if response.status_code == 200:
        response_200 = Customer.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = ErrorResponse.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = AuthenticationFailure.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = ErrorResponse.from_dict(response.json())

        return response_403

    if response.status_code == 404:
        response_404 = ErrorResponse.from_dict(response.json())

        return response_404

    if response.status_code == 410:
        response_410 = ErrorResponse.from_dict(response.json())

        return response_410

    if response.status_code == 424:
        response_424 = ErrorResponse.from_dict(response.json())

        return response_424

    if response.status_code == 500:
        response_500 = ErrorResponse.from_dict(response.json())

        return response_500

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[AuthenticationFailure | Customer | ErrorResponse]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    customer_token_id: str,
    *,
    client: AuthenticatedClient | Client,
    profile_id: str | Unset = UNSET,
) -> Response[AuthenticationFailure | Customer | ErrorResponse]:
    """Retrieve a customer

     Returns the current customer, with its ETag.

    Args:
        customer_token_id (str): The customer's token id, as the service returned it in id when
            the customer was created.
        profile_id (str | Unset): The id of the token profile to use, for merchants that have more
            than one.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[AuthenticationFailure | Customer | ErrorResponse]
    """

    kwargs = _get_kwargs(
        customer_token_id=customer_token_id,
        profile_id=profile_id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    customer_token_id: str,
    *,
    client: AuthenticatedClient | Client,
    profile_id: str | Unset = UNSET,
) -> AuthenticationFailure | Customer | ErrorResponse | None:
    """Retrieve a customer

     Returns the current customer, with its ETag.

    Args:
        customer_token_id (str): The customer's token id, as the service returned it in id when
            the customer was created.
        profile_id (str | Unset): The id of the token profile to use, for merchants that have more
            than one.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        AuthenticationFailure | Customer | ErrorResponse
    """

    return sync_detailed(
        customer_token_id=customer_token_id,
        client=client,
        profile_id=profile_id,
    ).parsed


async def asyncio_detailed(
    customer_token_id: str,
    *,
    client: AuthenticatedClient | Client,
    profile_id: str | Unset = UNSET,
) -> Response[AuthenticationFailure | Customer | ErrorResponse]:
    """Retrieve a customer

     Returns the current customer, with its ETag.

    Args:
        customer_token_id (str): The customer's token id, as the service returned it in id when
            the customer was created.
        profile_id (str | Unset): The id of the token profile to use, for merchants that have more
            than one.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[AuthenticationFailure | Customer | ErrorResponse]
    """

    kwargs = _get_kwargs(
        customer_token_id=customer_token_id,
        profile_id=profile_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    customer_token_id: str,
    *,
    client: AuthenticatedClient | Client,
    profile_id: str | Unset = UNSET,
) -> AuthenticationFailure | Customer | ErrorResponse | None:
    """Retrieve a customer

     Returns the current customer, with its ETag.

    Args:
        customer_token_id (str): The customer's token id, as the service returned it in id when
            the customer was created.
        profile_id (str | Unset): The id of the token profile to use, for merchants that have more
            than one.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        AuthenticationFailure | Customer | ErrorResponse
    """

    return (
        await asyncio_detailed(
            customer_token_id=customer_token_id,
            client=client,
            profile_id=profile_id,
        )
    ).parsed
