"""A file of customers, the command that updates them, and the sandbox that it calls."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cybersource_tms.__main__ import main
from cybersource_tms_sandbox import SECRET, Fault, Received, Reply, Sandbox, page_customer

IDS = [f"{number:032d}" for number in range(12)]
EMAIL, CODE = "buyerInformation.email", "clientReferenceInformation.code"
PRIVATE = "pr1vate"  # a part of every value in the files and of every customer, which nothing may show
LAST = f"{PRIVATE} last"


class Fleet(Sandbox):
    """A sandbox with many customers, and with a gateway in front of it.

    Attributes:
        watch: Called with the number of each request, from 1, before it is answered.
        gateway: The statuses with which the gateway refuses customers, by id.
        fault: What goes wrong with all requests.
    """

    watch: Callable[[int], object]
    gateway: dict[str, int]
    fault: Fault | None

    def reset(self) -> None:
        """Forget everything but the keys and the customers, who are as at first."""
        super().reset()
        self.watch, self.gateway, self.fault = lambda number: None, {}, None
        for customer_id in IDS:
            self.add(private_customer(customer_id))

    def handle(self, request: Received, fault: Fault) -> Reply | None:
        """Respond to a request."""
        self.watch(len(self.received))
        if status := self.gateway.get(request.path.rpartition("/")[2]):
            return Reply(status, {"Content-Type": "text/html"}, b"<html>refused</html>")
        return super().handle(request, self.fault or fault)

    def sent(self, method: str = "PATCH") -> list[str]:
        """Return the ids of the customers about which there were requests, in order."""
        return [request.path.rpartition("/")[2] for request in self.received if request.method == method]

    def bodies(self) -> list[Any]:
        """Return the bodies of the updates."""
        return [json.loads(request.body) for request in self.received if request.method == "PATCH"]

    def emails(self, ids: list[str] = IDS) -> set[str]:
        """Return the addresses that customers have."""
        return {self[each]["buyerInformation"]["email"] for each in ids}


def private_customer(customer_id: str) -> dict[str, Any]:
    """Return a customer whose values are all private."""
    values = {
        "buyerInformation": {"merchantCustomerID": f"{PRIVATE} 1", "email": f"{PRIVATE} 2"},
        "clientReferenceInformation": {"code": f"{PRIVATE} 3"},
        "merchantDefinedInformation": [{"name": "data1", "value": f"{PRIVATE} 4"}],
    }
    return {**page_customer(), **values, "id": customer_id}


class Job:
    """A file of customers in a folder of its own, and the command that is run on it.

    Attributes:
        file: The file of customers.
        out: What the last run printed to stdout.
        err: What the last run printed to stderr.
    """

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.file = folder / "customers.csv"
        self._capsys = capsys
        self.out = self.err = ""

    @property
    def outcomes_file(self) -> Path:
        """Return where the outcomes go by default."""
        return Path(f"{self.file}.outcomes.jsonl")

    def write(self, content: str | bytes, name: str = "customers.csv") -> None:
        """Write the file of customers."""
        self.file = self.folder / name
        self.file.write_bytes(content.encode() if isinstance(content, str) else content)

    def write_emails(self, ids: list[str], email: str = LAST) -> None:
        """Write the file of customers, all of whom get this address."""
        self.write("".join([f"id,{EMAIL}\n", *(f"{customer_id},{email}\n" for customer_id in ids)]))

    def run(self, *options: str, customers: Path | None = None) -> int:
        """Run the command within this process, and return the exit code. Nothing private is shown."""
        code = main(["update", str(customers or self.file), *options])
        self.out, self.err = self._capsys.readouterr()
        assert_nothing_private(self.out, self.err, *(path.read_text() for path in self.folder.glob("*outcomes*")))
        return code

    def outcomes(self) -> list[dict[str, Any]]:
        """Return the outcomes in the file, without its first line."""
        return [json.loads(line) for line in self.outcomes_file.read_text().splitlines()[1:]]

    def statuses(self) -> dict[str, str]:
        """Return the last status of each customer."""
        return {outcome["id"]: outcome["status"] for outcome in self.outcomes()}


def assert_nothing_private(*texts: str) -> None:
    """Check that no value of a customer or of a file, and no secret, is shown."""
    assert [text for text in texts if PRIVATE in text or SECRET in text or "Traceback" in text] == []
