"""Updates a customer and shows what goes over the wire: in the sandbox, or in one of the service's environments."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from cybersource_tms import Customer, CustomersClient, Environment, MerchantData
from cybersource_tms.errors import CybersourceError
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Sandbox

WANTED = {"buyerInformation": {"email": "new@example.com"}}


class ShownTransport(httpx.HTTPTransport):
    """Prints what goes over the wire."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and print it with the status of its response."""
        response = super().handle_request(request)
        guard = f"  if-match: {request.headers['if-match']}" if "if-match" in request.headers else ""
        print(f"  {request.method} {request.url.path}{guard}  ->  {response.status_code}")
        if request.content:
            print(f"    {request.content.decode()}")
        return response


def main() -> None:
    """Read the arguments, and run the demo where they say."""
    parser = argparse.ArgumentParser(description=__doc__)
    environments = [environment.value for environment in Environment]
    help_text = "one of the service's, with the variables of docs/credentials.md set"
    parser.add_argument("--environment", choices=environments, help=help_text)
    parser.add_argument("--customer", default=PAGE_CUSTOMER_ID, help="a token id (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        if arguments.environment:
            os.environ["CYBERSOURCE_ENVIRONMENT"] = arguments.environment
            demo(arguments.customer)
        else:
            with sandbox():
                demo(arguments.customer)
    except CybersourceError as error:
        sys.exit(f"{type(error).__name__}: {error}")


@contextmanager
def sandbox() -> Iterator[None]:
    """Run the sandbox, with its variables set."""
    service = Sandbox()
    with service.running() as url:
        os.environ |= {**service.variables, "CYBERSOURCE_BASE_URL": url}
        print(f"The sandbox runs at {url}")
        yield


def demo(customer_id: str) -> None:
    """Update a customer with `apply`, again, and with `modify`."""
    with CustomersClient.from_env(transport=ShownTransport()) as customers:
        print("\nretrieve: the customer")
        show(customers.retrieve(customer_id).customer)
        print(f"\napply {json.dumps(WANTED)}")
        record = customers.apply(customer_id, WANTED)
        print(f"  sent: {', '.join(record.sent)}; correlation id: {record.correlation_id}")
        print("\napply, the same again: nothing differs, so nothing is sent")
        customers.apply(customer_id, WANTED)
        print("\nmodify: one of the merchant's entries")
        show(customers.modify(customer_id, upgrade).customer)


def upgrade(customer: Customer) -> Customer:
    """Set an entry of the merchant's data."""
    MerchantData(customer)["data2"] = "Gold"
    return customer


def show(customer: Customer) -> None:
    """Print a customer, without its links."""
    print(json.dumps({name: value for name, value in customer.to_dict().items() if name != "_links"}, indent=2))


if __name__ == "__main__":
    main()
