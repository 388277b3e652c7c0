"""Two people edit one customer while the network fails at random: nobody's accepted change is overwritten unnoticed."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from cybersource_tms import CustomerRecord, CustomersClient, Retries, errors
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Fault, Sandbox, page_customer
from cybersource_tms_sandbox._customers import merge
from support.clients import AUTH
from support.recording import RecordingTransport

RETRIES = Retries(attempts=3, initial_delay=0, max_delay=0)
Patch = dict[str, Any]

EDITORS = st.sampled_from(["ann", "bob"])
VALUES = st.sampled_from(["a", "b", "c"])
REMOVABLE = st.one_of(st.none(), VALUES)
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "buyerInformation": st.one_of(
            st.none(),
            st.dictionaries(st.sampled_from(["email", "merchantCustomerID"]), REMOVABLE, min_size=1),
        ),
        "clientReferenceInformation": st.one_of(st.none(), st.fixed_dictionaries({"code": REMOVABLE})),
        "merchantDefinedInformation": st.lists(st.fixed_dictionaries({"name": st.just("data1"), "value": VALUES})),
    },
).filter(bool)
FAULTS = st.lists(
    st.sampled_from(
        [
            None,  # refused
            Fault(),
            *(Fault(cut=moment) for moment in ("before", "after", "middle")),
            *(Fault(status=status) for status in (400, 429, 500)),
            *(Fault(status=status, applied=True) for status in (500, 504)),
            *(Fault(status=200, body=b"[]", applied=applied) for applied in (False, True)),
            Fault(status=503, body=b"<html>"),
        ]
    ),
    max_size=8,
)
# What somebody else writes before the request of this number.
OTHERS = st.dictionaries(st.integers(0, 5), PATCHES, max_size=2)


OTHER = "somebody else"


def full(customer: Patch) -> Patch:
    """Leave out empty groups: to remove a field of a group that is not there asks for nothing."""
    return {name: value for name, value in customer.items() if value != {}}


class Event(NamedTuple):
    """Who did what, and what became of the customer."""

    method: str
    patch: Any
    if_match: str
    before: Patch
    etag: str
    after: Patch

    @property
    def changed(self) -> bool:
        """Whether the customer is another one afterwards."""
        return self.before != self.after


class Wire(RecordingTransport):
    """Lets things go wrong, lets somebody else write, and notes what each request did to the customer."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(self.meddle, after=self.note, through=sandbox.transport)
        self.sandbox = sandbox
        self.start([], {})

    def start(self, faults: list[Fault | None], others: dict[int, Patch]) -> None:
        """Begin another call."""
        self.requests.clear()
        self.faults, self.others = faults, others
        self.sandbox.faults.clear()
        self.sandbox.fail(*[fault for fault in faults if fault])
        self.events: list[Event] = []

    def now(self) -> tuple[Patch, str]:
        """Return the customer and its ETag."""
        return self.sandbox.customer(), self.sandbox.etag()

    def meddle(self, number: int, request: httpx.Request) -> None:
        """Write as somebody else, and refuse the connection, if this is the time for it."""
        if number in self.others:
            before, etag = self.now()
            self.sandbox.change(self.others[number])
            self.events.append(Event(OTHER, self.others[number], "", before, etag, self.sandbox.customer()))
        self._before = self.now()
        if number < len(self.faults) and self.faults[number] is None:
            raise httpx.ConnectError("refused", request=request)

    def note(self, number: int, request: httpx.Request) -> None:
        """Keep what became of the customer."""
        patch = json.loads(request.content or b"null")
        if_match = request.headers.get("if-match", "")
        self.events.append(Event(request.method, patch, if_match, *self._before, self.sandbox.customer()))


class TwoEditors(RuleBasedStateMachine):
    """Each editor holds what was read last, and the model holds what all accepted writes add up to."""

    sandbox: Sandbox

    def __init__(self) -> None:
        super().__init__()
        self.sandbox.reset()
        self.wire = Wire(self.sandbox)
        self.customers = CustomersClient("test", AUTH, transport=self.wire, retries=RETRIES)
        self.held: dict[str, CustomerRecord] = {}
        self.model = page_customer()

    def teardown(self) -> None:
        """Close the connections."""
        self.customers.close()

    def written(self) -> list[Event]:
        """Return our requests that changed the customer."""
        return [event for event in self.wire.events if event.changed and event.method != OTHER]

    def follow(self, outcome: Any, patch: Patch, if_match: str | None = None, *, rounds: bool = False) -> None:
        """Check a call against what happened on the wire, and let the model follow.

        With `rounds`, each update has to be guarded by the read before it, and to have the effect of `patch` on that.
        """
        for event in self.wire.events:
            assert event.before == self.model
            if event.method == "GET":
                read = event
            if event.method == "PATCH":
                if rounds:
                    if_match = read.etag
                    assert full(merge(read.before, event.patch)) == full(merge(read.before, patch))
                assert rounds or event.patch == patch
                assert event.if_match == (if_match or "")
                if event.changed:
                    assert if_match in (None, event.etag), "a guarded update was applied to another state than was read"
            if event.changed:
                self.model = merge(self.model, event.patch)
            assert event.after == self.model
        if isinstance(outcome, CustomerRecord):
            assert outcome.customer.to_dict() == self.model
            assert outcome.etag == self.sandbox.etag()
            assert full(merge(self.model, patch)) == full(self.model), "a success is missing"
            if if_match:
                self.not_overwritten(if_match)
        elif not outcome.may_have_been_applied:
            assert self.written() == [], "a certain failure was applied"

    def not_overwritten(self, if_match: str) -> None:
        """Check that a guarded success met the state that was read, or was found when read back; it harmed nobody."""
        events = self.wire.events
        methods = [event.method for event in events]
        assert methods[-1] == "GET" or events[-1].etag == if_match
        updates = [number for number, method in enumerate(methods) if method == "PATCH"]
        reads = [number for number, method in enumerate(methods[: updates[-1]]) if method == "GET"]
        theirs = [event for event in events[max(reads, default=-1) + 1 :] if event.method == OTHER and event.changed]
        for event in theirs[-1:]:
            assert merge(self.model, event.patch) == self.model, "somebody else's change is gone"

    def call(self, who: str, call: Callable[[], CustomerRecord]) -> Any:
        """Return what a call returns, which its editor then holds, or raises."""
        try:
            self.held[who] = call()
        except errors.CybersourceError as error:
            return error
        return self.held[who]

    @rule(who=EDITORS, faults=FAULTS, others=OTHERS)
    def read(self, who: str, faults: list[Fault | None], others: dict[int, Patch]) -> None:
        """Read, and hold what comes."""
        self.wire.start(faults, others)
        outcome = self.call(who, lambda: self.customers.retrieve(PAGE_CUSTOMER_ID))
        self.follow(outcome, {})
        assert self.written() == []
        assert isinstance(outcome, CustomerRecord) or not outcome.may_have_been_applied

    @rule(who=EDITORS, patch=PATCHES, faults=FAULTS, others=OTHERS, guard=st.booleans())
    def update(
        self, who: str, patch: Patch, faults: list[Fault | None], others: dict[int, Patch], *, guard: bool
    ) -> None:
        """Update, guarded by what this editor holds, or unguarded."""
        held = self.held[who] if guard and who in self.held else None
        self.wire.start(faults, others)
        outcome = self.call(who, lambda: self.customers.update(PAGE_CUSTOMER_ID, patch, if_match=held))
        self.follow(outcome, patch, held.etag if held else None)

    @rule(who=EDITORS, patch=PATCHES, faults=FAULTS, others=OTHERS, by_function=st.booleans())
    def edit(
        self, who: str, patch: Patch, faults: list[Fault | None], others: dict[int, Patch], *, by_function: bool
    ) -> None:
        """Make the customer have values, by `apply` or `modify`."""
        self.wire.start(faults, others)
        if by_function:
            outcome = self.call(who, lambda: self.customers.modify(PAGE_CUSTOMER_ID, lambda customer: patch))
        else:
            outcome = self.call(who, lambda: self.customers.apply(PAGE_CUSTOMER_ID, patch))
        self.follow(outcome, patch, rounds=True)

    @invariant()
    def nothing_is_lost(self) -> None:
        """The customer is what all accepted writes add up to."""
        assert self.sandbox.customer() == self.model
        tokens = [received.claims.get("jti") for received in self.sandbox.received]
        assert len(set(tokens)) == len(tokens)


def test_two_editors(sandbox: Sandbox) -> None:
    """Whatever fails and whoever comes in between: no accepted write is lost, and every report is true."""
    TwoEditors.sandbox = sandbox
    run_state_machine_as_test(
        TwoEditors,
        settings=settings(
            max_examples=25,
            stateful_step_count=15,
            phases=[Phase.explicit, Phase.generate],  # to shrink takes minutes here
            database=None,
        ),
    )
