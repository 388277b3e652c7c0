"""`python -m cybersource_tms update FILE`: an outcome for each line, whatever stops the job and however often."""

import csv
import hashlib
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cybersource_tms.__main__ import main
from cybersource_tms_sandbox import SECRET, Fault, Sandbox, page_customer
from support.merge import REMOVED, merge
from support.waiting import HANGS, LIMIT, eventually

IDS = [f"{number:032d}" for number in range(12)]
COLUMN, CODE = "buyerInformation.email", "clientReferenceInformation.code"
PRIVATE = "pr1vate"  # a part of every value in the files and of every customer, which nothing may show
LAST = f"{PRIVATE} last"


class Job:
    """A file of customers in a folder of its own, and the command that is run on it.

    Attributes:
        file: The file of customers.
        outcomes_file: Where the outcomes go by default.
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
        self.write("".join([f"id,{COLUMN}\n", *(f"{customer_id},{email}\n" for customer_id in ids)]))

    def run(self, *options: str, customers: Path | None = None) -> int:
        """Run the command within this process, and return the exit code. Nothing private is shown."""
        code = main(["update", str(customers or self.file), *options])
        self.out, self.err = self._capsys.readouterr()
        assert_nothing_private(self.out, self.err, *(path.read_text() for path in self.folder.glob("*outcomes*")))
        return code

    def outcomes(self) -> list[dict[str, Any]]:
        """Return the outcomes in the file."""
        return [json.loads(line) for line in self.outcomes_file.read_text().splitlines()]

    def statuses(self) -> dict[str, str]:
        """Return the last status of each customer."""
        return {outcome["id"]: outcome["status"] for outcome in self.outcomes()}


def assert_nothing_private(*texts: str) -> None:
    """Check that no value of a customer or of a file, and no secret, is shown."""
    assert [text for text in texts if PRIVATE in text or SECRET in text or "Traceback" in text] == []


def private_customer(customer_id: str) -> dict[str, Any]:
    """Return a customer whose values are all private."""
    values = {
        "buyerInformation": {"merchantCustomerID": f"{PRIVATE} 1", "email": f"{PRIVATE} 2"},
        "clientReferenceInformation": {"code": f"{PRIVATE} 3"},
        "merchantDefinedInformation": [{"name": "data1", "value": f"{PRIVATE} 4"}],
    }
    return {**page_customer(), **values, "id": customer_id}


@pytest.fixture
def fleet(sandbox: Sandbox, url: str, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Return the stand-in with many customers; the variables lead to it."""
    for name, value in {**sandbox.variables, "CYBERSOURCE_BASE_URL": url}.items():
        monkeypatch.setenv(name, value)
    for customer_id in IDS:
        sandbox.add(private_customer(customer_id))
    return sandbox


@pytest.fixture
def job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Job:
    """Return a job without a file."""
    return Job(tmp_path, capsys)


def sent(sandbox: Sandbox, method: str = "PATCH") -> list[str]:
    """Return the ids of the customers about which there were requests, in order."""
    return [request.path.rpartition("/")[2] for request in sandbox.received if request.method == method]


def bodies(sandbox: Sandbox) -> list[Any]:
    """Return the bodies of the updates."""
    return [json.loads(request.body) for request in sandbox.received if request.method == "PATCH"]


# What a line asks for

ENTRIES = [{"name": "data1", "value": f"{PRIVATE} a"}, {"name": "data2", "value": f"{PRIVATE}, b"}]
CELLS: dict[str, tuple[dict[str, str], Any]] = {
    "text": ({COLUMN: LAST}, {"buyerInformation": {"email": LAST}}),
    "two of a group": (
        {COLUMN: LAST, "buyerInformation.merchantCustomerID": f"{PRIVATE} x"},
        {"buyerInformation": {"email": LAST, "merchantCustomerID": f"{PRIVATE} x"}},
    ),
    "empty leaves alone": ({COLUMN: LAST, CODE: ""}, {"buyerInformation": {"email": LAST}}),
    "a field is removed": ({COLUMN: "<null>"}, {"buyerInformation": {"email": REMOVED}}),
    "a group is removed": ({"buyerInformation": "<null>"}, {"buyerInformation": REMOVED}),
    "a list is removed": ({"merchantDefinedInformation": "<null>"}, {"merchantDefinedInformation": REMOVED}),
    "a list": ({"merchantDefinedInformation": json.dumps(ENTRIES)}, {"merchantDefinedInformation": ENTRIES}),
    "a group": ({"buyerInformation": json.dumps({"email": LAST})}, {"buyerInformation": {"email": LAST}}),
    "text that looks like JSON": ({COLUMN: f'["{PRIVATE}"]'}, {"buyerInformation": {"email": f'["{PRIVATE}"]'}}),
    "text that looks like a number": ({CODE: "007"}, {"clientReferenceInformation": {"code": "007"}}),
    "commas, quotes and line breaks": (
        {COLUMN: f'{PRIVATE},\r\n"x"'},
        {"buyerInformation": {"email": f'{PRIVATE},\r\n"x"'}},
    ),
    "not ASCII": ({COLUMN: f"{PRIVATE} é 😀"}, {"buyerInformation": {"email": f"{PRIVATE} é 😀"}}),
}  # fmt: skip


@pytest.mark.parametrize(("cells", "patch"), CELLS.values(), ids=CELLS)
def test_csv(fleet: Sandbox, job: Job, cells: dict[str, str], patch: Any) -> None:
    """Cells are what their columns can hold, and only what differs is sent."""
    text = io.StringIO()
    csv.writer(text).writerows([["id", *cells], [IDS[0], *cells.values()]])
    job.write(text.getvalue())
    assert job.run() == 0
    assert bodies(fleet) == [patch]
    assert job.statuses() == {IDS[0]: "updated"}
    assert fleet[IDS[0]] == merge(private_customer(IDS[0]), patch)


JSON_LINES: dict[str, tuple[dict[str, Any], Any]] = {
    "objects": ({"buyerInformation": {"email": LAST}}, {"buyerInformation": {"email": LAST}}),
    "paths": ({COLUMN: LAST}, {"buyerInformation": {"email": LAST}}),
    "both": (
        {"buyerInformation": {"email": LAST}, "buyerInformation.merchantCustomerID": f"{PRIVATE} x"},
        {"buyerInformation": {"email": LAST, "merchantCustomerID": f"{PRIVATE} x"}},
    ),
    "null removes": ({COLUMN: None}, {"buyerInformation": {"email": REMOVED}}),
    "empty text is a value": ({COLUMN: ""}, {"buyerInformation": {"email": ""}}),
    "the word of CSV is text": ({COLUMN: "<null>"}, {"buyerInformation": {"email": "<null>"}}),
    "a list": ({"merchantDefinedInformation": ENTRIES}, {"merchantDefinedInformation": ENTRIES}),
}


@pytest.mark.parametrize(("values", "patch"), JSON_LINES.values(), ids=JSON_LINES)
@pytest.mark.parametrize("name", ["customers.jsonl", "customers.NDJSON"])
def test_json_lines(fleet: Sandbox, job: Job, values: dict[str, Any], patch: Any, name: str) -> None:
    """Values are JSON, in objects or under paths."""
    job.write(json.dumps({"id": IDS[0], **values}), name)
    assert job.run() == 0
    assert bodies(fleet) == [patch]


WAYS_TO_WRITE: dict[str, tuple[str, bytes]] = {
    "Excel's mark": ("a.csv", f"\ufeffid,{COLUMN}\r\n{IDS[0]},{LAST}\r\n".encode()),
    "a mark before JSON": ("a.jsonl", f'\ufeff{{"id": "{IDS[0]}", "{COLUMN}": "{LAST}"}}\r\n'.encode()),
    "no line break at the end": ("a.csv", f"id,{COLUMN}\n{IDS[0]},{LAST}".encode()),
    "empty lines": ("a.csv", f"id,{COLUMN}\n\n{IDS[0]},{LAST}\n\n,\n".encode()),
    "empty lines of JSON": ("a.jsonl", f'\n{{"id": "{IDS[0]}", "{COLUMN}": "{LAST}"}}\n\n'.encode()),
    "another order of columns": ("a.csv", f"{COLUMN},id\n{LAST},{IDS[0]}\n".encode()),
    "the same line twice": ("a.csv", f"id,{COLUMN}\n{IDS[0]},{LAST}\n{IDS[0]},{LAST}\n".encode()),
    "the same customer twice": (
        "a.jsonl",
        f'{{"id":"{IDS[0]}","{COLUMN}":"{LAST}"}}\n{{"buyerInformation":{{"email":"{LAST}"}},"id":"{IDS[0]}"}}'.encode(),
    ),
}


@pytest.mark.parametrize(("name", "content"), WAYS_TO_WRITE.values(), ids=WAYS_TO_WRITE)
def test_ways_to_write_a_file(fleet: Sandbox, job: Job, name: str, content: bytes) -> None:
    """They make no difference."""
    job.write(content, name)
    assert job.run() == 0
    assert bodies(fleet) == [{"buyerInformation": {"email": LAST}}]
    assert job.statuses() == {IDS[0]: "updated"}
    assert job.out.startswith("1 customers: updated 1\n")


def test_format(fleet: Sandbox, job: Job) -> None:
    """It is said by an option where the suffix says nothing."""
    job.write(f"id,{COLUMN}\n{IDS[0]},{LAST}\n", "customers.txt")
    assert (job.run(), job.err.count("\n")) == (2, 1)
    assert "--format" in job.err
    assert job.run("--format", "csv") == 0


def test_ids_are_without_case(fleet: Sandbox, job: Job) -> None:
    """One customer is updated once, however its id is written."""
    fleet.add(private_customer("ab" * 16))
    job.write_emails(["ab" * 16, "AB" * 16])
    assert job.run() == 0
    assert len(job.outcomes()) == len(bodies(fleet)) == 1


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl"])
def test_no_customers(fleet: Sandbox, job: Job, name: str) -> None:
    """A file without a line for a customer is all well."""
    job.write("id\n" if name.endswith("csv") else "", name)
    assert job.run() == 0
    assert job.out.startswith("0 customers: none\n")


# Lines that are wrong

DEEP = "[" * 100_000
BAD_CELLS: dict[str, tuple[str, str | None, str]] = {
    "too few cells": (IDS[5], None, "it has 1 cells, and the first line 3"),
    "too many cells": (f"{IDS[5]},{PRIVATE},,", None, "it has 4 cells, and the first line 3"),
    "no id": (f",{PRIVATE},", None, "id: expected 1 to 32 characters of A-Z, a-z, 0-9, _ and -"),
    "not an id": (f"{PRIVATE}@,{PRIVATE},", None, "id: expected 1 to 32 characters of A-Z, a-z, 0-9, _ and -"),
    "not a list": (f"{IDS[5]},,{PRIVATE}", IDS[5], "merchantDefinedInformation: expected a list or null, not text"),
    "nested too deep": (f"{IDS[5]},,{DEEP}", IDS[5], "merchantDefinedInformation: expected a list or null, not text"),
    "a list of something else": (
        f'{IDS[5]},,["{PRIVATE}"]'.replace('["', '"[""').replace('"]', '""]"'),
        IDS[5],
        "merchantDefinedInformation[0]: expected an object, not text",
    ),
    "a name twice": (
        IDS[5] + ',,"[{""name"": ""data1"", ""name"": ""data2""}]"',
        IDS[5],
        "merchantDefinedInformation: expected a list or null, not text",
    ),
    "a quote that is not closed": (f'{IDS[5]},"{PRIVATE},', None, "it is not CSV; check its quotes"),
    "a quote within": (f'{IDS[5]},"{PRIVATE}"x,', None, "it is not CSV; check its quotes"),
}
BAD_JSON: dict[str, tuple[str, str | None, str]] = {
    "not JSON": (f"{IDS[5]},{PRIVATE}", None, "it is not JSON, or has a name twice"),
    "nested too deep": (DEEP, None, "it is not JSON, or has a name twice"),
    "a name twice": (f'{{"id": "{IDS[5]}", "id": "{IDS[6]}"}}', None, "it is not JSON, or has a name twice"),
    "not an object": (f'["{PRIVATE}"]', None, "expected a JSON object"),
    "null": ("null", None, "expected a JSON object"),
    "no id": (f'{{"{COLUMN}": "{PRIVATE}"}}', None, "id: expected 1 to 32 characters of A-Z, a-z, 0-9, _ and -"),
    "an id that is a number": ('{"id": 5}', None, "id: expected 1 to 32 characters of A-Z, a-z, 0-9, _ and -"),
    "no such field": (
        f'{{"id": "{IDS[5]}", "buyerInformation": {{"mail": "{PRIVATE}"}}}}',
        IDS[5],
        "buyerInformation.mail: no such field, did you mean email?",
    ),
    "what only the service writes": (
        f'{{"id": "{IDS[5]}", "metadata": {{"creator": "{PRIVATE}"}}}}',
        IDS[5],
        "metadata: only the service writes this",
    ),
    "a wrong type": (
        f'{{"id": "{IDS[5]}", "{COLUMN}": ["{PRIVATE}"]}}',
        IDS[5],
        "buyerInformation.email: expected text or null, not a list",
    ),
    "a null that cannot be": (
        f'{{"id": "{IDS[5]}", "merchantDefinedInformation": [{{"name": null}}]}}',
        IDS[5],
        "merchantDefinedInformation[0].name: expected text, not null",
    ),
    "half a character": (
        f'{{"id": "{IDS[5]}", "{COLUMN}": "\\ud800"}}',
        IDS[5],
        f"{COLUMN}: cannot be written as JSON",
    ),
    "a path within text": (
        f'{{"id": "{IDS[5]}", "{COLUMN}.x": 1}}',
        IDS[5],
        f"{COLUMN}: expected text or null, not an object",
    ),
    "a field twice": (
        f'{{"id": "{IDS[5]}", "{COLUMN}": "{PRIVATE}", "buyerInformation": {{}}}}',
        IDS[5],
        "buyerInformation: is given twice",
    ),
    "a field within itself": (
        f'{{"id": "{IDS[5]}", "buyerInformation": null, "{COLUMN}": "{PRIVATE}"}}',
        IDS[5],
        f"{COLUMN}: is given twice",
    ),
    "a path twice": (
        f'{{"id": "{IDS[5]}", "buyerInformation": {{"email": "{PRIVATE}"}}, "{COLUMN}": "{PRIVATE}"}}',
        IDS[5],
        f"{COLUMN}: is given twice",
    ),
}  # fmt: skip
GOOD_CELLS = [f"{IDS[0]},{LAST},", f'{IDS[1]},"{LAST}",', f"{IDS[2]},{LAST},"]
GOOD_JSON = [f'{{"id": "{customer_id}", "{COLUMN}": "{LAST}"}}' for customer_id in IDS[:3]]
BAD_LINES = {
    **{f"CSV: {name}": ("a.csv", GOOD_CELLS, *row) for name, row in BAD_CELLS.items()},
    **{f"JSON: {name}": ("a.jsonl", GOOD_JSON, *row) for name, row in BAD_JSON.items()},
}


@pytest.mark.parametrize("row", BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line(fleet: Sandbox, job: Job, row: tuple[str, list[str], str, str | None, str]) -> None:
    """It is an outcome with its number and the path, it is said, and all the other lines are done, again and again."""
    name, good, line, customer_id, problem = row
    header = [f"id,{COLUMN},merchantDefinedInformation"] if name == "a.csv" else [""]
    job.write("\n".join([*header, good[0], line, *good[1:], ""]), name)
    for _ in range(2):
        assert job.run() == 1
        assert f"line 3: {problem}\n" in job.err
        assert job.out.startswith("4 customers: ")
        assert Counter(sent(fleet)) == Counter(IDS[:3])
        assert [fleet[each]["buyerInformation"]["email"] for each in IDS[:3]] == [LAST] * 3
        outcomes = job.outcomes()
        assert len(outcomes) == 4
        [invalid] = [outcome for outcome in outcomes if outcome["status"] == "invalid"]
        assert (invalid["id"], invalid["line"], invalid["message"]) == (customer_id, 3, problem)
        assert (invalid["final"], invalid["may_have_been_applied"]) == (True, False)


def test_a_line_that_is_corrected(fleet: Sandbox, job: Job) -> None:
    """It is done the next time."""
    job.write(f'{{"id": "{IDS[0]}", "{COLUMN}": 5}}', "customers.jsonl")
    assert job.run() == 1
    job.write(f'{{"id": "{IDS[0]}", "{COLUMN}": "{LAST}"}}', "customers.jsonl")
    assert job.run() == 0
    assert [outcome["status"] for outcome in job.outcomes()] == ["invalid", "updated"]


def test_bad_lines_are_not_all_printed(fleet: Sandbox, job: Job) -> None:
    """The first twenty are; all of them are in the file."""
    job.write("id\n" + "?\n" * 30)
    assert job.run() == 1
    assert job.err.count("id: expected") == 20
    assert "line 21:" in job.err
    assert "further ones" in job.err
    assert [outcome["line"] for outcome in job.outcomes()] == list(range(2, 32))


# Files that are wrong

DIFFERENT = f"id,{COLUMN}\n{IDS[0]},{PRIVATE} 1\n{'aB' * 16},\n{'Ab' * 16},{PRIVATE}\n"
BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "no id": ("a.csv", f"{COLUMN}\n{PRIVATE}\n".encode(), "no column id"),
    "no header": ("a.csv", f"{IDS[0]},{PRIVATE}\n".encode(), "no column id"),
    "semicolons": ("a.csv", f"id;{COLUMN}\n{IDS[0]};{PRIVATE}\n".encode(), "separated by commas"),
    "a header that is not CSV": ("a.csv", b'id,"' + COLUMN.encode() + b"\n", "no column id"),
    "empty": ("a.csv", b"", "no column id"),
    "an unknown column": ("a.csv", b"id,buyerInformation.mail\n", "buyerInformation.mail: no such field"),
    "another case": ("a.csv", b"id,buyerinformation.email\n", "did you mean buyerInformation?"),
    "what only the service writes": ("a.csv", b"id,metadata.creator\n", "metadata: only the service writes this"),
    "a column within a list": (
        "a.csv",
        b"id,merchantDefinedInformation.name\n",
        "merchantDefinedInformation: it has no fields of its own; a list is given whole, as JSON",
    ),
    "a column within text": ("a.csv", f"id,{COLUMN}.x\n".encode(), f"{COLUMN}: it has no fields of its own"),
    "a column without a name": ("a.csv", f"id,{COLUMN},\n".encode(), "column 3: has no name"),
    "a column twice": ("a.csv", f"id,{COLUMN},{COLUMN}\n".encode(), f"{COLUMN}: is given twice"),
    "id twice": ("a.csv", b"id,id\n", "id: is given twice"),
    "columns that overlap": ("a.csv", f"id,{COLUMN},buyerInformation\n".encode(), "buyerInformation: is given twice"),
    "different values": ("a.csv", DIFFERENT.encode(), "line 4: the id of an earlier line, with different values"),
    "a bad line with the id of a good one": (
        "a.jsonl",
        f'{{"id": "{IDS[0]}", "{COLUMN}": "{PRIVATE}"}}\n{{"id": "{IDS[0]}", "{COLUMN}": 5}}'.encode(),
        "line 2: the id of an earlier line, with different values",
    ),
    "Latin-1": ("a.csv", f"id,{COLUMN}\n{IDS[0]},{PRIVATE}\n{IDS[1]},é\n".encode("latin-1"), "line 3: not UTF-8"),
    "UTF-16": ("a.csv", f"id,{COLUMN}\n".encode("utf-16"), "line 1: not UTF-8"),
    "JSON in Latin-1": ("a.jsonl", f'{{"id": "é{PRIVATE}"}}'.encode("latin-1"), "line 1: not UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "problem"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file(fleet: Sandbox, job: Job, name: str, content: bytes, problem: str) -> None:
    """It is refused with one line that says where and what, before anything is sent or written."""
    job.write(content, name)
    assert job.run() == 2
    assert (job.out, job.err.count("\n")) == ("", 1)
    assert f"{name}: " in job.err
    assert problem in job.err
    assert fleet.received == []
    assert not job.outcomes_file.exists()


def test_files_that_cannot_be_used(fleet: Sandbox, job: Job) -> None:
    """A file that is not there, a folder or a pipe is refused with one line, for the customers and the outcomes."""
    os.mkfifo(job.folder / "pipe.csv")
    job.write_emails(IDS[:1])
    for path, problem in {
        job.folder: "not a regular file",
        job.folder / "pipe.csv": "not a regular file",
        job.folder / "none" / "a": "No such file",
        job.folder / ("x" * 300): "File name too long",
    }.items():
        for options in ([str(path), "--format", "csv"], [str(job.file), "--outcomes", str(path)]):
            assert job.run(*options[1:], customers=Path(options[0])) == 2
            assert (job.out, job.err.count("\n")) == ("", 1)
            assert problem in job.err
    assert job.run(customers=job.folder / "none.csv") == 2
    assert "none.csv: No such file or directory" in job.err
    assert fleet.received == []


def test_outcomes_that_cannot_be_written(fleet: Sandbox, job: Job) -> None:
    """A path that can only be read is refused before anything is sent."""
    job.write_emails(IDS[:1])
    (job.folder / "outcomes").symlink_to("/proc/version")
    assert job.run("--outcomes", str(job.folder / "outcomes")) == 2
    assert fleet.received == []


OPTIONS: dict[str, tuple[list[str], str]] = {
    "no customers at a time": (["--concurrency", "0"], "--concurrency: expected a whole number of 1 or more"),
    "no request in a second": (
        ["--per-second", "0"],
        "--per-second: expected a number above 0; leave it out for no limit\n",
    ),
}


@pytest.mark.parametrize(("options", "problem"), OPTIONS.values(), ids=OPTIONS)
def test_wrong_options(fleet: Sandbox, job: Job, options: list[str], problem: str) -> None:
    """They are refused by name."""
    job.write_emails(IDS)
    assert job.run(*options) == 2
    assert problem in job.err
    assert fleet.received == []


@pytest.mark.parametrize("options", [["--concurrency", "0.5"], ["--per-second", "x"], ["--fast"], ["--format", "xml"]])
def test_options_that_cannot_be_read(job: Job, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """They are refused by name, with the usage."""
    with pytest.raises(SystemExit) as stopped:
        job.run(*options)
    assert stopped.value.code == 2
    assert options[0] in capsys.readouterr().err.splitlines()[-1]


def test_missing_variables(job: Job) -> None:
    """They are named, and nothing is written."""
    job.write_emails(IDS)
    assert job.run() == 2
    assert "CYBERSOURCE_MERCHANT_ID" in job.err
    assert job.err.count("\n") == 1
    assert not job.outcomes_file.exists()


# Outcomes

EXPECTED: dict[str, tuple[Fault, str, bool, str | None, bool | None]] = {
    "updated": (Fault(), "updated", True, None, None),
    "refused": (Fault(status=400), "failed", True, "BadRequest", False),
    "not found": (Fault(status=404), "failed", True, "NotFound", False),
    "deleted": (Fault(status=410), "failed", True, "TokenDeleted", False),
    "no profile": (Fault(status=424), "failed", False, "ProfileNotFound", False),
    "another status": (Fault(status=409), "failed", False, "StatusError", False),
    "the service fails": (Fault(status=501), "failed", False, "ServiceError", False),
    "unreadable": (Fault(status=200, body=PRIVATE.encode()), "failed", False, "UnreadableResponse", False),
}


@pytest.mark.parametrize("row", EXPECTED.values(), ids=EXPECTED)
def test_an_outcome(fleet: Sandbox, job: Job, row: tuple[Fault, str, bool, str | None, bool | None]) -> None:
    """It says what became of a customer, and the next run repeats only what is not final."""
    fault, status, final, error, applied = row
    job.write_emails(IDS[:1])
    fleet.fail(fault)
    assert job.run() == (1 if error else 0)
    [outcome] = job.outcomes()
    assert list(outcome) == [
        *("id", "status", "final", "changed", "error", "message", "correlation_id", "may_have_been_applied"),
        *("input", "line", "time"),
    ]
    assert (outcome["id"], outcome["status"], outcome["final"]) == (IDS[0], status, final)
    assert (outcome["error"], outcome["may_have_been_applied"], outcome["line"]) == (error, applied, 2)
    assert re.fullmatch("[0-9a-f-]{36}", outcome["correlation_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", outcome["time"])
    assert outcome["changed"] == ([] if error else [COLUMN])
    assert bool(outcome["message"]) == bool(error)
    assert (f"line 2: {outcome['message']}\n" in job.err) == bool(error)
    assert ("without a final outcome" in job.out) == (not final)
    received = len(fleet.received)
    assert job.run() == (1 if error and final else 0)
    assert (len(fleet.received) == received) == final
    said = f"1 done by earlier runs ({status} 1); now: none" if final else "updated 1"
    assert job.out.startswith(f"1 customers: {said}\n")


def test_an_update_that_may_have_been_applied(fleet: Sandbox, job: Job) -> None:
    """Its outcome says so with the fields, and the next run finds out."""
    job.write_emails(IDS[:1])
    fleet.fail(Fault(), Fault(status=501, applied=True))
    assert job.run() == 1
    [outcome] = job.outcomes()
    assert (outcome["changed"], outcome["may_have_been_applied"]) == ([COLUMN], True)
    assert job.run() == 0
    assert job.statuses() == {IDS[0]: "unchanged"}
    assert len(bodies(fleet)) == 1


def test_what_is_in_line_is_not_sent(fleet: Sandbox, job: Job) -> None:
    """A customer that is as wanted is read only, and so is one of which nothing is wanted."""
    job.write(f"id,{COLUMN}\n{IDS[0]},{PRIVATE} 2\n{IDS[1]},\n")
    assert job.run() == 0
    assert job.statuses() == dict.fromkeys(IDS[:2], "unchanged")
    assert bodies(fleet) == []
    assert sorted(sent(fleet, "GET")) == IDS[:2]


@pytest.mark.parametrize("status", [401, 403])
def test_what_befalls_all_stops_the_job(fleet: Sandbox, job: Job, status: int) -> None:
    """It is said, nothing new begins, and the next run does all that is left."""
    job.write_emails(IDS)
    fleet.fail(Fault(), Fault(), status)
    assert job.run("--concurrency", "1") == 1
    assert f"stopped: {status}" in job.err
    assert len(fleet.received) == 3
    assert job.statuses() == {IDS[0]: "updated", IDS[1]: "failed"}
    assert "11 of them without a final outcome" in job.out
    assert job.run() == 0
    assert job.err.startswith("1 customers were done by earlier runs with the same content, and are left out\n")
    assert job.out.startswith("12 customers: 1 done by earlier runs (updated 1); now: updated 11\n")
    assert job.statuses() == dict.fromkeys(IDS, "updated")


# Which outcomes count


def emails(sandbox: Sandbox) -> set[str]:
    """Return the addresses that the customers have."""
    return {sandbox[each]["buyerInformation"]["email"] for each in IDS}


def test_new_values_in_the_same_file(fleet: Sandbox, job: Job) -> None:
    """An outcome counts only for the content that it is of: all customers are updated to what the file holds now."""
    for email in (f"{PRIVATE} a", f"{PRIVATE} b", f"{PRIVATE} a"):
        job.write_emails(IDS, email)
        assert job.run() == 0
        assert job.out.startswith("12 customers: updated 12\n")
        assert emails(fleet) == {email}
    received = len(fleet.received)
    assert job.run() == 0
    assert len(fleet.received) == received


def test_earlier_values_after_a_run_that_was_killed(fleet: Sandbox, job: Job) -> None:
    """With earlier content all customers are compared, since more may have been updated than have an outcome."""
    job.write_emails(IDS, f"{PRIVATE} a")
    assert job.run() == 0
    job.write_emails(IDS, f"{PRIVATE} b")
    assert job.run() == 0
    job.outcomes_file.write_bytes(b"".join(job.outcomes_file.read_bytes().splitlines(keepends=True)[:13]))
    job.write_emails(IDS, f"{PRIVATE} a")
    assert job.run() == 0
    assert emails(fleet) == {f"{PRIVATE} a"}


OTHER_CONTENT: dict[str, tuple[list[str], str]] = {
    "a customer more": (IDS, "unchanged 11, updated 1"),
    "a customer less": (IDS[:10], "unchanged 10"),
    "another order": (IDS[10::-1], "unchanged 11"),
    "the same customer twice": ([*IDS[:11], IDS[0]], "unchanged 11"),
}


@pytest.mark.parametrize(("ids", "counts"), OTHER_CONTENT.values(), ids=OTHER_CONTENT)
def test_other_content(fleet: Sandbox, job: Job, ids: list[str], counts: str) -> None:
    """Whatever differs in the file, all customers are read again, and none is sent what it has already."""
    job.write_emails(IDS[:11])
    assert job.run() == 0
    fleet.received.clear()
    job.write_emails(ids)
    assert job.run("--concurrency", "1") == 0
    assert job.out.startswith(f"{len(set(ids))} customers: {counts}\n")
    assert set(sent(fleet, "GET")) == set(ids)
    assert sent(fleet) == ids[11:12] * ("updated" in counts)


@pytest.mark.parametrize("name", ["CYBERSOURCE_ENVIRONMENT", "CYBERSOURCE_BASE_URL"])
def test_another_account(fleet: Sandbox, job: Job, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done in one environment or at one address is not done in another one."""
    job.write_emails(IDS)
    assert job.run() == 0
    other = {
        "CYBERSOURCE_ENVIRONMENT": "test-saudi-arabia",
        "CYBERSOURCE_BASE_URL": os.environ["CYBERSOURCE_BASE_URL"] + "/",
    }
    monkeypatch.setenv(name, other[name])
    job.run()
    assert "done by earlier runs" not in job.out


def test_outcomes_that_do_not_say_of_what_they_are(fleet: Sandbox, job: Job) -> None:
    """They do not count: all customers are read again."""
    job.write_emails(IDS)
    assert job.run() == 0
    lines = [{name: outcome[name] for name in outcome if name != "input"} for outcome in job.outcomes()]
    job.outcomes_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert job.run() == 0
    assert job.out.startswith("12 customers: unchanged 12\n")


def test_the_digest_of_the_content(fleet: Sandbox, job: Job) -> None:
    """It is the same for the same content, another one for other content, and none that is quickly tried."""
    digests: list[str] = []
    for email in ("a", "a", "b"):
        job.write_emails(IDS[:2], email)
        job.outcomes_file.unlink(missing_ok=True)
        assert job.run() == 0
        [digest] = {outcome["input"] for outcome in job.outcomes()}
        assert re.fullmatch("[0-9a-f]{16}", digest)
        digests.append(digest)
        for name in ("md5", "sha1", "sha256", "sha512", "blake2b"):
            assert digest not in hashlib.new(name, job.file.read_bytes()).hexdigest()
    assert digests[0] == digests[1] != digests[2]


# Going on


@pytest.mark.parametrize("left", [1, 7, 20, 100, -1], ids=lambda left: f"{left} characters")
def test_a_torn_last_line(fleet: Sandbox, job: Job, left: int) -> None:
    """It is as if it were not there: its customer is read again, and has one outcome in the end."""
    job.write_emails(IDS)
    assert job.run() == 0
    whole = job.outcomes_file.read_bytes().splitlines(keepends=True)
    job.outcomes_file.write_bytes(b"".join(whole[:5]) + whole[5][:left])
    received = len(fleet.received)
    assert job.run() == 0
    assert job.outcomes_file.read_bytes().startswith(b"".join(whole[:5]))
    assert sorted(outcome["id"] for outcome in job.outcomes()) == IDS
    assert len(fleet.received) == received + 7
    assert sorted(sent(fleet)) == IDS


FOREIGN: dict[str, bytes] = {
    "another file": b"notes\n",
    "without a line break": b"notes",
    "other JSON": b'{"id": "1"}\n',
    "a list": b"[]\n",
    "an id of another type": b'{"id": 5, "status": "updated", "final": true}\n',
    "a status of another type": f'{{"id": "{IDS[0]}", "status": [], "final": true}}\n'.encode(),
    "another status": f'{{"id": "{IDS[0]}", "status": "done", "final": true}}\n'.encode(),
    "nested too deep": DEEP.encode() + b"\n",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_file_that_holds_no_outcomes(fleet: Sandbox, job: Job, content: bytes) -> None:
    """It is refused and left as it is."""
    job.write_emails(IDS)
    job.outcomes_file.write_bytes(content)
    assert job.run() == 2
    assert job.err.endswith("line 1 is no outcome of this command; name another file by --outcomes\n")
    assert job.outcomes_file.read_bytes() == content
    assert fleet.received == []


def test_the_file_of_customers_as_the_file_of_outcomes(fleet: Sandbox, job: Job) -> None:
    """It is refused and left as it is, under whatever name."""
    line = f'{{"id": "{IDS[0]}", "{COLUMN}": "{PRIVATE}"}}'
    job.write(line, "customers.jsonl")
    (job.folder / "link").symlink_to(job.file)
    assert job.run("--outcomes", str(job.folder / "link")) == 2
    assert job.file.read_text() == line


@pytest.mark.parametrize("room", [0, 100])
def test_a_disk_that_is_full(fleet: Sandbox, job: Job, room: int) -> None:
    """The command ends with one line that says so, and goes on when there is room."""
    job.write_emails(IDS)
    assert job.run() == 0
    first, *_ = job.outcomes_file.read_bytes().splitlines(keepends=True)
    size = job.outcomes_file.write_bytes(first)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, limits[1]))
    try:
        assert job.run("--concurrency", "2") == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert job.err.splitlines()[-1].startswith(f"error: {job.outcomes_file}: ")
    assert job.run() == 0
    assert sorted(outcome["id"] for outcome in job.outcomes()) == IDS


# Dry run


def test_a_dry_run(fleet: Sandbox, job: Job) -> None:
    """It reads, prints the names of the fields that would change, and neither sends nor writes anything."""
    fleet.delete(IDS[2])
    job.write(f"id,{COLUMN},{CODE}\n{IDS[0]},{LAST},<null>\n{IDS[1]},{PRIVATE} 2,\n{IDS[2]},a,\n?,,\n")
    assert job.run("--dry-run") == 1
    assert job.out.startswith(f"{IDS[0]}: {COLUMN}, {CODE}\n4 customers: ")
    [summary] = re.findall("4 customers: (.*)", job.out)
    assert sorted(summary.split(", ")) == ["failed 1", "invalid 1", "unchanged 1", "would change 1"]
    assert sorted(line[:7] for line in job.err.splitlines() if line.startswith("line")) == ["line 4:", "line 5:"]
    assert bodies(fleet) == []
    assert not job.outcomes_file.exists()


def test_a_dry_run_after_a_run(fleet: Sandbox, job: Job) -> None:
    """The outcomes do not matter to it: it reads all customers, and leaves the outcomes as they are."""
    job.write_emails(IDS)
    assert job.run() == 0
    before = job.outcomes_file.read_bytes()
    fleet.put(private_customer(IDS[3]))
    fleet.received.clear()
    assert job.run("--dry-run", "--concurrency", "1") == 0
    assert job.out == f"{IDS[3]}: {COLUMN}\n12 customers: unchanged 11, would change 1\n"
    assert sent(fleet, "GET") == IDS
    assert bodies(fleet) == []
    assert job.outcomes_file.read_bytes() == before


def test_a_dry_run_that_stops(fleet: Sandbox, job: Job) -> None:
    """It says how many customers it has not compared."""
    job.write_emails(IDS)
    fleet.fail(Fault(), 401)
    assert job.run("--dry-run", "--concurrency", "1") == 1
    assert job.out.endswith("\n12 customers: would change 1, failed 1\n11 of them not compared: run it again\n")


# Progress


def test_plain_progress(fleet: Sandbox, job: Job) -> None:
    """Where stderr is no terminal it is a line with what is done, the rate, the time left and the counts."""
    job.write_emails(IDS)
    assert job.run() == 0
    line = job.err.splitlines()[0]
    assert re.fullmatch(r"1 of 12, \d+\.\d/s, \d+:\d\d:\d\d left: updated 1", line)
    assert job.out == f"12 customers: updated 12\noutcomes are in {job.outcomes_file}\n"


def make_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let stderr say that it is a terminal."""
    for name, value in {"TERM": "xterm", "COLUMNS": "140"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)


def test_a_bar(fleet: Sandbox, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal there is a bar with the same, and lines that stay; what is for stdout goes there."""
    make_terminal(monkeypatch)
    job.write(f"id,{COLUMN}\n{IDS[0]},{LAST}\n?[red],\n")
    assert job.run("--dry-run") == 1
    assert "\x1b[" in job.err
    assert "2 of 2, " in job.err
    assert "line 3: id: expected 1 to 32 characters of A-Z, a-z, 0-9, _ and -\n" in job.err
    assert job.out.startswith(f"{IDS[0]}: {COLUMN}\n")


def test_without_rich(fleet: Sandbox, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal there are plain lines where `rich` is not installed."""
    make_terminal(monkeypatch)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    job.write_emails(IDS)
    assert job.run() == 0
    assert job.err.startswith("1 of 12, ")
    assert "\x1b" not in job.err


# Signals


def test_a_signal_ends_the_job(fleet: Sandbox, job: Job) -> None:
    """What is in flight ends and has its outcome, nothing new begins, and the handlers are as before."""
    job.write_emails(IDS)
    fleet.fail(Fault(delay=0.5), Fault(delay=0.5))
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]

    def send() -> None:
        assert eventually(lambda: len(fleet.received) == 2)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=send)
    thread.start()
    assert job.run("--concurrency", "2") == 143
    thread.join()
    assert job.statuses() == dict.fromkeys(IDS[:2], "updated")
    assert job.out.startswith("12 customers: updated 2\n")
    assert "10 of them without a final outcome" in job.out
    assert before == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]


# As a process of its own


def start(*arguments: str, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start the command, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", "cybersource_tms", *arguments]
    return subprocess.Popen(command, stdout=stdout, stderr=stderr, text=True)


def test_a_name_that_the_output_cannot_hold(fleet: Sandbox, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is printed with escapes."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    job.write(f"id,{COLUMN}\n{IDS[0]},{LAST}\n", "f\xfcnf.csv")
    with start("update", str(job.file)) as process:
        out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert_nothing_private(out, err)
    assert "f\\xfcnf.csv.outcomes.jsonl" in out


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_nobody_reads(fleet: Sandbox, job: Job, monkeypatch: pytest.MonkeyPatch, stream: str) -> None:
    """As after `| head`: the command ends without a traceback, and what was reported is in the file of outcomes."""
    job.write(f"id,{COLUMN}\n?,\n")
    monkeypatch.setenv("PYTHONUNBUFFERED", "")
    reader, writer = os.pipe()
    os.close(reader)
    with start("update", str(job.file), **{stream: writer}) as process:
        os.close(writer)
        out, err = process.communicate(timeout=LIMIT)
    assert process.returncode > 0
    assert_nothing_private(out or "", err or "")
    assert "BrokenPipe" not in (err or "")
    [outcome] = job.outcomes()
    assert outcome["status"] == "invalid"


def test_nobody_reads_within_this_process(fleet: Sandbox, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls `main` gets its exit code."""
    reader, writer = os.pipe()
    os.close(reader)
    job.write_emails(IDS)
    with os.fdopen(writer, "w") as unread, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", unread)
        assert job.run() == 1
    assert job.statuses() == dict.fromkeys(IDS, "updated")


def test_without_stderr(fleet: Sandbox, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is done all the same, as under a scheduler that closes it."""
    job.write_emails(IDS)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", None)
        assert job.run() == 0
    assert job.statuses() == dict.fromkeys(IDS, "updated")


def test_help() -> None:
    """It says what the file holds, which word removes, what is final, and the exit codes, in lines of a terminal."""
    with start("update", "--help") as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    for said in ("<null>", "JSON Lines", "--dry-run", "--per-second", "--outcomes", "--concurrency", "Exit code"):
        assert said in out
    assert [line for line in out.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_and_another_one(fleet: Sandbox, job: Job, number: signal.Signals) -> None:
    """The second one ends the process at once, and the job goes on the next time."""
    job.write_emails(IDS)
    fleet.fail(Fault(), Fault(), HANGS)
    with start("update", str(job.file), "--concurrency", "1") as process:
        assert eventually(lambda: len(fleet.received) == 3)
        process.send_signal(number)
        assert process.stderr is not None
        assert any("stopping: " in line for line in process.stderr)
        assert process.poll() is None
        process.send_signal(number)
        assert_nothing_private(*process.communicate(timeout=LIMIT))
    assert process.returncode == -number
    assert job.run() == 0
    assert sorted(outcome["id"] for outcome in job.outcomes()) == IDS


def test_a_second_run_at_the_same_time(fleet: Sandbox, job: Job) -> None:
    """It is refused while the first one is at work, even if that is killed in the end. A dry run is not."""
    job.write_emails(IDS)
    fleet.fail(Fault(), Fault(), HANGS)
    with start("update", str(job.file), "--concurrency", "1") as process:
        assert eventually(lambda: len(fleet.received) == 3)
        before = job.outcomes_file.read_bytes()
        assert job.run() == 2
        assert (job.out, job.err.count("\n")) == ("", 1)
        assert f"{job.outcomes_file}: another run is writing to it" in job.err
        assert (len(fleet.received), job.outcomes_file.read_bytes()) == (3, before)
        assert job.run("--dry-run") == 0
        assert job.run("--outcomes", str(job.folder / "other.outcomes")) == 0
        process.kill()
    assert job.run() == 0
    assert sorted(outcome["id"] for outcome in job.outcomes()) == IDS


def test_without_fcntl(fleet: Sandbox, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command works where the system has no such locks."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    job.write_emails(IDS)
    assert job.run() == 0


MANY = [f"{number:032x}" for number in range(2000)]


def test_a_job_that_is_killed(fleet: Sandbox, job: Job) -> None:
    """Each start repeats at most `concurrency` customers, and each customer has one outcome in the end."""
    concurrency = 8
    for customer_id in MANY:
        fleet.put(private_customer(customer_id))
    job.write_emails(MANY)
    done: set[str] = set()
    for number in (300, 1200, None):
        fleet.received.clear()
        with start("update", str(job.file), "--concurrency", str(concurrency)) as process:
            if number:
                assert eventually(lambda number=number: number < count_lines(job.outcomes_file))  # type: ignore[misc]
                process.kill()
            out, err = process.communicate(timeout=LIMIT)
        assert process.returncode == (-signal.SIGKILL if number else 0)
        assert_nothing_private(out, err)
        read = set(sent(fleet, "GET"))
        assert len(done & read) <= concurrency
        done |= read
    assert out.startswith("2000 customers: ")
    assert Counter(outcome["id"] for outcome in job.outcomes()) == Counter(MANY)
    assert {outcome["status"] for outcome in job.outcomes()} <= {"updated", "unchanged"}
    assert {fleet[each]["buyerInformation"]["email"] for each in MANY} == {LAST}


def count_lines(path: Path) -> int:
    """Return how many whole lines a file has."""
    return path.read_bytes().count(b"\n") if path.exists() else 0
