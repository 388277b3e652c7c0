"""Contains all the data models used in inputs/outputs"""

from .buyer_information import BuyerInformation
from .client_reference_information import ClientReferenceInformation
from .customer import Customer
from .customer_links import CustomerLinks
from .customer_metadata import CustomerMetadata
from .customer_update import CustomerUpdate
from .default_payment_instrument import DefaultPaymentInstrument
from .default_shipping_address import DefaultShippingAddress
from .error_answer import ErrorAnswer
from .error_detail import ErrorDetail
from .error_entry import ErrorEntry
from .link import Link
from .merchant_defined_information import MerchantDefinedInformation
from .object_information import ObjectInformation

__all__ = (
    "BuyerInformation",
    "ClientReferenceInformation",
    "Customer",
    "CustomerLinks",
    "CustomerMetadata",
    "CustomerUpdate",
    "DefaultPaymentInstrument",
    "DefaultShippingAddress",
    "ErrorAnswer",
    "ErrorDetail",
    "ErrorEntry",
    "Link",
    "MerchantDefinedInformation",
    "ObjectInformation",
)
