"""CPU time of a call against a raw asyncio server in another process, and of what the library adds to it.

All figures of one run come from the same machine at the same time, in turns, so compare the ratios and not the runs.
"""

import base64
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from statistics import median

import httpx

from bench_server import serve
from cybersource_tms import (
    BuyerInformation,
    Customer,
    CustomersClient,
    CustomerUpdate,
    SharedSecretAuth,
    changed_fields,
)
from cybersource_tms_api import Client
from cybersource_tms_api.api.customers import update_customer
from sandbox import PAGE_CUSTOMER_ID, Sandbox

ROUNDS, CALLS = 15, 200
PAGE_CUSTOMER = Sandbox().customer()


def main() -> None:
    """Print everything."""
    before = Customer.from_dict(PAGE_CUSTOMER)
    desired = CustomerUpdate(buyer_information=BuyerInformation(email="new@example.com"))
    with a_server() as url:
        calls(url, before, desired)
    imports()
    whole = deepcopy(before)
    whole.buyer_information = BuyerInformation(email="new@example.com")
    print("\nchanged_fields alone, the page's customer (mark: 25 µs)")
    afters: dict[str, Customer | CustomerUpdate] = {
        "against one group": desired,
        "against an edited copy of the whole": whole,
    }
    for what, after in afters.items():
        print(f"  {what:40}{cpu(partial(changed_fields, before, after), 2000):8.1f} µs")


def calls(url: str, before: Customer, desired: CustomerUpdate) -> None:
    """Print the cost of one update, three ways."""
    body = json.dumps({"buyerInformation": {"email": "new@example.com"}}, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/json;charset=utf-8"}
    secret = base64.b64encode(os.urandom(32)).decode()
    bare = httpx.Client(base_url=url)
    generated = Client(url).set_httpx_client(httpx.Client(base_url=url))
    ours = CustomersClient("test", SharedSecretAuth("testrest", "key", secret), base_url=url)

    def ours_update() -> None:
        changes = changed_fields(before, desired)
        assert changes
        ours.update(PAGE_CUSTOMER_ID, changes)

    path = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
    ways: dict[str, Callable[[], object]] = {
        "bare httpx.Client.patch, ready body": lambda: bare.patch(path, content=body, headers=headers),
        "generated call": lambda: update_customer.sync_detailed(PAGE_CUSTOMER_ID, client=generated, body=desired),
        "changed_fields + update, HS256": ours_update,
    }
    print(f"CPU time a call, median of {ROUNDS} rounds of {CALLS} (mark: the last at most 1.45 times the first)")
    rounds: dict[str, list[float]] = {what: [] for what in ways}
    for _ in range(ROUNDS):
        for what, way in ways.items():
            rounds[what].append(cpu(way, CALLS))
    first = rounds[next(iter(ways))]
    for what, costs in rounds.items():
        ratio = median(cost / base for cost, base in zip(costs, first, strict=True))
        print(f"  {what:40}{median(costs):8.1f} µs{ratio:8.2f}")


def imports() -> None:
    """Print what importing costs, each time in a new process."""
    print("\nimport, CPU time of a new process less that of an empty one (mark: at most 2.5 times)")
    rounds = [[process(f"import {name}") for name in ("sys", "httpx", "cybersource_tms")] for _ in range(ROUNDS)]
    httpx_cost = median(each[1] - each[0] for each in rounds)
    ours_cost = median(each[2] - each[0] for each in rounds)
    print(f"  {'httpx':40}{httpx_cost * 1e3:8.1f} ms")
    print(f"  {'cybersource_tms':40}{ours_cost * 1e3:8.1f} ms{ours_cost / httpx_cost:8.2f}")


def cpu(call: Callable[[], object], times: int) -> float:
    """Return the CPU time of this process for one call, in µs."""
    call()
    started = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - started) / times * 1e6


def process(code: str) -> float:
    """Return the CPU time of a new process, in seconds."""
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


@contextmanager
def a_server() -> Iterator[str]:
    """Run the raw server in another process."""
    ready, port = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(port, PAGE_CUSTOMER), daemon=True)
    server.start()
    yield f"http://127.0.0.1:{ready.recv()}"
    server.terminate()
    server.join()


if __name__ == "__main__":
    main()
