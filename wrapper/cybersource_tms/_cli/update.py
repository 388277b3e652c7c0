"""Update the customers of a file. If it stops early, run the same command again.

FILE is CSV with a line of column names, or JSON Lines. The column `id` is the
customer's token id; every other column is a field as the API names it, such as
`buyerInformation.email`. Each customer is read, and only what differs from
FILE is sent, guarded by the ETag.

  CSV         an empty cell leaves the field alone, <null> removes it; other
              cells are taken as they are, with their blanks; a list or a group
              is a cell with JSON, and a list replaces the whole list
  JSON Lines  {"id": "...", "buyerInformation": {"email": "..."}}, or the same
              with paths: {"id": "...", "buyerInformation.email": "..."};
              null removes the field

A line that is wrong, or has the id of another line with other values, gets the
outcome `invalid`; the others are processed. FILE must not change meanwhile.

Outcomes hold ids, names of fields and errors, and no values. Final are those of
customers that are as wanted, that the service itself refuses (400, 404, 410),
and of wrong lines. The next run leaves these out if size and time of change of
FILE, account and options are the same. Otherwise it moves the old outcomes
aside, under a name with the date, and compares all customers. To keep 30 days:
  find . -name '*.outcomes.2*.jsonl' -mtime +30 -delete

SIGTERM or Ctrl-C ends it within 5 seconds. Exit code: 0 every customer is as
wanted (--dry-run: can be), 1 lines have to be mended, 2 the command or FILE as
a whole is wrong, 75 run it again (not all is final, FILE has changed, or the
credentials were refused), 130 and 143 it was stopped. Credentials come from the
variables CYBERSOURCE_..., see the README.
"""

import argparse
import logging
import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from cybersource_tms._clients import CustomersClient
from cybersource_tms._credentials import variables
from cybersource_tms._credentials.arguments import naming

from . import UsageError
from .job import Job
from .lines import DELIMITERS
from .outcomes import OutcomesFile
from .rows import RowsFile
from .signals import Signals

_JSON_LINES = {".json", ".jsonl", ".ndjson"}  # suffixes; other files are CSV
_PACE = {"concurrency": "--concurrency", "per_second": "--per-second", "max_failures": "--max-failures"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes to its parser."""
    add = parser.add_argument
    add("file", metavar="FILE", type=Path, help="CSV or JSON Lines")
    delimiters = (*DELIMITERS, r"\t")
    add("--delimiter", metavar="C", choices=delimiters, default=",", help=r"of CSV: ; | or \t (default: a comma)")
    add("--ignore", metavar="NAME", action="append", default=[], help="leave out this column; can be repeated")
    add("--outcomes", metavar="FILE", type=Path, help="default: FILE.outcomes.jsonl")
    add("--failed", metavar="FILE", type=Path, help="write the lines that have failed, to mend and run them")
    add("--dry-run", action="store_true", help="read all, print names of fields that differ, send nothing")
    add("--concurrency", metavar="N", type=int, default=16, help="customers at a time (default: 16)")
    add("--per-second", metavar="N", type=float, help="start at most N requests in a second, reads included")
    add("--max-failures", metavar="N", type=int, default=20, help="end after N failures in a row (default: 20)")
    add("--profile-id", metavar="ID", help="the token profile, if the merchant has more than one")
    add("--verbose", action="store_true", help="show retries and waits, with times")


def run(options: argparse.Namespace) -> int:
    """Update the customers, and return the exit code."""
    if options.verbose:
        logging.basicConfig(format="%(asctime)s %(message)s")
        logging.getLogger("cybersource_tms").setLevel(logging.INFO)
    path = Path(os.path.realpath(options.outcomes or f"{options.file}.outcomes.jsonl"))
    written = [path, *[options.failed] * bool(options.failed)]
    if len({os.path.realpath(each) for each in (options.file, *written)}) < 1 + len(written):
        raise UsageError("FILE, --outcomes and --failed have to be different files")
    delimiter = None if options.file.suffix.lower() in _JSON_LINES else options.delimiter.replace(r"\t", "\t")
    signals, names = Signals(), _PACE | {"max_connections": "--concurrency", "profile_id": "--profile-id"}
    with signals.heeded(), naming(**names), ExitStack() as files:
        rows = RowsFile(options.file, delimiter, options.ignore)
        for each in written:
            each.parent.stat()  # raises if it is missing
            if each.exists() and not each.is_file():
                raise UsageError(f"{each}: it is not a regular file")
        client = CustomersClient.from_env(max_connections=options.concurrency, profile_id=options.profile_id)
        customers = files.enter_context(client)
        job = Job(rows, signals)
        merchant = [os.environ.get(name) for name in (variables.MERCHANT, variables.PORTFOLIO)]
        about = [*rows.version[:3], customers.environment.value, customers.base_url, *merchant, options.profile_id]
        about += [delimiter, *sorted(options.ignore)]
        outcomes = None if options.dry_run else OutcomesFile(path, about, files)
        job.run(partial(customers.apply_many, **{name: getattr(options, name) for name in _PACE}), outcomes)
        return job.finish(options.failed)
    return 128 + signals.received
