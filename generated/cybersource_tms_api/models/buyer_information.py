from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="BuyerInformation")


@_attrs_define
class BuyerInformation:
    """Who the customer is.

    Attributes:
        merchant_customer_id (None | str | Unset): The merchant's own identifier of the customer, up to 100 characters.
        email (None | str | Unset): The customer's e-mail address, up to 255 characters.
    """

    merchant_customer_id: None | str | Unset = UNSET
    email: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        merchant_customer_id: None | str | Unset
        if isinstance(self.merchant_customer_id, Unset):
            merchant_customer_id = UNSET
        else:
            merchant_customer_id = self.merchant_customer_id

        email: None | str | Unset
        if isinstance(self.email, Unset):
            email = UNSET
        else:
            email = self.email

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if merchant_customer_id is not UNSET:
            field_dict["merchantCustomerID"] = merchant_customer_id
        if email is not UNSET:
            field_dict["email"] = email

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_merchant_customer_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        merchant_customer_id = _parse_merchant_customer_id(d.pop("merchantCustomerID", UNSET))

        def _parse_email(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        email = _parse_email(d.pop("email", UNSET))

        buyer_information = cls(
            merchant_customer_id=merchant_customer_id,
            email=email,
        )

        buyer_information.additional_properties = d
        return buyer_information

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
