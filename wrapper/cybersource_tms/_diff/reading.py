"""Reading without `UNSET`: one field of a customer by its path, and the merchant's own entries by name."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, TypeVar, cast

from cybersource_tms.errors import InvalidRequest
from cybersource_tms_api.models import Customer, MerchantDefinedInformation

from .spec import ANYTHING, FORMATS, MODELS, Mismatch, Schema, field_schema

_Value = TypeVar("_Value")


def read_field(customer: Customer, path: object, kind: type[_Value]) -> _Value | None:
    """Return the value of a field, or None if it is not there. Refuse an unknown path, or one of another type."""
    if not isinstance(path, str):
        raise InvalidRequest("get: expected a path such as buyerInformation.email", argument="path")
    hint = "; MerchantData(record.customer) has its entries" if path.startswith("merchantDefinedInformation") else ""
    try:
        held = _types(field_schema(path), kind)
    except Mismatch as mismatch:
        raise InvalidRequest(f"get: {mismatch}{hint}", argument="path", path=path) from mismatch
    if kind not in held:
        names = " or ".join(each.__name__ for each in held)
        problem = f"it holds {names}, which get() takes as kind=" if held else "it is not a single value"
        raise InvalidRequest(f"get: {path}: {problem}{hint}", argument="kind", path=path)
    value: Any = customer
    for name in path.split("."):
        value = _member(value, name)
    fits = type(value) is kind or (kind is float and type(value) is int)  # JSON writes 1.0 as 1, too
    return cast("_Value", value) if fits else None


def _types(schema: Schema, kind: type) -> list[type]:
    """Return the types of Python that a field's values have; any will do where the spec says nothing."""
    text = FORMATS[schema.format][0] if schema.format else str
    kinds = {str: text, bool: bool, int: float if float in schema.types else int}
    return [kind] if schema is ANYTHING else [each for name, each in kinds.items() if name in schema.types]


def _member(value: object, name: str) -> Any:
    """Return what a model, or an object that was not made into one, has under a name of the API."""
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value).get(name)
    attribute = MODELS.get(type(value), {}).get(name)
    return getattr(value, attribute) if attribute else getattr(value, "additional_properties", {}).get(name)


class MerchantData(MutableMapping[str, str]):
    """A customer's `merchant_defined_information` as a dict of names and values.

        def upgrade(customer: Customer) -> Customer:
            MerchantData(customer)["data2"] = "Gold"
            return customer

        customers.modify(customer_id, upgrade)

    What is changed here is changed in the customer. An entry without a name or without a value is left alone and not
    shown. A value must hold no personal data, or CyberSource suspends the account.

    Args:
        customer: The customer of a record, or the one that `modify` gives to its function.

    Raises:
        InvalidRequest: It is not a `Customer`.
    """

    def __init__(self, customer: Customer) -> None:
        if not isinstance(cast("object", customer), Customer):  # a list of a CustomerUpdate would replace all entries
            raise InvalidRequest("MerchantData: expected a Customer, such as record.customer", argument="customer")
        self._customer = customer

    def __getitem__(self, name: str) -> str:
        return self._values()[name]

    def __setitem__(self, name: str, value: str) -> None:
        entries = self._entries()
        named = [entry for entry in entries if entry.name == name]
        for entry in named:
            entry.value = value
        added = [] if named else [MerchantDefinedInformation(name=name, value=value)]
        self._customer.merchant_defined_information = [*entries, *added]

    def __delitem__(self, name: str) -> None:
        del self._values()[name]  # KeyError where there is none
        left = [entry for entry in self._entries() if entry.name != name]
        # The guide removes a field by null; it does not say what an empty array does.
        self._customer.merchant_defined_information = left or None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def _entries(self) -> list[MerchantDefinedInformation]:
        return self._customer.merchant_defined_information or []

    def _values(self) -> dict[str, str]:
        pairs = ((entry.name, entry.value) for entry in self._entries())
        return {name: value for name, value in pairs if isinstance(name, str) and isinstance(value, str)}
