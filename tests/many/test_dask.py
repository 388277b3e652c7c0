"""scripts/update_on_dask.py, on a Dask cluster of real processes, against the stand-in over HTTP."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from cybersource_tms_sandbox import SECRET, Fault, Received, Reply, Sandbox, page_customer
from support.waiting import LIMIT, eventually

IDS = [f"{number:030d}Ab" for number in range(60)]
SCRIPT = "scripts/update_on_dask.py"


def email(customer_id: str) -> str:
    """Return the desired address of a customer."""
    return f"jane.roe.{int(customer_id[:30])}@example.com"


class WatchedSandbox(Sandbox):
    """A stand-in that knows which worker sends a request, and kills one when it has updated so many customers.

    Attributes:
        times: When the requests of each worker came.
        doomed: The process that is killed, after the last of its updates is applied and before the response is sent.
    """

    def __init__(self, updates: int) -> None:
        super().__init__()
        self.times: dict[str, list[float]] = {}
        self.doomed: subprocess.Popen[bytes] | None = None
        self._updates = updates
        for customer_id in IDS:
            self.add({**page_customer(), "id": customer_id})

    def variables_of(self, worker: str) -> dict[str, str]:
        """Return the environment variables of a worker, which is a merchant of its own."""
        self.trust_secret(worker, f"key of {worker}", SECRET)
        return {**self.variables, "CYBERSOURCE_MERCHANT_ID": worker, "CYBERSOURCE_KEY_ID": f"key of {worker}"}

    def handle(self, request: Received, fault: Fault) -> Reply | None:
        """Respond to a request."""
        reply = super().handle(request, fault)
        worker = worker_of(request)
        self.times.setdefault(worker, []).append(time.monotonic())
        if worker == "doomed" and len(self.updated_by("doomed")) == self._updates and self.doomed:
            self.doomed.kill()
        return reply

    def updated_by(self, worker: str) -> list[str]:
        """Return the ids of the customers that a worker has updated."""
        sent = [request for request in self.received if request.method == "PATCH" and worker_of(request) == worker]
        return [customer_id_of(request) for request in sent if request.status == 200]


def worker_of(request: Received) -> str:
    """Return the name of the worker that sent a request."""
    return str(request.claims["v-c-merchant-id"])


def customer_id_of(request: Received) -> str:
    """Return the id that a request is about."""
    return request.path.rpartition("/")[2]


class Cluster:
    """A scheduler and its workers, each a process. Only the workers have credentials."""

    def __init__(self, processes: ExitStack, folder: Path) -> None:
        self._processes, self._folder = processes, folder
        self._file = folder / "scheduler.json"
        self._start("scheduler", "--host=127.0.0.1", "--port=0", f"--scheduler-file={self._file}")
        assert eventually(lambda: self._file.exists() and self._file.read_text().endswith("}"))
        self.address = json.loads(self._file.read_text())["address"]

    def add_worker(self, name: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start a worker."""
        arguments = ["--no-nanny", "--nthreads=1", f"--name={name}", f"--local-directory={self._folder}"]
        return self._start("worker", self.address, *arguments, **variables)

    @property
    def log(self) -> str:
        """What all processes have logged."""
        return "".join(path.read_text() for path in self._folder.glob("*.log"))

    def _start(self, command: str, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        path = self._folder / f"{len(list(self._folder.glob('*.log')))}.log"
        log = self._processes.enter_context(path.open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", command, "--no-dashboard", *arguments],
            env=os.environ | variables,
            stdout=log,
            stderr=log,
        )
        self._processes.enter_context(process)
        self._processes.callback(process.kill)
        return process


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Return a cluster without workers, which ends with the test."""
    with ExitStack() as processes:
        yield Cluster(processes, tmp_path)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Return a file with a row for each customer."""
    path = tmp_path / "rows.jsonl"
    desired = [{"id": customer_id, "buyerInformation": {"email": email(customer_id)}} for customer_id in IDS]
    path.write_text("".join(json.dumps(row) + "\n" for row in desired))
    return path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the script, which has no credentials of its own."""
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=3 * LIMIT)


def test_a_worker_is_killed_in_the_middle(cluster: Cluster, rows: Path) -> None:
    """The other worker does the rest: all customers are in line, each has an outcome, and no update is made twice.

    Each worker keeps its half of the rate. Neither credentials nor values are in any log.
    """
    sandbox = WatchedSandbox(updates=5)
    with sandbox.running() as url:
        cluster.add_worker("steady", **sandbox.variables_of("steady"), CYBERSOURCE_BASE_URL=url)
        variables = sandbox.variables_of("doomed")
        sandbox.doomed = cluster.add_worker("doomed", **variables, CYBERSOURCE_BASE_URL=url)
        done = run(rows, "--scheduler", cluster.address, "--workers", 2, "--per-second", 60)
    assert done.returncode == 0, done.stderr
    assert sandbox.doomed.wait(LIMIT) < 0
    outcomes: dict[str, Any] = {outcome["id"]: outcome for outcome in map(json.loads, done.stdout.splitlines())}
    assert (sorted(outcomes), done.stdout.count("\n")) == (IDS, len(IDS))
    assert {customer_id: sandbox[customer_id]["buyerInformation"]["email"] for customer_id in IDS} == {
        customer_id: email(customer_id) for customer_id in IDS
    }
    doomed, steady = sandbox.updated_by("doomed"), sandbox.updated_by("steady")
    assert Counter(doomed + steady) == Counter(IDS)
    assert len(doomed) >= 5
    for customer_id in steady:
        assert outcomes[customer_id]["status"] == "updated"
        assert outcomes[customer_id]["changed"] == ["buyerInformation.email"]
    read_again = {customer_id_of(request) for request in sandbox.received if worker_of(request) == "steady"}
    assert [outcomes[customer_id]["status"] for customer_id in doomed if customer_id in read_again].count("unchanged")
    times = sandbox.times["steady"]  # a partition begins with at most two requests at once
    assert times[-1] - times[0] > (len(times) - 2 * 16) / 30
    assert "example.com" not in cluster.log + done.stderr
    assert SECRET not in cluster.log + done.stdout + done.stderr


def test_credentials_that_are_refused(cluster: Cluster, rows: Path) -> None:
    """They end the job with one line, and no log shows a value of the rows, though a worker logs what has failed."""
    sandbox = WatchedSandbox(updates=0)
    sandbox.fail(*[401] * 200)
    with sandbox.running() as url:
        cluster.add_worker("worker", **sandbox.variables_of("worker"), CYBERSOURCE_BASE_URL=url)
        done = run(rows, "--scheduler", cluster.address, "--workers", 1)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("Unauthorized: 401")
    assert "Compute Failed" in cluster.log
    assert "example.com" not in cluster.log + done.stderr
    assert SECRET not in cluster.log + done.stderr


def test_workers_without_credentials(rows: Path) -> None:
    """On this machine's own workers, too, the last line names the variables that are missing."""
    done = run(rows, "--workers", 1)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("InvalidRequest: ")
    assert "CYBERSOURCE_MERCHANT_ID" in done.stderr.splitlines()[-1]


def test_an_id_is_in_one_partition() -> None:
    """With all of its rows in their order, however the id is written; no row is lost, and no partition is empty."""
    from update_on_dask import split

    rows: list[Any] = [(customer_id, {"number": number}) for number in range(3) for customer_id in IDS]
    rows += [(customer_id.lower(), {"number": 3}) for customer_id in IDS]
    partitions = split(rows, 7)
    assert Counter(map(str, chain(*partitions))) == Counter(map(str, rows))
    for customer_id in IDS:
        [found] = filter(None, ([row for row in part if row[0].upper() == customer_id.upper()] for part in partitions))
        assert [desired["number"] for _, desired in found] == [0, 1, 2, 3]
    assert len(split(rows[:1], 7)) == 1


WRONG = {"not JSON": "{", "no object": "[]", "no id": "{}", "a text": '"x"'}


@pytest.mark.parametrize("line", WRONG.values(), ids=WRONG)
def test_a_wrong_line(rows: Path, line: str) -> None:
    """It is named before anything is started, and not shown."""
    rows.write_text(rows.read_text() + line)
    done = run(rows)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{rows}, line 61: expected a JSON object with an id\n"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """One line says so, without its content."""
    missing, latin = tmp_path / "missing.jsonl", tmp_path / "latin.jsonl"
    latin.write_bytes('{"id": "é"}'.encode("latin-1"))
    for path, kind in {missing: "FileNotFoundError", latin: "UnicodeDecodeError"}.items():
        done = run(path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert done.stderr.startswith(f"{kind}: ")
