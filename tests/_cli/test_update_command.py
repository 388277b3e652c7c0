"""`cybersource-tms update FILE`: an outcome for each line, whatever stops the job and however often."""

import errno
import io
import logging
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cybersource_tms import __version__
from cybersource_tms.__main__ import main
from cybersource_tms_sandbox import Fault
from support.update_job import CODE, EMAIL, IDS, LAST, PRIVATE, Fleet, Job, assert_nothing_private, private_customer
from support.waiting import HANGS, LIMIT, eventually

CSV = f"id,{EMAIL}\n{IDS[0]},{LAST}\n"
JSON = f'{{"id": "{IDS[0]}", "{EMAIL}": "{LAST}"}}\n'

# Options

DIFFERENT = "FILE, --outcomes and --failed have to be different files"
OPTIONS: dict[str, tuple[str, str]] = {
    "--concurrency=0": ("a.csv", "--concurrency: expected a whole number of 1 or more"),
    "--per-second=0": ("a.csv", "--per-second: expected a number above 0"),
    "--max-failures=0": ("a.csv", "--max-failures: expected a whole number of 1 or more"),
    "--profile-id=x": ("a.csv", "--profile-id: expected 36 characters"),
    "--outcomes=link": ("a.csv", DIFFERENT),
    "--failed=link": ("a.csv", DIFFERENT),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_wrong_options(fleet: Fleet, job: Job, option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are refused by name, before anything is sent or written, also by a dry run."""
    name, problem = OPTIONS[option]
    monkeypatch.chdir(job.folder)
    job.write(CSV, name)
    (job.folder / "link").symlink_to(job.file)
    for more in ([], ["--dry-run"]):
        assert job.run(option, *more) == 2
        assert problem in job.err
    assert (fleet.received, job.file.read_text()) == ([], CSV)


@pytest.mark.parametrize("option", ["--concurrency=0.5", "--per-second=x", "--fast", "--delimiter=ab"])
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

REASONS = (
    b'{"errors": [{"type": "invalidFields", "message": "pr1vate",'
    b' "details": [{"name": "email", "location": "/buyerInformation"}]}]}'
)
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
def test_an_outcome(fleet: Fleet, job: Job, row: tuple[Fault, str, bool, str | None, bool | None]) -> None:
    """It says what became of a customer, and the next run repeats only what is not final."""
    fault, status, final, error, applied = row
    job.write_emails(IDS[:1])
    fleet.fail(fault)
    assert job.run() == (0 if not error else 1 if final else 75)
    [outcome] = job.outcomes()
    assert [*outcome] == [
        *("id", "line", "status", "final", "sent", "error", "message", "correlation_id", "may_have_been_applied"),
        "time",
    ]
    assert (outcome["id"], outcome["line"], outcome["status"], outcome["final"]) == (IDS[0], 2, status, final)
    assert (outcome["error"], outcome["may_have_been_applied"]) == (error, applied)
    assert re.fullmatch("[0-9a-f-]{36}", outcome["correlation_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", outcome["time"])
    assert outcome["sent"] == ([] if error else [EMAIL])
    assert (f"fields: {EMAIL}" in str(outcome["message"])) == (error == "BadRequest")
    assert (f"line 2: {outcome['message']}\n" in job.err) == bool(error)
    assert ("run the same command again" in job.out) == (not final)
    received = len(fleet.received)
    assert job.run() == (1 if error and final else 0)
    assert (len(fleet.received) == received) == final
    said = f"1 {status} by an earlier run" if final else "1 updated"
    assert job.out.startswith(f"1 customers: {said}\n")


@pytest.mark.parametrize("faults", [[Fault(status=501, applied=True)], [Fault(status=503, applied=True), 401]])
def test_an_update_that_may_have_been_applied(fleet: Fleet, job: Job, faults: list[Any]) -> None:
    """Its outcome says so, also if the job ends with it, and the next run finds out."""
    job.write_emails(IDS[:1])
    fleet.fail(Fault(), *faults)
    assert job.run() == 75
    assert [outcome["may_have_been_applied"] for outcome in job.outcomes()] == [True]
    assert job.run() == 0
    assert job.statuses() == {IDS[0]: "unchanged"}
    assert len(fleet.bodies()) == len(faults)


def test_the_report(fleet: Fleet, job: Job) -> None:
    """It has the failures by reason, the fields, the first lines of each, and what to do; so has that of a next run."""
    gone = [f"gone{number}" for number in range(7)]
    job.write("\n".join([f"id,{EMAIL}", *(f"{each},a" for each in gone), f"{IDS[0]},{'x' * 300}", f"{IDS[1]},b\n"]))
    for earlier in ("", " by an earlier run"):
        assert job.run("--concurrency", "1", "--failed", str(job.folder / "failed.csv")) == 1
        assert job.out.splitlines() == [
            f"9 customers: 7 failed{earlier}, 1 invalid{earlier}, 1 updated{earlier}",
            f"to mend in the file{', from an earlier run' * bool(earlier)}:",
            "  7 x 404 notFound: no customer has this token id",
            "      lines 2, 3, 4, 5, 6, ...",
            f"  1 x {EMAIL}: at most 255 characters, it has 300",
            "      line 9",
            f"outcomes are in {job.outcomes_file}",
        ]
        assert (job.folder / "failed.csv").read_text() == "".join(job.file.read_text().splitlines(keepends=True)[:-1])
    assert len([*job.folder.glob("failed.2*.csv")]) == 1  # the first one, which somebody may have mended


def test_the_failed_lines(fleet: Fleet, job: Job) -> None:
    """They are written in the form of the file, mark, delimiter, line ends and quotes included; mended, they run."""
    bad = f'"{"y" * 40}";"a\nb"\r\n'
    job.write(f"\ufeffid;{EMAIL}\r\n{IDS[0]};{LAST}\r\n{bad}{IDS[1]};{LAST}".encode())
    failed = job.folder / "failed.csv"
    assert job.run("--delimiter", ";", "--failed", str(failed)) == 1
    assert failed.read_bytes() == f"\ufeffid;{EMAIL}\r\n{bad}".encode()
    failed.write_text(failed.read_text(encoding="utf-8").replace("y" * 40, IDS[2]), encoding="utf-8")
    assert job.run("--delimiter", ";", customers=failed) == 0
    job.write(JSON + "{}\n", "a.jsonl")
    assert job.run("--failed", str(failed)) == 1
    assert failed.read_text() == "{}\n"
    received = len(fleet.received)
    os.mkfifo(job.folder / "pipe")
    for place, problem in {
        "none/a": "none: No such file",
        "pipe": "pipe: it is not a regular",
        ".": "it is not a regular",
    }.items():
        assert job.run("--failed", str(job.folder / place)) == 2
        assert problem in job.err
    assert len(fleet.received) == received


def test_failed_lines_that_cannot_be_written(fleet: Fleet, job: Job) -> None:
    """That is said, and no part of them is left, which would look whole; the exit code is that of the job."""
    job.write(f"id,{EMAIL}\n{IDS[0]},{'x' * 50_000}\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        assert job.run("--failed", str(job.folder / "failed.csv")) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert f"{job.folder / 'failed.csv'} was not written: " in job.err
    assert not (job.folder / "failed.csv").exists()
    mended = job.folder / ("m" * 250)  # with a date, its name would be too long
    mended.write_text("mended")
    assert job.run("--failed", str(mended)) == 1
    assert (f"{mended} was not written: " in job.err, mended.read_text()) == (True, "mended")


# What concerns one customer, and what concerns all


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_are_refused(fleet: Fleet, job: Job, status: int) -> None:
    """They end the job with one line for all that are in flight; the next run does all that is left."""
    job.write_emails(IDS)
    fleet.fail(Fault(), Fault(), status)
    assert job.run("--concurrency", "1") == 75
    assert job.statuses() == {IDS[0]: "updated"}
    assert job.out.startswith("12 customers: 1 updated, 11 not reached\n")
    fleet.fault = Fault(status=status, delay=0.3)  # until all are in flight
    assert job.run() == 75
    assert f"stopped: {status}" in job.err
    assert (job.err + job.out).count(f"{status} ") == 1  # a correlation id can hold the digits
    fleet.fault = None
    assert job.run() == 0
    assert job.out.startswith("12 customers: 1 updated by an earlier run, 11 updated\n")


@pytest.mark.parametrize("status", [400, 403, 404, 503])
def test_a_gateway_that_refuses_one_customer(fleet: Fleet, job: Job, status: int) -> None:
    """That customer's outcome is not final, and the others go on."""
    fleet.gateway = {IDS[3]: status}
    job.write_emails(IDS)
    assert job.run("--concurrency", "2") == 75
    assert Counter(job.statuses().values()) == {"updated": 11, "failed": 1}
    fleet.gateway = {}
    assert job.run() == 0
    assert job.statuses() == dict.fromkeys(IDS, "updated")


@pytest.mark.parametrize("status", [400, 403, 404, 501])
def test_a_gateway_that_refuses_all(fleet: Fleet, job: Job, status: int) -> None:
    """The job ends after so many in a row, and the next run does all of them."""
    fleet.gateway = dict.fromkeys(IDS, status)
    job.write_emails(IDS)
    assert job.run("--concurrency", "1", "--max-failures", "3") == 75
    assert len(fleet.received) == 3
    assert "12 customers: 3 failed, 9 not reached\nnot final:\n  3 x " in job.out
    fleet.gateway = {}
    assert job.run() == 0


# Which outcomes count


def test_new_values_in_the_same_file(fleet: Fleet, job: Job) -> None:
    """An outcome counts only for the file that it is of: all customers get what the file holds now."""
    for email in (f"{PRIVATE} a", f"{PRIVATE} b", f"{PRIVATE} a"):
        job.write_emails(IDS, email)
        assert job.run() == 0
        assert job.out.startswith("12 customers: 12 updated\n")
        assert fleet.emails() == {email}
    received = len(fleet.received)
    assert job.run() == 0
    assert len(fleet.received) == received


def test_another_file_of_the_same_size_and_time(fleet: Fleet, job: Job) -> None:
    """It is another one, as from an archive whose files all have one time."""
    for ids in (IDS[:6], IDS[6:]):
        job.write_emails(ids)
        os.utime(job.file, (1, 1))
        assert job.run() == 0
    assert sorted(fleet.sent()) == IDS


def test_many_columns_that_are_left_out(fleet: Fleet, job: Job) -> None:
    """The next run goes on with what is left."""
    names = [f"Kundenfeld Überschrift {number}" for number in range(400)]
    job.write("\n".join([",".join([" id", f"{EMAIL} ", *names]), ",".join([IDS[0], LAST, *names])]))
    for said in ("1 updated", "1 updated by an earlier run"):
        assert job.run(*(f"--ignore={name}" for name in names)) == 0
        assert job.out.startswith(f"1 customers: {said}\n")
    assert job.run("--ignore", "Kundenfeld") == 2
    assert "; --ignore Kundenfeld: no such column; leave out what is no field: --ignore NAME" in job.err


OTHERS: dict[str, tuple[list[str], dict[str, str]]] = {
    "another environment": ([], {"CYBERSOURCE_ENVIRONMENT": "test-saudi-arabia"}),
    "another address": ([], {"CYBERSOURCE_BASE_URL": "http://localhost:1/"}),
    "another merchant": ([], {"CYBERSOURCE_MERCHANT_ID": "other"}),
    "another portfolio": ([], {"CYBERSOURCE_PORTFOLIO_ID": "other"}),
    "another profile": (["--profile-id", "0" * 36], {}),
    "other columns": (["--ignore", "x"], {}),
    "another time": ([], {}),
}


@pytest.mark.parametrize(("options", "variables"), OTHERS.values(), ids=OTHERS)
def test_something_else_than_in_the_earlier_run(
    fleet: Fleet, job: Job, options: list[str], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
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
    assert "by an earlier run" not in job.out
    [old] = job.folder.glob("customers.csv.outcomes.2*.jsonl")
    assert old.read_bytes() == before


@pytest.mark.parametrize("left", [1, 7, 20, 100, -1], ids=lambda left: f"{left} characters")
def test_a_torn_last_line(fleet: Fleet, job: Job, left: int) -> None:
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
    assert sorted(fleet.sent()) == IDS


FOREIGN: dict[str, tuple[bytes, int]] = {
    "without a line end": (b"notes", 1),
    "other JSON Lines": (b'{"id": "1"}\n{"id": "2"}\n', 1),
    "one line of other JSON Lines": (b'{"id": "1"}', 1),
    "text": (b'"cybersource-tms update"\n', 1),
    "a torn first line": (b'{"cybersource-tms update": []}', 1),
    "nested too deep": (b"[" * 100_000 + b"\n", 1),
    "other lines after ours": (b'{"id": "1"}\n', 2),
    "no JSON after ours": (b"notes", 2),
    "an outcome without its error": (b'{"id": "1", "line": 2, "status": "failed", "final": true}\n', 2),
}  # fmt: skip


@pytest.mark.parametrize(("content", "line"), FOREIGN.values(), ids=FOREIGN)
def test_a_file_that_holds_no_outcomes(fleet: Fleet, job: Job, content: bytes, line: int) -> None:
    """It is refused and left as it is."""
    job.write_emails(IDS)
    assert job.run() == 0
    job.outcomes_file.write_bytes(job.outcomes_file.read_bytes().splitlines(keepends=True)[0] * (line - 1) + content)
    before = job.outcomes_file.read_bytes()
    fleet.received.clear()
    assert job.run() == 2
    assert job.err.endswith(f"line {line} is no outcome of this command; name another file by --outcomes\n")
    assert (job.outcomes_file.read_bytes(), fleet.received) == (before, [])


@pytest.mark.parametrize(("lines", "room"), [(2, 0), (2, 100), (0, 10)])
def test_a_disk_that_is_full(fleet: Fleet, job: Job, lines: int, room: int) -> None:
    """The command ends with one line that says so, and goes on when there is room."""
    job.write_emails(IDS)
    assert job.run() == 0
    size = job.outcomes_file.write_bytes(b"".join(job.outcomes_file.read_bytes().splitlines(keepends=True)[:lines]))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, limits[1]))
    try:
        assert job.run("--concurrency", "2") == 75
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert job.err.splitlines()[-1].startswith(f"stopped: {job.outcomes_file}: ")
    assert job.run() == 0
    assert sorted(outcome["id"] for outcome in job.outcomes()) == IDS


@pytest.mark.parametrize("number", [None, errno.ENOLCK, errno.ENOSYS])
def test_without_locks(fleet: Fleet, job: Job, number: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """That protection is missed and said, and the job is done; nor does it need the digests that FIPS forbids."""

    def refuse(*_: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.delattr("hashlib.scrypt", raising=False)
    monkeypatch.setattr("fcntl.flock", refuse)
    if number is None:
        monkeypatch.setitem(sys.modules, "fcntl", None)
    job.write_emails(IDS)
    assert job.run() == 0
    assert f"{job.outcomes_file}: cannot be locked here" in job.err


# Files that change


NEW = "".join([f"id,{EMAIL}\n", *(f"{each},{PRIVATE} new\n" for each in IDS)])[:-5]  # half a line is still missing


def replace(file: Path, content: str) -> None:
    """Put another file in the place of one."""
    file.rename(f"{file}.old")
    file.write_text(content)


def while_checked(file: Path, action: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something when a file is looked at for the third time, before the first line is taken."""
    real, left = os.stat, [1, 2, 3]

    def stat(path: Any, **options: Any) -> os.stat_result:
        if path == file and left and left.pop() == 1:
            action()
        return real(path, **options)

    monkeypatch.setattr(os, "stat", stat)


def rewrite(file: Path) -> None:
    """Write other values of the same size, and set the time of change back."""
    file.write_text(NEW[: file.stat().st_size])
    os.utime(file, (1, 1))


CHANGES: dict[str, Callable[[Path], object]] = {
    "rewritten with its old time": rewrite,
    "overwritten": lambda file: file.write_text(NEW),
    "cut": lambda file: os.truncate(file, 100),
    "appended to": lambda file: file.write_text(f"{file.read_text()}{IDS[11]},{PRIVATE} new\n"),
    "replaced": lambda file: replace(file, NEW),
    "replaced by the same": lambda file: replace(file, file.read_text()),
    "removed": Path.unlink,
}


@pytest.mark.parametrize(("moment", "concurrency"), [(2, 1), (21, 1), (22, 16)], ids=["early", "late", "last"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_changes_while_the_job_runs(
    fleet: Fleet, job: Job, change: Callable[[Path], object], moment: int, concurrency: int
) -> None:
    """It is said, and nothing of the new content is sent under the old one, even while lines are torn."""
    job.write_emails(IDS[:11])
    os.utime(job.file, (1, 1))
    fleet.watch = lambda number: number == moment and change(job.file)
    assert job.run("--concurrency", str(concurrency)) == 75
    assert f"stopped: {job.file}: it has changed since this run began" in job.err
    assert all(body == {"buyerInformation": {"email": LAST}} for body in fleet.bodies())
    assert f"{PRIVATE} new" not in fleet.emails()
    assert len(fleet.bodies()) <= moment // 2 + 1


def test_a_file_that_changes_while_it_is_checked(fleet: Fleet, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is the cause that is said, and not what is wrong with its half."""
    job.write("\n".join([f"id,{EMAIL}", *(f"{each},{LAST}" * 500 for each in IDS)]))
    while_checked(job.file, lambda: job.file.write_bytes(job.file.read_bytes()[:-3000] + b"\xff" * 3000), monkeypatch)
    assert job.run() == 75
    assert job.err == f"error: {job.file}: it has changed since this run began\n"
    assert fleet.received == []


PLACES: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink,
    "replaced": lambda file: replace(file, "notes\n"),
    "emptied": lambda file: os.truncate(file, 0),
    "written to": lambda file: file.write_text(file.read_text() + "notes\n"),
}


@pytest.mark.parametrize("moment", [4, 24], ids=["early", "late"])
@pytest.mark.parametrize("change", PLACES.values(), ids=PLACES)
def test_outcomes_that_somebody_else_changes(
    fleet: Fleet, job: Job, change: Callable[[Path], object], moment: int
) -> None:
    """It is said, and nothing is written to what is there now."""
    job.write_emails(IDS)
    fleet.watch = lambda number: number == moment and change(job.outcomes_file)
    assert job.run("--concurrency", "1") == 75
    assert f"stopped: {job.outcomes_file}: it was removed or changed while this run wrote to it" in job.err
    assert len(fleet.received) <= moment + 2
    assert not job.outcomes_file.exists() or job.outcomes_file.read_text()[-6:] in {"notes\n", ""}


# Dry run


def test_a_dry_run(fleet: Fleet, job: Job) -> None:
    """It reads, prints the names of the fields that would change, and neither sends nor writes anything."""
    fleet.delete(IDS[2])
    long = f"{IDS[3]},{PRIVATE * 40},"
    job.write(f"id,{EMAIL},{CODE}\n{IDS[0]},{LAST},<null>\n{IDS[1]},{PRIVATE} 2,\n{IDS[2]},a,\n{long}\n?,a,\n")
    assert job.run("--dry-run", "--failed", str(job.folder / "failed")) == 1
    assert f"{IDS[0]}: {EMAIL}, {CODE}\n" in job.out
    [summary] = re.findall("5 customers: (.*)", job.out)
    assert sorted(summary.split(", ")) == ["1 failed", "1 unchanged", "1 would change", "2 invalid"]
    assert f"line 5: {EMAIL}: at most 255 characters, it has 280\n" in job.err
    assert fleet.bodies() == []
    assert not job.outcomes_file.exists()
    assert (job.folder / "failed").read_text().splitlines() == [f"id,{EMAIL},{CODE}", f"{IDS[2]},a,", long, "?,a,"]


def test_a_dry_run_after_a_run(fleet: Fleet, job: Job) -> None:
    """The outcomes do not matter to it: it reads all customers, and leaves the outcomes as they are."""
    job.write_emails(IDS)
    assert job.run() == 0
    fleet.put(private_customer(IDS[3]))
    assert job.run("--dry-run", "--concurrency", "1") == 0
    assert job.out == f"{IDS[3]}: {EMAIL}\n12 customers: 11 unchanged, 1 would change\n"
    assert len(job.outcomes()) == 12


# Progress, streams and signals


def test_progress(fleet: Fleet, job: Job) -> None:
    """It is a line with what is done, the rate, the time left and the counts."""
    job.write_emails(IDS)
    assert job.run() == 0
    assert re.fullmatch(r"1 of 12, \d+\.\d/s, \d+:\d\d:\d\d left: 1 updated\n", job.err)
    assert job.out == f"12 customers: 12 updated\noutcomes are in {job.outcomes_file}\n"


def test_verbose(fleet: Fleet, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_nobody_reads_within_this_process(fleet: Fleet, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams that are missing, full or unread do not end the job; a report that cannot be printed is a failure."""
    for number, kind in enumerate(("none", "unread", "full")):
        job.write_emails([IDS[number]])
        for command, code in ((["update", str(job.file)], 0), (["check"], 0 if kind == "none" else 1)):
            reader, writer = os.pipe()
            os.close(reader)
            with os.fdopen(writer, "w") as unread, Path("/dev/full").open("w") as full, monkeypatch.context() as patch:
                for name in ("stdout", "stderr"):
                    patch.setattr(sys, name, {"none": None, "unread": unread, "full": full}[kind])
                assert main(command) == code
        assert job.statuses() == {IDS[number]: "updated"}


def is_heeded() -> bool:
    """Return whether a signal has come, after which the next one ends the process at once."""
    return {signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)} == {signal.SIG_DFL}


AN_HOUR = ["--per-second", "0.0003"]  # for a turn
WAITS: dict[str, tuple[list[Fault], list[str], int]] = {
    "for answers": ([], ["--concurrency", "2"], 3),
    "for turns": ([], [*AN_HOUR, "--concurrency", "2"], 1),
    "for the last turns": ([], AN_HOUR, 1),
    "for a pause": ([Fault(status=429, headers={"Retry-After": "5"})], ["--concurrency", "1"], 1),
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("wait", WAITS)
def test_a_signal(fleet: Fleet, job: Job, wait: str, number: signal.Signals) -> None:
    """What is in flight ends and has its outcome, what only waits is not sent, and the handlers are as before."""
    faults, options, requests = WAITS[wait]
    job.write_emails(IDS)
    fleet.fail(*faults)
    if wait == "for answers":
        fleet.watch = lambda number: number != requests or eventually(is_heeded)  # the first update
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]

    def send() -> None:
        assert eventually(lambda: len(fleet.received) == requests)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=send)
    thread.start()
    assert job.run(*options, "--failed", str(job.folder / "failed")) == 128 + number
    thread.join()
    assert job.out.endswith(f"\n{job.folder / 'failed'} was not written\n")
    assert len(fleet.received) <= requests + 2
    assert Counter(fleet.sent()) == Counter(each for each, status in job.statuses().items() if status == "updated")
    assert "run the same command again" not in job.out
    assert before == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]


class Alarm(io.StringIO):
    """A stream that sends a signal to this process when the first line is written to it."""

    def write(self, text: str) -> int:
        """Write, after the signal."""
        if not self.getvalue():
            super().write("-")
            signal.raise_signal(signal.SIGTERM)
        return super().write(text)


def test_a_signal_while_an_outcome_is_recorded(fleet: Fleet, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """No outcome gets lost, and nothing else begins."""
    job.write_emails(IDS)
    fleet.fail(*[Fault(delay=0.2)] * 12)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", Alarm())
        assert job.run("--concurrency", "6") == 143
    assert sorted(fleet.sent()) == sorted(each for each, status in job.statuses().items() if status == "updated")
    assert len(fleet.sent("GET")) <= 6


def test_a_signal_while_the_file_is_checked(fleet: Fleet, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends that, too."""
    job.write_emails(IDS)
    while_checked(job.file, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch)
    assert job.run() == 143
    assert fleet.received == []


# As a process of its own


def start(*arguments: str, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start the command, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", "cybersource_tms", *arguments]
    return subprocess.Popen(command, stdout=stdout, stderr=stderr, text=True)


def test_a_name_that_the_output_cannot_hold(fleet: Fleet, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is printed with escapes."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    job.write(CSV, "f\xfcnf.csv")
    with start("update", str(job.file)) as process:
        out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert_nothing_private(out, err)
    assert "f\\xfcnf.csv.outcomes.jsonl" in out


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-", ">/dev/full", "2>/dev/full", "| true", "2>&1 | true"])
def test_streams_of_a_shell(fleet: Fleet, job: Job, streams: str) -> None:
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
    for said in ("<null>", "JSON Lines", "taken as they are", "final", "aside", "Exit code", "75"):
        assert said in out
    assert [line for line in out.splitlines() if len(line) > 80] == []
    with start("--version") as process:
        assert process.communicate() == (f"cybersource-tms {__version__}\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_an_answer_does_not_come(fleet: Fleet, job: Job, number: signal.Signals) -> None:
    """The process ends without it and without a report, and the job goes on the next time."""
    job.write_emails(IDS)
    fleet.fail(Fault(), Fault(), HANGS)
    with start("update", str(job.file), "--concurrency", "1") as process:
        assert eventually(lambda: len(fleet.received) == 3)
        process.send_signal(number)
        out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, out) == (128 + number, "")
    assert "stopping: " in err
    assert_nothing_private(err)
    assert job.run() == 0
    assert sorted(outcome["id"] for outcome in job.outcomes()) == IDS


def test_a_signal_that_is_ignored(fleet: Fleet, job: Job) -> None:
    """As by nohup: the job goes on."""
    job.write_emails(IDS)
    fleet.watch = lambda number: os.kill(process.pid, signal.SIGINT) if number == 3 else None
    command = f'trap "" INT; exec {sys.executable} -m cybersource_tms update "$0" --concurrency 1'
    with subprocess.Popen(["bash", "-c", command, job.file], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.communicate(timeout=LIMIT)
    assert process.returncode == 0


def test_a_second_run_at_the_same_time(fleet: Fleet, job: Job) -> None:
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


def test_a_storm_of_signals() -> None:
    """Whatever ends a run, each customer has one final outcome in the end, and the values of the file."""
    command = [sys.executable, "scripts/kill_storm.py", "--signals", "6", "--customers", "300", "--longest", str(LIMIT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
