"""Contains endpoint functions for accessing the API"""

from ... import models
from . import retrieve_customer, update_customer
from .retrieve_customer import _get_kwargs as retrieve_customer_request
from .update_customer import _get_kwargs as update_customer_request

RETRIEVE_CUSTOMER_SUCCESS = {
    200: models.Customer,
}
UPDATE_CUSTOMER_SUCCESS = {
    200: models.Customer,
}

__all__ = [
    "RETRIEVE_CUSTOMER_SUCCESS",
    "retrieve_customer",
    "retrieve_customer_request",
    "UPDATE_CUSTOMER_SUCCESS",
    "update_customer",
    "update_customer_request",
]
