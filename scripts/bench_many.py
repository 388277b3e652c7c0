"""Print what `update_many` costs, against a service of 50 ms on loopback, and draw it.

CPU times are of this process alone. All figures of one run come from the same machine: compare the ratios.
"""

import argparse
import asyncio
import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from bench_server import running
from cybersource_tms import AsyncCustomersClient, BuyerInformation, CustomersClient, CustomerUpdate, SharedSecretAuth
from cybersource_tms_sandbox import MERCHANT_ID, page_customer

DELAY = 0.05  # seconds that the service takes
CONCURRENCY = (1, 4, 16, 64, 256)
CHANGES = CustomerUpdate(buyer_information=BuyerInformation(email="new@example.com"))
SECRET = base64.b64encode(bytes(range(32))).decode()
PICTURES = Path(__file__).resolve().parent.parent / "docs"

Measured = dict[str, dict[int, tuple[float, float]]]


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=100_000, help="updates of the larger job whose memory is measured")
    parser.add_argument("--draw", action="store_true", help="draw the figures into docs/")
    options = parser.parse_args()
    with running(page_customer(), DELAY) as url:
        measured = {kind: {n: measure(url, n) for n in CONCURRENCY} for kind, measure in KINDS.items()}
        show(measured)
        rate(url)
        print(f"\nCPU time of an update, sync, over that in a plain loop; a service of {DELAY * 1000:.0f} ms")
        loops(url, 64)
    with running(page_customer()) as url:
        print("\nThe same, and the service responds at once")
        loops(url, 1600)
        memory(url, options.many)
    if options.draw:
        draw(measured)


def pairs(count: int) -> Iterator[tuple[str, CustomerUpdate]]:
    """Yield as many updates, each of another customer."""
    for number in range(count):
        yield f"{number:032d}", CHANGES


def run(customers: CustomersClient, count: int, **options: Any) -> list[float]:
    """Make so many updates, and return when their outcomes came."""
    with customers.update_many(pairs(count), **options) as outcomes:
        return [time.perf_counter() for outcome in outcomes if outcome.record]


def sync_many(url: str, concurrency: int) -> tuple[float, float]:
    """Return the updates a second, and the CPU time of one in µs."""
    count = min(100 * concurrency, 4000)
    with CustomersClient("test", auth(), base_url=url, max_connections=concurrency) as customers:
        run(customers, concurrency, concurrency=concurrency)  # the connections are made now
        started, used = time.perf_counter(), time.process_time()
        assert len(run(customers, count, concurrency=concurrency)) == count
        return count / (time.perf_counter() - started), (time.process_time() - used) / count * 1e6


def async_many(url: str, concurrency: int) -> tuple[float, float]:
    """Return the same of the async client."""

    async def measure() -> tuple[float, float]:
        count = min(100 * concurrency, 4000)
        async with AsyncCustomersClient("test", auth(), base_url=url, max_connections=concurrency) as customers:
            for each in (concurrency, count):
                started, used = time.perf_counter(), time.process_time()
                async with customers.update_many(pairs(each), concurrency=concurrency) as outcomes:
                    assert len([outcome async for outcome in outcomes if outcome.record]) == each
        return count / (time.perf_counter() - started), (time.process_time() - used) / count * 1e6

    return asyncio.run(measure())


KINDS: dict[str, Callable[[str, int], tuple[float, float]]] = {"sync": sync_many, "async": async_many}


def auth() -> SharedSecretAuth:
    """Return credentials."""
    return SharedSecretAuth(MERCHANT_ID, "key", SECRET)


def show(measured: Measured) -> None:
    """Print throughput and CPU time by concurrency."""
    print(f"A service that takes {DELAY * 1000:.0f} ms")
    print(f"  {'':8}{'in flight':>10}{'updates/s':>12}{'of possible':>13}{'CPU µs':>9}{'of 1':>7}")
    for kind, by_concurrency in measured.items():
        for concurrency, (rate, cpu) in by_concurrency.items():
            possible, of_one = rate / (concurrency / DELAY), cpu / by_concurrency[1][1]
            print(f"  {kind:8}{concurrency:10}{rate:12.0f}{possible:13.2f}{cpu:9.0f}{of_one:7.2f}")
    print("  marks: 0.9 of possible at 16 and 64, until one core is full; CPU of 1: 1.3 (64 threads, 256 tasks)")


def rate(url: str) -> None:
    """Print how many updates are made in 20 seconds at 50 a second, and the most in any one of them."""
    with CustomersClient("test", auth(), base_url=url) as customers:
        times = run(customers, 1001, concurrency=32, per_second=50)
    within = [each for each in times if each <= times[0] + 20]
    most = max(sum(first <= each < first + 1 for each in times) for first in times)
    print(
        f"\nper_second=50 over 20 s: {len(within) / 20:.1f} a second, {most} at most in any second   mark: 50 ± 2, 55"
    )


def loops(url: str, count: int) -> None:
    """Print the CPU time of an update in `update_many` over that in a plain loop, and what a bare thread pool costs."""
    ratios = []
    with CustomersClient("test", auth(), base_url=url) as customers, ThreadPoolExecutor(16) as threads:
        for _ in range(5):
            used = [time.process_time()]
            for pair in pairs(count):
                customers.update(*pair)
            used.append(time.process_time())
            assert len(run(customers, count)) == count
            used.append(time.process_time())
            for _ in threads.map(lambda pair: customers.update(*pair), pairs(count)):
                pass
            used.append(time.process_time())
            loop, many, bare = (after - before for before, after in pairwise(used))
            ratios.append((many / loop, bare / loop))
    print(f"  update_many, 16 threads {median(ratio for ratio, _ in ratios):12.2f}   mark: 1.78 (a service at once)")
    print(f"  a bare pool of 16 threads {median(ratio for _, ratio in ratios):10.2f}")


def memory(url: str, many: int) -> None:
    """Print the peak memory of a large job over that of 10,000 updates, each in a process of its own."""
    peaks = {count: float(output(url, count)) for count in (10_000, many)}
    print(f"\nPeak memory of {many:,} updates over that of 10,000: {peaks[many] / peaks[10_000]:.2f}   mark: 1.1")
    print(f"  ({peaks[many] / 1024:.0f} MB and {peaks[10_000] / 1024:.0f} MB)")


def output(url: str, count: int) -> bytes:
    """Return what a process prints that makes so many updates: its peak memory in kB."""
    code = (
        "import resource, bench_many as bench\n"
        f"with bench.CustomersClient('test', bench.auth(), base_url={url!r}) as customers:\n"
        f"    with customers.update_many(bench.pairs({count})) as outcomes:\n        for _ in outcomes: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment).stdout


def draw(measured: Measured) -> None:
    """Draw throughput and CPU time by concurrency, for a light and a dark page."""
    from matplotlib import pyplot as plt  # noqa: PLC0415 - its memory would be measured

    PICTURES.mkdir(exist_ok=True)
    for name, style, ground in (("light", "default", "white"), ("dark", "dark_background", "#0d1117")):
        with plt.style.context(style):
            plt.rcParams.update({"figure.facecolor": ground, "axes.facecolor": ground, "svg.hashsalt": "many"})
            figure, (rates, costs) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
            for kind, by_concurrency in measured.items():
                rates.plot(CONCURRENCY, [by_concurrency[n][0] for n in CONCURRENCY], marker="o", label=kind)
                costs.plot(CONCURRENCY, [by_concurrency[n][1] for n in CONCURRENCY], marker="o", label=kind)
            rates.plot(CONCURRENCY, [n / DELAY for n in CONCURRENCY], linestyle=":", color="gray", label="possible")
            rates.set(xscale="log", yscale="log", xlabel="in flight", title="updates a second, a service of 50 ms")
            costs.set(xscale="log", xlabel="in flight", title="CPU time of an update, µs", ylim=0)
            for axes in (rates, costs):
                axes.set_xticks(CONCURRENCY, [str(n) for n in CONCURRENCY], minor=False)
                axes.minorticks_off()
                axes.legend(frameon=False)
            figure.savefig(PICTURES / f"many-{name}.svg", metadata={"Date": None})
            plt.close(figure)


if __name__ == "__main__":
    main()
