"""The structural check: right for every generated model, and for every annotation that the generator may write."""

import copy
import datetime as dt
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import attrs
import pytest

from cybersource_tms import UNSET, BuyerInformation, Customer, CustomerUpdate, MerchantDefinedInformation, Unset
from cybersource_tms._diff.fields import build_model, fields_of
from cybersource_tms._diff.schema import Mismatch, Use, check, inside, instance_check, mapping_check, no_such_field
from cybersource_tms_api import models
from support.customers import SCHEMAS, Wire, properties, types

if TYPE_CHECKING:
    from cybersource_tms_api.models import Link

SAMPLES = {"string": "a", "integer": 1, "number": 1.5, "boolean": True, "null": None, "object": {}, "array": []}
every_model = pytest.mark.parametrize("name", models.__all__)
USES = [Use.INPUT, Use.PATCH, Use.RESPONSE]
every_use = pytest.mark.parametrize("use", USES, ids=[use.name for use in USES])


def mismatch(value: object, model: type, use: Use = Use.INPUT) -> str:
    """Return what is wrong with a value; nothing where nothing is."""
    try:
        check(value, model, use)
    except Mismatch as wrong:
        return str(wrong)
    return ""


def test_the_models_are_those_of_the_spec() -> None:
    """Every schema of the spec has a model, and every model a schema."""
    assert sorted(models.__all__) == sorted(SCHEMAS)


@every_model
def test_the_wire_names_are_those_of_the_spec(name: str) -> None:
    """The fields of a model have the names of the schema's properties, and the same ones are required."""
    shape = fields_of(getattr(models, name))
    required = {
        field for part in (SCHEMAS[name], *SCHEMAS[name].get("allOf", ())) for field in part.get("required", ())
    }
    assert set(shape) == set(properties(name))
    assert {field for field in shape if shape[field].required} == required


@every_model
@every_use
def test_every_model_has_its_checks(name: str, use: Use) -> None:
    """For every model and every use, there is a check of mappings and one of instances."""
    model = getattr(models, name)
    least = {"id": "1"} if name == "Customer" and use is not Use.PATCH else {}
    for value in (least, model.from_dict({"id": "1"})) if name == "Customer" else ({}, model()):
        assert mismatch(value, model, use) == ""
    assert mapping_check(model, use) is mapping_check(model, use)
    assert instance_check(model, use) is instance_check(model, use)


@pytest.mark.parametrize(
    ("name", "field", "schema"),
    [(name, field, schema) for name in SCHEMAS for field, schema in properties(name).items()],
    ids=[f"{name}.{field}" for name in SCHEMAS for field in properties(name)],
)
@every_use
def test_a_field_takes_the_types_of_the_spec(name: str, field: str, schema: Wire, use: Use) -> None:
    """A value is right exactly if the spec admits its JSON type, and what is wrong is named by its path.

    What is not sent may be null besides, and what only the service writes, but for the id, may have any shape.
    """
    model = getattr(models, name)
    least = {"id": "1"} if name == "Customer" else {}
    admitted = types(schema)
    if use is not Use.PATCH and field in {"_links", "metadata"}:
        admitted = set(SAMPLES)
    elif use is not Use.PATCH and (name, field) != ("Customer", "id"):
        admitted |= {"null"}
    for kind, sample in SAMPLES.items():
        wrong = mismatch(least | {field: sample}, model, use)
        assert (wrong == "") is (kind in admitted), kind
        assert not wrong or wrong.startswith(f"{field}: expected ")


def made(annotation: Any, to_wire: Callable[[Any], Any] = lambda value: value, default: Any = UNSET) -> type:
    """Return a model with one field, `aField`, which has an annotation and goes through `to_dict()` as generated."""

    @attrs.define
    class Made:
        a_field: Any = default

        def to_dict(self) -> dict[str, Any]:
            field_dict: dict[str, Any] = {}
            if self.a_field is not UNSET:
                field_dict["aField"] = to_wire(self.a_field)
            return field_dict

        @classmethod
        def from_dict(cls, src_dict: dict[str, Any]) -> "Made":
            return cls(src_dict["aField"])

    Made.__annotations__["a_field"] = annotation
    return Made


@attrs.define
class Nested:
    """A model that is in no generated package, and in which there is another."""

    link: "Link | Unset" = UNSET
    again: "Nested | Unset" = UNSET

    def to_dict(self) -> dict[str, Any]:
        """Return the wire form, as a generated model does."""
        link: dict[str, Any] | Unset = UNSET
        if not isinstance(self.link, Unset):
            link = self.link.to_dict()
        again: dict[str, Any] | Unset = UNSET
        if not isinstance(self.again, Unset):
            again = self.again.to_dict()
        return {name: value for name, value in {"link": link, "again": again}.items() if value is not UNSET}


def one(value: Any) -> Any:
    """Do with a model as the generated `to_dict()` does."""
    return value.to_dict()


def many(value: Any) -> Any:
    """Do with a list of models as the generated `to_dict()` does."""
    return [each.to_dict() for each in value]


def rows(value: Any) -> Any:
    """Do with a list of lists of plain values as the generated `to_dict()` does."""
    return [each for each in value]  # noqa: C416 - as generated


def iso(value: Any) -> Any:
    """Do with a date as the generated `to_dict()` does."""
    return value.isoformat()


@attrs.define
class Amounts:
    """A map of whole numbers."""

    additional_properties: dict[str, int | None] = attrs.field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the wire form, as a generated model does."""
        return dict(self.additional_properties)


@attrs.define
class Nesteds(Amounts):
    """A map of models."""

    additional_properties: dict[str, Nested] = attrs.field(init=False, factory=dict)  # type: ignore[assignment]


@attrs.define
class Free(Amounts):
    """A map of anything."""

    additional_properties: dict[str, Any] = attrs.field(init=False, factory=dict)


INT, FLOAT, TEXT, BOOL, NULL = "a whole number", "a number", "text", "true or false", "null"
OBJECT, LIST, XY = "an object", "a list", '"x" or "y"'
DATE, TIME = "a date such as 2026-11-30", "a date and time such as 2026-11-30T12:00:00+00:00"
Rows = list[tuple[Any, str]]
KINDS: dict[str, tuple[type, list[Any], Rows]] = {
    "text": (
        made(str),
        ["", "a"],
        [
            (1, f": expected text, not {INT}"),
            (True, f": expected text, not {BOOL}"),
        ],
    ),
    "text that may be null or missing": (
        made(None | str | Unset),
        ["", None],
        [(1.5, f": expected text or null, not {FLOAT}"), ({}, f": expected text or null, not {OBJECT}")],
    ),
    "whole number": (
        made(int | Unset),
        [0, -1, 10**30],
        [
            (1.0, f": expected {INT}, not {FLOAT}"),
            (True, f": expected {INT}, not {BOOL}"),
            ("1", f": expected {INT}, not {TEXT}"),
        ],
    ),
    "number": (made(float | None), [0, 1.5, None], []),
    "true or false": (
        made(bool),
        [True, False],
        [
            (1, f": expected {BOOL}, not {INT}"),
            (0, f": expected {BOOL}, not {INT}"),
            ("", f": expected {BOOL}, not {TEXT}"),
        ],
    ),
    "anything": (made(Any), [0, True, None, "a", [], {"a": [1]}], []),
    "anything or missing": (made(Any | Unset), [0, {"a": [1]}], []),
    "choice": (
        made(Literal["x", "y"] | Unset),
        ["x", "y"],
        [
            (1, f": expected {XY}, not {INT}"),
            ([], f": expected {XY}, not {LIST}"),
        ],
    ),
    "choice or null": (
        made(Literal["x", "y"] | None | Unset),
        ["x", None],
        [(True, f": expected {XY} or null, not {BOOL}"), ({}, f": expected {XY} or null, not {OBJECT}")],
    ),
    "texts": (
        made(list[str]),
        [[], ["a", ""]],
        [(["a", 1], f"[1]: expected text, not {INT}"), (("a",), ": expected a list, not a value of the type tuple")],
    ),
    "texts or nulls": (
        made(list[str | None] | None | Unset),
        [None, [None, "a"]],
        [([None, 1], f"[1]: expected text or null, not {INT}"), ("a", f": expected a list or null, not {TEXT}")],
    ),
    "choices": (
        made(list[Literal["x", "y"]] | Unset, rows),
        [["x", "y", "x"]],
        [([1], f"[0]: expected {XY}, not {INT}"), ([None], f"[0]: expected {XY}, not null")],
    ),
    "lists of whole numbers": (
        made(list[list[int]] | Unset, rows),
        [[], [[]], [[1], [2, 3]]],
        [([[1], [2, "3"]], f"[1][1]: expected {INT}, not {TEXT}"), ([1], f"[0]: expected a list, not {INT}")],
    ),
    "text or list": (
        made(list[str] | str | Unset),
        ["a", ["a"]],
        [({}, f": expected text or a list, not {OBJECT}"), ([{}], f"[0]: expected text, not {OBJECT}")],
    ),
    "model": (
        made(Nested | Unset, one),
        [{}, {"link": {"href": "a"}}, {"again": {"again": {}}}],
        [
            ({"link": {"href": 1}}, f".link.href: expected text or null, not {INT}"),
            ({"again": {"again": {"link": "a"}}}, f".again.again.link: expected {OBJECT}, not {TEXT}"),
            (Nested(), f": expected {OBJECT}, not a value of the type Nested"),
        ],
    ),
    "model by its name": (
        made("Link | None", one),
        [None, {"href": ""}],
        [([], f": expected {OBJECT} or null, not {LIST}")],
    ),
    "models": (
        made("list[Nested]", many),
        [[], [{}, {"link": {}}]],
        [
            ([{}, {"link": {"href": 1}}], f"[1].link.href: expected text or null, not {INT}"),
            ([None], f"[0]: expected {OBJECT}, not null"),
            ({"link": {}}, f": expected a list, not {OBJECT}"),
        ],
    ),
    "date": (
        made(dt.date | Unset, iso),
        ["2026-11-30"],
        [("30.11.2026", f": expected {DATE}, not {TEXT}"), (20261130, f": expected {DATE}, not {INT}")],
    ),
    "date or null": (
        made(dt.date | None | Unset),
        ["2026-11-30", None],
        [
            ("", f": expected {DATE} or null, not {TEXT}"),
            (dt.date.max, f": expected {DATE} or null, not a value of the type date"),
        ],
    ),
    "date and time": (
        made(dt.datetime, iso),
        ["2026-11-30T12:00:00+00:00", "2026-11-30T13:00:00.500000+01:00"],
        [("noon", f": expected {TIME}, not {TEXT}"), (1.5, f": expected {TIME}, not {FLOAT}")],
    ),
    "UUID": (made(uuid.UUID | Unset, str), [str(uuid.NAMESPACE_DNS)], [("1", f": expected a UUID, not {TEXT}")]),
    "dates": (
        made(list[dt.date], lambda value: [each.isoformat() for each in value]),
        [[], ["2026-11-30"]],
        [(["2026-11-30", "no"], f"[1]: expected {DATE}, not {TEXT}"), ("2026-11-30", f": expected a list, not {TEXT}")],
    ),
    "date or a word": (
        made(dt.date | Literal["never"] | Unset),
        ["never", "2026-11-30"],
        [([], f': expected "never" or {DATE}, not {LIST}')],
    ),
    "map": (
        made(Amounts | Unset, one),
        [{}, {"a": 1, "b c": None}],
        [({"a": 1, "b": "1"}, f".b: expected {INT} or null, not {TEXT}"), ([], f": expected {OBJECT}, not {LIST}")],
    ),
    "map of models": (
        made(Nesteds, one),
        [{"a": {"link": {}}}],
        [
            ({"a": {"link": 1}}, f".a.link: expected {OBJECT}, not {INT}"),
            ({"a": 1}, f".a: expected {OBJECT}, not {INT}"),
        ],
    ),
    "map of anything": (
        made(Free, one),
        [{"a": {"b": [1, None, {}]}, "c": 1}],
        [(1, f": expected {OBJECT}, not {INT}")],
    ),
    "text or model": (made(str | Nested, one), ["a", {}], [(1, f": expected text or {OBJECT}, not {INT}")]),
}


@pytest.mark.parametrize(("model", "good"), [row[:2] for row in KINDS.values()], ids=list(KINDS))
@every_use
def test_what_an_annotation_admits_is_right(model: type, good: list[Any], use: Use) -> None:
    """A value that an annotation admits fits, for every use."""
    assert [mismatch({"aField": value}, model, use) for value in good] == [""] * len(good)


@pytest.mark.parametrize(("model", "bad"), [row[::2] for row in KINDS.values()], ids=list(KINDS))
@every_use
def test_what_it_does_not_admit_is_named(model: type, bad: Rows, use: Use) -> None:
    """A value that an annotation does not admit is named by its path, what was expected and what it is."""
    assert [mismatch({"aField": value}, model, use) for value, _ in bad] == [f"aField{wrong}" for _, wrong in bad]


@pytest.mark.parametrize("value", ["1", True, [], {}], ids=repr)
def test_json_has_one_kind_of_number(value: Any) -> None:
    """A number may be whole, and true is none."""
    assert mismatch({"aField": value}, made(float | Unset)).startswith("aField: expected a number")


def test_a_choice_is_taken_strictly() -> None:
    """True is equal to 1 for Python and not for JSON, so it is not the choice 1."""
    assert mismatch({"aField": 1}, made(Literal[1, 2] | Unset)) == ""
    assert mismatch({"aField": True}, made(Literal[1, 2] | Unset)).startswith("aField: expected ")


TYPED: dict[str, tuple[type, Any, str]] = {
    "a model": (made(Nested | Unset, one), Nested(), ""),
    "a mapping for a model": (made(Nested | Unset, one), {}, "aField: expected a Nested, not an object"),
    "another model": (made(Nested, one), BuyerInformation(), "aField: expected a Nested, not a value of the type {}"),
    "models": (made(list[Nested], many), [Nested(), Nested()], ""),
    "a mapping among models": (made(list[Nested], many), [Nested(), {}], "aField[1]: expected a Nested, not an object"),
    "a model or null": (made(Nested | None, one), "", "aField: expected a Nested or null, not text"),
    "nothing": (made(Nested | Unset, one), UNSET, ""),
    "a copy of nothing": (made(str | Unset), Unset(), "aField: expected text, not a value of the type Unset"),
}


@pytest.mark.parametrize(("model", "value", "wrong"), TYPED.values(), ids=list(TYPED))
@every_use
def test_a_model_holds_models(model: type, value: Any, wrong: str, use: Use) -> None:
    """In an instance there are instances, and UNSET where nothing is given; paths have the names of the wire."""
    assert mismatch(model(value), model, use) == wrong.format(type(value).__name__)


def test_a_model_is_a_customer_or_stands_for_one() -> None:
    """What is neither an instance nor a mapping is refused as a whole, without a path."""
    assert mismatch(5, Customer) == "expected a Customer or a mapping, not a whole number"
    assert mismatch(BuyerInformation(), Customer) == (
        "expected a Customer or a mapping, not a value of the type BuyerInformation"
    )


LOOP: list[Any] = []
LOOP.append(LOOP)
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]
NO_JSON: dict[str, tuple[type, Any]] = {
    "not a number": (made(float), float("nan")),
    "infinite": (made(float), float("inf")),
    "half a surrogate pair": (made(str), "a\ud800"),
    "a set": (made(Any), {1, 2}),
    "within itself": (made(Any), LOOP),
    "too deep": (made(Any), DEEP),
}


@pytest.mark.parametrize(("model", "value"), NO_JSON.values(), ids=list(NO_JSON))
def test_only_json_is_sent(model: type, value: Any) -> None:
    """What JSON cannot carry is refused where it is to be sent, and nowhere else."""
    for given in ({"aField": value}, model(value)):
        assert mismatch(given, model, Use.PATCH) == "aField: cannot be written as JSON"
        assert mismatch(given, model, Use.INPUT) == mismatch(given, model, Use.RESPONSE) == ""


def with_extra(model: Any, key: Any, value: Any) -> Any:
    """Return an instance with a field that its class does not know."""
    model[key] = value
    return model


@pytest.mark.parametrize(
    "value", [{"newOne": 1}, with_extra(CustomerUpdate(), "newOne", 1)], ids=["mapping", "instance"]
)
def test_unknown_fields_are_the_services(value: Any) -> None:
    """A field that the spec does not have may be read, and is never sent."""
    assert mismatch(value, CustomerUpdate, Use.PATCH) == "newOne: no such field"
    assert mismatch(value, CustomerUpdate, Use.INPUT) == mismatch(value, CustomerUpdate, Use.RESPONSE) == ""


@every_use
@pytest.mark.parametrize("value", [{7: 1}, with_extra(CustomerUpdate(), 7, 1)], ids=["mapping", "instance"])
def test_a_key_is_a_text(value: Any, use: Use) -> None:
    """JSON has no other keys."""
    assert mismatch(value, CustomerUpdate, use) == "7: no such field"


def test_unknown_fields_are_named_at_their_place() -> None:
    """The path leads through groups and lists, of mappings and of instances."""
    entry = with_extra(MerchantDefinedInformation(), "Name", "a")
    wrong = "merchantDefinedInformation[1].Name: no such field, did you mean name?"
    assert mismatch({"merchantDefinedInformation": [{}, {"Name": "a"}]}, CustomerUpdate, Use.PATCH) == wrong
    update = CustomerUpdate(merchant_defined_information=[MerchantDefinedInformation(), entry])
    assert mismatch(update, CustomerUpdate, Use.PATCH) == wrong


NOT_SENT: dict[str, tuple[type, Any, str]] = {
    "null": (made(str), None, "expected text, not null"),
    "null for a model": (made(Nested | Unset, one), None, f"expected {OBJECT}, not null"),
    "a new choice": (made(Literal["x", "y"] | Unset), "z", f"expected {XY}, not {TEXT}"),
    "a new choice or null": (made(Literal["x", "y"] | None | Unset), "X", f"expected {XY} or null, not {TEXT}"),
    "a new whole number": (made(Literal[1, 2] | Unset), 3, f"expected 1 or 2, not {INT}"),
}


@pytest.mark.parametrize(("model", "value", "wrong"), NOT_SENT.values(), ids=list(NOT_SENT))
def test_what_may_be_received_and_not_sent(model: type, value: Any, wrong: str) -> None:
    """A null and a choice that the spec does not have may come from the service, and are never sent."""
    for given in ({"aField": value}, model(value)):
        assert mismatch(given, model, Use.INPUT) == mismatch(given, model, Use.RESPONSE) == ""
        assert mismatch(given, model, Use.PATCH).replace("a Nested", OBJECT) == f"aField: {wrong}"


def test_a_new_choice_in_a_list_may_be_received_and_not_sent() -> None:
    """The same holds for the items of a list, in which a null has no meaning."""
    model = made(list[Literal["x", "y"]] | Unset, rows)
    assert mismatch({"aField": ["x", "z"]}, model, Use.RESPONSE) == ""
    assert mismatch({"aField": ["x", "z"]}, model, Use.PATCH) == f"aField[1]: expected {XY}, not {TEXT}"
    assert mismatch({"aField": [None]}, model, Use.RESPONSE) == f"aField[0]: expected {XY}, not null"


SAME_TEXT: dict[str, tuple[type, Any, str, str]] = {
    "date": (made(dt.date, iso), dt.date(2026, 11, 30), "20261130", "2026-11-30"),
    "UTC": (
        made(dt.datetime, iso),
        dt.datetime(2026, 11, 30, tzinfo=dt.UTC),
        "2026-11-30T00:00Z",
        "2026-11-30T00:00:00+00:00",
    ),
    "UUID": (made(uuid.UUID, str), uuid.NAMESPACE_DNS, str(uuid.NAMESPACE_DNS).upper(), str(uuid.NAMESPACE_DNS)),
}


@every_use
@pytest.mark.parametrize(("model", "value", "text", "wire"), SAME_TEXT.values(), ids=list(SAME_TEXT))
def test_a_date_has_one_wire_form(model: type, value: Any, text: str, wire: str, use: Use) -> None:
    """A date, time or UUID is an object in a model and text in a mapping; both have the same text on the wire."""
    assert check(model(value), model, use) == check({"aField": text}, model, use) == {"aField": wire}
    assert build_model(model, {"aField": wire}) == model(value)
    assert mismatch(model(text), model, use).startswith("aField: expected a ")


def test_a_time_without_a_zone_is_not_sent() -> None:
    """RFC 3339 demands an offset. A service that leaves it out can be read."""
    model = made(dt.datetime, iso)
    for given in ({"aField": "2026-11-30T12:00:00"}, model(dt.datetime(2026, 11, 30))):  # noqa: DTZ001
        assert mismatch(given, model, Use.RESPONSE) == ""
        assert mismatch(given, model, Use.PATCH) == "aField: has no time zone"


def test_a_time_is_not_a_date() -> None:
    """Python takes each time for a date; a date field does not."""
    now = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)
    model = made(dt.date, iso)
    assert mismatch(model(now), model) == "aField: expected a date, not a value of the type datetime"
    assert mismatch({"aField": now.isoformat()}, model) == f"aField: expected {DATE}, not {TEXT}"


@every_use
def test_a_map_holds_models(use: Use) -> None:
    """In an instance of a map there are instances, and its wire form has theirs."""
    amounts, nesteds = Amounts(), Nesteds()
    amounts.additional_properties["a"] = 1
    nesteds.additional_properties["a"] = Nested(again=Nested())
    assert check(amounts, Amounts, use) == {"a": 1}
    assert check(nesteds, Nesteds, use) == {"a": {"again": {}}}
    assert build_model(Nesteds, {"a": {"again": {}}}) == nesteds
    nesteds.additional_properties["a"] = {}  # type: ignore[assignment]
    assert mismatch(nesteds, Nesteds, use) == "a: expected a Nested, not an object"
    assert mismatch({7: 1}, Amounts, use) == "7: no such field"


@pytest.mark.parametrize("value", [None, 7, "x", [], {"self": 7}, {"self": {"href": 7}}], ids=repr)
def test_what_only_the_service_writes_may_have_any_shape(value: Any) -> None:
    """It is kept as it came, in a mapping and in a model, and is never sent."""
    wire = {"id": "1", "_links": value}
    assert check(wire, Customer, Use.RESPONSE) == wire
    assert check(Customer.from_dict(wire), Customer, Use.INPUT) == wire
    assert mismatch({"_links": value}, CustomerUpdate, Use.PATCH) == "_links: only the service writes this"


@pytest.mark.parametrize("wrong", [None, 7, [], {}], ids=repr)
def test_an_id_is_text(wrong: Any) -> None:
    """Without its id, nobody can say whose record it is."""
    for use in (Use.INPUT, Use.RESPONSE):
        assert mismatch({"id": wrong}, Customer, use).startswith("id: expected text, not ")


def test_an_entry_is_sent_whole() -> None:
    """An array is replaced, so what the spec requires is in each entry. A group is merged, and may be sent in part."""
    inner = made(str, default=attrs.NOTHING)
    assert mismatch({"aField": [{}]}, made(list[inner], many), Use.PATCH) == "aField[0].aField: is missing"  # type: ignore[valid-type]
    assert mismatch(inner(UNSET), inner, Use.ENTRY) == "aField: is missing"
    assert mismatch({"aField": {}}, made(inner, one), Use.PATCH) == ""
    assert build_model(made(inner, one), {"aField": {}}).a_field == inner(UNSET)


@every_use
def test_a_field_is_set_as_an_attribute(use: Use) -> None:
    """A field that is set in brackets stands beside its attribute, so it is refused, and the attribute is named."""
    update = CustomerUpdate(buyer_information=with_extra(BuyerInformation(), "email", "a"))
    assert (
        mismatch(update, CustomerUpdate, use)
        == "buyerInformation.email: set it as the attribute email, not in brackets"
    )
    update = with_extra(CustomerUpdate(), "buyerInformation", {})
    wrong = "buyerInformation: set it as the attribute buyer_information, not in brackets"
    assert mismatch(update, CustomerUpdate, use) == wrong


def test_what_is_required_must_be_in_a_response() -> None:
    """The service must send what the spec requires, at any depth; a caller may give a part."""
    inner = made(str, default=attrs.NOTHING)
    outer = made(inner, one, default=attrs.NOTHING)
    assert mismatch({}, Customer, Use.RESPONSE) == "id: is missing"
    assert mismatch({"aField": {}}, outer, Use.RESPONSE) == "aField.aField: is missing"
    assert mismatch({}, Customer) == mismatch({"aField": {}}, outer) == mismatch({}, outer, Use.PATCH) == ""


UNSUPPORTED: dict[str, type] = {
    "bytes": made(bytes),
    "a dict": made(dict[str, int]),
    "two formats": made(dt.date | dt.datetime),
    "a list of bytes": made(list[bytes]),
}


@pytest.mark.parametrize("model", UNSUPPORTED.values(), ids=list(UNSUPPORTED))
def test_a_type_that_is_not_supported_is_named(model: type) -> None:
    """A type that the check does not know is named with its field, and nothing is let through."""
    with pytest.raises(TypeError, match=r"^Made\.aField: a field of the type .* is not supported$"):
        fields_of(model)


@attrs.define
class Other:
    """A second model, for a field that may be either."""

    size: int | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        """Return the wire form, as a generated model does."""
        return {"size": self.size}


def is_supported(model: type) -> bool:
    """Say whether the developer is not told otherwise."""
    try:
        fields_of(model)
    except TypeError:
        return False
    return True


EITHER: dict[str, tuple[type, list[Any], list[Any]]] = {
    "choices": (made(Literal["x"] | Literal["y"] | Unset), ["x", "y"], ["z"]),  # noqa: PYI030 - as generated
    "lists": (made(list[str] | list[int] | Unset), [["a"], [1]], [[None]]),
    "models": (made(Nested | Other | Unset), [{"size": 1}, {"link": {}}], [{"size": "a"}, {"link": 1}]),
    "lists of lists of models": (
        made(list[list[Nested]] | Unset, lambda value: [many(each) for each in value]),
        [[[{"link": {}}], []]],
        [[[{"link": 1}]], [{}]],
    ),
}


@pytest.mark.parametrize(("model", "good", "bad"), EITHER.values(), ids=list(EITHER))
def test_what_the_generator_may_write_is_right_or_not_supported(model: type, good: list[Any], bad: list[Any]) -> None:
    """The check is right for every field that the spec will ever have, or tells the developer that it is not."""
    if not is_supported(model):
        return
    assert [value for value in good if mismatch({"aField": value}, model, Use.PATCH)] == []
    assert [value for value in bad if not mismatch({"aField": value}, model, Use.PATCH)] == []


def test_a_path_grows_from_the_inside() -> None:
    """Names are joined by dots, indices stand in brackets, and a mismatch that is nowhere has no path."""
    wrong = Mismatch("is wrong")
    assert str(wrong) == "is wrong"
    for place in (0, 1, "c", 2, "b", "a"):
        wrong = wrong.inside(place)
    assert str(wrong) == "a.b[2].c[1][0]: is wrong"
    assert (wrong.path, wrong.problem) == ("a.b[2].c[1][0]", "is wrong")


def test_inside_says_where() -> None:
    """What a check raises comes out with the place, and what it lets through stays."""

    def look(value: object) -> None:
        if value:
            raise Mismatch("is wrong")

    inside("a", look, 0)
    with pytest.raises(Mismatch, match=r"^a: is wrong$"):
        inside("a", look, 1)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("merchantCustomerId", "no such field, did you mean merchantCustomerID?"),
        ("MERCHANTCUSTOMERID", "no such field, did you mean merchantCustomerID?"),
        ("emial", "no such field, did you mean email?"),
        ("zzz", "no such field"),
        ("", "no such field"),
    ],
)
def test_an_unknown_key_brings_the_nearest(key: str, problem: str) -> None:
    """The nearest name that the spec has is suggested, whatever the case, and none where none is near."""
    wrong = no_such_field(key, BuyerInformation)
    assert (wrong.path, wrong.problem) == (key, problem)


@pytest.mark.parametrize("value", ["a", 1, None, [], {"a": [{"b": [1]}]}, [[{"a": 1}], "b"]], ids=repr)
def test_an_instance_shares_nothing_with_its_wire_form(value: Any) -> None:
    """What is made of a wire form has the same value anywhere, and does not change with it."""
    wire = {"aField": value}
    before = copy.deepcopy(wire)
    made_of_it = build_model(made(Any), wire)
    assert made_of_it.to_dict() == before
    if value and not isinstance(value, str | int):
        assert made_of_it.a_field is not value
        value.clear()
    assert made_of_it.to_dict() == before
