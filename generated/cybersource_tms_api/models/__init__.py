"""Contains all the data models used in inputs/outputs"""

from .buyer_information import BuyerInformation
from .client_reference_information import ClientReferenceInformation
from .customer import Customer
from .customer_links import CustomerLinks
from .customer_metadata import CustomerMetadata
from .customer_update import CustomerUpdate
from .error_answer import ErrorAnswer
from .error_detail import ErrorDetail
from .error_entry import ErrorEntry
from .link import Link
from .merchant_defined_information import MerchantDefinedInformation

__all__ = (
    "BuyerInformation",
    "ClientReferenceInformation",
    "Customer",
    "CustomerLinks",
    "CustomerMetadata",
    "CustomerUpdate",
    "ErrorAnswer",
    "ErrorDetail",
    "ErrorEntry",
    "Link",
    "MerchantDefinedInformation",
)
