"""A web service: one client in the lifespan, `ETag` and `If-Match`, and a status for each failure.

Run it with `uvicorn --factory fastapi_service:create_app`. Its tests are in test_fastapi_service.py.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, cast

import httpx
from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse

from cybersource_tms import AsyncCustomersClient, CustomerRecord, errors

log = logging.getLogger(__name__)
router = APIRouter()

STATUSES = [  # the first that fits; 502 for all others
    ((errors.InvalidRequest, errors.BadRequest), 422),  # all values below come from the caller
    ((errors.NotFound, errors.TokenDeleted), 404),
    ((errors.PreconditionFailed,), 412),  # or 409, where the caller sent no If-Match
    ((errors.TimedOut,), 504),
    ((errors.ConnectionFailed, errors.TooManyRequests), 503),
]


def create_app(transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """Make the application. Tests give it the sandbox's transport."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[dict[str, AsyncCustomersClient]]:
        async with AsyncCustomersClient.from_env(transport=transport) as client:
            yield {"customers": client}

    app = FastAPI(lifespan=lifespan)
    app.include_router(router)
    app.add_exception_handler(errors.CybersourceError, respond_to_failure)
    return app


def get_client(request: Request) -> AsyncCustomersClient:
    """Return the client that the lifespan made."""
    return cast("AsyncCustomersClient", request.state.customers)


Client = Annotated[AsyncCustomersClient, Depends(get_client)]
IfMatch = Annotated[str | None, Header()]


@router.get("/customers/{customer_id}")
async def read(customer_id: str, customers: Client) -> Response:
    """Read a customer's e-mail address."""
    return show(await customers.retrieve(customer_id))


@router.patch("/customers/{customer_id}")
async def update(
    customer_id: str, buyer: dict[str, str | None], customers: Client, if_match: IfMatch = None
) -> Response:
    """Update a buyer's fields; with `If-Match`, only if nobody has changed the customer since."""
    wanted = {"buyerInformation": buyer}
    if if_match is None:
        return show(await customers.apply(customer_id, wanted))
    return show(await customers.update(customer_id, wanted, if_match=if_match.strip('"')))


def show(record: CustomerRecord) -> Response:
    """Return what callers may see. The service's ETag has no quotes, and HTTP needs them."""
    return JSONResponse({"email": record.get("buyerInformation.email")}, headers={"ETag": f'"{record.etag}"'})


async def respond_to_failure(_request: Request, error: Exception) -> Response:
    """Turn an error into a response. Its message holds no customer's value, so it may be logged."""
    log.warning("%s", error)
    status = next((status for kinds, status in STATUSES if isinstance(error, kinds)), 502)
    headers = {"Retry-After": f"{seconds:.0f}"} if (seconds := getattr(error, "retry_after", None)) else None
    return JSONResponse({"error": type(error).__name__}, status, headers)
