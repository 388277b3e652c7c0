"""What spec/templates/ is for: a generated model can be copied and pickled, and UNSET stays what it is."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cybersource_tms import UNSET, BuyerInformation, Unset
from cybersource_tms_api import models
from support.customers import COPIES, SPEC

copying = pytest.mark.parametrize("make_copy", COPIES.values(), ids=list(COPIES))


@copying
def test_unset_survives(make_copy: Callable[[Any], Any]) -> None:
    """A copy of UNSET is UNSET itself, alone, in a list and in a model, whose copy so has the same wire form."""
    same = make_copy(BuyerInformation(email="new@example.com"))
    assert make_copy(UNSET) is make_copy([UNSET])[0] is same.merchant_customer_id is UNSET
    assert same.to_dict() == {"email": "new@example.com"}


def test_unset_reads_as_it_is_written() -> None:
    """UNSET prints as UNSET, alone and in a model, is false, and is of the type that the annotations name."""
    assert repr(UNSET) == str(UNSET) == "UNSET"
    assert repr(BuyerInformation()).count("=UNSET") == 2
    assert not UNSET
    assert isinstance(UNSET, Unset)


@pytest.mark.parametrize("name", SPEC.schemas)
@settings(max_examples=30)
@given(data=st.data())
def test_a_copied_model_has_the_same_wire_form(name: str, data: st.DataObject) -> None:
    """Any model, with any fields given or not, is equal to its copies, and all have the wire form they came from."""
    wire = data.draw(SPEC.named(name, extras=True, limits=False))
    original = getattr(models, name).from_dict(wire)
    for kind, make_copy in COPIES.items():
        same = make_copy(original)
        assert same is not original, kind
        assert same == original, kind
        assert same.to_dict() == original.to_dict() == wire, kind


def test_unset_takes_no_attributes() -> None:
    """To set a field of a group that is not there is an error: it would be lost, and seen wherever UNSET is."""
    customer = models.Customer(id="1")
    with pytest.raises(AttributeError):
        customer.buyer_information.email = "new@example.com"  # type: ignore[union-attr]
    assert not hasattr(UNSET, "email")
