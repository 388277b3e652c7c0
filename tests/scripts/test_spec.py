"""The spec is valid, says what the service's page says, and is what the wrapper goes by."""

import re
from collections.abc import Iterator
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, get_type_hints

import httpx
import openapi_spec_validator
import pytest
import yaml
from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from cybersource_tms import AsyncCustomersClient, Customer, CustomerRecord, CustomersClient, Environment
from cybersource_tms._calls.requests import retrieve_call
from cybersource_tms._calls.responses import Response, status_error
from cybersource_tms.errors import StatusError
from cybersource_tms_api.api import customers
from cybersource_tms_sandbox import page_customer

SPEC: dict[str, Any] = yaml.safe_load(Path("spec/customers.yaml").read_text(encoding="utf-8"))
PATH = "/tms/v2/customers/{customerTokenId}"


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """Return what a node stands for, where it is a reference."""
    if "$ref" not in node:
        return node
    found: Any = SPEC
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return resolve(found)


def validator(schema: dict[str, Any]) -> Any:
    """Return a validator of a schema that may refer to others of the spec."""
    registry = Registry().with_resource("urn:spec", Resource.from_contents(SPEC, default_specification=DRAFT202012))
    absolute = yaml.safe_load(yaml.safe_dump(schema).replace("'#/", "'urn:spec#/"))
    return OAS31Validator(absolute, registry=registry)


def examples() -> Iterator[Any]:
    """Yield each example of the spec, with the schema that it is an example of."""
    operation = SPEC["paths"][PATH]["patch"]
    for name, body in ({"request": operation["requestBody"]} | operation["responses"]).items():
        for media in resolve(body)["content"].values():
            shown = media.get("examples") or {"": {"value": media["example"]}}
            for title, example in shown.items():
                yield pytest.param(media["schema"], example["value"], id=f"{name} {title}".strip())
    for name, parameter in SPEC["components"]["parameters"].items():
        if "example" in parameter:
            yield pytest.param(parameter["schema"], parameter["example"], id=name)


def test_the_spec_is_valid_openapi() -> None:
    """It validates as OpenAPI 3.1."""
    assert SPEC["openapi"].startswith("3.1")
    openapi_spec_validator.validate(SPEC)


@pytest.mark.parametrize(("schema", "value"), [*examples()])
def test_an_example_fits_its_own_schema(schema: dict[str, Any], value: object) -> None:
    """Each example validates against the schema beside it."""
    validator(schema).validate(value)


REQUEST = SPEC["paths"][PATH]["patch"]["requestBody"]["content"]["application/json;charset=utf-8"]["schema"]
RESPONSE = {"$ref": "#/components/schemas/Customer"}


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        (REQUEST, {}, True),
        (REQUEST, {"buyerInformation": None}, True),
        (REQUEST, {"buyerInformation": {"email": None}}, True),
        (REQUEST, {"merchantDefinedInformation": None}, True),
        (REQUEST, {"id": "1"}, False),
        (REQUEST, {"unknown": 1}, False),
        (REQUEST, {"buyerInformation": "text"}, False),
        (REQUEST, {"merchantDefinedInformation": [{"name": "data5"}]}, False),
        (REQUEST, {"merchantDefinedInformation": [{"name": "sensitive4", "value": None}]}, False),
        (RESPONSE, {"id": "1"}, True),
        (RESPONSE, {"id": "1", "_embedded": {"unknown": 1}}, True),
        (RESPONSE, {}, False),
        (RESPONSE, {"id": 1}, False),
        (RESPONSE, {"id": "1", "_links": "text"}, False),
    ],
)
def test_what_the_schemas_admit(schema: dict[str, Any], value: object, fits: bool) -> None:  # noqa: FBT001 - a table
    """Requests are closed and all of their fields removable, responses are open and have an id."""
    assert validator(schema).is_valid(value) is fits


@pytest.mark.parametrize(
    ("field", "limit"),
    [
        ("BuyerInformation.merchantCustomerID", 100),
        ("BuyerInformation.email", 255),
        ("ClientReferenceInformation.code", 50),
        ("MerchantDefinedInformation.value", 100),
        ("ObjectInformation.title", 60),
        ("ObjectInformation.comment", 150),
    ],
)
def test_limits_are_the_services(field: str, limit: int) -> None:
    """The limits are those of the service's Swagger document."""
    schema, name = field.split(".")
    assert SPEC["components"]["schemas"][schema]["properties"][name]["maxLength"] == limit


@pytest.mark.parametrize(
    ("response", "kind", "message"),
    [
        ("BadRequest", "invalidRequest", "Invalid HTTP Body"),
        ("Forbidden", "forbidden", "Request not permitted"),
        ("NotFound", "notFound", "Token not found"),
        ("TokenDeleted", "notAvailable", "Token not available."),
        (
            "PreconditionFailed",
            "conflict",
            "Action cannot be performed as the if-match header value does not match the token etag",
        ),
        ("ProfileNotFound", "notFound", "Profile not found"),
        ("ServiceError", "serverError", "Internal server error"),
    ],
)
def test_an_error_example_has_the_services_words(response: str, kind: str, message: str) -> None:
    """The examples of errors are those of the service's Swagger document: people search for these words."""
    media = SPEC["components"]["responses"][response]["content"]["application/json;charset=utf-8"]
    [error] = media["example"]["errors"]
    assert (error["type"], error["message"]) == (kind, message)


@pytest.mark.parametrize(
    "etag", ["a" * 32, '"' + "a" * 32 + '"', 'W/"' + "a" * 32 + '"'], ids=["bare", "quoted", "weak"]
)
def test_an_etag_goes_back_as_it_came(etag: str) -> None:
    """A quoted or weak ETag (RFC 9110 section 8.8.3) is a value of if-match, though longer than 32 characters."""
    assert validator(SPEC["components"]["parameters"]["IfMatch"]["schema"]).is_valid(etag)


def test_the_pages_response_is_shown_as_the_page_has_it() -> None:
    """The example of the response is the page's, and so is the stand-in's customer."""
    response = SPEC["components"]["responses"]["Customer"]["content"]["application/json;charset=utf-8"]
    assert response["examples"]["page"]["value"] == page_customer()


def test_environments_are_the_servers() -> None:
    """The wrapper's environments and the spec's servers are the same, in the same order and by the same names."""
    servers = [
        (server["url"], server["description"].lower().replace(" in ", "-").replace(" ", "-"))
        for server in SPEC["servers"]
    ]
    assert servers == [(environment.base_url, environment.value) for environment in Environment]


def test_every_documented_error_has_a_class() -> None:
    """When the spec documents another status, somebody decides what to raise for it."""
    statuses = [int(status) for operation in operations().values() for status in operation["responses"]]
    call = retrieve_call("A", None)
    undecided = [
        status
        for status in statuses
        if status // 100 != 2 and type(status_error(call, Response(status, httpx.Headers(), b""))) is StatusError
    ]
    assert statuses
    assert not undecided


def operations() -> dict[str, Any]:
    """Return the spec's operations by their ids."""
    methods = ("get", "put", "post", "delete", "patch")
    found = [path[method] for path in SPEC["paths"].values() for method in methods if method in path]
    return {operation["operationId"]: operation for operation in found}


@pytest.mark.parametrize("client", [CustomersClient, AsyncCustomersClient])
@pytest.mark.parametrize("operation", operations())
def test_every_operation_has_a_method(operation: str, client: type) -> None:
    """Both clients have a method for it, `update` for `updateCustomer`, which returns what the spec has as success."""
    name = re.sub("(?=[A-Z])", "_", operation).lower()
    short = name.removesuffix("_customer")
    method = getattr(client, short, None)
    assert method, f"{operation}: {client.__name__} has no method {short}"
    bodies = getattr(customers, f"{name.upper()}_SUCCESS").values()
    returned = [CustomerRecord if body is Customer else type(None) for body in bodies]
    assert get_type_hints(method)["return"] == reduce(or_, returned), operation
