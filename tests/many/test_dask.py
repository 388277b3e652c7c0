"""docs/examples/update_on_dask.py, on a Dask cluster of real processes, against the sandbox over HTTP."""

import json
import os
import signal
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cybersource_tms_sandbox import SECRET, Fault, Received, Reply, Sandbox, page_customer
from support.waiting import LIMIT, eventually

IDS = [f"{number:030d}Ab" for number in range(60)]
SCRIPT = "docs/examples/update_on_dask.py"
EMAIL = "jane.roe@example.com"


class WatchedSandbox(Sandbox):
    """A sandbox that kills a worker when it has updated so many customers.

    Attributes:
        doomed: The process that is killed, after the last of its updates is applied and before the response is sent.
        stopped: The process that goes on then.
    """

    def __init__(self) -> None:
        super().__init__()
        self.doomed: subprocess.Popen[bytes] | None = None
        self.stopped: subprocess.Popen[bytes] | None = None
        for customer_id in IDS:
            self.add({**page_customer(), "id": customer_id})

    def variables_of(self, worker: str) -> dict[str, str]:
        """Return the environment variables of a worker, which is a merchant of its own."""
        self.trust_secret(worker, f"key of {worker}", SECRET)
        return {**self.variables, "CYBERSOURCE_MERCHANT_ID": worker, "CYBERSOURCE_KEY_ID": f"key of {worker}"}

    def handle(self, request: Received, fault: Fault) -> Reply | None:
        """Respond to a request."""
        reply = super().handle(request, fault)
        if self.doomed and self.stopped and len(self.updated_by("doomed")) == 5:
            self.doomed.kill()
            self.stopped.send_signal(signal.SIGCONT)
        return reply

    def updated_by(self, worker: str) -> list[str]:
        """Return the ids of the customers that a worker has updated."""
        updates = [request for request in self.received if request.method == "PATCH" and request.status == 200]
        mine = [request for request in updates if request.claims["v-c-merchant-id"] == worker]
        return [request.path.rpartition("/")[2] for request in mine]


class Cluster:
    """A scheduler and its workers, each a process. Only the workers have credentials."""

    def __init__(self, processes: ExitStack, folder: Path) -> None:
        self._processes, self._folder = processes, folder
        self._file = folder / "scheduler.json"
        self._start("scheduler", "--host=127.0.0.1", "--port=0", f"--scheduler-file={self._file}")
        assert eventually(lambda: self._file.exists() and self._file.read_text().endswith("}"))
        self.address = json.loads(self._file.read_text())["address"]

    def add_worker(self, name: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start a worker, and wait until the scheduler knows it."""
        known = self.log.count("Registered to:")
        arguments = ["--no-nanny", "--nthreads=1", f"--name={name}", f"--local-directory={self._folder}"]
        process = self._start("worker", self.address, *arguments, **variables)
        assert eventually(lambda: self.log.count("Registered to:") > known)
        return process

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
def file(tmp_path: Path) -> Path:
    """Return a file with a line for each customer."""
    path = tmp_path / "customers.csv"
    path.write_text("".join(["id,buyerInformation.email\n", *(f"{each},{EMAIL}\n" for each in IDS)]))
    return path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the script, which has no credentials of its own."""
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10 * LIMIT)


def test_a_worker_is_killed_in_the_middle(cluster: Cluster, file: Path) -> None:
    """The others do the rest: each customer has the value and an outcome, and no update is made twice.

    Neither credentials nor values are in any log.
    """
    sandbox = WatchedSandbox()
    with sandbox.running() as url:
        variables = {name: sandbox.variables_of(name) for name in ("steady", "doomed")}
        sandbox.stopped = cluster.add_worker("steady", **variables["steady"], CYBERSOURCE_BASE_URL=url)
        sandbox.doomed = cluster.add_worker("doomed", **variables["doomed"], CYBERSOURCE_BASE_URL=url)
        sandbox.stopped.send_signal(signal.SIGSTOP)  # or it might do all of the work while the other one is slow
        done = run(file, "--scheduler", cluster.address, "--workers", 2, "--per-second", 100)
    assert done.returncode == 0, done.stderr
    assert sandbox.doomed.wait(LIMIT) < 0
    outcomes: list[Any] = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted((each["line"], each["id"]) for each in outcomes) == list(enumerate(IDS, 2))
    assert {sandbox[each]["buyerInformation"]["email"] for each in IDS} == {EMAIL}
    assert Counter(sandbox.updated_by("doomed") + sandbox.updated_by("steady")) == Counter(IDS)
    assert EMAIL not in cluster.log + done.stdout + done.stderr
    assert SECRET not in cluster.log + done.stdout + done.stderr


def test_a_partition_that_is_refused(cluster: Cluster, file: Path) -> None:
    """The outcomes that there are come, with the message, and the exit code of the command."""
    sandbox = WatchedSandbox()
    sandbox.fail(*[Fault()] * 8, *[401] * 200)
    with sandbox.running() as url:
        cluster.add_worker("worker", **sandbox.variables_of("worker"), CYBERSOURCE_BASE_URL=url)
        done = run(file, "--scheduler", cluster.address, "--workers", 1)
    assert done.returncode == 75
    assert len(done.stdout.splitlines()) == len(sandbox.updated_by("worker"))
    assert done.stderr.startswith("stopped: 401 ")
    assert EMAIL not in cluster.log + done.stderr


FILES: dict[str, tuple[str, str, int, str]] = {
    "no credentials": ("a.jsonl", '{"id": "1", "buyerInformation.email": "a"}\n[]\n', 2, "CYBERSOURCE_MERCHANT_ID"),
    "not UTF-8": ("a.csv", "\udce9", 2, "UnicodeDecodeError"),
}


@pytest.mark.parametrize(("name", "content", "code", "problem"), FILES.values(), ids=FILES)
def test_what_cannot_be_run(tmp_path: Path, name: str, content: str, code: int, problem: str) -> None:
    """One line says why, on this machine's own workers too."""
    (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    done = run(tmp_path / name, "--workers", 1)
    assert (done.returncode, done.stdout) == (code, "")
    assert problem in done.stderr


def test_an_id_is_in_one_partition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all of its lines, however the id is written; no line is lost, and each keeps its number."""
    monkeypatch.syspath_prepend("docs/examples")
    from update_on_dask import split

    lines = [f'{each},"x\r\n{number}"' for number in range(3) for each in (*IDS, IDS[0].lower())]
    content = "\r\n".join(["id,a", *lines, ""])
    path = tmp_path / "a.csv"
    path.write_bytes(f"\ufeff{content}".encode())
    parts = [zlib.decompress(part).decode().split("\n") for part in split(path, 7)]
    whole = content.split("\n")
    assert [[part[0], len(part)] for part in parts] == [[whole[0], len(whole)]] * len(parts)
    assert ["".join(each) for each in zip(*(part[1:] for part in parts), strict=True)] == whole[1:]
    for customer_id in IDS:
        assert sum(customer_id.lower() in "".join(part).lower() for part in parts) == 1
