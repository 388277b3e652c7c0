"""The examples do what they say. scripts/check looks at their types; that of a web service has tests beside it."""

import csv
import io
import logging
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import nightly_job
import tracing
from cybersource_tms import CustomersClient, Retries, SharedSecretAuth
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Fault, Sandbox
from documents.pages import ROOT

EXAMPLES = ROOT / "docs" / "examples"
LONGEST = 80  # lines
LONGER = {"update_on_dask.py": 120}  # it has a command's options and exit codes


@pytest.fixture
def customers(sandbox: Sandbox) -> Iterator[CustomersClient]:
    """Return a client that does not wait between two attempts."""
    auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
    with CustomersClient("test", auth, transport=sandbox.transport, retries=Retries(initial_delay=0)) as customers:
        yield customers


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_are_short(example: Path) -> None:
    """Each fits on a screen, and a guide links to it."""
    assert len(example.read_text(encoding="utf-8").splitlines()) < LONGER.get(example.name, LONGEST)
    guides = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    assert f"(examples/{example.name})" in guides


def test_a_key_in_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    """The sandbox believes what it signs, and it is printed whose key that is and how to find the exchange."""
    runpy.run_path(str(EXAMPLES / "hsm_signer.py"), run_name="__main__")
    signs, updated = capsys.readouterr().out.splitlines()
    assert signs.startswith("CertificateAuth(key_id='1716240386523032000') signs with RS256 until 2")
    assert updated.startswith("updated, correlation id ")


ROW = f"{PAGE_CUSTOMER_ID},a@example.com"
EXPORTS: dict[str, tuple[list[str], list[int | Fault], tuple[int, list[str]]]] = {
    "all as wanted": ([ROW], [], (0, ["updated: 1"])),
    "nothing to do": ([f" {PAGE_CUSTOMER_ID} ,test@cybs.com", "NOBODY,"], [], (0, ["were as wanted: 1"])),
    "gone": (["NOBODY,a@example.com", ROW], [], (1, ["updated: 1", "NotFound: 1, such as NOBODY"])),
    "too long": ([f"{PAGE_CUSTOMER_ID},{'x' * 300}"], [], (1, ["InvalidRequest: 1, such as"])),
    "refused by the service": ([ROW], [400], (1, ["BadRequest id: 1, such as"])),
    "the service is down": ([ROW], [503] * 4, (75, ["ServiceError: 1, such as"])),
    "unreadable": ([ROW], [Fault(status=200, body=b"x")], (75, ["UnreadableResponse: 1, such as"])),
    "a short row": (["x", ROW], [], (0, ["updated: 1"])),
    "a cell that csv refuses": ([ROW, "x" * 140_000], [], (1, ["the export cannot be read (Error): 1"])),
    "the credentials are refused": ([ROW], [401], (75, ["Unauthorized: 1, such as"])),
}


@pytest.mark.parametrize(("lines", "faults", "expected"), EXPORTS.values(), ids=EXPORTS)
def test_the_nightly_job(
    sandbox: Sandbox,
    customers: CustomersClient,
    lines: list[str],
    faults: list[int | Fault],
    expected: tuple[int, list[str]],
) -> None:
    """It reports what became of each row, and tells cron what to do."""
    sandbox.fail(*faults)
    finished = nightly_job.run(customers, csv.DictReader(io.StringIO("\n".join(["id,email", *lines]))))
    code, report = expected
    assert finished.exit_code == code
    assert [text for text in report if text not in str(finished)] == []


def test_the_spans_of_a_job_are_in_one_trace(sandbox: Sandbox, url: str) -> None:
    """Each request of a job is a child of the caller's span, and a retry is counted."""
    spans, metrics = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    log = logging.getLogger("cybersource_tms")
    tracing.instrument(tracers, MeterProvider([metrics]))
    try:
        auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
        with CustomersClient("test", auth, base_url=url, retries=Retries(initial_delay=0)) as customers:
            sandbox.fail(503)
            pairs = [(each, {"objectInformation": {"title": "Gold"}}) for each in (PAGE_CUSTOMER_ID, "NOBODY")]
            failed = tracing.update_all(tracers.get_tracer("test"), customers, pairs)
    finally:
        HTTPXClientInstrumentor().uninstrument()
        log.handlers.clear()
        log.setLevel(logging.NOTSET)
    whole = next(span for span in spans.get_finished_spans() if span.name == "update_all")
    requests = [span for span in spans.get_finished_spans() if span is not whole]
    assert failed == 1
    assert len(requests) == len(sandbox.received) == 4
    assert {span.parent and span.parent.span_id for span in requests} == {whole.context and whole.context.span_id}
    assert '"value": 1' in str(metrics.get_metrics_data().to_json())  # type: ignore[union-attr] # there are some
