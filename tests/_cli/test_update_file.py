"""`cybersource-tms update FILE`: what FILE asks for, and what is wrong with it."""

import csv
import io
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support.merge import REMOVED, merge
from support.update_job import CODE, EMAIL, IDS, LAST, PRIVATE, Fleet, Job, private_customer

GROUP, LIST = "buyerInformation", "merchantDefinedInformation"
ID = IDS[0]

# What a line asks for

ENTRIES = [{"name": "data1", "value": f"{PRIVATE} a"}, {"name": "data2", "value": f"{PRIVATE}, b"}]
BREAKS = f'{PRIVATE},"x"\r\n"y"'
NAME = f"{GROUP}.merchantCustomerID"
CELLS: dict[str, tuple[dict[str, str], Any]] = {
    "text": ({EMAIL: LAST}, {GROUP: {"email": LAST}}),
    "blanks": ({EMAIL: f"  {LAST} "}, {GROUP: {"email": f"  {LAST} "}}),
    "two of a group": ({EMAIL: LAST, NAME: PRIVATE}, {GROUP: {"email": LAST, "merchantCustomerID": PRIVATE}}),
    "empty leaves alone": ({EMAIL: LAST, CODE: ""}, {GROUP: {"email": LAST}}),
    "a field is removed": ({EMAIL: "<null>"}, {GROUP: {"email": REMOVED}}),
    "a group is removed": ({GROUP: "<null>"}, {GROUP: REMOVED}),
    "a list is removed": ({LIST: "<null>"}, {LIST: REMOVED}),
    "a list": ({LIST: json.dumps(ENTRIES)}, {LIST: ENTRIES}),
    "a list over several lines": ({LIST: json.dumps(ENTRIES, indent=1)}, {LIST: ENTRIES}),
    "a group": ({GROUP: json.dumps({"email": LAST})}, {GROUP: {"email": LAST}}),
    "text that looks like JSON": ({EMAIL: f'["{PRIVATE}"]'}, {GROUP: {"email": f'["{PRIVATE}"]'}}),
    "text that looks like a number": ({CODE: "007"}, {"clientReferenceInformation": {"code": "007"}}),
    "commas, quotes and line breaks": ({EMAIL: BREAKS}, {GROUP: {"email": BREAKS}}),
    "not ASCII": ({EMAIL: f"{PRIVATE} é 😀"}, {GROUP: {"email": f"{PRIVATE} é 😀"}}),
}


@pytest.mark.parametrize(("cells", "patch"), CELLS.values(), ids=CELLS)
def test_csv(fleet: Fleet, job: Job, cells: dict[str, str], patch: Any) -> None:
    """Cells are what their columns can hold, and only what differs is sent."""
    text = io.StringIO()
    csv.writer(text).writerows([["id", *cells], [ID, *cells.values()]])
    job.write(text.getvalue())
    assert job.run() == 0
    assert fleet.bodies() == [patch]
    assert job.statuses() == {ID: "updated"}
    assert fleet[ID] == merge(private_customer(ID), patch)


JSON_LINES: dict[str, tuple[dict[str, Any], Any]] = {
    "objects": ({GROUP: {"email": LAST}}, {GROUP: {"email": LAST}}),
    "paths": ({EMAIL: LAST}, {GROUP: {"email": LAST}}),
    "both": ({GROUP: {"email": LAST}, NAME: PRIVATE}, {GROUP: {"email": LAST, "merchantCustomerID": PRIVATE}}),
    "null removes": ({EMAIL: None}, {GROUP: {"email": REMOVED}}),
    "empty text is a value": ({EMAIL: ""}, {GROUP: {"email": ""}}),
    "the word of CSV is text": ({EMAIL: "<null>"}, {GROUP: {"email": "<null>"}}),
    "a list": ({LIST: ENTRIES}, {LIST: ENTRIES}),
}


@pytest.mark.parametrize(("values", "patch"), JSON_LINES.values(), ids=JSON_LINES)
def test_json_lines(fleet: Fleet, job: Job, values: dict[str, Any], patch: Any) -> None:
    """Values are JSON, in objects or under paths."""
    job.write(json.dumps({"id": ID, **values}), "customers.NDJSON")
    assert job.run() == 0
    assert fleet.bodies() == [patch]


CSV = f"id,{EMAIL}\n{ID},{LAST}\n"
JSON = f'{{"id": "{ID}", "{EMAIL}": "{LAST}"}}\n'
TWICE = JSON + json.dumps({GROUP: {"email": LAST}, "id": ID})
OTHER_COLUMNS = f"country,id,{EMAIL},,country\nx,{ID},{LAST},y,z\n"
WAYS_TO_WRITE: dict[str, tuple[str, str, list[str]]] = {
    "Excel's mark": ("a.csv", f"\ufeff{CSV}".replace("\n", "\r\n"), []),
    "a mark before JSON": ("a.jsonl", f"\ufeff{JSON}", []),
    "no line break at the end": ("a.csv", CSV.strip(), []),
    "empty lines": ("a.csv", CSV.replace("\n", "\n\n,\n"), []),
    "empty lines of JSON": ("a.jsonl", f"\n{JSON}\n", []),
    "another order of columns": ("a.csv", f"{EMAIL},id\n{LAST},{ID}\n", []),
    "the same line twice": ("a.csv", f"{CSV}{ID},{LAST}\n", []),
    "the same customer twice": ("a.jsonl", TWICE, []),
    "lines that ask for nothing": ("a.csv", f"{CSV}{ID},\n{IDS[1]},\n", []),
    "semicolons": ("a.csv", CSV.replace(",", ";"), ["--delimiter", ";"]),
    "tabs": ("a.csv", CSV.replace(",", "\t"), ["--delimiter", r"\t"]),
    "columns that are no fields": ("a.csv", OTHER_COLUMNS, ["--ignore", "country", "--ignore", ""]),
    "names that are no fields": ("a.jsonl", JSON.replace("{", '{"x": {}, '), ["--ignore", "x", "--ignore", "id"]),
    "another suffix": ("a.txt", CSV, []),
}


@pytest.mark.parametrize(("name", "content", "options"), WAYS_TO_WRITE.values(), ids=WAYS_TO_WRITE)
def test_ways_to_write_a_file(fleet: Fleet, job: Job, name: str, content: str, options: list[str]) -> None:
    """They make no difference."""
    job.write(content, name)
    assert job.run(*options) == 0
    assert fleet.bodies() == [{GROUP: {"email": LAST}}]
    assert job.statuses() == {ID: "updated"}
    assert job.out.startswith("1 customers: 1 updated\n")


def test_ids_are_case_insensitive(fleet: Fleet, job: Job) -> None:
    """One customer is updated once, however its id is written."""
    fleet.add(private_customer("ab" * 16))
    job.write_emails(["ab" * 16, "AB" * 16])
    assert job.run() == 0
    assert len(job.outcomes()) == len(fleet.bodies()) == 1


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", f"id,{EMAIL}\n"), ("b.csv", f"id,{EMAIL}\n{ID},\n"), ("a.jsonl", "")]
)
def test_no_customers(fleet: Fleet, job: Job, name: str, content: str) -> None:
    """A file without a customer is said."""
    job.write(content, name)
    assert job.run() == 0
    assert f"{name}: there is no customer to update in it" in job.err


# Lines that are wrong

DEEP = "[" * 100_000
BAD = IDS[5]
NO_ID = "id: expected 1 to 32 characters of A-Z, a-z, 0-9, _ and -"
ROUNDED = "id: a spreadsheet has made a number of it; export the ids as text"
NO_LIST = f"{LIST}: expected a list or null, not text"
NOT_JSON, TEXT = "not JSON, or a name is there twice", f"{EMAIL}: expected text or null, not "
LONG, NINE = json.dumps([{"name": "data1", "value": "x" * 101}]), json.dumps([{"name": "data9", "value": "x"}])
BAD_CELLS: dict[str, tuple[list[str] | str, str | None, str]] = {
    "too few cells": (BAD, None, "it has 1 cells, and the first line 3"),
    "too many cells": ([BAD, PRIVATE, "", ""], None, "it has 4 cells, and the first line 3"),
    "no id": (["", PRIVATE, ""], None, NO_ID),
    "not an id": ([f"{PRIVATE}@", PRIVATE, ""], None, NO_ID),
    "rounded by Excel": (["1,23457E+18", PRIVATE, ""], None, ROUNDED),
    "rounded by pandas": (["1.23e+18", PRIVATE, ""], None, ROUNDED),
    "a number of pandas": (["12345.0", PRIVATE, ""], None, ROUNDED),
    "rounded without a sign": (["1.23457E18", PRIVATE, ""], None, ROUNDED),
    "a number in groups": (["1,234,567", PRIVATE, ""], None, ROUNDED),
    "a blank around the id": ([f"{BAD} ", PRIVATE, ""], None, "id: there is a blank around it"),
    "the names again": (["id", EMAIL, LIST], None, "it repeats the names of the columns"),
    "not a list": ([BAD, "", PRIVATE], BAD, NO_LIST),
    "nested too deep": ([BAD, "", DEEP], BAD, NO_LIST),
    "a name twice": ([BAD, "", '[{"name": "data1", "name": "data2"}]'], BAD, NO_LIST),
    "a long cell": ([BAD, "x" * 140_000, ""], BAD, f"{EMAIL}: at most 255 characters, it has 140000"),
    "a CR within": (f"{BAD},{PRIVATE}\r{PRIVATE},", None, "not CSV: check the quotes and the line ends"),
    "a quote within": (f'{BAD},"{PRIVATE}"x,', None, "not CSV: check the quotes"),
    "a quote that is not closed": (f'{BAD},"{PRIVATE},', None, "not CSV: check the quotes"),
    "quotes around a part": (f'{BAD},{PRIVATE} "x",', None, "not CSV: check the quotes"),
    "a quote at the end": (f'{BAD},{PRIVATE}",', None, "not CSV: check the quotes"),
    "too long": ([BAD, PRIVATE * 40, ""], BAD, f"{EMAIL}: at most 255 characters, it has 280"),
    "too long in a list": ([BAD, "", LONG], BAD, f"{LIST}[0].value: at most 100 characters, it has 101"),
    "not one of the names": ([BAD, "", NINE], BAD, f"{LIST}[0].name: "),
}
BAD_JSON: dict[str, tuple[str, str | None, str]] = {
    "not JSON": (f"{BAD},{PRIVATE}", None, NOT_JSON),
    "nested too deep": (DEEP, None, NOT_JSON),
    "a name twice": (f'{{"id": "{BAD}", "id": "{IDS[6]}"}}', None, NOT_JSON),
    "not an object": (f'["{PRIVATE}"]', None, "expected a JSON object"),
    "null": ("null", None, "expected a JSON object"),
    "no id": (json.dumps({EMAIL: PRIVATE}), None, NO_ID),
    "an id that is a truth": (json.dumps({"id": True}), None, NO_ID),
    "an id that is a number": (json.dumps({"id": 5}), None, "id: expected text: write the number in quotes"),
    "no such field": (json.dumps({"id": BAD, GROUP: {"mail": PRIVATE}}), BAD, f"{GROUP}.mail: no such field"),
    "a wrong type": (json.dumps({"id": BAD, EMAIL: [PRIVATE]}), BAD, f"{TEXT}a list"),
    "half a character": (json.dumps({"id": BAD, EMAIL: "\ud800"}), BAD, f"{EMAIL}: cannot be written as JSON"),
    "a path within text": (json.dumps({"id": BAD, f"{EMAIL}.x": 1}), BAD, f"{TEXT}an object"),
    "a field twice": (json.dumps({"id": BAD, EMAIL: PRIVATE, GROUP: {}}), BAD, f"{GROUP}: is given twice"),
    "a field within itself": (json.dumps({"id": BAD, GROUP: None, EMAIL: PRIVATE}), BAD, f"{EMAIL}: is given twice"),
}
GOOD_CELLS = [f"{each},{LAST}," for each in IDS[:3]]
GOOD_JSON = [json.dumps({"id": each, EMAIL: LAST}) for each in IDS[:3]]
BAD_LINES: dict[str, tuple[str, list[str], list[str] | str, str | None, str]] = {
    **{f"CSV: {name}": ("a.csv", [f"id,{EMAIL},{LIST}", *GOOD_CELLS], *row) for name, row in BAD_CELLS.items()},
    **{f"JSON: {name}": ("a.jsonl", ["", *GOOD_JSON], *row) for name, row in BAD_JSON.items()},
}


@pytest.mark.parametrize("row", BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line(fleet: Fleet, job: Job, row: tuple[str, list[str], list[str] | str, str | None, str]) -> None:
    """It has an outcome with its number and the path, and is said; all the other lines are done. So the next time."""
    name, good, line, customer_id, problem = row
    if not isinstance(line, str):
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(line)
        line = text.getvalue()
    job.write("\n".join([*good[:2], line, *good[2:], ""]), name)
    for earlier in ("", ", from an earlier run"):
        assert job.run() == 1
        assert (f"line 3: {problem}" in job.err) is not bool(earlier)
        assert job.out.startswith("4 customers: ")
        assert f"to mend in the file{earlier}:\n  1 x {problem}" in job.out
        assert Counter(fleet.sent()) == Counter(IDS[:3])
        assert fleet.emails(IDS[:3]) == {LAST}
        assert len(job.outcomes()) == 4
        [invalid] = [outcome for outcome in job.outcomes() if outcome["status"] == "invalid"]
        assert (invalid["id"], invalid["line"], invalid["final"]) == (customer_id, 3, True)
        assert (invalid["message"][: len(problem)], invalid["may_have_been_applied"]) == (problem, False)


@pytest.mark.parametrize("column", [EMAIL, GROUP, LIST])
def test_one_word_removes(fleet: Fleet, job: Job, column: str) -> None:
    """What looks like it is refused, and is no text."""
    words = ["<null>", " ", " <null> ", '"null "', r"\N ", "\uff4eull", r"\N"]
    words += ["null", "NULL", "<NULL>", "(null)", "_null_", "&lt;null&gt;", "nil", "None", "nan", "N/A", "undefined"]
    words += ["(leer)", "-", "--", "#N/A", "#NV", "#REF!", "#DIV/0!", "#BEZUG!"]
    ids = [ID, *(f"{number:08}" for number in range(25))]
    job.write("\n".join([f"id,{column}", *(f"{each},{word}" for each, word in zip(ids, words, strict=True))]))
    assert job.run() == 1
    assert fleet.sent() == [ID]
    assert f"  25 x {column}: to leave the field alone, leave the cell empty; to remove it, write <null>; " in job.out


def test_a_number_sign_is_text(fleet: Fleet, job: Job) -> None:
    """It is no error of Excel's by itself."""
    job.write(f"id,{EMAIL}\n{ID},#4711\n")
    assert (job.run(), fleet.emails([ID])) == (0, {"#4711"})


QUOTES: dict[str, tuple[list[str], str, list[str]]] = {
    "two strays": ([f'{ID},"{LAST}', f"{IDS[1]},{LAST}", f'{IDS[2]},"{LAST}'], "(lines 2 to 4)\n", []),
    "a cell that swallows lines": ([f'{ID},"{LAST}', f'{IDS[1]},{LAST}"'], f"{EMAIL}: it seems to hold lines", []),
    "two strays at the ends": ([f'{ID},{LAST}"', f'{IDS[1]},{LAST}"'], "(lines 2 to 3)\n", []),
    "one stray in very many": ([f'{ID},"{LAST}', *["1,"] * 1000, f'{IDS[1]},"{LAST}"'], "not CSV", IDS[1:2]),
    "one stray": ([f'{ID},"{LAST}', f"{IDS[1]},{LAST}"], "not CSV", IDS[1:2]),
}


@pytest.mark.parametrize(("lines", "problem", "done"), QUOTES.values(), ids=QUOTES)
def test_quotes_that_swallow_lines(fleet: Fleet, job: Job, lines: list[str], problem: str, done: list[str]) -> None:
    """What is between them is refused with its lines, and never a value; a stray one spoils no other line."""
    job.write("\n".join([f"id,{EMAIL}", *lines, f"{IDS[3]},{LAST}", ""]))
    assert job.run() == 1
    assert "line 2: " in job.err
    assert problem in job.err
    assert sorted(fleet.sent()) == [*done, IDS[3]]


def test_a_line_with_the_id_of_another_one(fleet: Fleet, job: Job) -> None:
    """With other values, one outcome refuses both, also the next time; what repeats a line does not count."""
    rows = {"aB" * 16: PRIVATE, ID: LAST, "Ab" * 16: LAST, IDS[1]: LAST}
    lines = [f"id,{EMAIL}", *map(",".join, rows.items()), f"{ID},{LAST}", f"{IDS[2]},a", f"{IDS[2]},b"]
    same = "the same id as line {}, with other values"
    job.write("\n".join(lines))
    for _ in range(2):
        assert job.run("--failed", str(job.folder / "failed.csv")) == 1
        assert job.out.startswith("4 customers: ")
        messages = {each["line"]: each["message"] for each in job.outcomes()}
        assert messages == {2: same.format(4), 3: None, 5: None, 7: same.format(8)}
        assert f"  4 x {same.format('N')}\n      lines 2, 4, 7, 8\n" in job.out
        assert sorted(fleet.sent()) == IDS[:2]
        assert (job.folder / "failed.csv").read_text().splitlines() == [*lines[:2], lines[3], *lines[6:]]


# Files that are wrong

LEAVE_OUT = "; leave out what is no field: --ignore NAME, once for each column\n"
UNKNOWN = f"zzqx: no such field; {GROUP}.mail: no such field, did you mean email?; x: no such field{LEAVE_OUT}"
EXPORT = (
    "line 1: is it --delimiter ';'?; no column id; rename Token, if it has the token ids; "
    f"Kundenname: no such field; Email: no such field, did you mean {EMAIL}?{LEAVE_OUT}"
)
NO_HEADER = "line 1: no column id; the first line has to have the names of the columns\n"
VALUE = "line 1: a cell looks like a value; the first line has to have the names of the columns\n"
BAD_FILES: dict[str, tuple[str, str | bytes, str]] = {
    "no header": ("a.csv", f"{ID},{PRIVATE}\n", NO_HEADER),
    "semicolons": ("a.csv", f"id;{EMAIL}\n{ID};{PRIVATE}\n", "line 1: is it --delimiter ';'?\n"),
    "tabs, in quotes": ("a.csv", f'"{EMAIL}"\t"id"\r\n', "line 1: is it --delimiter '\\t'?\n"),
    "an export": ("a.csv", f"Token;Kundenname;Email\n{ID};{PRIVATE};{PRIVATE}\n", EXPORT),
    "ID": ("a.csv", f"{EMAIL},ID\n{PRIVATE},{ID}\n", "line 1: no column id; rename ID, if it has the token ids\n"),
    "a token beside the id": ("a.csv", f"ID,Token,id,{EMAIL}\n", "line 1: ID: no such field"),
    "a header that is not CSV": ("a.csv", f'id,"{EMAIL}\n', "not CSV: check the quotes"),
    "empty": ("a.csv", "", NO_HEADER),
    "unknown columns": ("a.csv", f"id,zzqx,{GROUP}.mail,x\n", f"line 1: {UNKNOWN}"),
    "another case": ("a.csv", "id,buyerinformation.email\n", "line 1: buyerinformation.email: no such field, did you"),
    "what only the service writes": ("a.csv", "id,metadata.creator\n", "line 1: metadata.creator: only the service"),
    "a column within a list": ("a.csv", f"id,{LIST}.name\n", f"line 1: {LIST}.name: it has no fields of its own"),
    "a column within text": ("a.csv", f"id,{EMAIL}.x\n", f"line 1: {EMAIL}.x: it has no fields of its own"),
    "a column without a name": ("a.csv", f"id,{EMAIL},\n", "line 1: a column without a name (--ignore '')"),
    "a customer who lives in Idaho": ("a.csv", f"{ID},{PRIVATE},ID\n", VALUE),
    "an address before an ID": ("a.csv", "Roe,roe@example.com,ID\n", VALUE),
    "ends of lines that are none": ("a.csv", f"id,{EMAIL}\u2028{ID},{PRIVATE}\u2028", "line 1: lines do not end in LF"),
    "a column twice": ("a.csv", f"id,{EMAIL},{EMAIL}\n", f"{EMAIL}: is given twice"),
    "id twice": ("a.csv", f"id,{EMAIL},id\n", "id: is given twice"),
    "columns that overlap": ("a.csv", f"id,{EMAIL},{GROUP}\n", f"{GROUP}: is given twice"),
    "no field": ("a.csv", f"id\n{ID}\n", "line 1: no column but id, so there is nothing to update"),
    "Latin-1": ("a.csv", f"{CSV}{IDS[1]},é\n".encode("latin-1"), "line 3: not UTF-8"),
    "UTF-16": ("a.csv", CSV.replace("\n", "\r\n").encode("utf-16"), "line 1: not UTF-8"),
    "JSON in Latin-1": ("a.jsonl", f'{{"id": "é{PRIVATE}"}}'.encode("latin-1"), "line 1: not UTF-8"),
    "CR": ("a.csv", CSV.replace("\n", "\r"), "line 1: lines end in CR alone"),
    "two marks": ("a.csv", f"\ufeff\ufeff{CSV}", "line 1: two byte order marks"),
    "an array": ("a.jsonl", f"[{JSON.strip()}]", "line 1: a JSON array; expected an object in each line"),
    "an array after an empty line": (
        "a.jsonl",
        f"\n [\n{JSON.strip()},\n{JSON}]",
        "line 2: a JSON array; expected an object",
    ),
    "an object in several lines": (
        "a.jsonl",
        JSON.replace("{", "{\n", 1),
        "line 1: an object in several lines; expected",
    ),
    "a long line": ("a.csv", CSV + "x" * 2**20, "line 3: it has 1048576 bytes or more"),
}


@pytest.mark.parametrize(("name", "content", "problem"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file(fleet: Fleet, job: Job, name: str, content: str | bytes, problem: str) -> None:
    """It is refused with one line that says where and what, before anything is sent or written."""
    job.write(content, name)
    assert job.run() == 2
    assert (job.out, job.err.count("\n"), fleet.received) == ("", 1, [])
    assert f"{name}: {problem}" in job.err
    assert not job.outcomes_file.exists()


def test_files_that_cannot_be_used(fleet: Fleet, job: Job) -> None:
    """A file that is not there, a folder or a pipe is refused with one line, for the customers and the outcomes."""
    os.mkfifo(job.folder / "pipe.csv")
    (job.folder / "loop").symlink_to(job.folder / "loop")
    job.write_emails(IDS[:1])
    for path, problem in {
        job.folder: "not a regular file",
        job.folder / "pipe.csv": "not a regular file",
        job.folder / "none" / "a": "No such file",
        job.folder / ("x" * 300): "File name too long",
        job.folder / "loop": "Too many levels of symbolic links",
    }.items():
        for options in ([str(path)], [str(job.file), "--outcomes", str(path)]):
            assert job.run(*options[1:], customers=Path(options[0])) == 2
            assert (job.out, job.err.count("\n")) == ("", 1)
            assert problem in job.err
    assert fleet.received == []
