"""Resolves the schema of a customer for the library, which has then nothing to follow, to put together or to look up.

What comes of it has a node for each place, such as `Customer.buyerInformation.email`, with the keywords of the spec.
`properties`, `items` and `additionalProperties` name the places of what is within; ANYTHING is one that admits all.
A node has besides: `model`, the class of an object; `inList`, whether it is within a list; and `isLoose`, whether what
is received may have another shape, since only the service writes it. The id may not: it says whose record it is.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from openapi_python_client.parser.properties.list_property import ListProperty
from openapi_python_client.parser.properties.model_property import ModelProperty
from openapi_python_client.parser.properties.union import UnionProperty

from read_spec import OF_TYPES, PARTS, Node, resolve, types

ANYTHING = "anything"
_KEYWORDS = {keyword for keywords in OF_TYPES.values() for keyword in keywords} | {"readOnly"}


def customer_schema(spec: Node, models: Mapping[str, ModelProperty]) -> dict[str, Node]:
    """Return the nodes of a customer, itself first, without its class: an update has the same schema."""
    nodes = resolved(spec, spec["components"]["schemas"]["Customer"], models, "Customer")
    del nodes["Customer"]["model"]
    return nodes


def resolved(spec: Node, schema: Node, models: Mapping[str, ModelProperty], name: str) -> dict[str, Node]:
    """Return the nodes of a schema in the spec, itself first; `name` is the one of its class."""
    resolver = _Resolver(spec, models)
    resolver.place_of(schema, models.get(name), name, {})
    return resolver.nodes


class _Resolver:
    """Makes each node once, since a schema can be a part of itself."""

    def __init__(self, spec: Node, models: Mapping[str, ModelProperty]) -> None:
        self._spec = spec
        self._models = models
        self._places: dict[tuple[Any, ...], str] = {}
        self.nodes: dict[str, Node] = {}

    def place_of(self, schema: Any, generated: Any, place: str, around: Node) -> str:
        """Return the place of the node for a schema: the one that is given, or where it was seen first.

        Args:
            schema: The schema.
            generated: What the generator has made of it.
            place: Where it is.
            around: `inList` and `isLoose`, if they hold because of what is around it.
        """
        if schema in (True, {}):
            return ANYTHING
        known = (id(schema), *around)
        if known not in self._places:
            self._places[known] = place
            self.nodes[place] = {}
            self.nodes[place] |= self._node(_merged(self._parts(schema)), generated, place, around)
        return self._places[known]

    def _parts(self, schema: Node) -> Iterator[Node]:
        """Yield the schemas that one is made of, from the inside out."""
        if "$ref" in schema:
            yield from self._parts(resolve(self._spec, schema))
        for part in (each for name in PARTS for each in schema.get(name, ())):
            yield from self._parts(part)
        yield schema

    def _node(self, merged: Node, generated: Any, place: str, around: Node) -> Node:
        if merged.get("readOnly") and not place.endswith(".id"):
            around = around | {"isLoose": True}
        if "isLoose" in around:
            merged = merged | {"required": []}
        either = _alternatives(generated)
        said = {name: value for name, value in merged.items() if name in _KEYWORDS and value not in ([], {})}
        node = {"type": merged["type"]} | said | around
        if "pattern" in node:
            node["pattern"] = python_pattern(node["pattern"])
        if "array" in node["type"]:
            items = next((each.inner_property for each in either if isinstance(each, ListProperty)), None)
            node["items"] = self.place_of(node["items"], items, f"{place}[]", around | {"inList": True})
        if "object" in node["type"]:
            model = next((each.class_info.name for each in either if isinstance(each, ModelProperty)), "")
            node |= self._object(merged, self._models.get(model), place, around)
        return node

    def _object(self, merged: Node, model: ModelProperty | None, place: str, around: Node) -> Node:
        generated = {each.name.get_untrusted_value(): each for each in model_fields(model)} if model else {}
        fields, others = merged["properties"], merged.get("additionalProperties", not merged["properties"])
        node: Node = {
            "properties": {
                name: self.place_of(inner, generated.get(name), f"{place}.{name}", around)
                for name, inner in fields.items()
            }
        }
        if others is not False:
            within = model.additional_properties if model else None
            node["additionalProperties"] = self.place_of(others, within, f"{place}.*", around)
        return node | ({"model": str(model.class_info.name)} if model else {})


def model_fields(model: ModelProperty) -> list[Any]:
    """Return what the generator knows of the fields of a model."""
    return [*(model.required_properties or ()), *(model.optional_properties or ())]


def python_pattern(pattern: str) -> str:
    r"""Return a pattern of JavaScript's, whose $ is the end and not also before a last line break, as Python has it."""
    return re.sub(r"(\\.|\[(?:\\.|[^\]\\])*\])|\$", lambda found: found[1] or r"\Z", pattern)


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
