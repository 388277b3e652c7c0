"""What must hold for a field of every type. `test_regenerate` runs it on a package made from `every_type.yaml`."""

import copy
import csv
import datetime as dt
import json
import pickle
import uuid
from functools import reduce
from pathlib import Path
from typing import Any

import httpx
import pytest

import cybersource_tms
from cybersource_tms import Customer, CustomerRecord, CustomerUpdate, changed_fields
from cybersource_tms.errors import InvalidRequest
from support.clients import Clients
from support.merge import REMOVED, merge

ID = "F2F3ADA770102B51E053A2598D0A9078"
CREATED = {"id": ID, "createdAt": "2026-01-01T00:00:00+00:00"}
UUID_1, UUID_2 = "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b811-9dad-11d1-80b4-00c04fd430c8"


def model(name: str, wire: Any) -> Any:
    """Return an instance of a model that only the changed spec has."""
    return getattr(cybersource_tms, name).from_dict(wire)


class Service(httpx.MockTransport):
    """One customer, which it merges patches into."""

    def __init__(self, customer: Any) -> None:
        self.customer = customer
        self.patches: list[Any] = []
        super().__init__(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH":
            self.patches.append(json.loads(request.content))
            self.customer = merge(self.customer, self.patches[-1])
        return httpx.Response(200, json=self.customer, headers={"ETag": "a"})


# name on the wire: value before and value after on the wire, value after in a model, then what is refused: a value on
# the wire, a value in a model, and what was expected there.
ROWS: dict[str, tuple[Any, Any, Any, Any, Any, str]] = {
    "nickname": ("a", "b", "b", 1, 1, ": expected text or null, not a whole number"),
    "tier": ("gold", "silver", "silver", "iron", "iron", ': expected "gold" or "silver" or null, not text'),
    "level": (1, 2, 2, 3, 3, ": expected 1 or 2 or null, not a whole number"),
    "points": (1, 2, 2, 1.5, "1", ": expected a whole number or null, not "),
    "rate": (1, 1.5, 1.5, "1", True, ": expected a number or null, not "),
    "isActive": (True, False, False, 1, 0, ": expected true or false or null, not a whole number"),
    "birthday": ("2000-02-29", "2001-03-01", dt.date(2001, 3, 1), "1.3.2001", "1.3.2001", ": expected a date"),
    "seenAt": (
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:00:01+00:00",
        dt.datetime(2026, 1, 1, 0, 0, 1, tzinfo=dt.UTC),
        "2026-01-01T00:00:01",
        dt.datetime(2026, 1, 1, 0, 0, 1),  # noqa: DTZ001
        ": has no time zone",
    ),
    "deviceId": (UUID_1, UUID_2, uuid.UUID(UUID_2), "1", "1", ": expected a UUID or null, not text"),
    "tags": (["a"], ["b", "a"], ["b", "a"], ["b", 1], ["b", 1], "[1]: expected text, not a whole number"),
    "grades": (["a"], ["a", "b"], ["a", "b"], ["c"], ["c"], '[0]: expected "a" or "b", not text'),
    "days": ([], ["2026-01-01"], [dt.date(2026, 1, 1)], ["x"], ["x"], "[0]: expected a date"),
    "matrix": ([[1]], [[1], []], [[1], []], [["1"]], [["1"]], "[0][0]: expected a whole number, not text"),
    "cards": (
        [{"number": "1", "until": "2026-01-01"}],
        [{"number": "2", "kind": "debit"}],
        [model("Card", {"number": "2", "kind": "debit"})],
        [{"kind": "debit", "until": None}],
        [model("Card", {"number": "2", "kind": "new"})],
        "[0].",
    ),
    "mainCard": ({"number": "1"}, {"number": "2"}, model("Card", {"number": "2"}), {"until": 1}, 1, ""),
    "limits": (
        {"a": 1},
        {"a": 2},
        model("EveryTypeLimits", {"a": 2}),
        {"a": "2"},
        model("EveryTypeLimits", {"a": "2"}),
        ".a: expected a whole number or null, not text",
    ),
    "trip": (
        {"stops": [{"city": "a"}]},
        {"stops": [{"city": "b", "since": "2026-01-01"}]},
        model("EveryTypeTrip", {"stops": [{"city": "b", "since": "2026-01-01"}]}),
        {"stops": [{"city": 1}]},
        model("EveryTypeTrip", {"stops": [{"city": 1}]}),
        ".stops[0].city: expected text or null, not a whole number",
    ),
    "notes": (
        {"a": [1]},
        {"a": [2]},
        model("EveryTypeNotes", {"a": [2]}),
        [],
        model("EveryTypeNotes", {"a": {1}}),
        "",
    ),
    "always": ("a", "b", "b", None, None, ": expected text, not null"),
}  # fmt: skip
IN_ARRAYS = {"grades", "cards"}  # whose entries an update checks by type only, since the customer may have them already
STAYS = {"tier", "always"}  # what the spec requires, and what cannot be null
in_rows = pytest.mark.parametrize(
    ("name", "before", "after", "held"), [(name, *row[:3]) for name, row in ROWS.items()], ids=list(ROWS)
)


def attribute(name: str) -> str:
    """Return the name in Python of a field."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def group(name: str, value: Any) -> CustomerUpdate:
    """Return an update in model form, with one field of the group."""
    every_type = model("EveryType", {"tier": "gold"})
    setattr(every_type, attribute(name), value)
    changed: Any = CustomerUpdate  # whose type without the field is known to mypy
    update: CustomerUpdate = changed(every_type=every_type)
    return update


def whole(**fields: Any) -> dict[str, Any]:
    """Return a customer on the wire, with some fields of the group."""
    return CREATED | {"everyType": {"tier": "gold"} | fields}


def patch(changes: CustomerUpdate | None) -> Any:
    """Return what is sent for changes."""
    service = Service(whole())
    with cybersource_tms.CustomersClient("test", httpx.BasicAuth("a", "b"), transport=service) as customers:
        customers.update(ID, changes)  # type: ignore[arg-type]
    return service.patches[0]


@in_rows
def test_difference(name: str, before: Any, after: Any, held: Any) -> None:
    """A change is found between all forms, null removes, and the same value is no change."""
    old = whole(**{name: before})
    for was in (old, Customer.from_dict(old)):
        for wanted in (whole(**{name: after}), Customer.from_dict(whole(**{name: after})), group(name, held)):
            changes: Any = changed_fields(was, wanted)
            assert patch(changes) == {"everyType": {name: after}}
            assert getattr(changes.every_type, attribute(name)) == held
        assert changed_fields(was, Customer.from_dict(old)) is None
        if name not in STAYS:
            assert patch(changed_fields(was, {"everyType": {name: None}})) == {"everyType": {name: REMOVED}}


@pytest.mark.parametrize(("name", "row"), ROWS.items(), ids=list(ROWS))
def test_refused(name: str, row: tuple[Any, ...], clients: Clients) -> None:
    """A wrong value is refused with its path, on the wire and in a model, and nothing is sent."""
    before, _, _, wire, held, wrong = row
    service = Service(whole(**{name: before}))
    customers = clients.open(transport=service)
    refusals = []
    attempts: list[Any] = [
        lambda: changed_fields(service.customer, {"everyType": {name: wire}}),
        lambda: changed_fields(service.customer, group(name, held)),
        lambda: customers.update(ID, group(name, held)),
    ]
    for attempt in attempts[: 2 if name in IN_ARRAYS else 3]:
        with pytest.raises(InvalidRequest) as raised:
            attempt()
        refusals.append(str(raised.value).partition(": ")[2])
    assert [each for each in refusals if not each.startswith(f"everyType.{name}{wrong}")] == []
    assert service.patches == []


@in_rows
def test_modify_and_update(name: str, before: Any, after: Any, held: Any, clients: Clients) -> None:
    """Both send the new value, and the record has it."""

    def change(customer: Any) -> Any:
        setattr(customer.every_type, attribute(name), held)
        return customer

    service = Service(whole(**{name: before}))
    customers = clients.open(transport=service)
    customers.modify(ID, change)
    assert service.patches == [{"everyType": {name: after}}]
    customer: Any = customers.update(ID, group(name, held)).customer
    assert service.patches[1:] == [{"everyType": {"tier": "gold"} | {name: after}}]
    assert getattr(customer.every_type, attribute(name)) == held


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("nickname", str, "b"),
        ("tier", str, "silver"),
        ("level", int, 2),
        ("points", int, 2),
        ("rate", float, 1.5),
        ("rate", float, 1),
        ("isActive", bool, False),
        ("points", int, True),
        ("rate", float, True),
        ("notes.a", int, True),
        ("birthday", dt.date, dt.date(2001, 3, 1)),
        ("seenAt", dt.datetime, dt.datetime(2026, 1, 1, 0, 0, 1, tzinfo=dt.UTC)),
        ("deviceId", uuid.UUID, uuid.UUID(UUID_2)),
        ("mainCard.number", str, "2"),
        ("limits.a", int, 2),
        ("notes.a", str, "x"),
    ],
)
def test_get(name: str, kind: type, value: Any) -> None:
    """A field of any type is read by its path, as the model has it; None where it is not there. True is no number."""
    outer, _, inner = name.partition(".")
    wire = str(value) if kind is uuid.UUID else value.isoformat() if isinstance(value, dt.date) else value
    read = CustomerRecord(Customer.from_dict(whole(**{outer: {inner: wire} if inner else wire})), None, None)
    assert read.get(f"everyType.{name}", kind=kind) == (None if value is True else value)
    assert CustomerRecord(Customer.from_dict(CREATED), None, None).get(f"everyType.{name}", kind=kind) is None


@pytest.mark.parametrize(("name", "kind"), [("rate", int), ("birthday", str), ("tags", str), ("limits", dict)])
def test_get_of_another_type(name: str, kind: type) -> None:
    """It is refused: a number may be 1.5, and a date is no text."""
    with pytest.raises(InvalidRequest, match=f"everyType.{name}: it "):
        CustomerRecord(Customer.from_dict(whole()), None, None).get(f"everyType.{name}", kind=kind)


CELLS: dict[str, tuple[str, str, Any]] = {
    **{name: (f"everyType.{name}", json.dumps(row[1]).strip('"'), row[1]) for name, row in ROWS.items()},
    "Excel's true": ("everyType.isActive", "TRUE", True),
    "within a map": ("everyType.limits.a", "2", 2),
    "within an object that may hold anything": ("everyType.notes.a", "[2]", [2]),
    "text that may be anything": ("everyType.notes.a", "b", "b"),
    "no whole number": ("everyType.points", "1.5", ": expected a whole number or null, not a number"),
    "not true": ("everyType.isActive", "yes", ": expected true or false or null, not text"),
    "not a date": ("everyType.birthday", "1.3.2001", ": expected a date such as 2026-11-30 or null, not text"),
    "removed though it cannot be": ("everyType.always", "<null>", ": expected text, not null"),
}  # fmt: skip


@pytest.mark.parametrize(("column", "cell", "expected"), CELLS.values(), ids=list(CELLS))
def test_a_cell(column: str, cell: str, expected: Any, tmp_path: Path) -> None:
    """In a CSV file of customers, a cell is read as what its field can hold."""
    from cybersource_tms._cli.rows import RowsFile

    path = tmp_path / "customers.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["id", column], [ID, cell]])
    [row] = RowsFile(path, ",", ())
    if row.problem:
        assert str(row.problem).endswith(f"{column}{expected}")
    else:
        assert row.wanted == reduce(lambda inner, name: {name: inner}, reversed(column.split(".")), expected)


UNEXPECTED: dict[str, dict[str, Any]] = {
    "new choice": whole(tier="platinum"),
    "new number": whole(level=7),
    "new choice in a list": whole(grades=["a", "z"]),
    "new choice in an entry": whole(cards=[{"number": "1", "kind": "new"}]),
    "nulls": CREATED | {"everyType": dict.fromkeys(ROWS)},
    "nulls in entries": whole(cards=[{"number": None, "kind": None}]),
    "what only the service writes": CREATED | {"createdAt": 7, "visits": [7, {"number": 1}, None]},
    "not a time": CREATED | {"createdAt": "yesterday"},
    "unknown fields": whole(new={"a": [None]}) | {"new": 1},
}


@pytest.mark.parametrize("customer", UNEXPECTED.values(), ids=list(UNEXPECTED))
def test_read(customer: dict[str, Any], clients: Clients) -> None:
    """What the service sends unexpectedly is kept, copied, pickled and equal, and another field can be edited."""
    service = Service(customer)
    customers = clients.open(transport=service)
    read = customers.retrieve(ID).customer
    assert read.to_dict() == customer
    for same in (copy.deepcopy(read), pickle.loads(pickle.dumps(read)), customer):
        assert changed_fields(read, same) is None
    customers.apply(ID, {"vip": False})
    assert service.patches == [{"vip": False}]


def test_what_is_new_is_public() -> None:
    """Every class of the changed spec can be imported from the package."""
    assert {"EveryType", "Card", "EveryTypeLimits", "EveryTypeNotes"} <= set(cybersource_tms.__all__)
