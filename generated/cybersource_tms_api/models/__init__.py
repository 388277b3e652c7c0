"""Contains all the data models used in inputs/outputs"""

from .authentication_failure import AuthenticationFailure
from .authentication_failure_reason import AuthenticationFailureReason
from .buyer_information import BuyerInformation
from .client_reference_information import ClientReferenceInformation
from .customer import Customer
from .customer_links import CustomerLinks
from .customer_metadata import CustomerMetadata
from .customer_update import CustomerUpdate
from .default_payment_instrument import DefaultPaymentInstrument
from .default_shipping_address import DefaultShippingAddress
from .error_response import ErrorResponse
from .error_response_detail import ErrorResponseDetail
from .error_response_entry import ErrorResponseEntry
from .link import Link
from .merchant_defined_information import MerchantDefinedInformation
from .object_information import ObjectInformation

__all__ = (
    "AuthenticationFailure",
    "AuthenticationFailureReason",
    "BuyerInformation",
    "ClientReferenceInformation",
    "Customer",
    "CustomerLinks",
    "CustomerMetadata",
    "CustomerUpdate",
    "DefaultPaymentInstrument",
    "DefaultShippingAddress",
    "ErrorResponse",
    "ErrorResponseDetail",
    "ErrorResponseEntry",
    "Link",
    "MerchantDefinedInformation",
    "ObjectInformation",
)
