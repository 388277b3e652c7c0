"""Reading a customer, and editing one: what goes out, and what can be looked at afterwards."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cybersource_tms import (
    UNSET,
    AsyncCustomersClient,
    BuyerInformation,
    ClientReferenceInformation,
    Customer,
    CustomersClient,
    CustomerUpdate,
    DefaultPaymentInstrument,
    MerchantDefinedInformation,
    ObjectInformation,
    Retries,
    SharedSecretAuth,
    errors,
)
from cybersource_tms_sandbox import (
    KEY_ID,
    MERCHANT_ID,
    PAGE_CUSTOMER_ID,
    PROFILE_ID,
    SECRET,
    Fault,
    Sandbox,
    page_customer,
)
from cybersource_tms_sandbox._customers import merge
from support.clients import EMAIL, NEW_EMAIL, BlockingClient, Clients
from support.fixed_response import FixedResponse
from support.merge import REMOVED
from support.recording import RecordingTransport, do_nothing
from support.waiting import HANGS, eventually, shorten_read_timeout

PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
Change = Callable[[Any], object]


def methods(sandbox: Sandbox) -> list[str]:
    """Return the methods of what the stand-in received."""
    return [received.method for received in sandbox.received]


# Retrieving

BARE = {"id": PAGE_CUSTOMER_ID}
FULL = page_customer() | {"_embedded": {"a": [1, {"b": None}]}, "new": 1.5, "objectInformation": None}


@pytest.mark.parametrize("customer", [page_customer(), BARE, FULL], ids=["page", "bare", "full"])
def test_retrieve(clients: Clients, sandbox: Sandbox, customer: dict[str, Any]) -> None:
    """One GET without a body goes out, and the whole customer comes back, with what the spec does not know."""
    sandbox.put(customer)
    record = clients.open(transport=sandbox.transport).retrieve(PAGE_CUSTOMER_ID)
    [received] = sandbox.received
    assert (received.method, received.path, received.body) == ("GET", PATH, b"")
    assert not {"if-match", "profile-id"} & set(received.headers)
    assert record.customer.to_dict() == sandbox.customer() == customer
    assert record.etag == sandbox.etag()
    assert record.correlation_id


def test_retrieve_with_a_profile(clients: Clients, sandbox: Sandbox) -> None:
    """The client's profile goes with it; one that is not known, or may not, has its own error."""
    client = clients.open(transport=sandbox.transport, profile_id=PROFILE_ID)
    client.retrieve(PAGE_CUSTOMER_ID)
    assert sandbox.received[0].headers["profile-id"] == PROFILE_ID
    sandbox.forbidden_profiles = {PROFILE_ID}
    with pytest.raises(errors.Forbidden):
        client.retrieve(PAGE_CUSTOMER_ID)
    sandbox.forbidden_profiles, sandbox.profiles = set(), set()
    with pytest.raises(errors.ProfileNotFound):
        client.retrieve(PAGE_CUSTOMER_ID)


HTML = b"<html>"
FAILURES: dict[str, tuple[Fault, type[errors.CybersourceError]]] = {
    **{
        str(status): (Fault(status=status, body=HTML), kind)
        for status, kind in {
            302: errors.StatusError,
            400: errors.BadRequest,
            401: errors.Unauthorized,
            403: errors.Forbidden,
            404: errors.NotFound,
            410: errors.TokenDeleted,
            412: errors.PreconditionFailed,
            424: errors.ProfileNotFound,
            429: errors.TooManyRequests,
            500: errors.ServiceError,
            502: errors.ServiceError,
            503: errors.ServiceError,
            504: errors.ServiceError,
            520: errors.StatusError,
        }.items()
    },
    "cut": (Fault(cut="before"), errors.ConnectionFailed),
    "cut in the middle": (Fault(cut="middle"), errors.UnreadableResponse),
    "unreadable": (Fault(status=200, body=b"{"), errors.UnreadableResponse),
    "no customer": (Fault(status=200, body=b"[]"), errors.UnreadableResponse),
    "empty": (Fault(status=200), errors.UnreadableResponse),
    "timed out": (HANGS, errors.TimedOut),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("retries", [None, Retries(attempts=2, first_wait=0)], ids=["once", "twice"])
def test_retrieve_fails(clients: Clients, sandbox: Sandbox, name: str, retries: Retries | None) -> None:
    """The error is the same as for an update; but nothing can have been applied, and the message does not say so."""
    fault, kind = FAILURES[name]
    sandbox.fail(fault, fault)
    transport = RecordingTransport(shorten_read_timeout if fault is HANGS else do_nothing, through=sandbox.transport)
    with pytest.raises(errors.CybersourceError) as caught:
        clients.open(transport=transport, retries=retries).retrieve(PAGE_CUSTOMER_ID)
    assert type(caught.value) is kind
    assert caught.value.may_have_been_applied is False
    assert f"GET {PATH}" in str(caught.value)
    assert "applied" not in str(caught.value)


def test_retrieve_nobody(clients: Clients, sandbox: Sandbox) -> None:
    """A token that is not there and one that was deleted are told apart."""
    client = clients.open(transport=sandbox.transport)
    with pytest.raises(errors.NotFound, match="GET /tms/v2/customers/NOBODY"):
        client.retrieve("NOBODY")
    sandbox.delete()
    with pytest.raises(errors.TokenDeleted):
        client.retrieve(PAGE_CUSTOMER_ID)


NO_IDS: list[Any] = ["", "..", "a/b", "a?b", "a b", "A" * 33, "é", None, 5, b"A"]


@pytest.mark.parametrize("customer_id", NO_IDS, ids=repr)
def test_what_is_no_id(clients: Clients, customer_id: Any) -> None:
    """An id that could reach another resource is refused by both, before anything is sent."""
    transport = FixedResponse()
    client = clients.open(transport=transport)
    with pytest.raises(errors.InvalidRequest, match=r"^customer_id: "):
        client.retrieve(customer_id)
    with pytest.raises(errors.InvalidRequest, match=r"^customer_id: "):
        client.edit(customer_id, lambda customer: None)
    assert transport.requests == []


def test_retrieve_is_repeated(clients: Clients, sandbox: Sandbox) -> None:
    """Reading is repeated as an update is, and each attempt is signed anew."""
    sandbox.fail(Fault(status=503), Fault(cut="after"), Fault(cut="middle"))
    record = clients.open(transport=sandbox.transport, retries=Retries(attempts=4, first_wait=0.001)).retrieve(
        PAGE_CUSTOMER_ID
    )
    assert record.customer.to_dict() == sandbox.customer()
    assert methods(sandbox) == ["GET"] * 4
    assert len({received.claims["jti"] for received in sandbox.received}) == 4


# What an edit sends


def do(*steps: Change) -> Change:
    """Return a change of several steps."""

    def change(customer: Any) -> None:
        for step in steps:
            step(customer)

    return change


def put(path: str, value: Any) -> Change:
    """Return a change that assigns to an attribute, or to one of an attribute."""
    *outer, name = path.split(".")

    def change(customer: Any) -> None:
        for attribute in outer:
            customer = getattr(customer, attribute)
        setattr(customer, name, value)

    return change


def append(customer: Any) -> None:
    """Add an entry to the list, whether the customer has one or not."""
    customer.merchant_defined_information.append(MerchantDefinedInformation("data2", "two"))


ONE = {"name": "data1", "value": "Your customer data"}
TWO = {"name": "data2", "value": "two"}
NULL = {
    **BARE,
    "buyerInformation": None,
    "clientReferenceInformation": None,
    "merchantDefinedInformation": None,
    "objectInformation": None,
    "defaultPaymentInstrument": None,
    "defaultShippingAddress": None,
}
EMPTY = {**BARE, "buyerInformation": {}, "clientReferenceInformation": {}, "merchantDefinedInformation": []}

# Groups that a customer can be without, and how.
ABSENT: dict[str, dict[str, Any]] = {"missing": BARE, "null": NULL, "empty": EMPTY}
FILLED: dict[str, tuple[Change, dict[str, Any]]] = {
    "buyer": (put("buyer_information.email", EMAIL), {"buyerInformation": {"email": EMAIL}}),
    "reference": (put("client_reference_information.code", "c"), {"clientReferenceInformation": {"code": "c"}}),
    "list": (append, {"merchantDefinedInformation": [TWO]}),
    "title": (put("object_information.title", "t"), {"objectInformation": {"title": "t"}}),
    "instrument": (put("default_payment_instrument.id", "I"), {"defaultPaymentInstrument": {"id": "I"}}),
    "address": (put("default_shipping_address.id", "A"), {"defaultShippingAddress": {"id": "A"}}),
    "new object": (put("object_information", ObjectInformation("t")), {"objectInformation": {"title": "t"}}),
}

# The customer before, what is done in the edit, and what is sent.
EDITS: dict[str, tuple[dict[str, Any], Change, dict[str, Any]]] = {
    "a field": (page_customer(), put("buyer_information.email", EMAIL), {"buyerInformation": {"email": EMAIL}}),
    "a field removed": (
        page_customer(),
        put("buyer_information.email", REMOVED),
        {"buyerInformation": {"email": REMOVED}},
    ),
    "a group removed": (page_customer(), put("buyer_information", REMOVED), {"buyerInformation": REMOVED}),
    "a list removed": (
        page_customer(),
        put("merchant_defined_information", REMOVED),
        {"merchantDefinedInformation": REMOVED},
    ),
    "a list cleared": (
        page_customer(),
        lambda customer: customer.merchant_defined_information.clear(),
        {"merchantDefinedInformation": []},
    ),
    "a list replaced by an empty one": (
        page_customer(),
        put("merchant_defined_information", []),
        {"merchantDefinedInformation": []},
    ),
    "an entry added": (page_customer(), append, {"merchantDefinedInformation": [ONE, TWO]}),
    "an entry changed": (
        page_customer(),
        lambda customer: setattr(customer.merchant_defined_information[0], "value", "v"),
        {"merchantDefinedInformation": [{"name": "data1", "value": "v"}]},
    ),
    "an entry deleted": (
        page_customer() | {"merchantDefinedInformation": [ONE, TWO]},
        lambda customer: customer.merchant_defined_information.pop(0),
        {"merchantDefinedInformation": [TWO]},
    ),
    "entries in another order": (
        page_customer() | {"merchantDefinedInformation": [ONE, TWO]},
        lambda customer: customer.merchant_defined_information.reverse(),
        {"merchantDefinedInformation": [TWO, ONE]},
    ),
    "a new group object": (
        page_customer(),
        put("buyer_information", BuyerInformation(email=EMAIL)),
        {"buyerInformation": {"email": EMAIL}},
    ),
    "two groups": (
        page_customer(),
        do(put("buyer_information.email", EMAIL), put("client_reference_information.code", "c")),
        {"buyerInformation": {"email": EMAIL}, "clientReferenceInformation": {"code": "c"}},
    ),
    "extras stay": (
        FULL,
        put("client_reference_information.code", "c"),
        {"clientReferenceInformation": {"code": "c"}},
    ),
    **{
        f"{name}: {what}": (before, change, patch)
        for name, before in ABSENT.items()
        for what, (change, patch) in FILLED.items()
    },
}


@pytest.mark.parametrize("name", EDITS)
def test_edit(clients: Clients, sandbox: Sandbox, name: str) -> None:
    """The customer is read, and only what changed is sent, guarded by the ETag; both can be looked at afterwards."""
    before, change, patch = EDITS[name]
    sandbox.put(before)
    etag = sandbox.etag()
    edit = clients.open(transport=sandbox.transport).edit(PAGE_CUSTOMER_ID, change)
    assert methods(sandbox) == ["GET", "PATCH"]
    assert json.loads(sandbox.received[1].body) == patch
    assert sandbox.received[1].headers["if-match"] == edit.read.etag == etag
    assert edit.read.customer.to_dict() == before
    assert edit.changes.to_dict() == patch
    assert edit.record.customer.to_dict() == sandbox.customer() == merge(before, patch)
    assert edit.record.etag == sandbox.etag()


UNCHANGED: dict[str, tuple[dict[str, Any], Change]] = {
    "nothing": (page_customer(), lambda customer: None),
    "nothing in a bare one": (BARE, lambda customer: None),
    "nothing in one of nulls": (NULL, lambda customer: None),
    "nothing in an empty one": (EMPTY, lambda customer: None),
    "nothing in one with extras": (FULL, lambda customer: None),
    "the same value": (page_customer(), put("buyer_information.email", "test@cybs.com")),
    "there and back": (
        page_customer(),
        do(put("buyer_information.email", EMAIL), put("buyer_information.email", "test@cybs.com")),
    ),
    "added and deleted": (BARE, do(append, lambda customer: customer.merchant_defined_information.pop())),
    "an empty list": (BARE, put("merchant_defined_information", [])),
    "an empty list for null": (NULL, put("merchant_defined_information", [])),
    "an empty group": (BARE, put("buyer_information", BuyerInformation())),
    "removed what is not there": (
        BARE,
        do(put("buyer_information", REMOVED), put("merchant_defined_information", REMOVED)),
    ),
    "removed a field that is not there": (BARE, put("buyer_information.email", REMOVED)),
    "left out": (page_customer(), put("buyer_information", UNSET)),
    "an equal group": (
        page_customer(),
        put("client_reference_information", ClientReferenceInformation("TC50171_3")),
    ),
}


@pytest.mark.parametrize(("before", "change"), UNCHANGED.values(), ids=UNCHANGED)
def test_nothing_changed(clients: Clients, sandbox: Sandbox, before: dict[str, Any], change: Change) -> None:
    """If the customer would stay as it is, nothing is sent, and the record is what was read."""
    sandbox.put(before)
    edit = clients.open(transport=sandbox.transport).edit(PAGE_CUSTOMER_ID, change)
    assert methods(sandbox) == ["GET"]
    assert edit.changes is None
    assert edit.record is edit.read
    assert edit.read.customer.to_dict() == sandbox.customer() == before


@pytest.mark.parametrize("before", [page_customer(), BARE, NULL, EMPTY], ids=["page", "bare", "nulls", "empty"])
def test_the_copy(clients: Clients, sandbox: Sandbox, before: dict[str, Any]) -> None:
    """In the copy every group and list stands, and it shares nothing with what was read."""
    sandbox.put(before)
    handed_out: list[Customer] = []

    def change(customer: Customer) -> None:
        handed_out.append(customer)
        assert isinstance(customer.buyer_information, BuyerInformation)
        assert isinstance(customer.client_reference_information, ClientReferenceInformation)
        assert isinstance(customer.object_information, ObjectInformation)
        assert isinstance(customer.default_payment_instrument, DefaultPaymentInstrument)
        assert isinstance(customer.merchant_defined_information, list)
        customer.buyer_information.email = EMAIL
        customer.merchant_defined_information.insert(0, MerchantDefinedInformation("data3", "three"))

    edit = clients.open(transport=sandbox.transport).edit(PAGE_CUSTOMER_ID, change)
    assert edit.read.customer is not handed_out[0]
    assert edit.read.customer.to_dict() == before


class Stop(BaseException):
    """What a framework raises to stop something."""


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt, asyncio.CancelledError, Stop, errors.NotFound])
def test_an_exception_inside(clients: Clients, sandbox: Sandbox, kind: Any) -> None:
    """Nothing is sent, and the exception goes on as it is, whatever it is."""
    raised = kind("m", status_code=404) if kind is errors.NotFound else kind("m")
    if kind is KeyboardInterrupt and clients.name == "async":  # asyncio's runner itself deals with that one
        raised = (kind := Stop)("m")

    def change(customer: Customer) -> None:
        customer.buyer_information = None
        raise raised

    client = clients.open(transport=sandbox.transport)
    with pytest.raises(kind) as caught:
        client.edit(PAGE_CUSTOMER_ID, change)
    assert caught.value is raised or kind is asyncio.CancelledError
    assert methods(sandbox) == ["GET"]
    assert sandbox.customer() == page_customer()
    edit = client.last_edit
    assert edit.read.customer.to_dict() == page_customer()
    assert (edit.changes, edit.record) == (None, None)


@pytest.mark.parametrize(
    "patch",
    [{"buyerInformation": {"email": "a@example.com"}}, {"clientReferenceInformation": REMOVED}],
    ids=["same field", "another field"],
)
def test_somebody_else_in_between(clients: Clients, sandbox: Sandbox, patch: dict[str, Any]) -> None:
    """What another editor wrote since the reading stands, and this one hears of it."""

    def change(customer: Any) -> None:
        customer.buyer_information.email = EMAIL
        sandbox.change(patch)

    client = clients.open(transport=sandbox.transport, retries=Retries())
    with pytest.raises(errors.PreconditionFailed) as caught:
        client.edit(PAGE_CUSTOMER_ID, change)
    assert caught.value.may_have_been_applied is False
    assert sandbox.customer() == merge(page_customer(), patch)
    assert methods(sandbox) == ["GET", "PATCH"]
    edit = client.last_edit
    assert edit.read.customer.to_dict() == page_customer()
    assert edit.changes.to_dict() == {"buyerInformation": {"email": EMAIL}}
    assert edit.record is None


def test_a_lost_response(clients: Clients, sandbox: Sandbox) -> None:
    """If only the response is lost, the edit finds out that it was applied."""
    sandbox.fail(Fault(), Fault(cut="after"))
    client = clients.open(transport=sandbox.transport, retries=Retries(first_wait=0))
    edit = client.edit(PAGE_CUSTOMER_ID, put("buyer_information.email", EMAIL))
    assert methods(sandbox) == ["GET", "PATCH", "PATCH", "GET"]
    assert edit.record.customer.to_dict() == sandbox.customer() == merge(page_customer(), edit.changes.to_dict())


@pytest.mark.parametrize("body", [page_customer(), BARE], ids=["page", "bare"])
def test_no_etag(clients: Clients, body: dict[str, Any]) -> None:
    """What cannot be guarded is not edited: the block does not begin."""
    transport = FixedResponse(200, json.dumps(body).encode(), {"v-c-correlation-id": "c"})
    client = clients.open(transport=transport)
    with pytest.raises(errors.UnreadableResponse, match="no ETag") as caught:
        client.edit(PAGE_CUSTOMER_ID, lambda customer: pytest.fail("the block began"))
    assert caught.value.may_have_been_applied is False
    assert (caught.value.status_code, caught.value.correlation_id) == (200, "c")
    assert len(transport.requests) == 1
    edit = client.last_edit
    assert (edit.read, edit.changes, edit.record) == (None, None, None)


@pytest.mark.parametrize(("fault", "kind"), FAILURES.values(), ids=FAILURES)
def test_the_reading_fails(clients: Clients, sandbox: Sandbox, fault: Fault, kind: type[Exception]) -> None:
    """Then the block does not begin, and the error is that of the reading."""
    sandbox.fail(fault)
    transport = RecordingTransport(shorten_read_timeout if fault is HANGS else do_nothing, through=sandbox.transport)
    client = clients.open(transport=transport)
    with pytest.raises(errors.CybersourceError) as caught:
        client.edit(PAGE_CUSTOMER_ID, lambda customer: pytest.fail("the block began"))
    assert type(caught.value) is kind
    assert eventually(lambda: methods(sandbox) == ["GET"])
    edit = client.last_edit
    assert (edit.read, edit.changes, edit.record) == (None, None, None)


def test_the_sending_fails(clients: Clients, sandbox: Sandbox) -> None:
    """Then there is no record, but what was to be sent can be looked at."""
    sandbox.fail(Fault(), Fault(status=503))
    client = clients.open(transport=sandbox.transport)
    with pytest.raises(errors.ServiceError):
        client.edit(PAGE_CUSTOMER_ID, put("buyer_information.email", EMAIL))
    edit = client.last_edit
    assert edit.read.customer.to_dict() == page_customer()
    assert edit.changes.to_dict() == {"buyerInformation": {"email": EMAIL}}
    assert edit.record is None


# What is done in the edit, and the path in the message.
WRONG: dict[str, tuple[Change, str]] = {
    "a number": (put("buyer_information.email", 5), "buyerInformation.email"),
    "a mapping for a group": (put("buyer_information", {"email": EMAIL}), "buyerInformation"),
    "a text for a list": (put("merchant_defined_information", "x"), "merchantDefinedInformation"),
    "no entry": (lambda customer: customer.merchant_defined_information.append("x"), "merchantDefinedInformation"),
    "another id": (put("id", "A"), "id"),
    "metadata": (put("metadata.creator", "A"), "metadata"),
    "an extra field": (lambda customer: customer.additional_properties.update(new=2), "new"),
}


@pytest.mark.parametrize(("change", "path"), WRONG.values(), ids=WRONG)
def test_something_wrong(clients: Clients, sandbox: Sandbox, change: Change, path: str) -> None:
    """What cannot be sent is refused by its path when the block ends, and nothing is sent."""
    sandbox.put(page_customer() | {"new": 1})
    client = clients.open(transport=sandbox.transport)
    with pytest.raises(errors.InvalidRequest) as caught:
        client.edit(PAGE_CUSTOMER_ID, change)
    assert path in str(caught.value)
    assert methods(sandbox) == ["GET"]
    edit = client.last_edit
    assert edit.read.customer.to_dict() == sandbox.customer()
    assert edit.changes is None


def test_no_record_of_something_wrong(clients: Clients, sandbox: Sandbox) -> None:
    """An edit that was refused is not one in which nothing has changed: it has no record."""
    client = clients.open(transport=sandbox.transport)
    with pytest.raises(errors.InvalidRequest):
        client.edit(PAGE_CUSTOMER_ID, put("buyer_information.email", 5))
    assert client.last_edit.record is None


def test_an_edit_in_the_client_after_its_end(clients: Clients, sandbox: Sandbox) -> None:
    """A client that was closed within the block refuses to send."""
    client: BlockingClient = clients.open(transport=sandbox.transport)
    edit = client.wrapped.edit(PAGE_CUSTOMER_ID)
    assert (edit.read, edit.changes, edit.record) == (None, None, None)
    client.close()
    with pytest.raises(errors.InvalidRequest, match="closed"):
        client.edit(PAGE_CUSTOMER_ID, lambda customer: None)
    assert sandbox.received == []


def test_two_edits_of_one_client(clients: Clients, sandbox: Sandbox, url: str) -> None:
    """Edits follow each other, each with its own reading and its own ETag."""
    client = clients.open(base_url=url, transport=clients.transport_class(limits=httpx.Limits(max_connections=1)))
    first = client.edit(PAGE_CUSTOMER_ID, put("buyer_information.email", EMAIL))
    second = client.edit(PAGE_CUSTOMER_ID, append)
    assert second.read.etag == first.record.etag != second.record.etag
    assert second.record.customer.to_dict() == sandbox.customer()


def test_an_edit_that_is_used_again(sandbox: Sandbox) -> None:
    """It reads anew, and what the first time left behind is gone."""
    customers = CustomersClient("test", SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET), transport=sandbox.transport)
    edit: Any = customers.edit(PAGE_CUSTOMER_ID)
    with customers:
        with edit as customer:
            customer.buyer_information = None
        assert edit.changes.to_dict() == {"buyerInformation": None}
        with pytest.raises(KeyError), edit:
            raise KeyError
    assert (edit.changes, edit.record) == (None, None)
    assert edit.read.etag == sandbox.etag()


# One edit at a time, and an ETag that can guard it


def test_an_edit_is_entered_once_at_a_time() -> None:
    """An edit that is in use is refused on entering, by the same thread and by another; afterwards it can be used."""
    transport = FixedResponse()
    auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
    edit = CustomersClient("test", auth, transport=transport).edit(PAGE_CUSTOMER_ID)
    refused: list[BaseException] = []

    def enter() -> None:
        with pytest.raises(errors.InvalidRequest, match="in use") as caught:
            edit.__enter__()
        refused.append(caught.value)

    with edit:
        enter()
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
    assert len(refused) == 2
    assert len(transport.requests) == 1
    with edit:
        pass
    assert len(transport.requests) == 2


def test_an_async_edit_is_entered_once_at_a_time() -> None:
    """The same in the async client, by the same task and by another."""

    async def nest() -> None:
        auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
        customers = AsyncCustomersClient("test", auth, transport=FixedResponse())
        edit = customers.edit(PAGE_CUSTOMER_ID)
        async with edit:
            with pytest.raises(errors.InvalidRequest, match="in use"):
                await edit.__aenter__()
            with pytest.raises(errors.InvalidRequest, match="in use"):
                await asyncio.create_task(edit.__aenter__())
        async with edit:
            pass

    asyncio.run(nest())


def test_an_edit_that_could_not_be_entered(clients: Clients) -> None:
    """If reading the customer failed, the same edit can be entered again; so it can after its update failed."""
    statuses = iter([404, 200, 412, 200, 200])

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(next(statuses), json=page_customer(), headers={"ETag": "e"})

    def change(customer: Any) -> None:
        customer.buyer_information.email = "new@example.com"

    client = clients.open(transport=httpx.MockTransport(respond))
    edit = client.wrapped.edit(PAGE_CUSTOMER_ID)
    for kind in (errors.NotFound, errors.PreconditionFailed):
        with pytest.raises(kind):
            client.enter(edit, change)
    assert client.enter(edit, change).record.etag == "e"


GOOD_ETAGS = ['W/"0123456789abcdef0123456789abcdef"', '"a,b"', '""', "0123456789abcdef0123456789abcdef", "e" * 256]


@pytest.mark.parametrize("etag", GOOD_ETAGS)
def test_an_etag_goes_back_unchanged(clients: Clients, etag: str) -> None:
    """A quoted or weak ETag, and one of any length up to 256, is sent back as it came."""
    transport = FixedResponse(headers={"ETag": etag})

    def change(customer: Any) -> None:
        customer.buyer_information.email = "new@example.com"

    clients.open(transport=transport).edit(PAGE_CUSTOMER_ID, change)
    assert transport.requests[-1].headers["if-match"] == etag


BAD_ETAGS = {
    "empty": [b""],
    "any": [b"*"],
    "two": [b"a", b"b"],
    "two, quoted": [b'"a"', b'"b"'],
    "not ASCII": ["é".encode()],
    "too long": [b"e" * 257],
    "a quote that is not closed": [b'"a'],
}


@pytest.mark.parametrize("etags", BAD_ETAGS.values(), ids=BAD_ETAGS)
def test_an_etag_that_guards_nothing(clients: Clients, etags: list[bytes]) -> None:
    """What cannot be sent back is found on entering, before any work is done."""
    headers: Any = [(b"ETag", etag) for etag in etags]
    transport = FixedResponse(headers=headers)
    with pytest.raises(errors.UnreadableResponse, match="ETag") as caught:
        clients.open(transport=transport).edit(PAGE_CUSTOMER_ID, lambda customer: pytest.fail("the block began"))
    assert caught.value.may_have_been_applied is False
    assert len(transport.requests) == 1


def test_what_was_sent_is_compared(clients: Clients) -> None:
    """Whether an earlier attempt was applied is decided by what was sent, not by an object that was changed since."""
    changes = CustomerUpdate(buyer_information=BuyerInformation(email="sent@example.com"))
    stored = page_customer() | {"buyerInformation": {"email": "sent@example.com"}}

    def respond(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=stored, headers={"ETag": "new"})
        changes.buyer_information = BuyerInformation(email="changed@example.com")
        patches.append(request.content)
        return httpx.Response(503 if len(patches) == 1 else 412)

    patches: list[bytes] = []
    client = clients.open(transport=httpx.MockTransport(respond), retries=Retries(first_wait=0))
    assert client.update(PAGE_CUSTOMER_ID, changes, if_match="old").etag == "new"
    assert patches == [b'{"buyerInformation":{"email":"sent@example.com"}}'] * 2


def test_nobody_is_said_to_have_changed_a_field(clients: Clients) -> None:
    """After a 503 that was not applied and a 412, the message says what is not as asked, and nothing of who did it."""

    def respond(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=page_customer() | {"objectInformation": {"title": "theirs"}})
        patches.append(request.content)
        return httpx.Response(503 if len(patches) == 1 else 412)

    patches: list[bytes] = []
    client = clients.open(transport=httpx.MockTransport(respond), retries=Retries(first_wait=0))
    with pytest.raises(
        errors.PreconditionFailed, match=r"these fields are not as asked: buyerInformation\.email"
    ) as caught:
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL, if_match="old")
    assert "somebody" not in str(caught.value)
    assert caught.value.__cause__ is not caught.value
