from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.link import Link


T = TypeVar("T", bound="CustomerLinks")


@_attrs_define
class CustomerLinks:
    """Where the customer and what belongs to it can be found.

    Attributes:
        self_ (Link | Unset): A link within the service.
        payment_instruments (Link | Unset): A link within the service.
        shipping_addresses (Link | Unset): A link within the service.
        shipping_address (Link | Unset): A link within the service.
    """

    self_: Link | Unset = UNSET
    payment_instruments: Link | Unset = UNSET
    shipping_addresses: Link | Unset = UNSET
    shipping_address: Link | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        self_: dict[str, Any] | Unset = UNSET
        if not isinstance(self.self_, Unset):
            self_ = self.self_.to_dict()

        payment_instruments: dict[str, Any] | Unset = UNSET
        if not isinstance(self.payment_instruments, Unset):
            payment_instruments = self.payment_instruments.to_dict()

        shipping_addresses: dict[str, Any] | Unset = UNSET
        if not isinstance(self.shipping_addresses, Unset):
            shipping_addresses = self.shipping_addresses.to_dict()

        shipping_address: dict[str, Any] | Unset = UNSET
        if not isinstance(self.shipping_address, Unset):
            shipping_address = self.shipping_address.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if self_ is not UNSET:
            field_dict["self"] = self_
        if payment_instruments is not UNSET:
            field_dict["paymentInstruments"] = payment_instruments
        if shipping_addresses is not UNSET:
            field_dict["shippingAddresses"] = shipping_addresses
        if shipping_address is not UNSET:
            field_dict["shippingAddress"] = shipping_address

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.link import Link  # noqa: PLC0415

        d = dict(src_dict)
        _self_ = d.pop("self", UNSET)
        self_: Link | Unset
        if isinstance(_self_, Unset):
            self_ = UNSET
        else:
            self_ = Link.from_dict(_self_)

        _payment_instruments = d.pop("paymentInstruments", UNSET)
        payment_instruments: Link | Unset
        if isinstance(_payment_instruments, Unset):
            payment_instruments = UNSET
        else:
            payment_instruments = Link.from_dict(_payment_instruments)

        _shipping_addresses = d.pop("shippingAddresses", UNSET)
        shipping_addresses: Link | Unset
        if isinstance(_shipping_addresses, Unset):
            shipping_addresses = UNSET
        else:
            shipping_addresses = Link.from_dict(_shipping_addresses)

        _shipping_address = d.pop("shippingAddress", UNSET)
        shipping_address: Link | Unset
        if isinstance(_shipping_address, Unset):
            shipping_address = UNSET
        else:
            shipping_address = Link.from_dict(_shipping_address)

        customer_links = cls(
            self_=self_,
            payment_instruments=payment_instruments,
            shipping_addresses=shipping_addresses,
            shipping_address=shipping_address,
        )

        customer_links.additional_properties = d
        return customer_links

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
