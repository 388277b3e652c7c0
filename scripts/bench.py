"""CPU time of a call against a raw asyncio server in another process, and of what the library adds to it.

All figures of one run come from the same machine at the same time, in turns, so compare the ratios and not the runs.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import partial
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bench_server import running
from cybersource_tms import (
    AsyncCustomersClient,
    BuyerInformation,
    CertificateAuth,
    Customer,
    CustomersClient,
    CustomerUpdate,
    MessageEncryption,
    SharedSecretAuth,
    changed_fields,
)
from cybersource_tms_api import Client
from cybersource_tms_api.api.customers import update_customer
from cybersource_tms_sandbox import MERCHANT_ID, PAGE_CUSTOMER_ID, page_customer

ROUNDS, CALLS = 9, 60
BEFORE = Customer.from_dict(page_customer())
DESIRED = CustomerUpdate(buyer_information=BuyerInformation(email="new@example.com"))
KEY = rsa.generate_private_key(65537, 2048)


def main() -> None:
    """Print everything."""
    with running(page_customer()) as url:
        costs = measured(ways(url))
    print(f"CPU time, µs, median of {ROUNDS} rounds of {CALLS} calls")
    for what, rounds in costs.items():
        print(f"  {what:45}{median(rounds):8.1f}")
    print("\nRatios, median of the rounds")
    show("changed_fields + update / bare httpx", costs, lambda cost: cost["HS256"] / cost["bare httpx"], 1.25)
    show("generated call / bare httpx", costs, lambda cost: cost["generated"] / cost["bare httpx"])
    show("RS256 / (HS256 + raw RSA signature)", costs, lambda cost: cost["RS256"] / (cost["HS256"] + cost["RSA"]), 1.2)
    show("(MLE - HS256) / raw RSA-OAEP", costs, lambda cost: (cost["MLE"] - cost["HS256"]) / cost["OAEP"], 3)
    show("encrypting alone / raw RSA-OAEP", costs, lambda cost: cost["encrypting"] / cost["OAEP"])
    show("retries on / off", costs, lambda cost: cost["HS256"] / cost["no retries"], 1.05)
    show("async update / bare async httpx", costs, lambda cost: cost["async"] / cost["bare httpx, async"])
    imports()
    diffs()


def ways(url: str) -> dict[str, Callable[[], object]]:
    """Return what is measured, by its name."""
    path = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
    body = json.dumps({"buyerInformation": {"email": "new@example.com"}}, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/json;charset=utf-8"}
    bare = httpx.Client(base_url=url)
    generated = Client(url).set_httpx_client(httpx.Client(base_url=url))
    shared = SharedSecretAuth(MERCHANT_ID, "key", base64.b64encode(os.urandom(32)).decode())
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return {
        "bare httpx": lambda: bare.patch(path, content=body, headers=headers),
        "generated": lambda: update_customer.sync_detailed(PAGE_CUSTOMER_ID, client=generated, body=DESIRED),
        "HS256": update(CustomersClient("test", shared, base_url=url)),
        "no retries": update(CustomersClient("test", shared, base_url=url, retries=None)),
        "RS256": update(CustomersClient("test", certificate_auth(), base_url=url)),
        "MLE": update(CustomersClient("test", shared, base_url=url, encryption=MessageEncryption(certificate()))),
        **async_ways(url, shared),
        "encrypting": partial(MessageEncryption(certificate()).encrypt_request, body),
        "RSA": lambda: KEY.sign(bytes(600), padding.PKCS1v15(), hashes.SHA256()),
        "OAEP": lambda: KEY.public_key().encrypt(bytes(32), oaep),
    }


def async_ways(url: str, auth: SharedSecretAuth) -> dict[str, Callable[[], object]]:
    """Return a call of the async client, and a call of bare async httpx."""
    run = asyncio.new_event_loop().run_until_complete
    customers = AsyncCustomersClient("test", auth, base_url=url)
    changes = changed_fields(BEFORE, DESIRED)
    assert changes
    bare = httpx.AsyncClient(base_url=url)
    path = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
    return {
        "async": lambda: run(customers.update(PAGE_CUSTOMER_ID, changes)),
        "bare httpx, async": lambda: run(bare.patch(path, json={"buyerInformation": {"email": "new@example.com"}})),
    }


def update(customers: CustomersClient) -> Callable[[], object]:
    """Return a call of `changed_fields` and `update` with one of the clients."""

    def call() -> None:
        if changes := changed_fields(BEFORE, DESIRED):
            customers.update(PAGE_CUSTOMER_ID, changes)

    return call


def certificate_auth() -> CertificateAuth:
    """Return credentials of a certificate that is made here."""
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return CertificateAuth(private_key=pem, certificate=certificate(), merchant_id=MERCHANT_ID)


def certificate() -> bytes:
    """Return a self-signed certificate of the merchant's, good for a year."""
    subject = [(NameOID.COMMON_NAME, MERCHANT_ID), (NameOID.SERIAL_NUMBER, "1")]
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, KEY.public_key(), 1, now - timedelta(days=1), now + timedelta(days=365)
    )
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.PEM)


def measured(ways: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return the CPU times of each, round by round, in turns."""
    costs: dict[str, list[float]] = {what: [] for what in ways}
    for _ in range(ROUNDS):
        for what, way in ways.items():
            costs[what].append(cpu(way, CALLS))
    return costs


def show(
    what: str, costs: dict[str, list[float]], ratio: Callable[[dict[str, float]], float], mark: float | None = None
) -> None:
    """Print a ratio, and the mark to keep."""
    rounds = [dict(zip(costs, each, strict=True)) for each in zip(*costs.values(), strict=True)]
    print(f"  {what:45}{median(map(ratio, rounds)):8.2f}" + (f"   mark: {mark:g}" if mark else ""))


def imports() -> None:
    """Print what importing costs, each time in a new process."""
    rounds = [[process(f"import {name}") for name in ("sys", "httpx", "cybersource_tms")] for _ in range(ROUNDS)]
    bare, ours = (median(each[index] - each[0] for each in rounds) for index in (1, 2))
    print("\nimport, CPU time of a new process less that of an empty one, ms")
    print(f"  {'httpx':45}{bare * 1e3:8.1f}")
    print(f"  {'cybersource_tms':45}{ours * 1e3:8.1f}")
    print(f"  {'ratio':45}{ours / bare:8.2f}   mark: 2.4")


def diffs() -> None:
    """Print what `changed_fields` costs on its own."""
    whole = deepcopy(BEFORE)
    whole.buyer_information = BuyerInformation(email="new@example.com")
    print("\nchanged_fields alone, the page's customer, µs")
    afters: dict[str, Customer | CustomerUpdate] = {"against one group": DESIRED, "against an edited whole": whole}
    for what, after in afters.items():
        print(f"  {what:45}{cpu(partial(changed_fields, BEFORE, after), 2000):8.1f}   mark: 12")


def cpu(call: Callable[[], object], times: int) -> float:
    """Return the CPU time of this process for one call, in µs."""
    call()
    started = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - started) / times * 1e6


def process(code: str) -> float:
    """Return the CPU time of a new process, in seconds; `os.times` would count in hundredths."""
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
