from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.link import Link


T = TypeVar("T", bound="CustomerLinks")


@_attrs_define
class CustomerLinks:
    """Links to the customer and what belongs to it.

    Attributes:
        self_ (Link | None | Unset):
        payment_instruments (Link | None | Unset):
        shipping_addresses (Link | None | Unset):
        shipping_address (Link | None | Unset):
    """

    self_: Link | None | Unset = UNSET
    payment_instruments: Link | None | Unset = UNSET
    shipping_addresses: Link | None | Unset = UNSET
    shipping_address: Link | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.link import Link  # noqa: PLC0415

        self_: dict[str, Any] | None | Unset
        if isinstance(self.self_, Unset):
            self_ = UNSET
        elif isinstance(self.self_, Link):
            self_ = self.self_.to_dict()
        else:
            self_ = self.self_

        payment_instruments: dict[str, Any] | None | Unset
        if isinstance(self.payment_instruments, Unset):
            payment_instruments = UNSET
        elif isinstance(self.payment_instruments, Link):
            payment_instruments = self.payment_instruments.to_dict()
        else:
            payment_instruments = self.payment_instruments

        shipping_addresses: dict[str, Any] | None | Unset
        if isinstance(self.shipping_addresses, Unset):
            shipping_addresses = UNSET
        elif isinstance(self.shipping_addresses, Link):
            shipping_addresses = self.shipping_addresses.to_dict()
        else:
            shipping_addresses = self.shipping_addresses

        shipping_address: dict[str, Any] | None | Unset
        if isinstance(self.shipping_address, Unset):
            shipping_address = UNSET
        elif isinstance(self.shipping_address, Link):
            shipping_address = self.shipping_address.to_dict()
        else:
            shipping_address = self.shipping_address

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

        def _parse_self_(data: object) -> Link | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                self_type_0 = Link.from_dict(data)

                return self_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Link | None | Unset, data)

        self_ = _parse_self_(d.pop("self", UNSET))

        def _parse_payment_instruments(data: object) -> Link | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                payment_instruments_type_0 = Link.from_dict(data)

                return payment_instruments_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Link | None | Unset, data)

        payment_instruments = _parse_payment_instruments(d.pop("paymentInstruments", UNSET))

        def _parse_shipping_addresses(data: object) -> Link | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                shipping_addresses_type_0 = Link.from_dict(data)

                return shipping_addresses_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Link | None | Unset, data)

        shipping_addresses = _parse_shipping_addresses(d.pop("shippingAddresses", UNSET))

        def _parse_shipping_address(data: object) -> Link | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                shipping_address_type_0 = Link.from_dict(data)

                return shipping_address_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Link | None | Unset, data)

        shipping_address = _parse_shipping_address(d.pop("shippingAddress", UNSET))

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
