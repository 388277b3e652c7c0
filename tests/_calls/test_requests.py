"""What a caller gives for a read or an update: what is wrong is refused by name, what is right is what is sent."""

from functools import partial
from typing import Any

import pytest

from cybersource_tms import UNSET, BuyerInformation, Customer, CustomerRecord, CustomerUpdate
from cybersource_tms._calls.requests import (
    is_same_customer,
    parse_changes,
    parse_customer_id,
    parse_if_match,
    retrieve_request,
    update_request,
)
from cybersource_tms.errors import InvalidRequest
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, PROFILE_ID
from support.clients import EMAIL, NEW_EMAIL, Clients
from support.fixed_response import FixedResponse

# The last two are the service's formats of 16 and 19 digits, which pass the check of a card's number (case F18).
IDS = ["a", "_", "-", "F" * 32, PAGE_CUSTOMER_ID.lower(), "a-B_9", "4111111111111111", "7010000000016241111"]
NO_IDS: list[Any] = ["", "F" * 33, "..", ".", "a/b", "a\\b", "a.b", "a b", " a", "a ", "a\n", "a\0", "a%2Fb", "a?b"]
NO_IDS += ["\u00e9", "\u0663", "\uff21", "e\u0301", "\ud800", "\u212a", b"a", 42, None, True, ["a"], UNSET]


def test_customer_ids() -> None:
    """An id is 1 to 32 characters that cannot reach another resource."""
    assert list(map(parse_customer_id, IDS)) == IDS


@pytest.mark.parametrize("customer_id", NO_IDS, ids=ascii)
def test_what_is_no_customer_id(customer_id: Any) -> None:
    """Anything else is refused, for a read and for an update, and not shown."""
    for request in (partial(retrieve_request, customer_id), partial(update_request, customer_id, {}, None)):
        with pytest.raises(InvalidRequest, match=r"^customer_id: expected 1 to 32 characters of A-Z, a-z, 0-9, _ and"):
            request(None)


SAME = [(PAGE_CUSTOMER_ID, PAGE_CUSTOMER_ID.lower()), ("kS-1", "Ks-1"), ("a", "a")]
OTHERS = [("a", "b"), ("a", "aa"), ("a", "\ud800"), ("1", "\uff11")]
OTHERS += [("k", "\u212a"), ("SS", "\u00df"), ("s", "\u017f"), ("I", "\u0131")]  # the same in Unicode's own ways


def test_ids_of_one_customer() -> None:
    """Ids are case-insensitive in ASCII and nowhere else (case F11)."""
    assert [pair for pair in SAME + OTHERS if is_same_customer(*pair)] == SAME
    assert not [pair for pair in OTHERS if is_same_customer(*reversed(pair))]


OLD = "holds what was read earlier, and would undo what others have changed since; "
ONLY = "give only the fields to write, or use update(id, changed_fields(before, after), if_match=record)"
EXPECTED = "expected a CustomerUpdate or a mapping with the API's names, not "
EMPTY = "there is no field in it, so there is nothing to send"
# What is given, the message without the name of the argument, and the path (cases J, F20).
REFUSED: dict[str, tuple[Any, str, str | None]] = {
    "a Customer": (Customer(id="A"), f"a Customer {OLD}{ONLY}", None),
    "a CustomerRecord": (CustomerRecord(Customer(id="A")), f"a CustomerRecord {OLD}{ONLY}", None),
    "a function": (lambda customer: customer, "a function goes to modify(id, function)", None),
    "a class": (CustomerUpdate, f"{EXPECTED}type", None),
    "a group": (BuyerInformation(email=EMAIL), f"{EXPECTED}BuyerInformation", None),
    "an attribute's name": (
        {"buyer_information": {"email": EMAIL}},
        "buyer_information: no such field, did you mean buyerInformation?",
        "buyer_information",
    ),
    "the id": ({"id": "A"}, f"id: only the service writes this; {ONLY}", "id"),
    "no field": ({}, EMPTY, None),
    "an empty group": ({"buyerInformation": {}}, EMPTY, None),
    "an empty update": (CustomerUpdate(BuyerInformation()), EMPTY, None),
    "a wrong type": (
        {"buyerInformation": {"email": 5}},
        "buyerInformation.email: expected text or null, not a whole number",
        "buyerInformation.email",
    ),
}


@pytest.mark.parametrize("argument", ["changes", "desired"])
@pytest.mark.parametrize(("changes", "problem", "path"), REFUSED.values(), ids=REFUSED)
def test_changes_that_are_refused(argument: str, changes: Any, problem: str, path: str | None) -> None:
    """The message names the argument and the field and says what to write instead, without a value."""
    with pytest.raises(InvalidRequest) as caught:
        parse_changes(argument, changes, limits=True)
    assert str(caught.value) == f"{argument}: {problem}"
    assert (caught.value.argument, caught.value.path) == (argument, path)


def test_no_changes_at_all() -> None:
    """None as `changes` is what `changed_fields` returns; as `desired` it is just no mapping."""
    for argument, problem in (("changes", "it is None, which changed_fields returns"), ("desired", f"{EXPECTED}None")):
        with pytest.raises(InvalidRequest, match=f"^{argument}: {problem}"):
            parse_changes(argument, None, limits=True)


def test_limits() -> None:
    """An update is held to the spec's limits but for the entries of an array; without `limits`, to names and types."""
    long, entries = {"buyerInformation": {"email": "x" * 300}}, {"merchantDefinedInformation": [{"name": "data9"}]}
    assert [parse_changes("desired", changes, limits=False) for changes in (long, entries)] == [long, entries]
    assert parse_changes("changes", entries, limits=True) == entries
    with pytest.raises(InvalidRequest, match=r"^changes: buyerInformation\.email: at most 255 characters, it has 300$"):
        parse_changes("changes", long, limits=True)


def test_what_is_sent() -> None:
    """What is set is sent and nothing else; null and an empty list are something; models and mappings are the same."""
    update = CustomerUpdate(BuyerInformation(email=None), merchant_defined_information=[])
    mapping = {"buyerInformation": BuyerInformation(email=None), "merchantDefinedInformation": []}
    sent = {"buyerInformation": {"email": None}, "merchantDefinedInformation": []}
    assert [parse_changes("changes", changes, limits=True) for changes in (update, mapping)] == [sent, sent]


def record(etag: str | None, customer_id: str = PAGE_CUSTOMER_ID.lower()) -> CustomerRecord:
    """Return a record of the page's customer."""
    return CustomerRecord(Customer(id=customer_id), etag)


ETAGS = ["x", "x" * 256, '"quoted"', 'W/"weak"', '"*"', '"a,b"', '""', "!#$%&'()+-./:;<=>?@[]^_`{|}~"]
NO_ETAGS: list[Any] = ["", "*", " ", "E1, E2", "E1,E2", '"E1", "E2"', "a b", " a", "a ", "a\n", "\na", "a\r\nX: y"]
NO_ETAGS += ["a\t", "a\0", "a\x7f", "\u00e9", "\u0663", "\ud800", '"a', 'a"', '"a b"', 'w/"a"', "x" * 257]
NO_GUARD = "if_match: expected the record, or its ETag unchanged: one ETag, and not * or a list"
UNUSABLE = "if_match: the record has no ETag that can guard an update"


def refusal_of(if_match: object) -> str:
    """Return the message with which a guard is refused."""
    with pytest.raises(InvalidRequest) as caught:
        parse_if_match(if_match, PAGE_CUSTOMER_ID)
    return str(caught.value)


@pytest.mark.parametrize("etag", ETAGS)
def test_etags(etag: str) -> None:
    """One ETag is sent unchanged, as text or in a record of the customer."""
    assert [parse_if_match(given, PAGE_CUSTOMER_ID) for given in (etag, record(etag), None)] == [etag, etag, None]


@pytest.mark.parametrize("etag", NO_ETAGS, ids=ascii)
def test_what_is_no_etag(etag: Any) -> None:
    """`*`, a list, and what a header cannot carry are refused, in a record too, without being shown (case F10)."""
    assert [refusal_of(etag), refusal_of(record(etag))] == [NO_GUARD, UNUSABLE]


def test_what_cannot_guard() -> None:
    """Only a text or a record can guard, one with an ETag and about the same customer."""
    assert {refusal_of(given) for given in (b"a", 42, True, ["a"], UNSET, Customer(id="A"))} == {NO_GUARD}
    assert refusal_of(record(None)) == UNUSABLE
    assert refusal_of(record("etag", "A")) == "if_match: the record is about another customer"


def test_operations() -> None:
    """A read and an update go to the customer, with the profile and the guard if there are any."""
    read, guarded = retrieve_request("A", PROFILE_ID), update_request("A", {"buyerInformation": None}, "E", PROFILE_ID)
    body = {"buyerInformation": {"email": EMAIL, "merchantCustomerID": None}, "merchantDefinedInformation": []}
    plain = update_request("A", body, None, None)
    assert {each.path for each in (read, guarded, plain)} == {"/tms/v2/customers/A"}
    assert [each.method for each in (read, guarded, plain)] == ["GET", "PATCH", "PATCH"]
    assert read.headers == {"profile-id": PROFILE_ID}
    assert guarded.headers.keys() - plain.headers.keys() == {"if-match", "profile-id"}
    assert [each.body for each in (read, plain)] == [None, body]
    assert (read.fields, guarded.fields) == ((), ("buyerInformation",))
    assert plain.fields == (
        *(f"buyerInformation.{name}" for name in body["buyerInformation"]),
        "merchantDefinedInformation",
    )
    assert str(body) not in f"{plain!r} {plain}"


def test_ids_and_names_that_are_more_than_text() -> None:
    """What was checked is what is sent and told: a member of an Enum could be shown by its name."""
    shown = type("Shown", (str,), {"__str__": lambda _: "Customers.ROE", "__format__": lambda *_: "Fields.GROUP"})
    changes = parse_changes("changes", {shown("buyerInformation"): {shown("email"): "a"}}, limits=True)
    operation = update_request(shown("A"), changes, None, None)
    assert (operation.path, operation.fields) == ("/tms/v2/customers/A", ("buyerInformation.email",))


def test_nothing_is_sent_that_was_refused(clients: Clients) -> None:
    """A client refuses each argument that is wrong before it sends anything."""
    transport = FixedResponse()
    client = clients.open(transport=transport)
    for customer_id, changes, etag in (("..", NEW_EMAIL, None), ("A", {}, None), ("A", NEW_EMAIL, "*")):
        with pytest.raises(InvalidRequest, match=r"^(customer_id|changes|if_match): "):
            client.update(customer_id, changes, if_match=etag)
    assert transport.requests == []
