"""Customers in wire form, made by hypothesis from the schemas of the spec, and the ways to copy an object."""

import copy
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

Wire = dict[str, Any]

SCHEMAS: dict[str, Wire] = yaml.safe_load(
    (Path(__file__).parents[2] / "spec" / "customers.yaml").read_text(encoding="utf-8")
)["components"]["schemas"]


def pickled(thing: Any, *, protocol: int) -> Any:
    """Return what comes back from a pickle."""
    return pickle.loads(pickle.dumps(thing, protocol))


COPIES: dict[str, Callable[[Any], Any]] = {"copied": copy.copy, "deep-copied": copy.deepcopy} | {
    f"pickled {protocol}": partial(pickled, protocol=protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
}

# Few texts, so that often two are equal; the two é are not.
TEXTS = st.sampled_from(["", "a", "A", "1", "null", "\u00e9", "e\u0301", "顧客", "😀"]) | st.text(max_size=12)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
EXTRAS = {"_embedded": JSON, "newInTheService": JSON}


def reference(schema: Wire) -> str | None:
    """Return the name of the schema that another one refers to."""
    return str(schema["$ref"]).rpartition("/")[2] if "$ref" in schema else None


def properties(name: str) -> Wire:
    """Return the properties of a schema of the spec, with those of the schemas that it is made of."""
    found: Wire = {}
    for part in (SCHEMAS[name], *SCHEMAS[name].get("allOf", ())):
        found |= properties(other) if (other := reference(part)) else part.get("properties", {})
    return found


def types(schema: Wire) -> set[str]:
    """Return the JSON types that a schema of the spec admits."""
    if reference(schema):
        return {"object"}
    if "oneOf" in schema:
        return set().union(*map(types, schema["oneOf"]))
    return {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"])


def values(schema: Wire, *, extras: bool) -> st.SearchStrategy[Any]:
    """Return what a schema of the spec admits."""
    if name := reference(schema):
        return objects(name, extras=extras)
    if "oneOf" in schema:
        return st.one_of([values(each, extras=extras) for each in schema["oneOf"]])
    text = st.from_regex(schema["pattern"], fullmatch=True) if "pattern" in schema else TEXTS
    of_type: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
        "string": lambda: text,
        "null": st.none,
        "array": lambda: st.lists(values(schema["items"], extras=extras), max_size=4),
    }
    return st.one_of([of_type[kind]() for kind in sorted(types(schema))])


def objects(name: str, *, extras: bool) -> st.SearchStrategy[Wire]:
    """Return objects with some of a schema's properties; `extras` adds, at all depths, what the spec does not know."""
    fields = {field: values(schema, extras=extras) for field, schema in properties(name).items()}
    required = {
        field: fields.pop(field) for part in SCHEMAS[name].get("allOf", ()) for field in part.get("required", ())
    }
    return st.fixed_dictionaries(required, optional=fields | (EXTRAS if extras else {}))


RESPONSES = objects("Customer", extras=True)
UPDATES = objects("CustomerUpdate", extras=False)
CUSTOMERS = RESPONSES | UPDATES


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Wire, Wire]:
    """Return a customer and what it may be asked to become: what the service alone writes stays or is not there."""
    before, after = draw(CUSTOMERS), draw(UPDATES)
    _keep_some(draw, before, after, properties("CustomerUpdate"))
    return before, after


def _keep_some(draw: st.DrawFn, before: Wire, after: Wire, writable: Wire) -> None:
    for key, value in before.items():
        inner = after.get(key)
        if draw(st.booleans()):
            after[key] = copy.deepcopy(value)
        elif key in writable and isinstance(value, dict) and isinstance(inner, dict):
            names = {name for each in writable[key].get("oneOf", [writable[key]]) if (name := reference(each))}
            _keep_some(draw, value, inner, properties(names.pop()))
        elif key in writable and isinstance(value, list) and isinstance(inner, list):
            known = properties(str(reference(writable[key]["items"])))
            entries = [{name: entry[name] for name in known if name in entry} for entry in value]
            after[key] = draw(st.permutations(entries + inner))[: draw(st.integers(0, 4))]
