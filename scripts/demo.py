"""Updates a customer and shows what went over the wire: against the stand-in service, or against the real one."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from cybersource_tms import (
    BuyerInformation,
    Customer,
    CustomersClient,
    CustomerUpdate,
    Environment,
    MerchantDefinedInformation,
    SharedSecretAuth,
    changed_fields,
)
from cybersource_tms.errors import CybersourceError
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Sandbox


class Wire(httpx.HTTPTransport):
    """Keeps what goes over the wire, and what comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.exchanges: list[tuple[httpx.Request, httpx.Response]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and keep it."""
        response = super().handle_request(request)
        self.exchanges.append((request, response))
        return response


def main() -> None:
    """Read the arguments, and run the demo where they say."""
    parser = argparse.ArgumentParser(description=__doc__)
    environments = [environment.value for environment in Environment]
    parser.add_argument("--environment", choices=environments, help="the real service, with the README's variables set")
    parser.add_argument("--customer", default=PAGE_CUSTOMER_ID, help="its token id (default: the page's, %(default)s)")
    arguments = parser.parse_args()
    try:
        if arguments.environment:
            os.environ["CYBERSOURCE_ENVIRONMENT"] = arguments.environment
            demo(arguments.customer, Environment(arguments.environment).base_url)
        else:
            with stand_in() as url:
                demo(arguments.customer, url)
    except (CybersourceError, httpx.HTTPError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


@contextmanager
def stand_in() -> Iterator[str]:
    """Run the stand-in service, with its credentials in the environment variables."""
    os.environ |= {
        "CYBERSOURCE_ENVIRONMENT": "test",
        "CYBERSOURCE_MERCHANT_ID": MERCHANT_ID,
        "CYBERSOURCE_KEY_ID": KEY_ID,
        "CYBERSOURCE_SECRET_KEY": SECRET,
    }
    with Sandbox().running() as url:
        print(f"The stand-in service runs at {url}")
        yield url


def demo(customer_id: str, server: str) -> None:
    """Update the customer twice: the second time there is nothing to send."""
    wire = Wire()
    with CustomersClient.from_env(base_url=server, transport=wire) as customers:
        customer = read(f"{server}/tms/v2/customers/{customer_id}")
        show("The customer before", customer)
        desired = CustomerUpdate(
            buyer_information=BuyerInformation(email="new@example.com"),
            merchant_defined_information=[
                *(entry for entry in customer.merchant_defined_information or [] if entry.name != "data2"),
                MerchantDefinedInformation(name="data2", value="Gold"),
            ],
        )
        customer = update(customers, customer, desired, wire)
        show("The customer afterwards", customer)
        print("\nThe same update again")
        update(customers, customer, desired, wire)


def update(customers: CustomersClient, before: Customer, desired: CustomerUpdate, wire: Wire) -> Customer:
    """Send what differs, if anything does, and show it."""
    sent = len(wire.exchanges)
    if changes := changed_fields(before, desired):
        record = customers.update(before.id, changes)
        request, response = wire.exchanges[-1]
        print("\nThe fields that changed:", ", ".join(paths(changes.to_dict())))
        print("The body on the wire:   ", request.read().decode())
        print("The answer's status:    ", response.status_code)
        print("ETag:                   ", record.etag)
        print("Correlation id:         ", record.correlation_id)
        return record.customer
    print("No field differs; requests sent:", len(wire.exchanges) - sent)
    return before


def paths(patch: dict[str, Any], group: str = "") -> Iterator[str]:
    """Yield the names of the fields in a patch, as `group.field`."""
    for name, value in patch.items():
        if isinstance(value, dict):
            yield from paths(value, f"{group}{name}.")
        else:
            yield group + name


def read(url: str) -> Customer:
    """Read a customer with plain httpx: the credentials are an `httpx.Auth`, so they work there too."""
    auth = SharedSecretAuth(
        os.environ["CYBERSOURCE_MERCHANT_ID"],
        os.environ["CYBERSOURCE_KEY_ID"],
        os.environ["CYBERSOURCE_SECRET_KEY"],
    )
    return Customer.from_dict(httpx.get(url, auth=auth).raise_for_status().json())


def show(title: str, customer: Customer) -> None:
    """Print a customer, without its links."""
    print(f"\n{title}:")
    print(json.dumps({name: value for name, value in customer.to_dict().items() if name != "_links"}, indent=2))


if __name__ == "__main__":
    main()
