"""Compares the operations of spec/customers.yaml with a Swagger document; scripts/compare_swagger runs it."""

import json
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import yaml

from read_spec import METHODS, Node, resolve, types

# What a document says: "PATCH request buyerInformation.email" is PRESENT, and its "… maxLength" is 255.
Facts = dict[str, Any]

SPEC = Path("spec/customers.yaml")
CHOSEN = Path("spec/swagger-differences.yaml")
PRESENT = "present"
# What a schema or a parameter has that restricts no value, or is looked at elsewhere. The rest of it is compared.
OTHER = {"name", "in", "schema", "title", "description", "example", "examples", "readOnly", "properties", "items"}
OTHER |= {"$ref", "allOf", "oneOf", "unevaluatedProperties"}
RANGE = re.compile(r"\b([A-Za-z]+)([0-9]+) to \1([0-9]+)\b")
LIST = re.compile(r"values\s*:(.*)", re.IGNORECASE | re.DOTALL)
ENTRY = re.compile(r"^\s*[-*]\s+(\S+)\s*$", re.MULTILINE)


class Difference(NamedTuple):
    """What differs, and what each of the two says of it."""

    what: str
    ours: Any
    theirs: Any

    def __str__(self) -> str:
        if PRESENT in (self.ours, self.theirs):
            return f"{self.what}: only in {SPEC if self.ours else 'the Swagger document'}"
        return f"{self.what}: {SPEC} has {_words(self.ours)}, the Swagger document has {_words(self.theirs)}"


def main(file: Path) -> int:
    """Print each difference that was not chosen, and return the exit code."""
    try:
        theirs = facts(load(file))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        print(f"{file} cannot be read as a Swagger document: {type(error).__name__}", file=sys.stderr)
        return 1
    lines, chosen = compare(facts(load(SPEC)), theirs, load(CHOSEN))
    for line in lines:
        print(line)
    print(f"{chosen} differences by choice, see {CHOSEN}; {len(lines)} others")
    return 1 if lines else 0


def compare(ours: Facts, theirs: Facts, choices: list[Node]) -> tuple[list[str], int]:
    """Return a line for each other difference and for each choice that no longer applies, and how many were chosen."""
    found = list(differences(ours, theirs))
    others = [str(each) for each in found if not any(is_chosen(each, choice) for choice in choices)]
    stale = [
        f"{choice['difference']}: {CHOSEN} has this for {_words(choice['document'])} in the document, not any more"
        for choice in choices
        if not any(is_chosen(each, choice) for each in found)
    ]
    return others + stale, len(found) - len(others)


def load(path: Path) -> Any:
    """Return what a JSON or YAML file holds."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if text.startswith("{") else yaml.load(text, yaml.CSafeLoader)


def is_chosen(difference: Difference, choice: Node) -> bool:
    """Return whether a choice was made for a difference, and for what the document now has."""
    return fnmatchcase(difference.what, choice["difference"]) and difference.theirs == choice["document"]


def differences(ours: Facts, theirs: Facts) -> Iterator[Difference]:
    """Yield what differs. An operation that the spec does not have is none of its business."""
    foreign = {method.upper() for method in METHODS} - ours.keys()
    alone: tuple[str, ...] = ()
    for what in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(what), theirs.get(what)
        if mine == other or what.split()[0] in foreign or what.startswith(alone):
            continue
        if PRESENT in (mine, other):
            alone = (*alone, f"{what}.", f"{what} ", f"{what}[")
        yield Difference(what, mine, other)


def facts(document: Node) -> Facts:
    """Return what a document says of the customer's operations, be it OpenAPI 3.1 or Swagger 2.0."""
    found = _service(document)
    for path, item in document["paths"].items():
        general = re.sub("{.*?}", "{}", path)
        if re.fullmatch(r"/tms/v[0-9]+/customers/\{\}", general):
            found[f"path {general}"] = PRESENT
        if general == "/tms/v2/customers/{}":
            for method in METHODS:
                if method in item:
                    found |= _operation(document, method.upper(), item, item[method])
    return found


def _service(document: Node) -> Facts:
    url = urlsplit(document["servers"][0]["url"] if "servers" in document else "")
    schemes = document.get("securityDefinitions") or document.get("components", {}).get("securitySchemes", {})
    return {
        "host": document.get("host", url.netloc),
        "protocols": document.get("schemes", [url.scheme]),
        "base path": document.get("basePath", url.path or "/"),
        # The document has none so far. The spec has the guide's JSON Web Token.
        "other credentials": [name for name, scheme in schemes.items() if scheme.get("scheme") != "bearer"],
    }


def _operation(document: Node, name: str, item: Node, operation: Node) -> Facts:
    found: Facts = {name: PRESENT, f"{name} deprecated": operation.get("deprecated", False)}
    found[f"{name} credentials"] = [scheme for each in operation.get("security", ()) for scheme in each]
    for key, value in operation.get("x-devcenter-metaData", {}).items():
        if key.startswith("mle") and str(value).lower() != "false":
            found[f"{name} {key}"] = value
    for parameter in [*item.get("parameters", ()), *operation.get("parameters", ())]:
        found |= _parameter(document, name, operation, resolve(document, parameter))
    if "requestBody" in operation:
        body = resolve(document, operation["requestBody"])
        found |= _body(document, f"{name} request", body, is_sent=True)
        found[f"{name} consumes"] = _media_types(body["content"])
    produced: list[str] = []
    for status, response in operation["responses"].items():
        node = resolve(document, response)
        produced.extend(node.get("content") or operation.get("produces") or document.get("produces", ()))
        found |= _response(document, f"{name} {status}", node)
    found[f"{name} produces"] = _media_types(produced)
    return found


def _parameter(document: Node, name: str, operation: Node, parameter: Node) -> Facts:
    if parameter["in"] == "body":  # Swagger 2.0
        consumed = operation.get("consumes", document.get("consumes", ()))
        return {f"{name} consumes": _media_types(consumed)} | _body(
            document, f"{name} request", parameter, is_sent=True
        )
    label = "path" if parameter["in"] == "path" else f"{parameter['in']} {parameter['name'].lower()}"
    schema = _schema(document, parameter) | {"required": parameter.get("required", False)}
    return _aspects(f"{name} parameter {label}", schema)


def _response(document: Node, place: str, response: Node) -> Facts:
    found: Facts = {place: PRESENT}
    for header, node in response.get("headers", {}).items():
        found |= _aspects(f"{place} header {header.lower()}", _schema(document, node))
    if "schema" in response or "content" in response:
        found |= _body(document, f"{place} response", response, is_sent=False)
    if "x-error-types" in response:  # the spec's; the document lists them in a description
        found[f"{place} response errors.type values"] = sorted(response["x-error-types"])
    return found


def _body(document: Node, place: str, node: Node, *, is_sent: bool) -> Facts:
    schema = _schema(document, node)
    found = _aspects(place, schema | {"required": node.get("required", False)})
    return found | _fields(document, f"{place} ", schema, is_sent=is_sent)


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
    others = [kind for kind in types(schema) if kind != "null"]
    return schema | {"type": others[0]} if others else schema


def _fields(document: Node, prefix: str, schema: Node, *, is_sent: bool) -> Facts:
    found: Facts = {}
    for name, inner in schema.get("properties", {}).items():
        field = _simple(document, inner)
        if not (is_sent and field.get("readOnly")):
            found |= _aspects(f"{prefix}{name}", field | {"required": name in schema.get("required", ())})
            found |= _fields(document, f"{prefix}{name}.", field, is_sent=is_sent)
    if "items" in schema:
        entry = _simple(document, schema["items"])
        found |= _aspects(f"{prefix[:-1]}[]", entry | {"required": None})
        found |= _fields(document, prefix, entry, is_sent=is_sent)
    return found


def _aspects(place: str, schema: Node) -> Facts:
    """Return what is said of the values in a place."""
    found = {f"{place} {name}": schema[name] for name in schema.keys() - OTHER if not name.startswith("x-")}
    if "enum" in schema:
        found[f"{place} enum"] = sorted(str(value) for value in schema["enum"] if value is not None)
    if values := _listed(schema.get("description") or ""):
        found[f"{place} values"] = values
    return {place: PRESENT, **found}


def _listed(description: str) -> list[str]:
    """Return the values that stand in a description alone: "data1 to data4", or a list after "Possible values:"."""
    ranges = [
        f"{word}{n}" for word, first, last in RANGE.findall(description) for n in range(int(first), int(last) + 1)
    ]
    entries = [entry for text in LIST.findall(description) for entry in ENTRY.findall(text)]
    return sorted(ranges) + sorted(entries) * (sorted(ranges) != sorted(entries))


def _words(value: Any) -> str:
    words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return words if value is not None and words else "nothing"


def _media_types(names: Any) -> list[str]:
    return sorted({name.lower().replace(" ", "") for name in names})


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
