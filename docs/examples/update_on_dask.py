"""Updates the customers of a file on a Dask cluster: an example, for when one machine is not enough.

    pip install cybersource-tms "dask[distributed]"    (here and on the workers)
    python update_on_dask.py customers.csv --scheduler tls://scheduler:8786 --workers 4 > outcomes.jsonl

Each worker runs `cybersource-tms update` on partitions of FILE, so files, outcomes and exit codes are the same. It has
its credentials in its own environment variables, so none go through the scheduler. The lines of FILE do: use TLS. If a
worker is lost, Dask runs its partitions again. That does no harm: an update that is already there sends nothing.
"""

import argparse
import csv
import json
import subprocess
import sys
import zlib
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from distributed import Client, KilledWorker, as_completed

PARTITIONS_PER_THREAD = 4
WORST = (0, 1, 75, 2)  # of several exit codes the last one counts


def update_partition(name: str, content: bytes, *, per_second: float) -> tuple[int, list[str], list[str]]:
    """Run the command on a partition, on a worker, and return its exit code, the outcomes and the messages."""
    with TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(zlib.decompress(content))
        command = [sys.executable, "-m", "cybersource_tms", "update", name, f"--per-second={per_second}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        messages = [line for line in done.stderr.splitlines() if line.startswith(("stopped: ", "error: "))]
        outcomes = Path(folder, f"{name}.outcomes.jsonl")
        return done.returncode, outcomes.read_text("utf-8").splitlines()[1:] if outcomes.exists() else [], messages


def find_ids(lines: list[str], *, is_csv: bool) -> list[object]:
    """Return the customer's id for each line, or None. What is wrong with a line is said by the command."""
    ids: list[object] = []
    if is_csv:
        records, header = csv.reader(lines), list[str]()
        for cells in records:
            header = header or cells
            ids += [dict(zip(header, cells, strict=False)).get("id")] * (records.line_num - len(ids))
        return ids
    for line in lines:
        with suppress(ValueError, AttributeError):
            ids.append(json.loads(line).get("id"))
            continue
        ids.append(None)
    return ids


def split(path: Path, count: int) -> list[bytes]:
    """Return partitions: the whole file with only some of its lines, so that their numbers stay, compressed."""
    lines, is_csv = path.read_bytes().decode("utf-8-sig").split("\n"), path.suffix.lower() == ".csv"
    owners = [hash(str(each).casefold()) % count for each in find_ids(lines, is_csv=is_csv)]  # ids have no case
    parts = ([line * (owner == part) for line, owner in zip(lines, owners, strict=True)] for part in range(count))
    start = lines[:1] if is_csv else []  # the names of the columns
    return [zlib.compress("\n".join(start + part[len(start) :]).encode()) for part in parts if any(part[len(start) :])]


def update_on(client: Any, path: Path, per_second: float) -> int:
    """Update the customers on a cluster, print the outcomes of each partition as it finishes; return the exit code."""
    threads = sum(client.nthreads().values())  # each has its share of the rate, so do not add workers later
    run = partial(update_partition, path.name, per_second=per_second / threads)
    codes = {0}
    futures = client.map(run, split(path, PARTITIONS_PER_THREAD * threads), pure=False)
    results: Any = as_completed(futures, with_results=True)
    for _, (code, outcomes, messages) in results:
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
    local: Any = {} if options.scheduler else {"n_workers": options.workers, "threads_per_worker": 1}
    try:
        with Client(options.scheduler, **local) as client:
            client.wait_for_workers(options.workers, timeout=60)
            return update_on(client, options.file, options.per_second)
    except (OSError, ValueError, csv.Error, KilledWorker) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 75 if isinstance(error, KilledWorker | TimeoutError) else 2


if __name__ == "__main__":
    sys.exit(main())
