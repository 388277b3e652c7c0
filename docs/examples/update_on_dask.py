"""Updates the customers of a file on a Dask cluster: an example, for when one machine is not enough.

    pip install cybersource-tms "dask[distributed]"    (here and on the workers)
    python update_on_dask.py customers.csv --scheduler tls://scheduler:8786 --workers 4 > outcomes.jsonl

It takes the files of `cybersource-tms update`, prints the same outcomes and exits with the same codes, for each worker
runs that command on partitions of FILE. Without --scheduler, the workers are processes of this machine. A worker has
its credentials in its own environment variables, so none go through the scheduler. The lines of FILE do: use TLS.

All lines of an id are in one partition. If a worker is lost, Dask runs its partitions again, which does no harm: each
customer is read first, and an update that is already there sends nothing.
"""

import argparse
import csv
import json
import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from distributed import Client, KilledWorker, as_completed

PARTITIONS_PER_THREAD = 4
WORST = (0, 1, 75, 2)  # of several exit codes the last one counts


def update_partition(name: str, content: bytes, *, per_second: float) -> tuple[int, list[str], list[str]]:
    """Run the command on a partition, on a worker, and return its exit code, the outcomes and the messages."""
    with TemporaryDirectory() as folder:
        file, outcomes = Path(folder, name), Path(folder, f"{name}.outcomes.jsonl")
        file.write_bytes(zlib.decompress(content))
        command = [sys.executable, "-m", "cybersource_tms", "update", str(file), f"--per-second={per_second}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = outcomes.read_text("utf-8").splitlines()[1:] if outcomes.exists() else []
        messages = [line for line in done.stderr.splitlines() if line.startswith(("stopped: ", "error: "))]
        return done.returncode, lines, [message.replace(str(file), name) for message in messages]


def read_csv(lines: Iterable[str]) -> Iterator[tuple[object, str]]:
    """Yield the id and the text of each record, the header first. What is wrong with one is said by the command."""
    taken: list[str] = []

    def take() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    header: list[str] = []
    for cells in csv.reader(take()):
        header = header or cells
        yield dict(zip(header, cells, strict=False)).get("id"), "".join(taken)
        taken.clear()


def read_json(lines: Iterable[str]) -> Iterator[tuple[object, str]]:
    """Yield the id and the text of each line."""
    for line in lines:
        customer_id = None
        with suppress(ValueError, AttributeError):
            customer_id = json.loads(line).get("id")
        yield customer_id, line


def split(path: Path, count: int) -> list[bytes]:
    """Return partitions: the whole file, in which the lines of the other partitions are empty, so that numbers stay.

    They are compressed: empty lines cost little, and no log of Dask's shows a value.
    """
    is_csv = path.suffix.lower() == ".csv"
    parts: list[list[str]] = [[] for _ in range(count)]
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        for number, (customer_id, text) in enumerate((read_csv if is_csv else read_json)(file)):
            mine = hash(str(customer_id).casefold()) % count  # ids are case-insensitive
            for each, part in enumerate(parts):
                part.append(text if each == mine or (is_csv and number == 0) else "\n" * text.count("\n"))
    return [zlib.compress("".join(part).encode()) for part in parts if "".join(part[is_csv:]).strip()]


def update_on(client: Client, path: Path, per_second: float) -> int:
    """Update the customers on a cluster, print the outcomes of each partition as it finishes; return the exit code."""
    threads = sum(client.nthreads().values())  # each has its share of the rate, so do not add workers later
    run = partial(update_partition, path.name, per_second=per_second / threads)
    codes = {0}
    for _, (code, outcomes, messages) in as_completed(
        client.map(run, split(path, PARTITIONS_PER_THREAD * threads), pure=False), with_results=True
    ):
        print(*outcomes, sep="\n", end="\n" * bool(outcomes), flush=True)
        print(*messages, sep="\n", end="\n" * bool(messages), file=sys.stderr)
        codes.add(code if code in WORST else 75)
    return max(codes, key=WORST.index)


def main() -> int:
    """Read the arguments, and run the job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV (.csv), or JSON Lines")
    parser.add_argument("--scheduler", help="its address (default: a cluster of processes on this machine)")
    parser.add_argument("--workers", type=int, default=2, help="how many to wait for, or to start (default: 2)")
    parser.add_argument("--per-second", type=float, default=50, help="requests of all workers at most (default: 50)")
    options = parser.parse_args()
    local = {} if options.scheduler else {"n_workers": options.workers, "threads_per_worker": 1}
    try:
        with Client(options.scheduler, **local) as client:
            client.wait_for_workers(options.workers, timeout=60)
            return update_on(client, options.file, options.per_second)
    except (OSError, ValueError, csv.Error, KilledWorker) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 75 if isinstance(error, KilledWorker | TimeoutError) else 2


if __name__ == "__main__":
    sys.exit(main())
