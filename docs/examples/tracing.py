"""OpenTelemetry: the requests of a job in one trace, and a count of retries.

pip install opentelemetry-sdk opentelemetry-instrumentation-httpx. In an application, give the two providers exporters
of yours, and call `instrument` once, before the first client is made.
"""

import logging
from collections.abc import Iterable
from typing import Any

from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.metrics import Meter, MeterProvider
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.trace import Tracer, TracerProvider

from cybersource_tms import CustomersClient


class CountRetries(logging.Handler):
    """Counts the retries, which the log records tell: each has a `delay`, and no other has."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._retries = meter.create_counter("cybersource_tms.retries", description="Attempts that were retried")

    def emit(self, record: logging.LogRecord) -> None:
        """Count a record, if it is a retry's."""
        if hasattr(record, "delay"):
            self._retries.add(1, {"http.request.method": str(getattr(record, "method", ""))})


def instrument(tracers: TracerProvider, meters: MeterProvider) -> None:
    """Make a span for each HTTP request of the process, and count the retries."""
    HTTPXClientInstrumentor().instrument(tracer_provider=tracers)
    log = logging.getLogger("cybersource_tms")
    log.addHandler(CountRetries(meters.get_meter("cybersource_tms")))
    log.setLevel(logging.INFO)


def update_all(tracer: Tracer, customers: CustomersClient, pairs: Iterable[tuple[str, dict[str, Any]]]) -> int:
    """Update many customers within one span, and return how many failed.

    The threads of the job see the context of their caller, so each request is a child of this span.
    """
    with tracer.start_as_current_span("update_all") as span, customers.apply_many(pairs) as outcomes:
        failed = sum(outcome.error is not None for outcome in outcomes)
        span.set_attribute("failed", failed)
    return failed


if __name__ == "__main__":
    provider = SdkTracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    instrument(provider, SdkMeterProvider())
    example = "F2F3ADA770102B51E053A2598D0A9078"
    with CustomersClient.from_env() as client:
        update_all(provider.get_tracer(__name__), client, [(example, {"objectInformation": {"title": "Gold"}})])
