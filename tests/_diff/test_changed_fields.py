"""The rules of `changed_fields`, its laws over customers of all kinds, and what it refuses."""

import pickle
import traceback
from collections.abc import Callable, Iterator, Mapping
from copy import copy, deepcopy
from types import MappingProxyType
from typing import Any

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cybersource_tms import UNSET, BuyerInformation, Customer, CustomerUpdate, Link, Unset, changed_fields
from cybersource_tms._diff.changed_fields import customer_json, difference, unchecked_difference
from cybersource_tms._diff.schema import to_json
from cybersource_tms._diff.spec import load
from cybersource_tms.errors import InvalidRequest
from resolve_schema import resolved
from support import customers
from support.customers import GROUP, LIST, NAME, VALUE, A, B, C, Wire, entries, group, other, pairs
from support.merge import REMOVED, merge

Form = Callable[[Any], Any]
Path = tuple[str, ...]

ID = "F2F3ADA770102B51E053A2598D0A9078"
NO_CHANGES = None
FORMS: dict[str, Form] = {"mapping": dict, "Customer": Customer.from_dict, "CustomerUpdate": CustomerUpdate.from_dict}


def model(wire: Wire) -> Customer | CustomerUpdate:
    """Return the model that can hold a customer: one without an id is no `Customer`."""
    return Customer.from_dict(wire) if "id" in wire else CustomerUpdate.from_dict(wire)


def read_only(value: Any) -> Any:
    """Return a mapping that is no dict, with such mappings in it."""
    if isinstance(value, dict):
        return MappingProxyType({name: read_only(inner) for name, inner in value.items()})
    return [read_only(item) for item in value] if isinstance(value, list) else value


# Made anew from the JSON, so that no two arguments share anything.
ROUTES: dict[str, Form] = {
    "mapping": deepcopy,
    "read-only mapping": read_only,
    "model": lambda wire: model(deepcopy(wire)),
    "copied model": lambda wire: copy(model(deepcopy(wire))),
    "deep-copied model": lambda wire: deepcopy(model(wire)),
    "pickled model": lambda wire: pickle.loads(pickle.dumps(model(wire))),
}
forms = st.sampled_from(list(ROUTES.values()))
by_property = settings(max_examples=50)


def wire_form(changes: CustomerUpdate | None) -> Wire:
    """Return the patch that would be sent; no changes are the patch that changes nothing."""
    return {} if changes is None else customer_json(changes, "changes")


def without_empty_groups(value: Any) -> Any:
    """Leave out empty objects and nulls, at all depths but not within arrays, which are values as a whole.

    A patch that only removes from a group that is not there makes an empty group under RFC 7396, and rule 3 leaves such
    a group out. A null in a customer says that the field is not there, which is how rule 2 takes it.
    """
    if not isinstance(value, dict):
        return value
    inner = {name: without_empty_groups(each) for name, each in value.items()}
    return {name: each for name, each in inner.items() if each is not None and each != {}}


def strictly(value: Any) -> Any:
    """Return what is equal only where JSON is: not for true and 1."""
    if isinstance(value, Mapping):
        return {name: strictly(inner) for name, inner in value.items()}
    return [strictly(item) for item in value] if isinstance(value, list) else (isinstance(value, bool), value)


def leaf_paths(patch: Wire, above: Path = ()) -> Iterator[Path]:
    """Yield where a patch writes or removes something."""
    for name, value in patch.items():
        if isinstance(value, dict):
            yield from leaf_paths(value, (*above, name))
        else:
            yield (*above, name)


def at(wire: Any, path: Path) -> Any:
    """Return what a customer has there; None where it has nothing."""
    for name in path:
        wire = wire.get(name) if isinstance(wire, dict) else None
    return wire


def without(patch: Wire, path: Path) -> Wire:
    """Return a patch less one leaf, and less the groups that are empty then."""
    name, *rest = path
    inner = without(patch[name], tuple(rest)) if rest else {}
    return {key: value for key, value in patch.items() if key != name} | ({name: inner} if inner else {})


def mutables(value: Any) -> Iterator[Any]:
    """Yield everything in a value that can be changed in place, from the inside out."""
    if attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from mutables(getattr(value, field.name))
        yield value
    elif isinstance(value, (Mapping, list)):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from mutables(inner)
        yield value


def spoil(value: Any) -> None:
    """Change everything in a value that can be changed in place."""
    for part in list(mutables(value)):
        if isinstance(part, list):
            part.append("spoilt")
        elif isinstance(part, dict):
            part["spoilt"] = "spoilt"
        else:
            for field in attrs.fields(type(part)):
                setattr(part, field.name, "spoilt")


def rule(cases: dict[str, tuple[Wire, Wire, Wire | None]]) -> pytest.MarkDecorator:
    """Run a test with `before`, `after` and what is to come out. All customers have the same id."""
    return pytest.mark.parametrize(("before", "after", "expected"), cases.values(), ids=list(cases))


def in_all_forms(before: Wire, after: Wire) -> Iterator[tuple[str, Any, Any]]:
    """Yield two customers of the same id in all forms, with the names of the forms."""
    for first, as_before in FORMS.items():
        for second, as_after in FORMS.items():
            yield f"{first}, {second}", as_before({"id": ID} | deepcopy(before)), as_after({"id": ID} | deepcopy(after))


def check(before: Wire, after: Wire, expected: Wire | None) -> None:
    """Compare two customers in all forms."""
    for which, old, new in in_all_forms(before, after):
        changes = changed_fields(old, new)
        assert changes == (expected and CustomerUpdate.from_dict(expected)), which


PAGE = group(a="1", b="test@cybs.com") | other("TC50171_3") | entries("data1=Your customer data")
ALONE = {"metadata": {"creator": "testrest"}, "_links": {"self": {"href": "/c"}}, "_embedded": {"a": [True, {"b": 0}]}}


@rule(
    {
        "nothing is given": (PAGE, {}, NO_CHANGES),
        "a whole group is missing": (PAGE, other("new"), other("new")),
        "a field of a group is missing": (PAGE, group(b="new"), group(b="new")),
        "what is given is the same": (PAGE, group(b="test@cybs.com"), NO_CHANGES),
        "what only the service writes is missing": (PAGE | ALONE, PAGE, NO_CHANGES),
    }
)
def test_rule_1_a_missing_field_is_left_alone(before: Wire, after: Wire, expected: Wire | None) -> None:
    """A field that `after` does not have is in no patch: missing never deletes."""
    check(before, after, expected)


@pytest.mark.parametrize("missing", [UNSET, Unset()], ids=["UNSET", "another Unset"])
def test_rule_1_unset_is_missing(missing: Unset) -> None:
    """UNSET at any place of a model is a field that is not given."""
    after = CustomerUpdate(
        buyer_information=BuyerInformation(merchant_customer_id=missing, email="new@example.com"),
        merchant_defined_information=missing,
    )
    expected = {"buyerInformation": {"email": "new@example.com"}}
    assert wire_form(changed_fields(Customer.from_dict(PAGE | {"id": ID}), after)) == expected


@rule(
    {
        "a field": (PAGE, group(a=REMOVED), group(a=REMOVED)),
        "an empty text": (group(a=""), group(a=REMOVED), group(a=REMOVED)),
        "a group": (PAGE, {GROUP: REMOVED}, {GROUP: REMOVED}),
        "an empty group": ({GROUP: {}}, {GROUP: REMOVED}, {GROUP: REMOVED}),
        "a list": (PAGE, {LIST: REMOVED}, {LIST: REMOVED}),
        "an empty list": (entries(), {LIST: REMOVED}, {LIST: REMOVED}),
        "the last field of a group": (other("a"), other(REMOVED), other(REMOVED)),
        "a field that is not there": (group(a="a"), group(b=REMOVED), NO_CHANGES),
        "a field of a group that is not there": ({}, other(REMOVED), NO_CHANGES),
        "a group that is not there": ({}, {GROUP: REMOVED}, NO_CHANGES),
        "a list that is not there": ({}, {LIST: REMOVED}, NO_CHANGES),
        "a field that is null": (group(a=None), group(a=REMOVED), NO_CHANGES),
        "a group that is null": ({GROUP: None}, {GROUP: REMOVED}, NO_CHANGES),
        "a field of a group that is null": ({GROUP: None}, group(a=REMOVED), NO_CHANGES),
    }
)
def test_rule_2_none_removes_what_is_there(before: Wire, after: Wire, expected: Wire | None) -> None:
    """`None` in `after` is null in the patch where `before` has the field, and nothing otherwise."""
    check(before, after, expected)


@rule(
    {
        "only the field that differs": (PAGE, group(a="1", b="b"), group(b="b")),
        "a new field": (group(a="a"), group(b="1"), group(b="1")),
        "a new group": (group(a="a"), other("a"), other("a")),
        "a group instead of null": ({GROUP: None}, group(a="a"), group(a="a")),
        "a group without a difference": (PAGE, group(b="test@cybs.com") | other("b"), other("b")),
        "an empty group": (PAGE, {GROUP: {}}, NO_CHANGES),
        "a new empty group": ({}, {GROUP: {}}, NO_CHANGES),
        "an empty group instead of null": ({GROUP: None}, {GROUP: {}}, NO_CHANGES),
    }
)
def test_rule_3_objects_are_compared_field_by_field(before: Wire, after: Wire, expected: Wire | None) -> None:
    """A group in the patch has only the fields that differ, and a group without any is left out."""
    check(before, after, expected)


TWO = entries("data1=a", "data2=b")


@rule(
    {
        "one entry differs": (TWO, entries("data1=a", "data2=c"), entries("data1=a", "data2=c")),
        "another order": (TWO, entries("data2=b", "data1=a"), entries("data2=b", "data1=a")),
        "one entry more": (entries("data1=a"), entries("data1=a", "data1=a"), entries("data1=a", "data1=a")),
        "one entry less": (TWO, entries("data1=a"), entries("data1=a")),
        "one field of an entry less": (entries("data1=a"), {LIST: [{NAME: "data1"}]}, {LIST: [{NAME: "data1"}]}),
        "an empty entry": (entries(), {LIST: [{}]}, {LIST: [{}]}),
        "none at all": (entries("data1=a"), entries(), entries()),
        "none instead of a missing list": ({}, entries(), entries()),
        "some instead of null": ({LIST: None}, entries("data1=a"), entries("data1=a")),
        "the same": (TWO, deepcopy(TWO), NO_CHANGES),
    }
)
def test_rule_4_arrays_are_sent_as_a_whole(before: Wire, after: Wire, expected: Wire | None) -> None:
    """Any difference in an array, its order included, sends the final array; no difference sends nothing."""
    check(before, after, expected)


@rule(
    {
        "an empty text is not missing": ({}, group(a=""), group(a="")),
        "an empty text is not null": (group(a=None), group(a=""), group(a="")),
        "an empty text is not a text": (group(a="a"), group(a=""), group(a="")),
        "case": (group(a="a@example.com"), group(a="A@example.com"), group(a="A@example.com")),
        "blanks": (group(a="a"), group(a="a "), group(a="a ")),
        "no normal form of Unicode": (group(a="\u00e9"), group(a="e\u0301"), group(a="e\u0301")),
        "a numeral": (group(a="1"), group(a="1.0"), group(a="1.0")),
        "no date where the spec has none": (group(a="20261130"), group(a="2026-11-30"), group(a="2026-11-30")),
    }
)
def test_rule_5_values_are_compared_strictly(before: Wire, after: Wire, expected: Wire | None) -> None:
    """Only the very same text is the same."""
    check(before, after, expected)


DIFFERENT: list[tuple[Any, Any]] = [
    (True, 1),
    (1, True),
    (False, 0),
    (0, False),
    (None, False),
    (0, None),
    ("", None),
    ("1", 1),
    ([], {}),
]


@pytest.mark.parametrize(
    "wrap", [lambda v: v, lambda v: [v], lambda v: {"a": [{"b": v}]}], ids=["bare", "list", "deep"]
)
@pytest.mark.parametrize(("was", "wanted"), [*DIFFERENT, ({}, None)], ids=repr)
def test_rule_5_true_is_not_1(wrap: Form, was: Any, wanted: Any) -> None:
    """Values that Python calls equal or false, and JSON different, are different at any depth."""
    for form in FORMS.values():
        before, after = form({"id": ID, "_embedded": wrap(was)}), form({"id": ID, "_embedded": wrap(wanted)})
        assert changed_fields(before, deepcopy(before)) is None
        with pytest.raises(InvalidRequest, match=r"^after: _embedded: "):
            changed_fields(before, after)


@rule(
    {
        "all": (PAGE | ALONE, PAGE | ALONE, NO_CHANGES),
        "beside a difference": (PAGE | ALONE, PAGE | ALONE | other("b"), other("b")),
        "in a group": (group(a="a", newInTheService=[1]), group(a="b", newInTheService=[1]), group(a="b")),
        "in an entry": ({LIST: [{"new": 1}]}, {LIST: [{"new": 1}]}, NO_CHANGES),
        # What the service may send unexpectedly.
        "no links": (PAGE | {"_links": None}, other("b") | {"_links": None}, other("b")),
        "a text for a link": ({"_links": {"self": "x"}}, {"_links": {"self": "x"}}, NO_CHANGES),
        "null in an entry": ({LIST: [{NAME: None}]}, {LIST: [{NAME: None}]}, NO_CHANGES),
        "not a number": ({"new": [float("nan")]}, {"new": [float("nan")]}, NO_CHANGES),
        "half a surrogate pair": (group(a="\ud800"), group(a="\ud800"), NO_CHANGES),
    }
)
def test_rule_6_what_only_the_service_writes_is_never_sent(before: Wire, after: Wire, expected: Wire | None) -> None:
    """The id, `_links`, `metadata` and fields that the spec does not know are in no patch, whatever they hold."""
    check(before, after, expected)


# Every text in what follows has the marker, and every number is the marker: no message may show either.
MARK, NUMBER = "sesame", 424242
TEXT = f"{MARK}@example.com"


def refused(before: Any, after: Any) -> InvalidRequest:
    """Return the refusal, of which nothing that is printed may hold a value."""
    with pytest.raises(InvalidRequest) as raised:
        changed_fields(before, after)
    error = raised.value
    printed = "".join((str(error), repr(error), *traceback.format_exception(error)))
    assert MARK not in printed
    assert str(NUMBER) not in printed
    return error


SERVICE: Wire = {"_links": {"self": {"href": TEXT}}, "metadata": {"creator": TEXT}, "_embedded": {"a": [TEXT]}}
OTHERS: dict[str, tuple[Wire, Wire, str]] = {
    "another link": (SERVICE, {"_links": {"self": {"href": MARK}}}, "_links"),
    "one link more": (SERVICE, {"_links": SERVICE["_links"] | {"paymentInstruments": {}}}, "_links"),
    "no links": (SERVICE, {"_links": {}}, "_links"),
    "added links": ({}, {"_links": {"self": {"href": TEXT}}}, "_links"),
    "another creator": (SERVICE, {"metadata": {"creator": MARK}}, "metadata"),
    "added metadata": ({}, {"metadata": {"creator": TEXT}}, "metadata"),
    "another unknown field": (SERVICE, {"_embedded": {"a": [MARK]}}, "_embedded"),
    "an added unknown field": ({}, {"_embedded": {"a": [TEXT]}}, "_embedded"),
    "another unknown field of a group": (group(x=TEXT), group(x=MARK), f"{GROUP}.x"),
    "an added unknown field of a group": (group(a=TEXT), group(x=TEXT), f"{GROUP}.x"),
    "an unknown field of a new group": ({}, group(x=TEXT), f"{GROUP}.x"),
    "an unknown field of an entry that stays": ({LIST: [{"x": 1}]}, {LIST: [{"x": 1}, {}]}, f"{LIST}[0].x"),
    "the id in a group": (SERVICE, group(id=ID), f"{GROUP}.id"),
    "another id": ({}, {"id": MARK}, "id"),
}


@pytest.mark.parametrize(("before", "after", "path"), OTHERS.values(), ids=list(OTHERS))
def test_rule_6_a_difference_in_it_is_named(before: Wire, after: Wire, path: str) -> None:
    """A changed or an added field that only the service writes is refused with its path, beside a right change too."""
    for _, old, new in in_all_forms(before, after | other(TEXT)):
        error = refused(old, new)
        assert str(error).startswith(f"after: {path}: ")
        assert (error.argument, error.path) == ("after", path)


def test_rule_6_another_value_is_told_from_a_slip() -> None:
    """What the customer has, and the spec has not, is the service's; what neither has is no field."""
    for _, old, new in in_all_forms({"new": TEXT}, {"new": MARK}):
        assert str(refused(old, new)) == "after: new: only the service writes this"
        assert str(refused({"id": ID}, new)) == "after: new: no such field"


def test_rule_6_what_only_the_service_writes_is_looked_at_where_it_is_compared() -> None:
    """So it may be anything in a customer of which another field changes."""
    assert wire_form(changed_fields({"_links": {object()}}, other("b"))) == other("b")
    assert refused({"_links": {TEXT}}, {"_links": {}}).argument == "before"


def test_rule_6_an_added_id_is_a_difference() -> None:
    """An id for a customer that has none is refused as well: nobody knows whose it is."""
    for before in (PAGE, CustomerUpdate.from_dict(PAGE)):
        for form in FORMS.values():
            assert refused(before, form({"id": MARK})).path == "id"


UNKNOWN: dict[str, tuple[Wire, str, str]] = {
    "another case": ({GROUP: {A.upper(): TEXT}}, f"{GROUP}.{A.upper()}", A),
    "a slip": ({GROUP: {f"{A}x": TEXT}}, f"{GROUP}.{A}x", A),
    "a group": ({GROUP.upper(): {A: TEXT}}, GROUP.upper(), GROUP),
    "Python's name": ({"buyer_information": {}}, "buyer_information", "buyerInformation"),
    "without its group": ({A: TEXT}, A, f"{GROUP}.{A}"),
    "without its underscore": ({"links": {}}, "links", "_links"),
    "in the only entry": ({LIST: [{VALUE.upper(): TEXT}]}, f"{LIST}[0].{VALUE.upper()}", VALUE),
    "in a later entry": ({LIST: [{}, {VALUE.upper(): TEXT}]}, f"{LIST}[1].{VALUE.upper()}", VALUE),
    "nothing near": (group(zzz=TEXT), f"{GROUP}.zzz", ""),
    "removed": ({GROUP: {A.upper(): REMOVED}}, f"{GROUP}.{A.upper()}", A),
}


@pytest.mark.parametrize(("after", "path", "nearest"), UNKNOWN.values(), ids=list(UNKNOWN))
def test_rule_7_an_unknown_key_is_named(after: Wire, path: str, nearest: str) -> None:
    """A key that the spec does not have is refused with its path, and with the nearest known one where there is one."""
    hint = f", did you mean {nearest}?" if nearest else ""
    for _, old, new in in_all_forms({}, after):
        assert str(refused(old, new)) == f"after: {path}: no such field{hint}"


@by_property
@given(pair=pairs(), form=forms, another=forms)
def test_rule_8_nothing_is_changed_or_shared(pair: tuple[Wire, Wire], form: Form, another: Form) -> None:
    """The arguments are as before, even when all of the result is changed, since it has no mutable part of theirs."""
    before, after = form(pair[0]), another(pair[1])
    printed = repr((before, after))
    changes = changed_fields(before, after)
    assert repr((before, after)) == printed
    ours = {id(part) for part in (*mutables(before), *mutables(after))}
    assert not ours & {id(part) for part in mutables(changes)}
    spoil(changes)
    assert repr((before, after)) == printed


def test_rule_8_two_results_share_nothing() -> None:
    """What one result is made into is not seen in the next."""
    spoil(changed_fields({}, PAGE))
    assert wire_form(changed_fields({}, PAGE)) == PAGE


@by_property
@given(customer=customers.CUSTOMERS, form=forms, another=forms)
def test_rule_9_no_difference_is_none(customer: Wire, form: Form, another: Form) -> None:
    """Against itself, and against itself in any other form, a customer has no changes, and that is `None`."""
    same = form(customer)
    assert changed_fields(same, same) is None
    assert changed_fields(same, another(customer)) is None


@by_property
@given(pair=pairs(), form=forms, another=forms)
@example(pair=({}, other(REMOVED)), form=dict, another=dict)
@example(pair=({GROUP: None}, group(a="a")), form=dict, another=dict)
def test_the_changes_do_what_the_whole_would(pair: tuple[Wire, Wire], form: Form, another: Form) -> None:
    """Sending the changes leaves the customer as sending all of `after` would."""
    before, after = pair
    changes = wire_form(changed_fields(form(before), another(after)))
    assert strictly(without_empty_groups(merge(before, changes))) == strictly(
        without_empty_groups(merge(before, after))
    )


@by_property
@given(pair=pairs(), form=forms, another=forms)
def test_the_changes_are_the_fewest(pair: tuple[Wire, Wire], form: Form, another: Form) -> None:
    """Every leaf of the changes differs from what is there, and without any one of them the customer ends otherwise."""
    before, after = pair
    changes = wire_form(changed_fields(form(before), another(after)))
    for path in leaf_paths(changes):
        assert strictly(at(changes, path)) != strictly(at(before, path))
        assert strictly(at(changes, path)) == strictly(at(after, path))
        assert strictly(merge(before, without(changes, path))) != strictly(merge(before, changes))


NAMES = customers.TEXTS | st.integers() | st.sampled_from([*PAGE, *ALONE, "id", A, B, C, NAME, VALUE])
ANYTHING = st.recursive(
    customers.JSON | st.sampled_from([UNSET, BuyerInformation(), b"bytes", ("tuple",), {1}, object()]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


@by_property
@given(before=ANYTHING, after=ANYTHING | st.dictionaries(NAMES, ANYTHING))
def test_nothing_but_a_refusal_comes_of_anything(before: Any, after: Any) -> None:
    """Whatever is given, there are changes or `None`, or `InvalidRequest`."""
    for first, second in ((before, after), ({}, after), (after, after)):
        try:
            changes = changed_fields(first, second)
        except InvalidRequest:
            continue
        assert changes is None or list(leaf_paths(wire_form(changes)))


WRONG: dict[str, tuple[Any, str]] = {
    "a number for a text": (group(a=NUMBER), f"{GROUP}.{A}"),
    "a text for a group": ({GROUP: TEXT}, GROUP),
    "an object for the list": ({LIST: {NAME: TEXT}}, LIST),
    "a number in an entry": ({LIST: [{}, {NAME: NUMBER}]}, f"{LIST}[1].{NAME}"),
    "null for the id": ({"id": None}, "id"),
    "a key that is no text": ({GROUP: {7: TEXT}}, f"{GROUP}.7"),
    "a set": ({"new": {TEXT}}, "new"),
}


@pytest.mark.parametrize(("wrong", "path"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_type_is_named(wrong: Any, path: str) -> None:
    """A wrong type anywhere in either argument is refused, with the argument and the path, whatever the other is."""
    for argument, error in {"before": refused(wrong, {}), "after": refused({}, wrong)}.items():
        assert str(error).startswith(f"{argument}: {path}: ")
        assert (error.argument, error.path) == (argument, path)


@pytest.mark.parametrize(
    "nothing",
    [None, NUMBER, TEXT, [], [{"id": TEXT}], True, UNSET, Customer, BuyerInformation(email=TEXT), Link()],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_customer_is_refused(nothing: Any) -> None:
    """An argument of another kind is refused by its name and type."""
    problem = f"expected a Customer or a mapping, not {type(nothing).__name__}"
    assert str(refused(nothing, {})) == f"before: {problem}"
    assert str(refused({}, nothing)) == f"after: {problem}"


LONG = "x" * 300
OLD_ENTRY, NAME_0 = f"data9={LONG}", f"{LIST}[0].{NAME}"
OLD: dict[str, tuple[Wire, Wire, Wire | str]] = {
    "another entry": (entries(OLD_ENTRY, "data1=a"), entries(OLD_ENTRY, "data1=b"), entries(OLD_ENTRY, "data1=b")),
    "another place": (entries(OLD_ENTRY), entries("data1=b", OLD_ENTRY), entries("data1=b", OLD_ENTRY)),
    "another value for an old name": (entries("data9=a"), entries("data9=b"), entries("data9=b")),
    "a new name": (entries("data9=a"), entries("data8=a"), f"{NAME_0}: does not match ^(data|sensitive)[1-4]$"),
    "a new value": (entries("data9=a"), entries(OLD_ENTRY), f"{LIST}[0].{VALUE}: at most 100 characters, it has 300"),
    "an old name as a value": (entries("data9=a"), entries("data1=data9"), entries("data1=data9")),
    "an old value as a name": (entries("data1=data9"), entries("data9=a"), f"{NAME_0}: does not match "),
    "another field": (group(a=LONG, b="a"), group(a=LONG, b="b"), group(b="b")),
    "a field": (group(a=LONG), group(a=LONG + "x"), f"{GROUP}.{A}: at most 100 characters, it has 301"),
    "an old null": ({LIST: [{NAME: None}]}, {LIST: [{NAME: None}, {}]}, {LIST: [{NAME: None}, {}]}),
    "a new null": ({LIST: [{NAME: "data1"}]}, {LIST: [{NAME: None}]}, f"{NAME_0}: expected text, not null"),
    "what cannot be sent": ({LIST: [{NAME: "\ud800"}]}, {LIST: [{NAME: "\ud800"}, {}]}, f"{NAME_0}: cannot be written"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "expected"), OLD.values(), ids=list(OLD))
def test_only_what_is_new_is_held_to_the_limits(before: Wire, after: Wire, expected: Wire | str) -> None:
    """What the customer has already passes, at its place, or one old entry would block every later change."""
    for _, old, new in in_all_forms(before, after):
        if isinstance(expected, str):
            assert str(refused(old, new)).startswith(f"after: {expected}")
        else:
            assert wire_form(changed_fields(old, new)) == expected


MAP, DATE, MOMENT = {"type": "object"}, {"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}
MOMENTS = {"type": "array", "items": MOMENT}
NOON, SAME = "2026-11-30T12:00:00+00:00", "2026-11-30T13:00:00+01:00"
FIELDS: dict[str, tuple[Wire, Any, Any, Wire]] = {
    "an entry of a map": (MAP, {"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}),
    "a removed entry": (MAP, {"a": 1}, {"a": None, "b": None}, {"a": None}),
    "within an entry": (MAP, {"a": {"x": 1, "y": [1]}}, {"a": {"x": 1, "y": [True]}}, {"a": {"y": [True]}}),
    "an empty object": (MAP, {"a": {"x": 1}}, {"a": {}}, {}),
    "an empty object for a value": (MAP, {"a": 1}, {"a": {}}, {"a": {}}),
    "empty objects for nothing": (MAP, None, {"a": {"x": {}}}, {}),
    "a list for an object": (MAP, {"a": {"x": 1}}, {"a": [1]}, {"a": [1]}),
    "a map of numbers": (MAP | {"additionalProperties": {"type": "number"}}, {"a": 1}, {"a": 1.0, "b": 1}, {"b": 1}),
    "another form of a date": (MAP | {"properties": {"a": DATE}}, {"a": "20261130"}, {"a": "2026-11-30"}, {}),
    "another date": (MAP | {"properties": {"a": DATE}}, {"a": "2026-11-29"}, {"a": "20261130"}, {"a": "2026-11-30"}),
    "the same moment": (MAP | {"properties": {"a": MOMENT}}, {"a": NOON}, {"a": SAME}, {}),
    "the same in a list": (MAP | {"properties": {"a": MOMENTS}}, {"a": [SAME]}, {"a": [NOON]}, {}),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "was", "wanted", "patch"), FIELDS.values(), ids=list(FIELDS))
def test_fields_of_other_types(schema: Wire, was: Any, wanted: Wire, patch: Wire) -> None:
    """Entries of a map are fields, as for RFC 7396; a date has one form, and a moment is the same with any offset."""
    whole = load(resolved({}, {"type": "object", "properties": {"free": schema}}, {}, "whole"))
    old, new = (to_json({"free": each}, whole, sent=False) for each in (was, wanted))
    found = to_json(unchecked_difference(old, new, whole), whole, sent=True, before=old)
    assert found == ({"free": patch} if patch else {})
    assert strictly(without_empty_groups(merge(old, found))) == strictly(without_empty_groups(merge(old, new)))


@pytest.mark.parametrize("argument", ["desired", "function: the result"])
def test_a_difference_speaks_of_what_the_caller_calls_it(argument: str) -> None:
    """What comes of a caller's function is not called `after`."""
    before = customer_json(Customer.from_dict(PAGE | {"id": ID}), "read")
    assert difference(before, other("b"), argument) == other("b")
    for wrong in (other(1), other(LONG), {"id": "2"}, 5):
        with pytest.raises(InvalidRequest, match=f"^{argument}: "):
            difference(before, wrong, argument)  # type: ignore[arg-type]
