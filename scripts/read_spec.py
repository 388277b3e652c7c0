"""Reads the spec so that generator, scripts, tests and wheel see the same, and says what stands where in it."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

Node = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
# The types and the formats, and how each is called in a sentence.
TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
FORMATS = {
    "date": "a date such as 2026-11-30",
    "date-time": "a date and time such as 2026-11-30T12:00:00+00:00",
    "uuid": "a UUID",
}
PARTS = ("allOf", "oneOf", "anyOf")
# The keywords that say something about values of some types only.
OF_TYPES = {
    ("string",): ("format", "pattern", "minLength", "maxLength"),
    ("integer", "number"): ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    ("array",): ("items", "minItems", "maxItems"),
    ("object",): ("properties", "required", "additionalProperties"),
    ("string", "integer"): ("enum",),
}
STRING, MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
JSON_SCALAR = re.compile(r"|null|true|false|-?(0|[1-9][0-9]*)(\.[0-9]+)?")
# Numbers of YAML 1.2 that are text in YAML 1.1, which PyYAML reads: https://yaml.org/spec/1.2.2/#103-core-schema
NUMBER_1_2 = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+")


def read(text: str) -> tuple[Any, list[str]]:
    """Return what a YAML document holds, and one sentence for each part of it that YAML does not read as it looks."""
    loader = yaml.CSafeLoader(text)
    try:
        node = loader.get_single_node()
        unclear = list(dict.fromkeys(_unclear(node, ""))) if node else ["the document is empty"]
        return (None, unclear) if unclear else (loader.construct_document(node), [])
    except (yaml.YAMLError, RecursionError) as error:
        return None, [" ".join(str(error).split())]


def resolve(spec: Node, node: Node) -> Node:
    """Return what a node of the spec stands for, if it is a reference."""
    seen: list[str] = []
    while "$ref" in node:
        if node["$ref"] in seen:
            raise KeyError(node["$ref"])
        seen.append(node["$ref"])
        found: Any = spec
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def operations(spec: Node) -> Iterator[tuple[str, Node]]:
    """Yield the place of each operation, and the operation with all of its parameters."""
    for path, item in spec.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                parameters = [*item.get("parameters", ()), *item[method].get("parameters", ())]
                resolved = [resolve(spec, each) for each in parameters]
                yield f"paths.{path}.{method}", item[method] | {"parameters": resolved}


def schemas(node: Any, place: str = "", *, is_schema: bool = False) -> Iterator[tuple[str, Node]]:
    """Yield the place of each schema in a part of the spec, and the schema, from the outside in."""
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from schemas(_no_bool(inner), f"{place}[{index}]", is_schema=is_schema)
    if not isinstance(node, dict):
        return
    if is_schema:
        yield place, node
    for name, inner in node.items():
        at = f"{place}.{name}".lstrip(".")
        if name in {"schemas", "properties"} and isinstance(inner, dict):
            for each, schema in inner.items():
                yield from schemas(_no_bool(schema), f"{at}.{each}", is_schema=True)
        elif name not in {"example", "examples", "enum", "required", "type"}:
            yield from schemas(inner, at, is_schema=name == "schema" or (is_schema and not name.startswith("x-")))


def types(schema: Node) -> list[str]:
    """Return the types that a schema admits."""
    kinds = schema.get("type", [])
    return [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]


def alternative(spec: Node, schema: Node) -> Node:
    """Return what a schema stands for, without references and null."""
    schema = resolve(spec, schema)
    either = [each for each in (*schema.get("oneOf", ()), *schema.get("anyOf", ())) if each.get("type") != "null"]
    return alternative(spec, either[0]) if either else schema


def fields(spec: Node, schema: Node) -> Node:
    """Return the schemas of an object's fields, by their names."""
    schema = alternative(spec, schema)
    found = {name: inner for part in schema.get("allOf", ()) for name, inner in fields(spec, part).items()}
    return {**found, **schema.get("properties", {})}


def find(node: Any, name: str, place: str = "") -> Iterator[tuple[str, Node]]:
    """Yield the place of each object that has an entry of this name, and the object."""
    if isinstance(node, dict) and name in node:
        yield place, node
    for key, inner in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from find(inner, name, f"{place}[{key}]" if isinstance(key, int) else f"{place}.{key}".lstrip("."))


def reachable(spec: Node, nodes: list[Any]) -> set[int]:
    """Return the ids of all objects within some nodes and in what they refer to."""
    waiting, seen = list(nodes), set[int]()
    while waiting:
        node = waiting.pop()
        if isinstance(node, (dict, list)) and id(node) not in seen:
            seen.add(id(node))
            waiting += [resolve(spec, node), *node.values()] if isinstance(node, dict) else node
    return seen


def _no_bool(schema: Any) -> Any:
    return {} if isinstance(schema, bool | None) else schema


def _unclear(node: yaml.Node, place: str) -> Iterator[str]:
    if isinstance(node, yaml.MappingNode):
        names: list[str] = []
        for key, value in node.value:
            at = f"{place}.{key.value}".lstrip(".")
            if _is_doubtful(key) and key.tag != MERGE:
                yield f"{at}: a name has to be text: write {key.value} in quotes"
            if key.value in names:
                yield f"{at}: the name stands here twice"
            names.append(key.value)
            yield from _unclear(value, at)
    elif isinstance(node, yaml.SequenceNode):
        for index, inner in enumerate(node.value):
            yield from _unclear(inner, f"{place}[{index}]")
    elif _is_doubtful(node) and not JSON_SCALAR.fullmatch(node.value):
        yield f"{place}: {node.value} is not text in YAML: write it in quotes, or as JSON has it"


def _is_doubtful(node: yaml.Node) -> bool:
    is_plain = isinstance(node, yaml.ScalarNode) and not node.style
    return node.tag != STRING or (is_plain and bool(NUMBER_1_2.fullmatch(node.value)))
