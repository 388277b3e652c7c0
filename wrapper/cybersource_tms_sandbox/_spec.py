"""The spec, which `scripts/regenerate` puts beside the generated code as JSON. That code is not imported."""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

CUSTOMER_PATH = "/tms/v2/customers/{customerTokenId}"


@cache
def read_spec() -> Schema:
    """Return the spec, from a folder or from a zip."""
    package = find_spec("cybersource_tms_api")
    assert package
    assert package.origin
    # Not by importlib.resources: with pytest's loader that needs the package to be imported.
    loader: Any = package.loader
    spec: Schema = json.loads(loader.get_data(str(Path(package.origin).with_name("openapi.json"))))
    return spec


@cache
def service_hosts() -> frozenset[str]:
    """Return the host names of the service's environments."""
    return frozenset(str(server["url"]).removeprefix("https://") for server in read_spec()["servers"])


def resolve(schema: Schema) -> Schema:
    """Follow a `$ref` of the spec."""
    while reference := schema.get("$ref"):
        schema = read_spec()
        for name in reference.removeprefix("#/").split("/"):
            schema = schema[name]
    return schema


def update_schema() -> Schema:
    """Return the schema of an update's body."""
    [media_type] = read_spec()["paths"][CUSTOMER_PATH]["patch"]["requestBody"]["content"].values()
    schema: Schema = media_type["schema"]
    return schema


def header_schemas(method: str) -> dict[str, Schema]:
    """Return the schemas of an operation's headers, by their names."""
    path = read_spec()["paths"][CUSTOMER_PATH]
    parameters = map(resolve, [*path["parameters"], *path[method.lower()].get("parameters", [])])
    return {each["name"]: resolve(each["schema"]) for each in parameters if each["in"] == "header"}


def response_example(status: int) -> Any:
    """Return the example of a response, or None if the spec has none for its status."""
    path = read_spec()["paths"][CUSTOMER_PATH]
    response = {**path["get"]["responses"], **path["patch"]["responses"]}.get(str(status), {})
    [media_type] = resolve(response).get("content", {"": {}}).values()
    examples = [each["value"] for each in media_type.get("examples", {}).values()]
    return [*examples, media_type.get("example")][0]
