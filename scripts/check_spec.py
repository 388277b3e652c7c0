"""Says what is wrong with the spec beyond what the generator sees: one sentence each, with the place."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from jsonschema import Draft202012Validator
from openapi_spec_validator.schemas import openapi_v31_schema_validator

Node = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
ANNOTATIONS = {
    "title",
    "description",
    "example",
    "examples",
    "readOnly",
    "writeOnly",
    "deprecated",
    "$comment",
    "$defs",
}
KEYWORDS = {*Draft202012Validator.VALIDATORS, *ANNOTATIONS, "discriminator"}
HARMFUL = {
    "const": "would make the generated parser refuse a new value: write an enum with one value",
    "default": "would be sent with every update: describe it instead",
}
METASCHEMA = Draft202012Validator(Draft202012Validator.META_SCHEMA)
PARSED = {"date", "date-time", "uuid"}  # the generated parser refuses text that is not of the format


def errors(spec: Any) -> list[str]:
    """Return what makes the generated code wrong, or cannot be generated."""
    return _invalid(spec) or [*_unresolved(spec, spec)] or [*_unnamed(spec), *_harmful(spec)]


def warnings(spec: Node) -> list[str]:
    """Return what can be generated, and is a mistake or needs a reason."""
    return [*_misspelt(spec), *_without_null(spec), *_required(spec)]


def resolve(spec: Node, node: Node) -> Node:
    """Return what a node of the spec stands for, if it is a reference."""
    while "$ref" in node:
        found: Any = spec
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def operations(spec: Node) -> Iterator[tuple[str, Node]]:
    """Yield the place of each operation, and the operation."""
    for path, item in spec.get("paths", {}).items():
        yield from ((f"paths.{path}.{method}", item[method]) for method in METHODS if method in item)


def schemas(node: Any, place: str = "", *, is_schema: bool = False) -> Iterator[tuple[str, Node]]:
    """Yield the place of each schema in a part of the spec, and the schema, from the outside in."""
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from schemas(inner, f"{place}[{index}]", is_schema=is_schema)
    if not isinstance(node, dict):
        return
    if is_schema:
        yield place, node
    for name, inner in node.items():
        at = f"{place}.{name}".lstrip(".")
        if name in {"schemas", "properties"} and isinstance(inner, dict):
            for each, schema in inner.items():
                yield from schemas(schema, f"{at}.{each}", is_schema=True)
        elif name not in {"example", "examples", "enum"}:
            yield from schemas(inner, at, is_schema=name == "schema" or (is_schema and not name.startswith("x-")))


def _invalid(spec: Any) -> list[str]:
    found = [("", error) for error in openapi_v31_schema_validator.iter_errors(spec)]
    for place, schema in () if found else schemas(spec):
        found += [(place, error) for error in METASCHEMA.iter_errors(schema)]
    where = [".".join([place, *map(str, error.path)]).strip(".") or "the document" for place, error in found]
    # Each schema around an error finds it again.
    return list(dict.fromkeys(f"{at}: {error.message[:200]}" for at, (_, error) in zip(where, found, strict=True)))


def _unresolved(spec: Node, node: Any, place: str = "") -> Iterator[str]:
    if isinstance(node, dict) and isinstance(node.get("$ref"), str):
        try:
            resolve(spec, node)
        except (KeyError, TypeError):
            yield f"{place}: there is no {node['$ref']}"
    for name, inner in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from _unresolved(spec, inner, f"{place}.{name}".lstrip("."))


def _unnamed(spec: Node) -> Iterator[str]:
    for place, operation in operations(spec):
        if "operationId" not in operation:
            yield f"{place}: the operation has no operationId"


def _harmful(spec: Node) -> Iterator[str]:
    sent = _reachable(spec, _requests(spec))
    for place, schema in schemas(spec):
        yield from (f"{place}: {name} {why}" for name, why in HARMFUL.items() if name in schema)
        if schema.get("additionalProperties") is False:
            yield f"{place}: additionalProperties: false would lose the fields that the service adds"
        if schema.get("readOnly") and id(schema) in sent:
            yield f"{place}: a field that only the service writes belongs in Customer, beside CustomerUpdate"


def _misspelt(spec: Node) -> Iterator[str]:
    for place, schema in schemas(spec):
        for name in schema:
            if name == "nullable":
                yield f'{place}: nullable has no meaning in OpenAPI 3.1: write type: [..., "null"]'
            elif name not in KEYWORDS and not name.startswith("x-"):
                near = "".join(f", did you mean {each}?" for each in get_close_matches(name, KEYWORDS, n=1))
                yield f"{place}: {name} is not a keyword{near}"


def _without_null(spec: Node) -> Iterator[str]:
    sent, received = _reachable(spec, _requests(spec)), _reachable(spec, _responses(spec))
    for place, schema in schemas(spec):
        is_sent, is_parsed = id(schema) in sent, _is_parsed(spec, schema)
        in_map, in_array = place.endswith(".additionalProperties"), place.endswith(".items")
        if id(schema) not in received or _admits_null(spec, schema) or not (in_map or in_array or _is_field(place)):
            continue
        if is_parsed and not (in_array and is_sent):
            yield f"{place}: it has to admit null: an unexpected value could otherwise not be read"
        elif is_sent and not in_array and "x-not-null-because" not in schema:
            yield f"{place}: without null it cannot be removed: if so, say why in x-not-null-because"


def _required(spec: Node) -> Iterator[str]:
    received = _reachable(spec, _responses(spec))
    for place, schema in schemas(spec):
        for name in schema.get("required", ()) if id(schema) in received else ():
            if "x-required-because" not in schema.get("properties", {}).get(name, {}):
                yield f"{place}.properties.{name}: without it no response could be read: say why in x-required-because"


def _requests(spec: Node) -> list[Any]:
    return [operation.get("requestBody") for _, operation in operations(spec)]


def _responses(spec: Node) -> list[Any]:
    responses = [each for _, operation in operations(spec) for each in operation["responses"].items()]
    return [response for status, response in responses if str(status).startswith("2")]


def _reachable(spec: Node, nodes: list[Any]) -> set[int]:
    """Return the ids of all objects within some nodes and in what they refer to."""
    waiting, seen = list(nodes), set[int]()
    while waiting:
        node = waiting.pop()
        if isinstance(node, (dict, list)) and id(node) not in seen:
            seen.add(id(node))
            waiting += [resolve(spec, node), *node.values()] if isinstance(node, dict) else node
    return seen


def _is_field(place: str) -> bool:
    return place.split(".")[-2:-1] == ["properties"]


def _admits_null(spec: Node, schema: Node) -> bool:
    schema = resolve(spec, schema)
    if "enum" in schema:
        return None in schema["enum"]
    if "type" in schema:
        return "null" in schema["type"]
    either = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    return any(_admits_null(spec, each) for each in either) or not (either or "allOf" in schema)


def _is_parsed(spec: Node, schema: Node) -> bool:
    """Say whether the generated parser refuses some JSON for a schema, and with it the whole object."""
    schema = resolve(spec, schema)
    kept_as_it_is = {"string", "integer", "number", "boolean", "null"}
    types = schema.get("type", [])
    parts = [each for name in ("oneOf", "anyOf", "allOf") for each in schema.get(name, ())]
    return (
        schema.get("format") in PARSED
        or not kept_as_it_is.issuperset([types] if isinstance(types, str) else types)
        or any(_is_parsed(spec, part) for part in parts)
    )
