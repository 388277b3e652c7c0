"""Updates the customers of a JSON Lines file on a Dask cluster: an example, for when one machine is not enough.

    python scripts/update_on_dask.py rows.jsonl --scheduler tls://scheduler:8786 --workers 4 > outcomes.jsonl

A row is {"id": "...", "buyerInformation": {"email": "..."}}. Without --scheduler, the workers are processes of this
machine. Each worker makes its client from its own environment variables, so no credentials go through the scheduler.
The rows do: use TLS between the machines.

All rows of an id are in one partition, in their order. If a worker is lost, Dask runs its partitions again. That does
no harm: each customer is read first, and an update that is already there sends nothing.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from distributed import Client, KilledWorker, as_completed

from cybersource_tms import CustomersClient, UpdateOutcome, changed_fields
from cybersource_tms.errors import CybersourceError

PARTITIONS_PER_THREAD = 8

Row = tuple[Any, dict[str, Any]]  # the customer's id, and the desired values


def update_partition(rows: list[Row], *, per_second: float) -> list[dict[str, Any]]:
    """Update the customers of a partition, on a worker."""
    updates = ((customer_id, partial(changed_fields, after=desired)) for customer_id, desired in rows)
    with CustomersClient.from_env() as customers:
        return [describe(outcome) for outcome in customers.update_many(updates, per_second=per_second)]


def describe(outcome: UpdateOutcome) -> dict[str, Any]:
    """Return an outcome without the customer's values."""
    error = type(outcome.error).__name__ if outcome.error else None
    status = "failed" if error else "updated" if outcome.record else "unchanged"
    return {"id": outcome.customer_id, "status": status, "changed": outcome.changed, "error": error}


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                yield row.pop("id"), row
            except (ValueError, TypeError, AttributeError, KeyError):
                sys.exit(f"{path}, line {number}: expected a JSON object with an id")


def split(rows: Iterable[Row], count: int) -> list[list[Row]]:
    """Return at most `count` partitions, with all rows of an id in one of them."""
    partitions: list[list[Row]] = [[] for _ in range(count)]
    for customer_id, desired in rows:
        number = hash(str(customer_id).casefold()) % count  # the service's ids are without case
        partitions[number].append((customer_id, desired))
    return [partition for partition in partitions if partition]


def update_on(client: Client, rows: list[Row], per_second: float) -> None:
    """Update the customers on a cluster, and print the outcomes of each partition as it finishes."""
    threads = sum(client.nthreads().values())  # each has its share of the rate, so do not add workers later
    partitions = split(rows, PARTITIONS_PER_THREAD * threads)
    futures = client.map(update_partition, partitions, per_second=per_second / threads, pure=False)
    for _, outcomes in as_completed(futures, with_results=True):
        print(*map(json.dumps, outcomes), sep="\n", flush=True)


def main() -> None:
    """Read the arguments and the rows, and run the job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path, metavar="FILE", help="JSON Lines")
    parser.add_argument("--scheduler", help="its address (default: a cluster of processes on this machine)")
    parser.add_argument("--workers", type=int, default=2, help="how many to wait for, or to start (default: 2)")
    parser.add_argument("--per-second", type=float, default=50, help="requests of all workers at most (default: 50)")
    options = parser.parse_args()
    if options.workers < 1:
        parser.error("--workers: expected 1 or more")
    try:
        rows = list(read_rows(options.rows))
        local = {} if options.scheduler else {"n_workers": options.workers, "threads_per_worker": 1}
        with Client(options.scheduler, **local) as client:
            client.wait_for_workers(options.workers, timeout=60)
            update_on(client, rows, options.per_second)
    except (CybersourceError, KilledWorker, OSError, UnicodeDecodeError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
