"""The walk over the spec's schema: what may be sent, what is welcome when it is received, and the JSON of both."""

import datetime as dt
import json
import uuid
from functools import partial
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker, validators

from cybersource_tms import UNSET, BuyerInformation, Customer, CustomerUpdate, Unset
from cybersource_tms._diff.schema import to_json, to_model
from cybersource_tms._diff.spec import MODELS, Mismatch, Schema, api_names, customer_schema, field_schema, load
from cybersource_tms_api import models
from resolve_schema import resolved
from support.customers import GROUP, JSON, LIST, NAME, RESPONSES, SPEC, A, Spec, Wire, spec_with_every_type

INT, FLOAT, TEXT, BOOL, NULL = "a whole number", "a number", "text", "true or false", "null"
OBJECT, ARRAY = "an object", "a list"
DATE, TIME = "a date such as 2026-11-30", "a date and time such as 2026-11-30T12:00:00+00:00"
BOTH = pytest.mark.parametrize("how", [{"sent": False}, {"sent": True}], ids=["received", "sent"])


def made(schema: Wire, **schemas: Wire) -> Schema:
    """Return the schema of an object with one field, `aField`, in a document with some named schemas."""
    document = {"components": {"schemas": schemas}}
    return load(resolved(document, {"type": "object", "properties": {"aField": schema}}, {}, "made"))


def ref(name: str) -> Wire:
    """Return a reference to a named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Wire) -> Wire:
    """Return a schema or null, in the form that the spec has for what is referred to."""
    return {"oneOf": [schema, {"type": "null"}]}


def mismatch(value: object, schema: Schema | None = None, **how: Any) -> str:
    """Return what is wrong with a value, in a customer unless it is said otherwise; nothing where nothing is."""
    try:
        to_json(value, schema or customer_schema(), **{"sent": True} | how)
    except Mismatch as wrong:
        return str(wrong)
    return ""


class Entries(list[Any]):
    """A list that is more than a list."""


# What the spec says of a field

NESTED = {"type": "object", "properties": {"link": nullable(ref("Link")), "again": nullable(ref("Nested"))}}
LINK = {"type": "object", "properties": {"href": {"type": "string"}}}
ENUM = {"type": ["string", "null"], "enum": ["x", "y", None]}
# A schema, what fits it for both uses, and what does not and why, at which place within the field.
KINDS: dict[str, tuple[Wire, list[Any], list[tuple[Any, str]]]] = {
    "text": (
        {"type": "string"},
        ["", "a", "\u00e9", "\U0001f600"],
        [(1, f": expected text, not {INT}"), (True, f": expected text, not {BOOL}"), (b"a", ": expected text, not a ")],
    ),
    "text or null": (
        {"type": ["string", "null"]},
        ["", None],
        [(1.5, f": expected text or null, not {FLOAT}"), ({}, f": expected text or null, not {OBJECT}")],
    ),
    "whole number": (
        {"type": "integer"},
        [0, -1, 10**30],
        [(1.0, f": expected {INT}, not {FLOAT}"), (True, f": expected {INT}, not {BOOL}"), ("1", f": expected {INT}")],
    ),
    "number": (
        {"type": ["number", "null"]},
        [0, 1.5, None],
        [("1", f": expected {FLOAT} or null, not {TEXT}"), (True, f": expected {FLOAT} or null, not {BOOL}")],
    ),
    "true or false": ({"type": "boolean"}, [True, False], [(0, f": expected {BOOL}, not {INT}"), ("", ": expected ")]),
    "enum": (ENUM, ["x", None], [(1, f': expected "x" or "y" or null, not {INT}'), ([], ': expected "x"')]),
    "enum or null": (nullable({"type": "integer", "enum": [1, 2]}), [1, None], [("1", ": expected 1 or 2 or null")]),
    "texts": (
        {"type": "array", "items": {"type": "string"}},
        [[], ["a", ""], Entries("ab")],
        [(["a", 1], f"[1]: expected text, not {INT}"), (("a",), f": expected {ARRAY}, not a value of the type tuple")],
    ),
    "lists of lists": (
        {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
        [[], [[]], [[1], [2, 3]]],
        [([[1], [2, "3"]], f"[1][1]: expected {INT}, not {TEXT}"), ([None], f"[0]: expected {ARRAY}, not null")],
    ),
    "text or list": (
        {"type": ["string", "array"], "items": {"type": "string"}},
        ["a", ["a"]],
        [({}, f": expected text or {ARRAY}, not {OBJECT}"), ([{}], f"[0]: expected text, not {OBJECT}")],
    ),
    "object": (
        nullable(ref("Nested")),
        [None, {}, {"link": {"href": "a"}}, {"again": {"again": {}}}],
        [
            ({"link": {"href": 1}}, f".link.href: expected text, not {INT}"),
            ({"again": {"again": {"link": "a"}}}, f".again.again.link: expected {OBJECT} or null, not {TEXT}"),
            ([], f": expected {OBJECT} or null, not {ARRAY}"),
            ({7: 1}, ".7: no such field"),
        ],
    ),
    "object in parts": (
        {"allOf": [ref("Link"), {"type": "object", "properties": {"size": {"type": "integer"}}}]},
        [{"href": "a", "size": 1}],
        [({"size": "1"}, f".size: expected {INT}, not {TEXT}"), ({"href": 1}, ".href: expected text, not ")],
    ),
    "date": (
        {"type": "string", "format": "date"},
        ["2026-11-30", dt.date(2026, 11, 30)],
        [
            ("30.11.2026", f": expected {DATE}, not {TEXT}"),
            (20261130, f": expected {DATE}, not {INT}"),
            (dt.datetime(2026, 11, 30, tzinfo=dt.UTC), f": expected {DATE}, not a value of the type datetime"),
        ],
    ),
    "date and time": (
        {"type": ["string", "null"], "format": "date-time"},
        ["2026-11-30T12:00:00Z", dt.datetime(2026, 11, 30, tzinfo=dt.UTC)],
        [("noon", f": expected {TIME} or null, not {TEXT}"), (dt.date.max, f": expected {TIME} or null, not a value ")],
    ),
    "UUID": (
        {"type": "string", "format": "uuid"},
        [str(uuid.NAMESPACE_DNS), uuid.NAMESPACE_DNS],
        [("1", f": expected a UUID, not {TEXT}")],
    ),
    "map": (
        {"type": "object", "additionalProperties": {"type": ["integer", "null"]}},
        [{}, {"a": 1, "b c": None}],
        [({"a": 1, "b": "1"}, f".b: expected {INT} or null, not {TEXT}"), ([], f": expected {OBJECT}, not {ARRAY}")],
    ),
    "anything with names": (
        {"type": "object"},
        [{}, {"a": {"b": [1, None, {}]}, "c": 1}],
        [(1, f": expected {OBJECT}, not {INT}"), ({"a": {1}}, ".a: expected JSON, not a value of the type set")],
    ),
    "fields and anything": (
        {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": {}},
        [{"a": 1, "b": [{}]}],
        [({"a": "1"}, f".a: expected {INT}, not {TEXT}")],
    ),
}  # fmt: skip


@BOTH
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_schema_admits(kind: str, how: dict[str, Any]) -> None:
    """What fits is copied; what does not is named by its path, what was expected and what it is, without its value."""
    schema, good, bad = KINDS[kind]
    a_field = made(schema, Nested=NESTED, Link=LINK)
    assert [mismatch({"aField": value}, a_field, **how) for value in good] == [""] * len(good)
    for value, problem in bad:
        assert mismatch({"aField": value}, a_field, **how).startswith(f"aField{problem}")


# What may be received and not sent

MOMENT = {"type": "string", "format": "date-time"}
NOT_SENT: dict[str, tuple[Wire, Any, str]] = {
    "null": ({"type": "string"}, None, "expected text, not null"),
    "null for an object": (LINK, None, f"expected {OBJECT}, not null"),
    "a new choice": (ENUM, "z", f'expected "x" or "y" or null, not {TEXT}'),
    "a new whole number": ({"type": "integer", "enum": [1, 2]}, 3, f"expected 1 or 2, not {INT}"),
    "no time zone": (MOMENT, "2026-11-30T12:00:00", "has no time zone"),
    "no time zone in a list": ({"type": "array", "items": MOMENT}, ["2026-11-30T12:00"], "has no time zone"),
    "an unknown field": (LINK, {"new": 1}, "no such field"),
    "not a number": ({"type": "number"}, float("nan"), "cannot be written as JSON"),
    "infinite": ({"type": "number"}, float("inf"), "cannot be written as JSON"),
    "more digits than Python writes": ({"type": "integer"}, 10**5000, "cannot be written as JSON"),
    "half a surrogate pair": ({"type": "string"}, "a\ud800", "cannot be written as JSON"),
    "half a pair in a name": ({"type": "object"}, {"a\ud800": 1}, "cannot be written as JSON"),
    "half a pair in a list": ({"type": "array", "items": {"type": "string"}}, ["\ud800"], "cannot be written as JSON"),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "value", "problem"), NOT_SENT.values(), ids=list(NOT_SENT))
def test_what_may_be_received_and_not_sent(schema: Wire, value: Any, problem: str) -> None:
    """A service may send what is new, null or odd, and it is kept; none of it is sent."""
    a_field = made(schema)
    assert mismatch({"aField": value}, a_field, sent=False) == ""
    assert mismatch({"aField": value}, a_field).endswith(problem)


@BOTH
def test_null_is_no_entry(how: dict[str, Any]) -> None:
    """A null in a list has no meaning, so it does not fit what is received either, unless the spec has it."""
    assert mismatch({"aField": [None]}, made({"type": "array", "items": ENUM | {"type": "string"}}), **how)
    assert not mismatch({"aField": [None]}, made({"type": "array", "items": ENUM}), **how)


# Limits

LIMITS: dict[str, tuple[Wire, list[Any], Any, str]] = {
    "minLength": ({"type": "string", "minLength": 2}, ["ab", "\U0001f600!"], "a", "at least 2 characters, it has 1"),
    "maxLength": ({"type": ["string", "null"], "maxLength": 2}, ["ab", None], "abc", "at most 2 characters, it has 3"),
    "pattern": ({"type": "string", "pattern": "^a[$.]b$"}, ["a$b", "a.b"], "a$b\n", "does not match ^a[$.]b$"),
    "pattern anywhere": ({"type": "string", "pattern": r"\d|\$"}, ["a1b", "$"], "\u0661", r"does not match \d|\$"),
    "minimum": ({"type": "integer", "minimum": 1}, [1], 0, "at least 1"),
    "maximum": ({"type": "number", "maximum": 1}, [1, 0.5], 1.5, "at most 1"),
    "exclusiveMinimum": ({"type": "number", "exclusiveMinimum": 1}, [1.1], 1, "more than 1"),
    "exclusiveMaximum": ({"type": ["integer", "string"], "exclusiveMaximum": 1}, [0, "a"], 1, "less than 1"),
    "enum": ({"type": "string", "enum": ["x"]}, ["x"], "y", 'expected "x", not text'),
    "enum, strictly": ({"type": ["integer", "boolean"], "enum": [1]}, [1], True, f"expected 1, not {BOOL}"),
}


@pytest.mark.parametrize(("schema", "good", "bad", "problem"), LIMITS.values(), ids=list(LIMITS))
def test_what_is_sent_keeps_the_limits(schema: Wire, good: list[Any], bad: Any, problem: str) -> None:
    """Only what is sent is held to them, and not where the caller says that it is checked later."""
    a_field = made(schema)
    assert [mismatch({"aField": value}, a_field) for value in good] == [""] * len(good)
    assert mismatch({"aField": bad}, a_field) == f"aField: {problem}"
    assert mismatch({"aField": bad}, a_field, sent=False) == mismatch({"aField": bad}, a_field, limits=False) == ""


@pytest.mark.parametrize(("schema", "good", "bad", "problem"), LIMITS.values(), ids=list(LIMITS))
def test_limits_hold_in_a_list_where_it_is_known_what_the_customer_has(
    schema: Wire, good: list[Any], bad: Any, problem: str
) -> None:
    """An update does not know what is there already, so it looks at types only. A difference knows."""
    a_field = made({"type": "array", "items": {"type": "object", "properties": {"a": schema}}})
    whole = {"aField": [{"a": good[0]}, {"a": bad}]}
    assert mismatch(whole, a_field) == ""
    assert mismatch(whole, a_field, before={}) == f"aField[1].a: {problem}"
    assert mismatch(whole, a_field, before={"aField": [{"a": bad}]}) == ""
    assert mismatch({"aField": [{"a": {}}]}, a_field).startswith("aField[0].a: expected ")


ENTRIES = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2}
LENGTHS: list[tuple[list[str], str]] = [
    (["a"], ""),
    ([], "aField: at least 1 entries, it has 0"),
    (["a", "b", "c"], "aField: at most 2 entries, it has 3"),
]


@pytest.mark.parametrize(("value", "problem"), LENGTHS, ids=str)
def test_a_list_keeps_its_length(value: list[str], problem: str) -> None:
    """A list that is as long as before passes, and so does any in an update, which does not know."""
    a_field = made(ENTRIES)
    assert mismatch({"aField": value}, a_field, before={}) == problem
    assert mismatch({"aField": value}, a_field, before={"aField": value}) == ""
    assert mismatch({"aField": value}, a_field, sent=False) == ""


# What is required

CARD = {"type": "object", "required": ["number"], "properties": {"number": {"type": "string"}}}
REQUIRED: dict[str, tuple[Wire, Any, str, str]] = {
    "object": (CARD, {}, "", "aField.number: is missing"),
    "entry": ({"type": "array", "items": CARD}, [{}], "aField[0].number: is missing", "aField[0].number: is missing"),
    "in parts": ({"allOf": [CARD, LINK]}, {}, "", "aField.number: is missing"),
    "there": ({"type": "array", "items": CARD}, [{"number": "1"}], "", ""),
}


@pytest.mark.parametrize(("schema", "value", "sent", "complete"), REQUIRED.values(), ids=list(REQUIRED))
def test_what_is_required(schema: Wire, value: Any, sent: str, complete: str) -> None:
    """A response is complete, and so is an entry that is sent: a list is replaced. Of a group, a part may be sent."""
    a_field = made(schema)
    assert mismatch({"aField": value}, a_field) == sent
    assert mismatch({"aField": value}, a_field, sent=False, complete=True) == complete
    assert mismatch({"aField": value}, a_field, sent=False) == ""


# One form

WEST = dt.timezone(dt.timedelta(hours=-4))
FORMS: dict[str, tuple[str, list[Any], str]] = {
    "date": ("date", [dt.date(2026, 11, 30), "20261130", "2026-11-30"], "2026-11-30"),
    "date and time": (
        "date-time",
        [dt.datetime(2026, 11, 29, 20, tzinfo=WEST), "2026-11-30T00:00Z", "2026-11-30 01:30:00+01:30"],
        "2026-11-30T00:00:00+00:00",
    ),
    "the end of time": ("date-time", ["9999-12-31T23:59:59-05:00"], "9999-12-31T23:59:59-05:00"),
    "UUID": ("uuid", [uuid.NAMESPACE_DNS, str(uuid.NAMESPACE_DNS).upper()], str(uuid.NAMESPACE_DNS)),
}


@BOTH
@pytest.mark.parametrize(("form", "values", "text"), FORMS.values(), ids=list(FORMS))
def test_a_format_has_one_form(form: str, values: list[Any], text: str, how: dict[str, Any]) -> None:
    """Objects and texts that mean the same have the same JSON; a date and time has that of UTC. A model has objects."""
    a_field = made({"type": "string", "format": form})
    held, unfit = (to_model(each, a_field.properties["aField"], None) for each in (text, "x"))
    assert (type(held) is str, unfit) == (False, "x")
    assert {to_json({"aField": value}, a_field, **how)["aField"] for value in [*values, held]} == {text}


# What only the service writes, and what nobody knows

SHAPES: list[Any] = [None, 7, "x", [], {"self": [1], "creator": None}, {"self": {"href": 7, "new": [None]}}]


@pytest.mark.parametrize("value", SHAPES, ids=repr)
@pytest.mark.parametrize("name", [name for name, each in customer_schema().properties.items() if each.read_only])
def test_what_only_the_service_writes_may_have_any_shape(name: str, value: Any) -> None:
    """It is kept as it came, in a mapping and in a model, and is never sent. Only the id has to be text."""
    wire = {"id": "1"} | {name: value}
    assert mismatch({name: value}) == f"{name}: only the service writes this"
    if name == "id" and value != "x":
        assert mismatch(wire, sent=False).startswith("id: expected text, not ")
    else:
        assert to_json(wire, customer_schema(), sent=False, complete=True) == wire
        assert to_json(Customer.from_dict(wire), customer_schema(), sent=False) == wire
        assert Customer.from_dict(wire).to_dict() == wire


# Models


def with_extra(model: Any, name: Any, value: Any) -> Any:
    """Return a model with a field beside those that it knows."""
    model[name] = value
    return model


ENTRY = models.MerchantDefinedInformation(name="data1", value="a")
BUYER = {"buyerInformation": {"email": "a"}}
ENTRY_JSON = {"merchantDefinedInformation": [{"name": "data1", "value": "a"}]}
MIXED: dict[str, tuple[Any, Wire | str]] = {
    "a model in a model": (CustomerUpdate(buyer_information=BuyerInformation(email="a")), BUYER),
    "a model in a mapping": ({"buyerInformation": BuyerInformation(email="a")}, BUYER),
    "a subclass of a model": ({"buyerInformation": type("Own", (BuyerInformation,), {})(email="a")}, BUYER),
    "a mapping in a model": (CustomerUpdate(buyer_information={"email": "a"}), BUYER),  # type: ignore[arg-type]
    "models in a list": (CustomerUpdate(merchant_defined_information=[ENTRY]), ENTRY_JSON),
    "a model in a list in a mapping": ({"merchantDefinedInformation": [ENTRY]}, ENTRY_JSON),
    "UNSET": (CustomerUpdate(buyer_information=BuyerInformation(email="a", merchant_customer_id=UNSET)), BUYER),
    "a copy of UNSET": (CustomerUpdate(client_reference_information=Unset(), buyer_information={"email": "a"}), BUYER),  # type: ignore[arg-type]
    "UNSET in a mapping": (
        {"buyerInformation": {"email": UNSET}},
        "buyerInformation.email: expected text or null, not a value of the type Unset",
    ),
    "null": (CustomerUpdate(buyer_information=None), {"buyerInformation": None}),
    "another model": (
        CustomerUpdate(buyer_information=models.ClientReferenceInformation()),  # type: ignore[arg-type]
        "buyerInformation: expected a BuyerInformation, not a ClientReferenceInformation",
    ),
    "a field in brackets": (
        CustomerUpdate(buyer_information=with_extra(BuyerInformation(), "email", "a")),
        "buyerInformation.email: set it as the attribute email, not in brackets",
    ),
    "a group in brackets": (
        with_extra(CustomerUpdate(), "buyerInformation", {}),
        "buyerInformation: set it as the attribute buyer_information, not in brackets",
    ),
    "an unknown field in brackets": (with_extra(CustomerUpdate(), "new", 1), "new: no such field"),
    "a number as a name": (with_extra(CustomerUpdate(), 7, 1), "7: no such field"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), MIXED.values(), ids=list(MIXED))
def test_models_and_mappings_may_be_in_one_another(value: Any, expected: Wire | str) -> None:
    """A model is read by its attributes, wherever it is, and its fields have the names of the API."""
    if isinstance(expected, str):
        assert mismatch(value) == expected
    else:
        assert to_json(value, customer_schema(), sent=True) == to_json(value, customer_schema(), sent=False) == expected


@settings(max_examples=100)
@given(customer=RESPONSES)
def test_a_model_has_the_same_json(customer: Wire) -> None:
    """As the response that it was made of; and the two share nothing that can be changed."""
    found = to_json(customer, customer_schema(), sent=False, complete=True)
    of_model = to_json(Customer.from_dict(customer), customer_schema(), sent=False)
    assert json.dumps(found, sort_keys=True) == json.dumps(of_model, sort_keys=True)
    assert not {id(part) for part in parts(found)} & {id(part) for part in parts(customer)}


def parts(value: Any) -> list[Any]:
    """Return everything in JSON that can be changed in place."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [*([value] if isinstance(value, dict | list) else []), *(part for each in inner for part in parts(each))]


@pytest.mark.parametrize("name", models.__all__)
def test_the_table_of_attributes_is_complete(name: str) -> None:
    """Each model of the spec has the fields of its schema, under the attributes that its class has."""
    model = getattr(models, name)
    if name in SPEC.schemas:
        assert MODELS[model].keys() == SPEC.plain(SPEC.schemas[name])["properties"].keys()
        assert {*MODELS[model].values(), "additional_properties"} == {field.name for field in attrs.fields(model)}


# What is too much

LOOP: list[Any] = []
LOOP.append(LOOP)
TWICE: list[Any] = []
DEEP: list[Any] = []
for _ in range(41):
    TWICE = [TWICE, TWICE]
for _ in range(100_000):
    DEEP = [DEEP]
NESTED_DEEP: Wire = {}
for _ in range(101):
    NESTED_DEEP = {"a": NESTED_DEEP}


TOO_MUCH = {"loop": LOOP, "twice": TWICE, "deep": DEEP, "deep objects": NESTED_DEEP, "long": [0] * 100_001}


@BOTH
@pytest.mark.parametrize("value", TOO_MUCH.values(), ids=list(TOO_MUCH))
def test_what_is_too_much_is_refused(value: Any, how: dict[str, Any]) -> None:
    """A list that contains itself, 41 levels of two, and whatever else has no end to speak of: the walk is bounded."""
    problem = mismatch({"aField": {"a": value}}, made({"type": "object"}), **how)
    assert problem.startswith("aField.a")
    assert len(problem) < 300
    assert "nested more than 100 deep, or holds more than 100000 values" in problem or problem.endswith(":")


def test_what_is_only_wide_is_not_too_much() -> None:
    """Levels count while they are in one another: 200 objects and lists beside one another are one level."""
    value: Wire = {"aField": {str(number): {"a": [[]]} for number in range(200)}}
    assert to_json(value, made({"type": "object"}), sent=True) == value


# Names


NEAREST = {
    "field_links": "no such field, did you mean _links?",
    "": "no such field",
    "x" * 10**6: "no such field",
    "id": "only the service writes this",
}


@pytest.mark.parametrize(("name", "problem"), NEAREST.items(), ids=["attribute", "empty", "long", "read-only"])
def test_an_unknown_name_brings_the_nearest(name: str, problem: str) -> None:
    """Python's attribute brings the field; nothing is said where nothing is near. Rule 7 of changed fields has more."""
    assert mismatch({name: 1}).endswith(problem)


PATHS = {
    "_links": "_links: only the service writes this",
    "id": "id: only the service writes this",
    A: f"{A}: no such field, did you mean {GROUP}.{A}?",
    f"{GROUP}.{A}x": f"{GROUP}.{A}x: no such field, did you mean {A}?",
    f"{LIST}.{NAME}": f"{LIST}: it has no fields of its own",
    f"{GROUP}.{A}.x": f"{GROUP}.{A}: it has no fields of its own",
}


def test_a_field_is_found_by_its_path() -> None:
    """Through groups and maps, and not through lists; for a column, only if it can be written."""
    assert field_schema(f"{GROUP}.{A}", sent=True) is customer_schema().properties[GROUP].properties[A]
    assert field_schema("_links.self").types == {dict, type(None)}
    for path, problem in PATHS.items():
        with pytest.raises(Mismatch) as raised:
            field_schema(path, sent=True)
        assert str(raised.value) == problem


def test_a_path_grows_from_the_inside() -> None:
    """Names are joined by dots, indices stand in brackets, and a mismatch that is nowhere has no path."""
    assert str(Mismatch("is wrong")) == "is wrong"
    wrong = Mismatch("is wrong", "a", "b", 2, "c\n", 1, 0)
    assert (wrong.path, wrong.problem) == (r"a.b[2].'c\n'[1][0]", "is wrong")


# The same as another implementation of JSON Schema, https://python-jsonschema.readthedocs.io

FORMATS = FormatChecker([])
PARSERS: dict[str, Any] = {"date": dt.date.fromisoformat, "date-time": dt.datetime.fromisoformat, "uuid": uuid.UUID}
for form, parser in PARSERS.items():
    FORMATS.checks(form, raises=ValueError)(lambda value, parse=parser: type(value) is not str or bool(parse(value)))
# JSON Schema takes 1.0 for a whole number, and the library does not.
TYPES = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
Validator: Any = validators.extend(Draft202012Validator, type_checker=TYPES)  # type: ignore[no-untyped-call]
WAYS: dict[str, dict[str, Any]] = {
    "received": {"sent": False},
    "update": {"sent": True},
    "difference": {"sent": True, "before": {}},
}


def judge(spec: Spec, schema: Wire, way: dict[str, Any], *, in_list: bool = False, is_entry: bool = False) -> Any:
    """Return what a schema of the spec means for a use, in the words of JSON Schema alone."""
    plain = spec.plain(schema)
    inner = partial(judge, spec, way=way)
    judged: Wire = {"type": [*{*plain["type"]}], "format": plain.get("format", "")}
    if not way["sent"]:
        judged["type"] += [] if is_entry else ["null"]
    elif not in_list or "before" in way:
        limits = ("enum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "minimum", "maximum")
        judged |= {keyword: plain[keyword] for keyword in limits if keyword in plain}
        judged |= {"enum": [*judged["enum"], *([None] if "null" in plain["type"] else [])]} if "enum" in judged else {}
    if "items" in plain:
        judged["items"] = inner(plain["items"], in_list=True, is_entry=True)
    if "object" in plain["type"]:
        fields = {name: field for name, field in plain["properties"].items() if not field.get("readOnly")}
        judged["properties"] = {name: inner(field, in_list=in_list) for name, field in fields.items()}
        others = plain.get("additionalProperties", not (way["sent"] and plain["properties"]))
        judged["additionalProperties"] = others if isinstance(others, bool) else inner(others, in_list=in_list)
        judged["required"] = plain["required"] if way["sent"] and in_list else []
        if not way["sent"] and plain["properties"].get("id", {}).get("readOnly"):
            judged["properties"]["id"] = {"type": "string"}
    return judged


@st.composite
def almost(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> Any:
    """Return a value in which something may be replaced, added or left out."""

    def changed(value: Any) -> Any:
        if not draw(st.integers(0, 9)):
            return draw(JSON)
        if isinstance(value, list):
            return [changed(each) for each in value]
        if isinstance(value, dict):
            added = {draw(st.sampled_from(sorted(api_names()))): draw(JSON)} if not draw(st.integers(0, 9)) else {}
            return {name: changed(each) for name, each in value.items() if draw(st.integers(0, 9))} | added
        return value

    return changed(draw(values))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spec", [SPEC, spec_with_every_type()], ids=["spec", "every type"])
@settings(max_examples=60)
@given(data=st.data())
def test_another_implementation_agrees(spec: Spec, way: str, data: st.DataObject) -> None:
    """What fits, fits for `jsonschema` too, and the other way round; and its JSON fits again and stays the same."""
    customer, how = spec.schemas["Customer"], WAYS[way]
    schema = load(resolved({"components": {"schemas": spec.schemas}}, customer, {}, "Customer"))
    validator = Validator(judge(spec, customer, how, is_entry=True), format_checker=FORMATS)
    name = "CustomerUpdate" if how["sent"] else "Customer"
    value = data.draw(almost(spec.named(name, extras=not how["sent"], limits=data.draw(st.booleans()))))
    problem = mismatch(value, schema, **how)
    assert (problem == "") is validator.is_valid(value), problem
    if not problem:
        found = to_json(value, schema, **how)
        assert repr(to_json(found, schema, **how)) == repr(found)
