"""Resolves the schema of a customer for the library, which then has nothing to follow, to merge or to look up.

What comes of it has one flat entry for each place, such as `Customer.buyerInformation.email`. Its names are the
attributes of the library's `Schema`, which says what they mean. Where another schema is meant, there is its place;
ANYTHING is the place of one that admits all. What is as everywhere is left out.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from openapi_python_client.parser.properties.list_property import ListProperty
from openapi_python_client.parser.properties.model_property import ModelProperty
from openapi_python_client.parser.properties.union import UnionProperty

from read_spec import FORMATS, OF_TYPES, PARTS, TYPES, Node, resolve, types

ANYTHING = "anything"
LIMITS = ("minLength", "maxLength", "pattern", "minItems", "maxItems", *OF_TYPES["integer", "number"])


def customer_schema(spec: Node, models: Mapping[str, ModelProperty]) -> dict[str, Node]:
    """Return the schemas of a customer, itself first; it has no class, since it is the schema of an update too."""
    schemas = resolved(spec, spec["components"]["schemas"]["Customer"], models, "Customer")
    del schemas["Customer"]["model"]
    return schemas


def resolved(spec: Node, schema: Node, models: Mapping[str, ModelProperty], name: str) -> dict[str, Node]:
    """Return a schema of the spec and all schemas within; `name` is the one of its class."""
    resolver = _Resolver(spec, models)
    resolver.place_of(schema, models.get(name), name, {})
    return resolver.schemas


def model_fields(model: ModelProperty) -> list[Any]:
    """Return what the generator knows of the fields of a model."""
    return [*(model.required_properties or ()), *(model.optional_properties or ())]


class _Resolver:
    """Makes each schema once, since one can be a part of itself."""

    def __init__(self, spec: Node, models: Mapping[str, ModelProperty]) -> None:
        self._spec = spec
        self._models = models
        self._places: dict[tuple[Any, ...], str] = {}
        self.schemas: dict[str, Node] = {}

    def place_of(self, raw: Any, generated: Any, place: str, around: Node) -> str:
        """Return the place of a schema of the spec: `place`, or where it was seen before.

        Args:
            raw: The schema.
            generated: What the generator has made of it.
            place: Where it is.
            around: `in_list` and `loose`, where they hold because of what is around it.
        """
        if raw in (True, {}):
            return ANYTHING
        seen = (id(raw), *around)
        if seen not in self._places:
            self._places[seen] = place
            self.schemas[place] = {}
            self.schemas[place] |= self._schema(_merged(self._parts(raw)), generated, place, around)
        return self._places[seen]

    def _parts(self, raw: Node) -> Iterator[Node]:
        """Yield the schemas that one is made of, from the inside out."""
        if "$ref" in raw:
            yield from self._parts(resolve(self._spec, raw))
        for part in (each for name in PARTS for each in raw.get(name, ())):
            yield from self._parts(part)
        yield raw

    def _schema(self, merged: Node, generated: Any, place: str, around: Node) -> Node:
        schema: Node = {"expected": _expected(merged), "types": merged["type"], "plain": _plain(merged)}
        if merged.get("readOnly"):
            schema["read_only"] = True
            if place.endswith(".id"):  # without it, nobody can say whose record it is
                schema["plain"].remove("null")
            else:
                around = around | {"loose": True}
        schema |= {name: merged[name] for name in ("enum", "format") if name in merged} | around
        if limits := {name: merged[name] for name in LIMITS if name in merged}:
            schema["limits"] = limits | ({"pattern": python_pattern(limits["pattern"])} if "pattern" in limits else {})
        either = _alternatives(generated)
        if "array" in merged["type"]:
            items = next((each.inner_property for each in either if isinstance(each, ListProperty)), None)
            schema["items"] = self.place_of(merged["items"], items, f"{place}[]", around | {"in_list": True})
        if "object" in merged["type"]:
            model = next((each.class_info.name for each in either if isinstance(each, ModelProperty)), "")
            schema |= self._object(merged, self._models.get(model), place, around)
        return schema

    def _object(self, merged: Node, model: ModelProperty | None, place: str, around: Node) -> Node:
        generated = {each.name.get_untrusted_value(): each for each in model_fields(model)} if model else {}
        schema: Node = {"model": str(model.class_info.name)} if model else {}
        if merged["required"] and "loose" not in around:
            schema["required"] = merged["required"]
        if fields := merged["properties"]:
            schema["properties"] = {
                name: self.place_of(raw, generated.get(name), f"{place}.{name}", around) for name, raw in fields.items()
            }
        others = merged.get("additionalProperties", not fields)
        if others is not False:
            within = model.additional_properties if model else None
            schema["others"] = self.place_of(others, within, f"{place}.*", around)
        return schema


def python_pattern(pattern: str) -> str:
    r"""Return a pattern of JavaScript's, whose $ is the end and not also before a last line break, as Python has it."""
    return re.sub(r"(\\.|\[(?:\\.|[^\]\\])*\])|\$", lambda found: found[1] or r"\Z", pattern)


def _expected(merged: Node) -> str:
    """Return in a sentence what fits."""
    if "enum" in merged:
        return " or ".join(json.dumps(each) for each in sorted(merged["enum"], key=lambda each: each is None))
    words = TYPES | ({"string": FORMATS[merged["format"]]} if "format" in merged else {})
    named = set(merged["type"]) - ({"integer"} if "number" in merged["type"] else set())
    return " or ".join(words[kind] for kind in words if kind in named)


def _plain(merged: Node) -> list[str]:
    parsed = {"array", "object", "string" if "format" in merged else ""}
    return [kind for kind in dict.fromkeys([*merged["type"], "null"]) if kind not in parsed]


def _alternatives(generated: Any) -> list[Any]:
    either = generated.inner_properties if isinstance(generated, UnionProperty) else []
    return [inner for each in either for inner in _alternatives(each)] or [generated]


def _merged(parts: Iterator[Node]) -> Node:
    """Return the parts of a schema as one, with null among its types and values, and whole numbers among numbers."""
    merged: Node = {"type": [], "properties": {}, "required": []}
    null = []
    for part in parts:
        if part.get("type") == "null":
            null = ["null"]
            continue
        joined = {"properties": merged["properties"] | part.get("properties", {})}
        merged |= part | joined | {"required": [*merged["required"], *part.get("required", ())]}
    kinds = [*types(merged), *null]
    enum = {"enum": [*merged["enum"], None]} if null and "enum" in merged else {}
    return merged | enum | {"type": [*kinds, "integer"] if "number" in kinds else kinds}
