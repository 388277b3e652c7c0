"""Compares the operations of spec/customers.yaml with a Swagger document; scripts/compare_swagger runs it."""

import json
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from check_spec import METHODS, resolve

Node = dict[str, Any]
# What is said of each place, such as "PATCH request buyerInformation.email": its type, limits, and so on.
Facts = dict[str, Node]

SPEC = Path("spec/customers.yaml")
CHOSEN = Path("spec/swagger-differences.yaml")
ASPECTS = ("type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems")


def main(file: Path) -> int:
    """Print each difference that was not chosen, and return the exit code."""
    try:
        theirs = facts(load(file))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        print(f"{file} cannot be read as a Swagger document: {type(error).__name__}", file=sys.stderr)
        return 1
    chosen = [entry["difference"] for entry in load(CHOSEN)]
    found = list(differences(facts(load(SPEC)), theirs))
    others = [(what, how) for what, how in found if not any(fnmatchcase(what, pattern) for pattern in chosen)]
    for what, how in others:
        print(f"{what}: {how}")
    print(f"{len(found) - len(others)} differences by choice, see {CHOSEN}; {len(others)} others")
    return 1 if others else 0


def load(path: Path) -> Any:
    """Return what a JSON or YAML file holds."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def differences(ours: Facts, theirs: Facts) -> Iterator[tuple[str, str]]:
    """Yield what differs, and how. An operation that the spec does not have is none of its business."""
    operations = {place.split()[0] for place in ours}
    alone: list[str] = []
    for place in sorted({*ours, *theirs}):
        if place.split()[0] not in operations or any(place.startswith((f"{each}.", f"{each} ")) for each in alone):
            continue
        if place not in ours or place not in theirs:
            alone.append(place)
            yield place, f"only in {SPEC}" if place in ours else "only in the Swagger document"
            continue
        for aspect in (*ASPECTS, "required"):
            mine, other = ours[place].get(aspect), theirs[place].get(aspect)
            if mine != other:
                yield f"{place} {aspect}", f"{SPEC} has {mine}, the Swagger document has {other}"


def facts(document: Node) -> Facts:
    """Return what a document says of the customer's operations, be it OpenAPI 3.1 or Swagger 2.0."""
    found: Facts = {}
    for path, item in document["paths"].items():
        if re.sub("{.*?}", "{}", path) == "/tms/v2/customers/{}":
            for method in METHODS:
                if method in item:
                    found |= _operation(document, method.upper(), item, item[method])
    return found


def _operation(document: Node, name: str, item: Node, operation: Node) -> Facts:
    found: Facts = {name: {}}
    parameters = [*item.get("parameters", ()), *operation.get("parameters", ())]
    for parameter in (resolve(document, each) for each in parameters):
        if parameter["in"] == "body":  # Swagger 2.0
            found |= _fields(document, f"{name} request ", _schema(document, parameter), is_sent=True)
        else:
            label = "path" if parameter["in"] == "path" else f"{parameter['in']} {parameter['name']}"
            schema = _schema(document, parameter) | {"required": parameter.get("required", False)}
            found[f"{name} parameter {label}"] = _aspects(schema)
    if "requestBody" in operation:
        found |= _fields(document, f"{name} request ", _schema(document, operation["requestBody"]), is_sent=True)
    for status, response in operation["responses"].items():
        found |= _response(document, f"{name} {status}", resolve(document, response))
    return found


def _response(document: Node, place: str, response: Node) -> Facts:
    found: Facts = {place: {}}
    for header, node in response.get("headers", {}).items():
        found[f"{place} header {header.lower()}"] = _aspects(_schema(document, node))
    return found | _fields(document, f"{place} response ", _schema(document, response), is_sent=False)


def _schema(document: Node, node: Node) -> Node:
    """Return the schema of a body, a parameter or a header, which in Swagger 2.0 can be one itself."""
    node = resolve(document, node)
    node = next(iter(node["content"].values())) if "content" in node else node
    return _simple(document, node.get("schema", node))


def _simple(document: Node, schema: Node) -> Node:
    """Return a schema without references, parts and null, which Swagger 2.0 does not have."""
    schema = resolve(document, schema)
    for part in [*schema.get("allOf", ()), *schema.get("oneOf", ())]:
        inner = _simple(document, part)
        if inner.get("type") != "null":
            properties = schema.get("properties", {}) | inner.get("properties", {})
            required = [*schema.get("required", ()), *inner.get("required", ())]
            schema = schema | inner | {"properties": properties, "required": required}
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
    others = [kind for kind in kinds if kind != "null"]
    return schema | {"type": others[0]} if others else schema


def _fields(document: Node, prefix: str, schema: Node, *, is_sent: bool) -> Facts:
    found: Facts = {}
    for name, inner in schema.get("properties", {}).items():
        field = _simple(document, inner)
        if not (is_sent and field.get("readOnly")):
            found[f"{prefix}{name}"] = _aspects(field | {"required": name in schema.get("required", ())})
            found |= _fields(document, f"{prefix}{name}.", field, is_sent=is_sent)
    if "items" in schema:
        found |= _fields(document, prefix, _simple(document, schema["items"]), is_sent=is_sent)
    return found


def _aspects(schema: Node) -> Node:
    return {name: schema[name] for name in (*ASPECTS, "required") if name in schema}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
