from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.buyer_information import BuyerInformation
    from ..models.client_reference_information import ClientReferenceInformation
    from ..models.default_payment_instrument import DefaultPaymentInstrument
    from ..models.default_shipping_address import DefaultShippingAddress
    from ..models.merchant_defined_information import MerchantDefinedInformation
    from ..models.object_information import ObjectInformation


T = TypeVar("T", bound="CustomerUpdate")


@_attrs_define
class CustomerUpdate:
    """The fields of a customer that can be written. All are optional: a field that is not given stays as it is, and null
    removes it.

        Attributes:
            buyer_information (BuyerInformation | None | Unset): Who the customer is.
            client_reference_information (ClientReferenceInformation | None | Unset): The merchant's reference.
            merchant_defined_information (list[MerchantDefinedInformation] | None | Unset): The merchant's own data. An
                update replaces all entries, so to change one, send all of them.
            object_information (None | ObjectInformation | Unset): A title and a comment.
            default_payment_instrument (DefaultPaymentInstrument | None | Unset): The payment instrument that is used if
                none is named.
            default_shipping_address (DefaultShippingAddress | None | Unset): The shipping address that is used if none is
                named.
    """

    buyer_information: BuyerInformation | None | Unset = UNSET
    client_reference_information: ClientReferenceInformation | None | Unset = UNSET
    merchant_defined_information: list[MerchantDefinedInformation] | None | Unset = UNSET
    object_information: None | ObjectInformation | Unset = UNSET
    default_payment_instrument: DefaultPaymentInstrument | None | Unset = UNSET
    default_shipping_address: DefaultShippingAddress | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.buyer_information import BuyerInformation  # noqa: PLC0415
        from ..models.client_reference_information import ClientReferenceInformation  # noqa: PLC0415
        from ..models.default_payment_instrument import DefaultPaymentInstrument  # noqa: PLC0415
        from ..models.default_shipping_address import DefaultShippingAddress  # noqa: PLC0415
        from ..models.object_information import ObjectInformation  # noqa: PLC0415

        buyer_information: dict[str, Any] | None | Unset
        if isinstance(self.buyer_information, Unset):
            buyer_information = UNSET
        elif isinstance(self.buyer_information, BuyerInformation):
            buyer_information = self.buyer_information.to_dict()
        else:
            buyer_information = self.buyer_information

        client_reference_information: dict[str, Any] | None | Unset
        if isinstance(self.client_reference_information, Unset):
            client_reference_information = UNSET
        elif isinstance(self.client_reference_information, ClientReferenceInformation):
            client_reference_information = self.client_reference_information.to_dict()
        else:
            client_reference_information = self.client_reference_information

        merchant_defined_information: list[dict[str, Any]] | None | Unset
        if isinstance(self.merchant_defined_information, Unset):
            merchant_defined_information = UNSET
        elif isinstance(self.merchant_defined_information, list):
            merchant_defined_information = []
            for merchant_defined_information_type_0_item_data in self.merchant_defined_information:
                merchant_defined_information_type_0_item = merchant_defined_information_type_0_item_data.to_dict()
                merchant_defined_information.append(merchant_defined_information_type_0_item)

        else:
            merchant_defined_information = self.merchant_defined_information

        object_information: dict[str, Any] | None | Unset
        if isinstance(self.object_information, Unset):
            object_information = UNSET
        elif isinstance(self.object_information, ObjectInformation):
            object_information = self.object_information.to_dict()
        else:
            object_information = self.object_information

        default_payment_instrument: dict[str, Any] | None | Unset
        if isinstance(self.default_payment_instrument, Unset):
            default_payment_instrument = UNSET
        elif isinstance(self.default_payment_instrument, DefaultPaymentInstrument):
            default_payment_instrument = self.default_payment_instrument.to_dict()
        else:
            default_payment_instrument = self.default_payment_instrument

        default_shipping_address: dict[str, Any] | None | Unset
        if isinstance(self.default_shipping_address, Unset):
            default_shipping_address = UNSET
        elif isinstance(self.default_shipping_address, DefaultShippingAddress):
            default_shipping_address = self.default_shipping_address.to_dict()
        else:
            default_shipping_address = self.default_shipping_address

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if buyer_information is not UNSET:
            field_dict["buyerInformation"] = buyer_information
        if client_reference_information is not UNSET:
            field_dict["clientReferenceInformation"] = client_reference_information
        if merchant_defined_information is not UNSET:
            field_dict["merchantDefinedInformation"] = merchant_defined_information
        if object_information is not UNSET:
            field_dict["objectInformation"] = object_information
        if default_payment_instrument is not UNSET:
            field_dict["defaultPaymentInstrument"] = default_payment_instrument
        if default_shipping_address is not UNSET:
            field_dict["defaultShippingAddress"] = default_shipping_address

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.buyer_information import BuyerInformation  # noqa: PLC0415
        from ..models.client_reference_information import ClientReferenceInformation  # noqa: PLC0415
        from ..models.default_payment_instrument import DefaultPaymentInstrument  # noqa: PLC0415
        from ..models.default_shipping_address import DefaultShippingAddress  # noqa: PLC0415
        from ..models.merchant_defined_information import MerchantDefinedInformation  # noqa: PLC0415
        from ..models.object_information import ObjectInformation  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_buyer_information(data: object) -> BuyerInformation | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                buyer_information_type_0 = BuyerInformation.from_dict(data)

                return buyer_information_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(BuyerInformation | None | Unset, data)

        buyer_information = _parse_buyer_information(d.pop("buyerInformation", UNSET))

        def _parse_client_reference_information(data: object) -> ClientReferenceInformation | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                client_reference_information_type_0 = ClientReferenceInformation.from_dict(data)

                return client_reference_information_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(ClientReferenceInformation | None | Unset, data)

        client_reference_information = _parse_client_reference_information(d.pop("clientReferenceInformation", UNSET))

        def _parse_merchant_defined_information(data: object) -> list[MerchantDefinedInformation] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                merchant_defined_information_type_0 = []
                _merchant_defined_information_type_0 = data
                for merchant_defined_information_type_0_item_data in _merchant_defined_information_type_0:
                    merchant_defined_information_type_0_item = MerchantDefinedInformation.from_dict(
                        merchant_defined_information_type_0_item_data
                    )

                    merchant_defined_information_type_0.append(merchant_defined_information_type_0_item)

                return merchant_defined_information_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[MerchantDefinedInformation] | None | Unset, data)

        merchant_defined_information = _parse_merchant_defined_information(d.pop("merchantDefinedInformation", UNSET))

        def _parse_object_information(data: object) -> None | ObjectInformation | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                object_information_type_0 = ObjectInformation.from_dict(data)

                return object_information_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | ObjectInformation | Unset, data)

        object_information = _parse_object_information(d.pop("objectInformation", UNSET))

        def _parse_default_payment_instrument(data: object) -> DefaultPaymentInstrument | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                default_payment_instrument_type_0 = DefaultPaymentInstrument.from_dict(data)

                return default_payment_instrument_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(DefaultPaymentInstrument | None | Unset, data)

        default_payment_instrument = _parse_default_payment_instrument(d.pop("defaultPaymentInstrument", UNSET))

        def _parse_default_shipping_address(data: object) -> DefaultShippingAddress | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                default_shipping_address_type_0 = DefaultShippingAddress.from_dict(data)

                return default_shipping_address_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(DefaultShippingAddress | None | Unset, data)

        default_shipping_address = _parse_default_shipping_address(d.pop("defaultShippingAddress", UNSET))

        customer_update = cls(
            buyer_information=buyer_information,
            client_reference_information=client_reference_information,
            merchant_defined_information=merchant_defined_information,
            object_information=object_information,
            default_payment_instrument=default_payment_instrument,
            default_shipping_address=default_shipping_address,
        )

        customer_update.additional_properties = d
        return customer_update

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
