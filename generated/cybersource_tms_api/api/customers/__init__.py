"""Contains endpoint functions for accessing the API"""

from ... import models
from . import retrieve_customer as retrieve_customer
from . import update_customer as update_customer

RETRIEVE_CUSTOMER_SUCCESS = {
    200: models.Customer,
}
UPDATE_CUSTOMER_SUCCESS = {
    200: models.Customer,
}
