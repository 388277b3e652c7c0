"""`cybersource-tms update FILE`: an outcome for each line, whatever stops the job and however often."""

import csv
import io
import json
import logging
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from cybersource_tms.__main__ import main
from cybersource_tms_sandbox import SECRET, Fault, Received, Reply, Sandbox, page_customer
from support.merge import REMOVED, merge
from support.waiting import HANGS, LIMIT, eventually

IDS = [f"{number:032d}" for number in range(12)]
COLUMN, CODE, LIST = "buyerInformation.email", "clientReferenceInformation.code", "merchantDefinedInformation"
PRIVATE = "pr1vate"  # a part of every value in the files and of every customer, which nothing may show
LAST = f"{PRIVATE} last"
HEADER = f"id,{COLUMN},{LIST}"
HTML = b"<html>refused</html>"


class WatchedSandbox(Sandbox):
    """A sandbox that calls a function before it answers a request, and in front of which there can be a gateway.

    Attributes:
        watch: Called with the number of the request, from 1.
        gateway: The statuses with which the gateway refuses customers, by id.
        fault: What goes wrong with all requests.
    """

    def __init__(self) -> None:
        super().__init__()
        self.watch: Callable[[int], object] = lambda number: None
        self.gateway: dict[str, int] = {}
        self.fault: Fault | None = None

    def handle(self, request: Received, fault: Fault) -> Reply | None:
        """Respond to a request."""
        self.watch(len(self.received))
        if status := self.gateway.get(request.path.rpartition("/")[2]):
            return Reply(status, {"Content-Type": "text/html"}, HTML)
        return super().handle(request, self.fault or fault)


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
        self.write("".join([f"id,{COLUMN}\n", *(f"{customer_id},{email}\n" for customer_id in ids)]))

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


def private_customer(customer_id: str) -> dict[str, Any]:
    """Return a customer whose values are all private."""
    values = {
        "buyerInformation": {"merchantCustomerID": f"{PRIVATE} 1", "email": f"{PRIVATE} 2"},
        "clientReferenceInformation": {"code": f"{PRIVATE} 3"},
        LIST: [{"name": "data1", "value": f"{PRIVATE} 4"}],
    }
    return {**page_customer(), **values, "id": customer_id}


@pytest.fixture(scope="session")
def _fleet() -> WatchedSandbox:
    return WatchedSandbox()


@pytest.fixture
def fleet(_fleet: WatchedSandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedSandbox]:
    """Return a sandbox with many customers; the variables lead to it."""
    _fleet.reset()
    _fleet.watch, _fleet.gateway, _fleet.fault = lambda number: None, {}, None
    for customer_id in IDS:
        _fleet.add(private_customer(customer_id))
    with _fleet.running() as url:
        for name, value in {**_fleet.variables, "CYBERSOURCE_BASE_URL": url}.items():
            monkeypatch.setenv(name, value)
        yield _fleet


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
    "blanks": ({COLUMN: f"  {LAST} "}, {"buyerInformation": {"email": f"  {LAST} "}}),
    "two of a group": (
        {COLUMN: LAST, "buyerInformation.merchantCustomerID": f"{PRIVATE} x"},
        {"buyerInformation": {"email": LAST, "merchantCustomerID": f"{PRIVATE} x"}},
    ),
    "empty leaves alone": ({COLUMN: LAST, CODE: ""}, {"buyerInformation": {"email": LAST}}),
    "a field is removed": ({COLUMN: "<null>"}, {"buyerInformation": {"email": REMOVED}}),
    "a group is removed": ({"buyerInformation": "<null>"}, {"buyerInformation": REMOVED}),
    "a list is removed": ({LIST: "<null>"}, {LIST: REMOVED}),
    "a list": ({LIST: json.dumps(ENTRIES)}, {LIST: ENTRIES}),
    "a list over several lines": ({LIST: json.dumps(ENTRIES, indent=1)}, {LIST: ENTRIES}),
    "a group": ({"buyerInformation": json.dumps({"email": LAST})}, {"buyerInformation": {"email": LAST}}),
    "text that looks like JSON": ({COLUMN: f'["{PRIVATE}"]'}, {"buyerInformation": {"email": f'["{PRIVATE}"]'}}),
    "text that looks like a number": ({CODE: "007"}, {"clientReferenceInformation": {"code": "007"}}),
    "commas, quotes and line breaks": (
        {COLUMN: f'{PRIVATE},"x"\r\n"y"'},
        {"buyerInformation": {"email": f'{PRIVATE},"x"\r\n"y"'}},
    ),
    "not ASCII": ({COLUMN: f"{PRIVATE} é 😀"}, {"buyerInformation": {"email": f"{PRIVATE} é 😀"}}),
}  # fmt: skip


@pytest.mark.parametrize(("cells", "patch"), CELLS.values(), ids=CELLS)
def test_csv(fleet: WatchedSandbox, job: Job, cells: dict[str, str], patch: Any) -> None:
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
    "a list": ({LIST: ENTRIES}, {LIST: ENTRIES}),
}


@pytest.mark.parametrize(("values", "patch"), JSON_LINES.values(), ids=JSON_LINES)
def test_json_lines(fleet: WatchedSandbox, job: Job, values: dict[str, Any], patch: Any) -> None:
    """Values are JSON, in objects or under paths."""
    job.write(json.dumps({"id": IDS[0], **values}), "customers.NDJSON")
    assert job.run() == 0
    assert bodies(fleet) == [patch]


CSV = f"id,{COLUMN}\n{IDS[0]},{LAST}\n"
JSON = f'{{"id": "{IDS[0]}", "{COLUMN}": "{LAST}"}}\n'
WAYS_TO_WRITE: dict[str, tuple[str, str, list[str]]] = {
    "Excel's mark": ("a.csv", f"\ufeff{CSV}".replace("\n", "\r\n"), []),
    "a mark before JSON": ("a.jsonl", f"\ufeff{JSON}", []),
    "no line break at the end": ("a.csv", CSV.strip(), []),
    "empty lines": ("a.csv", CSV.replace("\n", "\n\n,\n"), []),
    "empty lines of JSON": ("a.jsonl", f"\n{JSON}\n", []),
    "another order of columns": ("a.csv", f"{COLUMN},id\n{LAST},{IDS[0]}\n", []),
    "the same line twice": ("a.csv", f"{CSV}{IDS[0]},{LAST}\n", []),
    "the same customer twice": ("a.jsonl", JSON + f'{{"buyerInformation":{{"email":"{LAST}"}},"id":"{IDS[0]}"}}', []),
    "a line that asks for nothing": ("a.csv", f"{CSV}{IDS[0]},\n{IDS[1]},\n", []),
    "semicolons": ("a.csv", CSV.replace(",", ";"), ["--delimiter", ";"]),
    "tabs": ("a.csv", CSV.replace(",", "\t"), ["--delimiter", r"\t"]),
    "columns that are no fields": (
        "a.csv", f"country,id,{COLUMN},,country\nx,{IDS[0]},{LAST},y,z\n", ["--ignore", "country", "--ignore", ""]
    ),
    "names that are no fields": ("a.jsonl", JSON.replace("{", '{"x": {}, '), ["--ignore", "x", "--ignore", "id"]),
    "another suffix": ("a.txt", CSV, ["--format", "csv"]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "options"), WAYS_TO_WRITE.values(), ids=WAYS_TO_WRITE)
def test_ways_to_write_a_file(fleet: WatchedSandbox, job: Job, name: str, content: str, options: list[str]) -> None:
    """They make no difference."""
    job.write(content, name)
    assert job.run(*options) == 0
    assert bodies(fleet) == [{"buyerInformation": {"email": LAST}}]
    assert job.statuses() == {IDS[0]: "updated"}
    assert job.out.startswith("1 customers: updated 1\n")


def test_ids_are_case_insensitive(fleet: WatchedSandbox, job: Job) -> None:
    """One customer is updated once, however its id is written."""
    fleet.add(private_customer("ab" * 16))
    job.write_emails(["ab" * 16, "AB" * 16])
    assert job.run() == 0
    assert len(job.outcomes()) == len(bodies(fleet)) == 1


@pytest.mark.parametrize(("name", "content"), [("a.csv", f"id,{COLUMN}\n"), ("a.jsonl", "")])
def test_no_customers(fleet: WatchedSandbox, job: Job, name: str, content: str) -> None:
    """A file without a customer is said."""
    job.write(content, name)
    assert job.run() == 0
    assert f"{name}: there is no customer in it" in job.err


# Lines that are wrong

DEEP = "[" * 100_000
NO_ID = "id: expected 1 to 32 characters of A-Z, a-z, 0-9, _ and -"
LOOKS_REMOVED = "to remove the field, write <null>; to send such a text, use JSON Lines"
BAD_CELLS: dict[str, tuple[str, str | None, str]] = {
    "too few cells": (IDS[5], None, "it has 1 cells, and the first line 3"),
    "too many cells": (f"{IDS[5]},{PRIVATE},,", None, "it has 4 cells, and the first line 3"),
    "no id": (f",{PRIVATE},", None, NO_ID),
    "not an id": (f"{PRIVATE}@,{PRIVATE},", None, NO_ID),
    "not a list": (f"{IDS[5]},,{PRIVATE}", IDS[5], f"{LIST}: expected a list or null, not text"),
    "nested too deep": (f"{IDS[5]},,{DEEP}", IDS[5], f"{LIST}: expected a list or null, not text"),
    "a list of something else": (
        f'{IDS[5]},,"[""{PRIVATE}""]"', IDS[5], f"{LIST}[0]: expected an object, not text"
    ),
    "a name twice": (
        IDS[5] + ',,"[{""name"": ""data1"", ""name"": ""data2""}]"', IDS[5], f"{LIST}: expected a list or null, not text"
    ),
    "a long cell": (f"{IDS[5]},{'x' * 140_000},", None, "not CSV: field larger than field limit (131072)"),
    "a CR within": (f"{IDS[5]},{PRIVATE}\r{PRIVATE},", None, "not CSV: new-line character seen in unquoted field"),
    "a quote within": (f'{IDS[5]},"{PRIVATE}"x,', None, "not CSV: ',' expected after '\"'"),
    "a quote that is not closed": (f'{IDS[5]},"{PRIVATE},', None, "not CSV: unexpected end of data"),
    "a quote at the end": (f'{IDS[5]},{PRIVATE}",', None, "not CSV: a quote is not closed"),
    "null in a list": (f"{IDS[5]},,null", IDS[5], f"{LIST}: {LOOKS_REMOVED}"),
    "null in a text": (f"{IDS[5]},NULL,", IDS[5], f"{COLUMN}: {LOOKS_REMOVED}"),
    "the word in capitals": (f"{IDS[5]},<NULL>,", IDS[5], f"{COLUMN}: {LOOKS_REMOVED}"),
    "the word with blanks": (f"{IDS[5]}, <null> ,", IDS[5], f"{COLUMN}: {LOOKS_REMOVED}"),
    "the word with blanks in a list": (f"{IDS[5]},, <null> ", IDS[5], f"{LIST}: {LOOKS_REMOVED}"),
    "MySQL's null": (f"{IDS[5]},\\N,", IDS[5], f"{COLUMN}: {LOOKS_REMOVED}"),
    "too long": (f"{IDS[5]},{PRIVATE * 40},", IDS[5], f"{COLUMN}: at most 255 characters, it has 280"),
    "too long in a list": (
        f'{IDS[5]},,"[{{""name"": ""data1"", ""value"": ""{"x" * 101}""}}]"',
        IDS[5],
        f"{LIST}[0].value: at most 100 characters, it has 101",
    ),
    "not one of the names": (
        f'{IDS[5]},,"[{{""name"": ""data9"", ""value"": ""{PRIVATE}""}}]"', IDS[5], f"{LIST}[0].name: "
    ),
}  # fmt: skip
BAD_JSON: dict[str, tuple[str, str | None, str]] = {
    "not JSON": (f"{IDS[5]},{PRIVATE}", None, "not JSON, or a name is there twice"),
    "nested too deep": (DEEP, None, "not JSON, or a name is there twice"),
    "a name twice": (f'{{"id": "{IDS[5]}", "id": "{IDS[6]}"}}', None, "not JSON, or a name is there twice"),
    "not an object": (f'["{PRIVATE}"]', None, "expected a JSON object"),
    "null": ("null", None, "expected a JSON object"),
    "no id": (f'{{"{COLUMN}": "{PRIVATE}"}}', None, NO_ID),
    "an id that is a number": (f'{{"id": 5, "{COLUMN}": "a"}}', None, "id: expected text: write the number in quotes"),
    "no such field": (
        f'{{"id": "{IDS[5]}", "buyerInformation": {{"mail": "{PRIVATE}"}}}}', IDS[5], "buyerInformation.mail: no such field"
    ),
    "what only the service writes": (
        f'{{"id": "{IDS[5]}", "metadata": {{"creator": "{PRIVATE}"}}}}', IDS[5], "metadata: only the service writes this"
    ),
    "a wrong type": (f'{{"id": "{IDS[5]}", "{COLUMN}": ["{PRIVATE}"]}}', IDS[5], f"{COLUMN}: expected text or null, not"),
    "half a character": (f'{{"id": "{IDS[5]}", "{COLUMN}": "\\ud800"}}', IDS[5], f"{COLUMN}: cannot be written as JSON"),
    "a path within text": (
        f'{{"id": "{IDS[5]}", "{COLUMN}.x": 1}}', IDS[5], f"{COLUMN}: expected text or null, not an object"
    ),
    "a field twice": (
        f'{{"id": "{IDS[5]}", "{COLUMN}": "{PRIVATE}", "buyerInformation": {{}}}}', IDS[5], "buyerInformation: is given twice"
    ),
    "a field within itself": (
        f'{{"id": "{IDS[5]}", "buyerInformation": null, "{COLUMN}": "{PRIVATE}"}}', IDS[5], f"{COLUMN}: is given twice"
    ),
}  # fmt: skip
GOOD_CELLS = [f"{IDS[0]},{LAST},", f'{IDS[1]},"{LAST}",', f"{IDS[2]},{LAST},"]
GOOD_JSON = [f'{{"id": "{customer_id}", "{COLUMN}": "{LAST}"}}' for customer_id in IDS[:3]]
BAD_LINES = {
    **{f"CSV: {name}": ("a.csv", HEADER, GOOD_CELLS, *row) for name, row in BAD_CELLS.items()},
    **{f"JSON: {name}": ("a.jsonl", "", GOOD_JSON, *row) for name, row in BAD_JSON.items()},
}


@pytest.mark.parametrize("row", BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line(fleet: WatchedSandbox, job: Job, row: tuple[str, str, list[str], str, str | None, str]) -> None:
    """It has an outcome with its number and the path, it is said, and all the other lines are done, again and again."""
    name, header, good, line, customer_id, problem = row
    job.write("\n".join([header, good[0], line, *good[1:], ""]), name)
    for _ in range(2):
        assert job.run() == 1
        assert f"line 3: {problem}" in job.err
        assert job.out.startswith("4 customers: ")
        assert f"to mend in the file:\n  1 x {problem}" in job.out
        assert Counter(sent(fleet)) == Counter(IDS[:3])
        assert [fleet[each]["buyerInformation"]["email"] for each in IDS[:3]] == [LAST] * 3
        assert len(job.outcomes()) == 4
        [invalid] = [outcome for outcome in job.outcomes() if outcome["status"] == "invalid"]
        assert (invalid["id"], invalid["line"]) == (customer_id, 3)
        assert invalid["message"].startswith(problem)
        assert (invalid["final"], invalid["may_have_been_applied"]) == (True, False)


QUOTES: dict[str, tuple[list[str], str, list[str]]] = {
    "two strays": (
        [f'{IDS[0]},"{LAST}', f"{IDS[1]},{LAST}", f'{IDS[2]},"{LAST}', f"{IDS[3]},{LAST}"], "(lines 2 to 4)\n", IDS[3:4]
    ),
    "a cell that swallows lines": (
        [f'{IDS[0]},"{LAST}', f"{IDS[1]},{LAST}", f'{IDS[2]},{LAST}"', f"{IDS[3]},{LAST}"], f"{COLUMN}: it seems", IDS[3:4]
    ),
    "two strays at the ends": (
        [f'{IDS[0]},{LAST}"', f'{IDS[1]},{LAST}"', f"{IDS[2]},{LAST}"], "(lines 2 to 3)\n", IDS[2:3]
    ),
    "one stray": ([f'{IDS[0]},"{LAST}', f"{IDS[1]},{LAST}", f"{IDS[2]},{LAST}"], "not CSV", IDS[1:3]),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "problem", "done"), QUOTES.values(), ids=QUOTES)
def test_quotes_that_swallow_lines(
    fleet: WatchedSandbox, job: Job, lines: list[str], problem: str, done: list[str]
) -> None:
    """What is between them is refused with its lines, and never a value."""
    job.write("\n".join([f"id,{COLUMN}", *lines, ""]))
    assert job.run() == 1
    assert problem in job.err
    assert sorted(sent(fleet)) == done


def test_a_line_with_the_id_of_another_one(fleet: WatchedSandbox, job: Job) -> None:
    """With other values both are refused, each with the number of the other; what repeats a line does not count."""
    different = [f"{'aB' * 16},{PRIVATE}", f"{IDS[0]},{LAST}", f"{'Ab' * 16},{LAST}", f"{IDS[0]},{LAST}"]
    job.write("\n".join([f"id,{COLUMN}", *different, ""]))
    assert job.run() == 1
    assert {each["line"]: each["message"] for each in job.outcomes()} == {
        2: "line 4 has the same id, with other values",
        4: "the same id as line 2, with other values",
        3: None,
    }
    assert sent(fleet) == IDS[:1]


def test_a_line_that_is_corrected(fleet: WatchedSandbox, job: Job) -> None:
    """It is done the next time, with the outcomes in a new file beside the old one."""
    job.write(f'{{"id": "{IDS[0]}", "{COLUMN}": 5}}', "customers.jsonl")
    assert job.run() == 1
    job.write(f'{{"id": "{IDS[0]}", "{COLUMN}": "{LAST}"}}', "customers.jsonl")
    assert job.run() == 0
    assert job.statuses() == {IDS[0]: "updated"}
    [old] = job.folder.glob("customers.jsonl.outcomes.2*.jsonl")
    assert '"invalid"' in old.read_text()


# Files that are wrong

LEAVE_OUT = "Leave out what is no field: --ignore NAME, once for each column"
BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "no header": ("a.csv", f"{IDS[0]},{PRIVATE}\n".encode(), "line 1: no column id; it should have the names of the columns"),
    "semicolons": ("a.csv", f"id;{COLUMN}\n{IDS[0]};{PRIVATE}\n".encode(), "no column id; is it --delimiter ';'?"),
    "tabs, in quotes": ("a.csv", f'"{COLUMN}"\t"id"\r\n'.encode(), r"no column id; is it --delimiter '\t'?"),
    "a header that is not CSV": ("a.csv", b'id,"' + COLUMN.encode() + b"\n", "not CSV: unexpected end of data"),
    "empty": ("a.csv", b"", "no column id"),
    "unknown columns": (
        "a.csv", b"id,name,buyerInformation.mail,x\n", f"name: no such field; buyerInformation.mail: no such field, did you mean email?; x: no such field. {LEAVE_OUT}"
    ),
    "another case": ("a.csv", b"id,buyerinformation.email\n", "did you mean buyerInformation?"),
    "what only the service writes": ("a.csv", b"id,metadata.creator\n", "metadata: only the service writes this"),
    "a column within a list": ("a.csv", f"id,{LIST}.name\n".encode(), f"{LIST}: it has no fields of its own"),
    "a column within text": ("a.csv", f"id,{COLUMN}.x\n".encode(), f"{COLUMN}: it has no fields of its own"),
    "a column without a name": ("a.csv", f"id,{COLUMN},\n".encode(), "a column without a name"),
    "a column twice": ("a.csv", f"id,{COLUMN},{COLUMN}\n".encode(), f"{COLUMN}: is given twice"),
    "id twice": ("a.csv", f"id,{COLUMN},id\n".encode(), "id: is given twice"),
    "columns that overlap": ("a.csv", f"id,{COLUMN},buyerInformation\n".encode(), "buyerInformation: is given twice"),
    "no field": ("a.csv", f"id\n{IDS[0]}\n".encode(), "line 1: no column but id, so there is nothing to update"),
    "Latin-1": ("a.csv", f"{CSV}{IDS[1]},é\n".encode("latin-1"), "line 3: not UTF-8"),
    "UTF-16": ("a.csv", CSV.replace("\n", "\r\n").encode("utf-16"), "line 1: not UTF-8"),
    "JSON in Latin-1": ("a.jsonl", f'{{"id": "é{PRIVATE}"}}'.encode("latin-1"), "line 1: not UTF-8"),
    "CR": ("a.csv", CSV.replace("\n", "\r").encode(), "line 1: lines end in CR alone"),
    "two marks": ("a.csv", f"\ufeff\ufeff{CSV}".encode(), "line 1: two byte order marks"),
    "an array": ("a.jsonl", f"[{JSON.strip()}]".encode(), "line 1: a JSON array; expected an object in each line"),
    "a long line": ("a.csv", CSV.encode() + b"x" * 2**20, "line 3: it has 1048576 bytes or more"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "problem"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file(fleet: WatchedSandbox, job: Job, name: str, content: bytes, problem: str) -> None:
    """It is refused with one line that says where and what, before anything is sent or written."""
    job.write(content, name)
    assert job.run() == 2
    assert (job.out, job.err.count("\n")) == ("", 1)
    assert f"{name}: " in job.err
    assert problem in job.err
    assert fleet.received == []
    assert not job.outcomes_file.exists()


def test_files_that_cannot_be_used(fleet: WatchedSandbox, job: Job) -> None:
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
    assert fleet.received == []


OPTIONS: dict[str, tuple[list[str], str]] = {
    "no customers at a time": (["--concurrency", "0"], "--concurrency: expected a whole number of 1 or more"),
    "no request in a second": (["--per-second", "0"], "--per-second: expected a number above 0"),
    "no failures": (["--max-failures", "0"], "--max-failures: expected a whole number of 1 or more"),
    "a profile": (["--profile-id", "x"], "--profile-id: expected 36 characters"),
    "a file that is not named by its suffix": ([], "say by --format whether it is csv or jsonl"),
    "FILE as the outcomes": (
        ["--format=csv", "--outcomes", "link"],
        "FILE, --outcomes and --failed have to be different",
    ),
    "FILE as the failed": (["--format=csv", "--failed", "link"], "FILE, --outcomes and --failed have to be different"),
}


@pytest.mark.parametrize(("options", "problem"), OPTIONS.values(), ids=OPTIONS)
def test_wrong_options(
    fleet: WatchedSandbox, job: Job, options: list[str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are refused by name, before anything is sent or written."""
    monkeypatch.chdir(job.folder)
    job.write(CSV, "a.csv" if options and not options[0].startswith("--format") else "a")
    (job.folder / "link").symlink_to(job.file)
    assert job.run(*options) == 2
    assert problem in job.err
    assert (fleet.received, job.file.read_text()) == ([], CSV)


UNREADABLE_OPTIONS = [
    "--concurrency=0.5",
    "--per-second=x",
    "--fast",
    "--format=xml",
    "--delimiter=ab",
    '--delimiter="',
]


@pytest.mark.parametrize("option", UNREADABLE_OPTIONS)
def test_options_that_cannot_be_read(job: Job, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They are refused by name, with the usage."""
    with pytest.raises(SystemExit) as stopped:
        job.run(option)
    assert stopped.value.code == 2
    assert option.partition("=")[0] in capsys.readouterr().err.splitlines()[-1]


def test_missing_variables(job: Job) -> None:
    """They are named, and nothing is written."""
    job.write_emails(IDS)
    assert job.run() == 2
    assert "CYBERSOURCE_MERCHANT_ID" in job.err
    assert job.err.count("\n") == 1
    assert not job.outcomes_file.exists()


# Outcomes

REASONS = json.dumps(
    {
        "errors": [
            {
                "type": "invalidFields",
                "message": PRIVATE,
                "details": [{"name": "email", "location": "/buyerInformation/email"}],
            }
        ]
    }
).encode()
EXPECTED: dict[str, tuple[Fault, str, bool, str | None, bool | None]] = {
    "updated": (Fault(), "updated", True, None, None),
    "refused": (Fault(status=400, body=REASONS), "failed", True, "BadRequest", False),
    "not found": (Fault(status=404), "failed", True, "NotFound", False),
    "deleted": (Fault(status=410), "failed", True, "TokenDeleted", False),
    "no profile": (Fault(status=424), "failed", False, "ProfileNotFound", False),
    "another status": (Fault(status=409), "failed", False, "StatusError", False),
    "the service fails": (Fault(status=501), "failed", False, "ServiceError", False),
    "unreadable": (Fault(status=200, body=PRIVATE.encode()), "failed", False, "UnreadableResponse", False),
}


@pytest.mark.parametrize("row", EXPECTED.values(), ids=EXPECTED)
def test_an_outcome(fleet: WatchedSandbox, job: Job, row: tuple[Fault, str, bool, str | None, bool | None]) -> None:
    """It says what became of a customer, and the next run repeats only what is not final."""
    fault, status, final, error, applied = row
    job.write_emails(IDS[:1])
    fleet.fail(fault)
    assert job.run() == (0 if not error else 1 if final else 75)
    [outcome] = job.outcomes()
    assert [*outcome] == [
        *("id", "line", "status", "final", "sent", "error", "message", "refused", "correlation_id"),
        *("may_have_been_applied", "time"),
    ]
    assert (outcome["id"], outcome["line"], outcome["status"], outcome["final"]) == (IDS[0], 2, status, final)
    assert (outcome["error"], outcome["may_have_been_applied"]) == (error, applied)
    assert re.fullmatch("[0-9a-f-]{36}", outcome["correlation_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", outcome["time"])
    assert outcome["sent"] == ([] if error else [COLUMN])
    assert outcome["refused"] == ([COLUMN] if error == "BadRequest" else [])
    assert bool(outcome["message"]) == bool(error)
    assert (f"line 2: {outcome['message']}\n" in job.err) == bool(error)
    assert ("run the same command again" in job.out) == (not final)
    received = len(fleet.received)
    assert job.run() == (1 if error and final else 0)
    assert (len(fleet.received) == received) == final
    said = f"1 by earlier runs ({status} 1); now: none" if final else "updated 1"
    assert job.out.startswith(f"1 customers: {said}\n")


def test_an_update_that_may_have_been_applied(fleet: WatchedSandbox, job: Job) -> None:
    """Its outcome says so, and the next run finds out."""
    job.write_emails(IDS[:1])
    fleet.fail(Fault(), Fault(status=501, applied=True))
    assert job.run() == 75
    assert [outcome["may_have_been_applied"] for outcome in job.outcomes()] == [True]
    assert job.run() == 0
    assert job.statuses() == {IDS[0]: "unchanged"}
    assert len(bodies(fleet)) == 1


def test_the_report(fleet: WatchedSandbox, job: Job) -> None:
    """It has the failures by reason, the fields, the first lines of each, and what to do; so has that of a next run."""
    gone = [f"gone{number}" for number in range(7)]
    job.write("\n".join([f"id,{COLUMN}", *(f"{each},a" for each in gone), f"{IDS[0]},{'x' * 300}", f"{IDS[1]},b\n"]))
    for earlier in ("", "9 by earlier runs (failed 7, invalid 1, updated 1); now: none"):
        assert job.run("--concurrency", "1", "--failed", str(job.folder / "failed.csv")) == 1
        assert job.out.splitlines() == [
            f"9 customers: {earlier or 'failed 7, invalid 1, updated 1'}",
            "to mend in the file:",
            "  7 x 404 notFound: no customer has this token id",
            "      lines 2, 3, 4, 5, 6, ...",
            f"  1 x {COLUMN}: at most 255 characters, it has 300",
            "      line 9",
            f"outcomes are in {job.outcomes_file}",
        ]
        assert (job.folder / "failed.csv").read_text() == "".join(job.file.read_text().splitlines(keepends=True)[:-1])


def test_many_reasons(fleet: WatchedSandbox, job: Job) -> None:
    """They are told apart up to a number."""
    names = ["".join(chr(97 + int(digit)) for digit in str(number)) for number in range(150)]
    job.write("".join(f'{{"id": "{name}", "{name}": 1}}\n' for name in names), "a.jsonl")
    assert job.run() == 1
    assert "  50 x other reasons, which are in the file of outcomes\n" in job.out
    assert job.err.count("\n") < 110


def test_the_failed_lines(fleet: WatchedSandbox, job: Job) -> None:
    """They are written in the form of the file, mark, delimiter, line ends and quotes included; mended, they run."""
    bad = f'"{"y" * 40}";"a\nb"\r\n'
    job.write(f"\ufeffid;{COLUMN}\r\n{IDS[0]};{LAST}\r\n{bad}{IDS[1]};{LAST}".encode())
    failed = job.folder / "failed.csv"
    assert job.run("--delimiter", ";", "--failed", str(failed)) == 1
    assert failed.read_bytes() == f"\ufeffid;{COLUMN}\r\n{bad}".encode()
    failed.write_text(failed.read_text(encoding="utf-8").replace("y" * 40, IDS[2]), encoding="utf-8")
    assert job.run("--delimiter", ";", customers=failed) == 0
    job.write(JSON + "{}\n", "a.jsonl")
    assert job.run("--failed", str(failed)) == 1
    assert failed.read_text() == "{}\n"
    assert job.run("--failed", str(job.folder / "none" / "a")) == 2
    assert "none/a: No such file or directory" in job.err


def test_what_is_in_line_is_not_sent(fleet: WatchedSandbox, job: Job) -> None:
    """A customer that is as wanted is only read."""
    job.write_emails(IDS[:1], f"{PRIVATE} 2")
    assert job.run() == 0
    assert job.statuses() == {IDS[0]: "unchanged"}
    assert (bodies(fleet), sent(fleet, "GET")) == ([], IDS[:1])


# What concerns one customer, and what concerns all


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_are_refused(fleet: WatchedSandbox, job: Job, status: int) -> None:
    """They end the job with one line for all that are in flight; the next run does all that is left."""
    job.write_emails(IDS)
    fleet.watch = lambda number: number == 3 and setattr(fleet, "fault", Fault(status=status))
    assert job.run("--concurrency", "1") == 75
    assert job.statuses() == {IDS[0]: "updated"}
    assert job.out.startswith("12 customers: updated 1, not reached 11\n")
    fleet.watch = lambda number: time.sleep(0.2)  # until all are in flight
    assert job.run() == 75
    assert f"stopped: {status}" in job.err
    assert (job.err + job.out).count(str(status)) == 1
    fleet.fault = None
    assert job.run() == 0
    assert job.out.startswith("12 customers: 1 by earlier runs (updated 1); now: updated 11\n")


@pytest.mark.parametrize("status", [400, 403, 404, 503])
def test_a_gateway_that_refuses_one_customer(fleet: WatchedSandbox, job: Job, status: int) -> None:
    """That customer's outcome is not final, and the others go on."""
    fleet.gateway = {IDS[3]: status}
    job.write_emails(IDS)
    assert job.run("--concurrency", "2") == 75
    assert Counter(job.statuses().values()) == {"updated": 11, "failed": 1}
    fleet.gateway = {}
    assert job.run() == 0
    assert job.statuses() == dict.fromkeys(IDS, "updated")


@pytest.mark.parametrize("status", [400, 403, 404, 501])
def test_a_gateway_that_refuses_all(fleet: WatchedSandbox, job: Job, status: int) -> None:
    """The job ends after so many in a row, and the next run does all of them."""
    fleet.gateway = dict.fromkeys(IDS, status)
    job.write_emails(IDS)
    assert job.run("--concurrency", "1", "--max-failures", "3") == 75
    assert len(fleet.received) == 3
    assert "12 customers: failed 3, not reached 9\nnot final:\n  3 x " in job.out
    fleet.gateway = {}
    assert job.run() == 0


# Which outcomes count


def emails(sandbox: Sandbox) -> set[str]:
    """Return the addresses that the customers have."""
    return {sandbox[each]["buyerInformation"]["email"] for each in IDS}


def test_new_values_in_the_same_file(fleet: WatchedSandbox, job: Job) -> None:
    """An outcome counts only for the file that it is of: all customers get what the file holds now."""
    for email in (f"{PRIVATE} a", f"{PRIVATE} b", f"{PRIVATE} a"):
        job.write_emails(IDS, email)
        assert job.run() == 0
        assert job.out.startswith("12 customers: updated 12\n")
        assert emails(fleet) == {email}
    received = len(fleet.received)
    assert job.run() == 0
    assert len(fleet.received) == received


OTHERS: dict[str, tuple[list[str], dict[str, str]]] = {
    "another environment": ([], {"CYBERSOURCE_ENVIRONMENT": "test-saudi-arabia"}),
    "another address": ([], {"CYBERSOURCE_BASE_URL": "http://localhost:1/"}),
    "another merchant": ([], {"CYBERSOURCE_MERCHANT_ID": "other"}),
    "another portfolio": ([], {"CYBERSOURCE_PORTFOLIO_ID": "other"}),
    "another profile": (["--profile-id", "0" * 36], {}),
    "another format": (["--format", "jsonl"], {}),
    "other columns": (["--ignore", "x"], {}),
    "another time": ([], {}),
}


@pytest.mark.parametrize(("options", "variables"), OTHERS.values(), ids=OTHERS)
def test_something_else_than_in_the_earlier_run(
    fleet: WatchedSandbox, job: Job, options: list[str], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done there is not done here: the old outcomes are moved aside, and no line of them is lost."""
    job.write_emails(IDS)
    assert job.run() == 0
    before = job.outcomes_file.read_bytes()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if not options and not variables:
        os.utime(job.file)
    job.run(*options, "--max-failures", "1")
    assert "by earlier runs" not in job.out
    [old] = job.folder.glob("customers.csv.outcomes.2*.jsonl")
    assert old.read_bytes() == before


@pytest.mark.parametrize("left", [1, 7, 20, 100, -1], ids=lambda left: f"{left} characters")
def test_a_torn_last_line(fleet: WatchedSandbox, job: Job, left: int) -> None:
    """It is as if it were not there: its customer is read again, and has one outcome in the end."""
    job.write_emails(IDS)
    assert job.run() == 0
    whole = job.outcomes_file.read_bytes().splitlines(keepends=True)
    job.outcomes_file.write_bytes(b"".join(whole[:6]) + whole[6][:left])
    received = len(fleet.received)
    assert job.run() == 0
    assert job.outcomes_file.read_bytes().startswith(b"".join(whole[:6]))
    assert sorted(outcome["id"] for outcome in job.outcomes()) == IDS
    assert len(fleet.received) == received + 7
    assert sorted(sent(fleet)) == IDS


ABOUT = b'{"cybersource-tms update": []}\n'
FOREIGN: dict[str, tuple[bytes, int]] = {
    "another file": (b"notes\n", 1),
    "without a line end": (b"notes", 1),
    "other JSON Lines": (b'{"id": "1"}\n{"id": "2"}\n', 1),
    "one line of other JSON Lines": (b'{"id": "1"}', 1),
    "a list": (b"[]\n", 1),
    "text": (b'"cybersource-tms update"\n', 1),
    "nested too deep": (DEEP.encode() + b"\n", 1),
    "a torn first line": (ABOUT[:-1], 1),
    "other lines after ours": (b'{"id": "1"}\n', 2),
    "another status": (b'{"id": "1", "line": 2, "status": "done"}\n', 2),
    "a status of another type": (b'{"id": "1", "line": 2, "status": []}\n', 2),
    "a line of another type": (b'{"id": "1", "line": "2", "status": "updated"}\n', 2),
    "no JSON after ours": (b"notes", 2),
}  # fmt: skip


@pytest.mark.parametrize(("content", "line"), FOREIGN.values(), ids=FOREIGN)
def test_a_file_that_holds_no_outcomes(fleet: WatchedSandbox, job: Job, content: bytes, line: int) -> None:
    """It is refused and left as it is."""
    job.write_emails(IDS)
    assert job.run() == 0
    job.outcomes_file.write_bytes(job.outcomes_file.read_bytes().splitlines(keepends=True)[0] * (line - 1) + content)
    before = job.outcomes_file.read_bytes()
    fleet.received.clear()
    assert job.run() == 2
    assert job.err.endswith(f"line {line} is no outcome of this command; name another file by --outcomes\n")
    assert (job.outcomes_file.read_bytes(), fleet.received) == (before, [])


@pytest.mark.parametrize("room", [0, 100])
def test_a_disk_that_is_full(fleet: WatchedSandbox, job: Job, room: int) -> None:
    """The command ends with one line that says so, and goes on when there is room."""
    job.write_emails(IDS)
    assert job.run() == 0
    size = job.outcomes_file.write_bytes(b"".join(job.outcomes_file.read_bytes().splitlines(keepends=True)[:2]))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, limits[1]))
    try:
        assert job.run("--concurrency", "2") == 75
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert job.err.splitlines()[-1].startswith(f"stopped: {job.outcomes_file}: ")
    assert job.run() == 0
    assert sorted(outcome["id"] for outcome in job.outcomes()) == IDS


def no_fcntl(patch: pytest.MonkeyPatch) -> None:
    """Be a system without such locks."""
    patch.setitem(sys.modules, "fcntl", None)


def no_lock(number: int) -> Callable[[pytest.MonkeyPatch], None]:
    """Return what lets the system refuse to lock."""

    def refuse(patch: pytest.MonkeyPatch) -> None:
        patch.setattr("fcntl.flock", lambda *_: (_ for _ in ()).throw(OSError(number, "refused")))

    return refuse


LOCKS = {"no fcntl": no_fcntl, "ENOLCK": no_lock(37), "ENOSYS": no_lock(38)}


@pytest.mark.parametrize("spoil", LOCKS.values(), ids=LOCKS)
def test_without_locks(
    fleet: WatchedSandbox, job: Job, spoil: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That protection is missed and said, and the job is done; nor does it need the digests that FIPS forbids."""
    monkeypatch.delattr("hashlib.scrypt", raising=False)
    spoil(monkeypatch)
    job.write_emails(IDS)
    assert job.run() == 0
    assert f"{job.outcomes_file}: cannot be locked here" in job.err


# Files that change


def export(file: Path) -> None:
    """Write other content in place, of which half a line is there."""
    file.write_text("".join([f"id,{COLUMN}\n", *(f"{each},{PRIVATE} new\n" for each in IDS)])[:-5])


CHANGES: dict[str, Callable[[Path], object]] = {
    "overwritten": export,
    "cut": lambda file: os.truncate(file, 100),
    "appended to": lambda file: file.write_text(file.read_text() + f"{IDS[11]},{PRIVATE} new\n"),
    "replaced": lambda file: (file.rename(f"{file}.old"), export(file)),
    "replaced by the same": lambda file: (
        file.rename(f"{file}.old"),
        file.write_bytes(Path(f"{file}.old").read_bytes()),
    ),
    "removed": lambda file: file.unlink(),
}


@pytest.mark.parametrize("moment", [2, 21], ids=["early", "late"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_changes_while_the_job_runs(
    fleet: WatchedSandbox, job: Job, change: Callable[[Path], object], moment: int
) -> None:
    """It is said, and nothing of the new content is sent under the old one, even while lines are torn."""
    job.write_emails(IDS[:11])
    fleet.watch = lambda number: number == moment and change(job.file)
    assert job.run("--concurrency", "1") == 75
    assert f"stopped: {job.file}: it has changed since this run began" in job.err
    assert all(body == {"buyerInformation": {"email": LAST}} for body in bodies(fleet))
    assert f"{PRIVATE} new" not in emails(fleet)
    assert len(bodies(fleet)) <= moment // 2 + 1


def test_a_file_that_changes_while_it_is_checked(
    fleet: WatchedSandbox, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is the cause that is said, and not what is wrong with its half."""
    job.write("\n".join([f"id,{COLUMN}", *(f"{each},{LAST}" * 500 for each in IDS)]))
    real = csv.reader

    def read(lines: io.StringIO, **options: Any) -> Any:
        if lines.getvalue().startswith("id"):
            job.file.write_bytes(job.file.read_bytes()[:-3000] + b"\xff" * 3000)
        return real(lines, **options)

    monkeypatch.setattr("csv.reader", read)
    assert job.run() == 75
    assert job.err == f"error: {job.file}: it has changed since this run began\n"
    assert fleet.received == []


PLACES: dict[str, Callable[[Path], object]] = {
    "removed": lambda file: file.unlink(),
    "replaced": lambda file: (file.unlink(), file.write_text("notes\n")),
    "emptied": lambda file: os.truncate(file, 0),
    "written to": lambda file: file.write_text(file.read_text() + "notes\n"),
}


@pytest.mark.parametrize("moment", [4, 24], ids=["early", "late"])
@pytest.mark.parametrize("change", PLACES.values(), ids=PLACES)
def test_outcomes_that_somebody_else_changes(
    fleet: WatchedSandbox, job: Job, change: Callable[[Path], object], moment: int
) -> None:
    """It is said, and nothing is written to what is there now."""
    job.write_emails(IDS)
    fleet.watch = lambda number: number == moment and change(job.outcomes_file)
    assert job.run("--concurrency", "1") == 75
    assert f"stopped: {job.outcomes_file}: it was removed or changed while this run wrote to it" in job.err
    assert len(fleet.received) <= moment + 2
    assert not job.outcomes_file.exists() or job.outcomes_file.read_text()[-6:] in {"notes\n", ""}


# Dry run


def test_a_dry_run(fleet: WatchedSandbox, job: Job) -> None:
    """It reads, prints the names of the fields that would change, and neither sends nor writes anything."""
    fleet.delete(IDS[2])
    long = f"{IDS[3]},{PRIVATE * 40},"
    job.write(f"id,{COLUMN},{CODE}\n{IDS[0]},{LAST},<null>\n{IDS[1]},{PRIVATE} 2,\n{IDS[2]},a,\n{long}\n?,a,\n")
    assert job.run("--dry-run", "--failed", str(job.folder / "failed")) == 1
    assert f"{IDS[0]}: {COLUMN}, {CODE}\n" in job.out
    [summary] = re.findall("5 customers: (.*)", job.out)
    assert sorted(summary.split(", ")) == ["failed 1", "invalid 2", "unchanged 1", "would change 1"]
    assert f"line 5: {COLUMN}: at most 255 characters, it has 280\n" in job.err
    assert bodies(fleet) == []
    assert not job.outcomes_file.exists()
    assert (job.folder / "failed").read_text().splitlines() == [f"id,{COLUMN},{CODE}", f"{IDS[2]},a,", long, "?,a,"]


def test_a_dry_run_after_a_run(fleet: WatchedSandbox, job: Job) -> None:
    """The outcomes do not matter to it: it reads all customers, and leaves the outcomes as they are."""
    job.write_emails(IDS)
    assert job.run() == 0
    before = job.outcomes_file.read_bytes()
    fleet.put(private_customer(IDS[3]))
    assert job.run("--dry-run", "--concurrency", "1") == 0
    assert job.out == f"{IDS[3]}: {COLUMN}\n12 customers: unchanged 11, would change 1\n"
    assert job.outcomes_file.read_bytes() == before


# Progress, streams and signals


def test_progress(fleet: WatchedSandbox, job: Job) -> None:
    """It is a line with what is done, the rate, the time left and the counts."""
    job.write_emails(IDS)
    assert job.run() == 0
    assert re.fullmatch(r"1 of 12, \d+\.\d/s, \d+:\d\d:\d\d left: updated 1\n", job.err)
    assert job.out == f"12 customers: updated 12\noutcomes are in {job.outcomes_file}\n"


def test_verbose(fleet: WatchedSandbox, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows retries with their times."""
    logger = logging.getLogger("cybersource_tms")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    job.write_emails(IDS[:1])
    fleet.fail(503)
    try:
        assert job.run("--verbose") == 0
    finally:
        logger.setLevel(logging.NOTSET)
    assert re.search(
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} attempt 1 failed, the next one is in 0", job.err, re.MULTILINE
    )


def test_nobody_reads_within_this_process(fleet: WatchedSandbox, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams that are missing, full or unread do not end the job, and its exit code says what became of it."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as unread, Path("/dev/full").open("w") as full:
        for number, stream in enumerate((None, unread, full)):
            job.write_emails([IDS[number]])
            with monkeypatch.context() as patch:
                patch.setattr(sys, "stdout", stream)
                patch.setattr(sys, "stderr", stream)
                assert job.run() == 0
            assert job.statuses() == {IDS[number]: "updated"}


def send_signal(fleet: WatchedSandbox, number: signal.Signals, requests: int) -> threading.Thread:
    """Send a signal to this process once there were so many requests."""

    def send() -> None:
        assert eventually(lambda: len(fleet.received) >= requests)
        time.sleep(0.1)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


WAITS: dict[str, tuple[list[Fault], list[str], int]] = {
    "for answers": ([Fault(delay=1)] * 2, ["--concurrency", "2"], 2),
    "for turns": ([], ["--per-second", "1"], 1),
    "for a pause": ([Fault(status=429, headers={"Retry-After": "5"})], ["--concurrency", "1"], 1),
    "for the last one": ([Fault(status=503)] * 12, ["--concurrency", "12"], 12),
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("row", WAITS.values(), ids=WAITS)
def test_a_signal(
    fleet: WatchedSandbox, job: Job, row: tuple[list[Fault], list[str], int], number: signal.Signals
) -> None:
    """What is in flight ends and has its outcome, what only waits is not sent, and the handlers are as before."""
    faults, options, requests = row
    job.write_emails(IDS)
    fleet.fail(*faults)
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    thread = send_signal(fleet, number, requests)
    started = time.monotonic()
    assert job.run(*options) == 128 + number
    assert time.monotonic() - started < 4
    thread.join()
    assert len(fleet.received) <= requests + 2
    assert Counter(sent(fleet)) == Counter(each for each, status in job.statuses().items() if status == "updated")
    assert "run the same command again" not in job.out
    assert before == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]


def test_a_signal_while_the_file_is_checked(fleet: WatchedSandbox, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends that, too."""
    job.write_emails([*IDS, *IDS[:1]])
    for moment in (5, 20):  # in the first look at all lines, and in the second one, at those that are repeated
        numbers = iter(range(moment))
        monkeypatch.setattr(
            "cybersource_tms._cli.lines.islice",
            lambda *given: (
                islice(*given) if next(numbers, None) else signal.raise_signal(signal.SIGTERM) or islice(*given)
            ),
        )
        assert job.run() == 143
    assert fleet.received == []


# As a process of its own


def start(*arguments: str, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start the command, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", "cybersource_tms", *arguments]
    return subprocess.Popen(command, stdout=stdout, stderr=stderr, text=True)


def test_a_name_that_the_output_cannot_hold(fleet: WatchedSandbox, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is printed with escapes."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    job.write(CSV, "f\xfcnf.csv")
    with start("update", str(job.file)) as process:
        out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert_nothing_private(out, err)
    assert "f\\xfcnf.csv.outcomes.jsonl" in out


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-", ">/dev/full", "2>/dev/full", "| true", "2>&1 | true"])
def test_streams_of_a_shell(fleet: WatchedSandbox, job: Job, streams: str) -> None:
    """None of them ends the job, adds to a file of it, or changes its exit code."""
    job.write_emails(IDS)
    command = f'set -o pipefail; {sys.executable} -W error -m cybersource_tms update "$0" {streams}'
    done = subprocess.run(["bash", "-c", command, job.file], capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0
    assert_nothing_private(done.stdout, done.stderr)
    assert "Exception" not in done.stderr
    assert job.statuses() == dict.fromkeys(IDS, "updated")


def test_help() -> None:
    """It says what the file holds, what is taken as it is, what is final, and the exit codes, for a terminal."""
    with start("update", "--help") as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert re.findall("--[a-z-]+", out)
    for said in ("<null>", "JSON Lines", "taken as they are", "final", "moved aside", "Exit code", "75"):
        assert said in out
    assert [line for line in out.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_while_an_answer_does_not_come(
    fleet: WatchedSandbox, job: Job, number: signal.Signals, times: int
) -> None:
    """The process ends within seconds, or at once with a second signal, and the job goes on the next time."""
    job.write_emails(IDS)
    fleet.fail(Fault(), Fault(), HANGS)
    with start("update", str(job.file), "--concurrency", "1") as process:
        assert eventually(lambda: len(fleet.received) == 3)
        process.send_signal(number)
        started = time.monotonic()
        assert process.stderr is not None
        assert any("stopping: " in line for line in process.stderr)
        assert process.poll() is None
        for _ in range(times - 1):
            process.send_signal(number)
        assert_nothing_private(*process.communicate(timeout=LIMIT))
    assert process.returncode == (128 + number if times == 1 else -number)
    assert time.monotonic() - started < (5 if times == 1 else 2)
    assert job.run() == 0
    assert sorted(outcome["id"] for outcome in job.outcomes()) == IDS


def test_a_signal_that_is_ignored(fleet: WatchedSandbox, job: Job) -> None:
    """As by nohup: the job goes on."""
    job.write_emails(IDS)
    fleet.watch = lambda number: number == 3 and process.send_signal(signal.SIGINT)
    command = f'trap "" INT; exec {sys.executable} -m cybersource_tms update "$0" --concurrency 1'
    with subprocess.Popen(["bash", "-c", command, job.file], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.communicate(timeout=LIMIT)
    assert process.returncode == 0


def test_a_second_run_at_the_same_time(fleet: WatchedSandbox, job: Job) -> None:
    """It is to be run again while the first one is at work, even if that is killed in the end. A dry run is not."""
    job.write_emails(IDS)
    fleet.fail(Fault(), Fault(), HANGS)
    with start("update", str(job.file), "--concurrency", "1") as process:
        assert eventually(lambda: len(fleet.received) == 3)
        before = job.outcomes_file.read_bytes()
        assert job.run() == 75
        assert (job.out, job.err.count("\n")) == ("", 1)
        assert f"{job.outcomes_file}: another run is writing to it" in job.err
        assert (len(fleet.received), job.outcomes_file.read_bytes()) == (3, before)
        assert job.run("--dry-run") == 0
        assert job.run("--outcomes", str(job.folder / "other.outcomes")) == 0
        process.kill()
    assert job.run() == 0
    assert sorted(outcome["id"] for outcome in job.outcomes()) == IDS


MANY = [f"{number:032x}" for number in range(1000)]


def test_a_job_that_is_killed(fleet: WatchedSandbox, job: Job) -> None:
    """Each start repeats at most `concurrency` customers, and each customer has one outcome in the end."""
    concurrency = 8
    for customer_id in MANY:
        fleet.put(private_customer(customer_id))
    job.write_emails(MANY)
    done: set[str] = set()
    for number in (100, 600, None):
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
    assert out.startswith("1000 customers: ")
    assert Counter(outcome["id"] for outcome in job.outcomes()) == Counter(MANY)
    assert {outcome["status"] for outcome in job.outcomes()} <= {"updated", "unchanged"}
    assert {fleet[each]["buyerInformation"]["email"] for each in MANY} == {LAST}


def count_lines(path: Path) -> int:
    """Return how many whole lines a file has."""
    return path.read_bytes().count(b"\n") if path.exists() else 0
