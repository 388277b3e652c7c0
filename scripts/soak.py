"""Run two jobs on the same customers, against a stand-in that fails at random, and check every outcome.

Each job counts up a number in an entry of its own in `merchantDefinedInformation`. That list is sent whole, so an
update that does not see the other job's takes it back: a number is then not as expected.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import aclosing, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import psutil

from cybersource_tms import AsyncCustomersClient, Customer, CustomersClient, CustomerUpdate, UpdateOutcome
from cybersource_tms.errors import ConnectionFailed, PreconditionFailed, ServiceError, TooManyRequests
from cybersource_tms_sandbox import Fault, Received, Sandbox, page_customer

JOBS = {"sync": "data1", "async": "data2"}  # and the entries in which they count
LIST = "merchantDefinedInformation"
IDS = [f"{number:032d}" for number in range(200)]
FAULTS = {  # how many of 10,000 requests
    "cut, not applied": (50, Fault(cut="before")),
    "cut, applied": (50, Fault(cut="after")),
    "503, not applied": (50, Fault(status=503)),
    "503, applied": (50, Fault(status=503, applied=True)),
    "429": (25, Fault(status=429)),
    "429, Retry-After: 1": (25, Fault(status=429, headers={"Retry-After": "1"})),
}
NO_FAULT = "none"
EXPECTED = (ConnectionFailed, PreconditionFailed, ServiceError, TooManyRequests)
WARM_UP = 60  # seconds until the memory is measured for the first time, or a fifth of the run
MOST_GROWTH = 5.0  # MiB


class FaultySandbox(Sandbox):
    """A stand-in that fails at random, and does not keep what it received."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.made: Counter[str] = Counter()
        self._random = random.Random(seed)
        for customer_id in IDS:
            numbers = [{"name": name, "value": "0"} for name in JOBS.values()]
            self.add({**page_customer(), "id": customer_id, LIST: numbers})

    def receive(self, request: Received) -> Fault:
        """Return what is to go wrong with a request."""
        fault = super().receive(request)
        self.received.clear()
        shares = [share for share, _ in FAULTS.values()]
        [name] = self._random.choices([*FAULTS, NO_FAULT], [*shares, 10_000 - sum(shares)])
        self.made[name] += 1
        return fault if name == NO_FAULT else FAULTS[name][1]


def serve(pipe: Connection, seed: int) -> None:
    """Serve in a process of its own: send the address, and when something comes, the faults made and the customers."""
    sandbox = FaultySandbox(seed)
    with sandbox.running() as url:
        pipe.send((url, sandbox.variables))
        pipe.recv()
        pipe.send((sandbox.made, {customer_id: sandbox[customer_id] for customer_id in IDS}))


class Job:
    """Counts up one number of each customer, until the time is over.

    Attributes:
        expected: The numbers that a customer can have; two while it is not known whether an update was applied.
        outcomes: How many outcomes there were of each kind.
        reads: How often a customer was read for an update, which is more than once if the other job came between.
        problems: What is wrong.
    """

    def __init__(self, name: str, until: float) -> None:
        self.name, self.entry, self.until = name, JOBS[name], until
        self.expected = {customer_id: {0} for customer_id in IDS}
        self.outcomes: Counter[str] = Counter()
        self.reads = 0
        self.problems: list[str] = []
        self._wanted: dict[str, int] = {}

    def updates(self) -> Iterator[tuple[str, Any]]:
        """Yield an update of each customer."""
        for customer_id in random.sample(IDS, len(IDS)):
            if time.monotonic() > self.until:
                return
            yield customer_id, partial(self._count_up, customer_id)

    def _count_up(self, customer_id: str, customer: Customer) -> CustomerUpdate:
        self.reads += 1
        numbers = read_numbers(customer.to_dict())
        self.check("read", customer_id, numbers)
        self.expected[customer_id] = {numbers[self.entry]}
        numbers[self.entry] += 1
        self._wanted[customer_id] = numbers[self.entry]
        return CustomerUpdate.from_dict({LIST: [{"name": name, "value": str(numbers[name])} for name in numbers]})

    def take(self, outcome: UpdateOutcome) -> None:
        """Check an outcome."""
        customer_id, error = outcome.customer_id, outcome.error
        wanted = self._wanted.pop(customer_id, None)
        self.outcomes[describe(error)] += 1
        if error is None and outcome.record and wanted is not None:
            self.expected[customer_id] = {wanted}
            self.check("record", customer_id, read_numbers(outcome.record.customer.to_dict()))
        elif not isinstance(error, EXPECTED):
            self.problems.append(f"{self.name}, {customer_id}: {error!r}")
        elif error.may_have_been_applied and wanted is not None:
            self.expected[customer_id] = {wanted - 1, wanted}

    def check(self, where: str, customer_id: str, numbers: dict[str, int]) -> None:
        """Note a number that is not as expected."""
        number, expected = numbers[self.entry], self.expected[customer_id]
        if number not in expected:
            self.problems.append(f"{self.name}, {customer_id}, {where}: {number} instead of {sorted(expected)}")

    def report(self, customers: dict[str, dict[str, Any]], seconds: float) -> None:
        """Check what the stand-in has at the end, and print what there was."""
        for customer_id, customer in customers.items():
            self.check("the stand-in", customer_id, read_numbers(customer))
        uncertain = sum(len(numbers) > 1 for numbers in self.expected.values())
        total = self.outcomes.total()
        print(f"\n{self.name}: {total} outcomes, {total / seconds:.1f} in a second")
        show(self.outcomes)
        print(f"  read again after a conflict: {self.reads - total}; not known at the end: {uncertain} customers")


def read_numbers(customer: dict[str, Any]) -> dict[str, int]:
    """Return the numbers of a customer by the names of their entries."""
    return {entry["name"]: int(entry["value"]) for entry in customer[LIST]}


def show(counts: Counter[str]) -> None:
    """Print how many there were of each kind."""
    for kind, count in counts.most_common():
        print(f"  {kind:45}{count:9}")


def describe(error: BaseException | None) -> str:
    """Return the kind of an outcome."""
    if error is None:
        return "updated"
    return type(error).__name__ + " (may have been applied)" * getattr(error, "may_have_been_applied", False)


def run_sync(job: Job) -> None:
    """Run a job on threads, again and again."""
    with CustomersClient.from_env() as customers:
        while time.monotonic() < job.until:
            for outcome in customers.update_many(job.updates()):
                job.take(outcome)


async def run_async(job: Job) -> None:
    """Run a job in tasks, again and again; no task is left after each time."""
    async with AsyncCustomersClient.from_env() as customers:
        while time.monotonic() < job.until:
            async with aclosing(customers.update_many(job.updates())) as outcomes:
                async for outcome in outcomes:
                    job.take(outcome)
            if left := asyncio.all_tasks() - {asyncio.current_task()}:
                job.problems.append(f"tasks left: {len(left)}")


def memory() -> float:
    """Return the memory of this process in MiB."""
    return float(psutil.Process().memory_info().rss) / 2**20


def threads_and_sockets() -> tuple[int, int]:
    """Return how many of them this process has."""
    return threading.active_count(), len(psutil.Process().net_connections("all"))


def watch(runs: list[Future[None]], jobs: list[Job], seconds: float) -> tuple[float, float]:
    """Print a line now and then, and return the memory once it is steady and at the end, in MiB."""
    started, first, last = time.monotonic(), 0.0, 0.0
    warm_up = min(WARM_UP, seconds / 5)
    while wait(runs, timeout=warm_up).not_done:
        last = memory()
        first = first or last
        outcomes = sum(job.outcomes.total() for job in jobs)
        print(f"{time.monotonic() - started:6.0f} s{outcomes:10} outcomes{last:8.1f} MiB", flush=True)
    for run in runs:
        run.result()
    return first, last


@contextmanager
def running(seed: int) -> Iterator[Connection]:
    """Run the stand-in, with its variables set, and yield the pipe to it."""
    pipe, other_end = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(other_end, seed), daemon=True)
    process.start()
    url, variables = pipe.recv()
    os.environ |= {**variables, "CYBERSOURCE_BASE_URL": url}
    yield pipe
    process.join()
    if process.exitcode:
        sys.exit("the stand-in failed")


def run_jobs(jobs: list[Job], seconds: float) -> Iterator[str]:
    """Run the jobs, and yield what is left of them."""
    before = threads_and_sockets()
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run_sync, jobs[0]), pool.submit(asyncio.run, run_async(jobs[1]))]
        first, last = watch(runs, jobs, seconds)
    after = threads_and_sockets()
    print(f"\nmemory: {first:.1f} MiB, and {last:.1f} MiB at the end")
    print(f"threads and sockets: {before} before, {after} afterwards")
    if last - first > MOST_GROWTH:
        yield f"memory: it has grown by more than {MOST_GROWTH:g} MiB"
    if after != before:
        yield "threads or sockets are left"


def main() -> None:
    """Run the jobs, print the figures, and exit with 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of the faults (default: %(default)s)")
    options = parser.parse_args()
    seconds = options.minutes * 60
    with running(options.seed) as pipe:
        jobs = [Job(name, time.monotonic() + seconds) for name in JOBS]
        problems = list(run_jobs(jobs, seconds))
        pipe.send("end")
        faults, customers = pipe.recv()
    for job in jobs:
        job.report(customers, seconds)
        problems += job.problems
    print(f"\nrequests: {faults.total()}, {faults.total() / seconds:.1f} in a second; their faults:")
    show(faults)
    if problems:
        sys.exit("\n".join(["", *problems[:50]]))
    print("\nOK")


if __name__ == "__main__":
    main()
