"""Update the customers of a file, and append an outcome of each to another file.

FILE is CSV with a line of column names, or JSON Lines. The column `id` is the
customer's token id; every other column is a field as the API names it, such as
`buyerInformation.email`. Each customer is read, and only what differs from the
file is sent, guarded by the ETag.

  CSV         an empty cell leaves the field alone, <null> removes the field;
              a list or a group is a cell with JSON
  JSON Lines  {"id": "...", "buyerInformation": {"email": "..."}}, or the same
              with paths: {"id": "...", "buyerInformation.email": "..."};
              null removes the field

A line that is wrong gets the outcome `invalid`; the others are updated. A file
without ids, with an unknown column, with different values for one customer, or
not in UTF-8 is refused before anything is sent.

An outcome has the id, the status (updated, unchanged, invalid, failed), names
of fields, the error, a digest of FILE (input), and no values. Run the same
command again to go on after a kill: it leaves out customers with a final
outcome for the same content of FILE, and reads and compares the others, of
which at most --concurrency had been updated. Once FILE has other content, or
is for another environment or merchant, all customers are read and compared
again. Failures that may pass (network, 429,
5xx, 412, credentials) are not final. A whole line is written at once, and
survives the process, though not a power failure. Memory grows with the number
of ids, about 200 bytes each. A second run with the same file of outcomes is
refused while the first one is at work, except on Windows.

Ctrl-C or SIGTERM: what is in flight ends. Once more: the process ends.
Exit code: 0 all is well, 1 some are failed or invalid, or the credentials were
refused, 2 the command or a file is wrong, 130 or 143 stopped by a signal.
Credentials come from the variables CYBERSOURCE_..., see the README.
"""

import argparse
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from cybersource_tms._clients import CustomersClient
from cybersource_tms._credentials import variables
from cybersource_tms._credentials.arguments import naming
from cybersource_tms.errors import InvalidRequest

from . import UsageError
from .job import DryRun, Job
from .outcomes import OutcomesFile
from .rows import RowsFile
from .signals import collect_signals

_ACCOUNT = (variables.ENVIRONMENT, variables.MERCHANT, variables.BASE_URL)
_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "update",
        help="update the customers of a file",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="CSV or JSON Lines")
    parser.add_argument("--format", choices=("csv", "jsonl"), help="what FILE is (default: by its suffix)")
    parser.add_argument("--outcomes", metavar="FILE", type=Path, help="default: FILE.outcomes.jsonl")
    parser.add_argument("--concurrency", metavar="N", type=int, default=16, help="customers at a time (default: 16)")
    parser.add_argument("--per-second", metavar="N", type=float, help="requests in a second at most, reads included")
    parser.add_argument(
        "--dry-run", action="store_true", help="read all, print names of fields that differ, send and write nothing"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Update the customers, and return the exit code."""
    rows = RowsFile(options.file, _format(options), " ".join(os.environ.get(name, "") for name in _ACCOUNT))
    outcomes = OutcomesFile(options.outcomes or Path(f"{options.file}.outcomes.jsonl"))
    with suppress(OSError):  # what is wrong with either is said when it is opened
        if rows.path.samefile(outcomes.path):
            raise UsageError("--outcomes: it is FILE itself")
    try:
        with (
            naming(max_connections="--concurrency", per_second="--per-second"),
            collect_signals() as signals,
            CustomersClient.from_env(max_connections=options.concurrency) as customers,
        ):
            job = (DryRun if options.dry_run else Job)(rows, outcomes, signals)
            updates = job.updates()
            job.run(customers.update_many(updates, concurrency=options.concurrency, per_second=options.per_second))
            return job.finish()
    except InvalidRequest as error:
        raise UsageError(str(error)) from None


def _format(options: argparse.Namespace) -> str:
    form: str | None = options.format or _SUFFIXES.get(options.file.suffix.lower())
    if form is None:
        raise UsageError(f"{options.file}: say by --format whether it is csv or jsonl")
    return form
