"""Run two jobs on the same customers, against a sandbox that fails at random, and check every outcome.

Each job counts up a number in an entry of its own in `merchantDefinedInformation`. That list is sent whole, so an
update that does not see the other job's takes it back: a number is then not as expected. So it is, too, if an update
was applied and has no outcome. Beside the faults of the sandbox, a gateway refuses in HTML, TLS handshakes are slow, an
exception of a signal's handler ends the sync job at random moments, and the system gives fewer threads than asked for.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import signal
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import psutil
import trustme

from cybersource_tms import AsyncCustomersClient, Customer, CustomersClient, MerchantData, UpdateOutcome
from cybersource_tms.errors import ConnectionFailed, Forbidden, PreconditionFailed, ServiceError, TooManyRequests
from cybersource_tms_sandbox import Fault, Received, Sandbox, page_customer

JOBS = {"sync": "data1", "async": "data2"}  # and the entries in which they count
IDS = [f"{number:032d}" for number in range(200)]
FAULTS = {  # how many of 10,000 requests
    "cut, not applied": (50, Fault(cut="before")),
    "cut, applied": (50, Fault(cut="after")),
    "503, not applied": (50, Fault(status=503)),
    "503, applied": (50, Fault(status=503, applied=True)),
    "429": (25, Fault(status=429)),
    "429, Retry-After: 1": (25, Fault(status=429, headers={"Retry-After": "1"})),
    "403 of a gateway": (25, Fault(status=403, body=b"<h1>blocked</h1>", headers={"v-c-correlation-id": ""})),
}
NO_FAULT = "none"
EXPECTED = (ConnectionFailed, Forbidden, PreconditionFailed, ServiceError, TooManyRequests)
SLOW = 0.1  # of the connections
SLOWEST = 7.0  # seconds until one is passed on: sometimes longer than the client's time-out
FEW_THREADS = 0.02  # of the threads cannot be started, and no further ones
MOST_GROWTH = 5.0  # MiB, in the second half of the run: what malloc keeps without using it grows for minutes


class FaultySandbox(Sandbox):
    """A sandbox that fails at random, and does not keep what it received."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.made: Counter[str] = Counter()
        self._random = random.Random(seed)
        for customer_id in IDS:
            numbers = [{"name": name, "value": "0"} for name in JOBS.values()]
            self.add({**page_customer(), "id": customer_id, "merchantDefinedInformation": numbers})

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
    sandbox, authority = FaultySandbox(seed), trustme.CA()
    with TemporaryDirectory() as folder:
        certificate = Path(folder, "server.pem")
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        with sandbox.running(certificate=certificate) as url:
            threading.Thread(
                target=asyncio.run, args=[forward(int(url[-5:]), pipe, authority, sandbox)], daemon=True
            ).start()
            pipe.recv()
            pipe.send((sandbox.made, {customer_id: sandbox[customer_id] for customer_id in IDS}))


async def forward(port: int, pipe: Connection, authority: trustme.CA, sandbox: Sandbox) -> None:
    """Pass connections on to a port, some of them late: the client waits for the TLS handshake."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if random.random() < SLOW:
            await asyncio.sleep(random.uniform(0, SLOWEST))
        back, there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, there), copy(back, writer))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(2**16):
                writer.write(data)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1")
    address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    pipe.send((authority.cert_pem.bytes().decode(), {**sandbox.variables, "CYBERSOURCE_BASE_URL": address}))
    await server.serve_forever()


class Job:
    """Counts up one number of each customer, until the time is over.

    Attributes:
        expected: The numbers that a customer can have; two while it is not known whether an update was applied.
        outcomes: How many outcomes there were of each kind.
        runs: How the runs ended.
        reads: How often a customer was read for an update, which is more than once if the other job came between.
        problems: What is wrong.
    """

    def __init__(self, name: str, until: float) -> None:
        self.name, self.entry, self.until = name, JOBS[name], until
        self.expected = {customer_id: {0} for customer_id in IDS}
        self.outcomes: Counter[str] = Counter()
        self.runs: Counter[str] = Counter()
        self.reads = 0
        self.problems: list[str] = []
        self._wanted: dict[str, int] = {}

    def pairs(self) -> Iterator[tuple[str, Any]]:
        """Yield what to do with each customer."""
        for customer_id in random.sample(IDS, len(IDS)):
            if time.monotonic() > self.until:
                return
            self._wanted.pop(customer_id, None)
            yield customer_id, partial(self._count_up, customer_id)

    def _count_up(self, customer_id: str, customer: Customer) -> Customer:
        self.reads += 1
        self.check("read", customer_id, customer)
        data = MerchantData(customer)
        number = int(data[self.entry])
        self.expected[customer_id], self._wanted[customer_id] = {number}, number + 1
        data[self.entry] = str(number + 1)
        return customer

    def take(self, outcome: UpdateOutcome) -> None:
        """Check an outcome."""
        customer_id, error = outcome.customer_id, outcome.error
        wanted = self._wanted.pop(customer_id, None)
        self.outcomes[describe(error)] += 1
        if outcome.record and wanted is not None:
            self.expected[customer_id] = {wanted}
            self.check("record", customer_id, outcome.record.customer)
        elif not isinstance(error, EXPECTED):
            self.problems.append(f"{self.name}, {customer_id}: {error!r}")
        elif error.may_have_been_applied and wanted is not None:
            self.expected[customer_id] = {wanted - 1, wanted}

    def check(self, where: str, customer_id: str, customer: Customer) -> None:
        """Note a number that is not as expected."""
        number, expected = int(MerchantData(customer)[self.entry]), self.expected[customer_id]
        if number not in expected:
            self.problems.append(f"{self.name}, {customer_id}, {where}: {number} instead of {sorted(expected)}")

    def report(self, customers: dict[str, dict[str, Any]], seconds: float) -> None:
        """Check what the sandbox has at the end, and print what there was."""
        for customer_id, customer in customers.items():
            self.check("the sandbox", customer_id, Customer.from_dict(customer))
        uncertain = sum(len(numbers) > 1 for numbers in self.expected.values())
        total = self.outcomes.total()
        print(f"\n{self.name}: {total} outcomes, {total / seconds:.1f} in a second; runs: {dict(self.runs)}")
        show(self.outcomes)
        print(f"  customers read: {self.reads}; not known at the end: {uncertain}")


def show(counts: Counter[str]) -> None:
    """Print how many there were of each kind."""
    for kind, count in counts.most_common():
        print(f"  {kind:45}{count:9}")


def describe(error: BaseException | None) -> str:
    """Return the kind of an outcome."""
    if error is None:
        return "updated"
    return type(error).__name__ + " (may have been applied)" * getattr(error, "may_have_been_applied", False)


class Alarm(Exception):
    """What the signal's handler raises."""


def raise_within_a_job(_: int, frame: FrameType | None) -> None:
    """Raise where the loop waits for an outcome or reads a pair. In its body it would leave the job."""
    within = frame
    while within and not within.f_code.co_filename.endswith("_many.py"):
        within = within.f_back
    if within and within.f_code.co_name != "run":
        raise Alarm
    signal.setitimer(signal.ITIMER_REAL, 0.001)


def start_or_not(thread: threading.Thread, *, start: Any = threading.Thread.start) -> None:
    """Start a thread, unless the system gives no more of them."""
    if thread.name.startswith("cybersource_tms") and random.random() < FEW_THREADS:
        raise RuntimeError("can't start new thread")
    start(thread)


def run_sync(job: Job, trust: ssl.SSLContext) -> None:
    """Run a job on threads, again and again, each until its end or a signal."""
    signal.signal(signal.SIGALRM, raise_within_a_job)
    threading.Thread.start = start_or_not  # type: ignore[assignment, method-assign]
    with CustomersClient.from_env(ssl_context=trust) as customers:
        while time.monotonic() < job.until:
            ended = "to the end"
            try:
                with customers.apply_many(job.pairs()) as outcomes:
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.001, 2))
                    for outcome in outcomes:
                        job.take(outcome)
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except (Alarm, RuntimeError) as error:
                ended = type(error).__name__
            job.runs[ended] += 1


async def run_async(job: Job, trust: ssl.SSLContext) -> None:
    """Run a job in tasks, again and again; no task is left after each time."""
    async with AsyncCustomersClient.from_env(ssl_context=trust) as customers:
        while time.monotonic() < job.until:
            async with customers.apply_many(job.pairs()) as outcomes:
                async for outcome in outcomes:
                    job.take(outcome)
            job.runs["to the end"] += 1
            if left := asyncio.all_tasks() - {asyncio.current_task()}:
                job.problems.append(f"tasks left: {len(left)}")


def memory() -> float:
    """Return the memory of this process in MiB."""
    return float(psutil.Process().memory_info().rss) / 2**20


def threads_and_sockets() -> tuple[int, int]:
    """Return how many of them this process has."""
    return threading.active_count(), len(psutil.Process().net_connections("all"))


def watch(jobs: list[Job], seconds: float, over: threading.Event, measured: list[float]) -> None:
    """Print a line ten times in a run, and keep the memory."""
    started = time.monotonic()
    while not over.wait(seconds / 10):
        measured.append(memory())
        outcomes = sum(job.outcomes.total() for job in jobs)
        print(f"{time.monotonic() - started:6.0f} s{outcomes:10} outcomes{measured[-1]:8.1f} MiB", flush=True)


@contextmanager
def running(seed: int) -> Iterator[tuple[Connection, ssl.SSLContext]]:
    """Run the sandbox, with its variables set, and yield the pipe to it and what trusts its certificate."""
    pipe, other_end = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(other_end, seed), daemon=True)
    process.start()
    authority, variables = pipe.recv()
    os.environ |= variables
    yield pipe, ssl.create_default_context(cadata=authority)
    process.join()
    if process.exitcode:
        sys.exit("the sandbox failed")


def run_jobs(jobs: list[Job], seconds: float, trust: ssl.SSLContext) -> Iterator[str]:
    """Run the jobs, the sync one on this thread, and yield what is left of them."""
    before, over, measured = threads_and_sockets(), threading.Event(), list[float]()
    others = [
        threading.Thread(target=watch, args=(jobs, seconds, over, measured)),
        threading.Thread(target=lambda: asyncio.run(run_async(jobs[1], trust))),
    ]
    for thread in others:
        thread.start()
    run_sync(jobs[0], trust)
    others[1].join()
    over.set()
    others[0].join()
    after = threads_and_sockets()
    halfway, at_end = measured[len(measured) // 2], measured[-1]
    print(f"\nmemory: {halfway:.1f} MiB halfway, and {at_end:.1f} MiB at the end")
    print(f"threads and sockets: {before} before, {after} afterwards")
    if at_end - halfway > MOST_GROWTH:
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
    with running(options.seed) as (pipe, trust):
        jobs = [Job(name, time.monotonic() + seconds) for name in JOBS]
        problems = list(run_jobs(jobs, seconds, trust))
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
