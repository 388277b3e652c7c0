"""End runs of `cybersource-tms update` by signals at random moments, run them again, and check that nothing is lost."""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from cybersource_tms_sandbox import Sandbox, page_customer

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
COMMAND = [sys.executable, "-m", "cybersource_tms", "update", "--concurrency", "8", "--max-failures", "1000"]


def write(file: Path, ids: list[str], number: int) -> str:
    """Write the file of a round, and return the address that all customers are to get."""
    email = f"round{number}@example.com"
    lines = [f"{customer_id},{email}\n" for customer_id in ids]
    file.write_text("".join(["id,buyerInformation.email\n", *lines]), encoding="utf-8")
    return email


def run_until_signal(file: Path) -> tuple[int, signal.Signals | None, float]:
    """Start the command and send a signal, unless it ends before; return exit code, signal, and how long that took."""
    number = random.choice(SIGNALS)
    with subprocess.Popen([*COMMAND, str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            return process.wait(random.uniform(0.2, 2.5)), None, 0.0
        except subprocess.TimeoutExpired:
            started = time.monotonic()
            process.send_signal(number)
            return process.wait(60), number, time.monotonic() - started


def check(sandbox: Sandbox, file: Path, ids: list[str], email: str) -> list[str]:
    """Return what is wrong after a round: values, outcomes that are missing or there twice, updates made twice."""
    outcomes = Path(f"{file}.outcomes.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    final = Counter(line["id"] for line in map(json.loads, outcomes) if line["final"])
    updates = Counter(request.path.rpartition("/")[2] for request in sandbox.received if request.method == "PATCH")
    checks = {
        "values": all(sandbox[each]["buyerInformation"]["email"] == email for each in ids),
        "one final outcome for each customer": final == Counter(ids),
        "one update of each customer": updates == Counter(ids),
    }
    return [f"{email}: not {name}" for name, holds in checks.items() if not holds]


def main() -> None:
    """Send the signals, print how many of each, and exit with 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signals", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--customers", type=int, default=2000, help="in each round (default: %(default)s)")
    parser.add_argument("--longest", type=float, default=5, help="seconds a process may live on (default: %(default)s)")
    options = parser.parse_args()
    ids = [f"{number:032d}" for number in range(options.customers)]
    sandbox, sent, problems, rounds = Sandbox(), Counter[str](), list[str](), 0
    for customer_id in ids:
        sandbox.add({**page_customer(), "id": customer_id})
    with sandbox.running() as url, TemporaryDirectory() as folder:
        os.environ |= {**sandbox.variables, "CYBERSOURCE_BASE_URL": url}
        file = Path(folder, "customers.csv")
        while sent.total() < options.signals and not problems:
            rounds += 1
            sandbox.received.clear()
            email = write(file, ids, rounds)
            code = -1
            while code and not problems:
                code, number, seconds = run_until_signal(file)
                sent.update([number.name] if number else [])
                if seconds > options.longest:
                    problems.append(f"{number}: it lived on for {seconds:.1f} s")
                if not number and code:
                    problems.append(f"exit code {code} without a signal")
            problems += check(sandbox, file, ids, email)
            print(f"round {rounds}: {sent.total()} signals so far", flush=True)
    print(f"{sent.total()} signals in {rounds} rounds: {dict(sent)}")
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
