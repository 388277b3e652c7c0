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

from cybersource_tms import (
    UNSET,
    BuyerInformation,
    ClientReferenceInformation,
    Customer,
    CustomerUpdate,
    Link,
    MerchantDefinedInformation,
    Unset,
    changed_fields,
)
from cybersource_tms._diff.changed_fields import difference, field_paths
from cybersource_tms.errors import InvalidRequest
from support.customers import CUSTOMERS, JSON, RESPONSES, TEXTS, Wire, pairs
from support.merge import REMOVED, merge

Form = Callable[[Any], Any]
Path = tuple[str, ...]

ID = "F2F3ADA770102B51E053A2598D0A9078"
FORMS: dict[str, Form] = {"mapping": dict, "Customer": Customer.from_dict, "CustomerUpdate": CustomerUpdate.from_dict}


def model(wire: Wire) -> Customer | CustomerUpdate:
    """Return the model that can hold a customer: one without an id is no `Customer`."""
    return Customer.from_dict(wire) if "id" in wire else CustomerUpdate.from_dict(wire)


def read_only(value: Any) -> Any:
    """Return a mapping that is no dict, with such mappings in it."""
    if isinstance(value, dict):
        return MappingProxyType({name: read_only(inner) for name, inner in value.items()})
    return [read_only(item) for item in value] if isinstance(value, list) else value


# Made anew from the wire form, so that no two arguments share anything.
ROUTES: dict[str, Form] = {
    "mapping": deepcopy,
    "read-only mapping": read_only,
    "model": lambda wire: model(deepcopy(wire)),
    "copied model": lambda wire: copy(model(deepcopy(wire))),
    "deep-copied model": lambda wire: deepcopy(model(wire)),
    "pickled model": lambda wire: pickle.loads(pickle.dumps(model(wire))),
}
in_all_befores = pytest.mark.parametrize("as_before", FORMS.values(), ids=[f"before {name}" for name in FORMS])
in_all_afters = pytest.mark.parametrize("as_after", FORMS.values(), ids=[f"after {name}" for name in FORMS])
in_all_forms = pytest.mark.parametrize("form", ROUTES.values(), ids=list(ROUTES))
forms = st.sampled_from(list(ROUTES.values()))
by_property = settings(max_examples=50)


def wire_form(changes: CustomerUpdate | None) -> Wire:
    """Return the patch that would be sent; no changes are the patch that changes nothing."""
    return {} if changes is None else changes.to_dict()


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
        wire = (wire or {}).get(name)
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


def data(*entries: str) -> list[Wire]:
    """Return the merchant's own data in wire form: `data1=x`."""
    return [dict(zip(("name", "value"), entry.split("="), strict=True)) for entry in entries]


def buyer(**fields: Any) -> Wire:
    """Return a customer in wire form that has only the buyer."""
    return {"buyerInformation": fields}


def reference(code: Any) -> Wire:
    """Return a customer in wire form that has only the merchant's reference."""
    return {"clientReferenceInformation": {"code": code}}


def entries(*texts: str) -> Wire:
    """Return a customer in wire form that has only the merchant's own data."""
    return {"merchantDefinedInformation": data(*texts)}


PAGE = buyer(merchantCustomerID="Your customer identifier", email="test@cybs.com") | reference("TC50171_3")
PAGE |= entries("data1=Your customer data") | {"metadata": {"creator": "testrest"}, "_links": {"self": {"href": "/c"}}}
PAGE_UPDATE = {
    name: PAGE[name] for name in ("buyerInformation", "clientReferenceInformation", "merchantDefinedInformation")
}
NO_CHANGES = None
ALONE = {"metadata": {"creator": "testrest"}, "_links": {"self": {"href": "/c"}}, "_embedded": {"a": [True, {"b": 0}]}}


def rule(*cases: tuple[str, Wire, Wire, Wire | None]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with `before`, `after` and what is to come out, in all three forms each. All have the same id."""
    of_cases = pytest.mark.parametrize(
        ("before", "after", "expected"), [case[1:] for case in cases], ids=[case[0] for case in cases]
    )

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        parametrized: Callable[..., None] = in_all_befores(in_all_afters(of_cases(test)))
        return parametrized

    return decorate


def compare(as_before: Form, before: Wire, as_after: Form, after: Wire) -> Wire | None:
    """Return the wire form of what `changed_fields` makes of two forms of the customer `ID`."""
    changes = changed_fields(as_before({"id": ID} | deepcopy(before)), as_after({"id": ID} | deepcopy(after)))
    assert changes is None or type(changes) is CustomerUpdate
    return None if changes is None else changes.to_dict()


@rule(
    ("nothing is given", PAGE, {}, None),
    ("a whole group is missing", PAGE, reference("new"), reference("new")),
    ("a field of a group is missing", PAGE, buyer(email="new@example.com"), buyer(email="new@example.com")),
    ("what is given is the same", PAGE, buyer(email="test@cybs.com"), NO_CHANGES),
    ("what only the service writes is missing", PAGE | ALONE, PAGE, NO_CHANGES),
)
def test_rule_1_a_missing_field_is_left_alone(
    as_before: Form, before: Wire, as_after: Form, after: Wire, expected: Wire | None
) -> None:
    """A field that `after` does not have is in no patch: missing never deletes."""
    assert compare(as_before, before, as_after, after) == expected


@pytest.mark.parametrize("missing", [UNSET, deepcopy(UNSET)], ids=["UNSET", "copied UNSET"])
def test_rule_1_unset_is_missing(missing: Unset) -> None:
    """UNSET at any place of a model is a field that is not given."""
    before = Customer.from_dict(PAGE | {"id": ID})
    after = CustomerUpdate(
        buyer_information=BuyerInformation(merchant_customer_id=missing, email="new@example.com"),
        client_reference_information=ClientReferenceInformation(code=missing),
        merchant_defined_information=missing,
    )
    assert wire_form(changed_fields(before, after)) == buyer(email="new@example.com")


@rule(
    ("a field", PAGE, buyer(email=REMOVED), buyer(email=REMOVED)),
    ("an empty text", buyer(email=""), buyer(email=REMOVED), buyer(email=REMOVED)),
    ("a group", PAGE, {"buyerInformation": REMOVED}, {"buyerInformation": REMOVED}),
    ("an empty group", {"buyerInformation": {}}, {"buyerInformation": REMOVED}, {"buyerInformation": REMOVED}),
    ("a list", PAGE, {"merchantDefinedInformation": REMOVED}, {"merchantDefinedInformation": REMOVED}),
    ("an empty list", entries(), {"merchantDefinedInformation": REMOVED}, {"merchantDefinedInformation": REMOVED}),
    ("the last field of a group", reference("a"), reference(REMOVED), reference(REMOVED)),
    ("a field that is not there", buyer(email="a"), buyer(merchantCustomerID=REMOVED), NO_CHANGES),
    ("a field of a group that is not there", {}, reference(REMOVED), NO_CHANGES),
    ("a group that is not there", {}, {"buyerInformation": REMOVED}, NO_CHANGES),
    ("a list that is not there", {}, {"merchantDefinedInformation": REMOVED}, NO_CHANGES),
    ("a field that is null", buyer(email=None), buyer(email=REMOVED), NO_CHANGES),
    ("a group that is null", {"buyerInformation": None}, {"buyerInformation": REMOVED}, NO_CHANGES),
    ("a field of a group that is null", {"buyerInformation": None}, buyer(email=REMOVED), NO_CHANGES),
)
def test_rule_2_none_removes_what_is_there(
    as_before: Form, before: Wire, as_after: Form, after: Wire, expected: Wire | None
) -> None:
    """`None` in `after` is null in the patch where `before` has the field, and nothing otherwise."""
    assert compare(as_before, before, as_after, after) == expected


@rule(
    ("only the field that differs", PAGE, buyer(**PAGE["buyerInformation"] | {"email": "b"}), buyer(email="b")),
    ("a new field", buyer(email="a"), buyer(merchantCustomerID="1"), buyer(merchantCustomerID="1")),
    ("a new group", buyer(email="a"), reference("a"), reference("a")),
    ("a group instead of null", {"buyerInformation": None}, buyer(email="a"), buyer(email="a")),
    ("a group without a difference", PAGE, buyer(email="test@cybs.com") | reference("b"), reference("b")),
    ("an empty group", PAGE, {"buyerInformation": {}}, NO_CHANGES),
    ("a new empty group", {}, {"buyerInformation": {}}, NO_CHANGES),
    ("an empty group instead of null", {"buyerInformation": None}, {"buyerInformation": {}}, NO_CHANGES),
)
def test_rule_3_objects_are_compared_field_by_field(
    as_before: Form, before: Wire, as_after: Form, after: Wire, expected: Wire | None
) -> None:
    """A group in the patch has only the fields that differ, and a group without any is left out."""
    assert compare(as_before, before, as_after, after) == expected


@rule(
    ("one entry differs", entries("data1=a", "data2=b"), entries("data1=a", "data2=c"), entries("data1=a", "data2=c")),
    ("another order", entries("data1=a", "data2=b"), entries("data2=b", "data1=a"), entries("data2=b", "data1=a")),
    ("one entry more", entries("data1=a"), entries("data1=a", "data1=a"), entries("data1=a", "data1=a")),
    ("one entry less", entries("data1=a", "data2=b"), entries("data1=a"), entries("data1=a")),
    (
        "one field of an entry less",
        entries("data1=a"),
        {"merchantDefinedInformation": [{"name": "data1"}]},
        {"merchantDefinedInformation": [{"name": "data1"}]},
    ),
    ("an empty entry", entries(), {"merchantDefinedInformation": [{}]}, {"merchantDefinedInformation": [{}]}),
    ("none at all", entries("data1=a"), entries(), entries()),
    ("none instead of a missing list", {}, entries(), entries()),
    ("some instead of null", {"merchantDefinedInformation": None}, entries("data1=a"), entries("data1=a")),
    ("the same", entries("data1=a", "data2=b"), entries("data1=a", "data2=b"), NO_CHANGES),
)
def test_rule_4_arrays_are_sent_as_a_whole(
    as_before: Form, before: Wire, as_after: Form, after: Wire, expected: Wire | None
) -> None:
    """Any difference in an array, its order included, sends the final array; no difference sends nothing."""
    assert compare(as_before, before, as_after, after) == expected


@rule(
    ("an empty text is not missing", {}, buyer(email=""), buyer(email="")),
    ("an empty text is not null", buyer(email=None), buyer(email=""), buyer(email="")),
    ("an empty text is not a text", buyer(email="a"), buyer(email=""), buyer(email="")),
    ("case", buyer(email="a@example.com"), buyer(email="A@example.com"), buyer(email="A@example.com")),
    ("blanks", buyer(email="a"), buyer(email="a "), buyer(email="a ")),
    ("no normal form of Unicode", buyer(email="\u00e9"), buyer(email="e\u0301"), buyer(email="e\u0301")),
    ("a numeral", buyer(email="1"), buyer(email="1.0"), buyer(email="1.0")),
)
def test_rule_5_values_are_compared_strictly(
    as_before: Form, before: Wire, as_after: Form, after: Wire, expected: Wire | None
) -> None:
    """Only the very same text is the same."""
    assert compare(as_before, before, as_after, after) == expected


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
@pytest.mark.parametrize(
    "wrap", [lambda v: v, lambda v: [v], lambda v: {"a": [{"b": v}]}], ids=["bare", "list", "deep"]
)
@pytest.mark.parametrize(
    ("was", "wanted"),
    [
        (True, 1),
        (1, True),
        (False, 0),
        (0, False),
        (None, False),
        (0, None),
        ("", None),
        ("1", 1),
        ([], {}),
        ({}, None),
    ],
    ids=repr,
)
def test_rule_5_true_is_not_1(form: Form, wrap: Form, was: Any, wanted: Any) -> None:
    """Values that Python calls equal or false, and JSON different, are different at any depth."""
    before, after = form({"id": ID, "_embedded": wrap(was)}), form({"id": ID, "_embedded": wrap(wanted)})
    assert changed_fields(before, deepcopy(before)) is None
    with pytest.raises(InvalidRequest, match=r"^after: _embedded: "):
        changed_fields(before, after)


@rule(
    ("all", PAGE | ALONE, PAGE | ALONE, NO_CHANGES),
    ("the id alone", PAGE | ALONE, {}, NO_CHANGES),
    ("beside a difference", PAGE | ALONE, PAGE | ALONE | reference("b"), reference("b")),
    ("in a group", buyer(email="a", newInTheService=[1]), buyer(email="b", newInTheService=[1]), buyer(email="b")),
    (
        "in an entry",
        {"merchantDefinedInformation": [{"new": 1}]},
        {"merchantDefinedInformation": [{"new": 1}]},
        NO_CHANGES,
    ),
)
def test_rule_6_what_only_the_service_writes_is_never_sent(
    as_before: Form, before: Wire, as_after: Form, after: Wire, expected: Wire | None
) -> None:
    """The id, `_links`, `metadata` and fields that the spec does not know are in no patch."""
    assert compare(as_before, before, as_after, after) == expected


# Every text in what follows has the marker, and every number is the marker: no message may show either.
MARK, NUMBER = "sesame", 424242
TEXT = f"{MARK}@example.com"


def refused(before: Any, after: Any) -> str:
    """Return the message of the refusal, of which nothing that is printed may hold a value."""
    with pytest.raises(InvalidRequest) as raised:
        changed_fields(before, after)
    error = raised.value
    assert isinstance(error, ValueError)
    assert error.may_have_been_applied is False
    printed = "".join((str(error), repr(error), *traceback.format_exception(error)))
    assert MARK not in printed
    assert str(NUMBER) not in printed
    return str(error)


SERVICE: Wire = {
    "id": ID,
    "_links": {"self": {"href": TEXT}},
    "metadata": {"creator": TEXT},
    "_embedded": {"a": [TEXT]},
}
OTHERS: dict[str, tuple[Wire, Wire, str]] = {
    "another link": (SERVICE, {"_links": {"self": {"href": MARK}}}, "_links"),
    "one link more": (SERVICE, {"_links": SERVICE["_links"] | {"paymentInstruments": {}}}, "_links"),
    "no links": (SERVICE, {"_links": {}}, "_links"),
    "added links": ({}, {"_links": {"self": {"href": TEXT}}}, "_links"),
    "another creator": (SERVICE, {"metadata": {"creator": MARK}}, "metadata"),
    "added metadata": ({}, {"metadata": {"creator": TEXT}}, "metadata"),
    "another unknown field": (SERVICE, {"_embedded": {"a": [MARK]}}, "_embedded"),
    "an added unknown field": ({}, {"_embedded": {"a": [TEXT]}}, "_embedded"),
    "another unknown field of a group": (buyer(x=TEXT), buyer(x=MARK), "buyerInformation.x"),
    "an added unknown field of a group": (buyer(email=TEXT), buyer(x=TEXT), "buyerInformation.x"),
    "an unknown field of a new group": ({}, buyer(x=TEXT), "buyerInformation.x"),
    "the id in a group": (SERVICE, buyer(id=ID), "buyerInformation.id"),
}


@in_all_afters
@in_all_befores
@pytest.mark.parametrize(("before", "after", "path"), OTHERS.values(), ids=list(OTHERS))
def test_rule_6_a_difference_in_it_is_named(
    as_before: Form, before: Wire, as_after: Form, after: Wire, path: str
) -> None:
    """A changed or an added field that only the service writes is refused with its path, beside a right change too."""
    message = refused(as_before({"id": ID} | before), as_after({"id": ID} | after | reference(TEXT)))
    assert message.startswith(f"after: {path}: ")


@in_all_afters
@in_all_befores
def test_rule_6_two_ids_are_two_customers(as_before: Form, as_after: Form) -> None:
    """A patch that would go to the wrong customer is refused, whatever else there is."""
    assert refused(as_before({"id": ID}), as_after({"id": MARK})).startswith("after: id: ")
    assert refused(as_before(PAGE | {"id": MARK}), as_after(PAGE | {"id": f"{MARK}2"})).startswith("after: id: ")


@in_all_afters
@pytest.mark.parametrize(
    "before", [PAGE_UPDATE, CustomerUpdate.from_dict(PAGE_UPDATE)], ids=["mapping", "CustomerUpdate"]
)
def test_rule_6_an_added_id_is_a_difference(before: Wire | CustomerUpdate, as_after: Form) -> None:
    """An id for a customer that has none is refused as well: nobody knows whose it is."""
    assert refused(before, as_after({"id": MARK})).startswith("after: id: ")


UNKNOWN: dict[str, tuple[Wire, str, str]] = {
    "another case": (buyer(merchantCustomerId=TEXT), "buyerInformation.merchantCustomerId", "merchantCustomerID"),
    "a slip": (buyer(emial=TEXT), "buyerInformation.emial", "email"),
    "a group": ({"buyerinformation": {"email": TEXT}}, "buyerinformation", "buyerInformation"),
    "Python's name": (
        {"client_reference_information": {}},
        "client_reference_information",
        "clientReferenceInformation",
    ),
    "without its underscore": ({"links": {}}, "links", "_links"),
    "in the only entry": (
        {"merchantDefinedInformation": [{"Value": TEXT}]},
        "merchantDefinedInformation[0].Value",
        "value",
    ),
    "in a later entry": (
        {"merchantDefinedInformation": [{"name": MARK}, {"name": MARK, "valeu": TEXT}]},
        "merchantDefinedInformation[1].valeu",
        "value",
    ),
    "nothing near": (buyer(zzz=TEXT), "buyerInformation.zzz", ""),
    "removed": (buyer(merchantCustomerId=REMOVED), "buyerInformation.merchantCustomerId", "merchantCustomerID"),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
@pytest.mark.parametrize(("after", "path", "nearest"), UNKNOWN.values(), ids=list(UNKNOWN))
def test_rule_7_an_unknown_key_is_named(form: Form, after: Wire, path: str, nearest: str) -> None:
    """A key that the spec does not have is refused with its path, and with the nearest known one where there is one."""
    message = refused(Customer(id=ID), form({"id": ID} | after))
    assert message == f"after: {path}: no such field" + (f", did you mean {nearest}?" if nearest else "")


@in_all_forms
@by_property
@given(pair=pairs(), other=forms)
def test_rule_8_nothing_is_changed_or_shared(form: Form, pair: tuple[Wire, Wire], other: Form) -> None:
    """The arguments are as before, even when all of the result is changed, since it has no mutable part of theirs."""
    before, after = form(pair[0]), other(pair[1])
    printed = repr((before, after))
    changes = changed_fields(before, after)
    assert repr((before, after)) == printed
    ours = {id(part) for part in (*mutables(before), *mutables(after))}
    assert not ours & {id(part) for part in mutables(changes)}
    spoil(changes)
    assert repr((before, after)) == printed


def test_rule_8_two_results_share_nothing() -> None:
    """What one result is made into is not seen in the next."""
    first = changed_fields({}, PAGE_UPDATE)
    spoil(first)
    assert wire_form(changed_fields({}, PAGE_UPDATE)) == PAGE_UPDATE


@in_all_forms
@by_property
@given(customer=CUSTOMERS, other=forms)
def test_rule_9_no_difference_is_none(form: Form, customer: Wire, other: Form) -> None:
    """Against itself, and against itself in any other form, a customer has no changes, and that is `None`."""
    same = form(customer)
    assert changed_fields(same, same) is None
    assert changed_fields(same, other(customer)) is None


@in_all_forms
@by_property
@given(pair=pairs(), other=forms)
@example(pair=({}, {"clientReferenceInformation": {"code": REMOVED}}), other=dict)
@example(pair=({"buyerInformation": None}, {"buyerInformation": {"email": "a"}}), other=dict)
def test_the_changes_do_what_the_whole_would(form: Form, pair: tuple[Wire, Wire], other: Form) -> None:
    """Sending the changes leaves the customer as sending all of `after` would."""
    before, after = pair
    changes = wire_form(changed_fields(form(before), other(after)))
    assert strictly(without_empty_groups(merge(before, changes))) == strictly(
        without_empty_groups(merge(before, after))
    )


@in_all_forms
@by_property
@given(pair=pairs(), other=forms)
def test_the_changes_are_the_fewest(form: Form, pair: tuple[Wire, Wire], other: Form) -> None:
    """Every leaf of the changes differs from what is there, and without any one of them the customer ends otherwise."""
    before, after = pair
    changes = wire_form(changed_fields(form(before), other(after)))
    for path in leaf_paths(changes):
        assert strictly(at(changes, path)) != strictly(at(before, path))
        assert strictly(at(changes, path)) == strictly(at(after, path))
        assert merge(before, without(changes, path)) != merge(before, changes)


@by_property
@given(before=RESPONSES, after=RESPONSES, form=forms, other=forms)
def test_what_is_sent_is_in_the_spec(before: Wire, after: Wire, form: Form, other: Form) -> None:
    """Whatever the service may have sent, the changes have only writable fields, or there is a refusal."""
    try:
        changes = wire_form(changed_fields(form(before), other(after)))
    except InvalidRequest:
        return
    assert set(changes) <= set(PAGE_UPDATE)
    assert before["id"] == after["id"]


NAMES = (
    TEXTS
    | st.integers()
    | st.sampled_from([*PAGE, *ALONE, "id", "email", "merchantCustomerID", "code", "name", "value"])
)
ANYTHING = st.recursive(
    JSON | st.sampled_from([UNSET, BuyerInformation(), b"bytes", ("tuple",), {1}, object()]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=300)
@given(before=ANYTHING, after=ANYTHING | st.dictionaries(NAMES, ANYTHING))
def test_nothing_but_a_refusal_comes_of_anything(before: Any, after: Any) -> None:
    """Whatever is given, there are changes or `None`, or `InvalidRequest`."""
    for first, second in ((before, after), ({}, after), (after, after)):
        try:
            changes = changed_fields(first, second)
        except InvalidRequest:
            continue
        assert changes is None or list(leaf_paths(changes.to_dict()))


def broken(kind: Any, **fields: Any) -> Any:
    """Return a model with values that its annotations do not admit; the models do not mind."""
    return kind(**fields)


def with_extra(customer: Any, key: Any, value: Any) -> Any:
    """Return a model with a field beside those that it knows."""
    customer[key] = value
    return customer


NAME = "merchantDefinedInformation[0].name"
WRONG: dict[str, tuple[Any, str]] = {
    "a number for a text": (buyer(email=NUMBER), "buyerInformation.email"),
    "true for a text": (buyer(email=True), "buyerInformation.email"),
    "an object for a text": (buyer(email={"a": TEXT}), "buyerInformation.email"),
    "a list for a text": (buyer(email=[TEXT]), "buyerInformation.email"),
    "bytes for a text": (buyer(email=TEXT.encode()), "buyerInformation.email"),
    "UNSET in a mapping": (buyer(email=UNSET), "buyerInformation.email"),
    "a text for a group": ({"buyerInformation": TEXT}, "buyerInformation"),
    "a list for a group": ({"buyerInformation": [{"email": TEXT}]}, "buyerInformation"),
    "a number for a group": ({"clientReferenceInformation": NUMBER}, "clientReferenceInformation"),
    "a number for the list": ({"merchantDefinedInformation": NUMBER}, "merchantDefinedInformation"),
    "a text for the list": ({"merchantDefinedInformation": TEXT}, "merchantDefinedInformation"),
    "an object for the list": ({"merchantDefinedInformation": {"name": TEXT}}, "merchantDefinedInformation"),
    "a text for an entry": ({"merchantDefinedInformation": [TEXT]}, "merchantDefinedInformation[0]"),
    "null for an entry": ({"merchantDefinedInformation": [{}, None]}, "merchantDefinedInformation[1]"),
    "a number in an entry": ({"merchantDefinedInformation": [{"name": NUMBER}]}, NAME),
    "a number for the id": ({"id": NUMBER}, "id"),
    "null for the id": ({"id": None}, "id"),
    "a key that is no text": ({7: TEXT}, "7"),
    "a key that is no text, in a group": ({"buyerInformation": {None: TEXT}}, "buyerInformation.None"),
    "a key that is no text, in an entry": (
        {"merchantDefinedInformation": [{7: TEXT}]},
        "merchantDefinedInformation[0].7",
    ),
    "a model in a mapping": ({"buyerInformation": BuyerInformation(email=TEXT)}, "buyerInformation"),
    "a model in a list": (
        {"merchantDefinedInformation": [MerchantDefinedInformation(value=TEXT)]},
        "merchantDefinedInformation[0]",
    ),
    "a number for a model's id": (broken(Customer, id=NUMBER), "id"),
    "a mapping in a model": (broken(CustomerUpdate, buyer_information={"email": TEXT}), "buyerInformation"),
    "a mapping in a model's list": (
        broken(CustomerUpdate, merchant_defined_information=[{"name": TEXT}]),
        "merchantDefinedInformation[0]",
    ),
    "another model in a model": (
        broken(CustomerUpdate, buyer_information=ClientReferenceInformation(code=TEXT)),
        "buyerInformation",
    ),
    "a number in a model's group": (
        CustomerUpdate(buyer_information=broken(BuyerInformation, merchant_customer_id=NUMBER)),
        "buyerInformation.merchantCustomerID",
    ),
    "a number in a model's entry": (
        CustomerUpdate(merchant_defined_information=[broken(MerchantDefinedInformation, name=NUMBER)]),
        NAME,
    ),
    "a tuple for a model's list": (
        broken(CustomerUpdate, merchant_defined_information=(MerchantDefinedInformation(value=TEXT),)),
        "merchantDefinedInformation",
    ),
    "a model beside a model's fields": (
        with_extra(CustomerUpdate(), "buyerInformation", BuyerInformation(email=TEXT)),
        "buyerInformation",
    ),
    "a key that is no text, beside a model's fields": (with_extra(Customer(id=ID), 7, TEXT), "7"),
}


@pytest.mark.parametrize(("wrong", "path"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_type_is_named(wrong: Any, path: str) -> None:
    """A wrong type anywhere in either argument is refused, with the argument and the path, whatever the other is."""
    assert refused(wrong, {}).startswith(f"before: {path}: ")
    assert refused({}, wrong).startswith(f"after: {path}: ")
    assert refused(wrong, wrong).startswith(f"before: {path}: ")


@pytest.mark.parametrize(
    "nothing",
    [
        None,
        NUMBER,
        TEXT,
        TEXT.encode(),
        [],
        [{"id": TEXT}],
        True,
        UNSET,
        Customer,
        BuyerInformation(email=TEXT),
        Link(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_customer_is_refused(nothing: Any) -> None:
    """An argument of another kind is refused by its name and type."""
    what = r"^{}: expected a Customer or a mapping, not "
    for name, arguments in {"before": (nothing, {}), "after": ({}, nothing)}.items():
        with pytest.raises(InvalidRequest, match=what.format(name)):
            changed_fields(*arguments)
        refused(*arguments)


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
@pytest.mark.parametrize(
    ("after", "path"),
    [
        (buyer(email=f"{MARK}\ud800"), "buyerInformation.email"),
        ({"merchantDefinedInformation": [{"name": "\udc00"}]}, NAME),
    ],
    ids=["a text", "an entry"],
)
def test_what_json_cannot_carry_is_refused(form: Form, after: Wire, path: str) -> None:
    """Half a surrogate pair cannot be sent, so it is refused as a new value, and not minded where it stays."""
    whole = {"id": ID} | after
    assert refused({"id": ID}, form(whole)).startswith(f"after: {path}: ")
    assert changed_fields(form(whole), form(whole)) is None
    assert changed_fields(form(whole), {"id": ID}) is None


def test_a_mapping_needs_not_be_a_dict() -> None:
    """Mappings of any kind do, at any depth, as an argument, a group and an entry."""
    before, after = buyer(email="a") | entries("data1=a"), buyer(email="b") | entries("data1=b", "data2=c")
    assert wire_form(changed_fields(read_only(before), read_only(after))) == after
    assert changed_fields(read_only(before), before) is None


ATTRIBUTES: dict[str, tuple[Any, str]] = {
    "a group": (
        with_extra(Customer(id=ID), "buyerInformation", {"email": TEXT}),
        "buyerInformation: set it as the attribute buyer_information, not in brackets",
    ),
    "a field of a group": (
        Customer(id=ID, buyer_information=with_extra(BuyerInformation(), "email", TEXT)),
        "buyerInformation.email: set it as the attribute email, not in brackets",
    ),
    "a field of an entry": (
        CustomerUpdate(merchant_defined_information=[with_extra(MerchantDefinedInformation(), "value", TEXT)]),
        "merchantDefinedInformation[0].value: set it as the attribute value, not in brackets",
    ),
}


@pytest.mark.parametrize(("customer", "message"), ATTRIBUTES.values(), ids=list(ATTRIBUTES))
def test_rule_7_a_field_in_brackets_is_named(customer: Any, message: str) -> None:
    """A field that is set in brackets, beside the attribute for it, is refused with the attribute's name."""
    assert refused({"id": ID}, customer) == f"after: {message}"
    assert refused(customer, {"id": ID}) == f"before: {message}"


UNEXPECTED: dict[str, Wire] = {
    "no links": {"_links": None},
    "a text for the links": {"_links": TEXT},
    "a text for a link": {"_links": {"self": TEXT}},
    "a number in a link": {"_links": {"self": {"href": NUMBER}}},
    "a number in the metadata": {"metadata": {"creator": NUMBER}},
    "null in an entry": {"merchantDefinedInformation": [{"name": "data1", "value": None}]},
    "not a number": {"newInTheService": {"title": float("nan")}},
}


@in_all_befores
@in_all_afters
@pytest.mark.parametrize("part", UNEXPECTED.values(), ids=list(UNEXPECTED))
def test_what_the_service_sends_unexpectedly_stays(as_before: Form, as_after: Form, part: Wire) -> None:
    """Two reads of the same customer are equal whatever they hold, and a change of another field is found."""
    before, after = ({"id": ID} | copy_of(part) for copy_of in (dict, deepcopy))
    assert changed_fields(as_before(before), as_after(after)) is None
    assert wire_form(changed_fields(as_before(before), as_after(after | buyer(email="a")))) == buyer(email="a")


@in_all_afters
def test_what_the_service_sends_unexpectedly_is_not_sent(as_after: Form) -> None:
    """A null where the spec has none is refused where it would be sent, and what only the service writes always is."""
    entries = [{"name": "data1", "value": None}]
    assert refused({"id": ID}, as_after({"id": ID, "merchantDefinedInformation": entries})) == (
        "after: merchantDefinedInformation[0].value: expected text, not null"
    )
    assert refused({"id": ID}, as_after({"id": ID, "_links": TEXT})) == "after: _links: only the service writes this"


def nested_lists(depth: int) -> list[Any]:
    """Return lists within lists."""
    deep: list[Any] = []
    for _ in range(depth):
        deep = [deep]
    return deep


@in_all_befores
@in_all_afters
def test_depth_does_not_matter(as_before: Form, as_after: Form) -> None:
    """Unknown fields are compared at any depth, also beyond what Python can recurse."""
    before, same, other = (nested_lists(depth) for depth in (3000, 3000, 3001))
    assert changed_fields(as_before({"id": ID, "new": before}), as_after({"id": ID, "new": same})) is None
    with pytest.raises(InvalidRequest, match=r"^after: new: only the service writes this$"):
        changed_fields(as_before({"id": ID, "new": before}), as_after({"id": ID, "new": other}))


@attrs.define
class Group:
    """A model with a map of anything in it, as the generator would make it."""

    free: "Free | Unset | None" = UNSET

    def to_dict(self) -> Wire:
        """Return the wire form, as a generated model does."""
        return {"free": self.free}


@attrs.define
class Free:
    """A map of anything, as the generator would make it."""

    additional_properties: dict[str, Any] = attrs.field(init=False, factory=dict)

    def to_dict(self) -> Wire:
        """Return the wire form, as a generated model does."""
        return dict(self.additional_properties)


@pytest.mark.parametrize(
    ("was", "wanted", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}),
        ({"a": 1}, {"a": None, "b": None}, {"a": None}),
        ({"a": {"x": 1, "y": [1]}}, {"a": {"x": 1, "y": [True]}}, {"a": {"y": [True]}}),
        ({"a": {"x": 1}}, {"a": {}}, {}),
        ({"a": 1}, {"a": {}}, {"a": {}}),
        (None, {"a": {"x": {}}}, {}),
        ({"a": {"x": 1}}, {"a": [1]}, {"a": [1]}),
    ],
    ids=str,
)
def test_a_map_is_compared_entry_by_entry(was: Any, wanted: Wire, expected: Wire) -> None:
    """The entries of a map are fields for RFC 7396, and so is what is in an object that the spec does not describe."""
    patch = difference({"free": was}, {"free": wanted}, Group)
    assert patch == ({"free": expected} if expected else {})
    assert without_empty_groups(merge({"free": was}, patch)) == without_empty_groups(
        merge({"free": was}, {"free": wanted})
    )


@pytest.mark.parametrize(
    ("patch", "paths"),
    [
        ({}, []),
        (buyer(email="a", merchantCustomerID=None), ["buyerInformation.email", "buyerInformation.merchantCustomerID"]),
        ({"buyerInformation": REMOVED} | reference("a"), ["buyerInformation", "clientReferenceInformation.code"]),
        (entries("data1=a", "data2=b"), ["merchantDefinedInformation"]),
    ],
    ids=["empty", "a group", "a removed group", "a list"],
)
def test_leaves_are_the_fields_that_a_patch_touches(patch: Wire, paths: list[str]) -> None:
    """The names of the changed fields, for the log: a list and a removed group are one each."""
    assert field_paths(patch) == paths
