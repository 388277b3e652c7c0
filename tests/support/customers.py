"""Customers as JSON, made by hypothesis from the schemas of the spec, and the ways to copy an object."""

import copy
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

Wire = dict[str, Any]
ROOT = Path(__file__).parents[2]


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
FORMATS: dict[str, st.SearchStrategy[str]] = {
    "date": st.dates().map(lambda day: day.isoformat()),
    # In UTC: other offsets have tables of their own.
    "date-time": st.datetimes().map(lambda moment: f"{moment.isoformat()}+00:00"),
    "uuid": st.uuids().map(str),
}


class Spec:
    """The schemas of a spec by their names, and values that they admit."""

    def __init__(self, schemas: Wire) -> None:
        self.schemas = schemas

    def plain(self, schema: Wire) -> Wire:
        """Return a schema with references followed, its parts together, and its types as a list."""
        if "$ref" in schema:
            return self.plain(self.schemas[schema["$ref"].rpartition("/")[2]])
        whole: Wire = {"type": [], "properties": {}, "required": []}
        for part in (*map(self.plain, (*schema.get("allOf", ()), *schema.get("oneOf", ()))), schema):
            kinds = part.get("type", [])
            joined = {
                "type": [*whole["type"], *([kinds] if isinstance(kinds, str) else kinds)],
                "properties": whole["properties"] | part.get("properties", {}),
                "required": [*whole["required"], *part.get("required", ())],
            }
            whole |= part | joined
        return whole

    def values(self, schema: Wire, *, extras: bool = False, limits: bool = True) -> st.SearchStrategy[Any]:
        """Return what a schema admits.

        Args:
            schema: The schema.
            extras: Whether to add, at all depths, fields that the spec does not know.
            limits: Whether to keep to enums, lengths and patterns. A service may have values from before them.
        """
        plain = self.plain(schema)
        of_type: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
            "string": lambda: texts(plain, limits=limits),
            "integer": st.integers,
            "number": lambda: NUMBERS,
            "boolean": st.booleans,
            "null": st.none,
            "array": lambda: st.lists(self.values(plain["items"], extras=extras, limits=limits), max_size=4),
            "object": lambda: self._objects(plain, extras=extras, limits=limits),
        }
        if limits and "enum" in plain:
            return st.sampled_from(plain["enum"]) | (st.none() if "null" in plain["type"] else st.nothing())
        return st.one_of([of_type[kind]() for kind in sorted({*plain["type"]})])

    def named(self, name: str, *, extras: bool = False, limits: bool = True) -> st.SearchStrategy[Any]:
        """Return what a schema of this name admits."""
        return self.values(self.schemas[name], extras=extras, limits=limits)

    def _objects(self, plain: Wire, *, extras: bool, limits: bool) -> st.SearchStrategy[Wire]:
        fields = {name: self.values(inner, extras=extras, limits=limits) for name, inner in plain["properties"].items()}
        if not fields:
            others = plain.get("additionalProperties")
            inner = self.values(others, extras=extras, limits=limits) if others else JSON
            return st.dictionaries(TEXTS, inner, max_size=3)
        required = {name: fields.pop(name) for name in plain["required"]}
        return st.fixed_dictionaries(required, optional=fields | (EXTRAS if extras else {}))


def texts(plain: Wire, *, limits: bool) -> st.SearchStrategy[str]:
    """Return the texts that a schema admits."""
    if "format" in plain:
        return FORMATS[plain["format"]]
    if limits and "pattern" in plain:
        return st.from_regex(str(plain["pattern"]), fullmatch=True)
    least, most = (plain.get("minLength", 0), plain.get("maxLength", 99)) if limits else (0, 99)
    return TEXTS.filter(lambda text: least <= len(text) <= most)


def read_schemas(path: Path) -> Any:
    """Return what a YAML file holds."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


SPEC = Spec(read_schemas(ROOT / "spec/customers.yaml")["components"]["schemas"])


def _texts_in(schema: Wire) -> list[str]:
    """Return the fields of a group that can hold any text or null."""
    fields = SPEC.plain(schema)["properties"].items()
    return [
        name for name, field in fields if field.get("type") == ["string", "null"] and not {"format", "enum"} & {*field}
    ]


def _lists() -> list[tuple[str, ...]]:
    """Return the lists of groups, with the first two fields of an entry, of which the first has a pattern."""
    found = []
    for name, field in SPEC.schemas["CustomerUpdate"]["properties"].items():
        inner = SPEC.plain(SPEC.plain(field).get("items", {}))["properties"]
        if any("pattern" in each for each in inner.values()):
            found.append((name, *inner))
    return found


_GROUPS = [(name, *_texts_in(each)) for name, each in SPEC.schemas["CustomerUpdate"]["properties"].items()]
# Fields that the spec has, whatever they are called: a group with two texts, another group, and a list of entries.
GROUP, A, B, *_ = next(each for each in _GROUPS if len(each) > 2)
OTHER_GROUP, C, *_ = next(each for each in _GROUPS if len(each) > 1 and each[0] != GROUP)
LIST, NAME, VALUE, *_ = _lists()[0]


def group(**fields: Any) -> Wire:
    """Return a customer that has only the first group: `group(a=1)` has its first field, `b` is its second."""
    return {GROUP: {{"a": A, "b": B}.get(name, name): value for name, value in fields.items()}}


def other(value: Any) -> Wire:
    """Return a customer that has only one field of another group."""
    return {OTHER_GROUP: {C: value}}


def entries(*texts: str) -> Wire:
    """Return a customer that has only the list, with entries such as `data1=x`."""
    return {LIST: [dict(zip((NAME, VALUE), text.split("="), strict=True)) for text in texts]}


RESPONSES = SPEC.named("Customer", extras=True, limits=False)
UPDATES = SPEC.named("CustomerUpdate")
CUSTOMERS = RESPONSES | UPDATES


def spec_with_every_type() -> Spec:
    """Return the spec with what `every_type.yaml` adds."""
    added = read_schemas(ROOT / "tests/support/every_type.yaml")
    schemas = copy.deepcopy(SPEC.schemas) | added["schemas"]
    schemas["CustomerUpdate"]["properties"] |= added["CustomerUpdate"]
    schemas["Customer"]["allOf"][1]["properties"] |= added["Customer"]
    return Spec(schemas)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Wire, Wire]:
    """Return a customer and what it may be asked to become: what the service alone writes stays or is not there."""
    before, after = draw(CUSTOMERS), draw(UPDATES)
    _keep_some(draw, before, after, SPEC.plain(SPEC.schemas["CustomerUpdate"]))
    return before, after


def _keep_some(draw: st.DrawFn, before: Wire, after: Wire, plain: Wire) -> None:
    for name, value in before.items():
        inner = SPEC.plain(plain["properties"].get(name, {}))
        wanted = after.get(name)
        if draw(st.booleans()):
            after[name] = copy.deepcopy(value)
        elif isinstance(value, dict) and isinstance(wanted, dict):
            _keep_some(draw, value, wanted, inner)
        elif isinstance(value, list) and isinstance(wanted, list) and inner["type"]:
            known = SPEC.plain(inner["items"])["properties"]
            kept = [{n: item[n] for n in known if n in item} if isinstance(item, dict) else item for item in value]
            after[name] = draw(st.permutations(kept + wanted))[: draw(st.integers(0, 4))]
