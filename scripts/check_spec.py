"""Says what is wrong with the spec beyond what the generator sees: one sentence each, with the place.

The library checks values against the spec's own schemas. So a keyword, type or format that it does not know is refused
here: nothing may be silently not checked.
"""

import json
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import chain
from typing import Any

from jsonschema import Draft202012Validator
from openapi_python_client.strings import PythonIdentifier
from openapi_spec_validator.schemas import openapi_v31_schema_validator

from read_spec import (
    FORMATS,
    OF_TYPES,
    PARTS,
    TYPES,
    Node,
    alternative,
    fields,
    find,
    operations,
    reachable,
    resolve,
    schemas,
    types,
)

ANNOTATIONS = ("title", "description", "example", "examples", "readOnly", "deprecated", "$comment")
KEYWORDS = ("type", "$ref", *PARTS, *chain(*OF_TYPES.values()), "unevaluatedProperties", *ANNOTATIONS)
REFUSED = {
    "const": "const would make the generated parser refuse a new value: write an enum with one value",
    "default": "default would be sent with every update: describe it instead",
    "nullable": 'nullable has no meaning in OpenAPI 3.1: write type: [..., "null"]',
}
METASCHEMA = Draft202012Validator(Draft202012Validator.META_SCHEMA)
# What a generated model has itself: its methods, and the variables in them.
TAKEN = {"additional_keys", "additional_properties", "cast", "cls", "d", "field_dict", "from_dict", "to_dict"}


def mistakes(spec: Any) -> list[str]:
    """Return what is wrong. What one step finds may be the reason for more, so the next one then does not run."""
    for step in (_structure, _references, _vocabulary, _shapes, _rules):
        try:
            found = list(dict.fromkeys(step(spec)))
        except RecursionError:
            found = ["the document: a schema is a part of itself"]
        if found:
            return found
    return []


def _structure(spec: Any) -> Iterator[str]:
    for error in openapi_v31_schema_validator.iter_errors(spec):
        yield f"{_place(error.path)}: {error.message.partition(chr(10))[0][:200]}"


def _references(spec: Node) -> Iterator[str]:
    for place, node in find(spec, "$ref"):
        try:
            resolve(spec, node)
        except (KeyError, TypeError, AttributeError):
            yield f"{place}: there is no {node['$ref']}"


def _vocabulary(spec: Node) -> Iterator[str]:
    closed = {id(media["schema"]) for _, media in _bodies(spec)}
    for place, schema in schemas(spec):
        if not {"type", "const", "$ref", *PARTS} & set(schema) and not place.endswith(".additionalProperties"):
            yield f'{place}: it has no type: write for instance type: [string, "null"]'
        for name in schema:
            if name in REFUSED:
                yield f"{place}: {REFUSED[name]}"
            elif name not in KEYWORDS and not name.startswith("x-"):
                is_known = name in Draft202012Validator.VALIDATORS
                why = ": nothing would check it, describe it instead" if is_known else nearest(name, KEYWORDS)
                yield f"{place}: {name} is not a keyword of this document{why}"
        if "unevaluatedProperties" in schema and id(schema) not in closed:
            yield f"{place}: unevaluatedProperties belongs to the schema of a request's body alone"
        for kind in types(schema):
            if kind not in TYPES:
                yield f"{place}.type: {kind} is not a type{nearest(kind, TYPES)}"
        if schema.get("format", "date") not in FORMATS:
            yield f"{place}.format: nothing would check {schema['format']}{nearest(schema['format'], FORMATS)}"


def _shapes(spec: Node) -> Iterator[str]:
    for place, schema in schemas(spec):
        for error in METASCHEMA.iter_errors(schema):
            yield f"{_place([place, *error.path])}: {error.message[:200]}"


def _rules(spec: Node) -> Iterator[str]:
    for place, operation in operations(spec):
        yield from _operation(place, operation)
    sent, received = reachable(spec, [media for _, media in _bodies(spec)]), reachable(spec, _successes(spec))
    for place, schema in schemas(spec):
        yield from _type(place, schema)
        yield from _enum(place, schema)
        yield from _parts(spec, place, schema)
        yield from _names(spec, place, schema)
        if schema.get("readOnly") and id(schema) in sent:
            yield f"{place}: a field that only the service writes belongs in Customer, beside CustomerUpdate"
        if id(schema) in received:
            yield from _required(spec, place, schema)
            yield from _without_null(spec, place, schema, is_sent=id(schema) in sent)
    for place, media in find(spec, "schema"):
        for at, example in [*find(media.get("examples"), "value", f"{place}.examples"), (place, media)]:
            value = example.get("value", example.get("example"))
            yield from _unknown_fields(spec, at, media["schema"], value)


def _operation(place: str, operation: Node) -> Iterator[str]:
    if "operationId" not in operation:
        yield f"{place}: the operation has no operationId"
    for parameter in operation["parameters"]:
        if parameter["in"] in {"query", "cookie"}:
            yield f"{place}: {parameter['name']} is in the {parameter['in']}, which is not sent: leave it out"


def _type(place: str, schema: Node) -> Iterator[str]:
    kinds = types(schema)
    forms = [name for name in ("type", "$ref", *PARTS) if name in schema]
    if len(forms) > 1:
        yield f"{place}: write only one of {' and '.join(forms)}"
    for known, keywords in OF_TYPES.items():
        if not set(known) & set(kinds):
            said = " or ".join(TYPES[each] for each in known)
            yield from (f"{place}: {name} is for {said}: leave it out" for name in keywords if name in schema)
    if "array" in kinds and not isinstance(schema.get("items"), dict):
        yield f"{place}: a list needs items, with the schema of an entry"
    if schema.get("additionalProperties") is False:
        yield f"{place}: additionalProperties: false would lose the fields that the service adds"
    try:
        re.compile(schema.get("pattern", ""))
    except re.error as error:
        yield f"{place}.pattern: Python's re cannot read it: {error}"


def _enum(place: str, schema: Node) -> Iterator[str]:
    kinds = types(schema)
    for value in schema.get("enum", ()):
        if not any(METASCHEMA.is_type(value, kind) for kind in kinds):
            quoted = ", write it in quotes" if "string" in kinds and value is not None else ""
            yield f"{place}.enum: {json.dumps(value)} is not {' or '.join(map(TYPES.__getitem__, kinds))}{quoted}"
    if "enum" in schema and ("null" in kinds) > (None in schema["enum"]):
        yield f"{place}.enum: the type has null, so write null here too"
    if schema.get("enum") in ([], [None]):
        yield f"{place}.enum: it has no value"


def _parts(spec: Node, place: str, schema: Node) -> Iterator[str]:
    for name in ("oneOf", "anyOf"):
        null = [each for each in schema.get(name, ()) if each.get("type") == "null"]
        if name in schema and (len(null), len(schema[name])) != (1, 2):
            yield f'{place}.{name}: write one schema and {{type: "null"}}, nothing else can be checked'
        elif null and _admits_null(spec, alternative(spec, schema)):
            yield f"{place}.{name}: null fits both: take it out of the type"


def _names(spec: Node, place: str, schema: Node) -> Iterator[str]:
    if "properties" not in schema and len(schema.get("allOf", ())) < 2:  # noqa: PLR2004 - parts with fields of their own
        return
    seen: dict[str, str] = {}
    for name in fields(spec, schema):
        attribute = str(PythonIdentifier(name, "field_"))
        if attribute in TAKEN or not re.fullmatch(r"[\w$@-]+", name):
            yield f"{place}.properties.{name}: a model cannot have this name: leave it out, it is read all the same"
        if attribute in seen:
            yield f"{place}: {seen[attribute]} and {name} are both {attribute} in Python: leave one of them out"
        seen[attribute] = name


def _required(spec: Node, place: str, schema: Node) -> Iterator[str]:
    known = fields(spec, schema)
    for name in schema.get("required", ()):
        if name not in known:
            yield f"{place}.required: there is no field {name}{nearest(name, known)}"
        elif "x-required-because" not in known[name]:
            yield f"{place}.properties.{name}: without it no response could be read: say why in x-required-because"


def _without_null(spec: Node, place: str, schema: Node, *, is_sent: bool) -> Iterator[str]:
    in_map, in_array = place.endswith(".additionalProperties"), place.endswith(".items")
    is_field = place.split(".")[-2:-1] == ["properties"]
    if _admits_null(spec, schema) or not (in_map or in_array or is_field):
        return
    if _is_parsed(spec, schema) and not (in_array and is_sent):
        yield f'{place}: it has to admit null, as in type: [..., "null"]: an unexpected value could not be read'
    elif is_sent and not in_array and "x-not-null-because" not in schema:
        yield f'{place}: write type: [..., "null"], so that it can be removed, or say why not in x-not-null-because'


def _unknown_fields(spec: Node, place: str, schema: Node, value: Any) -> Iterator[str]:
    schema = alternative(spec, schema)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown_fields(spec, f"{place}[{index}]", schema.get("items", {}), item)
    known = fields(spec, schema)
    for name, inner in value.items() if isinstance(value, dict) and known else ():
        if name in known:
            yield from _unknown_fields(spec, f"{place}.{name}", known[name], inner)
        elif "additionalProperties" not in schema:
            yield f"{place}.{name}: the example has a field that its schema has not{nearest(name, known)}"


def nearest(word: object, known: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown word."""
    near = get_close_matches(str(word), known, n=1, cutoff=0.5)
    return f", did you mean {near[0]}?" if near else f", known are {', '.join(known)}"


def _place(path: Iterable[object]) -> str:
    joined = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path)
    return joined.lstrip(".") or "the document"


def _bodies(spec: Node) -> list[tuple[str, Node]]:
    bodies = [(place, resolve(spec, operation.get("requestBody", {}))) for place, operation in operations(spec)]
    return [each for place, body in bodies for each in find(body, "schema", place)]


def _successes(spec: Node) -> list[Any]:
    responses = [each for _, operation in operations(spec) for each in operation["responses"].items()]
    return [response for status, response in responses if str(status).startswith("2")]


def _admits_null(spec: Node, schema: Node) -> bool:
    schema = resolve(spec, schema)
    if "type" in schema:
        return "null" in types(schema)
    either = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    return any(_admits_null(spec, each) for each in either) or not (either or "allOf" in schema)


def _is_parsed(spec: Node, schema: Node) -> bool:
    """Return whether the generated parser refuses some JSON for a schema, and with it the whole object."""
    schema = resolve(spec, schema)
    kept_as_it_is = {"string", "integer", "number", "boolean", "null"}
    parts = [each for name in PARTS for each in schema.get(name, ())]
    return (
        "format" in schema
        or not kept_as_it_is.issuperset(types(schema))
        or any(_is_parsed(spec, part) for part in parts)
    )
