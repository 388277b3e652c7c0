"""The spec is valid, and is what the wrapper goes by."""

import re
from collections.abc import Iterator
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, get_type_hints

import httpx
import openapi_spec_validator
import pytest
from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from cybersource_tms import AsyncCustomersClient, Customer, CustomerRecord, CustomersClient
from cybersource_tms.errors import StatusError
from cybersource_tms_api.api import customers
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, page_customer
from read_spec import fields, find, operations, read

SPEC, _ = read(Path("spec/customers.yaml").read_text(encoding="utf-8"))
OPERATIONS = {operation["operationId"]: operation for _, operation in operations(SPEC)}
[REQUEST] = [media["schema"] for _, media in find(OPERATIONS["updateCustomer"]["requestBody"], "schema")]
RESPONSE = {"$ref": "#/components/schemas/Customer"}


def validator(schema: Any) -> Any:
    """Return a validator of a schema that may refer to others of the spec."""
    registry = Registry().with_resource("urn:spec", Resource.from_contents(SPEC, default_specification=DRAFT202012))
    return OAS31Validator(absolute(schema), registry=registry)


def absolute(node: Any) -> Any:
    """Return a part of the spec whose references say of what they are a part."""
    if isinstance(node, list):
        return [absolute(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {name: f"urn:spec{each}" if name == "$ref" else absolute(each) for name, each in node.items()}


def examples() -> Iterator[Any]:
    """Yield each example of a body or a parameter, with the schema that it is an example of."""
    for place, media in find(SPEC, "schema"):
        shown = media.get("examples") or ({"example": {"value": media["example"]}} if "example" in media else {})
        for name, example in shown.items():
            yield pytest.param(media["schema"], example["value"], id=f"{place} {name}")


def test_the_spec_is_valid_openapi() -> None:
    """It validates as OpenAPI 3.1."""
    assert SPEC["openapi"].startswith("3.1")
    openapi_spec_validator.validate(SPEC)


@pytest.mark.parametrize(("schema", "value"), [*examples()])
def test_an_example_fits_its_own_schema(schema: dict[str, Any], value: object) -> None:
    """Each example validates against the schema beside it."""
    validator(schema).validate(value)


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        *((REQUEST, {name: None}, True) for name in fields(SPEC, REQUEST)),
        *((REQUEST, {name: each}, True) for name, each in page_customer().items() if name in fields(SPEC, REQUEST)),
        (REQUEST, {}, True),
        (REQUEST, {"id": "1"}, False),
        (REQUEST, {"unknown": 1}, False),
        (RESPONSE, page_customer(), True),
        (RESPONSE, {"id": "1"}, True),
        (RESPONSE, {"id": "1", "unknown": {"unknown": 1}}, True),
        (RESPONSE, {}, False),
        (RESPONSE, {"id": 1}, False),
    ],
)
def test_what_the_schemas_admit(schema: dict[str, Any], value: object, fits: bool) -> None:  # noqa: FBT001 - a table
    """Requests are closed and all of their fields removable, responses are open and have an id."""
    assert validator(schema).is_valid(value) is fits


WORDS = {
    "BadRequest": ("invalidRequest", "Invalid HTTP Body"),
    "Forbidden": ("forbidden", "Request not permitted"),
    "NotFound": ("notFound", "Token not found"),
    "TokenDeleted": ("notAvailable", "Token not available."),
    "PreconditionFailed": ("conflict", "Action cannot be performed as the if-match header value does not match the "),
    "ProfileNotFound": ("notFound", "Profile not found"),
    "ServiceError": ("serverError", "Internal server error"),
}


@pytest.mark.parametrize("response", WORDS)
def test_an_error_example_has_the_services_words(response: str) -> None:
    """The examples of errors are those of the service's Swagger document: people search for these words."""
    [(_, media)] = find(SPEC["components"]["responses"][response], "example")
    [error] = media["example"]["errors"]
    assert error["type"] == WORDS[response][0]
    assert error["message"].startswith(WORDS[response][1])


@pytest.mark.parametrize(
    "etag", ["a" * 32, '"' + "a" * 32 + '"', 'W/"' + "a" * 32 + '"'], ids=["bare", "quoted", "weak"]
)
def test_an_etag_goes_back_as_it_came(etag: str) -> None:
    """A quoted or weak ETag (RFC 9110 section 8.8.3) is a value of if-match, though longer than 32 characters."""
    assert validator(SPEC["components"]["parameters"]["IfMatch"]["schema"]).is_valid(etag)


STATUSES = {status for operation in OPERATIONS.values() for status in operation["responses"]}


@pytest.mark.parametrize("status", sorted(status for status in STATUSES if not status.startswith("2")))
def test_every_documented_error_has_a_class(status: str) -> None:
    """When the spec documents another status, somebody decides what to raise for it."""
    transport = httpx.MockTransport(lambda _: httpx.Response(int(status)))
    client = CustomersClient("test", httpx.BasicAuth("a", "b"), transport=transport, retries=None)
    with client, pytest.raises(StatusError) as caught:
        client.retrieve(PAGE_CUSTOMER_ID)
    assert type(caught.value) is not StatusError


@pytest.mark.parametrize("client", [CustomersClient, AsyncCustomersClient])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_has_a_method(operation: str, client: type) -> None:
    """Both clients have a method for it, `update` for `updateCustomer`, which returns what the spec has as success."""
    name = re.sub("(?=[A-Z])", "_", operation).lower()
    short = name.removesuffix("_customer")
    method = getattr(client, short, None)
    assert method, f"{operation}: {client.__name__} has no method {short}"
    bodies = getattr(customers, f"{name.upper()}_SUCCESS").values()
    returned = [CustomerRecord if body is Customer else type(None) for body in bodies]
    assert get_type_hints(method)["return"] == reduce(or_, returned), operation
