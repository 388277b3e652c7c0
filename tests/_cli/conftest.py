"""The fixtures for the update command: `fleet`, a sandbox with many customers, and `job`, a file of customers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.update_job import Fleet, Job


@pytest.fixture(scope="session")
def _fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def fleet(_fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Return a sandbox with many customers; the variables lead to it."""
    _fleet.reset()
    with _fleet.running() as url:
        for name, value in {**_fleet.variables, "CYBERSOURCE_BASE_URL": url}.items():
            monkeypatch.setenv(name, value)
        yield _fleet


@pytest.fixture
def job(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return a job without a file. However slow it is after a signal, it does not end the tests' own process."""
    monkeypatch.setattr(os, "_exit", lambda code: None)
    return Job(tmp_path, capsys)
