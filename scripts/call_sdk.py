"""Reads and updates a customer with CyberSource's SDK; scripts/compare_sdk.py runs it in the SDK's environment.

Standard input is JSON: the SDK's `config`, the `customer`'s id and the `update`, a body as text.
"""

import json
import sys

from CyberSource import CustomerApi  # type: ignore[import-not-found]

given = json.load(sys.stdin)
customers = CustomerApi(given["config"])
customers.get_customer(given["customer"])
customers.patch_customer(given["customer"], given["update"])
